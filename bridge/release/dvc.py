"""A release under DVC: ``v3.dvc`` beside it is written by DVC's own command."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from bridge.errors import SetupError


def check_dvc() -> str:
    """The path of the command.

    Raises:
        SetupError: it is not installed.
    """
    command = shutil.which("dvc")
    if command is None:
        raise SetupError("dvc: no such command", remedy="pip install dvc, and run `dvc init` in your repository")
    return command


def dvc_add(folder: Path) -> Path:
    """Put a release under DVC.

    Args:
        folder: of the release.

    Returns:
        The ``.dvc`` file.

    Raises:
        SetupError: the command is not installed, or fails; the release is as it was.
    """
    done = subprocess.run(
        [check_dvc(), "add", folder.name], cwd=folder.parent, capture_output=True, text=True, check=False
    )
    made = folder.with_name(f"{folder.name}.dvc")
    if done.returncode or not made.exists():
        said = (done.stderr or done.stdout).strip().splitlines()
        raise SetupError(
            f"{folder}: `dvc add` failed: {said[-1] if said else f'exit code {done.returncode}'}",
            remedy=f"the release is whole; run `dvc add {folder}` yourself, in a repository with `dvc init`",
        )
    return made
