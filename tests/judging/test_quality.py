"""The quality of a whole set from few answers and many scores: what the interval holds, and when there is none."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.judging import JUDGES, simulated
from bridge.errors import UsageError
from bridge.judging.quality import estimate
from bridge.judging.student import reach


def rated(
    seed: int, n: int, size: int = 1000, noise: float = 0.6
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """People's answers to the first n records and a judge's to all, whose scores are 0.8 too high."""
    rng = np.random.default_rng(seed)
    people = rng.normal(3, 1, size)
    return people[:n], people + 0.8 + rng.normal(0, noise, size)


# -- Student's t


@pytest.mark.parametrize(
    ("freedom", "tabled"), [(1, 12.706), (2, 4.303), (5, 2.571), (18, 2.101), (30, 2.042), (98, 1.984), (1e7, 1.960)]
)
def test_quantiles_of_t_are_those_of_the_tables(freedom: float, tabled: float) -> None:
    assert reach(freedom) == pytest.approx(tabled, abs=6e-4)


# -- equal chances


def test_with_equal_chances_the_estimate_is_that_of_the_paper() -> None:
    answers, scores = rated(1, 100)
    seen, others = scores[:100], scores[100:]
    # PPI++, with lambda = cov / (var (1 + n/N)), where cov and var are those of the answered records.
    k = np.cov(answers, seen)[0, 1] / seen.var(ddof=1)
    lam = k / (1 + 100 / 900)
    paper = lam * others.mean() + (answers - lam * seen).mean()
    found = estimate(answers, range(100), scores, scale=(-9, 15))
    assert found.method == "ppi"
    assert found.value == pytest.approx(paper, abs=0.01)
    variance = lam**2 * others.var() / 900 + (answers - lam * seen).var(ddof=2) / 100
    assert found.low is not None
    assert found.value is not None
    assert found.high is not None
    assert min(found.value - found.low, found.high - found.value) == pytest.approx(reach(98) * variance**0.5, rel=0.03)


def test_the_interval_reaches_further_to_the_side_to_which_errors_go() -> None:
    people = np.array([1.0, 2.0, 3.0, 4.0, 5.0] * 800)
    kind = people.copy()
    kind[3::9] -= 1  # one of nine is judged 1 too low
    found = estimate(people[:100], range(100), kind, scale=(1, 5))
    assert found.low is not None
    assert found.value is not None
    assert found.high is not None
    assert found.high - found.value > 1.05 * (found.value - found.low)


def test_a_judge_that_is_always_too_high_does_not_move_the_estimate() -> None:
    answers, scores = rated(2, 60)
    plain = estimate(answers, range(60), scores, scale=(-9, 15))
    shifted = estimate(answers, range(60), scores + 7, scale=(-9, 15))
    assert shifted.value == pytest.approx(plain.value)
    assert shifted.low == pytest.approx(plain.low)


def test_a_judge_that_knows_nothing_leaves_what_people_say() -> None:
    answers, _ = rated(3, 40)
    found = estimate(answers, range(40), np.full(1000, 3.0), scale=(-9, 15))
    assert (found.method, found.weight) == ("people", 0.0)
    assert found.people == (found.value, found.low, found.high)
    assert found.reason == "the scores say too little of what people answer"


def test_people_alone_have_students_interval() -> None:
    answers = [1, 2, 3, 4, 5] * 4
    _, low, high = estimate(answers, range(20), [3.0] * 20, scale=(1, 5)).people or (0, 0, 0)
    half = reach(19) * np.std(answers, ddof=1) / 20**0.5
    assert low == pytest.approx(3 - half)
    assert high == pytest.approx(3 + half)


def test_yes_and_no_alone_have_wilsons_interval() -> None:
    found = estimate([1.0] * 21 + [0.0] * 4, range(25), [float("nan")] * 100)
    assert found.reason == "no score could be read"
    assert found.low == pytest.approx(0.6535, abs=1e-4)
    assert found.high == pytest.approx(0.9360, abs=1e-4)


def test_where_all_answers_are_the_same_the_interval_is_not_a_point() -> None:
    found = estimate([5.0] * 30, range(30), [5.0] * 300, scale=(1, 5))
    assert found.value == 5
    # None of 30 differs: up to 11.6 % may, each by 4 at most.
    assert found.low == pytest.approx(5 - 4 * 0.1157, abs=1e-3)
    assert found.high == 5


def test_where_people_all_say_the_same_no_score_makes_it_certain() -> None:
    scores = [1.0, 2.0, 3.0, 4.0, 5.0] * 20
    found = estimate([4.0] * 40, range(40), scores, scale=(1, 5))
    assert (found.method, found.reason) == ("people", "all answers are the same")
    assert found.value == 4
    assert found.low is not None
    assert found.high is not None
    assert found.low < 3.8
    assert found.high > 4.05


def test_ratings_that_are_all_1_are_no_answers_of_yes() -> None:
    found = estimate([1.0] * 30, range(30), [1.0, 2.0, 3.0] * 100, scale=(1, 5))
    assert (found.value, found.low) == (1, 1)
    assert found.high == pytest.approx(1 + 4 * 0.1157, abs=1e-3)


@pytest.mark.parametrize("n", [20, 21, 40, 49])
def test_where_everybody_says_yes_rounding_does_not_count_more_of_them_than_there_are(n: int) -> None:
    found = estimate([1.0] * n, range(n), [1.0, 0.0] * 50)
    assert (found.value, found.high) == (1.0, 1.0)


def test_a_judge_that_was_never_seen_to_be_wrong_does_not_pass_for_one_who_never_is() -> None:
    answers = [1.0, 0.0] * 25
    found = estimate(answers, range(50), [1.0, 0.0] * 500)
    assert found.low is not None
    assert found.high is not None
    assert found.high - found.low > 0.05


def test_under_twenty_answers_there_is_no_estimate() -> None:
    answers, scores = rated(4, 19)
    found = estimate(answers, range(19), scores, scale=(-9, 15))
    assert (found.value, found.low, found.people) == (None, None, None)
    assert found.reason == "19 records with an answer: an estimate needs 20"


def test_scores_that_could_not_be_read_count_as_the_mean_of_the_others() -> None:
    answers, scores = rated(5, 80)
    gaps = scores.copy()
    gaps[::10] = np.nan
    filled = np.where(np.isnan(gaps), np.nanmean(gaps), gaps)
    assert estimate(answers, range(80), gaps, scale=(-9, 15)) == estimate(answers, range(80), filled, scale=(-9, 15))


@given(st.integers(0, 10**6), st.integers(20, 80), st.floats(0, 3), st.booleans())
def test_the_interval_is_never_wider_than_that_of_people_alone(seed: int, n: int, noise: float, uneven: bool) -> None:
    answers, scores = rated(seed, n, 400, noise)
    chances = np.random.default_rng(seed).uniform(0.3, 1, n) if uneven else None
    found = estimate(answers, range(n), scores, probabilities=chances, scale=(-20, 30))
    if found.people is not None and found.low is not None and found.high is not None:
        assert found.high - found.low <= found.people[2] - found.people[1]
        assert found.value is not None
        assert found.low <= found.value <= found.high


# -- unequal chances


def test_answers_are_weighted_by_the_chance_that_they_had() -> None:
    # Every record with a 1 came to people, and a tenth of the others, of which there are ten times as many.
    answers = [1.0] * 30 + [0.0] * 30
    scores = [0.5] * 330
    chances = [1.0] * 30 + [0.1] * 30
    assert estimate(answers, range(60), scores, probabilities=chances).value == pytest.approx(30 / 330)


def test_chances_that_are_all_the_same_change_nothing() -> None:
    answers, scores = rated(6, 50)
    plain = estimate(answers, range(50), scores, scale=(-9, 15))
    low = estimate(answers, range(50), scores, probabilities=[0.05] * 50, scale=(-9, 15))
    assert low.value == pytest.approx(plain.value)
    assert low.high == pytest.approx(plain.high)


def test_the_more_chances_differ_the_fewer_degrees_of_freedom_there_are() -> None:
    answers = [1.0, 2.0, 3.0, 4.0, 5.0] * 12
    weights = np.array([1.0] * 40 + [3.0] * 20)
    found = estimate(answers, range(60), [3.0] * 300, probabilities=1 / weights, scale=(-20, 30))
    share = weights / weights.sum()
    parts = share * (np.array(answers) - share @ answers)
    freedom = (share**2).sum() ** 2 / (share**4).sum() - 1
    assert found.high is not None
    assert found.value is not None
    assert 25 < freedom < 30
    assert found.high - found.value == pytest.approx(reach(freedom) * (parts**2 / (1 - share)).sum() ** 0.5)


def test_answers_that_are_worth_fewer_than_twenty_give_no_estimate() -> None:
    answers, scores = rated(7, 60)
    found = estimate(answers, range(60), scores, probabilities=[1.0] * 50 + [0.01] * 10, scale=(-9, 15))
    assert found.value is None
    assert found.reason == (
        "60 records with an answer, whose unequal chances make them worth 11.0: an estimate needs 20"
    )


# -- what cannot be


@pytest.mark.parametrize(
    ("places", "chances", "reason"),
    [
        ([0, 0, 2], None, "two to one"),
        ([0, 1, 5], None, "an answer to no record"),
        ([0, 1], None, "not as many of each"),
        ([0, 1, 2], [0.5, 0.0, 1.0], "a chance that is not above 0"),
        ([0, 1, 2], [0.5, 1.5, 1.0], "a chance that is not above 0"),
    ],
)
def test_what_cannot_be_is_refused(places: list[int], chances: list[float] | None, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        estimate([1.0, 0.0, 1.0], places, [0.5] * 5, probabilities=chances)


def test_an_answer_off_the_scale_is_refused() -> None:
    with pytest.raises(UsageError, match="an answer that is not from 1 to 5"):
        estimate([6.0] * 20, range(20), [3.0] * 40, scale=(1, 5))


# -- simulations, small ones; benchmarks/judging.py has the others


@pytest.mark.parametrize(
    ("judge", "narrower"), [("rating, r 0.7, 1 too low", 0.85), ("yes/no, 85 % right", 0.95), ("rating, r 0.5", 0.95)]
)
def test_intervals_hold_what_they_promise_where_a_bare_mean_does_not(judge: str, narrower: float) -> None:
    found = simulated(*JUDGES[judge], "even", answers=40, records=500, runs=150)
    assert found["coverage"] > 0.91
    assert found["width"] < narrower
    assert found["widest"] <= 1


@pytest.mark.parametrize(
    ("judge", "width"),
    [("rating, 10 % are 1 too low", 0.37), ("rating, 5 % are 2 too low", 0.47), ("yes/no, 95 % right", 0.56)],
)
def test_judges_who_are_seldom_wrong_are_believed_neither_too_much_nor_too_little(judge: str, width: float) -> None:
    found = simulated(*JUDGES[judge], "even", answers=50, records=1000, runs=200)
    assert found["coverage"] > 0.91
    assert found["width"] < width + 0.04  # as much as 1,000 records tell less than the 2,000 of the benchmark
    assert found["widest"] <= 1


def test_records_that_came_to_people_because_they_were_doubtful_do_not_bias_the_estimate() -> None:
    found = simulated(*JUDGES["rating, r 0.7, 1 too low"], "routed", answers=120, records=500, runs=150)
    assert found["coverage"] > 0.91
