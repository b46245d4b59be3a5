"""Numbers and names that a variant of a text lost or invented.

A model that is to say the same in other words now and then says something else: 15 instead of 50, another city. What
is found here is what can be seen without a model of language:

- **Numbers** are digits, in any script, or English number words. ``1,000`` is ``1000``, ``3`` is ``three``; since
  ``1.500`` means one thing in Berlin and another in Boston, it may stand for both. ``one`` is never missed, since it is
  a pronoun too. The parts of a date are numbers: written in another way it counts as lost.
- **Names** are words with a capital letter within a sentence, words with one in their middle (NASA, iPhone), and those
  that the caller knows. A name is lost if its word is gone, however it is written. The first word of a sentence has a
  capital in any case, so a name that stands only there, and that nobody knows, is not seen.

German writes all nouns with a capital, and Chinese knows none: there only known names can be told
(:func:`capitals_tell`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

_UNITS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
_UNITS += " seventeen eighteen nineteen"
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_NUMBER_WORDS = {word: number for number, word in enumerate(_UNITS.split())}
_NUMBER_WORDS |= {word: 10 * number for number, word in enumerate(_TENS.split(), 2)}
_COMPOUND = rf"({_TENS.replace(' ', '|')})[\s-]+({'|'.join(_UNITS.split()[1:10])})"
_NUMBER_WORD = re.compile(rf"\b(?:{_COMPOUND}|({'|'.join(_NUMBER_WORDS)}))\b", re.IGNORECASE)
_DIGITS = re.compile(r"\d+(?:[.,'’\u00a0\u202f]\d+)*")
_GROUPED = re.compile(r"\d{1,3}(?:([.,'’\u00a0\u202f])\d{3})(?:\1\d{3})*")
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
    known = {part.casefold() for name in names for part in _WORD.findall(name)}
    source = f"{before}\n{beside}"
    old, new = list(_numbers(before)), list(_numbers(after))
    there = [readings for _, readings, _ in _numbers(source)]
    old_words, new_words = _all_words(source), _all_words(after)
    return Changes(
        _unique(text for text, readings, sure in old if sure and not any(readings & other for _, other, _ in new)),
        _unique(text for text, readings, sure in new if sure and not any(readings & other for other in there)),
        _unique(name for name in _names(before, known, capitals) if name.casefold() not in new_words),
        _unique(name for name in _names(after, known, capitals) if name.casefold() not in old_words),
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


def _unique(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(found))


# -- numbers


def _numbers(text: str) -> Iterator[tuple[str, frozenset[str], bool]]:
    """Each number as it stands there, what it can mean, and whether it surely is one."""
    for match in _DIGITS.finditer(text):
        yield match[0], _readings(match[0]), True
    for match in _NUMBER_WORD.finditer(text):
        tens, unit, single = match.groups()
        value = _NUMBER_WORDS[tens.lower()] + _NUMBER_WORDS[unit.lower()] if tens else _NUMBER_WORDS[single.lower()]
        yield match[0], frozenset((str(value),)), value != 1


def _readings(text: str) -> frozenset[str]:
    """What digits with points and commas can mean.

    >>> sorted(_readings("1.500")), sorted(_readings("1,234.50")), sorted(_readings("10.3.2"))
    (['1.5', '1500'], ['1234.5'], ['10.3.2'])
    """
    digits = "".join(str(unicodedata.decimal(char)) if char.isdecimal() else char for char in text)
    *whole, last = re.split(r"[.,'’\u00a0\u202f]", digits)
    mark = "" if not whole else digits[-len(last) - 1]
    found = set()
    if _GROUPED.fullmatch(digits) or not whole:
        found.add("".join((*whole, last)).lstrip("0") or "0")
    front = digits[: -len(last) - 1] if whole else ""
    if mark and mark in ".," and mark not in front and (len(whole) == 1 or _GROUPED.fullmatch(front)):
        found.add(f"{''.join(whole).lstrip('0') or '0'}.{last}".rstrip("0").rstrip("."))
    return frozenset(found or {digits})


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
        elif capitals and folded not in _NO_NAMES and folded not in _NUMBER_WORDS and not shouted:
            inside = any(char.isupper() for char in word[1:])
            if inside or (word[0].isupper() and not first):
                yield word
