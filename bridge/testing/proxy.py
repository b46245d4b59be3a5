"""A proxy on this machine that breaks what goes through it, between a real client and a real server.

What a rule says happens on the wire, byte by byte: connections are reset, replies cut short or held back, after the
server has carried out the request or before it got it.
"""

from __future__ import annotations

import json
import re
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from email.utils import format_datetime, formatdate
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from types import TracebackType
from typing import Self, TypeAlias
from urllib.parse import urlsplit

from bridge.errors import ConfigError
from bridge.keys import check_transport, origin

_TARGET_TIMEOUT_S = 180.0
_NOT_FORWARDED = {"connection", "keep-alive", "proxy-connection", "host", "accept-encoding", "te", "upgrade"}
_NOT_RETURNED = {"connection", "keep-alive", "transfer-encoding", "content-length"}


@dataclass(frozen=True, slots=True)
class Drop:
    """Close the connection without a reply, after the server carried the request out (or, so told, without it)."""

    forward: bool = True


@dataclass(frozen=True, slots=True)
class Reply:
    """Answer with this status instead of the server, or after it carried the request out: a 502 after the commit.

    ``retry_after`` becomes the header of that name: seconds as a number, a moment as an HTTP date.
    """

    status: int
    forward: bool = False
    retry_after: int | datetime | None = None


@dataclass(frozen=True, slots=True)
class Redirect:
    """Answer with a redirect to the same path on another origin."""

    to: str
    status: int = 307


@dataclass(frozen=True, slots=True)
class NotJson:
    """Answer 200 with a page for people, as a login portal does; so told, after the server carried the request out."""

    forward: bool = False


@dataclass(frozen=True, slots=True)
class Truncated:
    """Let through the first half of the reply's body, as if that were all: with a length that fits."""


@dataclass(frozen=True, slots=True)
class Short:
    """Promise the whole body of the reply, send the first half, and close the connection in good order."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Send the first half of the reply's body and reset the connection."""


@dataclass(frozen=True, slots=True)
class Stall:
    """Keep the client waiting, for so many seconds or until the proxy closes, and then go on as if nothing were.

    The server carries the request out before that, or, with ``forward=False``, when the waiting is over and the client
    may be long gone: a late commit. What waits when the proxy closes is not forwarded any more.
    """

    seconds: float | None = None
    forward: bool = True


@dataclass(frozen=True, slots=True)
class HalfSent:
    """Hand the server the first half of the request and close both connections: it is not carried out."""


Fault: TypeAlias = Drop | Reply | Redirect | NotJson | Truncated | Short | Reset | Stall | HalfSent


@dataclass(frozen=True, slots=True)
class ProxiedRequest:
    """What a rule may know of a request: number (from 1), method, path without the query, length of the body."""

    number: int
    method: str
    path: str
    length: int


Rule: TypeAlias = Callable[[ProxiedRequest], Fault | None]


@dataclass(slots=True)
class Seen:
    """What became of one request. Neither headers nor bodies nor queries are kept.

    Args:
        number: which request it was, from 1.
        method: its method.
        path: its path, without the query.
        forwarded: whether the server got all of it.
        carried_out: the status that the server answered with; None if it did not answer.
        status: the status that the client was sent; None if it was sent none.
        fault: what was done to it.
    """

    number: int
    method: str
    path: str
    forwarded: bool = False
    carried_out: int | None = None
    status: int | None = None
    fault: Fault | None = None


def in_turn(*faults: Fault | None, method: str = "", path: str = "") -> Rule:
    """A rule: the first fault for the first request, and so on; None lets one through, and so does the end.

    Args:
        faults: what happens.
        method: only requests with this method count.
        path: only requests in whose path this regular expression is found count.

    >>> rule = in_turn(Drop(), None, Reply(503, retry_after=2), method="POST")
    >>> [rule(ProxiedRequest(number, "POST", "/api/tasks", 20)) for number in (1, 2, 3, 4)]
    [Drop(forward=True), None, Reply(status=503, forward=False, retry_after=2), None]
    """
    waiting = iter(faults)

    def rule(request: ProxiedRequest) -> Fault | None:
        if method in ("", request.method) and re.search(path, request.path):
            return next(waiting, None)
        return None

    return rule


class FaultProxy:
    """A proxy on the IPv4 loopback, on a port that the system chooses, for one server that is reached by plain HTTP.

    It has one connection for each request, closes it afterwards, and asks the server for plain replies without
    compression. Give the client its ``url`` in place of the server's. A server that cannot be reached is a 502.

    Args:
        target_url: where the server is; on this machine.
        rule: says for each request what is to happen to it, None for nothing. It may be replaced at any time, is
            called by one thread at a time, and an error in it is raised when the proxy is closed.

    Raises:
        ConfigError: the address is none, or not on this machine, or asks for TLS.

    >>> import http.client
    >>> with FaultProxy("http://127.0.0.1:9", lambda request: Reply(429, retry_after=7)) as proxy:
    ...     client = http.client.HTTPConnection(proxy.host, proxy.port)
    ...     client.request("GET", "/api/projects/?page=1")
    ...     reply = client.getresponse()
    ...     reply.status, reply.headers["Retry-After"]
    ...     client.close()
    (429, '7')
    >>> proxy.seen[0].path, proxy.seen[0].forwarded, proxy.seen[0].status
    ('/api/projects/', False, 429)
    """

    def __init__(self, target_url: str, rule: Rule = lambda request: None) -> None:
        check_transport(target_url)
        target = urlsplit(origin(target_url))
        if target.scheme != "http":
            raise ConfigError("proxy: it speaks plain http only", remedy="put it before a server on this machine")
        self.rule = rule
        self.seen: list[Seen] = []
        self.host = "127.0.0.1"
        self._closing = threading.Event()
        self._target = (target.hostname or "", target.port or 80)
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._error: BaseException | None = None
        self._server = _Listener((self.host, 0), _Handler, self)
        self.port: int = self._server.server_address[1]
        self.url = f"http://{self.host}:{self.port}{urlsplit(target_url).path.rstrip('/')}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="fault proxy")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all connections, whatever they wait for."""
        self._closing.set()
        self._server.shutdown()
        self._thread.join()
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self._server.server_close()  # waits for the threads of the requests
        if self._error is not None and error is None:
            raise self._error

    def _decide(self, method: str, path: str, length: int) -> Seen:
        with self._lock:
            seen = Seen(len(self.seen) + 1, method, path.partition("?")[0])
            self.seen.append(seen)
            seen.fault = self.rule(ProxiedRequest(seen.number, method, seen.path, length))
            return seen

    def _failed(self, error: BaseException) -> None:
        with self._lock:
            self._error = self._error or error

    @contextmanager
    def _known(self, connection: socket.socket) -> Iterator[None]:
        with self._lock:
            self._open.add(connection)
        try:
            yield
        finally:
            with self._lock:
                self._open.discard(connection)

    @contextmanager
    def _connected(self) -> Iterator[socket.socket]:
        with socket.create_connection(self._target, timeout=_TARGET_TIMEOUT_S) as connection, self._known(connection):
            if self._closing.is_set():
                raise ConnectionAbortedError("the proxy is closed")
            yield connection

    @property
    def _authority(self) -> str:
        host, port = self._target
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class _Listener(ThreadingMixIn, TCPServer):
    address_family = socket.AF_INET
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: type[_Handler], proxy: FaultProxy) -> None:
        self.proxy = proxy
        super().__init__(address, handler)

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        # Closing alone: what ends in good order would no longer end in a reset.
        assert isinstance(request, socket.socket)
        request.close()

    def handle_error(self, request: object, client_address: object) -> None:
        error = sys.exception()
        if error is not None and not isinstance(error, OSError):  # clients come and go as they like
            self.proxy._failed(error)


@dataclass(frozen=True, slots=True)
class _Response:
    """A reply, whole."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def head(self, length: int) -> bytes:
        phrase = HTTPStatus(self.status).phrase if self.status in {*HTTPStatus} else "Unknown"
        lines = [f"HTTP/1.1 {self.status} {phrase}", *(f"{name}: {value}" for name, value in self.headers)]
        if self.status not in (204, 304) and not any(name.lower() == "content-length" for name, _ in self.headers):
            lines.append(f"Content-Length: {length}")
        return "\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Listener

    def handle(self) -> None:
        with self.server.proxy._known(self.connection):
            if not self.server.proxy._closing.is_set():
                self.handle_one_request()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Nothing is logged."""

    def _serve(self) -> None:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            self.send_error(411)
            return
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if len(body) < length:
            return  # the client went away, and half a request is none
        seen = self.server.proxy._decide(self.command, self.path, length)
        self._carry(seen, body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve  # noqa: N815 - their names there

    def _carry(self, seen: Seen, body: bytes) -> None:
        match seen.fault:
            case Reply(status, forward, retry_after):
                if forward:
                    self._forward(seen, body)
                self._send(seen, _error(status, "injected fault", retry_after))
            case Redirect(to, status):
                self._send(seen, _own(status, "text/plain", b"", Location=to.rstrip("/") + self.path))
            case NotJson(forward):
                if forward:
                    self._forward(seen, body)
                self._send(seen, _own(200, "text/html", b"<!DOCTYPE html><title>Log in</title>"))
            case Drop(forward):
                if forward:
                    self._forward(seen, body)
            case HalfSent():
                self._send_half(body)
            case Stall(seconds, forward):
                response = self._forward(seen, body) if forward else None
                self.server.proxy._closing.wait(seconds)
                if not self.server.proxy._closing.is_set():
                    self._send(seen, response or self._forward(seen, body))
            case Truncated() | Short() | Reset():
                self._send_part(seen, self._forward(seen, body))
            case None:
                self._send(seen, self._forward(seen, body))

    def _request(self, body: bytes) -> bytes:
        proxy = self.server.proxy
        kept = [(name, value) for name, value in self.headers.items() if name.lower() not in _NOT_FORWARDED]
        ours = [("Host", proxy._authority), ("Accept-Encoding", "identity"), ("Connection", "close")]
        lines = [f"{self.command} {self.path} HTTP/1.1", *(f"{name}: {value}" for name, value in [*kept, *ours])]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + body

    def _forward(self, seen: Seen, body: bytes) -> _Response:
        try:
            with self.server.proxy._connected() as connection:
                connection.sendall(self._request(body))
                seen.forwarded = True
                with HTTPResponse(connection, method=self.command) as reply:
                    reply.begin()
                    content = reply.read()
                    # The length of what HEAD does not send is for the server to tell.
                    left_out = _NOT_RETURNED - {"content-length"} if self.command == "HEAD" else _NOT_RETURNED
                    headers = tuple((n, v) for n, v in reply.headers.items() if n.lower() not in left_out)
                    seen.carried_out = reply.status
                    return _Response(reply.status, headers, content)
        except (OSError, HTTPException):
            return _error(502, "the server behind the proxy does not answer")

    def _send_half(self, body: bytes) -> None:
        request = self._request(body)
        # Without a body, half of the method's name: some servers take a head that breaks off for a whole one.
        half = len(request) - (len(body) + 1) // 2 if body else len(self.command) // 2
        with suppress(OSError), self.server.proxy._connected() as connection:
            connection.sendall(request[:half])

    def _send(self, seen: Seen, response: _Response) -> None:
        seen.status = response.status
        sent = b"" if self.command == "HEAD" else response.body
        self.wfile.write(response.head(len(response.body)) + sent)

    def _send_part(self, seen: Seen, response: _Response) -> None:
        if response.status in (204, 304):
            response = replace(response, status=200)  # those have no body that could be cut
        body = response.body.rstrip()
        body = body if len(body) > 1 else b"{}"
        half = body[: len(body) // 2]
        seen.status = response.status
        self.wfile.write(response.head(len(half) if isinstance(seen.fault, Truncated) else len(body)) + half)
        if isinstance(seen.fault, Reset):
            # Closing without lingering sends a reset.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _own(status: int, kind: str, body: bytes, **headers: str) -> _Response:
    """A reply of the proxy itself, dated like those of any server."""
    named = (("Date", formatdate(usegmt=True)), ("Content-Type", kind), *headers.items())
    return _Response(status, named, body)


def _error(status: int, why: str, retry_after: int | datetime | None = None) -> _Response:
    moment = format_datetime(retry_after, usegmt=True) if isinstance(retry_after, datetime) else str(retry_after)
    asks = {} if retry_after is None else {"Retry-After": moment}
    return _own(status, "application/json", json.dumps({"detail": why}).encode(), **asks)
