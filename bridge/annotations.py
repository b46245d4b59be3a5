"""Annotations: one person's answers to one record, as they came back from a server."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

from bridge.errors import ValueRejected
from bridge.records import Value

Status: TypeAlias = Literal["submitted", "discarded", "draft"]
STATUSES: tuple[Status, ...] = ("submitted", "discarded", "draft")


@dataclass(frozen=True, slots=True)
class Annotation:
    """One person's answers to one record.

    Args:
        record: key of the record.
        annotator: pseudonym of the person; the same person has the same one throughout a campaign.
        status: ``submitted``, ``discarded`` (the person skipped the record) or ``draft``.
        answers: question name to answer (shapes: :data:`bridge.records.Value`). Only those of submitted ones count.
        created_at: first save, UTC, ISO 8601 with ``Z``; empty if unknown.
        updated_at: last change, in the same form.
        lead_time_s: seconds spent, where the server measures it.
        revision: 1 for the first state that was seen, 2 for the next change and so on.
        source: where it came from: ``{"server", "project", "task", "id"}``, all text; with ``content`` (the hash of the
            fields) where the record's key does not already say what was judged.
        deleted: the answer was withdrawn on the server.

    >>> Annotation("r1", "a-1f", "submitted", {"rating": 4}).to_dict()["answers"]
    {'rating': 4}
    """

    record: str
    annotator: str
    status: Status = "submitted"
    answers: Mapping[str, Value] = field(default_factory=dict)
    created_at: str = ""
    updated_at: str = ""
    lead_time_s: float | None = None
    revision: int = 1
    source: Mapping[str, str] = field(default_factory=dict)
    deleted: bool = False

    def to_dict(self) -> dict[str, Any]:
        """The annotation as a line of ``annotations.jsonl``; ``deleted`` appears only where it is true."""
        line: dict[str, Any] = {
            "record": self.record,
            "annotator": self.annotator,
            "status": self.status,
            "answers": dict(self.answers),
            "created_at": self.created_at,
            "updated_at": self.updated_at,
            "lead_time_s": self.lead_time_s,
            "revision": self.revision,
            "source": dict(self.source),
        }
        if self.deleted:
            line["deleted"] = True
        return line

    @classmethod
    def from_dict(cls, line: Mapping[str, Any]) -> Annotation:
        """Read a line of ``annotations.jsonl``; the inverse of :meth:`to_dict`.

        Only ``record`` and ``annotator`` are required, so that answers from other tools can be merged too. Times may
        have any offset and are turned into UTC.

        Raises:
            ValueRejected: a key is missing or has the wrong type.

        >>> Annotation.from_dict({"record": "r1", "annotator": "ann", "answers": {"label": "good"}}).status
        'submitted'
        """
        known = {name: line[name] for name in _TYPES if line.get(name) is not None}
        for name, value in known.items():
            expected = _TYPES[name]
            if not isinstance(value, expected) or (isinstance(value, bool) and expected is not bool):
                raise ValueRejected(f"{name}: {value!r:.60} has the wrong type", remedy=_SHAPE)
        for name in ("record", "annotator"):
            if not known.get(name):
                raise ValueRejected(f"{name}: missing", remedy=_SHAPE)
        if known.get("status", "submitted") not in STATUSES:
            raise ValueRejected(
                f"status: {known['status']!r:.60} is unknown", remedy=f"use one of {', '.join(STATUSES)}"
            )
        for name in ("created_at", "updated_at"):
            if known.get(name):
                known[name] = utc(known[name], name)
        if known.get("revision", 1) < 1 or known.get("lead_time_s", 0) < 0:
            raise ValueRejected("revision or lead_time_s: below what is possible", remedy="count revisions from 1")
        if any(not isinstance(text, str) for text in known.get("source", {}).values()):
            raise ValueRejected(
                "source: a value is not a text", remedy='write {"server": ..., "project": ..., "id": ...}'
            )
        return cls(**known)


def utc(time: str, name: str = "time") -> str:
    """A time in one form, UTC with microseconds and ``Z``, so that times compare as texts. Without an offset it is UTC.

    Raises:
        ValueRejected: it is no ISO 8601 time.

    >>> utc("2026-01-01T10:00:00+09:00")
    '2026-01-01T01:00:00.000000Z'
    """
    if _UTC.fullmatch(time):
        return time
    try:
        parsed = datetime.fromisoformat(time)
        moment = parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise ValueRejected(f"{name}: {time!r:.60} is no time", remedy="write 2026-01-31T12:00:00Z") from None
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")


_TYPES: dict[str, Any] = {
    "record": str,
    "annotator": str,
    "status": str,
    "answers": dict,
    "created_at": str,
    "updated_at": str,
    "lead_time_s": (int, float),
    "revision": int,
    "source": dict,
    "deleted": bool,
}
_UTC = re.compile(r"\d{4}-(0\d|1[0-2])-[0-3]\dT[0-2]\d:[0-5]\d:[0-5]\d\.\d{6}Z")
_SHAPE = 'write {"record": KEY, "annotator": NAME, "status": "submitted", "answers": {QUESTION: VALUE}}'


def newest(annotations: Iterable[Annotation]) -> list[Annotation]:
    """One annotation per person and record, whatever the order they come in.

    Of one answer's revisions the newest counts; of several answers of one person to one record, the latest that was
    not withdrawn. Where all were withdrawn, one stays that is marked ``deleted``: withdrawn is not "never given".

    >>> from dataclasses import replace
    >>> a = Annotation("r1", "ann", answers={"rating": 2})
    >>> [x.answers for x in newest([replace(a, revision=2, answers={"rating": 5}), a])]
    [{'rating': 5}]
    """
    revisions: dict[tuple[str, ...], Annotation] = {}
    for annotation in annotations:
        answer = _identity(annotation)
        if answer not in revisions or _revision(annotation) > _revision(revisions[answer]):
            revisions[answer] = annotation
    latest: dict[tuple[str, str], Annotation] = {}
    for annotation in revisions.values():
        place = (annotation.record, annotation.annotator)
        if place not in latest or _age(annotation) > _age(latest[place]):
            latest[place] = annotation
    return [latest[place] for place in sorted(latest)]


def _identity(annotation: Annotation) -> tuple[str, ...]:
    """Which answer this is a revision of: a person may have several to one record, told apart by their ids."""
    return annotation.record, annotation.annotator, annotation.source.get("id", "")


# The last items of both keys only make the choice independent of the order of the lines.


def _revision(annotation: Annotation) -> tuple[int, str, str]:
    return annotation.revision, annotation.updated_at, repr(annotation.to_dict())


def _age(annotation: Annotation) -> tuple[bool, str, int, str]:
    return not annotation.deleted, annotation.updated_at, annotation.revision, repr(annotation.to_dict())
