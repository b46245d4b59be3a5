"""Reading YAML written by people: safely, within limits, and with line numbers for errors."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import yaml

from bridge.errors import UsageError

if TYPE_CHECKING:
    from pydantic import ValidationError

MAX_BYTES = 256 * 1024
MAX_DEPTH = 12

Place: TypeAlias = "tuple[str | int, ...]"
"""The way to a value: keys and positions."""


@dataclass(frozen=True)
class YamlFile:
    """What a YAML file says, and on which line it says it."""

    path: str
    data: Any
    lines: dict[Place, int]

    def where(self, place: Place) -> str:
        """``file:line`` of a place in the data, or of the nearest thing around it that has a line."""
        while place and place not in self.lines:
            place = place[:-1]
        return f"{self.path}:{self.lines.get(place, 1)}"

    def explain(self, error: ValidationError, kind: type[UsageError], remedy: str) -> UsageError:
        """Turn pydantic's first complaint into an error with file, line and remedy."""
        first = error.errors(include_url=False)[0]
        place = tuple(first["loc"])
        # Pydantic names the branch of a union inside the path; such parts are not in the file.
        real = tuple(part for i, part in enumerate(place) if place[: i + 1] in self.lines or i == len(place) - 1)
        named = ".".join(str(part) for part in real) or "the file"
        message = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            message = "this key is unknown"
        more = error.error_count() - 1
        also = f" (and {more} more)" if more else ""
        return kind(f"{self.where(place)}: {named}: {message}{also}", remedy=remedy)


def read_yaml(path: Path, kind: type[UsageError]) -> YamlFile:
    """Read one YAML mapping with the safe loader; aliases, deep nesting and files over 256 kB are refused.

    Raises:
        kind: the file cannot be read, is too large, or is not a plain YAML mapping; names file and line.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise kind(f"{path}: {error.strerror}", remedy="give the path of a readable YAML file") from None
    if len(raw) > MAX_BYTES:
        raise kind(f"{path}: larger than {MAX_BYTES // 1024} kB", remedy="is this the right file?")
    try:
        return parse_yaml(raw.decode("utf-8-sig"), str(path), kind)
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise kind(f"{path}:{line}: byte {error.start} is not UTF-8", remedy="save the file as UTF-8") from None


def parse_yaml(text: str, path: str, kind: type[UsageError]) -> YamlFile:
    """Parse YAML text as :func:`read_yaml` does; ``path`` is only for messages."""
    try:
        _refuse_aliases_and_depth(text, path, kind)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        lines: dict[Place, int] = {}
        if not isinstance(node, yaml.MappingNode):
            raise kind(f"{path}: not a YAML mapping", remedy="start with lines such as 'name: value'")
        _note_lines(node, (), lines, path, kind)
        loader = yaml.SafeLoader("")
        try:
            data = loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        line = mark.line + 1 if mark else 1
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise kind(f"{path}:{line}: not valid YAML: {problem}", remedy="mend that line") from None
    except (ValueError, RecursionError) as error:
        raise kind(f"{path}: not valid YAML: {str(error).splitlines()[0]:.120}", remedy="mend that value") from None
    return YamlFile(path, data, lines)


def _refuse_aliases_and_depth(text: str, path: str, kind: type[UsageError]) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent):
            raise kind(f"{path}:{line}: YAML aliases (*name) are not allowed", remedy="write the value out")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise kind(f"{path}:{line}: nested more than {MAX_DEPTH} deep", remedy="flatten it")


def _note_lines(node: yaml.Node, place: Place, lines: dict[Place, int], path: str, kind: type[UsageError]) -> None:
    lines[place] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        seen: set[Hashable] = set()
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.value in seen:
                raise kind(f"{path}:{line}: {key.value!r:.60} stands twice", remedy="keep one of them")
            seen.add(key.value)
            _note_lines(value, (*place, key.value), lines, path, kind)
            lines[(*place, key.value)] = line
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _note_lines(item, (*place, index), lines, path, kind)
