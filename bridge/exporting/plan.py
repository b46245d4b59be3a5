"""A training set worked out and not yet written: rows are made, sieved, put into splits, and given formats.

::

    merged answers ─▶ rows ─▶ sieves (curation, gates) ─▶ splits ─▶ lines of each format
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from bridge.errors import UsageError
from bridge.exporting.formats import FORMATS, Format, Line, Unfit, metadata
from bridge.exporting.formats.chat_template import ChatTemplate, text, untold
from bridge.exporting.reasons import Dropped
from bridge.exporting.row import KINDS, Kind, Rejected, Row, RowsResult
from bridge.exporting.rows import training_rows
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

    kept: list[Row]
    rejected: list[Rejected] = field(default_factory=list)
    told: dict[str, Any] = field(default_factory=dict)


Sieve: TypeAlias = Callable[[list[Row]], Sieved]
"""What becomes of the rows of one training set before they are written."""

Splitter: TypeAlias = Callable[[Mapping[Kind, list[Row]]], Mapping[Kind, Sieved]]
"""Gives the rows of all training sets their splits, at once, so that a prompt is on one side in all of them."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A training set that was worked out and not yet written.

    Args:
        kind: what it is for.
        rows: all rows, in the order of the files.
        formats: name to format, of those that were asked for.
        fits: format to the indices of the rows that it has a place for, in their order.
        dropped: records without a row, in all formats (``format`` is empty) or in one.
        rejected: rows that were made and then stopped.
        told: what the steps did, for the manifest.
        template: the task that the rows come from.
    """

    kind: Kind
    rows: list[Row]
    formats: Mapping[str, Format]
    fits: Mapping[str, list[int]]
    dropped: list[Dropped]
    rejected: list[Rejected]
    told: dict[str, Any]
    template: TaskTemplate

    def lines(self, name: str, indices: Iterable[int]) -> Iterator[Line]:
        """The lines of some rows in a format. They are made one by one: a set in five formats is never held at once."""
        write = self.formats[name].write
        for index in indices:
            yield write(self.rows[index], metadata(self.rows[index], self.template))


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

    Raises:
        UsageError: a kind or format that does not exist, a kind that has none of the formats, or ``text`` without a
            chat template.
        ExportError: the template has no rule for such rows.
    """
    kinds = list(dict.fromkeys(kinds))
    wanted = {kind: _formats(kind, formats, chat_template) for kind in kinds}
    records, merged = list(records), list(merged)
    made = {kind: training_rows(kind, records, merged, template) for kind in kinds}
    sieved = {kind: _through(sieves, result.kept) for kind, result in made.items()}
    if split is not None:
        parted = split({kind: result.kept for kind, result in sieved.items()})
        sieved = {kind: _after(sieved[kind], parted[kind]) for kind in kinds}
    return [_plan(kind, made[kind], sieved[kind], template, wanted[kind], seed) for kind in kinds]


def _plan(
    kind: Kind, made: RowsResult, sieved: Sieved, template: TaskTemplate, formats: Mapping[str, Format], seed: int
) -> Plan:
    # A trainer for KTO compares neighbours of the file: rows of one prompt must not stand side by side.
    rows = sorted(sieved.kept, key=lambda row: _lot(row, seed)) if kind == "kto" else sieved.kept
    formats, told = _even(formats, rows)
    fits, missing = _fits(rows, formats)
    left = {key for row in rows for key in row.records}
    gone = {key: case for case in reversed(sieved.rejected) for key in case.row.records if key not in left}
    stopped = [Dropped(record, case.reason, f"{case.rule}: {case.text}") for record, case in gone.items()]
    dropped = sorted([*made.dropped, *stopped], key=lambda case: case.record)
    return Plan(kind, rows, formats, fits, [*dropped, *missing], sieved.rejected, sieved.told | told, template)


def _through(sieves: Sequence[Sieve], rows: list[Row]) -> Sieved:
    so_far = Sieved(rows)
    for sieve in sieves:
        so_far = _after(so_far, sieve(so_far.kept))
    return so_far


def _after(before: Sieved, step: Sieved) -> Sieved:
    return Sieved(step.kept, [*before.rejected, *step.rejected], {**before.told, **step.told})


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


def _even(formats: Mapping[str, Format], rows: Sequence[Row]) -> tuple[Mapping[str, Format], dict[str, Any]]:
    """The formats without a column that only some rows have, since trainers allow no null; and what was left out."""
    if not any("margin" in shape.columns for shape in formats.values()):
        return formats, {}
    pairs = [row for row in rows if row.is_pair]
    lack = sum(row.margin is None for row in pairs)
    if not lack:
        return formats, {}
    told = {"margin": {"left_out": True, "rows": len(pairs), "without": lack}} if lack < len(pairs) else {}
    return {name: shape.without("margin") for name, shape in formats.items()}, told


def _fits(rows: Sequence[Row], formats: Mapping[str, Format]) -> tuple[dict[str, list[int]], list[Dropped]]:
    """Format to the indices of the rows that it can express, and the records whose rows it cannot."""
    fits: dict[str, list[int]] = {}
    dropped: dict[tuple[str, str], Dropped] = {}
    for name, shape in formats.items():
        fits[name] = []
        for index, row in enumerate(rows):
            if not shape.fits(row):
                continue
            try:
                shape.write(row, {})
            except Unfit as error:
                case = Dropped(row.record, error.code, f"{error.reason}; {error.remedy}", name)
                dropped.setdefault((name, row.record), case)
            else:
                fits[name].append(index)
    return fits, list(dropped.values())
