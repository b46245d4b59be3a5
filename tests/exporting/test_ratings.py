"""Pairs and scores from ratings: the best response over each that is strictly worse, by a margin."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.annotations import Annotation
from bridge.exporting import Row, RowsResult, export, training_rows
from bridge.exporting.row import Kind
from bridge.merging import Merged, merge
from bridge.records import Record
from bridge.templates import TaskTemplate, load_template

Ratings = dict[str, dict[str, int]]
"""Record key to annotator to rating."""

TEXTS = {"r1": "4", "r2": "5", "r3": "four", "r4": "22"}


RATING = load_template("rating").model_dump()


def template(kind: str = "dpo", **rule: Any) -> TaskTemplate:
    rule = {"ratings": "rating", "of": "response"} | rule if kind == "dpo" else rule
    return TaskTemplate.model_validate(RATING | {"training": {"prompt": "prompt", kind: [rule]}})


def records(*keys: str, prompt: str = "2 + 2?", **metadata: Any) -> list[Record]:
    return [Record(key, {"prompt": prompt, "response": TEXTS[key]}, metadata=metadata) for key in keys]


def rows(
    given: Ratings, task: TaskTemplate, known: list[Record] | None = None, kind: Kind = "dpo", quorum: int = 1
) -> RowsResult:
    known = records(*given) if known is None else known
    answers = [
        Annotation(key, who, answers={"rating": n}) for key, people in given.items() for who, n in people.items()
    ]
    return training_rows(kind, known, merge(answers, task, known, quorum=quorum).kept, task)


def pairs(result: RowsResult) -> list[tuple[str, str, float | None]]:
    return [(row.chosen, row.rejected, row.margin) for row in result.kept]


def reasons(result: RowsResult) -> dict[str, str]:
    return {case.record: case.reason for case in result.dropped}


# -- records that answer the same prompt


def test_the_best_is_chosen_over_each_that_is_strictly_worse() -> None:
    given = {"r1": {"ann": 5, "bo": 4}, "r2": {"ann": 2}, "r3": {"bo": 4}}
    result = rows(given, template())
    assert result.kept == [
        Row(
            "r1",
            "dpo",
            [{"role": "user", "content": "2 + 2?"}],
            chosen="4",
            rejected=rejected,
            source="ratings: rating, of: response",
            annotators=("ann", "bo"),
            margin=margin,
            others=(other,),
        )
        for rejected, margin, other in (("5", 2.5, "r2"), ("four", 0.5, "r3"))
    ]
    assert result.dropped == []


def test_where_several_are_best_each_is_chosen_over_each_that_is_worse() -> None:
    result = rows({"r1": {"ann": 5}, "r2": {"ann": 1}, "r3": {"bo": 5}}, template())
    assert pairs(result) == [("4", "5", 4.0), ("four", "5", 4.0)]


def test_prompts_are_the_same_whatever_their_white_space_and_unicode_form() -> None:
    known = [*records("r1", prompt="Café?\n"), *records("r2", prompt=" Cafe\u0301? "), *records("r3", prompt="Tea?")]
    result = rows({"r1": {"ann": 5}, "r2": {"ann": 1}, "r3": {"ann": 1}}, template(), known)
    assert [(row.record, row.others) for row in result.kept] == [("r1", ("r2",))]
    assert reasons(result) == {"r3": "alone"}


def test_a_pair_needs_the_margin() -> None:
    given = {"r1": {"ann": 5}, "r2": {"ann": 4}, "r3": {"ann": 1}}
    result = rows(given, template(min_margin=2))
    assert pairs(result) == [("4", "four", 4.0)]
    assert reasons(result) == {"r2": "close"}
    (told,) = result.dropped
    assert told.text == "ratings: rating, of: response: the mean ratings differ by 1, and 2 is the least"


def test_a_margin_is_no_less_by_the_rounding_of_its_means() -> None:
    # (5 + 5 + 5 + 4 + 4) / 5 - (4 + 4 + 4 + 3 + 3) / 5 is 0.9999999999999996 for a computer.
    best = dict(zip("abcde", (5, 5, 5, 4, 4), strict=True))
    given = {"r1": best, "r2": {who: n - 1 for who, n in best.items()}}
    assert pairs(rows(given, template(min_margin=1))) == [("4", "5", 1.0)]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"r1": {"ann": 3}, "r2": {"bo": 3}}, {"r1": "no_preference", "r2": "no_preference"}),
        ({"r1": {"ann": 5}}, {"r1": "alone"}),
        ({"r1": {"ann": 5, "bo": 1}, "r2": {"ann": 2}}, {"r1": "tie", "r2": "alone"}),
    ],
)
def test_without_a_worse_rating_there_is_no_pair(given: Ratings, reason: dict[str, str]) -> None:
    result = rows(given, template())
    assert (pairs(result), reasons(result)) == ([], reason)


def test_equal_responses_are_no_pair() -> None:
    known = [Record(key, {"prompt": "2 + 2?", "response": text}) for key, text in (("r1", "4"), ("r2", " 4\n"))]
    result = rows({"r1": {"ann": 5}, "r2": {"ann": 1}}, template(), known)
    assert (pairs(result), reasons(result)) == ([], {"r1": "equal", "r2": "equal"})


def test_only_responses_with_enough_ratings_take_part() -> None:
    result = rows({"r1": {"ann": 5, "bo": 5}, "r2": {"ann": 1}}, template(), quorum=2)
    assert reasons(result) == {"r1": "alone", "r2": "no_quorum"}


def test_a_mean_between_two_neighbouring_grades_counts() -> None:
    assert pairs(rows({"r1": {"ann": 4, "bo": 5}, "r2": {"ann": 4}}, template())) == [("4", "5", 0.5)]


def test_only_records_that_meet_the_conditions_take_part() -> None:
    result = rows({"r1": {"ann": 5}, "r2": {"ann": 1}}, template(when={"rating": {"min": 3}}))
    assert reasons(result) == {"r1": "alone", "r2": "condition"}


def test_a_pair_names_the_licences_of_both_and_none_where_one_is_unknown() -> None:
    def licence(one: str, other: str) -> str:
        known = [*records("r1", licence=one), *records("r2", licence=other)]
        (row,) = rows({"r1": {"ann": 5}, "r2": {"ann": 1}}, template(), known).kept
        return row.licence

    assert (licence("MIT", "MIT"), licence("MIT", "CC0-1.0"), licence("MIT", "")) == ("MIT", "CC0-1.0, MIT", "")


def test_both_records_of_a_pair_are_kept_and_traced(tmp_path: Path) -> None:
    task, known = template(), records("r1", "r2")
    answers = [
        Annotation("r1", "ann", answers={"rating": 5}, revision=3),
        Annotation("r2", "ann", answers={"rating": 1}, revision=2),
        Annotation("r2", "bo", answers={"rating": 2}),
    ]
    result = export("dpo", known, merge(answers, task, known).kept, task, tmp_path, ["plain"], answers)
    manifest = json.loads(result.manifest.read_text())
    assert manifest["records"] == {"kept": 2, "dropped": {}}
    (row,) = manifest["rows"]
    assert (row["record"], row["others"], row["annotators"]) == ("r1", ["r2"], ["ann", "bo"])
    assert (row["revisions"], row["margin"]) == ({"ann": [3, 2], "bo": 1}, 3.5)


# -- responses of one record


def comparison(**rule: Any) -> TaskTemplate:
    data = load_template("preference").model_dump()
    data["questions"] = [
        {"type": "rating", "name": f"rating_{side}", "title": f"How good is {side}?", "required": False}
        for side in "ab"
    ]
    ratings = {"response_a": "rating_a", "response_b": "rating_b"}
    data["training"] = {"prompt": "prompt", "dpo": [{"ratings": ratings} | rule]}
    return TaskTemplate.model_validate(data)


def compared(task: TaskTemplate, *answers: dict[str, int], **metadata: Any) -> RowsResult:
    record = Record("r1", {"prompt": "2 + 2?", "response_a": "4", "response_b": "5"}, metadata=metadata)
    people = [Annotation("r1", who, answers=dict(given)) for who, given in zip("abc", answers, strict=False)]
    return training_rows("dpo", [record], merge(people, task, [record]).kept, task)


def test_responses_of_one_record_are_compared_by_their_own_ratings() -> None:
    result = compared(comparison(), {"rating_a": 2, "rating_b": 5}, {"rating_a": 1, "rating_b": 4}, model_b="m-7b")
    assert [(row.chosen, row.rejected, row.margin, row.annotators) for row in result.kept] == [
        ("5", "4", 3.0, ("a", "b"))
    ]
    assert (result.kept[0].source, result.kept[0].others) == ("ratings: response_a, response_b", ())
    assert result.kept[0].model == "m-7b"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"rating_a": 2, "rating_b": 2}, "no_preference"),
        ({"rating_a": 2, "rating_b": 3}, "close"),
        ({"rating_a": 2}, "unanswered"),
    ],
)
def test_without_a_clear_difference_a_record_has_no_pair(answer: dict[str, int], reason: str) -> None:
    assert reasons(compared(comparison(min_margin=2), answer)) == {"r1": reason}


# -- scores


SCORE = {"score": "rating", "of": "response"}


def test_a_score_is_the_mean_of_all_ratings_and_never_cut() -> None:
    result = rows({"r1": {"ann": 5, "bo": 4, "cy": 4}}, template("reward", **SCORE), kind="reward")
    (row,) = result.kept
    assert (row.completion, row.score, row.annotators) == ("4", 13 / 3, ("ann", "bo", "cy"))
    assert (row.kind, row.is_pair, row.source) == ("reward", False, "score: rating, of: response")


@pytest.mark.parametrize(("given", "score"), [({"ann": 4, "bo": 5}, 4.5), ({"ann": 5}, 5.0)])
def test_a_score_may_lie_between_two_grades(given: dict[str, int], score: float) -> None:
    assert [row.score for row in rows({"r1": given}, template("reward", **SCORE), kind="reward").kept] == [score]


def test_where_people_contradict_each_other_no_mean_speaks_for_them() -> None:
    result = rows({"r1": {"ann": 1, "bo": 5}}, template("reward", **SCORE), kind="reward")
    assert (result.kept, reasons(result)) == ([], {"r1": "tie"})


def test_adjudicators_score_what_the_others_could_not_agree_on() -> None:
    answer = {
        "outcome": "agreed",
        "value": 4,
        "mean": 3.0,
        "annotators": {"ann": 1, "bo": 5},
        "adjudicated": True,
        "adjudicators": {"cy": 4},
    }
    merged = [Merged.from_dict({"record": "r1", "answers": {"rating": answer}})]
    (row,) = training_rows("reward", records("r1"), merged, template("reward", **SCORE)).kept
    assert (row.score, row.annotators, row.adjudicated) == (4.0, ("cy",), {"rating": ("cy",)})


def test_a_merged_grade_of_another_tool_is_a_score() -> None:
    merged = [Merged.from_dict({"record": "r1", "answers": {"rating": {"outcome": "agreed", "value": 4}}})]
    assert [row.score for row in training_rows("reward", records("r1"), merged, template("reward", **SCORE)).kept] == [
        4
    ]


def test_the_ready_made_rating_gives_scores_and_pairs() -> None:
    result = rows({"r1": {"ann": 5}, "r2": {"ann": 1}}, load_template("rating"), kind="reward")
    assert [(row.record, row.score, row.margin) for row in result.kept] == [
        ("r1", 5.0, None),
        ("r1", None, 4.0),
        ("r2", 1.0, None),
    ]
    assert {row.kind for row in result.kept} == {"reward"}


def test_a_pair_says_what_both_of_its_records_were_derived_from() -> None:
    known = [*records("r1", root_id="a"), *records("r2", root_id="b"), *records("r3")]
    result = rows({"r1": {"ann": 5}, "r2": {"ann": 2}, "r3": {"ann": 1}}, template(), known)
    assert [(row.root, row.other_root) for row in result.kept] == [("a", "b"), ("a", "")]


# -- what must hold for any ratings


given_ratings = st.dictionaries(
    st.sampled_from(sorted(TEXTS)), st.dictionaries(st.sampled_from("abc"), st.integers(1, 5), max_size=3), min_size=1
)


@given(given_ratings, st.sampled_from([None, 0.5, 1, 2]), st.randoms())
def test_the_order_of_records_and_people_changes_nothing(given: Ratings, least: float | None, random: Any) -> None:
    task, known = template(min_margin=least), records(*given)
    answers = [
        Annotation(key, who, answers={"rating": n}) for key, people in given.items() for who, n in people.items()
    ]
    merged = merge(answers, task, known).kept
    expected = training_rows("dpo", known, merged, task)
    for shuffled in (known, answers, merged):
        random.shuffle(shuffled)
    assert training_rows("dpo", known, merge(answers, task, known).kept, task) == expected
    assert training_rows("dpo", known, merged, task) == expected


@given(given_ratings, st.sampled_from([None, 1]))
def test_every_record_stands_in_a_row_or_has_one_reason(given: Ratings, least: float | None) -> None:
    result = rows(given, template(min_margin=least))
    there = {key for row in result.kept for key in row.records}
    dropped = [case.record for case in result.dropped]
    assert sorted([*there, *dropped]) == sorted(given)


@given(given_ratings, st.floats(0, 4), st.floats(0, 4))
def test_a_larger_margin_leaves_fewer_pairs(given: Ratings, one: float, other: float) -> None:
    low, high = sorted((one, other))
    wide, narrow = (rows(given, template(min_margin=least)).kept for least in (low, high))
    assert [row for row in wide if row.margin is not None and row.margin >= high] == narrow
    assert all(row.margin is not None and row.margin > 0 for row in rows(given, template()).kept)
