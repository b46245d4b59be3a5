"""`plan`, `push`, `pull`, `status` and `doctor` where something changed, broke off, or was meddled with."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from bridge import Campaign
from bridge.records import Record
from bridge.servers.memory import LIKE_LABEL_STUDIO, MemoryServer
from bridge.servers.protocol import Project
from bridge.state import State
from bridge.sync.plan import new_key
from bridge.templates import load_template
from bridge.testing import Crash, FaultyServer
from tests.cli.running import run

RATED = {"rating": 5, "label": "correct", "improved_response": "2"}
MENDED = {"rating": 1, "label": "incorrect", "improved_response": "two"}


def write_rows(**prompts: str) -> None:
    """The campaign's file: key to prompt. Each record has a suggested rating."""
    rows = [{"id": key, "prompt": prompt, "response": "2", "rating": 3} for key, prompt in prompts.items()]
    Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A campaign with three records, in the present folder; nothing is pushed yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANNOBRIDGE_CONFIG_DIR", str(tmp_path / "config"))
    write_rows(r1="1 + 1?", r2="2 + 2?", r3="3 + 3?")
    Path("campaign.yaml").write_text(
        "{project: Sums, server: {kind: memory}, records: {path: rows.jsonl, id: id}, template: review}"
    )
    return tmp_path


@contextmanager
def server(**options: Any) -> Iterator[MemoryServer]:
    """The server behind the commands, for what people and other programs do there."""
    there = MemoryServer(Path(".annobridge/memory-server.json"), **options)
    there.ensure(Project("Sums", load_template("review")), create=False)
    yield there


def answer(key: str, answers: dict[str, Any] = RATED, person: str = "ann") -> None:
    with server() as there:
        there.annotate(key, person, answers)


def delete(key: str) -> None:
    with server() as there:
        assert there.remove([key]) == 1


def double(key: str, prompt: str) -> None:
    """Another pusher sends a record again, on a server that cannot refuse it."""
    with server(profile=LIKE_LABEL_STUDIO) as there:
        there.write([Record(key, {"prompt": prompt, "response": "2"})])


def break_off(fault: str) -> None:
    """A push that ends in the middle of its only write, before or after the server has done it."""
    there = FaultyServer(MemoryServer(Path(".annobridge/memory-server.json")), at={("write", 1): fault})  # type: ignore[dict-item]
    with pytest.raises(Crash):
        Campaign(".", server=there).push()


def change_after_answers() -> None:
    """r1 was answered, and then both r1 and r2 got another text in the file."""
    run("push")
    answer("r1")
    write_rows(r1="one and one?", r2="two and two?", r3="3 + 3?")


def prompts() -> dict[str, Any]:
    with server() as there:
        return {
            remote.id: there._held.records[remote.id]["fields"]["prompt"]
            for page in there.listing()
            for _, remote in page
        }


# -- plan


def test_a_plan_before_the_first_push_is_a_project_and_its_records() -> None:
    result = run("plan")
    assert (result.code, result.err) == (0, "")
    assert result.lines[0] == "      3  to be sent"
    assert result.lines[-2:] == [
        "there is no such project yet: a push makes it",
        "requests that write: 1 to project, 1 to create",
    ]


def test_a_plan_writes_nothing_to_the_server() -> None:
    run("plan")
    assert run("status").code == 1  # there is still no such project
    change_after_answers()
    before = prompts()
    run("plan", "--on-change", "stale")
    assert prompts() == before


def test_a_plan_after_a_push_has_nothing_to_do() -> None:
    run("push")
    result = run("plan")
    assert (result.code, result.lines[1], result.lines[-1]) == (0, "      3  unchanged", "nothing would be written")


def test_a_plan_as_json_counts_everything_that_can_become_of_a_record() -> None:
    change_after_answers()
    delete("r3")
    result = run("plan", "--json")
    assert result.code == 3
    counts = {name: result.json[name] for name in ("create", "unchanged", "changed", "conflict", "gone", "rejected")}
    assert counts == {"create": 0, "unchanged": 0, "changed": 1, "conflict": 1, "gone": 1, "rejected": 0}
    assert result.json["keys"] == {"conflict": ["r1"], "gone": ["r3"], "unknown": []}
    assert result.json["requests"] == {"project": 0, "create": 0, "update": 1, "look up": 0}
    assert result.json["partial"] is True


def test_a_plan_with_rejected_rows_is_exit_code_3() -> None:
    write_rows(r1="1 + 1?", r2="")
    result = run("plan", "--json")
    assert (result.code, result.json["create"], result.json["rejected"]) == (3, 1, 1)
    assert result.json["rejects"][0]["line"] == 2


@pytest.mark.parametrize(
    ("on_change", "count"), [("new", "create"), ("stale", "changed"), ("keep", "kept")], ids=["new", "stale", "keep"]
)
def test_a_plan_shows_what_a_choice_would_do(on_change: str, count: str) -> None:
    change_after_answers()
    undecided = run("plan", "--json").json
    result = run("plan", "--on-change", on_change, "--json")
    assert result.code == 0
    assert (undecided["conflict"], result.json["conflict"]) == (1, 0)
    assert result.json[count] == undecided[count] + 1


def test_a_plan_shows_what_recreate_would_do() -> None:
    run("push")
    delete("r3")
    assert run("plan", "--json").json["gone"] == 1
    result = run("plan", "--recreate", "--json")
    assert (result.code, result.json["gone"], result.json["create"]) == (0, 0, 1)


def test_a_plan_names_what_a_push_would_look_up() -> None:
    break_off("crash before")
    result = run("plan", "--json")
    assert (result.json["unknown"], result.json["create"], result.json["requests"]["look up"]) == (3, 0, 1)


def test_a_plan_finds_what_arrived_although_the_push_broke_off() -> None:
    break_off("crash after")
    result = run("plan", "--json")
    assert (result.json["unknown"], result.json["unchanged"], result.json["requests"]["look up"]) == (0, 3, 0)


@pytest.mark.parametrize("command", ["plan", "push"])
def test_another_word_after_on_change_is_wrong_usage(command: str) -> None:
    result = run(command, "--on-change", "drop", "--json")
    assert (result.code, result.json["error"]["type"]) == (2, "UsageError")


# -- push


def test_a_changed_text_that_nobody_answered_is_shown_in_place_of_the_old_one() -> None:
    run("push")
    write_rows(r1="one and one?", r2="2 + 2?", r3="3 + 3?")
    result = run("push")
    assert (result.code, result.lines[:2]) == (
        0,
        ["0 records sent, 3 were there already", "1 of them show a new text now"],
    )
    assert prompts()["r1"] == "one and one?"


def test_a_text_that_changed_after_answers_is_refused_by_default() -> None:
    change_after_answers()
    result = run("push")
    assert result.code == 3
    assert "1 records changed after people answered them, such as r1" in result.lines
    assert any("--on-change new" in line and "stale" in line and "keep" in line for line in result.lines)
    assert prompts()["r1"] == "1 + 1?"
    assert run("push", "--json").json["changed"] == ["r1"]


def test_new_sends_the_changed_text_as_another_record() -> None:
    change_after_answers()
    result = run("push", "--on-change", "new", "--json")
    assert (result.code, result.json["sent"], result.json["changed"]) == (0, 1, [])
    content = Record("r1", {"prompt": "one and one?", "response": "2"})
    other = new_key("r1", Record(fields=content.fields).key)
    assert prompts() == {"r1": "1 + 1?", other: "one and one?", "r2": "two and two?", "r3": "3 + 3?"}
    again = run("push", "--json")
    assert (again.code, again.json["sent"], again.json["present"]) == (0, 0, 3)


def test_answers_to_a_text_sent_beside_the_old_one_are_answers_to_the_record() -> None:
    change_after_answers()
    run("push", "--on-change", "new")
    (other,) = [key for key in prompts() if "@" in key]
    answer(other)
    run("pull")
    assert run("export", "--to", "sft").code == 0
    (row,) = [json.loads(line) for line in Path("out/sft.plain.jsonl").read_text().splitlines()]
    assert (row["prompt"], row["metadata"]["record"]) == ("one and one?", other)


def test_stale_shows_the_new_text_and_no_longer_counts_the_answers() -> None:
    change_after_answers()
    run("pull")
    assert run("merge", "--records", "rows.jsonl", "--json").code == 0
    result = run("push", "--on-change", "stale", "--json")
    assert (result.code, result.json["sent"], result.json["updated"]) == (0, 0, 2)
    assert prompts()["r1"] == "one and one?"
    run("pull")
    assert run("export", "--to", "sft", "--json").json["error"]["type"] == "ExportError"
    answer("r1", person="bo")
    run("pull")
    assert run("export", "--to", "sft", "--json").json["exports"][0]["rows"] == 1


def test_keep_leaves_the_old_text_there() -> None:
    change_after_answers()
    result = run("push", "--on-change", "keep")
    assert result.code == 0
    assert "1 of them have another text, and were left alone" in result.lines
    assert prompts()["r1"] == "1 + 1?"


def test_a_deleted_record_is_named_and_not_sent_again() -> None:
    run("push")
    delete("r3")
    result = run("push")
    assert result.code == 0
    assert "1 were deleted on the server and are not sent again, such as r3" in result.lines
    assert sorted(prompts()) == ["r1", "r2"]
    assert run("push", "--json").json["gone"] == ["r3"]


def test_recreate_sends_what_somebody_deleted() -> None:
    run("push")
    delete("r3")
    result = run("push", "--recreate", "--json")
    assert (result.code, result.json["sent"], result.json["present"], result.json["gone"]) == (0, 1, 2, [])
    assert sorted(prompts()) == ["r1", "r2", "r3"]


@pytest.mark.parametrize(("fault", "sent"), [("crash before", 3), ("crash after", 0)])
def test_a_push_after_one_that_broke_off_looks_up_what_arrived(fault: str, sent: int) -> None:
    break_off(fault)
    result = run("push", "--json")
    assert (result.code, result.json["sent"], result.json["present"]) == (0, sent, 3 - sent)
    assert sorted(prompts()) == ["r1", "r2", "r3"]


def test_records_that_are_there_twice_are_named() -> None:
    run("push")
    double("r1", "1 + 1?")
    result = run("push")
    assert result.code == 3
    assert "1 records are there twice, such as r1" in result.lines
    assert "  remedy: annobridge doctor --repair deletes the copies that nobody answered" in result.lines


@pytest.mark.parametrize("command", ["plan", "push", "pull", "doctor"])
def test_a_second_command_in_the_folder_says_who_is_at_work(command: str) -> None:
    run("push")
    with State(Path(".annobridge")).alone("push"):
        result = run(command, "--json")
    assert (result.code, result.json["error"]["type"]) == (1, "Held")
    assert "push, by process" in result.json["error"]["reason"]
    assert run(command).code == 0


# -- pull


def test_pull_names_the_rows_that_rest_on_answers_that_changed() -> None:
    run("push")
    answer("r1")
    answer("r2")
    run("pull")
    run("export", "--to", "sft", "--format", "plain")
    answer("r2", MENDED)
    result = run("pull", "--json")
    assert (result.code, result.json["edited"]) == (0, 1)
    named = {Path(part["file"]).resolve(): (part["lines"], part["records"]) for part in result.json["exported"]}
    assert named == {Path("out/sft.plain.jsonl").resolve(): ([2], ["r2"])}


def test_pull_says_what_to_do_about_such_rows() -> None:
    run("push")
    answer("r1")
    run("pull")
    run("export", "--to", "sft", "--out", "train")
    answer("r1", MENDED)
    result = run("pull")
    assert result.code == 0
    assert any(
        line.endswith("train/sft.plain.jsonl: 1 rows rest on answers that changed, such as line 1")
        for line in result.lines
    )
    assert result.lines[-1] == "  remedy: annobridge export makes them anew"


def test_pull_names_no_rows_where_nothing_changed() -> None:
    run("push")
    answer("r1")
    run("pull")
    run("export", "--to", "sft")
    assert run("pull", "--json").json["exported"] == []


def test_pull_names_records_that_somebody_deleted() -> None:
    run("push")
    delete("r3")
    result = run("pull")
    assert (result.code, result.lines[1]) == (0, "1 records were deleted on the server, such as r3")
    assert run("pull", "--json").json["gone"] == []


# -- status


def test_a_watch_looks_as_often_as_it_is_told_to(monkeypatch: pytest.MonkeyPatch) -> None:
    run("push")
    slept: list[float] = []
    monkeypatch.setattr("bridge.cli.health.time.sleep", slept.append)
    result = run("status", "--watch", "--times", "3", "--every", "60")
    assert (result.code, slept) == (0, [60.0, 60.0])
    assert result.lines.count("3 records, 0 answered, 0 complete (0%)") == 3


def test_a_watch_as_json_is_one_object_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    run("push")
    answer("r1")
    monkeypatch.setattr("bridge.cli.health.time.sleep", lambda seconds: answer("r2"))
    looks = [json.loads(line) for line in run("status", "--watch", "--times", "2", "--json").lines]
    assert [look["answered"] for look in looks] == [1, 2]


def test_status_has_a_rate_and_an_end_once_answers_were_pulled() -> None:
    run("push")
    assert run("status", "--json").json["answers_per_hour"] is None
    answer("r1")
    run("pull")
    status = run("status", "--json").json
    assert (status["answers_per_hour"], status["unresolved"]) == (1.0, 0)
    assert status["estimated_end"] > status["last_pull"]
    assert any(line.startswith("1 answers an hour over the last week, done around ") for line in run("status").lines)


def test_status_counts_records_on_which_people_do_not_agree() -> None:
    run("push")
    answer("r1")
    answer("r1", MENDED, person="bo")
    run("pull")
    assert run("status", "--json").json["unresolved"] == 1
    assert "1 records are answered, but people do not agree: annobridge merge" in run("status").lines


def test_status_counts_what_a_broken_off_push_left_open() -> None:
    break_off("crash after")
    assert run("status", "--json").json["unsettled"] == 3
    assert "3 records may or may not have arrived: annobridge push looks them up" in run("status").lines
    run("push")
    assert run("status", "--json").json["unsettled"] == 0


def test_status_says_who_is_at_work() -> None:
    run("push")
    with State(Path(".annobridge")).alone("pull"):
        assert run("status", "--json").json["busy"].startswith("pull, by process ")
    assert run("status", "--json").json["busy"] == ""


# -- doctor


def test_a_doctor_who_finds_nothing_says_so() -> None:
    run("push")
    result = run("doctor")
    assert (result.code, result.lines) == (0, ["3 records on the server, 3 in the ledger", "all is well"])
    assert run("doctor", "--json").json == {
        "records": 3,
        "known": 3,
        "healthy": True,
        "findings": [],
        "repaired": [],
        "partial": False,
    }


def test_before_the_first_push_there_is_nothing_to_compare() -> None:
    result = run("doctor", "--json")
    assert (result.code, result.json["error"]["type"]) == (1, "NotFound")


def meddle() -> None:
    """r1 is there twice, r2 without its suggestions, r3 no more, and another ledger sent r9."""
    run("push")
    delete("r3")
    double("r1", "1 + 1?")
    with server() as there:
        there.write([Record("r9", {"prompt": "9 + 9?", "response": "18"})])
        there._held.records["r2"]["suggestions"] = []
        there._save()


def test_every_finding_names_its_records_and_its_repair() -> None:
    meddle()
    result = run("doctor", "--json")
    assert (result.code, result.json["healthy"], result.json["partial"]) == (3, False, True)
    found = {finding["kind"]: finding["keys"] for finding in result.json["findings"]}
    assert found == {"missing": ["r3"], "extra": ["r9"], "doubled": ["r1"], "lost suggestions": ["r2"]}
    assert all(finding["text"] and finding["repair"] and finding["mendable"] for finding in result.json["findings"])


def test_a_doctor_shows_findings_as_lines_and_changes_nothing() -> None:
    meddle()
    before = prompts()
    result = run("doctor")
    assert result.code == 3
    assert "doubled: 1 records are there more than once, such as r1" in result.lines
    assert "  repair: delete the copies that nobody answered, but for one" in result.lines
    assert result.lines[-1] == "to carry the repairs out: annobridge doctor --repair"
    assert prompts() == before
    assert run("doctor").lines == result.lines


def test_repairs_leave_nothing_to_find() -> None:
    meddle()
    result = run("doctor", "--repair")
    assert result.code == 0
    assert [line for line in result.lines if line.startswith("repaired: ")] == [
        "repaired: deleted 1 copies that nobody had answered",
        "repaired: sent the suggestions of 1 records again",
        "repaired: brought the ledger up to date with the server",
    ]
    assert sorted(prompts()) == ["r1", "r2", "r9"]
    assert run("doctor", "--json").json["findings"] == []


def test_a_repair_does_not_send_what_somebody_deleted() -> None:
    meddle()
    run("doctor", "--repair")
    result = run("push", "--json")
    assert (result.code, result.json["sent"], result.json["gone"]) == (0, 0, ["r3"])


def test_a_repair_keeps_the_copy_that_somebody_answered() -> None:
    run("push")
    double("r1", "1 + 1?")
    with server(profile=LIKE_LABEL_STUDIO) as there:
        there.annotate("r1+", "ann", RATED)
    assert run("doctor", "--repair", "--json").json["repaired"][0] == "deleted 1 copies that nobody had answered"
    assert sorted(prompts()) == ["r1+", "r2", "r3"]


def test_copies_that_were_both_answered_stay_and_each_person_counts_once() -> None:
    run("push")
    double("r1", "1 + 1?")
    with server(profile=LIKE_LABEL_STUDIO) as there:
        there.annotate("r1", "ann", RATED)
        there.annotate("r1+", "ann", RATED)
        there.annotate("r1+", "bo", RATED)
    (finding,) = run("doctor", "--repair", "--json").json["findings"]
    assert (finding["kind"], finding["keys"], finding["mendable"]) == ("doubled", ["r1"], False)
    run("pull")
    run("merge")
    (merged,) = [json.loads(line) for line in Path("out/merged.jsonl").read_text().splitlines()]
    assert (merged["record"], merged["answers"]["rating"]["n"]) == ("r1", 2)


@pytest.mark.parametrize(("fault", "arrived"), [("crash before", 0), ("crash after", 3)])
def test_a_doctor_looks_up_what_a_broken_off_push_left_open(fault: str, arrived: int) -> None:
    break_off(fault)
    (finding,) = run("doctor", "--json").json["findings"]
    assert (finding["kind"], finding["records"]) == ("unsettled", 3)
    result = run("doctor", "--repair", "--json")
    assert result.code == 0
    assert f"looked up 3 records: {arrived} arrived" in result.json["repaired"]
    assert run("push", "--json").json["sent"] == 3 - arrived


def damage() -> None:
    Path(".annobridge/ledger.db").write_bytes(b"no ledger" * 1000)


def make_newer() -> None:
    with closing(sqlite3.connect(".annobridge/ledger.db")) as ledger:
        ledger.execute("PRAGMA user_version = 999")


@pytest.mark.parametrize("spoil", [damage, make_newer])
def test_a_ledger_that_cannot_be_used_is_refused_and_made_anew(spoil: Any) -> None:
    run("push")
    spoil()
    refused = run("push", "--json")
    assert (refused.code, refused.json["error"]["type"]) == (1, "LedgerError")
    assert "annobridge doctor --rebuild" in refused.json["error"]["remedy"]
    result = run("doctor", "--rebuild", "--json")
    assert (result.code, result.json["known"]) == (0, 3)
    assert result.json["repaired"] == ["made the ledger anew from the server"]
    again = run("push", "--json")
    assert (again.code, again.json["sent"], again.json["present"]) == (0, 0, 3)


def test_the_ledger_before_a_rebuild_is_kept() -> None:
    run("push")
    damage()
    run("doctor", "--rebuild")
    assert Path(".annobridge/ledger.before-rebuild.db").read_bytes() == b"no ledger" * 1000


def test_a_lost_ledger_is_made_anew_by_the_next_push() -> None:
    run("push")
    Path(".annobridge/ledger.db").unlink()
    result = run("push", "--json")
    assert (result.code, result.json["sent"], result.json["present"]) == (0, 0, 3)


@pytest.mark.parametrize("command", ["plan", "push", "pull"])
def test_another_project_under_the_same_id_is_refused(command: str) -> None:
    run("push")
    state = Path(".annobridge/memory-server.json")
    held = json.loads(state.read_text())
    held["projects"]["Sums"]["born"] = "another day"
    state.write_text(json.dumps(held))
    result = run(command, "--json")
    assert (result.code, result.json["error"]["type"]) == (1, "OtherProject")
    (finding,) = run("doctor", "--json").json["findings"]
    assert (finding["kind"], finding["mendable"]) == ("other server", False)
    assert "project Sums is another one than this campaign was pushed to" in result.json["error"]["reason"]
    assert run("doctor", "--rebuild").code == 0
    assert run(command).code == 0
