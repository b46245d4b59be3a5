"""What commands print: results as lines or JSON, progress, and errors with their remedy."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from bridge.errors import BridgeError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

PARTIAL = 3
FILE_NAME = "campaign.yaml"  # as in bridge.config, which loads too much for --help

json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")


class Reporting(click.Group):
    """A group that lists its commands in the order of the work, and turns our errors into lines and exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def main(self, *args: Any, **kwargs: Any) -> NoReturn:
        given = kwargs.get("args") or (args[0] if args and args[0] is not None else sys.argv[1:])
        as_json = "--json" in list(given)
        try:
            # Commands return nothing; a number is the exit code of --help and the like.
            code = super().main(*args, **{**kwargs, "standalone_mode": False})
            sys.stdout.flush()
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message())
            sys.exit(error.exit_code)
        except click.UsageError as error:
            command = error.ctx.command_path if error.ctx else "annobridge"
            _fail(_described("UsageError", error.format_message(), f"see {command} --help"), error.exit_code, as_json)
        except click.ClickException as error:
            _fail(_described(type(error).__name__, error.format_message(), ""), error.exit_code, as_json)
        except (click.Abort, KeyboardInterrupt):
            _fail(
                _described("Interrupted", "interrupted", "run the command again: it goes on where it was"), 130, as_json
            )
        except BridgeError as error:
            _fail(error.to_dict(), error.exit_code, as_json)
        except MemoryError:
            _fail(_described("MemoryError", "out of memory", "split the file"), 1, as_json)
        except BrokenPipeError:
            _abandon_output()  # whoever read it has had enough
            sys.exit(1)
        except OSError as error:
            name = f"{error.filename}: " if error.filename else ""
            reason = f"{name}{error.strerror or error}"
            _fail(_described("OSError", reason, "check the path, its permissions and the room on the disk"), 1, as_json)
        sys.exit(code if isinstance(code, int) else 0)


def _described(kind: str, reason: str, remedy: str) -> dict[str, str]:
    return {"type": kind, "reason": reason, "remedy": remedy}


def _fail(error: dict[str, str], code: int, as_json: bool) -> NoReturn:
    if as_json:
        with suppress(OSError):
            click.echo(json.dumps({"error": error}))
    try:
        sys.stdout.flush()
    except OSError:
        _abandon_output()  # it may be what failed
    click.echo(f"error: {error['reason']}", err=True)
    if error["remedy"]:
        click.echo(f"  remedy: {error['remedy']}", err=True)
    sys.exit(code)


def _abandon_output() -> None:
    """Send what standard output still holds nowhere, or Python complains of it once more when it ends."""
    with suppress(OSError, ValueError):  # a stand-in for standard output may have no descriptor
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def refuse_overwriting(out: str | Path, *inputs: str | Path | None, folder: str | Path = ".") -> None:
    """Refuse to write over what a command reads, over ``campaign.yaml``, and into ``.annobridge/``.

    Raises:
        UsageError: the output is one of these.
    """
    path = Path(out).resolve()
    kept = [Path(folder, FILE_NAME), *(Path(given) for given in inputs if given)]
    if path in [one.resolve() for one in kept] or Path(folder, ".annobridge").resolve() in (path, *path.parents):
        raise UsageError(f"{out}: that file or folder is the campaign's own or an input", remedy="name another one")


def report(result: dict[str, Any], lines: Iterable[str], *, as_json: bool, partial: bool = False) -> None:
    """Print a result, and end with exit code 3 where only a part was done."""
    if as_json:
        click.echo(json.dumps({**result, "partial": partial}, ensure_ascii=False))
    else:
        for line in lines:
            click.echo(line)
    if partial:
        sys.exit(PARTIAL)


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """A plain table as lines; numbers stand to the right.

    >>> table(["who", "n"], [["ann", 12], ["bo", 3]])
    ['who   n', 'ann  12', 'bo    3']
    """
    grid = [[str(cell) for cell in row] for row in (headings, *(list(row) for row in rows))]
    widths = [max(len(cell) for cell in column) for column in zip(*grid, strict=True)]
    right = [all(row[i].replace(",", "").replace(".", "").isdigit() for row in grid[1:]) for i in range(len(widths))]
    return [
        "  ".join(cell.rjust(w) if r else cell.ljust(w) for cell, w, r in zip(row, widths, right, strict=True)).rstrip()
        for row in grid
    ]


PLAIN_EVERY_S = 5.0


@contextmanager
def progress(quiet: bool = False) -> Iterator[Callable[[str, int, int], None]]:
    """A progress function: a bar where there is a terminal, else a plain line every few seconds. To standard error."""
    if quiet:
        yield lambda what, done, total: None
    elif sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        with _bar() as tell:
            yield tell
    else:
        yield _plain_lines()


@contextmanager
def _bar() -> Iterator[Callable[[str, int, int], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn

    class Rate(ProgressColumn):
        def render(self, task: Any) -> str:
            return f"{task.speed:,.0f}/s" if task.speed else ""

    tasks: dict[str, Any] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:

        def tell(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total or None)
            bar.update(tasks[what], completed=done)

        yield tell


def _plain_lines(clock: Callable[[], float] = time.monotonic) -> Callable[[str, int, int], None]:
    begun: dict[str, tuple[float, int]] = {}
    said: dict[str, float] = {}

    def tell(what: str, done: int, total: int) -> None:
        now = clock()
        since, before = begun.setdefault(what, (now, done))
        if now - said.setdefault(what, now) >= PLAIN_EVERY_S:
            said[what] = now
            count = f"{done:,} of {total:,}" if total else f"{done:,}"
            click.echo(f"{what}: {count} ({(done - before) / (now - since):,.0f}/s)", err=True)

    return tell
