"""Reading a transcript of any form: turn by turn, with what cannot be read, and accounts that add up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

from bridge.errors import InputError, UsageError
from bridge.transcripts.cues import CueScanner
from bridge.transcripts.detect import HEAD_LINES, describe, detect, is_json
from bridge.transcripts.docx import paragraphs
from bridge.transcripts.forms import FORMS, TITLES, Form
from bridge.transcripts.json_files import load_json
from bridge.transcripts.json_forms import Reference, json_pieces, references
from bridge.transcripts.labelled import LineScanner
from bridge.transcripts.source import Source, beginning, numbered_lines, open_source
from bridge.transcripts.tally import Tally
from bridge.transcripts.turns import Piece, Turn


@dataclass
class Transcript:
    """A transcript that is read as it is iterated, once.

    Attributes:
        source: the file, its encoding and the hash of its bytes.
        form: what it is.
        tally: the accounts; complete when the last turn was read.
        references: questions with people's answers, where the form has them.
        number: where it stands in a file of several, from 1; 0 in a file of one.
    """

    source: Source
    form: Form
    tally: Tally
    references: list[Reference] = field(default_factory=list)
    number: int = 0
    _pieces: Iterator[Piece] = field(default_factory=lambda: iter(()), repr=False)

    @property
    def place(self) -> str:
        """The file, and the transcript's number in it where there are several."""
        return f"{self.source.path}:{self.number}" if self.number else str(self.source.path)

    def __iter__(self) -> Iterator[Piece]:
        yield from self._pieces
        self.tally.check(self.source.path)
        if not self.tally.turns:
            unread = f"; {self.tally.unread:,} places of it cannot be read" if self.tally.unread else ""
            raise InputError(
                f"{self.place}: an empty transcript: {TITLES[self.form]} in which nobody says anything{unread}",
                remedy="is this the right file? --json says what was counted" if not unread else "mend the file",
            )

    def turns(self) -> Iterator[Turn]:
        """The turns alone; what cannot be read is counted in the tally."""
        for piece in self:
            if isinstance(piece, Turn):
                yield piece

    def to_dict(self) -> dict[str, Any]:
        """What was read, as JSON."""
        return {
            "file": self.place,
            "form": self.form,
            "encoding": self.source.encoding or None,
            "encoding_guessed": self.source.guessed,
            "bytes": self.source.size,
            **self.tally.to_dict(),
        }


def read_transcript(path: str | Path, *, form: Form | None = None, encoding: str | None = None) -> Transcript:
    """Open a transcript; iterating it gives each turn, and a :class:`~bridge.files.Reject` for what cannot be read.

    Memory does not grow with the file, except for JSON.

    Args:
        path: the file.
        form: what it is; by default its first lines tell. With it, lines that look like another form are text.
        encoding: of its text; by default it is told from the bytes.

    Raises:
        InputError: it cannot be read at all, holds several transcripts, or its form cannot be told; while iterating,
            also that it mixes two forms, or that it holds no turn.
        UsageError: there is no such form or encoding.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "talk.vtt")
    >>> _ = path.write_text("WEBVTT\\n\\n00:01.0 --> 00:02.5\\n<v Ann>Shall we?</v>\\n\\n00:0x --> 00:04\\nLost.\\n")
    >>> transcript = read_transcript(path)
    >>> for piece in transcript:
    ...     print(piece.lines if isinstance(piece, Turn) else piece.reason)
    (3, 4)
    a cue whose times cannot be read: no two times around '-->'; its text is in line 7
    >>> transcript.form, transcript.tally.marks, transcript.tally.read, transcript.tally.unread
    ('webvtt', 2, 1, 1)
    """
    transcripts = read_transcripts(path, form=form, encoding=encoding)
    first = next(transcripts)
    if first.number and next(transcripts, None) is not None:
        raise InputError(f"{path}: several transcripts", remedy="read them with read_transcripts")
    return first


def read_transcripts(
    path: str | Path, *, form: Form | None = None, encoding: str | None = None
) -> Iterator[Transcript]:
    """Open each transcript of a file, one after the other: several in JSON Lines, or in a list; one in all other files.

    One of several that is no transcript raises its error when it is iterated; the others can be read.

    Args:
        path, form, encoding: as of :func:`read_transcript`.

    Raises:
        InputError, UsageError: as there.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "meetings.jsonl")
    >>> _ = path.write_text('{"meeting_transcripts": [{"speaker": "Ann", "content": "Shall we?"}]}\\n' * 2)
    >>> [(one.place[-2:], [turn.text for turn in one.turns()]) for one in read_transcripts(path)]
    [(':1', ['Shall we?']), (':2', ['Shall we?'])]
    """
    if form is not None and form not in FORMS:
        raise UsageError(f"form {form!r:.40}: unknown", remedy=f"one of {', '.join(FORMS)}")
    source = open_source(path, encoding)
    lines = numbered_lines(source) if source.encoding else paragraphs(source.path)
    if form in ("whisper", "qmsum") or (form is None and source.encoding and is_json(beginning(source))):
        if not source.encoding:
            raise InputError(f"{source.path}: a document, and no JSON", remedy="leave --form out")
        yield from _of_json(source, form)
        return
    start = list(islice(lines, HEAD_LINES))
    head = [line for _, line in start]
    if not any(line.strip() for line in head):
        raise InputError(f"{source.path}: an empty transcript: there is no text", remedy="is this the right file?")
    found = (
        detect(head, source.path, document=not source.encoding) if form is None else describe(head, form, source.path)
    )
    tally = Tally()
    scanner = CueScanner if found.form in ("webvtt", "srt") else LineScanner
    pieces = scanner(found, tally, source.path, strict=form is None).scan(chain(start, lines))
    yield Transcript(source, found.form, tally, _pieces=pieces)


def _of_json(source: Source, form: Form | None) -> Iterator[Transcript]:
    for one in load_json(source):
        if one.problem is not None:
            yield Transcript(source, one.form, Tally(), number=one.number, _pieces=_refused(one.problem))
            continue
        if form is not None and form != one.form:
            raise InputError(
                f"{source.path}: this is {TITLES[one.form]}, not {TITLES[form]}", remedy="leave --form out"
            )
        tally = Tally()
        asked = references(one.whole) if one.form == "qmsum" else []
        pieces = json_pieces(one.form, one.items, tally)
        yield Transcript(replace(source, digest=one.digest), one.form, tally, asked, one.number, pieces)


def _refused(error: InputError) -> Iterator[Piece]:
    raise error
    yield
