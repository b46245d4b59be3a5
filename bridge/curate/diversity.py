"""Diversity: of many records, those that are least like each other."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from typing import TYPE_CHECKING, Any, Protocol

from bridge.curate.items import texts
from bridge.curate.result import Dropped, Result
from bridge.curate.select import rank, sample_size
from bridge.records import Record

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DIMENSIONS = 1024
_GRAM = 5
_BLOCK = 4096


class Encoder(Protocol):
    """Anything that makes vectors of texts: model2vec, sentence-transformers, or a class of one's own."""

    def encode(self, texts: list[str], /) -> Any:
        """An array of (texts, dimensions)."""


class HashedGrams:
    """Texts as hashed 5-grams of their bytes (feature hashing, Weinberger et al. 2009): no model, any language.

    A gram that many texts share counts less, by its inverse document frequency within the texts that are encoded
    together. Such vectors tell wording apart, not meaning.

    >>> vectors = HashedGrams().encode(["Add 2 and 3.", "Add 2 and 4.", "Der Himmel ist blau."])
    >>> bool(vectors[0] @ vectors[1] > vectors[0] @ vectors[2]), vectors.shape
    (True, (3, 1024))
    """

    def encode(self, texts: list[str], /) -> NDArray[np.float32]:
        """Vectors of length 1, or 0 for an empty text; ``(texts, 1024)``, 4 kB a text."""
        import numpy as np

        vectors = np.zeros((len(texts), DIMENSIONS), np.float32)
        for row, text in enumerate(texts):
            raw = np.frombuffer(text.lower().encode(errors="replace"), np.uint8).astype(np.uint32)
            if not len(raw):
                continue
            size = min(_GRAM, len(raw))
            grams: NDArray[np.uint32] = np.zeros(len(raw) - size + 1, np.uint32)
            for offset in range(size):
                grams *= np.uint32(16777619)
                grams += raw[offset : len(raw) - size + 1 + offset]
            # Multiplication spreads the bits upwards, so that the highest ones are the best mixed.
            grams *= np.uint32(2654435769)
            vectors[row] = np.log1p(np.bincount(grams >> 22, minlength=DIMENSIONS))
        present = (vectors > 0).sum(axis=0)
        vectors *= np.log((1 + len(texts)) / (1 + present)).astype(np.float32) + 1
        return unit(vectors)


def unit(vectors: Any) -> NDArray[np.float32]:
    """Vectors at length 1; those of length 0 stay as they are."""
    import numpy as np

    found: NDArray[np.float32] = np.array(vectors, np.float32)
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    found /= np.where(lengths > 0, lengths, 1)
    return found


def farthest_first(
    vectors: NDArray[np.float32], size: int, *, begin: int = 1, tick: Callable[[int], None] | None = None
) -> list[tuple[int, float]]:
    """Indices in the order of the choice, each with its cosine distance to the nearest one chosen before.

    Farthest-first traversal (T. Gonzalez, "Clustering to minimize the maximum intercluster distance", 1985): begin with
    the first vector, then always take the one that is farthest from all that were taken. Whatever is left is at most
    twice as far from its nearest choice as the best choice of so many could make it, and a longer choice begins with
    the shorter one.

    Args:
        vectors: ``(n, dimensions)``, of length 1.
        size: how many to choose.
        begin: so many of the first ones are chosen before the search begins.
        tick: told how many were chosen.
    """
    import numpy as np

    if not len(vectors) or size < 1:
        return []
    nearest = np.full(len(vectors), 2.0, np.float32)
    taken = np.zeros(len(vectors), bool)
    chosen: list[tuple[int, float]] = []
    for index in range(min(max(1, begin), len(vectors))):
        chosen.append((index, float(nearest[index])))
        taken[index] = True
        np.minimum(nearest, 1 - vectors @ vectors[index], out=nearest)
    while len(chosen) < min(size, len(vectors)):
        index = int(np.argmax(np.where(taken, -1.0, nearest)))
        chosen.append((index, max(0.0, float(nearest[index]))))
        taken[index] = True
        np.minimum(nearest, 1 - vectors @ vectors[index], out=nearest)
        if tick is not None:
            tick(len(chosen))
    return chosen


def diverse(
    records: Iterable[Record],
    *,
    size: int | None = None,
    share: float | None = None,
    encoder: Encoder | None = None,
    on: str = "both",
    seed: int = 0,
    held: Container[str] = (),
    tick: Callable[[int], None] | None = None,
) -> Result:
    """Keep the records that differ most from each other, whatever the order of the rows.

    Each dropped record names the kept one that it is most like, and their cosine similarity.

    Args:
        records: each with a key of its own.
        size: how many; or
        share: which part of them.
        encoder: makes vectors of texts; by default :class:`HashedGrams`, which needs no model.
        on: ``prompt``, ``response`` or ``both``.
        seed: decides where the choice begins.
        held: keys of records that are chosen whatever happens, and first.
        tick: told how many were chosen.

    Raises:
        UsageError: neither or both of size and share, or one that cannot be right.

    >>> prompts = ["Add 2 and 3.", "Add 2 and 4.", "Add 3 and 4.", "Why is the sky blue?"]
    >>> rows = [Record(f"r{n}", {"prompt": prompt}) for n, prompt in enumerate(prompts)]
    >>> "r3" in [row.key for row in diverse(rows, size=2).kept]
    True
    """
    import numpy as np

    ranked = sorted(enumerate(records), key=lambda pair: (pair[1].key not in held, rank(pair[1].key, seed), pair[0]))
    begin = sum(record.key in held for _, record in ranked)
    wanted = max(begin, sample_size(len(ranked), size, share))
    if not ranked:
        return Result()
    vectors = unit((encoder or HashedGrams()).encode([texts(record, on) for _, record in ranked]))
    chosen = [index for index, _ in farthest_first(vectors, wanted, begin=begin, tick=tick)]
    picked = set(chosen)
    left = [index for index in range(len(ranked)) if index not in picked]
    dropped: dict[int, Dropped] = {}
    for start in range(0, len(left), _BLOCK):
        block = left[start : start + _BLOCK]
        alike = vectors[block] @ vectors[chosen].T
        for index, nearest, similarity in zip(block, np.argmax(alike, axis=1), alike.max(axis=1), strict=True):
            place, record = ranked[index]
            like = ranked[chosen[int(nearest)]][1].key
            score = round(min(1.0, float(similarity)), 4)
            dropped[place] = Dropped(record.key, "sample", "alike", score, kept=like)
    kept = [record for _, record in sorted((ranked[index] for index in chosen), key=lambda pair: pair[0])]
    why = {"alike": len(dropped)} if dropped else {}
    return Result(kept, [dropped[place] for place in sorted(dropped)], why)
