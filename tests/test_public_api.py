"""The public names: complete, documented, and quick to load."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import bridge
from bridge.cli import main

ROOT = Path(__file__).resolve().parent.parent
HEAVY = {"pydantic", "pydantic_core", "httpx2", "rich", "yaml", "pyarrow", "platformdirs"}


def commands(
    command: click.Command = main, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            yield from commands(below, (*path, name))


COMMANDS = list(commands())


class TestNames:
    def test_all_is_sorted_and_complete(self) -> None:
        tree = ast.parse(Path(bridge.__file__).read_text(encoding="utf-8"))
        typed = {alias.asname for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
        assert bridge.__all__ == sorted(bridge.__all__)
        assert set(bridge.__all__) == typed - {None}, "what a type checker sees is what there is at run time"

    @pytest.mark.parametrize("name", bridge.__all__)
    def test_each_is_there_and_documented(self, name: str) -> None:
        thing = getattr(bridge, name)
        # One called like a module would be hidden by it as soon as that module is imported.
        assert callable(thing)
        assert thing.__doc__
        assert thing.__doc__.strip()

    def test_a_wrong_name_is_an_attribute_error(self) -> None:
        with pytest.raises(AttributeError, match="nothing_like_it"):
            bridge.nothing_like_it  # noqa: B018

    def test_names_stay_callable_after_every_module_is_imported(self) -> None:
        code = (
            "import bridge, importlib, pkgutil\n"
            "for module in pkgutil.walk_packages(bridge.__path__, 'bridge.'):\n"
            # The step for distilabel's pipelines can be imported only where distilabel is.
            "    if not module.name.endswith(('__main__', 'distilabel_step')): importlib.import_module(module.name)\n"
            "assert all(callable(getattr(bridge, name)) for name in bridge.__all__)\n"
        )
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


class TestDocstrings:
    @pytest.mark.parametrize(
        "path", [pytest.param(p, id=str(p.relative_to(ROOT))) for p in sorted((ROOT / "bridge").rglob("*.py"))]
    )
    def test_everything_public_has_one(self, path: Path) -> None:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert ast.get_docstring(tree), f"{path}: the module"
        missing = [name for name, node in public(tree) if not ast.get_docstring(node)]
        assert missing == []


def public(
    node: ast.AST, prefix: str = ""
) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]]:
    """Public functions, classes and their methods; not the methods that a documented class overrides or implements."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef) and not child.name.startswith("_"):
            yield prefix + child.name, child
            yield from public(child, f"{prefix}{child.name}.")
        elif (
            isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
            and not child.name.startswith("_")
            and not is_implementation(node, child)
        ):
            yield prefix + child.name, child


KIND_METHODS = {"control", "controls", "regions", "settings", "to_value", "value"}
"""How a server shows a question kind; the protocol `Kind` of each server says what they do."""


def is_implementation(owner: ast.AST, method: ast.AST) -> bool:
    """Methods of a class whose protocol or base class, in the same file or in click, says what they do."""
    if not isinstance(owner, ast.ClassDef) or not isinstance(method, ast.FunctionDef):
        return False
    bases = {ast.unparse(base) for base in owner.bases}
    return "click.Group" in bases or method.name in KIND_METHODS


class TestCommandLine:
    @pytest.mark.parametrize(
        ("path", "command"), [pytest.param(p, c, id=" ".join(p) or "annobridge") for p, c in COMMANDS]
    )
    def test_each_command_has_help_and_an_example(self, path: tuple[str, ...], command: click.Command) -> None:
        name = " ".join(("annobridge", *path))
        shown = command.get_help(click.Context(command, info_name=name, **main.context_settings))
        assert command.help
        lines = [line.strip() for line in shown.splitlines()]
        examples = [line for line in lines if line.startswith("annobridge ")]
        assert any(example.startswith(name) for example in examples), shown

    @pytest.mark.parametrize(
        "arguments", [["--help"], ["--version"], ["push", "--help"], ["serve", "label-studio", "-h"]]
    )
    def test_help_loads_nothing_heavy(self, arguments: list[str]) -> None:
        code = f"""if True:
            import json, sys
            from bridge.cli import main
            try:
                main({arguments!r}, prog_name="annobridge")
            except SystemExit as done:
                assert not done.code, done.code
            print(json.dumps(sorted(sys.modules)))
        """
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env={**os.environ}, capture_output=True, text=True, check=True
        )
        loaded = {name.partition(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}
        assert loaded & HEAVY == set()
