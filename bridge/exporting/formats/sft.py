"""Formats of rows that are learned by heart: a prompt and the answer to it.

Shapes: TRL's dataset formats (prompt-completion, language modelling, conversational), Stanford's Alpaca with the
``system`` of LLaMA-Factory, ShareGPT's ``from`` and ``value``, and OpenAI's chat files.
"""

from __future__ import annotations

from bridge.exporting.formats.shape import (
    Format,
    Line,
    Metadata,
    answer,
    one_message,
    system_and_message,
    without_tools,
)
from bridge.exporting.row import Row

FROM = {"system": "system", "user": "human", "assistant": "gpt"}
"""Role to the name that ShareGPT has for it."""


def conversational(row: Row, metadata: Metadata) -> Line:
    """TRL's prompt-completion rows, as messages; a trainer learns the completion only.

    >>> row = Row("r1", "sft", [{"role": "user", "content": "2 + 2?"}], completion="4")
    >>> conversational(row, {"record": "r1"})
    {'prompt': [{'role': 'user', 'content': '2 + 2?'}],
     'completion': [{'role': 'assistant', 'content': '4'}],
     'metadata': {'record': 'r1'}}
    """
    return {"prompt": row.prompt, "completion": answer(row.completion), "metadata": dict(metadata)}


def plain(row: Row, metadata: Metadata) -> Line:
    """TRL's prompt-completion rows, as plain texts; the trainer puts them together as they are, without a space.

    Raises:
        Unfit: the prompt has several messages.

    >>> plain(Row("r1", "sft", [{"role": "user", "content": "2 + 2?"}], completion="4"), {"record": "r1"})
    {'prompt': '2 + 2?', 'completion': '4', 'metadata': {'record': 'r1'}}
    """
    return {"prompt": one_message(row, "conversational"), "completion": row.completion, "metadata": dict(metadata)}


def messages(row: Row, metadata: Metadata) -> Line:
    """The whole conversation as one list, as most trainers take it.

    >>> messages(Row("r1", "sft", [{"role": "user", "content": "2 + 2?"}], completion="4"), {"record": "r1"})
    {'messages': [{'role': 'user', 'content': '2 + 2?'}, {'role': 'assistant', 'content': '4'}],
     'metadata': {'record': 'r1'}}
    """
    return {"messages": [*row.prompt, *answer(row.completion)], "metadata": dict(metadata)}


def alpaca(row: Row, metadata: Metadata) -> Line:
    """One turn in Alpaca's columns; ``input`` is always there, because LLaMA-Factory asks for it, and always empty.

    Raises:
        Unfit: the conversation has several turns. (LLaMA-Factory knows a ``history``; all other readers of this
            format would leave it out without a word.)

    >>> alpaca(Row("r1", "sft", [{"role": "user", "content": "2 + 2?"}], completion="4"), {"record": "r1"})
    {'instruction': '2 + 2?', 'input': '', 'output': '4', 'system': '', 'metadata': {'record': 'r1'}}
    """
    system, prompt = system_and_message(row, "messages")
    return {
        "instruction": prompt,
        "input": "",
        "output": row.completion,
        "system": system,
        "metadata": dict(metadata),
    }


def sharegpt(row: Row, metadata: Metadata) -> Line:
    """The whole conversation under ShareGPT's names.

    Raises:
        Unfit: a tool speaks in it, for which readers of this format have no common name.

    >>> sharegpt(Row("r1", "sft", [{"role": "user", "content": "2 + 2?"}], completion="4"), {"record": "r1"})
    {'conversations': [{'from': 'human', 'value': '2 + 2?'}, {'from': 'gpt', 'value': '4'}],
     'metadata': {'record': 'r1'}}
    """
    turns = [*without_tools(row, "sharegpt", "messages"), *answer(row.completion)]
    named = [{"from": FROM[turn["role"]], "value": turn["content"]} for turn in turns]
    return {"conversations": named, "metadata": dict(metadata)}


def openai(row: Row, metadata: Metadata) -> Line:
    """OpenAI's chat files, which Together and Fireworks read too.

    Raises:
        Unfit: a tool speaks in it; its answers need the names of calls that are not known here.

    >>> openai(Row("r1", "sft", [{"role": "user", "content": "2 + 2?"}], completion="4"), {})
    {'messages': [{'role': 'user', 'content': '2 + 2?'}, {'role': 'assistant', 'content': '4'}], 'metadata': {}}
    """
    turns = [*without_tools(row, "openai", "messages"), *answer(row.completion)]
    return {"messages": turns, "metadata": dict(metadata)}


FORMATS = {
    "conversational": Format(conversational, {"prompt": "messages", "completion": "messages"}),
    "plain": Format(plain, {"prompt": "text", "completion": "text"}),
    "messages": Format(messages, {"messages": "messages"}),
    "alpaca": Format(alpaca, {"instruction": "text", "input": "text", "output": "text", "system": "text"}),
    "sharegpt": Format(sharegpt, {"conversations": "turns"}),
    "openai": Format(openai, {"messages": "messages"}, hosted=True),
}
"""Name to format; ``text`` is made by :func:`bridge.exporting.formats.chat_template.text`."""
