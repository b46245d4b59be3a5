"""Which rows of a training set are checked: a sample by lot, and what people are shown of each row."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from math import ceil
from typing import Any

from bridge.exporting import Row

LEAST = 10
"""Rows that are drawn of each kind at the least, if there are so many."""

MARK = "audit"
"""In the metadata of a record: which row it is."""


def draw(rows: Iterable[Row], share: float, seed: int, *, least: int = LEAST) -> list[Row]:
    """A sample of rows by lot; the same rows and the same seed give the same one, and a larger share a larger one.

    Args:
        rows: those of one training set.
        share: how large a part of them, above 0, at most 1.
        seed: decides which.
        least: so many at any rate, if there are so many.

    >>> rows = [Row(f"r{n}", "sft", [], completion=str(n)) for n in range(100)]
    >>> [row.record for row in draw(rows, 0.02, 1, least=1)]
    ['r66', 'r73']
    """
    by_lot = sorted(rows, key=lambda row: (_lot(row, seed), row.record))
    return by_lot[: max(ceil(share * len(by_lot)), min(least, len(by_lot)))]


def _lot(row: Row, seed: int) -> bytes:
    return hashlib.sha256("\0".join((str(seed), key_of(row))).encode()).digest()


def key_of(row: Row) -> str:
    """What a row is called in its audit: by what it teaches, and where it comes from.

    >>> key_of(Row("r1", "sft", [], completion="4", source="use: response"))
    'sft-dd0c8d4cb4744a60'
    """
    told = "\0".join((row.content, row.source, *row.records))
    return f"{row.kind}-{hashlib.sha256(told.encode(errors='surrogatepass')).hexdigest()[:16]}"


def record_of(row: Row) -> dict[str, Any]:
    """A row as a line of the audit's records."""
    mark = {"kind": row.kind, "record": row.record, "source": row.source, "content": row.content}
    answers = {"answer": row.chosen, "worse_answer": row.rejected} if row.is_pair else {"answer": row.completion}
    claim = _claim(row)
    fields = {"prompt": row.prompt, **answers, **({"claim": claim} if claim else {})}
    return {"key": key_of(row), "fields": fields, "suggestions": [], "metadata": {MARK: mark}}


def _claim(row: Row) -> str:
    if row.is_pair:
        return "The answer is better than the other one."
    if row.label is not None:
        return "People want this answer." if row.label else "People do not want this answer."
    return f"People rate this answer {row.score:g} on average." if row.score is not None else ""
