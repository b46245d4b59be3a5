"""Names of releases, and which of them came before."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from bridge.errors import UsageError

MANIFEST = "manifest.json"
"""Of a release. It is written last, and a folder without it is none."""

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")


def check_version(version: str) -> str:
    """The name of a release, if it can be one: it names a folder, and a tag on a hub.

    Raises:
        UsageError: it cannot.

    >>> check_version("v1.0-rc.2")
    'v1.0-rc.2'
    """
    if not _NAME.fullmatch(version) or ".." in version:
        raise UsageError(
            f"--version {version!r:.80}: no name for a release",
            remedy="give letters, digits, dots, hyphens and underscores, such as v3 or 2026-03",
        )
    return version


def in_order(names: Iterable[str]) -> list[str]:
    """Names as people count: numbers in them by their size.

    >>> in_order(["v10", "v9", "v1.2", "v1.10"])
    ['v1.2', 'v1.10', 'v9', 'v10']
    """
    return sorted(names, key=_parts)


def _parts(name: str) -> tuple[list[tuple[int, int, str]], str]:
    pieces = re.findall(r"\d+|\D+", name)
    return [(0, int(piece), "") if piece.isdigit() else (1, 0, piece) for piece in pieces], name


def before(folder: Path, version: str, named: str | None = None) -> Path | None:
    """The release to compare with: the one that is named, else the next lower one, else the highest; None without any.

    Raises:
        UsageError: the named one is not there.
    """
    there = in_order(path.parent.name for path in folder.glob(f"*/{MANIFEST}") if not path.parent.name.startswith("."))
    if named is not None:
        if named not in there:
            known = f"one of {', '.join(there)}" if there else "none: it is the first"
            raise UsageError(f"--previous {named!r:.80}: {folder} has no such release", remedy=f"name {known}")
        return folder / named
    lower = [name for name in there if in_order([name, version])[0] == name and name != version]
    return folder / (lower or there)[-1] if there else None
