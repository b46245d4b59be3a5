"""New instructions: enough for every topic, persona and level, and none that is like another one."""

from __future__ import annotations

import json
import re

from bridge.generating.novelty import rouge_l
from bridge.models.requests import ChatRequest
from bridge.records import record_key
from tests.generating.bench import Bench, last

WORDS = [f"{a}{b}" for a in ("ba", "de", "fi", "go", "lu", "ma", "ne") for b in ("ra", "si", "to", "vu", "ka")]


def writer(request: ChatRequest) -> str:
    """Writes as many instructions as are asked for, each in words of its own, and answers all else."""
    if request.schema is None:
        return f"Here is an answer to: {last(request)}"
    wanted = int(re.findall(r"Write (\d+) different", last(request))[0])
    start = int(request.key[:6], 16)
    texts = [
        " ".join(WORDS[(start // 7 ** (k % 5) + k * (n + 3) + n * n) % len(WORDS)] for k in range(6))
        for n in range(wanted)
    ]
    return json.dumps({"items": texts})


def test_every_combination_gets_its_part(bench: Bench) -> None:
    done = bench.run(
        writer,
        instructions__topics=["cooking", "travel"],
        instructions__levels=["easy", "hard"],
        instructions__personas=["a student"],
        instructions__count=10,
    )
    got = [(r.metadata["topic"], r.metadata["level"], r.metadata["persona"]) for r in bench.records()]
    assert {cell: got.count(cell) for cell in got} == {
        ("cooking", "easy", "a student"): 3,
        ("cooking", "hard", "a student"): 3,
        ("travel", "easy", "a student"): 2,
        ("travel", "hard", "a student"): 2,
    }
    assert (done.made, done.missing, done.partial) == (10, {}, False)


def test_records_say_how_they_were_made(bench: Bench) -> None:
    parameters = {"temperature": 0.7}
    bench.run(
        writer,
        models=[{"name": "m-7b", "parameters": parameters}],
        instructions__topics=["cooking"],
        instructions__count=2,
    )
    for record in bench.records():
        made = record.metadata
        assert made["operation"] == "instructions"
        assert made["root_id"] == record_key({"prompt": record.fields["prompt"]})
        assert made["parent_id"] is None
        for call in (made, made["prompt_by"]):
            assert call["model"] == "m-7b"
            assert call["parameters"] == parameters
            assert re.fullmatch("[0-9a-f]{32}", call["prompt_hash"])
            assert re.fullmatch("[0-9a-f]{64}", call["request"])
            assert call["usage"]["prompt_tokens"] > 0
        assert made["prompt_by"]["usage"]["shared_by"] == 2
        assert made["request"] != made["prompt_by"]["request"]


def test_what_is_like_a_row_of_the_user_or_another_new_one_is_refused_and_names_it(bench: Bench) -> None:
    bench.write("seeds.jsonl", [{"id": "s1", "prompt": "Name three large rivers of Asia."}])
    bench.write("pool.jsonl", [{"key": "p1", "fields": {"prompt": "Explain what a heap is.", "response": "A pile."}}])
    said = [
        "Name three small rivers of Asia.",
        "Explain what a heap is!",
        "Sum up the plot of Hamlet in verse.",
        "Sum up the plot of Hamlet in prose.",
    ]

    def model(request: ChatRequest) -> str:
        return json.dumps({"items": said}) if request.schema else "An answer."

    done = bench.run(
        model,
        rows__path="seeds.jsonl",
        rows__id="id",
        novelty__against=["pool.jsonl"],
        instructions__topics=["anything"],
        instructions__count=2,
        instructions__rounds=1,
    )
    (record,) = bench.records()
    assert record.fields["prompt"] == said[2]
    refused = [(line["text"], line["like"], line["score"]) for line in bench.rejected]
    assert refused == [
        (said[0], "s1", rouge_l("Name three large rivers of Asia.", said[0])),
        (said[1], "p1", 1.0),
        (said[3], record.metadata["root_id"], rouge_l(said[2], said[3])),
    ]
    assert done.missing == {"anything": 1}
    assert done.partial


def test_too_few_new_ones_are_asked_for_again(bench: Bench) -> None:
    asked: list[int] = []

    def model(request: ChatRequest) -> str:
        if request.schema is None:
            return "An answer."
        asked.append(int(re.findall(r"Write (\d+) different", last(request))[0]))
        return json.dumps(
            {"items": ["Always the very same thing", f"But also {WORDS[len(asked)]} {WORDS[-len(asked)]}"]}
        )

    done = bench.run(model, instructions__topics=["x"], instructions__count=4, instructions__per_request=4)
    assert asked == [4, 2, 1]
    assert (done.made, done.refused["novelty"], done.partial) == (4, 2, False)


def test_examples_of_the_users_rows_are_shown(bench: Bench) -> None:
    bench.write("seeds.jsonl", [{"prompt": f"Question {n}\nabout {WORDS[n]}?"} for n in range(6)])
    shown: list[list[str]] = []

    def model(request: ChatRequest) -> str:
        if request.schema:
            shown.append(re.findall(r"^- (.*)$", last(request), re.MULTILINE))
        return writer(request)

    bench.run(
        model,
        rows__path="seeds.jsonl",
        instructions__topics=["x", "y"],
        instructions__count=20,
        instructions__examples=2,
    )
    assert all(len(lines) == 2 for lines in shown)
    assert {line for lines in shown for line in lines} <= {f"Question {n} about {WORDS[n]}?" for n in range(6)}
    assert len({tuple(lines) for lines in shown}) > 1


def test_answered_rows_of_the_user_can_stand_before_each_prompt(bench: Bench) -> None:
    rows = [{"prompt": f"Question {n}?", "response": f"Reply {n}."} for n in range(4)]
    bench.write("seeds.jsonl", [*rows, {"prompt": "Nobody knows?"}])
    answered: list[ChatRequest] = []

    def model(request: ChatRequest) -> str:
        if request.schema is None:
            answered.append(request)
        return writer(request)

    seeds = {"rows__path": "seeds.jsonl", "instructions__shots": 2}
    bench.run(model, system="Be brief.", instructions__topics=["x"], instructions__count=2, **seeds)
    for request in answered:
        roles = [message["role"] for message in request.messages]
        assert roles == ["system", "user", "assistant", "user", "assistant", "user"]
        texts = [message["content"] for message in request.messages[1:5]]
        assert all(
            reply == question.replace("Question", "Reply").replace("?", ".")
            for question, reply in (texts[:2], texts[2:])
        )
    assert answered[0].messages[:5] == answered[1].messages[:5]


def test_the_same_settings_ask_the_same(bench: Bench) -> None:
    def keys(seed: int) -> list[str]:
        asked: list[str] = []

        def model(request: ChatRequest) -> str:
            asked.append(request.key)
            return writer(request)

        bench.run(model, instructions__topics=["x", "y"], instructions__count=12, seed=seed)
        return asked

    assert keys(0) == keys(0)
    assert not {*keys(0)} & {*keys(1)}


def test_an_answer_that_is_no_json_is_asked_for_once_more(bench: Bench) -> None:
    said = iter(["1. Name a river.", '{"items": ["Name a river."]}', "It is the Nile."])
    done = bench.run(lambda _: next(said), instructions__topics=["x"], instructions__count=1)
    assert (done.made, done.partial) == (1, False)


def test_what_is_never_json_is_told_and_costs_no_other_topic(bench: Bench) -> None:
    def model(request: ChatRequest) -> str:
        return "I had rather not." if "Topic: bad" in str(request.messages) else writer(request)

    done = bench.run(model, instructions__topics=["bad", "good"], instructions__count=4, instructions__rounds=2)
    assert (done.made, done.missing, done.refused["reply"]) == (2, {"bad": 2}, 2)
    assert done.partial
    assert "no JSON" in bench.rejected[0]["reason"]
    assert bench.rejected[0]["remedy"]


def test_what_nobody_can_be_shown_and_what_is_too_much_is_refused(bench: Bench) -> None:
    def model(request: ChatRequest) -> str:
        items = ["a\0b", "  ", "1234", "One two three", "Four five six"]
        return json.dumps({"items": items}) if request.schema else "Yes."

    bench.run(model, instructions__topics=["x"], instructions__count=1, instructions__rounds=1)
    assert [line["step"] for line in bench.rejected] == ["text", "text", "text", "surplus"]


def test_what_the_model_was_told_is_no_instruction(bench: Bench) -> None:
    """As small models do: they give back the example of the form, or a sentence of the prompt."""
    said = ["...", "do not answer them", "Each asks for something else", "Name a river."]
    done = bench.run(
        lambda request: json.dumps({"items": said}) if request.schema else "The Nile.",
        instructions__topics=["rivers"],
        instructions__count=1,
    )
    assert [record.fields["prompt"] for record in bench.records()] == ["Name a river."]
    assert dict(done.refused) == {"text": 1, "same": 2}


def test_several_answers_to_each_new_instruction_are_compared(bench: Bench) -> None:
    def model(request: ChatRequest) -> list[str] | str:
        return writer(request) if request.schema else ["First answer.", "Second answer."]

    bench.run(model, template="preference", instructions__topics=["x"], instructions__count=3)
    assert {frozenset((r.fields["response_a"], r.fields["response_b"])) for r in bench.records("preference")} == {
        frozenset(("First answer.", "Second answer."))
    }
