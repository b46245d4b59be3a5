"""What the benchmarks of both servers share: the records, and the turns."""

from __future__ import annotations

import random
import statistics
import sys
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
