"""The report on agreement: what counts, what must not matter, and what it says of good, bad and doubtful crowds."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bridge
from bridge.annotations import Annotation
from bridge.merging.agreement import Agreement, Answered, Won, agreement, anchoring, control_scores, position_bias
from bridge.records import Record
from bridge.templates import load_template
from tests.merging.crowds import crowd, rating, skilled
from tests.merging.published import asking, rows

REVIEW = load_template("review")
HONEST = {"ann": skilled(0.9), "bo": skilled(0.8), "cy": skilled(0.75), "di": skilled(0.7), "ed": skilled(0.85)}
GRADING = {"ann": rating(0.5), "bo": rating(0.9, 0.3), "cy": rating(0.7, -0.3), "di": rating(1.0)}

answers = st.lists(
    st.builds(
        lambda record, who, grade, label, status: Annotation(
            record, who, status, {"rating": grade, "label": label}, updated_at=f"2026-01-0{grade}T00:00:00.000000Z"
        ),
        st.sampled_from(["r1", "r2", "r3", "r4"]),
        st.sampled_from(["ann", "bo", "cy"]),
        st.integers(1, 5),
        st.sampled_from(["correct", "incorrect"]),
        st.sampled_from(["submitted", "submitted", "submitted", "discarded", "draft"]),
    ),
    max_size=15,
    unique_by=lambda annotation: (annotation.record, annotation.annotator),
)


def kinds(found: Agreement) -> list[tuple[str, tuple[str, ...]]]:
    return [(doubt.kind, doubt.annotators) for doubt in found.warnings]


def without_names(found: Agreement) -> Any:
    """All figures, with people in an order of their own."""
    report = found.to_dict()
    people = sorted(json.dumps({**rater, "annotator": ""}) for rater in report["annotators"])
    for question in report["questions"]:
        question["pairs"] = sorted(json.dumps({**p, "first": "", "second": ""}) for p in question["pairs"])
    return report["questions"], people, sorted(doubt["kind"] for doubt in report["warnings"])


class TestWhatCounts:
    def test_it_is_a_public_name(self) -> None:
        assert bridge.agreement is agreement
        assert bridge.Agreement is Agreement

    def test_every_question_of_the_template_in_its_order(self) -> None:
        found = agreement([Annotation("r1", "ann", answers={"label": "correct"})], REVIEW)
        assert [question.question for question in found.questions] == ["rating", "label", "improved_response"]
        assert (found.records, found.question("label").answers, found.question("rating").answers) == (1, 1, 0)

    @pytest.mark.parametrize("change", [{"status": "discarded"}, {"status": "draft"}, {"deleted": True}])
    def test_skips_drafts_and_withdrawn_answers_are_missing(self, change: dict[str, Any]) -> None:
        annotations = [Annotation("r1", who, answers={"rating": 4}) for who in ("ann", "bo")]
        spoilt = replace(Annotation("r1", "zoe", answers={"rating": 1}), **change)
        assert agreement([*annotations, spoilt], REVIEW).questions == agreement(annotations, REVIEW).questions

    def test_the_newest_answer_of_a_person_counts(self) -> None:
        old = Annotation("r1", "ann", answers={"rating": 1})
        found = agreement([old, replace(old, revision=2, answers={"rating": 4})], REVIEW)
        assert found.annotators[0].questions["rating"].commonest == 4
        assert found.question("rating").answers == 1

    def test_invalid_answers_and_nameless_people_do_not_count(self) -> None:
        found = agreement(
            [Annotation("r1", "ann", answers={"rating": 9, "label": "correct"}), Annotation("r1", " ")], REVIEW
        )
        assert (found.question("rating").answers, found.question("label").answers) == (0, 1)
        assert [rater.annotator for rater in found.annotators] == ["ann"]

    def test_answers_to_another_text_do_not_count(self) -> None:
        record = Record("r1", {"prompt": "2 + 2?", "response": "4"})
        stale = Annotation("r1", "ann", answers={"rating": 4}, source={"content": "0" * 32})
        assert agreement([stale], REVIEW).records == 1
        assert agreement([stale], REVIEW, [record]).records == 0

    def test_old_labels_are_brought_over(self) -> None:
        annotations = [Annotation("r1", "ann", answers={"label": "right"})]
        assert agreement(annotations, REVIEW).question("label").answers == 0
        assert agreement(annotations, REVIEW, labels={"right": "correct"}).question("label").answers == 1

    def test_spans_need_the_texts_of_the_records(self) -> None:
        template = load_template("span_errors")
        span = {"start": 0, "end": 3, "label": "unsupported"}
        annotations = [Annotation("r1", who, answers={"errors": spans}) for who, spans in (("ann", [span]), ("bo", []))]
        record = Record("r1", {"prompt": "?", "response": "one two three"})
        without, with_ = agreement(annotations, template), agreement(annotations, template, [record])
        assert without.question("errors").coefficients["alpha_nominal"].value is None
        assert with_.question("errors").coefficients["alpha_nominal"].value == pytest.approx(0)


class TestWhatMustNotMatter:
    @settings(max_examples=30, deadline=None)
    @given(answers, st.randoms())
    def test_the_order_of_the_annotations(self, annotations: list[Annotation], shuffle: random.Random) -> None:
        shuffled = shuffle.sample(annotations, len(annotations))
        assert agreement(shuffled, REVIEW).to_dict() == agreement(annotations, REVIEW).to_dict()

    @settings(max_examples=30, deadline=None)
    @given(answers, st.permutations(["ann", "bo", "cy"]))
    def test_peoples_names(self, annotations: list[Annotation], names: list[str]) -> None:
        others = dict(zip(["ann", "bo", "cy"], names, strict=True))
        renamed = [replace(a, annotator=others[a.annotator]) for a in annotations]
        assert without_names(agreement(renamed, REVIEW)) == without_names(agreement(annotations, REVIEW))

    @settings(max_examples=30, deadline=None)
    @given(answers)
    def test_an_answer_that_is_there_twice(self, annotations: list[Annotation]) -> None:
        assert agreement([*annotations, *annotations], REVIEW) == agreement(annotations, REVIEW)

    @settings(max_examples=30, deadline=None)
    @given(answers)
    def test_somebody_who_skips_everything(self, annotations: list[Annotation]) -> None:
        skipped = [Annotation(f"r{n}", "zoe", "discarded") for n in range(1, 5)]
        found = agreement([*annotations, *skipped], REVIEW)
        assert (found.questions, found.warnings) == (
            agreement(annotations, REVIEW).questions,
            agreement(annotations, REVIEW).warnings,
        )
        assert (found.annotators[-1].annotator, found.annotators[-1].skipped) == ("zoe", 4)

    def test_renaming_changes_no_sum_by_a_bit(self) -> None:
        annotations, template = crowd(HONEST)
        mirror = dict(zip(HONEST, reversed(HONEST), strict=True))
        renamed = [replace(a, annotator=mirror[a.annotator]) for a in annotations]
        assert without_names(agreement(renamed, template)) == without_names(agreement(annotations, template))


class TestHonestCrowds:
    """False alarms are as bad as missed ones."""

    @pytest.mark.parametrize("seed", range(6))
    def test_labels(self, seed: int) -> None:
        assert kinds(agreement(*crowd(HONEST, seed=seed, pace=0.3))) == []

    @pytest.mark.parametrize("seed", range(6))
    def test_ratings(self, seed: int) -> None:
        assert kinds(agreement(*crowd(GRADING, seed=seed, question="rating", pace=0.3))) == []

    @pytest.mark.parametrize("seed", range(6))
    def test_two_graders_with_the_same_idea_of_the_scale_among_others(self, seed: int) -> None:
        same = {"ann": rating(0.2), "bo": rating(0.2), **{who: rating(0.3, 0.5) for who in ("cy", "di", "ed")}}
        found = agreement(*crowd(same, seed=seed, records=500, question="rating", shares=(0.1, 0.8, 0.1)))
        assert kinds(found) == []

    def test_two_people_who_answer_everything(self) -> None:
        assert kinds(agreement(*crowd({"ann": skilled(0.9), "bo": skilled(0.85)}, each=2))) == []

    def test_excellent_people_are_no_copies_of_each_other(self) -> None:
        assert kinds(agreement(*crowd({who: skilled(0.99) for who in HONEST}))) == []

    def test_many_people_with_few_answers_each(self) -> None:
        many = {f"a{n:02}": skilled(0.75 + n % 4 * 0.05) for n in range(50)}
        assert kinds(agreement(*crowd(many, records=500))) == []

    def test_published_preferences_of_three_people(self) -> None:
        template = asking(
            type="label",
            options=[{"value": "0"}, {"value": "1"}, {"value": "2"}],
        )
        annotations = [
            Annotation(row["idx"], f"annotator{n}", answers={"q": row[f"annotator{n}"]})
            for row in rows("pandalm_votes")
            for n in (1, 2, 3)
        ]
        found = agreement(annotations, template)
        # WeOpenML/PandaLM, README: kappas of .85, .88 and .86.
        assert [pair.kappa for pair in found.questions[0].pairs] == pytest.approx([0.85, 0.88, 0.86], abs=6e-3)
        assert kinds(found) == []


class TestBadCrowds:
    def test_somebody_who_always_says_the_same(self) -> None:
        lazy = {**HONEST, "zoe": lambda rng, truth, along: "correct"}
        assert kinds(agreement(*crowd(lazy))) == [("constant_annotator", ("zoe",))]

    def test_somebody_who_copies(self) -> None:
        annotations, template = crowd(HONEST, each=5)
        copies = [replace(a, annotator="zoe") for a in annotations if a.annotator == "di"]
        found = agreement([*annotations, *copies], template)
        assert kinds(found) == [("copied_answers", ("di", "zoe"))]
        assert found.warnings[0].question == "label"

    def test_somebody_who_copies_grades(self) -> None:
        annotations, template = crowd(GRADING, each=4, question="rating")
        copies = [replace(a, annotator="zoe") for a in annotations if a.annotator == "di"]
        assert kinds(agreement([*annotations, *copies], template)) == [("copied_answers", ("di", "zoe"))]

    def test_somebody_who_guesses_in_no_time(self) -> None:
        hasty = {**HONEST, "zoe": skilled(0.0)}
        found = agreement(*crowd(hasty, records=400, seconds={"zoe": 2.0}))
        assert kinds(found) == [("chance_level", ("zoe",)), ("too_fast", ("zoe",))]

    def test_a_crowd_that_guesses_is_one_warning(self) -> None:
        found = agreement(*crowd({who: skilled(0.0) for who in HONEST}))
        assert kinds(found) == [("chance_level", ())]
        alpha = found.question("label").coefficients["alpha_nominal"]
        assert alpha.value == pytest.approx(0, abs=0.08)

    def test_every_warning_says_what_it_means_and_what_to_do(self) -> None:
        hasty = {**HONEST, "zoe": skilled(0.0), "yan": lambda rng, truth, along: "correct"}
        for doubt in agreement(*crowd(hasty, records=400, seconds={"zoe": 2.0})).warnings:
            assert doubt.means
            assert doubt.remedy
            assert doubt.evidence
            assert all(who in doubt.means for who in doubt.annotators)


class TestPresented:
    def test_controls_positions_and_anchoring_are_part_of_the_report(self) -> None:
        annotations, template = crowd(HONEST)
        controls = control_scores(
            (who, "label", n < right) for who, right in (("ann", 20), ("bo", 19), ("cy", 5)) for n in range(20)
        )
        positions = position_bias(Won("label", f"r{n}", 1 if n % 10 < 8 else 2, 2) for n in range(200))
        pulled = [Answered("label", f"r{n}", "ann", n % 2 == 0, n % 2 == 0 or n % 4 == 1) for n in range(400)]
        found = agreement(annotations, template, controls=controls, positions=positions, anchorings=anchoring(pulled))
        assert kinds(found) == [("failed_controls", ("cy",)), ("position_bias", ()), ("anchoring", ())]
        report = found.to_dict()
        assert [score["right"] for score in report["controls"]] == [20, 19, 5]
        assert report["positions"][0]["share"] == 0.8
        assert report["anchorings"][0]["pull"] == 0.5


def test_the_report_is_json() -> None:
    annotations, template = crowd(HONEST, records=30)
    report = agreement(annotations, template).to_dict()
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert set(report) == {
        "records",
        "invalid",
        "questions",
        "annotators",
        "controls",
        "positions",
        "anchorings",
        "warnings",
    }


def test_the_seed_decides_the_samples() -> None:
    annotations, template = crowd(HONEST, records=50)
    ends = [
        agreement(annotations, template, seed=seed).questions[0].coefficients["alpha_nominal"] for seed in (0, 0, 1)
    ]
    assert ends[0] == ends[1]
    assert ends[0] != ends[2]
