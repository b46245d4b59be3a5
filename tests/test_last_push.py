"""The very same records, pushed again: they are not read where nothing can have changed, and all else is the same."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bridge.campaign import Campaign
from bridge.last_push import NOTE, fingerprint, last_push
from bridge.records import Record, Suggestion
from bridge.results import CheckResult
from bridge.servers.memory import MemoryServer
from bridge.servers.protocol import Project
from bridge.sync.ledger import Ledger
from bridge.sync.push import Settled, push
from bridge.templates import load_template
from bridge.testing.faults import FaultyServer

PROJECT = Project("Sums", load_template("rating"))
RECORDS = [Record(key, {"prompt": f"{key}?", "response": "x"}) for key in "abc"]
ROWS: list[dict[str, Any]] = [
    {"key": key, "fields": {"prompt": f"{key}?", "response": "x"}, "suggestions": [{"question": "rating", "value": 4}]}
    for key in "abc"
]


def unread() -> Iterator[Record]:
    pytest.fail("a record was read")
    yield RECORDS[0]


class TestOneTransfer:
    def test_records_of_a_settled_push_are_not_read(self) -> None:
        server, ledger = MemoryServer(), Ledger()
        first = push(server, PROJECT, RECORDS, ledger=ledger)
        again = push(server, PROJECT, unread(), ledger=ledger, settled=Settled(first.rows, 3))
        assert (again.sent, again.present, again.complete, again.rows) == (0, 3, True, first.rows)

    def test_a_record_that_somebody_deleted_is_noticed(self) -> None:
        server, ledger = MemoryServer(), Ledger()
        first = push(server, PROJECT, RECORDS, ledger=ledger)
        server.remove([server.find(["b"])["b"][0].id])
        again = push(server, PROJECT, RECORDS, ledger=ledger, settled=Settled(first.rows, 3))
        assert (again.present, again.gone) == (2, ["b"])

    def test_another_push_that_changed_a_text_is_noticed(self) -> None:
        server, ledger = MemoryServer(), Ledger()
        first = push(server, PROJECT, RECORDS, ledger=ledger)
        push(server, PROJECT, [Record("b", {"prompt": "b?", "response": "y"})], ledger=ledger)
        again = push(server, PROJECT, RECORDS, ledger=ledger, settled=Settled(first.rows, 3))
        assert (again.updated, again.present) == (1, 3)

    def test_suggestions_that_were_lost_come_back_once_the_project_was_listed(self) -> None:
        server, ledger = MemoryServer(), Ledger()
        records = [replace(record, suggestions=(Suggestion("rating", 3),)) for record in RECORDS]
        first = push(server, PROJECT, records, ledger=ledger)
        server._held.records["a"]["suggestions"] = []
        push(server, PROJECT, [Record("d", {"prompt": "d?", "response": "x"})])  # by another machine
        again = push(server, PROJECT, records, ledger=ledger, settled=Settled(first.rows, 3))
        assert (again.repaired, server.find(["a"])["a"][0].suggestions) == (1, 1)


class Folder:
    """A campaign of three records, each with a suggestion."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.server: Any = MemoryServer()
        self.rows(*ROWS)
        self.config()

    def rows(self, *rows: dict[str, Any]) -> None:
        (self.path / "records.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def config(self, **more: Any) -> None:
        settings = {"project": "Sums", "server": {"kind": "memory"}, "records": "records.jsonl", "template": "rating"}
        (self.path / "campaign.yaml").write_text(json.dumps(settings | more))

    def push(self, **options: Any) -> dict[str, Any]:
        """What a push says, but for what tells a first one from the next; ``checked`` says whether it read the file."""
        campaign, self.checked = Campaign(self.path, server=self.server), False
        check = campaign._check

        def watched(**options: Any) -> CheckResult:
            self.checked = True
            return check(**options)

        campaign._check = watched  # type: ignore[method-assign]
        return {name: value for name, value in campaign.push(**options).to_dict().items() if name != "created"}


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


class TestCampaign:
    def test_the_same_file_is_not_read_again(self, folder: Folder) -> None:
        assert (folder.push()["sent"], folder.checked) == (3, True)
        again = folder.push()
        assert (again["sent"], again["present"], folder.checked) == (0, 3, False)

    @pytest.mark.parametrize("step", [[], [{"pii": {"mode": "none"}}]], ids=["looked through", "not looked through"])
    def test_it_says_the_same_as_a_push_that_reads_all(self, folder: Folder, step: list[Any]) -> None:
        rows = [{**row, "metadata": {"mail": "ann@mail.example"}} for row in ROWS]
        controls = [{"fields": {"prompt": "1?", "response": "1"}, "metadata": {"expected": {"rating": 1}}}]
        (folder.path / "controls.jsonl").write_text(json.dumps(controls[0]))
        folder.rows(*rows, {"key": "d", "fields": {"prompt": "\u202ed?", "response": "Call ann@mail.example"}})
        folder.config(controls={"records": "controls.jsonl", "share": 0.2, "seed": 1}, curate={"before_push": step})
        folder.push()
        told = folder.push()
        assert not folder.checked
        with closing(sqlite3.connect(folder.path / ".annobridge/ledger.db")) as db, db:
            db.execute("DELETE FROM notes WHERE name = ?", (NOTE,))
        assert (folder.push(), folder.checked) == (told, True)
        assert (told["controls"], told["reordered"]) == (1, ["d"])

    def test_a_changed_file_is_read(self, folder: Folder) -> None:
        folder.push()
        folder.rows(*ROWS, {"key": "d", "fields": {"prompt": "d?", "response": "x"}})
        assert (folder.push()["sent"], folder.checked) == (1, True)

    def test_an_older_file_that_is_put_back_is_read(self, folder: Folder) -> None:
        folder.push()
        folder.rows({"key": "a", "fields": {"prompt": "a?", "response": "y"}})
        assert folder.push()["updated"] == 1
        folder.rows(*ROWS)
        assert (folder.push()["updated"], folder.push()["updated"]) == (1, 0)

    def test_counts_of_another_file_are_not_told_of_this_one(self, folder: Folder) -> None:
        told = [folder.push(), folder.push()][-1]
        folder.server.annotate("a", "ann", {"rating": 5})
        folder.rows({"key": "a", "fields": {"prompt": "a?", "response": "y"}})
        assert folder.push()["changed"] == ["a"]  # so nothing is settled, and nothing changes
        folder.rows(*ROWS)
        assert folder.push()["curate"] == told["curate"]

    def test_other_controls_are_read(self, folder: Folder) -> None:
        control = {"fields": {"prompt": "1?", "response": "1"}, "metadata": {"expected": {"rating": 1}}}
        (folder.path / "controls.jsonl").write_text(json.dumps(control))
        folder.config(controls={"records": "controls.jsonl", "share": 0.25, "seed": 1})
        assert folder.push()["sent"] == 4
        control["fields"] = {"prompt": "2?", "response": "2"}
        (folder.path / "controls.jsonl").write_text(json.dumps(control))
        assert folder.push()["sent"] == 1

    def test_other_settings_are_read(self, folder: Folder) -> None:
        folder.push()
        folder.config(project="Sums again")
        assert folder.push()["sent"] == 3

    def test_a_record_that_was_deleted_there_is_named_each_time(self, folder: Folder) -> None:
        folder.push()
        folder.server.remove([folder.server.find(["b"])["b"][0].id])
        assert [folder.push()["gone"] for _ in range(2)] == [["b"], ["b"]]
        assert [folder.push(recreate=True)["sent"] for _ in range(2)] == [1, 0]

    def test_rejected_rows_are_named_each_time(self, folder: Folder) -> None:
        folder.rows(*ROWS, {"key": "d", "fields": {}}, ROWS[0])
        first, listed = folder.push(), folder.path / "out/rejects.jsonl"
        named = listed.read_bytes()
        listed.unlink()
        again = folder.push()
        assert ((again["rejected"], again["rejects"]), folder.checked) == ((2, first["rejects"]), False)
        assert listed.read_bytes() == named

    def test_a_record_that_the_server_refused_is_tried_each_time(self, folder: Folder) -> None:
        folder.server = FaultyServer(folder.server, rate=0, poison=lambda key: key == "b")
        assert [folder.push()["rejects"][0]["key"] for _ in range(2)] == ["b", "b"]
        assert folder.checked

    def test_a_text_that_is_kept_by_request_is_named_where_nobody_asks_for_that(self, folder: Folder) -> None:
        folder.push()
        folder.server.annotate("a", "ann", {"rating": 5})
        folder.rows({"key": "a", "fields": {"prompt": "a?", "response": "y"}}, *ROWS[1:])
        assert [folder.push(on_change="keep")["kept"] for _ in range(2)] == [1, 1]
        assert folder.push()["changed"] == ["a"]

    def test_a_list_of_personal_data_that_was_removed_is_made_again(self, folder: Folder) -> None:
        folder.rows(*ROWS, {"key": "d", "fields": {"prompt": "d?", "response": "Write to ann@mail.example."}})
        folder.push()
        (folder.path / "out/pii.jsonl").unlink()
        told = folder.push()
        assert (folder.checked, told["curate"][0]["why"]) == (True, {"email": 1})
        assert (folder.path / "out/pii.jsonl").exists()

    def test_records_that_the_ledger_forgot_are_found_again(self, folder: Folder) -> None:
        folder.push()
        Campaign(folder.path, server=folder.server).doctor(rebuild=True)
        assert folder.push()["present"] == 3
        (folder.path / ".annobridge/ledger.db").unlink()
        assert (folder.push()["present"], folder.checked) == (3, True)

    def test_a_project_that_was_deleted_is_made_again(self, folder: Folder) -> None:
        folder.push()
        folder.server = MemoryServer()
        assert folder.push()["sent"] == 3

    def test_where_records_are_chosen_each_push_chooses(self, folder: Folder) -> None:
        folder.config(curate={"before_push": [{"dedup": {"method": "exact"}}]})
        folder.push()
        folder.push()
        assert folder.checked


@pytest.mark.parametrize(
    "note", ["", "no JSON", "[]", "{}", '{"inputs": "", "rows": "", "records": 1, "rejects": [7]}']
)
def test_a_note_of_another_version_is_none(note: str) -> None:
    ledger = Ledger()
    ledger.set_note(NOTE, note)
    assert last_push(ledger) is None


def test_the_fingerprint_tells_texts_apart_that_join_to_the_same(tmp_path: Path) -> None:
    for name, text in (("a", "xy"), ("b", "z"), ("c", "x"), ("d", "yz")):
        (tmp_path / name).write_text(text)
    assert fingerprint([tmp_path / "a", tmp_path / "b"]) != fingerprint([tmp_path / "c", tmp_path / "d"])
    assert fingerprint([tmp_path / "a"], "s", "t") != fingerprint([tmp_path / "a"], "st")
    assert fingerprint([tmp_path]) == ""  # a folder, such as a dataset saved on disk
