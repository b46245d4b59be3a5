"""Label Studio, over its REST API.

Written against Label Studio 1.23.2 (community edition). What shaped it was measured there: an import that runs beside
another write on SQLite can lose predictions behind a 201, so writes go one at a time and are counted; an import
answered with 5xx may have happened, so nothing is ever sent twice; page numbers shift while people work, so listings
go on from the last id seen.
"""

from __future__ import annotations

import html
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bridge.annotations import Annotation
from bridge.errors import Busy, Conflict, NotFound, Refused, ServerError, TooLarge, UnexpectedReply, UnknownOutcome
from bridge.questions import Question
from bridge.records import Record, wire_id
from bridge.servers.answers import why_not
from bridge.servers.http import Client
from bridge.servers.label_studio_answers import NO_ACCOUNTS, answered, write_answer
from bridge.servers.label_studio_changes import TOTALS, Sweep, Totals
from bridge.servers.label_studio_cursor import OVERLAP
from bridge.servers.label_studio_kinds import KINDS
from bridge.servers.label_studio_login import Login
from bridge.servers.label_studio_page import label_config
from bridge.servers.label_studio_records import task_of
from bridge.servers.label_studio_tasks import ANSWERS, COUNTS, HELD, Rule, listed, pages, rule
from bridge.servers.label_studio_updates import due, remove, show
from bridge.servers.protocol import Answered, Capabilities, Outcome, Page, Progress, Project, Remote, RemoteProject
from bridge.servers.replies import expect, moment, reading

if TYPE_CHECKING:
    import httpx2

    from bridge.keys import Secret
    from bridge.servers.retries import Retries

LOOKUP_SIZE = 500

CAPABILITIES = Capabilities(
    question_kinds=frozenset(KINDS),
    title_length=(3, 50),
    batch=500,
    unique_keys=False,
    incremental=True,
    drafts=False,
    options={"rating": (2, 11)},
    requests_per_update=2,
)

_PROJECT_FIELDS = f"id,title,description,created_at,label_config,maximum_annotations,task_number,{TOTALS}"
_MARKER = re.compile(r"\[annobridge/1 template=(\S+) schema=([0-9a-f]+) repeats=(\d+)\]")


class LabelStudio:
    """One Label Studio server, and after :meth:`ensure` one project on it.

    Args:
        url: the server's address, without ``/api``.
        key: a personal access token, or a legacy token where the server still takes them.
        allow_http: permit plain http to hosts other than this machine.
        transport: for tests, any httpx2 transport.
        retries: how often requests are sent again where that is safe.
    """

    capabilities = CAPABILITIES

    def __init__(
        self,
        url: str,
        key: Secret,
        *,
        allow_http: bool = False,
        transport: httpx2.BaseTransport | None = None,
        retries: Retries | None = None,
    ) -> None:
        self._http = Client(url, self._headers, allow_http=allow_http, transport=transport, retries=retries)
        self._login = Login(self._http, key)
        self._people: dict[int, str] = {}
        self._id = ""
        self._project: Project | None = None
        self._questions: dict[str, Question] = {}
        self._totals: tuple[float, Totals] | None = None

    def _headers(self) -> dict[str, str]:
        return self._login.headers()

    def close(self) -> None:
        """Let go of connections."""
        self._http.close()

    # The project

    @reading
    def ensure(self, project: Project, *, create: bool) -> RemoteProject:
        """Find the campaign's project by its title and our mark in its description, or make it."""
        named = [p for p in self._projects() if p.get("title") == project.title]
        ours = [p for p in named if our_mark(p)]
        if len(ours) > 1:
            raise Conflict(
                f"{self._http.origin}: {len(ours)} annobridge projects are called {project.title!r}",
                remedy="rename or delete all but one of them in Label Studio",
            )
        if named and not ours:
            raise Conflict(
                f"{self._http.origin}: a project {project.title!r} exists that annobridge did not make",
                remedy="choose another project name in campaign.yaml (or --project); to take it over, or to refresh "
                "a campaign that did: annobridge adopt",
            )
        if not ours and not create:
            raise NotFound(
                f"{self._http.origin}: there is no project {project.title!r}", remedy="run `annobridge push` first"
            )
        self._project = project
        self._questions = {question.name: question for question in project.template.questions}
        if not ours:
            return self._create(project)
        return self._adopt(ours[0], project, change=create)

    def _projects(self) -> Iterator[dict[str, Any]]:
        page = 1
        while True:
            reply = self._http.request(
                "GET",
                "/api/projects/",
                params={
                    "page": page,
                    "page_size": 100,
                    "include": _PROJECT_FIELDS,
                },
                what="list the projects",
            )
            found = expect(reply, "results", list)
            yield from (project for project in found if isinstance(project, dict))
            if not found or page * 100 >= expect(reply, "count", int):
                return
            page += 1

    def _settings(self, project: Project, repeats: int) -> dict[str, Any]:
        template = project.template
        mark = f"[annobridge/1 template={template.name} schema={project.mark} repeats={repeats}]"
        return {
            "title": project.title,
            # People see the description in the list of projects; the mark tells us that the project is ours.
            "description": f"{template.title}. Please keep this line: {mark}",
            "label_config": label_config(template, repeats),
            "maximum_annotations": project.annotators_per_record,
            # Label Studio renders instructions as HTML.
            "expert_instruction": html.escape(template.guidelines).replace("\n", "<br>"),
            "show_collab_predictions": True,
        }

    def _create(self, project: Project) -> RemoteProject:
        reply = self._http.request(
            "POST", "/api/projects/", body=self._settings(project, project.repeats), what="create the project"
        )
        self._id = str(expect(reply, "id", int))
        return RemoteProject(self._id, self._url(), 0, created=True, born=moment(reply.get("created_at")))

    def _adopt(self, found: Mapping[str, Any], project: Project, *, change: bool) -> RemoteProject:
        mark = our_mark(found)
        assert mark is not None
        project.check_mark(f"{self._http.origin}: project {project.title!r}", mark[1], mark[2])
        self._id = str(found["id"])
        self._totals = time.monotonic(), Totals.of(found, self._http.server_time)
        wanted = self._settings(project, max(project.repeats, int(mark[3])))
        changed = {
            name: wanted[name] for name in ("label_config", "maximum_annotations") if found[name] != wanted[name]
        }
        if change and changed:
            body = {**changed, "description": wanted["description"], "expert_instruction": wanted["expert_instruction"]}
            self._http.request("PATCH", f"/api/projects/{self._id}/", body=body, what="bring the project up to date")
        held = int(found.get("task_number") or 0)
        return RemoteProject(self._id, self._url(), held, born=moment(found.get("created_at")))

    def _url(self) -> str:
        return f"{self._http.origin}/projects/{self._id}/data"

    # Records

    @reading
    def find(self, keys: Iterable[str]) -> dict[str, list[Remote]]:
        """Which of these keys are in the project, with the tasks that hold them."""
        wanted = {wire_id(key): key for key in keys}
        found: dict[str, list[Remote]] = {}
        ids = list(wanted)
        for start in range(0, len(ids), LOOKUP_SIZE):
            wanted_ids = rule("data.bridge_id", "in_list", ids[start : start + LOOKUP_SIZE], "List")
            for tasks, _ in pages(self._http, self._id, [wanted_ids], HELD):
                for task in tasks:
                    key = wanted.get(str(task["data"].get("bridge_id")))
                    if key is not None:
                        found.setdefault(key, []).append(listed(task)[1])
        return found

    def listing(self) -> Iterator[Sequence[tuple[str, Remote]]]:
        """Every task of the project, in order of id."""
        for tasks, _ in pages(self._http, self._id, [], COUNTS):
            yield [listed(task) for task in tasks]

    def write(self, records: Sequence[Record]) -> list[Outcome]:
        """Import records as tasks, each with one prediction that pre-fills the page."""
        tasks = [self._task(record) for record in records]
        try:
            reply = self._http.request(
                "POST",
                f"/api/projects/{self._id}/import",
                params={"return_task_ids": "true"},
                body=tasks,
                what=f"import {len(tasks)} records",
                batch=True,
            )
        except TooLarge:
            raise
        except Refused as error:
            return [Outcome(record.key, "rejected", error.reason, error.remedy) for record in records]
        except UnknownOutcome as error:
            return [_unknown(record, error) for record in records]
        try:
            ids, count = expect(reply, "task_ids", list), expect(reply, "task_count", int)
            if not len(ids) == count == len(records):
                raise UnexpectedReply(
                    f"{self._http.origin}: sent {len(records)} records, but the reply counts {count}",
                    remedy="run the command again",
                )
            if expect(reply, "prediction_count", int) != sum("predictions" in task for task in tasks):
                self.repair(records)
        except ServerError as error:
            # They were sent, so the error must not look like one of those after which nothing was written.
            return [_unknown(record, error) for record in records]
        return [Outcome(record.key, "accepted", remote_id=str(i)) for record, i in zip(records, ids, strict=True)]

    def _task(self, record: Record) -> dict[str, Any]:
        return task_of(record, self._bound.template, self._bound.repeats, self._bound.properties)

    def repair(self, records: Sequence[Record]) -> int:
        """Send the suggestions of records that are there but lost theirs, until each has them; returns how many."""
        tasks = {task["data"]["bridge_id"]: task for task in map(self._task, records) if "predictions" in task}
        repaired = 0
        for attempt in range(5):
            wanted_ids = rule("data.bridge_id", "in_list", list(tasks), "List")
            held = pages(self._http, self._id, [wanted_ids], HELD) if tasks else iter(())
            short = [task for found, _ in held for task in found if not task["predictions"]]
            if not short:
                return repaired
            repaired = max(repaired, len(short))
            time.sleep(0.5 * attempt)
            predictions = [
                {"task": task["id"], **prediction}
                for task in short
                for prediction in tasks[task["data"]["bridge_id"]]["predictions"]
            ]
            self._import_predictions(predictions, f"send the suggestions of {len(short)} records")
        raise ServerError(
            f"{self._http.origin}: the server keeps losing the suggestions of {len(short)} records",
            remedy="stop other imports into this server, then run the command again",
        )

    def _import_predictions(self, predictions: list[dict[str, Any]], what: str) -> None:
        self._http.request("POST", f"/api/projects/{self._id}/import/predictions", body=predictions, what=what)

    @reading
    def update(self, records: Sequence[Record]) -> list[Outcome]:
        """Give tasks the present texts of their records, and the suggestions for them; doubles too."""
        wanted_ids = rule("data.bridge_id", "in_list", [wire_id(record.key) for record in records], "List")
        tasks = list(self._tasks([wanted_ids], "id,data")) if records else []
        outcomes, texts = due(records, tasks, lambda record: self._task(record)["data"])
        shown = [record for record in records if outcomes[record.key].result == "accepted"]
        try:
            refused = show(self._http, self._id, texts)
            if not self.repair(shown) and texts:
                # A change writes back the task's counts as they were read before it, so that an answer of that moment
                # may be missing in them; after an import of predictions the server counts anew.
                self._import_predictions([], "count the answers again")
        except UnknownOutcome as error:
            return [_unknown(r, error) if r in shown else outcomes[r.key] for r in records]
        return [refused.get(record.key, outcomes[record.key]) for record in records]

    @reading
    def remove(self, ids: Iterable[str]) -> int:
        """Delete those of these tasks that nobody has answered, skipped or begun to answer."""
        return remove(self._http, self._id, ids)

    def finish(self) -> int:
        """Nothing is kept twice here."""
        return 0

    # Answers

    def changes(self, cursor: str = "") -> Iterator[Page]:
        """Tasks with answers; with a cursor, only those that changed since, and what may have come late before it."""
        yield from Sweep(self._http, self._id, self._answered, self._recent_totals).since(cursor)

    def _recent_totals(self) -> Totals:
        """Of so short a time ago that the overlap of the next pull covers what came since."""
        if self._totals is None or time.monotonic() - self._totals[0] > OVERLAP.total_seconds() / 2:
            reply = self._http.request(
                "GET", f"/api/projects/{self._id}/", params={"include": TOTALS}, what="count the answers"
            )
            self._totals = time.monotonic(), Totals.of(reply, self._http.server_time)
        return self._totals[1]

    @reading
    def _answered(self, task: Mapping[str, Any]) -> Answered:
        return answered(task, self._id, self._questions, self._person)

    def _person(self, user: object) -> str:
        if not isinstance(user, int):
            return "unknown"
        if user not in self._people:
            self._people = self._accounts()
        return self._people.setdefault(user, f"user-{user}")

    def _accounts(self) -> dict[int, str]:
        people = self._http.request("GET", "/api/users/", what="list the annotators")
        if not isinstance(people, list):
            raise TypeError("the list of annotators")
        return {person["id"]: str(person["email"]).lower() for person in people}

    @reading
    def people(self) -> list[str]:
        """The e-mail addresses of all users, in lower case."""
        return sorted(self._accounts().values())

    def add_person(self, name: str, password: Secret) -> None:
        """Refused always: such an account would keep its owner out.

        Raises:
            Refused: names the way that works.
        """
        raise NO_ACCOUNTS

    @reading
    def answer(self, annotations: Sequence[Annotation]) -> list[Outcome]:
        """Write answers one by one; after one whose outcome is unknown, none is sent any more."""
        ids = {name: number for number, name in self._accounts().items()}
        wanted = rule("data.bridge_id", "in_list", sorted({wire_id(a.record) for a in annotations}), "List")
        held: dict[str, Answered] = {}
        for tasks, _ in pages(self._http, self._id, [wanted], ANSWERS) if annotations else ():
            for found in map(self._answered, tasks):
                other = held.get(found.key, found)
                both = found.annotations if other is found else other.annotations + found.annotations
                held[found.key] = Answered(found.key, other.remote_id, both)
        outcomes: list[Outcome] = []
        for annotation in annotations:
            lost = next((outcome for outcome in outcomes if outcome.result == "unknown"), None)
            outcomes.append(lost or self._write_answer(annotation, held.get(annotation.record), ids))
        return [replace(outcome, key=a.record) for outcome, a in zip(outcomes, annotations, strict=True)]

    def _write_answer(self, annotation: Annotation, found: Answered | None, ids: Mapping[str, int]) -> Outcome:
        if found is None:
            return Outcome(annotation.record, "rejected", "the record is not there", "push it first")
        theirs = [other for other in found.annotations if other.annotator == annotation.annotator]
        names = self._bound.template.field_names(self._bound.repeats)
        return why_not(annotation, theirs, ids) or write_answer(
            self._http,
            found.remote_id,
            ids[annotation.annotator],
            annotation,
            self._questions,
            names,
        )

    def progress(self) -> Progress:
        """Counts from the project itself."""
        include = "id,task_number,num_tasks_with_annotations,finished_task_number"
        reply = self._http.request(
            "GET", f"/api/projects/{self._id}/", params={"include": include}, what="count the records"
        )
        return Progress(
            records=expect(reply, "task_number", int),
            answered=expect(reply, "num_tasks_with_annotations", int),
            completed=expect(reply, "finished_task_number", int),
        )

    @property
    def _bound(self) -> Project:
        if self._project is None:
            raise RuntimeError("call ensure() first")
        return self._project

    def _tasks(self, rules: list[Rule], include: str) -> Iterator[dict[str, Any]]:
        for tasks, _ in pages(self._http, self._id, rules, {"include": include}):
            yield from tasks


def _unknown(record: Record, error: ServerError) -> Outcome:
    wait_s = error.wait_s if isinstance(error, Busy | UnknownOutcome) else 0.0
    return Outcome(record.key, "unknown", error.reason, error.remedy, wait_s=wait_s)


def our_mark(project: Mapping[str, Any]) -> re.Match[str] | None:
    """Our mark in a project's description: the last one, because a template's title before it may look like one."""
    return next(reversed(list(_MARKER.finditer(str(project.get("description") or "")))), None)
