"""Gates that judge one row by itself: each says what it found, or None."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple, TypeAlias

from bridge.exporting.conversation import order_fault, system_fault
from bridge.exporting.row import Row
from bridge.exporting.tokens import Tokens
from bridge.text import same_text

_MESSAGE = frozenset(("role", "content"))


class Found(NamedTuple):
    """What a gate found in a row, in words, and what it measured."""

    text: str
    score: float | None = None


Rule: TypeAlias = "Callable[[Row], Found | None]"


def sound(row: Row) -> bool:
    """Whether a row passes all gates of structure. Nearly all do, and this is quicker than asking each of them.

    >>> user = {"role": "user", "content": "2 + 2?"}
    >>> sound(Row("r", "sft", [user], completion="4")), sound(Row("r", "sft", [user, user], completion="4 "))
    (True, False)
    """
    if row.kind == "kto" and row.label is None:
        return False
    for text in _answers(row):
        if type(text) is not str or not text or text.strip() != text:
            return False
    roles = []
    for message in row.prompt:
        content = message.get("content")
        if len(message) != 2 or type(content) is not str or not content or content.strip() != content:
            return False
        roles.append(message.get("role") or "")
    order = tuple(roles)
    return bool(order) and not order_fault(order, answered=False) and not system_fault(order)


def null(row: Row) -> Found | None:
    """A text, a role or a label that is not there."""
    for name, value in row.answers().items():
        if value is None:
            return Found(f"{name} is null")
    for number, message in enumerate(row.prompt, 1):
        for key, value in message.items():
            if value is None:
                return Found(f"message {number} of the prompt: {key} is null")
    return Found("label is null") if row.kind == "kto" and row.label is None else None


def empty(row: Row) -> Found | None:
    """A blank answer or message, or no prompt at all."""
    if not row.prompt:
        return Found("there is no prompt")
    for name, text in _texts(row):
        if isinstance(text, str) and not text.strip():
            return Found(f"{name} is blank")
    return None


def unstripped(row: Row) -> Found | None:
    """White space before or after an answer or message."""
    for name, text in _texts(row):
        if isinstance(text, str) and text.strip() and text.strip() != text:
            return Found(f"{name} has white space {'before' if text[0].isspace() else 'after'} it")
    return None


def role_order(row: Row) -> Found | None:
    """Roles that trainers do not know, or in an order that they drop."""
    roles = _roles(row)
    fault = order_fault(roles, answered=False) if roles else ""
    return Found(fault) if fault else None


def system_first(row: Row) -> Found | None:
    """A system message behind another one."""
    fault = system_fault(_roles(row))
    return Found(fault) if fault else None


def tool_turns(row: Row) -> Found | None:
    """Two tools that answer one after the other: LLaMA-Factory drops such a conversation, other trainers learn it.

    >>> user, call, tool = ({"role": role, "content": "?"} for role in ("user", "assistant", "tool"))
    >>> tool_turns(Row("r", "sft", [user, call, tool, tool], completion="4"))
    Found(text='message 4 of the prompt: a tool answers after another one', score=None)
    """
    roles = _roles(row)
    twice = (number for number, pair in enumerate(pairwise(roles), 2) if pair == ("tool", "tool"))
    number = next(twice, 0)
    return Found(f"message {number} of the prompt: a tool answers after another one") if number else None


def reserved(row: Row) -> Found | None:
    """Keys of a message that trainers and templates take for something of their own."""
    for number, message in enumerate(row.prompt, 1):
        strangers = sorted(message.keys() - _MESSAGE)
        if strangers:
            return Found(f"message {number} of the prompt has {strangers[0]!r:.60} beside role and content")
    return None


def equal(row: Row) -> Found | None:
    """Two answers that say the same but for Unicode form and white space.

    >>> equal(Row("r", "dpo", [], chosen="It is 4.", rejected="It  is 4."))
    Found(text='chosen and rejected are the same', score=None)
    """
    one, other = row.chosen, row.rejected
    # Stripped texts of ASCII that start or end otherwise cannot be the same, and most pairs are such.
    if one.isascii() and other.isascii() and (one[:1] != other[:1] or one[-1:] != other[-1:]):
        return None if one.strip() == one and other.strip() == other else _same(one, other)
    return _same(one, other)


def _same(one: str, other: str) -> Found | None:
    return Found("chosen and rejected are the same") if same_text(one, other) else None


def near_equal(least: float) -> Rule:
    """Answers whose letters agree by this percentage, case and white space aside (``rapidfuzz.fuzz.ratio``).

    >>> near_equal(90)(Row("r", "dpo", [], chosen="Canberra is the capital.", rejected="canberra is the capital!"))
    Found(text='chosen and rejected are alike by 95.8 %', score=95.83)
    """
    from rapidfuzz.fuzz import ratio

    from bridge.curate.tokens import plain

    def rule(row: Row) -> Found | None:
        one, other = (" ".join(plain(text).split()) for text in (row.chosen, row.rejected))
        score = ratio(one, other, score_cutoff=least)
        alike = score >= least and bool(one or other)
        return Found(f"chosen and rejected are alike by {score:.1f} %", round(score, 2)) if alike else None

    return rule


def equal_truncated(limit: int, tokens: Tokens) -> Rule:
    """Answers that are the same as far as a trainer reads them: prompt and answer together, up to so many tokens.

    That is what TRL does by default (``max_length``, ``truncation_mode="keep_start"``).

    >>> row = Row("r", "dpo", [{"role": "user", "content": "a b"}], chosen="c d e", rejected="c d f")
    >>> equal_truncated(4, str.split)(row), equal_truncated(5, str.split)(row)
    (Found(text='chosen and rejected are the same up to token 4', score=4.0), None)
    """

    def rule(row: Row) -> Found | None:
        # No token is shorter than a character of UTF-8, so most rows need not be counted.
        if _bytes(row) <= limit:
            return None
        room = max(0, limit - _prompt_tokens(row, tokens))
        if list(tokens(row.chosen)[:room]) != list(tokens(row.rejected)[:room]):
            return None
        if not room:
            return Found(f"the prompt alone has {limit:,} tokens and more, so that no answer is read", float(limit))
        return Found(f"chosen and rejected are the same up to token {limit:,}", float(limit))

    return rule


def length_ratio(most: float) -> Rule:
    """One answer that is so many times as long as the other, in characters.

    >>> length_ratio(5)(Row("r", "dpo", [], chosen="x" * 60, rejected="x" * 10))
    Found(text='chosen is 6.0 times as long as rejected', score=6.0)
    """

    def rule(row: Row) -> Found | None:
        one, other = len(row.chosen), len(row.rejected)
        share = max(one, other) / max(1, min(one, other))
        if share <= most:
            return None
        names = ("chosen", "rejected") if one > other else ("rejected", "chosen")
        return Found(f"{names[0]} is {share:.1f} times as long as {names[1]}", round(share, 2))

    return rule


def too_long(limit: int, tokens: Tokens) -> Rule:
    """Prompt and longest answer with more tokens than this.

    >>> too_long(3, str.split)(Row("r", "sft", [{"role": "user", "content": "a b"}], completion="c d"))
    Found(text='prompt and answer have 4 tokens', score=4.0)
    """

    def rule(row: Row) -> Found | None:
        if _bytes(row) <= limit:
            return None
        count = _prompt_tokens(row, tokens) + max(len(tokens(text)) for text in _answers(row))
        return Found(f"prompt and answer have {count:,} tokens", float(count)) if count > limit else None

    return rule


def too_long_characters(limit: int) -> Rule:
    """Prompt and longest answer with more characters than this."""

    def rule(row: Row) -> Found | None:
        count = sum(len(message["content"]) for message in row.prompt) + max(map(len, _answers(row)))
        return Found(f"prompt and answer have {count:,} characters", float(count)) if count > limit else None

    return rule


def _answers(row: Row) -> tuple[str, ...]:
    return (row.chosen, row.rejected) if row.is_pair else (row.completion,)


def _texts(row: Row) -> list[tuple[str, str | None]]:
    prompt = [(f"message {number} of the prompt", m.get("content")) for number, m in enumerate(row.prompt, 1)]
    return [*prompt, *row.answers().items()]


def _roles(row: Row) -> tuple[str, ...]:
    return tuple(str(message.get("role")) for message in row.prompt)


def _bytes(row: Row) -> int:
    """Bytes of prompt and answers in UTF-8, or more: no text has more tokens."""
    texts = (*(message["content"] for message in row.prompt), *_answers(row))
    return sum(len(text) if text.isascii() else 4 * len(text) for text in texts)


def _prompt_tokens(row: Row, tokens: Tokens) -> int:
    return sum(len(tokens(message["content"])) for message in row.prompt)
