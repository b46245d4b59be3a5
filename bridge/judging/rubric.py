"""Rubrics: what a judge is told to look for, with a described level for every score.

A rubric is a YAML file for one question of a template, read safely like a template: unknown keys are refused, and
nothing in it is code, a path or an address. ::

    version: 1
    name: helpfulness
    question: rating            # a rating, a label, or a label whose options pick one of two responses
    instructions: Judge how well the response does what the prompt asks for. Length is no merit.
    levels:
      1: Wrong, or no answer to the prompt.
      2: ...
    response: response          # the field that is judged
    context: [prompt]           # what else is shown; by default all other fields
    reference: gold             # a field, or a piece of metadata, that holds a known right answer, where there is one
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints, ValidationError

from bridge.errors import UsageError
from bridge.questions import LabelQuestion, Name, Part, Prose, RatingQuestion, Title, Version, numbered
from bridge.records import canonical_json
from bridge.templates import TaskTemplate
from bridge.yamlfile import YamlFile, parse_yaml, read_yaml


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("the level is not described")
    return text


Described = Annotated[Prose, AfterValidator(_not_blank)]
Metadata = Annotated[str, StringConstraints(min_length=1, max_length=200)]

Refuse = Callable[[str, str, str], UsageError]
"""From key, reason and remedy to the error."""

_REMEDY = "see docs/judging.md, which shows a whole rubric"


class RubricFile(Part):
    """What stands in the file; :func:`load_rubric` holds it against a template."""

    version: Version
    name: Title
    question: Name
    instructions: Prose = ""
    levels: dict[int | str, Described] = Field(min_length=2, max_length=101)
    response: Name | None = None
    context: list[Name] | None = None
    reference: Metadata | None = None
    tie: str | None = None


@dataclass(frozen=True)
class Level:
    """One score that a judge may give.

    Args:
        code: the number by which the judge names it.
        value: the answer to the template's question.
        text: when it is given.
    """

    code: int
    value: int | str
    text: str


@dataclass(frozen=True)
class Rubric:
    """A rubric that fits a template.

    Args:
        name: its name.
        question: the question that the judge answers.
        instructions: what the judge is told beforehand.
        levels: the scores.
        responses: the fields that are judged: one, or the two that are compared.
        context: the other fields that the judge is shown.
        reference: a field or piece of metadata with a known right answer.
        tie: where two are compared, the level that prefers neither.
    """

    name: str
    question: RatingQuestion | LabelQuestion
    instructions: str
    levels: tuple[Level, ...]
    responses: tuple[str, ...]
    context: tuple[str, ...]
    reference: str | None = None
    tie: str | None = None

    @property
    def is_pair(self) -> bool:
        """Whether two responses are compared."""
        return len(self.responses) == 2

    @cached_property
    def fingerprint(self) -> str:
        """A hash of everything that gives scores their meaning."""
        told: list[object] = [
            self.question.name,
            self.instructions,
            [[one.code, one.value, one.text] for one in self.levels],
        ]
        told += [list(self.responses), list(self.context), self.reference]
        return hashlib.sha256(canonical_json(told)).hexdigest()[:16]

    def level(self, code: int) -> Level:
        """The level of that code."""
        return next(one for one in self.levels if one.code == code)

    def value_of(self, field: str) -> str:
        """The answer that prefers one of the compared responses."""
        value: str = next(option.value for option in _options(self.question) if option.picks == field)
        return value


def load_rubric(path: str | Path, template: TaskTemplate) -> Rubric:
    """Read a rubric for a template.

    Raises:
        UsageError: it cannot be read, does not describe its levels, or does not fit; names file, line and remedy.

    >>> import tempfile
    >>> from bridge.templates import load_template
    >>> path = Path(tempfile.mkdtemp(), "rubric.yaml")
    >>> _ = path.write_text("version: 1\\nname: right\\nquestion: rating\\nlevels: {1: wrong, 5: right}\\n")
    >>> load_rubric(path, load_template("rating"))
    Traceback (most recent call last):
    ...
    bridge.errors.UsageError: .../rubric.yaml:4: levels: 2, 3, 4 are not described
      remedy: describe every level of rating, from 1 to 5
    """
    return _read(read_yaml(Path(path), UsageError), template)


def parse_rubric(text: str, template: TaskTemplate, path: str = "rubric") -> Rubric:
    """The same of the text of such a file; ``path`` is for messages."""
    return _read(parse_yaml(text, path, UsageError), template)


def _read(source: YamlFile, template: TaskTemplate) -> Rubric:
    if not source.data.get("levels"):
        raise UsageError(
            f"{source.where(('levels',))}: levels: the rubric describes none",
            remedy="describe each score: levels: {1: wrong or useless, 2: ..., 5: right and complete}",
        )
    try:
        return _fitted(RubricFile.model_validate(source.data), source, template)
    except ValidationError as error:
        raise source.explain(error, UsageError, _REMEDY) from None


def _fitted(given: RubricFile, source: YamlFile, template: TaskTemplate) -> Rubric:
    questions = {question.name: question for question in template.questions}
    question = questions.get(given.question)
    able = [q.name for q in template.questions if isinstance(q, RatingQuestion | LabelQuestion)]

    def refuse(key: str, reason: str, remedy: str) -> UsageError:
        return UsageError(f"{source.where((key,))}: {key}: {reason}", remedy=remedy)

    if not isinstance(question, RatingQuestion | LabelQuestion):
        what = "a judge rates or labels only" if question else f"the template {template.name!r} has no such question"
        remedy = f"use {' or '.join(able)}" if able else "take a template with a rating or a label"
        raise refuse("question", f"{given.question!r}: {what}", remedy)
    fields = [spec.name for spec in template.fields]
    picked = [option.picks for option in _options(question) if option.picks]
    if picked and len(picked) != 2:
        raise refuse("question", f"{question.name!r} chooses among {len(picked)} responses", "a judge compares two")
    responses = tuple(picked) or (given.response or _response(fields),)
    for key, names in (("response", responses), ("context", given.context or ())):
        for name in names:
            if template.field_for(name) is None:
                remedy = f"its fields are {', '.join(template.field_names())}"
                raise refuse(key, f"{name!r}: the template {template.name!r} has no such field", remedy)
    _refuse_what_does_not_fit(given, picked, responses, refuse)
    others = [name for name in template.field_names() if name not in (*responses, given.reference)]
    levels = _levels(given, question, refuse)
    return Rubric(
        given.name,
        question,
        given.instructions,
        levels,
        responses,
        tuple(others if given.context is None else given.context),
        given.reference,
        _tie(given, question, levels, refuse) if picked else None,
    )


def _refuse_what_does_not_fit(
    given: RubricFile, picked: Sequence[str], responses: Sequence[str], refuse: Refuse
) -> None:
    if picked and given.response is not None:
        raise refuse("response", f"{given.question!r} compares {' and '.join(picked)}", "leave it out")
    if not picked and given.tie is not None:
        raise refuse("tie", f"{given.question!r} compares nothing", "leave it out")
    if given.reference in responses:
        raise refuse("reference", f"{given.reference!r} is what is judged", "name where a known right answer stands")
    for name in given.context or ():
        if name in responses:
            raise refuse("context", f"{name!r} is what is judged, and shown as that", "leave it out")
        if (given.context or []).count(name) > 1:
            raise refuse("context", f"{name!r}: twice", "name each field once")


def _levels(given: RubricFile, question: RatingQuestion | LabelQuestion, refuse: Refuse) -> tuple[Level, ...]:
    if isinstance(question, RatingQuestion):
        scale = range(question.min, question.max + 1)
        every = f"describe every level of {question.name}, from {question.min} to {question.max}"
        # In JSON, which is YAML too, all keys are texts.
        named = {str(level): level for level in scale}
        told = [named.get(str(level), level) for level in given.levels]
        if doubled := [level for level in scale if told.count(level) > 1]:
            raise refuse("levels", f"{_listed(doubled)}: twice", every)
        described = dict(zip(told, given.levels.values(), strict=True))
        other = [level for level in told if level not in scale]
        missing = [level for level in scale if level not in described]
        if other:
            raise refuse("levels", f"{_listed(other)}: not on the scale of {question.name}", every)
        if missing:
            raise refuse("levels", f"{_listed(missing)} {'is' if len(missing) == 1 else 'are'} not described", every)
        return tuple(Level(number, number, described[number].strip()) for number in scale)
    unknown = [level for level in given.levels if level not in question.values]
    every = f"describe the labels of {question.name}: {', '.join(question.values)}"
    if unknown:
        raise refuse("levels", f"{_listed(unknown)}: no label of {question.name}", every)
    needed = [option.value for option in question.options if option.picks] or question.values
    if absent := [value for value in needed if value not in given.levels]:
        raise refuse("levels", f"{_listed(absent)} {'is' if len(absent) == 1 else 'are'} not described", every)
    used = [value for value in question.values if value in given.levels]
    return tuple(Level(code, value, given.levels[value].strip()) for code, value in enumerate(used, 1))


def _tie(given: RubricFile, question: RatingQuestion | LabelQuestion, levels: Sequence[Level], refuse: Refuse) -> str:
    """The level that prefers neither, for a judge who contradicts itself."""
    neither = [option.value for option in _options(question) if not option.picks]
    if given.tie is not None and given.tie not in neither:
        raise refuse("tie", f"{given.tie!r:.60} is no label that prefers neither", f"use one of {', '.join(neither)}")
    tie = given.tie or ("tie" if "tie" in neither else neither[0] if len(neither) == 1 else None)
    if tie is None:
        raise refuse(
            "question",
            f"{question.name!r} has no label for a tie",
            "name one with tie: LABEL, or add it to the template",
        )
    return tie


def _options(question: RatingQuestion | LabelQuestion) -> Sequence[Any]:
    return question.options if isinstance(question, LabelQuestion) else ()


def _response(fields: Sequence[str]) -> str:
    """The field that is judged where the rubric does not say: one named like a response, else the last."""
    named = [name for name in fields if (numbered(name) or (name, 0))[0] in _RESPONSES]
    return named[0] if len(named) == 1 else fields[-1]


_RESPONSES = ("response", "answer", "output", "completion", "summary")


def _listed(levels: Sequence[int | str]) -> str:
    return ", ".join(f"{level!r:.60}" if isinstance(level, str) else str(level) for level in levels[:20])
