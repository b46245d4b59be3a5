"""The example pipeline runs in distilabel's own environment, offline, before a local server for models.

It is made by `make test` in the background (tests/make_environments.py); without that, here.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from bridge.files import Reject, read_lines
from bridge.interop import read_distilabel
from bridge.models.replies import Choice
from bridge.templates import load_template
from bridge.testing.models import Asked, ModelServer, Said
from tests import distilabel_environment
from tests.interop.pushed import keys_there

ROOT = Path(__file__).resolve().parent.parent.parent
RATINGS = ["summary_rating", "action_items_rating", "follow_up_rating"]
pytestmark = pytest.mark.live


def answer(asked: Asked) -> Said:
    """Three tasks, of which one is refused, and a judge."""
    if "Texts:" in asked.text:
        rated = zip((4, 5, 2), ("Complete.", "All named.", "Not said there."), strict=True)
        return "\n\n".join(
            f"#### Output for Text {number}\nRating: {rating}\nRationale: {why}"
            for number, (rating, why) in enumerate(rated, 1)
        )
    if asked.text.startswith("Summarise") and "Finn" in asked.text:
        return Choice(None, "refusal")
    task, _, transcript = asked.text.partition("\n\n")
    return f"{task.split()[0]}: {transcript.splitlines()[-1]}"


def run(folder: Path, home: Path, url: str, *more: str) -> str:
    """What the example prints, in an environment and with a home of its own."""
    python = distilabel_environment.install(print)
    command = [str(python), "-W", "ignore", str(ROOT / "examples" / "distilabel_pipeline.py")]
    done = subprocess.run(
        [*command, "--url", url, "--model", "stub", "--campaign", str(folder), *more],
        env={"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(ROOT), "HF_HOME": str(home)},
        cwd=home,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=300,
    )
    assert done.returncode == 0, f"{done.stdout[-5000:]}\n{done.stderr[-5000:]}"
    return done.stdout


def test_two_runs_of_the_example(tmp_path: Path) -> None:
    """One test, because the runs are what takes time."""
    folder, home, distiset = tmp_path / "meetings", tmp_path / "home", tmp_path / "distiset"
    home.mkdir()
    with ModelServer(answer) as server:
        first = run(folder, home, server.url, "--save", str(distiset))
        asked, there = len(server.asked), keys_there(folder)
        again = run(folder, home, server.url)
        assert len(server.asked) == asked == 3 * (3 + 1), "three tasks and a judge; the second run asks no model"

    assert keys_there(folder) == there == ["bakery", "choir"], "the second run adds nothing"
    assert "bakery: bakery\n" in first
    assert "bakery: bakery\n" in again
    people_get_what_was_made_with_the_judges_ratings(folder)
    a_refused_answer_costs_one_row_which_is_a_dead_letter(folder, first)
    the_distiset_on_the_disk_has_the_same_records(folder, distiset)


def people_get_what_was_made_with_the_judges_ratings(folder: Path) -> None:
    record = next(row for _, row in read_lines(folder / "records.jsonl") if not isinstance(row, Reject))
    assert record["fields"]["action_items"] == "List: Ann: Then only rye."
    assert [(s["question"], s["value"], s["agent"]) for s in record["suggestions"]] == [
        (question, rating, "stub") for question, rating in zip(RATINGS, (4, 5, 2), strict=True)
    ]
    assert record["metadata"]["rationales"]["follow_up_rating"] == {"rationale": "Not said there."}
    assert record["metadata"]["test_only"] is True


def a_refused_answer_costs_one_row_which_is_a_dead_letter(folder: Path, said: str) -> None:
    assert "ferry: generation 1: None, because the model's call failed\n" in said
    ((_, line),) = read_lines(folder / "out" / "distilabel-rejects.jsonl")
    assert not isinstance(line, Reject)
    assert (line["key"], line["row"]["summary"]) == ("ferry", None)


def the_distiset_on_the_disk_has_the_same_records(folder: Path, distiset: Path) -> None:
    template = load_template(folder / "meeting.yaml")
    reader = read_distilabel(distiset, template, id_column="id", ratings=RATINGS)
    assert [record.to_dict() for record in reader] == [row for _, row in read_lines(folder / "records.jsonl")]
    assert [reject.key for reject in reader.rejects] == ["ferry"]
