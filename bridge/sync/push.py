"""Push: records to the server, each once.

What is about to be sent is in the ledger before the request leaves. What is to become of each record is decided by
:mod:`bridge.sync.plan`, and carried out by :mod:`bridge.sync.sender`; in the end, the server's count is compared with
the ledger's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from bridge.errors import ServerError, UnexpectedReply
from bridge.records import Record
from bridge.servers.protocol import Project, Server
from bridge.sync.capabilities import check_capabilities
from bridge.sync.ledger import Ledger
from bridge.sync.plan import OnChange, batches, steps
from bridge.sync.push_result import PushResult
from bridge.sync.reconcile import reconcile
from bridge.sync.sender import PATIENCE_S, Sender, Stopped
from bridge.sync.target import Target

Tick = Callable[[int], None]
"""Called with the number of records done so far."""


class Settled(NamedTuple):
    """How an earlier push of the very same records ended, when it left nothing to do with any."""

    rows: str
    """What :meth:`~bridge.sync.target.Target.digest` was then."""
    records: int


def push(
    server: Server,
    project: Project,
    records: Iterable[Record],
    *,
    ledger: Ledger | None = None,
    place: tuple[str, str] = ("", ""),
    on_change: OnChange | None = None,
    recreate: bool = False,
    settled: Settled | None = None,
    patience_s: float = PATIENCE_S,
    tick: Tick = lambda done: None,
) -> PushResult:
    """Send the records that the server does not have yet.

    Args:
        server: any server.
        project: what to make there, or to find.
        records: checked records (see :func:`bridge.rows.read_records`), each key once.
        ledger: what earlier pushes did; without one, the server is asked what it has.
        place: the server's kind and address, as the ledger knows it.
        on_change: what becomes of records whose text changed after people answered it; by default they are left alone
            and named.
        recreate: send again what somebody deleted on the server.
        settled: while the ledger says what it said then, and the server agrees, the records are not even read.
        patience_s: how long to wait for a batch that may arrive late.
        tick: told how many records are done.

    Raises:
        UsageError: the server cannot carry the project.
        ServerError: the server cannot be used; what was sent before stays there.
        StoreError: the ledger cannot be written; nothing was sent that is not in it.

    >>> from bridge.servers.memory import MemoryServer
    >>> from bridge.templates import load_template
    >>> records = [Record(fields={"prompt": f"{n} + 2?", "response": "4"}) for n in range(3)]
    >>> push(MemoryServer(), Project("Sums", load_template("rating")), records).sent
    3
    """
    check_capabilities(project, server.capabilities)
    ledger = ledger or Ledger()
    result = PushResult(server.ensure(project, create=True))
    target = ledger.target(*place, result.project, use=True)
    sender = Sender(server, target, result, patience_s)
    done = 0
    try:
        sender.settle_earlier()
        found = reconcile(server, target, sender.counted())
        result.doubled = target.doubled()
        sender.bare |= found.bare
        if settled and not sender.bare and target.digest() == settled.rows:
            records, result.present = (), settled.records
            tick(settled.records)
        for batch in batches(records, server.capabilities.batch):
            sender.take(steps(server, target, batch, on_change=on_change, recreate=recreate))
            done += len(batch)
            tick(done)
    except Stopped as stop:
        result.reason = stop.reason
        return result
    except ServerError as error:
        if not result.sent:
            raise
        result.reason = error.reason  # what was sent is on the server, and the next push goes on from there
        return result
    finally:
        sender.note()
    result.reason = ""  # what broke off on the way was settled
    result.repaired += server.finish()
    if result.sent or result.updated:
        _check_total(server, target, result, sender.keys)
    result.rows = target.digest()
    return result


def _check_total(server: Server, target: Target, result: PushResult, sent: list[str]) -> None:
    held = server.progress().records
    expected = target.count("sent") + target.extra
    if held > expected:
        # Somebody else pushed meanwhile; where it was the same record, a server without unique keys has it twice.
        there = server.find(sent)
        target.found(there)
        result.doubled = sorted({*result.doubled, *(key for key, found in there.items() if len(found) > 1)})
    if held < expected:
        raise UnexpectedReply(
            f"the server counts {held:,} records where {expected:,} should be",
            remedy="run `annobridge push` again: it looks up what is missing and sends only that",
        )
    if held == expected:
        target.compared()
