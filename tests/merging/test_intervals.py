"""Intervals for shares: published values, and what must hold for all."""

from __future__ import annotations

from math import comb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import UsageError
from bridge.merging.intervals import difference, exact, wilson

cases = st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


class TestExact:
    @pytest.mark.parametrize(
        ("successes", "n", "low", "high"),
        [
            # Newcombe, Statistics in Medicine 17 (1998) 857-872, table I, method 5.
            (81, 263, 0.2527, 0.3676),
            (15, 148, 0.0578, 0.1617),
            (0, 20, 0.0, 0.1684),
            (1, 29, 0.0009, 0.1776),
        ],
    )
    def test_published_values(self, successes: int, n: int, low: float, high: float) -> None:
        assert exact(successes, n) == (pytest.approx(low, abs=6e-5), pytest.approx(high, abs=6e-5))

    @settings(max_examples=40, deadline=None)
    @given(cases, st.sampled_from([0.5, 0.9, 0.95, 0.999]))
    def test_the_ends_are_where_the_tails_hold_half_of_the_rest(self, case: tuple[int, int], level: float) -> None:
        successes, n = case
        low, high = exact(successes, n, level)
        tail = (1 - level) / 2

        def probability(counts: range, share: float) -> float:
            return sum(comb(n, k) * share**k * (1 - share) ** (n - k) for k in counts)

        assert low <= successes / n <= high
        assert low == 0 if successes == 0 else probability(range(successes, n + 1), low) == pytest.approx(tail)
        assert high == 1 if successes == n else probability(range(successes + 1), high) == pytest.approx(tail)

    @settings(max_examples=40, deadline=None)
    @given(cases)
    def test_failures_are_the_mirror_of_successes(self, case: tuple[int, int]) -> None:
        successes, n = case
        low, high = exact(successes, n)
        assert exact(n - successes, n) == (pytest.approx(1 - high), pytest.approx(1 - low))

    def test_a_million_cases_are_as_the_normal_distribution_says(self) -> None:
        assert exact(500_000, 1_000_000) == (pytest.approx(0.49902, abs=1e-5), pytest.approx(0.50098, abs=1e-5))

    def test_of_nothing_nothing_is_known(self) -> None:
        assert exact(0, 0) == (0.0, 1.0)


class TestWilson:
    @pytest.mark.parametrize(
        ("successes", "n", "low", "high"),
        # The same table, method 3.
        [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
    )
    def test_published_values(self, successes: int, n: int, low: float, high: float) -> None:
        assert wilson(successes, n) == (pytest.approx(low, abs=6e-5), pytest.approx(high, abs=6e-5))

    @settings(max_examples=40, deadline=None)
    @given(cases)
    def test_it_holds_the_share(self, case: tuple[int, int]) -> None:
        low, high = wilson(*case)
        assert 0 <= low <= case[0] / case[1] + 1e-12
        assert case[0] / case[1] - 1e-12 <= high <= 1


class TestDifference:
    @pytest.mark.parametrize(
        ("first", "second", "low", "high"),
        [
            # Newcombe, Statistics in Medicine 17 (1998) 873-890, table II, method 10.
            ((56, 70), (48, 80), 0.0524, 0.3339),
            ((9, 10), (3, 10), 0.1705, 0.8090),
            ((6, 7), (2, 7), 0.0582, 0.8062),
            ((5, 56), (0, 29), -0.0381, 0.1926),
            ((0, 10), (0, 20), -0.1611, 0.2775),
            ((10, 10), (0, 10), 0.6075, 1.0),
        ],
    )
    def test_published_values(self, first: tuple[int, int], second: tuple[int, int], low: float, high: float) -> None:
        assert difference(first, second) == (pytest.approx(low, abs=6e-5), pytest.approx(high, abs=6e-5))

    @settings(max_examples=40, deadline=None)
    @given(cases, cases)
    def test_the_other_way_round_it_is_its_mirror(self, first: tuple[int, int], second: tuple[int, int]) -> None:
        low, high = difference(first, second)
        assert difference(second, first) == (pytest.approx(-high), pytest.approx(-low))
        assert -1 <= low <= high <= 1

    def test_with_no_cases_on_one_side_it_is_wide(self) -> None:
        low, high = difference((5, 10), (0, 0))
        assert high - low > 1


@pytest.mark.parametrize(("successes", "n", "level"), [(3, 2, 0.95), (-1, 2, 0.95), (1, 2, 1.0), (1, 2, 0.0)])
def test_impossible_counts_and_levels_are_refused(successes: int, n: int, level: float) -> None:
    for interval in (exact, wilson):
        with pytest.raises(UsageError):
            interval(successes, n, level)
