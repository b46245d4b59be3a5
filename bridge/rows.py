"""Rows of data files: JSONL, JSON, CSV, Parquet, and datasets that Hugging Face's library saved on disk.

Every format but JSON is streamed: memory does not grow with the file.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

from bridge.errors import InputError, NoRows, UsageError
from bridge.files import MAX_LINE, Reject, Row, not_an_object, read_lines, text_chunks, text_lines

Format: TypeAlias = Literal["jsonl", "json", "csv", "parquet", "dataset"]

_SUFFIXES: dict[str, Format] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_BATCH = 256


@dataclass(frozen=True)
class Rows:
    """The rows of one file, to be iterated once.

    Args:
        path: the file or folder.
        format: what it is.
        columns: names of its columns; None in JSON and JSONL, where every row names its own.
        rows: line numbers, each with a row or the reason why it cannot be read.
        foreign: columns whose values JSON cannot express, such as binary data, and the name of their type.
    """

    path: Path
    format: Format
    columns: list[str] | None
    rows: Iterator[Row]
    foreign: Mapping[str, str] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Row]:
        return self.rows


def read_rows(path: str | Path) -> Rows:
    """Open a data file of any format: by its suffix, or by its first bytes where that says nothing.

    Raises:
        NoRows: it is empty.
        InputError: it does not exist, or is none of the formats.
        UsageError: it needs pyarrow, which is not installed.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "rows.csv")
    >>> _ = path.write_text('prompt,response\\n"2 + 2,\\nplease?",4\\n2 + 3?\\n')
    >>> for line, row in read_rows(path):
    ...     print(line, row)
    2 {'prompt': '2 + 2,\\nplease?', 'response': '4'}
    4 Reject(line=4, reason='1 cell where the header has 2', remedy='quote cells that hold a comma', key='')
    """
    path = Path(path)
    format_ = _format(path)
    opened = _READERS[format_](path)
    first = next(opened.rows, None)
    if first is None:
        raise NoRows(f"{path}: there are no rows in it", remedy="is this the right file?")
    return Rows(path, format_, opened.columns, chain([first], opened.rows), opened.foreign)


def _format(path: Path) -> Format:
    if path.is_dir():
        return "dataset"
    suffix = path.suffix.lower()
    if suffix in _SUFFIXES:
        return _SUFFIXES[suffix]
    if suffix != ".json" and _first_bytes(path, 4) == b"PAR1":
        return "parquet"
    first, _, others = next(text_chunks(path)).lstrip().partition("\n")
    if first.startswith("{"):
        # Many a file named .json holds JSON Lines.
        return "jsonl" if _is_json(first) and (suffix != ".json" or others.lstrip().startswith("{")) else "json"
    if first.startswith("[") or suffix == ".json":
        return "json"
    if any(delimiter in first for delimiter in _DELIMITERS):
        return "csv"
    raise InputError(
        f"{path}: its format cannot be told from its name or its first bytes",
        remedy="let its name end in .jsonl, .json, .csv or .parquet",
    )


def _first_bytes(path: Path, count: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(count)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}", remedy="give the path of a readable file") from None


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


class _Opened(NamedTuple):
    columns: list[str] | None
    rows: Iterator[Row]
    foreign: Mapping[str, str] = {}


def _read_jsonl(path: Path) -> _Opened:
    return _Opened(None, read_lines(path))


# -- JSON


def _read_json(path: Path) -> _Opened:
    return _Opened(None, _json_rows(path))


def _json_rows(path: Path) -> Iterator[Row]:
    text = "".join(text_chunks(path))
    at = _skip_space(text, 0)
    line, counted = 1, 0
    try:
        if text.startswith("{", at):
            lists = [place for place, value in _walk(text, at) if _is_list_of_objects(value)]
            if len(lists) != 1:
                raise InputError(
                    f"{path}: a JSON object with {len(lists) or 'no'} lists of rows in it",
                    remedy="write one array of objects: [{...}, {...}]",
                )
            items = _walk(text, lists[0], to_end=False)
        elif text.startswith("[", at):
            items = _walk(text, at)
        else:
            raise InputError(f"{path}: neither a JSON array nor an object", remedy="write an array: [{...}, {...}]")
        for place, value in items:
            line += text.count("\n", counted, place)
            counted = place
            yield line, value if type(value) is dict else not_an_object(line, value)
    except json.JSONDecodeError as error:
        raise InputError(
            f"{path}:{error.lineno}: not valid JSON: {error.msg.removesuffix(' at')} at column {error.colno}",
            remedy="mend that line",
        ) from None
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise InputError(f"{path}: not valid JSON after line {line}: {reason}", remedy="mend that value") from None


def _walk(text: str, at: int, *, to_end: bool = True) -> Iterator[tuple[int, Any]]:
    """Where each item of the array (or each value of the object) starts that stands at ``at``, and what it is."""
    decode = json.JSONDecoder().raw_decode
    is_object = text[at] == "{"
    closing = "}" if is_object else "]"
    at = _skip_space(text, at + 1)
    while not text.startswith(closing, at):
        if is_object:
            _, at = decode(text, at)
            at = _skip_space(text, _expect(":", text, _skip_space(text, at)))
        value, end = decode(text, at)
        yield at, value
        at = _skip_space(text, end)
        if text.startswith(closing, at):
            break
        at = _skip_space(text, _expect(",", text, at))
        if text.startswith(closing, at):
            raise json.JSONDecodeError(f"a comma before {closing!r}", text, at)
    if to_end and _skip_space(text, at + 1) < len(text):
        raise json.JSONDecodeError("more text after the end", text, at + 1)


def _expect(mark: str, text: str, at: int) -> int:
    if not text.startswith(mark, at):
        raise json.JSONDecodeError(f"{mark!r} is missing", text, at)
    return at + 1


_space = re.compile(r"[ \t\r\n]*")


def _skip_space(text: str, at: int) -> int:
    found = _space.match(text, at)
    assert found is not None
    return found.end()


def _is_list_of_objects(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)


# -- CSV

_DELIMITERS = ",;\t"


def _read_csv(path: Path) -> _Opened:
    lines = text_lines(path)
    first = next(lines, "")
    if not first.strip():
        raise InputError(f"{path}:1: there is no header", remedy="name the columns in line 1")
    delimiter = max(_DELIMITERS, key=first.count)
    # The limit is one for the whole process, and its default of 131,072 is less than one long transcript.
    csv.field_size_limit(max(csv.field_size_limit(), MAX_LINE))
    reader = csv.reader(chain([first], lines), delimiter=delimiter, strict=True)
    try:
        header = [name.strip() or f"column {number}" for number, name in enumerate(next(reader), 1)]
    except (csv.Error, StopIteration) as error:
        raise InputError(f"{path}:1: the header cannot be read: {error}", remedy="name the columns in line 1") from None
    twice = [name for name in header if header.count(name) > 1]
    if twice:
        raise InputError(f"{path}:1: two columns are named {twice[0]!r:.60}", remedy="give each its own name")
    return _Opened(header, _csv_rows(path, reader, header))


def _csv_rows(path: Path, reader: Any, header: list[str]) -> Iterator[Row]:
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            reason, at = f"not valid CSV: {error}", line
            if str(error) == "unexpected end of data":
                at = _open_quote(path, line)
                reason = f"not valid CSV: the quote that opens in line {at} is never closed"
            if reader.line_num > at:
                reason += f"; lines {at} to {reader.line_num} were swallowed by it"
            yield line, Reject(line, reason, 'write " inside quotes as "", and close the quotes')
            continue
        if cells is None:
            return
        if len(cells) == len(header):
            yield line, dict(zip(header, cells, strict=True))
        elif cells:
            count = f"{len(cells)} cell{'s' if len(cells) != 1 else ''}"
            yield line, Reject(line, f"{count} where the header has {len(header)}", "quote cells that hold a comma")


def _open_quote(path: Path, start: int) -> int:
    """The line with the quote that is never closed, in the row that starts at line ``start`` and takes all the rest."""
    opened, is_open = start, False
    for number, line in enumerate(text_lines(path), 1):
        quotes = line.replace('""', "").count('"') if number >= start else 0
        is_open ^= quotes % 2 == 1
        if quotes and is_open:
            opened = number
    return opened


# -- Parquet and Arrow


def _read_parquet(path: Path) -> _Opened:
    _first_bytes(path, 4)  # a missing file is reported as in the other formats
    pa = _pyarrow(path)
    from pyarrow.parquet import ParquetFile

    try:
        file = ParquetFile(path)
    except (OSError, pa.ArrowException) as error:
        raise _damaged(path, "Parquet", error) from None
    schema = file.schema_arrow
    rows = _table_rows(path, "Parquet", file.iter_batches(batch_size=_BATCH))
    return _Opened(_columns(path, schema), rows, _foreign(pa, schema))


def _read_dataset(path: Path) -> _Opened:
    """A folder that ``datasets.Dataset.save_to_disk`` wrote: ``state.json`` and files in Arrow's stream format."""
    splits_file = path / "dataset_dict.json"
    if splits_file.is_file():
        splits = _described(splits_file, "splits")
        if len(splits) != 1:
            raise InputError(
                f"{path}: a dataset with the splits {', '.join(splits)}", remedy=f"name one: {path / splits[0]}"
            )
        path = path / splits[0]
    if not (path / "state.json").is_file():
        raise InputError(
            f"{path}: a folder, but not of a dataset that was saved with save_to_disk", remedy="give the path of a file"
        )
    files = [path / name for name in _described(path / "state.json", "_data_files")]
    if not files:
        return _Opened(None, iter(()))
    pa = _pyarrow(path)
    try:
        with pa.OSFile(str(files[0])) as source, pa.ipc.open_stream(source) as stream:
            schema = stream.schema
    except (OSError, pa.ArrowException) as error:
        raise _damaged(files[0], "Arrow", error) from None
    rows = _table_rows(path, "Arrow", _arrow_batches(pa, files))
    return _Opened(_columns(path, schema), rows, _foreign(pa, schema))


def _described(path: Path, name: str) -> list[str]:
    """The names of files or folders beside a JSON file that lists them, none of which may lie elsewhere."""
    try:
        listed = json.loads("".join(text_chunks(path)))[name]
        names = [item["filename"] if isinstance(item, dict) else item for item in listed]
        if (names or name == "_data_files") and all(item == Path(item).name for item in names):
            return names
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise InputError(f"{path}: does not list the dataset's {name.strip('_')}", remedy="save the dataset again")


def _arrow_batches(pa: Any, files: list[Path]) -> Iterator[Any]:
    for file in files:
        with pa.OSFile(str(file)) as source, pa.ipc.open_stream(source) as stream:
            for batch in stream:
                for start in range(0, batch.num_rows, _BATCH):
                    yield batch.slice(start, _BATCH)


def _table_rows(path: Path, kind: str, batches: Iterator[Any]) -> Iterator[Row]:
    pa = _pyarrow(path)
    number = 0
    try:
        for batch in batches:
            for row in _tidied(pa, batch).to_pylist():
                number += 1
                yield number, row
    except (OSError, ValueError, pa.ArrowException) as error:
        raise _damaged(path, kind, error, f"after row {number}: ") from None


def _tidied(pa: Any, batch: Any) -> Any:
    """A batch whose values mean the same in Python: times in microseconds, and no value where pandas wrote NaN."""
    for index, (name, kind) in enumerate(zip(batch.schema.names, batch.schema.types, strict=True)):
        column = batch.column(index)
        if pa.types.is_timestamp(kind) and kind.unit == "ns":
            # Python's own times have no nanoseconds; else the result would depend on whether pandas is installed.
            tidied = column.cast(pa.timestamp("us", kind.tz), safe=False)
        elif pa.types.is_floating(kind):
            tidied = pa.compute.if_else(pa.compute.is_nan(column), None, column)
        else:
            continue
        batch = batch.set_column(index, name, tidied)
    return batch


def _foreign(pa: Any, schema: Any) -> dict[str, str]:
    """Columns of a type that JSON has no value for, and the type's name."""
    return {column.name: str(column.type) for column in schema if not _fits_json(pa.types, column.type)}


def _fits_json(types: Any, type_: Any) -> bool:
    if types.is_struct(type_):
        return all(_fits_json(types, part.type) for part in type_)
    if types.is_list(type_) or types.is_large_list(type_) or types.is_fixed_size_list(type_):
        return _fits_json(types, type_.value_type)
    if types.is_dictionary(type_):
        return _fits_json(types, type_.value_type)
    plain = ("null", "boolean", "integer", "floating", "string", "large_string", "date", "time", "timestamp")
    return any(getattr(types, f"is_{name}")(type_) for name in plain)


def _columns(path: Path, schema: Any) -> list[str]:
    names = list(schema.names)
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise InputError(f"{path}: two columns are named {twice[0]!r:.60}", remedy="give each its own name")
    return names


def _damaged(path: Path, kind: str, error: Exception, where: str = "") -> InputError:
    reason = (str(error).splitlines() or ["damaged"])[0]
    return InputError(f"{path}: {where}not readable as {kind}: {reason:.200}", remedy="save it again")


def _pyarrow(path: Path) -> Any:
    try:
        import pyarrow as pa
        import pyarrow.compute
    except ImportError:
        raise UsageError(
            f"{path}: reading Parquet files and saved datasets needs pyarrow, which is not installed",
            remedy="pip install 'annobridge[parquet]'",
        ) from None
    return pa


_READERS: dict[Format, Callable[[Path], _Opened]] = {
    "jsonl": _read_jsonl,
    "json": _read_json,
    "csv": _read_csv,
    "parquet": _read_parquet,
    "dataset": _read_dataset,
}
