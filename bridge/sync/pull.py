"""Pull: every person's answers from the server into the feedback store."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bridge.annotations import Annotation, utc
from bridge.errors import ValueRejected
from bridge.servers.protocol import Server
from bridge.sync.feedback import Changes, Feedback
from bridge.sync.ledger import Ledger
from bridge.sync.people import People
from bridge.sync.push import Tick


@dataclass
class PullResult:
    """What a pull brought: counts of answers, whose records changed, and where the next pull may start.

    ``problems`` is what is wrong with answers to those records (lines of ``problems.jsonl``); who knows the template
    fills it in. ``note`` says where the cost came from, on a server that cannot list what changed. ``gone`` are keys of
    records that somebody deleted on the server, where that was noticed; ``exported`` are rows of training sets that
    were made before and rest on answers that have changed (see :func:`bridge.exporting.affected.affected`).
    ``adjudication`` is the pull of the linked campaign, where there is one.
    """

    changes: Changes
    full: bool
    cursor: str = ""
    records: list[str] = field(default_factory=list)
    problems: list[dict[str, Any]] = field(default_factory=list)
    note: str = ""
    gone: list[str] = field(default_factory=list)
    exported: list[dict[str, Any]] = field(default_factory=list)
    adjudication: PullResult | None = None

    def to_dict(self) -> dict[str, Any]:
        """The result as ``--json`` prints it."""
        return {
            "full": self.full,
            **vars(self.changes),
            "records_changed": len(self.records),
            "problems": len(self.problems),
            "note": self.note,
            "gone": self.gone[:100],
            "exported": self.exported,
            "adjudication": self.adjudication.to_dict() if self.adjudication else None,
        }


def usable(cursor: str | None, now: float) -> str:
    """A remembered cursor; empty, which sweeps everything, where it cannot be one.

    A cursor begins with a server's time; what may follow it is the server's own. One from the future would hide all
    that happens until then.

    Args:
        cursor: as it was remembered.
        now: this machine's time, in seconds since 1970.

    >>> usable("2026-01-02T03:04:05.000000Z", 1.8e9), usable("9999-01-01T00:00:00.000000Z", 1.8e9), usable("x", 1.8e9)
    ('2026-01-02T03:04:05.000000Z', '', '')
    """
    try:
        moment = utc(cursor.split(" ")[0]) if cursor else ""
    except (ValueRejected, AttributeError):
        return ""
    tomorrow = (datetime.fromtimestamp(now, UTC) + timedelta(days=1)).isoformat()
    return cursor if cursor and "2000" < moment < tomorrow else ""


def pull(
    server: Server,
    project: str,
    feedback: Feedback,
    people: People,
    *,
    cursor: str = "",
    tick: Tick = lambda done: None,
    ledger: Ledger | None = None,
) -> PullResult:
    """Bring the store up to date with the server.

    Args:
        server: after ``ensure``.
        project: the project's id on that server.
        feedback: where the answers go; each page is on the disk before the next is asked for.
        people: gives the pseudonyms; names never reach the store.
        ledger: whose lease is kept meanwhile.
        cursor: where the last pull ended; empty sweeps everything, and finds withdrawn answers of vanished records.

    Raises:
        ServerError: the sweep broke off. What was stored is right, and the next pull goes on from the old cursor.
    """
    result = PullResult(Changes(), full=not cursor, cursor=cursor)
    seen: set[tuple[str, str]] = set()
    for page in server.changes(cursor):
        if ledger is not None:
            ledger.renew()
        if not result.full and not server.capabilities.incremental:
            # If such a server lists anything, it lists everything.
            result.full, result.note = True, "this server cannot list what changed, so every record was read"
        lines: list[Annotation] = []
        for answered in page.records:
            seen.add((answered.key, answered.remote_id))
            named = [replace(a, annotator=people.pseudonym(a.annotator)) for a in answered.annotations]
            lines += _compare(feedback, result, answered.key, answered.remote_id, named)
        feedback.append(lines)
        if page.cursor.split(" ")[0] >= result.cursor.split(" ")[0]:
            result.cursor = page.cursor
        tick(len(seen))
    if cursor and not result.full and not server.capabilities.incremental:
        result.note = "nothing happened on the server since the last pull"
    if result.full:
        gone: list[Annotation] = []
        for key, task in feedback.missing(seen, project):
            gone += _compare(feedback, result, key, task, [])
        feedback.append(gone)
    return result


def _compare(
    feedback: Feedback, result: PullResult, key: str, task: str, annotations: list[Annotation]
) -> list[Annotation]:
    changes, lines = feedback.update(key, task, annotations)
    result.changes.add(changes)
    if lines:
        result.records.append(key)
    return lines
