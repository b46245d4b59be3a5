"""What is done to the texts of rows where it is asked for, before anything looks at them: ``exports`` of a campaign."""

from __future__ import annotations

from typing import Literal

from bridge.exporting.plan import Sieve
from bridge.exporting.reasoning import strip_reasoning
from bridge.exporting.systems import merge_system


def shaping(*, reasoning: Literal["keep", "strip"] = "keep", system: Literal["keep", "merge"] = "keep") -> list[Sieve]:
    """The steps that are asked for, in their order.

    Args:
        reasoning: whether what a model thought before it answered stays in the rows.
        system: whether system messages stay, or are merged into the first turn of the user.

    >>> shaping(), len(shaping(reasoning="strip", system="merge"))
    ([], 2)
    """
    return [*([strip_reasoning] if reasoning == "strip" else []), *([merge_system] if system == "merge" else [])]
