"""The file of splits: what it remembers, and what it is without."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bridge.errors import InputError
from bridge.exporting import Row
from bridge.exporting.settings import SplitsConfig
from bridge.exporting.split_memory import read_sides, splitter


def rows(count: int, word: str = "what") -> list[Row]:
    return [Row(f"r{n}", "sft", [{"role": "user", "content": f"{word} is {n}?"}], "4") for n in range(count)]


def given(path: Path, made: list[Row], salt: str = "a") -> dict[str, str]:
    config = SplitsConfig(test=0.5, salt=salt)
    return {row.record: row.split for row in splitter(path, config)({"sft": made})["sft"].kept}


def test_what_was_given_is_kept_whatever_else_is_drawn(tmp_path: Path) -> None:
    path = tmp_path / "splits.jsonl"
    first = given(path, rows(20))
    reworded = given(path, rows(30, "who"))  # the records are the same: their sides hold, not the draw of the prompts
    assert {key: reworded[key] for key in first} == first
    assert {
        line["record"]: line["split"] for line in map(json.loads, path.read_text().splitlines()) if "record" in line
    } == reworded


def test_without_new_rows_the_file_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "splits.jsonl"
    given(path, rows(5))
    before = path.stat()
    given(path, rows(5))
    assert path.stat() == before


def test_another_salt_begins_anew_and_the_first_one_is_not_lost(tmp_path: Path) -> None:
    path = tmp_path / "splits.jsonl"
    first = given(path, rows(40))
    assert given(path, rows(40), "other") != first
    assert given(path, rows(40)) == first
    assert len(read_sides(path, "a")[1].records) == 40


@pytest.mark.parametrize(
    "line", ['{"split": "train"}', '{"record": "r1", "split": "dev"}', "[]", '{"record": 1, "split": "test"}']
)
def test_another_file_in_its_place_is_an_error(tmp_path: Path, line: str) -> None:
    path = tmp_path / "splits.jsonl"
    path.write_text(f'{{"record": "r0", "salt": "a", "split": "test"}}\n{line}\n')
    with pytest.raises(InputError, match=r"splits\.jsonl:2: .*which split"):
        given(path, rows(2))
