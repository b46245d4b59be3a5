"""Preferences: which response people put first, and over which others, from a merged label or ranking."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from bridge.exporting.reasons import NoRow, tie
from bridge.merging.merged import MergedAnswer
from bridge.merging.settle import adjudicators, voices
from bridge.questions import LabelQuestion, RankingQuestion


class Pair(NamedTuple):
    """One response over another, who prefers it, and by how much: (votes for - votes against) / votes, if known.

    More than half of all votes stand behind a pair, wherever the votes are known; or adjudicators do, and then the
    votes are those of the people who could not agree.
    """

    chosen: str
    rejected: str
    annotators: tuple[str, ...]
    margin: float | None


class Preference(NamedTuple):
    """The best response and who put it first; empty where several share that place. And the pairs that follow."""

    best: str
    annotators: tuple[str, ...]
    pairs: tuple[Pair, ...]


def responses(question: LabelQuestion | RankingQuestion, fields: Iterable[str]) -> list[str]:
    """The fields that a question compares, in their order.

    >>> from bridge.templates import load_template
    >>> responses(load_template("preference").question("preference"), ())
    ['response_a', 'response_b']
    """
    if isinstance(question, RankingQuestion):
        return question.item_names(fields)
    return question.picked


def preference(question: LabelQuestion | RankingQuestion, answer: MergedAnswer) -> Preference:
    """What a merged answer says about responses.

    Raises:
        NoRow: people contradict each other, or agree that none is better.

    >>> from bridge.templates import load_template
    >>> answer = MergedAnswer("agreed", "B", details={"votes": {"A": 1, "B": 3, "tie": 1}})
    >>> preference(load_template("preference").question("preference"), answer).pairs
    (Pair(chosen='response_b', rejected='response_a', annotators=(), margin=0.4),)
    """
    if answer.outcome != "agreed":
        raise tie(question.name, answer)
    if isinstance(question, LabelQuestion):
        return _from_label(question, answer)
    return _from_ranking(question, answer)


def _from_label(question: LabelQuestion, answer: MergedAnswer) -> Preference:
    picks = question.picks
    best = picks[str(answer.value)]
    if best is None:
        raise NoRow("no_preference", question.name, f"people chose {answer.value!r}, which prefers no response")
    who = tuple(
        sorted([name for name, label in voices(answer).items() if isinstance(label, str) and picks.get(label) == best])
    )
    votes: Mapping[str, float] = answer.details.get("votes", {})
    # Several labels can pick the same response ("better", "much better"), so that the most frequent label may
    # stand for fewer people than the others together.
    backing: dict[str | None, float] = {}
    for label, count in votes.items():
        pick = picks.get(label)
        backing[pick] = backing.get(pick, 0) + count
    total = sum(votes.values())
    backing.setdefault(best, 0)
    if votes and not adjudicators(answer) and backing[best] * 2 <= total:
        raise NoRow("tie", question.name, f"{backing[best]:g} of {total:g} votes prefer {best}")
    pairs = [
        Pair(best, other, who, (backing[best] - backing.get(other, 0)) / total if votes else None)
        for other in question.picked
        if other != best
    ]
    return Preference(best, who, tuple(pairs))


def _from_ranking(question: RankingQuestion, answer: MergedAnswer) -> Preference:
    assert isinstance(answer.value, dict)
    ranks = answer.value
    first = [item for item in ranks if ranks[item] == min(ranks.values())]
    votes: Mapping[str, list[float]] = answer.details.get("pairs", {})
    pairs = []
    deciding = adjudicators(answer)
    split = 0
    for best in first:
        for worse in ranks:
            won, even, lost = votes.get(f"{best}>{worse}") or votes.get(f"{worse}>{best}", [0, 0, 0])[::-1]
            compared = won + even + lost
            decided = any(_prefers(given, best, worse) for given in deciding.values())
            # Nobody compared the two: that one is better was concluded, and is no preference of anyone.
            if ranks[worse] == ranks[best] or (not decided and (deciding or (votes and not compared))):
                continue
            if votes and not decided and won * 2 <= compared:
                split += 1
                continue
            who = tuple(sorted(name for name, given in voices(answer).items() if _prefers(given, best, worse)))
            pairs.append(Pair(best, worse, who, (won - lost) / compared if compared else None))
    if not pairs and split:
        raise NoRow("tie", question.name, "no pair of responses has a majority")
    if not pairs:
        raise NoRow("no_preference", question.name, "all responses share rank 1")
    if len(first) > 1:
        return Preference("", (), tuple(pairs))
    who = tuple(sorted({name for pair in pairs for name in pair.annotators}))
    return Preference(first[0], who, tuple(pairs))


def _prefers(ranks: Any, best: str, worse: str) -> bool:
    return isinstance(ranks, dict) and best in ranks and worse in ranks and ranks[best] < ranks[worse]
