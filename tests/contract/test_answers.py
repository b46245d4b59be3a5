"""Answers in other people's names: what every server must do so that a campaign can move there."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from bridge.annotations import Annotation
from bridge.errors import Refused
from bridge.keys import Secret
from bridge.records import Record, Value
from bridge.servers.protocol import Project, Server
from bridge.sync.push import push
from bridge.templates import load_template
from tests.contract.conftest import Backend
from tests.contract.test_server import SAMPLES, answers_by_key

RATING = load_template("rating")
ANN, BO = "ann@example.org", "bo@example.org"


def rated(key: str, person: str, rating: int = 4, **more: object) -> Annotation:
    return replace(Annotation(key, person, answers={"rating": rating}), **more)  # type: ignore[arg-type]


@pytest.fixture
def server(backend: Backend, title: str) -> Server:
    """With two records, and Ann and Bo, who have answered a third."""
    connection = backend.connect()
    project = Project(title, RATING, annotators_per_record=2)
    push(connection, project, [Record(key, {"prompt": key, "response": "4"}) for key in ("r", "s", "known")])
    for name in ("ann", "bo"):
        backend.person(name, project).annotate("known", {"rating": 1})
    return connection


def test_people_are_known_by_name(server: Server) -> None:
    assert {ANN, BO} <= set(server.people())


def test_an_answer_is_its_persons_own(server: Server) -> None:
    outcomes = server.answer([rated("r", ANN, 4), rated("r", BO, 2), rated("s", ANN, 5)])
    assert [outcome.result for outcome in outcomes] == ["accepted"] * 3
    assert [outcome.key for outcome in outcomes] == ["r", "r", "s"]
    found = answers_by_key(server)
    assert {a.annotator: a.answers["rating"] for a in found["r"]} == {ANN: 4, BO: 2}
    ids = {(a.record, a.annotator): a.source["id"] for key in "rs" for a in found[key]}
    assert [outcome.remote_id for outcome in outcomes] == [ids["r", ANN], ids["r", BO], ids["s", ANN]]


def test_a_skip_stays_a_skip(server: Server) -> None:
    assert server.answer([Annotation("r", ANN, "discarded")])[0].result == "accepted"
    (annotation,) = answers_by_key(server)["r"]
    assert (annotation.status, annotation.answers) == ("discarded", {})


def test_a_draft_stays_a_draft_where_there_are_drafts(server: Server) -> None:
    if server.capabilities.drafts:
        assert server.answer([Annotation("r", ANN, "draft", {"rating": 2})])[0].result == "accepted"
        assert [a.status for a in answers_by_key(server)["r"]] == ["draft"]


def test_lead_times_are_kept_where_there_are_any(server: Server) -> None:
    server.answer([rated("r", ANN, lead_time_s=12.5)])
    assert answers_by_key(server)["r"][0].lead_time_s == (12.5 if server.capabilities.lead_time else None)


def test_the_same_again_writes_nothing(server: Server) -> None:
    server.answer([rated("r", ANN)])
    before = answers_by_key(server)["r"]
    assert [outcome.result for outcome in server.answer([rated("r", ANN)])] == ["rejected"]
    assert answers_by_key(server)["r"] == before


def test_what_a_person_has_answered_is_not_written_over(server: Server) -> None:
    outcome = server.answer([rated("known", ANN, 5)])[0]
    assert (outcome.result, "has answered" in outcome.reason) == ("rejected", True)
    assert outcome.remedy
    assert {a.annotator: a.answers["rating"] for a in answers_by_key(server)["known"]} == {ANN: 1, BO: 1}


def test_an_answer_takes_the_place_of_the_very_state_that_it_names(server: Server) -> None:
    (old,) = (a for a in answers_by_key(server)["known"] if a.annotator == ANN)
    named = {"id": old.source["id"], "updated_at": old.updated_at}
    assert server.answer([rated("known", ANN, 5, source=named)])[0].result == "accepted"
    assert {a.annotator: a.answers["rating"] for a in answers_by_key(server)["known"]} == {ANN: 5, BO: 1}
    assert server.answer([rated("known", ANN, 3, source=named)])[0].result == "rejected", "it has another state now"


def test_strangers_and_records_that_are_not_there_are_refused(server: Server) -> None:
    for annotation in (rated("r", "nobody@example.org"), rated("nothing", ANN)):
        (outcome,) = server.answer([annotation])
        assert (outcome.result, bool(outcome.reason)) == ("rejected", True)
    assert "r" not in answers_by_key(server)
    assert server.find(["nothing"]) == {}


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_every_kind_arrives_as_it_was_given(backend: Backend, title: str, name: str) -> None:
    template = load_template(name)
    fields, answers = SAMPLES[name]
    record = Record(fields=template.check_fields(fields))
    project = Project(title, template, repeats=template.repeats(fields))
    server = backend.connect()
    push(server, project, [record])
    backend.person("ann", project)
    if ANN not in server.people():  # the memory server knows people by their answers
        server.add_person(ANN, Secret("a-good-password"))
    assert [outcome.result for outcome in server.answer([Annotation(record.key, ANN, answers=answers)])] == ["accepted"]
    (annotation,) = answers_by_key(server)[record.key]
    given: dict[str, Value] = {question: value for question, value in annotation.answers.items() if value != []}
    assert given == answers


def test_accounts_are_made_or_the_way_that_works_is_named(server: Server, title: str) -> None:
    name = f"new-{os.getpid()}-{title.rpartition(' ')[2]}@example.org"
    way = ""
    try:
        server.add_person(name, Secret("a-good-password"))
    except Refused as error:
        way = error.remedy
    assert (name in server.people()) == (not way)
    if way:
        assert "invitation" in way
        return
    assert server.answer([rated("r", name)])[0].result == "accepted"
