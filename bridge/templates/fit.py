"""Whether the parts of a template fit each other: names, conditions and training rules that point at one another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from bridge.templates.task import TaskTemplate, Training

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
    for index, sft in enumerate(training.sft):
        if not is_text(sft.use) and not is_choice(sft.use):
            yield ("sft", index, "use"), f"{sft.use!r} is no field, text, preference or ranking"
    for index, dpo in enumerate(training.dpo):
        if dpo.pairs is not None and not is_choice(dpo.pairs):
            yield ("dpo", index, "pairs"), f"{dpo.pairs!r} is no ranking and no label question with 'picks'"
        for side, text in (("chosen", dpo.chosen), ("rejected", dpo.rejected)):
            if text is not None and not is_text(text):
                yield ("dpo", index, side), f"{text!r} is no field and no text question"
    conditions = {("sft", index): sft.when for index, sft in enumerate(training.sft)}
    conditions |= {("dpo", index): dpo.when for index, dpo in enumerate(training.dpo)}
    for source, when in conditions.items():
        for place, reason in _condition_misfits(template, when):
            yield (*source, "when", *place), reason
