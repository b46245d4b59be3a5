"""Gates on the command line: their flags, and what is printed of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

_SWITCHES = {"on": True, "true": True, "yes": True, "off": False, "false": False, "no": False}
_LISTS = ("licence", "contamination")
_PATHS = ("contamination", "tokenizer")


def gate_options(function: F) -> F:
    """Give a command ``--gate`` and ``--no-gate``."""
    function = click.option(
        "--no-gate", "no_gates", multiple=True, metavar="NAME", help="Switch a gate off, several times."
    )(function)
    return click.option(
        "--gate",
        "gates",
        multiple=True,
        metavar="NAME[=VALUE]",
        help="Switch a gate on, or give it a threshold, such as near_equal=95; several times.",
    )(function)


def gate_flags(gates: Sequence[str], no_gates: Sequence[str]) -> dict[str, Any]:
    """The flags as ``exports.gates`` of ``campaign.yaml`` has them.

    Raises:
        UsageError: there is no such gate, or it cannot have that value.

    >>> gate_flags(["near_equal=90", "licence=MIT", "licence=CC0-1.0", "too_long"], ["duplicates"])
    {'near_equal': 90, 'licence': ['MIT', 'CC0-1.0'], 'too_long': True, 'duplicates': False}
    """
    found: dict[str, Any] = {}
    for flag in gates:
        name, _, text = flag.partition("=")
        value = _value(name, text)
        found[name] = [*found.get(name, ()), value] if name in _LISTS and isinstance(value, str) else value
    found |= dict.fromkeys(no_gates, False)
    if found:
        from bridge.exporting.gates import gates_config

        gates_config(found)
    return found


def _value(name: str, text: str) -> Any:
    if not text or text.lower() in _SWITCHES:
        return _SWITCHES.get(text.lower(), True)
    if name in _PATHS:
        return str(Path(text).absolute())
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text


def gate_lines(told: Mapping[str, Any]) -> Iterator[str]:
    """What each gate stopped; nothing of those that stopped nothing."""
    from bridge.exporting.gates import GATES

    for name, did in told.items():
        if did["rejected"]:
            yield f"{did['rejected']:>7,} stopped by the gate {name}: {GATES[name].stops}"
        if did.get("found"):
            yield f"{did['found']:>7,} found by the gate {name}, which only reports: {GATES[name].stops}"
