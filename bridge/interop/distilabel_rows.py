"""Records as rows with distilabel's columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from bridge.errors import ValueRejected
from bridge.interop.distilabel_places import Places, places_of
from bridge.records import Record, Suggestion, Value
from bridge.templates import TaskTemplate


def to_distilabel(records: Iterable[Record], template: TaskTemplate) -> list[dict[str, Any]]:
    """Records as rows with distilabel's columns, the same in every row.

    A suggested ranking or preference becomes ratings of which only the order means something, unless the record still
    has the ratings that it was made from. Other suggestions have no column in distilabel.

    Raises:
        UsageError: the template has no field for a generation.
        ValueRejected: a chat that is more than one question and its answer.

    >>> from bridge.templates import load_template
    >>> record = Record("r1", {"prompt": "2 + 2?", "response": "4"}, [Suggestion("rating", 5, agent="judge")])
    >>> row = to_distilabel([record], load_template("rating"))[0]
    >>> row["instruction"], row["generations"], row["ratings"], row["model_name"]
    ('2 + 2?', ['4'], [5], 'judge')
    """
    places = places_of(template)
    return [_row(record, places) for record in records]


def _row(record: Record, places: Places) -> dict[str, Any]:
    fields, metadata = dict(record.fields), dict(record.metadata)
    judged = "" if places.judged is None else places.judged.name
    suggestion = next((s for s in record.suggestions if s.question == judged), None)
    row: dict[str, Any] = {"bridge_key": record.key}
    if places.chat:
        row |= _turn(record, fields.pop(places.chat))
    else:
        row["instruction"] = fields.pop(places.prompt, None)
        row["generations"] = [fields.pop(name) for name in places.answers if name in fields]
    count = len(row["generations"])
    if len(places.answers) > 1:
        there = [name for name in places.answers if name in record.fields]
        ratings = metadata.pop("ratings", None) or _ratings(places, there, suggestion)
        models, rationales = metadata.pop("model_names", None), metadata.pop("rationales", None)
    else:
        row["generation"] = row["generations"][0]
        ratings = [suggestion.value if suggestion else metadata.pop("rating", None)]
        models, rationales = [metadata.pop("model_name", None)], [metadata.pop("rationale", None)]
    nothing = [None] * count
    row |= {
        "ratings": ratings or nothing,
        "rationales": rationales or nothing,
        "model_names": models or nothing,
        "model_name": (suggestion.agent or None) if suggestion else None,
    }
    return {**{name: value for name, value in metadata.items() if name not in row}, **fields, **row}


def _turn(record: Record, chat: Any) -> dict[str, Any]:
    roles = [message["role"] for message in chat]
    if roles not in (["user", "assistant"], ["system", "user", "assistant"]):
        raise ValueRejected(
            f"record {record.key!r:.60}: distilabel has columns for one question and answer, not {len(chat)} messages",
            remedy="leave the record out",
        )
    system = chat[0]["content"] if len(chat) == 3 else None
    return {"system_prompt": system, "instruction": chat[-2]["content"], "generations": [chat[-1]["content"]]}


def _ratings(places: Places, there: Sequence[str], suggestion: Suggestion | None) -> list[int | None]:
    value: Value | None = suggestion.value if suggestion else None
    if isinstance(value, dict):
        last = max(value.values())
        return [last + 1 - value[name] if name in value else None for name in there]
    options = getattr(places.judged, "options", ())
    picked = next((option.picks for option in options if option.value == value), None)
    if picked:
        return [2 if name == picked else 1 for name in there]
    return [1 for _ in there] if value == "tie" else []
