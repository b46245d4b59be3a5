"""What is on the server: listing it, changing its texts, taking it away."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime

import pytest

from bridge.annotations import Annotation
from bridge.merging import merge
from bridge.records import Record, Suggestion, record_key
from bridge.servers.memory import MemoryServer
from bridge.servers.protocol import Project, Remote, Server
from bridge.sync.push import push
from bridge.templates import load_template
from tests.contract.conftest import Backend
from tests.contract.test_server import answers_by_key
from tests.waiting import eventually

RATING = load_template("rating")


def record(key: str = "r", text: str = "2 + 2?", rating: int = 3) -> Record:
    return Record(key, {"prompt": text, "response": "4"}, [Suggestion("rating", rating)])


OLD, NEW = record(), record(text="3 + 3?", rating=1)


def listed(server: Server) -> dict[str, list[Remote]]:
    found: dict[str, list[Remote]] = {}
    for page in server.listing():
        for key, remote in page:
            found.setdefault(key, []).append(remote)
    return found


@pytest.fixture
def project(title: str) -> Project:
    return Project(title, RATING)


@pytest.fixture
def server(backend: Backend, project: Project) -> Server:
    connection = backend.connect()
    connection.ensure(project, create=True)
    return connection


class TestProject:
    def test_it_says_when_it_was_made_whoever_asks(self, backend: Backend, project: Project) -> None:
        made = backend.connect().ensure(project, create=True)
        found = [backend.connect().ensure(project, create=create) for create in (True, False)]
        assert [made.born] * 2 == [remote.born for remote in found]

    def test_another_was_made_at_another_time(self, backend: Backend, project: Project) -> None:
        other = Project(f"{project.title} too", RATING)
        first, second = (backend.connect().ensure(wanted, create=True).born for wanted in (project, other))
        assert first < second

    def test_memory_servers_of_one_moment_are_told_apart(self, project: Project) -> None:
        made = [
            MemoryServer(clock=lambda: datetime(2026, 1, 1, tzinfo=UTC)).ensure(project, create=True) for _ in range(2)
        ]
        assert made[0].born != made[1].born


class TestListing:
    def test_an_empty_project_has_nothing(self, server: Server) -> None:
        assert listed(server) == {}

    def test_it_says_of_every_record_what_find_says(self, backend: Backend, server: Server, project: Project) -> None:
        records = [record("plain"), record("odd/key %25 😀"), Record(fields={"prompt": "p", "response": "r"})]
        server.write(records)
        backend.person("ann", project).annotate("plain", {"rating": 2})
        found = listed(server)
        assert found == server.find([one.key for one in records])
        assert {key: (remote.suggestions, remote.annotations) for key, (remote,) in found.items()} == {
            "plain": (1, 1),
            "odd/key %25 😀": (1, 0),
            records[2].key: (0, 0),
        }
        assert [found[one.key][0].content for one in records] == [record_key(one.fields) for one in records]


class TestUpdate:
    def test_records_show_their_new_text_and_suggestions(self, server: Server) -> None:
        server.write([OLD, record("other")])
        before = server.find(["other"])
        (outcome,) = server.update([NEW])
        (remote,) = server.find(["r"])["r"]
        assert (outcome.result, outcome.remote_id, remote.content) == ("accepted", remote.id, record_key(NEW.fields))
        assert remote.suggestions == 1
        assert server.find(["other"]) == before

    def test_suggestions_for_the_old_text_are_gone(self, server: Server) -> None:
        server.write([OLD])
        server.update([Record("r", NEW.fields)])
        assert server.find(["r"])["r"][0].suggestions == 0

    def test_an_answer_to_the_old_text_counts_for_nothing_until_the_person_looks_again(
        self, backend: Backend, server: Server, project: Project
    ) -> None:
        server.write([OLD])
        ann = backend.person("ann", project)
        answer = ann.annotate("r", {"rating": 2})
        server.update([NEW])
        (annotation,) = answers_by_key(server)["r"]
        assert annotation.source["content"].startswith("before 20")
        assert why_dropped(annotation) == ["changed"]
        ratings = itertools.cycle([4, 5])  # one server takes the same answer for no change

        def answered_anew() -> bool:
            ann.change(answer, {"rating": next(ratings)})
            return why_dropped(*answers_by_key(server)["r"]) == []

        # A moment after the change still counts as before it: nobody can tell what was on the page then.
        eventually(answered_anew)

    def test_a_text_that_comes_back_does_not_bring_its_answers_back(
        self, backend: Backend, server: Server, project: Project
    ) -> None:
        server.write([OLD])
        backend.person("ann", project).annotate("r", {"rating": 2})
        server.update([NEW])
        server.update([OLD])
        assert why_dropped(*answers_by_key(server)["r"], shown=OLD) == ["changed"]

    def test_the_same_again_changes_nothing(self, backend: Backend, server: Server, project: Project) -> None:
        server.write([OLD])
        ann = backend.person("ann", project)
        server.update([NEW])
        ann.annotate("r", {"rating": 2})
        before = server.find(["r"]), answers_by_key(server)
        assert [outcome.result for outcome in server.update([NEW])] == ["accepted"]
        assert (server.find(["r"]), answers_by_key(server)) == before

    def test_a_double_shows_the_new_text_wherever_it_is(self, server: Server) -> None:
        server.write([OLD])
        server.write([OLD])
        server.update([NEW])
        remotes = server.find(["r"])["r"]
        assert {(remote.content, remote.suggestions) for remote in remotes} == {(record_key(NEW.fields), 1)}
        assert len(remotes) == (1 if server.capabilities.unique_keys else 2)

    def test_what_is_not_there_is_rejected_and_not_made(self, server: Server) -> None:
        server.write([OLD])
        outcomes = server.update([record("nowhere"), NEW])
        assert [(outcome.key, outcome.result) for outcome in outcomes] == [("nowhere", "rejected"), ("r", "accepted")]
        assert list(listed(server)) == ["r"]

    def test_a_key_that_is_the_hash_of_its_text_cannot_have_another(self, server: Server) -> None:
        hashed = Record(fields=OLD.fields)
        server.write([hashed])
        (outcome,) = server.update([hashed])
        assert (outcome.result, "hash" in outcome.reason, bool(outcome.remedy)) == ("rejected", True, True)

    def test_nothing_to_change_is_nothing_to_do(self, server: Server) -> None:
        assert server.update([]) == []


def why_dropped(*annotations: Annotation, shown: Record = NEW) -> list[str]:
    return [case.reason for case in merge(annotations, RATING, [shown]).dropped]


class TestRemove:
    def test_what_nobody_answered_is_gone(self, server: Server) -> None:
        server.write([record("a"), record("b"), record("c")])
        found = server.find(["a", "b"])
        assert server.remove(remote.id for (remote,) in found.values()) == 2
        assert list(listed(server)) == ["c"]
        assert server.progress().records == 1

    def test_what_is_gone_cannot_be_removed_again_and_can_be_written_again(self, server: Server) -> None:
        server.write([record("a"), record("b")])
        (remote,) = server.find(["a"])["a"]
        assert [server.remove([remote.id]) for _ in range(2)] == [1, 0]
        assert server.write([record("a")])[0].result == "accepted"
        assert sorted(listed(server)) == ["a", "b"]

    def test_answers_and_skips_hold_their_record(self, backend: Backend, server: Server, project: Project) -> None:
        server.write([record("answered"), record("skipped"), record("free")])
        ann = backend.person("ann", project)
        ann.annotate("answered", {"rating": 2})
        ann.annotate("skipped", {}, status="discarded")
        ids = [remote.id for (remote,) in server.find(["answered", "skipped", "free"]).values()]
        assert server.remove(ids) == 1
        assert sorted(listed(server)) == ["answered", "skipped"]
        assert {key: len(answers) for key, answers in answers_by_key(server).items()} == {"answered": 1, "skipped": 1}

    def test_an_answer_that_was_begun_holds_its_record(
        self, backend: Backend, server: Server, project: Project
    ) -> None:
        if server.capabilities.drafts:
            server.write([record("begun")])
            backend.person("ann", project).annotate("begun", {"rating": 2}, status="draft")
            assert server.remove([server.find(["begun"])["begun"][0].id]) == 0

    def test_of_a_double_the_empty_twin_can_go(self, backend: Backend, server: Server, project: Project) -> None:
        server.write([OLD])
        server.write([OLD])
        backend.person("ann", project).annotate("r", {"rating": 2})
        removed = server.remove([remote.id for remote in server.find(["r"])["r"]])
        assert removed == (0 if server.capabilities.unique_keys else 1)
        (left,) = server.find(["r"])["r"]
        assert left.annotations == 1

    def test_pulls_go_on_as_before(self, backend: Backend, server: Server, project: Project) -> None:
        push(server, project, [record("answered"), record("withdrawn")])
        ann = backend.person("ann", project)
        ann.annotate("answered", {"rating": 2})
        gone = ann.annotate("withdrawn", {"rating": 2})
        cursor = max(page.cursor for page in server.changes())
        ann.withdraw(gone)
        server.remove([server.find(["withdrawn"])["withdrawn"][0].id])
        again = backend.connect()
        again.ensure(project, create=False)
        assert "withdrawn" not in answers_by_key(again, cursor)
        assert list(answers_by_key(again)) == ["answered"]
