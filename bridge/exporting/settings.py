"""``exports`` of ``campaign.yaml``: which training sets are made, in which shapes, and what they must pass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, ValidationError, model_validator

from bridge.errors import UsageError
from bridge.exporting.gates_settings import GatesConfig
from bridge.questions import ONE_LINE, Misplaced, Part

Export = Literal["sft", "dpo", "kto", "reward"]
Seed = Annotated[int, Field(ge=0, le=2**63 - 1)]
Line = Annotated[str, StringConstraints(max_length=200), ONE_LINE]
Share = Annotated[float, Field(ge=0, lt=1)]


class SplitsConfig(Part):
    """Which shares of the rows are held back (:mod:`bridge.exporting.splits`); the rest is ``train``.

    ``salt`` decides which rows; another one is another division. Prompts of a similarity of at least ``near`` never
    stand on two sides. ``stratify`` is a column of the records' metadata in each of whose values the shares hold.
    """

    valid: Share = 0.0
    test: Share = 0.0
    salt: Line = ""
    near: float = Field(0.7, gt=0, le=1)
    stratify: Line = ""

    @model_validator(mode="after")
    def _something_everywhere(self) -> SplitsConfig:
        if not 0 < self.valid + self.test < 1:
            raise Misplaced(("valid",), "valid and test must leave something for train, and one of them be above 0")
        return self

    @classmethod
    def of(cls, shares: Mapping[str, float]) -> SplitsConfig:
        """Such shares, and all else as usual.

        Raises:
            UsageError: they cannot be.

        >>> SplitsConfig.of({"test": 0.5}).near
        0.7
        """
        try:
            return cls.model_validate(dict(shares))
        except ValidationError:
            raise UsageError(
                "--split: valid and test must be shares above 0 that leave something for train",
                remedy="such as --split valid=0.1 --split test=0.1",
            ) from None

    def shares(self) -> dict[str, float]:
        """Name of a split to its share of the rows.

        >>> SplitsConfig(valid=0.25).shares()
        {'train': 0.75, 'valid': 0.25, 'test': 0.0}
        """
        return {"train": round(1 - self.valid - self.test, 9), "valid": self.valid, "test": self.test}


class ExportsConfig(Part):
    """Which training sets to make, and in which shapes.

    ``formats`` are names of :data:`bridge.exporting.FORMATS`; each kind takes those that it has. ``seed`` decides the
    order of rows whose neighbours must not be of one prompt. ``reasoning`` says whether
    what a model thought before it answered stays in the rows, ``system`` whether system messages stay, or are merged
    into the user's first turn. ``gates`` are what rows must pass. Without ``splits`` the sets are not parted.
    ``chat_template`` is a Jinja file or a tokenizer's folder, relative to the campaign's, for the format ``text``.
    """

    to: list[Export] = ["sft"]
    formats: list[str] = ["conversational", "plain"]
    files: list[Literal["jsonl", "parquet"]] = ["jsonl"]
    chat_template: Line = ""
    seed: Seed = 0
    reasoning: Literal["keep", "strip"] = "keep"
    system: Literal["keep", "merge"] = "keep"
    gates: GatesConfig = GatesConfig()
    splits: SplitsConfig | None = None
