"""Adjudication as a campaign does it: push what is unresolved, pull, merge, export."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from bridge.adjudication.folder import asking, showing, title
from bridge.campaign import Campaign
from bridge.errors import InputError, Unreachable, UsageError
from bridge.servers.memory import LIKE_ARGILLA, LIKE_LABEL_STUDIO, MemoryServer
from bridge.templates import load_template
from tests.adjudication.working import ANN, BO, CY, DI, ROWS, Working


@pytest.fixture
def work(tmp_path: Path) -> Working:
    return Working(tmp_path)


# -- what is put before adjudicators


def test_only_what_is_unresolved_is_pushed_under_its_own_key(work: Working) -> None:
    work.disagree("a", "c")
    work.answer("b", ANN, rating=5, label="correct")
    work.campaign.pull()
    result = work.campaign.adjudicate()
    assert (result.unresolved, result.added, result.complete) == (2, 2, True)
    assert result.pushed is not None
    assert (result.pushed.sent, result.pushed.project.id) == (2, "Sums - adjudication")
    assert sorted(work.there()) == ["a", "c"]


def test_it_is_a_campaign_of_its_own_in_a_folder_below(work: Working) -> None:
    work.disagree("a")
    work.campaign.adjudicate()
    linked = Campaign(work.path / "adjudication", server=work.server)
    assert linked.template.questions == work.campaign.template.questions
    assert linked.config.annotators_per_record == 1
    assert linked.config.server == work.campaign.config.server
    (record,) = linked.records()
    assert record.fields == {"prompt": "2 + 2?", "response": "4"}
    assert linked.status().progress.records == 1


def test_where_people_agree_there_is_nothing_to_do_and_no_folder(work: Working) -> None:
    work.campaign.push()
    work.answer("a", ANN, rating=5, label="correct")
    work.campaign.pull()
    result = work.campaign.adjudicate()
    assert (result.unresolved, result.pushed, result.complete) == (0, None, True)
    assert not (work.path / "adjudication").exists()


def test_a_second_run_adds_what_became_unresolved_and_sends_nothing_twice(work: Working) -> None:
    work.disagree("a")
    work.campaign.adjudicate()
    first = (work.path / "adjudication" / "records.jsonl").read_text()
    work.answer("b", ANN, rating=4, label="correct")
    work.answer("b", BO, rating=4, label="incorrect")
    work.campaign.pull()
    result = work.campaign.adjudicate()
    assert result.pushed is not None
    assert (result.unresolved, result.added, result.pushed.sent, result.pushed.present) == (2, 1, 1, 1)
    assert (work.path / "adjudication" / "records.jsonl").read_text().startswith(first)
    again = work.campaign.adjudicate()
    assert again.pushed is not None
    assert (again.added, again.pushed.sent) == (0, 0)


def test_a_push_that_broke_off_is_made_up_for(work: Working, monkeypatch: pytest.MonkeyPatch) -> None:
    work.disagree("a")

    def broken(*_: object, **__: object) -> None:
        raise Unreachable("away for now")

    with monkeypatch.context() as patch:
        patch.setattr(work.server, "ensure", broken)
        with pytest.raises(Unreachable):
            work.campaign.adjudicate()
    assert len(work.campaign.merge().unresolved) == 1
    assert work.campaign.pull().adjudication is None
    result = work.campaign.adjudicate()
    assert result.pushed is not None
    assert (result.added, result.pushed.sent) == (0, 1)


def test_too_few_answers_are_put_before_adjudicators_only_if_asked(tmp_path: Path) -> None:
    work = Working(tmp_path, merge={"quorum": 2})
    work.campaign.push()
    work.answer("a", ANN, rating=5, label="correct")
    work.campaign.pull()
    left = work.campaign.adjudicate()
    assert (left.unresolved, left.too_few, left.pushed) == (0, 1, None)
    asked = work.campaign.adjudicate(no_quorum=True)
    assert (asked.unresolved, asked.too_few, asked.added) == (1, 0, 1)
    work.decide("a", CY, rating=2, label="correct", improved_response="four")
    work.campaign.pull()
    (merged,) = work.campaign.merge().kept
    assert {name: answer.value for name, answer in merged.answers.items()} == {
        "rating": 2,
        "label": "correct",
        "improved_response": "four",
    }


def test_records_that_are_not_in_the_file_any_more_are_counted(work: Working) -> None:
    work.disagree("a", "b")
    work.rows(ROWS[1:])
    result = work.campaign.adjudicate()
    assert (result.unresolved, result.missing, result.added) == (2, 1, 1)


def test_of_some_questions_only_these_are_asked(work: Working) -> None:
    work.disagree("a")
    work.answer("b", ANN, rating=1, label="correct")
    work.answer("b", BO, rating=4, label="correct")
    work.campaign.pull()
    result = work.campaign.adjudicate(questions=["rating"])
    assert (result.unresolved, sorted(work.there())) == (1, ["b"])
    assert [question.name for question in work.linked.template.questions] == ["rating"]
    work.decide("b", CY, rating=4)
    work.campaign.pull()
    merged = work.campaign.merge()
    assert [(case.record, case.question) for case in merged.unresolved] == [("a", "label")]
    assert all(problem.annotator != work.name(CY) for problem in merged.problems)


def test_a_question_that_depends_on_others_is_asked_without_them() -> None:
    template = asking(load_template("review"), ["improved_response"])
    assert [(question.name, question.required_when) for question in template.questions] == [("improved_response", {})]
    assert asking(load_template("review"), ["label", "rating", "improved_response"]) == load_template("review")


def test_an_unknown_question_is_refused(work: Working) -> None:
    work.disagree("a")
    with pytest.raises(UsageError, match=r"--question stars: .* has no such question"):
        work.campaign.adjudicate(questions=["stars"])
    assert not (work.path / "adjudication").exists()


def test_suggestions_go_along_and_so_does_the_reason(tmp_path: Path) -> None:
    work = Working(tmp_path, [{**ROWS[0], "rating": 3, "label": "harmful", "topic": "sums"}])
    work.disagree("a")
    work.campaign.adjudicate(questions=["label"])
    (record,) = work.linked.records()
    assert [(s.question, s.value) for s in record.suggestions] == [("label", "harmful")]
    assert record.metadata["topic"] == "sums"
    assert record.metadata["adjudication"]["questions"] == {"label": "1 for each of correct, incorrect"}


@pytest.mark.parametrize(
    ("profile", "longest"), [(LIKE_LABEL_STUDIO, 50), (LIKE_ARGILLA, 200)], ids=["label-studio", "argilla"]
)
def test_its_title_is_one_that_the_server_takes(tmp_path: Path, profile: object, longest: int) -> None:
    work = Working(tmp_path, project="Answers of the support team, reviewed by us")
    work.server = MemoryServer(profile=profile)  # type: ignore[arg-type]
    work.disagree("a")
    work.campaign.adjudicate()
    assert len(work.linked.config.project) <= longest
    assert work.linked.config.project.endswith(" - adjudication")


def test_long_titles_that_begin_alike_stay_apart() -> None:
    first, second = (title(f"A campaign with a name that is too long, part {part}", 50) for part in "12")
    assert first != second


def test_longer_records_can_follow_where_a_project_cannot_grow(tmp_path: Path) -> None:
    rows = [
        {"id": "two", "prompt": "p", "response_1": "a", "response_2": "b"},
        {"id": "three", "prompt": "p", "response_1": "a", "response_2": "b", "response_3": "c"},
    ]
    work = Working(tmp_path, rows, template="ranking")
    work.server = MemoryServer(profile=LIKE_ARGILLA)
    work.campaign.push()
    for key, items in (("two", 2), ("three", 3)):
        order = [f"response_{number}" for number in range(1, items + 1)]
        work.answer(key, ANN, ranking={item: rank for rank, item in enumerate(order, 1)})
        work.answer(key, BO, ranking={item: rank for rank, item in enumerate(reversed(order), 1)})
        work.campaign.pull()
        result = work.campaign.adjudicate()
        assert result.pushed is not None
        assert result.pushed.sent == 1


# -- earlier answers


def test_earlier_answers_are_hidden_by_default(work: Working) -> None:
    work.disagree("a")
    assert work.campaign.adjudicate().shown is False
    assert set(work.there()["a"]["fields"]) == {"prompt", "response"}


def test_shown_answers_stand_without_names_in_a_field_of_their_own(work: Working) -> None:
    work.campaign.push()
    work.answer("a", ANN, rating=4, label="correct")
    work.answer("a", BO, rating=1, label="partially_correct", improved_response="four\nor 4")
    work.campaign.pull()
    assert work.campaign.adjudicate(answers="shown").shown is True
    text = work.there()["a"]["fields"]["earlier_answers"]
    bo = text.partition(": 1 (useless)")[0][-1]
    ann = {"1": "2", "2": "1"}[bo]
    assert sorted(text.split("\n\n")[0].split("\n")) == [
        "How good is the response?",
        *sorted([f"Person {bo}: 1 (useless)", f"Person {ann}: 4"]),
    ]
    assert f"Person {ann}: Correct" in text
    assert f"Person {bo}: Partially correct" in text
    assert text.endswith(f"Improve the response\nPerson {bo}:\nfour\nor 4")
    assert not any(name in text for name in (ANN, BO, *work.campaign.people()))


def test_nobody_has_the_same_number_everywhere(tmp_path: Path) -> None:
    keys = [f"r{number}" for number in range(24)]
    work = Working(tmp_path, [{"id": key, "prompt": "p", "response": key} for key in keys])
    work.disagree(*keys)
    work.campaign.adjudicate(answers="shown")
    numbers = Counter(
        record["fields"]["earlier_answers"].partition(": Correct")[0][-1] for record in work.there().values()
    )
    assert set(numbers) == {"1", "2"}


def test_decisions_on_shown_answers_count_too(work: Working) -> None:
    work.disagree("a")
    work.campaign.adjudicate(answers="shown")
    work.decide("a", CY, rating=4, label="correct")
    work.campaign.pull()
    assert work.campaign.merge().unresolved == []


@pytest.mark.parametrize(("first", "second"), [("hidden", "shown"), ("shown", "hidden")])
def test_whether_they_are_shown_is_fixed_by_the_first_run(work: Working, first: str, second: str) -> None:
    work.disagree("a")
    work.campaign.adjudicate(answers=first)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=f"--answers {second}: .* are {first}") as caught:
        work.campaign.adjudicate(answers=second)  # type: ignore[arg-type]
    assert "leave the choice out" in caught.value.remedy
    assert work.campaign.adjudicate().shown is (first == "shown")


def test_so_are_the_questions(work: Working) -> None:
    work.disagree("a")
    work.campaign.adjudicate(questions=["label"])
    with pytest.raises(UsageError, match="this adjudication asks for label"):
        work.campaign.adjudicate(questions=["rating"])
    work.campaign.adjudicate(questions=["label"])


def test_the_field_has_a_name_that_the_template_does_not_use() -> None:
    template = load_template("rating")
    taken = showing(showing(template))
    assert [field.name for field in taken.fields][-2:] == ["earlier_answers", "earlier_answers_too"]


# -- what is decided


def test_a_decision_settles_the_merge_and_the_manifest_says_so(work: Working) -> None:
    work.disagree("a", "b")
    work.campaign.adjudicate()
    work.decide("a", CY, rating=1, label="correct", improved_response="four")
    pulled = work.campaign.pull()
    assert pulled.changes.new == 0
    assert pulled.adjudication is not None
    assert pulled.adjudication.changes.new == 1
    merged = work.campaign.merge()
    assert [(case.record, case.question) for case in merged.unresolved] == [("b", "label")]
    (line, _) = work.lines("out", "merged.jsonl")
    assert (line["answers"]["rating"]["value"], line["answers"]["label"]["value"]) == (4, "correct")
    assert line["answers"]["label"]["adjudicators"] == {work.name(CY): "correct"}

    work.campaign.export(["sft"])
    manifest = work.manifest("sft")
    assert manifest["merge"]["adjudication"] == {
        "records": 1,
        "questions": 1,
        "unsettled": 0,
        "project": "Sums - adjudication",
    }
    (row,) = manifest["rows"]
    assert row["record"] == "a"
    assert row["adjudicated"] == {"label": {work.name(CY): 1}}
    assert row["annotators"] == sorted([work.name(ANN), work.name(CY)])


def test_a_decision_that_was_changed_counts_as_it_is_now(work: Working) -> None:
    work.disagree("a")
    work.campaign.adjudicate()
    work.decide("a", CY, rating=4, label="harmful")
    work.campaign.pull()
    work.campaign.merge()
    work.decide("a", CY, rating=4, label="correct")
    work.campaign.pull()
    work.campaign.export(["sft"])
    (row,) = work.manifest("sft")["rows"]
    assert row["adjudicated"] == {"label": {work.name(CY): 2}}


def test_a_pull_names_rows_that_rest_on_a_decision_that_changed(work: Working) -> None:
    work.disagree("a")
    work.campaign.adjudicate()
    work.decide("a", CY, rating=4, label="correct")
    work.campaign.pull()
    work.campaign.export(["sft"], ["plain"])
    work.decide("a", CY, rating=4, label="harmful")
    (affected,) = work.campaign.pull().exported
    assert (Path(affected["file"]).name, affected["lines"]) == ("sft.plain.jsonl", [1])


def test_adjudicators_who_disagree_leave_it_open_until_another_one_decides(work: Working) -> None:
    work.disagree("a")
    work.campaign.adjudicate()
    work.decide("a", CY, rating=4, label="correct")
    work.decide("a", DI, rating=4, label="harmful")
    work.campaign.pull()
    (case,) = work.campaign.merge().unresolved
    assert case.reason == "1 for each of correct, incorrect; adjudicators: 1 for each of correct, harmful"
    result = work.campaign.adjudicate(annotators_per_record=3)
    assert (result.unresolved, result.added, work.linked.config.annotators_per_record) == (1, 0, 3)
    work.decide("a", "ed@example.org", rating=4, label="correct")
    work.campaign.pull()
    assert work.campaign.merge().unresolved == []


def test_people_who_come_to_agree_by_themselves_are_not_overruled(work: Working) -> None:
    work.disagree("a")
    work.campaign.adjudicate()
    work.decide("a", CY, rating=4, label="harmful")
    work.answer("a", BO, rating=4, label="correct")
    work.campaign.pull()
    (merged,) = work.campaign.merge().kept
    assert merged.answers["label"].value == "correct"
    assert "adjudicated" not in merged.answers["label"].details


def test_the_same_person_has_the_same_pseudonym_in_both(work: Working) -> None:
    work.disagree("a")
    work.campaign.adjudicate()
    work.decide("a", ANN, rating=4, label="correct")
    work.campaign.pull()
    assert work.linked.people().items() <= work.campaign.people().items()


def test_the_rule_of_the_campaign_brings_old_labels_over(work: Working) -> None:
    work.disagree("a")
    work.campaign.adjudicate()
    work.decide("a", CY, rating=4, label="harmful")
    work.campaign.pull()
    flags = {"merge": {"labels": {"harmful": "incorrect"}}}
    (merged,) = Campaign(work.path, flags, server=work.server).merge().kept
    assert merged.answers["label"].outcome == "agreed"


# -- texts that change


def test_a_decision_on_an_earlier_text_does_not_count(work: Working) -> None:
    work.disagree("a")
    work.campaign.adjudicate()
    work.decide("a", CY, rating=4, label="correct")
    work.campaign.pull()
    work.rows([{**ROWS[0], "response": "four"}, *ROWS[1:]])
    work.campaign.push(on_change="stale")
    work.answer("a", ANN, rating=4, label="correct")
    work.answer("a", BO, rating=4, label="incorrect")
    work.campaign.pull()
    merged = work.campaign.merge()
    assert [(case.record, case.question) for case in merged.unresolved] == [("a", "label")]
    assert [(case.annotator, case.reason) for case in merged.dropped] == [(work.name(CY), "changed")]


def test_the_new_text_is_another_record_there(work: Working) -> None:
    work.disagree("a")
    work.campaign.adjudicate()
    work.rows([{**ROWS[0], "response": "four"}, *ROWS[1:]])
    work.campaign.push(on_change="stale")
    work.answer("a", ANN, rating=4, label="correct")
    work.answer("a", BO, rating=4, label="incorrect")
    work.campaign.pull()
    result = work.campaign.adjudicate()
    assert (result.unresolved, result.added) == (1, 1)
    old, new = work.there()
    assert (old, new.partition("@")[0]) == ("a", "a")
    assert work.campaign.adjudicate().added == 0
    work.decide(new, CY, rating=4, label="correct")
    work.campaign.pull()
    merged = work.campaign.merge()
    assert merged.unresolved == []
    assert merged.kept[0].answers["label"].details["adjudicators"] == {work.name(CY): "correct"}


# -- around it


def test_status_says_how_far_it_is(work: Working) -> None:
    assert (work.campaign.push().sent, work.campaign.status().adjudication) == (3, None)
    work.disagree("a", "b")
    work.campaign.adjudicate()
    work.decide("a", CY, rating=4, label="correct")
    work.campaign.pull()
    status = work.campaign.status()
    assert status.unresolved == 1
    assert status.adjudication is not None
    assert (status.adjudication.progress.records, status.adjudication.progress.answered) == (2, 1)


def test_an_adjudication_is_not_adjudicated(work: Working) -> None:
    work.disagree("a")
    work.campaign.adjudicate()
    with pytest.raises(UsageError, match="this is an adjudication already") as caught:
        work.linked.adjudicate()
    assert "--annotators-per-record" in caught.value.remedy


def test_without_a_server_object_each_campaign_has_its_own(work: Working) -> None:
    """The server of kind memory keeps its state in the folder of each."""
    Campaign(work.path).push()
    work.server = MemoryServer(work.path / ".annobridge" / "memory-server.json")
    work.answer("a", ANN, rating=4, label="correct")
    work.answer("a", BO, rating=4, label="incorrect")
    Campaign(work.path).pull()
    Campaign(work.path).adjudicate()
    work.server = MemoryServer(work.path / "adjudication" / ".annobridge" / "memory-server.json")
    work.decide("a", CY, rating=4, label="correct")
    Campaign(work.path).pull()
    assert Campaign(work.path).merge().unresolved == []


def test_a_damaged_list_of_its_records_is_named(work: Working) -> None:
    work.disagree("a")
    work.campaign.adjudicate()
    (work.path / "adjudication" / "records.jsonl").write_text('{"key": "a"}\n')
    with pytest.raises(InputError, match=r"records\.jsonl:1: this is no line that"):
        work.campaign.merge()
