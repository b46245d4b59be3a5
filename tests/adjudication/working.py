"""A campaign whose people do not agree, on a server in memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bridge.campaign import Campaign
from bridge.records import Value
from bridge.servers.memory import MemoryServer

ANN, BO, CY, DI = "ann@example.org", "bo@example.org", "cy@example.org", "di@example.org"

ROWS = [
    {"id": "a", "prompt": "2 + 2?", "response": "4"},
    {"id": "b", "prompt": "2 + 3?", "response": "6"},
    {"id": "c", "prompt": "2 + 4?", "response": "six"},
]


class Working:
    """A campaign's folder, its server, and people who answer on it."""

    def __init__(self, path: Path, rows: list[dict[str, Any]] | None = None, **config: Any) -> None:
        self.path = path
        self.server = MemoryServer()
        self.rows(ROWS if rows is None else rows)
        settings = {
            "project": "Sums",
            "server": {"kind": "memory"},
            "records": {"path": "records.jsonl", "id": "id"},
            "template": "review",
            **config,
        }
        (path / "campaign.yaml").write_text(json.dumps(settings))  # JSON is YAML

    def rows(self, rows: list[dict[str, Any]]) -> None:
        (self.path / "records.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    @property
    def campaign(self) -> Campaign:
        return Campaign(self.path, server=self.server)

    @property
    def linked(self) -> Campaign:
        linked = self.campaign.adjudication
        assert linked is not None
        return linked

    def answer(self, key: str, person: str, **answers: Value) -> None:
        """Somebody answers in the campaign."""
        self._annotate(self.campaign, key, person, answers)

    def decide(self, key: str, person: str, **answers: Value) -> None:
        """Somebody answers in its adjudication."""
        self._annotate(self.linked, key, person, answers)

    def _annotate(self, campaign: Campaign, key: str, person: str, answers: dict[str, Value]) -> None:
        repeats = max(campaign.template.repeats(record.fields) for record in campaign.records())
        self.server.ensure(campaign._project(repeats), create=False)
        self.server.annotate(key, person, answers)

    def disagree(self, *keys: str) -> None:
        """Push, and let two people contradict each other on the label of these records."""
        self.campaign.push()
        for key in keys:
            self.answer(key, ANN, rating=4, label="correct")
            self.answer(key, BO, rating=4, label="incorrect")
        self.campaign.pull()

    def there(self) -> dict[str, dict[str, Any]]:
        """The records of the adjudication on the server."""
        return self.server._projects[self.linked.config.project].records

    def name(self, person: str) -> str:
        """The pseudonym of somebody, in whichever of the two campaigns."""
        names = {**self.campaign.people(), **self.linked.people()}
        (pseudonym,) = [pseudonym for pseudonym, name in names.items() if name == person]
        return pseudonym

    def lines(self, *name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.path.joinpath(*name).read_text().splitlines()]

    def manifest(self, kind: str) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads((self.path / "out" / f"{kind}.manifest.json").read_text())
        return loaded
