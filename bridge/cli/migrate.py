"""The command that moves a campaign to another server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bridge.cli.campaign import opened
from bridge.cli.output import json_option, report

if TYPE_CHECKING:
    from bridge.migration import MigrationResult


@click.command()
@click.option("--to", "kind", required=True, help="Kind of the new server: argilla, label-studio or memory.")
@click.option("--url", help="Address of the new server.", metavar="URL")
@click.option("--workspace", help="Workspace there (Argilla).", metavar="NAME")
@click.option("--key-env", help="Environment variable with the key of the new server.", metavar="NAME")
@click.option("--allow-http", is_flag=True, help="Permit plain http to another machine.")
@click.option("--project", default="", help="Name of the project there; by default as now.", metavar="NAME")
@click.option(
    "--annotators",
    "table",
    type=click.Path(dir_okay=False),
    help="Table of people: a file with the columns from and to, their names on both servers.",
    metavar="FILE",
)
@click.option("--create-annotators", is_flag=True, help="Make accounts for people whom the new server does not know.")
@click.option(
    "-C", "--campaign", "folder", default=".", show_default=True, help="The campaign's folder.", metavar="DIR"
)
@json_option
def migrate(
    kind: str,
    url: str | None,
    workspace: str | None,
    key_env: str | None,
    allow_http: bool,
    project: str,
    table: str | None,
    create_annotators: bool,
    folder: str,
    as_json: bool,
) -> None:
    """Move the campaign to another server, answers included.

    Nothing is deleted on the old server. Run it again after anything went wrong: it goes on where it was. In the end
    both servers are compared, and campaign.yaml names the new one.

    \b
    Example:
      annobridge migrate --to argilla --url https://argilla.example.org --workspace reviews --annotators people.csv
    """
    from bridge.migration import read_table

    to = {"kind": kind, "url": url, "workspace": workspace, "key_env": key_env, "allow_http": allow_http}
    people = read_table(table) if table else {}
    with opened(folder, {}, quiet=as_json) as campaign:
        result = campaign.migrate(to, project=project, annotators=people, create_annotators=create_annotators)
        where = campaign.out / "migration.jsonl"
    report(result.to_dict(), _lines(result, str(where)), as_json=as_json, partial=not result.complete)


def _lines(result: MigrationResult, where: str) -> list[str]:
    if result.nothing_to_do:
        return [f"the campaign is there already: {result.project.url}"]
    told = result.to_dict()
    lines = [
        f"{result.pushed.sent:,} records sent, {result.pushed.present:,} were there already",
        f"{result.written:,} answers written, {result.present:,} were there already",
    ]
    for name, heading in (("left_out", "left out"), ("refused", "refused by the new server")):
        lines += [f"{count:,} {heading}: {reason}" for reason, count in told[name].items()]
    if told["conflicts"]:
        lines.append(f"{told['conflicts']:,} people's answers are otherwise on the new server, and were not touched")
    if told["differences"]:
        lines.append(f"{told['differences']:,} records have other merged answers than before")
    elif result.complete:
        lines.append("compared: the merged answers are the same on both servers")
    if result.findings:
        lines.append(f"all of this, line by line: {where}")
    if result.passwords:
        lines.append(f"passwords of the new accounts: {result.passwords}")
    return [
        *lines,
        "campaign.yaml names the new server now (before: campaign.before-migration.yaml)",
        f"label here: {result.project.url}",
    ]


COMMANDS: list[click.Command] = [migrate]
