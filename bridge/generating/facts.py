"""Numbers and names that a variant of a text lost or invented.

A model that is to say the same in other words now and then says something else: 15 instead of 50, another city. What
is found here is what can be seen without a model of language:

- **Numbers** are digits, in any script, or English number words (:mod:`bridge.generating.amounts`). The parts of a date
  are numbers: written in another way it counts as lost. Signs, units, and percent are not looked at.
- **Names** are words with a capital letter within a sentence, words with one in their middle (NASA, iPhone), and those
  that the caller knows. A name is lost if its word is gone, however it is written. The first word of a sentence has a
  capital in any case, so a name that stands only there, and that nobody knows, is not seen.

German writes all nouns with a capital, and Chinese knows none: there only known names can be told
(:func:`capitals_tell`). In scripts without capitals these are looked for anywhere in a text, for not all of them part
their words.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from bridge.generating.amounts import Amount, amounts, is_amount

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_POSSESSIVE = re.compile(r"['’]s?$", re.IGNORECASE)
_ENDS_SENTENCE = re.compile(r"[.!?:;…。！？\n\r\t\"“”„«»‘`*#>(\[{|•]|(?:^|\s)[-–—]")
_BEFORE_NAMES = frozenset(("dr", "mr", "mrs", "ms", "prof", "st", "sr", "jr"))
_NO_NAMES = frozenset(
    (
        *("i", "a", "an", "the", "and", "or", "not", "no", "yes", "ok", "all", "any", "only", "must", "never"),
        *("always", "do", "does", "is", "are", "if", "then", "else", "please", "true", "false"),
        *("i'm", "i've", "i'll", "i'd", "i’m", "i’ve", "i’ll", "i’d"),
    )
)
_GERMAN_LIKE = 0.2


@dataclass(frozen=True, slots=True)
class Changes:
    """What stands in only one of two texts.

    >>> changes("Ask Ann for 3 dates.", "Ask Anna for three dates.")
    Changes(lost_numbers=(), invented_numbers=(), lost_names=('Ann',), invented_names=('Anna',))
    >>> changes("Ask Ann for 3 dates.", "Ask Anna for three dates.").reason()
    'the name Ann is lost, the name Anna is invented'
    """

    lost_numbers: tuple[str, ...] = ()
    invented_numbers: tuple[str, ...] = ()
    lost_names: tuple[str, ...] = ()
    invented_names: tuple[str, ...] = ()

    def reason(self, *, may_lose: bool = False, may_invent: bool = False) -> str:
        """What is not allowed of it, in words; empty if all is."""
        told = [] if may_lose else [("number", "lost", self.lost_numbers), ("name", "lost", self.lost_names)]
        told += (
            []
            if may_invent
            else [
                ("number", "invented", self.invented_numbers),
                ("name", "invented", self.invented_names),
            ]
        )
        return ", ".join(_told(kind, what, found) for kind, what, found in told if found)


def changes(before: str, after: str, *, names: Iterable[str] = (), beside: str = "", capitals: bool = True) -> Changes:
    """Which numbers and names one text has and the other has not.

    Args:
        before: the text that was given.
        after: what a model made of it.
        names: further names; each may have several words.
        beside: a text in which the numbers and names of ``after`` may stand as well, such as the prompt of an answer.
        capitals: whether a capital letter makes a name.

    >>> changes("We sold 1,500 units in May.", "In May 1500 units were sold in Rome.").invented_names
    ('Rome',)
    """
    before, after, beside = (unicodedata.normalize("NFC", text) for text in (before, after, beside))
    parts = [part for name in names for part in unicodedata.normalize("NFC", name).split()]
    bare = [part for part in parts if part.lower() == part.upper()]
    known = {word.casefold() for part in parts if part not in bare for word in _WORD.findall(part)}
    source = f"{before}\n{beside}"
    old_words, new_words = _all_words(source), _all_words(after)
    lost = [name for name in _names(before, known, capitals) if name.casefold() not in new_words]
    invented = [name for name in _names(after, known, capitals) if name.casefold() not in old_words]
    return Changes(
        _without(amounts(before), amounts(after)),
        _without(amounts(after), amounts(source)),
        _unique([*lost, *(name for name in bare if name in before and name not in after)]),
        _unique([*invented, *(name for name in bare if name in after and name not in source)]),
    )


def capitals_tell(texts: Iterable[str]) -> bool:
    """Whether capital letters tell names in these texts: not where every fifth word within a sentence has one.

    >>> capitals_tell(["Please write a short note to Ann about the party on Friday evening."])
    True
    >>> capitals_tell(["Bitte schreibe eine kurze Nachricht über das Fest und die Gäste an die Familie in der Stadt."])
    False
    """
    inner = [word[:1].isupper() for text in texts for word, first in _words(text) if not first]
    return sum(inner) <= _GERMAN_LIKE * len(inner) if len(inner) >= 10 else True


def _told(kind: str, what: str, found: tuple[str, ...]) -> str:
    listed = ", ".join(f"{text:.40}" for text in found[:5]) + (", ..." if len(found) > 5 else "")
    return f"the {kind}{'s' if len(found) > 1 else ''} {listed} {'are' if len(found) > 1 else 'is'} {what}"


def _without(some: Iterable[Amount], others: Iterable[Amount]) -> tuple[str, ...]:
    """Which of some numbers are surely none of the others, as they stand there."""
    there = {reading for one in others for reading in one.readings}
    return _unique(one.text for one in some if one.sure and there.isdisjoint(one.readings))


def _unique(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(found))


# -- names


def _words(text: str) -> Iterator[tuple[str, bool]]:
    """Words without the possessive's ending, and whether a sentence, a line or a quotation begins with them."""
    before, end = "", None
    for match in _WORD.finditer(text):
        gap = text[end : match.start()] if end is not None else ""
        after_title = gap.startswith(".") and (before.casefold() in _BEFORE_NAMES or len(before) == 1)
        first = end is None or (_ENDS_SENTENCE.search(gap[1:] if after_title else gap) is not None)
        before, end = _POSSESSIVE.sub("", match[0]) or match[0], match.end()
        yield before, first


def _all_words(text: str) -> set[str]:
    return {word.casefold() for word, _ in _words(text)}


def _names(text: str, known: Collection[str], capitals: bool) -> Iterator[str]:
    found = list(_words(text))
    shouted = sum(word.isupper() and len(word) > 1 for word, _ in found) > len(found) / 2
    for word, first in found:
        folded = word.casefold()
        if folded in known:
            yield word
        elif capitals and folded not in _NO_NAMES and not is_amount(word) and not shouted:
            inside = any(char.isupper() for char in word[1:])
            if inside or (word[0].isupper() and not first):
                yield word
