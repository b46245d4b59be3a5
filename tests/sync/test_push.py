"""Push: each record once, and every record accounted for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.clock import TestClock
from bridge.errors import Busy, Conflict, ServerError, TooLarge, UnexpectedReply, Unreachable, UsageError
from bridge.records import Record
from bridge.servers.memory import CAPABILITIES, MemoryServer
from bridge.servers.protocol import Capabilities, Outcome, Progress, Project, Remote
from bridge.sync.capabilities import check_capabilities
from bridge.sync.ledger import Ledger
from bridge.sync.push import push
from bridge.sync.push_result import PushResult
from bridge.templates import load_template

PROJECT = Project("Demo", load_template("rating"))


def records(count: int, start: int = 0) -> list[Record]:
    return [Record(f"r{n}", {"prompt": f"{n}?", "response": "x"}) for n in range(start, start + count)]


class Server(MemoryServer):
    """The in-memory server in small batches, which fails as it is told and remembers what it was asked."""

    def __init__(
        self,
        *,
        batch: int = 4,
        poison: Iterable[str] = (),
        lost: Iterable[str] = (),
        late: bool = False,
        unique_keys: bool = True,
    ) -> None:
        super().__init__()
        self.capabilities: Capabilities = replace(CAPABILITIES, batch=batch, unique_keys=unique_keys)
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


def waiting(seconds: float = 60.0) -> tuple[TestClock, dict[str, Any]]:
    """A ledger with a clock that only moves when somebody waits."""
    clock = TestClock()
    return clock, {"ledger": Ledger(clock=clock), "patience_s": seconds}


def test_an_unknown_write_that_arrived_is_not_sent_again() -> None:
    server = Server(batch=4, lost={"r1"}, late=True)
    result = push(server, PROJECT, records(4), **waiting()[1])
    assert server.writes == [["r0", "r1", "r2", "r3"]]
    assert (result.sent, result.unknown, result.complete) == (4, [], True)


def test_an_unknown_write_is_waited_for_before_it_is_sent_again() -> None:
    server = Server(batch=4, lost={"r1"}, unique_keys=False)
    clock, options = waiting(60.0)
    asked: list[float] = []
    find = server.find
    server.find = lambda keys: (asked.append(clock.time()), server.lost.clear(), find(keys))[2]  # type: ignore[assignment,func-returns-value]
    begun = clock.time()
    result = push(server, PROJECT, records(4), **options)
    assert (result.sent, result.complete) == (4, True)
    assert asked[-1] - begun == 60.0
    assert len(asked) < 15
    assert server.writes == [["r0", "r1", "r2", "r3"], ["r0", "r1"], ["r2", "r3"]]  # and smaller, the second time


def test_one_that_arrives_late_is_found() -> None:
    server = Server(batch=4, lost={"r1"}, unique_keys=False)
    clock, options = waiting(60.0)
    begun = clock.time()
    find, arrive = server.find, MemoryServer.write

    def later(keys: Iterable[str]) -> dict[str, list[Remote]]:
        if clock.time() > begun + 30 and not find(["r0"]):
            arrive(server, records(4))
        return find(keys)

    server.find = later  # type: ignore[method-assign]
    result = push(server, PROJECT, records(4), **options)
    assert (result.sent, result.complete, server.writes) == (4, True, [["r0", "r1", "r2", "r3"]])


def test_a_server_that_takes_a_second_copy_in_place_of_the_first_need_not_be_waited_for() -> None:
    clock, options = waiting(60.0)
    server = Server(batch=4, lost={"r1"}, unique_keys=True)
    push(server, PROJECT, records(4), **options)
    assert clock.slept == []


def test_what_stays_unknown_is_tried_three_times_and_then_named() -> None:
    server = Server(batch=4, lost={"r5"})
    result = push(server, PROJECT, records(12), **waiting()[1])
    assert sum("r5" in batch for batch in server.writes) == 3
    assert result.unknown == ["r5"]
    assert (result.reason, result.complete) == ("the connection broke", False)
    assert "r8" not in {key for batch in server.writes for key in batch}, "went on after it"


def test_a_second_push_after_an_unknown_write_converges() -> None:
    server = Server(batch=4, lost={"r5"})
    _, options = waiting()
    push(server, PROJECT, records(12), **options)
    server.lost.clear()
    result = push(server, PROJECT, records(12), **options)
    assert (result.sent + result.present, result.complete) == (12, True)
    assert len(held(server)) == 12


def test_a_push_that_was_killed_in_the_middle_is_looked_up_by_the_next() -> None:
    class Killed(BaseException):
        pass

    class Killing(Server):
        def write(self, records: Sequence[Record]) -> list[Outcome]:
            super().write(records)
            raise Killed

    server = Killing(batch=4)
    _, options = waiting()
    with pytest.raises(Killed):
        push(server, PROJECT, records(4), **options)
    server.__class__ = Server
    result = push(server, PROJECT, records(4), **options)
    assert (result.sent, result.present, len(server.writes)) == (0, 4, 1)


# -- a server that is overtaxed


def test_a_batch_that_is_too_large_is_halved_and_stays_small() -> None:
    class Small(Server):
        def write(self, records: Sequence[Record]) -> list[Outcome]:
            if len(records) > 3:
                self.writes.append([])
                raise TooLarge("413", remedy="send less")
            return super().write(records)

    server = Small(batch=16)
    result = push(server, PROJECT, records(32), **waiting()[1])
    assert (result.sent, result.complete) == (32, True)
    assert [len(batch) for batch in server.writes if batch][:3] == [2, 2, 2]
    assert sum(not batch for batch in server.writes) <= 6  # it looks now and then whether more goes by now


def test_one_record_that_is_too_large_is_rejected_and_its_siblings_land() -> None:
    class Small(Server):
        def write(self, records: Sequence[Record]) -> list[Outcome]:
            if any(record.key == "r3" for record in records):
                raise TooLarge("413: too large", remedy="send less")
            return super().write(records)

    result = push(Small(batch=8), PROJECT, records(8), **waiting()[1])
    assert result.sent == 7
    assert [(reject.key, reject.reason) for reject in result.rejected] == [("r3", "413: too large")]


def test_a_busy_server_is_obeyed_and_gets_smaller_batches() -> None:
    class Tired(Server):
        tired = 2

        def write(self, records: Sequence[Record]) -> list[Outcome]:
            if self.tired:
                self.tired -= 1
                raise Busy("429", wait_s=90.0)
            return super().write(records)

    clock, options = waiting()
    server = Tired(batch=8)
    result = push(server, PROJECT, records(8), **options)
    assert (result.sent, sum(clock.slept)) == (8, 180.0)
    assert [len(batch) for batch in server.writes] == [2, 2, 2, 2]


def test_a_server_that_is_busy_for_ever_ends_the_push_with_what_was_sent() -> None:
    class Tired(Server):
        def write(self, records: Sequence[Record]) -> list[Outcome]:
            if self.writes:
                raise Busy("429", wait_s=100.0)
            return super().write(records)

    clock, options = waiting()
    result = push(Tired(batch=4), PROJECT, records(8), **options)
    assert (result.sent, result.reason, result.complete) == (4, "429", False)
    assert sum(clock.slept) <= 600.0


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


@pytest.mark.parametrize("failing", ["ensure", "listing"])
def test_errors_of_the_server_reach_the_caller(failing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **kwargs: object) -> PushResult:
        raise ServerError("no", remedy="wait")

    server = Server()
    push(server, PROJECT, records(1))
    monkeypatch.setattr(server, failing, fail)
    with pytest.raises(ServerError, match="no"):
        push(server, PROJECT, records(2))
