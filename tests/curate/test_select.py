"""Balance, samples of an exact size, diversity and licences."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.curate.diversity import diverse, farthest_first, unit
from bridge.curate.select import balance, licences, sample
from bridge.errors import InputError, UsageError
from bridge.records import Record


def rows(sizes: dict[str, int], name: str = "task") -> list[Record]:
    return [
        Record(f"{group}{n}", {"prompt": "?"}, metadata={name: group}) for group in sizes for n in range(sizes[group])
    ]


def keys(records: list[Record]) -> set[str]:
    return {record.key for record in records}


def groups(records: list[Record], name: str = "task") -> dict[str, int]:
    return dict(Counter(record.metadata.get(name) for record in records))


sizes = st.dictionaries(st.sampled_from("abcde"), st.integers(1, 30), min_size=1)


class TestSample:
    @given(sizes, st.integers(1, 200), st.integers(0, 3))
    def test_it_has_exactly_the_size_that_was_asked_for(self, there: dict[str, int], size: int, seed: int) -> None:
        records = rows(there)
        for by in ([], ["task"]):
            result = sample(records, size=size, by=by, seed=seed)
            assert len(result.kept) == min(size, len(records))
            assert len(result.kept) + len(result.dropped) == len(records)

    @given(sizes, st.integers(1, 100), st.randoms())
    def test_the_order_of_the_rows_does_not_matter(self, there: dict[str, int], size: int, chance: Any) -> None:
        records = rows(there)
        mixed = chance.sample(records, len(records))
        for by in ([], ["task"]):
            assert keys(sample(records, size=size, by=by).kept) == keys(sample(mixed, size=size, by=by).kept)

    @given(sizes, st.integers(1, 100))
    def test_no_group_is_a_whole_record_off_its_part(self, there: dict[str, int], size: int) -> None:
        records = rows(there)
        size = min(size, len(records))
        found = groups(sample(records, size=size, by=["task"]).kept)
        for group, count in there.items():
            assert abs(found.get(group, 0) - count * size / len(records)) < 1

    @given(st.integers(1, 20), st.integers(20, 40), st.integers(0, 20))
    def test_in_a_larger_set_only_new_records_take_places(self, size: int, before: int, more: int) -> None:
        small, large = rows({"a": before}), rows({"a": before + more})
        old, new = keys(sample(small, size=size).kept), keys(sample(large, size=size).kept)
        assert new - old <= keys(large) - keys(small)

    def test_parts_are_proportional(self) -> None:
        result = sample(rows({"a": 100, "b": 200, "c": 700}), share=0.1, by=["task"])
        assert groups(result.kept) == {"a": 10, "b": 20, "c": 70}

    def test_a_small_group_can_be_asked_for(self) -> None:
        there = rows({"a": 2, "b": 500, "c": 500})
        assert "a" not in groups(sample(there, size=10, by=["task"]).kept)
        found = groups(sample(there, size=10, by=["task"], at_least=1).kept)
        assert (found["a"], found["b"] + found["c"]) == (1, 9)

    def test_another_seed_gives_another_sample(self) -> None:
        there = rows({"a": 100})
        assert keys(sample(there, size=10, seed=1).kept) != keys(sample(there, size=10, seed=2).kept)

    def test_what_is_kept_stays_in_its_order(self) -> None:
        there = rows({"a": 50})
        kept = sample(there, size=20).kept
        assert kept == [record for record in there if record in kept]

    def test_what_is_held_is_in_it(self) -> None:
        there = rows({"a": 90, "b": 10})
        held = {"a7", "a8", "b1", "b2", "b3"}
        result = sample(there, size=10, by=["task"], held=held)
        assert held <= keys(result.kept)
        assert len(result.kept) == 10

    def test_where_more_is_held_than_asked_for_it_is_all(self) -> None:
        held = {f"a{n}" for n in range(8)}
        assert keys(sample(rows({"a": 20}), size=5, held=held).kept) == held

    @pytest.mark.parametrize(
        "asked",
        [{}, {"size": 3, "share": 0.1}, {"size": 0}, {"share": 0.0}, {"share": 1.5}, {"size": 1, "at_least": 1}],
    )
    def test_what_cannot_be_asked_for_is_refused(self, asked: dict[str, Any]) -> None:
        with pytest.raises(UsageError):
            sample(rows({"a": 3, "b": 3}), by=["task"], **asked)

    def test_of_nothing_it_is_empty(self) -> None:
        assert sample([], share=0.1, by=["task"]).kept == []


class TestBalance:
    @given(sizes, st.integers(1, 40), st.integers(0, 3))
    def test_no_group_is_larger_than_the_cap_and_none_loses_more_than_it_must(
        self, there: dict[str, int], cap: int, seed: int
    ) -> None:
        result = balance(rows(there), ["task"], cap=cap, seed=seed)
        assert groups(result.kept) == {group: min(count, cap) for group, count in there.items()}

    def test_without_a_cap_all_are_as_large_as_the_smallest(self) -> None:
        assert groups(balance(rows({"a": 9, "b": 4, "c": 6}), ["task"]).kept) == {"a": 4, "b": 4, "c": 4}

    @given(sizes, st.floats(0.21, 1))
    def test_a_share_is_held_with_the_highest_cap(self, there: dict[str, int], share: float) -> None:
        if share * len(there) < 1:
            with pytest.raises(UsageError, match=f"with {len(there)} groups"):
                balance(rows(there), ["task"], share=share)
            return
        found = groups(balance(rows(there), ["task"], share=share).kept)
        assert max(found.values()) <= share * sum(found.values()) + 1e-9
        more = {group: min(count, max(found.values()) + 1) for group, count in there.items()}
        assert more == found or max(more.values()) > share * sum(more.values())

    def test_the_best_stay(self) -> None:
        there = [Record(f"r{n}", {"prompt": "?"}, metadata={"task": "a", "score": str(n % 5)}) for n in range(10)]
        kept = balance(there, ["task"], cap=4, best="score").kept
        assert sorted(record.metadata["score"] for record in kept) == ["3", "3", "4", "4"]

    def test_records_without_a_score_go_first(self) -> None:
        there = [Record("a", {"prompt": "?"}), Record("b", {"prompt": "?"}, metadata={"score": -7})]
        assert keys(balance(there, ["task"], cap=1, best="score").kept) == {"b"}

    def test_records_without_the_value_are_a_group(self) -> None:
        there = [*rows({"a": 5}), *(Record(f"n{n}", {"prompt": "?"}) for n in range(5))]
        assert groups(balance(there, ["task"], cap=2).kept) == {"a": 2, None: 2}

    def test_groups_can_be_of_several_values(self) -> None:
        there = [
            Record(f"{t}{s}{n}", {"prompt": "?"}, metadata={"t": t, "s": s}) for t in "ab" for s in "cd" for n in "12"
        ]
        assert len(balance(there, ["t", "s"], cap=1).kept) == 4

    def test_each_dropped_record_says_of_which_group_it_was(self) -> None:
        (case,) = balance(rows({"a": 2, "b": 1}), ["task"]).dropped
        assert (case.rule, case.detail) == ("cap", {"group": "a", "of": 2, "cap": 1})

    def test_what_is_held_counts_against_the_cap_first(self) -> None:
        result = balance(rows({"a": 20}), ["task"], cap=3, held={"a4", "a5"})
        assert {"a4", "a5"} < keys(result.kept)
        assert len(result.kept) == 3
        assert keys(balance(rows({"a": 20}), ["task"], cap=1, held={"a4", "a5"}).kept) == {"a4", "a5"}

    @pytest.mark.parametrize(
        "asked", [{"by": []}, {"cap": 0}, {"cap": 1, "share": 0.5}, {"share": 2.0}, {"share": 0.1}]
    )
    def test_what_cannot_be_asked_for_is_refused(self, asked: dict[str, Any]) -> None:
        with pytest.raises(UsageError):
            balance(rows({"a": 3, "b": 3}), **{"by": ["task"], **asked})


class TestDiversity:
    PROMPTS = ("Add 2 and 3.", "Add 2 and 4.", "Add 3 and 4.", "Why is the sky blue?", "Add 5 and 3.")

    def records(self) -> list[Record]:
        return [Record(f"r{n}", {"prompt": prompt}) for n, prompt in enumerate(self.PROMPTS)]

    def test_it_takes_what_is_unlike_the_rest(self) -> None:
        for seed in range(5):
            assert "r3" in keys(diverse(self.records(), size=2, seed=seed).kept)

    def test_the_order_of_the_rows_does_not_matter(self) -> None:
        assert keys(diverse(self.records(), size=3).kept) == keys(diverse(self.records()[::-1], size=3).kept)

    def test_a_larger_choice_holds_the_smaller_one(self) -> None:
        chosen = [keys(diverse(self.records(), size=size).kept) for size in range(1, 6)]
        assert all(small < large for small, large in pairwise(chosen))

    def test_each_dropped_record_names_the_one_that_it_is_most_like(self) -> None:
        result = diverse(self.records(), size=4)
        (case,) = result.dropped
        assert (case.step, case.rule) == ("sample", "alike")
        assert case.kept in keys(result.kept)
        assert 0.3 < (case.score or 0) <= 1

    def test_any_encoder_will_do(self) -> None:
        class Letters:
            def encode(self, texts: list[str], /) -> Any:
                return [[text.count("x"), text.count("y")] for text in texts]

        there = [Record(text, {"prompt": text}) for text in ("x", "xx", "xxx", "y")]
        assert "y" in keys(diverse(there, size=2, encoder=Letters()).kept)

    def test_what_is_held_is_chosen_first(self) -> None:
        result = diverse(self.records(), size=3, held={"r0", "r1"})
        assert keys(result.kept) == {"r0", "r1", "r3"}

    @pytest.mark.parametrize("texts", [["", "", ""], ["😀", "😀😀", "你好"], ["x" * 100_000, "a", "b"], ["same"] * 3])
    def test_texts_of_any_kind_give_a_choice_of_the_size(self, texts: list[str]) -> None:
        there = [Record(f"r{n}", {"prompt": text}) for n, text in enumerate(texts)]
        assert len(diverse(there, size=2).kept) == 2

    def test_of_nothing_it_is_empty(self) -> None:
        assert diverse([], size=3).kept == []

    @given(st.lists(st.tuples(st.floats(-1, 1), st.floats(-1, 1)), min_size=1, max_size=30), st.integers(1, 10))
    def test_the_next_one_is_always_the_farthest(self, points: list[tuple[float, float]], size: int) -> None:
        vectors = unit(np.array(points, np.float32))
        chosen = farthest_first(vectors, size)
        distances = 1 - vectors @ vectors.T
        for place, (index, distance) in enumerate(chosen[1:], 1):
            before = [i for i, _ in chosen[:place]]
            nearest = distances[:, before].min(axis=1)
            left = [i for i in range(len(points)) if i not in before]
            assert distance == pytest.approx(max(0.0, nearest[index]), abs=1e-5)
            assert nearest[index] == pytest.approx(nearest[left].max(), abs=1e-5)


class TestLicences:
    def of(self, **metadata: Any) -> Record:
        return Record(str(metadata), {"prompt": "?"}, metadata=metadata)

    @pytest.mark.parametrize("name", ["MIT", "mit", " Mit "])
    def test_case_and_space_do_not_count(self, name: str) -> None:
        assert licences([self.of(licence=name)], allow=["MIT"]).kept

    @pytest.mark.parametrize("name", ["CC-BY-4.0", "cc by 4.0", "CC_BY_4.0"])
    def test_words_may_be_joined_in_any_way(self, name: str) -> None:
        assert licences([self.of(license=name)], allow=["CC-BY-4.0"]).kept

    @pytest.mark.parametrize("name", ["CC-BY-NC-4.0", "CC-BY-3.0", "CC-BY", "proprietary", "MIT AND GPL-3.0"])
    def test_what_is_not_on_the_list_is_forbidden(self, name: str) -> None:
        (case,) = licences([self.of(licence=name)], allow=["CC-BY-4.0", "MIT"]).dropped
        assert (case.rule, case.detail["licence"]) == ("forbidden", name)

    @pytest.mark.parametrize("name", ["MIT OR GPL-3.0", "MIT AND CC-BY-4.0", ["MIT", "CC-BY-4.0"]])
    def test_one_of_several_or_all(self, name: object) -> None:
        assert licences([self.of(licence=name)], allow=["CC-BY-4.0", "MIT"]).kept

    @pytest.mark.parametrize("metadata", [{}, {"licence": ""}, {"licence": None}, {"source": "web"}, {"licence": []}])
    def test_what_says_nothing_is_unknown(self, metadata: dict[str, Any]) -> None:
        assert licences([self.of(**metadata)], allow=["MIT"]).why == {"unknown": 1}

    def test_a_source_can_stand_for_its_licence(self) -> None:
        there = [self.of(source="Wiki"), self.of(source="wiki", licence="GPL-3.0"), self.of(source="web")]
        result = licences(there, allow=["MIT"], of_source={"wiki": "MIT"})
        assert (result.kept, result.why) == (there[:1], {"forbidden": 1, "unknown": 1})

    def test_sources_can_be_listed_too(self) -> None:
        there = [self.of(source="wiki", licence="MIT"), self.of(source="web", licence="MIT"), self.of(licence="MIT")]
        result = licences(there, allow=["MIT"], sources=["Wiki"])
        assert (result.kept, result.why) == (there[:1], {"forbidden": 1, "unknown": 1})

    @pytest.mark.parametrize("metadata", [{"licence": "GPL-3.0"}, {}])
    def test_it_can_refuse_instead(self, metadata: dict[str, Any]) -> None:
        with pytest.raises(InputError, match=r"its licence is (GPL-3.0|unknown)"):
            licences([self.of(**metadata)], allow=["MIT"], unknown="refuse", forbidden="refuse")

    def test_what_is_unknown_can_be_kept(self) -> None:
        assert licences([self.of()], allow=["MIT"], unknown="keep").kept

    def test_an_empty_list_is_no_question(self) -> None:
        with pytest.raises(UsageError, match="no licence and no source"):
            licences([self.of()])
