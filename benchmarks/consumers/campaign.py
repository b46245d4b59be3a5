"""Three small campaigns and their exports, in every format there is, with what each row is meant to say.

``chats`` is a set of conversations without splits, as JSON Lines; ``pairs`` has one prompt and two answers a record,
splits, and Parquet too; ``turns`` has longer conversations, in half of which a tool answers, with splits, as JSON
Lines. Their texts are those that loaders take for something else: dates, numbers, "null", one letter.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bridge.annotations import Annotation
from bridge.exporting import FORMATS, KINDS, Kind, Row, Sieved, export_all
from bridge.exporting.formats.chat_template import load_chat_template
from bridge.exporting.gates import Gates, gates_config
from bridge.exporting.plan import Sieve
from bridge.merging import merge
from bridge.records import Record
from bridge.templates import load_template

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

TEXTS = [
    "2024-01-01",
    "007",
    "true",
    "null",
    "1e5",
    "a",
    'Say "hi" \\n to C:\\temp',
    "Zeile eins\n\n\tZeile zwei 😀",
    "{'role': 'user'}",
    "Human: no\nAssistant: yes",
    "Ωμέγα \u2028 und é",
    "[[dummy_message]] art",
    "A longer answer, of some words. " * 60 + "End",
    "5 < 6 & 7 > 3; {prompt} {instruction} %s",
]
"""Answers; a prompt is made of each."""


def chats() -> tuple[list[Record], list[Annotation]]:
    """Conversations: one turn or several, with a system message or without."""
    records, annotations = [], []
    for number, text in enumerate(TEXTS):
        system = [{"role": "system", "content": f"System {number}."}] if number % 2 else []
        earlier = [{"role": "user", "content": f"First {number}?"}, {"role": "assistant", "content": "2024-01-02"}]
        turns = [*system, *(earlier if number % 3 == 0 else []), {"role": "user", "content": f"{number}. {text}"}]
        key = f"chat-{number:02}"
        records.append(Record(key, {"messages": [*turns, {"role": "assistant", "content": text}]}))
        answers: dict[str, Any] = {"rating": 5, "label": "correct"}
        if number % 2:
            answers = {"rating": 2, "label": "incorrect", "improved_response": f"{text} (better)"}
        annotations.append(Annotation(key, "ann", answers=answers))
    return records, annotations


def pairs() -> tuple[list[Record], list[Annotation]]:
    """One prompt and two answers, of which one is better."""
    records, annotations = [], []
    for number, text in enumerate(TEXTS * 2):
        key = f"pair-{number:02}"
        fields = {"prompt": f"{number}. {text}", "response_a": text, "response_b": f"{number}"}
        records.append(Record(key, fields))
        annotations += [Annotation(key, who, answers={"preference": "AB"[number % 2]}) for who in ("ann", "bo")]
        annotations.append(Annotation(key, "cem", answers={"preference": "A"}))
    return records, annotations


def turns() -> tuple[list[Record], list[Annotation]]:
    """Conversations of several turns, with a tool's among them or without."""
    records, annotations = [], []
    for number, text in enumerate(TEXTS * 2):
        system = [{"role": "system", "content": "true"}] if number % 3 == 0 else []
        messages = [*system, {"role": "user", "content": f"{number}. {text}"}, {"role": "assistant", "content": "a"}]
        if number % 2:
            tools = [{"role": "tool", "content": f'{{"found": {number}}}'}] * (1 + (number % 8 == 5))
            messages += [*tools, {"role": "assistant", "content": f"It is {number}."}]
        messages += [{"role": "user", "content": "null"}, {"role": "assistant", "content": text}]
        key = f"turn-{number:02}"
        records.append(Record(key, {"messages": messages}))
        answers: dict[str, Any] = {"rating": 5, "label": "correct"}
        if number % 4 == 3:
            answers = {"rating": 2, "label": "incorrect", "improved_response": f"{text} (better)"}
        annotations.append(Annotation(key, "ann", answers=answers))
    return records, annotations


def split(made: Mapping[Kind, list[Row]]) -> dict[Kind, Sieved]:
    """By the number of the record, so that all kinds agree: two eighths are held back."""

    def side(row: Row) -> str:
        return {0: "valid", 1: "test"}.get(int(row.record[-2:]) % 8, "train")

    return {kind: Sieved([replace(row, split=side(row)) for row in rows]) for kind, rows in made.items()}


class Remembered:
    """The rows that an export makes, as they are before they have a format."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str, str, str], Row] = {}

    def __call__(self, rows: Sequence[Row]) -> Sieved:
        """All rows, as the last step of an export."""
        self.rows |= {(row.kind, row.record, row.source, row.content): row for row in rows}
        return Sieved(list(rows))

    def meant(self, folder: Path) -> dict[str, Any]:
        """The rows of a folder, as ``{kind: {format: {split: [row]}}}``: which they are, the manifests say."""
        found: dict[str, Any] = {}
        for kind in KINDS:
            placed = []
            for trace in json.loads((folder / f"{kind}.manifest.json").read_text())["rows"]:
                row = self.rows[kind, trace["record"], trace["source"], trace["content"]].to_dict()
                placed += [(shape, trace.get("split", ""), line, row) for shape, line in trace["lines"].items()]
            for shape, part, _, row in sorted(placed, key=lambda one: one[:3]):
                found.setdefault(kind, {}).setdefault(shape, {}).setdefault(part, []).append(row)
        return found


def write(folder: Path) -> list[Path]:
    """Export the campaigns below a folder; ``meant.json`` in each says what the rows are to say.

    It is ``{kind: {format: {split: [row]}}}``, of rows as they were before they had a format.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "chatml.jinja").write_text(CHATML)
    template = load_chat_template(folder / "chatml.jinja")
    formats = list(dict.fromkeys(shape for shapes in FORMATS.values() for shape in shapes))
    written = []
    for name, task, (records, given), more in (
        ("chats", "chat_review", chats(), {"files": ["jsonl"]}),
        ("pairs", "preference", pairs(), {"files": ["jsonl", "parquet"], "split": split}),
        ("turns", "chat_review", turns(), {"files": ["jsonl"], "split": split}),
    ):
        review = load_template(task)
        merged = merge(given, review, records).kept
        rows = Remembered()
        steps: list[Sieve] = [Gates(gates_config({"tool_turns": True}), records), rows]
        export_all(KINDS, records, merged, review, folder / name, formats, chat_template=template, sieves=steps, **more)
        (folder / name / "meant.json").write_text(json.dumps(rows.meant(folder / name), ensure_ascii=False))
        written.append(folder / name)
    return written
