"""The generations of one row of distilabel's, each with what was said of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from typing import Any, NamedTuple

from bridge.errors import ValueRejected
from bridge.interop.distilabel_columns import RANKS
from bridge.text import shown

AGAIN = "run the step again; distilabel keeps failures in its cache, so run it with use_cache=False"

_REASONS = {"rationales": "rationale", "types": "type", "rationales-for-ratings": "rationale_for_rating"}
"""What a judge writes beside ratings, and what it is called of one generation."""
_NUMBER = re.compile(r"[+-]?\d{1,18}(\.\d{1,18})?")
_NO_RATING = ("", "None", "N/A")
"""What UltraFeedback takes for no rating, too."""


class Generation(NamedTuple):
    """One text that a model wrote, or None where its call failed."""

    text: Any
    rating: float | None
    order: float | None
    """The higher, the better: its rating, or less than nothing by its rank where it has none."""
    reasons: dict[str, Any]
    """What the judge wrote about it, by the name that metadata have for it."""
    model: Any


def generations(row: Mapping[str, Any], fields: Sequence[str] = ()) -> list[Generation]:
    """What models wrote, in its order.

    Args:
        row: a row under the common names (:func:`bridge.interop.distilabel_columns.common`).
        fields: the fields for it, whose names a column may have instead.

    Raises:
        ValueRejected: there is none, or what was said of them does not fit to them.

    >>> [(one.text, one.rating) for one in generations({"generations": ["4", "5"], "ratings": [5, "1"]})]
    [('4', 5), ('5', 1)]
    """
    texts = _texts(row, fields)
    ratings = [_number(rating) for rating in _listed(row, "ratings", len(texts))]
    ranks = [_number(rank) for rank in _listed(row, RANKS, len(texts))]
    judged = row.get("ratings") is not None or row.get(RANKS) is not None
    names = "model_names" if row.get("model_names") is not None else "generation_models"
    models = _listed(row, names, len(texts))
    if row.get(names) is None and not judged:
        models = [row.get("model_name")] * len(texts)
    said = {name: _listed(row, column, len(texts)) for column, name in _REASONS.items()}
    reasons = [{name: of[place] for name, of in said.items() if of[place] is not None} for place in range(len(texts))]
    order = [
        -rank if rating is None and rank is not None else rating for rating, rank in zip(ratings, ranks, strict=True)
    ]
    return [Generation(*one) for one in zip(texts, ratings, order, reasons, models, strict=True)]


def failed(number: int) -> ValueRejected:
    """What is said of a generation that is None."""
    return ValueRejected(f"generation {number}: None, because the model's call failed", remedy=AGAIN)


def _texts(row: Mapping[str, Any], fields: Sequence[str]) -> list[Any]:
    several = row.get("generations")
    if isinstance(several, str) or not isinstance(several, Iterable | None):
        raise ValueRejected("generations: not a list of texts", remedy="name the column of a single one generation")
    if several is not None:
        texts = list(several)
    elif "generation" in row or "generations" in row:
        one = row.get("generation")  # with group_generations, a list of several
        texts = list(one) if isinstance(one, list) else [one]
    else:
        texts = [row[name] for name in fields if row.get(name) is not None]
        if not texts:
            there = ", ".join(map(shown, list(row)[:12])) or "nothing"
            raise ValueRejected(
                f"generation: no such column; the row has {there}",
                remedy="name what a model wrote generation, or generations where it is a list",
            )
    if not texts:
        raise ValueRejected("generations: an empty list", remedy=AGAIN)
    return texts


def _listed(row: Mapping[str, Any], column: str, count: int) -> list[Any]:
    value = row.get(column)
    if value is None:
        return [None] * count
    if isinstance(value, str) or not isinstance(value, Iterable) or len(listed := list(value)) != count:
        name = "ranks" if column == RANKS else column
        raise ValueRejected(
            f"{name}: not a list of {count}, as there are generations", remedy="keep both lists in one order"
        )
    return listed


def _number(rating: Any) -> float | None:
    if rating is None or rating != rating or rating in _NO_RATING:  # NaN, as tables write it
        return None
    if isinstance(rating, str) and _NUMBER.fullmatch(rating.strip()):
        rating = float(rating)
    if isinstance(rating, bool) or not isinstance(rating, Real) or abs(rating) > 1e18:  # type: ignore[operator]
        raise ValueRejected(
            f"ratings: {shown(rating)} is no number", remedy="write numbers, or None where there is none"
        )
    number = float(rating)
    return int(number) if number.is_integer() else number
