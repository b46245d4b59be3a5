"""What the tests of models share: requests, and clients that do not wait."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from random import Random
from typing import Any, TypeVar

from bridge.clock import TestClock
from bridge.models.client import ModelClient
from bridge.models.journal import Journal
from bridge.models.replies import Reply
from bridge.models.requests import ChatRequest
from bridge.models.retries import Patience
from bridge.testing import ModelServer

T = TypeVar("T")


def request(text: str = "2 + 2?", model: str = "stub", **more: Any) -> ChatRequest:
    """A request with one message of the user's."""
    return ChatRequest(model, ({"role": "user", "content": text},), **more)


def requests(count: int, **more: Any) -> list[ChatRequest]:
    """Different requests."""
    return [request(f"Question {number}?", **more) for number in range(count)]


def run(
    server: ModelServer | str,
    work: Callable[[ModelClient], Awaitable[T]],
    *,
    model: str = "stub",
    journal: Journal | None = None,
    clock: TestClock | None = None,
    **options: Any,
) -> T:
    """Do some work with a client whose clock does not wait."""

    async def main() -> T:
        url = server if isinstance(server, str) else server.url
        options.setdefault("patience", Patience(random=Random(1)))
        async with ModelClient(url, model, journal=journal, clock=clock or TestClock(), **options) as client:
            return await work(client)

    return asyncio.run(main())


def ask(server: ModelServer | str, wanted: Iterable[ChatRequest], **options: Any) -> list[Reply]:
    """The replies to some requests, asked at the same time."""

    async def work(client: ModelClient) -> list[Reply]:
        return [reply async for reply in client.ask_all(wanted)]

    return run(server, work, **options)


def ask_until_error(
    server: ModelServer | str, wanted: Iterable[ChatRequest], **options: Any
) -> tuple[list[Reply], Exception]:
    """The replies that came before the error, and the error."""
    replies: list[Reply] = []

    async def work(client: ModelClient) -> Exception:
        try:
            async for reply in client.ask_all(wanted):
                replies.append(reply)
        except Exception as error:  # noqa: BLE001 - the test looks at it
            return error
        raise AssertionError("nothing was raised")

    return replies, run(server, work, **options)
