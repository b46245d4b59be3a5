"""What an annotation server must be able to do, and the words in which it answers.

A server is any object with the verbs of :class:`Server`; there is no base class. To add one, write one file, give it
to the contract tests (``tests/contract``), and register a function ``connect(settings) -> Server`` under the entry
point group ``annobridge.servers``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from bridge.annotations import Annotation
from bridge.errors import Conflict
from bridge.records import Record

if TYPE_CHECKING:
    from bridge.keys import Secret
    from bridge.templates import TaskTemplate

Result = Literal["accepted", "rejected", "unknown"]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a server can do; templates and campaigns are checked against it before anything is created.

    Args:
        question_kinds: the question types that it can ask.
        title_length: shortest and longest project title.
        batch: records in one write that serve it best.
        unique_keys: whether the server itself refuses a second record with the same key.
        incremental: whether ``changes(cursor)`` costs only what changed.
        ranking_ties: whether an annotator can give two items the same rank.
        ranking_gaps: whether an annotator can leave an item of a ranking out.
        grows: whether a project that exists can show records with more repeated fields than any before.
        lead_time: whether the server measures how long an answer took.
        drafts: whether answers that are not finished come and go through this protocol.
        span_units: what the server's page counts in; our values are code points always.
        options: question type to the fewest and the most options that a question of it may have.
        description_length: longest description of a question.
        guidelines_length: longest guidelines.
        spans_per_field: how many span questions may ask about one field.
        requests_per_update: how many requests it costs to show a new text in the place of an old one.
    """

    question_kinds: frozenset[str]
    title_length: tuple[int, int]
    batch: int
    unique_keys: bool
    incremental: bool
    ranking_ties: bool = True
    ranking_gaps: bool = True
    grows: bool = True
    lead_time: bool = True
    drafts: bool = True
    span_units: Literal["code points", "UTF-16"] = "code points"
    options: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    description_length: int = 10_000
    guidelines_length: int = 10_000
    spans_per_field: int = 100
    requests_per_update: float = 1.0


@dataclass(frozen=True, slots=True)
class Project:
    """What a campaign wants on the server.

    ``repeats`` is how many instances of a repeated field the project must be able to show; ``variant`` is how records
    are presented, where they are not shown as they are (:attr:`bridge.presenting.Presentation.variant`). With
    ``other_labels`` a project will do whose labels were others: its answers can be read and brought over, though new
    records cannot be judged by the new labels there. ``properties`` names what of a record's metadata the project lets
    managers filter by.
    """

    title: str
    template: TaskTemplate
    annotators_per_record: int = 1
    repeats: int = 0
    variant: str = ""
    other_labels: bool = False
    properties: tuple[str, ...] = ()

    @property
    def mark(self) -> str:
        """What a server keeps of us: two hashes of what gives answers their meaning, with the labels and without.

        >>> from bridge.templates import load_template
        >>> template = load_template("rating")
        >>> Project("Sums", template).mark == template.fingerprint + template.shape
        True
        """
        return self._varied(self.template.fingerprint) + self._varied(self.template.shape)

    def _varied(self, fingerprint: str) -> str:
        if not self.variant:
            return fingerprint
        return hashlib.sha256(f"{fingerprint} {self.variant}".encode()).hexdigest()[:16]

    def check_mark(self, where: str, template: object, mark: object) -> None:
        """Refuse a project in which answers mean something else.

        Args:
            where: names the project.
            template: the name of the template that the server keeps.
            mark: what stands there for this project's.

        Raises:
            Conflict: it is of another template, has other labels, or presents records otherwise.
        """
        size = len(self.template.fingerprint)
        ours, theirs = self.mark, str(mark)
        if theirs[:size] == ours[:size]:
            return
        if theirs[size:] != ours[size:]:
            marks = f"{template}, schema {theirs[:size]}; now {self.template.name}, {ours[:size]}"
            raise Conflict(
                f"{where} was made from another template or another version of it, or with other settings of `blind` "
                f"or `anchoring` ({marks})",
                remedy="use the template and the settings that it was made with, or another project name",
            )
        if not self.other_labels:
            raise Conflict(
                f"{where} was made with other labels than the template {self.template.name!r} has now",
                remedy="its answers can still be pulled, and brought over by `labels` in the `merge` section; for new "
                "records use the labels that it was made with, or another project name",
            )


@dataclass(frozen=True, slots=True)
class RemoteProject:
    """What is on the server.

    Args:
        id: its id there.
        url: the address where people work.
        records: how many records it holds; None where finding out would have cost another request.
        created: whether it was made just now.
        born: when it was made, by the server's clock. With the id it tells this project from another one under the
            same address: ids are given again after a server was set up anew.
    """

    id: str
    url: str
    records: int | None
    created: bool = False
    born: str = ""


@dataclass(frozen=True, slots=True)
class Remote:
    """A record as the server holds it: its id there, its suggestions and answers, and the hash of what it shows.

    ``content`` is empty for a record that was not written by annobridge, and of which nobody can tell.
    """

    id: str
    suggestions: int = 0
    annotations: int = 0
    content: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one record in a write: accepted, rejected (with the reason), or unknown.

    ``unknown`` means that it may be on the server: look it up before sending it again, and not before ``wait_s``.
    """

    key: str
    result: Result
    reason: str = ""
    remedy: str = ""
    remote_id: str = ""
    wait_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Answered:
    """All annotations that one record has on the server now. An empty tuple means that all were withdrawn."""

    key: str
    remote_id: str
    annotations: tuple[Annotation, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """A part of the changes.

    ``cursor`` is where the next pull may start, once all pages are read and stored: that of the last page counts, and
    an empty one says nothing. It begins with a time of the server (UTC, ISO 8601); a space and whatever the server
    wants to be told again may follow.
    """

    records: Sequence[Answered]
    cursor: str
    left: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the annotators are: records on the server, those with an answer, and those with enough answers.

    ``indexed`` is how many records people can find, on a server that keeps an index of its own beside its database.
    """

    records: int
    answered: int
    completed: int
    indexed: int | None = None


class Server(Protocol):
    """The verbs. After :meth:`ensure` the others speak of the project that it found or made.

    All raise :class:`bridge.errors.ServerError` and its kinds; none ever sends a write twice on its own.
    """

    @property
    def capabilities(self) -> Capabilities:
        """What this server can do; known without asking it. Only ``batch`` may change, after :meth:`ensure`."""
        ...

    def ensure(self, project: Project, *, create: bool) -> RemoteProject:
        """Find the campaign's project, or make it where ``create`` is true.

        Raises:
            NotFound: it is not there and ``create`` is false.
            Conflict: something of that title is there, but made by hand, or with another fingerprint.
        """
        ...

    def find(self, keys: Iterable[str]) -> dict[str, list[Remote]]:
        """Which of these keys are on the server; more than one entry for a key is a double."""
        ...

    def write(self, records: Sequence[Record]) -> list[Outcome]:
        """Create records that are not there yet, in one request; one outcome for each, in order.

        A server that refuses a batch as a whole rejects all of it: the caller finds the culprit by halving.

        Raises:
            Busy, TooLarge: nothing was written; the caller waits, or sends less at once.
        """
        ...

    def listing(self) -> Iterator[Sequence[tuple[str, Remote]]]:
        """Every record of the project with its key, in pages, none twice; the key is empty for records without one.

        Raises:
            UnexpectedReply: the list breaks off, or shifts whenever it is read.
        """
        ...

    def update(self, records: Sequence[Record]) -> list[Outcome]:
        """Show the present text and suggestions of records whose keys are there with another text.

        Answers given before then count as answers to another text: :meth:`changes` yields them with a ``content`` of
        their own in ``source``, until a person changes them. One outcome for each, in order. What shows that text
        already is left as it is; what is not there is rejected, and so is a key that is the hash of its text. A change
        that breaks off leaves a ``content`` that no text has, and doing it again mends that.
        """
        ...

    def remove(self, ids: Iterable[str]) -> int:
        """Delete records by their ids on the server; how many.

        Those that somebody has answered, skipped or begun to answer are left alone.
        """
        ...

    def repair(self, records: Sequence[Record]) -> int:
        """Send again the suggestions of those records that are there without them; how many that were."""
        ...

    def finish(self) -> int:
        """After a push: mend what the server itself keeps twice, such as its search index; how many records it was."""
        ...

    def changes(self, cursor: str = "") -> Iterator[Page]:
        """All that was answered since the cursor (empty: ever); annotators have their names on the server.

        A server that is not ``incremental`` yields nothing if nothing happened since the cursor, and else everything:
        with a cursor, records without answers too.
        """
        ...

    def progress(self) -> Progress:
        """Counts, as the server gives them now."""
        ...

    def people(self) -> list[str]:
        """Names of those who can answer here; it may be asked before :meth:`ensure`."""
        ...

    def add_person(self, name: str, password: Secret) -> None:
        """Make an account for somebody; who has one already is only let in, and keeps the old password.

        Raises:
            Refused: this server lets nobody do that, or not with this name; the remedy says what people do instead.
        """
        ...

    def answer(self, annotations: Sequence[Annotation]) -> list[Outcome]:
        """Write answers in the names of the people who gave them; one outcome for each, in order.

        Annotators have their names on this server. What a person has answered is looked up first and never written
        over, but for one case: where ``source`` of an annotation has the ``id`` and the ``updated_at`` of that
        person's answer as it is there now, it takes that answer's place. A server that refuses a batch as a whole
        rejects all of it: the caller finds the culprit by halving.
        """
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...
