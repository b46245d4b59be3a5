"""Writing a training set: one file per format, what was dropped and why, and a manifest that traces every row.

::

    DIR/sft.conversational.jsonl    the rows, one file per format
    DIR/sft.plain.jsonl
    DIR/sft.dropped.jsonl           {record, reason, text, format}: records without a row
    DIR/sft.manifest.json           hashes and counts of all files, and where each row comes from

The same input gives the same bytes: rows are sorted by record key, and nothing holds a time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from bridge import __version__
from bridge.annotations import Annotation, newest
from bridge.errors import ExportError, UsageError, ValueRejected
from bridge.exporting.formats import FORMATS, Line, metadata
from bridge.exporting.reasons import Dropped, count_reasons
from bridge.exporting.rows import Kind, Row, RowsResult, training_rows
from bridge.files import remove, write_lines, write_text
from bridge.merging.doubt import Doubt
from bridge.merging.merged import Merged
from bridge.records import Record, canonical_json
from bridge.templates import TaskTemplate

MANIFEST_VERSION = 1

Revisions: TypeAlias = dict[tuple[str, str], int]
"""Record and annotator to the revision of that person's answer."""


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """One file of rows: its format, how many rows it holds, and the SHA-256 of its bytes."""

    path: Path
    format: str
    rows: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Sieved:
    """Rows after curation.

    Args:
        kept: the rows that go on, in their order; their texts may be others.
        dropped: each row that does not, with the reason ``curated``.
        told: what was done, for the manifest.
    """

    kept: list[Row]
    dropped: list[Dropped] = field(default_factory=list)
    told: dict[str, Any] = field(default_factory=dict)


Sieve: TypeAlias = "Callable[[list[Row]], Sieved]"
"""What becomes of training rows before they are written."""


@dataclass(frozen=True, slots=True)
class ExportResult:
    """What was written, and what was not.

    Args:
        files: the files of rows, in the order of the formats.
        manifest: the file that traces them.
        kept: number of rows.
        records: number of records that yielded them.
        dropped: records without a row, in all formats or in one.
        counts: reason to number of records without any row.
        curated: what curation did with the rows.
    """

    files: list[ExportedFile]
    manifest: Path
    kept: int
    records: int
    dropped: list[Dropped] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    curated: dict[str, Any] = field(default_factory=dict)


def export(
    kind: Kind,
    records: Iterable[Record],
    merged: Iterable[Merged],
    template: TaskTemplate,
    out_dir: str | Path,
    formats: Sequence[str] = ("conversational", "plain"),
    annotations: Iterable[Annotation] | None = None,
    *,
    merge_rule: Mapping[str, Any] | None = None,
    warnings: Iterable[Doubt] = (),
    adjudications: Iterable[Annotation] = (),
) -> ExportResult:
    """Write the training set of one kind to a folder.

    Everything is worked out before anything is written; each file appears in one step, and the manifest last, so that
    after a crash its hashes tell whether the files are those that it names. A format that can express no row gets no
    file. Files that an earlier export of this kind left there are replaced, or removed where this one has none: the
    folder never holds rows that its manifest does not name. After an error that names no file, it is as it was.

    Args:
        kind: ``sft`` or ``dpo``.
        records: what was judged.
        merged: what people said about it.
        template: the task, which says how answers become rows.
        out_dir: the folder; it is made where it does not exist.
        formats: names from :data:`bridge.exporting.formats.FORMATS`.
        annotations: the answers behind it, where they are at hand: the manifest then names their revisions.
        merge_rule: how the answers were merged (:attr:`bridge.merging.MergeResult.rule`), for the manifest.
        warnings: what makes them less sure than they look (:attr:`bridge.merging.MergeResult.warnings`), likewise.
        adjudications: the answers of those who decided what people did not agree on, for their revisions.

    Raises:
        UsageError: a kind or format that does not exist.
        ExportError: the template has no rule for such rows, or no record yields one.
        StoreError: the folder cannot be written.
    """
    return export_all(
        [kind],
        records,
        merged,
        template,
        out_dir,
        formats,
        annotations,
        merge_rule=merge_rule,
        warnings=warnings,
        adjudications=adjudications,
    )[0]


def export_all(
    kinds: Sequence[Kind],
    records: Iterable[Record],
    merged: Iterable[Merged],
    template: TaskTemplate,
    out_dir: str | Path,
    formats: Sequence[str] = ("conversational", "plain"),
    annotations: Iterable[Annotation] | None = None,
    *,
    merge_rule: Mapping[str, Any] | None = None,
    warnings: Iterable[Doubt] = (),
    adjudications: Iterable[Annotation] = (),
    curate: Sieve | None = None,
) -> list[ExportResult]:
    """Write the training sets of several kinds to a folder, as :func:`export` does; if all are empty, write nothing.

    One of several may be empty: its result has no files, and its manifest says so. ``curate`` gets the rows of each
    kind before they are put into formats.

    Raises:
        UsageError, ExportError, StoreError: as :func:`export`.
    """
    records, merged = list(records), list(merged)
    plans = [_plan(kind, records, merged, template, formats, curate) for kind in dict.fromkeys(kinds)]
    if not plans:
        raise UsageError("no kind of training set was named", remedy=f"use one or more of {', '.join(FORMATS)}")
    if not any(any(plan.lines.values()) for plan in plans):
        raise _empty(plans[0])
    told = {"merge": dict(merge_rule or {}), "warnings": [warning.to_dict() for warning in warnings]}
    revisions = None if annotations is None else _revisions(annotations)
    decided = _revisions(adjudications)
    return [_write(plan, template, Path(out_dir), revisions, decided, told) for plan in plans]


@dataclass(frozen=True, slots=True)
class _Plan:
    """A training set that was worked out and not yet written."""

    kind: Kind
    rows: RowsResult
    lines: dict[str, dict[int, Line]]
    dropped: list[Dropped]
    curated: dict[str, Any]


def _plan(
    kind: Kind,
    records: Iterable[Record],
    merged: Iterable[Merged],
    template: TaskTemplate,
    formats: Sequence[str],
    curate: Sieve | None,
) -> _Plan:
    if kind not in FORMATS:
        raise UsageError(f"{kind!r:.60} is no kind of training set", remedy=f"use one of {', '.join(FORMATS)}")
    unknown = [name for name in formats if name not in FORMATS[kind]]
    if unknown or not formats:
        raise UsageError(
            f"{unknown[0]!r:.60} is no format for {kind} rows" if unknown else "no format was named",
            remedy=f"use one or more of {', '.join(FORMATS[kind])}",
        )
    rows = training_rows(kind, records, merged, template)
    sieved = curate(rows.kept) if curate else Sieved(rows.kept)
    rows, some = _without(rows, sieved)
    lines, dropped = _format(kind, rows.kept, template, list(dict.fromkeys(formats)))
    return _Plan(kind, rows, lines, [*rows.dropped, *some, *dropped], sieved.told)


def _without(rows: RowsResult, sieved: Sieved) -> tuple[RowsResult, list[Dropped]]:
    """The rows that curation left, and its cases of records that have other rows still."""
    left = {row.record for row in sieved.kept}
    gone = {case.record: case for case in reversed(sieved.dropped) if case.record not in left}
    some = [case for case in sieved.dropped if gone.get(case.record) is not case]
    dropped = sorted([*rows.dropped, *gone.values()], key=lambda case: case.record)
    return RowsResult(sieved.kept, dropped), some


def _write(
    plan: _Plan,
    template: TaskTemplate,
    folder: Path,
    revisions: Revisions | None,
    decided: Revisions,
    told: Mapping[str, Any],
) -> ExportResult:
    kind, dropped = plan.kind, plan.dropped
    files = []
    for name, numbered in plan.lines.items():
        path = folder / f"{kind}.{name}.jsonl"
        if numbered:
            write_lines(path, numbered.values())
            files.append(ExportedFile(path, name, len(numbered), _sha256(path)))
        else:
            remove(path)
    for name in FORMATS[kind].keys() - plan.lines.keys():
        remove(folder / f"{kind}.{name}.jsonl")
    dropped_path = folder / f"{kind}.dropped.jsonl"
    write_lines(dropped_path, [case.to_dict() for case in dropped])
    counts = plan.rows.counts()
    yielding = len({row.record for row in plan.rows.kept})
    head = {
        "manifest": MANIFEST_VERSION,
        "kind": kind,
        "annobridge": __version__,
        "template": {
            "name": template.name,
            "fingerprint": template.fingerprint,
            "sha256": hashlib.sha256(canonical_json(template.model_dump(mode="json"))).hexdigest(),
        },
        **told,
        **({"curate": plan.curated} if plan.curated else {}),
        "records": {"kept": yielding, "dropped": counts},
        "files": {file.path.name: _describe(file, dropped) for file in files}
        | {dropped_path.name: {"rows": len(dropped), "sha256": _sha256(dropped_path)}},
    }
    manifest = folder / f"{kind}.manifest.json"
    write_text(manifest, _manifest(head, _trace(plan.rows.kept, plan.lines, revisions, decided)))
    return ExportResult(files, manifest, len(plan.rows.kept), yielding, dropped, counts, plan.curated)


def _describe(file: ExportedFile, dropped: Iterable[Dropped]) -> dict[str, Any]:
    missing = count_reasons(case for case in dropped if case.format == file.format)
    return {"format": file.format, "rows": file.rows, "dropped": missing, "sha256": file.sha256}


def _manifest(head: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]) -> str:
    # One row a line, so that the manifests of two exports can be compared with any diff.
    traced = ",\n  ".join(json.dumps(row, ensure_ascii=False) for row in rows)
    return f'{json.dumps(head, ensure_ascii=False, indent=1)[:-2]},\n "rows": [\n  {traced}\n ]\n}}\n'


def _format(
    kind: Kind, rows: Sequence[Row], template: TaskTemplate, formats: Sequence[str]
) -> tuple[dict[str, dict[int, Line]], list[Dropped]]:
    """Format name to (index of a row to its line), and the records whose rows a format cannot express."""
    lines: dict[str, dict[int, Line]] = {}
    dropped: dict[tuple[str, str], Dropped] = {}
    for name in formats:
        lines[name] = {}
        for index, row in enumerate(rows):
            try:
                lines[name][index] = FORMATS[kind][name](row, metadata(row, template))
            except ValueRejected as error:
                text = f"{error.reason}; {error.remedy}"
                dropped.setdefault((name, row.record), Dropped(row.record, "multi_turn", text, name))
    return lines, list(dropped.values())


def _empty(plan: _Plan) -> ExportError:
    counts = ", ".join(f"{reason}: {count:,}" for reason, count in count_reasons(plan.dropped).items())
    remedies = {
        "not_merged": "let people answer, then pull and merge",
        "multi_turn": "use the format 'conversational'",
        "unknown_record": "give the file of records that these answers belong to",
        "curated": "see what curate.before_export asks for",
    }
    reasons = {case.reason for case in plan.dropped}
    remedy = next((remedies[reason] for reason in remedies if reason in reasons), "collect more answers")
    why = f"no record yields one ({counts})" if counts else "there are no records"
    return ExportError(f"there are no {plan.kind} rows: {why}; no file was written", remedy=remedy)


def _revisions(annotations: Iterable[Annotation]) -> Revisions:
    return {(a.record, a.annotator): a.revision for a in newest(annotations)}


def _trace(
    rows: Sequence[Row], lines: Mapping[str, Mapping[int, Line]], revisions: Revisions | None, decided: Revisions
) -> list[dict[str, Any]]:
    """Where each row comes from: its line in every file, record, rule, people and the revisions of their answers."""
    places = {name: {index: line for line, index in enumerate(numbered, 1)} for name, numbered in lines.items()}
    traced = []
    for index, row in enumerate(rows):
        trace: dict[str, Any] = {
            "lines": {name: place[index] for name, place in places.items() if index in place},
            "record": row.record,
            "source": row.source,
            "annotators": list(row.annotators),
        }
        if revisions is not None:
            trace["revisions"] = {
                who: revisions[row.record, who] for who in row.annotators if (row.record, who) in revisions
            }
        if row.margin is not None:
            trace["margin"] = row.margin
        if row.adjudicated:
            trace["adjudicated"] = {
                name: {who: decided.get((row.record, who)) for who in people}
                for name, people in row.adjudicated.items()
            }
        traced.append(trace)
    return traced


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
