"""The local server for models: the same to the same request, and every fault when it is asked for."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from bridge.models.replies import Choice
from bridge.testing import BatchFaults, ModelServer
from bridge.testing.models import ModelFault

SCHEMA = {"type": "object", "properties": {"score": {"type": "integer", "minimum": 1, "maximum": 5}}}


def call(
    server: ModelServer | str, path: str = "/chat/completions", body: Any = None, **headers: str
) -> tuple[int, Any]:
    """Status and JSON of a reply; the text of one that has none."""
    url = server if isinstance(server, str) else server.url
    method = "GET" if body is None else "POST"
    # Nothing is encrypted here, and reading certificates takes its time.
    reply = httpx2.request(method, url + path, json=body, headers=headers, trust_env=False, verify=False)
    try:
        return reply.status_code, reply.json()
    except ValueError:
        return reply.status_code, reply.text


def chat(server: ModelServer | str, text: str = "hello", **more: Any) -> tuple[int, Any]:
    return call(server, body={"model": "m", "messages": [{"role": "user", "content": text}], **more})


def said(server: ModelServer, text: str = "hello", **more: Any) -> str:
    found: str = chat(server, text, **more)[1]["choices"][0]["message"]["content"]
    return found


class TestAnswers:
    def test_the_same_request_gets_the_same_answer_from_any_server(self) -> None:
        with ModelServer() as one, ModelServer() as other:
            assert said(one) == said(one) == said(other)
            assert said(one) != said(one, "hello there")

    def test_another_seed_answers_otherwise(self) -> None:
        with ModelServer() as one, ModelServer(seed=1) as other:
            assert said(one) != said(other)

    def test_data_follow_the_schema(self) -> None:
        form = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}
        with ModelServer() as server:
            assert json.loads(said(server, response_format=form))["score"] in range(1, 6)

    def test_a_function_may_answer_with_choices_of_its_own(self) -> None:
        with ModelServer(lambda asked: [Choice("a", "stop"), Choice("b", "length")]) as server:
            choices = chat(server, n=2)[1]["choices"]
        assert [(one["index"], one["message"]["content"], one["finish_reason"]) for one in choices] == [
            (0, "a", "stop"),
            (1, "b", "length"),
        ]

    @pytest.mark.parametrize(("asked", "named"), [("gpt", "stub-gpt"), ("stub", "stub"), ("stub-a", "stub-a")])
    def test_it_never_answers_in_the_name_of_a_model(self, asked: str, named: str) -> None:
        with ModelServer() as server:
            body = {"model": asked, "messages": [{"role": "user", "content": "?"}]}
            assert call(server, body=body)[1]["model"] == named

    def test_usage_adds_up(self) -> None:
        with ModelServer() as server:
            usage = chat(server, n=2)[1]["usage"]
        assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]

    def test_models_are_listed(self) -> None:
        with ModelServer(models=["a", "b"]) as server:
            assert [one["id"] for one in call(server, "/models")[1]["data"]] == ["a", "b"]


class TestFaults:
    @pytest.mark.parametrize(
        ("fault", "status", "finish"),
        [
            ("busy", 429, None),
            ("broken", 500, None),
            ("filtered", 400, None),
            ("truncated", 200, "length"),
            ("refused", 200, "stop"),
            ("bad json", 200, "stop"),
            ("slow", 200, "stop"),
        ],
    )
    def test_each_happens_to_the_request_that_is_named(self, fault: ModelFault, status: int, finish: str) -> None:
        with ModelServer(at={2: fault}, slow_s=0.01) as server:
            assert chat(server)[0] == 200
            got, body = chat(server)
            assert (got, server.history) == (status, [(2, fault)])
            if finish:
                assert body["choices"][0]["finish_reason"] == finish
            assert chat(server)[0] == 200

    def test_chance_does_not_depend_on_the_order_of_requests(self) -> None:
        texts = [f"text {number}" for number in range(30)]
        outcomes = []
        for order in (texts, texts[::-1]):
            with ModelServer(rate=0.5, seed=3, kinds=["busy", "broken"]) as server:
                outcomes.append({text: chat(server, text)[0] for text in order})
        assert outcomes[0] == outcomes[1]
        assert {*outcomes[0].values()} == {200, 429, 500}

    def test_the_key_the_model_and_the_length_are_checked(self) -> None:
        with ModelServer(key="k", models=["m"], context=10) as server:
            body = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
            assert call(server, body=body)[0] == 401
            key = {"Authorization": "Bearer k"}
            assert call(server, body=body, **key)[0] == 200
            assert call(server, body={**body, "model": "x"}, **key)[1]["error"]["code"] == "model_not_found"
            long = {**body, "messages": [{"role": "user", "content": "x" * 11}]}
            assert call(server, body=long, **key)[1]["error"]["code"] == "context_length_exceeded"

    @pytest.mark.parametrize("body", [[], {}, {"messages": []}, {"messages": "hello"}])
    def test_what_is_no_request_is_refused(self, body: Any) -> None:
        with ModelServer() as server:
            assert call(server, body=body)[0] == 400

    def test_an_unknown_address_is_a_page_for_people(self) -> None:
        with ModelServer() as server:
            assert call(server, "/responses", body={}) == (404, "<html><body>Not Found</body></html>")

    def test_features_that_are_not_there_are_ignored_or_refused(self) -> None:
        with ModelServer(can=[]) as server:
            assert len(chat(server, n=3)[1]["choices"]) == 1
            assert chat(server, logprobs=True)[1]["choices"][0]["logprobs"] is None
        with ModelServer(can=[], unsupported="refused") as server:
            assert chat(server, n=3)[0] == 400

    def test_batches_can_be_lost_on_the_way(self) -> None:
        with ModelServer(batches=BatchFaults(lost=True)) as server:
            assert call(server, "/batches", body={"input_file_id": "none"})[0] == 400
            assert server.batches.sizes == []


def test_it_ends_without_a_word_while_clients_are_connected(caplog: pytest.LogCaptureFixture) -> None:
    clients = []
    with ModelServer() as server:
        for _ in range(5):
            clients.append(socket.create_connection(("127.0.0.1", urlsplit(server.url).port or 0)))
        chat(server)
    for client in clients:
        client.close()
    assert caplog.records == []


def test_it_runs_as_a_process_of_its_own() -> None:
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-m", "bridge.testing.models_serve", "--rate", "1", "--kind", "busy"]
    with subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        assert chat(server.stdout.readline().strip())[0] == 429
        server.stdin.close()
    assert server.returncode == 0
