"""Projects made by hand on a live Label Studio become campaigns: what people see, are asked, and answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bridge import Campaign
from bridge.adopting import AdoptResult
from bridge.errors import AuthError, ConfigError, Conflict, InputError, NotFound, UsageError
from bridge.files import read_lines
from bridge.keys import Secret, save_key
from bridge.records import record_key
from bridge.servers.label_studio import LabelStudio
from bridge.servers.protocol import Project
from bridge.templates import load_template

pytestmark = pytest.mark.live
Adopt = Callable[..., AdoptResult]

REVIEW = """
<View>
  <Style>.keep {white-space: pre-wrap}</Style>
  <View style="display: grid">
    <View className="card"><Header value="Prompt"/><Text name="p" value="$prompt"/></View>
    <View className="card"><Header value="Response"/><View><Text name="r" value="$response"/></View></View>
  </View>
  <Header value="How good is it?"/>
  <Rating name="stars" toName="r" maxRating="5" required="true"/>
  <Choices name="verdict" toName="r" choice="single" required="true">
    <Choice value="Right" alias="RIGHT"/><Choice value="Wrong" alias="WRONG"/>
  </Choices>
  <Choices name="flaws" toName="r" choice="multiple"><Choice value="rude"/><Choice value="long-winded"/></Choices>
  <Labels name="parts" toName="r"><Label value="error"/><Label value="Füllwort" alias="filler"/></Labels>
  <View visibleWhen="choice-selected" whenTagName="verdict" whenChoiceValue="WRONG">
    <TextArea name="better" toName="r" value="$response" maxSubmissions="1" required="true"/>
  </View>
</View>
"""


def choice(name: str, *values: str) -> dict[str, Any]:
    return {"from_name": name, "to_name": "r", "type": "choices", "value": {"choices": list(values)}}


def stars(number: int) -> dict[str, Any]:
    return {"from_name": "stars", "to_name": "r", "type": "rating", "value": {"rating": number}}


def text(name: str, *texts: str) -> dict[str, Any]:
    return {"from_name": name, "to_name": "r", "type": "textarea", "value": {"text": list(texts)}}


def passage(name: str, start: int, end: int, label: str, marked: str | None = None) -> dict[str, Any]:
    value = {"start": start, "end": end, "labels": [label]} | ({"text": marked} if marked is not None else {})
    return {"from_name": name, "to_name": "r", "type": "labels", "value": value}


def records(folder: Path) -> list[dict[str, Any]]:
    return [row for _, row in read_lines(folder / "records.jsonl") if isinstance(row, dict)]


def left_out(result: AdoptResult, kind: str) -> dict[str, str]:
    return {case.name: case.reason for case in result.dropped if case.kind == kind}


class TestTheWholeWay:
    def test_from_a_project_to_training_rows(self, by_hand: Any, adopt_into: Adopt, title: str) -> None:
        tasks = [
            {"prompt": "2 + 2?", "response": "5 😀 is it", "source": "model-a"},
            {"prompt": "Capital of Peru?", "response": "Lima.", "source": "model-b"},
            {"prompt": "3 + 3?", "response": "6"},
        ]
        project = by_hand.project(
            title, REVIEW, tasks, expert_instruction="<p>Be <b>fair</b>.</p>", maximum_annotations=2
        )
        first, second, third = by_hand.tasks(project)
        by_hand.answer("ann", first, stars(1), choice("verdict", "WRONG"), text("better", "4"), lead_time=12.5)
        by_hand.answer("bo", first, stars(2), choice("verdict", "WRONG"), passage("parts", 2, 3, "error", "😀"))
        by_hand.answer("ann", second, stars(5), choice("verdict", "RIGHT"), choice("flaws", "rude"))
        by_hand.answer("bo", third, stars(3), was_cancelled=True)

        result = adopt_into(by_hand, title)

        assert result.complete, result.dropped
        assert (result.records, result.answers.new) == (3, 4)
        campaign = Campaign(result.folder)
        assert campaign.config.project == title
        assert campaign.config.annotators_per_record == 2
        assert campaign.check().rejects == []
        assert campaign.template.guidelines == "Be fair."
        assert [(f.name, f.title) for f in campaign.template.fields] == [("prompt", "Prompt"), ("response", "Response")]
        assert {q.name: q.type for q in campaign.template.questions} == {
            "stars": "rating",
            "verdict": "label",
            "flaws": "multi_label",
            "parts": "span",
            "better": "text",
        }
        assert campaign.template.question("stars").title == "How good is it?"
        better = campaign.template.question("better")
        assert better.required_when == {"verdict": ["WRONG"]}
        assert records(result.folder)[0]["metadata"] == {"source": "model-a"}

        mine = {(a.record, campaign.people()[a.annotator]): a for a in campaign.annotations()}
        key = record_key({"prompt": "2 + 2?", "response": "5 😀 is it"})
        answer = mine[key, "ann@example.org"]
        assert answer.answers == {"stars": 1, "verdict": "WRONG", "flaws": [], "parts": [], "better": "4"}
        assert (answer.status, answer.revision, answer.lead_time_s) == ("submitted", 1, 12.5)
        assert answer.source["server"] == "label-studio"
        assert (answer.source["project"], answer.source["task"]) == (str(project), str(first))
        assert answer.created_at.endswith("Z")
        assert mine[key, "bo@example.org"].answers["parts"] == [{"start": 2, "end": 3, "label": "error"}]
        assert [a.answers for a in mine.values() if a.status == "discarded"] == [{}]

        assert campaign.merge().outcomes()["verdict"]["agreed"] == 2
        (dpo,) = campaign.export(["dpo"], ["plain"])
        (row,) = (row for _, row in read_lines(dpo.files[0].path))
        assert (row["prompt"], row["chosen"], row["rejected"]) == ("2 + 2?", "4", "5 😀 is it")

    def test_again_new_answers_become_revisions_and_nothing_doubles(
        self, by_hand: Any, adopt_into: Adopt, title: str
    ) -> None:
        project = by_hand.project(title, REVIEW, [{"prompt": "p", "response": "r"}])
        (task,) = by_hand.tasks(project)
        mine = by_hand.answer("ann", task, stars(1), choice("verdict", "RIGHT"))
        other = by_hand.answer("bo", task, stars(2), choice("verdict", "RIGHT"))
        folder = adopt_into(by_hand, project).folder
        files = {path.name: path.read_bytes() for path in folder.glob("[a-z]*.*")}

        again = adopt_into(by_hand, project)
        assert vars(again.answers) == {"new": 0, "edited": 0, "withdrawn": 0, "unchanged": 2}
        assert {path.name: path.read_bytes() for path in folder.glob("[a-z]*.*")} == files

        by_hand.change("ann", mine, stars(4), choice("verdict", "RIGHT"))
        by_hand.withdraw("bo", other)
        by_hand.add(project, [{"prompt": "p2", "response": "r2"}])
        again = adopt_into(by_hand, project)
        assert vars(again.answers) == {"new": 0, "edited": 1, "withdrawn": 1, "unchanged": 0}
        assert again.records == 2
        history = Campaign(folder).annotations(history=True)
        assert sorted((a.answers["stars"], a.revision, a.deleted) for a in history) == [
            (1, 1, False),
            (2, 1, False),
            (2, 2, True),
            (4, 2, False),
        ]

    def test_nothing_is_ever_written_to_the_server(
        self, by_hand: Any, adopt_into: Adopt, title: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from bridge.servers.http import Client

        project = by_hand.project(title, REVIEW, [{"prompt": "p", "response": "r"}])
        asked: list[tuple[str, str]] = []
        request = Client.request
        monkeypatch.setattr(
            Client,
            "request",
            lambda self, m, path, **rest: (asked.append((m, path)), request(self, m, path, **rest))[1],
        )
        adopt_into(by_hand, project)
        assert {(method, path) for method, path in asked if method != "GET"} <= {("POST", "/api/token/refresh/")}
        assert asked


class TestWhatPeopleSee:
    def test_dialogues_pages_headers_and_nested_views(self, by_hand: Any, adopt_into: Adopt, title: str) -> None:
        config = """
        <View><View><View style="color: red">
          <Header value="$topic"/>
          <Paragraphs name="talk" value="$dialogue" layout="dialogue" nameKey="who" textKey="says"/>
        </View></View>
        <HyperText name="page" value="$html"/>
        <Choices name="ok" toName="talk"><Choice value="yes"/><Choice value="no"/></Choices></View>
        """
        turns = [{"who": "Ann", "says": "Shall we?", "at": 3}, {"who": "Бо", "says": "Да."}]
        project = by_hand.project(title, config, [{"topic": "tea", "dialogue": turns, "html": "<p>a &lt; b</p>"}])
        result = adopt_into(by_hand, project)
        assert result.fields == {"topic": "text", "dialogue": "transcript", "html": "text"}
        assert records(result.folder)[0]["fields"] == {
            "topic": "tea",
            "dialogue": [{"role": "Ann", "content": "Shall we?"}, {"role": "Бо", "content": "Да."}],
            "html": "<p>a &lt; b</p>",
        }
        assert any("HyperText" in note for note in result.notes)
        assert any("who said them" in note for note in result.notes)

    def test_a_dialogue_of_user_and_assistant_is_a_chat(self, by_hand: Any, adopt_into: Adopt, title: str) -> None:
        config = """<View><Paragraphs name="m" value="$messages" nameKey="role" textKey="content"/>
        <TextArea name="rewrite" toName="m"/></View>"""
        chat = [{"role": "user", "content": "2 + 2?"}, {"role": "assistant", "content": "5"}]
        project = by_hand.project(title, config, [{"messages": chat}])
        (task,) = by_hand.tasks(project)
        by_hand.answer("ann", task, {**text("rewrite", "4"), "to_name": "m"})
        result = adopt_into(by_hand, project)
        assert result.fields == {"messages": "chat"}
        (sft,) = Campaign(result.folder).export(["sft"], ["plain"])
        assert sft.kept == 1

    def test_a_variable_that_some_tasks_lack_is_not_required(self, by_hand: Any, adopt_into: Adopt, title: str) -> None:
        one = '<View><Text name="r" value="$response"/><Rating name="stars" toName="r"/></View>'
        both = one.replace("<Rating", '<Text name="c" value="$context"/><Rating')
        project = by_hand.project(title, one, [{"response": "a"}, {"response": "b"}])
        by_hand.http.request("PATCH", f"/api/projects/{project}/", body={"label_config": both})
        by_hand.add(project, [{"response": "c", "context": "d"}, {"response": " ", "context": ""}])
        result = adopt_into(by_hand, project)
        template = load_template(result.folder / "template.yaml")
        assert [(field.name, field.required) for field in template.fields] == [("response", False), ("context", False)]
        assert [record["fields"] for record in records(result.folder)] == [
            {"response": "a"},
            {"response": "b"},
            {"response": "c", "context": "d"},
        ]
        assert "none of the fields" in next(iter(left_out(result, "record").values()))

    def test_pictures_and_sounds_are_left_out_by_name(self, by_hand: Any, adopt_into: Adopt, title: str) -> None:
        config = """<View><Image name="photo" value="$image"/><Audio name="voice" value="$audio"/>
        <Text name="r" value="$caption"/>
        <RectangleLabels name="box" toName="photo"><Label value="cat"/></RectangleLabels>
        <Rating name="stars" toName="photo"/></View>"""
        task = {"image": "http://127.0.0.1/a.png", "audio": "http://127.0.0.1/a.mp3", "caption": "A cat."}
        project = by_hand.project(title, config, [task])
        (number,) = by_hand.tasks(project)
        box = {"x": 1, "y": 1, "width": 5, "height": 5, "rotation": 0, "rectanglelabels": ["cat"]}
        by_hand.answer(
            "ann",
            number,
            stars(4),
            {"from_name": "box", "to_name": "photo", "type": "rectanglelabels", "value": box},
        )
        result = adopt_into(by_hand, project)
        assert result.fields == {"caption": "text"}
        assert set(left_out(result, "field")) == {"photo", "voice"}
        assert set(left_out(result, "question")) == {"box"}
        assert set(left_out(result, "answer")) == {"box"}
        assert [a.answers for a in Campaign(result.folder).annotations()] == [{"stars": 4}]
        assert records(result.folder)[0]["metadata"] == {"image": task["image"], "audio": task["audio"]}

    def test_a_project_without_any_text_is_refused(self, by_hand: Any, adopt_into: Adopt, title: str) -> None:
        config = '<View><Image name="photo" value="$image"/><Rating name="stars" toName="photo"/></View>'
        project = by_hand.project(title, config, [{"image": "http://127.0.0.1/a.png"}])
        with pytest.raises(InputError, match=r"no text and no conversation .*'photo': .* an Image") as failed:
            adopt_into(by_hand, project)
        assert "nothing was written" in failed.value.remedy


class TestWhatTheyAreAsked:
    def test_a_scale_of_choices_is_a_rating_and_other_numbered_choices_are_labels(
        self, by_hand: Any, adopt_into: Adopt, title: str
    ) -> None:
        config = """<View><Text name="r" value="$response"/>
        <Choices name="likert" toName="r">
          <Choice value="1 - very bad"/><Choice value="2"/><Choice value="3 - fine"/></Choices>
        <Choices name="topic" toName="r">
          <Choice value="1. Tea"/><Choice value="2. Rain"/><Choice value="3. Other"/></Choices>
        </View>"""
        project = by_hand.project(title, config, [{"response": "a"}])
        (task,) = by_hand.tasks(project)
        by_hand.answer("ann", task, choice("likert", "3 - fine"), choice("topic", "2. Rain"))
        result = adopt_into(by_hand, project)
        likert = load_template(result.folder / "template.yaml").question("likert")
        assert (likert.type, likert.min, likert.max, likert.labels) == ("rating", 1, 3, {1: "very bad", 3: "fine"})
        assert result.questions == {"likert": "rating", "topic": "label"}
        assert [a.answers for a in Campaign(result.folder).annotations()] == [{"likert": 3, "topic": "2. Rain"}]
        assert any("likert: its choices are a scale from 1 to 3" in note for note in result.notes)
        assert any("topic" in note and "label" in note for note in result.notes)

    def test_comparing_two_and_ranking_a_list(self, by_hand: Any, adopt_into: Adopt, title: str) -> None:
        config = """<View><Text name="p" value="$prompt"/>
        <Text name="one" value="$a"/><Text name="two" value="$b"/><Pairwise name="pick" toName="one,two"/>
        <List name="found" value="$items"/><Ranker name="order" toName="found"/></View>"""
        items = [{"id": "x", "title": "X", "body": "first"}, {"id": "y", "title": "Y"}, {"id": "z", "title": "Z"}]
        project = by_hand.project(title, config, [{"prompt": "p", "a": "left", "b": "right", "items": items}])
        (task,) = by_hand.tasks(project)
        by_hand.answer(
            "ann",
            task,
            {"from_name": "pick", "to_name": "one", "type": "pairwise", "value": {"selected": "right"}},
            {
                "from_name": "order",
                "to_name": "found",
                "type": "ranker",
                "value": {"ranker": {"rank": ["z", "x", "y"]}},
            },
        )
        result = adopt_into(by_hand, project)
        assert result.complete, result.dropped
        assert records(result.folder)[0]["fields"] == {
            "prompt": "p",
            "a": "left",
            "b": "right",
            "items_1": "X\nfirst",
            "items_2": "Y",
            "items_3": "Z",
        }
        (answer,) = Campaign(result.folder).annotations()
        assert answer.answers == {"pick": "B", "order": {"items_3": 1, "items_1": 2, "items_2": 3}}
        (dpo,) = Campaign(result.folder).export(["dpo"], ["plain"])
        pairs = [(row["chosen"], row["rejected"]) for _, row in read_lines(dpo.files[0].path)]
        assert ("right", "left") in pairs
        assert ("Z", "Y") in pairs

    def test_several_texts_of_one_person_are_joined(self, by_hand: Any, adopt_into: Adopt, title: str) -> None:
        config = '<View><Text name="r" value="$response"/><TextArea name="notes" toName="r"/></View>'
        project = by_hand.project(title, config, [{"response": "a"}])
        (task,) = by_hand.tasks(project)
        by_hand.answer("ann", task, text("notes", "one", "two"))
        result = adopt_into(by_hand, project)
        assert [a.answers for a in Campaign(result.folder).annotations()] == [{"notes": "one\ntwo"}]
        assert any("joined" in note for note in result.notes)

    def test_questions_that_a_template_cannot_ask_are_left_out_with_their_answers(
        self, by_hand: Any, adopt_into: Adopt, title: str
    ) -> None:
        config = """<View><Text name="r" value="$response"/>
        <Labels name="parts" toName="r"><Label value="error"/></Labels>
        <TextArea name="why" toName="r" perRegion="true"/>
        <Taxonomy name="tree" toName="r"><Choice value="a"><Choice value="b"/></Choice></Taxonomy>
        <DateTime name="day" toName="r" only="date"/></View>"""
        project = by_hand.project(title, config, [{"response": "Lima."}])
        (task,) = by_hand.tasks(project)
        by_hand.answer(
            "ann",
            task,
            {**passage("parts", 0, 4, "error", "Lima"), "id": "x1"},
            {**text("why", "not Lima"), "id": "x1"},
        )
        result = adopt_into(by_hand, project)
        assert set(left_out(result, "question")) == {"why", "tree", "day"}
        assert "perRegion" in left_out(result, "question")["why"]
        (case,) = [case for case in result.dropped if case.kind == "answer"]
        assert (case.name, case.record) == ("why", record_key({"response": "Lima."}))
        (answer,) = Campaign(result.folder).annotations()
        assert answer.answers == {"parts": [{"start": 0, "end": 4, "label": "error"}]}
        lines = [row for _, row in read_lines(result.folder / "out" / "not_adopted.jsonl")]
        assert lines == [case.to_dict() for case in result.dropped]

    def test_any_language_and_markup_in_names_and_values(self, by_hand: Any, adopt_into: Adopt, title: str) -> None:
        config = """<View><Text name="текст" value="$ответ"/>
        <Choices name="качество" toName="текст"><Choice value="хорошо"/><Choice value="плохо"/></Choices>
        <Choices name="质量" toName="текст"><Choice value="好"/>
          <Choice value="&lt;b&gt; &quot;x&quot; &amp; 'y'"/></Choices>
        <Choices name="جودة" toName="текст" choice="multiple"><Choice value="جيد"/></Choices>
        <Choices name="Qualité" toName="текст"><Choice value="oui"/><Choice value="non"/></Choices></View>"""
        project = by_hand.project(title, config, [{"ответ": "да"}])
        (task,) = by_hand.tasks(project)
        markup = "<b> \"x\" & 'y'"
        given = [("качество", "плохо"), ("质量", markup), ("جودة", "جيد"), ("Qualité", "non")]
        by_hand.answer("ann", task, *({**choice(name, value), "to_name": "текст"} for name, value in given))
        result = adopt_into(by_hand, project)
        assert result.complete, result.dropped
        template = load_template(result.folder / "template.yaml")
        assert [(f.name, f.title) for f in template.fields] == [("field_1", "ответ")]
        assert [(q.name, q.title) for q in template.questions] == [
            ("question_1", "качество"),
            ("question_2", "质量"),
            ("question_3", "جودة"),
            ("qualite", "Qualité"),
        ]
        (answer,) = Campaign(result.folder).annotations()
        assert answer.answers == {"question_1": "плохо", "question_2": markup, "question_3": ["جيد"], "qualite": "non"}
        assert Campaign(result.folder).merge().problems == []


class TestRecordsAndAnswers:
    CONFIG = """<View><Text name="r" value="$response"/>
    <Choices name="verdict" toName="r"><Choice value="good"/><Choice value="bad"/></Choices>
    <Labels name="parts" toName="r"><Label value="error"/></Labels></View>"""

    def test_the_users_own_id_is_the_key_where_it_stands_alone(
        self, by_hand: Any, adopt_into: Adopt, title: str
    ) -> None:
        tasks = [{"response": "a", "id": "row-1"}, {"response": "b", "id": "same"}, {"response": "c", "id": "same"}]
        project = by_hand.project(title, self.CONFIG, [*tasks, {"response": "d"}])
        by_hand.answer("ann", by_hand.tasks(project)[0], choice("verdict", "good"))
        result = adopt_into(by_hand, project)
        keys = [record["key"] for record in records(result.folder)]
        assert keys == ["row-1", *(record_key({"response": text}) for text in "bcd")]
        (answer,) = Campaign(result.folder).annotations()
        assert answer.source["content"] == record_key({"response": "a"})
        assert len(Campaign(result.folder).merge().kept) == 1

    def test_the_same_text_twice_is_one_record_with_all_its_answers(
        self, by_hand: Any, adopt_into: Adopt, title: str
    ) -> None:
        project = by_hand.project(title, self.CONFIG, [{"response": "a"}, {"response": "a"}])
        for who, task in zip(("ann", "bo"), by_hand.tasks(project), strict=True):
            by_hand.answer(who, task, choice("verdict", "good"))
        result = adopt_into(by_hand, project)
        assert (result.records, result.answers.new) == (1, 2)
        assert "same text" in next(iter(left_out(result, "record").values()))
        (merged,) = Campaign(result.folder).merge().kept
        assert len(merged.answers["verdict"].annotators) == 2

    def test_predictions_become_suggestions(self, by_hand: Any, adopt_into: Adopt, title: str) -> None:
        def predicted(value: str, model: str, score: float | None) -> dict[str, Any]:
            return {"model_version": model, "score": score, "result": [choice("verdict", value)]}

        task = {
            "data": {"response": "a"},
            "predictions": [
                predicted("good", "judge/v1", 0.9),
                predicted("bad", "judge/v2", 7.5),
                predicted("ugly", "judge/v3", None),
            ],
        }
        result = adopt_into(by_hand, by_hand.project(title, self.CONFIG, [task]))
        suggestions = records(result.folder)[0]["suggestions"]
        assert [(s["value"], s["score"], s["agent"]) for s in suggestions] == [
            ("good", 0.9, "judge/v1"),
            ("bad", None, "judge/v2"),
        ]
        reasons = [case.reason for case in result.dropped if case.kind == "suggestion"]
        assert len(reasons) == 2
        assert any("7.5" in reason for reason in reasons)
        assert any("'ugly' is not one of its labels" in reason for reason in reasons)
        assert Campaign(result.folder).check().rejects == []

    def test_imported_answers_and_what_fits_no_question(self, by_hand: Any, adopt_into: Adopt, title: str) -> None:
        task = {
            "data": {"response": "Lima is it"},
            "meta": {"batch": 7},
            "annotations": [
                {"result": [choice("verdict", "ugly"), passage("parts", 0, 4, "error", "Lima")]},
                {"result": [choice("verdict", "bad"), passage("parts", 0, 4, "error", "Rome")], "ground_truth": False},
                {"result": [choice("gone", "x")], "ground_truth": False},
            ],
        }
        result = adopt_into(by_hand, by_hand.project(title, self.CONFIG, [task]))
        kinds = [(case.kind, case.name) for case in result.dropped]
        assert sorted(kinds) == [
            ("answer", "gone"),
            ("answer", "parts"),
            ("answer", "verdict"),
            ("mark", "ground truth"),
        ]
        assert "'Rome' was marked" in left_out(result, "answer")["parts"]
        assert "ugly" in left_out(result, "answer")["verdict"]
        assert records(result.folder)[0]["metadata"] == {"meta": {"batch": 7}}
        assert len(Campaign(result.folder).annotations(history=True)) == 3


class TestTheFolder:
    CONFIG = '<View><Text name="r" value="$response"/><Rating name="stars" toName="r"/></View>'

    def test_an_edited_template_is_kept(self, by_hand: Any, adopt_into: Adopt, title: str) -> None:
        project = by_hand.project(title, self.CONFIG, [{"response": "a"}])
        folder = adopt_into(by_hand, project).folder
        path = folder / "template.yaml"
        mine = path.read_text().replace("title: stars", "title: How good?")
        path.write_text(mine)
        again = adopt_into(by_hand, project)
        assert again.template_kept
        assert path.read_text() == mine
        assert not (folder / "out" / "template.yaml").exists()

        config = self.CONFIG.replace("</View>", '<TextArea name="why" toName="r"/></View>')
        by_hand.http.request("PATCH", f"/api/projects/{project}/", body={"label_config": config})
        again = adopt_into(by_hand, project)
        assert path.read_text() == mine
        assert "why" in (folder / "out" / "template.yaml").read_text()
        assert not again.complete
        assert left_out(again, "template").keys() == {"template.yaml"}

        path.unlink()
        assert adopt_into(by_hand, project).questions == {"stars": "rating", "why": "text"}

    def test_an_untouched_template_follows_the_project(self, by_hand: Any, adopt_into: Adopt, title: str) -> None:
        project = by_hand.project(title, self.CONFIG, [{"response": "a"}])
        adopt_into(by_hand, project)
        config = self.CONFIG.replace("<Rating", '<TextArea name="为什么" toName="r"/><Rating')
        by_hand.http.request("PATCH", f"/api/projects/{project}/", body={"label_config": config})
        again = adopt_into(by_hand, project)
        assert not again.template_kept
        assert again.questions == {"question_1": "text", "stars": "rating"}

    def test_an_edited_campaign_is_kept(self, by_hand: Any, adopt_into: Adopt, title: str) -> None:
        project = by_hand.project(title, self.CONFIG, [{"response": "a"}])
        path = adopt_into(by_hand, project).folder / "campaign.yaml"
        mine = path.read_text().replace("quorum: 1", "quorum: 2")
        path.write_text(mine)
        adopt_into(by_hand, project)
        assert path.read_text() == mine

    def test_another_campaign_is_never_touched(
        self, by_hand: Any, adopt_into: Adopt, title: str, tmp_path: Path
    ) -> None:
        project = by_hand.project(title, self.CONFIG, [{"response": "a"}])
        other = by_hand.project(f"{title} 2", self.CONFIG, [{"response": "a"}])
        (tmp_path / "adopted").mkdir()
        (tmp_path / "adopted" / "records.jsonl").write_text("{}\n")
        with pytest.raises(UsageError, match=r"records\.jsonl is there already"):
            adopt_into(by_hand, project)
        assert [path.name for path in (tmp_path / "adopted").iterdir()] == ["records.jsonl"]
        adopt_into(by_hand, project, "second")
        with pytest.raises(UsageError, match="the campaign of another project"):
            adopt_into(by_hand, other, "second")

    def test_without_rules_export_says_what_to_add(self, by_hand: Any, adopt_into: Adopt, title: str) -> None:
        project = by_hand.project(title, self.CONFIG, [{"response": "a"}])
        (task,) = by_hand.tasks(project)
        by_hand.answer("ann", task, stars(5))
        result = adopt_into(by_hand, project)
        assert "# training:" in (result.folder / "template.yaml").read_text()
        with pytest.raises(Exception, match="does not say how its answers become training rows") as failed:
            Campaign(result.folder).export()
        assert "add a 'training' section" in failed.value.remedy
        path = result.folder / "template.yaml"
        head, _, rules = path.read_text().partition("# training:")
        added = "\n".join(line.removeprefix("# ") for line in f"# training:{rules}".splitlines())
        path.write_text(head + added + "\n")
        assert Campaign(result.folder).export()[0].kept == 1


class TestRefusals:
    CONFIG = TestTheFolder.CONFIG

    def test_a_name_that_no_project_or_several_have(self, by_hand: Any, adopt_into: Adopt, title: str) -> None:
        with pytest.raises(NotFound, match="no project 'nothing like it'"):
            adopt_into(by_hand, "nothing like it")
        ids = [by_hand.project(title, self.CONFIG, [{"response": "a"}]) for _ in range(2)]
        with pytest.raises(Conflict, match="2 projects are called") as failed:
            adopt_into(by_hand, title)
        assert all(str(id_) in failed.value.remedy for id_ in ids)
        assert adopt_into(by_hand, ids[1]).project == str(ids[1])

    def test_a_wrong_key(self, by_hand: Any, adopt_into: Adopt, title: str, tmp_path: Path) -> None:
        save_key(by_hand.url, Secret("0" * 40))
        with pytest.raises(AuthError):
            adopt_into(by_hand, title)
        (tmp_path / "config" / "keys.json").unlink()
        with pytest.raises(ConfigError, match="has no key"):
            adopt_into(by_hand, title)
        assert not (tmp_path / "adopted").exists()

    def test_a_project_of_ours(self, by_hand: Any, adopt_into: Adopt, title: str, label_studio: Any) -> None:
        server = LabelStudio(label_studio.url, label_studio.token)
        server.ensure(Project(title, load_template("rating")), create=True)
        server.close()
        with pytest.raises(Conflict, match="was made by annobridge") as failed:
            adopt_into(by_hand, title)
        assert "annobridge pull" in failed.value.remedy

    def test_a_project_without_tasks(self, by_hand: Any, adopt_into: Adopt, title: str, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="has no records"):
            adopt_into(by_hand, by_hand.project(title, self.CONFIG, []))
        assert not (tmp_path / "adopted").exists()


def test_on_the_command_line(by_hand: Any, title: str, tmp_path: Path) -> None:
    from click.testing import CliRunner

    from bridge.cli import main

    config = TestTheFolder.CONFIG.replace("</View>", '<Image name="photo" value="$image"/></View>')
    project = by_hand.project(title, config, [{"response": "a", "image": "http://127.0.0.1/a.png"}])
    (task,) = by_hand.tasks(project)
    by_hand.answer("ann", task, stars(5))
    folder = str(tmp_path / "mine")
    arguments = ["adopt", title, "--kind", "label-studio", "--url", by_hand.url, "--into", folder]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 3, done.output
    assert "1 records, 0 suggestions, 1 new answers" in done.output
    assert "photo" in done.output
    assert "not_adopted.jsonl" in done.output
    again = CliRunner().invoke(main, [*arguments, "--json"])
    said = json.loads(again.stdout)
    assert said["answers"]["unchanged"] == 1
    assert said["left_out"] == {"field": 1}
    assert said["partial"] is True
    assert CliRunner().invoke(main, ["merge", "-C", folder]).exit_code == 0
    pulled = CliRunner().invoke(main, ["pull", "-C", folder])
    assert pulled.exit_code == 1
    assert "annobridge adopt" in pulled.output
