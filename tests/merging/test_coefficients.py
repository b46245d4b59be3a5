"""Coefficients of agreement: published examples, definitions written out, and what must not matter."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import krippendorff
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import UsageError
from bridge.merging.coefficients import (
    Level,
    agreement_parts,
    alpha,
    alpha_parts,
    cohen,
    fleiss,
    percent_agreement,
    ratio,
    resampled,
    total,
)
from tests.merging.published import rows

LEVELS: list[Level] = ["nominal", "ordinal", "interval", "ratio"]
__ = None

# Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), example C: 4 observers, 12 units.
FOUR_BY_TWELVE = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, __, __, __],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, __, 3],
    [__, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, __],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, __],
]
# Wikipedia, Krippendorff's alpha: 3 coders, 15 units.
THREE_BY_FIFTEEN = [
    [__, __, __, __, __, 3, 4, 1, 2, 1, 1, 3, 3, __, 3],
    [1, __, 2, 1, 3, 3, 4, 3, __, __, __, __, __, __, __],
    [__, __, 2, 1, 3, 4, 4, __, 2, 1, 1, 3, 3, __, 4],
]
# Wikipedia, Fleiss' kappa: 10 subjects, 5 categories, 14 raters.
TEN_BY_FIVE = [
    [0, 0, 0, 0, 14],
    [0, 2, 6, 4, 2],
    [0, 0, 3, 5, 6],
    [0, 3, 9, 2, 0],
    [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0],
    [3, 2, 6, 3, 0],
    [2, 5, 3, 2, 2],
    [6, 5, 2, 1, 0],
    [0, 2, 2, 3, 7],
]


def counted(observers: list[list[int | None]], values: range) -> list[list[int]]:
    """Observers x units to units x values."""
    return [[unit.count(value) for value in values] for unit in zip(*observers, strict=True)]


def by_definition(counts: list[list[int]], level: Level, values: list[float]) -> float | None:
    """Alpha as Krippendorff defines it: over every ordered pair of answers, one by one."""
    usable = [unit for unit in counts if sum(unit) >= 2]
    margins = [sum(unit[c] for unit in usable) for c in range(len(values))]

    def squared(c: int, k: int) -> float:
        if c == k:
            return 0
        if level == "nominal":
            return 1
        if level == "ordinal":
            low, high = sorted((c, k))
            return (sum(margins[low : high + 1]) - (margins[low] + margins[high]) / 2) ** 2
        between = values[c] - values[k]
        return (between if level == "interval" else between / (values[c] + values[k])) ** 2

    n, observed, expected = sum(margins), 0.0, 0.0
    for unit in usable:
        answers = [c for c, count in enumerate(unit) for _ in range(count)]
        observed += sum(squared(c, k) for c, k in permutations(answers, 2)) / (len(answers) - 1)
    for c, k in permutations([c for c, count in enumerate(margins) for _ in range(count)], 2):
        expected += squared(c, k)
    return 1 - (n - 1) * observed / expected if expected else None


tables = st.integers(2, 5).flatmap(
    lambda width: st.lists(st.lists(st.integers(0, 3), min_size=width, max_size=width), min_size=1, max_size=8)
)


class TestAlpha:
    @pytest.mark.parametrize(
        ("level", "value"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849), ("ratio", 0.797)]
    )
    def test_four_observers_of_twelve_units(self, level: Level, value: float) -> None:
        counts = counted(FOUR_BY_TWELVE, range(1, 6))
        assert alpha(counts, level, range(1, 6)) == pytest.approx(value, abs=6e-4)

    @pytest.mark.parametrize(("level", "value"), [("nominal", 0.691), ("ordinal", 0.807), ("interval", 0.811)])
    def test_three_coders_of_fifteen_units(self, level: Level, value: float) -> None:
        counts = counted(THREE_BY_FIFTEEN, range(1, 5))
        assert alpha(counts, level, range(1, 5)) == pytest.approx(value, abs=6e-4)

    @settings(max_examples=40, deadline=None)
    @given(tables, st.sampled_from(LEVELS))
    def test_it_is_what_its_definition_says(self, counts: list[list[int]], level: Level) -> None:
        values = [float(value) for value in range(1, len(counts[0]) + 1)]
        expected = by_definition(counts, level, values)
        found = alpha(counts, level, values)
        assert found is None if expected is None else found == pytest.approx(expected, abs=1e-9)

    @settings(max_examples=40, deadline=None)
    @given(tables, st.sampled_from(LEVELS))
    def test_it_is_what_another_implementation_says(self, counts: list[list[int]], level: Level) -> None:
        values = list(range(1, len(counts[0]) + 1))
        found = alpha(counts, level, values)
        if found is not None:
            other = krippendorff.alpha(value_counts=np.array(counts), value_domain=values, level_of_measurement=level)
            assert found == pytest.approx(other, abs=1e-9)

    @settings(max_examples=40, deadline=None)
    @given(tables, st.sampled_from(LEVELS), st.randoms())
    def test_the_order_of_units_does_not_matter_to_the_last_bit(
        self, counts: list[list[int]], level: Level, random: Any
    ) -> None:
        shuffled = random.sample(counts, len(counts))
        assert alpha(shuffled, level) == alpha(counts, level)

    @settings(max_examples=40, deadline=None)
    @given(tables, st.sampled_from(LEVELS))
    def test_units_with_one_answer_and_unused_values_do_not_matter(self, counts: list[list[int]], level: Level) -> None:
        alone = [0] * len(counts[0])
        more = [[*unit, 0] for unit in [*counts, [1, *alone[1:]], alone]]
        expected = alpha(counts, level, range(1, len(alone) + 1))
        found = alpha(more, level, range(1, len(alone) + 2))
        assert found == (pytest.approx(expected, abs=1e-9) if expected is not None else None)

    @settings(max_examples=40, deadline=None)
    @given(tables)
    def test_of_two_values_nominal_ordinal_and_interval_are_the_same(self, counts: list[list[int]]) -> None:
        two = [unit[:2] for unit in counts]
        found = [alpha(two, level) for level in LEVELS[:3]]
        assert found[1:] == ([None, None] if found[0] is None else [pytest.approx(found[0], abs=1e-9)] * 2)

    def test_large_values_lose_nothing(self) -> None:
        counts = counted(FOUR_BY_TWELVE, range(1, 6))
        far = [10_000_000 + value for value in range(1, 6)]
        assert alpha(counts, "interval", far) == pytest.approx(0.849, abs=6e-4)

    @pytest.mark.parametrize("level", LEVELS)
    @pytest.mark.parametrize(
        "counts",
        [
            pytest.param([[3, 0], [2, 0]], id="one value only"),
            pytest.param([[1, 0], [0, 1]], id="no unit with two answers"),
            pytest.param([[0, 0]], id="no answers"),
            pytest.param([], id="no units"),
        ],
    )
    def test_where_it_is_not_defined_there_is_none(self, counts: list[list[int]], level: Level) -> None:
        assert alpha(counts, level) is None

    def test_a_ratio_of_negative_values_is_refused(self) -> None:
        with pytest.raises(UsageError, match="below 0"):
            alpha([[1, 1]], "ratio", [-1, 1])


class TestFleiss:
    def test_fourteen_raters_of_ten_subjects(self) -> None:
        assert fleiss(TEN_BY_FIVE) == pytest.approx(0.21, abs=6e-4)

    @settings(max_examples=40, deadline=None)
    @given(tables)
    def test_it_is_what_its_definition_says(self, counts: list[list[int]]) -> None:
        usable = [unit for unit in counts if sum(unit) >= 2]
        found = fleiss(counts)
        if sum(any(unit[c] for unit in usable) for c in range(len(counts[0]))) < 2:
            assert found is None
            return
        sizes = [sum(unit) for unit in usable]
        agree = [sum(c * (c - 1) for c in unit) / (n * (n - 1)) for unit, n in zip(usable, sizes, strict=True)]
        shares = [
            sum(unit[c] / n for unit, n in zip(usable, sizes, strict=True)) / len(usable) for c in range(len(counts[0]))
        ]
        chance = sum(share * share for share in shares)
        assert found == pytest.approx((sum(agree) / len(agree) - chance) / (1 - chance), abs=1e-9)

    def test_with_two_answers_each_it_is_near_alpha_where_there_is_much(self) -> None:
        counts = [[2, 0]] * 600 + [[1, 1]] * 200 + [[0, 2]] * 200
        assert fleiss(counts) == pytest.approx(alpha(counts), abs=1e-3)

    @pytest.mark.parametrize("counts", [[[3, 0], [2, 0]], [[1, 0], [0, 1]], [[0, 0]]])
    def test_where_it_is_not_defined_there_is_none(self, counts: list[list[int]]) -> None:
        assert fleiss(counts) is None


class TestCohen:
    def test_a_table_of_fifty(self) -> None:
        # Wikipedia, Cohen's kappa.
        assert cohen([[20, 5], [10, 15]]) == pytest.approx(0.4, abs=6e-4)

    @pytest.mark.parametrize(("first", "second", "value"), [(1, 2, 0.85), (1, 3, 0.88), (2, 3, 0.86)])
    def test_the_annotators_of_pandalm(self, first: int, second: int, value: float) -> None:
        table = np.zeros((3, 3))
        for row in rows("pandalm_votes"):
            table[int(row[f"annotator{first}"]), int(row[f"annotator{second}"])] += 1
        assert table.sum() == 999
        assert cohen(table) == pytest.approx(value, abs=6e-3)

    def test_weights_of_squared_distances(self) -> None:
        # With two values, a disagreement has one size; with three, a near one weighs a quarter of a far one.
        assert cohen([[20, 5], [10, 15]], weighted=True) == pytest.approx(0.4)
        near, far = [[10, 5, 0], [0, 10, 0], [0, 0, 10]], [[10, 0, 5], [0, 10, 0], [0, 0, 10]]
        plain = [cohen(table) for table in (near, far)]
        weighted = [cohen(table, weighted=True) for table in (near, far)]
        assert plain[0] == pytest.approx(plain[1], abs=0.01)
        assert weighted[0] is not None
        assert weighted[1] is not None
        assert weighted[0] > weighted[1] + 0.2

    @pytest.mark.parametrize("table", [[[0, 0], [0, 0]], [[7, 0], [0, 0]]])
    def test_where_it_is_not_defined_there_is_none(self, table: list[list[int]]) -> None:
        assert cohen(table) is None

    def test_one_who_always_says_the_same_is_at_chance(self) -> None:
        assert cohen([[30, 0], [10, 0]]) == pytest.approx(0)


class TestPercentAgreement:
    def test_it_is_the_share_of_equal_pairs_and_each_unit_counts_once(self) -> None:
        assert percent_agreement([[10, 0], [1, 1], [1, 0]]) == 0.5

    def test_without_pairs_there_is_none(self) -> None:
        assert percent_agreement([[1, 0]]) is None


class TestIntervals:
    def test_they_are_the_same_for_the_same_seed_and_any_order(self) -> None:
        counts = counted(FOUR_BY_TWELVE, range(1, 6))
        first = resampled(*alpha_parts(counts), seed=3)
        assert resampled(*alpha_parts(counts[::-1]), seed=3) == first
        assert resampled(*alpha_parts(counts), seed=4) != first

    @pytest.mark.parametrize("level", ["nominal", "ordinal"])
    def test_they_hold_the_true_value_as_often_as_they_say(self, level: Level) -> None:
        """Alpha of 60 units, drawn from a crowd whose alpha is known from 200,000."""
        rng = np.random.default_rng(1)

        def crowd(units: int) -> Any:
            truth = rng.integers(0, 4, size=units)
            said = np.where(rng.random((3, units)) < 0.7, truth, rng.integers(0, 4, size=(3, units)))
            return (said[:, :, None] == np.arange(4)).sum(axis=0)

        true = alpha(crowd(200_000), level, range(1, 5))
        assert true is not None
        hits = 0
        for seed in range(150):
            (ends,) = resampled(*alpha_parts(crowd(60), level, range(1, 5)), seed=seed, draws=200)
            assert ends is not None
            hits += ends[0] <= true <= ends[1]
        assert 0.9 <= hits / 150 <= 0.985

    def test_units_that_are_alike_are_drawn_together_as_if_they_were_not(self) -> None:
        """1,000 units of 4 kinds, and 1,000 that all differ a little in a part that alpha does not read."""
        counts = [[3, 0]] * 400 + [[0, 3]] * 300 + [[2, 1]] * 200 + [[1, 2]] * 100
        parts, statistic = alpha_parts(counts)
        marked = np.column_stack([parts, np.arange(len(parts))])
        (alike,) = resampled(parts, statistic, draws=1000)
        (apart,) = resampled(marked, lambda weights, parts: statistic(weights, parts[:, :-1]), draws=1000)
        assert apart is not None
        assert alike == (pytest.approx(apart[0], abs=0.01), pytest.approx(apart[1], abs=0.01))

    def test_few_units_give_wide_ones(self) -> None:
        parts, statistic = alpha_parts([[2, 0], [0, 2], [1, 1]] * 2)
        (few,) = resampled(parts, statistic)
        (many,) = resampled(np.tile(parts, (50, 1)), statistic)
        assert few is not None
        assert many is not None
        assert few[1] - few[0] > 4 * (many[1] - many[0])

    def test_of_one_unit_there_is_none(self) -> None:
        assert resampled(*alpha_parts([[2, 1]])) == [None]
        assert resampled(*alpha_parts([[1, 0], [0, 1]])) == [None]

    def test_a_mean_has_one_too(self) -> None:
        parts = agreement_parts([[2, 0]] * 80 + [[1, 1]] * 20)
        (ends,) = resampled(parts, ratio)
        assert total(parts, ratio) == [pytest.approx(0.8)]
        assert ends == (pytest.approx(0.72, abs=0.015), pytest.approx(0.88, abs=0.015))
