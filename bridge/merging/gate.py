"""Whether a model of the annotators (:mod:`bridge.merging.dawid_skene`) may be used instead of the majority.

A model learns from the answers alone, so it can be wrong without any sign in its own figures. It is used only where

- there is enough to learn from: items, answers to each, annotators, answers of each annotator with each label;
- nobody always says the same, or copies (:mod:`bridge.merging.suspects`). The model does not get the answers of people
  who always say the same, and those of people who copy only once (:func:`set_aside`); everything here is asked of the
  rest. Only where half of all answers would go, it is not used;
- hardly anybody is worse than chance by the model: where it takes many people to say the opposite of what they mean,
  it may as well have taken the wrong side;
- people differ enough, and have said enough, to be told apart: answers that were left out are predicted no worse by a
  matrix for each annotator than by one for all. Otherwise the model has learned chance;
- people whom neither has heard do not side with the majority against it, where the two differ;
- two other models do not contradict it, where it changes what most of all people said. One knows only how often each
  annotator is right: by its reckoning the changed labels must not make things worse. The other knows items that are
  hard for everybody, which Dawid-Skene may take for a label of their own: by its reckoning the changes must clearly
  pay.

The other models are in :mod:`bridge.merging.rivals`. They turn away some crowds that the model would serve well, above
all those that lean to one label together: from the answers alone these cannot be told from crowds that it would harm.
No gate sees an error that most people share. What it is worth is in docs/benchmarks.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from bridge.merging.dawid_skene import Fit, Votes, as_one, dawid_skene, without
from bridge.merging.doubt import Doubt
from bridge.merging.rivals import hard_items, knowing_who, one_coin, part, top, unasked
from bridge.merging.suspects import suspects

ITEMS, ANSWERS_PER_ITEM, ANNOTATORS, ANSWERS_PER_LABEL = 100, 2, 3, 5
"""The least of each; of answers, the mean over items, and over annotators and labels."""

SUSPECT = 0.5
"""The share of all answers from which on those that constant and copying people gave too many cannot be done without:
of two halves nobody can say which one is to be believed."""

CONTRARY = 0.2
"""The share of all answers that may come from people who are worse than chance by the model."""

UNSURE = 0.02
"""By how many nats per answer the model may predict worse than one that does not know who answered. Predictions suffer
more than labels do from what is not known well."""

LOSS = 0.005
"""The share of labels that may become worse than the majority's, as another model reckons."""

NET = 0.2
"""Of the labels that change, how many more must become right than wrong, as another model reckons: one in five."""

ENOUGH = 200_000
"""Answers from which on a part of the items is enough to hold models against each other."""


class Rest(NamedTuple):
    """What a model is given to learn from.

    Args:
        votes: the answers.
        left_out: whose answers are not among them.
        as_one: people whose answers are there once, as those of one person: the first of each tuple.
    """

    votes: Votes
    left_out: tuple[str, ...] = ()
    as_one: tuple[tuple[str, ...], ...] = ()


def gate(votes: Votes, said: Votes | None = None) -> list[Doubt]:
    """Why Dawid-Skene is not to be used on these answers, each failed condition with its figures; empty if it is.

    Args:
        votes: the answers that the model would learn from (:func:`set_aside`).
        said: all answers, if those are not all: their majority is what the model would change.

    >>> from bridge.merging.dawid_skene import votes
    >>> crowd = [(f"i{n:03}", f"p{m}", "no" if n % 9 == m else "yes") for n in range(99) for m in range(3)]
    >>> [doubt.means for doubt in gate(votes(crowd, ["yes", "no"]))]
    ['99 items have answers, too few to learn from: 100 are needed']
    """
    doubts = [*_too_little(votes), *suspects(votes)]
    if doubts:
        return doubts
    fit = dawid_skene(votes)
    return [*_contrary(votes, fit), *_contradicted(votes, fit, said or votes)]


def set_aside(said: Votes) -> Rest:
    """The answers without those of people who always say the same, and with those of people who copy once.

    People who copy and agree with everybody else less than by chance are left out too: nobody knows whether they do as
    they were told. Where half of all answers or more would go, all stay, and the gate does not hold.

    >>> from bridge.merging.dawid_skene import votes
    >>> crowd = [(f"i{n:02}", f"p{m:02}", "yn"[n % 2 == (n % m > 0)]) for n in range(60) for m in range(3, 15)]
    >>> lazy = [(f"i{n:02}", "zed", "y") for n in range(60)]
    >>> set_aside(votes(crowd + lazy, ["y", "n"])).left_out
    ('zed',)
    """
    rest = said
    left_out: set[str] = set()
    together: list[set[str]] = []
    while found := suspects(rest):
        goes = {name for doubt in found if doubt.kind == "constant_annotator" for name in doubt.annotators}
        if not goes:
            together = _united([*together, *(set(doubt.annotators) for doubt in found)])
            rest = as_one(rest, together)
            goes = {min(group) for group in together} & set(_against_all(rest))
        rest = without(rest, goes)
        left_out |= goes.union(*(group for group in together if group & goes))
        together = [group for group in together if not group & goes]
        if len(said.label) - len(rest.label) >= SUSPECT * len(said.label):
            return Rest(said)
    return Rest(rest, tuple(sorted(left_out)), tuple(sorted(tuple(sorted(group)) for group in together)))


def _united(groups: Sequence[set[str]]) -> list[set[str]]:
    """Groups that share a member as one.

    >>> [sorted(group) for group in _united([{"a", "b"}, {"c", "d"}, {"b", "c"}, {"e", "f"}])]
    [['a', 'b', 'c', 'd'], ['e', 'f']]
    """
    united: list[set[str]] = []
    for group in groups:
        touching = [other for other in united if other & group]
        united = [other for other in united if not other & group]
        united.append(group.union(*touching))
    return sorted(united, key=min)


def _against_all(votes: Votes) -> list[str]:
    """People who agree with the others less often than by chance: than the shares of labels of both sides make it."""
    people, classes = len(votes.annotators), len(votes.labels)
    counts = votes.counts()
    others = counts.sum(axis=1)[votes.item] - 1
    same = counts[votes.item, votes.label] - 1
    compared = np.maximum(np.bincount(votes.annotator, others, people), 1)
    share = np.bincount(votes.annotator, same, people) / compared
    own = np.bincount(votes.annotator * classes + votes.label, minlength=people * classes).reshape(people, classes)
    given = np.maximum(own.sum(axis=1), 1)
    theirs = own.sum(axis=0) - own
    chance = (own / given[:, None] * theirs / np.maximum(theirs.sum(axis=1), 1)[:, None]).sum(axis=1)
    against = share + 2 * np.sqrt(share * (1 - share) / given) < chance
    return [votes.annotators[n] for n in np.flatnonzero(against)]


def few_items(items: int, what: str = "items") -> list[Doubt]:
    """Whether so many items, or other things that are judged as a whole, are too few.

    >>> few_items(20, "texts")[0].means
    '20 texts have answers, too few to learn from: 100 are needed'
    """
    if items >= ITEMS:
        return []
    return [
        Doubt(
            "few_items",
            f"{items:,} {what} have answers, too few to learn from: {ITEMS} are needed",
            "stay with the majority, or collect more answers first",
            evidence={"items": items, "needed": ITEMS},
        )
    ]


def _too_little(votes: Votes) -> Iterator[Doubt]:
    answers, items, people = len(votes.label), len(votes.items), len(votes.annotators)
    yield from few_items(items)
    if answers < ANSWERS_PER_ITEM * items:
        yield Doubt(
            "few_answers_per_item",
            f"items have {answers / items:.2f} answers on average, too few to compare: {ANSWERS_PER_ITEM} are needed",
            "have more people answer each item; 3 or more are better",
            evidence={"answers_per_item": round(answers / items, 4), "needed": ANSWERS_PER_ITEM},
        )
    if people < ANNOTATORS:
        yield Doubt(
            "few_annotators",
            f"{people} people answered; of so few nobody can say who is right: {ANNOTATORS} are needed",
            "have more people answer",
            evidence={"annotators": people, "needed": ANNOTATORS},
        )
    cells = people * len(votes.labels)
    if answers < ANSWERS_PER_LABEL * cells:
        yield Doubt(
            "few_answers_per_annotator",
            f"annotators gave {answers / max(cells, 1):.1f} answers per label on average, too few to know what each "
            f"means by it: {ANSWERS_PER_LABEL} are needed",
            "stay with the majority, or have fewer people answer more items each",
            evidence={
                "answers_per_annotator_and_label": round(answers / max(cells, 1), 4),
                "needed": ANSWERS_PER_LABEL,
            },
        )


def _contrary(votes: Votes, fit: Fit) -> Iterator[Doubt]:
    """People whose answers, by the model, are right less often than their labels would be by chance."""
    right = np.einsum("t,att->a", fit.prior, fit.confusion)
    own = np.einsum("t,atl->al", fit.prior, fit.confusion)
    chance = own @ fit.prior
    given = np.bincount(votes.annotator, minlength=len(votes.annotators))
    error = np.sqrt(right * (1 - right) / np.maximum(given, 1))
    contrary = right + 2 * error < chance
    share = float(given[contrary].sum() / len(votes.label))
    if share < CONTRARY:
        return
    names = tuple(sorted(votes.annotators[n] for n in np.flatnonzero(contrary)))
    yield Doubt(
        "contrary_annotators",
        f"by the model {len(names)} people with {share:.0%} of the answers are wrong more often than by chance: either "
        "they mean the opposite of what they say, or the model has taken the wrong side",
        "read some items on which they differ from the others, and settle who is right",
        annotators=names,
        evidence={"share": round(share, 4), "allowed": CONTRARY},
    )


def _contradicted(votes: Votes, fit: Fit, said: Votes) -> Iterator[Doubt]:
    """The model's labels are worse than the majority's, or hardly better, as its rivals reckon."""
    few, items = part(votes, ENOUGH)
    change = top(fit.posterior[items]) - top(said.counts()[np.searchsorted(said.items, few.items)])
    changed = float(np.abs(change).sum() / 2 / len(items))
    if not changed:
        return
    worth = knowing_who(few)
    if worth < -UNSURE:
        yield Doubt(
            "annotators_alike",
            "knowing who gave an answer makes predictions of it worse, by "
            f"{-worth:.3f} nats per answer: people differ too little, or gave too few answers, to be told apart",
            "stay with the majority, or have fewer people answer more items each",
            evidence={"nats_per_answer": round(worth, 4), "needed": -UNSURE},
        )
    remedy = "stay with the majority, or have an expert decide some of the records on which the two differ"
    model, majority = unasked(few)
    if majority - model > math.sqrt(majority + model):
        yield Doubt(
            "unconfirmed",
            "people whom it has not heard side with the majority more often than with the model: "
            f"{majority:,.0f} to {model:,.0f} of their answers, where the two differ",
            remedy,
            evidence={"for_the_model": round(model, 2), "for_the_majority": round(majority, 2)},
        )
    gain = float((one_coin(few) * change).sum() / len(items))
    if gain < -LOSS:
        yield Doubt(
            "contradicted",
            f"the model would change {changed:.1%} of the labels, but by another one, which only knows how often each "
            f"person is right, {-gain:.1%} of all labels more would become wrong than right",
            remedy,
            evidence={"changed": round(changed, 4), "gain": round(gain, 4), "needed": -LOSS},
        )
    gain = float((hard_items(few) * change).sum() / len(items))
    if gain < NET * changed:
        yield Doubt(
            "hard_items",
            f"the model would change {changed:.1%} of the labels, but by another one, which knows items that are hard "
            f"for everybody, only {gain:.1%} of all labels more would become right than wrong",
            remedy,
            evidence={"changed": round(changed, 4), "gain": round(gain, 4), "needed": round(NET * changed, 4)},
        )
