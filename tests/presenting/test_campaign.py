"""Campaigns that present their records otherwise than they are: the whole loop, with people who look and who do not."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from bridge.campaign import Campaign
from bridge.errors import ConfigError, Conflict, InputError
from bridge.merging.audits import position_bias
from bridge.presenting import Evidence
from bridge.records import Record
from bridge.servers.memory import LIKE_LABEL_STUDIO, MemoryServer

Chooser = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""What somebody answers who sees these fields."""

ROWS = [{"id": f"r{n}", "prompt": f"{n} + {n}?", "response_a": str(2 * n), "response_b": "no idea"} for n in range(24)]
CONTROLS = [
    {
        "id": f"c{n}",
        "prompt": f"{n} - {n}?",
        "response_a": "who knows",
        "response_b": "0",
        "expected": {"preference": "B"},
    }
    for n in range(1, 9)
]


def by_content(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Prefers the answer that is a number, wherever it stands."""
    return {"preference": "A" if fields["response_a"].isdigit() else "B"}


def always_left(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {"preference": "A"}


class Folder:
    """A campaign in which two answers are compared, and the people who work in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.server = MemoryServer(profile=LIKE_LABEL_STUDIO)
        self.lines("records.jsonl", ROWS)
        self.lines("controls.jsonl", CONTROLS)
        self.config()

    def lines(self, name: str, rows: list[dict[str, Any]]) -> None:
        (self.path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))

    def config(self, **more: Any) -> None:
        settings = {
            "project": "Which is better",
            "server": {"kind": "memory"},
            "records": {"path": "records.jsonl", "id": "id"},
            "template": "preference",
            "exports": {"to": ["dpo"]},
            **more,
        }
        (self.path / "campaign.yaml").write_text(json.dumps(settings))  # JSON is YAML

    def open(self, **flags: Any) -> Campaign:
        return Campaign(self.path, flags, server=self.server)

    def there(self) -> dict[str, dict[str, Any]]:
        """The records as the server holds them."""
        return {held["key"]: held for held in self.server._held.records.values()}

    def answered(self, **people: Chooser) -> Campaign:
        """The campaign after a push, everybody's answers to everything, and a pull."""
        self.open().push()
        for name, choose in people.items():
            for key, held in self.there().items():
                self.server.annotate(key, name, choose(held["fields"]))
        self.open().pull()
        return self.open()

    def rows(self, name: str = "dpo.plain.jsonl") -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.path / "out" / name).read_text().splitlines()]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


BLIND: dict[str, Any] = {"blind": {"seed": 20260101}}
CONTROLLED: dict[str, Any] = {"controls": {"records": "controls.jsonl", "share": 0.2, "seed": 3}}


# -- blind order


def test_rows_are_right_whatever_stood_where(folder: Folder) -> None:
    folder.config(**BLIND)
    campaign = folder.answered(ann=by_content)
    firsts = [held["fields"]["response_a"].isdigit() for held in folder.there().values()]
    assert 4 < sum(firsts) < 20, "the order is drawn by lot"
    campaign.export()
    assert {(row["chosen"], row["rejected"]) for row in folder.rows()} == {
        (r["response_a"], r["response_b"]) for r in ROWS
    }


def test_who_always_takes_the_left_one_is_found(folder: Folder) -> None:
    folder.config(**BLIND)
    campaign = folder.answered(ann=always_left)
    assert {annotation.answers["preference"] for annotation in campaign.annotations()} == {"A", "B"}
    (bias,) = position_bias(campaign.evidence().won)
    assert (bias.share, bias.expected, bias.low > 0.6) == (1.0, 0.5, True)


def test_the_store_keeps_answers_as_they_came_and_everything_made_of_it_has_them_undone(folder: Folder) -> None:
    folder.config(**BLIND)
    campaign = folder.answered(ann=always_left)
    store = (folder.path / ".annobridge" / "feedback.jsonl").read_text().splitlines()
    assert {json.loads(line)["answers"]["preference"] for line in store} == {"A"}
    orders = {a.record: a.source["order"] for a in campaign.annotations()}
    for merged in campaign.merge().kept:
        chosen = "response_a" if merged.answers["preference"].value == "A" else "response_b"
        assert orders[merged.record].startswith(chosen)


def test_suggestions_stand_with_the_response_that_they_are_for(folder: Folder) -> None:
    folder.lines("records.jsonl", [{**row, "preference": "A"} for row in ROWS])
    folder.config(**BLIND)
    folder.open().push()
    for held in folder.there().values():
        (suggestion,) = held["suggestions"]
        assert held["fields"]["response_" + suggestion["value"].lower()].isdigit()


def test_with_hash_keys_nothing_there_is_the_hash_of_a_record(folder: Folder) -> None:
    folder.config(**BLIND, records="records.jsonl")
    campaign = folder.answered(ann=by_content)
    ours = {record.key for record in campaign.records()}
    for key, held in folder.there().items():
        assert {key, held["content"]}.isdisjoint(ours | {Record("", held["fields"]).key})
    assert {annotation.record for annotation in campaign.annotations()} == ours
    campaign.export()
    assert {row["chosen"] for row in folder.rows()} == {row["response_a"] for row in ROWS}


def test_a_second_push_sends_nothing_and_the_doctor_finds_nothing(folder: Folder) -> None:
    for records in ("records.jsonl", {"path": "records.jsonl", "id": "id"}):
        folder.config(**BLIND, **CONTROLLED, records=records, project=f"Blind {len(str(records))}")
        first = folder.open().push()
        again = folder.open().push()
        assert (again.sent, again.present, again.complete) == (0, first.sent, True)
        assert folder.open().plan().nothing_to_do
        assert folder.open().doctor().healthy


def test_another_seed_is_a_conflict_that_names_reason_and_remedy(folder: Folder) -> None:
    folder.config(**BLIND)
    folder.answered(ann=by_content)
    for other in ({"blind": {"seed": 2}}, {}, {**BLIND, "anchoring": {"share": 0.1, "seed": 1}}):
        folder.config(**other)
        for command in (folder.open().push, folder.open().pull, folder.open().status):
            with pytest.raises(Conflict, match="with other settings of `blind` or `anchoring`") as caught:
                command()
            assert "use the template and the settings that it was made with" in caught.value.remedy


def test_answers_are_not_read_by_another_seed_without_the_server_either(folder: Folder) -> None:
    folder.config(**BLIND)
    folder.answered(ann=by_content)
    folder.config(blind={"seed": 2})
    for command in (folder.open().merge, folder.open().export, folder.open().annotations):
        with pytest.raises(ConfigError, match="are not what they were when people answered"):
            command()


def test_a_campaign_that_was_not_blind_stays_so(folder: Folder) -> None:
    folder.answered(ann=by_content)
    folder.config(**BLIND)
    with pytest.raises(ConfigError, match="are not what they were when people answered"):
        folder.open().merge()
    folder.config()
    assert len(folder.open().merge().kept) == len(ROWS)


def test_a_lost_ledger_is_made_anew_from_the_server(folder: Folder) -> None:
    folder.config(**BLIND)
    before = folder.answered(ann=by_content).merge().kept
    for path in (folder.path / ".annobridge").glob("ledger.db*"):
        path.unlink()
    assert folder.open().pull().changes.new == 0
    assert folder.open().merge().kept == before


def test_a_template_that_cannot_be_blind_is_refused_when_the_campaign_is_opened(folder: Folder) -> None:
    folder.config(**BLIND, template="review")
    with pytest.raises(
        ConfigError, match=r"campaign\.yaml: blind: the template 'review' has no question that compares"
    ):
        folder.open()


def test_an_answer_to_a_record_that_is_not_in_the_file_any_more_is_named_and_not_guessed(folder: Folder) -> None:
    folder.config(**BLIND)
    folder.answered(ann=by_content)
    folder.lines("records.jsonl", ROWS[1:])
    result = folder.open().merge()
    assert [(p.record, p.question, p.kind) for p in result.problems] == [("r0", "preference", "invalid")]
    assert "nobody can tell in which order it was shown" in result.problems[0].reason
    assert {merged.record: merged.answers["preference"].outcome for merged in result.kept}["r0"] == "abstained"
    assert folder.rows("problems.jsonl")[0]["value"] in ("A", "B")
    found, lost = folder.open().answers()
    assert [(p.record, p.question) for p in lost] == [("r0", "preference")]
    assert next(annotation for annotation in found if annotation.record == "r0").answers == {}


def test_a_pull_checks_answers_as_answers_to_the_records_as_they_are(folder: Folder) -> None:
    folder.lines("records.jsonl", [{"id": "r", "prompt": "?", **{f"response_{n}": str(n) for n in (1, 2, 3)}}])
    folder.config(**BLIND, template="ranking")
    folder.open().push()
    folder.server.annotate("r", "ann", {"ranking": {"response_1": 1, "response_9": 2}})
    problems = folder.open().pull().problems
    assert [problem["reason"] for problem in problems] == ["ranking: 'response_9' is not one of the ranked items"]
    folder.server.annotate("r", "ann", {"ranking": {"response_1": 1, "response_2": 2, "response_3": 3}})
    assert folder.open().pull().problems == []
    (answer,) = folder.open().annotations()
    assert sorted(answer.answers["ranking"], key=answer.answers["ranking"].get) == answer.source["order"].split()


def test_a_text_that_changed_after_an_answer_is_shown_in_an_order_of_its_own(folder: Folder) -> None:
    folder.config(**BLIND)
    folder.answered(ann=by_content)
    changed = [{**row, "prompt": f"{row['prompt']} Really?"} for row in ROWS]
    folder.lines("records.jsonl", changed)
    pushed = folder.open().push(on_change="new")
    assert pushed.sent == len(ROWS)
    for key, held in folder.there().items():
        if "@" in key:
            folder.server.annotate(key, "ann", by_content(held["fields"]))
    folder.open().pull()
    campaign = folder.open()
    campaign.export()
    assert {(row["prompt"], row["chosen"]) for row in folder.rows()} == {
        (r["prompt"], r["response_a"]) for r in changed
    }
    assert campaign.plan().nothing_to_do


def test_a_text_that_took_the_place_of_another_counts_by_its_own_order(folder: Folder) -> None:
    folder.config(**BLIND)
    folder.answered(ann=by_content)
    folder.lines("records.jsonl", [{**row, "prompt": f"{row['prompt']} Really?"} for row in ROWS])
    assert folder.open().push(on_change="stale").updated == len(ROWS)
    folder.open().pull(full=True)
    assert {case.reason for case in folder.open().merge().dropped} == {"changed"}
    for key, held in folder.there().items():
        folder.server.annotate(key, "ann", by_content(held["fields"]))
    folder.open().pull()
    folder.open().export()
    assert {row["chosen"] for row in folder.rows()} == {row["response_a"] for row in ROWS}


def test_a_migration_takes_answers_along_in_the_order_in_which_they_were_given(folder: Folder) -> None:
    folder.config(**BLIND, **CONTROLLED)
    before = folder.answered(ann=by_content).merge().kept
    other = MemoryServer(profile=LIKE_LABEL_STUDIO)
    moved = folder.open().migrate({"kind": "memory"}, project="Elsewhere", create_annotators=True, server=other)
    assert moved.complete
    folder.server = other
    campaign = folder.open()
    assert {m.record: m.answers["preference"].value for m in campaign.merge().kept} == {
        m.record: m.answers["preference"].value for m in before
    }
    assert campaign.pull(full=True).changes.edited == 0
    assert campaign.push().sent == 0


# -- controls


def test_controls_are_pushed_among_the_records_and_look_like_them(folder: Folder) -> None:
    folder.config(**CONTROLLED)
    plan, pushed = folder.open().plan(), folder.open().push()
    assert 5 <= pushed.controls <= 7
    assert (plan.controls, plan.controls_missing, plan.create) == (pushed.controls, 0, pushed.sent)
    assert pushed.sent == len(ROWS) + pushed.controls
    assert len({tuple(held) for held in folder.there().values()}) == 1
    assert not any("expected" in json.dumps(held) for held in folder.there().values())
    order = "".join(key[0] for key in folder.there())
    assert order.strip("c").count("c") >= 2, "they stand between the records"


def test_with_hash_keys_a_control_cannot_be_told_from_a_record(folder: Folder) -> None:
    folder.config(**CONTROLLED, records="records.jsonl")
    folder.lines("controls.jsonl", [{k: v for k, v in row.items() if k != "id"} for row in CONTROLS])
    folder.open().push()
    shapes = {(len(key), tuple(held), held["content"] == key) for key, held in folder.there().items()}
    assert shapes == {(32, tuple(next(iter(folder.there().values()))), True)}


def test_no_control_ever_reaches_an_export_or_a_merge(folder: Folder) -> None:
    folder.config(**CONTROLLED)
    campaign = folder.answered(ann=by_content, bo=by_content)
    assert not any(annotation.record.startswith("c") for annotation in campaign.annotations())
    assert {merged.record for merged in campaign.merge().kept} == {row["id"] for row in ROWS}
    campaign.export()
    assert {row["prompt"] for row in folder.rows()} == {row["prompt"] for row in ROWS}
    manifest = (folder.path / "out" / "dpo.manifest.json").read_text()
    assert '"c1"' not in manifest


def test_a_record_that_is_also_a_control_is_a_control(folder: Folder) -> None:
    texts = {**CONTROLS[1], "id": "r99"}
    del texts["expected"]
    folder.lines("records.jsonl", [*ROWS, {**ROWS[0], "id": "c1"}, texts])
    folder.config(**CONTROLLED)
    pushed = folder.open().push()
    assert [(reject.line, reject.key) for reject in pushed.rejected] == [(25, "c1"), (26, "r99")]
    assert all("it is a control item" in reject.reason for reject in pushed.rejected)
    campaign = folder.answered(ann=by_content)
    assert {merged.record for merged in campaign.merge().kept} == {row["id"] for row in ROWS}


def test_a_control_that_is_not_asked_for_is_no_record_either(folder: Folder) -> None:
    folder.lines("records.jsonl", [*ROWS, *({k: v for k, v in row.items() if k != "expected"} for row in CONTROLS)])
    folder.config(controls={"records": "controls.jsonl", "share": 0.01, "seed": 3})
    campaign = folder.answered(ann=by_content)
    campaign.export()
    assert {row["prompt"] for row in folder.rows()} == {row["prompt"] for row in ROWS}


def test_too_few_controls_for_the_share_are_named(folder: Folder) -> None:
    folder.lines("controls.jsonl", CONTROLS[:2])
    folder.config(**CONTROLLED)
    pushed = folder.open().push()
    assert pushed.controls == 2
    assert 3 <= pushed.controls_missing <= 5
    assert pushed.to_dict()["controls_missing"] == pushed.controls_missing


def test_a_file_that_grows_gets_further_controls(folder: Folder) -> None:
    folder.config(**CONTROLLED)
    folder.lines("records.jsonl", ROWS[:12])
    first = folder.open().push()
    folder.lines("records.jsonl", ROWS)
    second = folder.open().push()
    assert second.sent == 12 + second.controls - first.controls
    assert second.controls > first.controls


def test_people_are_judged_by_their_answers_to_controls(folder: Folder) -> None:
    for settings in (CONTROLLED, {**CONTROLLED, **BLIND}):
        folder.config(**settings, project=f"Controlled {len(settings)}")
        campaign = folder.answered(ann=by_content, bo=lambda fields: {"preference": "tie"})
        right: dict[str, set[bool]] = {}
        for answer in campaign.evidence().controls:
            right.setdefault(campaign.people()[answer.annotator], set()).add(answer.right)
        assert right == {"ann": {True}, "bo": {False}}


def test_who_is_right_about_controls_can_weigh_more(folder: Folder) -> None:
    folder.lines(
        "controls.jsonl", [{**row, "id": f"c{n}", "prompt": f"{n}?"} for n in range(99) for row in CONTROLS[:1]]
    )
    controls = {"records": "controls.jsonl", "share": 0.5, "seed": 3}
    for weights, value in (("none", None), ("controls", "A")):
        folder.config(controls=controls, merge={"weights": weights})
        campaign = folder.answered(ann=by_content, bo=lambda fields: {"preference": "tie"})
        values = {merged.answers["preference"].value for merged in campaign.merge().kept}
        assert values == {value}, weights


def test_without_an_answer_to_a_control_all_count_alike_and_the_merge_says_so(folder: Folder) -> None:
    folder.config(controls={"records": "controls.jsonl", "share": 0.0001, "seed": 3}, merge={"weights": "controls"})
    result = folder.answered(ann=by_content).merge()
    assert [doubt.kind for doubt in result.warnings] == ["single_annotator", "not_weighed"]
    assert "weights" not in result.rule


def test_weights_need_controls(folder: Folder) -> None:
    folder.config(merge={"weights": "controls"})
    with pytest.raises(ConfigError, match=r"merge\.weights: there are no controls to weigh by"):
        folder.open()


def test_a_wrong_control_stops_a_push_before_anything_is_sent(folder: Folder) -> None:
    folder.lines("controls.jsonl", [*CONTROLS, {**ROWS[0], "id": "c9", "expected": {"preference": "C"}}])
    folder.config(**CONTROLLED)
    for command in (folder.open().check, folder.open().plan, folder.open().push, folder.open().merge):
        with pytest.raises(InputError, match=r"controls\.jsonl:9: preference: 'C' is not one of its labels"):
            command()


def test_a_control_with_more_responses_than_any_record_has_room_on_the_page(folder: Folder) -> None:
    short = [{"id": f"r{n}", "prompt": "?", "response_1": f"a{n}", "response_2": "b"} for n in range(9)]
    long = {"id": "c", "prompt": "!", **{f"response_{n}": str(n) for n in range(1, 6)}}
    folder.lines("records.jsonl", short)
    folder.lines("controls.jsonl", [{**long, "expected": {"ranking": {"response_1": 1, "response_5": 2}}}])
    folder.config(template="ranking", controls={"records": "controls.jsonl", "share": 0.4, "seed": 1})
    folder.open().push()
    assert folder.server._held.repeats == 5


# -- hidden suggestions


def test_suggestions_are_hidden_on_a_share_of_records_and_answers_say_where(folder: Folder) -> None:
    folder.lines("records.jsonl", [{**row, "preference": "B"} for row in ROWS])
    folder.config(anchoring={"share": 0.4, "seed": 2})
    campaign = folder.answered(ann=by_content)
    hidden = {key for key, held in folder.there().items() if not held["suggestions"]}
    assert 4 < len(hidden) < 16
    assert {a.record for a in campaign.annotations() if a.source.get("suggestions") == "hidden"} == hidden
    cases = campaign.evidence().compared
    assert {case.record for case in cases if not case.shown} == hidden
    assert len(cases) == len(ROWS)
    assert not any(case.equals for case in cases)


def test_texts_that_a_question_starts_with_are_shown_all_the_same(folder: Folder) -> None:
    rows = [{"id": f"r{n}", "prompt": f"{n}?", "response": "4", "rating": 2} for n in range(20)]
    folder.lines("records.jsonl", rows)
    folder.config(template="review", anchoring={"share": 0.5, "seed": 2}, exports={"to": ["sft"]})
    folder.open().push()
    shown = [{suggestion["question"] for suggestion in held["suggestions"]} for held in folder.there().values()]
    assert {frozenset(questions) for questions in shown} == {
        frozenset({"rating", "improved_response"}),
        frozenset({"improved_response"}),
    }


def test_a_hidden_suggestion_is_not_lost(folder: Folder) -> None:
    folder.lines("records.jsonl", [{**row, "preference": "B"} for row in ROWS])
    folder.config(anchoring={"share": 0.4, "seed": 2})
    folder.open().push()
    assert folder.open().push().repaired == 0
    assert folder.open().doctor().healthy


def test_a_campaign_that_shows_records_as_they_are_has_no_such_evidence(folder: Folder) -> None:
    assert folder.answered(ann=by_content).evidence() == Evidence()
