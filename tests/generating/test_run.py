"""A run that ends early, and what it leaves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest

from bridge.errors import BridgeError, BudgetSpent, EndpointError
from bridge.generating.order import in_order
from bridge.models.requests import ChatRequest
from bridge.testing.models_scripted import Said
from tests.generating.bench import Bench, between, last


def ending(after: int, answer: Callable[[ChatRequest], Said], error: BridgeError) -> Callable[[ChatRequest], Said]:
    """A model that answers so many requests, and then ends the run."""
    left = [after]

    def model(request: ChatRequest) -> Said:
        if left[0] == 0:
            raise error
        left[0] -= 1
        return answer(request)

    return model


SPENT = BudgetSpent("the budget is spent", remedy="give a larger one")


def test_a_budget_that_ends_while_variants_are_written_keeps_those_that_need_no_answer(bench: Bench) -> None:
    rows = [{"prompt": f"Find lake {n} on the map.", "response": "Here.", "topic": "maps"} for n in range(5)]
    bench.write("rows.jsonl", rows)

    others = iter(["Where does one see lake", "Point out the water called", "A chart shows which spot for number"])

    def paraphrase(request: ChatRequest) -> str:
        return f"{next(others)} {between(last(request), 'instruction').split()[2]}?"

    settings = {"make": "augment", "rows__path": "rows.jsonl", "augment__by": "topic", "recipes": ["paraphrase"]}
    done = bench.run(ending(3, paraphrase, SPENT), **settings)
    assert (done.made, done.stopped, done.partial) == (3, "the budget is spent", True)
    assert {record.metadata["operation"] for record in bench.records()} == {"paraphrase"}


def test_a_budget_that_ends_between_answers_keeps_the_finished_records(bench: Bench) -> None:
    bench.write("rows.jsonl", [{"prompt": f"What is {n}?"} for n in range(5)])
    done = bench.run(ending(2, lambda _: "Some.", SPENT), make="candidates", rows__path="rows.jsonl")
    assert (done.made, done.stopped) == (2, "the budget is spent")
    assert [record.fields["prompt"] for record in bench.records()] == ["What is 0?", "What is 1?"]


@pytest.mark.parametrize("error", [SPENT, EndpointError("no such model")])
@pytest.mark.parametrize("after", [0, 1])
def test_a_run_without_a_single_record_is_an_error_and_leaves_the_files_as_they_were(
    bench: Bench, error: BridgeError, after: int
) -> None:
    for name in ("made.jsonl", "rejected.jsonl"):
        (bench.folder / name).write_text("mine\n")

    def write(request: ChatRequest) -> str:
        return json.dumps({"items": ["Name a river."]})

    with pytest.raises(type(error)):
        bench.run(ending(after, write, error), instructions__topics=["x"], instructions__count=1)
    assert {(bench.folder / name).read_text() for name in ("made.jsonl", "rejected.jsonl")} == {"mine\n"}
    assert [path.name for path in bench.folder.iterdir() if path.suffix == ".tmp"] == []


def test_an_endpoint_that_is_lost_half_way_leaves_the_files_as_they_were(bench: Bench) -> None:
    bench.write("rows.jsonl", [{"prompt": f"What is {n}?"} for n in range(5)])
    (bench.folder / "made.jsonl").write_text("mine\n")
    with pytest.raises(EndpointError):
        bench.run(ending(2, lambda _: "Some.", EndpointError("gone")), make="candidates", rows__path="rows.jsonl")
    assert (bench.folder / "made.jsonl").read_text() == "mine\n"


class TestInOrder:
    def test_no_more_than_the_window_are_begun_and_none_is_left_running(self) -> None:
        begun: list[int] = []
        ended: list[int] = []

        async def call(number: int) -> int:
            begun.append(number)
            try:
                await asyncio.sleep(0 if number < 3 else 60)
                return number
            finally:
                ended.append(number)

        async def main() -> list[int]:
            found = []
            stream = in_order((call(number) for number in range(1000)), window=4)
            async for result in stream:
                found.append(result)
                if result == 2:
                    break
            await stream.aclose()  # type: ignore[attr-defined]
            return found

        assert asyncio.run(main()) == [0, 1, 2]
        assert max(begun) < 8
        assert sorted(begun) == sorted(ended)

    def test_an_error_waits_for_what_is_out(self) -> None:
        ended: list[int] = []

        async def call(number: int) -> int:
            if number == 1:
                raise SPENT
            await asyncio.sleep(0.01)
            ended.append(number)
            return number

        async def main() -> None:
            async for _ in in_order(call(number) for number in range(5)):
                pass

        with pytest.raises(BudgetSpent):
            asyncio.run(main())
        assert sorted(ended) == [0, 2, 3, 4]
