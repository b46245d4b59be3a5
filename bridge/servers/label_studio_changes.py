"""Label Studio: one sweep over the tasks that have answers, or over those that changed since the last.

A task's own counts of answers can be wrong for good: an import of predictions writes back the counts of the whole
project as it read them a moment before, and an answer of that moment is missing in them (measured on SQLite with two
people at work: one answer in a few hundred). The project's counts are those of the answers themselves. So a sweep asks
for the tasks that count answers, and where it has met fewer than the project has, for the others too.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from bridge.servers.http import Client
from bridge.servers.label_studio_cursor import Cursor, Seen
from bridge.servers.label_studio_tasks import ANSWERS, Rule, count, pages, rule
from bridge.servers.protocol import Answered, Page
from bridge.servers.replies import moment, reading

TOTALS = "total_annotations_number,skipped_annotations_number"
"""What to include of a project for its :class:`Totals`."""

_NEVER = "9"
"""After every time."""

_ANSWERED = [rule("total_annotations", "greater", 0)]
_ONLY_SKIPS = [rule("total_annotations", "less", 1), rule("cancelled_annotations", "greater", 0)]
_NEITHER = [rule("total_annotations", "less", 1), rule("cancelled_annotations", "less", 1)]


@dataclass(frozen=True, slots=True)
class Totals:
    """How many answers and skips a project had, and when, by the server's clock (UTC, ISO 8601; empty: unknown)."""

    at: str
    submitted: int
    skipped: int

    @classmethod
    def of(cls, project: Mapping[str, Any], at: str) -> Totals:
        """What a reply says of a project; where it does not say it, there may be any number."""
        submitted, skipped = (project.get(name) for name in TOTALS.split(","))
        return cls(at, sys.maxsize if submitted is None else submitted, sys.maxsize if skipped is None else skipped)


class Sweep:
    """One sweep, and what it saw.

    Args:
        http: the client.
        project: id of the project.
        read: gives the answers of a listed task.
        totals: gives the project's totals of not long ago.
    """

    def __init__(
        self,
        http: Client,
        project: str,
        read: Callable[[Mapping[str, Any]], Answered],
        totals: Callable[[], Totals],
    ) -> None:
        self._http = http
        self._project = project
        self._read = read
        self._totals = totals
        self._seen: dict[int, Seen] = {}
        self._met: dict[int, int] = {}
        self._begun = ""

    def since(self, cursor: str) -> Iterator[Page]:
        """Everything, or what changed since a cursor and what may have come late before it.

        Raises:
            ValueRejected: that is no cursor.
            UnexpectedReply: a list breaks off.
        """
        if not cursor:
            totals = self._totals()
            for rules in (_ANSWERED, *([_ONLY_SKIPS] if totals.skipped else [])):
                yield from self._pages(rules, count_before=totals.at or _NEVER)
            if sum(self._met.values()) < totals.submitted + totals.skipped:
                yield from self._pages(_NEITHER, only_answered=True)
            yield self._end("")
            return
        start = Cursor.parse(cursor)
        if start.ids:
            yield from self._pages([_changed("greater_or_equal", start.time)])
            if self._nothing_came_late(start):
                end = self._end(start.time)
                # Up to that time, the new overlap would need what only the old cursor knows.
                yield end if end.cursor >= start.settled else replace(end, cursor=cursor)
                return
        yield from self._pages([_changed("greater_or_equal", start.since)])
        yield self._end(start.time)

    def _pages(self, rules: list[Rule], *, count_before: str = "", only_answered: bool = False) -> Iterator[Page]:
        for tasks, left in pages(self._http, self._project, rules, ANSWERS):
            if only_answered:
                tasks = [task for task in tasks if task["annotations"]]
            # A page that was read may change while later ones are read; so the next pull starts no later than this
            # one did, by the server's clock.
            self._begun = self._begun or self._http.server_time
            self._seen |= {task["id"]: _seen(task) for task in tasks}
            if count_before:
                self._met |= {task["id"]: _made_before(count_before, task) for task in tasks}
            ours = [task for task in tasks if "bridge_id" in (task.get("data") or {})]
            yield Page([self._read(task) for task in ours], "", left)

    def _end(self, before: str) -> Page:
        """The last page, which only says where the next pull starts."""
        if not self._seen:
            return Page([], before)
        newest = max(task.at for task in self._seen.values())
        return Page([], str(Cursor.after(max(before, min(newest, self._begun or newest)), self._seen)))

    def _nothing_came_late(self, start: Cursor) -> bool:
        """Whether the minute before the cursor holds the tasks that it held, but for those that changed since."""
        overlap = [_changed("greater_or_equal", start.since), _changed("less", start.time)]
        found = count(self._http, self._project, [*overlap, *_ANSWERED])
        if start.skipped or self._totals().skipped:
            found += count(self._http, self._project, [*overlap, *_ONLY_SKIPS])
        return found == len(start.ids - self._seen.keys())


@reading
def _seen(task: Mapping[str, Any]) -> Seen:
    skips = [bool(found.get("was_cancelled")) for found in task["annotations"]]
    return Seen(moment(task.get("updated_at")), not all(skips), bool(skips) and all(skips))


@reading
def _made_before(time: str, task: Mapping[str, Any]) -> int:
    """How many of a task's answers are older. Clocks are read in seconds, so that one of the same second is not."""
    return sum(moment(found["created_at"]) < time for found in task["annotations"])


def _changed(operator: str, time: str) -> Rule:
    return rule("updated_at", operator, time, "Datetime")
