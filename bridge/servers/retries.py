"""How often a request is sent again, and how long is waited before; which requests may be is the client's to decide."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random, SystemRandom

from bridge.clock import SYSTEM, Clock

FIRST_S = 0.5
"""The longest pause after the first attempt; each further one may be twice as long."""


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
