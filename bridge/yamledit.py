"""Changes to a YAML file that leave its comments and its order as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import yaml

Scalar: TypeAlias = "str | int | bool"


def with_values(text: str, values: Mapping[str, Scalar | Mapping[str, Scalar]]) -> str:
    """The text of a YAML mapping in which these keys have these values, and everything else is as it was.

    A comment inside a value that is replaced goes with it. Keys that are not there are added at the end.

    Args:
        text: a mapping that can be read.
        values: key to a scalar, or to a mapping of scalars.

    >>> with_values("# who\\nproject: Sums  # mine\\n", {"project": "Other"})
    '# who\\nproject: "Other"  # mine\\n'
    """
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode)
    there = {key.value: value for key, value in root.value}
    for node, value in sorted(
        ((there[key], value) for key, value in values.items() if key in there),
        key=lambda pair: -pair[0].start_mark.index,
    ):
        text = text[: node.start_mark.index] + _written(node, value) + text[_end(node, text) :]
    more = "".join(f"{key}: {_flow(value)}\n" for key, value in values.items() if key not in there)
    return text if not more else f"{text.rstrip()}\n{more}"


def _end(node: yaml.Node, text: str) -> int:
    """Where a value ends: that of a block ends with its last value, and not where the next key begins."""
    while isinstance(node, yaml.MappingNode) and not node.flow_style and node.value:
        node = node.value[-1][1]
    return len(text[: node.end_mark.index].rstrip())


def _written(node: yaml.Node, value: Scalar | Mapping[str, Scalar]) -> str:
    if isinstance(value, Mapping) and isinstance(node, yaml.MappingNode) and not node.flow_style:
        indent = "\n" + " " * node.start_mark.column
        return indent.join(f"{key}: {_flow(item)}" for key, item in value.items())
    return _flow(value)


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    quoted = '"' if isinstance(value, str) else None
    written = yaml.safe_dump(value, default_style=quoted, allow_unicode=True, width=float("inf"))
    return str(written).removesuffix("...\n").strip()
