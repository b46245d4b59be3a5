"""What the ledger knows of one project: its cursor, and what became of each record.

States of a record: ``planned`` (to be sent), ``sending`` (the request may be under way), ``unknown`` (its outcome was
not learned), ``sent``, ``rejected`` (with the reason), ``gone`` (it was sent, and somebody deleted it there).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from bridge.servers.protocol import Outcome, Remote

if TYPE_CHECKING:
    from bridge.sync.ledger import Ledger

State = Literal["planned", "sending", "unknown", "sent", "rejected", "gone"]


class Row(NamedTuple):
    """What the ledger says of one record."""

    key: str
    content: str
    state: State
    remote_id: str = ""
    answered: int = 0
    reason: str = ""
    sent_at: float = 0.0


class Target:
    """The rows of one project in a ledger."""

    def __init__(self, ledger: Ledger, project: int) -> None:
        self.ledger = ledger
        self._id = project

    # Cursors

    @property
    def cursor(self) -> str | None:
        """Where the next pull starts: an empty text is the beginning, None says that it was never pulled."""
        cursor: str | None = self._project()[0]
        return cursor

    @property
    def pulled_at(self) -> float | None:
        """When it was pulled last, by this machine's clock."""
        pulled_at: float | None = self._project()[1]
        return pulled_at

    @property
    def extra(self) -> int:
        """How many records more the server holds than the ledger: foreign ones, and doubles."""
        return int(self._project()[2])

    @property
    def compared_at(self) -> float:
        """When it was last found to hold what the server holds, by this machine's clock; 0 before that."""
        return float(self._project()[3])

    def compared(self) -> None:
        """It holds what the server holds."""
        with self.ledger.transaction() as db:
            db.execute("UPDATE projects SET compared_at = ? WHERE id = ?", (self.ledger.clock.time(), self._id))

    def _project(self) -> tuple[Any, ...]:
        query = "SELECT cursor, pulled_at, extra, compared_at FROM projects WHERE id = ?"
        with self.ledger.guarded():
            row: tuple[Any, ...] = self.ledger.db.execute(query, (self._id,)).fetchone()
        return row

    def pulled(self, cursor: str | None) -> None:
        """Remember where the next pull starts."""
        with self.ledger.transaction() as db:
            now = self.ledger.clock.time()
            db.execute("UPDATE projects SET cursor = ?, pulled_at = ? WHERE id = ?", (cursor, now, self._id))

    # Records

    def rows(self, keys: Iterable[str]) -> dict[str, Row]:
        """What is known of these keys."""
        query = "SELECT * FROM known WHERE project = ? AND key IN (SELECT value FROM json_each(?))"
        return {row.key: row for row in self._rows(query, json.dumps(list(keys)))}

    def count(self, *states: State) -> int:
        """How many records are in one of these states."""
        query = "SELECT count(*) FROM records WHERE project = ? AND state IN (SELECT value FROM json_each(?))"
        with self.ledger.guarded():
            row = self.ledger.db.execute(query, (self._id, json.dumps(states))).fetchone()
        return int(row[0])

    def digest(self) -> str:
        """A hash of all that decides what is to be done with these records: their keys, contents and states."""
        found = sha256()
        query = "SELECT key, content, state FROM records WHERE project = ? ORDER BY key"
        with self.ledger.guarded():
            for row in self.ledger.db.execute(query, (self._id,)):
                found.update("\0".join((*row, "")).encode())
        return found.hexdigest()

    def in_state(self, *states: State) -> list[Row]:
        """All records in one of these states, in order of their keys."""
        query = "SELECT * FROM known WHERE project = ? AND state IN (SELECT value FROM json_each(?)) ORDER BY key"
        return self._rows(query, json.dumps(states))

    def _rows(self, query: str, *values: object) -> list[Row]:
        with self.ledger.guarded():
            return [Row._make(row[1:]) for row in self.ledger.db.execute(query, (self._id, *values))]

    def doubled(self) -> list[str]:
        """Keys that were there more than once when they were last seen, with a copy that nobody had answered."""
        query = "SELECT key FROM records WHERE project = ? AND state = 'sent' AND spare > 0 ORDER BY key"
        with self.ledger.guarded():
            return [key for (key,) in self.ledger.db.execute(query, (self._id,))]

    def sample(self, count: int) -> list[Row]:
        """Some records that were sent, spread over all of them."""
        step = max(1, self.count("sent") // count)
        query = "SELECT * FROM known WHERE project = ? AND state = 'sent' ORDER BY key LIMIT 1 OFFSET ?"
        return [row for number in range(count) for row in self._rows(query, number * step)]

    def intend(self, records: Iterable[tuple[str, str]], settled: Iterable[Outcome] = ()) -> None:
        """Before a request: these keys, with these contents, are about to be sent. Settles an earlier batch with it."""
        with self.ledger.transaction() as db:
            self._settle(db, settled)
            now = self.ledger.clock.time()
            (batch,) = db.execute(
                "SELECT coalesce(max(batch), 0) + 1 FROM records WHERE project = ?", (self._id,)
            ).fetchone()
            db.executemany(
                "INSERT INTO records (project, key, content, state, batch, sent_at) VALUES (?, ?, ?, 'sending', ?, ?) "
                "ON CONFLICT DO UPDATE SET content = excluded.content, state = 'sending', batch = excluded.batch, "
                "sent_at = excluded.sent_at",
                ((self._id, key, content, batch, now) for key, content in records),
            )

    def settle(self, outcomes: Iterable[Outcome]) -> None:
        """After a request: what became of each record."""
        with self.ledger.transaction() as db:
            self._settle(db, outcomes)

    def _settle(self, db: sqlite3.Connection, outcomes: Iterable[Outcome]) -> None:
        states = {"accepted": "sent", "rejected": "rejected", "unknown": "unknown"}
        now = self.ledger.clock.time()  # what has no reply yet may arrive late, counted from now
        db.executemany(
            "UPDATE records SET state = ?, remote_id = ?, reason = ?, remedy = ?, sent_at = ? "
            "WHERE project = ? AND key = ?",
            ((states[o.result], o.remote_id, o.reason, o.remedy, now, self._id, o.key) for o in outcomes),
        )

    def sending(self, keys: Iterable[str]) -> None:
        """Before a request: some keys of a batch that was refused are about to be sent once more."""
        with self.ledger.transaction() as db:
            now = self.ledger.clock.time()
            db.executemany(
                "UPDATE records SET state = 'sending', sent_at = ? WHERE project = ? AND key = ?",
                ((now, self._id, key) for key in keys),
            )

    def unsent(self, keys: Iterable[str]) -> None:
        """These keys were looked up, and are not on the server: they are to be sent again."""
        with self.ledger.transaction() as db:
            db.executemany(
                "UPDATE records SET state = 'planned' WHERE project = ? AND key = ?", ((self._id, key) for key in keys)
            )

    def found(self, there: Mapping[str, Sequence[Remote]]) -> None:
        """These records are on the server, whatever the ledger said of them."""
        with self.ledger.transaction() as db:
            self._found(db, there)

    def _found(self, db: sqlite3.Connection, there: Mapping[str, Sequence[Remote]]) -> None:
        db.executemany(
            "INSERT INTO records (project, key, content, state, remote_id, answered, spare) "
            "VALUES (?, ?, ?, 'sent', ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET content = excluded.content, state = 'sent', remote_id = excluded.remote_id, "
            "answered = excluded.answered, spare = excluded.spare, reason = '', remedy = ''",
            (
                (
                    self._id,
                    key,
                    copies[0].content,
                    copies[0].id,
                    sum(remote.annotations for remote in copies),
                    len(needless(copies)),
                )
                for key, copies in there.items()
            ),
        )

    def replace(self, there: Mapping[str, Sequence[Remote]], total: int) -> list[str]:
        """Take over what a listing of the whole project showed; returns the keys that were sent and are gone.

        Args:
            there: every key of ours, with its copies.
            total: how many records the server holds, foreign ones and doubles included.
        """
        with self.ledger.transaction() as db:
            known = db.execute("SELECT key FROM records WHERE project = ? AND state = 'sent'", (self._id,)).fetchall()
            gone = sorted(key for (key,) in known if key not in there)
            db.executemany(
                "UPDATE records SET state = 'gone' WHERE project = ? AND key = ?", ((self._id, key) for key in gone)
            )
            self._found(db, there)
            extra = total - len(there)
            db.execute("UPDATE projects SET extra = ? WHERE id = ?", (extra, self._id))
        return gone


def needless(copies: Sequence[Remote]) -> list[str]:
    """Ids of copies of one record that may go: those without answers, but for one if no copy has any.

    >>> needless([Remote("7"), Remote("8", annotations=1), Remote("9")])
    ['7', '9']
    >>> needless([Remote("7"), Remote("8")])
    ['8']
    """
    empty = [remote.id for remote in copies if not remote.annotations]
    return empty[1:] if len(empty) == len(copies) else empty
