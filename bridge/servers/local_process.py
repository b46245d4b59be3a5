"""Programs that a local server consists of: started on loopback, watched until they answer, and stopped."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn, TypeVar

import httpx2

from bridge.errors import SetupError
from bridge.servers.local_environment import Say

T = TypeVar("T")

START_S = 600.0
STOP_S = 10.0
_SAY_EVERY_S = 15.0
_REQUEST_S = 120.0


class Process:
    """One program, from its start on, in a process group of its own and with its output in a private file.

    Args:
        name: what people call it.
        command: its arguments, which every user of the machine can read.
        variables: its environment, which only its owner can read: the place for passwords.
        folder: where it runs.
        log: the file for its output, which begins anew.
        lock: the descriptor of a lock that it inherits, and so holds for as long as it lives.
    """

    def __init__(
        self, name: str, command: list[str], *, variables: Mapping[str, str], folder: Path, log: Path, lock: int
    ) -> None:
        self.name = name
        self.log = log
        with open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as output:
            self._process = subprocess.Popen(
                command,
                env=variables,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C in the terminal reaches us, and we stop the program once
                pass_fds=[lock],
            )
        self.pid = self._process.pid

    @property
    def code(self) -> int | None:
        """Its exit code, None as long as it runs."""
        return self._process.poll()

    def said(self, pattern: re.Pattern[bytes]) -> re.Match[bytes] | None:
        """Where its output says this, if it has by now."""
        return pattern.search(self.log.read_bytes())

    def stop(self) -> None:
        """End it and what it has started."""
        # A second SIGTERM is the usual way to say that the first one was meant.
        for number, patience in ((signal.SIGTERM, STOP_S), (signal.SIGTERM, STOP_S / 5), (signal.SIGKILL, None)):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(patience)
                return

    def failed(self, reason: str) -> SetupError:
        """The error that says so, with the program's last words."""
        lines = self.log.read_text(errors="replace").splitlines()[-15:]
        said = "\n    ".join([f"{self.name} {reason}; its last words:", *lines])
        return SetupError(said, remedy=f"read {self.log}, then try again")


def stop_left(pids: Sequence[int], lock: Path) -> bool:
    """Stop programs whose starter was killed, and wait until they are gone; whether there were any.

    A number may belong to another program by now: only those are stopped that hold the lock which they inherited. Where
    nobody can tell (there is no /proc), none is.
    """
    left = [pid for pid in pids if _holds(pid, lock)]
    for number, patience in ((signal.SIGTERM, STOP_S), (signal.SIGTERM, STOP_S / 5), (signal.SIGKILL, STOP_S)):
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, number)
        if wait_for(lambda: not any(_holds(pid, lock) for pid in left) or None, patience):
            break
    return bool(left)


def wait_for(ready: Callable[[], T | None], patience: float = STOP_S) -> T | None:
    """What ``ready`` returns as soon as it returns something, or None if it does not within some seconds."""
    until = time.monotonic() + patience
    while (value := ready()) is None and time.monotonic() < until:
        time.sleep(0.05)
    return value


def _holds(pid: int, lock: Path) -> bool:
    """Whether a process has a file open."""
    wanted = lock.stat()
    for descriptor in Path(f"/proc/{pid}/fd").glob("*"):
        with contextlib.suppress(OSError):
            found = descriptor.stat()
            if (found.st_dev, found.st_ino) == (wanted.st_dev, wanted.st_ino):
                return True
    return False


def wait_until(ready: Callable[[], T | None], *processes: Process, say: Say) -> T:
    """Wait until ``ready`` returns something, and return that, as long as all these programs run.

    Raises:
        SetupError: one of them ended, or ten minutes were not enough for the last of them.
    """
    begin = said = time.monotonic()
    while True:
        value = ready()
        for process in processes:  # after ready(), or another program could have answered in the place of a dead one
            if process.code is not None:
                raise process.failed(f"ended with code {process.code} before it was ready")
        if value is not None:
            return value
        now = time.monotonic()
        if now - begin > START_S:
            raise processes[-1].failed(f"did not answer within {START_S:.0f} s")
        if now - said > _SAY_EVERY_S:
            said = now
            say(f"still starting ({now - begin:.0f} s)")
        time.sleep(0.1)


def wait_for_an_end(processes: Sequence[Process]) -> NoReturn:
    """Wait until one of these programs ends by itself.

    Raises:
        SetupError: one did.
    """
    while True:
        for process in processes:
            if process.code is not None:
                raise process.failed(f"ended by itself with code {process.code}")
        time.sleep(0.2)


def local_client(url: str) -> httpx2.Client:
    """An HTTP client for a server on this machine."""
    # trust_env off: a proxy from the environment must see neither this traffic nor the passwords in it.
    return httpx2.Client(base_url=url, follow_redirects=False, trust_env=False, timeout=_REQUEST_S)


def free_port(wanted: int) -> int:
    """The wanted port of 127.0.0.1 if nobody has it, else one that nobody has.

    Raises:
        SetupError: all are taken.
    """
    for port in (wanted, 0):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise SetupError("no free port on 127.0.0.1", remedy="close some programs, then try again")
