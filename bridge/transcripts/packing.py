"""Packs of whole turns that fit into a budget of tokens, each beginning with the last turns of the one before."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from bridge.errors import UsageError
from bridge.transcripts.tokens import Count, estimated

MAX_TURNS = 2_000
"""Most turns of a pack: more than people, or the servers that show them a conversation, can take."""


class Spoken(Protocol):
    """What is packed: anything with a speaker and a text."""

    @property
    def speaker(self) -> str:
        """Who speaks."""

    @property
    def text(self) -> str:
        """What they say."""


T = TypeVar("T", bound=Spoken)


@dataclass(frozen=True, slots=True)
class Pack:
    """Turns that stand behind each other.

    Args:
        number: from 1.
        turns: whole turns, at least one that no pack before has.
        overlap: how many of them the pack before ends with.
        tokens: of all its turns, each as a line with its speaker.
        is_over: whether its one turn alone is more than the budget.
    """

    number: int
    turns: Sequence[Spoken]
    overlap: int
    tokens: int
    is_over: bool


def packed(turns: Iterable[T], budget: int, overlap: int = 1, count: Count = estimated) -> Iterator[Pack]:
    """Pack turns, in order; each is in one pack, and those of an overlap in two.

    A pack holds as many turns as the budget allows. A single turn that is larger stands alone, and the pack says so:
    turns are never cut. The overlap is shortened where the next turn would not fit beside it.

    Args:
        turns: in their order.
        budget: most tokens of a pack.
        overlap: how many turns of a pack the next one repeats.
        count: how tokens are counted.

    Raises:
        UsageError: no budget, or an overlap below 0.

    >>> from bridge.transcripts.turns import Turn
    >>> talk = [Turn("Ann", f"Point {n}, as we said before.", (n, n)) for n in range(1, 6)]
    >>> [(pack.number, [turn.lines[0] for turn in pack.turns], pack.overlap) for pack in packed(talk, 40)]
    [(1, [1, 2, 3], 0), (2, [3, 4, 5], 1)]
    """
    if budget < 1 or overlap < 0:
        raise UsageError(
            f"a budget of {budget:,} tokens, an overlap of {overlap} turns: not possible",
            remedy="give a budget such as 8000, and an overlap of 0, 1 or 2",
        )
    here: deque[tuple[T, int]] = deque()
    size = repeated = number = 0
    for turn in turns:
        tokens = count(f"{turn.speaker}: {turn.text}\n")
        if len(here) > repeated and (size + tokens > budget or len(here) >= MAX_TURNS):
            number += 1
            yield _pack(number, here, repeated, budget)
            while here and (len(here) > overlap or size + tokens > budget):
                size -= here.popleft()[1]
            repeated = len(here)
        here.append((turn, tokens))
        size += tokens
    if len(here) > repeated:
        yield _pack(number + 1, here, repeated, budget)


def _pack(number: int, here: Collection[tuple[Spoken, int]], repeated: int, budget: int) -> Pack:
    tokens = sum(size for _, size in here)
    return Pack(number, [turn for turn, _ in here], repeated, tokens, tokens > budget)
