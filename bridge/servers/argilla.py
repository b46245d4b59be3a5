"""Argilla, over its REST API.

Written against Argilla 2.8.0. What shaped it was measured there: the database is the truth and the search index a
second copy that can lag or lack records, so answers are read from the database and the index is mended after a push;
a failed request, even one answered with 422, may have been carried out, so records are written with the one request
that can be repeated (by external id); publishing can fail and leave a dataset that says it is ready and has no index,
so it is checked to the end; nothing tells which answers changed, so a pull asks whether anything happened at all, and
reads everything if so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from bridge.annotations import STATUSES, Annotation
from bridge.errors import (
    AuthError,
    ConfigError,
    Conflict,
    NotFound,
    Refused,
    ServerError,
    UnexpectedReply,
    UnknownOutcome,
    ValueRejected,
)
from bridge.questions import Question
from bridge.records import Record, wire_id
from bridge.servers.answers import why_not
from bridge.servers.argilla_answers import items_of, names_of, new_user
from bridge.servers.argilla_kinds import (
    KINDS,
    fields_of,
    original_fields,
    questions_of,
    shown_guidelines,
    to_answers,
)
from bridge.servers.argilla_records import item_of, suggestions_of
from bridge.servers.http import Client
from bridge.servers.protocol import (
    Answered,
    Capabilities,
    Outcome,
    Page,
    Progress,
    Project,
    Remote,
    RemoteProject,
    Result,
)
from bridge.servers.replies import expect, moment, reading

if TYPE_CHECKING:
    import httpx2

    from bridge.keys import Secret

BATCH = 250
BATCH_BESIDE_PEOPLE = 100
"""Somebody who saves an answer waits for the batch that is being written: 0.8 s with 100 records (measured)."""

LOOKUP_SIZE = 250
PAGE_SIZE = 1000
SCANS = 3
PEOPLE_AT_WORK = timedelta(minutes=15)

CAPABILITIES = Capabilities(
    question_kinds=frozenset(KINDS),
    title_length=(1, 200),
    batch=BATCH,
    unique_keys=True,
    incremental=False,
    ranking_gaps=False,
    grows=False,
    lead_time=False,
    span_units="UTF-16",
    options={
        "rating": (2, 11),
        "label": (2, 500),
        "multi_label": (2, 500),
        "ranking": (2, 50),
        "span": (1, 500),
    },
    description_length=1000,
    spans_per_field=1,
)

_MARK = "annobridge"
_WORKSPACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


class Argilla:
    """One workspace of an Argilla server, and after :meth:`ensure` one dataset in it.

    Args:
        url: the server's address, without ``/api``.
        key: the API key of an owner, or of an admin of the workspace.
        workspace: its name; may be empty where the key's user has just one.
        allow_http: permit plain http to hosts other than this machine.
        transport: for tests, any httpx2 transport.
    """

    def __init__(
        self,
        url: str,
        key: Secret,
        workspace: str = "",
        *,
        allow_http: bool = False,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        if workspace and not _WORKSPACE.fullmatch(workspace):
            raise ConfigError(
                f"server.workspace: {workspace!r:.60} has characters that break Argilla's own clients",
                remedy="use letters, digits, - and _ ; make a workspace with such a name in Argilla",
            )
        self._http = Client(
            url, lambda: {"X-Argilla-Api-Key": key.reveal()}, allow_http=allow_http, transport=transport
        )
        self._workspace = workspace
        self._workspace_id = ""
        self._id = ""
        self._last_activity = ""
        self._project: Project | None = None
        self._questions: dict[str, Question] = {}
        self._question_ids: dict[str, str] = {}
        self._people: dict[str, str] = {}
        self._sent = 0

    @property
    def capabilities(self) -> Capabilities:
        """What Argilla can do; batches are smaller while people answer."""
        since = (datetime.now(UTC) - PEOPLE_AT_WORK).isoformat()
        return replace(CAPABILITIES, batch=BATCH_BESIDE_PEOPLE) if self._last_activity > since else CAPABILITIES

    def close(self) -> None:
        """Let go of connections."""
        self._http.close()

    # The dataset

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

    def _find_workspace(self) -> None:
        try:
            listed = expect(self._request("GET", "/me/workspaces", what="list the workspaces"), "items", list)
        except NotFound:
            raise NotFound(
                f"{self._http.origin}: this is no Argilla 2 server",
                remedy="check the url; a server of version 1 must be upgraded to 2.0 or newer",
            ) from None
        names = {str(workspace["name"]): str(workspace["id"]) for workspace in listed}
        if not self._workspace and len(names) == 1:
            self._workspace = next(iter(names))
        if self._workspace not in names:
            known = ", ".join(sorted(names)) or "none"
            problem = f"there is no workspace {self._workspace!r}" if self._workspace else "no workspace is named"
            raise NotFound(
                f"{self._http.origin}: {problem} that this key can see; it sees {known:.300}",
                remedy="set server.workspace in campaign.yaml, or make the workspace in Argilla",
            )
        self._workspace_id = names[self._workspace]

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
            "schema": template.fingerprint,
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
        dataset = str(expect(self._request("POST", "/datasets", body=body, what="make the dataset"), "id", str))
        try:
            for field in fields_of(template, project.repeats):
                self._request("POST", f"/datasets/{dataset}/fields", body=field, what=f"add field {field['name']!r}")
            for question in questions:
                what = f"add question {question['name']!r}"
                reply = self._request("POST", f"/datasets/{dataset}/questions", body=question, what=what)
                self._question_ids[question["name"]] = str(expect(reply, "id", str))
            # The one piece of metadata that managers look for: their own key of a record.
            key = {"name": "bridge_key", "title": "Key", "settings": {"type": "terms"}, "visible_for_annotators": False}
            self._request("POST", f"/datasets/{dataset}/metadata-properties", body=key, what="add metadata")
            self._request("PUT", f"/datasets/{dataset}/publish", what="publish the dataset")
            if not self._has_index(dataset):
                raise UnexpectedReply(
                    f"{self._http.origin}: the dataset was published, but has no search index",
                    remedy="look at the server's log: its search engine refused the index (k-NN plugin missing?)",
                )
        except ServerError as error:
            raise self._taken_back(dataset, project.title, error) from error
        self._id = dataset
        return RemoteProject(self._id, self._url(), 0, created=True)

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
        if mark.get("schema") != project.template.fingerprint:
            raise Conflict(
                f"{where} was made from another template or another version of it ({mark.get('template')}, schema "
                f"{mark.get('schema')}; now {project.template.name}, {project.template.fingerprint})",
                remedy="use the template that the dataset was made from, or another project name",
            )
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
        if not change:
            return RemoteProject(self._id, self._url(), 0)
        self._load_questions(where)
        wanted = self._settings(project)
        changed = {name: value for name, value in wanted.items() if found.get(name) != value}
        if changed:
            self._request("PATCH", f"/datasets/{self._id}", body=changed, what="bring the dataset up to date")
        held = self._count(self._id)
        self._mend_index(held)
        return RemoteProject(self._id, self._url(), held)

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

    # Records

    @reading
    def find(self, keys: Iterable[str]) -> dict[str, list[Remote]]:
        """Which of these keys are in the dataset."""
        found: dict[str, list[Remote]] = {}
        for key, record in self._look_up(keys):
            content = str((record.get("metadata") or {}).get("bridge_content", key))
            remote = Remote(str(record["id"]), len(record["suggestions"]), len(record["responses"]), content)
            found.setdefault(key, []).append(remote)
        return found

    def _look_up(self, keys: Iterable[str]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Those of these keys that are there, each with its record as the server has it."""
        wanted = {wire_id(key): key for key in keys}
        ids = list(wanted)
        for start in range(0, len(ids), LOOKUP_SIZE):
            scope = {"entity": "record", "property": "external_id"}
            terms = {"type": "terms", "scope": scope, "values": ids[start : start + LOOKUP_SIZE]}
            reply = self._search(self._id, {"filters": {"and": [terms]}}, limit=LOOKUP_SIZE, responses=True)
            for item in expect(reply, "items", list):
                key = wanted.get(str(item["record"].get("external_id")))
                if key is not None:
                    yield key, item["record"]

    @reading
    def write(self, records: Sequence[Record]) -> list[Outcome]:
        """Put records into the dataset by their external ids; those that Argilla could not hold are not sent."""
        outcomes: dict[str, Outcome] = {}
        items: dict[str, dict[str, Any]] = {}
        for record in records:
            try:
                items[record.key] = self._item(record)
            except ValueRejected as error:
                outcomes[record.key] = Outcome(record.key, "rejected", error.reason, error.remedy)
        outcomes |= self._put(items) if items else {}
        return [outcomes[record.key] for record in records]

    def _put(self, items: Mapping[str, dict[str, Any]]) -> dict[str, Outcome]:
        try:
            reply = self._bulk(list(items.values()), f"write {len(items)} records")
        except Refused as error:
            # The server stored nothing, unless it says that it could not encode a text.
            result = "unknown" if "codec" in error.reason else "rejected"
            return {key: Outcome(key, result, error.reason, error.remedy) for key in items}  # type: ignore[arg-type]
        except UnknownOutcome as error:
            return {key: Outcome(key, "unknown", error.reason, error.remedy) for key in items}
        stored = expect(reply, "items", list)
        if [item.get("external_id") for item in stored] != [item["external_id"] for item in items.values()]:
            reason = f"{self._http.origin}: sent {len(items)} records, but the reply names others"
            return {key: Outcome(key, "unknown", reason, "run the command again") for key in items}
        self._sent += len(items)
        return {
            key: Outcome(key, "accepted", remote_id=str(item["id"])) for key, item in zip(items, stored, strict=True)
        }

    def _bulk(self, items: list[dict[str, Any]], what: str) -> Any:
        return self._request("PUT", f"/datasets/{self._id}/records/bulk", body={"items": items}, what=what)

    def _item(self, record: Record) -> dict[str, Any]:
        item = item_of(record, self._bound.template, self._bound.repeats)
        return {**item, "suggestions": self._with_ids(item["suggestions"])}

    def _with_ids(self, suggestions: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{"question_id": self._question_ids[body.pop("question")], **body} for body in suggestions]

    def repair(self, records: Sequence[Record]) -> int:
        """Send the suggestions of records that are there without any; nothing else of them."""
        template, repeats = self._bound.template, self._bound.repeats
        bodies = {record.key: self._with_ids(suggestions_of(record, template, repeats)) for record in records}
        short = [
            key for key, found in self.find([key for key in bodies if bodies[key]]).items() if not found[0].suggestions
        ]
        for start in range(0, len(short), BATCH_BESIDE_PEOPLE):
            batch = short[start : start + BATCH_BESIDE_PEOPLE]
            items = [{"external_id": wire_id(key), "suggestions": bodies[key]} for key in batch]
            self._bulk(items, f"send {len(items)} lost suggestions again")
        return len(short)

    @reading
    def finish(self) -> int:
        """Compare the database with the search index, and let the server index again what is missing there."""
        return self._mend_index(self._count(self._id)) if self._sent else 0

    def _mend_index(self, held: int) -> int:
        indexed = int(expect(self._search(self._id, {}, limit=1), "total", int))
        if indexed == held:
            return 0
        there = {str(record.get("external_id")) for record in self._scan("") if record.get("external_id")}
        known: set[str] = set()
        ids = sorted(there)
        for start in range(0, len(ids), LOOKUP_SIZE):
            scope = {"entity": "record", "property": "external_id"}
            terms = {"type": "terms", "scope": scope, "values": ids[start : start + LOOKUP_SIZE]}
            reply = self._search(self._id, {"filters": {"and": [terms]}}, limit=LOOKUP_SIZE)
            known |= {str(item["record"].get("external_id")) for item in expect(reply, "items", list)}
        missing = sorted(there - known)
        for start in range(0, len(missing), BATCH_BESIDE_PEOPLE):
            # An item with nothing but its id changes nothing, and is indexed again with its answers (measured).
            batch = [{"external_id": id_} for id_ in missing[start : start + BATCH_BESIDE_PEOPLE]]
            self._bulk(batch, f"index {len(batch)} records again")
        indexed = int(expect(self._search(self._id, {}, limit=1), "total", int))
        if indexed != held:
            raise UnexpectedReply(
                f"{self._http.origin}: the database has {held:,} records of this dataset, the search index {indexed:,}",
                remedy="on the server, run `python -m argilla_server search-engine reindex`",
            )
        return len(missing)

    # Answers

    def changes(self, cursor: str = "") -> Iterator[Page]:
        """Everything, if anything happened since the cursor: Argilla cannot tell which answers changed."""
        if cursor and cursor == self._last_activity:
            return
        for _ in range(SCANS):
            done = 0
            for records, total in self._pages("responses"):
                done += len(records)
                answered = [self._answered(record) for record in records if record.get("external_id")]
                listed = answered if cursor else [found for found in answered if found.annotations]
                yield Page(listed, self._last_activity, total - done)
                if done == total:
                    return
        raise UnexpectedReply(
            f"{self._http.origin}: the list of records shifts while it is read ({SCANS} times in a row)",
            remedy="run the command again when nobody deletes records",
        )

    def _pages(self, include: str) -> Iterator[tuple[list[dict[str, Any]], int]]:
        """Pages of the database's own list, each with the number of records in all.

        The list ends early where it shifted: whoever counts notices.
        """
        done, last = 0, ""
        while True:
            # Offsets shift when a record is deleted, so every page begins with the last record of the one before.
            parameters: dict[str, Any] = {"limit": PAGE_SIZE, "offset": max(done - 1, 0)}
            if include:
                parameters["include"] = include
            reply = self._request("GET", f"/datasets/{self._id}/records", params=parameters, what="list the records")
            records, total = expect(reply, "items", list), expect(reply, "total", int)
            if last:
                if not records or str(records[0]["id"]) != last:
                    return
                del records[0]
            done += len(records)
            yield records, total
            if done >= total or not records:
                return
            last = str(records[-1]["id"])

    def _scan(self, include: str) -> Iterator[dict[str, Any]]:
        for records, _ in self._pages(include):
            yield from records

    @reading
    def _answered(self, record: Mapping[str, Any]) -> Answered:
        metadata = record.get("metadata") or {}
        key = str(metadata.get("bridge_key", record["external_id"]))
        responses = record.get("responses") or ()
        if not responses:
            return Answered(key, str(record["id"]), ())
        content = {"content": str(metadata["bridge_content"])} if "bridge_content" in metadata else {}
        fields = original_fields(record["fields"])
        annotations = []
        for response in responses:
            status = response["status"]
            if status not in STATUSES:
                raise TypeError(f"status {status!r:.20}")
            # A discarded response holds whatever the page held; nobody meant it as an answer.
            given = {} if status == "discarded" else to_answers(self._questions, response.get("values"), fields)
            annotations.append(
                Annotation(
                    record=key,
                    annotator=self._person(str(response["user_id"])),
                    status=status,
                    answers=given,
                    created_at=moment(response["inserted_at"]),
                    updated_at=moment(response["updated_at"]),
                    source={
                        "server": "argilla",
                        "project": self._id,
                        "task": str(record["id"]),
                        "id": str(response["id"]),
                        **content,
                    },
                )
            )
        return Answered(key, str(record["id"]), tuple(annotations))

    def _person(self, user: str) -> str:
        if user not in self._people:
            self._people |= names_of(self._members())
        if user not in self._people:
            with suppress(AuthError):  # people who have left the workspace; only owners see them
                self._people |= names_of(self._users())
        return self._people.setdefault(user, f"user-{user}")

    def _members(self) -> list[dict[str, Any]]:
        reply = self._request("GET", f"/workspaces/{self._workspace_id}/users", what="list the annotators")
        return list(expect(reply, "items", list))

    def _users(self) -> list[dict[str, Any]]:
        return list(expect(self._request("GET", "/users", what="list the users"), "items", list))

    @reading
    def people(self) -> list[str]:
        """The names of the members of the workspace."""
        self._find_workspace()
        return sorted(names_of(self._members()).values())

    @reading
    def add_person(self, name: str, password: Secret) -> None:
        """Make an annotator and a member of the workspace; only owners of the server may.

        Raises:
            Refused: Argilla takes no such name or password.
            AuthError: the key is not an owner's.
        """
        self._find_workspace()
        ids = {known: id_ for id_, known in names_of(self._users()).items()}
        if name not in ids:
            made = self._request("POST", "/users", body=new_user(name, password.reveal()), what="make an account")
            ids[name] = str(expect(made, "id", str))
        path = f"/workspaces/{self._workspace_id}/users"
        self._request("POST", path, body={"user_id": ids[name]}, what="let somebody into the workspace")

    @reading
    def answer(self, annotations: Sequence[Annotation]) -> list[Outcome]:
        """Put responses beside the records, in one request; it may be repeated, and changes nothing then."""
        users = {name: id_ for id_, name in names_of(self._members()).items()}
        records = dict(self._look_up({annotation.record for annotation in annotations}))
        outcomes: list[Outcome | None] = []
        for annotation in annotations:
            record = records.get(annotation.record)
            if record is None:
                outcomes.append(Outcome(annotation.record, "rejected", "the record is not there", "push it first"))
                continue
            theirs = [a for a in self._answered(record).annotations if a.annotator == annotation.annotator]
            outcomes.append(why_not(annotation, theirs, users))
        sending = [a for a, outcome in zip(annotations, outcomes, strict=True) if outcome is None]
        sent = iter(self._put_answers(sending, records, users) if sending else ())
        return [outcome or next(sent) for outcome in outcomes]

    def _put_answers(
        self, annotations: Sequence[Annotation], records: Mapping[str, dict[str, Any]], users: Mapping[str, str]
    ) -> list[Outcome]:
        items = items_of(annotations, records, users, self._bound.template, self._bound.repeats)
        try:
            reply = self._bulk(items, f"write {len(annotations)} answers")
        except Refused as error:
            # As with records: where it could not encode a text, it may have stored it all the same.
            result: Result = "unknown" if "codec" in error.reason else "rejected"
            return [Outcome(a.record, result, error.reason, error.remedy) for a in annotations]
        except UnknownOutcome as error:
            return [Outcome(a.record, "unknown", error.reason, error.remedy) for a in annotations]
        stored = {
            (str(item["external_id"]), str(response["user_id"])): str(response["id"])
            for item in expect(reply, "items", list)
            for response in item["responses"]
        }
        ids = [stored.get((wire_id(a.record), users[a.annotator]), "") for a in annotations]
        return [
            Outcome(a.record, "accepted" if id_ else "unknown", remote_id=id_)
            for a, id_ in zip(annotations, ids, strict=True)
        ]

    @reading
    def progress(self) -> Progress:
        """Records as the database counts them; those answered and completed as the search index does."""
        submitted = {"type": "terms", "scope": {"entity": "response", "property": "status"}, "values": ["submitted"]}
        answered = self._search(self._id, {"filters": {"and": [submitted]}}, limit=1)
        counts = self._request("GET", f"/datasets/{self._id}/progress", what="ask for the progress")
        return Progress(
            records=self._count(self._id),
            answered=expect(answered, "total", int),
            completed=expect(counts, "completed", int),
        )

    # Requests

    def _count(self, dataset: str) -> int:
        reply = self._request("GET", f"/datasets/{dataset}/records", params={"limit": 1}, what="count the records")
        return int(expect(reply, "total", int))

    def _search(self, dataset: str, query: Mapping[str, Any], *, limit: int, responses: bool = False) -> Any:
        parameters: dict[str, Any] = {"limit": limit}
        if responses:
            parameters["include"] = ["responses", "suggestions"]
        return self._request(
            "POST",
            f"/datasets/{dataset}/records/search",
            params=parameters,
            body=query,
            what="search the records",
            reads=True,
        )

    def _request(self, method: Any, path: str, **rest: Any) -> Any:
        return self._http.request(method, f"/api/v1{path}", **rest)

    @property
    def _bound(self) -> Project:
        if self._project is None:
            raise RuntimeError("call ensure() first")
        return self._project


def our_mark(dataset: Mapping[str, Any]) -> dict[str, Any] | None:
    """Our mark in a dataset's metadata; None where annobridge did not make it."""
    mark = (dataset.get("metadata") or {}).get(_MARK)
    return mark if isinstance(mark, dict) and isinstance(mark.get("repeats"), int) else None
