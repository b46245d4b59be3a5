"""Commands that give training sets out: the audit of a sample, and releases."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bridge.cli.campaign import campaign_options, opened
from bridge.cli.export import row_options, shares
from bridge.cli.output import refuse_overwriting, report, table
from bridge.cli.route import judge_rate_lines

if TYPE_CHECKING:
    from bridge.auditing import AuditRate
    from bridge.release import ReleaseResult


@click.command()
@click.option("--version", "version", required=True, metavar="NAME", help="Name of the release, such as v3.")
@click.option("--out", type=click.Path(file_okay=False), help="Folder of all releases; by default releases/.")
@click.option("--previous", metavar="NAME", help="Release to compare with; by default the one before.")
@row_options
@click.option(
    "--judge-max-error",
    type=float,
    metavar="SHARE",
    help="Demand that judges err at most so often, by the audit of `annobridge route`.",
)
@click.option("--dvc", is_flag=True, help="Run `dvc add` on the release.")
@click.option("--hub", metavar="OWNER/NAME", help="Upload the release as a private data set; the token is in HF_TOKEN.")
@campaign_options
def release(
    version: str,
    out: str | None,
    previous: str | None,
    kinds: tuple[str, ...],
    formats: tuple[str, ...],
    splits: tuple[str, ...],
    judge_max_error: float | None,
    dvc: bool,
    hub: str | None,
    folder: str,
    as_json: bool,
    **flags: Any,
) -> None:
    """Make a release: a folder that is never changed.

    It appears whole or not at all. It has every format as JSON Lines and Parquet, a card that loads with `datasets`,
    Croissant, hashes of all files, and what became of each row since the release before. With --dvc or --hub alone,
    name a release that is there.

    \b
    Example:
      annobridge release --version v3
    """
    from bridge.release.dvc import check_dvc, dvc_add
    from bridge.release.hub import HuggingFace, check_hub, upload

    if out:
        refuse_overwriting(out, folder=folder)
    if splits:
        flags["set__exports__splits"] = shares(splits)
    if judge_max_error is not None:
        flags["set__release__judge_max_error"] = judge_max_error
    place = None
    if dvc:
        check_dvc()
    if hub:
        import os

        check_hub(hub)
        place = HuggingFace.of(os.environ)
    with opened(folder, flags, quiet=as_json) as campaign:
        there = campaign.released(version, out) if dvc or hub else None
        result = None if there else campaign.release(version, kinds, formats, out, previous=previous)
    where = there or result.folder  # type: ignore[union-attr]
    summary = result.to_dict() if result else {"folder": str(where), "version": version}
    lines = _made(result) if result else [f"{where} is there already, and stays as it is"]
    if dvc:
        summary["dvc"] = str(dvc_add(where))
        lines.append(f"under DVC: {summary['dvc']}")
    if hub:
        summary["hub"] = upload(where, hub, version, place)
        lines.append(f"on the hub: {summary['hub']}")
    report(summary, lines, as_json=as_json)


def _made(result: ReleaseResult) -> list[str]:
    lines = [f"{count:>7,} {kind} rows" for kind, count in result.rows.items()]
    changes = result.changes
    if changes.previous:
        rows = [[kind, *changes.counts(kind).values()] for kind in changes.rows]
        lines += ["", *table([f"since {changes.previous}", "same", "added", "changed", "removed"], rows)]
    if result.audit:
        lines += ["", *rate_lines(result.audit)]
    if result.judges:
        lines += ["", *judge_rate_lines(result.judges)]
    return [*lines, "", f"released {result.folder}"]


def rate_lines(rates: Iterable[AuditRate]) -> list[str]:
    """What an audit says, as a table."""
    from bridge.merging.checked import HEADINGS, cells

    return table(["kind", "rows", *HEADINGS], [[rate.kind, f"{rate.rows:,}", *cells(rate)] for rate in rates])


@click.command()
@click.option("--share", type=float, default=0.05, show_default=True, help="How large a part of each training set.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Decides which rows are drawn.")
@click.option("--report", "reports", is_flag=True, help="Say what people found so far.")
@campaign_options
def audit(share: float, seed: int, reports: bool, folder: str, as_json: bool, **flags: Any) -> None:
    """Have people check some of the exported rows.

    Rows are drawn by lot for people to say whether they are right. They become a campaign of its own in the folder
    audit/, which is pushed and pulled like any other. --report says how many rows are wrong, with an exact interval;
    the card of a release says it too.

    \b
    Example:
      annobridge audit --share 0.05 --seed 1
      annobridge push -C audit
      annobridge pull -C audit
      annobridge audit --report
    """
    people = flags.pop("set__annotators_per_record") or 1
    with opened(folder, flags, quiet=as_json) as campaign:
        rates = campaign.audit_report() if reports else []
        drawn = {} if reports else campaign.audit(share, seed, annotators_per_record=people)
    if reports:
        open_ = sum(rate.drawn - rate.checked - rate.undecided for rate in rates)
        lines = rate_lines(rates)
        for rate in rates:
            lines += [f"{rate.kind}: {count:,} {name.replace('_', ' ')}" for name, count in rate.problems.items()]
            if rate.undecided:
                lines.append(f"{rate.kind}: on {rate.undecided:,} people contradict each other")
        lines += [f"{open_:,} rows are still to be checked"] if open_ else []
        report({"audit": [rate.to_dict() for rate in rates]}, lines, as_json=as_json)
        return
    where = Path(folder, "audit")
    lines = [f"{count['drawn']:,} of {count['rows']:,} {kind} rows are in {where}" for kind, count in drawn.items()]
    lines.append(f"next: annobridge push -C {where}")
    report({"folder": str(where), "drawn": drawn}, lines, as_json=as_json)


COMMANDS: list[click.Command] = [audit, release]
