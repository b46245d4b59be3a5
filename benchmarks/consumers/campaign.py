"""Two small campaigns and their exports, in every format there is, with what each row is meant to say.

``chats`` is a set of conversations without splits, as JSON Lines; ``pairs`` has one prompt and two answers a record,
splits, and Parquet too. Their texts are those that loaders take for something else: dates, numbers, "null", one letter.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bridge.annotations import Annotation
from bridge.exporting import FORMATS, KINDS, Kind, Row, Sieved, export_all
from bridge.exporting.formats.chat_template import load_chat_template
from bridge.exporting.plan import plan_all
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


def split(made: Mapping[Kind, list[Row]]) -> dict[Kind, Sieved]:
    """By the number of the record, so that all kinds agree: two eighths are held back."""

    def side(row: Row) -> str:
        return {0: "valid", 1: "test"}.get(int(row.record[-2:]) % 8, "train")

    return {kind: Sieved([replace(row, split=side(row)) for row in rows]) for kind, rows in made.items()}


def write(folder: Path) -> list[Path]:
    """Export both campaigns below a folder; ``meant.json`` in each says what the rows are to say.

    It is ``{kind: {format: {split: [row]}}}``, of rows as they were before they had a format.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "chatml.jinja").write_text(CHATML)
    template = load_chat_template(folder / "chatml.jinja")
    written = []
    for name, task, (records, given), more in (
        ("chats", "chat_review", chats(), {"files": ["jsonl"]}),
        ("pairs", "preference", pairs(), {"files": ["jsonl", "parquet"], "split": split}),
    ):
        review = load_template(task)
        merged = merge(given, review, records).kept
        formats = list(dict.fromkeys(shape for shapes in FORMATS.values() for shape in shapes))
        settings = {"chat_template": template, **({"split": split} if "split" in more else {})}
        export_all(KINDS, records, merged, review, folder / name, formats, chat_template=template, **more)
        meant: dict[str, Any] = {}
        for plan in plan_all(KINDS, records, merged, review, formats, **settings):
            for shape, indices in plan.fits.items():
                for row in (plan.rows[index] for index in indices):
                    parts = meant.setdefault(plan.kind, {}).setdefault(shape, {})
                    parts.setdefault(row.split, []).append(row.to_dict())
        (folder / name / "meant.json").write_text(json.dumps(meant, ensure_ascii=False))
        written.append(folder / name)
    return written
