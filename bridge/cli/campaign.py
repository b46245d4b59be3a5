"""Commands that work on the campaign in this folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bridge.cli.lines import (
    conflict_lines,
    control_lines,
    curate_lines,
    left_out_lines,
    rejected_lines,
    reordered_lines,
)
from bridge.cli.output import json_option, progress, refuse_overwriting, report, table

if TYPE_CHECKING:
    from bridge.campaign import Campaign
    from bridge.sync.pull import PullResult

F = TypeVar("F", bound=Callable[..., Any])

_FLAGS: list[tuple[tuple[str, ...], Any, dict[str, Any]]] = [
    (("server", "kind"), "--server", {"help": "Kind of server: argilla, label-studio or memory.", "metavar": "KIND"}),
    (("server", "url"), "--url", {"help": "Address of the server.", "metavar": "URL"}),
    (("server", "key_env"), "--key-env", {"help": "Environment variable with the key.", "metavar": "NAME"}),
    (("server", "workspace"), "--workspace", {"help": "Workspace (Argilla).", "metavar": "NAME"}),
    (("server", "allow_http"), "--allow-http", {"help": "Permit plain http to other machines.", "is_flag": True}),
    (("project",), "--project", {"help": "Name of the project on the server.", "metavar": "NAME"}),
    (("records", "path"), "--records", {"help": "File with the records.", "metavar": "FILE"}),
    (("records", "id"), "--id", {"help": "Column that is the record's key.", "metavar": "COLUMN"}),
    (
        ("records", "map"),
        "--map",
        {"help": "FIELD=COLUMN, several times.", "multiple": True, "metavar": "FIELD=COLUMN"},
    ),
    (("template",), "--template", {"help": "Ready-made template, or ./mine.yaml.", "metavar": "NAME"}),
    (
        ("annotators_per_record",),
        "--annotators-per-record",
        {"help": "People who answer each record.", "type": int, "metavar": "N"},
    ),
    (("merge", "quorum"), "--quorum", {"help": "Answers that a question needs.", "type": int, "metavar": "N"}),
    (
        ("merge", "method"),
        "--method",
        {"help": "How labels and spans become one: majority or dawid-skene.", "metavar": "NAME"},
    ),
    (
        ("merge", "threshold"),
        "--threshold",
        {"help": "Share of people that a label of several needs.", "type": float, "metavar": "SHARE"},
    ),
    (("merge", "rewrites"), "--rewrites", {"help": "Rewrites that count: each, or the medoid.", "metavar": "NAME"}),
    (
        ("merge", "labels"),
        "--labels",
        {"help": "OLD=NEW, several times: labels of before.", "multiple": True, "metavar": "OLD=NEW"},
    ),
]

_PAIRS = {
    ("records", "map"): "FIELD=COLUMN, such as prompt=instruction",
    ("merge", "labels"): "OLD=NEW, such as bad=incorrect",
}


def campaign_options(function: F) -> F:
    """Give a command ``--campaign``, ``--json`` and a flag for every key of ``campaign.yaml``."""
    for place, flag, settings in reversed(_FLAGS):
        function = click.option(flag, "__".join(("set", *place)), **settings)(function)
    function = json_option(function)
    return click.option(
        "-C", "--campaign", "folder", default=".", show_default=True, help="The campaign's folder.", metavar="DIR"
    )(function)


def map_flags(pairs: tuple[str, ...], place: tuple[str, str] = ("records", "map")) -> dict[str, str]:
    """The values of ``--map`` or ``--labels`` as a dictionary.

    >>> map_flags(("prompt=instruction",))
    {'prompt': 'instruction'}
    """
    for pair in pairs:
        name, equals, other = pair.partition("=")
        if not name or not equals or not other:
            flag = "--map" if place == ("records", "map") else "--labels"
            raise click.BadParameter(f"{pair!r} is not {_PAIRS[place]}", param_hint=flag)
    return {name: other for name, _, other in (pair.partition("=") for pair in pairs)}


@contextmanager
def opened(folder: str, flags: dict[str, Any], *, quiet: bool) -> Iterator[Campaign]:
    """The campaign with its flags, and progress on standard error."""
    from bridge.campaign import Campaign

    nested: dict[str, Any] = {}
    for name, value in flags.items():
        if value is None or value is False or value == ():
            continue
        *above, last = name.split("__")[1:]
        place = nested
        for part in above:
            place = place.setdefault(part, {})
        pairs = (*above, last)
        place[last] = map_flags(value, pairs) if len(pairs) == 2 and pairs in _PAIRS else value
    with progress(quiet) as tell:
        yield Campaign(folder, nested, progress=tell)


@click.command()
@click.argument("folder", default=".", type=click.Path(file_okay=False))
@click.option("--template", default="review", show_default=True, help="Ready-made template, or ./mine.yaml.")
@click.option("--records", default="records.jsonl", show_default=True, help="File with the records.")
@click.option("--project", help="Name of the project on the server; by default the folder's name.")
@click.option("--server", "kind", default="label-studio", show_default=True, help="label-studio or memory.")
@click.option("--url", help="Address of the server; by default http://127.0.0.1:8080.")
@click.option(
    "--annotators-per-record",
    default=1,
    show_default=True,
    type=click.IntRange(1, 100),
    help="People who answer each record.",
)
@click.option("--force", is_flag=True, help="Replace a campaign.yaml that is there.")
@json_option
def init(
    folder: str,
    template: str,
    records: str,
    project: str | None,
    kind: str,
    url: str | None,
    annotators_per_record: int,
    force: bool,
    as_json: bool,
) -> None:
    """Write a commented campaign.yaml into FOLDER.

    \b
    Example:
      annobridge init --template review --records answers.jsonl
    """
    from bridge.config import FILE_NAME, parse_config, starter
    from bridge.errors import ConfigError
    from bridge.files import write_text
    from bridge.keys import origin
    from bridge.servers import ENTRY_POINTS
    from bridge.servers.label_studio import CAPABILITIES
    from bridge.servers.protocol import Project
    from bridge.sync.capabilities import check_capabilities
    from bridge.templates import load_template

    where = Path(folder)
    path = where / FILE_NAME
    if folder.encode(errors="ignore").decode() != folder:
        raise ConfigError(f"{folder!r}: the folder's name is not UTF-8", remedy="rename it, or run this inside it")
    kinds = {"label-studio", "memory", *(entry.name for entry in entry_points(group=ENTRY_POINTS))}
    if kind not in kinds:
        raise ConfigError(
            f"--server: this version knows no server {kind!r:.60}", remedy=f"use one of {', '.join(sorted(kinds))}"
        )
    if url is not None:
        origin(url)
    if path.exists() and not force:
        raise ConfigError(f"{path}: there is a campaign already", remedy="edit it, or replace it with --force")
    task = load_template(where / template if template.endswith((".yaml", ".yml")) else template)
    rules = (
        {"sft": task.training.sft, "dpo": [rule for rule in task.training.dpo if not rule.across]}
        if task.training
        else {}
    )
    exports = [name for name, some in rules.items() if some]
    title = (where.resolve().name or "campaign")[:50].ljust(3, "_") if project is None else project
    text = starter(
        title, template, records, kind=kind, url=url, annotators=annotators_per_record, exports=exports or ["sft"]
    )
    given = {"project": title, "records": {"path": records}, "template": template}
    parse_config(text, str(path), given)
    if kind == "label-studio":
        check_capabilities(Project(title, task), CAPABILITIES)
    write_text(path, text)
    report({"file": str(path)}, [f"wrote {path}", "next: annobridge check, then annobridge push"], as_json=as_json)


def changing_options(function: F) -> F:
    """Give a command the flags that say what becomes of changed and deleted records."""
    function = click.option("--recreate", is_flag=True, help="Send again what somebody deleted on the server.")(
        function
    )
    return click.option(
        "--on-change",
        type=click.Choice(["new", "stale", "keep"]),
        help="For records whose text changed after people answered it: new sends them as other records, stale shows "
        "the new text and drops those answers, keep leaves them alone. By default they are refused.",
    )(function)


@click.command()
@changing_options
@campaign_options
def plan(folder: str, as_json: bool, on_change: Any, recreate: bool, **flags: Any) -> None:
    """Show what a push would do and cost; write nothing.

    \b
    Example:
      annobridge plan --json
    """
    with opened(folder, flags, quiet=as_json) as campaign:
        result = campaign.plan(on_change=on_change, recreate=recreate)
    lines = table(
        ["records", ""],
        [
            [f"{result.create:,}", "to be sent"],
            [f"{result.unchanged:,}", "unchanged"],
            [f"{result.update:,}", "changed: they would show the new text"],
            [f"{result.kept:,}", "changed, and left alone by --on-change keep"],
            [f"{len(result.conflicts):,}", "in conflict: changed after people answered them"],
            [f"{len(result.gone):,}", "deleted on the server since they were sent"],
            [f"{len(result.unknown):,}", "to be looked up: a push broke off"],
            [f"{len(result.rejected):,}", "rejected"],
        ],
    )[1:]
    lines += control_lines(result.controls, result.controls_missing)
    lines += curate_lines(result.curate)
    lines += left_out_lines(result.left_out)
    lines += rejected_lines(result.rejected, None)
    lines += conflict_lines(result.conflicts)
    cost = [f"{count:,} to {what}" for what, count in result.requests.items() if count]
    if not result.project:
        lines.append("there is no such project yet: a push makes it")
    lines.append(f"requests that write: {', '.join(cost)}" if cost else "nothing would be written")
    report(result.to_dict(), lines, as_json=as_json, partial=bool(result.rejected or result.conflicts))


@click.command()
@changing_options
@campaign_options
def push(folder: str, as_json: bool, on_change: Any, recreate: bool, **flags: Any) -> None:
    """Send the records that the server does not have yet.

    The file is checked first; rejected rows go to out/rejects.jsonl and the rest goes on. Running it again sends
    nothing twice.

    \b
    Example:
      annobridge push --records answers.jsonl --map prompt=instruction
    """
    with opened(folder, flags, quiet=as_json) as campaign:
        result = campaign.push(on_change=on_change, recreate=recreate)
    lines = [
        f"{result.sent:,} records sent, {result.present:,} were there already",
        *control_lines(result.controls, result.controls_missing),
        *curate_lines(result.curate, campaign.out / "pii.jsonl"),
        *left_out_lines(result.left_out),
        *reordered_lines(result.reordered),
        *rejected_lines(result.rejected, campaign.out / "rejects.jsonl"),
    ]
    if result.updated:
        lines.append(f"{result.updated:,} of them show a new text now")
    if result.kept:
        lines.append(f"{result.kept:,} of them have another text, and were left alone")
    if result.repaired:
        lines.append(f"{result.repaired:,} records had lost their suggestions and have them back")
    lines += conflict_lines(result.changed)
    if result.gone:
        lines.append(
            f"{len(result.gone):,} were deleted on the server and are not sent again, such as {result.gone[0]}"
        )
        lines.append("  remedy: to send them again: annobridge push --recreate")
    if result.doubled:
        lines.append(f"{len(result.doubled):,} records are there twice, such as {result.doubled[0]}")
        lines.append("  remedy: annobridge doctor --repair deletes the copies that nobody answered")
    if result.reason and not result.unknown:
        lines.append(f"the rest was not sent: {result.reason}")
        lines.append("  remedy: run `annobridge push` again: it goes on from there")
    if result.unknown:
        lines.append(f"{len(result.unknown):,} records may or may not have arrived: {result.reason}")
        lines.append("  remedy: run `annobridge push` again: it looks them up before it sends anything")
    lines.append(f"label here: {result.project.url}")
    report(result.to_dict(), lines, as_json=as_json, partial=not result.complete)


@click.command()
@click.option("--full", is_flag=True, help="Sweep everything, not only what changed since the last pull.")
@campaign_options
def pull(folder: str, as_json: bool, full: bool, **flags: Any) -> None:
    """Bring every annotator's answers into the campaign.

    Answers are kept append-only in .annobridge/: an edited answer becomes a new revision, a withdrawn one is marked.

    \b
    Example:
      annobridge pull --full
    """
    with opened(folder, flags, quiet=as_json) as campaign:
        result = campaign.pull(full=full)
    lines = [_changes(result)]
    if result.note:
        lines.append(result.note)
    if result.adjudication:
        lines.append(f"adjudication: {_changes(result.adjudication)}")
    if result.gone:
        lines.append(f"{len(result.gone):,} records were deleted on the server, such as {result.gone[0]}")
    for part in result.exported:
        count = len(part["lines"])
        lines.append(f"{part['file']}: {count:,} rows rest on answers that changed, such as line {part['lines'][0]}")
    if result.exported:
        lines.append("  remedy: annobridge export makes them anew")
    if result.problems:
        lines.append(
            f"{len(result.problems):,} of them are wrong or incomplete (see {campaign.out / 'problems.jsonl'}):"
        )
        lines += [f"  {p['record']}, {p['annotator']}: {p['reason']}" for p in result.problems[:3]]
    report(result.to_dict(), lines, as_json=as_json)


def _changes(result: PullResult) -> str:
    c = result.changes
    return f"{c.new:,} new answers, {c.edited:,} edited, {c.withdrawn:,} withdrawn, {c.unchanged:,} as before"


@click.command("annotations")
@click.option("--out", required=True, type=click.Path(dir_okay=False), help="File to write.")
@click.option("--history", is_flag=True, help="Every revision, not only the newest of each person and record.")
@campaign_options
def write_annotations(folder: str, as_json: bool, out: str, history: bool, **flags: Any) -> None:
    """Write the answers pulled so far as annotations.jsonl.

    \b
    Example:
      annobridge annotations --out annotations.jsonl
    """
    from bridge.files import write_lines

    with opened(folder, flags, quiet=as_json) as campaign:
        refuse_overwriting(out, *campaign.inputs, folder=folder)
        found, lost = campaign.answers(history=history)
    count = write_lines(out, (annotation.to_dict() for annotation in found))
    lines = [f"wrote {count:,} annotations to {out}"]
    if lost:
        lines.append(f"{len(lost):,} answers were left out of them, such as {lost[0].record}, {lost[0].reason}")
    report({"file": out, "annotations": count, "left_out": len(lost)}, lines, as_json=as_json, partial=bool(lost))


COMMANDS: list[click.Command] = [init, plan, push, pull, write_annotations]
