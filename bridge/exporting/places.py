"""Where the files of an export stand in its folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, TypeAlias

from bridge.exporting.formats import FORMATS
from bridge.exporting.row import Kind

Container: TypeAlias = Literal["jsonl", "parquet"]


def place(kind: str, shape: str, split: str = "", container: Container = "jsonl") -> Path:
    """Where the rows of a format and split stand in the folder of an export.

    >>> place("sft", "plain").as_posix(), place("sft", "plain", "train", "parquet").as_posix()
    ('sft.plain.jsonl', 'sft.plain-parquet/train.parquet')
    """
    if not split:
        return Path(f"{kind}.{shape}.{container}")
    return Path(f"{kind}.{shape}" + ("-parquet" if container == "parquet" else "")) / f"{split}.{container}"


def sidecar(kind: str, shape: str, split: str = "") -> Path:
    """Where the metadata of rows stand that go to a service which refuses columns it does not know.

    >>> sidecar("sft", "openai").as_posix(), sidecar("sft", "openai", "train").as_posix()
    ('sft.openai.metadata.jsonl', 'sft.openai-metadata/train.jsonl')
    """
    return Path(f"{kind}.{shape}-metadata", f"{split}.jsonl") if split else Path(f"{kind}.{shape}.metadata.jsonl")


def left(folder: Path, kind: Kind) -> Iterator[Path]:
    """The files of a kind that an earlier export left in a folder."""
    for name in FORMATS[kind]:
        for pattern in ("{}.jsonl", "{}.parquet", "{}.metadata.jsonl", "{}/*.jsonl", "{}-parquet/*.parquet"):
            yield from (path.relative_to(folder) for path in folder.glob(pattern.format(f"{kind}.{name}")))
        yield from (path.relative_to(folder) for path in folder.glob(f"{kind}.{name}-metadata/*.jsonl"))
        yield from (path.relative_to(folder) for path in folder.glob(f"{kind}.{name}.*.yaml"))
    yield from (path.relative_to(folder) for path in folder.glob(f"{kind}.rejects.jsonl"))
