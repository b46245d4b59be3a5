"""Whole campaigns by a seed keep every promise, and a broken promise does not stay hidden."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

import bridge.campaign
from bridge.servers.protocol import Outcome, Server
from bridge.sync import ledger
from bridge.sync.feedback import Feedback
from bridge.sync.sender import Sender
from bridge.testing import simulation
from bridge.testing.simulation import History, simulate

CHUNK = 25


@pytest.mark.parametrize("chunk", range(20))
def test_every_schedule_keeps_every_promise(chunk: int, tmp_path: Path) -> None:
    for seed in range(chunk * CHUNK, (chunk + 1) * CHUNK):
        folder = tmp_path / str(seed)
        folder.mkdir()
        history = simulate(seed, folder)
        assert not history.broken, f"\n{history}"


def test_a_seed_makes_the_same_history_every_time() -> None:
    code = "import sys; from bridge.testing.simulation import simulate; print(simulate(int(sys.argv[1])))"
    for seed in ("3", "4"):
        # Each process has its own order of sets.
        told = [subprocess.check_output([sys.executable, "-c", code, seed]) for _ in range(2)]
        assert told[0] == told[1]
        assert told[0].decode().startswith(f"seed {seed}\n")


# -- what it would find


def ignore_the_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "is_free", lambda holder, renewed, now: True)


def send_again_without_looking(monkeypatch: pytest.MonkeyPatch) -> None:
    def resend(self: Any, by_key: Any, unknown: Sequence[Outcome]) -> dict[str, int]:
        return dict.fromkeys((outcome.key for outcome in unknown), 1)

    monkeypatch.setattr(Sender, "_find_out", resend)


def move_the_cursor_before_the_answers_are_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    pull = bridge.campaign.pull

    def careless(server: Server, project: str, feedback: Feedback, *args: Any, cursor: str = "", **options: Any) -> Any:
        newest = max([cursor, *(page.cursor for page in server.changes(cursor))])
        with feedback._ledger.transaction() as db:
            db.execute("UPDATE projects SET cursor = ?", (newest,))
        return pull(server, project, feedback, *args, cursor=cursor, **options)

    monkeypatch.setattr(bridge.campaign, "pull", careless)


def wait_for_nothing_that_may_arrive_late(monkeypatch: pytest.MonkeyPatch) -> None:
    look_up = Sender._look_up

    def at_once(self: Any, keys: list[str], patience_s: float, *, first_s: float) -> list[str]:
        return look_up(self, keys, 0.0, first_s=0.0)

    monkeypatch.setattr(Sender, "_look_up", at_once)


def keep_a_torn_line(monkeypatch: pytest.MonkeyPatch) -> None:
    append = Feedback.append

    def careless(self: Feedback, lines: list[Any]) -> None:
        self._size = self.path.stat().st_size if self.path.exists() else 0
        append(self, lines)

    monkeypatch.setattr(Feedback, "append", careless)


BREAKING: dict[Callable[[pytest.MonkeyPatch], None], int] = {
    ignore_the_lease: 0,
    send_again_without_looking: 25,
    move_the_cursor_before_the_answers_are_stored: 40,
    wait_for_nothing_that_may_arrive_late: 40,
    keep_a_torn_line: 125,
}
"""What is broken, and the seed from which on schedules are tried: a little before one that finds it, to save time."""


@pytest.mark.parametrize("break_it", BREAKING, ids=lambda function: function.__name__)
def test_what_is_broken_on_purpose_is_found(
    break_it: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    break_it(monkeypatch)
    found = next((history for seed in range(BREAKING[break_it], 300) if (history := simulate(seed)).broken), None)
    assert found is not None
    assert f"--seed {found.seed}" in str(found)


# -- on the command line


def test_the_first_broken_schedule_is_printed_with_its_seed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def histories(jobs: int, seeds: Iterable[int]) -> Iterable[History]:
        return [History(seed, [f"history of {seed}"], "a promise" if seed == 6 else "") for seed in seeds]

    monkeypatch.setattr(simulation, "_histories", histories)
    assert simulation.main(["--first", "5", "--schedules", "3"]) == 1
    printed = capsys.readouterr().out
    assert "history of 6\na promise\nagain: python -m bridge.testing.simulation --seed 6" in printed
    assert "history of 7" not in printed


def test_schedules_that_keep_their_promises_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    assert simulation.main(["--schedules", "2", "--jobs", "1"]) == 0
    assert capsys.readouterr().out == "seeds 0 to 1: 0 broke a promise\n"


def test_one_seed_is_told_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    assert simulation.main(["--seed", "3"]) == 0
    assert capsys.readouterr().out.startswith("seed 3\n")
