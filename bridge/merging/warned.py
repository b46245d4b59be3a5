"""What a merge says of the answers that it rests on: nothing to compare, and people whose answers say nothing.

These are the warnings that cost no more than counting; those that need coefficients and intervals are in the report on
agreement (:mod:`bridge.merging.agreement`), which has the same words for these.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from bridge.merging.compared import Given, Units, units
from bridge.merging.dawid_skene import Votes
from bridge.merging.doubt import Doubt
from bridge.merging.suspects import suspects
from bridge.merging.verbatim import verbatim
from bridge.questions import Question, RankingQuestion, RatingQuestion

_CELLS = 20_000_000
_NONE: Mapping[str, str] = {}


def warned(question: Question, given: Sequence[Given], originals: Mapping[str, str] = _NONE) -> list[Doubt]:
    """What is doubtful about the answers to a question, and about those who gave them (see :func:`suspected`).

    >>> from bridge.templates import load_template
    >>> given = [(f"r{n}", "ann", "correct") for n in range(5)]
    >>> [doubt.kind for doubt in warned(load_template("label").question("label"), given)]
    ['single_annotator']
    """
    shared = sum(count > 1 for count in Counter(record for record, _, _ in given).values())
    doubts = alone(question.name, len(given), len({who for _, who, _ in given}), shared)
    if doubts or not given:
        return doubts
    return suspected(question, given, units(question, given), originals)


def alone(question: str, answers: int, annotators: int, shared: int) -> list[Doubt]:
    """Whether there is nothing to compare.

    Args:
        question: its name.
        answers: how many there are.
        annotators: how many people gave them.
        shared: how many records have two or more.
    """
    if annotators == 1:
        return [
            Doubt(
                "single_annotator",
                f"one person gave all answers ({answers:,}), so nothing is known of agreement",
                "have a second person answer a part of the records",
                question,
                evidence={"answers": answers},
            )
        ]
    if answers and not shared:
        means = f"{annotators} people answered, but no record has two answers, so nothing is known of agreement"
        remedy = "have some records answered twice: annotators_per_record in campaign.yaml"
        return [Doubt("one_answer_only", means, remedy, question)]
    return []


def suspected(
    question: Question, given: Sequence[Given], found: Units | None, originals: Mapping[str, str] = _NONE
) -> list[Doubt]:
    """People who always say the same, or copy, by the name of the question.

    Two people with the same idea of a scale may agree more than others do, who lean to one of its ends. So of ratings
    only those are copies that have no differences.

    Args:
        question: the question.
        given: the answers to it.
        found: the same as numbers, for kinds that have them.
        originals: of texts, record to the text that people started with, where it is known.
    """
    whole = found is None or isinstance(question, RankingQuestion)
    return [
        replace(doubt, question=question.name)
        for doubt in (verbatim(question, given, originals) if whole or found is None else suspects(_light(found.votes)))
        if not (isinstance(question, RatingQuestion) and doubt.kind == "copied_answers" and _differ(doubt))
    ]


def _differ(doubt: Doubt) -> bool:
    return bool(doubt.evidence["same"] < doubt.evidence["common"])


def _light(votes: Votes) -> Votes:
    """As many of the items as a table of all their different answers has room for."""
    most = _CELLS // max(len(votes.labels), 1)
    if len(votes.items) <= most:
        return votes
    kept = votes.item < most
    return replace(
        votes,
        items=votes.items[:most],
        item=votes.item[kept],
        annotator=votes.annotator[kept],
        label=votes.label[kept],
    )
