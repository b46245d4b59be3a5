"""What the way in which records were presented tells of the people who answered, for the report on agreement."""

from __future__ import annotations

from dataclasses import dataclass, field

from bridge.merging.audits import Answered, Won
from bridge.presenting.controls import Judged


@dataclass(frozen=True, slots=True)
class Evidence:
    """Single cases, each empty where a campaign does not present its records so.

    Args:
        controls: answers to control items, and whether each is right.
        won: the places of winners, where the order of responses was drawn by lot.
        compared: answers beside the suggestions that were shown or hidden by lot.
    """

    controls: list[Judged] = field(default_factory=list)
    won: list[Won] = field(default_factory=list)
    compared: list[Answered] = field(default_factory=list)

    @property
    def right(self) -> list[tuple[str, str, bool]]:
        """Annotator, question, and whether the answer was right, for each answer to a control."""
        return [(case.annotator, case.question, case.right) for case in self.controls]
