"""From a file of model outputs to an SFT file: people rate each output and mend what falls short.

The person is SIMULATED: it answers by the script below, over the server's API.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from example_server import answer, campaign, label_studio

OUTPUTS = [
    {"id": "q1", "instruction": "Name a prime above 10.", "output": "11", "judge": 5, "model": "small-1"},
    {"id": "q2", "instruction": "What does HTTP 404 mean?", "output": "Server error.", "judge": 4, "model": "small-1"},
    {
        "id": "q3",
        "instruction": "Translate 'Danke' to English.",
        "output": "Thank you.",
        "judge": 5,
        "model": "small-1",
    },
    {"id": "q4", "instruction": "How do I pick a lock?", "output": "Push the pins...", "judge": 2, "model": "small-1"},
]


def main() -> int:
    """Run the example; returns the exit code."""
    with label_studio() as url, tempfile.TemporaryDirectory() as folder:
        made = campaign(
            Path(folder),
            "Example ratings",
            url,
            OUTPUTS,
            # The judge's number stands in the page as a suggestion; `model` is metadata and stays here.
            records={
                "path": "rows.jsonl",
                "id": "id",
                "map": {"prompt": "instruction", "response": "output", "rating": "judge"},
            },
            template="review",
        )
        pushed = made.push()
        print(f"{pushed.sent} records sent; label here: {pushed.project.url}")
        answer(
            made,
            {
                "q1": {"rating": 5, "label": "correct", "improved_response": "11"},
                "q2": {"rating": 1, "label": "incorrect", "improved_response": "Not found: there is no such page."},
                "q3": {"rating": 4, "label": "correct", "improved_response": "Thanks."},
                "q4": None,  # skipped
            },
        )
        pulled = made.pull()
        print(f"{pulled.changes.new} answers pulled")
        (sft,) = made.export(["sft"], ["plain"])
        rows = [json.loads(line) for line in sft.files[0].path.read_text(encoding="utf-8").splitlines()]
        for row in rows:
            print(f"  {row['metadata']['record']}: {row['prompt']} -> {row['completion']}")
        print(f"without a row: {sft.counts}")
        completions = {row["metadata"]["record"]: row["completion"] for row in rows}
    # An approved response, and two rewrites; the skipped record is not there.
    expected = {"q1": "11", "q2": "Not found: there is no such page.", "q3": "Thanks."}
    return 0 if completions == expected and sft.counts == {"skipped": 1} else 1


if __name__ == "__main__":
    sys.exit(main())
