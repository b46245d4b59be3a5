"""check-rows, and gates in exports, from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import bridge
from bridge.errors import ExportError
from tests.cli.running import run

PAIR = {"prompt": "Name a colour.", "chosen": "Blue.", "rejected": "Monday."}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(name: str, rows: list[Any]) -> str:
    Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return name


def read(name: str) -> list[Any]:
    return [json.loads(line) for line in Path(name).read_text("utf-8").splitlines()]


class TestCheckRows:
    def test_rows_that_are_fit(self) -> None:
        done = run("check-rows", write("a.jsonl", [PAIR | {"prompt": f"{n}?"} for n in range(4)]))
        assert (done.code, done.lines) == (0, ["4 rows (preference 4): 4 are fit, 0 are not"])

    def test_rows_that_are_not(self) -> None:
        rows = [PAIR, PAIR | {"prompt": "2?", "rejected": "Blue."}, PAIR | {"prompt": "3?", "chosen": None}]
        done = run("check-rows", write("a.jsonl", rows), "--out", "clean.jsonl", "--rejects", "bad.jsonl")
        assert done.code == 3
        assert done.lines[0] == "3 rows (preference 3): 1 are fit, 2 are not"
        assert "  line 2: equal: chosen and rejected are the same" in done.lines
        assert "  line 3: null: chosen: null" in done.lines
        assert read("clean.jsonl") == [PAIR]
        assert [(line["line"], line["reason"], line["row"]) for line in read("bad.jsonl")] == [
            (2, "equal", rows[1]),
            (3, "null", rows[2]),
        ]
        assert run("check-rows", "clean.jsonl").code == 0

    def test_json(self) -> None:
        done = run("check-rows", write("a.jsonl", [PAIR, PAIR]), "--json")
        assert (done.code, done.json["kept"], done.json["defects"]) == (3, 1, {"duplicates": 1})
        assert done.json["problems"][0]["code"] == "few_rows"

    def test_several_files_say_which_one(self) -> None:
        done = run("check-rows", write("a.jsonl", [PAIR]), write("b.jsonl", [PAIR]))
        assert "  b.jsonl:1: duplicates: says what a row of 'a.jsonl:1' says" in done.lines

    def test_gates_and_the_kind(self) -> None:
        name = write("a.jsonl", [PAIR, PAIR])
        assert run("check-rows", name, "--no-gate", "duplicates").code == 0
        assert run("check-rows", name, "--no-gate", "duplicates", "--gate", "length_ratio=1.2").code == 3
        assert run("check-rows", name, "--kind", "sft").code == 3

    @pytest.mark.parametrize(
        ("arguments", "code", "says"),
        [
            ([], 2, "FILES"),
            (["no-such.jsonl"], 1, "no-such.jsonl"),
            (["empty.jsonl"], 1, "no rows"),
            (["a.jsonl", "--gate", "near=3"], 2, "'near' is no gate"),
            (["a.jsonl", "--gate", "near_equal=3"], 2, "near_equal"),
            (["a.jsonl", "--out", "a.jsonl"], 2, "name another one"),
        ],
    )
    def test_what_cannot_be_done(self, arguments: list[str], code: int, says: str) -> None:
        write("a.jsonl", [PAIR])
        write("empty.jsonl", [])
        before = Path("a.jsonl").read_bytes()
        done = run("check-rows", *arguments)
        assert (done.code, says in done.err) == (code, True), done.err
        assert Path("a.jsonl").read_bytes() == before
        assert sorted(path.name for path in Path().iterdir()) == ["a.jsonl", "empty.jsonl"]


ALIKE = ("The capital is Canberra.", "The capital is Canberra!", "Sydney.")


def campaign(**exports: Any) -> bridge.Campaign:
    """Three rewritten responses, of which the first hardly differs from what it was."""
    write(
        "records.jsonl",
        [{"key": f"r{n}", "fields": {"prompt": f"Capital {n}?", "response": text}} for n, text in enumerate(ALIKE)],
    )
    Path("campaign.yaml").write_text(
        "project: Capitals\nserver: {kind: memory}\nrecords: records.jsonl\ntemplate: review\n"
        f"exports: {json.dumps({'to': ['dpo'], 'formats': ['plain']} | exports)}\n"
    )
    Path(".annobridge").mkdir(exist_ok=True)
    return bridge.Campaign(".")


def merged_file() -> list[str]:
    """The files of an export that needs no campaign: people wrote `The capital is Canberra.` everywhere."""
    write(
        "records.jsonl",
        [{"key": f"r{n}", "fields": {"prompt": f"Capital {n}?", "response": text}} for n, text in enumerate(ALIKE)],
    )
    answer = {"rating": 2, "label": "incorrect", "improved_response": "The capital is Canberra, I think."}
    write("annotations.jsonl", [{"record": f"r{n}", "annotator": "ann", "answers": answer} for n in range(3)])
    common = ["--template", "review", "--records", "records.jsonl"]
    assert run("merge", *common, "--annotations", "annotations.jsonl", "--out", "merged.jsonl").code == 0
    return ["export", *common, "--merged", "merged.jsonl", "--format", "plain", "--out", "train"]


class TestExports:
    def test_gates_are_on_and_counted_in_the_manifest(self) -> None:
        assert run(*merged_file(), "--to", "dpo").code == 0
        gates = json.loads(Path("train/dpo.manifest.json").read_text("utf-8"))["gates"]
        assert gates["equal"] == {"checked": 3, "rejected": 0}
        assert "near_equal" not in gates

    def test_a_threshold_from_the_command_line(self) -> None:
        done = run(*merged_file(), "--to", "dpo", "--gate", "near_equal=80")
        assert done.code == 0
        assert "      2 stopped by the gate near_equal: chosen and rejected are nearly the same" in done.lines
        assert [(line["record"], line["reason"], line["rule"]) for line in read("train/dpo.rejects.jsonl")] == [
            ("r0", "gated", "near_equal"),
            ("r1", "gated", "near_equal"),
        ]
        assert len(read("train/dpo.plain.jsonl")) == 1

    def test_a_set_that_no_row_passes_is_an_error_and_nothing_is_written(self) -> None:
        done = run(*merged_file(), "--to", "dpo", "--gate", "licence=MIT")
        assert done.code == 1
        assert "there are no dpo rows: no record yields one (gated: 3, licence: 3); no file was written" in done.err
        assert "--no-gate NAME" in done.err
        assert not Path("train").exists()

    @pytest.mark.parametrize(
        ("training", "code", "reason", "remedy"),
        [
            ("", 1, "does not say how its answers become training rows", "add a 'training' section"),
            ("training: {prompt: prompt, sft: [{use: response}]}\n", 1, "has no rule for dpo rows", "or ask for sft"),
            ("training: {dpo: [{pairs: better}]}\n", 2, "training.prompt: it is missing", "docs/templates.md"),
        ],
    )
    def test_a_template_that_cannot_make_pairs(self, training: str, code: int, reason: str, remedy: str) -> None:
        arguments = merged_file()
        Path("mine.yaml").write_text(
            "version: 1\nname: mine\ntitle: T\nfields: [{name: prompt, title: P}, {name: response, title: R}]\n"
            "questions: [{name: rating, type: rating, title: Good}]\n" + training
        )
        arguments[arguments.index("review")] = "./mine.yaml"
        done = run(*arguments, "--to", "dpo")
        assert (done.code, reason in done.err, remedy in done.err) == (code, True, True), done.err
        assert not Path("train").exists()

    def test_what_only_a_test_double_wrote_needs_a_flag(self) -> None:
        arguments = merged_file()
        rows = read("records.jsonl")
        marks = [{"test_only": True}, {"model": "stub"}, {"calls": {"first": {"model": "stub-large"}}}]
        write("records.jsonl", [row | {"metadata": mark} for row, mark in zip(rows, marks, strict=True)])
        assert "test_only: 3" in run(*arguments, "--to", "sft").err
        assert run(*arguments, "--to", "sft", "--no-gate", "test_only").code == 0


class TestCampaign:
    def test_gates_of_campaign_yaml(self) -> None:
        config = campaign(gates={"near_equal": 90, "duplicates": False}).config.exports.gates
        assert (config.near_equal, config.duplicates, config.equal) == (90.0, False, True)

    def test_an_empty_set_leaves_what_was_there(self) -> None:
        with pytest.raises(ExportError, match="no file was written"):
            campaign().export()
        assert not list(Path("out").glob("dpo.*"))
