"""What a migration would do: which answers can be carried, which are there already, and what differs in the end.

Pure functions: nothing here asks a server or writes a file.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from bridge.annotations import Annotation, newest
from bridge.errors import ValueRejected
from bridge.merging import MergeResult
from bridge.questions import RankingQuestion
from bridge.records import Record, Value
from bridge.servers.protocol import Capabilities
from bridge.templates import TaskTemplate

Kind = Literal["left_out", "refused", "conflict", "difference"]


@dataclass(frozen=True, slots=True)
class Finding:
    """A line of ``migration.jsonl``: something that is not on the new server as it was on the old one.

    Args:
        kind: ``left_out`` (it cannot be carried), ``refused`` (the server did not take it), ``conflict`` (the person
            has answered the record there, otherwise), or ``difference`` (the merged answers are not the same).
        record: key of the record.
        annotator: pseudonym of the person; empty where the record is meant.
        reason: what and why, in words.
        remedy: what to do about it, where something can be done.
        details: of a difference, the merged answers on both servers (``before`` and ``after``).
    """

    kind: Kind
    record: str
    annotator: str
    reason: str
    remedy: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The finding as a line."""
        line: dict[str, Any] = {
            "kind": self.kind,
            "record": self.record,
            "annotator": self.annotator,
            "reason": self.reason,
            "remedy": self.remedy,
        }
        return {**line, **self.details}


class Sameness:
    """Whether two answers say the same, whatever the order in which a server lists labels or passages."""

    def __init__(self, template: TaskTemplate, records: Mapping[str, Record]) -> None:
        self.template = template
        self.records = records

    def said(self, annotation: Annotation) -> tuple[str, dict[str, Value]]:
        """Status and answers in one form. A skip says nothing, and nothing ticked is the same as no answer."""
        if annotation.status == "discarded":
            return annotation.status, {}
        record = self.records.get(annotation.record)
        answers = {}
        for name, value in annotation.answers.items():
            try:
                answers[name] = self.template.question(name).validate(value, record.fields if record else None)
            except ValueRejected:
                answers[name] = value
        return annotation.status, {name: value for name, value in answers.items() if value != []}


def carried(
    annotations: Iterable[Annotation],
    same: Sameness,
    capabilities: Capabilities,
    not_there: Mapping[str, str],
) -> tuple[list[Annotation], list[Finding]]:
    """The answers that can be written to the new server, one for each person and record, and what is left out.

    Args:
        annotations: every answer that the old server has or had, in its newest state; several of one person too.
        same: knows the template and the records.
        capabilities: what the new server can do.
        not_there: keys of records that the new server does not have as they are now, and why.
    """
    everything = list(annotations)
    chosen = {(a.record, a.annotator): a for a in newest(everything)}
    kept: list[Annotation] = []
    left: list[Finding] = []
    for annotation in everything:
        other = annotation != chosen[annotation.record, annotation.annotator]
        reason = "the person has a newer answer to this record" if other else ""
        if annotation.deleted:
            reason = "withdrawn"
        reason = reason or _why_not(annotation, same, capabilities, not_there)
        if reason:
            left.append(Finding("left_out", annotation.record, annotation.annotator, reason))
            continue
        valid, wrong = _valid(annotation, same)
        for why in wrong:
            left.append(Finding("left_out", annotation.record, annotation.annotator, why))
        if annotation.lead_time_s is not None and not capabilities.lead_time:
            why = "the new server has no lead times; the campaign's store keeps this one"
            left.append(Finding("left_out", annotation.record, annotation.annotator, why))
        kept.append(annotation if not wrong else replace(annotation, answers=valid))
    return sorted(kept, key=lambda a: (a.record, a.annotator)), left


def _why_not(annotation: Annotation, same: Sameness, capabilities: Capabilities, not_there: Mapping[str, str]) -> str:
    record = same.records.get(annotation.record)
    if record is None:
        return "the record is not in the campaign's records any more"
    if annotation.record in not_there:
        return not_there[annotation.record]
    judged = annotation.source.get("content")
    if judged and judged not in (record.key, record.content):
        return "the record has another text now than the one that was judged"
    if annotation.status == "draft" and not capabilities.drafts:
        return "a draft, and the new server keeps drafts to itself"
    if not capabilities.ranking_gaps and annotation.status == "submitted":
        for question in same.template.questions:
            ranks = annotation.answers.get(question.name)
            if isinstance(question, RankingQuestion) and isinstance(ranks, dict):
                gaps = [item for item in question.item_names(record.fields) if item not in ranks]
                if gaps:
                    return f"{question.name}: {gaps[0]} has no rank, and the new server wants all of them ranked"
    return ""


def _valid(annotation: Annotation, same: Sameness) -> tuple[dict[str, Value], list[str]]:
    """Those answers that their questions allow, and what is wrong with the others."""
    record = same.records[annotation.record]
    valid: dict[str, Value] = {}
    wrong = []
    for name, value in annotation.answers.items():
        try:
            same.template.question(name).validate(value, record.fields)
            valid[name] = value
        except ValueRejected as error:
            wrong.append(error.reason)
    return valid, wrong


@dataclass
class Decision:
    """What to do with each answer: write it, leave it because it is there, or report that the person said otherwise."""

    write: list[Annotation] = field(default_factory=list)
    present: list[tuple[Annotation, Annotation]] = field(default_factory=list)
    conflicts: list[Finding] = field(default_factory=list)


def decide(
    ours: Sequence[Annotation], there: Iterable[Annotation], history: Iterable[Annotation], same: Sameness
) -> Decision:
    """Compare the answers to be carried with what the new server has.

    Nothing that a person did there is written over. But where the new server has what that person said before, as an
    earlier run brought it there, the later answer takes its place.

    Args:
        ours: what :func:`carried` kept.
        there: every answer on the new server.
        history: every revision in the campaign's store.
        same: knows the template and the records.
    """
    theirs = {(a.record, a.annotator): a for a in newest(there)}
    before: dict[tuple[str, str], list[Annotation]] = {}
    for annotation in history:
        before.setdefault((annotation.record, annotation.annotator), []).append(annotation)
    decision = Decision()
    for annotation in ours:
        place = annotation.record, annotation.annotator
        other = theirs.get(place)
        if other is None:
            decision.write.append(replace(annotation, source={}))
        elif same.said(other) == same.said(annotation):
            decision.present.append((annotation, other))
        elif any(
            same.said(old) == same.said(other)
            for old in before.get(place, ())
            if old.updated_at < annotation.updated_at
        ):
            seen = {"id": other.source.get("id", ""), "updated_at": other.updated_at}
            decision.write.append(replace(annotation, source=seen))
        else:
            decision.conflicts.append(
                Finding(
                    "conflict",
                    *place,
                    "this person has answered the record on the new server, and otherwise",
                    "decide which of the two counts; the one on the new server was not touched",
                )
            )
    return decision


def _earlier(annotation: Annotation, history: Iterable[Annotation]) -> Iterable[Annotation]:
    return (old for old in history if old.updated_at < annotation.updated_at)


def imported(original: Annotation, there: Annotation, stored: Annotation | None, origin: str) -> Annotation | None:
    """The line of the store for an answer that is on the new server; None where the store has it.

    It has the original's times and revision, so that the move shows in nothing that is made of it.

    Args:
        original: the answer as it was on the old server.
        there: the same answer as the new server has it.
        stored: what the store has of the new server's answer, if anything.
        origin: address of the old server.
    """
    if stored is not None and not stored.deleted:
        known_at = stored.source.get("imported_at", stored.updated_at)
        if (known_at, stored.annotator) == (there.updated_at, there.annotator):
            return None
    source = {
        **there.source,
        "imported_at": there.updated_at,
        "from_server": original.source.get("server", ""),
        "from_origin": origin,
        "from_project": original.source.get("project", ""),
        "from_id": original.source.get("id", ""),
    }
    revision = max(original.revision, stored.revision + 1 if stored else 1)
    return replace(original, revision=revision, source=source)


def differences(before: MergeResult, after: MergeResult) -> list[Finding]:
    """Records whose merged answers, or whose skips, are not the same on both servers."""
    old, new = _by_record(before), _by_record(after)
    return [
        Finding(
            "difference",
            key,
            "",
            "the merged answers differ",
            "see the other lines of this record; or people went on to answer meanwhile: run it again",
            {"before": old.get(key, {}), "after": new.get(key, {})},
        )
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    ]


def _by_record(result: MergeResult) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for merged in result.kept:
        for name, answer in merged.answers.items():
            if answer.outcome != "abstained":
                found.setdefault(merged.record, {})[name] = answer.to_dict()
    for dropped in result.dropped:
        if dropped.reason == "discarded":
            found.setdefault(dropped.record, {}).setdefault("skipped_by", []).append(dropped.annotator)
    return found


def latest_revisions(history: Iterable[Annotation], project: tuple[str, str]) -> list[Annotation]:
    """Each answer of one project (server and id) in its newest state; several of one person to one record too."""
    latest: dict[tuple[str, ...], Annotation] = {}
    for annotation in history:
        source = annotation.source
        if (source.get("server"), source.get("project")) == project:
            place = annotation.record, annotation.annotator, source.get("task", ""), source.get("id", "")
            if place not in latest or annotation.revision >= latest[place].revision:
                latest[place] = annotation
    return list(latest.values())


def counted(findings: Iterable[Finding], kinds: Collection[Kind]) -> dict[str, int]:
    """Reasons of findings of these kinds, and how often each is given; the commonest first."""
    counts: dict[str, int] = {}
    for finding in findings:
        if finding.kind in kinds:
            counts[finding.reason] = counts.get(finding.reason, 0) + 1
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))
