"""Changed texts on servers that are overtaxed, and pushes of them that broke off."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from bridge.clock import TestClock
from bridge.errors import Busy, TooLarge
from bridge.records import Record, record_key
from bridge.servers.memory import LIKE_ARGILLA, LIKE_LABEL_STUDIO, MemoryServer
from bridge.servers.protocol import Outcome, Project
from bridge.sync.ledger import Ledger
from bridge.sync.plan import OnChange, new_key
from bridge.sync.push import push
from bridge.sync.push_result import PushResult
from bridge.templates import load_template

PROJECT = Project("Demo", load_template("rating"))


def records(count: int, text: str) -> list[Record]:
    return [Record(f"r{n}", {"prompt": f"{n}?", "response": text}) for n in range(count)]


class Server(MemoryServer):
    """A server that takes so many changed texts at once, and asks to wait so many times; some it refuses."""

    largest, tired, bad = 100, 0, ""

    def update(self, records: Sequence[Record]) -> list[Outcome]:
        if len(records) > self.largest or (len(records) == 1 and records[0].key == self.bad):
            raise TooLarge("413: too large", remedy="send less")
        if self.tired:
            self.tired -= 1
            raise Busy("429", wait_s=90.0)
        return super().update(records)


class Campaign:
    """A server and a ledger, after a first push of four records."""

    def __init__(self) -> None:
        self.clock = TestClock()
        self.ledger = Ledger(clock=self.clock)
        self.server = Server(profile=LIKE_LABEL_STUDIO)
        self.push(records(4, "old"))

    def push(self, sent: Sequence[Record], on_change: OnChange | None = None) -> PushResult:
        return push(self.server, PROJECT, sent, ledger=self.ledger, on_change=on_change)

    def texts(self) -> dict[str, str]:
        held = self.server._held.records
        assert len({record["key"] for record in held.values()}) == len(held), "something is there twice"
        return {record["key"]: record["fields"]["response"] for record in held.values()}


@pytest.fixture
def campaign() -> Campaign:
    return Campaign()


def test_too_many_changed_texts_at_once_are_halved(campaign: Campaign) -> None:
    campaign.server.largest = 1
    result = campaign.push(records(4, "new"))
    assert (result.updated, result.complete) == (4, True)


def test_one_text_that_is_too_large_is_rejected_and_its_siblings_are_changed(campaign: Campaign) -> None:
    campaign.server.largest, campaign.server.bad = 1, "r2"
    result = campaign.push(records(4, "new"))
    assert result.updated == 3
    assert [(reject.key, reject.reason) for reject in result.rejected] == [("r2", "413: too large")]


def test_a_text_that_was_refused_leaves_its_record_as_one_that_is_there(campaign: Campaign) -> None:
    campaign.server.largest, campaign.server.bad = 1, "r2"
    campaign.push(records(4, "new"))
    campaign.server.bad = ""
    assert campaign.push(records(4, "new")).updated == 1
    assert campaign.texts() == {f"r{n}": "new" for n in range(4)}


def test_a_server_that_asks_to_wait_is_waited_for(campaign: Campaign) -> None:
    campaign.server.tired = 2
    assert campaign.push(records(4, "new")).updated == 4
    assert sum(campaign.clock.slept) == 180.0


class Killed(BaseException):
    """The process ends."""


def kill_before_writing(campaign: Campaign, on_change: OnChange) -> None:
    def killed(records: Sequence[Record]) -> list[Outcome]:
        raise Killed

    campaign.server.write = killed  # type: ignore[method-assign]
    with pytest.raises(Killed):
        campaign.push(records(4, "new"), on_change)
    del campaign.server.write  # type: ignore[method-assign]


def test_a_text_that_was_to_be_sent_beside_the_old_one_and_never_arrived_is_not_gone(campaign: Campaign) -> None:
    campaign.server.annotate("r0", "ann", {"rating": 4})
    kill_before_writing(campaign, "new")
    result = campaign.push(records(4, "new"))
    assert (result.gone, result.changed) == ([], ["r0"])
    assert campaign.push(records(4, "new"), "new").sent == 1
    assert new_key("r0", record_key(records(1, "new")[0].fields)) in campaign.texts()


def test_what_becomes_of_a_text_that_never_arrived_may_be_decided_anew(campaign: Campaign) -> None:
    campaign.server.annotate("r0", "ann", {"rating": 4})
    kill_before_writing(campaign, "new")
    assert campaign.push(records(4, "new"), "stale").updated == 1  # the others were, before it died
    assert campaign.texts() == {f"r{n}": "new" for n in range(4)}


def test_a_changed_text_that_a_lagging_index_does_not_show_is_not_gone(campaign: Campaign) -> None:
    """On a server that lets a second copy replace the first, sending it again would hide what people answered."""
    campaign.server = Server(profile=LIKE_ARGILLA)
    campaign.ledger = Ledger(clock=campaign.clock)
    campaign.push(records(4, "old"))
    campaign.server.annotate("r0", "ann", {"rating": 4})
    campaign.server.find = lambda keys: {}  # type: ignore[method-assign]
    result = push(campaign.server, PROJECT, records(4, "new"), ledger=campaign.ledger, recreate=True)
    assert (result.changed, result.gone, result.sent) == (["r0"], [], 0)
    assert campaign.texts()["r0"] == "old"
