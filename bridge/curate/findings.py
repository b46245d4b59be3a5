"""What an assessment comes down to: what to look at, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from bridge.curate.assess import Assessment, Noticed

Level = Literal["look", "note", "good"]
"""``look`` asks for a decision, ``note`` is worth knowing, ``good`` says that something was looked for in vain."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence about a set of records.

    Args:
        level: see :data:`Level`.
        text: the sentence.
        share: the share of records, where it is about some.
        remedy: a command that does something about it, where there is one.
        keys: the first records that it is about.
    """

    level: Level
    text: str
    share: float | None = None
    remedy: str = ""
    keys: list[str] = field(default_factory=list)


def findings(assessment: Assessment) -> list[Finding]:
    """What to look at first, what to know, and what was looked for and not found.

    >>> from bridge.curate.assess import assess
    >>> from bridge.records import Record
    >>> found = findings(assess([Record("a", {"prompt": "2 + 2?", "response": ""})]))
    >>> found[0].text, found[0].keys
    ('1 record has an empty response', ['a'])
    """
    order = ("look", "note", "good")
    found = [*_texts(assessment), *_duplicates(assessment), *_people(assessment), *_groups(assessment)]
    return sorted(found, key=lambda finding: order.index(finding.level))


def percent(share: float) -> str:
    """A share in percent, with no more digits than it deserves.

    >>> percent(0.5), percent(0.0123), percent(0.00001), percent(0)
    ('50 %', '1.2 %', 'under 0.1 %', '0 %')
    """
    if 0 < share < 0.001:
        return "under 0.1 %"
    return f"{100 * share:.0f} %" if share >= 0.1 or not share else f"{100 * share:.1f} %"


def _texts(a: Assessment) -> Iterator[Finding]:
    yield _records(a, a.empty_response, "{} an empty response", "no empty responses", "annobridge clean", look=0)
    yield _records(a, a.empty_prompt, "{} no prompt", "no empty prompts", look=0)
    yield _records(a, a.very_short, "{} a response of one or two words", "no very short responses", look=0.05)
    yield _records(
        a, a.repetitive, "{} a response that repeats itself", "no response repeats itself", look=0.01, remedy=""
    )
    if a.languages:
        text = "{} a response in another language than the prompt"
        yield _records(a, a.other_language, text, "responses are in the language of their prompts", look=0.01)


def _duplicates(a: Assessment) -> Iterator[Finding]:
    exact = a.duplicates["exact"]
    yield _records(a, exact, "{} the same text as another", "no exact duplicates", "annobridge dedup", look=0)
    if "near" in a.duplicates:
        near = a.duplicates["near"]
        yield _records(a, near, "{} nearly the text of another", "no near duplicates", "annobridge dedup", look=0.01)


def _people(a: Assessment) -> Iterator[Finding]:
    for kind, noticed in a.pii.items():
        yield _records(a, noticed, f"{{}} what may be personal: {kind}", "", "annobridge pii --mode mask", look=0)
    if a.toxicity is not None and a.responses:
        share = a.toxicity.spread.count and 1 - a.toxicity.below / a.toxicity.spread.count
        text = f"{percent(share)} of responses have a toxicity of {a.toxicity.threshold:g} or more"
        yield Finding("look" if share else "good", text, share)


def _groups(a: Assessment) -> Iterator[Finding]:
    for name, balance in a.balance.items():
        group, count = next(iter(balance.groups.items()))
        share = count / a.records
        if len(balance.groups) > 1 and share > max(0.5, 1.25 / len(balance.groups)):
            remedy = f"annobridge balance --by {name} --share 0.5"
            yield Finding("note", f"{percent(share)} of records are of one {name}: {group}", share, remedy)
    for name, score in a.scores.items():
        share = score.below / score.spread.count
        text = f"{percent(share)} of {score.spread.count:,} scores for {name} are below {score.threshold:g}"
        yield Finding("look" if share > 0.2 else "note" if share else "good", text, share)


def _records(a: Assessment, noticed: Noticed, some: str, none: str, remedy: str = "", *, look: float) -> Finding:
    if not noticed.count:
        return Finding("good", none)
    share = noticed.count / a.records
    text = some.format("1 record has" if noticed.count == 1 else f"{noticed.count:,} records have")
    return Finding("look" if share > look else "note", text, share, remedy, noticed.keys)
