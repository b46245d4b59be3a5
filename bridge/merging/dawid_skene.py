"""Dawid and Skene's model of annotators: what each means by each label, learned from the answers alone.

Every item has one true label, every annotator a confusion matrix: the chances of each answer given the true label.
Expectation maximisation finds both from who said what. It pays where people differ in skill or lean towards labels,
and misleads where there is little to learn from; :func:`bridge.merging.gate.gate` says which it is.

Source: A. P. Dawid and A. M. Skene, Maximum likelihood estimation of observer error-rates using the EM algorithm,
Applied Statistics 28 (1979). The matrices are smoothed as if each annotator had given, before the first answer, one
right answer to each label, and one more spread evenly over all labels: somebody with few answers is thought to be
moderately good, and no chance is ever zero.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Ints: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]
Bools: TypeAlias = npt.NDArray[np.bool_]

TOLERANCE = 1e-4
MAX_ITERATIONS = 500


@dataclass(frozen=True, slots=True)
class Votes:
    """Who said what, as numbers: answer ``n`` is ``labels[label[n]]``, to ``items[item[n]]``, by ``annotator[n]``.

    Args:
        items: names of the items, sorted.
        annotators: names of the annotators, ordered by what they answered and not by name.
        labels: all labels that could be chosen, in the order of the question.
        item: per answer, the index of its item; answers are in the order of items, then of annotators.
        annotator: per answer, the index of its annotator.
        label: per answer, the index of its label.
    """

    items: list[str]
    annotators: list[str]
    labels: list[str]
    item: Ints
    annotator: Ints
    label: Ints

    def counts(self) -> Ints:
        """How often each item got each label (items x labels)."""
        shape = len(self.items), len(self.labels)
        return np.bincount(self.item * shape[1] + self.label, minlength=shape[0] * shape[1]).reshape(shape)


@dataclass(frozen=True, slots=True)
class Fit:
    """What the model found.

    Args:
        posterior: the chance of each label (items x labels); rows sum to 1.
        confusion: the chance of each answer (annotators x true labels x answers).
        prior: the share of each label.
        iterations: how many rounds it took.
        converged: whether the last round changed hardly anything.
    """

    posterior: Floats
    confusion: Floats
    prior: Floats
    iterations: int
    converged: bool


def votes(answers: Iterable[tuple[str, str, str]], labels: Sequence[str]) -> Votes:
    """Number the items, annotators and labels of answers ``(item, annotator, label)``; their order never matters.

    Annotators are ordered by their answers, so that names do not change as much as the rounding of a sum.

    Raises:
        ValueError: a label that is not among ``labels``, or two different answers of one person to one item.

    >>> given = votes([("i1", "bo", "no"), ("i2", "ann", "yes"), ("i1", "ann", "no")], ["yes", "no"])
    >>> given.items, given.annotators, given.label.tolist()
    (['i1', 'i2'], ['bo', 'ann'], [1, 1, 0])
    """
    given = list(answers)
    columns = [[answer[n] for answer in given] for n in range(3)]
    items, people = sorted(set(columns[0])), sorted(set(columns[1]))
    number = {label: n for n, label in enumerate(labels)}
    if unknown := sorted(set(columns[2]) - set(number)):
        raise ValueError(f"{unknown[0]!r} is not one of the labels: {', '.join(labels)}")
    item = _numbers(columns[0], {name: n for n, name in enumerate(items)})
    person = _numbers(columns[1], {name: n for n, name in enumerate(people)})
    label = _numbers(columns[2], number)
    unique = np.unique((item * len(people) + person) * len(labels) + label)
    rest, label = np.divmod(unique, max(len(labels), 1))
    item, person = np.divmod(rest, max(len(people), 1))
    twice = np.flatnonzero((item[1:] == item[:-1]) & (person[1:] == person[:-1]))
    if len(twice):
        name, who = items[item[twice[0]]], people[person[twice[0]]]
        raise ValueError(f"{who!r} gave {name!r} two different answers; only the latest counts")

    # Per person the answers as bytes, in the order of items: an order of people that does not know their names.
    own = np.argsort(person, kind="stable")
    content = (item * len(labels) + label)[own].astype(">i8")
    bounds = np.cumsum(np.bincount(person, minlength=len(people)))[:-1]
    keys = [part.tobytes() for part in np.split(content, bounds)] if people else []
    order = sorted(range(len(people)), key=keys.__getitem__)
    rank = np.empty(len(people), dtype=np.int64)
    rank[order] = np.arange(len(people))
    annotator = rank[person]
    by_item = np.lexsort((annotator, item))
    return Votes(items, [people[n] for n in order], list(labels), item[by_item], annotator[by_item], label[by_item])


def without(votes: Votes, people: Collection[str]) -> Votes:
    """The answers of everybody else; items that nobody else answered are left out too.

    >>> both = votes([("i1", "ann", "yes"), ("i1", "bo", "no"), ("i2", "bo", "no")], ["yes", "no"])
    >>> rest = without(both, {"bo"})
    >>> rest.items, rest.annotators, rest.item.tolist(), rest.label.tolist()
    (['i1'], ['ann'], [0], [0])
    """
    stays = np.array([name not in people for name in votes.annotators], dtype=bool)
    kept = stays[votes.annotator]
    items, item = np.unique(votes.item[kept], return_inverse=True)
    return Votes(
        [votes.items[n] for n in items],
        [name for name in votes.annotators if name not in people],
        votes.labels,
        item.astype(np.int64),
        (np.cumsum(stays) - 1)[votes.annotator[kept]].astype(np.int64),
        votes.label[kept],
    )


def as_one(votes: Votes, groups: Iterable[Collection[str]]) -> Votes:
    """The answers of each group of people as those of one, who has the first of their names.

    Where they differ, nobody knows which answer is theirs: then there is none.

    >>> said = [("i1", "ann", "yes"), ("i1", "bo", "yes"), ("i2", "ann", "yes"), ("i2", "bo", "no"), ("i3", "bo", "no")]
    >>> both = as_one(votes(said, ["yes", "no"]), [{"ann", "bo"}])
    >>> both.items, both.annotators, both.label.tolist()
    (['i1', 'i3'], ['ann'], [0, 1])
    """
    name = {who: min(group) for group in groups for who in group}
    number = {who: n for n, who in enumerate(votes.annotators)}
    person = np.array([number[name.get(who, who)] for who in votes.annotators], dtype=np.int64)[votes.annotator]
    _, first, inverse = np.unique(votes.item * len(number) + person, return_index=True, return_inverse=True)
    differs = np.zeros(len(first), dtype=bool)
    np.logical_or.at(differs, inverse, votes.label != votes.label[first][inverse])
    kept = first[~differs]
    one = Votes(votes.items, votes.annotators, votes.labels, votes.item[kept], person[kept], votes.label[kept])
    return without(one, {who for who in name if who != name[who]})


def _numbers(column: Sequence[str], number: dict[str, int]) -> Ints:
    return np.fromiter(map(number.__getitem__, column), dtype=np.int64, count=len(column))


def sums(index: Ints, weights: Floats, size: int) -> Floats:
    """The sum of the weights of each index below ``size``.

    >>> sums(np.array([0, 2, 0]), np.array([1.0, 2.0, 3.0]), 3).tolist()
    [4.0, 0.0, 2.0]
    """
    return np.asarray(np.bincount(index, weights=weights, minlength=size), dtype=np.float64)


def dawid_skene(votes: Votes, *, tolerance: float = TOLERANCE, max_iterations: int = MAX_ITERATIONS) -> Fit:
    """The most probable labels and confusion matrices, from the shares of answers on.

    Args:
        votes: who said what.
        tolerance: stop when no chance of an item changes by more.
        max_iterations: stop after so many rounds in any case.

    >>> crowd = [(f"i{n}", who, "yes" if n % 2 else "no") for n in range(20) for who in ("ann", "bo")]
    >>> fit = dawid_skene(votes([*crowd, *((f"i{n}", "zed", "yes") for n in range(20))], ["yes", "no"]))
    >>> fit.posterior.round(2)[:2].tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    size, classes = len(votes.items), len(votes.labels)
    people = len(votes.annotators)
    cell = votes.annotator * classes + votes.label
    posterior = np.ascontiguousarray(shares(votes).T)
    prior, confusion = _maximise(posterior, votes.item, cell, people)
    iterations, converged = 0, size == 0
    while not converged and iterations < max_iterations:
        before = posterior
        posterior = expect(prior, confusion, votes.item, cell, size)
        prior, confusion = _maximise(posterior, votes.item, cell, people)
        iterations += 1
        converged = bool(np.abs(posterior - before).max() <= tolerance)
    return Fit(np.ascontiguousarray(posterior.T), confusion, prior, iterations, converged)


def shares(votes: Votes) -> Floats:
    """The share of answers that each label has (items x labels)."""
    counts = votes.counts()
    return np.asarray(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1))


def smoothing(classes: int) -> Floats:
    """The answers that each annotator is taken to have given before the first one (true labels x answers)."""
    return np.full((classes, classes), 1 / classes) + np.eye(classes)


def _maximise(posterior: Floats, item: Ints, cell: Ints, people: int) -> tuple[Floats, Floats]:
    """Prior and confusion matrices from the labels' chances (labels x items); ``cell`` as in :func:`expect`."""
    classes, size = posterior.shape
    before = smoothing(classes)
    confusion = np.empty((people, classes, classes))
    for true in range(classes):
        weights = sums(cell, posterior[true].take(item), people * classes)
        confusion[:, true] = weights.reshape(people, classes) + before[true]
    confusion /= confusion.sum(axis=2, keepdims=True)
    return (posterior.sum(axis=1) + 1 / classes) / (size + 1), confusion


def expect(prior: Floats, confusion: Floats, item: Ints, cell: Ints, size: int) -> Floats:
    """The chance of each label from prior and confusion matrices (labels x items, quicker than items x labels).

    Args:
        prior: the share of each label.
        confusion: annotators x true labels x answers.
        item: per answer, the index of its item.
        cell: per answer, annotator x number of answers + answer.
        size: how many items there are.
    """
    # Products of many chances, so sums of logarithms.
    logs = np.log(confusion)
    scores = np.empty((len(prior), size))
    for true, share in enumerate(np.log(prior)):
        scores[true] = share + sums(item, logs[:, true].ravel().take(cell), size)
    scores -= scores.max(axis=0)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=0)
    return scores
