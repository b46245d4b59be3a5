"""The forms of transcripts: one meeting in all of them, and what is peculiar to each."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from bridge.errors import InputError, UsageError
from bridge.transcripts.json_forms import Reference
from tests.transcripts.making import DATA, WORD, document, read, said

MEETING = [
    ("Ann Lee", "Good morning. Um, shall we look at the release?"),
    ("Bo Chan", "Yes. I like the plan, but the tests for the import are not done."),
    ("Ann Lee", "How long do they take?"),
    ("Bo Chan", "Two days, uh, so I can finish them by Thursday."),
    ("Cem Öz", "Okay."),
    ("Ann Lee", "Then we ship on Friday, and Cem writes the notes."),
]
FILES = {
    "teams.vtt": ("webvtt", "utf-8"),
    "zoom.vtt": ("webvtt", "utf-8"),
    "talk.srt": ("srt", "utf-8-sig"),
    "plain.txt": ("plain", "cp1252"),
    "otter.txt": ("otter", "utf-8"),
    "zoom.txt": ("zoom", "utf-16"),
    "meet.txt": ("meet", "utf-8"),
    "whisper.json": ("whisper", "utf-8"),
    "qmsum.json": ("qmsum", "utf-8"),
}


@pytest.mark.parametrize("name", FILES)
def test_one_meeting_in_every_form(name: str) -> None:
    turns, unread, transcript = read(DATA / name)
    assert [(turn.speaker, turn.text) for turn in turns] == MEETING
    assert unread == []
    assert (transcript.form, transcript.source.encoding) == FILES[name]
    assert transcript.tally.marks == transcript.tally.read == 6


def test_every_turn_names_its_lines_and_times() -> None:
    turns, _, _ = read(DATA / "zoom.vtt")
    assert [(turn.lines, turn.start, turn.end) for turn in turns][:2] == [((4, 5), 0.5, 4.2), ((8, 9), 4.6, 9.0)]


def test_lines_below_a_name_belong_to_its_turn() -> None:
    turns, _, _ = read(DATA / "otter.txt")
    assert [(turn.lines, turn.start) for turn in turns][:2] == [((4, 5), 0.0), ((7, 8), 4.0)]


def test_one_space_before_the_time_will_do_behind_an_empty_line(tmp_path: Path) -> None:
    text = "Ann Lee 0:01\nWe can meet at\nTen 10:30\n\nBo Chan 1:02:03\nYes.\n"
    assert said(tmp_path, text) == [("Ann Lee", "We can meet at\nTen 10:30"), ("Bo Chan", "Yes.")]


def test_zoom_counts_from_its_first_turn_also_past_midnight(tmp_path: Path) -> None:
    path = tmp_path / "closed_caption.txt"
    path.write_text("[Ann] 23:59:58\nHappy\n\n[Bo] 00:00:03\nnew year.\n")
    assert [turn.start for turn in read(path)[0]] == [0.0, 5.0]


class TestTeamsDocuments:
    def test_name_and_time_above_the_text(self, tmp_path: Path) -> None:
        path = document(
            tmp_path / "t.docx",
            ["Weekly-20230503-Meeting Transcript", "Ann Lee started transcription", "Ann Lee   0:03\nShall we?\nNow?",
             "Bo Chan   1:02:03\nYes."],
        )  # fmt: skip
        turns, _, transcript = read(path)
        assert [(turn.speaker, turn.text, turn.lines, turn.start) for turn in turns] == [
            ("Ann Lee", "Shall we?\nNow?", (3, 3), 3.0),
            ("Bo Chan", "Yes.", (4, 4), 3723.0),
        ]
        assert transcript.form == "teams"
        assert transcript.tally.heading == ["Weekly-20230503-Meeting Transcript"]

    def test_times_with_an_arrow_above_the_name(self, tmp_path: Path) -> None:
        path = document(
            tmp_path / "t.docx", ["0:0:5.100 --> 0:0:8.250", "Ann Lee", "Shall we?", "0:1:0.0 --> 0:1:2.0\nBo\nYes."]
        )
        turns, _, _ = read(path)
        assert [(turn.speaker, turn.text, turn.start, turn.end) for turn in turns] == [
            ("Ann Lee", "Shall we?", 5.1, 8.25),
            ("Bo", "Yes.", 60.0, 62.0),
        ]

    @pytest.mark.parametrize(
        "lines",
        [
            ["Weekly-20260615-Meeting Transcript", "15 June 2026, 03:35am", "27m 42s", "Ann Lee   0:03\nHello.",
             "Bo   0:09\nHi."],
            ["June 15, 2026, 3:35 AM", "Ann Lee   0:03", "Hello.", "Bo   0:09", "Hi."],
            ["Ann Lee 0:03", "Hello.", "Bo 0:09", "Hi."],
            ["00:00:00.000 --> 00:00:02.670", "Ann Lee", "Hello.", "00:00:03.000 --> 00:00:04.000", "Bo", "Hi."],
            ["Ann Lee", "0 minutes 3 seconds0:03", "Ann Lee 0 minutes 3 seconds", "Hello.", "B", "Bo",
             "0 minutes 9 seconds0:09", "Bo 0 minutes 9 seconds", "Hi."],
        ],
    )  # fmt: skip
    def test_headings_in_several_layouts(self, tmp_path: Path, lines: list[str]) -> None:
        turns, unread, transcript = read(document(tmp_path / "t.docx", lines))
        assert [(turn.speaker, turn.text) for turn in turns] == [("Ann Lee", "Hello."), ("Bo", "Hi.")]
        assert (transcript.form, unread) == ("teams", [])

    def test_other_texts_that_were_saved_as_documents(self, tmp_path: Path) -> None:
        texts = {
            "srt": [
                "1",
                "00:00:01,000 --> 00:00:02,000",
                "Ann: Hello.",
                "2",
                "00:00:03,000 --> 00:00:04,000",
                "Bo: Hi.",
            ],
            "plain": ["Audio file", "00:00:05 Ann", "Hello.", "00:00:09 Bo", "Hi."],
        }
        for form, lines in texts.items():
            turns, _, transcript = read(document(tmp_path / "t.docx", lines))
            assert [(turn.speaker, turn.text) for turn in turns] == [("Ann", "Hello."), ("Bo", "Hi.")]
            assert transcript.form == form


class TestMeet:
    def test_notes_with_times_before_the_transcript(self, tmp_path: Path) -> None:
        lines = ["Notes", "Ann proposed: x (00:01:02)", "Ship: yes", "📖 Transcript", "Weekly - Transcript", "00:00:00"]
        lines += ["Ann: Okay.", "Bo: Hi.", "00:05:00", "Ann: Bye.", "Transcription ended after 00:07:12"]
        turns, _, transcript = read(document(tmp_path / "t.docx", lines))
        assert [(turn.speaker, turn.text, turn.start) for turn in turns] == [
            ("Ann", "Okay.", 0.0),
            ("Bo", "Hi.", None),
            ("Ann", "Bye.", 300.0),
        ]
        assert transcript.form == "meet"

    def test_documents_are_read_like_texts(self, tmp_path: Path) -> None:
        lines = (DATA / "meet.txt").read_text(encoding="utf-8").splitlines()
        turns, _, transcript = read(document(tmp_path / "m.docx", lines))
        assert ([(turn.speaker, turn.text) for turn in turns], transcript.form) == (MEETING, "meet")

    def test_notes_before_the_transcript_are_no_turns(self, tmp_path: Path) -> None:
        text = "📝 Notes\nDecision: ship it\n📖 Transcript\nWeekly - Transcript\n00:06:20\n\nAnn: Hey.\n"
        text += "00:07:20\nBo: Hi.\n"
        assert said(tmp_path, text) == [("Ann", "Hey."), ("Bo", "Hi.")]

    def test_markdown_of_a_document(self, tmp_path: Path) -> None:
        text = "### 00:00:00\n\n**Ann Lee:** Hello.\n\n**Bo:** Hi: you.\n\n### Transcription ended after 00:49:58\n"
        assert said(tmp_path, text) == [("Ann Lee", "Hello."), ("Bo", "Hi: you.")]


class TestPlainText:
    def test_times_in_several_spellings(self, tmp_path: Path) -> None:
        text = "[00:01] Ann: One.\n(0:02) Bo: Two.\n1:00:03 Ann: Three.\n[00:04 - 00:05] Bo: Four.\n[0:06] Five.\n"
        assert said(tmp_path, text) == [
            ("Ann", "One."),
            ("Bo", "Two."),
            ("Ann", "Three."),
            ("Bo", "Four."),
            ("", "Five."),
        ]

    def test_names_alone(self, tmp_path: Path) -> None:
        assert said(tmp_path, "Ann: Shall we?\nBo (Host): Yes.\nAt 10:30, then.\n田中：はい。\n") == [
            ("Ann", "Shall we?"),
            ("Bo (Host)", "Yes.\nAt 10:30, then."),
            ("田中", "はい。"),
        ]

    def test_a_sentence_with_a_colon_is_no_name(self, tmp_path: Path) -> None:
        text = "Ann van der Berg: Well.\nI remember one thing: the weather.\nThe point is this: it rained.\nBo: So.\n"
        assert said(tmp_path, text) == [
            ("Ann van der Berg", "Well.\nI remember one thing: the weather.\nThe point is this: it rained."),
            ("Bo", "So."),
        ]

    def test_where_turns_have_times_a_colon_alone_makes_none(self, tmp_path: Path) -> None:
        text = "[00:01] Ann: We can choose.\nOption B: is cheaper.\n[00:05] Bo: Fine.\nAnn: Good.\n"
        assert said(tmp_path, text) == [
            ("Ann", "We can choose.\nOption B: is cheaper."),
            ("Bo", "Fine."),
            ("Ann", "Good."),
        ]

    def test_a_broken_time_is_listed_and_its_text_is_not_given_to_somebody_else(self, tmp_path: Path) -> None:
        path = tmp_path / "t.txt"
        path.write_text("[00:01] Ann: Hello.\n[00:7x] Bo: Lost.\nToo.\n[00:09] Ann: Bye.\n")
        turns, unread, _ = read(path)
        assert [turn.text for turn in turns] == ["Hello.", "Bye."]
        assert [(one.line, one.reason) for one in unread] == [
            (2, "a turn whose time cannot be read; its text is in lines 2 to 3")
        ]

    def test_a_long_beginning_without_turns_is_listed(self, tmp_path: Path) -> None:
        path = tmp_path / "t.txt"
        path.write_text("".join(f"line {number}\n" for number in range(22)) + "[00:01] Ann: Hello.\n[00:02] Bo: Hi.\n")
        _, unread, transcript = read(path)
        assert ([one.line for one in unread], len(transcript.tally.heading)) == ([21, 22], 20)


class TestJson:
    def test_what_whisper_says_of_its_doubts_is_kept(self) -> None:
        turns, _, _ = read(DATA / "whisper.json")
        assert turns[0].details == {"avg_logprob": -0.2, "no_speech_prob": 0.01}

    def test_segments_that_cannot_be_read_are_listed(self, tmp_path: Path) -> None:
        path = tmp_path / "w.json"
        segments = [{"text": "Hi", "start": "x"}, 5, {"text": "half \ud83d"}, {"text": " "}, {"text": "Yes.", "end": 2}]
        path.write_text(json.dumps({"segments": segments}))
        turns, unread, transcript = read(path)
        assert [turn.text for turn in turns] == ["Yes."]
        assert [one.line for one in unread] == [1, 2, 3]
        assert transcript.tally.empty == 1

    def test_segments_alone_will_do(self, tmp_path: Path) -> None:
        assert said(tmp_path, '[{"start": 0, "text": "Hi", "speaker": "SPEAKER_00"}]') == [("SPEAKER_00", "Hi")]

    def test_questions_that_people_have_answered_come_along(self) -> None:
        _, _, transcript = read(DATA / "qmsum.json")
        assert transcript.references == [
            Reference("Summarise the meeting.", "They ship on Friday once the tests are done."),
            Reference("When will the tests be done?", "By Thursday.", ((3, 4),)),
        ]

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ('{"segments": [', "not JSON"),
            ('{"segments": []} {"segments": []}', "a second JSON value"),
            ('{"segments": []}\n{"segments": []}', "several transcripts"),
            ('{"words": []}', "neither Whisper's"),
            ("[" * 100_000, "nested too deeply"),
        ],
    )
    def test_other_json_is_refused(self, tmp_path: Path, text: str, reason: str) -> None:
        path = tmp_path / "w.json"
        path.write_text(text)
        with pytest.raises(InputError, match=reason):
            read(path)


class TestDocuments:
    def test_nothing_is_fetched_and_no_entity_grows(self, tmp_path: Path) -> None:
        secret = tmp_path / "secret.txt"
        secret.write_text("do not read me")
        for doctype in (
            f'<!DOCTYPE d [<!ENTITY x SYSTEM "{secret.as_uri()}">]>',
            '<!DOCTYPE d [<!ENTITY x "aaaaaaaa">]>',
        ):
            path = document(tmp_path / "t.docx", ["Ann: &x;", "Bo: Hi"], head=doctype)
            with pytest.raises(InputError, match="document type"):
                read(path)

    def test_a_bomb_is_left_before_it_is_unpacked(self, tmp_path: Path) -> None:
        path = tmp_path / "bomb.docx"
        with (
            zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
            archive.open("word/document.xml", "w") as part,
        ):
            part.write(f'<w:document xmlns:w="{WORD}"><w:body>'.encode())
            for _ in range(33):
                part.write(b" " * 2**20)
            part.write(b"</w:body></w:document>")
        assert path.stat().st_size < 400_000
        with pytest.raises(InputError, match="when unpacked"):
            read(path)

    def test_what_is_no_document_is_named(self, tmp_path: Path) -> None:
        path = document(tmp_path / "t.docx", ["Ann: Hi"], part="xl/workbook.xml")
        with pytest.raises(InputError, match="no Word document"):
            read(path)
        path.write_bytes(b"PK\x03\x04" + b"x" * 100)
        with pytest.raises(InputError, match="damaged"):
            read(path)

    def test_text_for_older_programs_does_not_stand_twice(self, tmp_path: Path) -> None:
        path = tmp_path / "t.docx"
        namespace = "http://schemas.openxmlformats.org/markup-compatibility/2006"
        run = "<w:r><w:t>Ann: Hello.</w:t></w:r>"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(
                "word/document.xml",
                f'<w:document xmlns:w="{WORD}" xmlns:mc="{namespace}"><w:body><w:p><mc:AlternateContent>'
                f"<mc:Choice>{run}</mc:Choice><mc:Fallback>{run}</mc:Fallback></mc:AlternateContent></w:p>"
                "<w:p><w:r><w:t>Bo:</w:t><w:tab/><w:t>Hi</w:t><w:delText>gone</w:delText></w:r></w:p>"
                "</w:body></w:document>",
            )
        assert [(turn.speaker, turn.text) for turn in read(path)[0]] == [("Ann", "Hello."), ("Bo", "Hi")]


class TestBadInput:
    @pytest.mark.parametrize(
        "text", ["", "\n \n", "WEBVTT\n\nNOTE nobody speaks\n", '{"segments": []}', "[00:01] Ann:\n", "\ufeff\n"]
    )
    def test_an_empty_transcript_is_an_error(self, tmp_path: Path, text: str) -> None:
        path = tmp_path / "t.txt"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(InputError, match="empty"):
            read(path)

    def test_prose_is_no_transcript(self, tmp_path: Path) -> None:
        path = tmp_path / "t.txt"
        path.write_text("Once upon a time there was a meeting.\n" * 20 + "Moral: be short.\n")
        with pytest.raises(InputError, match="no line begins a cue or a turn"):
            read(path)

    @pytest.mark.parametrize(
        ("text", "line", "what"),
        [
            ("WEBVTT\n\n00:05.000 --> 00:06.000\nHi\n\n1\n00:00:01,000 --> 00:00:02,000\nYo\n", 7, "here is SRT"),
            ("1\n00:00:01,000 --> 00:00:02,000\nYo\n\nWEBVTT\n\n00:05.000 --> 00:06.000\nHi\n", 5, "here is WebVTT"),
            ("WEBVTT\n\n00:05.000 --> 00:06.000\nHi\n\n[00:07] Ann: Yo\n", 6, "here is lines of"),
            ("[00:01] Ann: Yo\n\n1\n00:00:01,000 --> 00:00:02,000\nHi\n", 4, "here is SRT"),
            ("Ann Lee  0:01\nYo\n\n[Bo] 10:00:00\nHi\n", 4, "here is Zoom text"),
            ("[Ann] 10:00:00\nYo\n\nBo Chan  0:05\nHi\n[Ann] 10:00:10\nYes\n", 4, "here is Otter text"),
        ],
    )
    def test_two_forms_in_one_file_are_an_error(self, tmp_path: Path, text: str, line: int, what: str) -> None:
        path = tmp_path / "t.txt"
        path.write_text(text)
        with pytest.raises(InputError, match=rf"t\.txt:{line}: two forms in one file: .*{what}"):
            read(path)

    def test_a_form_that_is_named_is_believed(self, tmp_path: Path) -> None:
        text = "[Ann] 10:00:00\nThe subtitle is\n\nBo Chan  0:05\n"
        assert said(tmp_path, text, form="zoom") == [("Ann", "The subtitle is\nBo Chan  0:05")]

    def test_unknown_names_are_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "t.txt"
        path.write_text("Ann: Hi\n")
        with pytest.raises(UsageError, match="form 'vtt'"):
            read(path, "vtt")  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="encoding 'rot13'"):
            read(path, encoding="rot13")

    @pytest.mark.parametrize("head", [b"%PDF-1.7 x", b"\x1f\x8bxx", b"\0\0\0\x20ftypisom", b"ab\0\0\1\2" * 9])
    def test_files_without_text_are_named(self, tmp_path: Path, head: bytes) -> None:
        path = tmp_path / "t.vtt"
        path.write_bytes(head)
        with pytest.raises(InputError, match="not a transcript"):
            read(path)

    def test_a_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="No such file"):
            read(tmp_path / "none.vtt")
