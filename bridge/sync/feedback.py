"""The feedback store: every answer that was ever pulled, append-only, in ``.annobridge/feedback.jsonl``.

A change on the server becomes a new line with the next revision; a withdrawal becomes a line with ``deleted: true``.
An answer that ``migrate`` wrote to another server is a line with the times of the old one, and with ``imported_at``
(when the new server says that it was changed last) and ``from_...`` (where it was given) in its ``source``.
Nothing is ever rewritten, so a crash can at worst leave one broken last line, which the next pull cuts off and
fetches again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic_core import to_json

from bridge.annotations import Annotation
from bridge.errors import LedgerError, StoreError
from bridge.sync.ledger import Ledger

_TAIL = 4096
"""Of what was indexed, so many of the last bytes tell whether the file is still the same."""


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
        ledger: holds an index of the file, so that a small pull need not read all of it; None makes one in memory.

    Raises:
        StoreError: the file cannot be read, or a line before the last is damaged.
    """

    def __init__(self, path: Path, project: tuple[str, str] | None = None, *, ledger: Ledger | None = None) -> None:
        self.path = path
        self.project = project
        self._ledger = ledger or Ledger()
        self._size = 0
        self._index()

    @property
    def history(self) -> list[Annotation]:
        """Every revision of every answer, in the order in which they were stored."""
        return [annotation for _, _, annotation in self._lines(0)]

    # The index

    def _index(self) -> None:
        """Bring the index up to date with the file, which is the truth."""
        size, tail = self._indexed()
        if not self._has_tail(size, tail):
            # It is another file than the one that was indexed, such as an older one from a backup. What it lacks has
            # not changed on the server since, so only a sweep of everything brings it.
            with self._ledger.transaction() as db:
                db.execute("DELETE FROM answers")
                # The note goes with what it is about: lines may come back byte for byte, and a crash in between.
                db.execute("DELETE FROM notes WHERE name = 'feedback'")
                db.execute("UPDATE projects SET cursor = '' WHERE cursor IS NOT NULL")
            size = 0
        lines = self._lines(size)
        self._size = lines[-1][0] + lines[-1][1] if lines else size
        if lines:
            self._remember(lines, self._size)

    def _indexed(self) -> tuple[int, str]:
        """How much of the file is in the index, and the hash of what that ends with."""
        note = self._ledger.note("feedback")
        try:
            held: dict[str, Any] = json.loads(note) if note else {"size": 0, "tail": ""}
            return max(0, int(held["size"])), str(held["tail"])
        except (ValueError, TypeError, KeyError):
            return 1, ""  # a damaged note: no file ends like this

    def _has_tail(self, size: int, tail: str) -> bool:
        """Whether the file has what was indexed, as its last line tells."""
        if not size:
            return True
        try:
            with self.path.open("rb") as file:
                file.seek(max(0, size - _TAIL))
                return hashlib.sha256(file.read(min(size, _TAIL))).hexdigest() == tail
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise self._unreadable(error) from None

    def _lines(self, start: int) -> list[tuple[int, int, Annotation]]:
        """The whole lines from a place on, each with its place, its length and what it says."""
        try:
            with self.path.open("rb") as file:
                file.seek(start)
                lines = file.read().split(b"\n")[:-1]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise self._unreadable(error) from None
        found = []
        place = start
        for number, line in enumerate(lines, 1):
            where = f"byte {place}" if start else f"{number}"
            found.append((place, len(line) + 1, self._parsed(line, where)))
            place += len(line) + 1
        return found

    def _at(self, places: Collection[tuple[int, int, str]]) -> list[Annotation]:
        """The lines that start at these places, are so long, and hold answers with these ids."""
        if not places:
            return []
        found = []
        try:
            with self.path.open("rb") as file:
                for start, length, id_ in places:
                    file.seek(start)
                    annotation = self._parsed(file.read(length), f"byte {start}")
                    if _text(annotation.source.get("id", "")) != id_:
                        raise StoreError(f"{self.path}:byte {start}: another answer than expected")
                    found.append(annotation)
        except OSError as error:
            raise self._unreadable(error) from None
        except StoreError:
            self._lines(0)  # if the file is damaged, this says where
            raise LedgerError(
                f"{self._ledger.path}: the ledger is damaged: its index does not fit {self.path.name}",
                remedy="make it anew: annobridge doctor --rebuild",
            ) from None
        return found

    def _parsed(self, line: bytes, where: str) -> Annotation:
        try:
            annotation = Annotation.from_dict(json.loads(line))
            if all(isinstance(text, str) for text in annotation.source.values()):
                return annotation
            raise TypeError("source")
        except (ValueError, TypeError, AttributeError, RecursionError):
            raise StoreError(
                f"{self.path}:{where}: the line is damaged",
                remedy="restore the file from a backup, or move it away and run `annobridge pull --full`",
            ) from None

    def _unreadable(self, error: OSError) -> StoreError:
        return StoreError(f"{self.path}: {error.strerror}", remedy="make the file readable")

    def _remember(self, lines: Iterable[tuple[int, int, Annotation]], size: int) -> None:
        with self.path.open("rb") as file:
            file.seek(max(0, size - _TAIL))
            tail = hashlib.sha256(file.read(min(size, _TAIL))).hexdigest()
        with self._ledger.transaction() as db:
            db.executemany(
                "INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    (
                        *(_text(a.source.get(name, "")) for name in ("server", "project")),
                        _text(a.record),
                        *(_text(a.source.get(name, "")) for name in ("task", "id")),
                        a.revision,
                        a.status,
                        _text(a.annotator),
                        a.updated_at,
                        a.deleted,
                        start,
                        length,
                    )
                    for start, length, a in lines
                ),
            )
            db.execute("REPLACE INTO notes VALUES ('feedback', ?)", (json.dumps({"size": size, "tail": tail}),))

    def _current(self, record: str, task: str) -> dict[str, Annotation]:
        """The last revision of every answer to a record, by its id."""
        query = "SELECT id, start, length, server, project FROM answers WHERE record = ? AND task = ? ORDER BY start"
        with self._ledger.guarded():
            rows = self._ledger.db.execute(query, (_text(record), _text(task))).fetchall()
        # A later line replaces an earlier one.
        places = {row[0]: (*row[1:3], row[0]) for row in rows if self.project in (None, row[3:5])}
        return {annotation.source.get("id", ""): annotation for annotation in self._at(places.values())}

    def of(self, records: Iterable[str]) -> list[Annotation]:
        """The last revision of every answer to these records, in the order in which they were stored."""
        query = (
            "SELECT start, length, server, project, record, task, id FROM answers "
            "WHERE record IN (SELECT value FROM json_each(?)) ORDER BY start"
        )
        with self._ledger.guarded():
            rows = self._ledger.db.execute(query, (json.dumps([_text(record) for record in records]),)).fetchall()
        places = {row[2:]: (*row[:2], row[-1]) for row in rows if self.project in (None, row[2:4])}
        return self._at(sorted(places.values()))

    # Comparing and adding

    def update(self, record: str, task: str, annotations: Iterable[Annotation]) -> tuple[Changes, list[Annotation]]:
        """Compare what one record has on the server now with what is stored.

        Returns the counts and the lines to append: nothing is written yet (see :meth:`append`).
        """
        changes, lines = Changes(), []
        stored = self._current(record, task)
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
        current = self._current(annotation.record, annotation.source.get("task", ""))
        return current.get(annotation.source.get("id", ""))

    def missing(self, seen: set[tuple[str, str]], project: str) -> list[tuple[str, str]]:
        """Records (key and task) with live answers of this project that a full sweep did not meet."""
        query = (
            # Of each answer, SQLite takes the other columns from the row with the greatest place.
            "SELECT record, task, server, deleted, max(start) FROM answers WHERE project = ? "
            "GROUP BY server, record, task, id"
        )
        with self._ledger.guarded():
            rows = self._ledger.db.execute(query, (_text(project),)).fetchall()
        places = {
            (record, task)
            for record, task, server, deleted, _ in rows
            if not deleted and (self.project is None or server == self.project[0])
        }
        return sorted(places - {(_text(record), _text(task)) for record, task in seen})

    def append(self, lines: list[Annotation]) -> None:
        """Write lines and make sure that they are on the disk before anything counts on them.

        Raises:
            StoreError: they could not be written; the store is as it was.
        """
        if not lines:
            return
        # ASCII escapes can hold whatever a server sends, lone surrogates too; validation names them later.
        encoded = [_encoded(line.to_dict()) for line in lines]
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with open(self.path, "ab") as file:
                try:
                    file.truncate(self._size)
                    file.write(b"".join(encoded))
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
        places = []
        for line, text in zip(lines, encoded, strict=True):
            places.append((self._size, len(text), line))
            self._size += len(text)
        self._remember(places, self._size)


def _encoded(line: dict[str, Any]) -> bytes:
    try:
        return to_json(line) + b"\n"
    except ValueError:  # half of a surrogate pair, which only the slower encoder can escape
        return json.dumps(line).encode() + b"\n"


def _text(text: str) -> str:
    # SQLite holds no lone surrogates, and whatever a server sends must not stop a pull.
    return text if text.isascii() else text.encode(errors="backslashreplace").decode()


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
