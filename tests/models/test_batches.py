"""The Batch API: whatever comes back, each answer is the one of its request, and nothing is asked twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bridge.clock import TestClock
from bridge.errors import BudgetSpent, EndpointError, UsageError
from bridge.models.batches import BatchAsker
from bridge.models.budget import Budget
from bridge.models.client import ModelClient
from bridge.models.journal import Journal
from bridge.models.prices import Price, Prices
from bridge.models.replies import Reply
from bridge.models.requests import ChatRequest
from bridge.testing import BatchFaults, ModelServer
from tests.models.asking import request, requests, run


def echo(**options: Any) -> ModelServer:
    """A server that says what it was asked, backwards."""
    return ModelServer(lambda asked: asked.text[::-1], **options)


def ask(server: ModelServer, wanted: list[ChatRequest], journal: Journal | None = None, **options: Any) -> list[Reply]:
    async def work(client: ModelClient) -> list[Reply]:
        asker = BatchAsker(client, clock=options.pop("clock", TestClock()), **options)
        return [reply async for reply in asker.ask_all(wanted)]

    return run(server, work, journal=journal)


def texts(replies: list[Reply]) -> list[str | None]:
    return [reply.text for reply in replies]


EXPECTED = [f"Question {number}?"[::-1] for number in range(20)]


class TestJoining:
    def test_answers_are_joined_by_key_whatever_their_order(self) -> None:
        with echo() as server:
            assert texts(ask(server, requests(20))) == EXPECTED
            assert server.batches.sizes == [20]

    @pytest.mark.parametrize(
        ("faults", "sizes"),
        [
            (BatchFaults(missing=3), [20, 3]),
            (BatchFaults(broken=2), [20, 2]),
            (BatchFaults(expired=15), [20, 15]),
            (BatchFaults(missing=1, broken=2, expired=4), [20, 7]),
            (BatchFaults(garbled=3), [20, 3]),
        ],
    )
    def test_what_did_not_come_back_is_sent_again(self, faults: BatchFaults, sizes: list[int]) -> None:
        with echo(batches=faults) as server:
            assert texts(ask(server, requests(20))) == EXPECTED
            assert server.batches.sizes == sizes
            assert set(server.answered.values()) == {1}

    def test_results_that_were_deleted_are_asked_for_again(self) -> None:
        with echo(batches=BatchFaults(gone=True, broken=1)) as server:
            assert texts(ask(server, requests(3))) == EXPECTED[:3]
            assert server.batches.sizes == [3, 3]

    def test_a_line_that_is_refused_costs_one_row_and_is_not_sent_again(self) -> None:
        with echo(context=50) as server:
            replies = ask(server, [request("short"), request("long " * 20), request("brief")])
            assert server.batches.sizes == [3]
        told = "the prompt is longer than the model's context (400 context_length_exceeded)"
        assert [reply.problem for reply in replies] == [None, told, None]

    def test_a_row_that_never_comes_back_costs_that_row(self) -> None:
        with echo(batches=BatchFaults(missing=1)) as server:
            replies = ask(server, requests(3), rounds=1)
        assert [reply.problem for reply in replies] == ["it stands in neither of the batch's result files", None, None]

    def test_large_sets_are_several_batches(self) -> None:
        with echo() as server:
            assert texts(ask(server, requests(20), lines=8)) == EXPECTED
            assert server.batches.sizes == [8, 8, 4]

    def test_choices_that_are_missing_are_asked_for_in_a_further_batch(self) -> None:
        with ModelServer(can=["schema"]) as server:
            (reply,) = ask(server, [request(parameters={"n": 3, "seed": 1})])
            assert server.batches.sizes == [1, 2]
        assert len({choice.text for choice in reply.usable}) == 3

    def test_one_request_is_a_batch_of_its_own(self) -> None:
        async def work(client: ModelClient) -> Reply:
            return await BatchAsker(client, clock=TestClock()).ask(request("abc"))

        with echo() as server:
            assert run(server, work).text == "cba"


class TestWaiting:
    def test_it_looks_at_a_batch_until_it_has_ended(self) -> None:
        clock = TestClock()
        told: list[tuple[str, int, int]] = []
        with echo(batches=BatchFaults(polls=10)) as server:
            ask(server, requests(2), clock=clock, poll_s=60, tick=lambda *so_far: told.append(so_far))
        assert clock.slept == [60.0] * 9
        assert told == [("requests of a batch", 0, 2)] * 9

    def test_the_next_run_waits_for_the_batch_of_one_that_ended_meanwhile(self, tmp_path: Path) -> None:
        class Killed(Exception):
            pass

        class Lid(TestClock):
            async def pause(self, seconds: float) -> None:
                raise Killed

        with echo(batches=BatchFaults(polls=5)) as server:
            with Journal(tmp_path / "journal.jsonl") as journal, pytest.raises(Killed):
                ask(server, requests(20), journal, clock=Lid())
            with Journal(tmp_path / "journal.jsonl") as journal:
                assert texts(ask(server, requests(20), journal)) == EXPECTED
            assert server.batches.sizes == [20]
            assert set(server.answered.values()) == {1}

    def test_a_batch_whose_making_was_not_confirmed_is_found_and_not_made_twice(self) -> None:
        with echo(batches=BatchFaults(lost=True)) as server:
            assert texts(ask(server, requests(20))) == EXPECTED
            assert server.batches.sizes == [20]

    @pytest.mark.parametrize("polls", [1, 3])
    def test_a_run_killed_at_any_line_of_its_journal_makes_no_batch_twice(self, tmp_path: Path, polls: int) -> None:
        path = tmp_path / "journal.jsonl"
        with echo(batches=BatchFaults(polls=polls)) as server:
            with Journal(path) as journal:
                ask(server, requests(4), journal)
            lines = path.read_bytes().splitlines(keepends=True)
            named = next(number for number, line in enumerate(lines) if b'"batch ' in line)
            for kept in range(named + 1, len(lines) + 1):
                path.write_bytes(b"".join(lines[:kept]) + b'{"no')
                with Journal(path) as journal:
                    assert texts(ask(server, requests(4), journal)) == EXPECTED[:4]
                assert server.batches.sizes == [4], kept

    def test_an_answered_set_is_not_sent_again(self, tmp_path: Path) -> None:
        with echo() as server:
            for _ in range(2):
                with Journal(tmp_path / "journal.jsonl") as journal:
                    ask(server, requests(3), journal)
            assert server.batches.sizes == [3]


class TestErrors:
    def test_an_endpoint_without_a_batch_api(self) -> None:
        with echo() as server:

            async def work(client: ModelClient) -> Any:
                client.endpoint._sdk.base_url = server.url.removesuffix("/v1") + "/other/"
                return await BatchAsker(client, clock=TestClock()).ask(request())

            with pytest.raises(EndpointError, match=r"it does not upload a batch: there is no such address \(404\)"):
                run(server, work)

    def test_a_batch_that_is_refused_as_a_whole_is_named(self, tmp_path: Path) -> None:
        with echo(batches=BatchFaults(failed=True)) as server, Journal(tmp_path / "journal.jsonl") as journal:
            with pytest.raises(EndpointError, match="the batch batch_1 ended as failed"):
                ask(server, requests(3), journal)
            assert texts(ask(server, requests(3), journal)) == EXPECTED[:3]

    def test_a_batch_that_was_deleted_is_named_with_the_line_that_knows_it(self, tmp_path: Path) -> None:
        path = tmp_path / "journal.jsonl"
        with echo() as server:
            with Journal(path) as journal:
                ask(server, requests(3), journal)
            lines = [line for line in path.read_text().splitlines(keepends=True) if '"answer"' not in line]
            path.write_text("".join(line for line in lines if '"ended ' not in line))
            server.batches.forget()
            with Journal(path) as journal, pytest.raises(EndpointError, match="there is no batch batch_1") as raised:
                ask(server, requests(3), journal)
            name = raised.value.remedy.split('"')[1]
            path.write_text("".join(line for line in path.read_text().splitlines(keepends=True) if name not in line))
            with Journal(path) as journal:
                assert texts(ask(server, requests(3), journal)) == EXPECTED[:3]

    def test_a_wrong_model(self) -> None:
        with echo(models=["other"]) as server, pytest.raises(EndpointError, match="there is no such model"):
            ask(server, requests(3))

    def test_a_request_for_another_model(self) -> None:
        with echo() as server, pytest.raises(UsageError, match="a request for 'other' to a client of 'stub'"):
            ask(server, [request(model="other")])

    def test_an_impossible_number_of_lines(self) -> None:
        with echo() as server, pytest.raises(UsageError, match="a batch of 0 lines"):
            ask(server, [], lines=0)


class TestBudget:
    def test_batches_cost_what_the_table_says(self) -> None:
        prices = Prices({"stub": Price(10.0, 10.0, batch=0.5)})
        with echo() as server, Journal(prices=prices) as journal:
            replies = ask(server, requests(4), journal)
            spent = journal.account.spent
        tokens = spent.tokens.prompt + spent.tokens.completion
        assert spent.cost == pytest.approx(tokens * 5 / 1_000_000)
        assert sum(reply.usage.cost or 0 for reply in replies) == pytest.approx(spent.cost)

    def test_as_many_are_sent_as_there_is_room_for(self, tmp_path: Path) -> None:
        path = tmp_path / "journal.jsonl"
        with echo() as server:
            with Journal(path, budget=Budget(requests=5)) as journal, pytest.raises(BudgetSpent):
                ask(server, requests(20), journal)
            assert server.batches.sizes == [5]
            with Journal(path) as journal:
                assert journal.account.spent.requests == 5
                assert texts(ask(server, requests(20), journal)) == EXPECTED
            assert server.batches.sizes == [5, 15]

    def test_what_was_answered_comes_before_the_error(self) -> None:
        replies: list[Reply] = []

        async def work(client: ModelClient) -> None:
            async for reply in BatchAsker(client, clock=TestClock()).ask_all(requests(20)):
                replies.append(reply)

        with echo() as server, pytest.raises(BudgetSpent):
            run(server, work, journal=Journal(budget=Budget(requests=5)))
        assert texts(replies) == EXPECTED[:5]

    def test_probes_find_room_beside_what_is_set_aside(self) -> None:
        wanted = [request(), request("Score?", schema={"type": "string"}), request("n", parameters={"n": 2})]
        with ModelServer() as server, Journal(budget=Budget(requests=5)) as journal:
            assert all(reply.problem is None for reply in ask(server, wanted, journal))
