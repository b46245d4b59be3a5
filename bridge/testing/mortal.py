"""A process that can be killed wherever it leaves a trace, without being a process.

A killed process leaves what it had handed over: requests, transactions that were committed, files as far as they were
written. :class:`Mortal` counts those points. At the chosen one it copies the campaign's folder aside and raises
:class:`bridge.testing.Crash`. What ``finally`` blocks tidy up on the way out happens in the old folder, and
:meth:`Mortal.revive` puts the copy in its place: what was left is what SIGKILL would have left.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

from bridge.servers.protocol import Server
from bridge.testing.faults import Crash

_STORE = Path(".annobridge", "feedback.jsonl")


class Mortal:
    """One process at work in a campaign's folder.

    Args:
        folder: the campaign's folder.
        at: the number of the point at which it dies, counted from 1; 0 lets it live.

    >>> import tempfile
    >>> process = Mortal(Path(tempfile.mkdtemp()), at=2)
    >>> process.reach("write: before")
    >>> process.reach("write: after")
    Traceback (most recent call last):
    bridge.testing.faults.Crash: killed at point 2, write: after
    """

    def __init__(self, folder: Path, *, at: int = 0) -> None:
        self.folder = folder
        self.points: list[str] = []
        """The points that were reached, in order."""
        self.dead = False
        self._at = at
        self._stored = self._size()

    @property
    def _aside(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}.killed")

    def _size(self) -> int:
        path = self.folder / _STORE
        return path.stat().st_size if path.exists() else 0

    def reach(self, point: str, spoil: Callable[[Path], object] = lambda folder: None) -> None:
        """Say that a point was reached.

        Args:
            point: what it is.
            spoil: what is different in the folder of a process that dies right here.

        Raises:
            Crash: it dies here, or it is dead and only unwinds.
        """
        if not self.dead:
            self.points.append(point)
            if len(self.points) != self._at:
                return
            # Without the index of the write-ahead log, which is memory of processes and made anew by the next one.
            shutil.copytree(self.folder, self._aside, ignore=shutil.ignore_patterns("*-shm"))
            spoil(self._aside)
            self.dead = True
        raise Crash(f"killed at point {len(self.points)}, {self.points[-1]}")

    def revive(self) -> None:
        """After the crash: what the dead process left takes the place of the folder."""
        shutil.rmtree(self.folder)
        self._aside.rename(self.folder)

    def reach_store(self, file: int) -> None:
        """Lines were appended to the feedback store, or this file is another one."""
        path = self.folder / _STORE
        if not path.exists() or not os.path.samestat(os.fstat(file), path.stat()):
            return
        old, new = self._stored, self._size()
        self._stored = new
        for left, what in ((old, "nothing"), ((old + new) // 2, "half"), (new - 1, "all but the end")):
            self.reach(f"feedback: {what} written", partial(_cut, left=left))
        self.reach("feedback: written")


def _cut(folder: Path, *, left: int) -> None:
    os.truncate(folder / _STORE, left)


class Line:
    """A server as a mortal process reaches it: it can die before and after each call. A page is a call of its own.

    Args:
        server: the server, or what stands before it.
        process: who calls.
        meanwhile: called before each call, with the verb: what others do in the meantime.
    """

    def __init__(self, server: Server, process: Mortal, meanwhile: Callable[[str], object] = lambda verb: None) -> None:
        self._server, self._process, self._meanwhile = server, process, meanwhile

    def __getattr__(self, name: str) -> Any:
        verb = getattr(self._server, name)
        if not callable(verb) or name == "close":
            return verb
        return partial(self._pages if name in ("listing", "changes") else self._call, name, verb)

    def _call(self, name: str, verb: Callable[..., Any], *args: Any, **options: Any) -> Any:
        self._process.reach(f"{name}: before")
        self._meanwhile(name)
        result = verb(*args, **options)
        self._process.reach(f"{name}: after")
        return result

    def _pages(self, name: str, verb: Callable[..., Iterator[Any]], *args: Any) -> Iterator[Any]:
        pages = verb(*args)
        end = object()
        while (page := self._call(name, partial(next, pages, end))) is not end:
            yield page


@contextmanager
def mortal(running: Callable[[], Mortal | None], *, hasty: bool = False) -> Iterator[None]:
    """Within this block, whatever is written to disks is a point of the process that is running.

    Nothing is waited for on its way to the disk: a killed process loses nothing that it had written, and the power
    does not fail here.

    Args:
        running: says which process it is, None for none of them.
        hasty: ledgers keep no write-ahead log. Before and after each commit the file is the same without.
    """

    def reach(point: str) -> None:
        process = running()
        if process is not None:
            process.reach(point)

    class Connection(sqlite3.Connection):
        def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
            if sql == "PRAGMA synchronous = FULL":
                sql = "PRAGMA synchronous = OFF"
            if sql == "PRAGMA journal_mode = WAL" and hasty:
                sql = "PRAGMA journal_mode = MEMORY"
            if sql != "COMMIT":
                return super().execute(sql, *args)
            reach("ledger: before the commit")
            result = super().execute(sql)
            reach("ledger: after the commit")
            return result

    def connect(path: str | Path, **options: Any) -> sqlite3.Connection:
        return opened(path, **options) if path == ":memory:" else opened(path, factory=Connection, **options)

    def replace(old: str | Path, new: str | Path) -> None:
        reach(f"{Path(new).name}: before it appears")
        replaced(old, new)
        reach(f"{Path(new).name}: after it appeared")

    def fsync(file: int) -> None:
        process = running()
        if process is not None:
            process.reach_store(file)

    opened, replaced = sqlite3.connect, os.replace
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(sqlite3, "connect", connect))
        stack.enter_context(mock.patch.object(os, "replace", replace))
        stack.enter_context(mock.patch.object(os, "fsync", fsync))
        yield
