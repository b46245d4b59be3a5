"""The plan: what a push would do with each record, decided before anything is written.

What the ledger says of a record is compared with the record as it is now. Only records whose text changed cost a
request, because people may have answered the old text meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Any, Literal, NamedTuple

from bridge.files import Reject
from bridge.records import Edited, Record
from bridge.servers.protocol import Server
from bridge.sync.reconcile import survey, take_over
from bridge.sync.target import Row, Target

OnChange = Literal["new", "stale", "keep"]
"""What becomes of a record whose text changed after people answered it: ``new`` sends it as another record and leaves
the old one, ``stale`` shows the new text in its place and no longer counts the answers, ``keep`` leaves it alone."""

Action = Literal["create", "unchanged", "update", "kept", "conflict", "gone", "unknown"]


class Step(NamedTuple):
    """What a push would do with one record, under the key that it has on the server."""

    action: Action
    record: Record
    content: str


@dataclass
class PlanResult:
    """What a push would do, and what it would cost.

    Args:
        project: the project's id on the server; empty where it would be made.
        create: records that would be sent.
        unchanged: records that are there as they are in the file.
        update: records that are there with an earlier text that nobody answered: they would get the new one (and with
            ``--on-change stale`` those that somebody answered).
        kept: records that stay as they are by ``--on-change keep``.
        conflicts: keys of records whose text changed after people answered it; nothing would be done with them.
        gone: keys of records that were sent, and that somebody deleted on the server; they would not be sent again.
        unknown: keys that a broken-off push may or may not have sent; a push would look them up first.
        rejected: rows that cannot be records, and why.
        requests: what would be written, in requests.
        controls: how many control items are among the records; who presents them fills it in.
        controls_missing: how many more the campaign asks for than there are.
        curate: what each step of curation did; likewise.
    """

    project: str = ""
    create: int = 0
    unchanged: int = 0
    update: int = 0
    kept: int = 0
    conflicts: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    rejected: list[Reject] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    requests: dict[str, int] = field(default_factory=dict)
    controls: int = 0
    controls_missing: int = 0
    curate: list[dict[str, Any]] = field(default_factory=list)

    @property
    def nothing_to_do(self) -> bool:
        """Whether a push would write nothing."""
        return not (self.create or self.update or self.unknown)

    def add(self, step: Step) -> None:
        """Count one record."""
        key = step.record.key
        if step.action == "conflict":
            self.conflicts.append(key)
        elif step.action == "gone":
            self.gone.append(key)
        elif step.action == "unknown":
            self.unknown.append(key)
        else:
            setattr(self, step.action, getattr(self, step.action) + 1)

    def to_dict(self) -> dict[str, Any]:
        """The plan as ``--json`` prints it."""
        return {
            "project": self.project,
            "create": self.create,
            "unchanged": self.unchanged,
            "changed": self.update,
            "kept": self.kept,
            "conflict": len(self.conflicts),
            "gone": len(self.gone),
            "unknown": len(self.unknown),
            "rejected": len(self.rejected),
            "keys": {"conflict": self.conflicts[:100], "gone": self.gone[:100], "unknown": self.unknown[:100]},
            "rejects": [reject.to_dict() for reject in self.rejected[:100]],
            "left_out": self.left_out,
            "requests": self.requests,
            "controls": self.controls,
            "controls_missing": self.controls_missing,
            "curate": self.curate,
        }


def new_key(key: str, content: str) -> str:
    """The key of a changed text that is sent beside the old one.

    >>> new_key("row-7", "9f86d081884c7d65")
    'row-7@9f86d081'
    """
    return f"{key}@{content[:8]}"


def content_of(record: Record, row: Row | None) -> str:
    """The hash of a record's fields; a key that was that hash when it was sent need not be worked out again."""
    known = row is not None and row.content == record.key and not isinstance(record, Edited)
    return record.key if known else record.content


def decide(
    content: str, row: Row | None, *, on_change: OnChange | None = None, recreate: bool = False
) -> Action | Literal["new"]:
    """What to do with a record of this content, of which the ledger says this; ``new`` is to look at another key.

    >>> decide("text 2", None)
    'create'
    >>> decide("text 2", Row("r1", "text 1", "sent"))
    'update'
    >>> decide("text 2", Row("r1", "text 1", "sent", answered=1))
    'conflict'
    >>> decide("text 2", Row("r1", "text 1", "sent", answered=1), on_change="stale")
    'update'
    """
    if row is None or row.state in ("planned", "rejected"):
        return "create"
    if row.state == "gone":
        return "create" if recreate else "gone"
    if row.state != "sent":
        return "unknown"
    if row.content in ("", content):
        return "unchanged"
    if not row.answered:
        return "update"
    if on_change is None:
        return "conflict"
    changed: dict[OnChange, Action | Literal["new"]] = {"new": "new", "stale": "update", "keep": "kept"}
    return changed[on_change]


def steps(
    server: Server,
    target: Target,
    records: Sequence[Record],
    *,
    on_change: OnChange | None = None,
    recreate: bool = False,
) -> list[Step]:
    """What to do with each of some records; asks the server about those whose text changed.

    Raises:
        ServerError: it cannot be asked.
    """
    rows = target.rows(record.key for record in records)
    contents = {record.key: content_of(record, rows.get(record.key)) for record in records}
    changed = [key for key, row in rows.items() if row.state == "sent" and row.content not in ("", contents[key])]
    if changed:
        # Texts that went out beside the old ones, by an earlier --on-change new, are found under keys of their own.
        beside = target.rows(new_key(key, contents[key]) for key in changed)
        there = server.find([*changed, *beside])
        target.found(there)
        # What never arrived is not gone: it is sent, or looked up, as if nobody had asked.
        sent = [*changed, *(key for key, row in beside.items() if row.state == "sent")]
        if any(key not in there for key in sent):
            # Only the list says so for certain: an index may lag behind, and what is taken for gone can be sent anew,
            # over a text that people have answered.
            take_over(target, survey(server))
        rows |= target.rows([*changed, *beside])
    return [_step(record, contents[record.key], rows, on_change, recreate) for record in records]


def _step(record: Record, content: str, rows: Mapping[str, Row], on_change: OnChange | None, recreate: bool) -> Step:
    row = rows.get(record.key)
    if row is not None and row.content not in ("", content):
        beside = rows.get(new_key(record.key, content))
        if beside is not None and beside.state not in ("planned", "rejected"):
            record, row = replace(record, key=beside.key), beside
    action = decide(content, row, on_change=on_change, recreate=recreate)
    if action == "new":
        return Step("create", replace(record, key=new_key(record.key, content)), content)
    return Step(action, record, content)


def plan(
    server: Server,
    target: Target | None,
    records: Iterable[Record],
    *,
    on_change: OnChange | None = None,
    recreate: bool = False,
) -> PlanResult:
    """What a push of these records would do. Nothing is written to the server.

    Args:
        server: after ``ensure``; only read.
        target: what the ledger knows of the project; None where there is no project yet.
        records: checked records, each key once.
        on_change: see :data:`OnChange`.
        recreate: send again what somebody deleted on the server.

    Raises:
        ServerError: the server cannot be asked.
    """
    result = PlanResult()
    size = server.capabilities.batch
    for batch in batches(records, size):
        if target is None:
            result.create += len(batch)
            continue
        for step in steps(server, target, batch, on_change=on_change, recreate=recreate):
            result.add(step)
    result.requests = {
        "project": int(target is None),
        "create": ceil(result.create / size),
        "update": ceil(result.update * server.capabilities.requests_per_update),
        "look up": ceil(len(result.unknown) / size),
    }
    return result


def batches(records: Iterable[Record], size: int) -> Iterable[list[Record]]:
    """Records in lists of this many, the last one shorter."""
    batch: list[Record] = []
    for record in records:
        batch.append(record)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
