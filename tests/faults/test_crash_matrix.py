"""A campaign is killed at every point at which it leaves a trace, one after the other: nothing twice, nothing lost.

The points are before and after each call of the server, each commit of the ledger and each file that appears, and in
the middle of lines that are appended to the feedback store.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bridge.annotations import Annotation
from bridge.campaign import Campaign
from bridge.clock import TestClock
from bridge.servers.memory import PLAIN, MemoryServer, Profile
from bridge.servers.protocol import Server
from bridge.sync import lease, people
from bridge.testing import Crash, FaultyServer
from bridge.testing.mortal import Line, Mortal, mortal
from bridge.testing.world import CAMPAIGN, PROFILES, campaign


def write_rows(folder: Path, count: int, **texts: str) -> None:
    """So many rows, one of them twice, one that no server takes, and one that is no record."""
    rows = [
        {"id": f"r{n}", "prompt": f"{n}?", "response": texts.get(f"r{n}", "old"), "rating": 3} for n in range(count)
    ]
    rows += [rows[0], {"id": "poison", "prompt": "?", "response": "!"}, {"id": "broken", "prompt": "?"}]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))


class Life:
    """One campaign from its first push to its training set, which dies once on the way, or never."""

    def __init__(self, folder: Path, profile: Profile, at: int = 0) -> None:
        self.folder, self.at = folder, at
        folder.mkdir()
        self.clock = TestClock(1_800_000_000.0)
        small = replace(profile, capabilities=replace(profile.capabilities, batch=3))
        self.truth = MemoryServer(profile=small, clock=lambda: datetime.fromtimestamp(self.clock.now, UTC))
        self.server = FaultyServer(
            self.truth,
            at={("write", 2): "committed", ("write", 5): "lost"},
            clock=self.clock,
            poison=lambda key: key == "poison",
            page_size=2,
        )
        self.number = 1  # of the process that is running
        self.process = Mortal(folder, at=at)

    def __str__(self) -> str:
        return f"killed at point {self.at}"

    def run(self, command: Callable[[Campaign], Any]) -> Any:
        """Run a command; where it dies, once more."""
        try:
            return self._run(command)
        except Crash:
            self.process.revive()
            # The next one finds that the holder of the lease is gone, or that its lease has run out.
            self.number += self.at % 2
            self.clock.sleep(0 if self.at % 2 else lease.EXPIRES_S + 1)
            self.process = Mortal(self.folder)
            return self._run(command)

    def _run(self, command: Callable[[Campaign], Any]) -> Any:
        opened = campaign(self.folder, self.clock)
        opened._server = cast("Server", Line(self.server, self.process))
        return command(opened)

    def live(self) -> None:
        """All of it."""
        write_rows(self.folder, 7)
        self.run(Campaign.push)
        for key, rating in (("r1", 5), ("r2", 4), ("r3", 5), ("r4", 2)):
            self.truth.annotate(key, "ann", {"rating": rating})
        self.truth.annotate("r2", "bo", {"rating": 1})
        self.run(Campaign.pull)
        self.truth.annotate("r4", "ann", {"rating": 5})
        self.truth.withdraw("r2", "bo")
        write_rows(self.folder, 10, r1="new, after an answer", r6="new, before any")
        self.run(lambda campaign: campaign.push(on_change="new"))
        (beside,) = (key for page in self.truth.listing() for key, _ in page if key.startswith("r1@"))
        self.truth.annotate(beside, "bo", {"rating": 4})
        self.truth.annotate("r8", "bo", {"rating": 5})
        self.run(Campaign.pull)
        self.run(Campaign.export)

    # What is left of it

    def texts(self) -> list[tuple[str, str]]:
        """Each record on the server, and what it shows."""
        return sorted((held["key"], held["fields"]["response"]) for held in self.truth._held.records.values())

    def stored(self) -> list[tuple[str, str, str, Any]]:
        """The answers that count, by the store."""
        named = self._run(Campaign.people)
        return sorted(
            (a.record, named[a.annotator], a.updated_at, a.answers["rating"])
            for a in self._run(Campaign.annotations)
            if not a.deleted
        )

    def given(self) -> list[tuple[str, str, str, Any]]:
        """The answers on the server."""
        held = map(Annotation.from_dict, self.truth._held.annotations.values())
        return sorted((a.record, a.annotator, a.updated_at, a.answers["rating"]) for a in held)

    def out(self) -> dict[str, bytes]:
        """Every file of results: the training set, its manifest with the revisions, what was dropped and rejected."""
        files = (path for path in sorted((self.folder / "out").iterdir()) if path.suffix != ".tmp")
        return {path.name: re.sub(rb"fault \d+", b"fault", path.read_bytes()) for path in files}

    def revisions(self) -> list[tuple[str, str, int, bool]]:
        """All that was ever pulled."""
        history = self._run(lambda campaign: campaign.annotations(history=True))
        return [(a.record, a.annotator, a.revision, a.deleted) for a in history]


@pytest.fixture
def begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Life]]:
    running: list[Life] = []
    monkeypatch.setattr(people, "secrets", SimpleNamespace(token_bytes=bytes))  # pseudonyms that can be compared
    monkeypatch.setattr(lease, "_began", lambda pid: str(running[-1].number))

    def begun(profile: Profile, at: int = 0) -> Life:
        running[:] = [Life(tmp_path / f"{at}", profile, at)]
        running[-1].live()
        return running[-1]

    with mortal(lambda: running[-1].process):
        yield begun


def test_there_are_points_of_every_sort(begin: Callable[..., Life]) -> None:
    reached = set(begin(PLAIN).process.points)
    assert {
        f"{verb}: {when}" for verb in ("ensure", "write", "find", "update", "changes") for when in ("before", "after")
    } <= reached
    assert {"ledger: before the commit", "ledger: after the commit"} <= reached
    assert {f"feedback: {what}written" for what in ("", "half ", "nothing ", "all but the end ")} <= reached
    assert {"pseudonym.key: after it appeared", "sft.manifest.json: before it appears"} <= reached


@pytest.mark.parametrize("kind", PROFILES)
@pytest.mark.parametrize("part", range(4))
def test_wherever_it_is_killed_nothing_is_doubled_and_nothing_is_lost(
    kind: str, part: int, begin: Callable[..., Life]
) -> None:
    undisturbed = begin(PROFILES[kind])
    points = undisturbed.process.points
    assert undisturbed.stored() == undisturbed.given()
    for at in range(1 + part, len(points) + 1, 4):
        life = begin(PROFILES[kind], at)
        where = f"{kind}, killed at point {at}, {points[at - 1]}"
        assert life.texts() == undisturbed.texts(), where
        assert life.stored() == life.given(), where
        assert life.revisions() == undisturbed.revisions(), where
        assert life.out() == undisturbed.out(), where
        shutil.rmtree(life.folder)


# -- a real process, and a real SIGKILL

DOOMED = """
import os, signal, sys
from pathlib import Path
from bridge.cli import main
from bridge.testing.mortal import Mortal, mortal

class Doomed(Mortal):
    def reach(self, point, spoil=None):
        self.points.append(point)
        if len(self.points) == int(sys.argv[1]):
            os.kill(os.getpid(), signal.SIGKILL)

process = Doomed(Path.cwd())
with mortal(lambda: process):
    main(sys.argv[2:])
"""


@pytest.mark.parametrize("at", [2, 5, 8, 11, 14, 17])
def test_a_process_that_is_killed_leaves_what_the_next_one_goes_on_from(at: int, tmp_path: Path) -> None:
    (tmp_path / "campaign.yaml").write_text(json.dumps(CAMPAIGN))
    (tmp_path / "rows.jsonl").write_text(
        "\n".join(f'{{"id": "r{n}", "prompt": "?", "response": "{n}"}}' for n in range(3))
    )

    def annobridge(at: int) -> int:
        code = [sys.executable, "-c", DOOMED, str(at), "push", "--json"]
        return subprocess.run(
            code, cwd=tmp_path, env={**os.environ, "PYTHONPATH": ROOT}, capture_output=True
        ).returncode

    assert annobridge(at) == -signal.SIGKILL
    assert annobridge(0) == 0
    server = MemoryServer(tmp_path / ".annobridge" / "memory-server.json")
    after = Campaign(tmp_path, server=server)
    assert after.push().present == 3
    assert server.progress().records == 3
    assert after.doctor().healthy


ROOT = str(Path(__file__).resolve().parents[2])
