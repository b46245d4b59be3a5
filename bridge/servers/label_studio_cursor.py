"""Label Studio: where a pull goes on, and how it sees that nothing came late.

A task's ``updated_at`` is set before it is committed, so a pull must also look at the minute before the last task that
it saw. Reading that minute again costs nothing where people work, and everything after an import of answers. So where
many tasks fall into it, the cursor remembers which, and the next pull only has them counted: if there are as many as
there should be, none came late. (What this cannot see: a task that was answered twice in that minute, the second time
committed later than the first pull. A full pull brings it.)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from bridge.annotations import utc

OVERLAP = timedelta(seconds=60)

DENSE = 200
"""So many tasks in the overlap are read again without much ado."""

LONGEST = 20_000
"""Ids that take more characters than this are not remembered: the minute is read again."""

_TEXT = re.compile(r"(\S+) ([01]) (\d+(?:-\d+)?(?:,\d+(?:-\d+)?)*)")


@dataclass(frozen=True, slots=True)
class Seen:
    """One task as a pull saw it: when it changed, and whether it had an answer, or only skips, or neither."""

    at: str
    answered: bool
    skipped: bool


@dataclass(frozen=True, slots=True)
class Cursor:
    """The time of the last task that was seen, and where it is worth it, the tasks of the minute before.

    Args:
        time: UTC, ISO 8601 with microseconds.
        skipped: whether some of those tasks were only skipped.
        ids: the tasks with answers or skips that changed in that minute; empty where it is to be read again.
    """

    time: str
    skipped: bool = False
    ids: frozenset[int] = frozenset()

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """A cursor from its text.

        Raises:
            ValueRejected: it is none.

        >>> Cursor.parse("2026-01-02T03:04:05.000000Z 0 7-8,12").ids == {7, 8, 12}
        True
        """
        whole = _TEXT.fullmatch(text)
        if whole is None:
            return cls(utc(text, "cursor"))
        return cls(utc(whole[1], "cursor"), whole[2] == "1", frozenset(_numbers(whole[3])))

    @classmethod
    def after(cls, time: str, seen: Mapping[int, Seen]) -> Cursor:
        """The cursor after a pull that saw these tasks, and every one that changed in the minute before ``time``."""
        since = cls(time).since
        last = {id_: task for id_, task in seen.items() if since <= task.at < time and (task.answered or task.skipped)}
        if len(last) <= DENSE or len(_ranges(last)) > LONGEST:
            return cls(time)
        return cls(time, any(task.skipped for task in last.values()), frozenset(last))

    def __str__(self) -> str:
        return f"{self.time} {self.skipped:d} {_ranges(self.ids)}" if self.ids else self.time

    @property
    def since(self) -> str:
        """A minute before."""
        return (datetime.fromisoformat(self.time) - OVERLAP).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    @property
    def settled(self) -> str:
        """A minute after: from then on, what changed before it cannot be in the overlap of a later cursor."""
        return (datetime.fromisoformat(self.time) + OVERLAP).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _ranges(ids: Iterable[int]) -> str:
    """Numbers as text, runs of them in short.

    >>> _ranges([8, 7, 12, 9])
    '7-9,12'
    """
    parts: list[list[int]] = []
    for number in sorted(ids):
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in parts)


def _numbers(ranges: str) -> Iterable[int]:
    for part in ranges.split(","):
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)
