"""Merge and export without any server: answers that were collected elsewhere, by two people.

What two people prefer becomes pairs for DPO and the preferred responses for SFT; where they contradict each other,
nothing does, and the file of dropped records says why.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import bridge

PROMPTS = {"p1": "Explain recursion in one sentence.", "p2": "Name a noble gas.", "p3": "What is 7 * 8?"}
RESPONSES = {
    "p1": ("A function that calls itself on a smaller part of the problem.", "See recursion."),
    "p2": ("Nitrogen.", "Argon."),
    "p3": ("56", "7 * 8 is 56."),
}
CHOICES = [
    ("p1", "ann", "A"),
    ("p1", "bo", "A"),
    ("p2", "ann", "B"),
    ("p2", "bo", "B"),
    ("p3", "ann", "A"),
    ("p3", "bo", "B"),  # they contradict each other
]


def main() -> int:
    """Run the example; returns the exit code."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(
            folder / "rows.jsonl",
            [
                {"id": key, "prompt": prompt, "response_a": RESPONSES[key][0], "response_b": RESPONSES[key][1]}
                for key, prompt in PROMPTS.items()
            ],
        )
        write(
            folder / "annotations.jsonl",
            [{"record": key, "annotator": who, "answers": {"preference": choice}} for key, who, choice in CHOICES],
        )
        template = bridge.load_template("preference")
        records = list(bridge.read_records(folder / "rows.jsonl", template, id_column="id"))
        annotations = [bridge.Annotation.from_dict(line) for line in read(folder / "annotations.jsonl")]

        result = bridge.merge(annotations, template, records, quorum=2)
        for case in result.unresolved:
            print(f"unresolved: {case.record}: {case.reason}")
        counts = {}
        for kind in ("sft", "dpo"):
            exported = bridge.export(
                kind,
                records,
                result.kept,
                template,
                folder / "train",
                annotations=annotations,
                merge_rule=result.rule,
            )
            counts[kind] = exported.kept
            for file in exported.files:
                print(f"{file.rows} rows in {file.path.name}")
            print(f"  without a row: {exported.counts}")
        pair = read(folder / "train" / "dpo.plain.jsonl")[0]
        print(f"for example: {pair['chosen']!r} rather than {pair['rejected']!r}")
    return 0 if counts == {"sft": 2, "dpo": 2} and [case.record for case in result.unresolved] == ["p3"] else 1


def write(path: Path, rows: list[dict[str, object]]) -> None:
    """Write JSON Lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def read(path: Path) -> list[dict[str, str]]:
    """Read JSON Lines."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


if __name__ == "__main__":
    sys.exit(main())
