"""Argilla: each question kind as a question, a suggestion and a response.

Shapes were observed on Argilla 2.8.0. To render a new question kind, add a class with the three methods of
:class:`Kind` and an entry in :data:`KINDS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from bridge.errors import UsageError, ValueRejected
from bridge.questions import (
    MultiLabelQuestion,
    Question,
    RankingQuestion,
    RatingQuestion,
    SpanQuestion,
    TextQuestion,
)
from bridge.records import FieldValue, Value, text_of
from bridge.servers.argilla_texts import typed_text, unrendered
from bridge.templates import TaskTemplate, condition_text
from bridge.text import code_point_offset, utf16_offset

TITLE_LENGTH = 500
"""Longest title of a question; the page shows all of it."""
DESCRIPTION_LENGTH = 1000


class Kind(Protocol):
    """How Argilla asks one question kind, and how it writes its answers."""

    def settings(self, question: Any, items: Mapping[str, str]) -> dict[str, Any]:
        """The settings of the question; ``items`` are the ranked fields with their titles."""
        ...

    def to_value(self, question: Any, value: Any, fields: Mapping[str, FieldValue]) -> Any:
        """Our value as Argilla's; None where there is nothing to send."""
        ...

    def value(self, question: Any, value: Any, fields: Mapping[str, FieldValue]) -> Value | None:
        """Argilla's value as ours. What has another shape stays as it is, for validation to name."""
        ...


class Rating:
    """Numbered buttons."""

    def settings(self, question: RatingQuestion, items: Mapping[str, str]) -> dict[str, Any]:
        return {"type": "rating", "options": [{"value": n} for n in range(question.min, question.max + 1)]}

    def to_value(self, question: RatingQuestion, value: int, fields: Mapping[str, FieldValue]) -> Any:
        return value

    def value(self, question: RatingQuestion, value: Any, fields: Mapping[str, FieldValue]) -> Value | None:
        rating: Value | None = value
        return rating


class Label(Rating):
    """One label of several."""

    def settings(self, question: Any, items: Mapping[str, str]) -> dict[str, Any]:
        return {"type": "label_selection", "options": _options(question)}


class MultiLabel(Rating):
    """Any number of labels."""

    def settings(self, question: Any, items: Mapping[str, str]) -> dict[str, Any]:
        return {"type": "multi_label_selection", "options": _options(question)}

    def to_value(self, question: Any, value: Any, fields: Mapping[str, FieldValue]) -> Any:
        return value or None  # an empty list is refused


class Text(Rating):
    """A text box, never Markdown: what is typed is the answer."""

    def settings(self, question: Any, items: Mapping[str, str]) -> dict[str, Any]:
        return {"type": "text", "use_markdown": False}

    def to_value(self, question: Any, value: Any, fields: Mapping[str, FieldValue]) -> Any:
        return unrendered(value)

    def value(self, question: Any, value: Any, fields: Mapping[str, FieldValue]) -> Value | None:
        text: Value = typed_text(value) if isinstance(value, str) else value
        return None if isinstance(text, str) and not text.strip() else text  # an emptied box is no answer


class Ranking:
    """Cards with the responses' names, dragged into order; several may share a rank."""

    def settings(self, question: RankingQuestion, items: Mapping[str, str]) -> dict[str, Any]:
        return {"type": "ranking", "options": [{"value": name, "text": title} for name, title in items.items()]}

    def to_value(self, question: RankingQuestion, value: Mapping[str, int], fields: Mapping[str, FieldValue]) -> Any:
        return [{"value": item, "rank": rank} for item, rank in sorted(value.items(), key=lambda pair: pair[1])]

    def value(self, question: RankingQuestion, value: Any, fields: Mapping[str, FieldValue]) -> Value | None:
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            other: Value | None = value
            return other
        given = {item.get("value"): item.get("rank") for item in value if item.get("rank") is not None}
        # Every card must be placed, also those of responses that this record does not have.
        ranks: dict[str, Any] = {item: rank for item, rank in given.items() if not fields or fields.get(item)}
        if len(ranks) < len(given) and all(isinstance(rank, int) for rank in given.values()):
            empty = set(given.values()) - set(ranks.values())
            ranks = {item: rank - sum(gap < rank for gap in empty) for item, rank in ranks.items()}
        return dict(sorted(ranks.items(), key=lambda pair: str(pair[1]).zfill(9))) or None


class Span:
    """Labels on passages of a text. The page counts UTF-16 units of what it shows; we count code points."""

    def settings(self, question: SpanQuestion, items: Mapping[str, str]) -> dict[str, Any]:
        return {"type": "span", "field": question.field, "options": _options(question), "allow_overlapping": True}

    def to_value(self, question: SpanQuestion, value: list[dict[str, Any]], fields: Mapping[str, FieldValue]) -> Any:
        text = text_of(fields.get(question.field, ""))
        return [
            {**span, "start": utf16_offset(text, span["start"]), "end": utf16_offset(text, span["end"])}
            for span in value
        ]

    def value(self, question: SpanQuestion, value: Any, fields: Mapping[str, FieldValue]) -> Value | None:
        text = text_of(fields.get(question.field, ""))
        try:
            return [
                {
                    "start": code_point_offset(text, span["start"]),
                    "end": code_point_offset(text, span["end"]),
                    "label": span["label"],
                }
                for span in value
            ]
        except (ValueRejected, TypeError, KeyError):
            kept: Value = value
            return kept


def _options(question: Any) -> list[dict[str, str]]:
    return [{"value": option.value, "text": option.title} for option in question.options]


KINDS: dict[str, Kind] = {
    "rating": Rating(),
    "label": Label(),
    "multi_label": MultiLabel(),
    "text": Text(),
    "ranking": Ranking(),
    "span": Span(),
}


def fields_of(template: TaskTemplate, repeats: int = 0) -> list[dict[str, Any]]:
    """The fields of a dataset for a template, as the server takes them."""
    bodies = []
    for name in template.field_names(repeats):
        spec = template.field_for(name)
        assert spec is not None
        needed = spec.required and (spec.repeat is None or int(name.rpartition("_")[2]) <= spec.repeat.min)
        settings = {"type": "chat" if spec.type == "chat" else "text", "use_markdown": False}
        bodies.append({"name": name, "title": _title(template, name), "required": needed, "settings": settings})
    return bodies


def questions_of(template: TaskTemplate, repeats: int = 0) -> list[dict[str, Any]]:
    """The questions of a dataset for a template, as the server takes them.

    A dataset needs one required question. Where a template has none, one that people can leave as it is becomes it.

    Raises:
        UsageError: there is none, so that people could not submit without an answer that they need not give.
    """
    names = template.field_names(repeats)
    free = None if any(map(_always_required, template.questions)) else _answered_untouched(template)
    bodies = []
    for question in template.questions:
        items = {}
        if isinstance(question, RankingQuestion):
            items = {name: _title(template, name) for name in question.item_names(names)}
        notes = [_scale(question), _required_when(template, question), _untouched(question) if question is free else ""]
        title, description = _said(question, notes)
        bodies.append(
            {
                "name": question.name,
                "title": title,
                **({"description": description} if description else {}),
                "required": _always_required(question) or question is free,
                "settings": KINDS[question.type].settings(question, items),
            }
        )
    return bodies


def _always_required(question: Question) -> bool:
    return question.required and not question.required_when


def _untouched(question: Question) -> str:
    if isinstance(question, SpanQuestion):
        return "may stay empty"
    return "may stay as it is" if isinstance(question, TextQuestion) and question.prefill else ""


def _answered_untouched(template: TaskTemplate) -> Question:
    """A question that is answered before anybody touches it: nothing marked is an answer, and so is a text as it was.

    The only question of a template will do too, because who submits without answering it says nothing; except where
    ticking nothing is an answer.

    Raises:
        UsageError: there is none.
    """
    for question in template.questions:
        if isinstance(question, SpanQuestion):
            return question
    for question in template.questions:
        field = template.field_for(question.prefill or "") if isinstance(question, TextQuestion) else None
        if field is not None and field.required:
            return question
    if len(template.questions) == 1 and not isinstance(template.questions[0], MultiLabelQuestion):
        return template.questions[0]
    raise UsageError(
        f"question {template.questions[0].name!r}: Argilla needs a question that must be answered, and all of these "
        "may be left out",
        remedy="make one required, with a choice such as 'No problem' where nothing may apply",
    )


def _said(question: Question, notes: list[str]) -> tuple[str, str]:
    """A question's title and description, each with the notes that fit in.

    Descriptions are shown only to those who point at a small sign, so the title takes what it can.

    >>> _said(RatingQuestion(type="rating", name="r", title="Good?", description="Look it up."), ["1 = bad", ""])
    ('Good? (1 = bad)', 'Look it up.')
    """
    title, hidden = question.title, question.description
    for note in filter(None, notes):
        if len(title) + len(note) + 3 <= TITLE_LENGTH:
            title = f"{title} ({note})"
        else:
            hidden = f"{hidden}\n{note}".strip()
    return title, hidden if len(hidden) <= DESCRIPTION_LENGTH else f"{hidden[: DESCRIPTION_LENGTH - 1]}…"


def _scale(question: Question) -> str:
    labels = question.labels if isinstance(question, RatingQuestion) else {}
    return ", ".join(f"{number} = {label}" for number, label in sorted(labels.items()))


def _required_when(template: TaskTemplate, question: Question) -> str:
    return f"required when {condition_text(template, question.required_when)}" if question.required_when else ""


def _title(template: TaskTemplate, name: str) -> str:
    spec = template.field_for(name)
    assert spec is not None
    return f"{spec.title} {name.removeprefix(spec.name).lstrip('_')}".strip()


def to_suggestions(
    template: TaskTemplate, answers: Mapping[str, Value], fields: Mapping[str, FieldValue], repeats: int | None = None
) -> dict[str, Any]:
    """Question name to value, as suggestions and responses hold it; without those that have nothing to send.

    With ``repeats`` the cards of responses that the record does not have are placed last, because Argilla takes a
    ranking only when every card is placed; :func:`to_answers` leaves them out again.
    """
    values: dict[str, Any] = {}
    for question in template.questions:
        value = None
        if question.name in answers:
            value = KINDS[question.type].to_value(question, answers[question.name], fields)
        if isinstance(question, RankingQuestion) and repeats is not None and (value or _always_required(question)):
            cards = question.item_names(template.field_names(repeats))
            absent = [{"value": card, "rank": len(cards)} for card in cards if not fields.get(card)]
            value = [*(value or ()), *absent] or None
        if value is not None:
            values[question.name] = value
    return values


def to_answers(questions: Mapping[str, Question], values: object, fields: Mapping[str, FieldValue]) -> dict[str, Value]:
    """The ``values`` of a response as answers.

    What is not ours is kept under its own name, so that validation can name it; nothing ticked and nothing marked
    are answers: an empty list.
    """
    given = {
        name: item.get("value")
        for name, item in (values if isinstance(values, dict) else {}).items()
        if item is not None
    }
    answers: dict[str, Value] = {}
    for name, question in questions.items():
        raw = given.pop(name, None)
        if raw is None and isinstance(question, MultiLabelQuestion | SpanQuestion):
            raw = []
        value = None if raw is None else KINDS[question.type].value(question, raw, fields)
        if value is not None:
            answers[name] = value
    return {**answers, **given}
