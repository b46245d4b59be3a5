"""The command that puts before others what people do not agree on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bridge.cli.campaign import campaign_options, opened
from bridge.cli.lines import rejected_lines
from bridge.cli.output import report

if TYPE_CHECKING:
    from bridge.adjudication import AdjudicationResult


@click.command()
@click.option(
    "--answers",
    type=click.Choice(["hidden", "shown"]),
    help="Whether adjudicators see, without names, what people answered; fixed by the first run. Default: hidden.",
)
@click.option(
    "--question", "questions", multiple=True, metavar="NAME", help="Only this question; several times. Default: all."
)
@click.option("--include-no-quorum", is_flag=True, help="Also what too few people answered.")
@campaign_options
def adjudicate(
    folder: str,
    as_json: bool,
    answers: Any,
    questions: tuple[str, ...],
    include_no_quorum: bool,
    **flags: Any,
) -> None:
    """Have others decide what people do not agree on.

    The records go out as a campaign of their own, in the folder adjudication/ of this one. `annobridge pull` brings its
    answers too, and they settle the outcome in the merge. Running it again adds what became unresolved since.
    --annotators-per-record says how many people decide on each record.

    \b
    Example:
      annobridge adjudicate --answers shown
    """
    people = flags.pop("set__annotators_per_record")
    with opened(folder, flags, quiet=as_json) as campaign:
        result = campaign.adjudicate(
            answers=answers, questions=questions, annotators_per_record=people, no_quorum=include_no_quorum
        )
    report(result.to_dict(), _lines(result), as_json=as_json, partial=not result.complete)


def _lines(result: AdjudicationResult) -> list[str]:
    lines = [f"{result.unresolved:,} records are unresolved" if result.unresolved else "nothing is unresolved"]
    if result.missing:
        lines.append(f"{result.missing:,} of them are not in the file any more: nobody can decide on these")
    if result.too_few:
        lines.append(f"{result.too_few:,} have too few answers: --include-no-quorum puts these before adjudicators too")
    pushed = result.pushed
    if pushed is None:
        return [*lines, "there is nothing to adjudicate"]
    lines += [
        f"{result.added:,} of them are new in {result.folder}",
        f"{pushed.sent:,} records sent, {pushed.present:,} were there already",
        *rejected_lines(pushed.rejected, result.folder / "out" / "rejects.jsonl"),
    ]
    if pushed.reason:
        lines += [f"not everything was sent: {pushed.reason}", "  remedy: run it again: it goes on from there"]
    return [*lines, f"decide here: {pushed.project.url} (earlier answers are {'shown' if result.shown else 'hidden'})"]


COMMANDS: list[click.Command] = [adjudicate]
