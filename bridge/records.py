"""Records: what people are shown, and what machines already think of it.

A record is a few named fields, each a text or a list of chat messages, with optional suggestions for the
questions of a template. Its key identifies it on every machine and server.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from pydantic_core import to_json

from bridge.errors import ValueRejected

Message: TypeAlias = "dict[str, str]"
"""One turn of a conversation: ``{"role": ..., "content": ...}``."""

ROLES = ("system", "user", "assistant", "tool")
"""Roles of messages that trainers know."""

FieldValue: TypeAlias = "str | list[Message]"
"""A text, or a conversation."""

Value: TypeAlias = "int | str | list[str] | dict[str, int] | list[dict[str, Any]]"
"""An answer: rating ``int``, label ``str``, multi_label ``list[str]``, text ``str``, ranking ``{item: rank}``,
span ``[{"start", "end", "label"}]`` in code points. The same in Python, in the line formats and on every server."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What a machine (or an earlier person) would answer to one question.

    Args:
        question: name of the question in the template.
        value: an answer in that question's shape (see :data:`Value`).
        score: confidence from 0 to 1, or None where there is none.
        agent: what suggested it, such as a model's name.
        kind: ``model`` or ``human``.

    >>> Suggestion("rating", 4, score=0.9, agent="judge-v2").to_dict()
    {'question': 'rating', 'value': 4, 'score': 0.9, 'agent': 'judge-v2', 'kind': 'model'}
    """

    question: str
    value: Value
    score: float | None = None
    agent: str = ""
    kind: Literal["model", "human"] = "model"

    def to_dict(self) -> dict[str, Any]:
        """The suggestion as it stands in a line of ``records.jsonl``."""
        return {
            "question": self.question,
            "value": self.value,
            "score": self.score,
            "agent": self.agent,
            "kind": self.kind,
        }


@dataclass(frozen=True, slots=True)
class Record:
    """One thing to be judged.

    Args:
        key: the identity of the record, 1 to 200 characters; empty means the hash of the fields (:func:`record_key`).
        fields: field name to text or list of ``{"role", "content"}`` messages.
        suggestions: what the annotator finds already filled in.
        metadata: anything else that should travel with the record; never shown to annotators.

    >>> record = Record(fields={"prompt": "2 + 2?", "response": "4"})
    >>> record.key
    'ddd849862eb99b283dd1d2f2daf30638'
    """

    key: str = ""
    fields: Mapping[str, FieldValue] = field(default_factory=dict)
    suggestions: Sequence[Suggestion] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.key:
            object.__setattr__(self, "key", record_key(self.fields))

    @property
    def content(self) -> str:
        """The hash of what the record says (:func:`record_key`), whatever its key is."""
        return record_key(self.fields)

    def to_dict(self) -> dict[str, Any]:
        """The record as a line of ``records.jsonl``: ``{key, fields, suggestions, metadata}``."""
        return {
            "key": self.key,
            "fields": dict(self.fields),
            "suggestions": [s.to_dict() for s in self.suggestions],
            "metadata": dict(self.metadata),
        }


@dataclass(frozen=True, slots=True)
class Edited(Record):
    """A record whose fields were changed under its key, so that the key is not their hash even where it once was."""


_encode_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def canonical_json(value: object) -> bytes:
    """JSON in one fixed spelling: sorted keys, no spaces, UTF-8, no escapes beyond what JSON demands.

    For texts, messages and whole numbers this is RFC 8785's form wherever keys are ASCII, as field names are.

    >>> canonical_json({"b": "é", "a": 1}).decode()
    '{"a":1,"b":"é"}'
    """
    return _encode_canonical(value).encode()


_sha256 = hashlib.sha256().copy


def record_key(fields: Mapping[str, FieldValue]) -> str:
    """The default key: the first 128 bits of SHA-256 over the fields' canonical JSON, as 32 hexadecimal digits.

    Only the fields count: new suggestions or metadata do not make a new record.

    Raises:
        ValueRejected: the fields cannot be written as JSON, for example because of half a surrogate pair.

    >>> record_key({"b": "y", "a": "x"}) == record_key({"a": "x", "b": "y"})
    True
    """
    try:
        digest = _sha256()  # a copy is quicker than a new one
        digest.update(_canonical_fields(fields))
        return digest.hexdigest()[:32]
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueRejected(
            f"fields: they have no key, because they cannot be written as JSON ({type(error).__name__})",
            remedy="fields are texts or lists of messages, without halves of surrogate pairs",
        ) from None


def _canonical_fields(fields: Mapping[str, FieldValue]) -> bytes:
    """The same as :func:`canonical_json`, at a quarter of its cost where all fields are texts."""
    if {*map(type, fields.values())} != _TEXTS:
        return canonical_json(dict(fields))
    names = [*fields]
    order = sorted(names)
    return to_json(fields if order == names else {name: fields[name] for name in order})


_TEXTS = {str}


_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")


def wire_id(key: str) -> str:
    """A key in a form that every server can store, index and filter by exactly: 1 to 64 plain ASCII characters.

    Short plain keys stay as they are; others become ``k-`` and a hash. (Label Studio decodes filter values twice,
    so that an id with ``%25`` in it is never found again.)

    >>> wire_id("row-17")
    'row-17'
    >>> wire_id("Zürich/17")
    'k-63c4fa2adaf40900374ed94e2d4d399e'
    """
    if _PLAIN_KEY.fullmatch(key) and not key.startswith("k-"):
        return key
    return "k-" + hashlib.sha256(key.encode()).hexdigest()[:32]


def text_of(value: FieldValue) -> str:
    """A field as plain text; messages become one ``role: content`` line each.

    >>> text_of([{"role": "Ann", "content": "Shall we?"}, {"role": "Bo", "content": "Yes."}])
    'Ann: Shall we?\\nBo: Yes.'
    """
    if isinstance(value, str):
        return value
    return "\n".join(f"{m['role']}: {m['content']}" for m in value)


def answer_text(value: FieldValue) -> str:
    """The response that a field holds: the text itself, or the last assistant turn of a chat (else an empty text).

    >>> answer_text([{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}])
    '4'
    """
    if isinstance(value, str):
        return value
    return value[-1]["content"] if value and value[-1]["role"] == "assistant" else ""
