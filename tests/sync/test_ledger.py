"""The ledger: written ahead, all or nothing, for one process at a time, and never guessed at."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.clock import TestClock
from bridge.errors import Held, LedgerError, StoreError
from bridge.servers.protocol import Outcome, Remote, RemoteProject
from bridge.sync.lease import EXPIRES_S, Holder, is_free
from bridge.sync.ledger import VERSION, Ledger, set_aside
from bridge.sync.target import Target

SUMS = RemoteProject("7", "http://127.0.0.1:1/7", 0, born="2026-01-01T00:00:00.000000Z")


def target(ledger: Ledger, remote: RemoteProject = SUMS) -> Target:
    return ledger.target("label-studio", "http://127.0.0.1:1", remote)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".annobridge" / "ledger.db"


# -- what it keeps


def test_an_intent_is_on_the_disk_before_anything_else_happens(path: Path) -> None:
    ledger = Ledger(path, clock=TestClock(1000.0))
    target(ledger).intend([("r1", "aa"), ("r2", "bb")])
    row = target(Ledger(path)).rows(["r1"])["r1"]  # as another process sees it
    assert (row.state, row.content, row.sent_at) == ("sending", "aa", 1000.0)


def test_every_outcome_has_its_state() -> None:
    sums = target(Ledger())
    sums.intend([("a", ""), ("b", ""), ("c", "")])
    sums.settle([Outcome("a", "accepted", remote_id="1"), Outcome("b", "rejected", "bad"), Outcome("c", "unknown")])
    assert {key: row.state for key, row in sums.rows("abc").items()} == {"a": "sent", "b": "rejected", "c": "unknown"}
    assert (sums.rows("b")["b"].reason, sums.rows("a")["a"].remote_id) == ("bad", "1")


def test_it_is_durable_and_written_ahead(path: Path) -> None:
    ledger = Ledger(path)
    assert ledger.db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert ledger.db.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
    assert ledger.db.execute("PRAGMA user_version").fetchone() == (VERSION,)


@given(st.lists(st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=20), max_size=1200, unique=True))
def test_any_key_is_found_again(keys: list[str]) -> None:
    sums = target(Ledger())
    sums.intend((key, "c") for key in keys)
    assert sums.rows(keys).keys() == set(keys)
    assert sums.count("sending") == len(keys)


def test_two_projects_do_not_mix() -> None:
    ledger = Ledger()
    target(ledger).found({"r1": [Remote("1")]})
    other = target(ledger, RemoteProject("8", "", 0))
    assert other.rows(["r1"]) == {}
    assert ledger.last()["project"] == "7", "only looked at"
    ledger.target("label-studio", "http://127.0.0.1:1", RemoteProject("8", "", 0), use=True)
    assert ledger.last()["project"] == "8"


def test_a_survey_replaces_what_was_known() -> None:
    sums = target(Ledger())
    sums.found({"a": [Remote("1", content="x")], "b": [Remote("2")]})
    assert sums.replace({"a": [Remote("9", content="y")], "c": [Remote("3"), Remote("4")]}, total=5) == ["b"]
    rows = sums.rows("abc")
    assert (rows["a"].remote_id, rows["a"].content, rows["b"].state, rows["c"].state) == ("9", "y", "gone", "sent")
    assert sums.extra == 3  # a twin, and two that are not ours


def test_a_sample_is_spread_over_all_that_was_sent() -> None:
    sums = target(Ledger())
    sums.found({f"r{n:03}": [Remote(str(n))] for n in range(100)})
    assert [row.key for row in sums.sample(4)] == ["r000", "r025", "r050", "r075"]
    assert len(sums.sample(1000)) == 100


# -- what it does not believe


def test_another_project_with_the_same_id_is_refused() -> None:
    ledger = Ledger()
    target(ledger).found({"r1": [Remote("1")]})
    with pytest.raises(LedgerError, match="is another one than this campaign was pushed to") as caught:
        target(ledger, RemoteProject("7", "", 0, born="2026-06-01T00:00:00.000000Z"))
    assert "annobridge doctor --rebuild" in caught.value.remedy
    assert target(ledger).count("sent") == 1


def test_a_project_that_was_made_just_now_begins_empty() -> None:
    ledger = Ledger()
    target(ledger).found({"r1": [Remote("1")]})
    made = target(ledger, RemoteProject("7", "", 0, created=True, born="2026-06-01T00:00:00.000000Z"))
    assert made.count("sent") == 0


def test_set_aside_keeps_the_old_one(path: Path) -> None:
    ledger = Ledger(path)
    target(ledger).found({"r1": [Remote("1")]})
    ledger.close()
    set_aside(path)
    assert target(Ledger(path)).count("sent") == 0
    assert target(Ledger(path.with_name("ledger.before-rebuild.db"))).count("sent") == 1


def test_a_rebuild_keeps_what_only_the_ledger_knows() -> None:
    ledger = Ledger()
    sums = target(ledger)
    sums.found({"a": [Remote("1")], "b": [Remote("2")]})
    sums.replace({"a": [Remote("1")]}, total=1)
    sums.intend([("c", "")])
    sums.pulled("2026-01-02T03:04:05.000000Z")
    again = ledger.rebuilt("label-studio", "http://127.0.0.1:1", SUMS)
    assert {key: row.state for key, row in again.rows("abc").items()} == {"a": "sent", "b": "gone", "c": "sending"}
    assert again.cursor is None
    other = RemoteProject("7", "", 0, born="2026-06-01T00:00:00.000000Z")
    assert ledger.rebuilt("label-studio", "http://127.0.0.1:1", other).rows("abc") == {}


def test_a_ledger_that_somebody_locks_is_named(path: Path) -> None:
    ledger = Ledger(path)
    ledger.db.execute("PRAGMA busy_timeout = 10")
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match=r"ledger\.db: database is locked") as caught:
            target(ledger)
    assert "another program holds the file" in caught.value.remedy


def test_a_folder_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"file.*: (Not a directory|File exists)"):
        Ledger(tmp_path / "file" / "ledger.db")


# -- the lease


def test_the_second_is_told_who_is_at_work_and_since_when(path: Path) -> None:
    clock = TestClock()
    first, second = Ledger(path, clock=clock), Ledger(path, clock=clock)
    with first.alone("push"):
        clock.sleep(42)
        with pytest.raises(Held, match=rf"push, by process {os.getpid()} on .*, since 42 s"), second.alone("pull"):
            pass
    with second.alone("pull"):
        assert second.holder() is not None
    assert second.holder() is None


def test_the_lease_of_a_process_that_is_gone_is_free_at_once(path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from bridge.sync.ledger import Ledger\n"
        "with Ledger(Path(sys.argv[1])).alone('push'): os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)])
    assert done.returncode == -9
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT what FROM lease").fetchone() == ("push",)
    with Ledger(path).alone("push"):
        pass


def test_a_lease_from_another_machine_expires(path: Path) -> None:
    clock = TestClock()
    ledger = Ledger(path, clock=clock)
    with ledger.transaction() as db:
        now = clock.time()
        db.execute("INSERT INTO lease VALUES (1, 't', 'elsewhere/', 1, '', 'push', ?, ?)", (now, now))
    with pytest.raises(Held, match="by process 1 on elsewhere"), ledger.alone("pull"):
        pass
    clock.sleep(EXPIRES_S + 1)
    with ledger.alone("pull"):
        pass


@pytest.mark.parametrize("years", [-20, 20])
def test_a_clock_that_was_years_off_locks_nobody_out(path: Path, years: int) -> None:
    clock = TestClock()
    with Ledger(path, clock=clock).transaction() as db:
        wrong = clock.time() + years * 365 * 86400
        db.execute("INSERT INTO lease VALUES (1, 't', 'elsewhere/', 1, '', 'push', ?, ?)", (wrong, wrong))
    with Ledger(path, clock=clock).alone("pull"):
        pass


def test_who_lost_the_lease_writes_nothing_more(path: Path) -> None:
    clock = TestClock()
    asleep, awake = Ledger(path, clock=clock), Ledger(path, clock=clock)
    with asleep.alone("push"):
        sums = target(asleep)
        with awake.transaction() as db:  # as if the holder were on a machine that cannot be asked
            db.execute("UPDATE lease SET host = 'elsewhere/'")
        clock.sleep(EXPIRES_S + 1)
        with awake.alone("push"), pytest.raises(Held, match="another annobridge took over"):
            sums.intend([("r1", "")])
    assert target(awake).rows(["r1"]) == {}


def test_a_lease_is_renewed_by_all_that_is_written(path: Path) -> None:
    clock = TestClock()
    ledger = Ledger(path, clock=clock)
    with ledger.alone("push"):
        for _ in range(10):
            clock.sleep(EXPIRES_S - 1)
            target(ledger)
        assert ledger.holder() is not None


def test_a_process_that_has_the_number_of_another_is_another() -> None:
    mine = Holder.myself()
    assert not mine.is_gone()
    assert Holder(mine.host, mine.pid, "some other time").is_gone()
    assert not is_free(mine, 0.0, 0.0)
