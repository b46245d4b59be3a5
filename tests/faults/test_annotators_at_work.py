"""Label Studio on SQLite loses predictions behind a 201 where somebody saves during an import. Here two people do."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from bridge.campaign import Campaign
from bridge.errors import UnknownOutcome
from bridge.sync.reconcile import survey
from tests.faults.sites import Person, Site, project_of, rows, write_records

pytestmark = pytest.mark.live

EVERY_S = 0.3
FIRST, MORE = 400, 2_000
AT_LEAST = 10  # answers that each of them saves while records come in
ROUNDS = 6  # a fast machine writes MORE records before anybody saved that often; then more records come


class AtWork(threading.Thread):
    """Somebody who answers a record every third of a second, until told to stop."""

    def __init__(self, person: Person, keys: list[str]) -> None:
        super().__init__()
        self.person, self.keys = person, keys
        self.saved: dict[str, str] = {}
        self.unclear: set[str] = set()
        self.told_to_stop = threading.Event()

    def run(self) -> None:
        for key in self.keys:
            if self.told_to_stop.wait(EVERY_S):
                return
            try:
                self.saved[self.person.annotate(key, {"rating": 5})] = key
            except UnknownOutcome:
                self.unclear.add(key)  # it may be there, as their page would tell them


def test_a_push_beside_two_people_who_save_loses_no_prediction_and_no_answer(
    label_studio_site: Site, tmp_path: Path
) -> None:
    site = label_studio_site
    everything = rows(FIRST)
    folder = site.folder(tmp_path / "campaign", everything)
    Campaign(folder).push()

    workers = []
    for name, first in (("ann", 0), ("bob", 1)):
        person = site.person(name)
        person.ensure(project_of(Campaign(folder)), create=False)
        workers.append(AtWork(person, [row["id"] for row in everything[first::2]]))
    for worker in workers:
        worker.start()
    try:
        for _ in range(ROUNDS):
            before = len(everything)
            everything = rows(before + MORE)
            write_records(folder, everything)
            result = Campaign(folder).push()
            assert (result.sent, result.present, result.complete) == (MORE, before, True)
            if all(len(worker.saved) > AT_LEAST for worker in workers):
                break
    finally:
        for worker in workers:
            worker.told_to_stop.set()
        for worker in workers:
            worker.join()
    assert all(len(worker.saved) > AT_LEAST for worker in workers), "they were at work all the time"

    server = site.connect()
    server.ensure(project_of(Campaign(folder)), create=False)
    there = survey(server).there
    assert {key: [remote.suggestions for remote in copies] for key, copies in there.items()} == {
        row["id"]: [1] for row in everything
    }, "each record once, with its prediction"

    Campaign(folder).pull()
    pulled = {a.source["id"]: a.record for a in Campaign(folder).annotations()}
    saved = {id_: key for worker in workers for id_, key in worker.saved.items()}
    assert pulled.items() >= saved.items()
    assert {pulled[id_] for id_ in pulled.keys() - saved.keys()} <= {key for w in workers for key in w.unclear}
    assert Campaign(folder).doctor().healthy
