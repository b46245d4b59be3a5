"""The command route: which records people see, and what an audit by lot says of the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bridge.cli.campaign import opened
from bridge.cli.filtering import MAP_SHAPE, pairs, unusable
from bridge.cli.judge import answers_for, judged_records
from bridge.cli.output import json_option, refuse_overwriting, report, table

if TYPE_CHECKING:
    from bridge.curate.items import Item
    from bridge.merging import Merged
    from bridge.routing.rate import JudgeRate
    from bridge.routing.route import Plan
    from bridge.templates import TaskTemplate


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path())
@click.option("--by", multiple=True, metavar="NAME", help="What makes the strata, such as task; several times.")
@click.option("--audit", default=0.05, show_default=True, help="Share of each stratum drawn by lot, 0.05 to 0.1.")
@click.option("--size", type=int, help="Most records that people see; by default all that are doubtful.")
@click.option("--margin", default=0.2, show_default=True, help="Least lead of an answer over the next one.")
@click.option("--apart", default=1.0, show_default=True, help="Steps that judges' ratings may be apart.")
@click.option("--alarm", "alarms", multiple=True, metavar="NAME", help="Metadata that is an alarm; several times.")
@click.option("--rule", "rules", multiple=True, metavar="NAME", help="Rules of cleaning that are; all by default.")
@click.option("--thin", default=20, show_default=True, help="Strata with fewer records go to people whole.")
@click.option("--seed", default=0, show_default=True, help="Of the lot.")
@click.option("--id", "id_column", metavar="COLUMN", help="Column that is the record's key.")
@click.option("--map", "mapping", multiple=True, metavar="NAME=COLUMN", help="Column with a text; several times.")
@click.option("--out", type=click.Path(dir_okay=False), help="Where people's records go; without it, only counted.")
@click.option("--rest", type=click.Path(dir_okay=False), help="Where all others go; by default beside --out.")
@click.option("--report", "reports", is_flag=True, help="Say how often the judges err, by the audit.")
@click.option("--within", default=1.0, show_default=True, help="A rating as near as this to people's is right.")
@click.option("-C", "--campaign", "folder", metavar="DIR", help="Campaign with people's answers, for --report.")
@click.option("--annotations", type=click.Path(), help="annotations.jsonl with the answers, in the stead of -C.")
@click.option("--template", metavar="NAME", help="Template of the records, beside --annotations.")
@json_option
def route(files: Sequence[str], reports: bool, as_json: bool, **given: Any) -> None:
    """Decide which judged records people see.

    These are the doubtful ones, and an audit by lot. Doubtful is what a judge contradicts itself on, what judges
    disagree on, what has no score or a narrow one, what a rule finds fault with, and what there is little of. The
    audit is drawn of all records before any of this is looked at. With which chance each record was selected stands in
    its metadata.

    \b
    Examples:
      annobridge route judged.jsonl --by task --out people.jsonl
      annobridge push --records people.jsonl --template review
      annobridge route people.jsonl people.rest.jsonl --report -C .
    """
    if reports:
        _report(files, as_json, given)
        return
    if given["folder"] or given["annotations"]:
        raise click.UsageError("-C and --annotations go with --report")
    if len(files) > 1:
        raise click.UsageError("route one file at a time; --report takes several")
    _route(files[0], as_json, given)


def _route(file: str, as_json: bool, given: Mapping[str, Any]) -> None:
    from dataclasses import replace

    from bridge.curate.items import Items
    from bridge.files import line_writer
    from bridge.routing.route import Settings, plan, with_decision
    from bridge.routing.signals import Signals

    out = Path(given["out"]) if given["out"] else None
    rest = Path(given["rest"]) if given["rest"] else out and out.with_suffix(".rest.jsonl")
    if rest and not out:
        raise click.UsageError("--rest goes with --out")
    if out and rest:
        refuse_overwriting(out, file)
        refuse_overwriting(rest, file, out)
    rules = {"rules": tuple(given["rules"])} if given["rules"] else {}
    signals = Signals(given["margin"], given["apart"], given["alarms"], **rules)
    settings = Settings(given["by"], given["audit"], given["seed"], given["size"], given["thin"], signals)
    items = Items(file, mapping=pairs(given["mapping"], "--map", MAP_SHAPE), id_column=given["id_column"])
    found = plan((replace(item.record, key=_key(item, given["id_column"])) for item in items), settings)
    if out and rest:
        with line_writer(out) as seen, line_writer(rest) as unseen:
            for item, decision in zip(items, found.decisions, strict=True):
                record = with_decision(item.record, decision, settings.seed)
                (seen if decision.selected else unseen)(item.line(record))
    files = {"file": str(out) if out else None, "rest_file": str(rest) if rest else None}
    rejected = [reject.to_dict() for reject in items.rejects]
    lines = [*_planned(found), *([f"wrote {out}, and all others to {rest}"] if out else []), *unusable(items.rejects)]
    report({**files, **found.to_dict(), "rejected": rejected}, lines, as_json=as_json, partial=bool(items.rejects))


def _key(item: Item, column: str | None) -> str:
    """The key that a line has itself: two lines of one key are one record to servers, and cannot be routed apart."""
    told = item.row.get(column or "key") if column or "fields" in item.row else None
    return str(told or item.record.key)


def _planned(found: Plan) -> Iterator[str]:
    told = found.to_dict()
    yield (
        f"{told['selected']:,} of {told['records']:,} records go to people: {told['routed']:,} as doubtful, "
        f"{told['audit']:,} drawn by lot for the audit"
    )
    if found.left:
        yield f"{found.left:,} doubtful records are left to the judges, because --size has no room for them"
    if told["reasons"]:
        yield ""
        yield from table(["reason", "records"], [[reason, f"{n:,}"] for reason, n in told["reasons"].items()])
    if len(found.strata) > 1:
        yield ""
        rows = [[name, *(f"{n:,}" for n in counts)] for name, counts in [*found.strata.items()][:50]]
        yield from table(["stratum", "records", "audit", "doubtful"], rows)


def _report(files: Sequence[str], as_json: bool, given: Mapping[str, Any]) -> None:
    from bridge.routing.rate import judge_rates

    template, merged = _merged(given, as_json)
    records = judged_records(files, template, given["id_column"], given["mapping"])
    rates = judge_rates(records, merged, given["within"])
    report({"rates": [rate.to_dict() for rate in rates]}, judge_rate_lines(rates), as_json=as_json)


def _merged(given: Mapping[str, Any], quiet: bool) -> tuple[TaskTemplate, list[Merged]]:
    """The template, and what people's answers come to: by the rules of a campaign, or those of a file by the usual."""
    from bridge.merging import merge

    if given["folder"] and not given["annotations"]:
        with opened(given["folder"], {"set__template": given["template"]}, quiet=quiet) as campaign:
            return campaign.template, campaign.merge().kept
    template, annotations = answers_for(given["folder"], given["annotations"], given["template"], quiet=quiet)
    return template, merge(annotations, template).kept


def judge_rate_lines(rates: Sequence[JudgeRate]) -> list[str]:
    """How often judges err on what is left to them, as a table."""
    if not rates:
        return ["the audit holds no record that is left to the judges: people see them all"]
    from bridge.merging.checked import HEADINGS, cells

    rows = []
    for rate in rates:
        rows.append([rate.question, *cells(rate)])
        rows += [
            [f"  {name}", "", f"{n:,}", f"{wrong:,}", f"{wrong / n:.1%}", ""]
            for name, (wrong, n) in rate.wrong_by.items()
            if len(rate.wrong_by) > 1
        ]
    lines = ["how often the judges are wrong on what is left to them:"]
    lines += table(["question", *HEADINGS], rows)
    lines += [
        f"{rate.question}: on {rate.undecided:,} people contradict each other" for rate in rates if rate.undecided
    ]
    return lines


COMMANDS: list[click.Command] = [route]
