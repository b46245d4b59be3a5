"""Settings, files and models by program for the tests of generating."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge.generating.result import Generated
from bridge.generating.run import Run
from bridge.generating.settings import load_settings
from bridge.models.asker import Asker
from bridge.models.requests import ChatRequest
from bridge.reading import read_records
from bridge.records import Record
from bridge.templates import load_template
from bridge.testing.models_scripted import Said, ScriptedAsker


@dataclass
class Bench:
    """A folder in which records are generated."""

    folder: Path

    def write(self, name: str, rows: Iterable[Mapping[str, Any]]) -> str:
        """A file of rows."""
        (self.folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return name

    def run(self, answer: Callable[[ChatRequest], Said] | Mapping[str, Asker], **settings: Any) -> Generated:
        """Generate; names of settings have ``__`` in the place of a dot."""
        flags = {name.replace("__", "."): value for name, value in settings.items()}
        config, _ = load_settings(None, {"url": "http://127.0.0.1:1/v1", "models": ["m-7b"], **flags})
        models = {one.name: ScriptedAsker(answer, one.name) for one in config.models} if callable(answer) else answer
        run = Run(config, models, folder=self.folder)
        return asyncio.run(run.to_files(self.folder / "made.jsonl", self.folder / "rejected.jsonl"))

    def lines(self, name: str = "made.jsonl") -> list[dict[str, Any]]:
        """The lines of a file."""
        return [json.loads(line) for line in (self.folder / name).read_text(encoding="utf-8").splitlines()]

    @property
    def rejected(self) -> list[dict[str, Any]]:
        """What was refused."""
        return self.lines("rejected.jsonl")

    def records(self, template: str = "review") -> list[Record]:
        """The records as a push reads them; none of them may be rejected."""
        reader = read_records(self.folder / "made.jsonl", load_template(template))
        found = list(reader)
        assert [reject.reason for reject in reader.rejects] == []
        return found


def last(request: ChatRequest) -> str:
    """What the last message of a request says."""
    return request.messages[-1]["content"]


def between(text: str, mark: str) -> str:
    """What stands between two marks, such as ``<text>`` and ``</text>``."""
    return text.partition(f"<{mark}>\n")[2].partition(f"\n</{mark}>")[0]
