"""Semantic pair search: blocked products against the double loop over the whole matrix, in one run.

::

    python benchmarks/semantic.py                # 20,000 vectors of 256 dimensions
    python benchmarks/semantic.py --json

Vectors are made from a seed: random ones, a fifth of which are moved a little from an earlier one. The loop multiplies
the whole matrix at once and looks at each pair of its upper triangle in Python, as people write it; it runs on a part
and its time is multiplied by the number of pairs. Processor seconds, both sides in one thread.
"""

from __future__ import annotations

import argparse
import json
import os
from typing import Any

# One thread for both sides: the seconds of one that waits for others would count.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from curation_texts import cpu, peak

from bridge.curate.semantic import BLOCK, cosine_pairs


def double_loop(vectors: Any, threshold: float) -> set[tuple[int, int]]:
    """Pairs, as people write it."""
    similarities = vectors @ vectors.T
    found = set()
    for left in range(len(vectors)):
        row = similarities[left]
        for right in range(left + 1, len(vectors)):
            if row[right] >= threshold:
                found.add((left, right))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--dimensions", type=int, default=256)
    parser.add_argument("--part", type=int, default=4_000, help="vectors that the loop runs on")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    rng = np.random.default_rng(7)
    vectors = rng.standard_normal((arguments.count, arguments.dimensions)).astype(np.float32)
    copies = rng.choice(np.arange(1, arguments.count), arguments.count // 5, replace=False)
    moved = 0.4 * rng.standard_normal((len(copies), arguments.dimensions))
    vectors[copies] = vectors[(copies * rng.random(len(copies))).astype(int)] + moved
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    list(cosine_pairs(vectors[:100], 0.9))
    before = peak()
    seconds, pairs = cpu(lambda: list(cosine_pairs(vectors, 0.9)))
    grown = peak() - before
    part = vectors[: arguments.part]
    looped, expected = cpu(lambda: double_loop(part, 0.9))
    looped *= (len(vectors) / len(part)) ** 2
    results = {
        "vectors": list(vectors.shape),
        "double loop, extrapolated": round(looped, 1),
        "blocked": {"s": round(seconds, 2), "ratio": round(looped / seconds, 1), "pairs": len(pairs), "block": BLOCK},
        "memory": {"MB": round(grown / 1e6, 1), "whole matrix MB": round(len(vectors) ** 2 * 4 / 1e6)},
        "identical on the part": {pair[:2] for pair in cosine_pairs(part, 0.9)} == expected,
    }
    print(json.dumps(results, indent=None if arguments.json else 2))


if __name__ == "__main__":
    main()
