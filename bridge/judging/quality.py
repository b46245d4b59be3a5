"""The mean of what people would say of a whole set, from few of their answers and a judge's score of every record.

Prediction-powered inference with power tuning, PPI++ (Angelopoulos, Duchi and Zrnic, arXiv 2311.01453), for a mean.
Of ``M`` records all have a score ``F``, and ``n`` also a person's answer ``Y``. A record that came to people with the
probability ``p`` stands for ``1/p`` records: ``w`` is that, divided by the sum of it over all ``n`` (Hájek's form of
the estimator of Horvitz and Thompson, Journal of the American Statistical Association 47, 1952). Then::

    estimate = sum(w Y) + k (mean of all F - sum(w F))

is right on the whole for every ``k``, however wrong the judge is, because both means of ``F`` estimate the same. Each
record adds to its error, to first order, ``a - k b``, with ``a = w (Y - sum(w Y))`` and ``b = w (F - sum(w F)) - (F -
mean of all F) / M``; ``w`` is 0 for a record without an answer. So the variance is the sum of ``(a - k b)^2``, least at
``k = sum(a b) / sum(b^2)``, and ``k`` is that, within 0 and 1. Where all records had the same chance, ``k`` is
``cov(Y, F) / var(F)``, and the estimate that of the paper, whose lambda is ``k / (1 + n/N)`` with ``N = M - n``.

What is added to the paper, for few answers:

- the sum over the ``n`` is multiplied by ``n / (n - 2)``, and the interval is one of Student's t with ``n - 2``
  degrees of freedom. Where chances differed, the first ``n`` is as many answers as these are worth, ``1 / sum(w^2)``
  (Kish, Survey Sampling, 1965), and it is this number that must be 20. The second is ``sum(w^2)^2 / sum(w^4)``: the
  variance is known as badly as if it came from so many squares (after Satterthwaite, Biometrics Bulletin 2, 1946);
- a judge who is seldom wrong was wrong on few of the ``n``, or on none, and would pass for one who never is. With ``r
  = a - k b``, as many records make up the variance as ``sum(r^2)^2 / sum(r^4)`` says, one of which the judge knows
  nothing among them. Where these are fewer than five, the variance is at least that of the wanting ones, if the judge
  knew nothing of these either;
- where errors go to one side, a sample with few of them is too near to the judge, and looks too certain. So to that
  side the interval reaches further, by half of what Johnson's t would move it (Journal of the American Statistical
  Association 73, 1978), which is ``(1 + 2 t^2) / 6 * sum(r^3) / sum(r^2)``. It is not drawn in on the other side,
  because two or three errors to one side do not show that there are none to the other;
- what people alone say is always calculated too, and stands where the judge does not make the interval narrower.

Simulations have chosen the five and the half (benchmarks/judging.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import isfinite, sqrt
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from bridge.errors import UsageError
from bridge.judging.student import reach
from bridge.merging.intervals import exact, wilson

Floats = npt.NDArray[np.float64]

LEAST = 20
"""Fewer answers than this say nothing: below, t intervals do not hold what they promise."""

_KINDS = 5  # so many answers of either kind, where they are yes and no
_ENOUGH = 5.0  # so many records with an error show how large errors are


@dataclass(frozen=True, slots=True)
class Estimate:
    """The mean of people's answers over a whole set.

    Args:
        value: the mean; None where there are too few answers.
        low, high: its interval (95 %).
        method: ``ppi`` where the judge's scores helped, else ``people``.
        reason: why there is no value, or why the scores did not help; empty where they did.
        answers: records that people answered; ``effective`` is what they are worth, if all chances had been the same.
        records: all of the set.
        weight: how much the scores count, 0 to 1.
        people: mean and interval from people's answers alone.
    """

    value: float | None
    low: float | None
    high: float | None
    method: Literal["ppi", "people"]
    reason: str
    answers: int
    effective: float
    records: int
    weight: float = 0.0
    people: tuple[float, float, float] | None = None

    def to_dict(self) -> dict[str, Any]:
        """The figures as ``--json`` prints them."""
        return asdict(self)


def estimate(
    answers: Sequence[float] | Floats,
    of: Sequence[int] | npt.NDArray[np.int64],
    scores: Sequence[float] | Floats,
    *,
    probabilities: Sequence[float] | Floats | None = None,
    scale: tuple[float, float] = (0.0, 1.0),
) -> Estimate:
    """The mean that people's answers to all records would have.

    A score that could not be read is taken for the mean of the others: a guess like any score, and the estimate is
    right whatever the scores are.

    Args:
        answers: one for each record that people answered.
        of: which records these are, each once: positions in ``scores``.
        scores: the judge's, one for each record of the set, NaN where it could not be read.
        probabilities: with which chance each of the answered records came to people, above 0, at most 1; by default
            all had the same.
        scale: the least and the greatest possible answer.

    Raises:
        UsageError: sizes that do not fit, a record answered twice, a chance that is none, or a number off the scale.

    >>> scores = [1.0, 2.0, 3.0, 4.0, 5.0] * 40
    >>> answers = [score + (0.5 if n % 2 else -0.5) for n, score in enumerate(scores[:50])]
    >>> found = estimate(answers, range(50), scores, scale=(0, 6))
    >>> found.method, f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})"
    ('ppi', '3.00 (2.75 to 3.25)')
    >>> "{:.2f} ({:.2f} to {:.2f})".format(*found.people)
    '3.00 (2.57 to 3.43)'
    >>> estimate(answers[:19], range(19), scores, scale=(0, 6)).reason
    '19 records with an answer: an estimate needs 20'
    """
    given, places, judged, chances = _checked(answers, of, scores, probabilities, scale)
    n, size = len(given), len(judged)
    weights: Floats = (1 / chances) / (1 / chances).sum()
    effective = _worth(weights) if n else 0.0
    alone = (n, effective, size)
    if effective < LEAST:
        worth = f", whose unequal chances make them worth {effective:.1f}" if n >= LEAST else ""
        few = f"{n} records with an answer{worth}: an estimate needs {LEAST}"
        return Estimate(None, None, None, "people", few, *alone)
    people = _people(given, weights, scale)

    if given.min() == given.max():
        return Estimate(*people, "people", "all answers are the same", *alone, people=people)
    readable = ~np.isnan(judged)
    if not readable.any():
        return Estimate(*people, "people", "no score could be read", *alone, people=people)
    judged = np.where(readable, judged, judged[readable].mean())
    if _yes_or_no(given, scale) and min(given.sum(), n - given.sum()) < _KINDS:
        few = f"fewer than {_KINDS} answers of one kind"
        return Estimate(*people, "people", few, *alone, people=people)
    value, low, high, k = _powered(given, weights, judged, places)
    low, high = max(scale[0], low), min(scale[1], high)
    if k == 0 or not high - low < people[2] - people[1]:
        weak = "the scores say too little of what people answer"
        return Estimate(*people, "people", weak, *alone, people=people)
    return Estimate(min(max(value, low), high), low, high, "ppi", "", *alone, weight=k, people=people)


def _powered(
    given: Floats, weights: Floats, judged: Floats, places: npt.NDArray[np.int64]
) -> tuple[float, float, float, float]:
    """Estimate, the ends of its interval, and the weight of the scores (see the head of this module)."""
    n, size = _worth(weights), len(judged)
    from_mean: Floats = (judged - judged.mean()) / size
    a = _centred(given, weights)
    b: Floats = _centred(judged[places], weights) - from_mean[places]
    others = float((from_mean**2).sum() - (from_mean[places] ** 2).sum())
    squares = float(b @ b) + others
    # Scores that are all the same, up to rounding, say nothing.
    k = min(max(float(a @ b) / squares, 0.0), 1.0) if squares > 1e-24 * float((judged**2).sum() + 1) else 0.0
    value = float(weights @ given) + k * (float(judged.mean()) - float(weights @ judged[places]))
    if k == 0:
        return value, value, value, k
    rest: Floats = a - k * b
    summed, unknown = float(rest @ rest), float(a @ a) / n
    seen = (summed + unknown) ** 2 / (float((rest**4).sum()) + unknown**2)
    summed = max(summed, (_ENOUGH - seen) * unknown)
    t = reach(_freedom(weights, 2))
    half = t * sqrt(summed * n / (n - 2) + k**2 * others)
    further = (1 + 2 * t * t) / 12 * float((rest**3).sum()) / summed
    return value, value - half + min(further, 0.0), value + half + max(further, 0.0), k


def _people(given: Floats, weights: Floats, scale: tuple[float, float]) -> tuple[float, float, float]:
    """Mean and interval from people's answers alone: Wilson's for yes and no, else Student's t."""
    n = _worth(weights)
    mean = min(max(float(weights @ given), float(given.min())), float(given.max()))  # rounding may take it past these
    parts = _centred(given, weights)
    variance = float((parts**2 / (1 - weights)).sum())
    t = reach(_freedom(weights, 1))
    if _yes_or_no(given, scale):
        if variance > 1e-15 and n < len(given):
            # As many independent answers as would vary so much, fewer where the variance is known badly (Korn and
            # Graubard, Survey Methodology 24, 1998).
            n = min(float(len(given)), mean * (1 - mean) / variance * (reach(1e6) / t) ** 2)
        low, high = wilson(mean * n, n)
        return mean, low, high
    low_end, high_end = scale
    if given.min() == given.max():
        # All said the same, so that at most this share of the others would not.
        other = exact(0, int(n))[1]
        return mean, mean - other * (mean - low_end), mean + other * (high_end - mean)
    half = t * sqrt(variance)
    return mean, max(low_end, mean - half), min(high_end, mean + half)


def _yes_or_no(given: Floats, scale: tuple[float, float]) -> bool:
    """Whether answers are yes and no, and not ratings that happen to be 0 and 1."""
    return scale == (0, 1) and set(given.tolist()) <= {0.0, 1.0}


def _worth(weights: Floats) -> float:
    """As many answers of equal weight as these are worth."""
    return len(weights) if np.ptp(weights) <= 1e-12 * weights.max() else float(1 / (weights**2).sum())


def _centred(values: Floats, weights: Floats) -> Floats:
    result: Floats = weights * (values - weights @ values)
    return result


def _freedom(weights: Floats, less: int) -> float:
    """Degrees of freedom of a variance that is a sum over records of such weights; of equal ones ``n - less``."""
    squares: Floats = weights**2
    return max(float(squares.sum() ** 2 / (squares @ squares)) - less, 2.0)


def _checked(
    answers: Sequence[float] | Floats,
    of: Sequence[int] | npt.NDArray[np.int64],
    scores: Sequence[float] | Floats,
    probabilities: Sequence[float] | Floats | None,
    scale: tuple[float, float],
) -> tuple[Floats, npt.NDArray[np.int64], Floats, Floats]:
    given, judged = np.asarray(answers, np.float64), np.asarray(scores, np.float64)
    places = np.asarray(of, np.int64)
    chances: Floats = np.ones(len(given)) if probabilities is None else np.asarray(probabilities, np.float64)
    if not len(given) == len(places) == len(chances):
        raise UsageError("answers, records and chances: not as many of each", remedy="give one of each per answer")
    if len(set(places.tolist())) < len(places) or (len(places) and not 0 <= places.min() <= places.max() < len(judged)):
        raise UsageError("an answer to no record, or two to one", remedy="give each answered record's position once")
    if not ((chances > 0) & (chances <= 1)).all():
        raise UsageError("a chance that is not above 0 and at most 1", remedy="leave out what could not be chosen")
    if not all(isfinite(value) and scale[0] <= value <= scale[1] for value in given.tolist()):
        raise UsageError(f"an answer that is not from {scale[0]} to {scale[1]}", remedy="give the scale of the answers")
    if np.isinf(judged).any():
        raise UsageError("a score that is no number", remedy="write NaN for scores that could not be read")
    return given, places, judged, chances
