"""The pace: answers of the last week, and the end that they promise."""

from __future__ import annotations

from datetime import UTC, datetime

from bridge.sync.pace import Pace, pace

NOW = datetime(2026, 3, 8, 12, tzinfo=UTC)


def given(*days: int) -> list[str]:
    return [f"2026-03-{day:02}T12:00:00.000000Z" for day in days]


def test_without_answers_nothing_is_promised() -> None:
    assert pace([], 10, NOW) == Pace()


def test_answers_older_than_a_week_do_not_count() -> None:
    assert pace(["2026-02-01T00:00:00.000000Z"], 10, NOW) == Pace()


def test_nights_count_as_time() -> None:
    assert pace(given(7, 7, 7), 6, NOW) == Pace(0.12, "2026-03-10T12:00:00Z")


def test_who_has_just_begun_is_not_taken_for_a_machine() -> None:
    assert pace([NOW.isoformat()] * 5, 5, NOW) == Pace(5.0, "2026-03-08T13:00:00Z")


def test_what_is_done_has_no_end_to_come() -> None:
    assert pace(given(7), 0, NOW).end is None


def test_an_end_beyond_all_calendars_is_none() -> None:
    assert pace(given(2), 10**12, NOW).end is None


def test_answers_from_the_future_do_not_count() -> None:
    assert pace(given(20), 5, NOW) == Pace()
