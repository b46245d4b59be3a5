"""Writing a training set: one file per format, what was dropped and why, and a manifest that traces every row.

::

    DIR/sft.conversational.jsonl    the rows, one file per format
    DIR/sft.plain.parquet           the same as Parquet, where it is wanted
    DIR/sft.dropped.jsonl           {record, reason, text, format}: records without a row
    DIR/sft.rejects.jsonl           rows that curation or a gate stopped, with the rule, what it found, and the row
    DIR/sft.manifest.json           hashes and counts of all files, and where each row comes from

    DIR/sft.plain/train.jsonl       the rows of a split, where the set has splits
    DIR/sft.plain-parquet/train.parquet

    DIR/sft.plain.trl.yaml, DIR/dataset_info.json ...
                                    settings for trainers (:mod:`bridge.exporting.trainers`)

The same input gives the same bytes: rows are sorted by record key, and nothing holds a time. The files take the places
of those of an earlier export all at once (:mod:`bridge.exporting.staging`).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bridge import __version__
from bridge.annotations import Annotation
from bridge.errors import ExportError, InputError, UsageError
from bridge.exporting.formats import Column, Line
from bridge.exporting.formats.chat_template import ChatTemplate
from bridge.exporting.manifest import Revisions, manifest_parts, revisions_of, sha256, traced
from bridge.exporting.places import Container, left, place, sidecar
from bridge.exporting.plan import Plan, Sieve, Splitter, plan_all
from bridge.exporting.reasons import Dropped, count_reasons
from bridge.exporting.row import KINDS, Kind, Rejected
from bridge.exporting.shelves import Shelves, beside_folder
from bridge.exporting.staging import staged
from bridge.exporting.trainers import DATASET_INFO, dataset_info, merged_info, settings
from bridge.files import text_chunks, write_bytes, write_lines, write_text
from bridge.garbage import no_cycles
from bridge.merging.doubt import Doubt
from bridge.merging.merged import Merged
from bridge.records import Record, canonical_json
from bridge.templates import TaskTemplate

MANIFEST_VERSION = 1


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """One file of rows: its format, its split (or nothing), how many rows it holds, and the SHA-256 of its bytes."""

    path: Path
    format: str
    rows: int
    sha256: str
    split: str = ""


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
        rejected: rows that were made and then stopped, by curation or a gate.
        told: what those steps did: the name of a step to what it says.
    """

    files: list[ExportedFile]
    manifest: Path
    kept: int
    records: int
    dropped: Sequence[Dropped] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    rejected: Sequence[Rejected] = field(default_factory=list)
    told: dict[str, Any] = field(default_factory=dict)


def export(
    kind: Kind,
    records: Iterable[Record],
    merged: Iterable[Merged],
    template: TaskTemplate,
    out_dir: str | Path,
    formats: Sequence[str] = ("conversational", "plain"),
    annotations: Iterable[Annotation] | None = None,
    **settings: Any,
) -> ExportResult:
    """Write the training set of one kind to a folder: :func:`export_all` for one.

    Raises:
        UsageError, ExportError, StoreError: as :func:`export_all`.
    """
    return export_all([kind], records, merged, template, out_dir, formats, annotations, **settings)[0]


@no_cycles()
def export_all(
    kinds: Sequence[Kind],
    records: Iterable[Record],
    merged: Iterable[Merged],
    template: TaskTemplate,
    out_dir: str | Path,
    formats: Sequence[str] = ("conversational", "plain"),
    annotations: Iterable[Annotation] | None = None,
    *,
    files: Sequence[Container] = ("jsonl",),
    merge_rule: Mapping[str, Any] | None = None,
    warnings: Iterable[Doubt] = (),
    adjudications: Iterable[Annotation] = (),
    sieves: Sequence[Sieve] | None = None,
    split: Splitter | None = None,
    seed: int = 0,
    origin: Mapping[str, Any] | None = None,
    choices: Mapping[str, Any] | None = None,
    chat_template: ChatTemplate | None = None,
) -> list[ExportResult]:
    """Write the training sets of several kinds to a folder; if all are empty, write nothing.

    Everything is worked out before anything is written, and a crash leaves the folder as it was, or lets the next
    export finish. A format that can express no row gets no file. Files that an earlier export of these kinds left
    there are replaced, or removed where this one has none: the folder never holds rows that its manifest does not
    name. One of several kinds may be empty: its result has no files, and its manifest says so.

    Args:
        kinds: ``sft``, ``dpo``, ``kto`` or ``reward``.
        records: what was judged.
        merged: what people said about it.
        template: the task, which says how answers become rows.
        out_dir: the folder; it is made where it does not exist.
        formats: names from :data:`bridge.exporting.formats.FORMATS`; each kind takes those that it has.
        annotations: the answers behind it, where they are at hand: the manifest then names their revisions.
        files: ``jsonl``, ``parquet``, or both.
        merge_rule: how the answers were merged (:attr:`bridge.merging.MergeResult.rule`), for the manifest.
        warnings: what makes them less sure than they look (:attr:`bridge.merging.MergeResult.warnings`), likewise.
        adjudications: the answers of those who decided what people did not agree on, for their revisions.
        sieves: what the rows go through before they are put into formats; by default the gates that are on by default
            (:class:`bridge.exporting.gates.Gates`).
        split: gives rows their splits.
        seed: decides the order of rows whose neighbours must not be of one prompt.
        origin: where the answers come from, for the manifest.
        choices: what else was asked for (``exports`` of ``campaign.yaml``), likewise.
        chat_template: what the format ``text`` is made with.

    Raises:
        UsageError: a kind, format or sort of file that does not exist.
        ExportError: the template has no rule for such rows, or no record yields one.
        InputError: the folder holds a ``dataset_info.json`` that is no JSON.
        StoreError: the folder cannot be written.
    """
    if not kinds:
        raise UsageError("no kind of training set was named", remedy=f"use one or more of {', '.join(KINDS)}")
    if not files or not {"jsonl", "parquet"}.issuperset(files):
        raise UsageError("rows are written as jsonl, parquet, or both", remedy="name one or both of them")
    folder = Path(out_dir)
    if sieves is None:
        from bridge.exporting.gates import Gates  # it loads what its thresholds need

        gates = Gates()
        sieves, records = [gates], gates.watching(records)
    plans = plan_all(
        kinds,
        records,
        merged,
        template,
        formats,
        sieves=sieves,
        split=split,
        seed=seed,
        chat_template=chat_template,
        shelves=Shelves(beside_folder(folder)),
    )
    if not any(plan.parts for plan in plans):
        raise _empty(plans[0])
    told: dict[str, Any] = {"origin": dict(origin)} if origin else {}
    if choices:
        told["settings"] = dict(choices)
    if "parquet" in files:
        told["pyarrow"] = version("pyarrow")
    told |= {"merge": dict(merge_rule or {}), "warnings": [warning.to_dict() for warning in warnings]}
    revisions = None if annotations is None else revisions_of(annotations)
    decided = revisions_of(adjudications)
    info = _info(folder, plans, files)
    stale = [path for plan in plans for path in left(folder, plan.kind)]
    with staged(folder, [*stale, Path(DATASET_INFO)]) as stage:
        if info:
            write_text(stage / DATASET_INFO, info)
            _follow(folder, stage, [plan.kind for plan in plans])
        results = [_write(plan, template, stage, list(files), revisions, decided, told) for plan in plans]
    return [_moved(result, stage, folder) for result in results]


def _info(folder: Path, plans: Iterable[Plan], containers: Sequence[Container]) -> str:
    """What ``dataset_info.json`` is going to say: entries of other kinds, and a user's own, stay."""
    entries: dict[str, Any] = {}
    for plan in plans:
        for name, files in _files(plan, containers).items():
            entries |= dataset_info(plan.kind, name, files)
    before = folder / DATASET_INFO
    try:
        there = "".join(text_chunks(before)) if before.is_file() else ""
        return merged_info([plan.kind for plan in plans], there, entries)
    except (ValueError, AttributeError):
        raise InputError(f"{before}: no JSON object", remedy="repair or remove it, or choose another folder") from None


def _files(plan: Plan, containers: Sequence[Container]) -> dict[str, list[tuple[str, str]]]:
    """Format to the split and the place of each file that it is going to have."""
    found: dict[str, list[tuple[str, str]]] = {}
    for name, split in plan.parts:
        kept: Sequence[Container] = ("jsonl",) if plan.formats[name].hosted else containers
        places = [(split, place(plan.kind, name, split, container).as_posix()) for container in kept]
        found.setdefault(name, []).extend(places)
    return found


def _follow(folder: Path, stage: Path, kinds: Sequence[Kind]) -> None:
    """Manifests of kinds that are not written now name the new ``dataset_info.json``, which they share."""
    if (folder / DATASET_INFO).is_file():
        before, now = sha256(folder / DATASET_INFO), sha256(stage / DATASET_INFO)
        for kind in set(KINDS).difference(kinds):
            manifest = folder / f"{kind}.manifest.json"
            if before != now and manifest.is_file():
                text = "".join(text_chunks(manifest))
                if before in text:
                    write_text(stage / manifest.name, text.replace(before, now))


def _moved(result: ExportResult, stage: Path, folder: Path) -> ExportResult:
    """The result, with the places that its files have now."""
    files = [replace(file, path=folder / file.path.relative_to(stage)) for file in result.files]
    return replace(result, files=files, manifest=folder / result.manifest.relative_to(stage))


def _write(
    plan: Plan,
    template: TaskTemplate,
    folder: Path,
    containers: Sequence[Container],
    revisions: Revisions | None,
    decided: Revisions,
    told: Mapping[str, Any],
) -> ExportResult:
    kind = plan.kind
    files: list[ExportedFile] = []
    extra: list[Path] = []
    for (name, split), indices in plan.parts.items():
        shape = plan.formats[name]
        if shape.hosted:
            extra.append(sidecar(kind, name, split))
            write_lines(folder / extra[-1], (line["metadata"] for line in plan.lines(name, split)))
        for container in ("jsonl",) if shape.hosted else containers:
            path = folder / place(kind, name, split, container)
            lines = plan.lines(name, split)
            if container == "parquet":
                _write_parquet(path, lines, shape.columns)
            else:
                write_lines(path, (_alone(line) for line in lines) if shape.hosted else lines)
            files.append(ExportedFile(path, name, len(indices), sha256(path), split))
    for name, there in _files(plan, containers).items():
        for file_name, text in settings(kind, name, there).items():
            write_text(folder / file_name, text)
            extra.append(Path(file_name))
        if dataset_info(kind, name, there) and Path(DATASET_INFO) not in extra:
            extra.append(Path(DATASET_INFO))
    cases: dict[str, Sequence[Dropped | Rejected]] = {f"{kind}.dropped.jsonl": plan.dropped}
    if plan.rejected:
        cases[f"{kind}.rejects.jsonl"] = plan.rejected
    for file_name, found in cases.items():
        write_lines(folder / file_name, (one.to_dict() for one in found))
    counts = count_reasons(case for case in plan.dropped if not case.format)
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
        **plan.told,
        "records": {"kept": plan.records, "dropped": counts},
        "files": {file.path.relative_to(folder).as_posix(): _describe(file, plan.dropped) for file in files}
        | {path.as_posix(): {"sha256": sha256(folder / path)} for path in extra}
        | {name: {"rows": len(found), "sha256": sha256(folder / name)} for name, found in cases.items()},
    }
    manifest = folder / f"{kind}.manifest.json"
    write_bytes(manifest, manifest_parts(head, traced(plan, revisions, decided)))
    rows, told = len(plan.rows), dict(plan.told)
    return ExportResult(files, manifest, rows, plan.records, plan.dropped, counts, plan.rejected, told)


def _alone(line: Line) -> Line:
    """A line for a service that refuses columns it does not know."""
    return {key: value for key, value in line.items() if key != "metadata"}


def _write_parquet(path: Path, lines: Iterable[Line], columns: Mapping[str, Column]) -> None:
    from bridge.exporting.parquet import write_parquet  # it loads pyarrow, which JSON Lines do not need

    path.parent.mkdir(parents=True, exist_ok=True)
    write_parquet(path, lines, columns)


def _describe(file: ExportedFile, dropped: Iterable[Dropped]) -> dict[str, Any]:
    missing = count_reasons(case for case in dropped if case.format == file.format)
    split = {"split": file.split} if file.split else {}
    return {"format": file.format, **split, "rows": file.rows, "dropped": missing, "sha256": file.sha256}


def _empty(plan: Plan) -> ExportError:
    gates = Counter(case.rule for case in plan.rejected if case.reason == "gated")
    found = count_reasons(plan.dropped) | dict(sorted(gates.items()))
    counts = ", ".join(f"{reason}: {count:,}" for reason, count in found.items())
    remedies = {
        "not_merged": "let people answer, then pull and merge",
        "unknown_record": "give the file of records that these answers belong to",
        "curated": "see what curate.before_export asks for",
        "gated": "see what these gates are for in docs/gates.md; `exports.gates` or --no-gate NAME switches them",
    }
    # A format that has no place for the rows names one that has, after what it says of them.
    remedies |= {case.reason: case.text.rpartition("; ")[2] for case in plan.dropped if case.format}
    reasons = {case.reason for case in plan.dropped}
    remedy = next((remedies[reason] for reason in remedies if reason in reasons), "collect more answers")
    why = f"no record yields one ({counts})" if counts else "there are no records"
    return ExportError(f"there are no {plan.kind} rows: {why}; no file was written", remedy=remedy)
