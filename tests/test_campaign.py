"""A campaign: one folder, the whole loop, and the same again after anything went wrong."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import bridge
from bridge.campaign import Campaign
from bridge.errors import (
    BridgeError,
    ConfigError,
    Conflict,
    ExportError,
    InputError,
    LedgerError,
    NotFound,
    StoreError,
    TemplateError,
    UsageError,
)
from bridge.records import Record
from bridge.servers.memory import MemoryServer
from bridge.servers.protocol import Outcome, Page, Project, RemoteProject

ROWS = [
    {"id": "a", "prompt": "2 + 2?", "response": "4"},
    {"id": "b", "prompt": "2 + 3?", "response": "6"},
    {"id": "c", "prompt": "2 + 4?", "response": "six"},
]


class Folder:
    """A campaign's folder with a review of three sums, and the people who work in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.server = MemoryServer()
        self.rows(ROWS)
        self.config()

    def rows(self, rows: list[dict[str, Any]]) -> None:
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (self.path / "records.jsonl").write_text(text)

    def config(self, **more: Any) -> None:
        settings = {
            "project": "Sums",
            "server": {"kind": "memory"},
            "records": {"path": "records.jsonl", "id": "id"},
            "template": "review",
            "annotators_per_record": 2,
            **more,
        }
        (self.path / "campaign.yaml").write_text(json.dumps(settings))  # JSON is YAML

    def open(self, **flags: Any) -> Campaign:
        return Campaign(self.path, flags, server=self.server)

    def answer(self, key: str, person: str, rating: int, label: str, rewrite: str = "") -> None:
        answers: dict[str, Any] = {"rating": rating, "label": label}
        if rewrite:
            answers["improved_response"] = rewrite
        self.server.annotate(key, person, answers)

    def lines(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.path / "out" / name).read_text().split("\n") if line]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


# -- the loop


def test_the_whole_loop(folder: Folder) -> None:
    pushed = folder.open().push()
    assert (pushed.sent, pushed.present, pushed.complete) == (3, 0, True)
    for person in ("ann@example.org", "bo@example.org"):
        folder.answer("a", person, 5, "correct")
        folder.answer("b", person, 1, "incorrect", "5")
    folder.answer("c", "ann@example.org", 4, "correct")
    folder.answer("c", "bo@example.org", 4, "harmful")

    pulled = folder.open().pull()
    assert (pulled.changes.new, pulled.full) == (6, True)
    status = folder.open().status()
    assert (status.progress.records, status.progress.answered, status.progress.completed) == (3, 3, 3)

    merged = {m.record: m.answers for m in folder.open().merge().kept}
    assert (merged["a"]["rating"].value, merged["a"]["label"].value) == (5, "correct")
    assert (merged["c"]["label"].outcome, merged["c"]["label"].value) == ("tie", None)

    results = {result.manifest.name: result for result in folder.open().export(["sft", "dpo"])}
    assert len(results) == 2
    sft = folder.lines("sft.plain.jsonl")
    assert sorted((row["prompt"], row["completion"]) for row in sft) == [("2 + 2?", "4"), ("2 + 3?", "5")]
    dpo = folder.lines("dpo.plain.jsonl")
    assert [(row["prompt"], row["chosen"], row["rejected"]) for row in dpo] == [("2 + 3?", "5", "6")]


def test_it_can_be_reached_from_the_top_of_the_package() -> None:
    assert bridge.Campaign is Campaign


def test_without_a_server_object_the_named_server_is_used(folder: Folder) -> None:
    assert Campaign(folder.path).push().sent == 3
    assert Campaign(folder.path).push().present == 3
    assert Campaign(folder.path).status().progress.records == 3


def test_the_same_answers_make_the_same_bytes(folder: Folder) -> None:
    folder.open().push()
    folder.answer("a", "ann", 5, "correct")
    folder.open().pull()
    written = []
    for _ in range(2):
        folder.open().export(["sft"])
        written.append((folder.path / "out" / "sft.plain.jsonl").read_bytes())
    assert written[0] == written[1] != b""


def test_an_export_without_any_rows_writes_no_training_files(folder: Folder) -> None:
    folder.open().push()
    with pytest.raises(ExportError, match="no file was written"):
        folder.open().export(["sft", "dpo"])
    assert sorted(path.name for path in (folder.path / "out").iterdir()) == ["merged.jsonl"]


def test_a_campaign_may_name_no_export_until_it_exports(folder: Folder) -> None:
    folder.config(exports={"to": []})
    folder.open().push()
    with pytest.raises(UsageError, match="no kind of training set was named"):
        folder.open().export()


def test_every_warning_stands_in_the_manifest(folder: Folder) -> None:
    folder.config(merge={"method": "dawid-skene"})
    folder.open().push()
    for key in "abc":
        folder.answer(key, "ann@example.org", 5, "correct")
    folder.open().pull()
    (result,) = folder.open().export(["sft"])
    warnings = json.loads(result.manifest.read_text())["warnings"]
    told = {(warning["kind"], warning["question"]) for warning in warnings}
    assert {("few_items", "label"), ("single_annotator", "label"), ("single_annotator", "rating")} <= told
    assert all(warning["means"] and warning["remedy"] for warning in warnings)


# -- again, and after changes


def test_a_second_push_sends_nothing(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.open().push()
    monkeypatch.setattr(folder.server, "write", lambda records: pytest.fail("something was sent"))
    result = folder.open().push()
    assert (result.sent, result.present, result.complete) == (0, 3, True)


def test_records_that_were_added_are_sent(folder: Folder) -> None:
    folder.open().push()
    folder.rows([*ROWS, {"id": "d", "prompt": "2 + 5?", "response": "7"}])
    result = folder.open().push()
    assert (result.sent, result.present) == (1, 3)


def test_records_that_were_removed_from_the_file_stay_on_the_server(folder: Folder) -> None:
    folder.open().push()
    folder.rows(ROWS[:1])
    assert folder.open().push().present == 1
    assert folder.open().status().progress.records == 3


def test_without_an_id_other_content_is_another_record(folder: Folder) -> None:
    folder.config(records="records.jsonl")
    folder.open().push()
    folder.rows([{**ROWS[0], "response": "four"}])
    result = folder.open().push()
    assert (result.sent, result.present) == (1, 0)


def test_a_second_pull_brings_nothing(folder: Folder) -> None:
    folder.open().push()
    folder.answer("a", "ann", 5, "correct")
    folder.open().pull()
    again = folder.open().pull()
    assert (again.full, again.changes.new, again.changes.edited) == (False, 0, 0)


def test_a_push_between_two_pulls_keeps_the_place(folder: Folder) -> None:
    folder.open().push()
    folder.answer("a", "ann", 5, "correct")
    folder.open().pull()
    folder.open().push()
    assert folder.open().pull().full is False


def test_a_lost_ledger_costs_a_full_sweep_and_nothing_else(folder: Folder) -> None:
    folder.open().push()
    folder.answer("a", "ann", 5, "correct")
    folder.open().pull()
    lose_ledger(folder)
    result = folder.open().pull()
    assert (result.full, result.changes.new, result.changes.unchanged) == (True, 0, 1)
    pushed = folder.open().push()
    assert (pushed.sent, pushed.present) == (0, 3)


def lose_ledger(folder: Folder) -> None:
    for path in (folder.path / ".annobridge").glob("ledger.db*"):
        path.unlink()


def test_another_project_is_swept_from_the_beginning(folder: Folder) -> None:
    folder.open().push()
    folder.answer("a", "ann", 5, "correct")
    folder.open().pull()
    folder.open(project="Other").push()
    assert folder.open(project="Other").pull().full is True


def test_more_people_per_record_is_no_other_campaign(folder: Folder) -> None:
    folder.open().push()
    assert folder.open(annotators_per_record=5).push().present == 3


@pytest.mark.parametrize("command", ["push", "pull", "status"])
def test_another_template_is_a_conflict(folder: Folder, command: str) -> None:
    folder.open().push()
    with pytest.raises(Conflict, match="template") as caught:
        getattr(folder.open(template="rating"), command)()
    assert caught.value.remedy


@pytest.mark.parametrize("command", ["pull", "status"])
def test_before_the_first_push_there_is_nothing_to_find(folder: Folder, command: str) -> None:
    with pytest.raises(NotFound) as caught:
        getattr(folder.open(), command)()
    assert caught.value.remedy == "run `annobridge push` first"


# -- records that are wrong


def test_rejected_rows_are_listed_and_the_rest_goes_on(folder: Folder) -> None:
    folder.rows([ROWS[0], {"id": "bad", "prompt": "p"}, ROWS[1], {"id": "nul", "prompt": "a\0", "response": "r"}])
    result = folder.open().push()
    assert (result.sent, result.complete) == (2, False)
    assert [(line["line"], line["key"]) for line in folder.lines("rejects.jsonl")] == [(2, "bad"), (4, "nul")]
    assert all(line["reason"] and line["remedy"] for line in folder.lines("rejects.jsonl"))


def test_once_the_file_is_mended_the_list_is_empty(folder: Folder) -> None:
    folder.rows([{"id": "a", "prompt": "p"}])
    folder.open().check()
    folder.rows(ROWS)
    folder.open().check()
    assert folder.lines("rejects.jsonl") == []


def test_what_the_server_refuses_is_in_the_same_list(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.rows([*ROWS, {"id": "bad", "prompt": "p"}])
    write = folder.server.write

    def picky(records: Sequence[Record]) -> list[Outcome]:
        if any(record.key == "b" for record in records):
            return [Outcome(record.key, "rejected", "not this one", "none") for record in records]
        return write(records)

    monkeypatch.setattr(folder.server, "write", picky)
    result = folder.open().push()
    assert result.sent == 2
    assert [line["key"] for line in folder.lines("rejects.jsonl")] == ["bad", "b"]


def test_a_file_that_breaks_off_sends_nothing_at_all(folder: Folder) -> None:
    path = folder.path / "records.jsonl"
    path.write_bytes(path.read_bytes() + b'{"id": "d", "prompt": "\xff", "response": "r"}\n')
    with pytest.raises(InputError, match=r"records\.jsonl:4: byte"):
        folder.open().push()
    with pytest.raises(NotFound):
        folder.open().status()


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n" + bytes(range(32)) * 10, b"PK\x03\x04"])
def test_a_file_that_is_no_data_is_an_error(folder: Folder, content: bytes) -> None:
    (folder.path / "records.jsonl").write_bytes(content)
    with pytest.raises(InputError) as caught:
        folder.open().push()
    assert str(folder.path / "records.jsonl") in caught.value.reason
    assert caught.value.remedy


def test_a_check_needs_no_server(folder: Folder) -> None:
    folder.config(server={"kind": "label-studio", "url": "http://127.0.0.1:1"})
    result = Campaign(folder.path).check()
    assert (result.records, result.rejects) == (3, [])


# -- configuration that is wrong


def test_a_folder_without_a_campaign_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no campaign here") as caught:
        Campaign(tmp_path / "nowhere")
    assert "annobridge init" in caught.value.remedy


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({"template": "nope"}, TemplateError),
        ({"template": "./nope.yaml"}, TemplateError),
        ({"server": {"kind": "nope"}}, ConfigError),
        ({"server": {"kind": "label-studio"}}, ConfigError),
        ({"records": {"path": "nope.jsonl"}}, InputError),
        ({"records": {"path": "records.jsonl", "id": "nope"}}, UsageError),
        ({"records": {"path": "records.jsonl", "map": {"nope": "id"}}}, UsageError),
        ({"records": {"path": "records.jsonl", "map": {"prompt": "nope"}}}, UsageError),
        ({"records": {"path": "."}}, InputError),
    ],
)
def test_what_is_wrong_in_the_file_is_an_error_with_a_remedy(
    folder: Folder, settings: dict[str, Any], kind: type[BridgeError]
) -> None:
    folder.config(**settings)
    with pytest.raises(kind) as caught:
        Campaign(folder.path).push()
    assert caught.value.remedy


def test_ones_own_template_is_looked_up_beside_campaign_yaml(folder: Folder) -> None:
    (folder.path / "mine.yaml").write_text(
        "{version: 1, name: mine, title: Mine, fields: [{name: prompt, title: P}],"
        " questions: [{name: rating, type: rating, title: R}]}"
    )
    folder.config(template="./mine.yaml", records={"path": "records.jsonl", "id": "id"})
    assert folder.open().template.name == "mine"


def test_a_title_that_no_label_studio_takes_is_refused_before_anything_is_sent(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_KEY", "abc")
    server = {"kind": "label-studio", "url": "http://127.0.0.1:1", "key_env": "A_KEY"}
    folder.config(project="x" * 51, server=server)
    with pytest.raises(UsageError, match="this server takes 3 to 50"):
        Campaign(folder.path).push()


# -- damage


@pytest.mark.parametrize("damage", ["overwritten", "cut", "other"])
@pytest.mark.parametrize("command", ["plan", "push", "pull", "status", "doctor"])
def test_a_damaged_ledger_is_an_error_that_says_what_to_do(folder: Folder, command: str, damage: str) -> None:
    folder.open().push()
    path = folder.path / ".annobridge" / "ledger.db"
    if damage == "other":
        path.unlink()
        with closing(sqlite3.connect(path)) as database:
            database.execute("CREATE TABLE mine (x)")
    else:
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2] if damage == "cut" else b"\0garbage" * 1000)
    with pytest.raises(LedgerError, match=r"ledger\.db: ") as caught:
        getattr(folder.open(), command)()
    assert caught.value.remedy == "make it anew: annobridge doctor --rebuild"
    assert folder.open().doctor(rebuild=True).healthy
    assert folder.open().push().sent == 0
    assert getattr(folder.open(), command)()


def test_a_newer_ledger_is_left_alone(folder: Folder) -> None:
    folder.open().push()
    path = folder.path / ".annobridge" / "ledger.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(LedgerError, match="written by a newer annobridge") as caught:
        folder.open().push()
    assert "annobridge doctor --rebuild" in caught.value.remedy
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (99,)


def test_damaged_feedback_stops_every_command_that_needs_it(folder: Folder) -> None:
    folder.open().push()
    folder.answer("a", "ann", 5, "correct")
    folder.open().pull()
    path = folder.path / ".annobridge" / "feedback.jsonl"
    path.write_bytes(b"damaged\n" + path.read_bytes())
    for command in ("pull", "status", "annotations", "merge", "export"):
        with pytest.raises(StoreError, match=r"feedback\.jsonl:1: the line is damaged"):
            getattr(folder.open(), command)()


def test_a_sweep_that_breaks_off_is_taken_up_where_it_began(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.open().push()
    folder.answer("a", "ann", 5, "correct")
    changes = folder.server.changes

    def broken(cursor: str = "") -> Iterator[Page]:
        yield from changes(cursor)
        raise StoreError("the wire broke", remedy="again")

    with monkeypatch.context() as patch:
        patch.setattr(folder.server, "changes", broken)
        with pytest.raises(StoreError):
            folder.open().pull()
    result = folder.open().pull()
    assert (result.full, result.changes.new, result.changes.unchanged) == (True, 0, 1)


@pytest.mark.parametrize("command", ["push", "check", "merge"])
def test_a_full_disk_is_an_error_and_old_results_stay(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    folder.rows([*ROWS, {"id": "bad", "prompt": "p"}])
    folder.open().push()
    folder.open().merge()
    before = {path: path.read_bytes() for path in (folder.path / "out").iterdir()}

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space left on device") as caught:
        getattr(folder.open(), command)()
    assert "free some space" in caught.value.remedy
    assert {path: path.read_bytes() for path in (folder.path / "out").iterdir()} == before


# -- results


def test_no_answers_make_no_training_set(folder: Folder) -> None:
    folder.open().push()
    with pytest.raises(ExportError) as caught:
        folder.open().export(["sft"])
    assert caught.value.remedy
    assert not (folder.path / "out" / "sft.plain.jsonl").exists()


def test_properties_of_records_go_along(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.config(properties=["topic"])
    made: list[Project] = []
    ensure = folder.server.ensure

    def noting(project: Project, *, create: bool) -> RemoteProject:
        made.append(project)
        return ensure(project, create=create)

    monkeypatch.setattr(folder.server, "ensure", noting)
    folder.open().push()
    assert {project.properties for project in made} == {("topic",)}


def test_an_unknown_training_set_is_named(folder: Folder) -> None:
    with pytest.raises(UsageError, match="'rlhf' is no training set"):
        folder.open().export(["rlhf"])


def test_answers_that_cannot_count_are_problems_and_not_rows(folder: Folder) -> None:
    folder.open().push()
    folder.server.annotate("a", "ann", {"rating": 9, "label": "zzz", "stars": 3})
    folder.answer("b", "ann", 1, "incorrect")
    folder.open().pull()
    problems = {(p.record, p.question, p.kind) for p in folder.open().merge().problems}
    assert problems == {
        ("a", "rating", "invalid"),
        ("a", "label", "invalid"),
        ("a", "stars", "invalid"),
        ("b", "improved_response", "incomplete"),
    }
    assert {(line["record"], line["question"]) for line in folder.lines("problems.jsonl")} == {
        (record, question) for record, question, _ in problems
    }


def test_annotations_are_the_newest_or_all(folder: Folder) -> None:
    folder.open().push()
    for rating in (2, 5):
        folder.answer("a", "ann", rating, "correct")
        folder.open().pull()
    assert [a.answers["rating"] for a in folder.open().annotations()] == [5]
    assert [a.answers["rating"] for a in folder.open().annotations(history=True)] == [2, 5]


def test_withdrawn_answers_are_not_merged(folder: Folder) -> None:
    folder.open().push()
    folder.answer("a", "ann", 5, "correct")
    folder.open().pull()
    folder.server.withdraw("a", "ann")
    folder.open().pull()
    assert folder.open().merge().outcomes().get("rating", {}).get("agreed", 0) == 0
    assert folder.open().status().answers == {}


def test_people_are_known_inside_and_nowhere_in_the_results(folder: Folder) -> None:
    folder.open().push()
    folder.answer("a", "ann.surname@example.org", 5, "correct")
    folder.open().pull()
    folder.open().export(["sft"])
    assert list(folder.open().people().values()) == ["ann.surname@example.org"]
    for path in (folder.path / "out").rglob("*"):
        if path.is_file():
            assert b"surname" not in path.read_bytes(), path


def test_progress_is_told(folder: Folder) -> None:
    told: list[tuple[str, int, int]] = []
    campaign = Campaign(folder.path, server=folder.server, progress=lambda *step: told.append(step))
    campaign.push()
    folder.answer("a", "ann", 5, "correct")
    campaign.pull()
    assert ("pushing", 3, 3) in told
    assert ("pulling", 1, 0) in told
