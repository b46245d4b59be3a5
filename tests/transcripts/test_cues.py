"""WebVTT and SRT as they are found: no cue disappears in silence."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import InputError
from tests.transcripts.making import read, said

VTT = "WEBVTT\n\n"
ONE = "00:01.000 --> 00:02.000\n"
TWO = "00:03.000 --> 00:04.000\n"
THREE = "00:05.000 --> 00:06.000\n"
SRT_ONE = "1\n00:00:01,000 --> 00:00:02,000\n"
SRT_THREE = "3\n00:00:05,000 --> 00:00:06,000\n"


@pytest.fixture
def vtt(tmp_path: Path) -> Path:
    return tmp_path / "talk.vtt"


class TestWebVtt:
    def test_header_notes_styles_and_regions_are_no_text(self, tmp_path: Path) -> None:
        text = (
            "\ufeffWEBVTT - weekly\nKind: captions\nLanguage: en\n\nSTYLE\n::cue { color: red }\n\nREGION\nid:a\n\n"
            f"NOTE\nnot said\n\n{ONE}Said.\n\nNOTE also not said\n\n{TWO}Twice.\n"
        )
        assert said(tmp_path, text) == [("", "Said."), ("", "Twice.")]

    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    def test_any_line_ends(self, tmp_path: Path, end: str) -> None:
        text = f"{VTT}a\n00:01.000 --> 00:02.000\nTwo\nlines.\n\n00:03.000 --> 00:04.000\nMore.\n".replace("\n", end)
        assert said(tmp_path, text) == [("", "Two\nlines."), ("", "More.")]

    @pytest.mark.parametrize(
        ("times", "start", "end"),
        [
            ("00:01.500 --> 00:02.000", 1.5, 2.0),
            ("00:00:01,500 --> 00:00:02,000", 1.5, 2.0),
            ("100:00:00.000 --> 123:59:59.999 align:start position:0%", 360000.0, 446399.999),
            ("  0:01 -->0:02", 1.0, 2.0),
            ("90:00.000 --> 91:00.000", 5400.0, 5460.0),
        ],
    )
    def test_times(self, vtt: Path, times: str, start: float, end: float) -> None:
        vtt.write_text(f"{VTT}{times}\nHi\n")
        (turn,), _, _ = read(vtt)
        assert (turn.start, turn.end) == (start, end)

    def test_a_voice_is_the_speaker(self, tmp_path: Path) -> None:
        text = f"{VTT}{ONE}<v.loud Lee, Ann>Hi &amp; <i>hello</i>,\nall.</v>\n<v Bo>Hi <00:01.500>you.\n"
        assert said(tmp_path, text) == [("Lee, Ann", "Hi & hello,\nall."), ("Bo", "Hi you.")]

    def test_webex_names_the_speaker_above_the_times(self, tmp_path: Path) -> None:
        text = f'{VTT}1 "Ann Lee" (123456)\n{ONE}Hi\nall.\n\n2 "" (9)\n{TWO}Yo.\n\n3 "Bo" (98)\n{THREE}<v Cem>No.\n'
        assert said(tmp_path, text) == [("Ann Lee", "Hi\nall."), ("", "Yo."), ("Cem", "No.")]

    def test_what_only_looks_like_markup_stays(self, tmp_path: Path) -> None:
        assert said(tmp_path, f"{VTT}00:01.000 --> 00:02.000\nif a < b and c > d, use <vector>\n") == [
            ("", "if a < b and c > d, use <vector>")
        ]

    def test_an_arrow_in_a_text_is_text(self, vtt: Path) -> None:
        vtt.write_text(f"{VTT}00:01.000 --> 00:02.000\nFrom A --> B\nwe go.\n")
        turns, _, transcript = read(vtt)
        assert [turn.text for turn in turns] == ["From A --> B\nwe go."]
        assert transcript.tally.doubts == {"an arrow in a text": 1}

    def test_a_broken_time_is_listed_with_its_line(self, vtt: Path) -> None:
        vtt.write_text(
            f"{VTT}00:01.000 --> 00:02.000\nHi\n\n7\n00:xx:03 --> 00:00:04\nLost,\ntoo.\n\n00:05.0 --> 0:99\nAlso.\n"
        )
        turns, unread, transcript = read(vtt)
        assert [turn.text for turn in turns] == ["Hi"]
        assert [(one.line, one.reason) for one in unread] == [
            (7, "a cue whose times cannot be read: no two times around '-->'; its text is in lines 8 to 9"),
            (11, "a cue whose times cannot be read: '0:99' is no time; its text is in line 12"),
        ]
        assert (transcript.tally.marks, transcript.tally.read, transcript.tally.unread) == (3, 1, 2)

    def test_a_text_without_times_is_listed(self, vtt: Path) -> None:
        vtt.write_text(f"{VTT}00:01.000 --> 00:02.000\nHi\n\nwhose is\nthis?\n\n00:03.000 --> 00:04.000\nYo\n")
        _, unread, _ = read(vtt)
        assert [(one.line, one.reason) for one in unread] == [(6, "text without times: 'whose is'")]

    def test_an_empty_cue_is_counted(self, vtt: Path) -> None:
        vtt.write_text(
            f"{VTT}00:01.000 --> 00:02.000\n\n00:03.000 --> 00:02.000\nYo\n\n00:04.000 --> 00:05.000\n<v Ann></v>\n"
        )
        _, unread, transcript = read(vtt)
        assert (transcript.tally.empty, unread) == (2, [])
        assert transcript.tally.doubts == {"a cue that ends before it begins": 1}

    def test_a_space_in_place_of_the_first_line_does_not_end_a_cue(self, tmp_path: Path) -> None:
        text = f"{VTT}{ONE} \nso<00:01.640><c> today</c>\n\n{TWO} \nwe go\n \n\n"
        assert said(tmp_path, text) == [("", "so today"), ("", "we go")]

    def test_cues_without_an_empty_line_between_them(self, tmp_path: Path) -> None:
        assert said(tmp_path, f"{VTT}00:01.000 --> 00:02.000\nHi\n00:03.000 --> 00:04.000\nYo\n") == [
            ("", "Hi"),
            ("", "Yo"),
        ]

    def test_segments_joined_with_a_header_each(self, tmp_path: Path) -> None:
        text = f"{VTT}00:01.000 --> 00:02.000\nHi\n\nWEBVTT\nX-TIMESTAMP-MAP=LOCAL:0\n\n00:03.000 --> 00:04.000\nYo\n"
        assert said(tmp_path, text) == [("", "Hi"), ("", "Yo")]

    def test_an_arrow_in_a_note_begins_no_cue(self, vtt: Path) -> None:
        vtt.write_text(f"{VTT}NOTE from 00:01 --> 00:05\nmore\n\n{ONE}Hi\n")
        turns, unread, _ = read(vtt)
        assert ([turn.text for turn in turns], unread) == (["Hi"], [])


class TestSrt:
    def test_voices_and_entities_without_the_header_of_webvtt(self, tmp_path: Path) -> None:
        text = "00:00:01.000 --> 00:00:02.000\n<v Ann>R&D &amp; Q&amp;A</v>\n\n00:00:03.000 --> 00:00:04.000\nA<br/>B\n"
        assert said(tmp_path, text) == [("Ann", "R&D & Q&A"), ("", "A\nB")]

    def test_points_no_index_and_no_empty_line(self, tmp_path: Path) -> None:
        text = (
            f"{SRT_ONE}One\n2\n00:00:02.5 --> 00:00:03.5\n42\n\n00:00:05,000 --> 00:00:06,000\nThree\n"
            "4\n00:00:07,000 --> 00:00:08,000\nFour"
        )
        assert said(tmp_path, text) == [("", "One"), ("", "42"), ("", "Three"), ("", "Four")]

    def test_an_empty_line_in_a_cue_does_not_end_it(self, tmp_path: Path) -> None:
        text = "1\n00:00:01,000 --> 00:00:02,000\nOne\n\nand a half\n\n2\n\n00:00:03,000 --> 00:00:04,000\nTwo\n"
        assert said(tmp_path, text) == [("", "One\nand a half"), ("", "Two")]

    def test_a_garbled_cue_is_not_glued_to_the_one_before(self, tmp_path: Path) -> None:
        path = tmp_path / "t.srt"
        path.write_text(f"{SRT_ONE}One\n\n2\n00:00:0l,500 -> 00:00:0:4 --> ?\nLost\n\n{SRT_THREE}Three\n")
        turns, unread, _ = read(path)
        assert [turn.text for turn in turns] == ["One", "Three"]
        assert [one.line for one in unread] == [6]

    def test_markup_is_taken_off(self, tmp_path: Path) -> None:
        text = '1\n00:00:01,000 --> 00:00:02,000\n{\\an8}<i>Hi</i> <font color="#fff">you</font> {sic} <3\n'
        assert said(tmp_path, text) == [("", "Hi you {sic} <3")]


class TestNamesInCues:
    def test_most_cues_begin_with_a_name(self, tmp_path: Path) -> None:
        text = f"{VTT}{ONE}Ann Lee: Hi\n\n{TWO}edwin: Yo\n\n{THREE}so: what\nBo\n"
        assert said(tmp_path, text) == [("Ann Lee", "Hi"), ("edwin", "Yo"), ("so", "what\nBo")]

    def test_marks_of_captions_before_a_name(self, tmp_path: Path) -> None:
        text = f"{VTT}{ONE}>> ANN: Hi\n\n{TWO}- Bo Chan: Yo\n\n{THREE}[Ann]: Bye\n"
        assert said(tmp_path, text) == [("ANN", "Hi"), ("Bo Chan", "Yo"), ("Ann", "Bye")]

    def test_a_colon_now_and_then_is_none(self, tmp_path: Path) -> None:
        cues = ["Hello", "Warning signs: none", "and so", "on"]
        text = VTT + "".join(f"00:0{at}.000 --> 00:0{at}.500\n{cue}\n\n" for at, cue in enumerate(cues))
        assert said(tmp_path, text) == [("", cue) for cue in cues]

    def test_several_people_in_one_cue(self, tmp_path: Path) -> None:
        text = f"{VTT}{ONE}Ann: Hi\n\n{TWO}Bo: One thing\nOption B: is cheap\nAnn: Yes\n"
        assert said(tmp_path, text) == [("Ann", "Hi"), ("Bo", "One thing\nOption B: is cheap"), ("Ann", "Yes")]


class TestLimits:
    @pytest.mark.parametrize("line", ["<v " * 60_000, "1:" * 90_000, "[1" + " 1" * 90_000, "A" + " " * 180_000 + "1:1"])
    @pytest.mark.parametrize("before", [VTT + ONE, "Ann: Hi\nBo: Yo\n", "Ann  0:01\nHi\n\n"])
    def test_a_hostile_line_takes_no_time(self, tmp_path: Path, before: str, line: str) -> None:
        # A rule that looked at it again and again would take minutes.
        assert said(tmp_path, f"{before}{line}\n")

    def test_a_line_without_end(self, vtt: Path) -> None:
        vtt.write_text(f"{VTT}00:01.000 --> 00:02.000\n" + "x" * 1_100_000)
        with pytest.raises(InputError, match="a line of more than"):
            read(vtt)

    def test_a_cue_without_end(self, vtt: Path) -> None:
        vtt.write_text(f"{VTT}00:01.000 --> 00:02.000\n" + ("x" * 999 + "\n") * 1_100)
        with pytest.raises(InputError, match="a cue of more than"):
            read(vtt)


LINES = st.sampled_from(
    [
        "",
        " ",
        "1",
        "2",
        "7",
        "WEBVTT",
        "NOTE",
        "NOTE x --> y",
        "STYLE",
        "00:01.000 --> 00:02.000",
        "00:00:03,000 --> 00:00:04,000",
        "00:0x --> 00:04",
        "-->",
        "A --> B",
        "Ann: Hi",
        "<v Bo>Yo",
        "Bo: Yes",
        "text",
        "[00:05] Ann: Hi",
        "[00:7x] Bo: no",
        "[Ann] 10:00:00",
        "[Ann] 10:xx:00",
        "（x）：",
        "Ann Lee  0:05",
        "Bo  0:9x",
        "0:09",
        "Transcribed by https://otter.ai",
        "00:05:00",
        "Transcript",
        "Transcription ended after 00:01:00",
        "Ann started transcription",
        "\x00",
        "Ann (0:05):",
        "Ann (0:06)",
        "10:03 AM Ann: hi",
        "[0:07]",
        "[0:07] Ann Lee",
        "0:08 so it is",
        "Bo Chan",
        "BC",
        "0 minutes 9 seconds0:09",
        "Bo Chan 0 minutes 9 seconds",
        "Bo Chan 0:09",
        "Ann Lee  0:09  Hi",
        "10:03:15 From Ann to Everyone:",
        "10:xx:15 From Bo to Everyone: lost",
        ">> Ann: <b>Hi</b><00:01.500>",
        '{"segments": []}',
    ]
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(LINES, max_size=14),
    st.sampled_from(["webvtt", "srt", "plain", "otter", "zoom", "teams", "meet", None]),
)
def test_every_line_is_accounted_for(lines: list[str], form: str | None) -> None:
    """The tally itself says if a line or a mark is missing; here, whatever stands where."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "t.txt")
        path.write_text("\n".join(lines))
        try:
            turns, unread, transcript = read(path, form)  # type: ignore[arg-type]
        except InputError as error:
            assert "mistake in annobridge" not in error.remedy  # noqa: PT017
            return
    tally = transcript.tally
    assert tally.marks == tally.read + tally.empty + tally.bad_marks
    assert (tally.turns, tally.unread) == (len(turns), len(unread))
    for turn in turns:
        assert 1 <= turn.lines[0] <= turn.lines[1] <= len(lines)
        assert turn.text.strip()


TEXTS = st.text(
    st.characters(exclude_characters="\r\n<>&{}\0-", exclude_categories=["C", "Z"]), min_size=1, max_size=30
)


@settings(max_examples=40, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=8))
def test_what_is_written_as_cues_comes_back(texts: list[str]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "t.vtt")
        cues = (f"00:{at:02}.000 --> 00:{at:02}.500\n<v Ann>{text}</v>\n\n" for at, text in enumerate(texts))
        path.write_text("WEBVTT\n\n" + "".join(cues), encoding="utf-8")
        turns, unread, _ = read(path)
    assert [turn.text for turn in turns] == [text.strip() for text in texts]
    assert unread == []


class TestRollingCaptions:
    TEXT = (
        f"{VTT}00:00.160 --> 00:02.230 align:start position:0%\n \n"
        "hello<00:00:00.480><c> and</c><00:00:00.640><c> you</c>\n\n"
        "00:02.230 --> 00:02.240\nhello and you\n \n\n"
        "00:02.240 --> 00:04.550\nhello and you\nto<00:00:02.399><c> the</c><00:00:02.560><c> show</c>\n\n"
        "00:04.550 --> 00:04.560\nto the show\n \n\n"
        "00:04.560 --> 00:06.000\nto the show\ntoday<00:00:05.000><c> no</c>\n"
    )

    def test_each_line_is_read_once(self, vtt: Path) -> None:
        vtt.write_text(self.TEXT)
        turns, _, transcript = read(vtt)
        assert [(turn.text, turn.start) for turn in turns] == [
            ("hello and you", 0.16),
            ("to the show", 2.24),
            ("today no", 4.56),
        ]
        assert (transcript.tally.marks, transcript.tally.read, transcript.tally.empty) == (5, 3, 2)
        assert sum(transcript.tally.doubts.values()) == 4

    def test_where_words_have_no_times_what_is_said_twice_stays(self, tmp_path: Path) -> None:
        assert said(tmp_path, f"{VTT}{ONE}No.\n\n{TWO}No.\n\n{THREE}No.\nYes.\n") == [
            ("", "No."),
            ("", "No."),
            ("", "No.\nYes."),
        ]
