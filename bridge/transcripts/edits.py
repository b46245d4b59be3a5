"""Changes of a text that can be undone: what stood where, and what stands there now."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bridge.errors import ValueRejected


@dataclass(frozen=True, slots=True)
class Edit:
    """One change.

    Args:
        start: where it begins in the text as it was, in code points.
        old: what stood there.
        new: what stands there now.

    >>> Edit(0, "Um, w", "W").to_list()
    [0, 'Um, w', 'W']
    """

    start: int
    old: str
    new: str

    def to_list(self) -> list[Any]:
        """The edit as JSON: ``[start, old, new]``."""
        return [self.start, self.old, self.new]

    @classmethod
    def from_list(cls, edit: Sequence[Any]) -> Edit:
        """The inverse of :meth:`to_list`."""
        start, old, new = edit
        return cls(start, old, new)


def applied(raw: str, edits: Iterable[Edit]) -> str:
    """A text with edits made, which are in order and do not overlap.

    Raises:
        ValueRejected: they are those of another text.

    >>> applied("Um, we go.", [Edit(0, "Um, w", "W")])
    'We go.'
    """
    parts, end = [], 0
    for edit in edits:
        if edit.start < end or not raw.startswith(edit.old, edit.start):
            raise _foreign(edit)
        parts += [raw[end : edit.start], edit.new]
        end = edit.start + len(edit.old)
    return "".join([*parts, raw[end:]])


def undone(text: str, edits: Iterable[Edit]) -> str:
    """The text as it was before edits were made; the inverse of :func:`applied`.

    Raises:
        ValueRejected: they are those of another text.

    >>> undone("We go.", [Edit(0, "Um, w", "W")])
    'Um, we go.'
    """
    parts, end, shift = [], 0, 0
    for edit in edits:
        start = edit.start + shift
        if start < end or not text.startswith(edit.new, start):
            raise _foreign(edit)
        parts += [text[end:start], edit.old]
        end = start + len(edit.new)
        shift += len(edit.new) - len(edit.old)
    return "".join([*parts, text[end:]])


def _foreign(edit: Edit) -> ValueRejected:
    return ValueRejected(
        f"an edit at {edit.start} does not fit this text", remedy="use the edits that were made with this very text"
    )


class Draft:
    """A text that is being changed, and remembers which of its characters are the original ones.

    >>> draft = Draft("so   so, good")
    >>> draft.substitute(re.compile(r"\\s+"), lambda match: " ")
    >>> draft.substitute(re.compile("^so "), lambda match: "")
    >>> draft.text, [edit.to_list() for edit in draft.edits()]
    ('so, good', [[0, 'so   ', '']])
    """

    def __init__(self, raw: str) -> None:
        self.raw = raw
        self.text = raw
        self._origins: list[int] | range = range(len(raw))  # of each character; -1 is none

    def substitute(self, pattern: re.Pattern[str], new: Callable[[re.Match[str]], str]) -> None:
        """Replace every match by what ``new`` makes of it."""
        self.replace((match.start(), match.end(), new(match)) for match in pattern.finditer(self.text))

    def replace(self, changes: Iterable[tuple[int, int, str]]) -> None:
        """Replace stretches of the present text, in order and apart, each by another text."""
        text: list[str] = []
        origins: list[int] = []
        end = 0
        for start, stop, new in changes:
            if self.text[start:stop] == new:
                continue
            text += [self.text[end:start], new]
            origins += self._origins[end:start]
            origins += [-1] * len(new)
            end = stop
        if text:
            origins += self._origins[end:]
            self.text = "".join([*text, self.text[end:]])
            self._origins = origins

    def edits(self) -> list[Edit]:
        """What was changed, from the original to the present text."""
        if self.text is self.raw:
            return []
        found: list[Edit] = []
        end = begun = 0
        for at, origin in enumerate([*self._origins, len(self.raw)]):
            if origin < 0:
                continue
            if origin > end or at > begun:
                found.append(Edit(end, self.raw[end:origin], self.text[begun:at]))
            end, begun = origin + 1, at + 1
        return [edit for edit in found if edit.old != edit.new]
