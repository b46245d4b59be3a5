"""From prompts to records: each is answered once or several times, by one arm or by several."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack
from itertools import tee
from typing import TypeAlias

from bridge.errors import UsageError, ValueRejected
from bridge.generating.lengths import Lengths
from bridge.generating.order import closing
from bridge.generating.shape import Shape
from bridge.generating.work import Arm, Call, Prompt, Refused, asked_anew, described, no_answer
from bridge.models.replies import Reply
from bridge.models.requests import ChatRequest
from bridge.records import FieldValue, Record
from bridge.text import same_text

Made: TypeAlias = "Record | Refused"

Answer: TypeAlias = "tuple[str, str, Call | None]"
"""Arm, text, and the call that wrote it; None where it was there before."""


class Answering:
    """Answers prompts.

    Args:
        shape: of the records.
        arms: who answers. One arm gives as many answers as are wanted, under one prompt; of several each gives one.
        count: how many answers are wanted to each prompt.
        seed: decides the order in which answers that are compared stand, so that no arm is always the first; another
            one asks anew.

    Attributes:
        lengths: of the answers, by arm, where several arms are compared.
        shots: prompts with their answers, which stand before each prompt.

    Raises:
        UsageError: the template has no room for so many answers, or needs more.
    """

    def __init__(self, shape: Shape, arms: Sequence[Arm], count: int = 1, seed: int = 0) -> None:
        self.lengths = Lengths()
        self.shots: Sequence[tuple[FieldValue, str]] = ()
        self._shape, self._arms, self._count, self._seed = shape, list(arms), count, seed
        if len(arms) > 1 and count != len(arms):
            raise UsageError(
                f"{count} candidates of {len(arms)} models or arms: each gives one",
                remedy="leave candidates out, or name one model",
            )
        if shape.compares and not shape.least <= count <= shape.most:
            most = f" to {shape.most}" if shape.most > shape.least else ""
            raise UsageError(
                f"template {shape.template.name}: it compares {shape.least}{most} answers, and not {count}",
                remedy=f"set candidates to {shape.least}, or name as many models or arms",
            )

    async def answer(self, prompts: Iterable[Prompt]) -> AsyncIterator[Made]:
        """The records of prompts, in the prompts' order, and what could not be one.

        Raises:
            EndpointError, BudgetSpent, StoreError: as of :class:`~bridge.models.asker.Asker`, after earlier records.
        """
        *copies, mine = tee(prompts, len(self._arms) + 1)
        async with AsyncExitStack() as stack:
            streams = [
                await stack.enter_async_context(closing(arm.asker.ask_all(self._requests(arm, copy))))
                for arm, copy in zip(self._arms, copies, strict=True)
            ]
            for prompt in mine:
                if prompt.answer is not None:
                    for made in self.records(prompt, [("", prompt.answer, None)]):
                        yield made
                    continue
                answers: list[Answer] = []
                for arm, stream in zip(self._arms, streams, strict=True):
                    reply = await anext(stream)
                    found, missing = self._read(prompt, arm, reply)
                    answers += found
                    for refused in missing:
                        yield refused
                for made in self.records(prompt, answers):
                    yield made

    def _request(self, arm: Arm, prompt: Prompt) -> ChatRequest:
        count = 1 if len(self._arms) > 1 else self._count
        return arm.request(
            self._shape.messages(prompt.value, arm.system, self.shots), count=count, salt=asked_anew(self._seed)
        )

    def _requests(self, arm: Arm, prompts: Iterable[Prompt]) -> Iterable[ChatRequest]:
        return (self._request(arm, prompt) for prompt in prompts if prompt.answer is None)

    def _read(self, prompt: Prompt, arm: Arm, reply: Reply) -> tuple[list[Answer], list[Refused]]:
        call = Call.of(self._request(arm, prompt), reply, max(1, len(reply.usable)))
        answers: list[Answer] = [(arm.name, (choice.text or "").strip(), call) for choice in reply.usable]
        reasons = [choice.problem for choice in reply.choices if choice.problem]
        if not answers and not reasons:
            reasons = [reply.problem or "no answer"]
        key = prompt.parent or prompt.root
        return answers, [no_answer(reason, reply, line=prompt.line, key=key) for reason in reasons]

    def records(self, prompt: Prompt, answers: Sequence[Answer]) -> list[Made]:
        """The records of one prompt with its answers: one that compares them, or one for each."""
        key = prompt.parent or prompt.root
        made: list[Made] = []
        different: list[Answer] = []
        for answer in answers:
            if any(same_text(answer[1], other[1]) for other in different):
                remedy = "raise the temperature, or take another model"
                reason = "the same answer as another one to this prompt"
                made.append(Refused("same", reason, remedy, prompt.line, key, answer[1]))
            else:
                different.append(answer)
        groups = [[answer] for answer in different]
        if self._shape.compares:
            groups = [self._mixed(prompt, different)] if different else []
            if groups and len(different) < self._shape.least:
                reason = f"{len(different)} of {self._shape.least} different answers, so there is nothing to compare"
                rest = "\n\n".join(text for _, text, _ in different)
                return [*made, Refused("reply", reason, "see the other lines of this row", prompt.line, key, rest)]
        for group in groups:
            try:
                made.append(self._record(prompt, group))
            except ValueRejected as error:
                text = "\n\n".join(text for _, text, _ in group)
                made.append(Refused("text", error.reason, error.remedy, prompt.line, key, text))
        return made

    def _record(self, prompt: Prompt, answers: Sequence[Answer]) -> Record:
        fields = self._shape.fields(prompt.value, [text for _, text, _ in answers])
        names = self._shape.names(len(answers))
        calls = {name: call for name, (_, _, call) in zip(names, answers, strict=True) if call is not None}
        metadata = described(prompt, calls)
        if self._shape.compares:
            metadata["model_names"] = [call.model if call else prompt.author for _, _, call in answers]
            if len({arm for arm, _, _ in answers}) > 1:
                metadata["arms"] = [arm for arm, _, _ in answers]
                self.lengths.add({arm: text for arm, text, _ in sorted(answers, key=self._place)})
        return Record(fields=fields, metadata=metadata)

    def _place(self, answer: Answer) -> int:
        return next((at for at, arm in enumerate(self._arms) if arm.name == answer[0]), -1)

    def _mixed(self, prompt: Prompt, answers: Sequence[Answer]) -> list[Answer]:
        """The answers in an order that says nothing about who wrote them."""

        def lot(answer: Answer) -> bytes:
            return hashlib.sha256(f"{self._seed}\0{prompt.root}\0{prompt.value}\0{answer[1]}".encode()).digest()

        return sorted(answers, key=lot)
