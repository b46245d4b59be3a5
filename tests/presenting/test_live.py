"""Blind order, controls and hidden suggestions on both real servers, from the push to the training set."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge.campaign import Campaign
from bridge.errors import Conflict
from bridge.merging.audits import control_scores, position_bias
from bridge.presenting.blind import winners
from bridge.records import Record
from bridge.testing import LabelStudioPerson
from tests.faults.sites import Person, Site, site_of

pytestmark = pytest.mark.live

ROWS = [
    {"prompt": f"{n} + {n}?", "response_a": str(2 * n), "response_b": "who knows", "preference": "A"}
    for n in range(1, 11)
]
CONTROLS = [
    {
        "prompt": f"{n} - {n}?",
        "response_a": "no idea",
        "response_b": "0",
        "preference": "B",
        "expected": {"preference": "B"},
    }
    for n in range(1, 7)
]
SETTINGS = {
    "records": "records.jsonl",
    "blind": {"seed": 99},
    "anchoring": {"share": 0.4, "seed": 2},
    "controls": {"records": "controls.jsonl", "share": 0.3, "seed": 1},
    "merge": {"weights": "controls"},
    "exports": {"to": ["dpo"]},
}


@pytest.fixture(params=["label-studio", "argilla"])
def site(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    yield from site_of(request.param, request, monkeypatch)


def given(person: Person) -> list[dict[str, Any]]:
    """Everything that the server gives of each record."""
    if isinstance(person, LabelStudioPerson):
        params = {"project": person._id, "page_size": 100, "fields": "all"}
        return list(person._http.request("GET", "/api/tasks/", params=params, what="look")["tasks"])
    path = f"/me/datasets/{person._id}/records/search"
    body = {"query": None}
    params = {"limit": 100, "include": ["suggestions", "responses"]}
    found = person._request("POST", path, body=body, params=params, what="look", reads=True)
    return [item["record"] for item in found["items"]]


def key_of(item: dict[str, Any]) -> str:
    return str(item["data"]["bridge_id"] if "data" in item else item["external_id"])


def fields_of(item: dict[str, Any]) -> dict[str, str]:
    fields = item.get("data") or item["fields"]
    return {name: fields[name] for name in ("prompt", "response_a", "response_b")}


def suggested(item: dict[str, Any]) -> str | None:
    """The response that the suggestion on the page prefers."""
    values = [s["value"] for s in item.get("suggestions") or ()]
    values += [region["value"]["choices"][0] for p in item.get("predictions") or () for region in p["result"]]
    return fields_of(item)[f"response_{values[0].lower()}"] if values else None


def shape(value: Any) -> Any:
    """What a piece of JSON looks like, without what it says."""
    if isinstance(value, dict):
        return {name: shape(part) for name, part in sorted(value.items())}
    if isinstance(value, list):
        return [shape(part) for part in value]
    return re.sub(r"[0-9a-f]", "x", value) if re.fullmatch(r"[0-9a-f-]{32,36}", str(value)) else type(value).__name__


def test_nobody_sees_what_is_what_and_every_answer_is_brought_back(site: Site, tmp_path: Path) -> None:
    folder = site.folder(tmp_path / "campaign", ROWS, template="preference")
    (folder / "controls.jsonl").write_text("".join(json.dumps(row) + "\n" for row in CONTROLS))
    settings = json.loads((folder / "campaign.yaml").read_text())
    (folder / "campaign.yaml").write_text(json.dumps({**settings, **SETTINGS}))

    pushed = Campaign(folder).push()
    assert (pushed.sent, pushed.complete) == (len(ROWS) + pushed.controls, True)
    assert 3 <= pushed.controls <= 5
    assert Campaign(folder).push().sent == 0
    with pytest.raises(Conflict, match="with other settings of `blind`"):
        Campaign(folder, {"blind": {"seed": 100}}).push()

    people = {name: site.person(name) for name in ("pre-ann", "pre-bo")}
    for person in people.values():
        person.ensure(Campaign(folder)._project(), create=False)
    items = given(people["pre-ann"])
    assert len(items) == pushed.sent
    nothing_on_the_server_tells(items)
    for item in items:
        reads, looks_left = people["pre-ann"], people["pre-bo"]
        reads.annotate(key_of(item), {"preference": "A" if fields_of(item)["response_a"].isdigit() else "B"})
        looks_left.annotate(key_of(item), {"preference": "A"})
    assert Campaign(folder).pull().problems == []

    campaign = Campaign(folder)
    assert {merged.record for merged in campaign.merge().kept} == {record.key for record in campaign.records()}
    campaign.export()
    lines = (folder / "out" / "dpo.plain.jsonl").read_text().splitlines()
    made = {(row["prompt"], row["chosen"], row["rejected"]) for row in map(json.loads, lines)}
    assert made == {(row["prompt"], row["response_a"], row["response_b"]) for row in ROWS}

    names = {pseudonym: name.partition("@")[0] for pseudonym, name in campaign.people().items()}
    scores = {names[score.annotator]: score for score in control_scores(campaign.evidence().right)}
    assert (scores["pre-ann"].share, scores["pre-ann"].n) == (1.0, pushed.controls)
    of_bo = [annotation for annotation in campaign.annotations() if names[annotation.annotator] == "pre-bo"]
    (bias,) = position_bias(winners(of_bo, campaign.template))
    assert (bias.share, bias.n, bias.low > 0.5) == (1.0, len(ROWS), True)
    hidden = {case.record for case in campaign.evidence().compared if not case.shown}
    assert 0 < len(hidden) < len(ROWS)


def nothing_on_the_server_tells(items: list[dict[str, Any]]) -> None:
    texts = [{name: row[name] for name in ("prompt", "response_a", "response_b")} for row in [*ROWS, *CONTROLS]]
    as_they_are = {text["prompt"]: text for text in texts}
    hashes = {Record("", text).key for text in texts} | {Record("", fields_of(item)).key for item in items}
    shapes: dict[str, set[str]] = {}
    moved = 0
    for item in items:
        shown = fields_of(item)
        original = as_they_are[shown["prompt"]]
        assert sorted(shown.values()) == sorted(original.values())
        moved += shown != original
        assert not any(word in json.dumps(item) for word in ("expected", "control", *hashes))
        assert suggested(item) in (None, next(text for text in shown.values() if text.isdigit()))
        # Where no suggestion is shown, that can be seen; nothing else may differ.
        shapes.setdefault("bare" if suggested(item) is None else "suggested", set()).add(json.dumps(shape(item)))
    assert 0 < moved < len(items)
    assert {name: len(found) for name, found in shapes.items()} == {"bare": 1, "suggested": 1}
