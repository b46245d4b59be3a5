"""WebVTT and SRT: cues below lines with '-->', read one line at a time.

The rules are WebVTT's (https://www.w3.org/TR/webvtt1/, section 6), except that what its parser drops in silence is read
or listed here: commas in times, missing empty lines, broken times, texts without times, arrows in texts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bridge.errors import InputError
from bridge.files import Reject
from bridge.transcripts.cue_text import cue_turns, shown_lines, without_repeats
from bridge.transcripts.forms import Cue, cue_times, is_webvtt
from bridge.transcripts.scanner import Detected, Scanner
from bridge.transcripts.source import MAX_LINE
from bridge.transcripts.tally import Tally, mixed
from bridge.transcripts.turns import Piece, lines_from

_BLOCK = re.compile(r"(?:NOTE|STYLE|REGION)(?:[ \t].*)?")
_HALF_TIME = re.compile(r"\d\s*[:.,]\s*\d")
_WEBEX = re.compile(r'\d{1,9} "([^"]{1,100})" \(\d+\)\s*')  # the line above its times
_MOST_LOOSE = 50
_MOST_NAMES = 10_000
_TIMES = "write its times as 00:01:02.500 --> 00:01:04.000"
_ALONE = "put a line with times above it, or begin it with NOTE"


@dataclass(slots=True)
class _Open:
    """The cue that is being read."""

    number: int
    times: Cue | str
    speaker: str = ""
    lines: list[tuple[int, str]] = field(default_factory=list)
    size: int = 0


class CueScanner(Scanner):
    """Turns of a file of cues; its form is ``webvtt`` or ``srt``."""

    def __init__(self, found: Detected, tally: Tally, path: Path, *, strict: bool = True) -> None:
        super().__init__(found, tally, path, strict=strict)
        self._cue: _Open | None = None
        self._loose: list[tuple[int, str]] = []
        self._newest: Cue | None = None
        self._shown: list[str] = []
        self._index = 0
        self._skips = False

    def scan(self, lines: Iterable[tuple[int, str]]) -> Iterator[Piece]:
        """The turns, and what is none, in order."""
        for number, line in lines:
            if not line or line.isspace():
                if line and self._cue and not self._cue.lines and not self._apart:
                    continue  # YouTube writes a space where the first line of a cue is empty
                yield from self._gap()
                self._apart = True
                continue
            self._tally.lines += 1
            if "-->" in line and not (self._apart and _BLOCK.fullmatch(line)) and self._is_mark(line):
                yield from self._mark(number, line)
            else:
                yield from self._text(number, line)
            self._apart = False
        yield from self._gap()
        yield from self._release(len(self._loose))
        yield from self._close()

    # -- lines

    def _is_mark(self, line: str) -> bool:
        """An arrow with half a time beside it: a cue begins, even if its times are broken."""
        if _HALF_TIME.search(line):
            return True
        self._tally.doubt("an arrow in a text")
        return False

    def _gap(self) -> Iterator[Piece]:
        self._skips = False
        if self._form == "webvtt":
            yield from self._release(len(self._loose))
            yield from self._close()
        elif not (len(self._loose) == 1 and _index(self._loose[0][1]) is not None):
            yield from self._release(len(self._loose))

    def _mark(self, number: int, line: str) -> Iterator[Piece]:
        self._tally.marks += 1
        self._skips = False
        index: int | None = None
        speaker = ""
        if self._loose:
            yield from self._release(len(self._loose) - 1)
            index = _index(self._loose[0][1])
            if self._form == "webvtt" or index is not None or self._cue is None:
                self._tally.structure += 1
                said_by = _WEBEX.fullmatch(self._loose[0][1])
                speaker = said_by[1].strip() if said_by else ""
                self._loose.clear()
            else:
                yield from self._release(1)
        elif self._cue and self._cue.lines and not self._apart:
            # No empty line between two cues: the number that comes next in the count belongs to the next cue.
            last = _index(self._cue.lines[-1][1])
            if last is not None and last in (self._index + 1, self._tally.marks):
                index = last
                self._cue.lines.pop()
                self._tally.structure += 1
        yield from self._close()
        times = cue_times(line)
        if isinstance(times, Cue):
            self._refuse_other_cues(number, times, index)
            self._newest = times
        self._cue = _Open(number, times, speaker)
        self._index = self._index + 1 if index is None else index

    def _text(self, number: int, line: str) -> Iterator[Piece]:
        if self._skips:
            self._tally.structure += 1
        elif self._cue and not self._apart and not self._loose:
            self._cue.lines.append((number, line))
            self._cue.size += len(line)
            if self._cue.size > MAX_LINE:
                raise InputError(
                    f"{self._path}:{self._cue.number}: a cue of more than {MAX_LINE:,} characters",
                    remedy="is this a transcript? An empty line ends a cue",
                )
        elif not self._loose and self._form == "webvtt" and (_BLOCK.fullmatch(line) or is_webvtt(line)):
            if self._strict and self._tally.in_unread and not self._tally.marks and is_webvtt(line):
                raise mixed(self._path, "plain", number, "webvtt")
            self._skips = True
            self._tally.structure += 1
        else:
            self._refuse_foreign(number, line)
            self._loose.append((number, line))
            if len(self._loose) > _MOST_LOOSE:
                yield from self._release(1)

    # -- cues

    def _release(self, count: int) -> Iterator[Piece]:
        """So many lines without times: in SRT more text of the cue before them, after an empty line in its midst."""
        lines, self._loose = self._loose[:count], self._loose[count:]
        if not lines:
            return
        if self._form == "srt" and self._cue and len(self._cue.lines) < _MOST_LOOSE:
            self._cue.lines += lines
            self._tally.doubt("an empty line in a cue")
            return
        self._tally.unread += 1
        self._tally.in_unread += len(lines)
        yield Reject(lines[0][0], f"text without times: {lines[0][1].strip()!r:.80}", _ALONE)

    def _close(self) -> Iterator[Piece]:
        cue, self._cue = self._cue, None
        if cue is None:
            return
        count = 1 + len(cue.lines)
        if isinstance(cue.times, str):
            lost = f"; its text is in {lines_from(cue.lines[0][0], cue.lines[-1][0])}" if cue.lines else ""
            yield from self._lost(cue.number, count, f"a cue whose times cannot be read: {cue.times}{lost}", _TIMES)
            return
        if cue.times.end < cue.times.start:
            self._tally.doubt("a cue that ends before it begins")
        if self._found.rolls and cue.lines:
            shown = shown_lines(cue.lines)
            cue.lines = without_repeats(self._shown, cue.lines)
            self._shown = shown
            if len(cue.lines) < len(shown):
                self._tally.doubt("a cue that shows lines of the one before again, which are read once")
        turns = list(cue_turns(cue.times, cue.number, cue.lines, self._names, cue.speaker))
        if turns:
            self._tally.read += 1
            self._tally.turns += len(turns)
            self._tally.in_turns += count
            if self._names is not None and len(self._names) < _MOST_NAMES:
                self._names.update(turn.speaker for turn in turns if turn.speaker)
        else:
            self._tally.empty += 1
            self._tally.in_empty += count
        yield from turns

    # -- other forms

    def _refuse_other_cues(self, number: int, times: Cue, index: int | None) -> None:
        """WebVTT and SRT behind each other: points become commas, or the reverse, where counting starts anew."""
        before = self._newest
        if self._strict and before and before.comma != times.comma and (times.start < before.start or index == 1):
            raise mixed(self._path, self._form, number, "srt" if times.comma else "webvtt")


def _index(line: str) -> int | None:
    text = line.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
