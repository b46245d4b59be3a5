"""The environment that a local Label Studio runs in: installed once, cached, and shared by all data folders.

It stands apart from the user's own environment, because Label Studio pins 160 packages that nobody else wants pinned.
A migrated database without users is kept beside it: a new data folder starts from a copy, which saves the minute
that the migrations take.
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
from pathlib import Path

import platformdirs

from bridge.errors import SetupError

VERSION = "1.23.2"

Say = Callable[[str], None]

_LOCK_FILE = Path(__file__).with_name(f"label_studio-{VERSION}.txt")
_SAY_EVERY_S = 30.0

# The server sees these variables of ours and no others: a LABEL_STUDIO_* or proxy setting of the user's would
# otherwise change what is started here (Label Studio even reads bare names such as HOST, PORT and USERNAME).
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR")


class Environment:
    """A complete environment: the server's command, an empty database, and the variables that it must run with."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.python = folder / "bin" / "python"
        self.empty_database = folder / "empty" / "label_studio.sqlite3"

    def command(self, *arguments: str) -> list[str]:
        """The argument list that runs ``label-studio``, isolated from the user's own Python settings."""
        return [str(self.python), "-I", "-u", str(self.folder / "bin" / "label-studio"), *arguments]

    @staticmethod
    def variables(data: Path) -> dict[str, str]:
        """The variables for a server with this data folder: nothing goes out, and nobody comes in uninvited."""
        return {name: os.environ[name] for name in _PASSED_ON if name in os.environ} | {
            "HOME": str(data),
            "LABEL_STUDIO_BASE_DATA_DIR": str(data),
            "LABEL_STUDIO_COLLECT_ANALYTICS": "False",
            "LABEL_STUDIO_LATEST_VERSION_CHECK": "False",
            "LABEL_STUDIO_SENTRY_DSN": "",
            "LABEL_STUDIO_FRONTEND_SENTRY_DSN": "",
            "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "True",
            "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED": "False",
            "LABEL_STUDIO_ALLOWED_HOSTS": "127.0.0.1,localhost",
            "LABEL_STUDIO_DEBUG": "False",
        }


def install(say: Say) -> Environment:
    """Return the environment, and make it first if it is missing, half made, or of an older list of packages.

    Two processes that ask at once make it once. The folder is in the user's cache, or in ``$ANNOBRIDGE_CACHE_DIR``.

    Raises:
        SetupError: it cannot be made; the error names the log.
    """
    if os.name != "posix":
        raise SetupError("a local Label Studio needs Linux or macOS", remedy="use WSL, or a server that runs elsewhere")
    if sys.version_info >= (3, 14):
        raise SetupError(
            f"Label Studio {VERSION} runs on Python 3.11 to 3.13, and this is {sys.version_info.major}."
            f"{sys.version_info.minor}",
            remedy="run annobridge with one of those, or use a server that runs elsewhere",
        )
    cache = Path(os.environ.get("ANNOBRIDGE_CACHE_DIR") or platformdirs.user_cache_dir("annobridge"))
    folder = cache / f"label-studio-{VERSION}-py{sys.version_info.major}{sys.version_info.minor}"
    made = Environment(folder)
    # A virtual environment holds its own path and cannot be renamed into place, so a last file marks a complete one.
    marker = folder / "complete"
    wanted = hashlib.sha256(_LOCK_FILE.read_bytes()).hexdigest()

    def complete() -> bool:
        return marker.is_file() and marker.read_text() == wanted and made.python.exists()

    if complete():
        return made
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with _alone(folder.with_name(folder.name + ".lock"), say):
            if not complete():
                _make(made, folder.with_name(folder.name + ".log"), say)
                marker.write_text(wanted)
    except OSError as error:
        raise SetupError(
            f"{error.filename or folder}: {error.strerror}",
            remedy="free some space (about 1 GB), or set ANNOBRIDGE_CACHE_DIR to a folder that you can write",
        ) from error
    return made


def _make(environment: Environment, log: Path, say: Say) -> None:
    folder = environment.folder
    shutil.rmtree(folder, ignore_errors=True)
    log.write_bytes(b"")
    say(f"installing Label Studio {VERSION} into {folder} (once; 1 to 5 minutes, about 1 GB)")
    # pip needs the user's proxy and package index; only what would redirect Python itself is kept from it.
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")} | {"PIP_USER": "0"}
    _run(
        [sys.executable, "-I", "-m", "venv", str(folder)],
        ours,
        log,
        say,
        "creating the environment",
        remedy="install Python's venv module (Debian and Ubuntu: apt install python3-venv)",
    )
    install = ["-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--no-deps", "-r", str(_LOCK_FILE)]
    _run(
        [str(environment.python), "-I", *install],
        ours,
        log,
        say,
        "installing packages",
        remedy="check the network, the free space and the log, then try again",
    )
    say("preparing its database (once)")
    data = environment.empty_database.parent
    data.mkdir(mode=0o700)
    # `version` migrates the database, prints and ends, so that this is also the proof that the installation works.
    _run(
        environment.command("version"),
        environment.variables(data),
        log,
        say,
        "preparing the database",
        remedy="look at the log, then try again",
    )
    (data / ".env").unlink(missing_ok=True)  # a signing key, and each data folder must have one of its own


def _run(command: list[str], variables: Mapping[str, str], log: Path, say: Say, what: str, *, remedy: str) -> None:
    begin = said = time.monotonic()
    with log.open("ab") as output:
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
                        say(f"still {what} ({said - begin:.0f} s)")
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    if code:
        raise SetupError(f"{what} failed with code {code}; the log is {log}", remedy=remedy)


@contextmanager
def _alone(path: Path, say: Say) -> Iterator[None]:
    """Hold a lock among processes; the kernel lets go of it whatever happens to this one."""
    import fcntl  # not on Windows, where this module must still import

    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another process that is installing Label Studio")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
