"""Formats of preferences: a prompt, the answer that people preferred, and the other one.

Shapes: TRL's preference formats, LLaMA-Factory's ranking data (its ``sharegpt`` formatting), and OpenAI's preference
files.
"""

from __future__ import annotations

from bridge.exporting.formats.shape import Format, Line, Metadata, answer, one_message, tools_in_turn, without_tools
from bridge.exporting.row import Row


def conversational(row: Row, metadata: Metadata) -> Line:
    """TRL's preference rows with an explicit prompt, as messages.

    >>> row = Row("r1", "dpo", [{"role": "user", "content": "2 + 2?"}], chosen="4", rejected="5")
    >>> conversational(row, {"record": "r1"})
    {'prompt': [{'role': 'user', 'content': '2 + 2?'}],
     'chosen': [{'role': 'assistant', 'content': '4'}],
     'rejected': [{'role': 'assistant', 'content': '5'}],
     'metadata': {'record': 'r1'}}
    """
    return {
        "prompt": row.prompt,
        "chosen": answer(row.chosen),
        "rejected": answer(row.rejected),
        "metadata": dict(metadata),
    }


def plain(row: Row, metadata: Metadata) -> Line:
    """TRL's preference rows with an explicit prompt, as plain texts.

    Raises:
        Unfit: the prompt has several messages.

    >>> row = Row("r1", "dpo", [{"role": "user", "content": "2 + 2?"}], chosen="4", rejected="5")
    >>> plain(row, {"record": "r1"})
    {'prompt': '2 + 2?', 'chosen': '4', 'rejected': '5', 'metadata': {'record': 'r1'}}
    """
    return {
        "prompt": one_message(row, "conversational"),
        "chosen": row.chosen,
        "rejected": row.rejected,
        "metadata": dict(metadata),
    }


def implicit(row: Row, metadata: Metadata) -> Line:
    """TRL's preference rows with an implicit prompt: two whole conversations that begin alike.

    >>> row = Row("r1", "dpo", [{"role": "user", "content": "2 + 2?"}], chosen="4", rejected="5")
    >>> implicit(row, {"record": "r1"})
    {'chosen': [{'role': 'user', 'content': '2 + 2?'}, {'role': 'assistant', 'content': '4'}],
     'rejected': [{'role': 'user', 'content': '2 + 2?'}, {'role': 'assistant', 'content': '5'}],
     'metadata': {'record': 'r1'}}
    """
    return {
        "chosen": [*row.prompt, *answer(row.chosen)],
        "rejected": [*row.prompt, *answer(row.rejected)],
        "metadata": dict(metadata),
    }


def llamafactory(row: Row, metadata: Metadata) -> Line:
    """LLaMA-Factory's pairs: the conversation so far, and each answer as one message and not as a list.

    Raises:
        Unfit: two tools answer one after the other; LLaMA-Factory would drop the row.

    >>> row = Row("r1", "dpo", [{"role": "user", "content": "2 + 2?"}], chosen="4", rejected="5")
    >>> llamafactory(row, {"record": "r1"})
    {'messages': [{'role': 'user', 'content': '2 + 2?'}],
     'chosen': {'role': 'assistant', 'content': '4'},
     'rejected': {'role': 'assistant', 'content': '5'},
     'metadata': {'record': 'r1'}}
    """
    return {
        "messages": tools_in_turn(row, "conversational"),
        "chosen": answer(row.chosen)[0],
        "rejected": answer(row.rejected)[0],
        "metadata": dict(metadata),
    }


def openai(row: Row, metadata: Metadata) -> Line:
    """OpenAI's preference files, which Together reads too.

    Raises:
        Unfit: a tool speaks in it; its answers need the names of calls that are not known here.

    >>> row = Row("r1", "dpo", [{"role": "user", "content": "2 + 2?"}], chosen="4", rejected="5")
    >>> openai(row, {})
    {'input': {'messages': [{'role': 'user', 'content': '2 + 2?'}]},
     'preferred_output': [{'role': 'assistant', 'content': '4'}],
     'non_preferred_output': [{'role': 'assistant', 'content': '5'}],
     'metadata': {}}
    """
    return {
        "input": {"messages": without_tools(row, "openai", "conversational")},
        "preferred_output": answer(row.chosen),
        "non_preferred_output": answer(row.rejected),
        "metadata": dict(metadata),
    }


FORMATS = {
    "conversational": Format(conversational, {"prompt": "messages", "chosen": "messages", "rejected": "messages"}),
    "plain": Format(plain, {"prompt": "text", "chosen": "text", "rejected": "text"}),
    "implicit": Format(implicit, {"chosen": "messages", "rejected": "messages"}),
    "llamafactory": Format(llamafactory, {"messages": "messages", "chosen": "message", "rejected": "message"}),
    "openai": Format(
        openai,
        {"input": "input", "preferred_output": "messages", "non_preferred_output": "messages"},
        hosted=True,
    ),
}
"""Name to format."""
