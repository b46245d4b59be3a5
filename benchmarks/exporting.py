"""How long an export to DPO rows takes, against loading and dumping the same JSON Lines.

    python benchmarks/exporting.py [--json] [--records 100000] [--rounds 3] [--files parquet]
    python benchmarks/exporting.py --memory 10000 --memory 50000 --memory 100000 --memory 200000

Records with two answers each, and what three people preferred, are made as `records.jsonl` and `merged.jsonl`. The
plain side reads every line of both with `json.loads` and writes it again with `json.dumps`, to files of its own. The
other side is the whole of `annobridge export --to dpo --format conversational`: it reads both files into records and
merged answers, makes rows, and writes them as Parquet (or what `--files` says), with dropped records, settings and
manifest. Each side runs in a process of its own, in turn; compared are the processor seconds, without those of
starting Python and importing. Memory is the highest that the process held; with `--memory` only that is printed, of an
export of so many records.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bridge.annotations import Annotation
from bridge.merging import merge
from bridge.records import Record
from bridge.templates import load_template

WORDS = ("the", "model", "answers", "with", "care", "names", "its", "sources", "but", "leaves", "out", "nothing")


def make(folder: Path, count: int) -> None:
    """Both files: prompts of 40 words and answers of 60, of about 1.6 kB a record."""
    rng = random.Random(7)
    template = load_template("preference")

    def text(words: int) -> str:
        return " ".join(rng.choice(WORDS) for _ in range(words))

    with (folder / "records.jsonl").open("w") as records, (folder / "merged.jsonl").open("w") as merged:
        for start in range(0, count, 1000):
            some = [
                Record(
                    f"r{number:07}",
                    {"prompt": f"{number}. {text(40)}", "response_a": text(60), "response_b": text(60)},
                    metadata={"model": "m-7b", "licence": "MIT"},
                )
                for number in range(start, min(start + 1000, count))
            ]
            given = [
                Annotation(record.key, f"a-{person + 1:012x}", answers={"preference": rng.choice("AAB")})
                for record in some
                for person in range(3)
            ]
            for record in some:
                records.write(json.dumps(record.to_dict(), ensure_ascii=False) + "\n")
            for entry in merge(given, template).kept:
                merged.write(json.dumps(entry.to_dict(), ensure_ascii=False) + "\n")


def plain(folder: Path) -> None:
    """Load and dump every line."""
    for name in ("records.jsonl", "merged.jsonl"):
        with (folder / name).open() as lines, (folder / f"{name}.copy").open("w") as copy:
            for line in lines:
                copy.write(json.dumps(json.loads(line), ensure_ascii=False) + "\n")


def export(folder: Path, files: str) -> None:
    """From both files to a training set."""
    from bridge.exporting import export_all
    from bridge.files import read_lines
    from bridge.merging import Merged
    from bridge.reading import read_records

    template = load_template("preference")
    records = read_records(folder / "records.jsonl", template)
    merged = (Merged.from_dict(line) for _, line in read_lines(folder / "merged.jsonl") if isinstance(line, dict))
    result = export_all(["dpo"], records, merged, template, folder / "out", ["conversational"], files=[files])
    print(result[0].kept, file=sys.stderr)


def side(name: str, folder: Path, files: str) -> None:
    """Run one side in this process, and print what it took."""
    if name == "export":
        import pyarrow.parquet  # noqa: F401 - importing is no part of the comparison

        import bridge.exporting.write
        import bridge.reading  # noqa: F401
    started, clock = time.process_time(), time.perf_counter()
    plain(folder) if name == "plain" else export(folder, files)
    spent = {"processor": time.process_time() - started, "clock": time.perf_counter() - clock}
    print(json.dumps(spent | {"megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


def turn(name: str, folder: str, files: str) -> dict[str, float]:
    """What one side took, in a process of its own."""
    words = [sys.executable, __file__, "--side", name, "--folder", folder, "--files", files]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    spent: dict[str, float] = json.loads(done.stdout)
    return spent


def main() -> None:
    """Run both sides in turn, and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--files", choices=["parquet", "jsonl"], default="parquet")
    parser.add_argument("--side", choices=["plain", "export"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--memory", type=int, action="append", help="records of an export whose memory is printed")
    options = parser.parse_args()
    if options.side:
        side(options.side, options.folder, options.files)
        return
    if options.memory:
        for count in options.memory:
            with tempfile.TemporaryDirectory() as folder:
                make(Path(folder), count)
                print(f"{count:>9,} records  {round(turn('export', folder, options.files)['megabytes']):>5} MB")
        return
    took: dict[str, list[dict[str, float]]] = {"plain": [], "export": []}
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder), options.records)
        size = sum(Path(folder, name).stat().st_size for name in ("records.jsonl", "merged.jsonl"))
        for number in range(options.rounds):
            for name in list(took)[:: 1 if number % 2 else -1]:
                took[name].append(turn(name, folder, options.files))
                print(f"  round {number + 1}  {name:8} {took[name][-1]}", file=sys.stderr)
    middle = {name: statistics.median(turn["processor"] for turn in turns) for name, turns in took.items()}
    result: dict[str, Any] = {
        "records": options.records,
        "bytes a record": size // options.records,
        "files": options.files,
        "load and dump, s": round(middle["plain"], 2),
        "export, s": round(middle["export"], 2),
        "export / load and dump": round(middle["export"] / middle["plain"], 2),
        "megabytes of the export": round(max(turn["megabytes"] for turn in took["export"])),
    }
    print(json.dumps(result, indent=2) if options.json else "\n".join(f"{k:26} {v}" for k, v in result.items()))


if __name__ == "__main__":
    main()
