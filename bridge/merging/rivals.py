"""Two other models of annotators, against which the gate holds Dawid-Skene's labels.

Each errs in other ways: one knows no confusions of labels, one knows items that are hard for everybody. What a model
gains by its own reckoning says little; what it gains by a rival's says more.
"""

from __future__ import annotations

import numpy as np

from bridge.merging.dawid_skene import Floats, Ints, Votes, expect, shares, smoothing, sums

ROUNDS = 60
CLOSE = 1e-3
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
    >>> hard_items(votes(answers, ["yes", "no"]))[:2].round(2).tolist()
    [[0.04, 0.96], [0.96, 0.04]]
    """
    posterior = shares(votes)
    items, classes = posterior.shape
    people, levels = len(votes.annotators), len(LEVELS)
    cell = votes.annotator * classes + votes.label
    before_any = smoothing(classes)
    own = np.array(LEVELS)[None, :, None, None]
    # At first all items are as usual; states are levels of labels, label by label.
    states = np.zeros((items, classes, levels))
    states[:, :, 0] = posterior
    usual = np.ones((people, levels, classes, classes))
    for step in range(ROUNDS):
        counts = np.empty((people, levels, classes, classes))
        for level in range(levels):
            for true in range(classes):
                weights = sums(cell, states[:, true, level][votes.item], people * classes)
                counts[:, level, true] = weights.reshape(people, classes)
        confusion = (counts * usual).sum(axis=1) + before_any
        confusion /= confusion.sum(axis=2, keepdims=True)
        mixed = own * confusion[:, None] + (1 - own) / classes
        usual = own * confusion[:, None] / mixed
        prior = states.sum(axis=0)
        if not step:
            prior = prior[:, :1] * (0.8 * np.array(LEVELS) + 0.1)
        prior = (prior + 0.5) / (prior + 0.5).sum()
        # A state's matrix is that of a label of its own.
        states = expect(
            prior.ravel(),
            mixed.transpose(0, 2, 1, 3).reshape(people, classes * levels, classes),
            votes.item,
            cell,
            items,
        ).reshape(items, classes, levels)
        before, posterior = posterior, states.sum(axis=2)
        if np.abs(posterior - before).max(initial=0.0) <= CLOSE:
            break
    return posterior


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
