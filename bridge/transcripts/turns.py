"""What a transcript consists of: turns, with where they stand in their source and when they were said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from bridge.files import Reject

UNKNOWN = "Unknown speaker"
"""How someone is called of whom the source does not say who it is; a turn of a conversation must have a name."""

MAX_MERGED = 20_000
"""Longest text of turns that are made one, in code points, so that memory is bounded by it."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What one person said at one time.

    Args:
        speaker: as the source names them; empty where it does not.
        text: what was said, as it stands there; line breaks of a cue are kept.
        lines: first and last line of the source, counted from 1. Documents have paragraphs in place of lines, JSON
            files the numbers of their segments or turns.
        start, end: seconds from the beginning; None where the source has none.
        details: what else the source says of it, such as Whisper's ``avg_logprob``.

    >>> Turn("Ann", "Shall we?", (3, 4), 1.5).to_dict()
    {'speaker': 'Ann', 'text': 'Shall we?', 'lines': [3, 4], 'start': 1.5, 'end': None}
    """

    speaker: str
    text: str
    lines: tuple[int, int]
    start: float | None = None
    end: float | None = None
    details: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The turn as JSON; ``details`` appear only where there are some."""
        line = {
            "speaker": self.speaker,
            "text": self.text,
            "lines": list(self.lines),
            "start": self.start,
            "end": self.end,
        }
        return {**line, "details": dict(self.details)} if self.details else line


Piece: TypeAlias = "Turn | Reject"
"""A turn, or a place of the source that cannot be read as one, with the reason."""


def clock(time: float) -> str:
    """Seconds as people read them.

    >>> clock(3725.5), clock(65)
    ('1:02:05', '1:05')
    """
    minutes, whole = divmod(int(time), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{whole:02}" if hours else f"{minutes}:{whole:02}"


def lines_from(first: int, last: int) -> str:
    """A stretch of lines in words.

    >>> lines_from(3, 3), lines_from(3, 5)
    ('line 3', 'lines 3 to 5')
    """
    return f"line {first}" if first == last else f"lines {first} to {last}"


def merged(turns: Iterable[Turn], limit: int = MAX_MERGED) -> Iterator[Turn]:
    """Consecutive turns of one speaker as one, the texts a line each; turns of nobody in particular stay apart.

    Args:
        turns: in their order.
        limit: longest text that is made this way.

    >>> said = [Turn("Ann", "Shall", (1, 1), 0.0), Turn("Ann", "we?", (2, 2), 1.0, 2.0), Turn("Bo", "Yes.", (3, 3))]
    >>> [(turn.speaker, turn.text, turn.lines, turn.end) for turn in merged(said)]
    [('Ann', 'Shall\\nwe?', (1, 2), 2.0), ('Bo', 'Yes.', (3, 3), None)]
    """
    group: list[Turn] = []
    size = 0
    for turn in turns:
        joins = group and group[0].speaker and turn.speaker == group[0].speaker
        if group and not (joins and size + len(turn.text) < limit):
            yield _one(group)
            group, size = [], 0
        group.append(turn)
        size += len(turn.text) + 1
    if group:
        yield _one(group)


def _one(group: list[Turn]) -> Turn:
    first, last = group[0], group[-1]
    if len(group) == 1:
        return first
    text = "\n".join(turn.text for turn in group)
    return replace(first, text=text, lines=(first.lines[0], last.lines[1]), end=last.end, details={})
