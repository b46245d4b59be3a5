"""A model without an endpoint, for tests: a function answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import TypeAlias

from bridge.models.replies import Choice, Reply, Usage, problem_of
from bridge.models.requests import ChatRequest

Said: TypeAlias = "str | Choice | Sequence[str | Choice] | Reply"
"""What a script answers: a text, a choice, several of these, or a whole reply."""


class ScriptedAsker:
    """An :class:`~bridge.models.asker.Asker` that asks a function. What it says counts as a test double's.

    Args:
        answer: gets a request, and says what the model says; a single text stands for all ``n`` choices.
        model: its name; one that does not begin with ``stub`` passes for a real model.

    >>> import asyncio
    >>> model = ScriptedAsker(lambda request: request.messages[-1]["content"].upper())
    >>> asyncio.run(model.ask(ChatRequest("stub", ({"role": "user", "content": "hello"},)))).text
    'HELLO'
    >>> len(model.requests)
    1
    """

    def __init__(self, answer: Callable[[ChatRequest], Said], model: str = "stub") -> None:
        self.model = model
        self.requests: list[ChatRequest] = []
        """All requests, in order."""
        self._answer = answer

    async def ask(self, request: ChatRequest) -> Reply:
        """Answer one request."""
        self.requests.append(request)
        said = self._answer(request)
        if isinstance(said, Reply):
            return said
        given = [said] * request.n if isinstance(said, str | Choice) else list(said)
        choices = tuple(Choice(one, "stop") if isinstance(one, str) else one for one in given)
        prompt = sum(len(message["content"]) for message in request.messages) // 4
        usage = Usage(prompt, sum(len(choice.text or "") for choice in choices) // 4)
        return Reply(request.key, self.model, choices, usage, problem_of(choices))

    async def ask_all(self, requests: Iterable[ChatRequest]) -> AsyncIterator[Reply]:
        """Answer many requests, one after the other."""
        for request in requests:
            yield await self.ask(request)
