"""Why a record yields no training row: every reason has a code, a meaning, and a place in the count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from bridge.exporting.shelf import by_fields
from bridge.merging.merged import MergedAnswer

REASONS = {
    "not_merged": "nobody's answers to the record have been merged",
    "unknown_record": "there are answers, but the record itself was not given",
    "skipped": "nobody's answers count: all were skipped, drafts, withdrawn or wrong",
    "invalid": "the merged answers do not fit the template or the record, or one of its texts cannot be written",
    "role": "the conversation has a role that trainers do not know, or no user's turn before the answer",
    "no_answer_turn": "the conversation does not end with an answer",
    "blank": "a text that the row needs is blank",
    "tie": "people contradict each other",
    "contradiction": "by the answers it is both desirable and undesirable",
    "no_quorum": "too few people answered",
    "unchanged_rewrite": "the text was left as it was, which approves it",
    "changed_prompt": "who rewrote the response also changed the prompt, so the two answer different prompts",
    "equal": "the preferred text and the other one are the same",
    "no_preference": "people agree that no response is better than the others",
    "close": "no response is better than another by as much as the rule asks for",
    "alone": "no other response to the same prompt was rated",
    "dead_zone": "the answers make it neither desirable nor undesirable",
    "condition": "the answers do not let the record through",
    "unanswered": "nobody answered a question that the row needs",
    "reasoning": "the reasoning in an answer never ends, or nothing comes after it",
    "curated": "a step of `curate.before_export` dropped it",
    "gated": "a gate stopped all of its rows",
    "straddles": "its prompt is like prompts of several splits, so it would leak from one to the other",
    "multi_turn": "the format has no place for several messages",
    "unfit": "the format, or the chat template, cannot express it",
}
"""Code to meaning. Where several are true of a record, it is counted under the first."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """A record without a row: one of :data:`REASONS`, and what it means here.

    ``format`` names the only format that the record is missing from; it is empty where the record is in none.
    """

    record: str
    reason: str
    text: str
    format: str = ""

    def to_dict(self) -> dict[str, str]:
        """The case as a line of the file of dropped records."""
        return {"record": self.record, "reason": self.reason, "text": self.text, "format": self.format}


DROPPED = by_fields(Dropped, lambda case: 200 + len(case.text))
"""How dropped records lie on a shelf."""


class NoRow(Exception):
    """Says, inside this package, why something yields no row; it ends as a :class:`Dropped`."""

    def __init__(self, reason: str, where: str = "", text: str = "") -> None:
        self.reason = reason
        self.text = ": ".join(part for part in (where, text or REASONS[reason]) if part)
        super().__init__(self.text)


def tie(question: str, answer: MergedAnswer) -> NoRow:
    """The case of a question whose answers do not add up to one."""
    return NoRow("tie", question, f"tie ({answer.reason})" if answer.reason else "tie")


def count_reasons(dropped: Iterable[Dropped]) -> dict[str, int]:
    """Reason to number of cases, in the order of :data:`REASONS`.

    >>> count_reasons([Dropped("r2", "equal", ""), Dropped("r1", "tie", ""), Dropped("r3", "equal", "")])
    {'tie': 1, 'equal': 2}
    """
    counts = Counter(case.reason for case in dropped)
    return {reason: counts[reason] for reason in REASONS if counts[reason]}
