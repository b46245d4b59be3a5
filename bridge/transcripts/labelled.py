"""Texts in which a line begins a turn: '[time] Name: text', Otter, Zoom, Teams and Google Meet."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bridge.errors import InputError
from bridge.files import Reject
from bridge.transcripts.forms import (
    LONGEST,
    Cue,
    Said,
    cue_times,
    heading,
    is_meet_start,
    is_name,
    named,
    spoken_heading,
    time_alone,
    time_below,
    timed,
    zoom_heading,
)
from bridge.transcripts.scanner import Detected, Scanner
from bridge.transcripts.source import MAX_LINE
from bridge.transcripts.tally import MAX_HEADING, Tally
from bridge.transcripts.times import spoken
from bridge.transcripts.turns import Piece, Turn, lines_from

NEXT_LINES = 5
"""How many lines are looked at behind each."""

_BROKEN_TIME = re.compile(r"\s*\[[\dx?_.,\s-]*\d[\dx?_.,\s-]*:[\dx?_.,:\s-]*\]", re.IGNORECASE)
_BROKEN_ZOOM = re.compile(r"\[[^\[\]]{1,100}\]\s+\d{1,4}:[\w:]{1,8}\s*")
_BROKEN_CHAT = re.compile(r"\s*\d{1,4}:[\w:]{1,8}\s+From\s\S.{0,200}?:")
_BROKEN_HEADING = re.compile(r"\S.{0,100}?(?:\s{2,}|\t\s*)\d{1,4}:\w{1,2}(?::\w{1,2})?\s*")
_TEAMS = re.compile(
    r".{0,200}\b(?:(?:started|stopped) transcription|Transkription (?:gestartet|gestoppt|beendet)"
    r"|(?:démarré|arrêté) la transcription|(?:iniciado|detenido|inició|detuvo) la transcripción"
    r"|(?:iniciou|parou|interrompeu) a transcrição|(?:avviato|interrotto) la trascrizione)\.?\s*",
    re.IGNORECASE,
)
_OTTER = re.compile(r"Transcribed by https?://otter\.ai\s*", re.IGNORECASE)
_MEET_END = re.compile(
    r"\W{0,20}(?:Transcription ended after [\d:]+|(?:Meeting ended after [\d:]+.*)"
    r"|This editable transcript was computer generated.*|This transcript was computer generated.*)\W{0,20}",
    re.IGNORECASE,
)
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


class LineScanner(Scanner):
    """Turns of a text in which certain lines begin one, and all lines below belong to it.

    Its form is one of ``plain``, ``otter``, ``zoom``, ``teams`` and ``meet``.
    """

    def __init__(self, found: Detected, tally: Tally, path: Path, *, strict: bool = True) -> None:
        super().__init__(found, tally, path, strict=strict)
        self._turn: _Open | None = None
        self._begins: Callable[[str], Said | str | None] = {
            "plain": self._plain,
            "zoom": self._zoom,
            "meet": self._meet,
            "teams": self._teams,
        }.get(self._form, self._otter)
        self._below: list[str] = []
        self._time: float | None = None
        self._day_began: float | None = None
        self._expects_name = False
        self._awaits_start = found.awaits_start

    def scan(self, lines: Iterable[tuple[int, str]]) -> Iterator[Piece]:
        """The turns, and what is none, in order."""
        for number, line, self._below in _with_next(lines):
            if not line or line.isspace():
                self._apart = True
                continue
            self._tally.lines += 1
            if self._is_structure(line):
                self._tally.structure += 1
            elif (begun := self._begins(line)) is None:
                yield from self._text(number, line)
            else:
                yield from self._begin(number, self._since_beginning(begun))
            self._apart = False
        yield from self._close()

    def _begin(self, number: int, begun: Said | str) -> Iterator[Piece]:
        turn = self._turn
        if turn and isinstance(turn.said, Said) and isinstance(begun, Said) and not turn.lines:
            whole = _completed(turn.said, begun)
            if whole:  # name and time on lines of their own
                self._turn = replace(turn, said=whole, last=number, count=turn.count + 1)
                self._turn.lines += [begun.text] if begun.text else []
                return
        yield from self._close()
        self._tally.marks += 1
        self._turn = _Open(begun, number, number)
        if isinstance(begun, Said) and begun.text:
            self._turn.lines.append(begun.text)

    def _since_beginning(self, begun: Said | str) -> Said | str:
        """Times of the day count from the first, which may be before midnight."""
        if isinstance(begun, str) or not begun.of_day or begun.start is None:
            return begun
        if self._day_began is None:
            self._day_began = begun.start
        start = (begun.start - self._day_began) % _DAY
        end = None if begun.end is None else (begun.end - self._day_began) % _DAY
        return begun._replace(start=start, end=end, of_day=False)

    # -- which lines begin a turn; a text says why one that seems to cannot be read

    def _plain(self, line: str) -> Said | str | None:
        found, names = self._found, self._names
        if "From" in line and zoom_heading(line):
            return None
        said = timed(line, bare=found.dense or found.names_above)
        if said and said.speaker and not found.strangers and names is not None and said.speaker not in names:
            said = timed(line, bare=found.dense, named_too=False)
        if said:
            if found.names_above and not said.speaker and is_name(said.text):
                said = said._replace(speaker=said.text.strip(), text="")
            if said.speaker and names is not None:
                names.add(said.speaker)
            return said
        time = time_alone(line, brackets=True)
        if time is not None and (found.dense or line.lstrip()[0] in "[("):
            return Said("", "", time)
        if _BROKEN_TIME.match(line[:LONGEST]):
            return "a turn whose time cannot be read"
        said = named(line)
        return said if said and (names is None or said.speaker in names) else None

    def _zoom(self, line: str) -> Said | str | None:
        """Zoom writes the time of the day, in captions and in the chat."""
        said = zoom_heading(line)
        if said is None and (_BROKEN_ZOOM.fullmatch(line[:LONGEST]) or _BROKEN_CHAT.match(line[:LONGEST])):
            return "a turn whose time cannot be read"
        return said

    def _meet(self, line: str) -> Said | str | None:
        if self._awaits_start:
            return None
        said = named(line)
        if said is None:
            return None
        start, self._time = self._time, None
        return said._replace(start=start)

    def _otter(self, line: str) -> Said | str | None:
        """The name, the time, and the text below."""
        apart = self._apart or self._found.dense
        said = heading(line, apart=apart)
        if said:
            return said
        if self._form == "otter" and apart and (time := time_alone(line)) is not None:
            return Said("", "", time)
        if self._apart and _BROKEN_HEADING.fullmatch(line[:LONGEST]):
            return "a turn whose time cannot be read"
        return None

    def _teams(self, line: str) -> Said | str | None:
        """As Otter; or times with an arrow, and the name below; or, pasted, the name, and the time in words below."""
        if "-->" in line:
            cue = cue_times(line)
            self._expects_name = isinstance(cue, Cue)
            return Said("", "", cue.start, cue.end) if isinstance(cue, Cue) else f"a cue: {cue}"
        if self._expects_name:
            return None
        turn = self._turn
        is_new = self._apart or turn is None or bool(turn.lines)
        time = time_below(line, self._below) if is_new else None
        if time is not None:
            return Said(line.strip(), "", time)
        time = spoken(line) if (said := spoken_heading(line)) is None else said.start
        if time is None and not is_new:
            time = time_alone(line)
        if time is not None:
            speaker = said.speaker if said else turn.said.speaker if turn and isinstance(turn.said, Said) else ""
            return Said(speaker, "", time)
        return self._otter(line)

    # -- all other lines

    def _is_structure(self, line: str) -> bool:
        if len(line) > LONGEST:
            return False
        if self._form == "teams":
            return _TEAMS.fullmatch(line) is not None or _is_picture(line, self._below)
        if self._form == "otter":
            return _OTTER.fullmatch(line) is not None
        if self._form != "meet":
            return False
        time = time_alone(line)
        if time is not None:
            self._time, self._awaits_start = time, False
        return time is not None or _MEET_END.fullmatch(line) is not None

    def _text(self, number: int, line: str) -> Iterator[Piece]:
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
        if self._form == "meet" and is_meet_start(line):
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

    def _close(self) -> Iterator[Piece]:
        turn, self._turn = self._turn, None
        if turn is None:
            return
        if isinstance(turn.said, str):
            reason = f"{turn.said}; its text is in {lines_from(turn.first, turn.last)}"
            yield from self._lost(turn.first, turn.count, reason, _TIMES)
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


def _completed(first: Said, second: Said) -> Said | None:
    """One beginning of a turn out of two lines that do not contradict each other; None if they do."""
    if first.speaker and second.speaker and first.speaker != second.speaker:
        return None
    if first.start is not None and second.start is not None and first.start != second.start:
        return None
    start = second.start if first.start is None else first.start
    return Said(first.speaker or second.speaker, "", start, second.end if first.end is None else first.end)


def _with_next(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str, list[str]]]:
    """Each line, with those that stand behind it."""
    window: deque[tuple[int, str]] = deque()
    for one in lines:
        window.append(one)
        if len(window) > NEXT_LINES:
            number, line = window.popleft()
            yield number, line, [text for _, text in window]
    while window:
        number, line = window.popleft()
        yield number, line, [text for _, text in window]


def _is_picture(line: str, below: Sequence[str]) -> bool:
    """The initials that Teams has in place of a picture, above the name."""
    letters = line.strip()
    if not (letters.isalpha() and letters.isupper() and len(letters) <= 3):
        return False
    lines = [text for text in below if text.strip()]
    initials = {word[0].upper() for word in lines[0].split()} if lines else set()
    return initials >= set(letters) and time_below(lines[0], lines[1:]) is not None
