"""The real command line is killed at points all along its way, on both real servers, and run again.

Whatever the point: each record is there once (on Label Studio after `doctor --repair`), every row of the file is
accepted or rejected with a reason, no answer is lost, and every exported row goes back to answers that are there.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

import bridge
from bridge.campaign import Campaign
from bridge.errors import Conflict, NotFound
from bridge.servers.memory import MemoryServer
from bridge.servers.protocol import Server
from bridge.sync.reconcile import survey
from tests.faults import killed
from tests.faults.sites import Person, Site, project_of, rows

pytestmark = pytest.mark.usefixtures("small_batches")

PACKAGE = str(Path(bridge.__file__).parent.parent)
ROWS = rows(12)
KEYS = [row["id"] for row in ROWS]
SAMPLE = 48
"""Points of a push at which a process is killed beside a live server; test_crash_matrix.py has them all."""
BAD = {"id": "bad", "prompt": "a row without a response"}


class Doomed:
    """Runs commands in processes of their own, which kill themselves."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, killed.__file__],
            env={**os.environ, "PYTHONPATH": PACKAGE},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, folder: Path, command: str, *, kind: str = "", number: int = 0) -> tuple[int, list[str]]:
        """The exit code, and the kinds of the points that were passed, in order."""
        assert self._process.stdin
        assert self._process.stdout
        passed = folder / "passed.txt"
        job = [kind, number, str(passed), command, "-C", str(folder)]
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline()), passed.read_text().splitlines()

    def killed_at_each(
        self, points: list[str], folders: Iterable[Path], command: str, *, most: int = 1000
    ) -> Iterator[tuple[str, Path]]:
        """Kill a command at each of its points in turn, or at so many drawn by a seed, each time in another folder."""
        drawn = set(random.Random(0).sample(range(len(points)), min(most, len(points))))
        reached: Counter[str] = Counter()
        missed = 0
        for number, (kind, folder) in enumerate(zip(points, folders, strict=True)):
            reached[kind] += 1
            if number not in drawn:
                continue
            code, passed = self.run(folder, command, kind=kind, number=reached[kind])
            where = f"killed at {kind}, number {reached[kind]}"
            if code == -signal.SIGKILL:
                # During a request the clock kills, perhaps when a quick server has answered already.
                assert kind in (passed if kind.startswith("during") else passed[-1:]), where
            else:
                assert passed.count(kind) < reached[kind], f"not {where}"
                missed += 1
            yield where, folder
        assert missed <= len(drawn) // 20, "the way is about the same each time"

    def close(self) -> None:
        self._process.communicate(timeout=60)


@pytest.fixture
def doomed(request: pytest.FixtureRequest) -> Iterator[Doomed]:
    if "site" in request.fixturenames:
        request.getfixturevalue("site")  # it sets the key
    made = Doomed()
    yield made
    made.close()


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def answers_of(campaign: Campaign) -> list[tuple[Any, ...]]:
    """Every revision of every answer."""
    return sorted(
        (a.record, a.source["id"], a.revision, a.annotator, a.status, a.deleted, json.dumps(dict(a.answers)))
        for a in campaign.annotations(history=True)
    )


def assert_traceable(campaign: Campaign, live: set[str]) -> None:
    """Every exported row goes back to answers that are on the server, by their ids."""
    stored = {(a.record, a.annotator): a for a in campaign.annotations()}
    rows = json.loads((campaign.out / "sft.manifest.json").read_text())["rows"]
    assert rows
    for row in rows:
        assert row["revisions"].keys() == set(row["annotators"])
        for who, revision in row["revisions"].items():
            answer = stored[row["record"], who]
            assert (answer.revision, answer.deleted) == (revision, False)
            assert answer.source["id"] in live


def answer_what_is_there(server: Server, person: Person, campaign: Campaign) -> dict[str, str]:
    """Somebody answers a record of a push that was killed, if it came that far; key and id of the answer."""
    project = project_of(campaign)
    try:
        server.ensure(project, create=False)
    except (NotFound, Conflict):  # not there, or not finished
        return {}
    there = sorted(server.find(KEYS))
    if there:
        person.ensure(project, create=False)
    return {key: person.annotate(key, {"rating": 5}) for key in there[-1:]}


@pytest.mark.live
def test_a_push_that_is_killed_anywhere_is_made_whole_by_the_next(site: Site, doomed: Doomed, tmp_path: Path) -> None:
    sent = ROWS[:8]  # two batches
    code, points = doomed.run(site.folder(tmp_path / "plain", [*sent, BAD]), "push")
    assert code == 3, "done in part: one row is bad"
    assert len(points) >= 40
    assert {what.partition(" ")[0] for what in points} == {"before", "in", "during", "after"}

    person, server = site.person("ann"), site.connect()
    folders = (site.folder(tmp_path / f"{n}", [*sent, BAD]) for n in range(1, len(points) + 1))
    for where, folder in doomed.killed_at_each(points, folders, "push", most=SAMPLE):
        campaign = Campaign(folder, server=server)
        answered = answer_what_is_there(server, person, campaign)

        result = campaign.push()
        assert [(reject.line, bool(reject.reason)) for reject in result.rejected] == [(9, True)], where
        assert [line["line"] for line in lines(campaign.out / "rejects.jsonl")] == [9], where
        assert not result.unknown, where
        held = survey(server)
        if held.doubled and not server.capabilities.unique_keys:
            # The write was under way, and arrived after everybody had stopped waiting for it.
            assert campaign.doctor(repair=True).healthy, where
            held = survey(server)
        assert {key: len(copies) for key, copies in held.there.items()} == dict.fromkeys(KEYS[:8], 1), where
        assert {remote.suggestions for copies in held.there.values() for remote in copies} == {1}, where

        if answered:
            campaign.pull()
            assert {a.record: a.source["id"] for a in campaign.annotations()} == answered, where
            campaign.export()
            assert_traceable(campaign, set(answered.values()))
    assert Campaign(folder, server=server).doctor().healthy


@pytest.mark.live
def test_a_pull_that_is_killed_anywhere_is_made_whole_by_the_next(site: Site, doomed: Doomed, tmp_path: Path) -> None:
    server = site.connect()
    folder = site.folder(tmp_path / "campaign", ROWS)
    campaign = Campaign(folder, server=server)
    campaign.push()
    ann, bob = site.person("ann"), site.person("bob")
    for person in (ann, bob):
        person.ensure(project_of(campaign), create=False)
    given = {key: ann.annotate(key, {"rating": 5}) for key in KEYS[:8]}
    campaign.pull()
    campaign.export()
    ann.change(given[KEYS[0]], {"rating": 1})
    ann.withdraw(given.pop(KEYS[1]))
    live = {*given.values(), *(bob.annotate(key, {"rating": 4}) for key in KEYS[6:11])}

    reference = shutil.copytree(folder, tmp_path / "plain")
    code, points = doomed.run(reference, "pull")
    assert code == 0
    assert len(points) >= 15
    expected = answers_of(Campaign(reference))
    copies = (shutil.copytree(folder, tmp_path / f"{n}") for n in range(1, len(points) + 1))
    for where, copy in doomed.killed_at_each(points, copies, "pull"):
        again = Campaign(copy, server=server)
        again.pull()
        assert answers_of(again) == expected, where
        again.export()
        assert_traceable(again, live)


def test_an_export_that_is_killed_anywhere_leaves_whole_files_and_is_made_whole_by_the_next(
    doomed: Doomed, tmp_path: Path
) -> None:
    folder = tmp_path / "campaign"
    folder.mkdir()
    (folder / "records.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    config = {
        "project": "Sums",
        "server": {"kind": "memory"},
        "records": {"path": "records.jsonl", "id": "id"},
        "template": "rating",
    }
    (folder / "campaign.yaml").write_text(json.dumps(config))
    server = MemoryServer()
    campaign = Campaign(folder, server=server)
    campaign.push()
    for key in KEYS[:6]:
        server.annotate(key, "ann", {"rating": 5})
    campaign.pull()
    campaign.export()
    before = {path.name: path.read_bytes() for path in campaign.out.iterdir()}
    for key in KEYS[3:9]:
        server.annotate(key, "ann", {"rating": 4})
    campaign.pull()

    reference = shutil.copytree(folder, tmp_path / "plain")
    code, points = doomed.run(reference, "export")
    assert code == 0
    assert len(points) >= 10
    after = {path.name: path.read_bytes() for path in (reference / "out").iterdir()}
    assert after != before
    copies = (shutil.copytree(folder, tmp_path / f"{n}") for n in range(1, len(points) + 1))
    for where, copy in doomed.killed_at_each(points, copies, "export"):
        for name, old in before.items():
            assert (copy / "out" / name).read_bytes() in (old, after[name]), f"{where}: {name}"
        Campaign(copy).export()
        assert {name: (copy / "out" / name).read_bytes() for name in after} == after, where
