"""``annobridge serve``: a real server on this machine, for trying things out and for small teams of one."""

from __future__ import annotations

import json
from pathlib import Path

import click

from bridge.cli.output import json_option


@click.group()
def serve() -> None:
    """Install and run an annotation server on this machine.

    \b
    Example:
      annobridge serve label-studio
    """


@serve.command("label-studio")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option("--data", type=click.Path(file_okay=False), help="Its data folder; by default in your user data folder.")
@click.option("--temporary", is_flag=True, help="Delete its data when it stops.")
@json_option
def label_studio(port: int, data: str | None, temporary: bool, as_json: bool) -> None:
    """Run Label Studio, on loopback only, with generated credentials, until Ctrl-C.

    The first start installs it into an environment of its own; later starts are quick. Its data is kept. The access
    token goes into your key file, so that `annobridge push` finds it without an environment variable.

    \b
    Example:
      annobridge serve label-studio --port 8080
    """
    import signal
    import tempfile

    from bridge.errors import SetupError
    from bridge.keys import forget_key, save_key
    from bridge.servers.local_label_studio import LocalLabelStudio

    if data and temporary and Path(data).exists():
        raise click.UsageError(f"--temporary would delete {data}, which is there already")
    home = Path(data) if data else Path(tempfile.mkdtemp(prefix="annobridge-")) if temporary else None
    server = LocalLabelStudio(home, port=port, say=lambda text: click.echo(text, err=True))
    # A service manager stops us with SIGTERM; the server must stop with us.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    served, wiped = False, temporary
    try:
        server.start()
        save_key(server.url, server.token)
        served = True
        if as_json:
            credentials = str(server.home / "credentials.json")
            click.echo(json.dumps({"url": server.url, "email": server.email, "credentials": credentials}))
        else:
            click.echo(f"Label Studio: {server.url}")
            click.echo(f"  log in as {server.email}; the password is in {server.home / 'credentials.json'}")
            click.echo("  the access token is in your key file; stop with Ctrl-C")
        code = server.wait()
        wiped = False  # its log is worth keeping
        raise SetupError(f"Label Studio ended by itself (exit code {code})", remedy=f"see {server.log}")
    except KeyboardInterrupt:
        click.echo("stopping", err=True)
    finally:
        server.stop()
        if served and temporary:
            forget_key(server.url, server.token)
        if wiped:
            server.wipe()


COMMANDS: list[click.Command] = [serve]
