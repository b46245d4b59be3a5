"""JSON with one transcript or several, in the spellings of programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bridge.errors import InputError
from bridge.transcripts.converting import Conversion, Wanted
from bridge.transcripts.reading import read_transcripts
from tests.transcripts.making import DATA, read


def meeting(*said: str) -> dict[str, Any]:
    asked = {"query": "Who?", "answer": "Ann.", "relevant_text_span": [["0", "0"]]}
    return {
        "meeting_transcripts": [{"speaker": "Ann", "content": text} for text in said],
        "specific_query_list": [asked],
    }


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


class TestSeveralMeetings:
    @pytest.fixture(params=["lines", "list", "marked"])
    def path(self, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
        path = tmp_path / "meetings.jsonl"
        meetings = [meeting("One.", "Two."), meeting("Three.")]
        text = json.dumps(meetings) if request.param == "list" else "\n".join(map(json.dumps, meetings))
        path.write_text(text, encoding="utf-8-sig" if request.param == "marked" else "utf-8")
        return path

    def test_each_makes_rows_with_a_root_of_its_own(self, tmp_path: Path, path: Path) -> None:
        out, asked = tmp_path / "rows.jsonl", tmp_path / "asked.jsonl"
        done = Conversion(Wanted()).to_files([path], out, references=asked)
        assert [row["transcript"][0]["text"] for row in lines(out)] == ["One. Two.", "Three."]
        assert [row["source"] for row in lines(out)] == ["meetings.jsonl:1", "meetings.jsonl:2"]
        assert len({row["root_id"] for row in lines(out)}) == 2
        assert [row["question"] for row in lines(asked)] == ["Who?", "Who?"]
        assert [one["file"] for one in done.files] == [f"{path}:1", f"{path}:2"]

    def test_one_of_them_cannot_be_read_as_one_transcript(self, path: Path) -> None:
        with pytest.raises(InputError, match="several transcripts"):
            read(path)


@pytest.mark.parametrize("more", [0, 1])
def test_a_line_that_is_no_transcript_is_named_and_the_others_are_read(tmp_path: Path, more: int) -> None:
    path = tmp_path / "meetings.jsonl"
    texts = ["{broken", json.dumps(meeting("One.")), '{"x": 1}', json.dumps(meeting()), json.dumps(meeting("Two."))]
    path.write_text("\n".join(texts))
    done = Conversion(Wanted()).to_files([path, *[DATA / "zoom.vtt"] * more], tmp_path / "rows.jsonl")
    assert [row["source"] for row in lines(tmp_path / "rows.jsonl")][:2] == ["meetings.jsonl:2", "meetings.jsonl:5"]
    assert [one["file"] for one in done.failed] == [f"{path}:{at}" for at in (1, 3, 4)]
    assert done.partial


def test_no_line_is_a_transcript(tmp_path: Path) -> None:
    path = tmp_path / "meetings.jsonl"
    path.write_text('{"x": 1}\n{"x": 2}\n')
    with pytest.raises(InputError, match="neither Whisper's"):
        Conversion(Wanted()).to_files([path], tmp_path / "rows.jsonl")
    assert not (tmp_path / "rows.jsonl").exists()


@pytest.mark.parametrize(
    "whole",
    [
        {"segments": [{"start": 1, "end": 2.5, "text": " Hi.", "speaker": 0, "words": [{"word": "Hi."}]}]},
        {"transcription": [{"offsets": {"from": 1000, "to": 2500}, "text": " Hi.", "speaker": "0"}], "params": {}},
        {
            "transcription": [
                {"timestamps": {"from": "00:00:01,000", "to": "00:00:02,500"}, "text": " Hi.", "speaker": "SPEAKER_00"}
            ]
        },
        {"chunks": [{"timestamp": [1.0, 2.5], "text": " Hi.", "speaker": "Speaker 0"}], "text": "Hi.", "speakers": []},
        {"speakers": [{"timestamp": [1.0, 2.5], "text": " Hi.", "speaker": "SPEAKER_00"}], "chunks": [], "text": ""},
    ],
)
def test_segments_of_several_programs(tmp_path: Path, whole: dict[str, Any]) -> None:
    path = tmp_path / "w.json"
    path.write_text(json.dumps(whole))
    (turn,), unread, transcript = read(path)
    assert (turn.speaker.replace("SPEAKER_0", "Speaker "), turn.text, turn.start, turn.end) == (
        "Speaker 0",
        "Hi.",
        1.0,
        2.5,
    )
    assert (transcript.form, unread) == ("whisper", [])


def test_segments_a_line_each_are_one_transcript(tmp_path: Path) -> None:
    path = tmp_path / "w.jsonl"
    path.write_text('{"speaker": "A", "text": "Hi"}\n{broken\n{"speaker": "B", "text": "Yo"}\n')
    turns, unread, _ = read(path)
    assert [(turn.speaker, turn.text) for turn in turns] == [("A", "Hi"), ("B", "Yo")]
    assert [one.line for one in unread] == [2]


def test_one_line_may_be_longer_than_those_of_texts(tmp_path: Path) -> None:
    path = tmp_path / "w.json"
    path.write_text(json.dumps({"segments": [{"text": "word " * 40}] * 6_000}))
    assert len(next(read_transcripts(path)).source.path.read_text()) > 1_000_000
    assert len(read(path)[0]) == 6_000
