"""Argilla's fields, questions and values: texts that stay text, and answers that survive the way there and back."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import UsageError, ValueRejected
from bridge.servers.argilla_kinds import (
    DESCRIPTION_LENGTH,
    TITLE_LENGTH,
    fields_of,
    questions_of,
    to_answers,
    to_suggestions,
)
from bridge.servers.argilla_texts import (
    GUIDELINES_LENGTH,
    original_fields,
    original_text,
    shown_field,
    shown_guidelines,
    shown_text,
    typed_text,
    unrendered,
)
from bridge.servers.shown import one_line_break
from bridge.templates import TaskTemplate, load_template
from bridge.text import utf16_offset

ODD = st.sampled_from(["<", "!", "[", "\ufe0e", "a", "/", "\n", "\r", "&lt;", "&", ">", "😀", "\U0001ffff", " "])
TEXTS = st.lists(st.one_of(ODD, st.characters(codec="utf-8", exclude_characters="\0"))).map("".join)


def questions(name: str, **changes: Any) -> list[dict[str, Any]]:
    """The questions of a ready-made template, all of which are changed in the same way."""
    shape = load_template(name).model_dump(exclude_none=True)
    for question in shape["questions"]:
        question.update(changes)
    return questions_of(TaskTemplate.model_validate(shape))


# Texts


@given(TEXTS)
def test_a_stored_text_has_no_markup_and_can_be_read_again(text: str) -> None:
    stored = shown_text(text)
    assert not re.search("[<>]|&(?!amp;|lt;|gt;)", stored)
    assert original_text(stored) == one_line_break(text)


@given(TEXTS.filter(lambda text: "\U0001ffff" not in text))
def test_a_text_with_spans_is_stored_at_least_as_long_as_the_page_counts_it(text: str) -> None:
    stored = shown_field(text, "text", room=True)
    assert len(stored) >= utf16_offset(text, len(text))
    assert original_text(stored) == one_line_break(text)


def test_what_is_no_character_is_stored_as_it_is() -> None:
    assert original_text(shown_field("\U0001ffff😀", "text", room=True)) == "\U0001ffff😀"


@given(TEXTS)
def test_a_suggested_text_comes_back_as_it_was_and_holds_nothing_that_markdown_would_fetch(text: str) -> None:
    sent = unrendered(text)
    assert typed_text(sent) == text
    assert not re.search(r"<[A-Za-z/!?]|!\[", sent)


def test_a_text_without_markup_is_suggested_as_it_is() -> None:
    text = "if a < b and b > 1:\n\treturn not a!  # 3 <= 4"
    assert unrendered(text) == text


def test_turns_of_a_transcript_stand_apart() -> None:
    talk = [{"role": "Änne <b>", "content": "Shall we?\nNow?"}, {"role": "Bo", "content": "Yes."}]
    assert shown_field(talk, "transcript") == "Änne &lt;b&gt;: Shall we?\nNow?\n\nBo: Yes."


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ({"role": "user", "content": ""}, "message 2: it has no text"),
        ({"role": "u" * 21, "content": "x"}, "message 2: the role has 21 characters"),
        ({"role": "user", "content": "<" * 5001}, "message 2: 20,004 characters as stored"),
    ],
)
def test_messages_that_argilla_cannot_hold_are_rejected(message: dict[str, str], reason: str) -> None:
    with pytest.raises(ValueRejected, match=reason):
        shown_field([{"role": "user", "content": "Hi"}, message], "chat")


def test_guidelines_that_are_too_long_as_literal_markdown_become_a_block_of_code() -> None:
    text = "*" * 9000 + "\n````\n![x](y)"
    shown = shown_guidelines(text)
    assert shown == f"`````text\n{text}\n`````"
    assert len(shown) <= GUIDELINES_LENGTH


# Questions


def test_only_what_must_be_there_is_required_of_a_record() -> None:
    assert [(field["name"], field["required"]) for field in fields_of(load_template("ranking"), 3)] == [
        ("prompt", True),
        ("response_1", True),
        ("response_2", True),
        ("response_3", False),
    ]


def test_titles_say_what_a_scale_means_and_when_an_answer_is_required() -> None:
    assert [question["title"] for question in questions_of(load_template("review"))] == [
        "How good is the response? (1 = useless, 5 = excellent)",
        "Is the response correct?",
        'Improve the response (required when "How good is the response?" is 3 or lower)',
    ]


def test_what_is_too_long_for_the_title_stands_in_the_description_as_far_as_it_goes() -> None:
    (question,) = questions("rating", description="d" * 900, labels={n: str(n) * 280 for n in range(1, 6)})
    assert question["title"] == "How good is the response?"
    assert len(question["title"]) <= TITLE_LENGTH
    assert len(question["description"]) == DESCRIPTION_LENGTH
    assert question["description"].endswith("…")


def test_a_question_that_is_answered_untouched_stands_in_for_a_required_one() -> None:
    (spans,) = questions("span_errors")
    assert (spans["required"], spans["title"]) == (True, "Mark what is wrong (may stay empty)")
    (rewrite,) = questions("rewrite", required=False)
    assert (rewrite["required"], rewrite["title"]) == (True, "Improve the response (may stay as it is)")


@pytest.mark.parametrize("name", ["rating", "label", "ranking"])
def test_the_only_question_must_be_answered(name: str) -> None:
    (question,) = questions(name, required=False)
    assert question["required"]
    assert "may stay" not in question["title"]


def test_where_no_question_can_stand_in_the_template_does_not_fit() -> None:
    with pytest.raises(UsageError, match="needs a question that must be answered"):
        questions("multi_label", required=False)


# Values

RANKED = {"response_1": "one", "response_3": "three"}


@pytest.mark.parametrize("ranking", [{"response_1": 2, "response_3": 1}, {"response_1": 1, "response_3": 1}])
def test_cards_without_a_response_are_placed_last_and_left_out_again(ranking: dict[str, int]) -> None:
    template = load_template("ranking")
    values = to_suggestions(template, {"ranking": ranking}, RANKED, 4)["ranking"]
    assert {card["value"]: card["rank"] for card in values} == {**ranking, "response_2": 4, "response_4": 4}
    questions = {question.name: question for question in template.questions}
    assert to_answers(questions, {"ranking": {"value": values}}, RANKED) == {"ranking": ranking}


def test_they_are_placed_before_anybody_ranks_where_a_ranking_is_required() -> None:
    template = load_template("ranking")
    assert to_suggestions(template, {}, RANKED, 3) == {"ranking": [{"value": "response_2", "rank": 3}]}
    shape = template.model_dump(exclude_none=True)
    shape["questions"][0]["required"] = False
    # A ranking that nobody need make can be left empty, but not half made.
    assert to_suggestions(TaskTemplate.model_validate(shape), {}, RANKED, 3) == {}


@given(TEXTS, st.data())
def test_spans_survive_the_way_there_and_back(text: str, data: st.DataObject) -> None:
    text = f"{text}."
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    template = load_template("span_errors")
    spans = [{"start": start, "end": end, "label": "unsupported"}]
    value = to_suggestions(template, {"errors": spans}, {"response": text})["errors"]
    fields = original_fields({"response": shown_field(text.replace("\U0001ffff", "😀"), "text", room=True)})
    questions = {question.name: question for question in template.questions}
    assert to_answers(questions, {"errors": {"value": value}}, fields) == {"errors": spans}
