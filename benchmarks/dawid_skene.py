"""Dawid-Skene: how long it takes against crowd-kit, how right it is, and what its gate is worth.

    python benchmarks/dawid_skene.py [--crowdkit-python PYTHON] [--json] [--rounds 5] [--iterations 20] [--crowds 300]

**Time.** 100,000 answers of a made-up crowd: 20,000 items, 5 answers each, 5 labels, 200 people who are right in 50 to
95 percent. Both sides get names, not numbers, make the same number of iterations, and are run in turn; the ratio is
that of the medians. crowd-kit runs in an environment of its own: one that is given, or one made for this run.

**Accuracy.** On the published sets of ``tests/data``, ties of the majority counted in part.

**The gate.** Crowds drawn at random: skill, spam and leaning of people, differences of activity, shares of labels,
items that are hard, and items that mislead everybody. In how many is the model worse than the majority by more than
0.01, and in how many of those that the gate lets through? The same for crowds in which up to half of the people always
say the same, copy, or lie in pairs.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bridge.merging.dawid_skene import Floats, Ints, Votes, dawid_skene, shares, votes
from bridge.merging.gate import gate, set_aside
from bridge.merging.rivals import top
from bridge.merging.suspects import suspects

ITEMS, EACH, LABELS, PEOPLE = 20_000, 5, 5, 200
REQUIREMENTS = "crowd-kit==1.4.2", "scikit-learn==1.7.2"  # with later versions of scikit-learn parts of it fail
DATA = Path(__file__).resolve().parent.parent / "tests" / "data"
SETS = "rte", "d_sentiment", "d_product", "cf"

CROWDKIT = """
import sys, time, pandas
from crowdkit.aggregation import DawidSkene
frame = pandas.read_csv(sys.argv[1], dtype=str)
model = DawidSkene(n_iter=int(sys.argv[2]), tol=-1.0)
start = time.perf_counter()
labels = model.fit_predict(frame)
took = time.perf_counter() - start
truth = pandas.read_csv(sys.argv[3], dtype=str).set_index("task")["truth"]
print(took, len(model.loss_history_), (labels == truth[labels.index]).mean())
"""


def made_up(seed: int) -> tuple[list[tuple[str, str, str]], list[str]]:
    """Answers, and the true label of each item."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, LABELS, ITEMS)
    skill = rng.uniform(0.5, 0.95, PEOPLE)
    answers = []
    for item in range(ITEMS):
        for who in rng.choice(PEOPLE, EACH, replace=False):
            label = truth[item] if rng.random() < skill[who] else rng.integers(LABELS)
            answers.append((f"item-{item:05}", f"annotator-{who:03}", f"label-{label}"))
    return answers, [f"label-{label}" for label in truth]


def speed(python: str, rounds: int, iterations: int) -> dict[str, Any]:
    """Seconds of both sides, and what they found."""
    answers, truth = made_up(7)
    labels = [f"label-{n}" for n in range(LABELS)]
    ours: list[float] = []
    theirs: list[float] = []
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        frame, true = Path(folder, "answers.csv"), Path(folder, "truth.csv")
        frame.write_text("task,worker,label\n" + "".join(f"{','.join(answer)}\n" for answer in answers))
        true.write_text("task,truth\n" + "".join(f"item-{n:05},{label}\n" for n, label in enumerate(truth)))

        def run_ours() -> None:
            start = time.perf_counter()
            cast = votes(answers, labels)
            fit = dawid_skene(cast, tolerance=-1.0, max_iterations=iterations)
            best = fit.posterior.argmax(axis=1)
            ours.append(time.perf_counter() - start)
            right = np.mean([labels[n] == label for n, label in zip(best, truth, strict=True)])
            found["ours"] = {"iterations": fit.iterations, "accuracy": float(right)}

        def run_theirs() -> None:
            command = [python, "-c", CROWDKIT, str(frame), str(iterations), str(true)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            took, made, right = done.stdout.split()
            theirs.append(float(took))
            found["crowd-kit"] = {"iterations": int(made), "accuracy": float(right)}

        rng = random.Random(7)
        for number in range(rounds):
            for run in rng.sample([run_ours, run_theirs], 2):
                run()
            print(f"  round {number + 1}: {ours[-1]:.2f} s, crowd-kit {theirs[-1]:.2f} s", file=sys.stderr)
    cast = votes(answers, labels)
    start = time.perf_counter()
    fit = dawid_skene(cast)
    full, converged = time.perf_counter() - start, fit.iterations
    start = time.perf_counter()
    gate(set_aside(cast).votes, cast)
    return {
        "answers": len(answers),
        "ours_s": statistics.median(ours),
        "crowdkit_s": statistics.median(theirs),
        "ratio": statistics.median(theirs) / statistics.median(ours),
        "found": found,
        "until_converged_s": full,
        "iterations_until_converged": converged,
        "gate_s": time.perf_counter() - start,
    }


def read(name: str) -> tuple[Votes, Ints]:
    """A published set as numbers, and the true label of each item; -1 where it is not known."""

    def rows(file: str) -> list[dict[str, str]]:
        with gzip.open(DATA / f"{file}.csv.gz", "rt", newline="") as lines:
            return list(csv.DictReader(lines))

    truth = {row["item"]: row["truth"] for row in rows(f"{name}_truth")}
    answers = [(row["item"], row["annotator"], row["label"]) for row in rows(name)]
    labels = sorted({label for *_, label in answers} | set(truth.values()))
    cast = votes(answers, labels)
    return cast, np.array([labels.index(truth[item]) if item in truth else -1 for item in cast.items])


def accuracy(scores: Floats | Ints, truth: Ints) -> float:
    """How often the best label is right; of several that are equally good, each counts in part."""
    known = truth >= 0
    return float(top(scores[known])[np.arange(known.sum()), truth[known]].mean())


def model(cast: Votes) -> Floats:
    """The chances of labels as a merge has them: without people who are set aside, by votes where nobody else is."""
    rest = set_aside(cast).votes
    scores = shares(cast)
    scores[np.searchsorted(cast.items, rest.items)] = dawid_skene(rest).posterior
    return scores


def published() -> dict[str, Any]:
    """Accuracy of the majority and of the model on each set, and what the gate says."""
    result = {}
    for name in SETS:
        cast, truth = read(name)
        result[name] = {
            "majority": accuracy(cast.counts(), truth),
            "model": accuracy(model(cast), truth),
            "gate": sorted({doubt.kind for doubt in gate(set_aside(cast).votes, cast)}),
            "suspects": len(suspects(cast)),
        }
    return result


def drawn(rng: np.random.Generator) -> tuple[Votes, Ints]:
    """A crowd at random: an answer is the label with the highest sum of skill, leaning, the item's pull and chance."""
    items, people = (
        int(np.exp(rng.uniform(np.log(100), np.log(3000)))),
        int(np.exp(rng.uniform(np.log(5), np.log(200)))),
    )
    labels = int(rng.choice([2, 2, 2, 3, 4, 5]))
    each = int(min(people, round(np.exp(rng.uniform(np.log(2), np.log(12))))))
    shares = np.maximum(rng.dirichlet(np.full(labels, np.exp(rng.uniform(np.log(0.5), np.log(20))))), 0.01)
    truth = rng.choice(labels, items, p=shares / shares.sum())

    def sometimes(low: float, high: float) -> float:
        return float(rng.choice([0.0, rng.uniform(low, high)]))

    activity = -rng.uniform(0, 1.6) * np.log1p(np.arange(people))
    asked = np.argsort(-(activity + rng.gumbel(size=(items, people))), axis=1)[:, :each].ravel()
    item = np.repeat(np.arange(items), each)
    skill = rng.normal(rng.uniform(0.3, 3.5), rng.uniform(0.1, 1.5), people)
    skill = np.where(rng.random(people) < sometimes(0, 0.4), 0.0, skill)
    per_label = skill[:, None] + rng.normal(0, sometimes(0, 1.5), (people, labels))
    leaning = rng.normal(0, rng.uniform(0, 1.5), (people, labels)) + rng.normal(0, sometimes(0, 1.5), labels)
    ease = np.minimum(np.exp(rng.normal(0, sometimes(0, 1.2), items)), 3.0)
    ease *= np.where(rng.random(items) < sometimes(0, 0.4), rng.uniform(0, 0.5), 1.0)
    pull = rng.normal(0, sometimes(0, 2.0), (items, labels))
    misleading = np.flatnonzero(rng.random(items) < sometimes(0, 0.3))
    pull[misleading, (truth[misleading] + rng.integers(1, labels, len(misleading))) % labels] += rng.uniform(0.5, 3)
    score = leaning[asked] + pull[item] + rng.gumbel(size=(len(item), labels))
    score[np.arange(len(item)), truth[item]] += per_label[asked, truth[item]] * ease[item]
    answers = zip(item.tolist(), asked.tolist(), score.argmax(axis=1).tolist(), strict=True)
    names = [str(n) for n in range(labels)]
    return votes(((f"{i:04}", f"{who:03}", names[label]) for i, who, label in answers), names), truth


def spoiled(rng: np.random.Generator) -> tuple[Votes, Ints]:
    """A crowd at random in which up to half of the people, in pairs, always say the same, copy, or lie alike."""
    cast, truth = drawn(rng)
    people, classes = len(cast.annotators), len(cast.labels)
    said: dict[int, dict[int, int]] = {who: {} for who in range(people)}
    for item, who, label in zip(cast.item.tolist(), cast.annotator.tolist(), cast.label.tolist(), strict=True):
        said[who][item] = label
    lie: Ints = (truth + 1 + rng.integers(0, max(classes - 1, 1), len(truth))) % classes
    chosen = rng.permutation(people)[: 2 * max(1, round(rng.uniform(0, 0.25) * people))].tolist()
    manners = rng.choice(["constant", "copy", "lie"], size=int(rng.integers(1, 3)))
    for n, (one, other) in enumerate(zip(chosen[::2], chosen[1::2], strict=True)):
        manner = manners[n % len(manners)]
        if manner == "constant":
            for who in (one, other):
                said[who] = dict.fromkeys(said[who], int(rng.integers(classes)))
            continue
        if manner == "lie":
            said[one] = {item: int(lie[item]) for item in said[one]}
        said[other] = said[one]
    answers = [
        (f"{i:04}", f"{who:03}", cast.labels[label]) for who, given in said.items() for i, label in given.items()
    ]
    after = votes(answers, cast.labels)
    return after, truth[[int(item) for item in after.items]]


def gated(crowds: int, draw: Callable[[np.random.Generator], tuple[Votes, Ints]]) -> dict[str, Any]:
    """What happens to crowds whose majority is right in 50 to 98.5 percent: there is something to win or to lose."""
    rng = np.random.default_rng(2026)
    changes: list[float] = []
    passed: list[float] = []
    why: Counter[str] = Counter()
    while len(changes) < crowds:
        cast, truth = draw(rng)
        majority = accuracy(cast.counts(), truth)
        if not 0.5 <= majority <= 0.985:
            continue
        changes.append(accuracy(model(cast), truth) - majority)
        doubts = {doubt.kind for doubt in gate(set_aside(cast).votes, cast)}
        why.update(doubts)
        if not doubts:
            passed.append(changes[-1])
    better = [change for change in changes if change > 0.01]
    return {
        "crowds": crowds,
        "worse": sum(change < -0.01 for change in changes) / crowds,
        "mean_change": statistics.mean(changes),
        "let_through": len(passed) / crowds,
        "worse_of_let_through": sum(change < -0.01 for change in passed) / len(passed),
        "mean_change_of_let_through": statistics.mean(passed),
        "worst_of_let_through": min(passed),
        "of_those_it_improves": sum(change > 0.01 for change in passed) / len(better),
        "why_not": dict(why.most_common()),
    }


def environment(folder: str) -> str:
    """The interpreter of a new environment with crowd-kit."""
    venv.create(folder, with_pip=True)
    python = str(Path(folder, "bin", "python"))
    subprocess.run([python, "-m", "pip", "install", "--quiet", *REQUIREMENTS], check=True)
    return python


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--crowdkit-python", help="an interpreter that can import crowdkit; made where none is given")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--iterations", type=int, default=20)
    parser.add_argument("--crowds", type=int, default=300, help="how many to draw for the gate")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = {
            "speed": speed(args.crowdkit_python or environment(folder), args.rounds, args.iterations),
            "published": published(),
            "gate": gated(args.crowds, drawn),
            "gate, with people who say nothing": gated(args.crowds, spoiled),
        }
    if args.json:
        print(json.dumps(result))
        return
    times = result["speed"]
    print(f"{times['answers']:,} answers, {args.iterations} iterations: {times['ours_s']:.2f} s, crowd-kit "
          f"{times['crowdkit_s']:.2f} s, ratio {times['ratio']:.1f}")  # fmt: skip
    print(f"until converged ({times['iterations_until_converged']} iterations) {times['until_converged_s']:.2f} s, "
          f"the gate {times['gate_s']:.2f} s; {times['found']}")  # fmt: skip
    for name, figures in result["published"].items():
        gate_says = ", ".join(figures["gate"]) or "open"
        print(f"{name:12} majority {figures['majority']:.4f}  model {figures['model']:.4f}  gate {gate_says}")
    for heading in ("gate", "gate, with people who say nothing"):
        print(f"\n{heading}")
        for name, value in result[heading].items():
            print(f"{name:30} {value if isinstance(value, dict | int) else round(value, 4)}")


if __name__ == "__main__":
    main()
