"""Exact near-duplicate search: which sets of shingles have a Jaccard similarity of at least a threshold.

A prefix-filter join (Bayardo, Ma and Srikant, "Scaling up all pairs similarity search", 2007; Xiao et al., "Efficient
similarity joins for near duplicate detection", 2008). Put each set's shingles in one global order, the rarest first.
Two sets of similarity t or more share at least ``ceil(t * size)`` shingles, so one of the first
``size - ceil(t * size) + 1`` of each must be common. Only sets that share one of these are looked at, and each of them
is verified. No pair is missed, none is wrong, and nothing depends on a seed.

A similarity reaches the threshold if ``common / (left + right - common) >= threshold`` in Python's floats.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bridge.curate import kernel
from bridge.curate.tokens import Counts, Engine, Ids, TokenSets, token_sets
from bridge.errors import UsageError

Mode: TypeAlias = Literal["greedy", "components", "pairs"]
_SLACK = (
    1e-6  # more than the error of the products below, so that a bound may let too much through, but never too little
)


@dataclass(frozen=True, slots=True)
class Joined:
    """What a join found, by index of the sets.

    Args:
        matches: ``(N,)``. Greedy: the kept set that is most like this one, or -1 where this one is kept. Components:
            the member of its component that had the first turn. Otherwise empty.
        scores: ``(N,)``, greedy: the similarity of the match, 0 where there is none. Otherwise empty.
        left, right, similarities: ``(m,)``, pairs: each pair once, ordered by the turns of both.
    """

    matches: Counts
    scores: NDArray[np.float64]
    left: Counts
    right: Counts
    similarities: NDArray[np.float64]


def join(
    sets: TokenSets,
    threshold: float,
    mode: Mode = "greedy",
    *,
    order: Sequence[int] | Counts | None = None,
    first: int = 0,
    engine: Engine = "auto",
) -> Joined:
    """Compare sets with each other, in turns.

    ``greedy``: each set is compared with those kept so far, and kept if it is like none of them. So a dropped set is
    itself like the one that it names, and there are no chains. ``components``: sets that are connected by pairs,
    however long the chain; where very many sets are alike without being equal this takes the square of their number.
    ``pairs``: all pairs.

    Args:
        sets: of :func:`~bridge.curate.tokens.token_sets`.
        threshold: above 0, at most 1.
        mode: see above.
        order: whose turn comes first: indices, each once; the given order by default.
        first: how many of them are taken as kept already, in a greedy join.
        engine: see :data:`~bridge.curate.tokens.Engine`.

    Raises:
        UsageError: no threshold, or the kernel is asked for and not there.

    >>> joined = join(token_sets(["a b c d e", "a b c d f", "x y z"]), 0.5)
    >>> joined.matches.tolist(), joined.scores.tolist()
    ([-1, 0, -1], [0.0, 0.5, 0.0])
    """
    check_threshold(threshold)
    turns: Counts = np.arange(len(sets)) if order is None else np.asarray(order, np.int64)
    if mode == "components":
        # Equal sets have the same matches, so one of them stands for all.
        same = _first_of_equals(sets, turns)
        whole, turns = turns, turns[same[turns] == turns]
    if kernel.wanted(engine):
        by_turn = kernel.join((sets.sizes, sets.starts, sets.tokens, sets.distinct), turns, first, threshold, mode)
    else:
        by_turn = _join(sets, turns, first, threshold, mode)
    matched, common, pairs = by_turn
    nothing, no_scores = np.zeros(0, np.int64), np.zeros(0)
    if mode == "pairs":
        pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
        left, right = turns[pairs[:, 0]], turns[pairs[:, 1]]
        return Joined(nothing, no_scores, left, right, _similarity(sets, left, right, pairs[:, 2]))
    matches = np.full(len(sets), -1)
    found = matched >= 0
    matches[turns[found]] = turns[matched[found]]
    if mode == "components":
        matches[whole] = matches[same[whole]]
        return Joined(matches, no_scores, nothing, nothing, no_scores)
    scores = np.zeros(len(sets))
    left, right = turns[found], turns[matched[found]]
    scores[left] = _similarity(sets, left, right, common[found])
    return Joined(matches, scores, nothing, nothing, no_scores)


def near_pairs(
    texts: Iterable[str], threshold: float = 0.7, *, n: int = 3, engine: Engine = "auto"
) -> list[tuple[int, int, float]]:
    """All pairs of texts whose word n-grams have a Jaccard similarity of at least a threshold: exactly these.

    >>> near_pairs(["the cat sat on the mat today", "The cat sat on the mat, today!", "no cat"])
    [(0, 1, 1.0)]
    """
    found = join(token_sets(texts, n, engine=engine), threshold, "pairs", engine=engine)
    return list(zip(found.left.tolist(), found.right.tolist(), found.similarities.tolist(), strict=True))


def similarities(sets: TokenSets, left: Counts, right: Counts) -> NDArray[np.float64]:
    """The Jaccard similarities of given pairs, whether they reach a threshold or not."""
    marked = np.zeros(sets.distinct, bool)
    common = np.zeros(len(left), np.int64)
    for at in np.argsort(right, kind="stable"):
        mine = sets.of(int(right[at]))
        marked[mine] = True
        common[at] = np.count_nonzero(marked[sets.of(int(left[at]))])
        marked[mine] = False
    return _similarity(sets, left, right, common)


def check_threshold(threshold: float) -> None:
    """Refuse what is no similarity.

    Raises:
        UsageError: not above 0, or above 1.
    """
    if not 0 < threshold <= 1:
        raise UsageError(f"threshold {threshold}: not possible", remedy="give a number above 0, at most 1, such as 0.7")


def _similarity(sets: TokenSets, left: Counts, right: Counts, common: Counts) -> NDArray[np.float64]:
    union = sets.sizes[left] + sets.sizes[right] - common
    result: NDArray[np.float64] = common / np.maximum(union, 1)
    return result


def _first_of_equals(sets: TokenSets, turns: Counts) -> Counts:
    """Of each set the one with the same shingles that comes first."""
    same = np.arange(len(sets))
    seen: dict[bytes, int] = {}
    for index in turns.tolist():
        tokens = sets.of(index)
        if len(tokens) and len(tokens) == sets.sizes[index]:  # shingles of its own make a set unlike all others
            same[index] = seen.setdefault(tokens.tobytes(), index)
    return same


def prefix(size: int, shared: int, threshold: float) -> int:
    """How many of a set's rarest shared shingles any match must have one of.

    ``size - ceil(threshold * size) + 1`` of all, the first ``size - shared`` of which no other set has.

    >>> prefix(10, 10, 0.7), prefix(10, 8, 0.7), prefix(10, 6, 0.7)
    (4, 2, 0)
    """
    needed = max(1, ceil(threshold * size - _SLACK))
    return max(0, shared - needed + 1)


def _join(sets: TokenSets, turns: Counts, first: int, threshold: float, mode: Mode) -> tuple[Counts, Counts, Counts]:
    """What the kernel does, see there; here a dictionary holds the postings, and numpy counts what sets share."""
    sizes = sets.sizes[turns].tolist()
    matches = np.full(len(turns), -1, np.int64)
    overlaps = np.zeros(len(turns), np.int64)
    parents = list(range(len(turns)))
    rows: list[tuple[int, int, int]] = []
    postings = _of_kept(sets, turns, first, threshold)
    marked = np.zeros(sets.distinct, bool)
    for turn, index in enumerate(turns[first:].tolist(), first):
        mine, size = sets.of(index), sizes[turn]
        rarest = _rarest(sets, index, threshold).tolist()
        others: set[int] = set()
        others.update(*(postings[token] for token in rarest if token in postings))
        smallest, largest = threshold * size - _SLACK, size / threshold + _SLACK
        near = [other for other in others if smallest <= sizes[other] <= largest]
        if near:
            marked[mine] = True
            near.sort()
            best = 0.0
            for other, common in zip(near, _common(sets, marked, turns, near), strict=True):
                similarity = common / (size + sizes[other] - common)
                if similarity < threshold:
                    continue
                if mode == "pairs":
                    rows.append((other, turn, common))
                elif mode == "components":
                    left, right = sorted((_root(parents, turn), _root(parents, other)))
                    parents[right] = left
                elif similarity > best:
                    best = similarity
                    matches[turn], overlaps[turn] = other, common
            marked[mine] = False
        if mode != "greedy" or matches[turn] < 0:
            for token in rarest:
                postings.setdefault(token, []).append(turn)
    if mode == "components":
        matches[:] = [_root(parents, turn) for turn in range(len(turns))]
    return matches, overlaps, np.array(rows, np.int64).reshape(-1, 3)


def _of_kept(sets: TokenSets, turns: Counts, first: int, threshold: float) -> dict[int, list[int]]:
    """Postings of the sets that are kept without a look, as far as any other may ask for them."""
    asked = np.zeros(sets.distinct, bool)
    for index in turns[first:].tolist() if first else ():
        asked[_rarest(sets, index, threshold)] = True
    postings: dict[int, list[int]] = {}
    for turn, index in enumerate(turns[:first].tolist()):
        tokens = _rarest(sets, index, threshold)
        for token in tokens[asked[tokens]].tolist():
            postings.setdefault(token, []).append(turn)
    return postings


def _rarest(sets: TokenSets, index: int, threshold: float) -> Ids:
    mine = sets.of(index)
    return mine[len(mine) - prefix(int(sets.sizes[index]), len(mine), threshold) :]


def _common(sets: TokenSets, marked: NDArray[np.bool_], turns: Counts, near: list[int]) -> list[int]:
    """How many shingles each of several sets shares with the marked one."""
    if len(near) == 1:
        return [int(np.count_nonzero(marked[sets.of(int(turns[near[0]]))]))]
    theirs = [sets.of(int(turns[other])) for other in near]
    ends = np.cumsum([len(tokens) for tokens in theirs])
    counted = np.concatenate([[0], np.cumsum(marked[np.concatenate(theirs)])])[ends]
    result: list[int] = np.diff(counted, prepend=0).tolist()
    return result


def _root(parents: list[int], at: int) -> int:
    while parents[at] != at:
        parents[at] = parents[parents[at]]
        at = parents[at]
    return at
