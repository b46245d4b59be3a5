"""Records, rubrics and judges by program, for the tests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Sequence
from math import log
from typing import Any

from bridge.judging.rubric import Rubric, parse_rubric
from bridge.judging.run import judge
from bridge.models.asker import Asker
from bridge.models.replies import Choice, TokenChoice
from bridge.models.requests import ChatRequest
from bridge.records import Record
from bridge.templates import load_template
from bridge.testing.models_scripted import Said, ScriptedAsker

LEVELS = "levels: {1: useless, 2: poor, 3: fair, 4: good, 5: excellent}"
GOOD = parse_rubric(f"{{version: 1, name: good, question: rating, {LEVELS}}}", load_template("review"))
BETTER = parse_rubric(
    "{version: 1, name: better, question: preference, levels: {A: A is better, B: B is better, tie: as good}}",
    load_template("preference"),
)
RIGHT = parse_rubric(
    "{version: 1, name: right, question: label,"
    " levels: {correct: yes it is, partially_correct: half, incorrect: wrong, harmful: does harm}}",
    load_template("review"),
)


def said(score: int, rationale: str = "Because.") -> str:
    return json.dumps({"rationale": rationale, "score": score})


def sure(score: int, shares: dict[str, float]) -> Choice:
    """An answer with its tokens: at the score's place, these with these probabilities."""
    before = '{"rationale": "Because.", "score": '
    top = tuple((token, log(share)) for token, share in shares.items())
    tokens = (TokenChoice(before, -0.1), TokenChoice(str(score), log(shares[str(score)]), top), TokenChoice("}", 0.0))
    return Choice(before + str(score) + "}", "stop", tokens)


def one(key: str = "r1", response: str = "Four.", **metadata: Any) -> Record:
    return Record(key, {"prompt": "2 + 2?", "response": response}, metadata=metadata)


def pair(key: str = "r1", a: str = "Four.", b: str = "Five.") -> Record:
    return Record(key, {"prompt": "2 + 2?", "response_a": a, "response_b": b})


def model(answer: Callable[[ChatRequest], Said] | Said, name: str = "small") -> ScriptedAsker:
    return ScriptedAsker(answer if callable(answer) else lambda request: answer, name)


def asked(request: ChatRequest) -> str:
    return request.messages[-1]["content"]


def judged(
    records: Iterable[Record], rubrics: Rubric | Sequence[Rubric], judges: Asker | Sequence[Asker], **options: Any
) -> list[Record]:
    async def run() -> list[Record]:
        by = [rubrics] if isinstance(rubrics, Rubric) else rubrics
        who = judges if isinstance(judges, list | tuple) else [judges]
        return [record async for record in judge(records, by, who, **options)]  # type: ignore[arg-type]

    return asyncio.run(run())
