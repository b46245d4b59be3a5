"""The commands of transcripts: read them into rows, and put these before a model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bridge.cli.generate import generated_lines, parameters
from bridge.cli.output import json_option, progress, refuse_overwriting, report, table

if TYPE_CHECKING:
    from bridge.transcripts.converting import Converted

FORMS = click.Choice(["webvtt", "srt", "plain", "otter", "zoom", "teams", "meet", "whisper", "qmsum"])
FILLERS = click.Choice(["none", "sounds", "asides"])


@click.group()
def transcripts() -> None:
    """Make records, and tasks, of transcripts of meetings.

    \b
    From recordings to rows that people review:
      annobridge transcripts read meetings/*.vtt --out meetings.jsonl
      annobridge transcripts tasks meetings.jsonl --model small --url http://127.0.0.1:8080/v1 --out tasks
      annobridge push --records tasks/summary_review.jsonl --template summary_review
    """


@transcripts.command()
@click.argument("files", nargs=-1, required=True, type=click.Path())
@click.option("--form", type=FORMS, help="What the files are; by default their first lines tell.")
@click.option("--encoding", metavar="NAME", help="Of their text; by default it is told from the bytes.")
@click.option(
    "--fillers",
    type=FILLERS,
    default="sounds",
    show_default=True,
    help="What goes: um, uh, erm, hmm; with asides also like, so, you know between commas.",
)
@click.option("--filler", multiple=True, metavar="WORD", help="Another filler, such as ähm; several times.")
@click.option("--as-written", is_flag=True, help="Change neither names nor turns nor words.")
@click.option("--pseudonyms", type=click.Path(dir_okay=False), help="File of pseudonyms, made if it is not there.")
@click.option("--budget", type=click.IntRange(1), help="Most tokens of a row; by default 16,000.")
@click.option("--overlap", type=click.IntRange(0, 20), default=1, show_default=True, help="Turns that rows share.")
@click.option("--tokenizer", type=click.Path(), help="tokenizer.json by which tokens are counted; else estimated.")
@click.option("--turns", is_flag=True, help="A row for each turn.")
@click.option("--assistant", metavar="NAME", help="Make chats in which this speaker is the assistant.")
@click.option("--references", type=click.Path(dir_okay=False), help="Where QMSum's questions and answers go.")
@click.option("--unread", type=click.Path(dir_okay=False), help="Where goes what cannot be read; beside --out.")
@click.option("--out", type=click.Path(dir_okay=False), help="Where rows go; without it they are only counted.")
@json_option
def read(files: Sequence[str], out: str | None, unread: str | None, as_json: bool, **given: Any) -> None:
    """Read transcripts into rows, and account for every line.

    WebVTT, SRT, '[time] Name: text', Otter, Zoom, Teams, Google Meet, Whisper and QMSum JSON, in any encoding; Teams
    and Meet also as .docx. A row holds whole turns, up to --budget tokens. What cannot be read is listed with its line.

    \b
    Examples:
      annobridge transcripts read meeting.vtt
      annobridge transcripts read meetings/*.vtt calls/*.docx --pseudonyms people.json --out meetings.jsonl
    """
    from bridge.transcripts.converting import Conversion

    target = Path(out) if out else None
    listed = Path(unread) if unread else target and target.with_suffix(".unread.jsonl")
    asked, people = (Path(given[name]) if given[name] else None for name in ("references", "pseudonyms"))
    outputs = [one for one in (target, listed, asked, people) if one]
    for number, one in enumerate(outputs):
        refuse_overwriting(one, *files, *outputs[:number])
    conversion = Conversion(_wanted(given, people))
    with progress(as_json) as tell:
        result = conversion.to_files([Path(file) for file in files], target, listed, asked, tell)
    names = {
        "file": out,
        "unread_file": str(listed) if listed else None,
        "references_file": str(asked) if asked else None,
    }
    report({**names, **result.to_dict()}, _read_lines(result, target, listed), as_json=as_json, partial=result.partial)


def _wanted(given: dict[str, Any], people: Path | None) -> Any:
    from bridge.exporting.tokens import load_tokenizer
    from bridge.transcripts.converting import BUDGET, Wanted
    from bridge.transcripts.preparing import AS_WRITTEN, Treatment
    from bridge.transcripts.tokens import estimated

    count = estimated
    if given["tokenizer"]:
        tokens = load_tokenizer(given["tokenizer"])

        def count(text: str) -> int:
            return len(tokens(text))

    more = tuple(given["filler"])
    if given["as_written"] and (more or people):
        raise click.UsageError("--as-written changes nothing, so --filler and --pseudonyms do not go with it")
    if given["turns"] and given["assistant"]:
        raise click.UsageError("--turns and --assistant: a chat has several turns; leave one out")
    treatment = AS_WRITTEN
    if not given["as_written"]:
        treatment = Treatment(sounds=given["fillers"] != "none", asides=given["fillers"] == "asides", more=more)
    return Wanted(
        treatment=treatment,
        form=given["form"],
        encoding=given["encoding"],
        budget=given["budget"] or BUDGET,
        overlap=given["overlap"],
        count=count,
        by_turn=given["turns"],
        assistant=given["assistant"],
        pseudonyms=people,
    )


def _read_lines(result: Converted, out: Path | None, unread: Path | None) -> Iterator[str]:
    columns = ("form", "encoding", "turns", "empty", "unread", "rows")
    rows = [[Path(one["file"]).name, *_cells(one, columns)] for one in result.files]
    yield from table(["file", *columns], rows)
    for one in result.files:
        name = Path(one["file"]).name
        for doubt, count in one["doubts"].items():
            yield f"{name}: {doubt}: {count:,}"
        if one["emptied"]:
            yield f"{name}: turns of nothing but fillers, left out: {one['emptied']:,}"
    if result.references:
        yield f"questions that people have answered: {result.references:,}"
    if result.over:
        yield f"rows of one turn that is larger than the budget: {result.over:,}"
    if result.no_chat:
        yield f"stretches without a chat, because the assistant says nothing behind anybody else: {result.no_chat:,}"
    if out:
        yield f"rows written to {out}: {result.rows:,}"
    for failure in result.failed:
        yield f"not read: {failure['reason']}"
        yield f"  remedy: {failure['remedy']}"
    if result.unread:
        yield f"places that cannot be read: {result.unread:,}{f' (see {unread})' if unread else ''}"
        yield from (f"  {name}:{reject.line}: {reject.reason}" for name, reject in result.first)
        yield f"  remedy: {result.first[0][1].remedy}"


def _cells(one: dict[str, Any], columns: Sequence[str]) -> Iterator[str]:
    for column in columns:
        value = one[column]
        if column == "encoding":
            value = "" if value is None else f"{value}?" if one["encoding_guessed"] else value
        yield f"{value:,}" if isinstance(value, int) else value


@transcripts.command()
@click.argument("rows", type=click.Path())
@click.option("--model", metavar="NAME", required=True, help="Model that is asked.")
@click.option("--url", metavar="URL", required=True, help="Its endpoint, such as http://127.0.0.1:8080/v1.")
@click.option("--task", "names", multiple=True, metavar="NAME", help="Recipe, or ./mine.yaml; several times.")
@click.option("--candidates", default=2, show_default=True, type=click.IntRange(1, 20), help="Answers to each prompt.")
@click.option("--questions", default=3, show_default=True, type=click.IntRange(1, 20), help="About each transcript.")
@click.option("--domain", metavar="TEXT", default="", help="What the meetings are about.")
@click.option("--parameter", multiple=True, metavar="NAME=VALUE", help="Such as max_tokens=800; several times.")
@click.option("--seed", type=click.IntRange(0), default=0, help="Another one asks anew.")
@click.option("--prices", type=click.Path(), help="YAML file with prices of models.")
@click.option("--budget", type=float, help="Most that may be spent, by these prices.")
@click.option("--budget-tokens", type=int, help="Most tokens that may be spent.")
@click.option("--allow-http", is_flag=True, help="Permit plain http to other machines.")
@click.option("--journal", type=click.Path(dir_okay=False), help="Where answers are kept; by default in --out.")
@click.option("--out", default="tasks", show_default=True, type=click.Path(file_okay=False), help="Folder for records.")
@json_option
def tasks(rows: str, out: str, journal: str | None, as_json: bool, **given: Any) -> None:
    """Let a model write tasks about transcripts: summaries, action items, questions with answers.

    ROWS is what transcripts read has written. By default all three, two candidates each; --task also knows domain and
    reasoning. There is a file of records for each template, and one of pairs for the template preference. A run that
    ended early goes on where it was when it is started again.

    \b
    Examples:
      annobridge transcripts tasks meetings.jsonl --model small --url http://127.0.0.1:8080/v1
      annobridge transcripts tasks meetings.jsonl --task reasoning --model small --url http://127.0.0.1:8080/v1
    """
    from bridge.models.budget import Budget
    from bridge.transcripts.asking import Model, make_tasks
    from bridge.transcripts.recipes import TASKS, load_recipe
    from bridge.transcripts.tasks import Plan, file_names

    plan = Plan(
        [load_recipe(name) for name in given["names"] or TASKS],
        given["candidates"],
        given["questions"],
        given["domain"],
        parameters(given["parameter"]),
        given["seed"],
    )
    folder = Path(out)
    kept = Path(journal) if journal else folder / "journal.jsonl"
    files = [kept, *(folder / name for name in file_names(plan))]
    for number, one in enumerate(files):
        refuse_overwriting(one, rows, given["prices"], *files[:number])
    prices = Path(given["prices"]) if given["prices"] else None
    budget = Budget(given["budget"], given["budget_tokens"])
    model = Model(given["url"], given["model"], budget, prices, given["allow_http"])
    with progress(as_json) as tell:
        result = make_tasks(Path(rows), folder, kept, plan, model, tell)
    names = {"folder": str(folder), "files": [str(one) for one in files[1:]], "journal": str(kept)}
    report(
        {**names, **result.to_dict()},
        generated_lines(result, folder, files[-1], kept),
        as_json=as_json,
        partial=result.partial,
    )


COMMANDS: list[click.Command] = [transcripts]
