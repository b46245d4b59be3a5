"""What distilabel leaves on the disk, in each of its shapes, and the dead-letter file."""

from __future__ import annotations

import importlib
import json
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Dataset, DatasetDict

from bridge.errors import InputError, UsageError
from bridge.files import Reject, read_lines
from bridge.interop import read_distilabel
from bridge.interop.distiset import dead_letters, distilabel_rows
from bridge.templates import load_template
from tests.cli.running import run

RATING = load_template("rating")
ROWS: list[dict[str, Any]] = [
    {"id": 1, "instruction": "2 + 2?", "generations": ["4", "5"], "ratings": [5, 1], "model_name": "judge"},
    {"id": 2, "instruction": "Name a prime.", "generations": ["7", None], "ratings": [4, None], "model_name": "judge"},
]


def saved(folder: Path, *subsets: str) -> Path:
    """A folder as ``Distiset.save_to_disk`` makes it."""
    for name in subsets:
        DatasetDict({"train": Dataset.from_list([{**row, "subset": name} for row in ROWS])}).save_to_disk(folder / name)
    (folder / "distiset_configs").mkdir()
    (folder / "distiset_configs" / "README.md").write_text("# Card")
    (folder / "artifacts" / "step").mkdir(parents=True)
    return folder


def responses(path: Path, **how: Any) -> list[Any]:
    return [record.fields["response"] for record in read_distilabel(path, RATING, **how)]


class TestPlaces:
    def test_a_distiset(self, tmp_path: Path) -> None:
        assert responses(saved(tmp_path, "default")) == ["4", "5", "7"]

    def test_one_dataset_of_several(self, tmp_path: Path) -> None:
        folder = saved(tmp_path, "judge_0", "judge_1")
        with pytest.raises(InputError, match="several datasets in this folder") as caught:
            responses(folder)
        assert caught.value.remedy == "name one: judge_0, judge_1"
        records = [*read_distilabel(folder, RATING, subset="judge_1")]
        assert {record.metadata["subset"] for record in records} == {"judge_1"}
        with pytest.raises(InputError, match="no dataset 'judge'"):
            responses(folder, subset="judge")

    def test_several_splits_are_several_datasets(self, tmp_path: Path) -> None:
        parts = {name: Dataset.from_list(ROWS) for name in ("train", "test")}
        DatasetDict(parts).save_to_disk(tmp_path / "default")
        with pytest.raises(InputError, match="train, test"):
            responses(tmp_path)
        assert responses(tmp_path / "default" / "test") == ["4", "5", "7"]

    def test_a_folder_of_parquet_files_as_in_the_cache(self, tmp_path: Path) -> None:
        for number, row in enumerate(ROWS, 1):
            pq.write_table(pa.Table.from_pylist([row]), tmp_path / f"0000{number}.parquet")
        assert responses(tmp_path) == ["4", "5", "7"]
        reader = read_distilabel(tmp_path, RATING)
        list(reader)
        assert [reject.line for reject in reader.rejects] == [2]

    def test_splits_side_by_side_are_never_read_as_one(self, tmp_path: Path) -> None:
        (tmp_path / "data").mkdir()
        for split, rows in (("train", ROWS[:1]), ("test", ROWS[1:])):
            pq.write_table(pa.Table.from_pylist(rows), tmp_path / "data" / f"{split}-00000-of-00001.parquet")
        with pytest.raises(InputError, match="the splits test, train") as caught:
            responses(tmp_path)
        assert caught.value.remedy == "name one as the subset: data/test, data/train"
        assert responses(tmp_path, subset="data/test") == ["7"]
        assert responses(tmp_path / "data", subset="train") == ["4", "5"]
        with pytest.raises(InputError, match="no dataset 'data/valid'") as caught:
            responses(tmp_path, subset="data/valid")
        assert caught.value.remedy == "it has data/test, data/train"

    @pytest.mark.parametrize("there", [(0,), (1,), (0, 2)])
    def test_a_part_that_is_missing_is_named(self, tmp_path: Path, there: tuple[int, ...]) -> None:
        for number in there:
            pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / f"train-{number:05}-of-00003.parquet")
        missing = min({0, 1, 2} - {*there})
        with pytest.raises(InputError, match=f"train-0000{missing}-of-00003.parquet is missing"):
            responses(tmp_path)

    def test_a_part_without_rows_is_passed_over(self, tmp_path: Path) -> None:
        table = pa.Table.from_pylist(ROWS)
        for number, part in enumerate((table[:0], table[:1], table[:0], table[1:])):
            pq.write_table(part, tmp_path / f"{number}.parquet")
        assert responses(tmp_path) == ["4", "5", "7"]

    def test_parts_whose_columns_differ_are_read_each_by_its_own(self, tmp_path: Path) -> None:
        pq.write_table(pa.Table.from_pylist([{**ROWS[0], "id": "a"}]), tmp_path / "0.parquet")
        pq.write_table(pa.Table.from_pylist([{"id": 7, "instruction": "?", "generation": "7"}]), tmp_path / "1.parquet")
        reader = read_distilabel(tmp_path, RATING, id_column="id")
        assert [record.key for record in reader] == ["a-1", "a-2", "7"]

    def test_no_rows_at_all(self, tmp_path: Path) -> None:
        pq.write_table(pa.Table.from_pylist(ROWS)[:0], tmp_path / "0.parquet")
        Dataset.from_list([]).save_to_disk(tmp_path / "set" / "default")
        for path in (tmp_path, tmp_path / "set"):
            with pytest.raises(InputError, match="there are no rows in it"):
                responses(path)

    def test_parquet_files_below_as_a_hub_gives_them(self, tmp_path: Path) -> None:
        (tmp_path / "default").mkdir()
        pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "default" / "train-00000-of-00001.parquet")
        assert responses(tmp_path) == ["4", "5", "7"]

    def test_json_lines(self, tmp_path: Path) -> None:
        path = tmp_path / "rows.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
        assert responses(path) == ["4", "5", "7"]

    def test_a_folder_of_something_else(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="no dataset in this folder"):
            responses(tmp_path)

    def test_nothing(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="No such file"):
            responses(tmp_path / "missing.parquet")

    def test_images_stay_behind_and_are_named(self, tmp_path: Path) -> None:
        path = tmp_path / "rows.parquet"
        pq.write_table(pa.Table.from_pylist([{**ROWS[0], "image": b"PNG"}]), path)
        reader = read_distilabel(path, RATING)
        assert len(list(reader)) == 2
        assert reader.left_out == {"image": "binary cannot be metadata"}


class TestDeadLetters:
    def test_the_row_stands_beside_its_reason(self, tmp_path: Path) -> None:
        reader = read_distilabel(saved(tmp_path, "default"), RATING, id_column="id")
        assert [record.key for record in reader] == ["1-1", "1-2", "2-1"]
        (line,) = dead_letters(distilabel_rows(tmp_path), reader.rejects)
        assert line == {
            "line": 2,
            "reason": "generation 2: None, because the model's call failed",
            "remedy": "run the step again; distilabel keeps failures in its cache, so run it with use_cache=False",
            "key": "2",
            "row": {**ROWS[1], "subset": "default"},
        }

    def test_what_json_cannot_hold_is_written_as_text(self) -> None:
        odd = {"made": date(2026, 1, 2), "score": float("nan"), "half": "\ud800", "raw": b"x"}
        (line,) = dead_letters([(1, odd)], [Reject(1, "r", "")])
        assert line["row"] == {"made": "2026-01-02", "score": None, "half": "\\ud800", "raw": "b'x'"}

    def test_a_row_that_cannot_be_read_has_only_its_reason(self) -> None:
        reject = Reject(1, "not JSON", "mend it")
        assert list(dead_letters([(1, reject)], [reject])) == [reject.to_dict()]


def test_the_step_says_what_it_needs() -> None:
    with pytest.raises(UsageError, match="distilabel is not installed"):
        importlib.import_module("bridge.interop.distilabel_step")


class TestCommand:
    def test_records_and_rejects(self, tmp_path: Path) -> None:
        folder, out = saved(tmp_path / "set", "default"), tmp_path / "records.jsonl"
        done = run("distilabel", str(folder), "--template", "rating", "--id", "id", "--out", str(out), "--json")
        assert done.code == 3
        assert (done.json["records"], done.json["suggestions"], done.json["rejected"]) == (3, 3, 1)
        keys = [row["key"] for _, row in read_lines(out) if isinstance(row, dict)]
        assert keys == ["1-1", "1-2", "2-1"]
        assert "None, because" in (tmp_path / "records.rejected.jsonl").read_text()

    def test_what_it_says(self, tmp_path: Path) -> None:
        path, out = tmp_path / "rows.jsonl", tmp_path / "r.jsonl"
        rows = [{"instruction": f"{n} + {n}?", "generation": None if n in (2, 3) else "x"} for n in range(5)]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        done = run("distilabel", str(path), "--template", "rating", "--out", str(out))
        assert done.lines[0] == f"3 records in {out}, with 0 suggestions"
        assert done.lines[-2:] == [
            "rows with which the same went wrong:",
            "  rows 3 to 4: generation: None, because one failed call empties the batch that it belongs to",
        ]

    @pytest.mark.parametrize(
        ("more", "reason", "remedy"),
        [
            (["--id", "key"], "has no column 'key' for keys", "its columns are id, instruction"),
            (["--subset", "judge"], "is no folder, so there is no dataset 'judge'", "name no dataset of a file"),
        ],
    )
    def test_what_is_not_there_is_wrong_usage_and_earlier_records_stay(
        self, tmp_path: Path, more: list[str], reason: str, remedy: str
    ) -> None:
        path, out = tmp_path / "rows.jsonl", tmp_path / "r.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
        arguments = ["distilabel", str(path), "--template", "rating", "--out", str(out)]
        run(*arguments)
        before = out.read_text()
        done = run(*arguments, *more)
        assert (done.code, reason in done.err, remedy in done.err) == (2, True, True), done.err
        assert out.read_text() == before

    def test_it_does_not_write_over_what_it_reads(self, tmp_path: Path) -> None:
        path = tmp_path / "rows.jsonl"
        path.write_text("{}\n")
        done = run("distilabel", str(path), "--template", "rating", "--out", str(path))
        assert (done.code, path.read_text()) == (2, "{}\n")
