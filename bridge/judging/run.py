"""Judging records: every judge is asked, what it says is read, and the judgement goes into the record.

Records are taken some at a time, so that files may be larger than memory. What was answered is in the askers' journal:
a run that broke off asks nothing twice.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from bridge.errors import UsageError
from bridge.judging.families import relatives, writers
from bridge.judging.judgement import Judgement, Opinion, Reading
from bridge.judging.panel import judgement, opinion, with_judgement
from bridge.judging.probabilities import level_probabilities
from bridge.judging.prompts import reference_of, request
from bridge.judging.rubric import Rubric
from bridge.merging import Doubt
from bridge.models.asker import Asker
from bridge.models.replies import Usage
from bridge.models.requests import ChatRequest
from bridge.models.structured import Structured, ask_structured
from bridge.records import Record

AT_ONCE = 64
"""Records that are judged at a time."""

MOST = 20_000
"""Code points of a rationale that are kept."""


@dataclass(slots=True)
class Tally:
    """What a run came to, counted as it goes on.

    Args:
        records: how many were judged.
        judgements: question to how many have an answer.
        references: question to how many records had a known right answer.
        missing: reason to how many readings have none, for that reason.
        conflicts: judgements in which half of the judges or more contradict themselves when the order is swapped.
        split: judgements without an answer because the judges are split.
        mended: readings that took a second request.
        usage: of all requests.
        warnings: what is doubtful.
    """

    records: int = 0
    judgements: Counter[str] = field(default_factory=Counter)
    references: Counter[str] = field(default_factory=Counter)
    missing: Counter[str] = field(default_factory=Counter)
    conflicts: int = 0
    split: int = 0
    mended: int = 0
    usage: Usage = field(default_factory=lambda: Usage(cost=0.0, attempts=0))
    warnings: list[Doubt] = field(default_factory=list)
    wrote: set[str] = field(default_factory=set)

    def to_dict(self) -> dict[str, Any]:
        """The figures as ``--json`` prints them."""
        usage = self.usage
        return {
            "records": self.records,
            "judgements": dict(self.judgements),
            "missing": dict(self.missing.most_common()),
            "conflicts": self.conflicts,
            "split": self.split,
            "mended": self.mended,
            "usage": {
                "prompt_tokens": usage.prompt_tokens,
                "completion_tokens": usage.completion_tokens,
                "cost": usage.cost,
                "attempts": usage.attempts,
            },
            "warnings": [warning.to_dict() for warning in self.warnings],
        }


async def judge(
    records: Iterable[Record],
    rubrics: Sequence[Rubric],
    judges: Sequence[Asker],
    *,
    parameters: Mapping[str, Any] | None = None,
    generators: Iterable[str] = (),
    tally: Tally | None = None,
) -> AsyncIterator[Record]:
    """Judge records, in their order.

    Each judge is asked by each rubric, of two responses once in each order. An answer that cannot be read is asked for
    once more, and is then none, with its reason. The judgement of all judges becomes a suggestion, and stands with
    every reading in ``metadata["judge"]``.

    Args:
        records: what is judged.
        rubrics: by what; each for a question of its own.
        judges: who judges, each under a name of its own.
        parameters: of the requests, such as ``{"max_tokens": 500}``; None leaves one of the usual ones out.
        generators: which models wrote the records, beside what their metadata says.
        tally: counts what happens.

    Raises:
        UsageError: no judge or rubric, one of them twice, or a parameter that cannot be.
        EndpointError, BudgetSpent, StoreError: as of the askers; what was judged before has been given out.

    >>> from bridge.judging.rubric import parse_rubric
    >>> from bridge.templates import load_template
    >>> from bridge.testing.models_scripted import ScriptedAsker
    >>> text = "{version: 1, name: better, question: preference, levels: {A: A is, B: B is, tie: neither}}"
    >>> rubric = parse_rubric(text, load_template("preference"))
    >>> def answer(asked: ChatRequest) -> str:
    ...     first = asked.messages[1]["content"].index("Four.") < asked.messages[1]["content"].index("Five.")
    ...     return '{"rationale": "Two and two is four.", "score": %d}' % (1 if first else 2)
    >>> async def run() -> list[Record]:
    ...     record = Record("r1", {"prompt": "2 + 2?", "response_a": "Four.", "response_b": "Five."})
    ...     return [one async for one in judge([record], [rubric], [ScriptedAsker(answer)])]
    >>> asyncio.run(run())[0].suggestions
    [Suggestion(question='preference', value='A', score=None, agent='stub', kind='model')]
    """
    tally = tally if tally is not None else Tally()
    _check(rubrics, judges, parameters or {})
    tally.wrote |= set(generators)
    source = iter(records)
    while chunk := list(islice(source, AT_ONCE)):
        asked = [_judged(record, rubrics, judges, parameters or {}, tally) for record in chunk]
        # Waits for all of them, so that nothing goes on behind the back of whoever handles an error.
        for done in await asyncio.gather(*asked, return_exceptions=True):
            if isinstance(done, BaseException):
                raise done
            yield done
    tally.warnings += relatives([one.model for one in judges], tally.wrote)
    for rubric in rubrics:
        if rubric.reference and tally.records and not tally.references[rubric.question.name]:
            means = f"no record has {rubric.reference}, which the rubric {rubric.name} takes for a known right answer"
            tally.warnings.append(Doubt("no_reference", means, "name a field or a piece of metadata that records have"))


def _check(rubrics: Sequence[Rubric], judges: Sequence[Asker], parameters: Mapping[str, Any]) -> None:
    if not rubrics or not judges:
        raise UsageError("nothing to judge by, or nobody to judge", remedy="name a rubric and a model")
    if parameters.get("n", 1) != 1:
        raise UsageError("parameter n: a judge says one thing", remedy="leave it out; several judges make a panel")
    for what, names in (
        ("question", [one.question.name for one in rubrics]),
        ("judge", [one.model for one in judges]),
    ):
        for name in names:
            if names.count(name) > 1:
                raise UsageError(f"{what} {name!r:.80}: twice", remedy=f"name each {what} once")


async def _judged(
    record: Record, rubrics: Sequence[Rubric], judges: Sequence[Asker], parameters: Mapping[str, Any], tally: Tally
) -> Record:
    test_only = False
    for rubric in rubrics:
        heard = await asyncio.gather(*(_opinion(record, rubric, one, parameters, tally) for one in judges))
        found = judgement(rubric, [one for one, _ in heard])
        tally.references[rubric.question.name] += bool(reference_of(rubric, record))
        _count(tally, found)
        suggestions, metadata = with_judgement(record, found)
        test_only = test_only or any(stub for _, stub in heard)
        record = replace(record, suggestions=suggestions, metadata=metadata)
    if test_only:
        record = replace(record, metadata={**record.metadata, "test_only": True})
    tally.records += 1
    tally.wrote |= set(writers(record))
    return record


def _count(tally: Tally, found: Judgement) -> None:
    tally.judgements[found.question] += found.value is not None
    tally.conflicts += found.conflict
    heard = [one for one in found.opinions if one.value is not None]
    tally.split += found.value is None and bool(heard)
    for reading in (reading for one in found.opinions for reading in one.readings):
        tally.mended += reading.mended
        if reading.value is None:
            tally.missing[reading.reason] += 1


async def _opinion(
    record: Record, rubric: Rubric, judge_: Asker, parameters: Mapping[str, Any], tally: Tally
) -> tuple[Opinion, bool]:
    """What one judge says, and whether it is a test double."""
    gap = next((name for name in rubric.responses if not record.fields.get(name)), None)
    if gap is not None:
        return opinion(rubric, judge_.model, [Reading(None, f"the record has no {gap}")]), False
    orders = (False, True) if rubric.is_pair else (False,)
    requests: list[ChatRequest] = [request(rubric, record, judge_.model, parameters, swapped) for swapped in orders]
    answers: list[Any] = await asyncio.gather(
        *(ask_structured(judge_, one) for one in requests), return_exceptions=True
    )
    readings, test_only, model = [], False, judge_.model
    for asked, swapped, answer in zip(requests, orders, answers, strict=True):
        if isinstance(answer, BaseException):
            raise answer
        tally.usage += answer.usage
        if answer.reply.test_only:
            test_only, model = True, answer.reply.model
        readings.append(replace(reading(rubric, answer, swapped), request=asked.key))
    return opinion(rubric, model, readings), test_only


def reading(rubric: Rubric, answer: Structured[Any], swapped: bool = False) -> Reading:
    """What an answer says: the level that the judge named, and how likely it was to name each.

    Args:
        rubric: by which it was asked.
        answer: JSON that follows the schema of the rubric, or no value and why.
        swapped: whether the second response was shown first.
    """
    said = answer.values[0]
    if said.value is None:
        return Reading(None, said.problem or "no answer", mended=said.mended)
    level = rubric.level(int(said.value["score"]))
    tokens = said.choice.logprobs if said.choice else None
    likely = level_probabilities(tokens, [one.code for one in rubric.levels])
    values = {one.code: str(_as_meant(rubric, one.value, swapped)) for one in rubric.levels}
    probabilities = {values[code]: share for code, share in likely.items()} if likely else None
    picked = _picked(rubric, level.value)
    value = _as_meant(rubric, level.value, swapped)
    return Reading(value, "", _storable(said.value["rationale"]), probabilities, picked, mended=said.mended)


def _storable(text: str) -> str:
    """What a model wrote, without what no server stores: halves of surrogate pairs, NUL, and text without end."""
    return text.encode(errors="replace").decode().replace("\0", "?").strip()[:MOST]


def _as_meant(rubric: Rubric, value: int | str, swapped: bool) -> int | str:
    """An answer to swapped responses as one to the responses as the record has them."""
    if not swapped:
        return value
    first, second = (rubric.value_of(name) for name in rubric.responses)
    return {first: second, second: first}.get(str(value), value)


def _picked(rubric: Rubric, said: int | str) -> Any:
    if not rubric.is_pair:
        return None
    first, second = (rubric.value_of(name) for name in rubric.responses)
    return "first" if said == first else "second" if said == second else "neither"
