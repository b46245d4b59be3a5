"""Published annotations with what others made of them; where they come from is in tests/data/SOURCES.md."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

from bridge.templates import TaskTemplate

DATA = Path(__file__).parent.parent / "data"


def rows(name: str) -> list[dict[str, str]]:
    """The rows of a file, by the names in its first line."""
    with gzip.open(DATA / f"{name}.csv.gz", "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def asking(**question: object) -> TaskTemplate:
    """A template with one question, called q."""
    return TaskTemplate.model_validate(
        {
            "version": 1,
            "name": "published",
            "title": "Published",
            "fields": [{"name": "text", "title": "Text"}],
            "questions": [{"name": "q", "title": "Question", **question}],
        }
    )
