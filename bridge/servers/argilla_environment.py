"""What a local Argilla runs on: its server's environment, its search engine's jars, and programs of the system.

A migrated database with an owner is kept beside the environment: a new data folder starts from a copy.
"""

from __future__ import annotations

import os
import secrets
import shutil
import zipfile
from pathlib import Path

from bridge.errors import SetupError
from bridge.servers.local_environment import PYTHON, Making, Say, check_platform, is_made, make_once, passed_on

# A data folder of an older version would need `database migrate` at its first start with a newer one.
VERSION = "2.8.0"
SEARCH_VERSION = "2.19.1"
OWNER = "owner"

_PACKAGES = Path(__file__).with_name(f"argilla-{VERSION}.txt")
_JARS = Path(__file__).with_name(f"opensearch-{SEARCH_VERSION}.xml")
_JARS_FOLDER, _JARS_PROOF = f"opensearch-{SEARCH_VERSION}", f"opensearch-knn-{SEARCH_VERSION}.0.jar"

# Programs that only the system can provide, and the packages of Debian and Ubuntu that have them.
_PROGRAMS = {"java": "default-jre-headless", "redis-server": "redis-server", "mvn": "maven"}

# One node that looks for no other: two on one machine would find each other, join, and move each other's data.
# Without the last line a disk that is nearly full would stop indices from being made, and nobody would be told why.
_SEARCH_SETTINGS = """\
discovery.type: single-node
transport.port: 0
cluster.routing.allocation.disk.threshold_enabled: false
"""

# The compiler that starts fast and a collector without threads of its own: half the time and CPU of the defaults.
_JAVA = ["java", "-Xms512m", "-Xmx1g", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]


class Environment:
    """All pieces, complete: their commands, an empty database, and the variables that the server must run with."""

    def __init__(self, folder: Path, jars: Path) -> None:
        self.folder = folder
        self.jars = jars
        self.empty_database = folder / "empty" / "argilla.db"

    def command(self, *arguments: str) -> list[str]:
        """The argument list that runs Argilla, isolated from the user's own Python settings."""
        return [str(self.folder / "bin" / "python"), "-I", "-u", "-m", "argilla_server", *arguments]

    @staticmethod
    def variables(data: Path, temporary: Path) -> dict[str, str]:
        """The variables for a server with this data folder: nothing goes out.

        Whenever Argilla's code is loaded, it leaves a copy of its pages behind in the temporary folder.
        """
        return passed_on() | {
            "TMPDIR": str(temporary),
            "HOME": str(data),
            "ARGILLA_HOME_PATH": str(data),
            "ARGILLA_SEARCH_ENGINE": "opensearch",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "DO_NOT_TRACK": "1",
        }

    def search_command(self, folder: Path, cluster: str) -> list[str]:
        """The argument list that runs OpenSearch in this folder, which is prepared for it."""
        settings = folder / "node_1" / "config" / "opensearch.yml"
        settings.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        settings.write_text(_SEARCH_SETTINGS)
        # It takes a free port above this one and below 9300, and says which. Two that start at the same moment
        # would take the same one, if both began at 9200.
        base = 9200 + secrets.randbelow(90)
        return [
            *_JAVA,
            *("-cp", str(self.jars / "*")),
            "org.codelibs.opensearch.runner.OpenSearchRunner",
            *("-basePath", str(folder), "-numOfNode", "1", "-baseHttpPort", str(base), "-clusterName", cluster),
            *("-pluginTypes", "org.opensearch.knn.plugin.KNNPlugin"),
        ]

    @staticmethod
    def queue_command(socket: Path) -> list[str]:
        """The argument list that runs Redis in the working directory.

        It listens on a socket in a private folder and on no port: whoever can write to the queue can run code.
        """
        listen = ["--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "700"]
        return ["redis-server", *listen, "--save", "60 1"]


def install(say: Say) -> Environment:
    """Return the environment, and make first what is missing of it.

    Raises:
        SetupError: programs are missing, or something cannot be made; the error names them, or the log.
    """
    check_platform("Argilla")
    _check_programs()
    return Environment(
        make_once(f"argilla-{VERSION}-{PYTHON}", _PACKAGES, _make, proof="bin/python", say=say),
        make_once(_JARS_FOLDER, _JARS, _fetch_jars, proof=_JARS_PROOF, say=say),
    )


def _check_programs() -> None:
    needed = dict(_PROGRAMS)
    if is_made(_JARS_FOLDER, _JARS, _JARS_PROOF):
        del needed["mvn"]
    missing = [program for program in needed if not shutil.which(program)]
    if missing:
        raise SetupError(
            f"a local Argilla needs {', '.join(missing)}, not found on the PATH",
            remedy=f"Debian and Ubuntu: apt install {' '.join(needed[program] for program in missing)}",
        )


def _make(making: Making) -> None:
    environment = Environment(making.folder, making.folder)
    making.say(f"installing Argilla {VERSION} into {making.folder} (once; 1 to 3 minutes, about 600 MB)")
    making.install_python_packages(_PACKAGES)
    making.say("preparing its database (once)")
    data, temporary = environment.empty_database.parent, making.folder / "temporary"
    for folder in (data, temporary):
        folder.mkdir(mode=0o700)
    # The owner's password here is nobody's: each data folder sets one of its own.
    owner = ["--username", OWNER, "--first-name", OWNER, "--role", "owner", "--password", secrets.token_urlsafe(16)]
    for arguments in (["migrate"], ["users", "create", *owner]):
        making.run(
            environment.command("database", *arguments),
            environment.variables(data, temporary),
            "preparing the database",
            remedy="look at the log, then try again",
        )
    shutil.rmtree(temporary)


def _fetch_jars(making: Making) -> None:
    making.say(f"fetching OpenSearch {SEARCH_VERSION} into {making.folder} (once; half a minute, about 70 MB)")
    making.folder.mkdir()
    # With --strict-checksums, what arrives damaged is an error and not a warning.
    fetch = ["mvn", "--batch-mode", "--strict-checksums", "--file", str(shutil.copy(_JARS, making.folder / "pom.xml"))]
    making.run(
        [*fetch, "dependency:copy-dependencies", f"-DoutputDirectory={making.folder}"],
        dict(os.environ),  # Maven needs the user's settings
        "fetching OpenSearch",
        remedy="check the network, the free space and the log, then try again",
    )
    for plugin in making.folder.glob("*.zip"):
        with zipfile.ZipFile(plugin) as archive:
            for name in archive.namelist():
                if name.endswith(".jar") and "/" not in name and not (making.folder / name).exists():
                    archive.extract(name, making.folder)
        plugin.unlink()
