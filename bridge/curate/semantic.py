"""Semantic duplicates: embeddings whose cosine similarity reaches a threshold, found exactly and in bounded memory.

Two encoders as a cascade: a static one (such as model2vec's), some hundred times cheaper, looks at everything, and a
sentence encoder (such as MiniLM) judges only the texts that it finds alike. The static one alone is a prefilter, not a
judge: where it was measured, half of its pairs and more were none to the judge.

An encoder is anything with ``encode(list of texts) -> array``; nothing is ever fetched from a network.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridge.curate.diversity import Encoder, unit
from bridge.curate.near import check_threshold
from bridge.curate.tokens import Counts
from bridge.errors import UsageError

Vectors = NDArray[np.float32]

BLOCK = 2048
"""Rows that are compared at a time; a block of similarities takes ``4 * BLOCK**2`` bytes, 16 MB."""

_CLOSE = 1e-4  # more than single precision is wrong by; what is this close to the threshold is computed in double


def cosine_pairs(vectors: Vectors, threshold: float, *, block: int = BLOCK) -> Iterator[tuple[int, int, float]]:
    """All pairs of vectors with a cosine similarity of at least the threshold, whatever the blocks.

    Blocked products of the upper triangle; vectors of length 0 are like nothing.

    Args:
        vectors: ``(n, dimensions)``, of any length.
        threshold: above 0, at most 1.
        block: rows at a time.

    >>> vectors = np.array([[1, 0], [2, 0.1], [0, 1]], np.float32)
    >>> [(left, right, round(score, 3)) for left, right, score in cosine_pairs(vectors, 0.9)]
    [(0, 1, 0.999)]
    """
    check_threshold(threshold)
    vectors = unit(vectors)
    for top in range(0, len(vectors), block):
        for side in range(top, len(vectors), block):
            left, right, scores = _above(vectors[top : top + block], vectors[side : side + block], threshold)
            upper = left + top < right + side
            yield from zip(
                (left[upper] + top).tolist(), (right[upper] + side).tolist(), scores[upper].tolist(), strict=True
            )


def _above(left: Vectors, right: Vectors, threshold: float) -> tuple[Counts, Counts, NDArray[np.float64]]:
    """Where the product of two blocks of unit vectors reaches a threshold, and the products in double precision."""
    rows, columns = np.divmod(np.flatnonzero(left @ right.T >= threshold - _CLOSE), max(1, len(right)))
    scores = np.empty(len(rows))
    for start in range(0, len(rows), BLOCK):  # in parts, because every pair may be alike
        some = slice(start, start + BLOCK)
        scores[some] = _double(left[rows[some]], right[columns[some]])
    there = scores >= threshold
    return rows[there], columns[there], np.minimum(scores[there], 1.0)


def _double(left: Vectors, right: Vectors) -> NDArray[np.float64]:
    """Cosines row by row, in double precision."""
    a, b = left.astype(np.float64), right.astype(np.float64)
    lengths = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    result: NDArray[np.float64] = np.round((a * b).sum(axis=1) / np.where(lengths > 0, lengths, 1), 9)
    return result


def cascade(
    texts: Sequence[str],
    static: Encoder | None,
    judge: Encoder | None = None,
    *,
    threshold: float = 0.9,
    static_threshold: float | None = None,
    order: Sequence[int] | None = None,
    block: int = BLOCK,
) -> dict[int, tuple[int, float]]:
    """Semantic duplicates: index to the index of what was kept in its stead, and their cosine similarity.

    Greedy: each text is compared with those kept so far, in the order of turns, and dropped if it is like one of them.

    Args:
        texts: blank ones are like nothing.
        static: embeds all texts. None leaves everything to the judge.
        judge: embeds those that ``static`` finds alike, and decides. None leaves everything to ``static``.
        threshold: of whoever decides.
        static_threshold: from which on ``static`` asks the judge; 0.85 by default.
        order: whose turn comes first.
        block: rows at a time.

    Raises:
        UsageError: there is no encoder, or a threshold is none.

    >>> class Letters:
    ...     def encode(self, texts):
    ...         return [[text.count(letter) for letter in "abc"] for text in texts]
    >>> cascade(["aab", "c", "aba"], Letters())
    {2: (0, 1.0)}
    """
    if static is None and judge is None:
        raise UsageError(
            "method semantic: there is no encoder",
            remedy="name a folder with a model, such as one of model2vec or sentence-transformers, "
            "or pass an object with encode(texts)",
        )
    check_threshold(threshold)
    first_threshold = threshold
    if static is not None and judge is not None:
        first_threshold = 0.85 if static_threshold is None else static_threshold
    check_threshold(first_threshold)
    turns = np.arange(len(texts)) if order is None else np.asarray(order, np.int64)
    turns = np.array([at for at in turns.tolist() if texts[at].strip()], np.int64)
    listed = [texts[at] for at in turns.tolist()]
    vectors = _encoded(static or judge, listed)
    judged = None
    if static is not None and judge is not None:
        involved = np.flatnonzero(_involved(vectors, first_threshold, block))
        judged = np.zeros((len(listed), 0), np.float32)
        if len(involved):
            found = _encoded(judge, [listed[at] for at in involved.tolist()])
            judged = np.zeros((len(listed), found.shape[1]), np.float32)
            judged[involved] = found
    found_by_turn = _greedy(vectors, first_threshold, judged, threshold, block)
    return {int(turns[turn]): (int(turns[kept]), score) for turn, (kept, score) in found_by_turn.items()}


def _involved(vectors: Vectors, threshold: float, block: int) -> NDArray[np.bool_]:
    """Which vectors are like any other one."""
    involved = np.zeros(len(vectors), bool)
    for top in range(0, len(vectors), block):
        for side in range(top, len(vectors), block):
            left, right, _ = _above(vectors[top : top + block], vectors[side : side + block], threshold)
            others = left + top != right + side
            involved[left[others] + top] = True
            involved[right[others] + side] = True
    return involved


def _greedy(
    vectors: Vectors, threshold: float, judged: Vectors | None, judge_threshold: float, block: int
) -> dict[int, tuple[int, float]]:
    """Turn to the turn of the kept one that is most like it, the earliest of several, and their similarity."""
    matches: dict[int, tuple[int, float]] = {}
    kept: Counts = np.zeros(0, np.int64)
    for top in range(0, len(vectors), block):
        size = min(block, len(vectors) - top)
        best = np.full(size, -1.0)
        match = np.full(size, -1)
        for start in range(0, len(kept), block):
            some = kept[start : start + block]
            _improve(best, match, *_decided(vectors, judged, top, size, some, threshold, judge_threshold))
        # Within the block each waits for those before it.
        here = np.arange(top, top + size)
        left, right, scores = _decided(vectors, judged, top, size, here, threshold, judge_threshold)
        before = right < left + top
        left, right, scores = left[before], right[before], scores[before]
        starts = np.searchsorted(left, np.arange(size + 1))
        for row in range(size):
            for at in range(starts[row], starts[row + 1]):
                if match[right[at] - top] < 0 and scores[at] > best[row]:
                    best[row], match[row] = scores[at], right[at]
        dropped = match >= 0
        matches |= {top + row: (int(match[row]), float(best[row])) for row in np.flatnonzero(dropped).tolist()}
        kept = np.concatenate([kept, here[~dropped]])
    return matches


def _decided(
    vectors: Vectors,
    judged: Vectors | None,
    top: int,
    size: int,
    others: Counts,
    threshold: float,
    judge_threshold: float,
) -> tuple[Counts, Counts, NDArray[np.float64]]:
    """Rows of a block, turns of others, and similarities that whoever decides finds high enough."""
    left, right, scores = _above(vectors[top : top + size], vectors[others], threshold)
    right = others[right]
    if judged is None or not len(left):
        return left, right, scores
    scores = np.concatenate(
        [
            _double(judged[left[at : at + BLOCK] + top], judged[right[at : at + BLOCK]])
            for at in range(0, len(left), BLOCK)
        ]
    )
    alike = scores >= judge_threshold
    return left[alike], right[alike], np.minimum(scores[alike], 1.0)


def _improve(
    best: NDArray[np.float64], match: Counts, left: Counts, right: Counts, scores: NDArray[np.float64]
) -> None:
    """Take over the best similarity of each row where it is better than what it has; of equal ones the first."""
    order = np.lexsort((right, -scores, left))
    rows, firsts = np.unique(left[order], return_index=True)
    chosen = order[firsts]
    better = scores[chosen] > best[rows]
    best[rows[better]], match[rows[better]] = scores[chosen[better]], right[chosen[better]]


def _encoded(encoder: Any, texts: list[str]) -> Vectors:
    if not texts:
        return np.zeros((0, 1), np.float32)
    vectors = np.asarray(encoder.encode(texts), np.float32)
    if vectors.ndim != 2 or len(vectors) != len(texts):
        raise UsageError(
            f"the encoder answered {vectors.shape} for {len(texts):,} texts",
            remedy="its encode(texts) must return one vector for each text",
        )
    if not np.isfinite(vectors).all():
        raise UsageError("the encoder answered numbers that are none", remedy="use another model")
    return unit(vectors)


def load_encoder(folder: str | Path) -> Encoder:
    """An encoder from a folder on this machine: a static one of model2vec, or one of sentence-transformers.

    Raises:
        UsageError: there is no model in it, or the library that reads it is not installed.
    """
    path = Path(folder)
    if not path.is_dir() or not any((path / name).is_file() for name in ("config.json", "modules.json")):
        raise UsageError(
            f"{path}: not the folder of a model",
            remedy="give the path of a model2vec or sentence-transformers model on this machine; none is fetched",
        )
    sentence = (path / "modules.json").is_file() and (path / "config_sentence_transformers.json").is_file()
    library = "sentence-transformers" if sentence else "model2vec"
    try:
        if sentence:
            from sentence_transformers import SentenceTransformer

            return SentenceTransformer(str(path), local_files_only=True)  # type: ignore[no-any-return]
        from model2vec import StaticModel

        return StaticModel.from_pretrained(path)
    except ImportError:
        raise UsageError(
            f"{path}: reading this model needs {library}, which is not installed",
            remedy="pip install sentence-transformers" if sentence else "pip install 'annobridge[semantic]'",
        ) from None
