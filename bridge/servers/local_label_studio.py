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
from typing import Any, Self

import httpx2

from bridge.errors import SetupError
from bridge.keys import Secret
from bridge.servers.label_studio_environment import Environment, install
from bridge.servers.local_environment import Say
from bridge.servers.local_home import Home
from bridge.servers.local_process import Process, local_client, wait_for_an_end, wait_until
from bridge.servers.postgres import Postgres

ADMIN = "admin@annobridge.example"

_LISTENING = re.compile(rb"Starting development server at http://127\.0\.0\.1:(\d+)/")


@dataclass(frozen=True)
class User:
    """Somebody who can log in, and whose token can be used in their name."""

    email: str
    password: Secret
    token: Secret


class LocalLabelStudio:
    """One Label Studio server on this machine.

    Args:
        home: its data folder; by default ``label-studio`` in the user's data folder. Created with mode 0700.
        port: 0 takes the port of the last time, or any free one.
        postgres: the address of a PostgreSQL database for its projects and users, in the place of SQLite.
        say: told what happens, in sentences for a person.

    Raises:
        ConfigError: ``postgres`` is no such address.

    Attributes:
        url: where it listens, such as ``http://127.0.0.1:8080``; this and the next three exist after :meth:`start`.
        email: the administrator's login.
        password: the administrator's password.
        token: the administrator's personal access token.
    """

    url: str
    email: str
    password: Secret
    token: Secret

    def __init__(
        self, home: Path | None = None, *, port: int = 0, postgres: str = "", say: Say = lambda message: None
    ) -> None:
        self._home = Home(home, "label-studio", "Label Studio")
        self.home = self._home.path
        self._port = port
        self._postgres = Postgres.parse(postgres) if postgres else None
        self._say = say
        self._process: Process | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    @property
    def log(self) -> Path:
        """The log of the last start."""
        return self.home / "server.log"

    def start(self) -> None:
        """Install it if necessary, start it, and wait until it answers and the administrator has a token.

        Raises:
            SetupError: it cannot be installed or started, or a server is already running in this home.
        """
        if self._process:
            raise SetupError(f"this server is already started, at {self.url}", remedy="stop it first")
        environment = install(self._say)
        try:
            lock = self._home.take()
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
        except OSError as error:
            self.stop()
            raise SetupError(
                f"{error.filename or self.home}: {error.strerror}", remedy="choose a folder that you can write"
            ) from error
        except BaseException:
            self.stop()
            raise
        self._say(f"Label Studio is ready at {self.url}")

    def add_user(self, email: str) -> User:
        """A second person on this server, signed up by invitation; the same one whenever the same address is asked for.

        Raises:
            SetupError: the address is taken by somebody whose password is not known here, or is no e-mail address.
        """
        if not self._process:
            raise SetupError("the server is not running, so nobody can be added", remedy="start it first")
        email = email.lower()  # as the server does
        token = self._working_token(email)
        return User(email, Secret(self._home.user(email)["password"]), token)

    def wait(self) -> None:
        """Wait, if the server runs, until it is interrupted.

        Raises:
            SetupError: it ended by itself.
        """
        if self._process:
            wait_for_an_end([self._process])

    def stop(self) -> None:
        """Stop the server, if it runs; the data stays."""
        if self._process:
            self._process.stop()
            self._process = None
            self._home.note_stopped()
        self._home.release()

    def wipe(self) -> None:
        """Stop the server and delete its data folder with all projects and users in it; a PostgreSQL database stays.

        Raises:
            SetupError: the folder is not a Label Studio's home, or another process is using it.
        """
        self.stop()
        self._home.wipe()

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
        self._process = Process(
            "Label Studio",
            # --host would not bind anything: without --internal-host the server listens on every interface.
            environment.command("start", "--no-browser", "--internal-host", "127.0.0.1", "--port", str(port)),
            variables=variables,
            folder=data,
            log=self.log,
            lock=lock,
        )
        self.url = f"http://127.0.0.1:{port}"
        self._home.note_running(self.url, [self._process])
        port = wait_until(self._port_when_healthy, self._process, say=self._say)
        self.url = f"http://127.0.0.1:{port}"
        self._home.note_running(self.url, [self._process])
        self._home.note_port(port)

    def _port_when_healthy(self) -> int | None:
        # A busy port silently becomes the next one, so what counts is what the server says, not what was asked.
        if self._process and (match := self._process.said(_LISTENING)):
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

    def _json(self, reply: httpx2.Response, status: int, what: str) -> Any:
        try:
            if reply.status_code == status:
                return reply.json()
        except ValueError:
            pass
        raise SetupError(f"{what} failed: the server answered {reply.status_code}", remedy=f"read {self.log}")
