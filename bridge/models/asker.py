"""Whoever answers requests: a client of an endpoint, a batch, or a test double."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Protocol

from bridge.models.replies import Reply
from bridge.models.requests import ChatRequest


class Asker(Protocol):
    """Answers requests to one model.

    A request that gets no good answer costs one reply with a :attr:`~bridge.models.replies.Reply.problem`. What no
    further request can survive is raised: a wrong key, a model that is not there, a budget that is spent.
    """

    model: str
    """The model that requests are made for."""

    async def ask(self, request: ChatRequest) -> Reply:
        """Answer one request.

        Raises:
            EndpointError: the endpoint answers nobody, or not like an OpenAI-compatible one.
            BudgetSpent: the request might cost more than is left.
            StoreError: the journal cannot be written.
        """
        ...

    def ask_all(self, requests: Iterable[ChatRequest]) -> AsyncIterator[Reply]:
        """Answer many requests, several at a time; the replies come in the requests' order.

        Requests are taken from the iterable as there is room, so that it may be larger than memory.

        Raises:
            EndpointError, BudgetSpent, StoreError: likewise, after the replies to earlier requests.
        """
        ...
