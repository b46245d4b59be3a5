"""What models cost: a table that the user gives, because no endpoint says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Price:
    """The price of one model for a million tokens.

    Args:
        input, output: of prompts and of answers.
        batch: by what both are multiplied in the Batch API.
    """

    input: float
    output: float
    batch: float = 1.0

    def of(self, prompt_tokens: int, completion_tokens: int, *, batch: bool = False) -> float:
        """The price of so many tokens.

        >>> Price(0.5, 2.0, batch=0.5).of(1_000_000, 500_000), Price(0.5, 2.0, batch=0.5).of(2_000_000, 0, batch=True)
        (1.5, 0.5)
        """
        whole = (prompt_tokens * self.input + completion_tokens * self.output) / _MILLION
        return whole * self.batch if batch else whole


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices by the name of the model, as requests have it.

    >>> Prices({"small": Price(0.5, 2.0)}).cost("small", 1_000_000, 0)
    0.5
    >>> Prices().cost("small", 1_000_000, 0) is None
    True
    """

    models: Mapping[str, Price] = field(default_factory=dict)
    currency: str = "USD"

    def cost(self, model: str, prompt_tokens: int, completion_tokens: int, *, batch: bool = False) -> float | None:
        """The price of so many tokens; None where the table does not have the model."""
        price = self.models.get(model)
        return None if price is None else price.of(prompt_tokens, completion_tokens, batch=batch)
