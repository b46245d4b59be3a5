"""Templates and records as the objects of Argilla's SDK, with the real SDK and without a server."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import argilla
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import UsageError, ValueRejected
from bridge.interop import from_argilla_records, to_argilla_records
from bridge.records import Record, Suggestion, wire_id
from bridge.servers.argilla_kinds import fields_of, questions_of
from bridge.servers.argilla_records import item_of
from bridge.templates import TaskTemplate, load_template, template_names
from tests.interop.strategies import records

RATING, RANKING, REVIEW = (load_template(name) for name in ("rating", "ranking", "review"))
TEMPLATES = [pytest.param(load_template(name), id=name) for name in template_names()]


class TestSettings:
    @pytest.mark.parametrize("template", TEMPLATES)
    def test_they_are_the_adapters(self, template: TaskTemplate) -> None:
        made = template.to_argilla_settings(3, annotators_per_record=2)
        assert isinstance(made, argilla.Settings)
        made.validate()
        sent = made.serialize()
        assert [shape(field) for field in sent["fields"]] == fields_of(template, 3)
        assert [shape(question) for question in sent["questions"]] == questions_of(template, 3)
        assert sent["distribution"] == {"strategy": "overlap", "min_submitted": 2}
        assert sent["allow_extra_metadata"] is True
        (key,) = sent["metadata"]
        assert (key["name"], key["visible_for_annotators"]) == ("bridge_key", False)

    def test_a_dataset_can_be_made_of_them(self, client: Any) -> None:
        dataset = argilla.Dataset("ours", settings=REVIEW.to_argilla_settings(), client=client)
        assert [question.name for question in dataset.questions] == ["rating", "label", "improved_response"]
        assert dataset.settings.serialize() == REVIEW.to_argilla_settings().serialize()

    def test_guidelines_are_never_read_from_a_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "notes").write_text("a secret")
        template = RATING.model_copy(update={"guidelines": "notes"})
        assert template.to_argilla_settings().guidelines == "notes\n"

    def test_a_name_that_the_sdk_cannot_hold_is_named(self) -> None:
        template = of_one_field("index", {"name": "rating", "type": "rating", "title": "R"})
        with pytest.raises(UsageError, match="'index' conflicts"):
            template.to_argilla_settings()

    def test_what_argilla_cannot_ask_is_said_before(self) -> None:
        template = of_one_field("prompt", {"name": "label", "type": "label", "title": "L", "options": ["only"]})
        with pytest.raises(UsageError, match="question 'label'"):
            template.to_argilla_settings()


def of_one_field(name: str, question: dict[str, Any]) -> TaskTemplate:
    fields = [{"name": name, "title": "F"}]
    return TaskTemplate.model_validate(
        {"version": 1, "name": "t", "title": "T", "fields": fields, "questions": [question]}
    )


def shape(body: dict[str, Any]) -> dict[str, Any]:
    """What the SDK would send, without what it adds: ids, and what is None or the server's own default."""
    own = {name: value for name, value in body["settings"].items() if name not in ("visible_options", "options_order")}
    if "options" in own and own["type"] == "rating":
        own["options"] = [{"value": option["value"]} for option in own["options"]]
    kept = {name: body[name] for name in ("name", "title", "required", "description") if body[name] is not None}
    return {**kept, "settings": own}


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The SDK's client, as far as it comes without a server."""
    monkeypatch.setattr(argilla.Argilla, "_validate_connection", lambda self: None)
    monkeypatch.setattr(argilla.Argilla, "_default_client", None)
    return argilla.Argilla("http://127.0.0.1:9", "key")


@pytest.mark.parametrize("sdk", ["argilla", "requests"])
def test_a_missing_sdk_is_one_clear_error(sdk: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "argilla")
    for name in [name for name in sys.modules if name.startswith("argilla.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, sdk, None)
    with pytest.raises(UsageError) as caught:
        RATING.to_argilla_settings()
    assert caught.value.remedy == "pip install 'annobridge[argilla]'"


class TestRecords:
    @pytest.mark.parametrize("template", TEMPLATES)
    @settings(max_examples=40, deadline=None)
    @given(data=st.data())
    def test_they_come_back_as_they_were(self, template: TaskTemplate, data: st.DataObject) -> None:
        record = data.draw(records(template))
        (there,) = to_argilla_records([record], template)
        assert isinstance(there, argilla.Record)
        back = from_argilla_records([there], template)
        assert [found.to_dict() for found in back] == [record.to_dict()], back.rejects

    @pytest.mark.parametrize("template", TEMPLATES)
    @settings(max_examples=10, deadline=None)
    @given(data=st.data())
    def test_the_sdk_sends_what_the_adapter_sends(self, template: TaskTemplate, data: st.DataObject) -> None:
        record = data.draw(records(template))
        (there,) = to_argilla_records([record], template, 5)
        there.dataset = SimpleNamespace(settings=template.to_argilla_settings(5), name="ours")  # type: ignore[assignment]
        sent = there.api_model().model_dump()
        item = item_of(record, template, 5)
        assert sent["external_id"] == item["external_id"] == wire_id(record.key)
        assert there.fields.to_dict() == item["fields"]
        assert item["metadata"].items() <= sent["metadata"].items()
        keys = ("value", "score", "agent", "type")
        assert [[s["question_name"], *(s[key] for key in keys)] for s in sent["suggestions"]] == [
            [s["question"], *(s.get(key) for key in keys)] for s in item["suggestions"]
        ]

    def test_nothing_that_is_written_can_run(self) -> None:
        (there,) = to_argilla_records([Record("r", {"prompt": "<script>x()</script>", "response": "&lt;"})], RATING)
        assert dict(there.fields) == {"prompt": "&lt;script&gt;x()&lt;/script&gt;", "response": "&amp;lt;"}

    def test_records_of_others_are_taken_as_they_are(self) -> None:
        theirs = argilla.Record(
            id=7,  # type: ignore[arg-type]
            fields={"prompt": "&lt;?", "response": "b"},
            metadata={"source": "web"},
            suggestions=[argilla.Suggestion("rating", 4, score=0.5, agent="m")],
        )
        (found,) = from_argilla_records([theirs], RATING)
        assert found == Record(
            "7", {"prompt": "&lt;?", "response": "b"}, (Suggestion("rating", 4, 0.5, "m"),), {"source": "web"}
        )

    def test_a_ranking_that_the_sdk_has_read_is_an_order(self) -> None:
        fields = {"prompt": "p", "response_1": "a", "response_2": "b"}
        theirs = argilla.Record(
            id="r", fields=fields, suggestions=[argilla.Suggestion("ranking", ["response_2", "response_1"])]
        )
        (found,) = from_argilla_records([theirs], RANKING)
        assert found.suggestions[0].value == {"response_1": 2, "response_2": 1}

    def test_what_does_not_fit_is_rejected_with_its_number(self) -> None:
        def record(key: str, fields: dict[str, str], *suggested: tuple[str, Any]) -> argilla.Record:
            suggestions = [argilla.Suggestion(question, value) for question, value in suggested]
            return argilla.Record(id=key, fields={"prompt": "p", **fields}, suggestions=suggestions)

        good = record("1", {"response": "r"})
        odd = [
            record("2", {}),
            record("3", {"response": "r", "other": "o"}),
            record("4", {"response": "s"}, ("rating", 9)),
            record("5", {"response": "t"}, ("mood", 1)),
            record("6", {"response": "u"}, ("rating", "good")),
        ]
        reader = from_argilla_records([good, *odd], RATING)
        assert [record.key for record in reader] == ["1"]
        assert [(reject.line, reject.reason.partition(":")[0]) for reject in reader.rejects] == [
            (2, "response"),
            (3, "'other'"),
            (4, "rating"),
            (5, "'mood'"),
            (6, "rating"),
        ]

    def test_a_message_that_argilla_cannot_hold_is_named(self) -> None:
        chat = [{"role": "a-very-long-role-name-indeed", "content": "x"}]
        with pytest.raises(ValueRejected, match="messages: message 1"):
            to_argilla_records([Record("r", {"messages": chat})], load_template("chat_review"))


def test_a_ranking_with_fewer_responses_than_cards_has_no_suggestion_of_its_own() -> None:
    template = load_template("ranking")
    pair = Record("pair", {"prompt": "p", "response_1": "1", "response_2": "2"})
    triple = Record("triple", {**pair.fields, "response_3": "3"})
    assert list(from_argilla_records(to_argilla_records([pair, triple], template), template)) == [pair, triple]
