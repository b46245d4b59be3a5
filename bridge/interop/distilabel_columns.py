"""The columns of distilabel's tasks, under the names that its text generation and UltraFeedback use.

Each task names what it was given, what a model made of it, and what a judge said of that in its own way. Everything
behind this module knows ``instruction``, ``generation`` or ``generations``, ``messages``, ``ratings`` and
``rationales`` only; and :data:`RANKS`, where a judge said which is better and not how good each is. Column names are
those of distilabel 1.5.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any

RANKS = "bridge_ranks"
"""For each generation its rank, the best first; not a column of distilabel's."""

_TASKS = (
    ("input", "candidates", "generations"),  # PairRM
    ("instruction", "responses", "generations"),  # QualityScorer
    ("user", "assistant", "generation"),  # Genstruct
    ("evolved_instruction", "answer", "generation"),  # EvolInstruct
    ("instruction", "answer", "generation"),  # EvolInstructGenerator
    ("instruction", "evolved_response", "generation"),  # EvolQuality
    ("instruction", "response", "generation"),  # Magpie with one turn
)
"""What was asked, what a model made of it, and what that is called here."""

_PAIR = ("chosen", "rejected")


def common(row: Mapping[str, Any], own: AbstractSet[str] = frozenset()) -> dict[str, Any]:
    """A row under the common names; one that has them already is as it was.

    Args:
        row: as a task left it.
        own: columns that stay what they are, because a template has fields of their names, or because one is the key.

    >>> common({"user": "2 + 2?", "assistant": "4", "title": "Sums"})
    {'title': 'Sums', 'generation': '4', 'instruction': '2 + 2?'}
    >>> common({"instruction": "2 + 2?", "generations": ["5", "4"], "feedback": "4 it is.", "result": "B"})
    {'instruction': '2 + 2?', 'generations': ['5', '4'], 'feedback': '4 it is.', 'bridge_ranks': [2, 1]}
    """
    found = dict(row)
    if "generation" not in row and "generations" not in row:
        _made(found, own)
    if "ratings" not in found:
        _judged(found, own)
    return found


def _made(row: dict[str, Any], own: AbstractSet[str]) -> None:
    if row.keys() >= {*_PAIR} and not own & {*_PAIR}:
        _pair(row, own)
        return
    if isinstance(chat := row.get("conversation"), list) and "conversation" not in own:  # Magpie, with several turns
        del row["conversation"]
        if chat and isinstance(chat[-1], dict) and chat[-1].get("role") == "assistant":
            row["generation"] = _last(chat)
            _asked(row, chat[:-1])
        else:
            row["messages"] = chat
        return
    for asked, made, name in _TASKS:
        if asked in row and made in row and made not in own:
            row[name] = row.pop(made)
            if asked != "instruction":
                if "instruction" in row:
                    row["original_instruction"] = row["instruction"]
                row["instruction"] = row[asked] if asked in own else row.pop(asked)
            return


def _pair(row: dict[str, Any], own: AbstractSet[str]) -> None:
    """What FormatTextGenerationDPO leaves: two whole chats or texts, of which one is better."""
    both = [row.pop(name) for name in _PAIR]
    row["generations"] = [_last(chat) for chat in both]
    if "instruction" not in row and "prompt" in row:
        row["instruction"] = row["prompt"] if "prompt" in own else row.pop("prompt")
    if isinstance(both[0], list):
        _asked(row, both[0][:-1])
    models = [row.pop(f"{name}_model", None) for name in _PAIR]
    ratings = [row.pop(f"{name}_rating", None) for name in _PAIR]
    if any(model is not None for model in models):
        row["generation_models"] = models
    if any(rating is not None for rating in ratings):
        row["ratings"] = ratings
    row[RANKS] = [1, 2]


def _asked(row: dict[str, Any], turns: list[Any]) -> None:
    """What a chat has before its answer: an instruction, or more than that."""
    users = [turn.get("content") for turn in turns if isinstance(turn, dict) and turn.get("role") != "system"]
    if len(users) == 1:
        row.setdefault("instruction", users[0])
    if len(turns) > 1:
        row.setdefault("messages", turns)


def _last(chat: Any) -> Any:
    """The text of an answer, or of a chat's last turn."""
    last = chat[-1] if isinstance(chat, list) and chat else chat
    return last.get("content") if isinstance(last, dict) else last


def _judged(row: dict[str, Any], own: AbstractSet[str]) -> None:
    """What PrometheusEval, InstructionBacktranslation, QualityScorer and PairRM say of generations."""
    several = row.get("generations")
    if {"feedback", "result"} <= row.keys() and not own & {"feedback", "result"}:
        result = row.pop("result")
        if isinstance(several, list):
            row[RANKS] = [1, 2] if result == "A" else [2, 1] if result == "B" else [None] * len(several)
        else:
            row |= {"ratings": [result], "rationales": [row.pop("feedback")]}
    elif {"score", "reason"} <= row.keys() and several is None and not own & {"score", "reason"}:
        row |= {"ratings": [row.pop("score")], "rationales": [row.pop("reason")]}
    elif isinstance(row.get("scores"), list) and several is not None and "scores" not in own:
        row["ratings"] = row.pop("scores")
    elif "ranks" in row and row.pop("ranked_candidates", None) is not None and "ranks" not in own:
        row[RANKS] = row.pop("ranks")
