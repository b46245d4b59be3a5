"""The Argilla adapter on a live server: what the contract does not cover, and what goes wrong on the way there."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from bridge.errors import (
    AuthError,
    BridgeError,
    ConfigError,
    Conflict,
    NotFound,
    UnexpectedReply,
    UsageError,
)
from bridge.keys import Secret
from bridge.records import Record, Suggestion, record_key
from bridge.servers import argilla_workspace
from bridge.servers.argilla import Argilla
from bridge.servers.protocol import Project
from bridge.sync.feedback import Feedback
from bridge.sync.people import People
from bridge.sync.pull import pull
from bridge.sync.push import push
from bridge.templates import TaskTemplate, load_template
from bridge.testing import ArgillaPerson
from tests.meddling import Meddling

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.servers.local_argilla import LocalArgilla

RATING = load_template("rating")
CHAT = load_template("chat_review")
_NUMBERS = itertools.count(1)


@pytest.fixture
def project() -> Project:
    return Project(f"Adapter {os.getpid()} {next(_NUMBERS)}", RATING)


Connect = Callable[..., Argilla]


@pytest.fixture
def connect(argilla: LocalArgilla) -> Iterator[Connect]:
    made: list[Argilla] = []

    def connect(
        transport: httpx2.BaseTransport | None = None, key: Secret | None = None, workspace: str = argilla.workspace
    ) -> Argilla:
        made.append(Argilla(argilla.url, key or argilla.api_key, workspace, transport=transport))
        return made[-1]

    yield connect
    for server in made:
        server.close()


@pytest.fixture
def api(connect: Connect) -> Callable[..., Any]:
    """The bare REST API as the owner, to look behind the adapter."""
    return connect()._request


def records(count: int) -> list[Record]:
    return [
        Record(f"r{n}", {"prompt": f"{n}?", "response": str(n)}, [Suggestion("rating", 1 + n % 5, 0.5, "judge (v1)")])
        for n in range(count)
    ]


@pytest.fixture
def shrinking(connect: Connect, api: Callable[..., Any], project: Project, monkeypatch: pytest.MonkeyPatch) -> Argilla:
    """A server of six records, of which one is deleted while they are listed, two at a time."""
    monkeypatch.setattr(argilla_workspace, "PAGE_SIZE", 2)
    remote = push(connect(), project, records(6)).project
    deletions = iter(["r0"])

    def delete_meanwhile(request: httpx2.Request, real: httpx2.BaseTransport) -> httpx2.Response | None:
        if request.method == "GET" and request.url.params.get("offset") == "1":
            for key in deletions:
                record = stored(api, remote.id)[key]["id"]
                api("DELETE", f"/datasets/{remote.id}/records", params={"ids": record})
        return None

    server = connect(Meddling(delete_meanwhile))
    server.ensure(project, create=False)
    return server


def stored(api: Callable[..., Any], dataset: str) -> dict[str, dict[str, Any]]:
    reply = api("GET", f"/datasets/{dataset}/records", params={"limit": 1000, "include": ["suggestions", "responses"]})
    return {record["external_id"]: record for record in reply["items"]}


class TestWhatIsOnTheServer:
    def test_texts_are_stored_so_that_the_page_shows_them(
        self, connect: Connect, api: Callable[..., Any], project: Project
    ) -> None:
        text = "tab\t  spaces\n\n<b>&amp;</b> ]]> {{x}} 😀 e\u0301 \u202e rtl \u2028 \x0b \ufeff"
        remote = push(connect(), project, [Record("r", {"prompt": text, "response": "x"})]).project
        fields = stored(api, remote.id)["r"]["fields"]
        assert fields["prompt"] == text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

    def test_suggestions_have_their_agent_in_characters_that_argilla_takes(
        self, connect: Connect, api: Callable[..., Any], project: Project
    ) -> None:
        remote = push(connect(), project, records(1)).project
        (suggestion,) = stored(api, remote.id)["r0"]["suggestions"]
        assert (suggestion["value"], suggestion["score"], suggestion["agent"], suggestion["type"]) == (
            1,
            0.5,
            "judge _v1_",
            "model",
        )

    def test_a_list_has_a_score_for_each_of_its_items(self, connect: Connect, api: Callable[..., Any]) -> None:
        project = Project(f"Adapter {os.getpid()} {next(_NUMBERS)}", load_template("multi_label"))
        suggestion = Suggestion("labels", ["incomplete", "style"], 0.25)
        remote = push(connect(), project, [Record("r", {"prompt": "p", "response": "x"}, [suggestion])]).project
        (found,) = stored(api, remote.id)["r"]["suggestions"]
        assert found["score"] == [0.25, 0.25]

    def test_metadata_stays_at_home(self, connect: Connect, api: Callable[..., Any], project: Project) -> None:
        record = Record("r", {"prompt": "p", "response": "x"}, metadata={"m": "meta-canary"})
        remote = push(connect(), project, [record]).project
        assert "canary" not in json.dumps(stored(api, remote.id))

    def test_managers_can_filter_by_the_properties_of_the_campaign(
        self, connect: Connect, api: Callable[..., Any], project: Project
    ) -> None:
        project = replace(project, properties=("topic", "turns"))
        topics = {"a": "sums", "b": "capitals", "c": "x" * 40_000}
        sent = [
            Record(key, {"prompt": key, "response": "x"}, metadata={"topic": topic, "turns": 2, "m": "meta-canary"})
            for key, topic in topics.items()
        ]
        server = connect()
        remote = push(server, project, sent).project
        server.finish()
        term = {"type": "terms", "scope": {"entity": "metadata", "metadata_property": "topic"}, "values": ["sums"]}
        query = {"filters": {"type": "and", "and": [term]}}
        found = api("POST", f"/datasets/{remote.id}/records/search", body=query)
        assert [item["record"]["external_id"] for item in found["items"]] == ["a"]
        assert {key: item["metadata"].get("turns") for key, item in stored(api, remote.id).items()} == dict.fromkeys(
            topics, "2"
        )
        assert "canary" not in json.dumps(stored(api, remote.id))

    def test_the_dataset_asks_for_as_many_answers_as_the_campaign(
        self, connect: Connect, api: Callable[..., Any], project: Project
    ) -> None:
        remote = connect().ensure(project, create=True)
        reworded = RATING.model_copy(update={"guidelines": "Be strict with rhymes"})
        connect().ensure(Project(project.title, reworded, 3), create=True)
        found = api("GET", f"/datasets/{remote.id}")
        assert found["distribution"]["min_submitted"] == 3
        assert found["guidelines"] == "Be strict with rhymes"

    def test_an_optional_field_may_be_missing(self, connect: Connect) -> None:
        shape = RATING.model_dump(exclude_none=True)
        shape["fields"] += [
            {"name": "context", "title": "Context", "required": False},
            {"name": "history", "title": "History", "type": "chat", "required": False},
        ]
        template = TaskTemplate.model_validate(shape)
        result = push(connect(), Project(f"Adapter {os.getpid()} {next(_NUMBERS)}", template), records(1))
        assert (result.sent, result.rejected) == (1, [])

    @pytest.mark.parametrize(
        ("message", "reason"),
        [
            ({"role": "assistant", "content": ""}, "no text"),
            ({"role": "a role of more than twenty", "content": "x"}, "role"),
            ({"role": "user", "content": "<" * 6000}, "24,000"),
        ],
    )
    def test_a_message_that_argilla_cannot_hold_is_rejected_and_its_siblings_land(
        self, connect: Connect, message: dict[str, str], reason: str
    ) -> None:
        project = Project(f"Adapter {os.getpid()} {next(_NUMBERS)}", CHAT)
        good = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]
        result = push(
            connect(), project, [Record("bad", {"messages": [*good, message]}), Record("good", {"messages": good})]
        )
        assert result.sent == 1
        (reject,) = result.rejected
        assert reject.key == "bad"
        assert "message 3" in reject.reason
        assert reason in reject.reason


class TestLostAndUnknown:
    def test_an_answer_that_is_lost_after_the_commit_is_looked_up(self, connect: Connect, project: Project) -> None:
        def drop(request: httpx2.Request, real: httpx2.BaseTransport) -> httpx2.Response | None:
            if request.url.path.endswith("/bulk"):
                real.handle_request(request).read()
                raise httpx2.ReadError("connection reset")
            return None

        result = push(connect(Meddling(drop)), project, records(5))
        assert (result.sent, result.unknown) == (5, [])
        assert push(connect(), project, records(5)).present == 5

    def test_a_write_that_never_arrives_is_looked_up_before_it_is_sent_again(
        self, connect: Connect, project: Project
    ) -> None:
        def fail(request: httpx2.Request, real: httpx2.BaseTransport) -> httpx2.Response | None:
            return httpx2.Response(502, text="bad gateway") if request.url.path.endswith("/bulk") else None

        meddling = Meddling(fail)
        result = push(connect(meddling), project, records(5), patience_s=0)
        assert (result.sent, bool(result.unknown), result.complete) == (0, True, False)
        writes = [number for number, (_, path) in enumerate(meddling.seen) if path.endswith("/bulk")]
        look = ("POST", f"/api/v1/datasets/{result.project.id}/records/search")
        assert all(look in meddling.seen[one:next_one] for one, next_one in pairwise([*writes, None]))
        assert push(connect(), project, records(5)).sent == 5

    def test_one_record_that_the_server_refuses_does_not_hold_up_the_others(
        self, connect: Connect, project: Project
    ) -> None:
        def refuse(request: httpx2.Request, real: httpx2.BaseTransport) -> httpx2.Response | None:
            if request.url.path.endswith("/bulk") and b'"r7"' in request.content:
                return httpx2.Response(422, json={"detail": "Record at position 7 is not valid because it is odd"})
            return None

        result = push(connect(Meddling(refuse)), project, records(20))
        assert (result.sent, [reject.key for reject in result.rejected]) == (19, ["r7"])
        assert "it is odd" in result.rejected[0].reason

    def test_a_refusal_that_may_have_been_stored_is_looked_up(self, connect: Connect, project: Project) -> None:
        def poison(request: httpx2.Request, real: httpx2.BaseTransport) -> httpx2.Response | None:
            if request.url.path.endswith("/bulk"):
                real.handle_request(request).read()
                return httpx2.Response(422, json={"detail": "'utf-8' codec can't encode character '\\ud800'"})
            return None

        result = push(connect(Meddling(poison)), project, records(3))
        assert (result.sent, result.rejected) == (3, [])

    def test_lost_suggestions_are_sent_without_anything_else(self, connect: Connect, project: Project) -> None:
        bodies: list[dict[str, Any]] = []

        def watch(request: httpx2.Request, real: httpx2.BaseTransport) -> httpx2.Response | None:
            if request.url.path.endswith("/bulk"):
                bodies.append(json.loads(request.content))
            return None

        push(connect(), project, [Record(r.key, r.fields) for r in records(2)])
        assert push(connect(Meddling(watch)), project, records(2)).repaired == 2
        assert [set(item) for item in bodies[0]["items"]] == [{"external_id", "suggestions"}] * 2

    def test_records_that_the_index_lacks_are_indexed_again_by_the_next_push(
        self, connect: Connect, project: Project
    ) -> None:
        """The live index is made to look as it does after an engine that was down: it counts and finds fewer."""
        push(connect(), project, records(4))
        healed: list[str] = []

        def lag(request: httpx2.Request, real: httpx2.BaseTransport) -> httpx2.Response | None:
            if request.url.path.endswith("/bulk"):
                healed.extend(item["external_id"] for item in json.loads(request.content)["items"])
            if request.url.path.endswith("/records/search") and not healed:
                reply = real.handle_request(request)
                found = json.loads(reply.read())
                kept = [item for item in found["items"] if item["record"]["external_id"] not in ("r1", "r2")]
                return httpx2.Response(200, json={"items": kept, "total": found["total"] - 2})
            return None

        result = push(connect(Meddling(lag)), project, records(4))
        assert healed == ["r1", "r2"]
        assert (result.sent, result.present) == (0, 4)


class TestWrite:
    @pytest.mark.parametrize("body", [{}, [], {"items": None}, {"items": [1, 2]}, {"items": []}])
    def test_a_reply_that_does_not_say_what_was_written_leaves_it_unknown(
        self, connect: Connect, project: Project, body: object
    ) -> None:
        server = connect(answering("/bulk", httpx2.Response(200, json=body)))
        server.ensure(project, create=True)
        assert [outcome.result for outcome in server.write(records(2))] == ["unknown"] * 2


def answering(path: str, reply: httpx2.Response) -> Meddling:
    """Traffic in which what goes to that path does not arrive."""
    return Meddling(lambda request, real: reply if request.url.path.endswith(path) else None)


class TestListing:
    def test_records_of_other_people_have_no_content_and_perhaps_no_key(
        self, connect: Connect, api: Callable[..., Any], project: Project
    ) -> None:
        remote = push(connect(), project, records(1)).project
        foreign = [{"fields": {"prompt": "p", "response": "r"}, "external_id": id_} for id_ in ("theirs", None)]
        api("POST", f"/datasets/{remote.id}/records/bulk", body={"items": foreign})
        server = connect()
        server.ensure(project, create=False)
        found = {key: held.content for page in server.listing() for key, held in page}
        assert found == {"r0": record_key(records(1)[0].fields), "theirs": "", "": ""}

    def test_a_list_that_shrinks_while_it_is_read_is_read_again_and_nothing_is_listed_twice(
        self, shrinking: Argilla
    ) -> None:
        assert [key for page in shrinking.listing() for key, _ in page] == ["r0", "r1", "r2", "r3", "r4", "r5"]


class TestUpdate:
    NEW = Record("r0", {"prompt": "<new>?", "response": "0"}, [Suggestion("rating", 5)])

    @pytest.fixture
    def answered(self, connect: Connect, project: Project, argilla: LocalArgilla) -> Project:
        """One record with an answer and a suggestion to each of two questions."""
        project = Project(project.title, load_template("review"))
        suggestions = [Suggestion("rating", 1), Suggestion("label", "harmful")]
        push(connect(), project, [Record("r0", {"prompt": "old?", "response": "0"}, suggestions)])
        person = ArgillaPerson(argilla.url, argilla.add_user("ann").key, argilla.workspace)
        person.ensure(project, create=False)
        person.annotate("r0", {"rating": 1, "label": "harmful", "improved_response": "0"})
        person.close()
        return project

    def test_the_page_has_the_new_text_and_only_its_suggestions(
        self, connect: Connect, api: Callable[..., Any], answered: Project
    ) -> None:
        server = connect()
        remote = server.ensure(answered, create=True)
        server.update([self.NEW])
        record = stored(api, remote.id)["r0"]
        assert record["fields"]["prompt"] == "&lt;new&gt;?"
        assert 5 in [suggestion["value"] for suggestion in record["suggestions"]]
        assert len(record["suggestions"]) == 2  # and the text that is to be improved

    def test_answers_are_never_sent(self, connect: Connect, answered: Project) -> None:
        bodies: list[dict[str, Any]] = []

        def watch(request: httpx2.Request, real: httpx2.BaseTransport) -> httpx2.Response | None:
            if request.url.path.endswith("/bulk"):
                bodies.append(json.loads(request.content))
            return None

        server = connect(Meddling(watch))
        server.ensure(answered, create=True)
        server.update([self.NEW])
        assert [set(item) for body in bodies for item in body["items"]] == [
            {"external_id", "fields", "metadata", "suggestions"},
            {"external_id", "metadata"},
        ]

    @pytest.mark.parametrize("arrives", [True, False])
    @pytest.mark.parametrize("step", range(3))
    def test_a_change_that_breaks_off_is_unknown_and_mended_by_the_next(
        self, connect: Connect, api: Callable[..., Any], answered: Project, step: int, arrives: bool
    ) -> None:
        writes = itertools.count()

        def break_off(request: httpx2.Request, real: httpx2.BaseTransport) -> httpx2.Response | None:
            if request.method in ("PUT", "DELETE") and next(writes) == step:
                if arrives:
                    real.handle_request(request).read()
                raise httpx2.ReadError("connection reset")
            return None

        server = connect(Meddling(break_off))
        remote = server.ensure(answered, create=True)
        assert [outcome.result for outcome in server.update([self.NEW])] == ["unknown"]
        assert [outcome.result for outcome in server.update([self.NEW])] == ["accepted"]
        assert server.find(["r0"])["r0"][0].content == record_key(self.NEW.fields)
        assert len(stored(api, remote.id)["r0"]["suggestions"]) == 2
        (annotation,) = [a for page in server.changes() for found in page.records for a in found.annotations]
        assert annotation.source["content"].startswith("before")

    def test_one_record_that_the_server_refuses_does_not_hold_up_the_others(
        self, connect: Connect, project: Project
    ) -> None:
        push(connect(), project, records(5))

        def refuse(request: httpx2.Request, real: httpx2.BaseTransport) -> httpx2.Response | None:
            refused = request.url.path.endswith("/bulk") and b'"r3"' in request.content
            return httpx2.Response(422, json={"detail": "Record at position 3 is not valid"}) if refused else None

        server = connect(Meddling(refuse))
        server.ensure(project, create=True)
        outcomes = server.update([Record(r.key, {**r.fields, "prompt": "new?"}) for r in records(5)])
        assert {outcome.key: outcome.result for outcome in outcomes if outcome.result != "accepted"} == {
            "r3": "rejected"
        }

    def test_what_argilla_cannot_hold_is_rejected_and_its_siblings_change(
        self, connect: Connect, project: Project
    ) -> None:
        project = Project(project.title, CHAT)
        old, new = ([{"role": "user", "content": text}, {"role": "assistant", "content": "Ho"}] for text in ("a", "b"))
        server = connect()
        push(server, project, [Record(key, {"messages": old}) for key in ("bad", "good")])
        bad = [{"role": "user", "content": ""}]
        outcomes = server.update([Record("bad", {"messages": bad}), Record("good", {"messages": new})])
        assert [outcome.result for outcome in outcomes] == ["rejected", "accepted"]


class TestRemove:
    def test_records_of_another_dataset_are_left_alone(self, connect: Connect, project: Project) -> None:
        other = connect()
        push(other, Project(f"{project.title} too", RATING), records(1))
        server = connect()
        push(server, project, records(1))
        assert server.remove([other.find(["r0"])["r0"][0].id]) == 0
        assert len(other.find(["r0"])) == 1


class TestHalfMade:
    @pytest.mark.parametrize("step", ["/fields", "/questions", "/metadata-properties", "/publish"])
    def test_a_dataset_that_fails_on_the_way_is_taken_back(self, connect: Connect, project: Project, step: str) -> None:
        def fail(request: httpx2.Request, real: httpx2.BaseTransport) -> httpx2.Response | None:
            if request.url.path.endswith(step) and request.method != "GET":
                return httpx2.Response(500, json={"detail": "boom"})
            return None

        with pytest.raises(BridgeError, match="500"):
            push(connect(Meddling(fail)), project, records(1))
        with pytest.raises(NotFound):
            connect().ensure(project, create=False)
        assert push(connect(), project, records(1)).sent == 1

    def test_one_that_cannot_be_taken_back_is_named_and_made_anew_by_the_next_push(
        self, connect: Connect, project: Project
    ) -> None:
        def fail(request: httpx2.Request, real: httpx2.BaseTransport) -> httpx2.Response | None:
            if request.url.path.endswith("/publish") or request.method == "DELETE":
                return httpx2.Response(500, json={"detail": "boom"})
            return None

        with pytest.raises(BridgeError, match="still there"):
            push(connect(Meddling(fail)), project, records(1))
        with pytest.raises(Conflict, match="never finished"):
            connect().ensure(project, create=False)
        assert push(connect(), project, records(1)).sent == 1

    def test_one_that_says_it_is_ready_and_has_no_index_is_made_anew(self, connect: Connect, project: Project) -> None:
        """A failed publish leaves just that; here the search fails for the first dataset, on the live server."""
        first = connect().ensure(project, create=True)

        def no_index(request: httpx2.Request, real: httpx2.BaseTransport) -> httpx2.Response | None:
            if first.id in request.url.path and request.url.path.endswith("/records/search"):
                return httpx2.Response(500, json={"detail": "index_not_found_exception"})
            return None

        second = connect(Meddling(no_index)).ensure(project, create=True)
        assert second.created
        assert second.id != first.id

    def test_one_with_records_and_without_index_is_named(self, connect: Connect, project: Project) -> None:
        push(connect(), project, records(2))

        def no_index(request: httpx2.Request, real: httpx2.BaseTransport) -> httpx2.Response | None:
            if request.url.path.endswith("/records/search"):
                return httpx2.Response(500, json={"detail": "index_not_found_exception"})
            return None

        with pytest.raises(Conflict, match="no search index"):
            push(connect(Meddling(no_index)), project, records(2))
        assert push(connect(), project, records(2)).present == 2

    def test_a_search_engine_that_is_down_is_named_and_nothing_is_deleted(
        self, connect: Connect, project: Project
    ) -> None:
        connect().ensure(project, create=True)

        def down(request: httpx2.Request, real: httpx2.BaseTransport) -> httpx2.Response | None:
            if request.url.path.endswith(("/records/search", "/status")):
                return httpx2.Response(500, json={"detail": "ConnectionError"})
            return None

        meddling = Meddling(down)
        with pytest.raises(UnexpectedReply, match="search engine"):
            push(connect(meddling), project, records(1))
        assert "DELETE" not in {method for method, _ in meddling.seen}

    def test_a_draft_of_that_name_made_by_hand_is_left_alone(
        self, connect: Connect, api: Callable[..., Any], project: Project
    ) -> None:
        server = connect()
        server._find_workspace()
        draft = api("POST", "/datasets", body={"name": project.title, "workspace_id": server._workspace_id})
        with pytest.raises(Conflict, match="draft"):
            server.ensure(project, create=True)
        assert api("GET", f"/datasets/{draft['id']}")["status"] == "draft"


class TestPull:
    def test_a_pull_when_nothing_happened_costs_two_requests(
        self, connect: Connect, project: Project, argilla: LocalArgilla, tmp_path: Path
    ) -> None:
        push(connect(), project, records(3))
        person = ArgillaPerson(argilla.url, argilla.add_user("ann").key, argilla.workspace)
        person.ensure(project, create=False)
        person.annotate("r0", {"rating": 2})
        feedback, people = Feedback(tmp_path / "feedback.jsonl"), People(tmp_path)
        server = connect()
        remote = server.ensure(project, create=False)
        first = pull(server, remote.id, feedback, people)
        meddling = Meddling(lambda request, real: None)
        server = connect(meddling)
        server.ensure(project, create=False)
        second = pull(server, remote.id, feedback, people, cursor=first.cursor)
        assert len(meddling.seen) == 2
        assert (second.changes.new, second.note) == (0, "nothing happened on the server since the last pull")
        person.annotate("r1", {"rating": 3})
        server = connect()
        server.ensure(project, create=False)
        third = pull(server, remote.id, feedback, people, cursor=second.cursor)
        assert third.changes.new == 1
        assert "every record was read" in third.note
        person.close()

    def test_a_draft_is_pulled_as_a_draft(self, connect: Connect, project: Project, argilla: LocalArgilla) -> None:
        server = connect()
        push(server, project, records(1))
        person = ArgillaPerson(argilla.url, argilla.add_user("ann").key, argilla.workspace)
        person.ensure(project, create=False)
        person.annotate("r0", {"rating": 2}, status="draft")
        person.close()
        (annotation,) = [a for page in server.changes() for found in page.records for a in found.annotations]
        assert (annotation.status, annotation.answers) == ("draft", {"rating": 2})

    def test_a_list_that_shrinks_while_it_is_read_is_read_again(self, shrinking: Argilla) -> None:
        seen = [found.key for page in shrinking.changes("2026-01-01T00:00:00.000000Z") for found in page.records]
        assert seen == ["r0", "r1", "r1", "r2", "r3", "r4", "r5"]


class TestAdmins:
    def test_an_admin_of_the_workspace_does_all_that_an_owner_does(
        self, connect: Connect, api: Callable[..., Any], project: Project, tmp_path: Path, argilla: LocalArgilla
    ) -> None:
        server = connect(key=admin(connect, api))
        remote = push(server, project, records(3)).project
        assert push(server, project, records(3)).present == 3
        person = ArgillaPerson(argilla.url, argilla.add_user("ann").key, argilla.workspace)
        person.ensure(project, create=False)
        person.annotate("r0", {"rating": 2})
        person.close()
        people = People(tmp_path)
        assert pull(server, remote.id, Feedback(tmp_path / "feedback.jsonl"), people).changes.new == 1

    def test_an_admin_of_another_workspace_is_told_which_there_are(
        self, connect: Connect, api: Callable[..., Any], project: Project
    ) -> None:
        with pytest.raises(NotFound, match="no workspace"):
            connect(key=admin(connect, api, member=False)).ensure(project, create=True)


def admin(connect: Connect, api: Callable[..., Any], *, member: bool = True) -> Secret:
    """The key of a new admin, who is or is not a member of the workspace."""
    name = f"admin{os.getpid()}-{next(_NUMBERS)}"
    person = {"username": name, "first_name": name, "password": f"long enough {name}", "role": "admin"}
    made = api("POST", "/users", body=person)
    if member:
        server = connect()
        server._find_workspace()
        api("POST", f"/workspaces/{server._workspace_id}/users", body={"user_id": made["id"]})
    return Secret(made["api_key"])


class TestBadInput:
    def test_a_wrong_key_is_named_and_not_shown(self, connect: Connect, project: Project) -> None:
        with pytest.raises(AuthError) as caught:
            connect(key=Secret("wrong-canary")).ensure(project, create=True)
        assert "canary" not in str(caught.value)

    def test_a_wrong_workspace_is_named_with_those_there_are(self, connect: Connect, project: Project) -> None:
        with pytest.raises(NotFound, match="no workspace 'elsewhere'"):
            connect(workspace="elsewhere").ensure(project, create=True)

    def test_a_workspace_name_that_breaks_other_clients_is_refused(self, connect: Connect) -> None:
        with pytest.raises(ConfigError, match="workspace"):
            connect(workspace="my workspace")

    def test_a_role_that_may_not_write(self, connect: Connect, project: Project, argilla: LocalArgilla) -> None:
        with pytest.raises(AuthError):
            connect(key=argilla.add_user("ann").key).ensure(project, create=True)

    def test_a_page_instead_of_an_answer(self, project: Project) -> None:
        page = httpx2.MockTransport(lambda request: httpx2.Response(200, text="<!doctype html><title>Hi</title>"))
        server = Argilla("http://127.0.0.1:9", Secret("k"), transport=page)
        with pytest.raises(UnexpectedReply, match="not JSON"):
            server.ensure(project, create=True)
        server.close()

    def test_a_server_of_version_1(self, project: Project) -> None:
        old = httpx2.MockTransport(lambda request: httpx2.Response(404, json={"detail": "Not Found"}))
        server = Argilla("http://127.0.0.1:9", Secret("k"), transport=old)
        with pytest.raises(NotFound, match="no Argilla 2 server"):
            server.ensure(project, create=True)
        server.close()

    def test_a_dataset_of_that_name_made_by_hand_is_left_alone(
        self, connect: Connect, api: Callable[..., Any], project: Project
    ) -> None:
        server = connect()
        server._find_workspace()
        made = api("POST", "/datasets", body={"name": project.title, "workspace_id": server._workspace_id})["id"]
        for path, body in (
            ("fields", {"name": "text", "title": "Text", "required": True, "settings": {"type": "text"}}),
            ("questions", {"name": "q", "title": "Q", "required": True, "settings": {"type": "text"}}),
        ):
            api("POST", f"/datasets/{made}/{path}", body=body)
        api("PUT", f"/datasets/{made}/publish")
        with pytest.raises(Conflict, match="did not make"):
            connect().ensure(project, create=True)

    def test_two_span_questions_on_one_field_are_refused_before_anything_is_made(self, connect: Connect) -> None:
        shape = load_template("span_errors").model_dump(exclude_none=True)
        shape["questions"].append({**shape["questions"][0], "name": "praise", "title": "Praise"})
        server = connect()
        with pytest.raises(UsageError, match="'praise'"):
            push(server, Project("Never made", TaskTemplate.model_validate(shape)), [])
        with pytest.raises(NotFound):
            server.ensure(Project("Never made", TaskTemplate.model_validate(shape)), create=False)

    def test_keys_of_other_people_never_reach_an_error(self, project: Project) -> None:
        """Argilla's lists of users hold everybody's API key; here one comes instead of the list of workspaces."""
        leak = {"detail": {"code": "x::Y", "params": {"errors": [{"loc": ["a"], "msg": "m", "input": "canary"}]}}}
        refusing = httpx2.MockTransport(lambda request: httpx2.Response(422, json=leak))
        server = Argilla("http://127.0.0.1:9", Secret("k"), transport=refusing)
        with pytest.raises(BridgeError) as caught:
            server.ensure(project, create=True)
        assert "Y: a: m" in str(caught.value)
        assert "canary" not in str(caught.value)
        server.close()
