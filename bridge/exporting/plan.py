"""A training set worked out and not yet written: rows are made, sieved, put into splits, and given formats.

::

    merged answers ─▶ rows ─▶ sieves (curation, gates) ─▶ splits ─▶ lines of each format
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import merge
from typing import Any, TypeAlias

from bridge.errors import UsageError
from bridge.exporting.formats import FORMATS, Format, Line, metadata
from bridge.exporting.formats.chat_template import ChatTemplate, text, untold
from bridge.exporting.reasons import DROPPED, Dropped
from bridge.exporting.row import KINDS, REJECTED, Kind, Rejected, Row
from bridge.exporting.rows import made
from bridge.exporting.shelf import Growing, beside, chosen, joined
from bridge.exporting.shelves import Shelves
from bridge.exporting.survey import survey
from bridge.merging.merged import Merged
from bridge.records import Record
from bridge.templates import TaskTemplate


@dataclass(frozen=True, slots=True)
class Sieved:
    """Rows after one more step.

    Args:
        kept: the rows that go on, in their order; their texts may be others.
        rejected: each row that does not, and why.
        told: what was done, for the manifest: the name of the step to what it says.
    """

    kept: Sequence[Row]
    rejected: Sequence[Rejected] = field(default_factory=list)
    told: dict[str, Any] = field(default_factory=dict)


Sieve: TypeAlias = Callable[[Sequence[Row]], Sieved]
"""What becomes of the rows of one training set before they are written. They may lie on disk: then so does what a step
makes of them (:func:`bridge.exporting.shelf.beside`), and what it leaves out is not ``chosen``."""

Splitter: TypeAlias = Callable[[Mapping[Kind, Sequence[Row]]], Mapping[Kind, Sieved]]
"""Gives the rows of all training sets their splits, at once, so that a prompt is on one side in all of them."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A training set that was worked out and not yet written.

    Args:
        kind: what it is for.
        rows: all rows, in the order of the files.
        formats: name to format, of those that were asked for.
        parts: format and split to the indices of the rows that stand there, in their order; only where there are any,
            training rows first.
        records: how many records yielded the rows.
        dropped: records without a row, in all formats (``format`` is empty) or in one.
        rejected: rows that were made and then stopped.
        told: what the steps did, for the manifest.
        template: the task that the rows come from.
    """

    kind: Kind
    rows: Sequence[Row]
    formats: Mapping[str, Format]
    parts: Mapping[tuple[str, str], Sequence[int]]
    records: int
    dropped: Sequence[Dropped]
    rejected: Sequence[Rejected]
    told: dict[str, Any]
    template: TaskTemplate

    def lines(self, name: str, split: str) -> Iterator[Line]:
        """The lines of a format and split. They are made one by one: a set in five formats is never held at once."""
        write = self.formats[name].write
        for row in chosen(self.rows, self.parts[name, split]):
            yield write(row, metadata(row, self.template))


def plan_all(
    kinds: Sequence[Kind],
    records: Iterable[Record],
    merged: Iterable[Merged],
    template: TaskTemplate,
    formats: Sequence[str],
    *,
    sieves: Sequence[Sieve] = (),
    split: Splitter | None = None,
    seed: int = 0,
    chat_template: ChatTemplate | None = None,
    shelves: Shelves | None = None,
) -> list[Plan]:
    """Work out the training sets of several kinds.

    Args:
        kinds: what is to be made; of several that are the same, one is.
        records: what was judged.
        merged: what people said about it.
        template: the task, which says how answers become rows.
        formats: the shapes that are wanted; each kind takes those that it has.
        sieves: what every set goes through, in this order.
        split: gives the rows their splits.
        seed: decides the order of rows whose neighbours must not be of one prompt.
        chat_template: what the format ``text`` is made with.
        shelves: where it is kept; by default in memory.

    Raises:
        UsageError: a kind or format that does not exist, a kind that has none of the formats, or ``text`` without a
            chat template.
        ExportError: the template has no rule for such rows.
    """
    kinds = list(dict.fromkeys(kinds))
    wanted = {kind: _formats(kind, formats, chat_template) for kind in kinds}
    result = made(kinds, records, merged, template, shelves or Shelves())
    sieved = {kind: _through(sieves, result[kind].kept) for kind in kinds}
    if split is not None:
        parted = split({kind: of_kind.kept for kind, of_kind in sieved.items()})
        sieved = {kind: _after(sieved[kind], parted[kind]) for kind in kinds}
    return [_plan(kind, result[kind].dropped, sieved[kind], template, wanted[kind], seed) for kind in kinds]


def _plan(
    kind: Kind,
    without: Sequence[Dropped],
    sieved: Sieved,
    template: TaskTemplate,
    formats: Mapping[str, Format],
    seed: int,
) -> Plan:
    rows = sieved.kept
    if kind == "kto":  # a trainer for it compares neighbours of the file: rows of one prompt must not stand together
        lots = [_lot(row, seed) for row in rows]
        rows = chosen(rows, sorted(range(len(rows)), key=lots.__getitem__))
    found = survey(rows, formats)
    gone: dict[str, Dropped] = {}
    for case in sieved.rejected:
        for key in case.row.records:
            if key not in found.records and key not in gone:
                gone[key] = Dropped(key, case.reason, f"{case.rule}: {case.text}")
    dropped: Growing[Dropped] = beside(rows, DROPPED)
    dropped.extend(merge(without, sorted(gone.values(), key=_record), key=_record))
    dropped.extend(found.missing)
    told = sieved.told | found.told
    return Plan(kind, rows, found.formats, found.parts, len(found.records), dropped, sieved.rejected, told, template)


def _record(case: Dropped) -> str:
    return case.record


def _through(sieves: Sequence[Sieve], rows: Sequence[Row]) -> Sieved:
    so_far = Sieved(rows)
    for sieve in sieves:
        so_far = _after(so_far, sieve(so_far.kept))
    return so_far


def _after(before: Sieved, step: Sieved) -> Sieved:
    return Sieved(step.kept, joined(before.rejected, step.rejected, REJECTED), {**before.told, **step.told})


def _lot(row: Row, seed: int) -> bytes:
    drawn = "\0".join((str(seed), row.record, row.source, row.completion))
    return hashlib.sha256(drawn.encode()).digest()


def _formats(kind: Kind, names: Sequence[str], chat_template: ChatTemplate | None) -> dict[str, Format]:
    if kind not in FORMATS:
        raise UsageError(f"{kind!r:.60} is no kind of training set", remedy=f"use one of {', '.join(KINDS)}")
    known = {name for formats in FORMATS.values() for name in formats}
    strangers = [name for name in names if name not in known]
    wanted = [name for name in dict.fromkeys(names) if name in FORMATS[kind]]
    if strangers or not wanted:
        wrong = (
            f"{(strangers or list(names))[0]!r:.60} is no format for {kind} rows" if names else "no format was named"
        )
        raise UsageError(wrong, remedy=f"use one or more of {', '.join(FORMATS[kind])}")
    if kind == "reward" and "conversational" in wanted and "scalar" not in wanted:
        wanted.append("scalar")  # a pair has two answers and a score only one: no shape has a place for both
    formats = {name: FORMATS[kind][name] for name in wanted}
    if "text" in formats:
        formats["text"] = text(chat_template) if chat_template else untold()
    return formats
