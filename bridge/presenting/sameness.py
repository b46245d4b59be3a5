"""Whether an answer says the same as another one, for each question kind."""

from __future__ import annotations

from typing import Any

from bridge.questions import Question
from bridge.text import same_text


def same(question: Question, answer: Any, other: Any) -> bool:
    """Whether two valid answers say the same.

    Labels, ratings and sets of labels are equal or not; texts are the same up to white space and Unicode form; of
    rankings the order of those items counts that the other one ranks; spans are the same passages.

    Args:
        question: the question that both answer.
        answer: what somebody answered.
        other: what it is compared with; of a ranking it may name only some items.

    >>> from bridge.templates import load_template
    >>> ranking = load_template("ranking").question("ranking")
    >>> same(ranking, {"response_1": 1, "response_2": 3, "response_3": 4}, {"response_1": 1, "response_3": 2})
    True
    """
    if question.type == "text":
        return same_text(answer, other)
    if question.type == "multi_label":
        return set(answer) == set(other)
    if question.type == "ranking":
        return other.keys() <= answer.keys() and _dense({item: answer[item] for item in other}) == _dense(other)
    if question.type == "span":
        return sorted(map(_passage, answer)) == sorted(map(_passage, other))
    return bool(answer == other)


def _dense(ranks: dict[str, int]) -> dict[str, int]:
    """Ranks closed up to 1, 2, 3 and so on."""
    steps = sorted(set(ranks.values()))
    return {item: steps.index(rank) + 1 for item, rank in ranks.items()}


def _passage(span: dict[str, Any]) -> tuple[int, int, str]:
    return span["start"], span["end"], span["label"]
