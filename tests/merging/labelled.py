"""Answers to label questions as numbers, published and made up, and how right they are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from bridge.merging.dawid_skene import Floats, Ints, Votes, votes
from bridge.merging.rivals import top
from tests.merging.published import rows

Answer = tuple[str, str, str]
Speaker = Callable[[np.random.Generator, int], int]
"""What somebody answers to an item with this true label."""


def published(name: str) -> tuple[list[Answer], dict[str, str]]:
    """The answers of a published set, and the true label of each item."""
    answers = [(row["item"], row["annotator"], row["label"]) for row in rows(name)]
    return answers, {row["item"]: row["truth"] for row in rows(f"{name}_truth")}


def cast(answers: Sequence[Answer], truth: dict[str, str]) -> tuple[Votes, Ints]:
    """The answers as numbers, and the true label of each item as one; -1 where it is not known."""
    labels = sorted({label for _, _, label in answers} | set(truth.values()))
    given = votes(answers, labels)
    return given, np.array([labels.index(truth[item]) if item in truth else -1 for item in given.items])


def accuracy(scores: Floats | Ints, truth: Ints) -> float:
    """How often the best label is right; of several that are equally good, each counts in part."""
    known = truth >= 0
    return float(top(scores[known])[np.arange(known.sum()), truth[known]].mean())


def thin(answers: Iterable[Answer], each: int, seed: int) -> list[Answer]:
    """At most so many answers to each item, drawn by lot."""
    rng = np.random.default_rng(seed)
    by_item: dict[str, list[Answer]] = defaultdict(list)
    for answer in sorted(answers):
        by_item[answer[0]].append(answer)
    return [
        given[n]
        for given in by_item.values()
        for n in sorted(rng.permutation(len(given))[:each])
    ]  # fmt: skip


def right(skill: float, labels: int = 2) -> Speaker:
    """Right with a probability of ``skill``, else one of the other labels."""
    return lambda rng, truth: (
        truth if rng.random() < skill else int((truth + rng.integers(1, labels)) % labels)
    )  # fmt: skip


def always(label: int) -> Speaker:
    """One label, whatever the item."""
    return lambda rng, truth: label


def anything(labels: int = 2) -> Speaker:
    """Any label, whatever the item."""
    return lambda rng, truth: int(rng.integers(labels))


def crowd(
    people: dict[str, Speaker],
    items: int = 300,
    *,
    each: int | None = None,
    shares: Sequence[float] = (0.5, 0.5),
    hard: float = 0.0,
    seed: int = 0,
) -> tuple[list[Answer], dict[str, str]]:
    """Answers to made-up items.

    Args:
        people: name to manner; who is among those asked answers.
        items: how many.
        each: people asked about each item, drawn by lot; all by default.
        shares: of the true labels, which are "0", "1"...
        hard: the share of items that everybody answers at random.
        seed: of all chance.
    """
    rng = np.random.default_rng(seed)
    names = sorted(people)
    answers, truth = [], {}
    for number in range(items):
        item, true = f"i{number:05}", int(rng.choice(len(shares), p=shares))
        truth[item] = str(true)
        guess = rng.random() < hard
        for place in sorted(rng.permutation(len(names))[: each or len(names)]):
            label = int(rng.integers(len(shares))) if guess else people[names[place]](rng, true)
            answers.append((item, names[place], str(label)))
    return answers, truth
