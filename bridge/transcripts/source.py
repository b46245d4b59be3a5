"""Lines of a text file in whatever encoding, numbered, with bounded memory."""

from __future__ import annotations

import codecs
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from bridge.errors import InputError, UsageError
from bridge.transcripts.guessing import guess

MAX_LINE = 1_000_000
"""Longest line, in characters: memory is bounded by this and not by the file."""

_CHUNK = 2**18
_SAMPLE = 2**16
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_BINARY = {
    b"\x1f\x8b": "gzip",
    b"%PDF": "a PDF",
    b"\xd0\xcf\x11\xe0": "an old Word document",
    b"{\\rtf": "rich text",
    b"ID3": "sound",
    b"RIFF": "sound",
    b"OggS": "sound",
    b"fLaC": "sound",
    b"\x1a\x45\xdf\xa3": "a film",
}
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1b"))


@dataclass(frozen=True, slots=True)
class Source:
    """A file to be read.

    Args:
        path: where it is.
        encoding: of its text; empty for a document.
        guessed: whether the encoding was told by the letters that come out, and may be wrong.
        digest: the first 32 hexadecimal digits of SHA-256 over its bytes: the same for the same file, whatever it is
            called.
        size: bytes.
    """

    path: Path
    encoding: str
    digest: str
    size: int
    guessed: bool = False


def open_source(path: str | Path, encoding: str | None = None) -> Source:
    """Look through a file once: what its encoding is.

    In this order: the one that is given; by a byte order mark; UTF-16, if every other byte of its beginning is NUL;
    UTF-8, if all of it is, or nearly; and what :func:`~bridge.transcripts.guessing.guess` makes of its lines that are
    not ASCII.

    Raises:
        InputError: it cannot be read, is empty, holds no text, or is in an encoding that cannot be told.
        UsageError: there is no encoding of the given name.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "talk.txt")
    >>> _ = path.write_bytes("Änne: Ja.".encode("utf-16"))
    >>> open_source(path).encoding, list(numbered_lines(open_source(path)))
    ('utf-16', [(1, 'Änne: Ja.')])
    """
    path = Path(path)
    if encoding is not None:
        encoding = _known(encoding)
    digest = hashlib.sha256()
    decoder = codecs.getincrementaldecoder("utf-8")()
    is_utf8, size, nuls, controls, head = True, 0, 0, 0, b""
    other = _Sample()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                head = head or chunk[: 2**12]
                size += len(chunk)
                digest.update(chunk)
                nuls += chunk.count(0)
                controls += len(chunk) - len(chunk.translate(None, _CONTROLS))
                other.add(chunk)
                if is_utf8:
                    is_utf8 = _decodes(decoder, chunk)
            is_utf8 = is_utf8 and _decodes(decoder, b"", final=True)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}", remedy="give the path of a readable file") from None
    if not size:
        raise InputError(f"{path}: an empty file", remedy="is this the right file?")
    if head.startswith(b"PK\x03\x04"):
        return Source(path, "", digest.hexdigest()[:32], size)
    kind = next((kind for magic, kind in _BINARY.items() if head.startswith(magic)), None)
    if kind is None and head[4:8] == b"ftyp":
        kind = "a film or sound"
    if kind:
        raise InputError(f"{path}: this is {kind}, not a transcript", remedy=_FORMS)
    encoding = encoding or _marked(head) or _by_nuls(head)
    is_guess = False
    if encoding is None:
        if 10 * controls > size:
            raise InputError(f"{path}: binary data, not a transcript", remedy=_FORMS)
        if nuls:
            raise InputError(
                f"{path}: {nuls:,} NUL bytes, which no text has",
                remedy="take them out, or name the encoding with --encoding",
            )
        encoding = "utf-8" if is_utf8 else _guessed(path, bytes(other))
        is_guess = encoding != "utf-8"
    return Source(path, encoding, digest.hexdigest()[:32], size, is_guess)


def beginning(source: Source) -> str:
    """The first characters of a text file, some thousand at most."""
    with source.path.open("rb") as raw:
        return codecs.getincrementaldecoder(source.encoding)("replace").decode(raw.read(2**12))


def numbered_lines(source: Source, longest: int = MAX_LINE) -> Iterator[tuple[int, str]]:
    """The lines of a text file without their ends, counted from 1; LF, CRLF and CR end one.

    Raises:
        InputError: a byte that the encoding does not have, or a line of more characters than ``longest``.
    """
    number = 0
    try:
        with source.path.open("rb") as raw:
            for number, line in enumerate(_lines(raw, source.encoding, longest), 1):
                if len(line) > longest:
                    raise InputError(
                        f"{source.path}:{number}: a line of more than {longest:,} characters",
                        remedy="is this a transcript? One turn or cue stands on lines of its own",
                    )
                yield number, line
    except UnicodeError as error:
        if isinstance(error, UnicodeDecodeError):
            number += 1 + len(_ENDS.findall(error.object[: error.start].decode(source.encoding, "replace")))
        reason = getattr(error, "reason", "") or str(error)
        raise InputError(
            f"{source.path}:{number}: not {source.encoding}: {reason}",
            remedy="mend that line, or name the encoding with --encoding, such as windows-1252",
        ) from None
    except OSError as error:
        raise InputError(f"{source.path}: {error.strerror}", remedy="give the path of a readable file") from None


def _lines(raw: BinaryIO, encoding: str, longest: int) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(encoding)()
    rest = ""
    is_last = False
    while not is_last:
        chunk = raw.read(_CHUNK)
        is_last = not chunk
        rest += decoder.decode(chunk, final=is_last)
        # A CR at the end of what is there may be the first half of a line's end.
        *whole, rest = _ENDS.split(rest) if is_last or not rest.endswith("\r") else _held(rest)
        yield from whole
        if len(rest) > longest:
            break
    if rest:
        yield rest


_ENDS = re.compile(r"\r\n|\n|\r")


def _held(text: str) -> list[str]:
    *whole, rest = _ENDS.split(text[:-1])
    return [*whole, rest + "\r"]


class _Sample:
    """Lines with bytes over 127, as many as are needed to tell what they are: times and commas say nothing."""

    def __init__(self) -> None:
        self.found = b""
        self._rest = b""

    def add(self, chunk: bytes) -> None:
        if len(self.found) > _SAMPLE:
            return
        *lines, rest = (self._rest + chunk).split(b"\n")
        self._rest = rest[-_CHUNK:]
        self.found += b"\n".join(line for line in lines if not line.isascii()) + b"\n"
        self.found = self.found[: 2 * _SAMPLE]

    def __bytes__(self) -> bytes:
        return self.found + (b"" if self._rest.isascii() else self._rest)


def _decodes(decoder: codecs.IncrementalDecoder, chunk: bytes, *, final: bool = False) -> bool:
    try:
        decoder.decode(chunk, final)
    except UnicodeDecodeError:
        return False
    return True


def _marked(head: bytes) -> str | None:
    return next((encoding for mark, encoding in _MARKS if head.startswith(mark)), None)


def _by_nuls(head: bytes) -> str | None:
    # In UTF-16 each character of Latin texts has one NUL, and in other texts at least spaces, digits and line ends do.
    first, second = head[::2].count(0), head[1::2].count(0)
    most = max(first, second)
    if most < 3 or most < 2 * min(first, second) or 50 * most < len(head):
        return None
    return "utf-16-le" if second > first else "utf-16-be"


def _known(encoding: str) -> str:
    try:
        info = codecs.lookup(encoding)
    except (LookupError, ValueError):
        info = None
    if info is None or not info._is_text_encoding:
        raise UsageError(f"encoding {encoding!r:.40}: unknown", remedy="such as utf-8, windows-1252 or shift_jis")
    return info.name


def _guessed(path: Path, sample: bytes) -> str:
    text = sample.decode("utf-8", "replace")
    wrong = text.count("\ufffd")
    if sum(not character.isascii() for character in text) - wrong > 4 * wrong:
        return "utf-8"  # damaged, and whoever reads it says where
    encoding = guess(sample)
    if encoding is None:
        raise InputError(
            f"{path}: its encoding cannot be told", remedy="name it with --encoding, such as windows-1252 or shift_jis"
        )
    return encoding


_FORMS = "give WebVTT, SRT, a text with 'Name: text' lines, Otter, Zoom, Teams, Meet, Whisper or QMSum JSON, or a docx"
