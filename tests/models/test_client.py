"""The client against a real local server: what it makes of answers and failures, and what it sends."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from bridge.clock import TestClock
from bridge.errors import BridgeError, ConfigError, EndpointError, UsageError
from bridge.keys import Secret, save_key
from bridge.models.capabilities import Capabilities
from bridge.models.client import ModelClient
from bridge.models.endpoint import model_key
from bridge.models.journal import Journal
from bridge.models.replies import Choice, Reply, Usage
from bridge.models.requests import ChatRequest
from bridge.testing import Asked, FaultProxy, ModelServer, Redirect
from bridge.testing.models import ModelFault
from tests.models.asking import ask, ask_until_error, request, requests, run

SCHEMA = {
    "type": "object",
    "properties": {"score": {"type": "integer", "minimum": 1, "maximum": 5}},
    "required": ["score"],
    "additionalProperties": False,
}


@contextmanager
def endless(part: bytes, *, every_s: float = 0.0) -> Iterator[str]:
    """The address of a server whose replies go on until the client hangs up."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.end_headers()
            with suppress(OSError):
                while not ended.wait(every_s):
                    self.wfile.write(part)

        def log_message(self, *args: object) -> None:
            pass

    ended = Event()
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1"
        finally:
            ended.set()
            server.shutdown()


@pytest.fixture(autouse=True)
def _no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANNOBRIDGE_CONFIG_DIR", str(tmp_path / "config"))
    for name in ("ANNOBRIDGE_MODEL_KEY", "OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


class TestAnswers:
    def test_a_request_gets_its_answer(self) -> None:
        with ModelServer(lambda asked: "Four.") as server:
            (reply,) = ask(server, [request()])
        assert reply == Reply(request().key, "stub", (Choice("Four.", "stop"),), Usage(2, 2, None, 1))

    def test_replies_come_in_the_order_of_the_requests(self) -> None:
        with ModelServer(lambda asked: asked.text[::-1]) as server:
            replies = ask(server, requests(100))
        assert [reply.text for reply in replies] == [f"Question {number}?"[::-1] for number in range(100)]

    def test_no_more_requests_are_taken_than_there_is_room_for(self) -> None:
        taken: list[int] = []

        def endless() -> Any:
            for number in range(10_000):
                taken.append(number)
                yield request(f"Question {number}?")

        async def work(client: ModelClient) -> None:
            replies = client.ask_all(endless())
            async for _ in replies:
                break
            await replies.aclose()  # type: ignore[attr-defined]

        with ModelServer() as server:
            run(server, work)
            assert len(taken) < 100
            assert len(server.asked) < 100

    def test_at_most_so_many_requests_are_out(self) -> None:
        out: list[int] = [0]
        with ModelServer(rate=1, kinds=["slow"], slow_s=0.05) as server:
            serve = server._http._handler

            async def count(http: Any) -> Any:
                out.append(out[-1] + 1)
                answer = await serve(http)
                out.append(out[-1] - 1)
                return answer

            server._http._handler = count
            ask(server, requests(20), concurrency=3)
        assert max(out) == 3

    def test_the_same_request_at_the_same_time_is_sent_once(self) -> None:
        with ModelServer() as server:
            replies = ask(server, [request()] * 5)
            assert len(server.asked) == 1
        assert len({reply.text for reply in replies}) == 1

    def test_a_salt_tells_repeats_apart_and_is_sent_to_nobody(self) -> None:
        with ModelServer() as server:
            ask(server, [request(salt="one"), request(salt="two")])
            assert [asked.body for asked in server.asked] == [
                {"model": "stub", "messages": [{"role": "user", "content": "2 + 2?"}]}
            ] * 2

    @pytest.mark.parametrize(
        ("fault", "problem"),
        [
            ("truncated", "truncated: the answer reached the limit of tokens"),
            ("refused", "refused by the model"),
            ("filtered", "refused by the endpoint's content filter (400 content_filter)"),
        ],
    )
    def test_one_bad_answer_costs_one_row(self, fault: ModelFault, problem: str) -> None:
        with ModelServer(at={2: fault}) as server:
            replies = ask(server, requests(4), concurrency=1)
        assert [reply.problem for reply in replies] == [None, problem, None, None]

    def test_a_prompt_that_is_too_long_costs_one_row(self) -> None:
        wanted = [request("short"), request("x" * 200), request("short too")]
        with ModelServer(context=100) as server:
            replies = ask(server, wanted)
        told = "the prompt is longer than the model's context (400 context_length_exceeded)"
        assert [reply.problem for reply in replies] == [None, told, None]

    def test_prompts_that_are_all_too_long_cost_all_rows_and_no_more(self) -> None:
        with ModelServer(context=1) as server:
            replies = ask(server, requests(15))
        assert {reply.problem is None for reply in replies} == {False}
        assert len(replies) == 15

    def test_half_of_a_surrogate_pair_becomes_a_character_that_can_be_stored(self) -> None:
        with ModelServer(lambda asked: "a\ud83d") as server:
            (reply,) = ask(server, [request()])
        assert reply.text == "a\ufffd"


class TestSeveralChoices:
    def test_n_choices_of_one_request(self) -> None:
        with ModelServer() as server:
            (reply,) = ask(server, [request(parameters={"n": 3})])
            assert [asked.body.get("n") for asked in server.asked] == [2, 3]  # the probe comes first
        assert len({choice.text for choice in reply.usable}) == 3

    def test_where_n_is_ignored_the_others_are_asked_for_one_by_one(self) -> None:
        with ModelServer(can=()) as server:
            (reply,) = ask(server, [request(parameters={"n": 3, "seed": 7})])
            assert [asked.body.get("n") for asked in server.asked] == [2, None, None, None]
            assert sorted(asked.body["seed"] for asked in server.asked[1:]) == [7, 8, 9]
        assert len({choice.text for choice in reply.usable}) == 3
        assert reply.usage.attempts == 3

    def test_where_n_is_ignored_once_the_others_are_asked_for(self) -> None:
        with ModelServer(at={2: "one choice"}) as server:
            (reply,) = ask(server, [request(parameters={"n": 3})])
            assert [asked.body.get("n") for asked in server.asked] == [2, 3, None, None]
        assert len(reply.choices) == 3

    def test_a_choice_that_does_not_come_is_missing(self) -> None:
        with ModelServer(at={2: "one choice", 3: "filtered", 4: "filtered"}) as server:
            (reply,) = ask(server, [request(parameters={"n": 3})])
        assert [choice.finish for choice in reply.choices] == ["stop", "missing", "missing"]
        assert reply.problem is None

    def test_one_choice_that_is_bad_does_not_spoil_the_others(self) -> None:
        with ModelServer(lambda asked: ["good", Choice("ba", "length")]) as server:
            (reply,) = ask(server, [request(parameters={"n": 2})])
        assert reply.problem is None
        assert [choice.problem is None for choice in reply.choices] == [True, False]


class TestCapabilities:
    def test_all_are_probed_by_three_requests(self) -> None:
        with ModelServer() as server:
            assert run(server, ModelClient.probe) == Capabilities(True, True, True)
            assert len(server.asked) == 3

    @pytest.mark.parametrize("unsupported", ["ignored", "refused"])
    def test_what_is_not_there_is_found_out(self, unsupported: Any) -> None:
        with ModelServer(can=["logprobs"], unsupported=unsupported) as server:
            assert run(server, ModelClient.probe) == Capabilities(False, False, True)

    def test_only_what_a_request_asks_for_is_probed(self) -> None:
        async def work(client: ModelClient) -> Capabilities:
            await client.ask(request(schema=SCHEMA))
            return client.capabilities

        with ModelServer() as server:
            assert run(server, work) == Capabilities(schema=True)
            assert len(server.asked) == 2

    def test_the_journal_remembers_what_was_found(self, tmp_path: Path) -> None:
        with ModelServer() as server:
            for _ in range(2):
                with Journal(tmp_path / "journal.jsonl") as journal:
                    assert run(server, ModelClient.probe, journal=journal) == Capabilities(True, True, True)
            assert len(server.asked) == 3

    def test_a_run_that_asks_nothing_any_more_still_says_what_the_model_cannot_do(self, tmp_path: Path) -> None:
        async def work(client: ModelClient) -> list[str]:
            await client.ask(request(parameters={"n": 2}))
            return client.capabilities.done_without()

        with ModelServer(can=()) as server:
            told = []
            for _ in range(2):
                with Journal(tmp_path / "journal.jsonl") as journal:
                    told.append(run(server, work, journal=journal))
            assert len(server.asked) == 3
        assert told[0] == told[1] != []

    def test_a_schema_is_told_in_words_where_it_is_not_followed(self) -> None:
        with ModelServer(can=()) as server:
            (reply,) = ask(server, [request("Score?", schema=SCHEMA)])
            sent = server.asked[1].body
        assert "response_format" not in sent
        assert sent["messages"][0]["content"].startswith("Score?\n\nAnswer with JSON that follows this JSON Schema")
        assert reply.text is not None
        assert reply.text.startswith('{"score": ')

    def test_a_schema_is_sent_where_it_is_followed(self) -> None:
        with ModelServer() as server:
            ask(server, [request("Score?", schema=SCHEMA)])
            form = server.asked[1].body["response_format"]
        assert form == {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": SCHEMA}}

    def test_logprobs_come_where_they_can(self) -> None:
        wanted = request(parameters={"logprobs": True, "top_logprobs": 3})
        with ModelServer(lambda asked: "four it is") as server:
            (reply,) = ask(server, [wanted])
        tokens = reply.choices[0].logprobs
        assert tokens is not None
        assert [token.token for token in tokens] == ["four", " it", " is"]
        assert all(len(token.top) == 3 and token.top[0] == (token.token, token.logprob) for token in tokens)

    def test_logprobs_are_none_where_they_cannot(self) -> None:
        wanted = request(parameters={"logprobs": True, "top_logprobs": 3})
        with ModelServer(can=["n"], unsupported="refused") as server:
            (reply,) = ask(server, [wanted])
        assert reply.problem is None
        assert reply.choices[0].logprobs is None


class TestFailures:
    @pytest.mark.parametrize("fault", ["busy", "broken", "lost"])
    def test_what_passes_is_waited_for(self, fault: ModelFault) -> None:
        with ModelServer(at={1: fault, 2: fault}) as server:
            (reply,) = ask(server, [request()])
            assert len(server.asked) == 3
        assert reply.problem is None
        assert reply.usage.attempts == 3

    def test_a_wait_of_more_than_two_minutes_is_obeyed(self) -> None:
        clock = TestClock()
        with ModelServer(at={1: "busy"}, retry_after=150) as server:
            (reply,) = ask(server, [request()], clock=clock)
        assert reply.problem is None
        assert 150 <= sum(clock.slept) < 151

    def test_nobody_sends_anything_while_the_endpoint_asks_to_wait(self) -> None:
        clock = TestClock()
        sent_at: list[float] = []

        def answer(asked: Asked) -> str:
            sent_at.append(clock.now)
            return "ok"

        with ModelServer(answer, at={1: "busy"}, retry_after=200) as server:
            ask(server, requests(4), clock=clock, concurrency=2)
        assert len(sent_at) == 4
        assert sum(moment < 1_700_000_200 for moment in sent_at) <= 1, "one may have been out already"

    def test_a_wait_of_a_day_ends_the_run(self) -> None:
        with ModelServer(at={2: "busy"}, retry_after=86_000) as server:
            replies, error = ask_until_error(server, requests(3), concurrency=1)
        assert len(replies) == 1
        assert "the endpoint asks to wait (429 rate_limit_exceeded), for 86,000 s" in str(error)

    def test_a_row_that_always_fails_costs_that_row(self) -> None:
        faults = dict.fromkeys(range(2, 7), "broken")
        with ModelServer(at=faults) as server:  # type: ignore[arg-type]
            replies = ask(server, requests(3), concurrency=1)
        assert [reply.problem for reply in replies] == [None, "an error of the endpoint (500 server_error)", None]
        assert replies[1].usage.attempts == 5

    def test_lost_answers_are_asked_for_three_times_at_most(self) -> None:
        with ModelServer(rate=1, kinds=["lost"]) as server:
            (reply,) = ask(server, [request()])
            assert len(server.asked) == 3
        assert reply.problem is not None
        assert reply.problem.startswith("the connection was lost")

    def test_a_slow_answer_is_given_up_in_time(self) -> None:
        with ModelServer(at={1: "slow"}, slow_s=60) as server:
            (reply,) = ask(server, [request()], timeout_s=1.5)
            assert len(server.asked) == 2
        assert reply.problem is None

    def test_an_answer_that_drips_is_given_up_in_time(self) -> None:
        with endless(b" ", every_s=0.1) as url:
            (reply,) = ask(url, [request()], timeout_s=0.5)
        assert reply.problem == "no answer in time"

    def test_an_answer_without_end_ends_the_run(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("bridge.models.endpoint.LARGEST_REPLY", 1_000_000)
        with endless(b" " * 100_000) as url:
            _, error = ask_until_error(url, [request()])
        assert "its reply has no end" in str(error)

    def test_an_answer_on_its_way_is_waited_for_where_something_else_ends_the_run(self) -> None:
        journal = Journal()

        async def end_early(client: ModelClient) -> None:
            asked = [asyncio.ensure_future(client.ask(one)) for one in requests(3)]
            while not server.asked:
                await asyncio.sleep(0.01)
            raise UsageError(f"{len(asked)} are out", remedy="none")

        with ModelServer(at={1: "slow"}, slow_s=1) as server, pytest.raises(UsageError):
            run(server, end_early, journal=journal, concurrency=1)
        assert [journal.entry(server.url, one.key) is not None for one in requests(3)] == [True, False, False]
        assert journal.account.spent.unclear == 0

    def test_ten_rows_in_a_row_without_an_answer_end_the_run(self) -> None:
        with ModelServer(rate=1, kinds=["broken"]) as server:
            _, error = ask_until_error(server, requests(50), concurrency=2)
            assert 45 <= len(server.asked) <= 60
        assert isinstance(error, EndpointError)
        assert str(error).endswith(
            "model 'stub': an error of the endpoint (500 server_error), again and again\n"
            "  remedy: is it up, and is the address right?"
        )

    def test_parameters_that_no_request_gets_through_with_end_the_run(self) -> None:
        wanted = requests(30, parameters={"logprobs": True})
        with ModelServer(can=(), unsupported="refused") as server:
            replies = ask(server, wanted)  # this one degrades
        assert all(reply.problem is None for reply in replies)
        with ModelServer(rate=1, kinds=["filtered"]) as server:
            assert len(ask(server, requests(30))) == 30  # these are refused for what each of them says


class TestChance:
    @pytest.mark.parametrize("seed", [1, 2])
    def test_a_server_that_misbehaves_costs_time_and_no_answers(self, tmp_path: Path, seed: int) -> None:
        """Half of the requests fail in some way. Runs are repeated, over one journal, until every row has an answer."""
        wanted = [*requests(15), *requests(5, parameters={"n": 2, "seed": 1}), *requests(5, schema=SCHEMA)]
        with ModelServer(seed=seed, can=["schema", "logprobs"]) as calm:
            expected = [reply.choices for reply in ask(calm, wanted)]
        kinds: list[ModelFault] = ["busy", "broken", "lost"]
        with ModelServer(rate=0.5, kinds=kinds, seed=seed, can=["schema", "logprobs"], retry_after=300) as server:
            for _ in range(10):
                with Journal(tmp_path / "journal.jsonl") as journal:
                    replies = ask(server, wanted, journal=journal)
                if all(choice.problem is None for reply in replies for choice in reply.choices or [Choice(None, "")]):
                    break
            assert [reply.choices for reply in replies] == expected
            lost = sum(fault == "lost" for _, fault in server.history)
            assert server.answered.total() == len(server.answered) + lost, "only what was lost was made twice"


class TestClearErrors:
    """One error each, which names the thing, the reason and the remedy; what was finished is kept."""

    def test_no_connection(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
        _, error = ask_until_error(url, [request()])
        assert str(error) == (
            f"{url}, model 'stub': no connection, again and again\n  remedy: is it up, and is the address right?"
        )

    def test_a_wrong_key(self) -> None:
        with ModelServer(key="right") as server:
            _, error = ask_until_error(server, [request()], key=Secret("wrong"))
            assert str(error) == (
                f"{server.url}, model 'stub': the key is missing or wrong (401 invalid_api_key)\n"
                "  remedy: check the key: docs/models.md#keys"
            )

    def test_no_key_for_another_machine(self) -> None:
        with pytest.raises(
            ConfigError, match=r"there is no key for https://models\.example:443: ANNOBRIDGE_MODEL_KEY is not set"
        ):
            ModelClient("https://models.example/v1", "m")

    @pytest.mark.parametrize("concurrency", [0, -1, 257])
    def test_an_impossible_concurrency(self, concurrency: int) -> None:
        with pytest.raises(UsageError, match=f"concurrency {concurrency}: not possible"):
            ModelClient("http://127.0.0.1:1/v1", "m", concurrency=concurrency)

    def test_a_wrong_model(self) -> None:
        with ModelServer(models=["other"]) as server:
            _, error = ask_until_error(server, [request()])
        assert "there is no such model, or no such address (404 model_not_found)" in str(error)

    def test_a_request_for_another_model_is_refused_before_it_is_sent(self) -> None:
        with ModelServer() as server:
            _, error = ask_until_error(server, [request(model="large")], model="small")
            assert server.asked == []
        assert isinstance(error, UsageError)
        assert "a request for 'large' to a client of 'small'" in str(error)

    def test_an_address_without_its_end(self) -> None:
        with ModelServer() as server:
            _, error = ask_until_error(server.url.removesuffix("/v1"), [request()])
        assert "there is no such address (404)" in str(error)
        assert "it usually ends in /v1" in str(error)

    def test_a_page_for_people(self) -> None:
        with ModelServer(at={1: "html"}) as server:
            _, error = ask_until_error(server, [request()])
        assert "it answers 200 with something that is not JSON" in str(error)

    def test_a_page_for_people_in_the_middle_is_not_the_end(self) -> None:
        with ModelServer(at={2: "html"}) as server:
            replies = ask(server, requests(3), concurrency=1)
        assert [reply.problem for reply in replies] == [None] * 3

    def test_a_redirect_is_not_followed(self) -> None:
        with (
            ModelServer() as other,
            FaultProxy("http://127.0.0.1:9", lambda _: Redirect(other.url.removesuffix("/v1"))) as proxy,
        ):
            _, error = ask_until_error(f"{proxy.url}/v1", [request()], key=Secret("secret"))
            assert other.asked == []
        assert "it redirects (307), which is not followed" in str(error)

    def test_what_was_answered_before_comes_before_the_error(self, tmp_path: Path) -> None:
        with Journal(tmp_path / "journal.jsonl") as journal:
            with ModelServer(key="right") as server:
                assert len(ask(server, requests(3), journal=journal, key=Secret("right"))) == 3
                replies, error = ask_until_error(server, requests(5), journal=journal, key=Secret("wrong"))
            assert len(replies) == 3
            assert isinstance(error, EndpointError)


class TestSecrets:
    def test_the_key_of_the_environment_goes_first(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with ModelServer(key="mine") as server:
            save_key(server.url, Secret("saved"))
            monkeypatch.setenv("OPENAI_API_KEY", "other")
            monkeypatch.setenv("ANNOBRIDGE_MODEL_KEY", "mine")
            assert ask(server, [request()])[0].problem is None

    def test_then_the_key_file(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with ModelServer(key="saved") as server:
            save_key(server.url, Secret("saved"))
            monkeypatch.setenv("OPENAI_API_KEY", "other")
            assert ask(server, [request()])[0].problem is None

    def test_the_key_of_openai_goes_to_openai_and_to_nobody_else(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "other")
        key = model_key("https://api.openai.com/v1")
        assert (key and key.reveal(), model_key("http://127.0.0.1:8080/v1")) == ("other", None)
        for elsewhere in ("https://api.openai.com.example/v1", "https://api.openai.com:8443/v1"):
            with pytest.raises(ConfigError, match="there is no key"):
                model_key(elsewhere)

    def test_organisations_of_the_environment_are_told_to_nobody(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_ORG_ID", "org-private")
        monkeypatch.setenv("OPENAI_ADMIN_KEY", "admin-private")
        seen: list[str] = []
        with ModelServer() as server:
            serve = server._http._handler

            async def look(http: Any) -> Any:
                seen.append(str(http.headers))
                return await serve(http)

            server._http._handler = look
            ask(server, [request()])
        assert len(seen) == 1
        assert "private" not in seen[0]
        assert "authorization" not in seen[0]

    @pytest.mark.parametrize("fault", [None, "filtered", "broken", "lost"])
    def test_neither_keys_nor_prompts_are_logged(
        self, caplog: pytest.LogCaptureFixture, fault: ModelFault | None
    ) -> None:
        caplog.set_level(logging.DEBUG)
        faults: dict[int, ModelFault] = {} if fault is None else {1: fault}
        with ModelServer(key="the-key", at=faults) as server:
            ask(server, [request("the-prompt")], key=Secret("the-key"))
        assert "the-key" not in caplog.text
        assert "the-prompt" not in caplog.text

    def test_neither_keys_nor_prompts_are_in_errors_or_journals(self, tmp_path: Path) -> None:
        path = tmp_path / "journal.jsonl"
        told: list[str] = []
        with Journal(path) as journal:
            with ModelServer(key="right", context=20) as server:
                replies = ask(server, [request("the-prompt " * 9)], journal=journal, key=Secret("right"))
                told += [str(reply.problem) for reply in replies]
                _, error = ask_until_error(server, [request("the-prompt")], journal=journal, key=Secret("the-key"))
                told += [str(error), repr(error)]
            assert isinstance(error, BridgeError)
        text = path.read_text(encoding="utf-8") + "".join(told)
        assert "the-prompt" not in text
        assert "the-key" not in text


def test_a_key_of_a_request_is_the_hash_of_all_that_is_asked() -> None:
    base = request()
    others = [
        request("3 + 3?"),
        request(model="other"),
        request(parameters={"temperature": 0}),
        request(schema={}),
        request(salt="2"),
        ChatRequest("stub", ({"role": "system", "content": "2 + 2?"},)),
    ]
    assert len({one.key for one in [base, *others]}) == 7
