"""Warnings: each fires where its cause was put in, and honest crowds raise none."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from bridge.annotations import Annotation
from bridge.merging.alarms import at_chance, drift, question_doubts, too_fast
from bridge.merging.coefficients import Coefficient
from bridge.merging.compared import Compared, compare, units
from bridge.merging.doubt import Doubt
from bridge.merging.measures import QuestionAgreement, measure
from bridge.templates import TaskTemplate
from tests.merging.crowds import crowd, rating, skilled, until

HONEST = {"ann": skilled(0.9), "bo": skilled(0.8), "cy": skilled(0.75), "di": skilled(0.7), "ed": skilled(0.85)}
GRADING = {"ann": rating(0.5), "bo": rating(0.9, 0.3), "cy": rating(0.7, -0.3), "di": rating(1.0), "ed": rating(0.6)}
SEEDS = range(15)


def held(annotations: Iterable[Annotation], template: TaskTemplate) -> Compared:
    question = template.questions[0]
    given = [(a.record, a.annotator, a.answers[question.name]) for a in annotations]
    numbered = units(question, given)
    assert numbered is not None
    return compare(question, numbered)


def guessing(annotations: list[Annotation], template: TaskTemplate) -> list[str]:
    return [who for doubt in at_chance("q", held(annotations, template)) for who in doubt.annotators]


def drifting(annotations: list[Annotation], template: TaskTemplate) -> list[Doubt]:
    times = {(a.record, a.annotator): a.updated_at for a in annotations}
    return drift("q", template.questions[0].type, held(annotations, template), times)


def hasty(annotations: Iterable[Annotation]) -> list[str]:
    found = too_fast((a.record, a.annotator, a.lead_time_s or 0) for a in annotations)
    return [who for doubt in found for who in doubt.annotators]


def alpha(low: float, high: float, value: float, **more: Any) -> QuestionAgreement:
    figures = {"alpha_nominal": Coefficient(value, low, high)}
    return QuestionAgreement("q", "label", 100, 100, 300, 5, 0.5, figures, **more)


class TestQuestion:
    @pytest.mark.parametrize(
        ("found", "kinds"),
        [
            pytest.param(alpha(0.6, 0.8, 0.7), [], id="agreement"),
            pytest.param(alpha(0.11, 0.2, 0.15), [], id="little, but surely some"),
            pytest.param(alpha(-0.1, 0.1, 0.0), ["chance_level"], id="chance"),
            pytest.param(alpha(0.02, 0.08, 0.05), ["chance_level"], id="hardly more than chance"),
            pytest.param(alpha(-0.4, -0.2, -0.3), ["chance_level"], id="contradiction"),
            pytest.param(alpha(-0.1, 0.8, 0.4), ["too_few_records"], id="it cannot be told"),
        ],
    )
    def test_alpha_at_chance_level(self, found: QuestionAgreement, kinds: list[str]) -> None:
        assert [doubt.kind for doubt in question_doubts(found)] == kinds

    @pytest.mark.parametrize(
        ("answers", "kinds"),
        [
            pytest.param([], [], id="no answers"),
            pytest.param([("r1", "ann", "correct"), ("r2", "ann", "harmful")], ["single_annotator"], id="one person"),
            pytest.param([("r1", "ann", "correct"), ("r2", "bo", "harmful")], ["one_answer_only"], id="no overlap"),
            pytest.param(
                [(f"r{n}", who, "correct") for n in range(30) for who in "ab"], ["one_label_only"], id="one label"
            ),
            pytest.param(
                [("r1", "ann", "correct"), ("r1", "bo", "harmful")], ["too_few_records"], id="one record in common"
            ),
        ],
    )
    def test_what_leaves_nothing_to_say(self, answers: list[Any], kinds: list[str]) -> None:
        _, template = crowd(HONEST, records=1)
        doubts = question_doubts(measure(template.questions[0], answers, {}).agreement)
        assert [doubt.kind for doubt in doubts] == kinds

    def test_a_crowd_that_guesses(self) -> None:
        guessers = {who: skilled(0.0) for who in HONEST}
        for seed in SEEDS:
            annotations, template = crowd(guessers, seed=seed)
            given = [(a.record, a.annotator, a.answers["label"]) for a in annotations]
            (doubt,) = question_doubts(measure(template.questions[0], given, {}).agreement)
            assert doubt.kind == "chance_level"

    def test_a_crowd_that_agrees_on_something_rare_is_not_at_chance(self) -> None:
        """95 % of the records have the same label, so that people agree on most by chance alone."""
        careful = {who: skilled(0.95, 2) for who in HONEST}
        for seed in SEEDS:
            annotations, template = crowd(careful, seed=seed, records=400, shares=(0.95, 0.05))
            given = [(a.record, a.annotator, a.answers["label"]) for a in annotations]
            assert question_doubts(measure(template.questions[0], given, {}).agreement) == []


class TestAtChance:
    def test_somebody_who_guesses_is_named(self) -> None:
        named = [guessing(*crowd({**HONEST, "zoe": skilled(0.0)}, seed=seed, records=400)) for seed in SEEDS]
        assert named.count(["zoe"]) >= 14

    def test_somebody_whose_grades_are_noise_is_named(self) -> None:
        noise = {**GRADING, "zoe": lambda rng, truth, along: int(rng.integers(1, 6))}
        named = [guessing(*crowd(noise, seed=seed, question="rating", records=400)) for seed in SEEDS]
        assert named.count(["zoe"]) >= 14

    def test_somebody_who_mixes_up_labels_contradicts(self) -> None:
        swapped = {**HONEST, "zoe": lambda rng, truth, along: ["incorrect", "correct", "correct"][truth]}
        annotations, template = crowd(swapped, records=600)
        (doubt,) = at_chance("q", held(annotations, template))
        assert doubt.annotators == ("zoe",)
        assert "contradict" in doubt.means
        assert doubt.evidence["follows"] < 0 < doubt.evidence["others"]

    def test_who_always_says_the_same_is_not_named_here(self) -> None:
        constant = {**HONEST, "zoe": lambda rng, truth, along: "correct"}
        assert guessing(*crowd(constant)) == []

    def test_who_says_something_else_but_once_is_not_named(self) -> None:
        """Nearly all records have one label; whether somebody guesses rests on the one other label that they gave."""
        rare = {who: skilled(0.97, 2) for who in HONEST}
        for seed in SEEDS:
            annotations, template = crowd(rare, seed=seed, records=100, shares=(0.97, 0.03))
            assert guessing(annotations, template) == []

    def test_of_two_people_neither_can_be_told_from_the_other(self) -> None:
        assert guessing(*crowd({"ann": skilled(0.9), "zoe": skilled(0.0)}, each=2)) == []

    def test_few_answers_are_not_enough(self) -> None:
        assert guessing(*crowd({**HONEST, "zoe": skilled(0.0)}, records=30)) == []

    @pytest.mark.parametrize("people", [HONEST, {who: skilled(0.6) for who in HONEST}], ids=["good", "middling"])
    def test_honest_people_are_not_named(self, people: Any) -> None:
        assert [guessing(*crowd(people, seed=seed)) for seed in range(25)] == [[]] * 25

    def test_honest_graders_are_not_named(self) -> None:
        assert [guessing(*crowd(GRADING, seed=seed, question="rating")) for seed in SEEDS] == [[]] * 15

    def test_many_honest_people_with_few_answers_are_not_named(self) -> None:
        many = {f"a{n:03}": skilled(0.7 + n % 3 * 0.1) for n in range(60)}
        assert [guessing(*crowd(many, seed=seed, records=800)) for seed in range(8)] == [[]] * 8


class TestTooFast:
    def test_somebody_who_takes_two_seconds_is_named(self) -> None:
        for seed in SEEDS:
            annotations, _ = crowd(HONEST, seed=seed, records=60, seconds={"bo": 2.0})
            assert hasty(annotations) == ["bo"]

    def test_the_warning_says_how_fast(self) -> None:
        annotations, _ = crowd(HONEST, seconds={"bo": 2.0})
        (doubt,) = too_fast((a.record, a.annotator, a.lead_time_s or 0) for a in annotations)
        assert doubt.means.startswith(f"bo takes {doubt.evidence['seconds']:.1f} s for a record, 10% of")
        assert doubt.evidence["seconds"] == pytest.approx(2, rel=0.2)
        assert doubt.evidence["ratio"] == pytest.approx(0.1, rel=0.2)

    def test_honest_people_differ_in_pace_and_are_not_named(self) -> None:
        named = [hasty(crowd(HONEST, seed=seed, pace=0.4)[0]) for seed in range(40)]
        assert sum(map(len, named)) <= 1  # of 200 people

    def test_a_crowd_of_very_different_pace_has_a_wide_limit(self) -> None:
        many = {f"a{n:02}": skilled(0.8) for n in range(30)}
        named = [hasty(crowd(many, seed=seed, records=400, pace=0.8)[0]) for seed in SEEDS]
        assert sum(map(len, named)) <= 1
        annotations, _ = crowd(many, records=400, pace=0.4, seconds={"a07": 0.8})
        assert hasty(annotations) == ["a07"]

    def test_on_few_records_nobody_is_named(self) -> None:
        times = [(f"r{n}", who, seconds) for n in range(9) for who, seconds in (("ann", 1.0), ("bo", 30.0))]
        assert too_fast(times) == []
        assert [d.annotators for d in too_fast([*times, ("r9", "ann", 1.0), ("r9", "bo", 30.0)])] == [("ann",)]

    def test_others_must_have_answered_the_same_records(self) -> None:
        times = [(f"r{n}", "ann", 1.0) for n in range(50)] + [(f"s{n}", "bo", 30.0) for n in range(50)]
        assert too_fast(times) == []

    def test_times_that_are_not_known_do_not_count(self) -> None:
        assert too_fast([]) == []
        assert too_fast((f"r{n}", who, 0.0) for n in range(50) for who in ("ann", "bo")) == []

    def test_half_as_long_is_not_far_too_fast(self) -> None:
        times = [(f"r{n}", who, seconds) for n in range(500) for who, seconds in (("ann", 10.0), ("bo", 20.0))]
        assert too_fast(times) == []


class TestDrift:
    def test_somebody_who_begins_to_guess_is_named(self) -> None:
        tired = {**HONEST, "ann": until(skilled(0.95), skilled(0.1))}
        named = [[d.annotators for d in drifting(*crowd(tired, seed=seed, records=500))] for seed in SEEDS]
        assert named.count([("ann",)]) >= 14

    def test_the_warning_says_from_where_to_where(self) -> None:
        (doubt,) = drifting(*crowd({**HONEST, "ann": until(skilled(0.95), skilled(0.1))}, records=500))
        assert doubt.evidence["before"] > 0.75 > 0.5 > doubt.evidence["after"]
        assert "ann's agreement with the others went from" in doubt.means

    def test_somebody_who_becomes_stricter_is_named(self) -> None:
        stricter = {**GRADING, "ann": until(rating(0.5), rating(0.5, -1.0))}
        for seed in SEEDS:
            found = drifting(*crowd(stricter, seed=seed, question="rating", records=400))
            assert ("ann",) in [doubt.annotators for doubt in found]
            assert {doubt.annotators for doubt in found} == {("ann",)}

    def test_what_most_people_do_is_said_once(self) -> None:
        """Two people answer everything: whoever changed, both agree less."""
        pair = {"ann": until(skilled(0.95), skilled(0.1)), "bo": skilled(0.95)}
        (doubt,) = drifting(*crowd(pair, each=2, records=200))
        assert doubt.annotators == ("ann", "bo")
        assert doubt.means.startswith("2 of 2 people's")

    def test_honest_people_are_not_named(self) -> None:
        for seed in range(100, 125):
            assert drifting(*crowd(HONEST, seed=seed)) == []
            assert drifting(*crowd(GRADING, seed=seed, question="rating")) == []

    def test_records_that_become_harder_are_not_peoples_drift(self) -> None:
        """Everybody answers the second half worse, and nobody more so than the others."""
        people = {who: until(skilled(0.95), skilled(0.7)) for who in HONEST}
        named = [drifting(*crowd(people, seed=seed, records=400)) for seed in SEEDS]
        assert sum(len(doubts) for doubts in named) <= 1

    @pytest.mark.parametrize("time", ["", "2026-01-01T00:00:00.000000Z"], ids=["unknown", "all the same"])
    def test_without_times_there_is_no_drift(self, time: str) -> None:
        annotations, template = crowd({**HONEST, "ann": until(skilled(0.95), skilled(0.1))}, records=500)
        times = {(a.record, a.annotator): time for a in annotations}
        assert drift("q", "label", held(annotations, template), times) == []
