"""Label Studio: tasks that get another text, and tasks that are taken away."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from bridge.errors import NotFound, Refused
from bridge.records import Record, wire_id
from bridge.servers.changed import gone_by, unfinished, why_unchangeable
from bridge.servers.http import Client
from bridge.servers.label_studio_tasks import pages, rule
from bridge.servers.protocol import Outcome
from bridge.servers.replies import moment

_WORK = {"fields": "all", "expand": "annotations", "include": "id,draft_exists,annotations.id"}
"""Parameters that list tasks with whatever people have done on them. A task's own counts can lag behind."""


def due(
    records: Sequence[Record], tasks: Iterable[Mapping[str, Any]], data_of: Callable[[Record], dict[str, Any]]
) -> tuple[dict[str, Outcome], dict[int, dict[str, Any]]]:
    """What is to be changed so that tasks show the present texts of their records.

    Args:
        records: the records.
        tasks: those tasks that hold them, with their data.
        data_of: gives the data that a record's task shall have.

    Returns:
        The outcome of each record, by key, if nothing goes wrong; and the data of tasks that show something else now.
    """
    held: dict[str, list[Mapping[str, Any]]] = {}
    for task in tasks:
        held.setdefault(str(task["data"]["bridge_id"]), []).append(task)
    outcomes: dict[str, Outcome] = {}
    texts: dict[int, dict[str, Any]] = {}
    for record in records:
        theirs = held.get(wire_id(record.key), [])
        why = why_unchangeable(record, there=bool(theirs))
        outcomes[record.key] = why or Outcome(record.key, "accepted", remote_id=str(theirs[0]["id"]))
        content = record.content
        if why is None:
            old = [task for task in theirs if task["data"].get("bridge_content", record.key) != content]
            texts |= {task["id"]: data_of(record) for task in old}
    return outcomes, texts


def show(http: Client, project: str, texts: Mapping[int, Mapping[str, Any]]) -> dict[str, Outcome]:
    """Give tasks other texts, and take away the predictions that belonged to the old ones.

    Args:
        http: the server.
        project: id of the project.
        texts: task id to the data that the task shall have.

    Returns:
        The outcomes of those records whose tasks could not all be changed.

    Raises:
        UnknownOutcome: some may be changed, or half changed; doing it again mends that.
    """
    refused: dict[int, Refused | NotFound] = {}
    changed: dict[int, str] = {}
    for task, data in texts.items():
        begun = time.monotonic()
        try:
            reply = _patch(http, task, {**data, "bridge_content": unfinished()})
        except (Refused, NotFound) as error:
            refused[task] = error
        else:
            changed[task] = gone_by(moment(reply["updated_at"]), time.monotonic() - begun)
    if changed:
        http.request(
            "POST",
            "/api/dm/actions/",
            params={"id": "delete_tasks_predictions", "project": project},
            body={"selectedItems": {"all": False, "included": list(changed)}},
            what="take away the suggestions for the old texts",
        )
    for task, when in changed.items():
        try:
            _patch(http, task, {**texts[task], "bridge_changed": when})
        except (Refused, NotFound) as error:
            refused[task] = error
    keys = {task: str(texts[task].get("bridge_key", texts[task]["bridge_id"])) for task in refused}
    return {keys[task]: Outcome(keys[task], "rejected", e.reason, e.remedy) for task, e in refused.items()}


def _patch(http: Client, task: int, data: Mapping[str, Any]) -> Any:
    return http.request("PATCH", f"/api/tasks/{task}/", body={"data": data}, what="change the text of a record")


def remove(http: Client, project: str, ids: Iterable[str]) -> int:
    """Delete those of these tasks that nobody has answered, skipped or begun to answer; how many that were."""
    removed = 0
    for id_ in ids:
        # One at a time, so that hardly anybody can answer between the look and the deletion.
        for (task,), _ in pages(http, project, [rule("id", "equal", int(id_))], _WORK):
            if task["annotations"] or task["draft_exists"]:
                continue
            try:
                http.request("DELETE", f"/api/tasks/{task['id']}/", what="delete a record that nobody answered")
            except NotFound:
                continue  # somebody else was quicker
            removed += 1
    return removed
