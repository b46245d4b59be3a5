"""What to do after a request that got no answer: one pure function, and how patient it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random, SystemRandom
from typing import Literal, TypeAlias

from bridge.models.outcomes import Failed

GIVE_UP_AFTER = 10
"""So many requests in a row without an answer, and it is not they that are the reason."""


@dataclass(frozen=True, slots=True)
class Again:
    """Send it again after so many seconds; ``everybody`` waits where the endpoint asks for it."""

    wait_s: float
    everybody: bool = False


Next: TypeAlias = "Again | Literal['skip', 'stop']"
"""Send it again, go on without an answer to this one, or stop asking altogether."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a request is sent, and how long is waited.

    Args:
        attempts: how often at most, the first time included, where the endpoint fails or cannot be reached.
        busy_attempts: how often at most where it asks to wait.
        unclear_attempts: how often at most where it was sent and no answer came; each of them may be paid for.
        longest_wait_s: an endpoint that asks for more ends the run; at this much it is an hour.
        random: draws pauses, so that what failed together does not come back together.

    >>> patient = Patience(random=Random(1))
    >>> patient.next(Failed("busy", "asked to wait", asked_s=180.0), attempt=1)
    Again(wait_s=180.2..., everybody=True)
    >>> patient.next(Failed("broken", "500"), attempt=5), patient.next(Failed("refused", "400"), attempt=1)
    ('skip', 'skip')
    >>> patient.next(Failed("unreachable", "no connection"), attempt=5)
    'stop'
    """

    attempts: int = 5
    busy_attempts: int = 50
    unclear_attempts: int = 3
    longest_wait_s: float = 3600.0
    random: Random = field(default_factory=SystemRandom, compare=False, repr=False)

    def next(self, failed: Failed, attempt: int) -> Next:
        """What to do after a failure; ``attempt`` counts those of its kind, from 1."""
        match failed.kind:
            case "fatal":
                return "stop"
            case "refused":
                return "skip"
        if failed.asked_s > self.longest_wait_s:
            return "stop"
        most = {"busy": self.busy_attempts, "unclear": self.unclear_attempts}.get(failed.kind, self.attempts)
        if attempt >= most:
            return "stop" if failed.kind == "unreachable" else "skip"
        pause = min(0.5 * 2.0 ** min(attempt - 1, 10), 30.0)
        return Again(failed.asked_s + self.random.uniform(pause / 2, pause), everybody=failed.kind == "busy")
