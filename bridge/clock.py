"""The time, as everything that waits reads it; tests give one of their own and wait for nothing."""

from __future__ import annotations

import time


class Clock:
    """The machine's clock.

    >>> clock = Clock()
    >>> clock.monotonic() <= clock.monotonic()
    True
    """

    def time(self) -> float:
        """Seconds since 1970, by this machine: for people, and for what other processes read."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds since some moment: for durations, whatever happens to the date."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    async def pause(self, seconds: float) -> None:
        """Wait, and let other tasks work meanwhile."""
        import asyncio

        await asyncio.sleep(seconds)


class TestClock(Clock):
    """A clock that only moves when somebody waits, or says so.

    >>> clock = TestClock(1000.0)
    >>> clock.sleep(2.5)
    >>> clock.time(), clock.slept
    (1002.5, [2.5])
    """

    __test__ = False  # the name is no invitation to pytest

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = now
        self.slept: list[float] = []

    def time(self) -> float:
        """Seconds since 1970, as it was told."""
        return self.now

    def monotonic(self) -> float:
        """The same."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Move on, and note by how much."""
        self.slept.append(seconds)
        self.now += seconds

    async def pause(self, seconds: float) -> None:
        """The same, after everybody else had a turn."""
        import asyncio

        await asyncio.sleep(0)
        self.sleep(seconds)


SYSTEM = Clock()
