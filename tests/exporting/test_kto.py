"""KTO: what people want and do not want, with a dead zone between the two."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.annotations import Annotation
from bridge.exporting import RowsResult, training_rows
from bridge.merging import merge
from bridge.records import Record
from bridge.templates import TaskTemplate, load_template

QA = {"prompt": "2 + 2?", "response": "4"}


def rows(template: str | TaskTemplate, *answers: dict[str, Any], fields: Any = QA) -> RowsResult:
    task = load_template(template) if isinstance(template, str) else template
    record = Record("r1", fields)
    people = [Annotation("r1", who, answers=given) for who, given in zip(("ann", "bo", "cy"), answers, strict=False)]
    return training_rows("kto", [record], merge(people, task, [record]).kept, task)


def labels(result: RowsResult) -> list[tuple[str, bool | None]]:
    return [(row.completion, row.label) for row in result.kept]


def reason(result: RowsResult) -> str:
    assert result.kept == []
    (case,) = result.dropped
    return case.reason


TEMPLATES = {name: load_template(name) for name in ("rating", "review")}


def kto(template: str, **rule: Any) -> TaskTemplate:
    training = {"prompt": "prompt", "kto": [{"use": "response"} | rule]}
    return TaskTemplate.model_validate(TEMPLATES[template].model_dump() | {"training": training})


@pytest.mark.parametrize(("rating", "label"), [(5, True), (4, True), (2, False), (1, False)])
def test_a_rating_says_whether_a_response_is_desirable(rating: int, label: bool) -> None:
    (row,) = rows("rating", {"rating": rating}, {"rating": rating}).kept
    assert (row.kind, row.completion, row.label, row.annotators) == ("kto", "4", label, ("ann", "bo"))
    assert row.source == f"use: response, {'desirable' if label else 'undesirable'}"


def test_between_the_two_lies_the_dead_zone() -> None:
    assert reason(rows("rating", {"rating": 3})) == "dead_zone"
    assert reason(rows("label", {"label": "partially_correct"})) == "dead_zone"


@pytest.mark.parametrize(("label", "wanted"), [("correct", True), ("incorrect", False), ("harmful", False)])
def test_a_label_says_whether_a_response_is_desirable(label: str, wanted: bool) -> None:
    assert labels(rows("label", {"label": label})) == [("4", wanted)]


def test_who_meets_the_conditions_stands_behind_the_row() -> None:
    (row,) = rows("rating", {"rating": 1}, {"rating": 2}, {"rating": 5}).kept
    assert (row.label, row.annotators) == (False, ("ann", "bo"))


@pytest.mark.parametrize(("ratings", "expected"), [((4, 5), [("4", True)]), ((1, 2), [("4", False)])])
def test_a_tie_on_one_side_of_the_dead_zone_is_no_doubt(ratings: tuple[int, int], expected: Any) -> None:
    assert labels(rows("rating", *({"rating": rating} for rating in ratings))) == expected


@pytest.mark.parametrize("ratings", [(1, 5), (3, 4), (2, 3)])
def test_a_tie_across_its_edge_is_a_tie(ratings: tuple[int, int]) -> None:
    assert reason(rows("rating", *({"rating": rating} for rating in ratings))) == "tie"


def test_answers_that_say_both_are_a_contradiction() -> None:
    task = kto("review", desirable={"label": ["correct"]}, undesirable={"rating": {"max": 2}})
    assert reason(rows(task, {"rating": 1, "label": "correct"})) == "contradiction"
    assert labels(rows(task, {"rating": 5, "label": "correct"})) == [("4", True)]


def test_what_is_settled_needs_no_second_answer() -> None:
    # People contradict each other on the label, but the rating alone says that it is not desirable.
    given = [{"rating": 1, "label": "correct"}, {"rating": 1, "label": "incorrect"}]
    assert [row.label for row in rows("review", *given).kept if row.completion == "4"] == [False]


def test_a_doubt_about_one_side_is_no_verdict_for_the_other() -> None:
    task = kto("review", desirable={"rating": {"min": 4}}, undesirable={"label": ["harmful"]})
    assert reason(rows(task, {"rating": 5, "label": "correct"}, {"rating": 5, "label": "harmful"})) == "tie"


def test_a_rewrite_is_desirable_and_what_it_mends_is_not() -> None:
    given = {"rating": 1, "label": "incorrect", "improved_response": "It is 4."}
    assert labels(rows("review", given)) == [("4", False), ("It is 4.", True)]


def test_a_preference_makes_the_one_desirable_and_the_other_not() -> None:
    pair = {"prompt": "2 + 2?", "response_a": "4", "response_b": "5"}
    assert labels(rows("preference", {"preference": "A"}, fields=pair)) == [("4", True), ("5", False)]
    assert labels(rows("preference", {"preference": "both_bad"}, fields=pair)) == [("4", False), ("5", False)]
    assert reason(rows("preference", {"preference": "tie"}, fields=pair)) == "dead_zone"


@given(st.lists(st.integers(1, 5), min_size=1, max_size=3), st.integers(1, 5), st.integers(1, 5))
def test_a_wider_dead_zone_changes_no_label(ratings: list[int], low: int, high: int) -> None:
    low, high = sorted((low, high))
    answers = [{"rating": rating} for rating in ratings]
    narrow = rows(
        kto("rating", desirable={"rating": {"min": high}}, undesirable={"rating": {"max": low - 1}}), *answers
    )
    wide = rows(kto("rating", desirable={"rating": {"min": 5}}, undesirable={"rating": {"max": 0}}), *answers)
    assert set(labels(wide)) <= set(labels(narrow))
    for result in (narrow, wide):
        assert len(result.kept) + len(result.dropped) == 1


@given(st.lists(st.integers(1, 5), min_size=1, max_size=3))
def test_the_order_of_people_changes_nothing(ratings: list[int]) -> None:
    answers = [
        Annotation("r1", who, answers={"rating": n}) for who, n in zip(("ann", "bo", "cy"), ratings, strict=False)
    ]
    task, records = TEMPLATES["rating"], [Record("r1", QA)]

    def result(given: list[Annotation]) -> RowsResult:
        return training_rows("kto", records, merge(given, task, records).kept, task)

    assert result(answers[::-1]) == result(answers)
