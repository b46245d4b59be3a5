"""What goes from one step of generating to the next: prompts, calls of models, and what was refused.

Each record's metadata say how it was made::

    operation       what was done: instructions, candidates, rewrite, or the name of a recipe such as paraphrase
    root_id         the record that it comes from in the end; all that come from one stay in one split
    parent_id       the record that it was made from, or null
    model           which model wrote it, by the endpoint's own word; several are separated by commas
    parameters      with which the model was asked
    prompt_hash     of the messages that were sent
    request         key of the request, under which the journal has it
    usage           tokens, cost and attempts of that request, and how many texts share it
    prompt_by       the same of the call that wrote the prompt, if a model did and another one answered
    suggested_by    the same of the call that wrote a suggestion, where the record itself is the user's
    response_model  who wrote an answer that was kept, where it is known
    test_only       true, if a test double had a hand in it

Of a record with answers of several arms, ``parameters``, ``prompt_hash``, ``request`` and ``usage`` are objects with an
entry for each field.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bridge.metadata import wrote_stub
from bridge.models.asker import Asker
from bridge.models.replies import Reply, Usage
from bridge.models.requests import ChatRequest
from bridge.records import FieldValue, Message

_PATH = re.compile(r"[/~.]|[A-Za-z]:[/\\]")


@dataclass(frozen=True, slots=True)
class Arm:
    """Who answers, and how it is asked.

    Args:
        name: its name in reports and metadata.
        asker: whoever answers.
        system: what the model is told before each prompt.
        parameters: such as ``{"temperature": 0.8, "max_tokens": 800}``.
    """

    name: str
    asker: Asker
    system: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def request(
        self,
        messages: Sequence[Message],
        *,
        count: int = 1,
        schema: Mapping[str, Any] | None = None,
        salt: str = "",
    ) -> ChatRequest:
        """A request of this arm for so many choices."""
        parameters = {**self.parameters, **({"n": count} if count > 1 else {})}
        return ChatRequest(self.asker.model, tuple(messages), parameters, schema, salt)


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a model, as metadata tell of it. ``texts`` is how many texts came of it."""

    model: str
    parameters: Mapping[str, Any]
    prompt_hash: str
    request: str
    usage: Usage
    texts: int = 1

    @classmethod
    def of(cls, request: ChatRequest, reply: Reply, texts: int = 1) -> Call:
        """What is to be said of a request and its reply. Of a model that is named by a path, the last part stays.

        >>> request = ChatRequest("m", ({"role": "user", "content": "2 + 2?"},), {"temperature": 0})
        >>> call = Call.of(request, Reply(request.key, "m-1", usage=Usage(9, 1)))
        >>> call.to_dict()["model"], call.to_dict()["usage"]
        ('m-1', {'prompt_tokens': 9, 'completion_tokens': 1, 'cost': None, 'attempts': 1})
        >>> Call.of(request, Reply(request.key, "/home/ann/small-Q4.gguf")).model
        'small-Q4.gguf'
        """
        # Some local servers name the file of their weights, with folders that are nobody's business.
        model = re.split(r"[/\\]", reply.model)[-1] if _PATH.match(reply.model) else reply.model
        return cls(model, request.parameters, request.prompt_hash, request.key, reply.usage, texts)

    def to_dict(self) -> dict[str, Any]:
        """The call as a piece of metadata."""
        usage = {
            "prompt_tokens": self.usage.prompt_tokens,
            "completion_tokens": self.usage.completion_tokens,
            "cost": self.usage.cost,
            "attempts": self.usage.attempts,
        }
        return {
            "model": self.model,
            "parameters": dict(self.parameters),
            "prompt_hash": self.prompt_hash,
            "request": self.request,
            "usage": usage if self.texts == 1 else {**usage, "shared_by": self.texts},
        }


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt that wants answers, and where it comes from.

    Args:
        value: what is asked.
        operation: what made it.
        root: the record that it comes from in the end.
        parent: the record that it was made from; None for a new one.
        call: the call that wrote it; None where a person did.
        answer: an answer that is kept; None where a model is to answer.
        author: which model wrote that one, where it is known.
        metadata: what else is to be said of its records.
        line: the line of the row that it was made from.
    """

    value: FieldValue
    operation: str
    root: str
    parent: str | None = None
    call: Call | None = None
    answer: str | None = None
    author: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    line: int = 0


@dataclass(frozen=True, slots=True)
class Refused:
    """A text that came, or should have come, and is in no record.

    Args:
        step: where it ended: ``reply``, ``text``, ``same``, ``novelty``, ``facts`` or ``surplus``.
        reason, remedy: for people.
        line: of the row that it was made from; 0 where there is none.
        key: of that row.
        text: what came, if anything did.
        score: how much it is like another text, for ``novelty``.
        like: the name of that other one.
        request: key of the request, under which the journal has it.

    >>> Refused("novelty", "like seed-1", "none", text="Name rivers.", score=0.75, like="seed-1").to_dict()["score"]
    0.75
    """

    step: str
    reason: str
    remedy: str
    line: int = 0
    key: str = ""
    text: str = ""
    score: float | None = None
    like: str = ""
    request: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The case as a line of the file of rejected rows."""
        beside = {"key": self.key, "text": self.text, "score": self.score, "like": self.like, "request": self.request}
        return {
            "line": self.line,
            "step": self.step,
            "reason": self.reason,
            "remedy": self.remedy,
            **{name: value for name, value in beside.items() if value not in ("", None)},
        }


def asked_anew(seed: int) -> str:
    """The salt of requests: each seed asks anew, and the first one asks as anybody would.

    >>> asked_anew(0), asked_anew(7)
    ('', 'seed 7')
    """
    return f"seed {seed}" if seed else ""


def no_answer(reason: str, reply: Reply, *, line: int = 0, key: str = "") -> Refused:
    """A request to which no usable answer came."""
    if reason.startswith("truncated"):
        remedy = "raise max_tokens in the model's parameters"
    else:
        remedy = "look at the prompt; to ask it once more, leave the journal out or change the seed"
    return Refused("reply", reason, remedy, line, key, request=reply.key)


def described(prompt: Prompt, calls: Mapping[str, Call]) -> dict[str, Any]:
    """The metadata of a record: what its prompt says, and who wrote its answers.

    Args:
        prompt: the prompt.
        calls: field to the call that wrote it; none where the answer was kept.

    >>> call = Call("m", {}, "ab", "cd", Usage(9, 1))
    >>> made = described(Prompt("2 + 2?", "paraphrase", "r1", "r1", call, "4"), {})
    >>> made["operation"], made["root_id"], made["parent_id"], made["model"]
    ('paraphrase', 'r1', 'r1', 'm')
    """
    told = {name: call.to_dict() for name, call in calls.items()}
    if not told and prompt.call is not None:
        wrote: dict[str, Any] = prompt.call.to_dict()
    elif len({call.request for call in calls.values()}) == 1:
        wrote = next(iter(told.values()))
    else:
        parts = ("parameters", "prompt_hash", "request", "usage")
        wrote = {"model": ", ".join(dict.fromkeys(one["model"] for one in told.values()))}
        wrote |= {part: {name: one[part] for name, one in told.items()} for part in parts}
    every = [*calls.values(), *([prompt.call] if prompt.call else [])]
    return {
        **prompt.metadata,
        **({"response_model": prompt.author} if prompt.author and not told else {}),
        "operation": prompt.operation,
        "root_id": prompt.root,
        "parent_id": prompt.parent,
        **wrote,
        **({"prompt_by": prompt.call.to_dict()} if prompt.call and told else {}),
        **({"test_only": True} if any(wrote_stub(call.model) for call in every) else {}),
    }
