"""A disk that is full, a folder that cannot be written, a ledger that is locked, damaged or newer, a clock years off.

Each stops the command with one error that names the path and the remedy, before the next request, and loses nothing;
when it is over, the same command goes on from there.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest

from bridge.campaign import Campaign
from bridge.clock import TestClock
from bridge.errors import LedgerError, StoreError
from bridge.servers.memory import LIKE_ARGILLA, LIKE_LABEL_STUDIO, MemoryServer
from bridge.sync.ledger import Ledger
from tests.faults.sites import rows
from tests.full_disk import full_disk

ROWS = rows(24)
KEYS = [row["id"] for row in ROWS]
BAD = {"id": "bad", "prompt": "a row without a response"}
E = TypeVar("E", bound=Exception)
YEARS = 10 * 365 * 86_400.0

PROFILES = {
    "like label-studio": replace(LIKE_LABEL_STUDIO, capabilities=replace(LIKE_LABEL_STUDIO.capabilities, batch=4)),
    "like argilla": replace(LIKE_ARGILLA, capabilities=replace(LIKE_ARGILLA.capabilities, batch=4)),
}


class Log:
    """What happened, in its order: calls of the server, and the first time that something could not be written."""

    def __init__(self, server: MemoryServer) -> None:
        self.server = server
        self.events: list[str] = []
        self.before_write: Callable[[int], object] = lambda number: None

    def __getattr__(self, name: str) -> Any:
        verb = getattr(self.server, name)
        if not callable(verb):
            return verb

        def called(*args: Any, **options: Any) -> Any:
            self.events.append(name)
            if name == "write":
                self.before_write(self.events.count("write"))
            return verb(*args, **options)

        return called

    def after_failure(self) -> list[str]:
        """Calls of the server after the ledger could not be written."""
        events = self.events[self.events.index("failed") :] if "failed" in self.events else []
        return [event for event in events if event != "failed"]


class Folder:
    def __init__(self, path: Path, server: MemoryServer) -> None:
        self.path, self.log = path, Log(server)
        self.clock = TestClock(datetime.now(UTC).timestamp())
        path.mkdir()
        (path / "records.jsonl").write_text("".join(json.dumps(row) + "\n" for row in [*ROWS, BAD]))
        config = {
            "project": "Sums",
            "server": {"kind": "memory"},
            "records": {"path": "records.jsonl", "id": "id"},
            "template": "rating",
        }
        (path / "campaign.yaml").write_text(json.dumps(config))

    @property
    def ledger(self) -> Path:
        return self.path / ".annobridge" / "ledger.db"

    def open(self) -> Campaign:
        campaign = Campaign(self.path, server=self.log)
        campaign.state.clock = self.clock
        return campaign

    def copies(self) -> dict[str, int]:
        return {key: len(found) for key, found in self.log.server.find([*KEYS, "bad"]).items()}

    def answers(self) -> dict[str, Mapping[str, Any]]:
        return {a.record: dict(a.answers) for a in self.open().annotations()}

    def stored(self) -> bytes:
        return (self.path / ".annobridge" / "feedback.jsonl").read_bytes()


@pytest.fixture(params=list(PROFILES))
def new_folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Folder]:
    """Makes campaigns, each with a server of its own; one is used after the other."""
    made: list[Folder] = []
    transaction = Ledger.transaction

    @contextmanager
    def watched(ledger: Ledger) -> Iterator[sqlite3.Connection]:
        try:
            with transaction(ledger) as database:
                yield database
        except StoreError:
            made[-1].log.events.append("failed")
            raise

    def make() -> Folder:
        made.append(Folder(tmp_path / f"{len(made)}", MemoryServer(profile=PROFILES[request.param])))
        return made[-1]

    monkeypatch.setattr(Ledger, "transaction", watched)
    return make


def answer(folder: Folder, keys: list[str], rating: int, who: str = "ann") -> None:
    for key in keys:
        folder.log.server.annotate(key, who, {"rating": rating})


def caught(kind: type[E], action: Callable[[], object]) -> E | None:
    """The error of that kind that an action ends with, if it does."""
    try:
        action()
    except kind as error:
        return error
    return None


def assert_named(error: StoreError, folder: Folder) -> None:
    """One error that names a path of the campaign and what to do."""
    assert str(folder.path) in error.reason
    assert error.remedy
    assert "\n" not in error.reason


SIZES = [0, 100, 1_000, *range(4_096, 240_000, 8_192)]


def test_a_disk_that_is_full_stops_a_push_before_the_next_request(new_folder: Callable[[], Folder]) -> None:
    stopped_after = set()
    for size in SIZES:
        folder = new_folder()
        with full_disk(size):
            error = caught(StoreError, folder.open().push)
        if error is not None:
            assert_named(error, folder)
            assert folder.log.after_failure() == [], f"{size} bytes"
            stopped_after.add(folder.log.events.count("write"))
        folder.open().push()
        assert folder.copies() == dict.fromkeys(KEYS, 1), f"{size} bytes"
        assert folder.open().plan().nothing_to_do, f"{size} bytes"
    assert error is None, "so much is enough"
    assert stopped_after >= {0, 1, 2, 3, 4, 5}, "there were such disks for every batch"


def test_a_disk_that_is_full_stops_a_pull_and_keeps_what_is_stored(new_folder: Callable[[], Folder]) -> None:
    crowd = [f"person {n}" for n in range(12)]
    expected = sorted((key, 5) for key in KEYS for _ in crowd)
    failed = set()
    for room in [-250_000, -40_000, -4_096, 0, 1, 100, 1_000, 10_000, 30_000, 200_000]:
        folder = new_folder()
        folder.open().push()
        for who in crowd:
            answer(folder, KEYS[:12], 5, who)
        folder.open().pull()
        before = folder.stored()
        for who in crowd:
            answer(folder, KEYS[12:], 5, who)
        with full_disk(max(0, len(before) + room)):
            error = caught(StoreError, folder.open().pull)
        assert folder.stored().startswith(before)
        if error is not None:
            assert_named(error, folder)
            assert folder.log.after_failure() == [], f"room for {room} bytes"
            failed.add(error.reason.partition(":")[0].rpartition("/")[2])
        folder.open().pull()
        history = folder.open().annotations(history=True)
        assert sorted((a.record, a.answers["rating"]) for a in history) == expected, "each once"
    assert error is None, "so much room is enough"
    assert failed == {"ledger.db", "feedback.jsonl"}, "either of them met the end of a disk"


def test_a_disk_that_is_full_leaves_old_training_sets_as_they_were(new_folder: Callable[[], Folder]) -> None:
    folder = new_folder()
    folder.open().push()
    answer(folder, KEYS[:12], 5)
    folder.open().pull()
    folder.open().export()
    answer(folder, KEYS[12:], 5)
    folder.open().pull()
    for size in (0, 100, 1_000):
        before = {path.name: path.read_bytes() for path in (folder.path / "out").iterdir()}
        with full_disk(size), pytest.raises(StoreError) as error:
            folder.open().export()
        assert_named(error.value, folder)
        assert {path.name: path.read_bytes() for path in (folder.path / "out").iterdir()} == before
    assert folder.open().export()[0].records == 24


# -- a folder that cannot be written


def unwritable(path: Path, how: str) -> None:
    """Put something in the way where even root cannot write."""
    if how == "a file":
        path.write_text("somebody's notes")
    else:
        path.symlink_to("/proc/self/fdinfo")  # a folder in which nobody can make anything


@pytest.mark.parametrize("how", ["a file", "a read-only folder"])
@pytest.mark.parametrize("command", ["push", "pull", "doctor"])
def test_a_folder_that_cannot_be_written_stops_every_command_before_the_first_request(
    new_folder: Callable[[], Folder], how: str, command: str
) -> None:
    folder = new_folder()
    unwritable(folder.path / ".annobridge", how)
    error = caught(StoreError, getattr(folder.open(), command))
    assert error is not None
    assert_named(error, folder)
    assert "writable" in error.remedy
    assert folder.log.events == []
    (folder.path / ".annobridge").unlink()
    folder.open().push()
    assert folder.copies() == dict.fromkeys(KEYS, 1)


@pytest.mark.parametrize("how", ["a file", "a read-only folder"])
def test_results_that_cannot_be_written_stop_a_push_before_the_first_request(
    new_folder: Callable[[], Folder], how: str
) -> None:
    folder = new_folder()
    unwritable(folder.path / "out", how)
    error = caught(StoreError, folder.open().push)
    assert error is not None
    assert_named(error, folder)
    assert folder.log.events == []


# -- the ledger


@pytest.fixture
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who finds the ledger locked waits for a tenth of a second instead of ten."""
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *args, **options: connect(*args, **{**options, "timeout": 0.1}))


@contextmanager
def locked(ledger: Path) -> Iterator[None]:
    """Another process writes to the ledger and takes its time."""
    holding = (
        "import sqlite3, sys; ledger = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "ledger.execute('BEGIN IMMEDIATE'); print('held', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", holding, str(ledger)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    process.stdout.readline()
    try:
        yield
    finally:
        process.communicate("")


@pytest.mark.usefixtures("_short_waits")
@pytest.mark.parametrize("command", ["push", "pull", "plan", "doctor"])
def test_a_locked_ledger_stops_every_command_before_the_first_request(
    new_folder: Callable[[], Folder], command: str
) -> None:
    folder = new_folder()
    folder.open().push()
    folder.log.events.clear()
    with locked(folder.ledger):
        error = caught(StoreError, getattr(folder.open(), command))
    assert error is not None
    assert_named(error, folder)
    assert "wait until it is done" in error.remedy
    assert folder.log.events in ([], ["failed"])
    assert folder.open().push().sent == 0


@pytest.mark.usefixtures("_short_waits")
def test_a_ledger_that_is_locked_in_the_middle_of_a_push_stops_it_before_the_next_request(
    new_folder: Callable[[], Folder],
) -> None:
    folder = new_folder()
    with closing(sqlite3.connect(":memory:")) as nobody:
        other = [nobody]

        def lock(number: int) -> None:
            if number == 3:
                other.append(sqlite3.connect(folder.ledger, isolation_level=None))
                other[1].execute("BEGIN IMMEDIATE")

        folder.log.before_write = lock
        error = caught(StoreError, folder.open().push)
        other[1].close()
    assert error is not None
    assert_named(error, folder)
    assert folder.log.events.count("write") == 3
    assert folder.log.after_failure() == []
    folder.log.before_write = lambda number: None
    folder.open().push()
    assert folder.copies() == dict.fromkeys(KEYS, 1)


def damage_overwritten(ledger: Path) -> None:
    ledger.write_bytes(b"\0garbage" * 1000)


def damage_cut(ledger: Path) -> None:
    ledger.write_bytes(ledger.read_bytes()[: ledger.stat().st_size // 2])


def damage_newer(ledger: Path) -> None:
    with closing(sqlite3.connect(ledger)) as database:
        database.execute("PRAGMA user_version = 99")


@pytest.mark.parametrize("damage", [damage_overwritten, damage_cut, damage_newer])
@pytest.mark.parametrize("command", ["push", "pull", "plan", "doctor"])
def test_a_ledger_that_cannot_be_used_stops_every_command_before_the_first_request(
    new_folder: Callable[[], Folder], command: str, damage: Callable[[Path], None]
) -> None:
    folder = new_folder()
    folder.open().push()
    answer(folder, KEYS[:12], 5)
    folder.open().pull()
    damage(folder.ledger)
    damaged = folder.ledger.read_bytes()
    folder.log.events.clear()
    error = caught(LedgerError, getattr(folder.open(), command))
    assert error is not None
    assert_named(error, folder)
    assert "annobridge doctor --rebuild" in error.remedy
    assert folder.log.events in ([], ["failed"])
    assert folder.ledger.read_bytes() == damaged, "it is left alone"

    assert folder.open().doctor(rebuild=True).healthy
    answer(folder, KEYS[12:], 5)
    assert folder.open().push().sent == 0
    folder.open().pull()
    assert folder.answers() == {key: {"rating": 5} for key in KEYS}
    assert len(folder.open().annotations(history=True)) == 24, "each once"
    assert folder.copies() == dict.fromkeys(KEYS, 1)


# -- clocks


@pytest.mark.parametrize("years", [-YEARS, YEARS])
def test_a_push_that_broke_off_under_a_wrong_clock_is_made_whole_under_a_right_one(
    new_folder: Callable[[], Folder], years: float
) -> None:
    folder = new_folder()
    right = folder.clock.now

    def die(number: int) -> None:
        if number == 3:
            raise KeyboardInterrupt

    folder.clock.now += years
    folder.log.before_write = die
    with pytest.raises(KeyboardInterrupt):
        folder.open().push()
    folder.log.before_write = lambda number: None
    folder.clock.now = right
    assert folder.open().push().complete is False, "the bad row"
    assert sum(folder.clock.slept) <= 60, "nobody waits for years"
    assert folder.copies() == dict.fromkeys(KEYS, 1)


@pytest.mark.parametrize("years", [-YEARS, YEARS])
def test_a_lease_that_was_taken_by_a_wrong_clock_locks_nobody_out(
    new_folder: Callable[[], Folder], years: float
) -> None:
    folder = new_folder()
    wrong = TestClock(folder.clock.now + years)
    ledger = Ledger(folder.ledger, clock=wrong)
    with ledger.transaction() as database:
        lease = (1, "token", "another machine", 7, "", "push", wrong.now, wrong.now)
        database.execute("INSERT INTO lease VALUES (?, ?, ?, ?, ?, ?, ?, ?)", lease)
    ledger.close()
    assert folder.open().push().sent == 24


@pytest.mark.parametrize("years", [-YEARS, YEARS])
def test_a_clock_that_is_years_off_costs_no_answer(new_folder: Callable[[], Folder], years: float) -> None:
    folder = new_folder()
    folder.open().push()
    answer(folder, KEYS[:8], 5)
    folder.open().pull()
    folder.clock.now += years
    answer(folder, KEYS[8:16], 5)
    assert folder.open().push().sent == 0
    folder.open().pull()
    folder.open().status()
    folder.clock.now -= years
    answer(folder, KEYS[16:], 5)
    folder.open().pull()
    assert folder.answers() == {key: {"rating": 5} for key in KEYS}
    assert len(folder.open().annotations(history=True)) == 24, "each once"


@pytest.mark.parametrize("cursor", ["9999-01-01T00:00:00.000000Z", "2999-01-01T00:00:00Z", "1970-01-01T00:00:00Z"])
def test_a_cursor_of_another_time_is_not_believed(new_folder: Callable[[], Folder], cursor: str) -> None:
    folder = new_folder()
    folder.open().push()
    answer(folder, KEYS[:8], 5)
    folder.open().pull()
    with closing(sqlite3.connect(folder.ledger)) as ledger, ledger:
        ledger.execute("UPDATE projects SET cursor = ?", (cursor,))
    answer(folder, KEYS[8:], 5)
    result = folder.open().pull()
    assert (result.full, result.changes.new) == (True, 16)
