"""Which rows of training sets that were exported already rest on answers that have changed since."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from bridge.exporting.places import Container, place


def affected(folders: Iterable[Path], records: Collection[str]) -> list[dict[str, Any]]:
    """Rows of exports that were made from one of these records, by the manifests beside them.

    Args:
        folders: where training sets were exported to; those that are gone are passed over.
        records: keys of records whose answers changed.

    Returns:
        One entry a file: ``{"file": path, "lines": [numbers], "records": [keys]}``; lines count from 1.

    >>> affected([Path("nowhere")], ["r1"])
    []
    """
    keys = set(records)
    found: dict[Path, tuple[list[int], set[str]]] = {}
    for folder in folders:
        for path in sorted(folder.glob("*.manifest.json")) if keys else ():
            manifest, kind = _read(path), path.name.removesuffix(".manifest.json")
            for row in manifest["rows"]:
                if touched := keys & {row.get("record"), *row.get("others", ())}:
                    for name, line in row.get("lines", {}).items():
                        for file in _files(manifest["files"], kind, name, row.get("split", "")):
                            lines, whose = found.setdefault(folder / file, ([], set()))
                            lines.append(line)
                            whose |= touched
    return [
        {"file": str(file), "lines": sorted(lines), "records": sorted(whose)} for file, (lines, whose) in found.items()
    ]


def _files(named: Mapping[str, Any], kind: str, name: str, split: str) -> list[Path]:
    """The files in which the rows of a format and split stand, as JSON Lines, as Parquet or both."""
    containers: tuple[Container, ...] = ("jsonl", "parquet")
    places = (place(kind, name, split, container) for container in containers)
    return [file for file in places if file.as_posix() in named]


def _read(manifest: Path) -> dict[str, Any]:
    try:
        head = json.loads(manifest.read_bytes())
        rows, files = head["rows"], head["files"]
    except (OSError, ValueError, KeyError, TypeError):
        rows, files = [], {}  # it is somebody else's file, or gone
    if not isinstance(rows, list) or not isinstance(files, dict):
        return {"rows": [], "files": {}}
    return {"rows": [row for row in rows if isinstance(row, dict)], "files": files}
