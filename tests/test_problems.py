"""The file of problems: what it says of other records stays when some have changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bridge.annotations import Annotation
from bridge.problems import check_changed
from bridge.records import Record
from bridge.templates import load_template

REVIEW = load_template("review")
RECORDS = [Record(key, {"prompt": f"{key}?", "response": "4"}) for key in ("r1", "r2")]
GOOD = Annotation("r2", "ann", answers={"rating": 4, "label": "correct"})
BAD = Annotation("r2", "ann", answers={"rating": 9, "label": "correct"})
OTHERS = (
    '{"record": "r1", "value": "a\u2028b", "reason": "é"}\n'
    '{"record": "r1", "value": "\\ud83d", "reason": "half of a surrogate pair"}\n'
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "problems.jsonl"


def check(path: Path, annotation: Annotation) -> None:
    check_changed([annotation], REVIEW, lambda keys: [r for r in RECORDS if r.key in keys], path)


def test_lines_about_other_records_stay_as_they_are(path: Path) -> None:
    path.write_text(OTHERS, encoding="utf-8")
    check(path, BAD)
    others, added = path.read_text(encoding="utf-8").split('{"record": "r2"')
    assert others == OTHERS
    assert json.loads(f'{{"record": "r2"{added}')["question"] == "rating"


def test_lines_about_records_that_are_right_now_go(path: Path) -> None:
    path.write_text(OTHERS, encoding="utf-8")
    check(path, BAD)
    check(path, GOOD)
    assert path.read_text(encoding="utf-8") == OTHERS


def test_where_nothing_is_wrong_there_is_no_file(path: Path) -> None:
    check(path, GOOD)
    assert not path.exists()


def test_a_file_that_cannot_be_read_is_begun_anew(path: Path) -> None:
    path.write_text('{"record": "r1"')
    check(path, BAD)
    assert [json.loads(line)["record"] for line in path.read_text().splitlines()] == ["r2"]
