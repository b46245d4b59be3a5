"""A campaign with rows to release, on a server in memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bridge.release import ReleaseResult
from tests.adjudication.working import ANN, Working

ROWS: list[dict[str, Any]] = [
    {"id": f"r{n:02}", "prompt": f"what is {n} in words?", "response": "4", "licence": "MIT", "model": "m-7b"}
    for n in range(12)
]
EXPORTS = {"to": ["sft", "dpo"], "formats": ["plain"], "splits": {"test": 0.3}}


def begun(path: Path, answered: int = 8, **config: Any) -> Working:
    """A campaign in which one person rewrote the first responses."""
    work = Working(path, ROWS, **{"exports": EXPORTS, **config})
    work.campaign.push()
    for row in ROWS[:answered]:
        work.answer(row["id"], ANN, rating=2, label="incorrect", improved_response=f"five, not {row['id']}")
    work.campaign.pull()
    return work


def read(result: ReleaseResult, name: str) -> Any:
    return json.loads((result.folder / name).read_bytes())


def there(folder: Path) -> dict[str, bytes]:
    """All files below a folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
