"""The command line: a thin skin over :class:`bridge.Campaign` and the stages, which may also run file to file.

Modules here import nothing heavy at the top, so that ``annobridge --help`` answers at once.
"""

from __future__ import annotations

import click

from bridge import __version__
from bridge.cli import (
    adjudicate,
    adopt,
    agreement,
    assess,
    campaign,
    check_rows,
    curate,
    distilabel,
    export,
    files,
    generate,
    health,
    judge,
    migrate,
    release,
    route,
    select,
    serve,
    transcripts,
)
from bridge.cli.output import Reporting


@click.group(
    cls=Reporting,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Exit codes: 0 done, 1 failed, 2 wrong usage, 3 done in part. Start with: annobridge init --help",
)
@click.version_option(__version__, prog_name="annobridge")
def main() -> None:
    """Carry model-written records to annotators, and bring their judgement back as training data.

    \b
    A campaign in five commands, from a folder with records.jsonl:
      annobridge init --template review
      annobridge push
      annobridge status
      annobridge pull
      annobridge export --to sft
    """


_ORDER = (
    *("init", "plan", "push", "status", "pull", "annotations", "check", "merge", "agreement"),
    *("adjudicate", "export", "check-rows", "audit", "release", "doctor", "templates"),
    *("transcripts", "generate", "distilabel", "judge", "route"),
    *("assess", "clean", "pii", "dedup", "decontaminate", "balance", "sample", "licences"),
    *("adopt", "migrate", "serve"),
)
_COMMANDS = {
    command.name: command
    for part in (
        *(campaign, health, files, export, agreement, adjudicate, check_rows, release),
        *(transcripts, generate, distilabel, judge, route, assess, curate, select, adopt, migrate, serve),
    )
    for command in part.COMMANDS
}
for name in _ORDER:
    main.add_command(_COMMANDS[name])
