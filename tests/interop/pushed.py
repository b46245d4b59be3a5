"""What is on the server of a campaign."""

from __future__ import annotations

from pathlib import Path

from bridge.campaign import Campaign
from bridge.servers.protocol import Server


def keys_there(folder: Path, server: Server | None = None) -> list[str]:
    """Keys on the server, as often as they are there."""
    campaign = Campaign(folder, server=server)
    project = campaign._project()
    with campaign._connected(project) as opened:
        opened.ensure(project, create=False)
        return sorted(key for page in opened.listing() for key, _ in page)
