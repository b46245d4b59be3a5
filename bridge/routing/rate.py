"""How often judges err on the records that are left to them, by what people said of the audit.

The audit is a sample by lot of each stratum. Of it count the records that people would not have seen otherwise: they
stand for all that are left to the judges. Where each stratum was drawn at the same rate, the share of errors has the
exact interval of Clopper and Pearson. Where rates differ, because shares are rounded up to whole records, each record
weighs what it stands for, and the interval is that of as many equal records as these are worth (Korn and Graubard,
Survey Methodology 24, 1998), with both counts rounded to the side of caution.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil, floor, inf
from typing import Any

from bridge.errors import ExportError, InputError, UsageError
from bridge.judging.chances import PLACE, logged
from bridge.judging.judgement import judgements
from bridge.merging import Merged
from bridge.merging.checked import figures
from bridge.merging.intervals import exact
from bridge.records import Record, Value

WITHIN = 1.0
"""A rating that is as near as this to people's is right."""


@dataclass(frozen=True, slots=True)
class JudgeRate:
    """How often the judges' answers to one question are wrong.

    Args:
        question: of the template.
        drawn: records of the audit that people would not have seen otherwise, with an answer of the judges.
        weights: how many records each checked one stands for, with whether the judges' answer to it is wrong.
        undecided: records on which people contradict each other; they count neither way.
        wrong_by: stratum to ``(wrong, checked)``.
    """

    question: str
    drawn: int
    weights: tuple[tuple[float, bool], ...] = ()
    undecided: int = 0
    wrong_by: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def checked(self) -> int:
        """How many of these people have decided on."""
        return len(self.weights)

    @property
    def wrong(self) -> int:
        """How many of the checked ones are wrong."""
        return sum(wrong for _, wrong in self.weights)

    @property
    def complete(self) -> bool:
        """Whether every one that was drawn is decided on."""
        return self.checked == self.drawn

    @property
    def share(self) -> float | None:
        """The share of wrong ones, each weighted by what it stands for; None where none was checked."""
        whole = sum(weight for weight, _ in self.weights)
        return sum(weight for weight, wrong in self.weights if wrong) / whole if whole else None

    @property
    def interval(self) -> tuple[float, float]:
        """What that share is among all records that are left to the judges, with 95 % certainty.

        >>> JudgeRate("rating", 60, ((20.0, False),) * 60).interval[1] < 0.06
        True
        """
        if self.share is None:
            return 0.0, 1.0
        squares = sum(weight**2 for weight, _ in self.weights)
        worth = min(self.checked, floor(sum(weight for weight, _ in self.weights) ** 2 / squares + 1e-9))
        return exact(floor(self.share * worth + 1e-9), worth)[0], exact(ceil(self.share * worth - 1e-9), worth)[1]

    def to_dict(self) -> dict[str, Any]:
        """The figures as ``--json`` and the manifest of a release have them."""
        strata = {
            name: {"wrong": wrong, "checked": n, "low": exact(wrong, n)[0], "high": exact(wrong, n)[1]}
            for name, (wrong, n) in self.wrong_by.items()
        }
        return {"question": self.question, **figures(self), "strata": strata}


def of_audit(record: Record) -> bool:
    """Whether `annobridge route` drew a record for the audit."""
    told = record.metadata.get(PLACE)
    return isinstance(told, dict) and told.get("audit") is True


def judge_rates(records: Iterable[Record], merged: Iterable[Merged], within: float = WITHIN) -> list[JudgeRate]:
    """How often the judges err, question by question.

    Args:
        records: those that `annobridge route` wrote; of the audit at the least.
        merged: people's answers, merged.
        within: how far a rating may be from people's.

    Raises:
        UsageError: none of the records is of an audit, or a distance that is none.
        InputError: metadata that `annobridge judge` or `annobridge route` did not write, or a record twice.
    """
    if not 0 <= within < inf:
        raise UsageError(f"within {within}: not possible", remedy="give a number of steps, such as 1")
    audited = [record for record in records if of_audit(record)]
    if not audited:
        raise UsageError(
            "none of the records is of an audit", remedy="name what `annobridge route` wrote, and people have answered"
        )
    for key, times in Counter(record.key for record in audited).items():
        if times > 1:
            raise InputError(f"record {key!r:.80}: twice", remedy="name each file once")
    answers = {case.record: case.answers for case in merged}
    drawn: Counter[str] = Counter()
    undecided: Counter[str] = Counter()
    weights: dict[str, list[tuple[float, bool]]] = {}
    by: dict[str, dict[str, list[int]]] = {}
    for record in audited:
        chance = logged(record).probability
        if not chance or chance == 1:
            continue  # people would have seen it anyway
        stratum = record.metadata[PLACE].get("stratum")
        name = ", ".join(f"{key} {value}" for key, value in stratum.items()) if isinstance(stratum, dict) else ""
        for question, found in judgements(record).items():
            if found.value is None:
                continue
            drawn[question] += 1
            said = answers.get(record.key, {}).get(question)
            undecided[question] += said is not None and said.outcome == "tie"
            if said is None or said.outcome != "agreed":
                continue
            wrong = _wrong(found.value, said.value, within)
            weights.setdefault(question, []).append((1 / chance, wrong))
            counts = by.setdefault(question, {}).setdefault(name or "all", [0, 0])
            counts[0] += wrong
            counts[1] += 1
    return [
        JudgeRate(
            question,
            drawn[question],
            tuple(weights.get(question, ())),
            undecided[question],
            {name: (wrong, n) for name, (wrong, n) in sorted(by.get(question, {}).items())},
        )
        for question in drawn
    ]


def _wrong(judged: int | str, people: Value | None, within: float) -> bool:
    if isinstance(judged, int) and isinstance(people, int | float):
        return abs(judged - people) > within
    return judged != people


def check_rates(rates: Sequence[JudgeRate], most: float) -> None:
    """Refuse a release unless the audit shows that the judges err at most so often.

    Raises:
        ExportError: there is nothing to show it by, it is not finished, or too many may be wrong.
    """
    if not rates:
        raise ExportError(
            f"release.judge_max_error is {most:.1%}, but the audit holds no record that is left to the judges",
            remedy="route the judged records anew, or leave the setting out: people saw them all",
        )
    for rate in rates:
        if not rate.complete:
            wrong = f"{rate.drawn - rate.checked:,} of {rate.drawn:,} records of the audit are not decided on"
            remedy = "let people answer the rest, then run `annobridge pull`"
        elif rate.interval[1] > most:
            wrong = f"{rate.wrong:,} of {rate.checked:,} judgements are wrong: {rate.interval[1]:.1%} of all may be"
            remedy = "let people see more of the records, take a better judge, or draw a larger audit"
        else:
            continue
        raise ExportError(f"release.judge_max_error is {most:.1%}, but of {rate.question} {wrong}", remedy=remedy)
