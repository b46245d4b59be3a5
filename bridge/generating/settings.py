"""``generate.yaml``: what is to be generated, from what, and by which models. Each key has a flag, which wins."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, ValidationError, model_validator

from bridge.complaints import complaints
from bridge.errors import ConfigError, UsageError
from bridge.generating.novelty import THRESHOLD
from bridge.questions import ONE_LINE, Misplaced, Part, Prose, Version
from bridge.records import canonical_json
from bridge.yamlfile import YamlFile, read_yaml

FILE_NAME = "generate.yaml"

Text = Annotated[str, StringConstraints(min_length=1, max_length=1000), ONE_LINE]
Texts = Annotated[list[Text], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)]


def _sendable(parameters: dict[str, Any]) -> dict[str, Any]:
    for name in ("n", "stream", "model", "messages", "response_format"):
        if name in parameters:
            raise Misplaced((name,), "it is set by what is generated; leave it out (candidates says how many answers)")
    for name, value in parameters.items():
        try:
            canonical_json(value)
        except (ValueError, TypeError, RecursionError):
            raise Misplaced((name,), "no JSON value, so it cannot be sent (quote a date)") from None
    return parameters


Parameters = Annotated[dict[Text, Any], AfterValidator(_sendable)]


class ModelPart(Part):
    """A model: its name at its endpoint, the endpoint where it is another one, and what it is asked with."""

    name: Text
    url: Text | None = None
    parameters: Parameters = {}

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, data: Any) -> Any:
        return {"name": data} if isinstance(data, str) else data


class ArmPart(Part):
    """One of several ways to answer: by another model, or with another system prompt."""

    name: Text
    model: Text | None = None
    system: Prose = ""
    parameters: Parameters = {}


class RowsPart(Part):
    """The user's own rows: the file, its key column, and which column is which field (``{prompt: question}``)."""

    path: Text
    id: Text | None = None
    map: dict[Text, Text] = {}

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, data: Any) -> Any:
        return {"path": data} if isinstance(data, str) else data


class InstructionsPart(Part):
    """New instructions: ``count`` of them, dealt to all combinations of topics, personas and levels.

    ``examples`` of the user's rows are shown with each request for ``per_request`` instructions; where too few are new,
    more are asked for, in up to ``rounds`` rounds. ``shots`` answered rows stand before each prompt that is answered.
    """

    count: int = Field(20, ge=1, le=1_000_000)
    topics: Texts = []
    personas: Texts = []
    levels: Texts = []
    per_request: int = Field(5, ge=1, le=50)
    rounds: int = Field(4, ge=1, le=20)
    examples: int = Field(3, ge=0, le=20)
    shots: int = Field(0, ge=0, le=20)


class NoveltyPart(Part):
    """From which ROUGE-L on an instruction is not new, and files with others that it is compared with."""

    threshold: float = Field(THRESHOLD, gt=0, le=1)
    against: Texts = []


class RewritePart(Part):
    """How answers are to be rewritten, and whether that becomes a suggestion for the row as it is."""

    instruction: Prose = "Make it clearer and more helpful."
    suggest: bool = False


class AugmentPart(Part):
    """Strata with fewer than ``below`` rows get variants, at most ``per_row`` of each row. ``only`` names strata."""

    by: Text | None = None
    below: int = Field(20, ge=1, le=1_000_000)
    only: Texts = []
    per_row: int = Field(3, ge=1, le=50)


class BudgetPart(Part):
    """The most that may be spent, on all that stands in the journal."""

    cost: float | None = None
    tokens: int | None = None
    requests: int | None = None


class GenerateConfig(Part):
    """Everything that ``generate.yaml`` can say.

    ``recipes`` say how models are asked (:mod:`bridge.generating.recipes`); to augment, several take turns. ``names``
    must stay in variants and rewritten answers, ``keep`` is metadata of rows that goes on to what is made from them.
    """

    version: Version = 1
    make: Literal["instructions", "candidates", "rewrite", "augment"] = "instructions"
    template: Text = "review"
    url: Text | None = None
    models: Annotated[list[ModelPart], BeforeValidator(lambda v: [v] if isinstance(v, str | dict) else v)] = []
    allow_http: bool = False
    concurrency: int = Field(8, ge=1, le=128)
    batch: bool = False
    budget: BudgetPart = BudgetPart()
    prices: Text | None = None
    rows: RowsPart | None = None
    instructions: InstructionsPart = InstructionsPart()
    novelty: NoveltyPart = NoveltyPart()
    candidates: int | None = Field(None, ge=1, le=20)
    system: Prose = ""
    arms: list[ArmPart] = []
    rewrite: RewritePart = RewritePart()
    augment: AugmentPart = AugmentPart()
    recipes: Texts = []
    names: Texts = []
    keep: Texts = []
    seed: int = Field(0, ge=0, le=2**63 - 1)

    @model_validator(mode="after")
    def _consistent(self) -> GenerateConfig:
        if not self.models:
            raise Misplaced(("models",), "no model is named; name one, such as models: [small-1]")
        for place, one in enumerate(self.models):
            if one.url is None and self.url is None:
                raise Misplaced(("models", place), "no endpoint: give url, such as http://127.0.0.1:8080/v1")
        if self.make == "instructions" and not self.instructions.topics:
            raise Misplaced(("instructions",), "no topics; name some, such as topics: [cooking, travel]")
        if self.make != "instructions" and self.rows is None:
            raise Misplaced(("rows",), f"to make {self.make}, name the file with the rows")
        if self.make == "augment" and self.augment.by is None:
            raise Misplaced(("augment",), "by is missing: the column that says which stratum a row is of")
        if self.make in ("instructions", "rewrite") and len(self.recipes) > 1:
            raise Misplaced(("recipes",), f"to make {self.make}, one recipe is used; name one")
        if self.make == "candidates" and self.recipes:
            raise Misplaced(("recipes",), "candidates answer a prompt as it is; leave recipes out")
        for what, given in (("arms", self.arms), ("candidates", self.candidates), ("system", self.system)):
            if self.make == "rewrite" and given:
                raise Misplaced((what,), "the first model rewrites, by its recipe alone; leave this out")
        for what, names in (("models", [m.name for m in self.models]), ("arms", [a.name for a in self.arms])):
            if len({*names}) < len(names):
                raise Misplaced((what,), "the same name stands twice")
        known = {one.name for one in self.models}
        for place, arm in enumerate(self.arms):
            if arm.model is not None and arm.model not in known:
                raise Misplaced(("arms", place), f"its model {arm.model!r:.60} is none of models")
        if self.arms and len(self.arms) < 2:
            raise Misplaced(("arms",), "one arm compares nothing; name two, or leave arms out and set system")
        return self


def load_settings(path: str | Path | None, flags: Mapping[str, Any]) -> tuple[GenerateConfig, Path]:
    """The settings of a file and of flags, and the folder that paths in the file start from.

    Args:
        path: ``generate.yaml`` or another file; None where flags say everything.
        flags: dotted key to value, such as ``{"instructions.count": 20}``; None for a flag that is not given.

    Raises:
        ConfigError: something cannot be right; names file and line.

    >>> config, _ = load_settings(None, {"url": "http://127.0.0.1:1/v1", "models": ["m"], "instructions.topics": ["a"]})
    >>> config.make, config.models[0].name, config.instructions.count
    ('instructions', 'm', 20)
    """
    file = YamlFile("the flags", {}, {}) if path is None else read_yaml(Path(path), ConfigError)
    data = _merged(file.data, {key: value for key, value in flags.items() if value is not None})
    try:
        config = GenerateConfig.model_validate(data)
    except ValidationError as error:
        if path is None:
            found = next(complaints(error))
            place = ".".join(map(str, found.place))
            raise UsageError(
                f"{place or 'the flags'}: {found.reason}",
                remedy=found.remedy or "see annobridge generate --help, or write a generate.yaml",
            ) from None
        raise file.explain(error, ConfigError, "see docs/generation.md for all keys") from None
    return config, Path() if path is None else Path(path).parent


def _merged(data: Mapping[str, Any], flags: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(data)
    for key, value in flags.items():
        first, _, rest = key.partition(".")
        if rest:
            inner = merged.get(first)
            inner = {"path": inner} if first == "rows" and isinstance(inner, str) else inner
            merged[first] = {**(inner if isinstance(inner, dict) else {}), rest: value}
        else:
            merged[first] = value
    return merged
