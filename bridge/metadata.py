"""What a record's metadata may hold: what any JSON parser and any server can."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from functools import lru_cache
from math import isfinite
from typing import Any

from bridge.errors import ValueRejected
from bridge.text import MAX_TEXT, check_text

MAX_DEPTH = 10
"""Deepest nesting."""


def checked_metadata(metadata: object) -> dict[str, Any]:
    """Metadata with every name and value checked.

    Raises:
        ValueRejected: it is no object, or something in it cannot be held.

    >>> checked_metadata({"made": date(2026, 1, 2), "scores": [1, None]})
    {'made': '2026-01-02', 'scores': [1, None]}
    """
    if not isinstance(metadata, dict):
        raise ValueRejected("metadata: not an object", remedy="write an object: {...}")
    return {checked_name(name): plain_value(value, name) for name, value in metadata.items()}


def plain_value(value: Any, name: str, depth: int = MAX_DEPTH) -> Any:
    """A piece of metadata; dates become ISO text.

    Raises:
        ValueRejected: it cannot be held.
    """
    kind = type(value)
    if kind is str:
        is_plain = value.isascii() and len(value) <= MAX_TEXT and "\0" not in value
        return value if is_plain else check_text(value, f"metadata {name!r:.60}")
    if kind is bool or value is None:
        return value
    if kind is int:
        if -(2**63) <= value < 2**63:
            return value
        raise ValueRejected(f"metadata {name!r:.60}: a number over 64 bits", remedy="write it as a text")
    if kind is float:
        if isfinite(value):
            return value
        raise ValueRejected(f"metadata {name!r:.60}: {value} is not a JSON value", remedy="write null, or leave it out")
    if depth == 0:
        raise ValueRejected(f"metadata {name!r:.60}: nested more than {MAX_DEPTH} deep", remedy="flatten it")
    if kind is dict:
        return {checked_name(key): plain_value(item, name, depth - 1) for key, item in value.items()}
    if kind is list:
        return [plain_value(item, name, depth - 1) for item in value]
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    raise ValueRejected(
        f"metadata {name!r:.60}: {kind.__name__} is not a JSON value", remedy="leave the column out, or make it text"
    )


@lru_cache(maxsize=1000)
def checked_name(name: object) -> str:
    """A name of metadata.

    Raises:
        ValueRejected: it is no text, or too long.
    """
    if not isinstance(name, str):
        raise ValueRejected(f"metadata: the name {name!r:.60} is not a text", remedy="name it with a text")
    return check_text(name, "metadata: a name", limit=200)


STUB = "stub"
"""What the names of models begin with that are none, but test doubles: ``stub``, ``stub-judge``."""


def wrote_stub(model: object) -> bool:
    """Whether a model of that name is a test double.

    >>> wrote_stub("stub"), wrote_stub("stub-judge"), wrote_stub("stubborn-7b")
    (True, True, False)
    """
    return isinstance(model, str) and (model == STUB or model.startswith((f"{STUB}-", f"{STUB}/")))


def is_test_only(metadata: Mapping[str, Any]) -> bool:
    """Whether metadata say that a test double had a hand in a record.

    They say ``test_only``, or name one anywhere under ``model``, ``models``, ``model_name``, ``model_names`` or a name
    that ends in ``_model``.

    >>> is_test_only({"test_only": True}), is_test_only({"judge": {"model": "stub-judge"}})
    (True, True)
    >>> is_test_only({"test_only": False, "response_model": "large, small"}), is_test_only({"note": "stub"})
    (False, False)
    """
    return metadata.get("test_only") not in (None, False) or _names_stub(metadata, False, MAX_DEPTH)


def _names_stub(value: Any, named: bool, depth: int) -> bool:
    """Whether a test double is named in a value; ``named`` says that its name is one of models."""
    kind = type(value)
    if kind is str:  # several stand in one text, with commas
        return named and STUB in value and any(map(wrote_stub, value.split(", ")))
    if depth < 0 or kind not in (dict, list):
        return False
    if kind is list:
        return any(_names_stub(item, named, depth - 1) for item in value)
    return any(_names_stub(item, name in _NAMES or name.endswith("_model"), depth - 1) for name, item in value.items())


_NAMES = frozenset(("model", "models", "model_name", "model_names"))
