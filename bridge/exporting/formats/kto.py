"""Formats of single answers with a label, for KTO: an answer, and whether people want such.

Shapes: TRL's unpaired preference formats, and LLaMA-Factory's KTO data (its ``sharegpt`` formatting).
"""

from __future__ import annotations

from bridge.exporting.formats.shape import Format, Line, Metadata, answer, one_message
from bridge.exporting.row import Row


def conversational(row: Row, metadata: Metadata) -> Line:
    """TRL's unpaired preference rows, as messages. The label is a real boolean: any number but 0 would pass for yes.

    >>> row = Row("r1", "kto", [{"role": "user", "content": "2 + 2?"}], completion="5", label=False)
    >>> conversational(row, {"record": "r1"})
    {'prompt': [{'role': 'user', 'content': '2 + 2?'}],
     'completion': [{'role': 'assistant', 'content': '5'}],
     'label': False,
     'metadata': {'record': 'r1'}}
    """
    return {
        "prompt": row.prompt,
        "completion": answer(row.completion),
        "label": bool(row.label),
        "metadata": dict(metadata),
    }


def plain(row: Row, metadata: Metadata) -> Line:
    """TRL's unpaired preference rows, as plain texts.

    Raises:
        Unfit: the prompt has several messages.

    >>> row = Row("r1", "kto", [{"role": "user", "content": "2 + 2?"}], completion="5", label=False)
    >>> plain(row, {"record": "r1"})
    {'prompt': '2 + 2?', 'completion': '5', 'label': False, 'metadata': {'record': 'r1'}}
    """
    return {
        "prompt": one_message(row, "conversational"),
        "completion": row.completion,
        "label": bool(row.label),
        "metadata": dict(metadata),
    }


def messages(row: Row, metadata: Metadata) -> Line:
    """The whole conversation and its label, as LLaMA-Factory takes it.

    >>> row = Row("r1", "kto", [{"role": "user", "content": "2 + 2?"}], completion="5", label=False)
    >>> messages(row, {"record": "r1"})
    {'messages': [{'role': 'user', 'content': '2 + 2?'}, {'role': 'assistant', 'content': '5'}],
     'label': False,
     'metadata': {'record': 'r1'}}
    """
    return {
        "messages": [*row.prompt, *answer(row.completion)],
        "label": bool(row.label),
        "metadata": dict(metadata),
    }


FORMATS = {
    "conversational": Format(conversational, {"prompt": "messages", "completion": "messages", "label": "flag"}),
    "plain": Format(plain, {"prompt": "text", "completion": "text", "label": "flag"}),
    "messages": Format(messages, {"messages": "messages", "label": "flag"}),
}
"""Name to format."""
