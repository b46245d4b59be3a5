"""Decontamination: what a double loop finds, and a report that a person can check."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.curate.containment import contained
from bridge.curate.decontaminate import decontaminate, evaluation_items, read_evaluation
from bridge.curate.ratios import best_ratios, guarded_ratio
from bridge.curate.tokens import Engine, shingles
from bridge.errors import InputError, UsageError
from bridge.records import Record

WORDS = ["alpha", "beta", "gamma", "delta", "colour", "color", "colours", "we", "us", "Ünder", "我们", "x", "y1", "🎉"]
long_texts = st.lists(st.sampled_from(WORDS), max_size=24).map(" ".join)
some_texts = st.lists(long_texts, max_size=10)
ENGINES: list[Engine] = ["numpy", "c"]


@pytest.mark.parametrize("engine", ENGINES)
@given(texts=some_texts, items=some_texts, threshold=st.sampled_from([0.2, 0.5, 0.8, 1.0]), n=st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_containment_is_that_of_a_double_loop(
    engine: Engine, texts: list[str], items: list[str], threshold: float, n: int
) -> None:
    expected = []
    for at, text in enumerate(texts):
        for number, item in enumerate(items):
            wanted = shingles(item, n)
            if len(wanted) >= 2 and (share := len(wanted & shingles(text, n)) / len(wanted)) >= threshold:
                expected.append((at, number, share))
    found = contained(texts, items, threshold, n=n, engine=engine)
    assert list(zip(found.texts.tolist(), found.items.tolist(), found.shares.tolist(), strict=True)) == expected


@pytest.mark.parametrize("engine", ENGINES)
@given(texts=some_texts, items=some_texts, cut=st.sampled_from([50, 60, 75, 85, 95]), data=st.data())
@settings(max_examples=80, deadline=None)
def test_the_ratios_are_those_of_a_double_loop(
    engine: Engine, texts: list[str], items: list[str], cut: float, data: st.DataObject
) -> None:
    for item in items:  # copies with a word or two changed, which chance alone rarely makes
        words = item.split()
        for _ in range(data.draw(st.integers(0, 2)) if words else 0):
            words[data.draw(st.integers(0, len(words) - 1))] = data.draw(st.sampled_from(WORDS))
        texts = [*texts, " ".join(words)]
    expected = {}
    for at, text in enumerate(texts):
        score, number = max(((guarded_ratio(text, item), -n) for n, item in enumerate(items)), default=(0.0, 0))
        if score > cut:
            expected[at] = (-number, score)
    assert best_ratios(texts, items, cut, engine=engine) == expected


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("count", [9, 120, 700, 3000])
def test_texts_of_any_length(engine: Engine, count: int) -> None:
    words = [f"{'abcdefgh'[at % 8]}{at * 7919 % 100_003}" for at in range(count)]
    item = " ".join(words)
    near = " ".join([*(f"{word}s" if at % 8 == 0 else word for at, word in enumerate(reversed(words))), "and", "more"])
    far = " ".join(f"{word[1:]}{word[0]}" for word in words)
    expected = {0: (0, guarded_ratio(near, item))}
    assert best_ratios([near, far], [item], engine=engine) == expected


QUESTION = "Anna sold clips to 48 of her friends in April, and then she sold half as many clips in May."
FILLER = "It is a fine day outside, and nobody would want to stay at home for long."


def found(prompt: str, *items: str, **options: Any) -> list[dict[str, Any]]:
    result = decontaminate([Record("r", {"prompt": prompt})], evaluation_items({"quiz": items}), **options)
    return [case.to_dict() for case in result.dropped]


class TestRules:
    def test_a_copy_within_a_longer_text(self) -> None:
        (case,) = found(f"{FILLER} {QUESTION.upper()} {FILLER}", "Another question, about cheese?", QUESTION)
        assert case == {
            "key": "r",
            "step": "decontaminate",
            "rule": "containment",
            "score": 1.0,
            "kept": None,
            "detail": {
                "set": "quiz",
                "item": "2",
                "column": "text",
                "side": "prompt",
                "passage": QUESTION.upper().removesuffix("."),
            },
        }

    def test_words_in_another_order(self) -> None:
        shuffled = " ".join(sorted(QUESTION.split()))
        (case,) = found(shuffled, QUESTION)
        assert (case["rule"], case["score"]) == ("token_set_ratio", 1.0)

    def test_short_texts_whose_words_are_in_the_item_are_none(self) -> None:
        for text in ("a", "in May", "how many clips", "She sold half as many"):
            assert found(text, QUESTION) == []

    def test_a_short_question_counts_as_a_whole_prompt_only(self) -> None:
        assert found("define entropy!", "Define entropy.")[0]["rule"] == "containment"
        assert found("Define entropy and enthalpy, please.", "Define entropy.") == []

    def test_a_short_answer_is_not_looked_for(self) -> None:
        record = Record("r", {"prompt": "Is it?", "response": "Yes."})
        assert decontaminate([record], evaluation_items({"quiz": ["Yes"]})).dropped == []

    def test_each_rule_can_be_switched_off(self) -> None:
        shuffled = " ".join(sorted(QUESTION.split()))
        assert found(QUESTION, QUESTION, containment=None)[0]["rule"] == "token_set_ratio"
        assert found(shuffled, QUESTION, ratio=None) == []

    def test_a_response_counts_too_and_a_side_can_be_chosen(self) -> None:
        record = Record("r", {"prompt": "Write a sum.", "response": QUESTION})
        items = evaluation_items({"quiz": [QUESTION]})
        assert decontaminate([record], items).dropped[0].detail["side"] == "response"
        assert decontaminate([record], items, on="prompt").kept == [record]

    def test_texts_without_spaces(self) -> None:
        (case,) = found("请回答:今天北京的天气怎么样?谢谢", "今天北京的天气怎么样")
        assert case["detail"]["passage"] == "今天北京的天气怎么样"

    def test_the_kept_and_the_counts(self) -> None:
        records = [
            Record("a", {"prompt": QUESTION}),
            Record("b", {"prompt": FILLER}),
            Record("c", {"prompt": QUESTION}),
        ]
        result = decontaminate(records, evaluation_items({"one": ["Name three kinds of cheese."], "two": [QUESTION]}))
        assert [record.key for record in result.kept] == ["b"]
        assert result.why == {"containment": 2}
        assert {case.detail["set"] for case in result.dropped} == {"two"}


class TestFiles:
    def read(self, folder: Path, *rows: object, columns: list[str] | None = None) -> list[tuple[str, str, str]]:
        path = folder / "exam.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return [(item.item, item.column, item.text) for item in read_evaluation(path, columns=columns)]

    def test_questions_but_not_answers(self, tmp_path: Path) -> None:
        row = {"question": "Who?", "choices": ["A", "B"], "answer": "Jane Austen wrote it"}
        assert self.read(tmp_path, row) == [("1", "question", "Who?")]

    def test_named_columns(self, tmp_path: Path) -> None:
        row = {"question": "Who?", "answer": "Jane"}
        assert self.read(tmp_path, row, columns=["answer"]) == [("1", "answer", "Jane")]

    def test_columns_of_other_names_with_texts(self, tmp_path: Path) -> None:
        assert self.read(tmp_path, {"frage": "Wer schrieb das?", "nr": 3, "x": "a"}) == [
            ("1", "frage", "Wer schrieb das?")
        ]

    def test_conversations_and_turns(self, tmp_path: Path) -> None:
        rows: list[object] = [
            {"id": 7, "messages": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}]},
            {"id": 8, "conversations": [{"from": "human", "value": "When?"}, {"from": "gpt", "value": "Now."}]},
            {"id": 9, "turns": ["First.", "Second."]},
        ]
        assert self.read(tmp_path, *rows) == [
            ("7", "messages", "Why?"),
            ("8", "conversations", "When?"),
            ("9", "turns", "First."),
            ("9", "turns", "Second."),
        ]

    def test_records(self, tmp_path: Path) -> None:
        row = {"key": "q1", "fields": {"prompt": "Who?", "response": "Jane"}}
        assert self.read(tmp_path, row) == [("q1", "prompt", "Who?")]

    def test_other_formats(self, tmp_path: Path) -> None:
        (tmp_path / "exam.csv").write_text("id,question\n1,Who?\n")
        assert read_evaluation(tmp_path / "exam.csv", name="mine")[0].set == "mine"

    def test_an_empty_file(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="no rows"):
            self.read(tmp_path)

    def test_no_texts(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="its columns are a, b"):
            self.read(tmp_path, {"a": 1, "b": "x"})

    def test_a_column_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="no column 'problem'"):
            self.read(tmp_path, {"question": "Who?"}, columns=["problem"])

    def test_a_row_that_cannot_be_read(self, tmp_path: Path) -> None:
        (tmp_path / "exam.jsonl").write_text('{"question": "Who?"}\n{"question": \n')
        with pytest.raises(InputError, match=r"exam\.jsonl:2"):
            read_evaluation(tmp_path / "exam.jsonl")


class TestBadInput:
    def test_no_records(self) -> None:
        assert decontaminate([], evaluation_items({"quiz": [QUESTION]})).kept == []

    def test_records_without_texts(self) -> None:
        record = Record("r", {"prompt": " ", "response": ""})
        assert decontaminate([record], evaluation_items({"quiz": [QUESTION, ""]})).kept == [record]

    def test_nothing_to_compare_with(self) -> None:
        with pytest.raises(UsageError, match="no evaluation item"):
            decontaminate([Record("r", {"prompt": "x"})], [])

    @pytest.mark.parametrize("options", [{"on": "answer"}, {"containment": 0}, {"containment": 1.5}, {"ratio": 8.5}])
    def test_what_cannot_be_right(self, options: dict[str, Any]) -> None:
        with pytest.raises(UsageError):
            found("x", QUESTION, **options)
