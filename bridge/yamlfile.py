"""Reading YAML written by people: safely, within limits, and with line numbers for errors."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from bridge.complaints import Complaint, Place, complaints
from bridge.errors import UsageError

if TYPE_CHECKING:
    from pydantic import ValidationError

MAX_BYTES = 256 * 1024
MAX_DEPTH = 12
MAX_TOLD = 10
"""Most problems that one error tells."""


@dataclass(frozen=True)
class YamlFile:
    """What a YAML file says, and on which line it says it."""

    path: str
    data: Any
    lines: dict[Place, int]

    def where(self, place: Place) -> str:
        """``file:line`` of a place in the data, or of the nearest thing around it that has a line."""
        return f"{self.path}:{self._line(place)}"

    def _line(self, place: Place) -> int:
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)

    def explain(self, error: ValidationError, kind: type[UsageError], remedy: str) -> UsageError:
        """Turn what pydantic found into one error with file, lines and remedy: at most ten problems, in order."""
        found = [(self._real(one.place), one) for one in complaints(error)]
        found.sort(key=lambda pair: self._line(pair[0]))
        told = dict.fromkeys(self._told(place, one) for place, one in found)
        lines = [*list(told)[:MAX_TOLD], *([f"and {len(told) - MAX_TOLD} more"] if len(told) > MAX_TOLD else [])]
        remedies = [one.remedy for _, one in found if one.remedy]
        return kind("\n  ".join(lines), remedy=remedies[0] if remedies else remedy)

    def _told(self, place: Place, complaint: Complaint) -> str:
        names = self._names(place)
        if complaint.absent:
            names.append(str(complaint.place[-1]))
        return f"{self.where(place)}: {'.'.join(names) or 'the file'}: {complaint.reason}"

    def _real(self, place: Place) -> Place:
        """A place without what is not in the file: pydantic names the branch of a union inside it."""
        real: Place = ()
        for part in place:
            if (*real, part) in self.lines:
                real = (*real, part)
        return real

    def _names(self, place: Place) -> list[str]:
        """The parts of a place as people know them: items of a list by their name, where they have one."""
        names, value = [], self.data
        for part in place:
            name: Any = part
            if isinstance(part, int) and isinstance(value, list):
                value = value[part]
                name = value.get("name") if isinstance(value, dict) else part
            else:
                value = value.get(part) if isinstance(value, dict) else None
            names.append(name if isinstance(name, str) and _SHORT.fullmatch(name) else f"{part!r:.60}")
        return names


_SHORT = re.compile(r"[\w-]{1,60}")


def read_yaml(path: Path, kind: type[UsageError]) -> YamlFile:
    """Read one YAML mapping with the safe loader; aliases, deep nesting and files over 256 kB are refused.

    Raises:
        kind: the file cannot be read, is too large, or is not a plain YAML mapping; names file and line.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # no path at all: it holds a NUL character or half of a surrogate pair
        reason = f"{path}: {error.strerror}" if isinstance(error, OSError) else f"{str(path)!r:.80}: {error}"
        raise kind(reason, remedy="give the path of a readable YAML file") from None
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
        node = yaml.compose(text, Loader=_Loader)
        lines: dict[Place, int] = {}
        if not isinstance(node, yaml.MappingNode):
            raise kind(f"{path}: not a YAML mapping", remedy="start with lines such as 'name: value'")
        loader = _Loader("")
        _note_lines(loader, node, (), lines, path, kind)
        data = loader.construct_document(node)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        line = mark.line + 1 if mark else 1
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise kind(f"{path}:{line}: not valid YAML: {problem}", remedy="mend that line") from None
    except (ValueError, OverflowError) as error:  # such as an escape for a character that does not exist
        raise kind(f"{path}: not valid YAML: {str(error).splitlines()[0]:.120}", remedy="mend that value") from None
    return YamlFile(path, data, lines)


class _Loader(yaml.SafeLoader):
    """The safe loader, with a line for every value that it cannot convert."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, LookupError, AttributeError) as error:
            reason = f"{node.value!r:.60} is no {node.tag.rpartition(':')[2]}"
            raise yaml.constructor.ConstructorError(None, None, reason, node.start_mark) from error


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


def _note_lines(
    loader: _Loader, node: yaml.Node, place: Place, lines: dict[Place, int], path: str, kind: type[UsageError]
) -> None:
    lines[place] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key_node, value in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise kind(f"{path}:{line}: a list or mapping as a key", remedy="use a word as the key")
            key = loader.construct_object(key_node, deep=True)
            if type(key) is not str and not (type(key) is int and abs(key) < 1000):
                raise kind(f"{path}:{line}: {key_node.value!r:.60} is no key", remedy="put it in quotes")
            if (*place, key) in lines:
                raise kind(f"{path}:{line}: {key!r:.60} stands twice", remedy="keep one of them")
            _note_lines(loader, value, (*place, key), lines, path, kind)
            lines[(*place, key)] = line
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _note_lines(loader, item, (*place, index), lines, path, kind)
