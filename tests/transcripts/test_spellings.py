"""How lines of a text say who speaks when: spellings as programs and people write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.errors import InputError
from tests.transcripts.making import read, said

ONE, TWO = ("Ann Lee", "Hello: you."), ("Bo", "Hi.")


@pytest.mark.parametrize(
    "text",
    [
        "[00:01:02] Ann Lee: Hello: you.\n[00:01:05] Bo: Hi.\n",
        "00:01:02.345 - Ann Lee: Hello: you.\n00:01:05.000 - Bo: Hi.\n",
        "00:01:02: Ann Lee: Hello: you.\n00:01:05: Bo: Hi.\n",
        "00:01:02 - 00:01:03 Ann Lee: Hello: you.\n00:01:05 - 00:01:06 Bo: Hi.\n",
        "10:03 AM Ann Lee: Hello: you.\n10:04 a.m. Bo: Hi.\n",
        "[10:03\u202fPM] Ann Lee: Hello: you.\n[10:04:10\u202fPM] Bo: Hi.\n",
        "12/05/2023, 10:03 - Ann Lee: Hello: you.\n12/05/2023, 10:04 - Bo: Hi.\n",
        "[2023-05-12 10:03:15] Ann Lee: Hello: you.\n[2023-05-12 10:04:15] Bo: Hi.\n",
        "（00:01）Ann Lee：Hello: you.\n【00:05】Bo：Hi.\n",
        "\u200f[00:01] \u200fAnn Lee: Hello: you.\n\u200f[00:05] Bo: Hi.\n",
        "[00:01] Ann Lee\tHello: you.\n[00:05] Bo\tHi.\n",
        "00:58:04\tAnn Lee:\tHello: you.\n00:58:20\tBo:\tHi.\n",
        "Ann Lee (00:05):\nHello: you.\n\nBo (1:00:12):\nHi.\n",
        "Ann Lee (00:05): Hello: you.\nBo (00:12): Hi.\n",
        "**Ann Lee (00:05):**  \nHello: you.\n\n**Bo (00:12):** Hi.\n",
        "Ann Lee (00:00:08.000)\nHello: you.\n\nBo (00:00:16.000)\nHi.\n",
        "Ann Lee [10:03 AM]\nHello: you.\nBo [10:04 AM]\nHi.\n",
        "Ann Lee: [00:00:05] Hello: you.\n\nBo: [00:00:09] Hi.\n",
        "[00:00:05]\nAnn Lee: Hello: you.\n\n[00:00:09]\nBo: Hi.\n",
        "[00:00:05] Ann Lee\nHello: you.\n\n[00:00:09] Bo\nHi.\n",
        "Audio file\na.wav\n\n00:00:05 Ann Lee\nHello: you.\n\n00:00:09 Bo\nHi.\n",
        "Ann Lee 00:05\nHello: you.\n\nBo 00:10\nHi.\n",
        "Ann Lee 00:00:05\nHello: you.\nBo 00:00:10\nHi.\n",
        "Ann Lee - 00:05\nHello: you.\n\nBo | 00:10\nHi.\n",
        "Ann Lee  10:03 AM\nHello: you.\n\nBo  10:04 AM\nHi.\n",
        "**Ann Lee**   0:03\nHello: you.\n\n**Bo**   0:09\nHi.\n",
        "Ann Lee   0:05   Hello: you.\nBo   0:09   Hi.\n",
        "Ann Lee\t00:00:05\tHello: you.\nBo\t00:00:09\tHi.\n",
        "Ann Lee:    00:05       Hello: you.\n\nBo:    00:09       Hi.\n",
        "Weekly\nMon, Oct 5, 2020 9:45AM • 45:12\n\nAnn Lee  00:05\nHello: you.\n\nBo  00:09\nHi.\n",
        ">> Ann Lee: Hello: you.\n>>Bo: Hi.\n",
        "- Ann Lee: Hello: you.\n- Bo: Hi.\n",
    ],
)
def test_the_same_two_turns(tmp_path: Path, text: str) -> None:
    path = tmp_path / "talk.txt"
    path.write_text(text, encoding="utf-8")
    turns, unread, _ = read(path)
    assert [(turn.speaker, turn.text) for turn in turns] == [ONE, TWO]
    assert unread == []
    assert turns[0].lines[1] < turns[1].lines[0]


def starts(folder: Path, text: str) -> list[float | None]:
    path = folder / "talk.txt"
    path.write_text(text, encoding="utf-8")
    return [turn.start for turn in read(path)[0]]


class TestTimes:
    def test_those_of_the_day_count_from_the_first(self, tmp_path: Path) -> None:
        assert starts(tmp_path, "11:59 PM Ann: One.\n12:01 AM Bo: Two.\n") == [0.0, 120.0]

    def test_others_stay_as_they_are(self, tmp_path: Path) -> None:
        assert starts(tmp_path, "Ann (00:05): One.\nBo (1:00:12): Two.\n") == [5.0, 3612.0]

    def test_behind_the_time_nobody_need_be_named(self, tmp_path: Path) -> None:
        text = "00:01 Hello there.\n00:05 It is: fine.\n00:07 Bye\n[00:09] now\n"
        assert said(tmp_path, text) == [("", "Hello there."), ("", "It is: fine."), ("", "Bye"), ("", "now")]

    @pytest.mark.parametrize(("before", "behind"), [("", ""), ("[", "]")])
    def test_who_goes_on_need_not_be_named_again(self, tmp_path: Path, before: str, behind: str) -> None:
        lines = ["Ann: Hi.", "and more from me", "Bo: Yo.", "so", "and so on"]
        text = "".join(f"{before}00:00:0{at}{behind} {line}\n" for at, line in enumerate(lines))
        assert said(tmp_path, text) == [
            ("Ann", "Hi."),
            ("", "and more from me"),
            ("Bo", "Yo."),
            ("", "so"),
            ("", "and so on"),
        ]

    def test_what_never_comes_again_is_no_name(self, tmp_path: Path) -> None:
        text = "".join(
            f"[00:0{at}] {said}\nand more\n" for at, said in enumerate(["Okay", "Right", "Hello there", "Yes"])
        )
        assert said(tmp_path, text)[0] == ("", "Okay\nand more")

    def test_a_time_on_each_second_line(self, tmp_path: Path) -> None:
        text = "0:00\nhello and welcome\n0:05\nOkay\n0:09\nlet us go\n"
        assert said(tmp_path, text) == [("", "hello and welcome"), ("", "Okay"), ("", "let us go")]

    def test_a_time_in_a_text_begins_no_turn(self, tmp_path: Path) -> None:
        text = "Ann (0:05):\nWe meet\n10:30 is fine.\nAs Bo said (10:30): no.\nSee you (11:00)\n\nBo (0:09):\nHi.\n"
        assert said(tmp_path, text) == [
            ("Ann", "We meet\n10:30 is fine.\nAs Bo said (10:30): no.\nSee you (11:00)"),
            ("Bo", "Hi."),
        ]

    def test_one_behind_what_is_said_begins_no_turn(self, tmp_path: Path) -> None:
        text = "Ann: Hello there. [00:00:05]\nBo: Hi. [00:00:09]\n"
        assert said(tmp_path, text) == [("Ann", "Hello there. [00:00:05]"), ("Bo", "Hi. [00:00:09]")]

    def test_one_in_brackets_behind_a_colon_is_said(self, tmp_path: Path) -> None:
        assert said(tmp_path, "Ann: (10:30) will do.\nBo: Hi.\n") == [("Ann", "(10:30) will do."), ("Bo", "Hi.")]

    def test_one_on_a_line_of_its_own_is_said_where_headings_have_names(self, tmp_path: Path) -> None:
        text = "Ann Lee  0:05\nWhen: tell me.\n10:30\n\nBo Chan  0:09\nHi.\n"
        assert said(tmp_path, text) == [("Ann Lee", "When: tell me.\n10:30"), ("Bo Chan", "Hi.")]


@pytest.mark.parametrize(
    "text",
    [
        "0:00:01.000,0:00:02.000\nHello\n\n0:00:03.000,0:00:04.000\nYo\n",
        "[Events]\nFormat: Start, Text\nDialogue: 0,0:00:01.00,Ann,,Hello\nDialogue: 0,0:00:03.00,Bo,,Yo\n",
        '<tt xmlns="http://www.w3.org/ns/ttml"><p begin="00:00:01.000">Hi</p></tt>\n',
        "speaker,start,text\nAnn,0,hello\nBo,1,yo\n",
    ],
)
def test_a_form_that_is_not_read_is_not_read_wrong(tmp_path: Path, text: str) -> None:
    path = tmp_path / "talk.txt"
    path.write_text(text)
    with pytest.raises(InputError, match="no transcript that is known"):
        read(path)


class TestTeamsPasted:
    def test_names_pictures_and_times_in_words(self, tmp_path: Path) -> None:
        text = (
            "Transcript. Use arrow keys to navigate between transcript entries.\n\nSearch\n\n"
            "Ann Lee started transcription\n\n"
            "Ann Lee\n0 minutes 3 seconds0:03\nAnn Lee 0 minutes 3 seconds\nYeah.\nWe need 5 minutes\n"
            "MK\n\nMia Knudsen\n0 minutes 5 seconds0:05\nMia Knudsen 0 minutes 5 seconds\nOK\n"
            "Mia Knudsen 1 hour 0 minutes 6 seconds\nBye.\n"
        )
        path = tmp_path / "pasted.txt"
        path.write_text(text)
        turns, unread, transcript = read(path)
        assert [(turn.speaker, turn.text, turn.start, turn.lines) for turn in turns] == [
            ("Ann Lee", "Yeah.\nWe need 5 minutes", 3.0, (7, 11)),
            ("Mia Knudsen", "OK", 5.0, (14, 17)),
            ("Mia Knudsen", "Bye.", 3606.0, (18, 19)),
        ]
        assert (transcript.form, unread) == ("teams", [])

    def test_in_another_language_and_with_a_torn_time(self, tmp_path: Path) -> None:
        text = (
            "Ann Lee hat die Transkription gestartet\n\nAnn Lee\n0 90:09\nAnn Lee 0 Minuten 9 Sekunden\nWhy?\n"
            "VR\n\nVan Dam, Ron\n54 Minuten54:00\nVan Dam, Ron 54 Minuten\nOkay.\n\n"
            "Ann Lee hat die Transkription gestoppt\n"
        )
        assert said(tmp_path, text) == [("Ann Lee", "Why?"), ("Van Dam, Ron", "Okay.")]

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            ("0:05", "0:09"),
            ("0 minutes 5 seconds", "9 seconds"),
            ("0 Minuten 5 Sekunden", "1 Stunde 2 Minuten"),
            ("0 perc 5 másodperc0:05", "0 perc 9 másodperc0:09"),
        ],
    )
    @pytest.mark.parametrize("gap", ["", "\n"])
    def test_the_name_and_the_time_below(self, tmp_path: Path, first: str, second: str, gap: str) -> None:
        text = f"Lee, Ann\n{first}\nHello\n{gap}Bo\n{second}\nHi: you.\nBye.\n{gap}Lee, Ann\n1:02:03\nGo.\n"
        assert said(tmp_path, text) == [("Lee, Ann", "Hello"), ("Bo", "Hi: you.\nBye."), ("Lee, Ann", "Go.")]


class TestZoomChat:
    @pytest.mark.parametrize(
        "text",
        [
            "10:03:15\t From  Ann Lee  to  Everyone : Hello: you.\n10:03:20\t From  Bo  to  Ann Lee(Privately) : Hi.\n",
            "10:03:15\t From Ann Lee : Hello: you.\n10:03:20\t From Bo : Hi.\n",
            "10:03:15 From Ann Lee to Everyone:\n\tHello: you.\n10:03:20 From Bo To Ann Lee(Direct Message):\n\tHi.\n",
            "2023-01-05 10:03:15 From Ann Lee to Everyone:\n\tHello: you.\n2023-01-05 10:03:20 From Bo to Al:\n\tHi.\n",
        ],
    )
    def test_as_several_versions_save_it(self, tmp_path: Path, text: str) -> None:
        path = tmp_path / "chat.txt"
        path.write_text(text)
        turns, _, transcript = read(path)
        assert [(turn.speaker, turn.text, turn.start) for turn in turns] == [(*ONE, 0.0), (*TWO, 5.0)]
        assert transcript.form == "zoom"

    def test_a_broken_time_is_listed(self, tmp_path: Path) -> None:
        path = tmp_path / "chat.txt"
        path.write_text("10:03:15 From Ann to Everyone:\n\tHi\n10:xx:20 From Bo to Everyone:\n\tLost\n")
        turns, unread, _ = read(path)
        assert ([turn.text for turn in turns], [one.line for one in unread]) == (["Hi"], [3])


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Ann: hello\nBo: hi\n\nWEBVTT\n\n00:01.000 --> 00:02.000\nHi\n", 4),
        ("Ann (00:00):\nGood\n\n1\n00:00:01,000 --> 00:00:02,000\nHi\n", 5),
        ("[00:01] Ann: hello\n[00:02] Bo: hi\nAnn Lee  0:05\nhello there\n", 3),
        ('Ann: hello\nBo: hi\n{"segments": [{"text": "x"}]}\n', 3),
        ("[00:01] Ann: hello\n[00:02] Bo: hi\n10:03:15 From Ann to Everyone:\n\thello there\n", 3),
    ],
)
def test_a_second_form_is_named_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    path = tmp_path / "talk.txt"
    path.write_text(text)
    with pytest.raises(InputError, match=rf"talk\.txt:{line}: two forms in one file"):
        read(path)
