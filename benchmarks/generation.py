"""Asking a model: annobridge's client, a bare loop over the same SDK, and distilabel's ``OpenAILLM``.

200 rows with five calls each go to a local server in a process of its own, which answers at once. ``ours`` is
``ModelClient.ask_all`` with a journal on the disk and a price table; ``bare`` is ``AsyncOpenAI`` with eight calls at a
time and nothing else. They take turns. distilabel runs in an environment of its own: give its Python.

    python benchmarks/generation.py
    python benchmarks/generation.py --distilabel-python PYTHON-WITH-DISTILABEL
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from common import Spent, in_turn

ROWS, CALLS, CONCURRENCY = 200, 5, 8
ROOT = Path(__file__).resolve().parent.parent
TASKS = ("Summarise", "List the action items of", "Ask three questions about", "Rewrite", "Judge")


def prompts() -> Iterator[str]:
    """Five prompts of about 1 kB for each row."""
    for row in range(ROWS):
        text = " ".join(f"Person {turn % 3} said sentence {turn} of meeting {row}." for turn in range(25))
        for task in TASKS:
            yield f"{task} this meeting.\n\n{text}"


def ours(url: str) -> Spent:
    """Our client, as a command uses it."""
    from bridge.models.client import ModelClient
    from bridge.models.journal import Journal
    from bridge.models.prices import Price, Prices
    from bridge.models.requests import ChatRequest

    async def work(journal: Journal) -> int:
        requests = (
            ChatRequest("stub", ({"role": "user", "content": text},), {"max_tokens": 100}) for text in prompts()
        )
        async with ModelClient(url, "stub", journal=journal, concurrency=CONCURRENCY) as client:
            return sum([reply.problem is None async for reply in client.ask_all(requests)])

    with tempfile.TemporaryDirectory() as folder:
        started, processor = time.perf_counter(), time.process_time()
        with Journal(Path(folder, "journal.jsonl"), prices=Prices({"stub": Price(1, 2)})) as journal:
            answered = asyncio.run(work(journal))
        spent = Spent(time.perf_counter() - started, time.process_time() - processor)
    assert answered == ROWS * CALLS
    return spent


def bare(url: str) -> Spent:
    """The SDK and a semaphore: nothing is kept, counted or asked again."""
    from openai import AsyncOpenAI

    async def work() -> int:
        slots = asyncio.Semaphore(CONCURRENCY)
        async with AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:

            async def one(text: str) -> str | None:
                async with slots:
                    message = {"role": "user", "content": text}
                    reply = await client.chat.completions.create(model="stub", messages=[message], max_tokens=100)
                    return reply.choices[0].message.content

            texts = await asyncio.gather(*map(one, prompts()))
        return sum(text is not None for text in texts)

    started, processor = time.perf_counter(), time.process_time()
    answered = asyncio.run(work())
    spent = Spent(time.perf_counter() - started, time.process_time() - processor)
    assert answered == ROWS * CALLS
    return spent


DISTILABEL = """
import json, os, sys, time
from distilabel.models import OpenAILLM
from distilabel.pipeline import Pipeline
from distilabel.steps import LoadDataFromDicts
from distilabel.steps.tasks import TextGeneration

url, rows, tasks = sys.argv[1], json.load(sys.stdin), json.loads(sys.argv[2])
if __name__ == "__main__":
    with Pipeline("benchmark") as pipeline:
        load = LoadDataFromDicts(data=[{"text": text} for text in rows])
        for number, task in enumerate(tasks):
            llm = OpenAILLM(model="stub", base_url=url, api_key="none", generation_kwargs={"max_new_tokens": 100})
            step = TextGeneration(
                name=f"call_{number}", llm=llm, template=task + " this meeting.\\n\\n{{ text }}", columns=["text"],
                output_mappings={"generation": f"out_{number}", "model_name": f"by_{number}"},
            )
            load >> step
    started = time.perf_counter()
    made = pipeline.run(use_cache=False)
    print("SECONDS", time.perf_counter() - started)
    rows = [row for part in made.values() for row in part["train"]]
    print("ANSWERED", sum(value is not None for row in rows for name, value in row.items() if name.startswith("out_")))
"""


def distilabel(python: str, url: str) -> Spent:
    """Five tasks of one pipeline, whose seconds are those of ``run`` alone, without its imports."""
    rows = [text.partition("\n\n")[2] for number, text in enumerate(prompts()) if number % CALLS == 0]
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "pipeline.py")
        script.write_text(DISTILABEL, encoding="utf-8")
        done = subprocess.run(
            [python, str(script), url, json.dumps(TASKS)],
            input=json.dumps(rows),
            capture_output=True,
            check=False,
            text=True,
            cwd=folder,
            env={**os.environ, "HF_HUB_OFFLINE": "1", "HOME": folder},
        )
    told = dict(line.split() for line in done.stdout.splitlines() if line.startswith(("SECONDS ", "ANSWERED ")))
    if told.get("ANSWERED") != str(ROWS * CALLS):
        raise SystemExit(f"distilabel failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return Spent(float(told["SECONDS"]), 0.0)


@contextmanager
def served() -> Iterator[str]:
    """The address of a server in a process of its own."""
    command = [sys.executable, "-m", "bridge.testing.models_serve"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.stdin.close()


def main() -> None:
    """Print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--distilabel-python", help="the Python of an environment with distilabel 1.5")
    given = parser.parse_args()
    with served() as url:
        ours(url)  # imports, once
        sides: dict[str, Callable[[], Spent]] = {"ours": partial(ours, url), "bare": partial(bare, url)}
        if given.distilabel_python:
            sides["distilabel"] = partial(distilabel, given.distilabel_python, url)
        taken = in_turn(given.rounds, sides)
    print(f"{ROWS} rows, {CALLS} calls each, load {os.getloadavg()[0]:.1f}")
    print(f"ours {taken['ours'].wall:.2f} s, bare loop {taken['bare'].wall:.2f} s")
    print(
        f"ours / bare: {taken['ours'].wall / taken['bare'].wall:.2f}, of the client's processor time "
        f"{taken['ours'].processor / taken['bare'].processor:.2f} (aim: at most 1.30)"
    )
    if given.distilabel_python:
        ratio = taken["distilabel"].wall / taken["ours"].wall
        print(f"distilabel {taken['distilabel'].wall:.2f} s: {ratio:.1f} times ours (aim: at least 4)")


if __name__ == "__main__":
    main()
