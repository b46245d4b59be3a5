"""`annobridge migrate` on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bridge.cli import main
from bridge.servers.memory import MemoryServer
from bridge.servers.protocol import Project
from bridge.templates import load_template


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    rows = [{"prompt": f"{n}?", "response": "4", "id": f"r{n}"} for n in range(2)]
    Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    Path("campaign.yaml").write_text(
        "project: Sums\nserver: {kind: memory}\nrecords: {path: rows.jsonl, id: id}\ntemplate: rating\n"
    )
    assert run("push").exit_code == 0
    annotate("Sums", "r0", "ann", 4)
    annotate("Sums", "r1", "ann", 2)
    Path("people.csv").write_text("from,to\nann,anna\n")
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def annotate(project: str, key: str, person: str, rating: int) -> None:
    server = MemoryServer(Path(".annobridge/memory-server.json"))
    server.ensure(Project(project, load_template("rating")), create=False)
    server.annotate(key, person, {"rating": rating})


def migrate(*arguments: str) -> Result:
    return run("migrate", "--to", "memory", "--project", "Elsewhere", *arguments)


def parsed(result: Result) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(result.stdout)
    return value


def test_it_says_what_it_did(folder: Path) -> None:
    result = migrate("--annotators", "people.csv", "--create-annotators")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        "2 records sent, 0 were there already",
        "2 answers written, 0 were there already",
        "compared: the merged answers are the same on both servers",
        "passwords of the new accounts: .annobridge/new-annotators.json",
        "campaign.yaml names the new server now (before: campaign.before-migration.yaml)",
        "label here: memory:Elsewhere",
    ]
    assert migrate().stdout == "the campaign is there already: memory:Elsewhere\n"
    assert run("pull").stdout.startswith("0 new answers, 0 edited, 0 withdrawn, 2 as before")


def test_json_is_one_object(folder: Path) -> None:
    result = migrate("--annotators", "people.csv", "--create-annotators", "--json")
    told = parsed(result)
    assert (told["written"], told["present"], told["differences"], told["partial"]) == (2, 0, 0, False)
    assert told["records"]["sent"] == 2


def test_unknown_people_are_wrong_usage(folder: Path) -> None:
    result = migrate("--annotators", "people.csv", "--json")
    assert result.exit_code == 2
    assert "anna" in parsed(result)["error"]["reason"]
    assert "--create-annotators" in parsed(result)["error"]["remedy"]


def test_a_difference_is_done_in_part(folder: Path) -> None:
    migrate("--create-annotators")
    text = Path("campaign.before-migration.yaml").read_text()
    Path("campaign.yaml").write_text(text)
    annotate("Elsewhere", "r0", "ann", 1)
    result = migrate()
    assert result.exit_code == 3
    assert "1 people's answers are otherwise on the new server, and were not touched" in result.stdout
    assert "1 records have other merged answers than before" in result.stdout
    assert "all of this, line by line: out/migration.jsonl" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["--to", "nope"], 2, "knows no server 'nope'"),
        (["--to", "argilla"], 2, "server.url: missing"),
        (["--to", "argilla", "--url", "ftp://x"], 2, "server address"),
        (["--to", "memory", "--project", " "], 2, "--project"),
        (["--to", "memory", "--project", "X", "--annotators", "nope.csv"], 1, "nope.csv"),
        ([], 2, "--to"),
    ],
)
def test_what_cannot_be_right_changes_nothing(folder: Path, arguments: list[str], code: int, reason: str) -> None:
    before = Path("campaign.yaml").read_text()
    result = run("migrate", *arguments)
    assert result.exit_code == code, result.output
    assert reason in result.output
    assert Path("campaign.yaml").read_text() == before
    assert not Path("campaign.before-migration.yaml").exists()
