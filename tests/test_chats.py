"""Chats: one that can never become a training row is refused before anybody judges it, and no other is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import TemplateError, ValueRejected
from bridge.exporting.rows import training_rows
from bridge.merging.merged import Merged
from bridge.reading import read_records
from bridge.records import Record
from bridge.templates import TaskTemplate, load_template, parse_template
from bridge.yamlfile import parse_yaml

REVIEW = load_template("chat_review")
TURN = {"system": "Be brief.", "user": "2 + 2?", "assistant": "4", "tool": "4.0"}


def chat(*roles: str) -> list[dict[str, str]]:
    return [{"role": role, "content": TURN.get(role, "text")} for role in roles]


def template(training: str, chat_field: str = "{name: chat, title: C, type: chat}") -> TaskTemplate:
    text = (
        f"{{version: 1, name: mine, title: Mine, fields: [{chat_field}, {{name: response, title: R}}],"
        f" questions: [{{name: rating, type: rating, title: R}}]{training}}}"
    )
    return parse_template(parse_yaml(text, "mine.yaml", TemplateError))


def refusal(messages: list[dict[str, str]], task: TaskTemplate = REVIEW) -> ValueRejected:
    fields = {"messages": messages} if task is REVIEW else {"chat": messages, "response": "4"}
    with pytest.raises(ValueRejected) as caught:
        task.check_fields(fields)
    assert caught.value.remedy
    return caught.value


# -- a chat that is judged by its last answer


@pytest.mark.parametrize(
    "roles", [("user", "assistant"), ("system", "user", "assistant"), ("user", "assistant", "tool", "assistant")]
)
def test_a_chat_that_ends_with_the_assistant_is_fine(roles: tuple[str, ...]) -> None:
    assert REVIEW.check_fields({"messages": chat(*roles)}) == {"messages": chat(*roles)}


@pytest.mark.parametrize("last", ["user", "tool", "system", "Assistant", "gpt"])
def test_a_chat_that_does_not_end_with_the_assistant_is_refused(last: str) -> None:
    error = refusal(chat("user", "assistant", last))
    assert error.reason.startswith("messages: it does not end with a turn of the assistant")
    assert error.remedy == "end it with the assistant's answer, or leave the record out"


def test_a_blank_answer_is_no_answer() -> None:
    assert "no answer to judge" in refusal([*chat("user"), {"role": "assistant", "content": " \n"}]).reason


@pytest.mark.parametrize("role", ["human", "User", "developer", "function", " user"])
def test_a_role_that_trainers_do_not_know_is_refused_by_name(role: str) -> None:
    error = refusal(chat("user", role, "user", "assistant"))
    assert error.reason == f"messages: trainers do not know the role {role!r}"
    assert error.remedy.startswith("use system, user, assistant, tool")


@pytest.mark.parametrize("roles", [("assistant",), ("system", "assistant"), ("user", "assistant", "assistant")])
def test_an_answer_without_a_question_is_refused(roles: tuple[str, ...]) -> None:
    assert refusal(chat(*roles)).reason == "messages: no turn of the user stands before the answer"


def test_a_blank_turn_before_the_answer_is_refused_by_number() -> None:
    messages = [*chat("system"), {"role": "user", "content": ""}, *chat("user", "assistant")]
    assert refusal(messages).reason == "messages: message 2 is blank"


# -- what training takes from a chat decides


def test_a_chat_that_is_only_a_prompt_may_end_with_the_user() -> None:
    task = template(", training: {prompt: chat, sft: [{use: response}]}")
    assert task.check_fields({"chat": chat("user"), "response": "4"})
    assert "the role 'human'" in refusal(chat("human"), task).reason


def test_a_chat_that_is_only_an_answer_may_have_any_roles_before_it() -> None:
    task = template(", training: {prompt: response, sft: [{use: chat}]}")
    assert task.check_fields({"chat": chat("human", "assistant"), "response": "4"})
    assert "does not end" in refusal(chat("user"), task).reason


@pytest.mark.parametrize("training", ["", ", training: {prompt: response, sft: [{use: response}]}"])
def test_a_chat_that_no_training_rule_uses_is_left_alone(training: str) -> None:
    assert template(training).check_fields({"chat": chat("human"), "response": "4"})


def test_among_several_prompt_fields_a_chats_roles_are_words_like_others() -> None:
    task = template(", training: {prompt: [chat, response], sft: [{use: response}]}")
    assert task.check_fields({"chat": chat("customer", "agent"), "response": "4"})


def test_a_transcript_may_have_any_speakers_and_end_as_it_likes() -> None:
    task = template(", training: {prompt: chat, sft: [{use: response}]}", "{name: chat, title: C, type: transcript}")
    assert task.check_fields({"chat": [{"speaker": "Ann", "text": "Hi"}], "response": "4"})


def test_each_of_several_ranked_chats_must_hold_an_answer() -> None:
    text = (
        "{version: 1, name: mine, title: Mine,"
        " fields: [{name: prompt, title: P}, {name: reply, title: R, type: chat, repeat: {}}],"
        " questions: [{name: order, type: ranking, title: O, items: reply}],"
        " training: {prompt: prompt, dpo: [{pairs: order}]}}"
    )
    task = parse_template(parse_yaml(text, "mine.yaml", TemplateError))
    good = {"prompt": "p", "reply_1": chat("assistant"), "reply_2": chat("user", "assistant")}
    assert task.check_fields(good)
    with pytest.raises(ValueRejected, match=r"^reply_3: it does not end"):
        task.check_fields({**good, "reply_3": chat("user")})


# -- so that nobody works in vain


def test_such_a_row_is_among_the_rejects_and_the_rest_goes_on(tmp_path: Path) -> None:
    rows = [chat("user", "assistant"), chat("user"), [{"role": "bot", "content": "x"}, *chat("user", "assistant")]]
    (tmp_path / "chats.jsonl").write_text("".join(json.dumps({"messages": row}) + "\n" for row in rows))
    reader = read_records(tmp_path / "chats.jsonl", REVIEW)
    assert len(list(reader)) == 1
    assert [(reject.line, reject.reason.partition(":")[0]) for reject in reader.rejects] == [
        (2, "messages"),
        (3, "messages"),
    ]


MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from([*TURN, "human"]), "content": st.sampled_from(["2 + 2?", "4", " "])}
    ),
    min_size=1,
    max_size=4,
)


@given(MESSAGES)
def test_what_is_let_through_becomes_a_row_once_people_approve_it(messages: list[dict[str, str]]) -> None:
    def made() -> bool:
        approved: dict[str, Any] = {"outcome": "agreed", "annotators": {"ann": 5}}
        answers = {"rating": approved | {"value": 5}, "label": approved | {"value": "correct"}}
        merged = Merged.from_dict({"record": "r1", "answers": answers})
        return bool(training_rows("sft", [Record("r1", {"messages": messages})], [merged], REVIEW).kept)

    try:
        REVIEW.check_fields({"messages": messages})
    except ValueRejected:
        assert not made()
    else:
        assert made()
