"""Label Studio: answers as they are read, and answers written in other people's names, one request each.

An answer could also come with its task, eighty times quicker (measured: 1 ms against 84), but only while the task is
made, and in the one request that is known to lose what comes with tasks.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any

from bridge.annotations import Annotation
from bridge.errors import Refused, UnknownOutcome
from bridge.questions import Question
from bridge.records import canonical_json
from bridge.servers.changed import judged
from bridge.servers.http import Client
from bridge.servers.label_studio_kinds import to_answers, to_regions
from bridge.servers.protocol import Answered, Outcome
from bridge.servers.replies import expect, moment

NO_ACCOUNTS = Refused(
    "Label Studio makes no accounts over its API that anybody could log in to",
    remedy="send people the invitation link (Organization, Add People), then run this again; or map them to "
    "accounts that are there",
)
"""``POST /api/users/`` ignores the password, and whoever was made that way can no longer sign up (measured)."""


def answered(
    task: Mapping[str, Any], project: str, questions: Mapping[str, Question], person: Callable[[object], str]
) -> Answered:
    """All annotations of a task that was listed with them.

    Args:
        task: a task of ours.
        project: id of the project.
        questions: the template's questions by name.
        person: gives the name of a user by the id.
    """
    data = task["data"]
    key = str(data.get("bridge_key", data["bridge_id"]))
    content, changed = str(data.get("bridge_content", "")), str(data.get("bridge_changed", ""))
    annotations = []
    for found in task["annotations"]:
        cancelled = bool(found.get("was_cancelled"))
        updated = moment(found["updated_at"])
        annotations.append(
            Annotation(
                record=key,
                annotator=person(found["completed_by"]),
                status="discarded" if cancelled else "submitted",
                # A skip posts whatever the page held; nobody meant it as an answer.
                answers={} if cancelled else to_answers(questions, found.get("result")),
                created_at=moment(found["created_at"]),
                updated_at=updated,
                lead_time_s=found.get("lead_time"),
                source={
                    "server": "label-studio",
                    "project": project,
                    "task": str(task["id"]),
                    "id": str(found["id"]),
                    **({"content": judged(content, changed, updated)} if content else {}),
                },
            )
        )
    return Answered(key, str(task["id"]), tuple(annotations))


def write_answer(
    http: Client, task: str, user: int, annotation: Annotation, questions: Mapping[str, Question], fields: list[str]
) -> Outcome:
    """Write one answer to a task: a new one, or the one that ``source`` of the annotation names, in its place.

    Args:
        http: the server.
        task: id of the task.
        user: id of the person.
        annotation: the answer.
        questions: the template's questions by name.
        fields: names of the fields on the page.
    """
    body = {
        "result": to_regions(questions, annotation.answers, fields),
        "was_cancelled": annotation.status == "discarded",
        "lead_time": annotation.lead_time_s,
    }
    old = annotation.source.get("id")
    # Imported answers count as ground truth unless one says otherwise. The server takes each unique id once.
    new = {**body, "completed_by": user, "ground_truth": False, "unique_id": _unique_id(http.origin, task, user, body)}
    try:
        if old:
            reply = http.request("PATCH", f"/api/annotations/{old}/", body=body, what="change an answer")
        else:
            reply = http.request("POST", f"/api/tasks/{task}/annotations/", body=new, what="write an answer")
    except Refused as error:
        # An earlier request that was given up for lost has been carried out after all.
        late = "unique id" in error.reason
        return Outcome(annotation.record, "unknown" if late else "rejected", error.reason, error.remedy)
    except UnknownOutcome as error:
        return Outcome(annotation.record, "unknown", error.reason, error.remedy)
    return Outcome(annotation.record, "accepted", remote_id=str(expect(reply, "id", int)))


def _unique_id(origin: str, task: str, user: int, body: dict[str, Any]) -> str:
    said = canonical_json([origin, task, user, body["result"], body["was_cancelled"]])
    return str(uuid.uuid5(uuid.NAMESPACE_URL, said.decode(errors="replace")))
