"""Each answer held against those of the others to the same record: the ground for every figure about a person.

Kinds whose answers can be numbered (label, rating, multi-label, ranking) become :class:`Units`; marked passages and
texts are compared two by two (:mod:`bridge.merging.likeness`). Both end as :class:`Compared`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from bridge.merging.dawid_skene import Votes, votes
from bridge.questions import LabelQuestion, MultiLabelQuestion, Question, RankingQuestion, RatingQuestion
from bridge.records import Value

Ints: TypeAlias = "npt.NDArray[np.int64]"
Floats: TypeAlias = "npt.NDArray[np.float64]"
Given: TypeAlias = tuple[str, str, Value]
"""Key of a record, pseudonym of an annotator, and that person's answer."""

TIE = "tie"
BEFORE, AFTER = "first", "second"


@dataclass(frozen=True, slots=True)
class Units:
    """Answers as numbers.

    Args:
        votes: who gave which unit which value; a unit is a record, or a pair of ranked items of one.
        vectors: each value as numbers whose means make sense (values x dimensions): a label as one 1 among zeros, a
            rating as itself, a set of labels as zeros and ones.
        record: of each unit, the number of its record.
        records: keys of the records.
    """

    votes: Votes
    vectors: Floats
    record: Ints
    records: list[str]

    def answers(self) -> Ints:
        """How many answers each unit has."""
        return np.bincount(self.votes.item, minlength=len(self.votes.items)).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Compared:
    """One row for each answer that others can be held against.

    Args:
        people, records: names, for the numbers in ``person`` and ``record``.
        person, record: whose answer it is, and to what.
        agreed: 1 where it is what most of the others say, 0 where it is not, NaN where they have no majority. A rating
            agrees with the median of the others, within a tenth of the scale where that is a step or more. For
            multi-label questions it is the share of labels, for passages and texts the mean likeness (0 to 1).
        alike: how like the answer is to those of the others, as the mean over them: whether it is equal; for ratings
            how near it is, as a share of the scale; for multi-label questions on how many labels; for passages and
            texts their likeness.
        peers: how like the others' answers are to each other, in the same way; NaN where there is only one.
        deviation: for ratings, how far it lies above the median of the others; NaN elsewhere.
        shared: what the answer and those of the others vary together; its sum over a person is above 0 only where
            that person's answers follow those of the others more than chance would have it.
        scale: of each person, what that sum would be if the answers were the same in all but size.
    """

    people: list[str]
    records: list[str]
    person: Ints
    record: Ints
    agreed: Floats
    alike: Floats
    peers: Floats
    deviation: Floats
    shared: Floats
    scale: Floats


def units(question: Question, given: Iterable[Given]) -> Units | None:
    """The answers as numbers; None for kinds whose answers are compared two by two.

    Of a label question whose labels pick responses, only which response is picked counts, or none (``tie``). Of a
    ranking, every pair of items that somebody ranked is a unit; what counts is which of them is before the other.

    >>> from bridge.templates import load_template
    >>> given = [("r1", "ann", "A"), ("r1", "bo", "both_bad"), ("r1", "cy", "tie")]
    >>> [units(load_template("preference").questions[0], given).votes.counts().tolist()]
    [[[1, 0, 2]]]
    """
    given = list(given)
    if isinstance(question, LabelQuestion):
        picks = {option.value: option.picks or TIE for option in question.options}
        if set(picks.values()) == {TIE}:
            picks = {label: label for label in picks}
        labels = list(dict.fromkeys(picks.values()))
        return _units(((record, who, picks[str(value)]) for record, who, value in given), labels, np.eye(len(labels)))
    if isinstance(question, RatingQuestion):
        scale = range(question.min, question.max + 1)
        rated = ((record, who, str(value)) for record, who, value in given)
        return _units(rated, list(map(str, scale)), np.array(scale, dtype=np.float64)[:, None])
    if isinstance(question, MultiLabelQuestion):
        chosen = [(record, who, json.dumps(value, ensure_ascii=False)) for record, who, value in given]
        sets = sorted({value for _, _, value in chosen})
        members = [[float(label in value) for label in question.values] for value in map(json.loads, sets)]
        return _units(chosen, sets, np.array(members, dtype=np.float64).reshape(len(sets), len(question.values)))
    if isinstance(question, RankingQuestion):
        return _ranked(question, given)
    return None


def _units(given: Iterable[tuple[str, str, str]], labels: list[str], vectors: Floats) -> Units:
    cast = votes(given, labels)
    return Units(cast, vectors, np.arange(len(cast.items)), cast.items)


def _ranked(question: RankingQuestion, given: list[Given]) -> Units:
    keys = sorted({record for record, _, _ in given})
    number = {key: n for n, key in enumerate(keys)}
    oriented = []
    for record, who, ranks in given:
        assert isinstance(ranks, dict)
        for left, right in combinations(question.item_names(ranks), 2):
            first, second = ranks[left], ranks[right]
            order = BEFORE if first < second else AFTER if first > second else TIE
            oriented.append((f"{number[record]:09} {left} {right}", who, order))
    cast = votes(oriented, [BEFORE, TIE, AFTER])
    return Units(cast, np.eye(3), np.array([int(name[:9]) for name in cast.items], dtype=np.int64), keys)


def compare(question: Question, found: Units) -> Compared:
    """Hold each answer against those of the others.

    >>> from bridge.templates import load_template
    >>> question = load_template("rating").questions[0]
    >>> given = [("r1", who, rating) for who, rating in (("ann", 1), ("bo", 4), ("cy", 4))]
    >>> compare(question, units(question, given)).deviation.tolist()
    [-3.0, 1.5, 1.5]
    """
    cast = found.votes
    answers = found.answers()
    compared = np.flatnonzero(answers[cast.item] >= 2)
    unit, value, person = cast.item[compared], cast.label[compared], cast.annotator[compared]
    others = answers[unit] - 1
    deviation: Floats = np.full(len(unit), np.nan)
    if isinstance(question, MultiLabelQuestion):
        agreed, alike, peers = _by_label(_dimensions(found, unit, value), others)
    elif isinstance(question, RatingQuestion):
        low, high = median_of_others(unit, value)
        near = (question.max - question.min) // 10
        deviation = value - (low + high) / 2
        agreed = np.where(high - low <= 2 * near, np.abs(deviation) <= near, np.nan)
        numbers = found.vectors[:, 0]
        apart = np.abs(numbers[:, None] - numbers[None, :]) / (question.max - question.min)
        alike, peers = _alike(cast.counts(), 1 - apart, unit, value, others)
    else:
        counts = cast.counts()
        agreed = _with_the_most(counts, unit, value)
        alike, peers = _alike(counts, None, unit, value, others)
    shared, scale = _covariance(_dimensions(found, unit, value), others, person, len(cast.annotators))
    return Compared(
        people=cast.annotators,
        records=found.records,
        person=person,
        record=found.record[unit],
        agreed=agreed,
        alike=alike,
        peers=peers,
        deviation=deviation,
        shared=shared,
        scale=scale,
    )


def _dimensions(found: Units, unit: Ints, value: Ints) -> Iterator[tuple[Floats, Floats]]:
    """One dimension after the other, of the answers themselves and of the sums of the others' answers."""
    for column in found.vectors.T:
        own = column[found.votes.label]
        sums = np.bincount(found.votes.item, weights=own, minlength=len(found.votes.items))
        if own.any():
            mine = column[value]
            yield mine, sums[unit] - mine


def _with_the_most(counts: Ints, unit: Ints, value: Ints) -> Floats:
    """Whether an answer is the most frequent one of the others: 1 or 0, NaN where several are as frequent.

    Taking an answer away changes one count of its unit, so that the two highest counts of each unit are enough.
    """
    top = counts.max(axis=1)
    tops = (counts == top[:, None]).sum(axis=1)
    below = np.where(counts == top[:, None], -1, counts)
    next_, nexts = below.max(axis=1), (below == below.max(axis=1)[:, None]).sum(axis=1)
    mine = counts[unit, value]
    alone = (mine == top[unit]) & (tops[unit] == 1)
    rival = np.where(alone, next_[unit], top[unit])
    rivals = np.where(alone, nexts[unit], tops[unit] - (mine == top[unit]))
    tied = (mine - 1 == rival) | ((mine - 1 < rival) & (rivals > 1))
    return np.where(tied, np.nan, mine - 1 > rival)


def _alike(counts: Ints, likeness: Floats | None, unit: Ints, value: Ints, others: Ints) -> tuple[Floats, Floats]:
    """How like each answer is to the others, and they to each other: 1 where equal, or what ``likeness`` has of two."""
    near = counts.astype(np.float64) if likeness is None else counts @ likeness
    mine = near[unit, value] - 1
    everything = (near * counts).sum(axis=1)[unit] - (others + 1)
    return mine / others, _share(everything - 2 * mine, others * (others - 1))


def _share(part: Floats, whole: npt.NDArray[Any]) -> Floats:
    found: Floats = np.where(whole > 0, part / np.maximum(whole, 1), np.nan)
    return found


def median_of_others(group: Ints, value: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """For each value the two middle ones of the others in its group; equal where their number is odd.

    Args:
        group: numbers of groups of two or more.
        value: one for each.

    >>> [ends.tolist() for ends in median_of_others(np.zeros(4, np.int64), np.array([9, 1, 4, 3]))]
    [[3, 4, 3, 4], [3, 4, 3, 4]]
    """
    order = np.lexsort((value, group))
    ranked, groups = value[order], group[order]
    start = np.searchsorted(groups, groups)
    count = np.bincount(groups)[groups] if len(groups) else groups
    place = np.arange(len(groups)) - start
    found = []
    for middle in ((count - 2) // 2, (count - 1) // 2):
        # The others have the order of all, with one left out.
        ends = np.empty_like(ranked)
        ends[order] = ranked[start + middle + (middle >= place)]
        found.append(ends)
    return found[0], found[1]


def _by_label(dimensions: Iterable[tuple[Floats, Floats]], others: Ints) -> tuple[Floats, Floats, Floats]:
    """``agreed`` over the labels on which the others have a majority, ``alike`` and ``peers`` over all labels. Labels
    that nobody ever chose do not count."""
    follows, decided, equal, squares = (np.zeros(len(others)) for _ in range(4))
    labels = 0
    for own, chose in dimensions:
        rest = others - chose
        labels += 1
        decided += chose != rest
        follows += (chose != rest) & ((chose > rest) == (own > 0))
        equal += np.where(own > 0, chose, rest)
        squares += chose**2 + rest**2
    pairs = others * (others - 1) * labels
    return _share(follows, decided), _share(equal, others * labels), _share(squares - others * labels, pairs)


def _covariance(
    dimensions: Iterable[tuple[Floats, Floats]], others: Ints, person: Ints, people: int
) -> tuple[Floats, Floats]:
    """What each answer varies together with the mean of the others, around the means of its person; and the scale."""
    number = np.maximum(np.bincount(person, minlength=people), 1)
    shared, mine, theirs = np.zeros(len(person)), np.zeros(people), np.zeros(people)
    for own, sums in dimensions:
        means = sums / others
        centred = own - (np.bincount(person, weights=own, minlength=people) / number)[person]
        around = means - (np.bincount(person, weights=means, minlength=people) / number)[person]
        shared += centred * around
        mine += np.bincount(person, weights=centred**2, minlength=people)
        theirs += np.bincount(person, weights=around**2, minlength=people)
    return shared, np.sqrt(mine * theirs)
