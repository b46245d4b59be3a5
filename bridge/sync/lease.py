"""The lease: who works in a campaign's folder just now, so that nobody else does.

It is one row of the ledger. Whoever holds it renews it before every request. It is free again

* at once, when its holder is a process of this machine that is no more;
* after :data:`EXPIRES_S` without a renewal, wherever the holder was. A renewal that seems to lie further ahead than
  that was written by a wrong clock and counts as expired too, so that such a clock locks nobody out.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

EXPIRES_S = 600.0
"""Longer than the longest request with all its repetitions (five minutes), during which nothing is renewed."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A process: on which machine, its id, and when that process began, because ids are given again."""

    host: str
    pid: int
    began: str

    @classmethod
    def myself(cls) -> Holder:
        """This process."""
        return cls(_host(), os.getpid(), _began(os.getpid()))

    def is_gone(self) -> bool:
        """Whether it is known to have ended; False where it runs, or on a machine that cannot be asked."""
        if self.host != _host():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except OSError:  # somebody else's process, which is alive
            pass
        return _began(self.pid) != self.began

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host.partition('/')[0]}"


def is_free(holder: Holder, renewed: float, now: float) -> bool:
    """Whether a lease that was last renewed then may be taken over now; both by their machines' clocks.

    >>> elsewhere = Holder("another machine", 7, "")
    >>> [is_free(elsewhere, 1000.0, now) for now in (1000.0, 1599.0, 1601.0, 399.0)]
    [False, False, True, True]
    """
    return abs(now - renewed) > EXPIRES_S or holder.is_gone()


def _host() -> str:
    # Containers may share a name, but not the table of processes.
    table = ""
    with suppress(OSError):
        table = os.readlink("/proc/self/ns/pid")
    return f"{socket.gethostname()}/{table}"


def _began(pid: int) -> str:
    """When a process began, where that can be found out; empty elsewhere."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        # The name of the program, in parentheses, may hold spaces; the 20th field behind it is the time.
        return f"{boot}/{Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[19]}"
    except (OSError, IndexError):
        return ""
