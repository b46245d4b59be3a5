"""What commands say of what they found, as lines for a person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bridge.files import Reject
    from bridge.merging import Doubt


def conflict_lines(keys: list[str]) -> list[str]:
    """What to do about records whose text changed after people answered it."""
    if not keys:
        return []
    return [
        f"{len(keys):,} records changed after people answered them, such as {keys[0]}",
        "  remedy: --on-change new (send them as other records), stale (show the new text, drop those answers) or keep",
    ]


def rejected_lines(rejects: list[Reject], path: Path | None) -> list[str]:
    """The first rejected rows, and where all of them are, if they were written."""
    if not rejects:
        return []
    shown = [f"  line {r.line}: {r.reason}" if r.line else f"  {r.key}: {r.reason}" for r in rejects[:3]]
    more = [f"  and {len(rejects) - 3:,} more"] if len(rejects) > 3 else []
    where = f" (see {path})" if path else ""
    return [f"{len(rejects):,} rejected{where}:", *shown, *more]


def control_lines(controls: int, missing: int) -> list[str]:
    """How many control items are among the records, and whether there are enough.

    >>> control_lines(5, 2)
    ['5 of them are control items; their share asks for 2 more, which the file does not have']
    """
    if not controls and not missing:
        return []
    more = f"; their share asks for {missing:,} more, which the file does not have" if missing else ""
    return [f"{controls:,} of them are control items{more}"]


def curate_lines(steps: Sequence[Mapping[str, Any]], where: Path | None = None) -> list[str]:
    """What steps of curation did, if they did anything.

    >>> curate_lines([{"step": "dedup", "read": 9, "changed": 0, "dropped": 2, "why": {"near": 2}}])
    ['dedup: 2 of 9 records left out (near: 2)']
    >>> curate_lines([{"step": "pii", "read": 9, "changed": 0, "dropped": 0, "why": {"email": 1}}])
    ['pii: found in 9 records (email: 1)']
    """
    lines = []
    for step in steps:
        why = ", ".join(f"{rule}: {count:,}" for rule, count in step["why"].items())
        did = [f"{step['changed']:,} changed"] if step["changed"] else []
        did += [f"{step['dropped']:,} of {step['read']:,} records left out"] if step["dropped"] else []
        if not did and why:
            did = [f"found in {step['read']:,} records"]
        if did:
            lines.append(f"{step['step']}: {', '.join(did)} ({why})")
        if step["step"] == "pii" and why and where is not None:
            lines.append(f"  look through {where}: what is found is no guarantee")
        if step.get("note"):
            lines.append(f"{step['step']}: {step['note']}")
    return lines


def left_out_lines(left_out: Mapping[str, str]) -> list[str]:
    """Columns that are in no record, and why."""
    return [f"left out: {column!r:.60} ({why})" for column, why in left_out.items()]


def reordered_lines(keys: Sequence[str]) -> list[str]:
    """Records whose text is shown in another order than it is written."""
    if not keys:
        return []
    return [
        f"{len(keys):,} records have invisible characters that change the order of others, such as {keys[0]}",
        "  remedy: if they are not Arabic or Hebrew, take U+202A to U+202E and U+2066 to U+2069 out",
    ]


def warning_lines(warnings: Iterable[Doubt]) -> list[str]:
    """Warnings with what to do about them, after an empty line each; the same one of several questions stands once."""
    questions: dict[tuple[str, str], list[str]] = {}
    for warning in warnings:
        named = questions.setdefault((warning.means, warning.remedy), [])
        named += [warning.question] if warning.question else []
    lines: list[str] = []
    for (means, remedy), named in questions.items():
        where = f"{', '.join(named)}: " if named else ""
        lines += ["", f"warning: {where}{means}", f"  remedy: {remedy}"]
    return lines
