"""What every step of curation answers: what it kept, what it dropped, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from bridge.records import Record


@dataclass(frozen=True, slots=True)
class Dropped:
    """One record that a step took out, with its reason.

    Args:
        key: the record's key.
        step: the step that dropped it, such as ``dedup``.
        rule: the rule of that step, such as ``near``.
        score: how strongly the rule holds, where it has a measure, such as the Jaccard similarity.
        kept: the key of the record that was kept in its stead, where there is one.
        detail: what else a person wants to know, such as the passage that overlaps; fit for JSON.

    >>> Dropped("r2", "dedup", "near", score=0.83, kept="r1").to_dict()
    {'key': 'r2', 'step': 'dedup', 'rule': 'near', 'score': 0.83, 'kept': 'r1', 'detail': {}}
    """

    key: str
    step: str
    rule: str
    score: float | None = None
    kept: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The case as a line of ``dropped.jsonl``."""
        return {
            "key": self.key,
            "step": self.step,
            "rule": self.rule,
            "score": self.score,
            "kept": self.kept,
            "detail": dict(self.detail),
        }


@dataclass(frozen=True, slots=True)
class Result:
    """What a step kept and dropped.

    Args:
        kept: the records that go on, in the order in which they came; some steps change them.
        dropped: the others, each with its reason.
        why: rule to number of records that it dropped or changed.
    """

    kept: list[Any] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)
    why: dict[str, int] = field(default_factory=dict)


Step: TypeAlias = "Callable[[list[Record]], Result]"
"""From records to what is kept, dropped, and why."""
