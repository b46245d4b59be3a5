"""The commands of transcripts, from files to rows that a push reads."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from bridge.testing.models import Asked, ModelServer
from tests.cli.running import run
from tests.transcripts.making import DATA


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("zoom.vtt", "plain.txt", "qmsum.json"):
        shutil.copy(DATA / name, tmp_path)
    return tmp_path


def rows(name: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in Path(name).read_text(encoding="utf-8").splitlines()]


class TestRead:
    def test_without_out_it_only_counts(self) -> None:
        result = run("transcripts", "read", "zoom.vtt", "plain.txt")
        assert result.code == 0
        assert result.lines == [
            "file       form    encoding  turns  empty  unread  rows",
            "zoom.vtt   webvtt  utf-8         6      0       0     1",
            "plain.txt  plain   cp1252?       6      0       0     1",
        ]

    def test_what_cannot_be_read_is_named_and_the_exit_code_says_so(self) -> None:
        Path("t.vtt").write_text("WEBVTT\n\n00:0x --> 00:02\nLost\n\n00:03.000 --> 00:04.000\nHi\n")
        result = run("transcripts", "read", "t.vtt", "--out", "t.jsonl")
        assert result.code == 3
        assert "places that cannot be read: 1 (see t.unread.jsonl)" in result.out
        assert "  t.vtt:3: a cue whose times cannot be read" in result.out
        assert rows("t.unread.jsonl")[0]["line"] == 3

    def test_an_empty_transcript_writes_nothing(self) -> None:
        Path("t.vtt").write_text("WEBVTT\n")
        result = run("transcripts", "read", "t.vtt", "--out", "t.jsonl")
        assert (result.code, Path("t.jsonl").exists()) == (1, False)
        assert "an empty transcript: WebVTT in which nobody says anything" in result.err

    def test_two_forms_write_nothing(self) -> None:
        Path("t.vtt").write_text("WEBVTT\n\n00:03.000 --> 00:04.000\nHi\n\n[Ann] 10:00:00\nHo\n")
        result = run("transcripts", "read", "t.vtt", "--out", "t.jsonl", "--json")
        assert (result.code, Path("t.jsonl").exists()) == (1, False)
        assert "it begins as WebVTT, and here is Zoom text" in result.json["error"]["reason"]

    def test_a_tokenizer_counts(self) -> None:
        from tokenizers import Tokenizer
        from tokenizers.models import WordLevel
        from tokenizers.pre_tokenizers import Whitespace

        tokenizer = Tokenizer(WordLevel({"?": 0}, unk_token="?"))
        tokenizer.pre_tokenizer = Whitespace()
        tokenizer.save("tokenizer.json")
        result = run(
            "transcripts", "read", "zoom.vtt", "--tokenizer", "tokenizer.json", "--budget", "40", "--out", "z.jsonl"
        )
        assert result.code == 0
        assert [row["tokens"] for row in rows("z.jsonl")] == [33, 29, 28, 20]

    def test_flags_that_contradict_each_other(self) -> None:
        for flags in (["--as-written", "--pseudonyms", "p.json"], ["--turns", "--assistant", "Bo"]):
            assert run("transcripts", "read", "zoom.vtt", *flags).code == 2
        assert run("transcripts", "read", "zoom.vtt", "--out", "zoom.vtt").code == 2

    def test_references_of_qmsum(self) -> None:
        result = run("transcripts", "read", "qmsum.json", "--references", "asked.jsonl", "--json")
        assert (result.code, result.json["references"], len(rows("asked.jsonl"))) == (0, 2, 2)


class TestFromTranscriptsToPeople:
    def test_what_the_model_cannot_do_is_a_warning(self) -> None:
        assert run("transcripts", "read", "zoom.vtt", "--out", "meetings.jsonl").code == 0
        with ModelServer(lambda asked: f"{asked.text[-40:]} {len(asked.text)}", can=()) as server:
            result = run("transcripts", "tasks", "meetings.jsonl", "--model", "small", "--url", server.url, "--json")
        told = "small: n is not supported: choices are asked for one by one, and each pays for the prompt again"
        assert told in [warning["means"] for warning in result.json["warnings"]]

    def test_read_tasks_and_push(self) -> None:
        def answer(asked: Asked) -> list[str]:
            if "has some questions" in asked.text:
                return ['{"questions": ["When do they ship?"]}']
            return [f"{word} {asked.text[:30]} {asked.text[-20:]}" for word in ("One", "Two")]

        assert run("transcripts", "read", "zoom.vtt", "--out", "meetings.jsonl").code == 0
        with ModelServer(answer) as server:
            result = run("transcripts", "tasks", "meetings.jsonl", "--model", "small", "--url", server.url, "--json")
        assert result.code == 0, result.out
        assert result.json["operations"] == {"summary": 2, "action_items": 2, "follow_up": 2, "preference": 3}
        assert result.json["test_only"] == 9
        for template, count in (("summary_review", 2), ("action_items", 2), ("follow_up_qa", 2), ("preference", 3)):
            made = run(
                "init",
                template,
                "--template",
                template,
                "--records",
                f"../tasks/{template}.jsonl",
                "--server",
                "memory",
            )
            assert made.code == 0
            assert run("push", "-C", template, "--json").json["sent"] == count

    def test_a_model_that_is_not_there_is_a_clear_error_and_leaves_no_files(self) -> None:
        run("transcripts", "read", "zoom.vtt", "--out", "meetings.jsonl")
        with ModelServer(models=["large"]) as server:
            flags = ("--model", "small", "--url", server.url, "--out", "t")
            result = run("transcripts", "tasks", "meetings.jsonl", *flags)
        assert result.code == 1
        assert "small" in result.err
        assert not Path("t", "summary_review.jsonl").exists()

    @pytest.mark.parametrize(
        ("flags", "reason"),
        [
            (["--budget", "0"], "budget cost of 0"),
            (["--task", "mood"], "recipe 'mood': there is none"),
            (["--task", "domain"], "it needs a domain"),
            (["--journal", "tasks/rejected.jsonl"], "campaign's own or an input"),
        ],
    )
    def test_what_cannot_be_wanted(self, flags: list[str], reason: str) -> None:
        run("transcripts", "read", "zoom.vtt", "--out", "meetings.jsonl")
        result = run("transcripts", "tasks", "meetings.jsonl", "--model", "m", "--url", "http://127.0.0.1:9/v1", *flags)
        assert result.code == 2
        assert reason in result.err
