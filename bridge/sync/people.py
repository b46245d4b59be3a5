"""Pseudonyms: who answered, without saying who it is.

Annotators appear in all our files as ``a-`` and a keyed hash of their name on the server. The key and the table of
names stay in the campaign's ``.annobridge`` folder, readable by its owner only.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from pathlib import Path

from bridge.errors import StoreError
from bridge.keys import write_private


class People:
    """The annotators of one campaign.

    Args:
        folder: the campaign's ``.annobridge`` folder.
    """

    def __init__(self, folder: Path) -> None:
        self._key_path = folder / "pseudonym.key"
        self._names_path = folder / "annotators.json"
        try:
            self._key = bytes.fromhex(self._key_path.read_text()) if self._key_path.exists() else b""
            self.names: dict[str, str] = json.loads(self._names_path.read_text()) if self._names_path.exists() else {}
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is damaged"
            raise StoreError(
                f"{folder}: the table of annotators cannot be read: {reason}", remedy="restore it"
            ) from None

    def pseudonym(self, name: str) -> str:
        """The pseudonym of a person, always the same within the campaign."""
        if not self._key:
            self._key = secrets.token_bytes(32)
            self._write(self._key_path, self._key.hex())
        pseudonym = "a-" + hmac.new(self._key, name.encode(), hashlib.sha256).hexdigest()[:12]
        if pseudonym not in self.names:
            self.names[pseudonym] = name
            self._write(self._names_path, json.dumps(self.names, indent=2, ensure_ascii=False, sort_keys=True) + "\n")
        return pseudonym

    def _write(self, path: Path, text: str) -> None:
        try:
            write_private(path, text)
        except OSError as error:
            raise StoreError(f"{path}: {error.strerror}", remedy="make the folder writable") from None
