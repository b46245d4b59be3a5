"""How long merging takes, against loading the same answers from their file.

    python benchmarks/merging.py [--json] [--records 100000] [--people 10] [--rounds 3]

A file of answers is made, one line for each person and record, as `annobridge annotations` writes them. Loading reads
it with `json.loads` and :meth:`bridge.Annotation.from_dict`; merging makes one answer per record and question of what
was loaded. Both run in turn in one process; the ratio is that of the medians.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bridge.annotations import Annotation
from bridge.merging import merge
from bridge.records import record_key
from bridge.templates import load_template

ANSWERS = {
    "label": ["correct", "partially_correct", "incorrect", "harmful"],
    "rating": [1, 2, 3, 4, 5],
    "preference": ["A", "B", "tie", "both_bad"],
}


def write(path: Path, template: str, count: int, people: int) -> None:
    """The answers of so many people to each record."""
    rng = random.Random(7)
    choices = ANSWERS[template]
    with path.open("w") as file:
        for number in range(count):
            key = record_key({"prompt": str(number)})
            likely = rng.choice(choices)
            for person in range(people):
                value = likely if rng.random() < 0.7 else rng.choice(choices)
                answer = Annotation(
                    key,
                    f"a-{person + number % 90:08x}",
                    answers={template: value},
                    created_at="2026-01-31T12:00:00.000000Z",
                    updated_at="2026-01-31T12:00:00.000000Z",
                    lead_time_s=12.5,
                    source={"server": "label-studio", "project": "7", "task": str(number), "id": f"{number}{person}"},
                )
                file.write(json.dumps(answer.to_dict()) + "\n")


def load(path: Path) -> list[Annotation]:
    """All lines as annotations."""
    with path.open() as file:
        return [Annotation.from_dict(json.loads(line)) for line in file]


def measured(path: Path, template: str, rounds: int) -> dict[str, Any]:
    """Processor seconds of loading and of merging."""
    task = load_template(template)
    loads, merges = [], []
    for number in range(rounds):
        gc.collect()
        started = time.process_time()
        annotations = load(path)
        loads.append(time.process_time() - started)
        gc.collect()
        started = time.process_time()
        result = merge(annotations, task)
        merges.append(time.process_time() - started)
        outcomes = result.outcomes()[template]
        print(f"  {template}, round {number + 1}: {loads[-1]:.2f} s, {merges[-1]:.2f} s, {outcomes}", file=sys.stderr)
        del annotations, result
    load_s, merge_s = statistics.median(loads), statistics.median(merges)
    return {"load": round(load_s, 2), "merge": round(merge_s, 2), "merge / load": round(merge_s / load_s, 3)}


def main() -> None:
    """Run everything and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--people", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    result: dict[str, Any] = {"answers": options.records * options.people, "records": options.records}
    with tempfile.TemporaryDirectory() as folder:
        for template in ANSWERS:
            path = Path(folder, f"{template}.jsonl")
            write(path, template, options.records, options.people)
            result[template] = measured(path, template, options.rounds)
    print(json.dumps(result, indent=2) if options.json else "\n".join(f"{k:12} {v}" for k, v in result.items()))


if __name__ == "__main__":
    main()
