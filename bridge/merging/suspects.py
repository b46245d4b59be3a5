"""People whose answers say nothing about the items: always the same label, or copied from somebody else.

Both are judged against what the other people say about the same items, so that an honest person is not accused
because nearly all items have one label, nor two excellent ones because the task is easy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from bridge.merging.dawid_skene import Floats, Ints, Votes, sums
from bridge.merging.doubt import Doubt

ALARM = 0.001
"""The chance at which anybody at all is named although everybody is honest."""

FEW_ANSWERS, FEW_COMMON = 10, 20
"""Answers, and items answered by both, below which nobody is judged."""

NEARLY = 0.95
"""A share that counts as nearly all."""

FAR = 4
"""How many times as often two independent people would at least have differed."""

LITTLE = 0.05
"""Agreement above chance of people who hardly agree."""

STRANGE = 0.25
"""Agreement, word for word, that two people with everybody else surely stay below who only agree with each other."""

AT_ONCE = 1 << 22
"""Pairs of answers that are held in memory together."""

CROWDED, DENSE = 4000, 25
"""Up to how many people, and how much slower a pair is in a list than in a matrix."""

Tally: TypeAlias = tuple[Ints, Floats, Floats]


class Pairs(NamedTuple):
    """Every two annotators who share an item: their indexes, how many items they share and how often they agree."""

    first: Ints
    second: Ints
    common: Floats
    same: Floats


def suspects(votes: Votes) -> list[Doubt]:
    """Annotators who always say the same, and pairs who copy; sorted by kind and by name.

    >>> from bridge.merging.dawid_skene import votes
    >>> crowd = [(f"i{n:02}", who, "yes" if n % 2 else "no") for n in range(40) for who in ("ann", "bo", "cy")]
    >>> [(doubt.kind, doubt.annotators) for doubt in suspects(votes(crowd, ["yes", "no"]))]
    []
    >>> lazy = [(f"i{n:02}", "zed", "yes") for n in range(40)]
    >>> [(doubt.kind, doubt.annotators) for doubt in suspects(votes(crowd + lazy, ["yes", "no"]))]
    [('constant_annotator', ('zed',))]
    """
    if not len(votes.label):
        return []
    return constant_annotators(votes) + copied_answers(votes)


def constant_annotators(votes: Votes) -> list[Doubt]:
    """People who give (nearly) only one label, also to items that most others give another label to.

    Only such items count, and the measure is how often somebody else gives that label to an item of which the others
    say the same: where others err often, contradicting them is no sign of anything. Where nearly all items have one
    label there are few such items, and always giving it proves nothing. And whoever gives another label just there,
    however rarely, has read the item: cautious, not constant.
    """
    people, classes = len(votes.annotators), len(votes.labels)
    own = np.bincount(votes.annotator * classes + votes.label, minlength=people * classes).reshape(people, classes)
    given, most, favourite = own.sum(axis=1), own.max(axis=1), own.argmax(axis=1)
    judged = (given >= FEW_ANSWERS) & (most >= NEARLY * given)

    counts = votes.counts()
    others = counts.sum(axis=1)[votes.item] - 1
    against, hits, expected = np.zeros(people), np.zeros(people), np.zeros(people)
    for label in np.unique(favourite[judged]):
        hit = (votes.label == label).astype(np.int64)
        same = counts[votes.item, label] - hit
        there = np.flatnonzero(2 * same < others)
        who, hit, same, of = votes.annotator[there], hit[there], same[there], others[there]
        _, pattern = np.unique(of * (people + 1) + same, return_inverse=True)
        suspected = judged[who] & (favourite[who] == label)
        free = ~suspected
        patterns = int(pattern.max(initial=-1)) + 1
        # Before anybody else is counted: the others' share, as if there were one more who says anything.
        guess = (same + 1 / classes) / (of + 1)
        chance = sums(pattern[free], hit[free].astype(float), patterns)[pattern] + 2 * guess
        chance /= sums(pattern[free], np.ones(int(free.sum())), patterns)[pattern] + 2
        against += sums(who[suspected], np.ones(int(suspected.sum())), people)
        hits += sums(who[suspected], hit[suspected].astype(float), people)
        expected += sums(who[suspected], chance[suspected], people)
    expected /= np.maximum(against, 1)
    always = judged & (against > 0) & (hits >= NEARLY * against)
    sure = always & (_log_tail(hits, against, expected) < np.log(ALARM / max(int(judged.sum()), 1)))
    doubts = [
        Doubt(
            "constant_annotator",
            f"{votes.annotators[n]} answered {votes.labels[favourite[n]]!r} in {most[n]:,} of {given[n]:,} answers, "
            f"and in {int(hits[n]):,} of {int(against[n]):,} where most others gave another answer",
            "read some of these items; if the answers were given without reading, leave this person out",
            annotators=(votes.annotators[n],),
            evidence={
                "label": votes.labels[favourite[n]],
                "answers": int(given[n]),
                "same": int(most[n]),
                "against_others": int(hits[n]),
                "of": int(against[n]),
                "expected": round(float(expected[n]), 4),
            },
        )
        for n in np.flatnonzero(sure)
    ]
    return sorted(doubts, key=lambda doubt: doubt.annotators)


def copied_answers(votes: Votes, *, by_chance: bool = True) -> list[Doubt]:
    """Pairs who agree (nearly) always, and far more than their agreement with other people explains.

    Agreement above chance is the product of how good the two are, so how often two people should agree follows from
    how often each agrees with the others, and these with one another: two who are nearly always right agree nearly
    always. (The matrix of agreements has rank one: Dalvi, Dasgupta, Kumar and Rastogi, Aggregating crowdsourced binary
    ratings, WWW 2013.) Chance is what the shares of labels that each of the two gives make it. Where the others do not
    clearly agree with one another, or there are none, only two who never differ are named; and only if both agree with
    nobody else as much, but with others clearly more than by chance: beside one who answers at random all look alike.

    Args:
        votes: who said what.
        by_chance: whether answers can be the same by chance, and be so often. Those that are written or marked freely
            cannot: then two who hardly ever agree with others, but always with each other, need no further proof.
    """
    pairs = _pairs(votes)
    people, classes = len(votes.annotators), len(votes.labels)
    own = np.bincount(votes.annotator * classes + votes.label, minlength=people * classes).reshape(people, classes)
    answers = own.sum(axis=1)
    shares = own / np.maximum(answers, 1)[:, None]
    chance = np.zeros(len(pairs.first))
    for label in range(classes if by_chance else 0):
        chance += shares[pairs.first, label] * shares[pairs.second, label]

    judged = pairs.common >= FEW_COMMON
    near = judged & (pairs.same >= NEARLY * pairs.common)
    first, second = pairs.first[near], pairs.second[near]
    # Three sums each: answers in common, those that are the same, and those that would be by chance.
    figures = np.stack([pairs.common, pairs.same, chance * pairs.common])
    of_each = np.stack([sums(pairs.first, row, people) + sums(pairs.second, row, people) for row in figures])
    of_pair = figures[:, near]
    rest = figures.sum(axis=1)[:, None] - of_each[:, first] - of_each[:, second] + of_pair
    (one, one_error), (other, other_error), (usual, usual_error) = (
        _above_chance(of_each[:, first] - of_pair, answers[first]),
        _above_chance(of_each[:, second] - of_pair, answers[second]),
        _above_chance(rest, rest[0]),
    )
    known = usual - 2 * usual_error > LITTLE
    follow = (one - 2 * one_error > LITTLE) & (other - 2 * other_error > LITTLE)
    partners = np.bincount(np.concatenate([first, second]), minlength=people)
    exclusive = (partners[first] == 1) & (partners[second] == 1)
    explained = np.clip(one + one_error, 0, 1) * np.clip(other + other_error, 0, 1) / np.where(known, usual, 1.0)
    expected = chance[near] + (1 - chance[near]) * np.minimum(explained, 1.0)
    common, same = pairs.common[near], pairs.same[near]
    alone = np.maximum(one + 2 * one_error, other + 2 * other_error) < STRANGE
    copied = (
        (FAR * (common - same) <= (1 - expected) * common)
        & (known | ((same == common) & follow & exclusive) | (alone & (not by_chance)))
        & (_log_tail(same, common, expected) < np.log(ALARM / max(int(judged.sum()), 1)))
    )
    doubts = []
    for n in np.flatnonzero(copied):
        names = sorted((votes.annotators[first[n]], votes.annotators[second[n]]))
        means = (
            f"{names[0]} and {names[1]} gave the same answer to {int(same[n]):,} of the {int(common[n]):,} items that "
            f"both answered; from how they agree with other people, {expected[n]:.0%} would be expected"
        )
        remedy = "ask whether they work together or are one person; if so, count the answers of one of them only"
        evidence = {"common": int(common[n]), "same": int(same[n]), "expected": round(float(expected[n]), 4)}
        doubts.append(Doubt("copied_answers", means, remedy, annotators=(names[0], names[1]), evidence=evidence))
    return sorted(doubts, key=lambda doubt: doubt.annotators)


def _above_chance(figures: Floats, answers: Ints | Floats) -> tuple[Floats, Floats]:
    """Agreement above chance, and its standard error; 1 and 1 where nothing is known.

    Of several others on one item each is a comparison, but they are no more evidence than the one answer compared.
    """
    common, same, by_chance = figures
    share = (same + 1) / (common + 2)
    chance = np.minimum(by_chance / np.maximum(common, 1), 1 - 1e-9)
    error = np.sqrt(share * (1 - share) / (np.minimum(common, answers) + 2)) / (1 - chance)
    return np.where(common > 0, (share - chance) / (1 - chance), 1.0), np.where(common > 0, error, 1.0)


def _log_tail(hits: Floats, trials: Floats, chance: Floats) -> Floats:
    """At most the logarithm of the chance of so many hits or more: Chernoff's bound, exact where all trials hit.

    >>> np.exp(_log_tail(np.array([10.0, 3.0]), np.array([10, 10]), np.array([0.5, 0.5]))).round(6).tolist()
    [0.000977, 1.0]
    """
    trials = np.maximum(trials, 1)
    share = hits / trials
    chance = np.clip(chance, 1e-12, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        miss = np.where(share < 1, (1 - share) * np.log((1 - share) / (1 - chance)), 0.0)
        hit = np.where(share > 0, share * np.log(share / chance), 0.0)
    return np.where(share > chance, -trials * (hit + miss), 0.0)


def _pairs(votes: Votes) -> Pairs:
    """All pairs of answers to the same item, tallied by their annotators."""
    items, people = len(votes.items), len(votes.annotators)
    each = np.bincount(votes.item, minlength=items).astype(float)
    if people <= CROWDED and DENSE * (each**2).sum() > items * people**2:
        return _dense_pairs(votes)
    waiting: list[Tally] = [(np.empty(0, dtype=np.int64), np.empty(0), np.empty(0))]
    # Answers lie in the order of items, so the pairs of an item are those at a distance of 1, 2, 3... within it.
    for distance in range(1, len(votes.item)):
        here = np.flatnonzero(votes.item[distance:] == votes.item[:-distance])
        if not len(here):
            break
        there = here + distance
        keys = votes.annotator[here] * people + votes.annotator[there]
        waiting.append((keys, np.ones(len(keys)), (votes.label[here] == votes.label[there]).astype(float)))
        if sum(len(part[0]) for part in waiting) > AT_ONCE:
            waiting = [_tallied(waiting, people**2)]
    keys, common, same = _tallied(waiting, people**2)
    return Pairs(keys // people, keys % people, common, same)


def _dense_pairs(votes: Votes) -> Pairs:
    """The same by products of matrices, where most people answer most items: zeros cost less than lists of pairs."""
    items, people = len(votes.items), len(votes.annotators)
    common, same = np.zeros((people, people)), np.zeros((people, people))
    step = max(1, AT_ONCE // people)
    for start in range(0, items, step):
        part = slice(*np.searchsorted(votes.item, (start, start + step)))
        given = np.full((min(step, items - start), people), -1)
        given[votes.item[part] - start, votes.annotator[part]] = votes.label[part]
        # Counts below 2 ** 24 are exact in single precision, which is twice as fast.
        for table, shown in [(common, given >= 0), *((same, given == label) for label in range(len(votes.labels)))]:
            chosen = shown.astype(np.float32)
            table += chosen.T @ chosen
    first, second = np.nonzero(np.triu(common, 1))
    return Pairs(first, second, common[first, second], same[first, second])


def _tallied(parts: Sequence[Tally], size: int) -> Tally:
    """Sums by key; keys are below ``size``."""
    keys = np.concatenate([part[0] for part in parts])
    dense = size <= 4 * len(keys)
    found, places = (np.arange(size), keys) if dense else np.unique(keys, return_inverse=True)
    common = sums(places, np.concatenate([part[1] for part in parts]), len(found))
    same = sums(places, np.concatenate([part[2] for part in parts]), len(found))
    there = np.flatnonzero(common)
    return found[there], common[there], same[there]
