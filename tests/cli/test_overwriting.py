"""No output may overwrite what a command reads or what the campaign keeps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from bridge.cli import main

ROW = {"prompt": "2 + 2?", "response": "4"}


@pytest.fixture(autouse=True)
def campaign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("records.jsonl").write_text(json.dumps(ROW) + "\n")
    Path("annotations.jsonl").write_text('{"record": "r", "annotator": "a", "answers": {"rating": 3}}\n')
    for command in (["init", "--server", "memory", "--template", "rating", "--project", "Sums"], ["push"], ["pull"]):
        assert CliRunner().invoke(main, command).exit_code == 0


@pytest.mark.parametrize(
    "command",
    [
        ["check", "records.jsonl", "--template", "rating", "--rejects", "records.jsonl"],
        ["check", "--rejects", "records.jsonl"],
        ["check", "--rejects", "campaign.yaml"],
        ["annotations", "--out", "campaign.yaml"],
        ["annotations", "--out", "records.jsonl"],
        ["annotations", "--out", "./.annobridge/feedback.jsonl"],
        ["merge", "--out", "records.jsonl"],
        ["merge", "--template", "rating", "--annotations", "annotations.jsonl", "--out", "annotations.jsonl"],
        ["export", "--to", "sft", "--out", ".annobridge"],
    ],
    ids=" ".join,
)
def test_it_is_a_usage_error_and_nothing_changes(command: list[str]) -> None:
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 2
    assert "name another one" in done.stderr
    assert {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()} == before
