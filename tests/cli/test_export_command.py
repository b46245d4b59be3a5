"""`annobridge export`: formats, sorts of files and chat templates, in a campaign and without one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bridge.annotations import Annotation
from bridge.exporting.formats import FORMATS
from bridge.files import write_lines
from bridge.merging import merge
from bridge.records import Record
from bridge.templates import load_template
from tests.cli.running import Result, run

TURNS = [{"role": "user", "content": "2 + 2?"}, {"role": "assistant", "content": "4"}]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with two conversations that people approved, of one turn and of two."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANNOBRIDGE_CONFIG_DIR", str(tmp_path / "config"))
    records = [Record("one", {"messages": TURNS}), Record("two", {"messages": TURNS * 2})]
    write_lines("records.jsonl", [record.to_dict() for record in records])
    answers = [Annotation(record.key, "ann", answers={"rating": 5, "label": "correct"}) for record in records]
    merged = merge(answers, load_template("chat_review"), records).kept
    write_lines("merged.jsonl", [entry.to_dict() for entry in merged])
    return tmp_path


def exported(*more: str, records: str = "records.jsonl") -> Result:
    where = ("--template", "chat_review", "--records", records, "--merged", "merged.jsonl", "--out", "train")
    return run("export", *where, *more)


def lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path("train", name).read_text().splitlines()]


def test_a_format_and_both_sorts_of_files() -> None:
    result = exported("--to", "sft", "--format", "messages", "--files", "jsonl", "--files", "parquet")
    assert result.code == 0, result.err
    assert [line.split() for line in result.lines] == [
        ["2", "rows", "train/sft.messages.jsonl"],
        ["2", "rows", "train/sft.messages.parquet"],
    ]
    assert lines("sft.messages.jsonl")[0]["messages"] == TURNS
    assert 'data_files: "sft.messages.parquet"' in Path("train/sft.messages.trl.yaml").read_text()


def test_text_through_a_chat_template() -> None:
    Path("mine.jinja").write_text("{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}")
    result = exported("--to", "sft", "--format", "text", "--chat-template", "mine.jinja")
    assert result.code == 0, result.err
    assert [line["text"] for line in lines("sft.text.jsonl")] == [
        "[user]2 + 2?[assistant]4",
        "[user]2 + 2?[assistant]4" * 2,
    ]


@pytest.mark.parametrize("kind", ["sft", "dpo", "kto", "reward"])
def test_an_unknown_format_is_told_those_of_the_kind(kind: Any) -> None:
    result = exported("--to", kind, "--format", "csv")
    assert result.code == 2
    assert f"'csv' is no format for {kind} rows" in result.err
    assert f"use one or more of {', '.join(FORMATS[kind])}" in result.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--format", "text"], 2, "the format 'text' needs a chat template"),
        (["--format", "text", "--chat-template", "."], 2, "this tokenizer has no chat template"),
        (["--format", "alpaca"], 1, "there are no sft rows"),
    ],
)
def test_what_cannot_be_written_is_one_error_that_names_a_format_that_can(
    arguments: list[str], code: int, said: str
) -> None:
    (_, two) = Path("merged.jsonl").read_text().splitlines()
    Path("merged.jsonl").write_text(two + "\n")  # several turns only
    record = Path("records.jsonl").read_text().splitlines()[1]
    Path("records.jsonl").write_text(record + "\n")
    result = exported("--to", "sft", *arguments)
    assert (result.code, result.out) == (code, "")
    assert said in result.err
    assert "use the format 'messages'" in result.err
    assert not Path("train").exists()


def test_a_campaign_names_its_chat_template_and_files(folder: Path) -> None:
    Path("mine.jinja").write_text("{% for m in messages %}{{ m.content }}|{% endfor %}")
    Path("campaign.yaml").write_text(
        "project: Chats\nserver: {kind: memory}\nrecords: records.jsonl\ntemplate: chat_review\n"
        "exports: {formats: [text], files: [parquet], chat_template: mine.jinja}\n"
    )
    assert run("push").code == 0
    assert run("export").code == 1  # nobody has answered; but the template was read
    Path("mine.jinja").write_text("{{")
    result = run("export")
    assert result.code == 2
    assert "mine.jinja:1: no chat template" in result.err
