"""How often a request is sent again, and how long is waited before; which requests may be is the client's to decide."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from random import Random, SystemRandom

from bridge.clock import SYSTEM, Clock

FIRST_S = 0.5
"""The longest pause after the first attempt; each further one may be twice as long."""

A_DAY_S = 86_400.0
"""Nobody means a longer wait than this, and nothing of ours waits that long."""

_SECONDS = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?")


@dataclass(frozen=True, slots=True)
class Retries:
    """How patient a client is.

    >>> never = Retries(attempts=1)
    >>> never.wait(1, elapsed_s=0.0) is None
    True

    Args:
        attempts: how often one request is sent at most, the first time included.
        deadline_s: no attempt begins later than this after the first one.
        longest_wait_s: a server that asks for a longer wait gets no other attempt.
        clock: tells the time, and waits.
        random: draws the pauses, so that clients that failed together do not come back together.
    """

    attempts: int = 5
    deadline_s: float = 120.0
    longest_wait_s: float = 60.0
    clock: Clock = SYSTEM
    random: Random = field(default_factory=SystemRandom, compare=False, repr=False)

    def wait(self, attempt: int, *, elapsed_s: float, asked_s: float = 0.0) -> float | None:
        """Seconds to wait before the next attempt: never less than asked for. None where there is to be none.

        >>> from random import Random
        >>> patient = Retries(random=Random(7))
        >>> 30 <= patient.wait(1, elapsed_s=0.0, asked_s=30.0) <= 30.5
        True
        >>> patient.wait(1, elapsed_s=100.0, asked_s=30.0) is None
        True

        Args:
            attempt: how often the request was sent so far.
            elapsed_s: since the first attempt began.
            asked_s: for how long the server asks us to wait.
        """
        left = self.deadline_s - elapsed_s
        if attempt >= self.attempts or asked_s > min(left, self.longest_wait_s):
            return None
        longest = min(FIRST_S * 2.0 ** min(attempt - 1, 30), self.longest_wait_s)
        return min(asked_s + self.random.uniform(0.0, longest), left)


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
