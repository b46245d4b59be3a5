"""Recipes: what models are asked to write, as files that people can read, copy and change."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import ValidationError, model_validator

from bridge.curate.tokens import words
from bridge.errors import UsageError
from bridge.questions import Misplaced, Name, Part, Prose, Title, Version
from bridge.records import Message
from bridge.yamlfile import read_yaml

P = TypeVar("P", bound=Part)

FOLDER = Path(__file__).parent / "recipes"

_PLACE = re.compile(r"\{\{(\w+)\}\}")
_PLACES = {
    "list": ("count", "topic", "persona", "level", "examples"),
    "prompt": ("text", "task"),
    "answer": ("text", "prompt", "instruction"),
}


class Recipe(Part):
    """What a model is asked for.

    ``answer`` is what comes back: one ``text``, or a ``list`` of new instructions. ``of`` is what a text is made from:
    the ``prompt`` of a given row, or its ``answer``. ``facts`` says what a text may do to the numbers and names of the
    one that it is made from: ``keep`` them all, ``may_lose`` some, or ``any``. A ``novel`` one must pass the novelty
    filter; another one must only differ. ``answered`` says what answers a new prompt: the answer of the row that it was
    made from (``keep``), or a model (``anew``).

    >>> recipe = load_recipe("paraphrase")
    >>> recipe.facts, recipe.answered, recipe.messages({"text": "Name {{three}} rivers."})[0]["content"][-51:]
    ('keep', 'keep', '<instruction>\\nName {{three}} rivers.\\n</instruction>')
    """

    version: Version
    name: Name
    about: Title
    answer: Literal["text", "list"] = "text"
    of: Literal["prompt", "answer"] = "prompt"
    facts: Literal["keep", "may_lose", "any"] = "keep"
    novel: bool = False
    answered: Literal["keep", "anew"] = "anew"
    system: Prose = ""
    user: Prose

    @model_validator(mode="after")
    def _places(self) -> Recipe:
        there = set(_PLACE.findall(self.user))
        known = _PLACES["list" if self.answer == "list" else self.of]
        for name in sorted(there - set(known)):
            raise Misplaced(("user",), f"there is nothing to put at {{{{{name}}}}}; known are {', '.join(known)}")
        needed = "topic" if self.answer == "list" else "text"
        if needed not in there:
            raise Misplaced(("user",), f"it does not say where the {needed} goes: {{{{{needed}}}}}")
        return self

    def messages(self, values: Mapping[str, str]) -> list[Message]:
        """The messages with these values in their places. What a value holds is never taken for a place itself."""
        asked = _PLACE.sub(lambda match: values.get(match[1], ""), self.user).strip()
        before = [{"role": "system", "content": self.system.strip()}] if self.system.strip() else []
        return [*before, {"role": "user", "content": asked}]

    def says(self, text: str) -> bool:
        """Whether a text has no letter and no digit, or three words or more that the recipe itself says in a row, and
        nothing else: small models give back what they were told.

        >>> load_recipe("harder").says("Do not follow the instruction!"), load_recipe("harder").says("...")
        (True, True)
        >>> load_recipe("harder").says("None.")
        False
        """
        if not any(map(str.isalnum, text)):
            return True
        said = words(text)
        return len(said) > 2 and f" {' '.join(said)} " in f" {' '.join(words(f'{self.system} {self.user}'))} "


def recipe_names() -> list[str]:
    """The names of the recipes that come with the program.

    >>> recipe_names()
    ['contradiction', 'harder', 'instructions', 'nothing_to_do', 'paraphrase', 'rewrite']
    """
    return names_in(FOLDER)


def load_recipe(name: str | Path) -> Recipe:
    """A recipe by its name, or from a file of one's own (``./mine.yaml``).

    Raises:
        UsageError: there is none, or it is wrong; names file and line.
    """
    return read_recipe(name, FOLDER, Recipe)


def read_recipe(name: str | Path, folder: Path, kind: type[P]) -> P:
    """A recipe of any kind: one of a folder by its name, or one from a file.

    Raises:
        UsageError: there is none, or it is wrong; names file and line.
    """
    text = str(name)
    if not is_file(text):
        known = names_in(folder)
        if text not in known:
            raise UsageError(
                f"recipe {text!r:.60}: there is none",
                remedy=f"use one of {', '.join(known)}, or a file of your own: ./{text:.60}.yaml",
            )
        name = folder / f"{text}.yaml"
    file = read_yaml(Path(name), UsageError)
    try:
        return kind.model_validate(file.data)
    except ValidationError as error:
        raise file.explain(error, UsageError, "copy a recipe of ours and change it") from None


def names_in(folder: Path) -> list[str]:
    """The names of the recipes in a folder."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def is_file(name: str) -> bool:
    """Whether a recipe or template is named by its file.

    >>> is_file("./mine.yaml"), is_file("paraphrase")
    (True, False)
    """
    return "/" in name or name.endswith((".yaml", ".yml"))
