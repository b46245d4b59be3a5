"""How the answers of several people become one, for each question kind.

A function takes the question, the answers by annotator, the rule, and the text that the question starts with (texts)
or is about (spans), where that is known. It never picks at random, never blends texts, and never looks at who answered
or in which order. To merge a new question kind, write its function and add it to :data:`KINDS`.

Every answer counts once, or with its annotator's weight; then votes, shares and means are weighted ones. ``margin``
is always how far the outcome is from another one, as a share of all votes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import combinations
from typing import Any, TypeAlias

from bridge.merging.merged import MergedAnswer
from bridge.merging.rule import Rule
from bridge.merging.spans import merge_span
from bridge.merging.tally import Answers, above_half, agreed, same, tally, tie, total_weight
from bridge.merging.texts import merge_text
from bridge.questions import LabelQuestion, MultiLabelQuestion, RankingQuestion, RatingQuestion

Ranks: TypeAlias = "dict[str, int]"
Pair: TypeAlias = tuple[str, str]
USUAL = Rule()


def merge_label(question: LabelQuestion, answers: Answers, rule: Rule = USUAL, text: str | None = None) -> MergedAnswer:
    """The most frequent label, if it stands alone at the top; ``votes`` has the count of every label that was used.

    A preference (a label whose options pick responses) takes more: over half of all votes for one response, or for
    none of them, however many labels these votes are spread over.

    >>> from bridge.templates import load_template
    >>> question = load_template("label").question("label")
    >>> merge_label(question, {"ann": "correct", "bo": "incorrect"}).outcome
    'tie'
    """
    counts = tally(answers, rule, lambda label: (label,))
    votes = {label: counts[label] for label in question.values if label in counts}
    picks = {option.value: option.picks for option in question.options}
    if any(picks.values()):
        return _preference(answers, votes, picks, total_weight(answers, rule))
    ranked = sorted(votes.values(), reverse=True)
    margin = _share(ranked[0] - (ranked[1] if ranked[1:] else 0), total_weight(answers, rule))
    leaders = [label for label, count in votes.items() if same(count, ranked[0])]
    if len(leaders) > 1:
        return tie(answers, f"{_number(ranked[0])} for each of {', '.join(leaders)}", votes=votes, margin=0.0)
    return agreed(answers, leaders[0], votes=votes, margin=margin)


def _preference(
    answers: Answers, votes: Mapping[str, float], picks: Mapping[str, str | None], total: float
) -> MergedAnswer:
    sides: dict[str | None, float] = {}
    for label, count in votes.items():
        sides[picks[label]] = sides.get(picks[label], 0) + count
    best = max(sides, key=lambda side: sides[side])  # whichever of equals: none of those has more than half
    responses = sorted((count for side, count in sides.items() if side is not None), reverse=True)
    lead = _share(responses[0] - (responses[1] if responses[1:] else 0), total) if responses else 0.0
    if not above_half(sides[best], total):
        said = ", ".join(f"{_number(count)} for {side or 'neither'}" for side, count in sides.items())
        return tie(answers, f"no majority: {said}", votes=votes, margin=lead)
    top = max(count for label, count in votes.items() if picks[label] == best)
    leaders = [label for label, count in votes.items() if picks[label] == best and same(count, top)]
    if len(leaders) > 1:
        return tie(answers, f"{_number(top)} for each of {', '.join(leaders)}", votes=votes, margin=lead)
    return agreed(answers, leaders[0], votes=votes, margin=lead)


def merge_multi_label(
    question: MultiLabelQuestion, answers: Answers, rule: Rule = USUAL, text: str | None = None
) -> MergedAnswer:
    """Each label whose share of people is above the threshold; a label exactly at it makes it a tie.

    ``shares`` has the share of every label that was used. No label is agreed on only where more than half of the
    people chose none; where as many chose some, but not the same, there is no majority, and it is a tie.
    """
    counts = tally(answers, rule, lambda labels: labels)
    total = total_weight(answers, rule)
    shares = {label: _share(counts[label], total) for label in question.values if label in counts}
    margin = min((abs(share - rule.threshold) for share in shares.values()), default=1 - rule.threshold)
    details: dict[str, Any] = {"shares": shares, "margin": margin}
    halves = [label for label, share in shares.items() if same(share, rule.threshold)]
    if halves:
        part = "half" if rule.threshold == 0.5 else f"the share {rule.threshold:g}"
        return tie(answers, f"exactly {part} chose {' and '.join(halves)}", **details)
    value = [label for label, share in shares.items() if share > rule.threshold]
    some = {who: labels for who, labels in answers.items() if labels}
    if not value and not above_half(total - total_weight(some, rule), total):
        return tie(answers, f"no majority: {len(some)} of {len(answers)} chose something, but not the same", **details)
    return agreed(answers, value, **details)


def merge_rating(
    question: RatingQuestion, answers: Answers, rule: Rule = USUAL, text: str | None = None
) -> MergedAnswer:
    """The median, if it is a grade: where the two middle grades differ, the grade between them is nobody's answer.

    ``low`` and ``high`` are the two middle grades (equal where the median is a grade), ``min``, ``max`` and ``spread``
    the outer ones and their distance, ``mean`` and ``median`` plain numbers: the mean is what a reward is made of.
    """
    grades = sorted((grade, rule.weight(who)) for who, grade in answers.items())
    total = total_weight(answers, rule)
    low, high = _middle(grades, total) if rule.weights else _middle_of([grade for grade, _ in grades])
    details = {
        "mean": _share(sum(grade * weight for grade, weight in grades), total) if rule.weights else _mean(grades),
        "median": (low + high) / 2,
        "low": low,
        "high": high,
        "min": grades[0][0],
        "max": grades[-1][0],
        "spread": grades[-1][0] - grades[0][0],
    }
    if low != high:
        return tie(answers, f"the middle grades are {low} and {high}", **details)
    return agreed(answers, low, **details)


def _mean(grades: list[tuple[int, float]]) -> float:
    return sum(grade for grade, _ in grades) / len(grades)


def _middle_of(grades: list[int]) -> tuple[int, int]:
    return grades[(len(grades) - 1) // 2], grades[len(grades) // 2]


def _middle(grades: list[tuple[int, float]], total: float) -> tuple[int, int]:
    """The grades just below and just above half of all weight; a person of no weight has no grade."""
    low = high = None
    below = 0.0
    for grade, weight in grades:
        below += weight
        if weight and low is None and (below * 2 > total or same(below * 2, total)):
            low = grade
        if weight and high is None and below * 2 > total and not same(below * 2, total):
            high = grade
    if low is None or high is None:  # nobody has any weight
        return _middle_of([grade for grade, _ in grades])
    return low, high


def merge_ranking(
    question: RankingQuestion, answers: Answers, rule: Rule = USUAL, text: str | None = None
) -> MergedAnswer:
    """An order that every pair's majority agrees with, as ranks 1, 2, 3... without gaps.

    Everybody who ranked both items of a pair votes on it; ``pairs`` has ``{"a>b": [wins, ties, losses]}`` and
    ``margins`` what follows, (wins - losses) / votes. Two items share a rank where neither wins and the rest of the
    order allows it; a pair that is even because people contradict each other is also listed in ``split``. There is no
    order, so a tie, where

    - majorities go round in a circle (``cycle`` has the items), or even pairs contradict the others;
    - some items were never compared, not even through others (``unordered``);
    - all items share rank 1 only because people contradict each other.

    >>> from bridge.templates import load_template
    >>> question = load_template("ranking").question("ranking")
    >>> merge_ranking(question, {"ann": {"response_1": 1, "response_2": 2}, "bo": {"response_1": 1}}).value
    {'response_1': 1, 'response_2': 2}
    """
    items = question.item_names({item for ranks in answers.values() for item in ranks})
    votes: dict[Pair, list[float]] = {}
    for left, right in combinations(items, 2):
        both = [
            (ranks[left], ranks[right], rule.weight(who) if rule.weights else 1)
            for who, ranks in sorted(answers.items())
            if left in ranks and right in ranks
        ]
        if both:
            votes[left, right] = [
                sum(weight for a, b, weight in both if a < b),
                sum(weight for a, b, weight in both if a == b),
                sum(weight for a, b, weight in both if a > b),
            ]
    margins = {
        f"{left}>{right}": _share(won - lost, won + even + lost) for (left, right), (won, even, lost) in votes.items()
    }
    details: dict[str, Any] = {
        "pairs": {f"{left}>{right}": count for (left, right), count in votes.items()},
        "margins": margins,
        "margin": min(map(abs, margins.values()), default=0.0),
    }
    split = [f"{left}>{right}" for (left, right), (won, _, lost) in votes.items() if same(won, lost) and won > 0]
    if split:
        details["split"] = split
    value, trouble = _order(items, votes)
    if trouble:
        names = ", ".join(trouble.get("cycle") or trouble["unordered"])
        why = "the majorities contradict each other" if "cycle" in trouble else "not compared with each other"
        return tie(answers, f"{names}: {why}", **details, **trouble)
    if split and max(value.values()) == 1:
        return tie(answers, "as many prefer the one as the other", **details)
    return agreed(answers, value, sum(_dense(ranks, value) == value for ranks in answers.values()), **details)


def _order(items: list[str], votes: Mapping[Pair, list[float]]) -> tuple[Ranks, dict[str, list[str]]]:
    """Dense ranks that all pairs agree with; or no ranks, and which items stand in the way."""
    items = [item for item in items if any(item in pair for pair in votes)] or items
    group = {item: item for item in items}
    for (left, right), (won, _, lost) in votes.items():
        if same(won, lost):
            joined = group[right]
            group.update({item: group[left] for item in items if group[item] == joined})
    beats = {
        (group[left], group[right]) if won > lost else (group[right], group[left])
        for (left, right), (won, _, lost) in votes.items()
        if not same(won, lost)
    }
    left_over = list(dict.fromkeys(group.values()))
    place: dict[str, int] = {}
    while left_over:
        best = [name for name in left_over if not any((other, name) in beats for other in left_over)]
        if not best:
            # What merely comes after the circle is not part of it.
            while last := [name for name in left_over if not any((name, other) in beats for other in left_over)]:
                left_over = [name for name in left_over if name not in last]
            return {}, {"cycle": [item for item in items if group[item] in left_over]}
        if len(best) > 1 or not votes:
            return {}, {"unordered": [item for item in items if group[item] in best]}
        place[best[0]] = len(place) + 1
        left_over.remove(best[0])
    return {item: place[group[item]] for item in items}, {}


def _dense(ranks: Ranks, items: Iterable[str]) -> Ranks:
    """Someone's ranks of these items, closed up to 1, 2, 3..."""
    given = {item: ranks[item] for item in items if item in ranks}
    steps = sorted(set(given.values()))
    return {item: steps.index(rank) + 1 for item, rank in given.items()}


def _share(part: float, total: float) -> float:
    return part / total if total else 0.0


def _number(count: float) -> str:
    return f"{count:.4g}"


KINDS: dict[str, Callable[..., MergedAnswer]] = {
    "rating": merge_rating,
    "label": merge_label,
    "multi_label": merge_multi_label,
    "text": merge_text,
    "ranking": merge_ranking,
    "span": merge_span,
}
