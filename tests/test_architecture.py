"""What each part of the package imports is what docs/architecture.md permits."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "bridge"


@cache
def permitted() -> dict[str, tuple[set[str], set[str]]]:
    """Part to the parts of ours and the packages of others that it may import, from the table."""
    rows = {}
    for line in (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("| `") and len(cells) == 4:
            (part,), _, ours, others = (re.findall(r"`([^`]+)`", cell) for cell in cells)
            rows[part] = set(ours), set(others)
    return rows


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        yield name, ast.parse(path.read_text(encoding="utf-8"))


def imported(tree: ast.Module) -> Iterator[str]:
    """Full names of imported modules, wherever in the file they are imported."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module is not None
            # `from bridge.cli import campaign` imports a module of that name, where there is one.
            for alias in node.names:
                below = ROOT / Path(*node.module.split("."), alias.name)
                is_module = below.is_dir() or below.with_suffix(".py").exists()
                yield f"{node.module}.{alias.name}" if is_module else node.module


def part(module: str) -> str:
    return module.split(".")[1] if "." in module else "bridge"


@pytest.mark.parametrize(("name", "tree"), [pytest.param(n, t, id=n) for n, t in modules()])
def test_a_part_imports_only_what_the_table_permits(name: str, tree: ast.Module) -> None:
    assert part(name) in permitted(), "give it a row in docs/architecture.md"
    ours, others = permitted()[part(name)]
    for module in imported(tree):
        package = module.partition(".")[0]
        if package == "bridge":
            fits = part(module) in ours or any(f"{module}.".startswith(f"bridge.{entry}.") for entry in ours)
            assert part(module) == part(name) or fits, f"{name} imports {module}"
        elif package not in sys.stdlib_module_names:
            assert package in others, f"{name} imports {module}"


def test_the_table_names_nothing_that_does_not_exist() -> None:
    there = {part(name) for name, _ in modules()}
    assert set(permitted()) == there
    for ours, _ in permitted().values():
        assert {entry.partition(".")[0] for entry in ours} <= there


def test_the_table_permits_nothing_that_is_not_used() -> None:
    used: dict[str, set[str]] = {}
    packages: dict[str, set[str]] = {}
    for name, tree in modules():
        for module in imported(tree):
            if module.partition(".")[0] == "bridge":
                used.setdefault(part(name), set()).add(part(module))
            elif module.partition(".")[0] not in sys.stdlib_module_names:
                packages.setdefault(part(name), set()).add(module.partition(".")[0])
    for name, (ours, others) in permitted().items():
        assert {entry.partition(".")[0] for entry in ours} == used.get(name, set()) - {name}, name
        assert others == packages.get(name, set()), name


def test_parts_form_no_circle() -> None:
    graph = {
        name: {entry.partition(".")[0] for entry in ours} - {"bridge"}
        for name, (ours, _) in permitted().items()
        if name != "bridge"  # it loads its names when they are used
    }
    TopologicalSorter(graph).prepare()


@pytest.mark.parametrize(("statement", "allowed"), [("import bridge", set()), ("import bridge.cli", {"click"})])
def test_importing_loads_no_dependency(statement: str, allowed: set[str]) -> None:
    code = f"import json, sys; before = set(sys.modules); {statement}; print(json.dumps([*set(sys.modules) - before]))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout)}
    assert loaded - set(sys.stdlib_module_names) - {"bridge"} == allowed
