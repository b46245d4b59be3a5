"""The command generate: models write records."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bridge.cli.filtering import MAP_SHAPE, SHARE, pairs
from bridge.cli.output import json_option, progress, refuse_overwriting, report, table

if TYPE_CHECKING:
    from bridge.generating.result import Generated
    from bridge.generating.settings import GenerateConfig
    from bridge.generating.work import Refused

SETTINGS = "generate.yaml"
MAKES = click.Choice(["instructions", "candidates", "rewrite", "augment"])


@click.command()
@click.argument("settings", required=False, type=click.Path())
@click.option("--make", type=MAKES, help="What to make; by default instructions.")
@click.option("--template", metavar="NAME", help="Template that the records are for; by default review.")
@click.option("--url", metavar="URL", help="Address of the endpoint, such as http://127.0.0.1:8080/v1.")
@click.option("--model", "models", multiple=True, metavar="NAME", help="Model that answers; several times.")
@click.option("--parameter", multiple=True, metavar="NAME=VALUE", help="Such as max_tokens=800; several times.")
@click.option("--system", metavar="TEXT", help="What models are told before each prompt.")
@click.option("--candidates", type=click.IntRange(1, 20), help="Answers to each prompt.")
@click.option("--rows", type=click.Path(), help="Your own rows: examples, or what is to be answered or changed.")
@click.option("--id", "id_column", metavar="COLUMN", help="Column that is a row's key.")
@click.option("--map", "mapping", multiple=True, metavar="NAME=COLUMN", help="Column with a text; several times.")
@click.option("--topic", "topics", multiple=True, metavar="TEXT", help="What instructions are about; several times.")
@click.option("--persona", "personas", multiple=True, metavar="TEXT", help="Who gives them; several times.")
@click.option("--level", "levels", multiple=True, metavar="TEXT", help="How difficult they are; several times.")
@click.option("--count", type=click.IntRange(1), help="New instructions in all; by default 20.")
@click.option("--novelty", type=SHARE, help="ROUGE-L from which on one is not new; by default 0.7.")
@click.option("--against", multiple=True, type=click.Path(), help="File with others that it is compared with.")
@click.option("--by", metavar="COLUMN", help="Augment: what makes the strata.")
@click.option("--below", type=click.IntRange(1), help="Augment strata with fewer rows; by default 20.")
@click.option("--recipe", "recipes", multiple=True, metavar="NAME", help="How models are asked; or ./mine.yaml.")
@click.option("--instruction", metavar="TEXT", help="Rewrite: what is to become better.")
@click.option("--suggest", is_flag=True, default=None, help="Rewrite: suggest it, and leave the row as it is.")
@click.option("--name", "names", multiple=True, metavar="NAME", help="A name that variants must keep; several times.")
@click.option("--keep", multiple=True, metavar="COLUMN", help="Metadata that goes on to new records; several times.")
@click.option("--seed", type=click.IntRange(0), help="Another one asks anew.")
@click.option("--prices", type=click.Path(), help="YAML file with prices of models.")
@click.option("--budget", type=click.FloatRange(0), help="Most that may be spent, by these prices.")
@click.option("--budget-tokens", type=click.IntRange(0), help="Most tokens that may be spent.")
@click.option("--batch", is_flag=True, default=None, help="Ask through the Batch API: within a day, for less.")
@click.option("--allow-http", is_flag=True, default=None, help="Permit plain http to other machines.")
@click.option("--journal", type=click.Path(dir_okay=False), help="Where answers are kept; by default beside --out.")
@click.option("--rejected", type=click.Path(dir_okay=False), help="Where refused texts go; by default beside --out.")
@click.option(
    "--out", default="generated.jsonl", show_default=True, type=click.Path(dir_okay=False), help="Where records go."
)
@json_option
def generate(settings: str | None, out: str, rejected: str | None, journal: str | None, **given: Any) -> None:
    """Let models write records.

    New instructions with answers, candidates for people to compare, rewritten answers, variants of rare rows. SETTINGS
    says what; by default generate.yaml, if it is there. Flags win over it. A run that ended early goes on where it was
    when it is started again: what was answered is in the journal.

    \b
    Examples:
      annobridge generate --topic cooking --topic travel --count 40 --model small --url http://127.0.0.1:8080/v1
      annobridge generate generate.yaml --make candidates --rows prompts.jsonl --template preference --out pairs.jsonl
    """
    from bridge.generating.settings import load_settings
    from bridge.generating.start import generate as start

    as_json = given.pop("as_json")
    path = settings or (SETTINGS if Path(SETTINGS).is_file() else None)
    config, folder = load_settings(path, _flags(given))
    files = [Path(out), *(_beside(out, one, suffix) for one, suffix in ((rejected, "rejected"), (journal, "journal")))]
    inputs = [path, *(folder / one for one in _inputs(config))]
    for number, one in enumerate(files):
        refuse_overwriting(one, *inputs, *files[:number])
    with progress(as_json) as tell:
        result = start(config, *files, folder=folder, tick=tell)
    names = {"file": str(files[0]), "rejected_file": str(files[1]), "journal": str(files[2])}
    report({**names, **result.to_dict()}, generated_lines(result, *files), as_json=as_json, partial=result.partial)


def _flags(given: Mapping[str, Any]) -> dict[str, Any]:
    """The flags by the dotted names that they have in the file. Their paths start from the present folder."""

    def path(value: str | None) -> str | None:
        return str(Path(value).absolute()) if value else None

    def listed(values: Sequence[str]) -> list[str] | None:
        return list(values) or None

    own = [path(one) if one.endswith((".yaml", ".yml")) else one for one in given["recipes"]]
    template = given["template"]
    asked_with = parameters(given["parameter"])
    models: Any = listed(given["models"])
    if asked_with:
        if not models:
            raise click.UsageError("--parameter goes with --model; in the file, models have parameters of their own")
        models = [{"name": name, "parameters": asked_with} for name in models]
    return {
        "make": given["make"],
        "template": path(template) if template and template.endswith((".yaml", ".yml")) else template,
        "url": given["url"],
        "models": models,
        "system": given["system"],
        "candidates": given["candidates"],
        "rows.path": path(given["rows"]),
        "rows.id": given["id_column"],
        "rows.map": pairs(given["mapping"], "--map", MAP_SHAPE) or None,
        "instructions.topics": listed(given["topics"]),
        "instructions.personas": listed(given["personas"]),
        "instructions.levels": listed(given["levels"]),
        "instructions.count": given["count"],
        "novelty.threshold": given["novelty"],
        "novelty.against": [path(one) for one in given["against"]] or None,
        "augment.by": given["by"],
        "augment.below": given["below"],
        "recipes": own or None,
        "rewrite.instruction": given["instruction"],
        "rewrite.suggest": given["suggest"],
        "names": listed(given["names"]),
        "keep": listed(given["keep"]),
        "seed": given["seed"],
        "prices": path(given["prices"]),
        "budget.cost": given["budget"],
        "budget.tokens": given["budget_tokens"],
        "batch": given["batch"],
        "allow_http": given["allow_http"],
    }


def parameters(given: Sequence[str]) -> dict[str, Any]:
    """What a model is asked with, from the values of ``--parameter``.

    >>> parameters(["max_tokens=800", "stop=END"])
    {'max_tokens': 800, 'stop': 'END'}
    """
    return {name: _value(text) for name, text in pairs(given, "--parameter", "NAME=VALUE").items()}


def _value(text: str) -> Any:
    """The value of a parameter: a number, true or false where it is one, else a text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _beside(out: str, named: str | None, what: str) -> Path:
    return Path(named) if named else Path(out).with_suffix(f".{what}.jsonl")


def _inputs(config: GenerateConfig) -> Iterator[str]:
    if config.rows:
        yield config.rows.path
    yield from config.novelty.against
    yield from (one for one in (config.prices, *config.recipes) if one)


def generated_lines(result: Generated, out: Path, rejected: Path, journal: Path) -> Iterator[str]:
    """What a run made, and what it did not, as lines for a person."""
    yield f"{result.made:,} records written to {out}"
    if len(result.operations) > 1:
        yield ""
        yield from table(["operation", "records"], [[name, f"{n:,}"] for name, n in result.operations.items()])
    if result.refused:
        yield f"{sum(result.refused.values()):,} texts refused (see {rejected}):"
        yield from (
            "  " + line for line in table(["step", "texts"], [[s, f"{n:,}"] for s, n in result.refused.items()])
        )
        yield from (_shown(case) for case in result.first)
    if result.unreadable:
        first = result.unreadable[0]
        yield f"{len(result.unreadable):,} rows could not be used, such as line {first.line}: {first.reason}"
        yield f"  remedy: {first.remedy}"
    if result.missing:
        total = sum(result.missing.values())
        some = ", ".join(f"{name} {count:,}" for name, count in list(result.missing.items())[:5])
        yield f"{total:,} fewer than wanted: {some}"
        yield "  remedy: name more topics, show other examples, raise rounds or per_row, or take another model"
    if result.stopped:
        yield f"ended early: {result.stopped}"
        yield "  remedy: give a larger budget and run the same again: what was answered is kept"
    lengths = result.lengths
    if lengths and lengths.records:
        yield ""
        rows = [
            [arm, f"{lengths.mean_words(arm):,.1f}", f"{lengths.mean_characters(arm):,.1f}", f"{share:.0%}"]
            for arm, share in lengths.longest.items()
        ]
        yield from table(["answers of", "mean words", "mean characters", "longest in"], rows)
    for caution in result.cautions:
        yield f"\nwarning: {caution.means}\n  remedy: {caution.remedy}"
    spent = result.spent
    if spent:
        cost = "" if spent.unpriced or not spent.cost else f", for {spent.cost:.4f}"
        counted = f"{spent.tokens.prompt:,} tokens of prompts, {spent.tokens.completion:,} of answers{cost}"
        yield f"\nspent by all requests in {journal}: {spent.requests:,} requests, {counted}"


def _shown(case: Refused) -> str:
    from bridge.text import shown

    where = f"line {case.line}: " if case.line else ""
    return f"  {where}{case.reason}{f': {shown(case.text)}' if case.text else ''}"


COMMANDS: list[click.Command] = [generate]
