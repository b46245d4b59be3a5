"""Conditions of a template, such as "a rewrite is required when the rating is 3 or lower", are checked at pull."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bridge.campaign import Campaign
from bridge.records import Value, record_key
from bridge.servers.memory import MemoryServer

ROW = {"prompt": "2 + 2?", "response": "5"}
KEY = record_key(ROW)


@pytest.fixture
def server() -> MemoryServer:
    return MemoryServer()


@pytest.fixture
def campaign(tmp_path: Path, server: MemoryServer) -> Campaign:
    (tmp_path / "records.jsonl").write_text(json.dumps(ROW))
    config = {"project": "Sums", "server": {"kind": "memory"}, "records": "records.jsonl", "template": "review"}
    (tmp_path / "campaign.yaml").write_text(json.dumps(config))
    made = Campaign(tmp_path, server=server)
    made.push()
    return made


@pytest.mark.parametrize(
    ("answers", "found"),
    [
        ({"rating": 2, "label": "incorrect"}, [("incomplete", "improved_response")]),
        ({"rating": 2, "label": "incorrect", "improved_response": " 5\n"}, [("incomplete", "improved_response")]),
        ({"rating": 2, "label": "incorrect", "improved_response": "4"}, []),
        ({"rating": 4, "label": "correct"}, []),
        ({"rating": 4}, [("incomplete", "label")]),
        ({"rating": 9, "label": "correct"}, [("invalid", "rating")]),
        ({"rating": 4, "label": "correct", "mood": "good"}, [("invalid", "mood")]),
    ],
)
def test_pull_names_what_is_missing_or_wrong(
    campaign: Campaign, server: MemoryServer, answers: dict[str, Value], found: list[tuple[str, str]]
) -> None:
    server.annotate(KEY, "ann", answers)
    result = campaign.pull()
    assert result.changes.new == 1
    assert [(problem["kind"], problem["question"]) for problem in result.problems] == found
    written = campaign.out / "problems.jsonl"
    lines = [json.loads(line) for line in written.read_text().splitlines()] if written.exists() else []
    assert lines == result.problems


def test_only_changed_answers_are_reported_again(campaign: Campaign, server: MemoryServer) -> None:
    server.annotate(KEY, "ann", {"rating": 2, "label": "incorrect"})
    assert len(campaign.pull().problems) == 1
    assert campaign.pull().problems == []
    assert len((campaign.out / "problems.jsonl").read_text().splitlines()) == 1
    server.annotate(KEY, "ann", {"rating": 2, "label": "incorrect", "improved_response": "4"})
    assert campaign.pull().problems == []
    assert (campaign.out / "problems.jsonl").read_text() == ""


def test_without_the_records_the_rest_is_checked_all_the_same(campaign: Campaign, server: MemoryServer) -> None:
    (campaign.folder / "records.jsonl").unlink()
    server.annotate(KEY, "ann", {"rating": 2, "label": "nonsense"})
    assert {problem["question"] for problem in campaign.pull().problems} == {"label", "improved_response"}
