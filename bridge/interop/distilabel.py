"""distilabel: rows by the names of its columns. distilabel itself is not needed, and not imported.

Columns were observed on distilabel 1.5.3: ``instruction``, ``generation`` or ``generations``, ``ratings`` and
``rationales`` beside them in the same order, ``model_name`` (the judge's where there are ratings, else the
generator's) and ``model_names`` or ``generation_models``. Anything may be None: a call that failed leaves None behind.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from numbers import Real
from typing import Any, NamedTuple

from bridge.errors import UsageError, ValueRejected
from bridge.interop.back import reader
from bridge.questions import LabelQuestion, Question, RankingQuestion, RatingQuestion, TextQuestion
from bridge.reading import RecordReader
from bridge.records import Record, Suggestion, Value
from bridge.templates import TaskTemplate
from bridge.text import shown

_COLUMNS = frozenset(
    (
        *("instruction", "system_prompt", "generation", "generations", "model_name", "model_names"),
        *("generation_models", "ratings", "rationales", "bridge_key"),
    )
)


class _Places(NamedTuple):
    """Where a template has what distilabel's columns hold."""

    prompt: str
    """The field for the instruction; empty where it has none."""
    answers: list[str]
    """The fields for generations; several where they are judged against each other."""
    chat: str
    """The chat that holds both; then the others are empty."""
    judged: Question | None
    """The question that ratings answer."""


def from_distilabel(rows: Iterable[Mapping[str, Any]], template: TaskTemplate) -> RecordReader:
    """The records of a distilabel dataset, to be iterated once.

    Where a template compares responses (a ranking, or labels with ``picks``), a row becomes one record; otherwise each
    of its generations does. Ratings become a suggestion of the judge: a rating as it is, a ranking or preference by
    which is higher. Columns that are named like a field become that field, others metadata.

    Raises:
        UsageError: the template has no field for a generation.

    >>> from bridge.templates import load_template
    >>> row = {"instruction": "2 + 2?", "generations": ["4", "5"], "ratings": [5, None], "model_name": "judge"}
    >>> records = from_distilabel([row], load_template("rating"))
    >>> [(record.fields["response"], [s.value for s in record.suggestions]) for record in records]
    [('4', [5]), ('5', [])]
    """
    places = _places(template)
    return reader("distilabel rows", rows, lambda row, _: _rows(row, template, places), template)


def _places(template: TaskTemplate) -> _Places:
    kinds = {spec.name: spec.type for spec in template.fields}
    prompts = template.training.prompt if template.training else [name for name in ("prompt",) if name in kinds]
    rating = next((q for q in template.questions if isinstance(q, RatingQuestion)), None)
    for question in template.questions:
        if isinstance(question, RankingQuestion):
            answers = question.item_names(template.field_names(99))
        else:
            answers = [*dict.fromkeys(o.picks for o in getattr(question, "options", ()) if o.picks)]
        if answers:
            prompt = [name for name in prompts if kinds.get(name) == "text" and name not in answers]
            return _Places(prompt[-1] if prompt else "", answers, "", question)
    chat = next((name for name in prompts if kinds[name] == "chat"), "")
    if chat:
        return _Places("", [], chat, rating)
    prompt = [name for name in prompts if kinds[name] == "text"]
    uses = [source.use for source in template.training.sft] if template.training else []
    prefills = [q.prefill for q in template.questions if isinstance(q, TextQuestion) and q.prefill]
    found = [name for name in (*uses, *prefills, "response") if kinds.get(name) == "text" and name not in prompt]
    if not found:
        raise UsageError(
            f"the template {template.name!r} has no field for what a model generated",
            remedy="use one with a response, or write the rows to a file and map its columns with --map",
        )
    return _Places(prompt[-1] if prompt else "", found[:1], "", rating)


# -- from rows


class _Generation(NamedTuple):
    text: str | None
    rating: float | None
    rationale: Any
    model: Any


def _rows(row: Mapping[str, Any], template: TaskTemplate, places: _Places) -> Iterator[dict[str, Any] | ValueRejected]:
    generations = _generations(row)
    judge = row.get("model_name") if any(g.rating is not None for g in generations) else None
    fields = {name: value for name, value in row.items() if template.field_for(name) is not None and value is not None}
    metadata = {n: v for n, v in row.items() if n not in _COLUMNS and template.field_for(n) is None}
    instruction = row.get("instruction")
    if instruction is not None and places.prompt:
        fields.setdefault(places.prompt, instruction)
    if len(places.answers) > 1:
        yield _together(row, generations, fields, metadata, places, judge)
        return
    key = row.get("bridge_key") if len(generations) == 1 else None
    for number, generation in enumerate(generations, 1):
        if generation.text is None:
            yield _failed(number)
            continue
        own: dict[str, Any] = {"model_name": generation.model, "rationale": generation.rationale}
        suggestions = []
        if isinstance(places.judged, RatingQuestion) and generation.rating is not None:
            suggestions.append(_suggestion(places.judged, generation.rating, judge))
        else:
            own["rating"] = generation.rating
        if places.chat:
            answered: dict[str, Any] = {places.chat: _chat(row, generation.text)}
        else:
            answered = {places.answers[0]: generation.text}
        yield {
            "key": key,
            "fields": {**fields, **answered},
            "suggestions": suggestions,
            "metadata": {**metadata, **{name: value for name, value in own.items() if value is not None}},
        }


def _together(
    row: Mapping[str, Any],
    generations: list[_Generation],
    fields: dict[str, Any],
    metadata: dict[str, Any],
    places: _Places,
    judge: Any,
) -> dict[str, Any] | ValueRejected:
    """One record of all generations; a ranking goes without those that failed."""
    if isinstance(places.judged, RankingQuestion):
        there = [generation for generation in generations if generation.text is not None]
    else:
        there = generations
        for number, generation in enumerate(generations, 1):
            if generation.text is None:
                return _failed(number)
    if len(there) < 2 and len(there) < len(generations):
        return _failed(next(n for n, generation in enumerate(generations, 1) if generation.text is None))
    if len(there) > len(places.answers):
        return ValueRejected(
            f"generations: {len(there)}, and the template has fields for {len(places.answers)}",
            remedy="use a template that ranks as many, or generate fewer",
        )
    answers = dict(zip(places.answers, there, strict=False))
    ratings = {name: generation.rating for name, generation in answers.items() if generation.rating is not None}
    value = _ranks(ratings) if isinstance(places.judged, RankingQuestion) else _preference(places, ratings)
    own = {
        "model_names": [generation.model for generation in there],
        "ratings": [generation.rating for generation in there],
        "rationales": [generation.rationale for generation in there],
    }
    return {
        "key": row.get("bridge_key"),
        "fields": {**fields, **{name: generation.text for name, generation in answers.items()}},
        "suggestions": [_suggestion(places.judged, value, judge)] if value else [],
        "metadata": metadata | {name: listed for name, listed in own.items() if any(v is not None for v in listed)},
    }


def _generations(row: Mapping[str, Any]) -> list[_Generation]:
    several = row.get("generations")
    if isinstance(several, str) or not isinstance(several, Iterable | None):
        raise ValueRejected("generations: not a list of texts", remedy="name the column of a single one generation")
    texts = list(several) if several is not None else [row.get("generation")]
    ratings = _listed(row, "ratings", len(texts))
    names = "model_names" if row.get("model_names") is not None else "generation_models"
    models = _listed(row, names, len(texts))
    if row.get(names) is None and row.get("ratings") is None:
        models = [row.get("model_name")] * len(texts)
    rationales = _listed(row, "rationales", len(texts))
    return [
        _Generation(text, _number(rating), rationale, model)
        for text, rating, rationale, model in zip(texts, ratings, rationales, models, strict=True)
    ]


def _listed(row: Mapping[str, Any], column: str, count: int) -> list[Any]:
    value = row.get(column)
    if value is None:
        return [None] * count
    if isinstance(value, str) or not isinstance(value, Iterable) or len(listed := list(value)) != count:
        raise ValueRejected(
            f"{column}: not a list of {count}, as there are generations", remedy="keep both lists in one order"
        )
    return listed


def _number(rating: Any) -> float | None:
    if rating is None or rating != rating:  # NaN, as tables write it
        return None
    if isinstance(rating, bool) or not isinstance(rating, Real):
        raise ValueRejected(
            f"ratings: {shown(rating)} is no number", remedy="write numbers, or None where there is none"
        )
    number = float(rating)
    return int(number) if number.is_integer() else number


def _failed(number: int) -> ValueRejected:
    return ValueRejected(
        f"generation {number}: None, because the model's call failed",
        remedy="run the step again; distilabel keeps failures in its cache, so run it with use_cache=False",
    )


def _chat(row: Mapping[str, Any], answer: str) -> list[dict[str, Any]]:
    system = [{"role": "system", "content": row["system_prompt"]}] if row.get("system_prompt") else []
    return [*system, {"role": "user", "content": row.get("instruction")}, {"role": "assistant", "content": answer}]


def _suggestion(question: Question | None, value: Any, judge: Any) -> dict[str, Any]:
    assert question is not None
    return {"question": question.name, "value": value, "agent": judge}


def _ranks(ratings: Mapping[str, float]) -> dict[str, int]:
    """Ranks by rating, the highest first; equal ratings share one.

    >>> _ranks({"response_1": 3, "response_2": 5, "response_3": 3})
    {'response_1': 2, 'response_2': 1, 'response_3': 2}
    """
    order = sorted(set(ratings.values()), reverse=True)
    return {name: order.index(rating) + 1 for name, rating in ratings.items()} if len(ratings) > 1 else {}


def _preference(places: _Places, ratings: Mapping[str, float]) -> str:
    """The option that picks what is rated highest, ``tie`` where all are equal, else nothing."""
    assert isinstance(places.judged, LabelQuestion)
    if len(ratings) < len(places.answers):
        return ""
    best = [name for name, rating in ratings.items() if rating == max(ratings.values())]
    if len(best) == 1:
        return next(option.value for option in places.judged.options if option.picks == best[0])
    return "tie" if len(best) == len(ratings) and "tie" in places.judged.values else ""


# -- to rows


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
    places = _places(template)
    return [_row(record, places) for record in records]


def _row(record: Record, places: _Places) -> dict[str, Any]:
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


def _ratings(places: _Places, there: Sequence[str], suggestion: Suggestion | None) -> list[int | None]:
    value: Value | None = suggestion.value if suggestion else None
    if isinstance(value, dict):
        last = max(value.values())
        return [last + 1 - value[name] if name in value else None for name in there]
    options = getattr(places.judged, "options", ())
    picked = next((option.picks for option in options if option.value == value), None)
    if picked:
        return [2 if name == picked else 1 for name in there]
    return [1 for _ in there] if value == "tie" else []
