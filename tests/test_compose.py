"""The compose file for teams: what its README says of it, read from the file; Docker itself is not there to run it."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from bridge.servers import argilla_environment, label_studio_environment
from bridge.servers.local_argilla import LocalArgilla
from bridge.servers.local_label_studio import LocalLabelStudio
from tests.waiting import eventually

FOLDER = Path(__file__).resolve().parent.parent / "examples" / "servers"
TEXT = (FOLDER / "compose.yaml").read_text()
README = (FOLDER / "README.md").read_text()
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(TEXT)["services"]

each_service = pytest.mark.parametrize("name", SERVICES)


@each_service
def test_images_are_exact_versions(name: str) -> None:
    assert re.fullmatch(r"[a-z/-]+:v?\d+\.\d+(\.\d+)?", SERVICES[name]["image"])


def test_the_versions_are_those_that_everything_else_was_tried_on() -> None:
    assert SERVICES["argilla"]["image"] == f"argilla/argilla-server:v{argilla_environment.VERSION}"
    assert SERVICES["label-studio"]["image"] == f"heartexlabs/label-studio:{label_studio_environment.VERSION}"


@each_service
def test_health_is_checked_and_waited_for(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"]
    for needed, how in SERVICES[name].get("depends_on", {}).items():
        assert needed in SERVICES
        assert how == {"condition": "service_healthy"}


@each_service
def test_ports_are_open_on_loopback_only_and_only_those_of_pages(name: str) -> None:
    ports = SERVICES[name].get("ports", [])
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert bool(ports) is (name in ("argilla", "label-studio"))
    assert not {"network_mode", "privileged"} & set(SERVICES[name])


def test_nothing_has_a_default_password() -> None:
    for name, service in SERVICES.items():
        for variable, value in service["environment"].items():
            if re.search("PASSWORD|KEY|SECRET", variable):
                assert re.fullmatch(r"\$\{\w+:\?[^}]+\}", value), f"{name}: {variable}"
            elif credentials := re.search(r"://([^@]*)@", value):
                assert re.fullmatch(r"\w*:\$\{\w+:\?[^}]+\}", credentials[1]), f"{name}: {variable}"
    # Compose stops where a variable is missing, instead of putting nothing in its place.
    assert set(re.findall(r"(?<!\$)\$\{\w+(.)", TEXT)) == {":"}
    assert set(re.findall(r"(?<!\$)\$\{\w+:(.)", TEXT)) == {"?"}
    assert not re.search(r"(?<!\$)\$\w", TEXT)


def test_databases_search_engine_and_queue_ask_for_their_passwords() -> None:
    assert SERVICES["argilla-search"]["environment"]["xpack.security.enabled"] == "true"
    assert "--requirepass" in SERVICES["argilla-queue"]["command"][-1]
    for name in ("argilla-database", "label-studio-database"):
        assert set(SERVICES[name]["environment"]) == {"POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD"}


def test_nobody_signs_up_and_nothing_is_reported() -> None:
    here = SERVICES["label-studio"]["environment"]
    embedded = label_studio_environment.Environment.variables(Path("/data"))
    assert embedded["LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK"] == "True"
    for variable, value in embedded.items():
        if variable.startswith("LABEL_STUDIO_") and value in ("True", "False", "") and not variable.endswith("DEBUG"):
            assert here[variable].lower() == value.lower(), variable
    for name in ("argilla", "argilla-worker"):
        assert SERVICES[name]["environment"]["HF_HUB_DISABLE_TELEMETRY"] == "1"


def test_data_is_kept() -> None:
    volumes = yaml.safe_load(TEXT)["volumes"]
    used = [volume.partition(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])]
    assert sorted(used) == sorted(volumes)


def test_the_readme_makes_up_every_password(tmp_path: Path) -> None:
    (block,) = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    subprocess.run(["sh", "-eu", "-c", block], cwd=tmp_path, check=True)
    made = dict(line.split("=") for line in (tmp_path / ".env").read_text().splitlines())
    assert set(made) == set(re.findall(r"\$\{(\w+):\?", TEXT))
    assert len(set(made.values())) == len(made)
    assert min(map(len, made.values())) >= len("you@example.org")
    assert (tmp_path / ".env").stat().st_mode & 0o077 == 0


# -- the health checks of what we know to run, on servers without containers


def healthy(name: str, python: Path, url: str, variables: dict[str, str]) -> bool:
    """Run a service's health check with a server's own Python, against an address in the place of the container's."""
    _, *_, code = SERVICES[name]["healthcheck"]["test"]
    code = re.sub(r"http://127\.0\.0\.1:\d+", url, code)
    return subprocess.run([python, "-I", "-c", code], env=variables, capture_output=True).returncode == 0


@pytest.mark.live
def test_argillas_health_check_tells_a_server_from_a_page(argilla: LocalArgilla, tmp_path: Path) -> None:
    python = argilla_environment.install(print).folder / "bin" / "python"
    assert healthy("argilla", python, argilla.url, {})
    assert not healthy("argilla", python, "http://127.0.0.1:1", {})
    assert not healthy("argilla", python, f"{argilla.url}/elsewhere", {})  # 200, with the page


@pytest.mark.live
def test_the_workers_health_check_counts_workers(argilla: LocalArgilla) -> None:
    python = argilla_environment.install(print).folder / "bin" / "python"
    pids = json.loads((argilla.home / "server.json").read_text())["pids"]
    (queue,) = {
        variable.partition("=")[2]
        for pid in pids
        for variable in Path(f"/proc/{pid}/environ").read_text().split("\0")
        if variable.startswith("ARGILLA_REDIS_URL=")
    }
    eventually(lambda: healthy("argilla-worker", python, "", {"ARGILLA_REDIS_URL": queue}))
    assert not healthy("argilla-worker", python, "", {"ARGILLA_REDIS_URL": queue + "-elsewhere"})


@pytest.mark.live
def test_label_studios_health_check(label_studio: LocalLabelStudio) -> None:
    python = label_studio_environment.install(print).folder / "bin" / "python"
    assert healthy("label-studio", python, label_studio.url, {})
    assert not healthy("label-studio", python, "http://127.0.0.1:1", {})
