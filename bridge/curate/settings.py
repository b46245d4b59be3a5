"""How the steps of curation are set: what ``campaign.yaml`` may say of each, and the same for their flags."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, Field, StringConstraints, ValidationError, model_validator

from bridge.complaints import complaints
from bridge.errors import UsageError
from bridge.questions import ONE_LINE, Part

Name = Annotated[str, StringConstraints(min_length=1, max_length=1000), ONE_LINE]
Names = Annotated[list[Name], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)]
Share = Annotated[float, Field(gt=0, le=1)]
Side: TypeAlias = Literal["prompt", "response", "both"]
Unwanted: TypeAlias = Literal["drop", "refuse", "keep"]


class Clean(Part):
    """Rules that mend texts and drop worthless responses (:class:`bridge.curate.clean.Cleaner`)."""

    only: Names | None = None
    off: Names = []
    min_words: int = Field(1, ge=0)
    asked_words: int = Field(3, ge=0)
    phrases: Name | None = None


class Pii(Part):
    """Personal data (:class:`bridge.curate.masking.Privacy`). ``key_env`` names the variable with the secret of
    pseudonyms, ``ner`` an installed spaCy model. The mode ``none`` is for campaigns that do not want to be told."""

    mode: Literal["report", "mask", "pseudonymise", "drop", "none"] = "report"
    only: Names | None = None
    off: Names = []
    regions: Names = ["US"]
    names: Names = []
    speakers: bool = True
    ner: Name | None = None
    key_env: Name | None = None
    at_least: float = Field(0.5, ge=0, le=1)


class Dedup(Part):
    """Duplicates (:func:`bridge.curate.duplicates.duplicates`). ``static`` and ``judge`` are folders with models."""

    method: Literal["exact", "near", "minhash", "semantic"] = "near"
    on: Side = "both"
    threshold: Share | None = None
    n: int = Field(3, ge=1, le=20)
    cluster: Literal["greedy", "components"] = "greedy"
    static: Name | None = None
    judge: Name | None = None


class Decontaminate(Part):
    """Evaluation items (:func:`bridge.curate.decontaminate.decontaminate`). ``against`` are files or folders."""

    against: Names = Field(min_length=1)
    columns: Names | None = None
    on: Side = "both"
    rule: Literal["both", "containment", "token_set_ratio"] = "both"
    containment: Share = 0.5
    ratio: float = Field(85, ge=50, le=100)
    n: int = Field(3, ge=1, le=20)


class Balance(Part):
    """Caps per group (:func:`bridge.curate.select.balance`)."""

    by: Names = Field(min_length=1)
    cap: int | None = Field(None, ge=1)
    share: Share | None = None
    best: Name | None = None
    seed: int = 0


class Sample(Part):
    """Samples of an exact size, random (:func:`bridge.curate.select.sample`) or as different as can be
    (:func:`bridge.curate.diversity.diverse`, with ``model`` as a folder with a model)."""

    size: int | None = Field(None, ge=1)
    share: Share | None = None
    by: Names = []
    at_least: int = Field(0, ge=0)
    diverse: bool = False
    on: Side = "both"
    model: Name | None = None
    seed: int = 0


class Licences(Part):
    """What may be used (:func:`bridge.curate.select.licences`)."""

    allow: Names = []
    sources: Names = []
    of_source: dict[Name, Name] = {}
    unknown: Unwanted = "drop"
    forbidden: Unwanted = "drop"


Settings: TypeAlias = "Clean | Pii | Dedup | Decontaminate | Balance | Sample | Licences"


class Step(Part):
    """One step of a list: its name alone, or ``{name: settings}``."""

    clean: Clean | None = None
    pii: Pii | None = None
    dedup: Dedup | None = None
    decontaminate: Decontaminate | None = None
    balance: Balance | None = None
    sample: Sample | None = None
    licences: Licences | None = None

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, data: Any) -> Any:
        if isinstance(data, str):
            if data not in cls.model_fields:
                raise ValueError(f"{data!r:.60} is no step: there are {', '.join(cls.model_fields)}")
            return {data: {}}
        if isinstance(data, dict):
            return {name: {} if settings is None else settings for name, settings in data.items()}
        return data

    @model_validator(mode="after")
    def _one(self) -> Step:
        if len(self.model_fields_set) != 1:
            raise ValueError("a step has one name: write each as an item of its own")
        return self

    @property
    def named(self) -> tuple[str, Settings]:
        """The step's name and its settings."""
        (name,) = self.model_fields_set
        return name, getattr(self, name)


class CurateConfig(Part):
    """What becomes of records before people see them, and of training rows before they are written."""

    before_push: list[Annotated[Step, Field()]] = []
    before_export: list[Annotated[Step, Field()]] = []


def made(kind: type[Part], **given: Any) -> Any:
    """The settings of a step from flags; those that were not given keep the step's own default.

    Raises:
        UsageError: a flag's value is none that the step knows.

    >>> made(Balance, by="task", cap=None).by
    ['task']
    """
    try:
        return kind(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = next(complaints(error))
        place = f"--{first.place[0]}: ".replace("_", "-") if first.place else ""
        raise UsageError(f"{place}{first.reason}", remedy="see --help for what it may be") from None
