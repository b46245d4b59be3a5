"""The compiled kernel, where there is one: ``_kernel.c`` through ctypes. Whoever calls it has the same in numpy.

``hatch_build.py`` compiles it when the package is built or installed and there is a compiler; nothing depends on it.
"""

from __future__ import annotations

import ctypes
import os
from array import array
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LIBRARY = Path(__file__).with_name("_kernel.so")
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
        ("texts_free", None, [_POINTER]),
        (
            "join",
            ctypes.c_int,
            [_POINTER] * 3
            + [_NUMBER, _POINTER, _NUMBER, _NUMBER, ctypes.c_double, ctypes.c_int, _POINTER, _POINTER, _POINTER],
        ),
        ("pairs_count", _NUMBER, [_POINTER]),
        ("pairs_copy", None, [_POINTER] * 2),
        ("pairs_free", None, [_POINTER]),
    ):
        function = getattr(loaded, name)
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

    kernel = _kernel()
    # The seed keeps anybody from writing texts whose words all have the same hash. No result depends on it.
    handle = kernel.texts_new(_classes(), int.from_bytes(os.urandom(8), "little"), n)
    if not handle:
        raise MemoryError
    try:
        for lengths, batch in _batches(texts):
            _check(kernel.texts_add(handle, batch, lengths.buffer_info()[0], len(lengths)))
        _check(kernel.texts_finish(handle))
        sizes = np.empty(kernel.texts_count(handle), np.int64)
        starts = np.empty(len(sizes) + 1, np.int64)
        tokens = np.empty(kernel.texts_tokens(handle), np.uint32)
        kernel.texts_copy(handle, _at(sizes), _at(starts), _at(tokens))
        return sizes, starts, tokens, int(kernel.texts_distinct(handle))
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
    pairs = np.empty((kernel.pairs_count(found), 3), np.int64)
    kernel.pairs_copy(found, _at(pairs))
    kernel.pairs_free(found)
    return matches, overlaps, pairs


def _at(values: NDArray[Any]) -> int:
    return int(values.ctypes.data)


def _check(failed: int) -> None:
    if failed:
        raise MemoryError
