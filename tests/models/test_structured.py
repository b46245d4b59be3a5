"""Answers that are data: a value or a reason, and never a value that nobody gave."""

from __future__ import annotations

import asyncio
import json
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.models.replies import Choice
from bridge.models.requests import ChatRequest
from bridge.models.schemas import follows, is_strict, read_json
from bridge.models.structured import Structured, ask_structured
from bridge.testing import ScriptedAsker
from bridge.testing.models_answers import sample
from tests.models.asking import request

SCORE = {
    "type": "object",
    "properties": {"score": {"type": "integer", "minimum": 1, "maximum": 5}},
    "required": ["score"],
    "additionalProperties": False,
}
WANTED = request("How good?", schema=SCORE)


def score(value: Any) -> int:
    found: int = value["score"]
    return found


def asked(*said: Any, wanted: ChatRequest = WANTED) -> tuple[Structured[int], ScriptedAsker]:
    answers = iter(said)
    asker = ScriptedAsker(lambda _: next(answers))
    return asyncio.run(ask_structured(asker, wanted, score)), asker


class TestAsking:
    def test_a_good_answer_takes_one_request(self) -> None:
        done, asker = asked('{"score": 4}')
        assert done.values[0].value == 4
        assert done.values[0].problem is None
        assert len(asker.requests) == 1

    @pytest.mark.parametrize(
        ("bad", "told"),
        [
            ("I'd say four", "there is no JSON in it"),
            ('{"score": 9}', "'score' is more than 5"),
            ('{"mark": 4}', "'score' is missing"),
            ('{"score": "4"}', "'score' is not of type integer"),
        ],
    )
    def test_a_bad_answer_is_shown_to_the_model_once(self, bad: str, told: str) -> None:
        done, asker = asked(bad, '{"score": 4}')
        assert (done.values[0].value, done.values[0].mended, done.usage.attempts) == (4, True, 2)
        first, second = asker.requests
        assert second.messages[: len(first.messages)] == first.messages
        assert second.messages[-2] == {"role": "assistant", "content": bad}
        assert second.messages[-1]["content"].startswith(f"That cannot be used: {told}.")

    def test_two_bad_answers_are_no_value_and_both_reasons(self) -> None:
        done, asker = asked("four", '{"score": 0}')
        assert done.values[0].value is None
        assert done.values[0].problem == "there is no JSON in it; asked again: 'score' is less than 1"
        assert len(asker.requests) == 2

    @pytest.mark.parametrize("finish", ["length", "refusal", "content_filter"])
    def test_what_was_truncated_or_refused_is_not_asked_for_again(self, finish: str) -> None:
        done, asker = asked(Choice('{"score": 4', finish))
        assert done.values[0].value is None
        assert done.values[0].problem == Choice("x", finish).problem
        assert len(asker.requests) == 1

    def test_each_choice_is_read_and_mended_by_itself(self) -> None:
        wanted = request("How good?", schema=SCORE, parameters={"n": 3})
        done, asker = asked(['{"score": 1}', "?", '{"score": 3}'], '{"score": 2}', wanted=wanted)
        assert [value.value for value in done.values] == [1, 2, 3]
        assert "n" not in asker.requests[1].parameters

    def test_a_check_of_ones_own_is_a_reason_too(self) -> None:
        def even(value: Any) -> int:
            if value["score"] % 2:
                raise ValueError("the score is odd")
            return score(value)

        said = iter(['{"score": 3}', '{"score": 4}'])
        done = asyncio.run(ask_structured(ScriptedAsker(lambda _: next(said)), WANTED, even))
        assert done.values[0].value == 4


class TestReadingJson:
    @pytest.mark.parametrize(
        "text",
        [
            '{"a": [1]}',
            ' \n{"a": [1]}\n',
            '```json\n{"a": [1]}\n```',
            'Sure:\n```\n{"a": [1]}\n```\nDone.',
            'My answer is {"a": [1]}.',
            'A set {1, 2} and then {"a": [1]}',
        ],
    )
    def test_one_value_is_found(self, text: str) -> None:
        assert read_json(text) == {"a": [1]}

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("", "no JSON"),
            ("four", "no JSON"),
            ('{"a": 1} or {"a": 2}', "several JSON values"),
            ('{"a": NaN}', "no JSON"),
            ("[" * 100_000, "no JSON"),
            ("```json\n{'a': 1}\n```", "not valid JSON"),
        ],
    )
    def test_anything_else_has_a_reason(self, text: str, reason: str) -> None:
        with pytest.raises(ValueError, match=reason):
            read_json(text)

    @given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5))
    def test_what_was_written_is_read(self, value: Any) -> None:
        assert read_json(json.dumps(value)) == value


class TestSchemas:
    SCHEMAS = (
        SCORE,
        {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 2, "maxItems": 3},
        {"anyOf": [{"type": "null"}, {"enum": ["a", "b"]}]},
        {"type": "number", "minimum": 0, "maximum": 1},
        {"type": "object", "properties": {"ok": {"type": "boolean"}, "why": {"const": "x"}}, "required": ["ok", "why"]},
    )

    @given(st.sampled_from(SCHEMAS), st.integers(0, 10_000))
    def test_what_the_test_double_makes_up_follows(self, schema: dict[str, Any], seed: int) -> None:
        assert follows(sample(schema, Random(seed)), schema) is None

    @pytest.mark.parametrize(
        ("value", "schema", "reason"),
        [
            (True, {"type": "integer"}, "the answer is not of type integer"),
            (1, {"enum": [True]}, "the answer is none of [true]"),
            ([1], {"type": "array", "minItems": 2}, "the answer has fewer than 2 items"),
            (["a", 2], {"type": "array", "items": {"type": "string"}}, "item 2 is not of type string"),
            ({"a": 1, "b": 2}, {"properties": {"a": {}}, "additionalProperties": False}, "'b' does not belong there"),
            (None, {"type": ["string", "integer"]}, "the answer is not of type string or integer"),
        ],
    )
    def test_what_does_not_follow_has_a_reason(self, value: Any, schema: dict[str, Any], reason: str) -> None:
        assert follows(value, schema) == reason

    def test_strict_is_asked_for_only_where_openai_takes_it(self) -> None:
        assert is_strict(SCORE)
        assert not is_strict({**SCORE, "required": []})
        assert not is_strict({"type": "object", "properties": {"a": SCORE}, "required": ["a"]})
