"""How the answers of several people become one, for each question kind.

A function takes the question, the answers by annotator and the text that the question started with (text questions
only). It never picks at random, never blends texts, and never looks at who answered or in which order. To merge a new
question kind, write its function and add it to :data:`KINDS`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any, TypeAlias

from bridge.merging.merged import MergedAnswer
from bridge.questions import (
    LabelQuestion,
    MultiLabelQuestion,
    RankingQuestion,
    RatingQuestion,
    SpanQuestion,
    TextQuestion,
)
from bridge.text import same_text

Answers: TypeAlias = Mapping[str, Any]
Ranks: TypeAlias = "dict[str, int]"
Pair: TypeAlias = tuple[str, str]


def merge_label(question: LabelQuestion, answers: Answers, prefill: str | None = None) -> MergedAnswer:
    """The most frequent label, if it stands alone at the top; ``votes`` has the count of every label that was used.

    >>> from bridge.templates import load_template
    >>> question = load_template("label").question("label")
    >>> merge_label(question, {"ann": "correct", "bo": "incorrect"}).outcome
    'tie'
    """
    counts = Counter(answers.values())
    votes = {label: counts[label] for label in question.values if counts[label]}
    top = max(votes.values())
    leaders = [label for label, count in votes.items() if count == top]
    if len(leaders) > 1:
        return _tie(answers, f"{top} for each of {', '.join(leaders)}", votes=votes)
    return _agreed(answers, leaders[0], votes=votes)


def merge_multi_label(question: MultiLabelQuestion, answers: Answers, prefill: str | None = None) -> MergedAnswer:
    """Each label that more than half of the people chose; a label that exactly half chose makes it a tie.

    ``shares`` has the share of every label that was used. No label over a half, and none at a half, is agreement on
    no label: the value is an empty list.
    """
    counts = Counter(label for labels in answers.values() for label in labels)
    used = [label for label in question.values if counts[label]]
    shares = {label: counts[label] / len(answers) for label in used}
    halves = [label for label in used if counts[label] * 2 == len(answers)]
    if halves:
        return _tie(answers, f"exactly half chose {' and '.join(halves)}", shares=shares)
    return _agreed(answers, [label for label in used if counts[label] * 2 > len(answers)], shares=shares)


def merge_rating(question: RatingQuestion, answers: Answers, prefill: str | None = None) -> MergedAnswer:
    """The median, if it is a grade: where the two middle grades differ, the grade between them is nobody's answer.

    ``low`` and ``high`` are the two middle grades (equal where the median is a grade), ``min``, ``max`` and ``spread``
    the outer ones and their distance, ``mean`` and ``median`` plain numbers.
    """
    grades = sorted(answers.values())
    low, high = grades[(len(grades) - 1) // 2], grades[len(grades) // 2]
    details = {
        "mean": sum(grades) / len(grades),
        "median": (low + high) / 2,
        "low": low,
        "high": high,
        "min": grades[0],
        "max": grades[-1],
        "spread": grades[-1] - grades[0],
    }
    if low != high:
        return _tie(answers, f"the middle grades are {low} and {high}", **details)
    return _agreed(answers, low, **details)


def merge_text(question: TextQuestion, answers: Answers, prefill: str | None = None) -> MergedAnswer:
    """All texts, side by side in ``values``: texts do not compete, so several are no tie, and they are never blended.

    ``values`` holds ``{"value", "annotators"}``, most frequent first; texts that differ only in Unicode form or white
    space are one. ``value`` is the most frequent text if it stands alone at the top. Where the text that the question
    started with is known, an answer that equals it is marked ``"unchanged": true`` and is no rewrite: it approves.
    ``unchanged`` counts those; where nobody changed anything, there is no value.

    >>> from bridge.templates import load_template
    >>> question = load_template("review").question("improved_response")
    >>> merge_text(question, {"ann": "It is 4.", "bo": "4"}, prefill="4").value
    'It is 4.'
    """
    groups: list[list[Pair]] = []
    for text, annotator in sorted((text, annotator) for annotator, text in answers.items()):
        group = next((group for group in groups if same_text(group[0][0], text)), None)
        if group is None:
            groups.append(group := [])
        group.append((text, annotator))
    values = [_one_text(group, prefill) for group in groups]
    values.sort(key=lambda entry: (-len(entry["annotators"]), entry["value"]))
    changed = [entry for entry in values if "unchanged" not in entry]
    details: dict[str, Any] = {"values": values}
    if prefill is not None:
        details["unchanged"] = sum(len(entry["annotators"]) for entry in values if "unchanged" in entry)
    support = [len(entry["annotators"]) for entry in changed[:2]]
    if not support or support[1:] == support[:1]:
        return _agreed(answers, None, 0, **details)
    return _agreed(answers, changed[0]["value"], support[0], **details)


def _one_text(group: Sequence[Pair], prefill: str | None) -> dict[str, Any]:
    # The spelling most often used; of several, the first in the alphabet (the group is sorted by text).
    text = Counter(text for text, _ in group).most_common(1)[0][0]
    entry: dict[str, Any] = {"value": text, "annotators": sorted(annotator for _, annotator in group)}
    if prefill is not None and same_text(text, prefill):
        entry["unchanged"] = True
    return entry


def merge_ranking(question: RankingQuestion, answers: Answers, prefill: str | None = None) -> MergedAnswer:
    """An order that every pair's majority agrees with, as ranks 1, 2, 3... without gaps.

    Everybody who ranked both items of a pair votes on it; ``pairs`` has ``{"a>b": [wins, ties, losses]}``. Two items
    share a rank where neither wins and the rest of the order allows it; a pair that is even because people
    contradict each other is also listed in ``split``. There is no order, so a tie, where

    - majorities go round in a circle (``cycle`` has the items), or even pairs contradict the others;
    - some items were never compared, not even through others (``unordered``);
    - all items share rank 1 only because people contradict each other.

    >>> from bridge.templates import load_template
    >>> question = load_template("ranking").question("ranking")
    >>> merge_ranking(question, {"ann": {"response_1": 1, "response_2": 2}, "bo": {"response_1": 1}}).value
    {'response_1': 1, 'response_2': 2}
    """
    items = question.item_names({item for ranks in answers.values() for item in ranks})
    votes: dict[Pair, list[int]] = {}
    for left, right in combinations(items, 2):
        both = [(ranks[left], ranks[right]) for ranks in answers.values() if left in ranks and right in ranks]
        if both:
            votes[left, right] = [
                sum(a < b for a, b in both),
                sum(a == b for a, b in both),
                sum(a > b for a, b in both),
            ]
    details: dict[str, Any] = {"pairs": {f"{left}>{right}": count for (left, right), count in votes.items()}}
    split = [f"{left}>{right}" for (left, right), (won, _, lost) in votes.items() if won == lost > 0]
    if split:
        details["split"] = split
    value, trouble = _order(items, votes)
    if trouble:
        names = ", ".join(trouble.get("cycle") or trouble["unordered"])
        why = "the majorities contradict each other" if "cycle" in trouble else "not compared with each other"
        return _tie(answers, f"{names}: {why}", **details, **trouble)
    if split and max(value.values()) == 1:
        return _tie(answers, "as many prefer the one as the other", **details)
    return _agreed(answers, value, sum(_dense(ranks, value) == value for ranks in answers.values()), **details)


def _order(items: list[str], votes: Mapping[Pair, list[int]]) -> tuple[Ranks, dict[str, list[str]]]:
    """Dense ranks that all pairs agree with; or no ranks, and which items stand in the way."""
    items = [item for item in items if any(item in pair for pair in votes)] or items
    group = {item: item for item in items}
    for (left, right), (won, _, lost) in votes.items():
        if won == lost:
            joined = group[right]
            group.update({item: group[left] for item in items if group[item] == joined})
    beats = {
        (group[left], group[right]) if won > lost else (group[right], group[left])
        for (left, right), (won, _, lost) in votes.items()
        if won != lost
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


def merge_span(question: SpanQuestion, answers: Answers, prefill: str | None = None) -> MergedAnswer:
    """The passages that more than half of the people marked with the same label, character by character.

    Marked characters are joined to passages as long as possible; a character that exactly half marked is left out.
    ``marked`` counts the people who marked anything. No passage is agreed on only where more than half marked
    nothing; where as many marked something, but not the same, it is a tie. What all marked alike stays as it is.

    >>> from bridge.templates import load_template
    >>> question = load_template("span_errors").question("errors")
    >>> spans = [[{"start": start, "end": 9, "label": "unsupported"}] for start in (2, 4, 6)]
    >>> merge_span(question, dict(zip("abc", spans))).value
    [{'start': 4, 'end': 9, 'label': 'unsupported'}]
    """
    given = list(answers.values())
    marked = sum(bool(spans) for spans in given)
    value = given[0] if all(spans == given[0] for spans in given) else _majority_spans(question.values, given)
    if not value and marked * 2 >= len(given):
        return _tie(answers, f"{marked} of {len(given)} marked something, but not the same", marked=marked)
    return _agreed(answers, value, marked=marked)


def _majority_spans(labels: Iterable[str], given: Sequence[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    found = []
    for label in labels:
        steps: Counter[int] = Counter()
        for spans in given:
            # One person's overlapping passages count once: only where they begin and where they all have ended.
            end = -1
            for span in sorted((s for s in spans if s["label"] == label), key=lambda s: (s["start"], s["end"])):
                if span["end"] > end:
                    steps[max(span["start"], end)] += 1
                    steps[span["end"]] -= 1
                    end = span["end"]
        people, start = 0, None
        for place in sorted(steps):
            people += steps[place]
            if people * 2 > len(given):
                start = place if start is None else start
            elif start is not None:
                found.append({"start": start, "end": place, "label": label})
                start = None
    return sorted(found, key=lambda span: (span["start"], span["end"], span["label"]))


def _agreed(answers: Answers, value: Any, support: int | None = None, **details: Any) -> MergedAnswer:
    if support is None:
        support = sum(answer == value for answer in answers.values())
    return MergedAnswer("agreed", value, support, len(answers), "", details, answers)


def _tie(answers: Answers, reason: str, **details: Any) -> MergedAnswer:
    return MergedAnswer("tie", None, 0, len(answers), reason, details, answers)


KINDS: dict[str, Callable[..., MergedAnswer]] = {
    "rating": merge_rating,
    "label": merge_label,
    "multi_label": merge_multi_label,
    "text": merge_text,
    "ranking": merge_ranking,
    "span": merge_span,
}
