"""The user's own rows: read as a push reads them, and refused before anything is paid for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bridge.errors import InputError
from bridge.generating.given import Given, GivenRows
from bridge.generating.shape import Shape
from bridge.reading import read_records
from bridge.templates import load_template


def given(folder: Path, template: str, *rows: dict[str, Any], **options: Any) -> tuple[list[Given], list[str]]:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = GivenRows(path, Shape.of(load_template(template)), **options)
    return list(found), [reject.reason for reject in found.rejects]


@pytest.mark.parametrize(
    ("row", "options"),
    [
        ({"prompt": "Why?", "response": "So."}, {}),
        ({"q": "Why?", "response": "So.", "n": 3}, {"mapping": {"prompt": "q"}}),
        ({"prompt": "Why?", "response": "So.", "id": 7}, {"id_column": "id"}),
        ({"key": "mine", "fields": {"prompt": "Why?", "response": "So."}}, {}),
        ({"fields": {"prompt": "Why?", "response": "So."}, "metadata": {"id": "m1"}}, {"id_column": "id"}),
    ],
)
def test_a_row_has_the_key_that_a_push_gives_it(tmp_path: Path, row: dict[str, Any], options: dict[str, Any]) -> None:
    (found,), _ = given(tmp_path, "review", row, **options)
    (record,) = read_records(tmp_path / "rows.jsonl", load_template("review"), **options)
    assert (found.key, found.fields) == (record.key, record.fields)
    assert (found.prompt, found.answer) == ("Why?", "So.")


def test_the_key_does_not_depend_on_the_template_that_records_are_made_for(tmp_path: Path) -> None:
    row = {"prompt": "Why?", "response": "So."}
    (compared,), _ = given(tmp_path, "preference", row)
    (reviewed,), _ = given(tmp_path, "review", row)
    assert compared.key == reviewed.key


def test_all_else_is_metadata_and_may_name_the_root(tmp_path: Path) -> None:
    (found,), _ = given(tmp_path, "review", {"prompt": "Why?", "topic": "reasons", "root_id": "r0", "none": None})
    assert found.metadata == {"topic": "reasons", "root_id": "r0"}
    assert found.root == "r0"
    assert found.answer is None


def test_a_table_of_conversations(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    turns = json.dumps([{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}])
    path.write_text('topic,messages\nreasons,"{}"\n'.format(turns.replace('"', '""')))
    (found,) = GivenRows(path, Shape.of(load_template("chat_review")))
    assert (found.prompt, found.answer) == ([{"role": "user", "content": "Why?"}], "So.")


def test_a_text_can_be_a_conversation_of_one_turn(tmp_path: Path) -> None:
    (found,), _ = given(tmp_path, "chat_review", {"prompt": "Why?", "response": "So."})
    assert found.prompt == [{"role": "user", "content": "Why?"}]
    assert found.fields["messages"] == [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}]
    assert found.metadata == {}


GOOD = {"prompt": "Why?", "messages": [{"role": "user", "content": "Why?"}]}


@pytest.mark.parametrize(
    ("template", "row", "reason"),
    [
        ("review", {"response": "So."}, "prompt: missing"),
        ("review", {"prompt": "  "}, "prompt: the text is blank"),
        ("review", {"prompt": ["Why?"]}, "prompt: a list where a text is expected"),
        ("chat_review", {"messages": [{"role": "assistant", "content": "So."}]}, "no turn of the user"),
        ("chat_review", {"messages": [{"role": "system", "content": "Be kind."}]}, "no turn of the user"),
        ("chat_review", {"messages": [{"role": "Ann", "content": "Why?"}]}, "trainers do not know the role 'Ann'"),
    ],
)
def test_what_no_record_can_be_made_of_is_named(
    tmp_path: Path, template: str, row: dict[str, Any], reason: str
) -> None:
    found, reasons = given(tmp_path, template, row, GOOD)
    assert len(found) == 1
    assert reason in reasons[0]


def test_a_file_without_a_single_usable_row_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none of its 2 rows can be used; line 1: prompt: missing"):
        given(tmp_path, "review", {"q": "Why?"}, {"q": "How?"})
