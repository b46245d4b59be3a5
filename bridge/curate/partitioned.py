"""What a search for duplicates in partitions does in each of them, and what it makes of all pairs in the end.

Whoever moves the partitions about (:mod:`bridge.curate.daft`) only has to bring the same numbers together. No rule is
repeated here: words, shingles, prefixes and similarities are those of :mod:`bridge.curate.tokens` and
:mod:`bridge.curate.near`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from bridge.curate.near import prefix, similarities
from bridge.curate.tokens import Codes, Counts, Vocabulary, find, places, token_sets, word_ids

Matches: TypeAlias = "dict[int, tuple[int, float]]"
"""Number of a dropped record to the number of the one that was kept in its stead, and their similarity."""

_ODD = np.uint64(0x9E3779B97F4A7C15)  # any odd number: a product by it can be undone, so no word is lost in a shingle


@dataclass(frozen=True, slots=True)
class Hashed:
    """The words and shingles of M texts, as numbers that mean the same in every partition.

    Args:
        digests: ``(M,)``, the same for the same words in the same order; None for a text without any.
        sizes: ``(M,)``, how many different shingles each text has.
        codes: of all texts behind each other, ascending within a text.
    """

    digests: list[bytes | None]
    sizes: Counts
    codes: Codes


@dataclass(frozen=True, slots=True)
class Pairs:
    """Similar records: each pair once, by their numbers, and their similarity; ``(m,)``."""

    left: Counts
    right: Counts
    scores: NDArray[np.float64]


NO_PAIRS = Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))


def hashed(texts: Sequence[str], n: int, key: bytes) -> Hashed:
    """Words and shingles of the texts of a partition.

    Two different shingles share a code once in 2**64 times, which costs a comparison and changes no result. Two
    different texts share a digest once in 2**128 times.

    Args:
        texts: of the partition.
        n: words in a shingle.
        key: a secret of this search, the same in all partitions, so that nobody can write texts that share a code.

    >>> one, other = (hashed(texts, 2, b"key") for texts in (["a b c", "x"], ["B, c!", "A b c", ""]))
    >>> one.digests[0] == other.digests[1], other.digests[2], set(other.codes.tolist()) <= set(one.codes.tolist())
    (True, None, True)
    """
    vocabulary = Vocabulary()
    ids, lengths = word_ids(texts, vocabulary, n)
    of_words = b"".join(
        blake2b(word.encode("utf-8", "surrogatepass"), digest_size=16, key=key).digest() for word in ["", *vocabulary]
    )
    hashes = np.frombuffer(of_words, np.uint64).reshape(-1, 2)
    ends = np.cumsum(lengths)
    digests = [
        blake2b(hashes[ids[end - length : end]].tobytes(), digest_size=16, key=key).digest() if length else None
        for end, length in zip(ends.tolist(), lengths.tolist(), strict=True)
    ]
    at, text = places(lengths, n)
    codes = hashes[ids[at], 0]
    for word in range(1, n):
        codes = codes * _ODD + hashes[ids[at + word], 0]
    order = np.lexsort((codes, text))
    codes, text = codes[order], text[order]
    first = np.ones(len(codes), bool)
    first[1:] = (codes[1:] != codes[:-1]) | (text[1:] != text[:-1])
    return Hashed(digests, np.bincount(text[first], minlength=len(texts)), codes[first])


@dataclass(frozen=True, slots=True)
class Order:
    """An order of shingles, the rarest first, that all partitions share.

    Args:
        codes: of frequent shingles, ascending.
        ranks: of the same; 0 is the most frequent. All other shingles are rarer, and among themselves ordered by code.
        complete: whether no shingle but these is in two texts.
    """

    codes: Codes
    ranks: Counts
    complete: bool


def ordered(codes: Codes, complete: bool) -> Order:
    """The order in which given shingles are the most frequent, the first of them most of all."""
    by_code = np.argsort(codes)
    return Order(codes[by_code], by_code, complete)


def prefixes(sizes: Counts, codes: Codes, order: Order, threshold: float) -> tuple[Counts, Codes, Counts]:
    """The shingles of which similar texts must have one in common.

    Args:
        sizes: how many shingles each text has.
        codes: of all texts behind each other.
        order: see there.
        threshold: similarity that is looked for.

    Returns:
        How many each text has of them, these shingles, and at which place of its text each of them is.

    >>> order = ordered(np.array([7, 5], np.uint64), complete=True)
    >>> [found.tolist() for found in prefixes(np.array([3]), np.array([5, 6, 7], np.uint64), order, 0.5)]
    [[1], [5], [1]]
    """
    text = np.repeat(np.arange(len(sizes)), sizes)
    where, known = find(order.codes, codes)
    ranks = np.full(len(codes), len(order.codes), np.int64)
    ranks[known] = order.ranks[where[known]]
    turns = np.lexsort((codes, -ranks, text))
    place = np.arange(len(codes)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    ends = np.array([prefix(size, size, threshold) for size in sizes.tolist()], np.int64)
    taken = place < ends[text]
    if order.complete:
        taken &= known[turns]
    return np.bincount(text[taken], minlength=len(sizes)), codes[turns][taken], place[taken]


def scores(left: Sequence[str], right: Sequence[str], n: int) -> NDArray[np.float64]:
    """The similarity of each text to the one at the same place.

    >>> scores(["a b c d", "x"], ["a b c e", "y"], 2).tolist()
    [0.5, 0.0]
    """
    sets = token_sets([*left, *right], n)
    first = np.arange(len(left))
    return similarities(sets, first, first + len(left))


# -- what is kept


def greedy(order: Counts, groups: Counts, pairs: Pairs) -> Matches:
    """What a greedy join (:func:`bridge.curate.near.join`) drops, from all similar pairs.

    Args:
        order: ``(N,)``, whose turn comes first.
        groups: ``(N,)``, to each record the number that stands for all records of the same words.
        pairs: of such numbers.

    >>> pairs = Pairs(np.array([0, 1]), np.array([1, 3]), np.array([0.75, 0.8]))
    >>> greedy(np.arange(4), np.array([0, 1, 1, 3]), pairs)
    {1: (0, 0.75), 2: (0, 0.75)}
    """
    alike: dict[int, list[tuple[int, float]]] = {}
    for left, right, score in zip(pairs.left.tolist(), pairs.right.tolist(), pairs.scores.tolist(), strict=True):
        alike.setdefault(left, []).append((right, score))
        alike.setdefault(right, []).append((left, score))
    best: Matches = {}  # of each group
    matches: Matches = {}
    for index, group in _involved(order, groups, pairs):
        if group in best:
            matches[index] = best[group]
            continue
        best[group] = (index, 1.0)
        for other, score in alike.get(group, ()):
            if other not in best or score > best[other][1]:  # of equal ones that which was kept first
                best[other] = (index, score)
    return matches


def components(order: Counts, groups: Counts, pairs: Pairs) -> dict[int, int]:
    """The first of its component, for all records that are connected with another, itself included.

    Args:
        order, groups, pairs: as for :func:`greedy`.

    >>> pairs = Pairs(np.array([0, 1]), np.array([1, 3]), np.array([0.75, 0.8]))
    >>> components(np.array([4, 3, 2, 1, 0]), np.array([0, 1, 1, 3, 4]), pairs)
    {3: 3, 2: 3, 1: 3, 0: 3}
    """
    parents: dict[int, int] = {}

    def root(group: int) -> int:
        while (parent := parents.setdefault(group, group)) != group:
            parents[group] = group = parents[parent]
        return group

    for left, right in zip(pairs.left.tolist(), pairs.right.tolist(), strict=True):
        parents[root(left)] = root(right)
    first: dict[int, int] = {}
    return {index: first.setdefault(root(group), index) for index, group in _involved(order, groups, pairs)}


def _involved(order: Counts, groups: Counts, pairs: Pairs) -> list[tuple[int, int]]:
    """Records that may be dropped or may drop others, in their turns, with their groups."""
    involved = np.bincount(groups, minlength=len(groups)) > 1
    involved[pairs.left] = involved[pairs.right] = True
    turns = order[involved[groups[order]]]
    return list(zip(turns.tolist(), groups[turns].tolist(), strict=True))
