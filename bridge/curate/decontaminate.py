"""Decontamination: which records hold what a model will be tested on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.curate.items import prompt_and_response
from bridge.curate.result import Dropped, Result
from bridge.errors import InputError, UsageError
from bridge.files import Reject
from bridge.records import Record
from bridge.rows import read_rows

if TYPE_CHECKING:
    from bridge.curate.tokens import Engine

STEP = "decontaminate"
COLUMNS = (
    *(
        "prompt",
        "instruction",
        "input",
        "question",
        "query",
        "problem",
        "text",
        "context",
        "passage",
        "story",
        "article",
    ),
    *("goal", "ctx", "sentence", "sentence1", "sentence2", "premise", "hypothesis", "document", "source", "content"),
    *("turns", "messages", "conversation", "conversations"),
)
"""Columns of an evaluation set that are compared where none are named; answers and choices are not among them."""


@dataclass(frozen=True, slots=True)
class EvaluationItem:
    """One text of an evaluation set.

    Args:
        set: the name of the set.
        item: which of its items: its id, or the number of its line.
        column: where the text stands in it.
        text: the text.
    """

    set: str
    item: str
    column: str
    text: str


def read_evaluation(
    path: str | Path, *, name: str | None = None, columns: Sequence[str] | None = None
) -> list[EvaluationItem]:
    """The texts of an evaluation set: JSONL, JSON, CSV, Parquet or a saved dataset.

    Args:
        path: the file or folder.
        name: of the set; by default that of the file.
        columns: those with texts; by default those of :data:`COLUMNS` that are there, else all texts of three words
            and more.

    Raises:
        InputError: it does not exist, is empty, has a row that cannot be read, or no texts.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "quiz.jsonl")
    >>> _ = path.write_text('{"id": "q7", "question": "Who wrote Emma?", "answer": "Jane Austen"}\\n')
    >>> read_evaluation(path)
    [EvaluationItem(set='quiz', item='q7', column='question', text='Who wrote Emma?')]
    """
    path = Path(path)
    found: list[EvaluationItem] = []
    others: list[EvaluationItem] = []
    seen: dict[str, None] = {}
    for line, row in read_rows(path):
        if isinstance(row, Reject):
            raise InputError(
                f"{path}:{line}: {row.reason}",
                remedy=f"{row.remedy}; a set that is read in part would let its other items pass",
            )
        row = row["fields"] | {"key": row.get("key")} if isinstance(row.get("fields"), dict) else row
        item = str(
            next((row[id_] for id_ in ("id", "key", "task_id", "question_id") if row.get(id_) is not None), line)
        )
        for column, value in row.items():
            seen.setdefault(str(column))
            wanted = column in columns if columns is not None else str(column).lower() in COLUMNS
            for text in _texts(value):
                if wanted:
                    found.append(EvaluationItem(name or path.stem, item, str(column), text))
                elif columns is None and len(text.split()) >= 3:
                    others.append(EvaluationItem(name or path.stem, item, str(column), text))
    if not found and others:
        found = others
    missing = [column for column in columns or () if column not in seen]
    if missing or not found:
        what = f"there is no column {missing[0]!r:.60}" if missing else "there is no text in it"
        raise InputError(
            f"{path}: {what}; its columns are {', '.join(seen) or 'none'}",
            remedy="name the columns that hold the questions",
        )
    return found


def _texts(value: object) -> Iterator[str]:
    """The texts of a value: itself, the turns of a list, or what users say in a conversation."""
    if isinstance(value, str):
        if value.strip():
            yield value
    elif isinstance(value, list):
        for part in value:
            if isinstance(part, str):
                yield from _texts(part)
            elif isinstance(part, dict) and part.get("role", part.get("from")) in ("user", "human"):
                yield from _texts(part.get("content", part.get("value")))


def evaluation_items(texts: Mapping[str, Iterable[str]]) -> list[EvaluationItem]:
    """The same from memory: name of each set to its texts, which are numbered from 1 on.

    >>> evaluation_items({"quiz": ["Who wrote Emma?"]})
    [EvaluationItem(set='quiz', item='1', column='text', text='Who wrote Emma?')]
    """
    return [
        EvaluationItem(name, str(number), "text", text)
        for name, listed in texts.items()
        for number, text in enumerate(listed, 1)
    ]


def decontaminate(
    records: Iterable[Record],
    against: Sequence[EvaluationItem],
    *,
    on: str = "both",
    containment: float | None = 0.5,
    ratio: float | None = 85,
    n: int = 3,
    engine: Engine = "auto",
) -> Result:
    """Drop records that hold an item of an evaluation set, and say which one, by which rule, and where they overlap.

    Prompt and response are compared one by one. ``containment``: the share of an item's word n-grams that stand in
    the text (:mod:`bridge.curate.containment`). An item of up to n words is held only by a prompt of the same words.
    ``token_set_ratio``: rapidfuzz's ratio, in lower case and guarded (:mod:`bridge.curate.ratios`), of what the first
    rule has not found. Scores are shares from 0 to 1 for both.

    Args:
        records: each with a key of its own.
        against: items of one set or of several (:func:`read_evaluation`).
        on: ``prompt``, ``response`` or ``both``.
        containment: from which share on an item is held; None switches the rule off.
        ratio: above which an item is copied, from 0 to 100; None switches the rule off.
        n: words in a shingle.
        engine: see :data:`bridge.curate.tokens.Engine`; both find the same.

    Raises:
        UsageError: a side or threshold that does not exist, or nothing to compare with.

    >>> records = [Record("a", {"prompt": "Hm: who wrote the novel Emma?", "response": "Jane Austen."}),
    ...            Record("b", {"prompt": "Who wrote this?"})]
    >>> found = decontaminate(records, evaluation_items({"quiz": ["Who wrote the novel 'Emma'?"]}))
    >>> [record.key for record in found.kept], found.why
    (['b'], {'containment': 1})
    >>> found.dropped[0].detail
    {'set': 'quiz', 'item': '1', 'column': 'text', 'side': 'prompt', 'passage': 'who wrote the novel Emma'}
    """
    if on not in ("prompt", "response", "both"):
        raise UsageError(f"on {on!r:.60}: there is no such side of a record", remedy="use prompt, response or both")
    if containment is not None and not 0 < containment <= 1:
        raise UsageError(f"containment {containment}: not possible", remedy="give a share above 0, at most 1")
    if ratio is not None and not 50 <= ratio <= 100:
        raise UsageError(f"ratio {ratio}: not possible", remedy="give a number from 50 to 100, such as 85")
    if not against:
        raise UsageError("there is no evaluation item to compare with", remedy="name an evaluation set")
    rows = list(records)
    units = [unit for number, record in enumerate(rows) for unit in _units(number, record, on)]
    matches: dict[int, _Match] = {}
    if containment is not None:
        _take(matches, _held(units, against, containment, n, engine))
    if ratio is not None:
        rest = [unit for unit in units if unit.record not in matches]
        _take(matches, _copied(rest, against, ratio, engine))
    dropped = [_case(rows[number], match, against) for number, match in sorted(matches.items())]
    why: dict[str, int] = {}
    for case in dropped:
        why[case.rule] = why.get(case.rule, 0) + 1
    return Result([record for number, record in enumerate(rows) if number not in matches], dropped, why)


@dataclass(frozen=True, slots=True)
class _Unit:
    record: int
    side: str
    text: str


@dataclass(frozen=True, slots=True)
class _Match:
    unit: _Unit
    item: int
    rule: str
    score: float


def _units(number: int, record: Record, on: str) -> Iterator[_Unit]:
    for side, text in zip(("prompt", "response"), prompt_and_response(record), strict=True):
        if on in (side, "both") and text.strip():
            yield _Unit(number, side, text)


def _held(
    units: list[_Unit], against: Sequence[EvaluationItem], threshold: float, n: int, engine: Engine
) -> Iterator[_Match]:
    from bridge.curate.containment import contained
    from bridge.curate.tokens import words

    found = contained([unit.text for unit in units], [item.text for item in against], threshold, n=n, engine=engine)
    for text, item, share in zip(found.texts.tolist(), found.items.tolist(), found.shares.tolist(), strict=True):
        yield _Match(units[text], item, "containment", share)
    short: dict[tuple[str, ...], int] = {}
    for number, evaluated in enumerate(against):
        if len(evaluated.text) < 200 and 0 < len(found_words := words(evaluated.text)) <= n:
            short.setdefault(tuple(found_words), number)
    for unit in units if short else ():
        if unit.side == "prompt" and len(unit.text) < 200 and (number := short.get(tuple(words(unit.text)), -1)) >= 0:
            yield _Match(unit, number, "containment", 1.0)


def _copied(units: list[_Unit], against: Sequence[EvaluationItem], ratio: float, engine: Engine) -> Iterator[_Match]:
    from bridge.curate.ratios import best_ratios

    best = best_ratios([unit.text for unit in units], [item.text for item in against], ratio, engine=engine)
    for text, (item, score) in best.items():
        yield _Match(units[text], item, "token_set_ratio", score / 100)


def _take(matches: dict[int, _Match], found: Iterable[_Match]) -> None:
    """Of each record's matches the one with the highest score; of equal ones the prompt's, with the first item."""
    for match in found:
        known = matches.get(match.unit.record)
        if known is None or _strength(match) > _strength(known):
            matches[match.unit.record] = match


def _strength(match: _Match) -> tuple[float, bool, int]:
    return match.score, match.unit.side == "prompt", -match.item


def _case(record: Record, match: _Match, against: Sequence[EvaluationItem]) -> Dropped:
    from bridge.curate.tokens import passage

    item = against[match.item]
    detail: dict[str, Any] = {
        "set": item.set,
        "item": item.item,
        "column": item.column,
        "side": match.unit.side,
        "passage": passage(match.unit.text, item.text),
    }
    return Dropped(record.key, STEP, match.rule, round(match.score, 4), detail=detail)
