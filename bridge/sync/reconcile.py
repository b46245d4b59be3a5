"""Reconciling: the ledger is a cache, and the server is asked where the two may differ.

The whole project is listed only when something does not fit: nothing is known of it yet, the server counts other
records than the ledger does, some were there twice when they were last seen, or a sample of what was sent is not what
it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from bridge.servers.protocol import Remote, RemoteProject, Server
from bridge.sync.target import Target

SAMPLE = 20

LATELY_S = 600.0
"""For so long after a comparison only the number of records is compared again."""


@dataclass
class Survey:
    """Everything that a project holds: our keys with their copies, and how many records are not ours.

    What arrived since ``begun`` (by this machine's clock) may be missing.
    """

    there: dict[str, list[Remote]] = field(default_factory=dict)
    foreign: list[Remote] = field(default_factory=list)
    begun: float = 0.0

    @property
    def total(self) -> int:
        """How many records it holds in all."""
        return sum(map(len, self.there.values())) + len(self.foreign)

    @property
    def doubled(self) -> dict[str, list[Remote]]:
        """Keys that are there more than once."""
        return {key: copies for key, copies in self.there.items() if len(copies) > 1}


def survey(server: Server, target: Target | None = None) -> Survey:
    """List the whole project; with its rows in a ledger, the lease of that is kept meanwhile.

    Raises:
        ServerError: it cannot be listed to the end.
    """
    result = Survey()
    if target is not None:
        result.begun = target.ledger.clock.time()
    for page in server.listing():
        if target is not None:
            target.ledger.renew()
        for key, remote in page:
            if key:
                result.there.setdefault(key, []).append(remote)
            else:
                result.foreign.append(remote)
    return result


@dataclass
class Reconciled:
    """What reconciling found: keys that somebody deleted, and keys that are there without suggestions."""

    gone: list[str] = field(default_factory=list)
    bare: set[str] = field(default_factory=set)


def reconcile(server: Server, target: Target, remote: RemoteProject) -> Reconciled:
    """Bring the ledger up to date with the server, as cheaply as it can be told that it is.

    Raises:
        ServerError: the server cannot be asked.
    """
    known = target.count("sent") + target.extra
    held = server.progress().records if remote.records is None else remote.records
    if (
        held == known
        and not target.doubled()
        and (not known or _compared_lately(target) or _is_as_it_was(server, target))
    ):
        return Reconciled()
    return take_over(target, survey(server, target))


def take_over(target: Target, found: Survey) -> Reconciled:
    """Let the ledger say what a survey found."""
    gone = target.replace(found.there, found.total)
    target.compared()
    bare = {key for key, copies in found.there.items() if not all(remote.suggestions for remote in copies)}
    return Reconciled(gone, bare)


def _compared_lately(target: Target) -> bool:
    return 0 <= target.ledger.clock.time() - target.compared_at < LATELY_S


def _is_as_it_was(server: Server, target: Target) -> bool:
    """Whether some records that were sent are where they were. Ids are given again after a backup was put back."""
    rows = {row.key: row for row in target.sample(SAMPLE)}
    there = server.find(list(rows)) if rows else {}
    return all(_has(there.get(key, ()), row.remote_id) for key, row in rows.items())


def _has(copies: Sequence[Remote], remote_id: str) -> bool:
    return bool(copies) and (not remote_id or any(remote.id == remote_id for remote in copies))
