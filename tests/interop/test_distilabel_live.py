"""The example pipeline runs in distilabel's own environment, offline, before a local server for models.

It is made by `make test` in the background (tests/make_environments.py); without that, here.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
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


@dataclass
class Runs:
    """What two runs left behind."""

    folder: Path
    said: list[str]
    asked: list[int]
    there: list[list[str]]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    folder, home = tmp_path_factory.mktemp("meetings"), tmp_path_factory.mktemp("home")
    python = distilabel_environment.install(print)
    found = Runs(folder, [], [], [])
    with ModelServer(answer) as server:
        command = [str(python), "-W", "ignore", str(ROOT / "examples" / "distilabel_pipeline.py")]
        command += ["--url", server.url, "--model", "stub", "--campaign", str(folder)]
        for more in (["--save", str(folder / "distiset")], []):
            done = subprocess.run(
                [*command, *more],
                env={"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(ROOT), "HF_HOME": str(home)},
                cwd=home,
                capture_output=True,
                text=True,
                stdin=subprocess.DEVNULL,
                timeout=300,
            )
            assert done.returncode == 0, f"{done.stdout[-5000:]}\n{done.stderr[-5000:]}"
            found.said.append(done.stdout)
            found.asked.append(len(server.asked))
            found.there.append(keys_there(folder))
        yield found


def test_every_task_is_asked_and_the_judge(runs: Runs) -> None:
    assert runs.asked[0] == 3 * (3 + 1)


def test_people_get_what_was_made_with_the_judges_ratings(runs: Runs) -> None:
    assert runs.there[0] == ["bakery", "choir"]
    first = next(row for _, row in read_lines(runs.folder / "records.jsonl") if not isinstance(row, Reject))
    assert first["fields"]["action_items"] == "List: Ann: Then only rye."
    assert [(s["question"], s["value"], s["agent"]) for s in first["suggestions"]] == [
        (question, rating, "stub") for question, rating in zip(RATINGS, (4, 5, 2), strict=True)
    ]
    assert first["metadata"]["rationales"]["follow_up_rating"] == {"rationale": "Not said there."}
    assert first["metadata"]["test_only"] is True


def test_a_refused_answer_costs_one_row_which_is_a_dead_letter(runs: Runs) -> None:
    assert "ferry: generation 1: None, because the model's call failed" in runs.said[0]
    ((_, line),) = read_lines(runs.folder / "out" / "distilabel-rejects.jsonl")
    assert not isinstance(line, Reject)
    assert (line["key"], line["row"]["summary"]) == ("ferry", None)


def test_a_second_run_asks_no_model_and_adds_nothing(runs: Runs) -> None:
    assert runs.asked[1] == runs.asked[0]
    assert runs.there[1] == runs.there[0]
    assert "bakery: bakery" in runs.said[1]


def test_the_distiset_on_the_disk_has_the_same_records(runs: Runs) -> None:
    template = load_template(runs.folder / "meeting.yaml")
    reader = read_distilabel(runs.folder / "distiset", template, id_column="id", ratings=RATINGS)
    pushed = [row for _, row in read_lines(runs.folder / "records.jsonl")]
    assert [record.to_dict() for record in reader] == pushed
    assert [reject.key for reject in reader.rejects] == ["ferry"]
