"""What a folder of a release holds: the files of rows, by kind, format and split, as their manifests name them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge.errors import InputError
from bridge.exporting import KINDS


@dataclass(frozen=True, slots=True)
class Part:
    """One file of rows.

    Args:
        kind, format, split: what it holds.
        container: ``jsonl`` or ``parquet``.
        path: where it stands, relative to the release, with slashes.
        rows: how many it holds.
        sha256: the hash of its bytes.
    """

    kind: str
    format: str
    split: str
    container: str
    path: str
    rows: int
    sha256: str

    @property
    def config(self) -> str:
        """The name under which the rows of this kind and format are loaded.

        >>> Part("sft", "plain", "train", "parquet", "sft.plain-parquet/train.parquet", 3, "").config
        'sft-plain'
        """
        return f"{self.kind}-{self.format}"


def manifests(folder: Path) -> dict[str, dict[str, Any]]:
    """Kind to its manifest.

    Raises:
        InputError: one of them cannot be read.
    """
    found: dict[str, dict[str, Any]] = {}
    for kind in KINDS:
        path = folder / f"{kind}.manifest.json"
        if path.exists():
            found[kind] = read_object(path)
    return found


def read_object(path: Path) -> dict[str, Any]:
    """A JSON object of a release.

    Raises:
        InputError: there is none.
    """
    try:
        whole = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        whole = None
    if not isinstance(whole, dict):
        raise InputError(
            f"{path}: this is not what a release has there", remedy="restore it from a copy of the release"
        )
    return whole


def parts(manifests: Mapping[str, Mapping[str, Any]]) -> list[Part]:
    """The files of rows, in the order of kinds, formats and splits."""
    return [
        Part(kind, told["format"], told.get("split", ""), path.rpartition(".")[2], path, told["rows"], told["sha256"])
        for kind, manifest in manifests.items()
        for path, told in manifest["files"].items()
        if "format" in told
    ]
