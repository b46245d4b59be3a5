"""Training rows: what a template's ``training`` section makes of records and merged answers, in no format yet.

::

    rows.py ─▶ completions.py   one answer: SFT, KTO, scores
            ─▶ pairs.py         two answers of one record: rewrites over originals, preferences, rankings
            ─▶ ratings.py       two answers by their ratings, of one record or of several with the same prompt

Texts are stripped of white space around them, because trainers and chat templates treat it in different ways.
A record that yields no row is counted once, under the first of :data:`~bridge.exporting.reasons.REASONS` that is true
of it. Neither the order of records nor that of people matters.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest

from bridge.errors import ExportError
from bridge.exporting.cases import Case, Cases, Task
from bridge.exporting.completions import kto_rows, score_rows, sft_rows
from bridge.exporting.pairs import pair_rows
from bridge.exporting.ratings import Contest, within
from bridge.exporting.reasons import REASONS, Dropped, NoRow
from bridge.exporting.row import KINDS, Kind, Row, RowsResult
from bridge.exporting.shelf import blocks, chosen, in_blocks
from bridge.exporting.shelves import Shelves
from bridge.merging.merged import Merged
from bridge.records import Record
from bridge.templates import KtoSource, PairSource, RewardSource, SftSource, Source, TaskTemplate


def training_rows(
    kind: Kind, records: Iterable[Record], merged: Iterable[Merged], template: TaskTemplate
) -> RowsResult:
    """Make training rows by the rules of the template.

    For SFT the first rule that yields rows for a record is used, for the other kinds all of them are. A record whose
    response is only the worse one of another record's pair has no row of its own, and is among that row's ``others``.

    Raises:
        ExportError: the template does not say how its answers become such rows.

    >>> from bridge.templates import load_template
    >>> record = Record("r1", {"prompt": "2 + 2?", "response": "4"})
    >>> answers = {"rating": {"outcome": "agreed", "value": 5, "annotators": {"ann": 5}}}
    >>> merged = Merged.from_dict({"record": "r1", "answers": answers})
    >>> [(row.completion, row.source) for row in training_rows("sft", [record], [merged], load_template("rating")).kept]
    [('4', 'use: response')]
    """
    return made([kind], records, merged, template, Shelves())[kind]


def made(
    kinds: Sequence[Kind],
    records: Iterable[Record],
    merged: Iterable[Merged],
    template: TaskTemplate,
    shelves: Shelves,
) -> dict[Kind, RowsResult]:
    """The rows of several training sets. Records are looked at one by one, in whichever order they come; of several
    with one key, the last counts.

    Args:
        kinds, records, merged, template: as for :func:`training_rows`.
        shelves: where merged answers wait for their records, and the rows for what becomes of them.

    Raises:
        ExportError: as :func:`training_rows`.
    """
    rules = {kind: _sources(kind, template) for kind in kinds}
    answered = shelves.merged()
    places: dict[str, int] = {}
    for entry in in_blocks(merged):
        places[entry.record] = len(answered)
        answered.append(entry)
    task = Task(template)
    contests: dict[Kind, Mapping[int, Contest]] = {kind: {} for kind in kinds}
    if any(_compares_records(source) for sources in rules.values() for source in sources):
        records, cases = _cases(records, answered, places, task, shelves)
        contests = {kind: _contests(sources, cases) for kind, sources in rules.items()}
    makers = {kind: _Maker(kind, sources, contests[kind], shelves) for kind, sources in rules.items()}
    keys: list[str] = []
    unknown = bytearray(b"\1" * len(answered))
    for block in blocks(records):
        found = [places.get(record.key, -1) for record in block]
        answers = iter(chosen(answered, [place for place in found if place >= 0]))
        for record, place in zip(block, found, strict=True):
            case: Case | NoRow = NoRow("not_merged")
            if place >= 0:
                unknown[place] = 0
                case = _checked(Case(record, next(answers), task))
            for maker in makers.values():
                maker.add(record.key, case)
        keys += [record.key for record in block]
    for key, place in places.items():
        if unknown[place]:
            keys.append(key)
            for maker in makers.values():
                maker.add(key, NoRow("unknown_record"))
    order = _order(keys)
    return {kind: maker.result(order) for kind, maker in makers.items()}


def _cases(
    records: Iterable[Record], answered: Sequence[Merged], places: Mapping[str, int], task: Task, shelves: Shelves
) -> tuple[Sequence[Record], Cases]:
    """The records, kept for rules that compare them with each other, and those of them that people answered."""
    kept = shelves.records()
    kept.extend(records)
    last = {record.key: place for place, record in enumerate(kept)}
    known = chosen(kept, list(last.values()))
    return known, Cases(known, answered, [(at, places[key]) for at, key in enumerate(last) if key in places], task)


def _checked(case: Case) -> Case | NoRow:
    """The case, or why no rule yields a row of it."""
    try:
        case.check()
        case.prompt()
    except NoRow as why:
        return why
    return case


def _order(keys: Sequence[str]) -> Sequence[int]:
    """The places of keys in their order; of equal ones, that of the last."""
    places = sorted(range(len(keys)), key=keys.__getitem__)
    return [place for place, after in zip_longest(places, places[1:]) if after is None or keys[after] != keys[place]]


def _compares_records(source: Source) -> bool:
    return isinstance(source, PairSource) and isinstance(source.ratings, str)


def _contests(sources: Sequence[Source], cases: Cases) -> dict[int, Contest]:
    return {
        index: Contest(source, cases)
        for index, source in enumerate(sources)
        if isinstance(source, PairSource) and _compares_records(source)
    }


class _Maker:
    """The rows of one kind, while they are made."""

    def __init__(
        self, kind: Kind, sources: Sequence[Source], contests: Mapping[int, Contest], shelves: Shelves
    ) -> None:
        self._kind, self._sources, self._contests = kind, sources, contests
        self._rows, self._dropped = shelves.rows(), shelves.dropped()
        # How many rows, and how many dropped records, there are up to and with each record.
        self._made, self._left = array("Q", [0]), array("Q", [0])

    def add(self, key: str, case: Case | NoRow) -> None:
        """Make the rows of one record, or tell why there are none."""
        try:
            if isinstance(case, NoRow):
                raise case
            self._rows.extend(_all_rows(case, self._sources, self._contests, self._kind))
        except NoRow as why:
            self._dropped.append(Dropped(key, why.reason, why.text))
        self._made.append(len(self._rows))
        self._left.append(len(self._dropped))

    def result(self, order: Sequence[int]) -> RowsResult:
        """All of it, with the records in this order."""
        kept = array("Q", [at for place in order for at in range(self._made[place], self._made[place + 1])])
        left = array("Q", [self._left[place] for place in order if self._left[place] < self._left[place + 1]])
        return RowsResult(chosen(self._rows, kept), chosen(self._dropped, left))


def _all_rows(case: Case, sources: Sequence[Source], contests: Mapping[int, Contest], kind: Kind) -> list[Row]:
    found: list[Row] = []
    failed: list[NoRow] = []
    for index, source in enumerate(sources):
        try:
            found += _rows(case, source, contests.get(index), kind)
        except NoRow as why:
            failed.append(why)
        if found and kind == "sft":
            break
    if found or len(failed) < len(sources):
        return found
    precedence = list(REASONS)
    first = min(failed, key=lambda why: precedence.index(why.reason))
    raise NoRow(first.reason, text="; ".join(dict.fromkeys(why.text for why in failed)))


def _rows(case: Case, source: Source, contest: Contest | None, kind: Kind) -> list[Row]:
    """The rows that one rule of the template makes; none only where the record stands in rows of others."""
    case.require(source.when)
    if contest:
        rows = contest.rows(case)
    elif isinstance(source, SftSource):
        rows = sft_rows(case, source)
    elif isinstance(source, KtoSource):
        rows = kto_rows(case, source)
    elif isinstance(source, RewardSource) and source.score is not None:
        rows = score_rows(case, source)
    else:
        assert isinstance(source, PairSource)
        rows = within(case, source) if source.ratings is not None else pair_rows(case, source)
    settled = case.settled((*source.judges(), *source.texts())) if case.adjudicated else {}
    if settled or kind == "reward":  # a pair is made as one for DPO
        rows = [replace(row, kind=kind, adjudicated={**settled, **row.adjudicated}) for row in rows]
    return rows


def _sources(kind: Kind, template: TaskTemplate) -> Sequence[Source]:
    training = template.training
    if training is None:
        raise ExportError(
            f"the template {template.name!r} does not say how its answers become training rows",
            remedy="add a 'training' section to it, as the ready-made ones have: annobridge templates show review",
        )
    sources = [source for name, _, source in training.sources() if name == kind]
    if not sources:
        other = next((name for name in KINDS if getattr(training, name)), None)
        remedy = f"add {kind!r} rules to its 'training' section"
        raise ExportError(
            f"the template {template.name!r} has no rule for {kind} rows",
            remedy=f"{remedy}, or ask for {other}" if other else remedy,
        )
    return sources
