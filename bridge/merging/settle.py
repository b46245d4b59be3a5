"""Adjudication: where people do not agree, the answers of those who were asked to decide."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bridge.errors import ValueRejected
from bridge.merging.consensus import MergeResult, Unresolved
from bridge.merging.merged import Merged, MergedAnswer
from bridge.questions import Question, TextQuestion
from bridge.templates import TaskTemplate

UNRESOLVED = ("tie", "no_quorum")
"""Outcomes that somebody else may decide."""


def settle(result: MergeResult, decided: MergeResult, template: TaskTemplate, *, project: str = "") -> MergeResult:
    """A merge in which the adjudicators' answers stand wherever people did not agree.

    What people agreed on is never overruled, and an answer that nobody gave stays away. A settled answer is ``agreed``;
    its ``details`` say that it is ``adjudicated`` and who the ``adjudicators`` are, with the answer of each. ``n``,
    ``votes`` and ``annotators`` stay those of the people before, ``support`` counts those of them who said the same.
    Texts are the exception: their ``values`` are what the adjudicators wrote. Where the adjudicators do not agree
    either, the question stays unresolved, with both reasons.

    Args:
        result: the merge of everybody's answers.
        decided: the merge of the adjudicators' answers to the same records.
        template: the task; a decision that it does not allow does not count.
        project: what the adjudication is called on its server, for the manifest.

    >>> from bridge.annotations import Annotation
    >>> from bridge.merging import merge
    >>> from bridge.templates import load_template
    >>> template = load_template("label")
    >>> split = merge([Annotation("r1", who, answers={"label": label})
    ...               for who, label in (("ann", "correct"), ("bo", "incorrect"))], template)
    >>> third = merge([Annotation("r1", "cy", answers={"label": "correct"})], template)
    >>> answer = settle(split, third, template).kept[0].answers["label"]
    >>> answer.outcome, answer.value, answer.support, answer.n, answer.details["adjudicators"]
    ('agreed', 'correct', 1, 2, {'cy': 'correct'})
    """
    questions = {question.name: question for question in template.questions}
    decisions = {merged.record: merged.answers for merged in decided.kept}
    kept, unresolved = [], []
    settled: Counter[str] = Counter()
    contested = 0
    for merged in result.kept:
        answers = dict(merged.answers)
        for name, answer in merged.answers.items():
            if answer.outcome not in UNRESOLVED:
                continue
            decision = decisions.get(merged.record, {}).get(name)
            if decision is not None and decision.outcome != "abstained" and name in questions:
                answer = answers[name] = _decide(questions[name], answer, decision)
                contested += answer.outcome in UNRESOLVED
            if answer.outcome in UNRESOLVED:
                unresolved.append(Unresolved(merged.record, name, answer.reason, answer.outcome))
            else:
                settled[merged.record] += 1
        kept.append(Merged(merged.record, answers))
    said = {"records": len(settled), "questions": settled.total(), "unsettled": contested, "project": project}
    return replace(
        result,
        kept=kept,
        unresolved=unresolved,
        dropped=[*result.dropped, *decided.dropped],
        problems=[*result.problems, *decided.problems],
        warnings=[*result.warnings, *decided.warnings],
        rule={**result.rule, "adjudication": said},
    )


def _decide(question: Question, answer: MergedAnswer, decision: MergedAnswer) -> MergedAnswer:
    why = decision.reason if decision.outcome in UNRESOLVED else _misfit(question, decision)
    details: dict[str, Any] = {**answer.details, "adjudicators": dict(decision.annotators)}
    if why:
        return replace(answer, reason=f"{answer.reason}; adjudicators: {why}", details=details)
    if isinstance(question, TextQuestion):
        details |= decision.details
    support = sum(given == decision.value for given in answer.annotators.values())
    details["adjudicated"] = True
    return replace(answer, outcome="agreed", value=decision.value, support=support, reason="", details=details)


def _misfit(question: Question, decision: MergedAnswer) -> str:
    """Why the template does not allow a decision; a text that was left as it was is a decision without a value."""
    if decision.value is None:
        return ""
    try:
        question.validate(decision.value)
    except ValueRejected as error:
        return error.reason
    return ""


def adjudicators(answer: MergedAnswer) -> Mapping[str, Any]:
    """Who settled an answer, with the answer of each; nobody where people agreed, or where it is not settled."""
    given: Mapping[str, Any] = answer.details.get("adjudicators", {}) if answer.details.get("adjudicated") else {}
    return given


def voices(answer: MergedAnswer) -> dict[str, Any]:
    """Everybody who answered, adjudicators included; who did both speaks as adjudicator."""
    return {**answer.annotators, **adjudicators(answer)}
