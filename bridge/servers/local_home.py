"""The data folder of a local server: who may use it, who can log in, and what runs there."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import platformdirs

from bridge.errors import SetupError
from bridge.keys import write_private
from bridge.servers.local_process import Process, free_port


class Home:
    """One data folder, created with mode 0700; its files of ours have mode 0600.

    Args:
        path: where it is; None is a folder of that name in the user's data folder.
        name: the folder's name there.
        server: what people call the server that it belongs to.
    """

    def __init__(self, path: Path | None, name: str, server: str) -> None:
        self.path = (path or Path(platformdirs.user_data_dir("annobridge")) / name).absolute()
        self._server = server
        self._lock: int | None = None

    def take(self) -> int:
        """Make it ours until the server ends, and return the descriptor of the lock.

        The server inherits the lock, so the home stays taken for as long as the server lives, even when this process
        is killed, and is free the moment that the last of the two is gone. No stale file can pretend otherwise.

        Raises:
            SetupError: a server runs in it.
        """
        import fcntl  # not on Windows, where this module must still import

        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            other = _read(self.path / "server.json")
            pids = " ".join(map(str, other.get("pids", [])))
            where = f"process {pids}, at {other['url']}" if pids else "it is just being started"
            raise SetupError(
                f"{self._server} already runs in {self.path} ({where})",
                remedy=f"stop it with: kill {pids}" if pids else "wait a moment, then try again",
            ) from None
        return self._lock

    def release(self) -> None:
        """Let go of it; the data stays."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def wipe(self) -> None:
        """Delete it with all that is in it.

        Raises:
            SetupError: it is not a server's home, or a server runs in it.
        """
        if not self.path.exists():
            return
        if any(self.path.iterdir()) and not (self.path / "credentials.json").exists():
            raise SetupError(f"{self.path} is not the home of a local {self._server}", remedy="delete it by hand")
        try:
            self.take()
            shutil.rmtree(self.path)
        finally:
            self.release()

    def choose_port(self, wanted: int) -> int:
        """The port for this start: the wanted one, for 0 that of the last time, if it is free, or any.

        Raises:
            SetupError: the wanted port is taken.
        """
        port = free_port(wanted or _read(self.path / "port.json").get("port", 0))
        if wanted not in (0, port):
            raise SetupError(f"port {wanted} is taken by another program", remedy="choose another, or 0 for any")
        return port

    def note_port(self, port: int) -> None:
        """Remember the port for the next start."""
        write_private(self.path / "port.json", json.dumps({"port": port}))

    def note_running(self, url: str, processes: Iterable[Process]) -> None:
        """Write down what runs here, for those who find the home taken."""
        pids = [process.pid for process in processes]
        write_private(self.path / "server.json", json.dumps({"url": url, "pids": pids}))

    def note_stopped(self) -> None:
        """Nothing runs here any more."""
        (self.path / "server.json").unlink(missing_ok=True)

    def user(self, name: str) -> dict[str, str]:
        """What credentials.json says of a user; a password is made up and written down before it is first used."""
        user: dict[str, str] | None = _read(self.path / "credentials.json").get(name)
        if user is None:
            user = {"password": secrets.token_urlsafe(16)}
            self.remember(name, user)
        return user

    def remember(self, name: str, user: dict[str, str]) -> None:
        """Write down a user's password and key."""
        path = self.path / "credentials.json"
        write_private(path, json.dumps(_read(path) | {name: user}, indent=2) + "\n")


def _read(path: Path) -> dict[str, Any]:
    """A small file of ours, empty as long as it is missing."""
    try:
        value = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except ValueError:
        value = None
    if isinstance(value, dict):
        return value
    raise SetupError(f"{path}: not a JSON object", remedy="mend or delete it") from None
