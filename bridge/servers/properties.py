"""Properties of records by which the managers of a campaign filter and sort on the server, such as source or topic."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bridge.errors import ValueRejected
from bridge.records import Record
from bridge.text import check_text

MAX_PROPERTY = 200
"""Longest value, in code points. Argilla answers 201 to a term of 40 kB, and then has no index of the record."""


def properties_of(record: Record, names: Sequence[str]) -> dict[str, str]:
    """Those of some properties that a record has and that any server can filter by: short texts, numbers, yes and no.

    >>> record = Record("r1", {}, metadata={"topic": " sums ", "turns": 2, "checked": True, "notes": ["a"]})
    >>> properties_of(record, ["topic", "turns", "checked", "notes", "source"])
    {'topic': 'sums', 'turns': '2', 'checked': 'true'}
    """
    found = {name: _term(record.metadata.get(name)) for name in names}
    return {name: term for name, term in found.items() if term}


def _term(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        value = str(value)
    if not isinstance(value, str):
        return ""
    try:
        return " ".join(check_text(value, limit=MAX_PROPERTY).split())
    except ValueRejected:
        return ""
