"""Merged answers: what a group of people says to one question, and who said what. The lines of ``merged.jsonl``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from bridge.errors import ValueRejected
from bridge.records import Value

Outcome: TypeAlias = Literal["agreed", "tie", "no_quorum", "abstained"]
OUTCOMES: tuple[Outcome, ...] = ("agreed", "tie", "no_quorum", "abstained")


@dataclass(frozen=True, slots=True)
class MergedAnswer:
    """One question's answer from everybody who answered it.

    Args:
        outcome: ``agreed``; ``tie`` (the answers do not add up to one); ``no_quorum`` (too few answers);
            ``abstained`` (none at all).
        value: the answer in its question's shape (:data:`bridge.records.Value`); None wherever there is not one.
        support: how many people gave just this value.
        n: how many people answered.
        reason: why there is no value, in words; empty where the outcome says it all.
        details: what the question's kind adds, such as votes or a spread (:mod:`bridge.merging.kinds`).
        annotators: pseudonym to that person's answer.

    >>> MergedAnswer("agreed", "good", 2, 3, details={"votes": {"good": 2, "bad": 1}}).to_dict()
    {'outcome': 'agreed', 'value': 'good', 'support': 2, 'n': 3, 'votes': {'good': 2, 'bad': 1}, 'annotators': {}}
    """

    outcome: Outcome
    value: Value | None = None
    support: int = 0
    n: int = 0
    reason: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    annotators: Mapping[str, Value] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The answer as it stands in a line of ``merged.jsonl``; ``single`` marks what rests on one person."""
        line: dict[str, Any] = {"outcome": self.outcome, "value": self.value, "support": self.support, "n": self.n}
        if self.n == 1:
            line["single"] = True
        if self.reason:
            line["reason"] = self.reason
        return {**line, **self.details, "annotators": dict(self.annotators)}

    @classmethod
    def from_dict(cls, line: Mapping[str, Any]) -> MergedAnswer:
        """The inverse of :meth:`to_dict`. Only ``outcome`` is required, so that others can write such lines too.

        Raises:
            ValueRejected: a key is missing or has the wrong shape.
        """
        if line.get("outcome") not in OUTCOMES:
            raise ValueRejected(
                f"outcome: {line.get('outcome')!r:.60} is unknown", remedy=f"use one of {', '.join(OUTCOMES)}"
            )
        own: dict[str, Any] = {}
        details: dict[str, Any] = {}
        for name, value in line.items():
            if name in _SHAPES and not _SHAPES[name](value):
                raise ValueRejected(f"{name}: {value!r:.60} has the wrong shape", remedy=_REMEDY)
            if name in _OWN:
                own[name] = value
            elif name != "single":
                details[name] = value
        return cls(**own, details=details)


@dataclass(frozen=True, slots=True)
class Merged:
    """Everything that people say about one record: question name to merged answer, in the template's order.

    >>> line = {"record": "r1", "answers": {"label": {"outcome": "agreed", "value": "good"}}}
    >>> Merged.from_dict(line).answers["label"].value
    'good'
    """

    record: str
    answers: Mapping[str, MergedAnswer] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """A line of ``merged.jsonl``."""
        return {"record": self.record, "answers": {name: answer.to_dict() for name, answer in self.answers.items()}}

    @classmethod
    def from_dict(cls, line: Mapping[str, Any]) -> Merged:
        """Read a line of ``merged.jsonl``; the inverse of :meth:`to_dict`.

        Raises:
            ValueRejected: a key is missing or has the wrong shape.
        """
        record, answers = line.get("record"), line.get("answers")
        if not isinstance(record, str) or not record:
            raise ValueRejected("record: missing, or not a text", remedy=_REMEDY)
        if not isinstance(answers, dict) or not all(isinstance(answer, dict) for answer in answers.values()):
            raise ValueRejected("answers: missing, or not an object of objects", remedy=_REMEDY)
        read = {}
        for name, answer in answers.items():
            try:
                read[name] = MergedAnswer.from_dict(answer)
            except ValueRejected as error:
                raise ValueRejected(f"{name}: {error.reason}", remedy=error.remedy) from None
        return cls(record, read)


_OWN = frozenset(("outcome", "value", "support", "n", "reason", "annotators"))
_REMEDY = 'write {"record": KEY, "answers": {QUESTION: {"outcome": "agreed", "value": VALUE, "support": 2, "n": 3}}}'


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _is_counts(value: object) -> bool:
    return isinstance(value, dict) and all(map(_is_int, value.values()))


def _is_number(value: object) -> bool:
    # The types first: there may be millions of answers.
    return type(value) is int or (
        isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    )


def _is_votes(value: object) -> bool:
    return isinstance(value, dict) and all(map(_is_number, value.values()))


def _is_value(value: object) -> bool:
    if type(value) is str:
        return True
    if isinstance(value, list):
        return _is_names(value) or all(isinstance(span, dict) for span in value)
    return value is None or _is_int(value) or _is_counts(value)


def _is_answers(value: object) -> bool:
    return isinstance(value, dict) and all(answer is not None and _is_value(answer) for answer in value.values())


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(text, dict) and isinstance(text.get("value"), str) and _is_names(text.get("annotators"))
        for text in value
    )


def _is_pairs(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(votes, list) and len(votes) == 3 and all(map(_is_number, votes)) for votes in value.values()
    )


# The shape of everything in an answer that a later stage reads.
_SHAPES = {
    "value": _is_value,
    "support": _is_int,
    "n": _is_int,
    "reason": lambda value: isinstance(value, str),
    "annotators": _is_answers,
    "votes": _is_votes,
    "low": _is_int,
    "high": _is_int,
    "values": _is_texts,
    "pairs": _is_pairs,
    "split": _is_names,
    "adjudicated": lambda value: isinstance(value, bool),
    "adjudicators": _is_answers,
}
