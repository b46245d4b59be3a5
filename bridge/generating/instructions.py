"""New instructions: for every topic, persona and level, in batches, until there are enough that are new."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from bridge.errors import ValueRejected
from bridge.generating.novelty import Pool
from bridge.generating.order import in_order
from bridge.generating.recipes import Recipe
from bridge.generating.work import Arm, Call, Prompt, Refused, no_answer
from bridge.models.requests import ChatRequest
from bridge.models.structured import Structured, ask_structured
from bridge.records import record_key
from bridge.text import check_text

SCHEMA = {
    "type": "object",
    "properties": {"items": {"type": "array", "items": {"type": "string"}}},
    "required": ["items"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One combination that instructions are wanted for; an empty text stands for any.

    >>> Cell("cooking", "", "easy", 5).metadata
    {'topic': 'cooking', 'level': 'easy'}
    """

    topic: str
    persona: str
    level: str
    wanted: int

    @property
    def metadata(self) -> dict[str, Any]:
        """What records of this cell say of it."""
        named = {"topic": self.topic, "persona": self.persona, "level": self.level}
        return {name: value for name, value in named.items() if value}


def cells(topics: Sequence[str], personas: Sequence[str], levels: Sequence[str], count: int) -> list[Cell]:
    """All combinations, with ``count`` dealt to them as evenly as can be, the first ones getting what is left over.

    >>> [(cell.topic, cell.level, cell.wanted) for cell in cells(["a", "b"], [], ["easy", "hard"], 6)]
    [('a', 'easy', 2), ('a', 'hard', 2), ('b', 'easy', 1), ('b', 'hard', 1)]
    """
    named = list(product(topics, personas or [""], levels or [""]))
    each, over = divmod(count, len(named))
    return [Cell(*names, each + (number < over)) for number, names in enumerate(named)]


@dataclass(frozen=True, slots=True)
class _Batch:
    cell: int
    request: ChatRequest


class Instructions:
    """Asks for instructions.

    Args:
        arm: who writes them.
        recipe: how they are asked for.
        wanted: for what, and how many of each.
        pool: what they are compared with; each new one goes into it.
        examples: instructions of people, some of which are shown with each request.
        shown: how many.
        per_request: how many are asked for at once.
        rounds: how often more are asked for where too few were new.
        seed: decides which examples are shown.

    Attributes:
        missing: how many are missing of each cell, in the end.
    """

    def __init__(
        self,
        arm: Arm,
        recipe: Recipe,
        wanted: Sequence[Cell],
        pool: Pool,
        *,
        examples: Sequence[str] = (),
        shown: int = 3,
        per_request: int = 5,
        rounds: int = 4,
        seed: int = 0,
    ) -> None:
        self.missing = [cell.wanted for cell in wanted]
        self._arm, self._recipe, self._cells, self._pool = arm, recipe, list(wanted), pool
        self._examples, self._shown, self._seed = list(examples), shown, seed
        self._per_request, self._rounds = per_request, rounds

    async def write(self) -> AsyncIterator[Prompt | Refused]:
        """Prompts that are new, and what was refused, in an order that depends on the replies alone.

        Raises:
            EndpointError, BudgetSpent, StoreError: as of :class:`~bridge.models.asker.Asker`, after earlier ones.
        """
        for turn in range(1, self._rounds + 1):
            batches = [
                self._batch(number, turn, nth, min(self._per_request, missing - nth * self._per_request))
                for number, missing in enumerate(self.missing)
                for nth in range(-(-missing // self._per_request))
            ]
            asked = (ask_structured(self._arm.asker, batch.request, _items) for batch in batches)
            at = 0
            async for answer in in_order(asked):
                for found in self._take(batches[at], answer):
                    yield found
                at += 1

    def _batch(self, number: int, turn: int, nth: int, count: int) -> _Batch:
        cell = self._cells[number]
        values = {
            "count": str(count),
            "topic": cell.topic,
            "persona": cell.persona or "anybody",
            "level": cell.level or "any",
            "examples": self._example_text(f"{number}/{turn}/{nth}"),
        }
        salt = f"round {turn}, batch {nth + 1}, seed {self._seed}"
        return _Batch(number, self._arm.request(self._recipe.messages(values), schema=SCHEMA, salt=salt))

    def _example_text(self, place: str) -> str:
        chosen = drawn(len(self._examples), self._shown, f"{self._seed}/{place}")
        if not chosen:
            return ""
        listed = "\n".join(f"- {' '.join(self._examples[index].split())}" for index in chosen)
        return f"\nInstructions of the kind that is wanted, which must not be repeated:\n{listed}\n"

    def _take(self, batch: _Batch, answer: Structured[list[str]]) -> list[Prompt | Refused]:
        value = answer.values[0]
        if value.value is None:
            return [no_answer(value.problem or "no answer", answer.reply)]
        texts = [text.strip() for text in value.value]
        call = Call.of(batch.request, answer.reply, max(1, len(texts)))
        return [self._judged(batch, text, call) for text in texts]

    def _judged(self, batch: _Batch, text: str, call: Call) -> Prompt | Refused:
        cell = self._cells[batch.cell]
        request = call.request
        try:
            check_text(text, "instruction")
        except ValueRejected as error:
            return Refused("text", error.reason, error.remedy, text=text, request=request)
        if not any(map(str.isalpha, text)):
            reason = "an instruction without a letter"
            return Refused("text", reason, "nothing: another one is asked for", text=text, request=request)
        if self._recipe.says(text):
            reason = "only what the model was told"
            return Refused("same", reason, "nothing: another one is asked for", text=text, request=request)
        if self.missing[batch.cell] == 0:
            return Refused("surplus", "more than were wanted", "raise count to keep it", text=text, request=request)
        key = record_key({"prompt": text})
        match = self._pool.admit(key, text)
        if match is not None:
            return not_new(text, match.name, match.score, request=request)
        self.missing[batch.cell] -= 1
        return Prompt(text, self._recipe.name, root=key, call=call, metadata=cell.metadata)


def not_new(text: str, like: str, score: float, *, line: int = 0, key: str = "", request: str = "") -> Refused:
    """A text that is too much like another one."""
    reason = f"not new: ROUGE-L {score:.2f} with {like}"
    return Refused("novelty", reason, "nothing: another one is asked for", line, key, text, score, like, request)


def drawn(among: int, count: int, lot: str) -> list[int]:
    """Some of so many indices, decided by a text and nothing else.

    >>> drawn(10, 3, "a"), drawn(2, 3, "a"), drawn(0, 3, "a")
    ([1, 4, 3], [1, 0], [])
    """
    left = list(range(among)) if among <= 4 * count else None
    found: dict[int, None] = {}
    turn = 0
    while len(found) < min(count, among):
        number = int.from_bytes(hashlib.sha256(f"{lot}\0{turn}".encode()).digest()[:8])
        found.setdefault(left.pop(number % len(left)) if left is not None else number % among)
        turn += 1
    return list(found)


def _items(value: Any) -> list[str]:
    items: list[str] = value["items"]
    if not items:
        raise ValueError("'items' is empty")
    return items
