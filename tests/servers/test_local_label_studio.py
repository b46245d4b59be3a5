"""The embedded server, alive; and what is said when it cannot live."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import httpx2
import pytest

from bridge.errors import SetupError
from bridge.keys import Secret
from bridge.servers import label_studio_environment
from bridge.servers.label_studio_environment import Environment, install
from bridge.servers.local_environment import Making
from bridge.servers.local_label_studio import ADMIN, LocalLabelStudio


@contextmanager
def client(server: LocalLabelStudio, token: Secret | None = None) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=server.url, trust_env=False, timeout=60) as http:
        if token:
            reply = http.post("/api/token/refresh/", json={"refresh": token.reveal()})
            http.headers["Authorization"] = f"Bearer {reply.raise_for_status().json()['access']}"
        yield http


def whoami(server: LocalLabelStudio, token: Secret) -> str:
    with client(server, token) as http:
        return http.get("/api/current-user/whoami").raise_for_status().json()["email"]


# -- alive


@pytest.mark.live
def test_the_administrator_has_a_token_and_can_log_in(label_studio: LocalLabelStudio) -> None:
    assert label_studio.email == ADMIN
    assert whoami(label_studio, label_studio.token) == ADMIN
    assert logs_in(label_studio, ADMIN, label_studio.password)
    assert not logs_in(label_studio, ADMIN, Secret("wrong"))


def logs_in(server: LocalLabelStudio, email: str, password: Secret) -> bool:
    with client(server) as http:
        http.get("/user/login/")
        form = {"csrfmiddlewaretoken": http.cookies["csrftoken"], "email": email, "password": password.reveal()}
        return http.post("/user/login/", data=form, headers={"Referer": server.url}).status_code == 302


@pytest.mark.live
def test_users_are_other_people_and_are_remembered(label_studio: LocalLabelStudio) -> None:
    anna = label_studio.add_user("Anna@example.org")
    ben = label_studio.add_user("ben@example.org")
    assert [whoami(label_studio, user.token) for user in (anna, ben)] == ["anna@example.org", "ben@example.org"]
    assert logs_in(label_studio, anna.email, anna.password)
    assert label_studio.add_user("anna@example.org") == anna


@pytest.mark.live
def test_a_lost_token_is_replaced_and_the_old_one_retired(label_studio: LocalLabelStudio) -> None:
    old = label_studio.add_user("carla@example.org")
    path = label_studio.home / "credentials.json"
    everybody = json.loads(path.read_text())
    del everybody["carla@example.org"]["token"]
    path.write_text(json.dumps(everybody))
    new = label_studio.add_user("carla@example.org")
    assert new.token != old.token
    assert whoami(label_studio, new.token) == "carla@example.org"
    with pytest.raises(httpx2.HTTPStatusError, match="401"):
        whoami(label_studio, old.token)


@pytest.mark.live
def test_what_is_no_address_is_not_added(label_studio: LocalLabelStudio) -> None:
    with pytest.raises(SetupError, match="cannot be added"):
        label_studio.add_user("not an address")


@pytest.mark.live
def test_nobody_signs_up_without_an_invitation(label_studio: LocalLabelStudio) -> None:
    for path in ("/user/signup/", "/user/signup/?token=guess"):
        with client(label_studio) as http:
            http.get(path)
            form = {"csrfmiddlewaretoken": http.cookies["csrftoken"], "email": "eve@example.org", "password": "x" * 12}
            assert http.post(path, data=form, headers={"Referer": label_studio.url}).status_code == 403


@pytest.mark.live
def test_it_listens_on_loopback_only(label_studio: LocalLabelStudio) -> None:
    port = int(label_studio.url.rpartition(":")[2])
    listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    assert {row[1] for row in listening if row[3] == "0A" and row[1].endswith(f":{port:04X}")} == {
        f"0100007F:{port:04X}"
    }
    # Another machine's page that makes its name resolve to 127.0.0.1 must get nothing either.
    with client(label_studio) as http:
        assert http.get("/health/", headers={"Host": "evil.example"}).status_code == 400


@pytest.mark.live
def test_pages_ask_no_other_host_and_the_log_shows_no_reports(label_studio: LocalLabelStudio) -> None:
    with client(label_studio) as http:
        page = http.get("/user/login/").text
    assert "ingest.sentry.io" not in page
    log = label_studio.log.read_text(errors="replace")
    assert "sentry.io" not in log
    assert "tele.labelstud" not in log


@pytest.mark.live
def test_secrets_are_in_private_files_and_not_on_the_command_line(label_studio: LocalLabelStudio) -> None:
    for name in ("credentials.json", "server.log", "server.json", "data/.env"):
        assert stat.S_IMODE((label_studio.home / name).stat().st_mode) == 0o600, name
    assert stat.S_IMODE(label_studio.home.stat().st_mode) == 0o700
    pid = json.loads((label_studio.home / "server.json").read_text())["pids"][0]
    command = Path(f"/proc/{pid}/cmdline").read_text()
    log = label_studio.log.read_text(errors="replace")
    for secret in (label_studio.password, label_studio.token):
        assert secret.reveal() not in command + log + repr(vars(label_studio))


@pytest.mark.live
def test_a_second_server_in_the_same_home_is_refused_by_name(label_studio: LocalLabelStudio) -> None:
    second = LocalLabelStudio(label_studio.home)
    pid = json.loads((label_studio.home / "server.json").read_text())["pids"][0]
    for action in (second.start, second.wipe):
        with pytest.raises(SetupError, match=label_studio.url) as caught:
            action()
        assert f"kill {pid}" in caught.value.remedy
    second.stop()
    assert whoami(label_studio, label_studio.token) == ADMIN


@pytest.mark.live
def test_data_port_and_people_survive_a_crash_and_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, label_studio: LocalLabelStudio
) -> None:
    # What a user has set for another Label Studio does not reach this one.
    monkeypatch.setenv("LABEL_STUDIO_BASE_DATA_DIR", str(tmp_path / "other"))
    monkeypatch.setenv("LABEL_STUDIO_HOST", "https://labels.example.org/path")
    monkeypatch.setenv("DJANGO_DB", "postgresql")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    home = tmp_path / "home"
    with LocalLabelStudio(home) as first:
        anna = first.add_user("anna@example.org")
        with client(first, first.token) as http:
            http.post("/api/projects/", json={"title": "Kept", "label_config": "<View></View>"}).raise_for_status()
        pid = json.loads((home / "server.json").read_text())["pids"][0]
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(SetupError, match="ended by itself with code -9"):
            first.wait()
    with LocalLabelStudio(home) as second:
        assert (second.url, second.token, second.password) == (first.url, first.token, first.password)
        assert second.add_user("anna@example.org") == anna
        with client(second, second.token) as http:
            assert [project["title"] for project in http.get("/api/projects/").json()["results"]] == ["Kept"]
    assert not (tmp_path / "other").exists()
    assert (home / "data" / ".env").read_text() != (label_studio.home / "data" / ".env").read_text()
    second.wipe()
    assert not home.exists()


# -- alive, with its data in PostgreSQL


@pytest.mark.live
def test_with_postgresql_its_data_is_there(label_studio_postgres: LocalLabelStudio, postgres: str) -> None:
    server = label_studio_postgres
    assert whoami(server, server.token) == ADMIN
    assert whoami(server, server.add_user("anna@example.org").token) == "anna@example.org"
    with client(server, server.token) as http:
        version = http.get("/api/version").raise_for_status().json()
    assert "1.23.2" in json.dumps(version)
    assert not list(server.home.rglob("*.sqlite3"))
    password = urlsplit(postgres).password
    assert password
    pid = json.loads((server.home / "server.json").read_text())["pids"][0]
    shown = Path(f"/proc/{pid}/cmdline").read_text() + repr(vars(server))
    files = [path for path in server.home.rglob("*") if path.is_file()]
    assert password not in shown + "".join(path.read_text(errors="replace") for path in files)


@pytest.mark.live
def test_a_database_of_another_home_is_not_taken_over(
    label_studio_postgres: LocalLabelStudio, postgres: str, tmp_path: Path
) -> None:
    with pytest.raises(SetupError, match="cannot log in with the remembered password") as caught:
        LocalLabelStudio(tmp_path / "home", postgres=postgres).start()
    assert "use an empty database" in caught.value.remedy


@pytest.mark.live
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda parts: {"netloc": parts.netloc.replace(parts.password, "hunter2")}, "password authentication failed"),
        (lambda parts: {"path": "/nowhere"}, 'database "nowhere" does not exist'),
        (lambda parts: {"netloc": parts.netloc.rpartition(":")[0] + ":9"}, "Connection refused"),
        (lambda parts: {"query": "sslmode=require"}, "server does not support SSL"),
    ],
)
def test_a_database_that_does_not_let_us_in_is_named_before_anything_starts(
    change: Callable[[SplitResult], dict[str, str]], reason: str, postgres: str, tmp_path: Path
) -> None:
    parts = urlsplit(postgres)
    address = parts._replace(**change(parts)).geturl()
    server = LocalLabelStudio(tmp_path / "home", postgres=address)
    with pytest.raises(SetupError, match=f"^PostgreSQL: .*{reason}") as caught:
        server.start()
    assert "hunter2" not in str(caught.value)
    assert str(parts.password) not in str(caught.value)
    assert not server.log.exists()


# -- not alive


def fake_environment(tmp_path: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment whose `label-studio` is a few lines of Python."""
    folder = tmp_path / "environment"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(sys.executable)
    (folder / "bin" / "label-studio").write_text(script)
    (folder / "empty").mkdir()
    (folder / "empty" / "label_studio.sqlite3").touch()
    monkeypatch.setattr("bridge.servers.local_label_studio.install", lambda say: Environment(folder))


def test_a_server_that_ends_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_environment(tmp_path, "print('no such table: tasks'); raise SystemExit(3)", monkeypatch)
    server = LocalLabelStudio(tmp_path / "home")
    with pytest.raises(SetupError, match=r"code 3 .*\n.*no such table: tasks"):
        server.start()
    with pytest.raises(SetupError, match="code 3"):  # and the home is free again
        server.start()


def test_a_server_that_says_nothing_is_given_up_and_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = "import os, time; print('pid', os.getpid(), flush=True); time.sleep(600)"
    fake_environment(tmp_path, script, monkeypatch)
    monkeypatch.setattr("bridge.servers.local_process.START_S", 2.0)
    monkeypatch.setattr("bridge.servers.local_process._SAY_EVERY_S", 0.5)
    said: list[str] = []
    server = LocalLabelStudio(tmp_path / "home", say=said.append)
    with pytest.raises(SetupError, match="did not answer within 2 s"):
        server.start()
    assert any("still starting" in message for message in said)
    with pytest.raises(ProcessLookupError):
        os.kill(int(server.log.read_text().split()[1]), 0)


def test_a_server_that_ignores_the_signal_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
    )
    fake_environment(tmp_path, script, monkeypatch)
    monkeypatch.setattr("bridge.servers.local_process.START_S", 3.0)
    monkeypatch.setattr("bridge.servers.local_process.STOP_S", 0.5)
    server = LocalLabelStudio(tmp_path / "home")
    with pytest.raises(SetupError, match="deaf"):
        server.start()


def test_the_home_stays_taken_while_an_orphaned_server_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its parent was killed and could not stop it; two servers on one database would be worse than an error."""
    fake_environment(tmp_path, "import time; time.sleep(600)", monkeypatch)
    home = tmp_path / "home"
    home.mkdir()
    code = f"import fcntl, os, subprocess, sys; fd = os.open({str(home / 'lock')!r}, os.O_RDWR | os.O_CREAT); \
fcntl.flock(fd, fcntl.LOCK_EX); print(subprocess.Popen(['sleep', '600'], pass_fds=[fd], stdout=2).pid)"
    orphan = int(subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True).stdout)
    (home / "server.json").write_text(json.dumps({"pids": [orphan], "url": "http://127.0.0.1:1"}))
    try:
        with pytest.raises(SetupError, match=f"process {orphan}, at http://127.0.0.1:1"):
            LocalLabelStudio(home).start()
    finally:
        os.kill(orphan, signal.SIGKILL)


def test_a_port_that_was_asked_for_and_is_taken_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_environment(tmp_path, "", monkeypatch)
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        with pytest.raises(SetupError, match=f"port {port} is taken"):
            LocalLabelStudio(tmp_path / "home", port=port).start()


def test_wipe_deletes_nothing_that_is_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(SetupError, match="not the home"):
        LocalLabelStudio(tmp_path).wipe()
    assert (tmp_path / "thesis.txt").exists()
    LocalLabelStudio(tmp_path / "nowhere").wipe()


def test_without_a_server_nobody_can_be_added(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="not running"):
        LocalLabelStudio(tmp_path).add_user("anna@example.org")


# -- installing, without the minutes that it takes


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ANNOBRIDGE_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Replaces the making of an environment by that of a folder, and lists what was made."""
    folders: list[Path] = []

    def make(making: Making) -> None:
        folders.append(making.folder)
        (making.folder / "bin").mkdir(parents=True)
        (making.folder / "bin" / "python").touch()

    monkeypatch.setattr(label_studio_environment, "_make", make)
    return folders


def test_it_is_installed_once(cache: Path, made: list[Path]) -> None:
    threads = [threading.Thread(target=install, args=[print]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert made[0].parent == cache


def test_half_an_environment_is_made_again(cache: Path, made: list[Path]) -> None:
    environment = install(print)
    (environment.folder / "complete").unlink()
    install(print)
    (environment.folder / "complete").write_text("of another list of packages")
    install(print)
    (environment.folder / "bin" / "python").unlink()  # as when the Python that it was made with is gone
    install(print)
    assert len(made) == 4


def test_a_failed_installation_names_its_log(cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    packages = tmp_path / "packages.txt"
    packages.write_text("./there-is-no-such-package\n")
    monkeypatch.setattr(label_studio_environment, "_LOCK_FILE", packages)
    said: list[str] = []
    with pytest.raises(SetupError, match="installing packages failed with code 1; the log is") as caught:
        install(said.append)
    log = Path(caught.value.reason.rpartition(" ")[2])
    assert "there-is-no-such-package" in log.read_text()
    assert "installing Label Studio" in said[0]
    assert not list(cache.glob("*/complete"))


def test_a_cache_that_cannot_be_written_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("ANNOBRIDGE_CACHE_DIR", str(tmp_path / "file" / "cache"))
    with pytest.raises(SetupError, match="Not a directory") as caught:
        install(print)
    assert "ANNOBRIDGE_CACHE_DIR" in caught.value.remedy
