"""Trying again: only what is safe, never sooner than asked, never after the deadline, and with the key at one origin.

Against a real server on the loopback; time passes only where somebody waits.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.clock import TestClock
from bridge.errors import AuthError, Busy, ServerError, UnexpectedReply, UnknownOutcome, Unreachable
from bridge.servers import http
from bridge.servers.http import Client
from bridge.servers.retries import Retries
from bridge.waits import A_DAY_S, asked_wait, http_date
from tests.waiting import eventually

SENT = "Sun, 06 Nov 1994 08:49:37 GMT"
SENT_S = 784_111_777.0
PAUSES = [0.5, 1.0, 2.0, 4.0]
"""The longest pauses between five attempts."""


class Longest(Random):
    """Draws the longest pause each time."""

    def uniform(self, a: float, b: float) -> float:
        return b


class Shortest(Random):
    """Draws the shortest pause each time."""

    def uniform(self, a: float, b: float) -> float:
        return a


# -- the server


class Seen(NamedTuple):
    method: str
    path: str
    key: str | None
    body: bytes


class Handler(BaseHTTPRequestHandler):
    """Does what the next step says; the last step is repeated."""

    server: Site

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen.append(Seen(self.command, self.path, self.headers["Authorization"], body))
        steps = self.server.steps
        step = steps.pop(0) if len(steps) > 1 else steps[0]
        step(self)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815 - the names are the standard library's

    def reply(self, status: int, body: bytes, headers: dict[str, str], length: int | None = None) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the standard library's
        pass


class Site(ThreadingHTTPServer):
    """A server on a port of its own. It takes connections once it is opened."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler, bind_and_activate=False)
        self.server_bind()
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.steps: list[Step] = [done]
        self.seen: list[Seen] = []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.serve_forever, args=(0.05,))

    def open(self) -> None:
        self.server_activate()
        self.thread.start()

    def stop(self) -> None:
        self.over.set()
        if self.thread.is_alive():
            self.shutdown()
            self.thread.join()
        self.server_close()


Step = Callable[[Handler], None]


def answers(status: int, body: bytes = b"", **headers: str) -> Step:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler: handler.reply(status, body, named)


done = answers(200, b'{"done": true}')
DONE = {"done": True}


def reset(handler: Handler) -> None:
    """The connection is torn down without a reply."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    os.close(handler.connection.detach())


def short(handler: Handler) -> None:
    """The reply ends before it has the length that it promised."""
    handler.reply(200, b'{"done": tr', {}, length=14)


def silent(handler: Handler) -> None:
    """There is no reply as long as the test lasts."""
    handler.server.over.wait()


BROKEN = {
    "reset": reset,
    "short": short,
    "truncated": answers(200, b'{"done": tr'),
    "page": answers(200, b"<!doctype html><title>Please wait</title>"),
}
FAILING = {status: answers(status) for status in (408, 425, 500, 502, 503, 504)}


@pytest.fixture
def closed() -> Iterator[Site]:
    """A site that refuses connections until it is opened."""
    site = Site()
    yield site
    site.stop()


@pytest.fixture
def site(closed: Site) -> Site:
    closed.open()
    return closed


@pytest.fixture
def elsewhere() -> Iterator[Site]:
    other = Site()
    other.open()
    yield other
    other.stop()


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


Connect = Callable[..., Client]


@pytest.fixture
def connect(closed: Site, clock: TestClock) -> Iterator[Connect]:
    """Makes clients of the site, with any of the settings of `Retries`."""
    made: list[Client] = []

    def client(authorize: Callable[[], dict[str, str]] = lambda: {"Authorization": "key"}, **settings: Any) -> Client:
        retries = Retries(**{"clock": clock, "random": Longest(), **settings})
        made.append(Client(closed.url, authorize, retries=retries))
        return made[-1]

    yield client
    for one in made:
        one.close()


# -- what is tried again


@pytest.mark.parametrize("step", [*FAILING.values(), *BROKEN.values()], ids=[*map(str, FAILING), *BROKEN])
def test_a_read_that_fails_is_tried_again(site: Site, connect: Connect, clock: TestClock, step: Step) -> None:
    site.steps = [step, step, done]
    assert connect().request("GET", "/things") == DONE
    assert site.seen == [Seen("GET", "/things", "key", b"")] * 3
    assert clock.slept == PAUSES[:2]


@pytest.mark.parametrize("step", [*FAILING.values(), *BROKEN.values()], ids=[*map(str, FAILING), *BROKEN])
def test_a_search_is_a_read_whatever_its_method(site: Site, connect: Connect, step: Step) -> None:
    site.steps = [step, done]
    assert connect().request("POST", "/search", body={"text": "x"}, reads=True) == DONE
    assert site.seen == [Seen("POST", "/search", "key", b'{"text":"x"}')] * 2


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("step", [*FAILING.values(), *BROKEN.values()], ids=[*map(str, FAILING), *BROKEN])
def test_a_write_that_may_have_happened_is_sent_exactly_once(
    site: Site, connect: Connect, clock: TestClock, step: Step, method: http.Method
) -> None:
    site.steps = [step, done]
    with pytest.raises(UnknownOutcome) as caught:
        connect().request(method, "/things", body=[1])
    assert "tried" not in caught.value.reason
    assert site.seen == [Seen(method, "/things", "key", b"[1]")]
    assert clock.slept == []


def test_a_write_that_times_out_is_sent_exactly_once(
    site: Site, connect: Connect, clock: TestClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "READ_TIMEOUT_S", 0.2)
    site.steps = [silent, done]
    with pytest.raises(UnknownOutcome, match="ReadTimeout"):
        connect().request("POST", "/things", body=[1])
    eventually(lambda: len(site.seen) == 1)
    assert clock.slept == []


def test_a_read_that_times_out_is_tried_again(
    site: Site, connect: Connect, clock: TestClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "READ_TIMEOUT_S", 0.2)
    site.steps = [silent]
    with pytest.raises(UnexpectedReply, match=r"ReadTimeout while trying to list \(tried 2 times\)"):
        connect(attempts=2).request("GET", "/things", what="list")
    eventually(lambda: len(site.seen) == 2)
    assert clock.slept == PAUSES[:1]


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_a_connection_that_is_refused_is_tried_again_for_writes_too(
    closed: Site, connect: Connect, method: http.Method, batch: bool
) -> None:
    class Starting(TestClock):
        """The server comes up while somebody waits for the second time."""

        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            if len(self.slept) == 2:
                closed.open()

    starting = Starting()
    assert connect(clock=starting).request(method, "/things", batch=batch) == DONE
    assert starting.slept == PAUSES[:2]
    assert closed.seen == [Seen(method, "/things", "key", b"")]


def test_a_server_that_stays_away_is_unreachable(closed: Site, connect: Connect, clock: TestClock) -> None:
    with pytest.raises(Unreachable) as caught:
        connect().request("POST", "/things", body=[1], what="import 1 records")
    assert caught.value.reason == (f"{closed.url}: cannot connect (ConnectError) to import 1 records (tried 5 times)")
    assert clock.slept == PAUSES


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 413, 422, 501, 505])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_another_attempt_would_meet_too_is_not_tried_again(
    site: Site, connect: Connect, clock: TestClock, method: http.Method, status: int
) -> None:
    site.steps = [answers(status, Retry_After="1"), done]
    with pytest.raises(ServerError):
        connect().request(method, "/things")
    assert len(site.seen) == 1
    assert clock.slept == []


def test_patience_can_be_switched_off(site: Site, connect: Connect, clock: TestClock) -> None:
    site.steps = [answers(503), done]
    with pytest.raises(UnexpectedReply) as caught:
        connect(attempts=1).request("GET", "/things", what="list")
    assert caught.value.reason == f"{site.url}: 503 while trying to list"
    assert (len(site.seen), clock.slept) == (1, [])


def test_a_request_that_is_sent_again_is_the_same_to_the_byte(site: Site, connect: Connect) -> None:
    site.steps = [answers(429), done]
    connect().request("POST", "/things", params={"a": "ü"}, body={"text": "Zürich 😀"})
    first, second = site.seen
    assert first == second
    assert json.loads(first.body) == {"text": "Zürich 😀"}


# -- a server that asks to wait


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
@pytest.mark.parametrize(
    "headers",
    [
        {"Retry_After": "30"},
        {"Retry_After": "Sun, 06 Nov 1994 08:50:07 GMT", "Date": SENT},
        {"Retry_After": "Tue, 14 Nov 2023 22:13:50 GMT"},  # half a minute after the test's clock begins
    ],
    ids=["seconds", "date by its own clock", "date by ours"],
)
def test_a_read_waits_as_long_as_it_is_asked_to(
    site: Site, connect: Connect, clock: TestClock, status: int, headers: dict[str, str]
) -> None:
    site.steps = [answers(status, **headers), done]
    assert connect(random=Shortest()).request("GET", "/things") == DONE
    assert clock.slept == [30.0]


def test_clients_that_are_asked_for_the_same_wait_do_not_come_back_together(
    site: Site, connect: Connect, clock: TestClock
) -> None:
    site.steps = [answers(429, Retry_After="30"), done]
    connect(random=Longest()).request("GET", "/things")
    assert clock.slept == [30.5]


def test_a_small_write_waits_where_nothing_was_carried_out(site: Site, connect: Connect, clock: TestClock) -> None:
    site.steps = [answers(429, Retry_After="7"), answers(429), done]
    assert connect().request("POST", "/things", body=[1]) == DONE
    assert site.seen == [Seen("POST", "/things", "key", b"[1]")] * 3
    assert clock.slept == [7.5, 1.0]


def test_a_batch_goes_back_to_who_can_make_it_smaller(site: Site, connect: Connect, clock: TestClock) -> None:
    site.steps = [answers(429, Retry_After="7"), done]
    with pytest.raises(Busy) as caught:
        connect().request("POST", "/things", body=[1, 2], what="import 2 records", batch=True)
    assert caught.value.reason == f"{site.url}: 429 while trying to import 2 records; it asks to wait 7 s"
    assert caught.value.wait_s == 7.0
    assert (len(site.seen), clock.slept) == (1, [])


def test_a_batch_that_only_reads_is_a_read(site: Site, connect: Connect) -> None:
    site.steps = [answers(429), done]
    assert connect().request("POST", "/search", reads=True, batch=True) == DONE


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_server_that_stays_busy(site: Site, connect: Connect, clock: TestClock, method: http.Method) -> None:
    site.steps = [answers(429, Retry_After="2")]
    with pytest.raises(Busy) as caught:
        connect().request(method, "/things", what="do it")
    assert caught.value.reason == f"{site.url}: 429 while trying to do it; it asks to wait 2 s (tried 5 times)"
    assert caught.value.wait_s == 2.0
    assert clock.slept == [2.5, 3.0, 4.0, 6.0]


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_an_unknown_outcome_says_when_to_look(site: Site, connect: Connect, status: int) -> None:
    site.steps = [answers(status, Retry_After="12")]
    with pytest.raises(UnknownOutcome) as caught:
        connect().request("POST", "/things", body=[1], batch=True)
    assert caught.value.wait_s == 12.0
    assert "it asks to wait 12 s" in caught.value.reason


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("61", "61 s"),
        ("3600", "3,600 s"),
        ("99999999999999999999", "86,400 s"),
        ("Fri, 31 Dec 9999 23:59:59 GMT", "86,400 s"),
    ],
)
def test_a_wait_that_is_too_long_is_the_users_to_decide(
    site: Site, connect: Connect, clock: TestClock, asked: str, said: str
) -> None:
    site.steps = [answers(503, Retry_After=asked), done]
    with pytest.raises(UnexpectedReply) as caught:
        connect().request("GET", "/things")
    assert caught.value.reason.endswith(f"; it asks to wait {said}")
    assert (len(site.seen), clock.slept) == (1, [])


@pytest.mark.parametrize("asked", ["", "-5", "soon", "1e3", "NaN", "inf", "5, 5", "0x10", "Sun, 99 Nov 1994", "\u0665"])
def test_a_wait_that_cannot_be_read_is_none(site: Site, connect: Connect, clock: TestClock, asked: str) -> None:
    site.steps = [answers(503, **{"Retry-After": asked.encode().decode("latin-1")}), done]
    assert connect().request("GET", "/things") == DONE
    assert clock.slept == PAUSES[:1]


# -- the deadline


def slow(clock: TestClock, seconds: float) -> Step:
    """An answer that takes its time to fail."""

    def step(handler: Handler) -> None:
        clock.now += seconds
        handler.reply(503, b"", {})

    return step


def test_no_attempt_begins_after_the_deadline(site: Site, connect: Connect, clock: TestClock) -> None:
    site.steps = [slow(clock, 60.0)]
    with pytest.raises(UnexpectedReply, match="tried 2 times"):
        connect().request("GET", "/things")
    assert clock.slept == PAUSES[:1]


def test_a_wait_that_ends_after_the_deadline_is_not_begun(site: Site, connect: Connect, clock: TestClock) -> None:
    site.steps = [slow(clock, 80.0), answers(429, Retry_After="50")]
    with pytest.raises(Busy) as caught:
        connect().request("GET", "/things")
    assert caught.value.reason.endswith("; it asks to wait 50 s (tried 2 times)")
    assert caught.value.wait_s == 50.0
    assert clock.slept == PAUSES[:1]


def test_the_deadline_is_that_of_one_request(site: Site, connect: Connect, clock: TestClock) -> None:
    client = connect(deadline_s=10.0)
    for _ in range(3):
        site.steps = [slow(clock, 9.0), done]
        assert client.request("GET", "/things") == DONE


# -- the key


def test_each_attempt_asks_for_the_key_anew(site: Site, connect: Connect) -> None:
    keys = iter(["first", "second", "third"])
    site.steps = [answers(503), answers(503), done]
    connect(lambda: {"Authorization": next(keys)}).request("GET", "/things")
    assert [seen.key for seen in site.seen] == ["first", "second", "third"]


def test_a_key_that_cannot_be_had_is_not_asked_for_again(site: Site, connect: Connect, clock: TestClock) -> None:
    asked: list[int] = []

    def expired() -> dict[str, str]:
        asked.append(1)
        raise AuthError("the key has ended", remedy="make a new one")

    with pytest.raises(AuthError):
        connect(expired).request("GET", "/things")
    assert (asked, site.seen, clock.slept) == ([1], [], [])


def test_a_log_in_that_was_tried_often_enough_is_not_tried_once_more_for_each_attempt(
    site: Site, connect: Connect
) -> None:
    site.steps = [answers(429)]
    client = connect(lambda: dict(client.request("GET", "/login", authorized=False)))
    with pytest.raises(Busy):
        client.request("GET", "/things")
    assert site.seen == [Seen("GET", "/login", None, b"")] * 5


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_on_a_later_attempt_is_not_followed(
    site: Site, elsewhere: Site, connect: Connect, method: http.Method, status: int
) -> None:
    site.steps = [answers(429), answers(status, Location=f"{elsewhere.url}/things"), done]
    with pytest.raises(UnexpectedReply, match="redirects elsewhere"):
        connect().request(method, "/things")
    assert [seen.key for seen in site.seen] == ["key", "key"]
    assert elsewhere.seen == []


# -- how long


@pytest.mark.parametrize(("attempt", "longest"), [(1, 0.5), (2, 1.0), (3, 2.0), (4, 4.0), (7, 32.0), (8, 60.0)])
def test_a_pause_is_drawn_from_all_up_to_the_longest(attempt: int, longest: float) -> None:
    retries = Retries(attempts=10, random=Random(5))
    waits = [retries.wait(attempt, elapsed_s=0.0) for _ in range(1000)]
    drawn = [wait for wait in waits if wait is not None]
    assert len(drawn) == 1000
    assert 0 <= min(drawn) < 0.01 * longest
    assert 0.99 * longest < max(drawn) <= longest


@given(
    attempt=st.integers(1, 10**6),
    elapsed=st.floats(0, 1000),
    asked=st.floats(0, A_DAY_S),
    seed=st.integers(),
)
def test_a_wait_is_never_shorter_than_asked_and_never_ends_after_the_deadline(
    attempt: int, elapsed: float, asked: float, seed: int
) -> None:
    retries = Retries(attempts=10**6, deadline_s=500.0, random=Random(seed))
    wait = retries.wait(attempt, elapsed_s=elapsed, asked_s=asked)
    if wait is None:
        assert attempt == 10**6 or elapsed >= 500.0 or asked > 60.0 or elapsed + asked > 500.0
    else:
        assert asked <= wait <= min(asked + 60.0, 500.0 - elapsed)


def test_the_usual_pauses_differ_from_client_to_client() -> None:
    assert len({Retries().wait(4, elapsed_s=0.0) for _ in range(20)}) > 1


# -- the header


@pytest.mark.parametrize(
    ("header", "date", "seconds"),
    [
        ("0", "", 0.0),
        ("1.5", "", 1.5),
        (" 20 ", "", 20.0),
        ("86401", "", A_DAY_S),
        ("Sunday, 06-Nov-94 08:49:47 GMT", SENT, 10.0),
        ("Sun Nov  6 08:49:47 1994", SENT, 10.0),
        ("Sun, 06 Nov 1994 09:49:47 +0100", SENT, 10.0),
        ("Sun, 06 Nov 1994 08:49:27 GMT", SENT, 0.0),  # it has passed
        ("Sun, 06 Nov 1994 08:49:47 GMT", "", 10.0),
        ("Sun, 06 Nov 1994 08:49:47 GMT", "no date", 10.0),
        ("Sun, 06 Nov 1994 08:49:47 GMT", "Fri, 06 Nov 2093 08:49:40 GMT", 0.0),
        ("1" * 5000, "", 0.0),
    ],
)
def test_both_forms_of_the_header(header: str, date: str, seconds: float) -> None:
    assert asked_wait(header, date, SENT_S) == seconds


@given(st.text() | st.from_regex(r"[A-Z][a-z]{2}, [0-9]{1,6} [A-Z][a-z]{2} [0-9]{1,6} [0-9:]{0,9} [+-][0-9]{1,20}"))
def test_no_header_is_more_than_we_can_read(text: str) -> None:
    assert 0.0 <= asked_wait(text, text, 0.0) <= A_DAY_S
    date = http_date(text)
    assert date is None or date.utcoffset() is not None
