"""What pydantic finds wrong with a template or a ``campaign.yaml``, in words of our own."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from bridge.text import shown

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

Place: TypeAlias = "tuple[str | int, ...]"
"""The way to a value: keys and positions."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing that is wrong: where, why, and, where it is not plain from the reason, what to do about it.

    ``absent`` says that the last part of the place is not there, which is what is wrong.
    """

    place: Place
    reason: str
    remedy: str = ""
    absent: bool = False


def complaints(error: ValidationError) -> Iterator[Complaint]:
    """Everything that is wrong.

    An exception of our own validators may have a ``reason`` and a ``place`` inside what it was raised for, or several
    such exceptions as its ``problems``.
    """
    for details in error.errors(include_url=False):
        place, cause = details["loc"], details.get("ctx", {}).get("error")
        if cause is None:
            yield _in_words(place, details)
            continue
        for problem in getattr(cause, "problems", [cause]):
            yield Complaint((*place, *getattr(problem, "place", ())), getattr(problem, "reason", str(problem)))


def _in_words(place: Place, details: ErrorDetails) -> Complaint:
    kind, value = details["type"], details["input"]
    if kind in ("missing", "union_tag_not_found"):
        return Complaint(place if kind == "missing" else (*place, "type"), "it is missing", absent=True)
    if kind == "union_tag_invalid":
        place = (*place, "type")
    words = _WORDS.get(kind, details["msg"])
    reason = words.format(found=_kind(value), value=shown(value), **details.get("ctx", {})) if kind in _WORDS else words
    unquoted = kind == "string_type" and isinstance(value, bool | int | float | dt.date)
    return Complaint(place, reason, _QUOTES if unquoted else "")


_QUOTES = "put it in quotes: without them, YAML reads no, on, numbers and dates as something else than text"

_WORDS = {
    "extra_forbidden": "this key is unknown",
    "string_unicode": "it holds half of a surrogate pair, or bytes that are not UTF-8",
    "string_type": "{found} where a text is expected",
    "bool_type": "{found} where true or false is expected",
    "int_type": "{found} where a whole number is expected",
    "list_type": "{found} where a list is expected",
    "dict_type": "{found} where keys with values are expected",
    "model_type": "{found} where keys with values are expected",
    "string_too_short": "the text is empty",
    "string_too_long": "longer than {max_length:,} characters",
    "too_short": "it needs {min_length} or more",
    "too_long": "it takes {max_length} at most",
    "greater_than_equal": "{value} is below {ge}, the least that it can be",
    "less_than_equal": "{value} is above {le}, the most that it can be",
    "literal_error": "{value} is not {expected}",
    "union_tag_invalid": "{tag} is not one of {expected_tags}",
}


def _kind(value: Any) -> str:
    kinds: dict[type, str] = {
        type(None): "nothing",
        bool: "true or false",
        str: "a text",
        list: "a list",
        dict: "keys with values",
    }
    return kinds.get(type(value)) or ("a date or time" if isinstance(value, dt.date | dt.time) else "a number")
