"""What metadata may hold is in test_reading.py; this is how they say that a test double wrote a record."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.metadata import is_test_only, wrote_stub


@pytest.mark.parametrize(
    "metadata",
    [
        {"test_only": True},
        {"test_only": "yes"},
        {"model": "stub"},
        {"model": "large, stub-small"},
        {"response_model": "stub/large"},
        {"a_model": ["large", "stub"]},
        {"model_names": ["large", "stub-large"]},
        {"judges": [{"model": "large"}, {"model": "stub-judge"}]},
        {"generation": {"calls": {"first": {"model": "stub"}}}},
    ],
)
def test_a_test_double_is_found(metadata: dict[str, Any]) -> None:
    assert is_test_only(metadata)


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"test_only": False},
        {"test_only": None},
        {"model": "large"},
        {"model": "stubborn-7b"},
        {"note": "stub"},
        {"tags": ["stub"]},
        {"model": None, "scores": [1, 2.5, None, True]},
    ],
)
def test_nothing_else_is_taken_for_one(metadata: dict[str, Any]) -> None:
    assert not is_test_only(metadata)


def test_names_of_test_doubles_begin_with_a_word_of_their_own() -> None:
    assert [wrote_stub(name) for name in ("stub", "stub-a", "stub/a", "Stub", "my-stub", None)] == [True] * 3 + [
        False
    ] * 3
