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

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from bridge.errors import ExportError
from bridge.exporting.cases import Case, Task
from bridge.exporting.completions import kto_rows, score_rows, sft_rows
from bridge.exporting.pairs import pair_rows
from bridge.exporting.ratings import Contest, within
from bridge.exporting.reasons import REASONS, Dropped, NoRow
from bridge.exporting.row import KINDS, Kind, Row, RowsResult
from bridge.merging.merged import Merged
from bridge.records import Record
from bridge.templates import KtoSource, PairSource, RewardSource, SftSource, Source, TaskTemplate, Training


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
    training, sources = _sources(kind, template)
    task = Task(template, training)
    known = {record.key: record for record in records}
    answered = {entry.record: entry for entry in merged}

    def cases() -> Iterator[Case]:
        for key in sorted(known.keys() & answered.keys()):
            case = Case(known[key], answered[key], task)
            try:
                case.check()
            except NoRow:
                continue  # it is told below
            yield case

    contests = {
        index: Contest(source, cases())
        for index, source in enumerate(sources)
        if isinstance(source, PairSource) and isinstance(source.ratings, str)
    }
    result = RowsResult()
    for key in sorted(known.keys() | answered.keys()):
        try:
            if key not in answered:
                raise NoRow("not_merged")
            if key not in known:
                raise NoRow("unknown_record")
            case = Case(known[key], answered[key], task)
            case.check()
            case.prompt()
            result.kept.extend(_all_rows(case, sources, contests, kind))
        except NoRow as why:
            result.dropped.append(Dropped(key, why.reason, why.text))
    return result


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


def _sources(kind: Kind, template: TaskTemplate) -> tuple[Training, Sequence[Source]]:
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
    return training, sources
