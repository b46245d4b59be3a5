"""Where servers differ: each rule on the real server, and on the memory server that follows its rules."""

from __future__ import annotations

import pytest

from bridge.errors import Refused
from bridge.records import Record, Suggestion
from bridge.servers.protocol import Project
from bridge.sync.push import push
from bridge.templates import load_template
from tests.contract.conftest import Backend

RATING = load_template("rating")


def record(text: str = "2 + 2?") -> Record:
    return Record("r", {"prompt": text, "response": "4"}, [Suggestion("rating", 3)])


@pytest.fixture
def project(title: str) -> Project:
    return Project(title, RATING)


def test_a_second_write_of_a_key_is_refused_doubled_or_replaced(
    backend: Backend, backend_name: str, project: Project
) -> None:
    server = backend.connect()
    server.ensure(project, create=True)
    server.write([record()])
    (outcome,) = server.write([record("3 + 3?")])
    found = server.find(["r"])["r"]
    result = outcome.result, len(found), {remote.content == record().key for remote in found}
    like = backend_name.removeprefix("memory like ")
    assert (outcome.result, len(found)) == {
        "memory": ("rejected", 1),
        "label-studio": ("accepted", 2),
        "argilla": ("accepted", 1),
    }[like], result
    if like == "argilla":
        assert found[0].content == Record("", record("3 + 3?").fields).key


def test_unique_keys_are_declared_where_a_key_cannot_double(backend: Backend, project: Project) -> None:
    server = backend.connect()
    server.ensure(project, create=True)
    server.write([record()])
    server.write([record()])
    assert (len(server.find(["r"])["r"]) == 1) is server.capabilities.unique_keys


def test_one_person_answers_a_record_once_or_any_number_of_times(
    backend: Backend, backend_name: str, project: Project
) -> None:
    server = backend.connect()
    push(server, project, [record()])
    ann = backend.person("ann", project)
    ann.annotate("r", {"rating": 2})
    if backend_name.endswith("argilla"):
        with pytest.raises(Refused):
            ann.annotate("r", {"rating": 5})
    else:
        ann.annotate("r", {"rating": 5})
    given = [a.answers["rating"] for page in server.changes() for found in page.records for a in found.annotations]
    assert sorted(given) == ([2] if backend_name.endswith("argilla") else [2, 5])  # type: ignore[type-var]


def test_a_server_that_cannot_list_changes_lists_nothing_or_everything(backend: Backend, project: Project) -> None:
    push(backend.connect(), project, [Record(f"r{n}", {"prompt": str(n), "response": "4"}) for n in range(3)])
    ann = backend.person("ann", project)
    ann.annotate("r0", {"rating": 2})
    server = backend.connect()
    server.ensure(project, create=False)
    cursor = max(page.cursor for page in server.changes())
    server = backend.connect()
    server.ensure(project, create=False)
    quiet = [found.key for page in server.changes(cursor) for found in page.records]
    ann.annotate("r1", {"rating": 2})
    server = backend.connect()
    server.ensure(project, create=False)
    after = {found.key for page in server.changes(cursor) for found in page.records}
    if server.capabilities.incremental:
        assert "r1" in after  # others too: the last minute is read again, in case its answers were not all there yet
    else:
        assert quiet == []
        assert after == {"r0", "r1", "r2"}


def test_finding_a_project_counts_its_records_where_that_costs_nothing(
    backend: Backend, backend_name: str, project: Project
) -> None:
    assert backend.connect().ensure(project, create=True).records == 0
    backend.connect().ensure(project, create=True)
    server = backend.connect()
    server.ensure(project, create=True)
    server.write([record()])
    assert backend.connect().ensure(project, create=True).records == 1
    found = backend.connect().ensure(project, create=False).records
    assert found == (None if backend_name.endswith("argilla") else 1)


def test_a_search_index_of_its_own_is_counted(backend: Backend, backend_name: str, project: Project) -> None:
    server = backend.connect()
    server.ensure(project, create=True)
    server.write([record()])
    assert server.progress().indexed == (1 if backend_name.endswith("argilla") else None)


def test_a_changed_text_is_a_change_where_the_server_can_tell(backend: Backend, project: Project) -> None:
    server = backend.connect()
    push(server, project, [record(), Record("s", {"prompt": "s", "response": "4"})])
    backend.person("ann", project).annotate("r", {"rating": 2})
    server.ensure(project, create=False)
    cursor = max(page.cursor for page in server.changes())
    server.update([record("3 + 3?")])
    server.ensure(project, create=False)
    changed = [found.key for page in server.changes(cursor) for found in page.records if found.annotations]
    assert changed == (["r"] if server.capabilities.incremental else [])
