"""Rows of one answer: completions to learn (SFT), wanted and unwanted ones (KTO), and scored ones (reward)."""

from __future__ import annotations

from bridge.exporting.cases import Case, Text
from bridge.exporting.preferences import preference, responses
from bridge.exporting.ratings import grade
from bridge.exporting.reasons import NoRow
from bridge.exporting.row import Row
from bridge.questions import LabelQuestion, RankingQuestion
from bridge.templates import KtoSource, RewardSource, SftSource


def sft_rows(case: Case, source: SftSource) -> list[Row]:
    """What people approved, wrote or put first, as completions.

    Raises:
        NoRow: there is none.
    """
    rule, model = f"use: {source.use}", ""
    question = case.questions.get(source.use)
    if isinstance(question, LabelQuestion | RankingQuestion):
        found = preference(question, case.answer(source.use))
        if not found.best:
            raise NoRow("tie", source.use, "several responses share rank 1")
        texts = [Text(case.field(found.best), found.annotators)]
        model = case.writer(found.best, responses(question, case.fields))
    else:
        try:
            texts = case.texts(source.use, source.when)
        except NoRow as why:
            if why.reason != "unchanged_rewrite" or source.unchanged != "approve":
                raise
            texts = case.approved(source.use)
            rule += ", unchanged: approve"
    return [
        case.row(
            "sft",
            prompt=case.prompt(text.instead),
            completion=text.text,
            source=rule,
            annotators=text.annotators,
            model=model,
        )
        for text in texts
    ]


def kto_rows(case: Case, source: KtoSource) -> list[Row]:
    """What people want, or do not want.

    Raises:
        NoRow: the answers lie in the dead zone between the two, contradict each other, or are too few to say.
    """
    sides = {True: source.desirable, False: source.undesirable}
    # Asked in this order, a doubt about either side is told before any verdict.
    meant = [label for label, conditions in sides.items() if conditions is not None and case.meets(conditions)]
    if len(meant) > 1:
        raise NoRow("contradiction", source.use)
    if not meant:
        raise NoRow("dead_zone", source.use)
    label = meant[0]
    rule = f"use: {source.use}, {'desirable' if label else 'undesirable'}"
    return [
        case.row(
            "kto",
            prompt=case.prompt(text.instead),
            completion=text.text,
            source=rule,
            annotators=text.annotators,
            label=label,
            model=case.writer(source.use, case.siblings(source.use)),
        )
        for text in case.texts(source.use, {**source.when, **(sides[label] or {})})
    ]


def score_rows(case: Case, source: RewardSource) -> list[Row]:
    """A response with the mean of its ratings.

    Raises:
        NoRow: it was not rated, by too few, or so differently that no mean speaks for them.
    """
    assert source.score is not None
    assert source.of is not None
    found = grade(case, source.score)
    return [
        case.row(
            "reward",
            prompt=case.prompt(),
            completion=case.field(source.of),
            source=f"score: {source.score}, of: {source.of}",
            annotators=found.annotators,
            score=found.mean,
            model=case.writer(source.of, case.siblings(source.of)),
        )
    ]
