"""Rows: the same data in five formats gives the same rows, and a file that is none of them says so."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bridge.errors import InputError, UsageError
from bridge.files import Reject
from bridge.rows import read_rows

ROWS = [{"prompt": "2 + 2?", "response": "4\u20284"}, {"prompt": "Say “hi”, 😀", "response": 'a "b",\n\nc'}]


def rows_of(path: Path) -> list[object]:
    return [row for _, row in read_rows(path)]


def write_csv(path: Path) -> None:
    path.write_text('prompt,response\r\n2 + 2?,4\u20284\r\n"Say “hi”, 😀","a ""b"",\n\nc"\r\n', newline="")


def write_parquet(path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    parquet.write_table(pa.Table.from_pylist(ROWS), path)


def write_dataset(path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    datasets.Dataset.from_list(ROWS).save_to_disk(path)


WRITERS: dict[str, Callable[[Path], object]] = {
    "a.jsonl": lambda path: path.write_text("".join(json.dumps(row) + "\n" for row in ROWS)),
    "a.json": lambda path: path.write_text(json.dumps(ROWS, indent=2)),
    "a.csv": write_csv,
    "a.parquet": write_parquet,
    "folder": write_dataset,
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_the_same_rows(tmp_path: Path, name: str) -> None:
    WRITERS[name](tmp_path / name)
    assert rows_of(tmp_path / name) == ROWS


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.parquet"])
def test_a_file_without_a_suffix_is_known_by_its_first_bytes(tmp_path: Path, name: str) -> None:
    WRITERS[name](tmp_path / "rows")
    assert rows_of(tmp_path / "rows") == ROWS


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.parquet", "a.txt", "a"])
def test_an_empty_file_is_an_input_error(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(InputError) as caught:
        read_rows(tmp_path / name)
    assert caught.value.remedy


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.parquet", "a"])
def test_a_missing_file_is_an_input_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_rows(tmp_path / name)


def test_a_text_of_no_format_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("Dear diary\n")
    with pytest.raises(InputError, match="format cannot be told"):
        read_rows(tmp_path / "notes")


# -- JSON


def test_items_of_an_array_are_named_by_the_line_where_they_start(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('[\n  {"a":\n 1},\n  {"a": 2}, {"a": 3},\n  7]')
    (*rows, (line, last)) = read_rows(tmp_path / "a.json")
    assert rows == [(2, {"a": 1}), (4, {"a": 2}), (4, {"a": 3})]
    assert line == 5
    assert isinstance(last, Reject)


def test_an_object_with_one_list_of_rows_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"version": 1, "tags": ["a"],\n"data": [{"a": 1},\n{"a": 2}], "n": 2}')
    assert list(read_rows(tmp_path / "a.json")) == [(2, {"a": 1}), (3, {"a": 2})]


def test_json_lines_named_json_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"a": 1}\n{"a": 2}\n')
    assert rows_of(tmp_path / "a.json") == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('[{"a": 1},\n{"a": 2}', r"a\.json:2: not valid JSON"),
        ('[{"a": 1}]\n[]', r"a\.json:1: not valid JSON: more text"),
        ('[{"a": 1}\n{"a": 2}]', r"a\.json:2: not valid JSON: ',' is missing"),
        ('[{"a": 1},]', r"a\.json:1: not valid JSON: a comma before ']' at column 11"),
        ('{"rows": [{"a": 1}],\n}', r"a\.json:2: not valid JSON: a comma before '}'"),
        ('{"rows": [{"a": 1},]}', "not valid JSON"),
        ('{"a" 1}', "':' is missing"),
        ('{"a": [{}], "b": [{}]}', "2 lists of rows"),
        ('{"a": 1}', "no lists of rows"),
        ("7", "neither a JSON array nor an object"),
        ("[]", "no rows"),
        ("[" * 100_000, "nested too deeply"),
        ("[" + "9" * 5000 + "]", "not valid JSON after line 1"),
    ],
)
def test_json_that_cannot_be_read_is_an_input_error(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(InputError, match=reason):
        list(read_rows(tmp_path / "a.json"))


# -- CSV


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_the_most_frequent_in_the_header(tmp_path: Path, delimiter: str) -> None:
    (tmp_path / "a.csv").write_text(delimiter.join("abc") + "\n" + delimiter.join("123") + "\n")
    assert rows_of(tmp_path / "a.csv") == [{"a": "1", "b": "2", "c": "3"}]


def test_a_spreadsheet_in_utf_16_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("a\tb\r\nä\t😀\r\n".encode("utf-16"))
    assert rows_of(tmp_path / "a.csv") == [{"a": "ä", "b": "😀"}]


def test_rows_of_another_length_are_rejected_with_the_line_where_they_start(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('a,b\n"1\n1",2\n\n3\n4,5,6\n7,8\n')
    lines = [(line, row.reason if isinstance(row, Reject) else row) for line, row in read_rows(tmp_path / "a.csv")]
    assert lines == [
        (2, {"a": "1\n1", "b": "2"}),
        (5, "1 cell where the header has 2"),
        (6, "3 cells where the header has 2"),
        (7, {"a": "7", "b": "8"}),
    ]


def test_a_wrongly_quoted_row_is_rejected_and_reading_goes_on(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('a,b\n"1"x,2\n3,4\n')
    rejected, row = rows_of(tmp_path / "a.csv")
    assert isinstance(rejected, Reject)
    assert row == {"a": "3", "b": "4"}


def test_a_quote_that_is_never_closed_is_rejected_where_it_opens(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('a,b\n1,2\n3,"4\n5,6\n')
    _, (line, rejected) = read_rows(tmp_path / "a.csv")
    assert line == 3
    assert isinstance(rejected, Reject)
    assert rejected.reason == (
        "not valid CSV: the quote that opens in line 3 is never closed; lines 3 to 4 were swallowed by it"
    )
    assert "close the quotes" in rejected.remedy


def test_the_open_quote_is_named_also_where_its_row_starts_earlier(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('a,b\n"1\n1","4\n5,6\n7,8\n')
    ((line, rejected),) = read_rows(tmp_path / "a.csv")
    assert (line, isinstance(rejected, Reject)) == (2, True)
    assert "the quote that opens in line 3 is never closed; lines 3 to 5 were swallowed" in str(rejected)


def test_a_quote_that_a_later_one_closes_names_the_lines_between(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('a,b\n1,"x\n3,4\n5,"y"\n7,8\n')
    rejected, row = rows_of(tmp_path / "a.csv")
    assert isinstance(rejected, Reject)
    assert rejected.reason.endswith("lines 2 to 4 were swallowed by it")
    assert row == {"a": "7", "b": "8"}


def test_a_cell_may_be_as_long_as_a_text(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"a,b\n{'x' * 1_000_000},2\n")
    assert rows_of(tmp_path / "a.csv") == [{"a": "x" * 1_000_000, "b": "2"}]


def test_a_nul_in_a_cell_reaches_the_check_of_texts(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("prompt,response\nwhat is it?,\0\n")
    assert rows_of(tmp_path / "a.csv") == [{"prompt": "what is it?", "response": "\0"}]


def test_two_columns_of_one_name_are_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b,a\n1,2,3\n")
    with pytest.raises(InputError, match="two columns are named 'a'"):
        read_rows(tmp_path / "a.csv")


def test_a_column_without_a_name_gets_one(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(",prompt\n0,hi\n")
    assert rows_of(tmp_path / "a.csv") == [{"column 1": "0", "prompt": "hi"}]


# -- Parquet and saved datasets


def test_parquet_without_pyarrow_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_parquet(tmp_path / "a.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError) as caught:
        read_rows(tmp_path / "a.parquet")
    assert caught.value.remedy == "pip install 'annobridge[parquet]'"


def test_a_damaged_parquet_file_is_an_input_error(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet")
    whole = (tmp_path / "a.parquet").read_bytes()
    (tmp_path / "a.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="not readable as Parquet"):
        list(read_rows(tmp_path / "a.parquet"))


def test_parquet_is_read_batch_by_batch(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    parquet.write_table(pa.table({"n": list(range(1000))}), tmp_path / "a.parquet", row_group_size=300)
    assert list(read_rows(tmp_path / "a.parquet")) == [(n + 1, {"n": n}) for n in range(1000)]


@pytest.mark.filterwarnings("ignore")
def test_a_dataset_of_several_files_is_one(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    datasets.Dataset.from_dict({"n": list(range(2500))}).save_to_disk(tmp_path / "saved", num_shards=3)
    assert list(read_rows(tmp_path / "saved")) == [(n + 1, {"n": n}) for n in range(2500)]


@pytest.mark.filterwarnings("ignore")
def test_a_split_is_named_where_there_are_several(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    train, test = datasets.Dataset.from_list(ROWS), datasets.Dataset.from_list(ROWS[:1])
    datasets.DatasetDict(train=train).save_to_disk(tmp_path / "one")
    datasets.DatasetDict(train=train, test=test).save_to_disk(tmp_path / "two")
    assert rows_of(tmp_path / "one") == ROWS
    assert rows_of(tmp_path / "two" / "test") == ROWS[:1]
    with pytest.raises(InputError, match="splits train, test") as caught:
        read_rows(tmp_path / "two")
    assert caught.value.remedy.endswith("two/train")


def test_a_dataset_may_not_name_files_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved/state.json").write_text('{"_data_files": [{"filename": "../secret.arrow"}]}')
    with pytest.raises(InputError, match="does not list"):
        read_rows(tmp_path / "saved")


def test_a_folder_of_something_else_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="save_to_disk"):
        read_rows(tmp_path)
