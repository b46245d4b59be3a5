"""What people answered so far, as a text that adjudicators read: who is who stays unknown."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from bridge.questions import Question, RatingQuestion, TextQuestion
from bridge.records import Record, Value, text_of
from bridge.templates import TaskTemplate

Given: TypeAlias = Mapping[str, Mapping[str, Value]]
"""Question to person to answer."""


def earlier_answers(record: Record, given: Given, template: TaskTemplate) -> str:
    """Everybody's answers to a record, question by question, of Person 1, Person 2 and so on.

    Within a record a number is always the same person. Which number somebody has is drawn anew for each record, from
    its key, so that nobody can be followed from one to the next. Labels stand with their titles, texts as they are.

    Args:
        record: as the adjudicators see it.
        given: the answers, in the terms of that record; questions that the template does not have are passed over.
        template: the task.

    >>> from bridge.templates import load_template
    >>> record = Record("r1", {"prompt": "2 + 2?", "response": "4"})
    >>> given = {"rating": {"ann": 5, "bo": 1}, "label": {"bo": "partially_correct"}}
    >>> print(earlier_answers(record, given, load_template("review")))
    How good is the response?
    Person 1: 1 (useless)
    Person 2: 5 (excellent)
    <BLANKLINE>
    Is the response correct?
    Person 1: Partially correct
    """
    people = {who for answers in given.values() for who in answers}
    drawn = sorted(people, key=lambda who: hashlib.sha256(f"{record.key}\0{who}".encode()).digest())
    parts = []
    for question in template.questions:
        answers = given.get(question.name, {})
        said = [
            f"Person {number}:{_said(question, answers[who], record, template)}"
            for number, who in enumerate(drawn, 1)
            if who in answers
        ]
        if said:
            parts.append("\n".join([question.title, *said]))
    return "\n\n".join(parts)


def _said(question: Question, value: Any, record: Record, template: TaskTemplate) -> str:
    if isinstance(question, TextQuestion):
        return f"\n{value}"
    if isinstance(question, RatingQuestion):
        return f" {value} ({question.labels[value]})" if value in question.labels else f" {value}"
    return f" {_KINDS[question.type](question, value, record, template)}"


def _label(question: Any, value: str, record: Record, template: TaskTemplate) -> str:
    return next((str(option.title) for option in question.options if option.value == value), value)


def _labels(question: Any, value: list[str], record: Record, template: TaskTemplate) -> str:
    return ", ".join(_label(question, label, record, template) for label in value) or "none of them"


def _ranks(question: Any, value: dict[str, int], record: Record, template: TaskTemplate) -> str:
    places: dict[int, list[str]] = {}
    for item, rank in sorted(value.items(), key=lambda pair: pair[1]):
        places.setdefault(rank, []).append(_field_title(item, template))
    return ", then ".join(" = ".join(titles) for titles in places.values())


def _spans(question: Any, value: list[dict[str, Any]], record: Record, template: TaskTemplate) -> str:
    text = text_of(record.fields[question.field]) if question.field in record.fields else ""
    return (
        "; ".join(
            f"“{text[span['start'] : span['end']]}” ({_label(question, span['label'], record, template)})"
            for span in value
        )
        or "nothing is marked"
    )


def _field_title(name: str, template: TaskTemplate) -> str:
    spec = template.field_for(name)
    # Of a repeated field, the number is a part of what people see above it.
    return f"{spec.title} {name.removeprefix(spec.name).lstrip('_')}".strip() if spec else name


_KINDS: dict[str, Callable[[Any, Any, Record, TaskTemplate], str]] = {
    "label": _label,
    "multi_label": _labels,
    "ranking": _ranks,
    "span": _spans,
}
