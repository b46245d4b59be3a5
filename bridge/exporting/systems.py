"""System messages: some chat templates refuse them, so they can be merged into the first turn of the user."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bridge.exporting.plan import Sieved
from bridge.exporting.row import Row
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


def merge_system(rows: list[Row]) -> Sieved:
    """The rows with their system messages merged into the first turn of the user.

    >>> merge_system([Row("r1", "sft", [{"role": "user", "content": "2 + 2?"}], completion="4")]).told
    {'system': {'merged': 0}}
    """
    prompts = [merged_system(row.prompt) for row in rows]
    kept = [
        row if prompt == row.prompt else replace(row, prompt=prompt) for row, prompt in zip(rows, prompts, strict=True)
    ]
    merged = sum(new is not old for new, old in zip(kept, rows, strict=True))
    return Sieved(kept, told={"system": {"merged": merged}})
