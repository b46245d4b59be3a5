"""What is wrong with lines beside each other: formats, keys and types that differ, and what loaders make of columns."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from bridge.exporting.defects import Defect, Problem
from bridge.exporting.line_checks import walk
from bridge.exporting.shapes import Shape, turns

Numbered = tuple[int, Mapping[str, Any]]
_INDEX = re.compile(r"\[\d+\]")
_DATE = re.compile(
    r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
    r"(?:[ T](?:[01]\d|2[0-3])(?::[0-5]\d){0,2}(?:Z|[+-]\d{2}(?::?\d{2})?)?)?"
)
"""What pyarrow's reader of JSON, which `datasets` uses, takes for a time where all values of a column are such."""

_TYPES = {str: "a text", bool: "true or false", int: "a whole number", float: "a number", list: "a list"}
_DUMMIES = (
    "<|im_start|>user\n[[dummy_message]]<|im_end|>\n<|im_start|>assistant\n",
    "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n[[dummy_message]]<|eot_id|>",
)
"""Axolotl's dummy dialogue in two chat templates (``dpo/chat_template.py``)."""

_FIRST = 5


def shape_of_most(shapes: Iterable[Shape | None]) -> str:
    """The name of the format that most lines have; of equally many, the first.

    >>> shape_of_most([None]), shape_of_most([])
    ('', '')
    """
    counts = Counter(shape.name for shape in shapes if shape is not None)
    return counts.most_common(1)[0][0] if counts else ""


class Columns:
    """Keys and types of all lines of a file, to be asked once all were added."""

    def __init__(self) -> None:
        self._keys: Counter[frozenset[str]] = Counter()
        self._all_keys: dict[frozenset[str], frozenset[str]] = {}
        self._of: list[frozenset[str]] = []
        self._types: dict[str, Counter[str]] = {}
        self._dates: dict[str, bool] = {}
        self._message_keys: dict[frozenset[str], int] = {}

    def add(self, number: int, line: Mapping[str, Any]) -> None:
        """Count one line."""
        keys = set()
        for place, value in walk(line):
            column = _INDEX.sub("[]", place) if "[" in place else place
            if column is place and place:
                keys.add(place)
            if value is None or not column:
                continue
            self._types.setdefault(column, Counter())[_type(value)] += 1
            if isinstance(value, str):
                self._dates[column] = self._dates.get(column, True) and _DATE.fullmatch(value) is not None
            if isinstance(value, Mapping) and column.endswith("[]") and value.keys() & {"role", "from"}:
                self._message_keys.setdefault(frozenset(map(str, value)), number)
        # Lines have the same keys, so that one set stands for all of them.
        same = self._all_keys.setdefault(frozenset(keys), frozenset(keys))
        self._keys[same] += 1
        self._of.append(same)

    def defects(self, index: int, line: Mapping[str, Any]) -> Iterator[Defect]:
        """Where a line differs from most others; ``index`` is its place among those that were added."""
        usual, here = self._keys.most_common(1)[0][0], self._of[index]
        if here is usual and all(len(kinds) == 1 for kinds in self._types.values()):
            return
        for name in sorted(usual - here):
            if not any(name.startswith(f"{above}.") for above in usual - here):
                yield Defect("missing_key", f"{name}: missing", name)
        for name in sorted(here - usual):
            if not any(name.startswith(f"{above}.") for above in here - usual):
                yield Defect("extra_key", f"{name}: most rows have no such key", name)
        told = set()
        for place, value in walk(line):
            column = _INDEX.sub("[]", place)
            if value is None or not column or column in told:
                continue
            most = self._types[column].most_common(1)[0][0]
            if _type(value) != most and {_type(value), most} != {"a whole number", "a number"}:
                told.add(column)
                yield Defect("mixed_types", f"{place}: {_type(value)}, where most rows have {most}", place)

    def problems(self) -> Iterator[Problem]:
        """What loaders would make of the columns."""
        dates = sorted(column for column, all_dates in self._dates.items() if all_dates)
        if dates:
            yield Problem("date_like", f"{', '.join(dates[:_FIRST])}: every text looks like a date")
        mixed = sorted(c for c, kinds in self._types.items() if {"a whole number", "a number"} <= kinds.keys())
        if mixed:
            yield Problem("mixed_numbers", f"{', '.join(mixed[:_FIRST])}: whole numbers and others")
        usual = ({"role", "content"}, {"from", "value"})
        others = {keys: line for keys, line in self._message_keys.items() if set(keys) not in usual}
        if others or len(self._message_keys) > 1:
            keys = next(iter(others), next(iter(self._message_keys)))
            lines = tuple(sorted(others.values() or self._message_keys.values()))[:_FIRST]
            yield Problem("message_keys_differ", f"messages with the keys {', '.join(sorted(keys))}", lines)


def _type(value: Any) -> str:
    return _TYPES.get(type(value), "an object")


def neighbours(lines: Sequence[Numbered], shapes: Sequence[Shape]) -> Iterator[Problem]:
    """Whether KTO rows of one prompt stand together more often than after a shuffle.

    Trainers compare the rows of a batch with each other (TRL's ``kto_trainer.py``), so they must be mixed.
    """
    if not any(shape.label for shape in shapes):
        return
    # Their hashes: the texts of a large set are not held.
    prompts = [hash(_prompt(line, shape)) for (_, line), shape in zip(lines, shapes, strict=True) if shape.label]
    if len(prompts) < 3:
        return
    counts = Counter(prompts)
    together = [n for n, (one, other) in enumerate(pairwise(prompts)) if one == other]
    runs = 1 + sum(one != other for one, other in pairwise(prompts))
    expected = sum(count * (count - 1) for count in counts.values()) / len(prompts)
    sorted_by_prompt = runs == len(counts) and 1 < len(counts) < len(prompts)
    if sorted_by_prompt or len(together) > expected + 3 * expected**0.5 + 1:
        where = tuple(lines[n][0] for n in together[:_FIRST])
        yield Problem("same_prompt_together", f"{len(together):,} rows follow one of the same prompt", where)


def _prompt(line: Mapping[str, Any], shape: Shape) -> str:
    if shape.whole or not shape.prompt:
        value = line.get(shape.whole or shape.answers[0])
        return str(turns(value)[:-1]) if isinstance(value, list) else ""
    return str(line.get(shape.prompt))


def pair_problems(lines: Sequence[Numbered], shapes: Sequence[Shape]) -> Iterator[Problem]:
    """What single trainers make of pairs that all others take as they are."""
    implicit: list[int] = []
    short: list[int] = []
    if not any(shape.is_pair for shape in shapes):
        return
    for (number, line), shape in zip(lines, shapes, strict=True):
        if not shape.is_pair:
            continue
        if not shape.prompt and isinstance(line["chosen"], str):
            implicit.append(number)
        for name in shape.answers:
            value = line[name]
            text = (
                value if isinstance(value, str) else turns([value] if isinstance(value, dict) else value)[-1]["content"]
            )
            if any(text in dummy for dummy in _DUMMIES):
                short.append(number)
                break
    if implicit:
        yield Problem("implicit_text", f"{len(implicit):,} pairs of texts without a prompt", tuple(implicit[:_FIRST]))
    if short:
        text = f"{len(short):,} pairs with an answer such as 'a' or 'user'"
        yield Problem("short_answer", text, tuple(short[:_FIRST]))


def few_rows(count: int, shapes: Iterable[Shape]) -> Iterator[Problem]:
    """Whether there are fewer rows than some trainer asks for."""
    hosted = any(shape.name == "openai preference" for shape in shapes)
    if 0 < count < (10 if hosted else 4):
        yield Problem("few_rows", f"{count} rows")
