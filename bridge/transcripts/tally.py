"""Accounts of a reading: every line that is not empty is in a turn, part of the form, or listed as not read."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bridge.errors import InputError
from bridge.transcripts.forms import TITLES, Form

MAX_HEADING = 20
"""Most lines before the first turn that are taken for a title, a date and the like."""


@dataclass(slots=True)
class Tally:
    """What a reading has met.

    Attributes:
        lines: lines of the source that are not empty; of JSON, its segments or turns.
        marks: lines that begin a turn or cue, read or not: in WebVTT and SRT those with ``-->`` and a time.
        read: marks of which there are turns.
        empty: marks with no text below or behind them, or none but what the cue before shows already.
        unread: places that cannot be read; each is listed with its line and reason.
        turns: turns that were made of those read; a cue can hold several.
        in_turns, in_empty, in_unread, structure: how the lines divide: into those of turns, of empty cues, of what
            cannot be read, and those of the form itself, such as notes, indices and titles.
        doubts: what was read all the same, and how often.
        heading: what stands before the first turn.
    """

    lines: int = 0
    marks: int = 0
    read: int = 0
    empty: int = 0
    bad_marks: int = 0
    unread: int = 0
    turns: int = 0
    in_turns: int = 0
    in_empty: int = 0
    in_unread: int = 0
    structure: int = 0
    doubts: dict[str, int] = field(default_factory=dict)
    heading: list[str] = field(default_factory=list)

    def doubt(self, what: str) -> None:
        """Count something that was read and looks odd."""
        self.doubts[what] = self.doubts.get(what, 0) + 1

    def check(self, path: Path) -> None:
        """Compare the accounts.

        Raises:
            InputError: a line or a mark is missing in them, which would be a mistake of ours.
        """
        lines = self.in_turns + self.in_empty + self.in_unread + self.structure
        if lines != self.lines or self.marks != self.read + self.empty + self.bad_marks:
            raise InputError(
                f"{path}: {self.lines:,} lines were met and {lines:,} accounted for, {self.marks:,} marks and "
                f"{self.read + self.empty + self.bad_marks:,}",
                remedy="this is a mistake in annobridge; please report it with the file",
            )

    def to_dict(self) -> dict[str, Any]:
        """The counts as JSON."""
        return {
            "lines": self.lines,
            "marks": self.marks,
            "read": self.read,
            "empty": self.empty,
            "unread": self.unread,
            "turns": self.turns,
            "doubts": dict(self.doubts),
            "heading": list(self.heading),
        }


def mixed(path: Path, own: Form, line: int, other: Form) -> InputError:
    """The error of a file that holds two forms.

    >>> print(mixed(Path("a.vtt"), "webvtt", 7, "zoom"))
    a.vtt:7: two forms in one file: it begins as WebVTT, and here is Zoom text
      remedy: cut it into one file for each, or say --form webvtt if the line is only text
    """
    return InputError(
        f"{path}:{line}: two forms in one file: it begins as {TITLES[own]}, and here is {TITLES[other]}",
        remedy=f"cut it into one file for each, or say --form {own} if the line is only text",
    )
