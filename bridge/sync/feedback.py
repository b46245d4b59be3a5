"""The feedback store: every answer that was ever pulled, append-only, in ``.annobridge/feedback.jsonl``.

A change on the server becomes a new line with the next revision; a withdrawal becomes a line with ``deleted: true``.
An answer that ``migrate`` wrote to another server is a line with the times of the old one, and with ``imported_at``
(when the new server says that it was changed last) and ``from_...`` (where it was given) in its ``source``.
Nothing is ever rewritten, so a crash can at worst leave one broken last line, which the next pull cuts off and
fetches again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic_core import to_json

from bridge.annotations import Annotation
from bridge.errors import StoreError


@dataclass
class Changes:
    """How many answers a pull added, changed, withdrew, or found as they were."""

    new: int = 0
    edited: int = 0
    withdrawn: int = 0
    unchanged: int = 0

    def add(self, other: Changes) -> None:
        """Count the other's changes too."""
        self.new += other.new
        self.edited += other.edited
        self.withdrawn += other.withdrawn
        self.unchanged += other.unchanged


class Feedback:
    """All answers of one campaign, with their history.

    Args:
        path: the file; it need not exist yet.
        project: server and id of the project that is compared with; by default, any. After a migration the store holds
            answers of several, and their tasks may have the same numbers.

    Raises:
        StoreError: the file cannot be read, or a line before the last is damaged.
    """

    def __init__(self, path: Path, project: tuple[str, str] | None = None) -> None:
        self.path = path
        self.project = project
        self.history: list[Annotation] = []
        self._current: dict[str, dict[str, Annotation]] = {}
        self._size = 0
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return
        except OSError as error:
            raise StoreError(f"{path}: {error.strerror}", remedy="make the file readable") from None
        lines = data.split(b"\n")
        for number, line in enumerate(lines[:-1], 1):
            try:
                self._remember(Annotation.from_dict(json.loads(line)))
            except (ValueError, TypeError, AttributeError, RecursionError):
                raise StoreError(
                    f"{path}:{number}: the line is damaged",
                    remedy="restore the file from a backup, or move it away and run `annobridge pull --full`",
                ) from None
        self._size = len(data) - len(lines[-1])

    def _remember(self, annotation: Annotation) -> None:
        self.history.append(annotation)
        if self.project not in (None, (annotation.source.get("server"), annotation.source.get("project"))):
            return
        place = _place(annotation.record, annotation.source.get("task", ""))
        self._current.setdefault(place, {})[annotation.source.get("id", "")] = annotation

    def update(self, record: str, task: str, annotations: Iterable[Annotation]) -> tuple[Changes, list[Annotation]]:
        """Compare what one record has on the server now with what is stored.

        Returns the counts and the lines to append: nothing is written yet (see :meth:`append`).
        """
        changes, lines = Changes(), []
        stored = self._current.get(_place(record, task), {})
        seen = set()
        for annotation in annotations:
            identity = annotation.source.get("id", "")
            seen.add(identity)
            old = stored.get(identity)
            if old is None:
                changes.new += 1
                lines.append(annotation if annotation.revision == 1 else replace(annotation, revision=1))
            elif _same(old, annotation):
                changes.unchanged += 1
            else:
                changes.edited += 1
                if annotation.annotator != old.annotator and not old.deleted:
                    # The server says now that somebody else gave it; the first one no longer did.
                    lines.append(replace(old, revision=old.revision + 1, deleted=True))
                lines.append(_revised(old, annotation))
        for identity, old in stored.items():
            if identity not in seen and not old.deleted:
                changes.withdrawn += 1
                lines.append(replace(old, revision=old.revision + 1, deleted=True))
        return changes, lines

    def stored(self, annotation: Annotation) -> Annotation | None:
        """The last state of this answer (by its record, task and id) that is in the store."""
        place = _place(annotation.record, annotation.source.get("task", ""))
        return self._current.get(place, {}).get(annotation.source.get("id", ""))

    def missing(self, seen: set[tuple[str, str]], project: str) -> list[tuple[str, str]]:
        """Records (key and task) with live answers of this project that a full sweep did not meet."""
        places = {
            (a.record, a.source.get("task", ""))
            for answers in self._current.values()
            for a in answers.values()
            if not a.deleted and a.source.get("project") == project
        }
        return sorted(places - seen)

    def append(self, lines: list[Annotation]) -> None:
        """Write lines and make sure that they are on the disk before anything counts on them.

        Raises:
            StoreError: they could not be written; the store is as it was.
        """
        if not lines:
            return
        # ASCII escapes can hold whatever a server sends, lone surrogates too; validation names them later.
        text = b"".join(_encoded(line.to_dict()) for line in lines)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with open(self.path, "ab") as file:
                try:
                    file.truncate(self._size)
                    file.write(text)
                    file.flush()
                    os.fsync(file.fileno())
                except OSError:
                    file.truncate(self._size)
                    raise
        except OSError as error:
            raise StoreError(
                f"{self.path}: {error.strerror}; the answers are safe on the server",
                remedy="make room or make the folder writable, then run `annobridge pull` again",
            ) from None
        self._size += len(text)
        for line in lines:
            self._remember(line)


def _encoded(line: dict[str, Any]) -> bytes:
    try:
        return to_json(line) + b"\n"
    except ValueError:  # half of a surrogate pair, which only the slower encoder can escape
        return json.dumps(line).encode() + b"\n"


def _place(record: str, task: str) -> str:
    return f"{record}\0{task}"


def _revised(old: Annotation, new: Annotation) -> Annotation:
    revised = replace(new, revision=old.revision + 1)
    if "from_id" not in old.source:
        return revised
    # It was given on another server; its first save was there.
    origin = {name: value for name, value in old.source.items() if name.startswith("from_")}
    return replace(revised, created_at=old.created_at, source={**new.source, **origin})


def _same(old: Annotation, new: Annotation) -> bool:
    if "imported_at" in old.source:
        # The line has the times of the server that the answer was given on.
        return (not old.deleted, old.source["imported_at"], old.annotator) == (True, new.updated_at, new.annotator)
    return not old.deleted and (old.updated_at, old.status, old.answers, old.annotator) == (
        new.updated_at,
        new.status,
        new.answers,
        new.annotator,
    )
