"""Label Studio: one sweep over the tasks that have answers, or over those that changed since the last."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from bridge.servers.http import Client
from bridge.servers.label_studio_cursor import Cursor, Seen
from bridge.servers.label_studio_tasks import ANSWERS, Rule, count, pages, rule
from bridge.servers.protocol import Answered, Page
from bridge.servers.replies import moment, reading

_ANSWERED = [rule("total_annotations", "greater", 0)]
_ONLY_SKIPS = [rule("total_annotations", "equal", 0), rule("cancelled_annotations", "greater", 0)]


class Sweep:
    """One sweep, and what it saw.

    Args:
        http: the client.
        project: id of the project.
        read: gives the answers of a listed task.
        may_have_skips: whether the project may have tasks that were only skipped.
    """

    def __init__(
        self, http: Client, project: str, read: Callable[[Mapping[str, Any]], Answered], *, may_have_skips: bool
    ) -> None:
        self._http = http
        self._project = project
        self._read = read
        self._may_have_skips = may_have_skips
        self._seen: dict[int, Seen] = {}
        self._begun = ""

    def since(self, cursor: str) -> Iterator[Page]:
        """Everything, or what changed since a cursor and what may have come late before it.

        Raises:
            ValueRejected: that is no cursor.
            UnexpectedReply: a list breaks off.
        """
        if not cursor:
            for rules in (_ANSWERED, *([_ONLY_SKIPS] if self._may_have_skips else [])):
                yield from self._pages(rules)
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

    def _pages(self, rules: list[Rule]) -> Iterator[Page]:
        for tasks, left in pages(self._http, self._project, rules, ANSWERS):
            # A page that was read may change while later ones are read; so the next pull starts no later than this
            # one did, by the server's clock.
            self._begun = self._begun or self._http.server_time
            self._seen |= {task["id"]: _seen(task) for task in tasks}
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
        if start.skipped or self._may_have_skips:
            found += count(self._http, self._project, [*overlap, *_ONLY_SKIPS])
        return found == len(start.ids - self._seen.keys())


@reading
def _seen(task: Mapping[str, Any]) -> Seen:
    skips = [bool(found.get("was_cancelled")) for found in task["annotations"]]
    return Seen(moment(task.get("updated_at")), not all(skips), bool(skips) and all(skips))


def _changed(operator: str, time: str) -> Rule:
    return rule("updated_at", operator, time, "Datetime")
