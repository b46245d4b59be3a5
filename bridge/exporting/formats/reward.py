"""Formats for reward models: pairs with how clear the preference was, or single answers with people's score.

Shapes: TRL's preference formats with its optional ``margin``, the pairs of LLaMA-Factory and of Axolotl's
``bradley_terry`` strategies. For single scores trainers share no format; ours has TRL's columns and ``score``.
"""

from __future__ import annotations

from bridge.exporting.formats import dpo
from bridge.exporting.formats.shape import Format, Line, Metadata, answer, one_message
from bridge.exporting.row import Row


def conversational(row: Row, metadata: Metadata) -> Line:
    """A pair as messages, with its margin where it has one.

    >>> row = Row("r1", "reward", [{"role": "user", "content": "2 + 2?"}], chosen="4", rejected="5", margin=1)
    >>> conversational(row, {"record": "r1"})
    {'prompt': [{'role': 'user', 'content': '2 + 2?'}],
     'chosen': [{'role': 'assistant', 'content': '4'}],
     'rejected': [{'role': 'assistant', 'content': '5'}],
     'margin': 1.0,
     'metadata': {'record': 'r1'}}
    """
    return _with_margin(dpo.conversational(row, metadata), row)


def plain(row: Row, metadata: Metadata) -> Line:
    """A pair as plain texts, with its margin where it has one.

    Raises:
        Unfit: the prompt has several messages.

    >>> row = Row("r1", "reward", [{"role": "user", "content": "2 + 2?"}], chosen="4", rejected="5", margin=1)
    >>> plain(row, {"record": "r1"})
    {'prompt': '2 + 2?', 'chosen': '4', 'rejected': '5', 'margin': 1.0, 'metadata': {'record': 'r1'}}
    """
    return _with_margin(dpo.plain(row, metadata), row)


def axolotl(row: Row, metadata: Metadata) -> Line:
    """A pair of one turn, in the columns of Axolotl's ``bradley_terry``, which asks for ``system`` in every row.

    It is always empty: Axolotl can leave system messages out of all rows, or give one to all rows, be it empty.

    Raises:
        Unfit: the conversation has a system message or several turns.

    >>> row = Row("r1", "reward", [{"role": "user", "content": "2 + 2?"}], chosen="4", rejected="5")
    >>> axolotl(row, {"record": "r1"})
    {'system': '', 'input': '2 + 2?', 'chosen': '4', 'rejected': '5', 'metadata': {'record': 'r1'}}
    """
    return {
        "system": "",
        "input": one_message(row, "conversational"),
        "chosen": row.chosen,
        "rejected": row.rejected,
        "metadata": dict(metadata),
    }


def scalar(row: Row, metadata: Metadata) -> Line:
    """One answer and people's mean rating of it.

    >>> row = Row("r1", "reward", [{"role": "user", "content": "2 + 2?"}], completion="4", score=4.5)
    >>> scalar(row, {"record": "r1"})
    {'prompt': [{'role': 'user', 'content': '2 + 2?'}],
     'completion': [{'role': 'assistant', 'content': '4'}],
     'score': 4.5,
     'metadata': {'record': 'r1'}}
    """
    return {
        "prompt": row.prompt,
        "completion": answer(row.completion),
        "score": float(row.score or 0),
        "metadata": dict(metadata),
    }


def _with_margin(line: Line, row: Row) -> Line:
    if row.margin is None:
        return line
    told = line.pop("metadata")
    return {**line, "margin": float(row.margin), "metadata": told}


FORMATS = {
    "conversational": Format(
        conversational,
        {"prompt": "messages", "chosen": "messages", "rejected": "messages", "margin": "number"},
        takes="pairs",
    ),
    "plain": Format(plain, {"prompt": "text", "chosen": "text", "rejected": "text", "margin": "number"}, takes="pairs"),
    "implicit": Format(dpo.implicit, dpo.FORMATS["implicit"].columns, takes="pairs"),
    "llamafactory": Format(dpo.llamafactory, dpo.FORMATS["llamafactory"].columns, takes="pairs"),
    "axolotl": Format(
        axolotl, {"system": "text", "input": "text", "chosen": "text", "rejected": "text"}, takes="pairs"
    ),
    "scalar": Format(scalar, {"prompt": "messages", "completion": "messages", "score": "number"}, takes="scores"),
}
"""Name to format."""
