"""What a test double answers: always the same to the same request, and never anything that could pass for a model's."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from bridge.models.replies import Choice, TokenChoice
from bridge.models.schemas import read_json

_WORDS = (
    *("amber", "basin", "cedar", "delta", "ember", "fjord", "grove", "haven", "inlet", "jetty", "knoll", "ledge"),
    *("marsh", "north", "ocean", "pebble", "quarry", "ridge", "shore", "tidal", "upland", "valley", "willow"),
    *("yonder", "zephyr"),
)


def sentence(random: Random) -> str:
    """A few words that mean nothing.

    >>> sentence(Random(1))
    'Stub answer: ember shore zephyr cedar inlet delta.'
    """
    return f"Stub answer: {' '.join(random.choice(_WORDS) for _ in range(6))}."


def sample(schema: Mapping[str, Any], random: Random) -> Any:
    """A value that follows a schema.

    >>> sample({"type": "object", "properties": {"score": {"type": "integer", "minimum": 1, "maximum": 5}}}, Random(1))
    {'score': 2}
    """
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return random.choice(list(schema["enum"]))
    if "anyOf" in schema:
        return sample(random.choice(list(schema["anyOf"])), random)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = kind if isinstance(kind, str) else kind[0]
    low, high = schema.get("minimum", 0), schema.get("maximum", schema.get("minimum", 0) + 9)
    match kind:
        case "object":
            return {name: sample(one, random) for name, one in schema.get("properties", {}).items()}
        case "array":
            fewest = schema.get("minItems", 1)
            count = random.randint(fewest, schema.get("maxItems", fewest + 2))
            return [sample(schema.get("items", {}), random) for _ in range(count)]
        case "integer":
            return random.randint(math.ceil(low), math.floor(high))
        case "number":
            return round(random.uniform(low, high), 3)
        case "boolean":
            return random.random() < 0.5
        case "null":
            return None
    return sentence(random)


def told_schema(messages: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The schema that the last message tells in words, if it does."""
    text = messages[-1].get("content") if messages else None
    if not isinstance(text, str) or "JSON Schema" not in text:
        return None
    try:
        schema = read_json(text.rpartition("\n")[2])
    except ValueError:
        return None
    return schema if isinstance(schema, dict) else None


def token_choices(text: str, random: Random, top: int) -> tuple[TokenChoice, ...]:
    """Tokens of a text with probabilities, and some others in their places.

    >>> [(one.token, len(one.top)) for one in token_choices("Four it is.", Random(1), 2)]
    [('Four', 2), (' it', 2), (' is.', 2)]
    """
    words = text.split(" ")
    tokens = [word if number == 0 else f" {word}" for number, word in enumerate(words)]
    found = []
    for token in tokens:
        share = random.uniform(0.5, 0.99)
        rest = (1 - share) / max(top - 1, 1)
        others = ((f" {_WORDS[number % len(_WORDS)]}", math.log(rest)) for number in range(top - 1))
        found.append(TokenChoice(token, math.log(share), ((token, math.log(share)), *others)[:top]))
    return tuple(found)


def written(choice: Choice, index: int, logprobs: tuple[TokenChoice, ...] | None) -> dict[str, Any]:
    """A choice as endpoints write it."""
    refused = choice.finish == "refusal"
    message: dict[str, Any] = {"role": "assistant", "content": None if refused else choice.text}
    message["refusal"] = choice.text or "I cannot help with that." if refused else None
    line = {"index": index, "message": message, "finish_reason": "stop" if refused else choice.finish, "logprobs": None}
    if logprobs is not None:
        content = [
            {
                "token": one.token,
                "logprob": one.logprob,
                "bytes": None,
                "top_logprobs": [{"token": token, "logprob": logprob, "bytes": None} for token, logprob in one.top],
            }
            for one in logprobs
        ]
        line["logprobs"] = {"content": content, "refusal": None}
    return line
