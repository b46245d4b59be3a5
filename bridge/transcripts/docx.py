"""Paragraphs of a Word document, as Teams and Google Docs write them: nothing is fetched, unpacked to the disk or
believed about its size."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO
from xml.parsers import expat

from bridge.errors import InputError

MAX_TEXT = 32 * 2**20
"""Most bytes of unpacked text: a meeting of a whole day has a tenth of this."""

_PART = "word/document.xml"
_CHUNK = 2**16
_NAMESPACES = (
    "http://schemas.openxmlformats.org/wordprocessingml/2006/main",
    "http://purl.oclc.org/ooxml/wordprocessingml/main",
)
_NAMES = {f"{namespace} {name}": name for namespace in _NAMESPACES for name in ("p", "t", "tab", "br", "cr")}
_FALLBACK = "http://schemas.openxmlformats.org/markup-compatibility/2006 Fallback"
_DOCX = "save it as .docx anew, or copy its text into a .txt file"


def paragraphs(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a document: those of one paragraph share its number, counted from 1.

    Raises:
        InputError: it is no Word document, is encrypted or damaged, declares entities, or is too large when unpacked.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            try:
                part = archive.getinfo(_PART)
            except KeyError:
                raise InputError(
                    f"{path}: a ZIP file, and no Word document", remedy="unpack it, or give a .docx"
                ) from None
            if part.flag_bits & 1:
                raise InputError(f"{path}: it is encrypted", remedy="save it without a password")
            if part.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise InputError(f"{path}: it is packed in a way that Word does not use", remedy=_DOCX)
            with archive.open(part) as file:
                yield from _parsed(path, file)
    # zipfile says NotImplementedError of archives that need more than it knows.
    except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, NotImplementedError, ValueError) as error:
        raise InputError(f"{path}: a damaged document: {error}", remedy=_DOCX) from None
    except expat.ExpatError as error:
        raise InputError(f"{path}: a damaged document: {expat.ErrorString(error.code)}", remedy=_DOCX) from None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}", remedy="give the path of a readable file") from None


def _parsed(path: Path, file: IO[bytes]) -> Iterator[tuple[int, str]]:
    text = _Text(path)
    read = 0
    while chunk := file.read(_CHUNK):
        read += len(chunk)
        if read > MAX_TEXT:
            raise InputError(f"{path}: more than {MAX_TEXT:,} bytes when unpacked", remedy="split the document")
        text.parser.Parse(chunk, False)
        yield from text.taken()
    text.parser.Parse(b"", True)
    yield from text.taken()


class _Text:
    """What a parser has found so far."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._number = 0
        self._line: list[str] = []
        self._lines: list[tuple[int, str]] = []
        self._in_text = False
        self._hidden = 0
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._said
        # Without a document type there are no entities: none that grow, none that point to files or addresses.
        self.parser.StartDoctypeDeclHandler = self._refuse

    def taken(self) -> list[tuple[int, str]]:
        """The lines since the last call."""
        lines, self._lines = self._lines, []
        return lines

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = _NAMES.get(tag)
        if tag == _FALLBACK:
            self._hidden += 1
        elif name == "p":
            self._break()
            self._number += 1
        elif name == "t":
            self._in_text = True
        elif name == "tab":
            self._add("\t")
        elif name in ("br", "cr"):
            self._break()

    def _end(self, tag: str) -> None:
        name = _NAMES.get(tag)
        if tag == _FALLBACK:
            self._hidden -= 1
        elif name == "t":
            self._in_text = False
        elif name == "p":
            self._break()

    def _said(self, text: str) -> None:
        if self._in_text:
            self._add(text)

    def _add(self, text: str) -> None:
        if not self._hidden:
            self._line.append(text)

    def _break(self) -> None:
        line, self._line = "".join(self._line), []
        if line.strip():
            self._lines += [(self._number, part) for part in line.splitlines() if part.strip()]

    def _refuse(self, *_: object) -> None:
        raise InputError(f"{self._path}: the document declares a document type, as no transcript does", remedy=_DOCX)
