"""Rows of a pipeline into a campaign: however often, whatever breaks off, nothing is there twice."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from bridge.errors import ConfigError, InputError, ServerError, UsageError
from bridge.files import Reject, read_lines
from bridge.interop.distilabel_push import DEAD, Pushed, push_rows
from bridge.servers.memory import LIKE_LABEL_STUDIO, MemoryServer
from bridge.testing import Crash, FaultyServer
from tests.interop.pushed import keys_there

ROWS: list[dict[str, Any]] = [
    {"id": f"m{number}", "instruction": f"Name {number} primes.", "generation": f"{number} of them", "model_name": "m"}
    for number in range(1, 8)
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    described = {"project": "Primes", "server": {"kind": "memory"}, "records": "records.jsonl", "template": "rating"}
    (tmp_path / "campaign.yaml").write_text(json.dumps(described))
    return tmp_path


def lines(path: Path) -> list[dict[str, Any]]:
    return [row for _, row in read_lines(path) if not isinstance(row, Reject)]


def sent(pushed: Pushed) -> int:
    assert pushed.result is not None
    return pushed.result.sent


class TestAgain:
    def test_the_same_rows(self, folder: Path) -> None:
        assert sent(push_rows(ROWS, folder, id_column="id")) == 7
        again = push_rows(ROWS, folder, id_column="id")
        assert (sent(again), keys_there(folder)) == (0, sorted(row["id"] for row in ROWS))
        assert [line["key"] for line in lines(folder / "records.jsonl")] == [row["id"] for row in ROWS]

    def test_without_ids(self, folder: Path) -> None:
        push_rows(ROWS, folder)
        assert sent(push_rows(list(reversed(ROWS)), folder)) == 0
        assert len(keys_there(folder)) == 7

    def test_more_rows(self, folder: Path) -> None:
        push_rows(ROWS[:3], folder, id_column="id")
        assert sent(push_rows(ROWS, folder, id_column="id")) == 4

    def test_fewer_rows_take_nothing_away(self, folder: Path) -> None:
        push_rows(ROWS, folder, id_column="id")
        assert sent(push_rows(ROWS[:1], folder, id_column="id")) == 0
        assert len(keys_there(folder)) == len(lines(folder / "records.jsonl")) == 7

    def test_another_text_under_the_same_id_takes_its_place(self, folder: Path) -> None:
        push_rows(ROWS, folder, id_column="id")
        changed = push_rows([{**ROWS[0], "generation": "2, 3, 5"}], folder, id_column="id")
        assert changed.result is not None
        assert (changed.result.sent, changed.result.updated, len(keys_there(folder))) == (0, 1, 7)

    def test_several_generations_have_keys_of_their_own(self, folder: Path) -> None:
        rows = [{"id": "m", "instruction": "?", "generations": ["a", None, "c"]}]
        pushed = push_rows(rows, folder, id_column="id")
        assert pushed.keys == [["m-1", "m-3"]]
        assert pushed.reasons == ["generation 2: None, because the model's call failed"]

    def test_records_of_others_in_the_file_stay(self, folder: Path) -> None:
        other = {"key": "theirs", "fields": {"prompt": "p", "response": "r"}}
        (folder / "records.jsonl").write_text(json.dumps(other) + "\n")
        push_rows(ROWS[:1], folder, id_column="id")
        assert lines(folder / "records.jsonl")[0] == other
        assert keys_there(folder) == ["m1", "theirs"]


class TestBrokenOff:
    @pytest.mark.parametrize("at", range(1, 9))
    def test_a_crash_at_any_request(self, folder: Path, at: int) -> None:
        """On a server that takes the same key twice, as Label Studio does."""
        inner = MemoryServer(profile=LIKE_LABEL_STUDIO)
        with suppress(Crash):
            push_rows(ROWS, folder, id_column="id", server=FaultyServer(inner, at={at: "crash after"}))
        push_rows(ROWS, folder, id_column="id", server=inner)
        assert keys_there(folder, inner) == sorted(row["id"] for row in ROWS)

    def test_a_server_that_cannot_be_used_is_an_error_and_the_next_run_goes_on(self, folder: Path) -> None:
        inner = MemoryServer(profile=LIKE_LABEL_STUDIO)
        with pytest.raises(ServerError):
            push_rows(ROWS, folder, id_column="id", server=FaultyServer(inner, rate=1.0, kinds=("unreachable",)))
        assert sent(push_rows(ROWS, folder, id_column="id", server=inner)) == 7


class TestWhatBecomesNoRecord:
    def test_goes_to_the_dead_letters_with_its_row(self, folder: Path) -> None:
        bad = {**ROWS[0], "id": "bad", "generation": None}
        pushed = push_rows([bad, *ROWS], folder, id_column="id")
        assert (pushed.keys[0], pushed.keys[1]) == ([], ["m1"])
        (line,) = lines(folder / "out" / DEAD)
        assert (line["key"], line["row"]) == ("bad", bad)
        assert keys_there(folder) == sorted(row["id"] for row in ROWS)

    def test_a_mended_row_leaves_them(self, folder: Path) -> None:
        push_rows([{**ROWS[0], "generation": None}], folder, id_column="id")
        push_rows(ROWS[:1], folder, id_column="id")
        assert lines(folder / "out" / DEAD) == []

    def test_where_nothing_is_left_nothing_is_pushed(self, folder: Path) -> None:
        pushed = push_rows([{**ROWS[0], "generation": None}], folder, id_column="id")
        assert pushed.result is None
        assert not (folder / "records.jsonl").exists()

    def test_rows_without_an_id(self, folder: Path) -> None:
        pushed = push_rows([{"instruction": "?", "generation": "a"}], folder, id_column="id")
        assert pushed.reasons == ["id: missing, so there is no key"]


class TestSeveralRatingQuestions:
    ROW = {
        "transcript": "Ann: At six.",
        "summary": "They meet at six.",
        "notes": "Six.",
        "generations": ["They meet at six.", "Six."],
        "ratings": [5, None],
        "rationales": ["Right.", None],
        "model_name": "judge",
        "summary_model": "m",
    }

    @pytest.fixture(autouse=True)
    def template(self, folder: Path) -> None:
        template = {
            "version": 1,
            "name": "both",
            "title": "Both",
            "fields": [{"name": name, "title": name} for name in ("transcript", "summary", "notes")],
            "questions": [{"name": f"{name}_rating", "type": "rating", "title": name} for name in ("summary", "notes")],
        }
        (folder / "both.yaml").write_text(json.dumps(template))
        described = json.loads((folder / "campaign.yaml").read_text())
        (folder / "campaign.yaml").write_text(json.dumps({**described, "template": "both.yaml"}))

    def test_each_generation_is_a_field_and_has_its_own(self, folder: Path) -> None:
        pushed = push_rows([self.ROW], folder, ratings=["summary_rating", "notes_rating"])
        (line,) = lines(folder / "records.jsonl")
        assert pushed.keys == [[line["key"]]]
        assert [(s["question"], s["value"], s["agent"]) for s in line["suggestions"]] == [
            ("summary_rating", 5, "judge")
        ]
        assert line["metadata"]["rationales"] == {"summary_rating": {"rationale": "Right."}}

    @pytest.mark.parametrize(
        ("generations", "reason"),
        [
            (["They meet at six."], "generations: 1, and 2 questions rate them"),
            (["They meet at six.", "Seven."], "shifted: generation 2 is in no field of the row"),
            (["They meet at six.", None], "generation 2: None"),
        ],
    )
    def test_generations_that_do_not_fit_are_refused(self, folder: Path, generations: list[Any], reason: str) -> None:
        row = {**self.ROW, "generations": generations, "ratings": [5] * len(generations), "rationales": None}
        pushed = push_rows([row], folder, ratings=["summary_rating", "notes_rating"])
        assert pushed.reasons[0].startswith(reason)

    def test_a_question_that_does_not_exist(self, folder: Path) -> None:
        with pytest.raises(UsageError, match="no rating question 'mood'"):
            push_rows([self.ROW], folder, ratings=["mood"])


class TestCampaigns:
    def test_there_is_none(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="there is no campaign here"):
            push_rows(ROWS, tmp_path / "nowhere")

    @pytest.mark.parametrize("records", ["rows.csv", {"path": "rows.jsonl", "map": {"prompt": "instruction"}}])
    def test_its_file_of_records_must_be_its_own(self, folder: Path, records: Any) -> None:
        described = json.loads((folder / "campaign.yaml").read_text())
        (folder / "campaign.yaml").write_text(json.dumps({**described, "records": records}))
        with pytest.raises(UsageError, match="a file of the campaign's own"):
            push_rows(ROWS, folder)

    def test_a_broken_line_in_it_is_named_and_nothing_is_lost(self, folder: Path) -> None:
        (folder / "records.jsonl").write_text("{broken\n")
        with pytest.raises(InputError, match=r"records.jsonl:1: "):
            push_rows(ROWS, folder)
        assert (folder / "records.jsonl").read_text() == "{broken\n"
