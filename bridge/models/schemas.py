"""JSON in the answers of models: read with patience, and held against the part of JSON Schema that we ask with."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn

_FENCE = re.compile(r"```(?:json)?[ \t]*\n(.*?)\n?[ \t]*```", re.DOTALL | re.IGNORECASE)

_OPENING = re.compile(r"[{\[]")

_KINDS: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def read_json(text: str) -> Any:
    """The JSON value of an answer: the whole text, or what stands between code fences, or the one object in it.

    Raises:
        ValueError: there is none, or more than one; says why in words that a model understands.

    >>> read_json('Here you are:\\n```json\\n{"score": 4}\\n```')
    {'score': 4}
    >>> read_json("I would say four.")
    Traceback (most recent call last):
    ValueError: there is no JSON in it
    """
    text = text.strip()
    try:
        return _decode(text)
    except ValueError:
        pass
    fenced = _FENCE.findall(text)
    if len(fenced) == 1:
        return _decode(fenced[0])
    found = list(_objects(text))
    if len(found) == 1:
        return found[0]
    raise ValueError("there are several JSON values in it" if found or fenced else "there is no JSON in it")


_TRIES = 100


def _objects(text: str) -> list[Any]:
    """Up to two of the objects and arrays that stand in a text, outermost ones."""
    found: list[Any] = []
    place = tries = 0
    while len(found) < 2 and tries < _TRIES and (start := _OPENING.search(text, place)):
        tries += 1
        try:
            value, place = _DECODER.raw_decode(text, start.start())
            found.append(value)
        except (ValueError, RecursionError):
            place = start.end()
    return found


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs) and any(found[name] != value for name, value in pairs):
        raise ValueError("a name stands twice in it, with different values")
    return found


_DECODER = json.JSONDecoder(parse_constant=_refuse, object_pairs_hook=_object)


def _decode(text: str) -> Any:
    try:
        return _DECODER.decode(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not valid JSON: {error.msg} at character {error.pos + 1}") from None


def follows(value: Any, schema: Mapping[str, Any], place: str = "the answer") -> str | None:
    """Why a value does not follow a schema, in words that a model understands; None if it does.

    Known are ``type``, ``enum``, ``const``, ``minimum``, ``maximum``, ``minLength``, ``properties``, ``required``,
    ``additionalProperties: false``, ``items``, ``minItems``, ``maxItems`` and ``anyOf``; nothing else is looked at.

    >>> schema = {"type": "object", "properties": {"score": {"type": "integer", "maximum": 5}}, "required": ["score"]}
    >>> follows({"score": 4}, schema) is None
    True
    >>> follows({"score": 9}, schema), follows({}, schema)
    ("'score' is more than 5", "'score' is missing")
    """
    kinds = schema.get("type")
    if kinds is not None and not any(_is(value, kind) for kind in ([kinds] if isinstance(kinds, str) else kinds)):
        return f"{place} is not of type {kinds if isinstance(kinds, str) else ' or '.join(kinds)}"
    options = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if options is not None and not any(_same(value, option) for option in options):
        return f"{place} is none of {json.dumps(options, ensure_ascii=False)}"
    if "anyOf" in schema:
        wrong = [follows(value, one, place) for one in schema["anyOf"]]
        if None not in wrong:
            return wrong[0]
    return _limits(value, schema, place) or _parts(value, schema)


def is_strict(schema: Mapping[str, Any]) -> bool:
    """Whether every object in a schema lists all it may hold, and demands it: what the strict mode of OpenAI takes.

    >>> is_strict({"type": "object", "properties": {"a": {}}, "required": ["a"], "additionalProperties": False})
    True
    >>> is_strict({"type": "array", "items": {"type": "object", "properties": {"a": {}}}})
    False
    """
    properties = schema.get("properties", {})
    if schema.get("type") == "object" or properties:
        closed = schema.get("additionalProperties") is False
        if not closed or {*schema.get("required", ())} != {*properties}:
            return False
    below = [*properties.values(), *schema.get("anyOf", ()), schema.get("items")]
    return all(is_strict(one) for one in below if isinstance(one, Mapping))


def _limits(value: Any, schema: Mapping[str, Any], place: str) -> str | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        if "minimum" in schema and value < schema["minimum"]:
            return f"{place} is less than {schema['minimum']}"
        if "maximum" in schema and value > schema["maximum"]:
            return f"{place} is more than {schema['maximum']}"
    if isinstance(value, str) and len(value) < schema.get("minLength", 0):
        return f"{place} is too short"
    if isinstance(value, list):
        if len(value) < schema.get("minItems", 0):
            return f"{place} has fewer than {schema['minItems']} items"
        if len(value) > schema.get("maxItems", len(value)):
            return f"{place} has more than {schema['maxItems']} items"
    return None


def _parts(value: Any, schema: Mapping[str, Any]) -> str | None:
    if isinstance(value, dict):
        known = schema.get("properties", {})
        missing = [name for name in schema.get("required", ()) if name not in value]
        if missing:
            return f"{missing[0]!r} is missing"
        if schema.get("additionalProperties") is False and (extra := [name for name in value if name not in known]):
            return f"{extra[0]!r:.60} does not belong there"
        wrong = (follows(value[name], one, repr(name)) for name, one in known.items() if name in value)
        return next((why for why in wrong if why), None)
    if isinstance(value, list) and isinstance(schema.get("items"), Mapping):
        wrong = (follows(item, schema["items"], f"item {number}") for number, item in enumerate(value, 1))
        return next((why for why in wrong if why), None)
    return None


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool) and kind in ("integer", "number"):
        return False
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _KINDS.get(kind, (object,)))


def _same(value: Any, other: Any) -> bool:
    return bool(value == other) and isinstance(value, bool) == isinstance(other, bool)
