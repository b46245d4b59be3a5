"""Who is said to answer always the same or to copy, and who is not although it may look so."""

from __future__ import annotations

import numpy as np
import pytest

from bridge.merging.doubt import Doubt
from bridge.merging.suspects import suspects
from tests.merging.labelled import Answer, always, cast, crowd, published, right


def found(answers: list[Answer], truth: dict[str, str]) -> set[tuple[str, ...]]:
    """Kind and names of each doubt."""
    return {(doubt.kind, *doubt.annotators) for doubt in doubts(answers, truth)}


def doubts(answers: list[Answer], truth: dict[str, str]) -> list[Doubt]:
    return suspects(cast(answers, truth)[0])


def copy(answers: list[Answer], of: str, who: str = "copy", *, slips: int = 0) -> list[Answer]:
    """The same answers by somebody else, the first few of them different."""
    theirs = sorted(answer for answer in answers if answer[1] == of)
    return [(item, who, "10"[int(label)] if n < slips else label) for n, (item, _, label) in enumerate(theirs)]


# -- always the same


def test_somebody_who_always_says_the_same_is_named_with_figures() -> None:
    answers, truth = crowd({f"p{n}": right(0.8) for n in range(4)} | {"lazy": always(1)}, 200)
    (doubt,) = doubts(answers, truth)
    assert (doubt.kind, doubt.annotators) == ("constant_annotator", ("lazy",))
    assert doubt.means.startswith("lazy answered '1' in 200 of 200 answers, and in ")
    assert (doubt.evidence["label"], doubt.evidence["answers"], doubt.evidence["same"]) == ("1", 200, 200)
    assert doubt.evidence["against_others"] == doubt.evidence["of"] > 50


def test_two_who_always_say_the_same_do_not_hide_each_other_and_do_not_copy() -> None:
    people = {f"p{n}": right(0.8) for n in range(3)} | {"lazy": always(1), "lazier": always(1)}
    assert found(*crowd(people, 200)) == {("constant_annotator", "lazy"), ("constant_annotator", "lazier")}


def test_a_slip_in_forty_answers_does_not_hide_it() -> None:
    answers, truth = crowd({f"p{n}": right(0.8) for n in range(4)}, 200)
    lazy = [(item, "lazy", "0" if n % 40 == 39 else "1") for n, item in enumerate(sorted(truth))]
    assert found(answers + lazy, truth) == {("constant_annotator", "lazy")}


def test_nine_answers_are_too_few_to_tell() -> None:
    answers, truth = crowd({f"p{n}": right(0.95) for n in range(5)}, 200)
    some = [item for item, true in sorted(truth.items()) if true == "0"]
    assert not found([*answers, *((item, "new", "1") for item in some[:9])], truth)
    assert found([*answers, *((item, "new", "1") for item in some[:15])], truth) == {("constant_annotator", "new")}


@pytest.mark.parametrize("rare", [0.0, 0.01, 0.03])
@pytest.mark.parametrize("seed", range(3))
def test_where_nearly_all_items_have_one_label_nobody_is_accused_of_saying_it(rare: float, seed: int) -> None:
    people = {f"p{n}": right(skill) for n, skill in enumerate((0.85, 0.9, 0.95, 0.99, 1.0, 1.0))}
    assert not found(*crowd(people, 300, each=3, shares=(1 - rare, rare), seed=seed))


def test_cautious_is_not_constant() -> None:
    """In the published set some people hardly ever say yes, but where they do, they are right; and some never do."""
    answers, truth = published("d_product")
    named = {doubt.annotators[0] for doubt in doubts(answers, truth)}
    assert named == {"112", "162", "17", "21", "32", "62"}
    assert not named & {"172", "26", "72"}  # 12 percent of all answers are those of 172


# -- copies


@pytest.mark.parametrize("slips", [0, 3])
def test_a_copy_is_named_with_figures(slips: int) -> None:
    answers, truth = crowd({f"p{n}": right(0.8) for n in range(4)}, 300)
    (doubt,) = doubts(answers + copy(answers, "p2", slips=slips), truth)
    assert (doubt.kind, doubt.annotators) == ("copied_answers", ("copy", "p2"))
    assert (doubt.evidence["common"], doubt.evidence["same"]) == (300, 300 - slips)
    assert 0.6 < doubt.evidence["expected"] < 0.9


def test_copies_of_a_part_of_the_answers_are_named() -> None:
    answers, truth = crowd({f"p{n:02}": right(0.75) for n in range(12)}, 600, each=4)
    assert found(answers + copy(answers, "p05"), truth) == {("copied_answers", "copy", "p05")}


def test_two_who_copy_and_are_nearly_always_wrong_are_named() -> None:
    answers, truth = crowd({f"p{n:02}": right(0.8) for n in range(30)} | {"bad": right(0.1)}, 300, each=10)
    whole = [(item, "bad", "10"[int(true)] if n % 9 else true) for n, (item, true) in enumerate(sorted(truth.items()))]
    answers = [answer for answer in answers if answer[1] != "bad"] + whole
    assert found(answers + copy(answers, "bad"), truth) == {("copied_answers", "bad", "copy")}


def test_of_three_people_a_copy_is_named_only_if_the_third_says_something() -> None:
    answers, truth = crowd({"ann": right(0.8), "bo": right(0.8)}, 300)
    assert found(answers + copy(answers, "bo"), truth) == {("copied_answers", "bo", "copy")}
    experts, truth = crowd({"ann": right(1.0), "bo": right(1.0), "wild": right(0.5)}, 300)
    assert not found(experts, truth)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("others", [(0.97, 0.98, 0.99), (0.7, 0.8, 0.9), (0.5, 0.9, 0.9, 0.9)])
def test_two_excellent_people_are_not_accused(others: tuple[float, ...], seed: int) -> None:
    people = {f"p{n}": right(skill) for n, skill in enumerate(others)} | {"ann": right(0.995), "bo": right(0.995)}
    assert not found(*crowd(people, 400, seed=seed))


@pytest.mark.parametrize("labels", [2, 4])
def test_a_crowd_of_excellent_people_beside_some_who_say_anything_is_not_accused(labels: int) -> None:
    people = {f"p{n:02}": right(0.99, labels) for n in range(14)} | {
        f"s{n}": right(1 / labels, labels) for n in range(6)
    }
    assert not found(*crowd(people, 1000, each=5, shares=(1 / labels,) * labels))


@pytest.mark.parametrize("name", ["rte", "d_sentiment", "cf"])
def test_published_crowds_hold_no_copies(name: str) -> None:
    assert not [doubt for doubt in doubts(*published(name)) if doubt.kind == "copied_answers"]


def test_nineteen_common_items_are_too_few_to_tell() -> None:
    answers, truth = crowd({f"p{n}": right(0.7) for n in range(5)}, 300)
    assert not found(answers + copy(answers, "p1")[:19], truth)


def test_people_who_all_answer_everything_are_compared_alike() -> None:
    """Pairs are counted in another way where most people answer most items."""
    some, truth = crowd({f"p{n:02}": right(0.75) for n in range(30)}, 200, each=3, seed=1)
    everything, _ = crowd({f"p{n:02}": right(0.75) for n in range(30)}, 200, seed=1)
    for answers in (some + copy(everything, "p03"), everything + copy(everything, "p03")):
        pairs = {name for doubt in doubts(answers, truth) for name in doubt.annotators}
        assert pairs <= {"copy", "p03"}
    assert found(everything + copy(everything, "p03"), truth) == {("copied_answers", "copy", "p03")}


def test_no_answers_no_suspects() -> None:
    assert not doubts([], {"i1": "0"})


def test_names_do_not_matter() -> None:
    answers, truth = crowd({f"p{n}": right(0.8) for n in range(4)} | {"lazy": always(1)}, 200)
    answers += copy(answers, "p0")
    names = {who: f"n{number}" for number, who in enumerate(np.random.default_rng(1).permutation([*"pqrstu"]))}
    other = dict(zip(sorted({who for _, who, _ in answers}), names.values(), strict=True))
    renamed = found([(item, other[who], label) for item, who, label in answers], truth)
    assert renamed == {(kind, *sorted(other[who] for who in people)) for kind, *people in found(answers, truth)}
