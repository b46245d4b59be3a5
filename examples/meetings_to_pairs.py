"""From recordings of meetings to a training set: transcripts, tasks by a model, a judge, routing, people, DPO.

Every step is a command, printed before it runs. With MODEL_URL and MODEL set, that endpoint writes and judges (its key
is in ANNOBRIDGE_MODEL_KEY). Otherwise annobridge's test server does: its texts are noise, its records say so, and only
`--no-gate test_only` takes them into an export. The person is SIMULATED and prefers the longer of two texts.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from example_server import answer, campaign, label_studio

from bridge.testing.models import ModelServer

STANDUP = """WEBVTT

00:00:01.000 --> 00:00:04.000
<v Ann Lee>Um, so the release moves to Friday, the tests need one more day.

00:00:04.500 --> 00:00:07.000
<v Bo Chan>Okay. I will tell the customers today.

00:00:07.500 --> 00:00:11.000
<v Ann Lee>And Cy checks the upgrade of the database before Thursday noon.
"""
REVIEW = """[00:00:02] Dee: The nightly job failed twice last week, uh, because the disk was full.
[00:00:09] Eli: I can add an alarm at eighty percent.
[00:00:13] Dee: Good. Who orders the second disk?
[00:00:16] Eli: Nobody yet. Let us ask Fay on Monday.
"""
RUBRIC = """version: 1
name: the better answer
question: preference
instructions: Say which answer is more faithful to the meeting. Length is no merit.
levels:
  A: A says what was said, and B leaves something out or adds something.
  B: B says what was said, and A leaves something out or adds something.
  tie: Neither is better in any way that matters.
"""


@contextmanager
def model() -> Iterator[list[str]]:
    """The flags that name a model."""
    if "MODEL_URL" in os.environ:
        yield ["--model", os.environ["MODEL"], "--url", os.environ["MODEL_URL"]]
        return
    os.environ.setdefault("ANNOBRIDGE_MODEL_KEY", "none")
    with ModelServer() as server:
        yield ["--model", "small", "--url", server.url]


def run(folder: Path, *arguments: str) -> None:
    """Run one command in the folder, and show both."""
    print(f"\n$ annobridge {shlex.join(arguments)}", flush=True)
    subprocess.run([sys.executable, "-m", "bridge", *arguments], cwd=folder, check=True)


def main() -> int:
    """Run the example; returns the exit code."""
    with label_studio() as url, model() as asked, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "standup.vtt").write_text(STANDUP, encoding="utf-8")
        (folder / "review.txt").write_text(REVIEW, encoding="utf-8")
        (folder / "better.yaml").write_text(RUBRIC, encoding="utf-8")
        run(folder, "transcripts", "read", "standup.vtt", "review.txt", "--out", "meetings.jsonl")
        run(folder, "transcripts", "tasks", "meetings.jsonl", *asked, "--out", "tasks")
        judged = ["--template", "preference", "--rubric", "better.yaml", *asked]
        run(folder, "judge", "tasks/preference.jsonl", *judged)
        run(folder, "route", "judged.jsonl", "--by", "operation", "--thin", "0", "--out", "people.jsonl")
        rows = [json.loads(line) for line in (folder / "people.jsonl").read_text(encoding="utf-8").splitlines()]
        made = campaign(folder, "Example meetings", url, rows, records="people.jsonl", template="preference")
        run(folder, "push")
        longer = {row["key"]: len(row["fields"]["response_a"]) >= len(row["fields"]["response_b"]) for row in rows}
        answer(made, {key: {"preference": "A" if first else "B"} for key, first in longer.items()})
        run(folder, "pull")
        run(folder, "route", "people.jsonl", "people.rest.jsonl", "--report", "-C", ".")
        run(folder, "judge", "people.jsonl", "people.rest.jsonl", "--report", "-C", ".")
        run(folder, "merge")
        run(folder, "export", "--to", "dpo", *([] if "MODEL_URL" in os.environ else ["--no-gate", "test_only"]))
        pairs = (folder / "out/dpo.plain.jsonl").read_text(encoding="utf-8").splitlines()
        print(f"\n{len(rows)} of the pairs went to people, {len(pairs)} are rows of a training set")
        better = [len(row["chosen"]) >= len(row["rejected"]) for row in map(json.loads, pairs)]
    return 0 if better and all(better) and len(better) == len(rows) else 1


if __name__ == "__main__":
    sys.exit(main())
