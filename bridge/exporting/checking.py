"""Checking training files of any origin: the format of each row, its structure, and the gates of an export."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import gettempdir
from typing import Any

from bridge.exporting import column_checks as columns
from bridge.exporting.defects import Defect, Problem
from bridge.exporting.gates import STRUCTURE, Gates
from bridge.exporting.gates_settings import GatesConfig
from bridge.exporting.line_checks import check_line
from bridge.exporting.raw_lines import Parsed, RawLines
from bridge.exporting.row import ROWS, Kind
from bridge.exporting.shapes import Shape, as_row
from bridge.exporting.shelf import Made, Packing, Shelf, T, beside, chosen
from bridge.files import Reject
from bridge.metadata import is_test_only
from bridge.rows import read_rows


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row that is not fit to be trained on.

    Args:
        line: its number in the file; of rows in memory, counted from 1.
        row: the row as it was, or the text of a line that is no row.
        defects: all that is wrong with it; the first that was found comes first.
        file: which file it stands in, where there is one.
        format: what it was taken for, where that could be told.
    """

    line: int
    row: Any
    defects: tuple[Defect, ...]
    file: str = ""
    format: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The row and its defects as a line of ``rejects.jsonl``."""
        first = self.defects[0]
        where = {"file": self.file} if self.file else {}
        about = {"line": self.line, "reason": first.code, "text": first.text, "remedy": first.remedy}
        rest = [defect.to_dict() for defect in self.defects]
        return {**where, **about, "format": self.format, "defects": rest, "row": _writable(self.row)}


@dataclass(frozen=True, slots=True)
class RowCheck:
    """What a check found.

    Args:
        kept: the rows that are fit, in their order.
        rejected: the others, with all that is wrong with each.
        problems: what is wrong with the file as a whole.
        formats: name of a format to the number of rows that have it.
        told: what each gate did.
    """

    kept: Sequence[dict[str, Any]] = field(default_factory=list)
    rejected: Sequence[RejectedRow] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    formats: dict[str, int] = field(default_factory=dict)
    told: dict[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether all rows are fit, and the file as well; warnings do not count."""
        return not self.rejected and not any(problem.level == "error" for problem in self.problems)

    def counts(self) -> dict[str, int]:
        """Code of a defect to the number of rows that have it, the most frequent first."""
        counted = Counter(code for case in self.rejected for code in {defect.code for defect in case.defects})
        return dict(sorted(counted.items(), key=lambda one: (-one[1], one[0])))

    def to_dict(self) -> dict[str, Any]:
        """The result as ``--json`` prints it, without the rows."""
        return {
            "rows": len(self.kept) + len(self.rejected),
            "kept": len(self.kept),
            "rejected": len(self.rejected),
            "formats": self.formats,
            "defects": self.counts(),
            "problems": [problem.to_dict() for problem in self.problems],
            "gates": self.told,
        }


def check_rows(
    rows: Iterable[Any], *, kind: Kind | None = None, gates: GatesConfig | None = None, folder: str | Path = "."
) -> RowCheck:
    """Check rows in memory, of any training format.

    Args:
        rows: objects as they stand in a training file.
        kind: what they are to train; by default each row's columns decide.
        gates: which gates rows must pass, and their thresholds.
        folder: where paths in the settings of gates start.

    Raises:
        UsageError: a gate needs a package that is not installed.
        InputError: an evaluation file or the tokenizer cannot be read.

    >>> found = check_rows([{"prompt": "2 + 2?", "completion": "4"}, {"prompt": "2 + 3?", "completion": None}])
    >>> found.kept
    [{'prompt': '2 + 2?', 'completion': '4'}]
    >>> [(case.line, [defect.text for defect in case.defects]) for case in found.rejected]
    [(2, ['completion: null'])]
    """
    return _check([("", number, row, []) for number, row in enumerate(rows, 1)], [], kind, gates, Path(folder))


def check_row_files(
    paths: Sequence[str | Path],
    *,
    kind: Kind | None = None,
    gates: GatesConfig | None = None,
    folder: str | Path = ".",
) -> RowCheck:
    """Check files together, as one training set: JSONL, JSON, CSV, Parquet or a saved dataset.

    Raises:
        UsageError: a gate, or Parquet, needs a package that is not installed.
        InputError: a file cannot be read at all, is empty, or is none of these.
    """
    lines: Shelf[_Line] = Shelf(Path(gettempdir()), _LINES)
    problems: list[Problem] = []
    for path in map(Path, paths):
        opened = read_rows(path)
        if opened.format == "jsonl":
            raw = RawLines(path)
            lines.extend((str(path), *parsed) for parsed in raw)
            problems += raw.problems
        else:
            lines.extend((str(path), *parsed) for parsed in _rows(opened))
            problems += _parquet(path) if opened.format == "parquet" else ()
        problems += _named(path)
    return _check(lines, problems, kind, gates, Path(folder))


_Line = tuple[str, int, Any, list[Defect]]
"""File, number, row, and what is wrong with how it is written."""


def _weight(line: _Line) -> int:
    """About how many bytes of memory a line takes."""
    row = line[2]
    if not isinstance(row, dict):
        return 500
    texts = [value for value in row.values() if isinstance(value, str)]
    turns = [turn for value in row.values() if isinstance(value, list) for turn in value]
    texts += [text for turn in turns if isinstance(turn, dict) for text in turn.values() if isinstance(text, str)]
    return 1000 + 300 * len(turns) + sum(map(len, texts))


_LINES: Packing[_Line] = Packing(lambda line: line, lambda line: line, _weight)


def _rows(rows: Iterable[tuple[int, Any]]) -> Iterator[Parsed]:
    for number, row in rows:
        if isinstance(row, Reject):
            yield number, "", [Defect("not_json", row.reason)]
        else:
            yield number, row, []


def _check(
    lines: Sequence[_Line], problems: list[Problem], kind: Kind | None, config: GatesConfig | None, folder: Path
) -> RowCheck:
    gates = Gates(config, folder=folder, off=STRUCTURE)
    found: list[list[Defect]] = []
    shapes: list[Shape | None] = []
    for _, _, row, written in lines:
        shape: Shape | None = None
        defects: list[Defect] = []
        if isinstance(row, dict):
            shape, defects = check_line(row, kind)
        elif not written:
            defects = [Defect("not_an_object", "a value that is no object")]
        shapes.append(shape)
        found.append([*written, *defects])
    usual = columns.shape_of_most(shapes)
    for defects, shape in zip(found, shapes, strict=True):
        if shape is not None and shape.name != usual:
            defects.append(Defect("other_format", f"{shape.name}, where most rows are {usual}"))
    alike = [index for index, shape in enumerate(shapes) if shape is not None and shape.name == usual]
    seen = columns.Columns()
    for _, number, row, _ in chosen(lines, alike):
        seen.add(number, row)
    for number, (index, line) in enumerate(zip(alike, chosen(lines, alike), strict=True)):
        places = {defect.place for defect in found[index]}
        found[index] += [d for d in seen.defects(number, line[2]) if d.place not in places]
    told = _gated(lines, shapes, found, gates)
    return _result(lines, shapes, found, [*problems, *seen.problems()], told)


def _gated(
    lines: Sequence[_Line], shapes: Sequence[Shape | None], found: Sequence[list[Defect]], gates: Gates
) -> dict[str, Any]:
    """Let rows whose structure is sound through the gates; what is stopped gets a defect."""
    indices: dict[str, int] = {}
    rows = beside(lines, ROWS)
    marked = set()
    for index, ((file, number, row, _), shape, defects) in enumerate(zip(lines, shapes, found, strict=True)):
        if shape is None or defects:
            continue
        name = f"{file}:{number}" if file else f"line {number}"
        indices[name] = index
        rows.append(as_row(row, shape, name))
        about = row.get("metadata")
        if row.get("test_only") or (isinstance(about, dict) and is_test_only(about)):
            marked.add(name)
    done = gates.marking(marked)(rows)
    for case in done.rejected:
        found[indices[case.row.record]].append(Defect(case.rule, case.text))
    gated: dict[str, Any] = done.told["gates"]
    return gated


def _result(
    lines: Sequence[_Line],
    shapes: Sequence[Shape | None],
    found: Sequence[Sequence[Defect]],
    problems: list[Problem],
    told: dict[str, Any],
) -> RowCheck:
    good = [index for index, defects in enumerate(found) if not defects]
    known = [shape for index in good if (shape := shapes[index]) is not None]
    problems += columns.neighbours(_view(lines, good, lambda index: lines[index][1:3]), known)
    problems += columns.pair_problems(_view(lines, good, lambda index: lines[index][1:3]), known)
    problems += columns.few_rows(len(lines), known)
    folders = Counter(
        (str(Path(file).parent), shape.name)
        for file, shape in {(line[0], shape) for line, shape in zip(lines, shapes, strict=True) if shape is not None}
        if file
    )
    for folder, count in Counter(folder for folder, _ in folders).items():
        if count > 1:
            problems.append(Problem("formats_in_folder", f"{folder}: files of {count} formats", (), folder))

    def rejected(index: int) -> RejectedRow:
        (file, number, row, _), shape = lines[index], shapes[index]
        return RejectedRow(number, row, tuple(found[index]), file, shape.name if shape else "")

    kept: Sequence[dict[str, Any]] = _view(lines, good, lambda index: lines[index][2])
    bad = [index for index, defects in enumerate(found) if defects]
    counts = Counter(shape.name if shape else "none" for shape in shapes)
    return RowCheck(kept, _view(lines, bad, rejected), problems, dict(counts.most_common()), told)


def _view(lines: Sequence[_Line], places: Sequence[int], make: Callable[[int], T]) -> Sequence[T]:
    """What is made of lines: of those on disk each time it is asked for, of those in memory at once."""
    return Made(places, make) if isinstance(lines, Shelf) else [make(place) for place in places]


def _named(path: Path) -> Iterator[Problem]:
    """Whether `datasets` or MLX-LM would take the file for another split than its name says."""
    what = {
        "eval": "`datasets` takes it for test",
        "holdout": "`datasets` leaves it out",
        "validation": "MLX-LM does not find it",
        "val": "MLX-LM does not find it",
        "dev": "MLX-LM does not find it",
    }.get(path.stem.lower())
    if what:
        yield Problem("split_name", f"{path.name}: {what}", (), str(path))


def _parquet(path: Path) -> Iterator[Problem]:
    import pyarrow.parquet as pq

    if b"huggingface" in (pq.read_schema(path).metadata or {}):
        yield Problem("parquet_features", f"{path.name}: it carries features of `datasets`", (), str(path))


def _writable(value: Any) -> Any:
    """A value that any JSON writer takes: halves of surrogate pairs are replaced, and numbers that JSON does not have
    are texts."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {_writable(str(key)): _writable(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_writable(one) for one in value]
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if abs(value) < float("inf") else str(value)
    return str(value)
