"""Rows of the user's own: seeds, prompts that want answers, answers that want rewriting."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bridge.errors import InputError, UsageError, ValueRejected
from bridge.files import Reject
from bridge.generating.shape import Shape
from bridge.metadata import checked_name, plain_value
from bridge.records import FieldValue, record_key
from bridge.rows import read_rows
from bridge.text import check_key, check_text

_PROMPT, _ANSWER = "prompt", "response"
"""What prompt and answer of a plain row are called, where the template has a conversation or compares answers."""


@dataclass(frozen=True, slots=True)
class Given:
    """One row.

    Args:
        line: where it stands.
        key: its key, as a push with this template gives it.
        prompt: what is asked.
        answer: what was answered; None where the row has only a prompt.
        fields: all fields that the template knows.
        metadata: what else the row says.
    """

    line: int
    key: str
    prompt: FieldValue
    answer: str | None
    fields: Mapping[str, FieldValue] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def root(self) -> str:
        """The record that this one comes from in the end; itself, where it says nothing of another."""
        root = self.metadata.get("root_id")
        return root if isinstance(root, str) and root.strip() else self.key


class GivenRows:
    """The rows of a file, which is read anew each time that it is iterated.

    A row is a line of ``records.jsonl`` or a plain row with a column for the prompt and perhaps one for the answer.

    Args:
        path: JSONL, JSON, CSV, Parquet, or a dataset saved on disk.
        shape: which fields there are.
        mapping: name of a field to column.
        id_column: the column (in a record, the piece of metadata) that is the key.

    Attributes:
        rejects: the rows that cannot be used, with their reasons, once all were read.

    Raises:
        UsageError: ``mapping`` names a field that is none.
        InputError: while iterating: the file cannot be read, or none of its rows can be used.

    >>> import tempfile
    >>> from bridge.templates import load_template
    >>> path = Path(tempfile.mkdtemp(), "rows.jsonl")
    >>> _ = path.write_text('{"q": "2 + 2?", "topic": "sums"}\\n{"topic": "sums"}\\n')
    >>> rows = GivenRows(path, Shape.of(load_template("preference")), mapping={"prompt": "q"})
    >>> [(row.prompt, row.answer, dict(row.metadata)) for row in rows], rows.rejects[0].reason
    ([('2 + 2?', None, {'topic': 'sums'})], 'prompt: missing')
    """

    def __init__(
        self,
        path: str | Path,
        shape: Shape,
        *,
        mapping: Mapping[str, str] | None = None,
        id_column: str | None = None,
    ) -> None:
        self.path = Path(path)
        self.rejects: list[Reject] = []
        self._shape = shape
        self._mapping = dict(mapping or {})
        self._id_column = id_column
        self._aliases = (_PROMPT, _ANSWER) if shape.is_chat else (_ANSWER,)
        known = [shape.prompt.name, *shape.names(shape.most), *self._aliases]
        for name in self._mapping:
            if name not in known:
                raise UsageError(
                    f"--map {name}=...: template {shape.template.name} has no such field",
                    remedy=f"map {', '.join(dict.fromkeys(known))}",
                )

    def __iter__(self) -> Iterator[Given]:
        self.rejects = []
        rows = read_rows(self.path)
        usable = False
        for line, row in rows:
            if isinstance(row, Reject):
                self.rejects.append(row)
                continue
            try:
                given = self._given(line, row, is_text=rows.format == "csv")
            except ValueRejected as error:
                self.rejects.append(Reject(line, error.reason, error.remedy))
            except RecursionError:
                self.rejects.append(Reject(line, "nested too deeply", "flatten it"))
            else:
                usable = True
                yield given
        if not usable:
            first = self.rejects[0]
            raise InputError(
                f"{self.path}: none of its {len(self.rejects):,} rows can be used; line {first.line}: {first.reason}",
                remedy=first.remedy,
            )

    def _given(self, line: int, row: dict[str, Any], *, is_text: bool) -> Given:
        is_record = type(row.get("fields")) is dict
        cells = row["fields"] if is_record else row
        columns = {name: name for name in cells if name not in self._mapping} | self._mapping
        template = self._shape.template
        fields: dict[str, FieldValue] = {}
        for name, column in columns.items():
            spec = template.field_for(name)
            value = cells.get(column)
            if spec is None or value is None or value == "":
                continue
            fields[name] = spec.check(name, _parsed(value) if is_text and spec.type != "text" else value)
        prompt, answer = self._shape.split(fields)
        aside = {name: cells.get(columns.get(name, name)) for name in self._aliases}
        if prompt is None and isinstance(text := aside.get(_PROMPT), str) and text.strip():
            prompt = [{"role": "user", "content": check_text(text, _PROMPT)}]
        if prompt is None:
            name = self._shape.prompt.name
            raise ValueRejected(f"{name}: missing", remedy=f"add it, or name its column with --map {name}=COLUMN")
        said = fields
        if answer is None and isinstance(text := aside.get(_ANSWER), str) and text.strip():
            answer = check_text(text, _ANSWER)
            said = fields | {_ANSWER: answer}
            if not self._shape.compares:
                fields = said = self._shape.fields(prompt, [answer])
        self._shape.fields(prompt, [answer or "..."] * self._shape.least)  # or answers would be paid for in vain
        used = {columns.get(name, name) for name in (*columns, *self._aliases) if name in fields or name in aside}
        metadata = row.get("metadata") if is_record else _others(row, used)
        metadata = metadata if isinstance(metadata, dict) else {}
        return Given(line, self._key(row, metadata, said, is_record), prompt, answer, fields, metadata)

    def _key(
        self, row: Mapping[str, Any], metadata: Mapping[str, Any], fields: Mapping[str, FieldValue], is_record: bool
    ) -> str:
        if self._id_column is not None:
            key = metadata.get(self._id_column) if is_record else row.get(self._id_column)
            if key is None:
                raise ValueRejected(f"{self._id_column}: missing, so there is no key", remedy="give every row an id")
            return check_key(key)
        key = row.get("key") if is_record else None
        return record_key(fields) if key is None else check_key(key)


def _parsed(cell: object) -> object:
    try:
        return json.loads(cell) if isinstance(cell, str) else cell
    except (ValueError, RecursionError):
        raise ValueRejected("messages: not valid JSON", remedy="write messages in CSV as JSON") from None


def _others(row: Mapping[str, Any], used: set[str]) -> dict[str, Any]:
    """The columns that can be metadata; a column that cannot is left out."""
    found = {}
    for name, value in row.items():
        if name not in used and value is not None:
            try:
                found[checked_name(name)] = plain_value(value, name)
            except ValueRejected:
                continue
    return found
