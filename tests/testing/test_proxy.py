"""Each fault of the proxy, as bytes on the wire, before a small real server."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

import pytest

from bridge.errors import ConfigError
from bridge.testing import (
    Drop,
    Fault,
    FaultProxy,
    HalfSent,
    NotJson,
    ProxiedRequest,
    Redirect,
    Reply,
    Reset,
    Rule,
    Short,
    Stall,
    Truncated,
    in_turn,
)
from tests.waiting import eventually

KEY = "canary-key-71aa"
BODY = json.dumps({"results": ["one", "two", "three"]}).encode()
HALF = BODY[: len(BODY) // 2]


class Target:
    """A server that remembers what it carried out, and answers everything with `BODY`."""

    def __init__(self) -> None:
        self.done: list[tuple[str, str, bytes]] = []
        self.begun = 0
        self.headers: list[dict[str, str]] = []
        target = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def carry_out(self) -> None:
                target.begun += 1
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                if len(body) < length:
                    self.close_connection = True
                    return
                target.headers.append({name.lower(): value for name, value in self.headers.items()})
                target.done.append((self.command, self.path, body))
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(BODY)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(BODY)

            do_GET = do_POST = do_HEAD = do_PUT = do_PATCH = do_DELETE = carry_out  # noqa: N815

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = False
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.thread = Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def target() -> Iterator[Target]:
    with closing(Target()) as server:
        yield server


def always(fault: Fault | None) -> Rule:
    return lambda request: fault


def ask(
    proxy: FaultProxy, method: str = "POST", path: str = "/api/import?key=k1", body: bytes = b'["a", "b"]'
) -> bytes:
    """All that comes back on a connection of our own until it is closed in good order."""
    with socket.create_connection((proxy.host, proxy.port), timeout=30) as connection:
        send(connection, method, path, body)
        return read(connection)


def send(connection: socket.socket, method: str = "POST", path: str = "/api/import", body: bytes = b"[]") -> None:
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Token {KEY}\r\n{length}\r\n"
    connection.sendall(head.encode() + body)


def read(connection: socket.socket) -> bytes:
    received = b""
    while part := connection.recv(65536):
        received += part
    return received


def parts(reply: bytes) -> tuple[int, dict[str, str], bytes]:
    head, _, body = reply.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    return int(status.split()[1]), {n.lower(): v for n, _, v in (line.partition(": ") for line in lines)}, body


def test_without_a_fault_request_and_reply_pass_unchanged(target: Target) -> None:
    with FaultProxy(target.url) as proxy:
        status, headers, body = parts(ask(proxy))
    assert (status, body) == (200, BODY)
    assert headers["content-type"] == "application/json"
    assert target.done == [("POST", "/api/import?key=k1", b'["a", "b"]')]
    assert target.headers[0]["authorization"] == f"Token {KEY}"
    assert target.headers[0]["host"] == f"127.0.0.1:{target.port}"


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE"])
def test_every_method_passes(target: Target, method: str) -> None:
    with FaultProxy(target.url) as proxy:
        status, headers, body = parts(ask(proxy, method, body=b""))
    assert (status, headers["content-length"]) == (200, str(len(BODY)))
    assert body == (b"" if method == "HEAD" else BODY)
    assert [method for method, _, _ in target.done] == [method]


def test_a_dropped_reply_is_an_end_without_a_byte_and_the_request_is_carried_out(target: Target) -> None:
    with FaultProxy(target.url, always(Drop())) as proxy:
        assert ask(proxy) == b""
    assert len(target.done) == 1


def test_a_dropped_request_never_reaches_the_server(target: Target) -> None:
    with FaultProxy(target.url, always(Drop(forward=False))) as proxy:
        assert ask(proxy) == b""
    assert target.done == []


@pytest.mark.parametrize("status", [401, 413, 429, 500, 502, 503, 504])
@pytest.mark.parametrize("forward", [False, True])
def test_a_status_instead_of_the_server_or_after_it(target: Target, status: int, forward: bool) -> None:
    with FaultProxy(target.url, always(Reply(status, forward=forward))) as proxy:
        got, headers, _ = parts(ask(proxy))
    assert got == status
    assert "retry-after" not in headers
    assert len(target.done) == int(forward)


@pytest.mark.parametrize(
    ("given", "sent"), [(7, "7"), (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "Fri, 02 Jan 2026 03:04:05 GMT")]
)
def test_retry_after_in_both_forms(target: Target, given: int | datetime, sent: str) -> None:
    with FaultProxy(target.url, always(Reply(503, retry_after=given))) as proxy:
        assert parts(ask(proxy))[1]["retry-after"] == sent


def test_a_reset_comes_after_the_head_and_half_the_body(target: Target) -> None:
    received = b""
    with (
        FaultProxy(target.url, always(Reset())) as proxy,
        socket.create_connection((proxy.host, proxy.port), timeout=30) as connection,
    ):
        send(connection)
        while not received.endswith(HALF):
            received += connection.recv(1)
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
    status, headers, body = parts(received)
    assert (status, headers["content-length"], body) == (200, str(len(BODY)), HALF)
    assert len(target.done) == 1


def test_a_short_body_is_less_than_was_promised(target: Target) -> None:
    with FaultProxy(target.url, always(Short())) as proxy:
        status, headers, body = parts(ask(proxy))
    assert (status, headers["content-length"], body) == (200, str(len(BODY)), HALF)
    assert len(target.done) == 1


def test_truncated_json_has_the_length_that_was_promised(target: Target) -> None:
    with FaultProxy(target.url, always(Truncated())) as proxy:
        status, headers, body = parts(ask(proxy))
    assert (status, headers["content-length"], body) == (200, str(len(HALF)), HALF)
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        json.loads(body)


@pytest.mark.parametrize("forward", [False, True])
def test_a_page_for_people_instead_of_json(target: Target, forward: bool) -> None:
    with FaultProxy(target.url, always(NotJson(forward=forward))) as proxy:
        status, headers, body = parts(ask(proxy))
    assert (status, headers["content-type"]) == (200, "text/html")
    assert body.startswith(b"<!DOCTYPE html>")
    assert len(target.done) == int(forward)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_names_the_same_path_elsewhere(target: Target, status: int) -> None:
    with FaultProxy(target.url, always(Redirect("http://127.0.0.1:9", status))) as proxy:
        got, headers, _ = parts(ask(proxy))
    assert (got, headers["location"]) == (status, "http://127.0.0.1:9/api/import?key=k1")
    assert target.done == []


@pytest.mark.parametrize("body", [b'["a", "b"]', b"1", b""])
def test_half_a_request_is_begun_and_not_carried_out(target: Target, body: bytes) -> None:
    with FaultProxy(target.url, always(HalfSent())) as proxy:
        assert ask(proxy, body=body) == b""
        if body:
            eventually(lambda: target.begun == 1)
        assert proxy.seen[0].forwarded is False
    assert target.done == []


def test_a_stall_for_some_time_ends_with_the_reply(target: Target) -> None:
    with FaultProxy(target.url, always(Stall(0.01))) as proxy:
        assert parts(ask(proxy))[0] == 200
    assert len(target.done) == 1


def test_a_stall_lasts_until_the_proxy_closes(target: Target) -> None:
    with FaultProxy(target.url, always(Stall())) as proxy:
        connection = socket.create_connection((proxy.host, proxy.port), timeout=0.1)
        send(connection)
        eventually(lambda: len(target.done) == 1)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.settimeout(30)
    with connection:
        assert read(connection) == b""


def test_a_client_that_left_during_a_stall_has_its_request_carried_out_all_the_same(target: Target) -> None:
    """An abandoned import that commits late."""
    left = Event()

    def rule(request: ProxiedRequest) -> Fault:
        left.wait(30)
        return Stall(0.01, forward=False)

    with FaultProxy(target.url, rule) as proxy:
        with socket.create_connection((proxy.host, proxy.port), timeout=30) as connection:
            send(connection)
        assert target.done == []
        left.set()
        eventually(lambda: len(target.done) == 1)
        eventually(lambda: proxy.seen[0].carried_out == 200)


def test_what_waits_when_the_proxy_closes_is_not_forwarded(target: Target) -> None:
    with (
        FaultProxy(target.url, always(Stall(forward=False))) as proxy,
        socket.create_connection((proxy.host, proxy.port), timeout=30) as connection,
    ):
        send(connection)
        eventually(lambda: len(proxy.seen) == 1)
    assert target.done == []


# -- rules and what was seen


def test_a_queue_of_faults_for_some_requests(target: Target) -> None:
    rule = in_turn(Reply(502), None, Drop(), method="POST", path="^/api/import$")
    with FaultProxy(target.url, rule) as proxy:
        said = [
            ask(proxy, method, path)[:12]
            for method, path in [
                ("GET", "/api/import"),
                ("POST", "/api/other"),
                ("POST", "/api/import"),
                ("POST", "/api/import"),
                ("POST", "/api/import"),
                ("POST", "/api/import"),
            ]
        ]
    good = b"HTTP/1.1 200"
    assert said == [good, good, b"HTTP/1.1 502", good, b"", good]


def test_a_rule_knows_method_path_and_length_of_a_request(target: Target) -> None:
    known: list[ProxiedRequest] = []
    with FaultProxy(target.url, known.append) as proxy:  # type: ignore[func-returns-value]
        ask(proxy, "POST", "/api/import?key=k1", b"[1]")
        ask(proxy, "GET", "/api/tasks", b"")
    assert known == [ProxiedRequest(1, "POST", "/api/import", 3), ProxiedRequest(2, "GET", "/api/tasks", 0)]


def test_what_was_seen_tells_the_commit_from_the_reply(target: Target) -> None:
    with FaultProxy(target.url, in_turn(Reply(502, forward=True), Reply(503), Drop(), None)) as proxy:
        for _ in range(4):
            ask(proxy)
    assert [(s.number, s.method, s.path, s.forwarded, s.carried_out, s.status) for s in proxy.seen] == [
        (1, "POST", "/api/import", True, 200, 502),
        (2, "POST", "/api/import", False, None, 503),
        (3, "POST", "/api/import", True, 200, None),
        (4, "POST", "/api/import", True, 200, 200),
    ]
    assert [s.fault for s in proxy.seen] == [Reply(502, forward=True), Reply(503), Drop(), None]


def test_neither_keys_nor_queries_nor_bodies_are_kept_or_printed(
    target: Target, capfd: pytest.CaptureFixture[str]
) -> None:
    with FaultProxy(target.url) as proxy:
        ask(proxy, "POST", "/api/import?text=canary-query", b'"canary-body"')
    printed = capfd.readouterr()
    assert "canary" not in f"{proxy.seen}{printed.out}{printed.err}"


def test_an_error_in_a_rule_is_raised_at_the_end(target: Target) -> None:
    def rule(request: ProxiedRequest) -> Fault | None:
        raise LookupError("a mistake in the test")

    with pytest.raises(LookupError, match="a mistake"), FaultProxy(target.url, rule) as proxy:
        assert ask(proxy) == b""
    assert target.done == []


def test_a_server_that_is_not_there_is_a_502() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound and not listening: nobody else gets this port
        with FaultProxy(f"http://127.0.0.1:{nobody.getsockname()[1]}") as proxy:
            assert parts(ask(proxy))[0] == 502
    assert (proxy.seen[0].forwarded, proxy.seen[0].carried_out, proxy.seen[0].status) == (False, None, 502)


def test_the_path_of_the_address_stays(target: Target) -> None:
    with FaultProxy(f"{target.url}/labels/") as proxy:
        assert proxy.url == f"http://127.0.0.1:{proxy.port}/labels"


def test_a_client_that_says_nothing_keeps_nobody_from_closing(target: Target) -> None:
    with FaultProxy(target.url) as proxy:
        idle = socket.create_connection((proxy.host, proxy.port), timeout=30)
        assert parts(ask(proxy))[0] == 200
    with idle:
        assert read(idle) == b""


def test_it_listens_on_the_loopback_only(target: Target) -> None:
    with FaultProxy(target.url) as proxy:
        assert proxy._server.socket.getsockname() == ("127.0.0.1", proxy.port)


@pytest.mark.parametrize("url", ["https://127.0.0.1:8080", "http://labels.example.org", "127.0.0.1:8080"])
def test_only_plain_http_on_this_machine(url: str) -> None:
    with pytest.raises(ConfigError):
        FaultProxy(url)


def test_many_clients_at_once_each_get_their_reply(target: Target) -> None:
    with FaultProxy(target.url) as proxy:
        replies: list[int] = []

        def client() -> None:
            connection = http.client.HTTPConnection(proxy.host, proxy.port, timeout=30)
            connection.request("GET", "/")
            replies.append(connection.getresponse().status)
            connection.close()

        threads = [Thread(target=client) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert replies == [200] * 20
    assert sorted(seen.number for seen in proxy.seen) == [*range(1, 21)]
