"""Task templates: what is shown, what is asked, and how answers become training rows.

A template is one YAML file, read safely: unknown keys are refused, size and depth are capped, and nothing in it is
code, a path or an address. The schema is published as JSON Schema (``annobridge templates --schema``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError, field_validator, model_validator

from bridge.errors import TemplateError, ValueRejected
from bridge.fields import FieldSpec
from bridge.questions import (
    Bounds,
    Conditions,
    LabelQuestion,
    Misplaced,
    Name,
    Part,
    Prose,
    Question,
    RankingQuestion,
    RatingQuestion,
    SpanQuestion,
    TextQuestion,
    Title,
    Version,
    numbered,
)
from bridge.records import FieldValue, Record, answer_text, canonical_json
from bridge.text import shown
from bridge.yamlfile import Place, YamlFile, read_yaml


class SftSource(Part):
    """Where an SFT completion can come from.

    ``use`` names a field (the response that people approved), a text question (its rewrites), a label question with
    ``picks`` (the preferred response) or a ranking (the best one). ``when`` says which answers let it through.
    """

    use: Name
    when: Conditions = {}


class DpoSource(Part):
    """Where a preference pair comes from: ``chosen`` over ``rejected``, or the ``pairs`` of a preference or ranking."""

    chosen: Name | None = None
    rejected: Name | None = None
    pairs: Name | None = None
    when: Conditions = {}

    @model_validator(mode="after")
    def _one_form(self) -> DpoSource:
        if (self.pairs is None) != (self.chosen is not None and self.rejected is not None) or (
            self.pairs is not None and (self.chosen or self.rejected)
        ):
            raise ValueError("give either 'chosen' and 'rejected', or 'pairs'")
        return self


_Prompt = Annotated[list[Name], Field(min_length=1, max_length=5)]


class Training(Part):
    """How merged answers become training rows.

    ``prompt`` is one field or several, put after the ``instruction``; a chat gives the turns before its last answer.
    For SFT the first source that yields a row is used; for DPO all of them are.
    """

    prompt: _Prompt
    instruction: Prose = ""
    sft: list[SftSource] = []
    dpo: list[DpoSource] = []

    @field_validator("prompt", mode="before", json_schema_input_type=Name | _Prompt)
    @classmethod
    def _one_prompt(cls, prompt: Any) -> Any:
        return [prompt] if isinstance(prompt, str) else prompt


class TaskTemplate(Part):
    """A task: its fields, its questions and its way to training rows.

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
        for place, reason in _misfits(self):
            raise Misplaced(place, reason)
        return self

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> TaskTemplate:
        """A copy, without what was looked up in the original's fields."""
        copy = super().model_copy(update=update, deep=deep)
        for cache in ("_by_name", "_layouts"):
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
        return sum(1 for name in fields if (spec := self.field_for(name)) is not None and spec.repeat is not None)

    def check_fields(self, fields: Mapping[str, object]) -> dict[str, FieldValue]:
        """Check a record's fields and return them in the template's order, in their one form.

        Raises:
            ValueRejected: a field is missing, unknown, of the wrong type, or cannot be shown.
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

    @property
    def fingerprint(self) -> str:
        """A hash of everything that gives answers their meaning: fields, question names, kinds, labels and scales.

        Wording, guidelines and training rules may change in mid-campaign without making another task of it.
        """
        meaning: dict[str, Any] = {
            "fields": [[f.name, f.type, f.repeat is not None] for f in self.fields],
            "questions": [
                [q.name, q.type]
                + [list(getattr(q, "values", []))]
                + [getattr(q, key, None) for key in ("min", "max", "items", "field", "prefill")]
                for q in self.questions
            ],
        }
        return hashlib.sha256(canonical_json(meaning)).hexdigest()[:16]

    def prefilled(self, record: Record) -> dict[str, str]:
        """Text questions that start as a field's text: question name to that text."""
        return {
            q.name: answer_text(record.fields[q.prefill])
            for q in self.questions
            if isinstance(q, TextQuestion) and q.prefill and q.prefill in record.fields
        }


def condition_text(template: TaskTemplate, conditions: Conditions) -> str:
    """Conditions as a sentence for annotators.

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


_Misfit = tuple[Place, str]
"""Where something in a template does not fit the rest, and why."""


def _misfits(template: TaskTemplate) -> Iterator[_Misfit]:
    yield from _name_misfits(template)
    for index, question in enumerate(template.questions):
        for place, reason in _question_misfits(template, question):
            yield ("questions", index, *place), reason
    if template.training:
        for place, reason in _training_misfits(template, template.training):
            yield ("training", *place), reason


def _name_misfits(template: TaskTemplate) -> Iterator[_Misfit]:
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


def _question_misfits(template: TaskTemplate, question: Question) -> Iterator[_Misfit]:
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


def _condition_misfits(template: TaskTemplate, conditions: Conditions) -> Iterator[_Misfit]:
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


def _training_misfits(template: TaskTemplate, training: Training) -> Iterator[_Misfit]:
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


def template_folder() -> Path:
    """Where the ready-made templates lie: inside the installed package, or beside it in a checkout."""
    here = Path(__file__).resolve().parent
    packaged = here / "task_templates"
    return packaged if packaged.is_dir() else here.parent / "task_templates"


def template_names() -> list[str]:
    """Names of the ready-made templates, sorted.

    >>> "review" in template_names()
    True
    """
    return sorted(path.stem for path in template_folder().glob("*.yaml"))


def load_template(name_or_path: str | Path) -> TaskTemplate:
    """Load a ready-made template by name, or one's own by path (anything with a slash or ending in ``.yaml``).

    Raises:
        TemplateError: there is none, or it is wrong; names file, line and remedy.

    >>> load_template("rating").title
    'Rate a response'
    """
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or "/" in text or "\\" in text or text.endswith((".yaml", ".yml")):
        path = Path(name_or_path)
    else:
        path = template_folder() / f"{text}.yaml"
        if text not in template_names():
            raise TemplateError(
                f"there is no ready-made template {shown(text)}",
                remedy=f"use one of {', '.join(template_names())}, or the path of your own, such as ./mine.yaml",
            )
    return parse_template(read_yaml(path, TemplateError))


def parse_template(source: YamlFile) -> TaskTemplate:
    """Check a template that was read from YAML.

    Raises:
        TemplateError: names file, line and remedy.
    """
    try:
        return TaskTemplate.model_validate(source.data)
    except ValidationError as error:
        remedy = "see docs/templates.md, or a ready-made one: annobridge templates show review"
        raise source.explain(error, TemplateError, remedy) from None


def template_schema() -> dict[str, Any]:
    """The template's JSON Schema, for editors and other tools."""
    schema: dict[str, Any] = _without_examples(TaskTemplate.model_json_schema())
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "annobridge task template",
    }


def _without_examples(schema: Any) -> Any:
    """A schema whose descriptions end before the examples that a docstring has for readers of Python."""
    if isinstance(schema, list):
        return [_without_examples(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: value.partition(">>>")[0].strip()
        if key == "description" and isinstance(value, str)
        else _without_examples(value)
        for key, value in schema.items()
    }
