"""Merging by a model of the annotators, as `merge` does it: used where its gate holds, and named where not."""

from __future__ import annotations

import random
from typing import Any

from bridge.annotations import Annotation
from bridge.merging import MergeResult, merge
from bridge.records import Record
from bridge.templates import load_template

LABEL, SPANS = load_template("label"), load_template("span_errors")
SKILLS = {"ann": 0.95, "bo": 0.9, "cy": 0.6, "di": 0.55, "eve": 0.5, "flo": 0.65}
TEXT = "The tower stands in Rome and was built by nobody in the year nine, they say there."


def labelled(records: int, seed: int = 7) -> tuple[list[Annotation], dict[str, str]]:
    """Answers of six people of uneven skill, and the truth."""
    rng = random.Random(seed)
    truth = {f"r{n:04}": rng.choice(["correct", "incorrect"]) for n in range(records)}

    def said(key: str, skill: float) -> str:
        wrong = "correct" if truth[key] == "incorrect" else "incorrect"
        return truth[key] if rng.random() < skill else wrong

    return [
        Annotation(key, who, answers={"label": said(key, skill)}) for key in truth for who, skill in SKILLS.items()
    ], truth


def right(result: MergeResult, truth: dict[str, str]) -> int:
    return sum(merged.answers["label"].value == truth[merged.record] for merged in result.kept)


def test_the_model_is_right_more_often_than_the_majority_and_keeps_its_chances() -> None:
    annotations, truth = labelled(400)
    majority, model = merge(annotations, LABEL), merge(annotations, LABEL, method="dawid-skene")
    assert right(model, truth) > right(majority, truth) + 40
    used = model.rule["questions"]["label"]
    assert used["used"] is True
    assert used["changed"] > 0
    for merged in model.kept:
        answer = merged.answers["label"]
        assert abs(sum(answer.details["posterior"].values()) - 1) < 1e-5
        assert answer.value is None or answer.details["posterior"][answer.value] > 0.5
        assert sum(answer.details["votes"].values()) == answer.n == 6


def test_where_the_gate_does_not_hold_the_majority_counts_and_a_warning_says_why() -> None:
    annotations, _ = labelled(30)
    result = merge(annotations, LABEL, method="dawid-skene")
    assert result.kept == merge(annotations, LABEL).kept
    assert result.rule["questions"]["label"] == {"used": False, "why": ["few_items"]}
    (warning,) = result.warnings
    assert (warning.kind, warning.question) == ("few_items", "label")
    assert "30 items have answers" in warning.means


def test_preferences_are_merged_by_majority_whatever_is_asked_for() -> None:
    template = load_template("preference")
    annotations = [Annotation("r1", who, answers={"preference": "A"}) for who in ("ann", "bo")]
    result = merge(annotations, template, method="dawid-skene")
    assert result.kept == merge(annotations, template).kept
    assert "questions" not in result.rule
    assert [doubt.kind for doubt in result.warnings] == ["no_model"]


def test_a_quorum_holds_for_the_model_too() -> None:
    annotations, _ = labelled(200)
    alone = Annotation("alone", "ann", answers={"label": "correct"})
    result = merge([*annotations, alone], LABEL, method="dawid-skene", quorum=2)
    assert result.rule["questions"]["label"]["used"] is True
    assert result.kept[0].answers["label"].outcome == "no_quorum"


CAREFUL = {"ann": (0.95, 0.02), "bo": (0.95, 0.02), "cy": (0.4, 0.05), "di": (0.4, 0.05), "eve": (0.4, 0.05)}
"""How often each of them marks the passage, and how often another one."""


def marked(records: int, seed: int = 7) -> tuple[list[Annotation], list[Record], dict[str, Any]]:
    """Marks on texts with one passage each: two careful people, and three who miss most of it."""
    rng = random.Random(seed)
    annotations, texts, truth = [], [], {}
    words = [(start, start + len(word)) for word, start in _words(TEXT)]

    def passage(length: int) -> dict[str, Any]:
        first = rng.randrange(len(words) - 3)
        return {"start": words[first][0], "end": words[first + length - 1][1], "label": "factual"}

    for number in range(records):
        key = f"r{number:04}"
        span = passage(3)
        truth[key] = [span]
        texts.append(Record(key, {"prompt": str(number), "response": TEXT}))
        for who, (noticed, made_up) in CAREFUL.items():
            spans = [span] * (rng.random() < noticed) + [passage(2) for _ in range(rng.random() < made_up)]
            annotations.append(Annotation(key, who, answers={"errors": spans}))
    return annotations, texts, truth


def _words(text: str) -> list[tuple[str, int]]:
    found, at = [], 0
    for word in text.split():
        at = text.index(word, at)
        found.append((word.strip(".,"), at))
        at += len(word)
    return found


def test_tokens_that_few_but_good_people_mark_are_found_by_the_model() -> None:
    template = _spans_of("factual")
    annotations, records, truth = marked(110)
    majority = merge(annotations, template, records)
    model = merge(annotations, template, records, method="dawid-skene")

    def found(result: MergeResult) -> int:
        return sum(merged.answers["errors"].value == truth[merged.record] for merged in result.kept)

    assert model.rule["questions"]["errors"]["used"] is True
    assert found(model) > found(majority) + 10


def test_many_tokens_of_few_texts_are_too_few() -> None:
    annotations, records, _ = marked(20)
    result = merge(annotations, _spans_of("factual"), records, method="dawid-skene")
    assert result.kept == merge(annotations, _spans_of("factual"), records).kept
    assert [doubt.means for doubt in result.warnings if doubt.kind == "few_items"] == [
        "20 texts have answers, too few to learn from: 100 are needed"
    ]


def _spans_of(label: str) -> Any:
    data = SPANS.model_dump()
    data["questions"][0]["options"] = [{"value": label, "title": label}]
    data["questions"] = data["questions"][:1]
    data["training"] = None
    return type(SPANS).model_validate(data)
