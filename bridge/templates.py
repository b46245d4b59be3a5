"""Task templates: what is shown, what is asked, and how answers become training rows.

A template is one YAML file, read safely: unknown keys are refused, size and depth are capped, and nothing in it is
code, a path or an address. The schema is published as JSON Schema (``annobridge templates --schema``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from bridge.errors import TemplateError, ValueRejected
from bridge.questions import (
    Bounds,
    Conditions,
    LabelQuestion,
    Name,
    Part,
    Prose,
    Question,
    RankingQuestion,
    RatingQuestion,
    SpanQuestion,
    TextQuestion,
    Title,
)
from bridge.records import FieldValue, Record, answer_text, canonical_json
from bridge.text import check_text
from bridge.yamlfile import YamlFile, read_yaml

MAX_MESSAGES = 500


class Repeat(Part):
    """A field that stands several times: ``response`` becomes response_1, response_2 and so on."""

    min: int = Field(2, ge=1, le=20)
    max: int = Field(10, ge=1, le=20)


class FieldSpec(Part):
    """One field of a record: a text, a chat between user and assistant, or a transcript of people talking.

    ``half`` fields stand side by side where the screen is wide enough.
    """

    name: Name
    title: Title
    type: Literal["text", "chat", "transcript"] = "text"
    required: bool = True
    half: bool = False
    repeat: Repeat | None = None

    def check(self, name: str, value: object) -> FieldValue:
        """Return the field's value in its one form, or say why it cannot be shown.

        Chats and transcripts take ``{"role", "content"}`` or ``{"speaker", "text"}`` messages.

        Raises:
            ValueRejected: the wrong type, blank, too long, or text that no server survives.
        """
        if self.type != "text":
            return _check_messages(name, value)
        if not isinstance(value, str):
            raise ValueRejected(f"{name}: {_kind(value)} where a text is expected", remedy=f"give {name} as a text")
        check_text(value, name)
        if not value.strip():
            raise ValueRejected(f"{name}: the text is blank", remedy=f"give {name} a text, or leave the record out")
        return value


def _check_messages(name: str, value: object) -> FieldValue:
    shape = f'give {name} as a list of {{"role": ..., "content": ...}} or {{"speaker": ..., "text": ...}} messages'
    if not isinstance(value, list) or not value:
        raise ValueRejected(f"{name}: {_kind(value)} where a list of messages is expected", remedy=shape)
    if len(value) > MAX_MESSAGES * 10:
        raise ValueRejected(f"{name}: {len(value):,} messages are too many", remedy="split the conversation")
    messages = []
    for number, message in enumerate(value, 1):
        pair = _role_and_content(message)
        if pair is None:
            raise ValueRejected(f"{name}: message {number} is not a message", remedy=shape)
        role, content = pair
        check_text(role, f"{name}: role of message {number}", limit=200)
        check_text(content, f"{name}: message {number}")
        if not role.strip():
            raise ValueRejected(f"{name}: message {number} has no role", remedy=shape)
        messages.append({"role": role, "content": content})
    if not any(message["content"].strip() for message in messages):
        raise ValueRejected(f"{name}: no message has a text", remedy="leave the record out")
    return messages


def _role_and_content(message: object) -> tuple[str, str] | None:
    if isinstance(message, dict):
        for keys in (("role", "content"), ("speaker", "text")):
            if set(message) == set(keys):
                role, content = (message[key] for key in keys)
                if isinstance(role, str) and isinstance(content, str):
                    return role, content
    return None


def _kind(value: object) -> str:
    names: dict[type, str] = {
        type(None): "nothing",
        bool: "true or false",
        dict: "an object",
        list: "a list",
        str: "a text",
    }
    return names.get(type(value), "a number" if isinstance(value, int | float) else type(value).__name__)


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


class Training(Part):
    """How merged answers become training rows.

    ``prompt`` is one field or several, put after the ``instruction``; a chat gives the turns before its last answer.
    For SFT the first source that yields a row is used; for DPO all of them are.
    """

    prompt: Annotated[list[Name], Field(min_length=1, max_length=5)]
    instruction: Prose = ""
    sft: list[SftSource] = []
    dpo: list[DpoSource] = []

    @model_validator(mode="before")
    @classmethod
    def _one_prompt(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("prompt"), str):
            data = {**data, "prompt": [data["prompt"]]}
        return data


class TaskTemplate(Part):
    """A task: its fields, its questions and its way to training rows.

    >>> template = load_template("review")
    >>> [question.name for question in template.questions]
    ['rating', 'label', 'improved_response']
    """

    version: Literal[1]
    name: Name
    title: Title
    description: Prose = ""
    guidelines: Prose = ""
    fields: Annotated[list[FieldSpec], Field(min_length=1, max_length=20)]
    questions: Annotated[list[Question], Field(min_length=1, max_length=20)]
    training: Training | None = None

    @model_validator(mode="after")
    def _consistent(self) -> TaskTemplate:
        problem = _inconsistency(self)
        if problem:
            raise ValueError(problem)
        return self

    def question(self, name: str) -> Question:
        """The question of that name.

        Raises:
            ValueRejected: there is none.
        """
        for question in self.questions:
            if question.name == name:
                return question
        raise ValueRejected(
            f"{name!r:.60}: the template {self.name!r} has no such question",
            remedy=f"its questions are {', '.join(q.name for q in self.questions)}",
        )

    def field_for(self, name: str) -> FieldSpec | None:
        """The specification of a field; repeated fields are found by their numbered names (``response_2``)."""
        spec = self._by_name.get(name)
        if spec is not None:
            return None if spec.repeat else spec
        stem, _, number = name.rpartition("_")
        spec = self._by_name.get(stem)
        if spec and spec.repeat and number.isascii() and number.isdigit() and 1 <= int(number) <= spec.repeat.max:
            return spec if str(int(number)) == number else None
        return None

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
        for name, spec in known:
            value = fields.get(name)
            if value is None or (not spec.required and value in ("", [])):
                if spec.required:
                    raise ValueRejected(
                        f"{name}: missing", remedy=f"add it, or name its column with --map {name}=COLUMN"
                    )
                continue
            checked[name] = spec.check(name, value)
        if unknown is not None:
            raise ValueRejected(
                f"{unknown!r:.60}: the template {self.name!r} has no such field",
                remedy=f"its fields are {', '.join(self.field_names())}",
            )
        return checked

    def _layout(self, names: tuple[str, ...]) -> tuple[list[tuple[str, FieldSpec]], str | None]:
        """The fields to expect in a record with these names, in order, and the first name that is no field."""
        layout = self._layouts.get(names)
        if layout is None:
            expected = self.field_names(self.repeats(names))
            known = [(name, spec) for name in expected if (spec := self.field_for(name)) is not None]
            layout = known, next((name for name in names if self.field_for(name) is None), None)
            if len(self._layouts) < 1000:  # of a hostile file, every row may have names of its own
                self._layouts[names] = layout
        return layout

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


def _inconsistency(template: TaskTemplate) -> str:
    """The first thing in a template that does not fit the rest, or an empty text."""
    names = [f.name for f in template.fields] + [q.name for q in template.questions]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        return f"{min(twice)!r} names two things"
    if sum(f.repeat is not None for f in template.fields) > 1:
        return "only one field can be repeated"
    for question in template.questions:
        problem = _question_problem(template, question)
        if problem:
            return f"question {question.name!r}: {problem}"
    if template.training:
        return _training_problem(template, template.training)
    return ""


def _question_problem(template: TaskTemplate, question: Question) -> str:
    problem = _condition_problem(template, question.required_when, "required_when")
    if problem:
        return problem
    if isinstance(question, TextQuestion) and question.prefill and template.field_for(question.prefill) is None:
        return f"'prefill' names {question.prefill!r}, which is not a field"
    if isinstance(question, SpanQuestion):
        spec = template.field_for(question.field)
        if spec is None or spec.type != "text":
            return f"'field' names {question.field!r}, which is not a text field"
    if isinstance(question, RankingQuestion):
        items = question.items
        if isinstance(items, str) and not any(f.name == items and f.repeat for f in template.fields):
            return f"'items' names {items!r}, which is not a repeated field"
        if isinstance(items, list) and any(template.field_for(item) is None for item in items):
            return "'items' names something that is not a field"
    for option in getattr(question, "options", []):
        if option.picks and (not isinstance(question, LabelQuestion) or template.field_for(option.picks) is None):
            return f"'picks: {option.picks}' must name a field, on an option of a label question"
    return ""


def _condition_problem(template: TaskTemplate, conditions: Conditions, where: str) -> str:
    for name, condition in conditions.items():
        question = next((q for q in template.questions if q.name == name), None)
        if question is None:
            return f"{where!r} names {name!r}, which is not a question"
        if isinstance(condition, Bounds) != isinstance(question, RatingQuestion | SpanQuestion):
            return f"{where!r}: {name!r} is a {question.type}; ratings and spans take min/max, labels a list"
        if not isinstance(condition, Bounds):
            unknown = [value for value in condition if value not in getattr(question, "values", [])]
            if unknown:
                return f"{where!r}: {name!r} has no label {unknown[0]!r}"
    return ""


def _training_problem(template: TaskTemplate, training: Training) -> str:
    questions = {q.name: q for q in template.questions}
    for name in training.prompt:
        if template.field_for(name) is None:
            return f"training: 'prompt' names {name!r}, which is not a field"

    def is_choice(name: str) -> bool:
        question = questions.get(name)
        return isinstance(question, RankingQuestion) or (
            isinstance(question, LabelQuestion) and any(o.picks for o in question.options)
        )

    def is_text(name: str) -> bool:
        return isinstance(questions.get(name), TextQuestion) or template.field_for(name) is not None

    for sft in training.sft:
        if not is_text(sft.use) and not is_choice(sft.use):
            return f"training: 'use' names {sft.use!r}, which is no field, text, preference or ranking"
    for dpo in training.dpo:
        if dpo.pairs is not None and not is_choice(dpo.pairs):
            return f"training: 'pairs' names {dpo.pairs!r}, which is no ranking and no label question with 'picks'"
        for side in (dpo.chosen, dpo.rejected):
            if side is not None and not is_text(side):
                return f"training: {side!r} is no field and no text question"
    for when in (*(s.when for s in training.sft), *(d.when for d in training.dpo)):
        problem = _condition_problem(template, when, "when")
        if problem:
            return f"training: {problem}"
    return ""


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
                f"there is no ready-made template {text!r:.80}",
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
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "annobridge task template",
        **TaskTemplate.model_json_schema(),
    }
