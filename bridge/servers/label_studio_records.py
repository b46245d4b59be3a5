"""Label Studio: records as the tasks that are imported into a project."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bridge.records import FieldValue, Record, wire_id
from bridge.servers.label_studio_kinds import to_regions
from bridge.servers.properties import properties_of
from bridge.servers.shown import line_feeds, one_line_break
from bridge.templates import TaskTemplate

AGENT = "annobridge"
"""The model version of all predictions. One name for all, because Label Studio pre-fills one version per project."""

PROPERTY = "about_"
"""Goes before the names of a record's properties in a task's data, which also holds its fields."""


def task_of(record: Record, template: TaskTemplate, repeats: int = 0, properties: Sequence[str] = ()) -> dict[str, Any]:
    """A record as a task, with at most one prediction that pre-fills the page.

    >>> from bridge.records import Suggestion
    >>> from bridge.templates import load_template
    >>> record = Record("r1", {"prompt": "2 + 2?", "response": "4"}, [Suggestion("rating", 5, score=0.9)])
    >>> task = task_of(record, load_template("rating"))
    >>> task["data"]["bridge_id"], task["predictions"][0]["result"][0]["value"]
    ('r1', {'rating': 5})
    """
    names = template.field_names(repeats)
    data: dict[str, Any] = {}
    for name in names:
        spec = template.field_for(name)
        # A field that a record does not have must still be there: Label Studio refuses a missing variable.
        data[name] = _shown(record.fields.get(name, "" if spec is None or spec.type == "text" else []))
    data["bridge_id"] = wire_id(record.key)
    if data["bridge_id"] != record.key:
        data["bridge_key"] = record.key
    content = record.content
    if content != record.key:
        # The record has a key of the user's own, which does not say what people were shown.
        data["bridge_content"] = content
    data |= {f"{PROPERTY}{name}": term for name, term in properties_of(record, properties).items()}
    task: dict[str, Any] = {"data": data}
    answers: dict[str, Any] = {name: line_feeds(text) for name, text in template.prefilled(record).items() if text}
    best = {s.question: s for s in sorted(record.suggestions, key=lambda s: s.score or 0.0)}
    answers.update({name: suggestion.value for name, suggestion in best.items()})
    regions = to_regions({question.name: question for question in template.questions}, answers, names)
    if regions:
        scores = [s.score for s in best.values() if s.score is not None]
        task["predictions"] = [
            {"model_version": AGENT, "result": regions, **({"score": min(scores)} if scores else {})}
        ]
    return task


def _shown(value: FieldValue) -> FieldValue:
    if isinstance(value, str):
        return one_line_break(value)
    return [{**message, "content": one_line_break(message["content"])} for message in value]
