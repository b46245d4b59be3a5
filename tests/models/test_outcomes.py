"""What replies mean, what is done after a failure, and what tokens cost: pure functions."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import ConfigError, UsageError, ValueRejected
from bridge.models.budget import Account, Budget, Tokens, likely
from bridge.models.outcomes import Answered, Failed, Kind, outcome
from bridge.models.price_file import read_prices
from bridge.models.prices import Price, Prices
from bridge.models.replies import Choice, TokenChoice
from bridge.models.requests import ChatRequest
from bridge.models.retries import Again, Patience
from tests.models.asking import request


def said(status: int, body: Any = b"", **headers: str) -> Answered | Failed:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return outcome(status, {name.replace("_", "-"): value for name, value in headers.items()}, raw, now=0.0)


def message(content: Any, **more: Any) -> dict[str, Any]:
    return {"model": "m", "choices": [{"message": {"content": content}, "finish_reason": "stop", **more}]}


class TestFailures:
    @pytest.mark.parametrize(
        ("status", "body", "kind", "own"),
        [
            (400, {"error": {"code": "context_length_exceeded"}}, "refused", True),
            (400, {"error": {"code": 400, "type": "exceed_context_size_error"}}, "refused", True),
            (400, {"message": "This model's maximum context length is 4096 tokens."}, "refused", True),
            (500, {"error": {"message": "input is too large to process"}}, "refused", True),
            (413, b"", "refused", False),
            (400, {"error": {"code": "content_filter"}}, "refused", True),
            (403, {"error": {"code": "content_policy_violation"}}, "refused", True),
            (400, {"error": {"code": "unsupported_parameter"}}, "refused", False),
            (400, {"error": {"code": "1500", "type": "invalid_model"}}, "fatal", False),
            (422, {"detail": []}, "refused", False),
            (401, b"", "fatal", False),
            (402, b"", "fatal", False),
            (403, b"", "fatal", False),
            (404, {"error": {"code": "model_not_found"}}, "fatal", False),
            (404, b"<html>", "fatal", False),
            (307, b"", "fatal", False),
            (200, b"<html>", "fatal", False),
            (200, {"object": "list"}, "fatal", False),
            (200, {"choices": ["text"]}, "fatal", False),
            (429, {"error": {"code": "rate_limit_exceeded"}}, "busy", False),
            (429, {"error": {"code": "insufficient_quota"}}, "fatal", False),
            (429, {"error": {"message": "Request too large for m on tokens per min (TPM)"}}, "refused", True),
            (408, b"", "broken", False),
            (500, b"", "broken", False),
            (503, b"<html>", "broken", False),
            (529, b"", "broken", False),
            (200, {"error": {"code": 429, "message": "slow down"}}, "busy", False),
            (200, {"error": {"code": 401}}, "fatal", False),
            (200, {"error": {"message": "upstream"}}, "broken", False),
        ],
    )
    def test_each_status_is_of_a_kind(self, status: int, body: Any, kind: Kind, own: bool) -> None:
        failed = said(status, body)
        assert isinstance(failed, Failed)
        assert (failed.kind, failed.own) == (kind, own)

    @pytest.mark.parametrize(
        ("headers", "seconds"),
        [
            ({"retry_after": "150"}, 150.0),
            ({"retry_after_ms": "1500"}, 1.5),
            ({"retry_after": "Wed, 21 Oct 2015 07:28:30 GMT", "date": "Wed, 21 Oct 2015 07:28:00 GMT"}, 30.0),
            ({"retry_after": "soon"}, 0.0),
            ({}, 0.0),
        ],
    )
    def test_waits_are_read(self, headers: dict[str, str], seconds: float) -> None:
        failed = said(429, **headers)
        assert isinstance(failed, Failed)
        assert failed.asked_s == seconds

    @pytest.mark.parametrize("code", ["sk-proj-12345", "a secret prompt", "x" * 100, 7, None, {"a": 1}])
    def test_only_a_mere_name_of_an_error_is_told(self, code: Any) -> None:
        failed = said(400, {"error": {"code": code, "message": "a secret prompt"}})
        assert isinstance(failed, Failed)
        assert failed.reason == "the endpoint refuses the request (400)"

    @given(st.binary(max_size=200), st.integers(100, 599))
    def test_any_reply_means_something(self, body: bytes, status: int) -> None:
        assert isinstance(outcome(status, {}, body, now=0.0), Answered | Failed)

    @given(
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(),
            lambda a: (
                st.lists(a)
                | st.dictionaries(
                    st.sampled_from(
                        ["choices", "message", "content", "logprobs", "usage", "index", "token", "logprob"]
                    ),
                    a,
                )
            ),
            max_leaves=12,
        )
    )
    def test_any_json_means_something(self, body: Any) -> None:
        assert isinstance(said(200, {"choices": [{"message": body}], "usage": body}), Answered | Failed)


class TestAnswers:
    @pytest.mark.parametrize(
        ("body", "choice"),
        [
            (message("Four."), Choice("Four.", "stop")),
            (message(None), Choice(None, "stop")),
            (message([{"type": "text", "text": "Fo"}, {"type": "text", "text": "ur."}]), Choice("Four.", "stop")),
            (message([{"text": {"value": "Four."}}, {"text": 4}, "Four."]), Choice("", "stop")),
            (message("Fo", finish_reason="length"), Choice("Fo", "length")),
            (message("Four.", finish_reason=None), Choice("Four.", "stop")),
        ],
    )
    def test_texts_come_in_several_forms(self, body: Any, choice: Choice) -> None:
        assert said(200, body) == Answered("m", (choice,), None)

    @pytest.mark.parametrize(
        ("finish", "problem"),
        [
            ("MAX_TOKENS", "truncated"),
            ("model_length", "truncated"),
            ("error", "broken off"),
            ("insufficient_system_resource", "broken off"),
            ("SAFETY", "refused"),
        ],
    )
    def test_what_other_endpoints_call_an_early_end_is_one(self, finish: str, problem: str) -> None:
        (choice,) = said(200, message("Fo", finish_reason=finish)).choices  # type: ignore[union-attr]
        assert str(choice.problem).startswith(problem)

    def test_choices_are_ordered_by_their_index(self) -> None:
        body = {"choices": [{"index": 1, "message": {"content": "b"}}, {"index": 0, "message": {"content": "a"}}]}
        answered = said(200, body)
        assert isinstance(answered, Answered)
        assert [choice.text for choice in answered.choices] == ["a", "b"]

    def test_tokens_are_as_the_endpoint_counts(self) -> None:
        answered = said(200, {**message("Four."), "usage": {"prompt_tokens": 9, "completion_tokens": 2}})
        assert isinstance(answered, Answered)
        assert answered.tokens == Tokens(9, 2)

    @pytest.mark.parametrize("tokens", [True, -1, 3.0, 10**30, "9", None])
    def test_what_is_no_number_of_tokens_is_not_counted(self, tokens: Any) -> None:
        answered = said(200, {**message("Four."), "usage": {"prompt_tokens": tokens, "completion_tokens": tokens}})
        assert isinstance(answered, Answered)
        assert answered.tokens is None

    def test_what_cannot_be_is_left_out_of_logprobs(self) -> None:
        tops = [{"token": "4", "logprob": -0.1}, {"token": "5", "logprob": -99999.0}, {"token": "6", "logprob": None}]
        body = message("4", logprobs={"content": [{"token": "4", "logprob": -0.1, "top_logprobs": tops}]})
        answered = said(200, body)
        assert isinstance(answered, Answered)
        assert answered.choices[0].logprobs == (TokenChoice("4", -0.1, (("4", -0.1), ("5", -9999.0))),)


class TestPatience:
    @given(
        st.sampled_from(["unreachable", "busy", "broken", "unclear"]),
        st.integers(1, 60),
        st.floats(0, 86_400),
    )
    def test_a_wait_is_never_shorter_than_asked_nor_much_longer(self, kind: Kind, attempt: int, asked: float) -> None:
        step = Patience(random=Random(0)).next(Failed(kind, "", asked), attempt)
        if isinstance(step, Again):
            assert asked <= step.wait_s <= asked + 30
            assert asked <= 3600
            assert step.everybody == (kind == "busy")

    @pytest.mark.parametrize(
        ("kind", "last"),
        [("unreachable", 4), ("busy", 49), ("broken", 4), ("unclear", 2), ("refused", 0), ("fatal", 0)],
    )
    def test_how_often_it_is_sent_again(self, kind: Kind, last: int) -> None:
        steps = [Patience().next(Failed(kind, ""), attempt) for attempt in range(1, 60)]
        assert sum(isinstance(step, Again) for step in steps) == last


class TestPrices:
    def test_a_table_is_read_from_a_file(self, tmp_path: Path) -> None:
        path = tmp_path / "prices.yaml"
        path.write_text("models:\n  small: {input: 0.5, output: 2, batch: 0.5}\n")
        assert read_prices(path) == Prices({"small": Price(0.5, 2.0, 0.5)}, "USD")

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("models: {}", "prices.yaml:1: models"),
            ("models:\n  small: {input: 0.5}", r"prices.yaml:2: models.small.output: it is missing"),
            ("models:\n  small: {input: -1, output: 2}", "prices.yaml:2"),
            ("models:\n  small: {input: .nan, output: 2}", "prices.yaml:2"),
            ("model: 1", "prices.yaml:1"),
        ],
    )
    def test_what_is_wrong_has_its_line(self, tmp_path: Path, text: str, reason: str) -> None:
        path = tmp_path / "prices.yaml"
        path.write_text(text)
        with pytest.raises(ConfigError, match=reason):
            read_prices(path)


class TestBudget:
    @pytest.mark.parametrize("limit", [0, -1, float("nan"), float("inf")])
    def test_a_budget_that_lets_nothing_through_is_an_error(self, limit: float) -> None:
        with pytest.raises(UsageError, match=f"budget cost of {limit}: nothing can be asked"):
            Budget(cost=limit)

    @given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300), st.floats(0, 1)), max_size=30))
    def test_what_was_reserved_and_came_back_is_there_again(self, calls: list[tuple[int, int, float]]) -> None:
        account = Account(Prices({"m": Price(1, 1)}), Budget(tokens=1000))
        for prompt, completion, share in calls:
            most = Tokens(prompt, completion)
            used = Tokens(int(prompt * share), int(completion * share))
            if account.reserve("m", most):
                account.settle("m", most, used)
        assert account.spent.all_tokens <= 1000
        left = 1000 - account.spent.all_tokens
        assert account.reserve("m", Tokens(left, 0))
        assert not account.reserve("m", Tokens(1, 0))

    @pytest.mark.parametrize(
        ("text", "tokens"),
        [("word " * 100, 100), ("会议记录" * 50, 143), ("[00:01:02] Ann: yes.\n" * 20, 147)],
    )
    def test_a_prompt_is_not_thought_shorter_than_it_is(self, text: str, tokens: int) -> None:
        """By the measured characters per token: 5 in these words, 1.4 in Chinese, 2.9 in transcripts with times."""
        assert likely(request(text)).prompt >= tokens

    @pytest.mark.parametrize("limit", [-1, 0])
    def test_an_answer_without_a_limit_is_not_thought_to_take_nothing(self, limit: int) -> None:
        assert likely(request("?", parameters={"max_tokens": limit})).completion == likely(request("?")).completion > 0


class TestRequests:
    @pytest.mark.parametrize(
        "make",
        [
            lambda: ChatRequest("m", ()),
            lambda: ChatRequest("", ({"role": "user", "content": "?"},)),
            lambda: ChatRequest("m", ({"role": "user"},)),
            lambda: request(parameters={"n": 0}),
            lambda: request(parameters={"n": True}),
            lambda: request(parameters={"model": "other"}),
            lambda: request(parameters={"stream": True}),
        ],
    )
    def test_what_is_no_request_is_an_error(self, make: Any) -> None:
        with pytest.raises(UsageError):
            make()

    @pytest.mark.parametrize("bad", ["\ud83d", "x\udc00"])
    def test_half_of_a_surrogate_pair_is_an_error(self, bad: str) -> None:
        with pytest.raises(ValueRejected, match="cannot be written as JSON"):
            request(bad)

    def test_a_key_does_not_depend_on_the_order_of_names(self) -> None:
        one = request(parameters={"a": 1, "b": 2})
        other = request(parameters={"b": 2, "a": 1})
        assert one.key == other.key
        assert one == other
        assert len({one, other}) == 1
