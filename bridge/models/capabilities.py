"""What an endpoint's model can do beyond plain text, found out by asking, because many endpoints ignore in silence."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from bridge.models.outcomes import Answered
from bridge.models.requests import ChatRequest
from bridge.models.schemas import follows, is_strict, read_json

Feature: TypeAlias = Literal["schema", "n", "logprobs"]

FEATURES: tuple[Feature, ...] = ("schema", "n", "logprobs")

_WORD = "k7-probe"
_SCHEMA = {
    "type": "object",
    "properties": {"word": {"type": "string", "enum": [_WORD]}},
    "required": ["word"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What was found; None where nothing has asked for it yet.

    Args:
        schema: answers follow a JSON Schema.
        n: one request gets several choices.
        logprobs: tokens come with their probabilities.
    """

    schema: bool | None = None
    n: bool | None = None
    logprobs: bool | None = None

    def done_without(self) -> list[str]:
        """What is done in place of what the model cannot do, in words for people.

        >>> Capabilities(schema=True, n=False).done_without()
        ['n is not supported: choices are asked for one by one, and each pays for the prompt again']
        """
        return [
            f"{feature} is not supported: {words}"
            for feature, words in _INSTEAD.items()
            if getattr(self, feature) is False
        ]


_INSTEAD: dict[Feature, str] = {
    "schema": "it is told in words, so more answers may have to be asked for again",
    "n": "choices are asked for one by one, and each pays for the prompt again",
    "logprobs": "answers come without probabilities",
}


def needed(request: ChatRequest) -> tuple[Feature, ...]:
    """What a request asks for.

    >>> needed(ChatRequest("m", ({"role": "user", "content": "?"},), {"n": 2, "logprobs": True}))
    ('n', 'logprobs')
    """
    asked = {
        "schema": request.schema is not None,
        "n": request.n > 1,
        "logprobs": bool(request.parameters.get("logprobs")),
    }
    return tuple(feature for feature in FEATURES if asked[feature])


def probe(model: str, feature: Feature) -> ChatRequest:
    """A small request whose answer shows whether the model can do this. Its prompt does not tell what is wanted."""
    parameters: dict[Feature, Mapping[str, Any]] = {
        "schema": {},
        "n": {"n": 2},
        "logprobs": {"logprobs": True, "top_logprobs": 2},
    }
    return ChatRequest(
        model,
        ({"role": "user", "content": "Say hello."},),
        parameters[feature],
        schema=_SCHEMA if feature == "schema" else None,
        salt=f"annobridge probe: {feature}",
    )


def shows(feature: Feature, answer: Answered | None) -> bool:
    """Whether the answer to a probe (None: refused) shows that the model can do this."""
    if answer is None or not answer.choices:
        return False
    first = answer.choices[0]
    if feature == "n":
        return len(answer.choices) == 2
    if feature == "logprobs":
        return bool(first.logprobs and any(token.top for token in first.logprobs))
    try:
        return follows(read_json(first.text or ""), _SCHEMA) is None
    except ValueError:
        return False


def body_of(request: ChatRequest, *, without: Iterable[Feature] = ()) -> dict[str, Any]:
    """A request as it is sent, without what the model cannot do: then the schema is told in words.

    >>> request = ChatRequest("m", ({"role": "user", "content": "Colour?"},), {"n": 2}, schema={"type": "string"})
    >>> print(body_of(request, without=["schema", "n"])["messages"][0]["content"])
    Colour?
    <BLANKLINE>
    Answer with JSON that follows this JSON Schema, and with nothing else:
    {"type": "string"}
    """
    left_out = set(without)
    messages = [dict(message) for message in request.messages]
    body: dict[str, Any] = {"model": request.model, "messages": messages, **request.parameters}
    if "n" in left_out or request.n == 1:
        body.pop("n", None)
    if "logprobs" in left_out:
        body.pop("logprobs", None)
        body.pop("top_logprobs", None)
    if request.schema is not None and "schema" in left_out:
        told = json.dumps(request.schema, ensure_ascii=False)
        words = f"Answer with JSON that follows this JSON Schema, and with nothing else:\n{told}"
        messages[-1]["content"] += f"\n\n{words}"
    elif request.schema is not None:
        named = {"name": "answer", "strict": is_strict(request.schema), "schema": request.schema}
        body["response_format"] = {"type": "json_schema", "json_schema": named}
    return body


def single(request: ChatRequest, number: int) -> ChatRequest:
    """The request for one further choice, where a request for several got fewer; ``number`` counts from 1.

    Its seed is another one, where it has one: with the same, the choice would be the same.
    """
    parameters = {name: value for name, value in request.parameters.items() if name != "n"}
    if isinstance(parameters.get("seed"), int):
        parameters["seed"] += number
    return replace(request, parameters=parameters, salt=f"{request.salt}\nchoice {number + 1}")
