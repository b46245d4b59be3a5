"""What all scanners of texts share: the accounts, the names they believe, and lines that another form has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bridge.files import Reject
from bridge.transcripts.forms import Form, sign_of
from bridge.transcripts.tally import Tally, mixed


@dataclass(frozen=True, slots=True)
class Detected:
    """What a text is, by its first lines.

    Args:
        form: its form.
        names: who may stand as ``Name: text``: in cues, None if nothing there is a name; elsewhere, None if any may.
        strangers: whether a name behind a time is believed that is not among these.
        names_above: whether what stands behind a time is the name, and the text below it.
        dense: whether lines begin a turn that elsewhere do so only behind an empty line, or with a name.
        rolls: whether cues show the lines of the cue before again, as YouTube's do that come out word by word.
        awaits_start: whether a heading 'Transcript' divides it from what stands before.
    """

    form: Form
    names: set[str] | None = None
    strangers: bool = True
    names_above: bool = False
    dense: bool = False
    rolls: bool = False
    awaits_start: bool = False


class Scanner:
    """Reads the turns of a text line by line.

    Args:
        found: what the text is.
        tally: what is counted on the way.
        path: the file, for errors.
        strict: whether another form in the file is an error.
    """

    def __init__(self, found: Detected, tally: Tally, path: Path, *, strict: bool = True) -> None:
        self._found = found
        self._form = found.form
        self._names = found.names
        self._tally = tally
        self._path = path
        self._strict = strict
        self._apart = True

    def _refuse_foreign(self, number: int, line: str) -> None:
        """Raise the error of a file that holds two forms, if a line can only belong to another one."""
        others = sign_of(line, apart=self._apart) if self._strict else ()
        if others and self._form not in others:
            raise mixed(self._path, self._form, number, others[0])

    def _lost(self, number: int, count: int, reason: str, remedy: str) -> Iterator[Reject]:
        """So many lines that begin a turn or cue and cannot be read."""
        self._tally.bad_marks += 1
        self._tally.unread += 1
        self._tally.in_unread += count
        yield Reject(number, reason, remedy)
