"""What distilabel leaves on the disk: a Distiset that was saved, its Parquet files, or a file of rows.

``Distiset.save_to_disk`` makes a folder with one dataset for each last step of the pipeline, and beside them
``distiset_configs`` and ``artifacts``, which hold no rows. What a hub gives back, and distilabel's own cache, are
folders with Parquet files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time
from itertools import chain, islice
from math import isfinite
from pathlib import Path
from typing import Any

from bridge.errors import InputError, NoRows, UsageError
from bridge.files import Reject, Row
from bridge.interop.distilabel import DistilabelReader
from bridge.rows import Rows, read_rows
from bridge.templates import TaskTemplate

_BESIDE = ("distiset_configs", "artifacts")
_HEAD = 100


def read_distilabel(
    path: str | Path,
    template: TaskTemplate,
    *,
    subset: str = "",
    id_column: str | None = None,
    ratings: Sequence[str] = (),
    trust: bool = False,
) -> DistilabelReader:
    """The records of what a distilabel pipeline left on the disk.

    Args:
        path: a Distiset's folder, a dataset's, a folder of Parquet files, or a file (Parquet, JSONL, JSON, CSV).
        template: what the records must fit.
        subset: which dataset of a Distiset; it is named like the step that made it. Where splits are files side by
            side, as a hub gives them, one of these (``default/test``).
        id_column: as in :func:`bridge.interop.from_distilabel`; so are ``ratings`` and ``trust``.

    Raises:
        InputError: it cannot be read, or holds several datasets.
        UsageError: the template has no field for a generation, or no such rating question; there is no such column, or
            no such dataset; or pyarrow is not there.

    >>> import tempfile
    >>> from bridge.templates import load_template
    >>> path = Path(tempfile.mkdtemp(), "rows.jsonl")
    >>> _ = path.write_text('{"instruction": "2 + 2?", "generation": "4", "model_name": "small"}')
    >>> [record.fields["response"] for record in read_distilabel(path, load_template("rating"))]
    ['4']
    """
    rows = distilabel_rows(path, subset)
    if id_column is not None:
        rows = _with_column(rows, id_column)
    return DistilabelReader(rows, template, id_column=id_column, ratings=ratings, trust=trust)


def _with_column(rows: Rows, column: str) -> Rows:
    """The same rows, if a column is there at all: in one of the first of them, where each names its own.

    Raises:
        UsageError: it is not.
    """
    source = iter(rows)
    head = list(islice(source, _HEAD))
    there = dict.fromkeys([*(rows.columns or ()), *(name for _, row in head if isinstance(row, dict) for name in row)])
    if there and column not in there:
        raise UsageError(
            f"{rows.path} has no column {column!r:.60} for keys",
            remedy=f"its columns are {', '.join(map(str, [*there][:50]))}",
        )
    return replace(rows, rows=chain(head, source))


def distilabel_rows(path: str | Path, subset: str = "") -> Rows:
    """The rows of a Distiset's dataset, of Parquet files, or of a file.

    Raises:
        InputError: it cannot be read, a part of it is missing, or it holds several datasets and none is named.
        UsageError: a dataset of a file is named.
    """
    path = Path(path)
    if path.is_file() or not path.exists():
        if subset:
            raise UsageError(
                f"{path} is no folder, so there is no dataset {subset!r:.60} in it", remedy="name no dataset of a file"
            )
        return read_rows(path)
    folder, split = path / subset, ""
    if not _has_rows(folder):
        if subset:
            folder, split = folder.parent, folder.name
        elif len(subsets := _subsets(path)) == 1:
            folder = subsets[0]
        else:
            raise InputError(
                f"{path}: {'several datasets' if subsets else 'no dataset'} in this folder",
                remedy=f"name one: {_named(path)}" if subsets else "give the folder of a Distiset that was saved",
            )
    splits = _splits(folder)
    if split and split not in splits:
        raise InputError(f"{path}: no dataset {subset!r:.60}", remedy=f"it has {_named(path)}")
    if len(splits) > 1 and not split:
        names = [(folder / name).relative_to(path).as_posix() for name in splits]
        raise InputError(
            f"{folder}: a dataset with the splits {', '.join(splits)}",
            remedy=f"name one as the subset: {', '.join(names)}",
        )
    return _chained(folder, splits[split or next(iter(splits))]) if splits else read_rows(folder)


def _has_rows(folder: Path) -> bool:
    marks = ("dataset_dict.json", "state.json")
    return any((folder / mark).is_file() for mark in marks) or any(folder.glob("*.parquet"))


def _subsets(folder: Path) -> list[Path]:
    return [one for one in sorted(folder.iterdir()) if one.is_dir() and one.name not in _BESIDE and _has_rows(one)]


def _named(folder: Path) -> str:
    """What could have been named instead."""
    found = []
    for one in _subsets(folder):
        splits = _splits(one)
        found += [f"{one.name}/{split}" for split in splits] if len(splits) > 1 else [one.name]
    return ", ".join(found or _splits(folder)) or "none"


_PART = re.compile(r"(.+)-(\d+)-of-(\d+)")


def _splits(folder: Path) -> dict[str, list[Path]]:
    """The Parquet files of a folder, by the split that the name of a part has; under no name where they have none.

    Raises:
        InputError: a part is missing.
    """
    found: dict[str, list[Path]] = {}
    for file in sorted(folder.glob("*.parquet")):
        part = _PART.fullmatch(file.stem)
        files = found.setdefault(part[1] if part else "", [])
        files.append(file)
        if part and int(part[2]) != len(files) - 1:
            raise _missing(folder, part, len(files) - 1)
    for files in found.values():
        part = _PART.fullmatch(files[-1].stem)
        if part and int(part[3]) != len(files):
            raise _missing(folder, part, len(files))
    return found


def _missing(folder: Path, part: re.Match[str], number: int) -> InputError:
    name = f"{part[1]}-{number:0{len(part[2])}}-of-{part[3]}.parquet"
    return InputError(f"{folder}: {name} is missing", remedy="get all parts of the dataset")


def _chained(folder: Path, files: Sequence[Path]) -> Rows:
    columns: dict[str, None] = {}
    foreign: dict[str, str] = {}
    full = []
    for file in files:  # none stays open: there may be thousands
        try:
            opened = read_rows(file)
        except NoRows:
            continue
        full.append(file)
        columns |= dict.fromkeys(opened.columns or ())
        foreign |= opened.foreign
    if not full:
        raise NoRows(f"{folder}: there are no rows in it", remedy="is this the right folder?")

    def rows() -> Iterator[Row]:
        number = 0
        for file in full:
            for _, row in read_rows(file):
                number += 1
                yield number, row

    return Rows(folder, "parquet", list(columns), rows(), foreign)


def dead_letters(rows: Iterable[Row], rejects: Iterable[Reject]) -> Iterator[dict[str, Any]]:
    """Lines of a dead-letter file: why a row, or one of its generations, became no record, and the row itself.

    Args:
        rows: the same rows again.
        rejects: those of the reader, once it was read.

    >>> reject = Reject(2, "generation: None", "run the step again")
    >>> list(dead_letters([(1, {"generation": "4"}), (2, {"generation": None})], [reject]))
    [{'line': 2, 'reason': 'generation: None', 'remedy': 'run the step again', 'row': {'generation': None}}]
    """
    waiting = sorted(rejects, key=lambda reject: reject.line)
    at = 0
    for number, row in rows:
        if at == len(waiting):
            return
        while at < len(waiting) and waiting[at].line == number:
            shown = {} if isinstance(row, Reject) else {"row": _plain(row)}
            yield {**waiting[at].to_dict(), **shown}
            at += 1


def _plain(value: Any) -> Any:
    """A value as JSON can hold it."""
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(_plain(name)): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    return repr(value)
