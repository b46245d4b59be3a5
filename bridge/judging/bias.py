"""What pulls a judge beside the quality of what it judges: the place of a response, and its length."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bridge.judging.cases import Case
from bridge.judging.judgement import Opinion
from bridge.merging import coefficients as of
from bridge.merging.coefficients import Coefficient
from bridge.merging.intervals import effective, wilson
from bridge.questions import LabelQuestion, Question
from bridge.records import Value

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many, with Wilson's interval (95 %)."""

    count: float
    n: float

    @property
    def value(self) -> float | None:
        """The share; None of nothing."""
        return self.count / self.n if self.n else None

    @property
    def interval(self) -> tuple[float, float]:
        """What it may be.

        >>> [round(end, 2) for end in Share(30, 60).interval]
        [0.38, 0.62]
        """
        return wilson(self.count, self.n)

    def to_dict(self) -> dict[str, Any]:
        """The figures as ``--json`` prints them."""
        low, high = self.interval
        return {"count": self.count, "n": self.n, "share": self.value, "low": low, "high": high}


def consistency(opinions: Iterable[Opinion]) -> Share:
    """In how many pairs a judge says the same in both orders, of those in which both could be read.

    >>> consistency([Opinion("m", "A"), Opinion("m", "tie", conflict=True)]).value
    0.5
    """
    heard = [one.conflict for one in opinions if one.value is not None]
    return Share(heard.count(False), len(heard))


def first_rate(opinions: Iterable[Opinion]) -> Share:
    """How often a judge prefers what stands first, of the readings that prefer one, in pairs of which both orders could
    be read: a half where the place does not matter, because each response stands first once."""
    heard = [[reading.picked for reading in one.readings] for one in opinions if one.value is not None]
    return Share(*effective((one.count("first"), one.count("first") + one.count("second")) for one in heard))


def longer(question: Question, answers: Iterable[tuple[Case, Sequence[Value]]]) -> Share:
    """How often the longer of two responses is preferred, of the answers that prefer one, where they differ in length.

    Args:
        question: a label whose options pick a response.
        answers: cases, each with what was answered to it: by the judge, or by people.
    """
    if not isinstance(question, LabelQuestion):
        return Share(0, 0)
    picks = {option.value: option.picks for option in question.options}
    clusters = []
    for case, given in answers:
        chosen = [field for value in given if (field := picks.get(str(value))) in case.lengths]
        if chosen and len(set(case.lengths.values())) > 1:
            longest = max(case.lengths, key=lambda name: case.lengths[name])
            clusters.append((chosen.count(longest), len(chosen)))
    return Share(*effective(clusters))


def with_length(pairs: Sequence[tuple[float, int]], seed: int = 0) -> Coefficient:
    """Spearman's correlation of scores with lengths, with a bootstrap interval over the ranks.

    >>> with_length([(1, 10), (2, 20), (3, 30), (4, 35)]).value
    1.0
    """
    if len(pairs) < 3:
        return Coefficient(reason="fewer than three scores")
    x, y = (ranks(np.array(column, np.float64)) for column in zip(*pairs, strict=True))
    if not x.std() or not y.std():
        return Coefficient(reason="all scores, or all lengths, are the same")
    x, y = (x - x.mean()) / x.std(), (y - y.mean()) / y.std()
    parts = np.column_stack([np.ones(len(x)), x, y, x * y, x * x, y * y])
    statistic = of.of_sums(_correlation)
    (value,) = of.total(parts, statistic)
    (ends,) = of.resampled(parts, statistic, seed=seed)
    low, high = ends or (None, None)
    return Coefficient(None if value is None else round(value, 12), low, high)


def ranks(values: Floats) -> Floats:
    """Ranks from 1; equal values share the mean of theirs.

    >>> ranks(np.array([5.0, 1.0, 5.0])).tolist()
    [2.5, 1.0, 2.5]
    """
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    middle: Floats = (ends - counts + 1 + ends) / 2
    return middle[which]


def _correlation(sums: Floats) -> Floats:
    n, x, y, xy, xx, yy = sums.T
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = (n * xx - x * x) * (n * yy - y * y)
        found = np.where(spread > 1e-9, (n * xy - x * y) / np.sqrt(np.maximum(spread, 1e-300)), np.nan)
    return found[:, None]
