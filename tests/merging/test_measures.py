"""Agreement on each kind of question: which coefficients it has, what they are, and why there may be none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bridge.merging import coefficients as of
from bridge.merging.coefficients import Coefficient
from bridge.merging.likeness import by_record, sampled
from bridge.merging.measures import PAIRS_OF, QuestionAgreement, measure
from bridge.questions import Question
from bridge.templates import load_template

QUESTIONS: dict[str, Question] = {
    name: load_template(name).questions[0]
    for name in ("label", "preference", "rating", "multi_label", "ranking", "span_errors", "rewrite")
}


def measured(name: str, answers: dict[str, dict[str, Any]], texts: dict[str, str] | None = None) -> QuestionAgreement:
    """The agreement on the question of a template; answers by record and person."""
    given = [(record, who, value) for record, people in answers.items() for who, value in people.items()]
    return measure(QUESTIONS[name], given, texts or {}).agreement


def people(*values: Any) -> dict[str, Any]:
    return {who: value for who, value in zip(("ann", "bo", "cy", "di"), values, strict=False) if value is not None}


def rows(*answers: tuple[Any, ...]) -> dict[str, dict[str, Any]]:
    return {f"r{number}": people(*row) for number, row in enumerate(answers)}


def value(found: Coefficient) -> float:
    assert found.value is not None
    return found.value


class TestCounts:
    def test_records_answers_and_people(self) -> None:
        found = measured("rating", rows((1, 2), (3, 3, 4), (5, None, None), (None, None, 2)))
        assert (found.records, found.shared, found.answers, found.annotators) == (4, 2, 7, 3)

    def test_the_share_of_equal_pairs(self) -> None:
        assert measured("rating", rows((1, 2), (3, 3, 4))).percent == pytest.approx((0 + 1 / 3) / 2)


class TestLabel:
    def test_alpha_is_nominal(self) -> None:
        found = measured("label", rows(("correct", "correct"), ("incorrect", "incorrect"), ("correct", "incorrect")))
        assert set(found.coefficients) == {"alpha_nominal", "fleiss"}
        assert value(found.coefficients["alpha_nominal"]) == pytest.approx(of.alpha([[2, 0], [0, 2], [1, 1]]))

    def test_cohens_kappa_of_each_pair(self) -> None:
        table = {("correct", "correct"): 20, ("correct", "incorrect"): 5, ("incorrect", "correct"): 10}
        answers = [pair for pair, times in table.items() for _ in range(times)]
        found = measured("label", rows(*answers, *[("incorrect", "incorrect")] * 15, ("correct", None, "correct")))
        assert [(pair.first, pair.second, pair.n) for pair in found.pairs] == [("ann", "bo", 50), ("ann", "cy", 1)]
        assert found.pairs[0].kappa == pytest.approx(0.4)
        assert (found.pairs[1].agreement, found.pairs[1].kappa) == (1.0, None)

    def test_of_many_people_those_with_the_most_answers_are_paired(self) -> None:
        given = [(f"r{n}", f"a{who:02}", "correct") for who in range(30) for n in range(who + 1)]
        pairs = measure(QUESTIONS["label"], given, {}).agreement.pairs
        assert {pair.first for pair in pairs} | {pair.second for pair in pairs} == {f"a{n}" for n in range(10, 30)}
        assert len(pairs) == PAIRS_OF * (PAIRS_OF - 1) // 2


def test_of_a_preference_only_the_picked_response_counts() -> None:
    found = measured("preference", rows(("A", "A"), ("tie", "both_bad"), ("B", "A")))
    assert found.kind == "preference"
    assert value(found.coefficients["alpha_nominal"]) == pytest.approx(of.alpha([[2, 0, 0], [0, 0, 2], [1, 1, 0]]))


class TestRating:
    def test_alpha_is_ordinal_and_interval(self) -> None:
        grades = [(1, 2), (3, 3), (5, 4), (2, 2), (5, 1)]
        found = measured("rating", rows(*grades))
        counts = [[row.count(grade) for grade in range(1, 6)] for row in grades]
        assert list(found.coefficients) == ["alpha_ordinal", "alpha_interval", "fleiss"]
        assert value(found.coefficients["alpha_ordinal"]) == pytest.approx(of.alpha(counts, "ordinal"))
        assert value(found.coefficients["alpha_interval"]) == pytest.approx(of.alpha(counts, "interval"))

    def test_pairs_have_a_kappa_that_knows_of_distance(self) -> None:
        near = measured("rating", rows(*[(1, 2), (2, 3), (3, 4), (4, 5)] * 5)).pairs[0]
        assert near.kappa is not None
        assert near.weighted is not None
        assert near.kappa < 0 < 0.6 < near.weighted


class TestMultiLabel:
    def test_each_label_has_its_alpha_and_the_question_their_mean(self) -> None:
        first, second, *_ = QUESTIONS["multi_label"].values
        found = measured("multi_label", rows(([first], [first]), ([second], [second, first]), ([second], [first])))
        ones = [of.alpha(table) for table in ([[0, 2], [1, 1], [1, 1]], [[2, 0], [0, 2], [1, 1]])]
        assert [value(found.labels[label]) for label in (first, second)] == pytest.approx(ones)
        assert value(found.coefficients["alpha_nominal"]) == pytest.approx(np.mean(ones))

    def test_a_label_that_nobody_chose_has_none_and_does_not_count(self) -> None:
        first, second, third, *_ = QUESTIONS["multi_label"].values
        found = measured("multi_label", rows(([first], [first]), ([second], [second])))
        assert found.labels[third].value is None
        assert found.labels[third].reason
        assert value(found.coefficients["alpha_nominal"]) == 1

    def test_pairs_have_the_mean_kappa_of_the_labels(self) -> None:
        first, second, *_ = QUESTIONS["multi_label"].values
        found = measured("multi_label", rows(([first], [first]), ([second], [second]), ([first, second], [first])))
        ones = [of.cohen(table) for table in ([[1, 0], [0, 2]], [[1, 0], [1, 1]])]
        assert found.pairs[0].kappa == pytest.approx(np.mean(ones))


class TestRanking:
    def test_each_pair_of_items_is_a_unit(self) -> None:
        one = {"response_1": 1, "response_2": 2, "response_3": 3}
        other = {"response_1": 2, "response_2": 1, "response_3": 3}
        found = measured("ranking", rows((one, one), (one, other)))
        assert (found.records, found.shared, found.pairs[0].n) == (2, 2, 6)
        assert found.percent == pytest.approx(5 / 6)
        assert value(found.coefficients["alpha_nominal"]) == pytest.approx(of.alpha([[2, 0]] * 5 + [[1, 1]]))

    def test_ties_and_missing_items_are_fine(self) -> None:
        found = measured("ranking", rows(({"response_1": 1, "response_2": 1}, {"response_1": 1, "response_3": 2})))
        assert (found.shared, found.percent) == (1, None)
        assert found.coefficients["alpha_nominal"].value is None

    def test_intervals_know_that_the_pairs_of_a_record_hang_together(self) -> None:
        items = [f"response_{n}" for n in range(1, 5)]
        up = {item: n for n, item in enumerate(items, 1)}
        down = {item: 5 - n for n, item in enumerate(items, 1)}
        ranked = measured("ranking", rows(*[(up, up), (up, down), (down, down)] * 10)).coefficients["alpha_nominal"]
        pairs = [[2, 0]] * 60 + [[1, 1]] * 60 + [[0, 2]] * 60
        (ends,) = of.resampled(*of.alpha_parts(pairs))
        assert ends is not None
        assert ranked.low is not None
        assert ranked.high is not None
        assert ranked.high - ranked.low > 2 * (ends[1] - ends[0])


class TestSpan:
    TEXT = "one two three four five six seven eight nine ten"

    def mark(self, start: str, end: str = "", label: str = "unsupported") -> dict[str, Any]:
        stop = end or start
        return {"start": self.TEXT.index(start), "end": self.TEXT.index(stop) + len(stop), "label": label}

    def test_alpha_is_over_tokens_and_f1_over_pairs_of_people(self) -> None:
        answers = rows(([self.mark("two", "four")], [self.mark("three", "five")]))
        found = measured("span_errors", answers, {"r0": self.TEXT})
        tokens = [[2, 0]] * 6 + [[1, 1]] * 2 + [[0, 2]] * 2
        assert value(found.labels["unsupported"]) == pytest.approx(of.alpha(tokens))
        assert value(found.coefficients["f1"]) == pytest.approx(2 / 3)
        assert found.percent == 0

    def test_another_label_is_no_agreement(self) -> None:
        answers = rows(([self.mark("two")], [self.mark("two", label="factual_error")]))
        assert value(measured("span_errors", answers, {"r0": self.TEXT}).coefficients["f1"]) == 0

    def test_marking_nothing_together_is_agreement_but_not_in_f1(self) -> None:
        answers = rows(([self.mark("two")], [self.mark("two")]), ([], []))
        found = measured("span_errors", answers, dict.fromkeys(("r0", "r1"), self.TEXT))
        assert (found.percent, found.coefficients["f1"].value) == (1, 1)
        assert value(found.labels["unsupported"]) == 1

    def test_without_the_texts_there_is_no_alpha_but_f1(self) -> None:
        answers = rows(([self.mark("two", "four")], [self.mark("three", "five")]))
        found = measured("span_errors", answers)
        assert found.coefficients["alpha_nominal"].reason == "the texts are not known: name the records"
        # Characters: "three four" of "two three four" and "three four five".
        assert value(found.coefficients["f1"]) == pytest.approx(2 * 10 / (14 + 15))

    def test_where_nobody_marked_anything_there_is_no_f1(self) -> None:
        found = measured("span_errors", rows(([], [])), {"r0": self.TEXT})
        assert found.coefficients["f1"].reason == "nobody marked anything"


class TestText:
    def test_likeness_is_over_words(self) -> None:
        found = measured("rewrite", rows(("It is four", "It is 4", "it was a long day")))
        assert set(found.coefficients) == {"similarity"}
        assert value(found.coefficients["similarity"]) == pytest.approx((2 / 3 + 0 + 0) / 3)

    def test_texts_that_differ_in_white_space_are_the_same(self) -> None:
        assert measured("rewrite", rows(("It is  4 ", "It is 4"))).percent == 1

    def test_of_very_many_pairs_a_sample_of_records_is_compared(self) -> None:
        answers = by_record((f"r{n:04}", who, "text") for n in range(1000) for who in "abc")
        chosen = sampled(answers, seed=1, most=300)
        assert len(chosen) == 100
        assert chosen == sampled(answers, seed=1, most=300)
        assert sampled(answers) == list(range(1000))


class TestUndefined:
    @pytest.mark.parametrize("name", sorted(QUESTIONS))
    def test_nobody_answered(self, name: str) -> None:
        found = measured(name, {})
        assert {figure.reason for figure in found.coefficients.values()} == {"nobody answered"}
        assert (found.percent, found.pairs) == (None, ())

    def test_one_person_answered(self) -> None:
        found = measured("label", rows(("correct",), ("incorrect",)))
        assert found.coefficients["alpha_nominal"].reason == "one person answered"

    def test_no_record_has_two_answers(self) -> None:
        found = measured("rating", rows((1, None), (None, 2)))
        assert {figure.reason for figure in found.coefficients.values()} == {"no record has two answers"}

    def test_all_answers_are_the_same(self) -> None:
        found = measured("label", rows(*[("correct", "correct", "correct")] * 20))
        figure = found.coefficients["alpha_nominal"]
        assert (figure.value, figure.low, figure.reason) == (
            None,
            None,
            "all answers to records with two answers are the same",
        )
        assert found.percent == 1
        assert found.pairs[0].kappa is None

    def test_a_figure_without_a_value_says_why(self) -> None:
        found = measured("label", rows(("correct",))).to_dict()
        assert found["coefficients"]["fleiss"] == {
            "value": None,
            "low": None,
            "high": None,
            "reason": "one person answered",
        }


class TestIntervals:
    def test_of_perfect_agreement_it_is_not_a_point(self) -> None:
        few = measured("label", rows(*[("correct", "correct"), ("incorrect", "incorrect")] * 3))
        many = measured("label", rows(*[("correct", "correct"), ("incorrect", "incorrect")] * 100))
        assert (few.coefficients["alpha_nominal"].low, few.coefficients["alpha_nominal"].high) == (
            pytest.approx(0.54, abs=0.01),
            1,
        )
        assert many.coefficients["alpha_nominal"].low == pytest.approx(0.98, abs=0.01)

    def test_it_holds_the_value(self) -> None:
        grades = [(1, 2), (3, 3), (5, 4), (2, 2), (5, 1), (4, 4), (1, 1), (3, 5)]
        for figure in measured("rating", rows(*grades)).coefficients.values():
            if figure.low is not None:
                assert figure.high is not None
                assert figure.low <= value(figure) <= figure.high
