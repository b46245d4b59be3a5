"""The question kinds: every answer that is possible comes back in its one form, and every other is refused by name."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bridge.errors import ValueRejected
from bridge.questions import (
    Bounds,
    LabelQuestion,
    MultiLabelQuestion,
    RankingQuestion,
    RatingQuestion,
    SpanQuestion,
    TextQuestion,
    holds,
)

LABELS = ["correct", "partly correct", "Ünïcode 😀", "<b>&amp;</b>", "$prompt {{x}}"]
RATING = RatingQuestion(type="rating", name="rating", title="How good?", min=0, max=7)
LABEL = LabelQuestion(type="label", name="label", title="Correct?", options=LABELS)
MULTI = MultiLabelQuestion(type="multi_label", name="labels", title="Which?", options=LABELS)
TEXT = TextQuestion(type="text", name="rewrite", title="Better?")
RANKING = RankingQuestion(type="ranking", name="order", title="Order", items="response")
LISTED = RankingQuestion(type="ranking", name="order", title="Order", items=["response_a", "response_b"])
SPAN = SpanQuestion(type="span", name="errors", title="Mark", field="response", options=LABELS)
ALL = [RATING, LABEL, MULTI, TEXT, RANKING, SPAN]

FIELDS = {"prompt": "p", "response": "naïve 😀 text", "response_1": "a", "response_2": "b", "response_10": "c"}

# One of every JSON type, and the shapes of the other kinds' answers.
JSON: list[Any] = [
    None,
    True,
    False,
    0.5,
    3.0,
    "",
    "   ",
    "no such label",
    [],
    ["no such label"],
    ["correct", "correct"],
    [1],
    [["correct"]],
    {},
    {"response_1": "1"},
    {"response_1": 1.0},
    {"response_1": True},
    {"response_1": 0},
    {"response_1": -1},
    {"response_1": 21},
    {"prompt": 1},
    {"response": 1},
    {"response_0": 1},
    {"response_01": 1},
    {"response_٣": 1},
    {"response_x": 1},
    {"_1": 1},
    [{}],
    [{"start": 0, "end": 3}],
    [{"start": 0, "end": 3, "label": "correct", "text": "naï"}],
    [{"start": 3, "end": 3, "label": "correct"}],
    [{"start": 3, "end": 2, "label": "correct"}],
    [{"start": -1, "end": 2, "label": "correct"}],
    [{"start": 0, "end": 13, "label": "correct"}],
    [{"start": 0.0, "end": 3, "label": "correct"}],
    [{"start": False, "end": True, "label": "correct"}],
    [{"start": "0", "end": "3", "label": "correct"}],
    [{"start": 0, "end": 3, "label": "no such label"}],
    [{"start": 0, "end": 3, "label": None}],
    -1,
    8,
    10**30,
]
FITS = {
    "rating": [],
    "label": [],
    "multi_label": [[]],
    "text": ["no such label"],
    "ranking": [],
    "span": [[]],
}


@pytest.mark.parametrize(
    ("question", "value"),
    [(question, value) for question in ALL for value in JSON if value not in FITS[question.type]],
    ids=repr,
)
def test_a_wrong_answer_is_refused_by_the_questions_name_and_with_a_remedy(question: Any, value: Any) -> None:
    with pytest.raises(ValueRejected) as caught:
        question.validate(value, FIELDS)
    assert caught.value.reason.startswith(f"{question.name}: ")
    assert caught.value.remedy


DEEP: list[Any] = []
for _ in range(100_000):
    DEEP = [DEEP]
HUGE: list[Any] = [
    [["x" * 100_000]],
    10**5000,
    [10**5000],
    DEEP,
    {"response_1": 10**5000},
    {"response_" + "1" * 5000: 1},
    [{"start": 10**5000, "end": 1, "label": "correct"}],
    [{"start": 0, "end": 1, "label": DEEP}],
]


@pytest.mark.parametrize("question", ALL, ids=lambda question: question.type)
@pytest.mark.parametrize("value", HUGE, ids=range(len(HUGE)))
def test_a_message_does_not_repeat_a_huge_value(question: Any, value: Any) -> None:
    with pytest.raises(ValueRejected) as caught:
        question.validate(value, FIELDS)
    assert len(caught.value.reason) < 200


@pytest.mark.parametrize(
    ("question", "value", "remedy"),
    [
        (RATING, 8, "use a whole number from 0 to 7"),
        (LABEL, "wrong", f"use one of {', '.join(LABELS)}"),
        (MULTI, ["wrong"], f"use one of {', '.join(LABELS)}"),
        (RANKING, {"prompt": 1}, "rank response_1, response_2, response_10"),
        (LISTED, {"response_c": 1}, "rank response_a, response_b"),
        (SPAN, [{"start": 0, "end": 1, "label": "wrong"}], f"use one of {', '.join(LABELS)}"),
    ],
    ids=lambda value: getattr(value, "type", None),
)
def test_the_remedy_names_what_is_allowed(question: Any, value: Any, remedy: str) -> None:
    with pytest.raises(ValueRejected) as caught:
        question.validate(value, FIELDS)
    assert caught.value.remedy == remedy


# -- rating


@given(st.integers(0, 7))
def test_every_number_on_the_scale_is_a_rating(value: int) -> None:
    assert RATING.validate(value) == value


@pytest.mark.parametrize(
    "scale", [{"min": 3, "max": 3}, {"min": 5, "max": 1}, {"min": -1}, {"max": 101}, {"max": True}]
)
def test_a_scale_must_be_one(scale: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RatingQuestion(type="rating", name="rating", title="?", **scale)


def test_a_scale_names_only_its_own_numbers() -> None:
    with pytest.raises(ValidationError, match=r"labels\.6: the scale goes from 1 to 5"):
        RatingQuestion(type="rating", name="rating", title="?", labels={6: "six"})


# -- label


@given(st.sampled_from(LABELS))
def test_every_label_is_an_answer(value: str) -> None:
    assert LABEL.validate(value) == value


@pytest.mark.parametrize("near", ["Correct", "correct ", "partly_correct", "Ünïcode 😀\ufe0f", "correct\n"])
def test_a_label_is_meant_to_the_character(near: str) -> None:
    with pytest.raises(ValueRejected, match="is not one of its labels"):
        LABEL.validate(near)


@pytest.mark.parametrize(
    "options", [["a", "a"], ["a_b", "a b"], [{"value": "a", "title": "T"}, {"value": "b", "title": "T"}]]
)
def test_two_options_that_look_or_count_the_same_are_refused(options: list[Any]) -> None:
    with pytest.raises(ValidationError, match="two options have the same"):
        LabelQuestion(type="label", name="label", title="?", options=options)


def test_an_option_has_a_readable_title() -> None:
    question = LabelQuestion(type="label", name="label", title="?", options=["partly_correct", {"value": "b"}])
    assert [option.title for option in question.options] == ["Partly correct", "B"]


# -- multi-label


@given(st.lists(st.sampled_from(LABELS), unique=True))
def test_equal_choices_are_equal_lists(value: list[str]) -> None:
    assert MULTI.validate(value) == [label for label in LABELS if label in value]


def test_nothing_ticked_is_an_answer() -> None:
    assert MULTI.validate([]) == []


# -- text


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")).filter(str.strip))
def test_text_comes_back_to_the_character(value: str) -> None:
    assert TEXT.validate(value) == value


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (" \n\t\u2003", "rewrite: the text is blank"),
        ("a\0b", "rewrite: character 2 is NUL, so this is binary data and not text"),
        ("a\ud800", "rewrite: character 2 is U+D800, half of a surrogate pair"),
        ("x" * 1_000_001, "rewrite: 1,000,001 characters, more than the 1,000,000 that a person can be shown"),
    ],
    ids=["blank", "NUL", "surrogate", "huge"],
)
def test_text_that_no_server_survives_is_refused(value: str, reason: str) -> None:
    with pytest.raises(ValueRejected) as caught:
        TEXT.validate(value)
    assert caught.value.reason == reason


# -- ranking

RANKS = st.dictionaries(st.sampled_from(["response_1", "response_2", "response_10"]), st.integers(1, 20), min_size=1)


@given(RANKS)
def test_every_order_with_ties_and_gaps_is_a_ranking(value: dict[str, int]) -> None:
    assert RANKING.validate(value, FIELDS) == value


@given(RANKS)
def test_items_are_listed_in_their_natural_order(value: dict[str, int]) -> None:
    natural = [name for name in ("response_1", "response_2", "response_10") if name in value]
    assert list(RANKING.validate(value, FIELDS)) == natural


@pytest.mark.parametrize("gone", [{}, {"response_1": ""}, {"response_1": []}])
def test_an_item_that_the_record_does_not_have_cannot_be_ranked(gone: dict[str, Any]) -> None:
    with pytest.raises(ValueRejected, match="order: 'response_1' is not one of the ranked items"):
        RANKING.validate({"response_1": 1}, gone)


def test_items_may_be_listed_by_name() -> None:
    assert LISTED.validate({"response_b": 1, "response_a": 2}) == {"response_a": 2, "response_b": 1}


def test_ranked_fields_are_found_among_others() -> None:
    assert RANKING.item_names(["response_10", "prompt", "response", "response_2", "response_02", "response_"]) == [
        "response_2",
        "response_10",
    ]


# -- span

SPANS = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 12), st.sampled_from(LABELS))
    .filter(lambda place: place[0] < place[1] <= 12)
    .map(lambda place: dict(zip(("start", "end", "label"), place, strict=True)))
)


@given(SPANS)
def test_every_passage_of_the_text_can_be_marked(value: list[dict[str, Any]]) -> None:
    found = SPAN.validate(value, FIELDS)
    assert all(span in found for span in value)
    assert all(span in value for span in found)


@given(SPANS, st.randoms(use_true_random=False))
def test_the_same_marks_are_the_same_list(value: list[dict[str, Any]], random: Any) -> None:
    shuffled = value * 2
    random.shuffle(shuffled)
    assert SPAN.validate(shuffled, FIELDS) == SPAN.validate(value, FIELDS)


def test_offsets_count_code_points() -> None:
    last = [{"start": 11, "end": 12, "label": "correct"}]
    assert SPAN.validate(last, FIELDS) == last  # 13 UTF-16 units, 12 code points
    with pytest.raises(ValueRejected, match=r"errors: span 12 to 13 does not lie in response \(12 characters\)"):
        SPAN.validate([{"start": 12, "end": 13, "label": "correct"}], FIELDS)


# -- conditions


@pytest.mark.parametrize(
    ("condition", "answer", "met"),
    [
        (Bounds(max=3), 3, True),
        (Bounds(max=3), 4, False),
        (Bounds(min=2), 2, True),
        (Bounds(min=2, max=3), 1, False),
        (Bounds(max=3), None, False),
        (Bounds(max=0), [], True),
        (Bounds(min=1), [{"start": 0, "end": 1, "label": "x"}], True),
        (Bounds(min=1), "text", False),
        (["good", "fine"], "fine", True),
        (["good"], "bad", False),
        (["good"], ["bad", "good"], True),
        (["good"], [], False),
        (["good"], None, False),
    ],
)
def test_a_condition_is_met_or_not(condition: Any, answer: Any, met: bool) -> None:
    assert holds(condition, answer) is met


@pytest.mark.parametrize(("rating", "required"), [(1, True), (3, True), (4, False), (None, False)])
def test_an_answer_is_required_when_the_condition_is_met(rating: int | None, required: bool) -> None:
    question = TextQuestion(type="text", name="t", title="?", required=False, required_when={"rating": Bounds(max=3)})
    assert question.is_required({} if rating is None else {"rating": rating}) is required


def test_all_conditions_must_hold() -> None:
    conditions = {"rating": Bounds(max=3), "label": ["bad"]}
    question = TextQuestion(type="text", name="t", title="?", required=False, required_when=conditions)
    assert question.is_required({"rating": 1, "label": "bad"})
    assert not question.is_required({"rating": 1, "label": "good"})


def test_required_and_required_when_contradict_each_other() -> None:
    with pytest.raises(ValidationError, match="required_when: it needs 'required: false'"):
        TextQuestion(type="text", name="t", title="?", required=True, required_when={"rating": Bounds(max=3)})


def test_bounds_without_a_bound_are_refused() -> None:
    with pytest.raises(ValidationError, match="bounds need 'min' or 'max'"):
        Bounds()


def test_bounds_that_nothing_can_meet_are_refused() -> None:
    assert Bounds(min=2, max=2)
    with pytest.raises(ValidationError, match="min: it is above 'max'"):
        Bounds(min=3, max=2)


def test_an_item_cannot_be_listed_twice() -> None:
    with pytest.raises(ValidationError, match="'response_a' stands twice"):
        RankingQuestion(type="ranking", name="order", title="Order", items=["response_a", "response_a"])


@pytest.mark.parametrize("name", ["Rating", "1st", "a__b", "_a", "a_", "a-b", "", "a b", "é", "x" * 61, "a\n"])
def test_names_are_plain_so_that_they_can_be_columns_and_controls(name: str) -> None:
    with pytest.raises(ValidationError):
        TextQuestion(type="text", name=name, title="?")


@pytest.mark.parametrize(
    "title",
    ["", " ", "\u3000", "a\nb", "a\tb", "\x1b[31m", "a\ufffe", "x" * 301, 5, None, "\ud800"],
)
def test_titles_are_one_line_of_text(title: Any) -> None:
    with pytest.raises(ValidationError):
        TextQuestion(type="text", name="t", title=title)
