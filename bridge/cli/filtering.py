"""What the commands that filter a file have in common: their options, their run, and what they print."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bridge.cli.output import json_option, progress, refuse_overwriting, report, table

if TYPE_CHECKING:
    from bridge.curate.filters import Filtered
    from bridge.curate.items import Items
    from bridge.curate.result import Dropped, Step
    from bridge.files import Reject
    from bridge.records import Record

F = TypeVar("F", bound=Callable[..., Any])

SHARE = click.FloatRange(0, 1, min_open=True)
MAP_SHAPE = "NAME=COLUMN, such as prompt=question"
SIDES = click.Choice(["prompt", "response", "both"])

on_option = click.option(
    "--on", default="both", show_default=True, type=SIDES, help="Which side of records is compared."
)
n_option = click.option("--n", default=3, show_default=True, type=click.IntRange(1, 20), help="Words in a shingle.")


def input_options(function: F) -> F:
    """Give a command FILE and what says how its rows are to be read."""
    function = click.option("--id", "id_column", metavar="COLUMN", help="Column that is the record's key.")(function)
    function = click.option(
        "--map", "mapping", multiple=True, metavar="NAME=COLUMN", help="Column with a text, such as prompt=question."
    )(function)
    return click.argument("file", type=click.Path())(function)


def filter_options(function: F) -> F:
    """Give a command FILE, its outputs and ``--json``."""
    function = json_option(function)
    function = click.option(
        "--dropped",
        type=click.Path(dir_okay=False),
        help="Where dropped lines go, with their reasons; by default beside --out.",
    )(function)
    function = click.option(
        "--out", type=click.Path(dir_okay=False), help="Where kept lines go; without it they are only counted."
    )(function)
    return input_options(function)


def pairs(given: Sequence[str], flag: str, shape: str) -> dict[str, str]:
    """What stands before and behind ``=`` in the values of a flag.

    >>> pairs(["prompt=question"], "--map", "NAME=COLUMN")
    {'prompt': 'question'}
    """
    for pair in given:
        if not all(pair.partition("=")):
            raise click.BadParameter(f"{pair!r} is not {shape}", param_hint=flag)
    return {name: value for name, _, value in (pair.partition("=") for pair in given)}


class FileFilter:
    """A run from file to file, as the options of a command ask for it.

    Args:
        given: the options of :func:`filter_options`; they are taken out of it.
        inputs: other files that the command reads.
    """

    def __init__(self, given: dict[str, Any], *inputs: str | Path | None) -> None:
        self.file: str = given.pop("file")
        self.mapping = pairs(given.pop("mapping"), "--map", MAP_SHAPE)
        self.id_column: str | None = given.pop("id_column")
        self.as_json: bool = given.pop("as_json")
        out, dropped = given.pop("out"), given.pop("dropped")
        self.out = Path(out) if out else None
        self.dropped = Path(dropped) if dropped else self.out and self.out.with_suffix(".dropped.jsonl")
        for path in filter(None, (self.out, self.dropped)):
            refuse_overwriting(path, self.file, *inputs)
        if self.out and self.dropped:
            refuse_overwriting(self.dropped, self.out)

    def items(self, *, unique: bool = True) -> Items:
        """The lines of the file; ``unique`` as of :class:`bridge.curate.items.Items`."""
        from bridge.curate.items import Items

        return Items(self.file, mapping=self.mapping, id_column=self.id_column, unique=unique)

    def whole(self, step: Step) -> Filtered:
        """Run a step that must know all records."""
        from bridge.curate.filters import filter_whole

        with progress(self.as_json) as tell:
            return filter_whole(self.items(), step, self.out, self.dropped, tell)

    def choosing(self, choose: Callable[[Iterable[Record]], list[Dropped]]) -> Filtered:
        """Run a step that must know all records, changes none, and does not want them all here."""
        from bridge.curate.filters import filter_choosing

        with progress(self.as_json) as tell:
            return filter_choosing(self.items(), choose, self.out, self.dropped, tell)

    def each(self, step: Step) -> Filtered:
        """Run a step that judges every record by itself."""
        from bridge.curate.filters import filter_each

        with progress(self.as_json) as tell:
            return filter_each(self.items(unique=False), step, self.out, self.dropped, tell)

    def tell(self, result: Filtered, more: Mapping[str, Any] | None = None, lines: Sequence[str] = ()) -> None:
        """Print what became of the lines; exit code 3 where some could not be read."""
        changed = f", {result.changed:,} of them changed" if result.changed else ""
        said = [f"{result.kept:,} of {result.read:,} records kept{changed}, {result.dropped:,} dropped"]
        if result.why:
            said += ["", *table(["rule", "records"], [[rule, f"{n:,}"] for rule, n in result.why.items()])]
        said += [_shown(case) for case in result.first]
        said += lines
        if self.out:
            said += ["", f"wrote {self.out}", f"what was dropped, and why: {self.dropped}"]
        said += unusable(result.rejects)
        files = {"file": _name(self.out), "dropped_file": _name(self.dropped)}
        report({**files, **result.to_dict(), **(more or {})}, said, as_json=self.as_json, partial=bool(result.rejects))


def unusable(rejects: Sequence[Reject]) -> list[str]:
    """Lines about the lines that could not be used, if there are any."""
    if not rejects:
        return []
    first = [f"  line {reject.line}: {reject.reason}" for reject in rejects[:3]]
    return [f"{len(rejects):,} lines could not be used:", *first, f"  remedy: {rejects[0].remedy}"]


def _name(path: Path | None) -> str | None:
    return str(path) if path else None


def _shown(case: Dropped) -> str:
    from bridge.text import shown

    score = "" if case.score is None else f" ({case.score:.2f})"
    like = f", like {case.kept}" if case.kept else ""
    if "set" in case.detail:
        like = f", {case.detail['set']} {case.detail['item']}: {shown(case.detail['passage'])}"
    return f"  {case.key}: {case.rule}{score}{like}"
