"""The environment that a local Label Studio runs in.

A migrated database without users is kept beside it: a new data folder starts from a copy, which saves the minute
that the migrations take.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from bridge.errors import SetupError
from bridge.servers.local_environment import PYTHON, Making, Say, check_platform, make_once, passed_on
from bridge.servers.postgres import Postgres

VERSION = "1.23.2"

_LOCK_FILE = Path(__file__).with_name(f"label_studio-{VERSION}.txt")

_CONNECT = """\
import os, psycopg
try:
    names = ("HOST", "PORT", "NAME", "USER", "PASSWORD")
    host, port, name, user, password = (os.environ["POSTGRE_" + name] for name in names)
    psycopg.connect(host=host, port=port, dbname=name, user=user, password=password, connect_timeout=10).close()
except psycopg.OperationalError as error:
    raise SystemExit(str(error))
"""


class Environment:
    """A complete environment: the server's command, an empty database, and the variables that it must run with."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.empty_database = folder / "empty" / "label_studio.sqlite3"

    def command(self, *arguments: str) -> list[str]:
        """The argument list that runs ``label-studio``, isolated from the user's own Python settings."""
        run = self.folder / "bin"
        return [str(run / "python"), "-I", "-u", str(run / "label-studio"), *arguments]

    @staticmethod
    def variables(data: Path) -> dict[str, str]:
        """The variables for a server with this data folder: nothing goes out, and nobody comes in uninvited."""
        return passed_on() | {
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

    def check_database(self, postgres: Postgres) -> None:
        """Make sure that the PostgreSQL database is there and lets us in, with the server's own client.

        Raises:
            SetupError: it is not, or does not.
        """
        variables = passed_on() | postgres.variables()
        command = [str(self.folder / "bin" / "python"), "-I", "-c", _CONNECT]
        done = subprocess.run(
            command, env=variables, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SetupError(
                f"PostgreSQL: {' '.join(done.stderr.split()) or 'no connection'}",
                remedy="check the address and the password, and that the database is there and belongs to the user",
            )


def install(say: Say) -> Environment:
    """Return the environment, and make it first if it is missing.

    Raises:
        SetupError: it cannot be made; the error names the log.
    """
    check_platform("Label Studio")
    return Environment(make_once(f"label-studio-{VERSION}-{PYTHON}", _LOCK_FILE, _make, proof="bin/python", say=say))


def _make(making: Making) -> None:
    environment = Environment(making.folder)
    making.say(f"installing Label Studio {VERSION} into {making.folder} (once; 1 to 5 minutes, about 1 GB)")
    making.install_python_packages(_LOCK_FILE)
    making.say("preparing its database (once)")
    data = environment.empty_database.parent
    data.mkdir(mode=0o700)
    # `version` migrates the database, prints and ends, so that this is also the proof that the installation works.
    making.run(
        environment.command("version"),
        environment.variables(data),
        "preparing the database",
        remedy="look at the log, then try again",
    )
    (data / ".env").unlink(missing_ok=True)  # a signing key, and each data folder must have one of its own
