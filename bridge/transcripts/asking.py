"""Tasks with a real client: one model, over a journal and within a budget."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bridge.generating.result import Caution, Generated
from bridge.models.budget import Budget
from bridge.models.client import ModelClient
from bridge.models.journal import Journal
from bridge.models.price_file import read_prices
from bridge.transcripts.tasks import Plan, Tasks


@dataclass(frozen=True, slots=True)
class Model:
    """Which model is asked, and what that may cost.

    Args:
        url: the endpoint.
        name: the model's name there.
        budget: the most that may be spent.
        prices: the file with prices; None for none.
        allow_http: permit plain http to other machines.
    """

    url: str
    name: str
    budget: Budget = field(default_factory=Budget)
    prices: Path | None = None
    allow_http: bool = False


def make_tasks(
    rows: Path,
    folder: Path,
    journal: Path,
    plan: Plan,
    model: Model,
    tick: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Generated:
    """Make the tasks of a file of transcripts.

    What was answered is in the journal: a run that was killed and is begun again pays for nothing twice.

    Args:
        rows: the transcripts, as ``annobridge transcripts read`` writes them.
        folder: where the records go, a file for each template.
        journal: the file with requests and their answers.
        plan: what is to be made.
        model: which model is asked.
        tick: is told how far it is.

    Raises:
        UsageError, ConfigError: what is wanted cannot be.
        EndpointError: the endpoint answers nobody.
        BudgetSpent: there was no budget for a single record.
        InputError, StoreError: a file cannot be read or written.

    >>> import tempfile
    >>> from bridge.testing.models import ModelServer
    >>> from bridge.transcripts.recipes import load_recipe
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "rows.jsonl").write_text('{"transcript": [{"speaker": "Ann", "text": "We ship on Friday."}]}')
    >>> with ModelServer(lambda asked: ["- Ann: ships (Friday)", "There are no action items."]) as server:
    ...     plan = Plan([load_recipe("action_items")])
    ...     done = make_tasks(folder / "rows.jsonl", folder, folder / "j.jsonl", plan, Model(server.url, "small"))
    >>> done.made, done.test_only
    (3, 3)
    """
    return asyncio.run(_make(rows, folder, journal, plan, model, tick))


async def _make(
    rows: Path, folder: Path, journal: Path, plan: Plan, model: Model, tick: Callable[[str, int, int], None]
) -> Generated:
    prices = read_prices(model.prices) if model.prices else None
    with Journal(journal, prices=prices, budget=model.budget) as book:
        async with ModelClient(model.url, model.name, journal=book, allow_http=model.allow_http) as client:
            result = await Tasks(plan, client, tick).to_folder(rows, folder)
            for told in client.capabilities.done_without():
                result.cautions.append(Caution(f"{model.name}: {told}", "another endpoint or server may support it"))
        result.spent = book.account.spent
    return result
