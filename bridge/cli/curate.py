"""Commands of curation that look into texts, and filter a file. None of them needs a campaign."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bridge.cli.filtering import SHARE, FileFilter, filter_options, n_option, on_option
from bridge.cli.output import refuse_overwriting, table

if TYPE_CHECKING:
    from bridge.curate.index import NearIndex
    from bridge.curate.pii import Finding
    from bridge.curate.result import Result
    from bridge.curate.settings import Dedup
    from bridge.records import Record


@click.command()
@filter_options
@click.option("--only", multiple=True, metavar="RULE", help="Follow only this rule; several times.")
@click.option("--off", multiple=True, metavar="RULE", help="Leave this rule out; several times.")
@click.option("--min-words", type=click.IntRange(0), help="Fewest words of a response; by default 1.")
@click.option("--phrases", type=click.Path(), help="Refusals and boilerplate of your own, in the place of ours.")
def clean(only: Sequence[str], off: Sequence[str], min_words: int | None, phrases: str | None, **given: Any) -> None:
    """Mend texts, and drop broken and worthless responses.

    Earlier texts stay in the record's history, in its metadata. A clean file comes out as it is.

    \b
    Example:
      annobridge clean records.jsonl --out clean.jsonl --off language
    """
    from bridge.curate.settings import Clean, made
    from bridge.curate.steps import clean_step

    run = FileFilter(given, phrases)
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
    """Find personal data and secrets.

    They are reported, masked, or pseudonymised, or their records dropped.

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

    run = FileFilter(given, names_file)
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
@on_option
@click.option("--threshold", type=SHARE, help="Similarity of duplicates; by default 0.7, semantic 0.9.")
@n_option
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
@click.option(
    "--engine",
    default="auto",
    show_default=True,
    type=click.Choice(["auto", "daft"]),
    help="daft: in partitions, on this machine or a cluster; finds the same, and pays only beyond one machine.",
)
def dedup(index: str | None, engine: str, **given: Any) -> None:
    """Drop records that say what another one says already.

    Of several alike, the one with the most answers of people stays, then the one with the best score, then the first.

    \b
    Examples:
      annobridge dedup records.jsonl --out unique.jsonl --threshold 0.8
      annobridge dedup today.jsonl --out new.jsonl --index seen.idx
    """
    from bridge.curate.settings import Dedup, made
    from bridge.curate.steps import dedup_step

    run = FileFilter(given, index)
    if engine == "daft":
        _in_daft(run, made(Dedup, **given), index)
        return
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


def _in_daft(run: FileFilter, wanted: Dedup, index: str | None) -> None:
    from bridge.errors import UsageError

    if index is not None:
        raise UsageError("--index: the engine daft keeps none", remedy="leave --index or --engine out")
    from bridge.curate.daft import duplicates

    method, on, threshold, n, cluster = wanted.method, wanted.on, wanted.threshold, wanted.n, wanted.cluster
    run.tell(
        run.choosing(
            lambda records: duplicates(records, method=method, on=on, threshold=threshold, n=n, cluster=cluster)
        )
    )


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
@on_option
@click.option(
    "--rule",
    default="both",
    show_default=True,
    type=click.Choice(["both", "containment", "token_set_ratio"]),
    help="What counts as holding an item.",
)
@click.option("--containment", type=SHARE, help="Share of an item's word n-grams; by default 0.5.")
@click.option("--ratio", type=click.FloatRange(50, 100), help="rapidfuzz's ratio; by default 85.")
@n_option
def decontaminate(against: Sequence[str], columns: Sequence[str], **given: Any) -> None:
    """Drop records that hold items of evaluation sets.

    It says which item, by which rule, and where the two overlap.

    \b
    Example:
      annobridge decontaminate records.jsonl --against eval.jsonl --out train.jsonl --dropped leaks.jsonl
    """
    from bridge.curate.settings import Decontaminate, made
    from bridge.curate.steps import decontaminate_step

    run = FileFilter(given, *against)
    step = decontaminate_step(made(Decontaminate, against=list(against), columns=list(columns) or None, **given))
    sets: Counter[str] = Counter()

    def counted(records: list[Record]) -> Result:
        found = step(records)
        sets.update(case.detail["set"] for case in found.dropped)
        return found

    result = run.whole(counted)
    lines = table(["set", "records"], [[name, f"{count:,}"] for name, count in sorted(sets.items())]) if sets else []
    run.tell(result, {"sets": dict(sorted(sets.items()))}, lines)


COMMANDS: list[click.Command] = [clean, pii, dedup, decontaminate]
