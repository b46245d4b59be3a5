"""The command that makes a campaign of a project made by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bridge.cli.output import json_option, progress, report

if TYPE_CHECKING:
    from bridge.adopting import AdoptResult

SHOWN = 5


@click.command()
@click.argument("project")
@click.option("--kind", required=True, type=click.Choice(["argilla", "label-studio"]), help="Kind of server.")
@click.option("--url", required=True, help="Address of the server.", metavar="URL")
@click.option("--workspace", default="", help="Workspace (Argilla), where several have such a dataset.", metavar="NAME")
@click.option("--key-env", help="Environment variable with the key.", metavar="NAME")
@click.option("--into", default=".", show_default=True, help="The campaign's folder.", metavar="DIR")
@click.option("--allow-http", is_flag=True, help="Permit plain http to other machines.")
@json_option
def adopt(
    project: str, kind: str, url: str, workspace: str, key_env: str | None, into: str, allow_http: bool, as_json: bool
) -> None:
    """Make a campaign of a project that was made by hand.

    PROJECT is its name, or its id.

    Reads its settings, records, suggestions and everybody's answers, and changes nothing there. Running it again
    brings what is new. What could not be represented is in out/not_adopted.jsonl, and the exit code is then 3.

    \b
    Example:
      annobridge adopt "Support answers" --kind label-studio --url http://127.0.0.1:8080 --into support
    """
    from bridge.adopting import adopt as adopt_project

    with progress(as_json) as tell:
        result = adopt_project(
            project,
            kind=kind,
            url=url,
            workspace=workspace,
            key_env=key_env,
            into=into,
            allow_http=allow_http,
            progress=tell,
        )
    report(result.to_dict(), _lines(result), as_json=as_json, partial=not result.complete)


def _lines(result: AdoptResult) -> list[str]:
    c = result.answers
    records = f"{result.records:,} records, {result.suggestions:,} suggestions"
    answers = f"{c.new:,} new answers, {c.edited:,} edited, {c.withdrawn:,} withdrawn, {c.unchanged:,} as before"
    lines = [
        f"adopted into {result.folder}: {records}, {answers}",
        f"fields: {', '.join(f'{name} ({kind})' for name, kind in result.fields.items())}",
        f"questions: {', '.join(f'{name} ({kind})' for name, kind in result.questions.items())}",
        *(f"note: {note}" for note in result.notes),
    ]
    if result.template_kept:
        lines.append("template.yaml was edited and is as it was")
    if result.dropped:
        counts = ", ".join(f"{kind}: {count:,}" for kind, count in result.counts().items())
        lines.append(f"not adopted (see {result.folder / 'out' / 'not_adopted.jsonl'}): {counts}")
        lines += [
            f"  {case.kind} {case.name!r:.60}{f' of {case.record}' if case.record else ''}: {case.reason}"
            for case in result.dropped[:SHOWN]
        ]
        if len(result.dropped) > SHOWN:
            lines.append(f"  and {len(result.dropped) - SHOWN:,} more")
    lines.append("next: look at template.yaml, then annobridge merge and annobridge export in that folder")
    # Names on the server are anybody's text, and a terminal obeys some characters.
    return ["".join(char if char.isprintable() else " " for char in line) for line in lines]


COMMANDS: list[click.Command] = [adopt]
