"""What the benchmarks of both servers share: the records, and the turns."""

from __future__ import annotations

import os
import random
import statistics
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from bridge.records import Record, Suggestion
from bridge.templates import load_template

TEMPLATE = load_template("review")
WORDS = ("the", "model", "answers", "with", "care", "names", "its", "sources", "but", "leaves", "out", "nothing")


class Spent(NamedTuple):
    """Seconds on the clock, of the client's own processor, and of those of all processes of the server."""

    wall: float
    processor: float
    server: float = 0.0


def records(count: int) -> list[Record]:
    """Records of about 1.5 kB, with a rating, a label and a pre-filled rewrite."""
    rng = random.Random(7)

    def text(words: int) -> str:
        return " ".join(rng.choice(WORDS) for _ in range(words))

    return [
        Record(
            fields={"prompt": f"{number}. {text(40)}", "response": text(90)},
            suggestions=[Suggestion("rating", rng.randint(1, 5), 0.7, "judge"), Suggestion("label", "correct", 0.9)],
        )
        for number in range(count)
    ]


def in_turn(rounds: int, sides: dict[str, Callable[[], Spent]]) -> dict[str, Spent]:
    """Medians of all sides, which run several times, in a new order each time, so that a busy minute hits them alike.

    In a fixed order the server's own garbage collection tends to fall on the same side again and again.
    """
    rng = random.Random(7)
    times: dict[str, list[Spent]] = {name: [] for name in sides}
    for number in range(rounds):
        for name in rng.sample(list(sides), len(sides)):
            times[name].append(sides[name]())
            wall, processor, _ = times[name][-1]
            print(f"  round {number + 1}  {name:22} {wall:7.2f} s, processor {processor:.2f} s", file=sys.stderr)
    return {
        name: Spent(statistics.median(s.wall for s in taken), statistics.median(s.processor for s in taken))
        for name, taken in times.items()
    }


PART = 500
"""So many records a side writes before it is another one's turn."""


class Turn:
    """What a side calls while it works: it goes on when it is its turn again.

    A side is a function that prepares itself, says that it is ``ready``, and then says what it ``wrote``.
    """

    def __init__(self, side: Callable[[Turn], None], server: Callable[[], float]) -> None:
        self._server = server
        self.processor = 0.0
        """Processor seconds that a side spent in another process; it adds them itself."""
        self.over = False
        self._go, self._back, self._written = threading.Event(), threading.Event(), 0
        self._failed: list[Exception] = []
        threading.Thread(target=self._work, args=(side,), daemon=True).start()
        self._hear()

    def _work(self, side: Callable[[Turn], None]) -> None:
        try:
            side(self)
        except Exception as error:  # noqa: BLE001 - it is raised where the turns are given
            self._failed.append(error)
        self.over = True
        self._back.set()

    def _hear(self) -> None:
        self._back.wait()
        self._back.clear()
        if self._failed:
            raise self._failed[0]

    def ready(self) -> None:
        """Say that everything is prepared: what comes now counts."""
        self._back.set()
        self._go.wait()
        self._go.clear()

    def wrote(self, records: int) -> None:
        """Say that records were written; after a part of them, others have their turn."""
        before, self._written = self._written, self._written + records
        if before // PART != self._written // PART:
            self.ready()

    def take(self) -> Spent:
        """Let it work for a part, and say what that took."""
        started, spent, elsewhere, served = time.perf_counter(), time.process_time(), self.processor, self._server()
        self._go.set()
        self._hear()
        processor = time.process_time() - spent + self.processor - elsewhere
        return Spent(time.perf_counter() - started, processor, self._server() - served)


def part_by_part(
    rounds: int, sides: dict[str, Callable[[Turn], None]], server: Callable[[], float] = lambda: 0.0
) -> dict[str, list[Spent]]:
    """What each part of all rounds took; the sides take turns after every :data:`PART` records, in changing order.

    ``server`` tells the processor seconds of the server so far.

    A machine that is slow for minutes at a time is slow for all of them.
    """
    rng = random.Random(7)
    parts: dict[str, list[Spent]] = {name: [] for name in sides}
    for number in range(rounds):
        turns = {name: Turn(side, server) for name, side in sides.items()}
        done = {name: len(taken) for name, taken in parts.items()}
        while left := [name for name, turn in turns.items() if not turn.over]:
            for name in rng.sample(left, len(left)):
                parts[name].append(turns[name].take())
        for name, taken in parts.items():
            spent = total(taken[done[name] :])
            times = f"{spent.wall:7.2f} s, processor {spent.processor:.2f} s, the server's {spent.server:.2f} s"
            print(f"  round {number + 1}  {name:22} {times}", file=sys.stderr)
    return parts


def processors(pids: Sequence[int]) -> float:
    """Processor seconds so far of the process groups that these processes lead (Linux only)."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[2]) in pids:
                ticks += sum(map(int, fields[11:15]))  # its own, and of its children that ended
    return ticks / os.sysconf("SC_CLK_TCK")


def total(parts: Sequence[Spent]) -> Spent:
    """The sums of each."""
    return Spent(*map(sum, zip(*parts, strict=True)))


def ratio(one: Sequence[Spent], other: Sequence[Spent], seconds: Callable[[Spent], float] = lambda s: s.wall) -> str:
    """The ratio of two sums of seconds, and between what 95 of 100 ratios lie if parts are drawn again (a bootstrap).

    Parts of the same place are drawn together, because they ran one after the other.
    """
    rng = random.Random(7)
    pairs = list(zip(one, other, strict=False))  # a side may have a short part at the end
    drawn = sorted(
        sum(seconds(a) for a, _ in again) / sum(seconds(b) for _, b in again)
        for again in (rng.choices(pairs, k=len(pairs)) for _ in range(2000))
    )
    return f"{seconds(total(one)) / seconds(total(other)):.3f} (95 %: {drawn[50]:.3f} to {drawn[1949]:.3f})"
