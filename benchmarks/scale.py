"""Duplicates in one process against duplicates in partitions: what Daft costs on one machine, and that both agree.

::

    python benchmarks/scale.py                            # a table, of 10,000, 50,000 and 200,000 records
    python benchmarks/scale.py --json --sizes 10000

Both sides run ``annobridge dedup`` on the same file (made from a seed, see ``curation_texts.py``), each in a process of
its own, with a small run before it that imports and starts everything. Seconds are those of the command, on the clock
and of the processor (all threads and children), reading and writing included. Memory is the peak of the process above
that small run; children of Daft's own are not in it, nor are its files, which are counted apart.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from curation_texts import Writer, in_new_process, peak

from bridge.cli import main as annobridge


def dedup(file: Path, out: Path, engine: str) -> None:
    """Run the command, and take nothing but success."""
    done = CliRunner().invoke(annobridge, ["dedup", str(file), "--engine", engine, "--out", str(out), "--json"])
    if done.exit_code:
        raise SystemExit(done.output)


def processor() -> float:
    """Seconds of the processor so far, of this process and of its children that have ended."""
    mine, theirs = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return mine.ru_utime + mine.ru_stime + theirs.ru_utime + theirs.ru_stime


def watch(folder: Path, largest: list[int], over: threading.Event) -> None:
    """Note the most bytes that files in a folder take together."""
    while not over.wait(0.2):
        sizes = []
        for path in folder.rglob("*"):
            try:
                sizes.append(path.stat().st_size if path.is_file() else 0)
            except OSError:
                continue
        largest[0] = max(largest[0], sum(sizes))


def measured(file: Path, small: Path, out: Path, engine: str) -> dict[str, Any]:
    """What one side takes, in this process."""
    with tempfile.TemporaryDirectory() as made:
        tempfile.tempdir = made
        dedup(small, out, engine)
        largest, over = [0], threading.Event()
        watching = threading.Thread(target=watch, args=(Path(made), largest, over))
        watching.start()
        before, started, spent = peak(), time.perf_counter(), processor()
        dedup(file, out, engine)
        wall, spent = time.perf_counter() - started, processor() - spent
        over.set()
        watching.join()
    return {
        "s": round(wall, 2),
        "processor": round(spent, 2),
        "MB": round((peak() - before) / 1e6),
        "files_MB": round(largest[0] / 1e6),
    }


def written(path: Path, texts: list[str]) -> Path:
    """Texts as records, the first third of each as its prompt."""
    with path.open("w", encoding="utf-8") as file:
        for number, text in enumerate(texts):
            row = {
                "key": f"r{number}",
                "fields": {"prompt": text[: len(text) // 3], "response": text[len(text) // 3 :]},
            }
            file.write(json.dumps(row) + "\n")
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="*", default=[10_000, 50_000, 200_000])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--side", nargs=4, metavar=("FILE", "SMALL", "OUT", "ENGINE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        file, small, out, engine = arguments.side
        print(json.dumps(measured(Path(file), Path(small), Path(out), engine)))
        return
    results: dict[str, Any] = {"cores": os.cpu_count()}
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        small = written(folder / "small.jsonl", Writer(1).texts(200))
        for size in arguments.sizes:
            file = written(folder / "in.jsonl", Writer(7).texts(size))
            outs = {engine: folder / f"{engine}.jsonl" for engine in ("auto", "daft")}
            sides: dict[str, Any] = {
                engine: json.loads(in_new_process(__file__, "--side", file, small, out, engine))
                for engine, out in outs.items()
            }
            both = [(out.read_bytes(), out.with_suffix(".dropped.jsonl").read_bytes()) for out in outs.values()]
            results[str(size)] = {
                "file_MB": round(file.stat().st_size / 1e6, 1),
                **sides,
                "ratio": round(sides["daft"]["processor"] / sides["auto"]["processor"], 1),
                "identical": both[0] == both[1],
            }
    print(json.dumps(results, indent=None if arguments.json else 2))


if __name__ == "__main__":
    main()
