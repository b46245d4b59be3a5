"""What people are shown instead of a record as it is, and the way back from their answers.

Both ways are functions of the record and of the campaign's seeds: nothing is written down, and nothing on the server
says in which order a record is shown, or whether its order was changed at all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bridge.annotations import Annotation
from bridge.presenting.anchoring import HIDDEN, Hiding
from bridge.presenting.blind import Blind
from bridge.records import Record

_HASH = re.compile("[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Shown(Record):
    """A record as people are shown it, with the hash that servers keep of the record as it is."""

    content: str = ""


@dataclass(frozen=True, slots=True)
class View:
    """How a record is shown, worked out once for all answers to it.

    Args:
        record: as it is.
        own: its own hash.
        key: the key that it has on servers.
        content: the hash that servers keep of it.
        places: place to the field that is shown there, for fields that change places.
        hidden: whether its suggestions are not shown.
    """

    record: Record
    own: str
    key: str
    content: str
    places: Mapping[str, str] = field(default_factory=dict)
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Undone:
    """An answer to the record as it is.

    Args:
        annotation: in the terms of the record.
        lost: questions whose answers had to be left out, because nobody can tell in which order the record was shown.
    """

    annotation: Annotation
    lost: tuple[str, ...] = ()


@dataclass(frozen=True)
class Presentation:
    """How a campaign's records are presented.

    Args:
        blind: the order in which compared fields are shown; None leaves them in theirs.
        hiding: which records are shown without suggestions; None hides none.
        labels: old label to new one, for answers that were given before a label got another name.

    >>> from bridge.templates import load_template
    >>> presentation = Presentation(Blind.of(load_template("preference"), seed=1))
    >>> record = Record("r1", {"prompt": "2 + 2?", "response_a": "4", "response_b": "5"})
    >>> presentation.shown(record).fields["response_a"]
    '5'
    >>> answer = Annotation("r1", "ann", answers={"preference": "A"})
    >>> presentation.undone(answer, presentation.view(record)).annotation.answers
    {'preference': 'B'}
    """

    blind: Blind | None = None
    hiding: Hiding | None = None
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def variant(self) -> str:
        """What makes another presentation of it, in one spelling; empty where records are shown as they are."""
        parts = []
        if self.blind:
            without = f" without {self.blind.without}" if self.blind.without else ""
            parts.append(f"blind seed={self.blind.seed} of {self.blind.choices.groups}{without}")
        parts += [f"anchoring seed={self.hiding.seed} share={self.hiding.share!r}"] if self.hiding else []
        return "; ".join(parts)

    # There

    def content(self, record: Record) -> str:
        """The hash that servers keep of a record."""
        return self.blind.keyed(record.content) if self.blind else record.content

    def key(self, record: Record) -> str:
        """The key that a record has on servers. One that is a hash would tell the order, and is another one there."""
        # Only what looks like a hash need be compared with one.
        if self.blind and _HASH.fullmatch(record.key) and record.key == self.blind.essence(record):
            return self.content(record)
        return record.key

    def view(self, record: Record) -> View:
        """How a record is shown."""
        own = record.content
        hidden = self.hiding is not None and self.hiding.hides(record)
        if not self.blind:
            return View(record, own, record.key, own, hidden=hidden)
        essence = self.blind.essence(record) if self.blind.without else own
        content = self.blind.keyed(own)
        key = content if record.key == essence else record.key
        return View(record, own, key, content, self.blind.places(record, essence), hidden)

    def shown(self, record: Record) -> Record:
        """The record as people are shown it; where nothing is changed, the record itself."""
        if not self.blind:
            hides = self.hiding is not None and self.hiding.hides(record)
            return replace(record, suggestions=()) if hides else record
        view = self.view(record)
        there = {field: place for place, field in view.places.items()}
        suggestions = [
            replace(s, value=self.blind.moved({s.question: s.value}, there)[s.question])
            for s in (() if view.hidden else record.suggestions)
        ]
        fields = {name: record.fields[view.places.get(name, name)] for name in record.fields}
        return Shown(view.key, fields, suggestions, record.metadata, view.content)

    # And back

    def undone(self, annotation: Annotation, view: View | None) -> Undone:
        """An answer in the terms of the record as it is.

        ``source`` then has ``order``, the names of the record's own fields in the order in which they were shown, with
        a space between them; and ``suggestions``, where they were hidden.

        Args:
            annotation: as it came from the server.
            view: how the record was shown (:meth:`view`); None where the record is not known any more.
        """
        if view is None:
            return self._without_order(annotation)
        source = {**annotation.source, "suggestions": HIDDEN} if view.hidden else dict(annotation.source)
        if not self.blind:
            return Undone(replace(annotation, source=source) if view.hidden else annotation)
        judged = source.get("content")
        if judged and judged not in (view.key, view.content):
            # To another text. In which order that was shown, this one does not say; the merge drops such answers.
            return replace(self._without_order(replace(annotation, record=view.record.key)), lost=())
        if judged:
            source["content"] = view.own
        source["order"] = " ".join(view.places.values())
        answers = self.blind.moved(self._renamed(annotation), view.places)
        return Undone(replace(annotation, record=view.record.key, answers=answers, source=source))

    def _without_order(self, annotation: Annotation) -> Undone:
        questions = self.blind.choices.questions if self.blind else frozenset()
        lost = tuple(name for name in annotation.answers if name in questions)
        if not lost:
            return Undone(annotation)
        kept = {name: value for name, value in annotation.answers.items() if name not in lost}
        return Undone(replace(annotation, answers=kept), lost if annotation.status == "submitted" else ())

    def _renamed(self, annotation: Annotation) -> dict[str, Any]:
        """The answers, with labels that the template does not have any more by their new names."""
        answers = dict(annotation.answers)
        for name, options in self.blind.choices.picks.items() if self.blind and self.labels else ():
            if isinstance(value := answers.get(name), str) and value not in options:
                answers[name] = self.labels.get(value, value)
        return answers
