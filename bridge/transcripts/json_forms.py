"""Transcripts that are JSON: Whisper's segments, and QMSum's meetings with their questions and answers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from bridge.errors import InputError, ValueRejected
from bridge.files import Reject
from bridge.text import check_text, shown
from bridge.transcripts.forms import Form
from bridge.transcripts.source import Source
from bridge.transcripts.tally import Tally
from bridge.transcripts.turns import Piece, Turn

MAX_BYTES = 200 * 2**20
"""Largest file: JSON is read as a whole."""

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


def load_json(source: Source) -> tuple[Form, Mapping[str, Any]]:
    """The one object of a JSON file, and which form it is in.

    Raises:
        InputError: it is no JSON, holds several transcripts, or is of neither form.
    """
    path = source.path
    if source.size > MAX_BYTES:
        raise InputError(f"{path}: JSON of more than {MAX_BYTES:,} bytes", remedy="split it, one meeting a file")
    try:
        whole = json.loads(path.read_bytes().decode(source.encoding))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}", remedy="give the path of a readable file") from None
    except RecursionError:
        raise InputError(f"{path}: JSON that is nested too deeply", remedy="is this the right file?") from None
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":
            raise InputError(
                f"{path}:{error.lineno}: a second JSON value", remedy="cut it into files, one transcript each"
            ) from None
        raise InputError(f"{path}:{error.lineno}: not JSON: {error.msg}", remedy="is the file whole?") from None
    except UnicodeError as error:
        raise InputError(f"{path}: not {source.encoding}: {error!s:.100}", remedy="name the encoding") from None
    except ValueError as error:  # a number of thousands of digits
        raise InputError(
            f"{path}: not JSON that can be read: {error!s:.60}", remedy="is this the right file?"
        ) from None
    if isinstance(whole, list) and whole and all(isinstance(one, dict) and "text" in one for one in whole):
        whole = {"segments": whole}
    elif isinstance(whole, list) and len(whole) == 1:
        whole = whole[0]
    if isinstance(whole, dict):
        if isinstance(whole.get("segments"), list):
            return "whisper", whole
        if isinstance(whole.get("meeting_transcripts"), list):
            return "qmsum", whole
    raise InputError(
        f"{path}: JSON, but neither Whisper's ('segments') nor QMSum's ('meeting_transcripts')",
        remedy="give one transcript a file, in one of these forms or as text",
    )


def json_pieces(form: Form, whole: Mapping[str, Any], tally: Tally) -> Iterator[Piece]:
    """The turns of a Whisper or QMSum file; their ``lines`` are the numbers of segments or turns, from 1.

    >>> tally = Tally()
    >>> said = {"segments": [{"start": 0, "end": 1.5, "text": " Shall we?", "no_speech_prob": 0.01}, {"text": 5}]}
    >>> for piece in json_pieces("whisper", said, tally):
    ...     print(piece)
    Turn(speaker='', text='Shall we?', lines=(1, 1), start=0.0, end=1.5, details={'no_speech_prob': 0.01})
    Reject(line=2, reason='segment 2: its text is no text but 5', remedy="give it a 'text'", key='')
    """
    unit, text_key = ("segment", "text") if form == "whisper" else ("turn", "content")
    for number, item in enumerate(whole["segments" if form == "whisper" else "meeting_transcripts"], 1):
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
    text, speaker = item.get(text_key), item.get("speaker")
    if not isinstance(text, str):
        raise ValueRejected(f"its {text_key} is no text but {shown(text)}", remedy=f"give it a {text_key!r}")
    if speaker is not None and not isinstance(speaker, str):
        raise ValueRejected(f"its speaker is no text but {shown(speaker)}", remedy="give the name as a text")
    for name, value in (("text", text), ("speaker", speaker or "")):
        check_text(value, name)
    times = [item.get(name) for name in ("start", "end")] if unit == "segment" else [None, None]
    for time in times:
        if time is not None and not _is_number(time):
            raise ValueRejected(f"its time is no number but {shown(time)}", remedy="give seconds")
    start, end = (None if time is None else float(time) for time in times)
    details = {name: item[name] for name in _DETAILS if unit == "segment" and _is_number(item.get(name))}
    return Turn((speaker or "").strip(), text.strip(), (number, number), start, end, details)


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
