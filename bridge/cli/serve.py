"""``annobridge serve``: a real server on this machine, for trying things out and for small teams of one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import click

from bridge.cli.output import json_option

if TYPE_CHECKING:
    from bridge.keys import Secret


@click.group()
def serve() -> None:
    """Install and run an annotation server on this machine.

    \b
    Examples:
      annobridge serve label-studio
      annobridge serve argilla
    """


def server_options(port: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The flags that all servers have."""
    options = [
        click.option(
            "--port", default=port, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one."
        ),
        click.option(
            "--data", type=click.Path(file_okay=False), help="Its data folder; by default in your user data folder."
        ),
        click.option("--temporary", is_flag=True, help="Delete its data when it stops."),
        json_option,
    ]

    def add(command: Callable[..., None]) -> Callable[..., None]:
        for option in reversed(options):
            command = option(command)
        return command

    return add


@serve.command("label-studio")
@server_options(8080)
@click.option(
    "--postgres",
    metavar="ADDRESS",
    help="Keep projects and people in this PostgreSQL database: postgresql://USER@HOST:PORT/NAME, with the password "
    "in the environment variable PGPASSWORD.",
)
def label_studio(port: int, data: str | None, temporary: bool, as_json: bool, postgres: str | None) -> None:
    """Run Label Studio, on loopback only, with generated credentials, until Ctrl-C.

    The first start installs it into an environment of its own; later starts are quick. Its data is kept. The access
    token goes into your key file, so that `annobridge push` finds it without an environment variable.

    \b
    Example:
      annobridge serve label-studio --port 8080
    """
    from bridge.servers.local_label_studio import LocalLabelStudio

    if postgres and temporary:
        raise click.UsageError("--temporary cannot empty a PostgreSQL database; give one of the two")
    home = _home(data, temporary)
    server = LocalLabelStudio(home, port=port, postgres=postgres or "", say=_say)
    _run("Label Studio", server, lambda: (server.token, {"email": server.email}), temporary, as_json)


@serve.command()
@server_options(6900)
def argilla(port: int, data: str | None, temporary: bool, as_json: bool) -> None:
    """Run Argilla, on loopback only, with generated credentials, until Ctrl-C.

    It comes with its search engine, queue and worker. The first start installs it; Java, Maven and Redis must be there.
    Its data is kept. The owner's API key goes into your key file.

    \b
    Example:
      annobridge serve argilla --port 6900
    """
    from bridge.servers.local_argilla import LocalArgilla

    server = LocalArgilla(_home(data, temporary), port=port, say=_say)
    about = {"workspace": server.workspace}
    _run("Argilla", server, lambda: (server.api_key, {"username": server.username} | about), temporary, as_json)


class _Local(Protocol):
    home: Path
    url: str

    def start(self) -> None: ...
    def wait(self) -> None: ...
    def stop(self) -> None: ...
    def wipe(self) -> None: ...


def _say(text: str) -> None:
    click.echo(text, err=True)


def _home(data: str | None, temporary: bool) -> Path | None:
    import tempfile

    if data and temporary and Path(data).exists():
        raise click.UsageError(f"--temporary would delete {data}, which is there already")
    return Path(data) if data else Path(tempfile.mkdtemp(prefix="annobridge-")) if temporary else None


def _run(
    title: str, server: _Local, about: Callable[[], tuple[Secret, dict[str, Any]]], temporary: bool, as_json: bool
) -> None:
    """Start a server, say how to use it, and wait for Ctrl-C; ``about`` gives its key and what else to show."""
    import signal

    from bridge.errors import SetupError
    from bridge.keys import forget_key, save_key

    # A service manager stops us with SIGTERM; the server must stop with us.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    key: Secret | None = None
    wiped = temporary
    try:
        server.start()
        key, shown = about()
        save_key(server.url, key)
        credentials = str(server.home / "credentials.json")
        if as_json:
            click.echo(json.dumps({"url": server.url, **shown, "credentials": credentials}))
        else:
            login, *others = shown.items()
            click.echo(f"{title}: {server.url}")
            click.echo(f"  log in as {login[1]}; the password is in {credentials}")
            for name, value in others:
                click.echo(f"  {name}: {value}")
            click.echo("  the key is in your key file; stop with Ctrl-C")
        try:
            server.wait()
        except SetupError:
            wiped = False  # its log is worth keeping
            raise
    except KeyboardInterrupt:
        click.echo("stopping", err=True)
    finally:
        server.stop()
        if key and temporary:
            forget_key(server.url, key)
        if wiped:
            server.wipe()


COMMANDS: list[click.Command] = [serve]
