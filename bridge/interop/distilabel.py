"""distilabel: rows by the names of its columns. distilabel itself is not needed, and not imported.

Columns were observed on distilabel 1.5.3: ``instruction``, ``generation`` or ``generations``, ``ratings`` and
``rationales`` beside them in the same order, ``model_name`` (the judge's where there are ratings, else the
generator's) and ``model_names`` or ``generation_models``. Anything may be None: a call that failed leaves None behind.
What else can be wrong with rows is in :mod:`bridge.interop.distilabel_checks`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import Any, NamedTuple

from bridge.errors import ValueRejected
from bridge.files import Reject, Row
from bridge.interop.distilabel_calls import MADE, METADATA, Shape, about_calls
from bridge.interop.distilabel_checks import EMPTIED, Finding, examined
from bridge.interop.distilabel_places import Places, places_of
from bridge.metadata import wrote_stub
from bridge.questions import LabelQuestion, RankingQuestion, RatingQuestion
from bridge.reading import RecordReader
from bridge.rows import Rows
from bridge.templates import TaskTemplate
from bridge.text import shown

_COLUMNS = frozenset(
    (
        *("instruction", "system_prompt", "generation", "generations", "model_name", "model_names"),
        *("generation_models", "ratings", "rationales", "types", "rationales-for-ratings", METADATA),
        *("bridge_key", "bridge_keys", "bridge_reason"),
    )
)


class DistilabelReader(RecordReader):
    """The good records of distilabel's rows, to be iterated once, and what became of the others.

    Attributes:
        findings: stretches of rows that one failed call emptied, or that have other rows' answers; complete once all
            records were read.
    """

    def __init__(
        self,
        rows: Rows,
        template: TaskTemplate,
        *,
        id_column: str | None = None,
        ratings: Sequence[str] = (),
        trust: bool = False,
    ) -> None:
        self.findings: list[Finding] = []
        places = places_of(template, ratings)
        wanted = _Wanted(template, places, id_column, trust)
        super().__init__(Rows(rows.path, "jsonl", None, _made(rows, wanted, self.findings)), template)
        self.left_out |= {column: f"{kind:.60} cannot be metadata" for column, kind in rows.foreign.items()}

    def row_of(self, key: str) -> int:
        """The number of the row that a record was made of; to be asked before the next one is read."""
        return self._seen[key][0]


_AGAIN = "run the step again; distilabel keeps failures in its cache, so run it with use_cache=False"
_APART = "run the pipeline again without joining steps whose rows can differ; --trust takes rows as they stand"


class _Wanted(NamedTuple):
    """What is made of rows."""

    template: TaskTemplate
    places: Places
    id_column: str | None
    trust: bool

    @property
    def shape(self) -> Shape:
        asked = self.template.training.prompt if self.template.training else ["prompt"]
        made = [spec.name for spec in self.template.fields if spec.required and spec.name not in asked]
        return Shape(("instruction", *asked), (*MADE, *made))


def _made(rows: Rows, wanted: _Wanted, findings: list[Finding]) -> Iterator[Row]:
    for (number, row), reason in examined(rows, wanted.shape, findings):
        if isinstance(row, Reject):
            yield number, row
            continue
        for column in rows.foreign:
            row.pop(column, None)
        if reason and not (wanted.trust and reason.startswith(("shifted", "ratings"))):
            yield number, Reject(number, reason, _AGAIN if reason.endswith(EMPTIED) else _APART, _id(row, wanted))
            continue
        try:
            for made in _rows(row, wanted):
                if isinstance(made, ValueRejected):
                    yield number, Reject(number, made.reason, made.remedy, _id(row, wanted))
                else:
                    yield number, made
        except ValueRejected as error:
            yield number, Reject(number, error.reason, error.remedy, _id(row, wanted))


def from_distilabel(
    rows: Iterable[Mapping[str, Any]],
    template: TaskTemplate,
    *,
    id_column: str | None = None,
    ratings: Sequence[str] = (),
    trust: bool = False,
) -> DistilabelReader:
    """The records of a distilabel dataset, to be iterated once.

    Where a template compares responses (a ranking, or labels with ``picks``), a row becomes one record; otherwise each
    of its generations does. Ratings become a suggestion of the judge: a rating as it is, a ranking or preference by
    which is higher. Columns that are named like a field become that field, others metadata.

    Rows that one failed call emptied, and rows that have other rows' answers, become no records: they are among the
    rejects, and ``findings`` name their stretches.

    Args:
        rows: as distilabel left them.
        template: what the records must fit.
        id_column: the column that is a record's key; each of several generations has its number behind it. Without
            it, the key is a hash of the fields.
        ratings: where one record asks several rating questions, each about one generation: their names, in the order
            of the generations, whose texts are then in columns that are named like fields.
        trust: take rows as they stand, even where answers seem to be other rows'.

    Raises:
        UsageError: the template has no field for a generation, or no such rating question.

    >>> from bridge.templates import load_template
    >>> row = {"instruction": "2 + 2?", "generations": ["4", "5"], "ratings": [5, None], "model_name": "judge"}
    >>> records = from_distilabel([row], load_template("rating"))
    >>> [(record.fields["response"], [s.value for s in record.suggestions]) for record in records]
    [('4', [5]), ('5', [])]
    """
    numbered = enumerate((dict(row) for row in rows), 1)
    source = Rows(Path("distilabel rows"), "jsonl", None, iter(numbered))
    return DistilabelReader(source, template, id_column=id_column, ratings=ratings, trust=trust)


class _Generation(NamedTuple):
    text: str | None
    rating: float | None
    reasons: dict[str, Any]
    """What the judge wrote about it, by the name that metadata have for it."""
    model: Any


def _id(row: Mapping[str, Any], wanted: _Wanted) -> str:
    """The key that a row brings along, as far as it can be shown."""
    value = row.get(wanted.id_column) if wanted.id_column else row.get("bridge_key")
    return str(value)[:200] if isinstance(value, str | int) else ""


def _key(row: Mapping[str, Any], wanted: _Wanted, number: int = 0) -> str | None:
    """The key of a row's record, or of its record of that number."""
    if wanted.id_column is None:
        return None if number else row.get("bridge_key")
    value = row.get(wanted.id_column)
    if not isinstance(value, str | int) or isinstance(value, bool) or value == "":
        raise ValueRejected(
            f"{wanted.id_column}: missing, so there is no key", remedy="give every row an id, or name no column of ids"
        )
    return f"{value}-{number}" if number else str(value)


def _rows(row: Mapping[str, Any], wanted: _Wanted) -> Iterator[dict[str, Any] | ValueRejected]:
    template, places = wanted.template, wanted.places
    generations = _generations(row)
    judge = row.get("model_name") if any(g.rating is not None for g in generations) else None
    fields = {name: value for name, value in row.items() if template.field_for(name) is not None and value is not None}
    metadata = {n: v for n, v in row.items() if n not in _COLUMNS and template.field_for(n) is None} | about_calls(row)
    if any(wrote_stub(name) for column, names in row.items() if "model" in column for name in _listed_or_one(names)):
        metadata["test_only"] = True
    if places.rated:
        yield _rated(row, generations, fields, metadata, wanted, judge)
        return
    instruction = row.get("instruction")
    if instruction is not None and places.prompt:
        fields.setdefault(places.prompt, instruction)
    if len(places.answers) > 1:
        yield _together(row, generations, fields, metadata, wanted, judge)
        return
    several = len(generations) > 1 or isinstance(row.get("generations"), list)
    for number, generation in enumerate(generations, 1):
        if generation.text is None:
            yield _failed(number)
            continue
        own: dict[str, Any] = {"model_name": generation.model, **generation.reasons}
        suggestions = []
        if isinstance(places.judged, RatingQuestion) and generation.rating is not None:
            suggestions.append(_suggestion(places.judged.name, generation.rating, judge))
        else:
            own["rating"] = generation.rating
        if places.chat:
            answered: dict[str, Any] = {places.chat: _chat(row, generation.text)}
        else:
            answered = {places.answers[0]: generation.text}
        numbered = number if several and (wanted.id_column or len(generations) > 1) else 0
        yield {
            "key": _key(row, wanted, numbered),
            "fields": {**fields, **answered},
            "suggestions": suggestions,
            "metadata": {**metadata, **{name: value for name, value in own.items() if value is not None}},
        }


def _listed_or_one(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else [value]


def _rated(
    row: Mapping[str, Any],
    generations: list[_Generation],
    fields: dict[str, Any],
    metadata: dict[str, Any],
    wanted: _Wanted,
    judge: Any,
) -> dict[str, Any] | ValueRejected:
    """One record whose fields are the generations, each with a rating question of its own."""
    names = wanted.places.rated
    if len(generations) != len(names):
        return ValueRejected(
            f"generations: {len(generations)}, and {len(names)} questions rate them",
            remedy="name as many rating questions as there are generations, in their order",
        )
    for number, generation in enumerate(generations, 1):
        if generation.text is None:
            return _failed(number)
        if generation.text not in fields.values():
            return ValueRejected(
                f"shifted: generation {number} is in no field of the row, so its rating is of another text",
                remedy=_APART,
            )
    rated = [(name, one) for name, one in zip(names, generations, strict=True) if one.rating is not None]
    rationales = {name: one.reasons for name, one in zip(names, generations, strict=True) if one.reasons}
    return {
        "key": _key(row, wanted),
        "fields": fields,
        "suggestions": [_suggestion(name, one.rating, judge) for name, one in rated],
        "metadata": metadata | ({"rationales": rationales} if rationales else {}),
    }


def _together(
    row: Mapping[str, Any],
    generations: list[_Generation],
    fields: dict[str, Any],
    metadata: dict[str, Any],
    wanted: _Wanted,
    judge: Any,
) -> dict[str, Any] | ValueRejected:
    """One record of all generations; a ranking goes without those that failed."""
    places = wanted.places
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
        "rationales": [generation.reasons.get("rationale") for generation in there],
    }
    return {
        "key": _key(row, wanted),
        "fields": {**fields, **{name: generation.text for name, generation in answers.items()}},
        "suggestions": [_suggestion(places.judged.name, value, judge)] if value and places.judged else [],
        "metadata": metadata | {name: listed for name, listed in own.items() if any(v is not None for v in listed)},
    }


def _generations(row: Mapping[str, Any]) -> list[_Generation]:
    several = row.get("generations")
    if isinstance(several, str) or not isinstance(several, Iterable | None):
        raise ValueRejected("generations: not a list of texts", remedy="name the column of a single one generation")
    one = row.get("generation")  # with group_generations, a list of several
    texts = list(several) if several is not None else one if isinstance(one, list) else [one]
    ratings = _listed(row, "ratings", len(texts))
    names = "model_names" if row.get("model_names") is not None else "generation_models"
    models = _listed(row, names, len(texts))
    if row.get(names) is None and row.get("ratings") is None:
        models = [row.get("model_name")] * len(texts)
    said = {name: _listed(row, column, len(texts)) for column, name in _REASONS.items()}
    reasons = [{name: of[place] for name, of in said.items() if of[place] is not None} for place in range(len(texts))]
    return [
        _Generation(text, _number(rating), reason, model)
        for text, rating, reason, model in zip(texts, ratings, reasons, models, strict=True)
    ]


_REASONS = {"rationales": "rationale", "types": "type", "rationales-for-ratings": "rationale_for_rating"}
"""What a judge writes beside ratings, and what it is called of one generation."""


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
        remedy=_AGAIN,
    )


def _chat(row: Mapping[str, Any], answer: str) -> list[dict[str, Any]]:
    system = [{"role": "system", "content": row["system_prompt"]}] if row.get("system_prompt") else []
    return [*system, {"role": "user", "content": row.get("instruction")}, {"role": "assistant", "content": answer}]


def _suggestion(question: str, value: Any, judge: Any) -> dict[str, Any]:
    return {"question": question, "value": value, "agent": judge}


def _ranks(ratings: Mapping[str, float]) -> dict[str, int]:
    """Ranks by rating, the highest first; equal ratings share one.

    >>> _ranks({"response_1": 3, "response_2": 5, "response_3": 3})
    {'response_1': 2, 'response_2': 1, 'response_3': 2}
    """
    order = sorted(set(ratings.values()), reverse=True)
    return {name: order.index(rating) + 1 for name, rating in ratings.items()} if len(ratings) > 1 else {}


def _preference(places: Places, ratings: Mapping[str, float]) -> str:
    """The option that picks what is rated highest, ``tie`` where all are equal, else nothing."""
    assert isinstance(places.judged, LabelQuestion)
    if len(ratings) < len(places.answers):
        return ""
    best = [name for name, rating in ratings.items() if rating == max(ratings.values())]
    if len(best) == 1:
        return next(option.value for option in places.judged.options if option.picks == best[0])
    return "tie" if len(best) == len(ratings) and "tie" in places.judged.values else ""
