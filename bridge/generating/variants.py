"""Variants of rows from strata that have few: the same instruction in other words, a harder one, a special case.

A variant that loses or invents a number or a name is dropped, as far as its recipe keeps these; so is one that is no
new text. Each says which row it was made from, and which record that row comes from in the end, so that an export
never puts two of them on different sides of a split.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from bridge.curate.tokens import words
from bridge.errors import ValueRejected
from bridge.generating.facts import changes
from bridge.generating.given import Given
from bridge.generating.instructions import not_new
from bridge.generating.novelty import Pool
from bridge.generating.order import closing
from bridge.generating.recipes import Recipe
from bridge.generating.shape import Shape
from bridge.generating.work import Arm, Call, Prompt, Refused, no_answer
from bridge.models.replies import Reply
from bridge.models.requests import ChatRequest
from bridge.text import check_text

LINEAGE = ("licence", "license", "source", "topic", "persona", "level")
"""Metadata that a variant has from its parent, if that has them: where it comes from, and what it is about."""

_WRAPPED = re.compile(r"\s*<(instruction|text|answer)>\s*(.*?)\s*</\1>\s*", re.DOTALL)


def unwrapped(text: str) -> str:
    """What a model wrote, without the marks that stood around what it was given.

    >>> unwrapped("<instruction>\\nName two rivers.\\n</instruction>")
    'Name two rivers.'
    """
    found = _WRAPPED.fullmatch(text)
    return found[2] if found else text.strip()


def inherited(row: Given, names: Iterable[str] = ()) -> dict[str, Any]:
    """What of a row's metadata stands in the records that are made from it."""
    return {
        name: row.metadata[name] for name in dict.fromkeys((*names, *LINEAGE)) if row.metadata.get(name) is not None
    }


def stratum(row: Given, by: str) -> str | None:
    """The stratum of a row: a piece of its metadata as text; None where it has none.

    >>> stratum(Given(1, "r1", "?", None, {}, {"topic": "sums"}), "topic")
    'sums'
    """
    value = row.metadata.get(by)
    return str(value) if isinstance(value, str | int | float) and str(value).strip() else None


@dataclass(frozen=True, slots=True)
class Rare:
    """The rows of one stratum that has few.

    Args:
        name: the stratum.
        rows: its rows.
        wanted: how many variants bring it to the number that is wanted.
    """

    name: str
    rows: tuple[Given, ...]
    wanted: int


def rare(rows: Iterable[Given], by: str, below: int, only: Sequence[str] = ()) -> tuple[list[Rare], Counter[str]]:
    """The strata that have fewer rows than ``below``, the fewest first, and how many rows each stratum has.

    Args:
        rows: all rows, once.
        by: the piece of metadata that says which stratum a row is of; rows without it are of none.
        below: how many are wanted.
        only: no other strata than these.

    >>> given = [Given(n, f"r{n}", "?", None, {}, {"topic": "sums" if n else "maps"}) for n in range(4)]
    >>> found, counts = rare(given, "topic", 3)
    >>> [(one.name, len(one.rows), one.wanted) for one in found], counts["sums"]
    ([('maps', 1, 2)], 3)
    """
    counts: Counter[str] = Counter()
    kept: dict[str, list[Given]] = {}
    for row in rows:
        name = stratum(row, by)
        if name is None or (only and name not in only):
            continue
        counts[name] += 1
        if counts[name] < below:
            kept.setdefault(name, []).append(row)
        else:
            kept.pop(name, None)
    names = sorted(kept, key=lambda name: (counts[name], name))
    return [Rare(name, tuple(kept[name]), below - counts[name]) for name in names], counts


@dataclass(frozen=True, slots=True)
class _Attempt:
    row: Given
    recipe: Recipe
    nth: int


class Variants:
    """Asks for variants.

    Args:
        arm: who writes them.
        recipes: how they are asked for; they take turns.
        shape: of the rows.
        pool: what ``novel`` ones are compared with; each variant goes into it.
        by: the piece of metadata that says which stratum a row is of.
        names: further names that must stay.
        capitals: whether a capital letter makes a name.
        per_row: how many variants of one row are tried at the most.
        keep: names of metadata that variants have from their parent, beside ``by`` and :data:`LINEAGE`.
        seed: decides whose turn comes first.

    Attributes:
        missing: stratum to how many variants are missing in the end.
    """

    def __init__(
        self,
        arm: Arm,
        recipes: Sequence[Recipe],
        shape: Shape,
        pool: Pool,
        *,
        by: str,
        names: Sequence[str] = (),
        capitals: bool = True,
        per_row: int = 3,
        keep: Sequence[str] = (),
        seed: int = 0,
    ) -> None:
        self.missing: dict[str, int] = {}
        self._arm, self._recipes, self._shape, self._pool = arm, list(recipes), shape, pool
        self._names, self._capitals = list(names), capitals
        self._per_row, self._keep, self._seed = per_row, [by, *keep], seed
        self._seen: set[tuple[str, ...]] = set()

    async def write(self, strata: Sequence[Rare]) -> AsyncIterator[Prompt | Refused]:
        """Variants of rows of these strata, and what was refused, in an order that depends on the replies alone.

        Raises:
            EndpointError, BudgetSpent, StoreError: as of :class:`~bridge.models.asker.Asker`, after earlier ones.
        """
        self.missing = {one.name: one.wanted for one in strata}
        left: dict[str, Iterator[_Attempt]] = {one.name: self._attempts(one.rows) for one in strata}
        for one in strata:
            self._seen.update(tuple(words(self._shape.varied(row.prompt))) for row in one.rows)
        while True:
            turn = [(name, attempt) for name, more in left.items() for attempt in islice(more, self.missing[name])]
            if not turn:
                return
            requests = [self._request(attempt) for _, attempt in turn]
            async with closing(self._arm.asker.ask_all(requests)) as replies:
                for (name, attempt), request in zip(turn, requests, strict=True):
                    found = self._judged(attempt, request, await anext(replies))
                    self.missing[name] -= isinstance(found, Prompt)
                    yield found

    def _attempts(self, rows: Sequence[Given]) -> Iterator[_Attempt]:
        """Each row in turn, each time with the next recipe."""

        def lot(row: Given) -> bytes:
            return hashlib.sha256(f"{self._seed}\0{row.key}".encode()).digest()

        count = len(self._recipes)
        ordered = sorted(rows, key=lot)
        for turn in range(self._per_row):
            for number, row in enumerate(ordered):
                yield _Attempt(row, self._recipes[(number + turn) % count], turn // count)

    def _request(self, attempt: _Attempt) -> ChatRequest:
        training = self._shape.template.training
        instruction = " ".join((training.instruction if training else "").split())
        values = {
            "text": self._shape.varied(attempt.row.prompt),
            "task": instruction or "to do what the text asks for",
        }
        salt = f"variant {attempt.nth + 1} of {attempt.row.key}, seed {self._seed}"
        return self._arm.request(attempt.recipe.messages(values), salt=salt)

    def _judged(self, attempt: _Attempt, request: ChatRequest, reply: Reply) -> Prompt | Refused:
        row, recipe = attempt.row, attempt.recipe
        if reply.text is None:
            return no_answer(reply.problem or "no answer", reply, line=row.line, key=row.key)
        text = unwrapped(reply.text)

        def refused(step: str, reason: str, remedy: str) -> Refused:
            return Refused(step, f"{recipe.name}: {reason}", remedy, row.line, row.key, text, request=request.key)

        before = self._shape.varied(row.prompt)
        try:
            value = self._shape.value(check_text(text, "prompt"), row.prompt)
        except ValueRejected as error:
            return refused("text", error.reason, error.remedy)
        said = tuple(words(text))
        if not said or said in self._seen:
            return refused("same", "no other text than one that is there", "nothing: another one is asked for")
        if recipe.says(text):
            return refused("same", "only what the model was told", "nothing: another one is asked for")
        wrong = wrong_facts(recipe, before, text, [*self._names, *speakers(row)], capitals=self._capitals)
        if wrong:
            return refused("facts", wrong, "nothing: another one is asked for")
        match = self._pool.nearest(text) if recipe.novel else None
        if match is not None:
            return not_new(text, *match, line=row.line, key=row.key, request=request.key)
        self._seen.add(said)
        self._pool.add(f"{recipe.name} of {row.key}", text)
        keeps = recipe.answered == "keep" and not self._shape.compares
        author = row.metadata.get("model")
        return Prompt(
            value,
            recipe.name,
            root=row.root,
            parent=row.key,
            call=Call.of(request, reply),
            answer=row.answer if keeps else None,
            author=author if isinstance(author, str) else "",
            metadata=inherited(row, self._keep),
            line=row.line,
        )


def speakers(row: Given) -> list[str]:
    """Who speaks in a transcript; their names must stay."""
    roles: Mapping[str, None] = {}
    if not isinstance(row.prompt, str):
        roles = dict.fromkeys(message["role"] for message in row.prompt)
    return [role for role in roles if role not in ("system", "user", "assistant", "tool")]


def wrong_facts(
    recipe: Recipe, before: str, after: str, names: Sequence[str], *, beside: str = "", capitals: bool = True
) -> str:
    """Which numbers and names a text must not have lost or invented, in words; empty if all is well.

    >>> from bridge.generating.recipes import load_recipe
    >>> wrong_facts(load_recipe("harder"), "Name 3 rivers.", "Name 5 rivers.", [])
    'the number 3 is lost, the number 5 is invented'
    """
    if recipe.facts == "any":
        return ""
    found = changes(before, after, names=names, beside=beside, capitals=capitals)
    return found.reason(may_lose=recipe.facts == "may_lose")
