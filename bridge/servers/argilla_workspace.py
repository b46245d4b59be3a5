"""Argilla: one workspace of a server, the people in it, and the routes that everything else goes by."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from bridge.errors import AuthError, ConfigError, NotFound
from bridge.servers.argilla_answers import names_of, new_user
from bridge.servers.http import Client
from bridge.servers.replies import expect, reading

if TYPE_CHECKING:
    import httpx2

    from bridge.keys import Secret
    from bridge.servers.retries import Retries

PAGE_SIZE = 1000

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


class Workspace:
    """One workspace of an Argilla server.

    Args:
        url: the server's address, without ``/api``.
        key: the API key of an owner, or of an admin of the workspace.
        workspace: its name; may be empty where the key's user has just one.
        allow_http: permit plain http to hosts other than this machine.
        transport: for tests, any httpx2 transport.
        retries: how often requests are sent again where that is safe.

    Raises:
        ConfigError: a name that breaks Argilla's own clients.
    """

    def __init__(
        self,
        url: str,
        key: Secret,
        workspace: str = "",
        *,
        allow_http: bool = False,
        transport: httpx2.BaseTransport | None = None,
        retries: Retries | None = None,
    ) -> None:
        if workspace and not _NAME.fullmatch(workspace):
            raise ConfigError(
                f"server.workspace: {workspace!r:.60} has characters that break Argilla's own clients",
                remedy="use letters, digits, - and _ ; make a workspace with such a name in Argilla",
            )
        self._http = Client(
            url,
            lambda: {"X-Argilla-Api-Key": key.reveal()},
            allow_http=allow_http,
            transport=transport,
            retries=retries,
        )
        self._workspace = workspace
        self._workspace_id = ""
        self._people: dict[str, str] = {}

    def close(self) -> None:
        """Let go of connections."""
        self._http.close()

    def _find_workspace(self) -> None:
        try:
            listed = expect(self._request("GET", "/me/workspaces", what="list the workspaces"), "items", list)
        except NotFound:
            raise NotFound(
                f"{self._http.origin}: this is no Argilla 2 server",
                remedy="check the url; a server of version 1 must be upgraded to 2.0 or newer",
            ) from None
        names = {str(workspace["name"]): str(workspace["id"]) for workspace in listed}
        if not self._workspace and len(names) == 1:
            self._workspace = next(iter(names))
        if self._workspace not in names:
            known = ", ".join(sorted(names)) or "none"
            problem = f"there is no workspace {self._workspace!r}" if self._workspace else "no workspace is named"
            raise NotFound(
                f"{self._http.origin}: {problem} that this key can see; it sees {known:.300}",
                remedy="set server.workspace in campaign.yaml, or make the workspace in Argilla",
            )
        self._workspace_id = names[self._workspace]

    # People

    def _person(self, user: str) -> str:
        if user not in self._people:
            self._people |= names_of(self._members())
        if user not in self._people:
            with suppress(AuthError):  # people who have left the workspace; only owners see them
                self._people |= names_of(self._users())
        return self._people.setdefault(user, f"user-{user}")

    def _members(self) -> list[dict[str, Any]]:
        reply = self._request("GET", f"/workspaces/{self._workspace_id}/users", what="list the annotators")
        return list(expect(reply, "items", list))

    def _users(self) -> list[dict[str, Any]]:
        return list(expect(self._request("GET", "/users", what="list the users"), "items", list))

    @reading
    def people(self) -> list[str]:
        """The names of the members of the workspace."""
        self._find_workspace()
        return sorted(names_of(self._members()).values())

    @reading
    def add_person(self, name: str, password: Secret) -> None:
        """Make an annotator and a member of the workspace; only owners of the server may.

        Raises:
            Refused: Argilla takes no such name or password.
            AuthError: the key is not an owner's.
        """
        self._find_workspace()
        ids = {known: id_ for id_, known in names_of(self._users()).items()}
        if name not in ids:
            made = self._request("POST", "/users", body=new_user(name, password.reveal()), what="make an account")
            ids[name] = str(expect(made, "id", str))
        path = f"/workspaces/{self._workspace_id}/users"
        self._request("POST", path, body={"user_id": ids[name]}, what="let somebody into the workspace")

    # Requests

    def _count(self, dataset: str) -> int:
        reply = self._request("GET", f"/datasets/{dataset}/records", params={"limit": 1}, what="count the records")
        return int(expect(reply, "total", int))

    def _search(self, dataset: str, query: Mapping[str, Any], *, limit: int, responses: bool = False) -> Any:
        parameters: dict[str, Any] = {"limit": limit}
        if responses:
            parameters["include"] = ["responses", "suggestions"]
        return self._request(
            "POST",
            f"/datasets/{dataset}/records/search",
            params=parameters,
            body=query,
            what="search the records",
            reads=True,
        )

    def _request(self, method: Any, path: str, **rest: Any) -> Any:
        return self._http.request(method, f"/api/v1{path}", **rest)

    def _pages(self, dataset: str, include: tuple[str, ...]) -> Iterator[tuple[list[dict[str, Any]], int]]:
        """Pages of the database's own list, each with the number of records in all.

        The list ends early where it shifted: whoever counts notices.
        """
        done, last = 0, ""
        while True:
            # Offsets shift when a record is deleted, so every page begins with the last record of the one before.
            parameters: dict[str, Any] = {"limit": PAGE_SIZE, "offset": max(done - 1, 0)}
            if include:
                parameters["include"] = list(include)
            reply = self._request("GET", f"/datasets/{dataset}/records", params=parameters, what="list the records")
            records, total = expect(reply, "items", list), expect(reply, "total", int)
            if last:
                if not records or str(records[0]["id"]) != last:
                    return
                del records[0]
            done += len(records)
            yield records, total
            if done >= total or not records:
                return
            last = str(records[-1]["id"])

    def _scan(self, dataset: str, include: tuple[str, ...] = ()) -> Iterator[dict[str, Any]]:
        for records, _ in self._pages(dataset, include):
            yield from records
