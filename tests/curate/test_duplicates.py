"""Duplicates of records: what counts as one, who survives, and what is said about it."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.curate.duplicates import duplicates, worth, worth_with
from bridge.curate.minhash import minhash
from bridge.curate.tokens import jaccard, shingles
from bridge.errors import UsageError
from bridge.records import Record, Suggestion


def record(key: str, prompt: str = "", response: str = "", **metadata: Any) -> Record:
    return Record(key, {"prompt": prompt, "response": response}, metadata=metadata)


def survivors(records: list[Record], **options: Any) -> list[str]:
    return [kept.key for kept in duplicates(records, **options).kept]


LONG = "Plants turn light, water and carbon dioxide into sugar and oxygen, which is called photosynthesis."
EDITED = "Plants turn light, water and carbon dioxide into sugar and oxygen, which is called respiration."


class TestExact:
    def test_case_white_space_and_unicode_form_do_not_count(self) -> None:
        texts = ["Un caf\u00e9,  s'il vous pla\u00eet", "un cafe\u0301, s'il\nvous plai\u0302t ", "un café"]
        records = [record(str(number), text) for number, text in enumerate(texts)]
        assert survivors(records, method="exact") == ["0", "2"]

    def test_punctuation_counts(self) -> None:
        assert survivors([record("a", "yes"), record("b", "yes!")], method="exact") == ["a", "b"]

    def test_the_dropped_one_names_the_kept_one(self) -> None:
        (dropped,) = duplicates([record("a", "yes"), record("b", "Yes")], method="exact").dropped
        assert dropped.to_dict() == {
            "key": "b",
            "step": "dedup",
            "rule": "exact",
            "score": 1.0,
            "kept": "a",
            "detail": {},
        }


class TestNear:
    def test_an_edited_copy_is_dropped_with_its_similarity(self) -> None:
        found = duplicates([record("a", LONG), record("b", EDITED), record("c", "Name three kinds of cheese.")])
        assert [kept.key for kept in found.kept] == ["a", "c"]
        assert [(d.key, d.kept, d.score) for d in found.dropped] == [("b", "a", 0.8571)]
        assert found.why == {"near": 1}

    def test_a_higher_threshold_keeps_it(self) -> None:
        assert survivors([record("a", LONG), record("b", EDITED)], threshold=0.9) == ["a", "b"]

    def test_dropped_records_are_themselves_like_the_kept_one(self) -> None:
        chain = [record(str(n), " ".join(f"w{at}" for at in range(n, n + 12))) for n in range(4)]
        found = duplicates(chain)
        assert [(d.key, d.kept) for d in found.dropped] == [("1", "0"), ("3", "2")]

    def test_components_follow_the_chain_and_say_how_similar_its_ends_are(self) -> None:
        chain = [record(str(n), " ".join(f"w{at}" for at in range(n, n + 12))) for n in range(4)]
        found = duplicates(chain, cluster="components")
        assert [(d.key, d.kept, d.score) for d in found.dropped] == [
            ("1", "0", 0.8182),
            ("2", "0", 0.6667),
            ("3", "0", 0.5385),
        ]
        assert {d.detail["cluster"] for d in found.dropped} == {4}


class TestSides:
    RECORDS = (
        record("a", "How do plants make sugar?", LONG),
        record("b", "Tell me about photosynthesis, please.", LONG),
        record("c", "How do plants make sugar?", "I do not know that, but I can look it up for you."),
    )

    @pytest.mark.parametrize("method", ["exact", "near", "minhash"])
    def test_prompts_only(self, method: str) -> None:
        assert survivors([*self.RECORDS], on="prompt", method=method) == ["a", "b"]

    @pytest.mark.parametrize("method", ["exact", "near", "minhash"])
    def test_responses_only(self, method: str) -> None:
        assert survivors([*self.RECORDS], on="response", method=method) == ["a", "c"]

    def test_both(self) -> None:
        assert survivors([*self.RECORDS], method="exact") == ["a", "b", "c"]

    def test_records_without_a_text_on_that_side_are_nobodys_duplicates(self) -> None:
        records = [Record(key, {"prompt": f"question {key}"}) for key in "abc"]
        for method in ("exact", "near", "minhash"):
            assert survivors(records, on="response", method=method) == ["a", "b", "c"]

    def test_an_unknown_side_is_refused(self) -> None:
        with pytest.raises(UsageError, match="prompt, response or both"):
            duplicates([record("a", "x")], on="answer")


class TestSurvivor:
    def test_the_first_where_nothing_tells_them_apart(self) -> None:
        assert survivors([record("a", LONG), record("b", LONG)]) == ["a"]

    def test_the_better_score(self) -> None:
        assert survivors([record("a", LONG, score=0.2), record("b", LONG, score=0.9)]) == ["b"]

    def test_answers_of_people_before_scores(self) -> None:
        judged = record("a", LONG, score=0.9)
        answered = Record("b", judged.fields, [Suggestion("rating", 2, kind="human")])
        assert survivors([judged, answered]) == ["b"]

    def test_the_ratings_of_a_judge_are_a_score(self) -> None:
        low, high = (Record(f"r{n}", {"prompt": LONG}, [Suggestion("rating", n)]) for n in (2, 5))
        assert survivors([low, high]) == ["r5"]

    def test_answers_counted_elsewhere(self) -> None:
        records = [record("a", LONG, score=5), record("b", LONG)]
        assert survivors(records, prefer=worth_with({"b": 2})) == ["b"]

    def test_whatever_the_caller_prefers(self) -> None:
        records = [record("a", LONG), record("b", LONG + " Indeed, it is."), record("c", LONG)]
        assert survivors(records, prefer=lambda r: len(r.fields["prompt"])) == ["b"]

    def test_the_kept_ones_stay_in_their_order(self) -> None:
        records = [record("a", LONG), record("b", "Name three cheeses."), record("c", LONG, score=1)]
        assert survivors(records) == ["b", "c"]

    def test_no_number_is_no_score(self) -> None:
        assert worth(record("a", "x", score=float("nan"))) == worth(record("a", "x", score="high"))
        assert worth(record("a", "x", score=True)) == worth(record("a", "x"))


class TestBadInput:
    @pytest.mark.parametrize("method", ["exact", "near", "minhash"])
    def test_no_records(self, method: Any) -> None:
        assert duplicates([], method=method).why == {}

    @pytest.mark.parametrize("method", ["exact", "near", "minhash"])
    def test_one_record(self, method: str) -> None:
        assert survivors([record("a", "one")], method=method) == ["a"]

    @pytest.mark.parametrize("method", ["exact", "near", "minhash"])
    def test_all_identical(self, method: str) -> None:
        assert survivors([record(str(n), "one and the same") for n in range(50)], method=method) == ["0"]

    def test_an_unknown_method(self) -> None:
        with pytest.raises(UsageError, match="exact, near, minhash, semantic"):
            duplicates([], method="fuzzy")  # type: ignore[arg-type]

    def test_components_of_another_method(self) -> None:
        with pytest.raises(UsageError, match="components goes with the method near"):
            duplicates([], method="minhash", cluster="components")


class TestMinHash:
    WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight")

    @given(st.lists(st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join), max_size=12))
    @settings(max_examples=20, deadline=None)
    def test_every_candidate_is_verified(self, texts: list[str]) -> None:
        for index, (kept, score) in minhash(texts, 0.6).items():
            assert score == jaccard(shingles(texts[index]), shingles(texts[kept])) >= 0.6

    def test_an_index_of_ones_own(self) -> None:
        from datasketch import MinHashLSH

        own = MinHashLSH(threshold=0.5, num_perm=128)
        assert minhash([LONG, EDITED, "another"], 0.7, index=own).keys() == {1}
        assert own.keys.size() == 2

    def test_without_datasketch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "datasketch", None)
        with pytest.raises(UsageError, match=r"annobridge\[minhash\]"):
            duplicates([record("a", LONG)], method="minhash")
