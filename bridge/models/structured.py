"""Answers that are data: asked for, read, asked for once more where they cannot be read, and then none, with a reason.

Nothing is invented: an answer that cannot be read is no value, never a default one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from bridge.models.asker import Asker
from bridge.models.replies import Choice, Reply, Usage
from bridge.models.requests import ChatRequest
from bridge.models.schemas import follows, read_json

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Value(Generic[T]):
    """What one choice says.

    Args:
        value: as ``check`` returned it; None where there is none.
        problem: why there is none.
        choice: where it was read: the choice, or the one that mended it.
        mended: whether it took a second request.
    """

    value: T | None
    problem: str | None
    choice: Choice | None
    mended: bool = False


@dataclass(frozen=True, slots=True)
class Structured(Generic[T]):
    """What a request for data came to.

    Args:
        values: one for each choice; a single one without a value where no choice came.
        reply: the first reply.
        usage: of all requests that it took.
    """

    values: tuple[Value[T], ...]
    reply: Reply
    usage: Usage


async def ask_structured(asker: Asker, request: ChatRequest, check: Callable[[Any], T] | None = None) -> Structured[T]:
    """Ask for data, by the request's schema.

    An answer that is no JSON, does not follow the schema, or that ``check`` refuses is shown to the model once, with
    the reason, and asked for again. What was truncated or refused is not: it would be so again.

    Args:
        asker: who is asked.
        request: with a schema.
        check: makes a value of the JSON; raises ValueError with a reason that the model understands.

    >>> from bridge.testing.models_scripted import ScriptedAsker
    >>> said = iter(["I'd say 4", '{"score": 4}'])
    >>> schema = {"type": "object", "properties": {"score": {"type": "integer"}}, "required": ["score"]}
    >>> request = ChatRequest("stub", ({"role": "user", "content": "How good?"},), schema=schema)
    >>> done = asyncio.run(ask_structured(ScriptedAsker(lambda _: next(said)), request, lambda json: json["score"]))
    >>> done.values[0].value, done.values[0].mended, done.usage.attempts
    (4, True, 2)
    """
    reply = await asker.ask(request)
    if not reply.choices:
        return Structured((Value(None, reply.problem, None),), reply, reply.usage)
    values = await asyncio.gather(
        *(_value(asker, request, choice, number, check) for number, choice in enumerate(reply.choices))
    )
    usage = reply.usage
    for _, mended in values:
        usage = usage if mended is None else usage + mended.usage
    return Structured(tuple(value for value, _ in values), reply, usage)


async def _value(
    asker: Asker, request: ChatRequest, choice: Choice, number: int, check: Callable[[Any], T] | None
) -> tuple[Value[T], Reply | None]:
    value = _read(request, choice, check)
    if value.problem is None or choice.problem is not None or choice.text is None:
        return value, None
    reply = await asker.ask(_mending(request, choice.text, value.problem, number))
    if not reply.choices:
        return Value(None, f"{value.problem}; asked again: {reply.problem}", choice), reply
    second = _read(request, reply.choices[0], check)
    problem = f"{value.problem}; asked again: {second.problem}" if second.problem else None
    return replace(second, problem=problem, mended=problem is None), reply


def _read(request: ChatRequest, choice: Choice, check: Callable[[Any], T] | None) -> Value[T]:
    if choice.problem is not None or choice.text is None:
        return Value(None, choice.problem, choice)
    try:
        json = read_json(choice.text)
        wrong = follows(json, request.schema or {})
        if wrong:
            return Value(None, wrong, choice)
        return Value(json if check is None else check(json), None, choice)
    except ValueError as error:
        return Value(None, str(error), choice)


def _mending(request: ChatRequest, text: str, problem: str, number: int) -> ChatRequest:
    """The request that shows a bad answer, and asks for a good one."""
    parameters = {name: value for name, value in request.parameters.items() if name != "n"}
    messages = (
        *request.messages,
        {"role": "assistant", "content": text},
        {"role": "user", "content": f"That cannot be used: {problem}. Answer again, with nothing but the JSON."},
    )
    return replace(request, messages=messages, parameters=parameters, salt=f"{request.salt}\nmending {number + 1}")
