"""What a user installs: a wheel that works away from the checkout; and what developers install: lists that agree."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import bridge

ROOT = Path(__file__).resolve().parent.parent
READY_MADE = sorted(path.stem for path in (ROOT / "task_templates").glob("*.yaml"))
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the source distribution, so that both are known to be complete."""
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT))
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` folder of a fresh environment that holds the wheel and borrows its dependencies from this one."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    run(
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(python),
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        str(wheel),
    )
    site = Path(run(str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    # A folder named in a .pth file comes last on the path, and .pth files in it (our editable install) do not count.
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin"


def run(*command: str, cwd: Path | None = None) -> str:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(command, cwd=cwd, env=clean, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_wheel_holds_the_package_the_templates_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0] for name in names} == {"bridge", f"annobridge-{bridge.__version__}.dist-info"}
    assert sorted(Path(n).stem for n in names if n.startswith("bridge/task_templates/")) == READY_MADE
    assert "bridge/py.typed" in names
    for needed in ("label_studio-1.23.2.txt", "argilla-2.8.0.txt", "opensearch-2.19.1.xml"):
        assert f"bridge/servers/{needed}" in names


def test_it_works_outside_the_checkout(installed: Path, tmp_path: Path) -> None:
    assert bridge.__version__ in run(str(installed / "annobridge"), "--version", cwd=tmp_path)
    code = """if True:
        import bridge, bridge.templates as templates
        print(bridge.__file__)
        names = templates.template_names()
        print(*names)
        for name in names:
            templates.load_template(name)
    """
    where, names = run(str(installed / "python"), "-I", "-c", code, cwd=tmp_path).splitlines()
    assert Path(where).is_relative_to(installed.parent)
    assert names.split() == READY_MADE


# -- the lists of packages


def pinned(path: Path) -> dict[str, Requirement]:
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return {canonical(requirement.name): requirement for requirement in map(Requirement, lines)}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize(
    "path", ["requirements-dev.txt", "bridge/servers/label_studio-1.23.2.txt", "bridge/servers/argilla-2.8.0.txt"]
)
def test_locks_name_one_exact_version_of_each_package(path: str) -> None:
    for requirement in pinned(ROOT / path).values():
        assert [clause.operator for clause in requirement.specifier] == ["=="], requirement
        assert requirement.url is None


LARGE = {"lingua", "ner"}
"""Extras of hundreds of megabytes (language models), of which tests use stand-ins."""


def test_the_lock_has_what_the_project_asks_for() -> None:
    project = PYPROJECT["project"]
    extras = {name: wanted for name, wanted in project["optional-dependencies"].items() if name not in LARGE}
    asked = {*project["dependencies"], *chain.from_iterable(extras.values())}
    wanted = {line.partition("#")[0].strip() for line in (ROOT / "requirements-dev.in").read_text().splitlines()} - {""}
    assert asked <= wanted
    lock = pinned(ROOT / "requirements-dev.txt")
    for requirement in map(Requirement, wanted):
        (clause,) = lock[canonical(requirement.name)].specifier
        assert clause.version in requirement.specifier


# -- the script that installs system packages


def install_system_packages(*path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "tests" / "install-system-packages.sh"],
        env={"PATH": os.pathsep.join(map(str, path)), "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A PATH with the shell's helpers and nothing else."""
    for name in ("sh", "sed", "dirname", "id", "grep", "env", "cat", "chmod"):
        (tmp_path / name).symlink_to(shutil.which(name) or "")
    return tmp_path


def program(folder: Path, name: str, script: str = "") -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


# One program of each package, in the order of the list; PostgreSQL's is looked for in Debian's own folder too.
PROGRAMS = ["chromium", "java", "cc", "mvn", "initdb", "redis-server"]


def test_with_everything_there_nothing_is_installed(bare: Path) -> None:
    for name in PROGRAMS:
        program(bare, name)
    program(bare, "apt-get", "exit 1")
    done = install_system_packages(bare)
    assert (done.returncode, done.stdout) == (0, "system packages: all there\n")


def test_elsewhere_than_on_debian_the_missing_packages_are_named(bare: Path) -> None:
    for name in PROGRAMS[2:]:
        program(bare, name)
    done = install_system_packages(bare)
    assert done.returncode == 1
    assert "missing: chromium default-jre-headless\n" in done.stderr


def test_without_root_the_missing_packages_are_named(bare: Path) -> None:
    program(bare, "apt-get", "exit 1")
    (bare / "id").unlink()
    program(bare, "id", "echo 1000")
    done = install_system_packages(bare)
    assert done.returncode == 1
    assert "apt-get install chromium" in done.stderr


def test_what_is_missing_is_installed_with_apt(bare: Path) -> None:
    (bare / "id").unlink()
    program(bare, "id", "echo 0")
    for name in PROGRAMS[1:]:
        program(bare, name)
    program(
        bare, "apt-get", f'echo "$@"; case "$*" in *chromium) echo > {bare}/chromium; chmod +x {bare}/chromium;; esac'
    )
    done = install_system_packages(bare)
    assert done.returncode == 0, done.stderr
    assert "update" in done.stdout
    assert install_system_packages(bare).stdout == "system packages: all there\n"
