"""Transcripts that are JSON: Whisper's segments, and QMSum's meetings with their questions and answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from bridge.errors import ValueRejected
from bridge.files import Reject
from bridge.text import check_text, shown
from bridge.transcripts.forms import Form
from bridge.transcripts.tally import Tally
from bridge.transcripts.times import seconds
from bridge.transcripts.turns import Piece, Turn

_DETAILS = ("avg_logprob", "no_speech_prob", "compression_ratio", "confidence")


@dataclass(frozen=True, slots=True)
class Reference:
    """A question about a meeting that people have answered.

    Args:
        question, answer: texts.
        spans: first and last turn of each passage that bears on it, counted from 1; none where all of it does.
    """

    question: str
    answer: str
    spans: tuple[tuple[int, int], ...] = ()


def json_pieces(form: Form, items: Sequence[Any], tally: Tally) -> Iterator[Piece]:
    """The turns of a Whisper or QMSum file; their ``lines`` are the numbers of segments or turns, from 1.

    >>> tally = Tally()
    >>> said = [{"start": 0, "end": 1.5, "text": " Shall we?", "no_speech_prob": 0.01}, {"text": 5}]
    >>> for piece in json_pieces("whisper", said, tally):
    ...     print(piece)
    Turn(speaker='', text='Shall we?', lines=(1, 1), start=0.0, end=1.5, details={'no_speech_prob': 0.01})
    Reject(line=2, reason='segment 2: its text is no text but 5', remedy="give it a 'text'", key='')
    """
    unit, text_key = ("segment", "text") if form == "whisper" else ("turn", "content")
    for number, item in enumerate(items, 1):
        tally.lines += 1
        tally.marks += 1
        try:
            turn = _turn(item, unit, text_key, number)
        except ValueRejected as error:
            tally.bad_marks += 1
            tally.unread += 1
            tally.in_unread += 1
            yield Reject(number, f"{unit} {number}: {error.reason}", error.remedy)
            continue
        if not turn.text:
            tally.empty += 1
            tally.in_empty += 1
            continue
        tally.read += 1
        tally.turns += 1
        tally.in_turns += 1
        yield turn


def _turn(item: Any, unit: str, text_key: str, number: int) -> Turn:
    if not isinstance(item, dict):
        raise ValueRejected(f"no object but {shown(item)}", remedy=f"give {unit}s as objects")
    text, speaker = item.get(text_key), item.get("speaker", item.get("role"))
    if not isinstance(text, str):
        raise ValueRejected(f"its {text_key} is no text but {shown(text)}", remedy=f"give it a {text_key!r}")
    if isinstance(speaker, int) or (isinstance(speaker, str) and speaker.isdecimal()):
        speaker = f"Speaker {speaker}"
    if speaker is not None and not isinstance(speaker, str):
        raise ValueRejected(f"its speaker is no text but {shown(speaker)}", remedy="give the name as a text")
    for name, value in (("text", text), ("speaker", speaker or "")):
        check_text(value, name)
    times = _times(item) if unit == "segment" else (None, None)
    for time in times:
        if time is not None and not _is_number(time):
            raise ValueRejected(f"its time is no number but {shown(time)}", remedy="give seconds")
    start, end = (None if time is None else float(time) for time in times)
    details = {name: item[name] for name in _DETAILS if unit == "segment" and _is_number(item.get(name))}
    return Turn((speaker or "").strip(), text.strip(), (number, number), start, end, details)


def _times(item: Mapping[str, Any]) -> tuple[Any, ...]:
    """When a segment begins and ends, in seconds; whisper.cpp has milliseconds or clocks, and transformers a pair."""
    offsets, clocks, pair = (item.get(name) for name in ("offsets", "timestamps", "timestamp"))
    if isinstance(offsets, dict):
        times: list[Any] = [offsets.get("from"), offsets.get("to")]
        return tuple(time / 1000 if _is_number(time) else time for time in times)
    if isinstance(clocks, dict):
        return tuple(seconds(str(clocks.get(name))) for name in ("from", "to"))
    if isinstance(pair, list) and len(pair) == 2:
        return tuple(pair)
    return item.get("start"), item.get("end")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15 and isfinite(value)


def references(whole: Mapping[str, Any]) -> list[Reference]:
    """The questions and answers of a QMSum file; those without an answer are left out.

    QMSum counts turns from 0 and writes them as texts; here they count from 1 as lines do.

    >>> asked = {"query": "When?", "answer": "Friday.", "relevant_text_span": [["0", "2"]]}
    >>> references({"specific_query_list": [asked]})
    [Reference(question='When?', answer='Friday.', spans=((1, 3),))]
    """
    found = []
    for name in ("general_query_list", "specific_query_list"):
        listed = whole.get(name)
        for item in listed if isinstance(listed, list) else ():
            if not isinstance(item, dict):
                continue
            question, answer = item.get("query"), item.get("answer")
            if isinstance(question, str) and isinstance(answer, str) and question.strip() and answer.strip():
                found.append(Reference(question.strip(), answer.strip(), _spans(item.get("relevant_text_span"))))
    return found


def _spans(given: Any) -> tuple[tuple[int, int], ...]:
    spans = []
    for span in given if isinstance(given, list) else ():
        if (
            isinstance(span, Sequence)
            and len(span) == 2
            and all(str(at).isdecimal() and len(str(at)) < 9 for at in span)
        ):
            first, last = (int(at) + 1 for at in span)
            spans.append((first, last))
    return tuple(spans)
