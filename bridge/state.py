"""What a campaign's folder keeps between commands: the ledger, and whether the campaign was adopted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bridge.clock import SYSTEM, Clock
from bridge.servers.protocol import RemoteProject
from bridge.sync.ledger import FILE_NAME, Ledger

ADOPTED = "adopted.json"
"""The note in a campaign that was made from somebody's project, until it is moved to a project of its own."""


class State:
    """The state of one campaign, in a folder of its own.

    >>> import tempfile
    >>> state = State(Path(tempfile.mkdtemp(), ".annobridge"))
    >>> with state.alone("push") as ledger:
    ...     state.remember(ledger, {"server": "memory", "origin": "", "project": "7"}, "2026-01-02T03:04:05.000000Z")
    >>> state.last()
    {'server': 'memory', 'origin': '', 'project': '7'}
    """

    def __init__(self, folder: Path, *, clock: Clock = SYSTEM) -> None:
        self.folder = folder
        self.clock = clock
        self.path = folder / FILE_NAME

    @contextmanager
    def alone(self, what: str) -> Iterator[Ledger]:
        """The ledger, with nobody else at work in this folder meanwhile.

        Raises:
            Held: somebody is.
            StoreError: the folder cannot be written, or the ledger cannot be used.
        """
        ledger = Ledger(self.path, clock=self.clock)
        try:
            with ledger.alone(what):
                yield ledger
        finally:
            ledger.close()

    @contextmanager
    def reading(self) -> Iterator[Ledger]:
        """The ledger, to be looked at; an empty one in memory where there is none yet."""
        ledger = Ledger(self.path if self.path.exists() else None, clock=self.clock)
        try:
            yield ledger
        finally:
            ledger.close()

    def last(self) -> dict[str, str]:
        """Server, origin and id of the project that was worked with last; empty before the first push."""
        with self.reading() as ledger:
            return ledger.last()

    def remember(self, ledger: Ledger, project: dict[str, str], cursor: str) -> None:
        """Keep which project it is, and where its next pull starts, without having asked the server."""
        remote = RemoteProject(project["project"], "", None)
        ledger.target(project["server"], project["origin"], remote, use=True).pulled(cursor)

    def adopted(self) -> str:
        """The id of the project that this campaign was adopted from; empty for every other campaign."""
        try:
            note = json.loads((self.folder / ADOPTED).read_bytes())
        except (OSError, ValueError, RecursionError):
            return ""
        return str(note.get("project", "")) if isinstance(note, dict) else ""

    def settle(self) -> None:
        """A campaign that was adopted has a project of its own now. The note stays, under another name."""
        with suppress(FileNotFoundError):
            (self.folder / ADOPTED).replace(self.folder / f"before-migration.{ADOPTED}")
