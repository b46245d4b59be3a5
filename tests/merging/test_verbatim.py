"""Rankings, passages and texts that are always the same, or just those of somebody else; and who is not accused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bridge.merging.compared import Given
from bridge.merging.verbatim import verbatim
from bridge.templates import load_template

TEXT = load_template("rewrite").questions[0]
SPANS = load_template("span_errors").question("errors")
RANKING = load_template("ranking").question("ranking")
PEOPLE = ["ann", "bo", "cy", "di"]


def found(question: Any, given: list[Given], **more: Any) -> list[tuple[str, ...]]:
    return [(doubt.kind, *doubt.annotators) for doubt in verbatim(question, given, **more)]


def copy(given: list[Given], of: str) -> list[Given]:
    return [(record, "zoe", value) for record, who, value in given if who == of]


def texts(records: int = 30, *, same: float = 0.0, seed: int = 0) -> list[Given]:
    """Everybody rewrites every record in words of their own, or with some probability in the obvious way."""
    rng = np.random.default_rng(seed)
    return [
        (f"r{n}", who, f"the text {n}" if rng.random() < same else f"the text {n} in words of {who}")
        for n in range(records)
        for who in PEOPLE
    ]


def spans(records: int = 40, *, sure: float = 0.5, seed: int = 0) -> list[Given]:
    """Everybody marks the passage with some probability, else another one or nothing."""
    rng = np.random.default_rng(seed)
    marks = []
    for n in range(records):
        for who in PEOPLE:
            start = n if rng.random() < sure else int(rng.integers(100, 200))
            marked = rng.random() < 0.9
            marks.append((f"r{n}", who, [{"start": start, "end": start + 5, "label": "factual"}] if marked else []))
    return marks


def rankings(records: int = 100, *, sure: float = 0.7, seed: int = 0) -> list[Given]:
    rng = np.random.default_rng(seed)
    given = []
    for n in range(records):
        true = rng.permutation(3)
        for who in PEOPLE:
            order = true if rng.random() < sure else rng.permutation(3)
            given.append((f"r{n}", who, {f"response_{m + 1}": int(rank) + 1 for m, rank in enumerate(order)}))
    return given


MADE = [(TEXT, texts()), (TEXT, texts(same=0.6)), (SPANS, spans()), (RANKING, rankings())]


@pytest.mark.parametrize(("question", "given"), MADE)
def test_a_copy_is_named_and_nobody_else(question: Any, given: list[Given]) -> None:
    assert found(question, given) == []
    assert found(question, given + copy(given, "bo")) == [("copied_answers", "bo", "zoe")]


def test_nineteen_texts_are_too_few_to_tell() -> None:
    given = texts(19)
    assert found(TEXT, given + copy(given, "bo")) == []


@pytest.mark.parametrize("seed", range(5))
def test_people_who_mend_what_is_obvious_do_not_copy(seed: int) -> None:
    assert found(TEXT, texts(100, same=1.0, seed=seed)) == []
    assert found(TEXT, texts(100, same=0.95, seed=seed)) == []
    assert found(SPANS, spans(100, sure=0.97, seed=seed)) == []
    assert found(RANKING, rankings(200, sure=0.97, seed=seed)) == []


def test_two_who_leave_most_texts_as_they_were_do_not_copy() -> None:
    given = texts(60)
    given += [(f"r{n}", who, f"the text {n}" if n % 9 else f"{who} {n}") for n in range(60) for who in ("eve", "flo")]
    originals = {f"r{n}": f"the  text {n}\n" for n in range(60)}
    assert found(TEXT, given, originals=originals) == []


def test_the_same_text_again_and_again_is_named() -> None:
    given = texts() + [(f"r{n}", "zoe", "ok") for n in range(30)]
    (doubt,) = verbatim(TEXT, given)
    assert (doubt.kind, doubt.annotators, doubt.evidence["label"]) == ("constant_annotator", ("zoe",), "ok")


def test_who_never_changes_a_text_that_all_others_change_is_named() -> None:
    given = texts() + [(f"r{n}", "zoe", f"the text {n}") for n in range(30)]
    originals = {f"r{n}": f"the text {n}" for n in range(30)}
    (doubt,) = verbatim(TEXT, given, originals)
    assert (doubt.kind, doubt.annotators, doubt.evidence["label"]) == ("constant_annotator", ("zoe",), "no change")


def test_who_never_marks_anything_is_named() -> None:
    given = spans() + [(f"r{n}", "zoe", []) for n in range(40)]
    (doubt,) = verbatim(SPANS, given)
    assert (doubt.kind, doubt.annotators, doubt.evidence["label"]) == ("constant_annotator", ("zoe",), "nothing")


def test_the_same_order_again_and_again_is_named() -> None:
    order = {"response_1": 2, "response_2": 3, "response_3": 1}
    given = rankings() + [(f"r{n}", "zoe", order) for n in range(100)]
    (doubt,) = verbatim(RANKING, given)
    assert (doubt.kind, doubt.annotators) == ("constant_annotator", ("zoe",))
    assert doubt.evidence["label"] == "response_1=2 response_2=3 response_3=1"


def test_names_do_not_matter() -> None:
    given = texts() + copy(texts(), "bo")
    new = dict(zip([*PEOPLE, "zoe"], ["5", "3", "1", "4", "2"], strict=True))
    assert found(TEXT, [(record, new[who], value) for record, who, value in given]) == [("copied_answers", "2", "3")]
