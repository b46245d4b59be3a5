"""MinHash LSH by datasketch, for sets that exceed memory and for those who keep such an index already.

Its candidates are only candidates: each is verified on the shingles themselves, so that nothing is dropped that is not
a duplicate. It still misses some pairs; :mod:`bridge.curate.near` misses none, and is faster below millions of texts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from bridge.curate.near import check_threshold
from bridge.curate.tokens import jaccard, shingles
from bridge.errors import UsageError

PERMUTATIONS = 128
_BATCH = 1000


def minhash(
    texts: Sequence[str],
    threshold: float = 0.7,
    n: int = 3,
    order: Iterable[int] | None = None,
    *,
    index: Any = None,
) -> dict[int, tuple[int, float]]:
    """Duplicates among candidates: index to the index of what was kept, and their exact Jaccard similarity.

    Args:
        texts: compared by their word n-grams.
        threshold: above 0, at most 1. The LSH asks for candidates somewhat below it, and finds more of them so.
        n: words in a shingle.
        order: whose turn comes first.
        index: an empty ``datasketch.MinHashLSH`` of one's own, such as one with its storage in Redis. Its keys are
            indices.

    Raises:
        UsageError: datasketch is not installed, or the threshold is none.

    >>> minhash(["the cat sat on the mat", "The cat sat on the mat!", "two dogs"])
    {1: (0, 1.0)}
    """
    check_threshold(threshold)
    try:
        from datasketch import MinHash, MinHashLSH
    except ImportError:
        raise UsageError(
            "method minhash needs datasketch, which is not installed",
            remedy="pip install 'annobridge[minhash]', or use the method near, which is exact",
        ) from None
    lsh = index if index is not None else MinHashLSH(threshold=0.8 * threshold, num_perm=PERMUTATIONS)
    turns = list(range(len(texts)) if order is None else order)
    turn_of = {at: turn for turn, at in enumerate(turns)}
    matches: dict[int, tuple[int, float]] = {}
    for start in range(0, len(turns), _BATCH):
        batch = turns[start : start + _BATCH]
        sets = [shingles(texts[at], n) for at in batch]
        encoded = [[" ".join(shingle).encode("utf-8", "surrogatepass") for shingle in found] for found in sets]
        for at, found, sketch in zip(batch, sets, MinHash.bulk(encoded, num_perm=PERMUTATIONS), strict=True):
            if not found:
                continue
            candidates = sorted(map(int, lsh.query(sketch)), key=turn_of.__getitem__)
            verified = [(jaccard(found, shingles(texts[other], n)), other) for other in candidates]
            score, kept = max(verified, key=lambda pair: pair[0], default=(0.0, -1))
            if score >= threshold:
                matches[at] = (kept, score)
            else:
                lsh.insert(str(at), sketch)
    return matches
