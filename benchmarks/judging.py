"""How often the interval for the quality of a set holds it, and how wide it is against people's answers alone.

    python benchmarks/judging.py [--json] [--runs 1000] [--records 2000] [--answers 20,30,50,100,200]

Judges of known quality score sets of records; some records have a person's answer too. Each run draws a set anew, and
:func:`bridge.judging.quality.estimate` says between what ends the mean of people's answers lies. Coverage is the share
of runs in which the true mean does; 95 % is promised. Width is the mean width, divided by that from people's answers
alone (Student's t; Wilson's interval for yes and no).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from math import sqrt
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt

from bridge.judging.quality import Estimate, estimate

Floats = npt.NDArray[np.float64]
Set = tuple[Floats, Floats]
Draw = Callable[[np.random.Generator, int], Set]
"""People's answers and the judge's scores of so many records."""


def _rated(values: Floats) -> Floats:
    result: Floats = np.clip(np.round(values), 1, 5)
    return result


def rating(correlation: float, bias: float = 0.0, mean: float = 3.3, *, fine: bool = False) -> Draw:
    """Ratings from 1 to 5; the judge's follow people's, with a bias; fine ones are not rounded to whole steps."""

    def draw(rng: np.random.Generator, size: int) -> Set:
        people = rng.normal(size=size)
        judge = correlation * people + sqrt(1 - correlation**2) * rng.normal(size=size)
        scores = mean + bias + judge
        return _rated(mean + people), np.clip(scores, 1, 5) if fine else _rated(scores)

    return draw


def slips(share: float, *by: float) -> Draw:
    """Ratings from 1 to 5; the judge says what people say, but for a share, where it is off, by one of these."""

    def draw(rng: np.random.Generator, size: int) -> Set:
        people = _rated(3.3 + rng.normal(size=size))
        return people, _rated(people + rng.choice(by, size) * (rng.random(size) < share))

    return draw


def yes_no(share: float, yes: float, no: float) -> Draw:
    """Yes (1) and no (0); the judge is right with a chance that may differ for both."""

    def draw(rng: np.random.Generator, size: int) -> Set:
        people = (rng.random(size) < share).astype(np.float64)
        right = rng.random(size) < np.where(people == 1, yes, no)
        return people, np.where(right, people, 1 - people)

    return draw


JUDGES: dict[str, tuple[Draw, tuple[float, float]]] = {
    "rating, r 0.27, 0.6 too high": (rating(0.3, 0.6), (1, 5)),
    "rating, r 0.5": (rating(0.55), (1, 5)),
    "rating, r 0.7, 1 too low": (rating(0.75, -1), (1, 5)),
    "rating, r 0.85, 0.3 too high": (rating(0.95, 0.3), (1, 5)),
    "rating, r 0.95, fine scores": (rating(0.99, fine=True), (1, 5)),
    "rating, no relation": (rating(0.0), (1, 5)),
    "rating, 10 % are 1 off": (slips(0.1, -1, 1), (1, 5)),
    "rating, 10 % are 1 too low": (slips(0.1, -1), (1, 5)),
    "rating, 5 % are 2 too low": (slips(0.05, -2), (1, 5)),
    "yes/no, 60 % right": (yes_no(0.6, 0.6, 0.6), (0, 1)),
    "yes/no, 85 % right": (yes_no(0.6, 0.85, 0.85), (0, 1)),
    "yes/no, 90 % right": (yes_no(0.5, 0.9, 0.9), (0, 1)),
    "yes/no, 95 % right": (yes_no(0.6, 0.95, 0.95), (0, 1)),
    "yes/no, a fifth of no is yes": (yes_no(0.6, 1.0, 0.8), (0, 1)),
}


def even(rng: np.random.Generator, scores: Floats, count: int) -> tuple[npt.NDArray[np.int64], Floats | None]:
    """All records had the same chance."""
    return rng.permutation(len(scores))[:count], None


def routed(rng: np.random.Generator, scores: Floats, count: int) -> tuple[npt.NDArray[np.int64], Floats | None]:
    """Half of the answers are to the records with the lowest scores, the others to an audit of all."""
    order = np.lexsort((rng.random(len(scores)), scores))
    chances = np.full(len(scores), count / 2 / len(scores))
    audit = rng.permutation(len(scores))[: count // 2]
    certain = order[: count - count // 2]
    chances[certain] = 1.0
    chosen = np.union1d(audit, certain)
    return chosen, chances[chosen]


def leaning(rng: np.random.Generator, scores: Floats, count: int) -> tuple[npt.NDArray[np.int64], Floats | None]:
    """Each record had a chance of its own, up to ten times as high where the score is low; drawn one by one."""
    ranks = np.argsort(np.argsort(scores + 1e-6 * rng.random(len(scores)))) / len(scores)
    chances = 10.0 ** (-ranks)
    chances = np.minimum(1.0, chances * count / chances.sum())
    chosen = np.flatnonzero(rng.random(len(scores)) < chances)
    return chosen, chances[chosen]


DESIGNS = {"even": even, "routed": routed, "leaning": leaning}


def true_mean(draw: Draw) -> float:
    """The mean of people's answers in sets without end, nearly."""
    rng = np.random.default_rng(1)
    return float(np.mean([draw(rng, 200_000)[0].mean() for _ in range(10)]))


def simulated(
    draw: Draw, scale: tuple[float, float], design: str, answers: int, records: int, runs: int, salt: str = ""
) -> dict[str, float]:
    """Coverage and width over many sets; ``salt`` makes them other ones."""
    truth = true_mean(draw)
    held = alone = judged = used = made = 0
    width = without = widest = 0.0
    for seed in range(runs):
        rng = np.random.default_rng([seed, answers, crc32(f"{design} {salt}".encode())])
        people, scores = draw(rng, records)
        chosen, chances = DESIGNS[design](rng, scores, answers)
        found = estimate(people[chosen], chosen, scores, probabilities=chances, scale=scale)
        if found.people is None:  # refused: too few answers, or worth too few
            continue
        made += 1
        low, high = _ends(found)
        held += low <= truth <= high
        alone += found.people[1] <= truth <= found.people[2]
        used += found.method == "ppi"
        # What a bare mean of scores would claim.
        half = 1.96 * float(scores.std()) / sqrt(records)
        judged += abs(float(scores.mean()) - truth) <= half
        width += high - low
        without += found.people[2] - found.people[1]
        widest = max(widest, (high - low) / (found.people[2] - found.people[1]))
    return {
        "coverage": held / made,
        "people": alone / made,
        "judge": judged / made,
        "width": width / without,
        "widest": widest,
        "used": used / made,
        "refused": 1 - made / runs,
    }


def _ends(found: Estimate) -> tuple[float, float]:
    assert found.low is not None
    assert found.high is not None
    return found.low, found.high


def main() -> None:
    """Run everything and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--records", type=int, default=2000)
    parser.add_argument("--answers", default="20,30,50,100,200")
    parser.add_argument("--design", choices=[*DESIGNS], action="append")
    options = parser.parse_args()
    result: dict[str, dict[str, Any]] = {}
    for design in options.design or DESIGNS:
        for count in map(int, options.answers.split(",")):
            if design != "even" and count < 50:
                continue  # with half of them for the audit, too few are left
            for name, (draw, scale) in JUDGES.items():
                found = simulated(draw, scale, design, count, options.records, options.runs, name)
                result[f"{design}, n={count}, {name}"] = found
                told = "  ".join(f"{key} {value:.3f}" for key, value in found.items())
                print(f"{design:8} n={count:<4} {name:32} {told}", file=sys.stderr, flush=True)
    print(json.dumps(result, indent=2) if options.json else f"{len(result)} settings")


if __name__ == "__main__":
    main()
