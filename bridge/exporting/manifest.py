"""The manifest of a training set: where each row comes from, one row a line."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from bridge.annotations import Annotation, newest
from bridge.exporting.plan import Plan

Revisions: TypeAlias = dict[tuple[str, str], int]
"""Record and annotator to the revision of that person's answer."""


def revisions_of(annotations: Iterable[Annotation]) -> Revisions:
    """The revision of everybody's newest answer to each record."""
    return {(a.record, a.annotator): a.revision for a in newest(annotations)}


def manifest_text(head: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]) -> str:
    """The manifest as it is written."""
    # One row a line, so that the manifests of two exports can be compared with any diff.
    encode = json.JSONEncoder(ensure_ascii=False).encode
    traced = ",\n  ".join(map(encode, rows))
    return f'{json.dumps(head, ensure_ascii=False, indent=1)[:-2]},\n "rows": [\n  {traced}\n ]\n}}\n'


def traced(
    plan: Plan, parts: Mapping[tuple[str, str], list[int]], revisions: Revisions | None, decided: Revisions
) -> Iterator[dict[str, Any]]:
    """Where each row comes from: its line in every file, record, rule, people and the revisions of their answers."""
    lines: list[dict[str, int]] = [{} for _ in plan.rows]
    for (name, _), indices in parts.items():
        for line, index in enumerate(indices, 1):
            lines[index][name] = line
    for place, row in zip(lines, plan.rows, strict=True):
        trace: dict[str, Any] = {"lines": place}
        if row.split:
            trace["split"] = row.split
        trace["record"] = row.record
        if row.others:
            trace["others"] = list(row.others)
        trace["content"] = row.content
        trace |= {"source": row.source, "annotators": list(row.annotators)}
        if revisions is not None:
            known = {who: _all(revisions, row.records, who) for who in row.annotators}
            trace["revisions"] = {who: found for who, found in known.items() if found is not None}
        if row.margin is not None:
            trace["margin"] = row.margin
        trace |= {name: value for name, value in (("model", row.model), ("licence", row.licence)) if value}
        if row.adjudicated:
            trace["adjudicated"] = {
                name: {who: _all(decided, row.records, who) for who in people}
                for name, people in row.adjudicated.items()
            }
        yield trace


def _all(revisions: Revisions, records: Sequence[str], who: str) -> int | list[int] | None:
    """The revision of somebody's answer; of a row made from several records, those of all answers."""
    found = [revisions[key, who] for key in records if (key, who) in revisions]
    return found if len(found) > 1 else found[0] if found else None


def sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
