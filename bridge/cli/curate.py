"""Commands of curation that filter a file. None of them needs a campaign."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bridge.cli.output import json_option, progress, refuse_overwriting, report, table

if TYPE_CHECKING:
    from bridge.curate.filters import Filtered
    from bridge.curate.index import NearIndex
    from bridge.curate.items import Items
    from bridge.curate.pii import Finding
    from bridge.curate.result import Dropped, Result
    from bridge.curate.steps import Step
    from bridge.records import Record

F = TypeVar("F", bound=Callable[..., Any])

SHARE = click.FloatRange(0, 1, min_open=True)
MAP_SHAPE = "NAME=COLUMN, such as prompt=question"
SIDES = click.Choice(["prompt", "response", "both"])


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


class _Filter:
    """What the commands that filter a file have in common.

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
        from bridge.curate.items import Items

        return Items(self.file, mapping=self.mapping, id_column=self.id_column, unique=unique)

    def whole(self, step: Step) -> Filtered:
        """Run a step that must know all records."""
        from bridge.curate.filters import filter_whole

        with progress(self.as_json) as tell:
            return filter_whole(self.items(), step, self.out, self.dropped, tell)

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
        if result.rejects:
            said.append(f"{len(result.rejects):,} lines could not be used:")
            said += [f"  line {reject.line}: {reject.reason}" for reject in result.rejects[:3]]
            said.append(f"  remedy: {result.rejects[0].remedy}")
        files = {"file": _name(self.out), "dropped_file": _name(self.dropped)}
        report({**files, **result.to_dict(), **(more or {})}, said, as_json=self.as_json, partial=bool(result.rejects))


def _name(path: Path | None) -> str | None:
    return str(path) if path else None


def _shown(case: Dropped) -> str:
    from bridge.text import shown

    score = "" if case.score is None else f" ({case.score:.2f})"
    like = f", like {case.kept}" if case.kept else ""
    if "set" in case.detail:
        like = f", {case.detail['set']} {case.detail['item']}: {shown(case.detail['passage'])}"
    return f"  {case.key}: {case.rule}{score}{like}"


# -- filters


@click.command()
@filter_options
@click.option("--only", multiple=True, metavar="RULE", help="Follow only this rule; several times.")
@click.option("--off", multiple=True, metavar="RULE", help="Leave this rule out; several times.")
@click.option("--min-words", type=click.IntRange(0), help="Fewest words of a response; by default 1.")
@click.option("--phrases", type=click.Path(), help="Refusals and boilerplate of your own, in the place of ours.")
def clean(only: Sequence[str], off: Sequence[str], min_words: int | None, phrases: str | None, **given: Any) -> None:
    """Mend texts, and drop empty, broken and worthless responses.

    Earlier texts stay in the record's history, in its metadata. A clean file comes out as it is.

    \b
    Example:
      annobridge clean records.jsonl --out clean.jsonl --off language
    """
    from bridge.curate.settings import Clean, made
    from bridge.curate.steps import clean_step

    run = _Filter(given, phrases)
    wanted = made(Clean, only=list(only) or None, off=list(off), min_words=min_words, phrases=phrases)
    run.tell(run.each(clean_step(wanted)))


@click.command()
@filter_options
@click.option(
    "--mode",
    default="report",
    show_default=True,
    type=click.Choice(["report", "mask", "pseudonymise", "drop"]),
    help="What becomes of what is found.",
)
@click.option("--review", type=click.Path(dir_okay=False), help="Where all findings go, shortened, for a person.")
@click.option("--only", multiple=True, metavar="KIND", help="Look only for this kind; several times.")
@click.option("--off", multiple=True, metavar="KIND", help="Leave this kind out; several times.")
@click.option("--region", "regions", multiple=True, metavar="CODE", help="Country of phone numbers; by default US.")
@click.option("--name", "names", multiple=True, metavar="NAME", help="Somebody who is spoken of; several times.")
@click.option("--names", "names_file", type=click.Path(dir_okay=False), help="A file with such names, one a line.")
@click.option("--ner", metavar="MODEL", help="An installed spaCy model that finds other names; slow.")
@click.option("--key-env", metavar="NAME", help="Variable with the secret of pseudonyms.")
@click.option("--at-least", type=click.FloatRange(0, 1), help="How sure a finding must be; by default 0.5.")
def pii(review: str | None, regions: Sequence[str], names: Sequence[str], names_file: str | None, **given: Any) -> None:
    """Find personal data and secrets; report, mask, pseudonymise, or drop their records.

    It assists a person who looks through what was found. It is no guarantee: names that nobody listed, addresses, and
    what is spelled in a way that nobody thought of are not found.

    \b
    Examples:
      annobridge pii records.jsonl --review found.jsonl
      annobridge pii records.jsonl --mode mask --region DE --names staff.txt --out masked.jsonl
    """
    from bridge.curate.pii import review as closest
    from bridge.curate.settings import Pii, made
    from bridge.curate.steps import pii_step
    from bridge.files import line_writer, text_lines

    run = _Filter(given, names_file)
    if review:
        refuse_overwriting(review, run.file, names_file, run.out, run.dropped)
    listed = [*names, *(line.strip() for line in (text_lines(names_file) if names_file else ()) if line.strip())]
    only, off = list(given.pop("only")) or None, list(given.pop("off"))
    wanted = made(Pii, only=only, off=off, regions=list(regions) or None, names=listed, **given)
    doubtful: list[Finding] = []
    counts: Counter[str] = Counter()

    with ExitStack() as files:
        write = files.enter_context(line_writer(review)) if review else None

        def note(found: list[Finding]) -> None:
            counts.update(finding.kind for finding in found if finding.sure >= wanted.at_least)
            doubtful[:] = closest([*doubtful, *found])[:5]
            if write is not None:
                for finding in found:
                    write(finding.to_dict())

        result = run.each(pii_step(wanted, note=note))
    lines = [f"{counts.total():,} passages in all"] if counts else []
    if doubtful:
        lines.append("the closest calls, which a person should look at:")
        lines += [f"  {one.key}, {one.field}: {one.kind} {one.shown} ({one.sure:.2f})" for one in doubtful]
    lines.append("what is found is no guarantee: look through it" + (f", in {review}" if review else ", with --review"))
    more = {"found": dict(sorted(counts.items())), "review": review, "mode": wanted.mode}
    run.tell(result, more, lines)


@click.command()
@filter_options
@click.option(
    "--method",
    default="near",
    show_default=True,
    type=click.Choice(["exact", "near", "minhash", "semantic"]),
    help="What counts as the same.",
)
@click.option("--on", default="both", show_default=True, type=SIDES, help="Which side of records is compared.")
@click.option("--threshold", type=SHARE, help="Similarity of duplicates; by default 0.7, semantic 0.9.")
@click.option("--n", default=3, show_default=True, type=click.IntRange(1, 20), help="Words in a shingle.")
@click.option(
    "--cluster",
    default="greedy",
    show_default=True,
    type=click.Choice(["greedy", "components"]),
    help="Drop what is like a kept record, or keep one of each connected group.",
)
@click.option("--static", type=click.Path(file_okay=False), help="Folder of a static model, for semantic.")
@click.option("--judge", type=click.Path(file_okay=False), help="Folder of a sentence model, for semantic.")
@click.option(
    "--index", type=click.Path(dir_okay=False), help="Compare with what this file knows, and add what is kept."
)
def dedup(index: str | None, **given: Any) -> None:
    """Drop records that say what another one says already.

    Of several alike, the one with the most answers of people stays, then the one with the best score, then the first.

    \b
    Examples:
      annobridge dedup records.jsonl --out unique.jsonl --threshold 0.8
      annobridge dedup today.jsonl --out new.jsonl --index seen.idx
    """
    from bridge.curate.settings import Dedup, made
    from bridge.curate.steps import dedup_step

    run = _Filter(given, index)
    if index is None:
        run.tell(run.whole(dedup_step(made(Dedup, **given))))
        return
    known = _indexed(Path(index), given)
    before = len(known)
    result = run.whole(known.add if run.out else known.probe)
    if run.out:
        known.save(index)
    lines = [f"the index knows {len(known):,} records, {before:,} of them from before"]
    run.tell(result, {"index": index, "indexed": len(known)}, lines)


def _indexed(path: Path, given: Mapping[str, Any]) -> NearIndex:
    from bridge.curate.index import NearIndex
    from bridge.errors import UsageError

    if given["method"] != "near" or given["cluster"] != "greedy":
        raise UsageError("--index goes with near duplicates", remedy="leave --method and --cluster out")
    refuse_overwriting(path)
    if not path.exists():
        return NearIndex(on=given["on"], threshold=given["threshold"] or 0.7, n=given["n"])
    known = NearIndex.load(path)
    there = {"on": known.on, "n": known.n, "threshold": known.threshold}
    wanted = {"on": given["on"], "n": given["n"], "threshold": given["threshold"] or known.threshold}
    if wanted != there:
        said = ", ".join(f"{name} {value}" for name, value in there.items())
        raise UsageError(f"{path}: an index with {said}", remedy="ask for the same, or name another file")
    return known


@click.command()
@filter_options
@click.option(
    "--against",
    multiple=True,
    required=True,
    type=click.Path(),
    help="An evaluation set: file or folder; several times.",
)
@click.option("--column", "columns", multiple=True, metavar="NAME", help="Its column with questions; several times.")
@click.option("--on", default="both", show_default=True, type=SIDES, help="Which side of records is compared.")
@click.option(
    "--rule",
    default="both",
    show_default=True,
    type=click.Choice(["both", "containment", "token_set_ratio"]),
    help="What counts as holding an item.",
)
@click.option("--containment", type=SHARE, help="Share of an item's word n-grams; by default 0.5.")
@click.option("--ratio", type=click.FloatRange(50, 100), help="rapidfuzz's ratio; by default 85.")
@click.option("--n", default=3, show_default=True, type=click.IntRange(1, 20), help="Words in a shingle.")
def decontaminate(against: Sequence[str], columns: Sequence[str], **given: Any) -> None:
    """Drop records that hold items of evaluation sets, and say which item, and where they overlap.

    \b
    Example:
      annobridge decontaminate records.jsonl --against eval.jsonl --out train.jsonl --dropped leaks.jsonl
    """
    from bridge.curate.settings import Decontaminate, made
    from bridge.curate.steps import decontaminate_step

    run = _Filter(given, *against)
    step = decontaminate_step(made(Decontaminate, against=list(against), columns=list(columns) or None, **given))
    sets: Counter[str] = Counter()

    def counted(records: list[Record]) -> Result:
        found = step(records)
        sets.update(case.detail["set"] for case in found.dropped)
        return found

    result = run.whole(counted)
    lines = table(["set", "records"], [[name, f"{count:,}"] for name, count in sorted(sets.items())]) if sets else []
    run.tell(result, {"sets": dict(sorted(sets.items()))}, lines)


@click.command()
@filter_options
@click.option("--by", multiple=True, required=True, metavar="NAME", help="What makes the groups; several times.")
@click.option("--cap", type=click.IntRange(1), help="At most so many of a group; by default as the smallest has.")
@click.option("--share", type=SHARE, help="No group more than this share of what is kept.")
@click.option("--best", metavar="NAME", help="A score: its highest stay. By default chance decides.")
@click.option("--seed", default=0, show_default=True, help="Of that chance.")
def balance(by: Sequence[str], cap: int | None, share: float | None, best: str | None, seed: int, **given: Any) -> None:
    """Cap groups, so that no task, topic or source outweighs the others.

    \b
    Examples:
      annobridge balance records.jsonl --by task --cap 500 --out balanced.jsonl
      annobridge balance records.jsonl --by source --share 0.4 --best judge_score --out balanced.jsonl
    """
    from bridge.curate.settings import Balance, made
    from bridge.curate.steps import balance_step

    run = _Filter(given)
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
    """Take a sample of an exact size, random or diverse. The order of the rows does not matter.

    \b
    Examples:
      annobridge sample records.jsonl --share 0.05 --by task --out review.jsonl
      annobridge sample records.jsonl --size 200 --diverse --out seeds.jsonl
    """
    from bridge.curate.settings import Sample, made
    from bridge.curate.steps import sample_step

    run = _Filter(given)
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
    """Keep the records whose licence and source may be used, as their metadata says.

    \b
    Example:
      annobridge licences records.jsonl --allow CC-BY-4.0 --allow MIT --out usable.jsonl
    """
    from bridge.curate.settings import Licences, made
    from bridge.curate.steps import licences_step

    run = _Filter(given)
    wanted = made(
        Licences,
        allow=list(allow),
        sources=list(sources),
        of_source=pairs(of_source, "--of-source", "SOURCE=LICENCE, such as wiki=CC-BY-SA-4.0"),
        unknown=unknown,
        forbidden=forbidden,
    )
    run.tell(run.whole(licences_step(wanted)))


COMMANDS: list[click.Command] = [clean, pii, dedup, decontaminate, balance, sample, licences]
