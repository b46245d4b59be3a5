"""Routing: which records people see, and with which chance."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import UsageError
from bridge.judging.judgement import judgements
from bridge.records import Record, Suggestion
from bridge.routing.route import Settings, plan, with_decision
from bridge.routing.signals import Signals, doubts


def judged(key: str = "r1", response: str = "It is four.", stratum: str = "", **said: Any) -> Record:
    """A judged record that nothing is wrong with, but for what is said."""
    found = {
        "value": 4,
        "score": 4.0,
        "confidence": 0.9,
        "margin": 0.8,
        "opinions": [{"model": "m", "value": 4}],
        **said,
    }
    metadata = {"judge": {"rating": found}, **({"topic": stratum} if stratum else {})}
    return Record(key, {"prompt": "2 + 2?", "response": response}, [Suggestion("rating", 4, 0.9, "m")], metadata)


def reasons(record: Record, **signals: Any) -> tuple[str, ...]:
    return doubts(Signals(**signals))(record).reasons


# -- reasons


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, ()),
        ({"conflict": True, "value": "tie", "score": None}, ("conflict",)),
        ({"spread": 2.0}, ("panel",)),
        ({"spread": 1.0}, ()),
        ({"value": "good", "score": None, "spread": 0.33}, ("panel",)),
        ({"value": None, "score": None, "reason": "the judges are split", "spread": 0.5}, ("panel",)),
        ({"value": None, "score": None, "reason": "truncated", "margin": None}, ("missing",)),
        ({"margin": 0.1}, ("margin",)),
        ({"margin": None}, ()),
        ({"conflict": True, "margin": 0.1}, ("conflict", "margin")),
    ],
)
def test_what_makes_a_record_doubtful(said: dict[str, Any], expected: tuple[str, ...]) -> None:
    assert reasons(judged(**said)) == expected


def test_a_record_that_nobody_judged_has_no_score() -> None:
    assert reasons(Record("r1", {"response": "It is four."})) == ("missing",)


def test_what_cleaning_finds_fault_with_is_an_alarm() -> None:
    refusal = judged(response="As an AI language model, I cannot help with that.")
    found = doubts(Signals())(refusal)
    assert (found.reasons, found.details) == (("alarm",), ("refusal",))
    assert reasons(refusal, rules=()) == ()


def test_marks_in_the_metadata_are_alarms_where_they_are_named() -> None:
    record = judged()
    marked = Record(record.key, record.fields, metadata={**record.metadata, "numbers_lost": ["12"]})
    assert reasons(marked) == ()
    assert reasons(marked, alarms=["numbers_lost"]) == ("alarm",)
    assert reasons(record, alarms=["numbers_lost"]) == ()


def test_several_questions_are_all_looked_at() -> None:
    record = judged()
    record.metadata["judge"]["label"] = {"value": "bad", "margin": 0.05, "opinions": [{"model": "m", "value": "bad"}]}
    assert reasons(record) == ("margin",)


# -- the audit


def set_of(count: int, doubtful: int = 0, strata: int = 1) -> list[Record]:
    return [judged(f"r{n}", stratum=f"t{n % strata}", margin=0.01 if n < doubtful else 0.8) for n in range(count)]


@settings(max_examples=20)
@given(st.integers(1, 400), st.sampled_from([0.05, 0.07, 0.1]), st.integers(0, 99), st.integers(1, 5))
def test_each_stratum_gives_its_share_to_the_audit(count: int, share: float, seed: int, strata: int) -> None:
    found = plan(set_of(count, strata=strata), Settings(["topic"], share, seed, thin=0, signals=Signals(rules=())))
    for records, drawn, _ in found.strata.values():
        assert share * records - 1e-9 <= drawn < share * records + 1
        assert drawn >= 1


def test_the_audit_does_not_depend_on_what_is_doubtful() -> None:
    plain = plan(set_of(300), Settings(seed=3))
    doubtful = plan(set_of(300, doubtful=200), Settings(seed=3))
    audits = [{one.key for one in found.decisions if one.audit} for found in (plain, doubtful)]
    assert audits[0] == audits[1]
    assert len(audits[0]) == 15


def test_the_order_of_records_does_not_matter_and_the_seed_does() -> None:
    records = set_of(200, 20)
    shuffled = random.Random(1).sample(records, len(records))
    chosen = [
        {one.key for one in plan(given_, Settings(seed=seed)).decisions if one.selected}
        for given_, seed in ((records, 1), (shuffled, 1), (records, 2))
    ]
    assert chosen[0] == chosen[1] != chosen[2]


def test_chances_are_one_for_what_is_taken_and_else_those_of_the_lot() -> None:
    found = plan(set_of(100, doubtful=10), Settings())
    assert Counter(one.probability for one in found.decisions) == {1.0: 10, 0.05: 90}


def test_chances_are_what_happens() -> None:
    records = set_of(60, doubtful=6)
    times = Counter(
        one.key
        for seed in range(100)
        for one in plan(records, Settings(seed=seed, signals=Signals(rules=()))).decisions
        if one.selected
    )
    assert {times[f"r{n}"] for n in range(6)} == {100}
    others = [times[f"r{n}"] / 100 for n in range(6, 60)]
    assert sum(others) / len(others) == pytest.approx(3 / 60, abs=0.015)
    assert max(others) < 0.17


def test_records_of_the_audit_lose_what_judges_suggest_and_keep_what_they_said() -> None:
    records = set_of(20)
    records[0] = Record(
        records[0].key, records[0].fields, [*records[0].suggestions, Suggestion("label", "ok")], records[0].metadata
    )
    for record, decision in zip(records, plan(records, Settings(seed=1)).decisions, strict=True):
        written = with_decision(record, decision)
        assert [one for one in written.suggestions if one.question == "rating"] == (
            [] if decision.audit else [Suggestion("rating", 4, 0.9, "m")]
        )
        assert judgements(written)["rating"].value == 4
        assert written.metadata["route"]["probability"] == 0.05
    assert any(one.question == "label" for one in with_decision(records[0], plan(records).decisions[0]).suggestions)


# -- the limit


def test_the_weightiest_come_first_where_there_is_a_limit() -> None:
    records = set_of(100)
    for number, said in ((1, {"margin": 0.1}), (2, {"margin": 0.05}), (3, {"spread": 3.0}), (4, {"conflict": True})):
        records[number] = judged(f"r{number}", **said)  # type: ignore[arg-type]
    taken = [{one.key for one in plan(records, Settings(size=size)).decisions if one.routed} for size in (6, 7, 8, 50)]
    assert taken == [{"r4"}, {"r4", "r3"}, {"r4", "r3", "r2"}, {"r4", "r3", "r2", "r1"}]


def test_what_there_is_no_room_for_has_the_chance_of_the_lot_and_its_reasons() -> None:
    found = plan(set_of(100, doubtful=10), Settings(size=8))
    assert found.left == 7
    left = [one for one in found.decisions if one.reasons and not one.routed]
    assert {one.probability for one in left} == {0.05}


def test_thin_strata_go_to_people_whole() -> None:
    records = [*set_of(100), judged("x", stratum="rare")]
    found = plan(records, Settings(by=["topic"]))
    assert (found.decisions[-1].reasons, found.decisions[-1].routed) == (("thin",), True)
    assert not plan(records, Settings(by=["topic"], thin=0)).decisions[-1].reasons


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"audit": 0.04}, "audit 0.04"),
        ({"audit": 0.2}, "audit 0.2"),
        ({"size": 0}, "size 0"),
        ({"thin": -1}, "thin -1"),
        ({"signals": {"margin": 2}}, "margin 2"),
        ({"signals": {"apart": float("nan")}}, "apart nan"),
        ({"signals": {"apart": -1}}, "apart -1"),
        ({"signals": {"rules": ["spelling"]}}, "'spelling' is no rule that finds fault"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any], reason: str) -> None:
    signals = settings.pop("signals", {})
    with pytest.raises(UsageError, match=reason):
        Settings(**settings, signals=Signals(**signals))


def test_a_limit_below_the_audit_is_refused() -> None:
    with pytest.raises(UsageError, match="the audit alone takes 5 records"):
        plan(set_of(100), Settings(size=4))


def test_strata_that_read_the_same_are_the_same() -> None:
    records = [replace(judged(f"r{n}"), metadata={"level": 1 if n % 2 else "1"}) for n in range(40)]
    found = plan(records, Settings(by=["level"]))
    assert found.strata == {"level 1": (40, 2, 40)}


def test_strata_by_what_no_record_has_are_refused() -> None:
    with pytest.raises(UsageError, match="by 'topik': no record has such a text or number"):
        plan(set_of(100), Settings(by=["topik"]))


def test_two_records_of_one_key_are_refused() -> None:
    with pytest.raises(UsageError, match="key 'r1': several records have it"):
        plan([judged(), judged()])
