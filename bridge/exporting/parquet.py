"""Rows as Parquet with plain types of Arrow, which `datasets` of any age can read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any


def write_parquet(path: Path, lines: Sequence[dict[str, Any]]) -> None:
    """Write rows, all of the same keys and types, to a Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist(list(lines)), path, compression="zstd")
