"""Merging by a model of the annotators (Dawid-Skene), where its gate holds: labels, and the tokens of spans.

Unlike everything in :mod:`bridge.merging.kinds`, the answer to one record depends on the answers to all others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from bridge.merging.doubt import Doubt
from bridge.merging.kinds import merge_label
from bridge.merging.merged import MergedAnswer
from bridge.merging.rule import Rule
from bridge.merging.spans import marked_tokens, merge_span, outcome, rebuilt, tokens
from bridge.merging.tally import Answers, agreed, tie
from bridge.questions import LabelQuestion, Question, SpanQuestion

if TYPE_CHECKING:
    from bridge.merging.dawid_skene import Fit
    from bridge.merging.gate import Rest

DIGITS = 6
"""To how many digits a probability is kept, so that machines whose rounding differs write the same."""

_OUTSIDE, _INSIDE = "outside", "inside"


@dataclass(frozen=True, slots=True)
class Modelled:
    """What a model says of one question.

    Args:
        answers: record to merged answer; empty where the gate does not hold, and without records of which the model
            has no answer.
        doubts: why the gate does not hold.
        report: for the manifest: whether it was used, how many answers it changed against the majority, whose answers
            it did not get, and whose it got once.
    """

    answers: dict[str, MergedAnswer] = field(default_factory=dict)
    doubts: list[Doubt] = field(default_factory=list)
    report: dict[str, Any] = field(default_factory=dict)


def can_model(question: Question) -> bool:
    """Whether a question is one for a model: labels that do not pick responses, and spans."""
    if isinstance(question, LabelQuestion):
        return not any(option.picks for option in question.options)
    return isinstance(question, SpanQuestion)


def model_labels(question: LabelQuestion, given: Mapping[str, Answers], rule: Rule) -> Modelled:
    """The likeliest label of each record, by a model of who mistakes what for what; ``posterior`` has them all.

    A label counts as agreed on if it is likelier than all others together.

    Args:
        question: a label question.
        given: record to what people answered.
        rule: how the majority is found, for the comparison.
    """
    from bridge.merging.dawid_skene import dawid_skene, votes
    from bridge.merging.gate import gate, set_aside

    everything = votes(
        ((record, who, label) for record, answers in given.items() for who, label in answers.items()),
        question.values,
    )
    rest = set_aside(everything)
    cast = rest.votes
    if doubts := gate(cast, everything):
        return _refused(question.name, doubts)
    fit = dawid_skene(cast)
    merged: dict[str, MergedAnswer] = {}
    changed = 0
    for record, shares in zip(cast.items, fit.posterior.tolist(), strict=True):
        majority = merge_label(question, given[record], rule)
        merged[record] = _likeliest(given[record], dict(zip(cast.labels, shares, strict=True)), majority)
        changed += majority.outcome == "agreed" and majority.value != merged[record].value
    return Modelled(merged, [], _report(fit, changed, rest))


def _likeliest(answers: Answers, shares: Mapping[str, float], majority: MergedAnswer) -> MergedAnswer:
    rounded = {label: round(share, DIGITS) for label, share in shares.items()}
    posterior = {label: share for label, share in rounded.items() if share}
    first, *others = sorted(posterior, key=lambda label: -posterior[label])
    margin = round(posterior[first] - (posterior[others[0]] if others else 0.0), DIGITS)
    details = {**majority.details, "posterior": posterior, "margin": margin}
    if posterior[first] <= 0.5:
        return tie(answers, f"no label is likelier than not: {first} has {posterior[first]:.2f}", **details)
    return agreed(answers, first, **details)


def model_spans(question: SpanQuestion, given: Mapping[str, Answers], texts: Mapping[str, str], rule: Rule) -> Modelled:
    """Spans of the tokens that lie inside a passage more likely than not, for each label by itself.

    Tokens of a text hang together, so that many tokens of few texts are little to learn from: texts are counted too.
    Records are merged by votes whose text is not known, or which only people answered that are set aside.
    """
    from bridge.merging.dawid_skene import dawid_skene, votes
    from bridge.merging.gate import few_items, gate, set_aside

    places = {record: tokens(texts[record]) for record in given if record in texts}
    if doubts := few_items(len(places), "texts"):
        return _refused(question.name, doubts)
    inside: dict[str, dict[str, list[int]]] = {record: {} for record in places}
    margins = dict.fromkeys(places, 1.0)
    by_votes = given.keys() - places.keys()
    reports: dict[str, Any] = {}
    for label in question.values:
        marks = {
            record: {who: marked_tokens(spans, label, places[record]) for who, spans in given[record].items()}
            for record in places
        }
        if not any(marked for people in marks.values() for marked in people.values()):
            continue
        everything = votes(
            (
                (f"{index:09} {record}", who, _INSIDE if index in marked else _OUTSIDE)
                for record, people in marks.items()
                for who, marked in people.items()
                for index in range(len(places[record]))
            ),
            [_OUTSIDE, _INSIDE],
        )
        rest = set_aside(everything)
        cast = rest.votes
        if doubts := gate(cast, everything):
            return _refused(question.name, doubts)
        fit = dawid_skene(cast)
        for token, share in zip(cast.items, fit.posterior[:, 1].round(DIGITS).tolist(), strict=True):
            if share > 0.5:
                number, _, record = token.partition(" ")
                inside[record].setdefault(label, []).append(int(number))
                margins[record] = min(margins[record], round(2 * share - 1, DIGITS))
        by_votes |= places.keys() - {item.partition(" ")[2] for item in cast.items}
        reports[label] = _report(fit, 0, rest)
    merged: dict[str, MergedAnswer] = {}
    changed = 0
    for record, people in given.items():
        majority = merge_span(question, people, rule, texts.get(record))
        if record in by_votes:
            merged[record] = majority
            continue
        value = []
        for label, chosen in inside[record].items():
            whose = [marked_tokens(spans, label, places[record]) for spans in people.values()]
            value += rebuilt(label, sorted(chosen), places[record], whose)
        marked = sum(bool(spans) for spans in people.values())
        merged[record] = outcome(people, value, marked=marked, margin=margins[record])
        changed += majority.outcome == "agreed" and majority.value != merged[record].value
    return Modelled(merged, [], {"used": True, "changed": changed, "labels": reports})


def _report(fit: Fit, changed: int, rest: Rest) -> dict[str, Any]:
    return {
        "used": True,
        "changed": changed,
        "iterations": fit.iterations,
        "converged": fit.converged,
        "left_out": list(rest.left_out),
        "as_one": [list(group) for group in rest.as_one],
    }


def _refused(question: str, doubts: Sequence[Doubt]) -> Modelled:
    named = [replace(doubt, question=question) for doubt in doubts]
    return Modelled({}, named, {"used": False, "why": [doubt.kind for doubt in named]})
