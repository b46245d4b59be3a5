"""Formats: each line is what its golden file says, to the byte, and all lines of a format have the same shape."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import UsageError, ValueRejected
from bridge.exporting import Dropped, Row, plan
from bridge.exporting.formats import FORMATS, METADATA, Format, Unfit, metadata
from bridge.exporting.formats.chat_template import ChatTemplate, compiled, text
from bridge.exporting.row import Kind
from bridge.exporting.survey import survey
from bridge.files import write_lines
from bridge.templates import load_template

GOLDEN = Path(__file__).parent.parent / "golden"
PREFERENCE = load_template("preference")
USER = {"role": "user", "content": "Wie heißt „4“ auf Latein?\n\tKurz, bitte."}
BRIEF = {"role": "system", "content": "Be brief."}
MORE = [BRIEF, USER, {"role": "assistant", "content": "?"}, USER]
TOOL = [USER, {"role": "assistant", "content": "?"}, {"role": "tool", "content": "4"}]
PROMPTS = ([USER], [BRIEF, USER], MORE, TOOL)
CHATML = "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
TEXT = text(ChatTemplate("chatml.jinja", CHATML, {}, compiled(CHATML)))
ALL = [(kind, name) for kind, formats in FORMATS.items() for name in formats]


def row(kind: Kind, prompt: list[dict[str, str]], *, scored: bool = False) -> Row:
    people = ("ann", "bo")
    if kind in ("dpo", "reward") and not scored:
        return Row("row-1", kind, prompt, "", "quattuor 😀", "007", "pairs: preference", people, 0.5)
    label = True if kind == "kto" else None
    score = 4.5 if scored else None
    answer = "quattuor 😀\u2028\\n"
    return Row("row-1", kind, prompt, answer, source="use: response", annotators=people, label=label, score=score)


def shape(kind: Kind, name: str) -> Format:
    return TEXT if name == "text" else FORMATS[kind][name]


def line(kind: Kind, name: str, prompt: list[dict[str, str]]) -> dict[str, Any]:
    one = row(kind, prompt, scored=shape(kind, name).takes == "scores")
    return shape(kind, name).write(one, metadata(one, PREFERENCE))


def lines(kind: Kind, name: str) -> list[dict[str, Any]]:
    """Lines of all prompts that the format has a place for."""
    found = []
    for prompt in PROMPTS:
        try:
            found.append(line(kind, name, prompt))
        except Unfit:
            continue
    return found


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_a_line_is_as_in_its_golden_file(kind: Kind, name: str, tmp_path: Path) -> None:
    """ANNOBRIDGE_GOLDEN=write replaces the golden files: look at the difference before it is committed."""
    golden = GOLDEN / f"{kind}.{name}.jsonl"
    write_lines(tmp_path / golden.name, lines(kind, name))
    if os.environ.get("ANNOBRIDGE_GOLDEN") == "write":
        write_lines(golden, lines(kind, name))
    assert (tmp_path / golden.name).read_bytes() == golden.read_bytes()


def test_there_is_no_golden_file_of_a_format_that_is_gone() -> None:
    assert {path.stem for path in GOLDEN.glob("*.jsonl")} == {f"{kind}.{name}" for kind, name in ALL}


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_how_many_prompts_a_format_has_a_place_for(kind: Kind, name: str) -> None:
    one, two = ("plain", "axolotl"), ("alpaca",)
    all_but_tools = ("sharegpt", "openai")
    expected = 1 if name in one else 2 if name in two else 3 if name in all_but_tools else 4
    assert len(lines(kind, name)) == expected


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_what_has_no_place_names_a_format_of_the_same_kind_that_has(kind: Kind, name: str) -> None:
    for prompt in PROMPTS:
        try:
            line(kind, name, prompt)
        except ValueRejected as error:
            other = error.remedy.split("'")[1]
            assert line(kind, other, prompt)


@pytest.mark.parametrize("kind", ["dpo", "reward"])
def test_two_tools_one_after_the_other_have_no_place_where_llama_factory_would_drop_the_row(kind: Kind) -> None:
    assert line(kind, "llamafactory", TOOL)["messages"] == TOOL
    with pytest.raises(Unfit, match="two tools answer one after the other") as caught:
        line(kind, "llamafactory", [*TOOL, TOOL[-1]])
    assert "'conversational'" in caught.value.remedy
    assert line(kind, "conversational", [*TOOL, TOOL[-1]])["prompt"][-2:] == [TOOL[-1]] * 2


def shape_of(value: Any) -> Any:
    """Keys and types, so that two values can be compared in them."""
    if isinstance(value, dict):
        return {key: shape_of(entry) for key, entry in value.items()}
    return [shape_of(entry) for entry in value][:1] if isinstance(value, list) else type(value)


RESERVED = {
    "input_ids",
    "labels",
    "attention_mask",
    "image",
    "images",
    "tools",
    "chat_template_kwargs",
    "prompt_ids",
    "chosen_ids",
    "rejected_ids",
    "seq_lengths",
}


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_all_lines_have_the_columns_of_the_format_no_null_and_no_name_that_trainers_keep(kind: Kind, name: str) -> None:
    for one in lines(kind, name):
        assert list(one) == [*shape(kind, name).columns, "metadata"]
        assert shape_of(one) == shape_of(lines(kind, name)[0])
        assert "null" not in json.dumps(one)
        assert not RESERVED & set(one)


texts = st.text(min_size=1)


@given(prompt=texts, answer=texts, other=texts)
def test_the_texts_of_a_row_stand_in_every_format_as_they_are(prompt: str, answer: str, other: str) -> None:
    for kind, name in ALL:
        one = Row("r", kind, [{"role": "user", "content": prompt}], answer, answer, other, label=True)
        if name in ("text", "scalar"):
            continue
        found = list(strings(FORMATS[kind][name].write(one, {})))
        assert [found.count(text) >= 1 for text in (prompt, answer)] == [True, True]
        assert not one.is_pair or other in found


def strings(value: Any) -> Any:
    if isinstance(value, str):
        yield value
    for entry in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from strings(entry)


@pytest.mark.parametrize("kind", ["sft", "dpo", "kto", "reward"])
def test_a_plain_prompt_has_no_place_for_several_messages(kind: Kind) -> None:
    with pytest.raises(ValueRejected, match="no place for 4 messages") as caught:
        line(kind, "plain", MORE)
    assert "conversational" in caught.value.remedy


def test_alpaca_keeps_the_system_message_and_refuses_several_turns() -> None:
    assert line("sft", "alpaca", [BRIEF, USER])["system"] == "Be brief."
    with pytest.raises(Unfit, match="no place for 4 messages") as caught:
        line("sft", "alpaca", MORE)
    assert (caught.value.code, caught.value.remedy) == ("multi_turn", "use the format 'messages'")


def test_a_kto_label_is_a_boolean() -> None:
    for name in FORMATS["kto"]:
        assert line("kto", name, [USER])["label"] is True


def test_metadata_is_text_and_numbers_under_the_same_names() -> None:
    for one in (row("sft", [USER]), row("dpo", MORE), Row("r", "sft", [])):
        data = metadata(one, load_template("rating"))
        assert list(data) == list(METADATA)
        assert {name: {str: "text", int: "count"}[type(value)] for name, value in data.items()} == METADATA


# -- of a whole set


def pairs(*margins: float | None) -> list[Row]:
    prompt = [USER]
    return [Row(f"r{n}", "reward", prompt, "", "a", "b", margin=margin) for n, margin in enumerate(margins)]


def columns(rows: list[Row], name: str = "plain") -> tuple[list[list[str]], dict[str, Any]]:
    found = survey(rows, {name: FORMATS["reward"][name]})
    return [list(found.formats[name].write(one, {})) for one in rows], found.told


def test_margins_stand_in_all_rows() -> None:
    assert columns(pairs(0.5, 1)) == ([["prompt", "chosen", "rejected", "margin", "metadata"]] * 2, {})


def test_margins_stand_in_no_row_where_one_lacks_it_and_the_manifest_says_so() -> None:
    found, told = columns(pairs(0.5, None, 1))
    assert found == [["prompt", "chosen", "rejected", "metadata"]] * 3
    assert told == {"margin": {"left_out": True, "rows": 3, "without": 1}}


def test_where_no_row_has_a_margin_there_is_nothing_to_say() -> None:
    assert columns(pairs(None, None)) == ([["prompt", "chosen", "rejected", "metadata"]] * 2, {})


def test_a_row_that_a_format_has_no_place_for_is_told_once_for_its_record() -> None:
    rows = [Row("r1", "sft", MORE, "a"), Row("r1", "sft", MORE, "b"), Row("r2", "sft", [USER], "c")]
    found = survey(rows, FORMATS["sft"] | {"text": TEXT})
    assert [list(found.parts[name, ""]) for name in ("plain", "messages", "text")] == [[2], [0, 1, 2], [0, 1, 2]]
    assert [case for case in found.missing if case.format == "alpaca"] == [
        Dropped(
            "r1",
            "multi_turn",
            "a prompt of one turn has no place for 4 messages; use the format 'messages'",
            "alpaca",
        )
    ]


def test_scores_and_pairs_stand_in_files_of_their_own() -> None:
    rows = [*pairs(1.0), Row("r9", "reward", [USER], "a", score=4.0)]
    parts = survey(rows, FORMATS["reward"]).parts
    assert [list(parts[name, ""]) for name in ("conversational", "plain", "scalar")] == [[0], [0], [1]]


def test_the_usual_formats_of_a_reward_set_have_a_place_for_scores() -> None:
    assert list(plan._formats("reward", ["conversational", "plain"], None)) == ["conversational", "plain", "scalar"]
    assert list(plan._formats("reward", ["plain"], None)) == ["plain"]


@pytest.mark.parametrize("kind", ["sft", "dpo", "kto", "reward"])
def test_an_unknown_format_is_told_those_that_there_are_for_the_kind(kind: Kind) -> None:
    with pytest.raises(UsageError, match="'csv' is no format") as caught:
        plan._formats(kind, ["csv"], None)
    assert caught.value.remedy == f"use one or more of {', '.join(FORMATS[kind])}"


def test_text_without_a_chat_template_is_told_what_to_do() -> None:
    with pytest.raises(UsageError, match="needs a chat template") as caught:
        plan._formats("sft", ["text"], None)
    assert "--chat-template" in caught.value.remedy
    assert "'messages'" in caught.value.remedy
