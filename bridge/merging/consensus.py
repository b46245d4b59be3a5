"""The merge: from annotations to one answer per record and question, or to a doubt with a name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

from bridge.annotations import Annotation, newest
from bridge.errors import UsageError
from bridge.merging.kinds import KINDS
from bridge.merging.merged import Merged, MergedAnswer
from bridge.merging.validate import Problem, check_answers
from bridge.questions import Question, TextQuestion
from bridge.records import Record, Value, record_key
from bridge.templates import TaskTemplate


@dataclass(frozen=True, slots=True)
class Unresolved:
    """A question of a record that has answers, but not one answer."""

    record: str
    question: str
    reason: str

    def to_dict(self) -> dict[str, str]:
        """The case as a line of a file or a report."""
        return {"record": self.record, "question": self.question, "reason": self.reason}


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
        merged: one entry per annotated record, sorted by key.
        unresolved: questions that ended in a tie or without a quorum.
        dropped: annotations that do not count.
        problems: answers that are wrong or missing.
        rule: how it was merged, for the manifests of exports.
    """

    merged: list[Merged] = field(default_factory=list)
    unresolved: list[Unresolved] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    rule: dict[str, Any] = field(default_factory=dict)

    def outcomes(self) -> dict[str, dict[str, int]]:
        """Question to outcome to number of records.

        >>> from bridge.templates import load_template
        >>> merge([Annotation("r1", "ann", answers={"rating": 4})], load_template("rating")).outcomes()
        {'rating': {'agreed': 1}}
        """
        counts: dict[str, Counter[str]] = {}
        for merged in self.merged:
            for name, answer in merged.answers.items():
                counts.setdefault(name, Counter())[answer.outcome] += 1
        return {name: dict(sorted(count.items())) for name, count in counts.items()}


def merge(
    annotations: Iterable[Annotation],
    template: TaskTemplate,
    records: Iterable[Record] | None = None,
    *,
    quorum: int = 1,
) -> MergeResult:
    """Merge everybody's answers into one per record and question. The order of the annotations never matters.

    Only submitted annotations count: a skip, a draft or a withdrawn answer is a missing value. One person counts once
    per record, with the newest answer. How answers become one is said in :mod:`bridge.merging.kinds`.

    Args:
        annotations: what people answered, in any order, with or without older revisions.
        template: the task.
        records: what they were shown, where it is known: spans and ranked items are checked against it, and a
            rewrite can be told from a text that was left as it was.
        quorum: how many answers a question needs. Texts do not compete, so for them it is how many people
            submitted the record at all.

    Raises:
        UsageError: the quorum is below 1.

    >>> from bridge.templates import load_template
    >>> answers = [Annotation("r1", who, answers={"rating": rating}) for who, rating in (("ann", 4), ("bo", 5))]
    >>> result = merge(answers, load_template("rating"))
    >>> [(case.record, case.question, case.reason) for case in result.unresolved]
    [('r1', 'rating', 'the middle grades are 4 and 5')]
    """
    if quorum < 1:
        raise UsageError(f"a quorum of {quorum} is no quorum", remedy="ask for 1 answer or more")
    known = {record.key: record for record in records or ()}
    result = MergeResult(rule={"method": "majority", "quorum": quorum})
    for key, group in groupby(newest(annotations), key=lambda annotation: annotation.record):
        record = known.get(key)
        fields, prefill = (record.fields, template.prefilled(record)) if record else (None, {})
        people: dict[str, dict[str, Value]] = {}
        for annotation in group:
            why = _why_not(annotation, record)
            if why != "submitted":
                result.dropped.append(Dropped(key, annotation.annotator, why))
                continue
            answers, problems = check_answers(annotation, template, fields, prefill)
            result.problems.extend(problems)
            if annotation.annotator.strip():
                people[annotation.annotator] = answers
        merged = {q.name: _merge_question(q, people, prefill.get(q.name), quorum) for q in template.questions}
        result.merged.append(Merged(key, merged))
        result.unresolved.extend(
            Unresolved(key, name, answer.reason)
            for name, answer in merged.items()
            if answer.outcome in ("tie", "no_quorum")
        )
    return result


def _why_not(annotation: Annotation, record: Record | None) -> str:
    """``submitted`` if the annotation counts, else why it does not."""
    if annotation.deleted:
        return "deleted"
    judged = annotation.source.get("content")
    if judged and record and judged != record.key and judged != record_key(record.fields):
        return "changed"
    return annotation.status


def _merge_question(
    question: Question, people: dict[str, dict[str, Value]], prefill: str | None, quorum: int
) -> MergedAnswer:
    answers = {who: given[question.name] for who, given in people.items() if question.name in given}
    if not answers:
        return MergedAnswer("abstained")
    merged = KINDS[question.type](question, answers, prefill)
    present = len(people if isinstance(question, TextQuestion) else answers)
    if present < quorum:
        return replace(merged, outcome="no_quorum", value=None, support=0, reason=f"{present} of {quorum} answers")
    return merged
