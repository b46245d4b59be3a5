"""The ledger: what was sent where, and up to where answers were pulled. One SQLite file in a campaign's folder.

It is written ahead: what is about to be sent is on the disk before the request leaves, so that after a crash it is
known what must be looked up. And it is a cache: the servers and ``feedback.jsonl`` are the truth, and ``annobridge
doctor --rebuild`` makes it anew from them.

::

    projects    each project that this campaign worked with: server, address, id, when it was made, cursor, counts
    records     (project, key) -> content hash, state, batch, id on the server, reason
    answers     an index of feedback.jsonl: one row per revision of an answer, with its place in the file
    lease       who works here just now

The records of one project are the matter of :mod:`bridge.sync.target`.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import get_args

from bridge.clock import SYSTEM, Clock
from bridge.errors import Held, LedgerError, OtherProject, StoreError
from bridge.servers.protocol import RemoteProject
from bridge.sync.lease import Holder, is_free
from bridge.sync.target import State, Target

VERSION = 1

FILE_NAME = "ledger.db"

RENEW_S = 30.0

_HELD: set[str] = set()
"""Leases that this process holds. One in its name that is not here could not be given back: the disk was full."""

_MIGRATIONS = [
    # From an empty file to version 1. Each later version appends what leads to it; none is ever changed.
    """
    CREATE TABLE projects (
        id INTEGER PRIMARY KEY,
        server TEXT NOT NULL, origin TEXT NOT NULL, remote TEXT NOT NULL, born TEXT NOT NULL,
        cursor TEXT, pulled_at REAL, compared_at REAL NOT NULL DEFAULT 0,
        extra INTEGER NOT NULL DEFAULT 0, used INTEGER NOT NULL DEFAULT 0,
        UNIQUE (server, origin, remote)
    );
    CREATE TABLE records (
        project INTEGER NOT NULL, key TEXT NOT NULL, content TEXT NOT NULL, state TEXT NOT NULL,
        batch INTEGER NOT NULL DEFAULT 0, remote_id TEXT NOT NULL DEFAULT '', answered INTEGER NOT NULL DEFAULT 0,
        spare INTEGER NOT NULL DEFAULT 0,
        reason TEXT NOT NULL DEFAULT '', remedy TEXT NOT NULL DEFAULT '', sent_at REAL NOT NULL DEFAULT 0,
        PRIMARY KEY (project, key)
    ) WITHOUT ROWID;
    CREATE INDEX records_by_state ON records (project, state);
    CREATE VIEW known AS
        SELECT project, key, content, state, remote_id, answered, reason, sent_at FROM records;
    CREATE TABLE answers (
        server TEXT NOT NULL, project TEXT NOT NULL, record TEXT NOT NULL, task TEXT NOT NULL, id TEXT NOT NULL,
        revision INTEGER NOT NULL, status TEXT NOT NULL, annotator TEXT NOT NULL, updated_at TEXT NOT NULL,
        deleted INTEGER NOT NULL, start INTEGER NOT NULL, length INTEGER NOT NULL
    );
    CREATE INDEX answers_by_place ON answers (record, task);
    CREATE TABLE lease (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        token TEXT NOT NULL, host TEXT NOT NULL, pid INTEGER NOT NULL, began TEXT NOT NULL,
        what TEXT NOT NULL, since REAL NOT NULL, renewed REAL NOT NULL
    );
    CREATE TABLE notes (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    """,
]


class Ledger:
    """The ledger of one campaign.

    Args:
        path: the file; it is made when there is none. None keeps everything in memory, for a transfer on its own.
        clock: gives the time.

    Raises:
        LedgerError: the file is damaged, or was written by a newer version.
        StoreError: it cannot be opened, or somebody holds it too long.

    >>> from bridge.servers.protocol import Outcome, RemoteProject
    >>> ledger = Ledger()
    >>> sums = ledger.target("memory", "", RemoteProject("Sums", "memory:Sums", 0, born="2026"))
    >>> sums.intend([("r1", "9f86d0")])
    >>> sums.rows(["r1"])["r1"].state
    'sending'
    >>> sums.settle([Outcome("r1", "accepted", remote_id="7")])
    >>> sums.rows(["r1"])["r1"].state, sums.count("sent")
    ('sent', 1)
    """

    def __init__(self, path: Path | None = None, *, clock: Clock = SYSTEM) -> None:
        self.path = path
        self.clock = clock
        self._token = ""
        self._renewed = 0.0
        with self.guarded():
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
            self.db = sqlite3.connect(path or ":memory:", timeout=10, isolation_level=None)
            try:
                self._prepare()
            except BaseException:
                self.db.close()
                raise

    def _prepare(self) -> None:
        (version,) = self.db.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise LedgerError(
                f"{self.path}: the ledger was written by a newer annobridge (its version {version}, here {VERSION})",
                remedy="upgrade annobridge, or make the ledger anew: annobridge doctor --rebuild",
            )
        if version == 0 and self.db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            raise LedgerError(
                f"{self.path}: this database is no ledger", remedy="make it anew: annobridge doctor --rebuild"
            )
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute("PRAGMA synchronous = FULL")
        if version < VERSION:
            with self.transaction():
                (version,) = self.db.execute("PRAGMA user_version").fetchone()
                for step in _MIGRATIONS[version:]:
                    for statement in step.split(";"):
                        if statement.strip():
                            self.db.execute(statement)
                self.db.execute(f"PRAGMA user_version = {VERSION}")
        if self.path is not None and self.db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError("malformed")

    def verify(self) -> None:
        """Read all that it holds.

        Raises:
            LedgerError: it is damaged, although it could be opened.
        """
        with self.guarded():
            (found,) = self.db.execute("PRAGMA integrity_check(1)").fetchone()
            for table in ("projects", "records", "known", "answers", "lease", "notes"):
                deque(self.db.execute(f"SELECT * FROM {table}"), maxlen=0)  # noqa: S608 - names of our own
            states = {state for (state,) in self.db.execute("SELECT DISTINCT state FROM records")}
            if found != "ok" or not states <= {*get_args(State)}:
                raise sqlite3.DatabaseError(found)

    def close(self) -> None:
        """Let go of the file."""
        self.db.close()

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Name what SQLite complains of, with the file and a remedy."""
        try:
            yield
        except sqlite3.OperationalError as error:
            text = str(error)
            if text.startswith(("Could not decode", "no such")):
                raise self._damaged(text) from None
            remedy = "make room on the disk and the folder writable, then run the command again; nothing was lost"
            if "locked" in text or "busy" in text:
                remedy = "another program holds the file: wait until it is done"
            raise StoreError(f"{self.path}: {text}", remedy=remedy) from None
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            raise self._damaged(str(error)) from None
        except OSError as error:
            raise StoreError(
                f"{error.filename or self.path}: {error.strerror}", remedy="make the campaign's folder writable"
            ) from None

    def _damaged(self, why: str) -> LedgerError:
        reason = f"{self.path}: the ledger is damaged ({why})"
        return LedgerError(reason, remedy="make it anew: annobridge doctor --rebuild")

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All of it or nothing; on the disk when it is over. Renews the lease, where one is held.

        Raises:
            Held: the lease was taken over, because it was not renewed in time; nothing was written.
            StoreError: it could not be written; nothing was.
        """
        with self.guarded():
            self.db.execute("BEGIN IMMEDIATE")
            try:
                self._renew()
                yield self.db
                self.db.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # SQLite may have taken everything back by itself
                    self.db.execute("ROLLBACK")
                raise

    # The lease

    @contextmanager
    def alone(self, what: str) -> Iterator[None]:
        """Nobody else works with this ledger meanwhile.

        Args:
            what: what is being done, such as ``push``, for those who come later.

        Raises:
            Held: somebody does; says who, and since when.
        """
        me, now = Holder.myself(), self.clock.time()
        token = uuid.uuid4().hex
        _HELD.add(token)  # before its row is there, which another thread would take for one that was left behind
        try:
            with self.transaction() as db:
                busy = self._busy(now)
                if busy is not None:
                    raise Held(
                        f"{self._folder}: another annobridge is at work in this folder: {busy[0]}, "
                        f"since {busy[1]:.0f} s",
                        remedy="wait until it is done; if it died elsewhere, its lease ends ten minutes after its "
                        "last request",
                    )
                values = (token, me.host, me.pid, me.began, what, now, now)
                db.execute("REPLACE INTO lease VALUES (1, ?, ?, ?, ?, ?, ?, ?)", values)
            self._token, self._renewed = token, self.clock.monotonic()
            try:
                yield
            finally:
                self._token = ""
                with suppress(StoreError), self.transaction() as db:
                    db.execute("DELETE FROM lease WHERE token = ?", (token,))
        finally:
            _HELD.discard(token)

    def holder(self) -> tuple[str, float] | None:
        """What is being done here just now, and for how many seconds; None where nobody is at work."""
        with self.guarded():
            return self._busy(self.clock.time())

    def _busy(self, now: float) -> tuple[str, float] | None:
        row = self.db.execute("SELECT host, pid, began, what, since, renewed, token FROM lease").fetchone()
        if row is None:
            return None
        holder = Holder(row[0], row[1], row[2])
        if is_free(holder, row[5], now) or (holder == Holder.myself() and row[6] not in _HELD):
            return None
        return f"{row[3]}, by {holder}", max(0.0, now - row[4])

    def _renew(self) -> None:
        if self._token:
            now = self.clock.time()
            self._renewed = self.clock.monotonic()
            found = self.db.execute("UPDATE lease SET renewed = ? WHERE token = ?", (now, self._token))
            if not found.rowcount:
                raise Held(
                    f"{self._folder}: another annobridge took over, because this one did nothing for too long",
                    remedy="run the command again when the other one is done; nothing is sent twice",
                )

    def renew(self) -> None:
        """Say that we are still at work; it may be called often."""
        if self._token and self.clock.monotonic() - self._renewed > RENEW_S:
            with self.transaction():
                pass

    @property
    def _folder(self) -> Path | None:
        return self.path.parent.parent if self.path else None

    # Projects

    def target(self, server: str, origin: str, remote: RemoteProject, *, use: bool = False) -> Target:
        """The rows of one project.

        Args:
            server: its kind.
            origin: its address.
            remote: the project there.
            use: from now on it is the one that this campaign works with.

        Raises:
            OtherProject: another project than before has this id at this address.
        """
        with self.transaction() as db:
            row = db.execute(
                "SELECT id, born FROM projects WHERE server = ? AND origin = ? AND remote = ?",
                (server, origin, remote.id),
            ).fetchone()
            if row is not None and remote.created:
                # Its id was given again, by a server that forgot the first one.
                self._forget(row[0])
                row = None
            if row is not None and row[1] and remote.born and row[1] != remote.born:
                raise OtherProject(
                    f"{origin or server}: project {remote.id} is another one than this campaign was pushed to: it was "
                    f"made {remote.born}, and that one {row[1]}; the server was set up anew, or another one has its "
                    "address now",
                    remedy="see what is there: annobridge doctor; to go on with it: annobridge doctor --rebuild",
                )
            if row is None:
                values = (server, origin, remote.id, remote.born)
                db.execute("INSERT INTO projects (server, origin, remote, born) VALUES (?, ?, ?, ?)", values)
                row = (db.execute("SELECT last_insert_rowid()").fetchone()[0],)
            elif remote.born:
                db.execute("UPDATE projects SET born = ? WHERE id = ?", (remote.born, row[0]))
            if use or not self._has_used():
                db.execute("UPDATE projects SET used = (SELECT max(used) + 1 FROM projects) WHERE id = ?", (row[0],))
        return Target(self, row[0])

    def _has_used(self) -> bool:
        return bool(self.db.execute("SELECT 1 FROM projects WHERE used > 0").fetchone())

    def forget(self, server: str, origin: str, remote_id: str) -> None:
        """Drop what is known of a project, so that it is learned anew from the server."""
        with self.transaction() as db:
            row = db.execute(
                "SELECT id FROM projects WHERE server = ? AND origin = ? AND remote = ?", (server, origin, remote_id)
            ).fetchone()
            if row is not None:
                self._forget(row[0])

    def rebuilt(self, server: str, origin: str, remote: RemoteProject) -> Target:
        """The rows of a project whatever was known of another one in its place; its next pull sweeps everything.

        What only the ledger knows of this project is kept: that records may be on their way, or were deleted. The index
        of the feedback store is dropped; whoever opens the store makes it anew.
        """
        try:
            target = self.target(server, origin, remote)
        except OtherProject:
            self.forget(server, origin, remote.id)
            target = self.target(server, origin, remote)
        target.pulled(None)
        with self.transaction() as db:
            db.execute("DELETE FROM answers")
            db.execute("DELETE FROM notes WHERE name = 'feedback'")
        return target

    def _forget(self, project: int) -> None:
        self.db.execute("DELETE FROM records WHERE project = ?", (project,))
        self.db.execute("DELETE FROM projects WHERE id = ?", (project,))

    def last(self) -> dict[str, str]:
        """Server, origin and id of the project that was worked with last; empty before any."""
        with self.guarded():
            row = self.db.execute("SELECT server, origin, remote FROM projects ORDER BY used DESC LIMIT 1").fetchone()
        return {} if row is None else dict(zip(("server", "origin", "project"), row, strict=True))

    def renamed(self) -> set[str]:
        """Keys, in the project of :meth:`last`, of texts that were sent beside an older one.

        See :func:`bridge.sync.plan.new_key`.
        """
        with self.guarded():
            found = self.db.execute(
                "SELECT key, content FROM records WHERE key LIKE '%@________' AND state NOT IN ('planned', 'rejected') "
                "AND project = (SELECT id FROM projects ORDER BY used DESC LIMIT 1)"
            ).fetchall()
        return {key for key, content in found if content.startswith(key[-8:])}

    def there(self) -> set[str]:
        """Keys, in the project of :meth:`last`, of records that are on the server, may be, or were."""
        with self.guarded():
            found = self.db.execute(
                "SELECT key FROM records WHERE state NOT IN ('planned', 'rejected') "
                "AND project = (SELECT id FROM projects ORDER BY used DESC LIMIT 1)"
            ).fetchall()
        return {key for (key,) in found}

    # Notes

    def note(self, name: str) -> str:
        """A remembered text; empty if there is none."""
        with self.guarded():
            row = self.db.execute("SELECT value FROM notes WHERE name = ?", (name,)).fetchone()
        return "" if row is None else str(row[0])

    def set_note(self, name: str, value: str) -> None:
        """Remember a text."""
        if self.note(name) == value:
            return
        with self.transaction() as db:
            db.execute("REPLACE INTO notes VALUES (?, ?)", (name, value))


def set_aside(path: Path) -> None:
    """Move a ledger that cannot be used away, so that a new one is made; it is kept beside it.

    Raises:
        StoreError: it cannot be moved.
    """
    try:
        for ending in ("", "-wal", "-shm"):
            old_file = path.with_name(path.name + ending)
            if old_file.exists():
                old_file.replace(path.with_name(f"ledger.before-rebuild.db{ending}"))
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}", remedy="make the campaign's folder writable") from None
