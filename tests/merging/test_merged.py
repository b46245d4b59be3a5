"""``merged.jsonl``: what is written can be read, and what cannot be right is refused by name."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.errors import ValueRejected
from bridge.merging import Merged


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ({}, "record: missing"),
        ({"record": "", "answers": {}}, "record: missing"),
        ({"record": 7, "answers": {}}, "record: missing"),
        ({"record": "r1"}, "answers: missing"),
        ({"record": "r1", "answers": []}, "answers: missing"),
        ({"record": "r1", "answers": {"q": 1}}, "answers: missing"),
        ({"record": "r1", "answers": {"q": {}}}, "q: outcome: None is unknown"),
        ({"record": "r1", "answers": {"q": {"outcome": "maybe"}}}, "q: outcome: 'maybe' is unknown"),
    ],
)
def test_a_bad_line_is_refused(line: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueRejected) as caught:
        Merged.from_dict(line)
    assert caught.value.reason.startswith(reason)
    assert '"outcome"' in caught.value.remedy or "agreed" in caught.value.remedy


@pytest.mark.parametrize(
    "part",
    [
        {"value": 1.5},
        {"value": True},
        {"value": {"a": "b"}},
        {"value": [1]},
        {"support": "2"},
        {"n": None},
        {"reason": 1},
        {"annotators": ["ann"]},
        {"annotators": {"ann": None}},
        {"votes": {"good": "2"}},
        {"votes": []},
        {"low": 2.5},
        {"high": "4"},
        {"values": ["text"]},
        {"values": [{"value": 1, "annotators": []}]},
        {"values": [{"value": "text", "annotators": [1]}]},
        {"pairs": {"a>b": [1, 2]}},
        {"pairs": {"a>b": [1, 2, "3"]}},
        {"split": "a>b"},
    ],
)
def test_a_part_of_the_wrong_shape_is_refused(part: dict[str, Any]) -> None:
    with pytest.raises(ValueRejected, match=f"q: {next(iter(part))}: .* has the wrong shape"):
        Merged.from_dict({"record": "r1", "answers": {"q": {"outcome": "agreed", **part}}})


def test_unknown_parts_are_kept() -> None:
    line = {"record": "r1", "answers": {"q": {"outcome": "agreed", "value": "x", "posterior": 0.9}}}
    read = Merged.from_dict(line)
    assert read.answers["q"].details == {"posterior": 0.9}
    assert Merged.from_dict(read.to_dict()) == read
