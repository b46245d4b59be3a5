"""A Label Studio of one's own: installed, started on loopback, given users and access tokens, and stopped again.

Used by ``annobridge serve label-studio``, the demo, the examples and the tests::

    with LocalLabelStudio(say=print) as server:
        print(server.url, server.email)
        anna = server.add_user("anna@example.org")

A data folder (``home``) holds everything of one server: database, log, signing key and ``credentials.json`` (0600).
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import platformdirs

from bridge.errors import SetupError
from bridge.keys import Secret, write_private
from bridge.servers.label_studio_environment import Environment, Say, install

if TYPE_CHECKING:
    import httpx2

ADMIN = "admin@annobridge.example"

_START_S = 600.0
_STOP_S = 10.0
_SAY_EVERY_S = 15.0
_REQUEST_S = 120.0
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
        say: told what happens, in sentences for a person.

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

    def __init__(self, home: Path | None = None, *, port: int = 0, say: Say = lambda message: None) -> None:
        self.home = (home or Path(platformdirs.user_data_dir("annobridge")) / "label-studio").absolute()
        self._port = port
        self._say = say
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: int | None = None

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
            lock = self._take_home()
            data = self.home / "data"
            data.mkdir(mode=0o700, exist_ok=True)
            database = data / environment.empty_database.name
            if not database.exists():
                fresh = database.with_suffix(".new")
                shutil.copyfile(environment.empty_database, fresh)
                fresh.replace(database)
            admin = self._remembered(ADMIN)
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
        return User(email, Secret(self._remembered(email)["password"]), token)

    def wait(self) -> int:
        """Wait until the server ends by itself or somebody stops it, and return its exit code."""
        return self._process.wait() if self._process else 0

    def stop(self) -> None:
        """Stop the server, if it runs; the data stays."""
        if self._process:
            # Its own process group, so that workers that it may have started end with it.
            for number, patience in ((signal.SIGTERM, _STOP_S), (signal.SIGKILL, None)):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._process.pid, number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(patience)
                    break
            self._process = None
            (self.home / "server.json").unlink(missing_ok=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def wipe(self) -> None:
        """Stop the server and delete its data folder with all projects and users in it.

        Raises:
            SetupError: the folder is not a Label Studio's home, or another process is using it.
        """
        self.stop()
        if not self.home.exists():
            return
        if not (self.home / "credentials.json").exists():
            raise SetupError(f"{self.home} is not the home of a local Label Studio", remedy="delete it by hand")
        self._take_home()
        shutil.rmtree(self.home)
        self.stop()

    # -- the process

    def _take_home(self) -> int:
        """Make the home ours until the server ends, and return the descriptor of the lock.

        The server inherits the lock, so the home stays taken for as long as the server lives, even when this process
        is killed, and is free the moment that the last of the two is gone. No stale file can pretend otherwise.
        """
        import fcntl  # not on Windows, where this module must still import

        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = os.open(self.home / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            other = _read_json(self.home / "server.json")
            where = f"process {other['pid']}, at {other['url']}" if other else "it is just being started"
            raise SetupError(
                f"a Label Studio already runs in {self.home} ({where})",
                remedy=f"stop it with: kill {other['pid']}" if other else "wait a moment, then try again",
            ) from None
        return self._lock

    def _launch(self, environment: Environment, data: Path, password: str, lock: int) -> None:
        remembered = _read_json(self.home / "port.json").get("port", 0)
        port = _free_port(self._port or remembered)
        if self._port not in (0, port):
            raise SetupError(f"port {self._port} is taken by another program", remedy="choose another, or 0 for any")
        variables = environment.variables(data) | {
            "LABEL_STUDIO_CORS_ALLOWED_ORIGINS": f"http://127.0.0.1:{port}",
            # Not on the command line, which every user of the machine can read.
            "LABEL_STUDIO_USERNAME": ADMIN,
            "LABEL_STUDIO_PASSWORD": password,
        }
        self._say(f"starting Label Studio in {self.home}")
        with open(os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as log:
            self._process = subprocess.Popen(
                # --host would not bind anything: without --internal-host the server listens on every interface.
                environment.command("start", "--no-browser", "--internal-host", "127.0.0.1", "--port", str(port)),
                env=variables,
                cwd=data,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C in the terminal reaches us, and we stop the server once
                pass_fds=[lock],
            )
        self.url = f"http://127.0.0.1:{port}"
        self._note_process(self._process.pid)
        self.url = f"http://127.0.0.1:{self._wait_until_healthy(self._process)}"
        self._note_process(self._process.pid)
        write_private(self.home / "port.json", json.dumps({"port": int(self.url.rpartition(":")[2])}))

    def _note_process(self, pid: int) -> None:
        write_private(self.home / "server.json", json.dumps({"pid": pid, "url": self.url}))

    def _wait_until_healthy(self, process: subprocess.Popen[bytes]) -> int:
        begin = said = time.monotonic()
        while True:
            if process.poll() is not None:
                raise self._failed(f"Label Studio ended with code {process.returncode} before it was ready")
            # A busy port silently becomes the next one, so what counts is what the server says, not what was asked.
            match = _LISTENING.search(self.log.read_bytes())
            if match and self._healthy(int(match[1])) and process.poll() is None:
                return int(match[1])
            now = time.monotonic()
            if now - begin > _START_S:
                raise self._failed(f"Label Studio did not answer within {_START_S:.0f} s")
            if now - said > _SAY_EVERY_S:
                said = now
                self._say(f"still starting ({now - begin:.0f} s)")
            time.sleep(0.2)

    def _healthy(self, port: int) -> bool:
        import httpx2

        with contextlib.suppress(httpx2.HTTPError, ValueError), self._client(port) as client:
            reply = client.get("/health/")
            return reply.status_code == 200 and reply.json().get("status") == "UP"
        return False

    def _failed(self, reason: str) -> SetupError:
        lines = self.log.read_text(errors="replace").splitlines()[-15:]
        said = "\n    ".join([f"{reason}; its last words:", *lines])
        return SetupError(said, remedy=f"read {self.log}, then try again")

    # -- users and tokens

    def _working_token(self, email: str) -> Secret:
        """The user's access token: the remembered one if it still works, else a new one; signs up if need be."""
        user = self._remembered(email)
        with self._client() as client:
            if user.get("token"):
                reply = client.post("/api/token/refresh/", json={"refresh": user["token"]})
                if reply.status_code == 200:
                    return Secret(user["token"])
            if not self._post_form(client, "/user/login/", email, user["password"]):
                if email == ADMIN:
                    raise SetupError(
                        f"{ADMIN} cannot log in with the remembered password",
                        remedy=f"put the present one into {self.home / 'credentials.json'}, or wipe this server",
                    )
                self._sign_up(email, user["password"])
                self._post_form(client, "/user/login/", email, user["password"])
            token = self._new_token(client)
        self._remember(email, user | {"token": token})
        return Secret(token)

    def _sign_up(self, email: str, password: str) -> None:
        with self._signed_in_admin() as admin:
            path = self._json(admin.get("/api/invite"), 200, "inviting a user")["invite_url"]
        with self._client() as client:
            if not self._post_form(client, path, email, password):
                raise SetupError(
                    f"{email} cannot be added: it is no e-mail address, or somebody has it with another password",
                    remedy="use another address",
                )

    @contextlib.contextmanager
    def _signed_in_admin(self) -> Iterator[httpx2.Client]:
        with self._client() as client:
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

    def _client(self, port: int | None = None) -> httpx2.Client:
        import httpx2  # a tenth of a second that only those who start a server should pay

        url = self.url if port is None else f"http://127.0.0.1:{port}"
        # trust_env off: a proxy from the environment must see neither this traffic nor the passwords in it.
        return httpx2.Client(base_url=url, follow_redirects=False, trust_env=False, timeout=_REQUEST_S)

    def _remembered(self, email: str) -> dict[str, str]:
        """What credentials.json says of a user; a password is made up and written down before it is first used."""
        user: dict[str, str] | None = _read_json(self.home / "credentials.json").get(email)
        if user is None:
            user = {"password": secrets.token_urlsafe(16)}
            self._remember(email, user)
        return user

    def _remember(self, email: str, user: dict[str, str]) -> None:
        path = self.home / "credentials.json"
        write_private(path, json.dumps(_read_json(path) | {email: user}, indent=2) + "\n")


def _read_json(path: Path) -> dict[str, Any]:
    """A small file of ours, empty as long as it is missing."""
    try:
        value = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except ValueError:
        value = None
    if isinstance(value, dict):
        return value
    raise SetupError(f"{path}: not a JSON object", remedy="mend or delete it") from None


def _free_port(wanted: int) -> int:
    """The wanted port if nobody has it, else one that nobody has."""
    for port in (wanted, 0):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise SetupError("no free port on 127.0.0.1", remedy="close some programs, then try again")
