"""What the tasks of distilabel leave, each under its own names for the same things."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.interop import from_distilabel
from bridge.interop.distilabel_columns import common
from bridge.records import Record
from bridge.templates import TaskTemplate, load_template

RATING, RANKING, PREFERENCE, CHAT = (load_template(n) for n in ("rating", "ranking", "preference", "chat_review"))
ASKED = {"role": "user", "content": "Name a prime."}
SEVEN, NINE = ({"role": "assistant", "content": text} for text in ("7 is one.", "9 is one."))
PAIR = {"prompt": "Name a prime.", "prompt_id": "a1", "chosen": [ASKED, SEVEN], "rejected": [ASKED, NINE]}


def only(row: dict[str, Any], template: TaskTemplate = RATING) -> Record:
    reader = from_distilabel([row], template)
    found: list[Record] = [*reader]
    assert [reject.reason for reject in reader.rejects] == []
    assert len(found) == 1
    return found[0]


def suggested(record: Record) -> list[tuple[str, Any, str]]:
    return [(one.question, one.value, one.agent) for one in record.suggestions]


class TestOneAnswer:
    @pytest.mark.parametrize(
        "row",
        [
            {"instruction": "Name a prime.", "response": "7 is one."},
            {"user": "Name a prime.", "assistant": "7 is one.", "title": "Sums", "content": "A prime has no divisor."},
            {"instruction": "Name one.", "evolved_instruction": "Name a prime.", "answer": "7 is one."},
            {"instruction": "Name a prime.", "answer": "7 is one."},
            {"instruction": "Name a prime.", "response_before": "7", "evolved_response": "7 is one."},
            {"conversation": [ASKED, SEVEN]},
            {"instruction": "Name a prime.", "generation": "7 is one.", "messages": [ASKED, SEVEN]},
            {"prompt": "Name a prime.", "response": "7 is one."},
        ],
        ids=["Magpie", "Genstruct", "EvolInstruct", "EvolGenerator", "EvolQuality", "turns", "FormatSFT", "ours"],
    )
    def test_is_what_it_is_whatever_the_task_calls_it(self, row: dict[str, Any]) -> None:
        record = only({**row, "model_name": "small-1"})
        assert record.fields == {"prompt": "Name a prime.", "response": "7 is one."}
        assert record.metadata["model_name"] == "small-1"

    def test_what_an_evolved_instruction_was_made_of_is_kept(self) -> None:
        row = {"instruction": "Name one.", "evolved_instruction": "Name a prime.", "answer": "7 is one."}
        assert only(row).metadata == {"original_instruction": "Name one."}

    @pytest.mark.parametrize(
        "judged", [{"feedback": "Right.", "result": 5}, {"score": "5", "reason": "Right."}], ids=["Prometheus", "back"]
    )
    def test_a_judge_of_one_answer_suggests_its_rating(self, judged: dict[str, Any]) -> None:
        record = only({"instruction": "p", "generation": "r", "model_name": "judge", **judged})
        assert (suggested(record), record.metadata) == ([("rating", 5, "judge")], {"rationale": "Right."})

    def test_a_judge_that_said_nothing_suggests_nothing_and_wrote_nothing(self) -> None:
        row = {"instruction": "p", "generation": "r", "model_name": "judge", "feedback": None, "result": None}
        record = only(row)
        assert (suggested(record), record.metadata) == ([], {})

    def test_a_column_named_like_a_field_stays_that_field(self) -> None:
        row = {
            "transcript": [{"speaker": "Ann", "text": "At six."}],
            "instruction": "q",
            "answer": "a",
            "question": "When?",
        }
        record = only({**row, "generation": "At six."}, load_template("follow_up_qa"))
        assert (record.fields["question"], record.fields["answer"]) == ("When?", "At six.")


class TestChats:
    TURNS = (ASKED, SEVEN, {"role": "user", "content": "And another?"})

    @pytest.mark.parametrize(
        "row",
        [
            {"conversation": [*TURNS, NINE]},
            {"messages": [*TURNS], "generation": NINE["content"]},
            {"messages": [*TURNS, NINE], "generation": NINE["content"]},
            {"messages": [*TURNS, NINE]},
        ],
        ids=["Magpie", "ChatGeneration", "FormatChatSFT", "ours"],
    )
    def test_all_turns_stay(self, row: dict[str, Any]) -> None:
        assert only(row, CHAT).fields == {"messages": [*self.TURNS, NINE]}

    @pytest.mark.parametrize("turns", [[*TURNS], [], [None], ["a"]])
    def test_one_that_ends_without_an_answer_is_none(self, turns: list[Any]) -> None:
        for template in (CHAT, RATING):
            reader = from_distilabel([{"conversation": turns}], template)
            assert (len(list(reader)), len(reader.rejects)) == (0, 1)

    def test_a_template_without_a_chat_says_so(self) -> None:
        reader = from_distilabel([{"conversation": [*self.TURNS, NINE]}], RATING)
        assert list(reader) == []
        assert reader.rejects[0].reason == "messages: 3 before the answer, and the template 'rating' has no chat"


class TestWhichIsBetter:
    @pytest.mark.parametrize(
        "row",
        [
            {"input": "p", "candidates": ["a", "b"], "ranks": [2, 1], "ranked_candidates": ["b", "a"]},
            {"instruction": "p", "generations": ["a", "b"], "feedback": "B it is.", "result": "B"},
            {"instruction": "p", "responses": ["a", "b"], "scores": [2.0, 4.0]},
        ],
        ids=["PairRM", "Prometheus", "QualityScorer"],
    )
    def test_is_a_preference_and_a_ranking(self, row: dict[str, Any]) -> None:
        row = {**row, "model_name": "judge"}
        for template, question, value in (
            (PREFERENCE, "preference", "B"),
            (RANKING, "ranking", {"response_1": 2, "response_2": 1}),
        ):
            record = only(row, template)
            assert [*record.fields.values()] == ["p", "a", "b"]
            assert suggested(record) == [(question, value, "judge")]

    def test_an_order_is_no_rating(self) -> None:
        row = {"input": "p", "candidates": ["a", "b"], "ranks": [2, 1], "ranked_candidates": ["b", "a"]}
        assert [record.suggestions for record in from_distilabel([row], RATING)] == [(), ()]

    def test_ranks_that_are_no_tasks_are_metadata(self) -> None:
        row = {"instruction": "p", "generations": ["a", "b"], "ranks": "gold"}
        assert only(row, PREFERENCE).metadata == {"ranks": "gold"}

    @pytest.mark.parametrize("judged", [{"chosen_rating": 5, "rejected_rating": 1}, {}])
    def test_a_pair_of_whole_chats(self, judged: dict[str, Any]) -> None:
        record = only({**PAIR, **judged, "chosen_model": "m1", "rejected_model": "m2"}, PREFERENCE)
        assert [*record.fields.values()] == ["Name a prime.", "7 is one.", "9 is one."]
        assert suggested(record) == [("preference", "A", "")]
        assert record.metadata["model_names"] == ["m1", "m2"]

    @pytest.mark.parametrize("result", [None, "C", ["A"]])
    def test_a_judge_that_failed_prefers_nothing(self, result: Any) -> None:
        row = {"instruction": "p", "generations": ["a", "b"], "feedback": None, "result": result}
        assert only(row, PREFERENCE).suggestions == ()


def test_rows_that_have_the_common_names_are_as_they_were() -> None:
    row = {"instruction": "p", "generations": ["a"], "ratings": [1], "response": "b", "chosen": "c", "rejected": "d"}
    assert common(row) == row


def test_moved_answers_are_found_under_any_name() -> None:
    places = ["Oslo", "Rome", "Lima", "Kyiv", "Bonn", "Cork", "Nice", "Graz", "Pisa", "Linz"]
    said = [f"{place} has an old bridge." for place in (*places[:2], *places[3:], "Metz")]
    rows = [{"user": f"Describe {p}.", "assistant": text} for p, text in zip(places, said, strict=True)]
    reader = from_distilabel(rows, RATING)
    assert len(list(reader)) == 2
    assert [(found.kind, found.first) for found in reader.findings] == [("shifted", 3)]
