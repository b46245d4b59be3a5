"""The command line: what each command prints, and what its exit code says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

import bridge
from bridge.cli import main
from bridge.records import record_key
from bridge.servers.memory import MemoryServer
from bridge.servers.protocol import Project
from bridge.templates import load_template
from tests.cli.running import run

GOOD = {"prompt": "2 + 2?", "response": "4"}
BAD = {"prompt": "2 + 3?"}
KEY = record_key(GOOD)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, with no key of ours in reach."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv("ANNOBRIDGE_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.delenv("LABEL_STUDIO_API_KEY", raising=False)
    return work


def write_rows(path: Path, *rows: dict[str, Any]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def campaign(folder: Path) -> Path:
    """A campaign on the in-memory server with one good record."""
    write_rows(folder / "records.jsonl", GOOD)
    assert run("init", "--server", "memory", "--template", "rating", "--project", "Sums").code == 0
    return folder


def answer(folder: Path, rating: Any, person: str = "ann@example.org") -> None:
    server = MemoryServer(folder / ".annobridge" / "memory-server.json")
    server.ensure(Project("Sums", load_template("rating")), create=False)
    server.annotate(KEY, person, {"rating": rating})


# -- in general

COMMANDS = [
    *("init", "plan", "push", "status", "pull", "annotations", "check", "merge", "agreement"),
    *("adjudicate", "export", "check-rows", "audit", "release", "doctor", "templates"),
    *("transcripts", "generate", "distilabel", "judge", "route"),
    *("assess", "clean", "pii", "dedup", "decontaminate", "balance", "sample", "licences"),
    *("adopt", "migrate", "serve"),
]


def test_the_commands_are_listed_in_the_order_of_the_work() -> None:
    assert list(main.commands) == COMMANDS


@pytest.mark.parametrize(
    "command", [[], *([name] for name in COMMANDS), ["templates", "show"], ["serve", "label-studio"]]
)
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_explains_every_command(command: list[str], flag: str) -> None:
    result = run(*command, flag)
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("Usage: annobridge")


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "serve"])
def test_help_has_an_example(name: str) -> None:
    assert f"annobridge {name}" in run(name, "--help").out.split("\n", 1)[1]


def test_every_option_is_explained() -> None:
    silent = [
        f"{name} {option.opts[0]}"
        for name, command in main.commands.items()
        for option in command.params
        if isinstance(option, click.Option) and not option.help and option.opts[0] != "--annotators-per-record"
    ]
    assert silent == []


def test_the_version_is_the_packages() -> None:
    assert run("--version").out == f"annobridge, version {bridge.__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["push", "--nonsense"],
        ["push", "extra"],
        ["templates", "nonsense"],
        ["templates", "show"],
        ["annotations"],
        ["push", "--annotators-per-record", "many"],
        ["init", "--annotators-per-record", "0"],
        ["init", "--annotators-per-record", "101"],
        ["export", "--to", "rlhf"],
        ["export", "--merged", "m.jsonl"],
        ["export", "--merged", "m.jsonl", "--to", "sft"],
        ["merge", "--annotations", "a.jsonl"],
        ["serve", "label-studio", "--port", "99999"],
        ["serve", "nonsense"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_exit_code_2_and_says_why(arguments: list[str]) -> None:
    result = run(*arguments)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("error: ")
    assert "\n  remedy: see annobridge" in result.err
    as_json = run(*arguments, "--json")
    assert as_json.code == 2
    assert as_json.json["error"]["type"] == "UsageError"
    assert as_json.json["error"]["remedy"].startswith("see annobridge")


@pytest.mark.parametrize("pair", ["prompt", "=a", "prompt=", ""])
def test_a_map_is_field_and_column(campaign: Path, pair: str) -> None:
    result = run("check", "--map", pair)
    assert result.code == 2
    assert "is not FIELD=COLUMN, such as prompt=instruction" in result.err


NEED_A_CAMPAIGN = [
    ["push"],
    ["pull"],
    ["status"],
    ["check"],
    ["merge"],
    ["export"],
    ["annotations", "--out", "a.jsonl"],
]


@pytest.mark.parametrize("command", NEED_A_CAMPAIGN, ids=" ".join)
def test_without_a_campaign_the_remedy_is_to_make_one(command: list[str]) -> None:
    result = run(*command)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("error: campaign.yaml: there is no campaign here\n  remedy: run `annobridge init`")


@pytest.mark.parametrize("command", NEED_A_CAMPAIGN, ids=" ".join)
def test_an_error_is_one_json_object_too(command: list[str]) -> None:
    result = run(*command, "--json")
    assert result.code == 2
    assert set(result.json) == {"error"}
    assert set(result.json["error"]) == {"type", "reason", "remedy"}
    assert result.json["error"]["type"] == "ConfigError"
    assert all(result.json["error"].values())


@pytest.mark.parametrize("command", NEED_A_CAMPAIGN, ids=" ".join)
def test_a_broken_campaign_is_named_by_file_and_line(folder: Path, command: list[str]) -> None:
    (folder / "campaign.yaml").write_text("project: Sums\nserver: {kind: memory}\nrecords: r.jsonl\ntemplate: no\n")
    result = run(*command, "--json")
    assert result.code == 2
    assert result.json["error"]["reason"] == "campaign.yaml:4: template: true or false where a text is expected"


def test_an_interrupt_ends_with_a_word_and_no_trace(campaign: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("bridge.campaign.Campaign.push", interrupted)
    result = run("push", "--json")
    assert (result.code, result.json["error"]["reason"]) == (130, "interrupted")
    assert result.err.strip().startswith("error: interrupted\n  remedy: ")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(28, "No space left on device", "/x/y"), "/x/y: No space left on device"),
        (PermissionError(13, "Permission denied", "/x/y"), "/x/y: Permission denied"),
        (MemoryError(), "out of memory"),
    ],
    ids=["full disk", "no permission", "no memory"],
)
def test_what_the_machine_refuses_is_an_error_with_a_remedy(
    campaign: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    def failing(*args: object, **kwargs: object) -> None:
        raise error

    monkeypatch.setattr("bridge.campaign.Campaign.push", failing)
    result = run("push", "--json")
    assert (result.code, result.json["error"]["reason"]) == (1, reason)
    assert result.json["error"]["remedy"]
    assert result.err.startswith(f"error: {reason}\n  remedy: ")


# -- init


def test_init_writes_a_campaign_that_can_be_used(folder: Path) -> None:
    result = run("init", "--server", "memory", "--json")
    assert (result.code, result.json) == (0, {"file": "campaign.yaml", "partial": False})
    settings = yaml.safe_load((folder / "campaign.yaml").read_text())
    assert (settings["server"], settings["template"], settings["project"]) == ({"kind": "memory"}, "review", "work")


def test_init_takes_everything_as_flags(folder: Path) -> None:
    flags = "--template preference --records a.csv --project P-1 --url http://127.0.0.1:9 --annotators-per-record 3"
    assert run("init", *flags.split()).code == 0
    settings = yaml.safe_load((folder / "campaign.yaml").read_text())
    assert settings["server"]["url"] == "http://127.0.0.1:9"
    assert (settings["template"], settings["records"], settings["project"]) == ("preference", "a.csv", "P-1")
    assert (settings["annotators_per_record"], settings["exports"]["to"]) == (3, ["sft", "dpo"])


def test_init_makes_the_folder_and_names_the_project_after_it(folder: Path) -> None:
    assert run("init", "Zürich 😀: sums", "--server", "memory").code == 0
    settings = yaml.safe_load((folder / "Zürich 😀: sums" / "campaign.yaml").read_text())
    assert settings["project"] == "Zürich 😀: sums"


def test_init_does_not_replace_a_campaign_unasked(campaign: Path) -> None:
    before = (campaign / "campaign.yaml").read_text()
    result = run("init", "--project", "Other", "--server", "memory")
    assert result.code == 2
    assert "--force" in result.err
    assert (campaign / "campaign.yaml").read_text() == before
    assert run("init", "--project", "Other", "--server", "memory", "--force").code == 0
    assert "Other" in (campaign / "campaign.yaml").read_text()


def test_init_with_an_unknown_template_writes_nothing(folder: Path) -> None:
    result = run("init", "--template", "nope")
    assert result.code == 2
    assert "use one of" in result.err
    assert not (folder / "campaign.yaml").exists()


# -- check


def test_check_of_good_records_is_exit_code_0(campaign: Path) -> None:
    result = run("check")
    assert (result.code, result.out) == (0, "1 records would be pushed\n")


def test_check_of_a_file_needs_no_campaign(folder: Path) -> None:
    write_rows(folder / "rows.jsonl", GOOD, BAD)
    result = run("check", "rows.jsonl", "--template", "rating", "--json")
    assert result.code == 3
    assert (result.json["records"], result.json["rejected"], result.json["partial"]) == (1, 1, True)
    assert result.json["rejects"][0] == {
        "line": 2,
        "reason": "response: missing",
        "remedy": "add it, or name its column with --map response=COLUMN",
    }
    assert json.loads((folder / "rejects.jsonl").read_text()) == result.json["rejects"][0]


def test_check_maps_columns(folder: Path) -> None:
    write_rows(folder / "rows.jsonl", {"q": "2 + 2?", "a": "4", "n": 1})
    flags = ["--template", "rating", "--map", "prompt=q", "--map", "response=a", "--id", "n"]
    assert run("check", "rows.jsonl", *flags, "--json").json["records"] == 1


def test_check_shows_a_few_rejects_and_counts_the_others(campaign: Path) -> None:
    write_rows(campaign / "records.jsonl", *({"prompt": f"{n}?"} for n in range(10)))
    result = run("check")
    assert result.code == 3
    assert "10 rejected (see out/rejects.jsonl):" in result.out
    assert result.out.count("  line ") == 3
    assert "and 7 more" in result.out


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "rows.jsonl: there are no rows in it"),
        (b"PK\x03\x04", "rows.jsonl: this is a ZIP file or a spreadsheet, not a text file"),
        (b'{"prompt": "\xff"}\n', "rows.jsonl:1: byte 12 is not UTF-8"),
        (bytes(range(256)) * 20, "rows.jsonl: binary data, not a text file"),
    ],
    ids=["empty", "ZIP", "Latin-1", "binary"],
)
def test_a_file_that_cannot_be_read_is_exit_code_1(folder: Path, content: bytes, reason: str) -> None:
    (folder / "rows.jsonl").write_bytes(content)
    result = run("check", "rows.jsonl", "--template", "rating", "--json")
    assert (result.code, result.json["error"]["reason"]) == (1, reason)
    assert result.json["error"]["remedy"]


def test_malformed_rows_cost_only_themselves(folder: Path) -> None:
    rows = [
        json.dumps(GOOD).encode(),
        b"{broken",
        b"[1, 2]",
        b"null",
        b'{"prompt": NaN, "response": "r"}',
        b'{"prompt": "\\ud800", "response": "r"}',
        b'{"prompt": "a\\u0000", "response": "r"}',
        b'{"prompt": {"a": 1}, "response": "r"}',
        b'{"prompt": "p", "response": "r", "rating": 9}',
        b'{"prompt": "p", "response": "r", "rating": "good"}',
        json.dumps({"prompt": "x" * 1_000_001, "response": "r"}).encode(),
        b"[" * 100_000,
        json.dumps(GOOD).encode(),
        b'{"prompt": "last", "response": "r", "rating": 3}',
    ]
    (folder / "rows.jsonl").write_bytes(b"\n".join(rows))
    result = run("check", "rows.jsonl", "--template", "rating", "--json")
    assert (result.code, result.json["records"], result.json["suggestions"]) == (3, 2, {"rating": 1})
    assert [reject["line"] for reject in result.json["rejects"]] == list(range(2, 14))
    assert all(reject["reason"] and reject["remedy"] for reject in result.json["rejects"])


# -- push, status, pull


def test_push_says_what_it_did_and_where_people_work(campaign: Path) -> None:
    result = run("push")
    assert (result.code, result.err) == (0, "")
    assert result.out == "1 records sent, 0 were there already\nlabel here: memory:Sums\n"


def test_a_second_push_sends_nothing(campaign: Path) -> None:
    run("push")
    result = run("push", "--json")
    assert (result.code, result.json["sent"], result.json["present"]) == (0, 0, 1)


def test_push_with_rejected_rows_is_exit_code_3(campaign: Path) -> None:
    write_rows(campaign / "records.jsonl", GOOD, BAD)
    result = run("push", "--json")
    assert (result.code, result.json["sent"], result.json["rejected"], result.json["partial"]) == (3, 1, 1, True)
    assert (campaign / "out" / "rejects.jsonl").exists()


def test_push_with_another_template_is_a_conflict(campaign: Path) -> None:
    run("push")
    result = run("push", "--template", "label", "--json")
    assert (result.code, result.json["error"]["type"]) == (1, "Conflict")


@pytest.mark.parametrize("command", ["push", "pull", "status"])
def test_a_dead_server_is_exit_code_1(campaign: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setenv("A_KEY", "canary-key")
    result = run(command, "--server", "label-studio", "--url", "http://127.0.0.1:1", "--key-env", "A_KEY", "--json")
    assert (result.code, result.json["error"]["type"]) == (1, "Unreachable")
    assert "http://127.0.0.1:1" in result.json["error"]["reason"]
    assert "is the server running" in result.json["error"]["remedy"]
    assert "canary-key" not in result.out + result.err


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (["--server", "argilla-9"], "this version knows no server 'argilla-9'"),
        (["--server", "label-studio"], "server.url: missing"),
        (["--server", "label-studio", "--url", "http://127.0.0.1:1"], "has no key for http://127.0.0.1:1"),
        (["--server", "label-studio", "--url", "http://labels.example.org"], "has no key for"),
        (["--server", "label-studio", "--url", "ftp://x"], "does not start with http:// or https://"),
        (["--server", "label-studio", "--url", "http://u:hunter2@x"], "it holds a user name or password"),
        (["--project", "x" * 1001], "project: longer than 1,000 characters"),
        (["--map", "nope=prompt"], "the template 'rating' has no field or question 'nope'"),
        (["--id", "nope"], "has no column 'nope'"),
        (["--annotators-per-record", "1000"], "--annotators-per-record: 1000 is above 100, the most that it can be"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_wrong_settings_are_exit_code_2(campaign: Path, flags: list[str], reason: str) -> None:
    result = run("push", *flags, "--json")
    assert result.code == 2
    assert reason in result.json["error"]["reason"]
    assert result.json["error"]["remedy"]
    assert "hunter2" not in result.out + result.err


def test_plain_http_to_another_machine_must_be_allowed(campaign: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", "canary-key")
    result = run("push", "--server", "label-studio", "--url", "http://labels.example.org", "--key-env", "A_KEY")
    assert result.code == 2
    assert "is plain http" in result.err
    assert "canary-key" not in result.err


@pytest.mark.parametrize("command", ["pull", "status"])
def test_before_the_first_push_there_is_nothing(campaign: Path, command: str) -> None:
    result = run(command, "--json")
    assert (result.code, result.json["error"]["type"]) == (1, "NotFound")
    assert result.json["error"]["remedy"] == "run `annobridge push` first"


def test_pull_counts_what_came(campaign: Path) -> None:
    run("push")
    answer(campaign, 4)
    assert run("pull").out == "1 new answers, 0 edited, 0 withdrawn, 0 as before\n"
    answer(campaign, 5)
    result = run("pull", "--json")
    assert (result.code, result.json["edited"], result.json["full"]) == (0, 1, False)
    assert run("pull", "--full", "--json").json["full"] is True


@pytest.mark.parametrize("command", ["check", "push"])
def test_what_is_left_out_of_the_records_is_named_and_everything_else_goes_on(campaign: Path, command: str) -> None:
    write_rows(campaign / "records.jsonl", {**GOOD, "rating.agent": "judge"})
    result = run(command)
    assert result.code == 0
    assert "left out: 'rating.agent' (1 row without a suggestion for rating)" in result.out.splitlines()
    assert run(command, "--json").json["left_out"] == {"rating.agent": "1 row without a suggestion for rating"}


def test_push_tells_programs_why_rows_were_rejected(campaign: Path) -> None:
    write_rows(campaign / "records.jsonl", GOOD, *({"prompt": f"p{number}"} for number in range(150)))
    result = run("push", "--json")
    assert (result.code, result.json["rejected"], len(result.json["rejects"])) == (3, 150, 100)
    first = json.loads((campaign / "out" / "rejects.jsonl").read_text().partition("\n")[0])
    assert result.json["rejects"][0] == first
    assert (first["line"], first["reason"]) == (2, "response: missing")


def test_status_tells_a_pull_that_found_no_answers_from_no_pull_at_all(campaign: Path) -> None:
    run("push")
    assert run("status").out.splitlines()[-1] == "nothing was pulled yet: annobridge pull"
    assert run("status", "--json").json["last_pull"] is None
    run("pull")
    assert run("status").out.splitlines()[-1] == "no answers yet, as of the last pull"
    run("push")
    assert run("status").out.splitlines()[-1] == "no answers yet, as of the last pull"


def test_status_shows_people_once_their_answers_were_pulled(campaign: Path) -> None:
    run("push")
    answer(campaign, 4)
    assert run("status").out.splitlines()[-1] == "nothing was pulled yet: annobridge pull"
    run("pull")
    result = run("status")
    assert result.code == 0
    assert "1 records, 1 answered, 1 complete (100%)" in result.out
    assert "ann@example.org" in result.out


def test_status_as_json_has_pseudonyms_only(campaign: Path) -> None:
    run("push")
    answer(campaign, 4)
    run("pull")
    result = run("status", "--json")
    assert list(result.json["annotators"].values()) == [{"submitted": 1}]
    assert "example.org" not in result.out


def test_the_folder_can_be_named(campaign: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("push", "--campaign", str(campaign), "--json").json["sent"] == 1
    assert run("push", "-C", str(campaign), "--json").json["present"] == 1


# -- annotations, merge, export


@pytest.fixture
def answered(campaign: Path) -> Path:
    run("push")
    answer(campaign, 2)
    run("pull")
    answer(campaign, 5)
    run("pull")
    return campaign


def test_annotations_are_written_as_lines(answered: Path) -> None:
    assert run("annotations", "--out", "a.jsonl", "--json").json == {
        "file": "a.jsonl",
        "annotations": 1,
        "left_out": 0,
        "partial": False,
    }
    (line,) = (answered / "a.jsonl").read_text().splitlines()
    assert json.loads(line)["answers"] == {"rating": 5}


def test_the_history_has_every_revision(answered: Path) -> None:
    assert run("annotations", "--out", "a.jsonl", "--history", "--json").json["annotations"] == 2


def test_merge_and_export_in_a_campaign(answered: Path) -> None:
    merged = run("merge", "--json")
    assert (merged.code, merged.json["records"], merged.json["outcomes"]) == (0, 1, {"rating": {"agreed": 1}})
    exported = run("export", "--to", "sft", "--json")
    assert exported.code == 0
    assert exported.json["exports"][0]["rows"] == 1
    assert run("export", "--to", "sft").out.count("1 rows") == 2


def test_merge_and_export_from_file_to_file(answered: Path, folder: Path) -> None:
    run("annotations", "--out", "a.jsonl")
    (answered / "campaign.yaml").unlink()
    merged = run("merge", "--template", "rating", "--annotations", "a.jsonl", "--out", "m.jsonl", "--json")
    assert (merged.code, merged.json["file"]) == (0, "m.jsonl")
    flags = [
        "--template",
        "rating",
        "--records",
        "records.jsonl",
        "--merged",
        "m.jsonl",
        "--to",
        "sft",
        "--out",
        "train",
    ]
    exported = run("export", *flags, "--json")
    assert (exported.code, exported.json["exports"][0]["rows"]) == (0, 1)
    assert all(Path(name).parent == Path("train") for name in exported.json["exports"][0]["files"])


def test_wrong_answers_make_a_merge_partial(campaign: Path) -> None:
    run("push")
    answer(campaign, 9)
    run("pull")
    result = run("merge", "--json")
    assert (result.code, result.json["problems"], result.json["partial"]) == (3, 1, True)


DAMAGED = [
    ("{broken", "not valid JSON"),
    ("[]", "a list where an object is expected"),
    ("{}", "record: missing"),
    ('{"record": "r", "answers": {"rating": 3}}', "annotator: missing"),
    ('{"record": "r", "annotator": 5}', "annotator: 5 has the wrong type"),
    ('{"record": "r", "annotator": "a", "status": "done"}', "status: 'done' is unknown"),
]


@pytest.mark.parametrize(("line", "reason"), DAMAGED)
def test_a_line_that_is_no_annotation_is_put_aside_with_its_reason(folder: Path, line: str, reason: str) -> None:
    (folder / "a.jsonl").write_text('{"record": "r", "annotator": "a", "answers": {"rating": 3}}\n' + line + "\n")
    flags = ("--template", "rating", "--annotations", "a.jsonl", "--json")
    merged = run("merge", *flags)
    assert (merged.code, merged.json["partial"], merged.json["problems"]) == (3, True, 1)
    assert merged.json["outcomes"] == {"rating": {"agreed": 1}}
    problem = json.loads((folder / "problems.jsonl").read_text())
    assert problem["reason"].startswith(f"line 2: {reason}")
    assert problem["remedy"]
    measured = run("agreement", *flags)
    assert (measured.code, measured.json["problems"]) == (3, [problem])
    assert reason in run("agreement", *flags[:-1]).out


@pytest.mark.parametrize(("line", "reason"), DAMAGED)
def test_a_file_without_any_annotation_is_another_file(folder: Path, line: str, reason: str) -> None:
    (folder / "a.jsonl").write_text(line + "\n")
    result = run("merge", "--template", "rating", "--annotations", "a.jsonl", "--json")
    assert result.code == 1
    assert result.json["error"]["reason"].startswith(f"a.jsonl: no line is an annotation; line 1: {reason}")
    assert not (folder / "merged.jsonl").exists()


def test_a_training_set_without_rows_is_exit_code_1(campaign: Path) -> None:
    run("push")
    result = run("export", "--to", "sft", "--json")
    assert (result.code, result.json["error"]["type"]) == (1, "ExportError")
    assert result.json["error"]["remedy"]


def test_a_template_that_makes_no_pairs_says_so(answered: Path) -> None:
    result = run("export", "--to", "dpo", "--json")
    assert (result.code, result.json["error"]["type"]) == (1, "ExportError")


@pytest.mark.parametrize("option", [["annotations", "--out"], ["merge", "--out"]], ids=" ".join)
def test_a_result_that_cannot_be_written_is_an_error(answered: Path, option: list[str]) -> None:
    (answered / "a file").touch()
    result = run(*option, "a file/out.jsonl", "--json")
    assert (result.code, result.json["error"]["type"]) == (1, "StoreError")
    assert "a file/out.jsonl" in result.json["error"]["reason"]


# -- templates


def test_templates_are_listed() -> None:
    result = run("templates")
    assert result.code == 0
    assert [line.split()[0] for line in result.out.splitlines()[1:]] == sorted(
        run("templates", "--json").json["templates"]
    )


def test_a_template_is_shown_ready_to_be_copied(folder: Path) -> None:
    (folder / "mine.yaml").write_text(run("templates", "show", "review").out)
    assert load_template(folder / "mine.yaml") == load_template("review")


def test_a_template_as_json_is_the_same_template() -> None:
    shown = run("templates", "show", "review", "--json").json
    assert [question["name"] for question in shown["questions"]] == ["rating", "label", "improved_response"]


def test_an_unknown_template_is_exit_code_2() -> None:
    result = run("templates", "show", "nope", "--json")
    assert (result.code, result.json["error"]["type"]) == (2, "TemplateError")


def test_the_schema_is_json() -> None:
    assert run("templates", "--schema").json["$schema"] == "https://json-schema.org/draft/2020-12/schema"
