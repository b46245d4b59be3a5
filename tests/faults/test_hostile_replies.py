"""A server that answers in ways that no Label Studio would: one clear error each, and no key in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from bridge.errors import BridgeError, ServerError
from bridge.keys import Secret
from bridge.servers.http import Client
from bridge.servers.label_studio import LabelStudio
from bridge.servers.label_studio_kinds import to_answers
from bridge.servers.protocol import Project
from bridge.templates import load_template

RATING = load_template("rating")
PROJECT = Project("Demo", RATING)
FOUND = {
    "id": 3,
    "title": "Demo",
    "description": f"[annobridge/1 template=rating schema={RATING.fingerprint} repeats=0]",
    "label_config": "",
    "maximum_annotations": 1,
    "task_number": 1,
}
MOMENT = "2026-01-01T00:00:00Z"
ANSWER = {
    "id": 1,
    "result": [],
    "created_at": MOMENT,
    "updated_at": MOMENT,
    "lead_time": 1,
    "completed_by": 1,
    "was_cancelled": False,
}
TASK = {"id": 1, "data": {"bridge_id": "a"}, "updated_at": MOMENT, "annotations": [ANSWER]}

Handler = Callable[[httpx2.Request], httpx2.Response]


def server(handler: Handler) -> LabelStudio:
    return LabelStudio("http://127.0.0.1:1", Secret("CANARYKEY"), transport=httpx2.MockTransport(handler))


def serving(task: object, people: object = ({"id": 1, "email": "a@example.org"},)) -> LabelStudio:
    """A server with one project that lists one task."""

    def reply(request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/api/projects/":
            return httpx2.Response(200, json={"count": 1, "results": [FOUND]})
        if request.url.path == "/api/users/":
            return httpx2.Response(200, json=people)
        return httpx2.Response(200, json={"tasks": [task], "total": 1})

    made = server(reply)
    made.ensure(PROJECT, create=False)
    return made


def test_the_reply_that_the_others_are_made_from_is_fine() -> None:
    assert len(next(serving(TASK).changes()).records[0].annotations) == 1


@pytest.mark.parametrize(
    "task",
    [
        5,
        None,
        {"data": {"bridge_id": "a"}},
        {**TASK, "updated_at": "x"},
        {**TASK, "annotations": None},
        {**TASK, "annotations": [5]},
        {"id": 1, "data": {"bridge_id": "a"}, "updated_at": MOMENT},
        {**TASK, "annotations": [{**ANSWER, "created_at": "x"}]},
    ],
    ids=str,
)
def test_a_task_of_another_shape(task: object) -> None:
    with pytest.raises(ServerError) as caught:
        list(serving(task).changes())
    assert caught.value.remedy


@pytest.mark.parametrize("data", [None, {}, {"text": "made by hand"}])
def test_a_task_without_our_mark_is_somebody_elses(data: object) -> None:
    assert next(list(page.records) for page in serving({**TASK, "data": data}).changes()) == []


@pytest.mark.parametrize("people", [{}, None, [5], [{"id": 1}], "x"])
def test_a_list_of_people_of_another_shape(people: object) -> None:
    with pytest.raises(ServerError):
        list(serving(TASK, people).changes())


@pytest.mark.parametrize(
    "reply",
    [
        {"results": [1], "count": 1},
        {"results": [None], "count": 1},
        {"results": [{"title": "Demo", "description": 5}], "count": 1},
        {"results": {}, "count": 1},
        {"results": [{**FOUND, "id": None, "description": FOUND["description"], "label_config": None}], "count": "1"},
        [],
        5,
        None,
    ],
    ids=str,
)
def test_a_list_of_projects_of_another_shape(reply: object) -> None:
    with pytest.raises(ServerError):
        server(lambda request: httpx2.Response(200, json=reply)).ensure(PROJECT, create=True)


def test_a_list_of_projects_that_never_ends() -> None:
    calls: list[Any] = []

    def reply(request: httpx2.Request) -> httpx2.Response:
        calls.append(request)
        return httpx2.Response(200, json={"results": [], "count": 10**9})

    with pytest.raises(ServerError):
        server(reply).ensure(PROJECT, create=False)
    assert len(calls) == 1


def test_a_mark_in_a_title_is_not_ours() -> None:
    title = "[annobridge/1 template=x schema=00 repeats=0]"
    project = {**FOUND, "description": f"{title}. Please keep this line: {FOUND['description']}"}
    made = server(lambda request: httpx2.Response(200, json={"count": 1, "results": [project]}))
    assert made.ensure(PROJECT, create=False).id == "3"


@pytest.mark.parametrize("body", ["[" * 100_000, "\ud800".encode("utf-8", "surrogatepass"), b"\xff\x00", "NaN"])
def test_a_body_that_no_parser_likes(body: str | bytes) -> None:
    content = body if isinstance(body, bytes) else body.encode()
    with pytest.raises(ServerError):
        server(lambda request: httpx2.Response(200, content=content)).ensure(PROJECT, create=False)


class TestReasons:
    def failure(self, body: object, status: int = 400) -> str:
        headers = {"Authorization": "Bearer CANARYKEY"}
        client = Client(
            "http://127.0.0.1:1",
            lambda: headers,
            transport=httpx2.MockTransport(
                lambda request: httpx2.Response(status, content=json.dumps(body), headers={"date": "nonsense"})
            ),
        )
        with pytest.raises(BridgeError) as caught:
            client.request("POST", "/x", body={}, what="try")
        return str(caught.value)

    def test_our_key_is_masked(self) -> None:
        said = self.failure({"detail": "Invalid token CANARYKEY."}, 401)
        assert "Invalid token ***." in said
        assert "CANARY" not in said

    def test_control_characters_do_not_reach_the_terminal(self) -> None:
        said = self.failure({"detail": "\x1b[31m\nred\x07 \ud800 end"})
        assert not {"\x1b", "\x07", "\ud800"} & set(said)
        assert "red" in said

    def test_the_real_reason_is_found_and_the_record_is_not_repeated(self) -> None:
        errors = [{}, 'Error at item 1: "response" key is expected :: {"prompt": "SECRET"}', {}]
        said = self.failure({"detail": "Validation error", "validation_errors": {"non_field_errors": errors}})
        assert '"response" key is expected' in said
        assert "SECRET" not in said


def test_a_foreign_control_is_kept_under_its_own_name() -> None:
    questions = {question.name: question for question in RATING.questions}
    regions = [
        {"from_name": name, "to_name": "x", "type": "rating", "value": {"rating": 3}}
        for name in ("rating", "rating__x", "foo__bar")
    ]
    answers = to_answers(questions, regions)
    assert set(answers) == {"rating", "rating__x", "foo__bar"}
    assert answers["rating"] == 3
