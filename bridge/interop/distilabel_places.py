"""Where a template has what distilabel's columns hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bridge.errors import UsageError
from bridge.questions import Question, RankingQuestion, RatingQuestion, TextQuestion
from bridge.templates import TaskTemplate


class Places(NamedTuple):
    """Where a template has what distilabel's columns hold."""

    prompt: str
    """The field for the instruction; empty where it has none."""
    answers: list[str]
    """The fields for generations; several where they are judged against each other."""
    chat: str
    """The chat that holds both; then the others are empty."""
    judged: Question | None
    """The question that ratings answer."""
    rated: tuple[str, ...] = ()
    """Instead: a question for each generation of one record, whose texts are in columns named like fields."""


def places_of(template: TaskTemplate, ratings: Sequence[str] = ()) -> Places:
    """Find the places of a template.

    Args:
        template: the template.
        ratings: names of rating questions, each of which asks about one generation of the record.

    Raises:
        UsageError: it has no field for a generation, or no such rating question.
    """
    kinds = {spec.name: spec.type for spec in template.fields}
    scales = [question.name for question in template.questions if isinstance(question, RatingQuestion)]
    if unknown := [name for name in ratings if name not in scales]:
        raise UsageError(
            f"the template {template.name!r} has no rating question {unknown[0]!r}",
            remedy=f"it has {', '.join(scales)}" if scales else "use a template that asks for ratings",
        )
    if ratings:
        return Places("", [], "", None, tuple(ratings))
    prompts = template.training.prompt if template.training else [name for name in ("prompt",) if name in kinds]
    rating = next((q for q in template.questions if isinstance(q, RatingQuestion)), None)
    for question in template.questions:
        if isinstance(question, RankingQuestion):
            answers = question.item_names(template.field_names(99))
        else:
            answers = [*dict.fromkeys(o.picks for o in getattr(question, "options", ()) if o.picks)]
        if answers:
            prompt = [name for name in prompts if kinds.get(name) == "text" and name not in answers]
            return Places(prompt[-1] if prompt else "", answers, "", question)
    chat = next((name for name in prompts if kinds[name] == "chat"), "")
    if chat:
        return Places("", [], chat, rating)
    prompt = [name for name in prompts if kinds[name] == "text"]
    uses = [source.use for source in template.training.sft] if template.training else []
    prefills = [q.prefill for q in template.questions if isinstance(q, TextQuestion) and q.prefill]
    found = [name for name in (*uses, *prefills, "response") if kinds.get(name) == "text" and name not in prompt]
    if not found:
        raise UsageError(
            f"the template {template.name!r} has no field for what a model generated",
            remedy="use one with a response, or write the rows to a file and map its columns with --map",
        )
    return Places(prompt[-1] if prompt else "", found[:1], "", rating)
