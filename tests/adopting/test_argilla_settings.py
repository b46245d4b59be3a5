"""What of an Argilla dataset becomes a template, without any server: odd settings and odd records."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.adopting.argilla_settings import Settings, found_in, read_settings
from bridge.adopting.drafting import draft, fit_to_records


def settings(*questions: dict[str, Any], fields: tuple[tuple[str, str], ...] = (("text", "text"),)) -> Settings:
    shown = [{"name": name, "title": name, "required": True, "settings": {"type": kind}} for name, kind in fields]
    asked = [
        {"id": f"id-{number}", "name": f"q{number}", "title": f"Q{number}", "required": False, "settings": question}
        for number, question in enumerate(questions)
    ]
    return read_settings({"name": "d"}, shown, asked)


def options(*values: Any) -> list[dict[str, Any]]:
    return [{"value": value, "text": str(value)} for value in values]


@pytest.mark.parametrize(
    ("question", "why"),
    [
        ({"type": "label_selection", "options": options(*range(300))}, "250 labels"),
        ({"type": "span", "field": "chat", "options": options("a")}, "no text here"),
        ({"type": "span", "field": "gone", "options": options("a")}, "no text here"),
        ({"type": "ranking", "options": options("text", "Text")}, "one field"),
        ({"type": "ranking", "options": options("text", "else")}, "no field of the dataset"),
        ({"type": "hologram", "options": []}, "hologram"),
    ],
)
def test_what_no_template_can_ask_is_named(question: dict[str, Any], why: str) -> None:
    read = settings(question, fields=(("text", "text"), ("chat", "chat")))
    (case,) = read.shape.left
    assert (case.kind, case.name) == ("question", "q0")
    assert why in case.reason
    assert read.questions == {}


def test_titles_of_any_kind_make_a_template() -> None:
    body = {"id": "x", "name": "q", "title": "x" * 500, "description": "a\x00\r\nb", "required": True}
    question = {**body, "settings": {"type": "text"}}
    field = {"name": "поле", "title": " \n ", "required": True, "settings": {"type": "text"}}
    read = read_settings({"name": "d", "guidelines": "g" * 10_000}, [field], [question])
    fit_to_records(read.shape, [])
    template = draft(read.shape, "adopted", [])
    assert template.fields[0].title == "поле"
    assert template.questions[0].description == "a\nb"


def test_values_that_fit_no_question_are_kept_for_the_merge_to_name() -> None:
    read = settings({"type": "rating", "options": [{"value": 1}, {"value": 2}]}, {"type": "text"})
    response = {"id": "r", "user_id": "u", "status": "submitted", "inserted_at": None, "updated_at": None}
    values = {"q0": {"value": [1]}, "q1": None, "old": {"value": "x"}}
    record = {"id": "1", "fields": {"text": "a"}, "responses": [{**response, "values": values}]}
    found = found_in(record, read, "d", str)
    assert found.annotations[0].answers == {"q0": [1]}
    assert [(case.kind, case.name) for case in found.left] == [("answer", "old")]


def test_metadata_that_no_record_can_hold_is_left_out() -> None:
    read = settings({"type": "text"})
    deep: Any = 1
    for _ in range(20):
        deep = [deep]
    record = {
        "id": "1",
        "fields": {"text": "a"},
        "metadata": {"fine": 1, "deep": deep, "large": 2**70, "half": "\ud83d"},
    }
    found = found_in(record, read, "d", str)
    assert found.metadata == {"fine": 1}
    assert {case.name for case in found.left} == {"deep", "large", "half"}
