"""Rows as Parquet, with plain types of Arrow that `datasets` of any age reads.

The schema is the format's and not guessed from the rows: a text that looks like a date stays a text. The file holds
no key-value metadata: what `datasets` 5 writes there, `datasets` 3 cannot read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from bridge.errors import UsageError
from bridge.exporting.formats import METADATA, Column, Line

ROW_GROUP = 4096
"""Rows that are held at once, and stand in one row group."""


def write_parquet(path: Path, lines: Iterable[Line], columns: Mapping[str, Column]) -> int:
    """Write rows to a Parquet file, and return how many; the same rows give the same bytes.

    Args:
        path: the file.
        lines: rows with these columns and ``metadata``.
        columns: column to what it holds.

    Raises:
        UsageError: pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise UsageError(
            "writing Parquet needs pyarrow, which is not installed",
            remedy="pip install 'annobridge[parquet]', or write jsonl",
        ) from None
    schema = _schema(columns, pa)
    rest, count = iter(lines), 0
    with pq.ParquetWriter(path, schema, compression="zstd", store_schema=False) as file:
        for chunk in iter(lambda: list(islice(rest, ROW_GROUP)), []):
            arrays = [pa.array([line[field.name] for line in chunk], field.type) for field in schema]
            file.write_batch(pa.record_batch(arrays, schema=schema), row_group_size=ROW_GROUP)
            count += len(chunk)
    return count


def _schema(columns: Mapping[str, Column], pa: Any) -> Any:
    text, count = pa.string(), pa.int64()
    message = pa.struct([("role", text), ("content", text)])
    types: dict[Column, Any] = {
        "text": text,
        "number": pa.float64(),
        "flag": pa.bool_(),
        "message": message,
        "messages": pa.list_(message),
        "turns": pa.list_(pa.struct([("from", text), ("value", text)])),
        "input": pa.struct([("messages", pa.list_(message))]),
    }
    told = pa.struct([(name, text if kind == "text" else count) for name, kind in METADATA.items()])
    return pa.schema([*((name, types[kind]) for name, kind in columns.items()), ("metadata", told)])
