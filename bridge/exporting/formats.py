"""Formats: pure functions from a :class:`~bridge.exporting.rows.Row` to a line of a training file.

The shapes are those of TRL. Every line has the same keys, and beside the text exactly one more column, ``metadata``:
trainers read other names (``labels``, ``images``, ``tools``) as data of their own. To add a format, write its
function, add it to :data:`FORMATS`, and give it a golden file in ``tests/golden``.

A format that cannot express a row raises :class:`~bridge.errors.ValueRejected`, with the format that can as its remedy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from bridge.errors import ValueRejected
from bridge.exporting.row import Kind, Row
from bridge.records import Message
from bridge.templates import TaskTemplate

Line: TypeAlias = "dict[str, Any]"
Metadata: TypeAlias = Mapping[str, "str | int"]


def metadata(row: Row, template: TaskTemplate) -> dict[str, str | int]:
    """Where a row comes from: text and whole numbers only, the same keys in every row, so that any loader infers it.

    >>> from bridge.templates import load_template
    >>> metadata(Row("r1", "sft", [], source="use: response", annotators=("ann", "bo")), load_template("rating"))
    {'record': 'r1', 'source': 'use: response', 'annotators': 'ann, bo', 'people': 2, 'template': 'rating',
     'model': '', 'licence': ''}
    """
    return {
        "record": row.record,
        "source": row.source,
        "annotators": ", ".join(row.annotators),
        "people": len(row.annotators),
        "template": template.name,
        "model": row.model,
        "licence": row.licence,
    }


def sft_conversational(row: Row, metadata: Metadata) -> Line:
    """TRL's prompt-completion rows, as messages.

    >>> row = Row("r1", "sft", [{"role": "user", "content": "2 + 2?"}], completion="4")
    >>> sft_conversational(row, {"record": "r1"})
    {'prompt': [{'role': 'user', 'content': '2 + 2?'}],
     'completion': [{'role': 'assistant', 'content': '4'}],
     'metadata': {'record': 'r1'}}
    """
    return {"prompt": row.prompt, "completion": _answer(row.completion), "metadata": dict(metadata)}


def sft_plain(row: Row, metadata: Metadata) -> Line:
    """TRL's prompt-completion rows, as plain texts; the trainer puts them together as they are, without a space.

    >>> sft_plain(Row("r1", "sft", [{"role": "user", "content": "2 + 2?"}], completion="4"), {"record": "r1"})
    {'prompt': '2 + 2?', 'completion': '4', 'metadata': {'record': 'r1'}}
    """
    return {"prompt": _plain_prompt(row), "completion": row.completion, "metadata": dict(metadata)}


def dpo_conversational(row: Row, metadata: Metadata) -> Line:
    """TRL's preference rows with an explicit prompt, as messages.

    >>> row = Row("r1", "dpo", [{"role": "user", "content": "2 + 2?"}], chosen="4", rejected="5")
    >>> dpo_conversational(row, {"record": "r1"})
    {'prompt': [{'role': 'user', 'content': '2 + 2?'}],
     'chosen': [{'role': 'assistant', 'content': '4'}],
     'rejected': [{'role': 'assistant', 'content': '5'}],
     'metadata': {'record': 'r1'}}
    """
    return {
        "prompt": row.prompt,
        "chosen": _answer(row.chosen),
        "rejected": _answer(row.rejected),
        "metadata": dict(metadata),
    }


def dpo_plain(row: Row, metadata: Metadata) -> Line:
    """TRL's preference rows with an explicit prompt, as plain texts.

    >>> row = Row("r1", "dpo", [{"role": "user", "content": "2 + 2?"}], chosen="4", rejected="5")
    >>> dpo_plain(row, {"record": "r1"})
    {'prompt': '2 + 2?', 'chosen': '4', 'rejected': '5', 'metadata': {'record': 'r1'}}
    """
    return {
        "prompt": _plain_prompt(row),
        "chosen": row.chosen,
        "rejected": row.rejected,
        "metadata": dict(metadata),
    }


def _answer(text: str) -> list[Message]:
    return [{"role": "assistant", "content": text}]


def _plain_prompt(row: Row) -> str:
    if len(row.prompt) != 1:
        raise ValueRejected(
            f"a plain prompt has no place for {len(row.prompt)} messages", remedy="use the format 'conversational'"
        )
    return row.prompt[0]["content"]


@dataclass(frozen=True, slots=True)
class Format:
    """A shape of rows.

    Args:
        write: a row and its metadata as a line.
        takes: which rows it is for: all, those that compare two answers, or those with a score.
        hosted: whether the service that reads it refuses columns it does not know; then the metadata stand in a file
            beside the rows, line by line.
    """

    write: Callable[[Row, Metadata], Line]
    takes: Literal["all", "pairs", "scores"] = "all"
    hosted: bool = False


FORMATS: dict[Kind, dict[str, Format]] = {
    "sft": {"conversational": Format(sft_conversational), "plain": Format(sft_plain)},
    "dpo": {"conversational": Format(dpo_conversational), "plain": Format(dpo_plain)},
    "kto": {},
    "reward": {},
}
"""Kind of training set to format name to format."""
