"""Adjudication on both real servers: two people contradict each other, and a third one decides."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

from bridge.campaign import Campaign
from bridge.testing import LabelStudioPerson
from tests.faults.sites import KEY_ENV, Person, Site, project_of, rows

pytestmark = pytest.mark.live


@pytest.fixture
def site(kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    made = Site(kind, request.getfixturevalue(kind.replace("-", "_")))
    monkeypatch.setenv(KEY_ENV, made.key.reveal())
    yield made
    made.close()


def at_work(site: Site, name: str, campaign: Campaign) -> Person:
    person = site.person(name)
    person.ensure(project_of(campaign), create=False)
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
