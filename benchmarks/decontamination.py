"""Decontamination: what both rules cost against a double loop of ``token_set_ratio``, in one run.

::

    python benchmarks/decontamination.py            # 50,000 texts against 2,000 items
    python benchmarks/decontamination.py --json

Texts and items are made from a seed (``curation_texts.py``); one text in 60 holds an item with an edit. The double loop
runs on a part, and its time is multiplied by the number of pairs; where it has run, its results are compared with ours
(the plain definition, with the guard). Processor seconds, all threads together.
"""

from __future__ import annotations

import argparse
import json
import random
from typing import Any

from curation_texts import Writer, cpu

from bridge.curate.containment import contained
from bridge.curate.ratios import best_ratios, guarded_ratio, spaced
from bridge.curate.tokens import Engine, shingles


def made(texts: int, items: int) -> tuple[list[str], list[str]]:
    """Texts and items; the items have 10 to 80 words, most of them 15 to 35."""
    writer = Writer(7)
    evaluated = [writer.text(max(10, min(80, int(writer.rng.lognormvariate(3.1, 0.45))))) for _ in range(items)]
    trained = writer.texts(texts)
    rng = random.Random(1)
    for at in range(0, texts, 60):
        copy = writer.edited(rng.choice(evaluated))
        trained[at] = copy if rng.random() < 0.5 else f"{writer.text(10)} {copy} {writer.text(10)}"
    return trained, evaluated


def double_loop(texts: list[str], items: list[str]) -> int:
    """How many pairs are above 85, as people write it."""
    from rapidfuzz import fuzz

    left, right = [spaced(text) for text in texts], [spaced(item) for item in items]
    return sum(fuzz.token_set_ratio(text, item) > 85 for text in left for item in right)


def identical(texts: list[str], items: list[str], engine: Engine) -> bool:
    """Whether both rules find what their plain definitions find, pair by pair."""
    expected = {}
    for at, text in enumerate(texts):
        score, number = max((guarded_ratio(text, item), -number) for number, item in enumerate(items))
        if score > 85:
            expected[at] = (-number, score)
    left, right = [shingles(text) for text in texts], [shingles(item) for item in items]
    held = [(i, j) for i, a in enumerate(left) for j, b in enumerate(right) if len(a & b) >= 0.5 * len(b)]
    found = contained(texts, items, engine=engine)
    pairs = list(zip(found.texts.tolist(), found.items.tolist(), strict=True))
    return pairs == held and best_ratios(texts, items, engine=engine) == expected


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=50_000)
    parser.add_argument("--items", type=int, default=2_000)
    parser.add_argument("--part", type=int, default=200, help="texts and items that the double loop runs on, each")
    parser.add_argument("--numpy", action="store_true", help="measure the engine numpy too")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    texts, items = made(arguments.texts, arguments.items)
    rng = random.Random(2)
    some = [texts[at] for at in range(0, len(texts), 60)][: arguments.part // 2]
    some += rng.sample(texts, arguments.part // 2)
    few = rng.sample(items, min(len(items), arguments.part))
    best_ratios(some[:5], few[:5])
    looped, _ = cpu(lambda: double_loop(rng.sample(texts, arguments.part), few))
    looped *= len(texts) * len(items) / arguments.part / len(few)
    results: dict[str, Any] = {"texts": len(texts), "items": len(items), "double loop, extrapolated": round(looped)}
    engines: tuple[Engine, ...] = ("c", "numpy") if arguments.numpy else ("c",)
    for engine in engines:
        for name, rule in (("containment", contained), ("token_set_ratio", best_ratios)):
            seconds, found = cpu(lambda rule=rule, engine=engine: rule(texts, items, engine=engine))
            hits = len(found) if isinstance(found, dict) else len(set(found.texts.tolist()))
            results[f"{name}, {engine}"] = {"s": round(seconds, 2), "ratio": round(looped / seconds), "hits": hits}
        results[f"identical, {engine}"] = identical(some, few, engine)
    print(json.dumps(results, indent=None if arguments.json else 2))


if __name__ == "__main__":
    main()
