"""Semantic duplicates: exact whatever the blocks, a judge who has the last word, and nothing from a network."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bridge.curate.duplicates import duplicates
from bridge.curate.semantic import cascade, cosine_pairs, load_encoder
from bridge.errors import UsageError
from bridge.records import Record

vectors = st.lists(st.lists(st.integers(-3, 3), min_size=3, max_size=3), max_size=14)
thresholds = st.sampled_from([0.5, 0.8, 0.9, 1.0])


def cosine(left: Sequence[float], right: Sequence[float]) -> float:
    a, b = np.array(left, float), np.array(right, float)
    lengths = np.linalg.norm(a) * np.linalg.norm(b)
    return round(float(a @ b / lengths), 6) if lengths else 0.0


class Table:
    """An encoder that looks texts up, and remembers which it was asked for."""

    def __init__(self, rows: Sequence[Sequence[float]]) -> None:
        self.rows = rows
        self.asked: list[str] = []

    def encode(self, texts: list[str]) -> NDArray[np.float32]:
        self.asked += texts
        return np.array([self.rows[int(text)] for text in texts], np.float32)


@given(rows=vectors, threshold=thresholds, block=st.integers(1, 5))
@settings(max_examples=80, deadline=None)
def test_the_pairs_are_those_of_a_double_loop(rows: list[list[int]], threshold: float, block: int) -> None:
    expected = {(i, j) for j in range(len(rows)) for i in range(j) if cosine(rows[i], rows[j]) >= threshold}
    found = list(cosine_pairs(np.array(rows, np.float32).reshape(-1, 3), threshold, block=block))
    assert {(left, right) for left, right, _ in found} == expected
    assert len(found) == len(expected)
    assert all(abs(score - cosine(rows[left], rows[right])) < 2e-6 for left, right, score in found)


@given(static=vectors, seed=st.integers(0, 9), threshold=thresholds, block=st.integers(1, 5), data=st.data())
@settings(max_examples=80, deadline=None)
def test_the_cascade_keeps_what_both_find_like_nothing_kept_before(
    static: list[list[int]], seed: int, threshold: float, block: int, data: st.DataObject
) -> None:
    count = len(static)
    judge = np.random.default_rng(seed).integers(-2, 3, (count, 3)).tolist()
    order = data.draw(st.permutations(range(count)))
    kept: list[int] = []
    expected = {}
    for index in order:
        similar = [
            (cosine(judge[index], judge[other]), -place)
            for place, other in enumerate(kept)
            if cosine(static[index], static[other]) >= 0.6
        ]
        score, place = max(similar, default=(0.0, 0))
        if score >= threshold:
            expected[index] = kept[-place]
        else:
            kept.append(index)
    texts = [str(number) for number in range(count)]
    found = cascade(
        texts, Table(static), Table(judge), threshold=threshold, static_threshold=0.6, order=order, block=block
    )
    assert {index: match for index, (match, _) in found.items()} == expected


def test_the_judge_sees_only_what_the_static_encoder_finds_alike() -> None:
    static, judge = Table([[1, 0], [1, 0.1], [0, 1]]), Table([[1, 0], [0, 1], [1, 1]])
    assert cascade(["0", "1", "2"], static, judge) == {}
    assert (static.asked, judge.asked) == (["0", "1", "2"], ["0", "1"])


def test_each_encoder_can_decide_alone() -> None:
    rows = [[1, 0], [1, 0.1], [0, 1]]
    assert cascade(["0", "1", "2"], Table(rows)).keys() == {1}
    assert cascade(["0", "1", "2"], None, Table(rows)).keys() == {1}


def test_blank_texts_are_like_nothing_and_are_not_embedded() -> None:
    table = Table([[1, 0], [1, 0]])
    assert cascade(["", "0", " \n", ""], table) == {}
    assert table.asked == ["0"]


def test_records_are_dropped_with_their_similarity() -> None:
    rows = [Record(f"r{n}", {"prompt": str(n)}) for n in range(3)]
    found = duplicates(rows, method="semantic", static=Table([[1, 0], [1, 0.1], [0, 1]]))
    assert [case.to_dict() for case in found.dropped] == [
        {"key": "r1", "step": "dedup", "rule": "semantic", "score": 0.995, "kept": "r0", "detail": {}}
    ]
    assert found.why == {"semantic": 1}


def test_no_records_and_one() -> None:
    assert duplicates([], method="semantic", static=Table([])).kept == []
    assert len(duplicates([Record("a", {"prompt": "0"})], method="semantic", static=Table([[1.0]])).kept) == 1


class TestErrors:
    def test_no_encoder(self) -> None:
        with pytest.raises(UsageError, match="there is no encoder") as refused:
            duplicates([Record("a", {"prompt": "x"})], method="semantic")
        assert "folder with a model" in refused.value.remedy

    def test_an_encoder_that_answers_something_else(self) -> None:
        class Odd:
            def encode(self, texts: list[str]) -> list[float]:
                return [1.0] * len(texts)

        with pytest.raises(UsageError, match="one vector for each text"):
            cascade(["a"], Odd())

    def test_an_encoder_that_answers_no_numbers(self) -> None:
        with pytest.raises(UsageError, match="numbers that are none"):
            cascade(["0"], Table([[float("nan"), 1.0]]))

    def test_no_threshold(self) -> None:
        with pytest.raises(UsageError, match="above 0"):
            cascade(["0"], Table([[1.0]]), threshold=0)


class TestModels:
    def test_a_folder_without_a_model(self, tmp_path: Path) -> None:
        for path in (tmp_path, tmp_path / "none", "minishlab/potion-base-8M"):
            with pytest.raises(UsageError, match="none is fetched"):
                load_encoder(path)

    def test_a_static_model_of_this_machine(self, tmp_path: Path) -> None:
        from model2vec import StaticModel
        from tokenizers import Tokenizer
        from tokenizers.models import WordLevel
        from tokenizers.pre_tokenizers import Whitespace

        words = ["[UNK]", "[PAD]", "cat", "dog", "sat"]
        tokenizer = Tokenizer(WordLevel({word: place for place, word in enumerate(words)}, unk_token="[UNK]"))
        tokenizer.pre_tokenizer = Whitespace()
        StaticModel(np.eye(len(words), 4, dtype=np.float32), tokenizer).save_pretrained(tmp_path)
        found = cascade(["cat sat", "sat cat", "dog"], load_encoder(tmp_path))
        assert found.keys() == {1}

    def test_without_the_extra(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "config.json").write_text("{}")
        monkeypatch.setitem(sys.modules, "model2vec", None)
        with pytest.raises(UsageError, match=r"annobridge\[semantic\]"):
            load_encoder(tmp_path)
        (tmp_path / "modules.json").write_text("[]")
        (tmp_path / "config_sentence_transformers.json").write_text("{}")
        monkeypatch.setitem(sys.modules, "sentence_transformers", None)
        with pytest.raises(UsageError, match="pip install sentence-transformers"):
            load_encoder(tmp_path)
