"""The command export, and the options by which it and releases choose rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bridge.cli.campaign import campaign_options, opened
from bridge.cli.files import needed, reader
from bridge.cli.gating import gate_flags, gate_lines, gate_options
from bridge.cli.lines import curate_lines
from bridge.cli.output import refuse_overwriting, report

if TYPE_CHECKING:
    from bridge.exporting import ExportResult

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")


def row_options(command: F) -> F:
    """Which training sets, in which shapes, and what is held back."""
    sets = click.Choice(["sft", "dpo", "kto", "reward"])
    options = [
        click.option("--to", "kinds", multiple=True, type=sets, help="Training set, several times."),
        click.option("--format", "formats", multiple=True, help="Shape of rows, several times; a wrong one lists all."),
        click.option(
            "--split",
            "splits",
            multiple=True,
            metavar="NAME=SHARE",
            help="Hold back a share: valid=0.1 or test=0.1, or both.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def _read_objects(path: str, parse: Callable[[dict[str, Any]], T]) -> Iterator[T]:
    from bridge.errors import InputError, ValueRejected
    from bridge.files import Reject, read_lines

    for number, line in read_lines(path):
        if isinstance(line, Reject):
            raise InputError(f"{path}:{number}: {line.reason}", remedy=line.remedy)
        try:
            yield parse(line)
        except ValueRejected as error:
            raise InputError(f"{path}:{number}: {error.reason}", remedy=error.remedy) from None


@click.command()
@row_options
@click.option(
    "--files", multiple=True, type=click.Choice(["jsonl", "parquet"]), help="How rows are written; both may stand."
)
@click.option("--chat-template", type=click.Path(), help="A Jinja file or a tokenizer's folder, for --format text.")
@click.option(
    "--reasoning",
    "set__exports__reasoning",
    type=click.Choice(["keep", "strip"]),
    help="What becomes of <think>...</think> in answers.",
)
@click.option(
    "--system",
    "set__exports__system",
    type=click.Choice(["keep", "merge"]),
    help="Whether system messages stay, or join the user's first turn.",
)
@gate_options
@click.option("--merged", type=click.Path(), help="merged.jsonl, instead of a campaign.")
@click.option("--out", type=click.Path(file_okay=False), help="Folder to write; by default out/.")
@campaign_options
def export(
    kinds: tuple[str, ...],
    formats: tuple[str, ...],
    files: tuple[str, ...],
    chat_template: str | None,
    splits: tuple[str, ...],
    gates: tuple[str, ...],
    no_gates: tuple[str, ...],
    merged: str | None,
    out: str | None,
    folder: str,
    as_json: bool,
    **flags: Any,
) -> None:
    """Write training sets, and a manifest that traces rows.

    A tie or a skip never becomes a row, nor an unchanged rewrite, unless a rule of the template says that it approves
    the text: each is counted with its reason. With --template,
    --records and --merged it needs no campaign.

    \b
    Example:
      annobridge export --template review --records records.jsonl --merged merged.jsonl --to sft --out train
    """
    if out:
        refuse_overwriting(out, folder=folder)
    if files:
        flags["set__exports__files"] = list(files)
    flags["set__exports__gates"] = gate_flags(gates, no_gates) or None
    if chat_template:
        flags["set__exports__chat_template"] = str(Path(chat_template).absolute())
    if merged:
        results = _export_files(kinds, formats, splits, merged, out or "out", flags)
    else:
        if splits:
            flags["set__exports__splits"] = shares(splits)
        with opened(folder, flags, quiet=as_json) as campaign:
            results = campaign.export(kinds, formats, out)
    lines = []
    for result in results:
        if not result.kept:
            lines.append(f"      0 rows: see {result.manifest}")
        lines += [f"{file.rows:>7,} rows  {file.path}" for file in result.files]
        lines += [f"{count:>7,} dropped: {reason}" for reason, count in result.counts.items()]
        lines += gate_lines(result.told.get("gates", {}))
        done = result.told.get("curate", {}).get("before_export", ())
        lines += curate_lines(done, result.manifest.with_name("pii.export.jsonl"))
    summary = [_summary(result) for result in results]
    report({"exports": summary}, lines, as_json=as_json, partial=not all(result.kept for result in results))


def shares(pairs: tuple[str, ...]) -> dict[str, float]:
    """The values of ``--split``.

    >>> shares(("valid=0.1",))
    {'valid': 0.1}
    """
    found = {}
    for pair in pairs:
        name, _, share = pair.partition("=")
        try:
            found[name] = float(share)
        except ValueError:
            name = ""
        if name not in ("valid", "test"):
            raise click.BadParameter(f"{pair!r} is not valid=SHARE or test=SHARE", param_hint="--split")
    return found


def _summary(result: ExportResult) -> dict[str, Any]:
    return {
        "manifest": str(result.manifest),
        "rows": result.kept,
        "files": {str(file.path): file.rows for file in result.files},
        "dropped": result.counts,
        "rejected": len(result.rejected),
        **result.told,
    }


def _export_files(
    kinds: tuple[str, ...],
    formats: tuple[str, ...],
    splits: tuple[str, ...],
    merged: str,
    out: str,
    flags: dict[str, Any],
) -> list[ExportResult]:
    from bridge.campaign_answers import SPLITS, export_kind
    from bridge.exporting import SplitsConfig, export_all, splitter
    from bridge.exporting.formats.chat_template import load_chat_template
    from bridge.exporting.gates import Gates, gates_config
    from bridge.exporting.shaping import shaping
    from bridge.merging import Merged
    from bridge.reading import read_records
    from bridge.templates import load_template

    if not kinds:
        raise click.UsageError("without a campaign, --to is needed")
    template = load_template(needed(flags, "set__template", "--template"))
    records = reader(needed(flags, "set__records__path", "--records"), template, flags, read_records)
    answers = _read_objects(merged, Merged.from_dict)
    shapes = formats or ("conversational", "plain")
    split = None
    if splits:
        begins = template.training.instruction.strip() if template.training else ""
        split = splitter(Path(out, SPLITS), SplitsConfig.of(shares(splits)), instruction=begins)
    steps = shaping(
        reasoning=flags["set__exports__reasoning"] or "keep", system=flags["set__exports__system"] or "keep"
    )
    chat_template = flags.get("set__exports__chat_template")
    gates = Gates(gates_config(flags.get("set__exports__gates") or {}))
    return export_all(
        [export_kind(kind) for kind in kinds],
        gates.watching(records),
        answers,
        template,
        out,
        shapes,
        sieves=[*steps, gates],
        split=split,
        files=flags.get("set__exports__files", ["jsonl"]),
        chat_template=load_chat_template(chat_template) if chat_template else None,
    )


COMMANDS: list[click.Command] = [export]
