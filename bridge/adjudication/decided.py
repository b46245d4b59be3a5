"""What adjudicators decided, as the campaign's merge uses it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bridge.adjudication.folder import decisions, entries
from bridge.annotations import Annotation
from bridge.campaign_folder import CampaignFolder
from bridge.merging import MergeResult, merge
from bridge.merging.settle import settle
from bridge.records import Record
from bridge.templates import TaskTemplate

_SAME = ("threshold", "rewrites", "labels")
"""What of the campaign's rule holds for its adjudicators too: they are few and were chosen, so each counts once."""


def decided(linked: CampaignFolder) -> list[Annotation]:
    """The adjudicators' answers as answers to the campaign's own records.

    Raises:
        InputError: the linked campaign's records cannot be read.
    """
    return decisions(linked.annotations(), entries(linked.folder))


def decided_records(linked: CampaignFolder, keys: Iterable[str]) -> set[str]:
    """Records of the linked campaign by the keys that they have in the campaign."""
    there = entries(linked.folder)
    return {there[key].record if key in there else key for key in keys}


def settled(
    linked: CampaignFolder,
    result: MergeResult,
    template: TaskTemplate,
    records: Sequence[Record],
    rule: Mapping[str, Any],
) -> MergeResult:
    """The campaign's merge with what adjudicators decided.

    Their answers are merged by themselves, by majority and with a quorum of their own.

    Args:
        linked: the linked campaign.
        result: the merge of everybody's answers.
        template: the campaign's.
        records: the campaign's, as they are now: answers to an earlier text do not count.
        rule: how the campaign merges.
    """
    same = {name: rule[name] for name in _SAME if name in rule}
    found = merge(decided(linked), template, records, quorum=linked.config.merge.quorum, **same)
    asked = {question.name for question in linked.template.questions}
    # What was not asked is not missing.
    problems = [p for p in found.problems if p.kind == "invalid" or p.question in asked]
    return settle(result, replace(found, problems=problems), template, project=linked.config.project)
