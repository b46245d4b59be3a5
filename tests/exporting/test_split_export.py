"""Exports with splits: where the files stand, and what a campaign remembers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bridge.errors import ConfigError, UsageError
from bridge.exporting import SplitsConfig, export, splitter
from bridge.merging import merge
from bridge.templates import load_template
from tests.adjudication.working import ANN, Working
from tests.cli.running import run

ROWS: list[dict[str, Any]] = [
    {"id": f"r{n:02}", "prompt": f"what is {n} in words?", "response": "4", "topic": "ab"[n % 2]} for n in range(40)
]


def answered(path: Path, rows: list[dict[str, Any]] = ROWS, **splits: Any) -> Working:
    work = Working(path, rows, exports={"to": ["sft"], "formats": ["plain"], **({"splits": splits} if splits else {})})
    work.campaign.push()
    for row in rows:
        work.answer(row["id"], ANN, rating=5, label="correct")
    work.campaign.pull()
    return work


def where(out: Path) -> dict[str, str]:
    """Record to split, by the files."""
    found = {}
    for path in sorted(out.glob("sft.plain/*.jsonl")):
        for line in path.read_text().splitlines():
            found[json.loads(line)["metadata"]["record"]] = path.stem
    return found


def test_each_split_has_a_file_and_the_manifest_says_how_they_came_about(tmp_path: Path) -> None:
    work = answered(tmp_path, valid=0.2, test=0.2, salt="a")
    (result,) = work.campaign.export()
    assert {(file.path.name, file.split) for file in result.files} == {
        (f"{s}.jsonl", s) for s in ("train", "valid", "test")
    }
    manifest = work.manifest("sft")
    told = manifest["splits"]
    assert told["rows"] == {file.split: file.rows for file in result.files}
    assert {key: told[key] for key in ("shares", "salt", "near", "clusters", "straddling")} == {
        "shares": {"train": 0.6, "valid": 0.2, "test": 0.2},
        "salt": "a",
        "near": 0.7,
        "clusters": 40,
        "straddling": 0,
    }
    assert {row["record"]: row["split"] for row in manifest["rows"]} == where(work.path / "out")


def test_a_split_without_rows_has_no_file(tmp_path: Path) -> None:
    work = answered(tmp_path, ROWS[:2], valid=0.001)
    work.campaign.export()
    assert [path.name for path in (work.path / "out" / "sft.plain").iterdir()] == ["train.jsonl"]


def test_strata_are_columns_of_the_records(tmp_path: Path) -> None:
    work = answered(tmp_path, test=0.25, stratify="topic")
    work.campaign.export()
    there = where(work.path / "out")
    assert [sum(there[row["id"]] == "test" for row in ROWS if row["topic"] == topic) for topic in "ab"] == [5, 5]


def test_a_campaign_remembers_over_exports_and_folders(tmp_path: Path) -> None:
    work = answered(tmp_path, ROWS[:20], test=0.3)
    work.campaign.export()
    first = where(work.path / "out")
    work.rows(ROWS)
    work.campaign.push()
    for row in ROWS[20:]:
        work.answer(row["id"], ANN, rating=5, label="correct")
    work.campaign.pull()
    changed = {"exports": {"splits": {"test": 0.9}}}
    type(work.campaign)(work.path, changed, server=work.server).export(out=tmp_path / "other")
    second = where(tmp_path / "other")
    assert {key: second[key] for key in first} == first
    assert sum(side == "test" for key, side in second.items() if key not in first) > 10


def test_the_same_campaign_exports_the_same_bytes(tmp_path: Path) -> None:
    work = answered(tmp_path, valid=0.2, test=0.2)
    work.campaign.export()
    before = {path: path.read_bytes() for path in (work.path / "out").rglob("*") if path.is_file()}
    work.campaign.pull()
    work.campaign.export()
    assert {path: path.read_bytes() for path in (work.path / "out").rglob("*") if path.is_file()} == before


def test_a_row_that_straddles_is_in_the_file_of_rejects_and_its_record_among_the_dropped(tmp_path: Path) -> None:
    template = load_template("review")
    config = SplitsConfig(test=0.5)
    memory = tmp_path / "splits.jsonl"
    memory.write_text(
        '{"salt": "", "record": "r00", "split": "train"}\n{"salt": "", "record": "r01", "split": "test"}\n'
    )
    work = answered(tmp_path, [{**ROWS[0], "root_id": "r01"}, *ROWS[1:3]])
    records, annotations = list(work.campaign.records()), work.campaign.annotations()
    out = tmp_path / "there"
    result = export(
        "sft",
        records,
        merge(annotations, template, records).kept,
        template,
        out,
        ["plain"],
        split=splitter(memory, config),
    )
    (line,) = [json.loads(line) for line in (out / "sft.rejects.jsonl").read_text().splitlines()]
    assert (line["record"], line["reason"], line["rule"]) == ("r00", "straddles", "splits")
    assert result.counts == {"straddles": 1}


def test_flags_of_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = answered(tmp_path)
    assert work.path == tmp_path
    monkeypatch.chdir(tmp_path)
    done = run("export", "--split", "valid=0.2", "--split", "test=0.3", "--json")
    assert done.json["exports"][0]["splits"]["shares"] == {"train": 0.5, "valid": 0.2, "test": 0.3}
    assert run("export", "--split", "dev=0.2").err.startswith(
        "error: Invalid value for --split: 'dev=0.2' is not valid=SHARE"
    )
    assert run("export", "--split", "test=most").code == 2
    done = run("export", "--split", "test=1.5")
    assert (done.code, done.err.startswith("error: --split: ")) == (2, True)


def test_without_a_campaign_the_folder_remembers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = answered(tmp_path)
    work.campaign.merge()
    monkeypatch.chdir(tmp_path)
    files = (
        "export",
        "--template",
        "review",
        "--records",
        "records.jsonl",
        "--id",
        "id",
        "--merged",
        "out/merged.jsonl",
    )
    command = (*files, "--to", "sft", "--format", "plain", "--out", "there", "--split")
    assert run(*command, "test=0.4").code == 0
    first = where(tmp_path / "there")
    assert set(first.values()) == {"train", "test"}
    assert run(*command, "test=0.9").code == 0
    assert where(tmp_path / "there") == first
    assert "--split" in run(*command, "test=1").err


def test_wrong_shares_in_the_file_name_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"campaign\.yaml:1: exports\.splits\.valid: .*leave something"):
        Working(tmp_path, ROWS, exports={"splits": {"valid": 0.7, "test": 0.7}}).campaign  # noqa: B018
    with pytest.raises(UsageError, match="--split"):
        SplitsConfig.of({"valid": 0.7, "test": 0.7})
