"""Commands that also work on files alone: check, merge, templates."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bridge.cli.campaign import campaign_options, map_flags, opened
from bridge.cli.lines import left_out_lines, rejected_lines, reordered_lines, warning_lines
from bridge.cli.output import json_option, progress, refuse_overwriting, report, table

if TYPE_CHECKING:
    from bridge.annotations import Annotation
    from bridge.merging import MergeResult, Problem
    from bridge.records import Record
    from bridge.templates import TaskTemplate


@click.command()
@click.argument("file", required=False, type=click.Path())
@click.option("--rejects", type=click.Path(dir_okay=False), help="Where rejected rows go; by default rejects.jsonl.")
@campaign_options
def check(file: str | None, rejects: str | None, folder: str, as_json: bool, **flags: Any) -> None:
    """Say what would be pushed and rejected; ask no server.

    With FILE and --template it needs no campaign.

    \b
    Example:
      annobridge check answers.jsonl --template review --map prompt=instruction
    """
    from bridge.config import FILE_NAME
    from bridge.files import write_lines
    from bridge.reading import read_records
    from bridge.results import check as check_records
    from bridge.templates import load_template

    if file and flags["set__template"]:
        template = load_template(flags["set__template"])
        mapping = map_flags(flags["set__records__map"])
        path = Path(rejects or "rejects.jsonl")
        refuse_overwriting(path, file, flags["set__template"], folder=folder)
        with progress(as_json) as tell:
            reader = read_records(file, template, id_column=flags["set__records__id"], mapping=mapping)
            result = check_records(reader, template, tell)
        if result.rejects or path.exists():
            write_lines(path, [reject.to_dict() for reject in result.rejects])
    else:
        if file:
            flags["set__records__path"] = str(Path(file).absolute())
            if not Path(folder, FILE_NAME).exists():
                raise click.UsageError("without a campaign, --template is needed")
        with opened(folder, flags, quiet=as_json) as campaign:
            if rejects:
                refuse_overwriting(rejects, *campaign.inputs, folder=folder)
            result = campaign.check()
        path = campaign.out / "rejects.jsonl"
        if rejects:
            path = Path(rejects)
            write_lines(path, [reject.to_dict() for reject in result.rejects])
    lines = [f"{result.records:,} records would be pushed"]
    lines += [f"  with {count:,} suggestions for {name}" for name, count in result.suggestions.items()]
    lines += left_out_lines(result.left_out)
    lines += reordered_lines(result.reordered)
    lines += rejected_lines(result.rejects, path)
    report(result.to_dict(), lines, as_json=as_json, partial=bool(result.rejects))


@click.command()
@click.option("--annotations", "annotations_file", type=click.Path(), help="annotations.jsonl, instead of a campaign.")
@click.option(
    "--out", type=click.Path(dir_okay=False), help="File to write; in a campaign by default out/merged.jsonl."
)
@campaign_options
def merge(annotations_file: str | None, out: str | None, folder: str, as_json: bool, **flags: Any) -> None:
    """Merge everybody's answers into one per question.

    Ties are reported as ties.

    With --template and --annotations it needs no campaign; --records then helps to tell unchanged rewrites.

    \b
    Example:
      annobridge merge --template review --annotations annotations.jsonl --out merged.jsonl
    """
    from bridge.problems import write_merged

    if annotations_file:
        path = Path(out or "merged.jsonl")
        refuse_overwriting(path, annotations_file, flags["set__records__path"], flags["set__template"], folder=folder)
        result = _merge_file(annotations_file, flags)
        write_merged(result, path)
    else:
        with opened(folder, flags, quiet=as_json) as campaign:
            if out:
                refuse_overwriting(out, *campaign.inputs, folder=folder)
            result = campaign.merge()
            path = Path(out) if out else campaign.out / "merged.jsonl"
            if out:
                write_merged(result, path)
    outcomes = result.outcomes()
    columns = ["agreed", "tie", "no_quorum", "abstained"]
    lines = [f"{len(result.kept):,} records merged into {path}", ""]
    lines += table(
        ["question", *columns], [[q, *(counts.get(c, 0) for c in columns)] for q, counts in outcomes.items()]
    )
    stale = sum(case.reason == "changed" for case in result.dropped)
    if stale:
        lines += ["", f"{stale:,} answers are to an earlier text of their record and do not count"]
    adjudication = result.rule.get("adjudication")
    if adjudication:
        lines += [
            "",
            f"{adjudication['questions']:,} questions of {adjudication['records']:,} records were adjudicated",
        ]
    lines += _model_lines(result.rule.get("questions", {}))
    lines += warning_lines(result.warnings)
    if result.problems:
        lines += [
            "",
            f"{len(result.problems):,} answers are wrong or missing (see {path.with_name('problems.jsonl')}):",
        ]
        lines += [f"  {p.record}: {p.reason}" if p.record else f"  {p.reason}" for p in result.problems[:3]]
    summary = {
        "file": str(path),
        "records": len(result.kept),
        "outcomes": outcomes,
        "unresolved": len(result.unresolved),
        "dropped": dict(sorted(Counter(case.reason for case in result.dropped).items())),
        "problems": len(result.problems),
        "adjudication": adjudication,
        "rule": result.rule,
        "warnings": [warning.to_dict() for warning in result.warnings],
    }
    report(summary, lines, as_json=as_json, partial=any(p.kind == "invalid" for p in result.problems))


def _model_lines(questions: Mapping[str, Any]) -> Iterator[str]:
    """What became of each question that a model was asked for."""
    for name, told in questions.items():
        if told["used"]:
            parts = (told, *told.get("labels", {}).values())
            left_out = {who for part in parts for who in part.get("left_out", ())}
            as_one = {" and ".join(group) for part in parts for group in part.get("as_one", ())}
            without = f", without the answers of {', '.join(sorted(left_out))}" if left_out else ""
            without += f", with those of {'; '.join(sorted(as_one))} once" if as_one else ""
            yield f"\n{name}: merged by Dawid-Skene{without}; {told['changed']:,} answers are not those of the majority"
        else:
            yield f"\n{name}: merged by majority, since Dawid-Skene is not to be trusted here: {', '.join(told['why'])}"


def _merge_file(path: str, flags: dict[str, Any]) -> MergeResult:
    from bridge.merging import merge as merge_annotations

    annotations, template, records, unreadable = answers_in_files(path, flags)
    result = merge_annotations(annotations, template, records, **merge_options(flags))
    return replace(result, problems=[*unreadable, *result.problems])


def answers_in_files(
    path: str, flags: dict[str, Any]
) -> tuple[list[Annotation], TaskTemplate, list[Record] | None, list[Problem]]:
    """What a command needs that works on answers without a campaign: annotations, template, records if named, and what
    is wrong with lines that are no annotations."""
    from bridge.reading import read_records
    from bridge.templates import load_template

    template = load_template(needed(flags, "set__template", "--template"))
    records = flags["set__records__path"]
    known = list(reader(records, template, flags, read_records)) if records else None
    annotations, unreadable = read_annotations(path)
    return annotations, template, known, unreadable


def merge_options(flags: dict[str, Any]) -> dict[str, Any]:
    """The flags that say how answers become one, as :func:`bridge.merging.merge` wants to be told."""
    options = {
        name: flags[f"set__merge__{name}"]
        for name in ("quorum", "method", "threshold", "rewrites")
        if flags[f"set__merge__{name}"] is not None
    }
    return {**options, "labels": map_flags(flags["set__merge__labels"], ("merge", "labels"))}


def reader(path: str, template: Any, flags: dict[str, Any], read: Any) -> Any:
    """The records of a file, by the flags that say how it is read."""
    return read(path, template, id_column=flags["set__records__id"], mapping=map_flags(flags["set__records__map"]))


def needed(flags: dict[str, Any], name: str, flag: str) -> str:
    """The value of a flag that a command without a campaign cannot do without."""
    if not flags[name]:
        raise click.UsageError(f"without a campaign, {flag} is needed")
    return str(flags[name])


def read_annotations(path: str) -> tuple[list[Annotation], list[Problem]]:
    """The answers of a file, and what is wrong with lines that hold none. Where no line does, it is another file."""
    from bridge.annotations import Annotation
    from bridge.errors import InputError, ValueRejected
    from bridge.files import Reject, read_lines
    from bridge.merging import Problem

    found, problems = [], []
    for number, line in read_lines(path):
        if isinstance(line, Reject):
            problems.append(Problem("", "", "", None, f"line {number}: {line.reason}", line.remedy))
            continue
        try:
            found.append(Annotation.from_dict(line))
        except ValueRejected as error:
            record, who = (name if isinstance(name := line.get(key), str) else "" for key in ("record", "annotator"))
            reason = f"line {number}: {error.reason}"
            problems.append(Problem(record, who, "", line.get("answers"), reason, error.remedy))
    if problems and not found:
        first = problems[0]
        raise InputError(f"{path}: no line is an annotation; {first.reason}", remedy=first.remedy)
    return found, problems


@click.group(invoke_without_command=True)
@click.option("--schema", is_flag=True, help="Print the JSON Schema of templates, for editors.")
@json_option
@click.pass_context
def templates(context: click.Context, schema: bool, as_json: bool) -> None:
    """List the ready-made templates, or show one.

    \b
    Examples:
      annobridge templates
      annobridge templates show review > mine.yaml
      annobridge templates --schema > template.schema.json
    """
    from bridge.templates import load_template, template_names, template_schema

    if context.invoked_subcommand:
        return
    if schema:
        click.echo(json.dumps(template_schema(), indent=2))
        return
    listed = [load_template(name) for name in template_names()]
    summary = {
        t.name: {
            "title": t.title,
            "fields": [f.name for f in t.fields],
            "questions": {q.name: q.type for q in t.questions},
        }
        for t in listed
    }
    report(
        {"templates": summary},
        table(["name", "what it asks"], [[t.name, t.description] for t in listed]),
        as_json=as_json,
    )


@templates.command()
@click.argument("name")
@json_option
@click.pass_context
def show(context: click.Context, name: str, as_json: bool) -> None:
    """Print a template, ready to be copied and changed.

    \b
    Example:
      annobridge templates show review > mine.yaml
    """
    from bridge.templates import load_template, template_folder

    template = load_template(name)
    if as_json or (context.parent and context.parent.params["as_json"]):
        click.echo(json.dumps(template.model_dump(mode="json", exclude_none=True), ensure_ascii=False))
        return
    path = Path(name) if name.endswith((".yaml", ".yml")) else template_folder() / f"{name}.yaml"
    click.echo(path.read_text(encoding="utf-8"), nl=False)


COMMANDS: list[click.Command] = [check, merge, templates]
