"""The files beside the small model: a judge that always takes the first answer is told from them for what it is.

The model itself is an opt-in, and runs in no test; what it said is in docs/small-model.md.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bridge.files import read_lines
from bridge.judging.rubric import load_rubric
from bridge.reading import read_records
from bridge.templates import load_template
from bridge.testing.models import ModelServer
from tests.cli.running import run

FILES = Path(__file__).resolve().parent.parent / "examples" / "small_model"


@pytest.mark.parametrize(("kind", "template"), [("ratings", "rating"), ("pairs", "preference")])
def test_records_rubric_and_answers_fit_each_other(kind: str, template: str) -> None:
    wanted = load_template(template)
    reader = read_records(FILES / f"{kind}.jsonl", wanted, id_column="id")
    keys = [record.key for record in reader]
    assert reader.rejects == []
    answered = [line["record"] for _, line in read_lines(FILES / f"{kind}-by-people.jsonl") if isinstance(line, dict)]
    assert answered == keys
    assert load_rubric(FILES / f"{template}.yaml", wanted).question.name == template


def test_a_judge_that_takes_whatever_stands_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANNOBRIDGE_CONFIG_DIR", str(tmp_path))
    out = str(tmp_path / "pairs.jsonl")
    rubric = ("--template", "preference", "--rubric", str(FILES / "preference.yaml"), "--id", "id")
    with ModelServer(lambda _: json.dumps({"rationale": "It is first.", "score": 1}), can={"schema"}) as server:
        asked = ("--model", "stub", "--url", server.url, "--out", out)
        assert run("judge", str(FILES / "pairs.jsonl"), *rubric, *asked).code == 0
    people = ("--annotations", str(FILES / "pairs-by-people.jsonl"))
    said = run("judge", out, "--report", "--template", "preference", *people).out
    assert "0% (0% to 39%, n = 6) say the same when the order is swapped" in said
    assert "100% (61% to 100%, n = 6) prefer what stands first" in said
