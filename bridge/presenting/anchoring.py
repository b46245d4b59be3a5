"""The anchoring audit: on a share of records, drawn by lot, people are shown no suggestion."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from bridge.annotations import Annotation
from bridge.errors import ValueRejected
from bridge.merging.audits import Answered
from bridge.merging.validate import why_not
from bridge.presenting import draws
from bridge.presenting.sameness import same
from bridge.questions import RatingQuestion
from bridge.records import Record, Suggestion
from bridge.templates import TaskTemplate

HIDDEN = "hidden"
"""What ``source["suggestions"]`` of an answer says where its record's suggestions were not shown."""


@dataclass(frozen=True, slots=True)
class Hiding:
    """Which records are shown without their suggestions.

    Args:
        share: of all records.
        seed: decides which; a record stays on its side however the file grows.
    """

    share: float
    seed: int

    def hides(self, record: Record) -> bool:
        """Whether a record's suggestions are not shown."""
        return bool(record.suggestions) and draws.share(self.seed, "suggestions", record.content) < self.share


def best(suggestions: Iterable[Suggestion]) -> dict[str, Suggestion]:
    """Question to the suggestion that is shown: the surest one."""
    return {s.question: s for s in sorted(suggestions, key=lambda s: s.score or 0.0)}


def compared(
    annotations: Iterable[Annotation], records: Mapping[str, Record], template: TaskTemplate
) -> Iterator[Answered]:
    """Each answer to a question that the record has a suggestion for, compared with that suggestion.

    Args:
        annotations: the newest of each person and record, with ``source["suggestions"]`` where they were hidden.
        records: key to record.
        template: the task.

    >>> from bridge.templates import load_template
    >>> record = Record("r1", {"prompt": "2 + 2?", "response": "4"}, [Suggestion("rating", 5)])
    >>> list(compared([Annotation("r1", "ann", answers={"rating": 4})], {"r1": record}, load_template("rating")))
    [Answered(question='rating', record='r1', annotator='ann', shown=True, equals=False, distance=1.0)]
    """
    for annotation in annotations:
        record = records.get(annotation.record)
        if record is None or why_not(annotation, record) != "submitted":
            continue
        shown = annotation.source.get("suggestions") != HIDDEN
        for name, suggestion in best(record.suggestions).items():
            question = template.question(name)
            try:
                answer = question.validate(annotation.answers[name], record.fields)
            except (KeyError, ValueRejected):
                continue  # not answered, or not by an answer
            far = None
            if isinstance(question, RatingQuestion):
                far = abs(float(answer) - float(suggestion.value))  # type: ignore[arg-type]
            equals = same(question, answer, suggestion.value)
            yield Answered(name, record.key, annotation.annotator, shown, equals, far)
