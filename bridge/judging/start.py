"""Judging with real clients: one for each judge, over one journal and within one budget, from records to a file."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bridge.errors import BudgetSpent
from bridge.files import line_writer
from bridge.judging.rubric import Rubric
from bridge.judging.run import Tally, judge
from bridge.merging.doubt import Doubt
from bridge.models.budget import Budget
from bridge.models.client import ModelClient
from bridge.models.journal import Journal
from bridge.models.price_file import read_prices
from bridge.records import Record


@dataclass(frozen=True, slots=True)
class Judges:
    """Who judges.

    Args:
        models: names at their endpoints.
        urls: addresses of these: one for all, or one for each.
        parameters: of each request, such as ``{"max_tokens": 500}``.
        prices: YAML file with prices.
        budget: the most that may be spent.
        allow_http: permit plain http to other machines.
    """

    models: Sequence[str]
    urls: Sequence[str]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    prices: Path | None = None
    budget: Budget = field(default_factory=Budget)
    allow_http: bool = False


def judge_to_file(
    records: Iterable[Record],
    rubrics: Sequence[Rubric],
    judges: Judges,
    out: Path,
    journal: Path,
    *,
    generators: Iterable[str] = (),
    tick: Callable[[int], None] = lambda done: None,
) -> tuple[Tally, str]:
    """Judge records, and write them as lines of ``records.jsonl``. The file appears whole or stays as it was.

    What was answered is in the journal: a run that ended early and is begun again pays for nothing twice.

    Returns:
        What it came to, and why it ended early; empty where it did not. What was judged until then is in the file.

    Raises:
        UsageError, ConfigError: what is wanted cannot be.
        EndpointError: an endpoint answers nobody.
        BudgetSpent: there was no budget for a single record.
        StoreError: a file cannot be written.
    """
    return asyncio.run(_judge(records, rubrics, judges, out, journal, generators, tick))


async def _judge(
    records: Iterable[Record],
    rubrics: Sequence[Rubric],
    judges: Judges,
    out: Path,
    journal: Path,
    generators: Iterable[str],
    tick: Callable[[int], None],
) -> tuple[Tally, str]:
    prices = read_prices(judges.prices) if judges.prices else None
    urls = judges.urls if len(judges.urls) == len(judges.models) else [judges.urls[0]] * len(judges.models)
    tally, stopped, written = Tally(), "", 0
    with Journal(journal, prices=prices, budget=judges.budget) as book, line_writer(out) as write:
        async with AsyncExitStack() as stack:
            clients = [
                await stack.enter_async_context(ModelClient(url, model, journal=book, allow_http=judges.allow_http))
                for url, model in zip(urls, judges.models, strict=True)
            ]
            given = {"parameters": judges.parameters, "generators": generators, "tally": tally}
            try:
                async for record in judge(records, rubrics, clients, **given):  # type: ignore[arg-type]
                    write(record.to_dict())
                    written += 1
                    tick(written)
            except BudgetSpent as error:
                if not written:
                    raise
                stopped = error.reason
            for client in clients:
                for told in client.capabilities.done_without():
                    means = f"{client.model}: {told}"
                    tally.warnings.append(Doubt("done_without", means, "another endpoint or server may support it"))
    return tally, stopped
