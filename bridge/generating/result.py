"""What a run of generating comes to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from bridge.files import Reject
from bridge.generating.lengths import Lengths
from bridge.generating.work import Refused
from bridge.models.budget import Spent

_FIRST = 3


@dataclass(frozen=True, slots=True)
class Caution:
    """Something about the records that a person must know before using them."""

    means: str
    remedy: str


@dataclass(slots=True)
class Generated:
    """What a run made, and what it did not.

    Attributes:
        made: how many records were written.
        operations: operation to how many of them it made.
        refused: step to how many texts ended there.
        first: the first refused ones.
        missing: what fewer were made for than wanted (topics and the like, or strata), to how many are missing.
        unreadable: rows that could not be used.
        lengths: of the answers, where several arms are compared.
        cautions: what a person must know.
        test_only: how many records are the work of a test double.
        stopped: why the run ended early; empty if it did not.
        spent: what all requests in the journal took; None where there is none.
    """

    made: int = 0
    operations: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    first: list[Refused] = field(default_factory=list)
    missing: dict[str, int] = field(default_factory=dict)
    unreadable: list[Reject] = field(default_factory=list)
    lengths: Lengths | None = None
    cautions: list[Caution] = field(default_factory=list)
    test_only: int = 0
    stopped: str = ""
    spent: Spent | None = None

    def refuse(self, case: Refused) -> None:
        """Count a text that is in no record."""
        self.refused[case.step] += 1
        if len(self.first) < _FIRST:
            self.first.append(case)

    @property
    def partial(self) -> bool:
        """Whether less was made than was asked for: what fails a filter is no loss where others took its place."""
        return bool(self.stopped or self.missing or self.unreadable or self.refused["reply"] or not self.made)

    def to_dict(self) -> dict[str, Any]:
        """The result as ``--json`` prints it."""
        spent = self.spent
        return {
            "made": self.made,
            "operations": dict(self.operations),
            "rejected": sum(self.refused.values()),
            "why": dict(self.refused),
            "missing": self.missing,
            "unreadable": [reject.to_dict() for reject in self.unreadable[:100]],
            "lengths": self.lengths.to_dict() if self.lengths and self.lengths.records else None,
            "warnings": [{"means": one.means, "remedy": one.remedy} for one in self.cautions],
            "test_only": self.test_only,
            "stopped": self.stopped,
            "spent": None
            if spent is None
            else {
                "requests": spent.requests,
                "prompt_tokens": spent.tokens.prompt,
                "completion_tokens": spent.tokens.completion,
                "cost": None if spent.unpriced else round(spent.cost, 6),
            },
        }
