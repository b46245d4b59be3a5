"""Merging marked passages: votes over tokens, and spans rebuilt from the tokens that won."""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

from bridge.merging.merged import MergedAnswer
from bridge.merging.rule import Rule
from bridge.merging.tally import Answers, above_half, agreed, same, tie, total_weight
from bridge.questions import SpanQuestion

USUAL = Rule()
Span: TypeAlias = "dict[str, Any]"
Place: TypeAlias = tuple[int, int]
"""Where a token or a span begins and ends, in code points."""

# Combining marks, vowel signs and the like are part of a word, though `\w` leaves some of them out.
_MARKS = "\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u0900-\u0dff"
# Scripts that write no spaces between words: each character stands alone.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_TOKEN = re.compile(f"(?:(?![{_UNSPACED}])[\\w{_MARKS}])+|[^\\s]")


def tokens(text: str) -> list[Place]:
    """Where the words of a text are; punctuation and the characters of unspaced scripts stand alone.

    >>> [("It's 4 °C, 寒い"[start:end]) for start, end in tokens("It's 4 °C, 寒い")]
    ['It', "'", 's', '4', '°', 'C', ',', '寒', 'い']
    """
    return [match.span() for match in _TOKEN.finditer(text)]


def marked_tokens(spans: Iterable[Span], label: str, places: Sequence[Place]) -> dict[int, int]:
    """Which tokens someone's passages with a label cover by half or more: token to number of the passage.

    >>> marked_tokens([{"start": 0, "end": 6, "label": "x"}], "x", [(0, 3), (4, 7), (8, 11)])
    {0: 0, 1: 0}
    """
    ends = [end for _, end in places]
    found: dict[int, int] = {}
    for number, span in enumerate(span for span in spans if span["label"] == label):
        for index in range(bisect_left(ends, span["start"] + 1), len(places)):
            start, end = places[index]
            if start >= span["end"]:
                break
            if (min(end, span["end"]) - max(start, span["start"])) * 2 >= end - start:
                found[index] = number
    return found


def rebuilt(label: str, chosen: Sequence[int], places: Sequence[Place], marks: Iterable[dict[int, int]]) -> list[Span]:
    """Spans from chosen tokens: neighbours are joined, unless more of those who marked both parted them there.

    Args:
        label: their label.
        chosen: indices of tokens, ascending.
        places: of all tokens.
        marks: of each person, as :func:`marked_tokens` gives them.
    """
    people = list(marks)
    spans: list[Span] = []
    before = -2
    for index in chosen:
        both = [person[before] == person[index] for person in people if before in person and index in person]
        if index == before + 1 and both.count(False) * 2 <= len(both):
            spans[-1]["end"] = places[index][1]
        else:
            spans.append({"start": places[index][0], "end": places[index][1], "label": label})
        before = index
    return spans


def merge_span(question: SpanQuestion, answers: Answers, rule: Rule = USUAL, text: str | None = None) -> MergedAnswer:
    """The passages that more than half of the people marked with the same label, token by token.

    A token is marked by who covers half of it or more. Marked tokens are joined to passages; a token that exactly
    half marked is left out. Where the text is not known, the votes are over characters. ``marked`` counts the people
    who marked anything, and ``margin`` is that of the least sure token within the passages. No passage is agreed on
    only where more than half marked nothing; where as many marked something, but not the same, it is a tie. What all
    marked alike stays as it is.

    >>> from bridge.templates import load_template
    >>> question = load_template("span_errors").question("errors")
    >>> spans = [[{"start": start, "end": 9, "label": "unsupported"}] for start in (2, 4, 6)]
    >>> merge_span(question, dict(zip("abc", spans))).value
    [{'start': 4, 'end': 9, 'label': 'unsupported'}]
    """
    given = list(answers.values())
    people = sum(bool(spans) for spans in given)
    if all(spans == given[0] for spans in given):
        return agreed(answers, given[0], marked=people, margin=1.0)
    places = tokens(text) if text is not None else _pieces(given)
    total = total_weight(answers, rule)
    value: list[Span] = []
    margin = 1.0
    for label in question.values:
        marks = {who: marked_tokens(spans, label, places) for who, spans in answers.items()}
        votes: dict[int, list[float]] = {}
        for who, marked in marks.items():
            for index in marked:
                votes.setdefault(index, []).append(rule.weight(who))
        shares = {index: math.fsum(weights) / total if total else 0.0 for index, weights in votes.items()}
        chosen = sorted(index for index, share in shares.items() if share > 0.5 and not same(share, 0.5))
        margin = min([margin, *(2 * shares[index] - 1 for index in chosen)])
        value += rebuilt(label, chosen, places, marks.values())
    return outcome(answers, value, rule, marked=people, margin=margin)


def outcome(answers: Answers, value: list[Span], rule: Rule = USUAL, *, marked: int, **details: Any) -> MergedAnswer:
    """The merged answer with these spans; without any, only if more than half marked nothing."""
    value = sorted(value, key=lambda span: (span["start"], span["end"], span["label"]))
    nothing = {who: spans for who, spans in answers.items() if not spans}
    if not value and not above_half(total_weight(nothing, rule), total_weight(answers, rule)):
        why = f"{marked} of {len(answers)} marked something, but not the same"
        return tie(answers, why, marked=marked, **{**details, "margin": 0.0})
    return agreed(answers, value, marked=marked, **details)


def _pieces(given: Iterable[Sequence[Span]]) -> list[Place]:
    """The text, which is not known, cut wherever a passage begins or ends."""
    cuts = sorted({place for spans in given for span in spans for place in (span["start"], span["end"])})
    return list(pairwise(cuts))
