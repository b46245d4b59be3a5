"""The migration: from one server to another, step by step, each of which can be repeated.

Nothing is deleted on the old server. What the new one has is looked up before anything is written there, so that a run
that broke off at any request is simply run again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bridge.annotations import Annotation, newest
from bridge.config import ServerConfig
from bridge.errors import Conflict, UnknownOutcome
from bridge.keys import origin
from bridge.merging import merge
from bridge.migration.people import check_known, check_table, make_accounts, new_names, unknown
from bridge.migration.plan import (
    Decision,
    Finding,
    Sameness,
    carried,
    counted,
    decide,
    differences,
    imported,
    latest_revisions,
)
from bridge.records import Record
from bridge.servers import connect
from bridge.servers.protocol import Outcome, Project, RemoteProject, Server
from bridge.sync.capabilities import check_capabilities
from bridge.sync.feedback import Feedback
from bridge.sync.ledger import Ledger
from bridge.sync.people import People
from bridge.sync.pull import pull
from bridge.sync.push import push
from bridge.sync.push_result import PushResult

BATCH = 100
LOOK_UPS = 3
"""How often what the new server has is looked up, where the outcome of a write is not known."""

Telling = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Side:
    """One of the two servers: how to reach it, and what the campaign is called there.

    ``server`` is an open server to use instead of a new connection (for tests). ``adopted`` is the id of a project that
    somebody made by hand: it is never asked again, because what was adopted of it is in the store.
    """

    config: ServerConfig
    project: Project
    folder: Path
    server: Server | None = None
    adopted: str = ""

    @property
    def origin(self) -> str:
        """The address of the server; empty for one without."""
        return origin(self.config.url) if self.config.url else ""

    @property
    def people(self) -> People:
        """The pseudonyms of the people there."""
        return People(self.folder, " ".join((self.config.kind, self.origin, self.project.title)))

    @contextmanager
    def opened(self) -> Iterator[Server]:
        """A connection for one step: what one step remembers of the server must not reach into the next."""
        if self.server is not None:
            yield self.server
            return
        server = connect(self.config, self.folder)
        try:
            yield server
        finally:
            server.close()


@dataclass
class MigrationResult:
    """What became of the campaign.

    ``written`` answers are new on the new server, ``present`` were there already; ``stored`` lines were added to the
    campaign's store. ``findings`` say what is not as it was (lines of ``migration.jsonl``). ``passwords`` is the file
    with the passwords of accounts that were made.
    """

    project: RemoteProject
    pushed: PushResult
    written: int = 0
    present: int = 0
    stored: int = 0
    findings: list[Finding] = field(default_factory=list)
    passwords: Path | None = None
    nothing_to_do: bool = False

    @property
    def complete(self) -> bool:
        """Whether both servers say the same now. What was left out without effect on that does not count."""
        return self.pushed.complete and not any(finding.kind != "left_out" for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """The result as ``--json`` prints it."""
        return {
            "project": self.project.id,
            "url": self.project.url,
            "nothing_to_do": self.nothing_to_do,
            "records": {name: value for name, value in self.pushed.to_dict().items() if name not in ("project", "url")},
            "written": self.written,
            "present": self.present,
            "left_out": counted(self.findings, ["left_out"]),
            "refused": counted(self.findings, ["refused"]),
            "conflicts": sum(finding.kind == "conflict" for finding in self.findings),
            "differences": sum(finding.kind == "difference" for finding in self.findings),
            "passwords": str(self.passwords) if self.passwords else None,
        }


def migrate(
    old: Side,
    new: Side,
    records: Sequence[Record],
    store: Path,
    *,
    ledger: Ledger | None = None,
    quorum: int = 1,
    annotators: Mapping[str, str] | None = None,
    create_annotators: bool = False,
    tell: Telling = lambda what, done, total: None,
) -> MigrationResult:
    """Bring records, suggestions and answers to another server, and compare the two.

    Args:
        old: where the campaign is.
        new: where it shall be.
        records: the campaign's records.
        store: the file with the campaign's answers.
        quorum: how many answers a question needs, in the comparison.
        annotators: names on the old server to names on the new one; other people keep their names.
        create_annotators: make accounts for people whom the new server does not know.
        tell: told what is being done.

    Raises:
        UsageError: the new server cannot carry the template, or people are not known; nothing was written.
        ServerError: a server cannot be used; run it again.
    """
    template = old.project.template
    same = Sameness(template, {record.key: record for record in records})
    place, names = _pull_old(old, store, tell)
    if annotators:
        with old.opened() as server:
            check_table(annotators, {*server.people(), *names.values()})
    with new.opened() as server:
        check_capabilities(new.project, server.capabilities)
        capabilities = server.capabilities
        answers = latest_revisions(Feedback(store).history, place)
        possible, _ = carried(answers, same, capabilities, {})
        who = new_names({names[a.annotator] for a in possible}, annotators or {})
        missing = check_known(who.values(), server)
        if missing and not create_annotators:
            raise unknown(missing)
        passwords = make_accounts(missing, server, old.folder, new.origin or new.config.kind) if missing else None
        new.people.move({who[names[a.annotator]]: a.annotator for a in possible})
        there = server.ensure(new.project, create=True)
        _check_number(old, place, new, there, Feedback(store).history)
        pushed = push(
            server,
            new.project,
            records,
            ledger=ledger,
            place=(new.config.kind, new.origin),
            tick=lambda done: tell("pushing", done, len(records)),
        )
        pushed.project = replace(pushed.project, created=there.created)
    if pushed.unknown or pushed.reason:
        raise UnknownOutcome(pushed.reason, remedy="run the command again: it looks up what arrived, and goes on")
    result = MigrationResult(pushed.project, pushed, passwords=passwords)
    not_there = {reject.key: f"the new server does not take the record: {reject.reason}" for reject in pushed.rejected}
    not_there |= dict.fromkeys(pushed.changed, "the new server shows another text under this key")
    ours, left = carried(answers, same, capabilities, not_there)
    written = _bring(new, ours, Feedback(store).history, same, who, names, result, tell)
    _pull_old(old, store, tell)
    _finish(old, new, store, written, same, place, result, quorum)
    result.findings = [*left, *result.findings]
    return result


def _pull_old(old: Side, store: Path, tell: Telling) -> tuple[tuple[str, str], dict[str, str]]:
    """Bring the store up to date; returns server and project as sources name them, and who has which pseudonym."""
    if old.adopted:
        return (old.config.kind, old.adopted), dict(old.people.names)
    with old.opened() as server:
        remote = server.ensure(old.project, create=False)
        people = old.people
        place = old.config.kind, remote.id
        pull(server, remote.id, Feedback(store, place), people, tick=lambda done: tell("pulling", done, 0))
    return place, people.met


def _check_number(
    old: Side, place: tuple[str, str], new: Side, there: RemoteProject, history: Iterable[Annotation]
) -> None:
    """Label Studio counts projects from 1 on every server, and answers are told apart by their project.

    Raises:
        Conflict: the campaign was in a project of the same number on another server.
    """
    homes = {(a.source["from_server"], a.source["from_project"]): a.source for a in history if "from_id" in a.source}
    origins = {number: source.get("from_origin", "") for number, source in homes.items()} | {place: old.origin}
    number = new.config.kind, there.id
    if origins.get(number, new.origin) != new.origin:
        raise Conflict(
            f"the project got number {there.id} on the new server, which it had at {origins[number]} too: the answers "
            "of both could not be told apart",
            remedy=f"delete the new, empty project {new.project.title!r} there, and run this again: it gets the next "
            "number",
        )


def answers_on(side: Side) -> list[Annotation]:
    """Every answer that a server has now, under pseudonyms."""
    people = side.people
    found: dict[tuple[str, str, str], Annotation] = {}
    with side.opened() as server:
        server.ensure(side.project, create=False)
        for page in server.changes():
            for answered in page.records:
                for annotation in answered.annotations:
                    # A list that is begun anew has some of them twice.
                    place = annotation.record, answered.remote_id, annotation.source.get("id", "")
                    found[place] = replace(annotation, annotator=people.pseudonym(annotation.annotator))
    return list(found.values())


def _bring(
    new: Side,
    ours: list[Annotation],
    history: Sequence[Annotation],
    same: Sameness,
    who: Mapping[str, str],
    names: Mapping[str, str],
    result: MigrationResult,
    tell: Telling,
) -> list[Annotation]:
    """Write what the new server does not have; what is not known to have arrived is looked up. Returns what it has."""
    refused: list[Finding] = []
    waiting = list(ours)
    reason = ""
    for attempt in range(LOOK_UPS):
        decision: Decision = decide(waiting, answers_on(new), history, same)
        if attempt == 0:
            result.present = len(decision.present)
        result.findings = [*refused, *decision.conflicts]
        reason = ""
        done = 0
        with new.opened() as server:
            server.ensure(new.project, create=False)
            for start in range(0, len(decision.write), BATCH):
                batch = decision.write[start : start + BATCH]
                named = [replace(a, annotator=who[names[a.annotator]]) for a in batch]
                for annotation, outcome in zip(batch, _delivered(server, named), strict=True):
                    if outcome.result == "unknown":
                        reason = outcome.reason
                    elif outcome.result == "rejected":
                        where = annotation.record, annotation.annotator
                        refused.append(Finding("refused", *where, outcome.reason, outcome.remedy))
                        waiting = [a for a in waiting if (a.record, a.annotator) != where]
                done += len(batch)
                tell("answers", done, len(decision.write))
                if reason:
                    break
        if not reason:
            result.findings = [*refused, *decision.conflicts]
            result.written = len(waiting) - result.present - len(decision.conflicts)
            return waiting
    raise UnknownOutcome(reason, remedy="run the command again: it looks up what arrived before it writes anything")


def _delivered(server: Server, answers: list[Annotation]) -> Iterator[Outcome]:
    """The outcome of each answer, in order; of a batch that was refused for one of them, each half goes by itself."""
    outcomes = server.answer(answers)
    if len(answers) == 1 or not any(outcome.result == "rejected" for outcome in outcomes):
        yield from outcomes
        return
    again = [a for a, outcome in zip(answers, outcomes, strict=True) if outcome.result == "rejected"]
    half = (len(again) + 1) // 2
    # One that stands alone in a batch is itself the culprit.
    parts = [again[:half], again[half:]] if len(again) > 1 else [again]
    later = [outcome for part in parts for outcome in _delivered(server, part)]
    for outcome in outcomes:
        yield later.pop(0) if outcome.result == "rejected" else outcome


def _finish(
    old: Side,
    new: Side,
    store: Path,
    ours: Sequence[Annotation],
    same: Sameness,
    place: tuple[str, str],
    result: MigrationResult,
    quorum: int,
) -> None:
    """Note in the store what each answer has become, and compare both sides."""
    arrived = answers_on(new)
    theirs = {(a.record, a.annotator): a for a in newest(arrived)}
    feedback = Feedback(store, (new.config.kind, result.project.id))
    lines = []
    for annotation in ours:
        there = theirs.get((annotation.record, annotation.annotator))
        if there is not None and same.said(there) == same.said(annotation):
            line = imported(annotation, there, feedback.stored(there), old.origin)
            lines += [line] if line else []
    feedback.append(lines)
    result.stored = len(lines)
    everybody = newest(latest_revisions(Feedback(store).history, place))
    before = merge(everybody, same.template, same.records.values(), quorum=quorum)
    after = merge(arrived, same.template, same.records.values(), quorum=quorum)
    result.findings += differences(before, after)
