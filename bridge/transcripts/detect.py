"""Which form a text is in, by its first lines, and who speaks in it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bridge.errors import InputError
from bridge.transcripts.cue_text import named_in_cue
from bridge.transcripts.cues import CueScanner
from bridge.transcripts.forms import LONGEST, TITLES, Form, heading, is_webvtt, named, sign_of, time_alone, timed
from bridge.transcripts.tally import Tally
from bridge.transcripts.turns import Turn

HEAD_LINES = 600
"""How many lines are looked at before any is read."""

_JSON = re.compile(r"\s*(?:\{|\[\s*(?:[\[{\"]|$))")
_MEET = re.compile(
    r"\W*(?:Transcription ended after [\d:]+|(?:This editable|This) transcript was computer generated.*"
    r"|(?:.{0,200} [-–] )?Transcript)\W*",
    re.IGNORECASE,
)
_OTTER_END = re.compile(r"Transcribed by https?://otter\.ai\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Detected:
    """What a text is.

    Args:
        form: its form.
        names: who may stand as ``Name: text``: in cues, None if nothing there is a name; elsewhere, None if any may.
        awaits_start: whether a heading 'Transcript' divides it from what stands before.
    """

    form: Form
    names: set[str] | None = None
    awaits_start: bool = False


def is_json(head: Sequence[str]) -> bool:
    """Whether a text seems to be JSON.

    >>> is_json(['{"segments": []}']), is_json(["[00:01] Ann: Hi"]), is_json(["[", '{"segments": []}]'])
    (True, False, True)
    """
    first = next((line for line in head if line.strip()), "")
    return _JSON.match(first) is not None


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
    """Who speaks in a text of a known form, as far as that must be known before it is read."""
    if form in ("webvtt", "srt"):
        return Detected(form, _names_in_cues(head, form, path))
    if form == "plain":
        return Detected(form, _names_in_lines(head))
    return Detected(form, None, form == "meet" and any(_is_meet_start(line) for line in head))


def _form(head: Sequence[str], document: bool) -> Form | None:
    first = next((line for line in head if line.strip()), "")
    if is_webvtt(first):
        return "webvtt"
    signs: Counter[Form] = Counter()
    names = lines = 0
    apart = True
    for line in head:
        if not line.strip():
            apart = True
            continue
        lines += 1
        sign = _sign(line, apart, document)
        if sign:
            signs[sign] += 1
        names += named(line.strip().strip("*").replace(":**", ":")) is not None
        apart = False
    meets = sum(_MEET.fullmatch(line[:LONGEST]) is not None for line in head)
    alone = sum(time_alone(line) is not None for line in head)
    if names and (meets or (alone and names > signs["otter"])) and not (set(signs) - {"otter"}):
        return "meet"
    if signs:
        return signs.most_common(1)[0][0]
    # One line with a colon makes no conversation of a prose.
    return "plain" if names == lines or (names > 1 and 10 * names >= lines) else None


def _sign(line: str, apart: bool, document: bool) -> Form | None:
    signs = sign_of(line, apart=apart)
    if not signs and heading(line, apart=apart):
        signs = ("otter", "teams")
    if signs:
        if document:
            return "teams" if "teams" in signs else signs[0]
        return "srt" if "srt" in signs else signs[0]
    if apart and not document and time_alone(line) is not None:
        return "otter"
    if _OTTER_END.fullmatch(line[:LONGEST]):
        return "otter"
    said = timed(line)
    return "plain" if said and line.lstrip()[:1] in "[(" else None


def _is_meet_start(line: str) -> bool:
    return re.fullmatch(r"\W*(?:.{0,200}[-–] )?Transcript\W*", line[:LONGEST], re.IGNORECASE) is not None


def _names_in_cues(head: Sequence[str], form: Form, path: Path) -> set[str] | None:
    """Names before a colon in cues, if at least half of those without a voice begin so."""
    scanner = CueScanner(form, Tally(), None, path, strict=False)
    texts = [piece.text for piece in scanner.scan(enumerate(head, 1)) if isinstance(piece, Turn) and not piece.speaker]
    names = [said.speaker for text in texts if (said := named_in_cue(text.partition("\n")[0]))]
    return set(names) if names and 2 * len(names) >= len(texts) else None


def _names_in_lines(head: Sequence[str]) -> set[str] | None:
    """Where turns have times, those who speak in one, and those who are named twice without; else anybody."""
    with_times = {said.speaker for line in head if (said := timed(line))}
    if not with_times:
        return None
    without = Counter(said.speaker for line in head if not timed(line) and (said := named(line)))
    return {*with_times, *(name for name, count in without.items() if count > 1)} - {""}
