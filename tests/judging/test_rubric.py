"""Rubrics: a described level for every score, and one clear error for everything else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bridge.errors import UsageError
from bridge.judging.rubric import load_rubric, parse_rubric
from bridge.templates import load_template

RATING = """\
version: 1
name: helpfulness
question: rating
instructions: How well does it do what the prompt asks for?
levels:
  1: useless
  2: poor
  3: fair
  4: good
  5: excellent
"""
PAIR = """\
version: 1
name: better
question: preference
levels:
  A: A is the better one
  B: B is the better one
  tie: they are as good as each other
"""


def test_a_rating_has_the_levels_of_its_scale() -> None:
    rubric = parse_rubric(RATING, load_template("review"))
    assert [(level.code, level.value, level.text) for level in rubric.levels][::4] == [
        (1, 1, "useless"),
        (5, 5, "excellent"),
    ]
    assert (rubric.responses, rubric.context, rubric.is_pair) == (("response",), ("prompt",), False)


def test_a_comparison_takes_the_two_responses_that_the_options_pick() -> None:
    rubric = parse_rubric(PAIR, load_template("preference"))
    assert (rubric.responses, rubric.context, rubric.tie) == (("response_a", "response_b"), ("prompt",), "tie")
    assert [level.value for level in rubric.levels] == ["A", "B", "tie"]


def test_labels_are_numbered() -> None:
    levels = "levels: {correct: a, partially_correct: b, incorrect: c, harmful: d}"
    rubric = parse_rubric(f"version: 1\nname: right\nquestion: label\n{levels}\n", load_template("label"))
    assert [(level.code, level.value) for level in rubric.levels][:2] == [(1, "correct"), (2, "partially_correct")]


def test_the_fingerprint_follows_what_gives_scores_their_meaning() -> None:
    template = load_template("review")
    plain = parse_rubric(RATING, template).fingerprint
    assert parse_rubric(RATING.replace("helpfulness", "another name"), template).fingerprint == plain
    assert parse_rubric(RATING.replace("fair", "so so"), template).fingerprint != plain


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            ("levels:\n  1: useless\n  2: poor\n  3: fair\n  4: good\n  5: excellent\n", ""),
            "levels: the rubric describes none",
        ),
        (("  3: fair\n", ""), "levels: 3 is not described"),
        (("3: fair", "3: '  '"), "levels.3: the level is not described"),
        (("5: excellent", "6: excellent"), "levels: 6: not on the scale of rating"),
        (("question: rating", "question: style"), "question: 'style': the template 'review' has no such question"),
        (("question: rating", "question: improved_response"), "'improved_response': a judge rates or labels only"),
        (("levels:", "response: reply\nlevels:"), "response: 'reply': the template 'review' has no such field"),
        (("levels:", "context: [story]\nlevels:"), "context: 'story': the template 'review' has no such field"),
        (("levels:", "weights: 3\nlevels:"), "weights: this key is unknown"),
        (("version: 1", "version: 2"), "version: the only version is the number 1"),
        (("  3: fair\n", "  3: fair\n  '3': so so\n"), "levels: 3: twice"),
        (("levels:", "tie: same\nlevels:"), "tie: 'rating' compares nothing"),
        (("levels:", "context: [response]\nlevels:"), "context: 'response' is what is judged, and shown as that"),
        (("levels:", "context: [prompt, prompt]\nlevels:"), "context: 'prompt': twice"),
        (("levels:", "reference: response\nlevels:"), "reference: 'response' is what is judged"),
    ],
)
def test_what_does_not_fit_is_one_clear_error(tmp_path: Path, change: tuple[str, str], told: str) -> None:
    path = tmp_path / "rubric.yaml"
    path.write_text(RATING.replace(*change))
    with pytest.raises(UsageError) as error:
        load_rubric(path, load_template("review"))
    assert told in error.value.reason
    assert error.value.reason.startswith(f"{path}:")
    assert error.value.remedy


def test_a_template_without_a_label_for_a_tie_cannot_be_judged_in_both_orders() -> None:
    with pytest.raises(UsageError, match="'C': no label of preference"):
        parse_rubric(PAIR.replace("tie:", "C:"), load_template("preference"))
    with pytest.raises(UsageError, match="'A' is no label that prefers neither"):
        parse_rubric(PAIR + "tie: A\n", load_template("preference"))


def test_a_comparison_judges_both_responses_and_shows_them_nowhere_else() -> None:
    with pytest.raises(UsageError, match="response: 'preference' compares response_a and response_b"):
        parse_rubric(PAIR + "response: response_a\n", load_template("preference"))
    with pytest.raises(UsageError, match="context: 'response_b' is what is judged"):
        parse_rubric(PAIR + "context: [prompt, response_b]\n", load_template("preference"))


def test_a_rubric_in_json_has_its_levels_as_texts() -> None:
    told = {"version": 1, "name": "good", "question": "rating", "levels": {str(n): f"level {n}" for n in range(1, 6)}}
    rubric = parse_rubric(json.dumps(told), load_template("review"))
    assert [(level.code, level.value) for level in rubric.levels] == [(n, n) for n in range(1, 6)]


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(UsageError, match=r"no\.yaml: No such file"):
        load_rubric("no.yaml", load_template("review"))
