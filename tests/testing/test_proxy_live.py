"""Our own clients through the proxy to the real servers: each verb does what each fault demands."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, NamedTuple

import pytest

from bridge.annotations import Annotation
from bridge.clock import TestClock
from bridge.errors import Busy, NotFound, ServerError, TooLarge, UnexpectedReply
from bridge.records import Record, Suggestion
from bridge.servers import argilla_workspace, http, label_studio_tasks
from bridge.servers.argilla import Argilla
from bridge.servers.label_studio import LabelStudio
from bridge.servers.protocol import Project, Server
from bridge.servers.retries import Retries
from bridge.templates import load_template
from bridge.testing import (
    ArgillaPerson,
    Drop,
    Fault,
    FaultProxy,
    HalfSent,
    LabelStudioPerson,
    NotJson,
    ProxiedRequest,
    Redirect,
    Reply,
    Reset,
    Short,
    Stall,
    Truncated,
    in_turn,
)
from tests.waiting import eventually

pytestmark = pytest.mark.live

TEMPLATE = load_template("rating")
NUMBERS = itertools.count(1)
WRITE = r"/import$|/records/bulk$"
LIST = r"/api/tasks/$|/records$|/records/search$"
"""Paths of the requests that write records, and of those that read lists of them, on either server."""


class Site(NamedTuple):
    """A real server, and how one connects to it or to what stands before it."""

    url: str
    secret: str
    connect: Callable[[str], Server]
    person: Callable[[Project], Any]
    clock: TestClock


@pytest.fixture(params=["label-studio", "argilla"])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    clock = TestClock(datetime.now(UTC).timestamp())
    retries = Retries(clock=clock)
    opened: list[Server] = []
    server: Any = request.getfixturevalue(request.param.replace("-", "_"))

    def connect(url: str) -> Server:
        if request.param == "argilla":
            opened.append(Argilla(url, server.api_key, server.workspace, retries=retries))
        else:
            opened.append(LabelStudio(url, server.token, retries=retries))
        return opened[-1]

    def person(project: Project) -> Any:
        if request.param == "argilla":
            opened.append(ArgillaPerson(server.url, server.api_key, server.workspace))
        else:
            opened.append(LabelStudioPerson(server.url, server.token))
        opened[-1].ensure(project, create=False)
        return opened[-1]

    key = server.api_key if request.param == "argilla" else server.token
    yield Site(server.url, key.reveal(), connect, person, clock)
    for connection in opened:
        connection.close()


@pytest.fixture
def project(site: Site) -> Project:
    """A project that is on the server, and empty."""
    made = Project(f"Proxy {os.getpid()} {next(NUMBERS)}", TEMPLATE)
    site.connect(site.url).ensure(made, create=True)
    return made


@pytest.fixture
def direct(site: Site, project: Project) -> Server:
    """A connection without a proxy."""
    server = site.connect(site.url)
    server.ensure(project, create=True)
    return server


@pytest.fixture
def proxy(site: Site) -> Iterator[FaultProxy]:
    with FaultProxy(site.url) as made:
        yield made


@pytest.fixture
def server(site: Site, project: Project, proxy: FaultProxy) -> Server:
    """A connection through the proxy, which does no harm until it is given a rule."""
    made = site.connect(proxy.url)
    made.ensure(project, create=True)
    return made


def records(count: int = 3) -> list[Record]:
    return [
        Record(f"r{n}", {"prompt": f"{n} + {n}?", "response": str(2 * n)}, [Suggestion("rating", 4)])
        for n in range(1, count + 1)
    ]


KEYS = [record.key for record in records()]


def always(fault: Fault, path: str) -> Callable[[ProxiedRequest], Fault | None]:
    return in_turn(*[fault] * 100, path=path)


def held(direct: Server) -> dict[str, int]:
    return {key: len(found) for key, found in direct.find(KEYS).items()}


# -- writes


@pytest.mark.parametrize(
    "fault",
    [
        Reply(500, forward=True),
        Reply(502, forward=True),
        Reply(503, forward=True, retry_after=7),
        Reply(504, forward=True),
        Drop(),
        Reset(),
        Short(),
        Truncated(),
        NotJson(forward=True),
    ],
    ids=str,
)
def test_a_write_whose_reply_is_lost_is_unknown_and_there_once(
    server: Server, direct: Server, proxy: FaultProxy, fault: Fault
) -> None:
    proxy.rule = always(fault, WRITE)
    outcomes = server.write(records())
    assert [(outcome.key, outcome.result) for outcome in outcomes] == [(key, "unknown") for key in KEYS]
    assert {outcome.wait_s for outcome in outcomes} == {7.0 if fault == Reply(503, True, 7) else 0.0}
    assert [seen.carried_out for seen in proxy.seen if seen.fault] == [
        201 if isinstance(server, LabelStudio) else 200
    ], "sent once, and carried out"
    eventually(lambda: held(direct) == dict.fromkeys(KEYS, 1))


@pytest.mark.parametrize("fault", [Reply(502), Drop(forward=False), NotJson(), HalfSent()], ids=str)
def test_a_write_that_never_arrived_is_unknown_as_well_and_not_there(
    server: Server, direct: Server, proxy: FaultProxy, fault: Fault
) -> None:
    proxy.rule = always(fault, WRITE)
    assert {outcome.result for outcome in server.write(records())} == {"unknown"}
    assert [seen.forwarded for seen in proxy.seen if seen.fault] == [False]
    proxy.rule = in_turn()
    assert server.progress().records == 0
    assert {outcome.result for outcome in server.write(records())} == {"accepted"}
    assert held(direct) == dict.fromkeys(KEYS, 1)


def test_a_write_that_was_given_up_can_arrive_late(
    server: Any, direct: Server, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "READ_TIMEOUT_S", 0.5)
    server._http._reconnect()
    proxy.rule = always(Stall(1.5, forward=False), WRITE)
    assert {outcome.result for outcome in server.write(records())} == {"unknown"}
    eventually(lambda: held(direct) == dict.fromkeys(KEYS, 1))


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_a_busy_server_is_waited_for_by_the_caller(
    server: Server, direct: Server, proxy: FaultProxy, form: str
) -> None:
    asked: int | datetime = 4000 if form == "seconds" else datetime.now(UTC) + timedelta(seconds=4000)
    proxy.rule = always(Reply(429, retry_after=asked), WRITE)
    with pytest.raises(Busy) as caught:
        server.write(records())
    # A date says less from one second to the next.
    assert caught.value.wait_s == 4000 if form == "seconds" else 3000 < caught.value.wait_s <= 4000
    assert len([seen for seen in proxy.seen if seen.fault]) == 1
    assert direct.progress().records == 0


def test_a_gateway_that_takes_no_large_requests_is_an_error_of_its_own(
    server: Server, direct: Server, proxy: FaultProxy
) -> None:
    proxy.rule = always(Reply(413), WRITE)
    with pytest.raises(TooLarge):
        server.write(records())
    assert direct.progress().records == 0


# -- reads


READS: dict[str, Callable[[Server], Any]] = {
    "find": lambda server: server.find(KEYS),
    "listing": lambda server: [entry for page in server.listing() for entry in page],
    "changes": lambda server: [found for page in server.changes() for found in page.records],
}

BROKEN = [Reply(500), Reply(502, forward=True), Drop(), Reset(), Short(), Truncated(), NotJson(), HalfSent()]


@pytest.fixture
def answered(site: Site, project: Project, direct: Server) -> list[Annotation]:
    """Three records with an answer each."""
    direct.write(records())
    person = site.person(project)
    for key in KEYS:
        person.annotate(key, {"rating": 3})
    return [a for page in direct.changes() for found in page.records for a in found.annotations]


@pytest.mark.parametrize("fault", BROKEN, ids=str)
def test_a_list_that_is_never_whole_is_an_error(
    server: Server, answered: list[Annotation], proxy: FaultProxy, fault: Fault
) -> None:
    proxy.rule = always(fault, LIST)
    for name, read in READS.items():
        before = len(proxy.seen)
        with pytest.raises(UnexpectedReply):
            pytest.fail(f"{name}: {read(server)}")
        assert fault in [seen.fault for seen in proxy.seen[before:]]


@pytest.mark.parametrize("fault", [*BROKEN, Reply(404)], ids=str)
def test_a_list_that_breaks_off_after_its_first_page_is_an_error(
    server: Server,
    answered: list[Annotation],
    proxy: FaultProxy,
    monkeypatch: pytest.MonkeyPatch,
    fault: Fault,
) -> None:
    monkeypatch.setattr(label_studio_tasks, "PAGE_SIZE", 2)
    monkeypatch.setattr(argilla_workspace, "PAGE_SIZE", 2)
    for verb in (server.listing, server.changes):
        proxy.rule = in_turn(None, *[fault] * 100, path=LIST)
        pages: list[Any] = []
        with pytest.raises(NotFound if fault == Reply(404) else UnexpectedReply):
            pages.extend(verb())
        assert len(pages) == 1
        assert len(getattr(pages[0], "records", pages[0])) == 2


@pytest.mark.parametrize("read", list(READS))
def test_a_list_that_breaks_off_and_comes_whole_afterwards_is_whole(
    site: Site, server: Server, direct: Server, answered: list[Annotation], proxy: FaultProxy, read: str
) -> None:
    proxy.rule = in_turn(Reset(), Reply(503, retry_after=20), Truncated(), path=LIST)
    assert READS[read](server) == READS[read](direct)
    assert len([seen for seen in proxy.seen if seen.fault]) == 3
    assert len(site.clock.slept) == 3
    assert site.clock.slept[1] >= 20


# -- the key


class Canary:
    """A server that must never be asked for anything."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        canary = self

        class Handler(BaseHTTPRequestHandler):
            def note(self) -> None:
                canary.asked.append(f"{self.command} {self.path} {self.headers}")
                self.send_error(404)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = note  # noqa: N815

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = False
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_verb_follows_a_redirect_and_the_key_goes_nowhere_else(
    site: Site, server: Server, direct: Server, project: Project, proxy: FaultProxy, status: int
) -> None:
    writes: dict[str, Callable[[Server], Any]] = {
        "ensure": lambda server: server.ensure(project, create=True),
        "write": lambda server: server.write(records()),
        "update": lambda server: server.update(records()),
        "remove": lambda server: server.remove(["1"]),
        "repair": lambda server: server.repair(records()),
        "progress": lambda server: server.progress(),
        "people": lambda server: server.people(),
    }
    with closing(Canary()) as canary:
        proxy.rule = always(Redirect(canary.url, status), "")
        for name, verb in {**READS, **writes}.items():
            before = len(proxy.seen)
            with pytest.raises(ServerError) as caught:
                pytest.fail(f"{name}: {verb(server)}")
            assert site.secret not in f"{caught.value} {caught.value!r}"
            assert len(proxy.seen) == before + 1, f"{name}: sent once, and not again"
    assert canary.asked == []
    assert direct.progress().records == 0
