"""Control items: records with a known answer among the others, by which annotators are judged.

On a server they are records like any other. They never become rows of a training set: whatever has the key or the text
of one is no record of the campaign.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count
from math import factorial
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple, TypeAlias

from pydantic import ValidationError

from bridge.annotations import Annotation
from bridge.errors import InputError, ValueRejected
from bridge.files import Reject, Row
from bridge.merging.doubt import Doubt
from bridge.merging.validate import why_not
from bridge.presenting import draws
from bridge.presenting.sameness import same
from bridge.questions import (
    Bounds,
    LabelQuestion,
    MultiLabelQuestion,
    Question,
    RankingQuestion,
    RatingQuestion,
    SpanQuestion,
    TextQuestion,
    holds,
)
from bridge.reading import RecordReader
from bridge.records import FieldValue, Record
from bridge.rows import Rows, read_rows
from bridge.templates import TaskTemplate

COLUMN = "expected"
"""The column of a controls file that says which answers are right."""

_ASIDE = "bridge_expected"  # no field, question or column of the user's has such a name
_SHAPE = f'write "{COLUMN}": {{QUESTION: VALUE}}, such as {{"rating": {{"min": 4}}, "label": ["good", "fine"]}}'

Expected: TypeAlias = "Bounds | tuple[Any, ...]"
"""What is right: a number within bounds, or one of these values."""


@dataclass(frozen=True, slots=True)
class Control:
    """A record with the answers that are right: question to what is expected."""

    record: Record
    expected: Mapping[str, Expected]


@dataclass(frozen=True)
class Controls:
    """The control items of a campaign.

    Args:
        items: all of them, in the order in which they are used; it does not depend on the order of the file.
        share: how large a part of what is pushed they shall be.
        seed: decides which are used first, and where they stand among the records.
        path: their file, for messages.
    """

    items: tuple[Control, ...] = ()
    share: float = 0.0
    seed: int = 0
    path: str = ""

    def __contains__(self, key: object) -> bool:
        """Whether this is the key of a control, or of another text of one (``c1@9f86d081``)."""
        return isinstance(key, str) and (key in self._keys or (key[-9:-8] == "@" and key[:-9] in self._keys))

    @property
    def records(self) -> list[Record]:
        """The records of all of them."""
        return [control.record for control in self.items]

    def refuse(self, record: Record) -> None:
        """Let nothing be a record of the campaign that is a control.

        Raises:
            ValueRejected: it has the key or the text of one.
        """
        if record.key in self or record.content in self._contents:
            raise ValueRejected(
                f"it is a control item ({self.path}), so it is pushed as one and never exported",
                remedy="take it out of one of the two files",
            )

    def renamed(self, rename: Callable[[Record], Record]) -> Controls:
        """The same controls under other keys."""
        return replace(self, items=tuple(replace(item, record=rename(item.record)) for item in self.items))

    def among(self, records: Iterable[Record]) -> Mixed:
        """Records with controls among them."""
        return Mixed(records, self)

    @cached_property
    def _keys(self) -> frozenset[str]:
        return frozenset(record.key for record in self.records)

    @cached_property
    def _contents(self) -> frozenset[str]:
        return frozenset(record.content for record in self.records)


class Mixed:
    """Records with controls among them, to be iterated once.

    The more records there are, the more controls: a file that grows gets further ones, and those that were there keep
    their places.

    Attributes:
        controls: how many controls were among them so far.
        missing: how many more the share asks for than there are.

    >>> control = Control(Record("c", {"prompt": "1 + 1?"}), {})
    >>> mixed = Controls((control,), share=0.5, seed=1).among([Record("a", {}), Record("b", {})])
    >>> sorted(record.key for record in mixed), mixed.controls, mixed.missing
    (['a', 'b', 'c'], 1, 1)
    """

    def __init__(self, records: Iterable[Record], controls: Controls) -> None:
        self.controls = 0
        self.missing = 0
        self._records = self._mixed(records, controls)

    def __iter__(self) -> Iterator[Record]:
        return self._records

    def _mixed(self, records: Iterable[Record], controls: Controls) -> Iterator[Record]:
        left = iter(controls.records)
        places = _places(controls)
        place = next(places, None)
        for number, record in enumerate(records):
            while place is not None and place <= number:
                control = next(left, None)
                if control is None:
                    self.missing += 1
                else:
                    self.controls += 1
                    yield control
                place = next(places, None)
            yield record


def _places(controls: Controls) -> Iterator[int]:
    """Before which record each control stands: one somewhere in each stretch of the records, drawn by lot."""
    if not controls.items:
        return
    stretch = (1 - controls.share) / controls.share
    for number in count():
        yield int((number + draws.share(controls.seed, "place", number)) * stretch)


# -- the file


def read_controls(
    path: Path,
    template: TaskTemplate,
    *,
    share: float,
    seed: int,
    id_column: str | None = None,
    mapping: Mapping[str, str] | None = None,
) -> Controls:
    """Read a file of control items. Unlike a record, one that is wrong stops everything: they are few, and trusted.

    Args:
        path: of any format that records can have; in each row, ``expected`` says what is right.
        template: what the records and the answers must fit.
        share: see :class:`Controls`.
        seed: likewise.
        id_column: as for the records.
        mapping: as for the records.

    Raises:
        InputError: the file cannot be read, or a row is wrong; names file and line.

    >>> import tempfile
    >>> from bridge.templates import load_template
    >>> path = Path(tempfile.mkdtemp(), "controls.jsonl")
    >>> _ = path.write_text('{"prompt": "2 + 2?", "response": "5", "expected": {"rating": {"max": 2}}}')
    >>> controls = read_controls(path, load_template("rating"), share=0.05, seed=1)
    >>> controls.items[0].expected["rating"].max
    2
    """
    rows = read_rows(path)
    reader = RecordReader(
        Rows(rows.path, rows.format, rows.columns, _set_aside(rows), rows.foreign),
        template,
        id_column=id_column,
        mapping=mapping,
    )
    items = []
    for record in reader:
        aside = record.metadata[_ASIDE]
        metadata = {name: value for name, value in record.metadata.items() if name != _ASIDE}
        try:
            expected = _expected(aside["value"], record.fields, template)
        except ValueRejected as error:
            raise InputError(f"{path}:{aside['line']}: {error.reason}", remedy=error.remedy) from None
        items.append(Control(replace(record, metadata=metadata), expected))
    if reader.rejects:
        reject = reader.rejects[0]
        raise InputError(f"{path}:{reject.line}: {reject.reason}", remedy=reject.remedy)
    items.sort(key=lambda control: draws.drawn(seed, "controls", control.record.key))
    return Controls(tuple(items), share, seed, str(path))


def _set_aside(rows: Rows) -> Iterator[Row]:
    """The rows with what is expected, and the line where it stands, as a piece of metadata."""
    for line, row in rows:
        if isinstance(row, Reject):
            yield line, row
            continue
        row = dict(row)
        value = row.pop(COLUMN, None)
        if type(row.get("fields")) is dict:
            metadata = row.get("metadata")
            metadata = dict(metadata) if isinstance(metadata, dict) else {}
            value = metadata.pop(COLUMN, None) if value is None else value
            yield line, {**row, "metadata": {**metadata, _ASIDE: {"line": line, "value": value}}}
        else:
            yield line, {**row, _ASIDE: {"line": line, "value": value}}


def _expected(value: Any, fields: Mapping[str, FieldValue], template: TaskTemplate) -> dict[str, Expected]:
    """What a row expects, checked.

    Raises:
        ValueRejected: it is nothing that people could answer, or everything is.
    """
    if isinstance(value, str) and value.strip():
        try:
            value = json.loads(value)  # in a CSV cell it is a text
        except ValueError:
            raise ValueRejected(f"{COLUMN}: the cell is not JSON", remedy=_SHAPE) from None
    # Arrow gives every row all keys of all rows.
    given = {name: part for name, part in value.items() if part is not None} if isinstance(value, dict) else {}
    if not given:
        raise ValueRejected(f"{COLUMN}: it does not say which answers are right", remedy=_SHAPE)
    found = {}
    for name, part in given.items():
        question = template.question(name)
        found[name] = _one_expected(question, part, fields)
        if chance(question, found[name]) >= 1:
            raise ValueRejected(f"{COLUMN}: every answer to {name} is right", remedy="ask for less, or leave it out")
    return found


def _one_expected(question: Question, part: Any, fields: Mapping[str, FieldValue]) -> Expected:
    if isinstance(part, dict):
        part = {name: value for name, value in part.items() if value is not None}
        if isinstance(question, RatingQuestion | SpanQuestion):
            try:
                bounds = Bounds.model_validate(part)
            except ValidationError:
                raise ValueRejected(
                    f"{question.name}: {part!r:.60} is no condition", remedy="write {min: 4}, {max: 2} or both"
                ) from None
            if isinstance(question, RatingQuestion) and not chance(question, bounds):
                raise ValueRejected(
                    f"{question.name}: no grade is within {part!r:.60}",
                    remedy=f"the scale goes from {question.min} to {question.max}",
                )
            return bounds
    several = isinstance(part, list) and isinstance(question, LabelQuestion | TextQuestion)
    values = tuple(question.validate(one, fields) for one in (part if several else [part]))
    if not values:
        raise ValueRejected(f"{question.name}: none of its answers would be right", remedy="name one or several")
    return values


# -- the answers


class Judged(NamedTuple):
    """An answer to a control: whether it is right, and how probable it was that somebody who guesses is."""

    annotator: str
    question: str
    right: bool
    record: str = ""
    chance: float = 0.0


def judged(controls: Controls, annotations: Iterable[Annotation], template: TaskTemplate) -> list[Judged]:
    """Compare answers to controls with what is expected. What was not answered, or answers another text, is left out.

    Args:
        controls: with the keys that their records have in the annotations.
        annotations: the newest of each person and record.
        template: the task.
    """
    items = {control.record.key: control for control in controls.items}
    found = []
    for annotation in annotations:
        control = items.get(annotation.record)
        if control is None or why_not(annotation, control.record) != "submitted" or not annotation.annotator.strip():
            continue
        for name, expected in control.expected.items():
            question = template.question(name)
            if name in annotation.answers:
                right = _is_right(question, annotation.answers[name], expected, control.record.fields)
                place = annotation.annotator, name, right, annotation.record
                found.append(Judged(*place, chance(question, expected)))
    return found


def _is_right(question: Question, answer: Any, expected: Expected, fields: Mapping[str, FieldValue]) -> bool:
    try:
        value = question.validate(answer, fields)
    except ValueRejected:
        return False
    if isinstance(expected, Bounds):
        return holds(expected, value)
    return any(same(question, value, other) for other in expected)


def chance(question: Question, expected: Expected) -> float:
    """How probable it is that somebody who guesses is right: 0 where there is no end of possible answers.

    >>> from bridge.templates import load_template
    >>> chance(load_template("rating").question("rating"), Bounds(min=4))
    0.4
    """
    if isinstance(question, RatingQuestion):
        grades = range(question.min, question.max + 1)
        right = [grade for grade in grades if holds(expected, grade)] if isinstance(expected, Bounds) else expected
        return len(right) / len(grades)
    if isinstance(expected, Bounds):
        return 0.0
    if isinstance(question, LabelQuestion):
        return len({*expected}) / len(question.options)
    if isinstance(question, MultiLabelQuestion):
        return 0.5 ** len(question.options)
    if isinstance(question, RankingQuestion):
        return 1 / factorial(len(expected[0]))
    return 0.0


NOT_WEIGHED = Doubt(
    "not_weighed",
    "nobody has answered a control item yet, so all answers count alike",
    "pull again when people have answered some, or take `weights` out of the `merge` section",
)
"""The warning where answers shall be weighed by controls, and cannot be."""

LEAST = 0.01
"""The smallest weight: an answer that only a guesser gave still is one, and the quorum says what it is worth."""


def weights(answers: Sequence[Judged], annotators: Iterable[str]) -> dict[str, float]:
    """How much each annotator's answers count: how far above chance they are right, from 0.01 to nearly 1.

    The share that is right is taken as if one more answer were right and one more wrong, so that few answers never
    make anybody perfect or worthless. Who has answered no control gets the mean of the others.

    Args:
        answers: as :func:`judged` gives them.
        annotators: everybody who needs a weight.

    >>> def of(who, *right):
    ...     return [Judged(who, "label", one, "c", 0.5) for one in right]
    >>> weights([*of("ann", *[True] * 8), *of("bo", True, False)], ["ann", "bo", "cy"])
    {'ann': 0.8, 'bo': 0.01, 'cy': 0.405}
    """
    by_person: dict[str, list[Judged]] = {}
    for answer in answers:
        by_person.setdefault(answer.annotator, []).append(answer)
    found = {}
    for who, theirs in sorted(by_person.items()):
        share = (sum(answer.right for answer in theirs) + 1) / (len(theirs) + 2)
        luck = fmean(answer.chance for answer in theirs)
        found[who] = round(max(LEAST, (share - luck) / (1 - luck)), 6)
    if not found:
        return {}
    mean = round(fmean(found.values()), 6)
    return {who: found.get(who, mean) for who in sorted({*annotators, *found})}
