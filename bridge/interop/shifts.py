"""Answers that stand on other rows than their prompts, told by words alone."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

OFFSETS = 32
"""How many rows away an answer is looked for."""

RUN = 5
"""How many rows, one after the other, must have their neighbours' answers before that is believed of words alone."""

FEW = 3
"""From so many on they are named, though not believed."""

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
    """Rows with the answers of others: the first and the last, how far away their prompts are, and whether these are
    enough rows to believe it."""

    first: int
    last: int
    near: int
    far: int
    sure: bool


def shifts(rows: Sequence[tuple[Collection[str], Collection[str]]]) -> list[Shift]:
    """Stretches of rows whose answers have the words of prompts some rows away.

    Only rare words count. A row speaks for the one offset at which it finds most, and for none where several find as
    many; so rows that are alike never speak. That :data:`RUN` of them, with none between that speaks for itself, agree
    by accident is rare: two do in one of sixty-four cases, five in one of sixteen million.

    >>> prompts = [words(f"Describe city {name}") for name in ("Oslo", "Rome", "Lima", "Kyiv", "Bonn", "Cork", "Nice")]
    >>> answers = [*prompts[:1], *prompts[2:], prompts[0]]
    >>> shifts(list(zip(prompts, answers)))
    [Shift(first=1, last=5, near=1, far=1, sure=True)]
    """
    places: dict[str, list[int]] = defaultdict(list)
    for index, (given, _) in enumerate(rows):
        for word in given:
            places[word].append(index)
    common = max(3, len(rows) // 20)
    votes: list[tuple[int, int] | None] = []
    for index, (_, made) in enumerate(rows):
        scores: dict[int, int] = defaultdict(int)
        for word in made:
            near = places.get(word, ())
            for place in near if len(near) <= common else ():
                if abs(place - index) <= OFFSETS:
                    scores[place - index] += 1
        best = max(scores.values(), default=0)
        winners = [offset for offset, score in scores.items() if score == best]
        if 0 in winners:
            votes.append((0, 0))
        else:
            votes.append((winners[0], best - scores[0]) if len(winners) == 1 and best > 2 * scores[0] else None)
    return list(_stretches(votes, [not made for _, made in rows]))


def _stretches(votes: Sequence[tuple[int, int] | None], silent: Sequence[bool]) -> Iterator[Shift]:
    speaking = [(index, vote[0]) for index, vote in enumerate(votes) if vote is not None]
    start = 0
    while start < len(speaking):
        end = max(_reach(speaking, start, step) for step in (0, 1, -1))
        constant = _reach(speaking, start, 0)
        if constant - start + 1 >= RUN:
            end = constant
        if speaking[start][1] and end - start + 1 >= (RUN if end == constant else DRIFT):
            first, last = speaking[start][0], speaking[end][0]
            # Beside it stand rows of which nobody can tell; a few of them are on the wrong side.
            before = speaking[start - 1][0] + 1 if start else 0
            after = speaking[end + 1][0] - 1 if end + 1 < len(speaking) else len(votes) - 1
            reach = last - first + 1
            before = max((i + 1 for i in range(before, first) if silent[i]), default=before)
            after = min((i - 1 for i in range(last + 1, after + 1) if silent[i]), default=after)
            begin, finish = max(before, first - reach), min(after, last + reach)
            yield Shift(begin, finish, speaking[start][1], speaking[end][1], sure=True)
            start = end + 1
        elif speaking[start][1] and constant - start + 1 >= FEW:
            offset = speaking[start][1]
            yield Shift(speaking[start][0], speaking[constant][0], offset, offset, sure=False)
            start = constant + 1
        else:
            start += 1


def _reach(speaking: Sequence[tuple[int, int]], start: int, step: int) -> int:
    """The last of those that speak for the same offset as the first, or for one that moves on by ``step`` at a time."""
    end = start
    while end + 1 < len(speaking) and speaking[end + 1][1] and speaking[end + 1][1] - speaking[end][1] in (0, step):
        end += 1
    return end
