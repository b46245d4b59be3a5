"""Reasoning: what a model thought before it answered, stripped from the rows of a training set.

A trace stands at the start of an answer between ``<think>`` and ``</think>`` (or ``<thinking>``, ``<reasoning>``).
Templates such as DeepSeek-R1's put the opening tag into the prompt, so that answers begin inside the trace: then all up
to the closing tag is the trace. Chat templates drop the traces of earlier turns, so those are stripped as well.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from bridge.exporting.plan import Sieved
from bridge.exporting.row import REJECTED, ROWS, Rejected, Row
from bridge.exporting.shelf import beside
from bridge.records import Message
from bridge.text import same_text

_TAGS = "think|thinking|reasoning"
_OPENS = re.compile(rf"\s*<({_TAGS})>", re.IGNORECASE)
_OPENING = re.compile(rf"<({_TAGS})>", re.IGNORECASE)
# A tag in quotes is one that the answer speaks of.
_CLOSES = re.compile(rf"(?<![`'\"])</({_TAGS})>", re.IGNORECASE)


def without_reasoning(text: str) -> str | None:
    """An answer without the traces that it begins with; None where one never ends, or nothing comes after it.

    >>> without_reasoning("<think>2 and 2...</think> 4"), without_reasoning("2 and 2...</think>4")
    ('4', '4')
    >>> without_reasoning("<think>2 and 2..."), without_reasoning("A <think> tag opens a trace.")
    (None, 'A <think> tag opens a trace.')
    """
    rest = text
    while (end := _end_of_trace(rest)) != 0:
        if end is None:
            return None
        rest = rest[end:]
    return text if rest is text else rest.strip() or None


def _end_of_trace(text: str) -> int | None:
    """Where the trace ends that a text begins with: 0 if it begins with none, None if that trace never ends."""
    opening = _OPENS.match(text)
    name = opening[1].lower() if opening else ""
    closing = next((tag for tag in _CLOSES.finditer(text) if not name or tag[1].lower() == name), None)
    if closing is None:
        return None if opening else 0
    if not opening and _OPENING.search(text, 0, closing.start()):
        return 0  # a tag opens in mid-text: the answer speaks of both
    return closing.end()


def strip_reasoning(rows: Sequence[Row]) -> Sieved:
    """The rows without reasoning, in their answers and in earlier turns of the assistant.

    A row with a trace that never ends, or that nothing follows, is stopped; so is a pair whose answers differed only
    in their traces.

    >>> row = Row("r1", "dpo", [], chosen="<think>Two and two</think>4", rejected="<think>Hm</think> 4")
    >>> strip_reasoning([row]).rejected[0].reason
    'equal'
    """
    kept, rejected = beside(rows, ROWS), beside(rows, REJECTED)
    changed = 0
    for row in rows:
        case = _case(row)
        if isinstance(case, Rejected):
            rejected.append(case)
            continue
        kept.append(case)
        changed += case is not row
    return Sieved(kept, rejected, {"reasoning": {"stripped": changed, "rejected": len(rejected)}})


def _case(row: Row) -> Row | Rejected:
    prompt = [_turn(message) for message in row.prompt]
    answers = {name: without_reasoning(text) for name, text in row.answers().items()}
    stuck = next((name for name, text in answers.items() if text is None), "")
    if stuck or any(turn is None for turn in prompt):
        where = stuck or "an earlier turn"
        return Rejected(row, "reasoning", "reasoning", f"{where}: the reasoning never ends, or nothing comes after it")
    texts: dict[str, Any] = {name: text for name, text in answers.items() if text is not None}
    turns = [turn for turn in prompt if turn is not None]
    if texts == row.answers() and turns == row.prompt:
        return row
    if row.is_pair and same_text(texts["chosen"], texts["rejected"]):
        return Rejected(row, "equal", "reasoning", "without their reasoning, both answers are the same")
    return replace(row, prompt=turns, **texts)


def _turn(message: Message) -> Message | None:
    if message["role"] != "assistant":
        return message
    text = without_reasoning(message["content"])
    return None if text is None else {**message, "content": text}
