"""How good is the judge? Its answers against people's, and what the quality of the whole set is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import fmean
from typing import Any

from bridge.annotations import Annotation
from bridge.judging.bias import Share, consistency, first_rate, longer, with_length
from bridge.judging.cases import Case, cases
from bridge.judging.chances import Chances, chances
from bridge.judging.compared import Pairs, answers_of, between_people, with_people
from bridge.judging.judgement import Opinion
from bridge.judging.quality import Estimate, estimate
from bridge.merging.coefficients import Coefficient
from bridge.merging.intervals import effective
from bridge.questions import LabelQuestion, Question, RatingQuestion
from bridge.records import Record
from bridge.templates import TaskTemplate

_BINS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


@dataclass(frozen=True, slots=True)
class Confidence:
    """Judgements of a certain confidence, and how many of them people confirm.

    Args:
        low, high: from what confidence to what.
        n: judgements that people answered too.
        stated: their mean confidence.
        right: people's answers that are the same; what several people say of one record counts as little as it tells.
    """

    low: float
    high: float
    n: int
    stated: float
    right: Share

    def to_dict(self) -> dict[str, Any]:
        """The row as ``--json`` prints it."""
        return {"low": self.low, "high": self.high, "n": self.n, "stated": self.stated, "right": self.right.to_dict()}


@dataclass(frozen=True, slots=True)
class JudgeFigures:
    """One judge.

    Args:
        model: its name.
        readings: how many answers of it were asked for; ``missing`` of them could not be read.
        people: its agreement with people.
        consistency, first: where responses were compared: how often it says the same in both orders, and how often it
            prefers what stands first.
    """

    model: str
    readings: int
    missing: Share
    people: Pairs
    consistency: Share | None = None
    first: Share | None = None

    def to_dict(self) -> dict[str, Any]:
        """The figures as ``--json`` prints them."""
        return {
            "model": self.model,
            "readings": self.readings,
            "missing": self.missing.to_dict(),
            "people": self.people.to_dict(),
            "consistency": self.consistency and self.consistency.to_dict(),
            "first": self.first and self.first.to_dict(),
        }


@dataclass(frozen=True, slots=True)
class QuestionReport:
    """One question.

    Args:
        question, kind: its name and type; ``preference`` where two responses were compared.
        records: judged records; ``answered`` of them have an answer of a person too.
        missing: why judgements have no answer, and how many.
        values: answer of the judges to how often it was given.
        judges: figures of each judge.
        people: the judges' answer against single people; ``between`` people against each other, on the same records.
        length: correlation of the judges' ratings with the length of what was judged; ``people_length`` that of
            people's ratings.
        longer: how often the judges prefer the longer response; ``people_longer`` how often people do.
        calibration: confidence against people's answers; empty where no judge has a confidence.
        quality: what people's answers would come to over the whole set: the mean rating, or the share of each label.
        notes: what a reader of the quality must know.
    """

    question: str
    kind: str
    records: int
    answered: int
    missing: dict[str, int]
    values: dict[str, int]
    judges: tuple[JudgeFigures, ...]
    people: Pairs
    between: Pairs
    length: Coefficient | None = None
    people_length: Coefficient | None = None
    longer: Share | None = None
    people_longer: Share | None = None
    calibration: tuple[Confidence, ...] = ()
    quality: dict[str, Estimate] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The figures as ``--json`` prints them."""
        return {
            "question": self.question,
            "kind": self.kind,
            "records": self.records,
            "answered": self.answered,
            "missing": self.missing,
            "values": self.values,
            "judges": [one.to_dict() for one in self.judges],
            "people": self.people.to_dict(),
            "between_people": self.between.to_dict(),
            "length": self.length and self.length.to_dict(),
            "people_length": self.people_length and self.people_length.to_dict(),
            "longer": self.longer and self.longer.to_dict(),
            "people_longer": self.people_longer and self.people_longer.to_dict(),
            "calibration": [row.to_dict() for row in self.calibration],
            "quality": {name: found.to_dict() for name, found in self.quality.items()},
            "notes": list(self.notes),
        }


@dataclass(frozen=True, slots=True)
class JudgeReport:
    """What is known of the judges of a set.

    Args:
        records: of the set.
        questions: one report for each question that was judged.
        foreign: answers to records that are not in the set.
    """

    records: int
    questions: tuple[QuestionReport, ...]
    foreign: int = 0

    def question(self, name: str) -> QuestionReport:
        """The report of the question of that name.

        Raises:
            KeyError: there is none.
        """
        return {found.question: found for found in self.questions}[name]

    def to_dict(self) -> dict[str, Any]:
        """The report as ``--json`` prints it."""
        questions = [found.to_dict() for found in self.questions]
        return {"records": self.records, "foreign": self.foreign, "questions": questions}


def report(
    records: Iterable[Record], annotations: Iterable[Annotation], template: TaskTemplate, *, seed: int = 0
) -> JudgeReport:
    """Compare judges with people.

    Args:
        records: the whole set as `annobridge judge` wrote it, those that people never saw included.
        annotations: people's answers, as they were pulled.
        template: the task.
        seed: of the samples that intervals rest on.

    Raises:
        UsageError: nothing was judged, there are no answers to compare with, or the template is another one.
        InputError: metadata that `annobridge judge` or `annobridge route` did not write.
    """
    judged = cases(records, annotations, template)
    return JudgeReport(
        judged.records,
        tuple(_question(question, mine, seed) for question, mine in judged.questions.values()),
        judged.foreign,
    )


def _question(question: Question, mine: Sequence[Case], seed: int) -> QuestionReport:
    pair = len(mine[0].lengths) == 2
    answered = [case for case in mine if case.people]
    compared: dict[str, Any] = {}
    if pair:
        said = [(case, [case.judgement.value]) for case in mine if case.judgement.value is not None]
        compared["longer"] = longer(question, [(case, [value for value in given if value]) for case, given in said])
        compared["people_longer"] = longer(question, [(case, [*case.people.values()]) for case in answered])
    elif isinstance(question, RatingQuestion):
        scored = [(case.judgement.number, case) for case in mine if case.judgement.number is not None]
        compared["length"] = with_length([(number, _length(case)) for number, case in scored], seed)
        rated = [(fmean(float(value) for value in case.people.values()), _length(case)) for case in answered]  # type: ignore[arg-type]
        compared["people_length"] = with_length(rated, seed)
    quality, notes = _quality(question, mine)
    return QuestionReport(
        question.name,
        "preference" if pair else question.type,
        len(mine),
        len(answered),
        dict(Counter(case.judgement.reason for case in mine if case.judgement.value is None).most_common()),
        _values(question, mine),
        tuple(_judge(question, model, mine, pair, seed) for model in _models(mine)),
        with_people(question, answers_of(answered), seed),
        between_people(question, answers_of(answered), seed),
        calibration=_calibration(answered),
        quality=quality,
        notes=notes,
        **compared,
    )


def _length(case: Case) -> int:
    return sum(case.lengths.values())


def _values(question: Question, mine: Sequence[Case]) -> dict[str, int]:
    counts = Counter(str(case.judgement.value) for case in mine if case.judgement.value is not None)
    if isinstance(question, RatingQuestion):
        every = [str(value) for value in range(question.min, question.max + 1)]
    else:
        every = list(getattr(question, "values", ()))
    return {value: counts[value] for value in every if value in counts}


def _models(mine: Sequence[Case]) -> list[str]:
    return list(dict.fromkeys(one.model for case in mine for one in case.judgement.opinions))


def _judge(question: Question, model: str, mine: Sequence[Case], pair: bool, seed: int) -> JudgeFigures:
    held: list[tuple[Case, Opinion]] = [
        (case, one) for case in mine for one in case.judgement.opinions if one.model == model
    ]
    readings = [reading for _, one in held for reading in one.readings]
    missing = Share(sum(reading.value is None for reading in readings), len(readings))
    people = with_people(question, [(one.value, case.people) for case, one in held if case.people], seed)
    opinions = [one for _, one in held]
    both = (consistency(opinions), first_rate(opinions)) if pair else (None, None)
    return JudgeFigures(model, len(readings), missing, people, *both)


def _calibration(answered: Sequence[Case]) -> tuple[Confidence, ...]:
    rows = []
    for low, high in pairwise(_BINS):
        mine = [
            (sure, case)
            for case in answered
            if (sure := case.judgement.confidence) is not None
            and case.judgement.value is not None
            and (low <= sure < high or (high == 1 and sure >= 1))
        ]
        if mine:
            said = [[value == case.judgement.value for value in case.people.values()] for _, case in mine]
            right = Share(*effective((sum(one), len(one)) for one in said))
            rows.append(Confidence(low, high, len(mine), fmean(sure for sure, _ in mine), right))
    return tuple(rows)


_UNEVEN = "quality is weighted by chance; other figures are of the answered records as they are, many of them doubtful"


def _noted(known: Chances) -> tuple[str, ...]:
    return (*known.notes, _UNEVEN) if len(set(known.probabilities or ())) > 1 else known.notes


def _quality(question: Question, mine: Sequence[Case]) -> tuple[dict[str, Estimate], tuple[str, ...]]:
    """The mean rating over the whole set, or the share of each label, as people would see it."""
    known = chances([case.log for case in mine], [place for place, case in enumerate(mine) if case.people])
    place = {number: at for at, number in enumerate(known.records)}
    of = [place[number] for number in known.answered]
    inside = [mine[number] for number in known.records]

    def mean(answers: list[float], scores: list[float], scale: tuple[float, float]) -> Estimate:
        return estimate(answers, of, scores, probabilities=known.probabilities, scale=scale)

    nothing = float("nan")
    people = [[*mine[number].people.values()] for number in known.answered]
    if isinstance(question, RatingQuestion):
        rated = [fmean(float(value) for value in one) for one in people]  # type: ignore[arg-type]
        numbers = [case.judgement.number for case in inside]
        scores = [nothing if number is None else min(max(number, question.min), question.max) for number in numbers]
        return {"mean": mean(rated, scores, (question.min, question.max))}, _noted(known)
    found = {}
    for label in question.values if isinstance(question, LabelQuestion) else ():
        shares = [one.count(label) / len(one) for one in people]
        given = [case.judgement.value for case in inside]
        found[label] = mean(shares, [nothing if value is None else float(value == label) for value in given], (0, 1))
    return found, _noted(known)
