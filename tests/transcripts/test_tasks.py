"""Tasks about transcripts: three kinds, several candidates under one prompt, and what becomes of bad answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bridge.errors import BudgetSpent, InputError, UsageError
from bridge.generating.result import Generated
from bridge.models.budget import Budget
from bridge.models.replies import Choice
from bridge.models.requests import ChatRequest
from bridge.reading import read_records
from bridge.templates import load_template
from bridge.testing.models import Asked, ModelServer
from bridge.testing.models_scripted import Said, ScriptedAsker
from bridge.transcripts.asking import Model, make_tasks
from bridge.transcripts.converting import Conversion, Wanted
from bridge.transcripts.recipes import TASKS, load_recipe, recipe_names
from bridge.transcripts.tasks import Plan, Tasks
from tests.transcripts.making import DATA

ALL = [load_recipe(name) for name in TASKS]


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "meetings.jsonl"
    other = tmp_path / "call.txt"
    other.write_text("Dan: When does it ship?\nEve: On Friday, if the tests pass.\n")
    Conversion(Wanted()).to_files([DATA / "zoom.vtt", other], path)
    return path


def told(text: str) -> list[str]:
    """What the model of these tests says: two different answers, or three questions."""
    if "Write 3" in text or "has some questions" in text:
        return [
            json.dumps({"questions": ["When do they ship?", "who writes the notes?", "Who  writes the notes?"]})
        ] * 2
    what = text.rpartition("Question: ")[2] if "Question: " in text else text[:20]
    return [f"One answer to: {what}", f"Another answer to: {what}"]


def script(request: ChatRequest) -> Said:
    return told(request.messages[-1]["content"])[: request.n]


def made(
    rows: Path, folder: Path, plan: Plan, answer: Callable[[ChatRequest], Said] = script
) -> tuple[Generated, ScriptedAsker]:
    model = ScriptedAsker(answer)
    return asyncio.run(Tasks(plan, model).to_folder(rows, folder)), model


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_three_tasks_of_each_transcript_with_two_candidates(rows: Path, tmp_path: Path) -> None:
    result, model = made(rows, tmp_path / "tasks", Plan(ALL))
    # Of two transcripts: two summaries, two lists, two questions with two answers each; and a pair of each.
    assert result.operations == {"summary": 4, "action_items": 4, "follow_up": 8, "preference": 8}
    assert len(model.requests) == 2 * (1 + 1 + 1 + 2)
    assert not result.partial


@pytest.mark.parametrize("name", ["summary_review", "action_items", "follow_up_qa", "preference"])
def test_every_file_is_read_with_its_template(rows: Path, tmp_path: Path, name: str) -> None:
    made(rows, tmp_path / "tasks", Plan(ALL))
    reader = read_records(tmp_path / "tasks" / f"{name}.jsonl", load_template(name))
    records = list(reader)
    assert reader.rejects == []
    assert len(records) == {"follow_up_qa": 8, "preference": 8}.get(name, 4)


def test_a_record_says_where_it_comes_from(rows: Path, tmp_path: Path) -> None:
    made(rows, tmp_path / "tasks", Plan(ALL, domain="software", parameters={"temperature": 0.8}))
    first, second = lines(tmp_path / "tasks" / "summary_review.jsonl")[:2]
    about = first["metadata"]
    meeting = lines(rows)[0]
    assert (about["operation"], about["source"], about["lines"]) == ("summary", "zoom.vtt", [4, 25])
    assert about["domain"] == "software"
    assert about["root_id"] == meeting["root_id"]
    assert (about["model"], about["parameters"], about["test_only"]) == ("stub", {"temperature": 0.8, "n": 2}, True)
    assert about["prompt_hash"] == second["metadata"]["prompt_hash"]
    assert [one["metadata"]["candidate"] for one in (first, second)] == [1, 2]


def test_candidates_of_a_question_answer_the_same_question(rows: Path, tmp_path: Path) -> None:
    made(rows, tmp_path / "tasks", Plan(ALL))
    fields = [line["fields"] for line in lines(tmp_path / "tasks" / "follow_up_qa.jsonl")[:4]]
    assert [one["question"] for one in fields] == ["When do they ship?"] * 2 + ["who writes the notes?"] * 2
    assert fields[0]["answer"] != fields[1]["answer"]


def test_a_pair_shows_the_prompt_of_its_training_rows(rows: Path, tmp_path: Path) -> None:
    made(rows, tmp_path / "tasks", Plan([load_recipe("follow_up")]))
    pair = lines(tmp_path / "tasks" / "preference.jsonl")[0]["fields"]
    assert pair["prompt"].startswith("Answer the question about the following meeting.\n\nAnn Lee: Good morning.")
    assert pair["prompt"].endswith("\n\nWhen do they ship?")
    assert {pair["response_a"], pair["response_b"]} == {
        "One answer to: When do they ship?",
        "Another answer to: When do they ship?",
    }


def test_the_model_reads_who_speaks_and_what_the_meeting_is_about(rows: Path, tmp_path: Path) -> None:
    _, model = made(rows, tmp_path / "tasks", Plan([load_recipe("summary")], domain="software\nreleases"))
    asked = model.requests[0].messages[-1]["content"]
    assert "Those who speak: Ann Lee, Bo Chan, Cem Öz" in asked
    assert "The field is: software releases." in asked
    assert "\nCem Öz: Okay.\n" in asked


class TestBadAnswers:
    def test_one_refused_choice_costs_one_record(self, rows: Path, tmp_path: Path) -> None:
        result, _ = made(
            rows,
            tmp_path / "t",
            Plan([load_recipe("summary")]),
            lambda r: [Choice(None, "refusal"), Choice("Good.", "stop")],
        )
        assert (result.operations, result.refused) == ({"summary": 2}, {"reply": 2})
        assert lines(tmp_path / "t" / "rejected.jsonl")[0]["reason"] == "summary: refused by the model"
        assert result.partial

    def test_equal_candidates_are_one(self, rows: Path, tmp_path: Path) -> None:
        result, _ = made(rows, tmp_path / "t", Plan([load_recipe("summary")]), lambda r: ["Same.", "Same. "])
        assert (result.operations, result.refused) == ({"summary": 2}, {"same": 2})

    def test_questions_that_cannot_be_read_are_asked_for_once_more_and_then_named(
        self, rows: Path, tmp_path: Path
    ) -> None:
        result, model = made(rows, tmp_path / "t", Plan([load_recipe("follow_up")]), lambda r: "I have none.")
        assert (result.made, result.refused) == (0, {"reply": 2})
        assert len(model.requests) == 4
        assert "no questions" in lines(tmp_path / "t" / "rejected.jsonl")[0]["reason"]


class TestRecipes:
    def test_all_are_there(self) -> None:
        assert recipe_names() == ["action_items", "domain", "follow_up", "reasoning", "summary"]

    @pytest.mark.parametrize("name", ["domain", "reasoning"])
    def test_variants(self, rows: Path, tmp_path: Path, name: str) -> None:
        result, _ = made(rows, tmp_path / "t", Plan([load_recipe(name)], domain="law"))
        assert result.operations == {name: 8, "preference": 4}

    def test_a_recipe_of_ones_own(self, rows: Path, tmp_path: Path) -> None:
        path = tmp_path / "brief.yaml"
        path.write_text(
            "version: 1\nname: brief\nabout: One line.\ntemplate: summary_review\nfield: summary\n"
            "user: |\n  One line about {{transcript}}\n"
        )
        result, _ = made(rows, tmp_path / "t", Plan([load_recipe(path)]))
        assert result.operations == {"brief": 4, "preference": 2}

    @pytest.mark.parametrize(
        ("line", "reason"),
        [
            ("user: Sum up.", "does not say where the transcript goes"),
            ("user: '{{transcript}} {{mood}}'", "nothing to put at {{mood}}"),
            ("user: '{{transcript}}'\nquestions: '{{transcript}}'", "does not say where the count goes"),
        ],
    )
    def test_a_wrong_one_is_refused(self, tmp_path: Path, line: str, reason: str) -> None:
        path = tmp_path / "x.yaml"
        path.write_text(f"version: 1\nname: x\nabout: X.\ntemplate: summary_review\nfield: summary\n{line}\n")
        with pytest.raises(UsageError, match=reason):
            load_recipe(path)

    def test_what_no_template_has_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "x.yaml"
        path.write_text(
            "version: 1\nname: x\nabout: X.\ntemplate: summary_review\nfield: mood\nuser: '{{transcript}}'\n"
        )
        with pytest.raises(UsageError, match="has no field mood"):
            Plan([load_recipe(path)])
        with pytest.raises(UsageError, match="needs a domain"):
            Plan([load_recipe("domain")])
        with pytest.raises(UsageError, match="named twice"):
            Plan([load_recipe("summary")] * 2)


class TestRows:
    def test_rows_without_a_transcript_are_named_and_the_others_used(self, tmp_path: Path) -> None:
        path = tmp_path / "rows.jsonl"
        talk = [{"speaker": "Ann", "text": "We ship."}]
        rows = [
            {"transcript": talk},
            {"transcript": talk},
            {"text": "x"},
            {"transcript": "Ann: Hi"},
            {"transcript": []},
        ]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        result, _ = made(path, tmp_path / "t", Plan([load_recipe("summary")]))
        assert [reject.line for reject in result.unreadable] == [2, 3, 4, 5]
        assert result.operations["summary"] == 2

    def test_a_file_without_any_is_an_error(self, tmp_path: Path) -> None:
        path = tmp_path / "rows.jsonl"
        path.write_text('{"text": "x"}\n')
        with pytest.raises(InputError, match="no row holds a transcript"):
            made(path, tmp_path / "t", Plan(ALL))

    def test_records_of_transcripts_serve_as_well(self, tmp_path: Path) -> None:
        path = tmp_path / "records.jsonl"
        talk = [{"role": "Ann", "content": "We ship."}]
        path.write_text(json.dumps({"fields": {"transcript": talk}, "metadata": {"root_id": "r1"}}) + "\n")
        made(path, tmp_path / "t", Plan([load_recipe("summary")]))
        assert lines(tmp_path / "t" / "summary_review.jsonl")[0]["metadata"]["root_id"] == "r1"


class TestWithAnEndpoint:
    def test_faults_cost_no_second_payment_and_no_record(self, rows: Path, tmp_path: Path) -> None:
        def answer(asked: Asked) -> list[str]:
            answers = told(asked.text)
            return answers[-1:] if asked.n == 1 else answers  # the missing choice is another one

        plan = Plan(ALL)
        with ModelServer(answer, at={1: "busy", 3: "one choice", 5: "broken"}) as server:
            first = make_tasks(rows, tmp_path / "a", tmp_path / "j.jsonl", plan, Model(server.url, "small"))
            asked = len(server.asked)
            again = make_tasks(rows, tmp_path / "b", tmp_path / "j.jsonl", plan, Model(server.url, "small"))
            assert len(server.asked) == asked
        assert first.operations == again.operations
        assert first.operations == {"summary": 4, "action_items": 4, "follow_up": 8, "preference": 8}
        assert (tmp_path / "a" / "preference.jsonl").read_bytes() == (tmp_path / "b" / "preference.jsonl").read_bytes()

    def test_a_spent_budget_keeps_what_was_made(self, rows: Path, tmp_path: Path) -> None:
        with ModelServer(lambda asked: told(asked.text)) as server:
            few, none = (Model(server.url, "small", budget) for budget in (Budget(requests=3), Budget(tokens=1)))
            result = make_tasks(rows, tmp_path / "a", tmp_path / "j.jsonl", Plan(ALL[:2]), few)
            assert result.made > 0
            assert "budget" in result.stopped
            with pytest.raises(BudgetSpent):
                make_tasks(rows, tmp_path / "b", tmp_path / "k.jsonl", Plan(ALL[:2]), none)
