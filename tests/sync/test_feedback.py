"""The feedback store: append-only, safe on the disk before anything counts on it, and honest about damage."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bridge
from bridge.annotations import Annotation, newest
from bridge.errors import StoreError
from bridge.sync.feedback import Changes, Feedback
from bridge.sync.ledger import Ledger


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".annobridge" / "feedback.jsonl"


def answer(rating: int = 4, *, record: str = "r1", person: str = "a-1", number: str = "1", at: int = 1) -> Annotation:
    return Annotation(
        record,
        person,
        answers={"rating": rating, "note": "Zürich 😀\n\u2028"},
        updated_at=f"2026-01-{at:02}T00:00:00.000000Z",
        source={"server": "memory", "project": "p", "task": "t1", "id": number},
    )


def see(store: Feedback, *annotations: Annotation, record: str = "r1") -> Changes:
    """What a pull does: compare what the server holds for one record, and store the difference."""
    changes, lines = store.update(record, "t1", annotations)
    store.append(lines)
    return changes


# -- what becomes of answers


def test_a_new_answer_is_stored_and_found_again(path: Path) -> None:
    assert see(Feedback(path), answer()) == Changes(new=1)
    assert Feedback(path).history == [answer()]


def test_the_same_answer_again_writes_nothing(path: Path) -> None:
    see(Feedback(path), answer())
    before = path.read_bytes()
    assert see(Feedback(path), answer()) == Changes(unchanged=1)
    assert path.read_bytes() == before


def test_an_edited_answer_is_a_new_revision_and_the_old_one_stays(path: Path) -> None:
    store = Feedback(path)
    see(store, answer(2))
    assert see(store, answer(5, at=2)) == Changes(edited=1)
    assert [(a.revision, a.answers["rating"]) for a in Feedback(path).history] == [(1, 2), (2, 5)]


def test_a_skip_of_an_answered_record_is_an_edit(path: Path) -> None:
    store = Feedback(path)
    see(store, answer())
    assert see(store, replace(answer(at=2), status="discarded", answers={})) == Changes(edited=1)


def test_a_withdrawn_answer_is_marked_and_keeps_what_it_said(path: Path) -> None:
    store = Feedback(path)
    see(store, answer(2))
    assert see(store) == Changes(withdrawn=1)
    last = Feedback(path).history[-1]
    assert (last.deleted, last.revision, last.answers["rating"]) == (True, 2, 2)


def test_a_withdrawal_is_counted_once(path: Path) -> None:
    see(Feedback(path), answer())
    see(Feedback(path))
    assert see(Feedback(path)) == Changes()


def test_an_answer_that_comes_back_is_live_again(path: Path) -> None:
    store = Feedback(path)
    see(store, answer(2))
    see(store)
    assert see(store, answer(2)) == Changes(edited=1)
    assert [(a.revision, a.deleted) for a in Feedback(path).history] == [(1, False), (2, True), (3, False)]
    assert [a.deleted for a in newest(Feedback(path).history)] == [False]


def test_two_answers_of_one_person_are_two(path: Path) -> None:
    store = Feedback(path)
    assert see(store, answer(2, number="1"), answer(5, number="2", at=2)) == Changes(new=2)
    assert see(store, answer(2, number="1")) == Changes(unchanged=1, withdrawn=1)
    assert [a.answers["rating"] for a in newest(store.history)] == [2]


def test_two_people_do_not_disturb_each_other(path: Path) -> None:
    store = Feedback(path)
    see(store, answer(2), answer(5, person="a-2", number="2"))
    assert see(store, answer(3, at=2), answer(5, person="a-2", number="2")) == Changes(edited=1, unchanged=1)


def test_a_record_that_vanished_from_the_server_is_missed_once(path: Path) -> None:
    store = Feedback(path)
    see(store, answer())
    assert store.missing(set(), "p") == [("r1", "t1")]
    assert store.missing({("r1", "t1")}, "p") == []
    assert store.missing(set(), "another project") == []
    see(store)
    assert store.missing(set(), "p") == []


STEPS = st.lists(st.dictionaries(st.sampled_from("123"), st.integers(1, 3), max_size=3), max_size=6)


@given(STEPS)
def test_whatever_people_do_the_store_ends_like_the_server(
    tmp_path_factory: pytest.TempPathFactory, steps: list[dict[str, int]]
) -> None:
    path = tmp_path_factory.mktemp("feedback") / "feedback.jsonl"
    total = Changes()
    for day, step in enumerate(steps, 1):
        total.add(see(Feedback(path), *(answer(rating, number=n, at=day) for n, rating in step.items())))
    store = Feedback(path)
    live = {a.source["id"]: a for a in store.history}  # the last line of each answer
    held = {number: a.answers["rating"] for number, a in live.items() if not a.deleted}
    assert held == (steps[-1] if steps else {})
    assert len(store.history) == total.new + total.edited + total.withdrawn
    for number in live:
        revisions = [a.revision for a in store.history if a.source["id"] == number]
        assert revisions == list(range(1, len(revisions) + 1))


# -- damage


def test_no_file_is_no_answers(path: Path) -> None:
    assert Feedback(path).history == []
    assert not path.exists()


def test_an_empty_file_is_no_answers(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    assert Feedback(path).history == []


def test_a_torn_last_line_is_cut_off_by_the_next_pull(path: Path) -> None:
    store = Feedback(path)
    see(store, answer(2))
    whole = path.read_bytes()
    see(store, answer(2), answer(5, person="a-2", number="2"))
    complete = path.read_bytes()
    for cut in range(len(whole), len(complete)):
        path.write_bytes(complete[:cut])
        torn = Feedback(path)
        assert torn.history == [answer(2)]
        assert see(torn, answer(2), answer(5, person="a-2", number="2")) == Changes(new=1, unchanged=1)
        assert path.read_bytes() == complete


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"not json",
        b"{}",
        b"[]",
        b"5",
        b"null",
        b'{"record": "r1"}',
        b'{"record": "r1", "annotator": "a", "revision": "x"}',
        b'{"record": "r1", "annotator": "a", "source": {"id": ["x"]}}',
        b"\xff\xfe",
        b"\0\0\0\0",
    ],
)
def test_a_damaged_line_in_the_middle_is_named_and_nothing_is_overwritten(path: Path, line: bytes) -> None:
    store = Feedback(path)
    see(store, answer(2))
    see(store, answer(3, at=2))
    first, second, _ = path.read_bytes().split(b"\n")
    damaged = b"\n".join([first, line, second, b""])
    path.write_bytes(damaged)
    with pytest.raises(StoreError) as caught:
        Feedback(path)
    assert caught.value.reason == f"{path}:2: the line is damaged"
    assert "annobridge pull --full" in caught.value.remedy
    assert path.read_bytes() == damaged


def test_a_folder_in_its_place_is_an_error(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(StoreError, match="Is a directory"):
        Feedback(path)


# -- a disk that fails


@pytest.fixture
def stored(path: Path) -> Path:
    see(Feedback(path), answer(2))
    return path


@pytest.mark.parametrize("failing", ["fsync", "open"])
def test_a_full_disk_leaves_the_store_as_it_was(stored: Path, monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    def full(*args: Any, **kwargs: Any) -> Any:
        raise OSError(28, "No space left on device")

    before = stored.read_bytes()
    store = Feedback(stored)
    with monkeypatch.context() as patch:
        patch.setattr(*((os, "fsync") if failing == "fsync" else ("builtins.open",)), full)
        with pytest.raises(StoreError) as caught:
            see(store, answer(3, at=2))
    assert caught.value.reason == f"{stored}: No space left on device; the answers are safe on the server"
    assert "annobridge pull" in caught.value.remedy
    assert store.history == [answer(2)]
    assert stored.read_bytes() == before
    assert see(store, answer(3, at=2)) == Changes(edited=1)
    assert len(Feedback(stored).history) == 2


def test_a_disk_that_fills_up_in_the_middle_of_a_line_loses_nothing(stored: Path) -> None:
    # A real limit on the file's size, so that a part of the line really is written.
    program = f"""
import resource, signal
from dataclasses import replace
from pathlib import Path
from bridge.errors import StoreError
from bridge.sync.feedback import Feedback
path = Path({str(stored)!r})
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 50, path.stat().st_size + 50))
store = Feedback(path)
new = replace(store.history[0], revision=2, answers={{"note": "x" * 100_000}})
try:
    store.append([new])
except StoreError as error:
    print(error.reason)
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(bridge.__file__).parent.parent)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == f"{stored}: File too large; the answers are safe on the server\n"
    assert Feedback(stored).history == [answer(2)]
    assert see(Feedback(stored), answer(3, at=2)) == Changes(edited=1)
    assert [a.revision for a in Feedback(stored).history] == [1, 2]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    blocked = tmp_path / "a file"
    blocked.touch()
    store = Feedback(blocked.parent / "x" / "feedback.jsonl")
    (tmp_path / "x").touch()
    with pytest.raises(StoreError) as caught:
        see(store, answer())
    assert str(tmp_path / "x" / "feedback.jsonl") in caught.value.reason
    assert store.history == []


def test_answers_are_on_the_disk_before_append_returns(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[bytes] = []

    def fsync(descriptor: int) -> None:
        synced.append(path.read_bytes())

    monkeypatch.setattr(os, "fsync", fsync)
    see(Feedback(path), answer())
    assert synced[0] == path.read_bytes() != b""


def test_nothing_to_append_touches_no_file(path: Path) -> None:
    Feedback(path).append([])
    assert not path.exists()


def test_lines_that_come_back_as_they_were_are_known_even_where_a_crash_lost_their_index(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.parent.mkdir()
    with closing(Ledger(path.with_name("ledger.db"))) as ledger:
        see(Feedback(path, ledger=ledger), answer())
        path.rename(path.with_name("old"))
        store = Feedback(path, ledger=ledger)  # the file is another one, so its index is dropped
        monkeypatch.setattr(store, "_remember", lambda *_: None)
        see(store, answer())  # and the process dies before the new one is written
        assert path.read_bytes() == path.with_name("old").read_bytes()
        assert see(Feedback(path, ledger=ledger), answer()) == Changes(unchanged=1)
