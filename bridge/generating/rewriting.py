"""Answers of given rows, rewritten by a model: in a record of their own, as a suggestion, or beside the old answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import tee

from bridge.errors import UsageError, ValueRejected
from bridge.generating.answering import Answer, Answering, Made
from bridge.generating.given import Given
from bridge.generating.order import closing
from bridge.generating.recipes import Recipe
from bridge.generating.shape import Shape
from bridge.generating.variants import inherited, unwrapped, wrong_facts
from bridge.generating.work import Arm, Call, Prompt, Refused, asked_anew, no_answer
from bridge.metadata import wrote_stub
from bridge.models.replies import Reply
from bridge.models.requests import ChatRequest
from bridge.records import Record, Suggestion, text_of
from bridge.text import check_text, same_text

ORIGINAL, REWRITTEN = "original", "rewritten"
"""The two arms, where both answers are compared."""


class Rewriting:
    """Rewrites answers.

    Args:
        arm: who rewrites.
        recipe: how it is asked to.
        shape: of the rows.
        instruction: what is to become better, such as ``Make it half as long.``
        suggest: leave the record as it is, and suggest the new answer for the question that asks people to rewrite.
        names: further names that must stay.
        capitals: whether a capital letter makes a name.
        keep: names of metadata that new records have from their row.
        seed: decides in which order both answers stand; another one asks anew.

    Raises:
        UsageError: the template has no question that a rewritten answer could be suggested for.
    """

    def __init__(
        self,
        arm: Arm,
        recipe: Recipe,
        shape: Shape,
        *,
        instruction: str = "",
        suggest: bool = False,
        names: Sequence[str] = (),
        capitals: bool = True,
        keep: Sequence[str] = (),
        seed: int = 0,
    ) -> None:
        self._arm, self._recipe, self._shape, self._instruction = arm, recipe, shape, instruction
        self._names, self._capitals, self._keep = list(names), capitals, list(keep)
        self._salt = asked_anew(seed)
        self._question = shape.rewriting_question() if suggest else None
        if suggest and self._question is None:
            raise UsageError(
                f"template {shape.template.name}: no question of it asks for a rewritten answer",
                remedy="leave suggest out, or use review or rewrite",
            )
        both = [replace(arm, name=ORIGINAL), replace(arm, name=REWRITTEN)]
        self._answering = Answering(shape, both if shape.compares else [arm], 2 if shape.compares else 1, seed)
        self.lengths = self._answering.lengths

    async def rewrite(self, rows: Iterable[Given]) -> AsyncIterator[Made]:
        """The records of rows with rewritten answers, in the rows' order, and what could not be one.

        Raises:
            EndpointError, BudgetSpent, StoreError: as of :class:`~bridge.models.asker.Asker`, after earlier records.
        """
        for_requests, mine = tee(rows)
        async with closing(self._arm.asker.ask_all(self._requests(for_requests))) as replies:
            for row in mine:
                if row.answer is None:
                    remedy = "add the answer, or name its column with --map response=COLUMN"
                    yield Refused("text", "no answer to rewrite", remedy, row.line, row.key)
                    continue
                for made in self._made(row, row.answer, await anext(replies)):
                    yield made

    def _requests(self, rows: Iterable[Given]) -> Iterator[ChatRequest]:
        return (self._request(row, row.answer) for row in rows if row.answer is not None)

    def _request(self, row: Given, answer: str) -> ChatRequest:
        values = {"text": answer, "prompt": text_of(row.prompt), "instruction": self._instruction}
        return self._arm.request(self._recipe.messages(values), salt=self._salt)

    def _made(self, row: Given, answer: str, reply: Reply) -> Sequence[Made]:
        if reply.text is None:
            return [no_answer(reply.problem or "no answer", reply, line=row.line, key=row.key)]
        text = unwrapped(reply.text)

        def refused(step: str, reason: str, remedy: str) -> list[Made]:
            return [Refused(step, reason, remedy, row.line, row.key, text, request=reply.key)]

        try:
            check_text(text, "answer")
        except ValueRejected as error:
            return refused("text", error.reason, error.remedy)
        if same_text(text, answer):
            return refused("same", "the answer came back as it was", "nothing, if it is good as it is")
        if self._recipe.says(text):
            return refused("same", "only what the model was told", "take another model")
        names, beside = self._names, text_of(row.prompt)
        wrong = wrong_facts(self._recipe, answer, text, names, beside=beside, capitals=self._capitals)
        if wrong:
            return refused("facts", wrong, "set facts: any in a recipe of your own, if it may change them")
        call = Call.of(self._request(row, answer), reply)
        author = row.metadata.get("model")
        if self._question is not None:
            return [self._suggested(row, text, call)]
        prompt = Prompt(
            row.prompt,
            "rewrite",
            root=row.root,
            parent=row.key,
            author=author if isinstance(author, str) else "",
            metadata=inherited(row, self._keep),
            line=row.line,
        )
        rewritten: Answer = (REWRITTEN, text, call)
        answers = [(ORIGINAL, answer, None), rewritten] if self._shape.compares else [rewritten]
        return self._answering.records(prompt, answers)

    def _suggested(self, row: Given, text: str, call: Call) -> Record:
        assert self._question is not None
        parent = row.metadata.get("parent_id")
        metadata = {
            **row.metadata,
            "root_id": row.root,
            "parent_id": parent if isinstance(parent, str) else None,
            "suggested_by": {"operation": "rewrite", **call.to_dict()},
            **({"test_only": True} if wrote_stub(call.model) else {}),
        }
        return Record(row.key, row.fields, [Suggestion(self._question, text, agent=call.model)], metadata)
