"""Which of a person's answers count: each is checked by its question, and what is wrong is reported and left out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from bridge.annotations import Annotation
from bridge.errors import ValueRejected
from bridge.questions import LabelQuestion, MultiLabelQuestion, Question, SpanQuestion
from bridge.records import FieldValue, Record, Value
from bridge.templates import TaskTemplate, condition_text
from bridge.text import same_text


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with one person's answers to one record.

    Args:
        record: key of the record.
        annotator: pseudonym of the person.
        question: name of the question; empty where the whole annotation is meant.
        value: what was answered, as it came; None where nothing was.
        reason: what is wrong.
        remedy: what to do about it.
        kind: ``invalid`` (the answer was left out) or ``incomplete`` (an answer that had to be there is missing).
    """

    record: str
    annotator: str
    question: str
    value: object
    reason: str
    remedy: str
    kind: Literal["invalid", "incomplete"] = "invalid"

    def to_dict(self) -> dict[str, Any]:
        """The problem as a line of a file or a report."""
        return {
            "record": self.record,
            "annotator": self.annotator,
            "question": self.question,
            "value": _writable(self.value),
            "kind": self.kind,
            "reason": self.reason,
            "remedy": self.remedy,
        }


def why_not(annotation: Annotation, record: Record | None = None) -> str:
    """``submitted`` if an annotation counts, else why not: ``discarded``, ``draft``, ``deleted`` or ``changed``.

    Args:
        annotation: one person's answers to one record.
        record: the record as it is now, where it is known: answers to another text of it do not count.

    >>> why_not(Annotation("r1", "ann", "draft")), why_not(Annotation("r1", "ann", deleted=True))
    ('draft', 'deleted')
    """
    if annotation.deleted:
        return "deleted"
    judged = annotation.source.get("content")
    if judged and record and judged != record.key and judged != record.content:
        return "changed"
    return annotation.status


def check_answers(
    annotation: Annotation,
    template: TaskTemplate,
    fields: Mapping[str, FieldValue] | None = None,
    prefill: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
) -> tuple[dict[str, Value], list[Problem]]:
    """Return those answers of an annotation that count, in the template's order, and what is wrong with the others.

    A wrong answer is left out, never guessed and never fatal; the rest of the annotation stands. Only submitted
    annotations that were not withdrawn have answers.

    Args:
        annotation: one person's answers to one record.
        template: the task.
        fields: the record's fields, where they are known: spans and ranked items are then checked against them.
        prefill: the texts that text questions started with (:meth:`~bridge.templates.TaskTemplate.prefilled`);
            where a condition demands a rewrite, the same text again is none.
        labels: old label to new one; a label that its question has no more is brought over.

    >>> from bridge.templates import load_template
    >>> answers, problems = check_answers(Annotation("r1", "ann", answers={"rating": 9}), load_template("rating"))
    >>> answers, [(problem.kind, problem.reason) for problem in problems]
    ({}, [('invalid', 'rating: 9 is not on the scale')])
    """
    if annotation.status != "submitted" or annotation.deleted:
        return {}, []
    problems: list[Problem] = []

    def report(name: str, reason: str, remedy: str, kind: Literal["invalid", "incomplete"] = "invalid") -> None:
        value = annotation.answers.get(name) if name else dict(annotation.answers)
        problems.append(Problem(annotation.record, annotation.annotator, name, value, reason, remedy, kind))

    if not annotation.annotator.strip():
        report("", "the annotator has no id", "give every person a pseudonym: each person counts once")
        return {}, problems
    valid: dict[str, Value] = {}
    for name, value in annotation.answers.items():
        try:
            question = template.question(name)
            valid[name] = question.validate(brought_over(question, value, labels) if labels else value, fields)
        except ValueRejected as error:
            report(name, error.reason, error.remedy)
    answers: dict[str, Value] = {}
    for question in template.questions:
        name = question.name
        missing = question.is_required(valid) and valid.get(name) in (None, [])  # []: nothing ticked, nothing marked
        if name in valid and not missing:
            answers[name] = valid[name]
        # A required answer that was given but wrong has been reported already.
        if missing and (name in valid or name not in annotation.answers):
            report(name, f"{name}: there is no answer{_demand(template, question)}", _COMPLETE, "incomplete")
        elif _is_unchanged(question, valid, (prefill or {}).get(name)):
            report(name, f"{name}: the text is as it was{_demand(template, question)}", _COMPLETE, "incomplete")
    return answers, problems


def brought_over(question: Question, value: object, labels: Mapping[str, str]) -> object:
    """An answer with old labels in the place of which there are new ones now; what the question knows stays.

    >>> from bridge.templates import load_template
    >>> brought_over(load_template("label").question("label"), "wrong", {"wrong": "incorrect"})
    'incorrect'
    """
    known = getattr(question, "values", ())

    def now(label: object) -> object:
        return labels.get(label, label) if isinstance(label, str) and label not in known else label

    if isinstance(question, LabelQuestion):
        return now(value)
    if isinstance(question, MultiLabelQuestion) and isinstance(value, list):
        return list(dict.fromkeys(now(label) if isinstance(label, str) else repr(label) for label in value))
    if isinstance(question, SpanQuestion) and isinstance(value, list):
        return [
            {**span, "label": now(span["label"])} if isinstance(span, dict) and "label" in span else span
            for span in value
        ]
    return value


_COMPLETE = "ask the annotator to complete it, or use the answers as they are"


def _is_unchanged(question: Question, answers: Mapping[str, Value], prefill: str | None) -> bool:
    # Where a rewrite is always asked for, an unchanged one is approval; where a condition asks, it contradicts it.
    answer = answers.get(question.name)
    return (
        bool(question.required_when)
        and isinstance(answer, str)
        and prefill is not None
        and question.is_required(answers)
        and same_text(answer, prefill)
    )


def _demand(template: TaskTemplate, question: Question) -> str:
    if not question.required_when:
        return ""
    return f", and one is required where {condition_text(template, question.required_when)}"


def _writable(value: object) -> object:
    """The value itself, or what it looks like where JSON cannot hold it (NaN, say)."""
    try:
        json.dumps(value, allow_nan=False)
    except (ValueError, TypeError, RecursionError):
        return f"({type(value).__name__} that JSON cannot hold)"
    return value
