"""Why a person should see a record: what its judgements, its texts and its metadata say. Pure functions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from math import inf

from bridge.curate.clean import Cleaner
from bridge.curate.clean_drops import DROPS
from bridge.errors import UsageError
from bridge.judging.judgement import Judgement, judgements
from bridge.judging.panel import SPLIT
from bridge.records import Record

REASONS = {
    "conflict": "a judge contradicts itself when the order of two responses is swapped",
    "panel": "the judges disagree",
    "missing": "there is no score, or none that can be read",
    "margin": "the judge hardly prefers its answer to the next one",
    "alarm": "a rule of cleaning, or a mark in the metadata, finds something wrong with the text",
    "thin": "there are few records of this kind",
}
"""The reasons, the weightiest first."""

ORDER = {reason: place for place, reason in enumerate(REASONS)}


@dataclass(frozen=True, slots=True)
class Signals:
    """What counts as a reason.

    Args:
        margin: least lead of the judges' answer over the next one, as a share.
        apart: how many steps judges' ratings may be apart; labels must be the same.
        alarms: names of metadata; one that is there, and neither false, zero nor empty, is an alarm.
        rules: rules of cleaning that are alarms; see docs/cleaning.md.

    Raises:
        UsageError: a number that cannot be, or a rule that there is not.
    """

    margin: float = 0.2
    apart: float = 1
    alarms: Collection[str] = ()
    rules: Collection[str] = tuple(name for name in DROPS if name != "language")

    def __post_init__(self) -> None:
        if not 0 <= self.margin <= 1:
            raise UsageError(f"margin {self.margin}: not possible", remedy="give a share from 0 to 1, such as 0.2")
        if not 0 <= self.apart < inf:
            raise UsageError(f"apart {self.apart}: not possible", remedy="give a number of steps, such as 1")
        for name in self.rules:
            if name not in DROPS:
                raise UsageError(f"{name!r:.60} is no rule that finds fault", remedy=f"use {', '.join(DROPS)}")


@dataclass(frozen=True, slots=True)
class Doubtful:
    """What speaks for showing a record to people.

    Args:
        reasons: in the order of :data:`REASONS`; none where nothing does.
        margin: the least lead of any of its judgements; 1 where there is none.
        details: what the alarms are.
    """

    reasons: tuple[str, ...] = ()
    margin: float = 1.0
    details: tuple[str, ...] = ()


def doubts(signals: Signals) -> Callable[[Record], Doubtful]:
    """A function that says of a record what speaks for showing it to people.

    >>> said = {"value": 4, "margin": 0.1, "opinions": [{"model": "m", "value": 4}]}
    >>> record = Record("r1", {"prompt": "2 + 2?", "response": "As an AI language model, I cannot help with that."},
    ...                 metadata={"judge": {"rating": said}})
    >>> doubts(Signals())(record).reasons
    ('margin', 'alarm')
    """
    cleaner = Cleaner(only=signals.rules) if signals.rules else None

    def asked(record: Record) -> Doubtful:
        found = judgements(record)
        reasons = {reason for one in found.values() for reason in _reasons(one, signals)}
        reasons |= set() if found else {"missing"}
        details = [name for name in signals.alarms if record.metadata.get(name)]
        if cleaner is not None and (dropped := cleaner.record(record).dropped):
            details.append(dropped.rule)
        if details:
            reasons.add("alarm")
        margins = [one.margin for one in found.values() if one.margin is not None]
        return Doubtful(in_order(reasons), min(margins, default=1.0), tuple(details))

    return asked


def in_order(reasons: Collection[str]) -> tuple[str, ...]:
    """Reasons, the weightiest first."""
    return tuple(reason for reason in REASONS if reason in reasons)


def _reasons(found: Judgement, signals: Signals) -> Sequence[str]:
    reasons = []
    if found.conflict:
        reasons.append("conflict")
    rated = found.score is not None or isinstance(found.value, int)
    if found.spread > (signals.apart if rated else 0) or found.reason == SPLIT:
        reasons.append("panel")
    if found.value is None and found.reason != SPLIT:
        reasons.append("missing")
    if found.margin is not None and found.margin < signals.margin:
        reasons.append("margin")
    return reasons
