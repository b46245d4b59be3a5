"""A world for simulations: one server, machines with campaigns, people, time; and a memory of what everybody did.

The server, the network before it and all clocks are of this world, so a seed makes the same history every time.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, cast
from unittest import mock

from bridge.annotations import Status
from bridge.campaign import Campaign
from bridge.clock import Clock, TestClock
from bridge.errors import ExportError, Held, LedgerError, ServerError
from bridge.servers.memory import LIKE_ARGILLA, LIKE_LABEL_STUDIO, PLAIN, MemoryServer
from bridge.servers.protocol import Remote, Server
from bridge.state import State
from bridge.sync import lease, people, sender
from bridge.testing.faults import Crash, FaultyServer, Kind
from bridge.testing.mortal import Line, Mortal, mortal

CAMPAIGN = {
    "project": "Sums",
    "server": {"kind": "memory"},
    "template": "rating",
    "records": {"path": "rows.jsonl", "id": "id"},
}
PROFILES = {"plain": PLAIN, "like Label Studio": LIKE_LABEL_STUDIO, "like Argilla": LIKE_ARGILLA}
PEOPLE = ("ann", "bo", "cy")
UNCLEAR: frozenset[Kind] = frozenset({"committed", "lost", "late", "part", "lag", "bare"})
LATE: frozenset[Kind] = frozenset({"late"})
START = 1_800_000_000.0


class Local(Clock):
    """The clock of one machine: it goes as fast as the world's, and may be wrong."""

    def __init__(self, world: TestClock) -> None:
        self.world = world
        self.wrong_s = 0.0

    def time(self) -> float:
        """What this machine believes."""
        return self.world.now + self.wrong_s

    def monotonic(self) -> float:
        """Seconds since some moment."""
        return self.world.now

    def sleep(self, seconds: float) -> None:
        """Time passes for all."""
        self.world.sleep(seconds)


@dataclass
class Machine:
    """One machine with its own copy of the campaign, its own file of rows, clock and ledger."""

    name: str
    folder: Path
    clock: Local
    campaign: Campaign
    keys: list[str] = field(default_factory=list)
    lives: int = 1
    copies: dict[str, bytes | None] = field(default_factory=dict)
    damaged: bool = False

    @property
    def ledger(self) -> Path:
        """The file of its ledger."""
        return self.campaign.state.path


@dataclass(frozen=True)
class Answer:
    """What a person answered last, about which record and which text."""

    key: str
    rating: int
    status: Status
    text: str


class World:
    """Everything that one schedule is about.

    Args:
        seed: decides everything.
        folder: an empty folder for the machines' files.

    Attributes:
        truth: the server as it is; ``server`` is how the machines reach it.
        texts: key to the text that the rows of the files have now.
        answers: (id of the record there, person) to the answer, unless it was withdrawn or went with its record.
        deleted: keys of records that somebody deleted, or that an older state of the server did not have.
        restored: whether the server went back to an older state.
        excuses: why a record may be there twice for a while, on a server that does not prevent it.
    """

    def __init__(self, seed: int, folder: Path) -> None:
        self.seed, self.folder = seed, folder
        self.random = random = Random(f"world {seed}")  # noqa: S311 - made to be repeated
        self.history: list[str] = []
        self.clock = TestClock(START)
        self.kind = random.choice([*PROFILES])
        profile = PROFILES[self.kind]
        small = replace(profile.capabilities, batch=random.randint(2, 5))
        self.truth = MemoryServer(
            clock=lambda: datetime.fromtimestamp(self.clock.now, UTC), profile=replace(profile, capabilities=small)
        )
        late_s = random.choice((5.0, 40.0, 59.0, 400.0))
        self.server = FaultyServer(
            self.truth,
            seed=seed,
            clock=self.clock,
            late_s=late_s,
            lag_s=random.choice((1.0, 10.0, 45.0)),
            largest=random.choice((None, None, 1, 3)),
            poison=lambda key: key.startswith("poison"),
            page_size=random.randint(1, 5),
        )
        # Only Argilla has an index that lags behind its database.
        self.all_kinds = self.server.kinds - (set() if profile.indexed else {"lag"})
        self.kinds_of_writes = random.choice((self.all_kinds, self.all_kinds & UNCLEAR, LATE))
        self.faults = random.choice((0.0, 0.02, 0.1))
        self.faults_of_writes = random.choice((0.0, 0.2, 0.6))
        self.deadly = random.choice((0.0, 0.3, 0.7))
        self.bustle = random.choice((0.0, 0.05, 0.2))
        self.wild = random.random() < 0.4  # clocks go wrong, ledgers are lost, laptops sleep
        self.texts: dict[str, str] = {}
        self.answers: dict[tuple[str, str], Answer] = {}
        self.deleted: set[str] = set()
        self.restored = False
        self._backup: tuple[bytes, dict[tuple[str, str], Answer]] | None = None
        self.excuses = {"writes arrive very late"} if late_s > sender.PATIENCE_S else set()
        self.running: list[tuple[Machine, Mortal]] = []
        self.overtaken: Mortal | None = None
        names = ("one", "two")[: random.choice((1, 1, 2))]
        if len(names) > 1:
            self.excuses.add("two machines")
        self.machines = [self.machine(name) for name in names]
        self.say(
            f"a server {self.kind}, {len(names)} machine(s), faults {self.faults:g} (of writes "
            f"{self.faults_of_writes:g}), late by {late_s:g} s"
        )

    def machine(self, name: str) -> Machine:
        """A machine more, with no rows yet."""
        folder, clock = self.folder / name, Local(self.clock)
        folder.mkdir()
        return Machine(name, folder, clock, campaign(folder, clock))

    def say(self, what: str) -> None:
        """Remember what happened."""
        self.history.append(f"{self.clock.now - START:10.1f}  {'  ' * len(self.running)}{what}")

    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.clock.now += seconds

    @contextmanager
    def real(self) -> Iterator[None]:
        """Within this block there is nothing but this world: no disk to wait for, no other chance, no other process."""
        with ExitStack() as stack:
            stack.enter_context(mortal(lambda: self.running[-1][1] if self.running else None, hasty=True))
            stack.enter_context(mock.patch.object(people, "secrets", SimpleNamespace(token_bytes=bytes)))
            chance = SimpleNamespace(Random=lambda: Random(self.seed))  # noqa: S311 - made to be repeated
            stack.enter_context(mock.patch.object(sender, "random", chance))
            stack.enter_context(mock.patch.object(lease, "_began", self._began))
            yield

    def _began(self, pid: int) -> str:
        machine = self.running[-1][0]
        return f"{machine.name}, life {machine.lives}"

    @property
    def texts_may_have_gone_back(self) -> bool:
        """Whether an old text came late and took the place of a newer one, so that answers to that no longer count."""
        taking = {"update", "write"} if self.truth.profile.repeated == "replaced" else {"update"}
        return any(fault == "late" and verb in taking for _, verb, fault in self.server.history)

    # Files

    def write_rows(self) -> None:
        """Bring the files up to date; each has a row twice, and one that is no record."""
        for machine in self.machines:
            rows: list[dict[str, Any]] = [
                {"id": key, "prompt": f"{key}?", "response": self.texts[key], "rating": 3} for key in machine.keys
            ]
            rows += [*rows[:1], {"id": "broken", "prompt": "?"}]
            (machine.folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")

    def grow(self, machine: Machine) -> None:
        """More rows; some of them are in the other machine's file too."""
        for _ in range(self.random.randint(2, 6)):
            key = "poison" if self.random.random() < 0.05 else f"r{self.random.randint(1, 9)}"
            self.texts.setdefault(key, "1")
            if key not in machine.keys:
                machine.keys.append(key)
        self.write_rows()
        self.say(f"{machine.name}: its rows are {' '.join(machine.keys)}")

    def shrink(self, machine: Machine) -> None:
        """A row less."""
        if len(machine.keys) > 1:
            key = machine.keys.pop(self.random.randrange(len(machine.keys)))
            self.write_rows()
            self.say(f"{machine.name}: without row {key}")

    def change(self) -> None:
        """Another text for a row, in all files."""
        key = self.random.choice(sorted(self.texts))
        self.texts[key] = str(int(self.texts[key]) + 1)
        self.write_rows()
        self.say(f"files: {key} has text {self.texts[key]}")

    # People

    def there(self) -> list[tuple[str, Remote]]:
        """All records on the server, with their keys; none before there is a project."""
        with suppress(RuntimeError):
            return [item for page in self.truth.listing() for item in page]
        return []

    def text_of(self, id_: str) -> str:
        """What a record shows."""
        return str(self.truth._held.records[id_]["fields"]["response"])

    def answer(self) -> None:
        """Somebody answers a record, or changes an answer."""
        if there := self.there():
            key, remote = self.random.choice(there)
            person, rating = self.random.choice(PEOPLE), self.random.choice((5, 5, 4, 2))
            status: Status = "submitted" if self.random.random() < 0.8 else self.random.choice(("discarded", "draft"))
            self.truth.annotate(remote.id, person, {"rating": rating}, status=status)
            self.answers[remote.id, person] = Answer(key, rating, status, self.text_of(remote.id))
            self.say(f"{person}: {remote.id} is {rating} ({status})")

    def withdraw(self) -> None:
        """Somebody takes an answer back."""
        if self.answers:
            id_, person = self.random.choice(sorted(self.answers))
            self.truth.withdraw(id_, person)
            del self.answers[id_, person]
            self.say(f"{person}: {id_} is withdrawn")

    def delete(self) -> None:
        """An administrator deletes a record, with all answers to it."""
        if there := self.there():
            key, remote = self.random.choice(there)
            self.truth.delete(remote.id)
            self.deleted |= {key} - {""}
            self.answers = {place: answer for place, answer in self.answers.items() if place[0] != remote.id}
            self.say(f"administrator: deletes {remote.id}")

    def meddle(self) -> None:
        """Somebody puts a record of their own into the project."""
        if self.there():
            self.say(f"somebody: adds {self.truth.add({'prompt': 'theirs?', 'response': '1'})}")

    # Copies, and what becomes of disks

    def keep(self, machine: Machine) -> None:
        """Backups are made: of the server, and of the files of one machine."""
        if self.truth._projects:
            self._backup = self.truth.backup(), dict(self.answers)
        for path in (machine.ledger, machine.ledger.with_name("feedback.jsonl")):
            machine.copies[path.name] = path.read_bytes() if path.exists() else None
        self.say(f"backups of the server, and of the files of {machine.name}")

    def put_back(self, machine: Machine, name: str) -> None:
        """An older copy of a file takes the place of the present one; it is gone where there was none yet."""
        if name in machine.copies:
            path, copy_ = machine.ledger.with_name(name), machine.copies[name]
            if copy_ is None:
                path.unlink(missing_ok=True)
            else:
                path.write_bytes(copy_)
            if name == machine.ledger.name:
                self.excuses.add("an older copy of a ledger")
            self.say(f"{machine.name}: its {name} is an older copy")

    def restore(self) -> None:
        """The server's backup is put back."""
        if self._backup is not None:
            before = {key for key, _ in self.there()}
            self.truth.restore(self._backup[0])
            self.answers = dict(self._backup[1])
            self.deleted |= before - {key for key, _ in self.there()}
            self.restored = True
            self.excuses.add("an older state of the server")
            self.say("administrator: puts the backup of the server back")

    def damage(self, machine: Machine) -> None:
        """The disk spoils a ledger: half of it is lost, or something else stands in its place, or within it."""
        if machine.ledger.exists():
            held = machine.ledger.read_bytes()
            page = 4096 * self.random.randrange(len(held) // 4096 + 1)
            left = self.random.choice(
                (held[: len(held) // 2], b"no ledger at all", held[:page] + bytes(4096) + held[page + 4096 :])
            )
            machine.ledger.write_bytes(left)
            machine.damaged = True
            self.excuses.add("a lost ledger")
            self.say(f"{machine.name}: its ledger is damaged")

    # Commands

    def run(self, machine: Machine, what: str, command: Callable[[Campaign], Any], *, dies: bool = True) -> Any:
        """Run a command, with a chance that it is killed; None where it was, or where a server's error ended it.

        Raises:
            Held: somebody else is at work in that folder.
        """
        at = self.random.randint(1, 50) if dies and self.random.random() < self.deadly else 0
        process = Mortal(machine.folder, at=at)
        before = machine.campaign._server
        machine.campaign._server = cast("Server", Line(self.server, process, self.meanwhile))
        self.running.append((machine, process))
        outcome = "failed"
        try:
            result = command(machine.campaign)
            outcome = _summary(result)
            return result
        except Crash as crash:
            outcome = str(crash)
        except (ServerError, ExportError, Held, LedgerError) as error:
            if isinstance(error, LedgerError) and not machine.damaged:
                raise
            if isinstance(error, Held):
                outcome = (
                    "Held: somebody is at work there"  # its reason names a process, which is another one each time
                )
                raise
            outcome = f"{type(error).__name__}: {error.reason.replace(str(self.folder), '')}"
        finally:
            self.running.pop()
            machine.campaign._server = before
            self.say(f"{machine.name}: {what}: {outcome}")
        if process.dead:
            process.revive()
            if self.random.random() < 0.7:
                machine.lives += 1  # whoever looks for that process finds none
            else:
                self.wait(lease.EXPIRES_S + 1)
        return None

    def meanwhile(self, verb: str) -> None:
        """What happens while a request is on its way."""
        self.wait(self.random.choice((0.0, 0.01, 0.5)))
        writes = verb in ("write", "update", "remove", "repair")
        self.server.rate = self.faults_of_writes if writes else self.faults
        self.server.kinds = self.kinds_of_writes if writes else self.all_kinds
        if len(self.running) > 1 or self.random.random() >= self.bustle:
            return
        machine, process = self.running[0]
        match self.random.randint(1, 8):
            case 1 | 2 | 3:
                self.answer()
            case 4:
                self.withdraw()
            case 5:
                self.delete()
            case 6 if len(self.machines) > 1:
                other = next(other for other in self.machines if other is not machine)
                self.run(other, f"push, during {verb}", lambda campaign: campaign.push())
            case 7 | 8 if process is not self.overtaken:
                self.push_beside(machine, sleeps=self.wild and self.random.random() < 0.3)

    def push_beside(self, machine: Machine, *, sleeps: bool = False) -> None:
        """Another push in the folder of a command: it works only where that one has slept for too long."""
        if sleeps:
            self.excuses.add("a command slept while its request was on the way")
            self.say(f"{machine.name}: sleeps")
            self.overtaken = self.running[0][1]
            self.wait(lease.EXPIRES_S + 1)
        try:
            self.run(machine, "push beside it", lambda campaign: campaign.push(), dies=False)
        except Held:
            assert not sleeps, "a lease that was not renewed in time is not free"
        else:
            assert sleeps, "two commands were at work in one folder"


def campaign(folder: Path, clock: Clock) -> Campaign:
    """The campaign of these worlds in a folder: :data:`CAMPAIGN`, whose rows are in ``rows.jsonl``."""
    made = copy(_campaign())
    made.folder, made.out = folder, folder / "out"
    made.state = State(folder / ".annobridge", clock=clock)
    return made


@cache
def _campaign() -> Campaign:
    # To be copied: reading the file and the template takes longer than many a command.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "campaign.yaml").write_text(json.dumps(CAMPAIGN), encoding="utf-8")
        return Campaign(folder)


def _summary(result: Any) -> str:
    if not hasattr(result, "to_dict"):
        return "done"
    told = {name: value for name, value in result.to_dict().items() if value and name not in ("project", "url", "url")}
    return ", ".join(f"{name} {value}" for name, value in told.items() if name not in ("rejects", "left_out")) or "-"
