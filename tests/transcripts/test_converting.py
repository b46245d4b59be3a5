"""Transcripts become rows that a push reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bridge.errors import InputError, UsageError
from bridge.reading import read_records
from bridge.templates import load_template
from bridge.transcripts.converting import Conversion, Converted, Wanted
from bridge.transcripts.edits import Edit, undone
from bridge.transcripts.preparing import AS_WRITTEN
from tests.transcripts.making import DATA, read


def rows_of(folder: Path, *paths: Path, **wanted: Any) -> tuple[list[dict[str, Any]], Converted]:
    out = folder / "rows.jsonl"
    done = Conversion(Wanted(**wanted)).to_files(paths, out, folder / "unread.jsonl", folder / "asked.jsonl")
    return lines(out), done


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_row_holds_whole_turns_and_says_where_they_come_from(tmp_path: Path) -> None:
    (row,), done = rows_of(tmp_path, DATA / "zoom.vtt")
    assert row["transcript"][:2] == [
        {"speaker": "Ann Lee", "text": "Good morning. Shall we look at the release?"},
        {"speaker": "Bo Chan", "text": "Yes. I like the plan, but the tests for the import are not done."},
    ]
    assert (row["source"], row["form"], row["lines"]) == ("zoom.vtt", "webvtt", [4, 25])
    assert (row["start"], row["end"]) == (0.5, 27.0)
    assert row["speakers"] == ["Ann Lee", "Bo Chan", "Cem Öz"]
    assert row["turns"][0] == {"lines": [4, 5], "start": 0.5, "end": 4.2, "edits": [[14, "Um, s", "S"]]}
    assert done.files[0]["marks"] == done.files[0]["read"] == 6


def test_every_text_can_be_made_as_it_was(tmp_path: Path) -> None:
    (row,), _ = rows_of(tmp_path, DATA / "otter.txt")
    raw = [turn.text for turn in read(DATA / "otter.txt")[0]]
    edits = [[Edit.from_list(edit) for edit in origin.get("edits", [])] for origin in row["turns"]]
    assert [undone(turn["text"], made) for turn, made in zip(row["transcript"], edits, strict=True)] == raw


def test_a_small_budget_makes_several_rows_of_one_root(tmp_path: Path) -> None:
    rows, _ = rows_of(tmp_path, DATA / "zoom.vtt", budget=40, overlap=1)
    assert [row["part"] for row in rows] == [*range(1, len(rows) + 1)]
    assert len(rows) > 2
    assert len({row["root_id"] for row in rows}) == 1
    assert [row["turns"][-1]["lines"] for row in rows[:-1]] == [row["turns"][0]["lines"] for row in rows[1:]]


def test_as_written_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_text("ANN: Um, yes.\nann: So.\n")
    (row,), _ = rows_of(tmp_path, path, treatment=AS_WRITTEN)
    assert row["transcript"] == [{"speaker": "ANN", "text": "Um, yes."}, {"speaker": "ann", "text": "So."}]


def test_a_turn_of_fillers_is_left_out_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_text("Ann: Shall we?\nBo: Um...\nAnn: Yes.\nBo: Okay.\n")
    (row,), done = rows_of(tmp_path, path)
    assert [turn["text"] for turn in row["transcript"]] == ["Shall we?", "Yes.", "Okay."]
    assert done.files[0]["emptied"] == 1


def test_a_row_for_each_turn(tmp_path: Path) -> None:
    rows, _ = rows_of(tmp_path, DATA / "whisper.json", by_turn=True)
    assert (len(rows), rows[4]["text"], rows[4]["lines"], rows[4]["no_speech_prob"]) == (6, "Okay.", [5, 5], 0.01)


class TestPseudonyms:
    def test_no_name_is_in_the_rows(self, tmp_path: Path) -> None:
        path = tmp_path / "Ann Lee and Bo.txt"
        path.write_text("Ann Lee: Bo, um, can you ask Cem?\nBo Chan: Yes, Ann.\nCem Öz: Of course.\n", encoding="utf-8")
        rows, _ = rows_of(tmp_path, path, pseudonyms=tmp_path / "people.json")
        made = json.loads((tmp_path / "people.json").read_text(encoding="utf-8"))["names"]
        names = {name: pseudonym for pseudonym, name in made.items()}
        assert [turn["text"] for turn in rows[0]["transcript"]] == [
            f"{names['Bo Chan']}, can you ask {names['Cem Öz']}?",
            f"Yes, {names['Ann Lee']}.",
            "Of course.",
        ]
        written = (tmp_path / "rows.jsonl").read_text(encoding="utf-8")
        assert not [name for name in ("Ann", "Lee", "Bo", "Chan", "Cem", "Öz") if name in written]

    def test_are_the_same_in_the_next_run(self, tmp_path: Path) -> None:
        wanted = {"pseudonyms": tmp_path / "people.json"}
        first, _ = rows_of(tmp_path, DATA / "zoom.vtt", **wanted)
        second, _ = rows_of(tmp_path, DATA / "teams.vtt", **wanted)
        assert first[0]["speakers"] == second[0]["speakers"]


class TestChats:
    def test_one_speaker_is_the_assistant(self, tmp_path: Path) -> None:
        rows, _ = rows_of(tmp_path, DATA / "zoom.vtt", assistant="bo chan")
        assert [message["role"] for message in rows[0]["messages"]] == ["user", "assistant", "user", "assistant"]
        (record,) = read_records(tmp_path / "rows.jsonl", load_template("chat_review"))
        assert record.fields["messages"][-1]["content"].startswith("Two days")  # type: ignore[index]

    def test_nobody_of_that_name(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match=r"says nothing behind anybody else(?s:.*)are Ann Lee, Bo Chan, Cem Öz$"):
            rows_of(tmp_path, DATA / "zoom.vtt", assistant="Dan")
        assert not (tmp_path / "rows.jsonl").exists()


class TestSeveralFiles:
    def test_one_that_is_no_transcript_leaves_no_rows_and_the_others_are_read(self, tmp_path: Path) -> None:
        bad = tmp_path / "mixed.vtt"
        bad.write_text("WEBVTT\n\n00:05.000 --> 00:06.000\nHi\n\n[00:07] Ann: Yo\n")
        rows, done = rows_of(tmp_path, bad, DATA / "zoom.vtt")
        assert [row["source"] for row in rows] == ["zoom.vtt"]
        assert "two forms in one file" in done.failed[0]["reason"]
        assert done.partial

    def test_none_that_is_a_transcript(self, tmp_path: Path) -> None:
        for name in ("a.txt", "b.txt"):
            (tmp_path / name).write_text("")
        with pytest.raises(InputError, match="none of 2 files is a transcript"):
            rows_of(tmp_path, tmp_path / "a.txt", tmp_path / "b.txt")

    def test_what_cannot_be_read_is_listed_with_file_line_and_reason(self, tmp_path: Path) -> None:
        path = tmp_path / "t.txt"
        path.write_text("[00:01] Ann: Hello.\n[00:7x] Bo: Lost.\n")
        _, done = rows_of(tmp_path, path)
        (line,) = lines(tmp_path / "unread.jsonl")
        assert (line["file"], line["line"]) == (str(path), 2)
        assert done.partial


def test_questions_that_people_have_answered_are_rows_for_review(tmp_path: Path) -> None:
    rows_of(tmp_path, DATA / "qmsum.json")
    records = list(read_records(tmp_path / "asked.jsonl", load_template("follow_up_qa")))
    assert [(record.fields["question"], len(record.fields["transcript"])) for record in records] == [
        ("Summarise the meeting.", 6),
        ("When will the tests be done?", 2),
    ]


def test_the_same_file_under_another_name_has_the_same_root(tmp_path: Path) -> None:
    copy = tmp_path / "copy.vtt"
    copy.write_bytes((DATA / "zoom.vtt").read_bytes())
    rows, _ = rows_of(tmp_path, copy, DATA / "zoom.vtt")
    assert rows[0]["root_id"] == rows[1]["root_id"]
