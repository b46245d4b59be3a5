"""Compiles the optional kernel of near-duplicate search while the package is built or installed.

Without a compiler, or where it fails, the package has no kernel, and numpy does the same work.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCE = Path(__file__).resolve().parent / "bridge" / "curate" / "_kernel.c"


def compile_kernel(target: Path, *, compiler: str = os.environ.get("CC", "cc")) -> str:
    """Compile the kernel to ``target``; the answer is empty, or says why there is none."""
    command = shlex.split(compiler)
    if not command or shutil.which(command[0]) is None:
        return f"there is no compiler {compiler!r}"
    new = target.with_suffix(".new")
    done = subprocess.run(
        [*command, "-std=c99", "-O3", "-shared", "-fPIC", "-o", str(new), str(SOURCE), "-lm"],
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        new.unlink(missing_ok=True)
        return done.stderr.strip() or f"{compiler} failed"
    new.replace(target)
    return ""


class CustomBuildHook(BuildHookInterface):
    """Puts the kernel into the wheel, which then is one for this platform; an editable install has it in place."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel":
            return
        editable = version == "editable"
        self.folder = tempfile.TemporaryDirectory()
        target = SOURCE.with_name("_kernel.bin") if editable else Path(self.folder.name, "_kernel.bin")
        wrong = compile_kernel(target)
        if wrong:
            print(f"annobridge is built without its compiled kernel: {wrong}", file=sys.stderr)
        elif not editable:
            build_data["force_include"][str(target)] = "bridge/curate/_kernel.bin"
            build_data["pure_python"] = False
            platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
            build_data["tag"] = f"py3-none-{platform}"
