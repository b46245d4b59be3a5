"""What is chosen from all pairs is what a search that compares in turns chooses."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.curate import partitioned
from bridge.curate.near import join, near_pairs
from bridge.curate.partitioned import Pairs, hashed, ordered, prefixes, scores
from bridge.curate.tokens import jaccard, shingles, token_sets

words = st.sampled_from(["a", "b", "c", "d", "走", "é", "Straße", "\ud800", "!", ""])
some_texts = st.lists(st.lists(words, max_size=8).map(" ".join), min_size=1, max_size=14)
thresholds = st.sampled_from([0.2, 0.5, 0.7, 0.75, 1.0])
lengths = st.integers(1, 4)


def groups_and_pairs(texts: list[str], threshold: float, n: int) -> tuple[np.ndarray, Pairs]:
    """To each text the first of the same words, and all pairs of these."""
    digests = hashed(texts, n, b"key").digests
    groups = [index if digest is None else digests.index(digest) for index, digest in enumerate(digests)]
    found = [(i, j, s) for i, j, s in near_pairs(texts, threshold, n=n) if groups[i] == i and groups[j] == j]
    left, right, score = zip(*found, strict=True) if found else ((), (), ())
    return np.array(groups, np.int64), Pairs(np.array(left, np.int64), np.array(right, np.int64), np.array(score))


@given(texts=some_texts, threshold=thresholds, n=lengths, data=st.data())
@settings(max_examples=50, deadline=None)
def test_greedy_is_the_greedy_join(texts: list[str], threshold: float, n: int, data: st.DataObject) -> None:
    order = np.array(data.draw(st.permutations(range(len(texts)))), np.int64)
    joined = join(token_sets(texts, n), threshold, order=order)
    expected = {i: (m, s) for i, (m, s) in enumerate(zip(joined.matches, joined.scores, strict=True)) if m >= 0}
    assert partitioned.greedy(order, *groups_and_pairs(texts, threshold, n)) == expected


@given(texts=some_texts, threshold=thresholds, n=lengths, data=st.data())
@settings(max_examples=50, deadline=None)
def test_components_are_those_of_the_join(texts: list[str], threshold: float, n: int, data: st.DataObject) -> None:
    order = np.array(data.draw(st.permutations(range(len(texts)))), np.int64)
    joined = join(token_sets(texts, n), threshold, "components", order=order)
    found = partitioned.components(order, *groups_and_pairs(texts, threshold, n))
    assert [found.get(index, index) for index in range(len(texts))] == joined.matches.tolist()


@given(texts=some_texts, n=lengths)
@settings(max_examples=50, deadline=None)
def test_codes_are_the_same_for_the_same_shingles_whatever_stands_beside_them(texts: list[str], n: int) -> None:
    together = hashed(texts, n, b"key")
    sets = np.split(together.codes, np.cumsum(together.sizes)[:-1])
    alone = [hashed([text], n, b"key") for text in texts]
    assert [found.tolist() for found in sets] == [one.codes.tolist() for one in alone]
    assert together.digests == [one.digests[0] for one in alone]
    for left, mine in zip(texts, sets, strict=True):
        for right, theirs in zip(texts, sets, strict=True):
            assert len(np.intersect1d(mine, theirs)) == len(shingles(left, n) & shingles(right, n))


@given(texts=some_texts, threshold=thresholds, n=lengths, frequent=st.integers(0, 5))
@settings(max_examples=50, deadline=None)
def test_prefixes_of_similar_texts_meet(texts: list[str], threshold: float, n: int, frequent: int) -> None:
    """Whichever shingles have a place in the order."""
    found = hashed(texts, n, b"key")
    codes, counts = np.unique(found.codes, return_counts=True)
    shared = codes[counts > 1]
    for order in (ordered(shared, complete=True), ordered(shared[:frequent], complete=len(shared) <= frequent)):
        sizes, taken, _ = prefixes(found.sizes, found.codes, order, threshold)
        sets = [set(part.tolist()) for part in np.split(taken, np.cumsum(sizes)[:-1])]
        assert all(sets[left] & sets[right] for left, right, _ in near_pairs(texts, threshold, n=n))


def test_the_rarest_shingles_come_first() -> None:
    order = ordered(np.array([30, 10, 20], np.uint64), complete=False)
    _, taken, place = prefixes(np.array([4]), np.array([10, 20, 30, 40], np.uint64), order, 0.25)
    assert (taken.tolist(), place.tolist()) == ([40, 20, 10, 30], [0, 1, 2, 3])


def test_another_key_gives_other_codes() -> None:
    assert hashed(["a b c"], 3, b"one").codes.tolist() != hashed(["a b c"], 3, b"two").codes.tolist()


@given(some_texts, some_texts)
@settings(max_examples=20, deadline=None)
def test_scores_are_the_similarities_of_the_texts(left: list[str], right: list[str]) -> None:
    both = list(zip(left, right, strict=False))
    expected = [jaccard(shingles(one), shingles(other)) for one, other in both]
    assert scores([one for one, _ in both], [other for _, other in both], 3).tolist() == expected
