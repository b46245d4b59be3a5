"""A PostgreSQL of one's own for a test run, made with the distribution's programs."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bridge.servers.local_process import free_port


@contextmanager
def postgresql() -> Iterator[str]:
    """The address of an empty database, with its password; all of it is gone afterwards."""
    # PostgreSQL refuses to run as root; the distribution's package has made a user for it.
    user = "postgres" if os.geteuid() == 0 else None
    # Not in pytest's folder, which that user cannot enter.
    folder = Path(tempfile.mkdtemp(prefix="annobridge-postgresql-"))
    password, port = secrets.token_urlsafe(16), free_port(0)
    try:
        (folder / "password").write_text(password)
        if user:
            for path in (folder, folder / "password"):
                shutil.chown(path, user)
        data = folder / "data"
        run("initdb", f"--pgdata={data}", "--username=annobridge", "--auth=scram-sha-256", "--no-sync", "--no-locale",
            "--encoding=UTF8", f"--pwfile={folder / 'password'}", folder=folder, user=user)  # fmt: skip
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                # Nothing here must survive a power cut, so -F saves the waiting for the disk.
                [program("postgres"), "-D", data, "-h", "127.0.0.1", "-p", str(port), "-k", "", "-F"],
                cwd=folder,
                user=user,
                stdout=log,
                stderr=log,
            )
        try:
            for _ in range(300):
                if server.poll() is not None:
                    raise RuntimeError((folder / "log").read_text())
                if subprocess.run([program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]).returncode == 0:
                    break
                time.sleep(0.1)
            run("createdb", "--host=127.0.0.1", f"--port={port}", "--username=annobridge", "labels",
                folder=folder, user=user, password=password)  # fmt: skip
            yield f"postgresql://annobridge:{password}@127.0.0.1:{port}/labels"
        finally:
            server.send_signal(signal.SIGINT)  # waits for no client
            server.wait(60)
    finally:
        shutil.rmtree(folder)


def run(name: str, *arguments: str, folder: Path, user: str | None, password: str = "") -> None:
    subprocess.run(
        [program(name), *arguments],
        cwd=folder,
        user=user,
        env=os.environ | {"PGPASSWORD": password},
        stdout=subprocess.DEVNULL,
        check=True,
    )


def program(name: str) -> Path:
    """One of PostgreSQL's programs: Debian keeps most of them off the PATH, in a folder for each version."""
    found = [*sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}")), *filter(None, [shutil.which(name)])]
    if not found:
        raise RuntimeError(f"{name} is missing: tests/install-system-packages.sh installs PostgreSQL")
    return Path(found[0])
