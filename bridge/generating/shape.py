"""Which fields a template's records have: one for the prompt, and those that answers go into."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bridge.errors import UsageError, ValueRejected
from bridge.fields import FieldSpec
from bridge.questions import TextQuestion
from bridge.records import FieldValue, Message, text_of
from bridge.templates import TaskTemplate


@dataclass(frozen=True, slots=True)
class Shape:
    """What the records of a template are made of.

    Args:
        template: the template.
        prompt: the field with the prompt: a text, a transcript, or a chat that its answer ends.
        answers: the fields that answers go into; one of them where the answer ends the chat, or is repeated.
        least, most: how many answers one record has.

    >>> from bridge.templates import load_template
    >>> shape = Shape.of(load_template("preference"))
    >>> shape.fields("2 + 2?", ["4", "Four."])
    {'prompt': '2 + 2?', 'response_a': '4', 'response_b': 'Four.'}
    """

    template: TaskTemplate
    prompt: FieldSpec
    answers: tuple[FieldSpec, ...]
    least: int
    most: int

    @classmethod
    def of(cls, template: TaskTemplate) -> Shape:
        """The shape of a template's records.

        Raises:
            UsageError: records of this template cannot be made from one prompt and its answers.
        """
        given = template.training.prompt if template.training else []
        specs = {spec.name: spec for spec in template.fields}
        prompts = [specs[name] for name in given if name in specs]
        others = [spec for spec in template.fields if spec.name not in given and spec.required]
        repeated = [spec.repeat for spec in others if spec.repeat]
        if len(prompts) == 1 and len(prompts) == len(given) and not prompts[0].repeat:
            if prompts[0].type == "chat" and not others:
                return cls(template, prompts[0], (prompts[0],), 1, 1)
            if prompts[0].type != "chat" and others and all(spec.type == "text" for spec in others):
                if not repeated:
                    return cls(template, prompts[0], tuple(others), len(others), len(others))
                if len(others) == 1:
                    return cls(template, prompts[0], tuple(others), repeated[0].min, repeated[0].max)
        raise UsageError(
            f"template {template.name}: its records are not one prompt and its answers, so it cannot be generated for",
            remedy="use review, rating, label, rewrite, chat_review, preference, ranking or one like them",
        )

    @property
    def is_chat(self) -> bool:
        """Whether the answer is the last turn of the conversation that is the prompt."""
        return self.prompt in self.answers

    @property
    def compares(self) -> bool:
        """Whether a record has several answers, which people compare."""
        return self.most > 1

    def names(self, count: int) -> list[str]:
        """The names of the fields that so many answers go into."""
        if self.answers[0].repeat:
            return [f"{self.answers[0].name}_{number}" for number in range(1, count + 1)]
        return [spec.name for spec in self.answers]

    def fields(self, prompt: FieldValue, answers: Sequence[str]) -> dict[str, FieldValue]:
        """The fields of a record, checked as they are before a push.

        Raises:
            ValueRejected: a text that nobody can be shown, or too few answers.
        """
        if self.is_chat:
            turns = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
            given: dict[str, FieldValue] = {
                self.prompt.name: [*turns, *({"role": "assistant", "content": text} for text in answers)]
            }
        else:
            given = {self.prompt.name: prompt, **dict(zip(self.names(len(answers)), answers, strict=True))}
        return self.template.check_fields(given)

    def messages(
        self, prompt: FieldValue, system: str = "", shots: Sequence[tuple[FieldValue, str]] = ()
    ) -> list[Message]:
        """What a model is asked to answer: the prompt, after the template's instruction.

        Args:
            prompt: what is to be answered.
            system: what the model is told before.
            shots: prompts with their answers, which stand before it as earlier turns.

        >>> from bridge.templates import load_template
        >>> shape = Shape.of(load_template("summary_review"))
        >>> shape.messages([{"role": "Ann", "content": "Shall we?"}])
        [{'role': 'user', 'content': 'Summarise the following meeting.\\n\\nAnn: Shall we?'}]
        """
        instruction = self.template.training.instruction.strip() if self.template.training else ""
        if not self.is_chat or isinstance(prompt, str):
            turns = [{"role": "system", "content": system}] if system else []
            for asked, answer in (*shots, (prompt, "")):
                text = "\n\n".join(filter(None, (instruction, text_of(asked))))
                turns += [{"role": "user", "content": text}, {"role": "assistant", "content": answer}]
            return turns[:-1]
        own = [turn["content"] for turn in prompt[:1] if turn["role"] == "system"]
        told = "\n\n".join(filter(None, (instruction, system, *own)))
        return [*([{"role": "system", "content": told}] if told else []), *prompt[len(own) :]]

    def value(self, text: str, like: FieldValue) -> FieldValue:
        """A prompt as a model wrote it, in the form of the one that it was made from.

        Raises:
            ValueRejected: it was a transcript, and is none any more, or other people speak.

        >>> from bridge.templates import load_template
        >>> meeting = [{"role": "Ann", "content": "Shall we?"}, {"role": "Bo", "content": "Yes."}]
        >>> Shape.of(load_template("summary_review")).value("Ann: Shall we?\\nBo: No.", meeting)
        [{'role': 'Ann', 'content': 'Shall we?'}, {'role': 'Bo', 'content': 'No.'}]
        """
        if isinstance(like, str):
            return text
        if self.is_chat:
            return [*like[:-1], {**like[-1], "content": text}]
        speakers = {message["role"] for message in like}
        turns: list[Message] = []
        for line in filter(str.strip, text.splitlines()):
            name, colon, said = line.partition(":")
            if colon and name.strip() in speakers:
                turns.append({"role": name.strip(), "content": said.strip()})
            elif turns:
                turns[-1]["content"] += f"\n{line.strip()}"
            else:
                raise ValueRejected(
                    "not a transcript: its first line does not begin with the name of a speaker and a colon",
                    remedy="use another model, or a recipe of your own that asks for it more clearly",
                )
        return turns

    def varied(self, prompt: FieldValue) -> str:
        """The text of a prompt that variants are made of: of a chat its last turn, of a transcript all lines."""
        return text_of(prompt) if isinstance(prompt, str) or not self.is_chat else prompt[-1]["content"]

    def rewriting_question(self) -> str | None:
        """The question that asks people to rewrite the answer, if the template has one."""
        names = {spec.name for spec in self.answers} if not self.compares else set()
        found = (q.name for q in self.template.questions if isinstance(q, TextQuestion) and q.prefill in names)
        return next(found, None)

    def split(self, fields: Mapping[str, FieldValue]) -> tuple[FieldValue | None, str | None]:
        """The prompt and the answer of a row's fields, as far as there are any.

        >>> from bridge.templates import load_template
        >>> Shape.of(load_template("chat_review")).split({"messages": [{"role": "user", "content": "2 + 2?"}]})
        ([{'role': 'user', 'content': '2 + 2?'}], None)
        """
        prompt = fields.get(self.prompt.name)
        if self.is_chat:
            if isinstance(prompt, list) and len(prompt) > 1 and prompt[-1]["role"] == "assistant":
                return prompt[:-1], prompt[-1]["content"]
            return prompt, None
        answer = fields.get(self.answers[0].name) if not self.compares else None
        return prompt, answer if isinstance(answer, str) else None
