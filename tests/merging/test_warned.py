"""What a merge itself says of the answers it rests on, by majority too: what cannot be compared, and whom to doubt."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from bridge.annotations import Annotation
from bridge.merging import merge
from bridge.merging.agreement import agreement
from bridge.merging.settle import settle
from bridge.templates import load_template
from tests.merging.crowds import Answering, crowd, rating, skilled

HONEST = {f"p{n}": skilled(0.75 + n / 40) for n in range(6)}
ALWAYS: Answering = lambda rng, truth, along: "correct"  # noqa: E731
LABEL = load_template("label")


def warned(annotations: list[Annotation], template: str = "label") -> list[tuple[str, tuple[str, ...]]]:
    found = merge(annotations, load_template(template)).warnings
    assert all(doubt.means and doubt.remedy and doubt.question == template for doubt in found)
    # The report on agreement says the same, so that the manifest of an export says it once.
    assert not [doubt for doubt in found if doubt not in agreement(annotations, load_template(template)).warnings]
    return [(doubt.kind, doubt.annotators) for doubt in found]


def copied(annotations: list[Annotation], of: str) -> list[Annotation]:
    return [replace(answer, annotator="zoe") for answer in annotations if answer.annotator == of]


def test_nothing_is_said_of_honest_people() -> None:
    assert warned(crowd(HONEST)[0]) == []


def test_somebody_who_always_says_the_same_is_named() -> None:
    assert warned(crowd({**HONEST, "zoe": ALWAYS})[0]) == [("constant_annotator", ("zoe",))]


def test_two_of_whom_one_copies_are_named() -> None:
    annotations = crowd(HONEST)[0]
    assert warned(annotations + copied(annotations, "p0")) == [("copied_answers", ("p0", "zoe"))]


def test_ratings_that_are_copied_are_named() -> None:
    annotations = crowd({f"p{n}": rating(0.8) for n in range(5)}, question="rating")[0]
    assert warned(annotations + copied(annotations, "p0"), "rating") == [("copied_answers", ("p0", "zoe"))]


def test_one_person_alone() -> None:
    annotations = [Annotation(f"r{n}", "ann", answers={"label": "correct"}) for n in range(5)]
    assert warned(annotations) == [("single_annotator", ())]


def test_twenty_records_are_too_few_to_tell_agreement_from_chance() -> None:
    assert warned(crowd({who: skilled(0.4) for who in ("ann", "bo")}, records=20, each=2)[0]) == [
        ("too_few_records", ())
    ]


def test_people_who_guess() -> None:
    assert warned(crowd({f"p{n}": skilled(0.0) for n in range(5)})[0]) == [("chance_level", ())]


def test_where_most_people_always_say_the_same_nobody_can_tell_who_is_right_but_there_is_no_agreement() -> None:
    people = {f"p{n}": skilled(0.8) for n in range(3)} | {f"z{n}": ALWAYS for n in range(5)}
    assert warned(crowd(people, records=200, each=8)[0]) == [("chance_level", ())]


def test_one_answer_to_each_record() -> None:
    annotations = [Annotation(f"r{n}", f"p{n}", answers={"label": "correct"}) for n in range(5)]
    assert warned(annotations) == [("one_answer_only", ())]


def test_that_one_adjudicator_decides_alone_is_not_said() -> None:
    split = [Annotation("r1", who, answers={"label": label}) for who, label in (("a", "correct"), ("b", "incorrect"))]
    decided = merge([Annotation("r1", "cy", answers={"label": "correct"})], LABEL)
    assert [doubt.kind for doubt in decided.warnings] == ["single_annotator"]
    before = merge(split, LABEL)
    assert settle(before, decided, LABEL).warnings == before.warnings


def test_a_model_says_whom_it_did_not_ask_and_the_warning_who_that_is() -> None:
    uneven = {f"p{n}": skilled(skill) for n, skill in enumerate((0.95, 0.9, 0.4, 0.3, 0.2, 0.5))}
    annotations = crowd(uneven, records=400, each=6)[0]
    annotations += [Annotation(f"r{n:04}", "zoe", answers={"label": "correct"}) for n in range(200)]
    annotations += [Annotation(f"new {n}", "zoe", answers={"label": "correct"}) for n in range(5)]
    result = merge(annotations, LABEL, method="dawid-skene")
    told = result.rule["questions"]["label"]
    assert (told["used"], told["left_out"]) == (True, ["zoe"])
    assert [(doubt.kind, doubt.annotators) for doubt in result.warnings] == [("constant_annotator", ("zoe",))]
    answers = {merged.record: merged.answers["label"] for merged in result.kept}
    assert answers["r0001"].annotators["zoe"] == "correct"  # there for all to see
    assert "posterior" in answers["r0001"].details
    assert (answers["new 1"].value, "posterior" in answers["new 1"].details) == ("correct", False)


@given(st.permutations([*HONEST, "zoe"]), st.integers(0, 2**32))
def test_neither_names_nor_order_decide_who_is_named(names: list[str], seed: int) -> None:
    annotations = crowd({**HONEST, "zoe": ALWAYS}, records=60)[0]
    new = dict(zip([*HONEST, "zoe"], names, strict=True))
    renamed = [replace(answer, annotator=new[answer.annotator]) for answer in annotations]
    cut = seed % len(renamed)
    (doubt,) = merge(renamed[cut:] + renamed[:cut], LABEL).warnings
    assert (doubt.kind, doubt.annotators) == ("constant_annotator", (new["zoe"],))
