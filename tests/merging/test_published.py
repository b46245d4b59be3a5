"""Merges of published annotations give the values that others have published for them."""

from __future__ import annotations

import re

import pytest
from rapidfuzz.distance import Levenshtein

from bridge.annotations import Annotation
from bridge.merging import merge
from bridge.merging.kinds import merge_rating
from bridge.questions import RatingQuestion
from tests.merging.labelled import published
from tests.merging.published import asking, rows


def test_the_majorities_of_mlqe_where_abstaining_is_no_answer() -> None:
    expected = {row["item"]: {"NOT": "0", "ERR": "1"}[row["majority"]] for row in rows("mlqe_catastrophic_ende")}
    annotations = [
        Annotation(row["item"], who, answers={"q": row[who]})
        if row[who] in "01"
        else Annotation(row["item"], who, "discarded")
        for row in rows("mlqe_catastrophic_ende")
        for who in ("first", "second", "third")
    ]
    result = merge(annotations, asking(type="label", options=["0", "1"]))
    assert len(expected) == 1000
    assert {merged.record: merged.answers["q"].value for merged in result.kept} == expected


@pytest.mark.parametrize(
    ("name", "least", "left_out"),
    [
        ("rte", 0.9275, ["87"]),  # Zheng et al. 2017, their output files; .928 in Li's iBCC
        ("d_sentiment", 0.96, ["83"]),  # crowd-kit, JOSS 2024; .960 in Li's iBCC
        ("d_product", 0.9366, ["112", "162", "17", "21", "32", "62"]),  # Zheng et al.; .938 and .940 elsewhere
    ],
)
def test_the_accuracies_of_models_whoever_is_set_aside(name: str, least: float, left_out: list[str]) -> None:
    answers, truth = published(name)
    annotations = [Annotation(item, who, answers={"q": label}) for item, who, label in answers]
    template = asking(type="label", options=sorted({label for _, _, label in answers}))
    result = merge(annotations, template, method="dawid-skene")
    told = result.rule["questions"]["q"]
    assert (told["used"], told["left_out"]) == (True, left_out)
    assert [doubt.annotators for doubt in result.warnings if doubt.kind == "constant_annotator"] == [
        (who,) for who in left_out
    ]
    given = {merged.record: merged.answers["q"].value for merged in result.kept}
    right = sum(given[item] == label for item, label in truth.items())
    assert least - 0.0006 <= right / len(truth) <= least + 0.005


def test_the_means_of_mlqe_direct_assessments() -> None:
    expected = {row["item"]: float(row["mean"]) for row in rows("mlqe_direct_assessment_roen")}
    annotations = [
        Annotation(row["item"], f"rater {number}", answers={"q": int(score)})
        for row in rows("mlqe_direct_assessment_roen")
        for number, score in enumerate(row["scores"].split())
    ]
    result = merge(annotations, asking(type="rating", min=0, max=100))
    means = {merged.record: merged.answers["q"].details["mean"] for merged in result.kept}
    assert len(expected) == 1000
    assert means == pytest.approx(expected, abs=1e-6)


def test_the_means_of_mlqe_z_scores() -> None:
    question = RatingQuestion(type="rating", name="q", title="Question", min=0, max=100)
    for row in rows("mlqe_direct_assessment_roen"):
        # Whose score is whose is not published, so they stand here as their raters left them: in standard deviations.
        scores = {f"rater {number}": float(score) for number, score in enumerate(row["z_scores"].split())}
        assert merge_rating(question, scores).details["mean"] == pytest.approx(float(row["z_mean"]), abs=1e-6)


# Published for ROVER, which blends words (JOSS 2024). RASA, which knows annotators, has .659, .483 and .498.
@pytest.mark.parametrize(
    ("name", "sentences", "rover"),
    [("crowdwsa_j1", 250, 0.612), ("crowdwsa_t1", 100, 0.514), ("crowdwsa_t2", 100, 0.524)],
)
def test_the_medoid_of_ten_translations_has_at_most_the_published_word_error_rate_of_a_blend(
    name: str, sentences: int, rover: float
) -> None:
    annotations = [
        Annotation(row["item"], row["annotator"], answers={"q": row["text"]})
        for row in rows(name)
        if row["text"].strip()
    ]
    truth = {row["item"]: row["text"] for row in rows(f"{name}_truth")}
    result = merge(annotations, asking(type="text"), rewrites="medoid")
    chosen = [(str(merged.answers["q"].value), truth[merged.record]) for merged in result.kept]
    everybody = [(str(annotation.answers["q"]), truth[annotation.record]) for annotation in annotations]
    assert len(chosen) == sentences
    assert word_error_rate(chosen) <= rover + 0.011
    assert word_error_rate(everybody) > rover + 0.05, "one at random is much farther from the true one"


def word_error_rate(pairs: list[tuple[str, str]]) -> float:
    """Edits of words for each word of all true texts, in lower case and without punctuation."""
    split = [(_words(text), _words(true)) for text, true in pairs]
    return sum(Levenshtein.distance(text, true) for text, true in split) / sum(len(true) for _, true in split)


def _words(text: str) -> list[str]:
    return re.sub(r"[^\w\s]", "", text.lower()).split()
