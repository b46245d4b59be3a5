"""Reading a transcript of any form: turn by turn, with what cannot be read, and accounts that add up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

from bridge.errors import InputError, UsageError
from bridge.transcripts.cues import CueScanner
from bridge.transcripts.detect import HEAD_LINES, Detected, describe, detect, is_json
from bridge.transcripts.docx import paragraphs
from bridge.transcripts.forms import FORMS, TITLES, Form
from bridge.transcripts.json_forms import Reference, json_pieces, load_json, references
from bridge.transcripts.labelled import LineScanner
from bridge.transcripts.source import Source, numbered_lines, open_source
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
    """

    source: Source
    form: Form
    tally: Tally
    references: list[Reference] = field(default_factory=list)
    _pieces: Iterator[Piece] = field(default_factory=lambda: iter(()), repr=False)

    def __iter__(self) -> Iterator[Piece]:
        path = self.source.path
        yield from self._pieces
        self.tally.check(path)
        if not self.tally.turns:
            unread = f"; {self.tally.unread:,} places of it cannot be read" if self.tally.unread else ""
            raise InputError(
                f"{path}: an empty transcript: {TITLES[self.form]} in which nobody says anything{unread}",
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
            "file": str(self.source.path),
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
        InputError: it cannot be read at all, its form cannot be told; while iterating, also that it mixes two forms, or
            that it holds no turn.
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
    if form is not None and form not in FORMS:
        raise UsageError(f"form {form!r:.40}: unknown", remedy=f"one of {', '.join(FORMS)}")
    source = open_source(path, encoding)
    lines = numbered_lines(source) if source.encoding else paragraphs(source.path)
    start = list(islice(lines, HEAD_LINES))
    head = [line for _, line in start]
    if form in ("whisper", "qmsum") or (form is None and source.encoding and is_json(head)):
        if not source.encoding:
            raise InputError(f"{source.path}: a document, and no JSON", remedy="leave --form out")
        return _of_json(source, form)
    if not any(line.strip() for line in head):
        raise InputError(f"{source.path}: an empty transcript: there is no text", remedy="is this the right file?")
    found = (
        detect(head, source.path, document=not source.encoding) if form is None else describe(head, form, source.path)
    )
    tally = Tally()
    pieces = _scanner(found, tally, source.path, strict=form is None).scan(chain(start, lines))
    return Transcript(source, found.form, tally, _pieces=pieces)


def _scanner(found: Detected, tally: Tally, path: Path, *, strict: bool) -> CueScanner | LineScanner:
    if found.form in ("webvtt", "srt"):
        return CueScanner(found.form, tally, found.names, path, strict=strict)
    scanner = LineScanner(found.form, tally, found.names, path, strict=strict)
    if found.awaits_start:
        scanner.await_start()
    return scanner


def _of_json(source: Source, form: Form | None) -> Transcript:
    there, whole = load_json(source)
    if form is not None and form != there:
        raise InputError(f"{source.path}: this is {TITLES[there]}, not {TITLES[form]}", remedy="leave --form out")
    tally = Tally()
    asked = references(whole) if there == "qmsum" else []
    return Transcript(source, there, tally, asked, json_pieces(there, whole, tally))
