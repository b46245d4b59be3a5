"""One record and what people say about it: the texts that rows are made of, and whether a rule lets them through."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from sys import maxsize
from typing import Any, NamedTuple

from bridge.errors import ValueRejected
from bridge.exporting.origins import Origin, origin, writer
from bridge.exporting.prompts import prompt_messages
from bridge.exporting.reasons import NoRow, tie
from bridge.exporting.row import Kind, Row
from bridge.merging.merged import Merged, MergedAnswer
from bridge.merging.settle import adjudicators, voices
from bridge.questions import Bounds, Condition, Conditions, Question, TextQuestion, holds
from bridge.records import Message, Record, answer_text, text_of
from bridge.templates import TaskTemplate
from bridge.text import check_text, same_text


class Text(NamedTuple):
    """A text, who stands behind it, and the texts that its author put in the place of fields of the prompt."""

    text: str
    annotators: tuple[str, ...]
    instead: Mapping[str, str] = {}


class Task:
    """A template with training rules, and what all of its records have in common."""

    def __init__(self, template: TaskTemplate) -> None:
        assert template.training is not None
        training = template.training
        self.template, self.training = template, training
        self.questions: dict[str, Question] = {question.name: question for question in template.questions}
        self.rewritten = [
            (question.prefill, question.name)
            for question in template.questions
            if isinstance(question, TextQuestion) and question.prefill and question.prefill in training.prompt
        ]
        """Fields of the prompt that people can rewrite, and the question that asks them to."""


class Case:
    """One record and what people say about it. All methods raise :class:`NoRow` where there is no row to be had."""

    def __init__(self, record: Record, merged: Merged, task: Task) -> None:
        self.key = record.key
        self.questions = task.questions
        self._record, self._task = record, task
        self._answers = merged.answers
        # Not a cached_property: until Python 3.12 each of those waits for a lock.
        self._origin: Origin | None = None
        self._messages: list[Message] | None = None

    @property
    def origin(self) -> Origin:
        """What the record's metadata say of where it comes from."""
        if self._origin is None:
            self._origin = origin(self._record)
        return self._origin

    @cached_property
    def _originals(self) -> dict[str, str]:
        return self._task.template.prefilled(self._record)

    def row(self, kind: Kind, *, model: str = "", **values: Any) -> Row:
        """A row of this record, with what its metadata say of where it comes from."""
        known = self.origin
        return Row(self.key, kind, model=model or known.model, licence=known.licence, root=known.root, **values)

    def check(self) -> None:
        """Refuse what :func:`~bridge.merging.merge` would not have said of this record with this template, and texts
        that no trainer reads: records of a file have none, those of a program may."""
        if all(answer.outcome == "abstained" for answer in self._answers.values()):
            raise NoRow("skipped")
        for name, question in self.questions.items():
            answer = self._answers.get(name, _NOBODY)
            if answer.outcome != "agreed":
                continue
            is_text = isinstance(question, TextQuestion)
            try:
                for value in [entry["value"] for entry in _entries(answer)] if is_text else [answer.value]:
                    question.validate(value, self._record.fields)
            except ValueRejected as error:
                raise NoRow("invalid", text=error.reason) from None
        for name, given in self._record.fields.items():
            try:
                check_text(text_of(given), name, limit=maxsize)
            except ValueRejected as error:
                raise NoRow("invalid", text=error.reason) from None

    def prompt(self, instead: Mapping[str, str] = {}) -> list[Message]:
        """The messages before the answer, with other texts in the place of some fields."""
        if not instead:
            if self._messages is None:
                self._messages = prompt_messages(self._record, self._task.template, self._task.training)
            return self._messages
        record = replace(self._record, fields={**self._record.fields, **instead})
        return prompt_messages(record, self._task.template, self._task.training)

    def field(self, name: str) -> str:
        """The text of a field, or the answer that its conversation ends with."""
        value = self._record.fields.get(name, "")
        text = answer_text(value).strip()
        if not text:
            raise NoRow("no_answer_turn" if isinstance(value, list) else "blank", name)
        return text

    @property
    def fields(self) -> Mapping[str, Any]:
        """What the record holds."""
        return self._record.fields

    def siblings(self, field: str) -> list[str]:
        """The responses that stand beside one and have its name but for the ending, such as ``response_a``, itself
        included; or the field alone."""
        stem = field.rpartition("_")[0]
        return [name for name in self.fields if stem and name.rpartition("_")[0] == stem] or [field]

    def writer(self, field: str, among: Sequence[str]) -> str:
        """Which model wrote one of several responses, as far as it is known."""
        return writer(self._record, field, [name for name in among if self._record.fields.get(name)])

    def answer(self, name: str) -> MergedAnswer:
        """What people say to a question, if enough of them do."""
        answer = self._answers.get(name, _NOBODY)
        if answer.outcome == "abstained":
            raise NoRow("unanswered", name, "nobody answered")
        if answer.outcome == "no_quorum":
            raise NoRow("no_quorum", name, answer.reason)
        return answer

    @property
    def adjudicated(self) -> bool:
        """Whether any question was."""
        return any("adjudicated" in answer.details for answer in self._answers.values())

    def settled(self, names: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Which of these questions were adjudicated, and by whom."""
        deciding = {name: adjudicators(self._answers.get(name, _NOBODY)) for name in names}
        return {name: tuple(sorted(people)) for name, people in deciding.items() if people}

    # -- conditions

    def require(self, conditions: Conditions) -> None:
        """Let the record through only if all conditions hold."""
        for name, condition in conditions.items():
            if not self._holds(name, condition):
                raise NoRow("condition", text=f"{name} is not {_wanted(condition)}")

    def meets(self, conditions: Conditions) -> bool:
        """Whether all conditions hold. One that surely does not settles it, whatever is unknown about the others."""
        unknown: NoRow | None = None
        for name, condition in conditions.items():
            try:
                if not self._holds(name, condition):
                    return False
            except NoRow as why:
                unknown = unknown or why
        if unknown:
            raise unknown
        return True

    def _holds(self, name: str, condition: Condition) -> bool:
        answer = self.answer(name)
        if answer.outcome != "tie":
            return holds(condition, answer.value)
        # Between two middle grades lies no answer; but what is true of both is true.
        met = {holds(condition, answer.details.get(middle)) for middle in ("low", "high")}
        if "low" not in answer.details or len(met) > 1:
            raise tie(name, answer)
        return met.pop()

    def behind(self, conditions: Conditions) -> tuple[str, ...]:
        """Whose answers let a field through: those who meet all conditions; if nobody does, any of them.

        And those who decided that a condition is met.
        """
        meeting = [
            {who for who, value in self.answer(name).annotators.items() if holds(condition, value)}
            for name, condition in conditions.items()
        ] or [{who for answer in self._answers.values() for who in answer.annotators}]
        deciding = {
            who
            for name, condition in conditions.items()
            for who, value in adjudicators(self.answer(name)).items()
            if holds(condition, value)
        }
        return tuple(sorted((set.intersection(*meeting) or set.union(*meeting)) | deciding))

    # -- texts

    def texts(self, name: str, conditions: Conditions) -> list[Text]:
        """The text of a field, or the rewrites that a question brought."""
        if name not in self.questions:
            return [Text(self.field(name), self.behind(conditions))]
        answer = self.answer(name)
        if answer.outcome == "tie":
            raise tie(name, answer)
        original = self._originals.get(name)
        rewrites = [
            Text(entry["value"].strip(), annotators, instead)
            for entry in _entries(answer)
            if not entry.get("unchanged") and (original is None or not same_text(entry["value"], original))
            for instead, annotators in self._by_prompt(entry["annotators"])
        ]
        if not rewrites:
            raise NoRow("unchanged_rewrite", name)
        return rewrites

    def approved(self, name: str) -> list[Text]:
        """The text that a question started with, if somebody left it as it was and nobody changed it."""
        original = self._originals.get(name, "")
        left = [who for who, text in voices(self.answer(name)).items() if self._is_original(name, text)]
        if not original.strip() or not left:
            raise NoRow("unchanged_rewrite", name)
        return [Text(original.strip(), annotators, instead) for instead, annotators in self._by_prompt(left)]

    def changed(self, name: str) -> tuple[int, int]:
        """How many people changed the text that a question started with, and how many left it as it was."""
        left = [self._is_original(name, text) for text in voices(self.answer(name)).values()]
        return len(left) - sum(left), sum(left)

    def _is_original(self, name: str, text: Any) -> bool:
        return isinstance(text, str) and same_text(text, self._originals.get(name, ""))

    def _by_prompt(self, annotators: Iterable[str]) -> Iterator[tuple[dict[str, str], tuple[str, ...]]]:
        """People who wrote the same, parted by how each of them changed the prompt: other prompts, other answers."""
        groups: dict[tuple[tuple[str, str], ...], list[str]] = {}
        for who in sorted(annotators):
            changed = []
            for name, question in self._task.rewritten:
                if not isinstance(self._record.fields.get(name), str):
                    continue
                prompt = voices(self._answers.get(question, _NOBODY)).get(who)
                if isinstance(prompt, str) and not same_text(prompt, self._originals[question]):
                    changed.append((name, prompt.strip()))
            groups.setdefault(tuple(changed), []).append(who)
        for instead, people in sorted(groups.items()) or [((), [])]:
            yield dict(instead), tuple(people)


class Cases(Sequence[Case]):
    """All records that people answered, each made into a case when it is asked for.

    Args:
        records, answered: what they are made of.
        pairs: the place of each record, and that of its answers.
        task: what they have in common.
    """

    def __init__(
        self, records: Sequence[Record], answered: Sequence[Merged], pairs: Sequence[tuple[int, int]], task: Task
    ) -> None:
        self._records, self._answered, self._pairs, self._task = records, answered, pairs, task

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, index: Any) -> Any:
        record, answers = self._pairs[index]
        return Case(self._records[record], self._answered[answers], self._task)


_NOBODY = MergedAnswer("abstained")


def _entries(answer: MergedAnswer) -> list[dict[str, Any]]:
    """The texts of a text question that count; merged lines that other tools wrote may have only the one."""
    alone = [] if answer.value is None else [{"value": answer.value, "annotators": list(answer.annotators)}]
    entries: list[dict[str, Any]] = answer.details.get("values", alone)
    return [entry for entry in entries if "medoid" in entry] or entries


def _wanted(condition: Condition) -> str:
    if not isinstance(condition, Bounds):
        return " or ".join(condition)
    if condition.min is None:
        return f"{condition.max} or lower"
    return f"{condition.min} or higher" if condition.max is None else f"from {condition.min} to {condition.max}"
