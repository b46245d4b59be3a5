"""The one HTTP client: bound to a single origin, with redirects off and errors that hold no secret.

The key is sent to exactly the scheme, host and port that it belongs to. A redirect is an error: other clients strip
only ``Authorization`` when they follow one, and keep API-key headers (measured with httpx).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Literal

from pydantic_core import from_json, to_json

from bridge.errors import AuthError, NotFound, Refused, ServerError, UnexpectedReply, UnknownOutcome, Unreachable
from bridge.keys import check_transport, origin

if TYPE_CHECKING:
    import httpx2

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]

READ_TIMEOUT_S = 180.0
"""Servers need up to a minute for a batch on a busy machine, and an abandoned request may still be carried out."""


class Client:
    """JSON over HTTP to one origin.

    Args:
        url: where the server is; its path is a prefix of all requests.
        authorize: returns the authorisation headers for a request; called anew for each one.
        allow_http: permit plain http to hosts other than this machine.
        transport: for tests, any httpx2 transport.
    """

    def __init__(
        self,
        url: str,
        authorize: Callable[[], Mapping[str, str]] = dict,
        *,
        allow_http: bool = False,
        transport: httpx2.BaseTransport | None = None,
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
    ) -> Any:
        """Send one request, once, and return the parsed JSON reply (None for an empty one).

        Args:
            what: what this does, in a person's words, for error messages.
            authorized: send the authorisation headers; a login does without.
            reads: this changes nothing, whatever its method, so that no failure leaves an unknown outcome.

        Raises:
            Unreachable, AuthError, NotFound, Refused, UnexpectedReply: nothing was written.
            UnknownOutcome: a write may have happened (connection lost, 5xx, unreadable reply).
        """
        import httpx2

        what = what or f"{method} {path}"
        writes = method != "GET" and not reads
        keys = self._authorize() if authorized else {}
        headers = {"Accept": "application/json", **keys}
        content = None
        if body is not None:
            content = to_json(body, inf_nan_mode="constants")
            headers["Content-Type"] = "application/json"
        try:
            reply = self._http.request(
                method, self._prefix + path, params=dict(params or {}), content=content, headers=headers
            )
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.UnsupportedProtocol) as error:
            raise Unreachable(
                f"{self.origin}: cannot connect ({type(error).__name__}) to {what}",
                remedy="is the server running, and is the url in campaign.yaml right?",
            ) from None
        except httpx2.HTTPError as error:
            self._reconnect()
            raise _unclear(writes, f"{self.origin}: {type(error).__name__} while trying to {what}") from None
        return self._read(writes, reply, what, keys)

    def _reconnect(self) -> None:
        # After a failure a server may carry out what comes on the same connection, and close it all the same
        # (measured on Argilla: 6 requests, 4 broken connections, 5 of them carried out).
        self._http.close()
        self._http = self._open()

    def _read(self, writes: bool, reply: httpx2.Response, what: str, keys: Mapping[str, str]) -> Any:
        status = reply.status_code
        self.server_time = _iso(reply.headers.get("date", ""))
        if 200 <= status < 300:
            if not reply.content:
                return None
            try:
                return _parsed(reply.content)
            except (ValueError, RecursionError):
                raise _unclear(
                    writes, f"{self.origin}: the reply to {what} is not JSON (is this the server's address?)"
                ) from None
        detail = _detail(reply, keys)
        where = f"{self.origin}: {status} while trying to {what}{detail}"
        if 300 <= status < 400:
            raise UnexpectedReply(
                f"{where}: it redirects elsewhere, and a key is never sent after a redirect",
                remedy="put the address that it redirects to into campaign.yaml, if you trust it",
            )
        if status in (401, 403):
            raise AuthError(where, remedy="check the key, and that its user may do this")
        if status == 404:
            raise NotFound(where, remedy="check the url (without /api) and the project")
        if status >= 500 or status in (408, 429):
            self._reconnect()
            raise _unclear(writes, where)
        raise Refused(where, remedy="see the reason above")


def _unclear(writes: bool, reason: str) -> ServerError:
    if writes:
        return UnknownOutcome(reason, remedy="run the command again: it looks up what arrived before it sends anything")
    return UnexpectedReply(reason, remedy="run the command again; if it stays, look at the server's log")


def _detail(reply: httpx2.Response, keys: Mapping[str, str]) -> str:
    """The server's own short reason, where there is one, without our key and without control characters."""
    text = _reason(reply)
    for value in keys.values():
        text = text.replace(value.partition(" ")[2] or value, "***")
    text = "".join(char if char.isprintable() else " " for char in text[:300]).strip()
    return f": {text}" if text else ""


def _iso(date: str) -> str:
    """An HTTP date as ISO 8601; empty if there is none."""
    try:
        return parsedate_to_datetime(date).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    except ValueError:
        return ""


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
