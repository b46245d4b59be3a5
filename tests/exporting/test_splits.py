"""Splits: what is alike stays on one side, in all training sets, and stays there for ever."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from bridge.curate.tokens import jaccard, shingles
from bridge.exporting import Kind, Row
from bridge.exporting.settings import SplitsConfig
from bridge.exporting.splits import Sides, Splitting, prompt_text, split_rows, strata
from bridge.records import Record

HALF = SplitsConfig(valid=0.25, test=0.25, near=0.6)


def row(record: str, prompt: str, kind: Kind = "sft", root: str = "", others: tuple[str, ...] = ()) -> Row:
    return Row(record, kind, [{"role": "user", "content": prompt}], completion="4", root=root, others=others)


def sides(done: Splitting) -> dict[str, str]:
    """Record to split; a record on two sides fails."""
    found: dict[str, str] = {}
    for sieved in done.sieved.values():
        for kept in sieved.kept:
            assert found.setdefault(kept.record, kept.split) == kept.split
    return found


def leaks(done: Splitting, near: float) -> list[tuple[str, str]]:
    """Pairs of kept rows on two sides that belong together: looked for by comparing all with all, the plain way."""
    kept = [one for sieved in done.sieved.values() for one in sieved.kept]
    shingled = [shingles(prompt_text(one.prompt)) for one in kept]
    return [
        (left.record, right.record)
        for (left, mine), (right, theirs) in product(zip(kept, shingled, strict=True), repeat=2)
        if left.split != right.split
        and (
            jaccard(mine, theirs) >= near
            or {left.record, left.root, *left.others} & {right.record, right.root, *right.others} - {""}
        )
    ]


WORDS = (
    "sum up",
    "this text",
    "for a child",
    "of ten",
    "in French",
    "now",
    "please",
    "about cats",
    "and dogs",
    "twice",
)


def prompts(seed: int, count: int) -> list[str]:
    """Prompts of a few words of a small stock: many are like another one, and chains are common."""
    draw = random.Random(seed)
    return [" ".join(draw.choices(WORDS, k=draw.randint(2, 5))) for _ in range(count)]


def made(seed: int, count: int) -> list[Row]:
    draw = random.Random(-seed)
    rows = [row(f"r{number}", text) for number, text in enumerate(prompts(seed, count))]
    twins = draw.sample(range(count), count // 10)
    return [
        row(one.record, one.prompt[0]["content"], root=f"r{number // 2}") if number in twins else one
        for number, one in enumerate(rows)
    ]


# -- one side


def test_the_same_prompt_in_other_words_and_signs_is_on_one_side() -> None:
    rows = [
        row(f"r{n}", f"Question {n // 3} of the day: {'!' * (n % 3)} why is the sky blue in {n // 3}?")
        for n in range(60)
    ]
    done = sides(split_rows({"sft": rows}, SplitsConfig(test=0.5)))
    assert all(done[f"r{n}"] == done[f"r{n + 1}"] == done[f"r{n + 2}"] for n in range(0, 60, 3))
    assert set(done.values()) == {"train", "test"}


def test_a_reworded_prompt_is_on_the_side_of_the_other_one() -> None:
    plain = [f"Explain to me in your own words how the number {n} was found in history" for n in ("one", "two", "pi")]
    rows = [row(f"{head}{n}", head + text) for n, text in enumerate(plain) for head in ("", "Please: ")]
    for salt in "abcdef":
        done = sides(split_rows({"sft": rows}, SplitsConfig(test=0.5, salt=salt)))
        assert all(done[str(n)] == done[f"Please: {n}"] for n in range(3))


def test_records_that_come_from_one_another_are_on_one_side() -> None:
    rows = [row(f"r{n}", f"{'abcdefghijklmnopqrst'[n]} and nothing else", root="r0") for n in range(20)]
    assert len(set(sides(split_rows({"sft": rows}, HALF)).values())) == 1


def test_a_record_whose_answer_was_borrowed_is_on_the_side_of_the_row() -> None:
    rows = [row(f"r{n}", f"{'abcdefghijklmnopqrst'[n]} and nothing else", others=("r0",)) for n in range(1, 20)]
    assert len(set(sides(split_rows({"sft": rows}, HALF)).values())) == 1


def test_a_prompt_is_on_one_side_in_all_training_sets() -> None:
    rows = made(1, 200)
    done = split_rows(
        {"sft": rows[:150], "kto": [row(f"k{one.record}", one.prompt[0]["content"], "kto") for one in rows]}, HALF
    )
    by_prompt: dict[str, set[str]] = {}
    for sieved in done.sieved.values():
        for kept in sieved.kept:
            by_prompt.setdefault(kept.prompt[0]["content"], set()).add(kept.split)
    assert {len(found) for found in by_prompt.values()} == {1}


@pytest.mark.parametrize("seed", range(5))
def test_no_two_rows_that_belong_together_are_on_two_sides(seed: int) -> None:
    done = split_rows({"sft": made(seed, 150)}, HALF)
    assert len(set(sides(done).values())) > 1
    assert leaks(done, HALF.near) == []


def test_what_all_prompts_begin_with_makes_none_of_them_alike() -> None:
    instruction = "Say in one short sentence, and in plain English, what the text that follows is about."
    texts = ("a plan for a house", "the price of tea", "some cats of mine", "why rain falls", "a letter to you")
    rows = [row(text, f"{instruction}\n\n{text}") for text in texts]
    told = [split_rows({"sft": rows}, HALF, instruction=begins).sieved["sft"].told for begins in ("", instruction)]
    assert [one["splits"]["clusters"] for one in told] == [1, 5]


def test_the_system_has_no_part_in_it() -> None:
    system = {"role": "system", "content": "You are a kind helper who answers every question in a single sentence."}
    rows = [Row(text, "sft", [system, {"role": "user", "content": text}], "4") for text in ("one", "two", "three")]
    assert split_rows({"sft": rows}, SplitsConfig(test=0.5)).sieved["sft"].told["splits"]["clusters"] == 3


def test_a_prompt_without_a_word_belongs_to_its_record_alone() -> None:
    rows = [row(f"r{n}", " ") for n in range(10)]
    assert split_rows({"sft": rows}, HALF).sieved["sft"].told["splits"]["clusters"] == 10


# -- shares


def apart(count: int) -> list[Row]:
    return [row(f"r{n}", f"what is {n} in words and {n * n} in signs") for n in range(count)]


def test_shares_come_about() -> None:
    done = split_rows({"sft": apart(2000)}, SplitsConfig(valid=0.1, test=0.2)).sieved["sft"]
    told = done.told["splits"]
    assert told["shares"] == {"train": 0.7, "valid": 0.1, "test": 0.2}
    assert told["clusters"] == 2000
    # Six standard deviations of a draw.
    assert abs(told["rows"]["test"] - 400) < 108
    assert abs(told["rows"]["valid"] - 200) < 81
    assert Counter(one.split for one in done.kept) == told["rows"]


def test_a_split_without_a_share_has_no_rows() -> None:
    assert set(sides(split_rows({"sft": apart(100)}, SplitsConfig(test=0.3))).values()) == {"train", "test"}


def test_another_salt_is_another_division() -> None:
    one, other = (sides(split_rows({"sft": apart(100)}, SplitsConfig(test=0.5, salt=salt))) for salt in ("a", "b"))
    assert 20 < sum(one[key] != other[key] for key in one) < 80


def test_the_order_of_rows_is_kept_and_changes_nothing() -> None:
    rows = made(3, 100)
    done, backwards = split_rows({"sft": rows}, HALF), split_rows({"sft": rows[::-1]}, HALF)
    assert done.sides == backwards.sides
    assert [one.record for one in done.sieved["sft"].kept] == [one.record for one in rows]


def topics(rows: Sequence[Row]) -> dict[str, str]:
    return {one.record: "rare" if number % 20 == 0 else "common" for number, one in enumerate(rows)}


def counted(done: Splitting, whose: Mapping[str, str]) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = {}
    for record, side in sides(done).items():
        found.setdefault(whose[record], Counter())[side] += 1
    return found


def test_strata_have_their_shares_to_the_row_where_clusters_are_single_rows() -> None:
    rows = apart(400)
    done = split_rows({"sft": rows}, SplitsConfig(valid=0.1, test=0.2, stratify="topic"), strata=topics(rows))
    assert counted(done, topics(rows)) == {
        "rare": {"train": 14, "valid": 2, "test": 4},
        "common": {"train": 266, "valid": 38, "test": 76},
    }


@given(st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_no_split_is_over_its_share_of_a_stratum_by_more_than_the_largest_cluster(seed: int) -> None:
    rows = [one for one in made(seed, 80) if not one.root]
    whose = dict.fromkeys((one.record for one in rows), "all")
    done = split_rows({"sft": rows}, HALF, strata=whose)
    largest = done.sieved["sft"].told["splits"]["largest_cluster"]
    for side, count in counted(done, whose)["all"].items():
        assert count - len(rows) * HALF.shares()[side] < largest


def test_strata_are_what_the_metadata_say() -> None:
    records = [Record("a", {}, metadata={"topic": 7}), Record("b", {}, metadata={"topic": ["x"]}), Record("c", {})]
    assert strata(records, "topic") == {"a": "7", "b": "", "c": ""}


# -- growth


@given(st.integers(0, 10**6), st.integers(1, 4), st.booleans(), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_nobody_moves_and_nothing_leaks_however_a_set_grows(
    seed: int, steps: int, stratified: bool, draw: random.Random
) -> None:
    rows = made(seed, 60)
    draw.shuffle(rows)
    known, given_before, there = Sides(), dict[str, str](), list[Row]()
    for step in range(steps):
        there += rows[step::steps]
        draw.shuffle(there)
        done = split_rows({"sft": there}, HALF, earlier=known, strata=topics(rows) if stratified else None)
        now = sides(done)
        assert {key: now.get(key) for key in given_before} == given_before
        assert leaks(done, HALF.near) == []
        kept, rejected = done.sieved["sft"].kept, done.sieved["sft"].rejected
        assert len(kept) + len(rejected) == len(there)
        given_before, known = now, done.sides


A = "please tell me how old the tall tower of the town is"
Z = "the river that flows under this bridge comes from far away"
LINK = f"{A} {Z}"


def parted(near: float = 0.3) -> tuple[SplitsConfig, Sides]:
    """Settings by which A and Z were put on two sides."""
    for salt in map(str, range(100)):
        config = SplitsConfig(test=0.5, salt=salt, near=near)
        done = split_rows({"sft": [row("a", A), row("z", Z)]}, config)
        if sides(done) == {"a": "train", "z": "test"}:
            return config, done.sides
    raise AssertionError


def test_a_new_row_that_is_like_rows_of_two_sides_is_stopped_and_says_so() -> None:
    config, earlier = parted()
    done = split_rows({"sft": [row("a", A), row("new", LINK), row("z", Z)]}, config, earlier=earlier)
    assert sides(done) == {"a": "train", "z": "test"}
    (case,) = done.sieved["sft"].rejected
    assert (case.row.record, case.reason, case.rule) == ("new", "straddles", "splits")
    assert case.text == "it belongs with rows of train and test"
    assert done.sieved["sft"].told["splits"]["straddling"] == 1
    assert "new" not in done.sides.records


def test_at_first_all_three_are_on_one_side() -> None:
    config, _ = parted()
    assert len(set(sides(split_rows({"sft": [row("a", A), row("new", LINK), row("z", Z)]}, config)).values())) == 1


def test_of_a_knot_only_those_are_stopped_that_tie_it() -> None:
    config, earlier = parted()
    rows = [row("a", A), row("near a", f"{A} now"), row("new", LINK), row("near z", f"{Z} now"), row("z", Z)]
    done = split_rows({"sft": rows}, config, earlier=earlier)
    assert sides(done) == {"a": "train", "near a": "train", "near z": "test", "z": "test"}


def test_a_pair_of_two_records_stays_with_the_twins_of_both() -> None:
    """Each of the pairs shares a root with the next one, by the record whose answer is the worse one."""
    pairs = [
        replace(row(f"r{n}", f"{'abcdefghijklmnopqrst'[n]} and nothing else"), root=f"x{n}", other_root=f"x{n + 1}")
        for n in range(20)
    ]
    assert len({*sides(split_rows({"sft": pairs}, HALF)).values()}) == 1
    apart = [replace(pair, other_root="") for pair in pairs]
    assert len({*sides(split_rows({"sft": apart}, HALF)).values()}) > 1


def test_a_twin_of_a_row_in_train_whose_prompt_is_in_test_is_stopped() -> None:
    config, earlier = parted()
    done = split_rows({"sft": [row("a", A), row("twin", Z, root="a")]}, config, earlier=earlier)
    assert sides(done) == {"a": "train"}


def test_a_record_that_was_reworded_keeps_its_side_and_a_prompt_does_though_its_record_is_gone() -> None:
    config, earlier = parted()
    done = split_rows({"sft": [row("a", "something else entirely"), row("other", Z)]}, config, earlier=earlier)
    assert sides(done) == {"a": "train", "other": "test"}


def test_with_a_lower_threshold_the_rows_of_test_stay_and_those_of_train_are_stopped() -> None:
    config, earlier = parted(near=1.0)
    done = split_rows({"sft": [row("a", A), row("z", Z)]}, config, earlier=earlier)
    assert sides(done) == {"a": "train", "z": "test"}
    pair = [row("a", A), row("z", f"{A} now")]
    both = Sides({"a": "train", "z": "test"}, {})
    done = split_rows({"sft": pair}, SplitsConfig(test=0.5, near=0.5), earlier=both)
    assert sides(done) == {"z": "test"}


def test_rows_that_are_gone_for_a_while_come_back_to_their_side() -> None:
    rows = made(8, 100)
    first = split_rows({"sft": rows}, HALF)
    without = split_rows({"sft": rows[:30]}, HALF, earlier=first.sides)
    assert sides(split_rows({"sft": rows}, HALF, earlier=without.sides)) == sides(first)


def test_of_thousands_that_hang_together_over_two_sides_the_new_ones_are_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bridge.exporting.splits._MANY", 3)
    config, earlier = parted()
    rows = [row("a", A), row("near a", f"{A} now"), row("new", LINK), row("z", Z)]
    done = split_rows({"sft": rows}, config, earlier=earlier)
    assert sides(done) == {"a": "train", "z": "test"}


@pytest.mark.parametrize("shares", [{}, {"valid": 0.5, "test": 0.5}, {"valid": 1.0}, {"test": -0.1}, {"near": 0.0}])
def test_shares_that_leave_nothing_are_refused(shares: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        SplitsConfig(**shares)  # type: ignore[arg-type]
