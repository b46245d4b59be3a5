"""The command generate: from settings and flags, through a local endpoint, to rows that a push reads."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest

from bridge.generating.settings import GenerateConfig
from bridge.questions import Part
from bridge.reading import read_records
from bridge.templates import load_template
from bridge.testing.models import Asked, ModelFault, ModelServer
from tests.cli.running import run
from tests.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]
SECRET = "sk-very-secret-000"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("ANNOBRIDGE_MODEL_KEY", raising=False)
    write("prompts.jsonl", [{"id": f"p{n}", "prompt": f"What is {n} + {n}?", "topic": "sums"} for n in range(12)])
    return tmp_path


def write(name: str, rows: list[dict[str, Any]]) -> None:
    Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(name).read_text(encoding="utf-8").splitlines()]


def words(asked: Asked) -> str | list[str]:
    """New instructions where these are asked for, else answers."""
    wanted = re.search(r"Write (\d+) different", asked.text)
    if wanted:
        return json.dumps(
            {"items": [f"{asked.digest[n:][:9]} {asked.digest[n + 9 :][:9]}" for n in range(int(wanted[1]))]}
        )
    return [f"Answer {number} to {asked.text}" for number in range(asked.n)]


CANDIDATES = ["generate", "--make", "candidates", "--rows", "prompts.jsonl", "--id", "id", "--model", "small"]


def test_answers_come_through_the_batch_api_and_new_instructions_directly() -> None:
    with ModelServer(words) as server:
        flags = ["--topic", "cooking", "--count", "7", "--model", "small", "--url", server.url, "--batch", "--json"]
        assert run("generate", *flags).json["made"] == 7
        assert server.batches.sizes == [7]
        assert len(server.asked) > 7


def test_a_budget_that_is_spent_keeps_what_batches_answered_and_more_goes_on() -> None:
    with ModelServer(words) as server:
        flags = [*CANDIDATES, "--template", "review", "--url", server.url, "--batch", "--json"]
        Path("generate.yaml").write_text("budget: {requests: 5}")
        done = run(*flags)
        assert (done.code, done.json["made"], len(lines("generated.jsonl"))) == (3, 5, 5)
        assert "5 of 5 requests" in done.json["stopped"]
        Path("generate.yaml").unlink()
        assert run(*flags).json["made"] == 12
        assert server.batches.sizes == [5, 7]
        assert set(server.answered.values()) == {1}


def test_new_instructions_become_rows_that_a_push_reads() -> None:
    with ModelServer(words) as server:
        flags = ["--topic", "cooking", "--topic", "travel", "--level", "easy", "--count", "7"]
        done = run("generate", *flags, "--model", "small", "--url", server.url, "--json")
    assert (done.code, done.json["made"], done.json["partial"], done.json["test_only"]) == (0, 7, False, 7)
    checked = run("check", "generated.jsonl", "--template", "review", "--json").json
    assert (checked["records"], checked["rejects"]) == (7, [])
    assert {line["metadata"]["level"] for line in lines("generated.jsonl")} == {"easy"}
    assert lines("generated.rejected.jsonl") == []


@pytest.mark.parametrize(
    ("template", "count"),
    [("preference", 2), ("ranking", 3), ("rating", 1), ("label", 1), ("chat_review", 1), ("span_errors", 2)],
)
def test_candidates_fit_the_templates_that_come_with_the_program(template: str, count: int) -> None:
    with ModelServer(words) as server:
        done = run(*CANDIDATES, "--template", template, "--candidates", str(count), "--url", server.url, "--json")
    reader = read_records("generated.jsonl", load_template(template))
    assert len(list(reader)) == done.json["made"] == (24 if template == "span_errors" else 12)
    assert (done.code, reader.rejects) == (0, [])


def test_a_file_says_what_flags_do_not() -> None:
    with ModelServer(words) as server:
        wanted = "make: candidates\ntemplate: preference\nmodels: [small]\nrows: {path: prompts.jsonl, id: id}\n"
        Path("generate.yaml").write_text(f"{wanted}url: {server.url}\n")
        assert run("generate", "--json").json["made"] == 12
        assert run("generate", "--template", "ranking", "--candidates", "4", "--json").json["made"] == 12
    assert "response_4" in lines("generated.jsonl")[0]["fields"]


def test_nothing_is_asked_twice() -> None:
    with ModelServer(words) as server:
        flags = [*CANDIDATES, "--template", "preference", "--url", server.url]
        run(*flags)
        first = Path("generated.jsonl").read_bytes()
        asked = len(server.asked)
        assert run(*flags).code == 0
        assert (Path("generated.jsonl").read_bytes(), len(server.asked)) == (first, asked)
        run(*flags, "--seed", "1")
        assert len(server.asked) > asked


def test_a_killed_run_goes_on_and_ends_as_if_it_had_never_been() -> None:
    flags = [*CANDIDATES, "--template", "rating", "--out"]
    journal = Path("made.journal.jsonl")
    with ModelServer(words, at=dict.fromkeys(range(6, 99), "slow"), slow_s=90) as server:
        command = [sys.executable, "-m", "bridge", *flags, "made.jsonl", "--url", server.url]
        process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE)
        eventually(lambda: len(server.asked) == 12 and journal.read_text(encoding="utf-8").count('"answer"') == 5)
        process.kill()
        process.communicate()
        assert not Path("made.jsonl").exists()
    with ModelServer(words, port=int(server.url.split(":")[2][:-3])) as second:
        assert run(*flags, "made.jsonl", "--url", second.url).code == 0
        assert len(second.asked) == 12 - 5
        assert run(*flags, "again.jsonl", "--url", second.url).code == 0
    assert [line["fields"] for line in lines("made.jsonl")] == [line["fields"] for line in lines("again.jsonl")]


def test_a_budget_ends_a_run_cleanly_and_a_larger_one_goes_on() -> None:
    with ModelServer(words) as server:
        flags = [*CANDIDATES, "--url", server.url, "--parameter", "max_tokens=20"]
        short = run(*flags, "--budget-tokens", "100", "--json")
        assert short.code == 3
        assert 0 < short.json["made"] < 12
        assert "the budget has no room" in short.json["stopped"]
        made = lines("generated.jsonl")
        assert len(made) == short.json["made"]
        asked = len(server.asked)
        assert run(*flags, "--budget-tokens", "100000", "--json").json["made"] == 12
        assert len(server.asked) == 12
        assert asked < 12
        assert lines("generated.jsonl")[: len(made)] == made


def test_what_failed_is_in_a_file_with_reasons_and_the_exit_code_says_so() -> None:
    with ModelServer(words, at={3: "truncated", 5: "refused"}) as server:
        done = run(*CANDIDATES, "--url", server.url, "--rejected", "no.jsonl")
    assert done.code == 3
    assert "10 records written to generated.jsonl" in done.out
    assert "2 texts refused (see no.jsonl)" in done.out
    assert {line["reason"] for line in lines("no.jsonl")} == {
        "truncated: the answer reached the limit of tokens",
        "refused by the model",
    }
    assert all(line["remedy"] and line["line"] and line["key"] for line in lines("no.jsonl"))


def test_whatever_fails_each_row_is_in_one_of_the_two_files() -> None:
    kinds: list[ModelFault] = ["truncated", "refused", "filtered", "one choice"]
    with ModelServer(words, rate=0.4, kinds=kinds, seed=3) as server:
        done = run(*CANDIDATES, "--template", "preference", "--url", server.url)
    assert done.code == 3
    made = {line["metadata"]["parent_id"] for line in lines("generated.jsonl")}
    refused = {line["key"] for line in lines("generated.rejected.jsonl")}
    assert made
    assert refused
    assert not made & {
        line["key"] for line in lines("generated.rejected.jsonl") if "nothing to compare" in line["reason"]
    }
    assert made | refused == {f"p{n}" for n in range(12)}


def test_the_lengths_of_arms_are_shown_with_a_warning() -> None:
    Path("arms.yaml").write_text("arms: [{name: strong, system: Take your time.}, {name: weak, system: Be brief.}]\n")
    with ModelServer(lambda asked: "word " * (30 if "time" in str(asked.body) else 3)) as server:
        done = run("generate", "arms.yaml", *CANDIDATES[1:], "--template", "preference", "--url", server.url)
    assert done.code == 0
    assert re.search(r"^strong +30\.0 +149\.0 +100%$", done.out, re.MULTILINE)
    assert "warning: the answer of strong is the longer one in 100% of 12 records" in done.out


def test_the_key_is_in_no_file_and_no_output(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setenv("ANNOBRIDGE_MODEL_KEY", SECRET)
    with ModelServer(words, key=SECRET) as server:
        done = run(*CANDIDATES, "--url", server.url)
    assert done.code == 0
    assert SECRET not in done.out + done.err
    assert [path.name for path in folder.iterdir() if SECRET in path.read_text()] == []


def test_a_wrong_key_is_told_and_leaves_the_output_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANNOBRIDGE_MODEL_KEY", "another")
    Path("generated.jsonl").write_text("mine\n")
    with ModelServer(words, key=SECRET) as server:
        done = run(*CANDIDATES, "--url", server.url)
    assert done.code == 1
    assert "remedy:" in done.err
    assert Path("generated.jsonl").read_text() == "mine\n"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["generate"], "no model is named"),
        ([*CANDIDATES], "no endpoint"),
        (["generate", "--model", "m", "--url", "http://127.0.0.1:1/v1"], "no topics"),
        ([*CANDIDATES, "--url", "http://127.0.0.1:1/v1", "--template", "follow_up_qa"], "cannot be generated for"),
        ([*CANDIDATES, "--url", "http://127.0.0.1:1/v1", "--out", "prompts.jsonl"], "campaign's own or an input"),
        (
            [*CANDIDATES, "--url", "http://127.0.0.1:1/v1", "--rejected", "generated.jsonl"],
            "campaign's own or an input",
        ),
        ([*CANDIDATES, "--url", "http://127.0.0.1:1/v1", "--budget-tokens", "0"], "nothing can be asked"),
        ([*CANDIDATES, "--url", "http://example.org/v1"], "http"),
        (["generate", "missing.yaml"], "missing.yaml"),
        (["generate", "--parameter", "max_tokens=3"], "--parameter goes with --model"),
    ],
)
def test_what_cannot_be_is_refused_with_a_remedy(arguments: list[str], reason: str) -> None:
    done = run(*arguments)
    assert done.code == 2
    assert reason in done.err
    assert not Path("generated.jsonl").exists()


def test_rows_that_are_not_there_are_told() -> None:
    with ModelServer(words) as server:
        done = run("generate", "--make", "candidates", "--rows", "no.jsonl", "--model", "m", "--url", server.url)
    assert (done.code, "no.jsonl" in done.err) == (1, True)


def is_part(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Part)


def keys(model: type[Part] = GenerateConfig, before: str = "") -> list[str]:
    found: list[str] = []
    for name, field in model.model_fields.items():
        kinds = () if get_origin(field.annotation) is list else (field.annotation, *get_args(field.annotation))
        inner = next(filter(is_part, kinds), None)
        found += keys(inner, f"{before}{name}.") if inner else [f"{before}{name}"]
    return found


def test_every_key_is_documented() -> None:
    page = (ROOT / "docs" / "generation.md").read_text(encoding="utf-8").partition("## Keys")[2]
    assert sorted(re.findall(r"^\| `([\w.]+)` \|", page, re.MULTILINE)) == sorted(keys())
