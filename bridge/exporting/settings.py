"""``exports`` of ``campaign.yaml``: which training sets are made, in which shapes, and what they must pass."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from bridge.questions import Part

Export = Literal["sft", "dpo", "kto", "reward"]
Seed = Annotated[int, Field(ge=0, le=2**63 - 1)]


class ExportsConfig(Part):
    """Which training sets to make, and in which shapes.

    ``formats`` are names of :data:`bridge.exporting.FORMATS`; each kind takes those that it has. ``seed`` decides the
    order of rows whose neighbours must not be of one prompt.
    """

    to: list[Export] = ["sft"]
    formats: list[str] = ["conversational", "plain"]
    files: list[Literal["jsonl", "parquet"]] = ["jsonl"]
    seed: Seed = 0
