"""``exports.gates`` of ``campaign.yaml``: which gates rows must pass, and their thresholds."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from bridge.questions import ONE_LINE, Part

Path = Annotated[str, StringConstraints(min_length=1, max_length=1000), ONE_LINE]


def _switch(usual: Any) -> BeforeValidator:
    """``true`` stands for the usual threshold, ``false`` for none, and one text for a list of one."""

    def read(value: Any) -> Any:
        if isinstance(value, bool):
            return usual if value else None
        return [value] if isinstance(value, str) and isinstance(usual, list) else value

    return BeforeValidator(read)


def _some_files(value: Any) -> Any:
    if value is True:
        raise ValueError("name the evaluation files that rows are compared with")
    return None if value is False else [value] if isinstance(value, str) else value


Percent = Annotated[float, Field(ge=50, le=100)]
Ratio = Annotated[float, Field(gt=1)]
Share = Annotated[float, Field(gt=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Licences = Annotated[list[Path], Field()]
Files = Annotated[list[Path], Field(min_length=1)]


class GatesConfig(Part):
    """The gates of :mod:`bridge.exporting.gates`: each is on or off, or has a threshold.

    ``true`` gives a gate its usual threshold. ``tokenizer`` is a ``tokenizer.json``, or a folder with one, by which
    ``equal_truncated`` and ``too_long`` count; without it, tokens are estimated.

    >>> GatesConfig.model_validate({"near_equal": True, "duplicates": False}).near_equal
    95.0
    """

    null: bool = True
    empty: bool = True
    unstripped: bool = True
    role_order: bool = True
    system_first: bool = True
    tool_turns: Annotated[Literal["report", "refuse"] | None, _switch("refuse")] = "report"
    reserved: bool = True
    test_only: bool = True
    licence: Annotated[Licences | None, _switch([])] = None
    equal: bool = True
    near_equal: Annotated[Percent | None, _switch(95.0)] = None
    equal_truncated: Annotated[Count | None, _switch(1024)] = None
    length_ratio: Annotated[Ratio | None, _switch(5.0)] = None
    too_long: Annotated[Count | None, _switch(1024)] = None
    too_long_characters: Annotated[Count | None, _switch(20_000)] = None
    pii: Annotated[Literal["report", "refuse"] | None, _switch("refuse")] = None
    contamination: Annotated[Files | None, BeforeValidator(_some_files)] = None
    duplicates: bool = True
    near_duplicates: Annotated[Share | None, _switch(0.8)] = None
    contradictions: Annotated[Literal["cycles", "strict"] | None, _switch("cycles")] = "cycles"
    one_label: bool = True
    tokenizer: Path | None = None


GATE_NAMES: tuple[str, ...] = tuple(name for name in GatesConfig.model_fields if name != "tokenizer")
"""All gates, in the order in which rows meet them."""
