"""A real server of either kind, with campaigns and people on it."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from bridge.campaign import Campaign
from bridge.keys import Secret
from bridge.servers.argilla import Argilla
from bridge.servers.label_studio import LabelStudio
from bridge.servers.protocol import Project, Server
from bridge.testing import ArgillaPerson, LabelStudioPerson

if TYPE_CHECKING:
    import pytest  # not in the processes that are killed

Person: TypeAlias = "LabelStudioPerson | ArgillaPerson"

KEY_ENV = "ANNOBRIDGE_TEST_KEY"
NUMBERS = itertools.count(1)


def rows(count: int, start: int = 1) -> list[dict[str, Any]]:
    """Rows that each have a suggestion."""
    return [
        {"id": f"r{n:04}", "prompt": f"{n} + {n}?", "response": str(2 * n), "rating": 4}
        for n in range(start, start + count)
    ]


def write_records(folder: Path, records: Sequence[Mapping[str, Any]]) -> None:
    """The file of records of a campaign."""
    (folder / "records.jsonl").write_text("".join(json.dumps(row) + "\n" for row in records))


class Site:
    """A real server of either kind; connections that it gives are closed with it."""

    def __init__(self, kind: str, server: Any) -> None:
        self.kind, self.server = kind, server
        self.url: str = server.url
        self.key: Secret = server.token if kind == "label-studio" else server.api_key
        self._opened: list[Server] = []
        self._people: dict[str, Secret] = {}

    def close(self) -> None:
        for connection in self._opened:
            connection.close()

    def folder(
        self,
        path: Path,
        records: Sequence[Mapping[str, Any]],
        *,
        title: str = "",
        url: str = "",
        template: str = "rating",
    ) -> Path:
        """A campaign's folder; without a title, its project is one that no other test has."""
        path.mkdir(parents=True)
        write_records(path, records)
        server = {"kind": self.kind, "url": url or self.url, "key_env": KEY_ENV}
        if self.kind == "argilla":
            server["workspace"] = self.server.workspace
        settings = {
            "project": title or f"Faults {os.getpid()} {next(NUMBERS)}",
            "server": server,
            "records": {"path": "records.jsonl", "id": "id"},
            "template": template,
        }
        (path / "campaign.yaml").write_text(json.dumps(settings))  # JSON is YAML
        return path

    def connect(self) -> Server:
        if self.kind == "argilla":
            self._opened.append(Argilla(self.url, self.key, self.server.workspace))
        else:
            self._opened.append(LabelStudio(self.url, self.key))
        return self._opened[-1]

    def person(self, name: str) -> Person:
        """Somebody with an account; `ensure` of a project comes first."""
        email = f"{name}@example.org"
        if email not in self._people:
            user = self.server.add_user(email)
            self._people[email] = user.token if self.kind == "label-studio" else user.key
        person: Person
        if self.kind == "argilla":
            person = ArgillaPerson(self.url, self._people[email], self.server.workspace)
        else:
            person = LabelStudioPerson(self.url, self._people[email])
        self._opened.append(person)
        return person


def project_of(campaign: Campaign) -> Project:
    return Project(campaign.config.project, campaign.template)


def site_of(kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """For a fixture: a site on the live server of that kind, with its key in the environment."""
    made = Site(kind, request.getfixturevalue(kind.replace("-", "_")))
    monkeypatch.setenv(KEY_ENV, made.key.reveal())
    yield made
    made.close()
