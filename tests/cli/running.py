"""The command line, called from a test."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from click.testing import CliRunner

from bridge.cli import main


@dataclass
class Result:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one JSON object on standard output."""
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found

    @property
    def lines(self) -> list[str]:
        """The lines on standard output."""
        return self.out.splitlines()


def run(*arguments: str) -> Result:
    """Run a command; whatever goes wrong must be an error of ours."""
    done = CliRunner().invoke(main, list(arguments), prog_name="annobridge")
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exc_info
    assert "Traceback" not in done.stderr
    return Result(done.exit_code, done.stdout, done.stderr)
