"""Which texts hold a known item: the share of its word n-grams that stand in a text.

With t the threshold, an item of s shingles is looked for by its ``s - ceil(t * s) + 1`` rarest ones, one of which any
text that holds it must have; how many a text has that has one is counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from bridge.curate.tokens import Counts, Engine, TokenSets, token_sets, words

_EXPANDED = 2**22  # numbers at a time


@dataclass(frozen=True, slots=True)
class Contained:
    """Which texts hold which items, ordered by text, then item.

    Args:
        texts, items: ``(m,)``, indices.
        shares: ``(m,)``, the share of the item's shingles that the text has.
    """

    texts: Counts
    items: Counts
    shares: NDArray[np.float64]


def contained(
    texts: Iterable[str],
    items: Sequence[str],
    threshold: float = 0.5,
    *,
    n: int = 3,
    least: int = 2,
    engine: Engine = "auto",
) -> Contained:
    """All texts that hold at least a share of an item's shingles.

    Args:
        texts: read once.
        items: those of fewer than ``least`` different shingles are left out: three words stand in many a text that has
            never seen the item.
        threshold: above 0, at most 1.
        n: words in a shingle.
        least: see items.
        engine: see :data:`~bridge.curate.tokens.Engine`.

    >>> found = contained(["Tell me: who wrote the novel 'Emma', and when?", "Why not?"],
    ...                   ["Who wrote the novel Emma?", "Why?"])
    >>> found.texts.tolist(), found.items.tolist(), found.shares.tolist()
    ([0], [0], [1.0])
    """
    sets = token_sets(chain(items, texts), n, engine=engine)
    count = len(items)
    asked = np.zeros(sets.distinct, bool)
    asked[sets.tokens[: sets.starts[count]]] = True
    text, token = _hits(sets, count, asked)
    starts, by_token = _rarest(sets, count, threshold, least)
    pairs: list[Counts] = [np.zeros(0, np.int64)]
    matching = starts[token + 1] - starts[token]
    for some in _parts(matching):
        item = by_token[_ranges(starts[token[some]], matching[some])]
        pairs.append(np.unique(np.repeat(text[some], matching[some]) * count + item))
    at, item = np.divmod(np.unique(np.concatenate(pairs)), max(1, count))
    shares = _shares(sets, at, item, text * sets.distinct + token)
    enough = shares >= threshold
    return Contained(at[enough], item[enough], shares[enough])


def sharing(texts: Iterable[str], items: Sequence[str], n: int, *, engine: Engine = "auto") -> tuple[Counts, Counts]:
    """Pairs of texts and items that have a run of n words in common.

    >>> text, item = sharing(["one two three four", "two three", "four"], ["three four", "one three", "four"], 2)
    >>> text.tolist(), item.tolist()
    ([0], [0])
    """
    # A text of fewer words than n is one shingle too, but no run of n words.
    long = [item if len(words(item)) >= n else "" for item in items]
    found = contained(texts, long, 1e-9, n=n, least=1, engine=engine)
    return found.texts, found.items


def _hits(sets: TokenSets, count: int, asked: NDArray[np.bool_]) -> tuple[Counts, Counts]:
    """Text and number of every shingle that some item has too, ascending."""
    start = int(sets.starts[count])
    there = np.flatnonzero(asked[sets.tokens[start:]]) + start
    text = np.searchsorted(sets.starts, there, side="right") - 1 - count
    return text, sets.tokens[there].astype(np.int64)


def _rarest(sets: TokenSets, count: int, threshold: float, least: int) -> tuple[Counts, Counts]:
    """For each shingle the items that are looked for by it, as starts and items."""
    sizes, shared = sets.sizes[:count], np.diff(sets.starts[: count + 1])
    needed = np.maximum(np.ceil(threshold * sizes - 1e-6).astype(np.int64), 1)
    chosen = np.where(sizes >= least, np.maximum(shared - needed + 1, 0), 0)  # the others stand in no text
    tokens = sets.tokens[_ranges(sets.starts[1 : count + 1] - chosen, chosen)].astype(np.int64)
    item = np.repeat(np.arange(count), chosen)[np.argsort(tokens, kind="stable")]
    return np.concatenate([[0], np.cumsum(np.bincount(tokens, minlength=sets.distinct))]), item


def _shares(sets: TokenSets, text: Counts, item: Counts, hits: Counts) -> NDArray[np.float64]:
    common = np.zeros(len(text), np.int64)
    shared = sets.starts[item + 1] - sets.starts[item]
    for some in _parts(shared):
        token = sets.tokens[_ranges(sets.starts[item[some]], shared[some])]
        asked = np.repeat(text[some], shared[some]) * sets.distinct + token
        place = np.searchsorted(hits, asked)
        there = hits[np.minimum(place, len(hits) - 1)] == asked
        common[some] = np.diff(np.concatenate([[0], np.cumsum(there)])[np.cumsum(shared[some])], prepend=0)
    result: NDArray[np.float64] = common / np.maximum(sets.sizes[item], 1)
    return result


def _parts(counts: Counts) -> Iterator[slice]:
    """Slices of as many counts as expand to a bounded number."""
    ends = np.cumsum(counts)
    start = 0
    while start < len(counts):
        end = max(start + 1, int(np.searchsorted(ends, (ends[start - 1] if start else 0) + _EXPANDED, side="right")))
        yield slice(start, end)
        start = end


def _ranges(starts: Counts, counts: Counts) -> Counts:
    """``starts[i], starts[i] + 1, ...``, as many as ``counts[i]``, behind each other."""
    ends = np.cumsum(counts)
    return np.arange(int(ends[-1]) if len(ends) else 0) - np.repeat(ends - counts - starts, counts)
