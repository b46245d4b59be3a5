"""Recipes and settings: files that people write, with errors that name the line."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from bridge.errors import UsageError
from bridge.generating.recipes import load_recipe, recipe_names
from bridge.generating.settings import load_settings

GOOD = {"url": "http://127.0.0.1:1/v1", "models": ["m"], "instructions.topics": ["cooking"]}


@pytest.mark.parametrize("name", recipe_names())
def test_the_recipes_that_come_with_the_program_can_be_used(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    values = {"text": "T", "prompt": "P", "topic": "C", "count": "3", "task": "W", "instruction": "I"}
    assert "{{" not in recipe.messages(values)[-1]["content"]


def test_what_a_text_holds_is_no_place() -> None:
    (message,) = load_recipe("paraphrase").messages({"text": "Write {{task}} and {{text}}."})
    assert "Write {{task}} and {{text}}." in message["content"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("user: 'Again: {{txt}}'", "mine.yaml:4: user: there is nothing to put at {{txt}}; known are text, task"),
        ("user: Again.", "mine.yaml:4: user: it does not say where the text goes: {{text}}"),
        ("user: '{{text}}'\nfact: any", "mine.yaml:5: fact: this key is unknown"),
    ],
)
def test_a_recipe_that_cannot_work_names_its_line(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"version: 1\nname: mine\nabout: Mine.\n{text}\n")
    with pytest.raises(UsageError) as error:
        load_recipe(path)
    assert reason in error.value.reason


def test_a_flag_wins_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "generate.yaml"
    path.write_text(
        "models: [small]\nurl: http://127.0.0.1:1/v1\nrows: seeds.jsonl\ninstructions: {topics: a, count: 3}\n"
    )
    config, folder = load_settings(path, {"instructions.count": 5, "rows.id": "id", "seed": None})
    assert folder == tmp_path
    assert (config.instructions.topics, config.instructions.count) == (["a"], 5)
    assert config.rows is not None
    assert (config.rows.path, config.rows.id) == ("seeds.jsonl", "id")


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"models": []}, "no model is named"),
        ({"url": None}, "no endpoint"),
        ({"instructions.topics": None}, "no topics"),
        ({"make": "candidates"}, "to make candidates, name the file with the rows"),
        ({"make": "augment", "rows": "r.jsonl"}, "by is missing"),
        ({"models": ["m", "m"]}, "the same name stands twice"),
        ({"models": [{"name": "m", "parameters": {"n": 3}}]}, "it is set by what is generated"),
        ({"models": [{"name": "m", "parameters": {"top_p": float("nan")}}]}, "top_p: no JSON value"),
        ({"models": [{"name": "m", "parameters": {"stop": date(2026, 1, 1)}}]}, "stop: no JSON value"),
        ({"arms": [{"name": "a"}]}, "one arm compares nothing"),
        ({"arms": [{"name": "a"}, {"name": "b", "model": "x"}]}, "its model 'x' is none of models"),
        ({"recipes": ["instructions", "harder"]}, "one recipe is used"),
        ({"make": "candidates", "rows": "r.jsonl", "recipes": ["harder"]}, "leave recipes out"),
        ({"make": "rewrite", "rows": "r.jsonl", "system": "Be kind."}, "by its recipe alone"),
        ({"candidates": 0}, "0 is below 1"),
    ],
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, Any], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        load_settings(None, {**GOOD, **wrong})


def test_the_file_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "generate.yaml"
    path.write_text("url: http://127.0.0.1:1/v1\nmodels: [small]\ninstructions:\n  topics: [a]\n  cuont: 3\n")
    with pytest.raises(UsageError, match=r"generate.yaml:5: instructions.cuont: this key is unknown"):
        load_settings(path, {})
