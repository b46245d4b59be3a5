"""Earlier answers as adjudicators read them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bridge.adjudication.earlier import earlier_answers
from bridge.adjudication.folder import begin
from bridge.config import parse_config
from bridge.records import Record
from bridge.templates import load_template, template_names

RECORD = Record("r1", {"prompt": "2 + 2?", "response": "It is four 😀."})
TWO = Record("r1", {"prompt": "p", "response_1": "a", "response_2": "b", "response_3": "c"})


def said(template: str, record: Record, **answers: Any) -> str:
    """What one person's answers look like, without the heading."""
    given = {name: {"ann": value} for name, value in answers.items()}
    return earlier_answers(record, given, load_template(template)).split("\n", 1)[1].removeprefix("Person 1:")


@pytest.mark.parametrize(
    ("template", "record", "answers", "text"),
    [
        ("rating", RECORD, {"rating": 3}, " 3"),
        ("review", RECORD, {"rating": 5}, " 5 (excellent)"),
        ("label", RECORD, {"label": "partially_correct"}, " Partially correct"),
        ("review", RECORD, {"improved_response": " 4\n\n  or so"}, "\n 4\n\n  or so"),
        (
            "ranking",
            TWO,
            {"ranking": {"response_1": 2, "response_2": 1, "response_3": 2}},
            " Response 2, then Response 1 = Response 3",
        ),
        (
            "span_errors",
            RECORD,
            {"errors": [{"start": 6, "end": 12, "label": "factual_error"}]},
            " “four 😀” (Says something false)",
        ),
        ("span_errors", RECORD, {"errors": []}, " nothing is marked"),
    ],
)
def test_each_kind_is_said_as_people_see_it(template: str, record: Record, answers: dict[str, Any], text: str) -> None:
    assert said(template, record, **answers) == text


def test_several_labels_and_none() -> None:
    template = load_template("multi_label")
    (question,) = (q for q in template.questions if q.type == "multi_label")
    first, second, *_ = question.options
    given = {question.name: {"ann": [first.value, second.value], "bo": []}}
    text = earlier_answers(RECORD, given, template)
    assert f": {first.title}, {second.title}" in text
    assert ": none of them" in text


def test_who_did_not_answer_a_question_is_not_in_it() -> None:
    given = {"rating": {"ann": 2, "bo": 4}, "label": {"bo": "correct"}}
    rating, label = earlier_answers(RECORD, given, load_template("review")).split("\n\n")
    assert (rating.count("Person"), label.count("Person")) == (2, 1)


@given(st.sets(st.text("abcdef0123456789", min_size=3, max_size=12), min_size=1, max_size=6), st.text(min_size=1))
def test_within_a_record_everybody_has_one_number_whatever_the_order(people: set[str], key: str) -> None:
    template = load_template("review")
    record = Record(key, RECORD.fields)
    grades = dict(zip(sorted(people), [1, 2, 3, 4, 5, 1], strict=False))
    texts = {who: f"<{grade} by {who}>" for who, grade in grades.items()}
    text = earlier_answers(record, {"rating": grades, "improved_response": texts}, template)
    other = earlier_answers(
        record, {"improved_response": dict(reversed(texts.items())), "rating": dict(reversed(grades.items()))}, template
    )
    assert other == text
    numbers = {int(n): int(grade) for n, grade in re.findall(r"^Person (\d): (\d)", text, re.MULTILINE)}
    written = {int(n): int(grade) for n, grade in re.findall(r"^Person (\d):\n<(\d)", text, re.MULTILINE)}
    assert numbers == written
    assert sorted(numbers) == list(range(1, len(people) + 1))


# -- the folder that it all goes into


@pytest.mark.parametrize("name", template_names())
def test_a_template_goes_through_the_folder_and_back(name: str, tmp_path: Path) -> None:
    config = parse_config("{project: P, server: {kind: memory}, records: r.jsonl, template: t}", "campaign.yaml")
    template = load_template(name)
    begin(tmp_path / "adjudication", config, template, [], "P - adjudication", 1)
    written = tmp_path / "adjudication" / "template.yaml"
    assert load_template(written).model_dump() == template.model_dump()
    assert load_template(written).fingerprint == template.fingerprint
    assert yaml.safe_load((tmp_path / "adjudication" / "campaign.yaml").read_text())["merge"] == {"quorum": 1}
