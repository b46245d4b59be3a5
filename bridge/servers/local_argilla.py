"""An Argilla of one's own, with all that it consists of: installed, started on loopback, and stopped again.

Used by ``annobridge serve argilla`` and the tests::

    with LocalArgilla(say=print) as server:
        print(server.url, server.username, server.workspace)
        anna = server.add_user("anna")

It is five programs: the search engine (OpenSearch), the queue (Redis), the server, and its worker, which are two. A
data folder (``home``) holds everything of one server: database, index, queue, logs and ``credentials.json`` (0600).
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import secrets
import shutil
import sqlite3
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import httpx2

from bridge.errors import SetupError
from bridge.keys import Secret, write_private
from bridge.servers.argilla_environment import OWNER, Environment, install
from bridge.servers.local_environment import Say
from bridge.servers.local_home import Home
from bridge.servers.local_process import Process, local_client, wait_until
from bridge.servers.local_server import LocalServer

WORKSPACE = "annobridge"

_API = "/api/v1"
_KEY = "X-Argilla-Api-Key"
_SEARCH_PORT = re.compile(rb"HTTP Port: +(\d+)")
_LISTENING = re.compile(rb"Uvicorn running on http://127\.0\.0\.1:(\d+) ")


@dataclass(frozen=True)
class User:
    """Somebody who can log in, and whose API key can be used in their name."""

    username: str
    password: Secret
    key: Secret


class LocalArgilla(LocalServer):
    """One Argilla server on this machine, with its search engine, queue and worker.

    Args:
        home: its data folder; by default ``argilla`` in the user's data folder. Created with mode 0700.
        port: 0 takes the port of the last time, or any free one.
        say: told what happens, in sentences for a person.

    Attributes:
        username: the owner's login; this and the next three exist after :meth:`start`.
        password: the owner's password.
        api_key: the owner's API key.
        search_url: where the search engine listens, which has no password.
        workspace: the workspace that :meth:`add_user` puts people into.
    """

    name = "Argilla"
    username: str
    password: Secret
    api_key: Secret
    search_url: str
    workspace = WORKSPACE

    def __init__(self, home: Path | None = None, *, port: int = 0, say: Say = lambda message: None) -> None:
        super().__init__(Home(home, "argilla", self.name), port, say)
        self._temporary: Path | None = None

    def _start(self) -> None:
        environment = install(self._say)
        lock = self._home.take(self._say)
        owner = self._owner()
        data = self.home / "data"
        data.mkdir(mode=0o700, exist_ok=True)
        self.username, self.password, self.api_key = OWNER, Secret(owner["password"]), Secret(owner["key"])
        self._make_database(environment, data)
        self._launch(environment, data, lock)
        self._let_the_owner_in()

    def add_user(self, username: str) -> User:
        """An annotator in the workspace; the same one whenever the same name is asked for.

        Raises:
            SetupError: the name is taken by somebody whose password is not known here, or cannot be one.
        """
        self._must_run()
        user = self._home.user(username)
        if "key" not in user:
            with self._client() as client:
                user |= {"key": self._made_user(client, username, user["password"])}
            self._home.remember(username, user)
        return User(username, Secret(user["password"]), Secret(user["key"]))

    def stop(self) -> None:
        """Stop all of it, if it runs; the data stays."""
        super().stop()
        if self._temporary:
            shutil.rmtree(self._temporary, ignore_errors=True)
            self._temporary = None

    # -- the programs

    def _launch(self, environment: Environment, data: Path, lock: int) -> None:
        port = self._home.choose_port(self._port)
        self.url = f"http://127.0.0.1:{port}"
        self._say(f"starting Argilla in {self.home}")
        # A home's path has any length, but that of a socket at most a hundred characters.
        self._temporary = Path(tempfile.mkdtemp(prefix="annobridge-"))
        queue = self._temporary / "queue"

        def run(name: str, command: list[str], folder: str, variables: dict[str, str]) -> Process:
            place = self.home / folder
            place.mkdir(mode=0o700, exist_ok=True)
            log = self.home / f"{name.rpartition(' ')[2].lower()}.log"
            return self._run(Process(name, command, variables=variables, folder=place, log=log, lock=lock))

        plain = environment.variables(data, self._temporary)
        run("Redis", environment.queue_command(queue), "queue", plain)
        cluster = f"annobridge-{hashlib.sha256(str(self.home).encode()).hexdigest()[:16]}"
        search = run("OpenSearch", environment.search_command(self.home / "search", cluster), "search", plain)
        found = wait_until(lambda: search.said(_SEARCH_PORT), *self._processes, say=self._say)
        self.search_url = f"http://127.0.0.1:{int(found[1])}"
        # The server reads its own code for as long as the search engine starts, and then waits for it.
        variables = plain | {
            "ARGILLA_AUTH_SECRET_KEY": self._signing_key(),
            "ARGILLA_CORS_ORIGINS": f'["{self.url}"]',
            "ARGILLA_ELASTICSEARCH": self.search_url,
            "ARGILLA_REDIS_URL": f"unix://{quote(str(queue))}",
        }
        start = environment.command("start", "--host", "127.0.0.1", "--port", str(port), "--no-access-log")
        server = run("Argilla's server", start, "data", variables)
        wait_until(self._search_is_healthy, *self._processes, say=self._say)
        wait_until(lambda: server.said(_LISTENING) and self._is_healthy(), *self._processes, say=self._say)
        self._home.note_port(port)
        # What it does can wait until it has started: webhooks, and statuses after a change of the distribution.
        run("Argilla's worker", environment.command("worker", "--num-workers", "1"), "data", variables)

    def _search_is_healthy(self) -> bool | None:
        with contextlib.suppress(httpx2.HTTPError, ValueError, KeyError), local_client(self.search_url) as client:
            # An index that was kept takes a moment until it can be searched, and is red until then.
            return client.get("/_cluster/health").json()["status"] in ("green", "yellow") or None
        return None

    def _is_healthy(self) -> bool | None:
        with contextlib.suppress(httpx2.HTTPError, ValueError), self._client() as client:
            # Unlike /version, this one fails with the search engine. What it says is looked at, because a path that is
            # not there answers 200 too, with a page.
            reply = client.get("/status")
            return (reply.status_code == 200 and "search_engine" in reply.json()) or None
        return None

    def _signing_key(self) -> str:
        # Without one of its own, the server makes one up at each start, and everybody is logged out.
        path = self.home / "signing.key"
        if not path.exists():
            write_private(path, secrets.token_hex(32))
        return path.read_text()

    # -- database and users

    def _owner(self) -> dict[str, str]:
        owner = self._home.user(OWNER)
        if "key" not in owner:
            owner |= {"key": secrets.token_urlsafe(48)}
            self._home.remember(OWNER, owner)
        return owner

    def _make_database(self, environment: Environment, data: Path) -> None:
        database = data / environment.empty_database.name
        if database.exists():
            return
        fresh = database.with_suffix(".new")
        shutil.copyfile(environment.empty_database, fresh)
        # The server's own command line can do this too, but shows the key to every user of the machine, and takes
        # seven seconds.
        with contextlib.closing(sqlite3.connect(fresh)) as connection, connection:
            connection.execute("UPDATE users SET api_key = ? WHERE username = ?", (self.api_key.reveal(), OWNER))
        fresh.replace(database)

    def _let_the_owner_in(self) -> None:
        """Let the password be the remembered one, and the workspace be there."""
        with self._client() as client:
            me = self._json(client.get("/me"), 200, "using the owner's API key")
            form = {"username": OWNER, "password": self.password.reveal()}
            if client.post("/token", data=form).status_code != 201:
                changed = client.patch(f"/users/{me['id']}", json={"password": form["password"]})
                self._json(changed, 200, "setting the owner's password")
            self._workspace_id(client)

    def _made_user(self, client: httpx2.Client, username: str, password: str) -> str:
        """Make an annotator, or find the one that an interrupted call has made, and return the API key."""
        person = {"username": username, "first_name": username, "password": password, "role": "annotator"}
        reply = client.post("/users", json=person)
        if reply.status_code == 409:
            if client.post("/token", data={"username": username, "password": password}).status_code != 201:
                raise SetupError(f"{username} is there already, with another password", remedy="use another name")
            everybody = self._json(client.get("/users"), 200, "listing users")["items"]
            user = next(user for user in everybody if user["username"] == username)
        else:
            user = self._json(reply, 201, "adding a user")
        reply = client.post(f"/workspaces/{self._workspace_id(client)}/users", json={"user_id": user["id"]})
        if reply.status_code != 409:  # is a member already
            self._json(reply, 201, "adding a user to the workspace")
        return str(user["api_key"])

    def _workspace_id(self, client: httpx2.Client) -> str:
        for workspace in self._json(client.get("/me/workspaces"), 200, "listing workspaces")["items"]:
            if workspace["name"] == WORKSPACE:
                return str(workspace["id"])
        return str(self._json(client.post("/workspaces", json={"name": WORKSPACE}), 201, "making a workspace")["id"])

    def _client(self) -> httpx2.Client:
        client = local_client(self.url + _API)
        client.headers[_KEY] = self.api_key.reveal()
        return client
