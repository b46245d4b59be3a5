"""Chats that training rows are made of: a chat that could never become a row is refused before anybody judges it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from bridge.errors import ValueRejected
from bridge.questions import LabelQuestion, RankingQuestion
from bridge.records import ROLES, Message

if TYPE_CHECKING:
    from bridge.templates.task import TaskTemplate


class Use(NamedTuple):
    """What training takes from a chat: the turns before its answer, its last turn, or both."""

    prompt: bool
    answer: bool


def trained_chats(template: TaskTemplate) -> dict[str, Use]:
    """Names of the chats that the training rules use, and what they take from each.

    >>> from bridge.templates import load_template
    >>> trained_chats(load_template("chat_review"))
    {'messages': Use(prompt=True, answer=True)}
    """
    training = template.training
    if training is None:
        return {}
    # Several fields make one text of the user, in which a chat's roles are words like any others.
    prompts = set(training.prompt) if len(training.prompt) == 1 else set()
    sources = {name for _, _, source in training.sources() for name in source.texts()}
    fields = template.field_names(max((spec.repeat.max for spec in template.fields if spec.repeat), default=0))
    answers = sources | {
        name
        for question in template.questions
        if question.name in sources
        for name in fields
        if (isinstance(question, RankingQuestion) and question.ranks(name))
        or (isinstance(question, LabelQuestion) and any(option.picks == name for option in question.options))
    }
    uses = {name: Use(name in prompts, name in answers) for name in fields if _is_chat(template, name)}
    return {name: use for name, use in uses.items() if any(use)}


def _is_chat(template: TaskTemplate, name: str) -> bool:
    spec = template.field_for(name)
    return spec is not None and spec.type == "chat"


def check_chat(name: str, chat: Sequence[Message], use: Use) -> None:
    """Refuse a chat that no training row can be made of, whatever people say of it.

    Raises:
        ValueRejected: it does not end with an answer, or what stands before the answer is no prompt.

    >>> check_chat("messages", [{"role": "user", "content": "2 + 2?"}], Use(prompt=True, answer=True))
    Traceback (most recent call last):
    ...
    bridge.errors.ValueRejected: messages: it does not end with a turn of the assistant, so there is no answer to judge
      remedy: end it with the assistant's answer, or leave the record out
    """
    *before, last = chat
    ends_with_answer = last["role"] == "assistant"
    if use.answer and not (ends_with_answer and last["content"].strip()):
        raise ValueRejected(
            f"{name}: it does not end with a turn of the assistant, so there is no answer to judge",
            remedy="end it with the assistant's answer, or leave the record out",
        )
    if not use.prompt:
        return
    turns = before if ends_with_answer else chat
    stranger = next((turn["role"] for turn in turns if turn["role"] not in ROLES), None)
    if stranger is not None:
        raise ValueRejected(
            f"{name}: trainers do not know the role {stranger!r:.60}",
            remedy=f"use {', '.join(ROLES)}; for people talking to each other, a field of type transcript",
        )
    if not turns or turns[-1]["role"] not in ("user", "tool"):
        raise ValueRejected(
            f"{name}: no turn of the user stands before the answer",
            remedy="add the question that is answered, or leave the record out",
        )
    blank = next((number for number, turn in enumerate(turns, 1) if not turn["content"].strip()), None)
    if blank is not None:
        raise ValueRejected(f"{name}: message {blank} is blank", remedy="leave that message out, or the record")
