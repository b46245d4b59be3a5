"""From files with transcripts to files with rows, each whole or as it was, and what could not be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bridge.errors import InputError, UsageError
from bridge.files import Reject, line_writer
from bridge.transcripts.forms import Form
from bridge.transcripts.packing import packed
from bridge.transcripts.preparing import Preparation, Said, Treatment
from bridge.transcripts.pseudonyms import Pseudonyms
from bridge.transcripts.reading import Transcript, read_transcripts
from bridge.transcripts.rows import Origin, pack_row, reference_row, turn_row
from bridge.transcripts.speakers import Speakers
from bridge.transcripts.tokens import Count, estimated
from bridge.transcripts.turns import Turn

BUDGET = 16_000
"""Tokens of a row, unless told otherwise: a meeting of an hour has about as many."""

_FIRST = 5


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted of transcripts.

    Args:
        treatment: what becomes of their turns.
        form: what all of them are; by default each is looked at.
        encoding: of all their texts; by default each is looked at.
        budget: most tokens of a row.
        overlap: turns that a row repeats of the one before.
        count: how tokens are counted.
        by_turn: a row for each turn, and not for packs of them.
        assistant: the speaker who is the assistant of a chat; None for transcripts.
        pseudonyms: the file with pseudonyms; None for names.
    """

    treatment: Treatment = field(default_factory=Treatment)
    form: Form | None = None
    encoding: str | None = None
    budget: int = BUDGET
    overlap: int = 1
    count: Count = estimated
    by_turn: bool = False
    assistant: str | None = None
    pseudonyms: Path | None = None


@dataclass(slots=True)
class Converted:
    """What came of transcripts.

    Attributes:
        files: of each transcript, what was counted, how many rows it made and how many turns held only fillers.
        failed: files that are no transcripts, or hold none that can be used, with the reasons.
        rows: rows that were made, or would be.
        references: rows of questions with answers.
        first: the first places that cannot be read.
        over: rows of one turn that is larger than the budget.
        no_chat: packs in which the assistant says nothing to anybody, and that make no row.
    """

    files: list[dict[str, Any]] = field(default_factory=list)
    failed: list[dict[str, str]] = field(default_factory=list)
    rows: int = 0
    references: int = 0
    first: list[tuple[str, Reject]] = field(default_factory=list)
    over: int = 0
    no_chat: int = 0

    @property
    def unread(self) -> int:
        """How many places cannot be read."""
        return sum(one["unread"] for one in self.files)

    @property
    def partial(self) -> bool:
        """Whether something is missing in the rows."""
        return bool(self.failed or self.unread or self.no_chat)

    def to_dict(self) -> dict[str, Any]:
        """The result as ``--json`` prints it."""
        return {
            "rows": self.rows,
            "references": self.references,
            "unread": self.unread,
            "over_budget": self.over,
            "without_assistant": self.no_chat,
            "files": self.files,
            "failed": self.failed,
        }


class Conversion:
    """Makes rows of transcripts.

    Where there are several files, or pseudonyms are wanted, each is read twice: so that a file that turns out to be no
    transcript in its midst leaves no rows, and so that names are known before they are looked for.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "talk.txt").write_text("Ann: Um, shall we?\\nBo: Yes.\\n")
    >>> done = Conversion(Wanted()).to_files([folder / "talk.txt"], folder / "rows.jsonl")
    >>> done.rows, done.files[0]["turns"]
    (1, 2)
    >>> (folder / "rows.jsonl").read_text()[:80]
    '{"transcript": [{"speaker": "Ann", "text": "Shall we?"}, {"speaker": "Bo", "text'
    """

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._speakers = Speakers()
        self._people = Pseudonyms.load(wanted.pseudonyms) if wanted.pseudonyms else None
        self._result = Converted()

    def to_files(
        self,
        paths: Sequence[Path],
        out: Path | None = None,
        unread: Path | None = None,
        references: Path | None = None,
        tick: Callable[[str, int, int], None] = lambda what, done, total: None,
    ) -> Converted:
        """Read transcripts, and write their rows.

        Args:
            paths: the transcripts.
            out: the file with the rows; without it they are only counted.
            unread: the file with what cannot be read.
            references: the file with questions and answers, where transcripts have them.
            tick: is told how far the reading is.

        Raises:
            InputError: the only file, or every one, is no transcript that can be used.
            UsageError: nobody is called like the assistant.
            StoreError: a file cannot be written.
        """
        paths = self._usable(paths) if len(paths) > 1 or self._people else list(paths)
        if self._people and self._wanted.pseudonyms:
            for name in self._speakers.names:
                self._people.of(name)
            if out:
                self._people.save(self._wanted.pseudonyms)
        with ExitStack() as stack:
            write = stack.enter_context(line_writer(out)) if out else _nowhere
            refuse = stack.enter_context(line_writer(unread)) if unread else _nowhere
            ask = stack.enter_context(line_writer(references)) if references else _nowhere
            for number, path in enumerate(paths, 1):
                self._convert(path, write, refuse, ask)
                tick("transcripts", number, len(paths))
            if not self._result.files:
                first = self._result.failed[-1]
                raise InputError(
                    f"no transcript in {', '.join(map(str, paths)):.200}: {first['reason']}", remedy=first["remedy"]
                )
            if self._wanted.assistant is not None and not self._result.rows:
                asked = self._speakers.name(self._wanted.assistant)
                others = [name for name in self._speakers.names if name != asked]
                raise UsageError(
                    f"--assistant {self._wanted.assistant!r:.60}: says nothing behind anybody else",
                    remedy=f"the others who speak are {', '.join(others[:10])}",
                )
        return self._result

    def _usable(self, paths: Sequence[Path]) -> list[Path]:
        """The files that can be read to their end; all who speak in them become known."""
        usable = []
        for path in paths:
            try:
                for transcript in self._opened(path):
                    self._learn_names(transcript)
            except InputError as error:
                if len(paths) == 1:
                    raise
                self._fail(str(path), error)
            else:
                usable.append(path)
        if not usable:
            first = self._result.failed[0]
            raise InputError(f"none of {len(paths)} files is a transcript: {first['reason']}", remedy=first["remedy"])
        return usable

    def _learn_names(self, transcript: Transcript) -> None:
        try:
            for turn in transcript.turns():
                self._speakers.name(turn.speaker)
        except InputError:
            if not transcript.number:
                raise  # of several in one file, each is told of when it is converted

    def _opened(self, path: Path) -> Iterator[Transcript]:
        return read_transcripts(path, form=self._wanted.form, encoding=self._wanted.encoding)

    def _fail(self, place: str, error: InputError) -> None:
        self._result.failed.append({"file": place, "reason": error.reason, "remedy": error.remedy})

    def _convert(self, path: Path, write: _Write, refuse: _Write, ask: _Write) -> None:
        for transcript in self._opened(path):
            try:
                self._convert_one(transcript, write, refuse, ask)
            except InputError as error:
                if not transcript.number:
                    raise
                self._fail(transcript.place, error)

    def _convert_one(self, transcript: Transcript, write: _Write, refuse: _Write, ask: _Write) -> None:
        wanted, result = self._wanted, self._result
        preparation = Preparation(wanted.treatment, self._speakers, self._people)
        said = preparation.prepared(self._turns(transcript, refuse))
        kept: list[Said] = []
        if transcript.references:
            kept = list(said)
            said = iter(kept)
        before = result.rows
        # A file is often called after those who speak.
        origin = Origin.of(transcript, is_named=self._people is None)
        for row in self._rows(origin, said):
            write(row)
            result.rows += 1
        for reference in transcript.references:
            asked = reference_row(origin, reference, kept)
            if asked is not None:
                ask(asked)
                result.references += 1
        rows = result.rows - before
        result.files.append({**transcript.to_dict(), "emptied": preparation.emptied, "rows": rows})

    def _turns(self, transcript: Transcript, refuse: _Write) -> Iterator[Turn]:
        """The turns; what is none is written down on the way."""
        name = transcript.place
        for piece in transcript:
            if isinstance(piece, Turn):
                yield piece
                continue
            refuse({"file": name, **piece.to_dict()})
            if len(self._result.first) < _FIRST:
                self._result.first.append((name, piece))

    def _rows(self, origin: Origin, said: Iterator[Said]) -> Iterator[Mapping[str, Any]]:
        wanted = self._wanted
        if wanted.by_turn:
            yield from (turn_row(origin, turn) for turn in said)
            return
        for pack in packed(said, wanted.budget, wanted.overlap, wanted.count):
            self._result.over += pack.is_over
            row = pack_row(origin, pack, self._assistant())
            if row.get("messages") == []:
                self._result.no_chat += 1
                continue
            yield row

    def _assistant(self) -> str | None:
        """The assistant as the rows call them."""
        name = self._wanted.assistant
        if name is None:
            return None
        name = self._speakers.name(name) if self._wanted.treatment.names else name
        return self._people.of(name) if self._people else name


_Write = Callable[[Mapping[str, Any]], None]


def _nowhere(line: Mapping[str, Any]) -> None:
    """Where lines go that nobody wants."""
