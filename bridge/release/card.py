"""``README.md`` of a release: the front matter by which `datasets` loads it, and what a reader must know of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from bridge.auditing import AuditRate
from bridge.config import ReleaseConfig
from bridge.exporting.splits import SPLITS
from bridge.merging.checked import HEADINGS, cells
from bridge.release.compare import WHY, Changes
from bridge.release.parts import Part
from bridge.routing.rate import JudgeRate

LOADED_AS = {"valid": "validation"}
"""What `datasets` calls a split that our files name otherwise."""

# The identifiers of https://huggingface.co/docs/hub/repositories-licenses that our users' data can have.
_KNOWN = {
    *("apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "cc0-1.0", "cc-by-2.0", "cc-by-3.0", "cc-by-4.0"),
    *("cc-by-sa-3.0", "cc-by-sa-4.0", "cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nc-sa-3.0"),
    *("cc-by-nc-sa-4.0", "cc-by-nc-nd-4.0", "cc-by-nd-4.0", "odc-by", "odbl", "pddl", "unlicense", "gpl-3.0"),
}


@dataclass(frozen=True, slots=True)
class About:
    """What the card tells of a release.

    Args:
        version: its name.
        project: the campaign's.
        config: what ``campaign.yaml`` says of releases.
        manifests: kind to manifest.
        parts: the files of rows.
        agreement: how far people agree: rows of ``question``, ``coefficient``, ``value``, ``low``, ``high`` and
            ``reason`` (why there is no value).
        audit: what an audit says, by kind.
        judges: how often judges err, by question; empty where there was no audit of them.
        changes: what became of the rows since the release before.
    """

    version: str
    project: str
    config: ReleaseConfig
    manifests: Mapping[str, Mapping[str, Any]]
    parts: Sequence[Part]
    agreement: Sequence[Mapping[str, Any]] = ()
    audit: Sequence[AuditRate] = ()
    judges: Sequence[JudgeRate] = ()
    changes: Changes = field(default_factory=Changes)

    @property
    def title(self) -> str:
        """What the set is called."""
        return self.config.title or self.project

    @property
    def description(self) -> str:
        """What it is, in a sentence or more."""
        kinds = " and ".join(self.manifests)
        return self.config.description or f"Training rows ({kinds}) from what people judged in {self.project!r}."

    def loadable(self) -> list[Part]:
        """The files that `datasets` loads by the card.

        It reads those of all configs by the reader of the first one. Of JSON Lines it guesses the types, so that texts
        which look like dates become dates; Parquet says them.
        """
        parquet = [part for part in self.parts if part.container == "parquet"]
        return parquet or list(self.parts)

    def licences(self) -> Counter[str]:
        """Licence to number of rows; empty text where it is not known."""
        return Counter(row.get("licence", "") for manifest in self.manifests.values() for row in manifest["rows"])

    def licence(self) -> str:
        """The licence of all rows, by the identifier that hubs know; empty where there is no such thing."""
        if self.config.licence:
            return self.config.licence
        known = {licence.lower() for licence in self.licences()}
        return known.pop() if len(known) == 1 and known <= _KNOWN else ""


def card(about: About) -> str:
    """The text of ``README.md``."""
    front = yaml.safe_dump(_front(about), sort_keys=False, allow_unicode=True, width=120)
    sections = [
        f"# {plain(about.title)} {about.version}",
        about.description,
        _loading(about),
        "## What is in it",
        *_contents(about),
        "## How it was made",
        *_making(about),
        "## How far people agree",
        *_agreement(about),
        "## How many rows are wrong",
        *_audit(about),
        *_judges(about),
        "## What is new",
        *_changes(about),
        "## Warnings",
        *_warnings(about),
    ]
    return f"---\n{front}---\n\n" + "\n\n".join(sections) + "\n"


def plain(text: object) -> str:
    """Any text as one line of Markdown that means nothing but itself.

    >>> plain("a|b <i>\\n[x](y)")
    'a\\\\|b \\\\<i\\\\> \\\\[x\\\\](y)'
    """
    return "".join(f"\\{char}" if char in "\\`*_{}[]<>|#~$" else char for char in " ".join(str(text).split()))


def _front(about: About) -> dict[str, Any]:
    configs: dict[str, list[dict[str, str]]] = {}
    for part in about.loadable():
        file = {"split": LOADED_AS.get(part.split, part.split), "path": part.path}
        configs.setdefault(part.config, []).append(file)
    default = next(iter(configs))
    licence = about.licence()
    return {
        "pretty_name": about.title,
        **(
            {"license": licence}
            if licence in _KNOWN
            else {"license": "other", "license_name": licence}
            if licence
            else {}
        ),
        "tags": ["annobridge", *about.manifests],
        "configs": [
            {"config_name": name, **({"default": True} if name == default else {}), "data_files": files}
            for name, files in configs.items()
        ],
    }


def _loading(about: About) -> str:
    first = about.loadable()[0]
    lines = next((part for part in about.parts if part.container == "jsonl"), first)
    return (
        "```python\nfrom datasets import load_dataset\n\n"
        f'rows = load_dataset("path/of/this/folder", "{first.config}")\n```\n\n'
        f"That reads Parquet. All rows are there as JSON Lines too, such as `{lines.path}`."
    )


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table in Markdown."""
    lines = [headings, ["---"] * len(headings), *([plain(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def _contents(about: About) -> list[str]:
    rows: dict[tuple[str, str], dict[str, int]] = {}
    for part in about.parts:
        rows.setdefault((part.kind, part.format), {})[part.split] = part.rows
    splits = [name for name in SPLITS if any(name in found for found in rows.values())]
    sizes = [[*shape, *(f"{found.get(name, 0):,}" for name in splits)] for shape, found in rows.items()]
    counts = []
    for kind, manifest in about.manifests.items():
        people = {who for row in manifest["rows"] for who in row["annotators"]}
        models = Counter(row.get("model", "") for row in manifest["rows"])
        wrote = ", ".join(f"{name or 'unknown'}: {count:,}" for name, count in models.most_common(8))
        counts.append(
            [kind, f"{len(manifest['rows']):,}", f"{manifest['records']['kept']:,}", f"{len(people):,}", wrote]
        )
    licences = ", ".join(f"{name or 'unknown'}: {count:,}" for name, count in about.licences().most_common(20))
    return [
        table(["kind", "format", *splits], sizes),
        table(["kind", "rows", "records", "people", "written by (rows)"], counts),
        f"Licences of the rows: {plain(licences)}.",
    ]


def _making(about: About) -> list[str]:
    first = next(iter(about.manifests.values()))
    origin, template, merge = first.get("origin", {}), first["template"], first.get("merge", {})
    lines = [
        f"- Where: {plain(origin.get('campaign', about.project))}"
        + (f", on {plain(origin['server'])}, project {plain(origin.get('project', ''))}" if "server" in origin else ""),
        f"- Template: {plain(template['name'])}, SHA-256 `{template['sha256']}`",
        f"- Merge rule: {_said(merge)}",
    ]
    for kind, manifest in about.manifests.items():
        dropped = manifest["records"]["dropped"]
        lines.append(f"- {kind}: records without a row: {_said(dropped) if dropped else 'none'}")
        for name in ("gates", "splits", "curate"):
            if manifest.get(name):
                lines.append(f"- {kind}: {name}: {_said(manifest[name])}")
    where = (
        "Where each row comes from is in `KIND.manifest.json`: the record, the rule, the pseudonyms of the people, the "
        "revisions of their answers, the model and the licence."
    )
    return ["\n".join(lines), where]


def _said(value: object) -> str:
    """Settings and counts as a reader can take them in: the last levels as ``name: value``."""
    if isinstance(value, Mapping):
        return "; ".join(
            f"{plain(name)}: {_said(inner)}" for name, inner in value.items() if inner not in (None, [], {})
        )
    if isinstance(value, list):
        return ", ".join(f"({_said(item)})" if isinstance(item, Mapping) else _said(item) for item in value)
    return f"{value:,}" if type(value) is int else plain(value)


def _agreement(about: About) -> list[str]:
    if not about.agreement:
        return ["Nobody measured it."]
    rows = [
        [
            found["question"],
            str(found["coefficient"]).replace("_", " "),
            f"none: {found['reason']}" if found["value"] is None else f"{found['value']:.2f}",
            "" if found["low"] is None or found["high"] is None else f"{found['low']:.2f} to {found['high']:.2f}",
        ]
        for found in about.agreement
    ]
    return [table(["question", "coefficient", "value", "95 %"], rows)]


def _audit(about: About) -> list[str]:
    if not about.audit:
        return ["Nobody has checked a sample of these rows."]
    rows, notes = [], []
    for rate in about.audit:
        wrong = ", ".join(f"{name}: {count:,}" for name, count in rate.problems.items())
        rows.append([rate.kind, f"{rate.rows:,}", *cells(rate), wrong])
        there = {row["content"] for row in about.manifests.get(rate.kind, {"rows": []})["rows"]}
        notes.append(
            f"{len(rate.contents & there):,} of the {rate.drawn:,} {rate.kind} rows are in this release unchanged"
        )
        if rate.undecided:
            notes.append(f"on {rate.undecided:,} of them people contradict each other")
    return [
        "People checked a sample of rows, drawn by lot.",
        table(["kind", "rows", *HEADINGS, "what is wrong"], rows),
        f"{'; '.join(notes)}.",
    ]


def _judges(about: About) -> list[str]:
    if not about.judges:
        return []
    undecided = [
        f"On {rate.undecided:,} of {plain(rate.question)} they contradict each other."
        for rate in about.judges
        if rate.undecided
    ]
    return [
        "## How often judges are wrong",
        "Models judged the records; people saw the doubtful ones. Of the others they checked a sample, drawn by lot.",
        table(["question", *HEADINGS], [[rate.question, *cells(rate)] for rate in about.judges]),
        *([" ".join(undecided)] if undecided else []),
    ]


def _changes(about: About) -> list[str]:
    changes = about.changes
    if not changes.previous:
        return ["This is the first release."]
    return [f"Since {plain(changes.previous)}:", counts(changes), "More in `CHANGES.md`."]


def counts(changes: Changes) -> str:
    """A table of what became of the rows of each kind."""
    rows = [[kind, *(f"{count:,}" for count in changes.counts(kind).values())] for kind in changes.rows]
    return table(["kind", "same", "added", "changed", "removed"], rows)


def _warnings(about: About) -> list[str]:
    told: dict[str, str] = {}
    for manifest in about.manifests.values():
        for doubt in manifest.get("warnings", []):
            where = f"{doubt['question']}: " if doubt.get("question") else ""
            told.setdefault(plain(where + doubt["means"]), plain(doubt.get("remedy", "")))
    if not told:
        return ["None."]
    return ["\n".join(f"- {means}" + (f" ({remedy})" if remedy else "") for means, remedy in told.items())]


def history(changes: Changes, version: str) -> str:
    """The text of ``CHANGES.md``."""
    if not changes.previous:
        return f"# {version}\n\nThis is the first release.\n"
    sections = [f"# {version}, since {plain(changes.previous)}", counts(changes)]
    for kind, other in changes.settings.items():
        sections.append(f"Other settings of {kind}: {', '.join(plain(name) for name in other)} (see `changes.json`).")
    for kind in changes.rows:
        rows = [
            [what, f"{count:,}", WHY[why]]
            for what, reasons in changes.reasons(kind).items()
            for why, count in reasons.items()
        ]
        if rows:
            sections += [f"## {kind}", table(["what", "rows", "why"], rows)]
            shown = [
                [change.what, change.record, change.source, "; ".join(WHY[why] for why in change.why)]
                for change in changes.rows[kind][:20]
            ]
            sections.append(table(["what", "record", "rule", "why"], shown))
    return "\n\n".join([*sections, "All of them are in `changes.json`."]) + "\n"
