"""An adjudication in blind order: nobody sees which response is which, and every answer is brought back."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest

from bridge.records import record_key
from tests.adjudication.working import ANN, BO, CY, Working

RESPONSES = {"response_a": "by model A", "response_b": "by model B"}
PAIRS = [{"id": f"r{number}", "prompt": f"Question {number}?", **RESPONSES} for number in range(12)]
OPTION = {"response_a": "A", "response_b": "B"}


def place_of(fields: dict[str, Any], text: str) -> str:
    """The option that stands for a response as it is shown."""
    (name,) = [name for name in RESPONSES if fields[name] == text]
    return OPTION[name]


def shown(work: Working, title: str) -> dict[str, dict[str, Any]]:
    return {key: held["fields"] for key, held in work.server._projects[title].records.items()}


@pytest.fixture
def work(tmp_path: Path) -> Working:
    """Ann prefers what model A wrote, and Bo what model B wrote, wherever it stands."""
    work = Working(tmp_path, PAIRS, template="preference", blind={"seed": 3})
    work.campaign.push()
    for key, fields in shown(work, "Sums").items():
        work.answer(key, ANN, preference=place_of(fields, "by model A"))
        work.answer(key, BO, preference=place_of(fields, "by model B"))
    work.campaign.pull()
    return work


@pytest.mark.parametrize("answers", ["hidden", "shown"])
def test_adjudicators_see_the_order_that_the_others_saw(work: Working, answers: Literal["hidden", "shown"]) -> None:
    work.campaign.adjudicate(answers=answers)
    before, after = shown(work, "Sums"), shown(work, "Sums - adjudication")
    assert {key: [fields[name] for name in RESPONSES] for key, fields in after.items()} == {
        key: [fields[name] for name in RESPONSES] for key, fields in before.items()
    }
    assert len({fields["response_a"] for fields in after.values()}) == 2


@pytest.mark.parametrize("answers", ["hidden", "shown"])
def test_decisions_are_brought_back(work: Working, answers: Literal["hidden", "shown"]) -> None:
    work.campaign.adjudicate(answers=answers)
    for key, fields in shown(work, "Sums - adjudication").items():
        work.decide(key, CY, preference=place_of(fields, "by model B"))
    work.campaign.pull()
    merged = work.campaign.merge()
    assert merged.unresolved == []
    assert {case.answers["preference"].value for case in merged.kept} == {"B"}
    work.campaign.export(["dpo"])
    assert {(row["chosen"], row["rejected"]) for row in work.lines("out", "dpo.plain.jsonl")} == {
        ("by model B", "by model A")
    }


def test_earlier_answers_speak_of_what_is_shown(work: Working) -> None:
    work.campaign.adjudicate(answers="shown")
    options = {o.value: o.title for o in work.campaign.template.question("preference").options}  # type: ignore[union-attr]
    firsts = set()
    for key, fields in shown(work, "Sums - adjudication").items():
        people = {ANN: "by model A", BO: "by model B"}
        said = [options[place_of(fields, text)] for text in people.values()]
        lines = fields["earlier_answers"].split("\n")[1:]
        assert sorted(line.partition(": ")[2] for line in lines) == sorted(said), key
        firsts.add(lines[0].endswith(said[0]))
    assert firsts == {True, False}, "who is Person 1 is drawn anew"


def test_no_key_and_no_hash_on_the_server_tells_the_order(tmp_path: Path) -> None:
    """Without a column of keys, a key is the hash of the fields as they are."""
    work = Working(tmp_path, PAIRS, template="preference", blind={"seed": 3}, records="records.jsonl")
    work.campaign.push()
    for key, fields in shown(work, "Sums").items():
        work.answer(key, ANN, preference=place_of(fields, "by model A"))
        work.answer(key, BO, preference=place_of(fields, "by model B"))
    work.campaign.pull()
    work.campaign.adjudicate(answers="shown")
    told = {str(held[name]) for held in work.there().values() for name in ("key", "content")}
    hashes = set()
    for record in work.linked.records():
        parts = {name: value for name, value in record.fields.items() if name != "earlier_answers"}
        turned = {**parts, "response_a": parts["response_b"], "response_b": parts["response_a"]}
        for fields in (parts, turned, record.fields, {**record.fields, **turned}):
            hashes.add(record_key(fields))
    assert not told & hashes
    for key, fields in shown(work, "Sums - adjudication").items():
        work.decide(key, CY, preference=place_of(fields, "by model A"))
    work.campaign.pull()
    assert {case.answers["preference"].value for case in work.campaign.merge().kept} == {"A"}


def test_where_nothing_is_compared_nothing_changes_its_place(tmp_path: Path) -> None:
    template = """
version: 1
name: both
title: Both
fields: [{name: prompt, title: Prompt}, {name: response_a, title: A}, {name: response_b, title: B}]
questions:
  - name: preference
    type: label
    title: Which
    options: [{value: A, picks: response_a}, {value: B, picks: response_b}]
  - {name: clear, type: label, title: Clear, options: ["yes", "no"]}
"""
    (tmp_path / "both.yaml").write_text(template)
    work = Working(tmp_path, PAIRS[:1], template="both.yaml", blind={"seed": 3})
    work.campaign.push()
    work.answer("r0", ANN, preference="A", clear="yes")
    work.answer("r0", BO, preference="A", clear="no")
    work.campaign.pull()
    work.campaign.adjudicate(answers="shown", questions=["clear"])
    assert work.linked.config.blind is None
    assert {
        line[-4:].strip(": ").lower() for line in work.there()["r0"]["fields"]["earlier_answers"].split("\n")[1:]
    } == {
        "yes",
        "no",
    }
    work.decide("r0", CY, clear="yes")
    work.campaign.pull()
    assert work.campaign.merge().unresolved == []
