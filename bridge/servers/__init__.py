"""Annotation servers: one small protocol, one file for each server."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from bridge.errors import ConfigError

if TYPE_CHECKING:
    from bridge.config import ServerConfig
    from bridge.servers.protocol import Server

Connect: TypeAlias = "Callable[[ServerConfig, Path], Server]"
"""Makes a server from its part of ``campaign.yaml`` and the campaign's ``.annobridge`` folder."""

ENTRY_POINTS = "annobridge.servers"


def connect(config: ServerConfig, state: Path) -> Server:
    """The server that a campaign names. Third parties register theirs under the entry point ``annobridge.servers``.

    Raises:
        ConfigError: the kind is unknown, or its url or key is missing or wrong.
    """
    builtin: dict[str, Connect] = {"argilla": _argilla, "label-studio": _label_studio, "memory": _memory}
    if config.kind in builtin:
        return builtin[config.kind](config, state)
    others = {entry.name: entry for entry in entry_points(group=ENTRY_POINTS)}
    if config.kind in others:
        made: Server = others[config.kind].load()(config, state)
        return made
    raise ConfigError(
        f"server.kind: this version knows no server {config.kind!r:.60}",
        remedy=f"use one of {', '.join(sorted([*builtin, *others]))}",
    )


def _argilla(config: ServerConfig, state: Path) -> Server:
    from bridge.keys import find_key
    from bridge.servers.argilla import Argilla

    if not config.url:
        raise ConfigError(
            "server.url: missing", remedy="add it to campaign.yaml, or start one: annobridge serve argilla"
        )
    key = find_key(config.url, config.key_env)
    return Argilla(config.url, key, config.workspace or "", allow_http=config.allow_http)


def _label_studio(config: ServerConfig, state: Path) -> Server:
    from bridge.keys import find_key
    from bridge.servers.label_studio import LabelStudio

    if not config.url:
        raise ConfigError(
            "server.url: missing", remedy="add it to campaign.yaml, or start one: annobridge serve label-studio"
        )
    return LabelStudio(config.url, find_key(config.url, config.key_env), allow_http=config.allow_http)


def _memory(config: ServerConfig, state: Path) -> Server:
    from bridge.servers.memory import MemoryServer

    return MemoryServer(state / "memory-server.json")
