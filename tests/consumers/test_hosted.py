"""What hosted services and MLX-LM check before they take a file, by rules that they have published.

Sources: OpenAI's specification (github.com/openai/openai-openapi, commit f7f4b05 of July 2025,
``FineTuneChatRequestInput`` and ``FineTunePreferenceRequestInput``; it does not forbid further keys, and here they are
forbidden); Together's client 1.5.35 (``together/utils/files.py``, ``check_file``); MLX-LM 0.32
(``mlx_lm/tuner/datasets.py``,
``load_local_dataset`` and ``create_dataset``).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

MESSAGE = {
    "type": "object",
    "required": ["role", "content"],
    "properties": {
        "role": {"enum": ["system", "user", "assistant"]},
        "content": {"type": "string", "minLength": 1},
        "name": {"type": "string"},
        "weight": {"enum": [0, 1]},
    },
    "additionalProperties": False,
}
MESSAGES = {"type": "array", "minItems": 1, "items": MESSAGE}
ANSWER = {
    "type": "array",
    "minItems": 1,
    "maxItems": 1,
    "items": {"allOf": [MESSAGE, {"properties": {"role": {"const": "assistant"}}}]},
}
OPENAI = {
    "sft": {
        "type": "object",
        "required": ["messages"],
        "properties": {"messages": MESSAGES},
        "additionalProperties": False,
    },
    "dpo": {
        "type": "object",
        "required": ["input", "preferred_output", "non_preferred_output"],
        "properties": {
            "input": {
                "type": "object",
                "required": ["messages"],
                "properties": {"messages": MESSAGES},
                "additionalProperties": False,
            },
            "preferred_output": ANSWER,
            "non_preferred_output": ANSWER,
        },
        "additionalProperties": False,
    },
}


def together(kind: str, line: dict[str, Any]) -> list[str]:
    """What Together's check has against a line."""
    columns = {"sft": ["messages"], "dpo": ["input", "preferred_output", "non_preferred_output"]}[kind]
    messages = line["messages"] if kind == "sft" else line["input"]["messages"]
    roles = [message["role"] for message in messages]
    turns = roles[1:] if roles[0] == "system" else roles
    wrong = {
        "other columns": list(line) != columns,
        "roles": not set(roles) <= {"system", "user", "assistant"},
        "turns": turns != [("user", "assistant")[number % 2] for number in range(len(turns))],
        "no answer": kind == "sft" and "assistant" not in roles,
        "ends with the assistant": kind == "dpo" and roles[-1] == "assistant",
        "content": not all(isinstance(message["content"], str) for message in messages),
        "answers": kind == "dpo" and any(len(line[name]) != 1 for name in columns[1:]),
    }
    return [name for name, broken in wrong.items() if broken]


def files(exports: Path, kind: str) -> list[Path]:
    return [exports / "chats" / f"{kind}.openai.jsonl", *sorted((exports / "pairs" / f"{kind}.openai").glob("*.jsonl"))]


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


@pytest.mark.parametrize("kind", ["sft", "dpo"])
def test_every_line_for_a_hosted_service_fits_its_schema_and_check(exports: Path, kind: str) -> None:
    schema = Draft202012Validator(OPENAI[kind])
    found = files(exports, kind)
    assert len(found) == 4
    for path in found:
        assert not path.read_bytes().startswith(b"\xef\xbb\xbf")
        for line in lines(path):
            assert list(schema.iter_errors(line)) == []
            assert together(kind, line) == []


def test_the_checks_see_what_is_wrong() -> None:
    good = {"messages": [{"role": "user", "content": "2 + 2?"}, {"role": "assistant", "content": "4"}]}
    schema = Draft202012Validator(OPENAI["sft"])
    assert schema.is_valid(good)
    assert not schema.is_valid(good | {"metadata": {}})
    assert not schema.is_valid({"messages": [{"role": "user", "content": "2 + 2?", "name": None}]})
    assert together("sft", good | {"metadata": {}}) == ["other columns"]
    assert together("sft", {"messages": good["messages"] * 2 + good["messages"][:1]}) == []
    assert together("sft", {"messages": good["messages"][::-1]}) == ["turns"]


@pytest.mark.parametrize("kind", ["sft", "dpo"])
def test_where_the_rows_of_a_hosted_file_come_from_stands_beside_it_line_by_line(exports: Path, kind: str) -> None:
    for path in files(exports, kind):
        beside = path.with_name(f"{kind}.openai.metadata.jsonl")
        if path.parent.name == f"{kind}.openai":
            beside = path.parent.with_name(f"{kind}.openai-metadata") / path.name
        same = exports / "pairs" / f"{kind}.conversational" / path.name
        if path.parent.name == "chats":
            same = path.with_name(f"{kind}.conversational.jsonl")
        assert lines(beside) == [line["metadata"] for line in lines(same)]


# -- MLX-LM


def mlx_takes(line: dict[str, Any]) -> str:
    """Which of MLX-LM's data sets a first line decides for, in its order; empty where it takes none."""
    if "prompt" in line and "completion" in line:
        return "completions" if isinstance(line["prompt"], str) else ""
    return "chat" if "messages" in line else "text" if "text" in line else ""


@pytest.mark.parametrize(("name", "takes"), [("messages", "chat"), ("plain", "completions"), ("text", "text")])
def test_mlx_finds_its_files_by_name_and_takes_them(exports: Path, name: str, takes: str) -> None:
    told = yaml.safe_load((exports / "pairs" / f"sft.{name}.mlx.yaml").read_text())
    folder = exports / "pairs" / told["data"]
    for split in ("train", "valid", "test"):
        found = (folder / f"{split}.jsonl").read_text(encoding="utf-8")
        assert found.endswith("\n")
        assert "\n\n" not in found  # MLX-LM parses a blank line, and fails
        assert {mlx_takes(line) for line in lines(folder / f"{split}.jsonl")} == {takes}
        assert len(lines(folder / f"{split}.jsonl")) >= 4  # its batch


def test_mlx_has_no_settings_where_it_cannot_find_files(exports: Path) -> None:
    assert list((exports / "chats").glob("*.mlx.yaml")) == []
    assert {path.name for path in (exports / "pairs").glob("*.mlx.yaml")} == {
        "sft.messages.mlx.yaml",
        "sft.plain.mlx.yaml",
        "sft.text.mlx.yaml",
    }
