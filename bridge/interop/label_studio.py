"""Label Studio: the labelling config of a template, and tasks as dicts, for its SDK or a file to import.

No SDK is needed to make either; ``LabelInterface`` of label-studio-sdk 2.1.2 accepts both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bridge.errors import ValueRejected
from bridge.interop.back import OURS, as_they_were, reader
from bridge.reading import RecordReader
from bridge.records import FieldValue, Record
from bridge.servers.label_studio import CAPABILITIES
from bridge.servers.label_studio_kinds import to_answers
from bridge.servers.label_studio_page import label_config
from bridge.servers.label_studio_records import AGENT, task_of
from bridge.servers.protocol import Project
from bridge.servers.shown import line_feeds
from bridge.sync.capabilities import check_capabilities
from bridge.templates import TaskTemplate


def label_studio_config(template: TaskTemplate, repeats: int = 0) -> str:
    """The labelling config of a template, as :class:`~bridge.servers.label_studio.LabelStudio` would make it.

    Raises:
        UsageError: Label Studio cannot carry the template.
    """
    check_capabilities(Project("project", template, repeats=repeats), CAPABILITIES)
    return label_config(template, repeats)


def to_label_studio_tasks(records: Iterable[Record], template: TaskTemplate, repeats: int = 0) -> list[dict[str, Any]]:
    """Records as tasks for ``client.projects.import_tasks`` or a file, with their suggestions as one prediction.

    All tasks have as many repeated fields as the longest record, but at least ``repeats``, because a config wants all
    of its variables; make the config with as many. Metadata stays here, as it does when annobridge pushes.

    >>> from bridge.templates import load_template
    >>> to_label_studio_tasks([Record(fields={"prompt": "2 + 2?", "response": "4"})], load_template("rating"))
    [{'data': {'prompt': '2 + 2?', 'response': '4', 'bridge_id': 'ddd849862eb99b283dd1d2f2daf30638'}}]
    """
    listed = list(records)
    repeats = max([repeats, *(template.repeats(record.fields) for record in listed)])
    return [task_of(record, template, repeats) for record in listed]


def from_label_studio_tasks(tasks: Iterable[Mapping[str, Any]], template: TaskTemplate) -> RecordReader:
    """The records of tasks (with ``data``, and perhaps ``predictions``), to be iterated once.

    Tasks that annobridge or :func:`to_label_studio_tasks` wrote come back under their keys. Of those of others, each
    prediction becomes suggestions by its ``model_version``, and other data becomes metadata.

    >>> from bridge.templates import load_template
    >>> task = {"data": {"prompt": "2 + 2?", "response": "4", "source": "web"}}
    >>> for record in from_label_studio_tasks([task], load_template("rating")):
    ...     print(record.fields["response"], record.metadata)
    4 {'source': 'web'}
    """
    return reader("label studio tasks", tasks, _rows, template)


def _rows(task: Mapping[str, Any], template: TaskTemplate) -> Iterator[dict[str, Any]]:
    data, predictions = task.get("data"), task.get("predictions") or []
    if not isinstance(data, dict) or not all(isinstance(prediction, dict) for prediction in predictions):
        raise ValueRejected("it is no task", remedy='write {"data": {...}, "predictions": [{"result": [...]}]}')
    key = data.get("bridge_key", data.get("bridge_id"))
    fields: Mapping[str, FieldValue] = {
        name: value for name, value in data.items() if template.field_for(name) is not None and value not in ("", [])
    }
    if key is not None:
        fields = as_they_were(fields, str(data.get("bridge_content", key)))
    fields = template.check_fields(fields)
    prefilled = {name: line_feeds(text) for name, text in template.prefilled(Record("-", fields)).items()}
    questions = {question.name: question for question in template.questions}
    suggestions = []
    for prediction in predictions:
        agent = prediction.get("model_version")
        for name, value in to_answers(questions, prediction.get("result")).items():
            if value == [] or (agent == AGENT and value == prefilled.get(name)):
                continue  # nothing is marked, or nobody suggested it: the question starts with it
            suggestions.append(
                {
                    "question": name,
                    "value": value,
                    "score": prediction.get("score"),
                    "agent": None if agent == AGENT else agent,
                }
            )
    own = {name: value for name, value in data.items() if name not in OURS and template.field_for(name) is None}
    yield {"key": key, "fields": fields, "suggestions": suggestions, "metadata": own}
