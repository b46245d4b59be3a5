"""Label Studio's cursor: it goes back a minute, and remembers a minute that would be dear to read again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import ValueRejected
from bridge.servers.label_studio_cursor import DENSE, LONGEST, Cursor, Seen

NOON = "2026-01-02T12:00:00.000000Z"


def at(second: int) -> str:
    return f"2026-01-02T11:59:{second:02}.000000Z"


@given(st.frozensets(st.integers(1, 10**7), min_size=1), st.booleans())
def test_its_text_says_everything(ids: frozenset[int], skipped: bool) -> None:
    cursor = Cursor(NOON, skipped, ids)
    assert Cursor.parse(str(cursor)) == cursor


def test_a_time_alone_is_a_cursor() -> None:
    assert Cursor.parse(NOON) == Cursor(NOON)
    assert str(Cursor(NOON)) == NOON


@pytest.mark.parametrize("text", ["yesterday", f"{NOON} 1", f"{NOON} 2 1-5", f"{NOON} 1 x", f"{NOON} 1 1--5", "  "])
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(ValueRejected):
        Cursor.parse(text)


def test_a_few_tasks_are_read_again_and_not_remembered() -> None:
    seen = {n: Seen(at(30), answered=True, skipped=False) for n in range(DENSE)}
    assert Cursor.after(NOON, seen) == Cursor(NOON)


def test_many_are_remembered_if_they_have_answers_or_skips_and_are_of_that_minute() -> None:
    seen = {n: Seen(at(30), answered=True, skipped=False) for n in range(DENSE + 1)}
    others = {
        1000: Seen(at(30), answered=False, skipped=True),
        1001: Seen(at(30), answered=False, skipped=False),
        1002: Seen("2026-01-02T11:58:59.999999Z", answered=True, skipped=False),
        1003: Seen(NOON, answered=True, skipped=False),
    }
    cursor = Cursor.after(NOON, seen | others)
    assert cursor.ids == {*seen, 1000}
    assert cursor.skipped


def test_ids_without_any_order_are_not_remembered_at_length() -> None:
    seen = {n * 3: Seen(at(30), answered=True, skipped=False) for n in range(LONGEST)}
    assert Cursor.after(NOON, seen).ids == frozenset()


def test_the_minutes_around_it() -> None:
    assert (Cursor(NOON).since, Cursor(NOON).settled) == ("2026-01-02T11:59:00.000000Z", "2026-01-02T12:01:00.000000Z")
