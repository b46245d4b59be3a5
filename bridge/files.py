"""Files in and out: text in the encodings that people have, JSON Lines, and output that is whole or not there."""

from __future__ import annotations

import codecs
import errno
import json
import os
import secrets
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, BinaryIO, NoReturn, TypeAlias

from pydantic_core import from_json

from bridge.errors import InputError, StoreError

MAX_LINE = 64 * 2**20
"""Longest line, in bytes: memory is bounded by this and not by the file."""

_CHUNK = 2**18


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that cannot become a record, and what to do about it.

    Args:
        line: where the row starts; in Parquet and Arrow files, which have no lines, the number of the row.
        reason: what is wrong.
        remedy: what to do about it.
        key: the row's key, where it has one that can be read.

    >>> Reject(7, "prompt: missing", "add it").to_dict()
    {'line': 7, 'reason': 'prompt: missing', 'remedy': 'add it'}
    """

    line: int
    reason: str
    remedy: str
    key: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The rejection as a line of ``rejects.jsonl``; ``key`` appears only where it is known."""
        line: dict[str, Any] = {"line": self.line, "reason": self.reason, "remedy": self.remedy}
        if self.key:
            line["key"] = self.key
        return line


Row: TypeAlias = "tuple[int, dict[str, Any] | Reject]"
"""A line number, with what stands there or why it cannot be read."""


# -- out


def write_lines(path: str | Path, objects: Iterable[Mapping[str, Any]]) -> int:
    """Write JSON Lines, one object a line, and return how many. The file appears whole or stays as it was.

    Raises:
        StoreError: the disk is full, or the place cannot be written.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "rejects.jsonl")
    >>> write_lines(path, [{"line": 1, "reason": "Ⅳ"}, {"line": 2, "reason": "blank"}])
    2
    >>> [row for _, row in read_lines(path)]
    [{'line': 1, 'reason': 'Ⅳ'}, {'line': 2, 'reason': 'blank'}]
    """
    count = 0
    with line_writer(path) as write:
        for line in objects:
            write(line)
            count += 1
    return count


@contextmanager
def line_writer(path: str | Path) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """A function that writes one object a line, for files that are written side by side. Each appears whole at the end
    of its ``with``, or stays as it was.

    Raises:
        StoreError: the disk is full, or the place cannot be written.
    """
    encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
    with _replacing(Path(path)) as file:

        def write(line: Mapping[str, Any]) -> None:
            file.write(encode(line) + "\n")

        yield write


def write_text(path: str | Path, text: str) -> None:
    """Write a text file as UTF-8. It appears whole or stays as it was.

    Raises:
        StoreError: the disk is full, or the place cannot be written.
    """
    with _replacing(Path(path)) as file:
        file.write(text)


def remove(path: str | Path) -> None:
    """Remove a file, where it is there.

    Raises:
        StoreError: it cannot be removed.
    """
    try:
        Path(path).unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"{path}: cannot be removed: {error.strerror}", remedy="remove it yourself") from None


def write_bytes(path: str | Path, parts: Iterable[bytes | memoryview]) -> None:
    """Write a file of bytes, given in parts. It appears whole or stays as it was.

    Raises:
        StoreError: the disk is full, or the place cannot be written.
    """
    with _replacing(Path(path), binary=True) as file:
        for part in parts:
            file.write(part)


@contextmanager
def _replacing(path: Path, *, binary: bool = False) -> Iterator[IO[Any]]:
    """A new file that takes the place of ``path`` once all of it is on the disk."""
    # The same folder means the same file system, so the replacement is one atomic step. A symbolic link is
    # itself replaced: what it points to may be anybody's.
    new = path.parent / f".{secrets.token_hex(8)}.tmp"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            # Half of a surrogate pair cannot be UTF-8; its backslash escape is what JSON wants in its place.
            text: Any = {"encoding": "utf-8", "errors": "backslashreplace", "newline": "\n"}
            with new.open("xb") if binary else new.open("x", **text) as file:
                with suppress(FileNotFoundError):
                    os.fchmod(file.fileno(), stat.S_IMODE(path.stat().st_mode))
                yield file
                file.flush()
                os.fsync(file.fileno())
            new.replace(path)
        finally:
            new.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(
            f"{path}: cannot be written: {error.strerror}; it is as it was before", remedy=_remedy(error.errno)
        ) from None
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    # Some network file systems cannot do this; the file itself is on the disk by now.
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _remedy(code: int | None) -> str:
    if code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "free some space there, or write to another disk"
    if code in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "make the folder writable for you, or choose another one"
    return "choose another path"


# -- in


def read_lines(path: str | Path) -> Iterator[Row]:
    """Read JSON Lines one by one; a line that is not a JSON object comes as a :class:`Reject`. Blank lines are skipped.

    Raises:
        InputError: no such file, another encoding, or binary data.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "rows.jsonl")
    >>> write_text(path, '{"prompt": "2 + 2?"}\\n\\n["4"]\\n')
    >>> for line, row in read_lines(path):
    ...     print(line, row)
    1 {'prompt': '2 + 2?'}
    3 Reject(line=3, reason='a list where an object is expected', remedy='write one {...} a line', key='')
    """
    with _opened(path) as (file, encoding):
        for number, line in enumerate(_lines(path, file, encoding), 1):
            try:
                # Of bytes, the parser checks the encoding too, and decodes only what ends up in the row.
                row = from_json(line, allow_inf_nan=False)
            except ValueError:
                text = _decoded(path, number, file, line)
                if text.isspace():
                    continue
                row = _from_json_slowly(number, text)
            yield number, row if type(row) is dict or isinstance(row, Reject) else not_an_object(number, row)


def _from_json_slowly(number: int, line: str) -> Any:
    """The same by Python's own parser, which is three times slower: it says what is wrong in words of its own, and
    it accepts escaped halves of surrogate pairs, so that the check of texts can name the field with one."""
    try:
        return _decode(line)
    except RecursionError:
        reason = "nested too deeply"
    except json.JSONDecodeError as error:
        reason = f"{error.msg.removesuffix(' at')} at character {error.pos + 1}"
    except ValueError as error:
        reason = str(error)
    return Reject(number, f"not valid JSON: {reason}", "write one {...} a line")


def not_an_object(line: int, value: object) -> Reject:
    """The rejection of a row that is JSON, but not an object."""
    kind = {list: "a list", str: "a text", type(None): "null", bool: "true or false"}.get(type(value), "a number")
    return Reject(line, f"{kind} where an object is expected", "write one {...} a line")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


_decode = json.JSONDecoder(parse_constant=_refuse_constant).decode


def text_lines(path: str | Path) -> Iterator[str]:
    """The lines of a text file with their line feeds; nothing else ends a line.

    Raises:
        InputError: as :func:`text_chunks`, or a line over 64 MB.
    """
    with _opened(path) as (file, encoding):
        for number, line in enumerate(_lines(path, file, encoding), 1):
            yield _decoded(path, number, file, line)


def _lines(path: str | Path, file: BinaryIO, encoding: str) -> Iterator[bytes | str]:
    """The lines of an open file: bytes of UTF-8, or text where the file is UTF-16."""
    lines: Iterator[bytes | str] = iter(partial(file.readline, MAX_LINE), b"")
    if encoding != "utf-8":
        lines = _utf16_lines(path)
    for number, line in enumerate(lines, 1):
        if len(line) >= MAX_LINE:
            raise InputError(
                f"{path}:{number}: a line of more than {MAX_LINE:,} bytes",
                remedy="write one row a line; for a JSON array, let the file's name end in .json",
            )
        yield line


def _decoded(path: str | Path, number: int, file: BinaryIO, line: bytes | str) -> str:
    """The line that was just read from a file, as text."""
    if isinstance(line, str):
        return line
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise _wrong_byte(path, number, file.tell() - len(line) + error.start, "utf-8") from None


def _utf16_lines(path: str | Path) -> Iterator[str]:
    rest = ""
    for chunk in text_chunks(path):
        *lines, rest = (rest + chunk).split("\n")
        for line in lines:
            yield line + "\n"
        if len(rest) >= MAX_LINE:
            break
    if rest:
        yield rest


def text_chunks(path: str | Path) -> Iterator[str]:
    """The text of a file, piece by piece: UTF-8 with or without a byte order mark, or UTF-16.

    Raises:
        InputError: no such file, binary data, or another encoding; names line and byte.
    """
    with _opened(path) as (file, encoding):
        line = 1
        decoder = codecs.getincrementaldecoder(encoding)()
        while True:
            chunk = file.read(_CHUNK)
            try:
                text = decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                line += error.object[: error.start].decode(encoding).count("\n")
                raise _wrong_byte(path, line, file.tell() - len(error.object) + error.start, encoding) from None
            yield text
            if not chunk:
                return
            line += text.count("\n")


@contextmanager
def _opened(path: str | Path) -> Iterator[tuple[BinaryIO, str]]:
    """A text file, at the start of its text, and its encoding."""
    try:
        with open(path, "rb") as file:
            encoding, start = _encoding(path, file.read(4096))
            file.seek(start)
            yield file, encoding
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}", remedy="give the path of a readable file") from None


def _wrong_byte(path: str | Path, line: int, offset: int, encoding: str) -> InputError:
    return InputError(
        f"{path}:{line}: byte {offset:,} is not {encoding[:6].upper()}",
        remedy=f"save it as UTF-8, such as with: iconv -f WINDOWS-1252 -t UTF-8 {path}",
    )


_BINARY = {
    b"\x1f\x8b": ("gzip", "unpack it first: gunzip"),
    b"PK\x03\x04": ("a ZIP file or a spreadsheet", "unpack it, or save the sheet as CSV"),
    b"(\xb5/\xfd": ("Zstandard", "unpack it first: zstd -d"),
    b"BZh": ("bzip2", "unpack it first: bunzip2"),
    b"\xfd7zXZ": ("xz", "unpack it first: unxz"),
    b"PAR1": ("Parquet", "let its name end in .parquet"),
    b"ARROW1": ("an Arrow file", "save it as Parquet"),
    b"SQLite format 3": ("an SQLite database", "export the table as CSV"),
    b"\xff\xfe\0\0": ("UTF-32", "save it as UTF-8, such as with: iconv -f UTF-32 -t UTF-8"),
    b"\0\0\xfe\xff": ("UTF-32", "save it as UTF-8, such as with: iconv -f UTF-32 -t UTF-8"),
}
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1b"))


def _encoding(path: str | Path, head: bytes) -> tuple[str, int]:
    """A text file's encoding, and the byte at which the text starts."""
    for magic, (kind, remedy) in _BINARY.items():
        if head.startswith(magic):
            raise InputError(f"{path}: this is {kind}, not a text file", remedy=remedy)
    for mark, encoding in ((codecs.BOM_UTF8, "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        if head.startswith(mark):
            return encoding, len(mark)
    # Every row starts with ASCII ('{', '[' or a column's name), whose other byte in UTF-16 is NUL.
    nuls = [byte == 0 for byte in head[:4]]
    if nuls == [False, True, False, True]:
        return "utf-16-le", 0
    if nuls == [True, False, True, False]:
        return "utf-16-be", 0
    if 10 * (len(head) - len(head.translate(None, _CONTROLS))) > len(head):
        raise InputError(f"{path}: binary data, not a text file", remedy="give JSONL, JSON, CSV or Parquet")
    return "utf-8", 0
