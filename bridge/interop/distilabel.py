"""distilabel: rows by the names of its columns. distilabel itself is not needed, and not imported.

Columns were observed on distilabel 1.5.3: ``instruction``, ``generation`` or ``generations``, ``ratings`` and
``rationales`` beside them in the same order, ``model_name`` (the judge's where there are ratings, else the
generator's) and ``model_names`` or ``generation_models``; what other tasks call them is in
:mod:`bridge.interop.distilabel_columns`. Anything may be None: a call that failed leaves None behind. What else can be
wrong with rows is in :mod:`bridge.interop.distilabel_checks`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bridge.errors import ValueRejected
from bridge.files import Reject, Row
from bridge.interop.distilabel_calls import MADE, METADATA, Shape, about_calls
from bridge.interop.distilabel_checks import EMPTIED, Finding, examined
from bridge.interop.distilabel_columns import RANKS, common
from bridge.interop.distilabel_generations import AGAIN, Generation, failed, generations
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
        *("generation_models", "ratings", "rationales", "types", "rationales-for-ratings", METADATA, RANKS),
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
    for (number, row), reason in examined(_common(rows, wanted), wanted.shape, findings):
        if isinstance(row, Reject):
            yield number, row
            continue
        if reason and not (wanted.trust and reason.startswith(("shifted", "ratings"))):
            yield number, Reject(number, reason, AGAIN if reason.endswith(EMPTIED) else _APART, _id(row, wanted))
            continue
        try:
            for made in _rows(row, wanted):
                made = made if isinstance(made, ValueRejected) else _lacking(made["fields"], row, wanted) or made
                if isinstance(made, ValueRejected):
                    yield number, Reject(number, made.reason, made.remedy, _id(row, wanted))
                else:
                    yield number, made
        except ValueRejected as error:
            yield number, Reject(number, error.reason, error.remedy, _id(row, wanted))


def _common(rows: Rows, wanted: _Wanted) -> Iterator[Row]:
    """Rows under the common names, without what JSON has no value for."""
    own: set[str] = {wanted.id_column} if wanted.id_column else set()
    for number, row in rows:
        if not isinstance(row, Reject):
            row = {name: value for name, value in row.items() if name not in rows.foreign}
            row = common(row, own | {name for name in row if wanted.template.field_for(name) is not None})
        yield number, row


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


def _lacking(fields: Mapping[str, Any], row: Mapping[str, Any], wanted: _Wanted) -> ValueRejected | None:
    """What is said of a record without one of its fields."""
    template, prompt = wanted.template, wanted.places.prompt
    for spec in template.fields:
        if spec.required and not spec.repeat and fields.get(spec.name) is None:
            if spec.name == prompt and isinstance(before := row.get("messages"), list):
                return ValueRejected(
                    f"messages: {len(before)} before the answer, and the template {template.name!r} has no chat",
                    remedy="use a template with a chat, such as chat_review",
                )
            column = "instruction" if spec.name == prompt else spec.name
            return ValueRejected(f"{spec.name}: missing", remedy=f"give the row a column {column}")
    return None


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
        what = "missing, so there is no key" if value in (None, "") else f"{shown(value)} is no key"
        raise ValueRejected(
            f"{wanted.id_column}: {what}",
            remedy="give every row an id that is a text or a whole number, or name no column of ids",
        )
    return f"{value}-{number}" if number else str(value)


class _Found(NamedTuple):
    """What a row holds."""

    generations: list[Generation]
    judge: Any
    """Who rated them."""
    fields: dict[str, Any]
    metadata: dict[str, Any]


def _found(row: Mapping[str, Any], wanted: _Wanted) -> _Found:
    template, places = wanted.template, wanted.places
    made = generations(row, [places.chat] if places.chat else places.answers)
    judged = any(one.order is not None for one in made)
    fields = {name: value for name, value in row.items() if template.field_for(name) is not None and value is not None}
    metadata = {n: v for n, v in row.items() if n not in _COLUMNS and template.field_for(n) is None} | about_calls(row)
    if any(wrote_stub(name) for column, names in row.items() if "model" in column for name in _listed_or_one(names)):
        metadata["test_only"] = True
    return _Found(made, row.get("model_name") if judged else None, fields, metadata)


def _rows(row: Mapping[str, Any], wanted: _Wanted) -> Iterator[dict[str, Any] | ValueRejected]:
    places, found = wanted.places, _found(row, wanted)
    if places.rated:
        yield _rated(row, found, wanted)
        return
    instruction = row.get("instruction")
    if instruction is not None and places.prompt:
        found.fields.setdefault(places.prompt, instruction)
    if len(places.answers) > 1:
        yield _together(row, found, wanted)
        return
    several = len(found.generations) > 1 or isinstance(row.get("generations"), list)
    for number, generation in enumerate(found.generations, 1):
        if generation.text is None:
            yield failed(number)
            continue
        own: dict[str, Any] = {"model_name": generation.model, **generation.reasons}
        suggestions = []
        if isinstance(places.judged, RatingQuestion) and generation.rating is not None:
            suggestions.append(_suggestion(places.judged.name, generation.rating, found.judge))
        else:
            own["rating"] = generation.rating
        if places.chat:
            answered: dict[str, Any] = {places.chat: _chat(row, generation.text)}
        else:
            answered = {places.answers[0]: generation.text}
        numbered = number if several and (wanted.id_column or len(found.generations) > 1) else 0
        yield {
            "key": _key(row, wanted, numbered),
            "fields": {**found.fields, **answered},
            "suggestions": suggestions,
            "metadata": {**found.metadata, **{name: value for name, value in own.items() if value is not None}},
        }


def _listed_or_one(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else [value]


def _rated(row: Mapping[str, Any], found: _Found, wanted: _Wanted) -> dict[str, Any] | ValueRejected:
    """One record whose fields are the generations, each with a rating question of its own."""
    names, made = wanted.places.rated, found.generations
    if len(made) != len(names):
        return ValueRejected(
            f"generations: {len(made)}, and {len(names)} questions rate them",
            remedy="name as many rating questions as there are generations, in their order",
        )
    for number, generation in enumerate(made, 1):
        if generation.text is None:
            return failed(number)
        if generation.text not in found.fields.values():
            return ValueRejected(
                f"shifted: generation {number} is in no field of the row, so its rating is of another text",
                remedy=_APART,
            )
    rated = [(name, one) for name, one in zip(names, made, strict=True) if one.rating is not None]
    rationales = {name: one.reasons for name, one in zip(names, made, strict=True) if one.reasons}
    return {
        "key": _key(row, wanted),
        "fields": found.fields,
        "suggestions": [_suggestion(name, one.rating, found.judge) for name, one in rated],
        "metadata": found.metadata | ({"rationales": rationales} if rationales else {}),
    }


def _together(row: Mapping[str, Any], found: _Found, wanted: _Wanted) -> dict[str, Any] | ValueRejected:
    """One record of all generations; a ranking goes without those that failed."""
    places, made = wanted.places, found.generations
    there = [generation for generation in made if generation.text is not None]
    if len(there) < len(made) and (len(there) < 2 or not isinstance(places.judged, RankingQuestion)):
        return failed(next(number for number, generation in enumerate(made, 1) if generation.text is None))
    if len(there) < 2:
        return ValueRejected(
            f"generations: 1, and the template {wanted.template.name!r} compares several",
            remedy="use a template that rates one, such as rating, or generate several",
        )
    if len(there) > len(places.answers):
        return ValueRejected(
            f"generations: {len(there)}, and the template has fields for {len(places.answers)}",
            remedy="use a template that ranks as many, or generate fewer",
        )
    answers = dict(zip(places.answers, there, strict=False))
    order = {name: generation.order for name, generation in answers.items() if generation.order is not None}
    value = _ranks(order) if isinstance(places.judged, RankingQuestion) else _preference(places, order)
    own = {
        "model_names": [generation.model for generation in there],
        "ratings": [generation.rating for generation in there],
        "rationales": [generation.reasons.get("rationale") for generation in there],
    }
    return {
        "key": _key(row, wanted),
        "fields": {**found.fields, **{name: generation.text for name, generation in answers.items()}},
        "suggestions": [_suggestion(places.judged.name, value, found.judge)] if value and places.judged else [],
        "metadata": found.metadata
        | {name: listed for name, listed in own.items() if any(v is not None for v in listed)},
    }


def _chat(row: Mapping[str, Any], answer: Any) -> Any:
    if isinstance(answer, list):  # a column named like the field
        return answer
    before = row.get("messages")
    if isinstance(before, list) and before:
        last = before[-1] if isinstance(before[-1], Mapping) else {}
        whole = last.get("role") == "assistant" and last.get("content") == answer  # as FormatTextGenerationSFT has it
        return before if whole else [*before, {"role": "assistant", "content": answer}]
    if row.get("instruction") is None:
        raise ValueRejected("instruction: missing", remedy="give the row a column instruction, or messages")
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
