"""The command line at its edges: no arguments, no campaign, no room."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from bridge.cli import main

BAD = '{"prompt": "2 + 2?"}\n'
GOOD = '{"prompt": "2 + 2?", "response": "4"}\n'


@pytest.mark.parametrize("arguments", [[], ["serve"]])
def test_without_a_command_the_help_is_shown(arguments: list[str]) -> None:
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 2
    assert done.stdout.startswith("Usage: ")
    assert "error" not in done.output


def test_json_before_or_behind_show_is_the_same() -> None:
    shown = [
        json.loads(CliRunner().invoke(main, ["templates", *arguments]).stdout)
        for arguments in (["--json", "show", "review"], ["show", "review", "--json"])
    ]
    assert shown[0] == shown[1]
    assert shown[0]["name"] == "review"


def test_check_without_a_campaign_asks_for_the_template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rows.jsonl").write_text(GOOD)
    done = CliRunner().invoke(main, ["check", "rows.jsonl"])
    assert done.exit_code == 2
    assert "--template is needed" in done.stderr


def test_check_in_a_campaign_writes_rejects_where_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("records.jsonl").write_text(GOOD + BAD)
    assert CliRunner().invoke(main, ["init", "--server", "memory", "--template", "rating"]).exit_code == 0
    done = CliRunner().invoke(main, ["check", "--rejects", "mine.jsonl"])
    assert done.exit_code == 3
    assert json.loads(Path("mine.jsonl").read_text())["line"] == 2


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", [["templates", "--json"], ["templates", "show", "nope", "--json"], ["--help"]])
def test_a_full_standard_output_is_one_error(arguments: list[str], unbuffered: str) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "bridge", *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
            check=False,
        )
    assert done.returncode in (1, 2)
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


def test_a_reader_that_has_had_enough_is_no_error() -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f"'{sys.executable}' -m bridge templates --schema | head -n 1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
