"""The merge: from annotations to one answer per record and question, or to a doubt with a name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

from bridge.annotations import Annotation, newest
from bridge.merging.doubt import Doubt
from bridge.merging.kinds import KINDS
from bridge.merging.merged import Merged, MergedAnswer, Outcome
from bridge.merging.modelled import can_model, model_labels, model_spans
from bridge.merging.rule import Method, Rewrites, Rule
from bridge.merging.validate import Problem, check_answers, why_not
from bridge.questions import LabelQuestion, Question, SpanQuestion, TextQuestion
from bridge.records import Record, Value
from bridge.templates import TaskTemplate


@dataclass(frozen=True, slots=True)
class Unresolved:
    """A question of a record that has answers, but not one answer."""

    record: str
    question: str
    reason: str
    outcome: Outcome = "tie"

    def to_dict(self) -> dict[str, str]:
        """The case as a line of a file or a report."""
        return {"record": self.record, "question": self.question, "outcome": self.outcome, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class Dropped:
    """An annotation that does not count.

    ``discarded`` (skipped), ``draft``, ``deleted`` on the server, or ``changed``: the record has another text now than
    the one that was judged.
    """

    record: str
    annotator: str
    reason: str

    def to_dict(self) -> dict[str, str]:
        """The case as a line of a file or a report."""
        return {"record": self.record, "annotator": self.annotator, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class MergeResult:
    """What people agree on, and everything that they do not.

    Args:
        kept: one entry per annotated record, sorted by key.
        unresolved: questions that ended in a tie or without a quorum.
        dropped: annotations that do not count.
        problems: answers that are wrong or missing.
        warnings: what makes the result less sure than it looks.
        rule: how it was merged, for the manifests of exports.
    """

    kept: list[Merged] = field(default_factory=list)
    unresolved: list[Unresolved] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Doubt] = field(default_factory=list)
    rule: dict[str, Any] = field(default_factory=dict)

    @property
    def why(self) -> dict[str, int]:
        """Reason to number of cases, over what is unresolved, dropped and wrong.

        >>> from bridge.templates import load_template
        >>> merge([Annotation("r1", "ann", "discarded")], load_template("rating")).why
        {'discarded': 1}
        """
        counts = Counter[str](case.outcome for case in self.unresolved)
        counts.update(case.reason for case in self.dropped)
        counts.update(problem.kind for problem in self.problems)
        return dict(sorted(counts.items()))

    def outcomes(self) -> dict[str, dict[str, int]]:
        """Question to outcome to number of records.

        >>> from bridge.templates import load_template
        >>> merge([Annotation("r1", "ann", answers={"rating": 4})], load_template("rating")).outcomes()
        {'rating': {'agreed': 1}}
        """
        counts: dict[str, Counter[str]] = {}
        for merged in self.kept:
            for name, answer in merged.answers.items():
                counts.setdefault(name, Counter())[answer.outcome] += 1
        return {name: dict(sorted(count.items())) for name, count in counts.items()}


def merge(
    annotations: Iterable[Annotation],
    template: TaskTemplate,
    records: Iterable[Record] | None = None,
    *,
    quorum: int = 1,
    method: Method = "majority",
    threshold: float = 0.5,
    rewrites: Rewrites = "each",
    labels: Mapping[str, str] | None = None,
    weights: Mapping[str, float] | None = None,
) -> MergeResult:
    """Merge everybody's answers into one per record and question. The order of the annotations never matters.

    Only submitted annotations count: a skip, a draft or a withdrawn answer is a missing value. One person counts once
    per record, with the newest answer. How answers become one is said in :mod:`bridge.merging.kinds`, and in
    :mod:`bridge.merging.modelled` where ``method`` asks for a model.

    Args:
        annotations: what people answered, in any order, with or without older revisions.
        template: the task.
        records: what they were shown, where it is known: spans and ranked items are checked against it, and a
            rewrite can be told from a text that was left as it was.
        quorum: how many answers a question needs. Texts do not compete, so for them it is how many people
            submitted the record at all.
        method: ``majority``, or ``dawid-skene``, which is used where its gate holds; where not, ``warnings`` say why.
        threshold: the share of people above which a label of a multi-label question counts.
        rewrites: ``each`` of several different texts, or only their ``medoid``.
        labels: old label to new one: answers with a label that the template has no more are brought over.
        weights: annotator to weight; who is not in it has a full voice, 1.

    Raises:
        UsageError: one of these has no such value.

    >>> from bridge.templates import load_template
    >>> answers = [Annotation("r1", who, answers={"rating": rating}) for who, rating in (("ann", 4), ("bo", 5))]
    >>> result = merge(answers, load_template("rating"))
    >>> [(case.record, case.question, case.reason) for case in result.unresolved]
    [('r1', 'rating', 'the middle grades are 4 and 5')]
    """
    rule = Rule(quorum, method, threshold, rewrites, labels or {}, weights or {})
    rule.check(template)
    result = MergeResult(rule=rule.to_dict())
    known = {record.key: record for record in records or ()}
    cases = [
        _case(key, group, template, known.get(key), rule, result)
        for key, group in groupby(newest(annotations), key=lambda annotation: annotation.record)
    ]
    modelled = _model(template, cases, rule, result)
    _warn(template, cases, result)
    for case in cases:
        merged = {}
        for question in template.questions:
            answer = merged[question.name] = _merge_question(question, case, rule, modelled.get(question.name))
            if answer.outcome in ("tie", "no_quorum"):
                result.unresolved.append(Unresolved(case.key, question.name, answer.reason, answer.outcome))
        result.kept.append(Merged(case.key, merged))
    return result


@dataclass(slots=True)
class _Case:
    """A record, and the answers to it that count: annotator to question to answer."""

    key: str
    record: Record | None
    prefill: dict[str, str]
    people: dict[str, dict[str, Value]] = field(default_factory=dict)

    def answers(self, question: str) -> dict[str, Value]:
        return {who: given[question] for who, given in self.people.items() if question in given}

    def text(self, question: Question) -> str | None:
        """What a text question starts with, or a span question is about."""
        if isinstance(question, SpanQuestion):
            return _text_field(self.record, question.field)
        return self.prefill.get(question.name)


def _text_field(record: Record | None, name: str) -> str | None:
    """The text of a field, if the record is known and has it as a text."""
    value = record.fields.get(name) if record else None
    return value if isinstance(value, str) else None


def _case(
    key: str,
    group: Iterable[Annotation],
    template: TaskTemplate,
    record: Record | None,
    rule: Rule,
    result: MergeResult,
) -> _Case:
    case = _Case(key, record, template.prefilled(record) if record else {})
    fields = record.fields if record else None
    for annotation in group:
        why = why_not(annotation, record)
        if why != "submitted":
            result.dropped.append(Dropped(key, annotation.annotator, why))
            continue
        answers, problems = check_answers(annotation, template, fields, case.prefill, rule.labels)
        result.problems.extend(problems)
        if annotation.annotator.strip():
            case.people[annotation.annotator] = answers
    return case


def _model(
    template: TaskTemplate, cases: list[_Case], rule: Rule, result: MergeResult
) -> dict[str, dict[str, MergedAnswer]]:
    """Question to record to answer, for questions that a model merges; what it says of itself goes to the result."""
    found: dict[str, dict[str, MergedAnswer]] = {}
    if rule.method != "dawid-skene":
        return found
    if not any(map(can_model, template.questions)):
        result.warnings.append(_NO_MODEL)
    for question in template.questions:
        given = {case.key: answers for case in cases if (answers := case.answers(question.name))}
        if not given or not can_model(question):
            continue
        if isinstance(question, SpanQuestion):
            texts = {case.key: text for case in cases if (text := case.text(question)) is not None}
            said = model_spans(question, given, texts, rule)
        else:
            assert isinstance(question, LabelQuestion)
            said = model_labels(question, given, rule)
        found[question.name] = said.answers
        result.warnings.extend(said.doubts)
        result.rule.setdefault("questions", {})[question.name] = said.report
    return found


def _warn(template: TaskTemplate, cases: list[_Case], result: MergeResult) -> None:
    """Add what is doubtful about the answers themselves, and has not been said by a model."""
    if not any(case.people for case in cases):
        return
    from bridge.merging.warned import warned  # it loads numpy

    for question in template.questions:
        name = question.name
        given = [(case.key, who, of[name]) for case in cases for who, of in case.people.items() if name in of]
        originals = {case.key: case.prefill[name] for case in cases if name in case.prefill}
        result.warnings.extend(doubt for doubt in warned(question, given, originals) if doubt not in result.warnings)


_NO_MODEL = Doubt(
    "no_model",
    "Dawid-Skene is a model of labels and of marked passages, and this template asks for neither (preferences are "
    "votes): each kind was merged in its usual way",
    "leave the method out",
)


def _merge_question(
    question: Question, case: _Case, rule: Rule, modelled: Mapping[str, MergedAnswer] | None
) -> MergedAnswer:
    answers = case.answers(question.name)
    if not answers:
        return MergedAnswer("abstained")
    merged = (modelled or {}).get(case.key) or KINDS[question.type](question, answers, rule, case.text(question))
    present = len(case.people if isinstance(question, TextQuestion) else answers)
    if present < rule.quorum:
        return replace(merged, outcome="no_quorum", value=None, support=0, reason=f"{present} of {rule.quorum} answers")
    return merged
