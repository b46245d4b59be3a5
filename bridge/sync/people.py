"""Pseudonyms: who answered, without saying who it is.

Annotators appear in all our files as ``a-`` and a keyed hash of their name on the server where they were first met.
The key and the tables of names stay in the campaign's ``.annobridge`` folder, readable by its owner only.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from pathlib import Path

from bridge.errors import StoreError
from bridge.keys import write_private

KEY_BYTES = 32


class People:
    """The annotators of one campaign.

    Args:
        folder: the campaign's ``.annobridge`` folder.
        project: which server and project the names are from. People whom ``migrate`` brought there keep their
            pseudonyms, whatever their names there are.
    """

    def __init__(self, folder: Path, project: str = "") -> None:
        self._key_path = folder / "pseudonym.key"
        self._names_path = folder / "annotators.json"
        self._moved_path = folder / "moved-annotators.json"
        self._project = project
        try:
            moved = json.loads(self._moved_path.read_text(encoding="utf-8")) if self._moved_path.exists() else {}
            names = json.loads(self._names_path.read_text(encoding="utf-8")) if self._names_path.exists() else {}
            key = bytes.fromhex(self._key_path.read_text(encoding="ascii")) if self._key_path.exists() else None
        except (OSError, ValueError, RecursionError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is damaged"
            raise StoreError(
                f"{folder}: the table of annotators cannot be read: {reason}", remedy="restore it from a backup"
            ) from None
        if not isinstance(names, dict) or not all(isinstance(name, str) for name in names.values()):
            raise StoreError(f"{self._names_path}: not a table of names", remedy="restore it from a backup")
        if not isinstance(moved, dict) or not all(isinstance(table, dict) for table in moved.values()):
            raise StoreError(f"{self._moved_path}: not a table of names", remedy="restore it from a backup")
        if (key is None and names) or (key is not None and len(key) != KEY_BYTES):
            # With another key the same people would count as new ones.
            raise StoreError(
                f"{self._key_path}: the key of the pseudonyms is {'missing' if key is None else 'damaged'}",
                remedy="restore it from a backup; without it, start over: move away the whole .annobridge folder",
            )
        self._key = key or b""
        self.names: dict[str, str] = names
        self._moved: dict[str, dict[str, str]] = moved
        self._known: dict[str, str] = {}

    def pseudonym(self, name: str) -> str:
        """The pseudonym of a person, always the same within the campaign."""
        if name in self._known:
            return self._known[name]
        self._need_key()
        moved = self._moved.get(self._project, {})
        pseudonym = moved.get(name) or self._hashed(name)
        if name not in moved and pseudonym in moved.values():
            # Somebody of another name here had this name elsewhere.
            pseudonym = self._hashed(f"{self._project}\0{name}")
        if pseudonym not in self.names:
            self.names[pseudonym] = name
            self._write(self._names_path, json.dumps(self.names, indent=2, ensure_ascii=False, sort_keys=True) + "\n")
        self._known[name] = pseudonym
        return pseudonym

    def lend(self, other: People) -> None:
        """Let another campaign, in which nobody has a pseudonym yet, know the same people by the same pseudonyms."""
        if other._key:
            return
        self._need_key()
        other._need_key(self._key)
        if self._project in self._moved:
            other.move(self._moved[self._project])

    def _need_key(self, key: bytes = b"") -> None:
        if not self._key:
            self._key = key or secrets.token_bytes(KEY_BYTES)
            self._write(self._key_path, self._key.hex())

    def _hashed(self, name: str) -> str:
        return "a-" + hmac.new(self._key, name.encode(), hashlib.sha256).hexdigest()[:12]

    @property
    def met(self) -> dict[str, str]:
        """Pseudonym to name of those who were asked for since this object was made."""
        return {pseudonym: name for name, pseudonym in self._known.items()}

    def move(self, names: Mapping[str, str]) -> None:
        """From now on, people of these names in this project have these pseudonyms."""
        moved = {**self._moved, self._project: {**self._moved.get(self._project, {}), **names}}
        if moved != self._moved:
            self._write(self._moved_path, json.dumps(moved, indent=2, ensure_ascii=False, sort_keys=True) + "\n")
            self._moved = moved
        known = {**self.names, **{pseudonym: name for name, pseudonym in names.items()}}
        if known != self.names:
            self._write(self._names_path, json.dumps(known, indent=2, ensure_ascii=False, sort_keys=True) + "\n")
            self.names = known
        self._known = {}

    def _write(self, path: Path, text: str) -> None:
        try:
            write_private(path, text)
        except OSError as error:
            raise StoreError(f"{path}: {error.strerror}", remedy="make the folder writable") from None
