"""The servers that the contract is checked on. To add one, write a backend with these four methods."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Protocol

import pytest

from bridge.annotations import Status
from bridge.records import Value
from bridge.servers.argilla import Argilla
from bridge.servers.label_studio import LabelStudio
from bridge.servers.local_label_studio import LocalLabelStudio
from bridge.servers.memory import LIKE_ARGILLA, LIKE_LABEL_STUDIO, PLAIN, MemoryServer, Profile
from bridge.servers.protocol import Project, Server
from bridge.testing import ArgillaPerson, LabelStudioPerson

if TYPE_CHECKING:
    from bridge.servers.local_argilla import LocalArgilla


class Person(Protocol):
    """Somebody who answers; what `annotate` returns names the answer."""

    def annotate(
        self, key: str, answers: dict[str, Value], *, status: Status = "submitted", lead_time_s: float | None = None
    ) -> str: ...

    def change(self, answer: str, answers: dict[str, Value]) -> None: ...

    def withdraw(self, answer: str) -> None: ...


class Backend(Protocol):
    """One server with people on it."""

    name: str

    def connect(self) -> Server:
        """A new connection."""
        ...

    def person(self, name: str, project: Project) -> Person:
        """Somebody who answers in that project."""
        ...

    def close(self) -> None: ...


class MemoryBackend:
    name = "memory"

    def __init__(self, profile: Profile = PLAIN) -> None:
        self.server = MemoryServer(profile=profile)

    def connect(self) -> Server:
        return self.server

    def person(self, name: str, project: Project) -> Person:
        return MemoryPerson(self.server, name)

    def close(self) -> None:
        pass


class MemoryPerson:
    def __init__(self, server: MemoryServer, name: str) -> None:
        self.server, self.name = server, f"{name}@example.org"

    def annotate(
        self, key: str, answers: dict[str, Value], *, status: Status = "submitted", lead_time_s: float | None = None
    ) -> str:
        self.server.annotate(key, self.name, answers, status=status, lead_time_s=lead_time_s, another=True)
        return key

    def change(self, answer: str, answers: dict[str, Value]) -> None:
        self.server.annotate(answer, self.name, answers)

    def withdraw(self, answer: str) -> None:
        self.server.withdraw(answer, self.name)


class LabelStudioBackend:
    name = "label-studio"

    def __init__(self, server: LocalLabelStudio) -> None:
        self.server = server
        self.open: list[LabelStudio] = []

    def connect(self) -> Server:
        connection = LabelStudio(self.server.url, self.server.token)
        self.open.append(connection)
        return connection

    def person(self, name: str, project: Project) -> Person:
        person = LabelStudioPerson(self.server.url, self.server.add_user(f"{name}@example.org").token)
        person.ensure(project, create=False)
        self.open.append(person)
        return person

    def close(self) -> None:
        for connection in self.open:
            connection.close()


class ArgillaBackend:
    name = "argilla"

    def __init__(self, server: LocalArgilla) -> None:
        self.server = server
        self.open: list[Argilla] = []

    def connect(self) -> Server:
        connection = Argilla(self.server.url, self.server.api_key, self.server.workspace)
        self.open.append(connection)
        return connection

    def person(self, name: str, project: Project) -> Person:
        key = self.server.add_user(f"{name}@example.org").key
        person = ArgillaPerson(self.server.url, key, self.server.workspace)
        person.ensure(project, create=False)
        self.open.append(person)
        return person

    def close(self) -> None:
        for connection in self.open:
            connection.close()


backends: dict[str, Callable[[pytest.FixtureRequest], Backend]] = {
    "memory": lambda request: MemoryBackend(),
    "memory like label-studio": lambda request: MemoryBackend(LIKE_LABEL_STUDIO),
    "memory like argilla": lambda request: MemoryBackend(LIKE_ARGILLA),
    "label-studio": lambda request: LabelStudioBackend(request.getfixturevalue("label_studio")),
    "label-studio on postgres": lambda request: LabelStudioBackend(request.getfixturevalue("label_studio_postgres")),
    "argilla": lambda request: ArgillaBackend(request.getfixturevalue("argilla")),
}


@pytest.fixture(params=list(backends))
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """Every server in turn; the live ones are started when the first test asks for them."""
    made = backends[request.param](request)
    yield made
    made.close()


_NUMBERS = itertools.count(1)


@pytest.fixture
def backend_name(request: pytest.FixtureRequest, backend: Backend) -> str:
    """Which of the backends this is: the memory server has a name for each of its profiles.

    Where a server's data lies makes no difference to its rules, so it has no name of its own.
    """
    return str(request.node.callspec.params["backend"]).removesuffix(" on postgres")


@pytest.fixture
def title() -> str:
    """A project name that no other test uses."""
    return f"Contract {os.getpid()} {next(_NUMBERS)}"
