"""How several answers become one, for each question kind, and what is left open."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.merging.kinds import KINDS
from bridge.merging.merged import MergedAnswer
from bridge.merging.rule import Rule
from bridge.templates import load_template

QUESTIONS = {
    kind: load_template(template).question(name)
    for kind, template, name in (
        ("rating", "rating", "rating"),
        ("label", "label", "label"),
        ("multi_label", "multi_label", "labels"),
        ("text", "review", "improved_response"),
        ("ranking", "ranking", "ranking"),
        ("span", "span_errors", "errors"),
    )
}


def merged(kind: str, *answers: Any, prefill: str | None = None) -> MergedAnswer:
    return KINDS[kind](QUESTIONS[kind], dict(zip("abcdefgh", answers, strict=False)), Rule(), prefill)


def ranks(*order: int | None) -> dict[str, int]:
    """Ranks of response_1, response_2...; None where one was left out."""
    return {f"response_{n}": rank for n, rank in enumerate(order, 1) if rank is not None}


def span(start: int, end: int, label: str = "unsupported") -> dict[str, Any]:
    return {"start": start, "end": end, "label": label}


# -- one answer


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("rating", 4),
        ("label", "harmful"),
        ("multi_label", ["style", "harmful"]),
        ("multi_label", []),
        ("text", "  kept as it is\n"),
        ("ranking", ranks(2, 1, 2)),
        ("span", [span(0, 4), span(2, 6), span(6, 9)]),
        ("span", []),
    ],
)
def test_one_answer_passes_through_and_says_that_it_is_single(kind: str, answer: Any) -> None:
    answer_of_one = merged(kind, answer)
    assert (answer_of_one.outcome, answer_of_one.value, answer_of_one.support, answer_of_one.n) == (
        "agreed",
        answer,
        1,
        1,
    )
    assert answer_of_one.to_dict()["single"] is True


# -- label


def test_the_most_frequent_label_wins_without_an_absolute_majority() -> None:
    answer = merged("label", "harmful", "correct", "harmful", "incorrect", "partially_correct")
    assert (answer.outcome, answer.value, answer.support, answer.n) == ("agreed", "harmful", 2, 5)


def test_votes_are_in_the_order_of_the_template() -> None:
    answer = merged("label", "harmful", "correct", "harmful")
    assert list(answer.details["votes"].items()) == [("correct", 1), ("harmful", 2)]


def test_two_labels_at_the_top_are_a_tie() -> None:
    answer = merged("label", "harmful", "correct", "harmful", "correct", "incorrect")
    assert (answer.outcome, answer.value, answer.support) == ("tie", None, 0)
    assert answer.reason == "2 for each of correct, harmful"


# -- multi-label


def test_a_label_needs_more_than_half() -> None:
    answer = merged("multi_label", ["style"], ["style", "harmful"], ["incomplete"])
    assert (answer.outcome, answer.value, answer.support) == ("agreed", ["style"], 1)
    assert answer.details["shares"] == {"incomplete": 1 / 3, "style": 2 / 3, "harmful": 1 / 3}


def test_exactly_half_is_a_tie() -> None:
    answer = merged("multi_label", ["style"], ["style", "harmful"])
    assert (answer.outcome, answer.value, answer.reason) == ("tie", None, "exactly half chose harmful")


def test_no_label_over_half_where_most_chose_one_is_no_majority() -> None:
    answer = merged("multi_label", ["style"], ["harmful"], ["incomplete"])
    assert (answer.outcome, answer.value) == ("tie", None)
    assert answer.reason == "no majority: 3 of 3 chose something, but not the same"


def test_that_most_chose_no_label_is_agreement_on_none() -> None:
    answer = merged("multi_label", ["style"], [], [])
    assert (answer.outcome, answer.value, answer.support) == ("agreed", [], 2)


def test_the_share_that_a_label_needs_can_be_another_one() -> None:
    answers = dict(zip("abc", (["style"], ["harmful", "style"], []), strict=True))
    question = QUESTIONS["multi_label"]
    assert KINDS["multi_label"](question, answers, Rule(threshold=0.3)).value == ["style", "harmful"]
    assert KINDS["multi_label"](question, answers, Rule(threshold=0.5)).value == ["style"]
    exactly = KINDS["multi_label"](question, answers, Rule(threshold=1 / 3))
    assert (exactly.outcome, exactly.reason) == ("tie", "exactly the share 0.333333 chose harmful")


# -- preference

PREFERENCE = load_template("preference").question("preference")


def preferred(*votes: str, **rule: Any) -> MergedAnswer:
    return KINDS["label"](PREFERENCE, dict(zip("abcdefgh", votes, strict=False)), Rule(**rule))


@pytest.mark.parametrize(
    ("votes", "value", "margin"),
    [
        (("A", "A", "tie"), "A", 2 / 3),
        (("B", "A", "B"), "B", 1 / 3),
        (("tie", "A", "tie"), "tie", 1 / 3),
        (("both_bad", "both_bad", "tie"), "both_bad", 0.0),
    ],
)
def test_a_preference_takes_more_than_half_of_all_votes(votes: tuple[str, ...], value: str, margin: float) -> None:
    answer = preferred(*votes)
    assert (answer.outcome, answer.value) == ("agreed", value)
    assert answer.details["margin"] == pytest.approx(margin)


@pytest.mark.parametrize(
    ("votes", "reason"),
    [
        (("A", "B"), "no majority: 1 for response_a, 1 for response_b"),
        (("A", "A", "B", "tie"), "no majority: 2 for response_a, 1 for response_b, 1 for neither"),
        (("tie", "both_bad"), "1 for each of tie, both_bad"),
    ],
)
def test_without_a_majority_there_is_no_preference(votes: tuple[str, ...], reason: str) -> None:
    answer = preferred(*votes)
    assert (answer.outcome, answer.value, answer.reason) == ("tie", None, reason)


# -- weights


def test_whoever_weighs_more_can_win_against_two() -> None:
    answers = {"ann": "correct", "bo": "harmful", "cy": "harmful"}
    answer = KINDS["label"](QUESTIONS["label"], answers, Rule(weights={"bo": 0.2, "cy": 0.3}))
    assert (answer.value, answer.support, answer.n) == ("correct", 1, 3)
    assert answer.details["votes"] == {"correct": 1.0, "harmful": 0.5}
    assert answer.details["margin"] == pytest.approx(1 / 3)


@pytest.mark.parametrize("kind", ["rating", "label", "multi_label", "ranking", "span"])
def test_equal_weights_change_nothing_but_rounding(kind: str) -> None:
    answers = dict(
        zip(
            "abc",
            {
                "rating": [4, 2, 4],
                "label": ["correct", "harmful", "correct"],
                "multi_label": [["style"], ["style", "harmful"], []],
                "ranking": [ranks(1, 2, 3), ranks(1, 3, 2), ranks(2, 1, 3)],
                "span": [[span(0, 4)], [span(0, 6)], [span(2, 6)]],
            }[kind],
            strict=True,
        )
    )
    plain = KINDS[kind](QUESTIONS[kind], answers, Rule())
    weighed = KINDS[kind](QUESTIONS[kind], answers, Rule(weights=dict.fromkeys("abc", 0.7)))
    assert (weighed.outcome, weighed.value, weighed.support, weighed.n) == ("agreed", plain.value, plain.support, 3)


@pytest.mark.parametrize(
    ("kind", "one", "other"), [("multi_label", ["style"], ["harmful"]), ("span", [span(0, 4)], [span(5, 9)])]
)
def test_nothing_is_agreed_on_where_those_who_say_nothing_weigh_more(kind: str, one: Any, other: Any) -> None:
    answers = {"ann": [], "bo": one, "cy": other}
    assert KINDS[kind](QUESTIONS[kind], answers, Rule()).outcome == "tie"
    weighed = KINDS[kind](QUESTIONS[kind], answers, Rule(weights={"bo": 0.2, "cy": 0.2}))
    assert (weighed.outcome, weighed.value) == ("agreed", [])


def test_the_median_of_weighted_grades_lies_where_half_of_the_weight_is() -> None:
    answers = {"ann": 1, "bo": 4, "cy": 5}
    answer = KINDS["rating"](QUESTIONS["rating"], answers, Rule(weights={"ann": 3.0}))
    assert (answer.value, answer.details["mean"]) == (1, pytest.approx((3 + 4 + 5) / 5))
    even = KINDS["rating"](QUESTIONS["rating"], answers, Rule(weights={"ann": 2.0}))
    assert (even.outcome, even.reason) == ("tie", "the middle grades are 1 and 4")


# -- rating


def test_a_rating_is_the_median_and_never_a_truncated_mean() -> None:
    answer = merged("rating", 5, 5, 1)
    assert (answer.value, answer.support, answer.n) == (5, 2, 3)
    assert answer.details == {
        "mean": 11 / 3, "median": 5.0, "low": 5, "high": 5, "min": 1, "max": 5, "spread": 4,
    }  # fmt: skip


def test_a_median_between_two_grades_is_a_tie() -> None:
    answer = merged("rating", 2, 5)
    assert (answer.outcome, answer.value, answer.details["median"]) == ("tie", None, 3.5)
    assert (answer.details["low"], answer.details["high"]) == (2, 5)


def test_an_even_number_of_ratings_with_equal_middle_grades_agrees() -> None:
    assert merged("rating", 1, 4, 4, 5).value == 4


# -- text


def test_texts_that_differ_in_white_space_or_unicode_form_are_one() -> None:
    answer = merged("text", "cafe\u0301 au lait", "caf\u00e9  au lait\n", "tea")
    assert [(v["value"], v["annotators"]) for v in answer.details["values"]] == [
        ("cafe\u0301 au lait", ["a", "b"]),
        ("tea", ["c"]),
    ]
    assert (answer.value, answer.support) == ("cafe\u0301 au lait", 2)


def test_the_most_used_spelling_stands_for_the_group() -> None:
    assert merged("text", "a  b", "a b", "a b").value == "a b"


def test_different_texts_are_no_tie_and_no_choice() -> None:
    answer = merged("text", "one", "two")
    assert (answer.outcome, answer.value, answer.support, answer.n) == ("agreed", None, 0, 2)
    assert [v["value"] for v in answer.details["values"]] == ["one", "two"]


def test_an_unchanged_text_is_kept_and_is_no_rewrite() -> None:
    answer = merged("text", "as it was", "better", "as  it was", prefill="as it was")
    assert (answer.value, answer.support, answer.details["unchanged"]) == ("better", 1, 2)
    assert [v.get("unchanged", False) for v in answer.details["values"]] == [True, False]


def test_where_nobody_changed_anything_there_is_no_value() -> None:
    answer = merged("text", "as it was", "as it was ", prefill="as it was")
    assert (answer.outcome, answer.value, answer.support, answer.n) == ("agreed", None, 0, 2)
    assert answer.details["unchanged"] == 2


# -- ranking


def test_a_ranking_follows_the_majority_of_every_pair() -> None:
    answer = merged("ranking", ranks(1, 2, 3), ranks(1, 3, 2), ranks(2, 1, 3))
    assert (answer.outcome, answer.value, answer.support) == ("agreed", ranks(1, 2, 3), 1)
    assert answer.details["pairs"] == {
        "response_1>response_2": [2, 0, 1],
        "response_1>response_3": [3, 0, 0],
        "response_2>response_3": [2, 0, 1],
    }


def test_ranks_have_no_gaps() -> None:
    assert merged("ranking", ranks(1, 1, 3)).value == ranks(1, 1, 2)


def test_an_order_can_be_put_together_from_partial_ones() -> None:
    answer = merged("ranking", ranks(1, 2, None), ranks(None, 1, 2))
    assert (answer.value, answer.support) == (ranks(1, 2, 3), 0)
    assert "response_1>response_3" not in answer.details["pairs"]


def test_items_are_in_their_natural_order() -> None:
    answer = merged("ranking", {"response_10": 1, "response_9": 2})
    assert answer.details["pairs"] == {"response_9>response_10": [0, 0, 1]}
    assert answer.value == {"response_9": 2, "response_10": 1}


def test_majorities_in_a_circle_are_a_tie() -> None:
    answer = merged("ranking", ranks(1, 2, 3, 4), ranks(3, 1, 2, 4), ranks(2, 3, 1, 4))
    assert (answer.outcome, answer.value) == ("tie", None)
    assert answer.details["cycle"] == ["response_1", "response_2", "response_3"]


def test_even_pairs_that_contradict_the_others_are_a_tie() -> None:
    # 1 and 2 are even, 2 and 3 are even, but 1 is better than 3.
    answer = merged(
        "ranking", ranks(1, 2, None), ranks(2, 1, None), ranks(None, 1, 2), ranks(None, 2, 1), ranks(1, None, 2)
    )
    assert answer.outcome == "tie"
    assert answer.details["cycle"] == ["response_1", "response_2", "response_3"]


def test_items_that_nobody_compared_are_a_tie() -> None:
    answer = merged("ranking", ranks(1, None, 2), ranks(None, 1, 2))
    assert (answer.outcome, answer.details["unordered"]) == ("tie", ["response_1", "response_2"])
    assert merged("ranking", ranks(1), ranks(None, 1)).details["unordered"] == ["response_1", "response_2"]


def test_people_who_contradict_each_other_do_not_make_a_shared_first_rank() -> None:
    answer = merged("ranking", ranks(1, 2), ranks(2, 1))
    assert (answer.outcome, answer.value, answer.details["split"]) == ("tie", None, ["response_1>response_2"])


def test_people_who_agree_that_two_are_equal_do() -> None:
    answer = merged("ranking", ranks(1, 1), ranks(2, 2))
    assert (answer.outcome, answer.value, answer.support) == ("agreed", ranks(1, 1), 2)


def test_a_split_pair_below_a_clear_winner_shares_a_rank_and_is_listed() -> None:
    answer = merged("ranking", ranks(1, 2, 3), ranks(1, 3, 2))
    assert (answer.outcome, answer.value) == ("agreed", ranks(1, 2, 2))
    assert answer.details["split"] == ["response_2>response_3"]


def test_a_tie_counts_half_for_each() -> None:
    assert merged("ranking", ranks(1, 1), ranks(1, 2)).value == ranks(1, 2)


# -- span


def test_a_span_is_what_more_than_half_marked() -> None:
    answer = merged("span", [span(0, 6)], [span(4, 9)], [span(5, 12)])
    assert (answer.outcome, answer.value) == ("agreed", [span(4, 9)])
    assert answer.details["marked"] == 3


def test_exactly_half_is_left_out() -> None:
    assert merged("span", [span(0, 6)], [span(4, 9)]).value == [span(4, 6)]


def test_each_label_is_counted_by_itself() -> None:
    two = [span(0, 6), span(3, 8, "factual_error")]
    assert merged("span", two, two, [span(0, 6)]).value == two


def test_overlapping_spans_of_one_person_count_once() -> None:
    answer = merged("span", [span(0, 6), span(2, 8), span(3, 4)], [], [span(20, 22)])
    assert (answer.outcome, answer.value) == ("tie", None)


def test_touching_passages_become_one() -> None:
    assert merged("span", [span(0, 3), span(3, 6)], [span(0, 6)], [span(1, 5)]).value == [span(0, 6)]


@pytest.mark.parametrize(
    "answers",
    [
        ([span(0, 3)], []),
        ([span(0, 3)], [span(5, 9)]),
        ([span(0, 3)], [span(0, 3, "factual_error")], []),
    ],
)
def test_no_span_is_not_agreed_on_while_half_marked_something(answers: Any) -> None:
    answer = merged("span", *answers)
    assert (answer.outcome, answer.value) == ("tie", None)


def test_no_span_is_agreed_on_where_more_than_half_marked_nothing() -> None:
    answer = merged("span", [span(0, 3)], [], [])
    assert (answer.outcome, answer.value, answer.support) == ("agreed", [], 2)


# -- lines


@pytest.mark.parametrize(
    ("kind", "answers"),
    [
        ("rating", (1, 2, 3, 3)),
        ("label", ("correct", "incorrect")),
        ("multi_label", (["style"], [])),
        ("text", ("a", "b", "a ")),
        ("ranking", (ranks(1, 2, 3), ranks(1, 3, 2))),
        ("span", ([span(0, 3)], [span(0, 4)])),
    ],
)
def test_every_kind_survives_the_line_format(kind: str, answers: Any) -> None:
    answer = merged(kind, *answers, prefill="b" if kind == "text" else None)
    assert MergedAnswer.from_dict(answer.to_dict()) == answer
    assert answer.annotators == dict(zip("abcd", answers, strict=False))


def test_all_kinds_are_merged() -> None:
    assert set(KINDS) == set(QUESTIONS)


# -- tokens


def test_marks_of_different_length_within_a_word_are_marks_of_the_word() -> None:
    text = "The Eiffel Tower is in Rome."
    spans = [[span(4, 16)], [span(4, 15)], [span(3, 16)]]
    answer = KINDS["span"](QUESTIONS["span"], dict(zip("abc", spans, strict=True)), Rule(), text)
    assert answer.value == [span(4, 16)]


def test_neighbours_that_most_marked_apart_stay_apart() -> None:
    text = "Paris Rome"
    apart, joined = [span(0, 5), span(6, 10)], [span(0, 10)]
    answers = dict(zip("abc", (apart, joined, [span(0, 5), span(6, 10)]), strict=True))
    assert KINDS["span"](QUESTIONS["span"], answers, Rule(), text).value == apart
    answers = dict(zip("abc", (joined, joined, apart), strict=True))
    assert KINDS["span"](QUESTIONS["span"], answers, Rule(), text).value == joined


# -- the medoid


def test_the_medoid_is_the_rewrite_nearest_to_all_others() -> None:
    texts = ["the cat sat on a mat", "a cat sat on the mat", "the cat sat on the mat", "completely different words"]
    answer = KINDS["text"](QUESTIONS["text"], dict(zip("abcd", texts, strict=True)), Rule(rewrites="medoid"))
    assert (answer.outcome, answer.value, answer.support) == ("agreed", "the cat sat on the mat", 1)
    assert [entry["value"] for entry in answer.details["values"] if entry.get("medoid")] == ["the cat sat on the mat"]


def test_what_more_than_half_wrote_is_the_medoid() -> None:
    texts = ["x", "x", "x", "a longer text", "a longer text!"]
    answer = KINDS["text"](QUESTIONS["text"], dict(zip("abcde", texts, strict=True)), Rule(rewrites="medoid"))
    assert (answer.value, answer.support) == ("x", 3)


def test_two_rewrites_are_equally_near_to_each_other() -> None:
    answer = KINDS["text"](QUESTIONS["text"], {"ann": "one", "bo": "two"}, Rule(rewrites="medoid"))
    assert (answer.outcome, answer.value) == ("tie", None)
    assert answer.reason == "2 rewrites are equally near to all others"
