"""Labelling configs and tasks, as Label Studio's SDK understands them."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from label_studio_sdk.label_interface import LabelInterface

from bridge.interop import from_label_studio_tasks, to_label_studio_tasks
from bridge.records import Record, Suggestion
from bridge.servers.label_studio_page import label_config
from bridge.templates import TaskTemplate, load_template, template_names
from tests.interop.strategies import records

RATING, RANKING = load_template("rating"), load_template("ranking")
TEMPLATES = [pytest.param(load_template(name), id=name) for name in template_names()]


class TestConfigs:
    @pytest.mark.parametrize("template", TEMPLATES)
    def test_the_sdk_accepts_them(self, template: TaskTemplate) -> None:
        config = template.to_label_config(3)
        assert config == label_config(template, 3), "the adapter's"
        LabelInterface(config).validate()

    def test_they_need_no_sdk(self) -> None:
        code = (
            "import sys, bridge; bridge.load_template('review').to_label_config(); import bridge.interop;"
            "assert not {'label_studio_sdk', 'argilla', 'distilabel', 'pandas', 'requests'} & {*sys.modules}"
        )
        subprocess.run([sys.executable, "-c", code], check=True)


class TestTasks:
    @pytest.mark.parametrize("template", TEMPLATES)
    @settings(max_examples=25, deadline=None)
    @given(data=st.data())
    def test_the_sdk_accepts_them(self, template: TaskTemplate, data: st.DataObject) -> None:
        listed = data.draw(st.lists(records(template), max_size=3))
        tasks = to_label_studio_tasks(listed, template)
        interface = LabelInterface(
            template.to_label_config(max(map(template.repeats, (r.fields for r in listed)), default=0))
        )
        for task in json.loads(json.dumps(tasks)):
            # Beside predictions, validate_task raises a TypeError (label-studio-sdk 2.1.2).
            assert interface.validate_task({"data": task["data"]})
            for prediction in task.get("predictions", ()):
                assert interface.validate_prediction(prediction, return_errors=True) == []

    @pytest.mark.parametrize("template", TEMPLATES)
    @settings(max_examples=40, deadline=None)
    @given(data=st.data())
    def test_they_come_back_as_they_were(self, template: TaskTemplate, data: st.DataObject) -> None:
        record = data.draw(records(template))
        back = from_label_studio_tasks(to_label_studio_tasks([record], template), template)
        (found,) = back
        assert (found.key, found.fields) == (record.key, record.fields)
        # A prediction has one score for all, and annobridge's name; what suggests the text as it is says nothing.
        start = template.prefilled(record)
        meant = {s.question: s.value for s in record.suggestions if s.value != start.get(s.question)}
        assert {s.question: s.value for s in found.suggestions} == meant
        scores = [s.score for s in record.suggestions if s.score is not None]
        assert {s.score for s in found.suggestions} <= {min(scores, default=None)}

    def test_tasks_of_others(self) -> None:
        region = {"from_name": "rating", "to_name": "prompt", "type": "rating", "value": {"rating": 4}}
        task = {
            "id": 17,
            "data": {"prompt": "p", "response": "r", "source": {"page": 3}},
            "predictions": [{"model_version": "m1", "score": 0.5, "result": [region]}],
        }
        (found,) = from_label_studio_tasks([task], RATING)
        fields = {"prompt": "p", "response": "r"}
        assert found == Record("", fields, (Suggestion("rating", 4, 0.5, "m1"),), {"source": {"page": 3}})

    @pytest.mark.parametrize(
        ("task", "reason"),
        [
            ({}, "it is no task"),
            ({"data": []}, "it is no task"),
            ({"data": {"prompt": "p"}, "predictions": [1]}, "it is no task"),
            ({"data": {"prompt": "p"}}, "response: missing"),
            ({"data": {"prompt": 3, "response": "r"}}, "prompt: a number where a text is expected"),
            (
                {
                    "data": {"prompt": "p", "response": "r"},
                    "predictions": [{"result": [{"from_name": "mood", "value": {"choices": ["glad"]}}]}],
                },
                "'mood': the template 'rating' has no such question",
            ),
        ],
    )
    def test_what_does_not_fit_is_rejected(self, task: dict[str, Any], reason: str) -> None:
        reader = from_label_studio_tasks([task], RATING)
        assert list(reader) == []
        assert [(reject.line, reject.reason) for reject in reader.rejects] == [(1, reason)]

    def test_all_tasks_of_a_page_have_all_of_its_variables(self) -> None:
        two, three = ({"prompt": "p", **{f"response_{n}": str(n) for n in range(1, count + 1)}} for count in (2, 3))
        tasks = to_label_studio_tasks([Record("a", two), Record("b", three)], RANKING)
        assert [task["data"]["response_3"] for task in tasks] == ["", "3"]
        assert [dict(found.fields) for found in from_label_studio_tasks(tasks, RANKING)] == [two, three]
