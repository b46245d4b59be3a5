"""One look at all rows of a training set before they are written: which format has a place for which of them."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bridge.exporting.formats import Format, Unfit
from bridge.exporting.reasons import DROPPED, Dropped
from bridge.exporting.row import Row
from bridge.exporting.shelf import Growing, beside

_ORDER = {"train": 0, "valid": 1, "test": 2}


@dataclass(frozen=True, slots=True)
class Survey:
    """What there is to write.

    Args:
        formats: name to format, without a column that only some rows have.
        parts: format and split to the indices of the rows that stand there, in their order; only where there are any,
            training rows first.
        records: keys of the records that the rows were made from.
        missing: records with a row that a format cannot express, once for each format.
        told: what was left out, for the manifest.
    """

    formats: Mapping[str, Format]
    parts: Mapping[tuple[str, str], Sequence[int]]
    records: set[str]
    missing: Sequence[Dropped]
    told: dict[str, Any]


def survey(rows: Sequence[Row], formats: Mapping[str, Format]) -> Survey:
    """Look at all rows once.

    Args:
        rows: the training set.
        formats: name to format, of those that are wanted.
    """
    places: dict[str, dict[str, array[int]]] = {name: {} for name in formats}
    unfit: dict[str, set[str]] = {name: set() for name in formats}
    missing: dict[str, Growing[Dropped]] = {name: beside(rows, DROPPED) for name in formats}
    records: set[str] = set()
    pairs = lack = 0
    for index, row in enumerate(rows):
        records.add(row.record)
        records.update(row.others)
        if row.is_pair:
            pairs += 1
            lack += row.margin is None
        for name, shape in formats.items():
            if not shape.fits(row):
                continue
            try:
                shape.write(row, {})
            except Unfit as error:
                if row.record not in unfit[name]:
                    unfit[name].add(row.record)
                    text = f"{error.reason}; {error.remedy}"
                    missing[name].append(Dropped(row.record, error.code, text, name))
            else:
                places[name].setdefault(row.split, array("Q")).append(index)
    even, told = _even(formats, pairs, lack)
    all_missing = beside(rows, DROPPED)
    for of_format in missing.values():
        all_missing.extend(of_format)
    parts = {
        (name, split): found[split]
        for name, found in places.items()
        for split in sorted(found, key=lambda split: (_ORDER.get(split, 3), split))
    }
    return Survey(even, parts, records, all_missing, told)


def _even(formats: Mapping[str, Format], pairs: int, lack: int) -> tuple[Mapping[str, Format], dict[str, Any]]:
    """The formats without a column that only some rows have, since trainers allow no null; and what was left out."""
    if not lack or not any("margin" in shape.columns for shape in formats.values()):
        return formats, {}
    told = {"margin": {"left_out": True, "rows": pairs, "without": lack}} if lack < pairs else {}
    return {name: shape.without("margin") for name, shape in formats.items()}, told
