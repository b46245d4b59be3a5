"""What ``annobridge adjudicate`` did."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge.sync.push_result import PushResult


@dataclass
class AdjudicationResult:
    """What was put before adjudicators.

    Args:
        folder: of the linked campaign.
        unresolved: records of the campaign that people do not agree on now.
        too_few: records that are left alone because they only have too few answers.
        missing: unresolved records that are not in the campaign's file any more.
        added: how many of the unresolved ones are new in the linked campaign.
        shown: whether adjudicators see what people answered.
        pushed: what became of the linked campaign's records; None where there is no linked campaign, for lack of
            anything to decide.
    """

    folder: Path
    unresolved: int = 0
    too_few: int = 0
    missing: int = 0
    added: int = 0
    shown: bool = False
    pushed: PushResult | None = None

    @property
    def complete(self) -> bool:
        """Whether all that is to be decided is on the server."""
        return self.pushed is None or self.pushed.complete

    def to_dict(self) -> dict[str, Any]:
        """The result as ``--json`` prints it."""
        return {
            "folder": str(self.folder),
            "unresolved": self.unresolved,
            "too_few": self.too_few,
            "missing": self.missing,
            "added": self.added,
            "answers": "shown" if self.shown else "hidden",
            "pushed": self.pushed.to_dict() if self.pushed else None,
        }
