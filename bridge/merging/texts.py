"""Merging texts: side by side, or the one that is nearest to all others. They are never blended."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, TypeAlias

from bridge.merging.merged import MergedAnswer
from bridge.merging.rule import Rule
from bridge.merging.tally import Answers, agreed, same, tie
from bridge.questions import TextQuestion
from bridge.text import same_text

USUAL = Rule()
Written: TypeAlias = tuple[str, str]
"""A text, and who wrote it."""


def merge_text(question: TextQuestion, answers: Answers, rule: Rule = USUAL, text: str | None = None) -> MergedAnswer:
    """All texts, side by side in ``values``: texts do not compete, so several are no tie, and they are never blended.

    ``values`` holds ``{"value", "annotators"}``, most frequent first; texts that differ only in Unicode form or white
    space are one. ``value`` is the most frequent text if it stands alone at the top. Where the text that the question
    started with is known, an answer that equals it is marked ``"unchanged": true`` and is no rewrite: it approves.
    ``unchanged`` counts those; where nobody changed anything, there is no value. ``spread`` is how many different
    rewrites there are.

    With the rule ``medoid`` one rewrite stands for all: that of more than half of those who wrote one, else the one
    with the highest mean similarity to all others, by edits of words (Levenshtein distance over words, as a share of
    the longer text), and among equals by edits of characters; it is marked ``"medoid": true``. Two rewrites are
    equally near to each other, so they are a tie.

    >>> from bridge.templates import load_template
    >>> question = load_template("review").question("improved_response")
    >>> merge_text(question, {"ann": "It is 4.", "bo": "4"}, text="4").value
    'It is 4.'
    >>> written = {"ann": "It is four", "bo": "It is 4, I think", "cy": "It is 4"}
    >>> merge_text(question, written, Rule(rewrites="medoid")).value
    'It is 4'
    """
    groups: list[list[Written]] = []
    for written, annotator in sorted((written, annotator) for annotator, written in answers.items()):
        group = next((group for group in groups if same_text(group[0][0], written)), None)
        if group is None:
            groups.append(group := [])
        group.append((written, annotator))
    values = [_one_text(group, text) for group in groups]
    values.sort(key=lambda entry: (-len(entry["annotators"]), entry["value"]))
    changed = [entry for entry in values if "unchanged" not in entry]
    details: dict[str, Any] = {"values": values, "spread": len(changed)}
    if text is not None:
        details["unchanged"] = sum(len(entry["annotators"]) for entry in values if "unchanged" in entry)
    if rule.rewrites == "medoid" and changed:
        return _medoid(answers, changed, rule, details)
    support = [len(entry["annotators"]) for entry in changed[:2]]
    if not support or support[1:] == support[:1]:
        return agreed(answers, None, 0, **details)
    return agreed(answers, changed[0]["value"], support[0], **details)


def _one_text(group: Sequence[Written], original: str | None) -> dict[str, Any]:
    # The spelling most often used; of several, the first in the alphabet (the group is sorted by text).
    text = Counter(text for text, _ in group).most_common(1)[0][0]
    entry: dict[str, Any] = {"value": text, "annotators": sorted(annotator for _, annotator in group)}
    if original is not None and same_text(text, original):
        entry["unchanged"] = True
    return entry


def _medoid(answers: Answers, changed: list[dict[str, Any]], rule: Rule, details: dict[str, Any]) -> MergedAnswer:
    people = [len(entry["annotators"]) for entry in changed]
    weights = [math.fsum(map(rule.weight, entry["annotators"])) for entry in changed]
    best = [index for index, weight in enumerate(weights) if weight * 2 > sum(weights)]
    if not best:
        texts = [entry["value"] for entry in changed]
        best = list(range(len(texts)))
        for parts in ([text.split() for text in texts], texts):
            means = _mean_similarities(parts, weights, people)
            top = max(means[index] for index in best)
            details.setdefault("similarity", round(top, 6))
            best = [index for index in best if same(means[index], top)]
    if len(best) > 1:
        return tie(answers, f"{len(best)} rewrites are equally near to all others", **details)
    changed[best[0]]["medoid"] = True
    return agreed(answers, changed[best[0]]["value"], len(changed[best[0]]["annotators"]), **details)


def _mean_similarities(texts: Sequence[Sequence[str]], weights: Sequence[float], people: Sequence[int]) -> list[float]:
    """For each text, the weighted mean of its similarities (0 to 1) to what all others wrote."""
    from rapidfuzz.distance import Levenshtein

    means = []
    for one, text in enumerate(texts):
        # For each of several who wrote the very same, the others among them wrote it too.
        compared = [(1.0, weights[one] * (1 - 1 / people[one]))]
        for two, other in enumerate(texts):
            if two != one:
                compared.append((Levenshtein.normalized_similarity(text, other), weights[two]))
        total = math.fsum(weight for _, weight in compared)
        means.append(math.fsum(similarity * weight for similarity, weight in compared) / total if total else 0.0)
    return means
