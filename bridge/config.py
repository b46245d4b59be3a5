"""``campaign.yaml``: the one file that describes a campaign.

Every key has a flag of the same meaning on the commands that use it; a flag wins over the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, ValidationError, model_validator

from bridge.errors import ConfigError
from bridge.questions import Part
from bridge.yamlfile import YamlFile, read_yaml

FILE_NAME = "campaign.yaml"

Text = Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=r"^[^\x00-\x1f\x7f]+$")]
Export = Literal["sft", "dpo"]
Format = Literal["conversational", "plain"]


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
    """How answers become one: ``quorum`` is how many answers a question needs."""

    quorum: int = Field(1, ge=1, le=100)


class ExportsConfig(Part):
    """Which training sets to make, and in which shapes."""

    to: list[Export] = ["sft"]
    formats: list[Format] = ["conversational", "plain"]


class CampaignConfig(Part):
    """Everything that ``campaign.yaml`` can say."""

    version: Literal[1] = 1
    project: Text
    server: ServerConfig
    records: RecordsConfig
    template: Text
    annotators_per_record: int = Field(1, ge=1, le=100)
    merge: MergeConfig = MergeConfig()
    exports: ExportsConfig = ExportsConfig()


def load_config(path: Path, flags: Mapping[str, Any] | None = None) -> CampaignConfig:
    """Read ``campaign.yaml``; ``flags`` (nested like the file) win over what it says.

    Raises:
        ConfigError: the file or a flag is wrong; names file, line and remedy.
    """
    source = read_yaml(path, ConfigError)
    source = YamlFile(source.path, _overlaid(source.data, flags or {}), source.lines)
    try:
        return CampaignConfig.model_validate(source.data)
    except ValidationError as error:
        raise source.explain(error, ConfigError, "see docs/campaign.md, or compare with `annobridge init`") from None


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
  kind: {kind}            # label-studio, or memory (no server at all: for trying things out)
{server}
# The records: JSONL, JSON, CSV, Parquet, or a folder written by datasets' save_to_disk.
# With other column names:  records: {{path: data.csv, id: row_id, map: {{prompt: instruction}}}}
records: {records}

# A ready-made task (`annobridge templates`), or the path of your own, such as ./mine.yaml
template: {template}

# How many people answer each record.
annotators_per_record: {annotators}

# How many answers a question needs before it counts.
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

    >>> "template: review" in starter(
    ...     "Demo", "review", "records.jsonl", kind="memory", url=None, annotators=1, exports=["sft"])
    True
    """
    import json

    lines = []
    if kind != "memory":
        variable = f"{kind.upper().replace('-', '_')}_API_KEY"
        lines = [
            f"  url: {json.dumps(url or 'http://127.0.0.1:8080')}",
            f"  key_env: {variable}   # the environment variable with the key; or put the key into the key file",
        ]
    # JSON strings are YAML strings, whatever is in them.
    return STARTER.format(
        project=json.dumps(project, ensure_ascii=False),
        kind=kind,
        server="".join(f"{line}\n" for line in lines),
        records=json.dumps(records, ensure_ascii=False),
        template=json.dumps(template, ensure_ascii=False) if not template.isidentifier() else template,
        annotators=annotators,
        exports=", ".join(exports),
    )
