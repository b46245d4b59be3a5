"""Runs `annobridge` commands in processes that kill themselves on the way.

Points stand before and after each request, each transaction of the ledger and each file that is brought to the disk;
in each transaction; and in the middle of each request that writes. A point is named by its kind and by how many of that
kind were passed before, because a server that is slow now and then makes the way longer. An empty kind kills nobody.

    python killed.py < jobs

A job is a line of JSON, `[KIND, NUMBER, FILE, COMMAND, ...]`. It runs in a process of its own, a copy of this one,
which has loaded everything: that is what takes longest. FILE gets a line for each point that was passed. The exit code
is printed when it is over.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Timer

import httpx2

import bridge.campaign  # noqa: F401 - the command loads it later, and each process would
from bridge.cli import main
from bridge.servers import argilla, label_studio, label_studio_tasks
from bridge.sync.ledger import Ledger
from bridge.sync.push import push

BATCH = 4
PATIENCE_S = 1.0
IN_FLIGHT_S = 0.01
WRITES = (
    "POST /api/projects/",
    "/import",
    "/datasets",
    "/fields",
    "/questions",
    "/metadata-properties",
    "/publish",
    "/bulk",
)
"""How requests end that write."""


def small_batches() -> None:
    """A dozen records make several batches, and nobody waits for a minute."""
    label_studio.LabelStudio.capabilities = replace(label_studio.CAPABILITIES, batch=BATCH)
    label_studio_tasks.PAGE_SIZE = 2 * BATCH
    argilla.CAPABILITIES = replace(argilla.CAPABILITIES, batch=BATCH)
    argilla.BATCH_BESIDE_PEOPLE = BATCH
    assert push.__kwdefaults__ is not None
    push.__kwdefaults__["patience_s"] = PATIENCE_S


def kind_of(point: str) -> str:
    """A point without the id of its project."""
    return re.sub(r"/[0-9a-f-]*[0-9][0-9a-f-]*(?=/|$)", "/ID", point)


class Points:
    """Counts points, and kills this process at one of them."""

    def __init__(self, kind: str, number: int, passed: Path) -> None:
        self.deadly, self.passed = (kind, number), passed
        self.count: Counter[str] = Counter()

    def reach(self, what: str) -> None:
        if self.is_next(what):
            os.kill(os.getpid(), signal.SIGKILL)

    def is_next(self, what: str) -> bool:
        kind = kind_of(what)
        self.count[kind] += 1
        with self.passed.open("a") as file:
            file.write(kind + "\n")
        return (kind, self.count[kind]) == self.deadly

    def watch(self) -> None:
        send, transaction, to_disk = httpx2.HTTPTransport.handle_request, Ledger.transaction, os.fsync

        def watched_send(transport: httpx2.HTTPTransport, request: httpx2.Request) -> httpx2.Response:
            what = f"{request.method} {request.url.path}"
            self.reach(f"before {what}")
            dying = what.endswith(WRITES) and self.is_next(f"during {what}")
            if dying:
                Timer(IN_FLIGHT_S, os.kill, (os.getpid(), signal.SIGKILL)).start()
            reply = send(transport, request)
            if dying:
                signal.pause()
            self.reach(f"after {what}")
            return reply

        @contextmanager
        def watched_transaction(ledger: Ledger) -> Iterator[sqlite3.Connection]:
            self.reach("before a transaction")
            with transaction(ledger) as database:
                yield database
                self.reach("in a transaction")
            self.reach("after a transaction")

        def watched_to_disk(descriptor: int) -> None:
            self.reach("before a file is on the disk")
            to_disk(descriptor)
            self.reach("after a file is on the disk")

        httpx2.HTTPTransport.handle_request = watched_send  # type: ignore[method-assign]
        Ledger.transaction = watched_transaction  # type: ignore[method-assign]
        os.fsync = watched_to_disk


def run(kind: str, number: int, passed: str, *command: str) -> None:
    """Run a command in this process, and end it."""
    with open(os.devnull, "w") as nowhere, open(f"{passed}.errors", "w") as errors:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(errors.fileno(), 2)
    Points(kind, number, Path(passed)).watch()
    main(command, prog_name="annobridge")


if __name__ == "__main__":
    small_batches()
    for line in iter(sys.stdin.readline, ""):
        job = json.loads(line)
        child = os.fork()
        if not child:
            run(*job)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
