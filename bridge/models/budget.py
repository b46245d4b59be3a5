"""What may be spent on models, and what has been."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from math import ceil, isfinite

from bridge.errors import BudgetSpent, UsageError
from bridge.models.prices import Prices
from bridge.models.requests import ChatRequest
from bridge.records import canonical_json

BYTES_PER_TOKEN = 2.5
"""Fewer than texts have: 2.9 in transcripts with times, 4.2 in Chinese, 4.5 in English (measured, o200k)."""

UNLIMITED_ANSWER = 1024
"""Tokens that are set aside for an answer whose length the request does not limit."""


@dataclass(frozen=True, slots=True)
class Budget:
    """The most that may be spent, on all that stands in a journal; None where there is no limit.

    Args:
        cost: in the currency of the price table.
        tokens: of prompts and answers together.
        requests: how many are sent, failures included.

    Raises:
        UsageError: a limit that lets nothing through.

    >>> Budget(cost=0)
    Traceback (most recent call last):
    bridge.errors.UsageError: budget cost of 0: nothing can be asked of a model
      remedy: give a number above 0, or leave it out for no limit
    """

    cost: float | None = None
    tokens: int | None = None
    requests: int | None = None

    def __post_init__(self) -> None:
        for name, limit in (("cost", self.cost), ("tokens", self.tokens), ("requests", self.requests)):
            if limit is not None and not (isfinite(limit) and limit > 0):
                raise UsageError(
                    f"budget {name} of {limit}: nothing can be asked of a model",
                    remedy="give a number above 0, or leave it out for no limit",
                )


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of a prompt and of its answers."""

    prompt: int = 0
    completion: int = 0

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(self.prompt + other.prompt, self.completion + other.completion)


@dataclass(slots=True)
class Spent:
    """What was spent.

    Args:
        requests: sent, failures included.
        tokens: as the endpoint counted.
        unclear: requests whose outcome nobody knows: a connection was lost, or the process was killed meanwhile.
        set_aside: tokens that are counted for these, as many as they may have taken.
        cost: of all tokens, these included, of models that have a price.
        unpriced: whether some model has none.
    """

    requests: int = 0
    tokens: Tokens = Tokens()
    unclear: int = 0
    set_aside: Tokens = Tokens()
    cost: float = 0.0
    unpriced: bool = False

    @property
    def all_tokens(self) -> int:
        """Tokens of prompts and answers, those set aside included."""
        both = self.tokens + self.set_aside
        return both.prompt + both.completion


def likely(request: ChatRequest) -> Tokens:
    """The most tokens that a request is likely to take: a few per byte, and the answers as long as they may become.

    >>> likely(ChatRequest("m", ({"role": "user", "content": "x" * 250},), {"max_tokens": 50, "n": 2}))
    Tokens(prompt=110, completion=100)
    """
    texts = sum(len(message["content"].encode()) for message in request.messages)
    if request.schema is not None:
        texts += len(canonical_json(request.schema))
    prompt = ceil(texts / BYTES_PER_TOKEN) + 10 * len(request.messages)
    limits = (request.parameters.get(name) for name in ("max_completion_tokens", "max_tokens"))
    # Local servers take -1 for no limit.
    longest = next((limit for limit in limits if isinstance(limit, int) and limit > 0), UNLIMITED_ANSWER)
    return Tokens(prompt, longest * request.n)


@dataclass
class Account:
    """Keeps a budget: sets aside what a request may take before it is sent, and gives back what it did not.

    What is sent at the same time is set aside too, so no limit is passed by requests that limit their answers
    (``max_tokens``). One account may serve several models at once.

    >>> account = Account(Prices(), Budget(tokens=1000))
    >>> account.reserve("m", Tokens(100, 500))
    True
    >>> account.reserve("m", Tokens(100, 500))  # not while the first is out
    False
    >>> account.settle("m", Tokens(100, 500), Tokens(90, 20))
    >>> account.spent.tokens, account.reserve("m", Tokens(100, 500))
    (Tokens(prompt=90, completion=20), True)
    """

    prices: Prices = field(default_factory=Prices)
    budget: Budget = field(default_factory=Budget)
    spent: Spent = field(default_factory=Spent)
    _out: int = 0
    _out_tokens: int = 0
    _out_cost: float = 0.0
    _waiting: list[asyncio.Future[None]] = field(default_factory=list)

    async def room(self, model: str, most: Tokens, *, batch: bool = False) -> None:
        """Set aside what a request may take, once there is room for it.

        Raises:
            BudgetSpent: there is none, and none will come back from requests that are out.
            UsageError: the budget is in money, and the model has no price.
        """
        while not self.reserve(model, most, batch=batch):
            if not self._out:
                raise self.ended()
            settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(settled)
            await settled

    def reserve(self, model: str, most: Tokens, *, batch: bool = False) -> bool:
        """Set aside what a request may take, if there is room.

        Raises:
            UsageError: the budget is in money, and the model has no price.
        """
        cost = self.prices.cost(model, most.prompt, most.completion, batch=batch)
        if cost is None and self.budget.cost is not None:
            raise UsageError(
                f"budget: the price table has no price for the model {model!r:.60}",
                remedy="add it to the table, with prices of a million tokens, or limit tokens instead",
            )
        tokens = most.prompt + most.completion
        limits = (
            (self.budget.requests, self.spent.requests + self._out + 1),
            (self.budget.tokens, self.spent.all_tokens + self._out_tokens + tokens),
            (self.budget.cost, self.spent.cost + self._out_cost + (cost or 0.0)),
        )
        if any(limit is not None and needed > limit for limit, needed in limits):
            return False
        self._out += 1
        self._out_tokens += tokens
        self._out_cost += cost or 0.0
        return True

    def settle(self, model: str, most: Tokens, used: Tokens | None, *, batch: bool = False) -> None:
        """A request came back, and took so many tokens; None where nobody knows, and all of them count."""
        self.count(model, most if used is None else used, clear=used is not None, batch=batch)
        self.release(model, most, batch=batch)

    def release(self, model: str, most: Tokens, *, batch: bool = False) -> None:
        """A request did not take place after all."""
        self._out -= 1
        self._out_tokens -= most.prompt + most.completion
        self._out_cost -= self.prices.cost(model, most.prompt, most.completion, batch=batch) or 0.0
        waiting, self._waiting = self._waiting, []
        for settled in waiting:
            if not settled.done():
                settled.set_result(None)

    def count(self, model: str, tokens: Tokens, *, times: int = 1, clear: bool = True, batch: bool = False) -> None:
        """Count requests and what they took: as the endpoint says, or (not ``clear``) as they may have."""
        spent = self.spent
        spent.requests += times
        if clear:
            spent.tokens += tokens
        else:
            spent.unclear += times
            spent.set_aside += tokens
        cost = self.prices.cost(model, tokens.prompt, tokens.completion, batch=batch)
        spent.cost += cost or 0.0
        spent.unpriced |= cost is None

    def ended(self) -> BudgetSpent:
        """The error that says that there is no room for the next request."""
        spent, budget = self.spent, self.budget
        told = []
        if budget.cost is not None:
            told.append(f"{spent.cost:.4f} of {budget.cost:g} {self.prices.currency}")
        if budget.tokens is not None:
            told.append(f"{spent.all_tokens:,} of {budget.tokens:,} tokens")
        if budget.requests is not None:
            told.append(f"{spent.requests:,} of {budget.requests:,} requests")
        return BudgetSpent(
            f"the budget has no room for the next request: {', '.join(told)} spent",
            remedy="what was answered is kept; give a larger budget and run the same again to go on",
        )
