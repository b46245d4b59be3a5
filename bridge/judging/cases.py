"""Judged records beside people's answers: what a report needs of each record, and nothing more."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from bridge.annotations import Annotation, newest
from bridge.errors import InputError, UsageError
from bridge.judging.chances import Logged, logged
from bridge.judging.judgement import Judgement, judgements
from bridge.merging.validate import check_answers, why_not
from bridge.questions import LabelQuestion, Question, RatingQuestion
from bridge.records import FieldValue, Record, Value, answer_text, text_of
from bridge.templates import TaskTemplate


@dataclass(frozen=True, slots=True)
class Case:
    """One judged record and one question.

    Args:
        key: of the record.
        judgement: of the judges, without their rationales.
        lengths: field to how long its text is, for the fields that were judged.
        people: pseudonym to that person's answer.
        log: with which chance people were asked.
    """

    key: str
    judgement: Judgement
    lengths: Mapping[str, int]
    people: Mapping[str, Value]
    log: Logged


@dataclass(frozen=True, slots=True)
class Judged:
    """All cases of a set.

    Args:
        records: how many records there are.
        questions: question to its cases, in the order of the template.
        foreign: answers to records that are not in the set.
    """

    records: int
    questions: Mapping[str, tuple[Question, list[Case]]]
    foreign: int


def cases(records: Iterable[Record], annotations: Iterable[Annotation], template: TaskTemplate) -> Judged:
    """Bring judged records and people's answers together.

    What counts of the answers is what counts in a merge: of each person the newest, submitted, allowed by the template.

    Raises:
        UsageError: no record was judged, the template does not have the question, or no person answered a judged one.
        InputError: metadata that `annobridge judge` did not write, an answer of judges that the template does not have,
            or a record twice.
    """
    given: dict[str, list[Annotation]] = {}
    for annotation in newest(annotations):
        given.setdefault(annotation.record, []).append(annotation)
    questions: dict[str, tuple[Question, list[Case]]] = {
        question.name: (question, []) for question in template.questions
    }
    seen: set[str] = set()
    answered = 0
    for record in records:
        if record.key in seen:
            raise InputError(f"record {record.key!r:.80}: twice", remedy="name each file once")
        seen.add(record.key)
        found = judgements(record)
        if not found:
            continue
        people = _answers(record, given.get(record.key, ()), template)
        log = logged(record)
        for name, judgement in found.items():
            if name not in questions or not isinstance(questions[name][0], RatingQuestion | LabelQuestion):
                raise UsageError(
                    f"the records were judged on {name!r:.60}, which is no rating or label of {template.name!r}",
                    remedy="name the template that they were judged with",
                )
            _on_scale(record, questions[name][0], judgement)
            mine = {who: answers[name] for who, answers in people.items() if name in answers}
            answered += bool(mine)
            lengths = {field: _length(record.fields.get(field, "")) for field in judgement.responses}
            questions[name][1].append(Case(record.key, _short(judgement), lengths, mine, log))
    judged = {name: pair for name, pair in questions.items() if pair[1]}
    if not judged:
        raise UsageError("no record was judged", remedy="run `annobridge judge` first, and name the file it wrote")
    if not answered:
        raise UsageError(
            "there are no answers of people to compare with: none is to a record and question that was judged",
            remedy="pull people's answers first; the records must have the keys with which they were pushed",
        )
    return Judged(len(seen), judged, sum(len(mine) for key, mine in given.items() if key not in seen))


def _on_scale(record: Record, question: Question, judgement: Judgement) -> None:
    """Refuse answers of judges that the template does not have."""
    if isinstance(question, RatingQuestion):
        there: Collection[object] = range(question.min, question.max + 1)
    else:
        there = question.values if isinstance(question, LabelQuestion) else ()
    for value in (judgement.value, *(one.value for one in judgement.opinions)):
        if value is not None and value not in there:
            raise InputError(
                f"record {record.key!r:.80}: {value!r:.40} of the judges is no answer to {question.name}",
                remedy="name the template that the records were judged with",
            )


def _answers(
    record: Record, annotations: Iterable[Annotation], template: TaskTemplate
) -> dict[str, Mapping[str, Value]]:
    prefilled = template.prefilled(record)
    found: dict[str, Mapping[str, Value]] = {}
    for annotation in annotations:
        if annotation.annotator.strip() and why_not(annotation, record) == "submitted":
            found[annotation.annotator] = check_answers(annotation, template, record.fields, prefilled)[0]
    return found


def _length(value: FieldValue) -> int:
    return len(answer_text(value) or text_of(value))


def _short(judgement: Judgement) -> Judgement:
    """Without the rationales, so that large sets fit into memory."""
    opinions = tuple(
        replace(one, readings=tuple(replace(reading, rationale="", request="") for reading in one.readings))
        for one in judgement.opinions
    )
    return replace(judgement, opinions=opinions)
