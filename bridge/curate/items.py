"""Lines of any shape as records, and back, so that every step of curation is a filter from JSONL to JSONL.

Four shapes are told apart line by line::

    {"key": ..., "fields": {...}}                       a record
    {"messages": [...]}, {"prompt", "completion"}       a training row, conversational or plain
    {"prompt", "chosen", "rejected"}                    a preference row
    {"instruction", "output", "topic", ...}             any other row, by its columns' names or by a map

What a step does not touch stays as it is: a line goes back with the same keys in the same order, and only the texts,
metadata and suggestions that a step has changed are others.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import date, time
from pathlib import Path
from typing import Any, TypeAlias

from bridge.errors import UsageError, ValueRejected
from bridge.files import Reject, Row
from bridge.records import FieldValue, Message, Record, Suggestion, record_key, text_of
from bridge.rows import read_rows
from bridge.text import check_key

Place: TypeAlias = "tuple[str | int, ...]"
"""Where a text stands in a line: ``("messages", 0, "content")``."""

_RESPONSE = re.compile(
    r"(response|completion|output|answer|summary|action_items|chosen|rejected|text|improved_\w+)(_[a-z]|_\d+)?"
)
_TRAINING = {"messages", "completion", "chosen", "rejected"}
_PROMPT = re.compile(r"(prompt|instruction|input|question|system|transcript|context|messages|conversation)(_\d+)?")


def is_response(name: str) -> bool:
    """Whether a field of this name holds an answer. All other texts belong to the prompt.

    >>> [is_response(name) for name in ("response_2", "chosen", "output", "prompt", "transcript")]
    [True, True, True, False, False]
    """
    return _RESPONSE.fullmatch(name) is not None


def sides(record: Record) -> tuple[list[str], list[str]]:
    """The texts of a record on the two sides of the task: those of its prompt, and its responses.

    Fields are told apart by their names (:func:`is_response`). Of a conversation that ends with the assistant's turn,
    that turn is the response, and what stands before it belongs to the prompt.

    >>> sides(Record("r", {"prompt": "2 + 2?", "response_1": "4", "response_2": "Four."}))
    (['2 + 2?'], ['4', 'Four.'])
    >>> sides(Record("r", {"messages": [{"role": "user", "content": "2 + 2?"}, {"role": "assistant", "content": "4"}]}))
    (['2 + 2?'], ['4'])
    """
    before: list[str] = []
    after: list[str] = []
    for name, value in record.fields.items():
        if isinstance(value, str):
            (after if is_response(name) else before).append(value)
        elif value and value[-1]["role"] == "assistant":
            after.append(value[-1]["content"])
            # The two sides of a preference may each carry the whole conversation, which is one prompt and not two.
            if value[:-1] and _contents(value[:-1]) not in before:
                before.append(_contents(value[:-1]))
        else:
            (after if is_response(name) else before).append(_contents(value))
    return before, after


def prompt_and_response(record: Record) -> tuple[str, str]:
    """The two sides of a record as one text each, with a blank line between several on one side.

    >>> prompt_and_response(Record("r", {"prompt": "2 + 2?", "response_1": "4", "response_2": "Four."}))
    ('2 + 2?', '4\\n\\nFour.')
    """
    prompts, responses = sides(record)
    return "\n\n".join(filter(None, prompts)), "\n\n".join(filter(None, responses))


def texts(record: Record, on: str = "both") -> str:
    """What a step compares of a record: its ``prompt``, its ``response``, or ``both``.

    Raises:
        UsageError: ``on`` is none of the three.

    >>> texts(Record("r", {"prompt": "2 + 2?", "response": "4"}))
    '2 + 2?\\n\\n4'
    """
    prompt, response = prompt_and_response(record)
    sides = {"prompt": prompt, "response": response, "both": "\n\n".join(filter(None, (prompt, response)))}
    if on not in sides:
        raise UsageError(f"on {on!r:.60}: there is no such side of a record", remedy="use prompt, response or both")
    return sides[on]


def attribute(record: Record, name: str) -> Any:
    """A value that a record carries beside its texts, or None: in its metadata, or as a suggestion for a question.

    >>> attribute(Record("r", {"prompt": "?"}, metadata={"topic": "sums"}), "topic")
    'sums'
    >>> attribute(Record("r", {"prompt": "?"}, [Suggestion("rating", 4)]), "rating")
    4
    """
    if record.metadata.get(name) is not None:
        return record.metadata[name]
    return next((suggestion.value for suggestion in record.suggestions if suggestion.question == name), None)


def _contents(value: FieldValue) -> str:
    """A text, or the texts of messages; who speaks counts only where it is a name and no role."""
    if isinstance(value, str):
        return value
    if {message["role"] for message in value} <= {"system", "user", "assistant", "tool"}:
        return "\n".join(message["content"] for message in value)
    return text_of(value)


@dataclass(frozen=True, slots=True)
class Item:
    """One line, and the record that it is for the steps of curation.

    Args:
        number: the line's number.
        row: the line as it was read.
        record: its texts and what it carries beside them.
        places: where each field's text stands in the line: a place, or one for every message.
    """

    number: int
    row: Mapping[str, Any]
    record: Record
    places: Mapping[str, Place | list[Place]]

    def line(self, record: Record | None = None) -> dict[str, Any]:
        """The line again, with what a step changed in the record, and all else as it was.

        >>> item = read_row(1, {"instruction": "Mail a@b.example!", "output": "Done.", "weight": 1.5})
        >>> item.line(replace(item.record, fields={**item.record.fields, "instruction": "Mail <EMAIL_1>!"}))
        {'instruction': 'Mail <EMAIL_1>!', 'output': 'Done.', 'weight': 1.5}
        """
        if record is None or record is self.record:
            return dict(self.row)
        row = deepcopy(dict(self.row))
        for name, value in record.fields.items():
            if value != self.record.fields.get(name):
                self._put(row, name, value)
        for name in self.record.fields.keys() - record.fields.keys():
            self._remove(row, name)
        if list(record.suggestions) != list(self.record.suggestions):
            row["suggestions"] = [suggestion.to_dict() for suggestion in record.suggestions]
        before, after = self.record.metadata, record.metadata
        for name in before.keys() - after.keys():
            self._beside(row, name).pop(name, None)
        for name, value in after.items():
            if name not in before or before[name] != value:
                self._beside(row, name)[name] = value
        return row

    def _put(self, row: dict[str, Any], name: str, value: FieldValue) -> None:
        place = self.places.get(name)
        if isinstance(place, list) and not isinstance(value, str) and len(value) == len(place):
            for where, message in zip(place, value, strict=True):
                _set(row, where, message["content"])
                _set(row, (*where[: where.index("content")], "role"), message["role"])
        elif isinstance(place, tuple):
            _set(row, place, value)
        else:
            _set(row, ("fields", name) if self._is_record else (self._column(name),), value)

    def _remove(self, row: dict[str, Any], name: str) -> None:
        (row["fields"] if self._is_record else row).pop(name if self._is_record else self._column(name), None)

    def _column(self, name: str) -> str:
        place = self.places.get(name) or (name,)
        return str(place[0][0] if isinstance(place, list) else place[0])

    def _beside(self, row: dict[str, Any], name: str) -> dict[str, Any]:
        """Where a piece of metadata stands in a line, or goes. Trainers take unknown columns for data of their own, so
        theirs are all in one."""
        inner = row.get("metadata")
        if isinstance(inner, dict) and (self._is_record or name in inner or name not in row):
            return inner
        if self._is_record or ({*self.places} & _TRAINING and name not in row):
            row["metadata"] = {}
            return row["metadata"]  # type: ignore[no-any-return]
        return row

    @property
    def _is_record(self) -> bool:
        return type(self.row.get("fields")) is dict


def _set(row: dict[str, Any], place: Place, value: Any) -> None:
    *above, last = place
    target: Any = row
    for part in above:
        target = target[part]
    target[last] = value


def read_row(
    number: int, row: dict[str, Any], *, mapping: Mapping[str, str] | None = None, id_column: str | None = None
) -> Item:
    """One line as an :class:`Item`.

    Raises:
        ValueRejected: there is no text in it, a text is none, or it cannot have a key.

    >>> read_row(1, {"instruction": "2 + 2?", "output": "4", "topic": "sums"}).record.metadata
    {'topic': 'sums'}
    """
    is_record = type(row.get("fields")) is dict
    fields: dict[str, FieldValue] = {}
    places: dict[str, Place | list[Place]] = {}
    for name, place, value in _texts_of(row, mapping or {}):
        if value is not None:
            fields[name], places[name] = _field(name, place, value)
    if not fields:
        columns = row["fields"] if is_record else row
        raise ValueRejected(
            f"no text in it: its {'fields' if is_record else 'columns'} are {', '.join(map(str, columns)) or 'none'}",
            remedy="name the columns, such as --map prompt=question --map response=reply",
        )
    metadata = row.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    if not is_record:
        used = {place[0][0] if isinstance(place, list) else place[0] for place in places.values()}
        used |= {"metadata"} if metadata else set()
        metadata = {column: value for column, value in row.items() if column not in used} | metadata
    key = _key(row, metadata, is_record, id_column) or record_key(fields)
    return Item(number, row, Record(key, fields, _suggestions(row) if is_record else (), metadata), places)


def _texts_of(row: Mapping[str, Any], mapping: Mapping[str, str]) -> Iterator[tuple[str, Place, Any]]:
    """Name, place and value of each field.

    A mapping speaks for the sides that it names; on a side that it does not name, columns have their usual names.
    """
    if type(row.get("fields")) is dict:
        yield from ((name, ("fields", name), value) for name, value in row["fields"].items())
        return
    yield from ((name, (column,), row[column]) for name, column in mapping.items() if column in row)
    named, taken = {is_response(name) for name in mapping}, {*mapping, *mapping.values()}
    for column, value in row.items():
        answers = is_response(column)
        if (answers or _PROMPT.fullmatch(column)) and answers not in named and column not in taken:
            yield column, (column,), value


def _field(name: str, place: Place, value: Any) -> tuple[FieldValue, Place | list[Place]]:
    if isinstance(value, str):
        return value, place
    messages: list[Message] = []
    places: list[Place] = []
    if isinstance(value, list):
        for number, message in enumerate(value):
            if not isinstance(message, dict) or not isinstance(message.get("role"), str):
                break
            content = message.get("content")
            if isinstance(content, str):
                found = [((*place, number, "content"), content)]
            else:  # nothing beside a call of a tool, or parts of which some are texts
                found = [
                    ((*place, number, "content", part, "text"), block["text"])
                    for part, block in enumerate(content if isinstance(content, list) else ())
                    if isinstance(block, dict) and isinstance(block.get("text"), str)
                ]
            places += [where for where, _ in found]
            messages += [{"role": message["role"], "content": text} for _, text in found]
        else:
            return messages, places
    kind = {dict: "an object", bool: "true or false", list: "a list of something else"}.get(type(value), "a number")
    raise ValueRejected(
        f"{name}: {kind} where a text or a list of messages is expected",
        remedy='write a text, or [{"role": ..., "content": ...}]',
    )


def _key(row: Mapping[str, Any], metadata: Mapping[str, Any], is_record: bool, id_column: str | None) -> str:
    """The key that a line brings along, or an empty text; rows that we exported name their record in the metadata."""
    if id_column is not None:
        found = metadata.get(id_column) if is_record else row.get(id_column, metadata.get(id_column))
        if found is None:
            raise ValueRejected(f"{id_column}: missing, so there is no key", remedy="give every row an id")
        return check_key(found)
    inner = row.get("metadata")
    found = row.get("key") if is_record else inner.get("record") if isinstance(inner, dict) else None
    return "" if found is None else check_key(found)


def _suggestions(row: Mapping[str, Any]) -> tuple[Suggestion, ...]:
    """The suggestions of a record; what is none is left for the check before a push to name."""
    listed = row.get("suggestions")
    return tuple(
        Suggestion(s["question"], s["value"], s.get("score"), s.get("agent") or "", s.get("kind") or "model")
        for s in (listed if isinstance(listed, list) else ())
        if isinstance(s, dict) and isinstance(s.get("question"), str) and s.get("value") is not None
    )


def _plain_rows(rows: Iterable[Row]) -> Iterator[Row]:
    """Rows of a table with values that JSON has: dates become texts, and columns of other things are left out."""
    for number, row in rows:
        if isinstance(row, dict):
            row = {name: plain for name, value in row.items() if (plain := _plain(value)) is not None or value is None}
        yield number, row


def _plain(value: Any) -> Any:
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return value if isinstance(value, str | int | float | bool) else None


class Items:
    """The lines of a file as items; each time it is iterated, the file is read again.

    Lines that cannot be read, or hold no text, are in ``rejects`` when the end is reached. Within one reading every
    key is there once: a second line with the key of an earlier one gets ``KEY#2``, and so on.

    Args:
        path: JSONL, JSON, CSV, Parquet or a saved dataset.
        mapping: name to column, such as ``{"prompt": "question", "response": "reply"}``, for rows that are no records.
        id_column: the column (in a record, the piece of metadata) that is the key.
        unique: whether keys are told apart, which takes memory for each of them.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "rows.jsonl")
    >>> _ = path.write_text('{"instruction": "2 + 2?"}\\n{"instruction": "2 + 2?"}\\n{"topic": "sums"}\\n')
    >>> items = Items(path)
    >>> [item.record.key[-2:] for item in items], items.rejects[0].reason
    (['5a', '#2'], 'no text in it: its columns are topic')
    """

    def __init__(
        self,
        path: str | Path,
        *,
        mapping: Mapping[str, str] | None = None,
        id_column: str | None = None,
        unique: bool = True,
    ) -> None:
        self.path = Path(path)
        self.rejects: list[Reject] = []
        self._mapping = dict(mapping or {})
        self._id_column = id_column
        self._unique = unique

    def __iter__(self) -> Iterator[Item]:
        self.rejects = []
        rows = read_rows(self.path)
        return self._read(rows if rows.columns is None or rows.format == "csv" else _plain_rows(rows))

    def _read(self, rows: Iterable[Row]) -> Iterator[Item]:
        seen: Counter[str] = Counter()
        for number, row in rows:
            if isinstance(row, Reject):
                self.rejects.append(row)
                continue
            try:
                item = read_row(number, row, mapping=self._mapping, id_column=self._id_column)
            except ValueRejected as error:
                self.rejects.append(Reject(number, error.reason, error.remedy))
                continue
            if self._unique:
                key = item.record.key
                seen[key] += 1
                while seen[key] > 1 and f"{key}#{seen[key]}" in seen:
                    seen[key] += 1
                if seen[key] > 1:
                    key = f"{key}#{seen[key]}"
                    seen[key] = 1
                    item = replace(item, record=replace(item.record, key=key))
            yield item
