"""Files: whole or not there on the way out; on the way in, only what is text in an encoding that we know."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge import files
from bridge.errors import InputError, StoreError
from bridge.files import Reject, read_lines, text_lines, write_lines, write_text

LINE = '{"prompt": "Grüße 😀"}\n'
ROW = {"prompt": "Grüße 😀"}


def rows_of(path: Path) -> list[object]:
    return [row for _, row in read_lines(path)]


# -- out


def test_lines_are_written_as_plain_text_and_counted(tmp_path: Path) -> None:
    assert write_lines(tmp_path / "a.jsonl", [ROW, {"n": 1}]) == 2
    assert (tmp_path / "a.jsonl").read_bytes() == '{"prompt": "Grüße 😀"}\n{"n": 1}\n'.encode()


def test_missing_folders_are_made(tmp_path: Path) -> None:
    write_text(tmp_path / "out" / "sft" / "card.md", "# Card\n")
    assert (tmp_path / "out/sft/card.md").read_text() == "# Card\n"


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.jsonl"
    write_text(path, "old\n")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(StoreError, match=r"a\.jsonl: .*No space left") as caught:
        write_lines(path, [ROW])
    assert "free some space" in caught.value.remedy
    assert path.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [path]


def test_an_object_that_is_not_json_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    write_text(path, "old\n")
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_lines(path, [ROW, {"score": float("nan")}])
    assert path.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_symbolic_link_is_replaced_and_its_target_is_not_touched(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("mine")
    link.symlink_to(target)
    write_text(link, "new")
    assert (target.read_text(), link.read_text(), link.is_symlink()) == ("mine", "new", False)


def test_a_private_file_stays_private(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.touch(mode=0o600)
    write_text(path, "new")
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_folder_in_the_way_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").mkdir()
    with pytest.raises(StoreError, match="cannot be written") as caught:
        write_lines(tmp_path / "a.jsonl", [ROW])
    assert caught.value.remedy
    assert [path.name for path in tmp_path.iterdir()] == ["a.jsonl"]


# -- encodings


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_utf_8_and_utf_16_are_read(tmp_path: Path, encoding: str, ending: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes((LINE * 20_000).replace("\n", ending).encode(encoding))
    assert rows_of(path) == [ROW] * 20_000


def test_big_endian_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\xfe\xff" + LINE.encode("utf-16-be"))
    assert rows_of(path) == [ROW]


def test_another_encoding_is_named_by_line_and_byte(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"a": 1}\n{"a": "caf\xe9"}\n')
    with pytest.raises(InputError, match=r"a\.jsonl:2: byte 19 is not UTF-8") as caught:
        list(read_lines(path))
    assert "iconv" in caught.value.remedy


def test_half_a_pair_in_utf_16_is_named_by_line_and_byte(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\xff\xfe" + '{"a": 1}\n'.encode("utf-16-le") + b'{\0"\0\x3d\xd8"\0')
    with pytest.raises(InputError, match=r":2: byte 24 is not UTF-16"):
        list(read_lines(path))


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\x1f\x8b\x08", "gzip"),
        (b"PK\x03\x04", "spreadsheet"),
        (b"PAR1", "Parquet"),
        (b"\xff\xfe\0\0{\0\0\0", "UTF-32"),
        (bytes(range(9)), "binary data"),
    ],
)
def test_binary_files_are_named_for_what_they_are(tmp_path: Path, head: bytes, kind: str) -> None:
    (tmp_path / "a.jsonl").write_bytes(head)
    with pytest.raises(InputError, match=kind):
        list(read_lines(tmp_path / "a.jsonl"))


@pytest.mark.parametrize("name", ["missing.jsonl", "."])
def test_what_is_not_a_readable_file_is_an_input_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError):
        list(read_lines(tmp_path / name))


def test_a_line_without_an_end_is_refused_before_it_fills_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MAX_LINE", 100)
    for encoding in ("utf-8", "utf-16"):
        (tmp_path / "a.jsonl").write_bytes(('{"a": 1}\n' + "x" * 1000).encode(encoding))
        with pytest.raises(InputError, match=r":2: a line of more than"):
            list(read_lines(tmp_path / "a.jsonl"))


# -- lines


def test_only_a_line_feed_ends_a_line(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    text = "a\u2028b\u2029c\x85d\x0ce"
    write_lines(path, [{"a": text}, {"a": text}])
    assert rows_of(path) == [{"a": text}] * 2


@given(text=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1))
def test_lines_joined_are_the_text(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("lines") / "a"
    path.write_bytes(b"\xff\xfe" + text.encode("utf-16-le"))
    assert "".join(text_lines(path)) == text


def test_blank_lines_are_skipped_and_still_counted(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'\n{"a": 1}\r\n \t\r\n  {"a": 2}')
    assert list(read_lines(tmp_path / "a.jsonl")) == [(2, {"a": 1}), (4, {"a": 2})]


def test_an_empty_file_has_no_lines(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").touch()
    assert list(read_lines(tmp_path / "a.jsonl")) == []


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "not valid JSON"),
        ("hello", "Expecting value at character 1"),
        ('{"a": }', "Expecting value at character 7"),
        ('{"a": 1} {"a": 2}', "Extra data at character 10"),
        ('{"a": NaN}', "NaN is not a JSON value"),
        ('{"a": -Infinity}', "-Infinity is not a JSON value"),
        ('{"a": "\0"}', "Invalid control character"),
        ("[1]", "a list where an object"),
        ("null", "null where an object"),
        ("7", "a number where an object"),
        ('{"a": ' + "9" * 5000 + "}", "not valid JSON"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_a_line_that_is_no_json_object_is_rejected_and_reading_goes_on(tmp_path: Path, line: str, reason: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f'{{"a": "a longer line, so that one NUL is not taken for binary data"}}\n{line}\n{{"a": 3}}\n')
    first, (number, rejected), last = read_lines(path)
    assert (first[0], last) == (1, (3, {"a": 3}))
    assert isinstance(rejected, Reject)
    assert (number, rejected.line) == (2, 2)
    assert reason in rejected.reason
    assert rejected.remedy


def test_a_rejection_names_its_key_only_where_there_is_one() -> None:
    assert Reject(1, "reason", "remedy", "r-1").to_dict()["key"] == "r-1"
    assert "key" not in Reject(1, "reason", "remedy").to_dict()
