"""How far people agree on one question: the coefficients that fit its kind, each with an interval or a reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from bridge.merging import coefficients as of
from bridge.merging.coefficients import Coefficient, Counts, Floats, Level, Statistic
from bridge.merging.compared import Compared, Given, Units, compare, units
from bridge.merging.intervals import exact
from bridge.merging.likeness import (
    Answers,
    Pair,
    by_record,
    held,
    marked,
    mean_parts,
    sampled,
    span_evidence,
    span_pairs,
    span_parts,
    text_evidence,
    text_pairs,
)
from bridge.questions import LabelQuestion, MultiLabelQuestion, Question, RankingQuestion, RatingQuestion, SpanQuestion

PAIRS_OF = 20
"""Of more annotators than this, only those with the most answers are compared two by two."""


@dataclass(frozen=True, slots=True)
class PairAgreement:
    """Two people's agreement on what both answered.

    Args:
        first, second: pseudonyms.
        n: records that both answered (for rankings, pairs of items that both ranked).
        agreement: the share of these on which their answers are equal; for passages and texts, the mean likeness.
        kappa: Cohen's; for multi-label questions the mean over labels; None where it is not defined.
        weighted: for ratings, Cohen's with squared distances.
    """

    first: str
    second: str
    n: int
    agreement: float | None
    kappa: float | None = None
    weighted: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """The pair as it stands in a report."""
        return {
            "first": self.first,
            "second": self.second,
            "n": self.n,
            "agreement": self.agreement,
            "kappa": self.kappa,
            "weighted": self.weighted,
        }


@dataclass(frozen=True, slots=True)
class QuestionAgreement:
    """How far people agree on one question.

    Args:
        question, kind: its name and type; a label question whose labels pick responses is a ``preference``.
        records: records with an answer; ``shared`` of them have two or more.
        answers, annotators: how many answers there are, and people who gave them.
        percent: the share of pairs of answers to the same record that are equal (mean over records).
        coefficients: by name: ``alpha_nominal``, ``alpha_ordinal`` and ``alpha_interval``, of those the ones that fit
            the kind (for multi-label and span questions the mean over labels); ``fleiss``; for spans ``f1`` and for
            texts ``similarity``, the mean over pairs of people.
        labels: of multi-label and span questions, the alpha of each label.
        pairs: two people at a time; of many people, those with the most answers.
        compared: records that were compared, where that is a sample (texts).
    """

    question: str
    kind: str
    records: int = 0
    shared: int = 0
    answers: int = 0
    annotators: int = 0
    percent: float | None = None
    coefficients: Mapping[str, Coefficient] = field(default_factory=dict)
    labels: Mapping[str, Coefficient] = field(default_factory=dict)
    pairs: tuple[PairAgreement, ...] = ()
    compared: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """The figures as they stand in a report."""
        line: dict[str, Any] = {
            "question": self.question,
            "kind": self.kind,
            "records": self.records,
            "shared": self.shared,
            "answers": self.answers,
            "annotators": self.annotators,
            "percent": self.percent,
            "coefficients": {name: found.to_dict() for name, found in self.coefficients.items()},
        }
        if self.labels:
            line["labels"] = {name: found.to_dict() for name, found in self.labels.items()}
        if self.compared is not None:
            line["compared"] = self.compared
        return {**line, "pairs": [pair.to_dict() for pair in self.pairs]}


@dataclass(frozen=True, slots=True)
class Measured:
    """The agreement on a question, and what the figures about people rest on.

    Args:
        agreement: the figures.
        units: the answers as numbers; None for spans and texts.
        compared: each answer held against those of the others.
    """

    agreement: QuestionAgreement
    units: Units | None
    compared: Compared


def measure(question: Question, given: Iterable[Given], texts: Mapping[str, str], *, seed: int = 0) -> Measured:
    """Measure how far people agree on a question.

    Args:
        question: the question.
        given: ``(record, annotator, answer)``; each person answers a record once.
        texts: for spans, the texts by record, where they are known.
        seed: of the samples that intervals rest on.

    >>> from bridge.templates import load_template
    >>> given = [(f"r{n}", who, "correct" if n % 2 else "incorrect") for n in range(40) for who in ("ann", "bo")]
    >>> found = measure(load_template("label").questions[0], given, {}).agreement
    >>> found.percent, found.coefficients["alpha_nominal"].value
    (1.0, 1.0)
    """
    given = list(given)
    counted = _counted(question, given)
    found = units(question, given)
    if found is None:
        return _measure_pairs(question, by_record(given), texts, counted, _why_not(counted), seed)
    agreement = replace(measure_units(question, given, found, seed=seed), pairs=_pairs(question, found))
    return Measured(agreement, found, compare(question, found))


def measure_units(question: Question, given: Sequence[Given], found: Units, *, seed: int = 0) -> QuestionAgreement:
    """The agreement on a question whose answers can be numbered, without pairs of people.

    Args:
        question: the question.
        given: the answers to it.
        found: the same as numbers.
        seed: as in :func:`measure`.
    """
    counted = _counted(question, given)
    why = _why_not(counted)
    figures = (
        _many_labels(question, found, why, seed)
        if isinstance(question, MultiLabelQuestion)
        else _one_of_many(question, found, why, seed)
    )
    return QuestionAgreement(**counted, **figures)


def _counted(question: Question, given: Sequence[Given]) -> dict[str, Any]:
    per_record = Counter(record for record, _, _ in given)
    picks = isinstance(question, LabelQuestion) and any(option.picks for option in question.options)
    return {
        "question": question.name,
        "kind": "preference" if picks else question.type,
        "records": len(per_record),
        "shared": sum(count > 1 for count in per_record.values()),
        "answers": len(given),
        "annotators": len({who for _, who, _ in given}),
    }


def _why_not(counted: Mapping[str, Any]) -> str:
    """Why nothing can be said of agreement; empty where something can."""
    if not counted["answers"]:
        return "nobody answered"
    if counted["annotators"] == 1:
        return "one person answered"
    return "" if counted["shared"] else "no record has two answers"


_ALIKE = "all answers to records with two answers are the same"


def _figures(names: Iterable[str], parts: Floats, statistic: Statistic, why: str, seed: int) -> dict[str, Coefficient]:
    """The figures of a statistic with their intervals, by name; or why there is none."""
    if why:
        return {name: Coefficient(reason=why) for name in names}
    values = of.total(parts, statistic)
    if not any(value is not None for value in values):
        return {name: Coefficient(reason=_ALIKE) for name in names}
    found = {}
    for name, value, end in zip(names, values, of.resampled(parts, statistic, seed=seed), strict=True):
        low, high = end if end and value is not None else (None, None)
        if value == 1:
            # Samples of what is all alike are all alike. If at least this share of the records were always alike, and
            # the others answered at random, alpha would be this share.
            low, high = exact(shared := int(np.any(parts != 0, axis=1).sum()), shared)
        found[name] = Coefficient(value, low, high, "" if value is not None else _ALIKE)
    return found


def _plain(value: float | None, why: str) -> Coefficient:
    return Coefficient(value, reason="" if value is not None else why or _ALIKE)


def _one_of_many(question: Question, found: Units, why: str, seed: int) -> dict[str, Any]:
    """Label, preference, rating and ranking: a unit has one of several values."""
    counts = found.votes.counts()
    coefficients: dict[str, Coefficient] = {}
    levels: tuple[Level, ...] = ("ordinal", "interval") if isinstance(question, RatingQuestion) else ("nominal",)
    for level in levels:
        parts, statistic = of.alpha_parts(counts, level)
        if isinstance(question, RankingQuestion):
            parts = _added(parts, found.record, len(found.records))
        coefficients |= _figures([f"alpha_{level}"], parts, statistic, why, seed)
    coefficients["fleiss"] = _plain(of.fleiss(counts), why)
    return {"coefficients": coefficients, "percent": of.percent_agreement(counts)}


def _many_labels(question: MultiLabelQuestion, found: Units, why: str, seed: int) -> dict[str, Any]:
    """Multi-label: each label is chosen or not; the figure of the question is the mean over labels that somebody
    chose and somebody did not."""
    answers = found.answers()
    tables = []
    for column in found.vectors.T:
        yes = np.bincount(found.votes.item, weights=column[found.votes.label], minlength=len(answers)).astype(np.int64)
        tables.append(np.column_stack([answers - yes, yes]))
    if not tables:
        tables = [np.zeros((0, 2), dtype=np.int64) for _ in question.values]
    parts = np.column_stack([of.alpha_parts(table)[0] for table in tables])
    figures = _by_label(question.values, parts, why, seed)
    kappas = [kappa for table in tables if (kappa := of.fleiss(table)) is not None]
    mean = float(np.mean(kappas)) if kappas else None
    coefficients = {"alpha_nominal": figures.pop("alpha_nominal"), "fleiss": _plain(mean, why)}
    return {"coefficients": coefficients, "labels": figures, "percent": of.total(_equal_parts(found), of.ratio)[0]}


def _equal_parts(found: Units) -> Floats:
    """As :func:`~bridge.merging.coefficients.agreement_parts`, without a column for every set of labels there is."""
    cast, answers = found.votes, found.answers()
    given, times = np.unique(cast.item * len(cast.labels) + cast.label, return_counts=True)
    equal = np.bincount(given // max(len(cast.labels), 1), weights=times * (times - 1), minlength=len(answers))
    shared = answers >= 2
    return np.column_stack([equal / np.maximum(answers * (answers - 1), 1), shared]).astype(np.float64)


def _by_label(labels: list[str], parts: Floats, why: str, seed: int) -> dict[str, Coefficient]:
    """The alpha of each label, from parts as of :func:`alpha_parts` side by side, and the mean as ``alpha_nominal``."""
    _, alpha = of.alpha_parts(np.zeros((0, 2)))

    def statistic(weights: Floats, rows: Floats) -> Floats:
        starts = range(0, rows.shape[1], 3)
        each = np.column_stack([alpha(weights, rows[:, start : start + 3])[:, 0] for start in starts])
        defined = ~np.isnan(each)
        with np.errstate(invalid="ignore"):
            mean = np.where(defined, each, 0).sum(axis=1) / defined.sum(axis=1)
        return np.column_stack([mean, each])

    named = _figures(["alpha_nominal", *(f"label {label}" for label in labels)], parts, statistic, why, seed)
    return {name.removeprefix("label "): figure for name, figure in named.items()}


def _added(parts: Floats, record: npt.NDArray[np.int64], records: int) -> Floats:
    """Parts of units added up to those of their records."""
    return np.column_stack([np.bincount(record, weights=column, minlength=records) for column in parts.T])


def _measure_pairs(
    question: Question, answers: Answers, texts: Mapping[str, str], counted: dict[str, Any], why: str, seed: int
) -> Measured:
    """Spans and texts: answers are compared two by two."""
    records = len(answers.records)
    measures: dict[str, Any] = {}
    if isinstance(question, SpanQuestion):
        marks = marked(question, answers, texts)
        pairs, evidence = span_pairs(marks), span_evidence(marks)
        unknown = "" if any(one.size for one in marks) else "the texts are not known: name the records"
        figures = _by_label(question.values, span_parts(question, marks, records), why or unknown, seed)
        nothing = "" if any(pair.likeness == pair.likeness for pair in pairs) else "nobody marked anything"
        coefficients = {"alpha_nominal": figures.pop("alpha_nominal")}
        coefficients |= _figures(["f1"], mean_parts(pairs, records), of.ratio, why or nothing, seed)
        measures["labels"] = figures
    else:
        numbers = sampled(answers, seed)
        pairs = text_pairs(answers, numbers)
        evidence = text_evidence(answers, numbers, pairs)
        coefficients = _figures(["similarity"], mean_parts(pairs, records), of.ratio, why, seed)
        if len(numbers) < records:
            measures["compared"] = len(numbers)
    measures["coefficients"] = coefficients
    measures["percent"] = of.total(mean_parts(pairs, records, "equal"), of.ratio)[0]
    agreement = QuestionAgreement(**counted, **measures, pairs=_likeness_of_pairs(answers, pairs))
    return Measured(agreement, None, held(answers, pairs, evidence))


def _likeness_of_pairs(answers: Answers, pairs: Iterable[Pair]) -> tuple[PairAgreement, ...]:
    found: dict[tuple[int, int], list[float]] = {}
    for pair in pairs:
        found.setdefault((pair.first, pair.second), []).append(pair.likeness)
    work = np.bincount([person for two in found for person in two], minlength=len(answers.people))
    busiest = set(sorted(range(len(answers.people)), key=lambda n: (-work[n], answers.people[n]))[:PAIRS_OF])
    listed = []
    for (first, second), scores in sorted(found.items()):
        if {first, second} <= busiest:
            says = sorted(score for score in scores if score == score)
            mean = sum(says) / len(says) if says else None
            listed.append(PairAgreement(answers.people[first], answers.people[second], len(scores), mean))
    return tuple(listed)


def _pairs(question: Question, found: Units) -> tuple[PairAgreement, ...]:
    """Two people at a time, of those with the most answers."""
    cast = found.votes
    work = np.bincount(cast.annotator, minlength=len(cast.annotators))
    busiest = sorted(range(len(work)), key=lambda n: (-work[n], cast.annotators[n]))[:PAIRS_OF]
    said: list[Counts] = []
    for person in busiest:
        column = np.full(len(cast.items), -1, dtype=np.int64)
        mine = cast.annotator == person
        column[cast.item[mine]] = cast.label[mine]
        said.append(column)
    listed = []
    for one, two in combinations(range(len(busiest)), 2):
        both = (said[one] >= 0) & (said[two] >= 0)
        if both.any():
            names = sorted(((cast.annotators[busiest[n]], said[n][both]) for n in (one, two)), key=lambda n: n[0])
            (first, left), (second, right) = names
            same = float((left == right).mean())
            listed.append(PairAgreement(first, second, int(both.sum()), same, *_kappas(question, found, left, right)))
    return tuple(sorted(listed, key=lambda pair: (pair.first, pair.second)))


def _kappas(question: Question, found: Units, left: Counts, right: Counts) -> tuple[float | None, float | None]:
    """Cohen's kappa of two people, and for ratings the weighted one."""
    if isinstance(question, MultiLabelQuestion):
        kappas = []
        for column in found.vectors.T:
            table = np.bincount((2 * column[left] + column[right]).astype(np.int64), minlength=4).reshape(2, 2)
            if (kappa := of.cohen(table)) is not None:
                kappas.append(kappa)
        return (float(np.mean(kappas)) if kappas else None), None
    width = len(found.votes.labels)
    table = np.bincount(left * width + right, minlength=width * width).reshape(width, width)
    return of.cohen(table), of.cohen(table, weighted=True) if isinstance(question, RatingQuestion) else None
