"""Packs: whole turns, a budget, an overlap."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import UsageError
from bridge.transcripts.packing import packed
from bridge.transcripts.tokens import estimated
from bridge.transcripts.turns import Turn


def talk(*sizes: int) -> list[Turn]:
    return [Turn("A", "x" * size, (at, at)) for at, size in enumerate(sizes, 1)]


def numbers(sizes: list[int], budget: int, overlap: int) -> list[list[int]]:
    """The packs as numbers of turns; a turn of n letters is n tokens."""
    made = packed(talk(*sizes), budget, overlap, count=lambda line: len(line) - len("A: \n"))
    return [[turn.lines[0] for turn in pack.turns] for pack in made]  # type: ignore[attr-defined]


def test_packs_share_turns() -> None:
    assert numbers([1] * 7, 3, 0) == [[1, 2, 3], [4, 5, 6], [7]]
    assert numbers([1] * 7, 3, 1) == [[1, 2, 3], [3, 4, 5], [5, 6, 7]]
    assert numbers([1] * 6, 4, 2) == [[1, 2, 3, 4], [3, 4, 5, 6]]


def test_the_overlap_gives_way_where_the_next_turn_would_not_fit() -> None:
    assert numbers([2, 2, 4, 1], 4, 1) == [[1, 2], [3], [4]]


def test_a_turn_that_is_larger_than_the_budget_stands_alone() -> None:
    made = list(packed(talk(1, 9, 1), 4, 1, count=lambda line: len(line) - 4))
    assert [(pack.tokens, pack.is_over) for pack in made] == [(1, False), (9, True), (1, False)]


@given(st.lists(st.integers(1, 6), max_size=20), st.integers(1, 8), st.integers(0, 3))
def test_every_turn_is_in_a_pack_once_beside_the_overlap(sizes: list[int], budget: int, overlap: int) -> None:
    made = list(packed(talk(*sizes), budget, overlap, count=lambda line: len(line) - 4))
    new = [turn.lines[0] for pack in made for turn in pack.turns[pack.overlap :]]  # type: ignore[attr-defined]
    assert new == [*range(1, len(sizes) + 1)]
    for before, pack in pairwise(made):
        assert pack.overlap <= overlap
        assert not pack.overlap or list(pack.turns[: pack.overlap]) == list(before.turns[-pack.overlap :])
    for pack in made:
        assert pack.tokens == sum(len(turn.text) for turn in pack.turns)
        assert pack.is_over == (pack.tokens > budget)
        assert not pack.is_over or len(pack.turns) == 1


@pytest.mark.parametrize(("budget", "overlap"), [(0, 1), (10, -1)])
def test_what_cannot_be_is_refused(budget: int, overlap: int) -> None:
    with pytest.raises(UsageError, match="not possible"):
        list(packed(talk(1), budget, overlap))


@pytest.mark.parametrize(
    ("text", "tokens"),  # of the vocabulary of GPT-4o
    [
        ("Good morning everyone, shall we look at the release? I like the plan, but the tests are not done.", 23),
        ("Guten Morgen zusammen, schön, dass ihr alle da seid. Können wir mit dem Bericht anfangen?", 20),
        ("大家早上好，我们开始开会吧。第一个议题是明年的预算。谁想发言？我认为应该增加研究经费。", 32),
        ("Ann: Yes.\nBo: Okay.\nAnn: And the 3.5 release?\nBo: 2026-05-01, I think.\n", 31),
    ],
)  # fmt: skip
def test_tokens_are_estimated_by_script(text: str, tokens: int) -> None:
    assert 0.9 * tokens <= estimated(text) <= 1.4 * tokens
