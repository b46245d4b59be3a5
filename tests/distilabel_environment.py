"""The environment that the example pipeline runs in: distilabel with all that it needs, beside ours and not in it."""

from __future__ import annotations

from pathlib import Path

from bridge.servers.local_environment import PYTHON, Making, Say, check_platform, make_once

PACKAGES = Path(__file__).resolve().parent.parent / "examples" / "distilabel-requirements.txt"


def install(say: Say) -> Path:
    """Return its Python, and make it first where it is not there.

    Raises:
        SetupError: it cannot be made; the error names the log.
    """
    check_platform("distilabel")
    return make_once(f"distilabel-1.5.3-{PYTHON}", PACKAGES, _make, proof="bin/distilabel", say=say) / "bin" / "python"


def _make(making: Making) -> None:
    making.say(f"installing distilabel into {making.folder} (once; half a minute, about 650 MB)")
    making.install_python_packages(PACKAGES)
