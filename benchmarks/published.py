"""Merges of published annotations against the values that others have published.

    python benchmarks/published.py --data DIR [--json]

`tests/data` holds the sets whose licence lets them be copied (all but the first here), and tests hold those to their
values. Here all are read from a folder in which they stand as their authors publish them:

* `rating/snow2008/wordsim.standardized.tsv`: ten ratings from 0 to 10 of how alike two words are; the mean of each pair
  against experts, as Pearson's r (Snow et al. 2008: .952).
* `rewrite/crowdwsa/{J1,T1,T2}_*.tsv`: English sentences by several people for a Japanese one; the medoid's word error
  rate against the reference, in lower case and without punctuation (ROVER, JOSS 2024, doi 10.21105/joss.06227: .612,
  .514, .524). What is lower is better.
* `categorical/{rte,d_sentiment,d_jn-product,CF}/{label,truth}.csv`: accuracy of the majority and of
  `--method dawid-skene`, ties by their share; the gate may refuse the latter. Published by the same model: .9275, .960,
  .9366 (Zheng et al. 2017, crowd-kit); CF .883 (Li's iBCC).
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import statistics
from collections import defaultdict
from pathlib import Path
from typing import Any

from rapidfuzz.distance import Levenshtein

from bridge.annotations import Annotation
from bridge.merging import MergeResult, merge
from bridge.templates import TaskTemplate


def asking(**question: Any) -> TaskTemplate:
    """A template with one question, `q`."""
    questions = [{"name": "q", "title": "q", **question}]
    fields = [{"name": "prompt", "title": "p"}]
    return TaskTemplate.model_validate(
        {"version": 1, "name": "published", "title": "t", "fields": fields, "questions": questions}
    )


def lines(path: Path, delimiter: str) -> list[dict[str, str]]:
    """The lines of a table under the names of its head."""
    with path.open(encoding="utf-8", newline="") as file:
        quoting = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
        head, *rows = csv.reader(file, delimiter=delimiter, quoting=quoting)
    names = [name.strip() for name in head]
    return [dict(zip(names, row, strict=False)) for row in rows if row]


def wordsim(folder: Path) -> float:
    """Pearson's r of mean ratings and experts."""
    table = lines(folder / "rating" / "snow2008" / "wordsim.standardized.tsv", "\t")
    annotations = [
        Annotation(row["orig_id"], row["!amt_worker_ids"], answers={"q": int(row["response"])}) for row in table
    ]
    expert = {row["orig_id"]: float(row["gold"]) for row in table}
    merged = merge(annotations, asking(type="rating", min=0, max=10)).kept
    means = [float(entry.answers["q"].details["mean"]) for entry in merged]
    return statistics.correlation(means, [expert[entry.record] for entry in merged])


def words(text: str) -> list[str]:
    """Words in lower case, without punctuation."""
    return re.sub(r"[^\w\s]", "", text.lower()).split()


def rewrites(folder: Path, name: str) -> float:
    """The word error rate of medoids: edits of words for each word of all references."""
    place = folder / "rewrite" / "crowdwsa"
    table = lines(place / f"{name}_label_anonymous.tsv", "\t")
    right = dict(list(row.values())[:2] for row in lines(place / f"{name}_gt.tsv", "\t"))
    annotations = [
        Annotation(row["sentence"], row["worker"], answers={"q": row["workeranswer"]})
        for row in table
        if row["workeranswer"].strip()
    ]
    edits = length = 0
    for entry in merge(annotations, asking(type="text"), rewrites="medoid").kept:
        value, wanted = entry.answers["q"].value, words(right[entry.record])
        if isinstance(value, str):
            edits += Levenshtein.distance(words(value), wanted)
            length += len(wanted)
    return edits / length


def labels(folder: Path, name: str, method: str) -> dict[str, Any]:
    """The accuracy of a method, and whether its model was used."""
    place = folder / "categorical" / name
    table = [list(row.values())[:3] for row in lines(place / "label.csv", ",")]
    truth = dict(list(row.values())[:2] for row in lines(place / "truth.csv", ","))
    annotations = [Annotation(item, who, answers={"q": label}) for item, who, label in table]
    template = asking(type="label", options=sorted({label for _, _, label in table}))
    result = merge(annotations, template, method=method)
    return {"accuracy": round(accuracy(result, truth), 4), **used(result)}


def accuracy(result: MergeResult, truth: dict[str, str]) -> float:
    """The share of right answers; of a tie, the share of the right label in it."""
    scores = []
    for entry in result.kept:
        answer = entry.answers["q"]
        if entry.record in truth:
            shares: dict[str, float] = defaultdict(float, answer.details.get("posterior") or answer.details["votes"])
            best = [answer.value] if answer.value else [key for key in shares if shares[key] == max(shares.values())]
            scores.append((truth[entry.record] in best) / len(best))
    return statistics.fmean(scores)


def used(result: MergeResult) -> dict[str, Any]:
    """What the merge says of its model: whether it was used, and why not."""
    told = (result.rule.get("questions") or {}).get("q")
    return {} if told is None else {"model": "used" if told["used"] else "; ".join(told["why"])}


def main() -> None:
    """Print each value beside what was published."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found: dict[str, Any] = {"wordsim, r of means (published .952)": round(wordsim(options.data), 4)}
    for name, rover in {"J1": 0.612, "T1": 0.514, "T2": 0.524}.items():
        found[f"crowdwsa {name}, medoid (ROVER {rover})"] = round(rewrites(options.data, name), 4)
    for name in ("rte", "d_sentiment", "d_jn-product", "CF"):
        for method in ("majority", "dawid-skene"):
            found[f"{name}, {method}"] = labels(options.data, name, method)
    print(json.dumps(found, indent=2) if options.json else "\n".join(f"{k:46} {v}" for k, v in found.items()))


if __name__ == "__main__":
    main()
