"""What a campaign's folder keeps between commands: which project it worked with last, and up to where it was pulled.

It is a cache. Without it the next pull sweeps everything, and nothing is lost.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bridge.annotations import utc
from bridge.errors import StoreError, ValueRejected
from bridge.files import write_text

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None  # type: ignore[assignment]


ADOPTED = "adopted.json"
"""The note in a campaign that was made from somebody's project, until it is moved to a project of its own."""


class State:
    """The state of one campaign, in a folder of its own.

    >>> import tempfile
    >>> state = State(Path(tempfile.mkdtemp(), ".annobridge"))
    >>> sums = {"server": "memory", "project": "7"}
    >>> state.remember(sums, "2026-01-02T03:04:05.000000Z")
    >>> state.cursor(sums), state.cursor({**sums, "project": "8"})
    ('2026-01-02T03:04:05.000000Z', None)
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / "state.json"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else pushes or pulls in this folder meanwhile: two pushes at once would send everything twice.

        Raises:
            StoreError: somebody does, or the folder cannot be written.
        """
        path = self.folder / "lock"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            file = path.open("a")
        except OSError as error:
            raise StoreError(f"{path}: {error.strerror}", remedy="make the campaign's folder writable") from None
        with file:
            if fcntl is not None:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise StoreError(
                        f"{self.folder.parent}: another annobridge is pushing or pulling in this folder",
                        remedy="wait until it is done; the lock goes with it",
                    ) from None
            yield

    def load(self) -> dict[str, Any]:
        """What was remembered last; empty before the first push.

        Raises:
            StoreError: the file is damaged.
        """
        try:
            state = json.loads(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError):
            raise StoreError(
                f"{self._path}: cannot be read", remedy="delete it: the next pull sweeps everything"
            ) from None
        return state if isinstance(state, dict) else {}

    def cursor(self, project: dict[str, str]) -> str | None:
        """Where the next pull of a project starts: an empty text is the beginning, None says it was never pulled."""
        state = self.load()
        if not all(state.get(name) == value for name, value in project.items()):
            return None
        cursor = state.get("cursor")
        try:
            cursor = None if cursor is None else utc(str(cursor))
        except ValueRejected:
            return ""
        # A cursor from the future would hide all that happens until then.
        tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
        return cursor if cursor is None or "2000" < cursor < tomorrow else ""

    def remember(self, project: dict[str, str], cursor: str | None) -> None:
        """Keep which project it was, and where its next pull starts.

        Raises:
            StoreError: the file cannot be written; it is as it was.
        """
        write_text(self._path, json.dumps({**project, "cursor": cursor}, indent=2) + "\n")

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
