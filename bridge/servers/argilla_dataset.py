"""Argilla: the dataset of a campaign, found or made, and its search index, which can lag behind the database.

Publishing can fail and leave a dataset that says it is ready and has no index, so it is checked to the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bridge.errors import Conflict, NotFound, Refused, ServerError, UnexpectedReply
from bridge.questions import Question
from bridge.servers.argilla_kinds import fields_of, questions_of
from bridge.servers.argilla_texts import shown_guidelines
from bridge.servers.argilla_workspace import Workspace
from bridge.servers.protocol import Project, RemoteProject
from bridge.servers.replies import expect, moment, reading

LOOKUP_SIZE = 250
HEALING_BATCH = 100

_MARK = "annobridge"


class Dataset(Workspace):
    """A workspace, and after :meth:`ensure` the dataset in it that a campaign works on."""

    _id = ""
    _last_activity = ""
    _project: Project | None = None

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._questions: dict[str, Question] = {}
        self._question_ids: dict[str, str] = {}

    @reading
    def ensure(self, project: Project, *, create: bool) -> RemoteProject:
        """Find the campaign's dataset by its name and our mark in its metadata, or make it.

        A dataset of ours that was left half-made (still a draft, or published without an index) and holds no records
        is made anew; one that holds records is named with what mends it.
        """
        self._find_workspace()
        found = self._find_dataset(project.title)
        self._project = project
        self._questions = {question.name: question for question in project.template.questions}
        if found is not None and create and self._half_made(found):
            self._request("DELETE", f"/datasets/{found['id']}", what="delete the half-made dataset")
            found = None
        if found is None:
            if not create:
                raise NotFound(
                    f"{self._http.origin}: there is no dataset {project.title!r} in the workspace {self._workspace!r}",
                    remedy="run `annobridge push` first",
                )
            return self._create(project)
        return self._adopt(found, project, change=create)

    def _find_dataset(self, name: str) -> dict[str, Any] | None:
        reply = self._request(
            "GET", "/me/datasets", params={"workspace_id": self._workspace_id, "name": name}, what="list the datasets"
        )
        found = [dataset for dataset in expect(reply, "items", list) if dataset["name"] == name]
        return found[0] if found else None

    def _half_made(self, dataset: Mapping[str, Any]) -> bool:
        """Whether a dataset of ours was never finished and holds nothing.

        Raises:
            Conflict: it was never finished, but is not ours, or holds records.
            ServerError: the search engine is down, so that nobody can tell.
        """
        name, mark = dataset["name"], our_mark(dataset)
        if dataset["status"] == "draft":
            if mark is None:
                raise Conflict(
                    f"{self._http.origin}: a draft dataset {name!r} exists that annobridge did not make",
                    remedy="choose another project name in campaign.yaml, or delete the draft in Argilla",
                )
            return True
        if mark is None or self._has_index(str(dataset["id"])):
            return False
        if self._count(str(dataset["id"])):
            raise Conflict(
                f"{self._http.origin}: the dataset {name!r} has no search index, so nobody can work on it",
                remedy="on the server, run `python -m argilla_server search-engine reindex`, then push again",
            )
        return True

    def _has_index(self, dataset: str) -> bool:
        try:
            self._search(dataset, {}, limit=1)
        except (UnexpectedReply, Refused):
            self._check_search_engine()
            return False
        return True

    def _check_search_engine(self) -> None:
        try:
            self._request("GET", "/status", what="ask for the server's health")
        except ServerError as error:
            raise UnexpectedReply(
                f"{self._http.origin}: Argilla's search engine does not answer",
                remedy="start Elasticsearch or OpenSearch, then run the command again; nothing was changed",
            ) from error

    def _settings(self, project: Project) -> dict[str, Any]:
        return {
            "guidelines": shown_guidelines(project.template.guidelines),
            "distribution": {"strategy": "overlap", "min_submitted": project.annotators_per_record},
        }

    def _create(self, project: Project) -> RemoteProject:
        template = project.template
        mark = {
            "format": 1,
            "template": template.name,
            "schema": project.mark,
            "repeats": project.repeats,
        }
        body = {
            "name": project.title,
            "workspace_id": self._workspace_id,
            "allow_extra_metadata": True,
            "metadata": {_MARK: mark},
            **self._settings(project),
        }
        questions = questions_of(template, project.repeats)
        made = self._request("POST", "/datasets", body=body, what="make the dataset")
        dataset = str(expect(made, "id", str))
        try:
            for field in fields_of(template, project.repeats):
                self._request("POST", f"/datasets/{dataset}/fields", body=field, what=f"add field {field['name']!r}")
            for question in questions:
                what = f"add question {question['name']!r}"
                reply = self._request("POST", f"/datasets/{dataset}/questions", body=question, what=what)
                self._question_ids[question["name"]] = str(expect(reply, "id", str))
            # What managers look for: their own key of a record, and the properties that they named.
            for name, title in [("bridge_key", "Key"), *((name, name) for name in project.properties)]:
                term = {"name": name, "title": title, "settings": {"type": "terms"}, "visible_for_annotators": False}
                what = f"add the property {name!r}"
                self._request("POST", f"/datasets/{dataset}/metadata-properties", body=term, what=what)
            self._request("PUT", f"/datasets/{dataset}/publish", what="publish the dataset")
            if not self._has_index(dataset):
                raise UnexpectedReply(
                    f"{self._http.origin}: the dataset was published, but has no search index",
                    remedy="look at the server's log: its search engine refused the index (k-NN plugin missing?)",
                )
        except ServerError as error:
            raise self._taken_back(dataset, project.title, error) from error
        self._id = dataset
        return RemoteProject(self._id, self._url(), 0, created=True, born=moment(made.get("inserted_at")))

    def _taken_back(self, dataset: str, title: str, error: ServerError) -> ServerError:
        """The error, after the half-made dataset was deleted; or with its name, where that failed too."""
        try:
            self._request("DELETE", f"/datasets/{dataset}", what="delete the half-made dataset")
        except ServerError:
            return type(error)(
                f"{error.reason}; the half-made dataset {title!r} ({dataset}) is still there",
                remedy=f"{error.remedy}; the next push makes that dataset anew",
            )
        return error

    def _adopt(self, found: Mapping[str, Any], project: Project, *, change: bool) -> RemoteProject:
        mark = our_mark(found)
        where = f"{self._http.origin}: dataset {project.title!r}"
        if mark is None:
            raise Conflict(
                f"{where} exists and annobridge did not make it",
                remedy="choose another project name in campaign.yaml (or --project); to take it over, or to refresh "
                "a campaign that did: annobridge adopt",
            )
        project.check_mark(where, mark.get("template"), mark.get("schema"))
        if project.repeats > int(mark["repeats"]):
            raise Conflict(
                f"{where} was made for {mark['repeats']} repeated fields, and a record has {project.repeats}; Argilla "
                "cannot add fields to a published dataset",
                remedy="push the longer records under another project name",
            )
        if found["status"] != "ready":
            raise Conflict(f"{where} was never finished", remedy="run `annobridge push`: it makes the dataset anew")
        self._id = str(found["id"])
        self._last_activity = moment(found.get("last_activity_at"))
        self._project = replace(project, repeats=int(mark["repeats"]))
        born = moment(found.get("inserted_at"))
        if not change:
            return RemoteProject(self._id, self._url(), None, born=born)
        self._load_questions(where)
        wanted = self._settings(project)
        changed = {name: value for name, value in wanted.items() if found.get(name) != value}
        if changed:
            self._request("PATCH", f"/datasets/{self._id}", body=changed, what="bring the dataset up to date")
        held = self._count(self._id)
        self._mend_index(held)
        return RemoteProject(self._id, self._url(), held, born=born)

    def _load_questions(self, where: str) -> None:
        """Our questions' ids, after a look whether they are still what the mark says."""
        template, repeats = self._bound.template, self._bound.repeats
        listed = expect(
            self._request("GET", f"/datasets/{self._id}/questions", what="list the questions"), "items", list
        )
        self._question_ids = {str(question["name"]): str(question["id"]) for question in listed}
        missing = [body["name"] for body in questions_of(template, repeats) if body["name"] not in self._question_ids]
        if missing:
            raise Conflict(
                f"{where} has no question {missing[0]!r}: its mark is ours, its questions are not",
                remedy="choose another project name in campaign.yaml, or delete the dataset in Argilla",
            )

    def _url(self) -> str:
        return f"{self._http.origin}/dataset/{self._id}/annotation-mode"

    def _bulk(self, items: list[dict[str, Any]], what: str, *, batch: bool = False) -> Any:
        path = f"/datasets/{self._id}/records/bulk"
        return self._request("PUT", path, body={"items": items}, what=what, batch=batch)

    def _indexed(self) -> int:
        return int(expect(self._search(self._id, {}, limit=1), "total", int))

    def _mend_index(self, held: int) -> int:
        indexed = self._indexed()
        if indexed == held:
            return 0
        there = {str(record.get("external_id")) for record in self._scan(self._id) if record.get("external_id")}
        known: set[str] = set()
        ids = sorted(there)
        for start in range(0, len(ids), LOOKUP_SIZE):
            scope = {"entity": "record", "property": "external_id"}
            terms = {"type": "terms", "scope": scope, "values": ids[start : start + LOOKUP_SIZE]}
            reply = self._search(self._id, {"filters": {"and": [terms]}}, limit=LOOKUP_SIZE)
            known |= {str(item["record"].get("external_id")) for item in expect(reply, "items", list)}
        missing = sorted(there - known)
        for start in range(0, len(missing), HEALING_BATCH):
            # An item with nothing but its id changes nothing, and is indexed again with its answers (measured).
            batch = [{"external_id": id_} for id_ in missing[start : start + HEALING_BATCH]]
            self._bulk(batch, f"index {len(batch)} records again")
        indexed = self._indexed()
        if indexed != held:
            raise UnexpectedReply(
                f"{self._http.origin}: the database has {held:,} records of this dataset, the search index {indexed:,}",
                remedy="run the command again in a minute; if it stays, run "
                "`python -m argilla_server search-engine reindex` on the server",
            )
        return len(missing)

    @property
    def _bound(self) -> Project:
        if self._project is None:
            raise RuntimeError("call ensure() first")
        return self._project


def our_mark(dataset: Mapping[str, Any]) -> dict[str, Any] | None:
    """Our mark in a dataset's metadata; None where annobridge did not make it."""
    mark = (dataset.get("metadata") or {}).get(_MARK)
    return mark if isinstance(mark, dict) and isinstance(mark.get("repeats"), int) else None
