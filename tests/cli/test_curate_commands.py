"""The commands of curation: filters from a file to a file, and the assessment."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from bridge.cli import main
from tests.cli.running import Result, run

BLUE = "The sky is blue because the air scatters blue light more than it scatters red light."
ROWS = [
    {"instruction": "Why is the sky blue by day?", "output": BLUE, "task": "physics", "licence": "MIT", "weight": 1.5},
    {"instruction": "why is the sky blue, by day", "output": BLUE, "task": "physics", "licence": "GPL-3.0"},
    {"instruction": "Add two and three.", "output": "It is  five.\u200b", "task": "sums"},
    {"instruction": "Whom do I ask about it?", "output": "Ask ann@mail.example, please.", "task": "people"},
    {"instruction": "What is the capital of France?", "output": "", "task": "geography"},
]

FILTERS = {
    "clean": ["clean"],
    "pii": ["pii", "--mode", "mask"],
    "dedup": ["dedup"],
    "decontaminate": ["decontaminate", "--against", "eval.jsonl"],
    "balance": ["balance", "--by", "task", "--cap", "1"],
    "sample": ["sample", "--size", "2"],
    "licences": ["licences", "--allow", "MIT"],
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write("in.jsonl", ROWS)
    write("eval.jsonl", [{"id": "q7", "question": "What is the capital of France, please?", "answer": "Paris"}])
    return tmp_path


def write(name: str, rows: list[dict[str, Any]]) -> None:
    Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows))


def read(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(name).read_text().splitlines()]


def filtered(*command: str) -> Result:
    return run(command[0], "in.jsonl", "--out", "out.jsonl", *command[1:], "--json")


class TestEveryFilter:
    @pytest.mark.parametrize("name", FILTERS)
    def test_nothing_is_lost_between_its_two_outputs(self, name: str) -> None:
        result = filtered(*FILTERS[name])
        assert result.code == 0
        kept, dropped = read("out.jsonl"), read("out.dropped.jsonl")
        assert (result.json["read"], result.json["kept"], result.json["dropped"]) == (5, len(kept), len(dropped))
        assert len(kept) + len(dropped) == 5
        assert {row["instruction"] for row in kept} | {case["row"]["instruction"] for case in dropped} == {
            row["instruction"] for row in ROWS
        }

    @pytest.mark.parametrize("name", FILTERS)
    def test_each_dropped_line_is_there_whole_with_its_number_and_reason(self, name: str) -> None:
        filtered(*FILTERS[name])
        for case in read("out.dropped.jsonl"):
            assert ROWS[case["line"] - 1] == case["row"]
            assert case["step"] == name
            assert case["rule"]

    @pytest.mark.parametrize("name", ["dedup", "decontaminate", "balance", "sample", "licences"])
    def test_kept_lines_are_as_they_were_and_in_their_order(self, name: str) -> None:
        filtered(*FILTERS[name])
        kept = read("out.jsonl")
        assert kept == [row for row in ROWS if row in kept]

    @pytest.mark.parametrize("name", FILTERS)
    def test_what_it_wrote_goes_through_it_again_unchanged(self, name: str) -> None:
        filtered(*FILTERS[name])
        result = run(FILTERS[name][0], "out.jsonl", "--out", "again.jsonl", *FILTERS[name][1:], "--json")
        assert (result.json["dropped"], result.json["changed"]) == (0, 0)
        assert read("again.jsonl") == read("out.jsonl")

    @pytest.mark.parametrize("name", FILTERS)
    def test_without_an_output_it_only_counts(self, name: str, folder: Path) -> None:
        result = run(FILTERS[name][0], "in.jsonl", *FILTERS[name][1:])
        assert result.code == 0
        assert "of 5 records kept" in result.lines[0]
        assert sorted(path.name for path in folder.iterdir()) == ["eval.jsonl", "in.jsonl"]

    @pytest.mark.parametrize("name", FILTERS)
    def test_its_input_is_never_written_over(self, name: str) -> None:
        before = Path("in.jsonl").read_text()
        for flags in (["--out", "in.jsonl"], ["--out", "o.jsonl", "--dropped", "./in.jsonl"]):
            result = run(FILTERS[name][0], "in.jsonl", *flags, *FILTERS[name][1:])
            assert (result.code, Path("in.jsonl").read_text()) == (2, before)
        assert run(name, "in.jsonl", "--out", "o.jsonl", "--dropped", "o.jsonl", *FILTERS[name][1:]).code == 2

    @pytest.mark.parametrize("name", FILTERS)
    def test_lines_that_cannot_be_used_are_listed_and_the_exit_code_says_so(self, name: str) -> None:
        with Path("in.jsonl").open("a") as file:
            file.write('["no"]\n{"topic": "x"}\n')
        result = filtered(*FILTERS[name])
        assert (result.code, result.json["rejected"], result.json["partial"]) == (3, 2, True)
        rejected = [case for case in read("out.dropped.jsonl") if case["step"] == "read"]
        assert [case["line"] for case in rejected] == [6, 7]

    @pytest.mark.parametrize("name", FILTERS)
    @pytest.mark.parametrize(("text", "reason"), [("", "no rows"), (None, "No such file")])
    def test_a_file_without_rows_is_one_clear_error(self, name: str, text: str | None, reason: str) -> None:
        if text is None:
            Path("in.jsonl").unlink()
        else:
            Path("in.jsonl").write_text(text)
        result = filtered(*FILTERS[name])
        assert result.code == 1
        assert reason in result.json["error"]["reason"]
        assert not Path("out.jsonl").exists()

    @pytest.mark.parametrize("name", FILTERS)
    def test_columns_can_be_named(self, name: str) -> None:
        rows = [{"frage": row["instruction"], "antwort": row["output"], "task": row["task"]} for row in ROWS]
        write("in.jsonl", rows)
        result = filtered(*FILTERS[name], "--map", "prompt=frage", "--map", "response=antwort")
        assert (result.code, result.json["read"]) == (0, 5)
        assert run(name, "in.jsonl", "--map", "prompt").code == 2


class TestShapes:
    def test_records_rows_and_preferences_go_through_the_same_filter(self) -> None:
        mail = "Ask ann@mail.example."
        chat = [{"role": "user", "content": "Whom?"}, {"role": "assistant", "content": mail}]
        lines = [
            {"key": "r", "fields": {"prompt": "Whom?", "response": mail}, "metadata": {"n": 1}},
            {"messages": chat},
            {"prompt": "Whom?", "completion": mail},
            {"prompt": chat[:1], "chosen": chat[1:], "rejected": [{"role": "assistant", "content": "No."}], "w": 2},
            {"question": "Whom?", "answer": mail},
        ]
        write("in.jsonl", lines)
        assert filtered("pii", "--mode", "mask").json["changed"] == 5
        text = Path("out.jsonl").read_text()
        assert text.replace("<EMAIL_1>", "ann@mail.example") == "".join(json.dumps(line) + "\n" for line in lines)

    def test_tables_come_in_and_lines_go_out(self) -> None:
        Path("in.csv").write_text("instruction,output\nWhy?,Because.\nWhy?,Because.\n")
        assert run("dedup", "in.csv", "--out", "out.jsonl", "--method", "exact").code == 0
        assert read("out.jsonl") == [{"instruction": "Why?", "output": "Because."}]


class TestClean:
    def test_texts_are_mended_and_what_they_were_stays(self) -> None:
        assert filtered("clean").json["why"] == {"empty": 1, "whitespace": 1, "zero_width": 1}
        (mended,) = [row for row in read("out.jsonl") if row["task"] == "sums"]
        assert mended["output"] == "It is five."
        assert mended["history"][0]["before"] == ROWS[2]["output"]

    def test_rules_can_be_left_out(self) -> None:
        assert filtered("clean", "--only", "whitespace", "--only", "zero_width", "--off", "zero_width").json["why"] == {
            "whitespace": 1
        }

    def test_a_rule_that_does_not_exist_is_named(self) -> None:
        assert run("clean", "in.jsonl", "--off", "magic").code == 2


class TestPii:
    def test_a_report_changes_nothing_and_lists_what_it_found(self) -> None:
        result = run("pii", "in.jsonl", "--review", "found.jsonl", "--json")
        assert (result.json["found"], result.json["changed"]) == ({"email": 1}, 0)
        (found,) = read("found.jsonl")
        assert (found["kind"], found["field"], found["shown"]) == ("email", "output", "an…le")

    def test_it_never_claims_to_be_a_guarantee(self) -> None:
        assert "no guarantee" in run("pii", "in.jsonl").out
        assert "no guarantee" in run("pii", "--help").out

    def test_known_names_are_masked(self) -> None:
        Path("names.txt").write_text("France\n\n")
        filtered("pii", "--mode", "mask", "--names", "names.txt", "--name", "blue")
        text = Path("out.jsonl").read_text()
        assert "What is the capital of <NAME_1>?" in text
        assert "blue" not in text

    def test_pseudonyms_need_a_secret(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert "--key-env" in run("pii", "in.jsonl", "--mode", "pseudonymise").err
        assert "is not set" in run("pii", "in.jsonl", "--mode", "pseudonymise", "--key-env", "PII_KEY").err
        monkeypatch.setenv("PII_KEY", "0123456789abcdef0123456789abcdef")
        assert filtered("pii", "--mode", "pseudonymise", "--key-env", "PII_KEY").json["changed"] == 1

    def test_the_review_is_no_input_and_no_other_output(self) -> None:
        for review in ("in.jsonl", "out.jsonl", "out.dropped.jsonl"):
            assert run("pii", "in.jsonl", "--out", "out.jsonl", "--review", review).code == 2


class TestDedup:
    def test_the_dropped_line_names_the_kept_one(self) -> None:
        filtered("dedup")
        (case,) = read("out.dropped.jsonl")
        assert (case["rule"], case["line"]) == ("near", 2)
        assert case["score"] > 0.7

    def test_one_side_can_be_compared(self) -> None:
        assert filtered("dedup", "--method", "exact", "--on", "response").json["why"] == {"exact": 1}
        assert filtered("dedup", "--method", "exact").json["why"] == {}

    def test_an_index_remembers_what_was_kept(self) -> None:
        first = filtered("dedup", "--index", "seen.idx")
        assert (first.json["kept"], first.json["indexed"]) == (4, 4)
        write("more.jsonl", [ROWS[1], {"instruction": "Name a colour.", "output": "Red is one of them."}])
        more = run("dedup", "more.jsonl", "--out", "new.jsonl", "--index", "seen.idx", "--json")
        assert (more.json["kept"], more.json["indexed"]) == (1, 5)

    def test_without_an_output_the_index_stays_as_it_is(self) -> None:
        run("dedup", "in.jsonl", "--index", "seen.idx")
        assert not Path("seen.idx").exists()

    def test_an_index_of_other_settings_is_refused(self) -> None:
        filtered("dedup", "--index", "seen.idx")
        assert "threshold 0.7" in run("dedup", "in.jsonl", "--index", "seen.idx", "--threshold", "0.9").err
        assert run("dedup", "in.jsonl", "--index", "seen.idx", "--method", "exact").code == 2


class TestDecontaminate:
    def test_it_names_the_set_the_item_and_the_passage(self) -> None:
        assert filtered("decontaminate", "--against", "eval.jsonl").json["sets"] == {"eval": 1}
        (case,) = read("out.dropped.jsonl")
        assert (case["rule"], case["detail"]["set"], case["detail"]["item"]) == ("containment", "eval", "q7")
        assert case["detail"]["passage"] == "What is the capital of France"
        assert (
            "eval q7: 'What is the capital of France'"
            in run("decontaminate", "in.jsonl", "--against", "eval.jsonl").out
        )

    def test_two_sets_of_one_name_are_told_apart(self) -> None:
        Path("more").mkdir()
        write("more/eval.jsonl", [{"question": "Add two and three and four."}])
        flags = ("--against", "eval.jsonl", "--against", "more/eval.jsonl")
        assert filtered("decontaminate", *flags).json["sets"] == {"eval.jsonl": 1, "more/eval.jsonl": 1}

    @pytest.mark.parametrize(("text", "reason"), [("", "no rows"), ('{"n": 1}\n', "no text"), ("[1]\n", "a list")])
    def test_a_set_that_is_none_is_one_clear_error(self, text: str, reason: str) -> None:
        Path("eval.jsonl").write_text(text)
        result = filtered("decontaminate", "--against", "eval.jsonl")
        assert result.code == 1
        assert reason in result.json["error"]["reason"]

    def test_a_set_is_never_written_over(self) -> None:
        assert run("decontaminate", "in.jsonl", "--against", "eval.jsonl", "--out", "eval.jsonl").code == 2


class TestSample:
    def test_the_order_of_the_rows_does_not_matter(self) -> None:
        rows = [{"prompt": f"{n} + 2?", "completion": f"{n + 2}"} for n in range(100)]
        for name, order in (("a", rows), ("b", random.Random(1).sample(rows, 100))):
            write(f"{name}.jsonl", order)
            assert run("sample", f"{name}.jsonl", "--share", "0.1", "--out", f"{name}.out.jsonl").code == 0
        first, second = (sorted(map(json.dumps, read(f"{name}.out.jsonl"))) for name in "ab")
        assert len(first) == 10
        assert first == second

    def test_a_diverse_one_holds_what_is_unlike_the_rest(self) -> None:
        prompts = ["Add 2 and 3.", "Add 2 and 4.", "Add 3 and 4.", "Why is the sky blue?"]
        write("in.jsonl", [{"prompt": prompt} for prompt in prompts])
        filtered("sample", "--size", "2", "--diverse")
        assert {"prompt": "Why is the sky blue?"} in read("out.jsonl")

    def test_it_needs_a_size_or_a_share(self) -> None:
        for flags in ([], ["--size", "1", "--share", "0.5"], ["--share", "2"], ["--size", "0"]):
            assert run("sample", "in.jsonl", *flags).code == 2


class TestLicences:
    def test_a_refusal_names_the_record_and_writes_nothing(self) -> None:
        result = filtered("licences", "--allow", "MIT", "--forbidden", "refuse")
        assert result.code == 1
        assert "GPL-3.0" in result.json["error"]["reason"]
        assert not Path("out.jsonl").exists()

    def test_sources_have_licences(self) -> None:
        write("in.jsonl", [{"prompt": "?", "source": "wiki"}])
        result = filtered("licences", "--allow", "CC-BY-SA-4.0", "--of-source", "wiki=CC-BY-SA-4.0")
        assert result.json["kept"] == 1
        assert run("licences", "in.jsonl", "--allow", "MIT", "--of-source", "wiki").code == 2


class TestAssess:
    def test_it_prints_tables_and_findings(self) -> None:
        result = run("assess", "in.jsonl", "--by", "task")
        assert result.code == 0
        assert result.lines[0] == "5 records, 5 responses"
        for words in ("response, words", "balance by task", "language of responses", "personal data"):
            assert words in result.out
        assert "! 1 record has an empty response" in result.lines

    def test_json_has_all_figures(self) -> None:
        found = run("assess", "in.jsonl", "--json").json
        assert (found["records"], found["duplicates"]["near"]["count"], found["pii_found"]) == (5, 1, {"email": 1})
        assert found["lengths"]["response"]["words"]["count"] == 5

    def test_a_page_is_written(self) -> None:
        assert run("assess", "in.jsonl", "--html", "report.html").lines[-1] == "wrote report.html"
        assert Path("report.html").read_text().startswith("<!doctype html>")
        assert run("assess", "in.jsonl", "--html", "in.jsonl").code == 2

    def test_a_model_of_ones_own_scores_toxicity(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        Path("judge_of_mine.py").write_text("def score(texts):\n    return [0.75 for _ in texts]\n")
        monkeypatch.syspath_prepend(folder)
        found = run(
            "assess", "in.jsonl", "--json", "--toxicity", "judge_of_mine:score", "--no-pii", "--languages", "none"
        )
        assert found.json["toxicity"]["spread"]["mean"] == 0.75
        assert (found.json["languages"], found.json["pii"]) == ({}, {})
        assert run("assess", "in.jsonl", "--toxicity", "nothing_here:score").code == 2

    def test_lines_that_cannot_be_used_are_counted(self) -> None:
        with Path("in.jsonl").open("a") as file:
            file.write("{}\n")
        result = run("assess", "in.jsonl", "--json")
        assert (result.code, result.json["rejected"]) == (3, 1)


@pytest.mark.parametrize("name", [*FILTERS, "assess"])
def test_help_shows_how_to_call_it(name: str) -> None:
    text = main.commands[name].help or ""
    assert f"annobridge {name} " in text
