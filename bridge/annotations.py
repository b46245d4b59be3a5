"""Annotations: one person's answers to one record, as they came back from a server."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
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
        source: where it came from: ``{"server", "project", "id", ...}``, all text.
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

        Only ``record`` and ``annotator`` are required, so that answers from other tools can be merged too.

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
        return cls(**known)


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
    revisions: dict[tuple[str, str, str], Annotation] = {}
    for annotation in annotations:
        answer = (annotation.record, annotation.annotator, annotation.source.get("id", ""))
        if answer not in revisions or _revision(annotation) > _revision(revisions[answer]):
            revisions[answer] = annotation
    latest: dict[tuple[str, str], Annotation] = {}
    for (record, annotator, _), annotation in revisions.items():
        place = (record, annotator)
        if place not in latest or _age(annotation) > _age(latest[place]):
            latest[place] = annotation
    return [latest[place] for place in sorted(latest)]


# The last items of both keys only make the choice independent of the order of the lines.


def _revision(annotation: Annotation) -> tuple[int, str, str]:
    return annotation.revision, annotation.updated_at, repr(annotation.to_dict())


def _age(annotation: Annotation) -> tuple[bool, str, int, str]:
    return not annotation.deleted, annotation.updated_at, annotation.revision, repr(annotation.to_dict())
