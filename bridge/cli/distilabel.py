"""The command distilabel: what its pipelines left on the disk becomes records."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bridge.cli.lines import left_out_lines, rejected_lines
from bridge.cli.output import json_option, progress, refuse_overwriting, report

if TYPE_CHECKING:
    from bridge.interop.distilabel import DistilabelReader


@click.command()
@click.argument("path", type=click.Path())
@click.option("--template", required=True, metavar="NAME", help="Template that the records are for.")
@click.option("--subset", default="", metavar="NAME", help="Which dataset of a Distiset with several.")
@click.option("--id", "id_column", metavar="COLUMN", help="Column that is a row's key.")
@click.option("--rating", "ratings", multiple=True, metavar="QUESTION", help="Question of each generation; in order.")
@click.option("--trust", is_flag=True, help="Take rows as they stand, even where answers seem to be other rows'.")
@click.option("--rejects", type=click.Path(dir_okay=False), help="Where other rows go; by default beside --out.")
@click.option(
    "--out", default="records.jsonl", show_default=True, type=click.Path(dir_okay=False), help="Where records go."
)
@json_option
def distilabel(
    path: str,
    template: str,
    subset: str,
    id_column: str | None,
    ratings: Sequence[str],
    trust: bool,
    rejects: str | None,
    out: str,
    as_json: bool,
) -> None:
    """Make records of what a distilabel pipeline left.

    That is a saved Distiset, Parquet or JSON Lines. Rows that one failed call emptied, and rows that have other rows'
    answers, become no records: they go to the file of rejects, each with its reason.

    \b
    Examples:
      annobridge distilabel my-distiset --template preference --id id
      annobridge distilabel rows.parquet --template review --out review.jsonl
    """
    from bridge.files import line_writer, write_lines
    from bridge.interop.distiset import dead_letters, distilabel_rows, read_distilabel
    from bridge.templates import load_template

    target = Path(out)
    dead = Path(rejects) if rejects else target.with_suffix(".rejected.jsonl")
    refuse_overwriting(target, path, template)
    refuse_overwriting(dead, path, template, target)
    reader = read_distilabel(
        path, load_template(template), subset=subset, id_column=id_column, ratings=ratings, trust=trust
    )
    suggestions, count = 0, 0
    with progress(as_json) as tell, line_writer(target) as write:
        for record in reader:
            write(record.to_dict())
            suggestions += len(record.suggestions)
            count += 1
            tell("reading", count, 0)
    if reader.rejects or dead.exists():
        write_lines(dead, dead_letters(distilabel_rows(path, subset), reader.rejects))
    result = {
        "file": str(target),
        "records": count,
        "suggestions": suggestions,
        "rejected": len(reader.rejects),
        "rejects_file": str(dead),
        "rejects": [reject.to_dict() for reject in reader.rejects[:100]],
        "findings": [finding.to_dict() for finding in reader.findings],
        "left_out": reader.left_out,
    }
    lines = [f"{count:,} records in {target}, with {suggestions:,} suggestions"]
    lines += _lines(reader, dead)
    report(result, lines, as_json=as_json, partial=bool(reader.rejects))


def _lines(reader: DistilabelReader, dead: Path) -> list[str]:
    found = [f"  {finding}" for finding in reader.findings[:20]]
    more = [f"  and {len(reader.findings) - 20:,} more"] if len(reader.findings) > 20 else []
    wrong = ["rows with which the same went wrong:", *found, *more] if found else []
    return [*left_out_lines(reader.left_out), *rejected_lines(reader.rejects, dead), *wrong]


COMMANDS: list[click.Command] = [distilabel]
