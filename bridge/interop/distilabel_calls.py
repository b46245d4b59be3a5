"""What rows of distilabel keep of the calls that made them, and whether these calls were about them.

Tasks leave the messages that they sent as ``raw_input_STEP``, and the answer as ``raw_output_STEP``, in the column
``distilabel_metadata``: a dictionary, or a list of them where generations are grouped.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

from bridge.records import canonical_json

METADATA = "distilabel_metadata"
MADE = ("generation", "generations")
"""Columns that hold what models wrote, whatever the template."""
LONG = 12
"""Texts shorter than this are found in others by accident."""

_JUDGED = re.compile(r"\btext\s+(\d+)", re.IGNORECASE)
_RATED = re.compile(r"Rating: (.+?)\nRationale: (.+)", re.DOTALL)


@dataclass(frozen=True)
class Shape:
    """Which columns hold what was asked, and which what models made of it.

    Args:
        given: columns with what was asked.
        made: columns with what models wrote.
    """

    given: Sequence[str] = ("instruction",)
    made: Sequence[str] = MADE


class Call(NamedTuple):
    """A call of a model, as a step keeps it beside its answer."""

    step: str
    asked: str
    said: tuple[str, ...]


def is_empty(value: object) -> bool:
    """Whether there is nothing: None, or a list of nothing but None.

    >>> is_empty(None), is_empty([None, None]), is_empty([None, "a"]), is_empty("")
    (True, True, False, False)
    """
    return value is None or (isinstance(value, list) and all(item is None for item in value))


def texts_in(value: object, depth: int = 4) -> Iterator[str]:
    """All texts in a value, such as the turns of a chat.

    >>> list(texts_in([{"role": "user", "content": "2 + 2?"}]))
    ['user', '2 + 2?']
    """
    if isinstance(value, str):
        yield value
    elif depth and isinstance(value, Mapping | list | tuple):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from texts_in(item, depth - 1)


def given_texts(row: Mapping[str, Any], shape: Shape) -> list[str]:
    """What was asked, as far as the row says it."""
    return [text for column in shape.given for text in texts_in(row.get(column)) if len(text) > 1]


def generations_of(row: Mapping[str, Any]) -> list[str]:
    """What models wrote, without what is None."""
    several = row.get("generations")
    listed = several if isinstance(several, list) else row.get("generation")
    return [text for text in (listed if isinstance(listed, list) else [listed]) if isinstance(text, str)]


def plain(text: str) -> str:
    """A text without regard to white space, which templates change."""
    return " ".join(text.split())


def calls_of(row: Mapping[str, Any]) -> list[Call]:
    """The calls that a row's metadata keep: one dictionary, or a list of them where generations are grouped.

    >>> meta = {"raw_input_sum": [{"role": "user", "content": "2 + 2?"}], "raw_output_sum": "4"}
    >>> calls_of({"distilabel_metadata": meta})
    [Call(step='sum', asked='2 + 2?', said=('4',))]
    """
    metadata = row.get(METADATA)
    found = []
    for part in metadata if isinstance(metadata, list) else [metadata]:
        if not isinstance(part, Mapping):
            continue
        for name, value in part.items():
            step = str(name).removeprefix("raw_input_")
            asked = plain(" ".join(_contents(value))) if step != name else ""
            if asked:
                found.append(Call(step, asked, tuple(texts_in(part.get(f"raw_output_{step}")))))
    return found


def prompt_hash(messages: object) -> str:
    """A hash of messages; the same as that of the same messages where annobridge itself sends them.

    >>> prompt_hash([{"role": "user", "content": "2 + 2?"}])
    '02c6f13c57cfde4de2f40f8be74cef8c'
    """
    return hashlib.sha256(canonical_json(messages)).hexdigest()[:32]


def about_calls(row: Mapping[str, Any]) -> dict[str, Any]:
    """What a record keeps of them: which step sent which prompt, as a hash, and what each call cost.

    >>> meta = {"raw_input_sum": [{"role": "user", "content": "2 + 2?"}], "statistics_sum": {"output_tokens": 1}}
    >>> about_calls({"distilabel_metadata": meta})
    {'prompt_hash': {'sum': '...'}, 'statistics': {'sum': {'output_tokens': 1}}}
    """
    kept: dict[str, dict[str, Any]] = {"prompt_hash": {}, "statistics": {}}
    metadata = row.get(METADATA)
    for part in metadata if isinstance(metadata, list) else [metadata]:
        for name, value in part.items() if isinstance(part, Mapping) else ():
            name = str(name)
            if value is not None and name.startswith("raw_input_"):
                with suppress(ValueError):  # no messages, but a number that JSON does not have
                    kept["prompt_hash"][name.removeprefix("raw_input_")] = prompt_hash(value)
            elif value is not None and name.startswith("statistics_"):
                kept["statistics"][name.removeprefix("statistics_")] = value
    return {name: steps for name, steps in kept.items() if steps}


def _contents(value: object) -> Iterator[str]:
    """The contents of messages, and not their roles."""
    if isinstance(value, Mapping):
        yield from texts_in(value.get("content"))
    elif isinstance(value, list):
        for item in value:
            yield from _contents(item)
    elif isinstance(value, str):
        yield value


# -- whether calls are this row's


def fits_prompt(row: Mapping[str, Any], call: Call, shape: Shape) -> bool | None:
    """Whether a call was about this row; None where that cannot be told.

    >>> call = Call("sum", "Add: 2 + 2?", ("4",))
    >>> fits_prompt({"instruction": "2 + 2?"}, call, Shape()), fits_prompt({"instruction": "3 + 3?"}, call, Shape())
    (True, False)
    """
    instruction = row.get("instruction")
    if isinstance(instruction, str) and plain(instruction) and plain(instruction) in call.asked:
        return True
    others = {name: value for name, value in row.items() if name not in (METADATA, "instruction", *_ABOUT)}
    texts = [plain(text) for value in others.values() for text in texts_in(value)]
    if any(len(text) >= LONG and text in call.asked for text in texts):
        return True
    if any(plain(text) in call.asked for text in given_texts(row, shape)):
        return True
    own = [*texts, plain(instruction)] if isinstance(instruction, str) else texts
    if not given_texts(row, shape) and not any(len(text) >= LONG for text in texts):
        return None
    # A step may have made the very instruction; what it was asked is then in no column.
    made = isinstance(instruction, str) and any(plain(instruction) in plain(text) for text in call.said)
    return None if made or not own else False


_ABOUT = ("model_name", "model_names", "generation_models", "rationales", "rationales-for-ratings", "ratings", "types")


def misjudged(row: Mapping[str, Any], call: Call) -> str:
    """Why a judge's ratings are not those of this row's generations, or an empty text."""
    generations = [plain(text) for text in generations_of(row)]
    ratings = row.get("ratings")
    if not isinstance(ratings, list) or not generations:
        return ""
    there = [text in call.asked for text in generations]
    long = [len(text) >= LONG for text in generations]
    if any(one and is_long for one, is_long in zip(there, long, strict=True)) and len(generations) > 1:
        if not all(there):
            number = there.index(False) + 1
            return f"ratings: the judge was not shown generation {number} (raw_input_{call.step})"
        if all(long) and not _in_order(generations, call.asked):
            return f"ratings: the judge was shown the generations in another order (raw_input_{call.step})"
    for said in call.said:
        for index, section in enumerate(said.split("\n\n")):
            about = _JUDGED.search(section.partition("Rating:")[0])
            rated = index < len(ratings) and ratings[index] is not None and _RATED.search(section)
            if rated and about and int(about[1]) != index + 1:
                return f"ratings: number {index + 1} is what the judge said of text {about[1]} (raw_output_{call.step})"
    return ""


def _in_order(texts: Sequence[str], whole: str) -> bool:
    """Whether texts stand in a whole one after the other; a prompt may quote one of them earlier too."""
    at = 0
    for text in texts:
        at = whole.find(text, at)
        if at < 0:
            return False
        at += len(text)
    return True
