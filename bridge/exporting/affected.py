"""Which rows of training sets that were exported already rest on answers that have changed since."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from bridge.exporting.write import place


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
            for row in _rows(path):
                if touched := keys & {row.get("record"), *row.get("others", ())}:
                    for name, line in row.get("lines", {}).items():
                        file = folder / place(path.name.removesuffix(".manifest.json"), name, row.get("split", ""))
                        lines, whose = found.setdefault(file, ([], set()))
                        lines.append(line)
                        whose |= touched
    return [
        {"file": str(file), "lines": sorted(lines), "records": sorted(whose)} for file, (lines, whose) in found.items()
    ]


def _rows(manifest: Path) -> list[dict[str, Any]]:
    try:
        rows = json.loads(manifest.read_bytes())["rows"]
    except (OSError, ValueError, KeyError, TypeError):
        return []  # it is somebody else's file, or gone
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
