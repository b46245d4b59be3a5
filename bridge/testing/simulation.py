"""A campaign's whole life by a seed: pushes, people, faults, crashes and second pushers, and then what must be true.

Each seed is another schedule, and always the same one::

    python -m bridge.testing.simulation --schedules 10000
    python -m bridge.testing.simulation --seed 4711

It ends with the seed and the history of the first schedule after which a promise is broken.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from bridge.campaign import Campaign
from bridge.errors import BridgeError, Held
from bridge.sync.plan import OnChange
from bridge.sync.push_result import PushResult
from bridge.testing import promises
from bridge.testing.world import Machine, World

STEPS = {
    "push": 8.0,
    "pull": 5.0,
    "answer": 7.0,
    "grow": 3.0,
    "change": 3.0,
    "shrink": 0.5,
    "withdraw": 1.5,
    "delete": 0.7,
    "meddle": 0.7,
    "full": 1.0,
    "plan": 1.0,
    "doctor": 0.5,
    "repair": 1.0,
    "export": 1.0,
    "wait": 2.0,
}
"""What may happen, and how often, relative to each other."""

WILD = {
    "lose": 1.0,
    "rebuild": 0.5,
    "clock": 1.5,
    "keep": 1.0,
    "old ledger": 1.0,
    "old store": 2.0,
    "restore": 1.0,
    "damage": 0.7,
}
"""What may happen too, in some of the worlds."""


MEMORY = "/dev/shm"  # noqa: S108 - only the parent of a folder with a name of its own
"""Where Linux keeps files in memory. What a killed process leaves does not depend on the disk, and a third of the time
of a schedule was spent waiting for it."""


@dataclass
class History:
    """What happened in one schedule, line by line, and what is wrong; empty where every promise was kept."""

    seed: int
    lines: list[str] = field(default_factory=list)
    broken: str = ""

    def __str__(self) -> str:
        told = [f"seed {self.seed}", *self.lines]
        again = f"again: python -m bridge.testing.simulation --seed {self.seed}"
        return "\n".join([*told, self.broken, again] if self.broken else told)


def simulate(seed: int, folder: Path | None = None) -> History:
    """One schedule: a world is made, lives, comes to rest, and is looked at.

    Args:
        seed: which one.
        folder: an empty folder for its files; by default one that is deleted afterwards.

    >>> simulate(7).broken
    ''
    """
    if folder is None:
        with tempfile.TemporaryDirectory(dir=MEMORY if os.access(MEMORY, os.W_OK) else None) as temporary:
            return simulate(seed, Path(temporary))
    world = World(seed, folder)
    history = History(seed, world.history)
    try:
        with world.real():
            live(world)
            rest(world)
    except (AssertionError, BridgeError) as error:
        history.broken = f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001 - whatever it is, it is told with the seed
        history.broken = traceback.format_exc()
    return history


def live(world: World) -> None:
    """Things happen."""
    for machine in world.machines:
        world.grow(machine)
        _step(world, machine, "push")
        if world.wild:
            world.keep(machine)
    may = STEPS | (WILD if world.wild else {})
    for _ in range(world.random.randint(6, 16)):
        machine = world.random.choice(world.machines)
        _step(world, machine, world.random.choices([*may], [*may.values()])[0])


def _step(world: World, machine: Machine, what: str) -> None:
    random = world.random
    command: Callable[[Campaign], Any] | None = None
    match what:
        case "push":
            on_change: OnChange | None = random.choice((None, None, "new", "stale", "keep"))
            recreate = random.random() < 0.1
            command = partial(Campaign.push, on_change=on_change, recreate=recreate)
            what = f"push --on-change {on_change}{' --recreate' if recreate else ''}"
        case "pull" | "plan" | "doctor" | "export":
            command = getattr(Campaign, what)
        case "full":
            command = partial(Campaign.pull, full=True)
        case "repair":
            command = partial(Campaign.doctor, repair=True)
        case "rebuild":
            command = partial(Campaign.doctor, rebuild=True)
            world.excuses.add("a lost ledger")
        case "lose":
            for path in (machine.folder / ".annobridge").glob("ledger.db*"):
                path.unlink()
            world.excuses.add("a lost ledger")
            world.say(f"{machine.name}: its ledger is lost")
        case "clock":
            machine.clock.wrong_s = random.choice((-3e8, -4000.0, 0.0, 4000.0, 3e8))
            world.excuses.add("a wrong clock")
            world.say(f"{machine.name}: its clock is wrong by {machine.clock.wrong_s:g} s")
        case "old ledger" | "old store":
            world.put_back(machine, "ledger.db" if what == "old ledger" else "feedback.jsonl")
        case "wait":
            world.wait(random.choice((1.0, 30.0, 90.0, 4000.0)))
        case "grow" | "shrink" | "keep" | "damage":
            getattr(world, what)(machine)
        case "answer":
            for _ in range(random.randint(1, 6)):
                world.answer()
        case _:
            getattr(world, what)()
    if command is not None:
        _run(world, machine, what, command)


def _run(world: World, machine: Machine, what: str, command: Callable[[Campaign], Any]) -> Any:
    before = _store(machine)
    try:
        return world.run(machine, what, command)
    except Held:
        slept = "a command slept while its request was on the way" in world.excuses
        assert slept or "a wrong clock" in world.excuses, "a folder in which nobody works is locked"
    finally:
        promises.the_store_only_grew(before, _store(machine))
    return None


def _store(machine: Machine) -> bytes:
    path = machine.folder / promises.STORE
    return path.read_bytes() if path.exists() else b""


def rest(world: World) -> None:
    """Nothing fails any more and everything is run to its end. Then all promises hold.

    Raises:
        AssertionError: one does not.
    """
    world.faults = world.faults_of_writes = world.deadly = world.bustle = 0.0
    world.server.settle()
    for machine in world.machines:
        machine.clock.wrong_s = 0.0
    world.wait(86_400)
    world.say("peace")
    on_change: OnChange | None = world.random.choice((None, "new", "stale", "keep"))

    def push(machine: Machine) -> PushResult:
        result = _run(world, machine, f"push --on-change {on_change}", partial(Campaign.push, on_change=on_change))
        assert isinstance(result, PushResult), f"{machine.name}: a push in peace failed"
        return result

    for machine in world.machines:
        if machine.damaged:
            _run(world, machine, "doctor --rebuild", partial(Campaign.doctor, rebuild=True))
        _run(world, machine, "push", partial(Campaign.push, on_change=on_change))
    promises.nothing_was_doubled(world)
    for _ in world.machines:
        for machine in world.machines:
            _run(world, machine, "doctor --repair", partial(Campaign.doctor, repair=True))
            push(machine)
    promises.nothing_is_doubled(world)
    promises.people_keep_their_answers(world)
    for machine in world.machines if world.restored else ():
        # As docs/sync.md says: a backup that was put back looks like the same server.
        _run(world, machine, "pull --full", partial(Campaign.pull, full=True))
    for machine in world.machines:
        _look_at(world, machine, push)
    if not world.texts_may_have_gone_back:
        _compare_with_a_new_folder(world, world.machines[0])


def _look_at(world: World, machine: Machine, push: Callable[[Machine], PushResult]) -> None:
    before = _writes(world)
    result = push(machine)
    # A record that the server refuses is tried by every push.
    assert "poison" in machine.keys or _writes(world) == before, "a push of what is there wrote something"
    promises.every_row_is_accounted_for(world, machine, result)
    diagnosis = _run(world, machine, "doctor", Campaign.doctor)
    assert not any(finding.mendable for finding in diagnosis.findings), f"not repaired: {diagnosis.findings}"
    for full in (False, True):
        pulled = _run(world, machine, "pull --full" if full else "pull", partial(Campaign.pull, full=full))
        assert pulled is not None, "a pull in peace failed"
        promises.the_store_has_all_answers(world, machine, and_no_other=full)
    promises.revisions_count_up(machine)
    if _export(world, machine):
        promises.every_row_rests_on_answers(world, machine)


def _compare_with_a_new_folder(world: World, machine: Machine) -> None:
    fresh = world.machine("anew")
    (fresh.folder / "rows.jsonl").write_bytes((machine.folder / "rows.jsonl").read_bytes())
    _run(world, fresh, "doctor --rebuild", partial(Campaign.doctor, rebuild=True))
    _run(world, fresh, "pull", Campaign.pull)
    assert _export(world, fresh) == _export(world, machine), "a new folder exports something else"


def _writes(world: World) -> int:
    return sum(world.server.calls_of(verb) for verb in ("write", "update", "remove", "repair"))


def _export(world: World, machine: Machine) -> dict[str, bytes]:
    """The training set of a machine: file names and bytes. What was dropped, and revisions, depend on its history."""
    if _run(world, machine, "export", Campaign.export) is None:
        return {}
    return {path.name: path.read_bytes() for path in sorted((machine.folder / "out").glob("sft.[cp]*.jsonl"))}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run schedules; 1 if one of them broke a promise."""
    parser = argparse.ArgumentParser(prog="python -m bridge.testing.simulation", description=__doc__)
    parser.add_argument("--schedules", type=int, default=500, metavar="N", help="how many (500)")
    parser.add_argument("--first", type=int, default=0, metavar="SEED", help="the seed of the first one (0)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="how many at a time")
    parser.add_argument("--seed", type=int, help="only this one, with its history")
    parser.add_argument("--all", action="store_true", help="go on after one that breaks a promise")
    told = parser.parse_args(arguments)
    if told.seed is not None:
        history = simulate(told.seed)
        print(history)
        return int(bool(history.broken))
    broken = done = 0
    for done, history in enumerate(_histories(told.jobs, range(told.first, told.first + told.schedules)), 1):
        if history.broken:
            broken += 1
            print(history, flush=True)
            if not told.all:
                break
        if done % 500 == 0:
            print(f"{done:,} schedules, {broken} broke a promise", flush=True)
    print(f"seeds {told.first} to {told.first + done - 1}: {broken} broke a promise")
    return int(bool(broken))


def _histories(jobs: int, seeds: Iterable[int]) -> Iterator[History]:
    if jobs == 1:
        yield from map(simulate, seeds)
        return
    with ProcessPoolExecutor(jobs) as pool:
        try:
            yield from pool.map(simulate, seeds, chunksize=10)
        finally:
            pool.shutdown(cancel_futures=True)


if __name__ == "__main__":
    sys.exit(main())
