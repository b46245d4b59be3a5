"""Whose the data folder of a local server is, and what becomes of a server whose starter was killed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.errors import SetupError
from bridge.servers.local_home import Home
from bridge.servers.local_process import Process

SLEEPER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]
# Without /proc, as on macOS, a server that was left is refused like one that is in use, which is tested first.
LINUX = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="nobody can tell who holds a lock without /proc")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path / "home", "home", "Server")
    yield home
    home.release()


def start(home: Home) -> Process:
    """Take a home and start something that holds its lock, as servers do."""
    lock = home.take()
    process = Process("sleeper", SLEEPER, variables={}, folder=home.path, log=home.path / "server.log", lock=lock)
    home.note_running("http://127.0.0.1:1", [process])
    return process


def left_by_a_killed_process(home: Home) -> int:
    """The process that somebody started who was killed afterwards."""
    read, write = os.pipe()
    starter = os.fork()
    if not starter:
        os.write(write, str(start(home).pid).encode())
        os._exit(9)
    os.waitpid(starter, 0)
    return int(os.read(read, 20))


def runs(pid: int) -> bool:
    # An orphan that has ended is a zombie until the first process of the machine, or of a container, has waited for it.
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def test_a_home_in_use_is_refused_with_the_process_that_uses_it(home: Home) -> None:
    process = start(home)
    try:
        with pytest.raises(SetupError, match=f"already runs in .* \\(process {process.pid}, at http"):
            Home(home.path, "home", "Server").take()
        assert process.code is None
    finally:
        process.stop()


@LINUX
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_server_that_a_killed_process_left_is_stopped(home: Home) -> None:
    left = left_by_a_killed_process(home)
    assert runs(left)
    said: list[str] = []
    home.take(said.append)
    assert not runs(left)
    assert said == ["stopped a Server that a killed process had left running"]


@LINUX
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_process_that_has_its_number_by_now_is_left_alone(home: Home) -> None:
    left = left_by_a_killed_process(home)
    with subprocess.Popen(SLEEPER, stdout=subprocess.PIPE) as stranger:
        (home.path / "server.json").write_text(f'{{"url": "http://127.0.0.1:1", "pids": [{stranger.pid}]}}')
        with pytest.raises(SetupError, match=f"process {stranger.pid}"):
            home.take()
        assert stranger.poll() is None
        stranger.kill()
    os.kill(left, 9)
