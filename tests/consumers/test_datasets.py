"""`datasets`, in an old and in the newest version, loads every export by its own code, and every row says the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from bridge.exporting import FORMATS
from bridge.exporting.parquet import write_parquet

LOAD = Path(__file__).with_name("load.py")
NAMES = {"train": "train", "validation": "valid", "test": "test"}
"""What `datasets` calls a split, and what its file is called."""


def loaded(places: Sequence[Path], cache: Path, *, path: str = "") -> tuple[str, dict[Path, dict[str, list[Any]]]]:
    """The version of `datasets`, and place to split to rows."""
    done = subprocess.run(
        [sys.executable, str(LOAD), str(cache), *map(str, places)],
        env={**os.environ, "PYTHONPATH": path, "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    return told["version"], {Path(place): splits for place, splits in told["rows"].items()}


def lines(path: Path) -> list[Any]:
    # Nothing but a line feed ends a line: U+2028 is part of a text.
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


def check(exports: Path, cache: Path, path: str = "") -> str:
    """Load all of it, and a Parquet file of dates; returns the version of `datasets`."""
    chats, pairs = exports / "chats", exports / "pairs"
    flat = [file for kind in FORMATS for name in FORMATS[kind] if (file := chats / f"{kind}.{name}.jsonl").exists()]
    parquet = [folder for folder in pairs.iterdir() if folder.name.endswith("-parquet")]
    folders = [pairs / f"{kind}.conversational" for kind in FORMATS] + [pairs / "sft.openai"]
    assert {file.stem for file in flat} == {f"{k}.{n}" for k in FORMATS for n in FORMATS[k]} - {
        "dpo.plain",
        "reward.plain",
        "reward.axolotl",
    }, "prompts of several messages or with a system message have no plain form"
    assert {folder.name for folder in parquet} == {
        f"{kind}.{name}-parquet" for kind in FORMATS for name in FORMATS[kind] if name not in ("openai", "scalar")
    }
    dates = cache / "dates.parquet"
    write_parquet(dates, rows(3), COLUMNS)
    version, found = loaded([*flat, *parquet, *folders, dates], cache, path=path)
    assert found[dates] == {"train": rows(3)}, "texts that all look like dates are not times"
    for file in flat:
        assert found[file] == {"train": lines(file)}
    for folder in [*parquet, *folders]:
        there = folder.with_name(folder.name.removesuffix("-parquet"))
        assert found[folder] == {name: lines(there / f"{file}.jsonl") for name, file in NAMES.items()}, folder
    return version


def test_the_newest_datasets_loads_every_row_of_every_format(exports: Path, tmp_path: Path) -> None:
    assert check(exports, tmp_path) >= "5.2"


def test_an_old_datasets_does_too(exports: Path, old_datasets: Path, tmp_path: Path) -> None:
    assert check(exports, tmp_path, str(old_datasets)) == "3.6.0"


# -- Parquet


COLUMNS: Any = {"prompt": "text", "label": "flag", "messages": "messages"}
METADATA = {"record": "007", "source": "", "annotators": "", "people": 1, "template": "t", "model": "", "licence": ""}


def rows(count: int) -> list[dict[str, Any]]:
    chat = [{"role": "user", "content": "2024-01-01"}]
    return [{"prompt": "2024-01-01", "label": n % 2 == 0, "messages": chat, "metadata": METADATA} for n in range(count)]


@pytest.mark.parametrize("count", [0, 1, 4096, 9000])
def test_parquet_holds_plain_types_in_groups_of_bounded_size_and_nothing_of_a_library(
    tmp_path: Path, count: int
) -> None:
    assert write_parquet(tmp_path / "rows.parquet", iter(rows(count)), COLUMNS) == count
    file = pq.ParquetFile(tmp_path / "rows.parquet")
    groups = [file.metadata.row_group(number).num_rows for number in range(file.metadata.num_row_groups)]
    assert (sum(groups), max(groups, default=0)) == (count, min(count, 4096))
    assert file.metadata.metadata is None
    assert [str(field.type) for field in file.schema_arrow] == [
        "string",
        "bool",
        "list<element: struct<role: string, content: string>>",
        f"struct<{', '.join(f'{name}: int64' if name == 'people' else f'{name}: string' for name in METADATA)}>",
    ]
    assert file.read().to_pylist() == rows(count)


def test_the_same_rows_give_the_same_parquet(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_parquet(tmp_path / name, rows(100), COLUMNS)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
