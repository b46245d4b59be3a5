"""Dawid and Skene's model: the published results, what it learns, and what must not matter."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.merging.dawid_skene import Votes, dawid_skene, votes
from tests.merging.labelled import Answer, accuracy, always, anything, cast, crowd, published, right

FEW = settings(max_examples=40, deadline=None)
LABELS = ["a", "b", "c"]
ANSWERS = st.dictionaries(
    st.tuples(st.sampled_from([f"i{n}" for n in range(12)]), st.sampled_from([f"p{n}" for n in range(6)])),
    st.sampled_from(LABELS),
    min_size=1,
).map(lambda said: [(item, who, label) for (item, who), label in said.items()])


# -- published


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("rte", 0.9275, 0.928),  # Zheng et al. 2017, their output files; Li's iBCC
        ("d_sentiment", 0.960, 0.960),  # crowd-kit, JOSS 2024; Li's iBCC
        ("d_product", 0.9366, 0.940),  # Zheng et al.; crowd-kit
        ("cf", 0.883, 0.883),  # Li's iBCC, which is smoothed as well; without smoothing .783 to .830
    ],
)
def test_published_accuracies_are_reached(name: str, low: float, high: float) -> None:
    said, truth = cast(*published(name))
    fit = dawid_skene(said)
    assert fit.converged
    assert low - 0.004 <= accuracy(fit.posterior, truth) <= high + 0.004


# -- what it learns


def test_answers_of_somebody_who_means_the_opposite_count_as_their_opposite() -> None:
    people = {"ann": right(0.9), "bo": right(0.9), "cy": right(0.9), "zed": right(0.1)}
    said, truth = cast(*crowd(people, 400))
    fit = dawid_skene(said)
    zed = fit.confusion[said.annotators.index("zed")]
    assert zed[0, 1] > 0.8
    assert zed[1, 0] > 0.8
    assert accuracy(fit.posterior, truth) > accuracy(said.counts(), truth) + 0.05


def test_answers_that_say_nothing_do_not_count() -> None:
    people = {"ann": right(0.9), "bo": right(0.9), "cy": right(0.9), "lazy": always(0), "wild": anything()}
    said, truth = cast(*crowd(people, 400))
    without = cast(*crowd({who: people[who] for who in ("ann", "bo", "cy")}, 400))
    fit = dawid_skene(said)
    assert fit.confusion[said.annotators.index("lazy")][:, 0] == pytest.approx([1.0, 1.0], abs=0.02)
    assert accuracy(fit.posterior, truth) > accuracy(without[0].counts(), without[1]) - 0.03


def test_the_prior_is_the_share_of_each_label() -> None:
    said, truth = cast(*crowd({f"p{n}": right(0.9, 3) for n in range(5)}, 600, shares=(0.6, 0.3, 0.1)))
    shares = np.bincount(truth) / len(truth)
    assert dawid_skene(said).prior == pytest.approx(shares, abs=0.01)


def test_nobody_is_thought_hopeless_after_one_answer() -> None:
    crowd = [("i1", "ann", "a"), ("i1", "bo", "a"), ("i1", "cy", "b")]
    said = votes(crowd, ["a", "b"])
    assert (dawid_skene(said).confusion > 0.1).all()


# -- what comes out


@FEW
@given(ANSWERS)
def test_chances_sum_to_1(answers: list[Answer]) -> None:
    fit = dawid_skene(votes(answers, LABELS))
    assert fit.posterior.sum(axis=1) == pytest.approx(1)
    assert fit.confusion.sum(axis=2) == pytest.approx(1)
    assert fit.prior.sum() == pytest.approx(1)
    assert (fit.confusion > 0).all()


def test_a_fit_that_ran_out_of_rounds_says_so() -> None:
    said, _ = cast(*crowd({f"p{n}": right(0.7) for n in range(4)}, 200))
    fit = dawid_skene(said, max_iterations=2)
    assert (fit.iterations, fit.converged) == (2, False)


def test_one_label_only_is_certain() -> None:
    fit = dawid_skene(votes([("i1", "ann", "a"), ("i2", "bo", "a")], ["a"]))
    assert fit.posterior.tolist() == [[1.0], [1.0]]


def test_a_label_that_nobody_used_is_unlikely_but_not_impossible() -> None:
    answers = [(f"i{n}", who, "ab"[n % 2]) for n in range(20) for who in ("ann", "bo", "cy")]
    fit = dawid_skene(votes(answers, LABELS))
    assert (fit.posterior[:, 2] > 0).all()
    assert (fit.posterior[:, 2] < 0.01).all()


def test_no_answers_make_no_items() -> None:
    fit = dawid_skene(votes([], LABELS))
    assert (fit.posterior.shape, fit.iterations, fit.converged) == ((0, 3), 0, True)


# -- what must not matter


@FEW
@given(ANSWERS, st.randoms(use_true_random=False))
def test_the_order_of_answers_does_not_matter(answers: list[Answer], rng: random.Random) -> None:
    before = votes(answers, LABELS)
    rng.shuffle(answers)
    assert same(before, votes(answers, LABELS))


@FEW
@given(ANSWERS, st.permutations([f"p{n}" for n in range(6)]))
def test_names_of_annotators_do_not_matter_not_even_for_rounding(answers: list[Answer], names: list[str]) -> None:
    renamed = [(item, names[int(who[1:])], label) for item, who, label in answers]
    before, after = dawid_skene(votes(answers, LABELS)), dawid_skene(votes(renamed, LABELS))
    assert np.array_equal(before.posterior, after.posterior)
    assert np.array_equal(before.confusion, after.confusion)


@FEW
@given(ANSWERS, st.permutations(LABELS))
def test_the_order_of_labels_does_not_matter(answers: list[Answer], labels: list[str]) -> None:
    # Rounds are limited: a difference of the last digit may decide which of two equally good ends EM finds.
    before = dawid_skene(votes(answers, LABELS), max_iterations=5).posterior
    after = dawid_skene(votes(answers, labels), max_iterations=5).posterior
    assert after == pytest.approx(before[:, [LABELS.index(label) for label in labels]], abs=1e-6)


@FEW
@given(ANSWERS, st.data())
def test_an_answer_given_twice_counts_once(answers: list[Answer], data: st.DataObject) -> None:
    twice = data.draw(st.lists(st.sampled_from(answers)))
    assert same(votes(answers, LABELS), votes(answers + twice, LABELS))


@FEW
@given(ANSWERS)
def test_an_annotator_without_answers_changes_nothing(answers: list[Answer]) -> None:
    said = votes(answers, LABELS)
    more = replace(said, annotators=[*said.annotators, "nobody"])
    assert np.array_equal(dawid_skene(said).posterior, dawid_skene(more).posterior)


# -- what is refused


def test_an_unknown_label_is_named() -> None:
    with pytest.raises(ValueError, match="'d' is not one of the labels: a, b, c"):
        votes([("i1", "ann", "d")], LABELS)


def test_two_answers_of_one_person_to_one_item_are_refused() -> None:
    with pytest.raises(ValueError, match="'ann' gave 'i1' two different answers"):
        votes([("i1", "ann", "a"), ("i2", "ann", "a"), ("i1", "ann", "b")], LABELS)


def same(one: Votes, other: Votes) -> bool:
    names = (one.items, one.annotators, one.labels) == (other.items, other.annotators, other.labels)
    columns = ("item", "annotator", "label")
    return names and all(np.array_equal(getattr(one, column), getattr(other, column)) for column in columns)
