"""Blind order: fields that are compared change their places, record by record, and answers are brought back.

The order is drawn from the seed and from what the record says. So it needs no table: whoever has the record and the
seed knows in which order it was shown, and nobody else does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bridge.annotations import Annotation
from bridge.errors import ValueRejected
from bridge.merging.audits import Won
from bridge.merging.validate import why_not
from bridge.presenting import draws
from bridge.presenting.choices import Choices, choices
from bridge.records import FieldValue, Record, record_key
from bridge.templates import TaskTemplate


@dataclass(frozen=True)
class Blind:
    """The order in which each record is shown.

    Args:
        seed: decides it; only who has it can tell.
        choices: what changes places.
        without: a field that has no part in the draw; it may speak of the order.

    >>> from bridge.templates import load_template
    >>> blind = Blind.of(load_template("preference"), seed=1)
    >>> record = Record("r1", {"prompt": "2 + 2?", "response_a": "4", "response_b": "5"})
    >>> blind.fields(record)["response_a"], blind.order(record)
    ('5', ('response_b', 'response_a'))
    >>> blind.undone(record, {"preference": "A"})
    {'preference': 'B'}
    """

    seed: int
    choices: Choices
    without: str = ""

    @classmethod
    def of(cls, template: TaskTemplate, seed: int, without: str = "") -> Blind:
        """The blind order for a template.

        Raises:
            ValueRejected: its answers could not be brought back (:func:`~bridge.presenting.choices.choices`).
        """
        return cls(seed, choices(template), without)

    def order(self, record: Record) -> tuple[str, ...]:
        """The names of the fields that change places, in the order in which they are shown; group by group."""
        return tuple(self.places(record).values())

    def fields(self, record: Record) -> dict[str, FieldValue]:
        """The fields as they are shown: under each name, the one that stands in its place."""
        places = self.places(record)
        return {name: record.fields[places.get(name, name)] for name in record.fields}

    def done(self, record: Record, answers: Mapping[str, Any]) -> dict[str, Any]:
        """Answers to the record as it is, as answers to what is shown; the inverse of :meth:`undone`."""
        return self.moved(answers, {original: place for place, original in self.places(record).items()})

    def undone(self, record: Record, answers: Mapping[str, Any]) -> dict[str, Any]:
        """Answers to what was shown, as answers to the record as it is.

        What is no answer stays as it is, for validation to name.
        """
        return self.moved(answers, self.places(record))

    def essence(self, record: Record) -> str:
        """The hash of what the order is drawn from."""
        if self.without not in record.fields:
            return record.content
        return record_key({name: value for name, value in record.fields.items() if name != self.without})

    def keyed(self, content: str) -> str:
        """What stands on a server for the hash of a record.

        That hash itself would tell the order: one need only compare it with the hash of what is shown.
        """
        return draws.drawn(self.seed, "content", content).hex()

    def places(self, record: Record, essence: str = "") -> dict[str, str]:
        """Place to the field that is shown there, for each field that changes places.

        Args:
            record: as it is.
            essence: that of the record, where it is known already.
        """
        content = essence or self.essence(record)
        places: dict[str, str] = {}
        for group in self.choices.groups:
            names = [name for name in group if name in record.fields]
            order = draws.order(self.seed, len(names), content, group[0])
            places.update(zip(names, (names[number] for number in order), strict=True))
        return places

    def moved(self, answers: Mapping[str, Any], moves: Mapping[str, str]) -> dict[str, Any]:
        """Answers with other fields in place of those that they mean.

        Args:
            answers: question to answer.
            moves: field to the one in its place.
        """
        return {name: self._moved(name, value, moves) for name, value in answers.items()}

    def _moved(self, question: str, value: Any, moves: Mapping[str, str]) -> Any:
        if question in self.choices.rankings and isinstance(value, dict):
            return {moves.get(item, item): rank for item, rank in value.items()}
        field = self.choices.picks.get(question, {}).get(value) if isinstance(value, str) else None
        return value if field is None else self.choices.moved[question][value, moves.get(field, field)]


def winners(annotations: Iterable[Annotation], template: TaskTemplate) -> Iterator[Won]:
    """Where the winner stood, for each answer that has just one: the annotations alone say it.

    Args:
        annotations: the newest of each person and record, in the terms of the records, with ``source["order"]``.
        template: the task.

    >>> from bridge.templates import load_template
    >>> source = {"order": "response_b response_a"}
    >>> answer = Annotation("r1", "ann", answers={"preference": "B"}, source=source)
    >>> list(winners([answer], load_template("preference")))
    [Won(question='preference', record='r1', place=1, places=2)]
    """
    ours: Choices | None = None
    for annotation in annotations:
        order = annotation.source.get("order", "").split()
        if not order or why_not(annotation) != "submitted":
            continue
        ours = ours or choices(template)
        for name in sorted(ours.questions & annotation.answers.keys()):
            try:
                winner = _winner(ours, name, template.question(name).validate(annotation.answers[name]))
            except ValueRejected:
                continue  # the merge names it
            group = next((names for names in ours.groups if winner in names), ())
            shown = [field for field in order if field in group]
            if winner in shown:
                yield Won(name, annotation.record, shown.index(winner) + 1, len(shown))


def _winner(ours: Choices, question: str, value: Any) -> str | None:
    if question not in ours.rankings:
        return ours.picks[question][value]
    best = [item for item, rank in value.items() if rank == min(value.values())]
    return best[0] if len(best) == 1 and len(value) > 1 else None
