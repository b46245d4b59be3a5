"""Reasoning and system messages in rows: kept or taken out, as asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.annotations import Annotation
from bridge.exporting import REASONS, Row, export
from bridge.exporting.reasoning import strip_reasoning, without_reasoning
from bridge.exporting.shaping import shaping
from bridge.exporting.systems import merge_system, merged_system
from bridge.merging import merge
from bridge.records import Record
from bridge.templates import load_template


def row(kind: Any = "sft", prompt: list[dict[str, str]] | None = None, **texts: str) -> Row:
    return Row("r1", kind, chat("user: 2 + 2?") if prompt is None else prompt, **texts)  # type: ignore[arg-type]


def chat(*turns: str) -> list[dict[str, str]]:
    return [dict(zip(("role", "content"), turn.split(": ", 1), strict=True)) for turn in turns]


# -- reasoning


@pytest.mark.parametrize(
    ("answer", "left"),
    [
        ("<think>\nTwo and two.\n</think>\n\n4", "4"),
        ("\n<think>Two</think>4", "4"),
        ("<thinking>Two</thinking> 4", "4"),
        ("<Reasoning>Two</REASONING> 4", "4"),
        ("<think></think>4", "4"),
        ("<think>Two</think><think>and two</think>4", "4"),
        ("<think>I may not write <think> here</think>4", "4"),
        ("Two and two.\n</think>\n\n4", "4"),  # the opening tag stood in the prompt
        ("<think>The thought <thinking> has </thinking> no end here</think>4", "4"),
    ],
)
def test_reasoning_before_an_answer_is_taken_out(answer: str, left: str) -> None:
    assert without_reasoning(answer) == left


@pytest.mark.parametrize(
    "answer",
    [
        "4",
        " 4\n",
        "",
        "Write <think>so</think> to show a thought.",
        "The tag `</think>` closes a thought.",
        'It ends with "</think>".',
        "I think that it is 4.",
    ],
)
def test_an_answer_that_speaks_of_tags_stays(answer: str) -> None:
    assert without_reasoning(answer) == answer


@pytest.mark.parametrize("answer", ["<think>Two and", "<think>Two</think>", "<think>Two</thinking>4", "Two</think> \n"])
def test_reasoning_without_an_end_or_an_answer_is_none(answer: str) -> None:
    assert without_reasoning(answer) is None


def test_rows_of_any_kind_are_stripped_and_earlier_turns_too() -> None:
    turns = chat("user: Hi", "assistant: <think>Greet</think>Hello", "user: What is <think>?")
    result = strip_reasoning([row(prompt=turns, completion="<think>A</think>B"), row("kto", completion="B", label="")])
    assert result.kept[0].prompt == chat("user: Hi", "assistant: Hello", "user: What is <think>?")
    assert [kept.completion for kept in result.kept] == ["B", "B"]
    assert (result.rejected, result.told) == ([], {"reasoning": {"stripped": 1, "rejected": 0}})


@pytest.mark.parametrize(
    ("stopped", "reason", "text"),
    [
        (row(completion="<think>Two"), "reasoning", "completion: the reasoning never ends, or nothing comes after it"),
        (row("dpo", chosen="4", rejected="<think>"), "reasoning", "rejected: the reasoning never ends"),
        (
            row(prompt=chat("user: Hi", "assistant: <think>", "user: Yes?"), completion="4"),
            "reasoning",
            "an earlier turn: the reasoning never ends",
        ),
        (
            row("dpo", chosen="<think>One</think>4", rejected="<think>Two</think> 4"),
            "equal",
            "without their reasoning, both answers are the same",
        ),
    ],
)
def test_a_row_without_an_answer_left_is_stopped_with_its_reason(stopped: Row, reason: str, text: str) -> None:
    result = strip_reasoning([stopped])
    assert result.kept == []
    (case,) = result.rejected
    assert (case.row, case.reason, case.rule) == (stopped, reason, "reasoning")
    assert case.text.startswith(text)
    assert case.reason in REASONS


@given(st.text(st.sampled_from("4 \n<>/`"), max_size=8), st.lists(st.sampled_from(["think", "reasoning"]), max_size=3))
def test_what_was_stripped_has_nothing_left_to_strip(answer: str, tags: list[str]) -> None:
    text = "".join(f"<{tag}>so</{tag}>" for tag in tags) + answer
    left = without_reasoning(text)
    assert left == ((answer.strip() or None) if tags else answer)
    if left is not None:
        assert without_reasoning(left) == left


# -- system messages


def test_a_system_message_joins_the_first_turn_of_the_user() -> None:
    prompt = chat("system: Be brief.", "user: Hi", "assistant: Hello", "user: 2 + 2?")
    assert merged_system(prompt) == chat("user: Be brief.\n\nHi", "assistant: Hello", "user: 2 + 2?")
    result = merge_system([row(prompt=prompt, completion="4"), row(completion="4")])
    assert [kept.prompt[0]["role"] for kept in result.kept] == ["user", "user"]
    assert (len(result.kept), result.told) == (2, {"system": {"merged": 1}})


@pytest.mark.parametrize(
    "turns",
    [("user: Hi",), ("system: Be brief.",), ("system: Be brief.", "tool: 4"), ("user: Hi", "system: Late."), ()],
)
def test_without_both_a_prompt_stays(turns: tuple[str, ...]) -> None:
    assert merged_system(chat(*turns)) == chat(*turns)


# -- in an export


def test_both_are_kept_unless_asked_for(tmp_path: Path) -> None:
    task = load_template("chat_review")
    messages = chat("system: Be brief.", "user: 2 + 2?", "assistant: <think>Two and two</think>4")
    record = Record("r1", {"messages": messages})
    merged = merge([Annotation("r1", "ann", answers={"rating": 5, "label": "correct"})], task, [record]).kept

    def line(**asked: Any) -> tuple[Any, dict[str, Any]]:
        result = export("sft", [record], merged, task, tmp_path, ["conversational"], sieves=shaping(**asked))
        written = json.loads(result.files[0].path.read_text())
        return [*written["prompt"], *written["completion"]], json.loads(result.manifest.read_text())

    assert line()[0] == messages
    shaped, manifest = line(reasoning="strip", system="merge")
    assert shaped == chat("user: Be brief.\n\n2 + 2?", "assistant: 4")
    assert (manifest["reasoning"], manifest["system"]) == ({"stripped": 1, "rejected": 0}, {"merged": 1})
