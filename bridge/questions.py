"""The question kinds: what can be asked, and which answers are possible.

Each kind is one class that owns ``validate(value)``; how a server shows it is written in that server's own file.
To add a kind, write its class here, add it to :data:`Question`, and give it a rendering for each server.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StringConstraints,
    Tag,
    field_validator,
    model_validator,
)

from bridge.errors import ValueRejected
from bridge.records import FieldValue, Value
from bridge.text import MAX_TEXT, check_text, shown


@dataclass(frozen=True)
class Pattern:
    """A constraint on a text that says in words what it asks for; in the JSON Schema it is an ordinary pattern."""

    regex: str
    words: str

    def _check(self, text: str) -> str:
        if not re.fullmatch(self.regex, text):
            raise ValueError(self.words)
        return text

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> Any:
        return AfterValidator(self._check).__get_pydantic_core_schema__(source, handler)

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), "pattern": self.regex}


# Neither lets through what XML 1.0 cannot hold, because a page is XML; lone surrogates are stopped by pydantic.
ONE_LINE = Pattern(
    r"^(?=[\s\S]*\S)[^\x00-\x1f\x7f\ufffe\uffff]+$",
    "write one line that is not blank, without control characters",
)
_LINES = Pattern(r"^[^\x00-\x08\x0b-\x1f\x7f\ufffe\uffff]*$", "use no control characters but tabs and line breaks")
_NAME = Pattern(
    r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$",
    "use lower-case letters, digits and single underscores, starting with a letter",
)

Name = Annotated[str, StringConstraints(max_length=60), _NAME]
Title = Annotated[str, StringConstraints(min_length=1, max_length=300), ONE_LINE]
Prose = Annotated[str, StringConstraints(max_length=10_000), _LINES]
LabelValue = Annotated[str, StringConstraints(min_length=1, max_length=200), ONE_LINE]


def _not_true(value: object) -> object:
    if type(value) is not int or value != 1:
        raise ValueError("the only version is the number 1")
    return value


Version = Annotated[Literal[1], BeforeValidator(_not_true)]
"""The number 1, and neither ``true`` nor ``1.0``, which equal it."""


class Misplaced(ValueError):
    """A complaint about a part of what is validated: the way from there to the part, and what is wrong with it."""

    def __init__(self, place: tuple[str | int, ...], reason: str) -> None:
        super().__init__(f"{'.'.join(map(str, place))}: {reason}")
        self.place = place
        self.reason = reason


class Misfits(ValueError):
    """Several parts that do not fit, each with its place and reason."""

    def __init__(self, problems: list[Misplaced]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems


def numbered(name: str) -> tuple[str, int] | None:
    """A name that ends in a number, as its stem and that number.

    >>> numbered("response_2"), numbered("response_02"), numbered("response_" + "1" * 5000)
    (('response', 2), None, None)
    """
    stem, _, number = name.rpartition("_")
    return (stem, int(number)) if _NUMBER.fullmatch(number) else None


_NUMBER = re.compile(r"[1-9][0-9]{0,2}")


class Part(BaseModel):
    """Base of everything in a template: fixed once read, and nothing unknown in it."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Option(Part):
    """One choice of a label, multi-label or span question.

    ``value`` is what is stored, ``title`` what the annotator reads, ``picks`` the response that the choice prefers.
    """

    value: LabelValue
    title: Title = ""
    picks: Name | None = None

    @model_validator(mode="before")
    @classmethod
    def _readable(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("value"), str) and "title" not in data:
            data = {**data, "title": data["value"].replace("_", " ").capitalize() or "?"}
        return data


def _long_form(data: Any) -> Any:
    return data if isinstance(data, dict | Option) else {"value": data}


class Bounds(Part):
    """A condition on a rating, or on the number of marked spans: at least ``min``, at most ``max``, or both."""

    min: int | None = None
    max: int | None = None

    @model_validator(mode="after")
    def _not_empty(self) -> Bounds:
        if self.min is None and self.max is None:
            raise ValueError("bounds need 'min' or 'max'")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise Misplaced(("min",), "it is above 'max'")
        return self


Condition: TypeAlias = Annotated[
    Annotated[Bounds, Tag("bounds")] | Annotated[list[LabelValue], Tag("labels")],
    Discriminator(
        lambda value: "bounds" if isinstance(value, dict | Bounds) else "labels" if isinstance(value, list) else None,
        custom_error_type="condition",
        custom_error_message="a condition is a list of labels, or keys 'min' and 'max'",
    ),
]
"""When an answer counts: a rating or number of spans within bounds, or a label that is one of these."""

Conditions: TypeAlias = dict[Name, Condition]
"""Question name to condition; all must hold."""


def holds(condition: Condition, answer: Value | None) -> bool:
    """Whether one person's answer meets a condition; a missing answer never does.

    >>> holds(Bounds(max=3), 2), holds(["good"], "bad"), holds(["good"], None)
    (True, False, False)
    """
    if isinstance(condition, Bounds):
        number = len(answer) if isinstance(answer, list) else answer
        if not isinstance(number, int):
            return False
        return (condition.min is None or number >= condition.min) and (condition.max is None or number <= condition.max)
    if isinstance(answer, list):
        return any(value in condition for value in answer)
    return answer in condition


class _Question(Part):
    name: Name
    title: Title
    description: Prose = ""
    required: bool = True
    required_when: Conditions = {}

    @model_validator(mode="after")
    def _required_once(self) -> _Question:
        if self.required_when and "required" in self.model_fields_set and self.required:
            raise Misplaced(("required_when",), "it needs 'required: false'")
        return self

    def is_required(self, answers: Mapping[str, Value]) -> bool:
        """Whether an answer must be there, given the other answers of the same person."""
        if self.required_when:
            return all(holds(condition, answers.get(name)) for name, condition in self.required_when.items())
        return self.required

    def _reject(self, reason: str, remedy: str) -> ValueRejected:
        return ValueRejected(f"{self.name}: {reason}", remedy=remedy)


class RatingQuestion(_Question):
    """A whole number on a scale, such as 1 to 5.

    >>> RatingQuestion(type="rating", name="rating", title="How good?").validate(6)
    Traceback (most recent call last):
    ...
    bridge.errors.ValueRejected: rating: 6 is not on the scale
      remedy: use a whole number from 1 to 5
    """

    type: Literal["rating"]
    min: int = Field(1, ge=0, le=99)
    max: int = Field(5, ge=1, le=100)
    labels: dict[int, Title] = {}

    @model_validator(mode="after")
    def _scale(self) -> RatingQuestion:
        if self.min >= self.max:
            raise Misplaced(("min",), "it must be below 'max'")
        for value in self.labels:
            if not self.min <= value <= self.max:
                raise Misplaced(("labels", value), f"the scale goes from {self.min} to {self.max}")
        return self

    def validate(self, value: object, fields: Mapping[str, FieldValue] | None = None) -> int:  # type: ignore[override]
        """The value as an ``int`` on the scale."""
        if isinstance(value, bool) or not isinstance(value, int) or not self.min <= value <= self.max:
            raise self._reject(
                f"{shown(value)} is not on the scale", f"use a whole number from {self.min} to {self.max}"
            )
        return value


class _Labelled(_Question):
    options: list[Annotated[Option, BeforeValidator(_long_form, json_schema_input_type=LabelValue | Option)]] = Field(
        min_length=1, max_length=250
    )

    @field_validator("options")
    @classmethod
    def _distinct(cls, options: list[Option]) -> list[Option]:
        for what in ("value", "title"):
            seen = set()
            for index, option in enumerate(options):
                if getattr(option, what) in seen:
                    raise Misplaced((index, what), f"two options have the same {what}")
                seen.add(getattr(option, what))
        return options

    @cached_property
    def values(self) -> list[str]:
        """The labels; looked up once, since every answer is compared with them."""
        return [option.value for option in self.options]

    def _check_label(self, value: object) -> str:
        if not isinstance(value, str) or value not in self.values:
            raise self._reject(f"{shown(value)} is not one of its labels", f"use one of {', '.join(self.values)}")
        return value


class LabelQuestion(_Labelled):
    """Exactly one of several labels. With ``picks`` on its options it states a preference between responses."""

    type: Literal["label"]

    @cached_property
    def picks(self) -> dict[str, str | None]:
        """Label to the response that it prefers, if any."""
        return {option.value: option.picks for option in self.options}

    @cached_property
    def picked(self) -> list[str]:
        """The responses that it compares, in their order."""
        return [*dict.fromkeys(option.picks for option in self.options if option.picks)]

    def validate(self, value: object, fields: Mapping[str, FieldValue] | None = None) -> str:  # type: ignore[override]
        """The value as one of the labels."""
        return self._check_label(value)


class MultiLabelQuestion(_Labelled):
    """Any number of labels, none included unless the question is required."""

    type: Literal["multi_label"]

    def validate(self, value: object, fields: Mapping[str, FieldValue] | None = None) -> list[str]:  # type: ignore[override]
        """The value as a list of labels in the template's order, so that equal answers are equal lists."""
        chosen = {self._check_label(label) for label in value} if isinstance(value, list) else set()
        if not isinstance(value, list) or len(chosen) < len(value):
            raise self._reject(f"{shown(value)} is not a list of different labels", 'write a list, such as ["label"]')
        return [label for label in self.values if label in chosen]


class TextQuestion(_Question):
    """Free text; with ``prefill`` it starts as the text of a field and asks for a rewrite.

    An answer that equals the pre-filled text is an unchanged rewrite: it counts as approval, never as a rewrite.
    """

    type: Literal["text"]
    prefill: Name | None = None
    rows: int = Field(6, ge=1, le=40)

    def validate(self, value: object, fields: Mapping[str, FieldValue] | None = None) -> str:  # type: ignore[override]
        """The value as a text that is not blank."""
        if not isinstance(value, str):
            raise self._reject(f"{shown(value)} is not a text", "write a JSON string")
        check_text(value, self.name, limit=MAX_TEXT)
        if not value.strip():
            raise self._reject("the text is blank", "leave the answer out, or write something")
        return value


class RankingQuestion(_Question):
    """An order of responses, best = 1. Ties and missing items are allowed.

    ``items`` is the name of a repeated field (``response`` stands for response_1, response_2...) or a list of fields.
    """

    type: Literal["ranking"]
    items: Annotated[
        Annotated[Name, Tag("field")] | Annotated[list[Name], Field(min_length=2, max_length=20), Tag("fields")],
        Discriminator(lambda value: "fields" if isinstance(value, list) else "field"),
    ]

    @field_validator("items")
    @classmethod
    def _different(cls, items: str | list[str]) -> str | list[str]:
        for index, item in enumerate(items if isinstance(items, list) else ()):
            if item in items[:index]:
                raise Misplaced((index,), f"{item!r} stands twice")
        return items

    def validate(self, value: object, fields: Mapping[str, FieldValue] | None = None) -> dict[str, int]:  # type: ignore[override]
        """The value as ``{item: rank}``, in item order; items must be fields of the record if it is given."""
        if not isinstance(value, dict) or not value:
            raise self._reject(f"{shown(value)} is not a ranking", 'write {"response_1": 1, "response_2": 2}')
        for item, rank in value.items():
            if not isinstance(item, str) or not self.ranks(item) or (fields is not None and not fields.get(item)):
                raise self._reject(f"{shown(item)} is not one of the ranked items", self._remedy(fields))
            if isinstance(rank, bool) or not isinstance(rank, int) or not 1 <= rank <= 20:
                raise self._reject(f"rank {shown(rank)} of {item} is not a rank", "use whole numbers from 1 (best)")
        return {item: value[item] for item in sorted(value, key=_natural)}

    def ranks(self, item: str) -> bool:
        """Whether a field is one of the items."""
        if isinstance(self.items, list):
            return item in self.items
        pair = numbered(item)
        return pair is not None and pair[0] == self.items

    def item_names(self, fields: Iterable[str]) -> list[str]:
        """Those of the given fields that are ranked, in their natural order.

        >>> q = RankingQuestion(type="ranking", name="r", title="Order", items="response")
        >>> q.item_names(["prompt", "response_10", "response_2"])
        ['response_2', 'response_10']
        """
        return sorted((name for name in fields if self.ranks(name)), key=_natural)

    def _remedy(self, fields: Mapping[str, FieldValue] | None) -> str:
        names = self.item_names(fields or ()) or (self.items if isinstance(self.items, list) else [f"{self.items}_1"])
        return f"rank {', '.join(names)}"


def _natural(name: str) -> tuple[str, int]:
    return numbered(name) or (name, 0)


class SpanQuestion(_Labelled):
    """Marked passages of one text field: a list of ``{"start", "end", "label"}`` in Unicode code points."""

    type: Literal["span"]
    field: Name

    def validate(self, value: object, fields: Mapping[str, FieldValue] | None = None) -> list[dict[str, Any]]:  # type: ignore[override]
        """The value as a sorted list of spans; within the text, if the record's fields are given."""
        if not isinstance(value, list):
            raise self._reject(f"{shown(value)} is not a list of spans", _SPAN_REMEDY)
        text = (fields or {}).get(self.field)
        size = len(text) if isinstance(text, str) else MAX_TEXT
        spans = []
        for span in value:
            if not isinstance(span, dict) or set(span) != {"start", "end", "label"}:
                raise self._reject(f"{shown(span)} is not a span", _SPAN_REMEDY)
            start, end = span["start"], span["end"]
            if not (type(start) is int and type(end) is int and 0 <= start < end <= size):
                raise self._reject(
                    f"span {shown(start, 20)} to {shown(end, 20)} does not lie in {self.field} ({size:,} characters)",
                    _SPAN_REMEDY,
                )
            spans.append({"start": start, "end": end, "label": self._check_label(span["label"])})
        unique = {(s["start"], s["end"], s["label"]): s for s in spans}
        return [unique[place] for place in sorted(unique)]


_SPAN_REMEDY = 'write [{"start": 0, "end": 5, "label": "..."}], counted in Unicode code points, end excluded'

Question: TypeAlias = Annotated[
    RatingQuestion | LabelQuestion | MultiLabelQuestion | TextQuestion | RankingQuestion | SpanQuestion,
    Field(discriminator="type"),
]
"""Any question kind; ``type`` says which."""
