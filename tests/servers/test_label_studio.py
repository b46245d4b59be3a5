"""The Label Studio adapter on a live server: what the contract does not cover, and what goes wrong on the way there."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import httpx2
import pytest

from bridge.errors import AuthError, BridgeError, Conflict, NotFound, UnexpectedReply, Unreachable
from bridge.keys import Secret
from bridge.records import Record, Suggestion, record_key
from bridge.servers import label_studio as module
from bridge.servers import label_studio_tasks
from bridge.servers.http import Client
from bridge.servers.label_studio import LabelStudio
from bridge.servers.label_studio_cursor import OVERLAP
from bridge.servers.label_studio_login import Login
from bridge.servers.label_studio_records import AGENT
from bridge.servers.label_studio_tasks import rule
from bridge.servers.local_label_studio import LocalLabelStudio
from bridge.servers.protocol import Project
from bridge.sync.push import push
from bridge.templates import TaskTemplate, load_template
from bridge.testing import LabelStudioPerson
from tests.meddling import Meddling

RATING = load_template("rating")
_NUMBERS = itertools.count(1)


@pytest.fixture
def project() -> Project:
    return Project(f"Adapter {next(_NUMBERS)}", RATING)


@pytest.fixture
def api(label_studio: LocalLabelStudio) -> Iterator[Client]:
    """The bare REST API as the administrator, to look behind the adapter."""
    server = LabelStudio(label_studio.url, label_studio.token)
    yield server._http
    server.close()


@pytest.fixture
def connect(label_studio: LocalLabelStudio) -> Iterator[Callable[..., LabelStudio]]:
    made: list[LabelStudio] = []

    def connect(transport: httpx2.BaseTransport | None = None, token: Secret | None = None) -> LabelStudio:
        made.append(LabelStudio(label_studio.url, token or label_studio.token, transport=transport))
        return made[-1]

    yield connect
    for server in made:
        server.close()


def records(count: int) -> list[Record]:
    return [
        Record(f"r{n}", {"prompt": f"{n}?", "response": str(n)}, [Suggestion("rating", 1 + n % 5, 0.5)])
        for n in range(count)
    ]


Connect = Callable[..., LabelStudio]


class TestWhatIsOnTheServer:
    def test_suggestions_are_of_the_version_that_the_project_shows(
        self, connect: Connect, api: Client, project: Project
    ) -> None:
        remote = push(connect(), project, records(3)).project
        found = api.request("GET", f"/api/projects/{remote.id}/")
        assert (found["model_version"], found["show_collab_predictions"]) == (AGENT, True)
        assert found["maximum_annotations"] == project.annotators_per_record

    def test_texts_are_stored_character_for_character(self, connect: Connect, api: Client, project: Project) -> None:
        text = "tab\t  spaces\n\n<b>&amp;</b> ]]> $prompt {{x}} 😀 e\u0301 \u202e rtl \u2028 \x0b \ufeff s3://x/y"
        server = connect()
        push(server, project, [Record("r", {"prompt": text, "response": text})])
        task = api.request("GET", f"/api/tasks/{server.find(['r'])['r'][0].id}/")
        assert (task["data"]["prompt"], task["data"]["response"]) == (text, text)

    def test_carriage_returns_are_shown_as_line_breaks_of_the_same_length(
        self, connect: Connect, api: Client, project: Project
    ) -> None:
        server = connect()
        push(server, project, [Record("r", {"prompt": "one\r\ntwo\rthree\n", "response": "x"})])
        shown = api.request("GET", f"/api/tasks/{server.find(['r'])['r'][0].id}/")["data"]["prompt"]
        assert shown == "one\u200b\ntwo\nthree\n"

    def test_metadata_and_agents_stay_at_home(self, connect: Connect, api: Client, project: Project) -> None:
        secret = Record(
            "r", {"prompt": "p", "response": "x"}, [Suggestion("rating", 2, 0.5, "model-canary")], {"m": "meta-canary"}
        )
        server = connect()
        push(server, project, [secret])
        task = api.request("GET", f"/api/tasks/{server.find(['r'])['r'][0].id}/")
        assert "canary" not in json.dumps(task)

    def test_managers_can_filter_by_the_properties_of_the_campaign(
        self, connect: Connect, api: Client, project: Project
    ) -> None:
        sent = [
            Record(topic, {"prompt": topic, "response": "x"}, metadata={"topic": topic, "m": "meta-canary"})
            for topic in ("sums", "capitals")
        ]
        server = connect()
        remote = push(server, replace(project, properties=("topic",)), sent).project
        wanted = rule("data.about_topic", "equal", "sums", "String")
        query = json.dumps({"filters": {"conjunction": "and", "items": [wanted]}})
        listed = api.request("GET", "/api/tasks/", params={"project": remote.id, "query": query, "fields": "all"})
        (task,) = listed["tasks"]
        assert task["data"]["bridge_id"] == "sums"
        assert "canary" not in json.dumps(task)

    def test_guidelines_are_text_in_the_instructions(self, connect: Connect, api: Client) -> None:
        hostile = RATING.model_copy(update={"guidelines": "<img src=x onerror=alert(1)>\n& so on"})
        remote = connect().ensure(Project(f"Adapter {next(_NUMBERS)}", hostile), create=True)
        shown = api.request("GET", f"/api/projects/{remote.id}/")["expert_instruction"]
        assert shown == "&lt;img src=x onerror=alert(1)&gt;<br>&amp; so on"

    def test_an_optional_field_may_be_missing(self, connect: Connect) -> None:
        shape = RATING.model_dump(exclude_none=True)
        shape["fields"] += [
            {"name": "context", "title": "Context", "required": False},
            {"name": "history", "title": "History", "type": "chat", "required": False},
        ]
        template = TaskTemplate.model_validate(shape)
        result = push(connect(), Project(f"Adapter {next(_NUMBERS)}", template), records(1))
        assert (result.sent, result.rejected) == (1, [])

    def test_a_project_of_that_name_made_by_hand_is_left_alone(
        self, connect: Connect, api: Client, project: Project
    ) -> None:
        api.request("POST", "/api/projects/", body={"title": project.title, "label_config": "<View></View>"})
        with pytest.raises(Conflict, match="did not make"):
            connect().ensure(project, create=True)

    def test_reworded_templates_change_the_page(self, connect: Connect, api: Client, project: Project) -> None:
        remote = connect().ensure(project, create=True)
        reworded = RATING.model_copy(update={"guidelines": "Be strict with rhymes."})
        connect().ensure(Project(project.title, reworded, 3), create=True)
        found = api.request("GET", f"/api/projects/{remote.id}/")
        assert "Be strict with rhymes." in found["label_config"]
        assert found["maximum_annotations"] == 3


class TestLostAndUnknown:
    def test_predictions_that_the_server_loses_are_sent_again(self, connect: Connect, project: Project) -> None:
        def lose(request: httpx2.Request, real: httpx2.BaseTransport) -> httpx2.Response | None:
            if not request.url.path.endswith("/import"):
                return None
            tasks = json.loads(request.content)
            for task in tasks[::2]:
                del task["predictions"]
            headers = {k: v for k, v in request.headers.items() if k.lower() != "content-length"}
            return real.handle_request(
                httpx2.Request("POST", request.url, headers=headers, content=json.dumps(tasks).encode())
            )

        server = connect(Meddling(lose))
        assert push(server, project, records(20)).sent == 20
        found = server.find([f"r{n}" for n in range(20)])
        assert [remote.suggestions for (remote,) in found.values()] == [1] * 20

    def test_an_answer_that_is_lost_after_the_commit_is_looked_up(self, connect: Connect, project: Project) -> None:
        def drop(request: httpx2.Request, real: httpx2.BaseTransport) -> httpx2.Response | None:
            if request.url.path.endswith("/import"):
                real.handle_request(request).read()
                raise httpx2.ReadError("connection reset")
            return None

        result = push(connect(Meddling(drop)), project, records(5))
        assert (result.sent, result.unknown) == (5, [])
        assert connect().ensure(project, create=False).records == 5

    def test_suggestions_lost_behind_a_lost_answer_come_back_too(self, connect: Connect, project: Project) -> None:
        def lose_both(request: httpx2.Request, real: httpx2.BaseTransport) -> httpx2.Response | None:
            if not request.url.path.endswith("/import"):
                return None
            tasks = [{"data": task["data"]} for task in json.loads(request.content)]
            headers = {k: v for k, v in request.headers.items() if k.lower() != "content-length"}
            real.handle_request(
                httpx2.Request("POST", request.url, headers=headers, content=json.dumps(tasks).encode())
            ).read()
            raise httpx2.ReadTimeout("too late")

        server = connect(Meddling(lose_both))
        result = push(server, project, records(4))
        assert (result.sent, result.repaired, result.unknown) == (4, 4, [])
        assert [len(found) for found in server.find(["r0", "r1", "r2", "r3"]).values()] == [1] * 4

    def test_doubled_records_are_reported_by_the_next_push(self, connect: Connect, project: Project) -> None:
        server = connect()
        push(server, project, records(3))
        server.write(records(1))  # as another pusher would that looked at the same moment
        result = push(server, project, records(3))
        assert (result.sent, result.present, result.doubled, result.complete) == (0, 3, ["r0"], False)

    def test_a_write_that_never_arrives_is_looked_up_before_it_is_sent_again(
        self, connect: Connect, project: Project
    ) -> None:
        def fail(request: httpx2.Request, real: httpx2.BaseTransport) -> httpx2.Response | None:
            return httpx2.Response(502, text="bad gateway") if request.url.path.endswith("/import") else None

        meddling = Meddling(fail)
        result = push(connect(meddling), project, records(5), patience_s=0)
        assert (result.sent, bool(result.unknown), result.complete) == (0, True, False)
        writes = [number for number, (_, path) in enumerate(meddling.seen) if path.endswith("/import")]
        look = ("GET", "/api/tasks/")
        assert all(look in meddling.seen[one:next_one] for one, next_one in pairwise([*writes, None]))
        assert push(connect(), project, records(5)).sent == 5

    def test_one_record_that_the_server_refuses_does_not_hold_up_the_others(
        self, connect: Connect, project: Project
    ) -> None:
        def refuse(request: httpx2.Request, real: httpx2.BaseTransport) -> httpx2.Response | None:
            if request.url.path.endswith("/import") and b'"r7"' in request.content:
                return httpx2.Response(400, json={"detail": "Validation error"})
            return None

        result = push(connect(Meddling(refuse)), project, records(20))
        assert (result.sent, [reject.key for reject in result.rejected]) == (19, ["r7"])


class TestWrite:
    @pytest.mark.parametrize("body", [{}, [], {"task_ids": [1]}, {"task_ids": [1, 2], "task_count": 2}])
    def test_a_reply_that_does_not_say_what_was_written_leaves_it_unknown(
        self, connect: Connect, project: Project, body: object
    ) -> None:
        server = connect(answering("/import", httpx2.Response(201, json=body)))
        server.ensure(project, create=True)
        assert [outcome.result for outcome in server.write(records(2))] == ["unknown"] * 2

    def test_records_whose_lost_suggestions_cannot_be_sent_are_unknown(
        self, connect: Connect, project: Project
    ) -> None:
        def lose(request: httpx2.Request, real: httpx2.BaseTransport) -> httpx2.Response | None:
            if request.url.path.endswith("/import"):
                body = json.dumps([{"data": task["data"]} for task in json.loads(request.content)]).encode()
                return real.handle_request(resent(request, body))
            return httpx2.Response(503) if request.url.path.endswith("/import/predictions") else None

        server = connect(Meddling(lose))
        server.ensure(project, create=True)
        assert [outcome.result for outcome in server.write(records(2))] == ["unknown"] * 2


def answering(path: str, reply: httpx2.Response) -> Meddling:
    """Traffic in which what goes to that path does not arrive."""
    return Meddling(lambda request, real: reply if request.url.path.endswith(path) else None)


def resent(request: httpx2.Request, body: bytes) -> httpx2.Request:
    headers = {k: v for k, v in request.headers.items() if k.lower() != "content-length"}
    return httpx2.Request(request.method, request.url, headers=headers, content=body)


class TestListing:
    def test_tasks_of_other_people_have_no_key(self, connect: Connect, api: Client, project: Project) -> None:
        remote = push(connect(), project, records(1)).project
        api.request("POST", f"/api/projects/{remote.id}/import", body=[{"data": {"prompt": "p", "response": "r"}}])
        server = connect()
        server.ensure(project, create=False)
        assert [(key, bool(found.content)) for page in server.listing() for key, found in page] == [
            ("r0", True),
            ("", False),
        ]


class TestUpdate:
    NEW = Record("r0", {"prompt": "new?", "response": "0"}, [Suggestion("rating", 5)])

    def test_the_page_has_the_new_text_and_only_its_suggestions(
        self, connect: Connect, api: Client, project: Project
    ) -> None:
        server = connect()
        push(server, project, records(1))
        server.update([self.NEW])
        task = api.request("GET", f"/api/tasks/{server.find(['r0'])['r0'][0].id}/")
        (prediction,) = task["predictions"]
        assert (task["data"]["prompt"], prediction["model_version"]) == ("new?", AGENT)
        assert prediction["result"][0]["value"] == {"rating": 5}

    @pytest.mark.parametrize("arrives", [True, False])
    @pytest.mark.parametrize("step", range(4))
    def test_a_change_that_breaks_off_is_unknown_and_mended_by_the_next(
        self, connect: Connect, project: Project, label_studio: LocalLabelStudio, step: int, arrives: bool
    ) -> None:
        push(connect(), project, records(1))
        person = LabelStudioPerson(label_studio.url, label_studio.token)
        person.ensure(project, create=False)
        person.annotate("r0", {"rating": 1})
        person.close()
        writes = itertools.count()

        def break_off(request: httpx2.Request, real: httpx2.BaseTransport) -> httpx2.Response | None:
            writing = request.method != "GET" and "token" not in request.url.path
            if writing and next(writes) == step:
                if arrives:
                    real.handle_request(request).read()
                raise httpx2.ReadError("connection reset")
            return None

        server = connect(Meddling(break_off))
        server.ensure(project, create=False)
        assert [outcome.result for outcome in server.update([self.NEW])] == ["unknown"]
        assert [outcome.result for outcome in server.update([self.NEW])] == ["accepted"]
        (remote,) = server.find(["r0"])["r0"]
        assert (remote.content, remote.suggestions) == (record_key(self.NEW.fields), 1)
        (annotation,) = [a for page in server.changes() for found in page.records for a in found.annotations]
        assert annotation.source["content"].startswith("before")

    def test_an_answer_that_comes_in_while_the_text_changes_is_counted(
        self, connect: Connect, project: Project, label_studio: LocalLabelStudio
    ) -> None:
        push(connect(), project, [Record("r0", {"prompt": "old?", "response": "0"})])
        person = LabelStudioPerson(label_studio.url, label_studio.token)
        person.ensure(project, create=False)
        person.annotate("r0", {"rating": 1})
        person.close()

        def write_old_counts(request: httpx2.Request, real: httpx2.BaseTransport) -> httpx2.Response | None:
            """As the server does with what it read of the task just before the answer came."""
            if request.method != "PATCH":
                return None
            body = {**json.loads(request.content), "total_annotations": 0}
            return real.handle_request(resent(request, json.dumps(body).encode()))

        server = connect(Meddling(write_old_counts))
        server.ensure(project, create=False)
        server.update([Record("r0", self.NEW.fields)])
        assert server.find(["r0"])["r0"][0].annotations == 1
        assert [len(found.annotations) for page in server.changes() for found in page.records] == [1]

    def test_a_record_that_is_deleted_meanwhile_is_rejected_and_its_siblings_change(
        self, connect: Connect, api: Client, project: Project
    ) -> None:
        server = connect()
        push(server, project, records(2))
        gone = server.find(["r0"])["r0"][0].id

        def delete(request: httpx2.Request, real: httpx2.BaseTransport) -> httpx2.Response | None:
            if request.method == "PATCH" and request.url.path == f"/api/tasks/{gone}/":
                api.request("DELETE", f"/api/tasks/{gone}/")
            return None

        server = connect(Meddling(delete))
        server.ensure(project, create=False)
        sibling = Record("r1", {"prompt": "new too?", "response": "1"})
        outcomes = server.update([self.NEW, sibling])
        assert [(outcome.key, outcome.result) for outcome in outcomes] == [("r0", "rejected"), ("r1", "accepted")]
        assert server.find(["r1"])["r1"][0].content == record_key(sibling.fields)


class TestRemove:
    def test_a_draft_holds_its_record(self, connect: Connect, api: Client, project: Project) -> None:
        server = connect()
        push(server, project, records(2))
        ids = [remote.id for (remote,) in server.find(["r0", "r1"]).values()]
        api.request("POST", f"/api/tasks/{ids[0]}/drafts", body={"result": [], "lead_time": 1})
        assert server.remove(ids) == 1
        assert list(server.find(["r0", "r1"])) == ["r0"]

    def test_tasks_of_another_project_are_left_alone(self, connect: Connect, project: Project) -> None:
        other = connect()
        push(other, Project(f"{project.title} too", RATING), records(1))
        server = connect()
        push(server, project, records(1))
        assert server.remove([other.find(["r0"])["r0"][0].id]) == 0
        assert len(other.find(["r0"])) == 1


class TestBrokenReading:
    @pytest.fixture
    def answered(
        self, connect: Connect, project: Project, label_studio: LocalLabelStudio, monkeypatch: pytest.MonkeyPatch
    ) -> Project:
        """Six answered records, in pages of two."""
        monkeypatch.setattr(label_studio_tasks, "PAGE_SIZE", 2)
        push(connect(), project, records(6))
        person = LabelStudioPerson(label_studio.url, label_studio.token)
        person.ensure(project, create=False)
        for n in range(6):
            person.annotate(f"r{n}", {"rating": 1 + n % 5})
        person.close()
        return project

    def read(self, server: LabelStudio, project: Project) -> int:
        server.ensure(project, create=False)
        return sum(len(page.records) for page in server.changes())

    def test_all_pages_are_read(self, connect: Connect, answered: Project) -> None:
        assert self.read(connect(), answered) == 6

    def test_a_404_in_the_middle_is_an_error_and_no_end(self, connect: Connect, answered: Project) -> None:
        pages = itertools.count()

        def vanish(request: httpx2.Request, real: httpx2.BaseTransport) -> httpx2.Response | None:
            if request.url.path == "/api/tasks/" and next(pages) == 1:
                return httpx2.Response(404, json={"detail": "No Project matches the given query."})
            return None

        with pytest.raises(NotFound):
            self.read(connect(Meddling(vanish)), answered)

    def test_a_short_page_is_an_error_and_no_end(self, connect: Connect, answered: Project) -> None:
        def shorten(request: httpx2.Request, real: httpx2.BaseTransport) -> httpx2.Response | None:
            if request.url.path != "/api/tasks/":
                return None
            reply = real.handle_request(request)
            body = json.loads(reply.read())
            body["tasks"] = body["tasks"][:1]
            return httpx2.Response(reply.status_code, json=body)

        with pytest.raises(UnexpectedReply, match="broken off"):
            self.read(connect(Meddling(shorten)), answered)

    @pytest.mark.parametrize("often", [1, 2])
    def test_a_list_that_ends_early_is_read_again_and_nothing_is_listed_twice(
        self, connect: Connect, answered: Project, often: int
    ) -> None:
        server = connect(Meddling(ending_early(range(often))))
        server.ensure(answered, create=False)
        keys = [found.key for page in server.changes() for found in page.records]
        assert sorted(keys) == [f"r{n}" for n in range(6)]

    def test_a_list_that_always_ends_early_is_an_error_and_no_end(self, connect: Connect, answered: Project) -> None:
        with pytest.raises(UnexpectedReply, match="announces more"):
            self.read(connect(Meddling(ending_early(range(100)))), answered)
        server = connect(Meddling(ending_early(range(100))))
        server.ensure(answered, create=False)
        with pytest.raises(UnexpectedReply, match="announces more"):
            list(server.listing())

    def test_truncated_json_is_an_error(self, connect: Connect, answered: Project) -> None:
        def truncate(request: httpx2.Request, real: httpx2.BaseTransport) -> httpx2.Response | None:
            if request.url.path != "/api/tasks/":
                return None
            body = real.handle_request(request).read()
            return httpx2.Response(200, content=body[: len(body) // 2])

        with pytest.raises(UnexpectedReply, match="not JSON"):
            self.read(connect(Meddling(truncate)), answered)


def ending_early(sweeps: range) -> Callable[[httpx2.Request, httpx2.BaseTransport], httpx2.Response | None]:
    """In these sweeps, nothing is left behind the second page."""
    pages: Iterator[int] = itertools.count()

    def end(request: httpx2.Request, real: httpx2.BaseTransport) -> httpx2.Response | None:
        if request.url.path != "/api/tasks/":
            return None
        sweep, page = divmod(next(pages), 3)
        early = page == 2 and sweep in sweeps
        return httpx2.Response(200, json={"tasks": [], "total": 0}) if early else None

    return end


class TestCursor:
    def test_what_changes_behind_the_sweep_is_read_next_time(
        self, connect: Connect, project: Project, label_studio: LocalLabelStudio, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(label_studio_tasks, "PAGE_SIZE", 1)
        monkeypatch.setattr(module, "OVERLAP", timedelta())
        push(connect(), project, records(2))
        person = LabelStudioPerson(label_studio.url, label_studio.token)
        person.ensure(project, create=False)
        early, late = person.annotate("r0", {"rating": 1}), person.annotate("r1", {"rating": 1})
        server = connect()
        server.ensure(project, create=False)
        pages = server.changes()
        assert [r.key for r in next(pages).records] == ["r0"]
        time.sleep(1.1)  # the server's clock is read in whole seconds
        person.change(early, {"rating": 5})  # behind the sweep
        person.change(late, {"rating": 5})  # ahead of it: newer than the change that the sweep has missed
        cursor = list(pages)[-1].cursor
        assert "r0" in [r.key for page in server.changes(cursor) for r in page.records]
        person.close()

    def test_skips_are_pulled_whether_or_not_there_were_any_before(
        self, connect: Connect, project: Project, label_studio: LocalLabelStudio, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        push(connect(), project, records(2))
        person = LabelStudioPerson(label_studio.url, label_studio.token)
        person.ensure(project, create=False)
        early = connect()
        early.ensure(project, create=False)  # sees no skips yet
        person.annotate("r0", {}, status="discarded")
        late = connect()
        late.ensure(project, create=False)
        assert [r.key for page in late.changes() for r in page.records] == ["r0"]
        monkeypatch.setattr(module, "OVERLAP", timedelta())
        assert [r.key for page in early.changes() for r in page.records] == ["r0"]
        person.close()


class TestWrongCounts:
    """Beside an import of predictions, the server can forget in a task's counts what somebody has just saved."""

    @pytest.fixture
    def server(self, connect: Connect, api: Client, project: Project, label_studio: LocalLabelStudio) -> LabelStudio:
        push(connect(), project, records(4))
        person = LabelStudioPerson(label_studio.url, label_studio.token)
        person.ensure(project, create=False)
        for key in ("r0", "r1"):
            person.annotate(key, {"rating": 1})
        for key in ("r1", "r2"):
            person.annotate(key, {}, status="discarded")
        person.close()
        server = connect()
        server.ensure(project, create=False)
        for key, (remote,) in server.find(["r0", "r1", "r2"]).items():
            wrong = -1 if key == "r1" else 0
            body = {"total_annotations": wrong, "cancelled_annotations": wrong}
            api.request("PATCH", f"/api/tasks/{remote.id}/", body=body)
        return server

    def test_every_answer_and_skip_is_pulled(self, server: LabelStudio) -> None:
        pages = list(server.changes())
        answers = {found.key: len(found.annotations) for page in pages for found in page.records if found.annotations}
        assert answers == {"r0": 1, "r1": 2, "r2": 1}

    def test_so_it_is_from_a_server_that_does_not_say_how_many_there_are(
        self, server: LabelStudio, project: Project, connect: Connect
    ) -> None:
        def say_nothing(request: httpx2.Request, real: httpx2.BaseTransport) -> httpx2.Response | None:
            if request.url.path != "/api/projects/":
                return None
            reply = real.handle_request(request)
            reply.read()
            found = reply.json()
            for one in found["results"]:
                del one["total_annotations_number"], one["skipped_annotations_number"]
            return httpx2.Response(200, json=found)

        other = connect(Meddling(say_nothing))
        other.ensure(project, create=False)
        assert sorted(found.key for page in other.changes() for found in page.records) == ["r0", "r1", "r2"]

    def test_a_record_that_is_looked_up_has_its_answers(self, server: LabelStudio) -> None:
        found = server.find(["r0", "r1", "r2", "r3"])
        assert {key: remote.annotations for key, (remote,) in found.items()} == {"r0": 1, "r1": 2, "r2": 1, "r3": 0}

    def test_a_changed_text_that_was_answered_is_a_conflict(
        self, server: LabelStudio, project: Project, connect: Connect
    ) -> None:
        edited = [Record("r0", {"prompt": "another?", "response": "0"}), *records(4)[1:]]
        assert push(connect(), project, edited).changed == ["r0"]


class TestKeys:
    def test_a_wrong_token_says_so_and_is_not_shown(self, connect: Connect, project: Project) -> None:
        for token in ("canary-wrong", "canary.not.jwt"):
            with pytest.raises(AuthError) as caught:
                connect(token=Secret(token)).ensure(project, create=False)
            assert "canary" not in str(caught.value)
            assert "401" in caught.value.reason
            assert caught.value.remedy

    def test_a_legacy_token_works_where_the_server_takes_them(
        self, connect: Connect, api: Client, project: Project
    ) -> None:
        settings = {"api_tokens_enabled": True, "legacy_api_tokens_enabled": True, "api_token_ttl_days": 365}
        api.request("POST", "/api/jwt/settings", body=settings)
        try:
            legacy = Secret(api.request("GET", "/api/current-user/token")["token"])
            assert push(connect(token=legacy), project, records(2)).sent == 2
        finally:
            api.request("POST", "/api/jwt/settings", body={**settings, "legacy_api_tokens_enabled": False})
        with pytest.raises(AuthError, match="legacy"):
            connect(token=legacy).ensure(project, create=False)

    def test_an_access_token_is_renewed_before_it_ends(self, label_studio: LocalLabelStudio) -> None:
        now = [0.0]
        meddling = Meddling(lambda request, real: None)
        client = Client(label_studio.url, transport=meddling)
        login = Login(client, label_studio.token, clock=lambda: now[0])
        for now[0] in (0.0, 239.0, 240.0, 300.0, 481.0):
            assert login.headers()["Authorization"].startswith("Bearer ")
        client.close()
        assert meddling.seen == [("POST", "/api/token/refresh/")] * 3


class TestWrongAddress:
    def test_a_redirect_is_an_error_and_the_key_goes_nowhere(self, connect: Connect, project: Project) -> None:
        hosts: set[str] = set()

        def redirect(request: httpx2.Request, real: httpx2.BaseTransport) -> httpx2.Response:
            hosts.add(request.url.host)
            return httpx2.Response(302, headers={"location": "http://127.0.0.2/steal"})

        with pytest.raises(UnexpectedReply, match="redirects"):
            connect(Meddling(redirect)).ensure(project, create=False)
        assert hosts == {"127.0.0.1"}

    @pytest.mark.parametrize("suffix", ["/api", "/projects"])
    def test_a_path_too_much_is_named(self, label_studio: LocalLabelStudio, project: Project, suffix: str) -> None:
        server = LabelStudio(label_studio.url + suffix, label_studio.token)
        with pytest.raises(BridgeError) as caught:
            server.ensure(project, create=False)
        server.close()
        assert "url" in caught.value.remedy

    def test_nobody_there_is_unreachable(self, project: Project) -> None:
        server = LabelStudio("http://127.0.0.1:9", Secret("a.b.c"))
        with pytest.raises(Unreachable, match="cannot connect"):
            server.ensure(project, create=False)
        server.close()


class TestAPullAfterManyAnswers:
    """Where a minute holds many answers, a pull has them counted instead of reading them again."""

    COUNT = 210

    @pytest.fixture
    def full(self, connect: Connect, api: Client, project: Project) -> tuple[Project, str]:
        """A project with many answers that were given in one go, and the cursor behind them."""
        server = connect()
        remote = server.ensure(project, create=True)
        tasks = [server._task(record) for record in records(self.COUNT)]
        for task in tasks:
            task["annotations"] = [{"result": task["predictions"][0]["result"], "ground_truth": False}]
        api.request("POST", f"/api/projects/{remote.id}/import", body=tasks)
        time.sleep(1.1)  # the server's clock is read in whole seconds
        pages = list(server.changes())
        assert sum(len(page.records) for page in pages) == self.COUNT
        return project, pages[-1].cursor

    def changed(self, server: LabelStudio, project: Project, cursor: str) -> tuple[int, str]:
        server.ensure(project, create=False)
        pages = list(server.changes(cursor))
        return sum(len(page.records) for page in pages), pages[-1].cursor

    def test_only_what_changed_is_read(self, connect: Connect, full: tuple[Project, str]) -> None:
        project, cursor = full
        server = connect()
        server.ensure(project, create=False)
        (found,) = server.find(["r7"])["r7"]
        annotation = server._http.request("GET", f"/api/tasks/{found.id}/annotations/")[0]["id"]
        server._http.request("PATCH", f"/api/annotations/{annotation}/", body={"lead_time": 3})
        count, after = self.changed(server, project, cursor)
        assert count <= 2  # and the newest of those that were there, whose time the cursor has
        begun, ended = (datetime.fromisoformat(one.split(" ")[0]) for one in (cursor, after))
        assert after == cursor or ended - begun >= OVERLAP, "within a minute, only the old cursor knows what was there"
        assert self.changed(server, project, after)[0] <= 2

    @pytest.mark.parametrize("late", [1, -1])
    def test_where_the_count_differs_all_of_it_is_read(
        self, connect: Connect, full: tuple[Project, str], late: int
    ) -> None:
        def miscount(request: httpx2.Request, real: httpx2.BaseTransport) -> httpx2.Response | None:
            if request.url.params.get("page_size") != "1":
                return None
            reply = real.handle_request(request)
            reply.read()
            return httpx2.Response(200, json={**reply.json(), "total": reply.json()["total"] + late})

        project, cursor = full
        assert self.changed(connect(Meddling(miscount)), project, cursor)[0] >= self.COUNT

    def test_an_answer_that_was_deleted_is_noticed(
        self, connect: Connect, api: Client, full: tuple[Project, str]
    ) -> None:
        project, cursor = full
        server = connect()
        server.ensure(project, create=False)
        (found,) = server.find(["r9"])["r9"]
        annotation = api.request("GET", f"/api/tasks/{found.id}/annotations/")[0]["id"]
        api.request("DELETE", f"/api/annotations/{annotation}/")
        gone = [one for page in server.changes(cursor) for one in page.records if one.key == "r9"]
        assert [one.annotations for one in gone][-1] == ()
