"""The journal: what was asked of models and what they answered, so that nothing is asked or paid for twice.

A file of JSON Lines that only grows. A line is handed to the system before the request leaves (``sent``), and another
one when it comes back (``answer``, ``refused`` or ``failed``), before anybody sees the answer. So a killed process
loses no answer, and what it had sent and not got is known and counted. Lines go to the disk a second later, and at the
end. A crash can leave one broken last line, which is cut off when the file is opened next.

Requests stand in it by their keys alone: no prompts and no access keys. Answers stand in full.
"""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pydantic_core import from_json, to_json

from bridge.clock import SYSTEM, Clock
from bridge.errors import Held, StoreError
from bridge.models.budget import Account, Budget, Tokens
from bridge.models.outcomes import Answered
from bridge.models.prices import Prices
from bridge.models.replies import Choice, TokenChoice

VERSION = 1
_FIRST = b'{"journal":1}\n'
SYNC_S = 1.0
"""Seconds after which lines are sent to the disk, at the latest when the next one is written."""


@dataclass(frozen=True, slots=True)
class Entry:
    """How one request ended.

    Args:
        answer: what came; None where the endpoint refused the request.
        refused: why it did; None where an answer came.
        tokens: what it took.
        attempts: how often it was sent.
        batch: whether it went through the Batch API.
    """

    answer: Answered | None
    refused: str | None
    tokens: Tokens
    attempts: int
    batch: bool = False


class Journal:
    """The journal of one run, or of several with the same file; to be used in a ``with`` statement.

    Args:
        path: the file, which is made if it is not there; None keeps all in memory.
        prices: what tokens cost.
        budget: the most that may be spent, with all that stands in the journal already.
        clock: tells the time.

    Raises:
        Held: another process has it open.
        StoreError: it cannot be read or written, or is damaged elsewhere than at its end; names file and line.

    >>> answer = Answered("m", (Choice("4", "stop"),), Tokens(9, 1))
    >>> with Journal() as journal:
    ...     journal.sent("http://127.0.0.1:1", "m", "ab12", Tokens(20, 5))
    ...     _ = journal.finished("http://127.0.0.1:1", "m", "ab12", answer, Tokens(9, 1))
    ...     journal.entry("http://127.0.0.1:1", "ab12").answer == answer
    True
    """

    def __init__(
        self,
        path: str | Path | None = None,
        *,
        prices: Prices | None = None,
        budget: Budget | None = None,
        clock: Clock = SYSTEM,
    ) -> None:
        self.path = None if path is None else Path(path)
        self.account = Account(prices or Prices(), budget or Budget())
        """What was spent, and what still may be; all clients with this journal share it."""
        self._clock = clock
        self._file: FileIO | None = None
        self._synced = clock.monotonic()
        self._disk = ThreadPoolExecutor(1)
        self._syncing: Future[None] | None = None
        self._places: dict[tuple[str, str], tuple[int, int] | Mapping[str, Any]] = {}
        self._attempts: Counter[tuple[str, str]] = Counter()
        self._out: dict[tuple[str, str], list[tuple[str, Tokens]]] = {}
        self._ended: dict[tuple[str, bool, bool], tuple[int, Tokens]] = {}
        self._notes: dict[str, Mapping[str, Any]] = {}
        self._end = 0
        if self.path is not None:
            self._open(self.path)
            self._count()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Bring all to the disk, and let others have the file."""
        if self._file is not None:
            try:
                self.sync()
            finally:
                self._drop()

    # -- what it holds

    def entry(self, endpoint: str, key: str) -> Entry | None:
        """How a request ended, if it did: with an answer, or refused."""
        place = self._places.get((endpoint, key))
        if place is None:
            return None
        line = self._line(place) if isinstance(place, tuple) else place
        try:
            return _entry(line)
        except (KeyError, TypeError, ValueError):
            raise StoreError(
                f"{self.path}: the line with the answer to {key} is not as it was written",
                remedy="take it out, and the request is sent again; or begin with another file",
            ) from None

    def attempts(self, endpoint: str, key: str) -> int:
        """How often a request was sent that has not ended."""
        return self._attempts[endpoint, key]

    def note(self, name: str) -> Mapping[str, Any] | None:
        """The newest note of that name."""
        return self._notes.get(name)

    def notes(self, prefix: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """The newest notes whose names begin so, in the order of their first ones."""
        return iter([(name, note) for name, note in self._notes.items() if name.startswith(prefix)])

    # -- what happens

    def sent(self, endpoint: str, model: str, key: str, most: Tokens) -> None:
        """A request is about to be sent that takes so many tokens at most."""
        self._write(
            {
                "sent": key,
                "endpoint": endpoint,
                "model": model,
                "most": [most.prompt, most.completion],
                "at": datetime.fromtimestamp(self._clock.time(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
        )

    def finished(
        self, endpoint: str, model: str, key: str, answer: Answered | str, tokens: Tokens, *, batch: bool = False
    ) -> Entry:
        """It came back with an answer, or was refused, which is told in words."""
        line: dict[str, Any] = {
            "answer" if isinstance(answer, Answered) else "refused": key,
            "endpoint": endpoint,
            "model": model,
            "tokens": [tokens.prompt, tokens.completion],
            "attempts": max(self._attempts[endpoint, key], 1),
        }
        if isinstance(answer, Answered):
            line |= {"by": answer.model, "choices": [_written(choice) for choice in answer.choices]}
            if answer.tokens is None:
                line["estimated"] = True
        else:
            line["why"] = answer
        if batch:
            line["batch"] = True
        self._write(line)
        return _entry(line)

    def failed(self, endpoint: str, model: str, key: str, why: str, *, clear: bool) -> None:
        """It came back without an answer, or (not ``clear``) nobody knows what became of it."""
        self._write({"failed": key, "endpoint": endpoint, "model": model, "why": why, "clear": clear})

    def noted(self, name: str, note: Mapping[str, Any]) -> None:
        """Something else that the next run must know."""
        self._write({"note": name, **note})
        self.sync()

    def sync(self) -> None:
        """Bring all to the disk now."""
        if self._file is None:
            return
        try:
            self._sync(self._file)
        except OSError as error:
            raise _broken(self.path, error) from None

    # -- the file

    def _open(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists() and not path.is_file():
                raise StoreError(f"{path}: no file", remedy="give the name of a file")
            self._file = FileIO(path, "a+")
            _hold(self._file, path)
            self._read(path, self._file)
        except OSError as error:
            self._drop()
            raise _broken(path, error) from None
        except StoreError:
            self._drop()
            raise

    def _drop(self) -> None:
        self._disk.shutdown()
        if self._file is not None:
            self._file.close()
            self._file = None

    def _read(self, path: Path, file: FileIO) -> None:
        with path.open("rb") as lines:
            for number, raw in enumerate(lines, 1):
                line = _parsed(raw)
                if number == 1 and raw != _FIRST and not _FIRST.startswith(raw):
                    raise StoreError(f"{path}: no journal of this version", remedy="give another file")
                if line is None:
                    if lines.read(1):  # it is not the last one, so no crash left it
                        raise StoreError(
                            f"{path}:{number}: this is no line of a journal",
                            remedy="take the line out, or begin with another file",
                        )
                    break
                self._take(line, (self._end, len(raw)))
                self._end += len(raw)
        file.truncate(self._end)
        if self._end == 0:
            self._write({"journal": VERSION})
            self.sync()

    def _count(self) -> None:
        """Count what was sent before; what never came back, as what it may have taken."""
        for (model, clear, batch), (times, tokens) in self._ended.items():
            self.account.count(model, tokens, times=times, clear=clear, batch=batch)
        for out in self._out.values():
            for model, most in out:
                self.account.count(model, most, clear=False)

    def _write(self, line: dict[str, Any]) -> None:
        if self.path is None:
            self._take(line, None)
            return
        if self._file is None:
            raise StoreError(f"{self.path}: the journal is closed", remedy="open it again")
        raw = to_json(line) + b"\n"
        try:
            written = self._file.write(raw)
            if written != len(raw):
                self._file.truncate(self._end)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if self._clock.monotonic() - self._synced >= SYNC_S:
                self._sync_beside(self._file)
        except OSError as error:
            raise _broken(self.path, error) from None
        self._take(line, (self._end, len(raw)))
        self._end += len(raw)

    def _sync(self, file: FileIO) -> None:
        if self._syncing is not None:
            self._syncing.result()
        os.fsync(file.fileno())
        self._synced = self._clock.monotonic()

    def _sync_beside(self, file: FileIO) -> None:
        """Begin to bring lines to the disk. A disk that is busy takes seconds, and no answer shall wait for it.

        Raises:
            OSError: the last time, it could not be done.
        """
        if self._syncing is not None:
            if not self._syncing.done():
                return
            self._syncing.result()
        self._syncing = self._disk.submit(os.fsync, file.fileno())
        self._synced = self._clock.monotonic()

    def _line(self, place: tuple[int, int]) -> Mapping[str, Any]:
        if self._file is None:
            raise StoreError(f"{self.path}: the journal is closed", remedy="open it again")
        start, size = place
        self._file.seek(start)
        line = _parsed(self._file.read(size))
        assert line is not None, "this line was read before"
        return line

    def _take(self, line: Mapping[str, Any], place: tuple[int, int] | None) -> None:
        """Know what a line says; ``place`` is where it stands in the file."""
        match line:
            case {"sent": str(key), "endpoint": str(endpoint), "model": str(model), "most": [int(p), int(c)]}:
                self._attempts[endpoint, key] += 1
                self._out.setdefault((endpoint, key), []).append((model, Tokens(p, c)))
            case {"answer": str(key), "endpoint": str(endpoint), "model": str(model), "tokens": [int(p), int(c)]} | {
                "refused": str(key),
                "endpoint": str(endpoint),
                "model": str(model),
                "tokens": [int(p), int(c)],
            }:
                if line.get("batch"):
                    self._add(model, Tokens(p, c), clear=True, batch=True)
                else:
                    self._back(endpoint, key, Tokens(p, c), clear=True)
                self._attempts.pop((endpoint, key), None)
                self._places[endpoint, key] = line if place is None else place
            case {"failed": str(key), "endpoint": str(endpoint), "clear": bool(clear)}:
                self._back(endpoint, key, Tokens() if clear else None, clear=clear)
            case {"note": str(name)}:
                self._notes[name] = line

    def _back(self, endpoint: str, key: str, tokens: Tokens | None, *, clear: bool) -> None:
        """A request that was out came back."""
        out = self._out.get((endpoint, key))
        if out:
            model, most = out.pop()
            self._add(model, most if tokens is None else tokens, clear=clear)
            if not out:
                del self._out[endpoint, key]

    def _add(self, model: str, tokens: Tokens, *, clear: bool, batch: bool = False) -> None:
        times, so_far = self._ended.get((model, clear, batch), (0, Tokens()))
        self._ended[model, clear, batch] = times + 1, so_far + tokens


def _parsed(raw: bytes) -> dict[str, Any] | None:
    if not raw.endswith(b"\n"):
        return None
    try:
        line = from_json(raw)
    except ValueError:
        return None
    return line if isinstance(line, dict) else None


def _written(choice: Choice) -> dict[str, Any]:
    line: dict[str, Any] = {"text": choice.text, "finish": choice.finish}
    if choice.logprobs is not None:
        line["logprobs"] = [[one.token, one.logprob, [list(pair) for pair in one.top]] for one in choice.logprobs]
    return line


def _entry(line: Mapping[str, Any]) -> Entry:
    tokens = Tokens(*line["tokens"])
    answer = None
    if "answer" in line:
        choices = tuple(_choice(one) for one in line["choices"])
        answer = Answered(line["by"], choices, None if line.get("estimated") else tokens)
    return Entry(answer, line.get("why"), tokens, line["attempts"], bool(line.get("batch")))


def _choice(line: Mapping[str, Any]) -> Choice:
    given = line.get("logprobs")
    logprobs = None
    if given is not None:
        logprobs = tuple(TokenChoice(token, p, tuple((t, q) for t, q in top)) for token, p, top in given)
    return Choice(line["text"], line["finish"], logprobs)


def _hold(file: FileIO, path: Path) -> None:
    try:
        import fcntl  # not on Windows, where nobody is kept out
    except ImportError:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Held(
            f"{path}: another process is at work with this journal",
            remedy="wait until it has ended, or give this one a journal of its own",
        ) from None


def _broken(path: Path | None, error: OSError) -> StoreError:
    return StoreError(f"{path}: {error.strerror}", remedy="is there room on the disk, and may you write there?")
