"""Which form a text is in, by its first lines, and who speaks in it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from bridge.errors import InputError
from bridge.transcripts.cue_text import has_time_inside
from bridge.transcripts.cues import CueScanner
from bridge.transcripts.forms import (
    LONGEST,
    TITLES,
    Form,
    heading,
    is_meet_start,
    is_name,
    is_webvtt,
    named,
    sign_of,
    spoken_heading,
    time_alone,
    time_below,
    timed,
)
from bridge.transcripts.labelled import NEXT_LINES
from bridge.transcripts.scanner import Detected
from bridge.transcripts.tally import Tally
from bridge.transcripts.turns import Turn

HEAD_LINES = 600
"""How many lines are looked at before any is read."""

_JSON = re.compile(r"[\s\ufeff]*(?:\{|\[\s*(?:[\[{\"]|$))")
_MEET = re.compile(
    r"\W{0,20}(?:Transcription ended after [\d:]+|(?:This editable|This) transcript was computer generated.*"
    r"|(?:.{0,200} [-–] )?Transcript)\W{0,20}",
    re.IGNORECASE,
)
_OTTER_END = re.compile(r"Transcribed by https?://otter\.ai\s*", re.IGNORECASE)


def is_json(beginning: str) -> bool:
    """Whether a text seems to be JSON, by its beginning.

    >>> is_json('{"segments": []}'), is_json("[00:01] Ann: Hi"), is_json('[\\n {"segments": []}]')
    (True, False, True)
    """
    return _JSON.match(beginning) is not None


def detect(head: Sequence[str], path: Path, *, document: bool = False) -> Detected:
    """The form of a text that is no JSON: that of which its first lines have most signs; of equals, the first.

    Args:
        head: the first lines.
        path: the file, for errors.
        document: whether the lines are paragraphs of a Word document.

    Raises:
        InputError: no line is a sign of any.

    >>> detect(["1", "00:00:01,000 --> 00:00:02,000", "Ann: Hi"], Path("a.srt")).form
    'srt'
    >>> detect(["Ann  0:01", "Hi", "", "Bo  0:03", "Hello"], Path("a.txt")).form
    'otter'
    """
    form = _form(head, document)
    if form is None:
        raise InputError(
            f"{path}: no transcript that is known: no line begins a cue or a turn",
            remedy="let turns begin as in '[00:01:05] Ann: Hello' or 'Ann: Hello', or name the form with --form: "
            + ", ".join(TITLES),
        )
    return describe(head, form, path)


def describe(head: Sequence[str], form: Form, path: Path) -> Detected:
    """What must be known of a text of a known form before it is read."""
    if form in ("webvtt", "srt"):
        rolls = form == "webvtt" and any(map(has_time_inside, head))
        return Detected(form, _names_in_cues(head, form, path), rolls=rolls)
    if form == "plain":
        return _plain(head)
    return Detected(
        form, awaits_start=form == "meet" and any(map(is_meet_start, head)), dense=form != "meet" and _is_dense(head)
    )


def _form(head: Sequence[str], document: bool) -> Form | None:
    first = next((line for line in head if line.strip()), "")
    if is_webvtt(first):
        return "webvtt"
    signs: Counter[Form] = Counter()
    names = lines = alone = headings = 0
    for apart, line, _ in _in_order(head):
        lines += 1
        sign = _sign(line, apart, document)
        if sign:
            signs[sign] += 1
            headings += sign in ("otter", "teams") and time_alone(line) is None
        names += named(line) is not None
        alone += time_alone(line) is not None
    pasted = _pasted(head)
    if pasted > 1 and 2 * pasted >= alone:
        signs["teams"] += pasted
    meets = sum(_MEET.fullmatch(line[:LONGEST]) is not None for line in head)
    if names and (meets or (alone and names >= alone and names > headings)) and not (set(signs) - {"otter"}):
        return "meet"
    plain = _plain(head)
    if plain.dense or plain.names_above:
        signs["plain"] += sum(1 for line in head if timed(line, bare=True))
    if signs:
        return signs.most_common(1)[0][0]
    # One line with a colon makes no conversation of a prose.
    return "plain" if names == lines or (names > 1 and 10 * names >= lines) else None


def _sign(line: str, apart: bool, document: bool) -> Form | None:
    signs = tuple(form for form in sign_of(line, apart=apart) if form not in ("whisper", "qmsum"))
    if not signs and heading(line, apart=apart):
        signs = ("otter", "teams")
    if not signs and spoken_heading(line):
        signs = ("teams",)
    if signs:
        if document:
            return "teams" if "teams" in signs and signs[0] != "srt" else signs[0]
        return "srt" if "srt" in signs else signs[0]
    if apart and not document and time_alone(line) is not None:
        return "otter"
    if _OTTER_END.fullmatch(line[:LONGEST]):
        return "otter"
    said = timed(line)
    return (
        "plain" if said and (said.of_day or line.lstrip()[:1] in "[(（【" or not line.lstrip()[:1].isdigit()) else None
    )


def _in_order(head: Sequence[str]) -> Iterator[tuple[bool, str, Sequence[str]]]:
    """The lines that are not empty, each with whether an empty one stands before it, and the lines behind it."""
    apart = True
    for at, line in enumerate(head):
        if line.strip():
            yield apart, line, head[at + 1 : at + 1 + NEXT_LINES]
        apart = not line.strip()


def _pasted(head: Sequence[str]) -> int:
    """How many names stand above times, as in text that is pasted out of Teams."""
    found = 0
    before = ""
    for apart, line, below in _in_order(head):
        # Where only one line stands between two times, that is what is said.
        found += (apart or time_alone(before) is None) and time_below(line, below) is not None
        before = line
    return found


def _is_dense(head: Sequence[str]) -> bool:
    """Whether headings stand without empty lines between turns: most of those that would need one, the first aside."""
    lines = [(apart, line) for apart, line, _ in _in_order(head)]
    marks = [(apart, line) for apart, line in lines if heading(line, apart=True)]
    loose = [apart for apart, line in marks if not heading(line)]
    if not marks:
        loose = [apart for apart, line in lines if time_alone(line) is not None]
    return loose.count(False) > loose[1:].count(True)


def _names_in_cues(head: Sequence[str], form: Form, path: Path) -> set[str] | None:
    """Names before a colon in cues, if at least half of those without a voice begin so."""
    scanner = CueScanner(Detected(form), Tally(), path, strict=False)
    texts = [piece.text for piece in scanner.scan(enumerate(head, 1)) if isinstance(piece, Turn) and not piece.speaker]
    names = [said.speaker for text in texts if (said := named(text.partition("\n")[0]))]
    return set(names) if names and 2 * len(names) >= len(texts) else None


def _plain(head: Sequence[str]) -> Detected:
    """Where turns have times, those who speak in a quarter of them, and those who are named twice; else anybody."""
    lines = [(line, below) for _, line, below in _in_order(head)]
    marks = [(line, said, below) for line, below in lines if (said := timed(line, bare=True))]
    nameless = [(said.text, below) for _, said, below in marks if not said.speaker]
    bare = sum(line.lstrip()[0].isdigit() for line, _, _ in marks)
    alone = sum(time_alone(line) is not None for line, _ in lines)
    above = len(nameless) == len(marks) > 1 and all(is_name(text) and _has_text(below) for text, below in nameless)
    if len(marks) > 3 and len({text for text, _ in nameless}) == len(marks):
        above = False  # whoever speaks, speaks again
    dense = not above and (alone > 1 or bare > 1) and 2 * max(bare, alone + 1) >= len(lines)
    behind = Counter(said.speaker for line, _ in lines if (said := timed(line)) and said.speaker)
    timeless = Counter(said.speaker for line, _ in lines if not timed(line) and (said := named(line)))
    if not dense and not above:
        marks = [mark for mark in marks if timed(mark[0])]
    if not marks:
        return Detected("plain", dense=dense)
    strangers = 4 * behind.total() > len(marks)
    names = {*(name for name, count in behind.items() if strangers or count > 1)}
    names |= {name for name, count in timeless.items() if count > 1}
    return Detected("plain", names, strangers, names_above=above, dense=dense)


def _has_text(below: Sequence[str]) -> bool:
    """Whether a line stands directly below that begins no turn itself."""
    return bool(below) and bool(below[0].strip()) and timed(below[0], bare=True) is None
