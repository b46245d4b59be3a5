"""The rows that tasks are made of: transcripts, turn by turn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bridge.errors import InputError, ValueRejected
from bridge.files import Reject
from bridge.metadata import plain_value
from bridge.records import Message, record_key, text_of
from bridge.rows import read_rows
from bridge.templates import load_template

COLUMN = "transcript"
_FIRST = "make rows of transcripts first: annobridge transcripts read FILE --out rows.jsonl"
_CARRIED = ("source", "form", "part", "lines", "start", "end", "task", "domain")


@dataclass(frozen=True, slots=True)
class Meeting:
    """One transcript, or a part of one.

    Args:
        line: of the file.
        key: of the record that the row would be.
        root: the transcript that it comes from.
        value: the turns.
        metadata: what its tasks say of where they come from.
    """

    line: int
    key: str
    root: str
    value: list[Message]
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """A line for each turn, as it will stand in training prompts."""
        return text_of(self.value)

    @property
    def speakers(self) -> str:
        """Those who speak, in the order in which they do."""
        return ", ".join(dict.fromkeys(turn["role"] for turn in self.value))


class Meetings:
    """The transcripts of a file of rows, to be iterated once.

    Attributes:
        unreadable: rows that hold none.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows = read_rows(path)
        self.unreadable: list[Reject] = []

    def __iter__(self) -> Iterator[Meeting]:
        seen: set[str] = set()
        for line, row in self._rows:
            try:
                if isinstance(row, Reject):
                    self.unreadable.append(row)
                    continue
                meeting = _meeting(line, row)
                if meeting.key in seen:
                    raise ValueRejected("the same transcript as in an earlier row", remedy="keep one of them")
            except ValueRejected as error:
                self.unreadable.append(Reject(line, error.reason, error.remedy))
                continue
            seen.add(meeting.key)
            yield meeting
        if not seen:
            first = self.unreadable[0]
            raise InputError(
                f"{self._path}:{first.line}: no row holds a transcript: {first.reason}",
                remedy=_FIRST,
            )


def _meeting(line: int, row: Mapping[str, Any]) -> Meeting:
    """The transcript of a row, which may be a record as well."""
    fields, metadata = row, row
    if isinstance(row.get("fields"), dict):
        fields, metadata = row["fields"], row.get("metadata") or {}
    if COLUMN not in fields:
        raise ValueRejected(f"no column {COLUMN!r}", remedy=_FIRST)
    spec = load_template("summary_review").field_for(COLUMN)
    assert spec is not None
    value = spec.check(COLUMN, fields[COLUMN])
    assert not isinstance(value, str)
    key = record_key({COLUMN: value})
    root = metadata.get("root_id")
    carried = {name: plain_value(metadata[name], name) for name in _CARRIED if metadata.get(name) is not None}
    return Meeting(line, key, root if isinstance(root, str) and root else key, value, carried)
