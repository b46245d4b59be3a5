"""From turns as they are read to turns as they are used: named, joined, cleaned, with pseudonyms if wanted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Any

from bridge.transcripts.cleaning import Cleaner
from bridge.transcripts.edits import Edit
from bridge.transcripts.pseudonyms import NameFinder, Pseudonyms
from bridge.transcripts.speakers import Speakers
from bridge.transcripts.turns import UNKNOWN, Turn, merged

_FIRST = 200  # turns by which the language is told


@dataclass(frozen=True, slots=True)
class Treatment:
    """What becomes of turns.

    Args:
        names: speakers get one name each, and consecutive turns of one become one.
        sounds: um, uh, erm and hmm go.
        asides: like, so, you know and their like go between commas.
        more: other fillers, such as ``ähm``.
    """

    names: bool = True
    sounds: bool = True
    asides: bool = False
    more: tuple[str, ...] = ()


AS_WRITTEN = Treatment(names=False, sounds=False)
"""Nothing is changed but white space."""


@dataclass(frozen=True, slots=True)
class Said:
    """A turn that is ready for use.

    Args:
        speaker: never empty.
        text: cleaned.
        lines, start, end: as in the source; see :class:`~bridge.transcripts.turns.Turn`.
        edits: what was changed of the text in the source; with them, :func:`bridge.transcripts.edits.undone` makes it
            anew. None where names were replaced, because edits would give them away.
        details: what else the source says of it.
    """

    speaker: str
    text: str
    lines: tuple[int, int]
    start: float | None
    end: float | None
    edits: list[Edit] | None
    details: dict[str, Any]

    def origin(self) -> dict[str, Any]:
        """Where it comes from, as JSON: lines, times, edits; what is not known is left out."""
        origin: dict[str, Any] = {"lines": list(self.lines)}
        if self.start is not None:
            origin["start"] = self.start
        if self.end is not None:
            origin["end"] = self.end
        if self.edits:
            origin["edits"] = [edit.to_list() for edit in self.edits]
        return {**origin, **self.details}

    def to_dict(self) -> dict[str, Any]:
        """The turn as JSON."""
        return {"speaker": self.speaker, "text": self.text, **self.origin()}


class Preparation:
    """Prepares the turns of one transcript, in order.

    Args:
        treatment: what becomes of them.
        speakers: the names, which may be those of several transcripts.
        pseudonyms: what people are called instead; all who speak must be in ``speakers`` before the first turn.

    Attributes:
        emptied: how many turns held nothing but fillers, and are left out.

    >>> preparation = Preparation(Treatment(), Speakers())
    >>> said = [Turn("ANN LEE", "Um, shall", (1, 1)), Turn("Ann Lee", "we?", (2, 2)), Turn("", "uh", (3, 3))]
    >>> [(turn.speaker, turn.text, turn.lines) for turn in preparation.prepared(said)], preparation.emptied
    ([('Ann Lee', 'Shall we?', (1, 2))], 1)
    """

    def __init__(self, treatment: Treatment, speakers: Speakers, pseudonyms: Pseudonyms | None = None) -> None:
        self._treatment = treatment
        self._speakers = speakers
        self._cleaner = Cleaner(sounds=treatment.sounds, asides=treatment.asides, more=treatment.more)
        self._pseudonyms = pseudonyms
        self._finder = None
        if pseudonyms is not None:
            self._finder = NameFinder(pseudonyms, {name: speakers.spellings(name) for name in speakers.names})
        self.emptied = 0

    def prepared(self, turns: Iterable[Turn]) -> Iterator[Said]:
        """The turns as they are to be used."""
        turns = iter(merged(map(self._named, turns)) if self._treatment.names else turns)
        first = list(islice(turns, _FIRST))
        self._cleaner.learn(turn.text for turn in first)
        for turn in chain(first, turns):
            cleaned = self._cleaner.clean(turn.text)
            if not cleaned.text:
                self.emptied += 1
                continue
            speaker, text, edits = turn.speaker or UNKNOWN, cleaned.text, cleaned.edits
            details = dict(turn.details)
            if self._pseudonyms is None or self._finder is None:
                yield Said(speaker, text, turn.lines, turn.start, turn.end, edits, details)
                continue
            name = self._pseudonyms.of(self._speakers.name(speaker))
            text = self._finder.replaced(text)
            yield Said(name, text, turn.lines, turn.start, turn.end, None, details)

    def _named(self, turn: Turn) -> Turn:
        name = self._speakers.name(turn.speaker)
        # Nobody in particular: two such turns need not be the same person's.
        return replace(turn, speaker="" if name == UNKNOWN else name)
