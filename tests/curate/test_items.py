"""Lines of any shape as records, and back: what a step does not touch stays as it is."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.curate.items import Items, prompt_and_response, read_row, texts
from bridge.errors import InputError, UsageError, ValueRejected
from bridge.records import FieldValue, Record, Suggestion, record_key

CHAT = [{"role": "user", "content": "2 + 2?"}, {"role": "assistant", "content": "4"}]

LINES: dict[str, dict[str, Any]] = {
    "record": {
        "key": "r1",
        "fields": {"prompt": "2 + 2?", "response": "4"},
        "suggestions": [{"question": "rating", "value": 4, "score": 0.5, "agent": "judge", "kind": "model"}],
        "metadata": {"topic": "sums"},
    },
    "conversation": {"messages": CHAT, "metadata": {"source": "web"}, "weight": 0.5},
    "prompt and completion": {"prompt": "2 + 2?", "completion": "4"},
    "messages on both sides": {"prompt": CHAT[:1], "completion": CHAT[1:]},
    "preference": {"prompt": CHAT[:1], "chosen": CHAT[1:], "rejected": [{"role": "assistant", "content": "5"}]},
    "preference in full": {"chosen": CHAT, "rejected": [CHAT[0], {"role": "assistant", "content": "5"}]},
    "plain": {"instruction": "2 + 2?", "input": "", "output": "4", "topic": "sums", "score": 4.0},
    "tool call": {
        "messages": [
            CHAT[0],
            {"role": "assistant", "content": None, "tool_calls": [{"name": "add"}]},
            {"role": "tool", "content": "4", "name": "add"},
        ]
    },
    "parts": {"messages": [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What is it?"}]}]},
}


@pytest.mark.parametrize("name", LINES)
def test_a_line_that_no_step_changed_goes_back_as_it_was(name: str) -> None:
    line = LINES[name]
    item = read_row(1, line)
    assert item.line() == line
    assert list(item.line()) == list(line)


def marked(value: FieldValue) -> FieldValue:
    if isinstance(value, str):
        return f"<{value}>"
    return [{**message, "content": f"<{message['content']}>"} for message in value]


@pytest.mark.parametrize(("name", "count"), [*zip(LINES, [2, 2, 2, 2, 3, 4, 3, 2, 1], strict=True)])
def test_changed_texts_stand_where_they_stood_and_nothing_else_changes(name: str, count: int) -> None:
    line = LINES[name]
    item = read_row(1, line)
    record = replace(item.record, fields={name: marked(value) for name, value in item.record.fields.items()})
    before, after = json.dumps(line), json.dumps(item.line(record))
    assert after.count("<") == count
    assert after.replace("<", "").replace(">", "") == before
    assert json.dumps(line) == before


@given(
    st.dictionaries(st.sampled_from(["topic", "licence", "n"]), st.none() | st.integers() | st.text(max_size=5)),
    st.text(max_size=20),
    st.text(max_size=20),
)
def test_changing_a_text_and_back_gives_the_line_that_was_read(extra: dict[str, Any], old: str, new: str) -> None:
    item = read_row(1, {"instruction": old, **extra, "output": "4"})
    changed = item.line(replace(item.record, fields={**item.record.fields, "instruction": new}))
    there = read_row(1, changed)
    assert there.line(replace(there.record, fields=item.record.fields)) == item.row


class TestSides:
    @pytest.mark.parametrize(
        ("name", "prompt", "response"),
        [
            ("record", "2 + 2?", "4"),
            ("conversation", "2 + 2?", "4"),
            ("messages on both sides", "2 + 2?", "4"),
            ("preference", "2 + 2?", "4\n\n5"),
            ("preference in full", "2 + 2?", "4\n\n5"),
            ("plain", "2 + 2?", "4"),
        ],
    )
    def test_every_shape_has_a_prompt_and_a_response(self, name: str, prompt: str, response: str) -> None:
        assert prompt_and_response(read_row(1, LINES[name]).record) == (prompt, response)

    def test_a_conversation_without_an_answer_is_all_prompt(self) -> None:
        assert prompt_and_response(Record("r", {"messages": CHAT[:1]})) == ("2 + 2?", "")

    def test_who_speaks_in_a_transcript_is_part_of_it(self) -> None:
        talk: FieldValue = [{"role": "Ann", "content": "Shall we?"}, {"role": "Bo", "content": "Yes."}]
        record = Record("r", {"transcript": talk, "summary": "They shall."})
        assert prompt_and_response(record) == ("Ann: Shall we?\nBo: Yes.", "They shall.")

    def test_a_side_that_does_not_exist_is_refused(self) -> None:
        with pytest.raises(UsageError, match="prompt, response or both"):
            texts(Record("r", {"prompt": "?"}), "answer")


class TestMetadata:
    def test_a_record_keeps_its_own_and_gets_more(self) -> None:
        item = read_row(1, LINES["record"])
        record = replace(item.record, metadata={**item.record.metadata, "history": [1]})
        assert item.line(record)["metadata"] == {"topic": "sums", "history": [1]}

    def test_a_training_row_gets_more_in_its_one_column(self) -> None:
        item = read_row(1, LINES["prompt and completion"])
        line = item.line(replace(item.record, metadata={"history": [1]}))
        assert line == {**LINES["prompt and completion"], "metadata": {"history": [1]}}

    def test_what_is_read_again_has_what_was_written(self) -> None:
        item = read_row(1, LINES["conversation"])
        written = item.line(replace(item.record, metadata={**item.record.metadata, "history": [1]}))
        again = read_row(1, written).record
        assert again.metadata == {"source": "web", "weight": 0.5, "history": [1]}

    def test_a_column_that_a_step_masked_changes_in_its_place(self) -> None:
        item = read_row(1, {"prompt": "?", "completion": "!", "contact": "a@b.example"})
        assert item.line(replace(item.record, metadata={"contact": "<EMAIL_1>"})) == {
            "prompt": "?",
            "completion": "!",
            "contact": "<EMAIL_1>",
        }

    def test_what_a_step_took_away_is_gone(self) -> None:
        item = read_row(1, LINES["record"])
        assert item.line(replace(item.record, metadata={}))["metadata"] == {}

    def test_changed_suggestions_are_written(self) -> None:
        item = read_row(1, LINES["record"])
        line = item.line(replace(item.record, suggestions=[Suggestion("rating", 5, agent="judge")]))
        assert line["suggestions"][0]["value"] == 5

    def test_who_speaks_can_be_masked_too(self) -> None:
        item = read_row(1, {"fields": {"transcript": [{"role": "Ann", "content": "Hi", "at": 3}]}})
        masked: FieldValue = [{"role": "<NAME_1>", "content": "Hi"}]
        assert item.line(replace(item.record, fields={"transcript": masked})) == {
            "fields": {"transcript": [{"role": "<NAME_1>", "content": "Hi", "at": 3}]}
        }


class TestKeys:
    def test_a_record_has_its_own(self) -> None:
        assert read_row(1, LINES["record"]).record.key == "r1"

    def test_a_row_without_one_has_the_hash_of_its_texts(self) -> None:
        assert read_row(1, LINES["prompt and completion"]).record.key == record_key(
            {"prompt": "2 + 2?", "completion": "4"}
        )

    def test_a_training_row_of_an_export_has_that_of_its_record(self) -> None:
        line = {"prompt": "?", "completion": "!", "metadata": {"record": "geo-1", "people": 2}}
        assert read_row(1, line).record.key == "geo-1"

    def test_a_column_can_be_the_key(self) -> None:
        assert read_row(1, {"prompt": "?", "id": 17}, id_column="id").record.key == "17"

    def test_a_row_that_lacks_that_column_has_none(self) -> None:
        with pytest.raises(ValueRejected, match="there is no key"):
            read_row(1, {"prompt": "?"}, id_column="id")

    def test_repeated_ones_are_told_apart(self, tmp_path: Path) -> None:
        path = tmp_path / "rows.jsonl"
        path.write_text("".join(json.dumps({"id": n, "prompt": "?"}) + "\n" for n in ("a", "a#2", "a", "b", "a")))
        assert [item.record.key for item in Items(path, id_column="id")] == ["a", "a#2", "a#3", "b", "a#4"]


class TestBadInput:
    @pytest.mark.parametrize(
        ("line", "reason"),
        [
            ({}, "no text in it: its columns are none"),
            ({"topic": "sums"}, "no text in it: its columns are topic"),
            ({"fields": {}}, "no text in it: its fields are none"),
            ({"prompt": "?", "output": 4}, "output: a number where a text or a list of messages is expected"),
            ({"prompt": "?", "output": True}, "output: true or false where"),
            ({"messages": [{"text": "hi"}]}, "messages: a list of something else where"),
            ({"messages": {"role": "user"}}, "messages: an object where"),
            ({"prompt": None, "completion": None}, "no text in it"),
            ({"prompt": "\ud83d"}, "they have no key"),
        ],
    )
    def test_each_line_that_is_none_has_its_reason(self, line: dict[str, Any], reason: str) -> None:
        with pytest.raises(ValueRejected, match=reason):
            read_row(1, line)

    def test_other_lines_go_on(self, tmp_path: Path) -> None:
        path = tmp_path / "rows.jsonl"
        path.write_text('{"prompt": "a"}\n["no"]\n{"prompt": \n{"topic": "x"}\n{"prompt": "b"}\n')
        items = Items(path)
        assert [item.record.fields["prompt"] for item in items] == ["a", "b"]
        assert [reject.line for reject in items.rejects] == [2, 3, 4]
        assert [item.number for item in items] == [1, 5]
        assert len(items.rejects) == 3

    def test_an_empty_file_is_an_error(self, tmp_path: Path) -> None:
        path = tmp_path / "rows.jsonl"
        path.touch()
        with pytest.raises(InputError, match="no rows"):
            list(Items(path))

    def test_a_map_names_the_columns(self) -> None:
        item = read_row(1, {"frage": "2 + 2?", "antwort": "4"}, mapping={"prompt": "frage", "response": "antwort"})
        assert prompt_and_response(item.record) == ("2 + 2?", "4")
        assert item.line(replace(item.record, fields={"prompt": "3?", "response": "4"}))["frage"] == "3?"

    def test_a_side_that_the_map_does_not_name_is_found_by_its_usual_names(self) -> None:
        row = {"frage": "2 + 2?", "response": "4", "prompt": "not this one", "topic": "sums"}
        item = read_row(1, row, mapping={"prompt": "frage"})
        assert prompt_and_response(item.record) == ("2 + 2?", "4")
        assert item.record.metadata == {"prompt": "not this one", "topic": "sums"}

    def test_tables_come_as_json_has_their_values(self, tmp_path: Path) -> None:
        import datetime as dt

        import pyarrow as pa
        from pyarrow.parquet import write_table

        path = tmp_path / "rows.parquet"
        day, raw = dt.date(2026, 1, 2), pa.array([b"x"], pa.binary())
        write_table(pa.table({"prompt": ["?"], "day": [day], "raw": raw}), path)
        (item,) = Items(path)
        assert json.loads(json.dumps(item.line())) == {"prompt": "?", "day": "2026-01-02"}
