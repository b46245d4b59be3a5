"""Texts as sets of word n-grams (shingles), as numbers that stand for the same shingle only.

A word is a run of ``\\w`` characters of the text in lower case (NFC). Characters of scripts that are written without
spaces, such as Chinese, Japanese or Thai, are words of their own; in a text without any word, such as emoji or
brackets, every visible character is one. A text with fewer words than a shingle has is one shingle; a text without
a visible character has none.

Shingles are interned, not only hashed: two of them have the same number if and only if their words are the same. There
are two ways to the same sets, numpy here and C in ``_kernel.c``.
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bridge.curate import kernel
from bridge.errors import UsageError

Engine: TypeAlias = Literal["auto", "c", "numpy"]
"""What does the work: ``c`` the compiled kernel, ``numpy`` Python and numpy, ``auto`` the kernel where there is one."""

Ids: TypeAlias = NDArray[np.uint32]
Codes: TypeAlias = NDArray[np.uint64]
Counts: TypeAlias = NDArray[np.int64]

# Thai, Lao, Tibetan, Myanmar, Khmer, kana, Han and their extensions: written without spaces.
_ALONE = (
    "\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3005-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_IS_ALONE = re.compile(f"[{_ALONE}]")
_WORD = re.compile(r"\w+")
_WORD_OR_ALONE = re.compile(rf"(?=\w)[{_ALONE}]|[^\W{_ALONE}]+")
CLASSES = ((re.compile(rf"[^\W{_ALONE}]+"), 1), (re.compile(rf"(?=\w)[{_ALONE}]"), 2), (re.compile(r"\s+"), 3))
"""What a character can be for the compiled kernel: part of a word, a word of its own, white space."""


def plain(text: str) -> str:
    """A text as it is compared: Unicode form NFC, in lower case.

    >>> plain("CAFE\\u0301") == plain("caf\\u00e9")
    True
    """
    return text.lower() if text.isascii() else unicodedata.normalize("NFC", text).lower()


def words(text: str) -> list[str]:
    """The words of a text, as they are compared.

    >>> words("Don't panic: 2 + 2 = 4!")
    ['don', 't', 'panic', '2', '2', '4']
    >>> words("我们走 now"), words("{} 🎉")
    (['我', '们', '走', 'now'], ['{', '}', '🎉'])
    """
    return _words(plain(text))


def _words(lowered: str) -> list[str]:
    if lowered.isascii() or not _IS_ALONE.search(lowered):
        found = _WORD.findall(lowered)
    else:
        found = _WORD_OR_ALONE.findall(lowered)
    return found or [char for char in lowered if not char.isspace()]


def shingles(text: str, n: int = 3) -> set[tuple[str, ...]]:
    """The word n-grams of one text, the plain way: what all else here must agree with.

    >>> sorted(shingles("a rose is a rose is a rose"))
    [('a', 'rose', 'is'), ('is', 'a', 'rose'), ('rose', 'is', 'a')]
    >>> shingles("Yes."), shingles(" ")
    ({('yes',)}, set())
    """
    found = words(text)
    return {tuple(found[at : at + n]) for at in range(max(1, len(found) - n + 1))} if found else set()


def jaccard(left: set[tuple[str, ...]], right: set[tuple[str, ...]]) -> float:
    """The share of two sets' shingles that both have; 0 where one of them is empty.

    >>> jaccard(shingles("the cat sat on the mat"), shingles("the cat sat on a mat"))
    0.3333333333333333
    """
    common = len(left & right)
    return common / (len(left) + len(right) - common) if common else 0.0


@dataclass(frozen=True, slots=True)
class TokenSets:
    """The shingles of N texts; those that occur once in all texts are only counted, because they can match nothing.

    Args:
        sizes: ``(N,)``, how many different shingles each text has.
        starts: ``(N + 1,)``, where each text's numbers begin and end in ``tokens``.
        tokens: the numbers of shingles that occur more than once, ascending within a text. 0 is the most frequent
            shingle, so that each text's rarest come last.
        distinct: how many numbers there are.
    """

    sizes: Counts
    starts: Counts
    tokens: Ids
    distinct: int

    def __len__(self) -> int:
        return len(self.sizes)

    def of(self, index: int) -> Ids:
        """The numbers of one text."""
        return self.tokens[self.starts[index] : self.starts[index + 1]]


def token_sets(texts: Iterable[str], n: int = 3, *, engine: Engine = "auto") -> TokenSets:
    """The shingles of many texts.

    Args:
        texts: read once, in order; the compiled kernel keeps no copy of them.
        n: words in a shingle, 1 to 16.
        engine: see :data:`Engine`; both give the same sizes, and sets of which the same are equal.

    Raises:
        UsageError: n is not a number of words, or the kernel is asked for and not there.

    >>> sets = token_sets(["a b c d", "b c d e", "x"], engine="numpy")
    >>> sets.sizes.tolist(), sets.of(0).tolist(), sets.of(1).tolist(), sets.of(2).tolist()
    ([2, 2, 1], [0], [0], [])
    """
    check_words(n)
    if kernel.wanted(engine):
        return TokenSets(*kernel.token_sets(map(plain, texts), n))
    ids, lengths = word_ids(texts, Vocabulary(), n)
    at, text = places(lengths, n)
    codes, _ = fold(ids, at, n, int(ids.max(initial=0)).bit_length())
    return ranked(codes, text, len(lengths))


def check_words(n: int) -> None:
    """Refuse what is no length of a shingle.

    Raises:
        UsageError: not 1 to 16.
    """
    if not 1 <= n <= 16:
        raise UsageError(f"{n} words in a shingle: not possible", remedy="give a number from 1 to 16")


class Vocabulary(dict[str, int]):
    """Words to numbers from 1 on; a new word gets the next one. 0 stands for no word."""

    def __missing__(self, word: str) -> int:
        number = self[word] = len(self) + 1
        return number


def word_ids(texts: Iterable[str], vocabulary: Vocabulary, n: int, *, engine: Engine = "numpy") -> tuple[Ids, Counts]:
    """The words' numbers of all texts behind each other, and how many each text has.

    A text that is shorter than a shingle is filled up with zeros, so that it has exactly one.
    """
    if kernel.wanted(engine):
        numbered, counts, found = kernel.word_ids(map(plain, texts), n)
        return np.array([0, *(vocabulary[word] for word in found)], np.uint32)[numbered], counts
    ids, lengths = array("I"), array("q")
    number = vocabulary.__getitem__
    for text in texts:
        found = _words(plain(text))
        ids.extend(map(number, found))
        missing = n - len(found) if found else 0
        if missing > 0:
            ids.extend([0] * missing)
        lengths.append(len(found) + max(missing, 0))
    return np.frombuffer(ids, np.uint32) if ids else np.zeros(0, np.uint32), np.array(lengths, np.int64)


def places(lengths: Counts, n: int) -> tuple[Counts, Counts]:
    """Where shingles begin, and to which text each belongs."""
    ends = np.cumsum(lengths)
    begins = np.ones(int(ends[-1]) if len(ends) else 0, bool)
    for back in range(1, n):
        begins[ends[lengths > 0] - back] = False
    at = np.flatnonzero(begins)
    return at, np.repeat(np.arange(len(lengths)), np.maximum(lengths - (n - 1), 0))


def fold(ids: Ids, at: Counts, n: int, bits: int, tables: Sequence[Codes] | None = None) -> tuple[Codes, list[Codes]]:
    """One number for each shingle, the same for the same words only.

    Words are packed into 64 bits side by side. When there is no room for the next one, what was packed so far is
    replaced by its place in a sorted table.

    Args:
        ids: numbers of words.
        at: where shingles begin.
        n: words in a shingle.
        bits: that every word's number fits into.
        tables: those of an earlier call. A shingle that is not in them gets a number that stands for nothing.

    Returns:
        The numbers, and the tables.
    """
    codes = ids[at].astype(np.uint64)
    made: list[Codes] = []
    used = bits
    for word in range(1, n):
        if used + bits > 64:
            if tables is None:
                table, inverse = np.unique(codes, return_inverse=True)
                codes = inverse.astype(np.uint64)
            else:
                table = tables[len(made)]
                codes = find(table, codes)[0].astype(np.uint64)
            made.append(table)
            used = 32
        codes = (codes << np.uint64(bits)) | ids[at + word]
        used += bits
    return codes, made


def find(table: Codes, codes: Codes) -> tuple[Counts, NDArray[np.bool_]]:
    """Where codes stand in a sorted table, and whether they do; ``len(table)`` for those that do not."""
    places = np.searchsorted(table, codes)
    there = places < len(table)
    there[there] = table[places[there]] == codes[there]
    places[~there] = len(table)
    return places, there


def ranked(codes: Codes, text: Counts, count: int) -> TokenSets:
    """Sets of shingles, given by code and text."""
    _, inverse, occurrences = np.unique(codes, return_inverse=True, return_counts=True)
    shared = np.flatnonzero(occurrences > 1)
    rank = np.full(len(occurrences), -1, np.int64)
    rank[shared[np.argsort(-occurrences[shared], kind="stable")]] = np.arange(len(shared))
    token = rank[inverse]
    many = token >= 0
    sizes = np.bincount(text[~many], minlength=count)
    sets = np.unique((text[many].astype(np.uint64) << np.uint64(32)) | token[many].astype(np.uint64))
    per_text = np.bincount((sets >> np.uint64(32)).astype(np.int64), minlength=count)
    starts = np.concatenate([[0], np.cumsum(per_text)])
    return TokenSets(sizes + per_text, starts, (sets & np.uint64(0xFFFFFFFF)).astype(np.uint32), len(shared))


def passage(left: str, right: str) -> str:
    """The longest run of words that two texts share, as it stands in the first one.

    >>> passage("Well, what is 2 + 2? Tell me.", "What IS 2+2?")
    'what is 2 + 2'
    """
    from difflib import SequenceMatcher

    spans, found = _spans(left), words(right)
    matcher = SequenceMatcher(None, [word for word, _, _ in spans], found, autojunk=False)
    match = matcher.find_longest_match()
    return left[spans[match.a][1] : spans[match.a + match.size - 1][2]] if match.size else ""


def _spans(text: str) -> list[tuple[str, int, int]]:
    """The words of a text with their places in it as it stands, which may differ in length from its plain form."""
    return [(word, m.start(), m.end()) for m in _WORD_OR_ALONE.finditer(text) for word in words(m.group())]
