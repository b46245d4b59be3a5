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


def manifest_parts(head: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """The manifest as it is written, piece by piece."""
    yield _bytes(json.dumps(head, ensure_ascii=False, indent=1)[:-2] + ',\n "rows": [\n  ')
    # One row a line, so that the manifests of two exports can be compared with any diff.
    encode = json.JSONEncoder(ensure_ascii=False).encode
    between = ""
    for row in rows:
        yield _bytes(between + encode(row))
        between = ",\n  "
    yield b"\n ]\n}\n"


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")


def traced(plan: Plan, revisions: Revisions | None, decided: Revisions) -> Iterator[dict[str, Any]]:
    """Where each row comes from: its line in every file, record, rule, people and the revisions of their answers."""
    written = [(name, iter(enumerate(indices, 1))) for (name, _), indices in plan.parts.items()]
    ahead = [next(lines, (0, -1)) for _, lines in written]
    for index, row in enumerate(plan.rows):
        place: dict[str, int] = {}
        for number, (name, lines) in enumerate(written):
            line, next_index = ahead[number]
            if next_index == index:
                place[name] = line
                ahead[number] = next(lines, (0, -1))
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
