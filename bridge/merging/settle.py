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
from bridge.records import Value
from bridge.templates import TaskTemplate

UNRESOLVED = ("tie", "no_quorum")
"""Outcomes of answers that are not one answer."""


def settle(result: MergeResult, decided: MergeResult, template: TaskTemplate, *, project: str = "") -> MergeResult:
    """A merge in which the adjudicators' answers stand wherever people did not agree.

    What people agreed on is never overruled. What none of them answered is taken from the adjudicators where the
    template demands an answer, such as a rewrite of what they decided to be bad. A settled answer is ``agreed``; its
    ``details`` say that it is ``adjudicated`` and who the ``adjudicators`` are, with the answer of each. ``n``,
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
        decided_here = {
            name: decision
            for name, decision in decisions.get(merged.record, {}).items()
            if name in questions and name in answers and decision.outcome != "abstained"
        }
        for name, decision in decided_here.items():
            if answers[name].outcome in UNRESOLVED:
                answers[name] = _decide(questions[name], answers[name], decision)
                settled[merged.record] += answers[name].outcome == "agreed"
                contested += answers[name].outcome != "agreed"
        for name, decision in decided_here.items():
            if answers[name].outcome == "abstained" and questions[name].is_required(_values(answers)):
                answers[name] = _decide(questions[name], answers[name], decision)
                settled[merged.record] += answers[name].outcome == "agreed"
        unresolved += [
            Unresolved(merged.record, name, answer.reason, answer.outcome)
            for name, answer in answers.items()
            if answer.outcome in UNRESOLVED
        ]
        kept.append(Merged(merged.record, answers))
    said = {"records": len(+settled), "questions": settled.total(), "unsettled": contested, "project": project}
    return replace(
        result,
        kept=kept,
        unresolved=unresolved,
        dropped=[*result.dropped, *decided.dropped],
        problems=[*result.problems, *decided.problems],
        # Adjudicators are few, and so are their records: that their agreement is not known is no news.
        warnings=[*result.warnings, *(doubt for doubt in decided.warnings if doubt.annotators)],
        rule={**result.rule, "adjudication": said},
    )


def _values(answers: Mapping[str, MergedAnswer]) -> dict[str, Value]:
    return {name: answer.value for name, answer in answers.items() if answer.value is not None}


def _decide(question: Question, answer: MergedAnswer, decision: MergedAnswer) -> MergedAnswer:
    why = decision.reason if decision.outcome in UNRESOLVED else _misfit(question, decision)
    details: dict[str, Any] = {**answer.details, "adjudicators": dict(decision.annotators)}
    if why:
        return replace(answer, reason="; ".join(filter(None, (answer.reason, f"adjudicators: {why}"))), details=details)
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
    given: Mapping[str, Any] = answer.details.get("adjudicators", {}) if answer.details.get("adjudicated") else _NOBODY
    return given


_NOBODY: Mapping[str, Any] = {}


def voices(answer: MergedAnswer) -> Mapping[str, Any]:
    """Everybody who answered, adjudicators included; who did both speaks as adjudicator."""
    deciding = adjudicators(answer)
    return {**answer.annotators, **deciding} if deciding else answer.annotators
