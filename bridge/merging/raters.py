"""Figures about each annotator: how much, how quickly, how far in line with the others."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import numpy as np

from bridge.annotations import Annotation
from bridge.merging.compared import Compared, Floats, Given
from bridge.merging.intervals import exact
from bridge.merging.measures import Measured
from bridge.records import Value


@dataclass(frozen=True, slots=True)
class RaterFigures:
    """One person's answers to one question.

    Args:
        answers: how many there are.
        compared: how many of them could be held against a majority (or, for passages and texts, against others at all).
        agreed: the share of these that is what most of the others say, the person left out; for multi-label questions
            the mean share of labels, for passages and texts the mean likeness to the others.
        low, high: its exact interval (95 %), for kinds where an answer agrees or does not.
        follows: how closely the answers follow those of the others: 1 as closely as can be, 0 as by chance.
        deviation: for ratings, how far they lie above the median of the others on average.
        commonest: the most frequent answer, and
        commonest_share: its share.
    """

    answers: int
    compared: int = 0
    agreed: float | None = None
    low: float | None = None
    high: float | None = None
    follows: float | None = None
    deviation: float | None = None
    commonest: Value | None = None
    commonest_share: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """The figures as they stand in a report."""
        return {
            "answers": self.answers,
            "compared": self.compared,
            "agreed": self.agreed,
            "low": self.low,
            "high": self.high,
            "follows": self.follows,
            "deviation": self.deviation,
            "commonest": self.commonest,
            "commonest_share": self.commonest_share,
        }


@dataclass(frozen=True, slots=True)
class Rater:
    """One annotator.

    Args:
        annotator: pseudonym.
        submitted, skipped, drafts: how many records; of submitted ones those that count.
        seconds: the median time for a submitted record; None where the server does not measure it.
        questions: question to figures.
    """

    annotator: str
    submitted: int = 0
    skipped: int = 0
    drafts: int = 0
    seconds: float | None = None
    questions: Mapping[str, RaterFigures] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The figures as they stand in a report."""
        return {
            "annotator": self.annotator,
            "submitted": self.submitted,
            "skipped": self.skipped,
            "drafts": self.drafts,
            "seconds": self.seconds,
            "questions": {name: figures.to_dict() for name, figures in self.questions.items()},
        }


def raters(
    counted: Iterable[tuple[Annotation, str]], questions: Mapping[str, Mapping[str, RaterFigures]]
) -> tuple[Rater, ...]:
    """All annotators, sorted by name.

    Args:
        counted: annotations, one per person and record, each with ``submitted`` or why it does not count.
        questions: question to annotator to figures.
    """
    states: dict[str, Counter[str]] = defaultdict(Counter)
    seconds: dict[str, list[float]] = defaultdict(list)
    for annotation, state in counted:
        states[annotation.annotator][state] += 1
        if state == "submitted" and annotation.lead_time_s:
            seconds[annotation.annotator].append(annotation.lead_time_s)
    return tuple(
        Rater(
            who,
            states[who]["submitted"],
            states[who]["discarded"],
            states[who]["draft"],
            median(seconds[who]) if seconds[who] else None,
            {name: figures[who] for name, figures in questions.items() if who in figures},
        )
        for who in sorted(states)
    )


def figures(given: Iterable[Given], measured: Measured) -> dict[str, RaterFigures]:
    """Annotator to figures, for one question.

    >>> from bridge.merging.measures import measure
    >>> from bridge.templates import load_template
    >>> given = [("r1", who, rating) for who, rating in (("ann", 1), ("bo", 4), ("cy", 4))]
    >>> found = figures(given, measure(load_template("rating").questions[0], given, {}))
    >>> found["ann"].agreed, found["ann"].deviation, found["bo"].compared
    (0.0, -3.0, 0)
    """
    said: dict[str, Counter[Any]] = defaultdict(Counter)
    for _, who, value in given:
        said[who][json.dumps(value, sort_keys=True) if isinstance(value, list | dict) else value] += 1
    kind = measured.agreement.kind
    compared = measured.compared
    number = {who: place for place, who in enumerate(compared.people)}
    evidence = followed(compared)
    agreed, deviation = _means(compared, compared.agreed), _means(compared, compared.deviation)
    found = {}
    for who, counts in said.items():
        # Of equally frequent answers, the first in the alphabet or on the scale.
        commonest, times = min(counts.items(), key=lambda item: (-item[1], item[0]))
        value = json.loads(commonest) if kind in _COMPOSED else commonest
        share = times / counts.total()
        place = number.get(who)
        if place is None:
            found[who] = RaterFigures(counts.total(), commonest=value, commonest_share=share)
            continue
        mean, rows = agreed[place]
        low, high = exact(round(mean * rows), rows) if rows and kind in _RIGHT_OR_WRONG else (None, None)
        found[who] = RaterFigures(
            answers=counts.total(),
            compared=rows,
            agreed=mean if rows else None,
            low=low,
            high=high,
            follows=evidence.follows(place),
            deviation=deviation[place][0] if deviation[place][1] else None,
            commonest=value,
            commonest_share=share,
        )
    return found


_COMPOSED = ("multi_label", "ranking", "span")
_RIGHT_OR_WRONG = ("label", "preference", "rating", "ranking")


@dataclass(frozen=True, slots=True)
class Followed:
    """How closely each person's answers follow those of the others, in the order of people.

    Args:
        records: on how many records that rests.
        sums: of :attr:`Compared.shared`.
        squares, fourths: of its sums over each record, squared, and to the power of four.
        scale: what the sums are measured by.
    """

    records: Floats
    sums: Floats
    squares: Floats
    fourths: Floats
    scale: Floats

    def follows(self, person: int) -> float | None:
        """From -1 to 1, 0 by chance; None where the person, or everybody else, always said the same."""
        # What is the same but for rounding is the same.
        return float(self.sums[person] / self.scale[person]) if self.scale[person] > 1e-9 else None

    def spread(self, person: int) -> float:
        """The standard error of :meth:`follows`."""
        n = self.records[person]
        variance = (self.squares[person] - self.sums[person] ** 2 / n) * n / max(n - 1, 1)
        return float(np.sqrt(max(variance, 0.0)) / self.scale[person])

    def evidence(self, person: int) -> float:
        """How many records it rests on, as if all weighed the same: few where somebody nearly always says the same."""
        return float(self.squares[person] ** 2 / self.fourths[person]) if self.fourths[person] > 0 else 0.0

    def z(self, person: int) -> float:
        """How many standard errors the answers are from following the others by chance."""
        return float(self.sums[person] / np.sqrt(self.squares[person])) if self.squares[person] > 0 else 0.0


def followed(compared: Compared) -> Followed:
    """How closely people follow each other. Answers to one record hang together, so records are what is counted."""
    people, records = len(compared.people), max(len(compared.records), 1)
    place, row = np.unique(compared.person * records + compared.record, return_inverse=True)
    per_record = np.bincount(row, weights=compared.shared, minlength=len(place))
    person = place // records
    number, sums, squares, fourths = (
        np.bincount(person, weights=weights, minlength=people).astype(np.float64)
        for weights in (None, per_record, per_record**2, per_record**4)
    )
    return Followed(number, sums, squares, fourths, compared.scale)


def _means(compared: Compared, column: Floats) -> list[tuple[float, int]]:
    """Of each person the mean of a column, and over how many rows."""
    there = ~np.isnan(column)
    number = np.bincount(compared.person[there], minlength=len(compared.people))
    sums = np.bincount(compared.person[there], weights=column[there], minlength=len(compared.people))
    return [(float(total / max(n, 1)), int(n)) for total, n in zip(sums, number, strict=True)]
