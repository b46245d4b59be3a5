"""The client of one model: requests to an OpenAI-compatible endpoint, over a journal, within a budget."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from types import TracebackType
from typing import Any, NoReturn, Self

from bridge.clock import SYSTEM, Clock
from bridge.errors import BridgeError, EndpointError, StoreError, UsageError
from bridge.keys import Secret
from bridge.models.budget import Account, Tokens, likely
from bridge.models.capabilities import FEATURES, Capabilities, Feature, body_of, needed, probe, shows, single
from bridge.models.endpoint import TIMEOUT_S, Endpoint, HttpReply
from bridge.models.journal import Entry, Journal
from bridge.models.outcomes import Answered, Failed, Outcome, outcome
from bridge.models.replies import Choice, Reply, Usage, problem_of
from bridge.models.requests import ChatRequest
from bridge.models.retries import GIVE_UP_AFTER, Again, Patience

CONCURRENCY = 8
"""Requests at a time. More than 32 make the client itself the limit (measured)."""

MOST_AT_A_TIME = 256
"""No endpoint answers more at a time, and no client keeps up with them."""

_WINDOW = 8
"""So many times the requests that are out may have been taken and not yet been handed on, in their order."""


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A request that got no answer for a reason that may pass; the next run asks again."""

    failed: Failed
    attempts: int


@dataclass(slots=True)
class _Sent:
    """A request that is out, and how many wait for it."""

    task: asyncio.Task[Entry | Unanswered]
    waiting: int = 0


class ModelClient:
    """Asks one model (an :class:`~bridge.models.asker.Asker`); to be used in an ``async with`` statement.

    Each request that was answered before, by the journal, is answered from there. A request that is out already is
    not sent a second time. Where the endpoint gives fewer choices than asked for, the missing ones are asked for one
    by one; where it does not follow schemas, the schema is told in words (:mod:`bridge.models.capabilities`).

    Args:
        url: the endpoint's address, such as ``https://api.openai.com/v1``.
        model: the model's name there.
        journal: what was asked before; its account is charged. None remembers nothing beyond this client.
        concurrency: how many requests may be out at a time.
        patience: how often a request is sent again, and when.
        key: the endpoint's key; None looks it up (:func:`~bridge.models.endpoint.model_key`).
        allow_http: permit plain http to hosts other than this machine.
        timeout_s: for one reply.
        clock: tells the time, and waits.

    Raises:
        ConfigError: the address or the key cannot be right, or there is no key.
        UsageError: the package ``openai`` is not installed, or the concurrency cannot be.

    >>> from bridge.testing.models import ModelServer
    >>> async def main(url: str) -> str | None:
    ...     async with ModelClient(url, "stub") as client:
    ...         return (await client.ask(ChatRequest("stub", ({"role": "user", "content": "2 + 2?"},)))).text
    >>> with ModelServer(lambda asked: "Four.") as server:
    ...     asyncio.run(main(server.url))
    'Four.'
    """

    def __init__(
        self,
        url: str,
        model: str,
        *,
        journal: Journal | None = None,
        concurrency: int = CONCURRENCY,
        patience: Patience | None = None,
        key: Secret | None = None,
        allow_http: bool = False,
        timeout_s: float = TIMEOUT_S,
        clock: Clock = SYSTEM,
    ) -> None:
        if not 1 <= concurrency <= MOST_AT_A_TIME:
            raise UsageError(f"concurrency {concurrency}: not possible", remedy=f"give 1 to {MOST_AT_A_TIME}")
        self.model = model
        self.endpoint = Endpoint(url, key=key, allow_http=allow_http, connections=concurrency, timeout_s=timeout_s)
        self.journal = Journal() if journal is None else journal
        self._concurrency = concurrency
        self._slots = asyncio.Semaphore(concurrency)
        self._patience = patience or Patience()
        self._clock = clock
        self._not_before = 0.0
        self._out: dict[str, _Sent] = {}
        self._can: dict[Feature, asyncio.Task[bool]] = {}
        self._away: set[asyncio.Task[Any] | None] = set()
        self._ended: BridgeError | None = None
        self._answered = False
        self._unanswered = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or isinstance(error, BridgeError):
            await self._finish()
        await self.close()

    async def close(self) -> None:
        """End what is out, and close the connections. The journal stays open: it is the caller's."""
        await _settle(self._tasks(), cancel=True)
        await self.endpoint.close()

    async def _finish(self) -> None:
        """Wait for answers that are on their way, so that what is paid for is in the journal; nothing more is sent.

        Where one of several models ends a run, this client does not know of it otherwise.
        """
        self._ended = self._ended or EndpointError(
            f"{self.endpoint.url}, model {self.model!r:.60}: the client is closed", remedy="make another one"
        )
        await _settle([task for task in self._tasks() if task not in self._away], cancel=True)
        await _settle(self._tasks(), cancel=False)

    def _tasks(self) -> list[asyncio.Task[Any]]:
        return [*(sent.task for sent in self._out.values()), *self._can.values()]

    @property
    def account(self) -> Account:
        """What was spent, by this client and by all others with this journal."""
        return self.journal.account

    @property
    def capabilities(self) -> Capabilities:
        """What the model can do, as far as requests have asked for it, now or earlier by the journal."""
        entries = {one: self.journal.entry(self.endpoint.url, probe(self.model, one).key) for one in FEATURES}
        found = {feature: shows(feature, entry.answer) for feature, entry in entries.items() if entry}
        found |= {feature: task.result() for feature, task in self._can.items() if _fine(task)}
        return Capabilities(found.get("schema"), found.get("n"), found.get("logprobs"))

    async def probe(self) -> Capabilities:
        """Find out all that the model can do, by three small requests, which the journal remembers.

        Raises:
            EndpointError, BudgetSpent, StoreError: as of :meth:`ask`.
        """
        await asyncio.gather(*(self._able(feature) for feature in FEATURES))
        return self.capabilities

    # -- asking

    async def ask(self, request: ChatRequest) -> Reply:
        """Answer one request, which may take several where it wants several choices.

        Raises:
            EndpointError: the endpoint answers nobody, or not like an OpenAI-compatible one.
            BudgetSpent: the request might cost more than is left.
            UsageError: the request is for another model; the budget is in money, and the model has no price.
            StoreError: the journal cannot be written.
        """
        self.check(request)
        first = await self._call(request)
        got = len(first.answer.choices) if isinstance(first, Entry) and first.answer else 0
        if not 0 < got < request.n:
            return self.joined(request, [first])
        more = [asyncio.ensure_future(self._call(single(request, number))) for number in range(got, request.n)]
        try:
            return self.joined(request, [first, *await asyncio.gather(*more)])
        finally:
            await _settle(more, cancel=True)

    async def ask_all(self, requests: Iterable[ChatRequest]) -> AsyncIterator[Reply]:
        """Answer many requests, several at a time; the replies come in the requests' order.

        Where a request ends the run, those that are out are waited for, so that what is paid for is in the journal.

        Raises:
            EndpointError, BudgetSpent, UsageError, StoreError: as of :meth:`ask`, after replies to earlier requests.
        """
        waiting: deque[asyncio.Future[Reply]] = deque()
        room = self._concurrency * _WINDOW
        cancel = True
        try:
            for request in requests:
                waiting.append(asyncio.ensure_future(self.ask(request)))
                while len(waiting) >= room or (waiting and waiting[0].done()):
                    yield await waiting.popleft()
            while waiting:
                yield await waiting.popleft()
        except BridgeError:
            cancel = False
            raise
        finally:
            await _settle(waiting, cancel=cancel)

    def check(self, request: ChatRequest) -> None:
        """Refuse a request for another model.

        Raises:
            UsageError: it is one.
        """
        if request.model != self.model:
            raise UsageError(
                f"a request for {request.model!r:.60} to a client of {self.model!r:.60}",
                remedy="make a client for each model; they may share a journal",
            )

    # -- one call

    async def _call(self, request: ChatRequest) -> Entry | Unanswered:
        """How a request ended, now or earlier."""
        entry = self.journal.entry(self.endpoint.url, request.key)
        if entry is not None:
            return entry
        sent = self._out.get(request.key)
        if sent is None:
            sent = self._out[request.key] = _Sent(asyncio.ensure_future(self._send(request)))
            sent.task.add_done_callback(lambda _: self._out.pop(request.key, None))
        sent.waiting += 1
        try:
            return await asyncio.shield(sent.task)
        finally:
            sent.waiting -= 1
            if not sent.waiting:
                sent.task.cancel()

    async def _send(self, request: ChatRequest, *, probing: bool = False) -> Entry | Unanswered:
        without = [] if probing else await self.lacking(request)
        failures: Counter[str] = Counter()
        async with self._slots:
            while True:
                await self._pause()
                try:
                    result = await self._attempt(request, without)
                except StoreError as error:
                    self._ended = error  # what nobody can write down must not be paid for
                    raise
                if isinstance(result, Entry):
                    return result
                failures[result.kind] += 1
                step = self._patience.next(result, failures[result.kind])
                if isinstance(step, Again):
                    if self._ended:
                        raise self._ended
                    await self._wait(step)
                    continue
                if step == "stop" or not (probing or self._may_go_on(result)):
                    self._stop(result)
                return Unanswered(result, failures.total())

    async def _attempt(self, request: ChatRequest, without: Iterable[Feature]) -> Entry | Failed:
        """Send a request once, and write down what became of it."""
        journal, where, most = self.journal, self.endpoint.url, likely(request)
        if self._ended:
            raise self._ended
        try:
            await self.account.room(request.model, most)
        except BridgeError as error:
            self._ended = error
            raise
        used: Tokens | None = None
        try:
            journal.sent(where, request.model, request.key, most)
            result = await self._post(request, without)
            if isinstance(result, Answered):
                used = result.tokens or _estimate(request, result)
            elif result.kind != "unclear":
                used = Tokens()
        finally:
            self.account.settle(request.model, most, used)
        if isinstance(result, Answered):
            self._answered, self._unanswered = True, 0
            return journal.finished(where, request.model, request.key, result, used or Tokens())
        if result.kind == "refused" and (result.own or self._answered):
            # Not before anything was answered: then it may be the parameters, which all requests have.
            return journal.finished(where, request.model, request.key, result.reason, Tokens())
        journal.failed(where, request.model, request.key, result.reason, clear=used is not None)
        return result

    async def _post(self, request: ChatRequest, without: Iterable[Feature]) -> Outcome:
        task = asyncio.current_task()
        self._away.add(task)
        try:
            reply = await self.endpoint.post("/chat/completions", body_of(request, without=without))
        finally:
            self._away.discard(task)
        if not isinstance(reply, HttpReply):
            return reply
        result = outcome(reply.status, reply.headers, reply.body, now=self._clock.time())
        if isinstance(result, Failed) and result.kind == "fatal" and reply.status == 200 and self._answered:
            # It is an endpoint, as it has shown; something before it answers in its place.
            return replace(result, kind="broken")
        return result

    def _may_go_on(self, failed: Failed) -> bool:
        self._unanswered += 1
        return failed.own or self._unanswered < GIVE_UP_AFTER

    def _stop(self, failed: Failed) -> NoReturn:
        reason = f"{self.endpoint.url}, model {self.model!r:.60}: {failed.reason}"
        remedy = failed.remedy or "is it up, and is the address right?"
        if failed.kind == "refused":
            reason = f"{reason}; so it did with {GIVE_UP_AFTER} requests, and answered none"
            remedy = "is that the model's name, and does it take these parameters?"
        elif failed.asked_s > self._patience.longest_wait_s:
            reason = f"{reason}, for {failed.asked_s:,.0f} s"
            remedy = "run the same again later: what was answered is kept"
        elif failed.kind != "fatal":
            reason = f"{reason}, again and again"
        self._ended = EndpointError(reason, remedy=remedy)
        raise self._ended

    async def _pause(self) -> None:
        """Wait for as long as the endpoint asked everybody to."""
        while (left := self._not_before - self._clock.monotonic()) > 0:
            await self._clock.pause(left)

    async def _wait(self, again: Again) -> None:
        if again.everybody:
            self._not_before = max(self._not_before, self._clock.monotonic() + again.wait_s)
        else:
            await self._clock.pause(again.wait_s)

    async def lacking(self, request: ChatRequest) -> list[Feature]:
        """What a request asks for and the model cannot do; probes where that is not known.

        Raises:
            EndpointError, BudgetSpent, StoreError: as of :meth:`ask`.
        """
        return [feature for feature in needed(request) if not await self._able(feature)]

    async def _able(self, feature: Feature) -> bool:
        if feature not in self._can:
            self._can[feature] = asyncio.ensure_future(self._find_out(feature))
        return await asyncio.shield(self._can[feature])

    async def _find_out(self, feature: Feature) -> bool:
        request = probe(self.model, feature)
        found = self.journal.entry(self.endpoint.url, request.key) or await self._send(request, probing=True)
        if isinstance(found, Unanswered) and found.failed.kind != "refused":
            self._stop(found.failed)
        return shows(feature, found.answer if isinstance(found, Entry) else None)

    def joined(self, request: ChatRequest, parts: list[Entry | Unanswered]) -> Reply:
        """The reply to a request, of the parts in which it was asked: itself, and the choices that were missing."""
        choices: list[Choice] = []
        models = []
        for part in parts:
            answer = part.answer if isinstance(part, Entry) else None
            choices += answer.choices if answer else ()
            models += [answer.model] if answer else []
        choices += [Choice(None, "missing")] * (request.n - len(choices)) if choices else []
        usage = reduce(add, (self._usage(request, part) for part in parts))
        problem = problem_of(tuple(choices)) if choices else _why(parts[0])
        return Reply(request.key, models[0] if models else self.model, tuple(choices[: request.n]), usage, problem)

    def _usage(self, request: ChatRequest, part: Entry | Unanswered) -> Usage:
        tokens, batch = (part.tokens, part.batch) if isinstance(part, Entry) else (Tokens(), False)
        cost = self.account.prices.cost(request.model, tokens.prompt, tokens.completion, batch=batch)
        return Usage(tokens.prompt, tokens.completion, cost, part.attempts)


def _why(part: Entry | Unanswered) -> str:
    if isinstance(part, Unanswered):
        return part.failed.reason
    return part.refused or "no choices in the reply"


def _fine(task: asyncio.Task[bool]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is None


def _estimate(request: ChatRequest, answer: Answered) -> Tokens:
    """Tokens of an answer whose endpoint does not count them."""
    written = sum(len((choice.text or "").encode()) for choice in answer.choices)
    return Tokens(likely(request).prompt, written // 3)


async def _settle(tasks: Iterable[asyncio.Future[Any]], *, cancel: bool) -> None:
    """Wait for tasks that nobody asks any more."""
    left = [*tasks]
    for task in left:
        if cancel:
            task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
