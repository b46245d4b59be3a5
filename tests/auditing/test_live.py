"""An audit on both real servers: rows go out, somebody checks them, and the card says what was found."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.campaign import Campaign
from tests.faults.sites import Site, project_of, rows, site_of

pytestmark = pytest.mark.live


@pytest.fixture(params=["label-studio", "argilla"])
def site(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    yield from site_of(request.param, request, monkeypatch)


def test_rows_are_checked_by_somebody_and_released(site: Site, tmp_path: Path) -> None:
    folder = site.folder(tmp_path / "campaign", rows(3), template="review")
    Campaign(folder).push()
    person = site.person("audit-ann")
    person.ensure(project_of(Campaign(folder)), create=False)
    for number in (1, 2, 3):
        person.annotate(
            f"r{number:04}", {"rating": 2, "label": "incorrect", "improved_response": f"it is {number + 1}"}
        )
    Campaign(folder).pull()
    Campaign(folder).export(["dpo"])
    assert Campaign(folder).audit() == {"dpo": {"rows": 3, "drawn": 3}}

    linked = Campaign(folder).audited
    assert linked is not None
    assert linked.push().sent == 3
    checker = site.person("audit-bo")
    checker.ensure(project_of(linked), create=False)
    keys = [json.loads(line)["key"] for line in (folder / "audit" / "records.jsonl").read_text().splitlines()]
    for key in keys:
        verdict = "wrong_answer" if key == keys[0] else "ok"
        checker.annotate(key, {"verdict": verdict, "prompt_fits": "yes"})
    assert linked.pull().changes.new == 3

    (rate,) = Campaign(folder).audit_report()
    assert (rate.checked, rate.wrong, rate.problems) == (3, 1, {"wrong_answer": 1})
    result = Campaign(folder).release("v1", ["dpo"])
    assert "| dpo | 3 | 3 | 3 | 1 | 33.3% | 0.8% to 90.6% |" in (result.folder / "README.md").read_text()
