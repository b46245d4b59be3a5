"""What in the answers, and in how they came about, is a reason for doubt. False alarms are as bad as missed ones.

An annotator is only named for what chance explains in less than one of a thousand honest ones, and what is large
enough to matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import exp, log, sqrt
from statistics import NormalDist, median
from typing import NamedTuple

import numpy as np

from bridge.merging.compared import Compared, Floats, Ints, median_of_others
from bridge.merging.doubt import Doubt
from bridge.merging.intervals import STRICT, at_least, difference
from bridge.merging.measures import QuestionAgreement
from bridge.merging.raters import followed

ALONE = ("single_annotator", "one_answer_only")
"""The doubts about answers that cannot be compared with each other."""

SOME_AGREEMENT = 0.3
"""An alpha that nobody calls good, but that chance does not reach. Where the interval has room for both, more answers
are needed to tell."""

ANYBODY = 0.001
"""The chance at which anybody at all is named for having changed, though nobody has."""

CHANCE = 0.1
"""An alpha that surely lies below is no better than none."""

FEW = 20
"""Answers on each side that a comparison of one person with others, or with themselves, needs."""

FAST = 0.2
"""A person who takes less than this share of the others' time is far too fast."""

SOME = 10
"""Records that a finding needs for which each record is evidence by itself."""

DRIFT = 0.1
"""A change of agreement that matters: as a share; for ratings half of it, as a share of the scale."""


def question_doubts(found: QuestionAgreement) -> list[Doubt]:
    """What is doubtful about a question as a whole: nothing to compare, nothing that differs, or nothing but chance.

    >>> [doubt.kind for doubt in question_doubts(QuestionAgreement("label", "label", 5, 0, 5, annotators=1))]
    ['single_annotator']
    """
    if doubts := alone(found.question, found.answers, found.annotators, found.shared):
        return doubts
    name = "alpha_ordinal" if found.kind == "rating" else "alpha_nominal"
    alpha = found.coefficients.get(name)
    if alpha is None:
        return []
    if alpha.value is None:
        if found.percent != 1 or found.shared < SOME:
            return []
        return [
            Doubt(
                "one_label_only",
                f"everybody gave the same answer to all {found.shared:,} records that several people answered: they "
                "agree, but alpha is not defined, and it is not known whether they would tell another case apart",
                "mix in records whose answer is known to be another one",
                found.question,
                evidence={"percent": found.percent, "shared": found.shared},
            )
        ]
    evidence = {"coefficient": name, "value": alpha.value, "low": alpha.low, "high": alpha.high, "shared": found.shared}
    if alpha.low is None or alpha.high is None or (alpha.low <= 0 and alpha.high >= SOME_AGREEMENT):
        where = f", with an interval from {alpha.low:.2f} to {alpha.high:.2f}" if alpha.low is not None else ""
        return [
            Doubt(
                "too_few_records",
                f"{name} is {alpha.value:.2f}{where}: {_records(found.shared)} with two answers are too few to tell "
                "agreement from chance",
                "have more records answered by two people or more",
                found.question,
                evidence=evidence,
            )
        ]
    if alpha.low <= 0 or alpha.high < CHANCE:
        percent = f" (they give the same answer in {found.percent:.0%} of pairs)" if found.percent is not None else ""
        return [
            Doubt(
                "chance_level",
                f"people agree hardly more than by chance{percent}: {name} is {alpha.value:.2f}, with an interval from "
                f"{alpha.low:.2f} to {alpha.high:.2f}",
                "do not train on these answers before you have read some of them beside the guidelines; if nearly all "
                "records have the same answer, look at the few others",
                found.question,
                evidence=evidence,
            )
        ]
    return []


def alone(question: str, answers: int, annotators: int, shared: int) -> list[Doubt]:
    """Whether there is nothing to compare.

    Args:
        question: its name.
        answers: how many there are.
        annotators: how many people gave them.
        shared: how many records have two or more.
    """
    if annotators == 1:
        return [
            Doubt(
                "single_annotator",
                f"one person gave all answers ({answers:,}), so nothing is known of agreement",
                "have a second person answer a part of the records",
                question,
                evidence={"answers": answers},
            )
        ]
    if answers and not shared:
        means = f"{annotators} people answered, but no record has two answers, so nothing is known of agreement"
        remedy = "have some records answered twice: annotators_per_record in campaign.yaml"
        return [Doubt("one_answer_only", means, remedy, question)]
    return []


def _records(count: int) -> str:
    return f"{count:,} record{'s' if count != 1 else ''}"


def at_chance(question: str, compared: Compared) -> list[Doubt]:
    """People whose answers have no more to do with those of the others than chance, where the others' have.

    What somebody's answers vary together with those of the others is summed over records, of which there must be enough
    that say something: of somebody who says the same but for once, only one does. The sum must not be
    distinguishable from chance (2 standard errors), and lie 3 standard errors below three quarters of what is
    usual among the others.
    """
    found = followed(compared)
    follows = [found.follows(n) if found.evidence(n) >= FEW else None for n in range(len(compared.people))]
    doubts = []
    for person, mine in enumerate(follows):
        if mine is None or found.z(person) >= 2:
            continue
        others = [other for n, other in enumerate(follows) if n != person and other is not None]
        if not others:
            continue
        usual = median(others)
        if mine + 3 * found.spread(person) >= 0.75 * usual:
            continue
        who, records = compared.people[person], int(found.records[person])
        against = found.z(person) < -3
        how = "contradict those of the others" if against else "have no more to do with those of the others than chance"
        doubts.append(
            Doubt(
                "chance_level",
                f"the answers of {who} {how}, on {_records(records)}: {mine:.2f}, where the others have {usual:.2f} "
                "(1 is as close as can be, 0 is chance)",
                "ask whether labels or the ends of the scale were mixed up"
                if against
                else "read some of these answers; if they are not meant, have the records answered again by others",
                question,
                (who,),
                {"follows": mine, "others": usual, "records": records},
            )
        )
    return sorted(doubts, key=lambda doubt: doubt.annotators)


def too_fast(times: Iterable[tuple[str, str, float]]) -> list[Doubt]:
    """People who take far less time than others do for the same records.

    A person is named who was faster than the median of the others on so many records that chance (a sign test)
    explains it in less than one of a thousand cases, and who takes less than a fifth of their time. Some people are
    quick: where there are eight or more, the distance must also be 4 times the spread among the slower half, in
    which no hasty person is.

    Args:
        times: ``(record, annotator, seconds)``; each person once per record.
    """
    rows = [row for row in times if row[2] > 0]
    if not rows:
        return []
    number: dict[str, int] = {}
    record = np.array([number.setdefault(row[0], len(number)) for row in rows], dtype=np.int64)
    several = np.flatnonzero(np.bincount(record)[record] > 1)
    seconds = np.log([row[2] for row in rows])[several]
    low, high = median_of_others(record[several], seconds)
    ratios: dict[str, list[float]] = {}
    for place, distance in zip(several.tolist(), (seconds - (low + high) / 2).tolist(), strict=True):
        ratios.setdefault(rows[place][1], []).append(distance)
    usual = {who: median(of) for who, of in sorted(ratios.items()) if len(of) >= SOME}
    limit = log(FAST)
    if len(usual) >= 8:
        middle = median(usual.values())
        spread = float(np.quantile([value for value in usual.values() if value >= middle], 0.68)) - middle
        limit = min(limit, middle - 4 * spread)
    doubts = []
    for who, value in usual.items():
        faster, slower = sum(of < 0 for of in ratios[who]), sum(of > 0 for of in ratios[who])
        if value < limit and faster > slower and at_least(faster, faster + slower, 0.5) < 1 - STRICT:
            own = median(seconds for _, name, seconds in rows if name == who)
            doubts.append(
                Doubt(
                    "too_fast",
                    f"{who} takes {own:.1f} s for a record, {exp(value):.0%} of what others take for the same "
                    f"{len(ratios[who]):,} records",
                    "read some of these answers; if the records were not read, have them answered again by others",
                    annotators=(who,),
                    evidence={"seconds": own, "ratio": exp(value), "records": len(ratios[who])},
                )
            )
    return doubts


@dataclass(frozen=True, slots=True)
class _Half:
    """One person's earlier or later answers, a row for each record: as in :class:`Compared`, means over its units."""

    alike: Floats
    peers: Floats
    deviation: Floats


def drift(
    question: str, kind: str, compared: Compared, times: Mapping[tuple[str, str], str], steps: int = 4
) -> list[Doubt]:
    """People whose answers have changed with time, as measured by the others' to the same records.

    Each person's answers are cut in two halves by time. Named is whose agreement with the others changed by a tenth or
    more, or whose ratings moved by a twentieth of the scale or more against theirs, if chance would let this happen to
    anybody at all in less than one of a thousand campaigns, and if the records do not explain it: where it is known how
    far the others agree with each other there, that change is taken off first. What most people do is said once.

    Args:
        question, kind: its name and kind.
        compared: each answer held against those of the others.
        times: ``(record, annotator)`` to when the answer was last changed (UTC, ISO 8601).
        steps: from one end of the scale to the other, for ratings.
    """
    order = np.argsort(compared.person, kind="stable")
    ends = np.cumsum(np.bincount(compared.person, minlength=len(compared.people)))[:-1]
    halves = {}
    for who, rows in zip(compared.people, np.split(order, ends), strict=True) if compared.people else ():
        both = _halves(compared, rows, [times.get((compared.records[n], who), "") for n in compared.record[rows]])
        if both is not None:
            halves[who] = both
    z = NormalDist().inv_cdf(1 - ANYBODY / max(len(halves), 1) / 2)
    agreed: dict[str, _Change] = {}
    moved: dict[str, _Change] = {}
    for who, (early, late) in sorted(halves.items()):
        change = _change(early.alike, late.alike, z)
        if change and change.surely and abs(change.size) >= DRIFT:
            besides = _change(early.alike - early.peers, late.alike - late.peers, 1.65)
            if not besides or (besides.surely and besides.size * change.size > 0):
                agreed[who] = change
        change = _change(early.deviation, late.deviation, z) if kind == "rating" else None
        if change and change.surely and abs(change.size) >= DRIFT / 2 * steps:
            moved[who] = change
    # Who moves away from the others moves them, a little and the other way, as seen from there.
    largest = max((abs(change.size) for change in moved.values()), default=0.0)
    moved = {who: change for who, change in moved.items() if abs(change.size) >= 0.75 * largest}
    return [
        *_drifts(question, agreed, len(halves), "agreement with the others", ".0%"),
        *_drifts(question, moved, len(halves), "ratings, against those of the others,", "+.2f"),
    ]


class _Change(NamedTuple):
    """Two means, and whether they differ by more than chance would let them."""

    before: float
    after: float
    surely: bool

    @property
    def size(self) -> float:
        return self.after - self.before


def _halves(compared: Compared, rows: Ints, times: Sequence[str]) -> tuple[_Half, _Half] | None:
    """A person's earlier and later answers, if there are enough of both."""
    records, first, place = np.unique(compared.record[rows], return_index=True, return_inverse=True)
    when = np.array(times, dtype=np.str_)[first]
    known = np.sort(when[when != ""])
    if len(known) < 2 * FEW:
        return None
    middle = known[len(known) // 2]
    early, late = (when != "") & (when < middle), when >= middle
    if min(early.sum(), late.sum()) < FEW:
        return None

    def mean(column: Floats) -> Floats:
        values = column[rows]
        there = ~np.isnan(values)
        number = np.bincount(place[there], minlength=len(records))
        sums = np.bincount(place[there], weights=values[there], minlength=len(records))
        return np.where(number > 0, sums / np.maximum(number, 1), np.nan)

    columns = [mean(column) for column in (compared.alike, compared.peers, compared.deviation)]
    return _Half(*(column[early] for column in columns)), _Half(*(column[late] for column in columns))


def _change(early: Floats, late: Floats, z: float) -> _Change | None:
    """From one half to the other, by an interval of ``z`` standard errors; None if there is too little of either."""
    one, two = early[~np.isnan(early)], late[~np.isnan(late)]
    if min(len(one), len(two)) < FEW:
        return None
    before, after = float(one.mean()), float(two.mean())
    if np.isin(np.concatenate([one, two]), (0, 1)).all():
        low, high = difference((two.sum(), len(two)), (one.sum(), len(one)), 2 * NormalDist().cdf(z) - 1)
    else:
        reach = z * sqrt(one.var(ddof=1) / len(one) + two.var(ddof=1) / len(two))
        low, high = after - before - reach, after - before + reach
    return _Change(before, after, low > 0 or high < 0)


def _drifts(question: str, changes: Mapping[str, _Change], tested: int, what: str, form: str) -> list[Doubt]:
    """One doubt for each person, or one for all where most of those looked at changed the same way."""
    doubts = []
    for up in (False, True):
        same = {who: change for who, change in changes.items() if (change.size > 0) is up}
        together = len(same) > 1 and len(same) * 2 > tested
        for people in [tuple(same)] if together else [(who,) for who in same]:
            before, after = (median(value) for value in zip(*(same[who][:2] for who in people), strict=True))
            whose = f"{len(people)} of {tested} people's" if together else f"{people[0]}'s"
            doubts.append(
                Doubt(
                    "drift",
                    f"{whose} {what} went from {before:{form}} in the earlier answers to {after:{form}} in the later",
                    "look at what changed between the two halves: the guidelines, the records, or the care"
                    if together
                    else "read some of the later answers beside the guidelines; if they are wrong, have these records "
                    "answered again",
                    question,
                    people,
                    {"before": before, "after": after, "people": tested},
                )
            )
    return doubts
