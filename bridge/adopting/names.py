"""Names in any language as names that a template may have: the same each time, and never two alike."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Literal, TypeAlias

from bridge.questions import numbered

Kind: TypeAlias = Literal["field", "question", "option"]

_LONGEST = 50  # of 60, so that a number has room behind it
_LETTERS = {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ł": "l", "ı": "i", "þ": "th", "ð": "d"}


def folded(text: str) -> str:
    """A text in the letters that names have; empty if any of its letters or digits would be lost.

    >>> folded("Qualität der Antwort"), folded("response-1"), folded("质量"), folded("2nd try")
    ('qualitat_der_antwort', 'response_1', '', '2nd_try')
    """
    plain = unicodedata.normalize("NFKD", "".join(_LETTERS.get(char, char) for char in text.casefold()))
    kept = "".join(char for char in plain if not unicodedata.combining(char))
    if any(char.isalnum() and not char.isascii() for char in kept):
        return ""
    return re.sub("[^a-z0-9]+", "_", kept).strip("_")


class Names:
    """Gives out the names of one template: to each original the next free one that resembles it.

    Args:
        known: what :attr:`given` was at an earlier time: what had a name then keeps it.

    >>> names = Names()
    >>> [names.give(original, "question") for original in ("Quality!", "quality", "质量", "2nd", "bridge_x")]
    ['quality', 'quality_2', 'question_1', 'question_2nd', 'question_bridge_x']
    >>> Names({"question:质量": "question_7"}).give("质量", "question")
    'question_7'
    """

    def __init__(self, known: Mapping[str, str] | None = None) -> None:
        self._known = dict(known or {})
        self._taken = set(self._known.values())
        self._stems: set[str] = set()
        self.given: dict[str, str] = {}

    def give(self, original: str, kind: Kind, *, stem: bool = False) -> str:
        """The name of what is called ``original`` on the server; always the same for the same thing.

        Args:
            kind: a field and a question of one original are two things. It also stands before what could be no name
                by itself, and a number behind it is the name of what has no letters that names have.
            stem: the name is that of a repeated field: no other may be the same with a number behind it.
        """
        thing = f"{kind}:{original}"
        if thing not in self.given:
            known = self._known.get(thing)
            self.given[thing] = known if known and not self._clashes(known, stem) else self._new(original, kind, stem)
            self._taken.add(self.given[thing])
            if stem:
                self._stems.add(self.given[thing])
        return self.given[thing]

    def _new(self, original: str, kind: str, stem: bool) -> str:
        name = folded(original)
        if name and (not name[0].isalpha() or name.startswith("bridge_")):
            name = f"{kind}_{name}"
        name = name[:_LONGEST].strip("_")
        number = 1
        candidate = name or f"{kind}_1"
        while candidate in self._taken or self._clashes(candidate, stem):
            number += 1
            candidate = f"{name or kind}_{number}" if not stem else f"{name or kind}_{number}_item"
        return candidate

    def _clashes(self, name: str, stem: bool) -> bool:
        pair = numbered(name)
        if pair is not None and (stem or pair[0] in self._stems):
            return True
        return stem and any((numbered(other) or ("", 0))[0] == name for other in self._taken)
