"""Sequences that lie on disk as far as they are large, so that a set of any size can be worked out in bounded memory.

::

    Shelf     things in the order in which they were put there
    Chosen    some of a sequence, in an order of their own: a list of places, nothing is copied

What is put on a shelf first is held as it is, up to :data:`HELD`. What comes after it takes eight bytes of memory
each: it goes to a file without a name (``O_TMPFILE``), which is gone with the process, however that ends. Nobody finds
half of it, and nobody can change what is read back.
"""

from __future__ import annotations

import tempfile
from abc import abstractmethod
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields
from itertools import chain, islice
from operator import attrgetter
from pathlib import Path
from pickle import dumps, loads
from typing import IO, Any, Generic, NamedTuple, TypeAlias, TypeVar

from bridge.errors import StoreError

T = TypeVar("T")

HELD = 2**28
"""About so many bytes of a shelf are held in memory as they are, which is quickest; the rest goes to disk."""

_SMALL = 2**22
"""So many bytes go to disk at once."""

_AHEAD = 32
"""So many things are read at once where they are wanted in their order."""


class Packing(NamedTuple, Generic[T]):
    """How one thing becomes a tuple of plain values, and such a tuple the thing again."""

    pack: Callable[[T], Any]
    unpack: Callable[[Any], T]
    weigh: Callable[[T], int]
    """About how many bytes of memory it takes."""


def by_fields(kind: Callable[..., T], weigh: Callable[[T], int]) -> Packing[T]:
    """Of a dataclass: the values of its fields, in their order."""
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    return Packing(attrgetter(*names), lambda values: kind(*values), weigh)


class _Stored(Sequence[T]):
    """What is not in memory, and compares like a list."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or len(self) != len(other):
            return False
        return all(one == another for one, another in zip(self, other, strict=True))

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self._at(place) for place in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        return self._at(index % len(self))

    @abstractmethod
    def _at(self, index: int) -> T:
        """The thing at a place, counted from 0."""


class Shelf(_Stored[T]):
    """Things on disk in the order in which they were put there.

    Args:
        folder: where the file lies; its name is never seen.
        packing: how they are written.

    Raises:
        StoreError: while something is added, the disk is full or the folder cannot be written.

    >>> shelf = Shelf(Path(), Packing(list, tuple, len))
    >>> shelf.extend([("a", 1), ("b", 2)])
    >>> shelf[1], len(shelf), shelf == [("a", 1), ("b", 2)]
    (('b', 2), 2, True)
    """

    def __init__(self, folder: Path, packing: Packing[T]) -> None:
        self.folder = folder
        self._packing = packing
        self._pack, self._unpack, self._weigh = packing
        self._held: list[T] = []
        self._room = HELD
        self._ends = array("Q", [0])
        self._file: IO[bytes] | None = None
        self._written = 0
        self._rest = bytearray()
        """What was put down last, and is not in the file yet."""

    def like(self, packing: Packing[Any] | None = None) -> Shelf[Any]:
        """An empty one in the same folder, for the same or other things."""
        return Shelf(self.folder, packing or self._packing)

    def append(self, thing: T) -> None:
        """Put one more behind the others."""
        if self._room > 0:
            self._room -= self._weigh(thing)
            self._held.append(thing)
            return
        self._rest += dumps(self._pack(thing), 5)
        self._ends.append(self._written + len(self._rest))
        if len(self._rest) > _SMALL:
            self._write()

    def extend(self, things: Iterable[T]) -> None:
        """Put more behind the others."""
        for thing in things:
            self.append(thing)

    def _write(self) -> None:
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(dir=self.folder, buffering=0)  # noqa: SIM115 - open while we live
            self._file.seek(self._written)
            while self._rest:
                written = self._file.write(self._rest)
                self._written += written
                del self._rest[:written]
        except OSError as error:
            raise StoreError(
                f"{self.folder}: cannot be written: {error.strerror}",
                remedy="free some space there, or choose another folder",
            ) from None

    def __del__(self) -> None:
        if self._file is not None:
            self._file.close()

    def __len__(self) -> int:
        return len(self._held) + len(self._ends) - 1

    def some(self, places: Iterable[int]) -> Iterator[T]:
        """Those at these places; what stands side by side is read at once."""
        held, ends, start, stop, data = self._held, self._ends, 0, 0, b""
        count, before = len(held), -1
        for place in places:
            if place < count:
                yield held[place]
                continue
            place -= count
            begin, end = ends[place], ends[place + 1]
            if not start <= begin <= end <= stop:
                ahead = _AHEAD if 0 <= place - before < _AHEAD else 1
                start, stop = begin, ends[min(place + ahead, len(ends) - 1)]
                data = self._read(start, stop)
            before = place
            yield self._thing(data[begin - start : end - start])

    def _at(self, index: int) -> T:
        if index < len(self._held):
            return self._held[index]
        index -= len(self._held)
        return self._thing(self._read(self._ends[index], self._ends[index + 1]))

    def _thing(self, data: bytes) -> T:
        return self._unpack(loads(data))  # noqa: S301 - nobody but this process can write to a file without a name

    def _read(self, start: int, stop: int) -> bytes:
        found = b""
        if self._file is not None and start < self._written:
            self._file.seek(start)
            found = self._file.read(min(stop, self._written) - start)
        return found + self._rest[max(start - self._written, 0) : max(stop - self._written, 0)]

    def __iter__(self) -> Iterator[T]:
        return self.some(range(len(self)))


class Chosen(_Stored[T]):
    """Some of a sequence, in an order of their own."""

    def __init__(self, among: Shelf[T], places: Sequence[int]) -> None:
        self.among, self.places = among, places

    def like(self, packing: Packing[Any] | None = None) -> Shelf[Any]:
        """An empty shelf beside the one that is chosen from."""
        return self.among.like(packing)

    def __len__(self) -> int:
        return len(self.places)

    def __iter__(self) -> Iterator[T]:
        return self.among.some(self.places)

    def _at(self, index: int) -> T:
        return self.among._at(self.places[index])


def blocks(things: Iterable[T], size: int = 1024) -> Iterator[list[T]]:
    """Things in lists of so many.

    Where each of many is read, and then something is made of it, it is a third quicker to read some and then make
    something of these, than to go from one to the other and back each time: the processor keeps what it works with.

    >>> [*blocks("abcde", 2)]
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    rest = iter(things)
    while block := list(islice(rest, size)):
        yield block


def in_blocks(things: Iterable[T]) -> Iterator[T]:
    """The same one by one, read in :func:`blocks`."""
    return chain.from_iterable(blocks(things))


Growing: TypeAlias = "list[T] | Shelf[T]"
"""What things can be added to."""


class Made(_Stored[T]):
    """What is made of places each time it is asked for, and never held."""

    def __init__(self, places: Sequence[int], make: Callable[[int], T]) -> None:
        self._places, self._make = places, make

    def __len__(self) -> int:
        return len(self._places)

    def _at(self, index: int) -> T:
        return self._make(self._places[index])


def chosen(things: Sequence[T], places: Sequence[int]) -> Sequence[T]:
    """Some of a sequence: of what lies on disk a view, of all else a list.

    >>> chosen(["a", "b", "c"], [2, 0])
    ['c', 'a']
    """
    if isinstance(things, Shelf):
        return Chosen(things, array("Q", places))
    if isinstance(things, Chosen):
        return Chosen(things.among, array("Q", [things.places[place] for place in places]))
    return [things[place] for place in places]


def beside(things: Sequence[Any], packing: Packing[T]) -> Growing[T]:
    """An empty shelf where the things lie on one, and an empty list where they are in memory.

    >>> beside([1, 2], Packing(list, tuple, len))
    []
    """
    return things.like(packing) if isinstance(things, Shelf | Chosen) else []


def joined(first: Sequence[T], second: Sequence[T], packing: Packing[T]) -> Sequence[T]:
    """Both behind each other."""
    if not first or not second:
        return first or second
    both = beside(first if isinstance(first, _Stored) else second, packing)
    both.extend(first)
    both.extend(second)
    return both
