"""JSON Lines as they stand in the file: keys that are named twice, blank lines, marks at the start, and all else that
a parser lets through without a word."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from bridge.exporting.defects import Defect, Problem
from bridge.files import text_lines

Parsed: TypeAlias = "tuple[int, Any, list[Defect]]"
"""The number of a line, what it holds (its text, where it holds no JSON), and what is wrong with how it is written."""

_FIRST = 5


@dataclass
class RawLines:
    """The lines of one file, to be iterated once; then ``problems`` says what is wrong with the file.

    Args:
        path: the file: UTF-8, or UTF-16.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "rows.jsonl")
    >>> _ = path.write_text('{"text": "a", "text": "b"}\\n\\n', encoding="utf-8")
    >>> lines = RawLines(path)
    >>> [(number, row, [defect.text for defect in found]) for number, row, found in lines]
    [(1, {'text': 'b'}, ["'text': named twice"])]
    >>> [problem.code for problem in lines.problems]
    ['blank_line']
    """

    path: Path
    problems: list[Problem] = field(default_factory=list)

    def __iter__(self) -> Iterator[Parsed]:
        blank, returns = [], []
        with self.path.open("rb") as file:
            marked = file.read(3).startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"))
        for number, line in enumerate(text_lines(self.path), 1):
            if line.endswith("\r\n"):
                returns.append(number)
            if line.isspace():
                blank.append(number)
            else:
                yield number, *_parsed(line)
        name = str(self.path)
        if marked:
            self.problems.append(Problem("byte_order_mark", "a byte order mark", (1,), name))
        if blank:
            self.problems.append(Problem("blank_line", f"{len(blank):,} blank lines", tuple(blank[:_FIRST]), name))
        if returns:
            text = f"{len(returns):,} lines end with a carriage return"
            self.problems.append(Problem("line_ends", text, tuple(returns[:_FIRST]), name))


def _parsed(line: str) -> tuple[Any, list[Defect]]:
    found: list[Defect] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(items)
        if len(made) < len(items):
            names = [name for name, _ in items]
            twice = next(name for name in names if names.count(name) > 1)
            found.append(Defect("duplicate_key", f"{twice!r:.60}: named twice"))
        return made

    try:
        return json.loads(line, object_pairs_hook=pairs), found
    except RecursionError:
        reason = "nested too deeply"
    except json.JSONDecodeError as error:
        reason = f"{error.msg.removesuffix(' at')} at character {error.pos + 1}"
    except ValueError as error:  # a whole number of thousands of digits
        reason = str(error).partition(";")[0]
    return line.rstrip("\r\n"), [Defect("not_json", f"not JSON: {reason}")]
