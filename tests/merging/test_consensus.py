"""The merge: what counts, who counts, and that nothing depends on the order of rows or on names."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.annotations import Annotation
from bridge.errors import UsageError
from bridge.merging import Merged, MergeResult, merge
from bridge.records import Record
from bridge.templates import load_template

REVIEW = load_template("review")
RATING = load_template("rating")


def rated(*ratings: int, record: str = "r1") -> list[Annotation]:
    return [Annotation(record, f"a{n}", answers={"rating": rating}) for n, rating in enumerate(ratings)]


def lines(result: MergeResult) -> list[str]:
    return [json.dumps(merged.to_dict()) for merged in result.kept]


# -- who and what counts


def test_one_entry_per_record_sorted_by_key() -> None:
    result = merge([*rated(3, record="r2"), *rated(4, record="r10"), *rated(5, record="r1")], RATING)
    assert [merged.record for merged in result.kept] == ["r1", "r10", "r2"]


def test_every_question_has_an_answer_in_the_order_of_the_template() -> None:
    merged = merge([Annotation("r1", "ann", answers={"label": "correct"})], REVIEW).kept[0]
    assert [(name, a.outcome) for name, a in merged.answers.items()] == [
        ("rating", "abstained"),
        ("label", "agreed"),
        ("improved_response", "abstained"),
    ]


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"status": "discarded"}, "discarded"), ({"status": "draft"}, "draft"), ({"deleted": True}, "deleted")],
)
def test_skips_drafts_and_withdrawn_answers_are_missing_values(change: dict[str, Any], reason: str) -> None:
    spoilt = replace(Annotation("r1", "zoe", answers={"rating": 1}), **change)
    result = merge([*rated(5, 5), spoilt], RATING)
    assert lines(result) == lines(merge(rated(5, 5), RATING))
    assert [(case.annotator, case.reason) for case in result.dropped] == [("zoe", reason)]


def test_a_record_that_everybody_skipped_is_abstained() -> None:
    result = merge([Annotation("r1", who, "discarded") for who in ("ann", "bo")], REVIEW, quorum=2)
    assert {(a.outcome, a.n, a.value) for a in result.kept[0].answers.values()} == {("abstained", 0, None)}
    assert result.unresolved == []
    assert len(result.dropped) == 2


def test_the_same_person_counts_once_with_the_newest_answer() -> None:
    first = Annotation("r1", "ann", answers={"rating": 1})
    result = merge([replace(first, revision=2, answers={"rating": 5}), first, *rated(5)], RATING)
    assert (result.kept[0].answers["rating"].value, result.kept[0].answers["rating"].n) == (5, 2)


def test_wrong_answers_are_problems_and_the_rest_is_merged() -> None:
    result = merge([Annotation("r1", "ann", answers={"rating": 9, "label": "correct", "x": 1})], REVIEW)
    assert [(p.question, p.kind) for p in result.problems] == [("rating", "invalid"), ("x", "invalid")]
    assert result.kept[0].answers["label"].value == "correct"


def test_an_annotator_without_id_does_not_count() -> None:
    result = merge([Annotation("r1", "", answers={"rating": 1}), *rated(5)], RATING)
    assert result.kept[0].answers["rating"].n == 1
    assert [problem.reason for problem in result.problems] == ["the annotator has no id"]


def test_a_record_tells_a_rewrite_from_an_unchanged_text() -> None:
    record = Record("r1", {"prompt": "2 + 2?", "response": "4"})
    answers = [Annotation("r1", "ann", answers={"improved_response": "4"})]
    template = load_template("rewrite")
    assert merge(answers, template).kept[0].answers["improved_response"].value == "4"
    assert merge(answers, template, [record]).kept[0].answers["improved_response"].to_dict() == {
        "outcome": "agreed",
        "value": None,
        "support": 0,
        "n": 1,
        "single": True,
        "values": [{"value": "4", "annotators": ["ann"], "unchanged": True}],
        "spread": 0,
        "unchanged": 1,
        "annotators": {"ann": "4"},
    }


# -- doubts


def test_ties_are_unresolved_with_their_reason() -> None:
    result = merge(rated(2, 5), RATING)
    assert [case.to_dict() for case in result.unresolved] == [
        {"record": "r1", "question": "rating", "outcome": "tie", "reason": "the middle grades are 2 and 5"}
    ]
    assert result.kept[0].answers["rating"].to_dict()["reason"] == "the middle grades are 2 and 5"


def test_fewer_answers_than_the_quorum_are_no_answer() -> None:
    result = merge(rated(5, 5), RATING, quorum=3)
    answer = result.kept[0].answers["rating"]
    assert (answer.outcome, answer.value, answer.support, answer.n) == ("no_quorum", None, 0, 2)
    assert [case.reason for case in result.unresolved] == ["2 of 3 answers"]
    assert merge(rated(5, 5), RATING, quorum=2).kept[0].answers["rating"].value == 5


def test_a_rewrite_needs_no_second_one_only_people_who_saw_the_record() -> None:
    ann = Annotation("r1", "ann", answers={"rating": 2, "label": "incorrect", "improved_response": "4"})
    bo = Annotation("r1", "bo", answers={"rating": 2, "label": "incorrect"})
    assert merge([ann, bo], REVIEW, quorum=2).kept[0].answers["improved_response"].value == "4"
    assert merge([ann], REVIEW, quorum=2).kept[0].answers["improved_response"].outcome == "no_quorum"


def test_a_quorum_below_one_is_refused() -> None:
    with pytest.raises(UsageError):
        merge([], RATING, quorum=0)


def test_the_rule_is_told() -> None:
    assert merge([], RATING, quorum=2).rule == {"method": "majority", "quorum": 2}


def test_outcomes_are_counted_by_question() -> None:
    result = merge([*rated(5, 5), *rated(2, 5, record="r2"), Annotation("r3", "ann", "draft")], RATING)
    assert result.outcomes() == {"rating": {"abstained": 1, "agreed": 1, "tie": 1}}


# -- what must not matter

TEMPLATES = ["rating", "label", "multi_label", "preference", "ranking", "span_errors", "rewrite"]
BY_NAME = {name: load_template(name) for name in TEMPLATES}


@st.composite
def crowds(draw: st.DrawFn) -> tuple[str, list[Annotation]]:
    """A template, and a few people's answers to a few records."""
    name = draw(st.sampled_from(TEMPLATES))
    question: Any = BY_NAME[name].questions[0]
    answers: dict[str, st.SearchStrategy[Any]] = {
        "rating": st.integers(1, 5),
        "rewrite": st.sampled_from(["a", "a ", "b", "c", "cafe\u0301", "caf\u00e9"]),
        "ranking": st.dictionaries(
            st.sampled_from([f"response_{n}" for n in (1, 2, 3, 4)]), st.integers(1, 4), min_size=1
        ),
    }
    labels = st.sampled_from(getattr(question, "values", ["-"])[:3])
    answers["label"] = answers["preference"] = labels
    answers["multi_label"] = st.lists(labels, unique=True)
    place = st.tuples(st.integers(0, 6), st.integers(1, 6), labels)
    answers["span_errors"] = st.lists(
        place.map(lambda p: {"start": p[0], "end": p[0] + p[1], "label": p[2]}), max_size=3
    )
    people = draw(st.lists(st.tuples(st.sampled_from("12"), st.sampled_from("abcdef")), unique=True, min_size=1))
    return name, [Annotation(f"r{r}", who, answers={question.name: draw(answers[name])}) for r, who in people]


RULES: list[dict[str, Any]] = [
    {},
    {"quorum": 2},
    {"threshold": 0.3},
    {"rewrites": "medoid"},
    {"method": "dawid-skene"},
    {"weights": {"a": 0.1, "b": 0.7, "c": 2.0, "d": 0.0}},
]


@given(crowds(), st.sampled_from(RULES), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(
    crowd: tuple[str, list[Annotation]], rule: dict[str, Any], chance: random.Random
) -> None:
    name, annotations = crowd
    shuffled = list(annotations)
    chance.shuffle(shuffled)
    one, two = (merge(given, BY_NAME[name], **rule) for given in (annotations, shuffled))
    assert one == two
    assert lines(one) == lines(two)


@given(crowds(), st.sampled_from(RULES), st.permutations("uvwxyz"))
def test_the_names_of_annotators_do_not_matter(
    crowd: tuple[str, list[Annotation]], rule: dict[str, Any], names: list[str]
) -> None:
    name, annotations = crowd
    alias = dict(zip("abcdef", names, strict=True))

    def anonymous(result: MergeResult) -> list[Any]:
        lines = [merged.to_dict() for merged in result.kept]
        for line in lines:
            for answer in line["answers"].values():
                answer["annotators"] = sorted(map(repr, answer["annotators"].values()))
                for text in answer.get("values", ()):
                    text["annotators"] = len(text["annotators"])
        return lines

    renamed = [replace(a, annotator=alias[a.annotator]) for a in annotations]
    other = {**rule, "weights": {alias[who]: weight for who, weight in rule.get("weights", {}).items()}}
    assert anonymous(merge(renamed, BY_NAME[name], **other)) == anonymous(merge(annotations, BY_NAME[name], **rule))


@given(crowds(), st.sampled_from(RULES))
def test_repeating_an_answer_changes_nothing(crowd: tuple[str, list[Annotation]], rule: dict[str, Any]) -> None:
    name, annotations = crowd
    twice = [*annotations, *annotations[::-1]]
    assert merge(twice, BY_NAME[name], **rule) == merge(annotations, BY_NAME[name], **rule)


@given(crowds(), st.sampled_from(RULES), st.sampled_from(["discarded", "draft"]))
def test_a_skip_changes_no_answer(crowd: tuple[str, list[Annotation]], rule: dict[str, Any], status: Any) -> None:
    name, annotations = crowd
    skips = [replace(a, annotator="zoe", status=status) for a in annotations]
    with_skips, without = (merge(given, BY_NAME[name], **rule) for given in ([*skips, *annotations], annotations))
    assert lines(with_skips) == lines(without)


@given(crowds())
def test_one_more_of_everybody_decides_the_same(crowd: tuple[str, list[Annotation]]) -> None:
    name, annotations = crowd
    twins = [replace(a, annotator=a.annotator * 2) for a in annotations]
    once, twice = (merge(given, BY_NAME[name]) for given in (annotations, [*annotations, *twins]))
    for one, two in zip(once.kept, twice.kept, strict=True):
        for question, answer in one.answers.items():
            assert two.answers[question].outcome == answer.outcome
            assert two.answers[question].value == answer.value
            assert two.answers[question].support == answer.support * 2


@given(crowds())
def test_a_value_is_there_exactly_where_people_agree(crowd: tuple[str, list[Annotation]]) -> None:
    name, annotations = crowd
    for merged in merge(annotations, BY_NAME[name]).kept:
        for answer in merged.answers.values():
            if name != "rewrite":
                assert (answer.value is not None) == (answer.outcome == "agreed")
            if answer.value is not None and name != "multi_label":
                assert BY_NAME[name].questions[0].validate(answer.value) == answer.value
            assert 0 <= answer.support <= answer.n
            assert (answer.reason != "") == (answer.outcome == "tie")


@given(crowds())
def test_merged_lines_can_be_read_back(crowd: tuple[str, list[Annotation]]) -> None:
    name, annotations = crowd
    result = merge(annotations, BY_NAME[name])
    assert [Merged.from_dict(json.loads(line)) for line in lines(result)] == result.kept
