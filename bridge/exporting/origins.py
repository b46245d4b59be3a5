"""Where a record comes from, by its metadata: licence, the record that it was derived from, and who wrote its texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bridge.records import Record


class Origin(NamedTuple):
    """What a record's metadata say of where it comes from; empty where they do not say."""

    model: str
    licence: str
    root: str


def origin(record: Record) -> Origin:
    """Where a record comes from.

    >>> origin(Record("r1", {}, metadata={"model_name": "m-7b", "license": "MIT", "pages": 3}))
    Origin(model='m-7b', licence='MIT', root='')
    """
    return Origin(
        _first(record, "model", "model_name"), _first(record, "licence", "license"), _first(record, "root_id")
    )


def writer(record: Record, field: str, among: Sequence[str]) -> str:
    """Which model wrote one of several responses of a record; empty where the metadata do not say.

    They can say it as ``model_names`` (or ``generation_models``), a list in the order of the responses or an object of
    field to name; as ``response_a_model``; or as ``model_a``.

    Args:
        record: the record.
        field: the response.
        among: all responses that are compared, in their order.

    >>> both = ["response_a", "response_b"]
    >>> writer(Record("r1", {}, metadata={"model_names": ["m-7b", "m-70b"]}), "response_b", both)
    'm-70b'
    >>> writer(Record("r1", {}, metadata={"model_a": "m-7b"}), "response_a", both)
    'm-7b'
    """
    if not record.metadata:
        return ""
    for column in ("model_names", "generation_models"):
        names = record.metadata.get(column)
        if isinstance(names, Mapping):
            found = names.get(field)
        elif isinstance(names, list | tuple) and len(names) == len(among) and field in among:
            found = names[among.index(field)]
        else:
            continue
        if isinstance(found, str):
            return found.strip()
    return _first(record, f"{field}_model", f"model_{field.rpartition('_')[2]}")


def _first(record: Record, *columns: str) -> str:
    for column in columns:
        text = record.metadata.get(column)
        if isinstance(text, str):
            return text.strip()
    return ""
