"""Near duplicates: what the exact join costs against what people paste, in one run.

::

    python benchmarks/near_duplicates.py                     # a table
    python benchmarks/near_duplicates.py --json --count 50000
    python benchmarks/near_duplicates.py --index 40000 190000    # only the saved index

All sides get the same texts (made from a seed, see ``curation_texts.py``) and the same word 3-grams, and time begins
with the texts. ``datasketch`` is the loop of the tutorials: one ``update`` for each shingle, a query, an insert; only a
part of it runs where the set is large, and its time is multiplied (it is linear). ``rensa`` is its LSH, whose
candidates are verified with sets of shingles. Processor seconds, all threads together. Memory is measured in processes
of their own: the peak above what the texts and the imports take.

``--index`` measures an index of so many old texts that is saved and loaded, and what 10,000 new ones cost with it,
against a run over all of them.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from curation_texts import Writer, cpu, in_new_process, peak

from bridge.curate.duplicates import duplicates
from bridge.curate.index import NearIndex
from bridge.curate.near import join
from bridge.curate.tokens import Engine, jaccard, shingles, token_sets
from bridge.records import Record

THRESHOLD = 0.7
NEW = 10_000


def ours(texts: list[str], engine: Engine) -> int:
    """How many the exact join keeps."""
    return int((join(token_sets(texts, engine=engine), THRESHOLD, engine=engine).matches < 0).sum())


def datasketch_loop(texts: list[str]) -> int:
    """How many the loop of the tutorials keeps."""
    from datasketch import MinHash, MinHashLSH

    lsh = MinHashLSH(threshold=THRESHOLD, num_perm=128)
    kept = 0
    for number, text in enumerate(texts):
        sketch = MinHash(num_perm=128)
        for shingle in shingles(text):
            sketch.update(" ".join(shingle).encode())
        if not lsh.query(sketch):
            lsh.insert(str(number), sketch)
            kept += 1
    return kept


def rensa_verified(texts: list[str]) -> int:
    """How many rensa's LSH keeps, its candidates verified."""
    from rensa import RMinHash, RMinHashLSH

    sets = [shingles(text) for text in texts]
    sketches = RMinHash.from_token_sets([[" ".join(s) for s in found] for found in sets], num_perm=128, seed=1)
    lsh = RMinHashLSH(threshold=THRESHOLD, num_perm=128, num_bands=16)
    dropped: set[int] = set()
    lsh.insert_many(sketches)
    for number, candidates in enumerate(lsh.query_all(sketches)):
        for other in candidates:
            if other < number and other not in dropped and jaccard(sets[other], sets[number]) >= THRESHOLD:
                dropped.add(number)
                break
    return len(texts) - len(dropped)


def exactness(texts: list[str]) -> dict[str, Any]:
    """Pairs of a sample against a double loop over sets in plain Python."""
    sets = [shingles(text) for text in texts]
    expected = {(i, j) for j in range(len(sets)) for i in range(j) if jaccard(sets[i], sets[j]) >= THRESHOLD}
    found: dict[str, Any] = {"texts": len(texts), "pairs": len(expected)}
    engines: tuple[Engine, ...] = ("numpy", "c")
    for engine in engines:
        pairs = join(token_sets(texts, engine=engine), THRESHOLD, "pairs", engine=engine)
        got = set(zip(pairs.left.tolist(), pairs.right.tolist(), strict=True))
        found[engine] = {"recall": len(got & expected) / len(expected), "precision": len(got & expected) / len(got)}
    return found


def memory(count: int, engine: Engine) -> dict[str, float]:
    """Peak memory of one engine above what was there, as a multiple of the texts, in this process."""
    ours(Writer(1).texts(200), engine)  # imports and tables
    texts = Writer(7).texts(count)
    size = sum(len(text.encode()) for text in texts)
    before = peak()
    seconds, _ = cpu(lambda: ours(texts, engine))
    return {
        "MB": round((peak() - before) / 1e6, 1),
        "of_text": round((peak() - before) / size, 2),
        "s": round(seconds, 2),
    }


def index(old: int) -> dict[str, Any]:
    """What new texts cost with an index of old ones, and without."""
    records = [Record(str(number), {"prompt": text}) for number, text in enumerate(Writer(7).texts(old + NEW))]
    known = NearIndex()
    known.probe(records[:10])  # imports and tables
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "near.index")
        made, _ = cpu(lambda: known.add(records[:old]))
        known.save(path)
        loaded, known = cpu(lambda: NearIndex.load(path))
        size = path.stat().st_size
    probed, found = cpu(lambda: known.probe(records[old:]))
    anew, everything = cpu(lambda: duplicates(records))
    dropped = {case.key for case in everything.dropped}
    return {
        "made_s": round(made, 2),
        "MB": round(size / 1e6, 1),
        "load_s": round(loaded, 2),
        "probe_s": round(probed, 2),
        "everything_s": round(anew, 2),
        "ratio": round(anew / (loaded + probed), 2),
        "identical": {case.key for case in found.dropped} == {key for key in dropped if int(key) >= old},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=50_000)
    parser.add_argument("--part", type=int, default=5_000, help="texts that the datasketch loop runs on")
    parser.add_argument("--sizes", type=int, nargs="*", default=[10_000, 50_000, 200_000], help="for memory")
    parser.add_argument("--index", type=int, nargs="+", metavar="OLD", help="measure only the saved index")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--memory", nargs=2, metavar=("COUNT", "ENGINE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.memory:
        print(json.dumps(memory(int(arguments.memory[0]), arguments.memory[1])))
        return
    if arguments.index:
        of_index = {f"{old} old, {NEW} new": index(old) for old in arguments.index}
        print(json.dumps(of_index, indent=None if arguments.json else 2))
        return
    texts = Writer(7).texts(arguments.count)
    part = texts[: arguments.part]
    ours(part[:100], "c"), ours(part[:100], "numpy")
    loop, loop_kept = cpu(lambda: datasketch_loop(part))
    loop *= len(texts) / len(part)
    results: dict[str, Any] = {
        "texts": len(texts),
        "megabytes": round(sum(map(len, texts)) / 1e6, 1),
        "datasketch": {"s": round(loop, 1), "measured_on": len(part), "kept_of_these": loop_kept},
        "exact_kept_of_these": ours(part, "auto"),
    }
    sides = {
        "c": lambda: ours(texts, "c"),
        "numpy": lambda: ours(texts, "numpy"),
        "rensa": lambda: rensa_verified(texts),
    }
    for name, side in sides.items():
        seconds, kept = cpu(side)
        results[name] = {"s": round(seconds, 2), "ratio": round(loop / seconds, 1), "kept": kept}
        print(f"  {name} done", file=sys.stderr)
    results["exactness"] = exactness(texts[:2000])
    results["memory"] = {
        f"{count}, {engine}": json.loads(in_new_process(__file__, "--memory", count, engine))
        for count in arguments.sizes
        for engine in ("c", "numpy")
    }
    print(json.dumps(results, indent=None if arguments.json else 2))


if __name__ == "__main__":
    main()
