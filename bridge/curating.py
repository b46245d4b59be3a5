"""A campaign's curation: what its steps do to records before a push, and to training rows before an export.

::

    out/curated.jsonl     records that the last push left out, with their reasons
    out/pii.jsonl         what seems personal in the records that were pushed, for a person to look at
    DIR/pii.export.jsonl  what seems personal in the training rows of an export, people's rewrites included
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from bridge.curate.flow import Curation
from bridge.curate.pii import KINDS
from bridge.curate.pii_kinds import SURE
from bridge.curate.result import Dropped as Left
from bridge.exporting import Rejected, Row, Sieved
from bridge.exporting.row import REJECTED, ROWS
from bridge.exporting.shelf import beside, chosen
from bridge.files import Reject, read_lines, write_lines
from bridge.records import FieldValue, Record
from bridge.results import Progressing
from bridge.sync.ledger import Ledger

CURATED = "curated.jsonl"
REVIEW = "pii.jsonl"
EXPORT_REVIEW = "pii.export.jsonl"

DONE = "curation"
"""The note in the ledger: what the steps before the last push did."""

REVIEWED = "looked for pii"
"""The note in the ledger: whether the records on the server were looked through, and `some` or `none` was found."""


class BeforePush:
    """The records of one push after curation, to be iterated once; then it knows what the steps did.

    Where personal data is only reported, it is looked for in records that are still to be pushed. What was found in
    the others stands in the review list that the pushes before have left; without it, all are looked through again.

    Args:
        curation: the steps.
        records: as they are in the file.
        held: keys of records that are on the server.
        ledger: knows whether they were looked through, and what the steps did last.
        out: the campaign's folder for what can be made again.
        progress: told what is being done.
    """

    def __init__(
        self,
        curation: Curation,
        records: Iterable[Record],
        held: Container[str],
        ledger: Ledger,
        out: Path,
        progress: Progressing,
    ) -> None:
        self.begun = self.finished = self._remembering = False
        self._ledger, self._out = ledger, out
        known = curation.only_tells and _reviewed(ledger, out)
        self._earlier = list(_lines(out / REVIEW, held)) if known and (out / REVIEW).exists() else []
        self._run = curation.run(
            records,
            held=held,
            examined=held if known else (),
            tick=lambda what, done: progress(what, done, 0),
        )

    def __iter__(self) -> Iterator[Record]:
        self.begun = True
        if self._remembering and self._ledger.note(REVIEWED):
            self._ledger.set_note(REVIEWED, "")
        yield from self._run
        self.finished = True

    @property
    def dropped(self) -> list[Left]:
        """The records that are left out, with their reasons."""
        return self._run.dropped

    def counts(self) -> list[dict[str, Any]]:
        """What each step did; of what is personal, how many records hold each kind, whenever it was found."""
        if not self.begun:
            return done_before_push(self._ledger)
        told = [counts.to_dict() for counts in self._run.counts]
        for counts in told:
            if counts["step"] == "pii":
                counts["why"] = _kinds(self._findings())
        return told

    @contextmanager
    def remembered(self) -> Iterator[None]:
        """Write at the end what was left out, what a person should look at, and what was done.

        From the first record on, nothing counts as looked through: if the process is killed, the next push looks again.
        Where no record was asked for, all stays as it is.
        """
        self._remembering = True
        try:
            yield
        finally:
            if self.begun:
                self._remember()

    def _remember(self) -> None:
        found = self._findings()
        _write(self._out / REVIEW, found)
        if self.finished:
            _write(self._out / CURATED, [case.to_dict() for case in self.dropped])
            self._ledger.set_note(DONE, json.dumps(self.counts()))
        if any(counts.step == "pii" for counts in self._run.counts):
            self._ledger.set_note(REVIEWED, "some" if found else "none")

    def _findings(self) -> list[dict[str, Any]]:
        return [*self._earlier, *(finding.to_dict() for finding in self._run.findings)]


def _write(path: Path, lines: list[dict[str, Any]]) -> None:
    """A list for people; none where it would be empty and there was none before."""
    if lines or path.exists():
        write_lines(path, lines)


def told_all(curation: Curation, ledger: Ledger, out: Path) -> bool:
    """Whether the steps would do nothing new with records that were pushed before, and what they told is there."""
    if curation.chooses or curation.changes:
        return False
    return not curation.looks or _reviewed(ledger, out)


def _reviewed(ledger: Ledger, out: Path) -> bool:
    """Whether all records on the server were looked through, and what was found stands in its list."""
    return ledger.note(REVIEWED) in (("none", "some") if (out / REVIEW).exists() else ("none",))


def done_before_push(ledger: Ledger) -> list[dict[str, Any]]:
    """What each step did before the last push."""
    found: list[dict[str, Any]] = json.loads(ledger.note(DONE) or "[]")
    return found


def _lines(path: Path, held: Container[str]) -> Iterator[dict[str, Any]]:
    """The findings of a list that are of records on the server."""
    for _, line in read_lines(path):
        if not isinstance(line, Reject) and line.get("key") in held:
            yield line


def _kinds(findings: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Kind to number of records that hold some."""
    sure = {(finding.get("key"), finding.get("kind")) for finding in findings if finding.get("sure", 0) >= SURE}
    counts = Counter(kind for _, kind in sure)
    return {kind: counts[kind] for kind in KINDS if counts[kind]}


class BeforeExport:
    """What becomes of training rows before they are written; people's rewrites are among them.

    Args:
        curation: the steps.
        records: what was judged; a row can be chosen by what its record carries in its metadata.
        before_push: what was done before the last push, for the manifest.
    """

    def __init__(self, curation: Curation, records: Iterable[Record], before_push: Sequence[Mapping[str, Any]]) -> None:
        self._curation = curation
        self._known = {record.key: record for record in records}
        self._before_push = list(before_push)
        self._findings: list[dict[str, Any]] = []

    def __call__(self, rows: Sequence[Row]) -> Sieved:
        seen: Counter[str] = Counter()
        places: dict[str, int] = {}
        for place, row in enumerate(rows):
            seen[row.record] += 1
            places[row.record if seen[row.record] == 1 else f"{row.record}#{seen[row.record]}"] = place
        made = zip(places, chosen(rows, list(places.values())), strict=True)
        records = (_as_record(key, row, self._known.get(row.record)) for key, row in made)
        done = self._curation.run(records, bare=True)
        kept, rejected = beside(rows, ROWS), beside(rows, REJECTED)
        for record in done:
            kept.append(_as_row(rows[places[record.key]], record))
        for case in done.dropped:
            rejected.append(Rejected(rows[places[case.key]], "curated", case.step, _said(case), case.score))
        self._findings += [finding.to_dict() for finding in done.findings]
        after = [counts.to_dict() for counts in done.counts]
        return Sieved(kept, rejected, {"curate": {"before_push": self._before_push, "before_export": after}})

    def write(self, folder: Path) -> None:
        """Write what a person should look at in the rows of this export."""
        _write(folder / EXPORT_REVIEW, self._findings)


def _as_record(key: str, row: Row, record: Record | None) -> Record:
    texts: dict[str, FieldValue] = {"prompt": row.prompt}
    texts |= row.answers()
    return Record(key, texts, record.suggestions if record else (), record.metadata if record else {})


def _as_row(row: Row, record: Record) -> Row:
    prompt = record.fields["prompt"]
    texts = {name: value for name, value in record.fields.items() if isinstance(value, str)}
    return replace(
        row,
        prompt=row.prompt if isinstance(prompt, str) else prompt,
        completion=texts.get("completion", ""),
        chosen=texts.get("chosen", ""),
        rejected=texts.get("rejected", ""),
    )


def _said(case: Left) -> str:
    score = "" if case.score is None else f" ({case.score:g})"
    return f"{case.rule}{score}" + (f", like {case.kept}" if case.kept else "")
