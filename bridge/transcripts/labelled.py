"""Texts in which a line begins a turn: '[time] Name: text', Otter, Zoom, Teams and Google Meet."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bridge.errors import InputError
from bridge.files import Reject
from bridge.transcripts.forms import (
    LONGEST,
    Cue,
    Form,
    Said,
    cue_times,
    heading,
    named,
    sign_of,
    time_alone,
    timed,
    zoom_heading,
)
from bridge.transcripts.source import MAX_LINE
from bridge.transcripts.tally import MAX_HEADING, Tally, mixed
from bridge.transcripts.turns import Piece, Turn, lines_from

_BROKEN_TIME = re.compile(r"\s*\[[\dx?_.,\s-]*\d[\dx?_.,\s-]*:[\dx?_.,:\s-]*\]", re.IGNORECASE)
_BROKEN_ZOOM = re.compile(r"\[[^\[\]]{1,100}\]\s+\d{1,4}:[\w:]{1,8}\s*")
_BROKEN_HEADING = re.compile(r"\S.{0,100}?(?:\s{2,}|\t\s*)\d{1,4}:\w{1,2}(?::\w{1,2})?\s*")
_TEAMS = re.compile(r".{0,200}\b(?:started|stopped) transcription\.?\s*", re.IGNORECASE)
_OTTER = re.compile(r"Transcribed by https?://otter\.ai\s*", re.IGNORECASE)
_MEET_END = re.compile(
    r"\W*(?:Transcription ended after [\d:]+|(?:Meeting ended after [\d:]+.*)"
    r"|This editable transcript was computer generated.*|This transcript was computer generated.*)\W*",
    re.IGNORECASE,
)
_MEET_START = re.compile(r"\W*(?:.{0,200}[-–] )?Transcript\W*", re.IGNORECASE)
_MARKDOWN = re.compile(r"\*\*(.{1,100}?):\*\*|\*\*(.{1,100}?)\*\*:")
_DAY = 86_400
_TIMES = "write the time as 1:02:03 or 02:03"


@dataclass(slots=True)
class _Open:
    """The turn that is being read."""

    said: Said | str
    first: int
    last: int
    count: int = 1
    lines: list[str] = field(default_factory=list)
    size: int = 0


class LineScanner:
    """Turns of a text in which certain lines begin one, and all lines below belong to it.

    Args:
        form: one of ``plain``, ``otter``, ``zoom``, ``teams`` and ``meet``.
        tally: what is counted on the way.
        names: of lines ``Name: text`` without a time, those that begin a turn; None if all do.
        path: the file, for errors.
        strict: whether another form in the file is an error.
    """

    def __init__(self, form: Form, tally: Tally, names: set[str] | None, path: Path, *, strict: bool = True) -> None:
        self._form = form
        self._tally = tally
        self._names = names
        self._path = path
        self._strict = strict
        self._turn: _Open | None = None
        self._begins: Callable[[str], Said | str | None] = {
            "plain": self._plain,
            "zoom": self._zoom,
            "meet": self._meet,
        }.get(form, self._below)
        self._apart = True
        self._time: float | None = None
        self._expects_name = False
        self._awaits_start = False

    def scan(self, lines: Iterable[tuple[int, str]]) -> Iterator[Piece]:
        """The turns, and what is none, in order."""
        for number, line in lines:
            if not line or line.isspace():
                self._apart = True
                continue
            self._tally.lines += 1
            if self._is_structure(line):
                self._tally.structure += 1
            elif (begun := self._begins(line)) is None:
                yield from self._below_or_before(number, line)
            else:
                yield from self._close()
                self._tally.marks += 1
                self._turn = _Open(begun, number, number)
                if isinstance(begun, Said) and begun.text:
                    self._turn.lines.append(begun.text)
            self._apart = False
        yield from self._close()

    # -- which lines begin a turn; a text says why one that seems to cannot be read

    def _plain(self, line: str) -> Said | str | None:
        said = timed(line)
        if said:
            if said.speaker and self._names is not None:
                self._names.add(said.speaker)
            return said
        if _BROKEN_TIME.match(line[:LONGEST]):
            return "a turn whose time cannot be read"
        said = named(line)
        return said if said and (self._names is None or said.speaker in self._names) else None

    def _zoom(self, line: str) -> Said | str | None:
        """Zoom writes the time of the day; the first turn is taken for the beginning, and may be before midnight."""
        said = zoom_heading(line)
        if said is None or said.start is None:
            return "a turn whose time cannot be read" if _BROKEN_ZOOM.fullmatch(line[:LONGEST]) else None
        if self._time is None:
            self._time = said.start
        return said._replace(start=(said.start - self._time) % _DAY)

    def _meet(self, line: str) -> Said | str | None:
        if self._awaits_start:
            return None
        said = named(_MARKDOWN.sub(lambda match: f"{match[1] or match[2]}:", line, count=1))
        if said is None:
            return None
        start, self._time = self._time, None
        return said._replace(start=start)

    def _below(self, line: str) -> Said | str | None:
        """Otter and Teams: the name, the time, and the text below."""
        if self._form == "teams" and "-->" in line:
            cue = cue_times(line)
            self._expects_name = isinstance(cue, Cue)
            return Said("", "", cue.start, cue.end) if isinstance(cue, Cue) else f"a cue: {cue}"
        said = heading(line, apart=self._apart)
        if said and _is_name(said.speaker):
            return said
        if self._form == "otter" and self._apart and (time := time_alone(line)) is not None:
            return Said("", "", time)
        if self._apart and said is None and _BROKEN_HEADING.fullmatch(line[:LONGEST]):
            return "a turn whose time cannot be read"
        return None

    # -- all other lines

    def _is_structure(self, line: str) -> bool:
        if len(line) > LONGEST:
            return False
        if self._form == "teams":
            return _TEAMS.fullmatch(line) is not None
        if self._form == "otter":
            return _OTTER.fullmatch(line) is not None
        if self._form != "meet":
            return False
        time = time_alone(line)
        if time is not None:
            self._time, self._awaits_start = time, False
        return time is not None or _MEET_END.fullmatch(line) is not None

    def await_start(self) -> None:
        """Meet: what stands before the heading 'Transcript' is no turn, even if it looks like one."""
        self._awaits_start = True

    def _below_or_before(self, number: int, line: str) -> Iterator[Piece]:
        turn = self._turn
        if turn is None:
            yield from self._before(number, line)
            return
        self._refuse_foreign(number, line)
        if self._expects_name and isinstance(turn.said, Said):
            turn.said = turn.said._replace(speaker=line.strip())
            self._expects_name = False
        else:
            turn.lines.append(line.strip())
        turn.last = number
        turn.count += 1
        turn.size += len(line)
        if turn.size > MAX_LINE:
            raise InputError(
                f"{self._path}:{turn.first}: a turn of more than {MAX_LINE:,} characters",
                remedy="is this a transcript? Each turn begins on a line of its own",
            )

    def _before(self, number: int, line: str) -> Iterator[Piece]:
        """A line before the first turn: a title, a date; more than a few are turns that nobody could read."""
        if self._form == "meet" and _MEET_START.fullmatch(line[:LONGEST]):
            self._awaits_start = False
        if len(self._tally.heading) < MAX_HEADING or self._awaits_start:
            self._tally.structure += 1
            if len(self._tally.heading) < MAX_HEADING:
                self._tally.heading.append(line.strip()[:200])
            return
        self._refuse_foreign(number, line)
        self._tally.unread += 1
        self._tally.in_unread += 1
        yield Reject(number, f"before the first turn: {line.strip()!r:.80}", "begin each turn as the first one begins")

    def _refuse_foreign(self, number: int, line: str) -> None:
        if not self._strict:
            return
        others = sign_of(line, apart=self._apart)
        if others and self._form not in others:
            raise mixed(self._path, self._form, number, others[0])

    def _close(self) -> Iterator[Piece]:
        turn, self._turn = self._turn, None
        if turn is None:
            return
        if isinstance(turn.said, str):
            self._tally.bad_marks += 1
            self._tally.unread += 1
            self._tally.in_unread += turn.count
            lost = f"; its text is in {lines_from(turn.first, turn.last)}"
            yield Reject(turn.first, f"{turn.said}{lost}", _TIMES)
            return
        text = "\n".join(turn.lines).strip()
        if not text:
            self._tally.empty += 1
            self._tally.in_empty += turn.count
            return
        self._tally.read += 1
        self._tally.turns += 1
        self._tally.in_turns += turn.count
        yield Turn(turn.said.speaker, text, (turn.first, turn.last), turn.said.start, turn.said.end)


def _is_name(text: str) -> bool:
    words = text.split()
    return len(words) <= 6 and text[-1] not in ".,;:!?" and not (words[0][0].islower() and len(words) > 2)
