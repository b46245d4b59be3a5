"""Each injected fault leaves the server as the real one would, and a failing seed makes the same run again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, get_args

import pytest

from bridge.clock import TestClock
from bridge.errors import AuthError, Busy, NotFound, ServerError, TooLarge, UnexpectedReply, UnknownOutcome, Unreachable
from bridge.keys import Secret
from bridge.records import Record, Suggestion
from bridge.servers.memory import LIKE_ARGILLA, LIKE_LABEL_STUDIO, MemoryServer
from bridge.servers.protocol import Page, Project, Remote
from bridge.templates import load_template
from bridge.testing import FITS, Crash, FaultyServer, Injected, Kind

PROJECT = Project("Sums", load_template("rating"))
RECORDS = [
    Record(f"r{n}", {"prompt": f"{n} + {n}?", "response": str(2 * n)}, [Suggestion("rating", 4)]) for n in range(1, 6)
]
KEYS = [record.key for record in RECORDS]


def faulty(at: Mapping[Any, Kind] | None = None, **options: Any) -> FaultyServer[MemoryServer]:
    """A server with the project; the next call is number 1 of `at`."""
    inner = MemoryServer(profile=options.pop("profile", LIKE_ARGILLA))
    inner.ensure(PROJECT, create=True)
    return FaultyServer(inner, at=at, clock=options.pop("clock", TestClock()), **options)


def there(server: FaultyServer[MemoryServer]) -> list[str]:
    return sorted(server.server.find(KEYS))


def results(server: FaultyServer[MemoryServer], records: Sequence[Record] = RECORDS) -> set[str]:
    outcomes = server.write(records)
    assert [outcome.key for outcome in outcomes] == [record.key for record in records]
    return {outcome.result for outcome in outcomes}


# -- before anything happened

BEFORE: list[tuple[Kind, type[ServerError]]] = [("unreachable", Unreachable), ("busy", Busy), ("denied", AuthError)]


@pytest.mark.parametrize(("fault", "error"), BEFORE)
def test_nothing_is_written_before_the_error(fault: Kind, error: type[ServerError]) -> None:
    server = faulty({1: fault})
    with pytest.raises(error) as caught:
        server.write(RECORDS)
    assert caught.value.remedy
    assert there(server) == []
    assert server.history == [Injected(1, "write", fault)]
    assert results(server) == {"accepted"}


def test_busy_asks_to_wait_in_some_of_the_cases() -> None:
    server = faulty(dict.fromkeys(range(1, 30), "busy"), wait_s=7)
    waits = set()
    for _ in range(29):
        with pytest.raises(Busy) as caught:
            server.progress()
        waits.add(caught.value.wait_s)
    assert waits == {0, 7}


def test_batches_above_the_limit_are_too_large_and_smaller_ones_are_not() -> None:
    server = faulty(largest=3)
    with pytest.raises(TooLarge):
        server.write(RECORDS[:4])
    assert there(server) == []
    assert results(server, RECORDS[:3]) == {"accepted"}
    assert server.history == [Injected(1, "write", "too large")]


def test_a_poison_record_has_its_whole_batch_rejected_and_siblings_land_without_it() -> None:
    server = faulty(poison=lambda key: key == "r3")
    assert results(server) == {"rejected"}
    assert there(server) == []
    assert results(server, RECORDS[:2]) == {"accepted"}
    assert results(server, RECORDS[2:3]) == {"rejected"}
    assert there(server) == ["r1", "r2"]
    assert server.history == [Injected(1, "write", "poison"), Injected(3, "write", "poison")]


# -- writes whose outcome is unknown


def test_committed_is_unknown_and_there() -> None:
    server = faulty({1: "committed"})
    assert results(server) == {"unknown"}
    assert sorted(server.find(KEYS)) == KEYS


def test_lost_is_unknown_and_never_there() -> None:
    clock = TestClock()
    server = faulty({1: "lost"}, clock=clock)
    assert results(server) == {"unknown"}
    clock.sleep(1e6)
    assert server.find(KEYS) == {}


def test_part_is_unknown_and_the_first_few_are_there() -> None:
    server = faulty({1: "part"})
    assert results(server) == {"unknown"}
    assert 0 < len(there(server)) < 5
    assert there(server) == KEYS[: len(there(server))]


def test_late_is_unknown_and_there_once_the_clock_has_moved_on() -> None:
    clock = TestClock()
    server = faulty({1: "late"}, clock=clock, late_s=60)
    assert results(server) == {"unknown"}
    clock.sleep(59)
    assert server.find(KEYS) == {}
    clock.sleep(1)
    assert sorted(server.find(KEYS)) == KEYS


def test_late_is_there_after_further_calls_should_those_come_first() -> None:
    server = faulty({1: "late"}, late_calls=2)
    assert results(server) == {"unknown"}
    assert [len(server.find(KEYS)) for _ in range(3)] == [0, 0, 5]


def test_a_late_write_arrives_after_another_one_of_the_same_records() -> None:
    """On a server without unique keys that makes a double, as it would there."""
    server = faulty({1: "late"}, late_calls=1, profile=LIKE_LABEL_STUDIO)
    server.write(RECORDS[:1])
    server.write(RECORDS[:1])
    assert len(server.find(["r1"])["r1"]) == 2


def test_settle_brings_what_time_would_bring() -> None:
    server = faulty({1: "late", 2: "lag"})
    server.write(RECORDS[:2])
    server.write(RECORDS[2:])
    assert server.find(KEYS) == {}
    server.settle()
    assert sorted(server.find(KEYS)) == KEYS


def test_an_index_that_lags_hides_from_find_and_from_no_other() -> None:
    clock = TestClock()
    server = faulty({2: "lag"}, clock=clock, lag_s=10)
    server.write(RECORDS[:1])
    assert results(server, RECORDS[1:]) == {"unknown"}
    assert sorted(server.find(KEYS)) == ["r1"]
    assert (server.progress().records, server.progress().indexed) == (5, 1)
    clock.sleep(10)
    assert sorted(server.find(KEYS)) == KEYS
    assert server.progress() == server.server.progress()


def test_a_second_write_brings_the_index_up_to_date() -> None:
    server = faulty({1: "lag"})
    server.write(RECORDS)
    assert results(server, RECORDS[:2]) == {"accepted"}
    assert sorted(server.find(KEYS)) == ["r1", "r2"]


def test_bare_is_accepted_and_the_suggestions_are_not_there() -> None:
    server = faulty({1: "bare"})
    assert results(server) == {"accepted"}
    assert {found[0].suggestions for found in server.find(KEYS).values()} == {0}
    assert server.repair(RECORDS) == 5
    assert {found[0].suggestions for found in server.find(KEYS).values()} == {1}


@pytest.mark.parametrize(("fault", "repaired"), [("committed", 5), ("part", range(1, 5)), ("lost", 0), ("late", 0)])
def test_verbs_without_outcomes_raise(fault: Kind, repaired: int | range) -> None:
    server = faulty({1: "bare", 2: fault})
    server.write(RECORDS)
    with pytest.raises(UnknownOutcome):
        server.repair(RECORDS)
    count = sum(found[0].suggestions for found in server.server.find(KEYS).values())
    assert count in (repaired if isinstance(repaired, range) else [repaired])


def test_a_project_may_have_been_made_or_not() -> None:
    faults: dict[int, Kind] = {1: "lost", 2: "committed"}
    server = FaultyServer(MemoryServer(), at=faults)
    with pytest.raises(UnknownOutcome):
        server.ensure(PROJECT, create=True)
    with pytest.raises(NotFound):
        server.server.ensure(PROJECT, create=False)
    with pytest.raises(UnknownOutcome):
        server.ensure(PROJECT, create=True)
    assert server.server.ensure(PROJECT, create=False).created is False


def test_to_look_for_a_project_is_a_read() -> None:
    server = faulty(dict.fromkeys(range(1, 10), "committed"))
    assert server.ensure(PROJECT, create=False).id == "Sums"
    assert server.history == []


def test_answers_are_written_or_not_like_records() -> None:
    server = faulty({1: "lost", 2: "committed"})
    server.server.write(RECORDS)
    server.server.annotate("r1", "ann", {"rating": 3})
    (given,) = (a for page in server.server.changes() for found in page.records for a in found.annotations)
    server.server.withdraw("r1", "ann")
    server.server.add_person("ann", Secret("x"))
    assert [outcome.result for outcome in server.answer([given])] == ["unknown"]
    assert server.server.progress().answered == 0
    assert [outcome.result for outcome in server.answer([given])] == ["unknown"]
    assert server.server.progress().answered == 1


# -- reads


class FiveAnswered(MemoryServer):
    """Five answered records, on pages of five."""

    def listing(self) -> Iterator[Sequence[tuple[str, Remote]]]:
        yield [(key, found[0]) for key, found in self.find(KEYS).items()]


def answered(**options: Any) -> FaultyServer[FiveAnswered]:
    inner = FiveAnswered()
    inner.ensure(PROJECT, create=True)
    inner.write(RECORDS)
    for key in KEYS:
        inner.annotate(key, "ann", {"rating": 3})
    return FaultyServer(inner, **options)


def test_pages_can_be_made_smaller() -> None:
    server = answered(page_size=2)
    pages = list(server.changes())
    assert [[found.key for found in page.records] for page in pages] == [["r1", "r2"], ["r3", "r4"], ["r5"]]
    assert [page.left for page in pages] == [3, 1, 0]
    assert [[key for key, _ in page] for page in server.listing()] == [["r1", "r2"], ["r3", "r4"], ["r5"]]
    assert server.calls == 6, "each page is a call"


def test_an_empty_page_still_tells_where_to_go_on() -> None:
    class Quiet(MemoryServer):
        def changes(self, cursor: str = "") -> Iterator[Page]:
            yield Page([], "here")

    assert [page.cursor for page in FaultyServer(Quiet(), page_size=2).changes()] == ["here"]


@pytest.mark.parametrize("verb", ["changes", "listing"])
@pytest.mark.parametrize("seed", range(10))
def test_a_list_that_is_cut_ends_in_an_error_before_its_end(verb: str, seed: int) -> None:
    server = answered(page_size=2, seed=seed, at={2: "cut"})
    pages: list[Any] = []
    with pytest.raises(UnexpectedReply):
        pages.extend(getattr(server, verb)())
    whole = [len(page.records if isinstance(page, Page) else page) for page in pages]
    assert whole in ([2], [2, 1])


@pytest.mark.parametrize("fault", ["broken", "cut"])
def test_an_empty_list_can_break_off_too(fault: Kind) -> None:
    server = faulty({1: fault})
    with pytest.raises(UnexpectedReply):
        list(server.changes())


@pytest.mark.parametrize("read", ["find", "progress", "people", "changes", "listing"])
def test_reads_break(read: str) -> None:
    server = answered(at={1: "broken"})
    with pytest.raises(UnexpectedReply):
        list(getattr(server, read)(*([KEYS] if read == "find" else [])))
    assert server.history == [Injected(1, read, "broken")]  # type: ignore[arg-type]


# -- where faults happen


def test_a_fault_can_be_put_at_one_of_the_calls_of_a_verb() -> None:
    server = faulty({("write", 2): "lost"})
    assert results(server, RECORDS[:2]) == {"accepted"}
    assert sorted(server.find(KEYS)) == ["r1", "r2"]
    assert results(server, RECORDS[2:]) == {"unknown"}
    assert server.history == [Injected(3, "write", "lost")]


# -- crashes


def test_nothing_that_handles_errors_catches_a_crash() -> None:
    server = faulty({1: "crash before"})
    with pytest.raises(Crash), suppress(Exception):
        server.write(RECORDS)


@pytest.mark.parametrize(("fault", "written"), [("crash before", 0), ("crash after", 5)])
def test_a_crash_comes_before_or_after_the_server_has_done_it(fault: Kind, written: int) -> None:
    server = faulty({1: fault})
    with pytest.raises(Crash):
        server.write(RECORDS)
    assert len(there(server)) == written
    assert server.history == [Injected(1, "write", fault)]


@pytest.mark.parametrize(
    "call",
    [
        lambda server: server.ensure(PROJECT, create=True),
        lambda server: server.ensure(PROJECT, create=False),
        lambda server: server.find(KEYS),
        lambda server: server.write(RECORDS),
        lambda server: list(server.changes()),
        lambda server: server.repair(RECORDS),
        lambda server: server.finish(),
        lambda server: server.progress(),
        lambda server: server.people(),
        lambda server: server.add_person("ann", Secret("x")),
        lambda server: server.answer([]),
    ],
)
@pytest.mark.parametrize("fault", ["crash before", "crash after"])
def test_every_verb_can_crash(call: Any, fault: Kind) -> None:
    server = faulty({1: fault})
    with pytest.raises(Crash):
        call(server)
    call(server)


def test_a_poison_batch_can_crash_as_well() -> None:
    server = faulty({1: "crash after"}, poison=lambda key: True)
    with pytest.raises(Crash):
        server.write(RECORDS)


def test_late_writes_outlive_the_crash_of_their_sender() -> None:
    clock = TestClock()
    server = faulty({1: "late", 2: "crash before"}, clock=clock)
    server.write(RECORDS)
    with pytest.raises(Crash):
        server.progress()
    clock.sleep(3600)
    assert sorted(server.find(KEYS)) == KEYS


# -- seeds


def run(server: FaultyServer[FiveAnswered]) -> FaultyServer[FiveAnswered]:
    """Some hundred calls, whatever becomes of them."""
    for _ in range(30):
        with suppress(ServerError):
            server.ensure(PROJECT, create=True)
        with suppress(ServerError):
            server.write(RECORDS)
        with suppress(ServerError):
            server.find(KEYS)
        with suppress(ServerError):
            list(server.changes())
        with suppress(ServerError):
            server.repair(RECORDS)
    return server


def test_the_same_seed_makes_the_same_run() -> None:
    first, second, other = (run(answered(seed=seed, rate=0.3)) for seed in (4, 4, 5))
    assert first.history == second.history != other.history


def test_a_run_can_be_made_again_from_its_history_alone() -> None:
    first = run(answered(seed=4, rate=0.3))
    again = run(answered(seed=4, at={number: fault for number, _, fault in first.history}))
    assert again.history == first.history


def test_about_as_many_calls_fail_as_asked_for() -> None:
    server = run(answered(rate=0.3))
    assert 0.2 < len(server.history) / server.calls < 0.4


def test_no_fault_without_a_rate() -> None:
    assert run(answered(seed=4)).history == []


def test_every_kind_that_fits_happens_and_no_crash() -> None:
    happened = {fault for seed in range(4) for fault in (i.fault for i in run(answered(seed=seed, rate=0.5)).history)}
    expected = {kind for verb in ("ensure", "write", "find", "changes", "repair") for kind in FITS[verb]}
    assert happened == expected


def test_only_the_kinds_asked_for_happen() -> None:
    assert {i.fault for i in run(answered(rate=0.9, kinds=["late", "busy"])).history} == {"late", "busy"}


def test_what_does_not_fit_the_verb_does_not_happen() -> None:
    server = faulty({1: "bare", 2: "cut", 3: "broken"})
    server.find(KEYS)
    server.progress()
    server.write(RECORDS)
    assert server.history == []


def test_a_fault_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(ValueError, match="flooded"):
        faulty(kinds=["flooded"])


def test_what_is_printed_makes_the_run_again() -> None:
    server = faulty({1: "lost"}, seed=17, rate=0.0)
    server.write(RECORDS)
    assert str(server).splitlines() == [
        "FaultyServer(seed=17, rate=0): 1 fault in 1 calls",
        "  at={1: 'lost'}",
        "  1 write: lost",
    ]


def test_errors_name_no_key_and_no_text_of_a_record() -> None:
    server = faulty(rate=1, poison=lambda key: key == "r3")
    said = ""
    for _ in range(50):
        try:
            said += " ".join(f"{outcome.reason} {outcome.remedy}" for outcome in server.write(RECORDS))
        except ServerError as error:
            said += str(error)
    assert "injected fault" in said
    assert not [key for key in KEYS if key in said]


def test_the_table_tells_of_every_kind_but_those_that_are_not_drawn() -> None:
    drawn = {kind for fits in FITS.values() for kind in fits}
    assert {*get_args(Kind)} - drawn == {"crash before", "crash after", "too large", "poison"}
