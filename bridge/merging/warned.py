"""What a merge says of the answers that it rests on: too little agreement, and people whose answers say nothing.

These are the warnings that take little time; the report on agreement (:mod:`bridge.merging.agreement`) has the same
words for these, and more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from bridge.merging.alarms import ALONE, alone, question_doubts
from bridge.merging.compared import Given, Units, units
from bridge.merging.dawid_skene import Votes
from bridge.merging.doubt import Doubt
from bridge.merging.measures import measure_units
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
    if not given:
        return []
    found = units(question, given)
    if found is not None:
        doubts = question_doubts(measure_units(question, given, found))
    else:
        shared = sum(count > 1 for count in Counter(record for record, _, _ in given).values())
        doubts = alone(question.name, len(given), len({who for _, who, _ in given}), shared)
    return doubts if doubts and doubts[0].kind in ALONE else doubts + suspected(question, given, found, originals)


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
