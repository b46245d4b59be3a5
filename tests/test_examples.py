"""The programs in examples/ run as they stand: against the live server, or without any."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.servers.local_label_studio import LocalLabelStudio

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
LIVE = ["mark_errors", "meetings_to_pairs", "own_template", "rate_model_outputs"]
ALONE = ["merge_files"]
NOT_PROGRAMS = ["example_server"]
ELSEWHERE = ["demo", "distilabel_pipeline"]  # `make demo`; tests/interop/test_distilabel_live.py


def test_each_one_is_tried() -> None:
    there = sorted(path.stem for path in EXAMPLES.glob("*.py"))
    assert there == sorted([*LIVE, *ALONE, *NOT_PROGRAMS, *ELSEWHERE])


@pytest.mark.live
@pytest.mark.parametrize("name", LIVE)
def test_it_runs_against_a_live_server(name: str, label_studio: LocalLabelStudio, tmp_path: Path) -> None:
    said = run(name, tmp_path, LABEL_STUDIO_URL=label_studio.url, LABEL_STUDIO_API_KEY=label_studio.token.reveal())
    assert "SIMULATED" in said


@pytest.mark.parametrize("name", ALONE)
def test_it_runs_without_a_server(name: str, tmp_path: Path) -> None:
    assert "rows in dpo.plain.jsonl" in run(name, tmp_path)


def run(name: str, folder: Path, **variables: str) -> str:
    """What an example prints. It runs in an empty folder, with an empty home, and leaves nothing in the folder."""
    work, home = folder / "work", folder / "home"
    work.mkdir()
    home.mkdir()
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("LABEL_STUDIO", "ANNOBRIDGE"))}
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / f"{name}.py")],
        cwd=work,
        env={
            **clean,
            "PYTHONPATH": str(EXAMPLES.parent),
            "ANNOBRIDGE_CONFIG_DIR": str(home),
            "TMPDIR": str(home),
            **variables,
        },
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=300,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert list(work.iterdir()) == []
    assert list(home.iterdir()) == []
    return done.stdout
