"""annobridge judge and annobridge route, from a local endpoint to a campaign and back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge.campaign import Campaign
from bridge.models.replies import Choice
from bridge.servers.memory import MemoryServer
from bridge.testing.models import Asked, ModelServer
from tests.cli.running import run
from tests.judging.judges import said

RUBRIC = """\
version: 1
name: good
question: rating
levels: {1: useless, 2: poor, 3: fair, 4: good, 5: excellent}
"""


def rating(asked: Asked) -> str | Choice:
    """The number of stars in the response; one of them is a riddle."""
    found = re.search(r"<<response \w+>>\n(.*)", asked.text)
    if found is None:  # a probe
        return json.dumps({"word": "k7-probe"})
    return "What can I say?" if "riddle" in found[1] else said(max(1, min(5, found[1].count("*"))))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANNOBRIDGE_MODEL_KEY", "only-for-tests")
    rows = [
        {"key": f"r{n:03}", "fields": {"prompt": f"Question {n}?", "response": f"Answer {n} {'*' * (n % 5 + 1)}."}}
        for n in range(60)
    ]
    (tmp_path / "records.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "rubric.yaml").write_text(RUBRIC)
    return tmp_path


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer(rating, can=("schema",)) as running:
        yield running


def judge(server: ModelServer, *more: str) -> Any:
    arguments = ("judge", "records.jsonl", "--template", "review", "--rubric", "rubric.yaml", "--model", "small")
    return run(*arguments, "--url", server.url, *more)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_what_a_judge_cannot_do_is_a_warning(folder: Path, server: ModelServer) -> None:
    done = judge(server, "--json")
    assert [warning["means"] for warning in done.json["warnings"] if warning["kind"] == "done_without"] == [
        "small: logprobs is not supported: answers come without probabilities"
    ]


def test_what_was_judged_is_pushed_routed_and_reported(folder: Path, server: ModelServer) -> None:
    assert judge(server).code == 0
    judged = lines(folder / "judged.jsonl")
    assert len(judged) == 60
    assert judged[3]["suggestions"] == [
        {"question": "rating", "value": 4, "score": None, "agent": "stub-small", "kind": "model"}
    ]

    # People find the judge one too high.
    settings = {
        "project": "Judged",
        "server": {"kind": "memory"},
        "records": {"path": "judged.jsonl"},
        "template": "review",
    }
    (folder / "campaign.yaml").write_text(json.dumps(settings))
    memory = MemoryServer()
    campaign = Campaign(folder, server=memory)
    assert campaign.push().sent == 60
    answers = [
        {"record": line["key"], "annotator": "ann", "answers": {"rating": max(1, n % 5)}}
        for n, line in enumerate(judged[:40])
    ]
    (folder / "annotations.jsonl").write_text("".join(json.dumps(line) + "\n" for line in answers))
    told = run(
        "judge", "judged.jsonl", "--report", "--template", "review", "--annotations", "annotations.jsonl", "--json"
    )
    assert told.code == 0
    (question,) = told.json["questions"]
    assert question["people"]["records"] == 40
    assert question["quality"]["mean"]["answers"] == 40
    assert question["quality"]["mean"]["method"] == "ppi"
    text = run("judge", "judged.jsonl", "--report", "--template", "review", "--annotations", "annotations.jsonl").out
    assert "between people" in text
    assert "PPI++" in text

    assert run("route", "judged.jsonl", "--out", "people.jsonl", "--seed", "3").code == 0
    people, rest = lines(folder / "people.jsonl"), lines(folder / "people.rest.jsonl")
    assert sorted(line["key"] for line in [*people, *rest]) == [line["key"] for line in judged]
    assert [(line["metadata"]["route"]["probability"], line["suggestions"]) for line in people] == [(0.05, [])] * 3
    settings["records"] = {"path": "people.jsonl"}
    (folder / "campaign.yaml").write_text(json.dumps({**settings, "project": "Routed"}))
    assert Campaign(folder, server=MemoryServer()).plan().to_dict()["rejected"] == 0


def test_a_second_run_asks_nothing_twice(folder: Path, server: ModelServer) -> None:
    first = judge(server)
    before = len(server.asked)
    again = judge(server)
    assert (first.code, again.code, len(server.asked)) == (0, 0, before)


def test_an_answer_that_cannot_be_read_is_told_with_its_reason(folder: Path, server: ModelServer) -> None:
    row = {"key": "x", "fields": {"prompt": "Question?", "response": "a riddle"}}
    (folder / "records.jsonl").write_text(json.dumps(row) + "\n")
    told = judge(server, "--json").json
    assert told["judgements"] == {"rating": 0}
    (reason,) = told["missing"]
    assert "there is no JSON in it" in reason
    (line,) = lines(folder / "judged.jsonl")
    assert line["suggestions"] == []
    assert line["metadata"]["judge"]["rating"]["value"] is None


def test_rows_that_cannot_be_used_are_told_and_the_others_judged(folder: Path, server: ModelServer) -> None:
    with (folder / "records.jsonl").open("a") as file:
        file.write('{"prompt": "no response"}\n')
    result = judge(server, "--json")
    assert (result.code, result.json["records"], len(result.json["rejected"])) == (3, 60, 1)


def test_a_budget_that_is_spent_keeps_what_was_judged(folder: Path, server: ModelServer) -> None:
    result = judge(server, "--budget-tokens", "6000", "--parameter", "max_tokens=50")
    assert result.code in (1, 3)
    assert "budget" in (result.out + result.err)
    before = len(server.asked)
    assert judge(server, "--parameter", "max_tokens=50").code == 0
    assert len(server.asked) < before + 62  # what the first run was answered is not asked again


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"rubric.yaml": RUBRIC.split("levels", maxsplit=1)[0]}, "levels: the rubric describes none"),
        ({"rubric.yaml": RUBRIC.replace("rating", "style")}, "the template 'review' has no such question"),
        ({"rubric.yaml": "levels: ["}, "rubric.yaml:1: not valid YAML"),
    ],
)
def test_a_wrong_rubric_is_one_clear_error(
    folder: Path, server: ModelServer, change: dict[str, str], told: str
) -> None:
    for name, text in change.items():
        (folder / name).write_text(text)
    result = judge(server)
    assert result.code == 2
    assert told in result.err
    assert server.asked == []


def test_what_is_missing_is_named(folder: Path) -> None:
    assert "--rubric is needed" in run("judge", "records.jsonl", "--template", "review").err
    assert "give -C or --annotations" in run("judge", "records.jsonl", "--report").err
    assert "judge one file at a time" in run("judge", "a.jsonl", "b.jsonl").err
    assert run("judge", "none.jsonl", "--report", "--template", "review", "--annotations", "none.jsonl").code == 1


def test_files_are_not_overwritten(folder: Path, server: ModelServer) -> None:
    assert judge(server, "--out", "records.jsonl").code == 2
    assert judge(server, "--out", "rubric.yaml").code == 2
    assert run("route", "records.jsonl", "--out", "records.jsonl").code == 2
    assert run("route", "records.jsonl", "--out", "a.jsonl", "--rest", "a.jsonl").code == 2


def test_no_answers_to_compare_with_is_one_clear_error(folder: Path, server: ModelServer) -> None:
    judge(server)
    (folder / "annotations.jsonl").write_text('{"record": "other", "annotator": "ann", "answers": {"rating": 3}}\n')
    result = run("judge", "judged.jsonl", "--report", "--template", "review", "--annotations", "annotations.jsonl")
    assert result.code == 2
    assert "no answers of people to compare with" in result.err


def test_a_report_on_routed_records_wants_the_files_that_say_with_which_chance(
    folder: Path, server: ModelServer
) -> None:
    judge(server)
    run("route", "judged.jsonl", "--out", "people.jsonl")
    settings = {"project": "Sums", "server": {"kind": "memory"}, "records": {"path": "people.jsonl"}}
    (folder / "campaign.yaml").write_text(json.dumps({**settings, "template": "review"}))
    memory = MemoryServer()
    campaign = Campaign(folder, server=memory)
    campaign.push()
    for record in campaign.records():
        memory.annotate(record.key, "ann@example.org", {"rating": 3, "label": "correct", "improved_response": "4"})
    campaign.pull()
    result = run("judge", "judged.jsonl", "--report", "-C", ".")
    assert result.code == 2
    assert "people saw routed records" in result.err
    assert run("judge", "people.jsonl", "people.rest.jsonl", "--report", "-C", ".").code == 0


def test_route_without_out_only_counts(folder: Path, server: ModelServer) -> None:
    judge(server)
    told = run("route", "judged.jsonl", "--json").json
    assert (told["records"], told["audit"], told["file"]) == (60, 3, None)
    assert not (folder / "people.jsonl").exists()


def test_two_lines_of_one_key_are_not_routed_apart(folder: Path) -> None:
    line = {"key": "r1", "fields": {"prompt": "2 + 2?", "response": "It is four."}}
    (folder / "twice.jsonl").write_text(f"{json.dumps(line)}\n{json.dumps(line)}\n")
    result = run("route", "twice.jsonl", "--out", "people.jsonl")
    assert result.code == 2
    assert "key 'r1': several records have it" in result.err
    assert not (folder / "people.jsonl").exists()


def test_the_audit_is_reported_from_people_alone(folder: Path, server: ModelServer) -> None:
    judge(server)
    run("route", "judged.jsonl", "--audit", "0.1", "--out", "people.jsonl")
    answers = [
        {"record": line["key"], "annotator": "ann", "answers": {"rating": line["metadata"]["judge"]["rating"]["value"]}}
        for line in lines(folder / "people.jsonl")
    ]
    (folder / "annotations.jsonl").write_text("".join(json.dumps(line) + "\n" for line in answers))
    arguments = ("route", "people.jsonl", "--report", "--template", "review", "--annotations", "annotations.jsonl")
    (rate,) = run(*arguments, "--json").json["rates"]
    assert (rate["drawn"], rate["checked"], rate["wrong"]) == (6, 6, 0)
    assert rate["high"] == pytest.approx(0.459, abs=1e-3)
    assert "0.0% to 45.9%" in run(*arguments).out
