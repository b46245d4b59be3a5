"""A release on a hub for data sets: everything that goes over the network, behind one seam."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from bridge.errors import AuthError, ServerError, SetupError, UsageError

KEY_ENV = "HF_TOKEN"

_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")


class Hub(Protocol):
    """A place for data sets."""

    def create(self, name: str) -> None:
        """Make the data set ``owner/name``, which nobody else can see, unless it is there."""

    def upload(self, folder: Path, name: str, version: str) -> str:
        """Put the files of a folder in the place of those that are there, and give that state the name of the release.

        Returns:
            The address of the data set.
        """


def upload(folder: Path, name: str, version: str, hub: Hub | None = None) -> str:
    """Bring a release to a hub, as a private data set.

    Args:
        folder: of the release.
        name: ``owner/name``.
        version: the release, which becomes a tag.
        hub: the place; by default Hugging Face's.

    Returns:
        The address of the data set.

    Raises:
        UsageError: no name for a data set.
        SetupError, AuthError, ServerError: as :class:`HuggingFace`.
    """
    check_hub(name)
    hub = hub or HuggingFace.of(os.environ)
    hub.create(name)
    return hub.upload(folder, name, version)


def check_hub(name: str) -> str:
    """The name of a data set, if it can be one.

    Raises:
        UsageError: it cannot.
    """
    if not _NAME.fullmatch(name) or "--" in name or ".." in name:
        raise UsageError(f"--hub {name!r:.100}: no name for a data set", remedy="give OWNER/NAME")
    return name


class HuggingFace:
    """The Hugging Face hub, by its own client, which is imported only here.

    Args:
        token: an access token that may write; it is in no message.
        endpoint: its address; by default the client's.
    """

    def __init__(self, token: str, endpoint: str | None = None) -> None:
        from huggingface_hub import HfApi

        self._api = HfApi(endpoint=endpoint, token=token)

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> HuggingFace:
        """With the token of the environment variable ``HF_TOKEN``.

        Raises:
            SetupError: its client is not installed.
            AuthError: the variable is not set.
        """
        if find_spec("huggingface_hub") is None:
            raise SetupError("huggingface_hub is not installed", remedy="pip install huggingface_hub")
        token = environment.get(KEY_ENV, "").strip()
        if not token:
            raise AuthError(f"{KEY_ENV} is not set", remedy=f"put a token that may write into {KEY_ENV}")
        return cls(token)

    def create(self, name: str) -> None:
        """See :class:`Hub`.

        Raises:
            AuthError: the token may not do this.
            ServerError: the hub refuses, or cannot be reached.
        """
        try:
            self._api.create_repo(name, repo_type="dataset", private=True, exist_ok=True)
        except Exception as error:  # noqa: BLE001 - the client raises errors of several HTTP libraries
            raise _explained(error, f"{name}: the data set cannot be made") from None

    def upload(self, folder: Path, name: str, version: str) -> str:
        """See :class:`Hub`.

        Raises:
            AuthError: the token may not do this.
            ServerError: the hub refuses, or cannot be reached; what is there is as it was, or whole.
        """
        try:
            done = self._api.upload_folder(
                repo_id=name,
                folder_path=folder,
                repo_type="dataset",
                commit_message=f"Release {version}",
                delete_patterns="*",
            )
            self._api.create_tag(name, tag=version, repo_type="dataset", revision=done.oid)
        except Exception as error:  # noqa: BLE001 - see above
            raise _explained(error, f"{name}: {version} was not brought there") from None
        return f"{self._api.endpoint}/datasets/{name}"


def _explained(error: Exception, what: str) -> ServerError:
    """The client's error in words of our own: it may hold the request, and that the token."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in (401, 403):
        refused = f"{what}: the hub refuses the token (HTTP {status})"
        return AuthError(refused, remedy=f"see that {KEY_ENV} may write there")
    if status == 409:
        return ServerError(f"{what}: it has such a release already", remedy="release another version")
    said = f"HTTP {status}" if status else type(error).__name__
    return ServerError(f"{what}: {said}", remedy="the release is whole on this machine: try --hub again later")
