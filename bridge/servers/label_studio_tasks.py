"""Label Studio: lists of tasks, page by page, that notice when they are broken off."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from bridge.errors import UnexpectedReply
from bridge.servers.http import Client
from bridge.servers.protocol import Remote
from bridge.servers.replies import expect, reading

PAGE_SIZE = 500
SWEEPS = 3

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

HELD = {**ANSWERS, "include": "id,data,predictions.id,annotations.id"}
"""Parameters that list what :func:`listed` needs, with what is counted: a task's own counts may be wrong."""

COUNTS = {"include": "id,data,total_predictions,total_annotations,cancelled_annotations"}
"""The same with the task's own counts, many times quicker. The server gives a task's data whole or not at all."""


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

    A list that ends with fewer tasks than it announced is read again, and what was not in it before is given too; no
    task is given twice.

    Raises:
        UnexpectedReply: a page is short, out of order, or no list of tasks, and nothing was taken from it; or the list
            ends too early whenever it is read.
    """
    seen: set[int] = set()
    for _ in range(SWEEPS):
        announced, met = 0, 0
        for tasks, left in _sweep(http, project, rules, parameters):
            announced = announced or len(tasks) + left
            met += len(tasks)
            new = [task for task in tasks if task["id"] not in seen]
            seen.update(task["id"] for task in new)
            if new:
                yield new, left
        if met >= announced:
            return
    raise UnexpectedReply(
        f"{http.origin}: the list of records announces more than it holds ({SWEEPS} times in a row)",
        remedy="run the command again when nobody deletes records or answers",
    )


def count(http: Client, project: str, rules: Sequence[Rule]) -> int:
    """How many tasks fulfil these conditions."""
    reply = http.request(
        "GET",
        "/api/tasks/",
        params={"project": project, "page_size": 1, "resolve_uri": "false", "include": "id"},
        body={"filters": {"conjunction": "and", "items": list(rules)}},
        what="count records",
    )
    return int(expect(reply, "total", int))


def _sweep(
    http: Client, project: str, rules: Sequence[Rule], parameters: Mapping[str, str]
) -> Iterator[tuple[list[dict[str, Any]], int]]:
    # Page numbers would shift while people work; ids do not.
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


@reading
def listed(task: Mapping[str, Any]) -> tuple[str, Remote]:
    """A listed task's key, empty where the task is not ours, and what there is to know of it.

    >>> counts = {"total_predictions": 1, "total_annotations": 2, "cancelled_annotations": 0}
    >>> listed({"id": 7, "data": {"bridge_id": "r1", "bridge_content": "ab12"}, **counts})
    ('r1', Remote(id='7', suggestions=1, annotations=2, content='ab12'))
    """
    data = task["data"]
    key = str(data.get("bridge_key", data["bridge_id"])) if "bridge_id" in data else ""
    # A key says what the task shows, where nothing else does: it is the hash then.
    content = str(data.get("bridge_content", key)) if key else ""
    if "annotations" in task:
        suggestions, answers = len(task["predictions"]), len(task["annotations"])
    else:
        suggestions = int(task["total_predictions"] or 0)
        answers = int(task["total_annotations"] or 0) + int(task["cancelled_annotations"] or 0)
    return key, Remote(str(task["id"]), suggestions, answers, content)
