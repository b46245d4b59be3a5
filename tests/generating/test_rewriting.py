"""Answers of given rows, rewritten: in a record of their own, as a suggestion, or beside the old answer."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.errors import UsageError
from bridge.models.requests import ChatRequest
from bridge.reading import read_records
from bridge.templates import load_template
from tests.generating.bench import Bench, between, last

ROWS = [
    {"id": "r1", "prompt": "When does the shop open?", "response": "opens 9", "model": "m-70b", "source": "shop"},
    {"id": "r2", "prompt": "What does Ann sell?", "response": "Bread, from Ann", "licence": "MIT"},
]
SAID = {"opens 9": "It opens at 9.", "Bread, from Ann": "She sells bread: Ann does."}
REWRITE: dict[str, Any] = {"make": "rewrite", "rows__path": "rows.jsonl", "rows__id": "id"}


@pytest.fixture(autouse=True)
def rows(bench: Bench) -> None:
    bench.write("rows.jsonl", ROWS)


def model(request: ChatRequest) -> str:
    return SAID[between(last(request), "answer")]


def test_a_rewritten_answer_stands_in_a_record_of_its_own(bench: Bench) -> None:
    done = bench.run(model, **REWRITE)
    first, second = bench.records()
    assert first.fields == {"prompt": "When does the shop open?", "response": "It opens at 9."}
    made = first.metadata
    assert (made["operation"], made["root_id"], made["parent_id"], made["model"]) == ("rewrite", "r1", "r1", "m-7b")
    assert made["source"] == "shop"
    assert second.metadata["licence"] == "MIT"
    assert (done.made, done.partial) == (2, False)


def test_the_model_is_told_what_is_to_become_better(bench: Bench) -> None:
    asked: list[str] = []

    def noting(request: ChatRequest) -> str:
        asked.append(last(request))
        return model(request)

    bench.run(noting, rewrite__instruction="Write a\nwhole sentence.", **REWRITE)
    assert "Rewrite the answer. Write a whole sentence.\n" in asked[0]
    assert between(asked[0], "prompt") == "When does the shop open?"


def test_a_suggestion_leaves_the_row_as_it_is(bench: Bench) -> None:
    before = list(read_records(bench.folder / "rows.jsonl", load_template("review"), id_column="id"))
    bench.run(model, rewrite__suggest=True, **REWRITE)
    for record, was in zip(bench.records(), before, strict=True):
        assert (record.key, record.fields) == (was.key, was.fields)
        assert was.metadata.items() <= record.metadata.items()
        (suggestion,) = record.suggestions
        assert suggestion.question == "improved_response"
        assert suggestion.value == SAID[str(was.fields["response"])]
        assert suggestion.agent == "m-7b"
        assert record.metadata["root_id"] == record.key
        made = record.metadata["suggested_by"]
        assert (made["operation"], made["model"]) == ("rewrite", "m-7b")


def test_old_and_new_can_be_compared(bench: Bench) -> None:
    done = bench.run(model, template="preference", **REWRITE)
    for record, row in zip(bench.records("preference"), ROWS, strict=True):
        by_arm = dict(
            zip(record.metadata["arms"], (record.fields["response_a"], record.fields["response_b"]), strict=True)
        )
        assert by_arm == {"original": row["response"], "rewritten": SAID[row["response"]]}
        names = dict(zip(record.metadata["arms"], record.metadata["model_names"], strict=True))
        assert names == {"original": row.get("model", ""), "rewritten": "m-7b"}
        assert record.metadata["parent_id"] == row["id"]
    assert done.lengths is not None
    assert done.lengths.longest == {"original": 0.0, "rewritten": 1.0}


@pytest.mark.parametrize(
    ("said", "step", "reason"),
    [
        ("It opens at 10.", "facts", "the number 9 is lost, the number 10 is invented"),
        ("It opens at 9 in Rome.", "facts", "the name Rome is invented"),
        (" opens  9\n", "same", "the answer came back as it was"),
        ("", "reply", "an empty answer"),
    ],
)
def test_what_must_not_be_is_dropped_with_its_reason(bench: Bench, said: str, step: str, reason: str) -> None:
    bench.write("rows.jsonl", ROWS[:1])
    bench.run(lambda _: said, **REWRITE)
    (line,) = bench.rejected
    assert (line["step"], line["key"], line["reason"]) == (step, "r1", reason)


def test_a_number_of_the_prompt_may_come_into_the_answer(bench: Bench) -> None:
    bench.write("rows.jsonl", [{"id": "r1", "prompt": "What are 2 and 3?", "response": "They are 5."}])
    assert bench.run(lambda _: "The sum of 2 and 3 is 5.", **REWRITE).made == 1


def test_a_row_without_an_answer_is_named(bench: Bench) -> None:
    bench.write("rows.jsonl", [{"id": "r0", "prompt": "Why?"}, *ROWS])
    assert bench.run(model, **REWRITE).made == 2
    assert bench.rejected[0]["reason"] == "no answer to rewrite"


def test_a_column_of_another_name_is_mapped(bench: Bench) -> None:
    bench.write("rows.jsonl", [{"q": "When does the shop open?", "a": "opens 9"}])
    done = bench.run(model, make="rewrite", rows__path="rows.jsonl", rows__map={"prompt": "q", "response": "a"})
    assert done.made == 1


def test_the_parent_has_the_key_that_a_push_gives_it(bench: Bench) -> None:
    bench.write("rows.jsonl", [{key: row[key] for key in ("prompt", "response")} for row in ROWS])
    pushed = [record.key for record in read_records(bench.folder / "rows.jsonl", load_template("review"))]
    bench.run(model, make="rewrite", rows__path="rows.jsonl")
    assert [record.metadata["parent_id"] for record in bench.records()] == pushed


def test_a_template_without_a_rewriting_question_takes_no_suggestion(bench: Bench) -> None:
    with pytest.raises(UsageError, match="no question of it asks for a rewritten answer"):
        bench.run(model, template="rating", rewrite__suggest=True, **REWRITE)
