"""`annobridge adjudicate`: what it prints, and its exit codes."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.servers.memory import MemoryServer
from tests.adjudication.working import ANN, BO, CY, Working
from tests.cli.running import run


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Working:
    monkeypatch.setenv("ANNOBRIDGE_CONFIG_DIR", str(tmp_path / "config"))
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    work = Working(folder)
    assert run("push").code == 0
    return work


def at_the_server(work: Working, *below: str) -> None:
    """The server of kind memory that the commands use has its state in the campaign's folder."""
    work.server = MemoryServer(work.path.joinpath(*below, ".annobridge", "memory-server.json"))


def disagree(work: Working) -> None:
    at_the_server(work)
    work.answer("a", ANN, rating=4, label="correct")
    work.answer("a", BO, rating=4, label="incorrect")
    assert run("pull").code == 0


def test_it_says_what_it_put_before_adjudicators_and_where(work: Working) -> None:
    disagree(work)
    done = run("adjudicate")
    assert (done.code, done.lines) == (
        0,
        [
            "1 records are unresolved",
            "1 of them are new in adjudication",
            "1 records sent, 0 were there already",
            "decide here: memory:Sums - adjudication (earlier answers are hidden)",
        ],
    )


def test_as_json(work: Working) -> None:
    disagree(work)
    done = run("adjudicate", "--answers", "shown", "--json").json
    assert done["pushed"].pop("sent") == 1
    del done["pushed"]
    assert done == {
        "folder": "adjudication",
        "unresolved": 1,
        "too_few": 0,
        "missing": 0,
        "added": 1,
        "answers": "shown",
        "partial": False,
    }


def test_nothing_unresolved_is_no_error(work: Working) -> None:
    done = run("adjudicate")
    assert (done.code, done.out) == (0, "nothing is unresolved\nthere is nothing to adjudicate\n")
    assert run("adjudicate", "--json").json["pushed"] is None


def test_too_few_answers_are_named(work: Working) -> None:
    at_the_server(work)
    work.answer("a", ANN, rating=4, label="correct")
    assert run("pull").code == 0
    assert "1 have too few answers: --include-no-quorum" in run("adjudicate", "--quorum", "2").out
    assert "1 records sent" in run("adjudicate", "--quorum", "2", "--include-no-quorum").out


def test_the_number_of_people_is_that_of_the_adjudication(work: Working) -> None:
    disagree(work)
    assert run("adjudicate", "--annotators-per-record", "3").code == 0
    assert work.linked.config.annotators_per_record == 3
    assert work.campaign.config.annotators_per_record == 1


def test_another_choice_later_is_wrong_usage(work: Working) -> None:
    disagree(work)
    assert run("adjudicate", "--question", "label").code == 0
    done = run("adjudicate", "--answers", "shown")
    assert (done.code, "earlier answers are hidden" in done.err) == (2, True)


def test_the_other_commands_tell_of_it(work: Working) -> None:
    disagree(work)
    run("adjudicate")
    at_the_server(work, "adjudication")
    work.decide("a", CY, rating=4, label="correct")
    pulled = run("pull")
    assert pulled.lines[1] == "adjudication: 1 new answers, 0 edited, 0 withdrawn, 0 as before"
    assert run("pull", "--json").json["adjudication"]["unchanged"] == 1
    assert "adjudication: 1 records, 1 answered" in run("status").lines
    assert run("status", "--json").json["adjudication"]["answered"] == 1
    assert "1 questions of 1 records were adjudicated" in run("merge").lines
    assert run("merge", "--json").json["adjudication"]["questions"] == 1
