"""Projects that somebody makes by hand: over the servers' own APIs, with nothing of ours in them."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import bridge
from bridge.adopting import AdoptResult
from bridge.keys import save_key
from bridge.servers.http import Client
from bridge.servers.local_label_studio import LocalLabelStudio
from bridge.testing import ArgillaPerson, LabelStudioPerson

_NUMBERS = itertools.count(1)


@pytest.fixture
def title() -> str:
    """A project name that no other test uses."""
    return f"By hand {os.getpid()} {next(_NUMBERS)}"


class LabelStudioByHand:
    """Somebody with a login on Label Studio, and a few colleagues."""

    def __init__(self, server: LocalLabelStudio) -> None:
        self.url = server.url
        self._server = server
        self._admin = LabelStudioPerson(server.url, server.token)
        self._people: dict[str, LabelStudioPerson] = {}

    @property
    def http(self) -> Client:
        return self._admin._http

    def project(self, title: str, config: str, tasks: list[dict[str, Any]], **settings: Any) -> int:
        """Make a project with these tasks; returns its id."""
        body = {"title": title, "label_config": config, **settings}
        project = int(self.http.request("POST", "/api/projects/", body=body)["id"])
        self.add(project, tasks)
        return project

    def add(self, project: int, tasks: list[dict[str, Any]]) -> None:
        bodies = [task if "data" in task else {"data": task} for task in tasks]
        if bodies:
            self.http.request("POST", f"/api/projects/{project}/import", body=bodies)

    def tasks(self, project: int) -> list[int]:
        """Ids of its tasks, in order."""
        reply = self.http.request("GET", "/api/tasks/", params={"project": project, "page_size": 100})
        return sorted(task["id"] for task in reply["tasks"])

    def answer(self, who: str, task: int, *result: dict[str, Any], **more: Any) -> int:
        """Somebody answers a task; returns the annotation's id."""
        body = {"result": list(result), **more}
        return int(self._person(who)._http.request("POST", f"/api/tasks/{task}/annotations/", body=body)["id"])

    def change(self, who: str, annotation: int, *result: dict[str, Any]) -> None:
        body = {"result": list(result)}
        self._person(who)._http.request("PATCH", f"/api/annotations/{annotation}/", body=body)

    def withdraw(self, who: str, annotation: int) -> None:
        self._person(who)._http.request("DELETE", f"/api/annotations/{annotation}/")

    def _person(self, who: str) -> LabelStudioPerson:
        if who not in self._people:
            token = self._server.add_user(f"{who}@example.org").token
            self._people[who] = LabelStudioPerson(self.url, token)
        return self._people[who]

    def close(self) -> None:
        for person in (self._admin, *self._people.values()):
            person.close()


class ArgillaByHand:
    """Somebody with a login on Argilla, and a few colleagues."""

    def __init__(self, server: Any) -> None:
        self.url, self.workspace = server.url, server.workspace
        self._server = server
        self._owner = ArgillaPerson(server.url, server.api_key, server.workspace)
        self._people: dict[str, ArgillaPerson] = {}
        listed = self.request("GET", "/me/workspaces")["items"]
        self._workspace_id = next(one["id"] for one in listed if one["name"] == self.workspace)

    def request(self, method: Any, path: str, body: object = None) -> Any:
        return self._owner._request(method, path, body=body)

    def dataset(
        self,
        name: str,
        fields: dict[str, dict[str, Any]],
        questions: dict[str, dict[str, Any]],
        records: list[dict[str, Any]],
        *,
        workspace_id: str = "",
        **settings: Any,
    ) -> str:
        """Make a dataset with these records; in suggestions, questions are called by their names. Returns its id."""
        body = {"name": name, "workspace_id": workspace_id or self._workspace_id, "allow_extra_metadata": True}
        dataset = str(self.request("POST", "/datasets", {**body, **settings})["id"])
        for field, given in fields.items():
            more = dict(given)
            extra = {key: more.pop(key) for key in ("title", "required") if key in more}
            shape = {"name": field, "title": field, "required": False, **extra, "settings": more}
            self.request("POST", f"/datasets/{dataset}/fields", shape)
        ids = {}
        for question, given in questions.items():
            more = dict(given)
            extra = {key: more.pop(key) for key in ("title", "description", "required") if key in more}
            shape = {"name": question, "title": question, "required": False, **extra, "settings": more}
            ids[question] = self.request("POST", f"/datasets/{dataset}/questions", shape)["id"]
        self.request("PUT", f"/datasets/{dataset}/publish")
        self.add(dataset, records, ids)
        return dataset

    def add(self, dataset: str, records: list[dict[str, Any]], ids: dict[str, str] | None = None) -> None:
        items = []
        for record in records:
            suggestions = [
                {"question_id": (ids or {})[one["question"]], **{k: v for k, v in one.items() if k != "question"}}
                for one in record.get("suggestions", ())
            ]
            items.append({**record, "suggestions": suggestions})
        if items:
            self.request("POST", f"/datasets/{dataset}/records/bulk", {"items": items})

    def records(self, dataset: str) -> list[str]:
        """Ids of its records, in order."""
        return [record["id"] for record in self.request("GET", f"/datasets/{dataset}/records?limit=100")["items"]]

    def answer(self, who: str, record: str, values: dict[str, Any], status: str = "submitted") -> str:
        """Somebody answers a record; returns the response's id."""
        body = {"status": status, "values": {name: {"value": value} for name, value in values.items()}}
        return str(self._person(who)._request("POST", f"/records/{record}/responses", body=body)["id"])

    def change(self, who: str, response: str, values: dict[str, Any]) -> None:
        body = {"status": "submitted", "values": {name: {"value": value} for name, value in values.items()}}
        self._person(who)._request("PUT", f"/responses/{response}", body=body)

    def _person(self, who: str) -> ArgillaPerson:
        if who not in self._people:
            self._people[who] = ArgillaPerson(self.url, self._server.add_user(who).key, self.workspace)
        return self._people[who]

    def close(self) -> None:
        for person in (self._owner, *self._people.values()):
            person.close()


@pytest.fixture
def by_hand(label_studio: LocalLabelStudio, keys: None) -> Iterator[LabelStudioByHand]:
    """A live Label Studio, worked on by hand; its key is in the key file."""
    save_key(label_studio.url, label_studio.token)
    hand = LabelStudioByHand(label_studio)
    yield hand
    hand.close()


@pytest.fixture
def argilla_by_hand(argilla: Any, keys: None) -> Iterator[ArgillaByHand]:
    """A live Argilla, worked on by hand; its key is in the key file."""
    save_key(argilla.url, argilla.api_key)
    hand = ArgillaByHand(argilla)
    yield hand
    hand.close()


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key file of its own."""
    monkeypatch.setenv("ANNOBRIDGE_CONFIG_DIR", str(tmp_path / "config"))
    for variable in ("LABEL_STUDIO_API_KEY", "ARGILLA_API_KEY"):
        monkeypatch.delenv(variable, raising=False)


Adopt = Callable[..., AdoptResult]


@pytest.fixture
def adopt_into(tmp_path: Path) -> Adopt:
    """Adopt a project into a folder of the test's own."""

    def adopt(hand: Any, project: Any, folder: str = "adopted", **more: Any) -> AdoptResult:
        kind = "argilla" if isinstance(hand, ArgillaByHand) else "label-studio"
        return bridge.adopt(str(project), kind=kind, url=hand.url, into=tmp_path / folder, **more)

    return adopt
