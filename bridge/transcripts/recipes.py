"""Recipes: what a model is asked about a transcript, as files that people can read, copy and change."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from pydantic import model_validator

from bridge.generating.recipes import names_in, read_recipe
from bridge.questions import Misplaced, Name, Part, Prose, Title, Version
from bridge.records import Message

FOLDER = Path(__file__).parent / "recipes"
TASKS = ("summary", "action_items", "follow_up")
"""What is asked unless told otherwise."""

_PLACE = re.compile(r"\{\{(\w+)\}\}")
_ALWAYS = {"transcript", "speakers", "domain"}


class Recipe(Part):
    """What a model is asked for.

    The answer to ``user`` becomes the ``field`` of a record of ``template``. With ``questions``, a model is first asked
    for so many (``{{count}}``), and then for the answer to each (``{{question}}``).

    >>> recipe = load_recipe("summary")
    >>> recipe.template, recipe.field, "Ann: Hi." in recipe.asked({"transcript": "Ann: Hi."})[0]["content"]
    ('summary_review', 'summary', True)
    """

    version: Version
    name: Name
    about: Title
    template: Name
    field: Name
    needs_domain: bool = False
    system: Prose = ""
    questions: Prose = ""
    user: Prose

    @model_validator(mode="after")
    def _places(self) -> Recipe:
        for part, text, more in (
            ("questions", self.questions, {"count"}),
            ("user", self.user, {"question"} if self.questions else set()),
        ):
            there = set(_PLACE.findall(text))
            known = _ALWAYS | more
            for name in sorted(there - known):
                raise Misplaced(
                    (part,), f"there is nothing to put at {{{{{name}}}}}; known are {', '.join(sorted(known))}"
                )
            for name in sorted(({"transcript"} | more) - there) if text else ():
                raise Misplaced((part,), f"it does not say where the {name} goes: {{{{{name}}}}}")
        return self

    def asked(self, values: Mapping[str, str]) -> list[Message]:
        """The messages that ask for the answer. What a value holds is never taken for a place itself."""
        return self._messages(self.user, values)

    def asked_for_questions(self, values: Mapping[str, str]) -> list[Message]:
        """The messages that ask for questions."""
        return self._messages(self.questions, values)

    def _messages(self, text: str, values: Mapping[str, str]) -> list[Message]:
        lines = _PLACE.sub(lambda match: values.get(match[1], ""), text).strip()
        before = [{"role": "system", "content": self.system.strip()}] if self.system.strip() else []
        return [*before, {"role": "user", "content": lines}]


def recipe_names() -> list[str]:
    """The names of the recipes that come with the program.

    >>> recipe_names()
    ['action_items', 'domain', 'follow_up', 'reasoning', 'summary']
    """
    return names_in(FOLDER)


def load_recipe(name: str | Path) -> Recipe:
    """A recipe by its name, or from a file of one's own (``./mine.yaml``).

    Raises:
        UsageError: there is none, or it is wrong; names file and line.
    """
    return read_recipe(name, FOLDER, Recipe)
