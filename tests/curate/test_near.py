"""The exact join: against sets in plain Python, and the compiled kernel against numpy."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.curate import kernel
from bridge.curate.near import join, near_pairs, similarities
from bridge.curate.tokens import Engine, jaccard, passage, shingles, token_sets
from bridge.errors import UsageError

ENGINES: list[Engine] = ["numpy", "c"]
both_engines = pytest.mark.parametrize("engine", ENGINES)

# Few words, so that texts share many; of all the kinds that have rules of their own.
WORDS = [
    "a",
    "b",
    "c",
    "Ü",
    "İ",
    "ß",
    "E\u0301",
    "x_1",
    "don't",
    "我们",
    "กข",
    "ひら",
    "🎉",
    "{}",
    " ",
    "\u2028",
    "\ud83d",
]
some_texts = st.lists(st.lists(st.sampled_from(WORDS), max_size=10).map(" ".join), max_size=14)
thresholds = st.sampled_from([0.1, 0.3, 0.5, 2 / 3, 0.7, 0.8, 1.0])
lengths = st.integers(1, 4)


def brute_force(texts: list[str], threshold: float, n: int) -> list[tuple[int, int, float]]:
    sets = [shingles(text, n) for text in texts]
    pairs = [(i, j, jaccard(sets[i], sets[j])) for j in range(len(texts)) for i in range(j)]
    return sorted(pair for pair in pairs if pair[2] >= threshold)


@both_engines
@given(texts=some_texts, threshold=thresholds, n=lengths)
@settings(max_examples=60, deadline=None)
def test_the_pairs_are_those_of_a_double_loop_over_sets(
    engine: Engine, texts: list[str], threshold: float, n: int
) -> None:
    assert near_pairs(texts, threshold, n=n, engine=engine) == brute_force(texts, threshold, n)


@given(texts=some_texts, threshold=thresholds, n=lengths, data=st.data())
@settings(max_examples=60, deadline=None)
def test_both_engines_find_the_same_survivors_and_labels(
    texts: list[str], threshold: float, n: int, data: st.DataObject
) -> None:
    order = data.draw(st.permutations(range(len(texts))))
    first = data.draw(st.integers(0, len(texts)))
    left, right = (token_sets(texts, n, engine=engine) for engine in ENGINES)
    assert left.sizes.tolist() == right.sizes.tolist()
    greedy, compiled = (
        join(s, threshold, order=order, first=first, engine=e) for s, e in ((left, "numpy"), (right, "c"))
    )
    assert greedy.matches.tolist() == compiled.matches.tolist()
    assert greedy.scores.tolist() == compiled.scores.tolist()
    labels = [
        join(s, threshold, "components", order=order, engine=e).matches for s, e in ((left, "numpy"), (right, "c"))
    ]
    assert labels[0].tolist() == labels[1].tolist()


@both_engines
@given(texts=some_texts, threshold=thresholds, data=st.data())
@settings(max_examples=40, deadline=None)
def test_greedy_keeps_what_is_like_nothing_kept_before(
    engine: Engine, texts: list[str], threshold: float, data: st.DataObject
) -> None:
    order = data.draw(st.permutations(range(len(texts))))
    sets = [shingles(text) for text in texts]
    kept: list[int] = []
    expected = {}
    for index in order:
        similar = [(jaccard(sets[index], sets[other]), -place) for place, other in enumerate(kept)]
        score, place = max(similar, default=(0.0, 0))
        if score >= threshold:
            expected[index] = (kept[-place], score)
        else:
            kept.append(index)
    joined = join(token_sets(texts, engine=engine), threshold, order=order, engine=engine)
    found = zip(joined.matches.tolist(), joined.scores.tolist(), strict=True)
    assert {index: pair for index, pair in enumerate(found) if pair[0] >= 0} == expected


@both_engines
@given(texts=some_texts, threshold=thresholds, data=st.data())
@settings(max_examples=40, deadline=None)
def test_components_do_not_depend_on_the_order(
    engine: Engine, texts: list[str], threshold: float, data: st.DataObject
) -> None:
    order = data.draw(st.permutations(range(len(texts))))
    sets = token_sets(texts, engine=engine)
    labels = join(sets, threshold, "components", order=order, engine=engine).matches
    groups: dict[int, int] = {}
    for left, right, _ in brute_force(texts, threshold, 3):
        merged = {groups.get(left, left), groups.get(right, right)}
        groups |= {i: min(merged) for i in range(len(texts)) if groups.get(i, i) in merged}
    together = {frozenset(np.flatnonzero(labels == label).tolist()) for label in labels.tolist()}
    of_brute_force: dict[int, set[int]] = {}
    for index in range(len(texts)):
        of_brute_force.setdefault(groups.get(index, index), set()).add(index)
    assert together == set(map(frozenset, of_brute_force.values()))
    assert all(order.index(label) <= order.index(index) for index, label in enumerate(labels.tolist()))


def test_the_kernel_knows_the_words_of_every_character() -> None:
    every = [chr(point) for point in range(0x110000)]
    table = kernel._classes()
    word = re.compile(r"\w")
    assert [bool(word.match(char)) for char in every] == [kind in (1, 2) for kind in table]
    assert [char.isspace() for char in every] == [kind == 3 for kind in table]


@both_engines
class TestUnusualTexts:
    def test_no_texts(self, engine: Engine) -> None:
        assert near_pairs([], engine=engine) == []

    def test_one_text(self, engine: Engine) -> None:
        assert near_pairs(["alone"], engine=engine) == []

    def test_all_identical(self, engine: Engine) -> None:
        joined = join(token_sets(["the same text for everybody"] * 500, engine=engine), 0.7, engine=engine)
        assert joined.matches.tolist() == [-1] + [0] * 499
        joined = join(
            token_sets(["the same text for everybody"] * 500, engine=engine), 0.7, "components", engine=engine
        )
        assert joined.matches.tolist() == [0] * 500

    def test_empty_texts_match_nothing_not_even_each_other(self, engine: Engine) -> None:
        assert near_pairs(["", " \n", ""], engine=engine) == []

    def test_one_huge_text(self, engine: Engine) -> None:
        huge = " ".join(f"w{number % 5000}" for number in range(200_000))
        assert near_pairs(["a b c", huge, huge + " end"], engine=engine)[0][:2] == (1, 2)

    def test_emoji(self, engine: Engine) -> None:
        assert near_pairs(["🎉🎊🎈🎁🎂", "🎉🎊🎈🎁🎂🎀", "🐶🐱🐭🐹🐰"], 0.7, engine=engine) == [(0, 1, 0.75)]

    def test_chinese(self, engine: Engine) -> None:
        texts = ["今天天气很好我们去公园散步吧", "今天天气很好,我们去公园散步!", "他昨天买了一本新书"]
        assert [pair[:2] for pair in near_pairs(texts, 0.7, engine=engine)] == [(0, 1)]

    def test_code(self, engine: Engine) -> None:
        texts = ["for (i = 0; i < n; i++) { sum += a[i]; }", "for(i=0;i<n;i++){sum+=a[i];}", "while (n) { n -= 1; }"]
        assert near_pairs(texts, engine=engine) == [(0, 1, 1.0)]

    def test_brackets_only(self, engine: Engine) -> None:
        assert near_pairs(["{}[]()", "{ } [ ] ( )", "<>"], engine=engine) == [(0, 1, 1.0)]

    def test_a_text_shorter_than_a_shingle_is_one(self, engine: Engine) -> None:
        assert near_pairs(["Yes.", "yes!", "Yes sir", "no"], engine=engine) == [(0, 1, 1.0)]

    def test_capitals_beyond_ascii(self, engine: Engine) -> None:
        assert near_pairs(["ÉCOLE PRIMAIRE À LYON", "école primaire à lyon"], engine=engine) == [(0, 1, 1.0)]

    def test_composed_and_decomposed(self, engine: Engine) -> None:
        assert near_pairs(["un caf\u00e9 noir", "un cafe\u0301 noir"], engine=engine) == [(0, 1, 1.0)]


def test_words_side_by_side_in_64_bits_and_replaced_by_numbers_are_the_same() -> None:
    texts = [" ".join(f"w{(i * 7 + j * j) % 900}" for j in range(9)) for i in range(120)]
    for n in (3, 7, 16):  # 10 bits a word: 16 words need two tables
        assert near_pairs(texts, 0.2, n=n, engine="numpy") == brute_force(texts, 0.2, n)


def test_similarities_of_given_pairs() -> None:
    texts = ["a b c d e", "a b c d f", "a b c x y", "z"]
    left, right = np.array([0, 0, 0, 3]), np.array([1, 2, 3, 3])
    sets = [shingles(text) for text in texts]
    expected = [jaccard(sets[i], sets[j]) for i, j in zip(left[:3], right[:3], strict=True)]
    assert similarities(token_sets(texts), left, right)[:3].tolist() == expected


@pytest.mark.parametrize("threshold", [0, -1, 1.01, float("nan")])
def test_what_is_no_threshold_is_refused(threshold: float) -> None:
    with pytest.raises(UsageError, match="above 0, at most 1"):
        near_pairs(["a"], threshold)


def test_shingles_of_no_words_are_refused() -> None:
    with pytest.raises(UsageError, match="1 to 16"):
        token_sets(["a"], 0)


class TestPassage:
    def test_it_stands_as_in_the_first_text(self) -> None:
        assert passage("So: Who wrote\n'Faust', and when?", "who wrote faust? and where") == "Who wrote\n'Faust', and"

    def test_texts_with_nothing_in_common(self) -> None:
        assert passage("one", "two") == ""

    def test_letters_whose_lower_case_is_longer(self) -> None:
        assert passage("In İstanbul we met", "in İstanbul") == "In İstanbul"


class TestWithoutAKernel:
    @pytest.fixture(autouse=True)
    def none(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> object:
        monkeypatch.setattr(kernel, "LIBRARY", tmp_path / "none.so")
        kernel.library.cache_clear()
        yield
        kernel.library.cache_clear()

    def test_numpy_does_the_work(self) -> None:
        assert near_pairs(["a b c", "a b c!"]) == [(0, 1, 1.0)]

    def test_asking_for_it_says_what_to_do(self) -> None:
        with pytest.raises(UsageError, match="install a C compiler") as refused:
            near_pairs(["a"], engine="c")
        assert "not there" in refused.value.reason

    def test_a_damaged_one_is_none(self, tmp_path: Path) -> None:
        (tmp_path / "none.so").write_bytes(b"\x7fELF" + b"\0" * 100)
        assert near_pairs(["a b c", "a b c!"]) == [(0, 1, 1.0)]


def test_an_unknown_engine_is_refused() -> None:
    with pytest.raises(UsageError, match="engine 'fast'"):
        near_pairs(["a"], engine="fast")  # type: ignore[arg-type]


@pytest.mark.parametrize("compiler", ["no-such-compiler-anywhere", "false"])
def test_a_build_without_a_working_compiler_says_so_and_goes_on(
    hatch_build: ModuleType, tmp_path: Path, compiler: str
) -> None:
    assert hatch_build.compile_kernel(tmp_path / "k.so", compiler=compiler) != ""
    assert list(tmp_path.iterdir()) == []
