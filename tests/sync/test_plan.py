"""The plan: what a push would do, said before anything is written, and what it does then."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from bridge.records import Record, record_key
from bridge.servers.memory import LIKE_ARGILLA, LIKE_LABEL_STUDIO, PLAIN, MemoryServer, Profile
from bridge.servers.protocol import Outcome, Project, Remote
from bridge.sync.ledger import Ledger
from bridge.sync.plan import OnChange, PlanResult, decide, new_key, plan
from bridge.sync.push import push
from bridge.sync.push_result import PushResult
from bridge.sync.reconcile import reconcile
from bridge.sync.target import Row
from bridge.templates import load_template

PROJECT = Project("Demo", load_template("rating"))


def record(key: str, text: str = "x") -> Record:
    return Record(key, {"prompt": f"{key}?", "response": text})


class World:
    """A server and a ledger, and what was written."""

    def __init__(self, profile: Profile = PLAIN) -> None:
        self.server = MemoryServer(profile=profile)
        self.ledger = Ledger()
        self.writes = 0
        for verb in ("write", "update", "repair", "remove"):
            setattr(self.server, verb, self._counted(getattr(self.server, verb)))

    def _counted(self, verb: Any) -> Any:
        def counted(argument: Sequence[Any]) -> Any:
            self.writes += 1
            return verb(argument)

        return counted

    def push(self, *records: Record, **options: Any) -> PushResult:
        return push(self.server, PROJECT, records, ledger=self.ledger, **options)

    def plan(self, *records: Record, on_change: OnChange | None = None, recreate: bool = False) -> PlanResult:
        remote = self.server.ensure(PROJECT, create=False)
        target = self.ledger.target("", "", remote)
        reconcile(self.server, target, remote)
        return plan(self.server, target, records, on_change=on_change, recreate=recreate)

    def shown(self, key: str) -> str:
        return str(self.server._held.records[key]["fields"]["response"])


@pytest.fixture(params=[PLAIN, LIKE_LABEL_STUDIO, LIKE_ARGILLA], ids=["plain", "label-studio", "argilla"])
def world(request: pytest.FixtureRequest) -> World:
    return World(request.param)


def test_a_plan_counts_everything_and_writes_nothing(world: World) -> None:
    world.push(record("same"), record("edited"), record("answered"), record("deleted"))
    world.server.annotate("answered", "ann", {"rating": 5})
    world.server.remove([world.server.find(["deleted"])["deleted"][0].id])
    world.writes = 0
    found = world.plan(record("same"), record("edited", "y"), record("answered", "y"), record("deleted"), record("new"))
    assert (found.create, found.unchanged, found.update) == (1, 1, 1)
    assert (found.conflicts, found.gone, found.nothing_to_do) == (["answered"], ["deleted"], False)
    assert found.requests["create"] == 1
    assert world.writes == 0


def test_without_a_project_everything_would_be_sent() -> None:
    found = plan(MemoryServer(), None, [record(str(n)) for n in range(1001)])
    assert (found.create, found.requests["project"], found.requests["create"]) == (1001, 1, 3)


def test_a_push_of_unchanged_records_writes_nothing(world: World) -> None:
    world.push(record("a"), record("b"))
    world.writes = 0
    assert world.push(record("a"), record("b")).present == 2
    assert world.writes == 0


def test_a_text_that_nobody_answered_is_replaced(world: World) -> None:
    world.push(record("a"))
    result = world.push(record("a", "better"))
    assert (result.updated, result.sent, result.complete, world.shown("a")) == (1, 0, True, "better")
    assert world.push(record("a", "better")).updated == 0


def test_a_text_that_people_answered_is_refused_by_default(world: World) -> None:
    world.push(record("a"))
    world.server.annotate("a", "ann", {"rating": 5})
    result = world.push(record("a", "better"))
    assert (result.changed, result.complete, world.shown("a")) == (["a"], False, "x")


def test_keep_leaves_it_alone(world: World) -> None:
    world.push(record("a"))
    world.server.annotate("a", "ann", {"rating": 5})
    result = world.push(record("a", "better"), on_change="keep")
    assert (result.kept, result.complete, world.shown("a")) == (1, True, "x")


def test_stale_shows_the_new_text_and_drops_the_answers(world: World) -> None:
    world.push(record("a"))
    world.server.annotate("a", "ann", {"rating": 5})
    result = world.push(record("a", "better"), on_change="stale")
    assert (result.updated, result.complete, world.shown("a")) == (1, True, "better")
    (answer,) = [a for page in world.server.changes() for found in page.records for a in found.annotations]
    assert answer.source["content"] not in ("", record_key({"prompt": "a?", "response": "better"}))


def test_new_sends_it_beside_the_old_one_once(world: World) -> None:
    world.push(record("a"))
    world.server.annotate("a", "ann", {"rating": 5})
    for expected in (1, 0, 0):
        result = world.push(record("a", "better"), on_change="new")
        assert (result.sent, result.complete) == (expected, True)
    other = new_key("a", record_key({"prompt": "a?", "response": "better"}))
    assert (world.shown("a"), world.shown(other)) == ("x", "better")
    assert world.push(record("a", "better")).present == 1, "asked for once, it need not be asked for again"


def test_a_lost_ledger_still_finds_what_was_sent_beside(world: World) -> None:
    world.push(record("a"))
    world.server.annotate("a", "ann", {"rating": 5})
    world.push(record("a", "better"), on_change="new")
    world.ledger = Ledger()
    result = world.push(record("a", "better"))
    assert (result.sent, result.present, result.complete) == (0, 1, True)


def test_what_somebody_deleted_is_not_sent_again_unless_asked(world: World) -> None:
    world.push(record("a"), record("b"))
    world.server.remove([world.server.find(["a"])["a"][0].id])
    result = world.push(record("a"), record("b"))
    assert (result.gone, result.sent, result.complete) == (["a"], 0, True)
    again = world.push(record("a"), record("b"), recreate=True)
    assert (again.gone, again.sent) == ([], 1)


def test_what_another_machine_sent_is_seen(world: World) -> None:
    world.push(record("a"))
    push(world.server, PROJECT, [record("b")])
    result = world.push(record("a"), record("b"))
    assert (result.sent, result.present) == (0, 2)


def test_other_records_in_the_project_are_no_reason_to_list_it_every_time(world: World) -> None:
    world.push(record("a"))
    push(world.server, PROJECT, [record("b")])
    listed: list[int] = []
    listing = world.server.listing
    world.server.listing = lambda: (listed.append(1), listing())[1]  # type: ignore[func-returns-value,assignment]
    for _ in range(3):
        world.push(record("a"))
    assert len(listed) == 1


def test_only_changed_texts_cost_a_look_up(world: World) -> None:
    world.push(*(record(f"r{n}") for n in range(50)))
    asked: list[str] = []
    find = world.server.find

    def counted(keys: Iterable[str]) -> dict[str, list[Remote]]:
        keys = list(keys)
        asked.extend(keys)
        return find(keys)

    world.server.find = counted  # type: ignore[method-assign]
    world.push(*(record(f"r{n}", "y" if n == 7 else "x") for n in range(50)))
    assert set(asked) == {"r7"}


@pytest.mark.parametrize("state", ["planned", "rejected"])
def test_what_did_not_arrive_is_sent(state: Any) -> None:
    assert decide("c", Row("r", "c", state)) == "create"


@pytest.mark.parametrize("state", ["sending", "unknown"])
def test_what_may_have_arrived_is_looked_up(state: Any) -> None:
    assert decide("c", Row("r", "c", state)) == "unknown"


def test_an_update_whose_outcome_is_unknown_is_tried_again_by_the_next_push() -> None:
    world = World()
    world.push(record("a"))
    update = world.server.update
    world.server.update = lambda records: [Outcome(r.key, "unknown", "502") for r in records]  # type: ignore[method-assign]
    result = world.push(record("a", "better"))
    assert (result.unknown, result.reason, result.complete) == (["a"], "502", False)
    world.server.update = update  # type: ignore[method-assign]
    assert world.push(record("a", "better")).updated == 1
    assert replace(record("a", "better")).fields["response"] == world.shown("a")
