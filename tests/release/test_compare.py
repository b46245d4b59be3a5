"""What became of the rows since the release before, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bridge.release.compare import WHY, Released, compare
from tests.adjudication.working import ANN, BO, Working
from tests.release.working import ROWS, begun, read

PEOPLE = {"annotators": ["ann"], "revisions": {"ann": 1}}


def row(record: str, content: str = "x", **more: Any) -> dict[str, Any]:
    return {"record": record, "source": "use: response", "content": content, **PEOPLE, **more}


def why(
    old: list[dict[str, Any]], new: list[dict[str, Any]], was: dict[str, str] | None = None, **now: Any
) -> list[tuple[str, ...]]:
    settings = now.pop("settings", None)
    found = compare(
        Released("v1", {"sft": {"rows": old}}, {"sft": was or {}}),
        Released("v2", {"sft": {"rows": new, "settings": settings}}, {"sft": now}),
    )
    return [(change.what, *change.why) for change in found.rows["sft"]]


def test_rows_that_teach_the_same_are_the_same_whoever_confirms_them() -> None:
    assert why([row("a")], [row("a", annotators=["ann", "bo"], revisions={"ann": 2, "bo": 1})]) == []


@pytest.mark.parametrize(
    ("now", "reasons"),
    [
        ({"revisions": {"ann": 2}}, ("late_edit",)),
        ({"annotators": ["ann", "bo"], "revisions": {"ann": 1, "bo": 1}}, ("new_annotators",)),
        ({"adjudicated": {"label": {"cy": 1}}}, ("adjudicated",)),
        ({"annotators": ["ann", "bo"], "revisions": {"ann": 2, "bo": 1}}, ("late_edit", "new_annotators")),
        ({}, ("text",)),
    ],
)
def test_a_row_that_reads_otherwise_is_changed_by_what_people_did(
    now: dict[str, Any], reasons: tuple[str, ...]
) -> None:
    assert why([row("a")], [row("a", "y", **now)]) == [("changed", *reasons)]


def test_if_nobody_did_anything_other_settings_are_the_reason() -> None:
    assert why([row("a")], [row("a", "y")], settings={"reasoning": "strip"}) == [("changed", "settings")]


@pytest.mark.parametrize(
    ("was", "reason"),
    [
        (None, "new_record"),
        ("not_merged", "newly_answered"),
        ("tie", "settled"),
        ("gated", "let_through"),
        ("condition", "other_answers"),
    ],
)
def test_why_a_record_has_a_row_now(was: str | None, reason: str) -> None:
    assert why([], [row("a")], {"a": was} if was else {}) == [("added", reason)]


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (None, "record_gone"),
        ("skipped", "withdrawn"),
        ("tie", "now_tied"),
        ("straddles", "now_stopped"),
        ("unchanged_rewrite", "other_answers"),
    ],
)
def test_why_a_record_has_no_row_any_more(now: str | None, reason: str) -> None:
    assert why([row("a")], [], **({"a": now} if now else {})) == [("removed", reason)]


def since(reason: str, before: dict[str, int], now: dict[str, int], *, added: bool) -> list[tuple[str, ...]]:
    """Why a record has a row, or has none any more, where people's revisions are known on the side without one."""
    people = now if added else before
    rows = [row("a", annotators=list(people), revisions=people)]
    there = Released("v", {"sft": {"rows": rows}}, {"sft": {}})
    without = Released("v", {"sft": {"rows": []}}, {"sft": {"a": reason}}, {"a": before if added else now})
    found = compare(*((without, there) if added else (there, without)))
    return [(change.what, *change.why) for change in found.rows["sft"]]


@pytest.mark.parametrize(
    ("reason", "before", "now", "reasons"),
    [
        ("unanswered", {"ann": 1}, {"ann": 2}, ("late_edit",)),
        ("skipped", {"ann": 1}, {"ann": 2}, ("late_edit",)),
        ("no_quorum", {"ann": 1}, {"ann": 1, "bo": 1}, ("newly_answered",)),
        ("no_quorum", {"ann": 1}, {"ann": 2, "bo": 1}, ("late_edit", "newly_answered")),
        ("not_merged", {}, {"ann": 1}, ("newly_answered",)),
        ("condition", {"ann": 1}, {"ann": 2}, ("late_edit",)),
        ("condition", {"ann": 1}, {"ann": 1, "bo": 1}, ("new_annotators",)),
        ("condition", {"ann": 1}, {"ann": 1}, ("other_answers",)),
        ("tie", {"ann": 1, "bo": 1}, {"ann": 2, "bo": 1}, ("settled",)),
    ],
)
def test_a_record_that_has_a_row_because_people_changed_their_answers_says_so(
    reason: str, before: dict[str, int], now: dict[str, int], reasons: tuple[str, ...]
) -> None:
    assert since(reason, before, now, added=True) == [("added", *reasons)]


@pytest.mark.parametrize(
    ("reason", "now", "reasons"),
    [
        ("condition", {"ann": 2}, ("late_edit",)),
        ("unanswered", {"ann": 2}, ("late_edit",)),
        ("skipped", {"ann": 2}, ("withdrawn",)),
        ("tie", {"ann": 1, "bo": 1}, ("now_tied",)),
        ("condition", {"ann": 1, "bo": 1}, ("new_annotators",)),
    ],
)
def test_a_record_that_lost_its_row_because_people_changed_their_answers_says_so(
    reason: str, now: dict[str, int], reasons: tuple[str, ...]
) -> None:
    assert since(reason, {"ann": 1}, now, added=False) == [("removed", *reasons)]


def test_of_several_rows_of_a_record_each_is_its_own() -> None:
    ann, bo, cy = (row("a", name, annotators=[name], revisions={name: 1}) for name in ("ann", "bo", "cy"))
    edited = {**bo, "content": "other", "revisions": {"bo": 2}}
    assert why([ann, bo], [cy, edited, ann]) == [("changed", "late_edit"), ("added", "new_annotators")]


def test_a_row_that_moved_to_another_split_would_be_told() -> None:
    assert why([row("a", split="train")], [row("a", split="test")]) == [("changed", "split")]


def test_every_reason_has_words() -> None:
    assert all(WHY.values())


def test_two_releases_of_a_campaign_and_what_people_did_in_between(tmp_path: Path) -> None:
    work = begun(tmp_path, 6, exports={"to": ["sft"], "formats": ["plain"]})
    work.campaign.release("v1")
    work.answer("r00", ANN, rating=2, label="incorrect", improved_response="edited")  # a late edit
    work.answer("r01", BO, rating=2, label="incorrect", improved_response="by bo")  # a second opinion
    work.answer("r07", ANN, rating=5, label="correct")  # an answer at last
    work.rows([row for row in ROWS if row["id"] != "r02"])  # a record that was taken out
    work.campaign.pull()
    result = work.campaign.release("v2")
    told = read(result, "changes.json")
    assert told["previous"] == "v1"
    assert told["kinds"]["sft"]["counts"] == {"same": 4, "added": 2, "changed": 1, "removed": 1}
    assert sorted((one["record"], one["what"], *one["why"]) for one in told["kinds"]["sft"]["rows"]) == [
        ("r00", "changed", "late_edit"),
        ("r01", "added", "new_annotators"),
        ("r02", "removed", "record_gone"),
        ("r07", "added", "newly_answered"),
    ]
    text = (result.folder / "CHANGES.md").read_text()
    assert "| changed | r00 | use: improved\\_response | people changed their answers |" in text
    assert "| sft | 4 | 2 | 1 | 1 |" in (result.folder / "README.md").read_text()


def test_an_answer_that_was_mended_late_is_a_late_edit_and_not_a_new_answer(tmp_path: Path) -> None:
    work = begun(tmp_path, 6, exports={"to": ["sft"], "formats": ["plain"]})
    work.answer("r07", ANN, rating=2, label="incorrect")  # wrong, but nobody says what would be right
    work.answer("r08", ANN, rating=2, label="incorrect")
    work.campaign.pull()
    first = work.campaign.release("v1")
    assert set(read(first, "manifest.json")["without_row"]["sft"]) >= {"r07", "r08"}
    work.answer("r07", ANN, rating=2, label="incorrect", improved_response="seven")
    work.answer("r08", BO, rating=2, label="incorrect", improved_response="eight")
    work.campaign.pull()
    told = read(work.campaign.release("v2"), "changes.json")["kinds"]["sft"]["rows"]
    assert [(one["record"], one["what"], *one["why"]) for one in told] == [
        ("r07", "added", "late_edit"),
        ("r08", "added", "new_annotators"),
    ]


def test_people_who_contradict_each_other_take_a_row_away(tmp_path: Path) -> None:
    work = Working(tmp_path, ROWS[:2], exports={"to": ["sft"], "formats": ["plain"]})
    work.campaign.push()
    for key in ("r00", "r01"):
        work.answer(key, ANN, rating=5, label="correct")
    work.campaign.pull()
    work.campaign.release("v1")
    work.answer("r00", BO, rating=5, label="incorrect")
    work.campaign.pull()
    changes = read(work.campaign.release("v2"), "changes.json")["kinds"]["sft"]
    assert changes["why"] == {"removed": {"now_tied": 1}}


def test_a_release_that_was_tampered_with_is_not_compared_with(tmp_path: Path) -> None:
    work = begun(tmp_path, exports={"to": ["sft"], "formats": ["plain"]})
    work.campaign.release("v1")
    (tmp_path / "releases" / "v1" / "sft.manifest.json").write_text("[]")
    from bridge.errors import InputError

    with pytest.raises(InputError, match=r"sft\.manifest\.json"):
        work.campaign.release("v2")
    assert [path.name for path in (tmp_path / "releases").iterdir()] == ["v1"]
