"""Rows of two answers, one better than the other: a rewrite over the original, or what people prefer."""

from __future__ import annotations

from typing import NamedTuple

from bridge.exporting.cases import Case
from bridge.exporting.preferences import preference, responses
from bridge.exporting.reasons import NoRow
from bridge.exporting.row import Row
from bridge.questions import LabelQuestion, RankingQuestion, TextQuestion
from bridge.templates import PairSource
from bridge.text import same_text


class _Pair(NamedTuple):
    chosen: str
    rejected: str
    annotators: tuple[str, ...]
    margin: float | None
    model: str = ""


def pair_rows(case: Case, source: PairSource) -> list[Row]:
    """Pairs of a preference or ranking, or of a text over another.

    Raises:
        NoRow: there is none.
    """
    if source.pairs is not None:
        rule, pairs = f"pairs: {source.pairs}", _preferred(case, source.pairs)
    else:
        rule, pairs = f"chosen: {source.chosen}, rejected: {source.rejected}", _texts(case, source)
        if not pairs:
            raise NoRow("changed_prompt", rule)
    pairs = [pair for pair in pairs if not same_text(pair.chosen, pair.rejected)]
    if not pairs:
        raise NoRow("equal", rule)
    least = source.min_margin
    clear = [pair for pair in pairs if least is None or (pair.margin is not None and pair.margin >= least)]
    if not clear:
        raise NoRow("close", rule)
    prompt = case.prompt()
    return [
        case.row(
            "dpo",
            prompt=prompt,
            chosen=pair.chosen,
            rejected=pair.rejected,
            source=rule,
            annotators=pair.annotators,
            margin=pair.margin,
            model=pair.model,
        )
        for pair in clear
    ]


def _preferred(case: Case, name: str) -> list[_Pair]:
    question = case.questions[name]
    assert isinstance(question, LabelQuestion | RankingQuestion)
    compared = responses(question, case.fields)
    return [
        _Pair(
            case.field(pair.chosen),
            case.field(pair.rejected),
            pair.annotators,
            pair.margin,
            case.writer(pair.chosen, compared),
        )
        for pair in preference(question, case.answer(name)).pairs
    ]


def _texts(case: Case, source: PairSource) -> list[_Pair]:
    assert source.chosen is not None
    assert source.rejected is not None
    # Whoever wrote one of the two stands behind the pair.
    written = source.chosen in case.questions
    margin = _margin(case, source.chosen, source.rejected)
    return [
        _Pair(chosen.text, rejected.text, (chosen if written else rejected).annotators, margin)
        for chosen in case.texts(source.chosen, source.when)
        for rejected in case.texts(source.rejected, source.when)
        if not (chosen.instead or rejected.instead)
    ]


def _margin(case: Case, chosen: str, rejected: str) -> float | None:
    """Of a rewrite over what it started as: (people who changed it - people who left it as it was) / all of them."""
    question = case.questions.get(chosen)
    if not isinstance(question, TextQuestion) or question.prefill != rejected:
        return None
    changed, left = case.changed(chosen)
    return (changed - left) / (changed + left) if changed + left else None
