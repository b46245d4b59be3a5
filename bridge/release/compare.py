"""What became of the rows since an earlier release, and why: by where each row comes from, not by its place.

A row is the same if it comes from the same records by the same rule of the template; where these make several, those
that teach the same are paired first, then those with people in common.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Trace: TypeAlias = "Mapping[str, Any]"
"""A row of a manifest."""

WHY = {
    "late_edit": "people changed their answers",
    "new_annotators": "more people answered",
    "withdrawn": "answers were withdrawn, or do not count any more",
    "adjudicated": "adjudicators decided, or decided otherwise",
    "new_record": "the record is new",
    "newly_answered": "the record had too few answers, and has enough now",
    "settled": "people contradicted each other, and do not any more",
    "let_through": "curation, a gate or the splits had stopped it, and let it through now",
    "now_tied": "people contradict each other now",
    "now_stopped": "curation, a gate or the splits stop it now",
    "record_gone": "the record is not in the campaign any more",
    "other_answers": "the answers lead to other rows",
    "split": "it stands in another split",
    "settings": "template, merge rule or settings are others",
    "text": "the record reads otherwise, or what curation makes of it",
}
"""Reason to what it means."""

_OPEN = ("not_merged", "skipped", "unanswered", "no_quorum", "invalid")
_LACKING = ("unanswered", "invalid")
_NO_RECORD = "unknown_record"
_TIED = ("tie", "no_preference")
_STOPPED = ("curated", "gated", "straddles")


@dataclass(frozen=True, slots=True)
class Change:
    """One row that is new, other than it was, or gone: ``what`` is ``added``, ``changed`` or ``removed``."""

    what: str
    record: str
    source: str
    why: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The change as ``changes.json`` has it."""
        return {"what": self.what, "record": self.record, "source": self.source, "why": list(self.why)}


@dataclass(frozen=True, slots=True)
class Changes:
    """What became of the rows of all kinds.

    Args:
        previous: the earlier release; empty for the first one.
        settings: what of template, merge rule, settings and version is other than it was, by kind: name to both.
        rows: kind to its changes.
        same: kind to how many rows teach what they taught.
    """

    previous: str = ""
    settings: dict[str, dict[str, list[Any]]] = field(default_factory=dict)
    rows: dict[str, list[Change]] = field(default_factory=dict)
    same: dict[str, int] = field(default_factory=dict)

    def counts(self, kind: str) -> dict[str, int]:
        """How many rows of a kind are the same, added, changed and removed."""
        counted = Counter(change.what for change in self.rows[kind])
        return {"same": self.same[kind], **{what: counted[what] for what in ("added", "changed", "removed")}}

    def reasons(self, kind: str) -> dict[str, dict[str, int]]:
        """What happened to reason to number of rows; a row may have several."""
        counted: dict[str, Counter[str]] = {}
        for change in self.rows[kind]:
            counted.setdefault(change.what, Counter()).update(change.why)
        return {what: {why: counts[why] for why in WHY if counts[why]} for what, counts in sorted(counted.items())}

    def to_dict(self) -> dict[str, Any]:
        """The content of ``changes.json``."""
        return {
            "previous": self.previous or None,
            "settings": self.settings,
            "kinds": {
                kind: {
                    "counts": self.counts(kind),
                    "why": self.reasons(kind),
                    "rows": [change.to_dict() for change in changes],
                }
                for kind, changes in self.rows.items()
            },
        }


@dataclass(frozen=True, slots=True)
class Released:
    """What is compared of a release.

    Args:
        name: its version.
        manifests: kind to its manifest.
        without: kind to record to the reason why it has no row.
        revisions: record without a row to those who answered it and the revisions of their answers; releases made by
            earlier versions do not know them.
    """

    name: str
    manifests: Mapping[str, Mapping[str, Any]]
    without: Mapping[str, Mapping[str, str]]
    revisions: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


def compare(old: Released, new: Released) -> Changes:
    """What became of the rows from one release to the next.

    Args:
        old: the earlier one.
        new: the later one.
    """
    changes = Changes(old.name)
    for kind in dict.fromkeys((*old.manifests, *new.manifests)):
        before, after = old.manifests.get(kind, {}), new.manifests.get(kind, {})
        other = _settings(before, after) if before and after else {}
        if other:
            changes.settings[kind] = other
        pair = _Pair(
            before.get("rows", []),
            after.get("rows", []),
            old.without.get(kind, {}),
            new.without.get(kind, {}),
            bool(other),
            (old.revisions, new.revisions),
        )
        changes.rows[kind], changes.same[kind] = pair.changes()
    return changes


def _settings(before: Trace, after: Trace) -> dict[str, list[Any]]:
    def of(manifest: Trace) -> dict[str, Any]:
        names = ("merge", "settings", "annobridge")
        return {"template": manifest.get("template", {}).get("sha256"), **{name: manifest.get(name) for name in names}}

    old, new = of(before), of(after)
    return {name: [old[name], new[name]] for name in new if old[name] != new[name]}


class _Pair:
    """The rows of one kind in two releases."""

    def __init__(
        self,
        old: Sequence[Trace],
        new: Sequence[Trace],
        old_without: Mapping[str, str],
        new_without: Mapping[str, str],
        other_settings: bool,
        answers: tuple[Mapping[str, Mapping[str, int]], Mapping[str, Mapping[str, int]]],
    ) -> None:
        self._old, self._new = _grouped(old), _grouped(new)
        self._old_without, self._new_without = old_without, new_without
        self._old_answers, self._new_answers = answers
        self._otherwise = "settings" if other_settings else "text"
        self._of_record_old, self._of_record_new = _by_record(old), _by_record(new)

    def changes(self) -> tuple[list[Change], int]:
        found, same = [], 0
        for key in sorted(self._old.keys() | self._new.keys()):
            gone, come = list(self._old.get(key, ())), list(self._new.get(key, ()))
            for before, after in _matched(gone, come):
                why = () if before["content"] == after["content"] else self._people([before], [after])
                if before.get("split") != after.get("split"):
                    why = (*why, "split")
                if why:
                    found.append(Change("changed", after["record"], after["source"], why))
                else:
                    same += 1
            found += [Change("added", row["record"], row["source"], self._added(row)) for row in come]
            found += [Change("removed", row["record"], row["source"], self._removed(row)) for row in gone]
        return found, same

    def _people(self, before: Sequence[Trace], after: Sequence[Trace], *, gone: bool = True) -> tuple[str, ...]:
        """What of the people behind a row, or all rows of its record, is other than it was; or else what may be."""
        old, new = _revisions(before), _revisions(after)
        why = list(_did(old, new))
        if gone and old.keys() - new.keys():
            why.append("withdrawn")
        decided = [row.get("adjudicated") for row in before]
        if any(row.get("adjudicated") not in (None, *decided) for row in after):
            why.append("adjudicated")
        return tuple(why) or (self._otherwise,)

    def _added(self, row: Trace) -> tuple[str, ...]:
        before = self._of_record_old.get(row["record"])
        if before:
            return self._people(before, [row], gone=False)  # the others may stand in other rows
        reason = self._old_without.get(row["record"], _NO_RECORD)
        if reason == _NO_RECORD:
            return ("new_record",)
        why = _turned(reason, "newly_answered", "settled", "let_through")
        did = _did(self._old_answers.get(row["record"], {}), _revisions([row]))
        if why == "newly_answered" and "late_edit" in did:  # what was missing may have come by an edit alone
            return ("late_edit", why) if "new_annotators" in did else ("late_edit",)
        return did if why == "other_answers" and did else (why,)

    def _removed(self, row: Trace) -> tuple[str, ...]:
        after = self._of_record_new.get(row["record"])
        if after:
            return self._people([row], after)
        reason = self._new_without.get(row["record"], _NO_RECORD)
        if reason == _NO_RECORD:
            return ("record_gone",)
        why = _turned(reason, "withdrawn", "now_tied", "now_stopped")
        did = _did(_revisions([row]), self._new_answers.get(row["record"], {}))
        return did if did and (why == "other_answers" or reason in _LACKING) else (why,)


def _did(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    """What people did between two states of their answers, who to revision, but for withdrawing them.

    Nothing is known of it where one of the two states is not.

    >>> _did({"ann": 1, "bo": 1}, {"ann": 2, "cy": 1})
    ('late_edit', 'new_annotators')
    """
    if not before or not after:
        return ()
    edited = any(before[who] != after[who] for who in before.keys() & after.keys())
    return ("late_edit",) * edited + ("new_annotators",) * bool(after.keys() - before.keys())


def _turned(reason: str, if_open: str, if_tied: str, if_stopped: str) -> str:
    for reasons, meant in ((_OPEN, if_open), (_TIED, if_tied), (_STOPPED, if_stopped)):
        if reason in reasons:
            return meant
    return "other_answers"


def _grouped(rows: Sequence[Trace]) -> dict[tuple[str, ...], list[Trace]]:
    groups: dict[tuple[str, ...], list[Trace]] = {}
    for row in rows:
        groups.setdefault((row["record"], row["source"], *row.get("others", ())), []).append(row)
    return groups


def _by_record(rows: Sequence[Trace]) -> dict[str, list[Trace]]:
    groups: dict[str, list[Trace]] = {}
    for row in rows:
        groups.setdefault(row["record"], []).append(row)
    return groups


def _matched(gone: list[Trace], come: list[Trace]) -> list[tuple[Trace, Trace]]:
    """Pairs of rows that are the same one; they are taken out of both lists."""
    found = []
    for alike in (_teaches_the_same, _by_the_same_people):
        for before in list(gone):
            after = next((row for row in come if alike(before, row)), None)
            if after is not None:
                found.append((before, after))
                gone.remove(before)
                come.remove(after)
    return found


def _teaches_the_same(before: Trace, after: Trace) -> bool:
    return bool(before["content"] == after["content"])


def _by_the_same_people(before: Trace, after: Trace) -> bool:
    return bool({*before["annotators"]} & {*after["annotators"]})


def _revisions(rows: Sequence[Trace]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for row in rows:
        found |= dict.fromkeys(row["annotators"]) | row.get("revisions", {})
    return found
