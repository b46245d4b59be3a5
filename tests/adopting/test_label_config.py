"""What of a labelling configuration becomes a template, without any server: odd and hostile ones above all."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.adopting.drafting import draft, fit_to_records, training_rules, yaml_of
from bridge.adopting.label_config import MAX_DEPTH, read_config
from bridge.adopting.label_layout import Layout
from bridge.adopting.label_tasks import found_in
from bridge.adopting.parts import Found
from bridge.errors import InputError, TemplateError
from bridge.templates import TaskTemplate, parse_template
from bridge.yamlfile import parse_yaml


def config(*parts: str) -> Layout:
    return read_config(f'<View><Text name="r" value="$response"/>{"".join(parts)}</View>')


def template_of(layout: Layout, *fields: dict[str, Any]) -> TaskTemplate:
    found = [Found(str(number), fields=given) for number, given in enumerate(fields)]
    fit_to_records(layout.shape, found)
    return draft(layout.shape, "adopted", found)


def body(layout: Layout, control: str) -> dict[str, Any]:
    return layout.controls[control].body


def reasons(layout: Layout) -> dict[str, str]:
    return {case.name: case.reason for case in layout.shape.left}


def choices(name: str, *values: str) -> str:
    listed = "".join(f'<Choice value="{value}"/>' for value in values)
    return f'<Choices name="{name}" toName="r">{listed}</Choices>'


class TestHostile:
    @pytest.mark.parametrize(
        "start",
        [
            '<!DOCTYPE View SYSTEM "http://127.0.0.1/x.dtd">',
            '<!DOCTYPE v [<!ENTITY e SYSTEM "file:///etc/passwd">]>',
            '<!DOCTYPE v [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]>',
            "<!doctype view>",
            '<!ENTITY e "x">',
        ],
    )
    def test_a_document_type_is_never_read(self, start: str) -> None:
        with pytest.raises(InputError, match="document type"):
            read_config(f'{start}<View><Text name="t" value="$a"/></View>')

    @pytest.mark.parametrize("text", ["", "<View>", "no XML", "<View><Text name='a' name='b'/></View>", "\x00"])
    def test_what_is_no_xml_is_one_error(self, text: str) -> None:
        with pytest.raises(InputError, match="is no XML"):
            read_config(text)

    def test_depth_and_size_end_in_one_error(self) -> None:
        with pytest.raises(InputError, match="nested more than"):
            read_config("<View>" * (MAX_DEPTH * 50) + "</View>" * (MAX_DEPTH * 50))
        with pytest.raises(InputError, match="characters"):
            read_config(f"<View>{' ' * 2_000_001}</View>")

    def test_comments_and_cdata_are_no_declarations(self) -> None:
        layout = read_config("<View><!-- a comment --><![CDATA[text]]><Text name='r' value='$a'/></View>")
        assert [part["name"] for part in layout.shape.fields] == ["a"]


class TestFields:
    def test_one_variable_that_is_shown_twice_is_one_field(self) -> None:
        layout = config(
            '<Text name="again" value="$response"/>', '<Labels name="l" toName="again"><Label value="x"/></Labels>'
        )
        assert len(layout.shape.fields) == 1
        assert body(layout, "l")["field"] == "response"

    def test_variables_inside_a_header_are_fields(self) -> None:
        layout = config('<Header value="About $topic by $author"/>')
        assert [part["name"] for part in layout.shape.fields] == ["response", "topic", "author"]

    def test_fixed_texts_are_titles_and_guidelines(self) -> None:
        layout = read_config(
            '<View><Header value="Read all of it."/><Header value="The answer"/><Text name="r" value="$response"/>'
            '<Text name="n" value="Take your time."/><Header value="Good?"/><Rating name="s" toName="r"/></View>'
        )
        assert layout.shape.fields[0]["title"] == "The answer"
        assert body(layout, "s")["title"] == "Good?"
        assert layout.shape.guidelines == "Read all of it.\nTake your time."

    def test_texts_at_addresses_are_left_out(self) -> None:
        layout = config('<Text name="far" value="$url" valueType="url"/>')
        assert "no address in data is ever fetched" in reasons(layout)["far"]

    def test_nested_data_is_found(self) -> None:
        layout = config('<Text name="d" value="$meta.deep"/>')
        found = found_in({"id": 1, "data": {"response": "a", "meta": {"deep": "b"}}}, layout, "1", str)
        assert found.fields == {"response": "a", "meta_deep": "b"}

    def test_more_than_a_template_has_room_for(self) -> None:
        texts = [f'<Text name="t{n}" value="$v{n}"/>' for n in range(25)]
        asked = [f'<Rating name="q{n}" toName="r"/>' for n in range(25)]
        layout = config(*texts, *asked)
        assert (len(layout.shape.fields), len(layout.shape.questions)) == (20, 20)
        assert len(layout.shape.left) == 11
        template_of(layout, {"response": "a"})


class TestQuestions:
    @pytest.mark.parametrize(
        ("values", "kind"),
        [
            (["1 - bad", "2", "3 - good"], "rating"),
            (["5: best", "4", "3", "2", "1: worst"], "rating"),
            (["0", "1", "2"], "rating"),
            (["1", "2"], "label"),
            (["1. Tea", "2. Rain", "3. Sun"], "label"),
            (["1", "3", "5"], "label"),
            (["0-1", "1-2", "2-3"], "label"),
            (["2", "1", "3"], "label"),
            (["1 error", "2 errors", "3 errors"], "label"),
            (["9", "10", "11"], "label"),
            (["bad", "fine", "good"], "label"),
        ],
    )
    def test_which_choices_are_a_scale(self, values: list[str], kind: str) -> None:
        assert body(config(choices("q", *values)), "q")["type"] == kind

    def test_stored_values_and_what_people_see(self) -> None:
        layout = config(
            '<Choices name="q" toName="r"><Choice value="Good" alias="G"/><Choice value="Good" alias="H"/></Choices>'
        )
        template = template_of(layout, {"response": "a"})
        assert [(o.value, o.title) for o in template.questions[0].options] == [("G", "Good"), ("H", "Good (H, 2)")]  # type: ignore[union-attr]

    def test_values_that_no_template_can_hold_get_numbers(self) -> None:
        layout = config(
            f'<Choices name="q" toName="r"><Choice value="a&#10;b"/><Choice value="{"x" * 300}"/></Choices>'
        )
        assert [option["value"] for option in body(layout, "q")["options"]] == ["option_1", "option_2"]
        task = {"id": 1, "data": {"response": "a"}, "annotations": [annotation("q", "choices", choices=["a\nb"])]}
        assert found_in(task, layout, "1", str).annotations[0].answers == {"q": "option_1"}

    @pytest.mark.parametrize(
        ("part", "why"),
        [
            ('<Choices name="q" toName="r" value="$options"/>', "different in each task"),
            ('<Choices name="q" toName="r"/>', "different in each task"),
            (
                '<Choices name="q" toName="r"><Choice value="a"><Choice value="b"/></Choice></Choices>',
                "inside each other",
            ),
            ('<Choices name="q" toName="r" perItem="true"><Choice value="a"/></Choices>', "perItem"),
            ('<Rating name="q" toName="r" maxRating="50"/>', "2 to 10"),
            ('<Number name="q" toName="r"/>', "whole numbers"),
            ('<Labels name="q" toName="nowhere"><Label value="a"/></Labels>', "nowhere"),
            ('<Repeater on="$all"><Rating name="q" toName="r"/></Repeater>', "Repeater"),
            ('<Pairwise name="q" toName="r"/>', "two objects"),
            ('<Ranker name="q" toName="r"/>', "no List"),
            ('<Surprise name="q" toName="r"/>', "a Surprise"),
            ('<Rating name="q"/>', "toName"),
        ],
    )
    def test_what_no_template_can_ask_is_named(self, part: str, why: str) -> None:
        assert why in reasons(config(part))["q"]

    def test_conditions_become_conditions_where_a_template_has_such(self) -> None:
        shown = 'visibleWhen="choice-selected" whenTagName="{}" whenChoiceValue="{}"'
        layout = config(
            choices("verdict", "good", "bad"),
            choices("scale", "1", "2", "3"),
            f"<View {shown.format('verdict', 'bad')}><View {shown.format('scale', '1,2')}>"
            '<TextArea name="why" toName="r" required="true"/></View></View>',
            f'<View {shown.format("verdict", "bad")}><TextArea name="more" toName="r"/></View>',
            '<View visibleWhen="region-selected"><TextArea name="region" toName="r" required="true"/></View>',
        )
        assert body(layout, "why")["required_when"] == {"verdict": ["bad"], "scale": {"min": 1, "max": 2}}
        assert body(layout, "why")["required"] is body(layout, "more")["required"] is False
        assert "region-selected" in reasons(layout)["region"]
        template_of(layout, {"response": "a"})

    def test_a_template_of_anything_odd_can_be_read_again(self) -> None:
        layout = config(
            choices("no", "no", "yes", "null", "2026-01-01"),
            choices("# x: y", "a: b", "- c", "{d}"),
            choices("\u200f\u0646", "\u0646\u200c\u0645", "👩‍👩‍👧"),
        )
        layout.shape.guidelines = "# no comment\n\n  - list: x\n\ttab"
        layout.shape.notes.append("a note\nof two lines\u2028x: y")
        template = template_of(layout, {"response": "a"})
        text = yaml_of(template, "here\n: there", layout.shape.notes)
        assert parse_template(parse_yaml(text, "template.yaml", TemplateError)) == template


class TestTrainingRules:
    @pytest.mark.parametrize(
        ("fields", "question", "rules"),
        [
            (["prompt", "response"], '<TextArea name="rewrite" toName="r"/>', True),
            (["context", "answer"], '<TextArea name="q" toName="r" value="$answer"/>', True),
            (["prompt", "response"], '<TextArea name="comment" toName="r"/>', False),
            (["prompt", "response"], '<Rating name="stars" toName="r"/>', False),
            (["prompt", "question", "response"], '<TextArea name="rewrite" toName="r"/>', False),
            (["prompt", "a", "b"], '<Pairwise name="q" toName="f1,f2"/>', True),
            (["topic", "a", "b"], '<Pairwise name="q" toName="f1,f2"/>', False),
        ],
    )
    def test_only_where_there_is_no_doubt(self, fields: list[str], question: str, rules: bool) -> None:
        shown = "".join(f'<Text name="f{n}" value="${name}"/>' for n, name in enumerate(fields))
        layout = read_config(f"<View>{shown}{question}</View>")
        assert bool(training_rules(layout.shape)) is rules
        template = template_of(layout, dict.fromkeys(fields, "x"))
        assert (template.training is not None) is rules

    def test_not_where_they_would_make_a_record_unusable(self) -> None:
        parts = (
            '<View><Paragraphs name="m" value="$messages" nameKey="role" textKey="content"/>',
            '<TextArea name="rewrite" toName="m"/></View>',
        )
        question = {"role": "user", "content": "2 + 2?"}
        answered = [question, {"role": "assistant", "content": "4"}]
        assert template_of(read_config("".join(parts)), {"messages": answered}).training is not None
        open_ended = template_of(read_config("".join(parts)), {"messages": answered}, {"messages": [question]})
        assert open_ended.fields[0].type == "chat"
        assert open_ended.training is None


def annotation(control: str, kind: str, **value: Any) -> dict[str, Any]:
    result = [{"from_name": control, "to_name": "r", "type": kind, "value": value}]
    return {"id": 1, "result": result, "completed_by": None, "created_at": None, "updated_at": None}


class TestAnswers:
    @pytest.mark.parametrize(
        "result",
        [
            None,
            "text",
            [None, 7, "x", {}],
            [{"from_name": "stars"}],
            [{"from_name": "stars", "value": None}],
            [{"from_name": "q", "value": {"choices": [["a", "b"], {"c": 1}]}}],
            [{"from_name": "l", "value": {"start": "0", "end": None, "labels": [None], "text": "x"}}],
            [{"from_name": "l", "value": {"start": 0, "end": 10**30, "labels": {"a": 1}}}],
            [{"from_name": ["stars"], "value": {}}],
            [{"type": "relation", "from_id": "a", "to_id": "b"}],
        ],
    )
    def test_any_result_is_read(self, result: Any) -> None:
        layout = config(
            '<Rating name="stars" toName="r"/>',
            choices("q", "a", "b"),
            '<Labels name="l" toName="r"><Label value="x"/></Labels>',
        )
        task = {
            "id": 1,
            "data": {"response": "a"},
            "annotations": [{**annotation("stars", "rating"), "result": result}],
        }
        (answer,) = found_in(task, layout, "1", str).annotations
        assert answer.annotator == "unknown"

    def test_an_answer_without_a_user_is_that_of_one_unknown_person(self) -> None:
        layout = config('<Rating name="stars" toName="r"/>')
        task = {"id": 1, "data": {"response": "a"}, "annotations": [annotation("stars", "rating", rating=4)]}
        found = found_in(task, layout, "1", str)
        assert found.annotations[0].annotator == "unknown"
        assert found.annotations[0].answers == {"stars": 4}
        assert any("no user" in note for note in found.notes)

    def test_several_labels_on_one_passage_are_several_spans(self) -> None:
        layout = config('<Labels name="l" toName="r" choice="multiple"><Label value="x"/><Label value="y"/></Labels>')
        task = {
            "id": 1,
            "data": {"response": "a  b"},
            "annotations": [annotation("l", "labels", start=0, end=4, text="a b", labels=["x", "y"])],
        }
        found = found_in(task, layout, "1", str)
        assert [span["label"] for span in found.annotations[0].answers["l"]] == ["x", "y"]  # type: ignore[union-attr]
        assert found.left == []
