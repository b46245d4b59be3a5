"""Properties of records by which managers filter: what may leave us, and what not."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.records import Record
from bridge.servers.properties import MAX_PROPERTY, properties_of


@pytest.mark.parametrize(
    ("value", "term"),
    [
        ("sums", "sums"),
        ("  two\n words ", "two words"),
        (7, "7"),
        (2**70, str(2**70)),
        (0.5, "0.5"),
        (False, "false"),
        ("x" * MAX_PROPERTY, "x" * MAX_PROPERTY),
    ],
)
def test_a_short_value_is_sent_as_text(value: Any, term: str) -> None:
    assert properties_of(Record("r", {}, metadata={"topic": value}), ["topic"]) == {"topic": term}


@pytest.mark.parametrize(
    "value", [None, "", " ", "x" * (MAX_PROPERTY + 1), "\ud83d", "a\0b", float("nan"), float("inf"), ["a"], {"a": 1}]
)
def test_what_poisons_a_dataset_or_cannot_be_filtered_by_is_not_sent(value: Any) -> None:
    assert properties_of(Record("r", {}, metadata={"topic": value}), ["topic"]) == {}


def test_only_what_was_asked_for_is_sent() -> None:
    assert properties_of(Record("r", {}, metadata={"topic": "sums", "secret": "x"}), ["topic", "source"]) == {
        "topic": "sums"
    }
