"""The compiled kernel, where there is one: ``_kernel.c`` through ctypes. Whoever calls it has the same in numpy.

``hatch_build.py`` compiles it when the package is built or installed and there is a compiler; nothing depends on it.
"""

from __future__ import annotations

import ctypes
import os
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import chain, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Not ".so": Python would take it for a module of its own.
LIBRARY = Path(__file__).with_name("_kernel.bin")
_BATCH = 2**20
_POINTER, _NUMBER = ctypes.c_void_p, ctypes.c_int64
_MODES = {"greedy": 0, "components": 1, "pairs": 2}


@cache
def library() -> ctypes.CDLL | None:
    """The library, or None where it was not compiled or cannot be loaded here."""
    try:
        loaded = ctypes.CDLL(str(LIBRARY))
    except OSError:
        return None
    for name, result, arguments in (
        ("texts_new", _POINTER, [_POINTER, ctypes.c_uint64, ctypes.c_int]),
        ("texts_add", ctypes.c_int, [_POINTER, ctypes.c_char_p, _POINTER, _NUMBER]),
        ("texts_finish", ctypes.c_int, [_POINTER]),
        ("texts_count", _NUMBER, [_POINTER]),
        ("texts_tokens", _NUMBER, [_POINTER]),
        ("texts_distinct", _NUMBER, [_POINTER]),
        ("texts_copy", None, [_POINTER] * 4),
        ("texts_words", _NUMBER, [_POINTER]),
        ("texts_ids", _NUMBER, [_POINTER]),
        ("texts_bytes", _NUMBER, [_POINTER]),
        ("texts_copy_words", None, [_POINTER] * 5),
        ("texts_free", None, [_POINTER]),
        (
            "join",
            ctypes.c_int,
            [_POINTER] * 3
            + [_NUMBER, _POINTER, _NUMBER, _NUMBER, ctypes.c_double, ctypes.c_int, _POINTER, _POINTER, _POINTER],
        ),
        (
            "ratio_pairs",
            ctypes.c_int,
            [_POINTER] * 2
            + [_NUMBER, _POINTER, _POINTER, _NUMBER, _POINTER, _NUMBER, _POINTER, _NUMBER]
            + [ctypes.c_double, ctypes.c_double, _POINTER],
        ),
        ("pairs_count", _NUMBER, [_POINTER]),
        ("pairs_copy", None, [_POINTER] * 2),
        ("pairs_free", None, [_POINTER]),
    ):
        function = getattr(loaded, name, None)
        if function is None:  # it was compiled from the source of another version
            return None
        function.restype, function.argtypes = result, arguments
    return loaded


def wanted(engine: str) -> bool:
    """Whether the kernel does the work: it is asked for, or left to us and there.

    Raises:
        UsageError: it is asked for and not there, or the engine is none.

    >>> wanted("numpy")
    False
    """
    if engine not in ("auto", "c", "numpy"):
        raise UsageError(f"engine {engine!r:.60}: there is none of that name", remedy="use auto, c or numpy")
    if engine == "c" and library() is None:
        raise UsageError(
            "engine c: the compiled kernel is not there",
            remedy="install a C compiler and annobridge again, or use the engine numpy, which finds the same",
        )
    return engine != "numpy" and library() is not None


def _kernel() -> ctypes.CDLL:
    loaded = library()
    assert loaded is not None
    return loaded


@cache
def _classes() -> bytes:
    """What each code point can be: 0 no part of a word, 1 part of one, 2 a word of its own, 3 white space."""
    from bridge.curate import tokens

    # Beyond are planes without letters: unassigned, tags, private use.
    every = "".join(map(chr, range(0x40000)))
    table = bytearray(0x110000)
    for pattern, kind in tokens.CLASSES:
        for found in pattern.finditer(every):
            table[found.start() : found.end()] = bytes([kind]) * (found.end() - found.start())
    return bytes(table)


def token_sets(texts: Iterable[str], n: int) -> tuple[Any, ...]:
    """Sizes, starts, tokens and their number, as :class:`bridge.curate.tokens.TokenSets` has them, of lowered texts.

    Raises:
        MemoryError: there is not enough.
    """
    import numpy as np

    with _texts(texts, n) as handle:
        kernel = _kernel()
        _check(kernel.texts_finish(handle))
        sizes = np.empty(kernel.texts_count(handle), np.int64)
        starts = np.empty(len(sizes) + 1, np.int64)
        tokens = np.empty(kernel.texts_tokens(handle), np.uint32)
        kernel.texts_copy(handle, _at(sizes), _at(starts), _at(tokens))
        return sizes, starts, tokens, int(kernel.texts_distinct(handle))


def word_ids(texts: Iterable[str], n: int) -> tuple[Any, Any, list[str]]:
    """What :func:`bridge.curate.tokens.word_ids` gives of lowered texts, and the words in the order of their numbers.

    Raises:
        MemoryError: there is not enough.
    """
    import numpy as np

    with _texts(texts, n) as handle:
        kernel = _kernel()
        ids = np.empty(kernel.texts_ids(handle), np.uint32)
        lengths = np.empty(kernel.texts_count(handle), np.int64)
        letters = np.empty(kernel.texts_bytes(handle), np.uint8)
        word_lengths = np.empty(kernel.texts_words(handle), np.int64)
        kernel.texts_copy_words(handle, *map(_at, (ids, lengths, letters, word_lengths)))
    raw, ends = letters.tobytes(), np.cumsum(word_lengths).tolist()
    words = [raw[start:end].decode("utf-8", "surrogatepass") for start, end in pairwise([0, *ends])]
    return ids, lengths, words


@contextmanager
def _texts(texts: Iterable[str], n: int) -> Iterator[int]:
    """Texts in the kernel, as words."""
    kernel = _kernel()
    # The seed keeps anybody from writing texts whose words all have the same hash. No result depends on it.
    handle = kernel.texts_new(_classes(), int.from_bytes(os.urandom(8), "little"), n)
    if not handle:
        raise MemoryError
    try:
        for lengths, batch in _batches(texts):
            _check(kernel.texts_add(handle, batch, lengths.buffer_info()[0], len(lengths)))
        yield handle
    finally:
        kernel.texts_free(handle)


def _batches(texts: Iterable[str]) -> Iterator[tuple[array[int], bytes]]:
    parts: list[bytes] = []
    size = 0
    for text in chain(texts, [None]):
        if text is not None:
            parts.append(text.encode("utf-8", "surrogatepass"))
            size += len(parts[-1])
        if parts and (text is None or size >= _BATCH):
            yield array("q", map(len, parts)), b"".join(parts)
            parts, size = [], 0


def join(
    sets: tuple[Any, Any, Any, int], order: NDArray[np.int64], first: int, threshold: float, mode: str
) -> tuple[Any, Any, Any]:
    """See :func:`bridge.curate.near.join`: matches, overlaps, and ``(m, 3)`` pairs; by turns.

    Raises:
        MemoryError: there is not enough.
    """
    import numpy as np

    kernel = _kernel()
    sizes, starts, tokens, distinct = sets
    sizes, starts = np.ascontiguousarray(sizes, np.int64), np.ascontiguousarray(starts, np.int64)
    tokens, order = np.ascontiguousarray(tokens, np.uint32), np.ascontiguousarray(order, np.int64)
    matches, overlaps = np.empty(len(order), np.int64), np.zeros(len(order), np.int64)
    found = _POINTER()
    _check(
        kernel.join(
            *(_at(sizes), _at(starts), _at(tokens), distinct, _at(order), len(order), first, threshold),
            *(_MODES[mode], _at(matches), _at(overlaps), ctypes.byref(found)),
        )
    )
    if found.value is None:
        return matches, overlaps, np.zeros((0, 3), np.int64)
    return matches, overlaps, _rows(found)


class _Side(ctypes.Structure):
    """As in ``_kernel.c``."""

    _fields_ = (
        ("count", _NUMBER),
        ("starts", _POINTER),
        ("words", _POINTER),
        ("joined", _POINTER),
        ("lengths", _POINTER),
    )


def ratio_pairs(
    sides: Sequence[tuple[Any, Any, Any, Any]],
    word_starts: NDArray[np.int64],
    letters: NDArray[np.int32],
    kinds: NDArray[np.uint8],
    runs: NDArray[np.int64],
    ratio: float,
    least: float,
) -> Any:
    """Pairs of places that pass the guard and reach the ratio, see :func:`bridge.curate.ratios.best_ratios`.

    Args:
        sides: of texts and of items, sorted by length: starts, words, joined lengths, lengths.
        word_starts: where each word begins in ``letters``.
        letters: of all words, as numbers from 1 on.
        kinds: the bin of each of these, up to 47.
        runs: text * items + item, of pairs that share a run of words.
        ratio: from 0 to 1.
        least: how long one must be at least, as a part of the other.

    Raises:
        MemoryError: there is not enough.
    """
    kernel = _kernel()
    left, right = (_Side(len(lengths), *map(_at, arrays), _at(lengths)) for *arrays, lengths in sides)
    longest = max((int(joined.max(initial=0)) for _, _, joined, _ in sides), default=0)
    found = _POINTER()
    _check(
        kernel.ratio_pairs(
            *(ctypes.byref(left), ctypes.byref(right), len(word_starts) - 1, _at(word_starts), _at(letters)),
            *(len(kinds), _at(kinds), longest, _at(runs), len(runs), ratio, least, ctypes.byref(found)),
        )
    )
    return _rows(found)[:, :2]


def _rows(found: ctypes.c_void_p) -> Any:
    import numpy as np

    kernel = _kernel()
    pairs = np.empty((kernel.pairs_count(found), 3), np.int64)
    kernel.pairs_copy(found, _at(pairs))
    kernel.pairs_free(found)
    return pairs


def _at(values: NDArray[Any]) -> int:
    return int(values.ctypes.data)


def _check(failed: int) -> None:
    if failed:
        raise MemoryError
