"""The sender of batches: how large they may be, and what became of each.

One batch goes at a time, smaller where the server is overtaxed. A batch that it refuses is halved until the culprit
stands alone. A batch whose outcome is unknown is looked up, and only sent again when it had time to arrive late and
did not.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable, Mapping, Sequence

from bridge.errors import AuthError, Busy, NotFound, Refused, ServerError, TooLarge, Unreachable
from bridge.files import Reject
from bridge.records import Record
from bridge.servers.protocol import Outcome, Remote, RemoteProject, Server
from bridge.sync.plan import Step
from bridge.sync.push_result import PushResult
from bridge.sync.target import Target

PATIENCE_S = 60.0
"""A server that refuses no second copy may carry out a request that was given up long after it broke off (measured on
Label Studio), so that is how long a batch is waited for before it is sent again."""

TRIES = 3
"""How often a batch is sent whose outcome stays unknown and that never arrives."""

BUSY_S = 600.0
"""How long a server may ask to wait, all in all, before a batch is given up."""

CALM = 8
"""After so many batches that went well, a size that was halved is doubled again."""


class Stopped(Exception):
    """Nothing more can be sent for now."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Sender:
    """Batches on their way: how large they may be, and what became of them."""

    def __init__(self, server: Server, target: Target, result: PushResult, patience_s: float) -> None:
        self.server, self.target, self.result = server, target, result
        self.clock = target.ledger.clock
        self.patience_s = patience_s
        self.keys: list[str] = []
        self.bare: set[str] = set()
        self._random = random.Random()  # noqa: S311 - jitter, no secret
        self._size = server.capabilities.batch
        self._calm = 0
        self._waited = 0.0
        self._settled: list[Outcome] = []
        self._recount = False

    # What earlier pushes left open

    def settle_earlier(self) -> None:
        """Look up what a push that broke off may have sent."""
        rows = self.target.in_state("sending", "unknown")
        if not rows:
            return
        self._recount = True
        age = self.clock.time() - max(row.sent_at for row in rows)
        # A clock that was set back or ahead must not make anybody wait for years.
        left = min(max(0.0, self._patience() - age), self._patience()) if age > -self._patience() else 0.0
        missing = self._look_up([row.key for row in rows], left, first_s=0.0)
        self.target.unsent(missing)

    def counted(self) -> RemoteProject:
        """The project, with how many records it holds now."""
        if not self._recount:
            return self.result.project
        return RemoteProject(self.result.project.id, self.result.project.url, None)

    def _patience(self) -> float:
        # Where the server refuses a second copy, or takes its place, sending early does no harm.
        return 0.0 if self.server.capabilities.unique_keys else self.patience_s

    def _look_up(self, keys: list[str], patience_s: float, *, first_s: float) -> list[str]:
        """Wait for records that may arrive late; returns those that did not."""
        deadline = self.clock.monotonic() + patience_s
        pause = first_s
        while True:
            if pause:
                self._pause(min(pause, max(first_s, deadline - self.clock.monotonic())))
            there = self.server.find(keys)
            missing = [key for key in keys if key not in there]
            if not missing or self.clock.monotonic() >= deadline:
                break
            pause = min(max(1.0, pause * 2), 10.0)
        self.target.found(there)
        self.bare |= {key for key, copies in there.items() if not all(remote.suggestions for remote in copies)}
        return missing

    # Sending

    def take(self, planned: Sequence[Step]) -> None:
        """Do what was planned with some records."""
        result = self.result
        by_action: dict[str, list[Step]] = {}
        for step in planned:
            by_action.setdefault(step.action, []).append(step)
        result.present += sum(len(by_action.get(action, ())) for action in ("unchanged", "kept", "conflict"))
        result.kept += len(by_action.get("kept", ()))
        result.changed += [step.record.key for step in by_action.get("conflict", ())]
        result.gone += [step.record.key for step in by_action.get("gone", ())]
        result.unknown += [step.record.key for step in by_action.get("unknown", ())]
        self._repair([step.record for step in by_action.get("unchanged", ()) if step.record.key in self.bare])
        self._update(by_action.get("update", ()))
        self._send(by_action.get("create", ()))

    def _repair(self, records: Sequence[Record]) -> None:
        if records:
            self.result.repaired += self.server.repair(records)
            self.bare -= {record.key for record in records}

    def _update(self, planned: Sequence[Step]) -> None:
        waiting = deque(planned)
        while waiting:
            part = [waiting.popleft() for _ in range(min(self._size, len(waiting)))]
            self.target.ledger.renew()
            try:
                outcomes = self.server.update([step.record for step in part])
            except TooLarge as error:
                if len(part) > 1:
                    self._shrink(len(part))
                    waiting.extendleft(reversed(part))
                    continue
                outcomes = [Outcome(part[0].record.key, "rejected", error.reason, error.remedy)]
            except Busy as error:
                self._shrink(len(part))
                self._obey(error)
                waiting.extendleft(reversed(part))
                continue
            self._note_updated(outcomes, {step.record.key: step.content for step in part})

    def _note_updated(self, outcomes: Sequence[Outcome], contents: Mapping[str, str]) -> None:
        for outcome in outcomes:
            if outcome.result == "accepted":
                self.result.updated += 1
                self.result.present += 1
                self.target.found({outcome.key: [Remote(outcome.remote_id, content=contents[outcome.key])]})
            else:
                # Its row still says that the old text is there, so the next push updates it again.
                self._note(outcome, settles=False)
        if self.result.unknown:
            raise Stopped(self.result.reason)

    def _send(self, planned: Sequence[Step]) -> None:
        waiting = deque((step.record, step.content, 1) for step in planned)
        while waiting:
            self._size = min(self._size, self.server.capabilities.batch)
            part = [waiting.popleft() for _ in range(min(self._size, len(waiting)))]
            self.note([(record.key, content) for record, content, _ in part])
            again = self._deliver([record for record, _, _ in part])
            waiting.extendleft(
                (record, content, tries + again[record.key])
                for record, content, tries in reversed(part)
                if record.key in again
            )
            if waiting and waiting[0][2] > TRIES:
                self.result.unknown += [record.key for record, _, tries in waiting if tries > TRIES]
                raise Stopped(self.result.reason)

    def _deliver(self, records: Sequence[Record]) -> dict[str, int]:
        """Send one batch. Returns the keys to send again, with what each counts as a try."""
        keys = [record.key for record in records]
        try:
            outcomes = self.server.write(records)
        except TooLarge as error:
            if len(records) == 1:
                self._note(Outcome(keys[0], "rejected", error.reason, error.remedy))
                return {}
            self.target.unsent(keys)
            self._shrink(len(records))
            return dict.fromkeys(keys, 0)
        except Busy as error:
            self.target.unsent(keys)
            self._shrink(len(records))
            self._obey(error)
            return dict.fromkeys(keys, 0)
        except (Unreachable, AuthError, NotFound, Refused):
            self.target.unsent(keys)  # nothing was written
            raise
        except ServerError as error:
            outcomes = [Outcome(key, "unknown", error.reason, error.remedy) for key in keys]
        return self._judge(records, outcomes)

    def _judge(self, records: Sequence[Record], outcomes: Sequence[Outcome]) -> dict[str, int]:
        by_key = {record.key: record for record in records}
        unknown = [outcome for outcome in outcomes if outcome.result == "unknown"]
        refused = [outcome for outcome in outcomes if outcome.result == "rejected"]
        for outcome in outcomes:
            if outcome.result == "accepted" or (outcome.result == "rejected" and len(records) == 1):
                self._note(outcome)
        again: dict[str, int] = {}
        if refused and len(records) > 1:
            # The server may have refused the whole batch for one record in it; whatever it took is not sent again.
            half = (len(refused) + 1) // 2
            for part in (refused[:half], refused[half:]):
                if part:
                    self.target.sending(outcome.key for outcome in part)
                    again |= self._deliver([by_key[outcome.key] for outcome in part])
        if unknown:
            again |= self._find_out(by_key, unknown)
            self._shrink(len(records))
        elif not refused:
            self._grow()
        return again

    def _find_out(self, by_key: dict[str, Record], unknown: Sequence[Outcome]) -> dict[str, int]:
        """What became of records whose outcome is unknown. Returns those that are to be sent again."""
        self.result.reason = unknown[0].reason
        self.note()
        self.target.settle(unknown)
        keys = [outcome.key for outcome in unknown]
        try:
            missing = self._look_up(keys, self._patience(), first_s=max(outcome.wait_s for outcome in unknown))
        except ServerError as error:
            self.result.unknown += keys
            raise Stopped(self.result.reason or error.reason) from None
        absent = set(missing)
        arrived = [key for key in keys if key not in absent]
        self.result.sent += len(arrived)
        self.keys += arrived
        self._repair([by_key[key] for key in arrived if key in self.bare])
        if not missing:
            self.result.reason = ""
        return dict.fromkeys(missing, 1)

    # Pace

    def _shrink(self, size: int) -> None:
        self._size = max(1, min(self._size, size) // 2)
        self._calm = 0

    def _grow(self) -> None:
        self._waited = 0.0
        self.result.reason = ""
        self._calm += 1
        if self._calm >= CALM:
            self._size, self._calm = self._size * 2, 0

    def _obey(self, busy: Busy) -> None:
        """Wait as the server asks; where it does not say how long, longer each time.

        Raises:
            Stopped: it has asked for too long.
        """
        wait = max(busy.wait_s, self._random.uniform(0.5, 1.0) * min(60.0, 1.0 + self._waited))
        if self._waited + wait > BUSY_S:
            raise Stopped(busy.reason)
        self._waited += wait
        self._pause(wait)

    def _pause(self, seconds: float) -> None:
        # In steps, so that the lease never runs out.
        while seconds > 0:
            step = min(seconds, 60.0)
            self.clock.sleep(step)
            self.target.ledger.renew()
            seconds -= step

    # Noting

    def _note(self, outcome: Outcome, *, settles: bool = True) -> None:
        result = self.result
        if outcome.result == "accepted":
            result.sent += 1
            self.keys.append(outcome.key)
            self._settled.append(outcome)
        elif outcome.result == "rejected":
            result.rejected.append(Reject(0, outcome.reason, outcome.remedy, key=outcome.key))
            self._settled += [outcome] * settles
        else:
            result.unknown.append(outcome.key)
            result.reason = outcome.reason

    def note(self, intended: Iterable[tuple[str, str]] = ()) -> None:
        """Write down what became of earlier batches, and what is about to be sent, in one go."""
        settled, self._settled = self._settled, []
        intended = list(intended)
        if intended:
            self.target.intend(intended, settled)
        elif settled:
            self.target.settle(settled)
