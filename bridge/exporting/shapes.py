"""Which training format a line has, by its columns; and what it says, as a :class:`~bridge.exporting.row.Row`.

The formats are those that trainers read, whoever wrote the line: TRL's (language modelling, prompt-completion,
preference, unpaired preference), ChatML-style messages, Stanford's Alpaca, ShareGPT, the pairs of LLaMA-Factory and
Axolotl, OpenAI's preference files, NeMo-RL's ranked completions, and single scores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bridge.exporting.row import Kind, Row
from bridge.records import Message

FROM = {
    "system": "system",
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "function_call": "assistant",
    "observation": "tool",
    "tool": "tool",
}
"""ShareGPT's name of a speaker to a role."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One format, as far as it can be told from a line.

    Args:
        name: what people call it.
        kinds: what it can train.
        needs: the columns that make it.
        may: columns that it also knows.
        prompt: the column before the answers; empty where the answers carry it, or there is none.
        answers: the columns with answers.
        whole: the column with a conversation that includes the answer.
    """

    name: str
    kinds: tuple[Kind, ...]
    needs: frozenset[str]
    may: frozenset[str] = frozenset()
    prompt: str = "prompt"
    answers: tuple[str, ...] = ("completion",)
    whole: str = ""

    @property
    def is_pair(self) -> bool:
        """Whether it compares two answers."""
        return len(self.answers) == 2

    @property
    def label(self) -> str:
        """The column that says whether an answer is desirable, or an empty text."""
        return next((name for name in ("label", "kto_tag") if name in self.needs), "")

    @property
    def score(self) -> str:
        """The column with a score, or an empty text."""
        return next((name for name in ("score", "rating") if name in self.needs), "")


def _shape(name: str, kinds: str, needs: str, may: str = "", **more: Any) -> Shape:
    return Shape(name, tuple(kinds.split()), frozenset(needs.split()), frozenset(may.split()), **more)  # type: ignore[arg-type]


_PAIR = ("chosen", "rejected")
_SYSTEM = "input system history"
SHAPES: tuple[Shape, ...] = (
    _shape("messages", "sft", "messages", "tools", whole="messages"),
    _shape("sharegpt", "sft", "conversations", "system tools", whole="conversations"),
    _shape("prompt-completion", "sft", "prompt completion", "tools"),
    _shape("prompt-response", "sft", "prompt response", "system history", answers=("response",)),
    _shape("alpaca", "sft", "instruction output", _SYSTEM, prompt="instruction", answers=("output",)),
    _shape("text", "sft", "text", prompt="", answers=("text",)),
    _shape("preference", "dpo reward", "prompt chosen rejected", "margin tools system", answers=_PAIR),
    _shape("preference, implicit prompt", "dpo reward", "chosen rejected", "margin tools", prompt="", answers=_PAIR),
    _shape("llama-factory pairs", "dpo reward", "messages chosen rejected", "system", prompt="messages", answers=_PAIR),
    _shape(
        "llama-factory pairs, sharegpt",
        "dpo reward",
        "conversations chosen rejected",
        "system",
        prompt="conversations",
        answers=_PAIR,
    ),
    _shape(
        "llama-factory pairs, alpaca",
        "dpo reward",
        "instruction chosen rejected",
        _SYSTEM,
        prompt="instruction",
        answers=_PAIR,
    ),
    _shape("axolotl pairs", "dpo reward", "input chosen rejected", "system margin", prompt="input", answers=_PAIR),
    _shape(
        "openai preference",
        "dpo reward",
        "input preferred_output non_preferred_output",
        prompt="input",
        answers=("preferred_output", "non_preferred_output"),
    ),
    _shape("kto", "kto", "prompt completion label", "tools"),
    _shape("kto, kto_tag", "kto", "prompt response kto_tag", "system", answers=("response",)),
    _shape("kto, alpaca", "kto", "instruction output kto_tag", _SYSTEM, prompt="instruction", answers=("output",)),
    _shape("kto, alpaca", "kto", "instruction output label", _SYSTEM, prompt="instruction", answers=("output",)),
    _shape("kto, messages", "kto", "messages label", "tools", whole="messages"),
    _shape("kto, messages", "kto", "messages kto_tag", "tools", whole="messages"),
    _shape("kto, sharegpt", "kto", "conversations label", "system tools", whole="conversations"),
    _shape("kto, sharegpt", "kto", "conversations kto_tag", "system tools", whole="conversations"),
    _shape("kto, completion", "kto", "completion label", prompt="", answers=("completion",)),
    _shape("score", "reward", "prompt completion score"),
    _shape("score", "reward", "prompt completion rating"),
    _shape("score", "reward", "prompt response score", answers=("response",)),
    _shape("score, messages", "reward", "messages score", whole="messages"),
    _shape("ranked completions", "reward", "context completions", prompt="context", answers=()),
)
"""All formats that are recognised."""

_TEXTS = frozenset(
    (
        *("prompt", "completion", "response", "messages", "conversations", "chosen", "rejected", "text"),
        *("instruction", "output", "preferred_output", "non_preferred_output", "completions"),
    )
)
"""Columns that say by themselves which format a row has; trainers choose by them."""


def recognise(line: Mapping[str, Any], kind: Kind | None = None) -> Shape | None:
    """The format of a line: the one of which most columns are there, or None.

    Args:
        line: as it stands in the file.
        kind: what it is to train, where that is known; formats for other kinds then come last.

    >>> recognise({"prompt": "2 + 2?", "chosen": "4", "rejected": "5"}).name
    'preference'
    >>> recognise({"question": "2 + 2?"}) is None
    True
    """
    fitting = [shape for shape in SHAPES if shape.needs <= line.keys()]
    return max(
        fitting,
        key=lambda shape: (kind in shape.kinds, len(shape.needs), len(shape.may & line.keys())),
        default=None,
    )


def closest(line: Mapping[str, Any]) -> tuple[str, list[str]]:
    """The format that a line comes closest to, and the columns that it lacks; empty where none is near.

    >>> closest({"prompt": "2 + 2?", "chosen": "4"})
    ('preference', ['rejected'])
    """
    near = [(len(shape.needs - line.keys()), shape) for shape in SHAPES if shape.needs & line.keys()]
    if not near:
        return "", []
    _, shape = min(near, key=lambda one: (one[0], -len(one[1].needs)))
    return shape.name, sorted(shape.needs - line.keys())


def strangers(line: Mapping[str, Any], shape: Shape) -> list[str]:
    """Columns of other formats that stand in a line.

    >>> strangers({"prompt": "2 + 2?", "completion": "4", "messages": []}, recognise({"prompt": "", "completion": ""}))
    ['messages']
    """
    return sorted((line.keys() & _TEXTS) - shape.needs - shape.may)


def turns(value: Sequence[Mapping[str, Any]]) -> list[Message]:
    """Messages under the names of this package; those of ShareGPT too.

    >>> turns([{"from": "human", "value": "2 + 2?"}])
    [{'role': 'user', 'content': '2 + 2?'}]
    """
    return [
        {"role": FROM.get(turn["from"], turn["from"]), "content": turn.get("value", "")}
        if "from" in turn
        else {"role": turn["role"], "content": turn.get("content", "")}
        for turn in value
    ]


def as_row(line: Mapping[str, Any], shape: Shape, record: str) -> Row:
    """What a line says, if nothing is wrong with its structure.

    Args:
        line: as it stands in the file.
        shape: its format.
        record: what the row is called.

    >>> line = {"instruction": "Add.", "input": "2, 2", "output": "4"}
    >>> row = as_row(line, recognise(line), "line 1")
    >>> row.prompt, row.completion
    ([{'role': 'user', 'content': 'Add.\\n2, 2'}], '4')
    """
    about = line.get("metadata")
    said = {**line, **about} if isinstance(about, dict) else line
    licence = next((text for name in ("licence", "license") if isinstance(text := said.get(name), str)), "")
    kind = shape.kinds[0] if not shape.score else "reward"
    if shape.name == "ranked completions":
        ranked = [
            turns(entry["completion"])[-1]["content"]
            for entry in sorted(line["completions"], key=lambda one: one["rank"])
        ]
        return Row(record, "dpo", turns(line["context"]), "", ranked[0], ranked[-1], licence=licence)
    prompt = _prompt(line, shape)
    answers = []
    for name in shape.answers if not shape.whole else (shape.whole,):
        value = line[name]
        if isinstance(value, str):
            answers.append(value)
            continue
        messages = turns([value] if isinstance(value, dict) else value)
        if not shape.prompt or shape.whole:
            prompt = messages[:-1]
        elif not shape.is_pair:
            prompt = [*prompt, *messages[:-1]]
        answers.append(messages[-1]["content"])
    if shape.is_pair:
        return Row(record, kind, prompt, "", answers[0], answers[1], licence=licence)
    label, score = line.get(shape.label), line.get(shape.score)
    return Row(record, kind, prompt, answers[0], licence=licence, label=label, score=score)


def _prompt(line: Mapping[str, Any], shape: Shape) -> list[Message]:
    """The messages before the answer, where a column holds them."""
    if not shape.prompt or shape.whole:
        return []
    value = line[shape.prompt]
    if isinstance(value, dict):
        value = value["messages"]
    system = line.get("system")
    before: list[Message] = [{"role": "system", "content": system}] if isinstance(system, str) and system else []
    if not isinstance(value, str):
        return [*before, *turns(value)]
    for asked, answered in line.get("history") or ():
        before += [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]
    more = line.get("input") if shape.prompt == "instruction" else ""
    text = "\n".join(part for part in (value, more) if isinstance(part, str) and part)
    return [*before, {"role": "user", "content": text}]
