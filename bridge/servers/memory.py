"""A server without a server: the same verbs in memory, for tests, examples and dry runs.

With a path it keeps its state in a JSON file, so that separate commands can share it (``server: {kind: memory}``).
With a profile it follows the rules of a real server about identity: who may answer twice, what a second write of the
same key does, and whether it can list what changed. Each rule is also asserted on the real one
(``tests/contract/test_rules.py``).
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from bridge.annotations import Annotation, Status
from bridge.errors import Conflict, NotFound, Refused, ServerError
from bridge.questions import RankingQuestion
from bridge.records import FieldValue, Record, Suggestion, Value, record_key
from bridge.servers import argilla, label_studio
from bridge.servers.answers import why_not
from bridge.servers.changed import judged, why_unchangeable
from bridge.servers.protocol import Answered, Capabilities, Outcome, Page, Progress, Project, Remote, RemoteProject

if TYPE_CHECKING:
    from bridge.keys import Secret
    from bridge.templates import TaskTemplate

CAPABILITIES = Capabilities(
    question_kinds=frozenset({"rating", "label", "multi_label", "text", "ranking", "span"}),
    title_length=(1, 200),
    batch=500,
    unique_keys=True,
    incremental=True,
)

_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"

Repeated: TypeAlias = Literal["refused", "doubled", "replaced"]


@dataclass(frozen=True)
class Profile:
    """What a server does where servers differ.

    Args:
        capabilities: what it declares.
        repeated: what a second write of a key does: it is refused, makes a second record, or replaces the first.
        answers_each: how many answers one person may give to one record; 0 is any number.
        counts: whether ``ensure`` says how many records there are where it must not make or change anything.
        indexed: whether it has a search index beside its database.
    """

    capabilities: Capabilities = CAPABILITIES
    repeated: Repeated = "refused"
    answers_each: int = 0
    counts: bool = True
    indexed: bool = False


PLAIN = Profile()
LIKE_LABEL_STUDIO = Profile(label_studio.CAPABILITIES, "doubled")
LIKE_ARGILLA = Profile(argilla.CAPABILITIES, "replaced", answers_each=1, counts=False, indexed=True)


@dataclass
class _Held:
    """One project: its schema, its records by their ids, and the annotations by theirs.

    A record whose text was changed has the time of that as ``changed``.
    """

    schema: str
    annotators: int
    repeats: int = 0
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    annotations: dict[str, dict[str, Any]] = field(default_factory=dict)
    touched: dict[str, str] = field(default_factory=dict)
    born: str = ""


class MemoryServer:
    """A complete annotation server in one object.

    Args:
        path: where to keep the state between processes; None keeps it in memory.
        clock: gives the time, for tests.
        profile: whose rules it follows.

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

    def __init__(
        self, path: Path | None = None, *, clock: Callable[[], datetime] | None = None, profile: Profile = PLAIN
    ) -> None:
        self._path = path
        self.profile = profile
        self.capabilities = profile.capabilities
        self._clock = clock or (lambda: datetime.now(UTC))
        self._last = ""
        self._projects: dict[str, _Held] = {}
        self._accounts: set[str] = set()
        self._title = ""
        self._template: TaskTemplate | None = None
        if path is not None and path.exists():
            try:
                state = json.loads(path.read_bytes())
                self._projects = {title: _Held(**held) for title, held in state["projects"].items()}
                self._last = str(state["last"])
                self._accounts = {*state.get("accounts", [])}
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
            held = self._projects[project.title] = _Held(
                project.mark,
                project.annotators_per_record,
                project.repeats,
                # Two servers made in one moment are two servers all the same.
                born=f"{self._clock().strftime(_TIME)} {uuid.uuid4().hex[:8]}",
            )
        project.check_mark(f"memory: project {project.title!r}", project.template.name, held.schema)
        if project.repeats > held.repeats and not self.capabilities.grows:
            raise Conflict(
                f"memory: project {project.title!r} was made for {held.repeats} repeated fields, and a record has "
                f"{project.repeats}",
                remedy="push the longer records under another project name",
            )
        if create:
            held.annotators = project.annotators_per_record
            held.repeats = max(held.repeats, project.repeats)
        self._title, self._template = project.title, project.template
        self._save()
        count = len(held.records) if create or self.profile.counts else None
        return RemoteProject(project.title, f"memory:{project.title}", count, created, held.born)

    @property
    def _held(self) -> _Held:
        if self._title not in self._projects:
            raise RuntimeError("call ensure() first")
        return self._projects[self._title]

    def find(self, keys: Iterable[str]) -> dict[str, list[Remote]]:
        """Which of these keys are there."""
        found: dict[str, list[Remote]] = {}
        wanted, records = dict.fromkeys(keys), self._held.records
        doubled = self.profile.repeated == "doubled"
        ids = (id_ for id_ in (records if doubled else wanted) if id_ in records and records[id_]["key"] in wanted)
        for key, remote in self._listed(ids):
            found.setdefault(key, []).append(remote)
        return found

    def listing(self) -> Iterator[Sequence[tuple[str, Remote]]]:
        """Every record, in the order in which they were made."""
        yield self._listed(self._held.records)

    def _listed(self, ids: Iterable[str]) -> list[tuple[str, Remote]]:
        answers = Counter(annotation["source"]["task"] for annotation in self._held.annotations.values())
        held = ((id_, self._held.records[id_]) for id_ in ids)
        return [
            (record["key"], Remote(id_, len(record["suggestions"]), answers[id_], _content(record)))
            for id_, record in held
        ]

    def write(self, records: Sequence[Record]) -> list[Outcome]:
        """Take records; what becomes of a key that is there already is in the profile."""
        outcomes = []
        for record in records:
            id_ = record.key
            if id_ in self._held.records and self.profile.repeated == "refused":
                outcomes.append(
                    Outcome(record.key, "rejected", f"key {record.key!r} is there already", "look it up first")
                )
                continue
            while id_ in self._held.records and self.profile.repeated == "doubled":
                id_ += "+"
            # Through JSON, as on the way to a real server: what cannot be sent fails here too.
            self._held.records[id_] = json.loads(json.dumps(self._shown(record), allow_nan=False))
            outcomes.append(Outcome(record.key, "accepted", remote_id=id_))
        self._save()
        return outcomes

    def update(self, records: Sequence[Record]) -> list[Outcome]:
        """Give records their present text and suggestions; doubles too."""
        outcomes = []
        found = self.find(record.key for record in records)
        for record in records:
            there = found.get(record.key, [])
            why = why_unchangeable(record, there=bool(there))
            outcomes.append(why or Outcome(record.key, "accepted", remote_id=there[0].id))
            for remote in there if why is None else ():
                if remote.content != record.content:
                    now = self._now()
                    self._held.records[remote.id] = {**json.loads(json.dumps(self._shown(record))), "changed": now}
                    if self.capabilities.incremental:
                        self._held.touched[remote.id] = now
        self._save()
        return outcomes

    def remove(self, ids: Iterable[str]) -> int:
        """Delete those of these records that nobody has answered."""
        answered = {annotation["source"]["task"] for annotation in self._held.annotations.values()}
        free = [id_ for id_ in dict.fromkeys(ids) if id_ in self._held.records and id_ not in answered]
        for id_ in free:
            del self._held.records[id_]
        self._save()
        return len(free)

    def repair(self, records: Sequence[Record]) -> int:
        """Give records their suggestions back."""
        bodies = {record.key: self._shown(record)["suggestions"] for record in records}
        held = self._held.records
        short = [key for key, body in bodies.items() if body and key in held and not held[key]["suggestions"]]
        for key in short:
            held[key]["suggestions"] = bodies[key]
        self._save()
        return len(short)

    def _shown(self, record: Record) -> dict[str, Any]:
        """A record as it is shown: with the texts that questions start with, which are suggestions everywhere."""
        body = record.to_dict()
        suggested = {suggestion.question for suggestion in record.suggestions}
        texts = self._template.prefilled(record) if self._template else {}
        started = [Suggestion(name, text, agent="annobridge") for name, text in texts.items() if name not in suggested]
        suggestions = [*body.get("suggestions", ()), *(text.to_dict() for text in started)]
        return {**body, "content": record.content, "suggestions": suggestions}

    def finish(self) -> int:
        """Nothing is kept twice here."""
        return 0

    def changes(self, cursor: str = "") -> Iterator[Page]:
        """Records whose answers changed at or after the cursor; all records, where the profile cannot tell."""
        by_id: dict[str, list[Annotation]] = {}
        for line in self._held.annotations.values():
            if not line["record"]:
                continue  # an answer to somebody else's record
            annotation = Annotation.from_dict(line)
            by_id.setdefault(annotation.source["task"], []).append(self._read(annotation))
        newest = max([cursor, *self._held.touched.values()])
        if self.capabilities.incremental:
            touched = [id_ for id_, when in self._held.touched.items() if when >= cursor and id_ in self._held.records]
            ids = [id_ for id_ in touched if cursor or id_ in by_id]
        elif cursor and newest == cursor:
            return
        else:
            ids = [id_ for id_ in self._held.records if cursor or id_ in by_id]
        if ids:
            key_of = {id_: held["key"] for id_, held in self._held.records.items()}
            ours = [Answered(key_of[id_], id_, tuple(by_id.get(id_, ()))) for id_ in ids if key_of[id_]]
            yield Page(ours, newest)

    def _read(self, annotation: Annotation) -> Annotation:
        record = self._held.records[annotation.source["task"]]
        content = judged(_content(record), record.get("changed", ""), annotation.updated_at)
        return replace(annotation, source={**annotation.source, "content": content})

    def progress(self) -> Progress:
        """Counts of records with one answer, and with as many as the project asks for."""
        people: dict[str, int] = {}
        for annotation in self._held.annotations.values():
            if annotation["status"] == "submitted":
                people[annotation["record"]] = people.get(annotation["record"], 0) + 1
        completed = sum(count >= self._held.annotators for count in people.values())
        held = len(self._held.records)
        return Progress(held, len(people), completed, held if self.profile.indexed else None)

    def people(self) -> list[str]:
        """Those with an account, and those who have answered something: here, people need no account."""
        answered = {a["annotator"] for held in self._projects.values() for a in held.annotations.values()}
        return sorted(self._accounts | answered)

    def add_person(self, name: str, password: Secret) -> None:
        """Note the name; nobody logs in here."""
        self._accounts.add(name)
        self._save()

    def answer(self, annotations: Sequence[Annotation]) -> list[Outcome]:
        """Write answers in other people's names, one after the other."""
        return [self._answer(annotation, self.people()) for annotation in annotations]

    def _answer(self, annotation: Annotation, people: list[str]) -> Outcome:
        key, name = annotation.record, annotation.annotator
        given = [Annotation.from_dict(a) for a in self._held.annotations.values() if a["record"]]
        why = why_not(annotation, [a for a in given if (a.record, a.annotator) == (key, name)], people)
        if why is not None:
            return why
        try:
            self.annotate(key, name, annotation.answers, status=annotation.status, lead_time_s=annotation.lead_time_s)
        except (NotFound, Refused) as error:
            return Outcome(key, "rejected", error.reason, error.remedy)
        return Outcome(key, "accepted", remote_id=self._held.annotations[f"{key}/{name}"]["source"]["id"])

    # What people do

    def annotate(
        self,
        key: str,
        annotator: str,
        answers: Mapping[str, Value],
        *,
        status: Status = "submitted",
        lead_time_s: float | None = None,
        another: bool = False,
    ) -> None:
        """Answer a record, or change one's answer, as a person would in the server's page.

        Args:
            another: give one more answer to a record that this person has answered.

        Raises:
            NotFound: there is no such record.
            Refused: the profile permits one answer each, or no gaps in a ranking.
        """
        if key not in self._held.records:
            raise NotFound(f"memory: there is no record {key!r}", remedy="push it first")
        if status == "submitted" and not self.capabilities.ranking_gaps:
            self._refuse_gaps(key, answers)
        now = self._now()
        place = f"{key}/{annotator}"
        while place in self._held.annotations and another:
            if self.profile.answers_each == 1:
                raise Refused(f"memory: {annotator!r} has answered {key!r} already", remedy="change that answer")
            place += "+"
        first = self._held.annotations.get(place, {}).get("created_at", now)
        annotation = Annotation(
            record=self._held.records[key]["key"],
            annotator=annotator,
            status=status,
            answers={} if status == "discarded" else answers,
            created_at=first,
            updated_at=now,
            lead_time_s=lead_time_s if self.capabilities.lead_time else None,
            source={
                "server": "memory",
                "project": self._title,
                "task": key,
                "id": hashlib.sha256(place.encode()).hexdigest()[:12],
            },
        )
        self._held.annotations[place] = json.loads(json.dumps(annotation.to_dict()))
        self._held.touched[key] = now
        self._save()

    def _refuse_gaps(self, key: str, answers: Mapping[str, Value]) -> None:
        fields = self._held.records[key]["fields"]
        for question in self._template.questions if self._template else ():
            ranks = answers.get(question.name)
            if isinstance(question, RankingQuestion) and isinstance(ranks, dict):
                missing = [item for item in question.item_names(fields) if item not in ranks]
                if missing:
                    raise Refused(f"memory: {question.name}: {missing[0]} has no rank", remedy="rank everything")

    def withdraw(self, key: str, annotator: str) -> None:
        """Delete a person's answer to a record.

        Raises:
            NotFound: there is no such answer.
        """
        if self._held.annotations.pop(f"{key}/{annotator}", None) is None:
            raise NotFound(f"memory: {annotator!r} has not answered {key!r}", remedy="nothing to withdraw")
        self._held.touched[key] = self._now()
        self._save()

    def add(self, fields: Mapping[str, FieldValue]) -> str:
        """Put a record of somebody else's into the project, which has no key of ours; returns its id."""
        id_ = "theirs"
        while id_ in self._held.records:
            id_ += "+"
        self._held.records[id_] = {"key": "", "fields": dict(fields), "suggestions": [], "metadata": {}, "content": ""}
        self._save()
        return id_

    def backup(self) -> bytes:
        """Everything that it holds, for :meth:`restore`."""
        return json.dumps({title: vars(held) for title, held in self._projects.items()}).encode()

    def restore(self, backup: bytes) -> None:
        """Put an older state back, as an administrator can; the clock goes on."""
        self._projects = {title: _Held(**held) for title, held in json.loads(backup).items()}
        self._save()

    def delete(self, id_: str) -> None:
        """Delete a record with all its answers, as an administrator can; no list of changes tells of it.

        Raises:
            NotFound: there is no such record.
        """
        if self._held.records.pop(id_, None) is None:
            raise NotFound(f"memory: there is no record {id_!r}", remedy="nothing to delete")
        held = self._held.annotations
        self._held.annotations = {p: line for p, line in held.items() if line["source"]["task"] != id_}
        self._held.touched.pop(id_, None)
        self._save()

    def _now(self) -> str:
        # Two changes never share a moment, so that a cursor can tell them apart.
        now = self._clock()
        if self._last and now <= (last := datetime.fromisoformat(self._last)):
            now = last + timedelta(microseconds=1)
        self._last = now.strftime(_TIME)
        return self._last

    def _save(self) -> None:
        if self._path is not None:
            from bridge.files import write_text

            projects = {title: vars(held) for title, held in self._projects.items()}
            state = {"last": self._last, "accounts": sorted(self._accounts), "projects": projects}
            write_text(self._path, json.dumps(state))


def _content(held: Mapping[str, Any]) -> str:
    """The hash that a record came with; files of earlier versions have none."""
    return str(held.get("content") or record_key(held["fields"]))
