"""What can be wrong with training files of any origin: every defect has a code, a meaning and a remedy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

DEFECTS: dict[str, tuple[str, str]] = {
    "not_json": ("the line is not JSON", "write one JSON object a line"),
    "not_an_object": ("the line is JSON, but not an object", "write one {...} a line"),
    "duplicate_key": ("an object names a key twice", "name it once: readers take one of the two, or fail"),
    "not_a_number": ("NaN or an infinity, which JSON does not have", "leave the column out, or write a number"),
    "big_integer": ("a whole number over 64 bits, which loaders turn into a float", "write identifiers as texts"),
    "surrogate": ("half of a surrogate pair, which no loader takes", "write the character whole"),
    "format": ("the columns are those of no training format", "docs/formats.md shows the formats"),
    "two_formats": ("columns of two formats in one row", "keep those of one; all else belongs under metadata"),
    "other_format": ("another format than most rows have", "one format a file"),
    "other_kind": ("a format for another kind of training", "put it into a file of its own"),
    "missing_key": ("a key that most rows have is missing", "give every row the same keys"),
    "extra_key": ("a key that most rows do not have", "give every row the same keys"),
    "mixed_types": (
        "a value of another type than most rows have",
        "one type in a column: mixed ones are read as JSON, so that '007' becomes 7",
    ),
    "null": ("a value is null", "leave the column out in all rows, or write an empty text where one is allowed"),
    "type": ("a value of a type that the format does not have", "docs/formats.md shows the formats"),
    "mixed_prompt": ("a text beside a list of messages", "write prompt and answers as texts, or both as messages"),
    "content_list": ("the content is a list of parts", "write the content as one text: templates print or drop parts"),
    "message_keys": ("a message without role or content", 'write {"role": ..., "content": ...}'),
    "role": ("a role that trainers do not know", "use system, user, assistant and tool; human and gpt in ShareGPT"),
    "role_order": ("turns in an order that trainers drop or refuse", "user and assistant take turns, the user first"),
    "system_first": ("a system message that is not the first", "put it first, or leave it out"),
    "empty": ("a blank text, or a list without messages", "leave the row out"),
    "unstripped": ("white space around a text", "strip it: 23 of 41 chat templates do, the others learn it"),
    "label": ("a label that is not true or false", "write true or false: any number but 0 is taken for true"),
    "margin": ("a margin that is not a number", "write a number in all rows, or leave the column out"),
    "score": ("a score that is not a number", "write a number"),
    "weight": ("a message's weight that is neither 0 nor 1", "write 0 or 1, or leave it out"),
    "reserved": ("a name that trainers take for data of their own", "put it under metadata, under another name"),
    "prompt_doubled": ("the answer repeats the prompt", "write the answer alone, or leave the prompt column out"),
    "prompts_differ": ("chosen and rejected begin with different prompts", "compare answers to one prompt"),
    "several_messages": ("an answer of several messages", "write the last message; what stands before is the prompt"),
}
"""Code to meaning and remedy, of what is wrong with a row. The gates of :mod:`bridge.exporting.gates` come after it."""

PROBLEMS: dict[str, tuple[Literal["error", "warning"], str, str]] = {
    "byte_order_mark": ("error", "the file begins with a byte order mark", "save it as UTF-8 without one"),
    "blank_line": ("error", "a blank line, at which MLX-LM stops", "take it out"),
    "line_ends": ("warning", "lines end with carriage returns", "end them with a line feed alone"),
    "date_like": (
        "warning",
        "all texts of a column look like dates, so that `datasets` makes times of them",
        "write Parquet, or another form of date",
    ),
    "mixed_numbers": (
        "warning",
        "whole numbers beside others in a column, at which `datasets` stops after 10 MB of the first",
        "write them all with a point: 4.0",
    ),
    "message_keys_differ": (
        "warning",
        "messages have different keys, or others beside role and content",
        "give all of them role and content alone: older `datasets` fills in nulls, Unsloth stops",
    ),
    "same_prompt_together": (
        "warning",
        "KTO rows of one prompt stand side by side, and neighbours are compared with each other",
        "shuffle the rows",
    ),
    "implicit_text": (
        "warning",
        "pairs of texts without a prompt: words that both answers begin with are taken for the prompt",
        "write the prompt into a column of its own",
    ),
    "short_answer": (
        "warning",
        "an answer that stands in the chat template too: Axolotl finds it there and learns the rest of the template",
        "leave such pairs out where Axolotl reads them",
    ),
    "few_rows": ("warning", "fewer rows than a trainer asks for", "MLX-LM needs 4 in a split, OpenAI 10 in a file"),
    "split_name": (
        "warning",
        "a file name that loaders take for another split, or leave out",
        "call splits train, valid and test",
    ),
    "formats_in_folder": (
        "warning",
        "files of several formats in one folder, which `datasets` cannot load as one set",
        "one folder for each, or a README with configs",
    ),
    "parquet_features": (
        "warning",
        "the Parquet file carries features that older `datasets` cannot read",
        "write it with pyarrow, without the metadata `huggingface`",
    ),
}
"""Code to level, meaning and remedy, of what is wrong with a file as a whole. An error makes the check fail."""


@dataclass(frozen=True, slots=True)
class Defect:
    """What is wrong with one row.

    Args:
        code: of :data:`DEFECTS`, or the name of a gate.
        text: what it is here, with its place.
        place: where it stands, such as ``messages[1].content``; empty for the row as a whole.

    >>> Defect("label", "label: 1 is not true or false", "label").remedy
    'write true or false: any number but 0 is taken for true'
    """

    code: str
    text: str
    place: str = ""

    @property
    def remedy(self) -> str:
        """What to do about it."""
        known = DEFECTS.get(self.code)
        return known[1] if known else "docs/gates.md says what this gate is for"

    def to_dict(self) -> dict[str, str]:
        """The defect as it stands in the file of rejected rows."""
        return {"code": self.code, "text": self.text, "remedy": self.remedy}


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a file as a whole.

    Args:
        code: of :data:`PROBLEMS`.
        text: what it is here.
        lines: the first lines that show it.
        file: which file, where there is one.
    """

    code: str
    text: str
    lines: tuple[int, ...] = ()
    file: str = ""

    @property
    def level(self) -> Literal["error", "warning"]:
        """Whether the check fails because of it."""
        return PROBLEMS[self.code][0]

    @property
    def remedy(self) -> str:
        """What to do about it."""
        return PROBLEMS[self.code][2]

    def to_dict(self) -> dict[str, Any]:
        """The problem as ``--json`` prints it."""
        where = {"file": self.file} if self.file else {}
        about = {"level": self.level, "code": self.code, "text": self.text, "remedy": self.remedy}
        return {**where, **about, "lines": list(self.lines)}
