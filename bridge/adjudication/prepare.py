"""Putting what is unresolved into the linked campaign's folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from bridge.adjudication.earlier import earlier_answers
from bridge.adjudication.folder import (
    FOLDER,
    Answers,
    Entry,
    add,
    ask_more,
    asking,
    begin,
    compares,
    entries,
    extra_field,
    free_key,
    row,
    showing,
    undecided,
)
from bridge.adjudication.result import AdjudicationResult
from bridge.campaign_folder import CampaignFolder
from bridge.errors import UsageError
from bridge.merging import MergedAnswer, MergeResult
from bridge.presenting import Blind
from bridge.records import Record
from bridge.templates import TaskTemplate


def prepare(
    campaign: CampaignFolder,
    linked: CampaignFolder | None,
    records: Iterable[Record],
    merged: MergeResult,
    *,
    title: Callable[[], str],
    answers: Answers | None = None,
    questions: Sequence[str] = (),
    annotators_per_record: int | None = None,
    no_quorum: bool = False,
) -> AdjudicationResult:
    """Write what is unresolved and not yet there into the linked campaign's folder; make it, if there is something.

    Args:
        campaign: whose records they are.
        linked: its linked campaign, if there is one.
        records: the campaign's.
        merged: what people say about them, earlier decisions included.
        title: what a new linked campaign is called on the server.
        answers: ``hidden`` (as if nothing is said) or ``shown``.
        questions: those to decide; all, if none is named.
        annotators_per_record: how many people decide on each record; 1 for a new linked campaign.
        no_quorum: also what too few people answered.

    Raises:
        UsageError: a linked campaign is there, and was made with other choices.
    """
    _check_choices(campaign, linked, answers, questions)
    shows = answers == "shown"
    if linked is not None:
        template, shows = linked.template, bool(extra_field(campaign.template, linked.template))
    else:
        template = asking(campaign.template, questions or [question.name for question in campaign.template.questions])
        template = showing(template) if shows else template
    asked = [question.name for question in template.questions]
    open_ = undecided(merged.unresolved, asked, no_quorum=no_quorum)
    too_few = undecided(merged.unresolved, asked, no_quorum=True).keys() - open_.keys()
    folder = campaign.folder / FOLDER
    result = AdjudicationResult(folder, len(open_), len(too_few), shown=shows)
    there: dict[str, Entry] = entries(folder) if linked is not None else {}
    known = {(entry.record, entry.content) for entry in there.values()}
    field = extra_field(campaign.template, template)
    said = {case.record: case.answers for case in merged.kept if case.record in open_} if field else {}
    blind = campaign.presentation.blind if compares(template) else None
    taken = set(there)
    rows = []
    found = [record for record in records if record.key in open_]
    result.missing = len(open_) - len(found)
    for record in found:
        if (record.key, record.content) in known:
            continue
        more = {field: _earlier(record, said[record.key], template, blind)} if field else {}
        key = free_key(record.key, taken)
        taken.add(key)
        rows.append(row(key, record, open_[record.key], template, more))
    result.added = len(rows)
    if linked is None:
        if rows:
            begin(folder, campaign.config, template, rows, title(), annotators_per_record or 1, field)
        return result
    add(folder, rows)
    if annotators_per_record not in (None, linked.config.annotators_per_record):
        assert annotators_per_record is not None
        ask_more(folder, annotators_per_record)
    return result


def _earlier(record: Record, said: Mapping[str, MergedAnswer], template: TaskTemplate, blind: Blind | None) -> str:
    """What people answered, in the terms of what the adjudicators see."""
    asked = [question.name for question in template.questions if question.name in said]
    given: dict[str, Mapping[str, Any]] = {name: said[name].annotators for name in asked}
    if blind is not None:
        given = {
            name: {who: blind.done(record, {name: value})[name] for who, value in answers.items()}
            for name, answers in given.items()
        }
        record = Record(record.key, blind.fields(record))
    return earlier_answers(record, given, template)


def _check_choices(
    campaign: CampaignFolder, linked: CampaignFolder | None, answers: Answers | None, questions: Sequence[str]
) -> None:
    """Refuse to change what was chosen when the linked campaign was made: some were asked in that way already."""
    if linked is None:
        return
    now: Answers = "shown" if extra_field(campaign.template, linked.template) else "hidden"
    asked = [question.name for question in linked.template.questions]
    remedy = f"leave the choice out, or move {linked.folder} away: then a new adjudication begins"
    if answers is not None and answers != now:
        raise UsageError(f"--answers {answers}: in this adjudication, earlier answers are {now}", remedy=remedy)
    if questions and set(questions) != set(asked):
        raise UsageError(
            f"--question {', '.join(questions)}: this adjudication asks for {', '.join(asked)}", remedy=remedy
        )
