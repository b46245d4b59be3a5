"""Marked passages and texts, compared two by two: how like they are, and whether that is more than chance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations, pairwise
from math import fsum, isnan
from typing import Any, NamedTuple

import numpy as np

from bridge.merging.compared import Compared, Floats, Given
from bridge.merging.spans import marked_tokens, tokens
from bridge.questions import SpanQuestion
from bridge.records import Value
from bridge.text import same_text

MAX_PAIRS = 20_000
"""Of more pairs of texts than this, a sample of the records is compared: each pair costs an alignment."""


class Pair(NamedTuple):
    """Two people's answers to a record: the numbers of all three, and how like the answers are.

    ``likeness`` goes from 0 to 1, and is NaN where it says nothing because neither marked anything.
    """

    record: int
    first: int
    second: int
    likeness: float
    equal: bool


class Evidence(NamedTuple):
    """Whether one person's answer to a record is like the others' for a reason: above 0 if it is.

    ``scale`` are the figures that the sums of ``shared`` over a person's records are measured by (see :func:`held`).
    """

    record: int
    person: int
    shared: float
    scale: tuple[float, float]


class Marked(NamedTuple):
    """What several people marked in the text of a record.

    Args:
        record: number of the record.
        people: numbers of the people.
        marks: of each the set of ``(number of the label, number of the token)``.
        lengths: of each token how much it counts; where the text is not known, tokens are the pieces between all ends.
        size: how many tokens the text has, 0 where it is not known.
        equal: for each two people whether they marked just the same, by their places in ``people``.
    """

    record: int
    people: list[int]
    marks: list[set[tuple[int, int]]]
    lengths: Sequence[int] | None
    size: int
    equal: dict[tuple[int, int], bool]

    def length(self, marks: Iterable[tuple[int, int]]) -> int:
        """How much is marked."""
        return len(list(marks)) if self.lengths is None else sum(self.lengths[token] for _, token in marks)


class Answers(NamedTuple):
    """Answers by record, under numbers that follow the names in order; only records with two or more."""

    records: list[str]
    people: list[str]
    given: list[dict[int, Value]]


def by_record(given: Iterable[Given]) -> Answers:
    """Answers to the records that several people answered."""
    found: dict[str, dict[str, Value]] = {}
    for record, who, value in given:
        found.setdefault(record, {})[who] = value
    shared = {record: answers for record, answers in sorted(found.items()) if len(answers) > 1}
    people = sorted({who for answers in shared.values() for who in answers})
    number = {who: n for n, who in enumerate(people)}
    numbered = [{number[who]: answers[who] for who in sorted(answers)} for answers in shared.values()]
    return Answers(list(shared), people, numbered)


def marked(question: SpanQuestion, answers: Answers, texts: Mapping[str, str]) -> list[Marked]:
    """Spans as sets of marked tokens, the same way in which they are merged (:mod:`bridge.merging.spans`).

    >>> from bridge.templates import load_template
    >>> span = {"start": 3, "end": 5, "label": "unsupported"}
    >>> answers = by_record([("r1", "ann", [span]), ("r1", "bo", [])])
    >>> marked(load_template("span_errors").questions[0], answers, {"r1": "It is so."})[0].marks
    [{(1, 1)}, set()]
    """
    found = []
    for number, (record, given) in enumerate(zip(answers.records, answers.given, strict=True)):
        spans = [[span for span in value if isinstance(span, dict)] for value in map(_listed, given.values())]
        text = texts.get(record)
        if text is None:
            ends = sorted({span[end] for person in spans for span in person for end in ("start", "end")})
            places = list(pairwise(ends))
        else:
            places = tokens(text)
        marks = [
            {
                (label, token)
                for label, name in enumerate(question.values)
                if any(span["label"] == name for span in person)
                for token in marked_tokens(person, name, places)
            }
            for person in spans
        ]
        equal = {(one, two): spans[one] == spans[two] for one, two in combinations(range(len(spans)), 2)}
        lengths = [end - start for start, end in places] if text is None else None
        found.append(Marked(number, list(given), marks, lengths, len(places) if text is not None else 0, equal))
    return found


def _listed(value: Value) -> list[Any]:
    assert isinstance(value, list)
    return value


def span_pairs(records: Iterable[Marked]) -> list[Pair]:
    """The F1 of each two people over marked tokens: twice what both marked, as a share of what each did."""
    pairs = []
    for one in records:
        sizes = [one.length(marks) for marks in one.marks]
        for (first, second), equal in one.equal.items():
            both = one.length(one.marks[first] & one.marks[second])
            size = sizes[first] + sizes[second]
            f1 = 2 * both / size if size else float("nan")
            pairs.append(Pair(one.record, one.people[first], one.people[second], f1, equal))
    return pairs


def span_evidence(records: Iterable[Marked]) -> list[Evidence]:
    """Whether people mark the same places of a text more often than they would if each put theirs anywhere in it."""
    found = []
    for one in records:
        if not one.size:
            continue
        others = len(one.people) - 1
        votes = Counter(mark for marks in one.marks for mark in marks)
        for person, marks in zip(one.people, one.marks, strict=True):
            shared = mine = theirs = 0.0
            rest = {mark: (count - (mark in marks)) / others for mark, count in votes.items()}
            for label in {label for label, _ in votes}:
                own = sum(name == label for name, _ in marks)
                shares = [share for (name, _), share in rest.items() if name == label]
                together = sum(rest[mark] for mark in marks if mark[0] == label)
                shared += together - own * sum(shares) / one.size
                mine += own - own * own / one.size
                theirs += sum(share * share for share in shares) - sum(shares) ** 2 / one.size
            found.append(Evidence(one.record, person, shared, (mine, theirs)))
    return found


def span_parts(question: SpanQuestion, records: Iterable[Marked], size: int) -> Floats:
    """What each record adds to the alpha of each label over tokens that are marked or not.

    Returns:
        Records x (3 for each label), as :func:`bridge.merging.coefficients.alpha_parts` has them: squared distances,
        answers ``no``, answers ``yes``. Records whose text is not known add nothing.
    """
    parts = np.zeros((size, len(question.values), 3))
    for one in records:
        people = len(one.people)
        parts[one.record, :, 1] = people * one.size
        if one.size:
            for (label, _), count in Counter(mark for marks in one.marks for mark in marks).items():
                parts[one.record, label] += (2 * count * (people - count) / (people - 1), -count, count)
    return parts.reshape(size, 3 * len(question.values))


def sampled(answers: Answers, seed: int = 0, most: int = MAX_PAIRS) -> list[int]:
    """Numbers of the records to compare: all, or a sample with about ``most`` pairs."""
    pairs = np.array([len(given) * (len(given) - 1) // 2 for given in answers.given], dtype=np.int64)
    if pairs.sum() <= most:
        return list(range(len(pairs)))
    order = np.random.default_rng(seed).permutation(len(pairs))
    chosen = order[: max(2, int((pairs[order].cumsum() <= most).sum()))]
    return sorted(int(number) for number in chosen)


def text_pairs(answers: Answers, numbers: Iterable[int]) -> list[Pair]:
    """How like each two texts are, by words (1 less the Levenshtein distance, as a share of the longer one)."""
    pairs = []
    for number in numbers:
        for (first, one), (second, two) in combinations(sorted(answers.given[number].items()), 2):
            pairs.append(Pair(number, first, second, _similar(one, two), same_text(str(one), str(two))))
    return pairs


def text_evidence(answers: Answers, numbers: Sequence[int], pairs: Iterable[Pair]) -> list[Evidence]:
    """Whether somebody's texts are more like what others wrote to the same record than to that person's next one."""
    alike: dict[tuple[int, int], list[float]] = {}
    for pair in pairs:
        for person in (pair.first, pair.second):
            alike.setdefault((person, pair.record), []).append(pair.likeness)
    theirs: dict[int, list[int]] = {}
    for number in numbers:
        for person in answers.given[number]:
            theirs.setdefault(person, []).append(number)
    found = []
    for person, records in sorted(theirs.items()):
        for here, next_ in zip(records, records[1:] + records[:1], strict=True) if len(records) > 1 else ():
            own = answers.given[here][person]
            elsewhere = [_similar(own, text) for other, text in answers.given[next_].items() if other != person]
            chance = sum(elsewhere) / len(elsewhere)
            same = alike[person, here]
            found.append(Evidence(here, person, sum(same) / len(same) - chance, (1 - chance, 1 - chance)))
    return found


def _similar(one: Value, two: Value) -> float:
    from rapidfuzz.distance import Levenshtein

    return float(Levenshtein.normalized_similarity(str(one).split(), str(two).split()))


def mean_parts(pairs: Sequence[Pair], records: int, column: str = "likeness") -> Floats:
    """Of each record the mean over its pairs, and 1; 0 and 0 where there is none (records x 2)."""
    values = np.array([getattr(pair, column) for pair in pairs], dtype=np.float64)
    record = np.array([pair.record for pair in pairs], dtype=np.int64)
    order = np.lexsort((values, record))  # a sum must not depend on people's names
    values, record = values[order], record[order]
    there = ~np.isnan(values)
    number = np.bincount(record[there], minlength=records)
    sums = np.bincount(record[there], weights=values[there], minlength=records)
    return np.column_stack([sums / np.maximum(number, 1), number > 0]).astype(np.float64)


def held(answers: Answers, pairs: Iterable[Pair], evidence: Iterable[Evidence]) -> Compared:
    """Each answer held against those of the others, from how like they are two by two."""
    mine: dict[tuple[int, int], list[float]] = {}
    everything: dict[int, list[float]] = {}
    for pair in pairs:
        for person in (pair.first, pair.second):
            likeness = mine.setdefault((pair.record, person), [])
            if not isnan(pair.likeness):
                likeness.append(pair.likeness)
        if not isnan(pair.likeness):
            everything.setdefault(pair.record, []).append(pair.likeness)
    peers = []
    for (record, _), likeness in mine.items():
        all_ = everything.get(record, [])
        rest = len(all_) - len(likeness)
        peers.append((fsum(all_) - fsum(likeness)) / rest if rest else np.nan)
    shared = dict.fromkeys(mine, 0.0)
    scale = np.zeros((len(answers.people), 2))
    for one in evidence:
        shared[one.record, one.person] = one.shared
        scale[one.person] += one.scale
    alike = np.array([fsum(of) / len(of) if of else np.nan for of in mine.values()], dtype=np.float64)
    return Compared(
        people=answers.people,
        records=answers.records,
        person=np.array([person for _, person in mine], dtype=np.int64),
        record=np.array([record for record, _ in mine], dtype=np.int64),
        agreed=alike,
        alike=alike,
        peers=np.array(peers, dtype=np.float64),
        deviation=np.full(len(mine), np.nan),
        shared=np.array(list(shared.values()), dtype=np.float64),
        scale=np.sqrt(scale.prod(axis=1)),
    )
