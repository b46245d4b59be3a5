"""A campaign that is about to move, and servers that fail on the way."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bridge.campaign import Campaign
from bridge.errors import UnknownOutcome, Unreachable
from bridge.servers.memory import LIKE_ARGILLA, LIKE_LABEL_STUDIO, MemoryServer
from bridge.servers.protocol import Outcome
from tests.comparing import comparable

ANN, BO = "ann@example.org", "bo@example.org"
THERE = {"kind": "memory"}
NAMES = {ANN: "ann", BO: "bo"}

CONFIG = """\
# What this campaign is.
project: Sums   # its name
server:
  kind: memory  # where people work

# The records
records: {path: records.jsonl, id: id}
template: review
annotators_per_record: 2
exports: {to: [sft, dpo]}
"""


class Moving:
    """Four sums that two people have reviewed on one server, and another server to go to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.old = MemoryServer(profile=LIKE_LABEL_STUDIO)
        self.new = MemoryServer(profile=LIKE_ARGILLA)
        rows = [{"id": key, "prompt": f"{key}?", "response": "4", "rating": 3} for key in "abcd"]
        self.write("records.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
        self.write("campaign.yaml", CONFIG)
        Campaign(folder, server=self.old).push()
        self.answer("a", ANN, rating=5, label="correct")
        self.answer("a", BO, rating=4, label="correct")
        self.answer("b", ANN, rating=1, label="incorrect", improved_response="five 😀")
        self.answer("b", BO, rating=1, label="harmful", improved_response="5")
        self.old.annotate("c", ANN, {}, status="discarded")
        self.answer("c", BO, rating=4, label="correct")
        Campaign(folder, server=self.old).pull()

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, encoding="utf-8")

    def answer(self, key: str, person: str, **answers: Any) -> None:
        self.old.annotate(key, person, answers, lead_time_s=7)

    def migrate(self, **options: Any) -> Any:
        settings = {"project": "Elsewhere", "annotators": NAMES, "create_annotators": True, "server": self.new}
        return Campaign(self.folder, server=self.old).migrate(THERE, **{**settings, **options})

    def here(self) -> Campaign:
        """The campaign where it is by now."""
        campaign = Campaign(self.folder)
        return Campaign(self.folder, server=self.new if campaign.config.project == "Elsewhere" else self.old)

    def lines(self) -> list[dict[str, Any]]:
        """The campaign's annotations, without where they are."""
        return [{k: v for k, v in a.to_dict().items() if k != "source"} for a in self.here().annotations()]

    def exports(self) -> dict[str, bytes]:
        """All that the campaign makes of its answers."""
        self.here().export()
        made = sorted((self.folder / "out").glob("[sdm][fpe][tor]*"))
        return {path.name: comparable(path) for path in made}

    def held(self) -> dict[tuple[str, str], list[Any]]:
        """What the new server holds: record and person to answers."""
        found: dict[tuple[str, str], list[Any]] = {}
        for page in self.new.changes():
            for answered in page.records:
                for a in answered.annotations:
                    found.setdefault((a.record, a.annotator), []).append(dict(a.answers) or a.status)
        return found

    def findings(self) -> list[dict[str, Any]]:
        text = (self.folder / "out" / "migration.jsonl").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]


@contextmanager
def failing(server: MemoryServer, at: int, how: str) -> Iterator[list[str]]:
    """Let the ``at``-th write to a server fail: ``before`` it is carried out, ``after`` that, or with its outcome lost.

    Gives the list of all writes.
    """
    writes: list[str] = []

    def meddled(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def write(*arguments: Any, **options: Any) -> Any:
            if name == "ensure" and not options.get("create"):
                return call(*arguments, **options)
            writes.append(name)
            if len(writes) != at:
                return call(*arguments, **options)
            if how == "before":
                raise Unreachable("the server is away", remedy="wait")
            result = call(*arguments, **options)
            if how == "lost" and isinstance(result, list):
                return [Outcome(outcome.key, "unknown", "the reply was lost") for outcome in result]
            raise UnknownOutcome("the reply was lost", remedy="look it up")

        return write

    names = ("ensure", "write", "repair", "answer", "add_person")
    for name in names:
        setattr(server, name, meddled(name, getattr(server, name)))
    try:
        yield writes
    finally:
        for name in names:
            delattr(server, name)
