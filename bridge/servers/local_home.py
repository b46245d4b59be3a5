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
from bridge.servers.local_environment import Say
from bridge.servers.local_process import Process, free_port, stop_left, wait_for


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
        self._holder: int | None = None

    def take(self, say: Say = lambda text: None) -> int:
        """Make it ours until the server ends, and return the descriptor of the lock.

        The server inherits the lock, so the home stays taken for as long as the server lives, even when this process
        is killed, and is free the moment that the last of the two is gone. No stale file can pretend otherwise. A
        second lock is this process's alone: where it is free, whoever started the server was killed, and the server
        that was left is stopped.

        Raises:
            SetupError: a server runs in it.
        """
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._holder = _locked(self.path / "holder")
        self._lock = _locked(self.path / "lock") if self._holder is not None else None
        if self._lock is None and self._holder is not None:
            pids = _read(self.path / "server.json").get("pids", [])
            if stop_left(pids, self.path / "lock"):
                say(f"stopped a {self._server} that a killed process had left running")
                self._lock = wait_for(lambda: _locked(self.path / "lock"))
        if self._lock is None:
            self.release()
            other = _read(self.path / "server.json")
            pids = " ".join(map(str, other.get("pids", [])))
            where = f"process {pids}, at {other['url']}" if pids else "it is just being started"
            raise SetupError(
                f"{self._server} already runs in {self.path} ({where})",
                remedy=f"stop it with: kill {pids}" if pids else "wait a moment, then try again",
            )
        return self._lock

    def release(self) -> None:
        """Let go of it; the data stays."""
        for held in (self._lock, self._holder):
            if held is not None:
                os.close(held)
        self._lock = self._holder = None

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


def _locked(path: Path) -> int | None:
    """The descriptor of a file that is locked for us now, or None where somebody else has it."""
    import fcntl  # not on Windows, where this module must still import

    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return None
    return file


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
