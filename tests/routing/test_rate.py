"""How often judges err on what is left to them, by the audit, and a release that demands to know."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.annotations import Annotation
from bridge.errors import ExportError, InputError, UsageError
from bridge.merging import merge
from bridge.merging.intervals import exact
from bridge.records import Record
from bridge.routing.rate import JudgeRate, check_rates, judge_rates
from bridge.templates import load_template


def audited(number: int, value: int | None, *, chance: float = 0.05, audit: bool = True, topic: str = "") -> Record:
    route = {"selected": True, "probability": chance, "audit": audit, "stratum": {"topic": topic} if topic else {}}
    judge = {"rating": {"value": value, "opinions": [{"model": "m", "value": value}]}}
    return Record(f"r{number}", {"prompt": "?", "response": "!"}, metadata={"judge": judge, "route": route})


def rates(records: list[Record], given: dict[int, list[int]], within: float = 1.0) -> list[JudgeRate]:
    annotations = [
        Annotation(f"r{number}", f"p{who}", answers={"rating": value})
        for number, values in given.items()
        for who, value in enumerate(values)
    ]
    return judge_rates(records, merge(annotations, load_template("rating")).kept, within)


def test_a_rating_is_wrong_where_it_is_too_far_from_peoples() -> None:
    (rate,) = rates([audited(n, 4) for n in range(4)], {0: [4], 1: [5], 2: [2], 3: [1]})
    assert (rate.drawn, rate.checked, rate.wrong, rate.share) == (4, 4, 2, 0.5)
    (strict,) = rates([audited(n, 4) for n in range(4)], {0: [4], 1: [5], 2: [2], 3: [1]}, within=0)
    assert strict.wrong == 3


def test_where_all_had_the_same_chance_the_interval_is_exact() -> None:
    (rate,) = rates([audited(n, 4) for n in range(60)], {n: [4 if n else 1] for n in range(60)})
    assert rate.interval == exact(1, 60)


def test_records_that_people_would_have_seen_anyway_do_not_count() -> None:
    (rate,) = rates([audited(0, 4), audited(1, 4, chance=1.0), audited(2, 4, audit=False)], {n: [1] for n in range(3)})
    assert (rate.drawn, rate.wrong) == (1, 1)


def test_records_weigh_what_they_stand_for() -> None:
    records = [audited(n, 4, chance=0.05, topic="large") for n in range(40)]
    records += [audited(n, 4, chance=0.5, topic="small") for n in range(40, 50)]
    (rate,) = rates(records, {n: [4 if n < 40 else 1] for n in range(50)})
    assert rate.share == pytest.approx(10 * 2 / (40 * 20 + 10 * 2))
    assert rate.wrong_by == {"topic large": (0, 40), "topic small": (10, 10)}
    low, high = rate.interval
    assert rate.share is not None
    assert low <= rate.share <= high
    assert high > exact(1, 50)[1]  # 50 answers, worth fewer


def test_what_people_contradict_each_other_on_is_undecided() -> None:
    (rate,) = rates([audited(0, 4), audited(1, 4)], {0: [1, 5], 1: [4]})
    assert (rate.drawn, rate.checked, rate.undecided, rate.complete) == (2, 1, 1, False)


def test_a_record_that_is_named_twice_does_not_count_twice() -> None:
    with pytest.raises(InputError, match="record 'r0': twice"):
        rates([audited(0, 4), audited(0, 4)], {0: [4]})


@pytest.mark.parametrize("within", [float("nan"), -1.0, float("inf")])
def test_a_distance_that_is_none_is_refused(within: float) -> None:
    with pytest.raises(UsageError, match=f"within {within}: not possible"):
        rates([audited(0, 4)], {0: [4]}, within)


def test_records_without_an_audit_are_one_clear_error() -> None:
    with pytest.raises(UsageError, match="none of the records is of an audit"):
        rates([audited(0, 4, audit=False)], {0: [4]})


# -- what a release demands


def figures(wrong: int, checked: int, drawn: int | None = None) -> list[Any]:
    return [JudgeRate("rating", drawn or checked, tuple((20.0, n < wrong) for n in range(checked)))]


def test_a_rate_whose_upper_end_is_low_enough_passes() -> None:
    check_rates(figures(0, 60), 0.06)


@pytest.mark.parametrize(
    ("rates_", "reason"),
    [
        (figures(0, 59), "0 of 59 judgements are wrong: 6.1% of all may be"),
        (figures(3, 60), "3 of 60 judgements are wrong: 13.9% of all may be"),
        (figures(0, 60, 61), "1 of 61 records of the audit are not decided on"),
        ([], "the audit holds no record that is left to the judges"),
    ],
)
def test_everything_else_does_not(rates_: list[JudgeRate], reason: str) -> None:
    with pytest.raises(ExportError, match=reason):
        check_rates(rates_, 0.06)
