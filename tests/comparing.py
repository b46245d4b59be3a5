"""What an export says wherever its answers come from."""

from __future__ import annotations

import json
from pathlib import Path


def comparable(path: Path) -> bytes:
    """A file of an export, without what a manifest says of the server."""
    if not path.name.endswith(".manifest.json"):
        return path.read_bytes()
    manifest = json.loads(path.read_bytes())
    assert manifest.pop("origin")["server"]
    return json.dumps(manifest).encode()
