"""``campaign.yaml`` after a migration: the same file with another server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge.config import CampaignConfig, ServerConfig, parse_config
from bridge.errors import ConfigError
from bridge.yamledit import with_values


def moved(text: str, path: str, to: ServerConfig | Mapping[str, Any], project: str) -> tuple[str, CampaignConfig]:
    """The text of ``campaign.yaml`` with another server and project; its comments stay. And what it says then.

    Raises:
        ConfigError: the server's part is wrong, or the file is written in a way that cannot be changed safely.

    >>> text = "project: Sums\\nserver: {kind: memory}\\nrecords: rows.jsonl\\ntemplate: rating\\n"
    >>> print(moved(text, "campaign.yaml", {"kind": "argilla", "url": "https://a.example"}, "Sums")[0])
    project: "Sums"
    server: {kind: "argilla", url: "https://a.example"}
    records: rows.jsonl
    template: rating
    <BLANKLINE>
    """
    given = to.model_dump() if isinstance(to, ServerConfig) else to
    server = {name: value for name, value in given.items() if value not in (None, False)}
    # The new server's values are checked as flags are: what is wrong was given by hand and not by the file.
    wanted = parse_config(
        with_values(text, {"server": {"kind": "memory"}}), path, {"server": server, "project": project}
    )
    changed = with_values(text, {"project": project, "server": server})
    if parse_config(changed, path) != wanted:
        raise ConfigError(
            f"{path}: the server and the project cannot be changed in it by program",
            remedy="write them plainly, as `annobridge init` does, then run this again",
        )
    return changed, wanted
