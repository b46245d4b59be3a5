"""System messages: some chat templates refuse them, so they can be merged into the first turn of the user."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bridge.exporting.plan import Sieved
from bridge.exporting.row import ROWS, Row
from bridge.exporting.shelf import beside
from bridge.records import Message


def merged_system(prompt: Sequence[Message]) -> list[Message]:
    """A prompt whose leading system message stands at the front of the user's first turn, with a blank line between.

    A prompt without one, or without a turn of the user, stays as it is.

    >>> merged_system([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "2 + 2?"}])
    [{'role': 'user', 'content': 'Be brief.\\n\\n2 + 2?'}]
    """
    first = next((place for place, message in enumerate(prompt) if message["role"] == "user"), 0)
    if not first or prompt[0]["role"] != "system":
        return list(prompt)
    content = "\n\n".join(message["content"] for message in (prompt[0], prompt[first]))
    return [*prompt[1:first], {**prompt[first], "content": content}, *prompt[first + 1 :]]


def merge_system(rows: Sequence[Row]) -> Sieved:
    """The rows with their system messages merged into the first turn of the user.

    >>> merge_system([Row("r1", "sft", [{"role": "user", "content": "2 + 2?"}], completion="4")]).told
    {'system': {'merged': 0}}
    """
    kept, merged = beside(rows, ROWS), 0
    for row in rows:
        prompt = merged_system(row.prompt)
        merged += prompt != row.prompt
        kept.append(row if prompt == row.prompt else replace(row, prompt=prompt))
    return Sieved(kept, told={"system": {"merged": merged}})
