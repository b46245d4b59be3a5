"""The Batch API: many requests in a file, answered within a day, for less money.

What comes back is joined by ``custom_id``, which is the request's key, and never by place. Both result files are read.
Requests that stand in neither, or that the endpoint did not get to, are sent again in a further batch. Each batch is
in the journal before it is made, so that the next run waits for the batches of this one: a laptop may sleep meanwhile.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NoReturn

from bridge.clock import SYSTEM, Clock
from bridge.errors import BridgeError, EndpointError, UsageError
from bridge.models.budget import Tokens, likely
from bridge.models.capabilities import body_of, single
from bridge.models.client import ModelClient, Unanswered
from bridge.models.endpoint import HttpReply
from bridge.models.journal import Entry
from bridge.models.outcomes import Answered, Failed, failure, outcome, parsed
from bridge.models.replies import Reply
from bridge.models.requests import ChatRequest
from bridge.models.retries import Again, Patience

MOST_LINES = 50_000
"""Requests in one batch, by OpenAI's rules."""

MOST_BYTES = 200_000_000
"""Bytes in one batch, by the same."""

ROUNDS = 4
"""So many batches may fail to answer a request before it is given up."""

_ENDED = frozenset(("completed", "failed", "expired", "cancelled"))
_ADDRESS = "/v1/chat/completions"
_PATIENT = Patience(attempts=20, unclear_attempts=20)
_MISSING = Failed("broken", "it stands in neither of the batch's result files")
_NOT_DONE = Failed("broken", "an error of the endpoint")
_EXPIRED = Failed("broken", "the batch's time was over before its turn")


@dataclass(slots=True)
class _Batch:
    """One batch: its name in the journal and in its own metadata, its id, and what it is about."""

    name: str
    keys: list[str]
    id: str = ""
    reserved: dict[str, Tokens] = field(default_factory=dict)


class BatchAsker:
    """Asks one model through the Batch API (an :class:`~bridge.models.asker.Asker`).

    Args:
        client: the model's client: its endpoint, its journal, its account. It probes what the model can do.
        lines: how many requests a batch holds at most. They are in memory until all of them are answered.
        poll_s: seconds between two looks at a batch.
        rounds: how many batches may fail to answer a request.
        patience: how often a look is repeated that fails.
        clock: waits.
        tick: is told at each look how many requests of a batch are done, and of how many.

    Raises:
        UsageError: a number that cannot be.
    """

    def __init__(
        self,
        client: ModelClient,
        *,
        lines: int = 10_000,
        poll_s: float = 60.0,
        rounds: int = ROUNDS,
        patience: Patience = _PATIENT,
        clock: Clock = SYSTEM,
        tick: Callable[[str, int, int], None] = lambda what, done, total: None,
    ) -> None:
        if not 0 < lines <= MOST_LINES or rounds < 1:
            raise UsageError(f"a batch of {lines} lines: not possible", remedy=f"give 1 to {MOST_LINES:,}")
        self.model = client.model
        self._client, self._journal, self._endpoint = client, client.journal, client.endpoint
        self._lines, self._poll_s, self._rounds = lines, poll_s, rounds
        self._patience, self._clock, self._tick = patience, clock, tick
        self._failures = 0

    async def ask(self, request: ChatRequest) -> Reply:
        """Answer one request, by a batch of its own.

        Raises:
            EndpointError, BudgetSpent, UsageError, StoreError: as of :meth:`ask_all`.
        """
        (reply,) = [reply async for reply in self.ask_all([request])]
        return reply

    async def ask_all(self, requests: Iterable[ChatRequest]) -> AsyncIterator[Reply]:
        """Answer many requests, in batches; the replies come in the requests' order, when a batch has ended.

        Raises:
            EndpointError: the endpoint has no Batch API, refuses the batch, or cannot be reached.
            BudgetSpent: the next batch might cost more than is left.
            UsageError: a request is for another model.
            StoreError: the journal cannot be written. All of them after the replies to earlier requests.
        """
        rest = iter(requests)
        while portion := [*islice(rest, self._lines)]:
            parts = {request.key: [request] for request in portion}
            failed: dict[str, Failed] = {}
            tries: Counter[str] = Counter()
            ended: BridgeError | None = None
            try:
                await self._answer(portion, parts, failed, tries)
            except BridgeError as error:
                ended = error
            for request in portion:
                _add_missing_choices(request, parts[request.key], self._entry)
                found = [self._part(call.key, failed, tries) for call in parts[request.key]]
                if ended is not None and any(isinstance(part, Unanswered) for part in found):
                    raise ended
                yield self._client.joined(request, found)
            if ended is not None:
                raise ended

    async def _answer(
        self,
        portion: list[ChatRequest],
        parts: dict[str, list[ChatRequest]],
        failed: dict[str, Failed],
        tries: Counter[str],
    ) -> None:
        """Send batches until each request is answered, in as many parts as it takes, or has failed often enough."""
        for request in portion:
            self._client.check(request)
        await self._resume(failed)
        while True:
            for request in portion:
                _add_missing_choices(request, parts[request.key], self._entry)
            calls = {call.key: call for group in parts.values() for call in group}
            open_calls = [c for key, c in calls.items() if self._entry(key) is None and tries[key] < self._rounds]
            if not open_calls:
                break
            for batch in await self._send(open_calls):
                tries.update(batch.keys)
                await self._finish(batch, failed)

    def _entry(self, key: str) -> Entry | None:
        return self._journal.entry(self._endpoint.url, key)

    def _part(self, key: str, failed: Mapping[str, Failed], tries: Mapping[str, int]) -> Entry | Unanswered:
        return self._entry(key) or Unanswered(failed.get(key, _MISSING), tries[key])

    # -- batches

    async def _resume(self, failed: dict[str, Failed]) -> None:
        """Finish the batches of earlier runs that have not been read."""
        for name, note in [*self._journal.notes("batch ")]:
            name = name.removeprefix("batch ")
            mine = (note["endpoint"], note["model"]) == (self._endpoint.url, self.model)
            if not mine or self._journal.note(f"ended {name}") is not None:
                continue
            batch = _Batch(name, list(note["keys"]))
            made = self._journal.note(f"made {name}")
            batch.id = made["id"] if made else await self._find(batch)
            if batch.id:
                await self._finish(batch, failed)
            else:
                self._journal.noted(f"ended {name}", {"status": "never made"})

    async def _send(self, calls: list[ChatRequest]) -> list[_Batch]:
        """Make batches of as many requests as the budget has room for: all of them, or a first part.

        Raises:
            BudgetSpent: it has room for none.
        """
        batches: list[_Batch] = []
        group: list[tuple[str, bytes]] = []
        reserved: dict[str, Tokens] = {}
        size = 0
        account = self._client.account
        for call in calls:
            await self._client.lacking(call)  # now, because a probe may have to wait for room once some is set aside
        for call in calls:
            line = await self._line(call)
            if group and size + len(line) > MOST_BYTES:
                batches.append(await self._make(group, reserved))
                group, reserved, size = [], {}, 0
            most = likely(call)
            if not account.reserve(call.model, most, batch=True):
                if not group and not batches:
                    raise account.ended()
                break
            reserved[call.key] = most
            group.append((call.key, line))
            size += len(line)
        if group:
            batches.append(await self._make(group, reserved))
        return batches

    async def _line(self, call: ChatRequest) -> bytes:
        body = body_of(call, without=await self._client.lacking(call))
        line = {"custom_id": call.key, "method": "POST", "url": _ADDRESS, "body": body}
        return json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"

    async def _make(self, lines: list[tuple[str, bytes]], reserved: dict[str, Tokens]) -> _Batch:
        keys = [key for key, _ in lines]
        earlier = sum(1 for _ in self._journal.notes("batch "))
        name = hashlib.sha256("\n".join([str(earlier), *keys]).encode()).hexdigest()[:32]
        batch = _Batch(name, keys, reserved=reserved)
        content = b"".join(line for _, line in lines)
        uploaded = await self._asked(
            lambda: self._endpoint.upload("/files", {"purpose": "batch"}, "requests.jsonl", content), "upload a batch"
        )
        self._journal.noted(f"batch {name}", {"endpoint": self._endpoint.url, "model": self.model, "keys": keys})
        body = {
            "input_file_id": _id(uploaded, self._stop),
            "endpoint": _ADDRESS,
            "completion_window": "24h",
            "metadata": {"annobridge": name},
        }
        while not batch.id:
            made = await self._endpoint.post("/batches", body)
            if isinstance(made, HttpReply) and 200 <= made.status < 300:
                batch.id = _id(parsed(made.body), self._stop)
                break
            # Perhaps it was made all the same; a second one would be paid for as well.
            batch.id = await self._find(batch)
            if not batch.id:
                await self._asked_again(made, "make a batch")
        self._journal.noted(f"made {name}", {"id": batch.id})
        return batch

    async def _find(self, batch: _Batch) -> str:
        """The id of a batch that may have been made, by the name in its metadata; empty if there is none."""
        after: dict[str, str] = {"limit": "100"}
        while True:
            page = await self._asked(lambda: self._endpoint.get("/batches", dict(after)), "list the batches")
            listed = page.get("data") or []
            for one in listed:
                metadata = one.get("metadata") if isinstance(one, dict) else None
                if isinstance(metadata, dict) and metadata.get("annobridge") == batch.name:
                    return _id(one, self._stop)
            if not page.get("has_more") or not listed:
                return ""
            after["after"] = _id(listed[-1], self._stop)

    async def _finish(self, batch: _Batch, failed: dict[str, Failed]) -> None:
        """Wait until a batch has ended, and put what it answered into the journal."""
        while True:
            state = await self._state(batch)
            if state["status"] in _ENDED:
                break
            self._tick("requests of a batch", _done(state), len(batch.keys))
            await self._clock.pause(self._poll_s)
        left = dict.fromkeys(batch.keys)
        fatal: Failed | None = None
        for which in ("output_file_id", "error_file_id"):
            if isinstance(state.get(which), str):
                name = _id({"id": state[which]}, self._stop)
                content = await self._read(f"/files/{name}/content")
                for key, result in _results(content):
                    if key in left and self._entry(key) is None:
                        fatal = self._take(batch, key, result, failed) or fatal
                        left.pop(key)
        for key in left:
            failed[key] = _EXPIRED if state["status"] == "expired" else _MISSING
        for most in batch.reserved.values():
            self._client.account.release(self.model, most, batch=True)
        self._journal.noted(f"ended {batch.name}", {"status": str(state["status"])})
        if fatal is not None:
            self._stop(fatal.reason, fatal.remedy)
        if state["status"] in ("failed", "cancelled"):
            remedy = "run it again to send the rest, in smaller batches if it was too large for the account"
            self._stop(f"the batch {batch.id} ended as {state['status']}{_codes(state)}", remedy)

    async def _state(self, batch: _Batch) -> dict[str, Any]:
        """What the endpoint says of a batch; ``status`` is a text."""

        async def look() -> HttpReply | Failed:
            reply = await self._endpoint.get(f"/batches/{batch.id}")
            if isinstance(reply, HttpReply) and reply.status == 404:
                self._stop(
                    f"there is no batch {batch.id} (any more)",
                    "give the key of the account that made it; if it was deleted, take the line with "
                    f'"batch {batch.name}" out of the journal, and its requests are sent again',
                )
            return reply

        state = await self._asked(look, "look at a batch")
        if not isinstance(state.get("status"), str):
            self._stop("it answers with a batch that has no status", "has it a Batch API?")
        return state

    def _take(self, batch: _Batch, key: str, result: Answered | Failed, failed: dict[str, Failed]) -> Failed | None:
        """Note one result; it is returned where no other request can fare better."""
        if isinstance(result, Failed) and result.kind != "refused":
            failed[key] = result
            return result if result.kind == "fatal" else None
        tokens = (result.tokens or Tokens()) if isinstance(result, Answered) else Tokens()
        most = batch.reserved.pop(key, None)
        if most is None:
            self._client.account.count(self.model, tokens, batch=True)
        else:
            self._client.account.settle(self.model, most, tokens, batch=True)
        said = result if isinstance(result, Answered) else result.reason
        self._journal.finished(self._endpoint.url, self.model, key, said, tokens, batch=True)
        return None

    # -- the endpoint

    async def _asked(self, call: Callable[[], Awaitable[HttpReply | Failed]], what: str) -> dict[str, Any]:
        while True:
            reply = await call()
            if isinstance(reply, HttpReply) and 200 <= reply.status < 300:
                self._failures = 0
                said = parsed(reply.body)
                if isinstance(said, dict):
                    return said
                self._stop(f"it answers {reply.status} with something else than JSON to: {what}", "has it a Batch API?")
            await self._asked_again(reply, what)

    async def _read(self, path: str) -> bytes:
        while True:
            reply = await self._endpoint.get(path)
            if isinstance(reply, HttpReply) and reply.status == 404:
                return b""  # providers delete results after some time (OpenAI after 30 days): they are missing
            if isinstance(reply, HttpReply) and 200 <= reply.status < 300:
                self._failures = 0
                return reply.body
            await self._asked_again(reply, "read the results of a batch")

    async def _asked_again(self, reply: HttpReply | Failed, what: str) -> None:
        """Wait before the same is asked again, or say why it is not."""
        failed = reply
        if isinstance(failed, HttpReply):
            failed = failure(failed.status, failed.headers, failed.body, now=self._clock.time())
        self._failures += 1
        step = self._patience.next(failed, self._failures)
        if not isinstance(step, Again):
            self._stop(f"it does not {what}: {failed.reason}", failed.remedy or "what was answered is kept; try again")
        await self._clock.pause(step.wait_s)

    def _stop(self, reason: str, remedy: str) -> NoReturn:
        raise EndpointError(f"{self._endpoint.url}, model {self.model!r:.60}: {reason}", remedy=remedy)


def _add_missing_choices(request: ChatRequest, parts: list[ChatRequest], entry: Callable[[str], Entry | None]) -> None:
    first = entry(request.key)
    got = len(first.answer.choices) if first is not None and first.answer is not None else 0
    if len(parts) == 1 and 0 < got < request.n:
        parts += [single(request, number) for number in range(got, request.n)]


def _results(content: bytes) -> Iterator[tuple[str, Answered | Failed]]:
    """Keys and results from the lines of a result file; lines that are none are left out, and so count as missing."""
    for raw in content.splitlines():
        line = parsed(raw)
        if not isinstance(line, dict) or not isinstance(line.get("custom_id"), str):
            continue
        response = line.get("response")
        if isinstance(response, dict) and isinstance(response.get("status_code"), int):
            status, body = response["status_code"], json.dumps(response.get("body")).encode()
            result = outcome(status, {}, body, now=0.0)
            if status == 200 and isinstance(result, Failed) and result.kind == "fatal":
                result = _NOT_DONE  # a broken line among others; the endpoint is one
            yield line["custom_id"], result
        else:
            error = line.get("error")
            expired = isinstance(error, dict) and error.get("code") == "batch_expired"
            yield line["custom_id"], _EXPIRED if expired else _NOT_DONE


def _id(said: Any, stop: Callable[[str, str], NoReturn]) -> str:
    found = said.get("id") if isinstance(said, dict) else None
    if not isinstance(found, str) or not found.replace("-", "").replace("_", "").isalnum():
        stop("it answers with something that has no id", "has it a Batch API?")
    return found


def _done(state: Mapping[str, Any]) -> int:
    counts = state.get("request_counts")
    found = [counts.get(name) for name in ("completed", "failed")] if isinstance(counts, dict) else []
    return sum(one for one in found if isinstance(one, int))


def _codes(state: Mapping[str, Any]) -> str:
    """The codes of what is wrong with a whole batch, where they are mere names."""
    errors = state.get("errors")
    listed = errors.get("data") if isinstance(errors, dict) else None
    codes = [one.get("code") for one in listed or () if isinstance(one, dict)]
    names = sorted({code for code in codes if isinstance(code, str) and code.replace("_", "").isalpha()})
    return f" ({', '.join(names[:3])})" if names else ""
