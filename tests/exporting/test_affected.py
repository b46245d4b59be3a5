"""Which rows that were exported already rest on answers that changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.annotations import Annotation
from bridge.exporting import export
from bridge.exporting.affected import affected
from bridge.merging import merge
from bridge.records import Record
from bridge.templates import load_template

REVIEW = load_template("review")
RECORDS = [Record(key, {"prompt": f"{key}?", "response": "4"}) for key in "abc"]
ANSWERS = [
    Annotation(record.key, "ann", answers={"rating": 5, "label": "correct"}, updated_at="2026-01-01T00:00:00.000000Z")
    for record in RECORDS
]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    export("sft", RECORDS, merge(ANSWERS, REVIEW, RECORDS).kept, REVIEW, tmp_path, annotations=ANSWERS)
    return tmp_path


def test_rows_are_named_by_file_and_line(out: Path) -> None:
    assert affected([out], ["b", "c", "other"]) == [
        {"file": str(out / f"sft.{shape}.jsonl"), "lines": [2, 3], "records": ["b", "c"]}
        for shape in ("conversational", "plain")
    ]


def test_files_of_all_sorts_are_named(tmp_path: Path) -> None:
    merged = merge(ANSWERS, REVIEW, RECORDS).kept
    export("sft", RECORDS, merged, REVIEW, tmp_path, ["plain"], ANSWERS, files=["parquet", "jsonl"])
    assert [part["file"] for part in affected([tmp_path], ["b"])] == [
        str(tmp_path / "sft.plain.jsonl"),
        str(tmp_path / "sft.plain.parquet"),
    ]
    export("sft", RECORDS, merged, REVIEW, tmp_path, ["plain"], ANSWERS, files=["parquet"])
    assert [part["file"] for part in affected([tmp_path], ["b"])] == [str(tmp_path / "sft.plain.parquet")]


def test_records_without_rows_affect_nothing(out: Path) -> None:
    assert affected([out], ["other"]) == []


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"rows": 5}', '{"rows": [5]}'])
def test_a_manifest_that_is_none_is_passed_over(out: Path, content: str) -> None:
    (out / "sft.manifest.json").write_text(content)
    assert affected([out, out / "nowhere"], ["b"]) == []
