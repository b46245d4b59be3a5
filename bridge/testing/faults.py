"""A server that fails by a seed: the faults of real servers, put before any object with the verbs of a server.

Each call has a number, and what becomes of it depends on the seed and that number alone. So a run that fails is made
again from what ``print(server)`` shows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from random import Random
from typing import Generic, Literal, NamedTuple, NoReturn, TypeAlias, TypeVar, get_args

from bridge.annotations import Annotation
from bridge.clock import SYSTEM, Clock
from bridge.errors import (
    AuthError,
    Busy,
    ServerError,
    TooLarge,
    UnexpectedReply,
    UnknownOutcome,
    Unreachable,
)
from bridge.keys import Secret
from bridge.records import Record
from bridge.servers.protocol import (
    Answered,
    Capabilities,
    Outcome,
    Page,
    Progress,
    Project,
    Remote,
    RemoteProject,
    Server,
)

Verb: TypeAlias = Literal[
    "ensure",
    "find",
    "write",
    "listing",
    "update",
    "remove",
    "repair",
    "finish",
    "changes",
    "progress",
    "people",
    "add_person",
    "answer",
]

Kind: TypeAlias = Literal[
    # Before anything happened
    "unreachable",
    "busy",
    "denied",
    # Reads
    "broken",
    "cut",
    # Writes: nobody knows the outcome
    "committed",
    "lost",
    "late",
    "part",
    "lag",
    # Writes: the reply does not tell
    "bare",
    # The process ends
    "crash before",
    "crash after",
    # What stands in the way of some batches always: see FaultyServer
    "too large",
    "poison",
]

_ALWAYS: tuple[Kind, ...] = ("unreachable", "busy", "denied")
_READS: tuple[Kind, ...] = (*_ALWAYS, "broken")
_PAGES: tuple[Kind, ...] = (*_READS, "cut")
_WRITES: tuple[Kind, ...] = (*_ALWAYS, "committed", "lost", "late")
_BATCHES: tuple[Kind, ...] = (*_WRITES, "part")
_CRASHES: tuple[Kind, ...] = ("crash before", "crash after")
_UNCLEAR = frozenset[Kind]({"committed", "lost", "late", "part", "lag"})

FITS: Mapping[Verb, tuple[Kind, ...]] = {
    "ensure": _WRITES,
    "find": _READS,
    "write": (*_BATCHES, "lag", "bare"),
    "listing": _PAGES,
    "update": (*_BATCHES, "bare"),
    "remove": _BATCHES,
    "repair": _BATCHES,
    "finish": _WRITES,
    "changes": _PAGES,
    "progress": _READS,
    "people": _READS,
    "add_person": _WRITES,
    "answer": _BATCHES,
}
"""What can happen to each verb; crashes can to all. An ``ensure`` that may not create is a read."""

_REMEDY = "run the command again: it looks up what arrived before it sends anything"

S = TypeVar("S", bound=Server)
T = TypeVar("T")
Item = TypeVar("Item")


class Crash(BaseException):
    """The process ends here, as far as a test goes. No ``except Exception`` catches it.

    Unlike a killed process, it still runs ``finally`` blocks and closes what ``with`` has opened.
    """


class Injected(NamedTuple):
    """One fault that happened: the number of the call, its verb, and the fault."""

    number: int
    verb: Verb
    fault: Kind


@dataclass(frozen=True)
class _Call:
    """A call under way, and what is to become of it."""

    number: int
    verb: Verb
    fault: Kind | None
    random: Random


@dataclass(frozen=True)
class _Late:
    """A write that the server has yet to carry out."""

    number: int
    due: float
    carry_out: Callable[[], object]


class FaultyServer(Generic[S]):
    """Any server, with faults and crashes before it. It has the verbs of a server itself.

    Keep one of these over all restarts of what you test: it stands for the network and the server, whose late
    commits arrive after the crash of the one who sent them. What people do goes to ``server`` directly.

    The faults, as ``kinds``, ``at`` and ``history`` name them:

    - before anything happened: ``unreachable``, ``busy`` (429), ``denied`` (a revoked key);
    - of reads: ``broken`` (a 5xx), and ``cut``: a part of a page of ``listing`` or ``changes`` comes, then an error;
    - of writes, whose outcomes are then unknown (outcomes ``unknown``, or :class:`bridge.errors.UnknownOutcome` from
      verbs that return none): ``committed``, ``lost`` (never carried out), ``part`` (only the first few of the
      batch), ``late`` (carried out when the clock has moved on by ``late_s``, or after ``late_calls`` further calls),
      and ``lag``: committed, but ``find`` does not see it until the clock has moved on by ``lag_s``, as with
      Argilla's index;
    - ``bare``: accepted, but the suggestions are lost, as on a Label Studio with SQLite;
    - ``crash before`` and ``crash after`` the server carried the call out. A page of ``listing`` or ``changes`` is a
      call of its own.

    Args:
        server: the real thing, usually a :class:`bridge.servers.memory.MemoryServer`.
        seed: decides, with the number of a call, what becomes of it.
        rate: how many of the calls fail, from 0 to 1. It may be changed at any time.
        kinds: what may happen by the seed; unless told, everything but crashes.
        at: number of a call (from 1), or a verb and the number among its calls, to the fault that happens there
            whatever the seed says; what does not fit the verb of that call does not happen.
        clock: what ``late`` and ``lag`` go by.
        late_s: how long after its reply was lost a late write is carried out.
        late_calls: carry it out after so many further calls, should that come first.
        lag_s: how long ``find`` lags behind.
        wait_s: what a server that asks to wait asks for; it does so in half of the cases.
        largest: batches with more records than this are refused whole (413).
        poison: batches with a key for which this holds are rejected whole, as Argilla does.
        page_size: cut pages of ``listing`` and ``changes`` to this many records, so that there are several.

    >>> from bridge.records import Record
    >>> from bridge.servers.memory import MemoryServer
    >>> from bridge.templates import load_template
    >>> server = FaultyServer(MemoryServer(), at={("write", 1): "committed"})
    >>> project = server.ensure(Project("Demo", load_template("rating")), create=True)
    >>> record = Record(fields={"prompt": "2 + 2?", "response": "4"})
    >>> server.write([record])[0].result
    'unknown'
    >>> len(server.find([record.key]))
    1
    >>> print(server)
    FaultyServer(seed=0, rate=0): 1 fault in 3 calls
      at={('write', 1): 'committed'}
      2 write: committed
    """

    def __init__(
        self,
        server: S,
        *,
        seed: int = 0,
        rate: float = 0,
        kinds: Iterable[Kind] = (),
        at: Mapping[int | tuple[Verb, int], Kind] | None = None,
        clock: Clock = SYSTEM,
        late_s: float = 60.0,
        late_calls: int | None = None,
        lag_s: float = 10.0,
        wait_s: float = 5.0,
        largest: int | None = None,
        poison: Callable[[str], bool] = lambda key: False,
        page_size: int | None = None,
    ) -> None:
        self.server = server
        self.seed, self.rate = seed, rate
        self.kinds = frozenset(kinds) or frozenset(kind for fits in FITS.values() for kind in fits)
        self.at: Mapping[int | tuple[Verb, int], Kind] = at or {}
        if unknown := {*self.kinds, *self.at.values()} - {*get_args(Kind)}:
            raise ValueError(f"there is no such fault: {', '.join(sorted(unknown))}")
        self.calls = 0
        """How many calls there were: in a run without faults, how many points there are to crash at."""
        self.history: list[Injected] = []
        self._calls_of: Counter[Verb] = Counter()
        self._clock = clock
        self._late_s, self._late_calls, self._lag_s, self._wait_s = late_s, late_calls, lag_s, wait_s
        self._largest, self._poison, self._page_size = largest, poison, page_size
        self._late: list[_Late] = []
        self._unseen: dict[str, float] = {}

    def __str__(self) -> str:
        """What it takes to make the same run again, and what happened."""
        many = "fault" if len(self.history) == 1 else "faults"
        lines = [
            f"FaultyServer(seed={self.seed}, rate={self.rate:g}): {len(self.history)} {many} in {self.calls} calls"
        ]
        lines += [f"  at={self.at}"] if self.at else []
        return "\n".join([*lines, *(f"  {number} {verb}: {fault}" for number, verb, fault in self.history)])

    @property
    def capabilities(self) -> Capabilities:
        """Those of the server."""
        return self.server.capabilities

    def calls_of(self, verb: Verb) -> int:
        """How many calls of a verb there were."""
        return self._calls_of[verb]

    def settle(self) -> None:
        """Carry out all late writes now, and let ``find`` see everything: what time would bring."""
        self._carry_out_late(everything=True)
        self._unseen.clear()

    def close(self) -> None:
        """Close the server; late writes stay late."""
        self.server.close()

    # Reads

    def find(self, keys: Iterable[str]) -> dict[str, list[Remote]]:
        """Look keys up; those that an index lags behind with are not found."""
        call = self._call("find")
        now = self._clock.monotonic()
        found = {k: v for k, v in self.server.find(keys).items() if self._unseen.get(k, now) <= now}
        return self._crash_after(call, found)

    def listing(self) -> Iterator[Sequence[tuple[str, Remote]]]:
        """Every record, in pages."""
        yield from self._pages("listing", self._smaller(self.server.listing()), lambda page, n: page[:n], len)

    def changes(self, cursor: str = "") -> Iterator[Page]:
        """What was answered, in pages."""
        pages = (
            Page(records, page.cursor, left)
            for page in self.server.changes(cursor)
            for records, left in self._parts(page)
        )
        yield from self._pages(
            "changes", pages, lambda page, n: replace(page, records=page.records[:n]), lambda page: len(page.records)
        )

    def progress(self) -> Progress:
        """Counts; an index that lags behind shows in ``indexed``."""
        call = self._call("progress")
        progress, now = self.server.progress(), self._clock.monotonic()
        if unseen := sum(until > now for until in self._unseen.values()):
            indexed = progress.records if progress.indexed is None else progress.indexed
            progress = replace(progress, indexed=max(0, indexed - unseen))
        return self._crash_after(call, progress)

    def people(self) -> list[str]:
        """Names of those who can answer."""
        call = self._call("people")
        return self._crash_after(call, self.server.people())

    # Writes

    def ensure(self, project: Project, *, create: bool) -> RemoteProject:
        """Find the project, or make it."""
        if create:
            return self._change("ensure", [project], lambda projects: self.server.ensure(projects[0], create=True))
        call = self._call("ensure", fits=_READS)
        return self._crash_after(call, self.server.ensure(project, create=False))

    def write(self, records: Sequence[Record]) -> list[Outcome]:
        """Create records."""
        return self._put("write", records, [record.key for record in records], self.server.write, _bare)

    def update(self, records: Sequence[Record]) -> list[Outcome]:
        """Show the present text of records."""
        return self._put("update", records, [record.key for record in records], self.server.update, _bare)

    def answer(self, annotations: Sequence[Annotation]) -> list[Outcome]:
        """Write answers."""
        return self._put("answer", annotations, [annotation.record for annotation in annotations], self.server.answer)

    def remove(self, ids: Iterable[str]) -> int:
        """Delete records."""
        return self._change("remove", [*ids], self.server.remove)

    def repair(self, records: Sequence[Record]) -> int:
        """Send lost suggestions again."""
        return self._change("repair", records, self.server.repair)

    def finish(self) -> int:
        """Mend what the server keeps twice."""
        return self._change("finish", (), lambda nothing: self.server.finish())

    def add_person(self, name: str, password: Secret) -> None:
        """Make an account."""

        def add(names: Sequence[str]) -> bool:
            self.server.add_person(names[0], password)
            return True

        self._change("add_person", [name], add)

    # How

    def _call(self, verb: Verb, fits: tuple[Kind, ...] = ()) -> _Call:
        """Count a call, carry out what is due by now, and fail where nothing is to be sent."""
        self.calls += 1
        self._calls_of[verb] += 1
        self._carry_out_late()
        random = Random(f"{self.seed}/{self.calls}")  # noqa: S311 - made to be repeated
        call = _Call(self.calls, verb, self._fault(verb, random, (*(fits or FITS[verb]), *_CRASHES)), random)
        if call.fault in (*_ALWAYS, "broken", "crash before"):
            self._fail(call)
        return call

    def _fault(self, verb: Verb, random: Random, fits: tuple[Kind, ...]) -> Kind | None:
        drawn = random.random() < self.rate
        possible = [kind for kind in fits if kind in self.kinds]
        told = self.at.get(self.calls) or self.at.get((verb, self._calls_of[verb]))
        if told is not None:
            return told if told in fits else None
        return random.choice(possible) if drawn and possible else None

    def _fail(self, call: _Call) -> NoReturn:
        self._note(call)
        where = f"injected fault {call.number}: "
        match call.fault:
            case "unreachable":
                raise Unreachable(f"{where}no connection", remedy="try again")
            case "busy":
                raise Busy(f"{where}too many requests (429)", remedy="wait", wait_s=self._asked(call))
            case "denied":
                raise AuthError(f"{where}the key was revoked (401)", remedy="check the key")
            case "crash before" | "crash after":
                raise Crash(f"{where}{call.fault} {call.verb}")
            case "broken" | "cut":
                raise UnexpectedReply(f"{where}{call.verb} breaks off (500)", remedy="run the command again")
            case _:
                raise UnknownOutcome(f"{where}no reply to {call.verb}", remedy=_REMEDY, wait_s=self._asked(call))

    def _note(self, call: _Call, fault: Kind | None = None) -> None:
        happened = fault or call.fault
        assert happened is not None
        self.history.append(Injected(call.number, call.verb, happened))

    def _asked(self, call: _Call) -> float:
        return call.random.choice((0.0, self._wait_s))

    def _crash_after(self, call: _Call, result: T) -> T:
        if call.fault == "crash after":
            self._fail(call)
        return result

    def _carry_out(self, call: _Call, items: Sequence[Item], act: Callable[[Sequence[Item]], T]) -> T | None:
        """Do it, or as much of it as the fault leaves; None where nobody is to know what became of it."""
        if call.fault not in _UNCLEAR:
            return act(items)
        match call.fault:
            case "committed" | "lag":
                act(items)
            case "part":
                act(items[: call.random.randint(1, max(1, len(items) - 1))])
            case "late":
                due = self._clock.monotonic() + self._late_s
                self._late.append(_Late(call.number, due, lambda: act(items)))
        return None

    def _carry_out_late(self, *, everything: bool = False) -> None:
        now, waiting = self._clock.monotonic(), self._late
        enough = self._late_calls
        due = [
            late
            for late in waiting
            if everything or late.due <= now or (enough is not None and self.calls - late.number > enough)
        ]
        self._late = [late for late in waiting if late not in due]
        for late in due:
            with suppress(ServerError):  # what the server says to it now is heard by nobody
                late.carry_out()

    def _change(self, verb: Verb, items: Sequence[Item], act: Callable[[Sequence[Item]], T]) -> T:
        call = self._call(verb)
        result = self._carry_out(call, items, act)
        if result is None:
            self._fail(call)
        return self._crash_after(call, result)

    def _put(
        self,
        verb: Verb,
        items: Sequence[Item],
        keys: Sequence[str],
        act: Callable[[Sequence[Item]], list[Outcome]],
        bare: Callable[[Sequence[Item]], Sequence[Item]] = lambda items: items,
    ) -> list[Outcome]:
        call = self._call(verb)
        if self._largest is not None and len(items) > self._largest:
            self._note(call, "too large")
            raise TooLarge(f"injected fault {call.number}: {len(items)} records are too many (413)", remedy="send less")
        if any(map(self._poison, keys)):
            self._note(call, "poison")
            reason = f"injected fault {call.number}: one of {len(items)} records cannot be stored"
            return self._crash_after(call, [Outcome(key, "rejected", reason, "send the others alone") for key in keys])
        if call.fault == "bare":
            self._note(call)
            return act(bare(items))
        outcomes = self._carry_out(call, items, act)
        if outcomes is not None:
            for key in keys:
                self._unseen.pop(key, None)  # a second write brings the index up to date
            return self._crash_after(call, outcomes)
        self._note(call)
        if call.fault == "lag":
            self._unseen |= dict.fromkeys(keys, self._clock.monotonic() + self._lag_s)
        reason, wait_s = f"injected fault {call.number}: no reply to {verb}", self._asked(call)
        return [Outcome(key, "unknown", reason, _REMEDY, wait_s=wait_s) for key in keys]

    def _pages(
        self, verb: Verb, pages: Iterator[T], first: Callable[[T, int], T], length: Callable[[T], int]
    ) -> Iterator[T]:
        self._carry_out_late()
        some = False
        for page in pages:
            some = True
            call = self._call(verb)
            if call.fault == "cut":
                if part := call.random.randrange(length(page) or 1):
                    yield first(page, part)
                self._fail(call)
            yield self._crash_after(call, page)
        if not some:
            call = self._call(verb)  # an empty list takes a request as well
            if call.fault == "cut":
                self._fail(call)
            self._crash_after(call, None)

    def _smaller(self, pages: Iterable[Sequence[T]]) -> Iterator[Sequence[T]]:
        for page in pages:
            size = self._page_size or len(page) or 1
            # An empty page tells something too: where the next pull may start.
            yield from (page[start : start + size] for start in range(0, len(page) or 1, size))

    def _parts(self, page: Page) -> Iterator[tuple[Sequence[Answered], int]]:
        done = 0
        for records in self._smaller([page.records]):
            done += len(records)
            yield records, page.left + len(page.records) - done


def _bare(records: Sequence[Record]) -> list[Record]:
    return [replace(record, suggestions=()) for record in records]
