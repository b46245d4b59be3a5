"""Where an export keeps what it works out: on disk, or in memory where no folder is given."""

from __future__ import annotations

from pathlib import Path

from bridge.exporting.reasons import DROPPED, Dropped
from bridge.exporting.row import REJECTED, ROWS, Rejected, Row
from bridge.exporting.shelf import Growing, Packing, Shelf, T
from bridge.merging.merged import Merged, MergedAnswer
from bridge.records import Record, text_of

RECORDS: Packing[Record] = Packing(
    lambda record: (record.key, dict(record.fields), dict(record.metadata)),
    lambda values: Record(values[0], values[1], (), values[2]),
    lambda record: 1000 + sum(300 + len(text_of(value)) for value in record.fields.values()),
)
"""How records lie on a shelf: without their suggestions, of which no row is made."""


def _packed(merged: Merged) -> object:
    return merged.record, [
        (name, one.outcome, one.value, one.support, one.n, one.reason, dict(one.details), dict(one.annotators))
        for name, one in merged.answers.items()
    ]


def _answer_weight(answer: MergedAnswer) -> int:
    texts = sum([len(value) for value in answer.annotators.values() if isinstance(value, str)])
    return 700 + 150 * len(answer.annotators) + 2 * texts


MERGED: Packing[Merged] = Packing(
    _packed,
    lambda values: Merged(values[0], {name: MergedAnswer(*rest) for name, *rest in values[1]}),
    lambda merged: 300 + sum([_answer_weight(answer) for answer in merged.answers.values()]),
)
"""How merged answers do."""


class Shelves:
    """Empty shelves, each for one sort of things.

    Args:
        folder: where their files lie; without one they are lists.

    >>> Shelves().rows()
    []
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    def _new(self, packing: Packing[T]) -> Growing[T]:
        return [] if self._folder is None else Shelf(self._folder, packing)

    def records(self) -> Growing[Record]:
        """For records."""
        return self._new(RECORDS)

    def merged(self) -> Growing[Merged]:
        """For merged answers."""
        return self._new(MERGED)

    def rows(self) -> Growing[Row]:
        """For rows."""
        return self._new(ROWS)

    def rejected(self) -> Growing[Rejected]:
        """For rows that were stopped."""
        return self._new(REJECTED)

    def dropped(self) -> Growing[Dropped]:
        """For records without a row."""
        return self._new(DROPPED)


def beside_folder(path: Path) -> Path:
    """The folder in which the file of a shelf lies: the place of an export, or what is there of the way to it.

    It is the disk that the export is written to, and there must be room for it.

    >>> beside_folder(Path("no-such", "folder"))
    PosixPath('.')
    """
    return next(folder for folder in (path, *path.parents) if folder.is_dir())
