"""The file that remembers which side each record and prompt was given, so that no export ever moves one.

::

    splits.jsonl    {"salt": ..., "record": KEY, "split": ...} and {"salt": ..., "prompt": FINGERPRINT, "split": ...}

It is written before the rows are: after a crash between the two, the next export gives the same sides. Another salt is
another division, and begins with nothing; the lines of the others stay.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from bridge.errors import InputError
from bridge.exporting.plan import Sieved, Splitter
from bridge.exporting.row import Kind, Row
from bridge.exporting.settings import SplitsConfig
from bridge.exporting.splits import SPLITS, Sides, split_rows
from bridge.files import Reject, read_lines, write_lines

FILE_NAME = "splits.jsonl"


def splitter(
    path: Path, config: SplitsConfig, *, strata: Mapping[str, str] | None = None, instruction: str = ""
) -> Splitter:
    """Splits that remember the sides they give in a file.

    Args:
        path: the file; it need not exist.
        config, strata, instruction: as for :func:`~bridge.exporting.splits.split_rows`.

    The splitter raises:
        InputError: the file is there and is none of ours.
        StoreError: it cannot be written.
    """
    return partial(_split, path, config, strata, instruction)


def _split(
    path: Path,
    config: SplitsConfig,
    strata: Mapping[str, str] | None,
    instruction: str,
    rows: Mapping[Kind, Sequence[Row]],
) -> dict[Kind, Sieved]:
    others, earlier = read_sides(path, config.salt)
    done = split_rows(rows, config, earlier=earlier, strata=strata, instruction=instruction)
    if done.sides != earlier:
        write_lines(path, [*others, *_lines(done.sides, config.salt)])
    return done.sieved


def read_sides(path: Path, salt: str) -> tuple[list[dict[str, Any]], Sides]:
    """The lines of other salts, and the sides that were given under this one; nothing of either without a file.

    Raises:
        InputError: it cannot be read, or a line is none of ours.
    """
    others: list[dict[str, Any]] = []
    given: dict[str, dict[str, str]] = {"record": {}, "prompt": {}}
    for number, line in read_lines(path) if path.exists() else ():
        what = "" if isinstance(line, Reject) else next((name for name in given if name in line), "")
        if isinstance(line, Reject) or not isinstance(line.get(what), str) or line.get("split") not in SPLITS:
            raise InputError(
                f"{path}:{number}: this line does not say which split something is in",
                remedy="restore the file from a backup; without it, rows may change their splits",
            )
        if line.get("salt") != salt:
            others.append(line)
        else:
            given[what][line[what]] = line["split"]
    return others, Sides(given["record"], given["prompt"])


def _lines(sides: Sides, salt: str) -> Iterator[dict[str, Any]]:
    for what, given in (("record", sides.records), ("prompt", sides.prompts)):
        for name in sorted(given):
            yield {"salt": salt, what: name, "split": given[name]}
