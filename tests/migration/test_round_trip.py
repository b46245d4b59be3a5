"""There and back on real servers: what the campaign makes of its answers does not change by a byte."""

from __future__ import annotations

import itertools
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from bridge.campaign import Campaign
from bridge.errors import UnknownOutcome
from bridge.records import Value
from bridge.servers.argilla import Argilla
from bridge.servers.label_studio import LabelStudio
from bridge.servers.local_label_studio import LocalLabelStudio
from bridge.servers.protocol import Project
from bridge.templates import load_template
from bridge.testing import ArgillaPerson, LabelStudioPerson
from tests.comparing import comparable
from tests.meddling import Meddling

if TYPE_CHECKING:
    from bridge.servers.local_argilla import LocalArgilla

pytestmark = pytest.mark.live

ANN, BO = "ann@example.org", "bo@example.org"
ODD = "😀 <b>bold</b>\n\ttabs  and 👩‍👩‍👧 e\u0301 rtl \u05e9\u05dc"

ROWS: dict[str, list[dict[str, Any]]] = {
    "review": [{"id": f"v{n}", "prompt": f"{n}? {ODD}", "response": ODD, "rating": 3} for n in range(4)],
    "ranking": [
        {"id": "two", "prompt": "p", "response_1": "a", "response_2": "b"},
        {"id": "three", "prompt": "p", "response_1": ODD, "response_2": "b", "response_3": "c"},
    ],
    "span_errors": [{"id": f"s{n}", "prompt": "p", "response": f"{ODD} number {n}"} for n in range(2)],
}
ANSWERS: dict[str, dict[tuple[str, str], dict[str, Value] | None]] = {
    "review": {
        ("v0", ANN): {"rating": 5, "label": "correct"},
        ("v0", BO): {"rating": 4, "label": "correct", "improved_response": ODD},
        ("v1", ANN): {"rating": 1, "label": "harmful", "improved_response": f"better\r {ODD}\n"},
        ("v1", BO): {"rating": 2, "label": "incorrect", "improved_response": " outer space "},
        ("v2", ANN): None,
        ("v2", BO): {"rating": 4, "label": "correct"},
    },
    "ranking": {
        ("two", ANN): {"ranking": {"response_2": 1, "response_1": 2}},
        ("two", BO): None,
        ("three", ANN): {"ranking": {"response_3": 1, "response_1": 1, "response_2": 2}},
        ("three", BO): {"ranking": {"response_3": 1, "response_1": 2, "response_2": 3}},
    },
    "span_errors": {
        ("s0", ANN): {"errors": [{"start": 0, "end": 1, "label": "factual_error"}]},
        ("s0", BO): {
            "errors": [
                {"start": 0, "end": 1, "label": "factual_error"},
                {"start": 35, "end": 42, "label": "unsupported"},
            ]
        },
        ("s1", ANN): {"errors": []},
        ("s1", BO): None,
    },
}


_NUMBERS = itertools.count(1)


class Trip:
    """One campaign that begins on Label Studio with everybody's answers."""

    def __init__(self, folder: Path, name: str, label_studio: LocalLabelStudio, argilla: LocalArgilla) -> None:
        self.folder, self.template = folder, load_template(name)
        self.label_studio, self.argilla = label_studio, argilla
        self.title = f"Trip {os.getpid()} {next(_NUMBERS)}"
        (folder / "records.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS[name]))
        kinds = [kind for kind in ("sft", "dpo") if getattr(self.template.training, kind)]
        config = {
            "project": self.title,
            "server": {"kind": "label-studio", "url": label_studio.url, "key_env": "THE_LABEL_STUDIO"},
            "records": {"path": "records.jsonl", "id": "id"},
            "template": name,
            "annotators_per_record": 2,
            "exports": {"to": kinds},
        }
        (folder / "campaign.yaml").write_text(json.dumps(config))
        Campaign(folder).push()
        for person in (ANN, BO):
            at_work = LabelStudioPerson(label_studio.url, label_studio.add_user(person).token)
            at_work.ensure(Project(self.title, self.template, repeats=3), create=False)
            for (key, who), answers in ANSWERS[name].items():
                if who == person:
                    at_work.annotate(key, answers or {}, status="submitted" if answers else "discarded", lead_time_s=4)
            at_work.close()
        Campaign(folder).pull()

    def there(self) -> dict[str, Any]:
        return {
            "kind": "argilla",
            "url": self.argilla.url,
            "workspace": self.argilla.workspace,
            "key_env": "THE_ARGILLA",
        }

    def back(self) -> dict[str, Any]:
        return {"kind": "label-studio", "url": self.label_studio.url, "key_env": "THE_LABEL_STUDIO"}

    def made(self) -> dict[str, bytes]:
        campaign = Campaign(self.folder)
        campaign.merge()
        campaign.export()
        files = [path for path in (self.folder / "out").iterdir() if path.name != "migration.jsonl"]
        return {path.name: comparable(path) for path in sorted(files)}

    def lines(self) -> list[dict[str, Any]]:
        return [
            {name: value for name, value in annotation.to_dict().items() if name != "source"}
            for annotation in Campaign(self.folder).annotations()
        ]


@pytest.fixture(params=sorted(ROWS))
def trip(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    label_studio: LocalLabelStudio,
    argilla: LocalArgilla,
    monkeypatch: pytest.MonkeyPatch,
) -> Trip:
    monkeypatch.setenv("THE_LABEL_STUDIO", label_studio.token.reveal())
    monkeypatch.setenv("THE_ARGILLA", argilla.api_key.reveal())
    return Trip(tmp_path, request.param, label_studio, argilla)


def test_there_and_back_again(trip: Trip) -> None:
    before, made = trip.lines(), trip.made()
    count = len(before)
    names = {ANN: f"ann {trip.title}", BO: f"bo {trip.title}"}

    result = Campaign(trip.folder).migrate(trip.there(), annotators=names, create_annotators=True)
    assert (result.written, result.present, result.complete) == (count, 0, True), result.findings
    assert Campaign(trip.folder).config.server.kind == "argilla"
    pulled = Campaign(trip.folder).pull()
    assert (pulled.changes.new, pulled.changes.edited, pulled.changes.unchanged) == (0, 0, count)
    assert trip.lines() == before
    assert trip.made() == made
    assert sorted(Campaign(trip.folder).people().values()) == sorted(names.values())
    again = Campaign(trip.folder).migrate(trip.there(), annotators=names)
    assert again.nothing_to_do

    there = {new: old for old, new in names.items()}
    result = Campaign(trip.folder).migrate(trip.back(), project=f"{trip.title} back", annotators=there)
    assert (result.written, result.present, result.complete) == (count, 0, True), result.findings
    pulled = Campaign(trip.folder).pull()
    assert (pulled.changes.new, pulled.changes.edited, pulled.changes.unchanged) == (0, 0, count)
    assert trip.lines() == before
    assert trip.made() == made
    assert Campaign(trip.folder).status().progress.records == len(ROWS[trip.template.name])


def test_people_work_on_where_the_campaign_is(trip: Trip) -> None:
    """What was brought there is one's own answer, and can be changed."""
    key = next(key for (key, person), answers in ANSWERS[trip.template.name].items() if person == ANN and answers)
    names = {ANN: f"ann on {trip.title}", BO: f"bo on {trip.title}"}
    for name in names.values():
        trip.argilla.add_user(name)
    Campaign(trip.folder).migrate(trip.there(), annotators=names)
    before = {(line["record"], line["annotator"]): line for line in trip.lines()}
    ann = ArgillaPerson(trip.argilla.url, trip.argilla.add_user(names[ANN]).key, trip.argilla.workspace)
    ann.ensure(Project(trip.title, trip.template), create=False)
    server = Argilla(trip.argilla.url, trip.argilla.api_key, trip.argilla.workspace)
    server.ensure(Project(trip.title, trip.template), create=False)
    (mine,) = [
        annotation
        for page in server.changes()
        for answered in page.records
        for annotation in answered.annotations
        if (annotation.record, annotation.annotator) == (key, names[ANN])
    ]
    ann._places[mine.source["id"]] = ann._record(key)
    ann.change(mine.source["id"], {}, status="discarded")
    pulled = Campaign(trip.folder).pull()
    assert (pulled.changes.new, pulled.changes.edited) == (0, 1)
    changed = [line for line in trip.lines() if line != before[line["record"], line["annotator"]]]
    assert [(line["record"], line["status"], line["revision"]) for line in changed] == [(key, "discarded", 2)]
    assert changed[0]["created_at"] == before[key, changed[0]["annotator"]]["created_at"]
    ann.close()
    server.close()


def test_imported_answers_are_no_ground_truth(trip: Trip) -> None:
    """Label Studio's default says so of what is imported."""
    Campaign(trip.folder).migrate(trip.back(), project=f"{trip.title} beside")
    server = LabelStudio(trip.label_studio.url, trip.label_studio.token)
    remote = server.ensure(Project(f"{trip.title} beside", trip.template), create=False)
    listed = server._http.request(
        "GET", "/api/tasks/", params={"project": remote.id, "page_size": 100, "fields": "all"}, what="list"
    )
    annotations = [annotation for task in listed["tasks"] for annotation in task["annotations"]]
    assert len(annotations) == len(ANSWERS[trip.template.name])
    assert not any(annotation["ground_truth"] for annotation in annotations)
    assert {annotation["lead_time"] for annotation in annotations} == {4}
    server.close()


@pytest.mark.parametrize("trip", ["review"], indirect=True)
def test_lost_replies_neither_lose_nor_double_an_answer(trip: Trip) -> None:
    before = trip.lines()
    count = len(before)
    names = {ANN: f"ann {trip.title}", BO: f"bo {trip.title}"}

    def losing(path: str) -> Meddling:
        """Every second reply to such a request is lost, after it was carried out."""
        seen = itertools.count()

        def meddle(request: httpx2.Request, real: httpx2.BaseTransport) -> httpx2.Response | None:
            if request.method in ("POST", "PUT") and path in request.url.path and next(seen) % 2 == 0:
                real.handle_request(request).read()
                raise httpx2.ReadError("the reply was lost", request=request)
            return None

        return Meddling(meddle)

    def run(to: dict[str, Any], **options: Any) -> None:
        """As often as it takes; each run goes on where the one before broke off."""
        for _ in range(count):
            with suppress(UnknownOutcome):
                assert Campaign(trip.folder).migrate(to, **options).complete
                return
        pytest.fail("it never ended")

    workspace, key = trip.argilla.workspace, trip.argilla.api_key
    argilla = Argilla(trip.argilla.url, key, workspace, transport=losing("/records/bulk"))
    run(trip.there(), annotators=names, create_annotators=True, server=argilla)
    assert trip.lines() == before
    assert Campaign(trip.folder).pull().changes.new == 0

    label_studio = LabelStudio(trip.label_studio.url, trip.label_studio.token, transport=losing("/annotations/"))
    back = {new: old for old, new in names.items()}
    run(trip.back(), project=f"{trip.title} back", annotators=back, server=label_studio)
    assert trip.lines() == before
    assert Campaign(trip.folder).pull().changes.new == 0
    held = [a for page in label_studio.changes() for answered in page.records for a in answered.annotations]
    assert len(held) == len({(a.record, a.annotator) for a in held}) == count
    argilla.close()
    label_studio.close()
