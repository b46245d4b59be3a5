"""What a format is, what stands beside the text of every row, and what several formats share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal, TypeAlias

from bridge.errors import ValueRejected
from bridge.exporting.row import Row
from bridge.records import Message
from bridge.templates import TaskTemplate

Line: TypeAlias = "dict[str, Any]"
Metadata: TypeAlias = Mapping[str, "str | int"]
Column: TypeAlias = Literal["text", "number", "flag", "message", "messages", "turns", "input"]
"""What a column holds: ``message`` is ``{"role", "content"}``, ``turns`` a list of ``{"from", "value"}``, and ``input``
is ``{"messages": [...]}``."""


@dataclass(frozen=True, slots=True)
class Format:
    """A shape of rows.

    Args:
        write: a row and its metadata as a line.
        columns: the line's keys and what they hold, besides ``metadata``; a ``margin`` is there in all lines of a set
            or in none.
        takes: which rows it is for: all, those that compare two answers, or those with a score.
        hosted: whether the service that reads it refuses columns it does not know; then the metadata stand in a file
            beside the rows, line by line.
    """

    write: Callable[[Row, Metadata], Line]
    columns: Mapping[str, Column]
    takes: Literal["all", "pairs", "scores"] = "all"
    hosted: bool = False

    def fits(self, row: Row) -> bool:
        """Whether it is for such rows at all."""
        return self.takes == "all" or row.is_pair == (self.takes == "pairs")

    def without(self, column: str) -> Format:
        """The format with one column less."""

        def write(row: Row, metadata: Metadata) -> Line:
            line = self.write(row, metadata)
            line.pop(column, None)
            return line

        return replace(self, write=write, columns={name: kind for name, kind in self.columns.items() if name != column})


class Unfit(ValueRejected):
    """A format has no place for a row; ``code`` is one of :data:`~bridge.exporting.reasons.REASONS`."""

    def __init__(self, reason: str, *, remedy: str, code: str = "unfit") -> None:
        super().__init__(reason, remedy=remedy)
        self.code = code


METADATA: Mapping[str, Literal["text", "count"]] = {
    "record": "text",
    "source": "text",
    "annotators": "text",
    "people": "count",
    "template": "text",
    "model": "text",
    "licence": "text",
}
"""What stands under ``metadata`` in every row."""


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


def answer(text: str) -> list[Message]:
    """An answer as the only message of a list.

    >>> answer("4")
    [{'role': 'assistant', 'content': '4'}]
    """
    return [{"role": "assistant", "content": text}]


def one_message(row: Row, instead: str) -> str:
    """The prompt of a format that has a place for one message of the user only.

    Raises:
        Unfit: there are several; ``instead`` is the format that has a place for them.

    >>> one_message(Row("r1", "sft", [{"role": "user", "content": "2 + 2?"}]), "messages")
    '2 + 2?'
    """
    if len(row.prompt) != 1:
        raise Unfit(
            f"a plain prompt has no place for {len(row.prompt)} messages",
            remedy=f"use the format {instead!r}",
            code="multi_turn",
        )
    return row.prompt[0]["content"]


def system_and_message(row: Row, instead: str) -> tuple[str, str]:
    """System message, or nothing, and prompt of a format that has a place for one message of each.

    Raises:
        Unfit: there are more; ``instead`` is the format that has a place for them.

    >>> row = Row("r1", "sft", [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "2 + 2?"}])
    >>> system_and_message(row, "messages")
    ('Be brief.', '2 + 2?')
    """
    if [message["role"] for message in row.prompt] not in (["user"], ["system", "user"]):
        raise Unfit(
            f"a prompt of one turn has no place for {len(row.prompt)} messages",
            remedy=f"use the format {instead!r}",
            code="multi_turn",
        )
    return row.prompt[0]["content"] if len(row.prompt) == 2 else "", row.prompt[-1]["content"]


def tools_in_turn(row: Row, instead: str) -> list[Message]:
    """The prompt, for a trainer that drops conversations in which two tools answer one after the other.

    Raises:
        Unfit: they do; ``instead`` is the format for trainers that read them.

    >>> one, two = ({"role": "tool", "content": text} for text in "45")
    >>> tools_in_turn(Row("r1", "dpo", [one, two]), "conversational")
    Traceback (most recent call last):
    ...
    bridge.exporting.formats.shape.Unfit: two tools answer one after the other, and LLaMA-Factory drops such rows
      remedy: use the format 'conversational', or make one message of what they say
    """
    if not any(one["role"] == other["role"] == "tool" for one, other in pairwise(row.prompt)):
        return row.prompt
    raise Unfit(
        "two tools answer one after the other, and LLaMA-Factory drops such rows",
        remedy=f"use the format {instead!r}, or make one message of what they say",
    )


def without_tools(row: Row, format_name: str, instead: str) -> list[Message]:
    """The prompt, for a format that cannot say what a tool answered.

    Raises:
        Unfit: a tool speaks in it; ``instead`` is the format that has a place for it.

    >>> without_tools(Row("r1", "sft", [{"role": "tool", "content": "4"}]), "sharegpt", "messages")
    Traceback (most recent call last):
    ...
    bridge.exporting.formats.shape.Unfit: the format 'sharegpt' has no place for what a tool says
      remedy: use the format 'messages'
    """
    if any(message["role"] == "tool" for message in row.prompt):
        raise Unfit(
            f"the format {format_name!r} has no place for what a tool says", remedy=f"use the format {instead!r}"
        )
    return row.prompt
