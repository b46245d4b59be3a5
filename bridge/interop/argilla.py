"""Argilla's SDK: its ``Settings`` for a template, and its ``Record`` for a record, and back.

Shapes were observed on argilla 2.8.0. The SDK is imported when it is first needed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from bridge.errors import UsageError
from bridge.interop.back import OURS, as_they_were, reader
from bridge.questions import RankingQuestion
from bridge.reading import RecordReader
from bridge.records import FieldValue, Record
from bridge.servers.argilla import CAPABILITIES
from bridge.servers.argilla_kinds import KINDS, fields_of, questions_of
from bridge.servers.argilla_records import AGENT, item_of
from bridge.servers.argilla_texts import original_text, shown_guidelines
from bridge.servers.protocol import Project
from bridge.servers.shown import line_feeds
from bridge.sync.capabilities import check_capabilities
from bridge.templates import TaskTemplate

if TYPE_CHECKING:
    import argilla

_UNCONNECTED: Any = SimpleNamespace(api=SimpleNamespace(fields=None, questions=None, metadata=None))
"""Stands for a client: the SDK's fields and questions want one, and without this would look for a server at once.
A dataset that is made with the settings puts its own client in its place."""


def _sdk() -> Any:
    try:
        import argilla
    except ImportError:
        raise UsageError(
            "Argilla's own objects need its SDK (argilla, and requests, which it forgets to ask for)",
            remedy="pip install 'annobridge[argilla]'",
        ) from None
    return argilla


def argilla_settings(template: TaskTemplate, repeats: int = 0, annotators_per_record: int = 1) -> argilla.Settings:
    """The settings of an Argilla dataset, as :class:`~bridge.servers.argilla.Argilla` would make it.

    Args:
        template: the task.
        repeats: how many instances of a repeated field the dataset has; it cannot grow.
        annotators_per_record: after how many submitted answers a record is complete.

    Raises:
        UsageError: the SDK is not installed, or Argilla cannot carry the template.
    """
    check_capabilities(Project("dataset", template, annotators_per_record, repeats), CAPABILITIES)
    sdk = _sdk()
    key = sdk.TermsMetadataProperty("bridge_key", title="Key", visible_for_annotators=False, client=_UNCONNECTED)
    try:
        return sdk.Settings(
            fields=[_field(sdk, body) for body in fields_of(template, repeats)],
            questions=[_question(sdk, body) for body in questions_of(template, repeats)],
            metadata=[key],
            guidelines=_never_a_path(shown_guidelines(template.guidelines)),
            allow_extra_metadata=True,
            distribution=sdk.TaskDistribution(min_submitted=annotators_per_record),
        )
    except ValueError as error:
        # The SDK makes each name an attribute of a list, where it may meet one of the list's own.
        raise UsageError(
            f"the template {template.name!r}: Argilla's SDK cannot hold it ({error})",
            remedy="give the field or question another name, or push with annobridge, which needs no SDK",
        ) from None


def _never_a_path(guidelines: str | None) -> str | None:
    """Guidelines that the SDK takes as they are: those that are the path of a file it would replace by the file."""
    while guidelines and os.path.exists(guidelines):
        guidelines += "\n"
    return guidelines


def _field(sdk: Any, body: Mapping[str, Any]) -> Any:
    known = {"name": body["name"], "title": body["title"], "required": body["required"], "use_markdown": False}
    if body["settings"]["type"] == "chat":
        return sdk.ChatField(**known, _client=_UNCONNECTED)
    return sdk.TextField(**known, client=_UNCONNECTED)


def _question(sdk: Any, body: Mapping[str, Any]) -> Any:
    settings = body["settings"]
    options = {option["value"]: option.get("text") for option in settings.get("options", ())}
    kinds: dict[str, tuple[Any, dict[str, Any]]] = {
        "rating": (sdk.RatingQuestion, {"values": [*options]}),
        "label_selection": (sdk.LabelQuestion, {"labels": options}),
        "multi_label_selection": (sdk.MultiLabelQuestion, {"labels": options}),
        "ranking": (sdk.RankingQuestion, {"values": options}),
        "text": (sdk.TextQuestion, {"use_markdown": False}),
        "span": (
            sdk.SpanQuestion,
            {"field": settings.get("field"), "labels": options, "allow_overlapping": True},
        ),
    }
    kind, own = kinds[settings["type"]]
    return kind(
        name=body["name"],
        title=body["title"],
        description=body.get("description"),
        required=body["required"],
        client=_UNCONNECTED,
        **own,
    )


def to_argilla_records(records: Iterable[Record], template: TaskTemplate, repeats: int = 0) -> list[argilla.Record]:
    """Records for ``dataset.records.log``, with their suggestions and metadata, and their keys as ids.

    Args:
        records: checked records.
        template: the task.
        repeats: how many instances of a repeated field the dataset has; at least as many as the longest record.

    Raises:
        UsageError: the SDK is not installed.
        ValueRejected: a field that Argilla cannot hold.
    """
    listed = list(records)
    repeats = max([repeats, *(template.repeats(record.fields) for record in listed)])
    return [_record(_sdk(), record, template, repeats) for record in listed]


def _record(sdk: Any, record: Record, template: TaskTemplate, repeats: int) -> Any:
    item = item_of(record, template, repeats)
    metadata = {name: value for name, value in record.metadata.items() if name not in OURS} | item["metadata"]
    # A transcript is shown as one text, which cannot be taken apart again.
    messages = {
        name: value
        for name, value in record.fields.items()
        if not isinstance(value, str) and isinstance(item["fields"].get(name), str)
    }
    if messages:
        metadata["bridge_messages"] = messages
    suggestions = []
    for body in item["suggestions"]:
        name = body.pop("question")
        if isinstance(template.question(name), RankingQuestion):
            suggestions.append(_ranked()(name, **body))
        else:
            suggestions.append(sdk.Suggestion(name, **body))
    return sdk.Record(id=item["external_id"], fields=item["fields"], metadata=metadata, suggestions=suggestions)


@cache
def _ranked() -> Any:
    """A class of suggestions that keep their ranks.

    The SDK's own are lists of names in order, which it sends without any ranks, and which cannot say that two are
    equally good.
    """

    class Ranked(_sdk().Suggestion):  # type: ignore[misc]
        def __init__(self, question_name: str, value: list[dict[str, Any]], **rest: Any) -> None:
            super().__init__(question_name, [item["value"] for item in value], **rest)
            self.ranks = value

        def api_model(self) -> Any:
            return super().api_model().model_copy(update={"value": self.ranks})

    return Ranked


def from_argilla_records(records: Iterable[argilla.Record], template: TaskTemplate) -> RecordReader:
    """The records of an Argilla dataset (``dataset.records``), to be iterated once.

    Records that annobridge or :func:`to_argilla_records` wrote come back as they were. Those of others are taken as
    they are, under their ids. Rankings that the SDK has read from a server have lost their ties.
    """
    return reader("argilla records", records, _rows, template)


def _rows(record: argilla.Record, template: TaskTemplate) -> Iterator[dict[str, Any]]:
    metadata = dict(record.metadata)
    written_by_us = "bridge_key" in metadata
    key = str(metadata.get("bridge_key", record.id))
    messages = metadata.get("bridge_messages", {})
    fields: Mapping[str, FieldValue] = {
        name: messages.get(name) or _original(value, escaped=written_by_us)
        for name, value in record.fields.items()
        if value is not None
    }
    fields = template.check_fields(as_they_were(fields, str(metadata.get("bridge_content", key))))
    prefilled = template.prefilled(Record("-", fields))
    suggestions = []
    for suggestion in record.suggestions:
        value = _value(suggestion, template, fields)
        name = suggestion.question_name
        if suggestion.agent == AGENT and (
            value is None or (name in prefilled and value == line_feeds(prefilled[name]))
        ):
            continue  # nobody suggested it: the question starts with it, or with cards that have no response
        score = suggestion.score
        if isinstance(score, list):
            score = min(score, default=None)
        suggestions.append(
            {"question": name, "value": value, "score": score, "agent": suggestion.agent, "kind": suggestion.type}
        )
    own = {name: value for name, value in metadata.items() if name not in OURS}
    yield {"key": key, "fields": fields, "suggestions": suggestions, "metadata": own}


def _original(value: Any, *, escaped: bool) -> Any:
    if isinstance(value, str):
        return original_text(value) if escaped else value
    if not isinstance(value, list):
        return value
    # Messages are dicts, or the SDK's models of them; both can be made a dict.
    messages = [dict(message) for message in value]
    return [{**m, "content": original_text(m["content"])} for m in messages] if escaped else messages


def _value(suggestion: Any, template: TaskTemplate, fields: Mapping[str, FieldValue]) -> Any:
    question = template.question(suggestion.question_name)
    value = suggestion.value
    if isinstance(question, RankingQuestion):
        value = getattr(suggestion, "ranks", None) or [
            {"value": item, "rank": rank} for rank, item in enumerate(value, 1)
        ]
    return KINDS[question.type].value(question, value, fields)
