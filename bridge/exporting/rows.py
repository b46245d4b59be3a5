"""Training rows: what a template's ``training`` section makes of records and merged answers, in no format yet.

Texts are stripped of white space around them, because trainers and chat templates treat it in different ways.
A record that yields no row is counted once, under the first of :data:`~bridge.exporting.reasons.REASONS` that is true
of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from bridge.errors import ExportError, ValueRejected
from bridge.exporting.preferences import preference
from bridge.exporting.reasons import REASONS, Dropped, NoRow, tie
from bridge.exporting.row import KINDS, Kind, Row, RowsResult
from bridge.merging.merged import Merged, MergedAnswer
from bridge.merging.settle import adjudicators, voices
from bridge.questions import Bounds, Condition, Conditions, LabelQuestion, RankingQuestion, TextQuestion, holds
from bridge.records import ROLES, Message, Record, answer_text, text_of
from bridge.templates import DpoSource, SftSource, TaskTemplate, Training
from bridge.text import same_text


def training_rows(
    kind: Kind, records: Iterable[Record], merged: Iterable[Merged], template: TaskTemplate
) -> RowsResult:
    """Make training rows by the rules of the template.

    For SFT the first rule that yields rows for a record is used, for DPO all of them are.

    Raises:
        ExportError: the template does not say how its answers become such rows.

    >>> from bridge.templates import load_template
    >>> record = Record("r1", {"prompt": "2 + 2?", "response": "4"})
    >>> answers = {"rating": {"outcome": "agreed", "value": 5, "annotators": {"ann": 5}}}
    >>> merged = Merged.from_dict({"record": "r1", "answers": answers})
    >>> [(row.completion, row.source) for row in training_rows("sft", [record], [merged], load_template("rating")).kept]
    [('4', 'use: response')]
    """
    training, sources = _sources(kind, template)
    known = {record.key: record for record in records}
    answered = {entry.record: entry for entry in merged}
    result = RowsResult()
    for key in sorted(known.keys() | answered.keys()):
        try:
            if key not in answered:
                raise NoRow("not_merged")
            if key not in known:
                raise NoRow("unknown_record")
            case = _Case(known[key], answered[key], template, training)
            case.check()
            case.prompt({})
            result.kept.extend(_all_rows(case, sources, first_only=kind == "sft"))
        except NoRow as why:
            result.dropped.append(Dropped(key, why.reason, why.text))
    return result


def _all_rows(case: _Case, sources: Sequence[SftSource | DpoSource], *, first_only: bool) -> list[Row]:
    found: list[Row] = []
    failed: list[NoRow] = []
    for source in sources:
        try:
            found += case.rows(source)
        except NoRow as why:
            failed.append(why)
        if found and first_only:
            break
    if found:
        return found
    precedence = list(REASONS)
    first = min(failed, key=lambda why: precedence.index(why.reason))
    raise NoRow(first.reason, text="; ".join(dict.fromkeys(why.text for why in failed)))


def _sources(kind: Kind, template: TaskTemplate) -> tuple[Training, Sequence[SftSource | DpoSource]]:
    training = template.training
    if training is None:
        raise ExportError(
            f"the template {template.name!r} does not say how its answers become training rows",
            remedy="add a 'training' section to it, as the ready-made ones have: annobridge templates show review",
        )
    sources: Sequence[SftSource | DpoSource] = training.sft if kind == "sft" else training.dpo
    if not sources:
        other = next((name for name in KINDS if getattr(training, name)), None)
        remedy = f"add {kind!r} rules to its 'training' section"
        raise ExportError(
            f"the template {template.name!r} has no rule for {kind} rows",
            remedy=f"{remedy}, or ask for {other}" if other else remedy,
        )
    return training, sources


class _Case:
    """One record and what people say about it."""

    def __init__(self, record: Record, merged: Merged, template: TaskTemplate, training: Training) -> None:
        self._record, self._template, self._training = record, template, training
        self._answers = merged.answers
        self._questions = {question.name: question for question in template.questions}
        self._originals = template.prefilled(record)
        self._origin = origin(record)
        self._prompts = {
            question.prefill: question.name
            for question in template.questions
            if isinstance(question, TextQuestion)
            and question.prefill in training.prompt
            and isinstance(record.fields.get(question.prefill), str)
        }

    def prompt(self, instead: Mapping[str, str]) -> list[Message]:
        """The messages before the answer, with other texts in the place of some fields."""
        record = replace(self._record, fields={**self._record.fields, **instead}) if instead else self._record
        return _prompt(record, self._template, self._training)

    def check(self) -> None:
        """Refuse what :func:`~bridge.merging.merge` would not have said of this record with this template."""
        if all(answer.outcome == "abstained" for answer in self._answers.values()):
            raise NoRow("skipped")
        for name, question in self._questions.items():
            answer = self._answers.get(name, _NOBODY)
            texts = [entry["value"] for entry in _entries(answer)]
            try:
                for value in texts if isinstance(question, TextQuestion) else [answer.value]:
                    if answer.outcome == "agreed":
                        question.validate(value, self._record.fields)
            except ValueRejected as error:
                raise NoRow("invalid", text=error.reason) from None

    def rows(self, source: SftSource | DpoSource) -> list[Row]:
        """The rows that one rule of the template makes; at least one."""
        self._require(source.when)
        rows = self._sft(source) if isinstance(source, SftSource) else self._dpo(source)
        settled = self._settled(source)
        model, licence, root = self._origin
        return [replace(row, adjudicated=settled, model=model, licence=licence, root=root) for row in rows]

    def _settled(self, source: SftSource | DpoSource) -> dict[str, tuple[str, ...]]:
        """Which of the questions that a rule looks at were adjudicated, and by whom."""
        parts = (source.use,) if isinstance(source, SftSource) else (source.chosen, source.rejected, source.pairs)
        deciding = {name: adjudicators(self._answers.get(name, _NOBODY)) for name in (*source.when, *parts) if name}
        return {name: tuple(sorted(people)) for name, people in deciding.items() if people}

    def _sft(self, source: SftSource) -> list[Row]:
        rule = f"use: {source.use}"
        question = self._questions.get(source.use)
        if isinstance(question, LabelQuestion | RankingQuestion):
            found = preference(question, self._answer(source.use))
            if not found.best:
                raise NoRow("tie", source.use, "several responses share rank 1")
            texts = [_Text(self._field(found.best), found.annotators)]
        else:
            texts = self._texts(source.use, source.when)
        return [
            Row(
                self._record.key,
                "sft",
                self.prompt(text.instead),
                completion=text.text,
                source=rule,
                annotators=text.annotators,
            )
            for text in texts
        ]

    def _dpo(self, source: DpoSource) -> list[Row]:
        pairs: list[tuple[str, str, tuple[str, ...], float | None]]
        if source.pairs is not None:
            rule = f"pairs: {source.pairs}"
            question = self._questions[source.pairs]
            assert isinstance(question, LabelQuestion | RankingQuestion)
            pairs = [
                (self._field(pair.chosen), self._field(pair.rejected), pair.annotators, pair.margin)
                for pair in preference(question, self._answer(source.pairs)).pairs
            ]
        else:
            assert source.chosen is not None
            assert source.rejected is not None
            rule = f"chosen: {source.chosen}, rejected: {source.rejected}"
            # Whoever wrote one of the two stands behind the pair.
            written = source.chosen in self._questions
            pairs = [
                (chosen.text, rejected.text, (chosen if written else rejected).annotators, None)
                for chosen in self._texts(source.chosen, source.when)
                for rejected in self._texts(source.rejected, source.when)
                if not (chosen.instead or rejected.instead)
            ]
            if not pairs:
                raise NoRow("changed_prompt", rule)
        prompt = self.prompt({})
        rows = [
            Row(self._record.key, "dpo", prompt, "", chosen, rejected, rule, annotators, margin)
            for chosen, rejected, annotators, margin in pairs
            if not same_text(chosen, rejected)
        ]
        if not rows:
            raise NoRow("equal", rule)
        return rows

    def _answer(self, name: str) -> MergedAnswer:
        answer = self._answers.get(name, _NOBODY)
        if answer.outcome == "abstained":
            raise NoRow("unanswered", name, "nobody answered")
        if answer.outcome == "no_quorum":
            raise NoRow("no_quorum", name, answer.reason)
        return answer

    def _require(self, conditions: Conditions) -> None:
        for name, condition in conditions.items():
            answer = self._answer(name)
            met = [holds(condition, answer.value)]
            if answer.outcome == "tie":
                # Between two middle grades lies no answer; but what is true of both is true.
                met = [holds(condition, answer.details.get(middle)) for middle in ("low", "high")]
                if "low" not in answer.details or len(set(met)) > 1:
                    raise tie(name, answer)
            if not all(met):
                raise NoRow("condition", text=f"{name} is not {_wanted(condition)}")

    def _behind(self, conditions: Conditions) -> tuple[str, ...]:
        """Whose answers let a field through: those who meet all conditions; if nobody does, any of them.

        And those who decided that a condition is met.
        """
        meeting = [
            {who for who, value in self._answer(name).annotators.items() if holds(condition, value)}
            for name, condition in conditions.items()
        ] or [{who for answer in self._answers.values() for who in answer.annotators}]
        deciding = {
            who
            for name, condition in conditions.items()
            for who, value in adjudicators(self._answer(name)).items()
            if holds(condition, value)
        }
        return tuple(sorted((set.intersection(*meeting) or set.union(*meeting)) | deciding))

    def _texts(self, name: str, conditions: Conditions) -> list[_Text]:
        """The text of a field, or the rewrites that a question brought."""
        if name not in self._questions:
            return [_Text(self._field(name), self._behind(conditions))]
        answer = self._answer(name)
        if answer.outcome == "tie":
            raise tie(name, answer)
        original = self._originals.get(name)
        rewrites = [
            _Text(entry["value"].strip(), annotators, instead)
            for entry in _entries(answer)
            if not entry.get("unchanged") and (original is None or not same_text(entry["value"], original))
            for instead, annotators in self._by_prompt(entry["annotators"])
        ]
        if not rewrites:
            raise NoRow("unchanged_rewrite", name)
        return rewrites

    def _by_prompt(self, annotators: Iterable[str]) -> Iterator[tuple[dict[str, str], tuple[str, ...]]]:
        """People who wrote the same, parted by how each of them changed the prompt: other prompts, other answers."""
        groups: dict[tuple[tuple[str, str], ...], list[str]] = {}
        for who in sorted(annotators):
            changed = []
            for name, question in self._prompts.items():
                prompt = voices(self._answers.get(question, _NOBODY)).get(who)
                if isinstance(prompt, str) and not same_text(prompt, self._originals[question]):
                    changed.append((name, prompt.strip()))
            groups.setdefault(tuple(changed), []).append(who)
        for instead, people in sorted(groups.items()) or [((), [])]:
            yield dict(instead), tuple(people)

    def _field(self, name: str) -> str:
        value = self._record.fields.get(name, "")
        text = answer_text(value).strip()
        if not text:
            raise NoRow("no_answer_turn" if isinstance(value, list) else "blank", name)
        return text


class Origin(NamedTuple):
    """What a record's metadata say of where it comes from; empty where they do not say."""

    model: str
    licence: str
    root: str


def origin(record: Record) -> Origin:
    """Where a record comes from.

    >>> origin(Record("r1", {}, metadata={"model_name": "m-7b", "license": "MIT", "pages": 3}))
    Origin(model='m-7b', licence='MIT', root='')
    """

    def first(*keys: str) -> str:
        return next((text.strip() for key in keys if isinstance(text := record.metadata.get(key), str)), "")

    return Origin(first("model", "model_name"), first("licence", "license"), first("root_id"))


class _Text(NamedTuple):
    """A text, who stands behind it, and the texts that its author put in the place of fields of the prompt."""

    text: str
    annotators: tuple[str, ...]
    instead: Mapping[str, str] = {}


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


def _prompt(record: Record, template: TaskTemplate, training: Training) -> list[Message]:
    """The messages before the answer.

    A single chat gives its own messages, without the last one if that is the assistant's, and an instruction goes to
    the front of its system message. Other fields are put after the instruction, with blank lines between them, as
    one message of the user.
    """
    shown = {name: record.fields[name] for name in training.prompt if record.fields.get(name)}
    for name, value in shown.items():
        spec = template.field_for(name)
        if spec and spec.type == "chat" and isinstance(value, list) and value[-1]["role"] == "assistant":
            shown[name] = value[:-1]
    instruction = training.instruction.strip()
    chat = next(iter(shown.values()), None)
    spec = template.field_for(training.prompt[0])
    if not (len(training.prompt) == 1 and spec and spec.type == "chat" and isinstance(chat, list)):
        texts = [instruction, *(text_of(value).strip() for value in shown.values())]
        if not any(texts[1:]):
            raise NoRow("blank", " and ".join(training.prompt))
        return [{"role": "user", "content": "\n\n".join(filter(None, texts))}]
    messages = [{"role": message["role"], "content": message["content"].strip()} for message in chat]
    strangers = sorted({message["role"] for message in messages} - set(ROLES))
    if strangers:
        raise NoRow("role", training.prompt[0], f"the role {strangers[0]!r:.60} is none of {', '.join(ROLES)}")
    if not messages or messages[-1]["role"] not in ("user", "tool"):
        raise NoRow("role", training.prompt[0], "no turn of the user stands before the answer")
    if not all(message["content"] for message in messages):
        raise NoRow("blank", training.prompt[0], "a message is blank")
    if instruction:
        system = messages.pop(0)["content"] if messages[0]["role"] == "system" else ""
        messages.insert(0, {"role": "system", "content": f"{instruction}\n\n{system}".strip()})
    return messages
