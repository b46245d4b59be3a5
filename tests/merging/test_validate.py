"""Checking answers: what is wrong is named and left out, and the rest of the annotation stands."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.annotations import Annotation
from bridge.merging import check_answers
from bridge.templates import load_template

REVIEW = load_template("review")
GOOD = {"rating": 5, "label": "correct"}


def check(answers: dict[str, Any], template: str = "review", **more: Any):
    prefill = more.pop("prefill", None)
    fields = more.pop("fields", None)
    return check_answers(Annotation("r1", "ann", answers=answers, **more), load_template(template), fields, prefill)


def test_good_answers_stand_in_the_order_of_the_template() -> None:
    answers, problems = check({"label": "correct", "rating": 5})
    assert list(answers.items()) == [("rating", 5), ("label", "correct")]
    assert problems == []


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"label": "Correct"}, "label: 'Correct' is not one of its labels"),
        ({"label": ["correct", "incorrect"]}, "label: ['correct', 'incorrect'] is not one of its labels"),
        ({"rating": 6}, "rating: 6 is not on the scale"),
        ({"rating": 4.5}, "rating: 4.5 is not on the scale"),
        ({"rating": True}, "rating: True is not on the scale"),
        ({"stars": 5}, "'stars': the template 'review' has no such question"),
        ({"improved_response": " \n"}, "improved_response: the text is blank"),
    ],
)
def test_a_wrong_answer_is_left_out_and_the_others_stand(answer: dict[str, Any], reason: str) -> None:
    answers, problems = check(GOOD | answer)
    assert answers == {name: value for name, value in GOOD.items() if name not in answer}
    assert [(p.kind, p.reason, p.question, p.value) for p in problems] == [
        ("invalid", reason, *next(iter(answer.items())))
    ]
    assert problems[0].remedy


def test_an_annotator_without_id_has_no_answers() -> None:
    answers, problems = check_answers(Annotation("r1", " ", answers=GOOD), REVIEW)
    assert answers == {}
    assert [problem.reason for problem in problems] == ["the annotator has no id"]


@pytest.mark.parametrize("more", [{"status": "draft"}, {"status": "discarded"}, {"deleted": True}])
def test_only_submitted_answers_are_looked_at(more: dict[str, Any]) -> None:
    assert check({"rating": 99}, **more) == ({}, [])


def test_a_missing_required_answer_is_incomplete() -> None:
    answers, problems = check({"rating": 5})
    assert answers == {"rating": 5}
    assert [(p.kind, p.reason) for p in problems] == [("incomplete", "label: there is no answer")]


def test_nothing_ticked_is_no_answer_where_one_is_required() -> None:
    answers, problems = check({"labels": []}, "multi_label")
    assert answers == {}
    assert [p.kind for p in problems] == ["incomplete"]


def test_nothing_marked_is_an_answer_where_none_is_required() -> None:
    assert check({"errors": []}, "span_errors") == ({"errors": []}, [])


def test_a_wrong_answer_is_not_also_missing() -> None:
    assert [p.kind for p in check({"rating": 5, "label": "?"})[1]] == ["invalid"]


def test_a_demanded_rewrite_that_is_missing_is_incomplete() -> None:
    answers, problems = check(GOOD | {"rating": 3})
    assert answers == GOOD | {"rating": 3}
    assert [(p.kind, p.question, p.value) for p in problems] == [("incomplete", "improved_response", None)]
    assert '"How good is the response?" is 3 or lower' in problems[0].reason


def test_a_demanded_rewrite_that_changes_nothing_is_incomplete_and_stands() -> None:
    given = {"rating": 2, "label": "incorrect", "improved_response": "It is  five.\n"}
    answers, problems = check(given, prefill={"improved_response": "It is five."})
    assert answers == given
    assert [(p.kind, p.question) for p in problems] == [("incomplete", "improved_response")]


@pytest.mark.parametrize("rating", [2, 5])
def test_a_changed_rewrite_is_complete(rating: int) -> None:
    given = {"rating": rating, "label": "incorrect", "improved_response": "It is four."}
    assert check(given, prefill={"improved_response": "It is five."}) == (given, [])


def test_an_unchanged_text_is_fine_where_no_condition_asks_for_a_rewrite() -> None:
    given = {"improved_response": "It is four."}
    assert check(given, "rewrite", prefill={"improved_response": "It is four."}) == (given, [])


def test_spans_and_ranks_are_checked_against_the_record() -> None:
    span = [{"start": 0, "end": 9, "label": "unsupported"}]
    assert check({"errors": span}, "span_errors") == ({"errors": span}, [])
    fields: dict[str, Any] = {"prompt": "?", "response": "short"}
    assert [p.kind for p in check({"errors": span}, "span_errors", fields=fields)[1]] == ["invalid"]
    fields = {"prompt": "?", "response_1": "a", "response_2": "b"}
    ranks = {"response_1": 1, "response_3": 2}
    assert [p.kind for p in check({"ranking": ranks}, "ranking", fields=fields)[1]] == ["invalid"]


def test_a_problem_is_a_line() -> None:
    assert check({"rating": 5})[1][0].to_dict() == {
        "record": "r1",
        "annotator": "ann",
        "question": "label",
        "value": None,
        "kind": "incomplete",
        "reason": "label: there is no answer",
        "remedy": "ask the annotator to complete it, or use the answers as they are",
    }
