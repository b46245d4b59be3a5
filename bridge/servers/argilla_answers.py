"""Argilla: answers written in other people's names, many in one request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bridge.annotations import Annotation
from bridge.records import wire_id
from bridge.servers.argilla_kinds import to_suggestions
from bridge.servers.argilla_texts import original_fields
from bridge.templates import TaskTemplate


def names_of(users: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """User id to name. Nothing else is kept: these objects hold everybody's API keys."""
    return {str(user["id"]): str(user["username"]) for user in users}


def new_user(name: str, password: str) -> dict[str, str]:
    """An account for somebody who answers and may do nothing else."""
    return {"username": name, "first_name": name[:50], "role": "annotator", "password": password}


def items_of(
    annotations: Sequence[Annotation],
    records: Mapping[str, Mapping[str, Any]],
    users: Mapping[str, str],
    template: TaskTemplate,
    repeats: int,
) -> list[dict[str, Any]]:
    """Answers as items of a bulk request, one for each record; nothing else of the records is in them.

    Args:
        annotations: the answers; their people and records are there.
        records: record key to the record as the server has it.
        users: name to user id.
        template: the task.
        repeats: how many instances of a repeated field the dataset has.
    """
    items: dict[str, dict[str, Any]] = {}
    for annotation in annotations:
        fields = original_fields(records[annotation.record]["fields"])
        # A response without `values` is stored behind a 500, and missing in the index (measured).
        values = {}
        if annotation.status != "discarded":
            shown = to_suggestions(template, annotation.answers, fields, repeats)
            values = {name: {"value": value} for name, value in shown.items()}
        item = items.setdefault(annotation.record, {"external_id": wire_id(annotation.record), "responses": []})
        item["responses"].append(
            {"user_id": users[annotation.annotator], "status": annotation.status, "values": values}
        )
    return list(items.values())
