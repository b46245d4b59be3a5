"""Generating with real clients: one for each model, over one journal and within one budget."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

from bridge.generating.result import Caution, Generated
from bridge.generating.run import Run, Tick
from bridge.generating.settings import GenerateConfig
from bridge.models.asker import Asker
from bridge.models.batches import BatchAsker
from bridge.models.budget import Budget
from bridge.models.client import ModelClient
from bridge.models.journal import Journal
from bridge.models.price_file import read_prices


def generate(
    config: GenerateConfig,
    out: Path,
    rejected: Path,
    journal: Path,
    *,
    folder: Path | None = None,
    tick: Tick = lambda what, done, total: None,
) -> Generated:
    """Generate what the settings ask for.

    What was answered is in the journal: a run that was killed and is begun again pays for nothing twice.

    Args:
        config: what is wanted.
        out: the file with the records.
        rejected: the file with what was refused, and why.
        journal: the file with requests and their answers.
        folder: where paths in the settings start.
        tick: is told how far the run is.

    Raises:
        UsageError, ConfigError: what is wanted cannot be.
        EndpointError: an endpoint answers nobody.
        BudgetSpent: there was no budget for a single record.
        InputError, StoreError: a file cannot be read or written.

    >>> import tempfile
    >>> from bridge.generating.settings import load_settings
    >>> from bridge.testing.models import ModelServer
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "rows.jsonl").write_text('{"prompt": "2 + 2?"}')
    >>> with ModelServer(lambda asked: ["4", "Four."]) as server:
    ...     flags = {"make": "candidates", "template": "preference", "rows": "rows.jsonl", "models": "small"}
    ...     config, _ = load_settings(None, {**flags, "url": server.url})
    ...     done = generate(config, *(folder / name for name in ("a.jsonl", "b.jsonl", "c.jsonl")), folder=folder)
    >>> done.made, done.test_only
    (1, 1)
    """
    return asyncio.run(_generate(config, out, rejected, journal, folder or Path(), tick))


async def _generate(
    config: GenerateConfig, out: Path, rejected: Path, journal: Path, folder: Path, tick: Tick
) -> Generated:
    prices = read_prices(folder / config.prices) if config.prices else None
    budget = Budget(config.budget.cost, config.budget.tokens, config.budget.requests)
    with Journal(journal, prices=prices, budget=budget) as book:
        async with AsyncExitStack() as stack:
            clients = {
                one.name: await stack.enter_async_context(
                    ModelClient(
                        one.url or config.url or "",
                        one.name,
                        journal=book,
                        concurrency=config.concurrency,
                        allow_http=config.allow_http,
                    )
                )
                for one in config.models
            }
            askers: Mapping[str, Asker] = clients
            if config.batch:
                askers = {name: BatchAsker(client, tick=tick) for name, client in clients.items()}
            result = await Run(config, askers, singly=clients, folder=folder, tick=tick).to_files(out, rejected)
            for name, client in clients.items():
                for told in client.capabilities.done_without():
                    result.cautions.append(Caution(f"{name}: {told}", "another endpoint or server may support it"))
        result.spent = book.account.spent
    return result
