"""Files of JSON with transcripts: one, several in a list, or one a line; which of them is in which form."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

from bridge.errors import InputError
from bridge.transcripts.forms import Form
from bridge.transcripts.source import Source, numbered_lines

MAX_BYTES = 200 * 2**20
"""Largest file of one JSON value, and longest line of JSON Lines: JSON is read as a whole."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A transcript of a JSON file, or what should be one.

    Args:
        form: ``whisper`` or ``qmsum``.
        items: its segments or turns.
        whole: what holds them.
        number: where it stands in a file of several, from 1: a line of JSON Lines, an element of a list; 0 in a file of
            one.
        digest: the first 32 hexadecimal digits of SHA-256 over it; of a file of one, over the file.
        problem: why it is none.
    """

    form: Form = "qmsum"
    items: Sequence[Any] = ()
    whole: Mapping[str, Any] = field(default_factory=dict)
    number: int = 0
    digest: str = ""
    problem: InputError | None = None


def load_json(source: Source) -> Iterator[Loaded]:
    """The transcripts of a JSON file: one, or several in a list or as JSON Lines.

    JSON Lines of segments are one transcript; a line of them that is no JSON stands there as its text.

    Raises:
        InputError: the file is no JSON, or holds no transcript.
    """
    lines = ((at, line) for at, line in numbered_lines(source, MAX_BYTES) if line.strip())
    first = list(islice(lines, 2))
    found = [_parsed(line) for _, line in first if line.lstrip("\ufeff \t").startswith("{")]
    if len(first) < 2 or len(found) < len(first) or not any(isinstance(value, dict) for value in found):
        yield from _of_one_value(source)
    elif any(isinstance(value, dict) and isinstance(value.get("text"), str) and not _items(value) for value in found):
        parsed = ((line, _parsed(line)) for _, line in chain(first, lines))
        yield Loaded("whisper", [line if value is None else value for line, value in parsed], digest=source.digest)
    else:
        for at, line in chain(first, lines):
            yield _one_of_several(source.path, line, at)


def _of_one_value(source: Source) -> Iterator[Loaded]:
    path = source.path
    if source.size > MAX_BYTES:
        raise InputError(f"{path}: JSON of more than {MAX_BYTES:,} bytes", remedy="split it, or write JSON Lines")
    try:
        text = path.read_bytes().decode(source.encoding)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}", remedy="give the path of a readable file") from None
    except UnicodeError as error:
        raise InputError(f"{path}: not {source.encoding}: {error!s:.100}", remedy="name the encoding") from None
    whole = _value(text, path, 1)
    if isinstance(whole, list) and any(map(_items, whole)):
        for at, one in enumerate(whole, 1):
            yield _one_of_several(path, json.dumps(one, sort_keys=True), at)
    else:
        form, items = _known(whole, str(path))
        yield Loaded(form, items, whole if isinstance(whole, dict) else {}, digest=source.digest)


def _one_of_several(path: Path, text: str, number: int) -> Loaded:
    try:
        value = _value(text, path, number)
        form, items = _known(value, f"{path}:{number}")
    except InputError as error:
        return Loaded(number=number, problem=error)
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return Loaded(form, items, value if isinstance(value, dict) else {}, number, digest)


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _value(text: str, path: Path, line: int) -> Any:
    try:
        return json.loads(text.removeprefix("\ufeff"))
    except RecursionError:
        raise InputError(f"{path}: JSON that is nested too deeply", remedy="is this the right file?") from None
    except json.JSONDecodeError as error:
        at = f"{path}:{line + error.lineno - 1}"
        if error.msg == "Extra data":
            raise InputError(f"{at}: a second JSON value", remedy="write each on a line of its own") from None
        raise InputError(f"{at}: not JSON: {error.msg}", remedy="is the file whole?") from None
    except ValueError as error:  # a number of thousands of digits
        raise InputError(
            f"{path}: not JSON that can be read: {error!s:.60}", remedy="is this the right file?"
        ) from None


def _items(value: Any) -> tuple[Form, list[Any]] | None:
    """The segments or turns of a transcript, and its form; None if it is none that is known."""
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        if all("text" in one for one in value):
            return "whisper", value
        return ("qmsum", value) if all("content" in one for one in value) else None
    for key in ("segments", "transcription", "speakers", "chunks") if isinstance(value, dict) else ():
        if isinstance(value.get(key), list) and (value[key] or key != "speakers"):
            return "whisper", value[key]
    if isinstance(value, dict) and isinstance(value.get("meeting_transcripts"), list):
        return "qmsum", value["meeting_transcripts"]
    return None


def _known(value: Any, place: str) -> tuple[Form, list[Any]]:
    found = _items(value)
    if found is None:
        raise InputError(
            f"{place}: JSON, but neither Whisper's ('segments') nor QMSum's ('meeting_transcripts')",
            remedy="give transcripts in one of these forms, or as text",
        )
    return found
