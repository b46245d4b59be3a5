"""For how long servers ask us to wait: the header ``Retry-After``."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

A_DAY_S = 86_400.0
"""Nobody means a longer wait than this, and nothing of ours waits that long."""

_SECONDS = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?")


def asked_wait(retry_after: str, date: str, now: float) -> float:
    """Seconds that a ``Retry-After`` header asks for, a day at most; 0 where it asks for nothing that can be read.

    >>> asked_wait("120", "", now=0.0)
    120.0
    >>> asked_wait("Wed, 21 Oct 2015 07:28:30 GMT", "Wed, 21 Oct 2015 07:28:00 GMT", now=0.0)
    30.0
    >>> asked_wait("soon", "", now=0.0)
    0.0

    Args:
        retry_after: the header: seconds, or a date.
        date: the reply's own ``Date`` header: a date counts from there, for the two clocks may differ.
        now: seconds since 1970, for a reply without a date of its own.
    """
    retry_after = retry_after.strip()
    if _SECONDS.fullmatch(retry_after):
        return min(float(retry_after), A_DAY_S)
    until = http_date(retry_after)
    if until is None:
        return 0.0
    sent = http_date(date)
    return min(max(until.timestamp() - (sent.timestamp() if sent else now), 0.0), A_DAY_S)


def http_date(text: str) -> datetime | None:
    """A date of an HTTP header, in UTC as all of them are; None if it is none.

    >>> http_date("Sun, 06 Nov 1994 08:49:37 GMT")
    datetime.datetime(1994, 11, 6, 8, 49, 37, tzinfo=datetime.timezone.utc)
    >>> http_date("yesterday") is None
    True
    """
    try:
        date = parsedate_to_datetime(text)
        return date.astimezone(UTC) if date.tzinfo else date.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
