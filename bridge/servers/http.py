"""The one HTTP client: bound to a single origin, with redirects off and errors that hold no secret.

The key is sent to exactly the scheme, host and port that it belongs to. A redirect is an error: other clients strip
only ``Authorization`` when they follow one, and keep API-key headers (measured with httpx).

A request is sent again only where that is provably safe: one that reads, or a write of which nothing can have been
carried out, because there was no connection or the server asked to wait. All else is the caller's to look up.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic_core import from_json, to_json

from bridge.errors import (
    AuthError,
    Busy,
    NotFound,
    Refused,
    ServerError,
    TooLarge,
    UnexpectedReply,
    UnknownOutcome,
    Unreachable,
)
from bridge.keys import check_transport, origin
from bridge.servers.retries import Retries
from bridge.waits import asked_wait, http_date

if TYPE_CHECKING:
    import httpx2

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]

READ_TIMEOUT_S = 180.0
"""Servers need up to a minute for a batch on a busy machine, and an abandoned request may still be carried out."""

USUAL = Retries()
"""The patience of clients that are given none of their own."""

_PASSING = frozenset({408, 425, 500, 502, 503, 504})
"""Statuses that another attempt may not meet; 429 is one too, and says besides that nothing was carried out."""


@dataclass(frozen=True, slots=True)
class _Request:
    method: Method
    path: str
    params: Mapping[str, Any]
    content: bytes | None
    what: str
    authorized: bool
    writes: bool
    batch: bool


class _Passing(Exception):
    """A failure after which the same request may safely be sent again, and the error that it is otherwise."""

    def __init__(self, error: ServerError, asked_s: float = 0.0) -> None:
        super().__init__(error)
        self.error = error
        self.asked_s = asked_s


class Client:
    """JSON over HTTP to one origin.

    Args:
        url: where the server is; its path is a prefix of all requests.
        authorize: returns the authorisation headers for a request; called anew for each one.
        allow_http: permit plain http to hosts other than this machine.
        transport: for tests, any httpx2 transport.
        retries: how often, and for how long, requests are sent again where that is safe.
    """

    def __init__(
        self,
        url: str,
        authorize: Callable[[], Mapping[str, str]] = dict,
        *,
        allow_http: bool = False,
        transport: httpx2.BaseTransport | None = None,
        retries: Retries | None = None,
    ) -> None:
        import httpx2

        check_transport(url, allow_http=allow_http)
        self.origin = origin(url)
        self._prefix = httpx2.URL(url).path.rstrip("/")
        # A new connection costs nothing on this machine. On a kept one, a server that sends the head and the body of
        # a reply apart, as Label Studio's does, has each body held up by 40 ms (measured): it waits for the delayed
        # acknowledgement of the head.
        encrypted = self.origin.startswith("https:")
        self._authorize = authorize
        self._retries = retries or USUAL
        self.server_time = ""
        """When the last reply was sent, by the server's clock: UTC, ISO 8601 with ``Z``; empty if it did not say."""
        self._open: Callable[[], httpx2.Client] = lambda: httpx2.Client(
            base_url=self.origin,
            transport=transport,
            # Certificates are only read where they are used: that alone takes 50 ms.
            verify=encrypted,
            limits=httpx2.Limits(max_keepalive_connections=None if encrypted else 0),
            follow_redirects=False,
            trust_env=False,
            timeout=httpx2.Timeout(READ_TIMEOUT_S, connect=10.0),
        )
        self._http = self._open()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def request(
        self,
        method: Method,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: object = None,
        what: str = "",
        authorized: bool = True,
        reads: bool = False,
        batch: bool = False,
    ) -> Any:
        """Send one request and return the parsed JSON reply (None for an empty one).

        Args:
            what: what this does, in a person's words, for error messages.
            authorized: send the authorisation headers; a login does without.
            reads: this changes nothing, whatever its method, so that no failure leaves an unknown outcome.
            batch: the caller can send less at once, so it is told at once where the server asks to wait.

        Raises:
            Unreachable, AuthError, NotFound, Refused, TooLarge, Busy, UnexpectedReply: nothing was written.
            UnknownOutcome: a write may have happened (connection lost, 5xx, unreadable reply).
        """
        content = None if body is None else to_json(body, inf_nan_mode="constants")
        writes = method != "GET" and not reads
        request = _Request(method, path, params or {}, content, what or f"{method} {path}", authorized, writes, batch)
        clock = self._retries.clock
        started = clock.monotonic()
        attempt = 1
        while True:
            try:
                return self._send(request)
            except _Passing as failed:
                elapsed = clock.monotonic() - started
                wait = self._retries.wait(attempt, elapsed_s=elapsed, asked_s=failed.asked_s)
                if wait is None:
                    raise _counted(failed.error, attempt) from None
            clock.sleep(wait)
            attempt += 1

    def _send(self, request: _Request) -> Any:
        import httpx2

        # Asked for anew at each attempt: a key may have ended while we waited.
        keys = self._authorize() if request.authorized else {}
        headers = {"Accept": "application/json", **keys}
        if request.content is not None:
            headers["Content-Type"] = "application/json"
        try:
            reply = self._http.request(
                request.method,
                self._prefix + request.path,
                params=dict(request.params),
                content=request.content,
                headers=headers,
            )
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.UnsupportedProtocol) as error:
            raise _Passing(
                Unreachable(
                    f"{self.origin}: cannot connect ({type(error).__name__}) to {request.what}",
                    remedy="is the server running, and is the url in campaign.yaml right?",
                )
            ) from None
        except httpx2.HTTPError as error:
            self._reconnect()
            raise _unclear(request, f"{self.origin}: {type(error).__name__} while trying to {request.what}") from None
        return self._read(request, reply, keys)

    def _reconnect(self) -> None:
        # After a failure a server may carry out what comes on the same connection, and close it all the same
        # (measured on Argilla: 6 requests, 4 broken connections, 5 of them carried out).
        self._http.close()
        self._http = self._open()

    def _read(self, request: _Request, reply: httpx2.Response, keys: Mapping[str, str]) -> Any:
        status = reply.status_code
        date = reply.headers.get("date", "")
        self.server_time = _iso(date)
        if 200 <= status < 300:
            if not reply.content:
                return None
            try:
                return _parsed(reply.content)
            except (ValueError, RecursionError):
                reason = f"{self.origin}: the reply to {request.what} is not JSON (is this the server's address?)"
                raise _unclear(request, reason) from None
        where = f"{self.origin}: {status} while trying to {request.what}{_detail(reply, keys)}"
        if 300 <= status < 400:
            raise UnexpectedReply(
                f"{where}: it redirects elsewhere, and a key is never sent after a redirect",
                remedy="put the address that it redirects to into campaign.yaml, if you trust it",
            )
        if status in (401, 403):
            raise AuthError(where, remedy="check the key, and that its user may do this")
        if status == 404:
            raise NotFound(where, remedy="check the url (without /api) and the project")
        if status == 413:
            raise TooLarge(where, remedy="send less at once, or let the server (or a proxy before it) take more")
        if status == 429 or status >= 500 or status in _PASSING:
            self._reconnect()
            asked_s = asked_wait(reply.headers.get("retry-after", ""), date, self._retries.clock.time())
            asks = f"; it asks to wait {math.ceil(asked_s):,} s" if asked_s else ""
            if status == 429:
                raise _busy(request, where + asks, asked_s)
            raise _unclear(request, where + asks, asked_s, passing=status in _PASSING)
        raise Refused(where, remedy="see the reason above")


def _busy(request: _Request, reason: str, asked_s: float) -> Exception:
    error = Busy(reason, remedy="wait as long as it asks for, then run the command again", wait_s=asked_s)
    return error if request.writes and request.batch else _Passing(error, asked_s)


def _unclear(request: _Request, reason: str, asked_s: float = 0.0, *, passing: bool = True) -> Exception:
    if request.writes:
        remedy = "run the command again: it looks up what arrived before it sends anything"
        return UnknownOutcome(reason, remedy=remedy, wait_s=asked_s)
    error = UnexpectedReply(reason, remedy="run the command again; if it stays, look at the server's log")
    return _Passing(error, asked_s) if passing else error


def _counted(error: ServerError, attempts: int) -> ServerError:
    """The error with how often it was met."""
    if attempts > 1:
        error.reason = f"{error.reason} (tried {attempts} times)"
        error.args = (error.reason,)
    return error


def _detail(reply: httpx2.Response, keys: Mapping[str, str]) -> str:
    """The server's own short reason, where there is one, without our key and without control characters."""
    text = _reason(reply)
    for value in keys.values():
        text = text.replace(value.partition(" ")[2] or value, "***")
    text = "".join(char if char.isprintable() else " " for char in text[:300]).strip()
    return f": {text}" if text else ""


def _iso(date: str) -> str:
    """An HTTP date as ISO 8601; empty if there is none."""
    moment = http_date(date)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if moment else ""


def _reason(reply: httpx2.Response) -> str:
    """What a JSON reply gives as its reason. Never the whole body: it may hold records."""
    try:
        body = reply.json()
    except (ValueError, RecursionError):
        return ""
    if not isinstance(body, dict):
        return ""
    errors = body.get("validation_errors")
    if isinstance(errors, dict):
        for name, messages in errors.items():
            for message in messages if isinstance(messages, list) else [messages]:
                if isinstance(message, str):
                    return _without_data(f"{name}: {message}")
    detail = body.get("detail")
    if isinstance(detail, dict):  # Argilla: {"code", "params": {"errors": [{"loc", "msg", "input"}], "detail"}}
        parameters = detail.get("params")
        parameters = parameters if isinstance(parameters, dict) else {}
        errors = parameters.get("errors")
        first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
        place = ".".join(str(part) for part in first.get("loc") or () if isinstance(part, str | int))
        texts = [str(detail.get("code", "")).rpartition("::")[2], place, first.get("msg"), parameters.get("detail")]
        return ": ".join(_without_data(text) for text in texts if isinstance(text, str) and text)
    return _without_data(detail) if isinstance(detail, str) else ""


def _without_data(text: str) -> str:
    # The offending record is echoed after " :: " (Label Studio), the failed statement with its values after "[SQL"
    # (Argilla); they are the user's data and none of a log's business.
    return text.split(" :: ", maxsplit=1)[0].split("[SQL", maxsplit=1)[0]


def _parsed(content: bytes) -> Any:
    try:
        return from_json(content, allow_inf_nan=False)
    except ValueError:
        # The quick parser takes neither NaN nor halves of surrogate pairs. One such answer must not hide all others:
        # as a text it reaches validation, which names it.
        return json.loads(content, parse_constant=str)
