"""A template is checked against what the server can do before anything is created."""

from __future__ import annotations

import re
from typing import Any

import pytest

from bridge.errors import UsageError
from bridge.servers.argilla import CAPABILITIES
from bridge.servers.protocol import Project
from bridge.sync.capabilities import check_capabilities
from bridge.templates import TaskTemplate, load_template, template_names


def changed(name: str, **changes: Any) -> TaskTemplate:
    """A ready-made template whose first question is changed, without the training rules that rest on it."""
    shape = load_template(name).model_dump(exclude_none=True, exclude={"training"})
    shape["questions"][0].update(changes)
    return TaskTemplate.model_validate(shape)


@pytest.mark.parametrize("name", template_names())
def test_every_ready_made_template_fits_argilla(name: str) -> None:
    check_capabilities(Project("Demo", load_template(name), repeats=3), CAPABILITIES)


@pytest.mark.parametrize(
    ("template", "reason", "remedy"),
    [
        (changed("label", options=["correct"]), "question 'label': it has 1 option", "another option"),
        (
            changed("rating", description="x" * 1001),
            "question 'rating': a description of 1,001 characters; this server takes 1,000",
            "guidelines",
        ),
    ],
)
def test_the_error_names_the_question_and_what_works(template: TaskTemplate, reason: str, remedy: str) -> None:
    with pytest.raises(UsageError, match=re.escape(reason)) as caught:
        check_capabilities(Project("Demo", template), CAPABILITIES)
    assert remedy in caught.value.remedy


def test_a_ranking_needs_as_many_responses_as_the_server_has_cards_for() -> None:
    shape = load_template("ranking").model_dump(exclude_none=True, exclude={"training"})
    shape["fields"][1]["repeat"] = {"min": 1, "max": 10}
    template = TaskTemplate.model_validate(shape)
    with pytest.raises(UsageError, match="'ranking': it has 1 option"):
        check_capabilities(Project("Demo", template, repeats=1), CAPABILITIES)
    check_capabilities(Project("Demo", template, repeats=2), CAPABILITIES)


def test_two_span_questions_on_one_field() -> None:
    shape = load_template("span_errors").model_dump(exclude_none=True, exclude={"training"})
    shape["questions"].append({**shape["questions"][0], "name": "praise"})
    with pytest.raises(UsageError, match="'praise': this server takes one span question a field"):
        check_capabilities(Project("Demo", TaskTemplate.model_validate(shape)), CAPABILITIES)


def test_a_name_that_is_too_long() -> None:
    with pytest.raises(UsageError, match="project"):
        check_capabilities(Project("x" * 201, load_template("rating")), CAPABILITIES)
