"""The command that says how far people agree, and whose answers to doubt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from bridge.cli.campaign import campaign_options, opened
from bridge.cli.files import answers_in_files, merge_options
from bridge.cli.lines import warning_lines
from bridge.cli.output import report, table

if TYPE_CHECKING:
    from bridge.merging import Problem
    from bridge.merging.agreement import Agreement

SHOWN = 50
"""Rows of a table of people; all of them are in the JSON."""


@click.command()
@click.option("--annotations", "annotations_file", type=click.Path(), help="annotations.jsonl, instead of a campaign.")
@campaign_options
def agreement(annotations_file: str | None, folder: str, as_json: bool, **flags: Any) -> None:
    """Say how far people agree, and whose answers to doubt.

    With --template and --annotations it needs no campaign; the agreement on spans then needs --records.

    \b
    Example:
      annobridge agreement
      annobridge agreement --template review --annotations annotations.jsonl --records records.jsonl
    """
    names: Mapping[str, str] = {}
    unreadable: Sequence[Problem] = ()
    if annotations_file:
        from bridge.merging.agreement import agreement as measure

        annotations, template, records, unreadable = answers_in_files(annotations_file, flags)
        found = measure(annotations, template, records, labels=merge_options(flags)["labels"])
    else:
        with opened(folder, flags, quiet=as_json) as campaign:
            found, names = campaign.agreement(), campaign.people()
    lines = _lines(found, names)
    if unreadable:
        lines += ["", f"{len(unreadable):,} lines of {annotations_file} are no answers:"]
        lines += [f"  {problem.reason}" for problem in unreadable[:3]]
    summary = {**found.to_dict(), "problems": [problem.to_dict() for problem in unreadable]}
    report(summary, lines, as_json=as_json, partial=bool(unreadable))


def _lines(found: Agreement, names: Mapping[str, str]) -> list[str]:
    lines = [f"{found.records:,} records answered by {len(found.annotators):,} people"]
    if found.invalid:
        lines.append(f"{found.invalid:,} answers are wrong and do not count: annobridge merge lists them with reasons")
    lines += ["", *_questions(found)]
    for question in found.questions:
        kappas = sorted(pair.kappa for pair in question.pairs if pair.kappa is not None)
        if len(kappas) > 1:
            middle = kappas[len(kappas) // 2]
            lines.append(
                f"{question.question}: Cohen's kappa of {len(kappas)} pairs of people from {kappas[0]:.2f} to "
                f"{kappas[-1]:.2f}, the middle one {middle:.2f}"
            )
    lines += ["", *_people(found, names), *_audits(found)]
    return lines + warning_lines(found.warnings)


def _questions(found: Agreement) -> list[str]:
    rows = []
    for question in found.questions:
        for name, figure in question.coefficients.items():
            ends = f"{figure.low:.2f} to {figure.high:.2f}" if None not in (figure.low, figure.high) else ""
            value = f"{figure.value:.2f}" if figure.value is not None else f"none: {figure.reason}"
            same = f"{question.percent:.0%}" if question.percent is not None else ""
            counts = [f"{count:,}" for count in (question.records, question.shared, question.annotators)]
            rows.append([question.question, *counts, same, name.replace("_", " "), value, ends])
    headings = ["question", "records", "with two", "people", "same", "coefficient", "value", "95 %"]
    return table(headings, rows)


def _people(found: Agreement, names: Mapping[str, str]) -> list[str]:
    rows = []
    for rater in found.annotators:
        seconds = f"{rater.seconds:.0f}" if rater.seconds is not None else ""
        start = [rater.annotator, *([names.get(rater.annotator, "")] if names else []), f"{rater.skipped:,}", seconds]
        for name, figures in rater.questions.items():
            agrees = f"{figures.agreed:.0%}" if figures.agreed is not None else ""
            most = f"{figures.commonest_share:.0%} {_short(figures.commonest)}"
            rows.append([*start, name, f"{figures.answers:,}", agrees, f"{figures.compared:,}", most])
        if not rater.questions:
            rows.append([*start, "", "0", "", "", ""])
    headings = ["annotator", *(["name"] if names else []), "skipped", "s", "question", "answers"]
    lines = table([*headings, "agrees", "of", "commonest"], rows[:SHOWN])
    return [*lines, f"and {len(rows) - SHOWN:,} more rows: --json"] if len(rows) > SHOWN else lines


def _short(value: object) -> str:
    text = " ".join(str(value).split()) if value not in (None, [], {}) else "nothing"
    return text if len(text) <= 24 else f"{text[:21]}..."


def _audits(found: Agreement) -> list[str]:
    lines: list[str] = []
    if found.controls:
        rows = [[s.annotator, s.right, s.n, f"{s.share:.0%}", f"{s.low:.0%} to {s.high:.0%}"] for s in found.controls]
        lines += ["", *table(["annotator", "right", "controls", "share", "95 %"], rows)]
    if found.positions or found.anchorings:
        lines.append("")
    for bias in found.positions:
        lines.append(
            f"{bias.question}: what stood first won {bias.share:.0%} of {bias.n:,} times ({bias.low:.0%} to "
            f"{bias.high:.0%}), where {bias.expected:.0%} is expected"
        )
    for pull in found.anchorings:
        (seen, of_seen), (hidden, of_hidden) = pull.with_suggestion, pull.without
        lines.append(
            f"{pull.question}: {seen:,} of {of_seen:,} answers equal the suggestion where it was shown, {hidden:,} of "
            f"{of_hidden:,} where it was hidden: a pull of {pull.pull:+.0%} ({pull.low:+.0%} to {pull.high:+.0%})"
        )
        if pull.closer is not None and pull.closer_low is not None and pull.closer_high is not None:
            lines.append(
                f"{pull.question}: where it was shown, answers are {pull.closer:+.2f} nearer to it "
                f"({pull.closer_low:+.2f} to {pull.closer_high:+.2f})"
            )
    return lines


COMMANDS: list[click.Command] = [agreement]
