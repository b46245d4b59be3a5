"""Coefficients of agreement: Krippendorff's alpha, Fleiss' and Cohen's kappa, and intervals by resampling.

Answers come as counts: a matrix with a row for each unit (what is judged) and a column for each value, which says how
many people gave the unit that value. Missing answers are simply not counted. Nothing depends on the order of units.

Sources: K. Krippendorff, Computing Krippendorff's Alpha-Reliability (2011); J. L. Fleiss, Measuring nominal scale
agreement among many raters, Psychological Bulletin 76 (1971), for unequal numbers of answers after K. L. Gwet, Handbook
of Inter-Rater Reliability (4th edition, 2014); J. Cohen, Educational and Psychological Measurement 20 (1960), weighted
in Psychological Bulletin 70 (1968). Resampling units, with the interval between percentiles, is what A. Zapf et al.
found to hold (BMC Medical Research Methodology 16:93, 2016).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from bridge.errors import UsageError

Level: TypeAlias = Literal["nominal", "ordinal", "interval", "ratio"]
Counts: TypeAlias = "npt.NDArray[np.int64]"
Floats: TypeAlias = "npt.NDArray[np.float64]"
Ends: TypeAlias = tuple[float, float]
Statistic: TypeAlias = Callable[[Floats, Floats], Floats]
"""How often each row was drawn (samples x rows) and the rows (rows x parts), to one figure or several of each sample
(samples x figures), NaN where undefined."""

DRAWS = 1000
"""Samples for an interval. Where tens of thousands of units all differ, a fifth of them do: there it is narrow."""

_CELLS = 4_000_000  # of a matrix of weights at a time


@dataclass(frozen=True, slots=True)
class Coefficient:
    """One figure of agreement.

    Args:
        value: the figure; None where it is not defined.
        low, high: its interval (95 %); None where there is none.
        reason: why there is no value; empty where there is one.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The figure as it stands in a report; ``reason`` only where there is no value."""
        line: dict[str, Any] = {"value": self.value, "low": self.low, "high": self.high}
        return {**line, "reason": self.reason} if self.reason else line


def alpha(counts: npt.ArrayLike, level: Level = "nominal", values: Sequence[float] | None = None) -> float | None:
    """Krippendorff's alpha: 1 where people always agree, 0 where they do as often as chance would have it.

    Args:
        counts: units x values; units with fewer than two answers do not count.
        level: how far apart two values are: ``nominal`` (different is different), ``ordinal`` (by how many answers lie
            between them), ``interval`` (their difference), ``ratio`` (their difference as a share of their sum).
        values: the number that each column stands for; by default 0, 1, 2... Nominal and ordinal do not use them.

    Returns:
        None where it is not defined: no unit has two answers, or all answers are the same.

    Raises:
        UsageError: a ratio is asked for of values below 0.

    >>> alpha([[3, 0], [0, 3], [3, 0], [1, 2]])
    0.6857142857142857
    >>> alpha([[3, 0], [3, 0]]) is None
    True
    """
    parts, statistic = alpha_parts(counts, level, values)
    return total(parts, statistic)[0]


def alpha_parts(
    counts: npt.ArrayLike, level: Level = "nominal", values: Sequence[float] | None = None
) -> tuple[Floats, Statistic]:
    """What each unit adds to alpha, for resampling, and the statistic that makes alpha of it.

    Returns:
        Units x parts, all 0 for units with fewer than two answers, and the statistic. But for the ordinal level, parts
        of several units (those of a record, say) can be added up. At the nominal level they are: the ordered pairs that
        differ, each divided by the unit's answers less one; then the answers by value.
    """
    table = np.asarray(counts, dtype=np.int64)
    width = table.shape[1] if table.ndim == 2 else 0
    table = table.reshape(len(table), width)
    answers = table.sum(axis=1)
    table = np.where(answers[:, None] >= 2, table, 0)
    answers = table.sum(axis=1)
    pairs = np.maximum(answers - 1, 1)
    if level == "ordinal":
        return table.astype(np.float64), _ordinal
    if level == "nominal":
        return np.column_stack([(answers**2 - (table**2).sum(axis=1)) / pairs, table]), of_sums(_nominal)
    numbers: Floats = np.asarray(range(width) if values is None else values, dtype=np.float64)
    if level == "ratio":
        if width and numbers.min() < 0:
            raise UsageError("a ratio of values below 0 has no meaning", remedy="use the interval level")
        sums = numbers[:, None] + numbers[None, :]
        apart = ((numbers[:, None] - numbers[None, :]) / np.where(sums == 0, 1, sums)) ** 2
        return np.column_stack([((table @ apart) * table).sum(axis=1) / pairs, table]), of_sums(_metric(apart))
    if width:
        numbers = numbers - np.round(numbers.mean())  # keeps differences of large numbers exact
    added, squared = table @ numbers, table @ numbers**2
    return np.column_stack([2 * (answers * squared - added**2) / pairs, answers, added, squared]), of_sums(_interval)


def of_sums(statistic: Callable[[Floats], Floats]) -> Statistic:
    """A statistic of nothing but the sums of the parts (samples x parts)."""
    return lambda weights, rows: statistic(weights @ rows)


def _one_minus(observed: Floats, expected: Floats, n: Floats, defined: npt.NDArray[np.bool_]) -> Floats:
    """Alpha from the sums of squared distances within units, and between all answers (both over ordered pairs)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found = 1 - (n - 1) * observed / expected
    return np.where(defined, found, np.nan)[:, None]


def _several(margins: Floats) -> npt.NDArray[np.bool_]:
    several: npt.NDArray[np.bool_] = (margins > 0).sum(axis=1) > 1
    return several


def _nominal(sums: Floats) -> Floats:
    margins = sums[:, 1:]
    n = margins.sum(axis=1)
    return _one_minus(sums[:, 0], n**2 - (margins**2).sum(axis=1), n, _several(margins))


def _interval(sums: Floats) -> Floats:
    observed, n, added, squared = sums.T
    expected = 2 * (n * squared - added**2)
    return _one_minus(observed, expected, n, expected > 1e-9 * n * squared)


def _metric(apart: Floats) -> Callable[[Floats], Floats]:
    def statistic(sums: Floats) -> Floats:
        margins = sums[:, 1:]
        return _one_minus(sums[:, 0], ((margins @ apart) * margins).sum(axis=1), margins.sum(axis=1), _several(margins))

    return statistic


def _ordinal(weights: Floats, table: Floats) -> Floats:
    """The distance of two values is that of their middle ranks among all answers, which each sample has anew."""
    margins = weights @ table
    n = margins.sum(axis=1)
    ranks = np.cumsum(margins, axis=1) - margins / 2 - n[:, None] / 2
    added, squared = ranks @ table.T, ranks**2 @ table.T
    within = (weights * (added**2 - squared) / np.maximum(table.sum(axis=1) - 1, 1)).sum(axis=1)
    squares = (margins * ranks**2).sum(axis=1)
    expected = 2 * (n * squares - (margins * ranks).sum(axis=1) ** 2)
    return _one_minus(2 * (squares - within), expected, n, _several(margins))


def _mean(sums: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(sums[:, 1] > 0, sums[:, 0] / sums[:, 1], np.nan)[:, None]


ratio: Statistic = of_sums(_mean)
"""The statistic of a mean: parts are ``(sum, number)``."""


def total(parts: Floats, statistic: Statistic) -> list[float | None]:
    """A statistic of all parts together: its figures, None where they are not defined."""
    rows, repeats = _alike(parts)
    return [None if np.isnan(x) else float(x) for x in statistic(repeats[None, :].astype(np.float64), rows)[0]]


def resampled(
    parts: Floats, statistic: Statistic, *, seed: int = 0, draws: int | None = None, level: float = 0.95
) -> list[Ends | None]:
    """Intervals for the figures of a statistic: between percentiles of samples of as many units, with replacement.

    Units that add the same are drawn together, so that 100,000 units with few patterns of answers take no longer than
    a few hundred.

    Args:
        parts: what each unit (or each record, where one has several units) adds (units x parts).
        statistic: from parts and how often each was drawn to figures.
        seed: of the samples.
        draws: how many samples; by default :data:`DRAWS`.
        level: of the intervals.

    Returns:
        For each figure its ends, or None where it is undefined in most samples, or there are fewer than two units.

    >>> counts = [[3, 0]] * 20 + [[0, 3]] * 20 + [[1, 2]] * 10
    >>> [(round(low, 1), round(high, 1)) for low, high in resampled(*alpha_parts(counts))]
    [(0.6, 0.9)]
    """
    # Units that add nothing, for want of a second answer, are not drawn.
    rows, repeats = _alike(parts[np.any(parts != 0, axis=1)])
    if repeats.sum() < 2:
        return [None] * len(total(parts, statistic))
    draws = draws or (DRAWS if len(repeats) < 20_000 else DRAWS // 5)
    found = np.concatenate([statistic(weights, rows) for weights in _samples(repeats, seed, draws)])
    ends: list[Ends | None] = []
    for figures in found.T:
        defined = figures[~np.isnan(figures)]
        if len(defined) * 2 <= draws:
            ends.append(None)
        else:
            low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
            ends.append((float(low), float(high)))
    return ends


def _alike(parts: Floats) -> tuple[Floats, Counts]:
    """Different rows, in an order that does not depend on theirs, and how often each is there."""
    table = np.ascontiguousarray(parts, dtype=np.float64) + 0.0  # no -0.0, which is other bytes
    if not table.size:
        return table, np.ones(len(table), dtype=np.int64)
    raw = table.view(np.dtype((np.void, table.itemsize * table.shape[1]))).ravel()
    _, first, repeats = np.unique(raw, return_index=True, return_counts=True)
    return table[first], repeats.astype(np.int64)


def _samples(repeats: Counts, seed: int, draws: int) -> Iterator[Floats]:
    """How often each row is drawn (samples x rows), some samples at a time."""
    rng = np.random.default_rng(seed)
    units, kinds = int(repeats.sum()), len(repeats)
    at_once = max(1, _CELLS // units)
    which = np.repeat(np.arange(kinds), repeats)
    for start in range(0, draws, at_once):
        size = min(at_once, draws - start)
        if kinds * 8 < units:
            yield rng.multinomial(units, repeats / units, size=size).astype(np.float64)
        else:  # a multinomial of as many kinds as units draws a binomial for each
            drawn = which[rng.integers(units, size=(size, units))] + kinds * np.arange(size)[:, None]
            yield np.bincount(drawn.ravel(), minlength=size * kinds).reshape(size, kinds).astype(np.float64)


def percent_agreement(counts: npt.ArrayLike) -> float | None:
    """The share of pairs of answers to the same unit that are equal, as the mean over units with two answers or more.

    >>> percent_agreement([[3, 0], [2, 1]])
    0.6666666666666666
    """
    return total(agreement_parts(counts), ratio)[0]


def agreement_parts(counts: npt.ArrayLike) -> Floats:
    """What each unit adds to :func:`percent_agreement`, for :func:`ratio`."""
    table = np.asarray(counts, dtype=np.int64)
    answers = table.sum(axis=1)
    equal = (table * (table - 1)).sum(axis=1) / np.maximum(answers * (answers - 1), 1)
    return np.column_stack([np.where(answers >= 2, equal, 0.0), answers >= 2]).astype(np.float64)


def fleiss(counts: npt.ArrayLike) -> float | None:
    """Fleiss' kappa; units may have different numbers of answers, and those with fewer than two do not count.

    Each unit weighs the same, in the agreement that is observed and in the shares of values that chance is
    calculated from.

    Returns:
        None where it is not defined: no unit has two answers, or all answers are the same.

    >>> round(fleiss([[3, 0], [0, 3], [3, 0], [1, 2]]), 4)
    0.6571
    """
    table = np.asarray(counts, dtype=np.int64)
    table = table[table.sum(axis=1) >= 2]
    if (table.sum(axis=0) > 0).sum() < 2:
        return None
    rows, repeats = _alike(np.column_stack([agreement_parts(table)[:, 0], table / table.sum(axis=1, keepdims=True)]))
    means = repeats @ rows / repeats.sum()
    return float((means[0] - (means[1:] ** 2).sum()) / (1 - (means[1:] ** 2).sum()))


def cohen(table: npt.ArrayLike, *, weighted: bool = False) -> float | None:
    """Cohen's kappa of two people.

    Args:
        table: values x values: how often the first person gave the one, and the second the other.
        weighted: count a disagreement by the square of its distance, for ratings.

    Returns:
        None where it is not defined: they answered nothing in common, or both always gave the same one value.

    >>> round(cohen([[20, 5], [10, 15]]), 2)
    0.4
    """
    pairs = np.asarray(table, dtype=np.float64)
    n = pairs.sum()
    width = len(pairs)
    places = np.arange(width)
    apart = (places[:, None] - places[None, :]) ** 2 if weighted else 1 - np.eye(width)
    by_chance = (pairs.sum(axis=1)[:, None] * pairs.sum(axis=0)[None, :] * apart).sum()
    return float(1 - n * (pairs * apart).sum() / by_chance) if by_chance else None
