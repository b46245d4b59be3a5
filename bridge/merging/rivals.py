"""Other models of annotators, against which the gate holds Dawid and Skene's.

Each errs in other ways: one knows no confusions of labels, one knows items that are hard for everybody, one does not
know who answered. What a model gains by its own reckoning says little; what it gains by a rival's says more.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bridge.merging.dawid_skene import Bools, Floats, Ints, Votes, dawid_skene, expect, shares, smoothing, sums

ROUNDS, CLOSE = 40, 0.01
"""When to stop: a comparison needs no more digits."""

FOLDS = 5
LEVELS = 1.0, 0.5, 0.0
"""How far an answer depends on the item: as usual, half, and not at all."""


def one_coin(votes: Votes) -> Floats:
    """The chance of each label if every annotator is right equally often on all labels (items x labels).

    All labels are likely alike. This is the model of G. Demartini, D. E. Difallah and P. Cudré-Mauroux, ZenCrowd,
    WWW 2012, with each annotator's share of right answers smoothed by one right and one wrong answer.

    >>> from bridge.merging.dawid_skene import votes
    >>> answers = [(f"i{n}", who, "yes") for n in range(9) for who in ("ann", "bo")]
    >>> one_coin(votes([*answers, ("i0", "cy", "no")], ["yes", "no"]))[0].round(2).tolist()
    [0.99, 0.01]
    """
    posterior = shares(votes)
    items, classes = posterior.shape
    given = np.bincount(votes.annotator, minlength=len(votes.annotators))
    if classes == 1:
        return posterior
    cell = votes.item * classes + votes.label
    for _ in range(ROUNDS):
        before = posterior
        right = (sums(votes.annotator, posterior.ravel()[cell], len(given)) + 1) / (given + 2)
        weight = np.log(right) - np.log((1 - right) / (classes - 1))
        scores = sums(cell, weight[votes.annotator], items * classes).reshape(items, classes)
        posterior = np.exp(scores - scores.max(axis=1, keepdims=True))
        posterior /= posterior.sum(axis=1, keepdims=True)
        if np.abs(posterior - before).max(initial=0.0) <= CLOSE:
            break
    return posterior


def hard_items(votes: Votes) -> Floats:
    """The chance of each label if some items are hard for everybody (items x labels).

    As Dawid and Skene's, but an item also has one of :data:`LEVELS`: so much of an answer is the annotator's own, and
    the rest any label. Without it, items that people answer at random look like a label of their own. The difficulty of
    items is that of J. Whitehill et al., Whose vote should count more, NIPS 2009, in steps.

    >>> from bridge.merging.dawid_skene import votes
    >>> answers = [(f"i{n}", who, "yes" if n % 2 else "no") for n in range(20) for who in ("ann", "bo")]
    >>> hard_items(votes(answers, ["yes", "no"]))[:2].round(1).tolist()
    [[0.1, 0.9], [0.9, 0.1]]
    """
    posterior = shares(votes)
    items, classes = posterior.shape
    people, levels = len(votes.annotators), len(LEVELS)
    cell = votes.annotator * classes + votes.label
    before_any = smoothing(classes)
    own = np.array(LEVELS)[None, None, :, None]
    # At first all items are as usual; states are levels of labels (labels x levels x items).
    states = np.zeros((classes, levels, items))
    states[:, 0] = posterior.T
    usual = np.ones((people, classes, levels, classes))
    for step in range(ROUNDS):
        counts = np.empty((people, classes, levels, classes))
        for true in range(classes):
            for level in range(levels):
                weights = sums(cell, states[true, level].take(votes.item), people * classes)
                counts[:, true, level] = weights.reshape(people, classes)
        confusion = (counts * usual).sum(axis=2) + before_any
        confusion /= confusion.sum(axis=2, keepdims=True)
        mixed = own * confusion[:, :, None] + (1 - own) / classes
        usual = own * confusion[:, :, None] / mixed
        prior = states.sum(axis=2) if step else states[:, :1].sum(axis=2) * (0.8 * np.array(LEVELS) + 0.1)
        prior = (prior + 0.5) / (prior + 0.5).sum()
        # A state's matrix is that of a label of its own.
        each = mixed.reshape(people, classes * levels, classes)
        states = expect(prior.ravel(), each, votes.item, cell, items).reshape(classes, levels, items)
        before, posterior = posterior, states.sum(axis=1).T
        if np.abs(posterior - before).max(initial=0.0) <= CLOSE:
            break
    return posterior


def knowing_who(votes: Votes) -> float:
    """How much better answers are predicted by who gave them: nats per answer, by five-fold cross-validation.

    Each answer is predicted from others, by one confusion matrix for each annotator and by one for all together. Less
    than zero means that people differ too little, or answered too little, for their differences to be known.

    >>> from bridge.merging.dawid_skene import votes
    >>> crowd = [(f"i{n:02}", who, "yes" if n % 2 else "no") for n in range(30) for who in ("ann", "bo")]
    >>> alike = votes([*crowd, *((f"i{n:02}", "cy", "yes" if n % 2 else "no") for n in range(30))], ["yes", "no"])
    >>> unlike = votes([*crowd, *((f"i{n:02}", "cy", "yes") for n in range(30))], ["yes", "no"])
    >>> knowing_who(alike) < 0 < knowing_who(unlike)
    True
    """
    together = replace(votes, annotators=["everybody"], annotator=np.zeros_like(votes.annotator))
    place = np.arange(len(votes.item)) - np.searchsorted(votes.item, votes.item)
    fold = (place + votes.item) % FOLDS
    return float(np.mean(_predicted(votes, fold) - _predicted(together, fold)))


def unasked(votes: Votes) -> tuple[float, float]:
    """How many answers speak for the model, and how many for the majority, of people whom neither of them has heard.

    A fifth of the people is left out; where the two differ on what the rest said, the answers of those left out count
    for one or the other, or for neither. So does each fifth in turn. Where labels are equally good, each has its part.

    >>> from bridge.merging.dawid_skene import votes
    >>> crowd = [(f"i{n:02}", f"p{m}", "yes" if n % 2 else "no") for n in range(30) for m in range(3)]
    >>> unasked(votes(crowd, ["yes", "no"]))
    (0.0, 0.0)
    """
    given = np.bincount(votes.annotator)
    # By what people did and not by their names, so that other names change nothing.
    order = np.lexsort((np.bincount(votes.annotator, votes.label), np.bincount(votes.annotator, votes.item), -given))
    fold = np.empty_like(order)
    fold[order] = np.arange(len(order)) % FOLDS
    model = majority = 0.0
    for number in range(FOLDS):
        out = fold[votes.annotator] == number
        seen = _of(votes, ~out)
        fit = dawid_skene(seen, tolerance=CLOSE, max_iterations=ROUNDS)
        counts = seen.counts()
        change = np.where(counts.any(axis=1, keepdims=True), top(fit.posterior) - top(counts), 0.0)
        speaks = change[votes.item[out], votes.label[out]]
        model += float(speaks[speaks > 0].sum())
        majority -= float(speaks[speaks < 0].sum())
    return model, majority


def _of(votes: Votes, these: Bools) -> Votes:
    return replace(votes, item=votes.item[these], annotator=votes.annotator[these], label=votes.label[these])


def top(scores: Floats | Ints) -> Floats:
    """The best label of each item as a 1, or as equal parts where several are equally good (items x labels).

    >>> top(np.array([[3, 1, 0], [2, 2, 0]])).tolist()
    [[1.0, 0.0, 0.0], [0.5, 0.5, 0.0]]
    """
    best: Floats = (scores >= scores.max(axis=1, keepdims=True) - 1e-9).astype(np.float64)
    best /= best.sum(axis=1, keepdims=True)
    return best


def _predicted(votes: Votes, fold: Ints) -> Floats:
    """The logarithm of the chance of each answer, by what is learned from the other folds."""
    logs = np.empty(len(votes.label))
    for number in range(FOLDS):
        left, out = fold != number, fold == number
        fit = dawid_skene(_of(votes, left), tolerance=CLOSE, max_iterations=ROUNDS)
        chances = fit.confusion[votes.annotator[out], :, votes.label[out]]
        logs[out] = np.log((fit.posterior[votes.item[out]] * chances).sum(axis=1))
    return logs


def part(votes: Votes, answers: int) -> tuple[Votes, Ints]:
    """Every second, third... item, so that at most about so many answers are left; and the indexes of those items.

    >>> from bridge.merging.dawid_skene import votes
    >>> few, items = part(votes([(f"i{n}", "ann", "yes") for n in range(9)], ["yes"]), 3)
    >>> few.items, items.tolist(), few.item.tolist()
    (['i0', 'i3', 'i6'], [0, 3, 6], [0, 1, 2])
    """
    step = max(1, -(-len(votes.label) // answers))
    items = np.arange(0, len(votes.items), step)
    there = votes.item % step == 0
    few = Votes(
        [votes.items[n] for n in items],
        votes.annotators,
        votes.labels,
        votes.item[there] // step,
        votes.annotator[there],
        votes.label[there],
    )
    return few, items
