"""Making a release: a folder that is there whole or not at all, and never changed.

::

    RELEASES/v3/sft.plain/train.jsonl           the rows, one folder for each kind, format and sort of file
    RELEASES/v3/sft.plain-parquet/train.parquet
    RELEASES/v3/sft.manifest.json               where each row comes from
    RELEASES/v3/README.md                       the card
    RELEASES/v3/croissant.json                  the same for machines
    RELEASES/v3/CHANGES.md, changes.json        what became of the rows since the release before
    RELEASES/v3/manifest.json                   hashes of all of these; it is written last

It is written under the name ``.v3.new`` beside its place, brought to the disk, and renamed: after a crash at any point
there is no half release, and those of before are untouched. What was left under that name, the next try throws away.
What a release must not give away stays out of it: rows that were stopped, and what was found in them.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bridge import __version__
from bridge.auditing import AuditRate
from bridge.config import ReleaseConfig
from bridge.errors import ExportError, StoreError, UsageError
from bridge.exporting import ExportResult
from bridge.exporting.manifest import Revisions
from bridge.files import write_text
from bridge.release.card import About, card, history
from bridge.release.compare import Changes, Released, compare
from bridge.release.croissant import croissant
from bridge.release.parts import manifests, parts, read_object
from bridge.release.versions import MANIFEST, before, check_version
from bridge.routing.rate import JudgeRate

Made = tuple[list[ExportResult], Sequence[Mapping[str, Any]]]
"""What was exported, and how far people agree (:class:`~bridge.release.card.About`)."""


@dataclass(frozen=True, slots=True)
class ReleaseResult:
    """A release that was made.

    Args:
        folder: where it is.
        version: its name.
        rows: kind to number of rows.
        files: path in the folder to the SHA-256 of the file.
        changes: what became of the rows since the release before.
        audit: what an audit says of them.
        judges: how often judges err on the records that were left to them.
    """

    folder: Path
    version: str
    rows: dict[str, int]
    files: dict[str, str]
    changes: Changes = field(default_factory=Changes)
    audit: tuple[AuditRate, ...] = ()
    judges: tuple[JudgeRate, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The result as ``--json`` prints it."""
        return {
            "folder": str(self.folder),
            "version": self.version,
            "rows": self.rows,
            "files": self.files,
            "previous": self.changes.previous or None,
            "changes": {kind: self.changes.counts(kind) for kind in self.changes.rows},
            "audit": [rate.to_dict() for rate in self.audit],
            "judges": [rate.to_dict() for rate in self.judges],
        }


def release(
    version: str,
    folder: Path,
    make: Callable[[Path], Made],
    *,
    project: str,
    config: ReleaseConfig | None = None,
    previous: str | None = None,
    audit: Sequence[AuditRate] = (),
    judges: Sequence[JudgeRate] = (),
    revisions: Callable[[], Revisions] = dict,
) -> ReleaseResult:
    """Make a release.

    Args:
        version: its name, and that of its folder.
        folder: where releases are.
        make: exports training sets, all of whose rows are in a split, to the folder that it is given.
        project: the campaign's name.
        config: what the card says, and what must be shown.
        previous: the release to compare with; by default the one before (:func:`~bridge.release.versions.before`).
        audit: what an audit says.
        judges: how often judges err, by the audit of `annobridge route`.
        revisions: the revision of everybody's answer; those to records without a row are kept for the next release.

    Raises:
        UsageError: the name cannot be, is taken, or there is no such earlier release.
        ExportError: there are no rows, or the audit does not show what it must.
        StoreError: the folder cannot be written; nothing is left in it.
    """
    config = config or ReleaseConfig()
    place = folder / check_version(version)
    if os.path.lexists(place):
        raise UsageError(f"{place}: there is such a release, and none is ever changed", remedy="give another --version")
    other = before(folder, version, previous)
    with _new(place) as new:
        results, agreement = make(new)
        found = _public(new)
        if config.audit_max_error is not None:
            check_audit(audit, found, config.audit_max_error)
        without = {
            _kind(result): {case.record: case.reason for case in result.dropped if not case.format}
            for result in results
        }
        now = Released(version, found, without, _answers(revisions(), without))
        about = About(
            version,
            project,
            config,
            found,
            parts(found),
            agreement,
            audit,
            judges,
            compare(_released(other), now) if other else Changes(),
        )
        _describe(new, about, now)
        files = {name: told["sha256"] for name, told in read_object(new / MANIFEST)["files"].items()}
    rows = {kind: len(manifest["rows"]) for kind, manifest in found.items()}
    return ReleaseResult(place, version, rows, files, about.changes, tuple(audit), tuple(judges))


def check_audit(audit: Sequence[AuditRate], manifests: Mapping[str, Mapping[str, Any]], most: float) -> None:
    """Refuse a release whose audit does not show that at most so many rows are wrong.

    Raises:
        ExportError: of a kind there is no audit, it is not finished, it was of other rows, or too many may be wrong.
    """
    rates = {rate.kind: rate for rate in audit}
    for kind, manifest in manifests.items():
        if not manifest["rows"]:
            continue
        rate = rates.get(kind)
        if rate is None:
            wrong, remedy = "nobody has audited them", "run `annobridge audit`, and let people check the sample"
        elif not rate.complete:
            wrong = f"{rate.drawn - rate.checked:,} of {rate.drawn:,} rows of the audit are not decided on"
            remedy = "let people check the rest, then run `annobridge pull -C audit`"
        elif 2 * len(rate.contents & {row["content"] for row in manifest["rows"]}) < len(rate.contents):
            wrong = "most rows of the audit are not in the set any more, or read otherwise"
            remedy = "move the folder audit/ away, and audit the set as it is now"
        elif rate.interval[1] > most:
            wrong = f"{rate.wrong:,} of {rate.checked:,} checked rows are wrong: {rate.interval[1]:.1%} of all may be"
            remedy = "mend what the audit found and audit again, or check more rows with a larger --share"
        else:
            continue
        raise ExportError(f"release.audit_max_error is {most:.1%}, but of {kind} rows {wrong}", remedy=remedy)


@contextmanager
def _new(place: Path) -> Iterator[Path]:
    """A folder to write into, which gets its name at the end of the ``with``."""
    new = place.parent / f".{place.name}.new"
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        if new.exists():
            shutil.rmtree(new)
        new.mkdir()
        try:
            yield new
            for path in [new, *new.rglob("*")]:
                _to_disk(path)
            if os.path.lexists(place):
                raise UsageError(f"{place}: somebody made such a release meanwhile", remedy="give another --version")
            new.rename(place)
            _to_disk(place.parent)
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)
            raise
    except OSError as error:
        raise StoreError(
            f"{place}: cannot be written: {error.strerror}", remedy="free some space, or choose another folder"
        ) from None


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _kind(result: ExportResult) -> str:
    return result.manifest.name.removesuffix(".manifest.json")


def _public(folder: Path) -> dict[str, dict[str, Any]]:
    """Leave in the folder what is for everybody: what the manifests name, but for the rows that were stopped."""
    found = manifests(folder)
    kept = set()
    for kind, manifest in found.items():
        private = {f"{kind}.dropped.jsonl", f"{kind}.rejects.jsonl"}
        manifest["files"] = {name: told for name, told in manifest["files"].items() if name not in private}
        kept |= {folder / name for name in manifest["files"]}
        rows = ",\n  ".join(json.dumps(row, ensure_ascii=False) for row in manifest["rows"])
        head = {name: value for name, value in manifest.items() if name != "rows"}
        text = f'{json.dumps(head, ensure_ascii=False, indent=1)[:-2]},\n "rows": [\n  {rows}\n ]\n}}\n'
        write_text(folder / f"{kind}.manifest.json", text)
        kept.add(folder / f"{kind}.manifest.json")
    for path in folder.rglob("*"):
        if path.is_file() and path not in kept:
            path.unlink()
    return found


def _answers(revisions: Revisions, without: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, int]]:
    """Record without a row of some kind to annotator to revision."""
    keys = {key for of_kind in without.values() for key in of_kind}
    found: dict[str, dict[str, int]] = {}
    for (key, who), revision in sorted(revisions.items()):
        if key in keys:
            found.setdefault(key, {})[who] = revision
    return found


def _released(folder: Path) -> Released:
    whole = read_object(folder / MANIFEST)
    return Released(folder.name, manifests(folder), whole.get("without_row", {}), whole.get("revisions", {}))


def _describe(folder: Path, about: About, now: Released) -> None:
    """Write what tells of the rows: the manifest last."""
    names = {"license": about.licence(), "url": about.config.url, "citeAs": about.config.citation}
    head = {"name": about.title, "version": about.version, "description": about.description}
    head |= {name: text for name, text in names.items() if text}
    write_text(folder / "croissant.json", croissant(folder, about.parts, head))
    write_text(folder / "changes.json", json.dumps(about.changes.to_dict(), ensure_ascii=False, indent=1) + "\n")
    write_text(folder / "CHANGES.md", history(about.changes, about.version))
    write_text(folder / "README.md", card(about))
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    whole = {
        "release": about.version,
        "project": about.project,
        "annobridge": __version__,
        "previous": about.changes.previous or None,
        "rows": {kind: len(manifest["rows"]) for kind, manifest in about.manifests.items()},
        "agreement": list(about.agreement),
        "audit": [rate.to_dict() for rate in about.audit],
        "judges": [rate.to_dict() for rate in about.judges],
        "without_row": now.without,
        "revisions": now.revisions,
        "files": {path.relative_to(folder).as_posix(): _file(path) for path in paths},
    }
    write_text(folder / MANIFEST, json.dumps(whole, ensure_ascii=False, indent=1) + "\n")


def _file(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
