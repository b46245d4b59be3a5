"""Adjudication on both real servers: two people contradict each other, and a third one decides."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

from bridge.campaign import Campaign
from bridge.testing import LabelStudioPerson
from tests.faults.sites import Person, Site, rows, site_of

pytestmark = pytest.mark.live


@pytest.fixture
def site(kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    yield from site_of(kind, request, monkeypatch)


def at_work(site: Site, name: str, campaign: Campaign) -> Person:
    person = site.person(name)
    person.ensure(campaign._project(), create=False)
    return person


def seen(person: Person, key: str) -> Any:
    """The fields of a record as the server gives them to a person."""
    if isinstance(person, LabelStudioPerson):
        task = person._http.request("GET", f"/api/tasks/{person._task_id(key)}/", what="read the task")
        return task["data"]
    return person._record(key)["fields"]


@pytest.mark.parametrize(("kind", "answers"), [("label-studio", "hidden"), ("argilla", "shown")])
def test_a_third_person_decides_and_the_manifest_says_so(
    site: Site, tmp_path: Path, answers: Literal["hidden", "shown"]
) -> None:
    folder = site.folder(tmp_path / "campaign", rows(2), template="review")
    Campaign(folder).push()
    for name, label in (("adj-ann", "correct"), ("adj-bo", "incorrect")):
        person = at_work(site, name, Campaign(folder))
        person.annotate("r0001", {"rating": 4, "label": label})
        person.annotate("r0002", {"rating": 5, "label": "correct"})
    Campaign(folder).pull()

    result = Campaign(folder).adjudicate(answers=answers)
    assert (result.unresolved, result.added, result.complete) == (1, 1, True)
    again = Campaign(folder).adjudicate()
    assert again.pushed is not None
    assert (again.added, again.pushed.sent, again.pushed.present) == (0, 0, 1)

    linked = Campaign(folder).adjudication
    assert linked is not None
    third = at_work(site, "adj-cy", linked)
    fields = seen(third, "r0001")
    assert fields["prompt"] == "1 + 1?"
    told = [f"Person {number}: {label}" for number in (1, 2) for label in ("Correct", "Incorrect")]
    assert sum(line in fields.get("earlier_answers", "") for line in told) == (2 if answers == "shown" else 0)
    third.annotate("r0001", {"rating": 2, "label": "correct", "improved_response": "two"})

    pulled = Campaign(folder).pull()
    assert pulled.adjudication is not None
    assert (pulled.changes.new, pulled.adjudication.changes.new) == (0, 1)
    status = Campaign(folder).status()
    assert status.adjudication is not None
    assert (status.unresolved, status.adjudication.progress.answered) == (0, 1)

    first, _ = Campaign(folder).merge().kept
    assert (first.answers["rating"].value, first.answers["label"].value) == (4, "correct")
    Campaign(folder).export(["sft"])
    manifest = json.loads((folder / "out" / "sft.manifest.json").read_text())
    assert manifest["merge"]["adjudication"]["project"] == f"{Campaign(folder).config.project} - adjudication"
    assert manifest["merge"]["adjudication"]["records"] == 1
    (cy,) = (pseudonym for pseudonym, name in linked.people().items() if name.startswith("adj-cy"))
    adjudicated = {row["record"]: row.get("adjudicated") for row in manifest["rows"]}
    assert adjudicated == {"r0001": {"label": {cy: 1}}, "r0002": None}


RESPONSES = ("response_a", "response_b")


def option(fields: Any, text: str) -> str:
    """The option that stands for a response where somebody sees it."""
    return "AB"[[fields[name] for name in RESPONSES].index(text)]


@pytest.mark.parametrize("kind", ["label-studio", "argilla"])
def test_in_blind_order_adjudicators_see_what_the_others_saw_and_the_decision_is_brought_back(
    site: Site, tmp_path: Path
) -> None:
    pairs = [{"id": f"r{n}", "prompt": f"{n}?", "response_a": f"{n} by A", "response_b": f"{n} by B"} for n in range(4)]
    folder = site.folder(tmp_path / "campaign", pairs, template="preference")
    settings = json.loads((folder / "campaign.yaml").read_text())
    (folder / "campaign.yaml").write_text(json.dumps({**settings, "blind": {"seed": 3}}))
    Campaign(folder).push()
    ann, bo = (at_work(site, name, Campaign(folder)) for name in ("bli-ann", "bli-bo"))
    before = {row["id"]: seen(ann, row["id"]) for row in pairs}
    assert len({fields["response_a"][2:] for fields in before.values()}) == 2
    for key, fields in before.items():
        ann.annotate(key, {"preference": option(fields, f"{key[1:]} by A")})
        bo.annotate(key, {"preference": option(fields, f"{key[1:]} by B")})
    Campaign(folder).pull()

    assert Campaign(folder).adjudicate(answers="shown").added == 4
    linked = Campaign(folder).adjudication
    assert linked is not None
    cy = at_work(site, "bli-cy", linked)
    for key, fields in before.items():
        now = seen(cy, key)
        assert [now[name] for name in RESPONSES] == [fields[name] for name in RESPONSES]
        cy.annotate(key, {"preference": option(now, f"{key[1:]} by B")})
    Campaign(folder).pull()
    merged = Campaign(folder).merge()
    assert (merged.unresolved, {case.answers["preference"].value for case in merged.kept}) == ([], {"B"})
    Campaign(folder).export(["dpo"])
    lines = (folder / "out" / "dpo.plain.jsonl").read_text().splitlines()
    assert {(row["prompt"], row["chosen"], row["rejected"]) for row in map(json.loads, lines)} == {
        (row["prompt"], row["response_b"], row["response_a"]) for row in pairs
    }
