"""A campaign moves: nothing of it is lost, doubled or changed, whatever happens on the way."""

from __future__ import annotations

import json
import os
import stat
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from bridge.annotations import Annotation
from bridge.campaign import Campaign
from bridge.errors import BridgeError, Conflict, Refused, UsageError
from bridge.migration import run
from bridge.servers.memory import MemoryServer
from tests.migration.moving import ANN, BO, CONFIG, NAMES, Moving, failing


@pytest.fixture
def moving(tmp_path: Path) -> Moving:
    return Moving(tmp_path)


# -- what is the same afterwards


def test_everybodys_answers_are_on_the_new_server(moving: Moving) -> None:
    result = moving.migrate()
    assert (result.pushed.sent, result.written, result.present, result.complete) == (4, 6, 0, True)
    assert moving.held() == {
        ("a", "ann"): [{"rating": 5, "label": "correct"}],
        ("a", "bo"): [{"rating": 4, "label": "correct"}],
        ("b", "ann"): [{"rating": 1, "label": "incorrect", "improved_response": "five 😀"}],
        ("b", "bo"): [{"rating": 1, "label": "harmful", "improved_response": "5"}],
        ("c", "ann"): ["discarded"],
        ("c", "bo"): [{"rating": 4, "label": "correct"}],
    }


def test_answers_times_pseudonyms_and_training_sets_are_the_same(moving: Moving) -> None:
    before, made = moving.lines(), moving.exports()
    moving.migrate()
    assert moving.here().config.project == "Elsewhere"
    assert moving.lines() == before
    assert moving.exports() == made
    pulled = moving.here().pull()
    assert (pulled.changes.new, pulled.changes.edited, pulled.changes.withdrawn) == (0, 0, 0)
    assert moving.lines() == before
    assert moving.exports() == made


def test_suggestions_go_along(moving: Moving) -> None:
    moving.migrate()
    moving.here().pull()
    assert all(remote.suggestions for (remote,) in moving.new.find("abcd").values())


def test_the_store_says_where_an_answer_was_given_and_where_it_is(moving: Moving) -> None:
    old = {(a.record, a.annotator): a.source for a in moving.here().annotations()}
    moving.migrate()
    for annotation in moving.here().annotations():
        before, now = old[annotation.record, annotation.annotator], annotation.source
        assert (now["server"], now["project"]) == ("memory", "Elsewhere")
        assert (now["from_server"], now["from_project"], now["from_id"]) == ("memory", "Sums", before["id"])
        assert now["imported_at"] > annotation.updated_at


def test_an_edit_on_the_new_server_is_a_revision_with_its_own_time(moving: Moving) -> None:
    before = {(a.record, a.annotator): a for a in moving.here().annotations()}
    moving.migrate()
    moving.new.annotate("c", "bo", {"rating": 5, "label": "correct"})
    assert moving.here().pull().changes.edited == 1
    (edited,) = [a for a in moving.here().annotations() if a.answers.get("rating") == 5 and a.record == "c"]
    old = before["c", edited.annotator]
    assert (edited.revision, edited.created_at) == (old.revision + 1, old.created_at)
    assert edited.updated_at > old.updated_at
    assert "imported_at" not in edited.source
    assert edited.source["from_id"] == old.source["id"]
    assert moving.here().pull(full=True).changes.edited == 0


def test_a_withdrawal_on_the_new_server_is_one(moving: Moving) -> None:
    moving.migrate()
    moving.new.withdraw("c", "bo")
    assert moving.here().pull(full=True).changes.withdrawn == 1


def test_the_file_keeps_its_comments_and_the_old_one_stays(moving: Moving) -> None:
    moving.migrate()
    text = (moving.folder / "campaign.yaml").read_text()
    assert text == CONFIG.replace("project: Sums", 'project: "Elsewhere"').replace("kind: memory", 'kind: "memory"')
    assert (moving.folder / "campaign.before-migration.yaml").read_text() == CONFIG


def test_nothing_is_deleted_on_the_old_server(moving: Moving) -> None:
    before = list(moving.old.changes())
    moving.migrate()
    assert list(moving.old.changes()) == before


def test_there_and_back_again(moving: Moving) -> None:
    before, made = moving.lines(), moving.exports()
    moving.migrate()
    back = {new: old for old, new in NAMES.items()}
    campaign = Campaign(moving.folder, server=moving.new)
    result = campaign.migrate({"kind": "memory"}, project="Sums", annotators=back, server=moving.old)
    assert (result.pushed.sent, result.written, result.present, result.stored) == (0, 0, 6, 0)
    assert moving.here().config.project == "Sums"
    assert moving.lines() == before
    assert moving.exports() == made


def test_an_edit_elsewhere_comes_back_to_where_the_campaign_was(moving: Moving) -> None:
    moving.migrate()
    moving.new.annotate("c", "bo", {"rating": 5, "label": "correct"})
    campaign = Campaign(moving.folder, server=moving.new)
    back = {new: old for old, new in NAMES.items()}
    result = campaign.migrate({"kind": "memory"}, project="Sums", annotators=back, server=moving.old)
    assert (result.written, result.present, result.complete) == (1, 5, True)
    assert moving.here().pull().changes.edited == 0


# -- again


def test_once_it_is_done_it_does_nothing(moving: Moving) -> None:
    moving.migrate()
    store = (moving.folder / ".annobridge" / "feedback.jsonl").read_bytes()
    campaign = moving.here()
    result = campaign.migrate({"kind": "memory"}, project="Elsewhere", server=moving.new)
    assert result.nothing_to_do
    assert (moving.folder / ".annobridge" / "feedback.jsonl").read_bytes() == store


def test_from_the_old_file_again_it_writes_nothing(moving: Moving) -> None:
    moving.migrate()
    before = moving.lines()
    store = (moving.folder / ".annobridge" / "feedback.jsonl").read_bytes()
    moving.write("campaign.yaml", CONFIG)
    result = moving.migrate()
    assert (result.pushed.sent, result.pushed.present, result.written, result.present) == (0, 4, 0, 6)
    assert (moving.folder / ".annobridge" / "feedback.jsonl").read_bytes() == store
    assert moving.lines() == before


def test_what_people_did_on_the_old_server_meanwhile_comes_with_the_next_run(moving: Moving) -> None:
    moving.migrate()
    moving.write("campaign.yaml", CONFIG)
    moving.answer("d", ANN, rating=2, label="incorrect", improved_response="six")
    moving.answer("a", ANN, rating=4, label="correct")
    result = moving.migrate()
    assert (result.written, result.present, result.complete) == (2, 5, True)
    assert moving.held()["a", "ann"] == [{"rating": 4, "label": "correct"}]
    assert moving.here().pull().changes.edited == 0


@pytest.mark.parametrize("how", ["before", "after", "lost"])
def test_after_a_failure_at_any_write_the_next_run_does_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(run, "BATCH", 2)
    for at in count(1):
        folder = tmp_path / str(at)
        folder.mkdir()
        moving = Moving(folder)
        before = moving.lines()
        with failing(moving.new, at, how) as writes, suppress(BridgeError):
            moving.migrate()
        if moving.here().config.project == "Sums":
            assert moving.migrate().complete
        assert moving.lines() == before
        assert [len(answers) for answers in moving.held().values()] == [1] * 6
        assert moving.here().pull().changes.new == 0
        if len(writes) < at:
            break
    assert at > 7


def test_after_a_full_disk_at_any_moment_the_next_run_does_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync = os.fsync
    for at in count(1):
        folder = tmp_path / str(at)
        folder.mkdir()
        moving = Moving(folder)
        before = moving.lines()
        calls = 0

        def full(descriptor: int, at: int = at) -> None:
            nonlocal calls
            calls += 1
            if calls == at:
                raise OSError(28, "No space left on device")
            fsync(descriptor)

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with suppress(BridgeError):
                moving.migrate()
        if moving.here().config.project == "Sums":
            assert moving.migrate().complete
        assert moving.lines() == before
        assert [len(answers) for answers in moving.held().values()] == [1] * 6
        assert Campaign(folder, server=moving.new).people() != {}
        if calls < at:
            break
    assert at > 7


# -- people


def test_unknown_people_are_named_before_anything_is_written(moving: Moving) -> None:
    with failing(moving.new, 0, "") as writes, pytest.raises(UsageError) as caught:
        moving.migrate(create_annotators=False)
    assert writes == []
    assert "ann, bo" in caught.value.reason
    assert "--annotators" in caught.value.remedy
    assert "--create-annotators" in caught.value.remedy
    assert moving.here().config.project == "Sums"


def test_a_mistyped_name_in_the_table_is_an_error(moving: Moving) -> None:
    with pytest.raises(UsageError, match=r"does not know: Ann@example\.org") as caught:
        moving.migrate(annotators={"Ann@example.org": "ann"})
    assert "'from'" in caught.value.remedy


def test_without_a_table_people_keep_their_names(moving: Moving) -> None:
    moving.migrate(annotators=None)
    assert {person for _, person in moving.held()} == {ANN, BO}


def test_people_whom_the_new_server_knows_need_no_account(moving: Moving) -> None:
    for name in NAMES.values():
        moving.new._accounts.add(name)
    result = moving.migrate(create_annotators=False)
    assert (result.written, result.passwords) == (6, None)


def test_passwords_are_in_a_file_for_its_owner_only_and_in_no_result(moving: Moving) -> None:
    result = moving.migrate()
    path = moving.folder / ".annobridge" / "new-annotators.json"
    assert result.passwords == path
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (passwords,) = json.loads(path.read_text()).values()
    assert passwords.keys() == {"ann", "bo"}
    assert all(len(password) >= 16 for password in passwords.values())
    assert all(password not in json.dumps(result.to_dict()) for password in passwords.values())


def test_a_server_that_makes_no_accounts_says_so_and_leaves_no_passwords(
    moving: Moving, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(name: str, password: object) -> None:
        raise Refused("no accounts here", remedy="send people the invitation link")

    monkeypatch.setattr(moving.new, "add_person", refuse)
    with pytest.raises(Refused, match=r"no accounts here; without an account: ann, bo") as caught:
        moving.migrate()
    assert "invitation" in caught.value.remedy
    assert not (moving.folder / ".annobridge" / "new-annotators.json").exists()


def test_two_people_never_become_one(moving: Moving) -> None:
    with pytest.raises(UsageError, match="would both be 'ann'"):
        moving.migrate(annotators={ANN: "ann", BO: "ann"})


def test_two_people_who_change_names_stay_who_they_are(moving: Moving) -> None:
    before = moving.lines()
    moving.migrate(annotators={ANN: BO, BO: ANN})
    moving.here().pull()
    assert moving.lines() == before
    assert moving.held()["c", BO] == ["discarded"]


def test_somebody_new_with_an_old_name_is_somebody_else(moving: Moving) -> None:
    moving.migrate(annotators={ANN: "ann"})
    ours = {a.annotator for a in moving.here().annotations()}
    moving.new.annotate("d", ANN, {"rating": 2, "label": "correct"})
    moving.here().pull()
    (newcomer,) = {a.annotator for a in moving.here().annotations()} - ours
    assert moving.here().people()[newcomer] == ANN


# -- what is not the same


def test_an_answer_that_is_otherwise_there_is_reported_and_not_touched(moving: Moving) -> None:
    with failing(moving.new, 6, "before") as writes, pytest.raises(BridgeError):
        moving.migrate()
    assert writes[-2:] == ["write", "answer"]
    moving.new.annotate("a", "ann", {"rating": 1, "label": "harmful"})
    result = moving.migrate()
    assert not result.complete
    assert moving.held()["a", "ann"] == [{"rating": 1, "label": "harmful"}]
    kinds = [(line["kind"], line["record"]) for line in moving.findings() if line["kind"] != "left_out"]
    assert kinds == [("conflict", "a"), ("difference", "a")]
    (difference,) = [line for line in moving.findings() if line["kind"] == "difference"]
    assert difference["before"]["label"]["value"] == "correct"
    assert difference["after"]["label"]["outcome"] == "tie"
    assert moving.here().config.project == "Elsewhere", "it was told, and the campaign is there now"


def left_out(moving: Moving) -> list[tuple[str, str]]:
    reasons = [(line["record"], line["reason"]) for line in moving.findings() if line["kind"] == "left_out"]
    return [pair for pair in reasons if "lead time" not in pair[1]]


def test_withdrawn_answers_stay_behind(moving: Moving) -> None:
    moving.old.withdraw("c", BO)
    assert moving.migrate().complete
    assert left_out(moving) == [("c", "withdrawn")]


def test_of_several_answers_of_one_person_the_newest_goes(moving: Moving) -> None:
    moving.old.annotate("a", ANN, {"rating": 2, "label": "correct"}, another=True)
    assert moving.migrate().complete
    assert moving.held()["a", "ann"] == [{"rating": 2, "label": "correct"}]
    assert left_out(moving) == [("a", "the person has a newer answer to this record")]


def test_answers_to_records_that_are_gone_stay_behind(moving: Moving) -> None:
    lines = (moving.folder / "records.jsonl").read_text().splitlines(keepends=True)
    moving.write("records.jsonl", "".join(lines[1:]))
    result = moving.migrate()
    assert (result.pushed.sent, result.written, result.complete) == (3, 4, False)
    assert left_out(moving) == [("a", "the record is not in the campaign's records any more")] * 2


def test_answers_to_another_text_stay_behind(moving: Moving) -> None:
    text = (moving.folder / "records.jsonl").read_text()
    moving.write("records.jsonl", text.replace('"a?"', '"A?"'))
    result = moving.migrate()
    assert (result.written, result.complete) == (4, True), "they did not count before either"
    assert {record for record, _ in left_out(moving)} == {"a"}


def test_answers_that_the_template_does_not_allow_stay_behind(moving: Moving) -> None:
    moving.answer("d", ANN, rating=9, label="correct", stars=3)
    result = moving.migrate()
    assert result.complete
    assert moving.held()["d", "ann"] == [{"label": "correct"}]
    assert [reason for _, reason in left_out(moving)] == [
        "rating: 9 is not on the scale",
        "'stars': the template 'review' has no such question",
    ]


def test_lead_times_stay_in_the_store(moving: Moving) -> None:
    result = moving.migrate()
    assert result.to_dict()["left_out"] == {"the new server has no lead times; the campaign's store keeps this one": 5}
    assert {a.lead_time_s for a in moving.here().annotations()} == {7, None}


def test_a_refused_answer_is_named_and_the_others_go(moving: Moving, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = moving.new.answer

    def picky(annotations: list[Annotation]) -> Any:
        from bridge.servers.protocol import Outcome

        if any(a.record == "b" and a.annotator == "bo" for a in annotations):
            return [Outcome(a.record, "rejected", "not this one", "none") for a in annotations]
        return answer(annotations)

    monkeypatch.setattr(moving.new, "answer", picky)
    result = moving.migrate()
    assert (result.written, result.complete) == (5, False)
    assert [(line["kind"], line["record"]) for line in moving.findings() if line["kind"] != "left_out"] == [
        ("refused", "b"),
        ("difference", "b"),
    ]


def test_a_template_that_the_new_server_cannot_carry_is_refused_first(moving: Moving) -> None:
    moving.new.capabilities = MemoryServer().capabilities.__class__(frozenset({"rating"}), (1, 200), 500, True, True)
    with failing(moving.new, 0, "") as writes, pytest.raises(UsageError, match="cannot ask a label question"):
        moving.migrate()
    assert writes == []


def test_a_project_of_the_same_number_on_another_server_is_a_conflict(tmp_path: Path) -> None:
    """Label Studio counts projects from 1 everywhere."""
    moving = Moving(tmp_path)
    moving.migrate()
    text = (moving.folder / ".annobridge" / "feedback.jsonl").read_text()
    (moving.folder / ".annobridge" / "feedback.jsonl").write_text(
        text.replace('"from_origin":""', '"from_origin":"https://first.example:443"')
    )
    campaign = Campaign(moving.folder, server=moving.new)
    back = {new: old for old, new in NAMES.items()}
    with pytest.raises(Conflict, match="could not be told apart") as caught:
        campaign.migrate({"kind": "memory"}, project="Sums", annotators=back, server=moving.old)
    assert "delete the new" in caught.value.remedy
