"""Label Studio's page and results: every answer survives the way there and back, and no text becomes markup."""

from __future__ import annotations

import re
from typing import Any
from xml.etree.ElementTree import Element, fromstring

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from label_studio_sdk.label_interface import LabelInterface

from bridge.questions import Question, RankingQuestion
from bridge.servers.label_studio_kinds import KINDS, to_answers, to_regions
from bridge.servers.label_studio_page import label_config
from bridge.templates import TaskTemplate, load_template, template_names

TEMPLATES = {name: load_template(name) for name in template_names()}

ODD = [
    "<b>bold</b>",
    '"/><Header value="injected',
    "</Choices><Text name='x' value='y'/>",
    "<!-- comment",
    "]]>",
    "<![CDATA[x]]>",
    "&lt;&amp;&#60;&nbsp;&x;",
    "$prompt",
    "${prompt}",
    "$undefined$ $$",
    "{{prompt}} {% x %}",
    "quotes \" ' `",
    "back\\slash \\n",
    "\u202eright to left\u202c \u05e9\u05dc\u05d5\u05dd",
    "Zürich 😀👩‍👩‍👧 e\u0301",
    " outer space ",
    "comma, semicolon; pipe|",
    "javascript:alert(1)",
    "\u2028line\u2029paragraph\u0085next",
    "None",
    "0",
]

# -- values to regions and back

SCALES = [{"min": 1, "max": 5}, {"min": 0, "max": 9}, {"min": 3, "max": 10}]
# No control characters, no halves of surrogate pairs, none that XML or Unicode rule out; otherwise anything.
LABELS = st.lists(
    st.text(
        st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"), min_size=1, max_size=20
    ).filter(lambda label: label.replace("_", " ").strip()),
    min_size=1,
    max_size=6,
    unique_by=lambda label: label.replace("_", " ").capitalize(),
)
FIELDS = [
    {"name": "prompt", "title": "Prompt"},
    {"name": "response", "title": "Response", "repeat": {"min": 2, "max": 10}},
]


def template_with(**question: Any) -> TaskTemplate:
    return TaskTemplate.model_validate(
        {
            "version": 1,
            "name": "mine",
            "title": "Mine",
            "fields": FIELDS,
            "questions": [{"name": "answer", "title": "Answer?", **question}],
        }
    )


@st.composite
def asked_and_answered(draw: st.DrawFn) -> tuple[TaskTemplate, Any]:
    """A template with one question of any kind, and one possible answer to it."""
    kind = draw(st.sampled_from(sorted(KINDS)))
    if kind == "rating":
        scale = draw(st.sampled_from(SCALES))
        return template_with(type=kind, **scale), draw(st.integers(scale["min"], scale["max"]))
    if kind == "text":
        sound = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
        return template_with(type=kind), draw(st.text(sound, min_size=1).filter(str.strip))
    if kind == "ranking":
        items = st.sampled_from([f"response_{n}" for n in range(1, 5)])
        return template_with(type=kind, items="response"), draw(st.dictionaries(items, st.integers(1, 4), min_size=1))
    labels = draw(LABELS)
    if kind == "label":
        return template_with(type=kind, options=labels), draw(st.sampled_from(labels))
    if kind == "multi_label":
        return template_with(type=kind, options=labels), draw(st.lists(st.sampled_from(labels), unique=True))
    place = st.tuples(st.integers(0, 50), st.integers(1, 50), st.sampled_from(labels))
    spans = [{"start": start, "end": start + size, "label": label} for start, size, label in draw(st.lists(place))]
    return template_with(type=kind, field="prompt", options=labels), spans


@given(asked_and_answered())
def test_every_answer_comes_back_as_it_was_given(case: tuple[TaskTemplate, Any]) -> None:
    template, value = case
    questions = {"answer": template.questions[0]}
    assert to_answers(questions, to_regions(questions, {"answer": value}, template.field_names(4))) == {"answer": value}


@settings(deadline=None)
@given(asked_and_answered())
def test_label_studio_itself_accepts_the_page_and_the_prediction(case: tuple[TaskTemplate, Any]) -> None:
    template, value = case
    interface = LabelInterface(label_config(template, 4))
    regions = to_regions({"answer": template.questions[0]}, {"answer": value}, template.field_names(4))
    assert interface.validate_prediction({"model_version": "x", "result": regions}, return_errors=True) == []


@given(asked_and_answered())
def test_regions_speak_of_controls_and_fields_that_are_on_the_page(case: tuple[TaskTemplate, Any]) -> None:
    template, value = case
    page = fromstring(label_config(template, 4))
    places = {(element.get("name"), element.get("toName")) for element in page.iter() if element.get("toName")}
    names = template.field_names(4)
    for region in to_regions({"answer": template.questions[0]}, {"answer": value}, names):
        assert (region["from_name"], region["to_name"]) in places


def test_several_questions_are_kept_apart() -> None:
    questions = {question.name: question for question in TEMPLATES["review"].questions}
    answers = {"rating": 2, "label": "harmful", "improved_response": "a\n  b"}
    regions = to_regions(questions, answers, ["prompt", "response"])
    assert to_answers(questions, list(reversed(regions))) == answers


# -- results that are not ours


def questions_of(name: str) -> dict[str, Question]:
    return {question.name: question for question in TEMPLATES[name].questions}


def test_an_unknown_region_survives_under_its_own_name() -> None:
    found = to_answers(
        questions_of("rating"), [{"from_name": "stars", "to_name": "x", "type": "rating", "value": {"rating": 3}}]
    )
    assert found == {"stars": [{"region": {"rating": 3}}]}


@pytest.mark.parametrize(
    "result", [None, [], "text", 5, {}, [None, 5, "x", []], [{}], [{"from_name": 5}], [{"id": "r"}]]
)
def test_a_result_without_regions_has_no_answers(result: object) -> None:
    assert to_answers(questions_of("rating"), result) == {}


@pytest.mark.parametrize("value", [None, 5, "x", [], {}, {"choices": None}, {"choices": [5]}, {"text": "good"}])
@pytest.mark.parametrize("name", ["rating", "label", "rewrite", "ranking"])
def test_a_region_of_another_shape_is_no_crash(name: str, value: object) -> None:
    questions = questions_of(name)
    (question,) = questions.values()
    found = to_answers(questions, [{"from_name": question.name, "value": value}])
    assert set(found) <= {question.name}


@pytest.mark.parametrize("rating", ["4", 4.5, True, [4], None, 9])
def test_a_rating_that_is_none_is_kept_for_validation_to_name(rating: object) -> None:
    found = to_answers(questions_of("rating"), [{"from_name": "rating", "value": {"rating": rating}}])
    assert found == {"rating": rating} or (rating is None and found == {})


def test_two_choices_for_a_single_choice_are_kept_for_validation_to_name() -> None:
    regions = [{"from_name": "label", "value": {"choices": ["correct", "harmful"]}}]
    assert to_answers(questions_of("label"), regions) == {"label": ["correct", "harmful"]}


def test_a_label_outside_the_template_is_kept_for_validation_to_name() -> None:
    regions = [{"from_name": "label", "value": {"choices": ["zzz"]}}]
    assert to_answers(questions_of("label"), regions) == {"label": "zzz"}


def test_nothing_ticked_and_nothing_marked_are_answers() -> None:
    assert to_answers(questions_of("multi_label"), []) == {"labels": []}
    assert to_answers(questions_of("span_errors"), []) == {"errors": []}


# -- the page


@pytest.mark.parametrize("repeats", [0, 2, 10, 20])
@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_every_ready_made_page_is_accepted_by_label_studio(name: str, repeats: int) -> None:
    template = TEMPLATES[name]
    interface = LabelInterface(label_config(template, repeats))
    assert interface.is_valid
    assert {obj.name for obj in interface.objects} == set(template.field_names(repeats))
    asked = {control.name.partition("__")[0] for control in interface.controls}
    assert asked == {question.name for question in template.questions}


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_every_field_is_shown_exactly_once(name: str) -> None:
    template = TEMPLATES[name]
    shown = [element.get("value") for element in fromstring(label_config(template)).iter() if element.tag in SHOWN]
    assert sorted(map(str, shown)) == sorted(f"${field}" for field in template.field_names())


SHOWN = ("Text", "Paragraphs")
PLAIN_TAGS = {
    "View",
    "Style",
    "Collapse",
    "Panel",
    "Header",
    "Text",
    "Paragraphs",
    "Choices",
    "Choice",
    "Rating",
    "TextArea",
    "Labels",
    "Label",
}


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_no_tag_that_renders_markup_is_used(name: str) -> None:
    assert {element.tag for element in fromstring(label_config(TEMPLATES[name])).iter()} <= PLAIN_TAGS


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_no_keyboard_key_is_given_out_twice(name: str) -> None:
    page = fromstring(label_config(TEMPLATES[name], 4))
    keys = [element.get("hotkey") for element in page.iter() if element.get("hotkey")]
    assert len(keys) == len(set(keys))


# -- attacks


def hostile(text: str) -> TaskTemplate:
    """A template with this text everywhere where text is free."""
    options = [{"value": text, "title": text}, "b"]
    return TaskTemplate.model_validate(
        {
            "version": 1,
            "name": "hostile",
            "title": text,
            "description": text,
            "guidelines": f"first\n{text}\nlast",
            "fields": [
                {"name": "prompt", "title": text},
                {"name": "messages", "title": text, "type": "chat"},
                {"name": "response", "title": text, "repeat": {}},
            ],
            "questions": [
                {"name": "rating", "type": "rating", "title": text, "labels": {1: text}},
                {"name": "scale", "type": "rating", "title": text, "min": 0, "labels": {1: text}},
                {"name": "label", "type": "label", "title": text, "options": options},
                {"name": "labels", "type": "multi_label", "title": text, "options": options},
                {"name": "order", "type": "ranking", "title": text, "items": "response"},
                {"name": "errors", "type": "span", "title": text, "field": "prompt", "options": options},
                {
                    "name": "rewrite",
                    "type": "text",
                    "title": text,
                    "description": text,
                    "required": False,
                    "required_when": {"label": [text]},
                },
            ],
        }
    )


def shape(element: Element) -> Any:
    """The tree without its texts: tags and the names of attributes."""
    return (element.tag, sorted(element.attrib), [shape(child) for child in element])


HARMLESS = fromstring(label_config(hostile("a"), 3))


@pytest.mark.parametrize("text", [text for text in ODD if len(text.splitlines()) == 1])
def test_no_text_changes_the_shape_of_the_page(text: str) -> None:
    assert shape(fromstring(label_config(hostile(text), 3))) == shape(HARMLESS)


@pytest.mark.parametrize("text", ODD)
def test_label_studio_accepts_a_page_full_of_attacks(text: str) -> None:
    template = hostile(text)
    interface = LabelInterface(label_config(template, 3))
    answers: dict[str, Any] = {
        "label": text,
        "labels": ["b", text],
        "errors": [{"start": 0, "end": 1, "label": text}],
        "rewrite": text,
        "scale": 0,
        "order": {"response_1": 2},
    }
    questions = {question.name: question for question in template.questions}
    regions = to_regions(questions, answers, template.field_names(3))
    assert interface.validate_prediction({"model_version": "x", "result": regions}, return_errors=True) == []


@pytest.mark.parametrize("text", ODD)
def test_an_annotator_reads_titles_and_labels_as_they_are(text: str) -> None:
    page = fromstring(label_config(hostile(text), 2))
    wanted = text.replace("$", "$\u2060")
    headers = [element.get("value") for element in page.iter("Header")]
    assert wanted in headers
    assert wanted in [choice.get("value") for choice in page.iter("Choice")]
    assert wanted in [label.get("value") for label in page.iter("Label")]


@pytest.mark.parametrize("text", ODD)
def test_a_label_is_stored_as_it_is(text: str) -> None:
    page = fromstring(label_config(hostile(text), 2))
    for tag in ("Choice", "Label"):
        assert text in [element.get("alias") for element in page.iter(tag)]


@pytest.mark.parametrize("text", ODD)
def test_only_the_fields_are_interpolated(text: str) -> None:
    template = hostile(text)
    page = fromstring(label_config(template, 2))
    variables = {
        name
        for element in page.iter()
        for attribute, value in element.attrib.items()
        if attribute not in ("alias", "name", "toName")
        for name in re.findall(r"\$([A-Za-z0-9_{]+)", value)
    }
    assert variables == set(template.field_names(2))


@given(LABELS)
def test_any_label_can_be_shown_and_stored(labels: list[str]) -> None:
    page = fromstring(label_config(template_with(type="label", options=labels)))
    assert [choice.get("alias") for choice in page.iter("Choice")] == labels


def test_every_item_of_a_ranking_has_its_buttons_under_it() -> None:
    template = TEMPLATES["ranking"]
    question = template.question("ranking")
    assert isinstance(question, RankingQuestion)
    page = fromstring(label_config(template, 3))
    buttons = {choices.get("toName"): len(choices) for choices in page.iter("Choices")}
    assert buttons == {"response_1": 3, "response_2": 3, "response_3": 3}


def test_a_condition_is_shown_to_the_annotator() -> None:
    hints = [element.get("value") for element in fromstring(label_config(TEMPLATES["review"])).iter("Header")]
    assert 'Required when "How good is the response?" is 3 or lower.' in hints
