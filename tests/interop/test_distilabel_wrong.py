"""What goes wrong in distilabel pipelines and is not said there: it is noticed, named, and becomes no record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.interop import from_distilabel
from bridge.interop.distilabel_checks import PORTION
from bridge.interop.shifts import RUN, shifts, words
from bridge.templates import TaskTemplate, load_template

RATING, PREFERENCE = load_template("rating"), load_template("preference")
PLACES = (
    *("Oslo", "Rome", "Lima", "Kyiv", "Bonn", "Cork", "Nice", "Graz", "Pisa", "Linz"),
    *("Bari", "Metz", "Oulu", "Riga", "Gent", "Jena", "Turku", "Split", "Porto", "Vigo"),
)


def asked(place: str) -> str:
    return f"Describe the town of {place} to a visitor."


def said(place: str) -> str:
    return f"{place} is a town with a market and an old bridge."


def called(place: str, answer: str | None, step: str = "text_generation_0") -> dict[str, Any]:
    """What a step keeps of its call."""
    return {
        f"raw_input_{step}": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": asked(place)}],
        f"raw_output_{step}": answer,
        f"statistics_{step}": {"input_tokens": 9, "output_tokens": 12},
    }


def row(place: str, answer: str | None = None, **more: Any) -> dict[str, Any]:
    return {"instruction": asked(place), "generation": answer or said(place), "model_name": "small-1", **more}


def emptied(place: str) -> dict[str, Any]:
    """A row as distilabel leaves it where the batch's call raised: no answer, no model, no metadata."""
    return {"instruction": asked(place), "generation": None, "model_name": None, "distilabel_metadata": None}


def rejected(rows: Sequence[dict[str, Any]], template: TaskTemplate = RATING) -> tuple[int, dict[int, str], list[str]]:
    """How many records, the reasons by the number of the row, and the findings."""
    reader = from_distilabel(rows, template)
    kept = len(list(reader))
    return kept, {reject.line: reject.reason for reject in reader.rejects}, [str(found) for found in reader.findings]


class TestNumbers:
    """They agree by rules, and without anything having moved."""

    @pytest.mark.parametrize(
        ("prompt", "answer"),
        [
            ("What is {n} + 1?", "{after}"),
            ("What is {n} + {n}?", "The answer is {twice}."),
            ("Which number follows {n}?", "{after} follows."),
            ("Summarise chapter {n}.", "It leads to chapter {after}."),
        ],
    )
    def test_sums_are_named_at_most_and_stay_records(self, prompt: str, answer: str) -> None:
        rows = [
            {"instruction": prompt.format(n=n), "generation": answer.format(after=n + 1, twice=2 * n)}
            for n in range(50)
        ]
        kept, reasons, findings = rejected(rows)
        assert (kept, reasons) == (50, {})
        assert all("but only their numbers, which may be right" in finding for finding in findings)

    @pytest.mark.parametrize("lost", [3, PORTION - 5])
    def test_where_answers_had_the_numbers_of_their_prompts_those_that_moved_are_found(self, lost: int) -> None:
        rows = [
            {"instruction": f"Question {n}", "generation": f"Answer {n if n < lost else n + 1}"}
            for n in range(PORTION + 200)
        ]
        kept, _, findings = rejected(rows)
        assert kept == lost
        assert [finding.partition(":")[0] for finding in findings] == [f"rows {lost + 1:,} to 1,200"]


class TestBlocksOfNone:
    def test_a_block_is_named_with_its_first_and_last_row(self) -> None:
        rows = [row("Oslo"), *map(emptied, PLACES[1:4]), row("Bonn")]
        kept, reasons, findings = rejected(rows)
        assert kept == 2
        assert reasons == dict.fromkeys(
            (2, 3, 4), "generation: in rows 2 to 4 None, because one failed call empties the batch that it belongs to"
        )
        assert findings == [
            "rows 2 to 4: generation: None, because one failed call empties the batch that it belongs to"
        ]

    def test_one_row_alone_is_a_call_that_failed_and_no_block(self) -> None:
        kept, reasons, findings = rejected([row("Oslo"), emptied("Rome"), row("Lima")])
        assert (kept, findings) == (2, [])
        assert reasons == {2: "generation 1: None, because the model's call failed"}

    @pytest.mark.parametrize("start", [0, 1, PORTION - 30, PORTION - 1, PORTION, PORTION + 3])
    def test_a_block_of_fifty_is_one_block_wherever_it_begins(self, start: int) -> None:
        rows = [row(f"Place{number}") for number in range(PORTION + 60)]
        rows[start : start + 50] = [emptied(f"Place{number}") for number in range(start, start + 50)]
        kept, reasons, findings = rejected(rows)
        assert kept == len(rows) - 50
        assert [*reasons] == [*range(start + 1, start + 51)]
        (finding,) = findings
        assert finding.startswith(f"rows {start + 1:,} to {start + 50:,}: generation: None")

    def test_a_block_in_one_of_several_generations_is_named_by_its_place(self) -> None:
        rows = [
            {"instruction": asked(p), "generations": [said(p), None if n in (1, 2, 3) else f"Visit {p}!"]}
            for n, p in enumerate(PLACES[:6])
        ]
        kept, reasons, findings = rejected(rows, PREFERENCE)
        assert kept == 3
        assert reasons == dict.fromkeys((2, 3, 4), "generation 2: None, because the model's call failed")
        assert len(findings) == 1
        assert findings[0].startswith("rows 2 to 4: generations[1]: None")

    def test_a_block_in_a_column_that_is_a_field_is_named_by_the_column(self) -> None:
        template = load_template("summary_review")
        rows = [
            {
                "transcript": [{"speaker": "Ann", "text": f"We meet in {p}."}],
                "summary": None if n in (2, 3) else f"They meet in {p}.",
            }
            for n, p in enumerate(PLACES[:6])
        ]
        rows = [{**one, "generation": one["summary"]} for one in rows]
        _, reasons, findings = rejected(rows, template)
        assert [*reasons] == [3, 4]
        assert any(finding.startswith("rows 3 to 4: summary: None") for finding in findings)

    def test_ratings_that_are_missing_in_a_block_are_named_and_their_rows_go_on(self) -> None:
        rows = [
            {"instruction": asked(p), "generations": [said(p)], "ratings": [None] if n in (1, 2) else [4]}
            for n, p in enumerate(PLACES[:5])
        ]
        kept, reasons, findings = rejected(rows)
        assert (kept, reasons) == (5, {})
        assert len(findings) == 1
        assert findings[0].startswith("rows 2 to 3: ratings: None")

    def test_where_no_judge_was_asked_no_rating_is_missing(self) -> None:
        rows = [{"instruction": asked(p), "generations": [said(p)], "ratings": None} for p in PLACES[:5]]
        assert rejected(rows) == (5, {}, [])


class TestPromptsThatStepsKeep:
    def test_calls_about_the_row_are_in_order(self) -> None:
        rows = [row(p, distilabel_metadata=called(p, said(p))) for p in PLACES]
        assert rejected(rows) == (20, {}, [])

    def test_a_prompt_without_the_rows_instruction_is_another_rows(self) -> None:
        rows = [row(p, distilabel_metadata=called(p, said(p))) for p in PLACES]
        rows[4]["distilabel_metadata"] = called("Ulm", said("Ulm"))
        rows[4]["generation"] = said("Ulm")
        kept, reasons, findings = rejected(rows)
        assert kept == 19
        assert reasons == {5: "shifted: raw_input_text_generation_0 does not have this row's text in it"}
        assert [finding.partition(": ")[0] for finding in findings] == ["row 5"]

    def test_one_row_is_enough(self) -> None:
        one = row("Oslo", said("Rome"), distilabel_metadata=called("Rome", said("Rome")))
        assert rejected([one])[1] == {1: "shifted: raw_input_text_generation_0 does not have this row's text in it"}

    def test_whose_prompt_it_is_is_said_where_that_row_is_near(self) -> None:
        metadata = [called(p, said(p)) for p in PLACES]
        rows = [
            row(p, said(n), distilabel_metadata=m) for p, n, m in zip(PLACES, PLACES[1:], metadata[1:], strict=False)
        ]
        kept, reasons, _ = rejected(rows)
        assert kept == 0
        assert reasons[1] == (
            "shifted: raw_input_text_generation_0 does not have this row's text in it, but that of row 2"
        )

    def test_white_space_that_a_template_changed_does_not_matter(self) -> None:
        one = row("Oslo", distilabel_metadata=called("Oslo", said("Oslo")))
        one["instruction"] = f"  {one['instruction']}\n".replace("town of", "town\nof")
        assert rejected([one])[0] == 1

    def test_a_prompt_may_be_of_another_column_than_the_instruction(self) -> None:
        one = {**row("Oslo", distilabel_metadata=called("Oslo", said("Oslo"))), "instruction": "Shorten it."}
        assert rejected([{**one, "source": asked("Oslo")}])[0] == 1

    def test_a_step_that_wrote_the_instruction_was_asked_for_something_else(self) -> None:
        metadata = {"raw_input_ask": [{"role": "user", "content": "Ask me."}], "raw_output_ask": asked("Oslo")}
        assert rejected([row("Oslo", distilabel_metadata=metadata)])[0] == 1

    @pytest.mark.parametrize("count", [1, 2, 10, 40])
    def test_columns_that_were_dropped_are_no_shift(self, count: int) -> None:
        """Where no row is in its own prompt, nor in another's, what was asked is in no column any more."""
        rows = [row(p, said(p)) for p in (*PLACES, *(f"{p}ville" for p in PLACES))][:count]
        for number, one in enumerate(rows):
            one["distilabel_metadata"] = {"raw_input_x": [{"role": "user", "content": f"Secret {number}."}]}
        assert rejected(rows)[0] == count

    def test_an_answer_that_the_model_gave_to_another_row(self) -> None:
        rows = [row(p, distilabel_metadata=called(p, said(p))) for p in PLACES[:6]]
        rows[2]["generation"] = said("Oslo")
        assert rejected(rows)[1] == {3: "shifted: its generation is what the model said for row 1"}

    def test_metadata_of_grouped_generations_are_a_list(self) -> None:
        both = [called("Oslo", said("Oslo")), called("Oslo", "A town.")]
        rows = [{"instruction": asked("Oslo"), "generation": [said("Oslo"), "A town."], "distilabel_metadata": both}]
        assert rejected(rows, PREFERENCE)[0] == 1
        wrong = [called("Rome", said("Oslo")), called("Rome", "A town.")]
        assert rejected([{**rows[0], "distilabel_metadata": wrong}], PREFERENCE)[0] == 0

    @pytest.mark.parametrize(
        "metadata",
        ["{}", 5, [None, 5], {"raw_input_x": float("nan")}, {"raw_input_x": [[1]], "raw_output_x": [[None]]}, {3: 4}],
    )
    def test_metadata_of_any_other_shape_are_passed_over(self, metadata: Any) -> None:
        assert rejected([row("Oslo", distilabel_metadata=metadata)])[0] == 1

    def test_a_record_keeps_the_hash_of_the_prompt_and_not_the_prompt(self) -> None:
        (record,) = from_distilabel([row("Oslo", distilabel_metadata=called("Oslo", said("Oslo")))], RATING)
        assert record.metadata["statistics"] == {"text_generation_0": {"input_tokens": 9, "output_tokens": 12}}
        assert len(record.metadata["prompt_hash"]["text_generation_0"]) == 32
        assert "Be brief." not in str(record.metadata)


def judged(shown: Sequence[str], output: str) -> dict[str, Any]:
    texts = "\n".join(f"<text {number}> {text}" for number, text in enumerate(shown, 1))
    prompt = f"Instruction: {asked('Oslo')}\n\nTexts:\n{texts}\n\n### Output"
    return {"raw_input_judge": [{"role": "user", "content": prompt}], "raw_output_judge": output}


class TestRatings:
    A, B = said("Oslo"), "Oslo lies at a fjord and has a castle."
    RIGHT = "#### Output for Text 1\nRating: 5\nRationale: Good.\n\n#### Output for Text 2\nRating: 2\nRationale: Thin."

    def reason(self, ratings: list[int | None], shown: Sequence[str], output: str = RIGHT) -> str:
        one = {
            "instruction": asked("Oslo"),
            "generations": [self.A, self.B],
            "ratings": ratings,
            "model_name": "judge",
            "distilabel_metadata": judged(shown, output),
        }
        return rejected([one], PREFERENCE)[1].get(1, "")

    def test_of_the_rows_generations(self) -> None:
        assert self.reason([5, 2], [self.A, self.B]) == ""

    def test_of_fewer_generations(self) -> None:
        assert self.reason([5], [self.A, self.B]) == "ratings: not a list of 2, as there are generations"

    def test_of_generations_in_another_order(self) -> None:
        assert "in another order" in self.reason([5, 2], [self.B, self.A])

    def test_of_another_generation(self) -> None:
        assert self.reason([5, 2], [self.A, "Something else."]) == (
            "ratings: the judge was not shown generation 2 (raw_input_judge)"
        )

    def test_moved_by_a_sentence_before_them(self) -> None:
        """distilabel takes the judge's paragraphs in turn: a greeting takes the first rating's place."""
        greeting = "Here is my judgement.\n\n#### Output for Text 1\nRating: 5\nRationale: Good."
        assert self.reason([None, 5], [self.A, self.B], greeting) == (
            "ratings: number 2 is what the judge said of text 1 (raw_output_judge)"
        )


class TestWordsAlone:
    """Without metadata, as of OpenAI's Batch API: the answers of all rows behind a lost one move up."""

    def moved(self, lost: int, places: Sequence[str] = PLACES) -> list[dict[str, Any]]:
        answers = [said(p) for p in places]
        del answers[lost]
        return [row(place, answer) for place, answer in zip(places, answers, strict=False)]

    @pytest.mark.parametrize("lost", range(14))
    def test_every_answer_behind_a_lost_one_is_found(self, lost: int) -> None:
        kept, reasons, findings = rejected(self.moved(lost))
        assert kept == lost
        assert [*reasons] == [*range(lost + 1, 20)]
        assert findings == [
            f"rows {lost + 1} to 19: generation: the answers have the words of the prompts 1 row further on"
        ]

    def test_two_lost_ones(self) -> None:
        answers = [said(p) for p in PLACES]
        del answers[3], answers[10]
        _, reasons, findings = rejected([row(p, a) for p, a in zip(PLACES, answers, strict=False)])
        assert [*reasons] == [*range(4, 19)]
        assert [finding.partition(":")[0] for finding in findings] in (
            ["rows 4 to 18"],
            ["rows 4 to 10", "rows 11 to 18"],
        )

    def test_two_answers_to_each_prompt_joined_with_one(self) -> None:
        """As ``CombineOutputs`` does where one branch has ``num_generations=2``: answers fall ever further behind."""
        names = [
            f"{a}{b}" for a in ("Nor", "Sud", "Ost", "Wes", "Mit") for b in ("burg", "dorf", "heim", "stadt", "furt")
        ]
        answers = [f"{said(p)} {version}" for p in names for version in ("Short.", "Long.")]
        kept, reasons, findings = rejected([row(p, a) for p, a in zip(names, answers, strict=False)])
        assert (kept, [*reasons]) == (1, [*range(2, 26)])
        assert findings == ["rows 2 to 25: generation: the answers have the words of the prompts 1 to 12 rows before"]

    def test_whoever_knows_better_takes_them(self) -> None:
        assert len(list(from_distilabel(self.moved(3), RATING, trust=True))) == 19

    def test_fewer_than_a_run_are_named_and_not_believed(self) -> None:
        rows = [row(p) for p in PLACES]
        for number in range(RUN - 1):
            rows[number]["generation"] = said(PLACES[number + 1])
        kept, _, findings = rejected(rows)
        assert kept == 20
        (finding,) = findings
        assert finding.startswith(
            "rows 1 to 4: generation: the answers have the words of the prompts 1 row further on; too"
        )

    @pytest.mark.parametrize(
        "answer",
        [
            pytest.param(lambda n: said(PLACES[n]), id="of their own"),
            pytest.param(lambda n: "Yes.", id="all alike"),
            pytest.param(
                lambda n: f"{PLACES[n]} is larger than {PLACES[(n + 1) % 20]}.", id="that name the next one too"
            ),
            pytest.param(lambda n: ["Sure.", "No idea.", "A town by the sea."][n % 3], id="that name nothing"),
        ],
    )
    def test_answers_that_stand_right(self, answer: Callable[[int], str]) -> None:
        rows = [row(place, f"{answer(number)} ({number * 7919})") for number, place in enumerate(PLACES)]
        assert rejected(rows) == (20, {}, [])

    def test_rows_of_one_transcript_beside_each_other(self) -> None:
        rows = [row(place, f"{said(place)} {task}") for place in PLACES for task in ("Short.", "Long.", "As a list.")]
        assert rejected(rows)[0] == 60

    @given(st.lists(st.tuples(st.text(max_size=30), st.text(max_size=30)), max_size=30), st.integers(0, 4))
    def test_answers_that_quote_their_prompt_are_never_moved(self, rows: list[tuple[str, str]], more: int) -> None:
        made = [(words(prompt), words(f"{prompt} {answer}" * (1 + more))) for prompt, answer in rows]
        assert shifts(made) == []


def test_a_stub_judged_or_wrote_and_the_record_says_so() -> None:
    for model in ({"model_name": "stub"}, {"summary_model": "stub-judge"}, {"generation_models": ["stub"]}):
        (record,) = from_distilabel([{**row("Oslo"), **model}], RATING)
        assert record.metadata["test_only"] is True
