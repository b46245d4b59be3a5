"""How far a judge agrees with people, next to how far people agree with each other.

Both figures are made of pairs of answers to the same record: the judge's and one person's, or two people's. Each record
weighs as much as it has people. So the judge is held against single people, as people are, and not against their
majority, which is better than any of them. The coefficients and their intervals are those of :mod:`bridge.merging`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bridge.judging.cases import Case
from bridge.merging import coefficients as of
from bridge.merging.coefficients import Coefficient, Floats, Statistic
from bridge.merging.compared import units
from bridge.merging.intervals import exact
from bridge.questions import Question, RatingQuestion
from bridge.records import Value

JUDGE, PERSON = "judge", "person"
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Agreement of pairs of answers.

    Args:
        records: records with a pair; ``pairs`` of them.
        same: the share of pairs that are equal.
        alpha: Krippendorff's, for ratings at the interval level.
        kappa: Cohen's, for ratings weighted by squared distance.
    """

    records: int
    pairs: int
    same: float | None
    alpha: Coefficient
    kappa: Coefficient

    def to_dict(self) -> dict[str, Any]:
        """The figures as ``--json`` prints them."""
        return {
            "records": self.records,
            "pairs": self.pairs,
            "same": self.same,
            "alpha": self.alpha.to_dict(),
            "kappa": self.kappa.to_dict(),
        }


def with_people(
    question: Question, answers: Sequence[tuple[Value | None, Mapping[str, Value]]], seed: int = 0
) -> Pairs:
    """The judge against each person.

    Args:
        question: what was asked.
        answers: of each record the judge's answer, if any, and each person's.
        seed: of the samples that intervals rest on.
    """
    given = [
        (f"{number:09}/{who}", role, value)
        for number, (judged, people) in enumerate(answers)
        if judged is not None
        for who, person in people.items()
        for role, value in ((JUDGE, judged), (PERSON, person))
    ]
    found = units(question, given)
    assert found is not None
    cast = found.votes
    width = len(cast.labels)
    # Of each unit the two answers, by who gave them.
    codes = {name: np.zeros(len(cast.items), np.int64) for name in (JUDGE, PERSON)}
    for name, column in codes.items():
        mine = np.array([cast.annotators[who] == name for who in range(len(cast.annotators))], bool)
        chosen = mine[cast.annotator] if len(cast.annotator) else np.zeros(0, bool)
        column[cast.item[chosen]] = cast.label[chosen]
    record = np.array([int(name[:9]) for name in cast.items], np.int64)
    tables = np.zeros((len(answers), width * width))
    np.add.at(tables, (record, codes[JUDGE] * width + codes[PERSON]), 1.0)
    return _pairs(question, cast.counts(), record, tables, found.vectors, len(cast.items), seed)


def between_people(
    question: Question, answers: Sequence[tuple[Value | None, Mapping[str, Value]]], seed: int = 0
) -> Pairs:
    """People against each other, on the records that the judge has an answer to."""
    given = [
        (f"{number:09}", who, person)
        for number, (judged, people) in enumerate(answers)
        if judged is not None
        for who, person in people.items()
    ]
    found = units(question, given)
    assert found is not None
    counts = found.votes.counts()
    record = np.array([int(name) for name in found.votes.items], np.int64)
    width = counts.shape[1]
    people = counts.sum(axis=1)
    # Every ordered pair of two different people; each record weighs as much as it has people.
    both = counts[:, :, None] * counts[:, None, :] - np.eye(width, dtype=np.int64)[None] * counts[:, None, :]
    tables = np.zeros((len(answers), width * width))
    tables[record] = both.reshape(len(counts), width * width) / np.maximum(people - 1, 1)[:, None]
    pairs = int((people * (people - 1) // 2).sum())
    return _pairs(question, counts, record, tables, found.vectors, pairs, seed)


def _pairs(
    question: Question, counts: Ints, record: Ints, tables: Floats, vectors: Floats, pairs: int, seed: int
) -> Pairs:
    rated = isinstance(question, RatingQuestion)
    width = counts.shape[1]
    parts, statistic = of.alpha_parts(
        counts, "interval" if rated else "nominal", vectors[:, 0].tolist() if rated else None
    )
    by_record = np.zeros((len(tables), parts.shape[1]))
    np.add.at(by_record, record, parts)
    used = int((tables.sum(axis=1) > 0).sum())
    total = float(tables.sum())
    same = float(tables[:, :: width + 1].sum()) / total if total else None
    return Pairs(
        used, pairs, same, _figure(by_record, statistic, used, seed), _figure(tables, _kappa(width, rated), used, seed)
    )


def _figure(parts: Floats, statistic: Statistic, records: int, seed: int) -> Coefficient:
    if not records:
        return Coefficient(reason="no record has two answers")
    (value,) = of.total(parts, statistic)
    if value is None:
        return Coefficient(reason="all answers are the same")
    (ends,) = of.resampled(parts, statistic, seed=seed)
    low, high = ends or (None, None)
    if value == 1:  # samples of what is all alike are all alike
        low, high = exact(records, records)
    return Coefficient(value, low, high)


def _kappa(width: int, weighted: bool) -> Statistic:
    def statistic(weights: Floats, rows: Floats) -> Floats:
        tables = (weights @ rows).reshape(-1, width, width)
        found = [of.cohen(table, weighted=weighted) for table in tables]
        return np.array([[np.nan if kappa is None else kappa] for kappa in found])

    return statistic


def answers_of(cases: Sequence[Case]) -> list[tuple[Value | None, Mapping[str, Value]]]:
    """The judges' answers and people's, as the functions above want them."""
    return [(case.judgement.value, case.people) for case in cases]
