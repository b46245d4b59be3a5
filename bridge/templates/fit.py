"""Whether the parts of a template fit each other: names, conditions and training rules that point at one another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeAlias

from bridge.complaints import Place
from bridge.questions import (
    Bounds,
    Conditions,
    LabelQuestion,
    Question,
    RankingQuestion,
    RatingQuestion,
    SpanQuestion,
    TextQuestion,
    numbered,
)
from bridge.templates.training import AnySource, KtoSource, SftSource, Training

if TYPE_CHECKING:
    from bridge.templates.task import TaskTemplate

_Is: TypeAlias = Callable[[str], bool]

Misfit = tuple[Place, str]
"""Where something in a template does not fit the rest, and why."""


def misfits(template: TaskTemplate) -> Iterator[Misfit]:
    """Everything in a template that does not fit the rest, in the order of the file's sections."""
    yield from _name_misfits(template)
    for index, question in enumerate(template.questions):
        for place, reason in _question_misfits(template, question):
            yield ("questions", index, *place), reason
    if template.training:
        for place, reason in _training_misfits(template, template.training):
            yield ("training", *place), reason


def _name_misfits(template: TaskTemplate) -> Iterator[Misfit]:
    repeated = [spec.name for spec in template.fields if spec.repeat]
    seen: set[str] = set()
    parts: list[tuple[str, int, str]] = [
        *(("fields", index, spec.name) for index, spec in enumerate(template.fields)),
        *(("questions", index, question.name) for index, question in enumerate(template.questions)),
    ]
    for kind, index, name in parts:
        stem, _ = numbered(name) or ("", 0)
        if name in seen:
            yield (kind, index, "name"), f"{name!r} names two things"
        if name.startswith("bridge_"):
            yield (kind, index, "name"), "names that start with 'bridge_' are reserved"
        if stem in repeated:
            yield (kind, index, "name"), f"{name!r} looks like one of the repeated field {stem!r}"
        seen.add(name)
    for index, spec in enumerate(template.fields):
        if spec.repeat and spec.name != repeated[0]:
            yield ("fields", index, "repeat"), "only one field can be repeated"


def _question_misfits(template: TaskTemplate, question: Question) -> Iterator[Misfit]:
    for place, reason in _condition_misfits(template, question.required_when):
        yield ("required_when", *place), reason
    if isinstance(question, TextQuestion) and question.prefill and template.field_for(question.prefill) is None:
        yield ("prefill",), f"{question.prefill!r} is not a field"
    if isinstance(question, SpanQuestion):
        spec = template.field_for(question.field)
        if spec is None or spec.type != "text":
            yield ("field",), f"{question.field!r} is not a text field"
    if isinstance(question, RankingQuestion):
        items = question.items
        if isinstance(items, str) and not any(f.name == items and f.repeat for f in template.fields):
            yield ("items",), f"{items!r} is not a repeated field"
        for index, item in enumerate(items if isinstance(items, list) else ()):
            if template.field_for(item) is None:
                yield ("items", index), f"{item!r} is not a field"
    for index, option in enumerate(getattr(question, "options", ())):
        if option.picks and (not isinstance(question, LabelQuestion) or template.field_for(option.picks) is None):
            yield ("options", index, "picks"), f"{option.picks!r} must be a field, on an option of a label question"


def _condition_misfits(template: TaskTemplate, conditions: Conditions) -> Iterator[Misfit]:
    questions = {question.name: question for question in template.questions}
    for name, condition in conditions.items():
        question = questions.get(name)
        if question is None:
            yield (name,), f"{name!r} is not a question"
        elif isinstance(condition, Bounds) != isinstance(question, RatingQuestion | SpanQuestion):
            yield (name,), f"{name!r} is a {question.type}; ratings and spans take min/max, labels a list"
        elif not isinstance(condition, Bounds):
            for index, value in enumerate(condition):
                if value not in getattr(question, "values", ()):
                    yield (name, index), f"{name!r} has no label {value!r}"


def _training_misfits(template: TaskTemplate, training: Training) -> Iterator[Misfit]:
    questions = {q.name: q for q in template.questions}

    def is_choice(name: str) -> bool:
        question = questions.get(name)
        return isinstance(question, RankingQuestion) or (
            isinstance(question, LabelQuestion) and any(o.picks for o in question.options)
        )

    def is_text(name: str) -> bool:
        return isinstance(questions.get(name), TextQuestion) or template.field_for(name) is not None

    for index, name in enumerate(training.prompt):
        if template.field_for(name) is None:
            yield ("prompt", index), f"{name!r} is not a field"
    for kind, index, source in training.sources():
        for place, reason in _source_misfits(template, source, is_choice, is_text):
            yield (kind, index, *place), reason
        conditions = {"when": source.when}
        if isinstance(source, KtoSource):
            conditions |= {"desirable": source.desirable or {}, "undesirable": source.undesirable or {}}
        for name, when in conditions.items():
            for place, reason in _condition_misfits(template, when):
                yield (kind, index, name, *place), reason


def _source_misfits(template: TaskTemplate, source: AnySource, is_choice: _Is, is_text: _Is) -> Iterator[Misfit]:
    questions = {q.name: q for q in template.questions}
    if isinstance(source, SftSource):
        if not is_text(source.use) and not is_choice(source.use):
            yield ("use",), f"{source.use!r} is no field, text, preference or ranking"
        if source.unchanged == "approve" and not getattr(questions.get(source.use), "prefill", None):
            yield ("unchanged",), f"{source.use!r} is no text question with 'prefill', which can stay unchanged"
        return
    if isinstance(source, KtoSource):
        if not is_text(source.use):
            yield ("use",), f"{source.use!r} is no field and no text question"
        return
    if source.pairs is not None and not is_choice(source.pairs):
        yield ("pairs",), f"{source.pairs!r} is no ranking and no label question with 'picks'"
    for side, text in (("chosen", source.chosen), ("rejected", source.rejected)):
        if text is not None and not is_text(text):
            yield (side,), f"{text!r} is no field and no text question"
    if source.of is not None and template.field_for(source.of) is None:
        yield ("of",), f"{source.of!r} is not a field"
    asked: dict[Place, str | None] = {("score",): getattr(source, "score", None)}
    if isinstance(source.ratings, dict):
        for field, name in source.ratings.items():
            if template.field_for(field) is None:
                yield ("ratings", field), f"{field!r} is not a field"
            asked["ratings", field] = name
    else:
        asked["ratings",] = source.ratings
    for place, rating in asked.items():
        if rating is not None and not isinstance(questions.get(rating), RatingQuestion):
            yield place, f"{rating!r} is no rating question"
