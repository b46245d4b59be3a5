"""Curation inside a campaign: lists of steps that run before records go to people, and before training rows are made.

A step that mends or masks a text gives the same result for a record whatever stands beside it, so it can be repeated
wherever the record is read. A step that chooses looks at all records together; what it chooses may change when the file
grows. Records that are *held*, because people have them already, are never dropped, and are chosen before any other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.curate import settings as s
from bridge.curate import steps
from bridge.curate.result import Dropped, Step
from bridge.records import Edited, Record

if TYPE_CHECKING:
    from bridge.curate.pii import Finding


@dataclass
class Counts:
    """What one step did: how many records it saw, changed and dropped, and by which rules."""

    step: str
    read: int = 0
    changed: int = 0
    dropped: int = 0
    why: Counter[str] = field(default_factory=Counter)
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The counts as plans and manifests have them."""
        found: dict[str, Any] = {"step": self.step, "read": self.read, "changed": self.changed, "dropped": self.dropped}
        found["why"] = dict(sorted(self.why.items()))
        if self.note:
            found["note"] = self.note
        return found


class Curation:
    """The steps of one list. Personal data is looked for even where the list does not say so, and reported.

    Args:
        listed: the steps, as ``campaign.yaml`` has them.
        folder: where paths in their settings start.
        spans: question to the field that its suggested passages are of.

    >>> mask = Curation([s.Step.model_validate({"pii": {"mode": "mask", "only": "email"}})])
    >>> record = Record("r1", {"prompt": "Mail ann@mail.example", "response": "Done."})
    >>> mask.change(record).fields["prompt"], mask.change(record).key
    ('Mail <EMAIL_1>', 'r1')
    """

    def __init__(
        self, listed: Sequence[s.Step], *, folder: Path = Path(), spans: Mapping[str, str] | None = None
    ) -> None:
        named = [step.named for step in listed]
        self._asked = any(name == "pii" for name, _ in named)
        if not self._asked:
            named.append(("pii", s.Pii()))
        self._named = [(name, wanted) for name, wanted in named if getattr(wanted, "mode", "") != "none"]
        self._folder = folder
        self._spans = dict(spans or {})
        self._changing: list[Step] | None = None

    @property
    def changes(self) -> bool:
        """Whether a step may change texts."""
        return any(map(self._may_change, self._named))

    @property
    def chooses(self) -> bool:
        """Whether a step may drop records."""
        return any(name != "pii" or getattr(wanted, "mode", "") == "drop" for name, wanted in self._named)

    @property
    def looks(self) -> bool:
        """Whether personal data is looked for."""
        return any(isinstance(wanted, s.Pii) for _, wanted in self._named)

    @property
    def only_tells(self) -> bool:
        """Whether what is personal is only reported, so that a record need not be looked through twice."""
        return all(wanted.mode == "report" for _, wanted in self._named if isinstance(wanted, s.Pii))

    @staticmethod
    def _may_change(step: tuple[str, s.Settings]) -> bool:
        name, wanted = step
        return name == "clean" or (isinstance(wanted, s.Pii) and wanted.mode in ("mask", "pseudonymise"))

    def change(self, record: Record) -> Record:
        """The record with its texts as the steps leave them, under its key; what they would drop stays.

        Raises:
            UsageError: a step cannot be set up.
        """
        if self._changing is None:
            self._changing = [self._each(*step, None) for step in self._named if self._may_change(step)]
        for step in self._changing:
            after = step([record]).kept
            record = edited(record, after[0]) if after else record
        return record

    def run(
        self,
        records: Iterable[Record],
        *,
        held: Container[str] = (),
        examined: Container[str] = (),
        bare: bool = False,
        tick: Callable[[str, int], None] = lambda what, done: None,
    ) -> Run:
        """All steps, in their order.

        Args:
            records: as they are in the file.
            held: keys of records that stay.
            examined: keys of records in which personal data need not be looked for again, only to be reported.
            bare: judge texts alone, and not what records carry beside them.
            tick: told what is being done, and how many records of it are.
        """
        return Run(self, records, held, examined, bare, tick)

    def _each(self, name: str, wanted: Any, note: Callable[[list[Finding]], None] | None) -> Step:
        if name == "clean":
            return steps.clean_step(wanted, folder=self._folder, spans=self._spans)
        return steps.pii_step(wanted, spans=self._spans, note=note, whatever_is_there=not self._asked)

    def _whole(self, name: str, wanted: Any, held: Container[str]) -> Step:
        if name == "dedup":
            return steps.dedup_step(wanted, folder=self._folder, held=held)
        if name == "decontaminate":
            return steps.decontaminate_step(wanted, folder=self._folder, held=held)
        if name == "balance":
            return steps.balance_step(wanted, held=held)
        if name == "sample":
            return steps.sample_step(wanted, folder=self._folder, held=held)
        return steps.licences_step(wanted, held=held)

    def _note(self, name: str) -> str:
        missing = steps.missing_kinds() if name == "pii" and not self._asked else []
        return f"not looked for: {', '.join(missing)} (pip install 'annobridge[curate]')" if missing else ""


class Run:
    """One pass of all steps, to be iterated once: it yields what goes on.

    Attributes:
        counts: what each step did, complete when the end is reached.
        dropped: what does not go on, likewise.
        findings: what seems personal or secret, likewise.
    """

    def __init__(
        self,
        curation: Curation,
        records: Iterable[Record],
        held: Container[str],
        examined: Container[str],
        bare: bool,
        tick: Callable[[str, int], None],
    ) -> None:
        self.counts: list[Counts] = []
        self.dropped: list[Dropped] = []
        self.findings: list[Finding] = []
        self._held, self._examined, self._bare, self._tick = held, examined, bare, tick
        flowing = iter(records)
        for name, wanted in curation._named:
            counts = Counts(name, note=curation._note(name))
            self.counts.append(counts)
            if name in steps.EACH:
                step = curation._each(name, wanted, self.findings.extend)
                only_told = isinstance(wanted, s.Pii) and wanted.mode == "report"
                flowing = self._one_by_one(step, flowing, counts, only_told)
            else:
                flowing = self._together(curation._whole(name, wanted, held), flowing, counts)
        self._records = flowing

    def __iter__(self) -> Iterator[Record]:
        return self._records

    def _one_by_one(self, step: Step, records: Iterator[Record], counts: Counts, only_told: bool) -> Iterator[Record]:
        for record in records:
            counts.read += 1
            if counts.read % 1000 == 0:
                self._tick(counts.step, counts.read)
            if only_told and record.key in self._examined:
                yield record
                continue
            result = step([replace(record, metadata={}, suggestions=())] if self._bare else [record])
            counts.why.update(result.why)
            if result.kept:
                after = result.kept[0]
                if self._bare:
                    after = replace(after, metadata=record.metadata, suggestions=record.suggestions)
                after = edited(record, after)
                counts.changed += after is not record
                yield after
            elif record.key in self._held:
                yield record
            else:
                counts.dropped += 1
                self.dropped += result.dropped

    def _together(self, step: Step, records: Iterator[Record], counts: Counts) -> Iterator[Record]:
        everything = list(records)
        self._tick(counts.step, len(everything))
        result = step(everything)
        counts.read, counts.dropped = len(everything), len(result.dropped)
        counts.why.update(result.why)
        self.dropped += result.dropped
        yield from result.kept


def edited(before: Record, after: Record) -> Record:
    """What a step made of a record, or the record itself where nothing was changed."""
    if after is before or after == before:
        return before
    if after.fields == before.fields:
        return after
    return Edited(after.key, after.fields, after.suggestions, after.metadata)
