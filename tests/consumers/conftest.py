"""Exports of two small campaigns in every format, and an environment with an old `datasets`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.consumers.campaign import write

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``chats`` (flat, JSON Lines) and ``pairs`` (splits, JSON Lines and Parquet)."""
    folder = tmp_path_factory.mktemp("exports")
    write(folder)
    return folder


@pytest.fixture(scope="session")
def old_datasets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to be put on the path, with an old `datasets` and what it wants older than we have it."""
    folder = tmp_path_factory.mktemp("old-datasets")
    install = ["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--target", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", *install, "-r", str(HERE / "old-datasets.txt")], check=True)
    return folder
