"""What every server must do. The same tests run against the in-memory server and the live ones."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import pytest

from bridge.annotations import Annotation
from bridge.errors import Conflict, NotFound, Refused
from bridge.records import Record, Suggestion, Value
from bridge.servers.protocol import Project, Server
from bridge.sync.feedback import Feedback
from bridge.sync.people import People
from bridge.sync.pull import pull
from bridge.sync.push import push
from bridge.templates import load_template
from tests.contract.conftest import Backend

REVIEW = load_template("review")
RATING = load_template("rating")

ODD = [
    "tabs\tand  double  spaces\n\n    indented",
    "emoji 😀👩‍👩‍👧 combining e\u0301 \u200f rtl \u05e9\u05dc\u05d5\u05dd",
    "<b>bold</b> <script>alert(1)</script> &amp; &lt; ]]> <![CDATA[x]]>",
    "$prompt {{prompt}} {% raw %} %25 %2e ${7*7}",
    "quotes \" ' ` \\ backslash \u2028 line separator \u0085",
    " outer space ",
]


def rating_record(text: str = "2 + 2?", key: str = "") -> Record:
    return Record(key=key, fields={"prompt": text, "response": "4"})


def answers_by_key(server: Server, cursor: str = "") -> dict[str, list[Annotation]]:
    return {found.key: list(found.annotations) for page in server.changes(cursor) for found in page.records}


class TestProject:
    def test_it_is_made_once_and_found_again(self, backend: Backend, title: str) -> None:
        first = backend.connect().ensure(Project(title, RATING), create=True)
        again = backend.connect().ensure(Project(title, RATING), create=True)
        assert (first.created, again.created) == (True, False)
        assert first.id == again.id

    def test_a_missing_one_is_not_found_and_not_made(self, backend: Backend, title: str) -> None:
        for _ in range(2):
            with pytest.raises(NotFound, match=re.escape(title)):
                backend.connect().ensure(Project(title, RATING), create=False)

    def test_another_template_is_a_conflict(self, backend: Backend, title: str) -> None:
        backend.connect().ensure(Project(title, RATING), create=True)
        with pytest.raises(Conflict, match="template"):
            backend.connect().ensure(Project(title, REVIEW), create=True)

    def test_other_wording_is_not(self, backend: Backend, title: str) -> None:
        first = backend.connect().ensure(Project(title, RATING), create=True)
        reworded = RATING.model_copy(update={"guidelines": "Be strict."})
        assert backend.connect().ensure(Project(title, reworded), create=True).id == first.id

    def test_it_grows_for_records_with_more_responses_or_says_that_it_cannot(
        self, backend: Backend, title: str
    ) -> None:
        ranking = load_template("ranking")
        two = Record("two", {"prompt": "p", "response_1": "a", "response_2": "b"})
        four = Record("four", {"prompt": "p", **{f"response_{n}": f"r{n}" for n in range(1, 5)}})
        push(backend.connect(), Project(title, ranking, repeats=2), [two])
        longer = Project(title, ranking, repeats=4)
        if not backend.connect().capabilities.grows:
            with pytest.raises(Conflict, match="repeated"):
                push(backend.connect(), longer, [two, four])
            return
        push(backend.connect(), longer, [two, four])
        person = backend.person("ann", longer)
        given: dict[str, Value] = {"response_4": 1, "response_1": 2, "response_2": 3, "response_3": 4}
        person.annotate("four", {"ranking": given})
        server = backend.connect()
        server.ensure(Project(title, ranking), create=False)
        assert answers_by_key(server)["four"][0].answers == {"ranking": given}

    def test_cards_of_responses_that_a_record_has_not_are_no_answers(self, backend: Backend, title: str) -> None:
        ranking = load_template("ranking")
        two = Record("two", {"prompt": "p", "response_1": "a", "response_2": "b"})
        three = Record("three", {"prompt": "p", **{f"response_{n}": f"r{n}" for n in range(1, 4)}})
        project = Project(title, ranking, repeats=3)
        server = backend.connect()
        push(server, project, [two, three])
        backend.person("ann", project).annotate("two", {"ranking": {"response_2": 1, "response_1": 2}})
        assert answers_by_key(server)["two"][0].answers == {"ranking": {"response_2": 1, "response_1": 2}}

    def test_a_response_is_left_out_of_a_ranking_where_the_server_can(self, backend: Backend, title: str) -> None:
        project = Project(title, load_template("ranking"), repeats=3)
        server = backend.connect()
        push(server, project, [Record("r", {"prompt": "p", **{f"response_{n}": f"r{n}" for n in range(1, 4)}})])
        person = backend.person("ann", project)
        given: dict[str, Value] = {"response_3": 1, "response_1": 2}
        if server.capabilities.ranking_gaps:
            person.annotate("r", {"ranking": given})
            assert answers_by_key(server)["r"][0].answers == {"ranking": given}
        else:
            with pytest.raises(Refused):
                person.annotate("r", {"ranking": given})


class TestRecords:
    def test_what_was_written_is_found_by_key(self, backend: Backend, title: str) -> None:
        server = backend.connect()
        server.ensure(Project(title, RATING), create=True)
        record = rating_record()
        assert [o.result for o in server.write([record])] == ["accepted"]
        found = server.find([record.key, "not-there"])
        assert list(found) == [record.key]
        assert len(found[record.key]) == 1

    @pytest.mark.parametrize("key", ["Zürich/17", "a%25b", 'it\'s "odd"', "😀", "x" * 200, "17", "k-17", "a,b;c"])
    def test_odd_keys_are_found_and_come_back(self, backend: Backend, title: str, key: str) -> None:
        project = Project(title, RATING)
        server = backend.connect()
        server.ensure(project, create=True)
        server.write([rating_record(key=key), rating_record("other", key="other")])
        assert list(server.find([key])) == [key]
        backend.person("ann", project).annotate(key, {"rating": 3})
        assert list(answers_by_key(server)) == [key]

    def test_suggestions_stand_beside_the_record(self, backend: Backend, title: str) -> None:
        server = backend.connect()
        server.ensure(Project(title, RATING), create=True)
        with_suggestion = Record("with", {"prompt": "p", "response": "r"}, [Suggestion("rating", 4, 0.5)])
        server.write([with_suggestion, Record("without", {"prompt": "p", "response": "r"})])
        found = server.find(["with", "without"])
        assert (found["with"][0].suggestions, found["without"][0].suggestions) == (1, 0)

    def test_a_second_push_sends_nothing(self, backend: Backend, title: str) -> None:
        project = Project(title, RATING)
        records = [rating_record(f"{n}?", key=f"r{n}") for n in range(30)]
        first = push(backend.connect(), project, records[:20])
        second = push(backend.connect(), project, records)
        third = push(backend.connect(), project, records)
        assert [(r.sent, r.present) for r in (first, second, third)] == [(20, 0), (10, 20), (0, 30)]
        server = backend.connect()
        server.ensure(project, create=False)
        assert server.progress().records == 30

    def test_lost_suggestions_come_back_with_the_next_push(self, backend: Backend, title: str) -> None:
        project = Project(title, RATING)
        server = backend.connect()
        server.ensure(project, create=True)
        bare = [rating_record(f"{n}?", key=f"r{n}") for n in range(5)]
        server.write(bare)
        full = [Record(r.key, r.fields, [Suggestion("rating", 4)]) for r in bare]
        first, second = push(backend.connect(), project, full), push(backend.connect(), project, full)
        assert [(r.sent, r.present, r.repaired) for r in (first, second)] == [(0, 5, 5), (0, 5, 0)]
        assert [remote.suggestions for (remote,) in server.find([r.key for r in bare]).values()] == [1] * 5


SAMPLES: dict[str, tuple[dict[str, Any], dict[str, Value]]] = {
    "rating": ({"prompt": ODD[0], "response": ODD[1]}, {"rating": 4}),
    "label": ({"prompt": ODD[2], "response": ODD[3]}, {"label": "partially_correct"}),
    "multi_label": ({"prompt": ODD[4], "response": ODD[5]}, {"labels": ["incomplete", "style"]}),
    "rewrite": ({"prompt": ODD[0], "response": ODD[2]}, {"improved_response": ODD[1] + ODD[3]}),
    "review": (
        {"prompt": ODD[1], "response": ODD[0]},
        {"rating": 1, "label": "harmful", "improved_response": ODD[2] + ODD[4] + ODD[5]},
    ),
    "preference": ({"prompt": "p", "response_a": ODD[0], "response_b": ODD[1]}, {"preference": "both_bad"}),
    "ranking": (
        {"prompt": "p", "response_1": ODD[0], "response_2": ODD[1], "response_3": ODD[2]},
        {"ranking": {"response_1": 2, "response_2": 1, "response_3": 2}},
    ),
    "chat_review": (
        {"messages": [{"role": "user", "content": ODD[2]}, {"role": "assistant", "content": ODD[0]}]},
        {"rating": 5, "label": "correct"},
    ),
    "summary_review": (
        {"transcript": [{"role": "<b>Änne</b>", "content": ODD[1]}], "summary": ODD[4]},
        {"rating": 3, "faithfulness": "minor_errors", "improved_summary": ODD[0]},
    ),
    "action_items": (
        {"transcript": [{"role": "Bo", "content": "I will."}], "action_items": "- Bo: will"},
        {"label": "incorrect", "problems": ["invented_item"], "improved_action_items": "none"},
    ),
    "follow_up_qa": (
        {"transcript": [{"role": "Bo", "content": "Friday."}], "question": "When?", "answer": "Friday"},
        {"rating": 5, "grounding": "supported"},
    ),
    "span_errors": (
        {"prompt": "p", "response": ODD[1]},
        {
            "errors": [
                {"start": 6, "end": 7, "label": "factual_error"},
                {"start": 23, "end": 25, "label": "unsupported"},
            ]
        },
    ),
}


class TestAnswers:
    @pytest.mark.parametrize("name", sorted(SAMPLES))
    def test_every_kind_comes_back_as_it_was_given(self, backend: Backend, title: str, name: str) -> None:
        template = load_template(name)
        fields, answers = SAMPLES[name]
        record = Record(
            fields=template.check_fields(fields), suggestions=[Suggestion(q, v) for q, v in answers.items()]
        )
        project = Project(title, template, repeats=template.repeats(fields))
        result = push(backend.connect(), project, [record])
        assert result.sent == 1
        backend.person("ann", project).annotate(record.key, answers)
        server = backend.connect()
        server.ensure(project, create=False)
        (annotation,) = answers_by_key(server)[record.key]
        given = {question: value for question, value in annotation.answers.items() if value != []}
        assert given == answers
        for question, value in given.items():
            assert template.question(question).validate(value, record.fields) == value

    def test_nothing_ticked_and_nothing_marked_are_answers(self, backend: Backend, title: str) -> None:
        template = load_template("span_errors")
        project = Project(title, template)
        server = backend.connect()
        push(server, project, [Record("r", {"prompt": "p", "response": "fine"})])
        backend.person("ann", project).annotate("r", {"errors": []})
        assert answers_by_key(server)["r"][0].answers == {"errors": []}

    def test_two_people_are_two_answers(self, backend: Backend, title: str) -> None:
        project = Project(title, RATING, annotators_per_record=2)
        server = backend.connect()
        push(server, project, [rating_record(key="r")])
        backend.person("ann", project).annotate("r", {"rating": 2}, lead_time_s=3.5)
        backend.person("bo", project).annotate("r", {"rating": 5}, lead_time_s=7)
        found = answers_by_key(server)["r"]
        seen = {a.annotator: (a.answers["rating"], a.status) for a in found}
        assert seen == {"ann@example.org": (2, "submitted"), "bo@example.org": (5, "submitted")}
        times = [a.lead_time_s for a in sorted(found, key=lambda a: a.annotator)]
        assert times == ([3.5, 7] if server.capabilities.lead_time else [None, None])

    def test_a_skip_is_discarded_and_has_no_answers(self, backend: Backend, title: str) -> None:
        project = Project(title, RATING)
        server = backend.connect()
        push(server, project, [rating_record(key="r")])
        backend.person("ann", project).annotate("r", {"rating": 1}, status="discarded")
        (annotation,) = answers_by_key(server)["r"]
        assert (annotation.status, annotation.answers) == ("discarded", {})

    def test_times_are_utc_and_sources_are_named(self, backend: Backend, title: str) -> None:
        project = Project(title, RATING)
        server = backend.connect()
        push(server, project, [rating_record(key="r")])
        backend.person("ann", project).annotate("r", {"rating": 1})
        (annotation,) = answers_by_key(server)["r"]
        for moment in (annotation.created_at, annotation.updated_at):
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", moment)
        assert {"server", "project", "task", "id"} == set(annotation.source) - {"content"}
        assert annotation.source["server"] == backend.name
        assert all(isinstance(value, str) and value for value in annotation.source.values())

    def test_progress_counts_records_answered_and_complete(self, backend: Backend, title: str) -> None:
        project = Project(title, RATING, annotators_per_record=2)
        server = backend.connect()
        push(server, project, [rating_record(key=f"r{n}", text=str(n)) for n in range(3)])
        ann, bo = backend.person("ann", project), backend.person("bo", project)
        ann.annotate("r0", {"rating": 1})
        ann.annotate("r1", {"rating": 1})
        bo.annotate("r1", {"rating": 2})
        progress = server.progress()
        assert (progress.records, progress.answered, progress.completed) == (3, 2, 1)


class TestPull:
    @pytest.fixture
    def store(self, tmp_path: Any) -> tuple[Feedback, People]:
        return Feedback(tmp_path / "feedback.jsonl"), People(tmp_path)

    def test_edits_and_withdrawals_become_revisions(
        self, backend: Backend, title: str, store: tuple[Feedback, People]
    ) -> None:
        feedback, people = store
        project = Project(title, RATING)
        server = backend.connect()
        remote = push(server, project, [rating_record(key="r"), rating_record("3 + 3?", key="s")]).project
        ann = backend.person("ann", project)
        answer = ann.annotate("r", {"rating": 2})
        ann.annotate("s", {"rating": 4})
        first = pull(server, remote.id, feedback, people)
        ann.change(answer, {"rating": 5})
        second = pull(server, remote.id, feedback, people, cursor=first.cursor)
        ann.withdraw(answer)
        third = pull(server, remote.id, feedback, people, cursor=second.cursor)
        assert [(p.changes.new, p.changes.edited, p.changes.withdrawn) for p in (first, second, third)] == [
            (2, 0, 0),
            (0, 1, 0),
            (0, 0, 1),
        ]
        history = [(a.revision, a.answers["rating"], a.deleted) for a in feedback.history if a.record == "r"]
        assert history == [(1, 2, False), (2, 5, False), (3, 5, True)]

    def test_a_full_sweep_finds_withdrawals_too(
        self, backend: Backend, title: str, store: tuple[Feedback, People]
    ) -> None:
        feedback, people = store
        project = Project(title, RATING)
        server = backend.connect()
        remote = push(server, project, [rating_record(key="r")]).project
        ann = backend.person("ann", project)
        answer = ann.annotate("r", {"rating": 2})
        pull(server, remote.id, feedback, people)
        ann.withdraw(answer)
        assert pull(server, remote.id, feedback, people).changes.withdrawn == 1
        assert pull(server, remote.id, feedback, people).changes.withdrawn == 0

    def test_a_pull_of_nothing_new_appends_nothing(
        self, backend: Backend, title: str, store: tuple[Feedback, People]
    ) -> None:
        feedback, people = store
        project = Project(title, RATING)
        server = backend.connect()
        remote = push(server, project, [rating_record(key="r")]).project
        backend.person("ann", project).annotate("r", {"rating": 2})
        cursors = [""]
        for _ in range(3):
            cursors.append(pull(server, remote.id, feedback, people, cursor=cursors[-1]).cursor)
        assert len(feedback.history) == 1
        assert all(later >= earlier for earlier, later in pairwise(cursors))

    def test_names_never_reach_the_store(self, backend: Backend, title: str, store: tuple[Feedback, People]) -> None:
        feedback, people = store
        project = Project(title, RATING)
        server = backend.connect()
        remote = push(server, project, [rating_record(key="r")]).project
        backend.person("ann", project).annotate("r", {"rating": 2})
        pull(server, remote.id, feedback, people)
        assert "ann" not in feedback.path.read_text().replace("annotator", "").replace("annobridge", "")
        assert people.names == {feedback.history[0].annotator: "ann@example.org"}
