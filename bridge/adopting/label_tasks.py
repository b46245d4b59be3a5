"""Tasks of a Label Studio project made by hand, with their predictions and annotations, as records and answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from bridge.adopting.label_layout import Control, Layout, Object
from bridge.adopting.parts import MAX_PARTS, Found, plain_metadata
from bridge.annotations import Annotation
from bridge.records import FieldValue, Suggestion, Value
from bridge.servers.label_studio_kinds import KINDS, Region
from bridge.servers.replies import moment

OWN_KEYS = ("external_id", "id", "key", "uid", "uuid")
"""Pieces of a task's data that are taken for the user's own id of it, the first that there is."""

NO_USER = "unknown"


def found_in(task: Mapping[str, Any], layout: Layout, project: str, person: Callable[[object], str]) -> Found:
    """A task as a record.

    Args:
        task: with ``data``, ``predictions`` and ``annotations``, as the server lists them.
        layout: the project's labelling configuration.
        project: the project's id.
        person: a user's id to their name.
    """
    data = task["data"] if isinstance(task.get("data"), dict) else {}
    found = Found(str(task["id"]))
    items = _show(found, data, layout)
    own = next((data[name] for name in OWN_KEYS if isinstance(data.get(name), str | int)), "")
    found.own_key = "" if isinstance(own, bool) else str(own)
    shown = {shown.variable.partition(".")[0] for shown in layout.objects}
    found.metadata = plain_metadata(found, {name: value for name, value in data.items() if name not in shown})
    if task.get("meta"):
        found.metadata |= plain_metadata(found, {"meta": task["meta"]})
    _suggest(found, task.get("predictions") or (), layout, items)
    for annotation in task.get("annotations") or ():
        _answer(found, annotation, layout, items, project, person)
    return found


# -- fields


def _show(found: Found, data: Mapping[str, Any], layout: Layout) -> dict[str, dict[str, str]]:
    """Fill in the fields; returns, for each list, the ids of its items with the fields that they became."""
    items: dict[str, dict[str, str]] = {}
    for shown in layout.objects:
        value = _looked_up(data, shown.variable)
        if value is None or value == [] or (isinstance(value, str) and not value.strip()):
            continue
        if shown.kind == "list":
            items[shown.field] = _show_list(found, shown, value)
        elif shown.kind == "transcript":
            _show_dialogue(found, shown, value)
        elif isinstance(value, str):
            found.fields[shown.field] = value
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found.fields[shown.field] = str(value)
        else:
            found.leave("field", shown.variable, f"the task has {_kind(value)} where a text is shown")
    return items


def _looked_up(data: Mapping[str, Any], variable: str) -> Any:
    if variable in data:
        return data[variable]
    value: Any = data
    for name in variable.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _kind(value: object) -> str:
    return {dict: "an object", list: "a list", bool: "true or false"}.get(type(value), type(value).__name__)


def _show_dialogue(found: Found, shown: Object, value: Any) -> None:
    if isinstance(value, str):
        value = [{shown.text_key: value}]
    messages = []
    for turn in value if isinstance(value, list) else [None]:
        text = turn.get(shown.text_key) if isinstance(turn, dict) else turn
        if not isinstance(text, str):
            found.leave("field", shown.variable, "a turn of the conversation has no text")
            return
        role = turn.get(shown.role_key) if isinstance(turn, dict) else None
        if not isinstance(role, str) or not role.strip():
            role = "speaker"
            found.notes.append(f"field {shown.field}: a turn that names nobody is said by 'speaker'")
        messages.append({"role": role, "content": text})
        if isinstance(turn, dict) and turn.keys() - {shown.role_key, shown.text_key}:
            found.notes.append(f"field {shown.field}: of turns only who said them and their text are kept")
    found.fields[shown.field] = messages


def _show_list(found: Found, shown: Object, value: Any) -> dict[str, str]:
    if not isinstance(value, list) or len(value) > MAX_PARTS:
        found.leave("field", shown.variable, f"a template has 1 to {MAX_PARTS} items, and the task has other ones")
        return {}
    names: dict[str, str] = {}
    for number, item in enumerate(value, 1):
        if not isinstance(item, dict):
            item = {"id": item, "title": item}
        texts = [str(item[key]) for key in ("title", "body") if isinstance(item.get(key), str | int)]
        text = "\n".join(text for text in texts if text.strip()) or str(item.get("html") or item.get("id") or number)
        found.fields[f"{shown.field}_{number}"] = text
        names[str(item.get("id", number))] = f"{shown.field}_{number}"
    return names


# -- suggestions and answers


def _suggest(found: Found, predictions: Any, layout: Layout, items: Mapping[str, dict[str, str]]) -> None:
    newest: dict[tuple[str, str], Suggestion] = {}
    for prediction in sorted((p for p in predictions if isinstance(p, dict)), key=lambda p: str(p["id"]).zfill(20)):
        agent, id_ = str(prediction.get("model_version") or ""), str(prediction["id"])
        answers = answers_in(found, prediction.get("result"), layout, items, "suggestion", id_)
        score = prediction.get("score")
        if score is not None and not (isinstance(score, int | float) and 0 <= score <= 1):
            found.leave(
                "suggestion", agent, f"its score {score!r:.20} is no confidence from 0 to 1", str(prediction["id"])
            )
            score = None
        for question, value in answers.items():
            if value == []:
                continue
            if (question, agent) in newest:
                found.leave("suggestion", question, f"a newer one of the same model {agent!r:.60} is there")
            newest[question, agent] = Suggestion(question, value, score, agent)
    found.suggestions = list(newest.values())


def _answer(
    found: Found,
    annotation: Mapping[str, Any],
    layout: Layout,
    items: Mapping[str, dict[str, str]],
    project: str,
    person: Callable[[object], str],
) -> None:
    cancelled, id_ = bool(annotation.get("was_cancelled")), str(annotation["id"])
    answers = {} if cancelled else answers_in(found, annotation.get("result"), layout, items, "answer", id_)
    user = annotation.get("completed_by")
    user = user.get("id") if isinstance(user, dict) else user
    if user is None:
        found.notes.append("an answer has no user: all such answers count as those of one person")
    if annotation.get("ground_truth") and not cancelled:
        found.leave("mark", "ground truth", "the answer is there, without the mark that it is the right one", id_)
    found.annotations.append(
        Annotation(
            record=found.id,
            annotator=NO_USER if user is None else person(user),
            status="discarded" if cancelled else "submitted",
            answers=answers,
            created_at=moment(annotation.get("created_at")),
            updated_at=moment(annotation.get("updated_at")),
            lead_time_s=annotation.get("lead_time"),
            source={"server": "label-studio", "project": project, "task": found.id, "id": id_},
        )
    )


def answers_in(
    found: Found, result: object, layout: Layout, items: Mapping[str, dict[str, str]], kind: Any, id_: str
) -> dict[str, Value]:
    """The ``result`` of an annotation or prediction as answers.

    What belongs to a control that is no question is noted in ``found``. As in a pull, nothing ticked and nothing
    marked are answers: an empty list.

    Args:
        found: the record, with its fields.
        result: regions, as the server has them.
        layout: the labelling configuration.
        items: for each list, the ids of its items with their fields.
        kind: ``answer`` or ``suggestion``, for what is noted.
        id_: the server's id of it.
    """
    by_control: dict[str, list[Region]] = defaultdict(list)
    for region in result if isinstance(result, list) else []:
        if isinstance(region, dict) and isinstance(region.get("from_name"), str):
            by_control[region["from_name"]].append(region)
        elif isinstance(region, dict) and region.get("type") == "relation":
            found.leave(kind, "relation", "no question of a template relates marked passages", id_)
        else:
            found.leave(kind, "result", "a part of it names no control", id_)
    answers: dict[str, Value] = {}
    for control in layout.controls.values():
        regions = by_control.pop(control.name, [])
        if not control.body:
            if regions:
                found.leave(kind, control.name, control.reason, id_)
            continue
        value = _value(found, control, regions, items, kind, id_)
        if value is not None:
            answers[control.question] = value
    objects = {name for shown in layout.objects for name in shown.names}
    for name in by_control:
        other = "people wrote into what they were shown" if name in objects else "the page has no such control any more"
        found.leave(kind, name, other, id_)
    return answers


def _value(
    found: Found,
    control: Control,
    regions: list[Region],
    items: Mapping[str, dict[str, str]],
    kind: Any,
    id_: str,
) -> Value | None:
    tag, asked = control.tag.lower(), control.body["type"]
    if asked == "span":
        return _spans(found, control, regions, kind, id_)
    if tag == "choices":
        chosen = KINDS["multi_label" if asked == "multi_label" else "label"].value(None, regions)
        label: Value | None = _renamed(control, chosen)
        return label
    if tag == "textarea":
        texts = sum(_count(region) for region in regions)
        if texts > 1:
            found.notes.append(f"question {control.question}: several texts of one person are joined, one a line")
        return KINDS["text"].value(None, regions)
    if tag == "rating":
        return KINDS["rating"].value(None, regions)
    for region in regions:
        value = region.get("value")
        given = value if isinstance(value, dict) else {}
        if tag == "number" and "number" in given:
            number: Any = given["number"]
            whole: Value = int(number) if isinstance(number, float) and number.is_integer() else number
            return whole
        if tag == "pairwise" and "selected" in given:
            side: Value = _renamed(control, given["selected"])
            return side
        if tag == "ranker" and "ranker" in given:
            return _ranks(given["ranker"], items.get(control.body["items"], {}))
    return None


def _count(region: Region) -> int:
    value = region.get("value")
    texts = value.get("text") if isinstance(value, dict) else None
    return len(texts) if isinstance(texts, list) else 1


def _renamed(control: Control, value: Any) -> Any:
    if isinstance(value, list):
        return list(dict.fromkeys(control.values.get(item, item) for item in value))
    return control.values.get(value, value) if isinstance(value, str) else value


def _spans(found: Found, control: Control, regions: list[Region], kind: Any, id_: str) -> Value | None:
    text = found.fields.get(control.body["field"], "")
    right = []
    for region in regions:
        place = region.get("value")
        if isinstance(place, dict) and isinstance(place.get("text"), str) and _elsewhere(text, place):
            reason = f"{place['text']!r:.60} was marked, and at these offsets the text has something else"
            found.leave(kind, control.name, reason, id_)
        else:
            right.append(region)
    spans: Any = KINDS["span"].value(None, right)
    return [{**span, "label": _renamed(control, span["label"])} for span in spans]


def _elsewhere(text: FieldValue, place: Mapping[str, Any]) -> bool:
    """Whether what was marked stands somewhere else in the text; how much white space there is does not matter."""
    start, end = place.get("start"), place.get("end")
    if not isinstance(text, str) or not isinstance(start, int) or not isinstance(end, int):
        return False  # what is wrong with it, validation names
    return "".join(text[start:end].split()) != "".join(str(place["text"]).replace("\\n", "\n").split())


def _ranks(given: Any, names: Mapping[str, str]) -> Value | None:
    order = next(iter(given.values()), None) if isinstance(given, dict) else given
    if not isinstance(order, list) or (isinstance(given, dict) and len(given) > 1):
        kept: Value = given
        return kept
    return {names.get(str(item), str(item)): rank for rank, item in enumerate(order, 1)} or None
