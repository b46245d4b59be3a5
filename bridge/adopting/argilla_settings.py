"""The settings and records of an Argilla dataset made by hand, as the parts of a template, records and answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter

from bridge.adopting.names import Names, folded
from bridge.adopting.parts import (
    MAX_OPTIONS,
    MAX_PARTS,
    Found,
    Shape,
    options_of,
    plain_metadata,
    prose_of,
    title_of,
)
from bridge.annotations import STATUSES, Annotation
from bridge.questions import Question
from bridge.records import FieldValue, Suggestion, Value
from bridge.servers.argilla_kinds import to_answers
from bridge.servers.replies import moment

QUESTION: TypeAdapter[Question] = TypeAdapter(Question)


@dataclass
class Asked:
    """A question of the dataset: its name there, and as which question; ``values`` is what options are called now.

    ``reason`` says why it is no question of a template, where it is none.
    """

    name: str
    question: str = ""
    body: dict[str, Any] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)
    reason: str = ""


@dataclass
class Settings:
    """A dataset's settings: what becomes of them, and how its records are read."""

    shape: Shape = field(default_factory=Shape)
    fields: dict[str, str] = field(default_factory=dict)
    """Name there, and name here."""
    asked: dict[str, Asked] = field(default_factory=dict)
    """By the server's id of the question."""
    questions: dict[str, Question] = field(default_factory=dict)


def read_settings(
    dataset: Mapping[str, Any],
    fields: Sequence[Mapping[str, Any]],
    questions: Sequence[Mapping[str, Any]],
    names: Names | None = None,
) -> Settings:
    """Read a dataset's settings.

    Args:
        dataset: the dataset itself, as the server has it.
        fields: its fields.
        questions: its questions.
        names: gives out the names of fields and questions.

    >>> rating = {"id": "q", "name": "ok?", "title": "OK?", "required": True,
    ...           "settings": {"type": "rating", "options": [{"value": 5}, {"value": 1}]}}
    >>> text = {"name": "Prompt", "title": "Prompt", "required": True, "settings": {"type": "text"}}
    >>> settings = read_settings({"name": "d"}, [text], [rating])
    >>> settings.fields, settings.asked["q"].body["min"], settings.shape.notes[0][:40]
    ({'Prompt': 'prompt'}, 1, 'question ok: its scale has the numbers 5')
    """
    names = names or Names()
    settings = Settings()
    shape = settings.shape
    shape.guide(prose_of(dataset.get("guidelines") or ""))
    distribution = dataset.get("distribution") or {}
    shape.annotators = int(distribution.get("min_submitted") or 1)
    for body in fields:
        _add_field(settings, body, names)
    for body in questions:
        _add_question(settings, body, names)
    for asked in settings.asked.values():
        if asked.body:
            settings.questions[asked.question] = QUESTION.validate_python(asked.body)
    return settings


def _add_field(settings: Settings, body: Mapping[str, Any], names: Names) -> None:
    name, own = str(body["name"]), body["settings"]
    shape = settings.shape
    if own["type"] not in ("text", "chat"):
        reason = f"a field of a template is a text or a conversation, and this is of the type {own['type']!r:.40}"
        shape.leave("field", name, reason)
        return
    if len(shape.fields) == MAX_PARTS:
        shape.leave("field", name, f"a template has {MAX_PARTS} fields at most")
        return
    given = settings.fields[name] = names.give(name, "field")
    title = title_of(str(body.get("title") or ""), name)
    shape.fields.append({"name": given, "title": title, "type": own["type"], "required": bool(body.get("required"))})
    if own.get("use_markdown"):
        shape.notes.append(f"field {given}: people saw it as Markdown; here it is the text as it was written")


def _add_question(settings: Settings, body: Mapping[str, Any], names: Names) -> None:
    name, own, shape = str(body["name"]), body["settings"], settings.shape
    asked = settings.asked[str(body["id"])] = Asked(name)
    makers: dict[str, Callable[..., str | None]] = {
        "rating": _rating,
        "label_selection": _labels,
        "multi_label_selection": _labels,
        "text": _text,
        "ranking": _ranking,
        "span": _span,
    }
    maker = makers.get(own["type"])
    asked.question = names.give(name, "question")
    asked.reason = f"no kind of question is like {own['type']!r:.40}" if maker is None else ""
    if len(shape.questions) == MAX_PARTS:
        asked.reason = f"a template has {MAX_PARTS} questions at most"
    asked.reason = asked.reason or (maker(settings, asked, own) if maker else None) or ""
    if asked.reason:
        asked.body = {}
        shape.leave("question", name, asked.reason)
        return
    title = title_of(str(body.get("title") or ""), name)
    about = prose_of(str(body.get("description") or ""))
    asked.body = {
        "name": asked.question,
        "type": asked.body.pop("type"),
        "title": title,
        **({"description": about} if about else {}),
        "required": bool(body.get("required")),
        **asked.body,
    }
    shape.questions.append(asked.body)


def _rating(settings: Settings, asked: Asked, own: Mapping[str, Any]) -> str | None:
    numbers = [int(option["value"]) for option in own["options"]]
    least, most = min(numbers), max(numbers)
    if least == most or least < 0 or most > 10:
        return "a scale goes from 0 or more to 10 or less"
    asked.body = {"type": "rating", "min": least, "max": most}
    if numbers != list(range(least, most + 1)):
        listed = ", ".join(map(str, numbers))
        settings.shape.notes.append(
            f"question {asked.question}: its scale has the numbers {listed} in this order; here it is {least} to {most}"
        )
    return None


def _options(asked: Asked, own: Mapping[str, Any]) -> list[dict[str, str]] | None:
    pairs = [(str(option["value"]), str(option.get("text") or option["value"])) for option in own["options"]]
    if len(pairs) > MAX_OPTIONS:
        return None
    options, asked.values = options_of(pairs)
    return options


_TOO_MANY = f"a template has {MAX_OPTIONS} labels at most"


def _labels(settings: Settings, asked: Asked, own: Mapping[str, Any]) -> str | None:
    options = _options(asked, own)
    kind = "label" if own["type"] == "label_selection" else "multi_label"
    asked.body = {"type": kind, "options": options}
    return None if options else _TOO_MANY


def _text(settings: Settings, asked: Asked, own: Mapping[str, Any]) -> str | None:
    asked.body = {"type": "text"}
    return None


def _ranking(settings: Settings, asked: Asked, own: Mapping[str, Any]) -> str | None:
    """A ranking of fields. Its cards have names of their own: those of the fields, or their titles."""
    fields = {name: {name, folded(name)} for name in settings.fields}
    for part in settings.shape.fields:
        original = next(name for name, given in settings.fields.items() if given == part["name"])
        fields[original] |= {part["title"], folded(part["title"]), part["name"]} - {""}
    for option in own["options"]:
        value, text = str(option["value"]), str(option.get("text") or "")
        wanted = {value, text, folded(value), folded(text)} - {""}
        meant = [name for name, called in fields.items() if called & wanted]
        if len(meant) != 1:
            return f"it orders {value!r:.60}, which is no field of the dataset; a template orders fields"
        asked.values[value] = settings.fields[meant[0]]
    if len(set(asked.values.values())) < len(asked.values) or not 2 <= len(asked.values) <= MAX_PARTS:
        return "two of its cards are one field"
    asked.body = {"type": "ranking", "items": list(asked.values.values())}
    return None


def _span(settings: Settings, asked: Asked, own: Mapping[str, Any]) -> str | None:
    shown = settings.fields.get(str(own["field"]))
    kinds = {part["name"]: part["type"] for part in settings.shape.fields}
    if shown is None or kinds[shown] != "text":
        return f"it marks passages of {str(own['field'])!r:.60}, which is no text here"
    options = _options(asked, own)
    asked.body = {"type": "span", "field": shown, "options": options}
    return None if options else _TOO_MANY


# -- records


def found_in(record: Mapping[str, Any], settings: Settings, project: str, person: Callable[[str], str]) -> Found:
    """A record of the dataset, with its suggestions and every person's answers.

    Texts are taken as they are: only what annobridge itself has sent is escaped.

    Args:
        record: as the server lists it, with ``suggestions`` and ``responses``.
        settings: the dataset's.
        project: the dataset's id.
        person: a user's id to their name.
    """
    found = Found(str(record["id"]), str(record.get("external_id") or ""))
    for name, value in (record.get("fields") or {}).items():
        shown = settings.fields.get(name)
        if shown is not None and value and not (isinstance(value, str) and value.isspace()):
            found.fields[shown] = _field(value)
    found.metadata = plain_metadata(found, record.get("metadata") or {})
    for suggestion in record.get("suggestions") or ():
        _suggest(found, suggestion, settings)
    for response in record.get("responses") or ():
        _answer(found, response, settings, project, person)
    return found


def _field(value: Any) -> FieldValue:
    if isinstance(value, list):
        return [{"role": str(turn.get("role")), "content": str(turn.get("content"))} for turn in value]
    return str(value)


def _suggest(found: Found, suggestion: Mapping[str, Any], settings: Settings) -> None:
    asked = settings.asked.get(str(suggestion["question_id"]))
    if asked is None or not asked.body:
        found.leave("suggestion", asked.name if asked else "", asked.reason if asked else "an unknown question")
        return
    value = _answers(found, {asked.name: {"value": suggestion["value"]}}, settings, "suggestion", "")
    score = suggestion.get("score")
    if isinstance(score, list):
        scores = [number for number in score if isinstance(number, int | float)]
        score = min(scores, default=None)
        if len(set(scores)) > 1:
            reason = f"it has a score for each label; here it has the lowest, {score}"
            found.leave("suggestion", asked.name, reason)
    kind = "human" if suggestion.get("type") == "human" else "model"
    if value.get(asked.question) not in (None, []):
        agent = str(suggestion.get("agent") or "")
        found.suggestions.append(Suggestion(asked.question, value[asked.question], score, agent, kind))  # type: ignore[arg-type]


def _answer(
    found: Found, response: Mapping[str, Any], settings: Settings, project: str, person: Callable[[str], str]
) -> None:
    status, id_ = response["status"], str(response["id"])
    if status not in STATUSES:
        raise TypeError(f"status {status!r:.20}")
    # A discarded response holds whatever the page held; nobody meant it as an answer.
    answers = {} if status == "discarded" else _answers(found, response.get("values"), settings, "answer", id_)
    found.annotations.append(
        Annotation(
            record=found.id,
            annotator=person(str(response["user_id"])),
            status=status,
            answers=answers,
            created_at=moment(response["inserted_at"]),
            updated_at=moment(response["updated_at"]),
            source={"server": "argilla", "project": project, "task": found.id, "id": id_},
        )
    )


def _answers(found: Found, values: object, settings: Settings, kind: Any, id_: str) -> dict[str, Value]:
    """The values of a response under our names, as a pull reads them."""
    by_name = {asked.name: asked for asked in settings.asked.values()}
    ours: dict[str, Any] = {}
    for name, item in (values if isinstance(values, dict) else {}).items():
        asked = by_name.get(name)
        if asked is None or not asked.body:
            found.leave(kind, name, asked.reason if asked else "the dataset has no such question", id_)
        elif isinstance(item, dict):
            ours[asked.question] = {"value": _renamed(found, asked, item.get("value"), kind, id_)}
    return to_answers(settings.questions, ours, found.fields)


def _renamed(found: Found, asked: Asked, value: Any, kind: Any, id_: str) -> Any:
    """The server's value with the names that options have here."""
    if asked.body["type"] == "label":
        return asked.values.get(value, value) if isinstance(value, str) else value
    if not isinstance(value, list):
        return value
    if asked.body["type"] == "multi_label":
        return [asked.values.get(item, item) if isinstance(item, str) else item for item in value]
    if not all(isinstance(item, dict) for item in value):
        return value
    if asked.body["type"] == "ranking":
        return [{**item, "value": asked.values.get(str(item.get("value")), item.get("value"))} for item in value]
    if asked.body["type"] == "span":
        return [{**item, "label": asked.values.get(str(item.get("label")), item.get("label"))} for item in value]
    return value
