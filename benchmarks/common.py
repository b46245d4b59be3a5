"""What the benchmarks of both servers share: the records, and the turns."""

from __future__ import annotations

import random
import statistics
import sys
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from bridge.records import Record, Suggestion
from bridge.templates import load_template

TEMPLATE = load_template("review")
WORDS = ("the", "model", "answers", "with", "care", "names", "its", "sources", "but", "leaves", "out", "nothing")


class Spent(NamedTuple):
    """Seconds on the clock, and of the client's own processor."""

    wall: float
    processor: float


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
            wall, processor = times[name][-1]
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

    def __init__(self, side: Callable[[Turn], None]) -> None:
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
        started, spent, elsewhere = time.perf_counter(), time.process_time(), self.processor
        self._go.set()
        self._hear()
        return Spent(time.perf_counter() - started, time.process_time() - spent + self.processor - elsewhere)


def part_by_part(rounds: int, sides: dict[str, Callable[[Turn], None]]) -> dict[str, Spent]:
    """Sums over all parts of all rounds; the sides take turns after every :data:`PART` records, in changing order.

    A machine that is slow for minutes at a time is slow for all of them.
    """
    rng = random.Random(7)
    total = dict.fromkeys(sides, Spent(0.0, 0.0))
    for number in range(rounds):
        turns = {name: Turn(side) for name, side in sides.items()}
        taken = dict.fromkeys(sides, Spent(0.0, 0.0))
        while left := [name for name, turn in turns.items() if not turn.over]:
            for name in rng.sample(left, len(left)):
                wall, processor = turns[name].take()
                taken[name] = Spent(taken[name].wall + wall, taken[name].processor + processor)
        for name, (wall, processor) in taken.items():
            print(f"  round {number + 1}  {name:22} {wall:7.2f} s, processor {processor:.2f} s", file=sys.stderr)
            total[name] = Spent(total[name].wall + wall, total[name].processor + processor)
    return total
