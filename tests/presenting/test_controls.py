"""Control items: what their file may say, where they stand among the records, and what they say of people."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.annotations import Annotation
from bridge.errors import InputError, ValueRejected
from bridge.presenting.controls import Control, Controls, Judged, judged, read_controls, weights
from bridge.questions import Bounds
from bridge.records import Record
from bridge.templates import TaskTemplate, load_template

GOOD = {"prompt": "2 + 2?", "response": "4"}


def written(folder: Path, rows: Sequence[Any], name: str = "controls.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows))
    return path


def read(path: Path, template: str = "review", **more: Any) -> Controls:
    return read_controls(path, load_template(template), share=0.1, seed=1, **more)


def records(count: int, prefix: str = "r") -> list[Record]:
    return [Record(f"{prefix}{number}", {"prompt": f"{prefix} {number}?"}) for number in range(count)]


def controls(count: int, share: float = 0.2, seed: int = 1) -> Controls:
    return Controls(tuple(Control(record, {}) for record in records(count, "c")), share, seed)


# -- the file


def test_a_row_is_a_record_and_says_what_is_right(tmp_path: Path) -> None:
    row = {**GOOD, "rating": 3, "source": "exam", "expected": {"rating": {"min": 4}, "label": ["correct", "harmful"]}}
    (control,) = read(written(tmp_path, [row])).items
    assert control.record.fields == GOOD
    assert control.record.key == Record("", GOOD).key
    assert [(s.question, s.value) for s in control.record.suggestions] == [("rating", 3)]
    assert control.record.metadata == {"source": "exam"}
    assert control.expected == {"rating": Bounds(min=4), "label": ("correct", "harmful")}


def test_rows_have_the_columns_of_the_records(tmp_path: Path) -> None:
    row = {"row": "c1", "instruction": "2 + 2?", "response": "4", "expected": {"label": "correct"}}
    (control,) = read(written(tmp_path, [row]), id_column="row", mapping={"prompt": "instruction"}).items
    assert (control.record.key, control.record.fields) == ("c1", GOOD)


@pytest.mark.parametrize("inside", [True, False])
def test_a_line_of_records_jsonl_says_it_beside_its_fields_or_in_its_metadata(tmp_path: Path, inside: bool) -> None:
    expected = {"expected": {"label": "correct"}}
    row = {"key": "c1", "fields": GOOD, **({"metadata": {"by": "me", **expected}} if inside else expected)}
    (control,) = read(written(tmp_path, [row])).items
    assert (control.record.key, control.expected) == ("c1", {"label": ("correct",)})
    assert control.record.metadata == ({"by": "me"} if inside else {})


def test_in_a_table_what_is_right_is_json_in_a_cell(tmp_path: Path) -> None:
    text = 'prompt,response,expected\n2 + 2?,4,"{""rating"": {""max"": 2}}"\n'
    (control,) = read(written(tmp_path, [text], "controls.csv")).items
    assert control.expected == {"rating": Bounds(max=2)}


def test_what_a_parquet_file_fills_up_with_nothing_is_not_expected(tmp_path: Path) -> None:
    row = {**GOOD, "expected": {"rating": {"min": 4, "max": None}, "label": None}}
    (control,) = read(written(tmp_path, [row])).items
    assert control.expected == {"rating": Bounds(min=4)}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({**GOOD}, "expected: it does not say which answers are right"),
        ({**GOOD, "expected": {}}, "expected: it does not say which answers are right"),
        ({**GOOD, "expected": "4 or 5"}, "expected: the cell is not JSON"),
        ({**GOOD, "expected": {"colour": "red"}}, "'colour': the template 'review' has no such question"),
        ({**GOOD, "expected": {"rating": 9}}, "rating: 9 is not on the scale"),
        ({**GOOD, "expected": {"rating": {"min": 6}}}, "rating: no grade is within {'min': 6}"),
        ({**GOOD, "expected": {"rating": {"least": 4}}}, "rating: {'least': 4} is no condition"),
        ({**GOOD, "expected": {"rating": {"min": 1}}}, "expected: every answer to rating is right"),
        ({**GOOD, "expected": {"label": ["correct", "wrong"]}}, "label: 'wrong' is not one of its labels"),
        ({**GOOD, "expected": {"label": []}}, "label: none of its answers would be right"),
        ({"prompt": "2 + 2?", "expected": {"rating": 4}}, "response: missing"),
        ('{"prompt": \n', "not valid JSON"),
    ],
)
def test_a_wrong_row_is_an_error_that_names_file_and_line(tmp_path: Path, row: Any, reason: str) -> None:
    path = written(tmp_path, [{**GOOD, "prompt": "1?", "expected": {"rating": 4}}, row])
    with pytest.raises(InputError) as caught:
        read(path)
    assert caught.value.reason.startswith(f"{path}:2: {reason}")
    assert caught.value.remedy


def test_a_repeated_control_is_an_error(tmp_path: Path) -> None:
    row = {**GOOD, "expected": {"rating": 4}}
    with pytest.raises(InputError, match=r"controls\.jsonl:2: the same record as in line 1"):
        read(written(tmp_path, [row, row]))


def test_their_order_is_that_of_the_seed_and_not_of_the_file(tmp_path: Path) -> None:
    rows = [{**GOOD, "prompt": f"{n}?", "expected": {"rating": 4}} for n in range(20)]
    keys = [record.key for record in read(written(tmp_path, rows)).records]
    assert keys == [record.key for record in read(written(tmp_path, rows[::-1])).records]
    assert keys != [Record("", {**GOOD, "prompt": f"{n}?"}).key for n in range(20)]


# -- among the records


@pytest.mark.parametrize("share", [0.05, 0.1, 0.25, 0.5])
def test_they_are_the_share_of_what_is_pushed(share: float) -> None:
    mixed = controls(600, share).among(records(400))
    pushed = list(mixed)
    assert len(pushed) == 400 + mixed.controls
    assert mixed.missing == 0
    assert abs(mixed.controls - share * len(pushed)) <= 1


def test_too_few_are_all_used_and_the_rest_is_counted() -> None:
    mixed = controls(3, share=0.5).among(records(10))
    assert len(list(mixed)) == 13
    assert mixed.controls == 3
    assert 6 <= mixed.missing <= 7


@given(st.integers(0, 60), st.integers(0, 60), st.floats(0.01, 0.5), st.integers(0, 2**63 - 1))
def test_a_file_that_grows_only_adds_controls(first: int, more: int, share: float, seed: int) -> None:
    ours = controls(40, share, seed)
    before = [record.key for record in ours.among(records(first))]
    after = [record.key for record in ours.among(records(first + more))]
    assert after[: len(before)] == before
    assert [key for key in after if key.startswith("r")] == [f"r{n}" for n in range(first + more)]


def test_their_places_are_drawn_by_lot() -> None:
    places = set()
    for seed in range(30):
        pushed = [record.key for record in controls(9, 0.2, seed).among(records(16))]
        places.add(tuple(number for number, key in enumerate(pushed) if key.startswith("c")))
    assert len(places) > 20


def test_records_are_not_held_in_memory() -> None:
    taken = []

    def stream() -> Any:
        for record in records(1000):
            taken.append(record.key)
            yield record

    mixed = iter(controls(100).among(stream()))
    for _ in range(10):
        next(mixed)
    assert len(taken) <= 10


def test_without_controls_records_are_as_they_were() -> None:
    assert list(Controls().among(records(3))) == records(3)


@pytest.mark.parametrize(
    "record",
    [Record("c1", {"prompt": "something else"}), Record("mine", {"prompt": "c 1?"}), Record("c1@9f86d081", {})],
    ids=["its key", "its text", "the key of another text of it"],
)
def test_what_has_the_key_or_the_text_of_a_control_is_no_record(record: Record) -> None:
    with pytest.raises(ValueRejected, match="it is a control item"):
        controls(3).refuse(record)


def test_other_records_are_let_through() -> None:
    for key in ("r1", "c", "c9", "c1@9f86d0812", "x@9f86d081"):
        controls(3).refuse(Record(key, {"prompt": key}))


# -- the answers

CASES: list[tuple[str, str, Any, list[Any], list[Any]]] = [
    ("rating", "rating", 4, [4], [3, 5]),
    ("rating", "rating", {"min": 4}, [4, 5], [1, 3]),
    ("rating", "rating", {"min": 2, "max": 3}, [2, 3], [1, 4]),
    ("label", "label", "correct", ["correct"], ["incorrect", "nonsense", 3]),
    ("label", "label", ["correct", "harmful"], ["correct", "harmful"], ["incorrect"]),
    ("review", "improved_response", "It is 4.", ["It is  4.\n"], ["It is 5."]),
    ("review", "improved_response", ["Four.", "It is 4."], ["Four."], ["4"]),
    (
        "ranking",
        "ranking",
        {"response_1": 1, "response_3": 2},
        [{"response_1": 2, "response_2": 1, "response_3": 4}],
        [{"response_1": 1, "response_3": 1}, {"response_1": 1}, {"response_3": 1, "response_1": 2}],
    ),
    (
        "span_errors",
        "errors",
        [{"start": 0, "end": 2, "label": "unsupported"}],
        [[{"start": 0, "end": 2, "label": "unsupported"}]],
        [[], [{"start": 0, "end": 3, "label": "unsupported"}]],
    ),
    (
        "span_errors",
        "errors",
        {"min": 1},
        [[{"start": 0, "end": 3, "label": "unsupported"}]],
        [[]],
    ),
]


def item(template: TaskTemplate, tmp_path: Path, question: str, expected: Any) -> Controls:
    fields = dict.fromkeys(template.field_names(3), "2 + 2 is 4")
    row = {"id": "c1", **fields, "expected": {question: expected}}
    return read(written(tmp_path, [row]), template.name, id_column="id")


@pytest.mark.parametrize(("name", "question", "expected", "right", "wrong"), CASES)
def test_an_answer_is_judged_as_its_kind_is(
    tmp_path: Path, name: str, question: str, expected: Any, right: list[Any], wrong: list[Any]
) -> None:
    template = load_template(name)
    ours = item(template, tmp_path, question, expected)
    for values, verdict in ((right, True), (wrong, False)):
        for value in values:
            answer = Annotation("c1", "ann", answers={question: value})
            assert [(j.annotator, j.question, j.right) for j in judged(ours, [answer], template)] == [
                ("ann", question, verdict)
            ], value


def test_labels_that_are_ticked_must_be_just_these(tmp_path: Path) -> None:
    template = load_template("multi_label")
    (question,) = template.questions
    first, second, *_ = question.values  # type: ignore[union-attr]
    ours = item(template, tmp_path, question.name, [second, first])
    given_ = {"both": [first, second], "one": [first], "none": []}
    answers = [Annotation("c1", who, answers={question.name: value}) for who, value in given_.items()]
    assert {j.annotator: j.right for j in judged(ours, answers, template)} == {
        "both": True,
        "one": False,
        "none": False,
    }


@pytest.mark.parametrize(
    "answer",
    [
        Annotation("c1", "ann", "discarded"),
        Annotation("c1", "ann", "draft", {"rating": 4}),
        Annotation("c1", "ann", answers={"rating": 4}, deleted=True),
        Annotation("c1", "ann", answers={"rating": 4}, source={"content": "another text"}),
        Annotation("c1", " ", answers={"rating": 4}),
        Annotation("c1", "ann", answers={}),
        Annotation("r1", "ann", answers={"rating": 4}),
    ],
    ids=["skipped", "a draft", "withdrawn", "to another text", "of nobody", "not answered", "no control"],
)
def test_what_is_no_answer_to_a_control_is_not_judged(tmp_path: Path, answer: Annotation) -> None:
    template = load_template("rating")
    assert judged(item(template, tmp_path, "rating", 4), [answer], template) == []


# -- weights


def of(who: str, right: int, wrong: int, chance: float = 0.5) -> list[Judged]:
    return [Judged(who, "label", number < right, f"c{number}", chance) for number in range(right + wrong)]


def test_who_is_right_more_often_weighs_more() -> None:
    answers = [*of("ann", 10, 0), *of("bo", 8, 2), *of("cy", 5, 5)]
    assert weights(answers, ["ann", "bo", "cy"]) == {"ann": 0.833333, "bo": 0.5, "cy": 0.01}


def test_few_answers_make_nobody_perfect_or_worthless() -> None:
    found = weights([*of("ann", 1, 0, 0.2), *of("bo", 0, 1, 0.2)], [])
    assert found == {"ann": 0.583333, "bo": 0.166667}


def test_what_is_easily_guessed_says_less() -> None:
    found = weights([*of("ann", 9, 1, 0.5), *of("bo", 9, 1, 0.1)], [])
    assert found["ann"] < found["bo"]


def test_who_has_answered_no_control_weighs_as_the_others_on_average() -> None:
    assert weights([*of("ann", 10, 0), *of("bo", 5, 5)], ["new"])["new"] == pytest.approx(0.421667, abs=1e-5)


def test_without_any_answer_to_a_control_nobody_has_a_weight_of_their_own() -> None:
    assert weights([], ["ann", "bo"]) == {}


@given(st.dictionaries(st.sampled_from("abc"), st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1))
def test_a_weight_is_a_share_above_nothing(people: dict[str, tuple[int, int]]) -> None:
    answers = [answer for who, (right, wrong) in people.items() for answer in of(who, right, wrong, 0.25)]
    found = weights(answers, people)
    assert all(0.01 <= weight < 1 for weight in found.values())
    assert found == weights(answers[::-1], sorted(people, reverse=True))
