"""The command judge: models score records, and a report says how far these scores can be trusted."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bridge.cli.campaign import opened
from bridge.cli.files import read_annotations
from bridge.cli.filtering import MAP_SHAPE, pairs, unusable
from bridge.cli.output import json_option, progress, refuse_overwriting, report, table

if TYPE_CHECKING:
    from bridge.annotations import Annotation
    from bridge.judging.bias import Share
    from bridge.judging.quality import Estimate
    from bridge.judging.report import JudgeReport, QuestionReport
    from bridge.judging.run import Tally
    from bridge.merging.coefficients import Coefficient
    from bridge.records import Record
    from bridge.templates import TaskTemplate


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path())
@click.option("--template", metavar="NAME", help="Template of the records, or ./mine.yaml.")
@click.option(
    "--rubric", "rubrics", multiple=True, type=click.Path(), help="What is judged, and by what; several times."
)
@click.option("--model", "models", multiple=True, metavar="NAME", help="A judge; several make a panel.")
@click.option("--url", "urls", multiple=True, metavar="URL", help="Its endpoint; one for all, or one for each --model.")
@click.option("--parameter", multiple=True, metavar="NAME=VALUE", help="Such as max_tokens=500; several times.")
@click.option("--generator", "generators", multiple=True, metavar="NAME", help="Model that wrote the records.")
@click.option("--id", "id_column", metavar="COLUMN", help="Column that is the record's key.")
@click.option("--map", "mapping", multiple=True, metavar="NAME=COLUMN", help="Column with a text; several times.")
@click.option("--prices", type=click.Path(), help="YAML file with prices of models.")
@click.option("--budget", type=float, help="Most that may be spent, by these prices.")
@click.option("--budget-tokens", type=int, help="Most tokens that may be spent.")
@click.option("--allow-http", is_flag=True, help="Permit plain http to other machines.")
@click.option("--journal", type=click.Path(dir_okay=False), help="Where answers are kept; by default beside --out.")
@click.option(
    "--out", default="judged.jsonl", show_default=True, type=click.Path(dir_okay=False), help="Where records go."
)
@click.option("--report", "reports", is_flag=True, help="Compare judged FILES with people's answers.")
@click.option("-C", "--campaign", "folder", metavar="DIR", help="Campaign with the answers, for --report.")
@click.option("--annotations", type=click.Path(), help="annotations.jsonl with the answers, in the stead of -C.")
@json_option
def judge(files: Sequence[str], reports: bool, folder: str | None, annotations: str | None, **given: Any) -> None:
    """Let models score records; say how good they are.

    They go by a rubric. A score becomes a suggestion, with the judge as its agent; what cannot be read is no score.
    The key of the endpoint is in ANNOBRIDGE_MODEL_KEY, or in the key file.

    \b
    Examples:
      annobridge judge records.jsonl --template review --rubric rubric.yaml --model small \\
        --url http://127.0.0.1:8080/v1
      annobridge push --records judged.jsonl --template review
      annobridge judge judged.jsonl --report -C .
      annobridge judge judged.jsonl --report --template review --annotations annotations.jsonl
    """
    if reports:
        _report(files, folder, annotations, given)
        return
    if folder or annotations:
        raise click.UsageError("-C and --annotations go with --report")
    _judge(files, given)


# -- judging


def _judge(files: Sequence[str], given: Mapping[str, Any]) -> None:
    from bridge.judging.rubric import load_rubric
    from bridge.judging.start import Judges, judge_to_file
    from bridge.models.budget import Budget
    from bridge.reading import read_records
    from bridge.templates import load_template

    if len(files) > 1:
        raise click.UsageError("judge one file at a time; --report takes several")
    for name, flag in (("template", "--template"), ("rubrics", "--rubric"), ("models", "--model"), ("urls", "--url")):
        if not given[name]:
            raise click.UsageError(f"{flag} is needed")
    if len(given["urls"]) not in (1, len(given["models"])):
        raise click.UsageError("--url: give one for all judges, or one for each --model, in their order")
    template = load_template(given["template"])
    rubrics = [load_rubric(path, template) for path in given["rubrics"]]
    out = Path(given["out"])
    journal = Path(given["journal"]) if given["journal"] else out.with_suffix(".journal.jsonl")
    inputs = [*files, *given["rubrics"], given["prices"]]
    refuse_overwriting(out, *inputs)
    refuse_overwriting(journal, *inputs, out)
    parameters = {name: _value(text) for name, text in pairs(given["parameter"], "--parameter", "NAME=VALUE").items()}
    judges = Judges(
        given["models"],
        given["urls"],
        parameters,
        Path(given["prices"]) if given["prices"] else None,
        Budget(given["budget"], given["budget_tokens"]),
        given["allow_http"],
    )
    mapping = pairs(given["mapping"], "--map", MAP_SHAPE)
    records = read_records(files[0], template, id_column=given["id_column"], mapping=mapping)
    with progress(given["as_json"]) as tell:
        tally, stopped = judge_to_file(
            records,
            rubrics,
            judges,
            out,
            journal,
            generators=given["generators"],
            tick=lambda done: tell("judged", done, 0),
        )
    summary = {
        "file": str(out),
        "journal": str(journal),
        **tally.to_dict(),
        "stopped": stopped,
        "rejected": [reject.to_dict() for reject in records.rejects],
    }
    lines = [*_judged(tally, stopped), f"wrote {out}", *unusable(records.rejects)]
    report(summary, lines, as_json=given["as_json"], partial=bool(records.rejects or stopped))


def _value(text: str) -> Any:
    """The value of a parameter: a number, true or false where it is one, else a text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _judged(tally: Tally, stopped: str) -> Iterator[str]:
    yield f"{tally.records:,} records judged"
    for question, count in tally.judgements.items():
        yield f"  {count:,} have an answer to {question}"
    if tally.conflicts:
        yield f"  {tally.conflicts:,} contradict themselves when the order is swapped: people decide"
    if tally.split:
        yield f"  {tally.split:,} have none because the judges are split: people decide"
    if tally.mended:
        yield f"  {tally.mended:,} answers could be read only when asked for again"
    if tally.missing:
        yield f"{sum(tally.missing.values()):,} answers could not be read, and are no scores:"
        yield from (f"  {count:,}: {reason}" for reason, count in tally.missing.most_common(5))
    usage = tally.usage
    cost = f", for {usage.cost:.4f}" if usage.cost else ""
    yield f"{usage.prompt_tokens:,} tokens of prompts, {usage.completion_tokens:,} of answers{cost}"
    for warning in tally.warnings:
        yield f"warning: {warning.means}"
        yield f"  remedy: {warning.remedy}"
    if stopped:
        yield f"ended early: {stopped}"
        yield "  remedy: give a larger budget and run the same again: what was answered is kept"


# -- the report


def _report(files: Sequence[str], folder: str | None, annotations: str | None, given: Mapping[str, Any]) -> None:
    from bridge.errors import UsageError
    from bridge.judging.chances import UNKNOWN
    from bridge.judging.report import report as compare

    template, answers = answers_for(folder, annotations, given["template"], quiet=given["as_json"])
    found = compare(judged_records(files, template, given["id_column"], given["mapping"]), answers, template)
    if folder and any(UNKNOWN in question.notes for question in found.questions) and _were_routed(folder, given):
        raise UsageError(
            f"{files[0]}: people saw routed records, and with which chance is not in this file",
            remedy="name the files that `annobridge route` wrote, the one of --rest too",
        )
    report(found.to_dict(), _found(found), as_json=given["as_json"])


def _were_routed(folder: str, given: Mapping[str, Any]) -> bool:
    """Whether the records of a campaign say with which chance they were selected."""
    from bridge.judging.chances import logged

    with opened(folder, {"set__template": given["template"]}, quiet=True) as campaign:
        return any(logged(record).probability is not None for record in campaign.records())


def answers_for(
    folder: str | None, annotations: str | None, template: str | None, *, quiet: bool
) -> tuple[TaskTemplate, list[Annotation]]:
    """A template and people's answers: those of a campaign, or those of a file."""
    from bridge.templates import load_template

    if bool(folder) == bool(annotations):
        raise click.UsageError("people's answers are in a campaign or in a file: give -C or --annotations")
    if folder:
        with opened(folder, {"set__template": template}, quiet=quiet) as campaign:
            return campaign.template, campaign.annotations()
    if not template:
        raise click.UsageError("--template is needed beside --annotations")
    return load_template(template), read_annotations(str(annotations))[0]


def judged_records(
    files: Sequence[str], template: TaskTemplate, id_column: str | None, mapping: Sequence[str]
) -> Iterator[Record]:
    """The records of several files, one file after the other."""
    from bridge.errors import InputError
    from bridge.reading import read_records

    for file in files:
        reader = read_records(file, template, id_column=id_column, mapping=pairs(mapping, "--map", MAP_SHAPE))
        yield from reader
        if reader.rejects:
            first = reader.rejects[0]
            raise InputError(
                f"{file}:{first.line}: {first.reason}",
                remedy=f"{first.remedy}; a report on a part of the records would be another set's",
            )


def _found(found: JudgeReport) -> Iterator[str]:
    yield f"{found.records:,} records"
    if found.foreign:
        yield f"{found.foreign:,} answers are to records that are not among them"
    for question in found.questions:
        yield ""
        yield from _question(question)


def _question(found: QuestionReport) -> Iterator[str]:
    yield f"{found.question} ({found.kind}): {found.records:,} judged, {found.answered:,} answered by people too"
    yield f"  answers of the judges: {', '.join(f'{value} {n:,}' for value, n in found.values.items()) or 'none'}"
    for reason, count in found.missing.items():
        yield f"  {count:,} without: {reason}"
    rows = [["between people", *_agreement(found.between)]]
    if len(found.judges) > 1:
        rows.append(["all judges", *_agreement(found.people)])
    rows += [[one.model, *_agreement(one.people)] for one in found.judges]
    yield ""
    yield from table(["agreement with people", "records", "same", "alpha", "95 %", "kappa", "95 %"], rows)
    yield ""
    for one in found.judges:
        low, high = one.missing.interval
        lost = f"{one.missing.count:,} of {one.readings:,} answers could not be read"
        yield f"{one.model}: {lost} ({low:.1%} to {high:.1%})"
        if one.consistency is not None and one.first is not None:
            yield f"{one.model}: {_part(one.consistency)} say the same when the order is swapped"
            yield f"{one.model}: {_part(one.first)} prefer what stands first, where a half is expected"
    if found.longer is not None and found.people_longer is not None:
        yield f"the longer response is preferred in {_part(found.longer)}; by people in {_part(found.people_longer)}"
    if found.length is not None and found.people_length is not None:
        yield f"correlation with length: {_figure(found.length)}; of people's answers {_figure(found.people_length)}"
    if found.calibration:
        yield ""
        rows = [
            [f"{row.low:.1f} to {row.high:.1f}", f"{row.n:,}", f"{row.stated:.0%}", *_percent(row.right)]
            for row in found.calibration
        ]
        yield from table(["confidence", "records", "stated", "people agree", "95 %"], rows)
    yield ""
    yield from _quality(found.quality)
    yield from (f"  note: {note}" for note in found.notes)


def _agreement(pairs_: Any) -> list[str]:
    cells = [f"{pairs_.records:,}", "" if pairs_.same is None else f"{pairs_.same:.0%}"]
    for figure in (pairs_.alpha, pairs_.kappa):
        cells.append("none" if figure.value is None else f"{figure.value:.2f}")
        cells.append("" if figure.low is None else f"{figure.low:.2f} to {figure.high:.2f}")
    return cells


def _percent(share: Share) -> list[str]:
    low, high = share.interval
    return ["" if share.value is None else f"{share.value:.0%}", f"{low:.0%} to {high:.0%}"]


def _part(share: Share) -> str:
    if share.value is None:
        return "none"
    low, high = share.interval
    return f"{share.value:.0%} ({low:.0%} to {high:.0%}, n = {share.n:,.0f})"


def _figure(figure: Coefficient) -> str:
    if figure.value is None:
        return f"none ({figure.reason})"
    ends = "" if figure.low is None else f" ({figure.low:.2f} to {figure.high:.2f})"
    return f"{figure.value:.2f}{ends}"


def _quality(quality: Mapping[str, Estimate]) -> Iterable[str]:
    """What people's answers over the whole set come to; a mean of scores is no quality, and is not shown."""
    if not quality:
        return []
    first = next(iter(quality.values()))
    if first.value is None:
        return [f"quality of the whole set: not known: {first.reason}"]
    rows = []
    for name, found in quality.items():
        people = found.people or (0.0, 0.0, 0.0)
        rows.append(
            [
                name,
                f"{found.value:.3f}",
                f"{found.low:.3f} to {found.high:.3f}",
                f"{people[0]:.3f}",
                f"{people[1]:.3f} to {people[2]:.3f}",
                "PPI++" if found.method == "ppi" else f"people alone: {found.reason}",
            ]
        )
    head = (
        f"quality of the whole set, as people would see it ({first.answers:,} of {first.records:,} records answered):"
    )
    return [head, *table(["", "estimate", "95 %", "people alone", "95 %", "by"], rows)]


COMMANDS: list[click.Command] = [judge]
