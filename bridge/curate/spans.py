"""Passages that were marked in a text, after the text has changed."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from bridge.records import FieldValue, Record, Value

_MOST_CELLS = 10**9


class Edit(NamedTuple):
    """One change of a text, in code points: ``before[start:end]`` became ``after[new_start:new_end]``."""

    start: int
    end: int
    new_start: int
    new_end: int


def edits(before: str, after: str) -> list[Edit] | None:
    """The changes from one text to another, or None where the texts are too long to be compared.

    They are those of a shortest sequence of insertions and deletions (rapidfuzz).

    >>> edits("so  it is", "so it is")
    [Edit(start=3, end=4, new_start=3, new_end=3)]
    """
    from rapidfuzz.distance import Indel

    if len(before) * len(after) > _MOST_CELLS:
        return None
    found: list[Edit] = []
    for code in Indel.opcodes(before, after):
        start, end, new_start, new_end = code.src_start, code.src_end, code.dest_start, code.dest_end
        if code.tag == "equal":
            continue
        if found and found[-1].end == start:
            found[-1] = Edit(found[-1].start, end, found[-1].new_start, new_end)
        else:
            found.append(Edit(start, end, new_start, new_end))
    return found


def moved(spans: Sequence[Mapping[str, Any]], changes: Sequence[Edit]) -> list[dict[str, Any]]:
    """The spans in the changed text. One that touches a changed passage covers all that stands there now.

    Spans of which nothing is left are left out.

    >>> spans = [{"start": 0, "end": 2, "label": "a"}, {"start": 4, "end": 6, "label": "b"}]
    >>> moved(spans, [Edit(0, 2, 0, 0), Edit(4, 5, 2, 9)])
    [{'start': 2, 'end': 10, 'label': 'b'}]
    """
    starts = [change.start for change in changes]

    def place(offset: int, *, is_end: bool) -> int:
        index = bisect_right(starts, offset - is_end) - 1
        if index < 0:
            return offset
        change = changes[index]
        if change.start < offset < change.end or (offset == change.start and not is_end and change.end > offset):
            return change.new_end if is_end else change.new_start
        return offset - change.end + change.new_end if offset >= change.end else offset

    placed = [
        {**span, "start": place(span["start"], is_end=False), "end": place(span["end"], is_end=True)} for span in spans
    ]
    return [span for span in placed if span["start"] < span["end"]]


def is_spans(value: Value) -> bool:
    """Whether a suggested value is a list of spans."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(s, dict) and type(s.get("start")) is int and type(s.get("end")) is int for s in value)
    )


def fields_of_spans(record: Record, known: Mapping[str, str] | None = None) -> dict[int, list[str]]:
    """Which fields the spans of each suggestion (by its number) can be in.

    A record does not say it, its template does (``known``: question to field). Without it, every text that is long
    enough can be meant.

    >>> from bridge.records import Suggestion
    >>> spans = Suggestion("errors", [{"start": 4, "end": 9, "label": "wrong"}])
    >>> fields_of_spans(Record("r", {"prompt": "Why?", "response": "As it is."}, [spans]))
    {0: ['response']}
    """
    found = {}
    for number, suggestion in enumerate(record.suggestions):
        if is_spans(suggestion.value):
            field = (known or {}).get(suggestion.question)
            reach = max(span["end"] for span in suggestion.value if isinstance(span, dict))  # type: ignore[union-attr]
            found[number] = [field] if field else [n for n, text in record.fields.items() if _reaches(text, reach)]
    return found


def _reaches(text: FieldValue, offset: int) -> bool:
    return isinstance(text, str) and len(text) >= offset
