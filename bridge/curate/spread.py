"""How numbers are spread: mean, deviation, percentiles, and a histogram whose bins suit what is counted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import fsum, sqrt

PERCENTILES = (5, 25, 50, 75, 95)
_BINS = 24


@dataclass(frozen=True, slots=True)
class Spread:
    """How numbers are spread.

    Args:
        count: how many there are.
        mean: their mean.
        deviation: the population's standard deviation.
        low: the lowest.
        high: the highest.
        percentiles: 5, 25, 50, 75 and 95, with linear interpolation between neighbours.
        edges: edges of bins; a bin holds its lower edge, and the last one also the upper.
        bins: how many are in each bin.
    """

    count: int = 0
    mean: float = 0.0
    deviation: float = 0.0
    low: float = 0.0
    high: float = 0.0
    percentiles: dict[str, float] = field(default_factory=dict)
    edges: list[float] = field(default_factory=list)
    bins: list[int] = field(default_factory=list)


def spread(values: Iterable[float], *, logarithmic: bool = False, bounds: tuple[float, float] | None = None) -> Spread:
    """How some numbers are spread; of none, everything is 0.

    Args:
        values: the numbers.
        logarithmic: let bins grow with what they hold, as suits lengths.
        bounds: where the bins begin and end; by default at the lowest and highest number.

    >>> found = spread([1, 2, 3, 4])
    >>> found.mean, round(found.deviation, 3), found.percentiles["50"]
    (2.5, 1.118, 2.5)
    """
    ordered = sorted(values)
    if not ordered:
        return Spread()
    count = len(ordered)
    mean = fsum(ordered) / count
    deviation = sqrt(fsum((value - mean) ** 2 for value in ordered) / count)
    low, high = bounds or (ordered[0], ordered[-1])
    edges = _growing(high) if logarithmic else _even(low, high, ordered)
    return Spread(
        count,
        round(mean, 6),
        round(deviation, 6),
        ordered[0],
        ordered[-1],
        {str(percent): _percentile(ordered, percent) for percent in PERCENTILES},
        edges,
        _histogram(ordered, edges),
    )


def _percentile(ordered: Sequence[float], percent: int) -> float:
    place = (len(ordered) - 1) * percent / 100
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return round(ordered[below] + (ordered[above] - ordered[below]) * (place - below), 6)


def _growing(high: float) -> list[float]:
    """Whole edges 0, 1, 2, ... that grow by a constant factor as soon as they can."""
    edges, factor = [0, 1], max(2.0, high) ** (1 / _BINS)
    while edges[-1] <= high:
        edges.append(max(edges[-1] + 1, round(edges[-1] * factor)))
    return [float(edge) for edge in edges]


def _even(low: float, high: float, ordered: Sequence[float]) -> list[float]:
    distinct = sorted(set(ordered))
    if len(distinct) <= _BINS and all(float(value).is_integer() for value in distinct) and high - low < _BINS:
        return [value - 0.5 for value in range(int(low), int(high) + 2)]  # grades: a bin for each
    if low == high:
        return [low - 0.5, high + 0.5]
    return [low + (high - low) * i / _BINS for i in range(_BINS + 1)]


def _histogram(ordered: Sequence[float], edges: Sequence[float]) -> list[int]:
    bins, place = [0] * (len(edges) - 1), 0
    for value in ordered:
        while place < len(bins) - 1 and value >= edges[place + 1]:
            place += 1
        bins[place] += 1
    return bins
