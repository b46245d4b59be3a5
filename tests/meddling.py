"""Faults on the way to a real server."""

from __future__ import annotations

from collections.abc import Callable

import httpx2


class Meddling(httpx2.BaseTransport):
    """Real traffic with one thing done to it."""

    def __init__(self, meddle: Callable[[httpx2.Request, httpx2.BaseTransport], httpx2.Response | None]) -> None:
        self.real = httpx2.HTTPTransport()
        self.meddle = meddle
        self.seen: list[tuple[str, str]] = []

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self.seen.append((request.method, request.url.path))
        return self.meddle(request, self.real) or self.real.handle_request(request)

    def close(self) -> None:
        self.real.close()
