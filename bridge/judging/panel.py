"""From readings to one judge's opinion, and from the opinions of several to a judgement. Pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import floor
from statistics import fmean
from typing import NamedTuple

from bridge.judging.judgement import PLACE, Judgement, Opinion, Reading
from bridge.judging.probabilities import weighted
from bridge.judging.rubric import Rubric
from bridge.questions import RatingQuestion
from bridge.records import Record, Suggestion

SPLIT = "the judges are split"


def opinion(rubric: Rubric, model: str, readings: Sequence[Reading]) -> Opinion:
    """What one judge says.

    Of two responses, both orders must be read, because one alone says as much of the order as of the responses. If
    they contradict each other, that is a tie, and a conflict.

    >>> from bridge.judging.rubric import parse_rubric
    >>> from bridge.templates import load_template
    >>> text = "{version: 1, name: better, question: preference, levels: {A: A is, B: B is, tie: neither}}"
    >>> better = parse_rubric(text, load_template("preference"))
    >>> found = opinion(better, "small", [Reading("A", picked="first"), Reading("B", picked="first")])
    >>> found.value, found.conflict
    ('tie', True)
    """
    reason = next((one.reason for one in readings if one.value is None), "")
    if reason or not readings:
        return Opinion(model, None, reason=reason or "nobody was asked", readings=tuple(readings))
    told = [one.probabilities for one in readings if one.probabilities is not None]
    probabilities = _mean(told) if len(told) == len(readings) else None
    values = {one.value for one in readings}
    conflict = len(values) > 1
    value = rubric.tie if conflict else readings[0].value
    score = None
    if isinstance(rubric.question, RatingQuestion) and probabilities:
        score = weighted({int(level): share for level, share in probabilities.items()})
    return Opinion(model, value, score, probabilities, conflict, readings=tuple(readings))


def judgement(rubric: Rubric, opinions: Sequence[Opinion]) -> Judgement:
    """What all judges say together: the mean of ratings (weighted where probabilities came), the most votes of labels.

    >>> from bridge.judging.rubric import parse_rubric
    >>> from bridge.templates import load_template
    >>> text = "{version: 1, name: good, question: rating, levels: {1: bad, 2: weak, 3: fair, 4: good, 5: best}}"
    >>> good = parse_rubric(text, load_template("rating"))
    >>> found = judgement(good, [Opinion("a", 4, 4.2), Opinion("b", 5), Opinion("c", None, reason="truncated")])
    >>> found.value, found.score, found.spread
    (5, 4.6, 1.0)
    """
    heard = [one for one in opinions if one.value is not None]
    about = _About(tuple(opinions), rubric.fingerprint, rubric.responses)
    name = rubric.question.name
    if not heard:
        reasons = dict.fromkeys(one.reason for one in opinions)
        return Judgement(name, None, reason="; ".join(reasons) or "nobody was asked", **about._asdict())
    conflicts = sum(one.conflict for one in heard)
    shares = _mean([one.probabilities or {str(one.value): 1.0} for one in heard])
    score, spread = None, 0.0
    value: int | str | None
    if isinstance(rubric.question, RatingQuestion):
        ratings = [int(one.value or 0) for one in heard]
        scores = [rating if one.score is None else one.score for one, rating in zip(heard, ratings, strict=True)]
        score, spread = fmean(scores), float(max(ratings) - min(ratings))
        # A single judge's answer is what it said; that of several is the level nearest to their mean.
        value = ratings[0] if len(heard) == 1 else _nearest(score)
    else:
        votes = Counter(one.value for one in heard)
        (value, most), *others = votes.most_common()
        spread = 1 - most / len(heard)
        if others and others[0][1] == most:
            value = None
    known = len(heard) > 1 or heard[0].probabilities is not None
    first, second = sorted([*shares.values(), 0.0, 0.0], reverse=True)[:2]
    return Judgement(
        name,
        value,
        score,
        shares.get(str(value), 0.0) if known and value is not None else None,
        first - second if known else None,
        spread,
        conflicts > 0 and 2 * conflicts >= len(heard),
        "" if value is not None else SPLIT,
        **about._asdict(),
    )


class _About(NamedTuple):
    opinions: tuple[Opinion, ...]
    rubric: str
    responses: tuple[str, ...]


def suggestion(found: Judgement) -> Suggestion | None:
    """The judgement as what people find already filled in.

    None where there is no answer, or a judge contradicts itself: then people decide, and nothing should pull them.

    >>> suggestion(Judgement("rating", 4, 3.8, 0.7, opinions=(Opinion("small-judge", 4),)))
    Suggestion(question='rating', value=4, score=0.7, agent='small-judge', kind='model')
    """
    if found.value is None or found.conflict:
        return None
    agent = " + ".join(dict.fromkeys(one.model for one in found.opinions))
    sure = None if found.confidence is None else min(1.0, round(found.confidence, 6))
    return Suggestion(found.question, found.value, sure, agent if len(agent) <= 200 else f"{agent[:197]}...")


def with_judgement(record: Record, found: Judgement) -> tuple[list[Suggestion], dict[str, object]]:
    """The suggestions and the metadata of a record with a judgement; an earlier one by the same judges is replaced."""
    new = suggestion(found)
    agents = {one.model for one in found.opinions} | ({new.agent} if new else set())
    kept = [one for one in record.suggestions if one.question != found.question or one.agent not in agents]
    before = record.metadata.get(PLACE)
    judged = {**(before if isinstance(before, dict) else {}), found.question: found.to_dict()}
    return [*kept, *([new] if new else [])], {**record.metadata, PLACE: judged}


def _mean(shares: Sequence[Mapping[str, float]]) -> dict[str, float]:
    levels = dict.fromkeys(level for one in shares for level in one)
    return {level: fmean(one.get(level, 0.0) for one in shares) for level in levels}


def _nearest(score: float) -> int:
    """The level nearest to a mean; of two, the lower one."""
    low = floor(score)
    return low if score - low <= 0.5 else low + 1
