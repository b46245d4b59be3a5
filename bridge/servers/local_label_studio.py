"""A Label Studio of one's own: installed, started on loopback, given users and access tokens, and stopped again.

Used by ``annobridge serve label-studio``, the demo, the examples and the tests::

    with LocalLabelStudio(say=print) as server:
        print(server.url, server.email)
        anna = server.add_user("anna@example.org")

A data folder (``home``) holds everything of one server: database, log, signing key and ``credentials.json`` (0600).
"""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2

from bridge.errors import SetupError
from bridge.keys import Secret
from bridge.servers.label_studio_environment import Environment, install
from bridge.servers.local_environment import Say
from bridge.servers.local_home import Home
from bridge.servers.local_process import Process, local_client, wait_until
from bridge.servers.local_server import LocalServer
from bridge.servers.postgres import Postgres

ADMIN = "admin@annobridge.example"

_LISTENING = re.compile(rb"Starting development server at http://127\.0\.0\.1:(\d+)/")


@dataclass(frozen=True)
class User:
    """Somebody who can log in, and whose token can be used in their name."""

    email: str
    password: Secret
    token: Secret


class LocalLabelStudio(LocalServer):
    """One Label Studio server on this machine.

    Args:
        home: its data folder; by default ``label-studio`` in the user's data folder. Created with mode 0700.
        port: 0 takes the port of the last time, or any free one.
        postgres: the address of a PostgreSQL database for its projects and users, in the place of SQLite.
        say: told what happens, in sentences for a person.

    Raises:
        ConfigError: ``postgres`` is no such address.

    Attributes:
        email: the administrator's login; this and the next two exist after :meth:`start`.
        password: the administrator's password.
        token: the administrator's personal access token.
    """

    name = "Label Studio"
    email: str
    password: Secret
    token: Secret

    def __init__(
        self, home: Path | None = None, *, port: int = 0, postgres: str = "", say: Say = lambda message: None
    ) -> None:
        super().__init__(Home(home, "label-studio", self.name), port, say)
        self._postgres = Postgres.parse(postgres) if postgres else None

    def _start(self) -> None:
        environment = install(self._say)
        lock = self._home.take(self._say)
        admin = self._home.user(ADMIN)
        data = self.home / "data"
        data.mkdir(mode=0o700, exist_ok=True)
        database = data / environment.empty_database.name
        if self._postgres:
            environment.check_database(self._postgres)
        elif not database.exists():
            fresh = database.with_suffix(".new")
            shutil.copyfile(environment.empty_database, fresh)
            fresh.replace(database)
        self._launch(environment, data, admin["password"], lock)
        self.email, self.password = ADMIN, Secret(admin["password"])
        self.token = self._working_token(ADMIN)

    def add_user(self, email: str) -> User:
        """A second person on this server, signed up by invitation; the same one whenever the same address is asked for.

        Raises:
            SetupError: the address is taken by somebody whose password is not known here, or is no e-mail address.
        """
        self._must_run()
        email = email.lower()  # as the server does
        token = self._working_token(email)
        return User(email, Secret(self._home.user(email)["password"]), token)

    # -- the process

    def _launch(self, environment: Environment, data: Path, password: str, lock: int) -> None:
        port = self._home.choose_port(self._port)
        variables = environment.variables(data) | {
            "LABEL_STUDIO_CORS_ALLOWED_ORIGINS": f"http://127.0.0.1:{port}",
            # Not on the command line, which every user of the machine can read.
            "LABEL_STUDIO_USERNAME": ADMIN,
            "LABEL_STUDIO_PASSWORD": password,
        }
        if self._postgres:
            variables |= {"DJANGO_DB": "default"} | self._postgres.variables()
        self._say(f"starting Label Studio in {self.home}")
        self.url = f"http://127.0.0.1:{port}"
        # --host would not bind anything: without --internal-host the server listens on every interface.
        command = environment.command("start", "--no-browser", "--internal-host", "127.0.0.1", "--port", str(port))
        process = Process(self.name, command, variables=variables, folder=data, log=self.log, lock=lock)
        self._run(process)
        port = wait_until(lambda: self._port_when_healthy(process), process, say=self._say)
        self.url = f"http://127.0.0.1:{port}"
        self._home.note_running(self.url, self._processes)
        self._home.note_port(port)

    def _port_when_healthy(self, process: Process) -> int | None:
        # A busy port silently becomes the next one, so what counts is what the server says, not what was asked.
        if match := process.said(_LISTENING):
            port = int(match[1])
            with contextlib.suppress(httpx2.HTTPError, ValueError), local_client(f"http://127.0.0.1:{port}") as client:
                reply = client.get("/health/")
                if reply.status_code == 200 and reply.json().get("status") == "UP":
                    return port
        return None

    # -- users and tokens

    def _working_token(self, email: str) -> Secret:
        """The user's access token: the remembered one if it still works, else a new one; signs up if need be."""
        user = self._home.user(email)
        with local_client(self.url) as client:
            if user.get("token"):
                reply = client.post("/api/token/refresh/", json={"refresh": user["token"]})
                if reply.status_code == 200:
                    return Secret(user["token"])
            if not self._post_form(client, "/user/login/", email, user["password"]):
                if email == ADMIN:
                    fresh = "use an empty database" if self._postgres else "wipe this server"
                    raise SetupError(
                        f"{ADMIN} cannot log in with the remembered password",
                        remedy=f"put the present one into {self.home / 'credentials.json'}, or {fresh}",
                    )
                self._sign_up(email, user["password"])
                self._post_form(client, "/user/login/", email, user["password"])
            token = self._new_token(client)
        self._home.remember(email, user | {"token": token})
        return Secret(token)

    def _sign_up(self, email: str, password: str) -> None:
        with self._signed_in_admin() as admin:
            path = self._json(admin.get("/api/invite"), 200, "inviting a user")["invite_url"]
        with local_client(self.url) as client:
            if not self._post_form(client, path, email, password):
                raise SetupError(
                    f"{email} cannot be added: it is no e-mail address, or somebody has it with another password",
                    remedy="use another address",
                )

    @contextlib.contextmanager
    def _signed_in_admin(self) -> Iterator[httpx2.Client]:
        with local_client(self.url) as client:
            reply = client.post("/api/token/refresh/", json={"refresh": self.token.reveal()})
            access = self._json(reply, 200, "using the administrator's token")["access"]
            client.headers["Authorization"] = f"Bearer {access}"
            yield client

    def _new_token(self, client: httpx2.Client) -> str:
        headers = {"X-CSRFToken": client.cookies.get("csrftoken") or "", "Referer": self.url}
        reply = client.post("/api/token/", headers=headers, json={})
        if reply.status_code == 409:
            # A user has one token, and it cannot be read back: retire it. The list shows it without its signature,
            # which is enough for this.
            for old in self._json(client.get("/api/token/"), 200, "listing tokens"):
                client.post("/api/token/blacklist/", headers=headers, json={"refresh": old["token"]})
            reply = client.post("/api/token/", headers=headers, json={})
        return str(self._json(reply, 201, "making an access token")["token"])

    def _post_form(self, client: httpx2.Client, path: str, email: str, password: str) -> bool:
        """Fill in the login or sign-up page; both answer success with a redirect."""
        client.get(path)  # sets the cookie that must come back in the form
        form = {"csrfmiddlewaretoken": client.cookies.get("csrftoken") or "", "email": email, "password": password}
        reply = client.post(path, data=form, headers={"Referer": f"{self.url}{path}"})
        return reply.status_code == 302
