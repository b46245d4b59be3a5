"""Formats: each line is what its golden file says, to the byte."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from bridge.errors import ValueRejected
from bridge.exporting.formats import FORMATS, metadata
from bridge.exporting.row import Kind, Row
from bridge.files import write_lines
from bridge.templates import load_template

GOLDEN = Path(__file__).parent.parent / "golden"
USER = {"role": "user", "content": "Wie heißt „4“ auf Latein?\n\tKurz, bitte."}
MORE = [{"role": "system", "content": "Be brief."}, USER, {"role": "assistant", "content": "?"}, USER]


def row(kind: Kind, prompt: list[dict[str, str]]) -> Row:
    people = ("ann", "bo")
    if kind == "sft":
        return Row("row-1", kind, prompt, completion="quattuor 😀\u2028\\n", source="use: response", annotators=people)
    return Row("row-1", kind, prompt, "", "quattuor 😀", "007", "pairs: preference", people, 0.5)


def line(kind: Kind, name: str, prompt: list[dict[str, str]]) -> dict[str, Any]:
    one = row(kind, prompt)
    return FORMATS[kind][name].write(one, metadata(one, load_template("preference")))


@pytest.mark.parametrize("name", ["conversational", "plain"])
@pytest.mark.parametrize("kind", ["sft", "dpo"])
def test_a_line_is_as_in_its_golden_file(kind: Kind, name: str, tmp_path: Path) -> None:
    """ANNOBRIDGE_GOLDEN=write replaces the golden files: look at the difference before it is committed."""
    lines = [line(kind, name, prompt) for prompt in ([USER], MORE)[: 2 if name == "conversational" else 1]]
    golden = GOLDEN / f"{kind}.{name}.jsonl"
    write_lines(tmp_path / golden.name, lines)
    if os.environ.get("ANNOBRIDGE_GOLDEN") == "write":
        write_lines(golden, lines)
    assert (tmp_path / golden.name).read_bytes() == golden.read_bytes()


@pytest.mark.parametrize("kind", ["sft", "dpo"])
def test_a_plain_prompt_has_no_place_for_several_messages(kind: Kind) -> None:
    with pytest.raises(ValueRejected, match="no place for 4 messages") as caught:
        line(kind, "plain", MORE)
    assert "conversational" in caught.value.remedy


def test_metadata_is_text_and_numbers_under_the_same_names() -> None:
    for one in (row("sft", [USER]), row("dpo", MORE), Row("r", "sft", [])):
        data = metadata(one, load_template("rating"))
        assert list(data) == ["record", "source", "annotators", "people", "template", "model", "licence"]
        assert {type(value) for value in data.values()} == {str, int}
