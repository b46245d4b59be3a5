"""Commands that look at a campaign, or after it: how far people are, and whether everything is where it should be."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from bridge.cli.campaign import campaign_options, opened
from bridge.cli.output import report, table

if TYPE_CHECKING:
    from bridge.results import StatusResult


@click.command()
@click.option("--watch", is_flag=True, help="Show it again and again, until it is interrupted.")
@click.option("--every", type=click.FloatRange(1), default=30.0, show_default=True, help="Seconds between two looks.")
@click.option("--times", type=click.IntRange(1), help="Watch, and end after so many looks.")
@campaign_options
def status(folder: str, as_json: bool, watch: bool, every: float, times: int | None, **flags: Any) -> None:
    """Show how far the annotators are.

    \b
    Example:
      annobridge status --json
      annobridge status --watch --every 60
    """
    from bridge.errors import ServerError

    with opened(folder, flags, quiet=as_json) as campaign:
        looks = 0
        while True:
            try:
                result = campaign.status()
            except ServerError as error:
                if not looks:
                    raise
                click.echo(f"error: {error.reason}", err=True)  # a watch outlives a server that is started anew
            else:
                report(result.to_dict(), status_lines(result, campaign.people(), time.time()), as_json=as_json)
            looks += 1
            if not (watch or times) or looks == times:
                return
            sys.stdout.flush()
            time.sleep(every)
            if not as_json:
                click.echo("")


def status_lines(result: StatusResult, names: Mapping[str, str], now: float) -> list[str]:
    """A status as lines for a person."""
    progress = result.progress
    share = f" ({progress.completed / progress.records:.0%})" if progress.records else ""
    lines = [
        f"{progress.records:,} records, {progress.answered:,} answered, {progress.completed:,} complete{share}",
        f"label here: {result.project.url}",
    ]
    if result.pace.per_hour is not None:
        end = f", done around {result.pace.end[:16].replace('T', ' ')} UTC" if result.pace.end else ""
        lines.append(f"{result.pace.per_hour:g} answers an hour over the last week{end}")
    if result.unresolved:
        lines.append(f"{result.unresolved:,} records are answered, but people do not agree: annobridge merge")
    if result.pulled_at is not None:
        lines.append(f"last pull: {ago(now - result.pulled_at)}")
    if result.unsettled:
        lines.append(f"{result.unsettled:,} records may or may not have arrived: annobridge push looks them up")
    if progress.indexed is not None and progress.indexed != progress.records:
        lines.append(f"the search index has {progress.indexed:,} of them: annobridge doctor")
    if result.busy:
        lines.append(f"at work in this folder: {result.busy}")
    if result.adjudication:
        there = result.adjudication.progress
        lines.append(f"adjudication: {there.records:,} records, {there.answered:,} answered")
        lines.append(f"decide here: {result.adjudication.project.url}")
    if result.answers:
        rows = [
            [who, names.get(who, ""), counts["submitted"], counts["discarded"], counts["draft"]]
            for who, counts in sorted(result.answers.items())
        ]
        lines += ["", *table(["annotator", "name", "submitted", "skipped", "drafts"], rows)]
    elif result.last_pull is None:
        lines.append("nothing was pulled yet: annobridge pull")
    else:
        lines.append("no answers yet, as of the last pull")
    return lines


def ago(seconds: float) -> str:
    """A duration in the past, in words.

    >>> ago(40), ago(5000), ago(200000)
    ('a moment ago', '83 minutes ago', '2 days ago')
    """
    minutes = int(seconds // 60)
    if minutes < 2:
        return "a moment ago"
    if minutes < 120:
        return f"{minutes} minutes ago"
    return f"{minutes // 60} hours ago" if minutes < 2880 else f"{minutes // 1440} days ago"


@click.command()
@click.option("--repair", is_flag=True, help="Carry out the repairs.")
@click.option("--rebuild", is_flag=True, help="Make the ledger anew from the server first; the old one is kept.")
@campaign_options
def doctor(folder: str, as_json: bool, repair: bool, rebuild: bool, **flags: Any) -> None:
    """Compare ledger, server and search index; name repairs.

    No repair deletes a record that anybody answered. Exit code 3: something is still wrong.

    \b
    Example:
      annobridge doctor
      annobridge doctor --repair
    """
    with opened(folder, flags, quiet=as_json) as campaign:
        result = campaign.doctor(repair=repair, rebuild=rebuild)
    lines = [f"{result.records:,} records on the server, {result.known:,} in the ledger"]
    lines += [f"repaired: {done}" for done in result.repaired]
    for finding in result.findings:
        such = f", such as {finding.keys[0]}" if finding.keys else ""
        lines += [f"{finding.kind}: {finding.text}{such}", f"  repair: {finding.repair}"]
    if any(finding.mendable for finding in result.findings):
        lines.append("to carry the repairs out: annobridge doctor --repair")
    elif result.healthy:
        lines.append("all is well")
    report(result.to_dict(), lines, as_json=as_json, partial=not result.healthy)


COMMANDS: list[click.Command] = [status, doctor]
