"""A disk that is full while an export is worked out or written: one clear error, and the earlier export stays whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bridge.annotations import Annotation
from bridge.errors import StoreError
from bridge.exporting import KINDS, export_all, shelf
from bridge.merging import merge
from bridge.records import Record
from bridge.templates import load_template
from tests.full_disk import full_disk

PREFERENCE = load_template("preference")
LIMIT = 12_000
"""Bytes: each set has more, and each settings file less."""


def text(number: int) -> str:
    """A text that no compression makes much shorter."""
    return " ".join(f"{number * step * 7919 % 99991:x}" for step in range(1, 40))


def write(folder: Path, count: int = 60, **more: Any) -> None:
    records = [
        Record(f"r{n:03}", {"prompt": f"{n}? {text(n)}", "response_a": text(n + 1), "response_b": text(n + 2)})
        for n in range(count)
    ]
    given = [Annotation(record.key, "ann", answers={"preference": "A"}) for record in records]
    merged = merge(given, PREFERENCE, records)
    export_all(KINDS, records, merged.kept, PREFERENCE, folder, annotations=given, **more)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("files", [["jsonl"], ["parquet"]])
def test_while_files_are_written(tmp_path: Path, files: list[str]) -> None:
    write(tmp_path, 5, files=["jsonl", "parquet"])
    before = contents(tmp_path)
    with full_disk(LIMIT), pytest.raises(StoreError, match="File too large") as caught:
        write(tmp_path, files=files)
    assert "free some space" in caught.value.remedy
    assert contents(tmp_path) == before
    write(tmp_path, files=files)
    assert contents(tmp_path) != before


def test_while_rows_go_to_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, 5)
    before = contents(tmp_path)
    monkeypatch.setattr(shelf, "HELD", 2_000)
    monkeypatch.setattr(shelf, "_SMALL", 2_000)
    with full_disk(LIMIT), pytest.raises(StoreError, match="cannot be written: File too large") as caught:
        write(tmp_path)
    assert "free some space there" in caught.value.remedy
    assert contents(tmp_path) == before
