"""Commands of curation that choose among records by their attributes, and filter a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from bridge.cli.filtering import SHARE, SIDES, FileFilter, filter_options, pairs


@click.command()
@filter_options
@click.option("--by", multiple=True, required=True, metavar="NAME", help="What makes the groups; several times.")
@click.option("--cap", type=click.IntRange(1), help="At most so many of a group; by default as the smallest has.")
@click.option("--share", type=SHARE, help="No group more than this share of what is kept.")
@click.option("--best", metavar="NAME", help="A score: its highest stay. By default chance decides.")
@click.option("--seed", default=0, show_default=True, help="Of that chance.")
def balance(by: Sequence[str], cap: int | None, share: float | None, best: str | None, seed: int, **given: Any) -> None:
    """Cap groups, so that none outweighs the others.

    Groups are tasks, topics, sources, or whatever else records say of themselves.

    \b
    Examples:
      annobridge balance records.jsonl --by task --cap 500 --out balanced.jsonl
      annobridge balance records.jsonl --by source --share 0.4 --best judge_score --out balanced.jsonl
    """
    from bridge.curate.settings import Balance, made
    from bridge.curate.steps import balance_step

    run = FileFilter(given)
    wanted = made(Balance, by=list(by), cap=cap, share=share, best=best, seed=seed)
    run.tell(run.whole(balance_step(wanted)))


@click.command()
@filter_options
@click.option("--size", type=click.IntRange(1), help="So many records.")
@click.option("--share", type=SHARE, help="This share of them, such as 0.05.")
@click.option("--by", multiple=True, metavar="NAME", help="Of each group its part; several times.")
@click.option("--at-least", default=0, show_default=True, type=click.IntRange(0), help="So many of each group.")
@click.option("--diverse", is_flag=True, help="The records that differ most, and not chance.")
@click.option("--on", default="both", show_default=True, type=SIDES, help="On which side they differ.")
@click.option("--model", type=click.Path(file_okay=False), help="Folder of a model for --diverse; by default none.")
@click.option("--seed", default=0, show_default=True, help="Another one gives another sample.")
def sample(by: Sequence[str], **given: Any) -> None:
    """Take a sample of an exact size, random or diverse.

    The order of the rows does not matter.

    \b
    Examples:
      annobridge sample records.jsonl --share 0.05 --by task --out review.jsonl
      annobridge sample records.jsonl --size 200 --diverse --out seeds.jsonl
    """
    from bridge.curate.settings import Sample, made
    from bridge.curate.steps import sample_step

    run = FileFilter(given)
    run.tell(run.whole(sample_step(made(Sample, by=list(by), **given))))


@click.command()
@filter_options
@click.option("--allow", multiple=True, metavar="LICENCE", help="A licence that may be used, by its SPDX name.")
@click.option("--source", "sources", multiple=True, metavar="NAME", help="A source that may be used.")
@click.option(
    "--of-source", multiple=True, metavar="SOURCE=LICENCE", help="Licence of records that carry only their source."
)
@click.option(
    "--unknown",
    default="drop",
    show_default=True,
    type=click.Choice(["drop", "refuse", "keep"]),
    help="Records that do not say.",
)
@click.option(
    "--forbidden",
    default="drop",
    show_default=True,
    type=click.Choice(["drop", "refuse", "keep"]),
    help="Records that say another.",
)
def licences(
    allow: Sequence[str], sources: Sequence[str], of_source: tuple[str, ...], unknown: str, forbidden: str, **given: Any
) -> None:
    """Keep the records whose licence and source may be used.

    \b
    Example:
      annobridge licences records.jsonl --allow CC-BY-4.0 --allow MIT --out usable.jsonl
    """
    from bridge.curate.settings import Licences, made
    from bridge.curate.steps import licences_step

    run = FileFilter(given)
    wanted = made(
        Licences,
        allow=list(allow),
        sources=list(sources),
        of_source=pairs(of_source, "--of-source", "SOURCE=LICENCE, such as wiki=CC-BY-SA-4.0"),
        unknown=unknown,
        forbidden=forbidden,
    )
    run.tell(run.whole(licences_step(wanted)))


COMMANDS: list[click.Command] = [balance, sample, licences]
