"""Datasets made by hand on a live Argilla become campaigns: what people see, what they are asked, their answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bridge import Campaign
from bridge.adopting import AdoptResult
from bridge.errors import AuthError, Conflict, InputError, NotFound
from bridge.files import read_lines
from bridge.keys import Secret, save_key
from bridge.records import record_key
from bridge.servers.argilla import Argilla
from bridge.servers.protocol import Project
from bridge.templates import load_template

pytestmark = pytest.mark.live
Adopt = Callable[..., AdoptResult]

TEXT = {"type": "text", "use_markdown": False}


def labels(*values: str, multi: bool = False) -> dict[str, Any]:
    kind = "multi_label_selection" if multi else "label_selection"
    return {"type": kind, "options": [{"value": value, "text": f"It is {value}"} for value in values]}


def rating(*numbers: int) -> dict[str, Any]:
    return {"type": "rating", "required": True, "options": [{"value": number} for number in numbers]}


def span(field: str, *values: str) -> dict[str, Any]:
    options = [{"value": value, "text": value} for value in values]
    return {"type": "span", "field": field, "options": options, "allow_overlapping": False}


def records(folder: Path) -> list[dict[str, Any]]:
    return [row for _, row in read_lines(folder / "records.jsonl") if isinstance(row, dict)]


def left_out(result: AdoptResult, kind: str) -> dict[str, str]:
    return {case.name: case.reason for case in result.dropped if case.kind == kind}


class TestTheWholeWay:
    def test_from_a_dataset_to_training_rows(self, argilla_by_hand: Any, adopt_into: Adopt, title: str) -> None:
        hand = argilla_by_hand
        dataset = hand.dataset(
            title,
            {"prompt": {**TEXT, "title": "Prompt", "required": True}, "response": TEXT},
            {
                "quality": rating(1, 2, 3, 4, 5),
                "verdict": {**labels("good", "bad"), "title": "Is it?", "description": "Be fair."},
                "flaws": labels("rude", "long", multi=True),
                "better": {"type": "text", "use_markdown": False, "title": "Improved response"},
                "parts": span("response", "error"),
            },
            [
                {
                    "external_id": "row-1",
                    "fields": {"prompt": "2 + 2?", "response": "😀 5 &lt; 6"},
                    "metadata": {"batch": "b1", "n": 3},
                    "suggestions": [
                        {"question": "quality", "value": 2, "score": 0.75, "agent": "judge/v1", "type": "model"},
                        {"question": "flaws", "value": ["rude", "long"], "score": [0.9, 0.8], "type": "human"},
                    ],
                },
                {"fields": {"prompt": "Capital of Peru?", "response": "Lima."}},
                {"fields": {"prompt": "3 + 3?"}},
            ],
            guidelines="Read **both**.",
            distribution={"strategy": "overlap", "min_submitted": 2},
        )
        first, second, third = hand.records(dataset)
        # As the page sends it: an emoji is two units.
        spans = [{"start": 3, "end": 4, "label": "error"}]
        hand.answer("ann", first, {"quality": 1, "verdict": "bad", "better": "4", "parts": spans})
        hand.answer("bo", first, {"quality": 2, "verdict": "bad", "flaws": ["rude"]})
        hand.answer("ann", second, {"quality": 5}, "draft")
        hand.answer("bo", third, {"quality": 3}, "discarded")

        result = adopt_into(hand, title)

        assert [case.kind for case in result.dropped] == ["suggestion"], result.dropped
        assert "lowest, 0.8" in result.dropped[0].reason
        assert (result.records, result.suggestions, result.answers.new) == (3, 2, 4)
        campaign = Campaign(result.folder)
        assert campaign.config.annotators_per_record == 2
        assert campaign.config.server.workspace == hand.workspace
        assert campaign.check().rejects == []
        template = campaign.template
        assert template.guidelines == "Read **both**."
        assert [(f.name, f.title, f.required) for f in template.fields] == [
            ("prompt", "Prompt", True),
            ("response", "response", False),
        ]
        verdict = template.question("verdict")
        assert (verdict.title, verdict.description, verdict.required) == ("Is it?", "Be fair.", False)
        assert [(option.value, option.title) for option in verdict.options] == [
            ("good", "It is good"),
            ("bad", "It is bad"),
        ]
        mine = records(result.folder)
        assert mine[0]["key"] == "row-1"
        assert mine[1]["key"] == record_key({"prompt": "Capital of Peru?", "response": "Lima."})
        assert mine[0]["fields"]["response"] == "😀 5 &lt; 6", "only what annobridge sends is escaped"
        assert mine[0]["metadata"] == {"batch": "b1", "n": 3}
        assert mine[0]["suggestions"] == [
            {"question": "quality", "value": 2, "score": 0.75, "agent": "judge/v1", "kind": "model"},
            {"question": "flaws", "value": ["rude", "long"], "score": 0.8, "agent": "", "kind": "human"},
        ]

        answers = {(a.record, campaign.people()[a.annotator]): a for a in campaign.annotations()}
        answer = answers["row-1", "ann"]
        assert answer.answers == {
            "quality": 1,
            "verdict": "bad",
            "flaws": [],
            "better": "4",
            "parts": [{"start": 2, "end": 3, "label": "error"}],
        }
        assert answer.source["task"] == first
        assert answer.source["content"] == record_key(mine[0]["fields"])
        assert answer.created_at.endswith("Z")
        assert {a.status for a in answers.values()} == {"submitted", "draft", "discarded"}
        assert [a.answers for a in answers.values() if a.status == "discarded"] == [{}]
        assert [a.answers["quality"] for a in answers.values() if a.status == "draft"] == [5]

        (dpo,) = campaign.export(["dpo"], ["plain"])
        (row,) = (row for _, row in read_lines(dpo.files[0].path))
        assert (row["prompt"], row["chosen"]) == ("2 + 2?", "4")

    def test_again_new_answers_become_revisions_and_nothing_doubles(
        self, argilla_by_hand: Any, adopt_into: Adopt, title: str
    ) -> None:
        hand = argilla_by_hand
        dataset = hand.dataset(title, {"text": TEXT}, {"quality": rating(1, 2)}, [{"fields": {"text": "a"}}])
        (record,) = hand.records(dataset)
        response = hand.answer("ann", record, {"quality": 1})
        adopt_into(hand, dataset)
        assert vars(adopt_into(hand, dataset).answers) == {"new": 0, "edited": 0, "withdrawn": 0, "unchanged": 1}
        hand.change("ann", response, {"quality": 2})
        hand.answer("bo", record, {"quality": 2})
        again = adopt_into(hand, dataset)
        assert vars(again.answers) == {"new": 1, "edited": 1, "withdrawn": 0, "unchanged": 0}
        history = Campaign(again.folder).annotations(history=True)
        assert sorted((a.answers["quality"], a.revision) for a in history) == [(1, 1), (2, 1), (2, 2)]

    def test_nothing_is_ever_written_to_the_server(
        self, argilla_by_hand: Any, adopt_into: Adopt, title: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from bridge.servers.http import Client

        hand = argilla_by_hand
        dataset = hand.dataset(title, {"text": TEXT}, {"quality": rating(1, 2)}, [{"fields": {"text": "a"}}])
        hand.answer("ann", hand.records(dataset)[0], {"quality": 1})
        asked: list[str] = []
        request = Client.request
        monkeypatch.setattr(
            Client, "request", lambda self, m, path, **rest: (asked.append(m), request(self, m, path, **rest))[1]
        )
        adopt_into(hand, dataset)
        assert set(asked) == {"GET"}


class TestWhatPeopleSee:
    def test_chats_and_markdown_are_taken_and_pictures_and_pages_left_out(
        self, argilla_by_hand: Any, adopt_into: Adopt, title: str
    ) -> None:
        hand = argilla_by_hand
        chat = [{"role": "user", "content": "2 + 2?"}, {"role": "assistant", "content": "<b>5</b>"}]
        fields = {
            "chat": {"type": "chat", "use_markdown": True},
            "photo": {"type": "image"},
            "page": {"type": "custom", "template": "<p>{{record.fields.page.a}}</p>", "advanced_mode": False},
        }
        values = {"chat": chat, "photo": "http://127.0.0.1/a.png", "page": {"a": 1}}
        dataset = hand.dataset(title, fields, {"quality": rating(1, 2)}, [{"fields": values}])
        result = adopt_into(hand, dataset)
        assert result.fields == {"chat": "chat"}
        assert records(result.folder)[0]["fields"] == {"chat": chat}
        assert set(left_out(result, "field")) == {"photo", "page"}
        assert any("Markdown" in note for note in result.notes)

    def test_a_dataset_without_any_text_is_refused(self, argilla_by_hand: Any, adopt_into: Adopt, title: str) -> None:
        hand = argilla_by_hand
        record = {"fields": {"photo": "http://127.0.0.1/a.png"}}
        dataset = hand.dataset(title, {"photo": {"type": "image"}}, {"quality": rating(1, 2)}, [record])
        with pytest.raises(InputError, match=r"no text and no conversation .*'photo'"):
            adopt_into(hand, dataset)


class TestWhatTheyAreAsked:
    def test_scales_with_gaps_other_orders_and_zero(self, argilla_by_hand: Any, adopt_into: Adopt, title: str) -> None:
        hand = argilla_by_hand
        questions = {"odd": rating(5, 1, 3), "ten": rating(*range(11)), "plain": rating(1, 2, 3)}
        dataset = hand.dataset(title, {"text": TEXT}, questions, [{"fields": {"text": "a"}}])
        hand.answer("ann", hand.records(dataset)[0], {"odd": 5, "ten": 0, "plain": 2})
        result = adopt_into(hand, dataset)
        template = load_template(result.folder / "template.yaml")
        scales = {q.name: (q.min, q.max) for q in template.questions if q.type == "rating"}
        assert scales == {"odd": (1, 5), "ten": (0, 10), "plain": (1, 3)}
        assert [note for note in result.notes if "5, 1, 3" in note and "odd" in note]
        assert len(result.notes) == 1
        assert [a.answers for a in Campaign(result.folder).annotations()] == [{"odd": 5, "ten": 0, "plain": 2}]

    def test_a_ranking_of_fields_and_one_of_anything_else(
        self, argilla_by_hand: Any, adopt_into: Adopt, title: str
    ) -> None:
        hand = argilla_by_hand

        def cards(*pairs: tuple[str, str]) -> dict[str, Any]:
            return {"type": "ranking", "options": [{"value": value, "text": text} for value, text in pairs]}

        questions = {
            "order": {**cards(("response-1", "First"), ("response-2", "Second")), "required": True},
            "values": cards(("speed", "Speed"), ("style", "Style")),
        }
        values = {"instruction": "p", "response-1": "one", "response-2": "two"}
        dataset = hand.dataset(title, dict.fromkeys(values, TEXT), questions, [{"fields": values}])
        order = [{"value": "response-1", "rank": 2}, {"value": "response-2", "rank": 1}]
        other = [{"value": "speed", "rank": 1}, {"value": "style", "rank": 1}]
        hand.answer("ann", hand.records(dataset)[0], {"order": order, "values": other})
        result = adopt_into(hand, dataset)
        assert result.fields.keys() == {"instruction", "response_1", "response_2"}
        assert set(left_out(result, "question")) == {"values"}
        assert "no field of the dataset" in left_out(result, "question")["values"]
        assert set(left_out(result, "answer")) == {"values"}
        (answer,) = Campaign(result.folder).annotations()
        assert answer.answers == {"order": {"response_2": 1, "response_1": 2}}
        (dpo,) = Campaign(result.folder).export(["dpo"], ["plain"])
        (row,) = (row for _, row in read_lines(dpo.files[0].path))
        assert (row["prompt"], row["chosen"], row["rejected"]) == ("p", "two", "one")

    def test_any_language_in_names_and_values(self, argilla_by_hand: Any, adopt_into: Adopt, title: str) -> None:
        hand = argilla_by_hand
        questions = {"качество": {**labels("好", "جيد"), "required": True}, "id": labels("a", "b")}
        dataset = hand.dataset(
            title,
            {"вопрос / q": {**TEXT, "title": "Вопрос"}, "回答": TEXT},
            questions,
            [{"fields": {"вопрос / q": "да?", "回答": "<i>是</i>"}}],
        )
        hand.answer("ann", hand.records(dataset)[0], {"качество": "جيد"})
        result = adopt_into(hand, dataset)
        assert result.complete, result.dropped
        template = load_template(result.folder / "template.yaml")
        assert [(f.name, f.title) for f in template.fields] == [("field_1", "Вопрос"), ("field_2", "回答")]
        assert [(q.name, q.title) for q in template.questions] == [("question_1", "качество"), ("id", "id")]
        assert [a.answers for a in Campaign(result.folder).annotations()] == [{"question_1": "جيد"}]


class TestRefusals:
    def test_a_name_that_no_dataset_has(self, argilla_by_hand: Any, adopt_into: Adopt) -> None:
        with pytest.raises(NotFound, match="no dataset 'nothing like it'"):
            adopt_into(argilla_by_hand, "nothing like it")

    def test_a_name_that_two_workspaces_have(self, argilla_by_hand: Any, adopt_into: Adopt, title: str) -> None:
        hand = argilla_by_hand
        other = title.replace(" ", "-")
        workspace = hand.request("POST", "/workspaces", {"name": other})["id"]
        owner = hand.request("GET", "/me")["id"]
        hand.request("POST", f"/workspaces/{workspace}/users", {"user_id": owner})
        made = {"fields": {"text": "a"}}
        hand.dataset(title, {"text": TEXT}, {"quality": rating(1, 2)}, [made])
        there = hand.dataset(title, {"text": TEXT}, {"quality": rating(1, 2)}, [made], workspace_id=workspace)
        with pytest.raises(Conflict, match="2 datasets are called") as failed:
            adopt_into(hand, title)
        assert "--workspace" in failed.value.remedy
        assert adopt_into(hand, title, workspace=other).project == there
        with pytest.raises(NotFound, match="there is no workspace 'nowhere'"):
            adopt_into(hand, title, workspace="nowhere")

    def test_a_wrong_key(self, argilla_by_hand: Any, adopt_into: Adopt, title: str) -> None:
        save_key(argilla_by_hand.url, Secret("wrong"))
        with pytest.raises(AuthError):
            adopt_into(argilla_by_hand, title)

    def test_a_dataset_of_ours(self, argilla_by_hand: Any, argilla: Any, adopt_into: Adopt, title: str) -> None:
        server = Argilla(argilla.url, argilla.api_key, argilla.workspace)
        server.ensure(Project(title, load_template("rating")), create=True)
        server.close()
        with pytest.raises(Conflict, match="was made by annobridge"):
            adopt_into(argilla_by_hand, title)

    def test_a_dataset_without_records(
        self, argilla_by_hand: Any, adopt_into: Adopt, title: str, tmp_path: Path
    ) -> None:
        dataset = argilla_by_hand.dataset(title, {"text": TEXT}, {"quality": rating(1, 2)}, [])
        with pytest.raises(InputError, match="has no records"):
            adopt_into(argilla_by_hand, dataset)
        assert not (tmp_path / "adopted").exists()
