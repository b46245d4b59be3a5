"""Candidates: several answers to one prompt, by one model or by several, in records that people can compare."""

from __future__ import annotations

import re
from typing import Any

import pytest

from bridge.errors import UsageError
from bridge.exporting.origins import writer
from bridge.models.replies import Choice
from bridge.models.requests import ChatRequest
from bridge.testing.models_scripted import ScriptedAsker
from tests.generating.bench import Bench, last

PROMPTS = [{"id": f"p{n}", "prompt": f"What is {n} + {n}?", "topic": "sums", "price": 3} for n in range(1, 31)]


@pytest.fixture(autouse=True)
def prompts(bench: Bench) -> None:
    bench.write("prompts.jsonl", PROMPTS)


CANDIDATES: dict[str, Any] = {"make": "candidates", "rows__path": "prompts.jsonl", "rows__id": "id"}


def two(request: ChatRequest) -> list[str]:
    return [f"To {last(request)[8:-1]}: so much.", "I would have to count."]


def test_two_answers_of_one_model_under_one_prompt_make_a_preference_record(bench: Bench) -> None:
    asked: list[ChatRequest] = []

    def model(request: ChatRequest) -> list[str]:
        asked.append(request)
        return two(request)

    done = bench.run(model, template="preference", **CANDIDATES)
    records = bench.records("preference")
    assert (done.made, len(asked), {request.n for request in asked}) == (30, 30, {2})
    assert [record.fields["prompt"] for record in records] == [row["prompt"] for row in PROMPTS]
    first = records[0]
    assert {first.fields["response_a"], first.fields["response_b"]} == {"To 1 + 1: so much.", "I would have to count."}
    assert first.metadata["operation"] == "candidates"
    assert (first.metadata["root_id"], first.metadata["parent_id"]) == ("p1", "p1")
    assert first.metadata["topic"] == "sums"
    assert "price" not in first.metadata
    assert first.metadata["usage"]["shared_by"] == 2


def test_the_prompt_is_sent_as_it_is(bench: Bench) -> None:
    asked: list[ChatRequest] = []

    def model(request: ChatRequest) -> list[str]:
        asked.append(request)
        return two(request)

    bench.run(model, template="preference", system="Be brief.", **CANDIDATES)
    assert [dict(message) for message in asked[0].messages] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What is 1 + 1?"},
    ]


def test_no_answer_is_always_the_first(bench: Bench) -> None:
    bench.run(two, template="preference", **CANDIDATES)
    first = sum(record.fields["response_a"] == "I would have to count." for record in bench.records("preference"))
    assert 5 < first < 25


def test_several_models_give_one_answer_each_and_the_export_knows_who_wrote_which(bench: Bench) -> None:
    models = {
        "m-70b": ScriptedAsker(lambda _: "By the large one.", "m-70b"),
        "m-7b": ScriptedAsker(lambda _: "By the small one.", "m-7b"),
    }
    bench.run(models, models=["m-70b", "m-7b"], template="preference", **CANDIDATES)
    for record in bench.records("preference"):
        for name in ("response_a", "response_b"):
            size = "large" if writer(record, name, ["response_a", "response_b"]) == "m-70b" else "small"
            assert record.fields[name] == f"By the {size} one."
            assert re.fullmatch("[0-9a-f]{32}", record.metadata["prompt_hash"][name])
            assert record.metadata["usage"][name]["attempts"] == 1


def test_three_models_make_a_ranking(bench: Bench) -> None:
    names = ["a-1", "b-1", "c-1"]
    models = {name: ScriptedAsker(lambda asked: f"By {asked.model}.", name) for name in names}
    done = bench.run(models, models=names, template="ranking", **CANDIDATES)
    assert done.made == 30
    assert {*bench.records("ranking")[0].fields} == {"prompt", "response_1", "response_2", "response_3"}


def test_a_template_with_one_response_gets_a_record_for_each_answer_and_they_share_their_root(bench: Bench) -> None:
    bench.run(two, template="rating", candidates=2, **CANDIDATES)
    records = bench.records("rating")
    assert len(records) == 60
    assert [record.metadata["root_id"] for record in records[:4]] == ["p1", "p1", "p2", "p2"]


def test_a_conversation_gets_its_last_turn(bench: Bench) -> None:
    turns = [{"role": "user", "content": "Hello."}, {"role": "assistant", "content": "Hello! How can I help?"}]
    question = {"role": "user", "content": "What is 2 + 2?"}
    bench.write("prompts.jsonl", [{"id": "c1", "messages": [*turns, question]}])
    bench.run(lambda _: "It is 4.", template="chat_review", **CANDIDATES)
    (record,) = bench.records("chat_review")
    assert record.fields["messages"] == [*turns, question, {"role": "assistant", "content": "It is 4."}]


def test_what_models_are_told_before_each_prompt_joins_a_conversations_own_system_message(bench: Bench) -> None:
    own = [{"role": "system", "content": "You sell shoes."}, {"role": "user", "content": "Hello."}]
    bench.write("prompts.jsonl", [{"id": "c1", "messages": own}])
    asked: list[ChatRequest] = []

    def model(request: ChatRequest) -> str:
        asked.append(request)
        return "Good day!"

    bench.run(model, template="chat_review", system="Be brief.", **CANDIDATES)
    assert [dict(message) for message in asked[0].messages] == [
        {"role": "system", "content": "Be brief.\n\nYou sell shoes."},
        own[1],
    ]
    assert bench.records("chat_review")[0].fields["messages"][:2] == own


def test_a_transcript_is_asked_about_with_the_templates_instruction(bench: Bench) -> None:
    meeting = [{"speaker": "Ann", "text": "Shall we?"}, {"speaker": "Bo", "text": "Yes, on Monday."}]
    bench.write("prompts.jsonl", [{"id": "t1", "transcript": meeting}])
    asked: list[str] = []

    def model(request: ChatRequest) -> str:
        asked.append(last(request))
        return "They will, on Monday."

    bench.run(model, template="summary_review", **CANDIDATES)
    assert asked == ["Summarise the following meeting.\n\nAnn: Shall we?\nBo: Yes, on Monday."]
    assert bench.records("summary_review")[0].fields["summary"] == "They will, on Monday."


# -- strong against weak


ARMS = [
    {"name": "strong", "system": "Answer with care, step by step."},
    {"name": "weak", "system": "Answer briefly."},
]


def arms(request: ChatRequest) -> str:
    return "Because of this and of that, and of much else besides." if "care" in str(request.messages[0]) else "So."


def test_strong_against_weak_is_possible_and_warns_of_what_it_teaches(bench: Bench) -> None:
    done = bench.run(arms, template="preference", arms=ARMS, **CANDIDATES)
    assert {frozenset(record.metadata["arms"]) for record in bench.records("preference")} == {
        frozenset(("strong", "weak"))
    }
    assert done.lengths is not None
    told = done.to_dict()["lengths"]
    assert told["arms"]["strong"] == {"mean_words": 11.0, "mean_characters": 54.0, "longest": 1.0}
    assert told["arms"]["weak"] == {"mean_words": 1.0, "mean_characters": 3.0, "longest": 0.0}
    assert [caution.means for caution in done.cautions] == [
        "strong and weak are asked in different words: pairs of them teach what the words ask for, length first",
        "the answer of strong is the longer one in 100% of 30 records",
    ]


def test_arms_that_ask_alike_and_write_alike_give_no_warning(bench: Bench) -> None:
    def model(request: ChatRequest) -> str:
        warm = request.parameters["temperature"] == 1.0
        number = int(re.findall(r"\d+", last(request))[0])
        return "yes " * (3 + (number % 2 if warm else 1 - number % 2)) + ("warm" if warm else "cold")

    both = [{"name": name, "parameters": {"temperature": t}} for name, t in (("cold", 0.2), ("warm", 1.0))]
    done = bench.run(model, template="preference", arms=both, **CANDIDATES)
    assert (done.made, done.cautions) == (30, [])
    assert done.lengths is not None
    assert done.lengths.longest == {"cold": 0.5, "warm": 0.5}


# -- what does not become a record


def test_equal_answers_leave_nothing_to_compare(bench: Bench) -> None:
    bench.write("prompts.jsonl", PROMPTS[:2])
    done = bench.run(lambda r: ["So.", " So. "] if "1" in last(r) else two(r), template="preference", **CANDIDATES)
    assert done.made == 1
    assert [(line["step"], line["key"], line["line"]) for line in bench.rejected] == [
        ("same", "p1", 1),
        ("reply", "p1", 1),
    ]
    assert "nothing to compare" in bench.rejected[1]["reason"]


@pytest.mark.parametrize(
    ("choice", "reason"),
    [
        (Choice("Because", "length"), "truncated: the answer reached the limit of tokens"),
        (Choice(None, "refusal"), "refused by the model"),
        (Choice("", "stop"), "an empty answer"),
    ],
)
def test_an_answer_that_is_none_costs_its_own_row_and_no_other(bench: Bench, choice: Choice, reason: str) -> None:
    done = bench.run(lambda r: choice if last(r) == "What is 2 + 2?" else "Some.", **CANDIDATES)
    assert (done.made, done.partial) == (29, True)
    (line,) = bench.rejected
    assert (line["key"], line["line"], line["step"], line["reason"]) == ("p2", 2, "reply", reason)
    assert re.fullmatch("[0-9a-f]{64}", line["request"])


def test_one_of_two_candidates_that_is_cut_off_leaves_no_pair_but_still_a_single_record(bench: Bench) -> None:
    bench.write("prompts.jsonl", PROMPTS[:1])
    cut = [Choice("It is 2.", "stop"), Choice("It", "length")]
    assert bench.run(lambda _: cut, template="preference", **CANDIDATES).made == 0
    assert bench.run(lambda _: cut, template="rating", candidates=2, **CANDIDATES).made == 1


def test_rows_that_cannot_be_used_are_named_and_the_others_answered(bench: Bench) -> None:
    bench.write("prompts.jsonl", [PROMPTS[0], {"id": "p2"}, {"prompt": "No id?"}, PROMPTS[3]])
    done = bench.run(lambda _: "Some.", **CANDIDATES)
    assert (done.made, done.partial) == (2, True)
    assert [(line["step"], line["line"], line["reason"]) for line in bench.rejected] == [
        ("read", 2, "prompt: missing"),
        ("read", 3, "id: missing, so there is no key"),
    ]


def test_the_same_prompt_twice_gives_its_record_once(bench: Bench) -> None:
    bench.write("prompts.jsonl", [PROMPTS[0], {**PROMPTS[0], "id": "again"}])
    done = bench.run(lambda _: "Some.", **CANDIDATES)
    assert (done.made, dict(done.refused)) == (1, {"same": 1})
    assert len(bench.records()) == 1


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"template": "preference", "candidates": 3}, "it compares 2 answers, and not 3"),
        ({"template": "ranking", "candidates": 11}, "it compares 2 to 10 answers, and not 11"),
        ({"template": "preference", "models": ["a", "b"], "candidates": 4}, "4 candidates of 2 models or arms"),
        ({"template": "follow_up_qa"}, "not one prompt and its answers"),
        ({"template": "no_such"}, "no_such"),
        ({"rows__map": {"answer": "a"}}, "has no such field"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_asked(bench: Bench, wrong: dict[str, Any], reason: str) -> None:
    def model(_: ChatRequest) -> str:
        raise AssertionError("nothing may be asked")

    with pytest.raises(UsageError, match=reason):
        bench.run(model, **{**CANDIDATES, **wrong})


def test_what_a_test_double_wrote_says_so(bench: Bench) -> None:
    done = bench.run(lambda _: "Some.", models=["stub"], **CANDIDATES)
    assert {record.metadata["test_only"] for record in bench.records()} == {True}
    assert done.cautions[0].means.startswith("30 records are a test double's work")
