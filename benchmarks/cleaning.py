"""Streaming a file of records through ``clean`` and ``pii``: megabytes a second, and peak memory.

::

    python benchmarks/cleaning.py                      # 50 MB, a table
    python benchmarks/cleaning.py --megabytes 1000     # the size that memory must not follow
    python benchmarks/cleaning.py --json               # one JSON object

The file is made from a seed: records of 1.5 kB, most of them clean English, some with faults of every rule, some in
other scripts, some with code. Each step reads the file, treats one record after the other and writes a file, in a
process of its own, whose peak memory is told beside what the same process needs to read and write alone.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bridge.curate.clean import Cleaner
from bridge.curate.items import Items
from bridge.curate.masking import Privacy
from bridge.files import write_lines

PROSE = (
    "the of and to in is that for it as was with be by on not he his but at are this have from or had an they which "
    "you were all her she there would their we him been has when who will no more if out so said what up its about "
    "into them can only other time new some could these two may first then do any like my now over such our man me "
    "most made after also did many off before must well back through years where much your way down should because"
)
OTHERS = "Das Licht der Sonne besteht aus vielen Farben, und die Luft streut das Blau in alle Richtungen. "
CODE = "\n```python\nif x:\n    return  a &amp; b  \n```\n"
FAULTS = (
    "&amp;",
    "cafÃ© ",
    "\u200b",
    "  ",
    "cafe\u0301 ",
    " \n\n\n\n\n",
    "\x1b[1m",
    "ann@mail.example ",
    "555-123-4567 ",
)
STEPS = ("read and write", "clean", "clean without language", "pii report", "pii mask")


def rows(megabytes: float) -> Iterator[dict[str, Any]]:
    """Records of about 1.5 kB, until there are so many megabytes of them."""
    rng = random.Random(5)
    vocabulary = PROSE.split()
    size = number = 0
    while size < megabytes * 1e6:
        kind = rng.random()
        words = [" ".join(rng.choices(vocabulary, k=12)).capitalize() + "." for _ in range(21)]
        if kind < 0.2:
            words[rng.randrange(4, 20)] += rng.choice(FAULTS)
        elif kind < 0.25:
            words[10] = CODE
        elif kind < 0.3:
            words = [OTHERS] * 12
        row = {"key": f"r{number}", "fields": {"prompt": " ".join(words[:4]), "response": " ".join(words[4:])}}
        size += len(json.dumps(row, ensure_ascii=False).encode()) + 1
        number += 1
        yield row


def lines(step: str, items: Items) -> Iterator[dict[str, Any]]:
    """The lines after a step."""
    cleaner = Cleaner(off=["language"] if "without" in step else []) if step.startswith("clean") else None
    privacy = Privacy("mask" if "mask" in step else "report") if step.startswith("pii") else None
    for item in items:
        record = item.record
        if cleaner is not None:
            kept = cleaner.record(record).record
        elif privacy is not None:
            kept = privacy.record(record).record
        else:
            kept = record
        if kept is not None:
            yield item.line(kept)


def one(step: str, path: Path) -> dict[str, float]:
    """One step in this process: seconds of the processor, and peak memory in megabytes."""
    out = path.with_suffix(".out.jsonl")
    start, wall = time.process_time(), time.perf_counter()
    count = write_lines(out, lines(step, Items(path, unique=False)))
    spent = time.process_time() - start
    out.unlink()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    return {
        "megabytes_per_cpu_second": round(path.stat().st_size / 1e6 / spent, 2),
        "wall_s": round(time.perf_counter() - wall, 1),
        "peak_megabytes": round(peak),
        "kept": count,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--megabytes", type=float, default=50.0, help="size of the file")
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=STEPS, help="the steps to run")
    parser.add_argument("--one", nargs=2, metavar=("STEP", "PATH"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(one(arguments.one[0], Path(arguments.one[1]))))
        return
    results: dict[str, Any] = {"megabytes": arguments.megabytes}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "records.jsonl")
        results["records"] = write_lines(path, rows(arguments.megabytes))
        for step in arguments.steps:
            command = [sys.executable, __file__, "--one", step, str(path)]
            results[step] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    if arguments.json:
        print(json.dumps(results))
        return
    print(f"{results['records']:,} records, {arguments.megabytes:g} MB")
    print(f"{'step':24} MB/CPU s  wall s  peak MB")
    for step in arguments.steps:
        row = results[step]
        print(f"{step:24} {row['megabytes_per_cpu_second']:8} {row['wall_s']:7} {row['peak_megabytes']:8}")


if __name__ == "__main__":
    main()
