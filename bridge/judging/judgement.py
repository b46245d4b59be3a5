"""What judges say of a record: single readings, one judge's opinion, and the judgement of all judges together.

It travels in the record's metadata, ``metadata["judge"][QUESTION]``, so that reports and routing need nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias

from bridge.errors import InputError
from bridge.records import Record

PLACE = "judge"
"""The name in a record's metadata."""

Picked: TypeAlias = Literal["first", "second", "neither"]
"""Which of two responses, by the place where the judge saw it."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One answer of a model.

    Args:
        value: the answer to the template's question; None where it could not be read.
        reason: why not; empty where it could.
        rationale: what the judge said before it gave the score.
        probabilities: of the levels' values (as text), adding up to 1, where the tokens' probabilities came.
        picked: where two responses were compared, which of them by its place.
        request: key of the request.
        mended: whether it took a second request.
    """

    value: int | str | None
    reason: str = ""
    rationale: str = ""
    probabilities: Mapping[str, float] | None = None
    picked: Picked | None = None
    request: str = ""
    mended: bool = False


@dataclass(frozen=True, slots=True)
class Opinion:
    """What one judge says of one record.

    Args:
        model: the judge.
        value: its answer; a judge that contradicts itself when the order is swapped says a tie.
        score: its rating weighted by the tokens' probabilities, where they came; else None.
        probabilities: as of a reading, over both orders where there are two.
        conflict: whether it contradicts itself when the order is swapped.
        reason: why there is no answer.
        readings: one, or one of each order.
    """

    model: str
    value: int | str | None
    score: float | None = None
    probabilities: Mapping[str, float] | None = None
    conflict: bool = False
    reason: str = ""
    readings: tuple[Reading, ...] = ()


@dataclass(frozen=True, slots=True)
class Judgement:
    """What all judges say of one record.

    Args:
        question: of the template.
        value: the answer; None where no judge has one, or they are split.
        score: the judges' mean rating; None for labels.
        confidence: the share of the judges' votes, or of their tokens' probabilities, that the answer has; None where
            a single judge gave no probabilities.
        margin: by how much that share is above that of the next answer.
        spread: for ratings, how far apart the judges' ratings are; else the share of judges who say otherwise.
        conflict: whether half of the judges or more contradict themselves when the order is swapped.
        reason: why there is no answer.
        opinions: one of each judge.
        rubric: hash of the rubric.
        response: fields that were judged.
    """

    question: str
    value: int | str | None
    score: float | None = None
    confidence: float | None = None
    margin: float | None = None
    spread: float = 0.0
    conflict: bool = False
    reason: str = ""
    opinions: tuple[Opinion, ...] = ()
    rubric: str = ""
    responses: tuple[str, ...] = field(default=())

    @property
    def number(self) -> float | None:
        """A rating as finely as it is known."""
        return self.score if self.score is not None else float(self.value) if isinstance(self.value, int) else None

    def to_dict(self) -> dict[str, Any]:
        """The judgement as it stands in a record's metadata."""
        line = asdict(self)
        del line["question"]
        return _plain(line)  # type: ignore[no-any-return]


def _plain(value: Any) -> Any:
    """Tuples as lists, and numbers short enough to be read."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return round(value, 6) if isinstance(value, float) else value


def judgements(record: Record) -> dict[str, Judgement]:
    """What judges said of a record, by question; empty where none did.

    Raises:
        InputError: the metadata has something else in that place.

    >>> record = Record("r1", {"prompt": "?"}, metadata={"judge": {"rating": {"value": 4, "confidence": 0.9}}})
    >>> judgements(record)["rating"].value
    4
    """
    told = record.metadata.get(PLACE)
    if told is None:
        return {}
    try:
        return {question: _judgement(question, line) for question, line in told.items()}
    except (TypeError, AttributeError, ValueError):
        raise InputError(
            f"record {record.key!r:.80}: metadata.{PLACE} is not what `annobridge judge` writes",
            remedy="rename that piece of metadata, or judge the records anew",
        ) from None


def _judgement(question: str, line: Mapping[str, Any]) -> Judgement:
    opinions = tuple(_opinion(one) for one in line.get("opinions", ()))
    given = {**line, "opinions": opinions, "responses": tuple(line.get("responses", ()))}
    found = Judgement(question=question, **given)
    numbers: tuple[object, ...] = (found.score, found.confidence, found.margin, found.spread)
    if not all(
        number is None or (isinstance(number, int | float) and not isinstance(number, bool)) for number in numbers
    ):
        raise ValueError("not a number")
    _answer(found.value)
    return found


def _opinion(line: Mapping[str, Any]) -> Opinion:
    found = Opinion(**{**line, "readings": tuple(Reading(**one) for one in line.get("readings", ()))})
    model: object = found.model
    if not isinstance(model, str):
        raise TypeError("not a name")
    for value in (found.value, *(one.value for one in found.readings)):
        _answer(value)
    return found


def _answer(value: object) -> None:
    if not isinstance(value, int | str | None) or isinstance(value, bool):
        raise TypeError("not an answer")
