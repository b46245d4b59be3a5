"""Ratings: what a response is worth by them, and which response is better than which.

A rated response is worth the mean of its ratings, in the grades of its scale. A mean speaks for people who agree on a
grade, or differ by one: where the two middle grades are neighbours, that is a tie for a median, and no contradiction.
Further apart, people contradict each other, and nothing is made of it. Where adjudicators decided, the mean is theirs.
"""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, NamedTuple, TypeAlias

from bridge.exporting.cases import Case
from bridge.exporting.reasons import NoRow, tie
from bridge.exporting.row import Row
from bridge.merging.settle import adjudicators
from bridge.merging.tally import same
from bridge.templates import PairSource
from bridge.text import plain


class Grade(NamedTuple):
    """The mean of people's ratings, and who gave them."""

    mean: float
    annotators: tuple[str, ...]


def grade(case: Case, question: str) -> Grade:
    """What a rated response is worth.

    Raises:
        NoRow: nobody rated it, too few did, or their grades are too far apart.
    """
    answer = case.answer(question)
    given = adjudicators(answer)
    low, high = (answer.details.get(middle) for middle in ("low", "high"))
    if answer.outcome == "tie" and not (isinstance(low, int) and isinstance(high, int) and high - low <= 1):
        raise tie(question, answer)
    mean: Any = answer.details.get("mean") if not given else None
    if isinstance(mean, bool) or not isinstance(mean, int | float):
        # Merged lines that other tools wrote may say no more than the grade.
        grades = [value for value in (given or answer.annotators).values() if isinstance(value, int)]
        mean = fmean(grades) if grades else answer.value
    if not isinstance(mean, int | float):
        raise tie(question, answer)
    return Grade(float(mean), tuple(sorted(given or answer.annotators)))


@dataclass(frozen=True, slots=True)
class Rated:
    """A response that was rated: the record and field that hold it, its text, its grade, and where it comes from."""

    record: str
    field: str
    text: str
    grade: Grade
    model: str = ""
    licence: str = ""
    root: str = ""
    settled: tuple[str, ...] = ()


Better: TypeAlias = "tuple[Rated, Rated, float]"
"""One response, another that is rated lower, and the difference of their means."""


def better(rated: Sequence[Rated], least: float | None = None) -> Iterator[Better]:
    """Each best response over each one that is strictly worse, and by the least margin; texts that are equal are none.

    Several can be best. The order is that of the records' keys and the fields, whatever the order of the input.

    >>> four, two = Grade(4.0, ("ann",)), Grade(2.5, ("ann", "bo"))
    >>> [(one.text, other.text, margin) for one, other, margin in
    ...     better([Rated("r2", "response", "4", four), Rated("r1", "response", "5", two)], least=1)]
    [('4', '5', 1.5)]
    """
    ordered = sorted(rated, key=lambda response: (response.record, response.field))
    top = max((response.grade.mean for response in ordered), default=0.0)
    # Rounded, so that 4.6 is better than 3.6 by 1.
    margins = [round(top - response.grade.mean, 9) for response in ordered]
    worse = [
        (other, margin, plain(other.text))
        for other, margin in zip(ordered, margins, strict=True)
        if margin > 0 and (least is None or margin >= least)
    ]
    for best, behind in zip(ordered, margins, strict=True) if worse else ():
        if behind > 0:
            continue
        text = plain(best.text)
        for other, margin, said in worse:
            if said != text:
                yield best, other, margin


def why_none(count: int, margin: float, least: float | None, where: str) -> NoRow:
    """Why no response of a group is better than another, by their number and the largest difference of means."""
    margin = round(margin, 9)
    if count < 2:
        return NoRow("alone", where)
    if margin <= 0:
        return NoRow("no_preference", where, "all have the same mean rating")
    if least is not None and margin < least:
        return NoRow("close", where, f"the mean ratings differ by {margin:.4g}, and {least:g} is the least")
    return NoRow("equal", where)


class Contest:
    """Responses of several records to the same prompt, each rated in its own record.

    Records belong together where training would see the same messages before the answer, Unicode form and white space
    aside. A record that is not rated, or does not meet ``when``, takes no part.

    Of each prompt, all responses are held in memory while they are compared, and of others only the means.

    Args:
        source: a rule with ``ratings`` ``of`` a field.
        cases: all records with what people say about them.
    """

    def __init__(self, source: PairSource, cases: Sequence[Case]) -> None:
        assert isinstance(source.ratings, str)
        assert source.of is not None
        self._source, self._field, self._question = source, source.of, source.ratings
        self._rule = f"ratings: {source.ratings}, of: {source.of}"
        self._cases = cases
        groups: dict[bytes, list[int]] = {}
        means = array("d", bytes(8 * len(cases)))
        for place, case in enumerate(cases):
            try:
                case.check()
                case.require(source.when)
                prompt, rated = _same_prompt(case), self._rated(case)
            except NoRow:
                continue  # it is told when its own rows are asked for
            means[place] = rated.grade.mean
            groups.setdefault(prompt, []).append(place)
        self._won: dict[str, list[tuple[int, float]]] = {}
        self._lost: set[str] = set()
        self._means: dict[bytes, tuple[int, float, float]] = {}
        for prompt, group in groups.items():
            of_group = [means[place] for place in group]
            self._means[prompt] = len(group), min(of_group), max(of_group)
            responses = [self._rated(cases[place]) for place in group] if len(group) > 1 else []
            places = {response.record: place for response, place in zip(responses, group, strict=False)}
            for best, other, margin in better(responses, source.min_margin):
                self._won.setdefault(best.record, []).append((places[other.record], margin))
                self._lost.add(other.record)

    def rows(self, case: Case) -> list[Row]:
        """The pairs in which a record's response is the best; none if it is only the worse one of other records' pairs.

        Raises:
            NoRow: it is in no pair at all.
        """
        mine = self._rated(case)
        pairs = self._won.get(case.key, [])
        if not pairs and case.key not in self._lost:
            count, low, top = self._means[_same_prompt(case)]
            margin = top - (low if same(mine.grade.mean, top) else mine.grade.mean)
            raise why_none(count, margin, self._source.min_margin, self._rule)
        prompt = case.prompt()
        return [
            _row(mine, self._rated(self._cases[other]), margin, prompt, self._rule, self._question)
            for other, margin in pairs
        ]

    def _rated(self, case: Case) -> Rated:
        text, found = case.field(self._field), grade(case, self._question)
        settled = case.settled([self._question]).get(self._question, ())
        return Rated(case.key, self._field, text, found, *case.origin, settled)


def _same_prompt(case: Case) -> bytes:
    """What is equal for prompts that say the same: the hash of role and text of each message."""
    said = [[message["role"], plain(message["content"])] for message in case.prompt()]
    return hashlib.blake2b(json.dumps(said).encode(), digest_size=16).digest()


def within(case: Case, source: PairSource) -> list[Row]:
    """The best of several responses of one record, each rated by a question of its own, over each that is worse.

    Raises:
        NoRow: there is no such pair; a response without enough ratings takes no part.
    """
    assert isinstance(source.ratings, dict)
    rule = f"ratings: {', '.join(source.ratings)}"
    rated, failed = [], []
    for field, question in source.ratings.items():
        try:
            model = case.writer(field, list(source.ratings)) or case.origin.model
            text, found = case.field(field), grade(case, question)
            settled = case.settled([question]).get(question, ())
            rated.append(Rated(case.key, field, text, found, model, case.origin.licence, case.origin.root, settled))
        except NoRow as why:
            failed.append(why)
    prompt = case.prompt()
    rows = [
        _row(best, other, margin, prompt, rule, source.ratings[best.field], source.ratings[other.field])
        for best, other, margin in better(rated, source.min_margin)
    ]
    if not rows:
        means = [response.grade.mean for response in rated]
        raise failed[0] if failed else why_none(len(means), max(means) - min(means), source.min_margin, rule)
    return rows


def _row(best: Rated, other: Rated, margin: float, prompt: Any, rule: str, *questions: str) -> Row:
    """A pair; it stands for the people and the licences of both."""
    licences = sorted({best.licence, other.licence})
    settled: dict[str, set[str]] = {}
    for question, response in zip((questions[0], questions[-1]), (best, other), strict=True):
        if response.settled:
            settled.setdefault(question, set()).update(response.settled)
    return Row(
        best.record,
        "dpo",
        prompt,
        chosen=best.text,
        rejected=other.text,
        source=rule,
        annotators=tuple(sorted({*best.grade.annotators, *other.grade.annotators})),
        margin=margin,
        adjudicated={name: tuple(sorted(people)) for name, people in settled.items()},
        others=(other.record,) if other.record != best.record else (),
        model=best.model,
        licence=", ".join(licences) if all(licences) else "",
        root=best.root,
        other_root=other.root,
    )
