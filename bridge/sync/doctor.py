"""The doctor: ledger, server and search index compared, with a repair for each difference.

A finding says what is wrong, with which records, and what its repair does. Nothing is repaired unless it is asked for,
and no repair deletes a record that anybody answered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from bridge.errors import OtherProject
from bridge.records import Record
from bridge.servers.protocol import Progress, Remote, Server
from bridge.sync.plan import batches
from bridge.sync.reconcile import Survey, survey, take_over
from bridge.sync.sender import PATIENCE_S
from bridge.sync.target import Target, needless

Kind = Literal[
    "other server", "missing", "extra", "changed", "doubled", "foreign", "lost suggestions", "index", "unsettled"
]


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference.

    Args:
        kind: what it is.
        text: what is wrong, in a sentence.
        repair: what ``doctor --repair`` does about it, or what a person has to do.
        keys: the records it concerns (ids on the server, for records that are not ours).
        mendable: whether ``doctor --repair`` can do it.
        harmless: whether nothing need be done.
    """

    kind: Kind
    text: str
    repair: str
    keys: tuple[str, ...] = ()
    mendable: bool = True
    harmless: bool = False

    def to_dict(self) -> dict[str, Any]:
        """The finding as ``--json`` prints it; of very many keys, the first hundred."""
        return {
            "kind": self.kind,
            "text": self.text,
            "repair": self.repair,
            "records": len(self.keys),
            "keys": list(self.keys[:100]),
            "mendable": self.mendable,
            "harmless": self.harmless,
        }


@dataclass
class Diagnosis:
    """What the doctor found, and what a repair has done about it.

    ``repaired`` says what was done, in sentences; ``findings`` is what is left.
    """

    records: int = 0
    known: int = 0
    findings: list[Finding] = field(default_factory=list)
    repaired: list[str] = field(default_factory=list)

    @property
    def healthy(self) -> bool:
        """Whether nothing need be done."""
        return all(finding.harmless for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """The diagnosis as ``--json`` prints it."""
        return {
            "records": self.records,
            "known": self.known,
            "healthy": self.healthy,
            "findings": [finding.to_dict() for finding in self.findings],
            "repaired": self.repaired,
        }


def compare(
    known: Mapping[str, str],
    unsettled: Sequence[str],
    found: Survey,
    progress: Progress,
    suggested: Mapping[str, str] | None = None,
) -> list[Finding]:
    """The differences between what the ledger says and what a server holds.

    Args:
        known: keys that were sent, with the hash of what was sent.
        unsettled: keys of which the ledger does not know whether they arrived.
        found: all that the server holds.
        progress: the server's own counts.
        suggested: keys of records that have suggestions, with the hashes of their texts.

    >>> there = Survey({"r1": [Remote("7"), Remote("8")]})
    >>> [finding.kind for finding in compare({"r1": "", "r2": ""}, [], there, Progress(2, 0, 0))]
    ['missing', 'doubled']
    """
    there = found.there
    findings = []

    def note(kind: Kind, keys: Iterable[str], text: str, repair: str, *, harmless: bool = False) -> None:
        listed = tuple(sorted(keys))
        if listed:
            said = text.format(n=f"{len(listed):,}")
            findings.append(Finding(kind, said, repair, listed, mendable=not harmless, harmless=harmless))

    note(
        "unsettled",
        unsettled,
        "{n} records may or may not have arrived when a push broke off",
        "look them up (those that may still arrive late are left to the next push, which waits for them)",
    )
    note(
        "missing",
        (key for key in known if key not in there),
        "{n} records were sent and are not there: somebody deleted them, or a backup was put back",
        "note that they are gone; to send them again: annobridge push --recreate",
    )
    note(
        "extra",
        (key for key in there if key not in known and key not in set(unsettled)),
        "{n} records of this campaign are there that this ledger did not send",
        "note them in the ledger",
    )
    note(
        "changed",
        (key for key, content in known.items() if key in there and there[key][0].content not in ("", content)),
        "{n} records are there with another text than was sent",
        "note the other text in the ledger; `annobridge plan` then says what a push would do",
    )
    twins = found.doubled
    note(
        "doubled",
        (key for key in twins if any(not remote.annotations for remote in twins[key])),
        "{n} records are there more than once",
        "delete the copies that nobody answered, but for one",
    )
    note(
        "doubled",
        (key for key in twins if all(remote.annotations for remote in twins[key])),
        "{n} records are there more than once, and people answered each copy",
        "nothing need be done: the answers are merged by key at pull, and each person counts once",
        harmless=True,
    )
    note(
        "foreign",
        (remote.id for remote in found.foreign),
        "{n} records there are not of this campaign",
        "nothing need be done: they are never pulled",
        harmless=True,
    )
    note(
        "lost suggestions",
        (key for key, content in (suggested or {}).items() if _lost(there.get(key, ()), content)),
        "{n} records lost their suggestions",
        "send them again",
    )
    if progress.indexed is not None and progress.indexed != progress.records:
        missing = progress.records - progress.indexed
        findings.append(
            Finding(
                "index",
                f"the database has {progress.records:,} records and the search index {progress.indexed:,}: "
                + (f"people cannot find {missing:,}" if missing > 0 else f"{-missing:,} of them are ghosts"),
                "index again what is missing"
                if missing > 0
                else "on the server: python -m argilla_server search-engine reindex",
                mendable=missing > 0,
            )
        )
    return findings


def _lost(copies: Sequence[Remote], content: str) -> bool:
    # Suggestions for one text are none for another.
    return any(not remote.suggestions and remote.content in ("", content) for remote in copies)


def examine(server: Server, target: Target, suggested: Mapping[str, str] | None = None) -> tuple[Diagnosis, Survey]:
    """Compare the ledger with the server; nothing is written anywhere.

    Raises:
        ServerError: the server cannot be listed.
    """
    found = survey(server, target)
    known = {row.key: row.content for row in target.in_state("sent")}
    unsettled = [row.key for row in target.in_state("sending", "unknown")]
    findings = compare(known, unsettled, found, server.progress(), suggested)
    return Diagnosis(found.total, len(known), findings), found


def repair(server: Server, target: Target, diagnosis: Diagnosis, found: Survey, records: Iterable[Record]) -> None:
    """Carry out the repairs of a diagnosis; it says afterwards what was done.

    Args:
        server: after ``ensure(create=True)``, which mends a search index.
        target: what the ledger knows of the project.
        diagnosis: of the same moment.
        found: likewise.
        records: the campaign's records, for suggestions that were lost.

    Raises:
        ServerError: the server failed in the middle; run it again.
    """
    kinds = {finding.kind: finding for finding in diagnosis.findings if finding.mendable}
    done = diagnosis.repaired
    if "doubled" in kinds:
        spare = [id_ for copies in found.doubled.values() for id_ in needless(copies)]
        removed = server.remove(spare)
        done.append(f"deleted {removed:,} copies that nobody had answered")
        found = survey(server, target)
    if "lost suggestions" in kinds:
        lost = set(kinds["lost suggestions"].keys)
        mended = 0
        for batch in batches((record for record in records if record.key in lost), server.capabilities.batch):
            mended += server.repair(batch)
        done.append(f"sent the suggestions of {mended:,} records again")
    if "unsettled" in kinds:
        rows = target.in_state("sending", "unknown")
        absent = [row for row in rows if row.key not in found.there]
        late = 0.0 if server.capabilities.unique_keys else PATIENCE_S
        target.unsent(row.key for row in absent if not 0 <= found.begun - row.sent_at < late)
        done.append(f"looked up {len(rows):,} records: {len(rows) - len(absent):,} arrived")
    if "index" in kinds:
        done.append("had the search index completed")
    if {"doubled", "missing", "extra", "changed", "unsettled"} & kinds.keys():
        take_over(target, found)
        done.append("brought the ledger up to date with the server")


def other_server(error: OtherProject) -> Diagnosis:
    """The diagnosis where the project is another one than was pushed to: nothing else can be compared."""
    repair = "annobridge doctor --rebuild goes on with what is there now; or put the old server back"
    return Diagnosis(findings=[Finding("other server", error.reason, repair, mendable=False)])
