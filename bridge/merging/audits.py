"""What controls, blind order and hidden suggestions tell of the people who answered: shares with their intervals.

Plain values in, plain figures out: which record was a control, what stood where and what was hidden is known to those
who presented the records.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from statistics import NormalDist, fmean, variance
from typing import Any, NamedTuple

from bridge.merging.doubt import Doubt
from bridge.merging.intervals import STRICT, difference, effective, exact, wilson


@dataclass(frozen=True, slots=True)
class ControlScore:
    """How many control items somebody got right.

    Args:
        annotator: pseudonym of the person.
        right: how many of their answers to control items were right.
        n: how many such answers there are.
        low, high: the exact interval for the share (95 %).
    """

    annotator: str
    right: int
    n: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """The share that was right."""
        return self.right / self.n

    def to_dict(self) -> dict[str, Any]:
        """The score as it stands in a report."""
        return {**asdict(self), "share": self.share}


def control_scores(judged: Iterable[tuple[str, str, bool]]) -> list[ControlScore]:
    """The score of each annotator, over all questions.

    Args:
        judged: ``(annotator, question, whether the answer was right)``, one for each answer to a control item.

    >>> control_scores([("ann", "label", True), ("ann", "label", True), ("bo", "label", False)])[0].right
    2
    """
    right: dict[str, list[bool]] = defaultdict(list)
    for annotator, _, correct in judged:
        right[annotator].append(correct)
    return [ControlScore(who, sum(of), len(of), *exact(sum(of), len(of))) for who, of in sorted(right.items())]


class Won(NamedTuple):
    """An answer that has one winner among responses whose order was drawn by lot.

    Args:
        question: name of the question.
        record: key of the record.
        place: where the winner stood, from 1.
        places: how many responses there were.
    """

    question: str
    record: str
    place: int
    places: int


@dataclass(frozen=True, slots=True)
class PositionBias:
    """How often what stood first won.

    Args:
        question: name of the question.
        first: how often the response in the first place won.
        n: answers that have a winner.
        low, high: the interval for the share (95 %); several answers to one record do not count as independent.
        expected: the share if place did not matter, such as a half for two responses.
    """

    question: str
    first: int
    n: int
    low: float
    high: float
    expected: float

    @property
    def share(self) -> float:
        """The share that the first place won."""
        return self.first / self.n

    def to_dict(self) -> dict[str, Any]:
        """The figure as it stands in a report."""
        return {**asdict(self), "share": self.share}


def position_bias(won: Iterable[Won]) -> list[PositionBias]:
    """How often the first place won, for each question.

    >>> [bias.share for bias in position_bias(Won("label", f"r{place}", place, 2) for place in (1, 1, 1, 2))]
    [0.75]
    """
    found = []
    for question, winners in sorted(_by_question(won).items()):
        first = [(winner.record, winner.place == 1) for winner in winners]
        expected = fmean(1 / winner.places for winner in winners)
        ends = wilson(*effective(_clusters(first)))
        found.append(PositionBias(question, sum(is_first for _, is_first in first), len(first), *ends, expected))
    return found


class Answered(NamedTuple):
    """An answer to a question that has a suggestion, which was shown or hidden by lot.

    Args:
        question: name of the question.
        record: key of the record.
        annotator: pseudonym of the person.
        shown: whether the suggestion was shown.
        equals: whether the answer is the suggestion.
        distance: for ratings, how far the answer is from it; None elsewhere.
    """

    question: str
    record: str
    annotator: str
    shown: bool
    equals: bool
    distance: float | None = None


@dataclass(frozen=True, slots=True)
class Anchoring:
    """How far a suggestion pulls people towards itself.

    Args:
        question: name of the question.
        with_suggestion: ``(answers equal to the suggestion, answers)`` where people saw it.
        without: the same where it was hidden.
        pull: the difference of the two shares; 0 where the suggestion changes nothing.
        low, high: its interval (95 %); several answers to one record do not count as independent.
        distance_with, distance_without: for ratings, the mean distance from the suggestion; None elsewhere.
        closer: how much closer ratings are where people saw it; None where it cannot be told.
        closer_low, closer_high: its interval (95 %).
        annotators: how many people answered.
    """

    question: str
    with_suggestion: tuple[int, int]
    without: tuple[int, int]
    pull: float
    low: float
    high: float
    distance_with: float | None = None
    distance_without: float | None = None
    closer: float | None = None
    closer_low: float | None = None
    closer_high: float | None = None
    annotators: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The figures as they stand in a report."""
        return {**asdict(self), "with_suggestion": list(self.with_suggestion), "without": list(self.without)}


def anchoring(answers: Iterable[Answered]) -> list[Anchoring]:
    """How far suggestions pull people, for each question that was answered both with and without one.

    The interval of the pull is Newcombe's (:func:`bridge.merging.intervals.difference`); that of the distance is
    normal, over the means of records.

    >>> seen = [Answered("label", f"r{n}", "ann", True, n < 9) for n in range(10)]
    >>> hidden = [Answered("label", f"h{n}", "ann", False, n < 6) for n in range(10)]
    >>> [round(found.pull, 2) for found in anchoring(seen + hidden)]
    [0.3]
    """
    found = []
    for question, given in sorted(_by_question(answers).items()):
        seen, hidden = ([answer for answer in given if answer.shown is shown] for shown in (True, False))
        if seen and hidden:
            near, far = ([answer for answer in side if answer.distance is not None] for side in (seen, hidden))
            found.append(
                Anchoring(
                    question,
                    (of_seen := (sum(answer.equals for answer in seen), len(seen))),
                    (of_hidden := (sum(answer.equals for answer in hidden), len(hidden))),
                    of_seen[0] / of_seen[1] - of_hidden[0] / of_hidden[1],
                    *difference(_effective(seen), _effective(hidden)),
                    _mean_distance(near),
                    _mean_distance(far),
                    *_closer(near, far),
                    annotators=len({answer.annotator for answer in given}),
                )
            )
    return found


def _by_question(answers: Iterable[Any]) -> dict[str, list[Any]]:
    questions: dict[str, list[Any]] = defaultdict(list)
    for answer in answers:
        questions[answer.question].append(answer)
    return questions


def _clusters(cases: Iterable[tuple[Hashable, bool]]) -> list[tuple[int, int]]:
    """Of each record, how many of its answers are so, and how many it has; in an order of their own."""
    records: dict[Hashable, list[bool]] = defaultdict(list)
    for record, success in cases:
        records[record].append(success)
    return sorted((sum(of), len(of)) for of in records.values())


def _effective(side: Iterable[Answered]) -> tuple[float, float]:
    return effective(_clusters((answer.record, answer.equals) for answer in side))


def _distances(side: Iterable[Answered]) -> list[float]:
    return [answer.distance for answer in side if answer.distance is not None]


def _mean_distance(side: Sequence[Answered]) -> float | None:
    return fmean(_distances(side)) if side else None


def _closer(near: Sequence[Answered], far: Sequence[Answered]) -> tuple[float | None, float | None, float | None]:
    means = []
    for side in (far, near):
        records: dict[str, list[float]] = defaultdict(list)
        for answer in side:
            records[answer.record] += _distances([answer])
        means.append(sorted(fmean(of) for of in records.values()))
    if min(map(len, means)) < 2:
        return None, None, None
    between = fmean(means[0]) - fmean(means[1])
    reach = NormalDist().inv_cdf(0.975) * sqrt(sum(variance(side) / len(side) for side in means))
    return between, between - reach, between + reach


def audit_doubts(
    controls: Sequence[ControlScore], positions: Iterable[PositionBias], anchorings: Iterable[Anchoring]
) -> list[Doubt]:
    """What control items, blind order and hidden suggestions give reason to doubt.

    Somebody fails the controls whose share lies below that of all others together by more than chance would let anybody
    fall in one of a thousand campaigns. Place and suggestion matter where the share is off by a twentieth or more, and
    by 1.7 times what its interval reaches, which is the same strictness.
    """
    doubts = []
    level = 1 - (1 - STRICT) / max(len(controls), 1)
    for score in controls:
        others = [other for other in controls if other is not score]
        rest = (sum(other.right for other in others), sum(other.n for other in others))
        if rest[1] and difference((score.right, score.n), rest, level)[1] < 0:
            doubts.append(
                Doubt(
                    "failed_controls",
                    f"{score.annotator} got {score.right} of {score.n} control items right ({score.share:.0%}), the "
                    f"others {rest[0] / rest[1]:.0%}",
                    "explain the guidelines, or weigh answers by control items",
                    annotators=(score.annotator,),
                    evidence=score.to_dict(),
                )
            )
    for bias in positions:
        off = bias.share - bias.expected
        reach = bias.share - bias.low if off > 0 else bias.high - bias.share
        if abs(off) >= 0.05 and abs(off) > _STRICTER * reach:
            doubts.append(
                Doubt(
                    "position_bias",
                    f"what stood first won {bias.share:.0%} of {bias.n:,} times, where {bias.expected:.0%} is expected",
                    "the order is drawn by lot, so that no response gains by it; remind people to read all of them",
                    bias.question,
                    evidence=bias.to_dict(),
                )
            )
    for found in anchorings:
        if found.pull >= 0.05 and found.pull > _STRICTER * (found.pull - found.low):
            (seen, of_seen), (hidden, of_hidden) = found.with_suggestion, found.without
            doubts.append(
                Doubt(
                    "anchoring",
                    f"{seen / of_seen:.0%} of answers equal the suggestion where people see it, "
                    f"{hidden / of_hidden:.0%} where they do not",
                    "hide suggestions where an independent judgement matters, such as for evaluation",
                    found.question,
                    evidence=found.to_dict(),
                )
            )
    return doubts


_STRICTER = NormalDist().inv_cdf((1 + STRICT) / 2) / NormalDist().inv_cdf(0.975)
