"""Whether rows are held in memory or lie on disk while they are worked out, the files of an export are the same."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from bridge.annotations import Annotation
from bridge.exporting import FORMATS, KINDS, SplitsConfig, export_all, shelf, splitter
from bridge.exporting.formats.chat_template import load_chat_template
from bridge.exporting.gates import Gates, gates_config
from bridge.exporting.plan import Sieve
from bridge.exporting.reasoning import strip_reasoning
from bridge.merging import merge
from bridge.records import Record
from bridge.templates import load_template

WHOLE = [*dict.fromkeys(name for formats in FORMATS.values() for name in formats)]
CHATML = "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}{% endfor %}"
TEXTS = [
    "7",
    "Sieben 😀",
    "a\u2028b",
    "<think>3 + 4</think>7",
    "long " * 90 + "end",
    "Write to ann@example.org.",
    " 7 ",
]

Varied = tuple[list[Record], list[Annotation]]


def preferences() -> Varied:
    """Pairs of which some say the same, contradict each other, are tied or not answered; every third has a twin."""
    records, given = [], []
    for n in range(45):
        same = n - 1 if n % 15 == 14 else n  # as the one before
        answers = TEXTS[same % len(TEXTS)], f"{same}"
        if n % 15 == 7:
            answers = f"{n - 1}", TEXTS[(n - 1) % len(TEXTS)]  # the other way round
        fields = {"prompt": f"What is {same // 3} and more?", "response_a": answers[0], "response_b": answers[1]}
        twin = {"root_id": f"p{n - 1:02}"} if n % 3 == 1 else {}
        marked = {"test_only": True} if n == 44 else {}
        records.append(Record(f"p{n:02}", fields, metadata={"model_a": "m1", "licence": "MIT", **twin, **marked}))
        labels = ("tie", "tie", "A") if n % 9 == 8 else ("A", "A", "B")
        given += [
            Annotation(f"p{n:02}", who, answers={"preference": label}) for who, label in zip("xyz", labels, strict=True)
        ]
    return records, given[3:]


def chats() -> Varied:
    """Chats that are rated and rewritten, some with tools, some several turns long."""
    records, given = [], []
    for n in range(30):
        turns = [{"role": "user", "content": f"Tell {n // 4} of them"}]
        if n % 4 == 0:
            turns += [{"role": "assistant", "content": "Which?"}, {"role": "user", "content": "All."}]
        if n % 7 == 0:
            turns.insert(0, {"role": "system", "content": "Be brief."})
        records.append(Record(f"c{n:02}", {"messages": [*turns, {"role": "assistant", "content": TEXTS[n % 7]}]}))
        answers = {"rating": 1 + n % 5, "label": "incorrect" if n % 2 else "correct"}
        if n % 2:
            answers["improved_response"] = f"{TEXTS[n % 7]} (better)"
        given.append(Annotation(f"c{n:02}", "x", answers=answers, revision=1 + n % 3))
    return records, given


def ratings() -> Varied:
    """Answers to the same prompts in several records, which are compared with each other."""
    records = [
        Record(f"q{n:02}", {"prompt": f"Count to {n % 6}", "response": f"{TEXTS[n % 7]} {n}"}) for n in range(36)
    ]
    return records, [Annotation(one.key, "x", answers={"rating": 1 + n % 5}) for n, one in enumerate(records)]


def written(folder: Path, name: str, varied: Varied) -> tuple[dict[str, str], list[Sequence[Any]]]:
    """The hash of every file of an export of all kinds in all formats, and what it hands back."""
    records, given = varied
    template = load_template(name)
    folder.mkdir()
    (folder / "chat.jinja").write_text(CHATML)
    merged = merge(given, template, records)
    config = gates_config({"near_duplicates": 0.9, "pii": "report", "contradictions": "strict", "near_equal": 95})
    gates = Gates(config)
    steps: list[Sieve] = [strip_reasoning, gates]
    results = export_all(
        [kind for kind in KINDS if getattr(template.training, kind)],
        gates.watching(records),
        merged.kept,
        template,
        folder / "out",
        WHOLE,
        given,
        files=["jsonl", "parquet"],
        merge_rule=merged.rule,
        sieves=steps,
        split=splitter(folder / "splits.jsonl", SplitsConfig(valid=0.2, test=0.3, near=0.6)),
        chat_template=load_chat_template(folder / "chat.jinja"),
    )
    found = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    return found, [part for result in results for part in (result.dropped, result.rejected)]


@pytest.mark.parametrize(("name", "varied"), [("preference", preferences), ("chat_review", chats), ("rating", ratings)])
def test_all_files_are_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, varied: Callable[[], Varied]
) -> None:
    files, told = written(tmp_path / "held", name, varied())
    monkeypatch.setattr(shelf, "HELD", 5_000)  # some rows
    monkeypatch.setattr(shelf, "_SMALL", 3_000)
    monkeypatch.setattr(shelf, "_AHEAD", 3)
    again, told_again = written(tmp_path / "spilled", name, varied())
    assert again == files
    assert told_again == told
    assert len(files) > 20
