"""The novelty filter: exactly the texts whose ROUGE-L with the pool is under the threshold are new."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import UsageError
from bridge.generating.novelty import Match, Pool, rouge_l


def plain_rouge_l(left: list[str], right: list[str]) -> float:
    """By the textbook's table."""
    row = [0] * (len(right) + 1)
    for word in left:
        before = row
        row = [0]
        for at, other in enumerate(right):
            row.append(before[at] + 1 if word == other else max(before[at + 1], row[at]))
    return 2 * row[-1] / (len(left) + len(right)) if row[-1] else 0.0


texts = st.lists(st.sampled_from(["a", "b", "c", "d", "e"]), max_size=9)
pools = st.lists(texts, max_size=12)
thresholds = st.sampled_from([0.2, 0.5, 0.7, 2 / 3, 0.75, 0.9, 1.0])


@settings(max_examples=50)
@given(texts, texts)
def test_rouge_l_is_that_of_the_textbook(left: list[str], right: list[str]) -> None:
    assert rouge_l(" ".join(left), " ".join(right)) == plain_rouge_l(left, right)


@settings(max_examples=150)
@given(pools, texts, thresholds)
def test_the_most_similar_text_is_the_one_that_comparing_all_finds(
    pool: list[list[str]], text: list[str], threshold: float
) -> None:
    made = Pool(threshold)
    for number, other in enumerate(pool):
        made.add(str(number), " ".join(other))
    scores = [plain_rouge_l(text, other) for other in pool]
    best = max(scores, default=0.0)
    expected = Match(str(scores.index(best)), best) if best >= threshold else None
    assert made.nearest(" ".join(text)) == expected


@settings(max_examples=50)
@given(pools, thresholds)
def test_of_what_is_admitted_no_two_texts_are_alike_and_each_refused_one_is_like_the_one_it_names(
    offered: list[list[str]], threshold: float
) -> None:
    pool = Pool(threshold)
    admitted: dict[str, list[str]] = {}
    for number, text in enumerate(offered):
        match = pool.admit(str(number), " ".join(text))
        if match is None:
            assert all(plain_rouge_l(text, other) < threshold for other in admitted.values())
            admitted[str(number)] = text
        else:
            assert match.score == plain_rouge_l(text, admitted[match.name]) >= threshold
    assert len(pool) == len(admitted)


def test_a_score_of_exactly_the_threshold_is_not_new() -> None:
    pool = Pool(0.7)
    pool.add("seed", "a b c d e f g h i j")
    assert pool.nearest("a b c d e f g x y z") == Match("seed", 0.7)
    assert pool.nearest("a b c d e f w x y z") is None


def test_case_and_punctuation_do_not_make_a_text_new() -> None:
    pool = Pool()
    pool.add("seed", "Explain: what is a heap?")
    assert pool.nearest("explain what is a HEAP") == Match("seed", 1.0)


def test_words_of_scripts_without_spaces_are_characters() -> None:
    assert rouge_l("解释什么是堆", "解释什么是栈") == pytest.approx(5 / 6)


def test_a_text_without_words_is_like_nothing() -> None:
    pool = Pool()
    pool.add("seed", "")
    assert pool.nearest("") is None


@pytest.mark.parametrize("threshold", [0, -1, 1.01, float("nan")])
def test_a_threshold_that_is_no_similarity_is_refused(threshold: float) -> None:
    with pytest.raises(UsageError, match="not possible"):
        Pool(threshold)
