"""Argilla: records as the items that are written to a dataset, and as they are listed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bridge.errors import ValueRejected
from bridge.questions import SpanQuestion
from bridge.records import Record, wire_id
from bridge.servers.argilla_kinds import to_suggestions
from bridge.servers.argilla_texts import shown_agent, shown_field
from bridge.servers.properties import properties_of
from bridge.servers.protocol import Remote
from bridge.servers.shown import line_feeds
from bridge.templates import TaskTemplate

AGENT = "annobridge"
"""The agent of suggestions that nobody made: texts that a question starts with."""


def item_of(record: Record, template: TaskTemplate, repeats: int = 0, properties: Sequence[str] = ()) -> dict[str, Any]:
    """A record as an item of a bulk write; its suggestions name their question, where the server wants an id.

    Raises:
        ValueRejected: a field that Argilla cannot hold.

    >>> from bridge.templates import load_template
    >>> record = Record("r1", {"prompt": "a < b?", "response": "no"})
    >>> item = item_of(record, load_template("rating"))
    >>> item["external_id"], item["fields"]["prompt"]
    ('r1', 'a &lt; b?')
    """
    marked = {question.field for question in template.questions if isinstance(question, SpanQuestion)}
    fields = {}
    for name in template.field_names(repeats):
        spec = template.field_for(name)
        if spec is not None and name in record.fields:
            try:
                fields[name] = shown_field(record.fields[name], spec.type, room=name in marked)
            except ValueRejected as error:
                raise ValueRejected(f"{name}: {error.reason}", remedy=error.remedy) from None
    metadata = {**properties_of(record, properties), "bridge_key": record.key}
    content = record.content
    if content != record.key:
        # The record has a key of the user's own, which does not say what people were shown.
        metadata["bridge_content"] = content
    return {
        "external_id": wire_id(record.key),
        "fields": fields,
        "metadata": metadata,
        "suggestions": suggestions_of(record, template, repeats),
    }


def suggestions_of(record: Record, template: TaskTemplate, repeats: int = 0) -> list[dict[str, Any]]:
    """A record's suggestions, each with the name of its ``question``; Argilla holds one a question, the surest."""
    prefilled = {name: line_feeds(text) for name, text in template.prefilled(record).items() if text}
    best = {s.question: s for s in sorted(record.suggestions, key=lambda s: s.score or 0.0)}
    answers = {**prefilled, **{name: suggestion.value for name, suggestion in best.items()}}
    bodies = []
    for name, value in to_suggestions(template, answers, record.fields, repeats).items():
        body: dict[str, Any] = {"question": name, "value": value}
        suggestion = best.get(name)
        if suggestion is None:
            body["agent"] = AGENT
        else:
            body["type"] = suggestion.kind
            if suggestion.agent:
                body["agent"] = shown_agent(suggestion.agent)
            if suggestion.score is not None:
                score = float(suggestion.score)
                body["score"] = [score] * len(value) if isinstance(value, list) else score
        bodies.append(body)
    return bodies


def listed(record: Mapping[str, Any]) -> tuple[str, Remote]:
    """A listed record's key, empty where it has none, and what there is to know of it.

    >>> ours = {"id": "6f", "external_id": "k-1", "metadata": {"bridge_key": "a/b"}, "suggestions": [], "responses": []}
    >>> listed(ours)
    ('a/b', Remote(id='6f', suggestions=0, annotations=0, content='a/b'))
    """
    metadata = record.get("metadata") or {}
    key = str(metadata.get("bridge_key", record.get("external_id") or ""))
    # A key says what a record of ours shows, where nothing else does: it is the hash then.
    content = str(metadata.get("bridge_content", key if "bridge_key" in metadata else ""))
    return key, Remote(str(record["id"]), len(record["suggestions"]), len(record["responses"]), content)
