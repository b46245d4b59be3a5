"""A server without a server: the same verbs in memory, for tests, examples and dry runs.

With a path it keeps its state in a JSON file, so that separate commands can share it (``server: {kind: memory}``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bridge.annotations import Annotation, Status
from bridge.errors import Conflict, NotFound, ServerError
from bridge.records import Record, Value, record_key
from bridge.servers.protocol import Answered, Capabilities, Outcome, Page, Progress, Project, Remote, RemoteProject

CAPABILITIES = Capabilities(
    question_kinds=frozenset({"rating", "label", "multi_label", "text", "ranking", "span"}),
    title_length=(1, 200),
    batch=500,
    unique_keys=True,
    incremental=True,
)


@dataclass
class _Held:
    """One project: its schema, its records by key, and the annotations by their id."""

    schema: str
    annotators: int
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    annotations: dict[str, dict[str, Any]] = field(default_factory=dict)
    touched: dict[str, str] = field(default_factory=dict)


class MemoryServer:
    """A complete annotation server in one object.

    Args:
        path: where to keep the state between processes; None keeps it in memory.
        clock: gives the time, for tests.

    >>> from bridge.templates import load_template
    >>> server = MemoryServer()
    >>> project = server.ensure(Project("Demo", load_template("rating")), create=True)
    >>> record = Record(fields={"prompt": "2 + 2?", "response": "4"})
    >>> server.write([record])[0].result
    'accepted'
    >>> server.annotate(record.key, "ann", {"rating": 5})
    >>> [a.answers for page in server.changes() for r in page.records for a in r.annotations]
    [{'rating': 5}]
    """

    capabilities = CAPABILITIES

    def __init__(self, path: Path | None = None, *, clock: Callable[[], datetime] | None = None) -> None:
        self._path = path
        self._clock = clock or (lambda: datetime.now(UTC))
        self._last = ""
        self._projects: dict[str, _Held] = {}
        self._title = ""
        if path is not None and path.exists():
            try:
                state = json.loads(path.read_bytes())
                self._projects = {title: _Held(**held) for title, held in state["projects"].items()}
                self._last = str(state["last"])
            except (OSError, ValueError, KeyError, TypeError, AttributeError):
                raise ServerError(f"{path}: the in-memory server's file is damaged", remedy="delete it") from None

    def close(self) -> None:
        """Nothing to let go of."""

    def ensure(self, project: Project, *, create: bool) -> RemoteProject:
        """Find the project by its title, or make it."""
        held = self._projects.get(project.title)
        created = held is None
        if held is None:
            if not create:
                raise NotFound(f"memory: there is no project {project.title!r}", remedy="run `annobridge push` first")
            held = self._projects[project.title] = _Held(project.template.fingerprint, project.annotators_per_record)
        elif held.schema != project.template.fingerprint:
            raise Conflict(
                f"memory: project {project.title!r} was made from another template or another version of it",
                remedy="use the template that the project was made from, or another project name",
            )
        if create:
            held.annotators = project.annotators_per_record
        self._title = project.title
        self._save()
        return RemoteProject(project.title, f"memory:{project.title}", len(held.records), created)

    @property
    def _held(self) -> _Held:
        if self._title not in self._projects:
            raise RuntimeError("call ensure() first")
        return self._projects[self._title]

    def find(self, keys: Iterable[str]) -> dict[str, list[Remote]]:
        """Which of these keys are there."""
        answers: dict[str, int] = {}
        for annotation in self._held.annotations.values():
            answers[annotation["record"]] = answers.get(annotation["record"], 0) + 1
        return {
            key: [Remote(key, len(held["suggestions"]), answers.get(key, 0), record_key(held["fields"]))]
            for key in keys
            if (held := self._held.records.get(key))
        }

    def write(self, records: Sequence[Record]) -> list[Outcome]:
        """Take records; a key that is there already is refused, as on every server with unique keys."""
        outcomes = []
        for record in records:
            if record.key in self._held.records:
                outcomes.append(
                    Outcome(record.key, "rejected", f"key {record.key!r} is there already", "look it up first")
                )
                continue
            # Through JSON, as on the way to a real server: what cannot be sent fails here too.
            self._held.records[record.key] = json.loads(json.dumps(record.to_dict(), allow_nan=False))
            outcomes.append(Outcome(record.key, "accepted", remote_id=record.key))
        self._save()
        return outcomes

    def repair(self, records: Sequence[Record]) -> int:
        """Give records their suggestions back."""
        short = [
            record
            for record in records
            if record.suggestions and (held := self._held.records.get(record.key)) and not held["suggestions"]
        ]
        for record in short:
            self._held.records[record.key]["suggestions"] = [suggestion.to_dict() for suggestion in record.suggestions]
        self._save()
        return len(short)

    def finish(self) -> int:
        """Nothing is kept twice here."""
        return 0

    def changes(self, cursor: str = "") -> Iterator[Page]:
        """Records whose answers changed at or after the cursor."""
        by_key: dict[str, list[Annotation]] = {}
        for annotation in self._held.annotations.values():
            by_key.setdefault(annotation["record"], []).append(Annotation.from_dict(annotation))
        touched = [key for key, when in self._held.touched.items() if when >= cursor]
        records = [Answered(key, key, tuple(by_key.get(key, ()))) for key in touched if cursor or key in by_key]
        if records:
            yield Page(records, max([cursor, *self._held.touched.values()]))

    def progress(self) -> Progress:
        """Counts of records with one answer, and with as many as the project asks for."""
        people: dict[str, int] = {}
        for annotation in self._held.annotations.values():
            if annotation["status"] == "submitted":
                people[annotation["record"]] = people.get(annotation["record"], 0) + 1
        completed = sum(count >= self._held.annotators for count in people.values())
        return Progress(len(self._held.records), len(people), completed)

    # What people do

    def annotate(
        self,
        key: str,
        annotator: str,
        answers: Mapping[str, Value],
        *,
        status: Status = "submitted",
        lead_time_s: float | None = None,
    ) -> None:
        """Answer a record, or change one's answer, as a person would in the server's page.

        Raises:
            NotFound: there is no such record.
        """
        if key not in self._held.records:
            raise NotFound(f"memory: there is no record {key!r}", remedy="push it first")
        now = self._now()
        place = f"{key}/{annotator}"
        first = self._held.annotations.get(place, {}).get("created_at", now)
        annotation = Annotation(
            record=key,
            annotator=annotator,
            status=status,
            answers={} if status == "discarded" else answers,
            created_at=first,
            updated_at=now,
            lead_time_s=lead_time_s,
            source={
                "server": "memory",
                "project": self._title,
                "task": key,
                "id": hashlib.sha256(place.encode()).hexdigest()[:12],
                "content": record_key(self._held.records[key]["fields"]),
            },
        )
        self._held.annotations[place] = json.loads(json.dumps(annotation.to_dict()))
        self._held.touched[key] = now
        self._save()

    def withdraw(self, key: str, annotator: str) -> None:
        """Delete a person's answer to a record.

        Raises:
            NotFound: there is no such answer.
        """
        if self._held.annotations.pop(f"{key}/{annotator}", None) is None:
            raise NotFound(f"memory: {annotator!r} has not answered {key!r}", remedy="nothing to withdraw")
        self._held.touched[key] = self._now()
        self._save()

    def _now(self) -> str:
        # Two changes never share a moment, so that a cursor can tell them apart.
        now = self._clock()
        if self._last and now <= (last := datetime.fromisoformat(self._last)):
            now = last + timedelta(microseconds=1)
        self._last = now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return self._last

    def _save(self) -> None:
        if self._path is not None:
            from bridge.files import write_text

            projects = {title: vars(held) for title, held in self._projects.items()}
            write_text(self._path, json.dumps({"last": self._last, "projects": projects}))
