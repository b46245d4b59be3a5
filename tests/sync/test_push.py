"""Push: each record once, and every record accounted for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import Conflict, ServerError, UnexpectedReply, Unreachable, UsageError
from bridge.records import Record
from bridge.servers.memory import CAPABILITIES, MemoryServer
from bridge.servers.protocol import Capabilities, Outcome, Progress, Project, Remote
from bridge.sync.capabilities import check_capabilities
from bridge.sync.push import PushResult, push
from bridge.templates import load_template

PROJECT = Project("Demo", load_template("rating"))


def records(count: int, start: int = 0) -> list[Record]:
    return [Record(f"r{n}", {"prompt": f"{n}?", "response": "x"}) for n in range(start, start + count)]


class Server(MemoryServer):
    """The in-memory server in small batches, which fails as it is told and remembers what it was asked."""

    def __init__(
        self, *, batch: int = 4, poison: Iterable[str] = (), lost: Iterable[str] = (), late: bool = False
    ) -> None:
        super().__init__()
        self.capabilities: Capabilities = replace(CAPABILITIES, batch=batch)
        self.poison, self.lost, self.late = set(poison), set(lost), late
        self.writes: list[list[str]] = []
        self.looked_up: list[str] = []

    def find(self, keys: Iterable[str]) -> dict[str, list[Remote]]:
        keys = list(keys)
        self.looked_up += keys
        return super().find(keys)

    def write(self, records: Sequence[Record]) -> list[Outcome]:
        keys = [record.key for record in records]
        self.writes.append(keys)
        if self.poison.intersection(keys):  # as a real server: the whole batch is refused for one record in it
            return [Outcome(key, "rejected", "a bad record", "mend it") for key in keys]
        if self.lost.intersection(keys):
            if self.late:
                super().write(records)
            return [Outcome(key, "unknown", "the connection broke") for key in keys]
        return super().write(records)


def held(server: MemoryServer) -> list[str]:
    return sorted(key for key in (f"r{n}" for n in range(100)) if server.find([key]))


def test_everything_is_sent_in_batches_of_the_servers_size() -> None:
    server = Server(batch=4)
    result = push(server, PROJECT, records(10))
    assert (result.sent, result.present, result.complete) == (10, 0, True)
    assert [len(batch) for batch in server.writes] == [4, 4, 2]


def test_a_second_push_sends_nothing() -> None:
    server = Server()
    push(server, PROJECT, records(10))
    server.writes.clear()
    result = push(server, PROJECT, records(10))
    assert (result.sent, result.present, server.writes) == (0, 10, [])


def test_only_what_is_missing_is_sent() -> None:
    server = Server()
    push(server, PROJECT, records(3))
    server.writes.clear()
    result = push(server, PROJECT, records(6))
    assert (result.sent, result.present) == (3, 3)
    assert [key for batch in server.writes for key in batch] == ["r3", "r4", "r5"]


def test_an_empty_project_is_not_asked_what_it_holds() -> None:
    server = Server()
    push(server, PROJECT, records(10))
    assert server.looked_up == []


def test_no_records_are_no_writes() -> None:
    server = Server()
    result = push(server, PROJECT, [])
    assert (result.sent, result.project.created, server.writes) == (0, True, [])


def test_records_are_taken_one_batch_at_a_time() -> None:
    server = Server(batch=4)
    taken = 0

    def counted() -> Iterable[Record]:
        nonlocal taken
        for record in records(12):
            taken += 1
            assert taken <= 4 * (len(server.writes) + 1), "read ahead of what was sent"
            yield record

    push(server, PROJECT, counted())
    assert taken == 12


def test_progress_is_told_after_every_batch() -> None:
    told: list[int] = []
    push(Server(batch=4), PROJECT, records(10), tick=told.append)
    assert told == [4, 8, 10]


# -- records that a server refuses


@given(st.sets(st.integers(0, 11)), st.integers(1, 12))
def test_one_bad_record_costs_only_itself(bad: set[int], batch: int) -> None:
    server = Server(batch=batch, poison={f"r{n}" for n in bad})
    result = push(server, PROJECT, records(12))
    assert {reject.key for reject in result.rejected} == {f"r{n}" for n in bad}
    assert held(server) == sorted(f"r{n}" for n in range(12) if n not in bad)
    assert (result.sent, result.complete) == (12 - len(bad), not bad)


def test_a_rejected_record_comes_with_reason_and_remedy() -> None:
    (reject,) = push(Server(poison={"r1"}), PROJECT, records(3)).rejected
    assert (reject.key, reject.reason, reject.remedy) == ("r1", "a bad record", "mend it")


def test_finding_the_culprit_takes_few_requests() -> None:
    server = Server(batch=64, poison={"r17"})
    push(server, PROJECT, records(64))
    assert len(server.writes) <= 13  # the whole, and two halves at each of six levels


# -- writes whose outcome is unknown


@pytest.mark.parametrize("late", [True, False])
def test_an_unknown_write_is_looked_up_and_not_sent_again(late: bool) -> None:
    server = Server(batch=4, lost={"r1"}, late=late)
    result = push(server, PROJECT, records(4))
    assert server.writes == [["r0", "r1", "r2", "r3"]]
    assert server.looked_up == ["r0", "r1", "r2", "r3"]
    assert (result.sent, len(result.unknown), result.complete) == ((4, 0, True) if late else (0, 4, False))


def test_after_an_unknown_write_nothing_more_is_sent() -> None:
    server = Server(batch=4, lost={"r5"})
    result = push(server, PROJECT, records(12))
    assert server.writes == [["r0", "r1", "r2", "r3"], ["r4", "r5", "r6", "r7"]]
    assert (result.sent, result.unknown, result.reason) == (4, ["r4", "r5", "r6", "r7"], "the connection broke")


def test_a_second_push_after_an_unknown_write_converges() -> None:
    server = Server(batch=4, lost={"r5"})
    push(server, PROJECT, records(12))
    server.lost.clear()
    result = push(server, PROJECT, records(12))
    assert (result.sent, result.present, result.complete) == (8, 4, True)
    assert len(held(server)) == 12


# -- a server that fails or lies


def test_a_server_that_dies_in_the_middle_keeps_what_it_has() -> None:
    class Dying(Server):
        def write(self, records: Sequence[Record]) -> list[Outcome]:
            if self.writes:
                raise Unreachable("cannot connect", remedy="start it")
            return super().write(records)

    server = Dying(batch=4)
    result = push(server, PROJECT, records(10))
    assert (result.sent, result.reason, result.complete) == (4, "cannot connect", False)
    assert len(held(server)) == 4


def test_a_server_that_counts_fewer_than_were_accepted_is_not_believed() -> None:
    class Forgetful(Server):
        def progress(self) -> Progress:
            return Progress(9, 0, 0)

    with pytest.raises(UnexpectedReply, match="the server counts 9 records where 10 should be") as caught:
        push(Forgetful(), PROJECT, records(10))
    assert "annobridge push" in caught.value.remedy


def test_a_project_of_another_template_is_a_conflict_and_nothing_is_sent() -> None:
    server = Server()
    push(server, PROJECT, records(1))
    server.writes.clear()
    with pytest.raises(Conflict):
        push(server, Project("Demo", load_template("review")), records(2))
    assert server.writes == []


# -- what a server cannot do


@pytest.mark.parametrize("title", ["ab", "x" * 51])
def test_a_title_that_the_server_cannot_take_is_refused_before_anything_is_made(title: str) -> None:
    with pytest.raises(UsageError, match="this server takes 3 to 50") as caught:
        check_capabilities(Project(title, PROJECT.template), replace(CAPABILITIES, title_length=(3, 50)))
    assert "--project" in caught.value.remedy


def test_a_question_that_the_server_cannot_ask_is_named() -> None:
    poor = replace(CAPABILITIES, question_kinds=frozenset({"rating", "label"}))
    with pytest.raises(
        UsageError, match="question 'improved_response': this server cannot ask a text question"
    ) as caught:
        check_capabilities(Project("Demo", load_template("review")), poor)
    assert caught.value.remedy == "it can ask label, rating"


def test_the_result_counts_everything() -> None:
    counts = push(Server(poison={"r1"}), PROJECT, records(3)).to_dict()
    assert (counts["project"], counts["url"], counts["created"]) == ("Demo", "memory:Demo", True)
    assert (counts["sent"], counts["present"], counts["rejected"], counts["unknown"]) == (2, 0, 1, 0)


@pytest.mark.parametrize("failing", ["ensure", "find"])
def test_errors_of_the_server_reach_the_caller(failing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **kwargs: object) -> PushResult:
        raise ServerError("no", remedy="wait")

    server = Server()
    push(server, PROJECT, records(1))
    monkeypatch.setattr(server, failing, fail)
    with pytest.raises(ServerError, match="no"):
        push(server, PROJECT, records(2))
