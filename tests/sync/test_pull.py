"""Pull: every person's answers come into the store, each once, and a sweep that breaks off claims nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.annotations import Annotation, newest
from bridge.errors import StoreError, UnexpectedReply
from bridge.records import Record
from bridge.servers.memory import MemoryServer
from bridge.servers.protocol import Answered, Page, Project
from bridge.sync.feedback import Feedback
from bridge.sync.people import People
from bridge.sync.pull import PullResult, pull
from bridge.sync.push import push
from bridge.templates import load_template

PROJECT = Project("Demo", load_template("rating"))


@pytest.fixture
def server() -> MemoryServer:
    server = MemoryServer()
    push(server, PROJECT, [Record(f"r{n}", {"prompt": f"{n}?", "response": "x"}) for n in range(5)])
    return server


class Store:
    """A campaign's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cursor = ""

    @property
    def feedback(self) -> Feedback:
        return Feedback(self.folder / "feedback.jsonl")

    def pull(self, server: MemoryServer, *, full: bool = False) -> PullResult:
        people = People(self.folder)
        result = pull(server, "Demo", self.feedback, people, cursor="" if full else self.cursor)
        self.cursor = result.cursor
        return result

    def counts(self, server: MemoryServer, *, full: bool = False) -> tuple[int, int, int, int]:
        changes = self.pull(server, full=full).changes
        return changes.new, changes.edited, changes.withdrawn, changes.unchanged


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def test_nothing_answered_is_nothing_pulled(server: MemoryServer, store: Store) -> None:
    assert store.pull(server).to_dict() == {
        "full": True,
        "new": 0,
        "edited": 0,
        "withdrawn": 0,
        "unchanged": 0,
        "records_changed": 0,
        "problems": 0,
        "note": "",
        "gone": [],
        "exported": [],
        "adjudication": None,
    }


def test_everybodys_answers_come(server: MemoryServer, store: Store) -> None:
    server.annotate("r0", "ann", {"rating": 2})
    server.annotate("r0", "bo", {"rating": 5})
    server.annotate("r1", "ann", {"rating": 3})
    result = store.pull(server)
    assert (result.changes.new, sorted(result.records)) == (3, ["r0", "r1"])
    assert sorted((a.record, a.answers["rating"]) for a in store.feedback.history) == [("r0", 2), ("r0", 5), ("r1", 3)]


def test_names_become_pseudonyms_before_anything_is_stored(server: MemoryServer, store: Store) -> None:
    server.annotate("r0", "ann.surname@example.org", {"rating": 2})
    store.pull(server)
    assert "surname" not in (store.folder / "feedback.jsonl").read_text()
    (annotation,) = store.feedback.history
    assert People(store.folder).names == {annotation.annotator: "ann.surname@example.org"}


def test_a_second_pull_of_nothing_new_stores_nothing(server: MemoryServer, store: Store) -> None:
    server.annotate("r0", "ann", {"rating": 2})
    store.pull(server)
    before = (store.folder / "feedback.jsonl").read_bytes()
    assert store.counts(server) == (0, 0, 0, 1)
    assert store.counts(server, full=True) == (0, 0, 0, 1)
    assert (store.folder / "feedback.jsonl").read_bytes() == before


def test_a_pull_costs_what_changed(server: MemoryServer, store: Store) -> None:
    for n in range(5):
        server.annotate(f"r{n}", "ann", {"rating": 2})
    store.pull(server)
    server.annotate("r4", "ann", {"rating": 3})
    result = store.pull(server)
    assert (result.full, result.changes.edited, result.records) == (False, 1, ["r4"])
    assert result.changes.unchanged < 4


def test_edits_withdrawals_and_revivals_are_revisions(server: MemoryServer, store: Store) -> None:
    server.annotate("r0", "ann", {"rating": 2})
    assert store.counts(server) == (1, 0, 0, 0)
    server.annotate("r0", "ann", {"rating": 5})
    assert store.counts(server) == (0, 1, 0, 0)
    server.withdraw("r0", "ann")
    assert store.counts(server) == (0, 0, 1, 0)
    server.annotate("r0", "ann", {"rating": 1})
    assert store.counts(server) == (0, 1, 0, 0)
    assert [(a.revision, a.answers["rating"], a.deleted) for a in store.feedback.history] == [
        (1, 2, False),
        (2, 5, False),
        (3, 5, True),
        (4, 1, False),
    ]


def test_a_full_sweep_finds_what_a_cursor_missed(server: MemoryServer, store: Store) -> None:
    server.annotate("r0", "ann", {"rating": 2})
    store.pull(server)
    server.withdraw("r0", "ann")
    store.cursor = "9999-01-01T00:00:00.000000Z"
    assert store.counts(server, full=True) == (0, 0, 1, 0)
    assert store.counts(server, full=True) == (0, 0, 0, 0)


def test_a_skip_is_stored_without_answers(server: MemoryServer, store: Store) -> None:
    server.annotate("r0", "ann", {"rating": 2}, status="discarded")
    store.pull(server)
    assert [(a.status, a.answers) for a in store.feedback.history] == [("discarded", {})]


def test_answers_of_another_project_are_not_taken_for_withdrawn(server: MemoryServer, store: Store) -> None:
    server.annotate("r0", "ann", {"rating": 2})
    store.pull(server)
    other = MemoryServer()
    push(other, Project("Other", PROJECT.template), [])
    result = pull(other, "Other", store.feedback, People(store.folder))
    assert result.changes.withdrawn == 0


# -- sweeps that break off


class Pages(MemoryServer):
    """A server that gives these pages, and then breaks off or not."""

    def __init__(self, pages: list[Page], error: Exception | None = None) -> None:
        super().__init__()
        self.pages, self.error = pages, error

    def changes(self, cursor: str = "") -> Iterator[Page]:
        yield from self.pages
        if self.error:
            raise self.error


def page(record: str, rating: int, cursor: str, *, at: int = 1) -> Page:
    source = {"server": "memory", "project": "Demo", "task": record, "id": f"{record}/ann"}
    annotation = Annotation(
        record, "ann", answers={"rating": rating}, updated_at=f"2026-01-{at:02}T00:00:00.000000Z", source=source
    )
    return Page([Answered(record, record, (annotation,))], cursor)


def test_a_sweep_that_breaks_off_withdraws_nothing_and_keeps_what_came(server: MemoryServer, store: Store) -> None:
    store.pull(Pages([page("r0", 2, "c1"), page("r1", 3, "c2")]))
    broken = Pages([page("r0", 5, "c3", at=2)], UnexpectedReply("broken off", remedy="again"))
    store.cursor = ""
    with pytest.raises(UnexpectedReply):
        store.pull(broken)
    assert store.cursor == ""
    live = {a.record: a.answers["rating"] for a in newest(store.feedback.history) if not a.deleted}
    assert live == {"r0": 5, "r1": 3}


def test_after_a_broken_sweep_the_next_one_completes_it(store: Store) -> None:
    pages = [page("r0", 2, "c1"), page("r1", 3, "c2")]
    with pytest.raises(UnexpectedReply):
        store.pull(Pages(pages[:1], UnexpectedReply("broken off", remedy="again")))
    assert store.counts(Pages(pages)) == (1, 0, 0, 1)
    assert store.cursor == "c2"


def test_a_record_that_comes_twice_in_one_sweep_is_stored_once(store: Store) -> None:
    assert store.counts(Pages([page("r0", 2, "c1"), page("r0", 2, "c2")])) == (1, 0, 0, 1)


def test_the_cursor_never_goes_back(store: Store) -> None:
    store.pull(Pages([page("r0", 2, "c5"), page("r1", 2, "c3")]))
    assert store.cursor == "c5"


def test_a_page_is_stored_before_the_next_is_asked_for(store: Store) -> None:
    seen: list[int] = []

    class Watching(Pages):
        def changes(self, cursor: str = "") -> Iterator[Page]:
            for one in self.pages:
                seen.append(len(store.feedback.history))
                yield one

    store.pull(Watching([page(f"r{n}", n, f"c{n}") for n in range(1, 4)]))
    assert seen == [0, 1, 2]


def test_a_full_disk_stops_the_sweep(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    class Watching(Pages):
        def changes(self, cursor: str = "") -> Iterator[Page]:
            for one in self.pages:
                asked.append(one.cursor)
                yield one

    def full(self: Feedback, lines: list[Annotation]) -> None:
        raise StoreError("full", remedy="make room")

    monkeypatch.setattr(Feedback, "append", full)
    with pytest.raises(StoreError):
        store.pull(Watching([page("r1", 1, "c1"), page("r2", 2, "c2")]))
    assert asked == ["c1"]
    assert store.cursor == ""


def test_an_answer_whose_time_alone_moved_is_a_revision(store: Store) -> None:
    store.pull(Pages([page("r0", 2, "c1", at=1)]))
    assert store.counts(Pages([page("r0", 2, "c2", at=2)])) == (0, 1, 0, 0)


def test_two_answers_of_one_person_to_one_record_are_both_kept(store: Store) -> None:
    one = page("r0", 2, "c1").records[0].annotations[0]
    two = replace(
        one, answers={"rating": 5}, updated_at="2026-01-02T00:00:00.000000Z", source={**one.source, "id": "second"}
    )
    store.pull(Pages([Page([Answered("r0", "r0", (one, two))], "c1")]))
    assert len(store.feedback.history) == 2
    assert [a.answers for a in newest(store.feedback.history)] == [{"rating": 5}]
