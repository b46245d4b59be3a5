"""What controls, blind order and hidden suggestions tell: shares, intervals, and when they are a reason for doubt."""

from __future__ import annotations

import random

import numpy as np
import pytest

from bridge.merging.audits import (
    Anchoring,
    Answered,
    ControlScore,
    Won,
    anchoring,
    audit_doubts,
    control_scores,
    position_bias,
)
from bridge.merging.intervals import difference, exact, wilson


class TestControls:
    def test_each_person_has_a_score_with_its_exact_interval(self) -> None:
        judged = [("bo", "label", False), *[("ann", "label", True)] * 7, *[("ann", "rating", False)] * 3]
        assert control_scores(judged) == [
            ControlScore("ann", 7, 10, *exact(7, 10)),
            ControlScore("bo", 0, 1, *exact(0, 1)),
        ]
        assert control_scores(judged)[0].to_dict()["share"] == 0.7

    def test_somebody_far_below_the_others_is_named(self) -> None:
        scores = control_scores(
            (who, "label", right < count)
            for who, count in (("ann", 19), ("bo", 18), ("cy", 20), ("zoe", 6))
            for right in range(20)
        )
        (doubt,) = audit_doubts(scores, [], [])
        assert (doubt.kind, doubt.annotators) == ("failed_controls", ("zoe",))
        assert doubt.means == "zoe got 6 of 20 control items right (30%), the others 95%"

    def test_honest_people_of_different_skill_are_not_named(self) -> None:
        rng = random.Random(1)
        for _ in range(50):
            judged = [
                (who, "label", rng.random() < skill)
                for who, skill in (("ann", 0.95), ("bo", 0.9), ("cy", 0.9), ("di", 0.85))
                for _ in range(20)
            ]
            assert audit_doubts(control_scores(judged), [], []) == []

    def test_somebody_alone_is_not_named(self) -> None:
        assert audit_doubts(control_scores([("ann", "label", False)] * 20), [], []) == []


class TestPositionBias:
    def test_the_share_of_the_first_place_and_what_is_expected(self) -> None:
        (bias,) = position_bias(Won("q", f"r{n}", 1 if n < 70 else 2, 2) for n in range(100))
        assert (bias.first, bias.n, bias.expected) == (70, 100, 0.5)
        assert (bias.low, bias.high) == wilson(70, 100)

    def test_of_four_responses_a_quarter_is_expected(self) -> None:
        (bias,) = position_bias([Won("q", "r1", 1, 4), Won("q", "r2", 3, 4)])
        assert bias.expected == 0.25

    def test_answers_to_one_record_are_not_independent(self) -> None:
        alone = [Won("q", f"r{n}", 1 + n % 2, 2) for n in range(300)]
        together = [Won("q", f"r{n % 100}", 1 + n % 2, 2) for n in range(300)]  # three people, always of one mind
        (one,), (three,) = position_bias(alone), position_bias(together)
        assert one.share == three.share == 0.5
        assert three.high - three.low == pytest.approx(3**0.5 * (one.high - one.low), rel=0.02)

    def test_questions_are_told_apart(self) -> None:
        found = position_bias([Won("b", "r1", 1, 2), Won("a", "r1", 2, 2)])
        assert [(bias.question, bias.share) for bias in found] == [("a", 0), ("b", 1)]

    def test_a_strong_bias_is_a_doubt_and_none_is_none(self) -> None:
        strong = position_bias(Won("q", f"r{n}", 1 if n % 10 < 7 else 2, 2) for n in range(300))
        assert [doubt.kind for doubt in audit_doubts([], strong, [])] == ["position_bias"]
        rng = random.Random(1)
        for _ in range(50):
            fair = position_bias(Won("q", f"r{n}", rng.randint(1, 2), 2) for n in range(100))
            assert audit_doubts([], fair, []) == []


def answered(shown: bool, equal: int, of: int, **more: float) -> list[Answered]:
    return [Answered("q", f"{'s' if shown else 'h'}{n}", "ann", shown, n < equal, **more) for n in range(of)]


class TestAnchoring:
    def test_the_pull_is_the_difference_of_the_shares(self) -> None:
        (found,) = anchoring(answered(True, 90, 100) + answered(False, 60, 100))
        assert (found.with_suggestion, found.without) == ((90, 100), (60, 100))
        assert found.pull == pytest.approx(0.3)
        assert (found.low, found.high) == difference((90, 100), (60, 100))
        assert (found.distance_with, found.closer) == (None, None)

    def test_ratings_also_have_a_distance(self) -> None:
        (found,) = anchoring(answered(True, 5, 10, distance=0.5) + answered(False, 2, 10, distance=1.25))
        assert (found.distance_with, found.distance_without, found.closer) == (0.5, 1.25, 0.75)

    def test_the_interval_of_the_distance_is_over_records(self) -> None:
        rng = np.random.default_rng(1)
        one = [Answered("q", f"r{n}", "ann", n % 2 == 0, False, float(rng.integers(0, 4))) for n in range(200)]
        three = [answer._replace(annotator=who) for answer in one for who in ("ann", "bo", "cy")]
        (alone,), (together,) = anchoring(one), anchoring(three)
        assert (together.closer_low, together.closer_high) == pytest.approx((alone.closer_low, alone.closer_high))
        assert (alone.annotators, together.annotators) == (1, 3)
        assert (together.low, together.high) == pytest.approx((alone.low, alone.high), abs=0.01)

    @pytest.mark.parametrize("shown", [True, False])
    def test_of_one_side_nothing_can_be_said(self, shown: bool) -> None:
        assert anchoring(answered(shown, 5, 10)) == []

    def test_the_interval_holds_the_truth_as_often_as_it_says(self) -> None:
        """Three people answer each record; records differ in how easily the suggestion is found without seeing it."""
        rng = np.random.default_rng(5)
        hits = 0
        for _ in range(200):
            answers = []
            for n in range(120):
                shown = n % 2 == 0
                chance = rng.beta(1, 1) * 0.8 + (0.2 if shown else 0)
                answers += [Answered("q", f"r{n}", who, shown, rng.random() < chance) for who in "abc"]
            (found,) = anchoring(answers)
            hits += found.low <= 0.2 <= found.high
        assert 0.91 <= hits / 200 <= 0.985

    def test_a_strong_pull_is_a_doubt_and_none_is_none(self) -> None:
        strong = anchoring(answered(True, 180, 200) + answered(False, 100, 200))
        assert [doubt.kind for doubt in audit_doubts([], [], strong)] == ["anchoring"]
        none = anchoring(answered(True, 120, 200) + answered(False, 115, 200))
        assert audit_doubts([], [], none) == []

    def test_it_is_a_line_of_json(self) -> None:
        (found,) = anchoring(answered(True, 9, 10) + answered(False, 6, 10))
        assert isinstance(found, Anchoring)
        assert found.to_dict()["with_suggestion"] == [9, 10]
