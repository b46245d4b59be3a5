"""The doctor: each difference is found, named with its repair, and mended without losing an answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from bridge.clock import TestClock
from bridge.records import Record, Suggestion, record_key
from bridge.servers.memory import LIKE_LABEL_STUDIO, MemoryServer
from bridge.servers.protocol import Progress, Project, Remote
from bridge.sync.doctor import Diagnosis, compare, examine, repair
from bridge.sync.ledger import Ledger
from bridge.sync.push import push
from bridge.sync.reconcile import Survey
from bridge.sync.sender import PATIENCE_S
from bridge.sync.target import Target
from bridge.templates import load_template

PROJECT = Project("Demo", load_template("rating"))
RECORDS = [
    Record(f"r{n}", {"prompt": f"{n}?", "response": "x"}, suggestions=[Suggestion("rating", 3)]) for n in range(4)
]
KEYS = {record.key: record_key(record.fields) for record in RECORDS}


class Ward:
    """A project that was pushed, and a doctor."""

    def __init__(self) -> None:
        self.server = MemoryServer(profile=LIKE_LABEL_STUDIO)
        self.ledger = Ledger()
        push(self.server, PROJECT, RECORDS, ledger=self.ledger)

    @property
    def target(self) -> Target:
        return self.ledger.target("", "", self.server.ensure(PROJECT, create=False))

    def examine(self) -> Diagnosis:
        return examine(self.server, self.target, KEYS)[0]

    def kinds(self) -> list[str]:
        return [finding.kind for finding in self.examine().findings]

    def repair(self) -> Diagnosis:
        diagnosis, found = examine(self.server, self.target, KEYS)
        repair(self.server, self.target, diagnosis, found, RECORDS)
        diagnosis.findings = self.examine().findings
        return diagnosis


@pytest.fixture
def ward() -> Ward:
    return Ward()


def test_a_healthy_project_has_no_findings(ward: Ward) -> None:
    assert (ward.examine().healthy, ward.kinds(), ward.repair().repaired) == (True, [], [])


def test_doubles_without_answers_are_deleted_and_one_is_kept(ward: Ward) -> None:
    ward.server.write(RECORDS[:2])
    assert ward.kinds() == ["doubled"]
    assert ward.repair().healthy
    assert {key: len(copies) for key, copies in ward.server.find(KEYS).items()} == dict.fromkeys(KEYS, 1)


def test_of_doubles_the_one_with_answers_is_kept(ward: Ward) -> None:
    ward.server.write(RECORDS[:1])
    second = ward.server.find(["r0"])["r0"][1].id
    held = ward.server._held
    held.records[second], held.records["r0"] = held.records["r0"], held.records[second]
    ward.server.annotate("r0", "ann", {"rating": 4})
    ward.repair()
    (kept,) = ward.server.find(["r0"])["r0"]
    assert (kept.id, kept.annotations) == ("r0", 1)


def test_doubles_that_were_all_answered_are_left_alone() -> None:
    both = Survey({"r1": [Remote("1", annotations=1), Remote("2", annotations=2)]})
    (finding,) = compare({"r1": ""}, [], both, Progress(2, 1, 1))
    assert (finding.kind, finding.mendable) == ("doubled", False)
    assert "merged by key at pull" in finding.repair


def test_lost_suggestions_come_back(ward: Ward) -> None:
    ward.server._held.records["r2"]["suggestions"] = []
    assert ward.kinds() == ["lost suggestions"]
    assert ward.repair().healthy
    assert ward.server.find(["r2"])["r2"][0].suggestions == 1


def test_what_was_deleted_is_noted_and_not_sent_again(ward: Ward) -> None:
    ward.server.remove(["r1"])
    (finding,) = ward.examine().findings
    assert (finding.kind, finding.keys) == ("missing", ("r1",))
    assert "push --recreate" in finding.repair
    assert ward.repair().healthy
    assert push(ward.server, PROJECT, RECORDS, ledger=ward.ledger).gone == ["r1"]


def test_what_another_machine_sent_is_noted(ward: Ward) -> None:
    push(ward.server, PROJECT, [Record("other", {"prompt": "p", "response": "r"})])
    assert ward.kinds() == ["extra"]
    assert ward.repair().healthy
    assert ward.target.rows(["other"])["other"].state == "sent"


def test_a_text_that_changed_on_the_server_is_noted(ward: Ward) -> None:
    ward.server._held.records["r3"]["content"] = "the hash of another text"
    assert ward.kinds() == ["changed"]
    assert ward.repair().healthy


def test_what_a_killed_push_left_open_is_looked_up(ward: Ward) -> None:
    clock = ward.ledger.clock = TestClock()
    more = [Record("r4", {"prompt": "4?", "response": "x"}), Record("r5", {"prompt": "5?", "response": "x"})]
    ward.target.intend([(record.key, "") for record in more])
    ward.server.write(more[:1])
    assert "unsettled" in ward.kinds()
    assert not ward.repair().healthy, "the other one may still arrive late"
    clock.sleep(61)
    assert ward.repair().healthy
    assert {row.key: row.state for row in ward.target.rows(["r4", "r5"]).values()} == {"r4": "sent", "r5": "planned"}


def test_records_that_are_not_ours_are_named_and_harmless() -> None:
    (finding,) = compare({}, [], Survey(foreign=[Remote("77")]), Progress(1, 0, 0))
    assert (finding.kind, finding.keys, finding.mendable) == ("foreign", ("77",), False)
    assert Diagnosis(findings=[finding]).healthy


@pytest.mark.parametrize(("indexed", "mendable"), [(3, True), (5, False)])
def test_an_index_that_differs_is_named(indexed: int, mendable: bool) -> None:
    there = Survey({f"r{n}": [Remote(str(n))] for n in range(4)})
    (finding,) = compare(dict.fromkeys(there.there, ""), [], there, Progress(4, 0, 0, indexed))
    assert (finding.kind, finding.mendable) == ("index", mendable)


def test_a_finding_names_at_most_a_hundred_keys() -> None:
    (finding,) = compare({f"r{n}": "" for n in range(1000)}, [], Survey(), Progress(0, 0, 0))
    assert (finding.to_dict()["records"], len(finding.to_dict()["keys"])) == (1000, 100)


def test_what_arrives_while_a_long_list_is_read_is_left_to_the_next_push() -> None:
    clock = TestClock(1_800_000_000.0)
    server, ledger = MemoryServer(profile=LIKE_LABEL_STUDIO), Ledger(clock=clock)
    push(server, PROJECT, RECORDS, ledger=ledger)
    target = ledger.target("", "", server.ensure(PROJECT, create=False))
    target.intend([("late", "")])
    listing = server.listing

    def slowly() -> Iterator[Sequence[tuple[str, Remote]]]:
        yield from listing()
        server.write([Record("late", {"prompt": "late?", "response": "x"})])
        clock.sleep(PATIENCE_S + 1)

    server.listing = slowly  # type: ignore[method-assign]
    repair(server, target, *examine(server, target), RECORDS)
    assert target.rows(["late"])["late"].state == "sending", "it is there, and would be sent a second time"
