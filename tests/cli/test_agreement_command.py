"""`annobridge agreement`: tables, warnings with remedies, and the same as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from bridge.annotations import Annotation
from bridge.records import record_key
from bridge.servers.memory import MemoryServer
from bridge.servers.protocol import Project
from bridge.templates import load_template
from tests.cli.running import run
from tests.merging.crowds import crowd, skilled

HONEST = {"ann": skilled(0.9), "bo": skilled(0.8), "cy": skilled(0.75), "di": skilled(0.7)}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv("ANNOBRIDGE_CONFIG_DIR", str(tmp_path / "config"))
    return work


def written(annotations: Iterable[Annotation]) -> list[str]:
    """The arguments that name a file with these answers."""
    Path("annotations.jsonl").write_text("".join(json.dumps(a.to_dict()) + "\n" for a in annotations))
    return ["--annotations", "annotations.jsonl"]


class TestFiles:
    def test_a_table_of_questions_and_one_of_people(self) -> None:
        done = run("agreement", "--template", "label", *written(crowd(HONEST)[0]))
        assert done.code == 0
        assert done.lines[0] == "300 records answered by 4 people"
        heads = [line.split()[:2] for line in done.lines if line.startswith(("question", "annotator"))]
        assert heads == [["question", "records"], ["annotator", "skipped"]]
        assert any(line.startswith("label  ") and "alpha nominal" in line for line in done.lines)
        assert any("Cohen's kappa of 6 pairs of people" in line for line in done.lines)
        assert [line.split()[0] for line in done.lines if line.split()[:1] and line.split()[0] in HONEST] == sorted(
            HONEST
        )
        assert "warning" not in done.out

    def test_warnings_have_a_remedy_and_leave_the_exit_code_alone(self) -> None:
        hasty = {**HONEST, "zoe": skilled(0.0)}
        done = run("agreement", "--template", "label", *written(crowd(hasty, seconds={"zoe": 2.0}, records=400)[0]))
        assert done.code == 0
        warnings = [n for n, line in enumerate(done.lines) if line.startswith("warning: ")]
        assert [done.lines[n].split()[1:3] for n in warnings] == [["label:", "the"], ["zoe", "takes"]]
        assert all(done.lines[n + 1].startswith("  remedy: ") for n in warnings)

    def test_json_has_everything(self) -> None:
        done = run("agreement", "--template", "label", *written(crowd(HONEST)[0]), "--json")
        (question,) = done.json["questions"]
        assert 0.3 < question["coefficients"]["alpha_nominal"]["value"] < 0.7
        assert [rater["annotator"] for rater in done.json["annotators"]] == sorted(HONEST)
        assert len(question["pairs"]) == 6
        assert (done.json["warnings"], done.json["partial"]) == ([], False)

    def test_answers_that_the_template_does_not_allow_are_counted(self) -> None:
        given = {"ann": "good", " ": "correct"}
        answers = [Annotation("r1", who, answers={"label": label}) for who, label in given.items()]
        arguments = ["agreement", "--template", "label", *written(answers)]
        assert run(*arguments).lines[1].startswith("2 answers are wrong and do not count: annobridge merge lists them")
        assert run(*arguments, "--json").json["invalid"] == 2

    def test_an_undefined_coefficient_says_why(self) -> None:
        answers = [Annotation(f"r{n}", "ann", answers={"label": "correct"}) for n in range(3)]
        done = run("agreement", "--template", "label", *written(answers))
        assert "none: one person answered" in done.out
        assert "warning: label: one person gave all answers (3)" in done.out

    def test_spans_need_the_records(self) -> None:
        record = {"prompt": "?", "response": "one two three"}
        Path("records.jsonl").write_text(json.dumps(record) + "\n")
        span = {"start": 0, "end": 3, "label": "unsupported"}
        key = record_key(record)
        answers = [Annotation(key, who, answers={"errors": spans}) for who, spans in (("ann", [span]), ("bo", []))]
        arguments = ["agreement", "--template", "span_errors", *written(answers)]
        assert "the texts are not known" in run(*arguments).out
        assert "the texts are not known" not in run(*arguments, "--records", "records.jsonl").out

    def test_old_labels_are_brought_over(self) -> None:
        answers = [Annotation("r1", who, answers={"label": "right"}) for who in ("ann", "bo")]
        done = run("agreement", "--template", "label", *written(answers), "--labels", "right=correct", "--json")
        assert done.json["questions"][0]["percent"] == 1

    def test_very_many_people_are_not_all_printed(self) -> None:
        answers = [Annotation(f"r{n}", f"a{n:03}", answers={"label": "correct"}) for n in range(80)]
        done = run("agreement", "--template", "label", *written(answers))
        assert "and 30 more rows: --json" in done.lines

    def test_long_answers_are_cut(self) -> None:
        answers = [Annotation("r1", "ann", answers={"improved_response": "many\nwords " * 50})]
        done = run("agreement", "--template", "rewrite", *written(answers))
        assert "100% many words many words..." in done.out

    def test_without_a_template_it_asks_for_one(self) -> None:
        done = run("agreement", *written([]))
        assert done.code == 2
        assert "--template is needed" in done.err


class TestCampaign:
    @pytest.fixture(autouse=True)
    def campaign(self, folder: Path) -> Path:
        rows = [{"prompt": f"{n} + {n}?", "response": str(2 * n)} for n in range(30)]
        (folder / "records.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        assert run("init", "--server", "memory", "--template", "rating", "--project", "Sums").code == 0
        assert run("push").code == 0
        server = MemoryServer(folder / ".annobridge" / "memory-server.json")
        server.ensure(Project("Sums", load_template("rating")), create=False)
        for n, row in enumerate(rows):
            for person, grade in (("ann@example.org", 1 + n % 5), ("bo@example.org", min(5, 1 + n % 5 + n % 2))):
                server.annotate(record_key(row), person, {"rating": grade})
        assert run("pull").code == 0
        return folder

    def test_it_is_that_of_the_answers_pulled_so_far(self) -> None:
        done = run("agreement", "--json")
        (question,) = done.json["questions"]
        assert (question["shared"], question["annotators"]) == (30, 2)
        assert question["coefficients"]["alpha_ordinal"]["value"] > 0.8

    def test_people_have_their_names(self) -> None:
        done = run("agreement")
        assert done.code == 0
        assert "ann@example.org" in done.out
        assert "a-" in done.out

    def test_control_items_are_judged(self, folder: Path) -> None:
        assert run("agreement", "--json").json["controls"] == []
        Path("controls.jsonl").write_text(json.dumps({"prompt": "9?", "response": "9", "expected": {"rating": 5}}))
        path = folder / "campaign.yaml"
        path.write_text(path.read_text() + "controls: {records: controls.jsonl, share: 0.1, seed: 1}\n")
        assert run("push").code == 0
        server = MemoryServer(folder / ".annobridge" / "memory-server.json")
        server.ensure(Project("Sums", load_template("rating")), create=False)
        server.annotate(record_key({"prompt": "9?", "response": "9"}), "ann@example.org", {"rating": 5})
        assert run("pull").code == 0
        (score,) = run("agreement", "--json").json["controls"]
        assert (score["right"], score["n"]) == (1, 1)
        assert "controls" in run("agreement").out
