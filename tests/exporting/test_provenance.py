"""Every row of a campaign's export is answerable for: where it comes from, who judged it, by which rules."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from bridge.records import canonical_json
from tests.adjudication.working import ANN, BO, Working

ROWS = [
    {"id": "a", "prompt": "2 + 2?", "response": "4", "model": "m-7b", "licence": "MIT"},
    {"id": "b", "prompt": "2 + 3?", "response": "6", "model": "m-7b", "licence": "CC-BY-4.0"},
]


@pytest.fixture
def work(tmp_path: Path) -> Working:
    work = Working(tmp_path, ROWS, exports={"to": ["sft"], "formats": ["plain"], "files": ["jsonl", "parquet"]})
    work.campaign.push()
    for person in (ANN, BO):
        work.answer("a", person, rating=5, label="correct")
    work.answer("b", ANN, rating=2, label="incorrect", improved_response="5")
    work.campaign.pull()
    work.campaign.export()
    return work


def name(work: Working, person: str) -> str:
    (pseudonym,) = [pseudonym for pseudonym, who in work.campaign.people().items() if who == person]
    return pseudonym


def test_a_row_says_which_record_people_and_model_it_comes_from_and_under_which_licence(work: Working) -> None:
    first, second = work.manifest("sft")["rows"]
    ann, bo = name(work, ANN), name(work, BO)
    assert (first["record"], first["model"], first["licence"]) == ("a", "m-7b", "MIT")
    assert first["annotators"] == sorted([ann, bo])
    assert first["revisions"] == {ann: 1, bo: 1}
    assert (second["licence"], second["source"], second["annotators"]) == ("CC-BY-4.0", "use: improved_response", [ann])
    assert not any("example.org" in json.dumps(row) for row in (first, second))


def test_the_manifest_says_which_server_project_template_rule_and_settings(work: Working) -> None:
    manifest, campaign = work.manifest("sft"), work.campaign
    last = campaign.state.last()
    assert manifest["origin"]["campaign"] == "Sums"
    assert (manifest["origin"]["server"], manifest["origin"]["project"]) == (last["server"], last["project"])
    body = campaign.template.model_dump(mode="json")
    assert manifest["template"]["sha256"] == hashlib.sha256(canonical_json(body)).hexdigest()
    assert manifest["merge"] == campaign.merge().rule
    assert manifest["settings"] == campaign.config.exports.model_dump(mode="json")
    assert {"warnings", "curate", "records", "annobridge", "pyarrow"} <= manifest.keys()


def test_every_step_says_how_many_it_read_and_stopped(work: Working) -> None:
    manifest = work.manifest("sft")
    assert [step["read"] for step in manifest["curate"]["before_export"]] == [2]
    assert manifest["records"] == {"kept": 2, "dropped": {}}


def test_nothing_changed_means_the_same_bytes(work: Working) -> None:
    def there() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in (work.path / "out").rglob("*") if path.is_file()}

    before = there()
    work.campaign.pull(full=True)
    work.campaign.export()
    assert there() == before


def test_an_edited_answer_is_another_revision_and_a_reworded_one_another_content(work: Working) -> None:
    before = work.manifest("sft")["rows"]
    work.answer("a", ANN, rating=4, label="correct")
    work.answer("b", ANN, rating=2, label="incorrect", improved_response="five")
    work.campaign.pull()
    work.campaign.export()
    after = work.manifest("sft")["rows"]
    assert [row["revisions"][name(work, ANN)] for row in after] == [2, 2]
    assert [new["content"] == old["content"] for new, old in zip(after, before, strict=True)] == [True, False]
