"""What all ways back share: rows in the shape of ``records.jsonl``, which are checked like those of any file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from bridge.errors import ValueRejected
from bridge.files import Reject, Row
from bridge.reading import RecordReader
from bridge.records import FieldValue, record_key
from bridge.rows import Rows
from bridge.servers.shown import windows_line_breaks
from bridge.templates import TaskTemplate

Item = TypeVar("Item")

OURS = frozenset({"bridge_id", "bridge_key", "bridge_content", "bridge_messages"})
"""Names beside a record's own metadata that say which record it is."""


def reader(
    source: str,
    items: Iterable[Item],
    rows_of: Callable[[Item, TaskTemplate], Iterable[dict[str, Any] | ValueRejected]],
    template: TaskTemplate,
) -> RecordReader:
    """Foreign objects as records; one that cannot become any is a reject with its number.

    Args:
        source: what messages call the place that the objects come from.
        items: the objects.
        rows_of: one object as rows in the shape of ``records.jsonl``, or reasons why it is none.
        template: what the records must fit.
    """

    def rows() -> Iterator[Row]:
        for number, item in enumerate(items, 1):
            made = iter(rows_of(item, template))
            try:
                for row in made:
                    yield number, _reject(number, row) if isinstance(row, ValueRejected) else row
            except ValueRejected as error:
                yield number, _reject(number, error)

    return RecordReader(Rows(Path(source), "jsonl", None, rows()), template)


def _reject(number: int, error: ValueRejected) -> Reject:
    return Reject(number, error.reason, error.remedy)


def as_they_were(fields: Mapping[str, FieldValue], content: str) -> Mapping[str, FieldValue]:
    """Fields with their Windows line ends again, where their hash says that they had some.

    >>> windows = {"prompt": "a\\r\\nb"}
    >>> as_they_were({"prompt": "a\\u200b\\nb"}, record_key(windows)) == windows
    True
    """
    windows = {name: _windows(value) for name, value in fields.items()}
    return windows if windows != fields and record_key(windows) == content else fields


def _windows(value: FieldValue) -> FieldValue:
    if isinstance(value, str):
        return windows_line_breaks(value)
    return [{**message, "content": windows_line_breaks(message["content"])} for message in value]
