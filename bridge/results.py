"""What the commands of a campaign answer, where a stage has no result of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from bridge.annotations import Annotation
from bridge.files import Reject
from bridge.garbage import no_cycles
from bridge.reading import RecordReader
from bridge.records import Record, text_of
from bridge.servers.protocol import Progress, RemoteProject
from bridge.sync.pace import Pace
from bridge.templates import TaskTemplate
from bridge.text import reorders

Progressing = Callable[[str, int, int], None]
"""Called with what is being done, how much is done, and of how much (0 where nobody knows)."""


def silent(what: str, done: int, total: int) -> None:
    """Progress that nobody wants to see."""


@dataclass
class CheckResult:
    """What a file would become: how many records would be pushed, and which rows would be rejected, and why.

    ``left_out`` names columns, or cells of them, that would be in no record. ``kept`` are the records themselves, if
    that was asked for and they are not too many. ``reordered`` are keys of records with invisible characters that
    change the order in which others are shown (see :func:`bridge.text.reorders`): people may be misled by them.
    """

    records: int = 0
    repeats: int = 0
    kept: list[Record] | None = None
    suggestions: dict[str, int] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    reordered: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """The result as ``--json`` prints it."""
        return {
            "records": self.records,
            "suggestions": self.suggestions,
            "rejected": len(self.rejects),
            "rejects": [reject.to_dict() for reject in self.rejects[:100]],
            "left_out": self.left_out,
            "reordered": self.reordered[:100],
        }


def check(
    reader: RecordReader, template: TaskTemplate, progress: Progressing = silent, *, keep: int = 0
) -> CheckResult:
    """Read all records: what would be pushed, and what would be rejected.

    Args:
        reader: reads them.
        template: the task.
        progress: told how many were read.
        keep: hold on to them as long as there are no more than this, so that they need not be read again.
    """
    result = CheckResult(kept=[])
    suggested: Counter[str] = Counter()
    with no_cycles():
        for record in reader:
            result.records += 1
            if result.records > keep:
                result.kept = None
            elif result.kept is not None:
                result.kept.append(record)
            result.repeats = max(result.repeats, template.repeats(record.fields))
            if any(map(reorders, map(text_of, record.fields.values()))):
                result.reordered.append(record.key)
            for suggestion in record.suggestions:
                suggested[suggestion.question] += 1
            if result.records % 5000 == 0:
                progress("reading", result.records, 0)
    result.suggestions = dict(sorted(suggested.items()))
    result.rejects = reader.rejects
    result.left_out = reader.left_out
    return result


@dataclass
class StatusResult:
    """How far a campaign is, on the server and in the store.

    Args:
        project: the project on the server.
        progress: counts from the server, as they are now.
        answers: pseudonym to how many answers of each status, as of the last pull.
        last_pull: up to when the server was last asked: empty where it had no answers to show, None before any pull.
        pulled_at: when that was, by this machine's clock, in seconds since 1970.
        unresolved: records that people answered without agreeing, as of the last pull.
        pace: how quickly answers come in, and when the last one can be expected.
        unsettled: records of which a broken-off push does not know whether they arrived.
        busy: what is being done in the folder just now, and by whom; empty where nothing is.
        adjudication: how far the linked campaign is, where there is one on the server.
    """

    project: RemoteProject
    progress: Progress
    answers: dict[str, Counter[str]]
    last_pull: str | None
    pulled_at: float | None = None
    unresolved: int = 0
    pace: Pace = field(default_factory=Pace)
    unsettled: int = 0
    busy: str = ""
    adjudication: StatusResult | None = None

    def to_dict(self) -> dict[str, Any]:
        """The result as ``--json`` prints it."""
        return {
            "project": self.project.id,
            "url": self.project.url,
            "records": self.progress.records,
            "answered": self.progress.answered,
            "completed": self.progress.completed,
            "indexed": self.progress.indexed,
            "annotators": {person: dict(counts) for person, counts in sorted(self.answers.items())},
            "unresolved": self.unresolved,
            "answers_per_hour": self.pace.per_hour,
            "estimated_end": self.pace.end,
            "last_pull": self.last_pull,
            "pulled_at": self.pulled_at,
            "unsettled": self.unsettled,
            "busy": self.busy,
            "adjudication": self.adjudication.to_dict() if self.adjudication else None,
        }


def per_person(annotations: Iterable[Annotation]) -> dict[str, Counter[str]]:
    """Pseudonym to how many answers of each status, without those that were withdrawn."""
    answers: dict[str, Counter[str]] = {}
    for annotation in annotations:
        if not annotation.deleted:
            answers.setdefault(annotation.annotator, Counter())[annotation.status] += 1
    return answers
