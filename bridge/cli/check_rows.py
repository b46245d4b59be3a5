"""check-rows: training files of any origin, before a trainer reads them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bridge.cli.gating import gate_flags, gate_options
from bridge.cli.output import json_option, refuse_overwriting, report, table

if TYPE_CHECKING:
    from bridge.exporting.checking import RejectedRow, RowCheck

_SHOWN = 5


@click.command("check-rows")
@click.argument("files", nargs=-1, required=True, type=click.Path())
@click.option(
    "--kind",
    type=click.Choice(["sft", "dpo", "kto", "reward"]),
    help="What the rows are to train; by default their columns decide.",
)
@gate_options
@click.option("--out", type=click.Path(dir_okay=False), help="Where rows that are fit go, as JSON Lines.")
@click.option("--rejects", type=click.Path(dir_okay=False), help="Where the others go, each with all its defects.")
@json_option
def check_rows(
    files: tuple[str, ...],
    kind: str | None,
    gates: tuple[str, ...],
    no_gates: tuple[str, ...],
    out: str | None,
    rejects: str | None,
    as_json: bool,
) -> None:
    """Say which rows of training files are unfit, and why.

    The files may come from anywhere: messages, ShareGPT, Alpaca, prompt and completion, pairs, KTO, rewards, or text,
    as JSONL, JSON, CSV or Parquet. Several files are checked as one set.

    \b
    Examples:
      annobridge check-rows train.jsonl
      annobridge check-rows train.jsonl valid.jsonl --kind dpo --gate near_equal=95 --out clean.jsonl
    """
    from bridge.campaign_answers import export_kind
    from bridge.exporting.checking import check_row_files
    from bridge.exporting.gates import gates_config
    from bridge.files import write_lines

    for path in filter(None, (out, rejects)):
        refuse_overwriting(path, *files)
    if out and rejects:
        refuse_overwriting(rejects, out)
    config = gates_config(gate_flags(gates, no_gates))
    found = check_row_files(files, kind=export_kind(kind) if kind else None, gates=config)
    if out:
        write_lines(out, found.kept)
    if rejects:
        write_lines(rejects, (case.to_dict() for case in found.rejected))
    written = [f"wrote {path}" for path in (out, rejects) if path]
    lines = [*_lines(found, several=len(files) > 1), *([""] if written else []), *written]
    report({**found.to_dict(), "out": out, "rejects": rejects}, lines, as_json=as_json, partial=not found.ok)


def _lines(found: RowCheck, *, several: bool) -> Iterator[str]:
    rows = len(found.kept) + len(found.rejected)
    formats = ", ".join(f"{name} {count:,}" for name, count in found.formats.items())
    yield f"{rows:,} rows ({formats}): {len(found.kept):,} are fit, {len(found.rejected):,} are not"
    if found.rejected:
        yield ""
        yield from table(["defect", "rows"], [[code, f"{count:,}"] for code, count in found.counts().items()])
        yield ""
        yield from (_shown(case, several) for case in found.rejected[:_SHOWN])
        first = _first_of_each(found.rejected)
        yield from (f"  remedy for {case.defects[0].code}: {case.defects[0].remedy}" for case in first[:_SHOWN])
    for problem in found.problems:
        where = f"{problem.file}: " if problem.file and several else ""
        lines = f", such as in line {problem.lines[0]}" if problem.lines else ""
        yield ""
        yield f"{problem.level}: {where}{problem.text}{lines} ({problem.code})"
        yield f"  remedy: {problem.remedy}"


def _shown(case: RejectedRow, several: bool) -> str:
    from bridge.text import shown

    where = f"{Path(case.file).name}:{case.line}" if several else f"line {case.line}"
    more = f", and {len(case.defects) - 1} more" if len(case.defects) > 1 else ""
    return f"  {where}: {case.defects[0].code}: {shown(case.defects[0].text, 140)[1:-1]}{more}"


def _first_of_each(cases: Sequence[RejectedRow]) -> list[RejectedRow]:
    return list({case.defects[0].code: case for case in reversed(cases)}.values())[::-1]


COMMANDS: list[click.Command] = [check_rows]
