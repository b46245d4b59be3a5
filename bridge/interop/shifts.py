"""Answers that stand on other rows than their prompts, told by words alone."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

OFFSETS = 32
"""How many rows away an answer is looked for."""

RUN = 5
"""How many rows, one after the other, must have their neighbours' answers before that is believed of words alone."""

FEW = 3
"""From so many on they are named, though not believed."""

BOUND = 3
"""So many rows must have numbers of their own prompts, and of no other, before numbers alone are believed elsewhere."""

DRIFT = 7
"""How many where the distance grows: where each prompt had two answers, it grows by one with every second row."""

_WORD = re.compile(r"\d+|[^\W\d_]+")
_UNSPACED = re.compile(r"[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")


def words(text: str) -> set[str]:
    """Words to compare by: numbers, the beginnings of longer words, pairs of characters where there are no spaces.

    >>> sorted(words("The 12 primes, and a Prime")), sorted(words("会议记录"))
    (['12', 'prime'], ['会议', '议记', '记录'])
    """
    found: set[str] = set()
    for word in _WORD.findall(text.lower()):
        if _UNSPACED.search(word):
            found.update(a + b for a, b in pairwise(word))
        elif len(word) > 3:
            found.add(word[:5])
        elif word.isdigit():
            found.add(word)
    return found


class Shift(NamedTuple):
    """Rows with the answers of others: the first and the last, how far away their prompts are, and whether that is to
    be believed: these are enough rows, and more than numbers say so, or numbers that mean something here."""

    first: int
    last: int
    near: int
    far: int
    sure: bool


@dataclass
class Numbers:
    """How many rows have numbers of their own prompts, and of no other, in all that was looked at so far."""

    bound: int = 0


def shifts(rows: Sequence[tuple[Collection[str], Collection[str]]], numbers: Numbers | None = None) -> list[Shift]:
    """Stretches of rows whose answers have the words of prompts some rows away.

    Only rare words count. A row speaks for the one offset at which it finds most, and for none where several find as
    many; so rows that are alike never speak. That :data:`RUN` of them, with none between that speaks for itself, agree
    by accident is rare: two do in one of sixty-four cases, five in one of sixteen million.

    >>> prompts = [words(f"Describe city {name}") for name in ("Oslo", "Rome", "Lima", "Kyiv", "Bonn", "Cork", "Nice")]
    >>> answers = [*prompts[:1], *prompts[2:], prompts[0]]
    >>> shifts(list(zip(prompts, answers)))
    [Shift(first=1, last=5, near=1, far=1, sure=True)]
    """
    numbers = numbers or Numbers()
    places: dict[str, list[int]] = defaultdict(list)
    for index, (given, _) in enumerate(rows):
        for word in given:
            places[word].append(index)
    common = max(3, len(rows) // 20)
    votes: list[_Vote | None] = []
    for index, (_, made) in enumerate(rows):
        scores: dict[int, int] = defaultdict(int)
        worded = set()
        for word in made:
            near = places.get(word, ())
            for place in near if len(near) <= common else ():
                if abs(place - index) <= OFFSETS:
                    scores[place - index] += 1
                    if not word.isdigit():
                        worded.add(place - index)
        best = max(scores.values(), default=0)
        winners = [offset for offset, score in scores.items() if score == best]
        if 0 in winners:
            votes.append(_Vote(index, 0, by_words=0 in worded))
            numbers.bound += winners == [0] and 0 not in worded
        elif len(winners) == 1 and best > 2 * scores[0]:
            votes.append(_Vote(index, winners[0], by_words=winners[0] in worded))
        else:
            votes.append(None)
    return list(_stretches(votes, [not made for _, made in rows], numbers.bound >= BOUND))


class _Vote(NamedTuple):
    place: int
    offset: int
    by_words: bool
    """Not by numbers alone."""


def _stretches(votes: Sequence[_Vote | None], silent: Sequence[bool], numbers_count: bool) -> Iterator[Shift]:
    speaking = [vote for vote in votes if vote is not None]
    start = 0
    while start < len(speaking):
        offset = speaking[start].offset
        end = max(_reach(speaking, start, step) for step in (0, 1, -1))
        constant = _reach(speaking, start, 0)
        if constant - start + 1 >= RUN:
            end = constant
        needed = RUN if end == constant else DRIFT
        if offset and end - start + 1 >= needed:
            first, last = speaking[start].place, speaking[end].place
            if numbers_count or sum(vote.by_words for vote in speaking[start : end + 1]) >= needed:
                # Beside it stand rows of which nobody can tell; a few of them are on the wrong side.
                before = speaking[start - 1].place + 1 if start else 0
                after = speaking[end + 1].place - 1 if end + 1 < len(speaking) else len(votes) - 1
                reach = last - first + 1
                before = max((i + 1 for i in range(before, first) if silent[i]), default=before)
                after = min((i - 1 for i in range(last + 1, after + 1) if silent[i]), default=after)
                begin, finish = max(before, first - reach), min(after, last + reach)
                yield Shift(begin, finish, offset, speaking[end].offset, sure=True)
            else:
                yield Shift(first, last, offset, speaking[end].offset, sure=False)
            start = end + 1
        elif offset and constant - start + 1 >= FEW:
            yield Shift(speaking[start].place, speaking[constant].place, offset, offset, sure=False)
            start = constant + 1
        else:
            start += 1


def _reach(speaking: Sequence[_Vote], start: int, step: int) -> int:
    """The last of those that speak for the same offset as the first, or for one that moves on by ``step`` at a time."""
    end = start
    while end + 1 < len(speaking):
        now, then = speaking[end].offset, speaking[end + 1].offset
        if not then or then - now not in (0, step):
            break
        end += 1
    return end
