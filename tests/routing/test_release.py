"""A release that demands that judges err seldom, by the audit of `annobridge route`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bridge.errors import ConfigError, ExportError
from tests.adjudication.working import ANN, Working
from tests.cli.running import run

DEMAND = {"release": {"judge_max_error": 0.35}, "exports": {"to": ["sft"], "formats": ["plain"]}}


def row(number: int, *, audit: bool = True) -> dict[str, Any]:
    """A record that a judge rated 5; of the audit, or taken because it is doubtful."""
    return {
        "id": f"r{number:02}",
        "prompt": f"what is {number} in words?",
        "response": f"it is {number}",
        "judge": {"rating": {"value": 5, "opinions": [{"model": "m", "value": 5}]}},
        "route": {"selected": True, "probability": 0.05 if audit else 1.0, "audit": audit, "stratum": {}},
    }


def answered(path: Path, wrong: int, rows: list[dict[str, Any]], **config: Any) -> Working:
    """People find the judge wrong on so many of the records."""
    work = Working(path, rows, **{**DEMAND, **config})
    work.campaign.push()
    for number, one in enumerate(rows):
        rating = 1 if number < wrong else 5
        label = "incorrect" if number < wrong else "correct"
        text = {"improved_response": f"better {number}"} if number < wrong else {}
        work.answer(one["id"], ANN, rating=rating, label=label, **text)
    work.campaign.pull()
    return work


def test_a_release_is_made_where_the_audit_shows_it(tmp_path: Path) -> None:
    work = answered(tmp_path, 0, [row(n) for n in range(12)])
    (rate,) = work.campaign.judge_rates()
    assert (rate.question, rate.drawn, rate.checked, rate.wrong) == ("rating", 12, 12, 0)
    assert work.campaign.release("v1").rows == {"sft": 12}


def test_the_card_says_how_often_judges_are_wrong_also_where_nothing_is_demanded(tmp_path: Path) -> None:
    work = answered(tmp_path, 3, [row(n) for n in range(12)], release={})
    made = work.campaign.release("v1")
    card = (made.folder / "README.md").read_text()
    assert "## How often judges are wrong" in card
    assert "| rating | 12 | 12 | 3 | 25.0% | 5.5% to 57.2% |" in card
    whole = json.loads((made.folder / "manifest.json").read_text())
    assert whole["judges"] == made.to_dict()["judges"]
    assert [(one["question"], one["wrong"], one["checked"]) for one in whole["judges"]] == [("rating", 3, 12)]


def test_without_an_audit_of_judges_the_card_says_nothing_of_them(tmp_path: Path) -> None:
    made = answered(tmp_path, 0, [row(n, audit=False) for n in range(12)], release={}).campaign.release("v1")
    assert "judges" not in (made.folder / "README.md").read_text()
    assert made.judges == ()


def test_a_release_is_refused_where_too_many_may_be_wrong(tmp_path: Path) -> None:
    work = answered(tmp_path, 3, [row(n) for n in range(12)])
    with pytest.raises(ExportError, match=r"of rating 3 of 12 judgements are wrong: 57\.2% of all may be"):
        work.campaign.release("v1")
    assert not (tmp_path / "releases" / "v1").exists()


def test_records_that_were_taken_because_they_are_doubtful_show_nothing(tmp_path: Path) -> None:
    work = answered(tmp_path, 0, [row(n, audit=False) for n in range(12)])
    with pytest.raises(ExportError, match="none of the records is of an audit"):
        work.campaign.release("v1")


def test_without_the_demand_nothing_is_asked_for(tmp_path: Path) -> None:
    work = answered(tmp_path, 3, [row(n, audit=False) for n in range(12)], release={})
    assert work.campaign.release("v1").rows == {"sft": 12}


def test_a_share_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"release\.judge_max_error"):
        Working(tmp_path, release={"judge_max_error": 1.5}).campaign  # noqa: B018


def test_the_flag_is_the_setting(tmp_path: Path) -> None:
    answered(tmp_path, 0, [row(n) for n in range(3)], release={})
    result = run("release", "--version", "v1", "--judge-max-error", "1.5", "-C", str(tmp_path))
    assert result.code == 2
    assert "--judge-max-error: Input should be less than 1" in result.err
