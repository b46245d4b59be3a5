"""Annotations: a public line format, and which of several counts."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.annotations import STATUSES, Annotation, newest
from bridge.errors import ValueRejected

TIMES = st.sampled_from([f"2026-01-0{day}T00:00:00.000000Z" for day in range(1, 6)])
ANSWERS = st.dictionaries(
    st.sampled_from(["rating", "label", "tags"]), st.integers(1, 5) | st.text(max_size=3) | st.lists(st.just("a"))
)
ANNOTATIONS = st.builds(
    Annotation,
    record=st.sampled_from(["r1", "r2"]),
    annotator=st.sampled_from(["a-1", "a-2"]),
    status=st.sampled_from(STATUSES),
    answers=ANSWERS,
    created_at=TIMES,
    updated_at=TIMES,
    lead_time_s=st.none() | st.floats(0, 1000),
    revision=st.integers(1, 3),
    source=st.sampled_from([{}, {"server": "memory", "project": "p", "task": "1", "id": "1"}, {"id": "2"}]),
    deleted=st.booleans(),
)


def given_at(day: int, *, deleted: bool = False, **more: Any) -> Annotation:
    """Ann's answer to r1 on one day of January, with that day as its rating."""
    moment = f"2026-01-{day:02}T00:00:00.000000Z"
    return Annotation(
        "r1", "ann", answers={"rating": day}, updated_at=moment, source={"id": str(day)}, deleted=deleted, **more
    )


# -- lines


@given(ANNOTATIONS)
def test_a_line_is_read_back_as_the_same_annotation(annotation: Annotation) -> None:
    assert Annotation.from_dict(json.loads(json.dumps(annotation.to_dict()))) == annotation


def test_a_line_has_the_documented_names() -> None:
    assert list(Annotation("r", "a").to_dict()) == [
        "record",
        "annotator",
        "status",
        "answers",
        "created_at",
        "updated_at",
        "lead_time_s",
        "revision",
        "source",
    ]


def test_only_what_was_withdrawn_says_so() -> None:
    assert Annotation("r", "a", deleted=True).to_dict()["deleted"] is True
    assert "deleted" not in Annotation("r", "a").to_dict()


def test_record_and_annotator_are_enough() -> None:
    annotation = Annotation.from_dict({"record": "r1", "annotator": "ann"})
    assert annotation == Annotation("r1", "ann", "submitted", {}, "", "", None, 1, {}, False)


@pytest.mark.parametrize("name", ["status", "answers", "created_at", "lead_time_s", "revision", "source", "deleted"])
def test_null_means_not_given(name: str) -> None:
    assert Annotation.from_dict({"record": "r", "annotator": "a", name: None}) == Annotation("r", "a")


def test_what_other_tools_add_is_left_alone() -> None:
    assert Annotation.from_dict({"record": "r", "annotator": "a", "team": "blue"}) == Annotation("r", "a")


@pytest.mark.parametrize("name", ["record", "annotator"])
@pytest.mark.parametrize("value", [None, ""])
def test_a_line_without_record_or_annotator_is_refused(name: str, value: object) -> None:
    line = {"record": "r", "annotator": "a", name: value}
    with pytest.raises(ValueRejected, match=f"{name}: missing") as caught:
        Annotation.from_dict(line)
    assert '"record": KEY' in caught.value.remedy


JSON_VALUES = ["text", 5, 1.5, True, ["list"], {"an": "object"}]
FITTING = {
    "record": [str],
    "annotator": [str],
    "status": [],
    "answers": [dict],
    "created_at": [str],
    "updated_at": [str],
    "lead_time_s": [int, float],
    "revision": [int],
    "source": [dict],
    "deleted": [bool],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name in FITTING for value in JSON_VALUES if type(value) not in FITTING[name]]
)
def test_a_value_of_another_type_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(ValueRejected, match=f"^{name}: ") as caught:
        Annotation.from_dict({"record": "r", "annotator": "a", name: value})
    assert caught.value.remedy


def test_an_unknown_status_names_the_known_ones() -> None:
    with pytest.raises(ValueRejected, match="status: 'done' is unknown") as caught:
        Annotation.from_dict({"record": "r", "annotator": "a", "status": "done"})
    assert caught.value.remedy == "use one of submitted, discarded, draft"


def test_a_message_does_not_repeat_a_huge_value() -> None:
    with pytest.raises(ValueRejected) as caught:
        Annotation.from_dict({"record": ["x" * 100_000], "annotator": "a"})
    assert len(caught.value.reason) < 200


def test_an_annotation_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Annotation("r", "a").status = "draft"  # type: ignore[misc]


# -- which one counts


@given(st.lists(ANNOTATIONS, max_size=8), st.randoms(use_true_random=False))
def test_the_order_of_the_lines_makes_no_difference(lines: list[Annotation], random: Any) -> None:
    shuffled = list(lines)
    random.shuffle(shuffled)
    assert newest(shuffled) == newest(lines)


@given(st.lists(ANNOTATIONS, max_size=8))
def test_one_is_left_per_person_and_record(lines: list[Annotation]) -> None:
    places = [(annotation.record, annotation.annotator) for annotation in newest(lines)]
    assert places == sorted({(annotation.record, annotation.annotator) for annotation in lines})


@given(st.lists(ANNOTATIONS, max_size=8))
def test_choosing_twice_changes_nothing(lines: list[Annotation]) -> None:
    assert newest(newest(lines)) == newest(lines)


def test_the_newest_revision_of_an_answer_counts() -> None:
    first = given_at(9)
    second = dataclasses.replace(first, revision=2, updated_at="", answers={"rating": 5})
    assert newest([second, first]) == [second]


def test_the_latest_of_several_answers_of_one_person_counts() -> None:
    assert newest([given_at(2), given_at(4), given_at(3)]) == [given_at(4)]


def test_a_withdrawn_answer_gives_way_to_an_older_one_that_stands() -> None:
    withdrawn = given_at(4, revision=2, deleted=True)
    assert newest([given_at(2), given_at(4), withdrawn]) == [given_at(2)]


def test_where_all_were_withdrawn_one_stays_and_says_so() -> None:
    (left,) = newest([given_at(2, deleted=True), given_at(3, deleted=True)])
    assert (left.deleted, left.answers) == (True, {"rating": 3})


def test_an_answer_that_came_back_counts_again() -> None:
    history = [given_at(1), given_at(1, revision=2, deleted=True), given_at(1, revision=3)]
    assert newest(reversed(history)) == [history[-1]]


def test_a_skip_that_came_later_replaces_an_answer() -> None:
    skip = Annotation("r1", "ann", "discarded", updated_at="2026-02-01T00:00:00.000000Z", source={"id": "9"})
    assert newest([given_at(1), skip]) == [skip]


def test_people_and_records_are_kept_apart() -> None:
    lines = [Annotation(record, person) for record in ("r2", "r1") for person in ("bo", "ann")]
    assert [(a.record, a.annotator) for a in newest(lines)] == [
        ("r1", "ann"),
        ("r1", "bo"),
        ("r2", "ann"),
        ("r2", "bo"),
    ]
