"""What every local server does alike: it is started once, watched, stopped, and its home wiped."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Self

import httpx2

from bridge.errors import SetupError
from bridge.servers.local_environment import Say
from bridge.servers.local_home import Home
from bridge.servers.local_process import Process, wait_for_an_end


class LocalServer(ABC):
    """One annotation server on this machine, made of one or several programs.

    Args:
        home: its data folder; created with mode 0700.
        port: 0 takes the port of the last time, or any free one.
        say: told what happens, in sentences for a person.

    Attributes:
        url: where it listens, such as ``http://127.0.0.1:8080``; after :meth:`start`.
    """

    name = "the server"
    url: str

    def __init__(self, home: Home, port: int, say: Say) -> None:
        self._home = home
        self.home = home.path
        self._port = port
        self._say = say
        self._processes: list[Process] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    @property
    def log(self) -> Path:
        """The server's log of the last start; those of other programs that it needs are beside it."""
        return self.home / "server.log"

    def start(self) -> None:
        """Install it if necessary, start it, and wait until it answers and its owner can log in.

        Raises:
            SetupError: it cannot be installed or started, or a server is already running in this home.
        """
        if self._processes:
            raise SetupError(f"this server is already started, at {self.url}", remedy="stop it first")
        try:
            self._start()
        except OSError as error:
            self.stop()
            raise SetupError(
                f"{error.filename or self.home}: {error.strerror}", remedy="choose a folder that you can write"
            ) from error
        except BaseException:
            self.stop()
            raise
        self._say(f"{self.name} is ready at {self.url}")

    @abstractmethod
    def _start(self) -> None:
        """Start the programs, and find out what the attributes say."""

    def _run(self, process: Process) -> Process:
        """Count a program among those that the server consists of."""
        self._processes.append(process)
        self._home.note_running(self.url, self._processes)
        return process

    def _must_run(self) -> None:
        if not self._processes:
            raise SetupError("the server is not running, so nobody can be added", remedy="start it first")

    def wait(self) -> None:
        """Wait, if the server runs, until it is interrupted.

        Raises:
            SetupError: it, or one of its programs, ended by itself.
        """
        if self._processes:
            wait_for_an_end(self._processes)

    def stop(self) -> None:
        """Stop it, if it runs; the data stays."""
        while self._processes:  # the last one to start first: each of them may still write to those before it
            self._processes[-1].stop()
            self._processes.pop()
            self._home.note_stopped()
        self._home.release()

    def wipe(self) -> None:
        """Stop it and delete its data folder with all projects and users in it; a PostgreSQL database stays.

        Raises:
            SetupError: the folder is not such a server's home, or another process is using it.
        """
        self.stop()
        self._home.wipe()

    def _json(self, reply: httpx2.Response, status: int, what: str) -> Any:
        # Some replies hold keys, so nothing of them is shown.
        try:
            if reply.status_code == status:
                return reply.json()
        except ValueError:
            pass
        raise SetupError(f"{what} failed: the server answered {reply.status_code}", remedy=f"read {self.log}")
