"""Task templates: the ready-made ones and their contract, and errors that name file, line and remedy."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import bridge
from bridge.errors import TemplateError, ValueRejected
from bridge.questions import Bounds
from bridge.records import Record
from bridge.templates import (
    TaskTemplate,
    condition_text,
    load_template,
    parse_template,
    template_folder,
    template_names,
    template_schema,
)
from bridge.yamlfile import parse_yaml

# Names of fields and questions that users' files and programs rely on.
CONTRACT = {
    "export_check": (
        ["prompt", "answer", "worse_answer", "claim"],
        {"verdict": "label", "prompt_fits": "label", "note": "text"},
    ),
    "rating": (["prompt", "response"], {"rating": "rating"}),
    "label": (["prompt", "response"], {"label": "label"}),
    "multi_label": (["prompt", "response"], {"labels": "multi_label"}),
    "rewrite": (["prompt", "response"], {"improved_response": "text"}),
    "review": (["prompt", "response"], {"rating": "rating", "label": "label", "improved_response": "text"}),
    "preference": (["prompt", "response_a", "response_b"], {"preference": "label"}),
    "ranking": (["prompt", "response_1", "response_2"], {"ranking": "ranking"}),
    "chat_review": (["messages"], {"rating": "rating", "label": "label", "improved_response": "text"}),
    "summary_review": (
        ["transcript", "summary"],
        {"rating": "rating", "faithfulness": "label", "improved_summary": "text"},
    ),
    "action_items": (
        ["transcript", "action_items"],
        {"label": "label", "problems": "multi_label", "improved_action_items": "text"},
    ),
    "follow_up_qa": (["transcript", "question", "answer"], None),
    "span_errors": (["prompt", "response"], {"errors": "span"}),
}

BASE = """\
version: 1
name: mine
title: Mine
fields:
  - name: prompt
    title: Prompt
  - name: response
    title: Response
questions:
  - name: rating
    type: rating
    title: How good?
"""


def template(old: str = "", new: str = "", *, base: str = BASE) -> TaskTemplate:
    """The base template with one thing changed."""
    assert old in base
    return parse_template(parse_yaml(base.replace(old, new, 1), "mine.yaml", TemplateError))


def problem(old: str, new: str) -> str:
    with pytest.raises(TemplateError) as caught:
        template(old, new)
    assert caught.value.remedy
    assert all(line.startswith("mine.yaml") for line in caught.value.reason.split("\n  "))
    return caught.value.reason


# -- ready-made


def test_all_ready_made_templates_are_there() -> None:
    assert template_names() == sorted(CONTRACT)


@pytest.mark.parametrize("name", sorted(CONTRACT))
def test_a_ready_made_template_keeps_its_names(name: str) -> None:
    found = load_template(name)
    fields, questions = CONTRACT[name]
    assert found.name == name
    assert found.field_names() == fields
    if questions is not None:
        assert {question.name: question.type for question in found.questions} == questions


@pytest.mark.parametrize("name", sorted(CONTRACT))
def test_a_ready_made_template_explains_itself_and_its_way_to_training_rows(name: str) -> None:
    found = load_template(name)
    assert found.description
    assert found.guidelines
    if name == "export_check":  # it asks about training rows, and makes none
        return
    assert found.training is not None
    assert found.training.sft or found.training.dpo


def test_the_labels_of_a_review_are_the_agreed_ones() -> None:
    label = load_template("review").question("label")
    assert getattr(label, "values", None) == ["correct", "partially_correct", "incorrect", "harmful"]


def test_a_rewrite_is_required_where_the_rating_is_below_four() -> None:
    rewrite = load_template("review").question("improved_response")
    assert [rewrite.is_required({"rating": rating}) for rating in range(1, 6)] == [True, True, True, False, False]


def test_a_rewrite_starts_with_the_models_response() -> None:
    record = Record(fields={"prompt": "p", "response": "the\n  response"})
    assert load_template("review").prefilled(record) == {"improved_response": "the\n  response"}


def test_a_rewrite_of_a_conversation_starts_with_its_last_answer() -> None:
    messages = [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}]
    assert load_template("chat_review").prefilled(Record(fields={"messages": messages})) == {"improved_response": "4"}


def test_a_preference_is_one_of_four() -> None:
    preference = load_template("preference").question("preference")
    assert getattr(preference, "values", None) == ["A", "B", "tie", "both_bad"]
    assert [option.picks for option in preference.options] == ["response_a", "response_b", None, None]  # type: ignore[union-attr]


# -- names and paths


@pytest.mark.parametrize(
    "name", ["", ".", "..", "REVIEW", "review ", "rev*", "review\0", "no", "con", "\udcff", "x" * 5000, "review\n"]
)
def test_an_unknown_name_is_answered_with_the_known_ones(name: str) -> None:
    with pytest.raises(TemplateError, match="there is no ready-made template") as caught:
        load_template(name)
    assert "review, rewrite" in caught.value.remedy
    assert len(caught.value.reason) < 200


@pytest.mark.parametrize("path", ["../review", "./mine.yaml", "/no/such/place.yaml", "mine.yml", "a\\b"])
def test_a_path_is_never_looked_up_among_the_ready_made(path: str) -> None:
    with pytest.raises(TemplateError, match=re.escape(f"{path.removeprefix('./')}: No such file or directory")):
        load_template(path)


@pytest.mark.parametrize("path", ["a\0.yaml", "a\ud800.yaml"])
def test_what_can_be_no_path_is_refused(path: str) -> None:
    with pytest.raises(TemplateError) as caught:
        load_template(path)
    assert caught.value.reason.startswith(repr(path))
    assert caught.value.remedy == "give the path of a readable YAML file"


def test_ones_own_is_loaded_by_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(BASE)
    assert load_template(path) == load_template(str(path)) == template()


def test_a_copy_of_a_ready_made_template_is_the_same_task(tmp_path: Path) -> None:
    copy = tmp_path / "copy.yaml"
    copy.write_bytes((template_folder() / "review.yaml").read_bytes())
    assert load_template(copy).fingerprint == load_template("review").fingerprint


def test_it_can_be_loaded_from_the_top_of_the_package() -> None:
    assert bridge.load_template("review") == load_template("review")


# -- errors


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("version: 1", "version: 2", "mine.yaml:1: version: the only version is the number 1"),
        ("version: 1\n", "", "mine.yaml:1: version: it is missing"),
        ("version: 1", "version: '1'", "mine.yaml:1: version: the only version is the number 1"),
        ("title: Mine", "title: no", "mine.yaml:3: title: true or false where a text is expected"),
        ("title: Mine", "title: on", "mine.yaml:3: title: true or false where a text is expected"),
        ("title: Mine", "title: 2026-01-02", "mine.yaml:3: title: a date or time where a text is expected"),
        ("title: Mine", "title: 1:30", "mine.yaml:3: title: a number where a text is expected"),
        ("title: Mine", "title:", "mine.yaml:3: title: nothing where a text is expected"),
        ("title: Mine\n", "title: Mine\ncode: print(1)\n", "mine.yaml:4: code: this key is unknown"),
        ("title: Mine\n", "title: Mine\ninclude: /etc/passwd\n", "mine.yaml:4: include: this key is unknown"),
        (
            "    title: Prompt\n",
            "    title: Prompt\n    url: http://x\n",
            "mine.yaml:7: fields.prompt.url: this key is unknown",
        ),
        (
            "    title: Prompt\n",
            "    title: Prompt\n    half: 1\n",
            "mine.yaml:7: fields.prompt.half: a number where true or false is expected",
        ),
        (
            "    title: Prompt\n",
            "    title: Prompt\n    type: html\n",
            "mine.yaml:7: fields.prompt.type: 'html' is not 'text', 'chat' or 'transcript'",
        ),
        ("name: mine", "name: ../mine", "mine.yaml:2: name: use lower-case letters, digits"),
        ("version: 1", "version: true", "mine.yaml:1: version: the only version is the number 1"),
        ("version: 1", "version: 1.0", "mine.yaml:1: version: the only version is the number 1"),
        ("title: Mine", "title: '   '", "mine.yaml:3: title: write one line that is not blank"),
        ("title: Mine", "on: Mine", "mine.yaml:3: 'on' is no key"),
        (
            "title: Prompt",
            "title: Prompt\n    repeat: {min: 5, max: 3}",
            "mine.yaml:7: fields.prompt.repeat.min: it is above",
        ),
        (
            "title: Prompt",
            "title: Prompt\n    repeat: {min: 12}",
            "mine.yaml:7: fields.prompt.repeat.min: it is above 'max'",
        ),
        ("  - name: prompt", "  - name: Prompt", "mine.yaml:5: fields.Prompt.name: use lower-case letters"),
        ("  - name: prompt", '  - name: "a\\nb"', "mine.yaml:5: fields.0.name: use lower-case letters"),
        (
            "type: rating",
            "type: stars",
            "mine.yaml:11: questions.rating.type: stars is not one of 'rating', 'label'",
        ),
        ("    type: rating\n", "", "mine.yaml:10: questions.rating.type: it is missing"),
        ("type: rating", "type: rating\n    max: 101", "mine.yaml:12: questions.rating.max: 101 is above 100, "),
        (
            "type: rating",
            "type: rating\n    required: false\n    required_when:\n      rating:\n        maxi: 3",
            "mine.yaml:15: questions.rating.required_when.rating.maxi: this key is unknown",
        ),
        (
            "type: rating",
            "type: rating\n    required: false\n    required_when:\n      rating: 3",
            "mine.yaml:14: questions.rating.required_when.rating: a condition is a list of labels, or keys",
        ),
        (
            "type: rating",
            "type: label\n    options:\n      - good\n      - value: good",
            "mine.yaml:14: questions.rating.options.1.value: two options have the same value",
        ),
        (
            "type: rating",
            "type: ranking\n    items:\n      - prompt\n      - prompt",
            "mine.yaml:14: questions.rating.items.1: 'prompt' stands twice",
        ),
        (
            "questions:",
            "training:\n  prompt: prompt\n  sft:\n    - use: response\n      when:\n        x: [a]\nquestions:",
            "mine.yaml:14: training.sft.0.when.x: 'x' is not a question",
        ),
    ],
)
def test_an_error_names_the_line_and_the_key(old: str, new: str, reason: str) -> None:
    assert problem(old, new).startswith(reason)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("type: rating", "type: stars", "'rating', 'label', 'multi_label', 'text', 'ranking', 'span'"),
        ("    type: rating\n", "", "questions.rating.type: it is missing"),
        ("type: rating", "type: rating\n    min: 5\n    max: 2", "questions.rating.min: it must be below 'max'"),
        ("type: rating", "type: rating\n    max: 101", "101 is above 100, the most"),
        ("type: rating", "type: rating\n    stars: 5", "this key is unknown"),
        ("type: rating", "type: rating\n    labels: {6: six}", "questions.rating.labels.6: the scale goes from 1 to 5"),
        ("type: rating", "type: label", "it is missing"),
        ("type: rating", "type: label\n    options: []", "it needs 1 or more"),
        ("type: rating", "type: label\n    options: [good, good]", "two options have the same value"),
        ("type: rating", "type: label\n    options: [yes, no]", "true or false where a text is expected"),
        ("type: rating", "type: label\n    options: [2026-01-02]", "a date or time where a text is expected"),
        (
            "type: rating",
            'type: label\n    options: ["\\ud800"]',
            "questions.rating.options.0: it holds half of a surrogate pair",
        ),
        ("type: rating", "type: label\n    options: [{value: a, picks: prompt, code: x}]", "this key is unknown"),
        (
            "type: rating",
            "type: label\n    options: [{value: a, picks: nope}]",
            "options.0.picks: 'nope' must be a field",
        ),
        (
            "type: rating",
            "type: ranking\n    items: response",
            "questions.rating.items: 'response' is not a repeated field",
        ),
        ("type: rating", "type: ranking\n    items: [prompt, nope]", "questions.rating.items.1: 'nope' is not a field"),
        (
            "type: rating",
            "type: span\n    field: nope\n    options: [a]",
            "questions.rating.field: 'nope' is not a text field",
        ),
        ("type: rating", "type: text\n    prefill: nope", "questions.rating.prefill: 'nope' is not a field"),
        (
            "type: rating",
            "type: rating\n    required: false\n    required_when: {nope: [a]}",
            "questions.rating.required_when.nope: 'nope' is not a question",
        ),
        (
            "type: rating",
            "type: rating\n    required: false\n    required_when: {rating: [a]}",
            "'rating' is a rating; ratings and spans take min/max, labels a list",
        ),
        ("name: rating", "name: prompt", "'prompt' names two things"),
        ("name: response", "name: prompt", "'prompt' names two things"),
        ("questions:", "training: {prompt: nope}\nquestions:", "training.prompt: 'nope' is not a field"),
        (
            "questions:",
            "training: {prompt: prompt, sft: [{use: rating}]}\nquestions:",
            "training.sft.0.use: 'rating' is no field",
        ),
        (
            "questions:",
            "training: {prompt: prompt, dpo: [{pairs: rating}]}\nquestions:",
            "training.dpo.0.pairs: 'rating' is no ranking",
        ),
        ("questions:", "training: {prompt: prompt, dpo: [{chosen: prompt}]}\nquestions:", "or 'pairs'"),
        (
            "questions:",
            "training: {prompt: prompt, dpo: [{chosen: prompt, rejected: rating}]}\nquestions:",
            "'rating' is no field and no text question",
        ),
        (
            "questions:",
            "training: {prompt: prompt, sft: [{use: response, when: {rating: [good]}}]}\nquestions:",
            "training.sft.0.when.rating: 'rating' is a rating",
        ),
        (
            "questions:",
            "training: {prompt: prompt, sft: [{use: response, unchanged: approve}]}\nquestions:",
            "training.sft.0.unchanged: 'response' is no text question with 'prefill'",
        ),
        (
            "questions:",
            "training: {prompt: prompt, dpo: [{ratings: rating}]}\nquestions:",
            "training.dpo.0: add 'of', the field that is rated",
        ),
        (
            "questions:",
            "training: {prompt: prompt, dpo: [{pairs: rating, of: response}]}\nquestions:",
            "training.dpo.0.of: it goes with one question that rates",
        ),
        (
            "questions:",
            "training: {prompt: prompt, dpo: [{ratings: rating, of: rating}]}\nquestions:",
            "training.dpo.0.of: 'rating' is not a field",
        ),
        (
            "questions:",
            "training: {prompt: prompt, dpo: [{ratings: response, of: response}]}\nquestions:",
            "training.dpo.0.ratings: 'response' is no rating question",
        ),
        (
            "questions:",
            "training: {prompt: prompt, dpo: [{ratings: {response: rating, b: rating}}]}\nquestions:",
            "training.dpo.0.ratings.b: 'b' is not a field",
        ),
        (
            "questions:",
            "training: {prompt: prompt, dpo: [{ratings: {response: prompt, prompt: rating}}]}\nquestions:",
            "training.dpo.0.ratings.response: 'prompt' is no rating",
        ),
        (
            "questions:",
            "training: {prompt: prompt, dpo: [{ratings: rating, of: response, min_margin: -1}]}\nquestions:",
            "training.dpo.0.min_margin: -1 is below 0",
        ),
        (
            "questions:",
            "training: {prompt: prompt, kto: [{use: response}]}\nquestions:",
            "training.kto.0: give 'desirable', 'undesirable' or both",
        ),
        (
            "questions:",
            "training: {prompt: prompt, kto: [{use: response, desirable: {}, undesirable: {}}]}\nquestions:",
            "training.kto.0.undesirable: it is the same",
        ),
        (
            "questions:",
            "training: {prompt: prompt, kto: [{use: rating, desirable: {}}]}\nquestions:",
            "training.kto.0.use: 'rating' is no field and no text question",
        ),
        (
            "questions:",
            "training: {prompt: prompt, kto: [{use: response, desirable: {x: [a]}}]}\nquestions:",
            "training.kto.0.desirable.x: 'x' is not a question",
        ),
        (
            "questions:",
            "training: {prompt: prompt, reward: [{score: rating}]}\nquestions:",
            "training.reward.0: add 'of', the field that is rated",
        ),
        (
            "questions:",
            "training: {prompt: prompt, reward: [{score: response, of: response}]}\nquestions:",
            "training.reward.0.score: 'response' is no rating question",
        ),
        (
            "questions:",
            "training: {prompt: prompt, reward: [{score: rating, of: response, min_margin: 1}]}\nquestions:",
            "training.reward.0.min_margin: a score has no margin",
        ),
        (
            "questions:",
            "training: {prompt: prompt, reward: [{score: rating, of: response, pairs: rating}]}\nquestions:",
            "training.reward.0: give either",
        ),
        (
            "    title: Prompt\n",
            "    title: Prompt\n    repeat: {}\n  - {name: b, title: B, repeat: {}}\n",
            "only one field",
        ),
        (
            "title: Response\n",
            "title: Response\n    repeat: {}\n  - {name: response_3, title: X}\n",
            "fields.response_3.name: 'response_3' looks like one of the repeated field 'response'",
        ),
        ("name: response", "name: bridge_id", "names that start with 'bridge_' are reserved"),
        ("name: rating", "name: bridge_key", "names that start with 'bridge_' are reserved"),
        (
            "type: rating",
            "type: rating\n    required: false\n    required_when: {rating: {min: 4, max: 2}}",
            "required_when.rating.min: it is above 'max'",
        ),
        ("type: rating", "type: label\n    options: [_, a]", "options.0: write one line that is not blank"),
        ("type: rating", "type: label\n    required: true\n    required_when: {x: [a]}\n    options: [a]", "it needs"),
    ],
)
def test_what_does_not_fit_together_is_named(old: str, new: str, reason: str) -> None:
    found = problem(old, new)
    assert found.startswith("mine.yaml:")
    assert reason in found


@pytest.mark.parametrize("value", ["no", "on", "2026-01-02", "1.5", "12"])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("title: Mine", "title: {}"),
        ("type: rating", "type: rating\n    labels: {{1: {}}}"),
        ("type: rating", "type: label\n    options: [a, {}]"),
        ("type: rating", "type: label\n    options: [{{value: {}}}]"),
    ],
)
def test_what_yaml_takes_for_something_else_is_to_be_put_in_quotes(old: str, new: str, value: str) -> None:
    with pytest.raises(TemplateError, match="where a text is expected") as caught:
        template(old, new.format(value))
    assert caught.value.remedy.startswith("put it in quotes")
    assert template(old, new.format(f"'{value}'"))


@pytest.mark.parametrize("character", ["\\x07", "\\x1b", "\\x7f", "\\ufffe", "\\uffff", "\\ud800"])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("title: Mine", 'title: "a{}b"'),
        ("title: Mine", 'title: M\nguidelines: "a{}b"'),
        ("type: rating", 'type: label\n    options: ["a{}b"]'),
        ("type: rating", 'type: rating\n    labels: {{1: "a{}b"}}'),
    ],
)
def test_what_a_page_cannot_hold_is_refused(old: str, new: str, character: str) -> None:
    assert "control characters" in (found := problem(old, new.format(character))) or "surrogate" in found


def test_all_problems_of_a_file_are_told_in_its_order() -> None:
    text = BASE.replace("title: Prompt", "titel: Prompt").replace("title: Mine", "title: no\ncode: x")
    with pytest.raises(TemplateError) as caught:
        parse_template(parse_yaml(text, "mine.yaml", TemplateError))
    assert caught.value.reason.split("\n  ") == [
        "mine.yaml:3: title: true or false where a text is expected",
        "mine.yaml:4: code: this key is unknown",
        "mine.yaml:6: fields.prompt.title: it is missing",
        "mine.yaml:7: fields.prompt.titel: this key is unknown",
    ]


def test_all_parts_that_do_not_fit_are_told() -> None:
    training = "training: {prompt: question, sft: [{use: answer}], dpo: [{chosen: response, rejected: none_such}]}\n"
    assert problem("questions:", f"{training}questions:").split("\n  ") == [
        "mine.yaml:9: training.prompt: 'question' is not a field",
        "mine.yaml:9: training.sft.0.use: 'answer' is no field, text, preference or ranking",
        "mine.yaml:9: training.dpo.0.rejected: 'none_such' is no field and no text question",
    ]


def test_ten_problems_are_enough() -> None:
    with pytest.raises(TemplateError) as caught:
        template("title: Mine\n", "title: Mine\n" + "".join(f"key_{number}: x\n" for number in range(13)))
    lines = caught.value.reason.split("\n  ")
    assert len(lines) == 11
    assert lines[-1] == "and 3 more"


@pytest.mark.parametrize("line", ["fields: []", "questions: []", "fields: {}", "questions: text", "training: 5"])
def test_parts_of_the_wrong_shape_are_refused(line: str) -> None:
    name = line.partition(":")[0]
    text = re.sub(rf"(?m)^{name}:\n(  .*\n)+", "", BASE) + line + "\n"
    with pytest.raises(TemplateError, match=rf"^mine\.yaml:\d+: {name}: "):
        parse_template(parse_yaml(text, "mine.yaml", TemplateError))


def test_numbers_of_things_are_limited() -> None:
    many = "".join(f"  - {{name: f{n}, title: F}}\n" for n in range(20))
    assert "it takes 20 at most" in problem("questions:", many + "questions:")


def test_prose_is_limited() -> None:
    assert "longer than 10,000 characters" in problem("title: Mine", f"title: Mine\nguidelines: {'x' * 10_001}")


@pytest.mark.parametrize("text", ["a\\x07b", "a\\x1bb", "a\\rb", "a\\0b"])
def test_prose_holds_no_control_characters(text: str) -> None:
    assert "guidelines" in problem("title: Mine", f'title: Mine\nguidelines: "{text}"')


# -- the published schema


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(template_schema())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("title: Mine", "title: no"),
        ("title: Mine", "title: Mine\ncode: x"),
        ("type: rating", "type: stars"),
        ("version: 1\n", ""),
        ("name: mine", "name: Not Plain"),
        ("title: Mine", "title: '  '"),
        ("version: 1", "version: true"),
        ("type: rating", "type: rating\n    max: 101"),
        ("type: rating", "type: label"),
        ("type: rating", "type: label\n    options: [a, no]"),
        ("type: rating", "type: label\n    options: [{title: A}]"),
        ("type: rating", "type: rating\n    required_when: {rating: [3]}"),
        ("questions:", "training: {prompt: 5}\nquestions:"),
        ("questions:", "training: {}\nquestions:"),
    ],
)
def test_the_schema_refuses_what_we_refuse(old: str, new: str) -> None:
    problem(old, new)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(BASE.replace(old, new, 1)), template_schema())


@pytest.mark.parametrize("name", template_names())
def test_the_schema_allows_the_ready_made_templates(name: str) -> None:
    text = (template_folder() / f"{name}.yaml").read_text(encoding="utf-8")
    jsonschema.validate(yaml.safe_load(text), template_schema())


def test_the_published_schema_is_todays() -> None:
    published = Path(__file__).parents[1] / "docs" / "template.schema.json"
    assert json.loads(published.read_text(encoding="utf-8")) == template_schema()


def test_the_schema_has_our_title_and_no_examples_in_python() -> None:
    assert template_schema()["title"] == "annobridge task template"
    assert template_schema()["description"].startswith("A task: its fields")
    assert not re.search(">>>|Traceback", json.dumps(template_schema()))


# -- the fingerprint


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("title: Mine", "title: Other words"),
        ("title: Mine", "title: Mine\ndescription: d\nguidelines: g"),
        ("name: mine", "name: renamed"),
        ("title: Prompt", "title: What was asked"),
        ("title: How good?", "title: Really?\n    description: Look twice."),
        ("type: rating", "type: rating\n    labels: {1: bad, 5: good}"),
        ("type: rating", "type: rating\n    required: false"),
        ("title: Response", "title: Response\n    half: true"),
        ("questions:", "training: {prompt: prompt, sft: [{use: response}]}\nquestions:"),
    ],
)
def test_wording_and_training_rules_do_not_make_another_task(old: str, new: str) -> None:
    assert template(old, new).fingerprint == template().fingerprint


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("name: prompt", "name: question"),
        ("title: Prompt", "title: Prompt\n    type: chat"),
        ("title: Response", "title: Response\n    repeat: {}"),
        ("name: rating", "name: stars"),
        ("type: rating", "type: rating\n    max: 7"),
        ("type: rating", "type: rating\n    min: 0"),
        ("type: rating", "type: label\n    options: [good, bad]"),
        ("type: rating", "type: text"),
        ("title: How good?", "title: How good?\n  - {name: more, type: text, title: More}"),
    ],
)
def test_another_meaning_makes_another_task(old: str, new: str) -> None:
    assert template(old, new).fingerprint != template().fingerprint


def test_other_labels_make_another_task() -> None:
    labels = ["[good, bad]", "[good, bad, ugly]", "[good, worse]"]
    found = {template("type: rating", f"type: label\n    options: {options}").fingerprint for options in labels}
    assert len(found) == 3


def test_the_title_of_a_label_is_wording() -> None:
    plain = template("type: rating", "type: label\n    options: [good, bad]")
    titled = template("type: rating", "type: label\n    options: [{value: good, title: Fine}, bad]")
    assert titled.fingerprint == plain.fingerprint


def test_the_fingerprint_of_a_ready_made_template_does_not_change_by_accident() -> None:
    # A project on a server is recognised by it: whoever changes this makes running campaigns unusable.
    assert {name: load_template(name).fingerprint for name in ("review", "preference", "ranking")} == FINGERPRINTS


FINGERPRINTS = {"review": "8e0fed41b9b9c233", "preference": "a88ea41809051117", "ranking": "ae0672943a62409a"}


# -- fields of a record

RANKING = load_template("ranking")
CHAT = load_template("chat_review")
MEETING = load_template("summary_review")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"prompt": "p"}, "response: missing"),
        ({"prompt": "p", "response": None}, "response: missing"),
        ({"prompt": "p", "response": "  \n"}, "response: the text is blank"),
        ({"prompt": "p", "response": 5}, "response: a number where a text is expected"),
        ({"prompt": "p", "response": True}, "response: true or false where a text is expected"),
        ({"prompt": "p", "response": ["a"]}, "response: a list where a text is expected"),
        ({"prompt": "p", "response": {"a": 1}}, "response: an object where a text is expected"),
        ({"prompt": "p", "response": b"a"}, "response: bytes where a text is expected"),
        ({"prompt": "p", "response": "r", "x" * 100: "r"}, "'xxx"),
        ({"prompt": "p", "response": "a\0"}, "response: character 2 is NUL"),
        ({"prompt": "\ud800", "response": "r"}, "prompt: character 1 is U+D800"),
    ],
)
def test_a_wrong_field_is_named(fields: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueRejected) as caught:
        load_template("review").check_fields(fields)
    assert caught.value.reason.startswith(reason)
    assert caught.value.remedy


@pytest.mark.parametrize(
    "messages",
    [
        "hello",
        [],
        ["hello"],
        [{"role": "user"}],
        [{"role": "user", "content": None}],
        [{"role": "user", "content": "x", "name": "Bo"}],
        [{"role": 1, "content": "x"}],
        [{"role": "  ", "content": "x"}],
        [{"role": "user", "content": "  "}],
        [{"role": "user", "content": "\ud800"}],
        [{"role": "u" * 201, "content": "x"}],
        [{"speaker": "Bo", "content": "x"}],
        [[{"role": "user", "content": "x"}]],
        [{"role": "user", "content": "x"}] * 5001,
    ],
    ids=lambda messages: repr(messages)[:40],
)
def test_what_is_no_conversation_is_refused(messages: object) -> None:
    with pytest.raises(ValueRejected, match=r"^messages: ") as caught:
        CHAT.check_fields({"messages": messages})
    assert caught.value.remedy


def test_a_transcript_of_speakers_is_a_conversation() -> None:
    checked = MEETING.check_fields({"summary": "s", "transcript": [{"speaker": "Änne", "text": "Hi"}]})
    assert checked == {"transcript": [{"role": "Änne", "content": "Hi"}], "summary": "s"}


@given(st.integers(2, 10))
def test_a_repeated_field_stands_as_often_as_the_record_has_it(count: int) -> None:
    fields = {"prompt": "p", **{f"response_{n}": f"r{n}" for n in range(count, 0, -1)}}
    checked = RANKING.check_fields(fields)
    assert list(checked) == ["prompt", *(f"response_{n}" for n in range(1, count + 1))]
    assert RANKING.repeats(checked) == count


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["response_1"], "response_2: missing"),
        (["response_1", "response_3"], "response_2: missing"),
        (["response_1", "response_2", "response_11"], "'response_11': the template 'ranking' has no such field"),
        (["response_1", "response_2", "response_02"], "'response_02': the template 'ranking' has no such field"),
        (["response_1", "response_2", "response_٣"], "'response_٣': the template 'ranking' has no such field"),
        (["response_1", "response_2", "response"], "'response': the template 'ranking' has no such field"),
    ],
)
def test_gaps_and_odd_numbers_of_a_repeated_field_are_refused(names: list[str], reason: str) -> None:
    with pytest.raises(ValueRejected) as caught:
        RANKING.check_fields({"prompt": "p", **dict.fromkeys(names, "r")})
    assert caught.value.reason == reason


OPTIONAL = template("title: Response", "title: Response\n    required: false\n    repeat: {min: 1, max: 5}")


@pytest.mark.parametrize("second", [{}, {"response_2": None}, {"response_2": ""}])
def test_an_optional_repeated_field_has_no_gap(second: dict[str, Any]) -> None:
    with pytest.raises(ValueRejected) as caught:
        OPTIONAL.check_fields({"prompt": "p", "response_1": "a", **second, "response_3": "c"})
    assert caught.value.reason == "response_2: missing, while there is response_3"


@pytest.mark.parametrize("count", range(6))
def test_an_optional_repeated_field_stands_as_often_as_the_record_has_it(count: int) -> None:
    fields = {"prompt": "p", **{f"response_{n}": "r" for n in range(1, count + 1)}}
    assert OPTIONAL.check_fields(fields) == fields


def test_a_number_of_thousands_of_digits_is_no_field() -> None:
    name = "response_" + "1" * 5000
    assert RANKING.field_for(name) is None
    with pytest.raises(ValueRejected, match="has no such field"):
        RANKING.check_fields({"prompt": "p", "response_1": "a", "response_2": "b", name: "c"})


def test_a_changed_copy_does_not_know_the_fields_of_the_original() -> None:
    original = load_template("rating")
    original.check_fields({"prompt": "p", "response": "r"})
    copy = original.model_copy(update={"fields": original.fields[:1]})
    assert copy.field_for("response") is None
    assert copy.check_fields({"prompt": "p"}) == {"prompt": "p"}
    assert original.check_fields({"prompt": "p", "response": "r"})


def test_fields_come_in_the_templates_order() -> None:
    assert list(load_template("review").check_fields({"response": "r", "prompt": "p"})) == ["prompt", "response"]


def test_an_optional_field_may_be_left_out() -> None:
    found = template("title: Response", "title: Response\n    required: false")
    assert found.check_fields({"prompt": "p"}) == found.check_fields({"prompt": "p", "response": ""}) == {"prompt": "p"}


def test_an_unknown_question_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ValueRejected, match="'stars': the template 'review' has no such question") as caught:
        load_template("review").question("stars")
    assert caught.value.remedy == "its questions are rating, label, improved_response"


# -- what annotators read


@pytest.mark.parametrize(
    ("conditions", "text"),
    [
        ({"rating": Bounds(max=3)}, '"How good is the response?" is 3 or lower'),
        ({"rating": Bounds(min=4)}, '"How good is the response?" is 4 or higher'),
        ({"rating": Bounds(min=2, max=3)}, '"How good is the response?" is from 2 to 3'),
        (
            {"label": ["harmful", "partially_correct"]},
            '"Is the response correct?" is Harmful or Partially correct',
        ),
        (
            {"rating": Bounds(max=3), "label": ["harmful"]},
            '"How good is the response?" is 3 or lower and "Is the response correct?" is Harmful',
        ),
    ],
)
def test_a_condition_reads_as_a_sentence(conditions: Any, text: str) -> None:
    assert condition_text(load_template("review"), conditions) == text
