"""Records: their keys are the same everywhere, and they go into lines and back."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bridge
from bridge.reading import read_records
from bridge.records import Record, Suggestion, answer_text, canonical_json, record_key, text_of, wire_id
from bridge.templates import load_template

SOUND = st.text(st.characters(exclude_categories=["Cs"]))
MESSAGES = st.lists(st.fixed_dictionaries({"role": SOUND, "content": SOUND}), max_size=4)
FIELDS = st.dictionaries(st.from_regex(r"[a-z][a-z0-9_]{0,9}", fullmatch=True), SOUND | MESSAGES, max_size=5)


# -- keys


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"prompt": "2 + 2?", "response": "4"}, "ddd849862eb99b283dd1d2f2daf30638"),
        ({}, "44136fa355b3678a1146ad16f7e8649e"),
        ({"prompt": "Zürich 😀\n\t\"\\/\u2028\x7f"}, hashlib.sha256(
            '{"prompt":"Zürich 😀\\n\\t\\"\\\\/\u2028\x7f"}'.encode()).hexdigest()[:32]),
    ],
)  # fmt: skip
def test_the_default_key_is_the_hash_of_the_canonical_json(fields: dict[str, Any], key: str) -> None:
    assert Record(fields=fields).key == key


@given(FIELDS)
def test_the_order_of_fields_does_not_change_the_key(fields: dict[str, Any]) -> None:
    assert record_key(dict(reversed(fields.items()))) == record_key(fields)


@given(FIELDS, FIELDS)
def test_different_fields_have_different_keys(left: dict[str, Any], right: dict[str, Any]) -> None:
    assert (record_key(left) == record_key(right)) == (left == right)


def test_the_key_does_not_depend_on_the_process() -> None:
    program = "import bridge; print(bridge.Record(fields={'b': 'Zürich 😀', 'a': [{'role': 'x', 'content': 'y'}]}).key)"
    keys = {
        subprocess.run(
            [sys.executable, "-X", "utf8", "-c", program],
            env={"PYTHONPATH": str(Path(bridge.__file__).parent.parent), "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("0", "1")
    }
    assert keys == {Record(fields={"a": [{"content": "y", "role": "x"}], "b": "Zürich 😀"}).key}


def test_suggestions_and_metadata_do_not_make_another_record() -> None:
    plain = Record(fields={"prompt": "p"})
    rich = Record(fields={"prompt": "p"}, suggestions=[Suggestion("rating", 3)], metadata={"source": "x"})
    assert plain.key == rich.key


def test_an_own_key_is_kept() -> None:
    assert Record("row-1", {"prompt": "p"}).key == "row-1"


def test_unicode_forms_are_different_texts() -> None:
    assert record_key({"prompt": "é"}) != record_key({"prompt": "e\u0301"})


@given(FIELDS)
def test_every_key_is_the_hash_of_the_canonical_json(fields: dict[str, Any]) -> None:
    assert record_key(fields) == hashlib.sha256(canonical_json(fields)).hexdigest()[:32]


@given(FIELDS)
def test_canonical_json_is_json(fields: dict[str, Any]) -> None:
    assert json.loads(canonical_json(fields)) == fields


def test_canonical_json_refuses_what_json_does_not_know() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json({"a": float("nan")})


# -- keys on the wire


@given(SOUND.filter(bool))
def test_every_key_has_a_plain_form(key: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", wire_id(key))


@given(st.sets(SOUND.filter(bool), min_size=2, max_size=2))
def test_two_keys_never_share_a_plain_form(keys: set[str]) -> None:
    assert len({wire_id(key) for key in keys}) == 2


@pytest.mark.parametrize("key", ["Zürich/17", "a b", "x" * 65, "k-17", "a%25", "row-1\n"])
def test_a_key_cannot_pose_as_the_hash_of_another(key: str) -> None:
    hashed = wire_id(key)
    assert hashed != key
    assert wire_id(hashed) != hashed


# -- shapes


def test_a_record_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Record("r").key = "other"  # type: ignore[misc]


def test_a_record_is_a_line_with_four_parts() -> None:
    record = Record("r", {"prompt": "p"}, [Suggestion("rating", 4, 0.5, "judge", "human")], {"source": "x"})
    assert record.to_dict() == {
        "key": "r",
        "fields": {"prompt": "p"},
        "suggestions": [{"question": "rating", "value": 4, "score": 0.5, "agent": "judge", "kind": "human"}],
        "metadata": {"source": "x"},
    }


def test_a_line_is_read_back_as_the_same_record(tmp_path: Path) -> None:
    template = load_template("review")
    record = Record(
        "r 1",
        {"prompt": "Zürich 😀\n\n    indented", "response": "\u202eright to left"},
        (Suggestion("rating", 2, 0.25, "judge"), Suggestion("improved_response", "better")),
        {"source": {"file": "x", "row": 3}, "tags": ["a", None, True]},
    )
    path = tmp_path / "records.jsonl"
    path.write_text(json.dumps(record.to_dict()))
    assert list(read_records(path, template)) == [record]


# -- text of a field


@pytest.mark.parametrize(
    ("value", "answer"),
    [
        ("the text", "the text"),
        ([{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}], "4"),
        ([{"role": "assistant", "content": "4"}, {"role": "user", "content": "sure?"}], ""),
        ([{"role": "Assistant", "content": "4"}], ""),
        ([], ""),
    ],
)
def test_the_response_is_the_text_or_the_last_turn_of_the_assistant(value: Any, answer: str) -> None:
    assert answer_text(value) == answer


def test_a_conversation_as_text_has_a_line_for_each_turn() -> None:
    assert text_of([{"role": "Ann", "content": "Shall we?"}, {"role": "Bo", "content": "Yes."}]) == (
        "Ann: Shall we?\nBo: Yes."
    )
