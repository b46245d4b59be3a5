"""The labels of a template change while people answer: their answers are read, and brought over or named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bridge.campaign import Campaign
from bridge.errors import Conflict
from bridge.templates import load_template
from tests.faults.sites import Site, project_of

TEMPLATE = """\
version: 1
name: verdicts
title: Verdicts
fields: [{name: prompt, title: Prompt}, {name: response, title: Response}]
questions:
  - {name: verdict, type: label, title: Is it right, options: [%s]}
  - {name: faults, type: multi_label, title: What is wrong, options: [%s], required: false}
  - {name: marks, type: span, title: Where, field: response, options: [%s], required: false}
"""


@pytest.mark.live
def test_answers_with_labels_of_before_are_brought_over_or_named(site: Site, tmp_path: Path) -> None:
    rows = [{"id": f"r{n}", "prompt": f"{n} + {n}?", "response": "It is 7."} for n in (1, 2)]
    folder = site.folder(tmp_path / "campaign", rows, template="mine.yaml")
    (folder / "mine.yaml").write_text(TEMPLATE % ("right, wrong, so_so", "short, rude", "error, doubt"))
    campaign = Campaign(folder, server=site.connect())
    campaign.push()
    ann = site.person("ann")
    ann.ensure(project_of(campaign), create=False)
    span = {"start": 0, "end": 2, "label": "error"}
    ann.annotate("r1", {"verdict": "wrong", "faults": ["short", "rude"], "marks": [span]})
    ann.annotate("r2", {"verdict": "so_so"})

    (folder / "mine.yaml").write_text(TEMPLATE % ("right, incorrect", "too_short, rude", "mistake, doubt"))
    settings = json.loads((folder / "campaign.yaml").read_text())
    settings["merge"] = {"labels": {"wrong": "incorrect", "short": "too_short", "error": "mistake"}}
    (folder / "campaign.yaml").write_text(json.dumps(settings))
    changed = Campaign(folder, server=site.connect())
    changed.pull()
    first, second = changed.merge().kept
    assert {name: answer.value for name, answer in first.answers.items()} == {
        "verdict": "incorrect",
        "faults": ["too_short", "rude"],
        "marks": [{**span, "label": "mistake"}],
    }
    assert second.answers["verdict"].outcome == "abstained"
    (problem,) = map(json.loads, (changed.out / "problems.jsonl").read_text().splitlines())
    assert (problem["record"], problem["value"]) == ("r2", "so_so")
    assert problem["reason"] == "verdict: 'so_so' is not one of its labels"

    with pytest.raises(Conflict, match="with other labels than the template"):
        changed.push()


def test_the_shape_of_a_template_is_the_same_with_other_labels(tmp_path: Path) -> None:
    one, two = tmp_path / "one.yaml", tmp_path / "two.yaml"
    one.write_text(TEMPLATE % ("a", "b", "c"))
    two.write_text(TEMPLATE % ("a", "b", "d"))
    assert load_template(one).fingerprint != load_template(two).fingerprint
    assert load_template(one).shape == load_template(two).shape != load_template("label").shape
