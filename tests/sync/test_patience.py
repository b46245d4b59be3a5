"""How long a push waits for what an earlier one may have sent: from the last request, however long that one took."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest

from bridge.clock import TestClock
from bridge.errors import ServerError, Unreachable
from bridge.records import Record
from bridge.servers.memory import LIKE_LABEL_STUDIO, MemoryServer
from bridge.servers.protocol import Outcome, Project, Remote
from bridge.sync.ledger import Ledger
from bridge.sync.push import push
from bridge.sync.sender import PATIENCE_S
from bridge.templates import load_template

PROJECT = Project("Demo", load_template("rating"))
RECORDS = [Record(f"r{n}", {"prompt": f"{n}?", "response": "x"}) for n in range(4)]
SLOW_S = 100.0


class Killed(BaseException):
    """The process ends."""


class Slow(MemoryServer):
    """Each write takes longer than anybody is patient. It refuses r0, and of r2 and r3 there is no reply."""

    def __init__(self, clock: TestClock, error: BaseException) -> None:
        super().__init__(profile=LIKE_LABEL_STUDIO)
        self.now, self.error, self.broken = clock, error, True
        self.writes = 0

    def write(self, records: Sequence[Record]) -> list[Outcome]:
        self.writes += 1
        if not self.broken:
            return super().write(records)
        keys = [record.key for record in records]
        if isinstance(self.error, Killed) and keys == ["r2", "r3"]:
            raise self.error
        self.now.sleep(SLOW_S)
        if "r0" in keys:
            return [Outcome(key, "rejected", "a bad record") for key in keys]
        if keys == ["r1"]:
            return super().write(records)
        return [Outcome(key, "unknown", "no reply") for key in keys]

    def find(self, keys: Iterable[str]) -> dict[str, list[Remote]]:
        if self.broken and isinstance(self.error, ServerError):
            raise self.error
        return super().find(keys)


@pytest.mark.parametrize("error", [Killed(), Unreachable("no connection")], ids=["killed", "no reply"])
def test_the_last_request_counts_and_not_the_first(error: BaseException) -> None:
    clock = TestClock()
    ledger = Ledger(clock=clock)
    server = Slow(clock, error)
    if isinstance(error, Killed):
        with pytest.raises(Killed):
            push(server, PROJECT, RECORDS, ledger=ledger)
    else:
        assert push(server, PROJECT, RECORDS, ledger=ledger).unknown == ["r2", "r3"]
    server.broken, began, server.writes = False, clock.now, 0
    push(server, PROJECT, RECORDS[1:], ledger=ledger)
    assert clock.now - began == PATIENCE_S
    assert server.writes == 1


def test_a_batch_that_is_halved_keeps_its_lease() -> None:
    """Each request may take minutes, and finding the culprit takes many."""
    clock = TestClock()
    ledger = Ledger(clock=clock)
    server = Slow(clock, Unreachable("no connection"))
    write, idle = server.write, []

    def watched(records: Sequence[Record]) -> list[Outcome]:
        (renewed,) = ledger.db.execute("SELECT renewed FROM lease").fetchone()
        idle.append(clock.now - renewed)
        return write(records)

    server.write = watched  # type: ignore[method-assign]
    with ledger.alone("push"):
        push(server, PROJECT, RECORDS[:2], ledger=ledger)
    assert idle == [0.0, 0.0, 0.0]
