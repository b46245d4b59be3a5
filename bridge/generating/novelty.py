"""The novelty filter of Self-Instruct: a new instruction is kept if its ROUGE-L with all kept so far is under 0.7.

(Wang et al., "Self-Instruct: Aligning Language Models with Self-Generated Instructions", 2023, section 2.2.)
ROUGE-L of two texts is ``2 * lcs / (words of one + words of the other)``, where ``lcs`` is the length of the longest
common subsequence of their words: the harmonic mean of its share in either. Words are those of
:func:`bridge.curate.tokens.words`.

The longest common subsequence is at most as long as what the two bags of words have in common. So common words are
counted first, and only texts that have enough of them are compared. What is found is the same as by comparing all.
"""

from __future__ import annotations

from array import array
from collections import Counter
from typing import NamedTuple

import numpy as np
from rapidfuzz.distance import LCSseq

from bridge.curate.tokens import words
from bridge.errors import UsageError

THRESHOLD = 0.7
"""From this ROUGE-L on, an instruction is not new."""

_SLACK = 1e-6  # more than the error of a product of floats: the bound may let too much through, but never too little
_UNKNOWN = -1  # a word that no text of the pool has


class Match(NamedTuple):
    """The text of a pool that is most like another one.

    Args:
        name: its name in the pool.
        score: their ROUGE-L.
    """

    name: str
    score: float


def rouge_l(left: str, right: str) -> float:
    """ROUGE-L of two texts, from 0 to 1; 0 where one of them has no words.

    >>> rouge_l("Name three large rivers.", "Name three small rivers!")
    0.75
    """
    ours, theirs = words(left), words(right)
    return _score(LCSseq.similarity(ours, theirs), len(ours), len(theirs))


class Pool:
    """Texts that new ones are compared with.

    Args:
        threshold: from which score on a text is not new; above 0, at most 1.

    Raises:
        UsageError: another threshold.

    >>> pool = Pool()
    >>> pool.admit("seed-1", "Name three large rivers.")
    >>> pool.admit("made-1", "Name three small rivers!")
    Match(name='seed-1', score=0.75)
    >>> len(pool)
    1
    """

    def __init__(self, threshold: float = THRESHOLD) -> None:
        if not 0 < threshold <= 1:
            raise UsageError(
                f"novelty {threshold}: not possible", remedy="give a number above 0, at most 1, such as 0.7"
            )
        self.threshold = threshold
        self._names: list[str] = []
        self._texts: list[list[int]] = []
        self._sizes = array("q")
        self._ids: dict[str, int] = {}
        # Of the n-th occurrence of a word in a text: the texts that have it so often.
        self._postings: dict[tuple[int, int], array[int]] = {}

    def __len__(self) -> int:
        return len(self._names)

    def add(self, name: str, text: str) -> None:
        """Take a text into the pool, whatever it is like."""
        found = [self._ids.setdefault(word, len(self._ids)) for word in words(text)]
        for word, count in Counter(found).items():
            for nth in range(count):
                self._postings.setdefault((word, nth), array("q")).append(len(self._names))
        self._names.append(name)
        self._texts.append(found)
        self._sizes.append(len(found))

    def admit(self, name: str, text: str) -> Match | None:
        """Take a text into the pool if it is new; else say what it is like."""
        match = self.nearest(text)
        if match is None:
            self.add(name, text)
        return match

    def nearest(self, text: str) -> Match | None:
        """The text that is most like this one, if it reaches the threshold; of several equals the first."""
        mine = [self._ids.get(word, _UNKNOWN) for word in words(text)]
        best: tuple[float, int] | None = None
        for other, most in self._possible(mine):
            if best is not None and most < best[0]:
                break  # so are all that follow
            theirs = self._texts[other]
            score = _score(LCSseq.similarity(mine, theirs), len(mine), len(theirs))
            if score >= self.threshold and (best is None or (-score, other) < (-best[0], best[1])):
                best = score, other
        return None if best is None else Match(self._names[best[1]], best[0])

    def _possible(self, mine: list[int]) -> list[tuple[int, float]]:
        """Texts that may reach the threshold, each with the most that it can reach, the highest first."""
        wanted = [(word, nth) for word, count in Counter(mine).items() for nth in range(count)]
        lists = [np.frombuffer(self._postings[key], np.int64) for key in wanted if key in self._postings]
        if not lists:
            return []
        common = np.bincount(np.concatenate(lists), minlength=len(self))
        sizes = np.frombuffer(self._sizes, np.int64) + len(mine)
        found = np.flatnonzero(2 * common >= self.threshold * sizes - _SLACK)
        most = 2 * common[found] / sizes[found]
        order = np.argsort(-most, kind="stable")
        return list(zip(found[order].tolist(), most[order].tolist(), strict=True))


def _score(common: int, left: int, right: int) -> float:
    return 2 * common / (left + right) if common else 0.0
