"""Label Studio: lists of tasks, page by page, that notice when they are broken off."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from bridge.errors import UnexpectedReply
from bridge.servers.http import Client
from bridge.servers.replies import expect

PAGE_SIZE = 500

Rule: TypeAlias = "dict[str, Any]"
"""One condition of a filter."""

ANSWERS = {
    # `expand` is undocumented, and ten times quicker than what `fields=all` does without it; without `fields=all`
    # there are no annotations at all.
    "fields": "all",
    "expand": "annotations",
    "include": ",".join(
        [
            "id,data,updated_at",
            *(
                f"annotations.{name}"
                for name in ("id", "result", "created_at", "updated_at", "lead_time", "completed_by", "was_cancelled")
            ),
        ]
    ),
}
"""Parameters that list tasks with their annotations."""


def rule(column: str, operator: str, value: object, kind: str = "Number") -> Rule:
    """A condition on tasks, as the data manager writes it.

    >>> rule("id", "greater", 7)["filter"]
    'filter:tasks:id'
    """
    return {"filter": f"filter:tasks:{column}", "operator": operator, "type": kind, "value": value}


def pages(
    http: Client, project: str, rules: Sequence[Rule], parameters: Mapping[str, str]
) -> Iterator[tuple[list[dict[str, Any]], int]]:
    """Pages of tasks in order of id, each starting behind the last; with the number of tasks still to come.

    Page numbers would shift while people work; ids do not.

    Raises:
        UnexpectedReply: a page is short, out of order, or no list of tasks. Nothing was taken from it.
    """
    last = 0
    while True:
        items = [*rules, rule("id", "greater", last)]
        reply = http.request(
            "GET",
            "/api/tasks/",
            params={"project": project, "page_size": PAGE_SIZE, "resolve_uri": "false", **parameters},
            # As a body and not in the URL, where 5,000 ids would not fit and values are decoded twice.
            body={"filters": {"conjunction": "and", "items": items}, "ordering": ["tasks:id"]},
            what="list the records",
        )
        tasks = expect(reply, "tasks", list)
        if not all(isinstance(task, dict) and isinstance(task.get("id"), int) for task in tasks):
            raise UnexpectedReply(
                f"{http.origin}: something in the list of records is none",
                remedy="check the url in campaign.yaml, and that the server is Label Studio",
            )
        left = expect(reply, "total", int) - len(tasks)
        if (left > 0 and len(tasks) < PAGE_SIZE) or (tasks and tasks[0]["id"] <= last):
            raise UnexpectedReply(
                f"{http.origin}: the list of records is broken off or out of order after record {last}",
                remedy="run the command again; nothing was taken from this page",
            )
        if tasks:
            yield tasks, max(left, 0)
        if left <= 0:
            return
        last = tasks[-1]["id"]
