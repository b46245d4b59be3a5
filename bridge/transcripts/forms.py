"""The forms of transcripts: their names, and the lines by which each is told from the others."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias, get_args

from bridge.transcripts.times import CLOCK, SPOKEN, TIME, moment, seconds, spoken

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

_MARKS = "\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff"  # invisible, such as those of right-to-left texts
_OPEN, _CLOSE = r"[\[(（【]\s*", r"\s*[\])）】]"
_TO = r"\s*(?:-|–|—|-->)\s*"
_CUE = re.compile(rf"[\s{_MARKS}]*({CLOCK})\s*-->\s*({CLOCK})(?:[ \t{_MARKS}].*)?", re.ASCII)
_PART = r"(\d{1,9}):([0-5]\d):([0-5]\d)"
_USUAL = re.compile(rf"{_PART}([.,])(\d{{3}}) --> {_PART}[.,](\d{{3}})(?:[ \t]|$)", re.ASCII)
_TIMED = re.compile(
    rf"[\s{_MARKS}]*(?:{_OPEN}({TIME})(?:{_TO}({TIME}))?{_CLOSE}|({TIME})(?:{_TO}({TIME}))?)(?![\d,]|[.:]\d)"
    rf"[\s{_MARKS}]*(?:[-–—|]|:(?=\s))?\s*(.*)"
)
_TIME_BEHIND = re.compile(
    rf"[\s{_MARKS}]*(?:\*\*)?(\S[^\[\](（）):：]{{0,79}}?(?: ?\([^\d()]{{1,40}}\))?)(?:\*\*)?(:?)\s?"
    rf"{_OPEN}({TIME})(?:{_TO}({TIME}))?{_CLOSE}\s?(?:\*\*)?(:?)(?:\*\*)?\s*(.*)"
)
_ZOOM = re.compile(rf"\[([^\[\]]{{1,100}})\]\s+({TIME})\s*")
_CHAT = re.compile(
    rf"\s*({TIME})\s+From\s+(\S.{{0,100}}?)(?:\s+[tT]o\s+(\S.{{0,100}}?))?(?:\s:|(?<! ):(?=\s|$))\s*(.*)"
)
_BELOW = re.compile(
    rf"(?:\*\*)?(\S(?:.{{0,99}}?\S)?)(?:\*\*)?(?:\s{{2,}}|\t\s*)(?:\*\*)?({TIME})(?:\*\*)?(?:(?:\s{{2,}}|\t\s*)(\S.*))?\s*"
)
_BELOW_ONE = re.compile(rf"(\w.{{0,100}}?)\s(?:[-–—|·@]\s)?({TIME})\s*")
_SPOKEN_BELOW = re.compile(rf"(\S.{{0,100}}?)\s+({SPOKEN})\s*")
_ALONE = re.compile(
    rf"[\s{_MARKS}]*(?:#+\s*)?(?:\*\*)?({_OPEN})?(\d{{1,3}}:\d\d(?::\d\d)?(?:[.,]\d{{1,3}})?)(?:{_CLOSE})?(?:\*\*)?\s*"
)
_ANOTHER = r"(?:>{1,3}\s*|[-–]\s+)"
_NAMED = re.compile(
    rf"[\s{_MARKS}]*{_ANOTHER}?(?:\*\*)?([^\W_][^:：<>\[\]{{}}\"“”?!;|*\t]{{0,79}}?|\+\d[\d*() -]{{4,20}})\s?"
    r"(?::\*\*|\*\*:|[:：])(?!//)\s*(.*)"
)
_BRACKETED = re.compile(
    rf"[\s{_MARKS}]*{_ANOTHER}?\[(?:([^\W\d_][^\[\]:]{{0,79}})\]\s?:|((?i:speaker|spk)[ _#-]?\d{{1,4}})\])\s*(.*)"
)
_MEET_START = re.compile(r"\W{0,20}(?:.{0,200}[-–] )?Transcript\W{0,20}", re.IGNORECASE)
_ROLE = re.compile(r"\([^()]*\)")
_NO_NAME = re.compile(
    r"note|notes|warning|example|update|e\.?g|i\.?e|p\.?s|re|https?|ftp|mailto|date|time|duration|title|subject|topic|dialogue|format"
    r"|attendees|participants|present|location|meeting|agenda|summary|kind|language|style|region|source|transcript",
    re.IGNORECASE,
)


class Cue(NamedTuple):
    """The times of a cue, and whether they were written with commas."""

    start: float
    end: float
    comma: bool


class Said(NamedTuple):
    """The beginning of a turn on one line; what is not there is empty or None.

    Args:
        speaker, text: who says what.
        start, end: seconds.
        of_day: whether they are those of the day, and not since the beginning.
    """

    speaker: str
    text: str
    start: float | None = None
    end: float | None = None
    of_day: bool = False


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
    """A line that begins with a name and a colon, also behind the marks that captions have for another speaker.

    A name has at most six words, no more than two of them if the first or last begins with a small letter, and is no
    word like 'Note' or 'http'. That is a guess: whoever asks decides by the rest of the transcript whether to believe
    it.

    >>> named("Ann Lee: Shall we?").speaker, named(">> **Bo:** Yes - now.")[:2]
    ('Ann Lee', ('Bo', 'Yes - now.'))
    >>> named("At 10:30 we go"), named("Note: bring cake")
    (None, None)
    """
    if ":" not in line and "：" not in line and "]" not in line:
        return None
    line, tail = line[:LONGEST], line[LONGEST:]
    bracketed = _BRACKETED.fullmatch(line) if "]" in line else None
    if bracketed:
        return Said((bracketed[1] or bracketed[2]).strip(), bracketed[3] + tail)
    match = _NAMED.fullmatch(line)
    if not match or not _is_speaker(match[1]):
        return None
    name = match[1].strip()
    if name[0].isdigit() or (name[-1].isdigit() and match[2][:2].isdigit()):  # such as 'At 10:30'
        return None
    return Said(name, match[2] + tail)


def _is_speaker(name: str) -> bool:
    words = _ROLE.sub("", name).split()
    if not words or len(words) > (2 if words[0][0].islower() or words[-1][0].islower() else 6):
        return False  # such as 'I remember one thing'
    return not _NO_NAME.fullmatch(name.strip())


def is_name(text: str) -> bool:
    """Whether a whole line may be somebody's name: up to six words, and no sentence.

    >>> is_name("Ann van der Berg"), is_name("Lee, Ann (Guest)"), is_name("Yes."), is_name("we can go")
    (True, True, False, False)
    """
    words = text.split()
    return (
        0 < len(words) <= 6
        and len(text) <= 100
        and text.strip()[-1] not in ".,;!?"
        and ":" not in text
        and (text.strip()[0].isalpha() or text.strip()[0] == "+")
        and not (words[0][0].islower() and len(words) > 2)
    )


def _has_capitals(name: str) -> bool:
    """Whether no word of a name begins with a small letter."""
    return not any(word.lstrip("(")[:1].islower() for word in name.split())


def timed(line: str, *, bare: bool = False, named_too: bool = True) -> Said | None:
    """A line with a time, who speaks, and mostly what is said: the time first, or behind the name in brackets.

    Args:
        line: one line.
        bare: whether a time without brackets will do where nobody is named.
        named_too: whether a name behind the time is one.

    >>> timed("[00:01:05] Ann: Shall we?")[:3], timed("(0:05) Ann: Yes.").start, timed("00:05"), timed("10:30 is fine")
    (('Ann', 'Shall we?', 65.0), 5.0, None, None)
    >>> timed("Ann Lee (00:05):")[:3], timed("10:03 AM Bo: Hi")[2:]
    (('Ann Lee', '', 5.0), (36180.0, None, True))
    """
    line, tail = line[:LONGEST], line[LONGEST:]
    match = _TIMED.fullmatch(line)
    if match is None:
        return _time_behind(line, tail)
    if not match[5] or match[5].startswith("-->"):
        return None
    is_bare = match[3] is not None
    start, end = moment(match[3] if is_bare else match[1]), match[4] if is_bare else match[2]
    if start is None:
        return None
    until = moment(end) if end else None
    text = match[5] + tail
    rest = (named(text) or _tabbed(text)) if named_too else None
    if rest is None and is_bare and not bare:
        return None  # '10:30 is fine' begins no turn
    return (rest or Said("", text))._replace(start=start.seconds, end=until and until.seconds, of_day=start.of_day)


def _tabbed(text: str) -> Said | None:
    name, tab, said = text.partition("\t")
    return Said(name, said) if tab and said.strip() and is_name(name) else None


def _time_behind(line: str, tail: str) -> Said | None:
    """``Name (0:05): text``, or with the text below; ``Name: [0:05] text``."""
    match = _TIME_BEHIND.fullmatch(line) if "]" in line or ")" in line or "）" in line or "】" in line else None
    if match is None:
        return None
    name, before, since, end, behind, text = match.groups()
    start = moment(since)
    colon = before or behind
    if before and not ("[" in line and since.count(":") == 2):
        return None  # such as 'Ann: (10:30) will do'
    if start is None or not _is_speaker(name) or not name[0].isalnum() or (text and not colon):
        return None
    if not _has_capitals(name) and not (colon and not name.split()[-1][0].islower()):
        return None  # such as 'as we said (10:30)'
    until = moment(end) if end else None
    return Said(name.strip(), text + tail, start.seconds, until and until.seconds, start.of_day)


def zoom_heading(line: str) -> Said | None:
    """``[Name] 14:03:11``, with the text below; and what the chat has.

    >>> zoom_heading("[Ann Lee] 14:03:11")
    Said(speaker='Ann Lee', text='', start=50591.0, end=None, of_day=True)
    >>> zoom_heading("14:03:11 From  Ann Lee  to  Everyone : Hi")[:3], zoom_heading("14:03:11 From Bo to Ann:").speaker
    (('Ann Lee', 'Hi', 50591.0), 'Bo')
    """
    line, tail = line[:LONGEST], line[LONGEST:]
    match = _ZOOM.fullmatch(line)
    if match and not tail:
        name, time, said = match[1], match[2], ""
    else:
        match = _CHAT.fullmatch(line)
        if match is None:
            return None
        name, time, said = match[2], match[1], match[4] + tail
    start = moment(time)
    return None if start is None else Said(name.strip(), said, start.seconds, of_day=True)


def heading(line: str, *, apart: bool = False) -> Said | None:
    """``Name  0:05`` or ``Name<TAB>0:05``, with the text below, as Otter and Teams write it, or behind further spaces.

    Args:
        line: one line.
        apart: whether an empty line stands before it: then one space will do, where every word has a capital.

    >>> heading("Ann Lee  1:02:03  ")[:3], heading("see you at 10:30"), heading("**Lee, Ann**   0:03").speaker
    (('Ann Lee', '', 3723.0), None, 'Lee, Ann')
    >>> heading("Ann Lee 1:02", apart=True).speaker, heading("Bo - 1:02", apart=True).speaker
    ('Ann Lee', 'Bo')
    """
    if len(line) > LONGEST:
        return None
    match = _BELOW.fullmatch(line)
    if match is None and apart:
        match = _BELOW_ONE.fullmatch(line)
        if match and not (_has_capitals(match[1]) and len(match[1].split()) <= 5):
            return None
    start = moment(match[2]) if match else None
    name = match[1].strip().removesuffix(":") if match else ""
    if match is None or start is None or not is_name(name) or _NO_NAME.fullmatch(name):
        return None
    if start.of_day and any(map(str.isdecimal, name)):  # such as 'Mon, Jan 5, 2026 10:03 AM'
        return None
    text = (match[3] or "") if match.re is _BELOW else ""
    return Said(name, text, start.seconds, of_day=start.of_day)


def spoken_heading(line: str) -> Said | None:
    """``Name 3 minutes 5 seconds``, as text has it that is pasted out of Teams.

    >>> spoken_heading("Ann Lee 0 minutes 5 seconds")[:3], spoken_heading("we need 5 minutes")
    (('Ann Lee', '', 5.0), None)
    """
    match = _SPOKEN_BELOW.fullmatch(line) if len(line) <= LONGEST else None
    start = spoken(match[2]) if match else None
    if match is None or start is None or not is_name(match[1]) or match[1].split()[-1][0].islower():
        return None
    return Said(match[1].strip(), "", start)


def time_alone(line: str, *, brackets: bool = False) -> float | None:
    """A line with nothing but a time, as Meet has it above each five minutes, and Otter where nobody is named.

    >>> time_alone("00:05:00"), time_alone("### 00:05:00"), time_alone("5 minutes"), time_alone("[0:05]", brackets=True)
    (300.0, 300.0, None, 5.0)
    """
    match = _ALONE.fullmatch(line) if len(line) <= LONGEST else None
    return seconds(match[2]) if match and (brackets or not match[1]) else None


def time_below(name: str, below: Sequence[str]) -> float | None:
    """The time of a turn whose name stands on a line of its own, as in text that is pasted out of Teams.

    Args:
        name: the line that may be a name.
        below: the lines behind it. Only a time in words may stand behind an empty one.

    >>> time_below("Ann Lee", ["0 minutes 5 seconds0:05"]), time_below("Ann Lee", ["0:05", "Hi"])
    (5.0, 5.0)
    >>> time_below("Ann Lee", ["", "0:05"]), time_below("We go.", ["0:05"])
    (None, None)
    """
    at, line = next(((at, line) for at, line in enumerate(below[:2]) if line.strip()), (0, ""))
    if not line or len(line) > LONGEST or len(name) > LONGEST or not is_name(name):
        return None
    time = time_alone(line) if at == 0 else None
    return spoken(line) if time is None else time


def is_meet_start(line: str) -> bool:
    """Whether a line is the heading below which Google Meet's transcript begins.

    >>> is_meet_start("📖 Transcript"), is_meet_start("Weekly - Transcript"), is_meet_start("The transcript says")
    (True, True, False)
    """
    return _MEET_START.fullmatch(line[:LONGEST]) is not None


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
    first, last = line.lstrip()[:1], line.rstrip()[-1:]
    if first and (first == "[" or first.isdigit()) and zoom_heading(line):
        return ("zoom",)
    if first and (first in "[(（【" or last in ":])）】" or (apart and first.isdigit())):
        said = timed(line)
        if said and said.speaker:
            return ("plain",)
    if first.isdigit() and last.isdigit() and time_alone(line) is None and spoken(line) is not None:
        return ("teams",)
    if last and (last.isdigit() or (apart and last in "Mm.*")):
        said = heading(line, apart=apart)
        if said and (apart or _has_capitals(said.speaker)):
            return "otter", "teams"
    return ("whisper", "qmsum") if first == "{" and last == "}" and line.lstrip()[1:2] == '"' else ()
