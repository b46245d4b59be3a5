"""Environments that local servers run in: made once, kept in the cache, and shared by all data folders.

They stand apart from the user's own environment, because a server pins a hundred packages that nobody else wants
pinned.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from bridge.errors import SetupError

Say = Callable[[str], None]

PYTHON = f"py{sys.version_info.major}{sys.version_info.minor}"
"""What the name of an environment ends in that has packages for this Python only."""

_SAY_EVERY_S = 30.0

# A server sees these variables of ours and no others: a setting or proxy of the user's would otherwise change what is
# started here (Label Studio even reads bare names such as HOST, PORT and USERNAME).
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR")


def passed_on() -> dict[str, str]:
    """The variables of ours that a server sees."""
    return {name: os.environ[name] for name in _PASSED_ON if name in os.environ}


def check_platform(server: str) -> None:
    """Make sure that the server's list of packages can be installed here.

    Raises:
        SetupError: it cannot, on this system or with this Python.
    """
    if os.name != "posix":
        raise SetupError(f"a local {server} needs Linux or macOS", remedy="use WSL, or a server that runs elsewhere")
    if sys.version_info >= (3, 14):
        raise SetupError(
            f"{server} runs on Python 3.11 to 3.13, and this is {sys.version_info.major}.{sys.version_info.minor}",
            remedy="run annobridge with one of those, or use a server that runs elsewhere",
        )


@dataclass(frozen=True)
class Making:
    """An environment that is being made: a folder that is not there yet, a log, and who is told what happens."""

    folder: Path
    log: Path
    say: Say

    def run(self, command: list[str], variables: Mapping[str, str], what: str, *, remedy: str) -> None:
        """Run a program to its end, with its output in the log.

        Raises:
            SetupError: it failed.
        """
        begin = said = time.monotonic()
        with self.log.open("ab") as output:
            process = subprocess.Popen(
                command, env=variables, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )
            try:
                while True:
                    try:
                        code = process.wait(timeout=1)
                        break
                    except subprocess.TimeoutExpired:
                        if time.monotonic() - said > _SAY_EVERY_S:
                            said = time.monotonic()
                            self.say(f"still {what} ({said - begin:.0f} s)")
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()
        if code:
            raise SetupError(f"{what} failed with code {code}; the log is {self.log}", remedy=remedy)

    def install_python_packages(self, packages: Path) -> None:
        """Make the folder a virtual environment with exactly the packages that a file lists.

        Raises:
            SetupError: it failed.
        """
        # pip needs the user's proxy and package index; only what would redirect Python itself is kept from it.
        ours = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")} | {"PIP_USER": "0"}
        self.run(
            [sys.executable, "-I", "-m", "venv", str(self.folder)],
            ours,
            "creating the environment",
            remedy="install Python's venv module (Debian and Ubuntu: apt install python3-venv)",
        )
        pip = [str(self.folder / "bin" / "python"), "-I", "-m", "pip", "install", "--disable-pip-version-check"]
        self.run(
            [*pip, "--no-input", "--no-deps", "-r", str(packages)],
            ours,
            "installing packages",
            remedy="check the network, the free space and the log, then try again",
        )


def is_made(name: str, wanted: Path, proof: str) -> bool:
    """Whether the cache has this environment, complete and made from the present list."""
    return _is_complete(_cache() / name, _hash(wanted), proof)


def make_once(name: str, wanted: Path, make: Callable[[Making], None], *, proof: str, say: Say) -> Path:
    """Return an environment's folder, and make it first if it is missing, half made, or of an older list.

    Two processes that ask at once make it once. It is in the user's cache, or in ``$ANNOBRIDGE_CACHE_DIR``.

    Args:
        name: the folder's name there.
        wanted: the list that it is made from.
        make: makes it.
        proof: a file in it, without which it is not complete.

    Raises:
        SetupError: it cannot be made; the error names the log.
    """
    folder = _cache() / name
    digest = _hash(wanted)
    if _is_complete(folder, digest, proof):
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _alone(folder.with_name(f"{name}.lock"), lambda: say(f"waiting for another process that makes {folder}")):
            if not _is_complete(folder, digest, proof):
                log = folder.with_name(f"{name}.log")
                shutil.rmtree(folder, ignore_errors=True)
                log.write_bytes(b"")
                make(Making(folder, log, say))
                # A virtual environment holds its own path and cannot be renamed into place, so a last file marks a
                # complete one.
                (folder / "complete").write_text(digest)
    except OSError as error:
        raise SetupError(
            f"{error.filename or folder}: {error.strerror}",
            remedy="free some space (about 1 GB), or set ANNOBRIDGE_CACHE_DIR to a folder that you can write",
        ) from error
    return folder


def _cache() -> Path:
    return Path(os.environ.get("ANNOBRIDGE_CACHE_DIR") or platformdirs.user_cache_dir("annobridge")).absolute()


def _hash(wanted: Path) -> str:
    return hashlib.sha256(wanted.read_bytes()).hexdigest()


def _is_complete(folder: Path, digest: str, proof: str) -> bool:
    marker = folder / "complete"
    return marker.is_file() and marker.read_text() == digest and (folder / proof).exists()


@contextmanager
def _alone(path: Path, if_not: Callable[[], None]) -> Iterator[None]:
    """Hold a lock among processes; the kernel lets go of it whatever happens to this one."""
    import fcntl  # not on Windows, where this module must still import

    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if_not()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
