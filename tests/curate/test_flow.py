"""Curation in a campaign: what its steps do before a push and before an export, and what they never undo."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.campaign import Campaign
from bridge.curate.flow import Curation
from bridge.curate.settings import Step
from bridge.errors import ConfigError, ExportError
from bridge.records import Edited, Record, record_key
from bridge.servers.memory import MemoryServer

BLUE = "The sky is blue because the air scatters blue light more than it scatters red light."
MAIL = "Write to ann@mail.example about it, please."

ROWS = [
    {"id": "a", "prompt": "Why is the sky blue by day?", "response": BLUE, "task": "physics"},
    {"id": "b", "prompt": "Whom do I ask about it?", "response": MAIL, "task": "people"},
    {"id": "c", "prompt": "Add two and three.", "response": "It is  five.\u200b", "task": "sums"},
]


class Folder:
    """A campaign's folder, its file of records, and one who answers all of them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.server = MemoryServer()

    def campaign(
        self, rows: list[dict[str, Any]] | None = None, id_column: str | None = "id", **config: Any
    ) -> Campaign:
        if rows is not None:
            (self.path / "records.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        records: dict[str, Any] = {"path": "records.jsonl"} | ({"id": id_column} if id_column else {})
        settings = {
            "project": "Answers",
            "server": {"kind": "memory"},
            "records": records,
            "template": "review",
            **config,
        }
        (self.path / "campaign.yaml").write_text(json.dumps(settings))  # JSON is YAML
        return Campaign(self.path, server=self.server)

    def texts(self) -> dict[str, str]:
        """Key to the response that people see."""
        return {record["key"]: record["fields"]["response"] for record in self.server._held.records.values()}

    def approve(self, campaign: Campaign, rewrites: dict[str, str] | None = None) -> None:
        for key in self.texts():
            answers: dict[str, Any] = {"rating": 5, "label": "correct"}
            if rewrites and key in rewrites:
                answers |= {"label": "incorrect", "improved_response": rewrites[key]}
            self.server.annotate(key, "ann", answers)
        campaign.pull()

    def lines(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.path / "out" / name).read_text().splitlines()]

    def manifest(self, kind: str = "sft") -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.path / "out" / f"{kind}.manifest.json").read_text())
        return found


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def before_push(*steps: Any) -> dict[str, Any]:
    return {"curate": {"before_push": list(steps)}}


def before_export(*steps: Any) -> dict[str, Any]:
    return {"curate": {"before_export": list(steps)}}


def counts(told: list[dict[str, Any]], step: str) -> dict[str, Any]:
    (found,) = [one for one in told if one["step"] == step]
    return found


class TestPersonalData:
    def test_it_is_reported_before_a_push_even_if_nobody_asked(self, folder: Folder) -> None:
        result = folder.campaign(ROWS).push()
        assert counts(result.curate, "pii")["why"] == {"email": 1}
        assert folder.texts()["b"] == MAIL
        (found,) = folder.lines("pii.jsonl")
        assert (found["key"], found["field"], found["kind"]) == ("b", "response", "email")
        assert "ann@mail.example" not in json.dumps(found)

    def test_a_plan_tells_of_it_and_writes_nothing(self, folder: Folder) -> None:
        result = folder.campaign(ROWS).plan()
        assert counts(result.curate, "pii")["why"] == {"email": 1}
        assert not (folder.path / "out" / "pii.jsonl").exists()

    def test_a_campaign_can_demand_that_it_is_masked(self, folder: Folder) -> None:
        campaign = folder.campaign(ROWS, **before_push({"pii": {"mode": "mask"}}))
        assert counts(campaign.push().curate, "pii")["changed"] == 1
        assert folder.texts()["b"] == "Write to <EMAIL_1> about it, please."

    def test_what_was_masked_is_masked_in_the_training_set_and_counts_as_unchanged(self, folder: Folder) -> None:
        campaign = folder.campaign(ROWS, **before_push({"pii": {"mode": "mask"}}))
        campaign.push()
        folder.approve(campaign)
        campaign.export(["sft"])
        assert "<EMAIL_1>" in (folder.path / "out" / "sft.plain.jsonl").read_text()
        assert "ann@mail" not in (folder.path / "out" / "sft.plain.jsonl").read_text()
        assert campaign.plan().nothing_to_do

    def test_it_can_be_left_alone(self, folder: Folder) -> None:
        result = folder.campaign(ROWS, **before_push({"pii": {"mode": "none"}})).push()
        assert result.curate == []

    def test_records_that_people_have_are_not_looked_through_again(self, folder: Folder) -> None:
        folder.campaign(ROWS).push()
        more = {"id": "d", "prompt": "And whom else?", "response": "Bo: bo@mail.example"}
        result = folder.campaign([*ROWS, more]).push()
        assert counts(result.curate, "pii")["why"] == {"email": 2}
        assert [line["key"] for line in folder.lines("pii.jsonl")] == ["b", "d"]

    def test_without_the_list_of_findings_all_are_looked_through_again(self, folder: Folder) -> None:
        folder.campaign(ROWS).push()
        (folder.path / "out" / "pii.jsonl").unlink()
        assert counts(folder.campaign(ROWS).push().curate, "pii")["why"] == {"email": 1}
        assert len(folder.lines("pii.jsonl")) == 1

    def test_peoples_rewrites_are_looked_through_at_the_export(self, folder: Folder) -> None:
        campaign = folder.campaign(ROWS)
        campaign.push()
        folder.approve(campaign, {"a": "Ask bo@mail.example, who knows."})
        (result,) = campaign.export(["sft"])
        assert counts(result.told["curate"]["before_export"], "pii")["why"] == {"email": 2}
        assert {line["key"] for line in folder.lines("pii.export.jsonl")} == {"a", "b"}
        assert "bo@mail.example" in (folder.path / "out" / "sft.plain.jsonl").read_text()

    def test_peoples_rewrites_can_be_masked_too(self, folder: Folder) -> None:
        campaign = folder.campaign(ROWS, **before_export({"pii": {"mode": "mask"}}))
        campaign.push()
        folder.approve(campaign, {"a": "Ask bo@mail.example, who knows."})
        campaign.export(["sft", "dpo"])
        for name in ("sft.plain.jsonl", "sft.conversational.jsonl", "dpo.plain.jsonl"):
            text = (folder.path / "out" / name).read_text()
            assert "mail.example" not in text
            assert "Ask <EMAIL_1>, who knows." in text


class TestChangedTexts:
    def test_records_keep_their_keys(self, folder: Folder) -> None:
        rows = [{key: value for key, value in row.items() if key != "id"} for row in ROWS]
        folder.campaign(rows, None, **before_push("clean")).push()
        key = record_key({"prompt": ROWS[2]["prompt"], "response": ROWS[2]["response"]})
        assert folder.texts()[key] == "It is five."

    def test_a_second_push_changes_nothing(self, folder: Folder) -> None:
        rows = [{key: value for key, value in row.items() if key != "id"} for row in ROWS]
        campaign = folder.campaign(rows, None, **before_push("clean", {"pii": {"mode": "mask"}}))
        assert campaign.push().sent == 3
        again = campaign.push()
        assert (again.sent, again.updated, again.present) == (0, 0, 3)

    def test_a_step_that_is_added_later_is_seen_to_change_texts(self, folder: Folder) -> None:
        rows = [{key: value for key, value in row.items() if key != "id"} for row in ROWS]
        folder.campaign(rows, None).push()
        campaign = folder.campaign(rows, None, **before_push("clean"))
        assert campaign.plan().update == 1
        assert campaign.push().updated == 1
        assert "It is five." in folder.texts().values()

    def test_what_was_there_before_stands_in_the_history_of_the_record(self, folder: Folder) -> None:
        campaign = folder.campaign(ROWS, **before_push("clean"))
        record = next(record for record in campaign.records() if record.key == "c")
        assert record.metadata["history"][0]["before"] == ROWS[2]["response"]
        assert isinstance(record, Edited)


class TestLeftOut:
    NEAR = ROWS[0] | {"id": "d", "response": BLUE.replace("The sky", "the sky")}

    def test_what_a_step_drops_is_not_pushed_and_listed_with_its_reason(self, folder: Folder) -> None:
        result = folder.campaign([*ROWS, self.NEAR], **before_push("dedup")).push()
        assert result.sent == 3
        (case,) = folder.lines("curated.jsonl")
        assert (case["key"], case["step"], case["rule"], case["kept"]) == ("d", "dedup", "near", "a")
        assert counts(result.curate, "dedup")["dropped"] == 1

    def test_a_plan_knows_how_many_would_be_sent(self, folder: Folder) -> None:
        result = folder.campaign([*ROWS, self.NEAR], **before_push("dedup")).plan()
        assert (result.create, counts(result.curate, "dedup")["why"]) == (3, {"near": 1})

    def test_a_better_record_that_comes_later_does_not_take_a_places(self, folder: Folder) -> None:
        config = before_push("dedup")
        folder.campaign([row | {"score": 1} for row in ROWS], **config).push()
        result = folder.campaign([self.NEAR | {"score": 9}, *(row | {"score": 1} for row in ROWS)], **config).push()
        assert (result.sent, result.present) == (0, 3)
        assert [case["key"] for case in folder.lines("curated.jsonl")] == ["d"]

    def test_nor_if_the_ledger_was_lost(self, folder: Folder) -> None:
        config = before_push("dedup")
        folder.campaign([row | {"score": 1} for row in ROWS], **config).push()
        (folder.path / ".annobridge" / "ledger.db").unlink()
        result = folder.campaign([self.NEAR | {"score": 9}, *(row | {"score": 1} for row in ROWS)], **config).push()
        assert (result.sent, result.present) == (0, 3)

    def test_a_sample_keeps_what_people_have_as_the_file_grows(self, folder: Folder) -> None:
        config = before_push({"sample": {"size": 4}})
        rows = [{"id": f"r{n}", "prompt": f"{n} + 2?", "response": f"{n + 2}"} for n in range(40)]
        folder.campaign(rows[:10], **config).push()
        before = set(folder.texts())
        result = folder.campaign(rows, **config).push()
        assert (result.sent, len(before)) == (0, 4)
        assert set(folder.texts()) == before

    def test_a_cap_is_filled_up_by_later_records(self, folder: Folder) -> None:
        rows = [{"id": f"r{n}", "prompt": f"{n} + 2?", "response": f"{n + 2}", "task": "sums"} for n in range(9)]
        folder.campaign(rows[:2], **before_push({"balance": {"by": "task", "cap": 3}})).push()
        assert folder.campaign(rows, **before_push({"balance": {"by": "task", "cap": 3}})).push().sent == 1

    def test_evaluation_items_are_left_out(self, folder: Folder) -> None:
        (folder.path / "eval.jsonl").write_text('{"question": "Whom do I ask about it?"}\n')
        result = folder.campaign(ROWS, **before_push({"decontaminate": {"against": "eval.jsonl"}})).push()
        assert counts(result.curate, "decontaminate")["why"] == {"containment": 1}
        assert sorted(folder.texts()) == ["a", "c"]

    def test_steps_run_in_their_order(self, folder: Folder) -> None:
        rows = [ROWS[0], ROWS[0] | {"id": "x", "response": f"{BLUE}\u200b"}, *ROWS[1:]]
        result = folder.campaign(
            rows, **before_push("clean", {"dedup": {"method": "exact"}}, {"sample": {"size": 2}})
        ).push()
        told = {one["step"]: (one["read"], one["dropped"]) for one in result.curate}
        assert told == {"clean": (4, 0), "dedup": (4, 1), "sample": (3, 1), "pii": (2, 0)}

    def test_rows_of_an_export_are_dropped_with_a_reason(self, folder: Folder) -> None:
        campaign = folder.campaign([*ROWS, self.NEAR], **before_export("dedup"))
        campaign.push()
        folder.approve(campaign)
        (result,) = campaign.export(["sft"])
        assert (result.kept, result.counts) == (3, {"curated": 1})
        (case,) = folder.lines("sft.dropped.jsonl")
        assert (case["record"], case["reason"], case["text"]) == ("d", "curated", "dedup: near (1), like a")

    def test_rows_can_be_chosen_by_what_their_records_carry(self, folder: Folder) -> None:
        rows = [row | {"licence": licence} for row, licence in zip(ROWS, ["MIT", "GPL-3.0", None], strict=True)]
        campaign = folder.campaign(rows, **before_export({"licences": {"allow": "MIT"}}))
        campaign.push()
        folder.approve(campaign)
        assert [row.kept for row in campaign.export(["sft"])] == [1]

    def test_an_export_that_drops_everything_writes_nothing_and_says_why(self, folder: Folder) -> None:
        campaign = folder.campaign(ROWS, **before_export({"licences": {"allow": "MIT"}}))
        campaign.push()
        folder.approve(campaign)
        with pytest.raises(ExportError, match="curated: 3"):
            campaign.export(["sft"])


class TestManifest:
    def test_it_says_what_every_step_did(self, folder: Folder) -> None:
        config = {"curate": {"before_push": ["clean"], "before_export": ["clean", {"pii": {"mode": "mask"}}]}}
        campaign = folder.campaign(ROWS, **config)
        campaign.push()
        folder.approve(campaign)
        campaign.export(["sft"])
        told = folder.manifest()["curate"]
        assert counts(told["before_push"], "clean")["changed"] == 1
        assert counts(told["before_export"], "clean") == {
            "step": "clean",
            "read": 3,
            "changed": 0,
            "dropped": 0,
            "why": {},
        }
        assert counts(told["before_export"], "pii")["why"] == {"email": 1}

    def test_it_is_the_same_after_a_push_that_sent_nothing(self, folder: Folder) -> None:
        campaign = folder.campaign(ROWS)
        campaign.push()
        folder.approve(campaign)
        campaign.export(["sft"])
        before = folder.manifest()
        campaign.push()
        campaign.export(["sft"])
        assert folder.manifest() == before


class TestConfig:
    @pytest.mark.parametrize(
        ("steps", "reason"),
        [
            (["wash"], "wash"),
            ([{"dedup": {"treshold": 0.5}}], "treshold"),
            ([{"dedup": {"threshold": 2}}], "threshold"),
            ([{"clean": {}, "pii": {}}], "one name"),
            ([{"balance": {}}], "by"),
            ([7], "before_push"),
            ("clean", "before_push"),
        ],
    )
    def test_what_cannot_be_right_is_named_with_its_line(self, folder: Folder, steps: Any, reason: str) -> None:
        with pytest.raises(ConfigError, match=reason) as error:
            folder.campaign(ROWS, curate={"before_push": steps})
        assert "campaign.yaml:" in error.value.reason

    def test_a_step_is_a_name_or_a_name_with_settings(self) -> None:
        named = [Step.model_validate(step).named for step in ("dedup", {"dedup": None}, {"dedup": {"threshold": 0.8}})]
        assert [(name, getattr(wanted, "threshold", 0)) for name, wanted in named] == [
            ("dedup", None),
            ("dedup", None),
            ("dedup", 0.8),
        ]


WORDS = st.sampled_from(["a", " ", "\u200b", "&amp;", "é", "ann@mail.example ", "\n"])
TEXTS = st.lists(WORDS, max_size=8).map("".join)


@given(st.lists(TEXTS, min_size=1, max_size=6))
def test_a_record_reads_the_same_alone_and_among_others(texts: list[str]) -> None:
    curation = Curation([Step.model_validate(step) for step in ("clean", {"pii": {"mode": "mask"}})])
    records = [Record(f"r{n}", {"prompt": "Why is it so?", "response": text}) for n, text in enumerate(texts)]
    pushed = {record.key: record for record in curation.run(records)}
    assert all(curation.change(record) == pushed[record.key] for record in records if record.key in pushed)


@given(st.lists(TEXTS, max_size=6), st.sets(st.integers(0, 5)))
def test_whatever_is_held_goes_on(texts: list[str], held: set[int]) -> None:
    listed = ("clean", "dedup", {"sample": {"size": 1}}, {"licences": {"allow": "MIT"}})
    records = [Record(f"r{n}", {"prompt": "Why?", "response": text}) for n, text in enumerate(texts)]
    keys = {f"r{n}" for n in held}
    run = Curation([Step.model_validate(step) for step in listed]).run(records, held=keys)
    kept = {record.key for record in run}
    assert kept >= keys & {record.key for record in records}
    assert kept | {case.key for case in run.dropped} == {record.key for record in records}
