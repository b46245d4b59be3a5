"""Counting answers, once each or with the weight of whoever gave them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from bridge.merging.merged import MergedAnswer
from bridge.merging.rule import Rule

Answers: TypeAlias = Mapping[str, Any]
"""Annotator to that person's answer."""


def tally(answers: Answers, rule: Rule, choices: Callable[[Any], Iterable[str]]) -> Mapping[str, float]:
    """How many chose each thing, or what they weigh together; nothing stands there that nobody chose.

    >>> tally({"ann": ["a", "b"], "bo": ["b"]}, Rule(), lambda labels: labels)["b"]
    2
    >>> tally({"ann": ["a", "b"], "bo": ["b"]}, Rule(weights={"bo": 0.5}), lambda labels: labels)["b"]
    1.5
    """
    if not rule.weights:
        return Counter(choice for answer in answers.values() for choice in choices(answer))
    weighed: dict[str, list[float]] = {}
    for annotator, answer in answers.items():
        for choice in choices(answer):
            weighed.setdefault(choice, []).append(rule.weight(annotator))
    # An exact sum does not depend on the order of the annotators.
    return {choice: math.fsum(weights) for choice, weights in weighed.items()}


def total_weight(answers: Answers, rule: Rule) -> float:
    """How many people answered, or what they weigh together."""
    return math.fsum(map(rule.weight, answers)) if rule.weights else len(answers)


def same(one: float, other: float) -> bool:
    """Whether two tallies are equal but for rounding.

    >>> same(0.1 + 0.2, 0.3), same(1, 2)
    (True, False)
    """
    return one == other or abs(one - other) < 1e-9


def above_half(part: float, total: float) -> bool:
    """Whether a tally is more than half of all, by more than rounding.

    >>> above_half(2, 3), above_half(1, 2), above_half(0.1 + 0.2, 0.6)
    (True, False, False)
    """
    return part * 2 > total and not same(part * 2, total)


def agreed(answers: Answers, value: Any, support: int | None = None, **details: Any) -> MergedAnswer:
    """One answer; without ``support`` that is how many gave just this one."""
    if support is None:
        support = sum(answer == value for answer in answers.values())
    return MergedAnswer("agreed", value, support, len(answers), "", details, answers)


def tie(answers: Answers, reason: str, **details: Any) -> MergedAnswer:
    """No answer, because the answers do not add up to one."""
    return MergedAnswer("tie", None, 0, len(answers), reason, details, answers)
