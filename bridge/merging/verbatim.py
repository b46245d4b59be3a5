"""People whose rankings, passages or texts say nothing: always the same one, or just those of somebody else.

Whole answers are compared, as they were given. Unlike labels, such answers are hardly ever the same by chance, so that
people who agree with nobody else word for word, but with each other in everything, are named too.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from bridge.merging.compared import Given
from bridge.merging.dawid_skene import Votes, votes
from bridge.merging.doubt import Doubt
from bridge.merging.suspects import FEW_ANSWERS, NEARLY, constant_annotators, copied_answers
from bridge.questions import Question, RankingQuestion, SpanQuestion
from bridge.text import plain

NOTHING, UNCHANGED, ANOTHER = "nothing", "no change", "another answer"
_NONE: Mapping[str, str] = {}


def verbatim(question: Question, given: Sequence[Given], originals: Mapping[str, str] = _NONE) -> list[Doubt]:
    """Annotators who always give the same answer, and pairs who copy; sorted by kind and by name.

    Args:
        question: of rankings, passages or texts.
        given: record, annotator and answer; each person once per record.
        originals: of texts, record to the text that people started with, where it is known. To leave it as it was is
            an answer that anybody may give.

    >>> from bridge.templates import load_template
    >>> given = [(f"r{n}", who, f"Text {n} of {who}") for n in range(40) for who in ("ann", "bo", "cy")]
    >>> given += [(f"r{n}", "zed", f"Text {n} of bo") for n in range(40)]
    >>> [doubt.annotators for doubt in verbatim(load_template("rewrite").questions[0], given)]
    [('bo', 'zed')]
    """
    as_it_was = {record: plain(text) for record, text in originals.items()}
    answers = []
    for record, who, value in given:
        spelled = _spelled(question, value)
        answers.append((record, who, "" if spelled == as_it_was.get(record) else spelled))
    said = [answer for answer in answers if answer[2]]
    return _constant(question, answers) + copied_answers(
        _numbered(said), by_chance=isinstance(question, RankingQuestion)
    )


def _spelled(question: Question, value: object) -> str:
    """The answer in one spelling; empty where nothing was marked."""
    if isinstance(question, SpanQuestion):
        assert isinstance(value, list)
        return json.dumps(sorted((span["start"], span["end"], span["label"]) for span in value)) if value else ""
    if isinstance(question, RankingQuestion):
        assert isinstance(value, dict)
        steps = sorted(set(value.values()))
        return json.dumps({item: steps.index(value[item]) for item in sorted(value)})
    return plain(str(value))


def _constant(question: Question, answers: Iterable[tuple[str, str, str]]) -> list[Doubt]:
    """Who (nearly) always gives one and the same answer, also where most others give another one."""
    own: dict[str, Counter[str]] = defaultdict(Counter)
    for _, who, spelled in answers:
        own[who][spelled] += 1
    always = set()
    for counts in own.values():
        spelled, times = min(counts.items(), key=lambda item: (-item[1], item[0]))
        if times >= FEW_ANSWERS and times >= NEARLY * counts.total():
            always.add(spelled)
    labels = {spelled: _short(question, spelled) for spelled in sorted(always)}
    cast = votes(
        ((record, who, labels.get(spelled, ANOTHER)) for record, who, spelled in answers),
        [*dict.fromkeys(labels.values()), ANOTHER],
    )
    # That somebody always gives an answer which no constant person gives is what everybody should do.
    return [doubt for doubt in constant_annotators(cast) if doubt.evidence["label"] != ANOTHER]


def _short(question: Question, spelled: str) -> str:
    if not spelled:
        return NOTHING if isinstance(question, SpanQuestion) else UNCHANGED
    if isinstance(question, RankingQuestion):
        ranks: dict[str, int] = json.loads(spelled)
        return " ".join(f"{item}={rank + 1}" for item, rank in ranks.items())
    return spelled


def _numbered(answers: Sequence[tuple[str, str, str]]) -> Votes:
    """Answers as numbers that say no more than which of those to a record are the same."""
    different: dict[str, set[str]] = defaultdict(set)
    for record, _, spelled in answers:
        different[record].add(spelled)
    number = {record: {spelled: str(n) for n, spelled in enumerate(sorted(of))} for record, of in different.items()}
    most = max(map(len, different.values()), default=0)
    return votes(((record, who, number[record][spelled]) for record, who, spelled in answers), [*map(str, range(most))])
