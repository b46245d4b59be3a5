"""The report on agreement: how far people agree on each question, what each of them is like, and what is doubtful."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bridge.annotations import Annotation, newest
from bridge.merging.alarms import at_chance, drift, question_doubts, too_fast
from bridge.merging.audits import (
    Anchoring,
    Answered,
    ControlScore,
    PositionBias,
    Won,
    anchoring,
    audit_doubts,
    control_scores,
    position_bias,
)
from bridge.merging.compared import Given
from bridge.merging.doubt import Doubt
from bridge.merging.measures import Measured, QuestionAgreement, measure
from bridge.merging.raters import Rater, figures, raters
from bridge.merging.validate import check_answers, why_not
from bridge.merging.warned import suspected
from bridge.questions import Question, RatingQuestion, SpanQuestion
from bridge.records import Record
from bridge.templates import TaskTemplate

__all__ = [
    "Agreement",
    "Anchoring",
    "Answered",
    "ControlScore",
    "PositionBias",
    "Won",
    "agreement",
    "anchoring",
    "control_scores",
    "position_bias",
]


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far people agree.

    Args:
        records: how many records have an answer that counts.
        questions: the figures of each question, in the template's order.
        annotators: the figures of each person, sorted by pseudonym.
        warnings: what is doubtful, each with what it means and what to do.
        controls: each person's score on control items, where there are some.
        positions: how often what stood first won, where the order was drawn by lot.
        anchorings: how far suggestions pull people, where some were hidden.
        invalid: how many answers do not count because the template does not allow them, or nobody knows whose they are;
            a merge lists them.
    """

    records: int
    questions: tuple[QuestionAgreement, ...] = ()
    annotators: tuple[Rater, ...] = ()
    warnings: tuple[Doubt, ...] = ()
    controls: tuple[ControlScore, ...] = ()
    positions: tuple[PositionBias, ...] = ()
    anchorings: tuple[Anchoring, ...] = ()
    invalid: int = 0

    def question(self, name: str) -> QuestionAgreement:
        """The figures of the question of that name.

        Raises:
            KeyError: there is none.
        """
        return {found.question: found for found in self.questions}[name]

    def to_dict(self) -> dict[str, Any]:
        """The report as ``--json`` prints it."""
        return {
            "records": self.records,
            "invalid": self.invalid,
            "questions": [found.to_dict() for found in self.questions],
            "annotators": [rater.to_dict() for rater in self.annotators],
            "controls": [score.to_dict() for score in self.controls],
            "positions": [bias.to_dict() for bias in self.positions],
            "anchorings": [found.to_dict() for found in self.anchorings],
            "warnings": [doubt.to_dict() for doubt in self.warnings],
        }


def agreement(
    annotations: Iterable[Annotation],
    template: TaskTemplate,
    records: Iterable[Record] | None = None,
    *,
    labels: Mapping[str, str] | None = None,
    seed: int = 0,
    controls: Sequence[ControlScore] = (),
    positions: Sequence[PositionBias] = (),
    anchorings: Sequence[Anchoring] = (),
) -> Agreement:
    """Measure how far people agree. Neither the order of the annotations nor anybody's name matters.

    What counts is what counts in a merge: submitted annotations that were not withdrawn, of each person the newest to
    a record, and of these the answers that the template allows. Everything else is a missing value.

    Args:
        annotations: what people answered, in any order, with or without older revisions.
        template: the task.
        records: what they were shown, where it is known: the agreement on spans needs the texts.
        labels: old label to new one, as in a merge.
        seed: of the samples that intervals rest on.
        controls: each person's score on control items (:func:`~bridge.merging.audits.control_scores`).
        positions: how often what stood first won (:func:`~bridge.merging.audits.position_bias`).
        anchorings: how far suggestions pull people (:func:`~bridge.merging.audits.anchoring`).

    >>> from bridge.templates import load_template
    >>> answers = [Annotation(f"r{n}", who, answers={"label": "correct" if n % 2 else "incorrect"})
    ...            for n in range(40) for who in ("ann", "bo")]
    >>> found = agreement(answers, load_template("label"))
    >>> found.question("label").coefficients["alpha_nominal"].value, found.annotators[0].questions["label"].agreed
    (1.0, 1.0)
    """
    known = {record.key: record for record in records or ()}
    counted: list[tuple[Annotation, str]] = []
    given: dict[str, list[Given]] = {question.name: [] for question in template.questions}
    prefilled: dict[str, dict[str, str]] = {}
    invalid = 0
    for annotation in newest(annotations):
        record = known.get(annotation.record)
        why = why_not(annotation, record)
        if not annotation.annotator.strip():
            invalid += why == "submitted"
            continue
        counted.append((annotation, why))
        if why == "submitted":
            fields, prefill = (record.fields, template.prefilled(record)) if record else (None, {})
            prefilled[annotation.record] = prefill
            answers, problems = check_answers(annotation, template, fields, prefill, labels)
            invalid += sum(problem.kind == "invalid" for problem in problems)
            for name, value in answers.items():
                given[name].append((annotation.record, annotation.annotator, value))
    submitted = [annotation for annotation, why in counted if why == "submitted"]
    times = {(annotation.record, annotation.annotator): annotation.updated_at for annotation in submitted}
    found, people, doubts = [], {}, []
    for question in template.questions:
        answers_ = given[question.name]
        measured = measure(question, answers_, _texts(question, known), seed=seed)
        found.append(measured.agreement)
        people[question.name] = figures(answers_, measured)
        originals = {key: texts[question.name] for key, texts in prefilled.items() if question.name in texts}
        doubts += _doubts(question, answers_, measured, times, originals)
    doubts += too_fast((a.record, a.annotator, a.lead_time_s or 0) for a in submitted)
    doubts += audit_doubts(controls, positions, anchorings)
    return Agreement(
        len({annotation.record for annotation in submitted}),
        tuple(found),
        raters(counted, people),
        tuple(doubts),
        tuple(controls),
        tuple(positions),
        tuple(anchorings),
        invalid,
    )


def _texts(question: Question, known: Mapping[str, Record]) -> dict[str, str]:
    """The texts that spans were marked in."""
    if not isinstance(question, SpanQuestion):
        return {}
    fields = {key: record.fields.get(question.field) for key, record in known.items()}
    return {key: text for key, text in fields.items() if isinstance(text, str)}


def _doubts(
    question: Question,
    given: Sequence[Given],
    measured: Measured,
    times: Mapping[tuple[str, str], str],
    originals: Mapping[str, str],
) -> list[Doubt]:
    """What is doubtful about a question and about those who answered it."""
    doubts = question_doubts(measured.agreement)
    doubts += suspected(question, given, measured.units, originals)
    if any(doubt.kind == "chance_level" for doubt in doubts):
        return doubts  # where nobody agrees with anybody, nobody stands out
    steps = question.max - question.min if isinstance(question, RatingQuestion) else 0
    doubts += at_chance(question.name, measured.compared)
    return doubts + drift(question.name, measured.agreement.kind, measured.compared, times, steps)
