"""For tests of campaigns, ours and yours: people who answer by program.

:class:`bridge.servers.memory.MemoryServer` is the server for tests that need none; :class:`LabelStudioPerson` answers
on a real Label Studio, over its REST API, as one of its users.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge.annotations import Status
from bridge.errors import NotFound
from bridge.records import Value
from bridge.servers.label_studio import LabelStudio
from bridge.servers.label_studio_kinds import to_regions


class LabelStudioPerson(LabelStudio):
    """One user of a Label Studio server who answers records of the project that ``ensure`` found.

    Made like :class:`bridge.servers.label_studio.LabelStudio`, with that person's own token::

        ann = LabelStudioPerson(server.url, server.add_user("ann@example.org").token)
        ann.ensure(Project("Sums", load_template("rating")), create=False)
        ann.annotate(record.key, {"rating": 4}, lead_time_s=12.5)
    """

    def annotate(
        self,
        key: str,
        answers: Mapping[str, Value],
        *,
        status: Status = "submitted",
        lead_time_s: float | None = None,
    ) -> str:
        """Answer a record and return the annotation's id; a second call makes a second annotation.

        Raises:
            NotFound: the record is not on the server.
        """
        return str(
            self._http.request(
                "POST",
                f"/api/tasks/{self._task_id(key)}/annotations/",
                body={**self._body(answers, status), "lead_time": lead_time_s},
                what="submit an answer",
            )["id"]
        )

    def change(self, annotation: str, answers: Mapping[str, Value], *, status: Status = "submitted") -> None:
        """Change an answer that was given before."""
        body = self._body(answers, status)
        self._http.request("PATCH", f"/api/annotations/{annotation}/", body=body, what="change an answer")

    def withdraw(self, annotation: str) -> None:
        """Delete an answer."""
        self._http.request("DELETE", f"/api/annotations/{annotation}/", what="withdraw an answer")

    def _task_id(self, key: str) -> str:
        found = self.find([key]).get(key)
        if not found:
            raise NotFound(f"{self._http.origin}: there is no record {key!r}", remedy="push it first")
        return found[0].id

    def _body(self, answers: Mapping[str, Value], status: Status) -> dict[str, Any]:
        template = self._bound.template
        questions = {question.name: question for question in template.questions}
        result = to_regions(questions, answers, template.field_names(self._bound.repeats))
        return {"result": result, "was_cancelled": status == "discarded"}
