"""One training example, before it has a format."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from bridge.exporting.reasons import Dropped, count_reasons
from bridge.exporting.shelf import Packing, by_fields
from bridge.records import Message

Kind: TypeAlias = Literal["sft", "dpo", "kto", "reward"]
KINDS: tuple[Kind, ...] = ("sft", "dpo", "kto", "reward")


@dataclass(frozen=True, slots=True)
class Row:
    """One training example, before it has a format.

    An ``sft`` row has a completion; a ``dpo`` row a chosen and a rejected answer; a ``kto`` row a completion and
    whether people want it; a ``reward`` row either a pair, as ``dpo``, or a completion and its score.

    Args:
        record: key of the record.
        kind: what the row is for.
        prompt: the messages that come before.
        source: the rule of the template that made the row.
        annotators: pseudonyms of the people whose answers stand behind it, sorted.
        margin: for a preference, how clear it was: (votes for it - votes against it) / votes, where there was a vote;
            of ratings, the difference between the two.
        adjudicated: those questions behind it that people did not agree on, and who settled each.
        label: for ``kto``, whether the completion is desirable.
        score: for a rated ``reward`` row, people's mean rating.
        others: keys of further records that the row was made from, such as the one whose response is rejected.
        model: which model wrote the response (of a pair, the chosen one; of a rewrite, what it started as), where the
            record says so.
        licence: licence of the record, where it says so; of several records, all their licences.
        root: key of the record that this one was derived from, where it says so; twins never part over splits.
        other_root: the same of the record whose response is rejected, where that is another one.
        split: the part of the training set that the row belongs to, or nothing where there are no parts.
    """

    record: str
    kind: Kind
    prompt: list[Message]
    completion: str = ""
    chosen: str = ""
    rejected: str = ""
    source: str = ""
    annotators: tuple[str, ...] = ()
    margin: float | None = None
    adjudicated: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    label: bool | None = None
    score: float | None = None
    others: tuple[str, ...] = ()
    model: str = ""
    licence: str = ""
    root: str = ""
    other_root: str = ""
    split: str = ""

    @property
    def records(self) -> tuple[str, ...]:
        """Keys of all records that the row was made from, its own first."""
        return (self.record, *self.others)

    @property
    def is_pair(self) -> bool:
        """Whether the row compares two answers."""
        return self.kind == "dpo" or (self.kind == "reward" and self.score is None)

    def answers(self) -> dict[str, str]:
        """Column to text, of what would be learned or weighed.

        >>> Row("r1", "dpo", [], chosen="4", rejected="5").answers()
        {'chosen': '4', 'rejected': '5'}
        """
        return {"chosen": self.chosen, "rejected": self.rejected} if self.is_pair else {"completion": self.completion}

    @property
    def content(self) -> str:
        """The hash of what is learned from the row, whatever record and people it comes from.

        >>> Row("r1", "sft", [], completion="4").content == Row("r2", "sft", [], completion="4").content
        True
        """
        turns = [text for message in self.prompt for text in (message["role"], message["content"])]
        learned = (*turns, self.kind, self.completion, self.chosen, self.rejected)
        told = (str(self.label), str(self.score), str(self.margin))
        return hashlib.sha256("\0".join((*learned, *told)).encode(errors="surrogatepass")).hexdigest()[:32]

    def to_dict(self) -> dict[str, Any]:
        """What a person needs to see of the row, for the file of rejected rows.

        >>> Row("r1", "kto", [{"role": "user", "content": "2 + 2?"}], completion="5", label=False).to_dict()
        {'prompt': [{'role': 'user', 'content': '2 + 2?'}], 'completion': '5', 'label': False}
        """
        extra = {"label": self.label, "score": self.score, "margin": self.margin}
        known = {name: value for name, value in extra.items() if value is not None}
        return {"prompt": self.prompt, **self.answers(), **known}


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that was made and then stopped on its way into the training set.

    Args:
        row: the row as it was.
        reason: what stopped it: one of :data:`~bridge.exporting.reasons.REASONS`, such as ``curated`` or ``gated``.
        rule: the step or gate that did.
        text: what it found, in words.
        score: what it measured, where it measures.
    """

    row: Row
    reason: str
    rule: str
    text: str
    score: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """The case as a line of ``KIND.rejects.jsonl``."""
        found = {} if self.score is None else {"score": self.score}
        told = {"record": self.row.record, "reason": self.reason, "rule": self.rule, "text": self.text}
        return {**told, **found, "row": self.row.to_dict()}


def _weight(row: Row) -> int:
    """About how many bytes of memory a row takes."""
    texts = len(row.completion) + len(row.chosen) + len(row.rejected)
    return 1000 + texts + sum([300 + len(message["content"] or "") for message in row.prompt])


ROWS = by_fields(Row, _weight)
"""How rows lie on a shelf."""

REJECTED: Packing[Rejected] = Packing(
    lambda case: (ROWS.pack(case.row), case.reason, case.rule, case.text, case.score),
    lambda values: Rejected(ROWS.unpack(values[0]), *values[1:]),
    lambda case: 300 + _weight(case.row),
)
"""How rejected rows do."""


@dataclass(frozen=True, slots=True)
class RowsResult:
    """Rows sorted by record key, and the records that yield none."""

    kept: Sequence[Row] = field(default_factory=list)
    dropped: Sequence[Dropped] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """Reason to number of records, in the order of :data:`REASONS`."""
        return count_reasons(self.dropped)
