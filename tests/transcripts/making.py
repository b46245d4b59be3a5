"""Transcripts that tests are made of."""

from __future__ import annotations

import zipfile
from pathlib import Path
from xml.sax.saxutils import escape

from bridge.files import Reject
from bridge.transcripts.forms import Form
from bridge.transcripts.reading import Transcript, read_transcript
from bridge.transcripts.turns import Turn

DATA = Path(__file__).resolve().parent.parent / "data" / "transcripts"
WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def read(
    path: Path, form: Form | None = None, encoding: str | None = None
) -> tuple[list[Turn], list[Reject], Transcript]:
    """A transcript's turns, and what cannot be read of it."""
    transcript = read_transcript(path, form=form, encoding=encoding)
    pieces = list(transcript)
    turns = [piece for piece in pieces if isinstance(piece, Turn)]
    return turns, [piece for piece in pieces if isinstance(piece, Reject)], transcript


def said(folder: Path, text: str, name: str = "talk.txt", form: Form | None = None) -> list[tuple[str, str]]:
    """Who says what in a text."""
    path = folder / name
    path.write_bytes(text.encode())
    return [(turn.speaker, turn.text) for turn in read(path, form)[0]]


def document(path: Path, paragraphs: list[str], *, head: str = "", part: str = "word/document.xml") -> Path:
    """A Word document; line breaks within a paragraph are breaks."""
    body = "".join(
        "<w:p><w:r>" + "<w:br/>".join(f"<w:t>{escape(line)}</w:t>" for line in text.split("\n")) + "</w:r></w:p>"
        for text in paragraphs
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr(part, f'{head}<w:document xmlns:w="{WORD}"><w:body>{body}</w:body></w:document>')
    return path
