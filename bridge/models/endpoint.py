"""One OpenAI-compatible endpoint, through the SDK ``openai``: one request, one reply, no retries, no redirects.

The key goes to exactly the origin that was given. Of the SDK's surroundings nothing is used: no address, organisation
or project from its environment variables, no proxy, no retries of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from bridge.errors import ConfigError, UsageError
from bridge.keys import Secret, check_transport, environment_key, key_file, origin, saved_key
from bridge.models.outcomes import SETTINGS, Failed

if TYPE_CHECKING:
    import httpx2

KEY_VARIABLE = "ANNOBRIDGE_MODEL_KEY"
OPENAI, OPENAI_KEY_VARIABLE = "https://api.openai.com:443", "OPENAI_API_KEY"

TIMEOUT_S = 600.0
"""For one reply. A long answer of a slow model takes minutes, and an abandoned request is paid for all the same."""

LARGEST_REPLY, LARGEST_FILE = 2**28, 2**31
"""Bytes of one reply, and of a file of results. What sends more, such as a radio station, is no model."""

_LOCAL = ("localhost", "127.0.0.1", "[::1]", "::1")


@dataclass(frozen=True, slots=True)
class HttpReply:
    """A reply, whole, whatever its status. Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def model_key(url: str) -> Secret | None:
    """The key for an endpoint.

    It comes from the environment variable ``ANNOBRIDGE_MODEL_KEY``, else from the key file by the endpoint's origin,
    else, for OpenAI's own origin and no other, from ``OPENAI_API_KEY``. Endpoints on this machine may do without: then
    it is None.

    Raises:
        ConfigError: there is none, it cannot be a key, or the key file is open to others.
    """
    where = origin(url)
    key = environment_key(KEY_VARIABLE) or saved_key(url)
    if key is None and where == OPENAI:
        key = environment_key(OPENAI_KEY_VARIABLE)
    if key is None and urlsplit(where).hostname not in _LOCAL:
        raise ConfigError(
            f"there is no key for {where}: {KEY_VARIABLE} is not set, and {key_file()} has none",
            remedy=f'set {KEY_VARIABLE}, or add "{where}": "YOUR KEY" to that file (mode 0600)',
        )
    return key


class Endpoint:
    """An endpoint; to be closed in the end.

    Args:
        url: its address, such as ``https://api.openai.com/v1``.
        key: the key; None looks it up (:func:`model_key`).
        allow_http: permit plain http to hosts other than this machine.
        connections: how many at once.
        timeout_s: for one reply.

    Raises:
        ConfigError: the address or the key cannot be right, or there is no key.
        UsageError: the package ``openai`` is not installed.
    """

    def __init__(
        self,
        url: str,
        *,
        key: Secret | None = None,
        allow_http: bool = False,
        connections: int = 8,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        check_transport(url, allow_http=allow_http)
        self.url = origin(url) + urlsplit(url).path.rstrip("/")
        """The address in one fixed spelling, by which the journal knows it."""
        key = key or model_key(url)
        try:
            import httpx2
            from openai import AsyncOpenAI
        except ImportError:
            raise UsageError(
                "the package openai is not installed", remedy="pip install 'annobridge[generate]'"
            ) from None
        encrypted = self.url.startswith("https:")
        self._timeout_s = timeout_s
        self._http = httpx2.AsyncClient(
            follow_redirects=False,
            trust_env=False,
            verify=encrypted,
            timeout=httpx2.Timeout(timeout_s, connect=10.0),
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=connections),
            event_hooks={"response": [_limited]},
        )
        self._sdk = AsyncOpenAI(
            api_key=key.reveal() if key else "none",
            base_url=self.url,
            max_retries=0,
            timeout=httpx2.Timeout(timeout_s, connect=10.0),
            http_client=self._http,
        )
        # The SDK reads these from the environment, and would tell them to any endpoint.
        self._sdk.organization = self._sdk.project = None
        self._headers = {"User-Agent": "annobridge"}
        if key is None:
            from openai import Omit

            self._headers |= {"Authorization": Omit()}  # type: ignore[dict-item]

    async def close(self) -> None:
        """Close the connections."""
        await self._sdk.close()

    async def post(self, path: str, body: Mapping[str, Any]) -> HttpReply | Failed:
        """Send JSON. What comes back is a reply of any status, or says that there was none."""
        import httpx2

        return await self._send(
            lambda: self._sdk.post(path, body=body, cast_to=httpx2.Response, options={"headers": self._headers}),
            self._timeout_s,
        )

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> HttpReply | Failed:
        """Ask for something."""
        import httpx2

        return await self._send(
            lambda: self._sdk.get(
                path,
                cast_to=httpx2.Response,
                options={"headers": {**self._headers, "Accept": "*/*"}, "params": dict(params or {})},
            )
        )

    async def upload(self, path: str, fields: Mapping[str, str], name: str, content: bytes) -> HttpReply | Failed:
        """Send a file with some fields, as a form."""
        import httpx2

        return await self._send(
            lambda: self._sdk.post(
                path,
                body=dict(fields),
                files=[("file", (name, content, "application/jsonl"))],
                cast_to=httpx2.Response,
                options={"headers": {**self._headers, "Content-Type": "multipart/form-data"}},
            )
        )

    async def _send(self, call: Any, within_s: float | None = None) -> HttpReply | Failed:
        import httpx2
        from openai import APIConnectionError, APIStatusError, APITimeoutError

        try:
            async with asyncio.timeout(within_s):  # the SDK's own is for each piece that comes
                reply: httpx2.Response = await call()
            return _read(reply)
        except TimeoutError:
            return Failed("unclear", "no answer in time")
        except _TooLarge:
            return Failed("fatal", "its reply has no end", remedy=SETTINGS)
        except APIStatusError as error:
            return _read(error.response)
        except APITimeoutError as error:
            if isinstance(error.__cause__, httpx2.ConnectTimeout | httpx2.PoolTimeout):
                return Failed("unreachable", "no connection in time")
            return Failed("unclear", "no answer in time")
        except APIConnectionError as error:
            cause = error.__cause__
            if isinstance(cause, httpx2.ConnectError | httpx2.UnsupportedProtocol):
                return Failed("unreachable", "no connection")
            return Failed("unclear", f"the connection was lost ({type(cause).__name__})")
        except httpx2.HTTPError as error:  # while the body was read
            return Failed("unclear", f"the connection was lost ({type(error).__name__})")


def _read(reply: httpx2.Response) -> HttpReply:
    return HttpReply(reply.status_code, {name.lower(): value for name, value in reply.headers.items()}, reply.content)


class _TooLarge(Exception):
    """A reply is larger than any that is meant."""


async def _limited(reply: httpx2.Response) -> None:
    """Let a reply end in an error once it is too large, before it fills the memory."""
    import httpx2

    assert isinstance(reply.stream, httpx2.AsyncByteStream)
    stream: httpx2.AsyncByteStream = reply.stream

    class Limited(httpx2.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            left = LARGEST_FILE if reply.request.method == "GET" else LARGEST_REPLY
            async for part in stream:
                left -= len(part)
                if left < 0:
                    raise _TooLarge
                yield part

        async def aclose(self) -> None:
            await stream.aclose()

    reply.stream = Limited()
