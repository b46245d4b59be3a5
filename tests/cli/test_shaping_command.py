"""`annobridge export --reasoning strip --system merge`, in a campaign and without one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bridge.annotations import Annotation
from bridge.files import write_lines
from bridge.merging import merge
from bridge.records import Record
from bridge.servers.memory import MemoryServer
from bridge.servers.protocol import Project
from bridge.templates import load_template
from tests.cli.running import run

REVIEW = load_template("chat_review")
FINE = {"rating": 5, "label": "correct"}
MESSAGES = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "2 + 2?"},
    {"role": "assistant", "content": "<think>Two and two.</think>4"},
]
SHAPED = {
    "prompt": [{"role": "user", "content": "Be brief.\n\n2 + 2?"}],
    "completion": [{"role": "assistant", "content": "4"}],
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANNOBRIDGE_CONFIG_DIR", str(tmp_path / "config"))
    write_lines("records.jsonl", [Record("one", {"messages": MESSAGES}).to_dict()])
    return tmp_path


def written(folder: str) -> dict[str, object]:
    (line,) = Path(folder, "sft.conversational.jsonl").read_text().splitlines()
    row: dict[str, object] = json.loads(line)
    return {key: row[key] for key in ("prompt", "completion")}


def test_without_a_campaign() -> None:
    merged = merge([Annotation("one", "ann", answers=FINE)], REVIEW, [Record("one", {"messages": MESSAGES})]).kept
    write_lines("merged.jsonl", [entry.to_dict() for entry in merged])
    where = ("--template", "chat_review", "--records", "records.jsonl", "--merged", "merged.jsonl", "--out", "train")
    result = run("export", *where, "--to", "sft", "--reasoning", "strip", "--system", "merge", "--json")
    assert result.code == 0, result.err
    assert result.json["exports"][0]["reasoning"] == {"stripped": 1, "rejected": 0}
    assert written("train") == SHAPED


def test_in_a_campaign_as_its_file_says_or_a_flag(folder: Path) -> None:
    Path("campaign.yaml").write_text(
        "project: Chats\nserver: {kind: memory}\nrecords: records.jsonl\ntemplate: chat_review\n"
        "exports: {reasoning: strip, system: merge}\n"
    )
    assert run("push").code == 0
    server = MemoryServer(folder / ".annobridge" / "memory-server.json")
    server.ensure(Project("Chats", REVIEW), create=False)
    server.annotate("one", "ann@example.org", FINE)
    assert run("pull").code == 0
    assert run("export").code == 0
    assert written("out") == SHAPED
    assert run("export", "--reasoning", "keep", "--system", "keep").code == 0
    assert written("out") == {"prompt": MESSAGES[:2], "completion": MESSAGES[2:]}
