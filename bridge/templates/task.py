"""Task templates: what is shown, what is asked, and how answers become training rows.

A template is one YAML file, read safely: unknown keys are refused, size and depth are capped, and nothing in it is
code, a path or an address. The schema is published as JSON Schema (``annobridge templates --schema``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import cached_property
from importlib import import_module
from types import ModuleType
from typing import Annotated, Any

from pydantic import Field, model_validator

from bridge.errors import ValueRejected
from bridge.fields import FieldSpec
from bridge.questions import (
    Bounds,
    Conditions,
    Misfits,
    Misplaced,
    Name,
    Part,
    Prose,
    Question,
    TextQuestion,
    Title,
    Version,
    numbered,
)
from bridge.records import FieldValue, Record, answer_text, canonical_json
from bridge.templates.chats import Use, check_chat, trained_chats
from bridge.templates.fit import misfits
from bridge.templates.training import Training
from bridge.text import shown


class TaskTemplate(Part):
    """A task: its fields, its questions and its way to training rows.

    >>> from bridge.templates import load_template
    >>> template = load_template("review")
    >>> [question.name for question in template.questions]
    ['rating', 'label', 'improved_response']
    """

    version: Version
    name: Name
    title: Title
    description: Prose = ""
    guidelines: Prose = ""
    fields: Annotated[list[FieldSpec], Field(min_length=1, max_length=20)]
    questions: Annotated[list[Question], Field(min_length=1, max_length=20)]
    training: Training | None = None

    @model_validator(mode="after")
    def _consistent(self) -> TaskTemplate:
        if problems := [Misplaced(place, reason) for place, reason in misfits(self)]:
            raise Misfits(problems)
        return self

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> TaskTemplate:
        """A copy, without what was looked up in the original's fields."""
        copy = super().model_copy(update=update, deep=deep)
        for cache in ("_by_name", "_layouts", "_chats"):
            copy.__dict__.pop(cache, None)
        return copy

    def question(self, name: str) -> Question:
        """The question of that name.

        Raises:
            ValueRejected: there is none.
        """
        for question in self.questions:
            if question.name == name:
                return question
        raise ValueRejected(
            f"{shown(name)}: the template {self.name!r} has no such question",
            remedy=f"its questions are {', '.join(q.name for q in self.questions)}",
        )

    def field_for(self, name: str) -> FieldSpec | None:
        """The specification of a field; repeated fields are found by their numbered names (``response_2``)."""
        spec = self._by_name.get(name)
        if spec is not None:
            return None if spec.repeat else spec
        stem, number = numbered(name) or ("", 0)
        spec = self._by_name.get(stem)
        return spec if spec and spec.repeat and number <= spec.repeat.max else None

    @cached_property
    def _by_name(self) -> dict[str, FieldSpec]:
        return {spec.name: spec for spec in self.fields}

    def field_names(self, repeats: int = 0) -> list[str]:
        """Names of a record's fields in order; repeated ones ``repeats`` times (at least as often as they must be)."""
        names: list[str] = []
        for spec in self.fields:
            if spec.repeat:
                count = min(max(repeats, spec.repeat.min), spec.repeat.max)
                names += [f"{spec.name}_{number}" for number in range(1, count + 1)]
            else:
                names.append(spec.name)
        return names

    def repeats(self, fields: Iterable[str]) -> int:
        """How often the repeated field stands in a record with these fields; 0 where the template repeats none."""
        if not self._repeating:
            return 0
        return sum(1 for name in fields if (spec := self.field_for(name)) is not None and spec.repeat is not None)

    @cached_property
    def _repeating(self) -> bool:
        return any(spec.repeat for spec in self.fields)

    def check_fields(self, fields: Mapping[str, object]) -> dict[str, FieldValue]:
        """Check a record's fields and return them in the template's order, in their one form.

        Raises:
            ValueRejected: a field is missing, unknown, of the wrong type, cannot be shown, or is a chat of which
                no training row could be made.
        """
        known, unknown = self._layout(tuple(fields))
        checked: dict[str, FieldValue] = {}
        gap = ""
        for name, spec in known:
            value = fields.get(name)
            if value is None or (not spec.required and value in ("", [])):
                if spec.required:
                    raise ValueRejected(
                        f"{name}: missing", remedy=f"add it, or name its column with --map {name}=COLUMN"
                    )
                if spec.repeat:
                    gap = gap or name
                continue
            if gap and spec.repeat:
                raise ValueRejected(f"{gap}: missing, while there is {name}", remedy="number them without a gap")
            checked[name] = spec.check(name, value)
        if unknown is not None:
            raise ValueRejected(
                f"{shown(unknown)}: the template {self.name!r} has no such field",
                remedy=f"its fields are {', '.join(self.field_names())}",
            )
        for name, use in self._chats.items():
            chat = checked.get(name)
            if isinstance(chat, list):
                check_chat(name, chat, use)
        return checked

    def _layout(self, names: tuple[str, ...]) -> tuple[list[tuple[str, FieldSpec]], str | None]:
        """The fields to expect in a record with these names, in order, and the first name that is no field."""
        layout = self._layouts.get(names)
        if layout is None:
            expected = self.field_names(max((self._number(name) for name in names), default=0))
            known = [(name, spec) for name in expected if (spec := self.field_for(name)) is not None]
            layout = known, next((name for name in names if self.field_for(name) is None), None)
            if len(self._layouts) < 1000:  # of a hostile file, every row may have names of its own
                self._layouts[names] = layout
        return layout

    def _number(self, name: str) -> int:
        """Which of the repeated fields it is; 0 for any other name."""
        spec = self.field_for(name)
        return (numbered(name) or ("", 0))[1] if spec and spec.repeat else 0

    @cached_property
    def _layouts(self) -> dict[tuple[str, ...], tuple[list[tuple[str, FieldSpec]], str | None]]:
        # Nearly all records of a file have the same names, and looking each of them up costs more than checking it.
        return {}

    @cached_property
    def _chats(self) -> dict[str, Use]:
        return trained_chats(self)

    @property
    def fingerprint(self) -> str:
        """A hash of everything that gives answers their meaning: fields, question names, kinds, labels and scales.

        Wording, guidelines and training rules may change in mid-campaign without making another task of it.
        """
        return self._hash(labels=True)

    @property
    def shape(self) -> str:
        """The same without the labels: with answers of another label set, everything else still means the same."""
        return self._hash(labels=False)

    def _hash(self, *, labels: bool) -> str:
        meaning: dict[str, Any] = {
            "fields": [[f.name, f.type, f.repeat is not None] for f in self.fields],
            "questions": [
                [q.name, q.type]
                + [list(getattr(q, "values", []))] * labels
                + [getattr(q, key, None) for key in ("min", "max", "items", "field", "prefill")]
                for q in self.questions
            ],
        }
        return hashlib.sha256(canonical_json(meaning)).hexdigest()[:16]

    def to_argilla_settings(self, repeats: int = 0, annotators_per_record: int = 1) -> Any:
        """The template as Argilla's own ``argilla.Settings`` (see :func:`bridge.interop.argilla_settings`).

        Raises:
            UsageError: Argilla's SDK is not installed, or Argilla cannot carry the template.
        """
        return _interop().argilla_settings(self, repeats, annotators_per_record)

    def to_label_config(self, repeats: int = 0) -> str:
        """The template as a labelling config of Label Studio (see :func:`bridge.interop.label_studio_config`).

        Raises:
            UsageError: Label Studio cannot carry the template.
        """
        config: str = _interop().label_studio_config(self, repeats)
        return config

    def prefilled(self, record: Record) -> dict[str, str]:
        """Text questions that start as a field's text: question name to that text."""
        return {
            q.name: answer_text(record.fields[q.prefill])
            for q in self.questions
            if isinstance(q, TextQuestion) and q.prefill and q.prefill in record.fields
        }


def _interop() -> ModuleType:
    # Templates know no server. These two methods stand here because people look for them on a template; the work is
    # done at the end of the flow, which is found by its name when it is called, so that nothing here depends on it.
    return import_module("bridge.interop")


def condition_text(template: TaskTemplate, conditions: Conditions) -> str:
    """Conditions as a sentence for annotators.

    >>> from bridge.templates import load_template
    >>> condition_text(load_template("review"), {"rating": Bounds(max=3)})
    '"How good is the response?" is 3 or lower'
    """
    parts = []
    for name, condition in conditions.items():
        question = template.question(name)
        if isinstance(condition, Bounds):
            if condition.min is not None and condition.max is not None:
                meaning = f"from {condition.min} to {condition.max}"
            elif condition.max is not None:
                meaning = f"{condition.max} or lower"
            else:
                meaning = f"{condition.min} or higher"
        else:
            titles = {o.value: o.title for o in getattr(question, "options", [])}
            meaning = " or ".join(titles.get(value, value) for value in condition)
        parts.append(f'"{question.title}" is {meaning}')
    return " and ".join(parts)
