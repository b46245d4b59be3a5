"""distilabel's columns: what its pipelines leave behind, failures included."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bridge.errors import UsageError, ValueRejected
from bridge.interop import from_distilabel, to_distilabel
from bridge.records import Record, Suggestion
from bridge.templates import TaskTemplate, load_template
from tests.interop.strategies import records

RATING, RANKING, PREFERENCE, CHAT = (load_template(n) for n in ("rating", "ranking", "preference", "chat_review"))

TWO = "ratings: not a list of 2, as there are generations"


def suggested(record: Record) -> dict[str, Any]:
    return {suggestion.question: suggestion.value for suggestion in record.suggestions}


def asked(record: Record) -> Any:
    return record.fields.get("prompt") or record.fields["messages"][0]["content"]  # type: ignore[index]


class TestOneGeneration:
    def test_a_generation_and_its_model(self) -> None:
        row = {"instruction": "2 + 2?", "generation": "4", "model_name": "small-1", "topic": "sums"}
        (record,) = from_distilabel([row], RATING)
        assert record == Record(
            "", {"prompt": "2 + 2?", "response": "4"}, (), {"topic": "sums", "model_name": "small-1"}
        )

    def test_a_chat(self) -> None:
        row = {"instruction": "2 + 2?", "system_prompt": "Be brief.", "generation": "4", "ratings": [5.0]}
        (record,) = from_distilabel([row], CHAT)
        assert [m["role"] for m in record.fields["messages"]] == ["system", "user", "assistant"]  # type: ignore[index]
        assert suggested(record) == {"rating": 5}
        (back,) = to_distilabel([record], CHAT)
        assert {name: back[name] for name in row} == row

    def test_each_generation_is_a_record(self) -> None:
        row = {
            "instruction": "2 + 2?",
            "generation": "4",
            "generations": ["4", "5", None],
            "generation_models": ["a", "b", "c"],
            "ratings": [5.0, None, None],
            "rationales": ["right", None, None],
            "model_name": "judge",
        }
        reader = from_distilabel([row], RATING)
        right, wrong = reader
        assert right.suggestions == (Suggestion("rating", 5, None, "judge"),)
        assert right.metadata == {"model_name": "a", "rationale": "right"}
        assert (wrong.suggestions, wrong.metadata) == ((), {"model_name": "b"})
        assert [(r.line, r.reason) for r in reader.rejects] == [
            (1, "generation 3: None, because the model's call failed")
        ]

    @pytest.mark.parametrize("rating", [None, math.nan])
    def test_no_rating_is_no_suggestion(self, rating: float | None) -> None:
        (record,) = from_distilabel([{"instruction": "p", "generations": ["r"], "ratings": [rating]}], RATING)
        assert record.suggestions == ()

    @pytest.mark.parametrize("rating", [4.5, 9, -1])
    def test_a_rating_off_the_scale_is_never_made_to_fit(self, rating: Any) -> None:
        reader = from_distilabel([{"instruction": "p", "generations": ["r"], "ratings": [rating]}], RATING)
        assert list(reader) == []
        assert "is not on the scale" in reader.rejects[0].reason

    @pytest.mark.parametrize(("said", "rating"), [("4", 4), (" 4.0", 4), ("N/A", None), ("None", None), ("", None)])
    def test_a_rating_may_be_written_as_a_text(self, said: str, rating: int | None) -> None:
        """As in datasets of argilla's, whose column is a sequence of strings."""
        (record,) = from_distilabel([{"instruction": "p", "generations": ["r"], "ratings": [said]}], RATING)
        assert suggested(record) == ({} if rating is None else {"rating": rating})

    def test_columns_named_like_fields_are_those_fields(self) -> None:
        row = {
            "transcript": [{"speaker": "Ann", "text": "At six?"}],
            "instruction": "When do they meet?",
            "generation": "At six.",
        }
        (record,) = from_distilabel([row], load_template("follow_up_qa"))
        assert record.fields == {
            "transcript": [{"role": "Ann", "content": "At six?"}],
            "question": "When do they meet?",
            "answer": "At six.",
        }

    def test_a_rating_that_the_template_does_not_ask_for_is_metadata(self) -> None:
        row = {"instruction": "p", "generations": ["r"], "ratings": [3]}
        (record,) = from_distilabel([row], load_template("label"))
        assert (record.suggestions, record.metadata) == ((), {"rating": 3})


@pytest.mark.parametrize(
    ("key", "reason"),
    [(None, "id: missing, so there is no key"), (1.5, "id: 1.5 is no key"), (True, "id: True is no key")],
)
def test_what_is_no_key_is_named(key: Any, reason: str) -> None:
    reader = from_distilabel([{"id": key, "instruction": "p", "generation": "r"}], RATING, id_column="id")
    assert (list(reader), reader.rejects[0].reason) == ([], reason)


class TestSeveralGenerations:
    def test_ratings_become_ranks(self) -> None:
        row = {
            "instruction": "p",
            "generations": ["a", None, "b", "c", "d"],
            "ratings": [2, 5, 4.5, None, 4.5],
            "model_names": ["m1", "m2", "m3", "m4", "m5"],
            "model_name": "judge",
        }
        (record,) = from_distilabel([row], RANKING)
        assert [*record.fields.values()] == ["p", "a", "b", "c", "d"]
        assert record.suggestions == (
            Suggestion("ranking", {"response_1": 2, "response_2": 1, "response_4": 1}, None, "judge"),
        )
        assert record.metadata == {"model_names": ["m1", "m3", "m4", "m5"], "ratings": [2, 4.5, None, 4.5]}

    @pytest.mark.parametrize(
        ("ratings", "chosen"), [([4, 2], "A"), ([2, 4], "B"), ([3, 3.0], "tie"), ([3, None], None), (None, None)]
    )
    def test_ratings_become_a_preference(self, ratings: Any, chosen: str | None) -> None:
        row = {"instruction": "p", "generations": ["a", "b"], "ratings": ratings, "model_name": "m"}
        (record,) = from_distilabel([row], PREFERENCE)
        assert suggested(record) == ({"preference": chosen} if chosen else {})

    @pytest.mark.parametrize(
        ("template", "row", "reason"),
        [
            (PREFERENCE, {"generations": ["a", None]}, "generation 2: None, because the model's call failed"),
            (RANKING, {"generations": ["a", None]}, "generation 2: None, because the model's call failed"),
            (RANKING, {"generations": ["a"]}, "generations: 1, and the template 'ranking' compares several"),
            (PREFERENCE, {"generations": ["a", "b", "c"]}, "generations: 3, and the template has fields for 2"),
            (
                PREFERENCE,
                {"generations": ["a", "b"], "ratings": [1]},
                TWO,
            ),
            (
                PREFERENCE,
                {"generations": ["a", "b"], "ratings": 4},
                TWO,
            ),
            (RANKING, {"generations": ["a", "b"], "ratings": ["4/5", 5]}, "ratings: '4/5' is no number"),
            (RATING, {"generations": ["a"], "ratings": [True]}, "ratings: True is no number"),
            (RATING, {"generations": ["a"], "ratings": [10**400]}, f"ratings: {'1' + 56 * '0'}... is no number"),
            (RATING, {"generations": []}, "generations: an empty list"),
            (RATING, {"instruction": None, "generation": "a"}, "prompt: missing"),
            (CHAT, {"instruction": None, "generation": "a"}, "instruction: missing"),
            (RATING, {"generation": None}, "generation 1: None, because the model's call failed"),
            (RATING, {"generations": "a"}, "generations: not a list of texts"),
            (RATING, {"model_name": "m"}, "generation: no such column; the row has 'instruction', 'model_name'"),
        ],
    )
    def test_what_does_not_fit_is_rejected(self, template: TaskTemplate, row: dict[str, Any], reason: str) -> None:
        good = {"instruction": "q", "generations": ["x", "y"]}
        reader = from_distilabel([{"instruction": "p", **row}, good], template)
        assert {asked(record) for record in reader} == {"q"}
        assert [(reject.line, reject.reason) for reject in reader.rejects] == [(1, reason)]


class TestThereAndBack:
    @pytest.mark.parametrize("name", ["rating", "review", "preference", "ranking", "summary_review", "follow_up_qa"])
    @settings(max_examples=25, deadline=None)
    @given(data=st.data())
    def test_records_and_what_was_judged_come_back(self, name: str, data: st.DataObject) -> None:
        template = load_template(name)
        record = data.draw(records(template))
        assume(not record.metadata.keys() & {*record.fields, *(q.name for q in template.questions)})
        rows = json.loads(json.dumps(to_distilabel([record], template)))
        reader = from_distilabel(rows, template)
        (found,) = reader
        assert (found.key, found.fields) == (record.key, record.fields)
        judged = next(q for q in template.questions if q.type in ("rating", "ranking") or q.name == "preference")
        before, after = (next((s for s in r.suggestions if s.question == judged.name), None) for r in (record, found))
        if before is None or before.value == "both_bad" or (isinstance(before.value, dict) and len(before.value) < 2):
            assert after is None  # there is no rating for it
        else:
            assert after is not None
            assert (without_gaps(after.value), after.agent) == (without_gaps(before.value), before.agent)
        assert record.metadata.items() <= found.metadata.items()

    def test_all_rows_have_the_same_columns(self) -> None:
        rated = Record("a", {"prompt": "p", "response": "r"}, [Suggestion("rating", 4, agent="judge")])
        plain = Record("b", {"prompt": "p", "response": "s"}, metadata={"model_name": "small-1"})
        rows = to_distilabel([rated, plain], RATING)
        assert [*rows[0]] == [*rows[1]]
        assert rows[0]["model_name"] == "judge"
        assert rows[1]["model_names"] == ["small-1"]
        assert rows[1]["ratings"] == [None]

    def test_a_long_chat_has_no_columns(self) -> None:
        chat = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}] * 2
        with pytest.raises(ValueRejected, match="not 4 messages"):
            to_distilabel([Record("r", {"messages": chat})], CHAT)


def without_gaps(value: Any) -> Any:
    """A ranking whose ranks follow each other; anything else as it is."""
    if not isinstance(value, dict):
        return value
    ranks = sorted(set(value.values()))
    return {item: ranks.index(rank) for item, rank in value.items()}


def test_a_template_without_a_place_for_generations_is_named() -> None:
    template = TaskTemplate.model_validate(
        {
            "version": 1,
            "name": "bare",
            "title": "T",
            "fields": [{"name": "prompt", "title": "P"}],
            "questions": [{"name": "rating", "type": "rating", "title": "R"}],
        }
    )
    with pytest.raises(UsageError, match="'bare' has no field for what a model generated"):
        from_distilabel([], template)
