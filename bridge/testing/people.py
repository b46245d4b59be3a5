"""People who answer by program on real servers, over their REST APIs, as one of their users."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge.annotations import Status
from bridge.errors import NotFound
from bridge.keys import Secret
from bridge.questions import RankingQuestion
from bridge.records import Value, wire_id
from bridge.servers.argilla import Argilla
from bridge.servers.argilla_kinds import to_suggestions
from bridge.servers.argilla_texts import original_fields
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


class ArgillaPerson(Argilla):
    """One user of an Argilla server who answers records of the dataset that ``ensure`` found.

    Made like :class:`bridge.servers.argilla.Argilla`, with that person's own API key::

        ann = ArgillaPerson(server.url, server.add_user("ann").key, server.workspace)
        ann.ensure(Project("Sums", load_template("rating")), create=False)
        ann.annotate(record.key, {"rating": 4})
    """

    def __init__(self, url: str, key: Secret, workspace: str = "", **options: Any) -> None:
        super().__init__(url, key, workspace, **options)
        self._places: dict[str, Mapping[str, Any]] = {}

    def annotate(
        self,
        key: str,
        answers: Mapping[str, Value],
        *,
        status: Status = "submitted",
        lead_time_s: float | None = None,
    ) -> str:
        """Answer a record and return the response's id. Argilla keeps no lead times.

        Raises:
            NotFound: the record is not on the server.
            Refused: this person has answered it already (see :meth:`change`), or the answer is none.
        """
        record = self._record(key)
        body = self._body(answers, status, record)
        reply = self._request("POST", f"/records/{record['id']}/responses", body=body, what="submit an answer")
        self._places[str(reply["id"])] = record
        return str(reply["id"])

    def change(self, response: str, answers: Mapping[str, Value], *, status: Status = "submitted") -> None:
        """Change an answer that this person gave before."""
        body = self._body(answers, status, self._places[response])
        self._request("PUT", f"/responses/{response}", body=body, what="change an answer")

    def withdraw(self, response: str) -> None:
        """Delete an answer."""
        self._request("DELETE", f"/responses/{response}", what="withdraw an answer")

    def _record(self, key: str) -> Mapping[str, Any]:
        scope = {"entity": "record", "property": "external_id"}
        terms = {"type": "terms", "scope": scope, "values": [wire_id(key)]}
        path = f"/me/datasets/{self._id}/records/search"
        reply = self._request("POST", path, body={"filters": {"and": [terms]}}, what="find the record", reads=True)
        for item in reply["items"]:
            record: Mapping[str, Any] = item["record"]
            return record
        raise NotFound(f"{self._http.origin}: there is no record {key!r}", remedy="push it first")

    def _body(self, answers: Mapping[str, Value], status: Status, record: Mapping[str, Any]) -> dict[str, Any]:
        template = self._bound.template
        values = to_suggestions(template, answers, original_fields(record["fields"]))
        for question in template.questions:
            if isinstance(question, RankingQuestion) and question.name in values:
                # The server wants every card placed, those of responses that the record has not too.
                ranked = values[question.name]
                last = max((item["rank"] for item in ranked), default=0) + 1
                cards = question.item_names(template.field_names(self._bound.repeats))
                absent = [card for card in cards if not record["fields"].get(card)]
                values[question.name] = ranked + [{"value": card, "rank": last} for card in absent]
        return {"status": status, "values": {name: {"value": value} for name, value in values.items()}}
