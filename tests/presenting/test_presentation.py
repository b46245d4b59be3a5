"""What is shown in place of a record, and the way back from the answers to it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.annotations import Annotation
from bridge.merging.audits import Answered
from bridge.presenting import Blind, Hiding, Presentation
from bridge.presenting.anchoring import compared
from bridge.records import Record, Suggestion
from bridge.templates import load_template

PREFERENCE, RATING = load_template("preference"), load_template("rating")
FIELDS = {"prompt": "Why?", "response_a": "Because.", "response_b": "No idea."}
AS_IT_IS = Presentation()


def blind(**more: Any) -> Presentation:
    """A presentation that changes the places of these fields."""
    orders = (Blind.of(PREFERENCE, seed) for seed in range(100))
    return Presentation(next(b for b in orders if b.order(Record("", FIELDS))[0] == "response_b"), **more)


def suggesting(key: str = "", **fields: str) -> Record:
    return Record(key, {**FIELDS, **fields}, [Suggestion("preference", "A", 0.9, "judge")], {"row": 7})


# -- there


def test_without_settings_a_record_is_shown_as_it_is() -> None:
    record = suggesting()
    assert AS_IT_IS.shown(record) is record
    assert AS_IT_IS.variant == ""


def test_suggestions_change_places_with_what_they_are_about() -> None:
    shown = blind().shown(suggesting("r1"))
    assert shown.fields["response_a"] == "No idea."
    assert [(s.value, s.score, s.agent) for s in shown.suggestions] == [("B", 0.9, "judge")]


@pytest.mark.parametrize("key", ["r1", ""])
def test_neither_key_nor_hash_says_whether_a_record_is_shown_as_it_is(key: str) -> None:
    presentation = blind()
    for text in "abcdefgh":
        record = suggesting(key, prompt=text)
        shown = presentation.shown(record)
        assert record.content not in (shown.key, shown.content)
        assert Record("", shown.fields).content not in (shown.key, shown.content)
        assert shown.key == (key or shown.content)


def test_a_copy_under_another_key_is_shown_the_same() -> None:
    shown = blind().shown(suggesting("r1"))
    other = replace(shown, key="r1@9f86d081")
    assert (other.fields, other.content) == (shown.fields, shown.content)


def test_each_setting_makes_another_variant() -> None:
    blinds = [Presentation(Blind.of(PREFERENCE, seed)).variant for seed in (1, 2)]
    hidings = [Presentation(hiding=Hiding(share, seed)).variant for share, seed in ((0.1, 1), (0.2, 1), (0.1, 2))]
    both = Presentation(Blind.of(PREFERENCE, 1), Hiding(0.1, 1)).variant
    assert len({*blinds, *hidings, both, ""}) == 7


def test_suggestions_are_hidden_on_the_share_of_records_and_nothing_else_is() -> None:
    presentation = Presentation(hiding=Hiding(0.3, seed=5))
    records = [suggesting(prompt=str(number)) for number in range(2000)]
    shown = [presentation.shown(record) for record in records]
    hidden = sum(not record.suggestions for record in shown)
    assert 500 < hidden < 700
    assert [(r.key, r.fields, r.metadata) for r in shown] == [(r.key, r.fields, r.metadata) for r in records]


def test_a_record_without_suggestions_has_none_to_hide() -> None:
    assert not Hiding(0.99, seed=1).hides(Record("", FIELDS))


# -- and back


def test_an_answer_is_one_to_the_record_as_it_is_and_says_in_which_order_it_was_shown() -> None:
    presentation, record = blind(), suggesting("r1")
    source = {"server": "memory", "content": presentation.content(record)}
    answer = Annotation("r1", "ann", answers={"preference": "A"}, source=source)
    undone = presentation.undone(answer, presentation.view(record))
    assert undone.annotation.answers == {"preference": "B"}
    assert undone.annotation.source == {"server": "memory", "content": record.content, "order": "response_b response_a"}
    assert undone.lost == ()


def test_a_key_that_is_a_hash_is_the_records_own_again() -> None:
    presentation, record = blind(), suggesting()
    answer = Annotation(presentation.key(record), "ann", answers={"preference": "tie"})
    assert presentation.undone(answer, presentation.view(record)).annotation.record == record.key


@given(st.integers(0, 2**63 - 1), st.sampled_from(["A", "B", "tie", "both_bad"]), st.text(), st.booleans())
def test_an_answer_to_what_is_shown_comes_back(seed: int, value: str, prompt: str, own_key: bool) -> None:
    presentation = Presentation(Blind.of(PREFERENCE, seed))
    record = suggesting("r1" if own_key else "", prompt=prompt.encode(errors="replace").decode())
    record = replace(record, suggestions=[Suggestion("preference", value)])
    shown = presentation.shown(record)
    accepted = {s.question: s.value for s in shown.suggestions}
    back = presentation.undone(Annotation(shown.key, "ann", answers=accepted), presentation.view(record)).annotation
    assert (back.record, back.answers) == (record.key, {"preference": value})


def test_an_answer_to_another_text_has_no_order_and_is_left_for_the_merge_to_drop() -> None:
    source = {"content": "before 2026-01-01T00:00:00.000000Z"}
    presentation = blind()
    answer = Annotation("r1", "ann", answers={"preference": "A"}, source=source)
    undone = presentation.undone(answer, presentation.view(suggesting("r1")))
    assert (undone.annotation.answers, undone.annotation.source, undone.lost) == ({}, source, ())


def test_an_answer_to_a_record_that_nobody_knows_is_left_out_and_named() -> None:
    answers = {"preference": "A", "comment": "Fine."}
    undone = blind().undone(Annotation("r1", "ann", answers=answers), None)
    assert (undone.annotation.answers, undone.lost) == ({"comment": "Fine."}, ("preference",))


def test_a_skip_of_such_a_record_loses_nothing() -> None:
    assert blind().undone(Annotation("r1", "ann", "discarded"), None).lost == ()


def test_an_old_label_changes_places_under_its_new_name() -> None:
    presentation = blind(labels={"first": "A", "even": "tie"})
    for old, new in (("first", "B"), ("even", "tie"), ("A", "B"), ("unknown", "unknown")):
        answer = Annotation("r1", "ann", answers={"preference": old})
        assert presentation.undone(answer, presentation.view(suggesting("r1"))).annotation.answers == {
            "preference": new
        }


def test_an_answer_says_where_its_suggestions_were_hidden() -> None:
    presentation = Presentation(hiding=Hiding(0.5, seed=1))
    records = [suggesting(prompt=str(number)) for number in range(20)]
    marks = [
        presentation.undone(Annotation(r.key, "ann"), presentation.view(r)).annotation.source.get(
            "suggestions", "shown"
        )
        for r in records
    ]
    assert marks == ["shown" if presentation.shown(record).suggestions else "hidden" for record in records]
    assert {*marks} == {"shown", "hidden"}


# -- answers with and without the suggestion


def test_answers_are_compared_with_the_suggestion_that_people_saw_or_did_not() -> None:
    fields = {"prompt": "2 + 2?", "response": "4"}
    record = Record("r1", fields, [Suggestion("rating", 2, score=0.1), Suggestion("rating", 5, score=0.8)])
    answers = [
        Annotation("r1", "ann", answers={"rating": 5}),
        Annotation("r1", "bo", answers={"rating": 3}, source={"suggestions": "hidden"}),
        Annotation("r1", "cy", "discarded"),
        Annotation("r1", "di", answers={"rating": 9}),
        Annotation("r1", "ed", answers={}),
        Annotation("r1", "flo", answers={"rating": 5}, source={"content": "another text"}),
        Annotation("r2", "ann", answers={"rating": 5}),
    ]
    assert [*compared(answers, {"r1": record}, RATING)] == [
        Answered("rating", "r1", "ann", shown=True, equals=True, distance=0.0),
        Answered("rating", "r1", "bo", shown=False, equals=False, distance=2.0),
    ]
