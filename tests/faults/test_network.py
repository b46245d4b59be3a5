"""Whole pushes and pulls through a proxy that breaks them, to both real servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bridge.campaign import Campaign
from bridge.clock import SYSTEM, Clock, TestClock
from bridge.errors import ServerError
from bridge.servers import http
from bridge.sync.push import push
from bridge.sync.reconcile import survey
from bridge.testing import (
    Drop,
    Fault,
    FaultProxy,
    HalfSent,
    NotJson,
    Redirect,
    Reply,
    Reset,
    Short,
    Stall,
    Truncated,
    in_turn,
)
from tests.faults.sites import Site, project_of, rows, write_records

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("small_batches")]

WRITE = r"/import$|/records/bulk$"
LIST = r"/api/tasks/$|/records$|/records/search$"
TIMEOUT_S = 1.5
SOON = datetime.now(UTC) + timedelta(seconds=90)

CARRIED_OUT: list[Fault] = [
    Drop(),
    Reply(500, forward=True),
    Reply(502, forward=True),
    Reply(503, forward=True, retry_after=7),
    Reset(),
    Short(),
    Truncated(),
    NotJson(forward=True),
    Stall(TIMEOUT_S + 1),
]
NOT_CARRIED_OUT: list[Fault] = [
    Drop(forward=False),
    Reply(429),
    Reply(429, retry_after=7),
    Reply(429, retry_after=SOON),
    Reply(500),
    Reply(502),
    Reply(503),
    Reply(503, retry_after=7),
    NotJson(),
    HalfSent(),
]


class Through:
    """A campaign on a real server, reached through a proxy; each round brings new records."""

    def __init__(self, site: Site, folder: Path, proxy: FaultProxy) -> None:
        self.site, self.proxy = site, proxy
        self.folder = site.folder(folder, rows(4), url=proxy.url)
        self.clock: Clock = TestClock(datetime.now(UTC).timestamp())
        self.count = 4
        self.open().push()
        self.direct = site.connect()
        self.direct.ensure(project_of(self.open()), create=False)
        self.ann = site.person("ann")
        self.ann.ensure(project_of(self.open()), create=False)
        self.given: dict[str, str] = {}
        self.said: list[str] = []

    def open(self) -> Campaign:
        campaign = Campaign(self.folder)
        campaign.state.clock = self.clock
        return campaign

    def round(self, fault: Fault) -> None:
        """New records go out, and a new answer comes in, while the network fails once on either way."""
        self.count += 8
        write_records(self.folder, rows(self.count))
        self.proxy.rule = in_turn(None, fault, path=WRITE)
        before = len(self.proxy.seen)
        self.until_done(lambda: self.open().push().complete)
        assert fault in [seen.fault for seen in self.proxy.seen[before:]]
        there = survey(self.direct).there
        expected = {row["id"]: [1] for row in rows(self.count)}
        assert {key: [remote.suggestions for remote in copies] for key, copies in there.items()} == expected, fault

        key = rows(1, self.count)[0]["id"]
        self.given[self.ann.annotate(key, {"rating": 5})] = key
        self.proxy.rule = in_turn(fault, path=LIST)
        before = len(self.proxy.seen)
        self.until_done(lambda: bool(self.open().pull()))
        assert not [text for text in self.said if self.site.key.reveal() in text]
        assert fault in [seen.fault for seen in self.proxy.seen[before:]]
        assert {a.source["id"]: a.record for a in self.open().annotations()} == self.given, fault

    def until_done(self, run: Callable[[], bool]) -> None:
        """What a person does: the command again, a few times at most."""
        for _ in range(3):
            try:
                if run():
                    return
            except ServerError as error:
                self.said.append(f"{error} {error!r}")
        pytest.fail("it does not come to an end")


@pytest.fixture
def through(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Through]:
    monkeypatch.setattr(http, "READ_TIMEOUT_S", TIMEOUT_S)
    with FaultProxy(site.url) as proxy:
        yield Through(site, tmp_path / "campaign", proxy)


def test_what_was_carried_out_although_the_reply_was_lost_is_there_once(through: Through) -> None:
    for fault in CARRIED_OUT:
        through.round(fault)


def test_what_was_not_carried_out_arrives_with_the_next_attempt(through: Through) -> None:
    for fault in NOT_CARRIED_OUT:
        through.round(fault)


def test_what_is_carried_out_long_after_it_was_given_up_is_waited_for(
    through: Through, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert push.__kwdefaults__ is not None
    monkeypatch.setitem(push.__kwdefaults__, "patience_s", 6.0)
    through.clock = SYSTEM
    through.round(Stall(TIMEOUT_S + 1, forward=False))


def test_a_redirect_is_not_followed_by_any_command(through: Through, site: Site) -> None:
    with FaultProxy(site.url) as elsewhere:
        through.round(Redirect(elsewhere.url))
        through.proxy.rule = lambda request: Redirect(elsewhere.url)
        for command in ("plan", "push", "pull", "status", "doctor"):
            with pytest.raises(ServerError) as caught:
                getattr(through.open(), command)()
            assert site.key.reveal() not in f"{caught.value} {caught.value!r}"
        assert elsewhere.seen == []
