"""A campaign whose files were damaged, or whose records were edited: nothing wrong is counted, nothing is lost."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import pytest

from bridge.campaign import Campaign
from bridge.errors import Held, LedgerError, StoreError, Unreachable
from bridge.records import Record, record_key
from bridge.servers.memory import MemoryServer
from bridge.servers.protocol import Outcome, Project
from bridge.sync.people import People
from bridge.sync.pull import PullResult
from bridge.sync.push import push
from bridge.templates import load_template

ROW = {"prompt": "2 + 2?", "response": "4"}
KEY = record_key(ROW)


@pytest.fixture
def server() -> MemoryServer:
    return MemoryServer()


@pytest.fixture
def open_campaign(tmp_path: Path, server: MemoryServer) -> Callable[[], Campaign]:
    (tmp_path / "records.jsonl").write_text(json.dumps(ROW))
    config = {"project": "Sums", "server": {"kind": "memory"}, "records": "records.jsonl", "template": "rating"}
    (tmp_path / "campaign.yaml").write_text(json.dumps(config))
    return lambda: Campaign(tmp_path, server=server)


def test_a_lost_pseudonym_key_is_an_error_and_not_a_second_person(
    open_campaign: Callable[[], Campaign], server: MemoryServer, tmp_path: Path
) -> None:
    open_campaign().push()
    server.annotate(KEY, "ann", {"rating": 4})
    open_campaign().pull()
    (tmp_path / ".annobridge" / "pseudonym.key").unlink()
    with pytest.raises(StoreError, match="key of the pseudonyms is missing"):
        open_campaign().pull(full=True)
    assert len(open_campaign().annotations()) == 1


@pytest.mark.parametrize("content", ["", "ab", "zz"])
def test_a_damaged_pseudonym_key_is_an_error(tmp_path: Path, content: str) -> None:
    People(tmp_path).pseudonym("ann")
    (tmp_path / "pseudonym.key").write_text(content)
    with pytest.raises(StoreError):
        People(tmp_path)


@pytest.mark.parametrize("content", ["[]", "5", "null", '{"a": 1}', "[" * 100_000])
def test_a_damaged_table_of_names_is_an_error(tmp_path: Path, content: str) -> None:
    People(tmp_path).pseudonym("ann")
    (tmp_path / "annotators.json").write_text(content)
    with pytest.raises(StoreError):
        People(tmp_path)


@pytest.mark.parametrize("cursor", ["garbage", "9999-01-01T00:00:00.000000Z", "0001-01-01T00:00:00.000000Z", "", 5])
def test_a_cursor_that_cannot_be_sweeps_everything(
    open_campaign: Callable[[], Campaign], server: MemoryServer, tmp_path: Path, cursor: object
) -> None:
    open_campaign().push()
    open_campaign().pull()
    with closing(sqlite3.connect(tmp_path / ".annobridge" / "ledger.db")) as ledger, ledger:
        ledger.execute("UPDATE projects SET cursor = ?", (cursor,))
    server.annotate(KEY, "ann", {"rating": 4})
    result = open_campaign().pull()
    assert (result.full, result.changes.new) == (True, 1)


@pytest.mark.parametrize("kept", [0, 1])
def test_a_store_that_is_lost_or_an_older_one_is_filled_again_by_the_next_pull(
    open_campaign: Callable[[], Campaign], server: MemoryServer, tmp_path: Path, kept: int
) -> None:
    rows = [{"prompt": f"{number}?", "response": "4"} for number in range(3)]
    (tmp_path / "records.jsonl").write_text("\n".join(map(json.dumps, rows)))
    open_campaign().push()
    for row in rows:
        server.annotate(record_key(row), "ann", {"rating": 4})
        open_campaign().pull()
    store = tmp_path / ".annobridge" / "feedback.jsonl"
    lines = store.read_bytes().splitlines(keepends=True)
    store.unlink()
    if kept:
        store.write_bytes(b"".join(lines[:kept]))
    result = open_campaign().pull()
    assert (result.full, result.changes.new) == (True, 3 - kept)
    assert {annotation.record for annotation in open_campaign().annotations()} == set(map(record_key, rows))


DAMAGE = {
    "a key that is no text": "UPDATE records SET key = CAST(x'72ff' AS TEXT)",
    "a table that has another name": "ALTER TABLE answers RENAME TO answer",
    "a state that there is not": "UPDATE records SET state = 'sunt'",
    "an index that does not fit the store": "UPDATE answers SET start = start + 1",
    "an index of other answers": "UPDATE answers SET id = 'another'",
    "a note that cannot be read": "UPDATE notes SET value = '{' WHERE name = 'feedback'",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_ledger_loses_nothing_and_can_always_be_made_anew(
    open_campaign: Callable[[], Campaign], server: MemoryServer, tmp_path: Path, damage: str
) -> None:
    open_campaign().push()
    server.annotate(KEY, "ann", {"rating": 4})
    open_campaign().pull()
    with closing(sqlite3.connect(tmp_path / ".annobridge" / "ledger.db")) as ledger, ledger:
        ledger.execute(DAMAGE[damage])
    for command in (Campaign.push, Campaign.pull, partial(Campaign.pull, full=True)):
        with suppress(LedgerError):  # what does not touch the damaged part goes on
            result = command(open_campaign())
            assert isinstance(result, PullResult) or [*result.unknown, *range(result.present)]
    assert open_campaign().doctor(rebuild=True).healthy
    assert open_campaign().push().present == 1
    assert (open_campaign().pull().changes.unchanged, len(open_campaign().annotations())) == (1, 1)
    assert server.progress().records == 1


@pytest.mark.parametrize("value", ["\ud800", float("nan"), 10**400, "", [[[]]], {"a": None}])
def test_one_poisoned_answer_stops_nobody(
    open_campaign: Callable[[], Campaign], server: MemoryServer, value: object, tmp_path: Path
) -> None:
    open_campaign().push()
    server.annotate(KEY, "mallory", {"rating": value})  # type: ignore[dict-item]
    server.annotate(KEY, "ann", {"rating": 5})
    assert open_campaign().pull().changes.new == 2
    result = open_campaign().merge()
    assert result.kept[0].answers["rating"].value == 5
    # The answer that cannot be, and the one that is therefore missing.
    assert {(p.kind, p.question) for p in result.problems} == {("invalid", "rating")}
    assert json.loads((tmp_path / "out" / "problems.jsonl").read_text().splitlines()[0])["question"] == "rating"


class TestEditedRecords:
    @pytest.fixture
    def edited(self, tmp_path: Path, server: MemoryServer) -> Callable[[], Campaign]:
        """A record under the user's own key, judged, and then given another text."""
        records = tmp_path / "records.jsonl"
        records.write_text(json.dumps({**ROW, "id": "sum-1"}))
        config = {
            "project": "Sums",
            "server": {"kind": "memory"},
            "records": {"path": "records.jsonl", "id": "id"},
            "template": "rating",
        }
        (tmp_path / "campaign.yaml").write_text(json.dumps(config))
        Campaign(tmp_path, server=server).push()
        server.annotate("sum-1", "ann", {"rating": 5})
        Campaign(tmp_path, server=server).pull()
        records.write_text(json.dumps({**ROW, "id": "sum-1", "response": "WRONG"}))
        return lambda: Campaign(tmp_path, server=server)

    def test_push_names_them(self, edited: Callable[[], Campaign]) -> None:
        result = edited().push()
        assert (result.sent, result.present, result.changed, result.complete) == (0, 1, ["sum-1"], False)

    def test_answers_to_the_earlier_text_do_not_count(self, edited: Callable[[], Campaign]) -> None:
        result = edited().merge()
        assert [(case.record, case.reason) for case in result.dropped] == [("sum-1", "changed")]
        assert result.kept[0].answers["rating"].n == 0

    def test_they_count_again_when_the_text_is_back(self, edited: Callable[[], Campaign], tmp_path: Path) -> None:
        (tmp_path / "records.jsonl").write_text(json.dumps({**ROW, "id": "sum-1"}))
        assert edited().push().changed == []
        assert edited().merge().kept[0].answers["rating"].value == 5


def test_a_second_push_in_the_same_folder_waits_its_turn(
    open_campaign: Callable[[], Campaign], server: MemoryServer
) -> None:
    with (
        open_campaign().state.alone("pull"),
        pytest.raises(Held, match="another annobridge is at work in this folder: pull, by process"),
    ):
        open_campaign().push()
    assert open_campaign().push().sent == 1


def test_answers_of_another_project_do_not_count(
    open_campaign: Callable[[], Campaign], server: MemoryServer, tmp_path: Path
) -> None:
    for project, rating in (("First", 5), ("Second", 1)):
        made = Campaign(tmp_path, {"project": project}, server=server)
        made.push()
        server.annotate(KEY, "ann", {"rating": rating})
        made.pull()
    assert made.merge().kept[0].answers["rating"].value == 1


def test_a_server_that_dies_in_mid_push_leaves_a_partial_result(tmp_path: Path) -> None:
    class Dying(MemoryServer):
        def write(self, records: Sequence[Record]) -> list[Outcome]:
            if self.progress().records:
                raise Unreachable("gone", remedy="start it")
            return super().write(records)

    records = [Record(fields={"prompt": str(n), "response": "x"}) for n in range(1200)]
    result = push(Dying(), Project("Sums", load_template("rating")), records)
    assert (result.sent, result.reason, result.complete) == (500, "gone", False)
