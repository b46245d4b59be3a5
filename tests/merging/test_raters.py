"""Figures about each annotator: in line with the others, above chance, always the same."""

from __future__ import annotations

from dataclasses import astuple
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.annotations import Annotation
from bridge.merging.compared import Compared, compare, median_of_others, units
from bridge.merging.intervals import exact
from bridge.merging.likeness import by_record, held, marked, span_evidence, span_pairs, text_evidence, text_pairs
from bridge.merging.measures import measure
from bridge.merging.raters import RaterFigures, figures, followed, raters
from bridge.templates import load_template
from tests.merging.test_measures import QUESTIONS, rows


def found(
    name: str, answers: dict[str, dict[str, Any]], texts: dict[str, str] | None = None
) -> dict[str, RaterFigures]:
    cases = [(record, who, value) for record, people in answers.items() for who, value in people.items()]
    return figures(cases, measure(QUESTIONS[name], cases, texts or {}))


def held_against_others(name: str, cases: list[Any], texts: dict[str, str]) -> Compared:
    """Without coefficients and their intervals."""
    question = QUESTIONS[name]
    numbered = units(question, cases)
    if numbered is not None:
        return compare(question, numbered)
    answers = by_record(cases)
    if name == "rewrite":
        pairs = text_pairs(answers, range(len(answers.records)))
        return held(answers, pairs, text_evidence(answers, range(len(answers.records)), pairs))
    marks = marked(question, answers, texts)
    return held(answers, span_pairs(marks), span_evidence(marks))


class TestAgreed:
    def test_a_label_is_held_against_the_majority_of_the_others(self) -> None:
        ann = found("label", rows(*[("correct", "correct", "correct", "incorrect")] * 3, ("harmful", "correct")))["ann"]
        assert (ann.agreed, ann.compared) == (0.75, 4)
        assert (ann.low, ann.high) == exact(3, 4)

    def test_where_the_others_have_no_majority_nothing_is_compared(self) -> None:
        ann = found("label", rows(("correct", "correct", "incorrect")))["ann"]
        assert (ann.answers, ann.compared, ann.agreed, ann.low) == (1, 0, None, None)

    def test_ones_own_answer_is_no_part_of_the_majority(self) -> None:
        assert found("label", rows(("correct", "incorrect")))["ann"].agreed == 0

    @settings(max_examples=40, deadline=None)
    @given(st.lists(st.lists(st.integers(0, 3), min_size=2, max_size=6), min_size=1, max_size=8))
    def test_it_is_what_taking_each_answer_away_gives(self, answers: list[list[int]]) -> None:
        question = QUESTIONS["label"]
        cases = [(f"r{n}", f"a{m}", question.values[v]) for n, row in enumerate(answers) for m, v in enumerate(row)]
        numbered = units(question, cases)
        assert numbered is not None
        compared = compare(question, numbered)
        expected = []
        for n, row in enumerate(answers):
            for m, value in enumerate(row):
                rest = row[:m] + row[m + 1 :]
                top = max(map(rest.count, rest))
                leaders = {other for other in rest if rest.count(other) == top}
                agreed = "none" if len(leaders) > 1 else float(value in leaders)
                expected.append((f"r{n}", f"a{m}", agreed, pytest.approx(rest.count(value) / len(rest))))
        assert sorted(
            (compared.records[record], compared.people[person], "none" if np.isnan(agreed) else agreed, alike)
            for record, person, agreed, alike in zip(
                compared.record, compared.person, compared.agreed, compared.alike, strict=True
            )
        ) == sorted(expected, key=lambda entry: entry[:2])

    def test_a_rating_is_held_against_the_median_of_the_others(self) -> None:
        given = found("rating", rows((2, 4, 4, 5), (5, 5, 4, 5), (3, 1, 2)))
        assert (given["ann"].agreed, given["ann"].compared) == (0.5, 2)
        assert given["ann"].deviation == pytest.approx((-2 + 0 + 1.5) / 3)

    def test_of_a_long_scale_a_tenth_is_near_enough(self) -> None:
        template = load_template("rating")
        question = template.questions[0].model_copy(update={"min": 0, "max": 10})
        cases = [("r", who, grade) for who, grade in (("ann", 7), ("bo", 8), ("cy", 8))]
        assert figures(cases, measure(question, cases, {}))["ann"].agreed == 1
        cases[0] = ("r", "ann", 6)
        assert figures(cases, measure(question, cases, {}))["ann"].agreed == 0

    def test_of_several_labels_the_share_that_follows_the_majority(self) -> None:
        first, second, third, *_ = QUESTIONS["multi_label"].values
        ann = found("multi_label", rows(([first], [first, second], [first, second]), ([third], [third], [third])))
        assert ann["ann"].agreed == pytest.approx((2 / 3 + 1) / 2)

    def test_of_a_ranking_the_share_of_pairs(self) -> None:
        up = {"response_1": 1, "response_2": 2, "response_3": 3}
        swapped = {"response_1": 2, "response_2": 1, "response_3": 3}
        assert found("ranking", rows((swapped, up, up)))["ann"].agreed == pytest.approx(2 / 3)

    def test_of_passages_and_texts_the_likeness(self) -> None:
        assert found("rewrite", rows(("a b c", "a b d", "a b c")))["ann"].agreed == pytest.approx((2 / 3 + 1) / 2)
        mark = {"start": 0, "end": 3, "label": "unsupported"}
        wide = {"start": 0, "end": 7, "label": "unsupported"}
        spans = found("span_errors", rows(([mark], [wide])), {"r0": "one two three"})
        assert spans["ann"].agreed == pytest.approx(2 / 3)


class TestFollows:
    def test_who_answers_like_the_others_is_near_1_and_who_guesses_near_0(self) -> None:
        rng = np.random.default_rng(1)
        labels = QUESTIONS["label"].values
        truth = rng.integers(0, 3, 400)
        cases = [(f"r{n}", who, labels[label]) for n, label in enumerate(truth) for who in ("ann", "bo", "cy")]
        cases += [(f"r{n}", "di", labels[label]) for n, label in enumerate(rng.integers(0, 3, 400))]
        given = figures(cases, measure(QUESTIONS["label"], cases, {}))
        assert given["ann"].follows == pytest.approx(0.9, abs=0.05)  # one of the three others guesses
        assert given["di"].follows == pytest.approx(0, abs=0.1)

    def test_who_always_says_the_same_follows_nobody(self) -> None:
        given = found("label", rows(*[("correct", "correct", "correct"), ("correct", "incorrect", "incorrect")] * 10))
        assert given["ann"].follows is None
        assert given["bo"].follows == pytest.approx(1)

    @pytest.mark.parametrize("name", ["label", "rating", "multi_label", "ranking", "span_errors", "rewrite"])
    def test_of_a_guess_it_is_0_on_average_and_its_spread_is_what_it_says(self, name: str) -> None:
        """100 people who guess, on 40 records each, beside two who know."""
        rng = np.random.default_rng(2)
        text = "one two three four five six seven eight nine ten"
        words = text.split()

        def answer() -> Any:
            if name in ("label", "multi_label"):
                label = str(rng.choice(QUESTIONS[name].values[:3]))
                return label if name == "label" else [label]
            if name == "rating":
                return int(rng.integers(1, 6))
            if name == "ranking":
                return {f"response_{n + 1}": int(rank) for n, rank in enumerate(rng.permutation(3) + 1)}
            if name == "rewrite":
                return " ".join(rng.permutation(words)[:5])
            word = str(rng.choice(words))
            return [{"start": text.index(word), "end": text.index(word) + len(word), "label": "unsupported"}]

        truth = {f"r{n}": answer() for n in range(40)}
        z = []
        for _ in range(100):
            cases = [(record, who, value) for record, value in truth.items() for who in ("bo", "cy")]
            cases += [(record, "ann", answer()) for record in truth]
            compared = held_against_others(name, cases, dict.fromkeys(truth, text))
            z.append(followed(compared).z(compared.people.index("ann")))
        assert abs(np.mean(z)) < 0.3
        assert 0.75 < np.std(z) < 1.25


class TestCommonest:
    def test_the_most_frequent_answer_and_its_share(self) -> None:
        ann = found("rating", rows((4,), (4,), (1,)))["ann"]
        assert (ann.commonest, ann.commonest_share) == (4, pytest.approx(2 / 3))

    def test_of_equally_frequent_ones_the_first(self) -> None:
        assert found("label", rows(("incorrect",), ("correct",)))["ann"].commonest == "correct"

    @pytest.mark.parametrize(
        ("name", "answer"),
        [("multi_label", ["other"]), ("ranking", {"response_1": 1, "response_2": 2}), ("span_errors", [])],
    )
    def test_it_has_the_shape_of_the_answer(self, name: str, answer: Any) -> None:
        answer = QUESTIONS[name].values[:1] if name == "multi_label" else answer
        assert found(name, rows((answer,)))["ann"].commonest == answer


class TestRaters:
    def test_states_are_counted_and_times_have_their_median(self) -> None:
        cases = [
            (Annotation("r1", "ann", lead_time_s=4), "submitted"),
            (Annotation("r2", "ann", lead_time_s=10), "submitted"),
            (Annotation("r3", "ann", lead_time_s=100), "submitted"),
            (Annotation("r4", "ann", lead_time_s=1), "discarded"),
            (Annotation("r5", "ann"), "draft"),
            (Annotation("r6", "bo"), "changed"),
        ]
        ann, bo = raters(cases, {"q": {"ann": RaterFigures(3)}})
        assert astuple(ann)[:5] == ("ann", 3, 1, 1, 10)
        assert astuple(bo)[:5] == ("bo", 0, 0, 0, None)
        assert ann.to_dict()["questions"]["q"]["answers"] == 3
        assert bo.questions == {}


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(0, 9), min_size=2, max_size=6), min_size=1, max_size=5))
def test_the_middle_of_the_others_is_that_of_a_list_without_one(groups: list[list[int]]) -> None:
    group = np.array([n for n, values in enumerate(groups) for _ in values])
    low, high = median_of_others(group, np.array([value for values in groups for value in values]))
    expected = []
    for values in groups:
        for place in range(len(values)):
            rest = sorted(values[:place] + values[place + 1 :])
            expected.append((rest[(len(rest) - 1) // 2], rest[len(rest) // 2]))
    assert list(zip(low.tolist(), high.tolist(), strict=True)) == expected
