"""Where the texts of a record stand, by names that a person can read: ``prompt``, ``messages[2]``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from bridge.records import FieldValue, Record

HISTORY = "history"
"""The key in a record's metadata under which earlier texts stand: ``[{"step", "rule", "field", "before"}]``."""


def texts_of(fields: Mapping[str, FieldValue]) -> list[tuple[str, str]]:
    """The texts of fields with their places, in order.

    >>> texts_of({"prompt": "Hi", "messages": [{"role": "user", "content": "2+2?"}]})
    [('prompt', 'Hi'), ('messages[0]', '2+2?')]
    """
    found = []
    for name, value in fields.items():
        if isinstance(value, str):
            found.append((name, value))
        else:
            found += [(f"{name}[{number}]", message["content"]) for number, message in enumerate(value)]
    return found


def with_texts(fields: Mapping[str, FieldValue], texts: Mapping[str, str]) -> dict[str, FieldValue]:
    """The fields with other texts in some places; ``messages[0].role`` is who speaks.

    >>> with_texts({"messages": [{"role": "Ann", "content": "2+2?"}]}, {"messages[0].role": "Bo"})
    {'messages': [{'role': 'Bo', 'content': '2+2?'}]}
    """
    changed: dict[str, FieldValue] = {}
    for name, value in fields.items():
        if isinstance(value, str):
            changed[name] = texts.get(name, value)
        else:
            changed[name] = [
                {
                    **message,
                    "role": texts.get(f"{name}[{number}].role", message["role"]),
                    "content": texts.get(f"{name}[{number}]", message["content"]),
                }
                for number, message in enumerate(value)
            ]
    return changed


def field_of(place: str) -> str:
    """The field that a place belongs to.

    >>> field_of("messages[0].role"), field_of("prompt")
    ('messages', 'prompt')
    """
    return place.partition("[")[0]


def nested_texts(value: Any, place: str) -> Iterator[tuple[str, str]]:
    """All texts in a value as JSON has them, such as a record's metadata, with their places.

    >>> list(nested_texts({"from": "a@b.example", "cc": ["c@d.example", 7]}, "metadata"))
    [('metadata.from', 'a@b.example'), ('metadata.cc[0]', 'c@d.example')]
    """
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from nested_texts(inner, _below(place, key))
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from nested_texts(inner, f"{place}[{number}]")


def with_nested_texts(value: Any, place: str, texts: Mapping[str, str]) -> Any:
    """The same value with other texts in some places."""
    if isinstance(value, str):
        return texts.get(place, value)
    if isinstance(value, Mapping):
        return {key: with_nested_texts(inner, _below(place, key), texts) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [with_nested_texts(inner, f"{place}[{number}]", texts) for number, inner in enumerate(value)]
    return value


def _below(place: str, key: str) -> str:
    """The place of a key, which is another one for ``{"a": {"b": ...}}`` and ``{"a.b": ...}``."""
    return f"{place}[{key!r}]" if "." in key or "[" in key else f"{place}.{key}"


def suggestion_places(record: Record) -> list[str]:
    """The place of each suggestion; a second one for a question, which is none of a sound record, has its own.

    >>> from bridge.records import Suggestion
    >>> suggestion_places(Record("r", suggestions=[Suggestion("rating", 4), Suggestion("rating", 5)]))
    ['suggestions.rating', 'suggestions.rating#2']
    """
    seen: Counter[str] = Counter()
    places = []
    for suggestion in record.suggestions:
        seen[suggestion.question] += 1
        number = seen[suggestion.question]
        places.append(f"suggestions.{suggestion.question}" + (f"#{number}" if number > 1 else ""))
    return places


def with_history(record: Record, entries: list[dict[str, Any]]) -> Record:
    """The record with more entries at the end of its history."""
    if not entries:
        return record
    earlier = record.metadata.get(HISTORY)
    listed = [*(earlier if isinstance(earlier, list) else []), *entries]
    return replace(record, metadata={**record.metadata, HISTORY: listed})


def undo(record: Record, step: str = "clean") -> Record:
    """The record as it was before a step changed it, and without that step's entries in its history.

    Only what stands in the history comes back: masking keeps nothing there.

    >>> record = Record("r", {"prompt": "Hi"}, metadata={"history": [
    ...     {"step": "clean", "rule": "whitespace", "field": "prompt", "before": "Hi  "}]})
    >>> undo(record).fields, undo(record).metadata
    ({'prompt': 'Hi  '}, {})
    """
    entries = record.metadata.get(HISTORY)
    if not isinstance(entries, list):
        return record
    earliest: dict[str, Any] = {}
    for entry in reversed(entries):
        if entry.get("step") == step:
            earliest[entry["field"]] = entry["before"]
    kept = [entry for entry in entries if entry.get("step") != step]
    metadata = {key: value for key, value in record.metadata.items() if key != HISTORY}
    return replace(
        record,
        fields=with_texts(record.fields, {place: text for place, text in earliest.items() if isinstance(text, str)}),
        suggestions=tuple(
            replace(s, value=earliest.get(f"suggestions.{s.question}", s.value)) for s in record.suggestions
        ),
        metadata={**metadata, HISTORY: kept} if kept else metadata,
    )
