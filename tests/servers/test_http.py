"""The one HTTP client: a key goes to one origin only, and whatever a server does becomes an error with a remedy.

How often it tries is told exactly here too; what it waits for is in ``test_retries.py``.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, ClassVar, Literal

import httpx2
import pytest

from bridge.clock import TestClock
from bridge.errors import (
    AuthError,
    Busy,
    ConfigError,
    NotFound,
    Refused,
    ServerError,
    TooLarge,
    UnexpectedReply,
    UnknownOutcome,
    Unreachable,
)
from bridge.servers.http import Client
from bridge.servers.retries import Retries

URL = "http://127.0.0.1:8080"
KEY = "canary-key-0f3c"
RECORD = "canary-record-text"

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
WRITES: list[Method] = ["POST", "PUT", "PATCH", "DELETE"]


class Wire:
    """A transport that remembers what was sent, and answers as it is told."""

    def __init__(self, answer: Callable[[httpx2.Request], httpx2.Response] | httpx2.Response | Exception) -> None:
        self.sent: list[httpx2.Request] = []
        self.answer = answer

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.sent.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer if isinstance(self.answer, httpx2.Response) else self.answer(request)

    def client(self, url: str = URL) -> Client:
        transport = httpx2.MockTransport(self)
        retries = Retries(clock=TestClock())
        return Client(url, lambda: {"Authorization": f"Token {KEY}"}, transport=transport, retries=retries)


ALL = 5
"""Attempts at a request that may be sent again."""


def failure(answer: Any, method: Method = "GET", *, tries: int) -> ServerError:
    """The error that an answer becomes after so many attempts, once it is certain that it tells no secret."""
    wire = Wire(answer)
    with pytest.raises(ServerError) as caught:
        wire.client().request(method, "/api/things/", body=None if method == "GET" else [RECORD], what="do a thing")
    assert len(wire.sent) == tries
    assert caught.value.reason.endswith(" (tried 5 times)") == (tries == ALL)
    shown = f"{caught.value} {caught.value!r} {caught.value.to_dict()}"
    assert KEY not in shown
    assert RECORD not in shown
    assert caught.value.remedy
    return caught.value


# -- what is sent


def test_a_request_is_json_with_the_key_in_its_header() -> None:
    wire = Wire(httpx2.Response(200, json={"id": 7}))
    reply = wire.client().request("POST", "/api/x", params={"a": "b c"}, body={"text": "Zürich 😀 \u2028"})
    assert reply == {"id": 7}
    (request,) = wire.sent
    assert str(request.url) in (f"{URL}/api/x?a=b+c", f"{URL}/api/x?a=b%20c")
    assert request.headers["Authorization"] == f"Token {KEY}"
    assert request.headers["Content-Type"] == "application/json"
    assert json.loads(request.content) == {"text": "Zürich 😀 \u2028"}


def test_the_key_is_asked_for_anew_each_time() -> None:
    keys = iter(["one", "two"])
    wire = Wire(lambda request: httpx2.Response(200, json=request.headers["Authorization"]))
    client = Client(URL, lambda: {"Authorization": next(keys)}, transport=httpx2.MockTransport(wire))
    assert [client.request("GET", "/"), client.request("GET", "/")] == ["one", "two"]


def test_no_body_is_no_body() -> None:
    wire = Wire(httpx2.Response(200, json=[]))
    wire.client().request("GET", "/api/x")
    assert wire.sent[0].content == b""


@pytest.mark.parametrize("prefix", ["/labels", "/labels/", "/a/b"])
def test_the_path_of_the_address_stands_before_every_request(prefix: str) -> None:
    wire = Wire(httpx2.Response(200, json=[]))
    wire.client(URL + prefix).request("GET", "/api/x")
    assert str(wire.sent[0].url) == f"{URL}{prefix.rstrip('/')}/api/x"


@pytest.mark.parametrize("url", [f"{URL}//evil.example", f"{URL}/%2f%2fevil.example", f"{URL}/@evil.example"])
def test_no_path_leads_to_another_host(url: str) -> None:
    wire = Wire(httpx2.Response(200, json=[]))
    wire.client(url).request("GET", "/api/x")
    assert (wire.sent[0].url.scheme, wire.sent[0].url.host, wire.sent[0].url.port) == ("http", "127.0.0.1", 8080)


@pytest.mark.parametrize(
    "url",
    [
        "http://labels.example.org",
        "ftp://127.0.0.1",
        "127.0.0.1:8080",
        "",
        "http://user:password@127.0.0.1",
        "http://127.0.0.1/?q=1",
        "http://",
        "http://127.0.0.1\n",
    ],
)
def test_an_address_that_cannot_be_right_is_refused_before_anything_is_sent(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Client(url)
    assert caught.value.remedy
    assert "password@" not in str(caught.value)


def test_plain_http_to_another_machine_must_be_allowed() -> None:
    assert Client("http://labels.example.org", allow_http=True).origin == "http://labels.example.org:80"


# -- what comes back


@pytest.mark.parametrize("method", ["GET", *WRITES])
@pytest.mark.parametrize("reply", [httpx2.Response(200), httpx2.Response(204), httpx2.Response(201, content=b"")])
def test_an_empty_reply_is_nothing(method: Method, reply: httpx2.Response) -> None:
    assert Wire(reply).client().request(method, "/") is None


NEITHER_WAY = [
    (400, Refused),
    (401, AuthError),
    (403, AuthError),
    (404, NotFound),
    (405, Refused),
    (409, Refused),
    (413, TooLarge),
    (418, Refused),
    (422, Refused),
]


@pytest.mark.parametrize(("status", "kind"), NEITHER_WAY)
@pytest.mark.parametrize("method", ["GET", *WRITES])
def test_what_the_server_will_not_do_is_asked_once(method: Method, status: int, kind: type[ServerError]) -> None:
    error = failure(httpx2.Response(status), method, tries=1)
    assert type(error) is kind
    assert error.reason == f"{URL}: {status} while trying to do a thing"


@pytest.mark.parametrize("status", [408, 425, 500, 502, 503, 504])
def test_a_read_that_the_server_fails_at_is_tried_again(status: int) -> None:
    error = failure(httpx2.Response(status), tries=ALL)
    assert type(error) is UnexpectedReply
    assert error.reason == f"{URL}: {status} while trying to do a thing (tried 5 times)"


@pytest.mark.parametrize("status", [501, 505, 507, 599])
def test_a_failure_that_will_not_pass_is_met_once(status: int) -> None:
    assert type(failure(httpx2.Response(status), tries=1)) is UnexpectedReply


@pytest.mark.parametrize("status", [408, 425, 500, 501, 502, 503, 504, 599])
@pytest.mark.parametrize("method", WRITES)
def test_a_write_that_the_server_may_have_done_is_unknown_and_sent_once(method: Method, status: int) -> None:
    assert type(failure(httpx2.Response(status), method, tries=1)) is UnknownOutcome


@pytest.mark.parametrize("method", ["GET", *WRITES])
def test_a_server_that_stays_busy_has_done_nothing(method: Method) -> None:
    error = failure(httpx2.Response(429), method, tries=ALL)
    assert type(error) is Busy
    assert error.wait_s == 0


@pytest.mark.parametrize("method", ["GET", *WRITES])
@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example/", "/elsewhere", "http://127.0.0.1:9/"])
def test_a_redirect_is_an_error_and_is_never_followed(method: Method, status: int, target: str) -> None:
    error = failure(httpx2.Response(status, headers={"Location": target}), method, tries=1)
    assert type(error) is UnexpectedReply
    assert "redirects elsewhere" in error.reason


@pytest.mark.parametrize(
    "content",
    [
        b"<!doctype html><title>Log in</title>" + RECORD.encode(),
        b"\xff\xfe\x00\x01\x80binary",
        b'{"open": ',
        b'{"a": 1} and more',
        b"\0" * 1000,
        b"x" * 5_000_000,
        b"1" * 5000,
    ],
    ids=["HTML", "binary", "broken off", "trailing", "NUL", "huge", "endless number"],
)
def test_a_reply_that_is_no_json_is_never_shown(content: bytes) -> None:
    read = failure(httpx2.Response(200, content=content), tries=ALL)
    write = failure(httpx2.Response(200, content=content), "POST", tries=1)
    assert (type(read), type(write)) == (UnexpectedReply, UnknownOutcome)
    assert "the reply to do a thing is not JSON" in read.reason
    assert len(str(read)) < 400


def test_a_reply_that_cannot_be_unpacked_is_an_error() -> None:
    def broken(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"Content-Encoding": "gzip"}, stream=httpx2.ByteStream(b"not gzip"))

    assert type(failure(broken, tries=ALL)) is UnexpectedReply
    assert type(failure(broken, "POST", tries=1)) is UnknownOutcome


@pytest.mark.parametrize("status", [400, 401, 404, 500])
@pytest.mark.parametrize(
    "content",
    [
        b"<html>" + RECORD.encode() + b"</html>",
        b"\xff\xfe binary",
        json.dumps([RECORD]).encode(),
        json.dumps({"data": RECORD}).encode(),
        json.dumps({"detail": {"text": RECORD}}).encode(),
        json.dumps({"detail": [RECORD]}).encode(),
        json.dumps({"validation_errors": [RECORD]}).encode(),
        b"null",
    ],
    ids=["HTML", "binary", "list", "other name", "object", "list of details", "list of errors", "null"],
)
def test_the_body_of_an_error_is_not_shown(status: int, content: bytes) -> None:
    tries, count = (ALL, " (tried 5 times)") if status == 500 else (1, "")
    error = failure(httpx2.Response(status, content=content), tries=tries)
    assert error.reason == f"{URL}: {status} while trying to do a thing{count}"


def test_a_servers_short_reason_is_shown() -> None:
    error = failure(httpx2.Response(400, json={"detail": "Title is too long."}), tries=1)
    assert error.reason == f"{URL}: 400 while trying to do a thing: Title is too long."


def test_a_servers_reason_is_shown_without_the_record_that_it_echoes() -> None:
    detail = f'Error at item 1: "response" key is expected :: {{"prompt": "{RECORD}"}}'
    body = {"detail": "Validation error", "validation_errors": {"non_field_errors": [detail]}}
    error = failure(httpx2.Response(400, json=body), "POST", tries=1)
    assert error.reason.endswith('non_field_errors: Error at item 1: "response" key is expected')


def test_a_servers_reason_is_cut() -> None:
    assert len(failure(httpx2.Response(400, json={"detail": "x" * 1_000_000}), tries=1).reason) < 400


@pytest.mark.parametrize(
    ("date", "time"),
    [
        ("Sun, 06 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37.000000Z"),
        ("Sun Nov  6 08:49:37 1994", "1994-11-06T08:49:37.000000Z"),
        ("Fri, 31 Dec 9999 23:59:59 -2300", ""),
        ("nonsense", ""),
        ("", ""),
    ],
)
def test_the_servers_clock_is_read_where_it_can_be(date: str, time: str) -> None:
    client = Wire(httpx2.Response(200, headers={"Date": date}, json=[])).client()
    client.request("GET", "/")
    assert client.server_time == time


# -- no reply at all


@pytest.mark.parametrize("method", ["GET", *WRITES])
@pytest.mark.parametrize("error", [httpx2.ConnectError, httpx2.ConnectTimeout], ids=lambda error: error.__name__)
def test_without_a_connection_nothing_was_sent(method: Method, error: type[httpx2.TransportError]) -> None:
    found = failure(error(f"{KEY} {RECORD}"), method, tries=ALL)
    assert type(found) is Unreachable
    assert found.reason == f"{URL}: cannot connect ({error.__name__}) to do a thing (tried 5 times)"


LOST = [
    httpx2.ReadTimeout,
    httpx2.WriteTimeout,
    httpx2.ReadError,
    httpx2.WriteError,
    httpx2.CloseError,
    httpx2.RemoteProtocolError,
    httpx2.DecodingError,
]


@pytest.mark.parametrize("error", LOST, ids=lambda error: error.__name__)
def test_a_read_that_breaks_off_is_an_unexpected_reply(error: type[httpx2.HTTPError]) -> None:
    assert type(failure(error(f"{KEY} {RECORD}"), tries=ALL)) is UnexpectedReply


@pytest.mark.parametrize("method", WRITES)
@pytest.mark.parametrize("error", LOST, ids=lambda error: error.__name__)
def test_a_write_that_breaks_off_has_an_unknown_outcome(method: Method, error: type[httpx2.HTTPError]) -> None:
    found = failure(error(f"{KEY} {RECORD}"), method, tries=1)
    assert type(found) is UnknownOutcome
    assert "looks up what arrived before it sends anything" in found.remedy


# -- over a real socket


class Recorder(BaseHTTPRequestHandler):
    """Answers everything with the list of what it was asked."""

    seen: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.seen.append(f"{self.path} {self.headers['Authorization']}")
        body = json.dumps(self.seen).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the standard library's
        pass


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    Recorder.seen.clear()
    server = HTTPServer(("127.0.0.1", 0), Recorder)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_proxies_of_the_environment_get_neither_key_nor_records(
    server: HTTPServer, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    client = Client(f"http://127.0.0.1:{server.server_port}", lambda: {"Authorization": KEY})
    assert client.request("GET", "/direct") == [f"/direct {KEY}"]
    client.close()


def test_a_netrc_file_gives_no_password(
    server: HTTPServer, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("home")
    (home / ".netrc").write_text("machine 127.0.0.1 login me password hunter2\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("NETRC", str(home / ".netrc"))
    client = Client(f"http://127.0.0.1:{server.server_port}")
    assert client.request("GET", "/") == ["/ None"]
    client.close()


def test_a_dead_server_is_unreachable() -> None:
    client = Client("http://127.0.0.1:1", lambda: {"Authorization": KEY})
    with pytest.raises(Unreachable) as caught:
        client.request("POST", "/", body=[RECORD], what="import 1 records")
    assert "is the server running" in caught.value.remedy
    assert caught.value.reason.endswith("(tried 5 times)"), "clients are patient unless they are told otherwise"
    client.close()
