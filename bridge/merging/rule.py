"""The rule of a merge: everything that decides how answers become one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from bridge.errors import UsageError
from bridge.templates import TaskTemplate

Method: TypeAlias = Literal["majority", "dawid-skene"]
METHODS: tuple[Method, ...] = ("majority", "dawid-skene")
Rewrites: TypeAlias = Literal["each", "medoid"]
REWRITES: tuple[Rewrites, ...] = ("each", "medoid")


@dataclass(frozen=True, slots=True)
class Rule:
    """How answers become one.

    Args:
        quorum: how many answers a question needs.
        method: ``majority``, or ``dawid-skene`` where its gate holds (labels without preferences, and spans).
        threshold: the share of people above which a label of a multi-label question counts.
        rewrites: ``each`` of several different texts counts, or only the ``medoid``, the one nearest to all others.
        labels: old label to new one, for answers that were given before a label set changed.
        weights: annotator to how much that person's answers count, where it is not 1.

    Raises:
        UsageError: a value that is none.

    >>> Rule(quorum=2).to_dict()
    {'method': 'majority', 'quorum': 2}
    """

    quorum: int = 1
    method: Method = "majority"
    threshold: float = 0.5
    rewrites: Rewrites = "each"
    labels: Mapping[str, str] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.quorum < 1:
            raise UsageError(f"a quorum of {self.quorum} is no quorum", remedy="ask for 1 answer or more")
        if self.method not in METHODS:
            raise UsageError(f"{self.method!r:.60} is no method of merging", remedy=f"use {' or '.join(METHODS)}")
        if self.rewrites not in REWRITES:
            raise UsageError(f"{self.rewrites!r:.60} is no way with rewrites", remedy=f"use {' or '.join(REWRITES)}")
        if not 0 <= self.threshold < 1:
            raise UsageError(
                f"a threshold of {self.threshold} is no share of people", remedy="use a number from 0 to below 1"
            )
        for annotator, weight in self.weights.items():
            if not 0 <= weight < float("inf"):
                raise UsageError(
                    f"{annotator}: {weight} is no weight", remedy="use 0 for nothing, 1 for a full voice, or between"
                )

    def check(self, template: TaskTemplate) -> None:
        """Refuse labels that the template does not have.

        Raises:
            UsageError: answers would be brought over to a label that no question has.
        """
        have = {value for question in template.questions for value in getattr(question, "values", ())}
        for old, new in self.labels.items():
            if new not in have:
                raise UsageError(
                    f"labels: {old!r:.60} cannot become {new!r:.60}, which is a label of no question",
                    remedy=f"use one of {', '.join(sorted(have))}" if have else "this template has no labels",
                )

    def weight(self, annotator: str) -> float:
        """How much a person's answers count."""
        return self.weights.get(annotator, 1.0)

    def to_dict(self) -> dict[str, Any]:
        """The rule as it stands in manifests: method and quorum, and what is not as usual."""
        usual = _USUAL
        rule: dict[str, Any] = {"method": self.method, "quorum": self.quorum}
        for name in ("threshold", "rewrites", "labels"):
            if getattr(self, name) != getattr(usual, name):
                rule[name] = getattr(self, name)
        if self.weights:
            rule["weights"] = {who: round(self.weights[who], 6) for who in sorted(self.weights)}
        return rule


_USUAL = Rule()
