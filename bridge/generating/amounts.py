"""The numbers in a text, in digits or in English words, and what each of them can mean.

- Digits of any script are numbers. ``1,000`` is ``1000``; since ``1.500`` means one thing in Berlin and another in
  Boston, it may stand for both. ``½`` is ``0.5``; ``5k`` is ``5 thousand``, ``5M`` ``5 million``, ``5B`` and ``5bn``
  are ``5 billion``.
- English number words are numbers up to trillions, with or without digits: ``two hundred and five``, ``1.5 million``,
  ``twenty-first``. ``one``, ``first`` and ``second`` may be other things than numbers, and so are never missed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal

_UNITS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
_UNITS += " seventeen eighteen nineteen"
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth"
_ORDINALS += " fifteenth sixteenth seventeenth eighteenth nineteenth"
_SMALL = {word: number for number, word in enumerate(_UNITS.split())}
_SMALL |= {word: 10 * number for number, word in enumerate(_TENS.split(), 2)}
_LAST = {word: number for number, word in enumerate(_ORDINALS.split(), 1)}
_LAST |= {word.removesuffix("y") + "ieth": value for word, value in _SMALL.items() if value >= 20}
_FEW = {"dozen": 12, "hundred": 100}
_MANY = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_AFTER = {"k": 10**3, "K": 10**3, "M": 10**6, "bn": 10**9, "B": 10**9}
_UNSURE = frozenset(("one", "first", "second"))
_WORDS = (*_SMALL, *_LAST, *_FEW, *_MANY, *(f"{word}s" for word in (*_FEW, *_MANY)))

_MARKS = ".,'’\u00a0\u202f"
_TOKEN = re.compile(
    rf"(?P<digits>\d+(?:[{_MARKS}]\d+)*)(?:(?P<after>(?-i:{'|'.join(_AFTER)}))(?!\w))?"
    r"|(?P<part>[¼-¾⅐-⅞↉])"
    rf"|\b(?P<word>and|{'|'.join(_WORDS)})\b",
    re.IGNORECASE,
)
_GROUPED = re.compile(rf"\d{{1,3}}(?:([{_MARKS}])\d{{3}})(?:\1\d{{3}})*")
_BETWEEN = re.compile(r"[\s-]*")
_EXACT = Context(prec=60)


@dataclass(frozen=True, slots=True)
class Amount:
    """One number of a text.

    Args:
        text: as it stands there.
        readings: what it can mean, as decimal numbers in one fixed spelling.
        sure: whether it surely is a number.
    """

    text: str
    readings: frozenset[str]
    sure: bool = True


def amounts(text: str) -> Iterator[Amount]:
    """The numbers of a text, in their order.

    >>> [(found.text, *sorted(found.readings)) for found in amounts("Two hundred and five of 1,500, or 1.5 million?")]
    [('Two hundred and five', '205'), ('1,500', '1.5', '1500'), ('1.5 million', '1500000')]
    """
    run: list[re.Match[str]] = []
    for token in _TOKEN.finditer(text):
        if run and not _BETWEEN.fullmatch(text, run[-1].end(), token.start()):
            yield from _of(run, text)
            run = []
        run.append(token)
    yield from _of(run, text)


def is_amount(word: str) -> bool:
    """Whether a word is a number or a part of one.

    >>> is_amount("Hundred"), is_amount("5M"), is_amount("3D")
    (True, True, False)
    """
    return _TOKEN.fullmatch(word) is not None


def _of(run: Sequence[re.Match[str]], text: str) -> Iterator[Amount]:
    """The numbers of tokens between which there is nothing else."""
    at = 0
    while at < len(run):
        end, found = _number(run, at)
        if found is not None:
            whole = text[run[at].start() : run[end - 1].end()]
            yield Amount(whole, found, whole.lower() not in _UNSURE)
        at = end


def _number(run: Sequence[re.Match[str]], at: int) -> tuple[int, frozenset[str] | None]:
    """Where the number ends that begins with a token, and what it can mean; None if the token is none (``and``)."""
    if run[at]["part"]:
        return at + 1, frozenset((_spelt(Decimal(str(unicodedata.numeric(run[at]["part"])))),))
    if run[at]["digits"]:
        return _digits(run, at)
    total, least, end = 0, max(_MANY.values()) * 10, at
    while (group := _group(run, end, first=end == at)) is not None:
        after, value = group
        scale = _MANY.get(_word(run, after).removesuffix("s") if after > end else _word(run, after), 1)
        after += scale > 1
        if value * scale >= least or after == end:
            break
        total, least, end = total + value * scale, scale, after
        if scale == 1:
            break
    if end > at:
        return end, frozenset((str(total),))
    word = _word(run, at)  # thousands, dozens: no number, but not to be exchanged
    return at + 1, None if word == "and" else frozenset((word,))


def _digits(run: Sequence[re.Match[str]], at: int) -> tuple[int, frozenset[str]]:
    token, end = run[at], at + 1
    scale = _AFTER.get(token["after"] or "", 1)
    while scale < max(_MANY.values()) and (more := (_FEW | _MANY).get(_word(run, end).removesuffix("s"))):
        scale, end = scale * more, end + 1
    readings = _readings(token["digits"])
    return end, frozenset(_times(reading, scale) for reading in readings)


def _group(run: Sequence[re.Match[str]], at: int, *, first: bool) -> tuple[int, int] | None:
    """Where a number under a thousand ends, and which it is. A scale without a number before it is one of it."""
    start = at + (_word(run, at) == "and" and not first)
    end, value = _below_hundred(run, start)
    few = _FEW.get(_word(run, end).removesuffix("s") if end > start else _word(run, end))
    if few is None:
        if end > start:
            return end, value
        return (start, 1) if first and _word(run, start) in _MANY else None
    end, value = end + 1, few * (value if end > start else 1)
    more = end + (_word(run, end) == "and")
    after, rest = _below_hundred(run, more)
    if few == 100 and after > more and _word(run, after) not in _FEW:
        return after, value + rest
    return end, value


def _below_hundred(run: Sequence[re.Match[str]], at: int) -> tuple[int, int]:
    word = _word(run, at)
    tens = _SMALL.get(word, 0)
    if tens >= 20:
        unit = _SMALL.get(_word(run, at + 1), 0) or _LAST.get(_word(run, at + 1), 0)
        return (at + 2, tens + unit) if 0 < unit < 10 else (at + 1, tens)
    value = _SMALL.get(word, _LAST.get(word))
    return (at, 0) if value is None else (at + 1, value)


def _word(run: Sequence[re.Match[str]], at: int) -> str:
    return (run[at]["word"] or "").lower() if at < len(run) else ""


def _times(reading: str, scale: int) -> str:
    if scale == 1 or reading.count(".") > 1:
        return reading
    return _spelt(_EXACT.multiply(Decimal(reading), Decimal(scale)))


def _spelt(value: Decimal) -> str:
    told = f"{value:f}"
    return (told.rstrip("0").rstrip(".") if "." in told else told) or "0"


def _readings(text: str) -> frozenset[str]:
    """What digits with points and commas can mean.

    >>> sorted(_readings("1.500")), sorted(_readings("1,234.50")), sorted(_readings("10.3.2"))
    (['1.5', '1500'], ['1234.5'], ['10.3.2'])
    """
    digits = "".join(str(unicodedata.decimal(char)) if char.isdecimal() else char for char in text)
    *whole, last = re.split(f"[{_MARKS}]", digits)
    mark = "" if not whole else digits[-len(last) - 1]
    found = set()
    if _GROUPED.fullmatch(digits) or not whole:
        found.add("".join((*whole, last)).lstrip("0") or "0")
    front = digits[: -len(last) - 1] if whole else ""
    if mark and mark in ".," and mark not in front and (len(whole) == 1 or _GROUPED.fullmatch(front)):
        found.add(f"{''.join(whole).lstrip('0') or '0'}.{last}".rstrip("0").rstrip("."))
    return frozenset(found or {digits})
