"""The file with the prices of models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bridge.errors import ConfigError
from bridge.models.prices import Price, Prices
from bridge.yamlfile import read_yaml

_Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Price(_Part):
    input: _Amount
    output: _Amount
    batch: _Amount = 1.0


class _Table(_Part):
    currency: Annotated[str, Field(min_length=1, max_length=10)] = "USD"
    models: Annotated[dict[str, _Price], Field(min_length=1)]


def read_prices(path: str | Path) -> Prices:
    """A price table from a YAML file, in which numbers are prices of a million tokens.

    Raises:
        ConfigError: the file cannot be read, or is no price table; names file and line.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "prices.yaml")
    >>> _ = path.write_text("currency: EUR\\nmodels: {small: {input: 0.5, output: 2}}")
    >>> read_prices(path)
    Prices(models={'small': Price(input=0.5, output=2.0, batch=1.0)}, currency='EUR')
    """
    file = read_yaml(Path(path), ConfigError)
    try:
        table = _Table.model_validate(file.data)
    except ValidationError as error:
        remedy = "write it like models: {small: {input: 0.5, output: 2}}, prices of a million tokens"
        raise file.explain(error, ConfigError, remedy) from None
    models = {name: Price(one.input, one.output, one.batch) for name, one in table.models.items()}
    return Prices(models, table.currency)
