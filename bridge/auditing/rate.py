"""How many rows of a training set are wrong, as far as a sample that people checked tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bridge.merging.checked import figures
from bridge.merging.intervals import exact


@dataclass(frozen=True, slots=True)
class AuditRate:
    """What an audit says of the rows of one kind.

    Args:
        kind: of the training set.
        rows: how many rows it had when the sample was drawn.
        drawn: how many of them were drawn by lot.
        checked: how many of these people have decided on.
        wrong: how many of the checked ones are not right.
        undecided: rows that people contradict each other on; they count neither way.
        problems: what is wrong, to number of rows.
        contents: the rows that were drawn, by the hash of what they teach.
    """

    kind: str
    rows: int
    drawn: int
    checked: int
    wrong: int
    undecided: int = 0
    problems: Mapping[str, int] = field(default_factory=dict)
    contents: frozenset[str] = frozenset()

    @property
    def complete(self) -> bool:
        """Whether every row that was drawn is decided on."""
        return self.checked == self.drawn

    @property
    def share(self) -> float | None:
        """The share of wrong rows among those checked; None where none is."""
        return self.wrong / self.checked if self.checked else None

    @property
    def interval(self) -> tuple[float, float]:
        """What that share is in the whole set, with 95 % certainty (:func:`~bridge.merging.intervals.exact`).

        It takes the set for endless, so where much of it was drawn, it is wider than it need be.

        >>> [round(end, 4) for end in AuditRate("sft", 1000, 50, 50, 2).interval]
        [0.0049, 0.1371]
        """
        return exact(self.wrong, self.checked)

    def to_dict(self) -> dict[str, Any]:
        """The figures as ``--json`` and the manifest of a release have them."""
        return {"kind": self.kind, "rows": self.rows, **figures(self), "problems": dict(self.problems)}
