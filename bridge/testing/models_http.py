"""A small HTTP server in a thread, on the IPv4 loopback: whole requests in, whole replies out, connections kept."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request, whole. Names of headers are in lower case; the path is without the query, which stands apart."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A reply, whole."""

    status: int
    body: bytes
    kind: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    def raw(self) -> bytes:
        """Its bytes on the wire."""
        phrase = HTTPStatus(self.status).phrase if self.status in {*HTTPStatus} else "Unknown"
        lines = [
            f"HTTP/1.1 {self.status} {phrase}",
            f"Content-Type: {self.kind}",
            f"Content-Length: {len(self.body)}",
            *(f"{name}: {value}" for name, value in self.headers.items()),
        ]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + self.body


Handler: TypeAlias = "Callable[[HttpRequest], Awaitable[HttpAnswer | None]]"
"""Answers a request; None closes the connection without a reply."""


class HttpThread:
    """Serves until it is stopped.

    Args:
        handler: called in the server's own thread, for several connections in turn.
        port: 0 lets the system choose.
    """

    def __init__(self, handler: Handler, port: int = 0) -> None:
        self._handler = handler
        self._asked_port = port
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="model server", daemon=True)
        self.port = 0

    def start(self) -> None:
        """Begin; the port is known then.

        Raises:
            OSError: the port is taken.
        """
        self._thread.start()
        self._started.wait()
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Close all connections, whatever they wait for."""
        with suppress(RuntimeError):  # it has ended by itself
            self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        loop = self._loop
        asyncio.set_event_loop(loop)
        try:
            server = loop.run_until_complete(
                asyncio.start_server(self._serve, "127.0.0.1", self._asked_port, backlog=512, limit=2**20)
            )
            self.port = server.sockets[0].getsockname()[1]
        except OSError as error:
            self._error = error
            loop.close()
            return
        finally:
            self._started.set()
        loop.run_forever()
        server.close()
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (request := await _request(reader)) is not None:
                answer = await self._handler(request)
                if answer is None:
                    break
                writer.write(answer.raw())
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # clients come and go as they like
        except asyncio.CancelledError:
            pass  # stop(); asyncio would print a traceback for each connection
        finally:
            writer.close()


async def _request(reader: asyncio.StreamReader) -> HttpRequest | None:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    words = first.split(" ")
    if len(words) != 3:
        return None
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = headers.get("content-length", "0")
    body = await reader.readexactly(int(length)) if length.isdigit() else b""
    path, _, query = words[1].partition("?")
    return HttpRequest(words[0], path, query, headers, body)
