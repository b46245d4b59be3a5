"""The forms of transcripts: their names, and the lines by which each is told from the others."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple, TypeAlias, get_args

from bridge.transcripts.turns import seconds

Form: TypeAlias = Literal["webvtt", "srt", "plain", "otter", "zoom", "teams", "meet", "whisper", "qmsum"]
"""What wrote a transcript, or in which form."""

FORMS: tuple[Form, ...] = get_args(Form)

TITLES: dict[Form, str] = {
    "webvtt": "WebVTT",
    "srt": "SRT",
    "plain": "lines of '[time] Name: text'",
    "otter": "Otter text",
    "zoom": "Zoom text",
    "teams": "a Teams document",
    "meet": "a Google Meet transcript",
    "whisper": "Whisper JSON",
    "qmsum": "QMSum JSON",
}

LONGEST = 300
"""So many characters of a line are looked at to tell what it is; a hostile one may have a million."""

_CLOCK = r"\d+(?::\d{1,2}){1,2}(?:[.,]\d{1,9})?"
_CUE = re.compile(rf"\s*({_CLOCK})\s*-->\s*({_CLOCK})(?:[ \t].*)?", re.ASCII)
_PART = r"(\d{1,9}):([0-5]\d):([0-5]\d)"
_USUAL = re.compile(rf"{_PART}([.,])(\d{{3}}) --> {_PART}[.,](\d{{3}})(?:[ \t]|$)", re.ASCII)
_TIMED = re.compile(rf"\s*(?:\[({_CLOCK})(?:\s*(?:-|–|-->)\s*({_CLOCK}))?\]|\(({_CLOCK})\)|({_CLOCK}))\s*[-–]?\s*(.*)")
_ZOOM = re.compile(r"\[([^\[\]]{1,100})\]\s+(\d{1,2}:\d\d:\d\d)\s*")
_BELOW = re.compile(r"(\S.{0,100}?)(?:\s{2,}|\t\s*)(\d{1,3}:\d\d(?::\d\d)?)\s*")
_BELOW_ONE = re.compile(r"([A-ZÀ-ÖØ-Þ][^\s:]*(?: [A-ZÀ-ÖØ-Þ(][^\s:]*){0,3}) (\d{1,3}:\d\d(?::\d\d)?)\s*")
_ALONE = re.compile(r"\s*(?:#+\s*)?(\d{1,3}:\d\d(?::\d\d)?)\s*")
_NAMED = re.compile(
    r"\s*(?:\*\*)?([^\W_][^:：<>\[\]{}\"“”?!;|*]{0,79}?|\+\d[\d*() -]{4,20})\s?(?::\*\*|[:：])(?!//)\s*(.*)"
)
_BRACKETED = re.compile(r"\s*\[([^\W\d_][^\[\]:]{0,79})\]\s?:\s*(.*)")
_NO_NAME = re.compile(
    r"note|notes|warning|example|update|e\.?g|i\.?e|p\.?s|re|https?|ftp|mailto|date|time|duration|title|subject|topic"
    r"|attendees|participants|present|location|meeting|agenda|summary|kind|language|style|region|source|transcript",
    re.IGNORECASE,
)


class Cue(NamedTuple):
    """The times of a cue, and whether they were written with commas."""

    start: float
    end: float
    comma: bool


class Said(NamedTuple):
    """The beginning of a turn on one line; what is not there is empty or None."""

    speaker: str
    text: str
    start: float | None = None
    end: float | None = None


def cue_times(line: str) -> Cue | str:
    """The times of a cue's first line, or what is wrong with them.

    >>> cue_times("00:01.500 --> 00:02.000 align:start"), cue_times("0:99:00 --> 1:00:00")
    (Cue(start=1.5, end=2.0, comma=False), "'0:99:00' is no time")
    """
    usual = _USUAL.match(line)
    if usual:
        h1, m1, s1, comma, f1, h2, m2, s2, f2 = usual.groups()
        began = ((int(h1) * 60 + int(m1)) * 60 + int(s1)) * 1000 + int(f1)
        ended = ((int(h2) * 60 + int(m2)) * 60 + int(s2)) * 1000 + int(f2)
        return Cue(began / 1000, ended / 1000, comma == ",")
    match = _CUE.fullmatch(line)
    if not match:
        return "no two times around '-->'"
    start, end = (seconds(part) for part in match.groups())
    if start is None or end is None:
        return f"{match[1] if start is None else match[2]!r:.40} is no time".replace('"', "'")
    return Cue(start, end, "," in match[1])


def named(line: str) -> Said | None:
    """A line that begins with a name and a colon.

    A name has at most six words, no more than two of them if it begins with a small letter, and is no word like 'Note'
    or 'http'. That is a guess: whoever asks decides by the rest of the transcript whether to believe it.

    >>> named("Ann Lee: Shall we?"), named("At 10:30 we go"), named("Note: bring cake")
    (Said(speaker='Ann Lee', text='Shall we?', start=None, end=None), None, None)
    """
    if ":" not in line and "：" not in line:
        return None
    line, tail = line[:LONGEST], line[LONGEST:]
    bracketed = _BRACKETED.fullmatch(line) if line.lstrip().startswith("[") else None
    match = bracketed or _NAMED.fullmatch(line)
    if not match:
        return None
    name = match[1].strip()
    words = name.split()
    if len(words) > (2 if words[0][0].islower() else 6) or _NO_NAME.fullmatch(name):
        return None
    if name[0].isdigit() or (name[-1].isdigit() and match[2][:2].isdigit()):  # such as 'At 10:30'
        return None
    return Said(name, match[2] + tail)


def timed(line: str) -> Said | None:
    """A line that begins with a time, in brackets or bare, and says something behind it.

    >>> timed("[00:01:05] Ann: Shall we?"), timed("(0:05) Ann: Yes.").start, timed("00:05")
    (Said(speaker='Ann', text='Shall we?', start=65.0, end=None), 5.0, None)
    """
    line, tail = line[:LONGEST], line[LONGEST:]
    match = _TIMED.fullmatch(line)
    if not match or not match[5] or match[5].startswith("-->"):
        return None
    start = seconds(match[1] or match[3] or match[4])
    if start is None:
        return None
    end = seconds(match[2]) if match[2] else None
    text = match[5] + tail
    rest = named(text)
    if rest is None and match[4]:
        return None  # '10:30 is fine' begins no turn
    return rest._replace(start=start, end=end) if rest else Said("", text, start, end)


def zoom_heading(line: str) -> Said | None:
    """``[Name] 14:03:11``, with the text below.

    >>> zoom_heading("[Ann Lee] 14:03:11")
    Said(speaker='Ann Lee', text='', start=50591.0, end=None)
    """
    match = _ZOOM.fullmatch(line) if len(line) <= LONGEST else None
    start = seconds(match[2]) if match else None
    return None if match is None or start is None else Said(match[1].strip(), "", start)


def heading(line: str, *, apart: bool = False) -> Said | None:
    """``Name  0:05`` or ``Name<TAB>0:05``, with the text below; as Otter and Teams write it.

    Args:
        line: one line.
        apart: whether an empty line stands before it: then one space will do, where every word has a capital.

    >>> heading("Ann Lee  1:02:03  "), heading("see you at 10:30")
    (Said(speaker='Ann Lee', text='', start=3723.0, end=None), None)
    >>> heading("Ann Lee 1:02", apart=True).speaker
    'Ann Lee'
    """
    if len(line) > LONGEST:
        return None
    match = _BELOW.fullmatch(line) or (_BELOW_ONE.fullmatch(line) if apart else None)
    start = seconds(match[2]) if match else None
    return None if match is None or start is None else Said(match[1].strip(), "", start)


def time_alone(line: str) -> float | None:
    """A line with nothing but a time, as Meet has it above each five minutes, and Otter where nobody is named.

    >>> time_alone("00:05:00"), time_alone("### 00:05:00"), time_alone("5 minutes")
    (300.0, 300.0, None)
    """
    match = _ALONE.fullmatch(line) if len(line) <= LONGEST else None
    return seconds(match[1]) if match else None


def is_webvtt(line: str) -> bool:
    """Whether a line is the first of a WebVTT file.

    >>> is_webvtt("WEBVTT - weekly"), is_webvtt("WEBVTTX")
    (True, False)
    """
    return line.startswith("WEBVTT") and (len(line) == 6 or line[6] in " \t")


def sign_of(line: str, *, apart: bool) -> tuple[Form, ...]:
    """The forms that a line can only belong to; none for what may stand in many.

    Args:
        line: one line.
        apart: whether an empty line or the beginning stands before it; some signs are none in the midst of a text.

    >>> sign_of("00:01.0 --> 00:02.0", apart=False), sign_of("[Ann] 14:03:11", apart=True), sign_of("Hi", apart=True)
    (('webvtt', 'srt', 'teams'), ('zoom',), ())
    """
    if "-->" in line and isinstance(cue := cue_times(line), Cue):
        return ("srt", "webvtt", "teams") if cue.comma else ("webvtt", "srt", "teams")
    if is_webvtt(line):
        return ("webvtt",)
    if line.startswith("[") and zoom_heading(line):
        return ("zoom",)
    first = line.lstrip()[:1]
    if first and (first in "[(" or (apart and first.isdigit())) and (said := timed(line)) and said.speaker:
        return ("plain",)
    if apart and line.rstrip()[-1:].isdigit() and heading(line, apart=apart):
        return "otter", "teams"
    return ()
