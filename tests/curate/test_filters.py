"""A step as a filter of files: what it tells while it works."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.curate.filters import filter_each, filter_whole
from bridge.curate.items import Items
from bridge.curate.result import Result


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(f'{{"id": "{number}", "prompt": "Is {number} even?"}}\n' for number in range(2500)))
    return path


def test_progress_of_a_step_for_each_record_has_an_end(rows: Path) -> None:
    told: list[tuple[str, int, int]] = []
    filter_each(Items(rows), Result, None, None, lambda *said: told.append(said))
    assert told == [("curating", 1000, 2500), ("curating", 2000, 2500)]


def test_progress_of_a_step_for_all_records_has_an_end(rows: Path, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    filter_whole(Items(rows, id_column="id"), Result, tmp_path / "out", None, lambda *said: told.append(said))
    assert told == [(what, done, 2500) for what in ("reading", "writing") for done in (1000, 2000)]


def test_of_other_formats_the_end_is_not_known(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("prompt\n" + "Is it?\n" * 1000)
    told: list[tuple[str, int, int]] = []
    filter_each(Items(path), Result, None, None, lambda *said: told.append(said))
    assert told == [("curating", 1000, 0)]
