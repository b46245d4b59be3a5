"""What is asked of a model, and the key by which its answer is found again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

from bridge.errors import UsageError, ValueRejected
from bridge.records import canonical_json

JSON: TypeAlias = Any
"""A JSON value."""

OWN_PARAMETERS = frozenset(("model", "messages", "response_format", "stream"))
"""Parts of a request that are no parameters: they have a place of their own, or answers come whole."""


@dataclass(frozen=True)
class ChatRequest:
    """One chat completion, of one choice or of several (parameter ``n``).

    Args:
        model: the model's name at its endpoint.
        messages: ``{"role", "content"}``, one at least.
        parameters: anything else of a chat completion, such as ``{"temperature": 0.7, "max_tokens": 500, "n": 2}``.
        schema: the JSON Schema that the answer must follow; None for plain text.
        salt: tells apart requests that are the same on purpose, such as the third paraphrase of one text. It is sent
            to nobody.

    Raises:
        UsageError: no messages, or a parameter that is none.
        ValueRejected: something cannot be written as JSON, such as half of a surrogate pair.

    >>> request = ChatRequest("small", ({"role": "user", "content": "2 + 2?"},), {"temperature": 0})
    >>> request.key[:16], request.n
    ('b860a67eb77c2c71', 1)
    >>> request == ChatRequest("small", [{"content": "2 + 2?", "role": "user"}], {"temperature": 0})
    True
    """

    model: str
    messages: tuple[Mapping[str, str], ...]
    parameters: Mapping[str, JSON] = field(default_factory=dict)
    schema: Mapping[str, JSON] | None = None
    salt: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "messages", tuple(self.messages))
        if not self.messages or not self.model:
            raise UsageError(
                "a request to a model: no model, or no messages", remedy="name the model, and ask something"
            )
        for message in self.messages:
            if not all(isinstance(message.get(part), str) for part in ("role", "content")):
                raise UsageError("a message to a model: no role or no text", remedy='write {"role", "content"}')
        for name in OWN_PARAMETERS & self.parameters.keys():
            raise UsageError(
                f"parameter {name}: not possible here", remedy="model, messages and schema have their own places"
            )
        n = self.parameters.get("n", 1)
        if isinstance(n, bool) or not isinstance(n, int) or n < 1:
            raise UsageError("parameter n: not a whole number above 0", remedy="n is how many choices are wanted")
        _ = self.key

    def __hash__(self) -> int:
        return hash(self.key)

    @cached_property
    def key(self) -> str:
        """SHA-256 over the canonical JSON of everything above, as 64 hexadecimal digits."""
        whole = {
            "model": self.model,
            "messages": self.messages,
            "parameters": self.parameters,
            "schema": self.schema,
            "salt": self.salt,
        }
        try:
            return hashlib.sha256(canonical_json(whole)).hexdigest()
        except (ValueError, TypeError, RecursionError) as error:
            raise ValueRejected(
                f"a request to {self.model!r:.60} cannot be written as JSON ({type(error).__name__})",
                remedy="messages are texts without halves of surrogate pairs; parameters are JSON values",
            ) from None

    @property
    def n(self) -> int:
        """How many choices are wanted."""
        wanted: int = self.parameters.get("n", 1)
        return wanted

    @property
    def prompt_hash(self) -> str:
        """The first 32 hexadecimal digits of SHA-256 over the messages' canonical JSON: for records' metadata."""
        return hashlib.sha256(canonical_json(self.messages)).hexdigest()[:32]
