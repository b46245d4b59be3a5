"""How quickly answers come in, and when the last one can be expected."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

WINDOW = timedelta(days=7)
"""People work in bursts; a week holds their evenings and week-ends too."""

_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Pace:
    """Answers per hour over the last week, nights included, and the estimated end (UTC, ISO 8601).

    Both are None where too little is known: no answers in that week, or nothing left to do.
    """

    per_hour: float | None = None
    end: str | None = None


def pace(times: Iterable[str], left: int, now: datetime) -> Pace:
    """The pace of a campaign.

    Args:
        times: when each answer was given (UTC, ISO 8601).
        left: how many answers are still wanted.
        now: the time now, with its zone.

    >>> from datetime import UTC
    >>> given = [f"2026-03-01T{hour:02}:00:00.000000Z" for hour in range(10)]
    >>> pace(given, 20, datetime(2026, 3, 1, 10, tzinfo=UTC))
    Pace(per_hour=1.0, end='2026-03-02T06:00:00Z')
    """
    recent = sorted(given for given in map(datetime.fromisoformat, times) if now - WINDOW <= given <= now)
    if not recent:
        return Pace()
    per_hour = len(recent) / (max(now - recent[0], _HOUR) / _HOUR)
    if left <= 0:
        return Pace(round(per_hour, 2))
    hours = left / per_hour
    if hours > 24 * 3650:
        return Pace(round(per_hour, 2))
    return Pace(round(per_hour, 2), (now + hours * _HOUR).strftime("%Y-%m-%dT%H:%M:%SZ"))
