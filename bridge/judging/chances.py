"""With which chance each record came to people, as routing has logged it in the records' metadata.

``metadata["route"]`` holds ``probability`` (0 to 1) and ``selected``. Whoever draws records in another way can write
the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import log
from typing import NamedTuple

from bridge.errors import InputError, UsageError
from bridge.records import Record

PLACE = "route"
"""The name in a record's metadata."""


UNKNOWN = "no chances are logged: every record is taken to have had the same chance of being answered"
"""The note where nothing is logged."""


class Logged(NamedTuple):
    """What is logged of a record.

    Args:
        probability: with which chance it was selected for people; None where nothing is logged.
        selected: whether it was; None where that is not logged.
    """

    probability: float | None = None
    selected: bool | None = None


def logged(record: Record) -> Logged:
    """What a record's metadata says.

    Raises:
        InputError: a probability that is none.

    >>> logged(Record("r1", {"prompt": "?"}, metadata={"route": {"probability": 0.05, "selected": False}}))
    Logged(probability=0.05, selected=False)
    """
    told = record.metadata.get(PLACE)
    if not isinstance(told, dict) or told.get("probability") is None:
        return Logged()
    chance, selected = told["probability"], told.get("selected")
    if isinstance(chance, bool) or not isinstance(chance, int | float) or not 0 <= chance <= 1:
        raise InputError(
            f"record {record.key!r:.80}: metadata.{PLACE}.probability is {chance!r:.40}, which is no probability",
            remedy="write a number from 0 to 1, as `annobridge route` does",
        )
    return Logged(float(chance), selected if isinstance(selected, bool) else None)


@dataclass(frozen=True, slots=True)
class Chances:
    """How the answered records of a set came to be answered.

    Args:
        records: positions of the records that the answers can speak for.
        answered: positions of the answered ones among them, as far as they were selected by lot or by rule.
        probabilities: one for each of these; None where all had the same.
        notes: what a reader must know.
    """

    records: tuple[int, ...]
    answered: tuple[int, ...]
    probabilities: tuple[float, ...] | None
    notes: tuple[str, ...] = ()


def chances(logs: Sequence[Logged], answered: Collection[int]) -> Chances:
    """With which chance each answered record was to be answered.

    Where people have not answered everything that was selected, those that had the same chance of being selected are
    taken to have had the same chance of being answered: the probability of each is multiplied by the share of them that
    is answered.

    Args:
        logs: of all records of the set.
        answered: positions of those that people answered.

    Raises:
        UsageError: some records have a probability and others do not, or only selected ones are there.

    >>> logs = [Logged(1.0, True), Logged(0.25, True), Logged(0.25, True), Logged(0.25, False)] * 2
    >>> found = chances(logs, [0, 1, 4])
    >>> found.answered, found.probabilities
    ((0, 1, 4), (1.0, 0.0625, 1.0))
    """
    without = [place for place, log_ in enumerate(logs) if log_.probability is None]
    if len(without) == len(logs):
        return Chances(tuple(range(len(logs))), tuple(sorted(answered)), None, (UNKNOWN,))
    if without:
        raise UsageError(
            f"{len(without):,} of {len(logs):,} records have no logged selection probability",
            remedy="route all records in one go, and name all files that `annobridge route` wrote",
        )
    known = [(log_.probability or 0.0, log_.selected) for log_ in logs]
    _refuse_a_part(known)
    notes = []
    possible = tuple(place for place, (chance, _) in enumerate(known) if chance > 0)
    if len(possible) < len(known):
        notes.append(f"{len(known) - len(possible):,} records could not come to people, and nothing is said of them")
    counted = [place for place in sorted(answered) if known[place][0] > 0 and known[place][1] is not False]
    if len(counted) < len(answered):
        notes.append(f"{len(answered) - len(counted):,} answered records were not selected, and do not count")
    chosen = Counter(chance for chance, selected in known if selected)
    given = Counter(known[place][0] for place in counted)
    open_ = sum((chosen - given).values())
    if open_:
        notes.append(f"{open_:,} selected records have no answer; those answered are taken for a random part of them")
    shares = {chance: given[chance] / chosen[chance] if chosen[chance] else 1.0 for chance in given}
    return Chances(possible, tuple(counted), tuple(known[p][0] * shares[known[p][0]] for p in counted), tuple(notes))


def _refuse_a_part(known: Sequence[tuple[float, bool | None]]) -> None:
    """Refuse a file of selected records only, which cannot say what the others are like."""
    if any(selected is not True for _, selected in known):
        return
    if sum(log(chance) for chance, _ in known if chance > 0) < log(0.001):  # the lot hardly ever draws all of them
        raise UsageError(
            "all records here were selected for people, and those that were not are missing",
            remedy="name all files that `annobridge route` wrote, the one of --rest too",
        )
