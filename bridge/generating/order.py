"""Doing several things at a time, and handing on their results in order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

from bridge.errors import BridgeError

T = TypeVar("T")

WINDOW = 64
"""So many may have been begun and not handed on yet. How many requests are out is the client's to limit."""


async def in_order(calls: Iterable[Coroutine[Any, Any, T]], window: int = WINDOW) -> AsyncIterator[T]:
    """The results of calls, in their order. Calls are taken from the iterable as there is room.

    Where one raises an error of ours, those that are begun are waited for: what is paid for is then in the journal.

    >>> async def double(number: int) -> int:
    ...     await asyncio.sleep(0)
    ...     return 2 * number
    >>> async def main() -> list[int]:
    ...     return [result async for result in in_order(double(number) for number in range(5))]
    >>> asyncio.run(main())
    [0, 2, 4, 6, 8]
    """
    waiting: deque[asyncio.Future[T]] = deque()
    try:
        for call in calls:
            waiting.append(asyncio.ensure_future(call))
            if len(waiting) >= window:
                yield await waiting.popleft()
        while waiting:
            yield await waiting.popleft()
    except BridgeError:
        await asyncio.gather(*waiting, return_exceptions=True)
        raise
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


@asynccontextmanager
async def closing(stream: AsyncIterator[T]) -> AsyncIterator[AsyncIterator[T]]:
    """A stream that is closed in the end, however far it was read.

    An error of ours is told to it, for with several streams it may be another one's: what is out is then waited for.
    """
    try:
        yield stream
    except BridgeError as error:
        if isinstance(stream, AsyncGenerator):
            with suppress(BridgeError, StopAsyncIteration):
                await stream.athrow(error)
        raise
    finally:
        if isinstance(stream, AsyncGenerator):
            await stream.aclose()
