"""The report: judges against people, and the quality of a whole set."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bridge.annotations import Annotation
from bridge.errors import InputError, UsageError
from bridge.judging.bias import ranks, with_length
from bridge.judging.chances import Logged, chances
from bridge.judging.families import family
from bridge.judging.report import JudgeReport, report
from bridge.merging.agreement import agreement
from bridge.records import Record
from bridge.templates import load_template

REVIEW, PREFERENCE = load_template("review"), load_template("preference")


def rated(number: int, value: int | None, *, response: str = "Four.", **more: Any) -> Record:
    """A record that a judge has rated; ``route`` and what else there is goes into the metadata."""
    opinion = {"model": "small", "value": value, "reason": "" if value else "truncated"}
    reading = {"value": value, "reason": opinion["reason"]}
    said = {
        "value": value,
        "score": value,
        "reason": opinion["reason"],
        "opinions": [{**opinion, "readings": [reading]}],
        "responses": ["response"],
        **{name: more.pop(name) for name in ("confidence", "margin") if name in more},
    }
    return Record(
        f"r{number}", {"prompt": "2 + 2?", "response": response}, metadata={"judge": {"rating": said}, **more}
    )


def compared(number: int, forward: str, backward: str, a: str = "Four.", b: str = "Five.") -> Record:
    """A record on which a judge has preferred these responses, one in each order."""
    value, conflict = (forward, False) if forward == backward else ("tie", True)
    picks = {"A": ("first", "second"), "B": ("second", "first"), "tie": ("neither", "neither")}
    readings = [{"value": said, "picked": picks[said][order]} for order, said in enumerate((forward, backward))]
    opinion = {"model": "small", "value": value, "conflict": conflict, "readings": readings}
    said = {"value": value, "conflict": conflict, "opinions": [opinion], "responses": ["response_a", "response_b"]}
    fields = {"prompt": "2 + 2?", "response_a": a, "response_b": b}
    return Record(f"r{number}", fields, metadata={"judge": {"preference": said}})


def answers(question: str, given: dict[int, dict[str, Any]]) -> list[Annotation]:
    return [
        Annotation(f"r{number}", who, answers={question: value})
        for number, people in given.items()
        for who, value in people.items()
    ]


def crowd(count: int, judge: Callable[[random.Random, int], int], people: int = 2) -> JudgeReport:
    """People who mostly agree, and a judge."""
    rng = random.Random(1)
    truth = {n: rng.randint(1, 5) for n in range(count)}

    def person(value: int) -> int:
        return min(5, max(1, value + rng.choice([0, 0, 0, 1, -1])))

    said = {n: {f"p{who}": person(value) for who in range(people)} for n, value in truth.items()}
    records = [rated(n, judge(rng, value)) for n, value in truth.items()]
    return report(records, answers("rating", said), REVIEW)


# -- agreement


def test_a_judge_that_answers_as_a_person_would_agrees_with_people_as_they_do_with_each_other() -> None:
    found = crowd(300, lambda rng, value: min(5, max(1, value + rng.choice([0, 0, 0, 1, -1])))).question("rating")
    assert found.people.alpha.value is not None
    assert found.between.alpha.value is not None
    assert found.people.alpha.value == pytest.approx(found.between.alpha.value, abs=0.04)
    assert found.people.kappa.value == pytest.approx(found.between.kappa.value, abs=0.04)
    assert (found.people.pairs, found.between.pairs) == (600, 300)


def test_a_judge_that_guesses_does_not_agree() -> None:
    found = crowd(300, lambda rng, value: rng.randint(1, 5)).question("rating")
    assert found.people.alpha.low is not None
    assert found.people.alpha.high is not None
    assert found.people.alpha.low < 0 < found.people.alpha.high
    assert found.between.alpha.low is not None
    assert found.between.alpha.low > 0.7


def test_peoples_own_alpha_is_that_of_the_report_on_agreement() -> None:
    given = {n: {"ann": n % 5 + 1, "bo": (n + (n % 3 == 0)) % 5 + 1} for n in range(40)}
    annotations = answers("rating", given)
    found = report([rated(n, 3) for n in range(40)], annotations, REVIEW).question("rating")
    same = agreement(annotations, REVIEW).question("rating").coefficients["alpha_interval"]
    assert found.between.alpha.value == pytest.approx(same.value)
    assert found.between.alpha.low == pytest.approx(same.low)


def test_a_judge_that_always_says_the_same_has_no_kappa_above_chance() -> None:
    found = crowd(60, lambda rng, value: 3).question("rating")
    assert found.people.kappa.value == pytest.approx(0, abs=1e-9)


def test_every_judge_of_a_panel_has_figures_of_its_own() -> None:
    record = rated(1, 4)
    said = record.metadata["judge"]["rating"]
    said["opinions"].append({"model": "other", "value": 2, "readings": [{"value": 2}]})
    found = report([record], answers("rating", {1: {"ann": 4}}), REVIEW).question("rating")
    assert [(one.model, one.people.same) for one in found.judges] == [("small", 1.0), ("other", 0.0)]


def test_answers_that_do_not_count_in_a_merge_do_not_count_here() -> None:
    annotations = [
        *answers("rating", {1: {"ann": 4}}),
        Annotation("r1", "bo", "draft", {"rating": 1}),
        Annotation("r1", "cy", answers={"rating": 9}),
        Annotation("r1", "di", answers={"rating": 1}, deleted=True),
    ]
    found = report([rated(1, 4)], annotations, REVIEW).question("rating")
    assert (found.people.pairs, found.people.same) == (1, 1.0)


# -- place, length, confidence


def test_position_consistency_and_how_often_the_first_is_preferred() -> None:
    records = [compared(n, "A", "A") for n in range(6)] + [compared(n, "A", "B") for n in range(6, 10)]
    found = report(records, answers("preference", {0: {"ann": "A"}}), PREFERENCE).question("preference")
    (judge,) = found.judges
    assert judge.consistency is not None
    assert judge.first is not None
    assert (judge.consistency.count, judge.consistency.n) == (6, 10)
    # Consistent ones prefer the first in one order of two; the others in both.
    assert (judge.first.count, judge.first.n) == (6 + 2 * 4, 20)
    assert judge.first.interval[0] == pytest.approx(0.4810, abs=1e-3)


def test_how_often_the_longer_one_is_preferred_by_judges_and_by_people() -> None:
    records = [compared(n, "A", "A", a="A much longer answer.", b="Short.") for n in range(8)]
    records += [compared(8, "A", "A", a="same", b="same"), compared(9, "tie", "tie")]
    people = {n: {"ann": "A" if n < 2 else "B"} for n in range(8)}
    found = report(records, answers("preference", people), PREFERENCE).question("preference")
    assert found.longer is not None
    assert found.people_longer is not None
    assert (found.longer.count, found.longer.n) == (8, 8)
    assert found.people_longer.value == 0.25


def test_correlation_with_length_is_spearmans() -> None:
    records = [rated(n, n % 5 + 1, response="x" * (10 * (n % 5) + 1)) for n in range(50)]
    found = report(records, answers("rating", {n: {"ann": 3} for n in range(5)}), REVIEW).question("rating")
    assert found.length is not None
    assert found.length.value == 1.0
    assert found.people_length is not None
    assert found.people_length.reason == "all scores, or all lengths, are the same"


def test_ranks_share_the_mean_where_values_are_equal() -> None:
    pairs = [(1.0, 5), (2.0, 5), (2.0, 7), (4.0, 9)]
    assert ranks(np.array([1.0, 2.0, 2.0, 4.0])).tolist() == [1.0, 2.5, 2.5, 4.0]
    assert with_length(pairs).value == pytest.approx(0.8333, abs=1e-4)


def test_calibration_holds_confidence_against_people() -> None:
    records = [rated(n, 4, confidence=0.95) for n in range(10)] + [rated(n, 2, confidence=0.55) for n in range(10, 20)]
    people = {n: {"ann": 4} for n in range(10)} | {n: {"ann": 2 if n % 2 else 5} for n in range(10, 20)}
    low, high = report(records, answers("rating", people), REVIEW).question("rating").calibration
    assert (low.n, low.stated, low.right.value) == (10, pytest.approx(0.55), 0.5)
    assert (high.low, high.n, high.right.value) == (0.9, 10, 1.0)


def test_what_could_not_be_read_is_counted_with_its_reason() -> None:
    found = report([rated(1, 4), rated(2, None)], answers("rating", {1: {"ann": 4}}), REVIEW).question("rating")
    assert found.missing == {"truncated": 1}
    assert found.judges[0].missing.count == 1
    assert found.values == {"4": 1}


# -- the quality of the set


def test_the_quality_is_that_of_people_and_not_the_mean_of_scores() -> None:
    found = crowd(400, lambda rng, value: min(5, value + 1), people=1)
    quality = found.question("rating").quality["mean"]
    assert quality.value is not None
    assert quality.answers == 400
    assert abs(quality.value - 3) < 0.3  # the judge's mean is 3.8


def test_few_answers_give_no_quality() -> None:
    records = [rated(n, n % 5 + 1) for n in range(100)]
    quality = report(records, answers("rating", {n: {"ann": 3} for n in range(19)}), REVIEW).question("rating").quality
    assert quality["mean"].value is None
    assert quality["mean"].reason == "19 records with an answer: an estimate needs 20"


def test_labels_have_a_share_each() -> None:
    records = [compared(n, "A" if n % 2 else "B", "A" if n % 2 else "B") for n in range(200)]
    people = {n: {"ann": "A" if n % 2 else "B"} for n in range(40)}
    quality = report(records, answers("preference", people), PREFERENCE).question("preference").quality
    assert [*quality] == ["A", "B", "tie", "both_bad"]
    assert quality["A"].value == pytest.approx(0.5, abs=0.02)
    assert quality["both_bad"].high is not None
    assert 0 < quality["both_bad"].high < 0.1


def test_logged_chances_weight_the_answers() -> None:
    # All that the judge found bad came to people, and a tenth of the others.
    def route(n: int) -> dict[str, Any]:
        return {"selected": n < 40 or n % 10 == 0, "probability": 1.0 if n < 40 else 0.1}

    records = [rated(n, 1 if n < 40 else 5, route=route(n)) for n in range(440)]
    people = {n: {"ann": 1 if n < 40 else 5} for n in range(440) if route(n)["selected"]}
    found = report(records, answers("rating", people), REVIEW).question("rating")
    quality = found.quality["mean"]
    assert quality.people is not None
    assert quality.people[0] == pytest.approx((40 * 1 + 400 * 5) / 440)
    assert found.notes == (
        "quality is weighted by chance; other figures are of the answered records as they are, many of them doubtful",
    )
    assert quality.answers == 80


def test_without_logged_chances_the_report_says_what_it_takes_for_granted() -> None:
    found = crowd(30, lambda rng, value: value).question("rating")
    assert found.notes == (
        "no chances are logged: every record is taken to have had the same chance of being answered",
    )


def test_selected_records_without_an_answer_are_made_up_for_and_named() -> None:
    logs = [Logged(1.0, True)] * 10 + [Logged(0.5, True)] * 10 + [Logged(0.5, False)] * 10
    found = chances(logs, [*range(10), *range(10, 15)])
    assert found.probabilities == (1.0,) * 10 + (0.25,) * 5
    assert found.notes == ("5 selected records have no answer; those answered are taken for a random part of them",)


def test_answers_to_records_that_were_not_selected_do_not_count() -> None:
    found = chances([Logged(0.5, True), Logged(0.5, False)], [0, 1])
    assert found.answered == (0,)
    assert found.notes == ("1 answered records were not selected, and do not count",)


def test_a_part_of_what_was_routed_is_refused() -> None:
    with pytest.raises(UsageError, match="those that were not are missing"):
        chances([Logged(0.05, True)] * 20, range(20))
    with pytest.raises(UsageError, match="those that were not are missing"):  # 20 doubtful ones, 3 of the audit
        chances([Logged(1.0, True)] * 20 + [Logged(0.05, True)] * 3, range(23))
    with pytest.raises(UsageError, match="1 of 2 records have no logged selection probability"):
        chances([Logged(0.05, True), Logged()], [0])


# -- what cannot be compared


def test_no_answers_to_compare_with_is_one_clear_error() -> None:
    with pytest.raises(UsageError, match="there are no answers of people to compare with"):
        report([rated(1, 4)], [Annotation("other", "ann", answers={"rating": 4})], REVIEW)


def test_records_that_nobody_judged_are_one_clear_error() -> None:
    with pytest.raises(UsageError, match="no record was judged"):
        report([Record("r1", {"prompt": "?", "response": "!"})], answers("rating", {1: {"ann": 4}}), REVIEW)


def test_another_template_is_one_clear_error() -> None:
    with pytest.raises(UsageError, match="judged on 'rating', which is no rating or label of 'label'"):
        report([rated(1, 4)], answers("rating", {1: {"ann": 4}}), load_template("label"))


@pytest.mark.parametrize(
    "said",
    [
        3,
        ["rating"],
        {"rating": 4},
        {"rating": {"value": True}},
        {"rating": {"value": 4, "score": "high"}},
        {"rating": {"value": 4, "opinions": [{"model": ["small"], "value": 4}]}},
        {"rating": {"value": 4, "opinions": [{"model": "small", "value": [4]}]}},
    ],
)
def test_metadata_of_somebody_elses_is_named(said: object) -> None:
    record = Record("r1", {"prompt": "?", "response": "!"}, metadata={"judge": said})
    with pytest.raises(InputError, match=r"record 'r1': metadata\.judge is not what `annobridge judge` writes"):
        report([record], answers("rating", {1: {"ann": 4}}), REVIEW)


@pytest.mark.parametrize("said", [9, "good"])
def test_an_answer_that_the_template_does_not_have_is_named(said: int | str) -> None:
    record = Record("r1", {"prompt": "?", "response": "!"}, metadata={"judge": {"rating": {"value": said}}})
    with pytest.raises(InputError, match=f"record 'r1': {said!r} of the judges is no answer to rating"):
        report([record], answers("rating", {1: {"ann": 4}}), REVIEW)


def test_a_record_that_comes_twice_is_named() -> None:
    with pytest.raises(InputError, match="record 'r1': twice"):
        report([rated(1, 4), rated(1, 4)], answers("rating", {1: {"ann": 4}}), REVIEW)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gpt-4o", "gpt"),
        ("o1-preview", "gpt"),
        ("deepseek-chat-3-1", "deepseek"),
        ("mistralai/Mixtral-8x7B-Instruct-v0.1", "mistral"),
        ("models/gemini-2.0-flash", "gemini"),
        ("Qwen/QwQ-32B", "qwen"),
        ("SmolLM2-135M-Instruct.Q4_1.gguf", "smollm"),
    ],
)
def test_families_by_name(name: str, expected: str) -> None:
    assert family(name) == expected
