"""``campaign.yaml``: the one file that describes a campaign.

Every key has a flag of the same meaning on the commands that use it; a flag wins over the file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, ValidationError, model_validator

from bridge.complaints import Place, complaints
from bridge.curate.settings import CurateConfig
from bridge.errors import ConfigError
from bridge.exporting.settings import ExportsConfig
from bridge.questions import ONE_LINE, Misplaced, Name, Part, Version
from bridge.yamlfile import YamlFile, parse_yaml, read_yaml

FILE_NAME = "campaign.yaml"

Text = Annotated[str, StringConstraints(min_length=1, max_length=1000), ONE_LINE]

Property = Annotated[str, StringConstraints(pattern=re.compile(r"^(?!bridge_)[a-z0-9][a-z0-9_-]{0,49}$"))]
"""A column of the records that managers filter by: a name that both servers take."""


class ServerConfig(Part):
    """Where people work. ``workspace`` is for Argilla; ``memory`` needs nothing but its kind."""

    kind: Text = "label-studio"
    url: Text | None = None
    key_env: Text | None = None
    workspace: Text | None = None
    allow_http: bool = False


class RecordsConfig(Part):
    """The file with the records, its key column, and which column is which field (``{prompt: instruction}``)."""

    path: Text
    id: Text | None = None
    map: dict[Text, Text] = {}

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, data: Any) -> Any:
        return {"path": data} if isinstance(data, str) else data


class MergeConfig(Part):
    """How answers become one (see :class:`bridge.merging.Rule`)."""

    quorum: int = Field(1, ge=1, le=100)
    method: Literal["majority", "dawid-skene"] = "majority"
    threshold: float = Field(0.5, ge=0, lt=1)
    rewrites: Literal["each", "medoid"] = "each"
    labels: dict[Text, Text] = {}
    weights: Literal["none", "controls"] = "none"


Seed = Annotated[int, Field(ge=0, le=2**63 - 1)]


class ControlsConfig(Part):
    """The file of control items, how large a part of what is pushed they shall be, and what decides their places."""

    records: Text
    share: float = Field(gt=0, le=0.5)
    seed: Seed


class BlindConfig(Part):
    """The order in which compared responses are shown is drawn by lot; the seed decides it.

    ``without`` is a field that has no part in the draw, because it speaks of the order that was drawn.
    """

    seed: Seed
    without: Name | None = None


class AnchoringConfig(Part):
    """On this share of records, drawn by lot, people are shown no suggestions."""

    share: float = Field(gt=0, lt=1)
    seed: Seed


class ReleaseConfig(Part):
    """Where releases go, relative to the campaign's folder, and what their card says of the set.

    ``audit_max_error`` is what the share of wrong rows may be at most: the upper end of the interval that the audit
    gives for it, of each kind. ``judge_max_error`` is the same of judges' answers, on records that `annobridge route`
    left to them.
    """

    out: Text = "releases"
    title: Text | None = None
    description: Annotated[str, StringConstraints(min_length=1, max_length=10_000)] | None = None
    licence: Text | None = None
    url: Text | None = None
    citation: Text | None = None
    audit_max_error: float | None = Field(None, gt=0, lt=1)
    judge_max_error: float | None = Field(None, gt=0, lt=1)


class CampaignConfig(Part):
    """Everything that ``campaign.yaml`` can say."""

    version: Version = 1
    project: Text
    server: ServerConfig
    records: RecordsConfig
    template: Text
    annotators_per_record: int = Field(1, ge=1, le=100)
    properties: list[Property] = Field([], max_length=5)
    blind: BlindConfig | None = None
    anchoring: AnchoringConfig | None = None
    controls: ControlsConfig | None = None
    curate: CurateConfig = CurateConfig()
    merge: MergeConfig = MergeConfig()
    exports: ExportsConfig = ExportsConfig()
    release: ReleaseConfig = ReleaseConfig()

    @model_validator(mode="after")
    def _weighed_by_something(self) -> CampaignConfig:
        if self.merge.weights == "controls" and self.controls is None:
            raise Misplaced(("merge", "weights"), "there are no controls to weigh by: add 'controls'")
        return self


def load_config(path: Path, flags: Mapping[str, Any] | None = None) -> CampaignConfig:
    """Read ``campaign.yaml``; ``flags`` (nested like the file) win over what it says.

    Raises:
        ConfigError: the file or a flag is wrong; names the flag, or file and line, and the remedy.
    """
    return _checked(read_yaml(path, ConfigError), flags or {})


def parse_config(text: str, path: str, flags: Mapping[str, Any] | None = None) -> CampaignConfig:
    """Parse the text of a ``campaign.yaml`` as :func:`load_config` does; ``path`` is only for messages."""
    return _checked(parse_yaml(text, path, ConfigError), flags or {})


def _checked(source: YamlFile, flags: Mapping[str, Any]) -> CampaignConfig:
    source = YamlFile(source.path, _overlaid(source.data, flags), source.lines)
    try:
        return CampaignConfig.model_validate(source.data)
    except ValidationError as error:
        for complaint in complaints(error):
            flag = _flag(complaint.place, flags)
            if flag:
                raise ConfigError(
                    f"{flag}: {complaint.reason}", remedy="see docs/campaign.md for what it may be"
                ) from None
        raise source.explain(error, ConfigError, "see docs/campaign.md, or compare with `annobridge init`") from None


def _flag(place: Place, flags: Mapping[str, Any]) -> str:
    """The flag that gave the value at a place, or an empty text where the file did."""
    if place[:2] == ("exports", "splits") and "splits" in flags.get("exports", {}):
        return "--split"
    value: Any = flags
    for depth, part in enumerate(place, 1):
        if not isinstance(value, Mapping) or part not in value:
            return ""
        value = value[part]
        if not isinstance(value, Mapping) or place[:depth] == ("records", "map"):
            names: dict[Place, str] = {("server", "kind"): "server", ("records", "path"): "records"}
            return "--" + names.get(place[:depth], str(part)).replace("_", "-")
    return ""


def _overlaid(data: Any, flags: Mapping[str, Any]) -> Any:
    if not flags:
        return data
    merged = dict(data) if isinstance(data, dict) else {"path": data} if isinstance(data, str) else {}
    for name, value in flags.items():
        merged[name] = _overlaid(merged.get(name), value) if isinstance(value, Mapping) else value
    return merged


STARTER = """\
# What this campaign is. A flag of the same name wins over a key. More: docs/campaign.md
version: 1

# The project's name on the server: 3 to 50 characters for Label Studio.
project: {project}

server:
  kind: {kind}          # label-studio, or memory (no server at all: for trying things out)
{server}
# The records: JSONL, JSON, CSV, Parquet, or a folder written by datasets' save_to_disk.
# With other column names:  records: {{path: data.csv, id: row_id, map: {{prompt: instruction}}}}
records: {records}

# A ready-made task (`annobridge templates`), or the path of your own, such as ./mine.yaml
template: {template}

# How many people answer each record.
annotators_per_record: {annotators}

# How answers become one: how many a question needs, and more (docs/merging.md).
merge:
  quorum: 1

# What `annobridge export` makes: sft, dpo; as conversational and plain rows.
exports:
  to: [{exports}]
  formats: [conversational, plain]
"""


def starter(
    project: str, template: str, records: str, *, kind: str, url: str | None, annotators: int, exports: list[str]
) -> str:
    """The text of a commented ``campaign.yaml``.

    >>> 'template: "review"' in starter(
    ...     "Demo", "review", "records.jsonl", kind="memory", url=None, annotators=1, exports=["sft"])
    True
    """
    lines = []
    if kind != "memory":
        variable = re.sub("[^A-Z0-9]", "_", f"{kind.upper()}_API_KEY")
        lines = [
            f"  url: {_quoted(url or 'http://127.0.0.1:8080')}",
            f"  key_env: {variable}   # the environment variable with the key; or put the key into the key file",
        ]
    return STARTER.format(
        project=_quoted(project),
        kind=_quoted(kind),
        server="".join(f"{line}\n" for line in lines),
        records=_quoted(records),
        template=_quoted(template),
        annotators=annotators,
        exports=", ".join(exports),
    )


def _quoted(text: str) -> str:
    """A text as YAML in double quotes, on one line, whatever is in it."""
    escaped = (f"\\{c}" if c in '"\\' else c if c.isprintable() else f"\\U{ord(c):08x}" for c in text)
    return f'"{"".join(escaped)}"'
