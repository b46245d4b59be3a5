"""Routing: which records go to people, with which chance each was to go, and an audit that routing never touches.

The audit is drawn first, by lot, of all records of each stratum; nothing that is known of a record has any part in it.
Then the doubtful records are taken, the most doubtful ones first, whether the audit has them or not. So the chance of
each record is known: 1 where it is taken because it is doubtful, else the share of its stratum that the audit draws.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Any

from bridge.curate.items import attribute
from bridge.errors import UsageError
from bridge.judging.chances import PLACE
from bridge.judging.judgement import judgements
from bridge.records import Record
from bridge.routing.signals import ORDER, Doubtful, Signals, doubts, in_order

LEAST_AUDIT, MOST_AUDIT = 0.05, 0.10
"""The share of each stratum that may be drawn for the audit."""

THIN = 20
"""A stratum with fewer records is thin."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How records are routed.

    Args:
        by: metadata, or questions with a suggestion, whose values make the strata; without any there is one.
        audit: share of each stratum that is drawn by lot, from 0.05 to 0.1; rounded up, so one record at the least.
        seed: decides the lot.
        size: most records that people see; the audit is always among them. None is no limit.
        thin: records of strata with fewer than so many all go to people; 0 is never.
        signals: what makes a record doubtful.

    Raises:
        UsageError: a number that cannot be.
    """

    by: Sequence[str] = ()
    audit: float = LEAST_AUDIT
    seed: int = 0
    size: int | None = None
    thin: int = THIN
    signals: Signals = field(default_factory=Signals)

    def __post_init__(self) -> None:
        if not LEAST_AUDIT <= self.audit <= MOST_AUDIT:
            raise UsageError(
                f"audit {self.audit}: not possible", remedy=f"draw from {LEAST_AUDIT} to {MOST_AUDIT} of each stratum"
            )
        if self.size is not None and self.size < 1:
            raise UsageError(f"size {self.size}: nobody would see anything", remedy="give a number above 0")
        if self.thin < 0:
            raise UsageError(f"thin {self.thin}: not possible", remedy="give a number of records; 0 is never")


@dataclass(frozen=True, slots=True)
class Routed:
    """What was decided of one record.

    Args:
        key: of the record.
        probability: with which chance it was to be selected.
        audit: whether the lot drew it.
        routed: whether it was taken because it is doubtful.
        reasons: what makes it doubtful (:data:`~bridge.routing.signals.REASONS`), taken or not.
        details: what the alarms are.
        stratum: names and values that make it.
    """

    key: str
    probability: float
    audit: bool
    routed: bool
    reasons: tuple[str, ...] = ()
    details: tuple[str, ...] = ()
    stratum: Mapping[str, Any] = field(default_factory=dict)

    @property
    def selected(self) -> bool:
        """Whether people see it."""
        return self.audit or self.routed

    def to_dict(self, seed: int = 0) -> dict[str, Any]:
        """The decision as it stands in the record's metadata."""
        return {
            "selected": self.selected,
            "probability": round(self.probability, 12),
            "audit": self.audit,
            "reasons": list(self.reasons),
            "alarms": list(self.details),
            "stratum": dict(self.stratum),
            "seed": seed,
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """What was decided of all records.

    Args:
        decisions: one for each record, in their order.
        left: doubtful records that are not seen, because of the limit.
        strata: name of a stratum to its number of records, of those in the audit, and of those taken as doubtful.
    """

    decisions: tuple[Routed, ...]
    left: int
    strata: Mapping[str, tuple[int, int, int]]

    def to_dict(self) -> dict[str, Any]:
        """The figures as ``--json`` prints them."""
        chosen = [one for one in self.decisions if one.selected]
        routed = [one for one in self.decisions if one.routed]
        return {
            "records": len(self.decisions),
            "selected": len(chosen),
            "audit": sum(one.audit for one in chosen),
            "routed": len(routed),
            "left": self.left,
            "reasons": dict(
                sorted(Counter(r for one in routed for r in one.reasons).items(), key=lambda p: ORDER[p[0]])
            ),
            "strata": {
                name: {"records": n, "audit": drawn, "routed": taken} for name, (n, drawn, taken) in self.strata.items()
            },
        }


def plan(records: Iterable[Record], settings: Settings | None = None) -> Plan:
    """Decide of each record whether people see it. The order of the records does not matter.

    Args:
        records: judged ones, each with a key of its own; they are looked at once, and not kept.
        settings: how.

    Raises:
        UsageError: the limit does not even leave room for the audit, two records have the same key, or none has what
            makes the strata.
        InputError: metadata that `annobridge judge` did not write.

    >>> def said(margin: float) -> dict[str, object]:
    ...     return {"judge": {"rating": {"value": 4, "margin": margin, "opinions": [{"model": "m", "value": 4}]}}}
    >>> records = [Record(f"r{n}", {"response": "It is four."}, metadata=said(n / 100)) for n in range(100)]
    >>> found = plan(records, Settings(signals=Signals(margin=0.1)))
    >>> found.to_dict()["routed"], found.to_dict()["audit"], [one.probability for one in found.decisions[9:11]]
    (10, 5, [1.0, 0.05])
    """
    settings = settings or Settings()
    look = doubts(settings.signals)
    cases = [_Case(record.key, look(record), _stratum(record, settings.by)) for record in records]
    if len({case.key for case in cases}) < len(cases):
        repeated = Counter(case.key for case in cases).most_common(1)[0][0]
        raise UsageError(f"key {repeated!r:.80}: several records have it", remedy="give each record its own key")
    for name in settings.by:
        if cases and all(case.stratum[name] is None for case in cases):
            raise UsageError(
                f"by {name!r:.60}: no record has such a text or number",
                remedy="name metadata, or a question with a suggestion",
            )
    strata: dict[str, list[_Case]] = {}
    for case in cases:
        strata.setdefault(_name(case.stratum), []).append(case)
    drawn: set[str] = set()
    chance: dict[str, float] = {}
    for name, members in strata.items():
        count = _audited(len(members), settings.audit)
        chance[name] = count / len(members)
        drawn |= {case.key for case in sorted(members, key=lambda case: _lot(settings.seed, case.key))[:count]}
        if settings.by and len(members) < settings.thin:
            for case in members:
                case.doubtful = replace(case.doubtful, reasons=in_order({*case.doubtful.reasons, "thin"}))
    taken, left = _taken(cases, settings, len(drawn))
    decisions = []
    figures = {name: [len(members), 0, 0] for name, members in strata.items()}
    for case in cases:
        name = _name(case.stratum)
        audit, routed = case.key in drawn, case.key in taken
        figures[name][1] += audit
        figures[name][2] += routed
        share = 1.0 if routed else chance[name]
        decisions.append(
            Routed(case.key, share, audit, routed, case.doubtful.reasons, case.doubtful.details, case.stratum)
        )
    counts = {name: (size, audit, routed) for name, (size, audit, routed) in sorted(figures.items())}
    return Plan(tuple(decisions), left, counts)


def with_decision(record: Record, decision: Routed, seed: int = 0) -> Record:
    """A record with what was decided of it in its metadata.

    Records of the audit lose what judges suggest: people who are shown an answer agree with it more than they would by
    themselves, and would find the judge better than it is. The judgement itself stays in the metadata.
    """
    metadata = {**record.metadata, PLACE: decision.to_dict(seed)}
    suggestions = record.suggestions
    if decision.audit:
        judged = judgements(record)
        suggestions = tuple(one for one in suggestions if one.kind != "model" or one.question not in judged)
    return replace(record, metadata=metadata, suggestions=suggestions)


@dataclass(slots=True)
class _Case:
    key: str
    doubtful: Doubtful
    stratum: dict[str, Any]


def _stratum(record: Record, by: Sequence[str]) -> dict[str, Any]:
    found = {name: attribute(record, name) for name in by}
    return {name: value if isinstance(value, str | int | float | bool) else None for name, value in found.items()}


def _name(stratum: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in stratum.items()) or "all"


def _audited(size: int, share: float) -> int:
    return ceil(share * size - 1e-9)


def _lot(seed: int, key: str) -> bytes:
    return hashlib.sha256(f"route\0{seed}\0{key}".encode(errors="surrogatepass")).digest()


def _taken(cases: Sequence[_Case], settings: Settings, audit: int) -> tuple[set[str], int]:
    """Keys of the doubtful records that people see, and how many there is no room for.

    How many are taken depends on the size of the audit, which is fixed, and not on which records it drew: so whether a
    record is taken is certain, one way or the other.
    """
    rank: Callable[[_Case], tuple[Any, ...]] = lambda case: (  # noqa: E731
        ORDER[case.doubtful.reasons[0]],
        -len(case.doubtful.reasons),
        case.doubtful.margin,
        _lot(settings.seed + 1, case.key),
    )
    doubtful = sorted((case for case in cases if case.doubtful.reasons), key=rank)
    room = len(doubtful) if settings.size is None else settings.size - audit
    if room < 0:
        raise UsageError(
            f"size {settings.size}: the audit alone takes {audit:,} records",
            remedy="let people see more, make fewer strata, or draw a smaller share for the audit",
        )
    return {case.key for case in doubtful[:room]}, max(0, len(doubtful) - room)
