"""What adjudicators decide stands where people did not agree, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.annotations import Annotation
from bridge.exporting import training_rows
from bridge.merging import Merged, MergedAnswer, MergeResult, merge
from bridge.merging.settle import settle
from bridge.records import Record
from bridge.templates import TaskTemplate, load_template

REVIEW = load_template("review")
PREFERENCE = load_template("preference")
RANKING = load_template("ranking")


def said(who: str, *, record: str = "r1", **answers: Any) -> Annotation:
    return Annotation(record, who, answers=answers)


def settled(
    people: Iterable[Annotation],
    adjudicators: Iterable[Annotation],
    template: TaskTemplate = REVIEW,
    records: Iterable[Record] = (),
    **rule: Any,
) -> MergeResult:
    records = list(records)
    return settle(
        merge(people, template, records, **rule), merge(adjudicators, template, records), template, project="Decide"
    )


def answer(result: MergeResult, question: str, record: str = "r1") -> MergedAnswer:
    return next(merged.answers[question] for merged in result.kept if merged.record == record)


SPLIT = [said("ann", label="correct", rating=4), said("bo", label="incorrect", rating=4)]


# -- what is decided


def test_a_tie_is_settled_and_the_votes_stay_those_of_the_people() -> None:
    result = settled(SPLIT, [said("cy", label="correct")])
    label = answer(result, "label")
    assert (label.outcome, label.value, label.support, label.n, label.reason) == ("agreed", "correct", 1, 2, "")
    assert label.details["votes"] == {"correct": 1, "incorrect": 1}
    assert label.details["adjudicated"] is True
    assert label.details["adjudicators"] == {"cy": "correct"}
    assert label.annotators == {"ann": "correct", "bo": "incorrect"}
    assert result.unresolved == []


def test_an_adjudicator_may_decide_what_nobody_said() -> None:
    label = answer(settled(SPLIT, [said("cy", label="harmful")]), "label")
    assert (label.outcome, label.value, label.support) == ("agreed", "harmful", 0)


def test_what_people_agreed_on_is_never_overruled() -> None:
    result = settled(SPLIT, [said("cy", label="correct", rating=1)])
    assert answer(result, "rating") == answer(merge(SPLIT, REVIEW), "rating")


def test_too_few_answers_are_settled_too() -> None:
    result = settled([said("ann", rating=2)], [said("cy", rating=5)], quorum=2)
    rating = answer(result, "rating")
    assert (rating.outcome, rating.value, rating.n, rating.details["mean"]) == ("agreed", 5, 1, 2)


def test_a_rewrite_that_follows_from_a_decision_is_taken_though_nobody_was_asked_for_one_before() -> None:
    people = [said("ann", rating=4), said("bo", rating=5)]
    text = answer(settled(people, [said("cy", rating=1, improved_response="4")]), "improved_response")
    assert (text.outcome, text.value, text.n, text.details["adjudicators"]) == ("agreed", "4", 0, {"cy": "4"})


def test_a_rewrite_of_what_people_agreed_to_be_good_is_not_taken() -> None:
    decision = [said("cy", rating=1, label="correct", improved_response="4")]
    assert answer(settled(SPLIT, decision), "improved_response").outcome == "abstained"


def test_what_nobody_answered_stays_unanswered() -> None:
    assert answer(settled(SPLIT, [said("cy", label="harmful")]), "improved_response").outcome == "abstained"


def test_adjudicators_who_contradict_each_other_settle_nothing_and_their_reason_is_named() -> None:
    result = settled(SPLIT, [said("cy", label="correct"), said("di", label="harmful")])
    label = answer(result, "label")
    assert (label.outcome, label.value) == ("tie", None)
    assert label.reason == "1 for each of correct, incorrect; adjudicators: 1 for each of correct, harmful"
    assert "adjudicated" not in label.details
    assert [(case.question, case.reason) for case in result.unresolved] == [("label", label.reason)]
    assert result.rule["adjudication"] == {"records": 0, "questions": 0, "unsettled": 1, "project": "Decide"}


def test_two_of_three_adjudicators_decide() -> None:
    three = [said("cy", label="correct"), said("di", label="harmful"), said("ed", label="correct")]
    label = answer(settled(SPLIT, three), "label")
    assert (label.value, sorted(label.details["adjudicators"])) == ("correct", ["cy", "di", "ed"])


def test_an_adjudicator_who_skipped_decides_nothing_and_is_counted() -> None:
    result = settled(SPLIT, [Annotation("r1", "cy", "discarded")])
    assert answer(result, "label").reason == "1 for each of correct, incorrect"
    assert result.why == {"tie": 1, "discarded": 1}


def test_a_decision_that_the_template_does_not_allow_does_not_count() -> None:
    decision = Merged("r1", {"label": MergedAnswer("agreed", "marvellous", annotators={"cy": "marvellous"})})
    result = settle(merge(SPLIT, REVIEW), MergeResult([decision]), REVIEW)
    assert answer(result, "label").outcome == "tie"
    assert "adjudicators: label: 'marvellous' is not one of its labels" in result.unresolved[0].reason


def test_the_rule_counts_what_was_settled() -> None:
    people = [
        *SPLIT,
        said("ann", record="r2", label="correct", rating=1),
        said("bo", record="r2", label="harmful", rating=2),
    ]
    deciding = [said("cy", label="correct"), said("cy", record="r2", label="harmful", rating=1)]
    rule = settled(people, deciding).rule
    assert rule["adjudication"] == {"records": 2, "questions": 3, "unsettled": 0, "project": "Decide"}
    assert rule["method"] == "majority"


def test_a_settled_answer_goes_through_a_file_and_back() -> None:
    (merged,) = settled(SPLIT, [said("cy", label="correct")]).kept
    assert Merged.from_dict(merged.to_dict()) == merged


# -- texts

RECORD = Record("r1", {"prompt": "2 + 2?", "response": "5"})


def test_of_texts_those_of_the_adjudicators_count() -> None:
    people = [said("ann", rating=1, label="incorrect", improved_response="four")]
    result = settled(people, [said("cy", improved_response="4")], records=[RECORD], quorum=2)
    text = answer(result, "improved_response")
    assert (text.value, text.details["values"]) == ("4", [{"value": "4", "annotators": ["cy"]}])
    assert text.annotators == {"ann": "four"}


def test_a_text_that_the_adjudicator_left_as_it_was_is_approved() -> None:
    people = [said("ann", rating=1, label="incorrect", improved_response="four")]
    result = settled(people, [said("cy", improved_response="5")], records=[RECORD], quorum=2)
    text = answer(result, "improved_response")
    assert (text.outcome, text.value, text.details["unchanged"]) == ("agreed", None, 1)


# -- training rows


def test_an_adjudicated_preference_yields_a_pair_with_the_margin_of_the_people() -> None:
    record = Record("r1", {"prompt": "p", "response_a": "a", "response_b": "b"})
    people = [said("ann", preference="A"), said("bo", preference="B")]
    result = settled(people, [said("cy", preference="B")], PREFERENCE, [record])
    (row,) = training_rows("dpo", [record], result.kept, PREFERENCE).kept
    assert (row.chosen, row.rejected, row.margin) == ("b", "a", 0.0)
    assert row.annotators == ("bo", "cy")
    assert row.adjudicated == {"preference": ("cy",)}


def test_an_adjudicated_ranking_yields_its_pairs() -> None:
    record = Record("r1", {"prompt": "p", "response_1": "a", "response_2": "b", "response_3": "c"})
    people = [
        said("ann", ranking={"response_1": 1, "response_2": 2, "response_3": 3}),
        said("bo", ranking={"response_1": 3, "response_2": 2, "response_3": 1}),
    ]
    deciding = [said("cy", ranking={"response_1": 2, "response_2": 1, "response_3": 3})]
    result = settled(people, deciding, RANKING, [record])
    rows = training_rows("dpo", [record], result.kept, RANKING).kept
    assert [(row.chosen, row.rejected, row.margin, row.annotators) for row in rows] == [
        ("b", "a", 0.0, ("bo", "cy")),
        ("b", "c", 0.0, ("ann", "cy")),
    ]


def test_who_decided_that_a_condition_is_met_stands_behind_the_row() -> None:
    record = Record("r1", {"prompt": "2 + 2?", "response": "4"})
    result = settled(SPLIT, [said("cy", label="correct")], records=[record])
    (row,) = training_rows("sft", [record], result.kept, REVIEW).kept
    assert (row.completion, row.annotators, row.adjudicated) == ("4", ("ann", "cy"), {"label": ("cy",)})


def test_who_decided_against_the_row_does_not_stand_behind_it() -> None:
    record = Record("r1", {"prompt": "2 + 2?", "response": "4"})
    three = [said("cy", label="correct"), said("di", label="harmful"), said("ed", label="correct")]
    (row,) = training_rows("sft", [record], settled(SPLIT, three, records=[record]).kept, REVIEW).kept
    assert row.annotators == ("ann", "cy", "ed")


# -- whatever they answer

LABELS = ["correct", "partially_correct", "incorrect", "harmful"]


def annotations(people: list[str]) -> st.SearchStrategy[list[Annotation]]:
    one = st.builds(
        lambda record, who, answers: Annotation(record, who, answers=answers),
        st.sampled_from(["r1", "r2", "r3"]),
        st.sampled_from(people),
        st.fixed_dictionaries({}, optional={"label": st.sampled_from(LABELS), "rating": st.integers(0, 6)}),
    )
    return st.lists(one, max_size=12)


@given(annotations(["ann", "bo", "cy"]), annotations(["cy", "di", "ed"]), st.integers(1, 3))
def test_what_was_agreed_never_changes_and_only_agreement_settles(
    people: list[Annotation], deciding: list[Annotation], quorum: int
) -> None:
    before = merge(people, REVIEW, quorum=quorum)
    decided = merge(deciding, REVIEW)
    demanded = {question.name: question.required for question in REVIEW.questions}
    after = settle(before, decided, REVIEW)
    decisions = {merged.record: merged.answers for merged in decided.kept}
    assert [merged.record for merged in after.kept] == [merged.record for merged in before.kept]
    for old, new in zip(before.kept, after.kept, strict=True):
        for name, was in old.answers.items():
            now = new.answers[name]
            assert now.annotators == was.annotators
            assert now.n == was.n
            if was.outcome == "agreed":
                assert now == was
            else:
                decision = decisions.get(old.record, {}).get(name, MergedAnswer("abstained"))
                if was.outcome == "abstained" and not demanded[name]:
                    continue
                assert (now.outcome == "agreed") == (decision.outcome == "agreed")
                assert now.value == (decision.value if decision.outcome == "agreed" else None)
    open_ = {(m.record, name) for m in after.kept for name, a in m.answers.items() if a.outcome in ("tie", "no_quorum")}
    assert {(case.record, case.question) for case in after.unresolved} == open_


@given(annotations(["ann", "bo", "cy"]), annotations(["cy", "di"]), st.randoms())
def test_the_order_of_the_answers_does_not_matter(
    people: list[Annotation], deciding: list[Annotation], random: Any
) -> None:
    # A person's two answers to one record are told apart by the time alone.
    people = [*{(a.record, a.annotator): a for a in people}.values()]
    deciding = [*{(a.record, a.annotator): a for a in deciding}.values()]
    first = settle(merge(people, REVIEW), merge(deciding, REVIEW), REVIEW)
    random.shuffle(people)
    random.shuffle(deciding)
    assert settle(merge(people, REVIEW), merge(deciding, REVIEW), REVIEW) == first


@pytest.mark.parametrize("deciding", [[], [said("cy", record="r9", label="correct")]])
def test_without_decisions_on_its_records_a_merge_is_as_it_was(deciding: list[Annotation]) -> None:
    before = merge(SPLIT, REVIEW)
    after = settle(before, merge(deciding, REVIEW), REVIEW)
    assert (after.kept, after.unresolved) == (before.kept, before.unresolved)
