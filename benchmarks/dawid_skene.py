"""Dawid-Skene here and in crowd-kit, on the same made-up crowd and with the same number of rounds.

    python benchmarks/dawid_skene.py --crowdkit-python PYTHON [--json] [--items 20000] [--answers 5] [--rounds 3]

crowd-kit runs in a process of its own, with the interpreter named (`pip install crowd-kit==1.4.2 scikit-learn==1.7.2`);
what is timed there is `DawidSkene(n_iter=N).fit` on a data frame that is ready, and here :func:`dawid_skene` on votes
that are. Processor seconds; the ratio is that of the medians.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import time
from typing import Any

from bridge.merging.dawid_skene import dawid_skene, votes

LABELS = ["a", "b", "c", "d", "e"]
ITERATIONS = 30

CROWD_KIT = """
import json, sys, time
import pandas as pd
from crowdkit.aggregation import DawidSkene
given = json.loads(sys.stdin.read())
frame = pd.DataFrame(given["answers"], columns=["task", "worker", "label"])
taken = []
for _ in range(given["rounds"]):
    started = time.process_time()
    model = DawidSkene(n_iter=given["iterations"], tol=0).fit(frame)
    taken.append(time.process_time() - started)
print(json.dumps({"taken": taken, "labels": dict(model.labels_)}))
"""


def crowd(items: int, each: int, people: int = 200) -> list[tuple[str, str, str]]:
    """Answers of people of uneven skill to items of five kinds."""
    rng = random.Random(7)
    skill = {f"p{number}": rng.uniform(0.4, 0.95) for number in range(people)}
    answers = []
    for number in range(items):
        truth = rng.choice(LABELS)
        for who in rng.sample(list(skill), each):
            answers.append((f"i{number}", who, truth if rng.random() < skill[who] else rng.choice(LABELS)))
    return answers


def main() -> None:
    """Run both and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--crowdkit-python", required=True, help="an interpreter that has crowd-kit")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--answers", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    answers = crowd(options.items, options.answers)
    cast = votes(answers, LABELS)
    ours = []
    for _ in range(options.rounds):
        started = time.process_time()
        fit = dawid_skene(cast, tolerance=0, max_iterations=ITERATIONS)
        ours.append(time.process_time() - started)
    assert fit.iterations == ITERATIONS
    given = json.dumps({"answers": answers, "rounds": options.rounds, "iterations": ITERATIONS})
    done = subprocess.run(
        [options.crowdkit_python, "-c", CROWD_KIT], input=given, capture_output=True, text=True, check=True
    )
    theirs = json.loads(done.stdout)
    likeliest = dict(zip(cast.items, (LABELS[n] for n in fit.posterior.argmax(axis=1)), strict=True))
    result: dict[str, Any] = {
        "answers": len(answers),
        "here": round(statistics.median(ours), 3),
        "crowd-kit": round(statistics.median(theirs["taken"]), 3),
        "crowd-kit / here": round(statistics.median(theirs["taken"]) / statistics.median(ours), 1),
        "items with the same label": sum(theirs["labels"][item] == label for item, label in likeliest.items()),
        "items": len(cast.items),
    }
    print(json.dumps(result, indent=2) if options.json else "\n".join(f"{k:28} {v}" for k, v in result.items()))


if __name__ == "__main__":
    main()
